/* Rotative factorisation machine: embeddings are angles, rotated by attention over fields; a network of amplitudes follows. */
#include <math.h>
#include <stdio.h>

#include "model/fx.h"
#include "nn/init.h"
#include "nn/ops_angle.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

enum { LAYERS, HEADS, ATTENTION, RESIDUAL, GROUP };

#define GAIN 1.414          /* of xavier_normal in the attention */
#define SMALL_DEVIATION 0.01 /* of the weights of the residual and of the amplitude network */

/* attention: width of a layer's output; residual: of first order; group: width of a norm in the amplitude network, 0: the layer */
static const struct ca_arch_key keys[] = {
    {"layers", 1, 1, 16, 0}, {"heads", 1, 1, 64, 0}, {"attention", 16, 1, 4096, 0}, {"residual", 1, 0, 1, 0},
    {"group", 0, 0, 65536, 0}, {0}};

static struct ca_init_rule gained(size_t in, size_t out)
{
    struct ca_init_rule rule = ca_init_xavier(in, out);

    rule.a *= GAIN;
    return rule;
}

/* norm(attention(theta Q, theta K, theta V) + W theta), Q, K, V of each field and W of all */
static ca_val rotation(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val theta, size_t i)
{
    static const char *const part[] = {"Q", "K", "V"};
    size_t f = ca_fx_fields(g), out = spec->option[ATTENTION], in = f ? ca_graph_width(g, theta) / f : 0;
    char name[CA_FX_NAME];
    ca_val qkv[3], y[2];

    for (size_t k = 0; k < 3; k++)
        qkv[k] = ca_op_field_maps(g, theta, ca_fx_layer(name, "saro_layers", i, part[k]), f, out, gained(in * out, f * out));
    y[0] = ca_op_rotative_attention(g, qkv[0], qkv[1], qkv[2], ca_fx_layer(name, "saro_layers", i, "weight"), f,
                                    spec->option[HEADS]);
    y[1] = ca_op_map(g, theta, ca_op_map_params(g, ca_fx_layer(name, "saro_layers", i, "linear_transform"), in, out,
                                                gained(in, out), NULL), f, out, 0);
    return ca_op_field_norm(g, ca_op_sum(g, y, 2), ca_fx_layer(name, "saro_layers", i, "norm"), f);
}

/* z + the circle of a projection of the embeddings, normed */
static ca_val first_order(struct ca_graph *g, ca_val z, ca_val theta, size_t width, size_t attention)
{
    const struct ca_init_rule weight = {CA_INIT_NORMAL, SMALL_DEVIATION};
    const struct ca_init_rule bias = {CA_INIT_UNIFORM, 1 / sqrt((double)width)};
    size_t f = ca_fx_fields(g), p = ca_op_map_params(g, "projection", width, attention, weight, &bias);
    ca_val y[2] = {z, ca_op_circle(g, ca_op_map(g, theta, p, f, attention, 1), NULL, f)};

    return ca_op_complex_norm(g, ca_op_sum(g, y, 2), "norm1", "norm2", f);
}

/* norm(relu(W z + b)); real and imaginary parts go through one W */
static ca_val amplitude(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val z, size_t i)
{
    const struct ca_init_rule weight = {CA_INIT_NORMAL, SMALL_DEVIATION};
    size_t in = ca_graph_width(g, z) / 2, out = spec->hidden[i], group = spec->option[GROUP] ? spec->option[GROUP] : out;
    const struct ca_init_rule bias = {CA_INIT_UNIFORM, 1 / sqrt((double)(in ? in : 1))};
    char name[CA_FX_NAME], other[CA_FX_NAME];

    if (out % group) {
        ca_graph_refuse(g, "hidden widths of RFM must be multiples of the group's width");
        group = out;
    }
    z = ca_op_map(g, z, ca_op_map_params(g, ca_fx_layer(name, "ampnet.block", i, "linear"), in, out, weight, &bias), 2,
                  out, 1);
    return ca_op_complex_norm(g, ca_op_relu(g, z), ca_fx_layer(name, "ampnet.block", i, "norm1"),
                              ca_fx_layer(other, "ampnet.block", i, "norm2"), out / group);
}

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    size_t f = ca_fx_fields(g), last = spec->hidden[spec->n_hidden - 1];
    const struct ca_init_rule bias = {CA_INIT_UNIFORM, 1 / sqrt((double)last)};
    ca_val v = ca_fx_vectors(g, spec), theta = v, z;

    ca_init_tables_xavier(g, 0);
    for (size_t i = 0; i < spec->option[LAYERS]; i++)
        theta = rotation(g, spec, theta, i);
    z = ca_op_circle(g, theta, NULL, f);
    if (spec->option[RESIDUAL])
        z = first_order(g, z, v, spec->width, spec->option[ATTENTION]);
    for (size_t i = 0; i < spec->n_hidden; i++)
        z = amplitude(g, spec, z, i);
    z = ca_op_map(g, z, ca_op_map_params(g, "ampnet.regularization", last, 1, ca_init_xavier(last, 1), &bias), 2, 1, 1);
    return ca_op_part_sums(g, z, 1);
}

const struct ca_arch ca_arch_rfm = {
    .name = "rfm",
    .summary = "angles of fields rotated by attention, then a network of amplitudes",
    .source = "RFM (KDD 2024), the authors' form",
    .used = "KDEF, Table III",
    .parameters =
        "N*d + 3*F*d*attention + d*attention + 3*(layers - 1)*F*attention*attention + (layers - "
        "1)*attention*attention + layers*(attention/heads + 2*attention) + residual*(d*attention + "
        "5*attention) + each(F*attention, i*o + o + 4*first(group, o)) + h + 1",
    .operations =
        "V + 8*F*d*attention + 8*(layers - 1)*F*attention*attention + layers*(6*F*F*attention + "
        "48*F*attention) + 20*F*attention + residual*F*attention*(2*d + 36) + each(F*attention, 4*i*o + "
        "14*o) + 4*h + 2",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
