/* DeepFM in the form of its paper: first-order term, inner products and a perceptron on the same vectors. */
#include "model/fx.h"

#include "base/banned.h"

static const struct ca_arch_key keys[] = {CA_FX_KEYS_TOWER(0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "fm.lr_layer", 1);
    ca_val pairs = ca_op_part_sums(g, ca_op_pair_pool(g, v, ca_fx_fields(g)), 1);

    return ca_op_sum(g, (ca_val[3]){lr, pairs, ca_fx_deep(g, spec, v, "mlp", 1)}, 3);
}

const struct ca_arch ca_arch_deepfm_fx = {
    .name = "deepfm-fx",
    .summary = "factorisation machine beside a perceptron",
    .source = "DeepFM (arXiv 1703.04247) in the form of FuxiCTR",
    .used = "ExFM, vertical model in Tables 2 and 3; KDEF, Table III",
    .parameters = "N*d + N + 1 + M(D)",
    .operations = "V + U + 3*D + 4*d + Q(D) + 2",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
