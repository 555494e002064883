/*
 * A network that can learn: a graph with its parameters, tables, gradients,
 * optimizer state and worker threads. The same seed gives the same bits at
 * any number of threads: chunks are summed in a fixed number of lanes, lanes
 * are reduced in a fixed order, a field's table is updated by one task.
 */
#ifndef CA_NN_NET_H
#define CA_NN_NET_H

#include "base/pool.h"
#include "nn/graph.h"
#include "nn/loss.h"

struct ca_net;

/* Adam, as PyTorch's dense one on every tensor (spec: models 0.4). */
struct ca_adam {
    double lr_table; /* 0.1 */
    double lr_dense; /* 0.001 */
    double beta1;    /* 0.9; at most 0.99: momentum that lasts longer than CA_ADAM_LIVE_MAX steps would be cut short */
    double beta2;    /* 0.999 */
    double eps;      /* 1e-8 */
};
extern const struct ca_adam ca_adam_default;

/*
 * What is done to the gradient before an Adam step (specification: models 0.4).
 * All off by default, as CrossAdapt trains.
 */
struct ca_regular {
    double clip;        /* above 0: longest gradient, over everything stepped; a longer one is scaled down */
    double decay_table; /* adds decay * w to the gradient of every element of the embeddings, in every step */
    double decay_dense; /* the same for all other parameters */
};

/* One batch of inputs, column by column. */
struct ca_feed {
    size_t rows;
    const uint32_t *const *ids;   /* ca_inputs_columns columns of rows ids, each below its table's rows (or the domains) */
    const float *const *numeric;  /* n_numeric columns of rows values */
};

#define CA_NET_INFERENCE 1u /* no gradients and no optimizer state: tables take a third of the memory */
#define CA_NET_BLANK 2u     /* parameters start as zeros and not as drawn: they are about to be read from a file */

/* Takes the finished graph, also when it fails. pool is borrowed. Parameters are drawn from seed and the tensor's name. */
struct ca_net *ca_net_new(struct ca_graph *g, struct ca_pool *pool, uint64_t seed, unsigned flags, struct ca_err *err)
    CA_CHECK_ME;
void ca_net_free(struct ca_net *n);
const struct ca_graph *ca_net_graph(const struct ca_net *n);
struct ca_pool *ca_net_pool(const struct ca_net *n); /* the one it was made with */
void ca_net_set_adam(struct ca_net *n, const struct ca_adam *a);
struct ca_adam ca_net_adam(const struct ca_net *n);
void ca_net_set_regular(struct ca_net *n, const struct ca_regular *r);

/*
 * A loss on the main embedding of a whole batch, beside that of the logit.
 * v(rows, width): its values, rows ld apart. ADD the gradient to dv (the same
 * shape); *loss gets the value, a mean over the batch. Called in every
 * ca_net_gradient that wants the gradient of tables.
 */
struct ca_embed_loss {
    int (*eval)(void *arg, const ca_real *v, size_t ld, size_t rows, size_t width, ca_real *dv, size_t ld_dv,
                double *loss, struct ca_err *err);
    void *arg;
};
void ca_net_set_embed_loss(struct ca_net *n, const struct ca_embed_loss *l); /* copied; NULL: none */

/* v(rows, width of the main embedding) = its values for a batch, rows ld apart. Changes nothing of the network. */
int ca_net_embed(struct ca_net *n, const struct ca_feed *feed, ca_real *v, size_t ld, struct ca_err *err) CA_CHECK_ME;

/*
 * logit[rows]. Ids out of range are CA_ESCHEMA naming the field, with the row
 * in the record field; a logit that is not finite is CA_ENUMERIC with the row.
 * Changes nothing of the network: rows at rest are looked at where they would
 * be now. No rows are no work.
 */
int ca_net_forward(struct ca_net *n, const struct ca_feed *feed, float *logit, struct ca_err *err) CA_CHECK_ME;

/* The same for all outputs: head[ca_graph_heads], each NULL (not wanted) or of rows elements; head[0] is the logit. */
int ca_net_forward_heads(struct ca_net *n, const struct ca_feed *feed, float *const *head, struct ca_err *err)
    CA_CHECK_ME;

/*
 * Forward and backward of the mean loss over the batch (of the graph's
 * objective, when it has one, in which loss is that of a logit); gradients ADD to what
 * has accumulated since the last step. *loss_sum gets the sum of row losses;
 * logit (may be NULL) the logits before any update. Non-finite loss is
 * CA_ENUMERIC with the row in the record field, and adds no gradient. No rows
 * are no work. Between a gradient and its step, do not write to table rows.
 */
int ca_net_gradient(struct ca_net *n, const struct ca_feed *feed, const struct ca_loss *loss,
                    const struct ca_target *target, double *loss_sum, float *logit, struct ca_err *err) CA_CHECK_ME;

#define CA_STEP_DENSE 1u
#define CA_STEP_TABLES 2u
#define CA_STEP_ALL 3u

/*
 * One optimizer step of what `which` names with the accumulated gradients,
 * which are then cleared (also those of what is not stepped). Frozen tables
 * are simply never stepped: pass CA_STEP_DENSE to ca_net_want as well to
 * spare their gradients.
 */
int ca_net_step(struct ca_net *n, unsigned which, struct ca_err *err) CA_CHECK_ME;
/*
 * Instead of ca_net_step: one step of plain gradient descent, p -= rate * g.
 * Adam's moments and step counters stay as they are, so nothing that rests moves.
 */
int ca_net_step_sgd(struct ca_net *n, unsigned which, double rate, struct ca_err *err) CA_CHECK_ME;
void ca_net_want(struct ca_net *n, unsigned which); /* which gradients ca_net_gradient computes; default all */

/* Bring every row of every table to the present step. Called before anything below reads them. */
int ca_net_settle(struct ca_net *n, struct ca_err *err) CA_CHECK_ME;

/*
 * Plain access for saving, loading, projecting and tests. Dense: count
 * elements at param->at. Tables: one row at a time, width elements. kind:
 * weights, first and second moment (NULL without optimizer state).
 */
enum ca_state { CA_STATE_WEIGHT, CA_STATE_M, CA_STATE_V, CA_STATE_GRADIENT };
ca_real *ca_net_dense(struct ca_net *n, enum ca_state kind);
ca_real *ca_net_buffers(struct ca_net *n); /* all buffers of the graph, at buffer->at */
ca_real *ca_net_table_row(struct ca_net *n, size_t table, size_t row, enum ca_state kind); /* no GRADIENT */

/* Gradient of a table row accumulated since the last step, or NULL when the row was not touched. */
const ca_real *ca_net_table_gradient(struct ca_net *n, size_t table, size_t row);

/* Optimizer step counters, each at most CA_NET_STEPS_MAX: the caller sees to it where t comes from a file. */
#define CA_NET_STEPS_MAX ((uint64_t)UINT32_MAX - 1)
uint64_t ca_net_steps(const struct ca_net *n, unsigned which); /* CA_STEP_DENSE or CA_STEP_TABLES */
void ca_net_set_steps(struct ca_net *n, unsigned which, uint64_t t);

/* Operations of a forward pass for one row: of all operators, as in training; of those that a prediction needs. */
uint64_t ca_net_flops_per_row(const struct ca_net *n);
uint64_t ca_net_logit_flops_per_row(const struct ca_net *n);

#endif
