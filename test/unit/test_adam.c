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
    double rate = lr / (1 - pow(a->beta1, t)), root = sqrt(1 - pow(a->beta2, t));

    for (size_t i = 0; i < d->n; i++) {
        d->m[i] = a->beta1 * d->m[i] + (1 - a->beta1) * d->g[i];
        d->v[i] = a->beta2 * d->v[i] + (1 - a->beta2) * d->g[i] * d->g[i];
        d->p[i] -= rate * d->m[i] / (sqrt(d->v[i]) / root + a->eps);
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
    ca_table_touch(t, clock, ids, 0, n);
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

/*
 * Touches are told by stamps that grow: a table near the last of them begins anew, and walks the same path to the bit.
 * Every third step there are touches that are forgotten without a step.
 */
static void stamps(void)
{
    enum { ROWS = 100, WIDTH = 8, STEPS = 60 };
    struct ca_err err = {0};
    struct ca_adam_clock clock[2];
    struct ca_table t[2];
    struct dense d[2];
    uint32_t all[ROWS];
    size_t begun = 0, right = 0;

    for (uint32_t r = 0; r < ROWS; r++)
        all[r] = ROWS - 1 - r;
    for (int i = 0; i < 2; i++) {
        lcg = 5;
        must(ca_adam_clock_init(&clock[i], &ca_adam_default, 0.1, 0, 1, &err), &err);
        start(&t[i], &d[i], ROWS, WIDTH);
        t[i].base = i ? UINT32_MAX - 3 * ROWS : t[i].base;
        for (int s = 0; s < STEPS; s++) {
            uint32_t base = t[i].base;

            if (s % 3 == 2) {
                must(ca_table_reserve(&t[i], ROWS, &err), &err);
                ca_table_touch(&t[i], &clock[i], all, 0, ROWS / 2);
                right += ca_table_gradient(&t[i], all[0]) != NULL && ca_table_gradient(&t[i], all[ROWS / 2]) == NULL;
                ca_table_forget(&t[i], &clock[i]);
                right += ca_table_gradient(&t[i], all[0]) == NULL;
            }
            step(&t[i], &clock[i], &d[i], 0.1);
            begun += t[i].base < base;
        }
        ca_table_settle(&t[i], &clock[i], 0, ROWS);
        CLOSE(distance(&t[i], d[i].p), 0, TOLERANCE, "forgotten touches leave the path of a dense Adam as it is");
        ca_adam_clock_fini(&clock[i]);
    }
    OK(right == 4 * (STEPS / 3), "what is touched has a gradient, what is forgotten has none");
    OK(begun == 1, "stamps began anew once");
    OK(!memcmp(t[0].data, t[1].data, ROWS * t[0].stride * sizeof(float)), "and nothing else tells the two tables apart");
    for (int i = 0; i < 2; i++)
        end(&t[i], &d[i]);
}

/*
 * Rows first touched early, late or never, gradients of 1e-8 to 100, rests of 1 to thousands of steps, steps gathered
 * over several batches in which rows repeat, and twice a save and load (settled, then every row standing at step t).
 * The judge in double is also the judge of a dense loop in float, which is what PyTorch runs: we stay as close.
 */
static void any_regime(int steps, uint64_t seed)
{
    enum { ROWS = 300, WIDTH = 4 };
    struct ca_adam rule = ca_adam_default;
    struct ca_err err = {0};
    struct ca_adam_clock clock;
    struct ca_table t;
    struct dense d;
    static float fp[ROWS * WIDTH], fm[ROWS * WIDTH], fv[ROWS * WIDTH], g[ROWS * WIDTH * 2];
    static uint32_t ids[ROWS * 2];
    int due[ROWS];
    double scale[ROWS], rest[ROWS], ours, floats = 0;
    size_t moved = 0;

    lcg = seed;
    start(&t, &d, ROWS, WIDTH);
    must(ca_adam_clock_init(&clock, &rule, 0.1, 0, 1, &err), &err);
    for (size_t r = 0; r < ROWS; r++) {
        scale[r] = pow(10, -8 * unit());
        rest[r] = pow(10, 3.3 * unit());
        due[r] = (int)(1.1 * unit() * steps) + 1;
    }
    for (size_t i = 0; i < d.n; i++) {
        fp[i] = (float)d.p[i];
        d.p[i] = (double)fp[i];
        fm[i] = fv[i] = 0;
    }
    for (int s = 1; s <= steps; s++) {
        memset(d.g, 0, d.n * sizeof *d.g);
        for (int batch = 0; batch < 1 + s % 3; batch++) {
            size_t n = 0;
            for (uint32_t r = 0; r < ROWS; r++)
                for (int twice = 0; due[r] <= s && twice < 1 + (int)(2 * unit()); twice++) {
                    for (size_t k = 0; k < WIDTH; k++) {
                        double x = scale[r] * (2 * unit() - 1) * (unit() < 0.1 ? 100 : 1);
                        g[n * WIDTH + k] = k == 3 && unit() < 0.5 ? 0 : (float)x;
                        d.g[r * WIDTH + k] += (double)g[n * WIDTH + k];
                    }
                    ids[n++] = r;
                }
            must(ca_table_reserve(&t, n, &err), &err);
            ca_table_touch(&t, &clock, ids, 0, n);
            ca_table_keep(&t, 0, n, g, WIDTH);
            ca_table_accumulate(&t, n);
        }
        for (size_t r = 0; r < ROWS; r++)
            due[r] = due[r] <= s ? s + 1 + (int)(-log(unit() + 1e-9) * rest[r]) : due[r];
        must(ca_adam_clock_tick(&clock, &err), &err);
        ca_table_step(&t, &clock);
        dense_step(&d, &rule, 0.1, s);
        for (size_t i = 0; i < d.n; i++) {
            float x = (float)d.g[i], rate = (float)(0.1 / (1 - pow(0.9, s))), root = (float)sqrt(1 - pow(0.999, s));
            fm[i] = 0.9f * fm[i] + 0.1f * x;
            fv[i] = 0.999f * fv[i] + 0.001f * x * x;
            fp[i] -= rate * fm[i] / (sqrtf(fv[i]) / root + 1e-8f);
        }
        if (s == steps / 3 || s == steps / 2) {
            ca_table_settle(&t, &clock, 0, ROWS);
            for (size_t r = 0; r < ROWS; r++)
                t.mark[r].last = (uint32_t)s;
            ca_adam_clock_restart(&clock, &rule, 0.1, (uint64_t)s);
        }
    }
    ca_table_settle(&t, &clock, 0, ROWS);
    ours = distance(&t, d.p);
    for (size_t i = 0; i < d.n; i++)
        floats = fmax(floats, fabs((double)fp[i] - d.p[i]));
    CLOSE(ours, 0, 1.5 * floats, "steps of every kind, as far from the dense Adam in double as it is in float");
    for (size_t i = 0; i < d.n; i++)
        moved += fv[i] < 1e-40f && fm[i] == 0 && memcmp(&t.data[i / WIDTH * t.stride + i % WIDTH], &fp[i], sizeof *fp);
    OK(!moved, "and what never had a gradient has not moved");
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
    rule.beta1 = 0.9;
    rule.beta2 = 0.9;
    against_dense(rule, 400, 0.02, TOLERANCE, "beta2 0.9: a resting row speeds up until eps holds it");
    rule.beta1 = 0.3;
    rule.beta2 = 0.3;
    against_dense(rule, 400, 0.02, TOLERANCE, "beta1 0.3, beta2 0.3");
    rule.beta1 = 0.99;
    rule.beta2 = 0.999;
    against_dense(rule, 2500, 0.0005, TOLERANCE, "beta1 0.99: momentum lasts for 2700 steps");
    any_regime(300, 3);
    any_regime(3000, 5);
    rests();
    restart();
    stamps();
    against_torch(argc > 1 ? argv[1] : "test/golden/adam.tsv");
    return tap_done();
}
