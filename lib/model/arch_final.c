/* FINAL with one block: linear layers whose halves are multiplied, on vectors and gated vectors. */
#include "model/fx.h"

#include "base/banned.h"

enum { GATE };

static const struct ca_arch_key keys[] = {{"gate", 1, 0, 1, 0}, {0}};

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec), x = v;
    char name[CA_FX_NAME];

    if (spec->option[GATE]) {
        ca_val in[2] = {v, ca_op_product(g, v, ca_op_mix_fields(g, v, "field_gate.linear", ca_fx_fields(g)))};
        x = ca_op_concat(g, in, 2);
    }
    for (size_t i = 0; i < spec->n_hidden; i++) {
        if (spec->hidden[i] % 2)
            ca_graph_refuse(g, "hidden widths of FINAL must be even");
        x = ca_op_linear(g, x, ca_fx_layer(name, "block1.layer", i, "linear"), spec->hidden[i], 1);
        x = ca_op_relu(g, ca_op_factorize(g, x));
    }
    return ca_op_linear(g, x, "fc1", 1, 1);
}

const struct ca_arch ca_arch_final = {
    .name = "final",
    .summary = "layers whose halves are multiplied, on gated vectors",
    .source = "FINAL (SIGIR 2023), one block, in the form of FuxiCTR",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
