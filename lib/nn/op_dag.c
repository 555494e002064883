/* Sums over fields along a learned matrix and along the edges of an ordered graph (specification: models 28). */
#include <math.h>

#include "nn/blas.h"
#include "nn/ops_fields.h"
#include "nn/simd.h"

#include "base/banned.h"

#define GAIN 1.414 /* of the published initialisation */

enum { D_FIELDS, D_WIDTH };

/* out_width and attributes; parameters are added by the caller */
static struct ca_op field_op(struct ca_graph *g, const struct ca_op_type *type, ca_val v, size_t fields)
{
    size_t n = ca_graph_width(g, v);

    return (struct ca_op){.type = type, .n_in = 1, .out_width = n, .attr = {fields, fields ? n / fields : 0}};
}

/* ---- connect: param A [F, F] ---- */

static void connect_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[D_FIELDS], d = op->attr[D_WIDTH];

    for (size_t r = 0; r < c->rows; r++)
        ca_gemm_nn(f, d, f, c->param + op->param_at[0], f, c->in[0].p + r * c->in[0].ld, d, 0,
                   c->out.p + r * c->out.ld, d);
}

static void connect_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[D_FIELDS], d = op->attr[D_WIDTH];

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *dy = c->dout.p + r * c->dout.ld;
        if (c->dparam)
            ca_gemm_nt(f, f, d, dy, d, c->in[0].p + r * c->in[0].ld, d, 1, c->dparam + op->param_at[0], f);
        if (c->din[0].p)
            ca_gemm_tn(f, d, f, c->param + op->param_at[0], f, dy, d, 1, c->din[0].p + r * c->din[0].ld, d);
    }
}

static uint64_t connect_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->attr[D_FIELDS] * op->out_width;
}

static const struct ca_op_type connect_fields = {"connect_fields", connect_forward, connect_backward, connect_flops, 0};

ca_val ca_op_connect_fields(struct ca_graph *g, ca_val v, const char *name, size_t fields)
{
    struct ca_op op = field_op(g, &connect_fields, v, fields);
    size_t dim[3] = {fields, fields, 1};

    op.n_params = 1;
    op.param[0] = ca_graph_param(g, name, 2, dim, (struct ca_init_rule){CA_INIT_IDENTITY, (double)fields});
    return ca_graph_add(g, &op, &v);
}

/* ---- inner: param P [F, F, d]; the edges that leave a field lie side by side ---- */

CA_INLINE void inner_row(size_t f, size_t d, const ca_real *restrict p, const ca_real *restrict h, ca_real *restrict y)
{
    for (size_t i = 0; i < f * d; i++)
        y[i] = 0;
    for (size_t i = 0; i < f; i++)
        for (size_t s = i; s < f; s++)
            for (size_t k = 0; k < d; k++)
                y[s * d + k] += p[(i * f + s) * d + k] * h[i * d + k];
}

CA_INLINE void inner_row_back(size_t f, size_t d, const ca_real *restrict p, const ca_real *restrict h,
                              const ca_real *restrict dy, ca_real *restrict dp, ca_real *restrict dh)
{
    for (size_t i = 0; i < f; i++)
        for (size_t s = i; s < f; s++) {
            for (size_t k = 0; dp && k < d; k++)
                dp[(i * f + s) * d + k] += dy[s * d + k] * h[i * d + k];
            for (size_t k = 0; dh && k < d; k++)
                dh[i * d + k] += dy[s * d + k] * p[(i * f + s) * d + k];
        }
}

/* The loops with the usual widths known to the compiler. */
CA_CLONES static void inner_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[D_FIELDS], d = op->attr[D_WIDTH];
    const ca_real *p = c->param + op->param_at[0];

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *h = c->in[0].p + r * c->in[0].ld;
        ca_real *y = c->out.p + r * c->out.ld;

        if (d == 16)
            inner_row(f, 16, p, h, y);
        else if (d == 8)
            inner_row(f, 8, p, h, y);
        else
            inner_row(f, d, p, h, y);
    }
}

CA_CLONES static void inner_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[D_FIELDS], d = op->attr[D_WIDTH];
    const ca_real *p = c->param + op->param_at[0];
    ca_real *dp = c->dparam ? c->dparam + op->param_at[0] : NULL;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *h = c->in[0].p + r * c->in[0].ld, *dy = c->dout.p + r * c->dout.ld;
        ca_real *dh = c->din[0].p ? c->din[0].p + r * c->din[0].ld : NULL;

        if (d == 16)
            inner_row_back(f, 16, p, h, dy, dp, dh);
        else if (d == 8)
            inner_row_back(f, 8, p, h, dy, dp, dh);
        else
            inner_row_back(f, d, p, h, dy, dp, dh);
    }
}

