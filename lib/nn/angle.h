/*
 * Functions of angles for the compute loops: without calls or branches, with
 * one order of operations everywhere, as ca_exp. A NaN comes out as one. In
 * double, which the gradient checks use, they are those of the C library.
 */
#ifndef CA_NN_ANGLE_H
#define CA_NN_ANGLE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "nn/lanes.h"

#define CA_ANGLE_FAR 8192 /* beyond, the reduction to a quadrant would lose digits */

/* The bits of a where mask is all ones, of b where it is 0. */
CA_INLINE float ca_choose(uint32_t mask, float a, float b)
{
    uint32_t i, j;
    float x;

    memcpy(&i, &a, sizeof i);
    memcpy(&j, &b, sizeof j);
    i = (i & mask) | (j & ~mask);
    memcpy(&x, &i, sizeof x);
    return x;
}

/* x, or -x where the lowest bit of negate is 1 */
CA_INLINE float ca_negate(uint32_t negate, float x)
{
    uint32_t i;

    memcpy(&i, &x, sizeof i);
    i ^= negate << 31;
    memcpy(&x, &i, sizeof x);
    return x;
}

/* For |x| <= CA_ANGLE_FAR, to about one unit in the last place of 1. */
CA_INLINE void ca_near_sincos(float x, float *restrict s, float *restrict c)
{
    const float magic = 0x1.8p23f; /* adding it rounds to a whole number, in the low bits */
    float n = x * 0x1.45f306p-1f + magic, r, z, sine, cosine;
    uint32_t quadrant;

    memcpy(&quadrant, &n, sizeof quadrant);
    n -= magic;
    r = x - n * 0x1.92p0f; /* pi / 2 in three parts, products of the first two exact */
    r = r - n * 0x1.fb4p-12f;
    r = r - n * 0x1.4442d2p-24f;
    z = r * r;
    sine = r + r * z * (-1.666665500e-1f + z * (8.332180618e-3f + z * -1.951755962e-4f));
    cosine = 1 - z * 0.5f + z * z * (4.166664711e-2f + z * (-1.388737759e-3f + z * 2.443944499e-5f));
    *s = ca_negate(quadrant >> 1, ca_choose(-(quadrant & 1), cosine, sine));
    *c = ca_negate((quadrant + 1) >> 1, ca_choose(-(quadrant & 1), sine, cosine));
}

/* Sines and cosines of x[n]. */
CA_INLINE void ca_sincos(size_t n, const ca_real *restrict x, ca_real *restrict s, ca_real *restrict c)
{
#ifdef CA_DOUBLE
    for (size_t i = 0; i < n; i++) {
        s[i] = sin(x[i]);
        c[i] = cos(x[i]);
    }
#else
    unsigned far = 0;

    for (size_t i = 0; i < n; i++) {
        far |= fabsf(x[i]) <= CA_ANGLE_FAR ? 0 : 1;
        ca_near_sincos(x[i], &s[i], &c[i]);
    }
    for (size_t i = 0; far && i < n; i++)
        if (!(fabsf(x[i]) <= CA_ANGLE_FAR)) {
            s[i] = sinf(x[i]);
            c[i] = cosf(x[i]);
        }
#endif
}

/* Of a normal number above 0. */
CA_INLINE ca_real ca_log(ca_real x)
{
#ifdef CA_DOUBLE
    return log(x);
#else
    uint32_t bits;
    float e, t, p;

    memcpy(&bits, &x, sizeof bits);
    bits -= 0x3f3504f3; /* of the root of 1/2: what is left of x lies between it and its double */
    e = (float)((int32_t)bits >> 23);
    bits = (bits & 0x007fffff) + 0x3f3504f3;
    memcpy(&t, &bits, sizeof t);
    t -= 1;
    p = 6.917983188e-2f;
    p = p * t + -1.177966696e-1f;
    p = p * t + 1.186603552e-1f;
    p = p * t + -1.238579856e-1f;
    p = p * t + 1.421991855e-1f;
    p = p * t + -1.666919744e-1f;
    p = p * t + 2.000215141e-1f;
    p = p * t + -2.499998688e-1f;
    p = p * t + 3.333331183e-1f;
    p = t - t * t * 0.5f + t * t * t * p;
    return e * 0x1.62ep-1f + (p + e * 0x1.0bfbe8p-15f) + (x - x); /* ln 2 in two parts, the first exact */
#endif
}

/* The angle of the point (x, y), from -pi to pi; that of (-0, 0) is 0, of two infinite numbers a NaN. */
CA_INLINE ca_real ca_atan2(ca_real y, ca_real x)
{
#ifdef CA_DOUBLE
    return atan2(y, x);
#else
    float ax = fabsf(x), ay = fabsf(y), big = ax > ay ? ax : ay, small = ax > ay ? ay : ax, a, z, p;

    a = small / (big > 0 ? big : big + 1);
    z = a * a;
    p = 2.982262373e-3f;
    p = p * z + -1.661275483e-2f;
    p = p * z + 4.360659092e-2f;
    p = p * z + -7.585250419e-2f;
    p = p * z + 1.068123827e-1f;
    p = p * z + -1.421482843e-1f;
    p = p * z + 1.999421952e-1f;
    p = p * z + -3.333317095e-1f;
    a = a + a * z * p;
    a = ay > ax ? 1.57079633f - a : a;
    a = x < 0 ? 3.14159265f - a : a;
    return copysignf(a, y);
#endif
}

#endif
