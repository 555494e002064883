/* nn/: every operator's backward, and the two whole graphs, against finite differences. */
#include "gradcheck.h"

static const struct ca_init_rule unit = {CA_INIT_NORMAL, 1};

/* The operator's output is weighed by a linear layer, so that its gradient differs from element to element. */
static ca_val head(struct ca_graph *g, ca_val x)
{
    return ca_op_linear(g, x, "head", 1, 0);
}

static ca_val embed(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_graph_embed(g, "table", s->width, unit);
}

static ca_val build_linear(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_linear(g, embed(g, s), "op", 7, 1));
}

static ca_val build_linear_plain(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_linear(g, embed(g, s), "op", 17, 0));
}

static ca_val build_linear_one(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_linear(g, embed(g, s), "op", 1, 1);
}

static ca_val build_layer_norm(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_layer_norm(g, embed(g, s), "op"));
}

static ca_val build_field_norm(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_field_norm(g, embed(g, s), "op", s->fields));
}

static ca_val build_relu(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_relu(g, embed(g, s)));
}

static ca_val build_senet(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_senet(g, embed(g, s), "op", s->fields, 3));
}

static ca_val build_bilinear(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_bilinear_pairs(g, embed(g, s), "op", s->fields));
}

static ca_val build_pair_linear(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_pair_linear(g, ca_graph_numeric(g), embed(g, s), "pairs", "op", s->fields, 7));
}

/*
 * A value used by two operators, joined twice over, once inside another join:
 * what can be laid inside an output is, the rest is copied, and all gradients meet.
 */
static ca_val build_concat(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x = ca_graph_numeric(g), v = embed(g, s), u = ca_op_relu(g, v), w = ca_graph_embed(g, "second", 2, unit);
    ca_val inner[3] = {x, v, u}, a = ca_op_concat(g, inner, 3);
    ca_val outer[4] = {v, a, w, v};
    ca_val y = ca_op_concat(g, outer, 4), z = ca_op_layer_norm(g, a, "norm");
    ca_val last[3] = {y, z, ca_op_linear(g, u, "op", 3, 1)};

    return head(g, ca_op_layer_norm(g, ca_op_concat(g, last, 3), "outer"));
}

/* v lies in the first join; the second one copies it, and is the first to send a gradient back. */
static ca_val build_copied(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), first[2] = {v, ca_graph_embed(g, "second", 3, unit)}, second[2] = {v, {0}};

    second[1] = ca_op_relu(g, ca_op_linear(g, ca_op_concat(g, first, 2), "op", 5, 1));
    return head(g, ca_op_concat(g, second, 2));
}

