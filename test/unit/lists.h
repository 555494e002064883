/*
 * Models that read lists, further tasks and domains against PyTorch: logits in
 * training and in inference, gradients and twenty losses that
 * test/oracle/lists.py wrote to test/golden/lists.tsv. Compiled against the
 * library (test_lists.c) and against its double twin (grad_lists.c).
 */
#ifndef CA_TEST_LISTS_H
#define CA_TEST_LISTS_H

#include "golden.h"

#ifdef CA_DOUBLE
#define TOL_SUMMARY 1e-8
#define TOL_LISTS_LOSS 1e-8
#define TOL_INFERENCE 1e-7 /* outputs leave the library as floats */
#else
#define TOL_SUMMARY 1e-3 /* batch norm cancels most of some gradients; the double twin is held to 1e-8 */
#define TOL_LISTS_LOSS 2e-5
#define TOL_INFERENCE 1e-3 /* after twenty steps of Adam, which divides by the root of tiny squares */
#endif

#define LISTS 3
#define PLACES 4
#define TASKS 2
#define DOMAINS 3
#define SUMMARY 4

static const char *const list_archs[] = {
    "deepfm-fx:4:8,4", "multitask:4:8,4:tower=3", "multidomain:4:8,4:tower=3",
    "dmin:4:8,4:heads=2,position=3,attention=6,attention-2=5",
    "dmin:4:8,4:heads=1,refiner=0,position=0,attention=6,attention-2=0",
    "dmin:4:8,4:heads=2,position=3,attention=6,attention-2=5,attention-dice=1,float-mask=1,bn=2",
    "dmin-multitask:4:8,4:heads=2,position=3,attention=6,attention-2=5,tower=3",
    "dmin-multidomain:4:8,4:heads=2,position=3,attention=6,attention-2=5,tower=3",
};

static struct {
    uint32_t item[LISTS][PLACES][ROWS], domain[ROWS];
    float task[TASKS][ROWS];
} more;

static void make_lists(void)
{
    const uint32_t list_vocab[LISTS] = {vocab[1], vocab[2], 5};

    make_data();
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t q = 0; q < LISTS; q++)
            for (size_t p = 0; p < PLACES; p++)
                more.item[q][p][r] = p < (size_t)(draw(60 + q, r) % (PLACES + 1)) ? (uint32_t)(draw(70 + 8 * q + p, r) % list_vocab[q]) : 0;
        more.task[0][r] = draw(94, r) % 3 == 0;
        more.task[1][r] = (float)(draw(95, r) % 2);
        more.domain[r] = (uint32_t)(draw(96, r) % DOMAINS);
    }
}

/* As set_weights, and padding is 0. Buffers stay as they start. */
static void list_weights(struct ca_model *m)
{
    size_t order[128], n = ca_model_n_learned(m);

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    sorted_model = m;
    qsort(order, n, sizeof *order, by_name);
    for (size_t k = 0; k < n; k++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, order[k]);
        const char *dot = strrchr(t.name, '.');
        int gain = t.n_dims == 1 && dot && !strcmp(dot, ".weight");

        for (size_t r = 0; r < t.rows; r++)
            for (size_t c = 0; c < t.row_len; c++)
                ca_model_tensor_row(m, &t, r, CA_STATE_WEIGHT)[c] =
                    t.is_table && !r ? 0 : (ca_real)((double)(draw(100 + k, r * t.row_len + c) - (1 << 23)) / (1 << 24) + gain);
    }
}

static struct ca_model *list_make(const char *arch, struct ca_pool *pool)
{
    const struct ca_model_choices choices = {.sequence_length = PLACES};
    struct ca_head h = {0};
    struct ca_arch_spec spec;
    struct ca_model *m = NULL;
    struct ca_err err = {0};
    char name[16], text[800];
    int rc = 0;

    for (int i = 0; i < NUMERIC + FIELDS && !rc; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        rc = ca_schema_add(&h.schema, name, i < NUMERIC ? CA_ROLE_NUMERIC : CA_ROLE_CATEGORICAL,
                           i < NUMERIC ? CA_TYPE_F32 : CA_TYPE_U32, 0, i < NUMERIC ? 0 : vocab[i - NUMERIC], &err);
    }
    if (rc || ca_schema_add(&h.schema, "l0", CA_ROLE_SEQUENCE, CA_TYPE_U32, 1, vocab[1], &err) ||
        ca_schema_add(&h.schema, "l1", CA_ROLE_SEQUENCE, CA_TYPE_U32, 1, vocab[2], &err) ||
        ca_schema_add(&h.schema, "l2", CA_ROLE_SEQUENCE, CA_TYPE_U32, 1, 5, &err) ||
        ca_schema_like(&h.schema, "l0", "c4", &err) || ca_schema_like(&h.schema, "l1", "c5", &err) ||
        ca_schema_add(&h.schema, "t0", CA_ROLE_TASK, CA_TYPE_F32, 0, 0, &err) ||
        ca_schema_add(&h.schema, "t1", CA_ROLE_TASK, CA_TYPE_F32, 0, 0, &err) ||
        ca_schema_add(&h.schema, "g", CA_ROLE_DOMAIN, CA_TYPE_U32, 0, DOMAINS, &err) || ca_arch_parse(arch, &spec, &err) ||
        ca_model_new(&m, &spec, &h, &choices, 1, pool, &err)) {
        (void)printf("Bail out! %s\n", ca_err_format(&err, text, sizeof text));
        exit(70);
    }
    ca_head_fini(&h);
    list_weights(m);
    return m;
}

