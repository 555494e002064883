/*
 * nn/adam, nn/table: the lazy tables walk the path of a dense Adam, rested
 * rows included, against a plain loop in double and against PyTorch.
 */
#include <stdio.h>
#include <stdlib.h>

#include "nn/table.h"
#include "tap.h"

#define TOLERANCE 2e-5 /* PyTorch's own float Adam is 1.3e-5 from its double one on such a run */

static const double scale_of[] = {1e-5, 1e-7, 1.0};

static uint64_t lcg;

static double unit(void)
{
    lcg = lcg * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(lcg >> 40) * 0x1p-24;
}

static void must(int code, const struct ca_err *err)
{
    if (code) {
        (void)printf("Bail out! %s\n", err->text);
        exit(70);
    }
}

/* The same steps made densely, element by element. */
struct dense {
    size_t n;
    double *p, *m, *v, *g;
};

static void dense_step(struct dense *d, const struct ca_adam *a, double lr, int t)
{
    for (size_t i = 0; i < d->n; i++) {
        d->m[i] = a->beta1 * d->m[i] + (1 - a->beta1) * d->g[i];
        d->v[i] = a->beta2 * d->v[i] + (1 - a->beta2) * d->g[i] * d->g[i];
        d->p[i] -= lr / (1 - pow(a->beta1, t)) * d->m[i] / (sqrt(d->v[i]) / sqrt(1 - pow(a->beta2, t)) + a->eps);
    }
}

/* One step of a table and of its dense twin: each row has a gradient with the given chance. */
static void step(struct ca_table *t, struct ca_adam_clock *clock, struct dense *d, double chance)
{
    struct ca_err err = {0};
    size_t w = t->width, n = 0;
    uint32_t *ids = malloc(t->rows * sizeof *ids);
    float *grad = malloc(t->rows * w * sizeof *grad);

    memset(d->g, 0, d->n * sizeof *d->g);
    for (size_t r = 0; r < t->rows; r++) {
        if (unit() >= chance)
            continue;
        for (size_t k = 0; k < w; k++) {
            d->g[r * w + k] = scale_of[r % 3] * (2 * unit() - 1);
            grad[n * w + k] = (float)d->g[r * w + k];
        }
        ids[n++] = (uint32_t)r;
    }
    must(ca_table_reserve(t, n, &err), &err);
    ca_table_touch(t, clock, ids, n);
    ca_table_keep(t, 0, n, grad, w);
    ca_table_accumulate(t, n);
    must(ca_adam_clock_tick(clock, &err), &err);
    ca_table_step(t, clock);
    dense_step(d, &clock->rule, clock->lr, (int)clock->now);
    free(ids);
    free(grad);
}

static void start(struct ca_table *t, struct dense *d, size_t rows, size_t width)
{
    struct ca_err err = {0};

    must(ca_table_init(t, rows, width, 0, &err), &err);
    d->n = rows * width;
    d->p = calloc(d->n, sizeof *d->p);
    d->m = calloc(d->n, sizeof *d->m);
    d->v = calloc(d->n, sizeof *d->v);
    d->g = calloc(d->n, sizeof *d->g);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < width; k++) {
            d->p[r * width + k] = 2 * unit() - 1;
            t->data[r * t->stride + k] = (float)d->p[r * width + k];
        }
}

static void end(struct ca_table *t, struct dense *d)
{
    ca_table_fini(t);
    free(d->p);
    free(d->m);
    free(d->v);
    free(d->g);
}

static double distance(const struct ca_table *t, const double *p)
{
    double worst = 0;

    for (size_t r = 0; r < t->rows; r++)
        for (size_t k = 0; k < t->width; k++)
            worst = fmax(worst, fabs((double)t->data[r * t->stride + k] - p[r * t->width + k]));
    return worst;
}

/* A seldom touched table over so many steps; looked at without touching, then settled. */
static void against_dense(struct ca_adam rule, int steps, double chance, double tolerance, const char *what)
{
    struct ca_err err = {0};
    struct ca_adam_clock clock;
    struct ca_table t;
    struct dense d;
    uint32_t ids[500];
    float *looked;
    double worst = 0, moment = 0;

    lcg = 7;
    start(&t, &d, 500, 9);
    must(ca_adam_clock_init(&clock, &rule, rule.lr_table, 0, 1, &err), &err);
    for (int s = 0; s < steps; s++)
        step(&t, &clock, &d, chance);
    looked = malloc(d.n * sizeof *looked);
    for (uint32_t r = 0; r < 500; r++)
        ids[r] = r;
    ca_table_gather(&t, &clock, ids, 500, looked, 9);
    ca_table_settle(&t, &clock, 0, 500);
    CLOSE(distance(&t, d.p), 0, tolerance, what);
    for (size_t r = 0; r < 500; r++) {
        worst = fmax(worst, memcmp(looked + r * 9, t.data + r * t.stride, 9 * sizeof(float)) != 0);
        for (size_t k = 0; k < 9; k++)
            moment = fmax(moment, fabs((double)t.data[r * t.stride + 9 + k] - d.m[r * 9 + k]) / scale_of[r % 3]);
    }
    OK(worst == 0, "looking at a resting row sees the bits that settling gives it");
    CLOSE(moment, 0, 1e-6, "first moments, in units of the gradient");
    free(looked);
    ca_adam_clock_fini(&clock);
    end(&t, &d);
}

