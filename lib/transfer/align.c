#include "transfer/align.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/extra.h"
#include "transfer/hint.h"
#include "transfer/rkd.h"

#include "base/banned.h"

#define STEPS_NAME "hint.steps"

/* The states that travel, and what they are called. */
static const struct {
    enum ca_state kind;
    const char *name;
} travels[] = {{CA_STATE_WEIGHT, "hint.weight"}, {CA_STATE_M, "hint.m"}, {CA_STATE_V, "hint.v"}};
#define N_TRAVELS (sizeof travels / sizeof *travels)

struct ca_align {
    struct ca_model *student, *teacher;
    struct ca_align_opts opts;
    struct ca_hint_shape shape;
    struct ca_hint *hint; /* NULL without */
    struct ca_rkd *rkd;   /* NULL without, and where it is 0 */
    ca_real *taught;      /* [rows, fields*dT] of the batch at hand */
    size_t cap, rows;
    size_t ld;            /* fields*dT, of the teacher's own fields */
};

/* Fields of a model's main embedding, and how wide each is. */
static size_t fields_of(const struct ca_model *m)
{
    return ca_graph_inputs(ca_net_graph(m->net))->n_fields;
}

static size_t width_of(const struct ca_model *m)
{
    const struct ca_graph *g = ca_net_graph(m->net);

    return ca_graph_main_tables(g) ? ca_graph_get_table(g, 0)->width : 0;
}

static int projects(const struct ca_align *a)
{
    return a->opts.mismatch == CA_ALIGN_PROJECT && a->shape.student != a->shape.teacher;
}

/* ---- the losses ---- */

/* struct ca_embed_loss */
static int evaluate(void *arg, const ca_real *v, size_t ld, size_t rows, size_t width, ca_real *dv, size_t ld_dv,
                    double *loss, struct ca_err *err)
{
    struct ca_align *a = arg;
    struct ca_rkd_rows s = {v, ld, width}, t = {a->taught, a->ld, a->ld};
    int rc;

    *loss = 0;
    if (rows != a->rows)
        return ca_err_set(err, CA_EINTERNAL, "%zu rows are learned, and %zu were taught", rows, a->rows);
    if (a->hint && (rc = ca_hint_map(a->hint, rows, v, ld, err)))
        return rc;
    if (a->hint)
        *loss += ca_hint_loss(a->hint, a->opts.hint, a->taught, a->ld);
    if (a->rkd) {
        ca_rkd_draw(a->rkd, ca_net_steps(a->student->net, CA_STEP_DENSE), rows);
        if (projects(a)) {
            s = (struct ca_rkd_rows){ca_hint_mapped(a->hint), a->ld, a->ld};
            *loss += ca_rkd_loss(a->rkd, a->opts.rkd, &s, &t, ca_hint_mapped_gradient(a->hint), a->ld);
        } else {
            *loss += ca_rkd_loss(a->rkd, a->opts.rkd, &s, &t, dv, ld_dv);
        }
    }
    if (a->hint)
        ca_hint_backward(a->hint, v, ld, dv, ld_dv);
    return isfinite(*loss) ? 0 : ca_err_set(err, CA_ENUMERIC, "the loss on embeddings is not finite");
}

int ca_align_teach(struct ca_align *a, const struct ca_feed *feed, struct ca_err *err)
{
    size_t n;
    int rc;

    if (ca_mem_mul(feed->rows, a->ld, &n))
        return ca_err_set(err, CA_EMEMORY, "out of memory: a batch of %zu rows is too large", feed->rows);
    if ((rc = ca_mem_grow((void **)&a->taught, &a->cap, n, sizeof *a->taught, err)))
        return rc;
    a->rows = feed->rows;
    return ca_net_embed(a->teacher->net, feed, a->taught, a->ld, err);
}

int ca_align_step(struct ca_align *a, struct ca_err *err)
{
    return a->hint ? ca_hint_step(a->hint, err) : 0;
}

/* ---- maps that travel ---- */

static int unfit(const char *name, struct ca_err *err)
{
    (void)ca_err_set(err, CA_ESCHEMA, "the student's tensor 'extra.%s' is not of the shape that these models need", name);
    return ca_err_hint(err, "its maps were made for another teacher; 'ca-model --weights-only' leaves them out");
}

/* One tensor of the student's, when it has the shape; NULL when it has none of that name. */
static int carried(const struct ca_align *a, const char *name, enum ca_st_dtype dtype, unsigned n_dims,
                   const uint64_t *dim, const struct ca_extra **out, struct ca_err *err)
{
    const struct ca_extra *e = ca_extra_find(a->student, name);

    *out = e;
    if (e && (e->dtype != dtype || e->n_dims != n_dims || memcmp(e->dim, dim, n_dims * sizeof *dim)))
        return unfit(name, err);
    return 0;
}

