/* Multi-layer perceptron in the form of FuxiCTR's DNN: the student of KDEF. */
#include "model/fx.h"

#include "base/banned.h"

static const struct ca_arch_key keys[] = {CA_FX_KEYS_TOWER(0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return ca_fx_deep(g, spec, ca_fx_vectors(g, spec), "mlp", 1);
}

const struct ca_arch ca_arch_mlp_fx = {
    .name = "mlp-fx",
    .summary = "perceptron on the vectors of all fields",
    .source = "DNN in the form of FuxiCTR, student of KDEF",
    .used = "KDEF, student of KDEF_MLP in Tables II, III, IV and VII",
    .parameters = "N*d + M(D)",
    .operations = "V + Q(D)",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
