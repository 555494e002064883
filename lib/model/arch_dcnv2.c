/* DCNv2: cross layers with a matrix, alone, below or beside a perceptron. */
#include "model/fx.h"

#include "base/banned.h"

enum { LAYERS };

static const struct ca_arch_key keys[] = {{"layers", 3, 1, 16, 0}, CA_FX_KEYS_TOWER(0), {0}};
static const struct ca_arch_key bare_keys[] = {{"layers", 3, 1, 16, 0}, {0}};

static ca_val crosses(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v)
{
    char name[CA_FX_NAME];
    ca_val x = v;

    for (size_t l = 0; l < spec->option[LAYERS]; l++)
        x = ca_op_cross_matrix(g, v, x, ca_fx_layer(name, "crossnet.cross_layers", l, NULL));
    return x;
}

static ca_val tower(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val x, const char *name)
{
    return ca_fx_deep(g, spec, x, name, 0);
}

static ca_val parallel(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), in[2] = {crosses(g, spec, v), tower(g, spec, v, "parallel_dnn")};

    return ca_op_linear(g, ca_op_concat(g, in, 2), "fc", 1, 1);
}

static ca_val stacked(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec);

    return ca_op_linear(g, tower(g, spec, crosses(g, spec, v), "stacked_dnn"), "fc", 1, 1);
}

static ca_val both(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), in[2];

    in[0] = tower(g, spec, crosses(g, spec, v), "stacked_dnn");
    in[1] = tower(g, spec, v, "parallel_dnn");
    return ca_op_linear(g, ca_op_concat(g, in, 2), "fc", 1, 1);
}

static ca_val crossnet(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return ca_op_linear(g, crosses(g, spec, ca_fx_vectors(g, spec)), "fc", 1, 1);
}

const struct ca_arch ca_arch_dcnv2 = {
    .name = "dcnv2",
    .summary = "cross layers with a matrix beside a perceptron",
    .source = "DCNv2 (arXiv 2008.13535), parallel, in the form of FuxiCTR",
    .used = "ExFM, foundation model in Tables 2 and 3; KDEF, Tables III and VI",
    .parameters = "N*d + layers*(D*D + D) + H(D) + D + h + 1",
    .operations = "V + layers*(2*D*D + 3*D) + K(D) + 2*(D + h)",
    .build = parallel,
    .family = CA_FAMILY_FX,
    .keys = keys,
};

const struct ca_arch ca_arch_dcnv2_stacked = {
    .name = "dcnv2-stacked",
    .summary = "a perceptron on cross layers with a matrix",
    .source = "DCNv2 (arXiv 2008.13535), stacked, in the form of FuxiCTR",
    .used = "variant of the model's paper, in no table",
    .parameters = "N*d + layers*(D*D + D) + M(D)",
    .operations = "V + layers*(2*D*D + 3*D) + Q(D)",
    .build = stacked,
    .family = CA_FAMILY_FX,
    .keys = keys,
};

const struct ca_arch ca_arch_dcnv2_both = {
    .name = "dcnv2-both",
    .summary = "perceptrons on and beside cross layers with a matrix",
    .source = "DCNv2 (arXiv 2008.13535), stacked_parallel, in the form of FuxiCTR",
    .used = "variant of the model's paper, in no table",
    .parameters = "N*d + layers*(D*D + D) + 2*H(D) + 2*h + 1",
    .operations = "V + layers*(2*D*D + 3*D) + 2*Q(D)",
    .build = both,
    .family = CA_FAMILY_FX,
    .keys = keys,
};

const struct ca_arch ca_arch_crossnetv2 = {
    .name = "crossnetv2",
    .summary = "cross layers with a matrix alone",
    .source = "DCNv2 (arXiv 2008.13535), crossnet_only, in the form of FuxiCTR",
    .used = "KDEF, Table VI",
    .parameters = "N*d + layers*(D*D + D) + D + 1",
    .operations = "V + layers*(2*D*D + 3*D) + 2*D",
    .build = crossnet,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = bare_keys,
};
