#include "transfer/project.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "transfer/linalg.h"

#include "base/banned.h"

/*
 * Sums over a table's rows are taken in this many parts, each a fixed range of
 * rows, and the parts are added in order: the threads change nothing.
 */
#define PARTS ((size_t)16)

#define TINY 1e-12 /* the published guard of the relative error */

/* One field: its statistics and its basis. */
struct table {
    size_t rows, from, to;
    enum ca_project_how how;
    int padded;       /* row 0 of the new table stays zero */
    double *mean;     /* [from] of the old rows */
    double norm2;     /* |E_T|_F^2 */
    double *gram;     /* A^T A [from, from] */
    double *basis;    /* W [from, to]; shared scope: one matrix for all; NULL for a copy */
    double *origin;   /* [from] taken off before W, or NULL */
    double *new_mean; /* [to] of the new rows */
    double *cross;    /* A^T B [from, to] */
    double *new_gram; /* B^T B [to, to] */
    double lost2;     /* |E_T - reconstruction|_F^2 */
    double retained, theory;
};

struct work {
    struct ca_net *old, *new; /* new NULL while only statistics are wanted */
    struct ca_pool *pool;
    struct ca_arena arena;
    struct table *table;
    size_t n;
    double *part;             /* PARTS areas of part_size, summed into the first */
    size_t part_size;
    /* of the pass that runs */
    size_t at;                /* table */
    void (*pass)(struct work *w, const struct table *t, size_t first, size_t last, double *out);
    int moments;
};

static void run_part(void *arg, size_t task, unsigned worker)
{
    struct work *w = arg;
    const struct table *t = &w->table[w->at];
    double *out = w->part + task * w->part_size;

    (void)worker;
    memset(out, 0, w->part_size * sizeof *out);
    w->pass(w, t, t->rows * task / PARTS, t->rows * (task + 1) / PARTS, out);
}

/* One pass over the rows of table i; returns the n sums. */
static const double *sweep(struct work *w, size_t i, size_t n,
                           void (*pass)(struct work *, const struct table *, size_t, size_t, double *))
{
    w->at = i;
    w->pass = pass;
    ca_pool_run(w->pool, PARTS, run_part, w);
    for (size_t p = 1; p < PARTS; p++)
        for (size_t k = 0; k < n; k++)
            w->part[k] += w->part[p * w->part_size + k];
    return w->part;
}

static const ca_real *old_row(const struct work *w, size_t row)
{
    return ca_net_table_row(w->old, w->at, row, CA_STATE_WEIGHT);
}

static const ca_real *new_row(const struct work *w, size_t row)
{
    return ca_net_table_row(w->new, w->at, row, CA_STATE_WEIGHT);
}

/* ---- passes over rows ---- */

/* out: sums of the columns, then of all squares */
static void pass_mean(struct work *w, const struct table *t, size_t first, size_t last, double *out)
{
    for (size_t r = first; r < last; r++) {
        const ca_real *e = old_row(w, r);
        for (size_t k = 0; k < t->from; k++) {
            out[k] += (double)e[k];
            out[t->from] += (double)e[k] * (double)e[k];
        }
    }
}

/* out: upper triangle of A^T A */
static void pass_gram(struct work *w, const struct table *t, size_t first, size_t last, double *out)
{
    for (size_t r = first; r < last; r++) {
        const ca_real *e = old_row(w, r);
        for (size_t i = 0; i < t->from; i++) {
            double x = (double)e[i] - t->mean[i];
            for (size_t j = i; j < t->from; j++)
                out[i * t->from + j] += x * ((double)e[j] - t->mean[j]);
        }
    }
}

/* y[to] = x[from] W; squared takes the squares of W. y is double throughout and rounded once. */
static void through(const struct table *t, const ca_real *x, int squared, const double *origin, double *sum, ca_real *y)
{
    memset(sum, 0, t->to * sizeof *sum);
    for (size_t k = 0; k < t->from; k++) {
        double v = (double)x[k] - (origin ? origin[k] : 0.0);
        const double *b = t->basis + k * t->to;
        if (squared)
            for (size_t j = 0; j < t->to; j++)
                sum[j] += v * b[j] * b[j];
        else
            for (size_t j = 0; j < t->to; j++)
                sum[j] += v * b[j];
    }
    for (size_t j = 0; j < t->to; j++)
        y[j] = (ca_real)sum[j];
}

