/* MaskNet: hidden layers whose inputs are masked by a function of the vectors, one after another or side by side. */
#include "model/fx.h"

#include "base/banned.h"

enum { SHRINK, NORM };
enum { BLOCKS = 2, BLOCK };

/* width of a mask's hidden layer in hundredths of what it masks; LayerNorm after the hidden layer, or not */
static const struct ca_arch_key serial_keys[] = {
    {"percent", 10, 1, 1000, 0}, {"norm", 0, 0, 1, 0}, CA_FX_KEY_SHARE("dropout", 0), {0}};
static const struct ca_arch_key parallel_keys[] = {
    {"percent", 10, 1, 1000, 0}, {"norm", 0, 0, 1, 0}, {"blocks", 2, 1, 8, 0}, {"block", 64, 1, 65536, 0},
    CA_FX_KEY_SHARE("dropout", 0), {0}};

/* drop(relu(norm(W (mask * h)))), mask = W2 relu(W1 v + b1) + b2 */
static ca_val block(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v, ca_val h, size_t i, size_t out)
{
    char name[CA_FX_NAME];
    size_t width = ca_graph_width(g, h), r = width * spec->option[SHRINK] / 100;
    ca_val mask;

    mask = ca_op_linear(g, v, ca_fx_layer(name, "mask_net.mask_blocks", i, "mask_layer.0"), r ? r : 1, 1);
    mask = ca_op_linear(g, ca_op_relu(g, mask), ca_fx_layer(name, "mask_net.mask_blocks", i, "mask_layer.2"), width, 1);
    h = ca_op_product(g, mask, h);
    h = ca_op_linear(g, h, ca_fx_layer(name, "mask_net.mask_blocks", i, "hidden_layer.0"), out, 0);
    if (spec->option[NORM])
        h = ca_op_layer_norm(g, h, ca_fx_layer(name, "mask_net.mask_blocks", i, "hidden_layer.1"));
    return ca_op_dropout(g, ca_op_relu(g, h), ca_fx_fraction(spec, "dropout"));
}

static ca_val serial(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), h = v;

    for (size_t i = 0; i < spec->n_hidden; i++)
        h = block(g, spec, v, h, i, spec->hidden[i]);
    return ca_op_linear(g, h, "mask_net.fc.0", 1, 1);
}

static ca_val parallel(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), y[CA_OP_MAX_INPUTS];

    for (size_t i = 0; i < spec->option[BLOCKS]; i++)
        y[i] = block(g, spec, v, v, i, spec->option[BLOCK]);
    return ca_fx_deep(g, spec, ca_op_concat(g, y, spec->option[BLOCKS]), "mask_net.dnn", 1);
}

const struct ca_arch ca_arch_masknet = {
    .name = "masknet",
    .summary = "masked layers side by side, then a perceptron",
    .source = "MaskNet (arXiv 2102.07619), parallel, without norm of embeddings, in the form of FuxiCTR",
    .used = "KDEF, Table III",
    .parameters =
        "N*d + blocks*(2*D*max(1, int(D*percent/100)) + max(1, int(D*percent/100)) + D + D*block + "
        "2*norm*block) + M(blocks*block)",
    .operations = "V + blocks*(4*D*max(1, int(D*percent/100)) + D + 2*D*block + 7*norm*block) + Q(blocks*block)",
    .build = parallel,
    .family = CA_FAMILY_FX,
    .keys = parallel_keys,
};

const struct ca_arch ca_arch_masknet_serial = {
    .name = "masknet-serial",
    .summary = "masked layers one after another",
    .source = "MaskNet (arXiv 2102.07619), serial, without norm of embeddings, in the form of FuxiCTR",
    .used = "variant of the model's paper, in no table",
    .parameters = "N*d + each(D, max(1, int(i*percent/100))*(D + 1 + i) + i + i*o + 2*norm*o) + h + 1",
    .operations = "V + each(D, 2*max(1, int(i*percent/100))*(D + i) + i + 2*i*o + 7*norm*o) + 2*h",
    .build = serial,
    .family = CA_FAMILY_FX,
    .keys = serial_keys,
};
