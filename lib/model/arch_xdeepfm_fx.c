/* xDeepFM in the form of its paper, and its compressed interaction network alone. */
#include <stdio.h>

#include "model/fx.h"

#include "base/banned.h"

enum { LAYERS, MAPS };

static const struct ca_arch_key cin_keys[] = {{"layers", 3, 1, 16, 0}, {"maps", 16, 1, 1024, 0}, {0}};
static const struct ca_arch_key keys[] = {{"layers", 3, 1, 16, 0}, {"maps", 16, 1, 1024, 0}, CA_FX_KEYS_TOWER(0), {0}};

static ca_val cin(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v)
{
    ca_val x = v, pool[16];
    char name[CA_FX_NAME];
    size_t maps = spec->option[MAPS];

    for (size_t l = 0; l < spec->option[LAYERS]; l++) {
        (void)snprintf(name, sizeof name, "cin.cin_layer.layer_%zu", l + 1);
        x = ca_op_cin(g, v, x, name, ca_fx_fields(g), maps);
        pool[l] = ca_op_part_sums(g, x, maps);
    }
    /* a join takes few inputs at once */
    for (size_t n = spec->option[LAYERS]; n > 1; n--) {
        ca_val two[2] = {pool[0], pool[spec->option[LAYERS] - n + 1]};
        pool[0] = ca_op_concat(g, two, 2);
    }
    return ca_op_linear(g, pool[0], "cin.fc", 1, 1);
}

static ca_val whole(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "lr_layer", 0);
    ca_val deep = ca_fx_deep(g, spec, v, "dnn", 1);

    return ca_op_sum(g, (ca_val[3]){lr, cin(g, spec, v), deep}, 3);
}

static ca_val alone(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return cin(g, spec, ca_fx_vectors(g, spec));
}

const struct ca_arch ca_arch_xdeepfm_fx = {
    .name = "xdeepfm-fx",
    .summary = "compressed interaction network beside a perceptron and a first-order term",
    .source = "xDeepFM (arXiv 1803.05170) in the form of FuxiCTR",
    .used = "KDEF, Tables III and VI",
    .parameters = "N*d + N + M(D) + F*F*maps + (layers - 1)*F*maps*maps + 2*layers*maps + 1",
    .operations = "V + U + Q(D) + 2*maps*d*F*(F + 1) + 2*(layers - 1)*maps*d*F*(maps + 1) + layers*maps*(d + 2) + 2",
    .build = whole,
    .family = CA_FAMILY_FX,
    .keys = keys,
};

const struct ca_arch ca_arch_cin = {
    .name = "cin",
    .summary = "compressed interaction network alone",
    .source = "xDeepFM (arXiv 1803.05170), CIN, in the form of FuxiCTR",
    .used = "KDEF, Table VI",
    .parameters = "N*d + F*F*maps + (layers - 1)*F*maps*maps + 2*layers*maps + 1",
    .operations = "V + 2*maps*d*F*(F + 1) + 2*(layers - 1)*maps*d*F*(maps + 1) + layers*maps*(d + 2)",
    .build = alone,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = cin_keys,
};
