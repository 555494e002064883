/*
 * Functions of angles for loops of the compute files. In double, which the
 * gradient checks use, they are those of the C library.
 */
#ifndef CA_NN_ANGLE_H
#define CA_NN_ANGLE_H

#include <math.h>

#include "nn/lanes.h"

CA_INLINE void ca_sincos(ca_real x, ca_real *restrict s, ca_real *restrict c)
{
#ifdef CA_DOUBLE
    *s = sin(x);
    *c = cos(x);
#else
    *s = sinf(x);
    *c = cosf(x);
#endif
}

CA_INLINE ca_real ca_log(ca_real x)
{
#ifdef CA_DOUBLE
    return log(x);
#else
    return logf(x);
#endif
}

/* The angle of the point (x, y), from -pi to pi; its signs of zero are those of the C library's atan2. */
CA_INLINE ca_real ca_atan2(ca_real y, ca_real x)
{
#ifdef CA_DOUBLE
    return atan2(y, x);
#else
    return atan2f(y, x);
#endif
}

#endif