/* Writes the new rows. out: sums of their columns, then the squared error of the way back; behind that, scratch. */
static void pass_project(struct work *w, const struct table *t, size_t first, size_t last, double *out)
{
    for (size_t r = first; r < last; r++) {
        const ca_real *e = old_row(w, r);
        ca_real *n = ca_net_table_row(w->new, w->at, r, CA_STATE_WEIGHT);

        if (t->how == CA_PROJECT_COPY)
            memcpy(n, e, t->to * sizeof *n);
        else if (t->how != CA_PROJECT_NONE)
            through(t, e, 0, t->origin, out + t->to + 1, n);
        if (t->padded && !r)
            memset(n, 0, t->to * sizeof *n);
        for (size_t j = 0; j < t->to; j++)
            out[j] += (double)n[j];
        for (size_t k = 0; k < t->from && t->basis; k++) {
            double back = t->origin ? t->origin[k] : 0.0;
            for (size_t j = 0; j < t->to; j++)
                back += (double)n[j] * t->basis[k * t->to + j];
            out[t->to] += ((double)e[k] - back) * ((double)e[k] - back);
        }
        if (w->moments) {
            const ca_real *m = ca_net_table_row(w->old, w->at, r, CA_STATE_M);
            const ca_real *v = ca_net_table_row(w->old, w->at, r, CA_STATE_V);
            ca_real *nm = ca_net_table_row(w->new, w->at, r, CA_STATE_M);
            ca_real *nv = ca_net_table_row(w->new, w->at, r, CA_STATE_V);

            if (t->how == CA_PROJECT_COPY) {
                memcpy(nm, m, t->to * sizeof *nm);
                memcpy(nv, v, t->to * sizeof *nv);
            } else {
                through(t, m, 0, NULL, out + t->to + 1, nm);
                through(t, v, 1, NULL, out + t->to + 1, nv);
            }
            if (t->padded && !r) {
                memset(nm, 0, t->to * sizeof *nm);
                memset(nv, 0, t->to * sizeof *nv);
            }
        }
    }
}

/* out: A^T B, then the upper triangle of B^T B; behind that, scratch. */
static void pass_compare(struct work *w, const struct table *t, size_t first, size_t last, double *out)
{
    double *bb = out + t->from * t->to, *b = bb + t->to * t->to;

    for (size_t r = first; r < last; r++) {
        const ca_real *e = old_row(w, r), *n = new_row(w, r);

        for (size_t j = 0; j < t->to; j++)
            b[j] = (double)n[j] - t->new_mean[j];
        for (size_t k = 0; k < t->from; k++) {
            double x = (double)e[k] - t->mean[k];
            for (size_t j = 0; j < t->to; j++)
                out[k * t->to + j] += x * b[j];
        }
        for (size_t i = 0; i < t->to; i++)
            for (size_t j = i; j < t->to; j++)
                bb[i * t->to + j] += b[i] * b[j];
    }
}

static void copy_symmetric(size_t n, const double *upper, double *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            out[i * n + j] = out[j * n + i] = upper[i * n + j];
}

/* ---- set-up ---- */

static double *doubles(struct work *w, size_t n, struct ca_err *err)
{
    return ca_arena_alloc(&w->arena, n, sizeof(double), err);
}

static void work_end(struct work *w)
{
    ca_mem_free(w->part);
    ca_arena_fini(&w->arena);
}

static int is_like(const struct ca_table_spec *x, const struct ca_table_spec *y)
{
    return x->field == y->field && x->rows == y->rows;
}

size_t ca_project_count(const struct ca_model *to, const struct ca_model *from)
{
    const struct ca_graph *a = ca_net_graph(from->net), *b = ca_net_graph(to->net);
    size_t n = 0;

    while (n < ca_graph_main_tables(a) && n < ca_graph_main_tables(b) &&
           is_like(ca_graph_get_table(a, n), ca_graph_get_table(b, n)))
        n++;
    return n;
}

