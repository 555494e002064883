/*
 * Gradients through what looks at the whole batch, drops, pools lists or has
 * several outputs, against central differences.
 */
#include "gradcheck.h"

#include "nn/objective.h"
#include "nn/ops_batch.h"
#include "nn/ops_cross.h"

static const uint32_t rows[] = {7, 5, 4};
static const struct ca_sequence sequences[] = {{.rows = 5, .length = 3, .field = 1}, {.rows = 6, .length = 2, .field = CA_NO_FIELD}};
static const struct kit_shape shape = {.numeric = 2, .fields = 3, .width = 4, .rows = rows, .hidden = {6, 5}, .n_hidden = 2,
                                       .sequence = sequences, .n_sequences = 2, .domains = 3, .tasks = 2};

static ca_val vectors(struct ca_graph *g)
{
    ca_graph_set_family(g, CA_FAMILY_FX);
    return ca_op_fx_fields(g, "", 4, 1);
}

/* The first-order tables start as thousandths; what is normed in a check wants more than that. */
static ca_val wide(struct ca_graph *g, ca_val v)
{
    return ca_op_linear(g, v, "wide", 6, 1);
}

static ca_val norm(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x = wide(g, vectors(g));

    (void)s;
    x = ca_op_relu(g, ca_op_batch_norm(g, x, "bn", 0, &ca_batch_norm_default));
    x = ca_op_batch_norm(g, ca_op_linear(g, x, "l", 8, 1), "channels", 2, &ca_batch_norm_default);
    x = ca_op_batch_norm(g, x, "places", 2, &(struct ca_batch_norm){.affine = 1, .eps = 1e-5, .momentum = 0.1, .repeats = 2});
    x = ca_op_dice(g, ca_op_linear(g, x, "m", 8, 1), "dice", 4);
    x = ca_op_batch_norm(g, x, "whole", 1, &(struct ca_batch_norm){.affine = 0, .eps = 1e-3, .momentum = 0.2});
    return ca_op_linear(g, x, "out", 1, 1);
}

/* A graph that begins and ends with a batch norm. */
static ca_val ends(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x;

    (void)s;
    ca_graph_set_family(g, CA_FAMILY_FX);
    x = ca_op_batch_norm(g, ca_graph_numeric(g), "first", 0, &ca_batch_norm_default);
    return ca_op_batch_norm(g, ca_op_linear(g, x, "l", 1, 1), "last", 0, &ca_batch_norm_default);
}

static ca_val dice(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return ca_op_linear(g, ca_op_dice(g, wide(g, vectors(g)), "dice", 1), "out", 1, 1);
}

static ca_val dropout(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return ca_op_linear(g, ca_op_dropout(g, wide(g, vectors(g)), 0.4), "out", 1, 1);
}

/* Places that share a field's table, and places with a table of their own; the same list asked for twice. */
static ca_val lists(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v, in[4];

    (void)s;
    ca_graph_set_family(g, CA_FAMILY_FX);
    v = ca_graph_embed_fx(g, "embedding_layers", 4);
    in[0] = v;
    in[1] = ca_op_masked_mean(g, ca_graph_embed_sequence(g, v, 0, 1), 3);
    in[2] = ca_graph_embed_sequence(g, v, 1, 1);
    in[3] = ca_op_masked_mean(g, ca_graph_embed_sequence(g, v, 1, 1), 2);
    v = ca_op_concat(g, in, 4);
    in[0] = ca_op_linear(g, v, "tower", 5, 1);
    in[1] = ca_graph_sequence_mask(g, 0);
    in[2] = ca_graph_domain(g);
    return ca_op_linear(g, ca_op_relu(g, ca_op_linear(g, ca_op_concat(g, in, 3), "mix", 6, 1)), "out", 1, 1);
}

/* Two further heads, each learning a task: independent rows. */
static double tasks_row(const struct ca_objective *o, const struct ca_head_row *row, const double *c, double *ds)
{
    double sum = row->loss->row(row->loss, row->s[0], row->label, row->teacher, &ds[0]);

    (void)c;
    for (size_t h = 1; h < row->heads; h++) {
        sum += o->number[0] * ca_loss_bce.row(&ca_loss_bce, row->s[h], row->task[h - 1], 0, &ds[h]);
        ds[h] *= o->number[0];
    }
    return sum;
}

static const struct ca_objective tasks = {.name = "tasks", .number = {0.7}, .needs_tasks = 1, .row = tasks_row};

/* A weight that depends on the batch and carries a gradient: L0 + L0 * L1, of batch means. */
static void product_sums(const struct ca_objective *o, const struct ca_head_row *row, double *sum)
{
    double d;

    (void)o;
    sum[0] += row->loss->row(row->loss, row->s[0], row->label, row->teacher, &d);
    sum[1] += ca_loss_bce.row(&ca_loss_bce, row->s[1], row->label, 0, &d);
}

static void product_weigh(const struct ca_objective *o, double *mean)
{
    (void)o;
    (void)mean; /* the other's mean is what each is weighed by */
}

static double product_row(const struct ca_objective *o, const struct ca_head_row *row, const double *c, double *ds)
{
    double a = row->loss->row(row->loss, row->s[0], row->label, row->teacher, &ds[0]);
    double b = ca_loss_bce.row(&ca_loss_bce, row->s[1], row->label, 0, &ds[1]);

    (void)o;
    (void)b;
    ds[0] *= 1 + c[1];
    ds[1] *= c[0];
    return a * (1 + c[1]);
}

static const struct ca_objective product = {.name = "product", .n_sums = 2, .sums = product_sums, .weigh = product_weigh,
                                            .row = product_row};

static ca_val heads(struct ca_graph *g, const struct ca_objective *o)
{
    ca_val x = wide(g, vectors(g)), s = ca_op_linear(g, x, "s", 1, 1), t = ca_op_linear(g, x, "t", 1, 1), both[2] = {s, t};

    ca_graph_head(g, t);
    ca_graph_head(g, ca_op_linear(g, ca_op_concat(g, both, 2), "u", 1, 1));
    ca_graph_objective(g, o);
    return s;
}

static ca_val several(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return heads(g, &tasks);
}

static ca_val weighed(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return heads(g, &product);
}

int main(void)
{
    static const struct kit_shape flat = {.numeric = 2, .fields = 3, .width = 4, .rows = rows};

    /* more than one chunk, the last one short */
    gradcheck_net(norm, &shape, 300, 12, &ca_loss_bce, "batch norm: by number, by channel, over everything");
    gradcheck_net(ends, &flat, 150, 12, &ca_loss_bce, "batch norm as first and last operator");
    gradcheck_net(ends, &flat, 1, 8, &ca_loss_bce, "batch norm of one row");
    gradcheck_net(dice, &shape, 300, 12, &ca_loss_bce, "Dice");
    gradcheck_net(dropout, &shape, 300, 12, &ca_loss_bce, "dropout: the mask of a pass is the same backwards");
    gradcheck_net(lists, &shape, 150, 24, &ca_loss_bce, "lists: places, pooling, masks, domains");
    gradcheck_net(several, &shape, 150, 12, &ca_loss_bce, "several heads");
    gradcheck_net(weighed, &shape, 300, 12, &ca_loss_bce, "an objective whose weights depend on the batch");
    return tap_done();
}
