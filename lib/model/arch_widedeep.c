/* Wide & Deep: a first-order term beside a perceptron. */
#include "model/fx.h"

#include "base/banned.h"

static const struct ca_arch_key keys[] = {CA_FX_KEYS_TOWER(0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "lr_layer", 0);

    return ca_op_sum(g, (ca_val[2]){lr, ca_fx_deep(g, spec, v, "dnn", 1)}, 2);
}

const struct ca_arch ca_arch_widedeep = {
    .name = "widedeep",
    .summary = "first-order term beside a perceptron",
    .source = "Wide & Deep (arXiv 1606.07792) in the form of FuxiCTR",
    .used = "KDEF, Tables III and VI",
    .parameters = "N*d + N + M(D)",
    .operations = "V + U + Q(D) + 1",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
