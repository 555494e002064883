/* Logistic regression: one weight for every value of every field. */
#include "model/fx.h"

#include "base/banned.h"

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    (void)spec;
    return ca_op_fx_lr(g, "lr_layer", 1);
}

const struct ca_arch ca_arch_lr = {
    .name = "lr",
    .summary = "logistic regression, one weight a value",
    .source = "LR in the form of FuxiCTR",
    .used = "alone in no table; a part of fm, deepfm-fx and others",
    .parameters = "N + 1",
    .operations = "U",
    .build = build,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_NONE,
};
