/*
 * AFM in the form of the CrossAdapt code: the sum over all elements of the
 * attended products of pairs, plus a perceptron on [numeric, embeddings].
 */
#include "model/arch.h"
#include "nn/ops.h"
#include "nn/ops_cross.h"

#include "base/banned.h"

#define ATTENTION_WIDTH 8

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_arch_tables(g, spec), out[2];

    out[0] = ca_op_pair_attention(g, v, "dense.attention_linear", "dense.attention_h", ca_graph_inputs(g)->n_fields,
                                  ATTENTION_WIDTH, 0);
    out[0] = ca_op_part_sums(g, out[0], 1);
    out[1] = ca_op_mlp_block(g, ca_arch_join(g, v), "dense.mlp", spec->hidden, spec->n_hidden);
    return ca_op_sum(g, out, 2);
}

const struct ca_arch ca_arch_afm = {
    .name = "afm",
    .summary = "attention over the products of all pairs of embeddings beside a perceptron",
    .source = "AFM (arXiv 1708.04617) in the form of CrossAdapt (arXiv 2602.01775)",
    .used = "CrossAdapt, pairs of architectures in Table 7",
    .parameters = "M(D) + 8*d + 16",
    .operations = "Q(D) + P*(20*d + 16) + d + 1",
    .build = build,
    .mark = "dense.attention_h.weight",
    .stack = "dense.mlp",
    .stack_inputs = ca_arch_embeddings,
};
