/* DeepFM in the form of the CrossAdapt code: second-order term of the embeddings plus a perceptron; no first-order term. */
#include "model/arch.h"
#include "nn/ops.h"
#include "nn/ops_cross.h"

#include "base/banned.h"

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_arch_tables(g, spec), pairs, deep;

    pairs = ca_op_part_sums(g, ca_op_pair_pool(g, v, ca_graph_inputs(g)->n_fields), 1);
    deep = ca_op_hidden_block(g, ca_arch_join(g, v), "dense.deep_mlp", spec->hidden, spec->n_hidden);
    deep = ca_op_linear(g, deep, "dense.deep_out", 1, 1);
    return ca_op_sum(g, (ca_val[2]){pairs, deep}, 2);
}

const struct ca_arch ca_arch_deepfm = {
    .name = "deepfm",
    .summary = "inner products of all pairs of embeddings beside a perceptron",
    .source = "DeepFM (arXiv 1703.04247) in the form of CrossAdapt (arXiv 2602.01775)",
    .used = "CrossAdapt, published code, in no table",
    .parameters = "M(D)",
    .operations = "Q(D) + 3*F*d + 4*d + 1",
    .build = build,
    .mark = "dense.deep_out.weight",
    .stack = "dense.deep_mlp",
    .stack_inputs = ca_arch_embeddings,
};