static void accumulate_and_freeze(void)
{
    static const uint32_t rows[] = {9, 30, 4};
    struct kit_shape s = {.numeric = 2, .fields = 3, .width = 4, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct kit_batch a = kit_batch(&s, 300, 1, 1), b = kit_batch(&s, 131, 2, 1);
    struct ca_net *n;
    size_t count;
    double sum, worst = 0, *want, table_want[4], *before;
    float logit[300];
    const ca_real *tg;

    kit_must(!pool, &err);
    n = kit_net(kit_fibinet, &s, pool, 1, 0);
    count = ca_graph_dense_count(ca_net_graph(n));
    want = kit_alloc(count, sizeof *want);
    before = kit_alloc(count, sizeof *before);
    memset(table_want, 0, sizeof table_want);
    for (int i = 0; i < 2; i++) {
        const struct kit_batch *x = i ? &b : &a;
        kit_must(ca_net_step(n, 0, &err), &err);
        kit_must(ca_net_gradient(n, &x->feed, &ca_loss_bce, &x->target, &sum, NULL, &err), &err);
        for (size_t k = 0; k < count; k++)
            want[k] += ca_net_dense(n, CA_STATE_GRADIENT)[k];
        tg = ca_net_table_gradient(n, 1, 0);
        for (size_t k = 0; tg && k < 4; k++)
            table_want[k] += tg[k];
    }
    kit_must(ca_net_step(n, 0, &err), &err);
    kit_must(ca_net_gradient(n, &a.feed, &ca_loss_bce, &a.target, &sum, NULL, &err), &err);
    kit_must(ca_net_forward(n, &a.feed, logit, &err), &err);
    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
    for (size_t k = 0; k < count; k++)
        worst = fmax(worst, fabs(ca_net_dense(n, CA_STATE_GRADIENT)[k] - want[k]));
    CLOSE(worst, 0, 1e-14, "dense gradients add up over calls, whatever is looked at between them");
    tg = ca_net_table_gradient(n, 1, 0);
    worst = tg ? 0 : INFINITY;
    for (size_t k = 0; tg && k < 4; k++)
        worst = fmax(worst, fabs(tg[k] - table_want[k]));
    CLOSE(worst, 0, 1e-14, "so do those of tables");

    ca_net_want(n, CA_STEP_DENSE);
    kit_must(ca_net_step(n, 0, &err), &err);
    kit_must(ca_net_gradient(n, &a.feed, &ca_loss_bce, &a.target, &sum, NULL, &err), &err);
    memcpy(before, ca_net_dense(n, CA_STATE_GRADIENT), count * sizeof *before);
    OK(!ca_net_table_gradient(n, 1, 0), "frozen tables get no gradient");
    ca_net_want(n, CA_STEP_ALL);
    kit_must(ca_net_step(n, 0, &err), &err);
    kit_must(ca_net_gradient(n, &a.feed, &ca_loss_bce, &a.target, &sum, NULL, &err), &err);
    worst = 0;
    for (size_t k = 0; k < count; k++)
        worst = fmax(worst, fabs(ca_net_dense(n, CA_STATE_GRADIENT)[k] - before[k]));
    CLOSE(worst, 0, 1e-15, "and change no other gradient");
    {
        double x = ca_net_table_row(n, 1, 0, CA_STATE_WEIGHT)[0], y = ca_net_dense(n, CA_STATE_WEIGHT)[count - 1];
        kit_must(ca_net_step(n, CA_STEP_DENSE, &err), &err);
        OK(ca_net_table_row(n, 1, 0, CA_STATE_WEIGHT)[0] == x && ca_net_steps(n, CA_STEP_TABLES) == 0,
           "a table that is not stepped stays");
        OK(fabs(fabs(ca_net_dense(n, CA_STATE_WEIGHT)[count - 1] - y) - 0.001) < 1e-6, "the first dense step is of size lr");
        OK(!ca_net_table_gradient(n, 1, 0), "a step clears the gradients of what it did not step");
    }
    ca_net_free(n);
    ca_mem_free(want);
    ca_mem_free(before);
    kit_batch_free(&a, &s);
    kit_batch_free(&b, &s);
    ca_pool_free(pool);
}

int main(void)
{
    static const uint32_t rows[] = {5, 40, 3, 11, 1};
    static const uint32_t many[] = {5, 40, 3, 11, 1, 9, 9, 9, 30, 7, 7, 2, 8, 6, 5, 4};
    struct kit_shape s = {.numeric = 3, .fields = 5, .width = 4, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct kit_shape odd = {.numeric = 3, .fields = 5, .width = 3, .rows = rows, .hidden = {17, 5}, .n_hidden = 2};
    struct kit_shape wide = {.numeric = 3, .fields = 16, .width = 16, .rows = many, .hidden = {24, 8}, .n_hidden = 2};
    struct kit_shape lane = {.numeric = 3, .fields = 1, .width = 16, .rows = many};
    struct kit_shape lanes = {.numeric = 3, .fields = 3, .width = 16, .rows = many};

    gradcheck_net(build_linear, &s, 133, 1000, &ca_loss_bce, "linear with bias");
    gradcheck_net(build_linear_plain, &odd, 133, 1000, &ca_loss_bce, "linear without bias");
    gradcheck_net(build_linear_one, &odd, 133, 1000, &ca_loss_bce, "linear to one output");
    gradcheck_net(build_layer_norm, &s, 133, 1000, &ca_loss_bce, "layer norm");
    gradcheck_net(build_layer_norm, &odd, 133, 1000, &ca_loss_bce, "layer norm of an odd width");
    gradcheck_net(build_layer_norm, &lane, 133, 1000, &ca_loss_bce, "layer norm of one vector");
    gradcheck_net(build_field_norm, &lanes, 37, 1000, &ca_loss_bce, "norm of fields of one vector");
    gradcheck_net(build_relu, &s, 133, 1000, &ca_loss_bce, "relu");
    gradcheck_net(build_senet, &s, 133, 1000, &ca_loss_bce, "squeeze-excitation");
    gradcheck_net(build_bilinear, &s, 133, 1000, &ca_loss_bce, "bilinear pairs");
    gradcheck_net(build_bilinear, &odd, 133, 1000, &ca_loss_bce, "bilinear pairs of an odd width");
    gradcheck_net(build_pair_linear, &s, 133, 1000, &ca_loss_bce, "bilinear pairs and a linear layer in one");
    gradcheck_net(build_pair_linear, &odd, 133, 1000, &ca_loss_bce, "the same of an odd width");
    gradcheck_net(build_concat, &odd, 133, 1000, &ca_loss_bce, "concat of shared, nested and repeated values");
    gradcheck_net(build_copied, &odd, 261, 1000, &ca_loss_bce, "a joined value that another join copies");
    gradcheck_net(kit_mlp, &s, 293, 1000, &ca_loss_bce, "mlp");
    gradcheck_net(kit_fibinet, &s, 293, 1000, &ca_loss_bce, "fibinet");
    gradcheck_net(kit_fibinet, &wide, 520, 3, &ca_loss_bce, "fibinet of 16 fields, width 16, several chunks");
    gradcheck_net(kit_mlp, &s, 1, 1000, &ca_loss_bce, "a batch of one row");
    accumulate_and_freeze();
    return tap_done();
}
