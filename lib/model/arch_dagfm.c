/* DAGFM: a graph of fields, ordered as they come, along whose edges states are summed and multiplied with the first. */
#include "model/fx.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

enum { LAYERS };

static const struct ca_arch_key keys[] = {{"layers", 3, 1, 16, 0}, {0}};

/* A layer's state enters the logit as the sums of its vectors. */
static ca_val states(struct ca_graph *g, const struct ca_arch_spec *spec, int outer)
{
    size_t f = ca_fx_fields(g);
    ca_val h0 = ca_op_connect_fields(g, ca_fx_vectors(g, spec), "connect_layer", f), h = h0, sums[CA_OP_MAX_INPUTS];
    char p[CA_FX_NAME], q[CA_FX_NAME];

    sums[0] = ca_op_part_sums(g, h0, f);
    for (size_t i = 0; i < spec->option[LAYERS]; i++) {
        (void)ca_fx_layer(p, "p", i, NULL);
        (void)ca_fx_layer(q, "q", i, NULL);
        h = outer ? ca_op_dag_outer(g, h, p, q, f) : ca_op_dag_inner(g, h, p, f);
        h = ca_op_product(g, h0, h);
        sums[i + 1] = ca_op_part_sums(g, h, f);
    }
    return ca_op_linear(g, ca_op_concat(g, sums, spec->option[LAYERS] + 1), "linear", 1, 1);
}

static ca_val inner(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return states(g, spec, 0);
}

static ca_val outer(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return states(g, spec, 1);
}

const struct ca_arch ca_arch_dagfm = {
    .name = "dagfm",
    .summary = "ordered graph of fields, inner products",
    .source = "DAGFM (arXiv 2211.11159), inner",
    .used = "KDEF, Table IV",
    .parameters = "N*d + F*F + layers*F*F*d + F*(layers + 1) + 1",
    .operations = "V + 2*F*D + layers*(F*(F + 1)*d + D) + (layers + 1)*(D + 2*F)",
    .build = inner,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};

const struct ca_arch ca_arch_dagfm_outer = {
    .name = "dagfm-outer",
    .summary = "ordered graph of fields, outer products",
    .source = "DAGFM (arXiv 2211.11159), outer",
    .used = "variant of the model's paper, in no table",
    .parameters = "N*d + F*F + 2*layers*F*F*d + F*(layers + 1) + 1",
    .operations = "V + 2*F*D + layers*(2*F*(F + 1)*d + D) + (layers + 1)*(D + 2*F)",
    .build = outer,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};
