/*
 * Batches through a network. A chunk of rows runs forward and backward through
 * the whole graph in the memory of the thread that has it. Where an operator
 * or the objective looks at the whole batch, all chunks stop there, each in
 * memory of its own, until what they found is summed in their order.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "nn/inside.h"
#include "nn/objective.h"
#include "nn/simd.h"

#include "base/banned.h"

#define RANGE_GATHER ((size_t)16)      /* batch rows gathered at a time */

/* A batch on its way through the network. */
struct batch {
    struct ca_net *net;
    const struct ca_feed *feed;
    const struct ca_loss *loss;
    const struct ca_target *target;
    float *const *head;  /* where outputs go; NULL entries are not wanted */
    size_t n_heads;
    size_t chunks;
    int touched;         /* the tables hold a compact copy of this batch's rows */
    int training;        /* operators behave as in training */
    int logit_only;      /* nothing but the logit is wanted */
    int embed_grad;      /* the net's embed_grad holds a part of the embedding's gradient */
    uint64_t key;        /* of this batch's masks */
    /* of a pass in stages: the nodes [from, to) of this one, and whether it is the first of its direction */
    size_t from, to;
    int first;
    double coefficient[CA_OBJECTIVE_SUMS];
};

/* ---- one chunk ---- */

static struct ca_mat mat_of(const struct ca_net *n, ca_real *base, int val)
{
    const struct ca_value *v = &n->graph->value[val];

    return (struct ca_mat){base + v->place + v->at, v->ld};
}

static size_t chunk_rows(const struct batch *b, size_t chunk, size_t *from)
{
    size_t size = b->net->graph->chunk_rows;

    *from = chunk * size;
    return b->feed->rows - *from < size ? b->feed->rows - *from : size;
}

static void load_flags(const struct batch *b, const struct ca_frame *w, size_t from, size_t rows)
{
    const struct ca_graph *g = b->net->graph;

    for (size_t k = 0; k < g->n_flags; k++) {
        const struct ca_flags *q = &g->flags[k];
        struct ca_mat x = mat_of(b->net, w->value, q->val);

        for (size_t i = 0; i < q->n; i++) {
            const uint32_t *ids = b->feed->ids[q->column + (q->one_hot ? 0 : i)] + from;
            for (size_t r = 0; r < rows; r++)
                x.p[r * x.ld + i] = q->one_hot ? ids[r] == i : ids[r] != 0;
        }
    }
}

static void load_inputs(const struct batch *b, const struct ca_frame *w, size_t from, size_t rows)
{
    const struct ca_net *n = b->net;
    const struct ca_graph *g = n->graph;

    if (g->numeric >= 0) {
        struct ca_mat x = mat_of(n, w->value, g->numeric);
        for (size_t i = 0; i < g->in.n_numeric; i++)
            for (size_t r = 0; r < rows; r++)
                x.p[r * x.ld + i] = (ca_real)b->feed->numeric[i][from + r];
    }
    load_flags(b, w, from, rows);
    for (size_t e = 0; e < g->n_embeds; e++) {
        const struct ca_slot *slot = g->slot + g->embed[e].first_slot;
        struct ca_mat x = mat_of(n, w->value, g->embed[e].val);

        for (size_t f = 0; f < g->embed[e].n_slots && !b->touched; f++) {
            const struct ca_table *t = &n->table[slot[f].table];
            if (f + 1 < g->embed[e].n_slots)
                ca_table_fetch(&n->table[slot[f + 1].table], b->feed->ids[slot[f + 1].column] + from, rows);
            ca_table_gather(t, &n->table_clock, b->feed->ids[slot[f].column] + from, rows, x.p + f * t->width, x.ld);
        }
        /* A few rows of all fields at a time: they stay in the first-level cache. */
        for (size_t r = 0; r < rows && b->touched; r += RANGE_GATHER)
            for (size_t f = 0; f < g->embed[e].n_slots; f++) {
                const struct ca_table *t = &n->table[slot[f].table];
                ca_table_gather_touched(t, slot[f].use * b->feed->rows + from + r,
                                        rows - r < RANGE_GATHER ? rows - r : RANGE_GATHER,
                                        x.p + r * x.ld + f * t->width, x.ld);
            }
    }
}

