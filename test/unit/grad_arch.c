/* nn/op_{pool,forms,attention,afm}.c and the architectures made of them, against finite differences. */
#include "gradcheck.h"
#include "model/arch.h"

static const struct ca_init_rule unit = {CA_INIT_NORMAL, 1};

/* Weighed by a linear layer, so that the gradient differs from element to element. */
static ca_val head(struct ca_graph *g, ca_val x)
{
    return ca_op_linear(g, x, "head", 1, 0);
}

static ca_val embed(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_graph_embed(g, "table", s->width, unit);
}

static ca_val build_sum(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), in[3] = {v, ca_op_relu(g, v), v};

    return head(g, ca_op_sum(g, in, 3));
}

static ca_val build_pair_pool(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_pair_pool(g, embed(g, s), s->fields));
}

static ca_val build_field_norm(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_field_norm(g, embed(g, s), "op", s->fields));
}

static ca_val build_cross(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_cross(g, embed(g, s), "op", 3));
}

static ca_val build_outer(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_outer_form(g, embed(g, s), "op", s->fields);
}

static ca_val build_scaled(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return ca_op_scaled_form(g, ca_op_linear(g, v, "scale", 1, 1), v, "op");
}

static ca_val attention(struct ca_graph *g, const struct kit_shape *s, size_t heads)
{
    return head(g, ca_op_attention(g, embed(g, s), ca_op_attention_params(g, "op", s->width), s->fields, heads));
}

static ca_val build_attention_1(struct ca_graph *g, const struct kit_shape *s)
{
    return attention(g, s, 1);
}

static ca_val build_attention_2(struct ca_graph *g, const struct kit_shape *s)
{
    return attention(g, s, 2);
}

static ca_val build_attention_3(struct ca_graph *g, const struct kit_shape *s)
{
    return attention(g, s, 3);
}

static ca_val build_attention_layer(struct ca_graph *g, const struct kit_shape *s)
{
    size_t first = ca_op_attention_params(g, "op", s->width);

    return head(g, ca_op_attention_layer(g, embed(g, s), first, s->fields, s->width % 2 ? 1 : 2, "norm"));
}

/* Input and output with gaps between their rows: they lie inside a wider value. */
static ca_val build_attention_inside(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), in[3];

    in[0] = ca_graph_numeric(g);
    in[1] = v;
    in[2] = ca_op_attention(g, v, ca_op_attention_params(g, "op", s->width), s->fields, 2);
    return head(g, ca_op_layer_norm(g, ca_op_concat(g, in, 3), "norm"));
}

static ca_val build_pair_attention(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_pair_attention(g, embed(g, s), "op", "h", s->fields, 5, 0));
}

static const struct ca_arch *arch;

static ca_val build_arch(struct ca_graph *g, const struct kit_shape *s)
{
    struct ca_arch_spec spec = {.arch = arch, .width = s->width, .n_hidden = s->n_hidden};

    for (size_t i = 0; i < s->n_hidden; i++)
        spec.hidden[i] = s->hidden[i];
    return arch->build(g, &spec);
}

/* Frozen tables and a frozen network get no gradient and change none of the other's. */
static void freeze(const struct kit_shape *s)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct kit_batch b = kit_batch(s, 133, 1, 1);
    struct ca_net *n = kit_net(build_arch, s, pool, 1, 0);
    size_t count = ca_graph_dense_count(ca_net_graph(n));
    double *want = kit_alloc(count, sizeof *want), table[16], sum;
    char text[96];
    int same;

    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
    memcpy(want, ca_net_dense(n, CA_STATE_GRADIENT), count * sizeof *want);
    memcpy(table, ca_net_table_gradient(n, 0, 0), s->width * sizeof *table);
    ca_net_want(n, CA_STEP_DENSE);
    kit_must(ca_net_step(n, 0, &err), &err);
    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
    same = !memcmp(want, ca_net_dense(n, CA_STATE_GRADIENT), count * sizeof *want) && !ca_net_table_gradient(n, 0, 0);
    ca_net_want(n, CA_STEP_TABLES);
    kit_must(ca_net_step(n, 0, &err), &err);
    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
    same &= !memcmp(table, ca_net_table_gradient(n, 0, 0), s->width * sizeof *table);
    for (size_t i = 0; i < count; i++)
        same &= ca_net_dense(n, CA_STATE_GRADIENT)[i] == 0;
    (void)snprintf(text, sizeof text, "%s: freezing a part changes no gradient of the other", arch->name);
    OK(same, text);
    ca_mem_free(want);
    ca_net_free(n);
    kit_batch_free(&b, s);
    ca_pool_free(pool);
}

