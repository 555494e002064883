/* Factorisation machine: first-order term and inner products of all pairs of fields. */
#include "model/fx.h"

#include "base/banned.h"

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "fm.lr_layer", 1);

    return ca_op_sum(g, (ca_val[2]){lr, ca_op_part_sums(g, ca_op_pair_pool(g, v, ca_fx_fields(g)), 1)}, 2);
}

const struct ca_arch ca_arch_fm = {
    .name = "fm",
    .summary = "factorisation machine",
    .source = "FM (Rendle, ICDM 2010) in the form of FuxiCTR",
    .used = "ExFM, vertical model in Tables 2 to 5",
    .parameters = "N*d + N + 1",
    .operations = "V + U + 3*D + 4*d + 1",
    .build = build,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
};
