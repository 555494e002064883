/*
 * Gradients of logarithmic neurons, of losses on representations, of encoder
 * layers and of objectives that the architectures have, against central
 * differences.
 */
#include "gradcheck.h"

#include "model/arch.h"
#include "nn/ops_contrast.h"
#include "nn/ops_cross.h"

static const uint32_t rows[] = {7, 5, 4, 9};
static const struct kit_shape shape = {.numeric = 0, .fields = 4, .width = 6, .rows = rows};
static const struct kit_shape mixed = {.numeric = 2, .fields = 3, .width = 4, .rows = rows};

static ca_val embed(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_graph_embed(g, "table", s->width, (struct ca_init_rule){CA_INIT_NORMAL, 0.7});
}

/* Weighed by a linear layer, so that the gradient differs from element to element. */
static ca_val head(struct ca_graph *g, ca_val x)
{
    return ca_op_linear(g, x, "head", 1, 1);
}

static ca_val logarithm(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_log_neurons(g, ca_op_log_size(g, embed(g, s)), "w", s->fields, 3));
}

static ca_val blend(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), in[3] = {v, ca_op_linear(g, v, "other", ca_graph_width(g, v), 1), v};

    return head(g, ca_op_blend(g, in, (double[3]){0.3, -2, 1.5}, 3));
}

static ca_val distance(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return ca_op_square_distance(g, ca_op_linear(g, v, "a", 3, 1), ca_op_linear(g, v, "b", 3, 1));
}

/* With weights of rows that differ, and through the logit, so that every row has a slope of its own. */
static ca_val alignment(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), in[2] = {ca_op_align(g, v, s->fields), ca_op_linear(g, v, "linear", 1, 1)};

    return ca_op_sum(g, in, 2);
}

static ca_val uniformity(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_uniform(g, embed(g, s), s->fields);
}

static ca_val encoder(struct ca_graph *g, const struct kit_shape *s, size_t sets, size_t heads, double drop)
{
    const struct ca_encoder_shape e = {sets, s->fields / sets, heads, 5, drop};
    ca_val x = ca_op_encoder_layer(g, embed(g, s), "layer.0", &e);

    return head(g, ca_op_encoder_layer(g, x, "layer.1", &e));
}

static ca_val encoder_plain(struct ca_graph *g, const struct kit_shape *s)
{
    return encoder(g, s, 1, 1, 0);
}

static ca_val encoder_sets(struct ca_graph *g, const struct kit_shape *s)
{
    return encoder(g, s, 2, 3, 0);
}

static ca_val encoder_drops(struct ca_graph *g, const struct kit_shape *s)
{
    return encoder(g, s, 2, 2, 0.3);
}

static ca_val pairs(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_pair_attention(g, embed(g, s), "op", "h", s->fields, 5, 0.4));
}

static ca_val of_arch(struct ca_graph *g, const char *text)
{
    struct ca_arch_spec spec;

    if (ca_arch_parse(text, &spec, NULL))
        abort();
    ca_graph_set_family(g, spec.arch->family);
    return spec.arch->build(g, &spec);
}

static ca_val fcn(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return of_arch(g, "fcn:4:deep=2,shallow=1,bn=1,dropout=0.2,dropout2=0.1");
}

static ca_val cl4ctr(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return of_arch(g, "cl4ctr-deepfm:4:5:alpha=0.7,beta=0.4,layers=1,feedforward=6,bn=1,dice=1");
}

static ca_val afn(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return of_arch(g, "afn-plus:4:5:neurons=3,dropout=0.2,dnn-dropout=0.3");
}

static ca_val edcn(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return of_arch(g, "edcn:4:layers=2,bn=1,dropout=0.2");
}

/* Away from the start of the family, where vectors are so short that every ReLU is at its kink. */
static void stir(struct ca_net *n)
{
    const struct ca_graph *g = ca_net_graph(n);
    struct ca_rng rng = ca_rng_make(9, "stir");
    ca_real *w = ca_net_dense(n, CA_STATE_WEIGHT);
    uint64_t at = 0;

    for (size_t i = 0; i < ca_graph_dense_count(g); i++)
        w[i] += 0.3 * ca_rng_normal(&rng, at++);
    for (size_t t = 0; t < ca_graph_n_tables(g); t++)
        for (size_t r = 1; r < ca_graph_get_table(g, t)->rows; r++)
            for (size_t k = 0; k < ca_graph_get_table(g, t)->width; k++)
                ca_net_table_row(n, t, r, CA_STATE_WEIGHT)[k] = 0.5 * ca_rng_normal(&rng, at++);
}

static void arch(kit_build *build, size_t n_rows, const char *what)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct kit_batch batch = kit_batch(&mixed, n_rows, 5, 1);
    struct gradcheck c = {.batch = &batch, .loss = &ca_loss_bce};
    double worst;

    kit_must(!pool, &err);
    c.net = kit_net(build, &mixed, pool, 3, 0);
    stir(c.net);
    worst = gradcheck_all(&c, 8);
    if (!OK(worst < 1e-6, what))
        (void)printf("# relative error %.3g at %s\n", worst, c.where);
    ca_net_free(c.net);
    kit_batch_free(&batch, &mixed);
    ca_pool_free(pool);
}

int main(void)
{
    gradcheck_net(logarithm, &shape, 150, 100, &ca_loss_bce, "logarithmic neurons");
    gradcheck_net(blend, &shape, 150, 30, &ca_loss_bce, "blend");
    gradcheck_net(distance, &shape, 150, 30, &ca_loss_bce, "square distance");
    gradcheck_net(alignment, &shape, 300, 100, &ca_loss_bce, "alignment, of a batch of several chunks");
    gradcheck_net(alignment, &shape, 1, 100, &ca_loss_bce, "alignment of one row");
    gradcheck_net(uniformity, &shape, 150, 100, &ca_loss_bce, "uniformity");
    gradcheck_net(encoder_plain, &shape, 40, 20, &ca_loss_bce, "encoder layers");
    gradcheck_net(encoder_sets, &shape, 40, 20, &ca_loss_bce, "encoder layers: two sets, three heads");
    gradcheck_net(encoder_drops, &shape, 150, 12, &ca_loss_bce, "encoder layers with dropout");
    gradcheck_net(pairs, &shape, 150, 30, &ca_loss_bce, "attention over pairs with dropout");
    arch(fcn, 300, "fcn: weights of losses with gradients, dropout, batch norm of one channel");
    arch(cl4ctr, 150, "cl4ctr-deepfm: all losses, Dice");
    arch(afn, 150, "afn-plus with dropout");
    arch(edcn, 150, "edcn with batch norm and dropout");
    return tap_done();
}
