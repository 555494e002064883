/* Cross networks: DCN (vector), DCNv2 (matrix), and the masked cross of ECN and LCN. */
#include "nn/blas.h"
#include "nn/ops_cross.h"
#include "nn/simd.h"

#include "base/banned.h"

static const struct ca_init_rule zero = {CA_INIT_ZERO, 0};

/* ---- vector: params w, b; scratch per row: w . x ---- */

enum { CV_RESIDUAL };

CA_CLONES static void vector_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *w = c->param + op->param_at[0], *b = c->param + op->param_at[1];
    size_t n = op->out_width;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *x0 = c->in[0].p + r * c->in[0].ld, *x = c->in[1].p + r * c->in[1].ld;
        ca_real *restrict y = c->out.p + r * c->out.ld;
        ca_real alpha = c->scratch[r] = ca_dot(n, w, x);

        for (size_t i = 0; i < n; i++)
            y[i] = x0[i] * alpha + b[i];
        if (op->attr[CV_RESIDUAL])
            ca_add(n, x, y);
    }
}

/* dalpha = dy . x0; dx0 += alpha dy; dw += dalpha x; db += dy; dx += dalpha w, and dy when residual */
CA_CLONES static void vector_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *w = c->param + op->param_at[0];
    size_t n = op->out_width;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *dy = c->dout.p + r * c->dout.ld;
        ca_real dalpha = ca_dot(n, dy, c->in[0].p + r * c->in[0].ld);

        if (c->dparam) {
            ca_axpy(n, dalpha, c->in[1].p + r * c->in[1].ld, c->dparam + op->param_at[0]);
            ca_add(n, dy, c->dparam + op->param_at[1]);
        }
        if (c->din[0].p)
            ca_axpy(n, c->scratch[r], dy, c->din[0].p + r * c->din[0].ld);
        if (c->din[1].p) {
            ca_axpy(n, dalpha, w, c->din[1].p + r * c->din[1].ld);
            if (op->attr[CV_RESIDUAL])
                ca_add(n, dy, c->din[1].p + r * c->din[1].ld);
        }
    }
}

static uint64_t vector_flops(const struct ca_op *op)
{
    return 4 * (uint64_t)op->out_width;
}

static const struct ca_op_type cross_vector = {"cross_vector", vector_forward, vector_backward, vector_flops, 0};

ca_val ca_op_cross_vector(struct ca_graph *g, ca_val x0, ca_val x, const char *name, int residual)
{
    size_t n = ca_graph_width(g, x);
    struct ca_op op = {.type = &cross_vector, .n_in = 2, .out_width = n, .n_params = 2, .scratch_per_row = 1};
    ca_val in[2] = {x0, x};

    op.attr[CV_RESIDUAL] = residual != 0;
    op.param[0] = ca_graph_param_of(g, name, "weight.weight", 1, n, ca_init_xavier(n, 1));
    op.param[1] = ca_graph_param_of(g, name, "bias", n, 0, zero);
    return ca_graph_add(g, &op, in);
}

/* ---- matrix: params W, b; scratch: u [rows, D], du [rows, D] ---- */

CA_CLONES static void matrix_combine(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *restrict b = c->param + op->param_at[1];
    size_t n = op->out_width;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *x0 = c->in[0].p + r * c->in[0].ld, *x = c->in[1].p + r * c->in[1].ld;
        ca_real *restrict u = c->scratch + r * n, *restrict y = c->out.p + r * c->out.ld;

        for (size_t i = 0; i < n; i++) {
            u[i] += b[i];
            y[i] = x0[i] * u[i] + x[i];
        }
    }
}

static void matrix_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->out_width;

    ca_gemm_nt(c->rows, n, n, c->in[1].p, c->in[1].ld, c->param + op->param_at[0], n, 0, c->scratch, n);
    matrix_combine(op, c);
}

/* du = dy * x0; dx0 += dy * u; dx += dy */
CA_CLONES static void matrix_part(const struct ca_op *op, const struct ca_ctx *c, ca_real *du_all)
{
    size_t n = op->out_width;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict x0 = c->in[0].p + r * c->in[0].ld, *restrict dy = c->dout.p + r * c->dout.ld;
        const ca_real *restrict u = c->scratch + r * n;
        ca_real *restrict du = du_all + r * n;

        for (size_t i = 0; i < n; i++)
            du[i] = dy[i] * x0[i];
        if (c->din[0].p) {
            ca_real *restrict dx0 = c->din[0].p + r * c->din[0].ld;
            for (size_t i = 0; i < n; i++)
                dx0[i] += dy[i] * u[i];
        }
        if (c->din[1].p)
            ca_add(n, dy, c->din[1].p + r * c->din[1].ld);
    }
}

