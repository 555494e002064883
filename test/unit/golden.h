/*
 * Against PyTorch: the logits, gradients and twenty losses of tiny models that
 * test/oracle/models.py wrote to test/golden/models.tsv. Compiled against the
 * library (test_golden.c) and against its double twin (grad_golden.c), where
 * the agreement must be to ten digits.
 */
#ifndef CA_TEST_GOLDEN_H
#define CA_TEST_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/model.h"
#include "transfer/distill.h"
#include "tap.h"

#ifdef CA_DOUBLE
#define TOL_LOGIT 2e-7 /* logits leave the library as floats */
#define TOL_GRADIENT 1e-9
#define TOL_LOSS 1e-8
#define SPREAD 0
#define SPREAD_ONE 0
#define TOL_TRAINED 1e-7 /* of the two-node sum that stands for steps without a gradient */
#else
#define TOL_LOGIT 1e-5
#define TOL_GRADIENT 1e-4
#define TOL_LOSS 1e-6
#define SPREAD 2 /* times what PyTorch in single precision is off by at that step, where that is more */
#define SPREAD_ONE 10 /* the same where the oracle made but one run for it */
#define TOL_TRAINED 1e-3
#endif

#define NUMERIC 3
#define FIELDS 5
#define BATCH 32
#define STEPS 20
#define ROWS (BATCH * STEPS)

static const uint32_t vocab[FIELDS] = {40, 25, 12, 6, 3};

static struct {
    uint32_t id[FIELDS][ROWS];
    float x[NUMERIC][ROWS], y[ROWS], t[ROWS];
} data;

/* splitmix64 of counter i of a lane, the upper 24 bits: as the oracle does. */
static int64_t draw(uint64_t lane, uint64_t i)
{
    uint64_t z = ((lane << 32) + i + 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (int64_t)(z >> 40);
}

static void make_data(void)
{
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t f = 0; f < FIELDS; f++)
            data.id[f][r] = (uint32_t)(draw(f, r) % vocab[f]);
        for (size_t i = 0; i < NUMERIC; i++)
            data.x[i][r] = (float)(draw(20 + i, r) % 64 - 32) / 16;
        data.y[r] = draw(40, r) % 4 == 0;
        data.t[r] = (float)(draw(43, r) % 256 - 128) / 32;
    }
}

static const char *golden_file = "test/golden/models.tsv";
static const struct ca_model *sorted_model;

static int by_name(const void *a, const void *b)
{
    struct ca_model_tensor t = ca_model_get_tensor(sorted_model, *(const size_t *)a);
    struct ca_model_tensor u = ca_model_get_tensor(sorted_model, *(const size_t *)b);
    return strcmp(t.name, u.name);
}

static inline void set_weights(struct ca_model *m)
{
    size_t order[64], n = ca_model_n_tensors(m);

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    sorted_model = m;
    qsort(order, n, sizeof *order, by_name);
    for (size_t k = 0; k < n; k++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, order[k]);
        int gain = t.n_dims == 1 && strstr(t.name, "weight") != NULL;
        for (size_t r = 0; r < t.rows; r++)
            for (size_t c = 0; c < t.row_len; c++)
                ca_model_tensor_row(m, &t, r, CA_STATE_WEIGHT)[c] =
                    (ca_real)((double)(draw(100 + k, r * t.row_len + c) - (1 << 23)) / (1 << 24) + gain);
    }
}

static inline struct ca_model *make(const char *arch, struct ca_pool *pool)
{
    struct ca_head h = {0};
    struct ca_arch_spec spec;
    struct ca_model *m = NULL;
    char name[16], text[32];
    int rc = 0;

    for (int i = 0; i < NUMERIC + FIELDS && !rc; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        rc = ca_schema_add(&h.schema, name, i < NUMERIC ? CA_ROLE_NUMERIC : CA_ROLE_CATEGORICAL,
                           i < NUMERIC ? CA_TYPE_F32 : CA_TYPE_U32, 0, i < NUMERIC ? 0 : vocab[i - NUMERIC], NULL);
    }
    (void)snprintf(text, sizeof text, "%s:4:8,4", arch);
    if (rc || ca_arch_parse(text, &spec, NULL) || ca_model_new(&m, &spec, &h, NULL, 1, pool, NULL))
        abort();
    ca_head_fini(&h);
    set_weights(m);
    return m;
}

/* Forward and backward of the kth batch. */
static inline double batch(struct ca_model *m, size_t k, const struct ca_loss *loss, float *logit)
{
    const uint32_t *ids[FIELDS];
    const float *x[NUMERIC];
    struct ca_feed feed = {BATCH, ids, x};
    struct ca_target target = {.label = data.y + k * BATCH, .teacher = data.t + k * BATCH};
    double sum;

    for (size_t f = 0; f < FIELDS; f++)
        ids[f] = data.id[f] + k * BATCH;
    for (size_t i = 0; i < NUMERIC; i++)
        x[i] = data.x[i] + k * BATCH;
    if (ca_net_gradient(m->net, &feed, loss, &target, &sum, logit, NULL))
        abort();
    return sum / BATCH;
}

