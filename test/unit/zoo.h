/*
 * The architectures in the form of FuxiCTR against PyTorch: logits, gradients
 * and twenty losses of tiny models that test/oracle/zoo.py wrote to
 * test/golden/zoo.tsv. Compiled against the library (test_zoo.c) and against
 * its double twin (grad_zoo.c).
 */
#ifndef CA_TEST_ZOO_H
#define CA_TEST_ZOO_H

#include "golden.h"

#ifdef CA_DOUBLE
#define TOL_SUMMARY 1e-8
#define TOL_ZOO_LOSS 1e-8
#define TOL_INFERRED 1e-6
#define TOL_BUFFER 1e-8
#else
#define TOL_SUMMARY 1e-4
#define TOL_ZOO_LOSS 1e-6
#define TOL_INFERRED 1e-4
#define TOL_BUFFER 0.02 /* twenty Adam steps: see zoo_buffers */
#endif

#define SUMMARY 4

static const char *const zoo_archs[] = {
    "lr", "fm:4", "fmfm:4", "fmfm-vector:4", "deepfm-fx:4:8,4", "widedeep:4:8,4", "dcn-fx:4:8,4", "crossnetv2:4",
    "dcnv2:4:8,4", "dcnv2-stacked:4:8,4", "dcnv2-both:4:8,4", "afm-fx:4", "nfm-fx:4:8,4", "fibinet-fx:4:8,4",
    "fibinet-each:4:8,4", "fibinet-all:4:8,4", "cin:4", "xdeepfm-fx:4:8,4", "pnn:4:8,4", "finalmlp:4:8,4:heads=2",
    "masknet:4:8,4:norm=1,block=8", "masknet-serial:4:8,4:norm=1", "final:4:8,4", "ecn:4", "lcn:4", "edcn:4",
    "dlrm:4:8,4", "fcn:4", "autoint-fx:4", "autoint-fx:4:heads=3,attention=6,scale=1,norm=1",
    "autoint-fx:4:heads=2,attention=4,scale=1,residual=0", "autoint-plus:4:8,4", "eulernet:4:orders=7",
    "eulernet:4:layers=1,orders=3,norm=0", "rfm:4:8,4",
    "rfm:4:8,4:layers=2,heads=3,attention=6,residual=0,group=2", "dagfm:4", "dagfm-outer:4", "twotower:4:8,4:item=3",
    "mlp-fx:4:8,4", "afn:4:8,4:bn=0", "final-2b:4:8,4",
    /* with what makes training differ from inference */
    "mlp-fx:4:8,4:bn=1", "mlp-fx:4:8,4:bn=2", "mlp-fx:4:8,4:dice=1", "mlp-fx:4:8,4:bn=1,dice=1",
    "deepfm-fx:4:8,4:bn=1", "widedeep:4:8,4:bn=1", "dcn-fx:4:8,4:bn=1", "dcnv2:4:8,4:bn=1",
    "dcnv2-stacked:4:8,4:bn=2", "dcnv2-both:4:8,4:bn=1", "nfm-fx:4:8,4:bn=1", "fibinet-fx:4:8,4:bn=1",
    "fibinet-each:4:8,4:dice=1", "fibinet-all:4:8,4:bn=2", "xdeepfm-fx:4:8,4:bn=1", "pnn:4:8,4:bn=1",
    "finalmlp:4:8,4:heads=2,bn=1", "final:4:8,4:bn=1", "final-2b:4:8,4:bn=1", "ecn:4:bn=1", "lcn:4:bn=1",
    "fcn:4:bn=1", "edcn:4:bn=1", "dlrm:4:8,4:bn=1", "autoint-plus:4:8,4:bn=1", "twotower:4:8,4:item=3,bn=1",
    "afn:4:8,4", "afn-plus:4:8,4", "afn-plus:4:8,4:neurons=7,shared=1,bn=0",
    "cl4ctr:4:mask=0,encoder-dropout=0",
    "cl4ctr:4:layers=1,feedforward=6,alpha=0.5,beta=2,mask=0,encoder-dropout=0",
    "cl4ctr-deepfm:4:8,4:mask=0,encoder-dropout=0,bn=1",
};

