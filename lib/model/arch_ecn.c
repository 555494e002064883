/* The cross networks of FCN: exponential (the order doubles with a layer) and linear. */
#include <stdio.h>

#include "model/fx.h"

#include "base/banned.h"

enum { LAYERS };
enum { DEEP, SHALLOW };

static const struct ca_arch_key ecn_keys[] = {{"layers", 4, 1, 16, 0}, {0}}, lcn_keys[] = {{"layers", 4, 1, 16, 0}, {0}};
static const struct ca_arch_key fcn_keys[] = {{"deep", 4, 1, 16, 0}, {"shallow", 4, 1, 16, 0}, {0}};

/* First halves of all vectors, then second halves. */
static ca_val halves(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec);

    if (spec->width % 2)
        ca_graph_refuse(g, "the embedding width must be even: vectors are split in halves");
    return ca_op_split_halves(g, v, ca_fx_fields(g));
}

static ca_val crosses(struct ca_graph *g, ca_val x0, size_t layers, const char *prefix, int linear)
{
    ca_val x = x0;
    char name[CA_FX_NAME], part[CA_FX_NAME];

    for (size_t l = 0; l < layers; l++) {
        ca_val h, m;

        (void)snprintf(part, sizeof part, "%s.w", prefix);
        h = ca_op_linear(g, x, ca_fx_layer(name, part, l, NULL), ca_graph_width(g, x) / 2, 0);
        (void)snprintf(part, sizeof part, "%s.layer_norm", prefix);
        m = ca_op_relu(g, ca_op_layer_norm(g, h, ca_fx_layer(name, part, l, NULL)));
        (void)snprintf(part, sizeof part, "%s.b", prefix);
        x = ca_op_cross_masked(g, linear ? x0 : x, h, m, x, ca_fx_layer(name, part, l, NULL));
    }
    return x;
}

static ca_val exponential(struct ca_graph *g, ca_val x0, size_t layers)
{
    return ca_op_linear(g, crosses(g, x0, layers, "ECN", 0), "ECN.dfc", 1, 1);
}

static ca_val linear(struct ca_graph *g, ca_val x0, size_t layers)
{
    return ca_op_linear(g, crosses(g, x0, layers, "LCN", 1), "LCN.sfc", 1, 1);
}

static ca_val ecn(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return exponential(g, halves(g, spec), spec->option[LAYERS]);
}

static ca_val lcn(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return linear(g, halves(g, spec), spec->option[LAYERS]);
}

/* The mean of both logits. */
static ca_val fcn(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val x0 = halves(g, spec), deep = exponential(g, x0, spec->option[DEEP]);
    ca_val shallow = linear(g, x0, spec->option[SHALLOW]);

    return ca_op_part_means(g, ca_op_concat(g, (ca_val[2]){deep, shallow}, 2), 1);
}

const struct ca_arch ca_arch_ecn = {
    .name = "ecn",
    .summary = "exponential cross network",
    .source = "FCN (arXiv 2407.13349), deep part, one head",
    .build = ecn,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = ecn_keys,
};

const struct ca_arch ca_arch_fcn = {
    .name = "fcn",
    .summary = "exponential and linear cross network side by side",
    .source = "FCN (arXiv 2407.13349), one head",
    .build = fcn,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = fcn_keys,
};

const struct ca_arch ca_arch_lcn = {
    .name = "lcn",
    .summary = "linear cross network",
    .source = "FCN (arXiv 2407.13349), shallow part, one head",
    .build = lcn,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = lcn_keys,
};
