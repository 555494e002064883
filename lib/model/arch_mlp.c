/* Multi-layer perceptron on [numeric, embeddings]: the source model of CrossAdapt. */
#include "model/arch.h"
#include "nn/ops.h"

#include "base/banned.h"

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    const struct ca_init_rule standard_normal = {CA_INIT_NORMAL, 1.0};
    ca_val in[2];
    size_t n = 0;

    if (ca_graph_inputs(g)->n_numeric)
        in[n++] = ca_graph_numeric(g);
    in[n++] = ca_graph_embed(g, "sparse_embedding.embedding_layers", spec->width, standard_normal);
    return ca_op_mlp_block(g, ca_op_concat(g, in, n), "dense.mlp", spec->hidden, spec->n_hidden);
}

const struct ca_arch ca_arch_mlp = {
    "mlp",
    "multi-layer perceptron on numeric inputs and embeddings",
    "CrossAdapt (arXiv 2602.01775), source model",
    build,
};
