/*
 * DCN in the form of the CrossAdapt code: three cross layers with a scalar
 * bias beside a hidden stack, both on [numeric, embeddings], joined by a last
 * linear layer.
 */
#include "model/arch.h"
#include "nn/ops.h"

#include "base/banned.h"

#define CROSS_LAYERS 3

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val x0 = ca_arch_join(g, ca_arch_tables(g, spec)), x = ca_op_cross(g, x0, "dense.cross_layers", CROSS_LAYERS);

    return ca_op_linear(
        g,
        ca_op_concat(g, (ca_val[2]){x, ca_op_hidden_block(g, x0, "dense.deep_mlp", spec->hidden, spec->n_hidden)}, 2),
        "dense.final_fc", 1, 1);
}

const struct ca_arch ca_arch_dcn = {
    .name = "dcn",
    .summary = "three cross layers beside a perceptron",
    .source = "DCN (arXiv 1708.05123) in the form of CrossAdapt (arXiv 2602.01775)",
    .used = "CrossAdapt, pairs of architectures in Table 7",
    .parameters = "H(D) + 3*(D + 1) + D + h + 1",
    .operations = "K(D) + 12*D + 2*(D + h)",
    .build = build,
    .mark = "dense.cross_layers.0.weight",
    .stack = "dense.deep_mlp",
    .stack_inputs = ca_arch_embeddings,
};
