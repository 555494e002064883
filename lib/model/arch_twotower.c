/* Two towers: one sees the user's fields, one the item's; the logit is the inner product of what they give. */
#include <stdio.h>

#include "model/fx.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

enum { ITEM };

static const struct ca_arch_key keys[] = {{"item", 1, 1, 1024, 0}, CA_FX_KEYS_TOWER(0), {0}};

/* Fields from this one on are the item's. */
static size_t first_of_item(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    size_t fields = ca_fx_fields(g), item = spec->option[ITEM];

    if (item < fields)
        return fields - item;
    ca_graph_refuse(g, "no fields are left for the user: the item has too many");
    return 0;
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
    size_t at = first_of_item(g, spec) * spec->width;
    ca_val v = ca_fx_vectors(g, spec), user, item;

    user = tower(g, spec, ca_op_range(g, v, 0, at), "user_tower");
    item = tower(g, spec, ca_op_range(g, v, at, ca_graph_width(g, v) - at), "item_tower");
    return ca_op_part_sums(g, ca_op_product(g, user, item), 1);
}

const struct ca_arch ca_arch_twotower = {
    .name = "twotower",
    .summary = "inner product of a user's and an item's perceptron",
    .source = "DSSM (CIKM 2013) in the form of FuxiCTR",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
