/* PNN with inner products: a perceptron on the vectors and the products of all pairs. */
#include "model/fx.h"

#include "base/banned.h"

static const struct ca_arch_key keys[] = {CA_FX_KEYS_TOWER(0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), in[2] = {v, ca_op_inner_pairs(g, v, ca_fx_fields(g))};

    return ca_fx_deep(g, spec, ca_op_concat(g, in, 2), "dnn", 1);
}

const struct ca_arch ca_arch_pnn = {
    .name = "pnn",
    .summary = "a perceptron on vectors and inner products of all pairs",
    .source = "PNN (arXiv 1611.00144), inner product, in the form of FuxiCTR",
    .used = "KDEF, student of KDEF_Latest in Tables II, III, V and VII",
    .parameters = "N*d + M(D + P)",
    .operations = "V + 2*P*d + Q(D + P)",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
