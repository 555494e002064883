/* FinalMLP without feature selection: two perceptrons, fused by a bilinear form of several heads. */
#include "model/fx.h"

#include "base/banned.h"

enum { SECOND, HEADS };

/* width of the second perceptron's only layer, 0: the same layers as the first; dropout2: of the second */
static const struct ca_arch_key keys[] = {
    {"second", 0, 0, 65536, 0}, {"heads", 1, 1, 1024, 0}, CA_FX_KEYS_TOWER(0), CA_FX_KEY_SHARE("dropout2", 0), {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    const size_t *second = spec->option[SECOND] ? &spec->option[SECOND] : spec->hidden;
    size_t n_second = spec->option[SECOND] ? 1 : spec->n_hidden;
    struct ca_fx_how how = ca_fx_how(spec);
    ca_val v = ca_fx_vectors(g, spec), a = ca_fx_deep(g, spec, v, "mlp1", 0), b, in[3];

    how.dropout = ca_fx_fraction(spec, "dropout2");
    b = ca_fx_tower(g, v, "mlp2", second, n_second, 0, &how);
    in[0] = ca_op_linear(g, a, "fusion_module.w_x", 1, 1);
    in[1] = ca_op_linear(g, b, "fusion_module.w_y", 1, 1);
    in[2] = ca_op_bilinear_fusion(g, a, b, "fusion_module.w_xy", spec->option[HEADS]);
    return ca_op_sum(g, in, 3);
}

const struct ca_arch ca_arch_finalmlp = {
    .name = "finalmlp",
    .summary = "two perceptrons fused by a bilinear form",
    .source = "FinalMLP (arXiv 2304.00902) without feature selection, in the form of FuxiCTR",
    .used = "KDEF, Table III",
    .parameters =
        "N*d + H(D) + (second > 0)*S(D, second, 1) + (second == 0)*H(D) + h + first(second, h) + 2 + "
        "h*first(second, h)/heads",
    .operations =
        "V + K(D) + (second > 0)*T(D, second, 1) + (second == 0)*K(D) + 2*(h + first(second, h)) + "
        "2*h*first(second, h)/heads + 2",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