static int same_fields(struct ca_model *to, struct ca_model *from, struct ca_err *err)
{
    const struct ca_graph *a = ca_net_graph(from->net), *b = ca_net_graph(to->net);
    size_t fields = ca_graph_inputs(a)->n_fields, n = ca_project_count(to, from);

    if (fields != ca_graph_inputs(b)->n_fields)
        return ca_err_set(err, CA_ESCHEMA, "%zu tables cannot become %zu", fields, ca_graph_inputs(b)->n_fields);
    if (n < fields && n < ca_graph_main_tables(a) && n < ca_graph_main_tables(b))
        return ca_err_set(err, CA_ESCHEMA, "tables '%s' and '%s' are of different fields", ca_graph_get_table(a, n)->name,
                          ca_graph_get_table(b, n)->name);
    return n < fields ? ca_err_set(err, CA_ESCHEMA, "a model has no table for each of its fields") : 0;
}

/* Widths, memory, means and Gram matrices of the old tables. */
static int work_begin(struct work *w, struct ca_model *from, struct ca_model *to, struct ca_pool *pool,
                      struct ca_err *err)
{
    const struct ca_graph *g = ca_net_graph(from->net);
    int rc = ca_net_settle(from->net, err);

    if (!rc && to)
        rc = same_fields(to, from, err);
    if (rc)
        return rc;
    w->old = from->net;
    w->new = to ? to->net : NULL;
    w->pool = pool;
    w->n = to ? ca_project_count(to, from) : ca_graph_main_tables(g);
    if (!(w->table = ca_arena_alloc(&w->arena, w->n, sizeof *w->table, err)))
        return CA_EMEMORY;
    for (size_t i = 0; i < w->n; i++) {
        struct table *t = &w->table[i];
        size_t most;

        t->rows = ca_graph_get_table(g, i)->rows;
        t->from = ca_graph_get_table(g, i)->width;
        t->to = to ? ca_graph_get_table(ca_net_graph(to->net), i)->width : t->from;
        t->padded = to && ca_graph_get_table(ca_net_graph(to->net), i)->padded;
        t->mean = doubles(w, t->from, err);
        t->gram = doubles(w, t->from * t->from, err);
        t->new_mean = doubles(w, t->to, err);
        t->cross = doubles(w, t->from * t->to, err);
        t->new_gram = doubles(w, t->to * t->to, err);
        if (!t->mean || !t->gram || !t->new_mean || !t->cross || !t->new_gram)
            return CA_EMEMORY;
        most = (t->from + t->to) * (t->from + t->to) + t->from + t->to + 2;
        if (most > w->part_size)
            w->part_size = most;
    }
    if (!(w->part = ca_mem_alloc(PARTS * w->part_size, sizeof *w->part, err)))
        return CA_EMEMORY;
    for (size_t i = 0; i < w->n; i++) {
        struct table *t = &w->table[i];
        const double *sum = sweep(w, i, t->from + 1, pass_mean);

        t->norm2 = sum[t->from];
        if (!isfinite(t->norm2))
            return ca_err_set(err, CA_ENUMERIC, "table '%s' holds numbers that are not finite",
                              ca_graph_get_table(g, i)->name);
        for (size_t k = 0; k < t->from; k++)
            t->mean[k] = sum[k] / (double)t->rows;
        copy_symmetric(t->from, sweep(w, i, t->from * t->from, pass_gram), t->gram);
    }
    return 0;
}

/* Mean and Gram matrix, about that mean, of the rows of all tables together. Their widths are equal. */
static int pool_tables(struct work *w, struct table *all, struct ca_err *err)
{
    size_t d = w->n ? w->table[0].from : 0;

    *all = (struct table){.from = d, .to = w->n ? w->table[0].to : 0};
    all->mean = doubles(w, d, err);
    all->gram = doubles(w, d * d, err);
    if (!all->mean || !all->gram)
        return CA_EMEMORY;
    for (size_t i = 0; i < w->n; i++) {
        if (w->table[i].from != d || w->table[i].to != all->to)
            return ca_err_set(err, CA_ESCHEMA, "tables of different widths cannot share a projection");
        all->rows += w->table[i].rows;
        for (size_t k = 0; k < d; k++)
            all->mean[k] += w->table[i].mean[k] * (double)w->table[i].rows;
    }
    for (size_t k = 0; k < d && all->rows; k++)
        all->mean[k] /= (double)all->rows;
    for (size_t i = 0; i < w->n; i++) {
        const struct table *t = &w->table[i];
        for (size_t k = 0; k < d; k++)
            for (size_t l = 0; l < d; l++)
                all->gram[k * d + l] += t->gram[k * d + l] + (double)t->rows * (t->mean[k] - all->mean[k]) *
                                                                  (t->mean[l] - all->mean[l]);
    }
    return 0;
}

