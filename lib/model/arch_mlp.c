/* Multi-layer perceptron on [numeric, embeddings]: the source model of CrossAdapt. */
#include "model/arch.h"
#include "nn/ops.h"

#include "base/banned.h"

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return ca_op_mlp_block(g, ca_arch_join(g, ca_arch_tables(g, spec)), "dense.mlp", spec->hidden, spec->n_hidden);
}

const struct ca_arch ca_arch_mlp = {
    .name = "mlp",
    .summary = "multi-layer perceptron on numeric inputs and embeddings",
    .source = "CrossAdapt (arXiv 2602.01775), source model",
    .used = "CrossAdapt, teacher and matched student in Tables 1 to 7",
    .parameters = "M(D)",
    .operations = "Q(D)",
    .build = build,
    .stack = "dense.mlp",
    .stack_inputs = ca_arch_embeddings,
};
