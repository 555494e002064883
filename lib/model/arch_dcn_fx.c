/* DCN in the form of its paper: the bias of a cross layer is a vector outside the product. */
#include "model/fx.h"

#include "base/banned.h"

enum { LAYERS };

static const struct ca_arch_key keys[] = {{"layers", 3, 1, 16, 0}, CA_FX_KEYS_TOWER(0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), x = v, in[2];
    char name[CA_FX_NAME];

    for (size_t l = 0; l < spec->option[LAYERS]; l++)
        x = ca_op_cross_vector(g, v, x, ca_fx_layer(name, "crossnet.cross_net", l, NULL), 1);
    in[0] = x;
    in[1] = ca_fx_deep(g, spec, v, "dnn", 0);
    return ca_op_linear(g, ca_op_concat(g, in, 2), "fc", 1, 1);
}

const struct ca_arch ca_arch_dcn_fx = {
    .name = "dcn-fx",
    .summary = "cross layers of rank one beside a perceptron",
    .source = "DCN (arXiv 1708.05123), version 1, in the form of FuxiCTR",
    .used = "ExFM, foundation model in Tables 2 and 3; KDEF, Table III",
    .parameters = "N*d + 2*layers*D + H(D) + D + h + 1",
    .operations = "V + 4*layers*D + K(D) + 2*(D + h)",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
