/*
 * The fused first layer of FiBiNET against its composition of operators: the
 * same network built both ways has the same parameters, and must have the same
 * logits and gradients but for the last bits, whatever is frozen.
 */
#include "netkit.h"
#include "nn/tile.h"
#include "tap.h"

static ca_val fused(struct ca_graph *g, const struct kit_shape *s)
{
    struct ca_init_rule unit = {CA_INIT_NORMAL, 1};
    ca_val in[2] = {ca_graph_numeric(g), ca_graph_embed(g, "sparse_embedding.embedding_layers", s->width, unit)};
    ca_val gated = ca_op_senet(g, in[1], "dense.senet", s->fields, 3);

    return ca_op_mlp_block_rest(g,
                                ca_op_pair_linear(g, ca_op_concat(g, in, 2), gated,
                                                  "dense.bilinear_interaction.bilinear", "dense.mlp.0", s->fields,
                                                  s->hidden[0]),
                                "dense.mlp", s->hidden, s->n_hidden);
}

/* Largest difference, in units of the largest number. */
static double apart(size_t n, const float *x, const float *y)
{
    double most = 0, size = 1e-12;

    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)x[i] - (double)y[i]));
        size = fmax(size, fabs((double)x[i]));
    }
    return most / size;
}

static double dense_apart(struct ca_net *a, struct ca_net *b)
{
    const struct ca_graph *g = ca_net_graph(a);
    double worst = 0;

    for (size_t i = 0; i < ca_graph_n_params(g); i++) {
        const struct ca_param *p = ca_graph_get_param(g, i), *q = ca_graph_get_param(ca_net_graph(b), i);
        if (strcmp(p->name, q->name) != 0 || p->count != q->count)
            return INFINITY;
        worst = fmax(worst, apart(p->count, ca_net_dense(a, CA_STATE_GRADIENT) + p->at,
                                  ca_net_dense(b, CA_STATE_GRADIENT) + q->at));
    }
    return worst;
}

static double tables_apart(struct ca_net *a, struct ca_net *b)
{
    const struct ca_graph *g = ca_net_graph(a);
    double worst = 0;

    for (size_t i = 0; i < ca_graph_n_tables(g); i++)
        for (size_t r = 0; r < ca_graph_get_table(g, i)->rows; r++) {
            const ca_real *x = ca_net_table_gradient(a, i, r), *y = ca_net_table_gradient(b, i, r);
            if (!x != !y)
                return INFINITY;
            if (x)
                worst = fmax(worst, apart(ca_graph_get_table(g, i)->width, x, y));
        }
    return worst;
}

/* Gradients that nearly cancel, of a row or of a bias before a layer norm, have but a few good bits. */
static void compare(const struct kit_shape *s, size_t rows, unsigned want)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct ca_net *a, *b;
    struct kit_batch batch = kit_batch(s, rows, 7, 1);
    float *x = kit_alloc(rows, sizeof *x), *y = kit_alloc(rows, sizeof *y);
    double sum[2];
    char what[128];

    kit_must(!pool, &err);
    a = kit_net(fused, s, pool, 3, 0);
    b = kit_net(kit_fibinet, s, pool, 3, 0);
    ca_net_want(a, want);
    ca_net_want(b, want);
    kit_must(ca_net_gradient(a, &batch.feed, &ca_loss_bce, &batch.target, &sum[0], x, &err), &err);
    kit_must(ca_net_gradient(b, &batch.feed, &ca_loss_bce, &batch.target, &sum[1], y, &err), &err);
    (void)snprintf(what, sizeof what, "%zu rows, width %zu, %zu to %zu, gradients %u", rows, s->width, s->fields,
                   s->hidden[0], want);
    (void)printf("# %s: logits %.2g, dense %.2g, tables %.2g\n", what, apart(rows, x, y), dense_apart(a, b),
                 tables_apart(a, b));
    OK(apart(rows, x, y) < 1e-5 && dense_apart(a, b) < 2e-4 && tables_apart(a, b) < 2e-4, what);
    kit_must(ca_net_forward(a, &batch.feed, y, &err), &err);
    OK(!memcmp(x, y, rows * sizeof *x), "prediction has the bits of training");
    ca_net_free(a);
    ca_net_free(b);
    kit_batch_free(&batch, s);
    ca_mem_free(x);
    ca_mem_free(y);
    ca_pool_free(pool);
}

int main(void)
{
    static const uint32_t vocab[7] = {5, 40, 3, 17, 9, 200, 2};
    static const struct kit_shape shape[] = {
        {.numeric = 3, .fields = 7, .width = 16, .rows = vocab, .hidden = {32, 8}, .n_hidden = 2},
        {.numeric = 2, .fields = 5, .width = 8, .rows = vocab, .hidden = {7, 4}, .n_hidden = 2},
        {.numeric = 1, .fields = 6, .width = 4, .rows = vocab, .hidden = {40, 3}, .n_hidden = 2},
        {.numeric = 2, .fields = 3, .width = 5, .rows = vocab, .hidden = {9, 4}, .n_hidden = 2},
        {.numeric = 1, .fields = 2, .width = 16, .rows = vocab, .hidden = {16}, .n_hidden = 1},
        {.numeric = 2, .fields = 4, .width = 40, .rows = vocab, .hidden = {20, 4}, .n_hidden = 2},
        {.numeric = 2, .fields = 3, .width = 64, .rows = vocab, .hidden = {8}, .n_hidden = 1},
        {.numeric = 2, .fields = 7, .width = 16, .rows = vocab, .hidden = {300, 4}, .n_hidden = 2},
    };
    static const size_t rows[] = {1, 15, 48, 300};

    (void)printf("# %s tile\n", ca_tile_name(ca_tile_kind()));
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            compare(&shape[i], rows[k], CA_STEP_ALL);
    for (unsigned want = 0; want < CA_STEP_ALL; want++)
        compare(&shape[0], 133, want);
    return tap_done();
}