static struct ca_ctx context(const struct batch *b, const struct ca_frame *w, size_t k, size_t first, size_t rows,
                             struct ca_mat *in, struct ca_mat *din, ca_real *dparam)
{
    const struct ca_net *n = b->net;
    const struct ca_node *node = &n->graph->node[k];
    struct ca_ctx c = {.rows = rows, .in = in, .din = din, .out = mat_of(n, w->value, node->out), .param = n->weight,
                       .dparam = dparam, .scratch = w->scratch + node->scratch, .buffer = n->buffer,
                       .training = b->training, .first = first, .batch_rows = b->feed->rows,
                       .key = b->key + k * UINT64_C(0x9e3779b97f4a7c15)};

    if (b->training && n->stats) {
        c.stats = n->stats + node->stats;
        c.back_stats = n->back_stats + node->back_stats;
    }
    for (size_t i = 0; i < node->op.n_in; i++) {
        in[i] = mat_of(n, w->value, node->in[i]);
        din[i] = (struct ca_mat){0};
        if (w->grad && n->back.need[node->in[i]])
            din[i] = mat_of(n, w->grad, node->in[i]);
    }
    if (w->grad)
        c.dout = mat_of(n, w->grad, node->out);
    return c;
}

static void forward(const struct batch *b, const struct ca_frame *w, size_t first, size_t rows, size_t from, size_t to)
{
    struct ca_mat in[CA_OP_MAX_INPUTS], din[CA_OP_MAX_INPUTS];

    for (size_t k = from; k < to; k++) {
        struct ca_ctx c;

        if (b->logit_only && !b->net->graph->node[k].for_logit)
            continue;
        c = context(b, w, k, first, rows, in, din, NULL);
        b->net->graph->node[k].op.type->forward(&b->net->graph->node[k].op, &c);
    }
}

/* From the gradients of outputs to those of parameters and embeddings. */
static void backward(const struct batch *b, const struct ca_frame *w, size_t first, size_t rows, size_t from, size_t to,
                     ca_real *dparam)
{
    const struct ca_net *n = b->net;
    struct ca_mat in[CA_OP_MAX_INPUTS], din[CA_OP_MAX_INPUTS];

    for (size_t k = to; k-- > from;) {
        const struct ca_node *node = &n->graph->node[k];
        struct ca_ctx c;

        if (!n->back.need[node->out])
            continue;
        c = context(b, w, k, first, rows, in, din, dparam);
        c.fresh = n->back.fresh[k];
        node->op.type->backward(&node->op, &c);
    }
}

static void clear_gradients(const struct ca_net *n, const struct ca_frame *w, size_t rows)
{
    for (size_t i = 0; i < n->back.n_clear; i++) {
        const struct ca_back_clear *c = &n->back.clear[i];
        for (size_t r = 0; r < rows; r++)
            memset(w->grad + c->place + r * c->ld + c->at, 0, c->width * sizeof(ca_real));
    }
}

static void export_heads(const struct batch *b, const struct ca_frame *w, size_t from, size_t rows)
{
    for (size_t h = 0; h < b->n_heads; h++) {
        struct ca_mat s = mat_of(b->net, w->value, b->net->graph->head[h]);

        for (size_t r = 0; b->head[h] && r < rows; r++)
            b->head[h][from + r] = (float)s.p[r * s.ld];
    }
}

/*
 * A smaller derivative moves nothing: Adam would make steps of less than 1e-10 of its rate. But its square is no
 * normal number, and arithmetic with such is ten times slower where many rows are that sure (DeepFM at its start).
 */
#define LEAST_SLOPE 1e-18

static ca_real slope(double d)
{
    return fabs(d) < LEAST_SLOPE ? 0 : (ca_real)d;
}

