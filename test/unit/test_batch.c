/*
 * What looks at the whole batch, in the build that users have: batch norm
 * against a plain loop, running statistics, the law of dropout, bits.
 */
#include "netkit.h"

#include "nn/objective.h"
#include "nn/ops_batch.h"
#include "nn/ops_cross.h"
#include "tap.h"

#define BATCH_ROWS 300

static const uint32_t rows[] = {50, 9, 4};
static const struct ca_sequence sequences[] = {{.rows = 9, .length = 3, .field = 1}, {.rows = 6, .length = 2, .field = CA_NO_FIELD}};
static const struct kit_shape shape = {.numeric = 3, .fields = 3, .width = 4, .rows = rows, .sequence = sequences,
                                       .n_sequences = 2, .domains = 3, .tasks = 1};

/* The logit is a sum of numeric features, normed: nothing else is in the way. */
static ca_val normed(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return ca_op_linear(g, ca_op_batch_norm(g, ca_graph_numeric(g), "bn", 0, &ca_batch_norm_default), "pick", 1, 0);
}

static void batch_norm(void)
{
    static const struct kit_shape flat = {.numeric = 3, .fields = 1, .width = 2, .rows = rows};
    struct ca_pool *pool = ca_pool_new(2, NULL);
    struct ca_net *n = kit_net(normed, &flat, pool, 1, 0);
    const struct ca_graph *g = ca_net_graph(n);
    double mean[3] = {0, 0, 0}, var[3] = {1, 1, 1}, worst = 0, sum;
    const ca_real gain[3] = {2, 1, -1}, shift[3] = {0.5, 0, 3}, pick[3] = {1, 0.5, 0.25};
    float logit[BATCH_ROWS];

    OK(ca_graph_n_buffers(g) == 2 && !strcmp(ca_graph_get_buffer(g, 0)->name, "bn.running_mean") &&
           !strcmp(ca_graph_get_buffer(g, 1)->name, "bn.running_var"), "running statistics are buffers by PyTorch's names");
    for (size_t i = 0; i < 3; i++) {
        ca_net_dense(n, CA_STATE_WEIGHT)[ca_graph_get_param(g, 0)->at + i] = gain[i];
        ca_net_dense(n, CA_STATE_WEIGHT)[ca_graph_get_param(g, 1)->at + i] = shift[i];
        ca_net_dense(n, CA_STATE_WEIGHT)[ca_graph_get_param(g, 2)->at + i] = pick[i];
    }
    for (uint64_t t = 0; t < 4; t++) {
        struct kit_batch b = kit_batch(&flat, BATCH_ROWS, t, 0);
        double m[3], v[3];

        for (size_t i = 0; i < 3; i++) {
            m[i] = v[i] = 0;
            for (size_t r = 0; r < BATCH_ROWS; r++)
                m[i] += (double)b.numeric[i][r] / BATCH_ROWS;
            for (size_t r = 0; r < BATCH_ROWS; r++)
                v[i] += ((double)b.numeric[i][r] - m[i]) * ((double)b.numeric[i][r] - m[i]) / BATCH_ROWS;
        }
        /* before: inference goes by what was seen so far */
        kit_must(ca_net_forward(n, &b.feed, logit, NULL), NULL);
        for (size_t r = 0; r < BATCH_ROWS; r++) {
            double want = 0;
            for (size_t i = 0; i < 3; i++)
                want += (double)pick[i] * (((double)b.numeric[i][r] - mean[i]) / sqrt(var[i] + 1e-5) * (double)gain[i] + (double)shift[i]);
            worst = fmax(worst, fabs(want - (double)logit[r]));
        }
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, logit, NULL), NULL);
        for (size_t r = 0; r < BATCH_ROWS; r++) {
            double want = 0;
            for (size_t i = 0; i < 3; i++)
                want += (double)pick[i] * (((double)b.numeric[i][r] - m[i]) / sqrt(v[i] + 1e-5) * (double)gain[i] + (double)shift[i]);
            worst = fmax(worst, fabs(want - (double)logit[r]));
        }
        for (size_t i = 0; i < 3; i++) {
            mean[i] = 0.9 * mean[i] + 0.1 * m[i];
            var[i] = 0.9 * var[i] + 0.1 * v[i] * BATCH_ROWS / (BATCH_ROWS - 1);
        }
        kit_batch_free(&b, &flat);
    }
    CLOSE(worst, 0, 2e-5, "training norms by the batch, inference by the running statistics");
    for (size_t i = 0; i < 3; i++) {
        CLOSE((double)ca_net_buffers(n)[i], mean[i], 1e-6, "running mean");
        CLOSE((double)ca_net_buffers(n)[3 + i], var[i], 1e-6, "running variance, unbiased");
    }
    ca_net_free(n);
    ca_pool_free(pool);
}

