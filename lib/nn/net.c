#include "nn/net.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "nn/adam.h"
#include "nn/backplan.h"
#include "nn/blas.h"
#include "nn/init.h"
#include "nn/plan.h"
#include "nn/simd.h"
#include "nn/table.h"

#include "base/banned.h"

#define RANGE_DENSE ((size_t)1 << 14) /* dense elements of one task */
#define RANGE_ROWS ((size_t)1 << 14)  /* table rows of one task */
#define RANGE_GATHER ((size_t)16)      /* batch rows gathered at a time */

/* One thread's memory for one chunk. */
struct worker {
    ca_real *value;
    ca_real *grad; /* NULL without gradients */
    ca_real *scratch;
};

struct ca_net {
    struct ca_graph *graph;
    struct ca_pool *pool;
    unsigned flags, want;
    uint64_t seed;
    struct ca_adam adam;

    size_t count;                    /* dense parameters */
    ca_real *weight, *m, *v, *grad;  /* [count] each; all but weight NULL for inference */
    struct ca_adam_clock dense_clock;
    ca_real **lane;                  /* [lanes][count] gradients of this batch */

    struct ca_table *table;
    struct ca_adam_clock table_clock;

    struct worker *worker;
    struct ca_backplan back;

    double *chunk_loss;  /* this batch, by chunk */
    int64_t *chunk_bad;  /* first row that is not finite, or -1 */
    size_t cap_loss, cap_bad;
};

static int training(const struct ca_net *n)
{
    return !(n->flags & CA_NET_INFERENCE);
}

/* ---- birth and death ---- */

void ca_net_want(struct ca_net *n, unsigned which)
{
    n->want = training(n) ? which : 0;
    ca_backplan_make(&n->back, n->graph, n->want);
}

/* Tables are cut into ranges of rows; a task finds its table by walking the list. */
static size_t n_ranges(const struct ca_net *n)
{
    size_t total = 0;

    for (size_t i = 0; i < n->graph->n_tables; i++)
        total += (n->table[i].rows + RANGE_ROWS - 1) / RANGE_ROWS;
    return total;
}

static size_t range_of(const struct ca_net *n, size_t task, size_t *from, size_t *to)
{
    size_t i = 0;

    for (;; i++) {
        size_t ranges = (n->table[i].rows + RANGE_ROWS - 1) / RANGE_ROWS;
        if (task < ranges)
            break;
        task -= ranges;
    }
    *from = task * RANGE_ROWS;
    *to = n->table[i].rows - *from < RANGE_ROWS ? n->table[i].rows : *from + RANGE_ROWS;
    return i;
}

static void init_table_range(void *arg, size_t task, unsigned worker)
{
    struct ca_net *n = arg;
    size_t from, to, i = range_of(n, task, &from, &to);
    const struct ca_table_spec *spec = &n->graph->table[i];

    (void)worker;
    ca_init_fill(n->table[i].data, spec->width, n->table[i].stride, from, to, &spec->init, n->seed, spec->name);
    if (spec->padded && !from)
        memset(n->table[i].data, 0, spec->width * sizeof(ca_real));
}

static void init_param(void *arg, size_t task, unsigned worker)
{
    struct ca_net *n = arg;
    const struct ca_param *p = &n->graph->param[task];

    (void)worker;
    ca_init_fill(n->weight + p->at, p->count, p->count, 0, 1, &p->init, n->seed, p->name);
}

static ca_real *reals(size_t count, struct ca_err *err)
{
    return ca_mem_aligned(count, sizeof(ca_real), 64, err);
}

static int alloc_dense(struct ca_net *n, struct ca_err *err)
{
    size_t lanes = n->graph->lanes;

    n->count = n->graph->dense_count;
    n->weight = reals(n->count, err);
    if (!n->weight)
        return CA_EMEMORY;
    if (!training(n))
        return 0;
    n->m = reals(n->count, err);
    n->v = reals(n->count, err);
    n->grad = reals(n->count, err);
    n->lane = ca_mem_zalloc(lanes, sizeof *n->lane, err);
    if (!n->m || !n->v || !n->grad || !n->lane)
        return CA_EMEMORY;
    for (size_t l = 0; l < lanes; l++)
        if (!(n->lane[l] = reals(n->count, err)))
            return CA_EMEMORY;
    return 0;
}

