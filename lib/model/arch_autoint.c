/*
 * AutoInt in the form of the CrossAdapt code: three layers of self-attention
 * over the fields with two heads, each v = norm(attention(v) + v), then a
 * perceptron on [numeric, attended embeddings].
 */
#include <stdio.h>

#include "model/arch.h"
#include "nn/ops.h"

#include "base/banned.h"

#define LAYERS 3
#define HEADS 2

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_arch_tables(g, spec);
    size_t fields = ca_graph_inputs(g)->n_fields, params[LAYERS];
    char name[64];

    for (int i = 0; i < LAYERS; i++) {
        (void)snprintf(name, sizeof name, "dense.attention_layers.%d", i);
        params[i] = ca_op_attention_params(g, name, spec->width);
    }
    for (int i = 0; i < LAYERS; i++) {
        (void)snprintf(name, sizeof name, "dense.layer_norms.%d", i);
        v = ca_op_attention_layer(g, v, params[i], fields, HEADS, name);
    }
    return ca_op_mlp_block(g, ca_arch_join(g, v), "dense.mlp", spec->hidden, spec->n_hidden);
}

const struct ca_arch ca_arch_autoint = {
    .name = "autoint",
    .summary = "three layers of two-headed self-attention over the fields, then a perceptron; the width must be even",
    .source = "AutoInt (arXiv 1810.11921) in the form of CrossAdapt (arXiv 2602.01775)",
    .used = "CrossAdapt, pairs of architectures in Table 7",
    .parameters = "M(D) + 3*(4*d*d + 6*d)",
    .operations = "Q(D) + 3*(8*F*d*d + 4*F*F*d + 8*F*d)",
    .build = build,
    .mark = "dense.attention_layers.0.in_proj_weight",
    .stack = "dense.mlp",
    .stack_inputs = ca_arch_embeddings,
};