static void against_torch(const char *path)
{
    struct ca_err err = {0};
    struct ca_adam rule = ca_adam_default;
    struct ca_adam_clock clock;
    struct ca_table t;
    struct dense d;
    double *want;
    FILE *f = fopen(path, "r");
    size_t got = 0;

    if (!OK(f != NULL, "the golden file opens"))
        return;
    lcg = 2026;
    start(&t, &d, 200, 4);
    must(ca_adam_clock_init(&clock, &rule, 0.1, 0, 1, &err), &err);
    for (int s = 0; s < 400; s++)
        step(&t, &clock, &d, 0.05);
    ca_table_settle(&t, &clock, 0, 200);
    want = calloc(800, sizeof *want);
    (void)fscanf(f, "%*[^\n]"); /* the head line */
    while (got < 800 && fscanf(f, "%lf", &want[got]) == 1)
        got++;
    OK(got == 800, "it holds 200 rows of 4");
    CLOSE(distance(&t, want), 0, TOLERANCE, "400 steps end where PyTorch's dense Adam in double ends");
    {
        double worst = 0;
        for (size_t i = 0; i < 800; i++)
            worst = fmax(worst, fabs(d.p[i] - want[i]));
        CLOSE(worst, 0, 1e-9, "and the dense loop of this test is PyTorch's Adam");
    }
    free(want);
    (void)fclose(f);
    ca_adam_clock_fini(&clock);
    end(&t, &d);
}

/* One rest, of every length, from every stage: in one go and step by step. */
static void rests(void)
{
    struct ca_err err = {0};
    struct ca_adam_clock clock;
    double worst = 0, far = 0;

    must(ca_adam_clock_init(&clock, &ca_adam_default, 0.1, 0, 1, &err), &err);
    while (clock.now < 700) {
        must(ca_adam_clock_tick(&clock, &err), &err);
        for (uint64_t from = 1; from < clock.now; from += 7) {
            float p[6] = {0}, m[6] = {1e-5f, -1e-5f, 1e-7f, 1, -1e-9f, 0}, v[6] = {1e-12f, 1e-9f, 1e-15f, 1e-3f, 1e-17f, 0};
            float p2[6] = {0}, m2[6], v2[6];

            memcpy(m2, m, sizeof m);
            memcpy(v2, v, sizeof v);
            ca_adam_rest(&clock, from, 6, p, m, v);
            ca_adam_rest_exact(&clock, from, 6, p2, m2, v2);
            for (int k = 0; k < 6; k++) {
                worst = fmax(worst, fabs((double)p[k] - (double)p2[k]) / (1e-3 + fabs((double)p2[k])));
                far = fmax(far, fabs((double)p2[k]));
            }
        }
    }
    CLOSE(worst, 0, 1e-5, "a rest in one go is a rest step by step");
    OK(far > 1, "and such rests go far");
    ca_adam_clock_fini(&clock);
}

/* New rates from some step on: what rests first moves by the old ones. */
static void restart(void)
{
    struct ca_err err = {0};
    struct ca_adam_clock clock;
    struct ca_table t;
    struct dense d;

    lcg = 11;
    start(&t, &d, 300, 4);
    must(ca_adam_clock_init(&clock, &ca_adam_default, 0.1, 0, 1, &err), &err);
    for (int s = 0; s < 600; s++) {
        if (s == 150 || s == 300) {
            ca_table_settle(&t, &clock, 0, 300);
            ca_adam_clock_restart(&clock, &ca_adam_default, s == 150 ? 0.01 : 0.05, clock.now);
        }
        step(&t, &clock, &d, 0.02);
    }
    ca_table_settle(&t, &clock, 0, 300);
    CLOSE(distance(&t, d.p), 0, TOLERANCE, "a change of rate on the way");
    ca_adam_clock_fini(&clock);
    end(&t, &d);
}

int main(int argc, char **argv)
{
    struct ca_adam rule = ca_adam_default;

    against_dense(rule, 400, 0.02, TOLERANCE, "400 steps, a gradient in one of 50");
    against_dense(rule, 1000, 0.004, TOLERANCE, "1000 steps, a gradient in one of 250");
    against_dense(rule, 60, 0.5, TOLERANCE, "60 steps, a gradient in every other");
    rule.beta1 = 0.5;
    against_dense(rule, 400, 0.02, TOLERANCE, "beta1 0.5");
    rule.beta1 = 0;
    against_dense(rule, 400, 0.02, TOLERANCE, "no momentum at all");
    rule.beta1 = 0.95;
    rule.beta2 = 0.99;
    against_dense(rule, 400, 0.02, TOLERANCE, "beta1 0.95, beta2 0.99");
    rests();
    restart();
    against_torch(argc > 1 ? argv[1] : "test/golden/adam.tsv");
    return tap_done();
}