/* Row losses of a chunk, and the gradient of their batch mean. Returns the first bad row or -1. */
static int64_t losses(const struct batch *b, const struct ca_frame *w, size_t from, size_t rows, double *sum)
{
    const struct ca_net *n = b->net;
    struct ca_mat s = mat_of(n, w->value, n->graph->logit), ds = mat_of(n, w->grad, n->graph->logit);

    *sum = 0;
    for (size_t r = 0; r < rows; r++) {
        size_t i = from + r;
        double weight = b->target->weight ? (double)b->target->weight[i] : 1;
        double teacher = b->target->teacher ? (double)b->target->teacher[i] : 0;
        double d, x = b->loss->row(b->loss, (double)s.p[r * s.ld], (double)b->target->label[i], teacher, &d) * weight;

        if (!isfinite(x) || !isfinite(d) || !isfinite((double)s.p[r * s.ld]))
            return (int64_t)i;
        *sum += x;
        ds.p[r * ds.ld] = slope(d * weight / (double)b->feed->rows);
    }
    return -1;
}

/* One row as the objective sees it; s and task have room for its numbers. */
static struct ca_head_row head_row(const struct batch *b, const struct ca_frame *w, size_t r, size_t i, double *s,
                                   double *task)
{
    const struct ca_graph *g = b->net->graph;
    struct ca_head_row row = {.s = s, .heads = g->n_heads, .label = (double)b->target->label[i], .loss = b->loss};

    for (size_t h = 0; h < g->n_heads; h++) {
        struct ca_mat v = mat_of(b->net, w->value, g->head[h]);
        s[h] = (double)v.p[r * v.ld];
    }
    if (b->target->teacher)
        row.teacher = (double)b->target->teacher[i];
    if (b->target->task) {
        for (size_t t = 0; t < g->in.n_tasks; t++)
            task[t] = (double)b->target->task[t][i];
        row.task = task;
    }
    return row;
}

/* What the objective sums over the batch, of a chunk. */
static void objective_sums(const struct batch *b, const struct ca_frame *w, size_t from, size_t rows, double *sum)
{
    const struct ca_objective *o = b->net->graph->objective;
    double s[CA_HEADS_MAX], task[CA_HEADS_MAX];

    for (size_t r = 0; r < rows; r++) {
        struct ca_head_row row = head_row(b, w, r, from + r, s, task);
        double weight = b->target->weight ? (double)b->target->weight[from + r] : 1, part[CA_OBJECTIVE_SUMS] = {0};

        o->sums(o, &row, part);
        for (size_t k = 0; k < o->n_sums; k++)
            sum[k] += weight * part[k];
    }
}

/* As losses, by the objective. */
static int64_t objectives(const struct batch *b, const struct ca_frame *w, size_t from, size_t rows, double *sum)
{
    const struct ca_net *n = b->net;
    const struct ca_objective *o = n->graph->objective;
    double s[CA_HEADS_MAX], task[CA_HEADS_MAX], d[CA_HEADS_MAX];

    *sum = 0;
    for (size_t r = 0; r < rows; r++) {
        struct ca_head_row row = head_row(b, w, r, from + r, s, task);
        double weight = b->target->weight ? (double)b->target->weight[from + r] : 1, x;

        memset(d, 0, sizeof d);
        x = weight * o->row(o, &row, b->coefficient, d);
        if (!isfinite(x))
            return (int64_t)(from + r);
        for (size_t h = 0; h < row.heads; h++) {
            struct ca_mat ds = mat_of(n, w->grad, n->graph->head[h]);

            if (!isfinite(d[h]) || !isfinite(s[h]))
                return (int64_t)(from + r);
            ds.p[r * ds.ld] = slope(d[h] * weight / (double)b->feed->rows);
        }
        *sum += x;
    }
    return -1;
}

static int64_t any_losses(const struct batch *b, const struct ca_frame *w, size_t from, size_t rows, double *sum)
{
    return b->net->graph->objective ? objectives(b, w, from, rows, sum) : losses(b, w, from, rows, sum);
}

static void add_embed_gradient(const struct ca_net *n, struct ca_mat d, size_t from, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++)
        ca_add(width, n->embed_grad + (from + r) * width, d.p + r * d.ld);
}

