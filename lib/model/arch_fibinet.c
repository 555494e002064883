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
    const char *bilinear = "dense.bilinear_interaction.bilinear";
    size_t fields = ca_graph_inputs(g)->n_fields;
    ca_val in[2], weighed, first;

    in[0] = ca_arch_tables(g, spec);
    weighed = ca_op_senet(g, in[0], "dense.senet", fields, SQUEEZE_RATIO);
    if (!spec->n_hidden) {
        in[1] = ca_op_bilinear_pairs(g, weighed, bilinear, fields);
        return ca_op_mlp_block(g, ca_arch_join(g, ca_op_concat(g, in, 2)), "dense.mlp", spec->hidden, 0);
    }
    first = ca_op_pair_linear(g, ca_arch_join(g, in[0]), weighed, bilinear, "dense.mlp.0", fields, spec->hidden[0]);
    return ca_op_mlp_block_rest(g, first, "dense.mlp", spec->hidden, spec->n_hidden);
}

static size_t stack_inputs(size_t fields, size_t width)
{
    return fields * width + (fields ? fields * (fields - 1) / 2 * width : 0);
}

const struct ca_arch ca_arch_fibinet = {
    .name = "fibinet",
    .summary = "feature importance by squeeze-excitation and bilinear pairs, then a perceptron",
    .source = "FiBiNET (arXiv 1905.09433) in the form of CrossAdapt (arXiv 2602.01775), target model",
    .used = "CrossAdapt, student in Tables 1 to 7",
    .parameters = "M(D + P*d) + 2*F*R + R + F + d*d",
    .operations = "Q(D + P*d) + 4*F*R + 2*F*d + 2*F*d*d + P*d",
    .build = build,
    .mark = "dense.senet.squeeze.weight",
    .stack = "dense.mlp",
    .stack_inputs = stack_inputs,
};
