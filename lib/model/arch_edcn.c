/* EDCN: cross and deep layers that meet after every layer, and gates of fields that part them again. */
#include "model/fx.h"

#include "base/banned.h"

enum { LAYERS };

static const struct ca_arch_key keys[] = {{"layers", 3, 1, 16, 0}, CA_FX_KEY_NORM(0), CA_FX_KEY_SHARE("dropout", 0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    size_t fields = ca_fx_fields(g), width;
    ca_val z = ca_fx_vectors(g, spec), c0 = z, c = z, t = z, in[3];
    struct ca_fx_how how = ca_fx_how(spec);
    char name[CA_FX_NAME];

    width = ca_graph_width(g, z);
    for (size_t l = 0; l < spec->option[LAYERS]; l++) {
        c = ca_op_regulate(g, z, ca_fx_layer(name, "regulation_modules", l, "g1"), fields);
        t = ca_op_regulate(g, z, ca_fx_layer(name, "regulation_modules", l, "g2"), fields);
        if (how.bn) {
            c = ca_fx_norm(g, c, ca_fx_layer(name, "regulation_modules", l, "bn1"), 0);
            t = ca_fx_norm(g, t, ca_fx_layer(name, "regulation_modules", l, "bn2"), 0);
        }
        c0 = l ? c0 : c;
        c = ca_op_cross_vector(g, c0, c, ca_fx_layer(name, "cross_layers", l, NULL), 0);
        t = ca_op_relu(g, ca_op_linear(g, t, ca_fx_layer(name, "dense_layers", l, "mlp.0"), width, 1));
        t = ca_op_dropout(g, t, how.dropout);
        z = ca_op_product(g, c, t);
    }
    in[0] = c;
    in[1] = t;
    in[2] = z;
    return ca_op_linear(g, ca_op_concat(g, in, 3), "fc", 1, 1);
}

const struct ca_arch ca_arch_edcn = {
    .name = "edcn",
    .summary = "cross and deep layers bridged after every layer",
    .source = "EDCN (KDD 2021), hadamard bridge, in the form of FuxiCTR",
    .used = "KDEF, Table III",
    .parameters = "N*d + layers*(2*F + D*D + 3*D + 4*bn*D) + 3*D + 1",
    .operations = "V + layers*(2*D*D + 7*D + 8*bn*D) + 6*D",
    .build = build,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};