/* The oracle's line, its values parsed; returns how many. */
static size_t golden(const char *arch, const char *what, const char *name, double *out, size_t max)
{
    static char line[1 << 16];
    char key[400];
    FILE *f = fopen(golden_file, "r");
    size_t n = 0;

    (void)snprintf(key, sizeof key, "%s\t%s\t%s\t", arch, what, name);
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key))) {
            char *p = line + strlen(key), *end;
            for (double v; n < max && (v = strtod(p, &end), end != p); p = end)
                out[n++] = v;
        }
    if (f)
        (void)fclose(f);
    return n;
}

static double want[4096];

/* The greatest error, relative to the greatest value of the tensor: PyTorch's own zeros are of that kind. */
static inline double error_of(const ca_real *got, const double *w, size_t n, double scale)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, got ? fabs((double)got[i] - w[i]) / scale : fabs(w[i]) / scale);
    return worst;
}

static inline double scale_of(const double *w, size_t n)
{
    double most = 1e-30;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(w[i]));
    return most;
}

/* Compare a state of every tensor with the oracle's lines. */
static inline void check_tensors(struct ca_model *m, const char *arch, const char *what, enum ca_state kind, double tol)
{
    for (size_t i = 0; i < ca_model_n_tensors(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        size_t n = golden(arch, what, t.name, want, sizeof want / sizeof *want);
        double worst = 0, scale = scale_of(want, n);
        char label[160];
        for (size_t r = 0; r < t.rows && n == t.rows * t.row_len; r++) {
            const ca_real *row = t.is_table && kind == CA_STATE_GRADIENT ? ca_net_table_gradient(m->net, t.index, r)
                                                                        : ca_model_tensor_row(m, &t, r, kind);
            worst = fmax(worst, error_of(row, want + r * t.row_len, t.row_len, scale));
        }
        (void)snprintf(label, sizeof label, "%s %s of %s", arch, what, t.name);
        if (OK(n == t.rows * t.row_len, label))
            CLOSE(worst, 0, tol, label);
    }
}

static inline void check_first_batch(const char *arch, struct ca_pool *pool)
{
    struct ca_model *m = make(arch, pool);
    float logit[BATCH];
    size_t n = golden(arch, "logit", "", want, BATCH);
    double worst = 0, scale = scale_of(want, n); /* of a sum that cancels nearly to 0 not all digits can be had */

    (void)batch(m, 0, &ca_loss_bce, logit);
    for (size_t i = 0; i < BATCH && n == BATCH; i++)
        worst = fmax(worst, fabs((double)logit[i] - want[i]) / fmax(fabs(want[i]), scale / 10));
    OK(n == BATCH, "logits are there");
    CLOSE(worst, 0, TOL_LOGIT, arch);
    check_tensors(m, arch, "gradient", CA_STATE_GRADIENT, TOL_GRADIENT);
    ca_model_free(m);
}

static inline void check_training(const char *arch, const char *name, const struct ca_loss *loss, size_t frozen,
                           struct ca_pool *pool)
{
    struct ca_model *m = make(arch, pool);
    double worst = 0, spread[STEPS];
    char label[80];

    OK(golden(arch, "spread", name, spread, STEPS) == STEPS, "spread is there");
    OK(golden(arch, "losses", name, want, STEPS) == STEPS, "losses are there");
    for (size_t k = 0; k < STEPS; k++) {
        double got = batch(m, k, loss, NULL);
        worst = fmax(worst, fabs(got - want[k]) / want[k] / fmax(TOL_LOSS, SPREAD * spread[k]));
        if (ca_net_step(m->net, k < frozen ? CA_STEP_DENSE : CA_STEP_ALL, NULL))
            abort();
    }
    (void)snprintf(label, sizeof label, "twenty losses of %s, %s", arch, name);
    CLOSE(worst, 0, 1, label);
    if (frozen && !ca_net_settle(m->net, NULL))
        check_tensors(m, arch, "trained", CA_STATE_WEIGHT, TOL_TRAINED);
    ca_model_free(m);
}

static inline int run_golden(void)
{
    struct ca_pool *pool = ca_pool_new(2, NULL);
    struct ca_distill d = {CA_DISTILL_PUBLISHED, 0.7, 4, 0.5};
    struct ca_loss loss;

    make_data();
    for (size_t a = 0; ca_archs[a]; a++) {
        const char *arch = ca_archs[a]->name;

        if (ca_archs[a]->family != CA_FAMILY_CA) /* those are in zoo.h */
            continue;
        check_first_batch(arch, pool);
        check_training(arch, "bce", &ca_loss_bce, 0, pool);
        check_training(arch, "frozen", &ca_loss_bce, STEPS / 2, pool);
        for (d.form = CA_DISTILL_PUBLISHED; d.form <= CA_DISTILL_HUBER; d.form++) {
            loss = ca_distill_loss(&d);
            check_training(arch, loss.name, &loss, 0, pool);
        }
    }
    ca_pool_free(pool);
    return tap_done();
}

#endif
