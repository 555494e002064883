/* NFM in the form of the CrossAdapt code: a perceptron on [numeric, sum of the products of all pairs]; no first-order term. */
#include "model/arch.h"
#include "nn/ops.h"

#include "base/banned.h"

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val z = ca_op_pair_pool(g, ca_arch_tables(g, spec), ca_graph_inputs(g)->n_fields);

    return ca_op_mlp_block(g, ca_arch_join(g, z), "dense.mlp", spec->hidden, spec->n_hidden);
}

static size_t stack_inputs(size_t fields, size_t width)
{
    (void)fields;
    return width;
}

const struct ca_arch ca_arch_nfm = {
    .name = "nfm",
    .summary = "products of all pairs of embeddings, summed, then a perceptron",
    .source = "NFM (arXiv 1708.05027) in the form of CrossAdapt (arXiv 2602.01775)",
    .used = "CrossAdapt, published code, in no table",
    .parameters = "M(N + d)",
    .operations = "Q(N + d) + 3*F*d + 3*d",
    .build = build,
    .stack = "dense.mlp",
    .stack_inputs = stack_inputs,
};
