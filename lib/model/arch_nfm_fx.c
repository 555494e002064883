/* NFM in the form of its paper: a first-order term and a perceptron on the pooled pairs. */
#include "model/fx.h"

#include "base/banned.h"

static const struct ca_arch_key keys[] = {CA_FX_KEYS_TOWER(0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "lr_layer", 0);
    ca_val z = ca_op_pair_pool(g, v, ca_fx_fields(g));

    return ca_op_sum(g, (ca_val[2]){lr, ca_fx_deep(g, spec, z, "dnn", 1)}, 2);
}

const struct ca_arch ca_arch_nfm_fx = {
    .name = "nfm-fx",
    .summary = "first-order term beside a perceptron on pooled pairs",
    .source = "NFM (arXiv 1708.05027) in the form of FuxiCTR",
    .used = "original form, in no table",
    .parameters = "N*d + N + M(d)",
    .operations = "V + U + 3*D + 3*d + Q(d) + 1",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
