/*
 * Hard parameter sharing (specification: models 27): one body for all, a tower
 * for each task, which every row teaches, or for each domain, whose rows teach
 * it alone. The body is a perceptron on all fields, or that of DMIN.
 */
#include <stdio.h>

#include "model/dmin.h"
#include "model/fx.h"
#include "nn/objective.h"

#include "base/banned.h"

#define TOWER(width) {"tower", width, 0, 65536, 0}

static const struct ca_arch_key dmin_keys[] = {CA_DMIN_KEYS, CA_FX_KEYS_TOWER(0), TOWER(128), {0}},
                                plain_keys[] = {CA_FX_KEYS_TOWER(0), TOWER(64), {0}};

/* A tower on the body: one hidden layer, unless its width is 0, and the logit. */
static ca_val tower(struct ca_graph *g, ca_val x, const struct ca_arch_spec *spec, size_t i)
{
    struct ca_fx_how how = ca_fx_how(spec);
    size_t width = ca_arch_option(spec, "tower");
    char name[CA_FX_NAME];

    if (how.bn == CA_FX_BN_ONCE)
        how.bn = CA_FX_BN_NONE; /* once is at the bottom */
    return ca_fx_tower(g, x, ca_fx_layer(name, "tower", i, NULL), &width, width > 0, 1, &how);
}

/* The sum over tasks; the main one by the loss that was asked for, so that it can be distilled. */
static double sum_of_tasks(const struct ca_objective *o, const struct ca_head_row *row, const double *coefficient,
                           double *ds)
{
    double sum = row->loss->row(row->loss, row->s[0], row->label, row->teacher, &ds[0]);

    (void)o;
    (void)coefficient;
    for (size_t h = 1; h < row->heads; h++)
        sum += ca_loss_bce.row(&ca_loss_bce, row->s[h], row->task[h - 1], 0, &ds[h]);
    return sum;
}

static const struct ca_objective tasks = {.name = "sum of tasks", .needs_tasks = 1, .row = sum_of_tasks};

static ca_val towers_of_tasks(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val x)
{
    ca_val logit = tower(g, x, spec, 0);

    if (!ca_graph_inputs(g)->n_tasks)
        ca_graph_refuse(g, "the architecture learns several tasks, and the records have no column of role task");
    for (size_t t = 0; t < ca_graph_inputs(g)->n_tasks; t++)
        ca_graph_head(g, tower(g, x, spec, t + 1));
    ca_graph_objective(g, &tasks);
    return logit;
}

/* sum_j of the logits times the row's domain as a one among zeros: the tower of another domain gets no gradient. */
static ca_val towers_of_domains(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val x)
{
    ca_val domain = ca_graph_domain(g), all = {-1}, both[2];

    for (size_t j = 0; j < ca_graph_width(g, domain); j++) {
        both[0] = all;
        both[1] = tower(g, x, spec, j);
        all = j ? ca_op_concat(g, both, 2) : both[1];
    }
    return ca_op_part_sums(g, ca_op_product(g, all, domain), 1);
}

static ca_val multitask(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return towers_of_tasks(g, spec, ca_fx_deep(g, spec, ca_fx_vectors(g, spec), "bottom", 0));
}

static ca_val multidomain(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return towers_of_domains(g, spec, ca_fx_deep(g, spec, ca_fx_vectors(g, spec), "bottom", 0));
}

static ca_val dmin_multitask(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return towers_of_tasks(g, spec, ca_fx_deep(g, spec, ca_dmin_representation(g, spec), "dnn", 0));
}

static ca_val dmin_multidomain(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return towers_of_domains(g, spec, ca_fx_deep(g, spec, ca_dmin_representation(g, spec), "dnn", 0));
}

/* n towers, in the notation of struct ca_arch */
#define TOWERS(n) n "*(S(h, tower, 1) - 2*(bn == 2)*h + first(tower, h) + 1)"
#define TOWERS_OPERATIONS(n) n "*(T(h, tower, 1) - 4*(bn == 2)*h + 2*first(tower, h))"

const struct ca_arch ca_arch_multitask = {
    .name = "multitask",
    .summary = "a shared perceptron with a tower for each task",
    .source = "hard parameter sharing (ExFM, arXiv 2502.17494), in the form of FuxiCTR's ShareBottom",
    .used = "no table; ExFM has dmin-multitask",
    .parameters = "N*d + H(D) + " TOWERS("(tasks + 1)"),
    .operations = "V + K(D) + " TOWERS_OPERATIONS("(tasks + 1)"),
    .build = multitask,
    .family = CA_FAMILY_FX,
    .keys = plain_keys,
    .reads = CA_READS_TASKS,
};

const struct ca_arch ca_arch_multidomain = {
    .name = "multidomain",
    .summary = "a shared perceptron with a tower for each domain",
    .source = "hard parameter sharing over domains (ExFM, arXiv 2502.17494)",
    .used = "no table; ExFM has dmin-multidomain",
    .parameters = "N*d + H(D) + " TOWERS("domains"),
    .operations = "V + K(D) + " TOWERS_OPERATIONS("domains") " + 2*domains",
    .build = multidomain,
    .family = CA_FAMILY_FX,
    .keys = plain_keys,
    .reads = CA_READS_DOMAIN,
};

const struct ca_arch ca_arch_dmin_multitask = {
    .name = "dmin-multitask",
    .summary = "DMIN with a tower for each task on its first layers",
    .source = "hard parameter sharing (ExFM, arXiv 2502.17494) on DMIN (CIKM 2020)",
    .used = "ExFM, foundation model of several tasks in Table 5",
    .parameters = CA_DMIN_PARAMETERS "H(" CA_DMIN_WIDTH ") + " TOWERS("(tasks + 1)"),
    .operations = CA_DMIN_OPERATIONS "K(" CA_DMIN_WIDTH ") + " TOWERS_OPERATIONS("(tasks + 1)"),
    .build = dmin_multitask,
    .family = CA_FAMILY_FX,
    .keys = dmin_keys,
    .reads = CA_READS_TASKS,
};

const struct ca_arch ca_arch_dmin_multidomain = {
    .name = "dmin-multidomain",
    .summary = "DMIN with a tower for each domain on its first layers",
    .source = "hard parameter sharing over domains (ExFM, arXiv 2502.17494) on DMIN (CIKM 2020)",
    .used = "ExFM, foundation model of several domains in Table 4",
    .parameters = CA_DMIN_PARAMETERS "H(" CA_DMIN_WIDTH ") + " TOWERS("domains"),
    .operations = CA_DMIN_OPERATIONS "K(" CA_DMIN_WIDTH ") + " TOWERS_OPERATIONS("domains") " + 2*domains",
    .build = dmin_multidomain,
    .family = CA_FAMILY_FX,
    .keys = dmin_keys,
    .reads = CA_READS_DOMAIN,
};