static int alloc_workers(struct ca_net *n, struct ca_err *err)
{
    unsigned threads = ca_pool_threads(n->pool);

    n->worker = ca_mem_zalloc(threads, sizeof *n->worker, err);
    if (!n->worker)
        return CA_EMEMORY;
    for (unsigned i = 0; i < threads; i++) {
        struct worker *w = &n->worker[i];
        w->value = reals(n->graph->value_size, err);
        w->scratch = reals(n->graph->scratch_size, err);
        if (!w->value || !w->scratch)
            return CA_EMEMORY;
        if (training(n) && !(w->grad = reals(n->graph->value_size, err)))
            return CA_EMEMORY;
    }
    return 0;
}

static int alloc_tables(struct ca_net *n, struct ca_err *err)
{
    const struct ca_graph *g = n->graph;

    n->table = ca_mem_zalloc(g->n_tables, sizeof *n->table, err);
    if (!n->table)
        return CA_EMEMORY;
    for (size_t i = 0; i < g->n_tables; i++) {
        int code = ca_table_init(&n->table[i], g->table[i].rows, g->table[i].width, !training(n), err);
        if (code)
            return code;
        n->table[i].padded = g->table[i].padded;
    }
    return 0;
}

struct ca_net *ca_net_new(struct ca_graph *g, struct ca_pool *pool, uint64_t seed, unsigned flags, struct ca_err *err)
{
    struct ca_net *n = ca_mem_zalloc(1, sizeof *n, err);

    if (!n) {
        ca_graph_free(g);
        return NULL;
    }
    n->graph = g;
    n->pool = pool;
    n->flags = flags;
    n->seed = seed;
    n->adam = ca_adam_default;
    if (!g->finished) {
        (void)ca_err_set(err, CA_EINTERNAL, "a network was made of an unfinished graph");
        goto fail;
    }
    if (alloc_dense(n, err) || ca_backplan_init(&n->back, g, err) || alloc_workers(n, err) || alloc_tables(n, err) ||
        ca_adam_clock_init(&n->dense_clock, &n->adam, n->adam.lr_dense, 0, 0, err) ||
        ca_adam_clock_init(&n->table_clock, &n->adam, n->adam.lr_table, 0, 1, err))
        goto fail;
    ca_net_want(n, CA_STEP_ALL);
    ca_blas_start();
    if (!(flags & CA_NET_BLANK)) {
        ca_pool_run(pool, g->n_params, init_param, n);
        ca_pool_run(pool, n_ranges(n), init_table_range, n);
    }
    return n;
fail:
    ca_net_free(n);
    return NULL;
}

void ca_net_free(struct ca_net *n)
{
    if (!n)
        return;
    for (size_t i = 0; n->table && i < n->graph->n_tables; i++)
        ca_table_fini(&n->table[i]);
    ca_mem_free(n->table);
    for (unsigned i = 0; n->worker && i < ca_pool_threads(n->pool); i++) {
        ca_mem_free(n->worker[i].value);
        ca_mem_free(n->worker[i].grad);
        ca_mem_free(n->worker[i].scratch);
    }
    ca_mem_free(n->worker);
    for (size_t l = 0; n->lane && l < n->graph->lanes; l++)
        ca_mem_free(n->lane[l]);
    ca_mem_free(n->lane);
    ca_backplan_fini(&n->back);
    ca_mem_free(n->weight);
    ca_mem_free(n->m);
    ca_mem_free(n->v);
    ca_mem_free(n->grad);
    ca_mem_free(n->chunk_loss);
    ca_mem_free(n->chunk_bad);
    ca_adam_clock_fini(&n->dense_clock);
    ca_adam_clock_fini(&n->table_clock);
    ca_graph_free(n->graph);
    ca_mem_free(n);
}

const struct ca_graph *ca_net_graph(const struct ca_net *n)
{
    return n->graph;
}

/* ---- one chunk ---- */

/* A batch on its way through the network. */
struct batch {
    struct ca_net *net;
    const struct ca_feed *feed;
    const struct ca_loss *loss;
    const struct ca_target *target;
    float *logit;
    size_t chunks;
    int touched; /* the tables hold a compact copy of this batch's rows */
};

static struct ca_mat mat_of(const struct ca_net *n, ca_real *base, int val)
{
    const struct ca_value *v = &n->graph->value[val];