/* ---- bases ---- */

/* value[from] descending, of the covariance, and vector[from, from]. */
static int principal(struct work *w, const struct table *t, double **value, double **vector, struct ca_err *err)
{
    size_t d = t->from;
    double *c = doubles(w, d * d, err);

    *value = doubles(w, d, err);
    *vector = doubles(w, d * d, err);
    if (!c || !*value || !*vector)
        return CA_EMEMORY;
    for (size_t i = 0; i < d * d && t->rows; i++)
        c[i] = t->gram[i] / (double)t->rows;
    return ca_linalg_eigen(d, c, *value, *vector, err);
}

/* An eigenvalue that only rounding keeps from zero. */
static int is_null(double value, double greatest, size_t d)
{
    return !(value > 16.0 * (double)d * DBL_EPSILON * greatest);
}

/* Column k takes the direction of the mean that the first k columns leave over, if any. */
static void keep_rest_of_mean(struct table *t, size_t k)
{
    double norm = 0, all = 0;
    double *column = t->basis + k;

    for (size_t i = 0; i < t->from; i++)
        column[i * t->to] = t->mean[i];
    for (int twice = 0; twice < 2; twice++)
        for (size_t j = 0; j < k; j++) {
            double d = 0;
            for (size_t i = 0; i < t->from; i++)
                d += column[i * t->to] * t->basis[i * t->to + j];
            for (size_t i = 0; i < t->from; i++)
                column[i * t->to] -= d * t->basis[i * t->to + j];
        }
    for (size_t i = 0; i < t->from; i++) {
        norm += column[i * t->to] * column[i * t->to];
        all += t->mean[i] * t->mean[i];
    }
    norm = is_null(norm, all, t->from) ? 0 : 1 / sqrt(norm);
    for (size_t i = 0; i < t->from; i++)
        column[i * t->to] *= norm;
}

static int find_pca(struct work *w, struct table *t, const struct ca_project_opts *o, struct ca_err *err)
{
    double *value, *vector, all = 0, kept = 0, lost = 0;
    size_t d = t->from, k = 0;
    int rc = principal(w, t, &value, &vector, err);

    if (rc)
        return rc;
    if (!(t->basis = doubles(w, d * t->to, err)))
        return CA_EMEMORY;
    while (k < t->to && k < t->rows && !is_null(value[k], value[0], d)) {
        for (size_t i = 0; i < d; i++)
            t->basis[i * t->to + k] = vector[i * d + k];
        k++;
    }
    if (o->mean == CA_PROJECT_DROP)
        t->origin = t->mean;
    else if (k < t->to)
        keep_rest_of_mean(t, k);
    for (size_t i = 0; i < d; i++) {
        double v = value[i] > 0 ? value[i] : 0;
        all += v;
        if (i < t->to)
            kept += v;
        else
            lost += v * v;
    }
    t->retained = all > 0 ? kept / all : 1;
    t->theory = (double)t->rows * (double)t->rows * lost;
    return 0;
}

static int find_expansion(struct work *w, struct table *t, const char *purpose, uint64_t seed, struct ca_err *err)
{
    struct ca_rng rng = ca_rng_make(seed, purpose);
    double *q = doubles(w, t->to * t->to, err);

    if (!q)
        return CA_EMEMORY;
    t->basis = q; /* its first rows */
    t->retained = 1;
    return ca_linalg_orthogonal(t->to, &rng, q, err);
}

static int find_basis(struct work *w, struct table *t, const char *name, const struct ca_project_opts *o,
                      struct ca_err *err)
{
    char purpose[300];

    t->how = t->to == t->from ? CA_PROJECT_COPY : t->to > t->from ? CA_PROJECT_EXPAND : CA_PROJECT_PCA;
    if (t->how == CA_PROJECT_COPY) {
        t->retained = 1;
        return 0;
    }
    if (t->how == CA_PROJECT_PCA)
        return find_pca(w, t, o, err);
    (void)snprintf(purpose, sizeof purpose, "project %s", name);
    return find_expansion(w, t, purpose, o->seed, err);
}

