/*
 * The loops of Adam over one row, for adam.c and table.c: inlined, so that a
 * caller that knows the width lets the compiler know it too.
 */
#ifndef CA_NN_ADAM_ROW_H
#define CA_NN_ADAM_ROW_H

#include <math.h>

#include "nn/adam.h"
#include "nn/simd.h"

#define CA_ADAM_PLAIN_REST 2 /* steps of rest that are as cheap one by one */

#ifdef CA_DOUBLE
#define CA_SQRT sqrt
#else
#define CA_SQRT sqrtf
#endif

CA_INLINE void ca_adam_step_row(const struct ca_adam_clock *c, size_t n, ca_real *restrict p, ca_real *restrict m,
                                ca_real *restrict v, const ca_real *restrict g)
{
    /* 1 - b rounded once from double, as PyTorch has it: 1 - (float)b is off by 1e-5 */
    ca_real b1 = (ca_real)c->rule.beta1, a1 = (ca_real)(1 - c->rule.beta1);
    ca_real b2 = (ca_real)c->rule.beta2, a2 = (ca_real)(1 - c->rule.beta2);
    ca_real rate = c->rate[c->now - c->base], root = c->root[c->now - c->base], eps = (ca_real)c->rule.eps;

    CA_KEEP_LOOP
    for (size_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + a1 * g[i];
        v[i] = b2 * v[i] + a2 * g[i] * g[i];
        p[i] -= rate * m[i] / (CA_SQRT(v[i]) * root + eps);
    }
}

/* Does the rule hold for all n elements? An element without any gradient ever has no moments and does not move. */
CA_INLINE int ca_adam_quad_holds(ca_real least, size_t n, const ca_real *v)
{
    int small = 0;

    if (!(least > 0))
        return 1;
    CA_KEEP_LOOP
    for (size_t i = 0; i < n; i++)
        small |= (v[i] < least) & (v[i] > 0);
    return !small;
}

CA_INLINE void ca_adam_rest_row(const struct ca_adam_clock *c, uint64_t from, size_t n, ca_real *restrict p,
                                ca_real *restrict m, ca_real *restrict v)
{
    uint64_t gap = c->now - from;
    ca_real eps = (ca_real)c->rule.eps;
    struct ca_adam_fade left = c->fade[gap];
    struct ca_adam_quad q = c->quad[from - c->base];

    if (gap > CA_ADAM_PLAIN_REST && ca_adam_quad_holds(q.v_least, n, v)) {
        CA_KEEP_LOOP
        for (size_t i = 0; i < n; i++) {
            ca_real s = CA_SQRT(v[i]);
            p[i] -= m[i] * (q.a0 / (s + q.e0) + q.a1 / (s + q.e1));
        }
    } else {
        /* The sum alone: m and v decay below in one product each. */
        uint64_t live = gap < c->live ? gap : c->live;
        for (uint64_t k = 1; k <= live; k++) {
            ca_real w = c->rate[from + k - c->base] * c->fade[k].m;
            ca_real x = c->root[from + k - c->base] * c->fade[k].root;
            CA_KEEP_LOOP
            for (size_t i = 0; i < n; i++)
                p[i] -= w * m[i] / (CA_SQRT(v[i]) * x + eps);
        }
    }
    CA_KEEP_LOOP
    for (size_t i = 0; i < n; i++) {
        m[i] *= left.m;
        v[i] *= left.v;
    }
}

#endif