static void keep_gradients(const struct batch *b, const struct ca_frame *w, size_t from, size_t rows)
{
    const struct ca_net *n = b->net;

    for (size_t e = 0; e < n->graph->n_embeds; e++) {
        const struct ca_embed *embed = &n->graph->embed[e];
        const struct ca_slot *slot = n->graph->slot + embed->first_slot;
        struct ca_mat d = mat_of(n, w->grad, embed->val);

        if (!e && b->embed_grad)
            add_embed_gradient(n, d, from, rows, embed->n_slots * embed->width);
        for (size_t r = 0; r < rows; r += RANGE_GATHER)
            for (size_t f = 0; f < embed->n_slots; f++)
                ca_table_keep(&n->table[slot[f].table], slot[f].use * b->feed->rows + from + r,
                              rows - r < RANGE_GATHER ? rows - r : RANGE_GATHER, d.p + r * d.ld + f * embed->width, d.ld);
    }
}

/* ---- tasks ---- */

static void forward_task(void *arg, size_t chunk, unsigned worker)
{
    const struct batch *b = arg;
    struct ca_net *n = b->net;
    const struct ca_frame *w = &n->worker[worker];
    size_t from, rows = chunk_rows(b, chunk, &from);
    struct ca_mat s = mat_of(n, w->value, n->graph->logit);

    load_inputs(b, w, from, rows);
    forward(b, w, from, rows, 0, n->graph->n_nodes);
    export_heads(b, w, from, rows);
    n->chunk_bad[chunk] = -1;
    for (size_t r = rows; r-- > 0;)
        if (!isfinite((double)s.p[r * s.ld]))
            n->chunk_bad[chunk] = (int64_t)(from + r);
}

static ca_real *lane_gradient(const struct ca_net *n, size_t lane, int clear)
{
    ca_real *dparam = n->want & CA_STEP_DENSE ? n->lane[lane] : NULL;

    if (dparam && clear)
        memset(dparam, 0, n->count * sizeof *dparam);
    return dparam;
}

/* Every lanes-th chunk, in order, into one gradient: the sum does not depend on who runs it. */
static void lane_task(void *arg, size_t lane, unsigned worker)
{
    const struct batch *b = arg;
    struct ca_net *n = b->net;
    const struct ca_frame *w = &n->worker[worker];
    ca_real *dparam = lane_gradient(n, lane, 1);

    for (size_t chunk = lane; chunk < b->chunks; chunk += n->graph->lanes) {
        size_t from, rows = chunk_rows(b, chunk, &from);

        load_inputs(b, w, from, rows);
        forward(b, w, from, rows, 0, n->graph->n_nodes);
        export_heads(b, w, from, rows);
        clear_gradients(n, w, rows);
        n->chunk_bad[chunk] = any_losses(b, w, from, rows, &n->chunk_loss[chunk]);
        if (n->chunk_bad[chunk] >= 0 || !n->back.need[n->graph->logit])
            continue;
        backward(b, w, from, rows, 0, n->graph->n_nodes, dparam);
        if (n->want & CA_STEP_TABLES)
            keep_gradients(b, w, from, rows);
    }
}

/* Tables that several columns of the feed look into have a place for each. */
static void touch_task(void *arg, size_t table, unsigned worker)
{
    const struct batch *b = arg;
    const struct ca_table_spec *spec = &b->net->graph->table[table];

    (void)worker;
    for (size_t u = 0; u < spec->n_columns; u++)
        ca_table_touch(&b->net->table[table], &b->net->table_clock, b->feed->ids[spec->column[u]], u * b->feed->rows,
                       b->feed->rows);
}

CA_CLONES static void add_lanes(struct ca_net *n, size_t lanes, size_t from, size_t to)
{
    for (size_t l = 1; l < lanes; l++)
        ca_add(to - from, n->lane[l] + from, n->lane[0] + from);
    ca_add(to - from, n->lane[0] + from, n->grad + from);
}

