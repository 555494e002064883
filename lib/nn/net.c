#include "nn/net.h"

#include <math.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/init.h"
#include "nn/inside.h"

#include "base/banned.h"

#define RANGE_ROWS ((size_t)1 << 14) /* table rows of one task */

/* ---- birth and death ---- */

void ca_net_want(struct ca_net *n, unsigned which)
{
    n->want = ca_inside_trains(n) ? which : 0;
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

static void init_buffers(struct ca_net *n)
{
    for (size_t i = 0; i < n->graph->n_buffers; i++) {
        const struct ca_buffer *b = &n->graph->buffer[i];
        for (size_t k = 0; k < b->count; k++)
            n->buffer[b->at + k] = (ca_real)b->start;
    }
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
    n->buffer = reals(n->graph->buffer_count, err);
    if (!n->weight || !n->buffer)
        return CA_EMEMORY;
    if (!ca_inside_trains(n))
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

int ca_frame_init(struct ca_frame *f, const struct ca_graph *g, int gradients, struct ca_err *err)
{
    *f = (struct ca_frame){.value = reals(g->value_size, err)};
    if (!f->value || !(f->scratch = reals(g->scratch_size, err)))
        return CA_EMEMORY;
    return gradients && !(f->grad = reals(g->value_size, err)) ? CA_EMEMORY : 0;
}

void ca_frame_fini(struct ca_frame *f)
{
    ca_mem_free(f->value);
    ca_mem_free(f->grad);
    ca_mem_free(f->scratch);
    *f = (struct ca_frame){0};
}

static int alloc_workers(struct ca_net *n, struct ca_err *err)
{
    unsigned threads = ca_pool_threads(n->pool);

    n->worker = ca_mem_zalloc(threads, sizeof *n->worker, err);
    if (!n->worker)
        return CA_EMEMORY;
    for (unsigned i = 0; i < threads; i++)
        if (ca_frame_init(&n->worker[i], n->graph, ca_inside_trains(n), err))
            return CA_EMEMORY;
    return 0;
}

/* Tables that are being made, each with what went wrong. */
struct table_births {
    struct ca_net *n;
    struct ca_err *err;
};

static void make_table(void *arg, size_t i, unsigned worker)
{
    struct table_births *b = arg;
    const struct ca_table_spec *spec = &b->n->graph->table[i];

    (void)worker;
    if (!ca_table_init(&b->n->table[i], spec->rows, spec->width, !ca_inside_trains(b->n), &b->err[i]))
        b->n->table[i].padded = spec->padded;
}

/* In the pool, since memory that is new to the process costs as much as what is drawn into it. */
static int alloc_tables(struct ca_net *n, struct ca_err *err)
{
    struct table_births b = {n, ca_mem_zalloc(n->graph->n_tables, sizeof *b.err, err)};
    int rc = 0;

    n->table = ca_mem_zalloc(n->graph->n_tables, sizeof *n->table, err);
    if (!n->table || !b.err) {
        ca_mem_free(b.err);
        return CA_EMEMORY;
    }
    ca_pool_run(n->pool, n->graph->n_tables, make_table, &b);
    for (size_t i = 0; i < n->graph->n_tables && !rc; i++)
        if ((rc = b.err[i].code))
            *err = b.err[i];
    ca_mem_free(b.err);
    return rc;
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
    ca_blas_start();
    if (alloc_dense(n, err) || ca_backplan_init(&n->back, g, err) || alloc_workers(n, err) || alloc_tables(n, err) ||
        ca_adam_clock_init(&n->dense_clock, &n->adam, n->adam.lr_dense, 0, 0, err) ||
        ca_adam_clock_init(&n->table_clock, &n->adam, n->adam.lr_table, 0, 1, err))
        goto fail;
    ca_net_want(n, CA_STEP_ALL);
    if (!(flags & CA_NET_BLANK)) {
        init_buffers(n);
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
    for (unsigned i = 0; n->worker && i < ca_pool_threads(n->pool); i++)
        ca_frame_fini(&n->worker[i]);
    ca_mem_free(n->worker);
    for (size_t c = 0; c < n->n_frames; c++)
        ca_frame_fini(&n->frame[c]);
    ca_mem_free(n->frame);
    ca_mem_free(n->share);
    ca_mem_free(n->stats);
    ca_mem_free(n->back_stats);
    ca_mem_free(n->embed);
    ca_mem_free(n->embed_grad);
    ca_mem_free(n->buffer);
    ca_mem_free(n->square);
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

struct ca_pool *ca_net_pool(const struct ca_net *n)
{
    return n->pool;
}

const struct ca_graph *ca_net_graph(const struct ca_net *n)
{
    return n->graph;
}

/* ---- optimizer ---- */

struct step {
    struct ca_net *net;
    unsigned which;
    ca_real rate;  /* of plain descent; 0 for Adam */
    ca_real scale; /* of the gradient, when it is clipped */
};

static int decays(const struct step *s)
{
    return (s->which & CA_STEP_TABLES) && s->net->regular.decay_table > 0;
}

static void step_task(void *arg, size_t task, unsigned worker)
{
    const struct step *s = arg;
    struct ca_net *n = s->net;
    size_t from, to;

    (void)worker;
    if (task < n->graph->n_tables) {
        if ((s->which & CA_STEP_TABLES) && s->rate > 0)
            ca_table_descend(&n->table[task], &n->table_clock, s->rate);
        else if ((s->which & CA_STEP_TABLES) && !decays(s))
            ca_table_step(&n->table[task], &n->table_clock);
        else
            ca_table_forget(&n->table[task], &n->table_clock);
        return;
    }
    from = (task - n->graph->n_tables) * CA_RANGE_DENSE;
    to = ca_inside_dense_to(n, from);
    if ((s->which & CA_STEP_DENSE) && s->rate > 0)
        for (size_t i = from; i < to; i++)
            n->weight[i] -= s->rate * n->grad[i];
    else if (s->which & CA_STEP_DENSE)
        ca_adam_step(&n->dense_clock, to - from, n->weight + from, n->m + from, n->v + from, n->grad + from);
    memset(n->grad + from, 0, (to - from) * sizeof *n->grad);
}

/* Weight decay of the dense parameters becomes part of their gradient. */
static void decay_dense(struct ca_net *n)
{
    for (size_t i = 0; i < n->graph->n_params; i++) {
        const struct ca_param *p = &n->graph->param[i];
        ca_real decay = (ca_real)(p->embeds ? n->regular.decay_table : n->regular.decay_dense);

        for (size_t k = p->at; decay > 0 && k < p->at + p->count; k++)
            n->grad[k] += decay * n->weight[k];
    }
}

/* Squares of the gradient by task: ranges of tables (of whole tables without decay), then ranges of the rest. */
static void square_task(void *arg, size_t task, unsigned worker)
{
    const struct step *s = arg;
    struct ca_net *n = s->net;
    size_t tables = !(s->which & CA_STEP_TABLES) ? 0 : decays(s) ? n_ranges(n) : n->graph->n_tables, from, to, i;
    double sum = 0;

    (void)worker;
    if (task >= tables) {
        from = (task - tables) * CA_RANGE_DENSE;
        to = ca_inside_dense_to(n, from);
        for (i = from; i < to; i++)
            sum += (double)n->grad[i] * (double)n->grad[i];
    } else if (decays(s)) {
        i = range_of(n, task, &from, &to);
        sum = ca_table_decayed_square(&n->table[i], (ca_real)n->regular.decay_table, from, to);
    } else {
        sum = ca_table_square(&n->table[task]);
    }
    n->square[task] = sum;
}

static void scale_task(void *arg, size_t task, unsigned worker)
{
    const struct step *s = arg;
    struct ca_net *n = s->net;
    size_t from, to;

    (void)worker;
    if (task < n->graph->n_tables) {
        if (!decays(s)) /* what decays is scaled as it is stepped */
            ca_table_scale(&n->table[task], s->scale);
        return;
    }
    from = (task - n->graph->n_tables) * CA_RANGE_DENSE;
    to = ca_inside_dense_to(n, from);
    for (size_t i = from; i < to; i++)
        n->grad[i] *= s->scale;
}

static void decayed_task(void *arg, size_t task, unsigned worker)
{
    const struct step *s = arg;
    struct ca_net *n = s->net;
    size_t from, to, i = range_of(n, task, &from, &to);

    (void)worker;
    ca_table_decayed_step(&n->table[i], &n->table_clock, (ca_real)n->regular.decay_table, s->scale, from, to);
}

/* PyTorch's clip_grad_norm_: by clip / (norm + 1e-6) where that is below 1. */
static int clip(struct step *s, struct ca_err *err)
{
    struct ca_net *n = s->net;
    size_t tables = !(s->which & CA_STEP_TABLES) ? 0 : decays(s) ? n_ranges(n) : n->graph->n_tables;
    size_t tasks = tables + (s->which & CA_STEP_DENSE ? ca_inside_dense_ranges(n) : 0);
    double square = 0, norm;

    if (!n->square && !(n->square = ca_mem_zalloc(n_ranges(n) + n->graph->n_tables + ca_inside_dense_ranges(n) + 1,
                                                  sizeof *n->square, err)))
        return CA_EMEMORY;
    ca_pool_run(n->pool, tasks, square_task, s);
    for (size_t i = 0; i < tasks; i++)
        square += n->square[i];
    norm = sqrt(square);
    if (!(norm + 1e-6 > n->regular.clip))
        return 0;
    s->scale = (ca_real)(n->regular.clip / (norm + 1e-6));
    ca_pool_run(n->pool, n->graph->n_tables + ca_inside_dense_ranges(n), scale_task, s);
    return 0;
}

int ca_net_step(struct ca_net *n, unsigned which, struct ca_err *err)
{
    struct step s = {n, which, 0, 1};
    int code = 0;

    if (!ca_inside_trains(n))
        return ca_err_set(err, CA_EINTERNAL, "step of a network made for inference");
    if (n->table_clock.now >= CA_NET_STEPS_MAX || n->dense_clock.now >= CA_NET_STEPS_MAX)
        return ca_err_set(err, CA_EUSAGE, "more than 4 billion optimizer steps");
    if (which & CA_STEP_DENSE)
        code = ca_adam_clock_tick(&n->dense_clock, err);
    if (!code && which & CA_STEP_TABLES)
        code = ca_adam_clock_tick(&n->table_clock, err);
    if (code)
        return code;
    if (which & CA_STEP_DENSE)
        decay_dense(n);
    if (which && n->regular.clip > 0 && (code = clip(&s, err)))
        return code;
    if (decays(&s))
        ca_pool_run(n->pool, n_ranges(n), decayed_task, &s);
    ca_pool_run(n->pool, n->graph->n_tables + ca_inside_dense_ranges(n), step_task, &s);
    n->passes = 0;
    return 0;
}

int ca_net_step_sgd(struct ca_net *n, unsigned which, double rate, struct ca_err *err)
{
    struct step s = {n, which, (ca_real)rate, 1};

    if (!ca_inside_trains(n) || !(rate > 0))
        return ca_err_set(err, CA_EINTERNAL, "descent at rate %.9g, or of a network made for inference", rate);
    ca_pool_run(n->pool, n->graph->n_tables + ca_inside_dense_ranges(n), step_task, &s);
    n->passes = 0;
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
    if (ca_inside_trains(n))
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

struct ca_adam ca_net_adam(const struct ca_net *n)
{
    return n->adam;
}

void ca_net_set_regular(struct ca_net *n, const struct ca_regular *r)
{
    /* From now on rows may move in every step: none may rest in the past. */
    settle(n);
    n->regular = *r;
}

void ca_net_set_embed_loss(struct ca_net *n, const struct ca_embed_loss *l)
{
    n->embed_loss = l ? *l : (struct ca_embed_loss){0};
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
    for (size_t i = 0; ca_inside_trains(n) && i < n->graph->n_tables; i++)
        ca_table_stand(&n->table[i], t);
}

/* ---- plain access ---- */

ca_real *ca_net_dense(struct ca_net *n, enum ca_state kind)
{
    ca_real *const part[] = {[CA_STATE_WEIGHT] = n->weight, [CA_STATE_M] = n->m, [CA_STATE_V] = n->v,
                             [CA_STATE_GRADIENT] = n->grad};

    return part[kind];
}

ca_real *ca_net_buffers(struct ca_net *n)
{
    return n->buffer;
}

ca_real *ca_net_table_row(struct ca_net *n, size_t table, size_t row, enum ca_state kind)
{
    const struct ca_table *t = &n->table[table];

    if (kind == CA_STATE_GRADIENT || (kind != CA_STATE_WEIGHT && !ca_inside_trains(n)))
        return NULL;
    return t->data + row * t->stride + (size_t)kind * t->width;
}

const ca_real *ca_net_table_gradient(struct ca_net *n, size_t table, size_t row)
{
    return ca_table_gradient(&n->table[table], row);
}

static uint64_t flops(const struct ca_graph *g, int all)
{
    uint64_t sum = 0;

    for (size_t k = 0; k < g->n_nodes; k++) {
        const struct ca_op *op = &g->node[k].op;
        sum += op->type->flops && (all || g->node[k].for_logit) ? op->type->flops(op) : 0;
    }
    return sum;
}

uint64_t ca_net_flops_per_row(const struct ca_net *n)
{
    return flops(n->graph, 1);
}

uint64_t ca_net_logit_flops_per_row(const struct ca_net *n)
{
    return flops(n->graph, 0);
}