static int take_up(struct ca_align *a, struct ca_err *err)
{
    const uint64_t dim[3] = {a->shape.fields, a->shape.teacher, a->shape.student}, one[1] = {1};
    const struct ca_extra *e[N_TRAVELS], *steps;
    uint64_t t;
    int rc;

    for (size_t i = 0; i < N_TRAVELS; i++)
        if ((rc = carried(a, travels[i].name, CA_ST_F32, 3, dim, &e[i], err)))
            return rc;
    if ((rc = carried(a, STEPS_NAME, CA_ST_U64, 1, one, &steps, err)))
        return rc;
    if (!e[0])
        return 0;
    for (size_t i = 0; i < (a->opts.reset ? 1 : N_TRAVELS); i++) {
        ca_real *to = ca_hint_state(a->hint, travels[i].kind);
        if (!e[i])
            return unfit(travels[i].name, err);
        for (size_t k = 0; k < ca_hint_count(a->hint); k++)
            to[k] = ((const float *)e[i]->data)[k];
    }
    if (a->opts.reset)
        return 0;
    if (!steps)
        return unfit(STEPS_NAME, err);
    memcpy(&t, steps->data, sizeof t);
    if (t > CA_NET_STEPS_MAX)
        return unfit(STEPS_NAME, err);
    ca_hint_set_steps(a->hint, t);
    return 0;
}

int ca_align_keep(const struct ca_align *a, struct ca_err *err)
{
    size_t n = a->hint ? ca_hint_count(a->hint) : 0;
    uint64_t steps = a->hint ? ca_hint_steps(a->hint) : 0;
    struct ca_extra e = {.name = STEPS_NAME, .dtype = CA_ST_U64, .n_dims = 1, .dim = {1}, .data = &steps};
    float *data;
    int rc;

    if (!a->hint)
        return 0;
    if ((rc = ca_extra_put(a->student, &e, err)))
        return rc;
    if (!(data = ca_mem_alloc(n, sizeof *data, err)))
        return CA_EMEMORY;
    e = (struct ca_extra){.dtype = CA_ST_F32, .n_dims = 3, .data = data,
                          .dim = {a->shape.fields, a->shape.teacher, a->shape.student}};
    for (size_t i = 0; i < N_TRAVELS && !rc; i++) {
        const ca_real *from = ca_hint_state(a->hint, travels[i].kind);

        for (size_t k = 0; k < n; k++)
            data[k] = (float)from[k];
        e.name = travels[i].name;
        rc = ca_extra_put(a->student, &e, err);
    }
    ca_mem_free(data);
    return rc;
}

/* ---- birth and death ---- */

/* The map of field f is between the f-th fields of both, so those must be one and the same. */
static int same_fields(const struct ca_model *student, const struct ca_model *teacher, struct ca_err *err)
{
    int same = student->n_fields == teacher->n_fields;

    for (size_t f = 0; same && f < student->n_fields; f++) {
        const char *s = student->field[f].name, *t = teacher->field[f].name;
        same = !s[0] || !t[0] || !strcmp(s, t);
    }
    if (same)
        return 0;
    (void)ca_err_set(err, CA_ESCHEMA, "student and teacher have not the same fields in the same order");
    return ca_err_hint(err, "a hint is from field to field; train both on records of one schema");
}

static int make(struct ca_align *a, struct ca_pool *pool, struct ca_err *err)
{
    int rc;

    if (a->opts.hint > 0) {
        if ((rc = same_fields(a->student, a->teacher, err)) ||
            (rc = ca_hint_new(&a->hint, &a->shape, a->opts.seed, a->opts.adam, pool, err)) || (rc = take_up(a, err)))
            return rc;
    } else if (projects(a)) {
        return ca_err_set(err, CA_EUSAGE, "relations are seen through the maps of a hint, and there is no hint");
    }
    if (a->opts.rkd > 0 && !(a->opts.mismatch == CA_ALIGN_ZERO && a->shape.student != a->shape.teacher)) {
        if (!(a->rkd = ca_mem_zalloc(1, sizeof *a->rkd, err)))
            return CA_EMEMORY;
        ca_rkd_init(a->rkd, a->opts.seed);
    }
    return 0;
}

int ca_align_new(struct ca_align **out, const struct ca_align_opts *opts, struct ca_model *student,
                 struct ca_model *teacher, struct ca_pool *pool, struct ca_err *err)
{
    struct ca_align *a = ca_mem_zalloc(1, sizeof *a, err);
    int rc;

    if (!a)
        return CA_EMEMORY;
    a->student = student;
    a->teacher = teacher;
    a->opts = *opts;
    a->shape = (struct ca_hint_shape){fields_of(student), width_of(student), width_of(teacher)};
    a->ld = fields_of(teacher) * a->shape.teacher;
    if ((rc = make(a, pool, err))) {
        ca_align_free(a);
        return rc;
    }
    a->opts.adam = NULL;
    ca_net_set_embed_loss(student->net, &(struct ca_embed_loss){evaluate, a});
    *out = a;
    return 0;
}

void ca_align_free(struct ca_align *a)
{
    if (!a)
        return;
    ca_net_set_embed_loss(a->student->net, NULL);
    ca_hint_free(a->hint);
    ca_mem_free(a->rkd);
    ca_mem_free(a->taught);
    ca_mem_free(a);
}

/* ---- for ca_train ---- */

static int before(void *arg, const struct ca_feed *feed, struct ca_err *err)
{
    return ca_align_teach(arg, feed, err);
}

static int after(void *arg, struct ca_err *err)
{
    return ca_align_step(arg, err);
}

struct ca_train_beside ca_align_beside(struct ca_align *a)
{
    return (struct ca_train_beside){before, after, a};
}