/* The feed of rows [from, from + rows); columns that the architecture does not read are left out. */
static struct ca_feed list_feed(const struct ca_model *m, size_t from, size_t rows)
{
    static const uint32_t *ids[FIELDS + LISTS * PLACES + 1];
    static const float *x[NUMERIC];
    size_t n = 0;

    for (size_t f = 0; f < FIELDS; f++)
        ids[n++] = data.id[f] + from;
    for (size_t q = 0; q < LISTS; q++)
        for (size_t p = 0; p < PLACES; p++)
            ids[n++] = more.item[q][p] + from;
    if (m->spec.arch->reads & CA_READS_DOMAIN)
        ids[n++] = more.domain + from;
    for (size_t i = 0; i < NUMERIC; i++)
        x[i] = data.x[i] + from;
    return (struct ca_feed){rows, ids, x};
}

static double list_batch(struct ca_model *m, size_t from, size_t rows, float *logit)
{
    const float *task[TASKS] = {more.task[0] + from, more.task[1] + from};
    struct ca_feed feed = list_feed(m, from, rows);
    struct ca_target target = {.label = data.y + from, .task = task};
    double sum;

    if (ca_net_gradient(m->net, &feed, &ca_loss_bce, &target, &sum, logit, NULL))
        abort();
    return sum / (double)rows;
}

/* The oracle's numbers of a gradient: its product with draws, its norm, its first and middle element. */
static void list_summary(struct ca_model *m, const struct ca_model_tensor *t, double out[SUMMARY])
{
    size_t n = t->rows * t->row_len;
    double product = 0, square = 0;

    out[2] = out[3] = 0;
    for (size_t i = 0; i < n; i++) {
        size_t r = i / t->row_len;
        const ca_real *row = t->is_table ? ca_net_table_gradient(m->net, t->index, r)
                                         : ca_model_tensor_row(m, t, r, CA_STATE_GRADIENT);
        double g = row ? (double)row[i % t->row_len] : 0;

        product += g * (double)(draw(300, i) - (1 << 23)) / (1 << 24);
        square += g * g;
        if (!i)
            out[2] = g;
        if (i == n / 2)
            out[3] = g;
    }
    out[0] = product;
    out[1] = sqrt(square);
}

static void list_values(const char *arch, const char *what, const char *name, const float *got, double tol)
{
    double worst = 0;
    char label[200];

    (void)snprintf(label, sizeof label, "%s: %s %s", arch, what, name);
    if (!OK(golden(arch, what, name, want, BATCH) == BATCH, label))
        return;
    for (size_t i = 0; i < BATCH; i++)
        worst = fmax(worst, fabs((double)got[i] - want[i]) / fmax(fabs(want[i]), 0.1));
    CLOSE(worst, 0, tol, label);
}

static void list_gradients(const char *arch, struct ca_model *m)
{
    for (size_t i = 0; i < ca_model_n_learned(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        double got[SUMMARY], worst = 0;
        char label[200];

        (void)snprintf(label, sizeof label, "%s: gradient of %s", arch, t.name);
        if (!OK(golden(arch, "gradient", t.name, want, SUMMARY + 1) == SUMMARY, label))
            continue;
        list_summary(m, &t, got);
        for (size_t k = 0; k < SUMMARY; k++)
            worst = fmax(worst, fabs(got[k] - want[k]) / fmax(want[1], 1e-5));
        CLOSE(worst, 0, TOL_SUMMARY, label);
    }
}

static void list_arch(const char *arch, struct ca_pool *pool)
{
    struct ca_model *m = list_make(arch, pool);
    struct ca_adam adam = ca_adam_default;
    float logit[BATCH], out[CA_HEADS_MAX][BATCH], *head[CA_HEADS_MAX] = {NULL};
    double loss[STEPS], worst = 0;
    struct ca_feed feed;
    char label[200], number[24];

    adam.lr_table = 0.01;
    ca_net_set_adam(m->net, &adam);
    ca_net_set_regular(m->net, &(struct ca_regular){0});
    for (size_t k = 0; k < STEPS; k++) {
        loss[k] = list_batch(m, k * BATCH, BATCH, logit);
        if (!k) {
            list_values(arch, "logit", "", logit, TOL_LOGIT);
            list_gradients(arch, m);
        }
        if (ca_net_step(m->net, CA_STEP_ALL, NULL))
            abort();
    }
    (void)snprintf(label, sizeof label, "%s: twenty losses", arch);
    if (OK(golden(arch, "losses", "bce", want, STEPS) == STEPS, label))
        for (size_t k = 0; k < STEPS; k++)
            worst = fmax(worst, fabs(loss[k] / want[k] - 1));
    CLOSE(worst, 0, TOL_LISTS_LOSS, label);
    feed = list_feed(m, 0, BATCH);
    for (size_t h = 0; h < ca_graph_heads(ca_net_graph(m->net)); h++)
        head[h] = out[h];
    if (ca_net_forward_heads(m->net, &feed, head, NULL))
        abort();
    for (size_t h = 0; h < ca_graph_heads(ca_net_graph(m->net)); h++) {
        (void)snprintf(number, sizeof number, "%zu", h);
        list_values(arch, "inference", number, out[h], TOL_INFERENCE);
    }
    ca_model_free(m);
}

static int run_lists(void)
{
    struct ca_pool *pool = ca_pool_new(2, NULL);

    golden_file = "test/golden/lists.tsv";
    make_lists();
    for (size_t a = 0; a < sizeof list_archs / sizeof *list_archs; a++)
        list_arch(list_archs[a], pool);
    ca_pool_free(pool);
    return tap_done();
}

#endif