/* Tasks of tables first: they are the longer ones. */
static void gather_gradient_task(void *arg, size_t task, unsigned worker)
{
    const struct batch *b = arg;
    struct ca_net *n = b->net;
    size_t tables = n->want & CA_STEP_TABLES ? n->graph->n_tables : 0;
    size_t lanes = n->graph->lanes < b->chunks ? n->graph->lanes : b->chunks, from;

    (void)worker;
    if (task < tables) {
        ca_table_accumulate(&n->table[task], b->feed->rows * n->graph->table[task].n_columns);
        return;
    }
    from = (task - tables) * CA_RANGE_DENSE;
    add_lanes(n, lanes, from, ca_inside_dense_to(n, from));
}

/* ---- in stages ---- */

/* Does a training pass stop between chunks? */
static int in_stages(const struct ca_graph *g)
{
    return g->stats_size || (g->objective && g->objective->n_sums);
}

static size_t share_size(const struct ca_graph *g)
{
    size_t most = g->objective ? g->objective->n_sums : 0;

    for (size_t k = 0; k < g->n_nodes; k++) {
        most = g->node[k].op.n_stats > most ? g->node[k].op.n_stats : most;
        most = g->node[k].op.n_back_stats > most ? g->node[k].op.n_back_stats : most;
    }
    return most;
}

static int reserve_stages(struct ca_net *n, size_t chunks, struct ca_err *err)
{
    const struct ca_graph *g = n->graph;

    if (ca_mem_grow((void **)&n->frame, &n->cap_frames, chunks, sizeof *n->frame, err) ||
        ca_mem_grow((void **)&n->share, &n->cap_share, chunks * share_size(g), sizeof *n->share, err))
        return CA_EMEMORY;
    for (; n->n_frames < chunks; n->n_frames++)
        if (ca_frame_init(&n->frame[n->n_frames], g, 1, err)) {
            ca_frame_fini(&n->frame[n->n_frames]);
            return CA_EMEMORY;
        }
    if (!n->stats && !(n->stats = ca_mem_zalloc(g->stats_size + 1, sizeof *n->stats, err)))
        return CA_EMEMORY;
    if (!n->back_stats && !(n->back_stats = ca_mem_zalloc(g->back_stats_size + 1, sizeof *n->back_stats, err)))
        return CA_EMEMORY;
    return 0;
}

/* The shares of all chunks, in their order. */
static void sum_shares(const struct batch *b, size_t count, double *sum)
{
    memset(sum, 0, count * sizeof *sum);
    for (size_t c = 0; c < b->chunks; c++)
        for (size_t i = 0; i < count; i++)
            sum[i] += b->net->share[c * count + i];
}

static double *own_share(const struct batch *b, size_t chunk, size_t count)
{
    double *share = b->net->share + chunk * count;

    memset(share, 0, count * sizeof *share);
    return share;
}

/* Nodes [from, to), then what the node after them wants to know of the batch. */
static void forward_stage_task(void *arg, size_t chunk, unsigned worker)
{
    const struct batch *b = arg;
    struct ca_net *n = b->net;
    const struct ca_frame *w = &n->frame[chunk];
    struct ca_mat in[CA_OP_MAX_INPUTS], din[CA_OP_MAX_INPUTS];
    size_t from, rows = chunk_rows(b, chunk, &from);

    (void)worker;
    if (b->first)
        load_inputs(b, w, from, rows);
    forward(b, w, from, rows, b->from, b->to);
    if (b->to < n->graph->n_nodes) {
        const struct ca_op *op = &n->graph->node[b->to].op;
        struct ca_ctx c = context(b, w, b->to, from, rows, in, din, NULL);

        op->batch->gather(op, &c, own_share(b, chunk, op->n_stats));
        return;
    }
    export_heads(b, w, from, rows);
    if (n->graph->objective && n->graph->objective->n_sums)
        objective_sums(b, w, from, rows, own_share(b, chunk, n->graph->objective->n_sums));
}

static void loss_task(void *arg, size_t chunk, unsigned worker)
{
    const struct batch *b = arg;
    size_t from, rows = chunk_rows(b, chunk, &from);

    (void)worker;
    clear_gradients(b->net, &b->net->frame[chunk], rows);
    b->net->chunk_bad[chunk] = any_losses(b, &b->net->frame[chunk], from, rows, &b->net->chunk_loss[chunk]);
}