    return (struct ca_mat){base + v->place + v->at, v->ld};
}

static void load_inputs(const struct batch *b, const struct worker *w, size_t from, size_t rows)
{
    const struct ca_net *n = b->net;
    const struct ca_graph *g = n->graph;

    if (g->numeric >= 0) {
        struct ca_mat x = mat_of(n, w->value, g->numeric);
        for (size_t i = 0; i < g->in.n_numeric; i++)
            for (size_t r = 0; r < rows; r++)
                x.p[r * x.ld + i] = (ca_real)b->feed->numeric[i][from + r];
    }
    for (size_t e = 0; e < g->n_embeds; e++) {
        struct ca_mat x = mat_of(n, w->value, g->embed[e].val);
        for (size_t f = 0; f < g->in.n_fields && !b->touched; f++) {
            const struct ca_table *t = &n->table[g->embed[e].first_table + f];
            ca_table_gather(t, &n->table_clock, b->feed->ids[f] + from, rows, x.p + f * t->width, x.ld);
        }
        /* A few rows of all fields at a time: they stay in the first-level cache. */
        for (size_t r = 0; r < rows && b->touched; r += RANGE_GATHER)
            for (size_t f = 0; f < g->in.n_fields; f++) {
                const struct ca_table *t = &n->table[g->embed[e].first_table + f];
                ca_table_gather_touched(t, from + r, rows - r < RANGE_GATHER ? rows - r : RANGE_GATHER,
                                        x.p + r * x.ld + f * t->width, x.ld);
            }
    }
}

static struct ca_ctx context(const struct ca_net *n, const struct worker *w, const struct ca_node *node, size_t rows,
                             struct ca_mat *in, struct ca_mat *din, ca_real *dparam)
{
    struct ca_ctx c = {.rows = rows, .in = in, .din = din, .out = mat_of(n, w->value, node->out), .param = n->weight,
                       .dparam = dparam, .scratch = w->scratch + node->scratch, .training = w->grad != NULL};

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

static void forward(const struct ca_net *n, const struct worker *w, size_t rows)
{
    struct ca_mat in[CA_OP_MAX_INPUTS], din[CA_OP_MAX_INPUTS];

    for (size_t k = 0; k < n->graph->n_nodes; k++) {
        const struct ca_node *node = &n->graph->node[k];
        struct ca_ctx c = context(n, w, node, rows, in, din, NULL);
        node->op.type->forward(&node->op, &c);
    }
}

/* From the gradient of the logit to those of parameters and embeddings. */
static void backward(const struct ca_net *n, const struct worker *w, size_t rows, ca_real *dparam)
{
    struct ca_mat in[CA_OP_MAX_INPUTS], din[CA_OP_MAX_INPUTS];

    for (size_t k = n->graph->n_nodes; k-- > 0;) {
        const struct ca_node *node = &n->graph->node[k];
        struct ca_ctx c;

        if (!n->back.need[node->out])
            continue;
        c = context(n, w, node, rows, in, din, dparam);
        c.fresh = n->back.fresh[k];
        node->op.type->backward(&node->op, &c);
    }
}

static void clear_gradients(const struct ca_net *n, const struct worker *w, size_t rows)
{
    for (size_t i = 0; i < n->back.n_clear; i++) {
        const struct ca_back_clear *c = &n->back.clear[i];
        for (size_t r = 0; r < rows; r++)
            memset(w->grad + c->place + r * c->ld + c->at, 0, c->width * sizeof(ca_real));
    }
}

static void export_logits(const struct batch *b, const struct worker *w, size_t from, size_t rows)
{
    struct ca_mat s = mat_of(b->net, w->value, b->net->graph->logit);

    for (size_t r = 0; b->logit && r < rows; r++)
        b->logit[from + r] = (float)s.p[r * s.ld];
}

/*
 * A smaller derivative moves nothing: Adam would make steps of less than 1e-10 of its rate. But its square is no
 * normal number, and arithmetic with such is ten times slower where many rows are that sure (DeepFM at its start).
 */
#define LEAST_SLOPE 1e-18

/* Row losses of a chunk, and the gradient of their batch mean. Returns the first bad row or -1. */
static int64_t losses(const struct batch *b, const struct worker *w, size_t from, size_t rows, double *sum)
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
        d *= weight / (double)b->feed->rows;
        ds.p[r * ds.ld] = fabs(d) < LEAST_SLOPE ? 0 : (ca_real)d;
    }
    return -1;
}

