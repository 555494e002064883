/* The library in double precision against PyTorch: golden.h. */
#include "golden.h"

int main(void)
{
    return run_golden();
}
