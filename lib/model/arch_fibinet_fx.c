/* FiBiNET in the form of its paper: bilinear forms of the raw and of the reweighted vectors, and a first-order term. */
#include "model/fx.h"

#include "base/banned.h"

#define SQUEEZE_RATIO 3

static const struct ca_arch_key keys[] = {CA_FX_KEYS_TOWER(0), {0}};

static ca_val fibinet(struct ca_graph *g, const struct ca_arch_spec *spec, enum ca_bilinear form)
{
    size_t fields = ca_fx_fields(g), reduced = fields / SQUEEZE_RATIO;
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "lr_layer", 0), a, in[2];

    a = ca_op_linear(g, ca_op_part_means(g, v, fields), "senet_layer.excitation.0", reduced ? reduced : 1, 0);
    a = ca_op_relu(g, ca_op_linear(g, ca_op_relu(g, a), "senet_layer.excitation.2", fields, 0));
    in[0] = ca_op_bilinear_forms(g, v, "bilinear_interaction1.bilinear_W", fields, form);
    in[1] = ca_op_bilinear_forms(g, ca_op_scale_parts(g, v, a), "bilinear_interaction2.bilinear_W", fields, form);
    in[1] = ca_fx_deep(g, spec, ca_op_concat(g, in, 2), "dnn", 1);
    in[0] = lr;
    return ca_op_sum(g, in, 2);
}

static ca_val interaction(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return fibinet(g, spec, CA_BILINEAR_INTERACTION);
}

static ca_val each(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return fibinet(g, spec, CA_BILINEAR_EACH);
}

static ca_val all(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return fibinet(g, spec, CA_BILINEAR_ALL);
}

const struct ca_arch ca_arch_fibinet_fx = {
    .name = "fibinet-fx",
    .summary = "squeeze-excitation and bilinear forms, a matrix for every pair of fields",
    .source = "FiBiNET (arXiv 1905.09433), field_interaction, in the form of FuxiCTR",
    .used = "original form, in no table",
    .parameters = "N*d + N + 2*F*R + 2*P*d*d + M(2*P*d)",
    .operations = "V + U + 4*F*R + 2*D + 2*(2*P*d*d + P*d) + Q(2*P*d) + 1",
    .build = interaction,
    .family = CA_FAMILY_FX,
    .keys = keys,
};

const struct ca_arch ca_arch_fibinet_each = {
    .name = "fibinet-each",
    .summary = "squeeze-excitation and bilinear forms, a matrix for every left field",
    .source = "FiBiNET (arXiv 1905.09433), field_each, in the form of FuxiCTR",
    .used = "variant of the model's paper, in no table",
    .parameters = "N*d + N + 2*F*R + 2*F*d*d + M(2*P*d)",
    .operations = "V + U + 4*F*R + 2*D + 2*(2*F*d*d + P*d) + Q(2*P*d) + 1",
    .build = each,
    .family = CA_FAMILY_FX,
    .keys = keys,
};

const struct ca_arch ca_arch_fibinet_all = {
    .name = "fibinet-all",
    .summary = "squeeze-excitation and bilinear forms, one matrix",
    .source = "FiBiNET (arXiv 1905.09433), field_all, in the form of FuxiCTR",
    .used = "variant of the model's paper, in no table",
    .parameters = "N*d + N + 2*F*R + 2*d*d + M(2*P*d)",
    .operations = "V + U + 4*F*R + 2*D + 2*(2*F*d*d + P*d) + Q(2*P*d) + 1",
    .build = all,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
