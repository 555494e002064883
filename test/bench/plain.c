/*
 * The engine against plain twins of the same work in the same process, in
 * turns: a training step of a small perceptron, a text scan, an area under
 * the curve. What is printed are ratios of processor time, which hardly
 * depend on the machine; test/bench.bats asserts that none falls by half.
 * Usage: plain ROUNDS
 *     case, ratio (plain / ours, the best of each)
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "data/scan.h"
#include "metric/auc.h"
#include "nn/ops.h"
#include "sample.h"
#include "unit/netkit.h"

#define BATCH 2048
#define LN_EPS 1e-5

static double best(double a, double b)
{
    return a > 0 && a < b ? a : b;
}

/* ---- a step of the perceptron: embeddings, [Linear, LayerNorm, ReLU]*, Linear, cross entropy, dense Adam ------ */

#define LAYERS 3
#define MOST 256
static const uint32_t field_rows[8] = {2000, 50, 9000, 300, 12, 4000, 7, 3000};
static const struct kit_shape shape = {
    .numeric = 4, .fields = 8, .width = 8, .rows = field_rows, .hidden = {64, 32, 4}, .n_hidden = LAYERS};

struct layer {
    size_t in, out;
    float *w, *b, *gain, *shift;     /* [out][in], [out] */
    float *dw, *db, *dgain, *dshift;
};

struct twin {
    struct layer layer[LAYERS];
    float last[MOST], dlast[MOST];
    float *all, *grad, *m, *v;       /* every parameter above and every table, in one row */
    float *table[8], *dtable[8];
    size_t n;
};

static void twin_new(struct twin *t)
{
    size_t n = 0, in = shape.numeric + shape.fields * shape.width;
    float *at;

    for (size_t f = 0; f < shape.fields; f++)
        n += field_rows[f] * shape.width;
    for (size_t l = 0; l < LAYERS; in = shape.hidden[l++])
        n += (in + 3) * shape.hidden[l];
    t->n = n;
    t->all = large(4 * n, sizeof *t->all);
    t->grad = t->all + n;
    t->m = t->grad + n;
    t->v = t->m + n;
    for (size_t i = 0; i < n; i++)
        t->all[i] = (float)((double)(i * 7919 % 1000) / 5000 - 0.1);
    at = t->all;
    for (size_t f = 0; f < shape.fields; f++, at += field_rows[f - 1] * shape.width) {
        t->table[f] = at;
        t->dtable[f] = at + n;
    }
    in = shape.numeric + shape.fields * shape.width;
    for (size_t l = 0; l < LAYERS; l++) {
        struct layer *y = &t->layer[l];
        y->in = in;
        y->out = shape.hidden[l];
        y->w = at;
        y->b = at + y->in * y->out;
        y->gain = y->b + y->out;
        y->shift = y->gain + y->out;
        y->dw = y->w + n;
        y->db = y->b + n;
        y->dgain = y->gain + n;
        y->dshift = y->shift + n;
        at = y->shift + y->out;
        in = y->out;
    }
    for (size_t k = 0; k < in; k++)
        t->last[k] = 0.1f;
}