static size_t chunk_rows(const struct batch *b, size_t chunk, size_t *from)
{
    size_t size = b->net->graph->chunk_rows;

    *from = chunk * size;
    return b->feed->rows - *from < size ? b->feed->rows - *from : size;
}

static void keep_gradients(const struct batch *b, const struct worker *w, size_t from, size_t rows)
{
    const struct ca_net *n = b->net;

    for (size_t e = 0; e < n->graph->n_embeds; e++) {
        const struct ca_embed *embed = &n->graph->embed[e];
        struct ca_mat d = mat_of(n, w->grad, embed->val);
        for (size_t r = 0; r < rows; r += RANGE_GATHER)
            for (size_t f = 0; f < n->graph->in.n_fields; f++)
                ca_table_keep(&n->table[embed->first_table + f], from + r, rows - r < RANGE_GATHER ? rows - r : RANGE_GATHER,
                              d.p + r * d.ld + f * embed->width, d.ld);
    }
}

/* ---- tasks ---- */

static void forward_task(void *arg, size_t chunk, unsigned worker)
{
    const struct batch *b = arg;
    struct ca_net *n = b->net;
    const struct worker *w = &n->worker[worker];
    size_t from, rows = chunk_rows(b, chunk, &from);
    struct ca_mat s = mat_of(n, w->value, n->graph->logit);

    load_inputs(b, w, from, rows);
    forward(n, w, rows);
    export_logits(b, w, from, rows);
    n->chunk_bad[chunk] = -1;
    for (size_t r = rows; r-- > 0;)
        if (!isfinite((double)s.p[r * s.ld]))
            n->chunk_bad[chunk] = (int64_t)(from + r);
}

/* Every lanes-th chunk, in order, into one gradient: the sum does not depend on who runs it. */
static void lane_task(void *arg, size_t lane, unsigned worker)
{
    const struct batch *b = arg;
    struct ca_net *n = b->net;
    const struct worker *w = &n->worker[worker];
    ca_real *dparam = n->want & CA_STEP_DENSE ? n->lane[lane] : NULL;

    if (dparam)
        memset(dparam, 0, n->count * sizeof *dparam);
    for (size_t chunk = lane; chunk < b->chunks; chunk += n->graph->lanes) {
        size_t from, rows = chunk_rows(b, chunk, &from);

        load_inputs(b, w, from, rows);
        forward(n, w, rows);
        export_logits(b, w, from, rows);
        clear_gradients(n, w, rows);
        n->chunk_bad[chunk] = losses(b, w, from, rows, &n->chunk_loss[chunk]);
        if (n->chunk_bad[chunk] >= 0 || !n->back.need[n->graph->logit])
            continue;
        backward(n, w, rows, dparam);
        if (n->want & CA_STEP_TABLES)
            keep_gradients(b, w, from, rows);
    }
}

static void touch_task(void *arg, size_t table, unsigned worker)
{
    const struct batch *b = arg;

    (void)worker;
    ca_table_touch(&b->net->table[table], &b->net->table_clock, b->feed->ids[b->net->graph->table[table].field],
                   b->feed->rows);
}

CA_CLONES static void add_lanes(struct ca_net *n, size_t lanes, size_t from, size_t to)
{
    for (size_t l = 1; l < lanes; l++)
        ca_add(to - from, n->lane[l] + from, n->lane[0] + from);
    ca_add(to - from, n->lane[0] + from, n->grad + from);
}

static size_t dense_ranges(const struct ca_net *n)
{
    return (n->count + RANGE_DENSE - 1) / RANGE_DENSE;
}

static size_t dense_to(const struct ca_net *n, size_t from)
{
    return n->count - from < RANGE_DENSE ? n->count : from + RANGE_DENSE;
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
        ca_table_accumulate(&n->table[task], b->feed->rows);
        return;
    }
    from = (task - tables) * RANGE_DENSE;
    add_lanes(n, lanes, from, dense_to(n, from));
}

/* ---- batches ---- */