/* That drop at random: inference, and the names that the modules get. */
static const char *const zoo_dropping[] = {
    "mlp-fx:4:8,4:dropout=0.3", "mlp-fx:4:8,4:bn=1,dropout=0.3", "mlp-fx:4:8,4:bn=2,dropout=0.3,dice=1",
    "afm-fx:4:dropout=0.2,dropout2=0.1", "finalmlp:4:8,4:heads=2,dropout=0.2,dropout2=0.1",
    "finalmlp:4:8,4:heads=2,bn=1,dropout2=0.1", "masknet:4:8,4:norm=1,block=8,dropout=0.3",
    "masknet-serial:4:8,4:norm=1,dropout=0.3", "final:4:8,4:bn=1,dropout=0.1",
    "final-2b:4:8,4:bn=1,dropout=0.1,dropout2=0.2", "ecn:4:bn=1,dropout=0.1", "fcn:4:dropout=0.1,dropout2=0.2",
    "edcn:4:bn=1,dropout=0.1", "dlrm:4:8,4:bn=1,dropout=0.2,bottom-dropout=0.1",
    "dlrm:4:8,4:bottom-dropout=0.1", "twotower:4:8,4:item=3,bn=1,dropout=0.2",
    "afn-plus:4:8,4:dropout=0.1,dnn-dropout=0.2", "cl4ctr:4", "cl4ctr-deepfm:4:8,4:bn=1,dropout=0.2",
};

static int64_t centred(uint64_t lane, uint64_t i)
{
    return draw(lane, i) - (1 << 23);
}

/* The oracle's draws: a quarter the size of those of models.py, and padding is 0. Buffers stay as they start. */
static void zoo_weights(struct ca_model *m)
{
    size_t order[128], n = ca_model_n_learned(m);

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    sorted_model = m;
    qsort(order, n, sizeof *order, by_name);
    for (size_t k = 0; k < n; k++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, order[k]);
        const char *dot = strrchr(t.name, '.');
        /* and radii: an angle jumps where the real part is negative and the imaginary one small */
        int gain = (t.n_dims == 1 && dot && !strcmp(dot, ".weight")) || !strcmp(t.name, "mu");

        for (size_t r = 0; r < t.rows; r++)
            for (size_t c = 0; c < t.row_len; c++)
                ca_model_tensor_row(m, &t, r, CA_STATE_WEIGHT)[c] =
                    t.is_table && !r ? 0 : (ca_real)((double)centred(100 + k, r * t.row_len + c) / (1 << 26) + gain);
    }
}

/* On columns c0, c1, ..., as the oracle names them. */
static struct ca_model *zoo_fresh(const char *arch, struct ca_pool *pool)
{
    struct ca_head h = {0};
    struct ca_arch_spec spec;
    struct ca_model *m = NULL;
    struct ca_err err = {0};
    char name[16], text[800];
    int rc = 0;

    for (int i = 0; i < NUMERIC + FIELDS && !rc; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        rc = ca_schema_add(&h.schema, name, i < NUMERIC ? CA_ROLE_NUMERIC : CA_ROLE_CATEGORICAL,
                           i < NUMERIC ? CA_TYPE_F32 : CA_TYPE_U32, 0, i < NUMERIC ? 0 : vocab[i - NUMERIC], NULL);
    }
    if (rc || ca_arch_parse(arch, &spec, &err) || ca_model_new(&m, &spec, &h, NULL, 1, pool, &err)) {
        (void)printf("Bail out! %s\n", ca_err_format(&err, text, sizeof text));
        exit(70);
    }
    ca_head_fini(&h);
    return m;
}