/* One row forward and backward, as one would first write it. */
static double twin_row(struct twin *t, const struct kit_batch *b, size_t r)
{
    float x[LAYERS + 1][MOST], norm[LAYERS][MOST], rstd[LAYERS], d[MOST], dx[MOST], s = 0, ds;
    size_t at = 0;

    for (size_t i = 0; i < shape.numeric; i++)
        x[0][at++] = b->numeric[i][r];
    for (size_t f = 0; f < shape.fields; f++)
        for (size_t k = 0; k < shape.width; k++)
            x[0][at++] = t->table[f][b->ids[f][r] * shape.width + k];
    for (size_t l = 0; l < LAYERS; l++) {
        const struct layer *y = &t->layer[l];
        float mean = 0, var = 0;
        for (size_t o = 0; o < y->out; o++) {
            float sum = y->b[o];
            for (size_t i = 0; i < y->in; i++)
                sum += y->w[o * y->in + i] * x[l][i];
            norm[l][o] = sum;
            mean += sum / (float)y->out;
        }
        for (size_t o = 0; o < y->out; o++)
            var += (norm[l][o] - mean) * (norm[l][o] - mean) / (float)y->out;
        rstd[l] = 1 / sqrtf(var + (float)LN_EPS);
        for (size_t o = 0; o < y->out; o++) {
            norm[l][o] = (norm[l][o] - mean) * rstd[l];
            x[l + 1][o] = fmaxf(0, norm[l][o] * y->gain[o] + y->shift[o]);
        }
    }
    for (size_t k = 0; k < shape.hidden[LAYERS - 1]; k++)
        s += t->last[k] * x[LAYERS][k];
    ds = (1 / (1 + expf(-s)) - b->label[r]) / BATCH;
    for (size_t k = 0; k < shape.hidden[LAYERS - 1]; k++) {
        t->dlast[k] += ds * x[LAYERS][k];
        d[k] = ds * t->last[k];
    }
    for (size_t l = LAYERS; l-- > 0;) {
        const struct layer *y = &t->layer[l];
        float sum = 0, dot = 0;
        for (size_t o = 0; o < y->out; o++) {
            float g = x[l + 1][o] > 0 ? d[o] : 0;
            y->dgain[o] += g * norm[l][o];
            y->dshift[o] += g;
            d[o] = g * y->gain[o];
            sum += d[o] / (float)y->out;
            dot += d[o] * norm[l][o] / (float)y->out;
        }
        memset(dx, 0, sizeof dx);
        for (size_t o = 0; o < y->out; o++) {
            float g = (d[o] - sum - norm[l][o] * dot) * rstd[l];
            y->db[o] += g;
            for (size_t i = 0; i < y->in; i++) {
                y->dw[o * y->in + i] += g * x[l][i];
                dx[i] += g * y->w[o * y->in + i];
            }
        }
        memcpy(d, dx, sizeof d);
    }
    for (size_t f = 0; f < shape.fields; f++)
        for (size_t k = 0; k < shape.width; k++)
            t->dtable[f][b->ids[f][r] * shape.width + k] += d[shape.numeric + f * shape.width + k];
    return (double)(fmaxf(s, 0) - s * b->label[r] + log1pf(expf(-fabsf(s))));
}

static double twin_step(struct twin *t, const struct kit_batch *b, size_t step)
{
    double loss = 0, c1 = 1 - pow(0.9, (double)step), c2 = 1 - pow(0.999, (double)step);

    for (size_t r = 0; r < BATCH; r++)
        loss += twin_row(t, b, r);
    for (size_t i = 0; i < t->n; i++) {
        t->m[i] = 0.9f * t->m[i] + 0.1f * t->grad[i];
        t->v[i] = 0.999f * t->v[i] + 0.001f * t->grad[i] * t->grad[i];
        t->all[i] -= 0.01f * (t->m[i] / (float)c1) / (sqrtf(t->v[i] / (float)c2) + 1e-8f);
        t->grad[i] = 0;
    }
    memset(t->dlast, 0, sizeof t->dlast);
    return loss / BATCH;
}

static void train(int rounds)
{
    static struct twin t;
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(1, &err);
    struct ca_net *n;
    double ours = 0, plain = 0, sum;

    must(!pool, &err);
    n = kit_net(kit_mlp, &shape, pool, 1, 0);
    twin_new(&t);
    for (int i = 0; i < 4 * rounds; i++) {
        struct kit_batch b = kit_batch(&shape, BATCH, (uint64_t)i, 0);
        struct span s = {0};

        span_begin(&s);
        must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
        must(ca_net_step(n, CA_STEP_ALL, &err), &err);
        span_end(&s);
        ours = best(ours, s.cpu);
        if (i < rounds) {
            s = (struct span){0};
            span_begin(&s);
            sum = twin_step(&t, &b, (size_t)i + 1);
            span_end(&s);
            plain = best(plain, s.cpu);
        }
        if (!isfinite(sum)) {
            (void)fprintf(stderr, "bench: the loss is not finite\n");
            exit(70);
        }
        kit_batch_free(&b, &shape);
    }
    (void)printf("train\t%.3f\n", plain / ours);
    ca_net_free(n);
    ca_pool_free(pool);
}

/* ---- fields of a text ------------------------------------------------------------------------------------------ */

