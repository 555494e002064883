#include "transfer/hint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "nn/adam.h"
#include "nn/blas.h"
#include "nn/init.h"

#include "base/banned.h"

struct ca_hint {
    struct ca_hint_shape shape;
    struct ca_adam adam;
    struct ca_pool *pool;
    struct ca_adam_clock clock;
    ca_real *state[4];   /* [fields, dT, dS] each, by enum ca_state */
    ca_real *u, *du;     /* [rows, fields*dT] of the batch at hand */
    size_t cap_u, cap_du;
    size_t rows;
    double *field_loss;  /* of each field: added up in the order of fields, whoever computed them */
};

/* The matrices that a task looks at. */
struct job {
    struct ca_hint *h;
    const ca_real *s, *t;
    size_t ld_s, ld_t;
    ca_real *ds;
    size_t ld_ds;
    double scale;
};

static size_t map_size(const struct ca_hint *h)
{
    return h->shape.teacher * h->shape.student;
}

/* Every field's map, drawn by its name. */
static void draw(struct ca_hint *h, uint64_t seed)
{
    struct ca_init_rule rule = {CA_INIT_UNIFORM, 1 / sqrt((double)h->shape.student)};
    size_t n = map_size(h);

    for (size_t f = 0; f < h->shape.fields; f++) {
        char name[48];

        (void)snprintf(name, sizeof name, "hint.%zu.weight", f);
        ca_init_fill(h->state[CA_STATE_WEIGHT] + f * n, n, n, 0, 1, &rule, seed, name);
    }
}

int ca_hint_new(struct ca_hint **out, const struct ca_hint_shape *shape, uint64_t seed, const struct ca_adam *adam,
                struct ca_pool *pool, struct ca_err *err)
{
    struct ca_hint *h = ca_mem_zalloc(1, sizeof *h, err);
    int rc = h ? 0 : CA_EMEMORY;

    if (rc)
        return rc;
    h->shape = *shape;
    h->adam = *adam;
    h->pool = pool;
    h->field_loss = ca_mem_zalloc(shape->fields, sizeof *h->field_loss, err);
    rc = h->field_loss ? ca_adam_clock_init(&h->clock, adam, adam->lr_table, 0, 0, err) : CA_EMEMORY;
    for (int i = 0; i < 4 && !rc; i++)
        if (!(h->state[i] = ca_mem_zalloc(ca_hint_count(h), sizeof(ca_real), err)))
            rc = CA_EMEMORY;
    if (rc) {
        ca_hint_free(h);
        return rc;
    }
    draw(h, seed);
    *out = h;
    return 0;
}

void ca_hint_free(struct ca_hint *h)
{
    if (!h)
        return;
    for (int i = 0; i < 4; i++)
        ca_mem_free(h->state[i]);
    ca_mem_free(h->u);
    ca_mem_free(h->du);
    ca_mem_free(h->field_loss);
    ca_adam_clock_fini(&h->clock);
    ca_mem_free(h);
}

/* ---- a batch ---- */

/* u_f(rows, dT) = s_f(rows, dS) P_f^T */
static void map_field(void *arg, size_t f, unsigned worker)
{
    const struct job *j = arg;
    const struct ca_hint *h = j->h;
    size_t dt = h->shape.teacher, ds = h->shape.student;

    (void)worker;
    ca_gemm_nt(h->rows, dt, ds, j->s + f * ds, j->ld_s, h->state[CA_STATE_WEIGHT] + f * map_size(h), ds, 0,
               h->u + f * dt, h->shape.fields * dt);
}

int ca_hint_map(struct ca_hint *h, size_t rows, const ca_real *s, size_t ld, struct ca_err *err)
{
    struct job j = {.h = h, .s = s, .ld_s = ld};
    size_t n = h->shape.fields * h->shape.teacher;
    int rc;

    if (ca_mem_mul(rows, n, &n))
        return ca_err_set(err, CA_EMEMORY, "out of memory: a batch of %zu rows is too large", rows);
    if ((rc = ca_mem_grow((void **)&h->u, &h->cap_u, n, sizeof *h->u, err)) ||
        (rc = ca_mem_grow((void **)&h->du, &h->cap_du, n, sizeof *h->du, err)))
        return rc;
    h->rows = rows;
    if (n)
        memset(h->du, 0, n * sizeof *h->du);
    if (rows)
        ca_pool_run(h->pool, h->shape.fields, map_field, &j);
    return 0;
}