static struct ca_model *zoo_make(const char *arch, struct ca_pool *pool)
{
    struct ca_model *m = zoo_fresh(arch, pool);

    zoo_weights(m);
    return m;
}

/* The oracle's numbers of a gradient: its product with draws, its norm, its first and middle element. */
static void summary(struct ca_model *m, const struct ca_model_tensor *t, double out[SUMMARY])
{
    size_t n = t->rows * t->row_len;
    double product = 0, square = 0;

    out[2] = out[3] = 0;
    for (size_t i = 0; i < n; i++) {
        size_t r = i / t->row_len, c = i % t->row_len;
        struct ca_model_tensor one = *t;
        const ca_real *row = t->is_table ? ca_net_table_gradient(m->net, t->index, r)
                                         : ca_model_tensor_row(m, &one, r, CA_STATE_GRADIENT);
        double g = row ? (double)row[c] : 0;

        product += g * (double)centred(300, i) / (1 << 24);
        square += g * g;
        if (!i)
            out[2] = g;
        if (i == n / 2)
            out[3] = g;
    }
    out[0] = product;
    out[1] = sqrt(square);
}

/* What this precision is allowed: more where PyTorch in single precision is off by much itself. */
static double zoo_tolerance(const char *arch, size_t which, double least)
{
    double spread[4] = {0};

    (void)golden(arch, "spread", "", spread, 4);
    return fmax(least, SPREAD_ONE * spread[which]);
}

static void zoo_first_batch(const char *arch, struct ca_pool *pool)
{
    struct ca_model *m = zoo_make(arch, pool);
    float logit[BATCH];
    double worst = 0, got[SUMMARY];
    char label[200];

    (void)batch(m, 0, &ca_loss_bce, logit);
    (void)snprintf(label, sizeof label, "%s: logits", arch);
    if (OK(golden(arch, "logit", "", want, BATCH) == BATCH, label)) {
        for (size_t i = 0; i < BATCH; i++)
            worst = fmax(worst, fabs((double)logit[i] - want[i]) / fmax(fabs(want[i]), 0.01));
        CLOSE(worst, 0, zoo_tolerance(arch, 0, TOL_LOGIT), label);
    }
    for (size_t i = 0; i < ca_model_n_learned(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);

        (void)snprintf(label, sizeof label, "%s: gradient of %s", arch, t.name);
        if (!OK(golden(arch, "gradient", t.name, want, SUMMARY + 1) == SUMMARY, label))
            continue;
        summary(m, &t, got);
        worst = 0;
        for (size_t k = 0; k < SUMMARY; k++)
            worst = fmax(worst, fabs(got[k] - want[k]) / fmax(want[1], 1e-6));
        CLOSE(worst, 0, zoo_tolerance(arch, 1, TOL_SUMMARY), label);
    }
    ca_model_free(m);
}

/* The logits of inference on the first batch. */
static void zoo_inferred(struct ca_model *m, const char *arch)
{
    const uint32_t *ids[FIELDS];
    const float *x[NUMERIC];
    struct ca_feed feed = {BATCH, ids, x};
    float logit[BATCH];
    double worst = 0;
    char label[200];

    for (size_t f = 0; f < FIELDS; f++)
        ids[f] = data.id[f];
    for (size_t i = 0; i < NUMERIC; i++)
        x[i] = data.x[i];
    if (ca_net_forward(m->net, &feed, logit, NULL))
        abort();
    (void)snprintf(label, sizeof label, "%s: logits of inference", arch);
    if (!OK(golden(arch, "inferred", "", want, BATCH) == BATCH, label))
        return;
    for (size_t i = 0; i < BATCH; i++)
        worst = fmax(worst, fabs((double)logit[i] - want[i]) / fmax(fabs(want[i]), 0.01));
    CLOSE(worst, 0, zoo_tolerance(arch, 3, TOL_INFERRED), label);
}

