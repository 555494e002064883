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

/* t = the first rows <= CA_LANES rows of x(rows, n), turned; lanes without a row are 0 */
CA_INLINE void ca_lanes_load(size_t rows, size_t n, const ca_real *restrict x, size_t ld, ca_real *restrict t)
{
    if (rows == CA_LANES) {
        for (size_t i = 0; i < n; i++)
            for (size_t l = 0; l < CA_LANES; l++)
                t[i * CA_LANES + l] = x[l * ld + i];
        return;
    }
    memset(t, 0, n * CA_LANES * sizeof *t);
    for (size_t l = 0; l < rows; l++)
        for (size_t i = 0; i < n; i++)
            t[i * CA_LANES + l] = x[l * ld + i];
}

/* y(rows, n) = t turned back */
CA_INLINE void ca_lanes_store(size_t rows, size_t n, const ca_real *restrict t, ca_real *restrict y, size_t ld)
{
    for (size_t l = 0; l < rows; l++)
        for (size_t i = 0; i < n; i++)
            y[l * ld + i] = t[i * CA_LANES + l];
}

/* y(rows, n) += t turned back */
CA_INLINE void ca_lanes_add(size_t rows, size_t n, const ca_real *restrict t, ca_real *restrict y, size_t ld)
{
    for (size_t l = 0; l < rows; l++)
        for (size_t i = 0; i < n; i++)
            y[l * ld + i] += t[i * CA_LANES + l];
}

/*
 * e^x to about one unit in the last place, without calls or branches, with one
 * order of operations everywhere. Below -87 it is e^-87, above 88 e^88.
 */
CA_INLINE ca_real ca_exp(ca_real x)
{
#ifdef CA_DOUBLE
    return exp(x);
#else
    const float magic = 0x1.8p23f; /* adding it rounds to a whole number, in the low bits */
    float n, r, p, scale;
    uint32_t bits;

    x = x < -87 ? -87 : x;
    x = x > 88 ? 88 : x;
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

/* In each lane, a[0..n) becomes its softmax. */
CA_INLINE void ca_lanes_softmax(size_t n, ca_real *restrict a)
{
    ca_real most[CA_LANES], sum[CA_LANES] = {0};

    for (size_t l = 0; l < CA_LANES; l++)
        most[l] = (ca_real)-INFINITY;
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < CA_LANES; l++)
            most[l] = a[i * CA_LANES + l] > most[l] ? a[i * CA_LANES + l] : most[l];
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < CA_LANES; l++) {
            ca_real e = ca_exp(a[i * CA_LANES + l] - most[l]);
            a[i * CA_LANES + l] = e;
            sum[l] += e;
        }
    for (size_t l = 0; l < CA_LANES; l++)
        sum[l] = 1 / sum[l];
    for (size_t i = 0; i < n; i++)
        CA_AT(a, i) *= CA_LOAD(sum);
}

#endif
