/* nn/: what models of the FuxiCTR family are made of, against finite differences. */
#include "gradcheck.h"

static ca_val build_lr(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    ca_graph_set_family(g, CA_FAMILY_FX);
    return ca_op_fx_lr(g, "lr", 1);
}

static ca_val build_fields(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v;

    ca_graph_set_family(g, CA_FAMILY_FX);
    v = ca_op_fx_fields(g, "embedding_layer", s->width, 1);
    return ca_op_linear(g, ca_op_relu(g, ca_op_linear(g, v, "hidden", 7, 1)), "head", 1, 1);
}

/* A first-order and a deep part: two embeddings of the same ids, added up. */
static ca_val build_both(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val in[3];

    in[0] = build_fields(g, s);
    in[1] = ca_op_fx_lr(g, "lr", 0);
    in[2] = in[0];
    return ca_op_bias(g, ca_op_sum(g, in, 3), "bias");
}

int main(void)
{
    static const uint32_t rows[] = {5, 40, 3, 11, 2};
    struct kit_shape s = {.numeric = 3, .fields = 5, .width = 4, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};
    struct kit_shape plain = {.numeric = 0, .fields = 5, .width = 3, .rows = rows, .hidden = {8, 4}, .n_hidden = 2};

    gradcheck_net(build_lr, &s, 133, 1000, &ca_loss_bce, "first-order term with numeric features");
    gradcheck_net(build_lr, &plain, 293, 1000, &ca_loss_bce, "first-order term of ids alone");
    gradcheck_net(build_fields, &s, 293, 1000, &ca_loss_bce, "numeric and categorical fields");
    gradcheck_net(build_both, &s, 293, 1000, &ca_loss_bce, "two embeddings, sum and bias");
    return tap_done();
}
