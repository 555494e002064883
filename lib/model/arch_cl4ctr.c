/*
 * CL4CTR: a factorisation machine, alone or beside a perceptron, whose vectors
 * training also holds to three losses of their own: vectors of a field lie
 * close together (alignment), those of different fields apart (uniformity),
 * and two views of a row, each with elements dropped, are encoded alike.
 */
#include "model/fx.h"
#include "nn/init.h"
#include "nn/objective.h"
#include "nn/ops_contrast.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

enum { LAYERS, FEEDFORWARD };
enum { MAIN, FIRST_ORDER }; /* the embeddings, in the order of their making */

/* mask: share dropped of each view; encoder-dropout: inside the encoder */
#define KEYS_CONTRAST \
    {"layers", 3, 1, 16, 0}, {"feedforward", 128, 1, 65536, 0}, {"alpha", 1000, 0, 1000000, 1}, \
    {"beta", 10, 0, 1000000, 1}, CA_FX_KEY_SHARE("mask", 500), CA_FX_KEY_SHARE("encoder-dropout", 200)

static const struct ca_arch_key keys[] = {KEYS_CONTRAST, {0}};
static const struct ca_arch_key deep_keys[] = {KEYS_CONTRAST, CA_FX_KEYS_TOWER(0), {0}};

/* The loss of the logit, and what the other output adds. */
static double row(const struct ca_objective *o, const struct ca_head_row *row, const double *coefficient, double *ds)
{
    (void)o;
    (void)coefficient;
    ds[1] = 1;
    return row->loss->row(row->loss, row->s[0], row->label, row->teacher, &ds[0]) + row->s[1];
}

static const struct ca_objective objective = {.name = "cl4ctr", .row = row};

/* Distance of the two views of a row, which go through one encoder and two maps. */
static ca_val contrast(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v)
{
    size_t width = ca_graph_width(g, v);
    const struct ca_encoder_shape shape = {.sets = 2, .fields = ca_fx_fields(g), .heads = 1,
                                           .hidden = spec->option[FEEDFORWARD],
                                           .drop = ca_fx_fraction(spec, "encoder-dropout")};
    double mask = ca_fx_fraction(spec, "mask");
    ca_val in[2], x;
    char name[CA_FX_NAME];

    in[0] = ca_op_dropout(g, v, mask);
    in[1] = ca_op_dropout(g, v, mask);
    x = ca_op_concat(g, in, 2);
    for (size_t i = 0; i < spec->option[LAYERS]; i++)
        x = ca_op_encoder_layer(g, x, ca_fx_layer(name, "fi_cl.layers", i, NULL), &shape);
    in[0] = ca_op_linear(g, ca_op_range(g, x, 0, width), "projector1", spec->width, 1);
    in[1] = ca_op_linear(g, ca_op_range(g, x, width, width), "projector2", spec->width, 1);
    return ca_op_square_distance(g, in[0], in[1]);
}

/* alpha contrast + beta (alignment + uniformity), as a second output. */
static void learn_vectors(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v)
{
    double alpha = ca_fx_fraction(spec, "alpha"), beta = ca_fx_fraction(spec, "beta");
    ca_val loss[3];

    loss[0] = contrast(g, spec, v);
    loss[1] = ca_op_align(g, v, ca_fx_fields(g));
    loss[2] = ca_op_uniform(g, v, ca_fx_fields(g));
    ca_graph_head(g, ca_op_blend(g, loss, (double[3]){alpha, beta, beta}, 3));
    ca_graph_objective(g, &objective);
}

/* n: of the terms of the logit, the last of which is the perceptron's. */
static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec, size_t n)
{
    ca_val v = ca_fx_vectors(g, spec), term[3];

    term[0] = ca_op_fx_lr(g, "fm.lr_layer", 1);
    term[1] = ca_op_part_sums(g, ca_op_pair_pool(g, v, ca_fx_fields(g)), 1);
    if (n > 2)
        term[2] = ca_fx_deep(g, spec, v, "mlp", 1);
    learn_vectors(g, spec, v);
    ca_init_tables(g, MAIN, (struct ca_init_rule){CA_INIT_NORMAL, 0.01});
    ca_init_tables(g, FIRST_ORDER, (struct ca_init_rule){CA_INIT_NORMAL, 1});
    return ca_op_sum(g, term, n);
}

static ca_val alone(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return build(g, spec, 2);
}

static ca_val deep(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return build(g, spec, 3);
}

const struct ca_arch ca_arch_cl4ctr = {
    .name = "cl4ctr",
    .summary = "factorisation machine whose vectors learn by contrast as well",
    .source = "CL4CTR (arXiv 2212.00522) on FM, losses of the batch",
    .used = "KDEF, Table III",
    .parameters = "N*d + N + 1 + layers*(4*d*d + 4*d + 2*d*feedforward + feedforward + d + 4*d) + 2*(D*d + d)",
    .operations =
        "V + U + 3*D + 4*d + 1 + layers*2*(8*F*d*d + 4*F*F*d + 4*F*d*feedforward) + 4*D*d + 3*d + 3*D + "
        "F*D + 2*F*F",
    .build = alone,
    .family = CA_FAMILY_FX,
    .sizes = CA_SIZES_WIDTH,
    .keys = keys,
};

const struct ca_arch ca_arch_cl4ctr_deepfm = {
    .name = "cl4ctr-deepfm",
    .summary = "the same beside a perceptron",
    .source = "CL4CTR (arXiv 2212.00522) on DeepFM, losses of the batch",
    .used = "variant of the model's paper, in no table",
    .parameters = "N*d + N + 1 + M(D) + layers*(4*d*d + 4*d + 2*d*feedforward + feedforward + d + 4*d) + 2*(D*d + d)",
    .operations =
        "V + U + 3*D + 4*d + 2 + Q(D) + layers*2*(8*F*d*d + 4*F*F*d + 4*F*d*feedforward) + 4*D*d + 3*d + "
        "3*D + F*D + 2*F*F",
    .build = deep,
    .family = CA_FAMILY_FX,
    .keys = deep_keys,
};