static void scan(int rounds, const char *path)
{
    double ours = 0, plain = 0;

    for (int i = 0; i < rounds; i++) {
        struct ca_scan_rule rule = {'\t', 0, 0};
        char *paths[1] = {(char *)(uintptr_t)path}, *line = NULL;
        struct ca_err err = {0};
        struct ca_scan_batch b;
        struct ca_source *source;
        struct ca_scan *t;
        struct span s = {0};
        size_t cap = 0, fields[2] = {0};
        FILE *f;
        int rc;

        span_begin(&s);
        must(ca_source_open(&source, paths, 1, 0, &err), &err);
        must(ca_scan_open(&t, source, &rule, &err), &err);
        while ((rc = ca_scan_next(t, 128, &b, &err)) > 0)
            fields[0] += b.row[b.rows - 1].first + b.row[b.rows - 1].n;
        must(rc, &err);
        ca_scan_close(t);
        span_end(&s);
        ours = best(ours, s.cpu);

        s = (struct span){0};
        span_begin(&s);
        f = fopen(path, "r");
        while (f && getline(&line, &cap, f) > 0) {
            char *rest = line;
            while (strsep(&rest, "\t"))
                fields[1]++;
        }
        span_end(&s);
        plain = best(plain, s.cpu);
        if (f)
            (void)fclose(f);
        free(line);
        if (fields[0] != fields[1] || !fields[0]) {
            (void)fprintf(stderr, "bench: %zu fields against %zu\n", fields[0], fields[1]);
            exit(70);
        }
    }
    (void)printf("scan\t%.3f\n", plain / ours);
}

/* ---- area under the curve ---------------------------------------------------------------------------------------- */

#define PAIRS 200000

struct pair {
    float score, label;
};

static int by_score(const void *x, const void *y)
{
    const struct pair *a = x, *b = y;

    return (a->score > b->score) - (a->score < b->score);
}

static int keep(void *arg, const struct ca_auc_area *area)
{
    *(double *)arg = area->auc;
    return 0;
}

static void auc(int rounds)
{
    struct pair *p = large(PAIRS, sizeof *p), *q = large(PAIRS, sizeof *q);
    struct ca_rng rng = ca_rng_make(1, "bench auc");
    double ours = 0, plain = 0, got[2];

    for (size_t i = 0; i < PAIRS; i++) {
        p[i].label = ca_rng_unit(&rng, 2 * i) < 0.3;
        p[i].score = (float)(ca_rng_normal(&rng, 2 * i + 1) + (double)p[i].label);
    }
    for (int i = 0; i < rounds; i++) {
        struct ca_auc a = {0};
        struct ca_err err = {0};
        struct span s = {0};
        double ranks = 0, ones = 0;

        span_begin(&s);
        for (size_t k = 0; k < PAIRS; k++)
            must(ca_auc_add(&a, 0, p[k].score, p[k].label, 1, &err), &err);
        must(ca_auc_walk(&a, keep, &got[0], &err), &err);
        ca_auc_fini(&a);
        span_end(&s);
        ours = best(ours, s.cpu);

        s = (struct span){0};
        span_begin(&s);
        memcpy(q, p, PAIRS * sizeof *q);
        qsort(q, PAIRS, sizeof *q, by_score);
        for (size_t k = 0, m; k < PAIRS; k = m) {
            for (m = k; m < PAIRS && q[m].score == q[k].score; m++)
                ones += (double)q[m].label;
            for (size_t j = k; j < m; j++)
                ranks += (double)q[j].label * ((double)(k + m) + 1) / 2;
        }
        got[1] = (ranks - ones * (ones + 1) / 2) / (ones * (PAIRS - ones));
        span_end(&s);
        plain = best(plain, s.cpu);
        if (fabs(got[0] - got[1]) > 1e-9) {
            (void)fprintf(stderr, "bench: area %.17g against %.17g\n", got[0], got[1]);
            exit(70);
        }
    }
    (void)printf("auc\t%.3f\n", plain / ours);
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;

    if (rounds < 1) {
        (void)fprintf(stderr, "usage: plain ROUNDS TEXT\n");
        return 2;
    }
    train(rounds);
    scan(rounds, argv[2]);
    auc(rounds);
    return 0;
}
