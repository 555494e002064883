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

/*
 * Before a loop over the elements of a row: of a length known to the compiler
 * it would be unrolled first, and what is unrolled comes out half in scalars.
 */
#define CA_KEEP_LOOP _Pragma("GCC unroll 1")

/* Before a loop over sums that must stay in registers: to its end, which is at most CA_LANES steps away. */
#ifdef __clang__
#define CA_UNROLL _Pragma("unroll")
#else
#define CA_UNROLL _Pragma("GCC unroll 16")
#endif

#define CA_LANES 16

/* Lanes of one width of register or another: the compiler cuts them to what the machine has. Never passed by value. */
typedef ca_real ca_lanes __attribute__((vector_size(CA_LANES * sizeof(ca_real))));
typedef ca_real ca_lanes8 __attribute__((vector_size(8 * sizeof(ca_real))));
typedef ca_real ca_lanes4 __attribute__((vector_size(4 * sizeof(ca_real))));
typedef ca_real ca_lanes_any
    __attribute__((vector_size(CA_LANES * sizeof(ca_real)), aligned(sizeof(ca_real)), may_alias));

/* CA_LANES elements from x on, at any address. */
#define CA_LOAD(x) (*(const ca_lanes_any *)(const void *)(x))

/* part = the first n < CA_LANES elements of x, zeros after them */
CA_INLINE void ca_part(size_t n, const ca_real *x, ca_real part[CA_LANES])
{
    for (size_t l = 0; l < CA_LANES; l++)
        part[l] = 0;
    for (size_t l = 0; l < n; l++)
        part[l] = x[l];
}

/* ((0+8) + (4+12)) + ((2+10) + (6+14)), and the same of the odd lanes */
CA_INLINE ca_real ca_join(const ca_lanes *v)
{
    ca_lanes8 a = __builtin_shufflevector(*v, *v, 0, 1, 2, 3, 4, 5, 6, 7) +
                  __builtin_shufflevector(*v, *v, 8, 9, 10, 11, 12, 13, 14, 15);
    ca_lanes4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);

    return (b[0] + b[2]) + (b[1] + b[3]);
}

/* What ca_sum and ca_dot join in the end: the sum of every CA_LANES-th element or product. */
CA_INLINE void ca_sum_lanes(size_t n, const ca_real *x, ca_lanes *sum)
{
    ca_lanes acc = {0};
    ca_real part[CA_LANES];
    size_t i = 0;

    for (; i + CA_LANES <= n; i += CA_LANES)
        acc += CA_LOAD(x + i);
    if (i < n) {
        ca_part(n - i, x + i, part);
        acc += CA_LOAD(part);
    }
    *sum = acc;
}

CA_INLINE void ca_dot_lanes(size_t n, const ca_real *x, const ca_real *y, ca_lanes *sum)
{
    ca_lanes acc = {0};
    ca_real xp[CA_LANES], yp[CA_LANES];
    size_t i = 0;

    for (; i + CA_LANES <= n; i += CA_LANES)
        acc += CA_LOAD(x + i) * CA_LOAD(y + i);
    if (i < n) {
        ca_part(n - i, x + i, xp);
        ca_part(n - i, y + i, yp);
        acc += CA_LOAD(xp) * CA_LOAD(yp);
    }
    *sum = acc;
}

CA_INLINE ca_real ca_sum(size_t n, const ca_real *x)
{
    ca_lanes acc;

    ca_sum_lanes(n, x, &acc);
    return ca_join(&acc);
}

CA_INLINE ca_real ca_dot(size_t n, const ca_real *x, const ca_real *y)
{
    ca_lanes acc;

    ca_dot_lanes(n, x, y, &acc);
    return ca_join(&acc);
}

/* y += a x */
CA_INLINE void ca_axpy(size_t n, ca_real a, const ca_real *restrict x, ca_real *restrict y)
{
    CA_KEEP_LOOP
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* y += x */
CA_INLINE void ca_add(size_t n, const ca_real *restrict x, ca_real *restrict y)
{
    CA_KEEP_LOOP
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

/* y(n) += column sums of x(rows, n), row by row */
void ca_sum_rows(size_t rows, size_t n, const ca_real *x, size_t ld, ca_real *y);

#endif