static void matrix_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->out_width;
    ca_real *du = c->scratch + c->rows * n;

    matrix_part(op, c, du);
    if (c->dparam) {
        ca_gemm_tn(n, n, c->rows, du, n, c->in[1].p, c->in[1].ld, 1, c->dparam + op->param_at[0], n);
        ca_sum_rows(c->rows, n, du, n, c->dparam + op->param_at[1]);
    }
    if (c->din[1].p)
        ca_gemm_nn(c->rows, n, n, du, n, c->param + op->param_at[0], n, 1, c->din[1].p, c->din[1].ld);
}

static uint64_t matrix_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->out_width * op->out_width + 3 * (uint64_t)op->out_width;
}

static const struct ca_op_type cross_matrix = {"cross_matrix", matrix_forward, matrix_backward, matrix_flops, 0};

ca_val ca_op_cross_matrix(struct ca_graph *g, ca_val x0, ca_val x, const char *name)
{
    size_t n = ca_graph_width(g, x);
    struct ca_op op = {.type = &cross_matrix, .n_in = 2, .out_width = n, .n_params = 2, .scratch_per_row = 2 * n};
    ca_val in[2] = {x0, x};

    op.param[0] = ca_graph_param_of(g, name, "weight", n, n, ca_init_xavier(n, n));
    op.param[1] = ca_graph_param_of(g, name, "bias", n, 0, zero);
    return ca_graph_add(g, &op, in);
}

/* ---- masked: inputs base, h, m, x; param b ---- */

enum { CM_BASE, CM_H, CM_M, CM_X };

CA_CLONES static void masked_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *b = c->param + op->param_at[0];
    size_t half = op->in_width[CM_H];

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *base = c->in[CM_BASE].p + r * c->in[CM_BASE].ld, *x = c->in[CM_X].p + r * c->in[CM_X].ld;
        const ca_real *h = c->in[CM_H].p + r * c->in[CM_H].ld, *m = c->in[CM_M].p + r * c->in[CM_M].ld;
        ca_real *restrict y = c->out.p + r * c->out.ld;

        for (size_t i = 0; i < half; i++)
            y[i] = base[i] * (h[i] + b[i]) + x[i];
        for (size_t i = 0; i < half; i++)
            y[half + i] = base[half + i] * (h[i] * m[i] + b[half + i]) + x[half + i];
    }
}

/* dC = dy base: dh += dC_a + dC_b m; dm += dC_b h; db += dC; dbase += dy (C + b); dx += dy */
CA_CLONES static void masked_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *b = c->param + op->param_at[0];
    size_t half = op->in_width[CM_H];

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *base = c->in[CM_BASE].p + r * c->in[CM_BASE].ld, *dy = c->dout.p + r * c->dout.ld;
        const ca_real *h = c->in[CM_H].p + r * c->in[CM_H].ld, *m = c->in[CM_M].p + r * c->in[CM_M].ld;

        if (c->din[CM_H].p) {
            ca_real *restrict dh = c->din[CM_H].p + r * c->din[CM_H].ld;
            for (size_t i = 0; i < half; i++)
                dh[i] += dy[i] * base[i] + dy[half + i] * base[half + i] * m[i];
        }
        if (c->din[CM_M].p) {
            ca_real *restrict dm = c->din[CM_M].p + r * c->din[CM_M].ld;
            for (size_t i = 0; i < half; i++)
                dm[i] += dy[half + i] * base[half + i] * h[i];
        }
        if (c->dparam) {
            ca_real *restrict db = c->dparam + op->param_at[0];
            for (size_t i = 0; i < 2 * half; i++)
                db[i] += dy[i] * base[i];
        }
        if (c->din[CM_BASE].p) {
            ca_real *restrict dbase = c->din[CM_BASE].p + r * c->din[CM_BASE].ld;
            for (size_t i = 0; i < half; i++)
                dbase[i] += dy[i] * (h[i] + b[i]);
            for (size_t i = 0; i < half; i++)
                dbase[half + i] += dy[half + i] * (h[i] * m[i] + b[half + i]);
        }
        if (c->din[CM_X].p)
            ca_add(2 * half, dy, c->din[CM_X].p + r * c->din[CM_X].ld);
    }
}

static uint64_t masked_flops(const struct ca_op *op)
{
    return 4 * (uint64_t)op->out_width;
}

static const struct ca_op_type cross_masked = {"cross_masked", masked_forward, masked_backward, masked_flops, 0};

ca_val ca_op_cross_masked(struct ca_graph *g, ca_val base, ca_val h, ca_val m, ca_val x, const char *name)
{
    size_t n = ca_graph_width(g, x), dim[3] = {n, 1, 1};
    struct ca_op op = {.type = &cross_masked, .n_in = 4, .out_width = n, .n_params = 1};
    ca_val in[4] = {base, h, m, x};

    op.param[0] = ca_graph_param(g, name, 1, dim, (struct ca_init_rule){CA_INIT_POSITIVE, 1});
    return ca_graph_add(g, &op, in);
}