static uint64_t inner_flops(const struct ca_op *op)
{
    uint64_t f = op->attr[D_FIELDS];

    return f * (f + 1) * op->attr[D_WIDTH];
}

static const struct ca_op_type dag_inner = {"dag_inner", inner_forward, inner_backward, inner_flops, 0};

ca_val ca_op_dag_inner(struct ca_graph *g, ca_val h, const char *p, size_t fields)
{
    struct ca_op op = field_op(g, &dag_inner, h, fields);
    size_t dim[3] = {fields, fields, op.attr[D_WIDTH]};

    op.n_params = 1;
    op.param[0] = ca_graph_param(g, p, 3, dim, (struct ca_init_rule){CA_INIT_NORMAL, 1});
    return ca_graph_add(g, &op, &h);
}

/*
 * ---- outer: params P, Q [F, F, d]; scratch: t_fs = <h_f, P_fs> twice, as [F, F] of each row ----
 * In the first, the edges into a field s lie side by side, kept for the way back; in the second those out of f.
 */

CA_CLONES static void turn(size_t rows, size_t f, const ca_real *restrict x, ca_real *restrict y)
{
    for (size_t r = 0; r < rows; r++, x += f * f, y += f * f)
        for (size_t i = 0; i < f; i++)
            for (size_t j = 0; j < f; j++)
                y[i * f + j] = x[j * f + i];
}

/* What products do not write is turned too. */
CA_CLONES static void clear(size_t n, ca_real *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0;
}

static void outer_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[D_FIELDS], d = op->attr[D_WIDTH], ff = f * f;
    const ca_real *p = c->param + op->param_at[0], *q = c->param + op->param_at[1];
    ca_real *into = c->scratch, *from = into + c->rows * ff;

    clear(c->rows * ff, from);
    for (size_t i = 0; i < f; i++)
        ca_gemm_nt(c->rows, f - i, d, c->in[0].p + i * d, c->in[0].ld, p + (i * f + i) * d, d, 0, from + i * f + i, ff);
    turn(c->rows, f, from, into);
    for (size_t s = 0; s < f; s++)
        ca_gemm_nn(c->rows, d, s + 1, into + s * f, ff, q + s * d, f * d, 0, c->out.p + s * d, c->out.ld);
}

/* dt_fs = <dy_s, Q_fs>; dQ_fs += t_fs dy_s; dP_fs += dt_fs h_f; dh_f += sum_s dt_fs P_fs */
static void outer_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[D_FIELDS], d = op->attr[D_WIDTH], ff = f * f;
    const ca_real *p = c->param + op->param_at[0], *q = c->param + op->param_at[1];
    ca_real *into = c->scratch, *from = into + c->rows * ff;

    for (size_t s = 0; c->dparam && s < f; s++)
        ca_gemm_tn(s + 1, d, c->rows, into + s * f, ff, c->dout.p + s * d, c->dout.ld, 1,
                   c->dparam + op->param_at[1] + s * d, f * d);
    for (size_t s = 0; s < f; s++)
        ca_gemm_nt(c->rows, s + 1, d, c->dout.p + s * d, c->dout.ld, q + s * d, f * d, 0, into + s * f, ff);
    turn(c->rows, f, into, from);
    for (size_t i = 0; i < f; i++) {
        const ca_real *dt = from + i * f + i;
        size_t at = (i * f + i) * d;

        if (c->dparam)
            ca_gemm_tn(f - i, d, c->rows, dt, ff, c->in[0].p + i * d, c->in[0].ld, 1, c->dparam + op->param_at[0] + at, d);
        if (c->din[0].p)
            ca_gemm_nn(c->rows, d, f - i, dt, ff, p + at, d, 1, c->din[0].p + i * d, c->din[0].ld);
    }
}

static uint64_t outer_flops(const struct ca_op *op)
{
    return 2 * inner_flops(op);
}

static const struct ca_op_type dag_outer = {"dag_outer", outer_forward, outer_backward, outer_flops, 0};

ca_val ca_op_dag_outer(struct ca_graph *g, ca_val h, const char *p, const char *q, size_t fields)
{
    struct ca_op op = field_op(g, &dag_outer, h, fields);
    size_t d = op.attr[D_WIDTH], dim[3] = {fields, fields, d};
    struct ca_init_rule rule = ca_init_xavier(fields * d, fields * d);

    rule.a *= GAIN;
    op.n_params = 2;
    op.scratch_per_row = 2 * fields * fields;
    op.param[0] = ca_graph_param(g, p, 3, dim, rule);
    op.param[1] = ca_graph_param(g, q, 3, dim, rule);
    return ca_graph_add(g, &op, &h);
}