/* Nodes [from, to) backwards, then what the node before them wants to know of the gradient. */
static void backward_stage_task(void *arg, size_t lane, unsigned worker)
{
    const struct batch *b = arg;
    struct ca_net *n = b->net;
    ca_real *dparam = lane_gradient(n, lane, b->first);
    struct ca_mat in[CA_OP_MAX_INPUTS], din[CA_OP_MAX_INPUTS];

    (void)worker;
    for (size_t chunk = lane; chunk < b->chunks; chunk += n->graph->lanes) {
        const struct ca_frame *w = &n->frame[chunk];
        size_t from, rows = chunk_rows(b, chunk, &from);

        backward(b, w, from, rows, b->from, b->to, dparam);
        if (b->from) {
            const struct ca_op *op = &n->graph->node[b->from - 1].op;
            struct ca_ctx c = context(b, w, b->from - 1, from, rows, in, din, NULL);

            op->batch->gather_back(op, &c, own_share(b, chunk, op->n_back_stats));
        } else if (n->want & CA_STEP_TABLES) {
            keep_gradients(b, w, from, rows);
        }
    }
}

static void forward_in_stages(struct batch *b)
{
    struct ca_net *n = b->net;
    const struct ca_graph *g = n->graph;

    b->first = 1;
    for (b->from = 0; b->first || b->from < g->n_nodes; b->from = b->to, b->first = 0) {
        for (b->to = b->from; b->to < g->n_nodes; b->to++)
            if (g->node[b->to].op.n_stats && (b->to > b->from || b->first))
                break;
        ca_pool_run(n->pool, b->chunks, forward_stage_task, b);
        if (b->to < g->n_nodes) {
            const struct ca_node *node = &g->node[b->to];

            sum_shares(b, node->op.n_stats, n->stats + node->stats);
            if (node->op.batch->settle)
                node->op.batch->settle(&node->op, n->stats + node->stats, b->feed->rows);
        }
    }
    if (g->objective && g->objective->n_sums) {
        sum_shares(b, g->objective->n_sums, b->coefficient);
        for (size_t k = 0; k < g->objective->n_sums; k++)
            b->coefficient[k] /= (double)b->feed->rows;
        g->objective->weigh(g->objective, b->coefficient);
    }
}

/* A node that wants to know of the whole gradient begins a stage of its own, at which the stage before it ends. */
static void backward_in_stages(struct batch *b, size_t lanes)
{
    struct ca_net *n = b->net;
    const struct ca_graph *g = n->graph;

    b->first = 1;
    for (b->to = g->n_nodes; b->first || b->to; b->to = b->from, b->first = 0) {
        for (b->from = b->to; b->from; b->from--) {
            const struct ca_node *node = &g->node[b->from - 1];
            if (node->op.n_back_stats && n->back.need[node->out] && (b->from < b->to || b->first))
                break;
        }
        ca_pool_run(n->pool, lanes, backward_stage_task, b);
        if (b->from) {
            const struct ca_node *node = &g->node[b->from - 1];
            sum_shares(b, node->op.n_back_stats, n->back_stats + node->back_stats);
        }
    }
}

/* ---- batches ---- */

CA_CLONES static uint32_t largest(const uint32_t *ids, size_t rows)
{
    uint32_t top = 0;

    for (size_t r = 0; r < rows; r++)
        top = ids[r] > top ? ids[r] : top;
    return top;
}

static int bad_id(const uint32_t *ids, size_t rows, uint32_t limit, const char *what, size_t number, struct ca_err *err)
{
    if (largest(ids, rows) < limit)
        return 0;
    for (size_t r = 0; r < rows; r++)
        if (ids[r] >= limit) {
            (void)ca_err_set(err, CA_ESCHEMA, "id %" PRIu32 " of %s %zu is out of range: it has %" PRIu32 " values",
                             ids[r], what, number, limit);
            (void)ca_err_at(err, NULL, -1, (int64_t)r);
            break;
        }
    return CA_ESCHEMA;
}