/* Running statistics. In single precision a bias that a batch norm takes off again moves by rounding errors alone. */
static void zoo_buffers(struct ca_model *m, const char *arch)
{
    for (size_t i = ca_model_n_learned(m); i < ca_model_n_tensors(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        double worst = 0;
        char label[200];

        (void)snprintf(label, sizeof label, "%s: %s", arch, t.name);
        if (!OK(golden(arch, "buffer", t.name, want, sizeof want / sizeof *want) == t.rows * t.row_len, label))
            continue;
        for (size_t k = 0; k < t.rows * t.row_len; k++)
            worst = fmax(worst, fabs((double)ca_model_tensor_row(m, &t, k / t.row_len, CA_STATE_WEIGHT)[k % t.row_len] -
                                     want[k]));
        CLOSE(worst, 0, TOL_BUFFER, label);
    }
}

static void zoo_training(const char *arch, struct ca_pool *pool)
{
    struct ca_model *m = zoo_make(arch, pool);
    struct ca_adam adam = ca_adam_default;
    double worst = 0;
    char label[200];

    adam.lr_table = 0.01;
    ca_net_set_adam(m->net, &adam);
    ca_net_set_regular(m->net, &(struct ca_regular){0}); /* the oracle does not clip */
    (void)snprintf(label, sizeof label, "%s: twenty losses", arch);
    OK(golden(arch, "losses", "bce", want, STEPS) == STEPS, label);
    for (size_t k = 0; k < STEPS; k++) {
        double got = batch(m, k, &ca_loss_bce, NULL);
        worst = fmax(worst, fabs(got - want[k]) / want[k]);
        if (ca_net_step(m->net, CA_STEP_ALL, NULL))
            abort();
    }
    CLOSE(worst, 0, zoo_tolerance(arch, 2, TOL_ZOO_LOSS), label);
    if (golden(arch, "inferred", "", want, BATCH)) {
        zoo_inferred(m, arch);
        zoo_buffers(m, arch);
    }
    ca_model_free(m);
}

/* Models that drop at random, before any training; every parameter has the name and the size that PyTorch gives it. */
static void zoo_drops(const char *arch, struct ca_pool *pool)
{
    struct ca_model *m = zoo_make(arch, pool);
    char label[200];

    zoo_inferred(m, arch);
    for (size_t i = 0; i < ca_model_n_learned(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);

        (void)snprintf(label, sizeof label, "%s: %s", arch, t.name);
        OK(golden(arch, "parameter", t.name, want, 1) == 1 && want[0] == (double)(t.rows * t.row_len), label);
    }
    ca_model_free(m);
}

/* All of the data as one batch, which is several chunks: three steps. */
static inline void zoo_wide_batch(struct ca_model *m)
{
    const uint32_t *ids[FIELDS];
    const float *x[NUMERIC];
    struct ca_feed feed = {ROWS, ids, x};
    struct ca_target target = {.label = data.y, .teacher = data.t};
    double sum;

    for (size_t f = 0; f < FIELDS; f++)
        ids[f] = data.id[f];
    for (size_t i = 0; i < NUMERIC; i++)
        x[i] = data.x[i];
    for (int k = 0; k < 3; k++)
        if (ca_net_gradient(m->net, &feed, &ca_loss_bce, &target, &sum, NULL, NULL) ||
            ca_net_step(m->net, CA_STEP_ALL, NULL))
            abort();
}

static int run_zoo(void)
{
    struct ca_pool *pool = ca_pool_new(2, NULL);

    golden_file = "test/golden/zoo.tsv";
    make_data();
    for (size_t a = 0; a < sizeof zoo_archs / sizeof *zoo_archs; a++) {
        zoo_first_batch(zoo_archs[a], pool);
        zoo_training(zoo_archs[a], pool);
    }
    for (size_t a = 0; a < sizeof zoo_dropping / sizeof *zoo_dropping; a++)
        zoo_drops(zoo_dropping[a], pool);
    ca_pool_free(pool);
    return tap_done();
}

#endif