/* A shared basis is not made of this field's own eigenvectors: work its losses out of its Gram matrix. */
static int losses_of_shared(struct work *w, struct table *t, struct ca_err *err)
{
    size_t d = t->from, n = t->to;
    double *gw = doubles(w, d * n, err), *wt = doubles(w, n * d, err), *wgw = doubles(w, n * n, err);
    double trace = 0, kept = 0;

    if (!gw || !wt || !wgw)
        return CA_EMEMORY;
    ca_linalg_multiply(d, n, d, t->gram, t->basis, gw);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < n; j++)
            wt[j * d + i] = t->basis[i * n + j];
    ca_linalg_multiply(n, n, d, wt, gw, wgw);
    for (size_t i = 0; i < d; i++)
        trace += t->gram[i * d + i];
    for (size_t j = 0; j < n; j++)
        kept += wgw[j * n + j];
    t->retained = trace > 0 ? kept / trace : 1;
    t->theory = fmax(0, ca_linalg_inner(d * d, t->gram, t->gram) - 2 * ca_linalg_inner(d * n, gw, gw) +
                            ca_linalg_inner(n * n, wgw, wgw));
    return 0;
}

static int find_bases(struct work *w, const struct ca_project_opts *o, struct ca_err *err)
{
    const struct ca_graph *g = ca_net_graph(w->new);
    struct table all;
    int rc = 0;

    if (o->none)
        return 0; /* CA_PROJECT_NONE is zero */
    if (o->scope == CA_PROJECT_PER_FIELD) {
        for (size_t i = 0; i < w->n && !rc; i++)
            rc = find_basis(w, &w->table[i], ca_graph_get_table(g, i)->name, o, err);
        return rc;
    }
    if (!(rc = pool_tables(w, &all, err)) && w->n)
        rc = find_basis(w, &all, "shared", o, err);
    for (size_t i = 0; i < w->n && !rc; i++) {
        struct table *t = &w->table[i];
        t->how = all.how;
        t->basis = all.basis;
        t->origin = all.origin;
        t->retained = all.retained;
        if (t->how == CA_PROJECT_PCA)
            rc = losses_of_shared(w, t, err);
    }
    return rc;
}

/* ---- report ---- */

/* x + rows * mean_a mean_b^T: the products without any mean taken off */
static void add_means(size_t m, size_t n, size_t rows, const double *a, const double *b, double *x)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            x[i * n + j] += (double)rows * a[i] * b[j];
}

/* |X X'^T - Y Y'^T|_F / |X X'^T|_F from the three inner products of Gram matrices. */
static double relative(double old2, double between, double new2)
{
    double d2 = fmax(0, old2 - 2 * between + new2);
    return old2 > 0 ? sqrt(d2 / old2) : d2 > 0 ? (double)INFINITY : 0;
}

static double cross_field(const struct work *w, size_t f)
{
    const struct table *x = &w->table[f];
    double sum = 0;
    size_t n = 0;

    for (size_t g = 0; g < w->n; g++) {
        const struct table *y = &w->table[g];
        if (g == f || y->from != x->from || y->to != x->to)
            continue;
        sum += relative(ca_linalg_inner(x->from * x->from, x->gram, y->gram),
                        ca_linalg_inner(x->from * x->to, x->cross, y->cross),
                        ca_linalg_inner(x->to * x->to, x->new_gram, y->new_gram));
        n++;
    }
    return n ? sum / (double)n : 0;
}

