/* AFM in the form of its paper: attention weighs the pairs, a projection makes them a number; no perceptron. */
#include "model/fx.h"

#include "base/banned.h"

enum { ATTENTION };

/* dropout: of the weights; dropout2: of the weighed sum */
static const struct ca_arch_key keys[] = {{"attention", 10, 1, 1024, 0}, CA_FX_KEY_SHARE("dropout", 0),
                                          CA_FX_KEY_SHARE("dropout2", 0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "lr_layer", 1), z;

    z = ca_op_pair_attention(g, v, "attention.0", "attention.2", ca_fx_fields(g), spec->option[ATTENTION],
                             ca_fx_fraction(spec, "dropout"));
    z = ca_op_dropout(g, z, ca_fx_fraction(spec, "dropout2"));
    return ca_op_sum(g, (ca_val[2]){lr, ca_op_linear(g, z, "weight_p", 1, 0)}, 2);
}

const struct ca_arch ca_arch_afm_fx = {
    .name = "afm-fx",
    .summary = "pairs of fields weighed by attention",
    .source = "AFM (arXiv 1708.04617) in the form of FuxiCTR",
    .used = "original form, in no table",
    .parameters = "N*d + N + 1 + attention*(d + 2) + d",
    .operations = "V + U + P*(4*d + 2*attention*d + 2*attention) + 2*d + 1",
    .build = build,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};
