/* DLRM: numeric features through a perceptron to one more vector, then a perceptron on all inner products. */
#include "model/fx.h"

#include "base/banned.h"

enum { BOTTOM, BOTTOM_LAYERS };

/* dropout: of the top perceptron */
static const struct ca_arch_key keys[] = {{"bottom", 64, 1, 65536, 0}, {"bottom-layers", 3, 0, 15, 0},
                                          CA_FX_KEYS_TOWER(0), CA_FX_KEY_SHARE("bottom-dropout", 0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    const struct ca_inputs *inputs = ca_graph_inputs(g);
    struct ca_fx_how how = ca_fx_how(spec);
    char name[CA_FX_NAME];
    size_t hidden[16], n = 0, fields = inputs->n_fields;
    ca_val v = {0}, dense, in[2];

    if (fields)
        v = ca_graph_embed_fx(g, "embedding_layer.embedding_layer.embedding_layers", spec->width);
    if (!inputs->n_numeric)
        return ca_fx_deep(g, spec, ca_op_inner_pairs(g, v, fields), "top_mlp", 1);
    while (n < spec->option[BOTTOM_LAYERS])
        hidden[n++] = spec->option[BOTTOM];
    how.dropout = ca_fx_fraction(spec, "bottom-dropout");
    dense = ca_fx_tower(g, ca_graph_numeric(g), "bottom_mlp", hidden, n, 0, &how);
    ca_fx_layer(name, "bottom_mlp.mlp", ca_fx_place(&how, n), NULL);
    dense = ca_op_relu(g, ca_op_linear(g, dense, name, spec->width, 1)); /* a vector has a ReLU, but no norm or dropout */
    in[0] = v;
    in[1] = dense;
    in[0] = ca_op_inner_pairs(g, fields ? ca_op_concat(g, in, 2) : dense, fields + 1);
    return ca_fx_deep(g, spec, ca_op_concat(g, in, 2), "top_mlp", 1);
}

const struct ca_arch ca_arch_dlrm = {
    .name = "dlrm",
    .summary = "inner products of fields and of a bottom perceptron's output, then a perceptron",
    .source = "DLRM (arXiv 1906.00091), dot interaction, in the form of FuxiCTR",
    .used = "ExFM, vertical model within Meta; CrossAdapt cites it",
    .parameters =
        "(N > 0)*(S(N, bottom, bottom_layers) + d*first((bottom_layers > 0)*bottom, N) + d) + M((C + (N > "
        "0))*(C + (N > 0) - 1)/2 + (N > 0)*d)",
    .operations =
        "(N > 0)*(T(N, bottom, bottom_layers) + 2*d*first((bottom_layers > 0)*bottom, N)) + d*(C + (N > "
        "0))*(C + (N > 0) - 1) + Q((C + (N > 0))*(C + (N > 0) - 1)/2 + (N > 0)*d)",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