static void describe(struct work *w, struct ca_project_field *field)
{
    const double nan = (double)NAN;

    for (size_t i = 0; i < w->n; i++) {
        struct table *t = &w->table[i];
        struct ca_project_field *f = &field[i];
        double old2, between, new2;

        f->rows = t->rows;
        f->from = t->from;
        f->to = t->to;
        f->how = t->how;
        f->reconstruction_error = t->how == CA_PROJECT_NONE ? nan : sqrt(t->lost2) / (sqrt(t->norm2) + TINY);
        f->retained_variance = t->how == CA_PROJECT_NONE ? nan : t->retained;
        f->gram_theory = t->how == CA_PROJECT_NONE ? nan : t->theory;
        old2 = ca_linalg_inner(t->from * t->from, t->gram, t->gram);
        between = ca_linalg_inner(t->from * t->to, t->cross, t->cross);
        new2 = ca_linalg_inner(t->to * t->to, t->new_gram, t->new_gram);
        f->gram_measured = fmax(0, old2 - 2 * between + new2);
        f->gram_relative = relative(old2, between, new2);
        add_means(t->from, t->from, t->rows, t->mean, t->mean, t->gram);
        add_means(t->from, t->to, t->rows, t->mean, t->new_mean, t->cross);
        add_means(t->to, t->to, t->rows, t->new_mean, t->new_mean, t->new_gram);
        f->inner_product = relative(ca_linalg_inner(t->from * t->from, t->gram, t->gram),
                                    ca_linalg_inner(t->from * t->to, t->cross, t->cross),
                                    ca_linalg_inner(t->to * t->to, t->new_gram, t->new_gram));
    }
    for (size_t i = 0; i < w->n; i++)
        field[i].cross_field = cross_field(w, i);
}

static void copy_table(struct ca_net *to, size_t i, struct ca_net *from, size_t j, int moments)
{
    const struct ca_table_spec *t = ca_graph_get_table(ca_net_graph(to), i);
    static const enum ca_state kind[] = {CA_STATE_WEIGHT, CA_STATE_M, CA_STATE_V};

    for (size_t r = 0; r < t->rows; r++)
        for (size_t k = 0; k < (moments ? sizeof kind / sizeof *kind : 1); k++)
            memcpy(ca_net_table_row(to, i, r, kind[k]), ca_net_table_row(from, j, r, kind[k]),
                   t->width * sizeof(ca_real));
}

/* Tables beside the main embedding go over as they are where both models have them. */
static void copy_others(struct ca_net *to, struct ca_net *from, int moments)
{
    const struct ca_graph *a = ca_net_graph(from), *b = ca_net_graph(to);

    for (size_t i = ca_graph_main_tables(b); i < ca_graph_n_tables(b); i++)
        for (size_t j = ca_graph_main_tables(a); j < ca_graph_n_tables(a); j++) {
            const struct ca_table_spec *x = ca_graph_get_table(a, j), *y = ca_graph_get_table(b, i);
            if (!strcmp(x->name, y->name) && x->rows == y->rows && x->width == y->width)
                copy_table(to, i, from, j, moments);
        }
}

int ca_project_tables(struct ca_model *to, struct ca_model *from, const struct ca_project_opts *opts,
                      struct ca_pool *pool, struct ca_project_field *field, struct ca_err *err)
{
    struct work w = {0};
    int rc = work_begin(&w, from, to, pool, err);

    if (!rc)
        rc = find_bases(&w, opts, err);
    if (rc)
        goto out;
    if (opts->moments == CA_PROJECT_MAP && !opts->none && w.n) {
        if (!ca_net_steps(from->net, CA_STEP_TABLES) || !ca_net_table_row(from->net, 0, 0, CA_STATE_M) ||
            !ca_net_table_row(to->net, 0, 0, CA_STATE_M)) {
            rc = ca_err_set(err, CA_ESCHEMA, "the model holds no optimizer state to map");
            goto out;
        }
        w.moments = 1;
        ca_net_set_steps(to->net, CA_STEP_TABLES, ca_net_steps(from->net, CA_STEP_TABLES));
    }
    for (size_t i = 0; i < w.n; i++) {
        struct table *t = &w.table[i];
        const double *sum = sweep(&w, i, t->to + 1, pass_project);

        for (size_t j = 0; j < t->to; j++)
            t->new_mean[j] = sum[j] / (double)t->rows;
        t->lost2 = sum[t->to];
        sum = sweep(&w, i, (t->from + t->to) * t->to, pass_compare);
        memcpy(t->cross, sum, t->from * t->to * sizeof *sum);
        copy_symmetric(t->to, sum + t->from * t->to, t->new_gram);
        field[i].name = ca_graph_get_table(ca_net_graph(to->net), i)->name;
    }
    if (!opts->none)
        copy_others(to->net, from->net, w.moments);
    describe(&w, field);
    for (size_t i = 0; i < w.n; i++) {
        size_t f = ca_graph_get_table(ca_net_graph(to->net), i)->field;
        if (f < to->n_fields && to->field[f].name)
            field[i].name = to->field[f].name;
    }
out:
    work_end(&w);
    return rc;
}

