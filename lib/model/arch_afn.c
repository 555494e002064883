/* AFN: products of fields with powers that are learned, as exponentials of mixed logarithms; and with a perceptron beside. */
#include "model/fx.h"

#include "base/banned.h"

enum { NEURONS, BN, DROPOUT, DICE };
enum { DNN = DICE + 1, DNN_LAYERS, SHARED };

static const struct ca_arch_key keys[] = {{"neurons", 5, 1, 65536, 0}, CA_FX_KEYS_TOWER(1), {0}};

/* dnn: width of the layers of the perceptron beside, 0: the same layers as the first; shared: it has no vectors of its own */
static const struct ca_arch_key plus_keys[] = {
    {"neurons", 5, 1, 65536, 0}, CA_FX_KEYS_TOWER(1), {"dnn", 0, 0, 65536, 0}, {"dnn-layers", 3, 1, CA_MAX_HIDDEN, 0},
    {"shared", 0, 0, 1, 0}, CA_FX_KEY_SHARE("dnn-dropout", 0), {0}};

static ca_val logarithmic(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v)
{
    size_t fields = ca_fx_fields(g), n = spec->option[NEURONS];
    ca_val x = ca_fx_norm(g, ca_op_log_size(g, v), "log_batch_norm", fields);

    x = ca_op_log_neurons(g, x, "coefficient_W", fields, n);
    return ca_fx_deep(g, spec, ca_fx_norm(g, x, "exp_batch_norm", n), "dense_layer", 1);
}

static ca_val alone(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return logarithmic(g, spec, ca_fx_vectors(g, spec));
}

static ca_val plus(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    struct ca_fx_how how = ca_fx_how(spec);
    size_t hidden[CA_MAX_HIDDEN], n = spec->option[DNN] ? spec->option[DNN_LAYERS] : spec->n_hidden;
    ca_val v = ca_fx_vectors(g, spec), in[2];

    for (size_t i = 0; i < n; i++)
        hidden[i] = spec->option[DNN] ? spec->option[DNN] : spec->hidden[i];
    how.dropout = ca_fx_fraction(spec, "dnn-dropout");
    in[0] = logarithmic(g, spec, v);
    if (!spec->option[SHARED])
        v = ca_op_fx_fields(g, "embedding_layer2", spec->width, 1);
    in[1] = ca_fx_tower(g, v, "dnn", hidden, n, 1, &how);
    return ca_op_linear(g, ca_op_concat(g, in, 2), "fc", 1, 1);
}

const struct ca_arch ca_arch_afn = {
    .name = "afn",
    .summary = "products of fields with powers that are learned, then a perceptron",
    .source = "AFN (arXiv 1909.03276) in the form of FuxiCTR",
    .used = "without its perceptron in no table",
    .parameters = "N*d + 2*F + F*neurons + 2*neurons + M(neurons*d)",
    .operations = "V + D + 4*D + 2*neurons*D + neurons*d + 4*neurons*d + Q(neurons*d)",
    .build = alone,
    .family = CA_FAMILY_FX,
    .keys = keys,
};

const struct ca_arch ca_arch_afn_plus = {
    .name = "afn-plus",
    .summary = "the same beside a perceptron on other vectors",
    .source = "AFN+ (arXiv 1909.03276) in the form of FuxiCTR",
    .used = "KDEF, Tables III and VI",
    .parameters =
        "N*d*(2 - shared) + 2*F + F*neurons + 2*neurons + M(neurons*d) + (dnn > 0)*(S(D, dnn, dnn_layers) "
        "+ dnn + 1) + (dnn == 0)*M(D) + 3",
    .operations =
        "V*(2 - shared) + D + 4*D + 2*neurons*D + neurons*d + 4*neurons*d + Q(neurons*d) + (dnn > "
        "0)*(T(D, dnn, dnn_layers) + 2*dnn) + (dnn == 0)*Q(D) + 4",
    .build = plus,
    .family = CA_FAMILY_FX,
    .keys = plus_keys,
};
