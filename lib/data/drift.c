#include "data/drift.h"

#include <math.h>

#include "base/banned.h"

#define SMOOTH 1e-10 /* the paper gives no value; small beside 1/rows of any window */

/* x ln(x/y), 0 at x = 0. */
static double term(double x, double y)
{
    return x > 0 ? x * log(x / y) : 0;
}

/* The next id that either side has, with both counts; 0 at the end. */
struct walk {
    const struct ca_hist *p, *q;
    size_t i, j;
    uint32_t id;
    uint64_t in_p, in_q;
};

static int step(struct walk *w)
{
    int has_p = w->i < w->p->n, has_q = w->j < w->q->n;

    if (!has_p && !has_q)
        return 0;
    w->id = !has_q || (has_p && w->p->cell[w->i].id < w->q->cell[w->j].id) ? w->p->cell[w->i].id : w->q->cell[w->j].id;
    w->in_p = has_p && w->p->cell[w->i].id == w->id ? w->p->cell[w->i++].count : 0;
    w->in_q = has_q && w->q->cell[w->j].id == w->id ? w->q->cell[w->j++].count : 0;
    return 1;
}

struct ca_drift ca_drift_between(const struct ca_hist *p, const struct ca_hist *q, size_t bins)
{
    struct ca_drift d = {0};
    struct walk w = {.p = p, .q = q};
    double n_p = p->total ? (double)p->total : 1, n_q = q->total ? (double)q->total : 1;
    double support = 0, sum_p, sum_q, variation = 0, ahead = 0, moved = 0;
    uint32_t last = 0;

    while (step(&w))
        support++;
    /* what the smoothed probabilities sum to before they are normalised */
    sum_p = (p->total ? 1 : 0) + SMOOTH * support;
    sum_q = (q->total ? 1 : 0) + SMOOTH * support;
    for (w = (struct walk){.p = p, .q = q}; step(&w); last = w.id) {
        double a = (double)w.in_p / n_p, b = (double)w.in_q / n_q, mid = (a + b) / 2;
        d.js += 0.5 * term(a, mid) + 0.5 * term(b, mid);
        d.kl += term((a + SMOOTH) / sum_p, (b + SMOOTH) / sum_q);
        variation += fabs(a - b) / 2;
        moved += fabs(ahead) * (double)(w.id - last);
        ahead += a - b;
    }
    d.wasserstein = bins ? moved / (double)bins : variation;
    if (!p->total != !q->total) {
        d.js = log(2.0);
        d.wasserstein = 1;
    }
    /* rounding may leave a divergence a hair below zero */
    d.js = d.js > 0 ? d.js : 0;
    d.kl = d.kl > 0 ? d.kl : 0;
    return d;
}

struct ca_drift ca_drift_feature(const struct ca_hists *h, size_t f)
{
    const struct ca_hist_feature *t = &h->feature[f];
    size_t bins = t->role == CA_ROLE_NUMERIC ? h->bins : 0;
    double pairs = (double)(h->windows - 1);
    struct ca_drift sum = {0};

    for (size_t i = 0; i + 1 < h->windows; i++) {
        struct ca_drift d = ca_drift_between(&t->window[i], &t->window[i + 1], bins);
        sum.js += d.js;
        sum.kl += d.kl;
        sum.wasserstein += d.wasserstein;
    }
    return (struct ca_drift){.js = sum.js / pairs, .kl = sum.kl / pairs, .wasserstein = sum.wasserstein / pairs};
}

double ca_drift_ratio(double delta, double low, double high, double k)
{
    if (delta > high)
        return 0;
    return delta > low ? k * (1 - delta / high) : k;
}