/* Least k whose leading eigenvalues make up the share. */
static int width_of(struct work *w, const struct table *t, double retain, size_t *width, struct ca_err *err)
{
    double *value, *vector, all = 0, kept = 0;
    int rc = principal(w, t, &value, &vector, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < t->from; i++)
        all += value[i] = is_null(value[i], value[0], t->from) ? 0 : value[i];
    for (*width = 0; *width < t->from && (!*width || kept < retain * all); ++*width)
        kept += value[*width];
    return 0;
}

int ca_project_width(struct ca_model *from, enum ca_project_scope scope, double retain, struct ca_pool *pool,
                     size_t *width, struct ca_err *err)
{
    struct work w = {0};
    struct table all;
    int rc = work_begin(&w, from, NULL, pool, err);

    *width = 1;
    if (!rc && scope == CA_PROJECT_SHARED) {
        if (!(rc = pool_tables(&w, &all, err)))
            rc = width_of(&w, &all, retain, width, err);
    } else {
        for (size_t i = 0; i < w.n && !rc; i++) {
            size_t one;
            rc = width_of(&w, &w.table[i], retain, &one, err);
            if (!rc && one > *width)
                *width = one;
        }
    }
    work_end(&w);
    return rc;
}

static const char *const how_name[] = {"none", "copy", "expand", "pca"};

static const struct {
    const char *name;
    size_t offset;
} number[] = {
    {"reconstruction_error", offsetof(struct ca_project_field, reconstruction_error)},
    {"retained_variance", offsetof(struct ca_project_field, retained_variance)},
    {"gram_distortion_theory", offsetof(struct ca_project_field, gram_theory)},
    {"gram_distortion_measured", offsetof(struct ca_project_field, gram_measured)},
    {"gram_distortion_relative", offsetof(struct ca_project_field, gram_relative)},
    {"inner_product_distortion", offsetof(struct ca_project_field, inner_product)},
    {"cross_field_distortion", offsetof(struct ca_project_field, cross_field)},
};
#define N_NUMBERS (sizeof number / sizeof *number)

static double number_at(const struct ca_project_field *f, size_t i)
{
    return *(const double *)(const void *)((const char *)f + number[i].offset);
}

void ca_project_report_tsv(const struct ca_project_field *field, size_t n, struct ca_buf *out)
{
    ca_buf_str(out, "field\trows\twidth_from\twidth_to\tmethod");
    for (size_t k = 0; k < N_NUMBERS; k++)
        ca_buf_printf(out, "\t%s", number[k].name);
    ca_buf_char(out, '\n');
    for (size_t i = 0; i < n; i++) {
        const struct ca_project_field *f = &field[i];

        ca_buf_printf(out, "%s\t%zu\t%zu\t%zu\t%s", f->name, f->rows, f->from, f->to, how_name[f->how]);
        for (size_t k = 0; k < N_NUMBERS; k++) {
            ca_buf_char(out, '\t');
            ca_buf_double(out, number_at(f, k));
        }
        ca_buf_char(out, '\n');
    }
}

int ca_project_report_json(const struct ca_project_field *field, size_t n, struct ca_buf *out, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < n && !rc; i++) {
        const struct ca_project_field *f = &field[i];
        json_t *obj = json_pack("{s:s, s:I, s:I, s:I, s:s}", "field", f->name, "rows", (json_int_t)f->rows, "width_from",
                                (json_int_t)f->from, "width_to", (json_int_t)f->to, "method", how_name[f->how]);
        if (!obj)
            return ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");
        for (size_t k = 0; k < N_NUMBERS && !rc; k++) {
            double x = number_at(f, k);
            rc = ca_json_set(obj, number[k].name, isfinite(x) ? json_real(x) : json_null(), err);
        }
        if (!rc)
            rc = ca_json_dump(obj, out, err);
        ca_buf_char(out, '\n');
        json_decref(obj);
    }
    return rc;
}