/* The variance of small deviations from a large mean survives. */
static void far_mean(void)
{
    static const struct kit_shape flat = {.numeric = 3, .fields = 1, .width = 2, .rows = rows};
    struct ca_pool *pool = ca_pool_new(1, NULL);
    struct ca_net *n = kit_net(normed, &flat, pool, 1, 0);
    struct kit_batch b = kit_batch(&flat, 256, 1, 0);
    double sum;

    for (size_t r = 0; r < 256; r++)
        b.numeric[0][r] = 1000.0f + (r % 2 ? 0.125f : -0.125f);
    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, NULL), NULL);
    CLOSE((double)ca_net_buffers(n)[3], 0.9 + 0.1 * 0.125 * 0.125 * 256 / 255, 1e-7, "variance far from zero");
    kit_batch_free(&b, &flat);
    ca_net_free(n);
    ca_pool_free(pool);
}

/* y = dropout(1) through the bias of a linear map of nothing */
static double dropped_rate;

static ca_val dropped(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x;

    (void)s;
    ca_graph_set_family(g, CA_FAMILY_FX);
    x = ca_op_dropout(g, ca_graph_numeric(g), dropped_rate);
    return ca_op_part_sums(g, x, 1);
}

static void dropout(void)
{
    static const struct kit_shape flat = {.numeric = 1, .fields = 1, .width = 2, .rows = rows};
    enum { N = 20000 };
    static float first[N], again[N], next[N], plain[N];
    const double rates[] = {0.1, 0.5, 0.9};

    for (size_t k = 0; k < 3; k++) {
        struct ca_pool *pool = ca_pool_new(2, NULL);
        struct ca_net *n;
        struct kit_batch b = kit_batch(&flat, N, 1, 0);
        size_t kept = 0, both = 0, wrong = 0;
        double sum, p = rates[k], scale = 1 / (1 - p);

        dropped_rate = p;
        n = kit_net(dropped, &flat, pool, 1, 0);
        for (size_t r = 0; r < N; r++)
            b.numeric[0][r] = 1;
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, first, NULL), NULL);
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, again, NULL), NULL);
        kit_must(ca_net_step(n, CA_STEP_ALL, NULL), NULL);
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, next, NULL), NULL);
        kit_must(ca_net_forward(n, &b.feed, plain, NULL), NULL);
        for (size_t r = 0; r < N; r++) {
            kept += first[r] != 0;
            both += first[r] != 0 && next[r] != 0;
            wrong += first[r] != 0 && fabs((double)first[r] - scale) > 1e-6 * scale;
            wrong += plain[r] != 1.0f;
        }
        /* five standard deviations of the binomial law */
        CLOSE((double)kept / N, 1 - p, 5 * sqrt(p * (1 - p) / N), "dropout keeps its share");
        CLOSE((double)both / N, (1 - p) * (1 - p), 5 * sqrt((1 - p) * (1 - p) / N), "independently from step to step");
        OK(!wrong, "what is kept is scaled, and inference drops nothing");
        OK(memcmp(first, again, sizeof first) != 0, "every pass of a step has a mask of its own");
        kit_batch_free(&b, &flat);
        ca_net_free(n);
        ca_pool_free(pool);
    }
}

/* Elements of a row and rows of an element are independent of each other: no stripes. */
static ca_val dropped_wide(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x;

    (void)s;
    ca_graph_set_family(g, CA_FAMILY_FX);
    x = ca_op_dropout(g, ca_graph_numeric(g), 0.5);
    return ca_op_linear(g, x, "pick", 1, 0);
}

static void stripes(void)
{
    enum { N = 4096, W = 24 };
    static const struct kit_shape flat = {.numeric = W, .fields = 1, .width = 2, .rows = rows};
    static float logit[N];
    static unsigned char mask[N][W];
    struct ca_pool *pool = ca_pool_new(2, NULL);
    struct ca_net *n = kit_net(dropped_wide, &flat, pool, 1, 0);
    struct kit_batch b = kit_batch(&flat, N, 1, 0);
    double sum, worst = 0;

    for (size_t i = 0; i < W; i++) {
        for (size_t r = 0; r < N; r++)
            b.numeric[i][r] = 1;
        ca_net_dense(n, CA_STATE_WEIGHT)[i] = (ca_real)ldexp(1, (int)i);
    }
    /* halves are doubled: the logit is twice a binary number whose digits are the mask */
    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, logit, NULL), NULL);
    for (size_t r = 0; r < N; r++)
        for (size_t i = 0; i < W; i++)
            mask[r][i] = ((unsigned long)logit[r] >> (i + 1)) & 1;
    for (size_t i = 0; i < W; i++) {
        for (size_t j = 0; j < i; j++) {
            double c = 0;
            for (size_t r = 0; r < N; r++)
                c += (mask[r][i] - 0.5) * (mask[r][j] - 0.5) * 4 / N;
            worst = fmax(worst, fabs(c));
        }
        for (size_t lag = 1; lag <= 128; lag *= 2) {
            double c = 0;
            for (size_t r = lag; r < N; r++)
                c += (mask[r][i] - 0.5) * (mask[r - lag][i] - 0.5) * 4 / N;
            worst = fmax(worst, fabs(c));
        }
    }
    /* 468 correlations, each with a deviation of 1/64: five of them */
    CLOSE(worst, 0, 5.0 / 64, "neither elements nor rows of a mask go together");
    kit_batch_free(&b, &flat);
    ca_net_free(n);
    ca_pool_free(pool);
}

