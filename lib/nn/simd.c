#include "nn/simd.h"

#include "base/banned.h"

CA_CLONES void ca_sum_rows(size_t rows, size_t n, const ca_real *x, size_t ld, ca_real *y)
{
    for (size_t r = 0; r < rows; r++)
        ca_add(n, x + r * ld, y);
}
