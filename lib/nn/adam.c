/*
 * A row last touched at step t0 with moments m, v must later receive
 *   - sum_k w_k m / (sqrt(v) x_k + eps),   s = t0 + k, k = 1..t-t0,
 *   w_k = lr b1^k / (1 - b1^s),  x_k = b2^(k/2) / sqrt(1 - b2^s).
 * Weights w_k on points x_k depend on t0 and t alone and lie almost on one
 * point, so two Gauss nodes, made from their first four moments, replace the
 * sum to the last digits of a float. Dropping eps instead would not do:
 * gradients of 1e-5 make sqrt(v) as small as eps. Where the points spread more
 * (the first hundred steps, a small b2) the sum is taken plainly, and so it is
 * over short rests.
 */
#include "nn/adam.h"

#include <math.h>
#include <string.h>

#include "nn/simd.h"

#include "base/banned.h"

#define SPREAD 0.001 /* variance of the points over their squared mean up to which two nodes do: error about its square */
#define PLAIN_REST 2 /* steps of rest that are as cheap one by one */

#ifdef CA_DOUBLE
#define SQRT sqrt
#else
#define SQRT sqrtf
#endif

const struct ca_adam ca_adam_default = {.lr_table = 0.1, .lr_dense = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};

enum { W0, W1, W2, W3, ORIGIN }; /* moments of the weights about the first point */

void ca_adam_clock_restart(struct ca_adam_clock *c, const struct ca_adam *rule, double lr, uint64_t base)
{
    double live = ceil(log(2e-12) / log(rule->beta1));

    c->rule = *rule;
    c->lr = lr;
    c->base = c->now = base;
    c->live = live < 1 ? 1 : live < CA_ADAM_LIVE_MAX ? (unsigned)live : CA_ADAM_LIVE_MAX;
    for (unsigned k = 0; c->rests && k <= c->live; k++) {
        c->pow1[k] = pow(rule->beta1, k);
        c->pow2[k] = pow(rule->beta2, 0.5 * k);
    }
}

int ca_adam_clock_init(struct ca_adam_clock *c, const struct ca_adam *rule, double lr, uint64_t base, int rests,
                       struct ca_err *err)
{
    *c = (struct ca_adam_clock){.rests = rests};
    if (rests) {
        c->moment = ca_mem_zalloc(CA_ADAM_LIVE_MAX, sizeof *c->moment, err);
        c->pow1 = ca_mem_alloc(CA_ADAM_LIVE_MAX + 1, sizeof *c->pow1, err);
        c->pow2 = ca_mem_alloc(CA_ADAM_LIVE_MAX + 1, sizeof *c->pow2, err);
        if (!c->moment || !c->pow1 || !c->pow2) {
            ca_adam_clock_fini(c);
            return CA_EMEMORY;
        }
    }
    ca_adam_clock_restart(c, rule, lr, base);
    return 0;
}

void ca_adam_clock_fini(struct ca_adam_clock *c)
{
    ca_mem_free(c->rate);
    ca_mem_free(c->root);
    ca_mem_free(c->quad);
    ca_mem_free(c->moment);
    ca_mem_free(c->pow1);
    ca_mem_free(c->pow2);
    *c = (struct ca_adam_clock){0};
}

static int grow(struct ca_adam_clock *c, size_t need, struct ca_err *err)
{
    size_t cap = c->cap;
    int code = ca_mem_grow((void **)&c->rate, &cap, need, sizeof *c->rate, err);

    cap = c->cap;
    if (!code)
        code = ca_mem_grow((void **)&c->root, &cap, need, sizeof *c->root, err);
    cap = c->cap;
    if (!code)
        code = ca_mem_grow((void **)&c->quad, &cap, need, sizeof *c->quad, err);
    if (!code)
        c->cap = cap;
    return code;
}

/* Two-point Gauss rule from mass, mean, variance and third central moment; weight 0 where it would not do. */
static void gauss(const double m[5], ca_real quad[4])
{
    double mass = m[W0] > 0 ? m[W0] : 1, shift = m[W1] / mass, mean = m[ORIGIN] + shift;
    double var = m[W2] / mass - shift * shift, third, dev, half, root, low, high;
    int fits = var <= SPREAD * mean * mean;

    quad[0] = quad[1] = (ca_real)mean;
    quad[2] = fits ? (ca_real)m[W0] : 0;
    quad[3] = 0;
    if (!fits || var <= 1e-30)
        return;
    dev = sqrt(var);
    third = m[W3] / mass - 3 * shift * m[W2] / mass + 2 * shift * shift * shift;
    half = 0.5 * third / (var * dev);
    root = sqrt(1 + half * half);
    low = half - root;
    high = half + root;
    quad[0] = (ca_real)(mean + dev * low);
    quad[1] = (ca_real)(mean + dev * high);
    quad[2] = (ca_real)(m[W0] * high / (high - low));
    quad[3] = (ca_real)(m[W0] * -low / (high - low));
}