static ca_val everything(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x, in[2];

    (void)s;
    ca_graph_set_family(g, CA_FAMILY_FX);
    x = ca_op_fx_fields(g, "m", 4, 1);
    x = ca_op_dropout(g, ca_op_dice(g, ca_op_linear(g, x, "l1", 12, 1), "dice", 1), 0.3);
    x = ca_op_batch_norm(g, ca_op_linear(g, x, "l2", 8, 1), "bn", 4, &ca_batch_norm_default);
    in[0] = x;
    in[1] = ca_graph_domain(g);
    return ca_op_linear(g, ca_op_concat(g, in, 2), "out", 1, 1);
}

static void bits(void)
{
    static const size_t batch[] = {1, 127, 128, 129, 1000};
    static ca_real weight[3][1000];
    size_t count = 0;

    for (unsigned k = 0; k < 3; k++) {
        struct ca_pool *pool = ca_pool_new(1u << k, NULL);
        struct ca_net *n = kit_net(everything, &shape, pool, 4, 0);
        struct ca_regular r = {.clip = 0.05, .decay_table = 0.01};

        ca_net_set_regular(n, &r);
        count = ca_graph_dense_count(ca_net_graph(n));
        for (size_t t = 0; t < sizeof batch / sizeof *batch; t++) {
            struct kit_batch b = kit_batch(&shape, batch[t], t, 1);
            double sum;

            kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, NULL), NULL);
            kit_must(ca_net_step(n, CA_STEP_ALL, NULL), NULL);
            kit_batch_free(&b, &shape);
        }
        memcpy(weight[k], ca_net_dense(n, CA_STATE_WEIGHT), count * sizeof **weight);
        for (size_t i = 0; i < 30; i++)
            weight[k][count + i] = ca_net_buffers(n)[i];
        ca_net_free(n);
        ca_pool_free(pool);
    }
    OK(!memcmp(weight[0], weight[1], (count + 30) * sizeof **weight) &&
           !memcmp(weight[0], weight[2], (count + 30) * sizeof **weight),
       "same bits at 1, 2 and 4 threads with batch norm, Dice, dropout, lists, clipping and decay");
}

/* Ids of lists and domains that are not there are told by name. */
static void refusals(void)
{
    struct ca_pool *pool = ca_pool_new(1, NULL);
    struct ca_net *n = kit_net(everything, &shape, pool, 4, 0);
    struct kit_batch b = kit_batch(&shape, 5, 1, 0);
    struct ca_err err = {0};
    float logit[5];

    b.ids[shape.fields + 3][4] = 6;
    OK(ca_net_forward(n, &b.feed, logit, &err) == CA_ESCHEMA && strstr(err.text, "sequence 1") && err.record == 4,
       "an id beyond a list's table");
    b.ids[shape.fields + 3][4] = 0;
    b.ids[shape.fields + 5][2] = 3;
    memset(&err, 0, sizeof err);
    OK(ca_net_forward(n, &b.feed, logit, &err) == CA_ESCHEMA && strstr(err.text, "domain") && err.record == 2,
       "a domain that there is not");
    b.ids[shape.fields + 5][2] = 0;
    OK(!ca_net_forward(n, &b.feed, logit, NULL), "else all is well");
    kit_batch_free(&b, &shape);
    ca_net_free(n);
    ca_pool_free(pool);
}

static size_t calls;

static void counting_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    (void)op;
    calls++;
    for (size_t r = 0; r < c->rows; r++)
        c->out.p[r * c->out.ld] = 1;
}

static void counting_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    (void)op;
    (void)c;
}

/* A head beside the logit, on a value that only it reads. */
static ca_val beside(struct ca_graph *g, const struct kit_shape *s)
{
    static const struct ca_op_type type = {.name = "counting", .forward = counting_forward, .backward = counting_backward};
    struct ca_op op = {.type = &type, .n_in = 1, .out_width = 1};
    ca_val x = ca_graph_numeric(g);

    (void)s;
    ca_graph_head(g, ca_graph_add(g, &op, &x));
    return ca_op_linear(g, x, "logit", 1, 1);
}

static void skipped(void)
{
    struct ca_pool *pool = ca_pool_new(1, NULL);
    struct ca_net *n = kit_net(beside, &shape, pool, 4, 0);
    struct kit_batch b = kit_batch(&shape, 5, 1, 0);
    float logit[5], other[5], *both[2] = {logit, other};
    double sum;

    kit_must(ca_net_forward(n, &b.feed, logit, NULL), NULL);
    OK(!calls, "a prediction computes nothing that the logit does not need");
    kit_must(ca_net_forward_heads(n, &b.feed, both, NULL), NULL);
    OK(calls == 1 && other[4] == 1.0f, "unless it is asked for");
    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, NULL), NULL);
    OK(calls == 2, "training does");
    kit_batch_free(&b, &shape);
    ca_net_free(n);
    ca_pool_free(pool);
}

int main(void)
{
    skipped();
    batch_norm();
    far_mean();
    dropout();
    stripes();
    bits();
    refusals();
    return tap_done();
}
