/* EulerNet: embeddings are angles; products of powers of fields are sums of logarithms of complex numbers. */
#include <math.h>
#include <stdio.h>

#include "model/fx.h"
#include "nn/ops_angle.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

enum { LAYERS, ORDERS, NORM, NORMAL };

#define IMPLICIT_DEVIATION 0.01 /* of the authors' implicit weights */

/* orders: of every layer, 0: as many as fields; normal: implicit weights as the authors start them, not xavier_uniform */
static const struct ca_arch_key keys[] = {
    {"layers", 2, 1, 16, 0}, {"orders", 0, 0, 1024, 0}, {"norm", 1, 0, 1, 0}, {"normal", 0, 0, 1, 0}, {0}};

/* exp(O log z + b) + relu(W z + b), normed; real and imaginary parts go through one W */
static ca_val layer(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val z, size_t i, size_t from, size_t to)
{
    size_t in = from * spec->width, out = to * spec->width;
    struct ca_init_rule weight = {CA_INIT_UNIFORM, sqrt(6 / (double)(in + out))};
    const struct ca_init_rule bias = {CA_INIT_UNIFORM, 1 / sqrt((double)in)};
    char name[CA_FX_NAME], other[CA_FX_NAME];
    const char *prefix = "Euler_interaction_layers";
    ca_val y[2];

    if (spec->option[NORMAL])
        weight = (struct ca_init_rule){CA_INIT_NORMAL, IMPLICIT_DEVIATION};
    y[0] = ca_op_complex_exp(g, ca_op_orders(g, ca_op_complex_log(g, z), ca_fx_layer(name, prefix, i, NULL), from, to));
    y[1] = ca_op_map(g, z, ca_op_map_params(g, ca_fx_layer(name, prefix, i, "im"), in, out, weight, &bias), 2, out, 1);
    y[1] = ca_op_relu(g, y[1]);
    z = ca_op_sum(g, y, 2);
    return spec->option[NORM] ? ca_op_complex_norm(g, z, ca_fx_layer(name, prefix, i, "norm_r"),
                                                   ca_fx_layer(other, prefix, i, "norm_p"), to)
                              : z;
}

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    size_t f = ca_fx_fields(g), to = spec->option[ORDERS] ? spec->option[ORDERS] : f, out = to * spec->width;
    const struct ca_init_rule bias = {CA_INIT_UNIFORM, 1 / sqrt((double)(out ? out : 1))};
    ca_val z = ca_op_circle(g, ca_fx_vectors(g, spec), "mu", f);

    for (size_t i = 0; i < spec->option[LAYERS]; i++)
        z = layer(g, spec, z, i, i ? to : f, to);
    z = ca_op_map(g, z, ca_op_map_params(g, "reg", out, 1, ca_init_xavier(out, 1), &bias), 2, 1, 1);
    return ca_op_part_sums(g, z, 1);
}

const struct ca_arch ca_arch_eulernet = {
    .name = "eulernet",
    .summary = "products of learned powers of fields, as complex numbers",
    .source = "EulerNet (arXiv 2304.10711) in the form of FuxiCTR",
    .used = "KDEF, Table III",
    .parameters =
        "N*d + F + (F + (layers - 1)*first(orders, F))*first(orders, F)*(1 + d*d) + layers*first(orders, "
        "F)*3*d + layers*4*norm*d + first(orders, F)*d + 1",
    .operations =
        "V + 20*D + 20*(F + (layers - 1)*first(orders, F))*d + 4*(F + (layers - 1)*first(orders, "
        "F))*first(orders, F)*d + 30*layers*first(orders, F)*d + 4*(F + (layers - 1)*first(orders, "
        "F))*first(orders, F)*d*d + 2*layers*first(orders, F)*d + 14*layers*norm*first(orders, F)*d + "
        "4*first(orders, F)*d + 2",
    .build = build,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};
