/*
 * Rows side by side, for operators whose work on one row is too small or too
 * crooked for a vector: a piece of CA_LANES rows is turned, so that element i
 * of its row l lies at t[i * CA_LANES + l], and every loop over a row becomes
 * a loop over whole vectors. Rows never mix, so bits do not depend on the
 * width of a register.
 */
#ifndef CA_NN_LANES_H
#define CA_NN_LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "nn/simd.h"

/* The vector of a turned element: to read, and to write. */
#define CA_GET(t, i) CA_LOAD((t) + (i) * CA_LANES)
#define CA_AT(t, i) (*(ca_lanes_any *)(void *)((t) + (i) * CA_LANES))

typedef __typeof__((ca_lanes){0} < (ca_lanes){0}) ca_lanes_mask;

/* max(u, 0); a NaN stays one */
#define CA_POSITIVE(u) ((ca_lanes)((ca_lanes_mask)(u) & ~((u) < (ca_lanes){0})))
/* q where u > 0, else 0 */
#define CA_WHERE_POSITIVE(u, q) ((ca_lanes)((ca_lanes_mask)(q) & ((u) > (ca_lanes){0})))
/* u where it is greater, else v */
#define CA_GREATER(u, v) ((ca_lanes)(((ca_lanes_mask)(u) & ((u) > (v))) | ((ca_lanes_mask)(v) & ~((u) > (v)))))

/* A square of 16 x 16 turned in four rounds, each of which swaps halves of pairs of vectors. */
#define CA_TURN_ROUND(d, lo, hi)                                                     \
    for (size_t i = 0; i < CA_LANES; i++)                                    \
        if (!(i & (d))) {                                                    \
            ca_lanes x = v[i], y = v[i + (d)];                               \
            v[i] = lo;                                                       \
            v[i + (d)] = hi;                                                 \
        }

