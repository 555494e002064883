/* Field-matrixed factorisation machines: every pair of fields has a matrix, or a vector, of its own. */
#include "model/fx.h"

#include "base/banned.h"

static ca_val matrixed(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "lr_layer", 1);

    return ca_op_sum(g, (ca_val[2]){lr, ca_op_matrixed_pairs(g, v, "interaction_weight", ca_fx_fields(g))}, 2);
}

static ca_val vectorized(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), lr = ca_op_fx_lr(g, "lr_layer", 1);

    return ca_op_sum(g, (ca_val[2]){lr, ca_op_vectorized_pairs(g, v, "interaction_weight", ca_fx_fields(g))}, 2);
}

const struct ca_arch ca_arch_fmfm = {
    .name = "fmfm",
    .summary = "factorisation machine with a matrix for every pair of fields",
    .source = "FmFM (arXiv 2102.12994), matrixed, in the form of FuxiCTR",
    .used = "ExFM, vertical model on AmazonElectronics in Tables 2 and 3",
    .parameters = "N*d + N + 1 + P*d*d",
    .operations = "V + U + P*(2*d*d + 2*d) + 1",
    .build = matrixed,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
};

const struct ca_arch ca_arch_fmfm_vector = {
    .name = "fmfm-vector",
    .summary = "factorisation machine with a vector for every pair of fields",
    .source = "FmFM (arXiv 2102.12994), vectorized, in the form of FuxiCTR",
    .used = "ExFM, vertical model on TaobaoAd in Tables 2 and 3",
    .parameters = "N*d + N + 1 + P*d",
    .operations = "V + U + 3*P*d + 1",
    .build = vectorized,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
};
