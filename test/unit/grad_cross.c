/* nn/ops_cross.h: every operator's backward against finite differences. */
#include "gradcheck.h"
#include "nn/ops_cross.h"

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

/* A second value of the same width that depends on the tables in another way. */
static ca_val other(struct ca_graph *g, ca_val v, const char *name)
{
    return ca_op_linear(g, v, name, ca_graph_width(g, v), 1);
}

static ca_val build_vector(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x0 = embed(g, s), x = ca_op_cross_vector(g, x0, x0, "cross.0", 1);

    return head(g, ca_op_cross_vector(g, x0, x, "cross.1", 1));
}

static ca_val build_vector_bare(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x0 = embed(g, s), x = ca_op_cross_vector(g, x0, x0, "cross.0", 0);

    return head(g, ca_op_cross_vector(g, x0, x, "cross.1", 0));
}

static ca_val build_matrix(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x0 = embed(g, s), x = ca_op_cross_matrix(g, x0, x0, "cross.0");

    return head(g, ca_op_cross_matrix(g, x0, x, "cross.1"));
}

/* base and x once the same and once different, the halves computed as ECN does */
static ca_val build_masked(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x0 = embed(g, s), x = x0;
    char name[32];

    for (int l = 0; l < 2; l++) {
        ca_val h, m;

        (void)snprintf(name, sizeof name, "w.%d", l);
        h = ca_op_linear(g, x, name, ca_graph_width(g, x) / 2, 0);
        (void)snprintf(name, sizeof name, "ln.%d", l);
        m = ca_op_relu(g, ca_op_layer_norm(g, h, name));
        (void)snprintf(name, sizeof name, "b.%d", l);
        x = ca_op_cross_masked(g, l ? x0 : x, h, m, x, name);
    }
    return head(g, x);
}

static ca_val build_inner(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_inner_pairs(g, embed(g, s), s->fields));
}

static ca_val build_matrixed(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_matrixed_pairs(g, embed(g, s), "op", s->fields);
}

static ca_val build_vectorized(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_vectorized_pairs(g, embed(g, s), "op", s->fields);
}

static ca_val build_all(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_bilinear_forms(g, embed(g, s), "op", s->fields, CA_BILINEAR_ALL));
}

static ca_val build_each(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_bilinear_forms(g, embed(g, s), "op", s->fields, CA_BILINEAR_EACH));
}

static ca_val build_interaction(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_bilinear_forms(g, embed(g, s), "op", s->fields, CA_BILINEAR_INTERACTION));
}

static ca_val build_product(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), u = ca_op_product(g, v, other(g, v, "u"));

    return head(g, ca_op_product(g, u, u));
}

static ca_val build_factorize(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_factorize(g, ca_op_linear(g, embed(g, s), "op", 18, 1)));
}

static ca_val build_part_sums(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return head(g, ca_op_part_sums(g, ca_op_product(g, v, v), s->fields));
}

static ca_val build_part_means(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return head(g, ca_op_scale_parts(g, v, ca_op_part_means(g, ca_op_product(g, v, v), s->fields)));
}

/* The weight starts at zero: the second layer's input then still depends on it. */
static ca_val build_mix(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), u = ca_op_product(g, v, ca_op_mix_fields(g, v, "op.0", s->fields));

    return head(g, ca_op_product(g, v, ca_op_mix_fields(g, u, "op.1", s->fields)));
}

static ca_val build_halves(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return head(g, ca_op_product(g, v, ca_op_split_halves(g, v, s->fields)));
}

/* The norm makes up for what the gates take away: differences of small numbers have few digits. */
static ca_val build_regulate(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return head(g, ca_op_layer_norm(g, ca_op_regulate(g, ca_op_product(g, v, v), "op", s->fields), "norm"));
}

static ca_val build_fusion(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return ca_op_bilinear_fusion(g, ca_op_linear(g, v, "a", 6, 1), ca_op_linear(g, v, "b", 15, 1), "op", 3);
}

static ca_val build_cin(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x0 = embed(g, s), x = ca_op_cin(g, x0, x0, "cin.0", s->fields, 4);

    return head(g, ca_op_cin(g, x0, x, "cin.1", s->fields, 3));
}

/* The gates start equal, where a softmax hides much: they are moved apart first. */
static void regulation(const struct kit_shape *s, const char *what)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct kit_batch batch = kit_batch(s, 133, 5, 1);
    struct gradcheck c = {.batch = &batch, .loss = &ca_loss_bce};

    kit_must(!pool, &err);
    c.net = kit_net(build_regulate, s, pool, 3, 0);
    for (size_t i = 0; i < s->fields; i++)
        ca_net_dense(c.net, CA_STATE_WEIGHT)[i] = 0.4 * (double)(i * i % 7);
    if (!OK(gradcheck_all(&c, 60) < 1e-6, what))
        (void)printf("# relative error %.3g at %s\n", c.worst, c.where);
    ca_net_free(c.net);
    kit_batch_free(&batch, s);
    ca_pool_free(pool);
}

int main(void)
{
    static const uint32_t rows[] = {5, 40, 3, 11, 1};
    static const uint32_t many[] = {5, 40, 3, 11, 1, 9, 9, 9, 30, 7};
    struct kit_shape even = {.numeric = 3, .fields = 5, .width = 4, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct kit_shape odd = {.numeric = 3, .fields = 5, .width = 3, .rows = rows, .hidden = {17, 5}, .n_hidden = 2};
    struct kit_shape eight = {.numeric = 3, .fields = 5, .width = 8, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct kit_shape wide = {.numeric = 3, .fields = 10, .width = 16, .rows = many, .hidden = {24, 8}, .n_hidden = 2};

    static const struct {
        kit_build *build;
        const char *what;
        int even_only;
    } list[] = {
        {build_vector, "cross vector", 0},
        {build_vector_bare, "cross vector without residual", 0},
        {build_matrix, "cross matrix", 0},
        {build_masked, "exponential and linear cross", 1},
        {build_inner, "inner products", 0},
        {build_matrixed, "field-matrixed pairs", 0},
        {build_vectorized, "field-vectorised pairs", 0},
        {build_all, "bilinear, one matrix", 0},
        {build_each, "bilinear, each field", 0},
        {build_interaction, "bilinear, each pair", 0},
        {build_product, "product", 0},
        {build_factorize, "factorised layer", 0},
        {build_part_sums, "sums of parts", 0},
        {build_part_means, "means of parts, and parts scaled", 0},
        {build_mix, "fields mixed", 0},
        {build_halves, "halves", 1},
        {build_fusion, "bilinear fusion", 0},
        {build_cin, "compressed interaction", 0},
    };

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char what[96];

        (void)snprintf(what, sizeof what, "%s, width 4", list[i].what);
        gradcheck_net(list[i].build, &even, 133, 60, &ca_loss_bce, what);
        (void)snprintf(what, sizeof what, "%s, width 3", list[i].what);
        if (!list[i].even_only)
            gradcheck_net(list[i].build, &odd, 133, 60, &ca_loss_bce, what);
        (void)snprintf(what, sizeof what, "%s, width 8", list[i].what);
        gradcheck_net(list[i].build, &eight, 133, 60, &ca_loss_bce, what);
        (void)snprintf(what, sizeof what, "%s, ten fields of width 16, several chunks", list[i].what);
        gradcheck_net(list[i].build, &wide, 293, 3, &ca_loss_bce, what);
    }
    regulation(&even, "regulation, width 4");
    regulation(&odd, "regulation, width 3");
    regulation(&wide, "regulation, ten fields of width 16");
    return tap_done();
}