const ca_real *ca_hint_mapped(const struct ca_hint *h)
{
    return h->u;
}

ca_real *ca_hint_mapped_gradient(struct ca_hint *h)
{
    return h->du;
}

static void loss_field(void *arg, size_t f, unsigned worker)
{
    const struct job *j = arg;
    struct ca_hint *h = j->h;
    size_t dt = h->shape.teacher, ld = h->shape.fields * dt;
    double sum = 0;

    (void)worker;
    for (size_t r = 0; r < h->rows; r++) {
        const ca_real *u = h->u + r * ld + f * dt, *t = j->t + r * j->ld_t + f * dt;
        ca_real *du = h->du + r * ld + f * dt;

        for (size_t k = 0; k < dt; k++) {
            double off = (double)u[k] - (double)t[k];
            sum += off * off;
            du[k] += (ca_real)(2 * j->scale * off);
        }
    }
    h->field_loss[f] = sum;
}

double ca_hint_loss(struct ca_hint *h, double lambda, const ca_real *t, size_t ld)
{
    size_t all = h->rows * h->shape.fields * h->shape.teacher;
    struct job j = {.h = h, .t = t, .ld_t = ld, .scale = lambda / (double)all};
    double sum = 0;

    if (!all)
        return 0;
    ca_pool_run(h->pool, h->shape.fields, loss_field, &j);
    for (size_t f = 0; f < h->shape.fields; f++)
        sum += h->field_loss[f];
    return j.scale * sum;
}

/* dP_f(dT, dS) += du_f^T s_f; ds_f += du_f P_f */
static void back_field(void *arg, size_t f, unsigned worker)
{
    const struct job *j = arg;
    const struct ca_hint *h = j->h;
    size_t dt = h->shape.teacher, ds = h->shape.student, ld = h->shape.fields * dt, at = f * map_size(h);

    (void)worker;
    ca_gemm_tn(dt, ds, h->rows, h->du + f * dt, ld, j->s + f * ds, j->ld_s, 1, h->state[CA_STATE_GRADIENT] + at, ds);
    ca_gemm_nn(h->rows, ds, dt, h->du + f * dt, ld, h->state[CA_STATE_WEIGHT] + at, ds, 1, j->ds + f * ds, j->ld_ds);
}

void ca_hint_backward(struct ca_hint *h, const ca_real *s, size_t ld, ca_real *ds, size_t ld_ds)
{
    struct job j = {.h = h, .s = s, .ld_s = ld, .ds = ds, .ld_ds = ld_ds};

    if (h->rows)
        ca_pool_run(h->pool, h->shape.fields, back_field, &j);
}

int ca_hint_step(struct ca_hint *h, struct ca_err *err)
{
    size_t n = ca_hint_count(h);
    int rc = ca_adam_clock_tick(&h->clock, err);

    if (rc)
        return rc;
    ca_adam_step(&h->clock, n, h->state[CA_STATE_WEIGHT], h->state[CA_STATE_M], h->state[CA_STATE_V],
                 h->state[CA_STATE_GRADIENT]);
    memset(h->state[CA_STATE_GRADIENT], 0, n * sizeof(ca_real));
    return 0;
}

/* ---- state ---- */

size_t ca_hint_count(const struct ca_hint *h)
{
    return h->shape.fields * map_size(h);
}

ca_real *ca_hint_state(struct ca_hint *h, enum ca_state kind)
{
    return h->state[kind];
}

uint64_t ca_hint_steps(const struct ca_hint *h)
{
    return h->clock.now;
}

void ca_hint_set_steps(struct ca_hint *h, uint64_t t)
{
    ca_adam_clock_restart(&h->clock, &h->adam, h->adam.lr_table, t);
}