int ca_adam_clock_tick(struct ca_adam_clock *c, struct ca_err *err)
{
    uint64_t t = c->now + 1, first;
    double rate, root;

    if (c->now - c->base + 2 > c->cap && grow(c, c->now - c->base + 2, err))
        return CA_EMEMORY;
    rate = c->lr / (1 - pow(c->rule.beta1, (double)t));
    root = 1 / sqrt(1 - pow(c->rule.beta2, (double)t));
    c->now = t;
    c->rate[t - c->base] = (ca_real)rate;
    c->root[t - c->base] = (ca_real)root;
    if (!c->rests)
        return 0;
    /* Every step still live as a last touched one gets this step's point. */
    first = t - c->base > c->live ? t - c->live : c->base;
    for (uint64_t t0 = first; t0 < t; t0++) {
        double *m = c->moment[t0 % c->live];
        uint64_t k = t - t0;
        double w = rate * c->pow1[k], x = root * c->pow2[k], y;

        if (k == 1) {
            memset(m, 0, sizeof c->moment[0]);
            m[ORIGIN] = x;
        }
        y = x - m[ORIGIN];
        m[W0] += w;
        m[W1] += w * y;
        m[W2] += w * y * y;
        m[W3] += w * y * y * y;
        gauss(m, c->quad[t0 - c->base]);
    }
    return 0;
}

CA_CLONES void ca_adam_step(const struct ca_adam_clock *c, size_t n, ca_real *restrict p, ca_real *restrict m,
                            ca_real *restrict v, const ca_real *restrict g)
{
    /* 1 - b rounded once from double, as PyTorch has it: 1 - (float)b is off by 1e-5 */
    ca_real b1 = (ca_real)c->rule.beta1, a1 = (ca_real)(1 - c->rule.beta1);
    ca_real b2 = (ca_real)c->rule.beta2, a2 = (ca_real)(1 - c->rule.beta2);
    ca_real rate = c->rate[c->now - c->base], root = c->root[c->now - c->base], eps = (ca_real)c->rule.eps;

    for (size_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + a1 * g[i];
        v[i] = b2 * v[i] + a2 * g[i] * g[i];
        p[i] -= rate * m[i] / (SQRT(v[i]) * root + eps);
    }
}

CA_CLONES void ca_adam_rest_exact(const struct ca_adam_clock *c, uint64_t from, size_t n, ca_real *restrict p,
                                  ca_real *restrict m, ca_real *restrict v)
{
    ca_real b1 = (ca_real)c->rule.beta1, b2 = (ca_real)c->rule.beta2, eps = (ca_real)c->rule.eps;

    for (uint64_t s = from + 1; s <= c->now; s++) {
        ca_real rate = c->rate[s - c->base], root = c->root[s - c->base];
        for (size_t i = 0; i < n; i++) {
            m[i] *= b1;
            v[i] *= b2;
            p[i] -= rate * m[i] / (SQRT(v[i]) * root + eps);
        }
    }
}

CA_CLONES void ca_adam_rest(const struct ca_adam_clock *c, uint64_t from, size_t n, ca_real *restrict p,
                            ca_real *restrict m, ca_real *restrict v)
{
    uint64_t gap = c->now - from;
    ca_real eps = (ca_real)c->rule.eps, decay1, decay2;
    const ca_real *q = c->quad[from - c->base];

    if (gap > PLAIN_REST && q[2] > 0) {
        for (size_t i = 0; i < n; i++) {
            ca_real s = SQRT(v[i]);
            p[i] -= m[i] * (q[2] / (s * q[0] + eps) + q[3] / (s * q[1] + eps));
        }
    } else {
        /* The sum alone: m and v decay below in one product each. */
        uint64_t live = gap < c->live ? gap : c->live;
        for (uint64_t k = 1; k <= live; k++) {
            ca_real w = c->rate[from + k - c->base] * (ca_real)c->pow1[k];
            ca_real x = c->root[from + k - c->base] * (ca_real)c->pow2[k];
            for (size_t i = 0; i < n; i++)
                p[i] -= w * m[i] / (SQRT(v[i]) * x + eps);
        }
    }
    decay1 = gap <= c->live ? (ca_real)c->pow1[gap] : 0;
    decay2 = (ca_real)(gap <= c->live ? c->pow2[gap] * c->pow2[gap] : pow(c->rule.beta2, (double)gap));
    for (size_t i = 0; i < n; i++) {
        m[i] *= decay1;
        v[i] *= decay2;
    }
}
