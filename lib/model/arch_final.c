/* FINAL: linear layers whose halves are multiplied, on vectors and gated vectors; one block, or two that learn from each other. */
#include <stdio.h>

#include "model/fx.h"
#include "nn/objective.h"
#include "nn/ops_contrast.h"

#include "base/banned.h"

enum { GATE };
enum { SECOND = GATE + 1 };

static const struct ca_arch_key keys[] = {{"gate", 1, 0, 1, 0}, CA_FX_KEY_NORM(0), CA_FX_KEY_SHARE("dropout", 0), {0}};

/* width of the second block's only layer, 0: the same layers as the first; dropout2: of the second */
static const struct ca_arch_key both_keys[] = {{"gate", 1, 0, 1, 0}, {"second", 0, 0, 65536, 0}, CA_FX_KEY_NORM(0),
                                               CA_FX_KEY_SHARE("dropout", 0), CA_FX_KEY_SHARE("dropout2", 0), {0}};

static ca_val gated(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v)
{
    ca_val in[2] = {v, v};

    if (!spec->option[GATE])
        return v;
    in[1] = ca_op_product(g, v, ca_op_mix_fields(g, v, "field_gate.linear", ca_fx_fields(g)));
    return ca_op_concat(g, in, 2);
}

/* For each width linear, product of halves, batch norm, ReLU, dropout: BLOCK.layer.I.linear, BLOCK.norm.I. */
static ca_val block(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n, int bn, double drop)
{
    char part[CA_FX_NAME], prefix[CA_FX_NAME];

    for (size_t i = 0; i < n; i++) {
        if (hidden[i] % 2)
            ca_graph_refuse(g, "hidden widths of FINAL must be even");
        (void)snprintf(prefix, sizeof prefix, "%.40s.layer", name);
        x = ca_op_factorize(g, ca_op_linear(g, x, ca_fx_layer(part, prefix, i, "linear"), hidden[i], 1));
        (void)snprintf(prefix, sizeof prefix, "%.40s.norm", name);
        if (bn)
            x = ca_fx_norm(g, x, ca_fx_layer(part, prefix, i, NULL), 0);
        x = ca_op_dropout(g, ca_op_relu(g, x), drop);
    }
    return x;
}

static ca_val first(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val v)
{
    struct ca_fx_how how = ca_fx_how(spec);
    ca_val x = block(g, gated(g, spec, v), "block1", spec->hidden, spec->n_hidden, how.bn, how.dropout);

    return ca_op_linear(g, x, "fc1", 1, 1);
}

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return first(g, spec, ca_fx_vectors(g, spec));
}

/* The loss of the mean, and each block's of the mean's probability, which it takes for given. */
static double both_row(const struct ca_objective *o, const struct ca_head_row *row, const double *coefficient, double *ds)
{
    double p = ca_sigmoid(row->s[0]), sum = row->loss->row(row->loss, row->s[0], row->label, row->teacher, &ds[0]);

    (void)o;
    (void)coefficient;
    for (size_t h = 1; h < row->heads; h++)
        sum += ca_loss_bce.row(&ca_loss_bce, row->s[h], p, 0, &ds[h]);
    return sum;
}

static const struct ca_objective both_objective = {.name = "final-2b", .row = both_row};

static ca_val both(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    const size_t *hidden = spec->option[SECOND] ? &spec->option[SECOND] : spec->hidden;
    size_t n = spec->option[SECOND] ? 1 : spec->n_hidden;
    ca_val v = ca_fx_vectors(g, spec), s[2];

    s[0] = first(g, spec, v);
    s[1] = block(g, v, "block2", hidden, n, ca_fx_how(spec).bn, ca_fx_fraction(spec, "dropout2"));
    s[1] = ca_op_linear(g, s[1], "fc2", 1, 1);
    ca_graph_head(g, s[0]);
    ca_graph_head(g, s[1]);
    ca_graph_objective(g, &both_objective);
    return ca_op_blend(g, s, (double[2]){0.5, 0.5}, 2);
}

const struct ca_arch ca_arch_final = {
    .name = "final",
    .summary = "layers whose halves are multiplied, on gated vectors",
    .source = "FINAL (SIGIR 2023), one block, in the form of FuxiCTR",
    .used = "KDEF, student of KDEF_Latest in Tables II, V and VII",
    .parameters = "N*d + gate*(F*F + F) + M(D + gate*D)",
    .operations = "V + gate*(2*F*D + D) + Q(D + gate*D) + each(D, o)",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};

const struct ca_arch ca_arch_final_2b = {
    .name = "final-2b",
    .summary = "two such blocks that learn from their mean",
    .source = "FINAL (SIGIR 2023), two blocks, in the form of FuxiCTR",
    .used = "KDEF, Tables III and VII",
    .parameters =
        "N*d + gate*(F*F + F) + M(D + gate*D) + (second > 0)*S(D, second, 1) + (second == 0)*H(D) + "
        "first(second, h) + 1",
    .operations =
        "V + gate*(2*F*D + D) + Q(D + gate*D) + each(D, o) + (second > 0)*(T(D, second, 1) + second) + "
        "(second == 0)*(K(D) + each(D, o)) + 2*first(second, h)",
    .build = both,
    .family = CA_FAMILY_FX,
    .keys = both_keys,
};
