/*
 * Run-time choice of vector width for the compute loops. A function marked
 * CA_CLONES is compiled for several instruction sets and picked when the
 * program starts. Its bits do not depend on the choice: products and sums are
 * never contracted, and a sum over a row runs in CA_LANES partial sums that
 * are joined in one order, whatever the width of a register.
 */
#ifndef CA_NN_SIMD_H
#define CA_NN_SIMD_H

#include <stddef.h>

#include "nn/real.h"

/* clang before 18 gives the chooser a name of its own (f.ifunc), so that other files cannot call f */
#if defined(__x86_64__) && defined(__linux__) && !defined(CA_NO_CLONES) && \
    (!defined(__clang__) || __clang_major__ >= 18)
#define CA_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CA_CLONES
#endif
#define CA_INLINE static inline __attribute__((always_inline))

#define CA_LANES 16

CA_INLINE ca_real ca_join_lanes(const ca_real acc[CA_LANES])
{
    ca_real s[8];

    for (size_t l = 0; l < 8; l++)
        s[l] = acc[l] + acc[l + 8];
    for (size_t l = 0; l < 4; l++)
        s[l] += s[l + 4];
    return (s[0] + s[2]) + (s[1] + s[3]);
}

CA_INLINE ca_real ca_sum(size_t n, const ca_real *x)
{
    ca_real acc[CA_LANES] = {0};
    size_t i = 0;

    for (; i + CA_LANES <= n; i += CA_LANES)
        for (size_t l = 0; l < CA_LANES; l++)
            acc[l] += x[i + l];
    for (size_t l = 0; i + l < n; l++)
        acc[l] += x[i + l];
    return ca_join_lanes(acc);
}

CA_INLINE ca_real ca_dot(size_t n, const ca_real *x, const ca_real *y)
{
    ca_real acc[CA_LANES] = {0};
    size_t i = 0;

    for (; i + CA_LANES <= n; i += CA_LANES)
        for (size_t l = 0; l < CA_LANES; l++)
            acc[l] += x[i + l] * y[i + l];
    for (size_t l = 0; i + l < n; l++)
        acc[l] += x[i + l] * y[i + l];
    return ca_join_lanes(acc);
}

/* y += a x */
CA_INLINE void ca_axpy(size_t n, ca_real a, const ca_real *restrict x, ca_real *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* y += x */
CA_INLINE void ca_add(size_t n, const ca_real *restrict x, ca_real *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

/* y(n) += column sums of x(rows, n), row by row */
void ca_sum_rows(size_t rows, size_t n, const ca_real *x, size_t ld, ca_real *y);

#endif
