/* The cross networks of FCN: exponential (the order doubles with a layer) and linear. */
#include <stdio.h>

#include "model/fx.h"
#include "nn/objective.h"

#include "base/banned.h"

enum { LAYERS };
enum { DEEP, SHALLOW };

static const struct ca_arch_key keys[] = {{"layers", 4, 1, 16, 0}, CA_FX_KEY_NORM(0), CA_FX_KEY_SHARE("dropout", 0),
                                          {0}};
/* dropout2: of the linear network */
static const struct ca_arch_key fcn_keys[] = {{"deep", 4, 1, 16, 0}, {"shallow", 4, 1, 16, 0}, CA_FX_KEY_NORM(0),
                                              CA_FX_KEY_SHARE("dropout", 0), CA_FX_KEY_SHARE("dropout2", 0), {0}};

/* First halves of all vectors, then second halves. */
static ca_val halves(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    ca_val v = ca_fx_vectors(g, spec);

    if (spec->width % 2)
        ca_graph_refuse(g, "the embedding width must be even: vectors are split in halves");
    return ca_op_split_halves(g, v, ca_fx_fields(g));
}

/* One of the networks; the batch norm of a layer has one channel. */
struct net {
    const char *name;
    size_t layers;
    int linear, bn;
    double dropout;
};

static ca_val crosses(struct ca_graph *g, ca_val x0, const struct net *net)
{
    ca_val x = x0;
    char name[CA_FX_NAME], part[CA_FX_NAME];

    for (size_t l = 0; l < net->layers; l++) {
        ca_val h, m;

        (void)snprintf(part, sizeof part, "%s.w", net->name);
        h = ca_op_linear(g, x, ca_fx_layer(name, part, l, NULL), ca_graph_width(g, x) / 2, 0);
        (void)snprintf(part, sizeof part, "%s.batch_norm", net->name);
        if (net->bn)
            h = ca_fx_norm(g, h, ca_fx_layer(name, part, l, NULL), 1);
        (void)snprintf(part, sizeof part, "%s.layer_norm", net->name);
        m = ca_op_relu(g, ca_op_layer_norm(g, h, ca_fx_layer(name, part, l, NULL)));
        (void)snprintf(part, sizeof part, "%s.b", net->name);
        x = ca_op_cross_masked(g, net->linear ? x0 : x, h, m, x, ca_fx_layer(name, part, l, NULL));
        x = ca_op_dropout(g, x, net->dropout);
    }
    (void)snprintf(name, sizeof name, "%s.%s", net->name, net->linear ? "sfc" : "dfc");
    return ca_op_linear(g, x, name, 1, 1);
}

static struct net net_of(const struct ca_arch_spec *spec, int linear, size_t layers, const char *dropout)
{
    return (struct net){linear ? "LCN" : "ECN", layers, linear, (int)ca_arch_option(spec, "bn"),
                        ca_fx_fraction(spec, dropout)};
}

static ca_val ecn(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    struct net net = net_of(spec, 0, spec->option[LAYERS], "dropout");

    return crosses(g, halves(g, spec), &net);
}

static ca_val lcn(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    struct net net = net_of(spec, 1, spec->option[LAYERS], "dropout");

    return crosses(g, halves(g, spec), &net);
}

/*
 * Of the batch's losses L of the mean and L_d, L_s of the two networks: L + w_d L_d + w_s L_s with the weights
 * w_d = max(0, L_d - L) and w_s, which carry gradients too.
 */
enum { ALL, DEEP_LOSS, SHALLOW_LOSS, DEEP_WEIGHT, SHALLOW_WEIGHT, N_SUMS };

static void sums(const struct ca_objective *o, const struct ca_head_row *row, double *sum)
{
    double d;

    (void)o;
    for (size_t h = 0; h < row->heads; h++)
        sum[ALL + h] += row->loss->row(row->loss, row->s[h], row->label, row->teacher, &d);
}

/* Losses to their slopes: 1 - 1[w_d > 0] L_d - 1[w_s > 0] L_s of L, w_d + 1[w_d > 0] L_d of L_d. */
static void weigh(const struct ca_objective *o, double *c)
{
    double all = c[ALL];

    (void)o;
    c[ALL] = 1;
    for (size_t i = 0; i < 2; i++) {
        double loss = c[DEEP_LOSS + i], weight = loss > all ? loss - all : 0;

        c[DEEP_WEIGHT + i] = weight;
        c[DEEP_LOSS + i] = weight > 0 ? weight + loss : 0;
        c[ALL] -= weight > 0 ? loss : 0;
    }
}

static double row(const struct ca_objective *o, const struct ca_head_row *row, const double *coefficient, double *ds)
{
    double sum = 0;

    (void)o;
    for (size_t h = 0; h < row->heads; h++) {
        double value = row->loss->row(row->loss, row->s[h], row->label, row->teacher, &ds[h]);

        sum += (h ? coefficient[DEEP_WEIGHT + h - 1] : 1) * value;
        ds[h] *= coefficient[ALL + h];
    }
    return sum;
}

static const struct ca_objective objective = {.name = "fcn", .n_sums = N_SUMS, .sums = sums, .weigh = weigh, .row = row};

/* The mean of both logits. */
static ca_val fcn(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    struct net exponential = net_of(spec, 0, spec->option[DEEP], "dropout");
    struct net linear = net_of(spec, 1, spec->option[SHALLOW], "dropout2");
    ca_val x0 = halves(g, spec), deep = crosses(g, x0, &exponential), shallow = crosses(g, x0, &linear);

    ca_graph_head(g, deep);
    ca_graph_head(g, shallow);
    ca_graph_objective(g, &objective);
    return ca_op_part_means(g, ca_op_concat(g, (ca_val[2]){deep, shallow}, 2), 1);
}

const struct ca_arch ca_arch_ecn = {
    .name = "ecn",
    .summary = "exponential cross network",
    .source = "FCN (arXiv 2407.13349), deep part, one head",
    .used = "KDEF, student of KDEF_Latest in Tables II, III, V and VII",
    .parameters = "N*d + layers*(D*D/2 + 2*D + 2*bn) + D + 1",
    .operations = "V + layers*(D*D + 7*D/2 + 4*D + 2*bn*D) + 2*D",
    .build = ecn,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};

const struct ca_arch ca_arch_fcn = {
    .name = "fcn",
    .summary = "exponential and linear cross network side by side",
    .source = "FCN (arXiv 2407.13349), one head",
    .used = "no table; KDEF takes its deep part, ecn",
    .parameters = "N*d + (deep + shallow)*(D*D/2 + 2*D + 2*bn) + 2*D + 2",
    .operations = "V + (deep + shallow)*(D*D + 7*D/2 + 4*D + 2*bn*D) + 4*D + 2",
    .build = fcn,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = fcn_keys,
};

const struct ca_arch ca_arch_lcn = {
    .name = "lcn",
    .summary = "linear cross network",
    .source = "FCN (arXiv 2407.13349), shallow part, one head",
    .used = "alone in no table; a part of fcn",
    .parameters = "N*d + layers*(D*D/2 + 2*D + 2*bn) + D + 1",
    .operations = "V + layers*(D*D + 7*D/2 + 4*D + 2*bn*D) + 2*D",
    .build = lcn,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};
