#include "transfer/rkd.h"

#include <math.h>

#include "base/banned.h"

void ca_rkd_init(struct ca_rkd *r, uint64_t seed)
{
    r->pairs = ca_rng_make(seed, "rkd pairs");
    r->triplets = ca_rng_make(seed, "rkd triplets");
    r->n_pairs = r->n_triplets = 0;
}

void ca_rkd_draw(struct ca_rkd *r, uint64_t step, size_t rows)
{
    r->n_pairs = r->n_triplets = 0;
    for (uint64_t q = step * CA_RKD_DRAWS; rows && q < (step + 1) * CA_RKD_DRAWS; q++) {
        uint32_t *p = r->pair[r->n_pairs], *t = r->triplet[r->n_triplets];

        for (uint64_t k = 0; k < 2; k++)
            p[k] = (uint32_t)ca_rng_below(&r->pairs, 2 * q + k, rows);
        for (uint64_t k = 0; k < 3; k++)
            t[k] = (uint32_t)ca_rng_below(&r->triplets, 3 * q + k, rows);
        r->n_pairs += p[0] != p[1];
        r->n_triplets += t[0] != t[1] && t[0] != t[2] && t[1] != t[2];
    }
}

/* SmoothL1 with beta 1, and its derivative. */
static double smooth(double x, double *slope)
{
    double a = fabs(x);

    *slope = a < 1 ? x : copysign(1, x);
    return a < 1 ? 0.5 * x * x : a - 0.5;
}

static const ca_real *row(const struct ca_rkd_rows *m, uint32_t i)
{
    return m->at + i * m->ld;
}

/* Distances of all pairs into d; returns their mean, clamped; *clamped tells whether it was. */
static double distances(const struct ca_rkd *r, const struct ca_rkd_rows *m, double *d, int *clamped)
{
    double sum = 0, mean;

    for (size_t q = 0; q < r->n_pairs; q++) {
        const ca_real *x = row(m, r->pair[q][0]), *y = row(m, r->pair[q][1]);
        double square = 0;

        for (size_t k = 0; k < m->width; k++) {
            double off = (double)x[k] - (double)y[k];
            square += off * off;
        }
        d[q] = sqrt(square);
        sum += d[q];
    }
    mean = sum / (double)r->n_pairs;
    *clamped = !(mean > CA_RKD_EPS);
    return *clamped ? CA_RKD_EPS : mean;
}

/* With u_q = SL1'(x_q)/n: d loss / d d_q = u_q/mean - (sum u d)/(mean^2 n), the second part through the mean. */
static double distance_loss(struct ca_rkd *r, double weight, const struct ca_rkd_rows *s, const struct ca_rkd_rows *t,
                            ca_real *ds, size_t ld)
{
    double *a = r->distance[0], *b = r->distance[1], n = (double)r->n_pairs, loss = 0, through = 0, mean_s, mean_t, u;
    int clamped, unused;

    if (!r->n_pairs)
        return 0;
    mean_s = distances(r, s, a, &clamped);
    mean_t = distances(r, t, b, &unused);
    for (size_t q = 0; q < r->n_pairs; q++) {
        loss += smooth(a[q] / mean_s - b[q] / mean_t, &u) / n;
        through += u / n * a[q];
    }
    through = clamped ? 0 : through / (mean_s * mean_s * n);
    for (size_t q = 0; q < r->n_pairs; q++) {
        uint32_t i = r->pair[q][0], j = r->pair[q][1];
        const ca_real *x = row(s, i), *y = row(s, j);
        double slope;

        if (!(a[q] > 0))
            continue;
        (void)smooth(a[q] / mean_s - b[q] / mean_t, &u);
        slope = weight * (u / n / mean_s - through) / a[q];
        for (size_t k = 0; k < s->width; k++) {
            ca_real g = (ca_real)(slope * ((double)x[k] - (double)y[k]));
            ds[i * ld + k] += g;
            ds[j * ld + k] -= g;
        }
    }
    return weight * loss;
}

/* The angle at a between b and c. */
struct angle {
    double xx, yy; /* squared norms of x = b-a and y = c-a */
    double norms;  /* |x||y|, clamped */
    double cosine;
    int clamped;
};

static struct angle angle(const struct ca_rkd_rows *m, const uint32_t t[3])
{
    const ca_real *a = row(m, t[0]), *b = row(m, t[1]), *c = row(m, t[2]);
    struct angle g = {0};
    double xy = 0;

    for (size_t k = 0; k < m->width; k++) {
        double x = (double)b[k] - (double)a[k], y = (double)c[k] - (double)a[k];
        g.xx += x * x;
        g.yy += y * y;
        xy += x * y;
    }
    g.norms = sqrt(g.xx) * sqrt(g.yy);
    g.clamped = !(g.norms > CA_RKD_EPS);
    if (g.clamped)
        g.norms = CA_RKD_EPS;
    g.cosine = xy / g.norms;
    return g;
}

/* With w = SL1'(cos_s - cos_t)/n: dx = w (y/(|x||y|) - cos x/|x|^2), and dy likewise. */
static double angle_loss(const struct ca_rkd *r, double weight, const struct ca_rkd_rows *s,
                         const struct ca_rkd_rows *t, ca_real *ds, size_t ld)
{
    double loss = 0, n = (double)r->n_triplets, w;

    for (size_t q = 0; q < r->n_triplets; q++) {
        const uint32_t *i = r->triplet[q];
        struct angle g = angle(s, i);
        const ca_real *a = row(s, i[0]), *b = row(s, i[1]), *c = row(s, i[2]);

        loss += smooth(g.cosine - angle(t, i).cosine, &w) / n;
        if (g.clamped)
            continue;
        w *= weight / n;
        for (size_t k = 0; k < s->width; k++) {
            double x = (double)b[k] - (double)a[k], y = (double)c[k] - (double)a[k];
            double dx = w * (y / g.norms - g.cosine * x / g.xx), dy = w * (x / g.norms - g.cosine * y / g.yy);
            ds[i[1] * ld + k] += (ca_real)dx;
            ds[i[2] * ld + k] += (ca_real)dy;
            ds[i[0] * ld + k] -= (ca_real)(dx + dy);
        }
    }
    return weight * loss;
}

double ca_rkd_loss(struct ca_rkd *r, double lambda, const struct ca_rkd_rows *s, const struct ca_rkd_rows *t,
                   ca_real *ds, size_t ld_ds)
{
    return distance_loss(r, CA_RKD_DISTANCE * lambda, s, t, ds, ld_ds) +
           angle_loss(r, CA_RKD_ANGLE * lambda, s, t, ds, ld_ds);
}
