/* Two towers: one sees the user's fields, one the item's; the logit is the inner product of what they give. */
#include <stdio.h>

#include "model/fx.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

enum { ITEM };

static const struct ca_arch_key keys[] = {{"item", 1, 1, 1024, 0}, CA_FX_KEYS_TOWER(0), {0}};

/* Does field i of all describe the item? As the model was told, else the last ones do. Lists are the user's past. */
static int of_item(struct ca_graph *g, const struct ca_arch_spec *spec, size_t i)
{
    const struct ca_inputs *in = ca_graph_inputs(g);

    if (!in->of_item)
        return i + spec->option[ITEM] >= ca_fx_fields(g);
    return i >= in->n_numeric && i - in->n_numeric < in->n_fields && in->of_item[i - in->n_numeric];
}

/* The vectors of one side, run by run. */
static ca_val side(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v, int item)
{
    size_t fields = ca_fx_fields(g), d = spec->width;
    ca_val all = {-1};
    int any = 0;

    for (size_t i = 0, end; i < fields; i = end) {
        int this_side = of_item(g, spec, i) == item;

        for (end = i + 1; end < fields && of_item(g, spec, end) == of_item(g, spec, i); end++)
            ;
        if (!this_side)
            continue;
        if (any)
            all = ca_op_concat(g, (ca_val[2]){all, ca_op_range(g, v, i * d, (end - i) * d)}, 2);
        else
            all = ca_op_range(g, v, i * d, (end - i) * d);
        any = 1;
    }
    if (!any)
        ca_graph_refuse(g, item ? "no field describes the item" : "no fields are left for the user: the item has too many");
    return all;
}

/* Hidden layers, the last without a ReLU. */
static ca_val tower(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val x, const char *name)
{
    struct ca_fx_how how = ca_fx_how(spec);
    size_t n = spec->n_hidden - 1;
    char prefix[CA_FX_NAME], part[CA_FX_NAME];

    x = ca_fx_tower(g, x, name, spec->hidden, n, 0, &how);
    (void)snprintf(prefix, sizeof prefix, "%.40s.mlp", name);
    return ca_op_linear(g, x, ca_fx_layer(part, prefix, ca_fx_place(&how, n), NULL), spec->hidden[n], 1);
}

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec);
    ca_val user = tower(g, spec, side(g, spec, v, 0), "user_tower"), item = tower(g, spec, side(g, spec, v, 1), "item_tower");

    return ca_op_part_sums(g, ca_op_product(g, user, item), 1);
}

const struct ca_arch ca_arch_twotower = {
    .name = "twotower",
    .summary = "inner product of a user's and an item's perceptron",
    .source = "DSSM (CIKM 2013) in the form of FuxiCTR",
    .used = "ExFM, early stages within Meta; CrossAdapt cites it",
    .parameters = "N*d + H((F - item)*d) + H(item*d) - 2*h*(2*(bn == 1) + dice)",
    .operations = "V + K((F - item)*d) + K(item*d) - 2*h*(4*(bn == 1) + 14*dice) + 2*h",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
