/*
 * A row last touched at step t0 with moments m, v must later receive
 *   - m sum_k w_k y_k / (sqrt(v) + eps y_k),   s = t0 + k, k = 1..t-t0,
 *   w_k = lr b1^k / (1 - b1^s),  y_k = sqrt(1 - b2^s) / b2^(k/2).
 * Weights w_k on points y_k depend on t0 and t alone. As a function of y the
 * term is a straight line while sqrt(v) is far above eps y and nearly constant
 * far below, so the two Gauss points of the measure, made from its first four
 * moments, replace the sum to the last digits of a float. Dropping eps would
 * not do: gradients of 1e-5 make sqrt(v) as small as eps. In the first hundred
 * steps the points spread too much for a sqrt(v) near eps; there the sum is
 * taken plainly, and so it is over short rests.
 */
#include "nn/adam.h"

#include <math.h>
#include <string.h>

#include "nn/adam_row.h"

#include "base/banned.h"

#define ACCURACY 2e-6 /* of the rule, relative to the way that a rest goes */
#define FAR 1e30      /* well within a float */

const struct ca_adam ca_adam_default = {.lr_table = 0.1, .lr_dense = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};

enum { W0, W1, W2, W3, W4, ORIGIN }; /* moments of the weights about the first point */

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
    ca_mem_free(c->fade);
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
    cap = c->cap;
    if (!code)
        code = ca_mem_grow((void **)&c->fade, &cap, need, sizeof *c->fade, err);
    if (!code)
        c->cap = cap;
    return code;
}

/*
 * Two-point Gauss rule from mass, mean, variance and third central moment. Its
 * relative error is K u^3 / (1+u)^4 with u = eps mean / sqrt(v): the fourth
 * derivative of y / (sqrt(v) + eps y) times the norm of the second orthogonal
 * polynomial, K mean^4. A b2 near 1 gives K = 4 (variance / mean^2)^2; a small
 * one spreads the points so far that only the fourth moment tells.
 */
static struct ca_adam_quad gauss(const double m[6], double eps)
{
    double mass = m[W0] > 0 ? m[W0] : 1, shift = m[W1] / mass, mean = m[ORIGIN] + shift;
    double var = m[W2] / mass - shift * shift, k = 0, least = 0;
    double third, fourth, dev, half, root, low, high, y0 = mean, y1 = mean, w0 = m[W0], w1 = 0;

    if (var > 1e-30) {
        dev = sqrt(var);
        third = m[W3] / mass - 3 * shift * m[W2] / mass + 2 * shift * shift * shift;
        fourth = m[W4] / mass - 4 * shift * m[W3] / mass + 6 * shift * shift * m[W2] / mass - 3 * shift * shift * shift * shift;
        half = 0.5 * third / (var * dev);
        root = sqrt(1 + half * half);
        low = half - root;
        high = half + root;
        y0 = mean + dev * low;
        y1 = mean + dev * high;
        w0 = m[W0] * high / (high - low);
        w1 = m[W0] * -low / (high - low);
        k = (fourth - third * third / var - var * var) / (mean * mean * mean * mean);
    }
    /* Points beyond any use: every rest is summed plainly. */
    if (!(k < FAR && fabs(w0 * y0) < FAR && fabs(w1 * y1) < FAR))
        return (struct ca_adam_quad){.e0 = 1, .e1 = 1, .v_least = (ca_real)INFINITY};
    /* The last factor is at most 27/256. */
    if (k * 27 / 256 > ACCURACY)
        least = eps * mean / cbrt(ACCURACY / k);
    return (struct ca_adam_quad){.a0 = (ca_real)(w0 * y0), .a1 = (ca_real)(w1 * y1), .e0 = (ca_real)(eps * y0),
                                 .e1 = (ca_real)(eps * y1), .v_least = (ca_real)(least * least)};
}

static struct ca_adam_fade fade_of(const struct ca_adam_clock *c, uint64_t k)
{
    if (k > c->live)
        return (struct ca_adam_fade){.v = (ca_real)pow(c->rule.beta2, (double)k)};
    return (struct ca_adam_fade){(ca_real)c->pow1[k], (ca_real)(c->pow2[k] * c->pow2[k]), (ca_real)c->pow2[k]};
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
    c->fade[0] = fade_of(c, 0);
    c->fade[t - c->base] = fade_of(c, t - c->base);
    /* Every step still live as a last touched one gets this step's point. */
    first = t - c->base > c->live ? t - c->live : c->base;
    for (uint64_t t0 = first; t0 < t; t0++) {
        double *m = c->moment[t0 % c->live];
        uint64_t k = t - t0;
        double w = rate * c->pow1[k], y = 1 / (root * c->pow2[k]);

        if (k == 1) {
            memset(m, 0, sizeof c->moment[0]);
            m[ORIGIN] = y;
        }
        y -= m[ORIGIN];
        m[W0] += w;
        m[W1] += w * y;
        m[W2] += w * y * y;
        m[W3] += w * y * y * y;
        m[W4] += w * y * y * y * y;
        c->quad[t0 - c->base] = gauss(m, c->rule.eps);
    }
    return 0;
}

CA_CLONES void ca_adam_step(const struct ca_adam_clock *c, size_t n, ca_real *p, ca_real *m, ca_real *v, const ca_real *g)
{
    ca_adam_step_row(c, n, p, m, v, g);
}

CA_CLONES void ca_adam_rest(const struct ca_adam_clock *c, uint64_t from, size_t n, ca_real *p, ca_real *m, ca_real *v)
{
    ca_adam_rest_row(c, from, n, p, m, v);
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
            p[i] -= rate * m[i] / (CA_SQRT(v[i]) * root + eps);
        }
    }
}
