/* AutoInt as in its own paper, and with a perceptron beside it. */
#include "model/fx.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

enum { LAYERS, HEADS, ATTENTION, SCALE, RESIDUAL, NORM };

/* attention: width of a layer's output; scale: divide scores by the root of a head's width; norm: of each field */
static const struct ca_arch_key keys[] = {
    {"layers", 2, 1, 16, 0}, {"heads", 1, 1, 64, 0},   {"attention", 8, 1, 4096, 0}, {"scale", 0, 0, 1, 0},
    {"residual", 1, 0, 1, 0}, {"norm", 0, 0, 1, 0}, {0}};
static const struct ca_arch_key plus_keys[] = {
    {"layers", 2, 1, 16, 0}, {"heads", 1, 1, 64, 0},   {"attention", 8, 1, 4096, 0}, {"scale", 0, 0, 1, 0},
    {"residual", 1, 0, 1, 0}, {"norm", 0, 0, 1, 0}, CA_FX_KEYS_TOWER(0), {0}};

/* relu(norm(attention(x) + W x)); W is there where the widths differ */
static ca_val layer(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val x, size_t i)
{
    size_t f = ca_fx_fields(g), out = spec->option[ATTENTION], in = f ? ca_graph_width(g, x) / f : 0;
    char name[CA_FX_NAME];
    ca_val y[2];

    y[0] = ca_op_bare_attention(g, x, ca_fx_layer(name, "self_attention", i, NULL), f, out, spec->option[HEADS],
                                (int)spec->option[SCALE]);
    y[1] = x;
    if (spec->option[RESIDUAL] && in != out)
        y[1] = ca_op_map(g, x, ca_op_map_params(g, ca_fx_layer(name, "self_attention", i, "W_res"), in, out,
                                                ca_graph_weight_init(g, in, out), NULL), f, out, 0);
    x = spec->option[RESIDUAL] ? ca_op_sum(g, y, 2) : y[0];
    if (spec->option[NORM])
        x = ca_op_field_norm(g, x, ca_fx_layer(name, "self_attention", i, "layer_norm"), f);
    return ca_op_relu(g, x);
}

static ca_val attended(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v)
{
    for (size_t i = 0; i < spec->option[LAYERS]; i++)
        v = layer(g, spec, v, i);
    return ca_op_linear(g, v, "fc", 1, 1);
}

static ca_val alone(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return attended(g, spec, ca_fx_vectors(g, spec));
}

static ca_val plus(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), s[2];

    s[0] = attended(g, spec, v);
    s[1] = ca_fx_deep(g, spec, v, "dnn", 1);
    return ca_op_sum(g, s, 2);
}

const struct ca_arch ca_arch_autoint_fx = {
    .name = "autoint-fx",
    .summary = "self-attention over fields",
    .source = "AutoInt (arXiv 1810.11921) in the form of FuxiCTR",
    .used = "without its perceptron in no table",
    .parameters =
        "N*d + (3 + residual*(d != attention))*d*attention + 3*(layers - 1)*attention*attention + "
        "2*layers*norm*attention + F*attention + 1",
    .operations =
        "V + (6 + 2*residual*(d != attention))*F*d*attention + 6*(layers - 1)*F*attention*attention + "
        "layers*F*attention*(4*F + residual + 7*norm) + 2*F*attention",
    .build = alone,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};

const struct ca_arch ca_arch_autoint_plus = {
    .name = "autoint-plus",
    .summary = "self-attention over fields beside a perceptron",
    .source = "AutoInt+ (arXiv 1810.11921) in the form of FuxiCTR",
    .used = "KDEF, Tables III and VI",
    .parameters =
        "N*d + (3 + residual*(d != attention))*d*attention + 3*(layers - 1)*attention*attention + "
        "2*layers*norm*attention + F*attention + 1 + M(D)",
    .operations =
        "V + (6 + 2*residual*(d != attention))*F*d*attention + 6*(layers - 1)*F*attention*attention + "
        "layers*F*attention*(4*F + residual + 7*norm) + 2*F*attention + Q(D) + 1",
    .build = plus,
    .family = CA_FAMILY_FX,
    .keys = plus_keys,
};