CA_INLINE void ca_turn(ca_lanes v[CA_LANES])
{
    CA_TURN_ROUND(8, __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
          __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    CA_TURN_ROUND(4, __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
          __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    CA_TURN_ROUND(2, __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
          __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    CA_TURN_ROUND(1, __builtin_shufflevector(x, y, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
          __builtin_shufflevector(x, y, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
}

/* to[i * step + l] = from[l * ld + i] of a square */
CA_INLINE void ca_turn_square(const ca_real *from, size_t ld, ca_real *to, size_t step)
{
    ca_lanes v[CA_LANES];

    for (size_t i = 0; i < CA_LANES; i++)
        v[i] = CA_LOAD(from + i * ld);
    ca_turn(v);
    for (size_t i = 0; i < CA_LANES; i++)
        *(ca_lanes_any *)(void *)(to + i * step) = v[i];
}

#undef CA_TURN_ROUND

/* In each lane, the sum of 16 elements in the order of ca_join. */
CA_INLINE void ca_join_square(const ca_real *x, ca_real *sum)
{
    ca_lanes a[8];

    for (size_t i = 0; i < 8; i++)
        a[i] = CA_GET(x, i) + CA_GET(x, i + 8);
    for (size_t i = 0; i < 4; i++)
        a[i] = a[i] + a[i + 4];
    CA_AT(sum, 0) = (a[0] + a[2]) + (a[1] + a[3]);
}

/*
 * t = the first rows <= CA_LANES rows of x(rows, n), turned; lanes without a row are 0. A full piece goes by squares,
 * in a third of the time of a loop over elements, which was as much as the arithmetic of an attention layer.
 */
CA_INLINE void ca_lanes_load(size_t rows, size_t n, const ca_real *restrict x, size_t ld, ca_real *restrict t)
{
    size_t i = 0;

    if (rows == CA_LANES) {
        for (; i + CA_LANES <= n; i += CA_LANES)
            ca_turn_square(x + i, ld, t + i * CA_LANES, CA_LANES);
        for (; i < n; i++)
            for (size_t l = 0; l < CA_LANES; l++)
                t[i * CA_LANES + l] = x[l * ld + i];
        return;
    }
    memset(t, 0, n * CA_LANES * sizeof *t);
    for (size_t l = 0; l < rows; l++)
        for (i = 0; i < n; i++)
            t[i * CA_LANES + l] = x[l * ld + i];
}

/* y(rows, n) = t turned back */
CA_INLINE void ca_lanes_store(size_t rows, size_t n, const ca_real *restrict t, ca_real *restrict y, size_t ld)
{
    size_t i = 0;

    for (; rows == CA_LANES && i + CA_LANES <= n; i += CA_LANES)
        ca_turn_square(t + i * CA_LANES, CA_LANES, y + i, ld);
    for (size_t l = 0; l < rows; l++)
        for (size_t k = i; k < n; k++)
            y[l * ld + k] = t[k * CA_LANES + l];
}

/* y(rows, n) += t turned back */
CA_INLINE void ca_lanes_add(size_t rows, size_t n, const ca_real *restrict t, ca_real *restrict y, size_t ld)
{
    size_t i = 0;

    for (; rows == CA_LANES && i + CA_LANES <= n; i += CA_LANES) {
        ca_real part[CA_LANES * CA_LANES];

        ca_turn_square(t + i * CA_LANES, CA_LANES, part, CA_LANES);
        for (size_t l = 0; l < CA_LANES; l++)
            *(ca_lanes_any *)(void *)(y + l * ld + i) += CA_LOAD(part + l * CA_LANES);
    }
    for (size_t l = 0; l < rows; l++)
        for (size_t k = i; k < n; k++)
            y[l * ld + k] += t[k * CA_LANES + l];
}

/* ca_exp of what is at most 88. */
CA_INLINE ca_real ca_exp_below(ca_real x)
{
#ifdef CA_DOUBLE
    return exp(x);
#else
    const float magic = 0x1.8p23f; /* adding it rounds to a whole number, in the low bits */
    float n, r, p, scale;
    uint32_t bits;

    x = x < -87 ? -87 : x;
    n = x * 0x1.715476p0f + magic;
    memcpy(&bits, &n, sizeof bits);
    n -= magic;
    r = x - n * 0x1.63p-1f; /* ln 2 in two parts, the first exact */
    r = r - n * -2.12194440e-4f;
    p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1;
    bits = (bits + 127) << 23; /* 2^n: all but the low bits fall off */
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
#endif
}

/*
 * e^x to about one unit in the last place, without calls or branches, with one
 * order of operations everywhere. Below -87 it is e^-87, above 88 e^88.
 */
CA_INLINE ca_real ca_exp(ca_real x)
{
#ifndef CA_DOUBLE
    x = x > 88 ? 88 : x;
#endif
    return ca_exp_below(x);
}

/* In each lane, each of m rows of a(m, n) becomes its softmax. Several rows together: one alone waits for its sums. */
CA_INLINE void ca_lanes_softmaxes(size_t m, size_t n, ca_real *restrict a)
{
    ca_lanes most[CA_LANES];
    ca_real sum[CA_LANES][CA_LANES] = {{0}};

    for (size_t r = 0; r < m; r++)
        most[r] = (ca_lanes){0} - (ca_real)INFINITY;
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < m; r++)
            most[r] = CA_GREATER(CA_GET(a, r * n + i), most[r]);
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < m; r++) {
            ca_real *at = a + (r * n + i) * CA_LANES;
            for (size_t l = 0; l < CA_LANES; l++) {
                ca_real e = ca_exp_below(at[l] - most[r][l]);
                at[l] = e;
                sum[r][l] += e;
            }
        }
    for (size_t r = 0; r < m; r++)
        for (size_t l = 0; l < CA_LANES; l++)
            sum[r][l] = 1 / sum[r][l];
    for (size_t r = 0; r < m; r++)
        for (size_t i = 0; i < n; i++)
            CA_AT(a, r * n + i) *= CA_LOAD(sum[r]);
}

/* In each lane, a[0..n) becomes its softmax. */
CA_INLINE void ca_lanes_softmax(size_t n, ca_real *restrict a)
{
    ca_lanes_softmaxes(1, n, a);
}

#endif
