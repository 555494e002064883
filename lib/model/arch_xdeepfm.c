/*
 * xDeepFM in the form of the CrossAdapt code, where each of the three
 * interaction layers has one map and so becomes a product of linear forms:
 * s1 = w1.(v outer v) + b1, s2 = s1 (w2.v) + b2, s3 = s2 (w3.v) + b3. Their sum
 * and a perceptron meet in a last linear layer.
 */
#include "model/arch.h"
#include "nn/ops.h"

#include "base/banned.h"

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_arch_tables(g, spec), s[3], out[2];

    s[0] = ca_op_outer_form(g, v, "dense.cin_layers.0", ca_graph_inputs(g)->n_fields);
    s[1] = ca_op_scaled_form(g, s[0], v, "dense.cin_layers.1");
    s[2] = ca_op_scaled_form(g, s[1], v, "dense.cin_layers.2");
    out[0] = ca_op_sum(g, s, 3);
    out[1] = ca_op_mlp_block(g, ca_arch_join(g, v), "dense.dnn", spec->hidden, spec->n_hidden);
    return ca_op_linear(g, ca_op_concat(g, out, 2), "dense.final_linear", 1, 1);
}

const struct ca_arch ca_arch_xdeepfm = {
    .name = "xdeepfm",
    .summary = "three products of linear forms of the embeddings beside a perceptron",
    .source = "xDeepFM (arXiv 1803.05170) in the form of CrossAdapt (arXiv 2602.01775), one map a layer",
    .used = "CrossAdapt, published code, in no table",
    .parameters = "M(D) + F*F*d + 2*F*d + 6",
    .operations = "Q(D) + 2*F*d*(F + 1) + 4*F*d + 10",
    .build = build,
    .mark = "dense.cin_layers.0.weight",
    .stack = "dense.dnn",
    .stack_inputs = ca_arch_embeddings,
};