static int check_ids(const struct ca_net *n, const struct ca_feed *feed, struct ca_err *err)
{
    for (size_t f = 0; f < n->graph->in.n_fields; f++) {
        uint32_t rows = n->graph->in.field_rows[f], top = 0;
        const uint32_t *ids = feed->ids[f];

        for (size_t r = 0; r < feed->rows; r++)
            top = ids[r] > top ? ids[r] : top;
        if (top < rows)
            continue;
        for (size_t r = 0; r < feed->rows; r++)
            if (ids[r] >= rows) {
                (void)ca_err_set(err, CA_ESCHEMA, "id %" PRIu32 " of field %zu is out of range: its table has %" PRIu32
                                 " rows", ids[r], f, rows);
                (void)ca_err_at(err, NULL, -1, (int64_t)r);
                return CA_ESCHEMA;
            }
    }
    return 0;
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

int ca_net_forward(struct ca_net *n, const struct ca_feed *feed, float *logit, struct ca_err *err)
{
    struct batch b = {.net = n, .feed = feed, .logit = logit};
    int code;

    b.chunks = (feed->rows + n->graph->chunk_rows - 1) / n->graph->chunk_rows;
    if ((code = check_ids(n, feed, err)) || (code = reserve_chunks(n, b.chunks, err)))
        return code;
    ca_pool_run(n->pool, b.chunks, forward_task, &b);
    return check_finite(n, b.chunks, "logit", err);
}

int ca_net_gradient(struct ca_net *n, const struct ca_feed *feed, const struct ca_loss *loss,
                    const struct ca_target *target, double *loss_sum, float *logit, struct ca_err *err)
{
    struct batch b = {.net = n, .feed = feed, .loss = loss, .target = target, .logit = logit};
    size_t tables = n->want & CA_STEP_TABLES ? n->graph->n_tables : 0, lanes;
    int code;

    *loss_sum = 0;
    if (!training(n))
        return ca_err_set(err, CA_EINTERNAL, "gradient of a network made for inference");
    if (loss->needs_teacher && !target->teacher)
        return ca_err_set(err, CA_EINTERNAL, "loss '%s' needs teacher logits", loss->name);
    b.chunks = (feed->rows + n->graph->chunk_rows - 1) / n->graph->chunk_rows;
    lanes = n->graph->lanes < b.chunks ? n->graph->lanes : b.chunks;
    if ((code = check_ids(n, feed, err)) || (code = reserve_chunks(n, b.chunks, err)))
        return code;
    for (size_t i = 0; i < tables; i++)
        if ((code = ca_table_reserve(&n->table[i], feed->rows, err)))
            return code;

    b.touched = tables > 0;
    ca_pool_run(n->pool, tables, touch_task, &b);
    ca_pool_run(n->pool, lanes, lane_task, &b);
    if ((code = check_finite(n, b.chunks, "loss", err)))
        return code;
    for (size_t c = 0; c < b.chunks; c++)
        *loss_sum += n->chunk_loss[c];
    if (b.chunks)
        ca_pool_run(n->pool, tables + (n->want & CA_STEP_DENSE ? dense_ranges(n) : 0), gather_gradient_task, &b);
    return 0;
}

/* ---- optimizer ---- */

struct step {
    struct ca_net *net;
    unsigned which;
    ca_real rate; /* of plain descent; 0 for Adam */
};

static void step_task(void *arg, size_t task, unsigned worker)
{
    const struct step *s = arg;
    struct ca_net *n = s->net;
    size_t from, to;

    (void)worker;
    if (task < n->graph->n_tables) {
        if ((s->which & CA_STEP_TABLES) && s->rate > 0)
            ca_table_descend(&n->table[task], s->rate);
        else if (s->which & CA_STEP_TABLES)
            ca_table_step(&n->table[task], &n->table_clock);
        else
            ca_table_forget(&n->table[task]);
        return;
    }
    from = (task - n->graph->n_tables) * RANGE_DENSE;
    to = dense_to(n, from);
    if ((s->which & CA_STEP_DENSE) && s->rate > 0)
        for (size_t i = from; i < to; i++)
            n->weight[i] -= s->rate * n->grad[i];
    else if (s->which & CA_STEP_DENSE)
        ca_adam_step(&n->dense_clock, to - from, n->weight + from, n->m + from, n->v + from, n->grad + from);
    memset(n->grad + from, 0, (to - from) * sizeof *n->grad);
}

int ca_net_step(struct ca_net *n, unsigned which, struct ca_err *err)
{
    struct step s = {n, which, 0};
    int code = 0;

    if (!training(n))
        return ca_err_set(err, CA_EINTERNAL, "step of a network made for inference");
    if (n->table_clock.now >= CA_NET_STEPS_MAX || n->dense_clock.now >= CA_NET_STEPS_MAX)
        return ca_err_set(err, CA_EUSAGE, "more than 4 billion optimizer steps");
    if (which & CA_STEP_DENSE)
        code = ca_adam_clock_tick(&n->dense_clock, err);
    if (!code && which & CA_STEP_TABLES)
        code = ca_adam_clock_tick(&n->table_clock, err);
    if (code)
        return code;
    ca_pool_run(n->pool, n->graph->n_tables + dense_ranges(n), step_task, &s);
    return 0;
}

int ca_net_step_sgd(struct ca_net *n, unsigned which, double rate, struct ca_err *err)
{
    struct step s = {n, which, (ca_real)rate};

    if (!training(n) || !(rate > 0))
        return ca_err_set(err, CA_EINTERNAL, "descent at rate %.9g, or of a network made for inference", rate);
    ca_pool_run(n->pool, n->graph->n_tables + dense_ranges(n), step_task, &s);
    return 0;
}

static void settle_task(void *arg, size_t task, unsigned worker)
{
    struct ca_net *n = arg;
    size_t from, to, i = range_of(n, task, &from, &to);

    (void)worker;
    ca_table_settle(&n->table[i], &n->table_clock, from, to);
}

static void settle(struct ca_net *n)
{
    if (training(n))
        ca_pool_run(n->pool, n_ranges(n), settle_task, n);
}

int ca_net_settle(struct ca_net *n, struct ca_err *err)
{
    (void)err;
    settle(n);
    return 0;
}

void ca_net_set_adam(struct ca_net *n, const struct ca_adam *a)
{
    /* What rests has moved by the old rule up to now. */
    settle(n);
    n->adam = *a;
    ca_adam_clock_restart(&n->dense_clock, a, a->lr_dense, n->dense_clock.now);
    ca_adam_clock_restart(&n->table_clock, a, a->lr_table, n->table_clock.now);
}

uint64_t ca_net_steps(const struct ca_net *n, unsigned which)
{
    return which & CA_STEP_DENSE ? n->dense_clock.now : n->table_clock.now;
}

void ca_net_set_steps(struct ca_net *n, unsigned which, uint64_t t)
{
    if (which & CA_STEP_DENSE)
        ca_adam_clock_restart(&n->dense_clock, &n->adam, n->adam.lr_dense, t);
    if (!(which & CA_STEP_TABLES))
        return;
    settle(n);
    ca_adam_clock_restart(&n->table_clock, &n->adam, n->adam.lr_table, t);
    /* Which rows have moments is not known here; one without them rests without moving. */
    for (size_t i = 0; training(n) && i < n->graph->n_tables; i++)
        for (size_t r = 0; r < n->table[i].rows; r++)
            n->table[i].mark[r].last = (uint32_t)t;
}

/* ---- plain access ---- */

ca_real *ca_net_dense(struct ca_net *n, enum ca_state kind)
{
    ca_real *const part[] = {[CA_STATE_WEIGHT] = n->weight, [CA_STATE_M] = n->m, [CA_STATE_V] = n->v,
                             [CA_STATE_GRADIENT] = n->grad};

    return part[kind];
}

ca_real *ca_net_table_row(struct ca_net *n, size_t table, size_t row, enum ca_state kind)
{
    const struct ca_table *t = &n->table[table];

    if (kind == CA_STATE_GRADIENT || (kind != CA_STATE_WEIGHT && !training(n)))
        return NULL;
    return t->data + row * t->stride + (size_t)kind * t->width;
}

const ca_real *ca_net_table_gradient(struct ca_net *n, size_t table, size_t row)
{
    return ca_table_gradient(&n->table[table], row);
}

uint64_t ca_net_flops_per_row(const struct ca_net *n)
{
    uint64_t sum = 0;

    for (size_t k = 0; k < n->graph->n_nodes; k++) {
        const struct ca_op *op = &n->graph->node[k].op;
        sum += op->type->flops ? op->type->flops(op) : 0;
    }
    return sum;
}
