/*
 * FiBiNET as CrossAdapt's target model uses it: squeeze-excitation with biases
 * and a sigmoid, bilinear pairs (field_all) of the reweighted embeddings only,
 * and a perceptron on [numeric, raw embeddings, pairs].
 */
#include "model/arch.h"
#include "nn/ops.h"

#include "base/banned.h"

#define SQUEEZE_RATIO 3

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    const struct ca_init_rule standard_normal = {CA_INIT_NORMAL, 1.0};
    size_t fields = ca_graph_inputs(g)->n_fields;
    ca_val in[3], raw, weighed;
    size_t n = 0;

    if (ca_graph_inputs(g)->n_numeric)
        in[n++] = ca_graph_numeric(g);
    raw = ca_graph_embed(g, "sparse_embedding.embedding_layers", spec->width, standard_normal);
    weighed = ca_op_senet(g, raw, "dense.senet", fields, SQUEEZE_RATIO);
    in[n++] = raw;
    in[n++] = ca_op_bilinear_pairs(g, weighed, "dense.bilinear_interaction.bilinear", fields);
    return ca_op_mlp_block(g, ca_op_concat(g, in, n), "dense.mlp", spec->hidden, spec->n_hidden);
}

const struct ca_arch ca_arch_fibinet = {
    "fibinet",
    "feature importance by squeeze-excitation and bilinear pairs, then a perceptron",
    "FiBiNET (arXiv 1905.09433) in the form of CrossAdapt (arXiv 2602.01775), target model",
    build,
};