static int check_ids(const struct ca_net *n, const struct ca_feed *feed, struct ca_err *err)
{
    const struct ca_inputs *in = &n->graph->in;
    size_t column = in->n_fields;
    int code = 0;

    for (size_t f = 0; f < in->n_fields && !code; f++)
        code = bad_id(feed->ids[f], feed->rows, in->field_rows[f], "field", f, err);
    for (size_t s = 0; s < in->n_sequences; s++)
        for (size_t i = 0; i < in->sequence[s].length && !code; i++)
            code = bad_id(feed->ids[column++], feed->rows, in->sequence[s].rows, "sequence", s, err);
    if (in->domains && !code)
        code = bad_id(feed->ids[column], feed->rows, in->domains, "domain column", 0, err);
    return code;
}

static int reserve_chunks(struct ca_net *n, size_t chunks, struct ca_err *err)
{
    if (ca_mem_grow((void **)&n->chunk_loss, &n->cap_loss, chunks, sizeof *n->chunk_loss, err))
        return CA_EMEMORY;
    return ca_mem_grow((void **)&n->chunk_bad, &n->cap_bad, chunks, sizeof *n->chunk_bad, err);
}

static int check_finite(const struct ca_net *n, size_t chunks, const char *what, struct ca_err *err)
{
    for (size_t c = 0; c < chunks; c++)
        if (n->chunk_bad[c] >= 0) {
            (void)ca_err_set(err, CA_ENUMERIC, "%s is not finite", what);
            (void)ca_err_at(err, NULL, -1, n->chunk_bad[c]);
            return CA_ENUMERIC;
        }
    return 0;
}

int ca_net_forward_heads(struct ca_net *n, const struct ca_feed *feed, float *const *head, struct ca_err *err)
{
    struct batch b = {.net = n, .feed = feed, .head = head, .n_heads = n->graph->n_heads};
    int code;

    b.chunks = (feed->rows + n->graph->chunk_rows - 1) / n->graph->chunk_rows;
    b.logit_only = 1;
    for (size_t h = 1; h < n->graph->n_heads; h++)
        b.logit_only &= !head[h];
    if ((code = check_ids(n, feed, err)) || (code = reserve_chunks(n, b.chunks, err)))
        return code;
    ca_pool_run(n->pool, b.chunks, forward_task, &b);
    return check_finite(n, b.chunks, "logit", err);
}

int ca_net_forward(struct ca_net *n, const struct ca_feed *feed, float *logit, struct ca_err *err)
{
    float *head[CA_HEADS_MAX] = {logit};

    return ca_net_forward_heads(n, feed, head, err);
}

int ca_net_embed(struct ca_net *n, const struct ca_feed *feed, ca_real *v, size_t ld, struct ca_err *err)
{
    const struct ca_graph *g = n->graph;
    int code = check_ids(n, feed, err);

    for (size_t f = 0; !code && g->n_embeds && f < g->embed[0].n_slots; f++) {
        const struct ca_slot *slot = g->slot + g->embed[0].first_slot + f;
        ca_table_gather(&n->table[slot->table], &n->table_clock, feed->ids[slot->column], feed->rows,
                        v + f * g->embed[0].width, ld);
    }
    return code;
}

/* The loss on the main embedding, where there is one: into embed_grad and *loss. */
static int embed_loss(struct batch *b, double *loss, struct ca_err *err)
{
    struct ca_net *n = b->net;
    const struct ca_graph *g = n->graph;
    size_t width = g->n_embeds ? g->embed[0].n_slots * g->embed[0].width : 0, rows = b->feed->rows;

    if (!n->embed_loss.eval || !b->touched || !width || !rows)
        return 0;
    if (ca_mem_grow((void **)&n->embed, &n->cap_embed, rows * width, sizeof *n->embed, err) ||
        ca_mem_grow((void **)&n->embed_grad, &n->cap_embed_grad, rows * width, sizeof *n->embed_grad, err))
        return CA_EMEMORY;
    for (size_t f = 0; f < g->embed[0].n_slots; f++) {
        const struct ca_slot *slot = g->slot + g->embed[0].first_slot + f;
        ca_table_gather_touched(&n->table[slot->table], slot->use * rows, rows, n->embed + f * g->embed[0].width, width);
    }
    memset(n->embed_grad, 0, rows * width * sizeof *n->embed_grad);
    b->embed_grad = 1;
    return n->embed_loss.eval(n->embed_loss.arg, n->embed, width, rows, width, n->embed_grad, width, loss, err);
}