int main(void)
{
    static const uint32_t rows[] = {5, 40, 3, 11, 1};
    struct kit_shape s = {.numeric = 3, .fields = 5, .width = 4, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct kit_shape odd = {.numeric = 3, .fields = 5, .width = 3, .rows = rows, .hidden = {9, 5}, .n_hidden = 2};
    struct kit_shape w8 = {.numeric = 3, .fields = 4, .width = 8, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct kit_shape w16 = {.numeric = 3, .fields = 3, .width = 16, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct kit_shape plain = {.numeric = 0, .fields = 5, .width = 6, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct kit_shape single = {.numeric = 2, .fields = 1, .width = 4, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    char text[96];

    gradcheck_net(build_sum, &s, 133, 1000, &ca_loss_bce, "sum");
    gradcheck_net(build_pair_pool, &odd, 133, 1000, &ca_loss_bce, "sum of pairs");
    gradcheck_net(build_field_norm, &s, 133, 1000, &ca_loss_bce, "layer norm by field");
    gradcheck_net(build_cross, &odd, 133, 1000, &ca_loss_bce, "cross layers");
    gradcheck_net(build_outer, &odd, 133, 1000, &ca_loss_bce, "form of the outer product");
    gradcheck_net(build_outer, &w8, 40, 300, &ca_loss_bce, "form of the outer product, width 8");
    gradcheck_net(build_outer, &w16, 43, 300, &ca_loss_bce, "form of the outer product, width 16");
    gradcheck_net(build_scaled, &odd, 133, 1000, &ca_loss_bce, "scaled form");
    gradcheck_net(build_attention_1, &s, 133, 1000, &ca_loss_bce, "attention, one head of 4");
    gradcheck_net(build_attention_3, &odd, 133, 1000, &ca_loss_bce, "attention, three heads of 1");
    gradcheck_net(build_attention_2, &w8, 40, 300, &ca_loss_bce, "attention, two heads of 4");
    gradcheck_net(build_attention_2, &w16, 40, 300, &ca_loss_bce, "attention, two heads of 8");
    gradcheck_net(build_attention_2, &s, 1, 1000, &ca_loss_bce, "attention on one row");
    gradcheck_net(build_attention_layer, &odd, 133, 1000, &ca_loss_bce, "layer of attention, one head of 3");
    gradcheck_net(build_attention_layer, &w16, 40, 300, &ca_loss_bce, "layer of attention, two heads of 8");
    gradcheck_net(build_attention_layer, &s, 1, 1000, &ca_loss_bce, "layer of attention on one row");
    gradcheck_net(build_attention_inside, &s, 133, 1000, &ca_loss_bce, "attention inside a wider value");
    gradcheck_net(build_pair_attention, &odd, 133, 1000, &ca_loss_bce, "attention over pairs");
    gradcheck_net(build_pair_attention, &w8, 40, 300, &ca_loss_bce, "attention over pairs, width 8");
    gradcheck_net(build_pair_attention, &w16, 40, 300, &ca_loss_bce, "attention over pairs, width 16");
    gradcheck_net(build_pair_attention, &s, 1, 1000, &ca_loss_bce, "attention over pairs of one row");
    for (size_t i = 0; (arch = ca_archs[i]); i++) {
        if (arch->family != CA_FAMILY_CA) /* those are in zoo.h */
            continue;
        (void)snprintf(text, sizeof text, "%s, several chunks", arch->name);
        gradcheck_net(build_arch, &s, 293, 50, &ca_loss_bce, text);
        (void)snprintf(text, sizeof text, "%s without numeric features", arch->name);
        gradcheck_net(build_arch, &plain, 37, 50, &ca_loss_bce, text);
        (void)snprintf(text, sizeof text, "%s of one field", arch->name);
        if (arch != &ca_arch_fibinet) /* has no pairs to take */
            gradcheck_net(build_arch, &single, 37, 50, &ca_loss_bce, text);
        freeze(&s);
    }
    return tap_done();
}