static int check_target(const struct ca_net *n, const struct ca_loss *loss, const struct ca_target *target,
                        struct ca_err *err)
{
    const struct ca_objective *o = n->graph->objective;

    if (!ca_inside_trains(n))
        return ca_err_set(err, CA_EINTERNAL, "gradient of a network made for inference");
    if (loss->needs_teacher && !target->teacher)
        return ca_err_set(err, CA_EINTERNAL, "loss '%s' needs teacher logits", loss->name);
    if (o && o->needs_tasks && !target->task)
        return ca_err_set(err, CA_EINTERNAL, "objective '%s' needs the labels of all tasks", o->name);
    return 0;
}

/* Masks of a pass differ by seed, by the steps made before it, and from pass to pass of one step. */
static uint64_t pass_key(const struct ca_net *n)
{
    const uint64_t what[4] = {n->seed, n->dense_clock.now, n->table_clock.now, n->passes};

    return ca_hash64(what, sizeof what);
}

int ca_net_gradient(struct ca_net *n, const struct ca_feed *feed, const struct ca_loss *loss,
                    const struct ca_target *target, double *loss_sum, float *logit, struct ca_err *err)
{
    struct batch b = {.net = n, .feed = feed, .loss = loss, .target = target, .head = &logit, .n_heads = 1,
                      .training = 1};
    size_t tables = n->want & CA_STEP_TABLES ? n->graph->n_tables : 0, lanes;
    double beside = 0;
    int code;

    *loss_sum = 0;
    if ((code = check_target(n, loss, target, err)))
        return code;
    b.chunks = (feed->rows + n->graph->chunk_rows - 1) / n->graph->chunk_rows;
    lanes = n->graph->lanes < b.chunks ? n->graph->lanes : b.chunks;
    if ((code = check_ids(n, feed, err)) || (code = reserve_chunks(n, b.chunks, err)))
        return code;
    for (size_t i = 0; i < tables; i++)
        if ((code = ca_table_reserve(&n->table[i], feed->rows * n->graph->table[i].n_columns, err)))
            return code;
    if (in_stages(n->graph) && (code = reserve_stages(n, b.chunks, err)))
        return code;

    b.key = pass_key(n);
    b.touched = tables > 0;
    ca_pool_run(n->pool, tables, touch_task, &b);
    if ((code = embed_loss(&b, &beside, err)))
        return code;
    if (b.chunks && in_stages(n->graph)) {
        forward_in_stages(&b);
        ca_pool_run(n->pool, b.chunks, loss_task, &b);
        if ((code = check_finite(n, b.chunks, "loss", err)))
            return code;
        if (n->back.need[n->graph->logit])
            backward_in_stages(&b, lanes);
        for (size_t k = 0; k < n->graph->n_nodes; k++) {
            const struct ca_node *node = &n->graph->node[k];
            if (node->op.batch && node->op.batch->keep)
                node->op.batch->keep(&node->op, n->stats + node->stats, feed->rows, n->buffer);
        }
    } else {
        ca_pool_run(n->pool, lanes, lane_task, &b);
        if ((code = check_finite(n, b.chunks, "loss", err)))
            return code;
    }
    n->passes++;
    for (size_t c = 0; c < b.chunks; c++)
        *loss_sum += n->chunk_loss[c];
    *loss_sum += beside * (double)feed->rows;
    if (b.chunks)
        ca_pool_run(n->pool, tables + (n->want & CA_STEP_DENSE ? ca_inside_dense_ranges(n) : 0), gather_gradient_task, &b);
    return 0;
}
