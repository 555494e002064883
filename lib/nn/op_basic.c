/* The operators every architecture uses: concat, linear, layer norm, ReLU and the CA dense block made of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/lanes.h"
#include "nn/ops.h"
#include "nn/plan.h"
#include "nn/simd.h"

#include "base/banned.h"

#define NAME_SIZE 256

/* ---- concat ---- */

/* An input that the planner laid inside the output is already where it belongs. */
static void concat_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t at = 0;

    for (size_t i = 0; i < op->n_in; at += op->in_width[i], i++) {
        if (c->in[i].p == c->out.p + at)
            continue;
        for (size_t r = 0; r < c->rows; r++)
            memcpy(c->out.p + r * c->out.ld + at, c->in[i].p + r * c->in[i].ld, op->in_width[i] * sizeof(ca_real));
    }
}

CA_CLONES static void concat_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t at = 0;

    for (size_t i = 0; i < op->n_in; at += op->in_width[i], i++) {
        if (!c->din[i].p || c->din[i].p == c->dout.p + at)
            continue;
        for (size_t r = 0; r < c->rows; r++)
            ca_add(op->in_width[i], c->dout.p + r * c->dout.ld + at, c->din[i].p + r * c->din[i].ld);
    }
}

const struct ca_op_type ca_op_type_concat = {.name = "concat", .forward = concat_forward, .backward = concat_backward};

ca_val ca_op_concat(struct ca_graph *g, const ca_val *in, size_t n)
{
    struct ca_op op = {.type = &ca_op_type_concat, .n_in = n};

    for (size_t i = 0; i < n; i++)
        op.out_width += ca_graph_width(g, in[i]);
    return ca_graph_add(g, &op, in);
}

/* ---- sums of sixteen rows ---- */

/*
 * Sixteen rows at a time: turned, so that joining the lanes of their sums is adding vectors, and roots and quotients are
 * taken of sixteen. The order of every sum is that of ca_join, so bits are those of one row after another, in a third of
 * the time.
 */
struct square {
    ca_real x[CA_LANES * CA_LANES]; /* element i of row l at x[i * CA_LANES + l] */
};

/* The same of sums that are not turned yet: those of row l at x[l * CA_LANES]. */
CA_INLINE void join_rows(const struct square *s, ca_real *sum)
{
    struct square t;

    ca_turn_square(s->x, CA_LANES, t.x, CA_LANES);
    ca_join_square(t.x, sum);
}

/* Of rows shorter than a vector, turned: zeros where a vector would go on. */
CA_INLINE void load_short(size_t n, const ca_real *x, size_t ld, struct square *s)
{
    memset(s, 0, sizeof *s);
    for (size_t l = 0; l < CA_LANES; l++)
        for (size_t i = 0; i < n; i++)
            s->x[i * CA_LANES + l] = x[l * ld + i];
}

/* ---- linear: param 0 weight [out, in], param 1 bias [out] ---- */

/* One output: a matrix product of width 1 is slower than a dot per row. */
CA_CLONES static void linear_forward_one(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *w = c->param + op->param_at[0];
    ca_real b = op->n_params > 1 ? c->param[op->param_at[1]] : 0;
    size_t n = op->in_width[0], ld = c->in[0].ld, r = 0;

    for (; r + CA_LANES <= c->rows; r += CA_LANES) {
        const ca_real *x = c->in[0].p + r * ld;
        ca_real y[CA_LANES];
        struct square s;

        if (n < CA_LANES) {
            load_short(n, x, ld, &s);
            for (size_t i = 0; i < n; i++)
                CA_AT(s.x, i) = CA_GET(s.x, i) * w[i];
            ca_join_square(s.x, y);
        } else {
            for (size_t l = 0; l < CA_LANES; l++) {
                ca_lanes sum;
                ca_dot_lanes(n, x + l * ld, w, &sum);
                CA_AT(s.x, l) = sum;
            }
            join_rows(&s, y);
        }
        for (size_t l = 0; l < CA_LANES; l++)
            c->out.p[(r + l) * c->out.ld] = b + y[l];
    }
    for (; r < c->rows; r++)
        c->out.p[r * c->out.ld] = b + ca_dot(n, c->in[0].p + r * ld, w);
}

CA_CLONES static void linear_backward_one(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *w = c->param + op->param_at[0];
    size_t n = op->in_width[0];

    for (size_t r = 0; r < c->rows; r++) {
        ca_real dy = c->dout.p[r * c->dout.ld];
        if (c->dparam) {
            ca_axpy(n, dy, c->in[0].p + r * c->in[0].ld, c->dparam + op->param_at[0]);
            if (op->n_params > 1)
                c->dparam[op->param_at[1]] += dy;
        }
        if (c->din[0].p && c->fresh)
            memset(c->din[0].p + r * c->din[0].ld, 0, n * sizeof(ca_real));
        if (c->din[0].p)
            ca_axpy(n, dy, w, c->din[0].p + r * c->din[0].ld);
    }
}

static void linear_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t out = op->out_width, in = op->in_width[0];

    if (out == 1) {
        linear_forward_one(op, c);
        return;
    }
    if (op->n_params > 1)
        for (size_t r = 0; r < c->rows; r++)
            memcpy(c->out.p + r * c->out.ld, c->param + op->param_at[1], out * sizeof(ca_real));
    ca_gemm_nt(c->rows, out, in, c->in[0].p, c->in[0].ld, c->param + op->param_at[0], in, op->n_params > 1, c->out.p,
               c->out.ld);
}

static void linear_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t out = op->out_width, in = op->in_width[0];

    if (out == 1) {
        linear_backward_one(op, c);
        return;
    }
    if (c->dparam) {
        ca_gemm_tn(out, in, c->rows, c->dout.p, c->dout.ld, c->in[0].p, c->in[0].ld, 1, c->dparam + op->param_at[0], in);
        if (op->n_params > 1)
            ca_sum_rows(c->rows, out, c->dout.p, c->dout.ld, c->dparam + op->param_at[1]);
    }
    if (c->din[0].p)
        ca_gemm_nn(c->rows, in, out, c->dout.p, c->dout.ld, c->param + op->param_at[0], in, !c->fresh, c->din[0].p, c->din[0].ld);
}

static uint64_t linear_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[0] * op->out_width;
}

static const struct ca_op_type linear = {"linear", linear_forward, linear_backward, linear_flops, 1};

ca_val ca_op_linear(struct ca_graph *g, ca_val x, const char *name, size_t out, int bias)
{
    size_t in = ca_graph_width(g, x);
    struct ca_op op = {.type = &linear, .n_in = 1, .out_width = out, .n_params = bias ? 2 : 1};

    op.param[0] = ca_graph_param_of(g, name, "weight", out, in, ca_graph_weight_init(g, in, out));
    if (bias)
        op.param[1] = ca_graph_param_of(g, name, "bias", out, 0, ca_graph_bias_init(g, in));
    return ca_graph_add(g, &op, &x);
}

/* ---- layer norm: param 0 gamma, 1 beta; scratch per part of a row: mean, 1/deviation ---- */

enum { NORM_PARTS };

/* Where part p of a matrix lies. */
CA_INLINE ca_real *part_of(struct ca_mat m, size_t parts, size_t p)
{
    return m.p + p / parts * m.ld + p % parts * CA_LANES;
}

CA_INLINE void load_square(struct ca_mat m, size_t parts, size_t p, struct square *s)
{
    ca_real rows[CA_LANES * CA_LANES];

    for (size_t l = 0; l < CA_LANES; l++)
        CA_AT(rows, l) = CA_LOAD(part_of(m, parts, p + l));
    ca_turn_square(rows, CA_LANES, s->x, CA_LANES);
}

/* How many parts go as whole squares: those of exactly one vector, as the vectors of fields often are. */
static size_t in_squares(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[NORM_PARTS];

    return op->out_width == parts * CA_LANES ? c->rows * parts / CA_LANES * CA_LANES : 0;
}

CA_INLINE void keep_norm(const struct ca_ctx *c, size_t p, const ca_real *mean, const ca_real *inv)
{
    for (size_t l = 0; l < CA_LANES; l++) {
        c->scratch[2 * (p + l)] = mean[l];
        c->scratch[2 * (p + l) + 1] = inv[l];
    }
}

CA_INLINE void deviations(size_t n, ca_real *inv)
{
    for (size_t l = 0; l < CA_LANES; l++)
        inv[l] = 1 / (ca_real)sqrt(inv[l] / (ca_real)n + (ca_real)CA_LAYER_NORM_EPS);
}

CA_CLONES static void square_norm_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[NORM_PARTS], most = in_squares(op, c);
    const ca_real *gamma = c->param + op->param_at[0], *beta = c->param + op->param_at[1];

    for (size_t p = 0; p < most; p += CA_LANES) {
        struct square s, q;
        ca_real mean[CA_LANES], inv[CA_LANES];

        load_square(c->in[0], parts, p, &s);
        ca_join_square(s.x, mean);
        CA_AT(mean, 0) /= (ca_real)CA_LANES;
        for (size_t i = 0; i < CA_LANES; i++) {
            CA_AT(s.x, i) = CA_GET(s.x, i) - CA_GET(mean, 0);
            CA_AT(q.x, i) = CA_GET(s.x, i) * CA_GET(s.x, i);
        }
        ca_join_square(q.x, inv);
        deviations(CA_LANES, inv);
        keep_norm(c, p, mean, inv);
        for (size_t i = 0; i < CA_LANES; i++)
            CA_AT(s.x, i) = CA_GET(s.x, i) * CA_GET(inv, 0);
        ca_turn_square(s.x, CA_LANES, q.x, CA_LANES);
        for (size_t l = 0; l < CA_LANES; l++)
            CA_AT(part_of(c->out, parts, p + l), 0) = CA_GET(q.x, l) * CA_LOAD(gamma) + CA_LOAD(beta);
    }
}

#define NORM_NEAR (8 * CA_LANES) /* sixteen rows of this length and their result stay in the first-level cache */

/* Sixteen rows shorter than a vector, from r on. */
CA_INLINE void short_norm_forward(const struct ca_op *op, const struct ca_ctx *c, size_t r)
{
    const ca_real *gamma = c->param + op->param_at[0], *beta = c->param + op->param_at[1];
    ca_real mean[CA_LANES], inv[CA_LANES];
    size_t n = op->out_width;
    struct square s, q = {{0}};

    load_short(n, c->in[0].p + r * c->in[0].ld, c->in[0].ld, &s);
    ca_join_square(s.x, mean);
    CA_AT(mean, 0) /= (ca_real)n;
    for (size_t i = 0; i < n; i++) {
        CA_AT(s.x, i) = CA_GET(s.x, i) - CA_GET(mean, 0);
        CA_AT(q.x, i) = CA_GET(s.x, i) * CA_GET(s.x, i);
    }
    ca_join_square(q.x, inv);
    deviations(n, inv);
    for (size_t i = 0; i < n; i++) {
        CA_AT(s.x, i) = CA_GET(s.x, i) * CA_GET(inv, 0) * gamma[i] + beta[i];
        for (size_t l = 0; l < CA_LANES; l++)
            c->out.p[(r + l) * c->out.ld + i] = s.x[i * CA_LANES + l];
    }
    keep_norm(c, r, mean, inv);
}

/* Sixteen rows of a vector and more. */
CA_INLINE void near_norm_forward(const struct ca_op *op, const struct ca_ctx *c, size_t r)
{
    const ca_real *restrict gamma = c->param + op->param_at[0], *restrict beta = c->param + op->param_at[1];
    ca_real mean[CA_LANES], inv[CA_LANES];
    size_t n = op->out_width;
    struct square s;
    ca_lanes sum;

    for (size_t l = 0; l < CA_LANES; l++) {
        ca_sum_lanes(n, c->in[0].p + (r + l) * c->in[0].ld, &sum);
        CA_AT(s.x, l) = sum;
    }
    join_rows(&s, mean);
    CA_AT(mean, 0) /= (ca_real)n;
    for (size_t l = 0; l < CA_LANES; l++) {
        const ca_real *restrict x = c->in[0].p + (r + l) * c->in[0].ld;
        ca_real *restrict y = c->out.p + (r + l) * c->out.ld;

        for (size_t i = 0; i < n; i++)
            y[i] = x[i] - mean[l];
        ca_dot_lanes(n, y, y, &sum);
        CA_AT(s.x, l) = sum;
    }
    join_rows(&s, inv);
    deviations(n, inv);
    for (size_t l = 0; l < CA_LANES; l++) {
        ca_real *restrict y = c->out.p + (r + l) * c->out.ld;

        for (size_t i = 0; i < n; i++)
            y[i] = y[i] * inv[l] * gamma[i] + beta[i];
    }
    keep_norm(c, r, mean, inv);
}

/* How many rows go so. */
CA_INLINE size_t by_sixteens(const struct ca_op *op, const struct ca_ctx *c)
{
    return op->attr[NORM_PARTS] == 1 && op->out_width <= NORM_NEAR ? c->rows / CA_LANES * CA_LANES : 0;
}

CA_CLONES static size_t rows_norm_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t r = 0, most = by_sixteens(op, c);

    for (; r < most; r += CA_LANES)
        if (op->out_width < CA_LANES)
            short_norm_forward(op, c, r);
        else
            near_norm_forward(op, c, r);
    return r;
}

CA_CLONES static void layer_norm_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[NORM_PARTS], n = op->out_width / parts;
    const ca_real *restrict gamma = c->param + op->param_at[0], *restrict beta = c->param + op->param_at[1];
    size_t done = in_squares(op, c);

    if (done)
        square_norm_forward(op, c);
    else
        done = rows_norm_forward(op, c);
    for (size_t p = done; p < c->rows * parts; p++) {
        size_t r = p / parts, at = p % parts * n;
        const ca_real *restrict x = c->in[0].p + r * c->in[0].ld + at;
        ca_real *restrict y = c->out.p + r * c->out.ld + at;
        ca_real mean = ca_sum(n, x) / (ca_real)n, inv;

        for (size_t i = 0; i < n; i++)
            y[i] = x[i] - mean;
        inv = 1 / (ca_real)sqrt(ca_dot(n, y, y) / (ca_real)n + (ca_real)CA_LAYER_NORM_EPS);
        for (size_t i = 0; i < n; i++)
            y[i] = y[i] * inv * gamma[i] + beta[i];
        c->scratch[2 * p] = mean;
        c->scratch[2 * p + 1] = inv;
    }
}

/* Of a row, before lanes are joined: sums of u = dy gamma and of u xh. */
CA_INLINE void back_sums(size_t n, const ca_real *restrict x, ca_real mean, ca_real inv, const ca_real *restrict gamma,
                         const ca_real *restrict dy, ca_lanes *u_sum, ca_lanes *uxh_sum)
{
    ca_lanes us = {0}, uxhs = {0}, u;
    ca_real xp[CA_LANES], gp[CA_LANES], dp[CA_LANES];
    size_t i = 0;

    for (; i + CA_LANES <= n; i += CA_LANES) {
        u = CA_LOAD(dy + i) * CA_LOAD(gamma + i);
        us += u;
        uxhs += u * ((CA_LOAD(x + i) - mean) * inv);
    }
    if (i < n) {
        ca_part(n - i, x + i, xp);
        ca_part(n - i, gamma + i, gp);
        ca_part(n - i, dy + i, dp);
        u = CA_LOAD(dp) * CA_LOAD(gp);
        us += u;
        uxhs += u * ((CA_LOAD(xp) - mean) * inv);
    }
    *u_sum = us;
    *uxh_sum = uxhs;
}

/* dx = (u - mean(u) - xh mean(u xh)) / deviation */
CA_INLINE void back_values(size_t n, const ca_real *restrict x, ca_real mean, ca_real inv, const ca_real *restrict gamma,
                           const ca_real *restrict dy, ca_real mu, ca_real muxh, ca_real *restrict dx, int fresh)
{
    for (size_t i = 0; i < n; i++) {
        ca_real d = inv * (dy[i] * gamma[i] - mu - (x[i] - mean) * inv * muxh);
        dx[i] = fresh ? d : dx[i] + d;
    }
}

CA_INLINE void layer_norm_back_row(size_t n, const ca_real *restrict x, ca_real mean, ca_real inv,
                                   const ca_real *restrict gamma, const ca_real *restrict dy, ca_real *restrict dx, int fresh)
{
    ca_lanes u, uxh;

    back_sums(n, x, mean, inv, gamma, dy, &u, &uxh);
    back_values(n, x, mean, inv, gamma, dy, ca_join(&u) / (ca_real)n, ca_join(&uxh) / (ca_real)n, dx, fresh);
}

CA_CLONES static void square_norm_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[NORM_PARTS], most = in_squares(op, c);
    const ca_real *gamma = c->param + op->param_at[0];
    ca_lanes dgamma = {0}, dbeta = {0};

    for (size_t p = 0; p < most; p += CA_LANES) {
        struct square u, uxh, t;
        ca_real mu[CA_LANES], muxh[CA_LANES];

        for (size_t l = 0; l < CA_LANES; l++) {
            ca_real mean = c->scratch[2 * (p + l)], inv = c->scratch[2 * (p + l) + 1];
            ca_lanes dy = CA_LOAD(part_of(c->dout, parts, p + l));
            ca_lanes xh = (CA_LOAD(part_of(c->in[0], parts, p + l)) - mean) * inv;

            dgamma += dy * xh;
            dbeta += dy;
            CA_AT(u.x, l) = dy * CA_LOAD(gamma);
            CA_AT(uxh.x, l) = CA_GET(u.x, l) * xh;
        }
        if (!c->din[0].p)
            continue;
        ca_turn_square(u.x, CA_LANES, t.x, CA_LANES);
        ca_join_square(t.x, mu);
        ca_turn_square(uxh.x, CA_LANES, t.x, CA_LANES);
        ca_join_square(t.x, muxh);
        for (size_t l = 0; l < CA_LANES; l++) {
            ca_real mean = c->scratch[2 * (p + l)], inv = c->scratch[2 * (p + l) + 1];
            ca_real *dx = part_of(c->din[0], parts, p + l), m = mu[l] / CA_LANES, mx = muxh[l] / CA_LANES;
            ca_lanes d = inv * (CA_GET(u.x, l) - m - (CA_LOAD(part_of(c->in[0], parts, p + l)) - mean) * inv * mx);

            if (!c->fresh)
                d += CA_LOAD(dx);
            CA_AT(dx, 0) = d;
        }
    }
    if (most && c->dparam) {
        CA_AT(c->dparam + op->param_at[0], 0) += dgamma;
        CA_AT(c->dparam + op->param_at[1], 0) += dbeta;
    }
}

/* dgamma and dbeta of a row */
CA_INLINE void norm_params_back(const struct ca_op *op, const struct ca_ctx *c, size_t n, const ca_real *restrict x,
                                ca_real mean, ca_real inv, const ca_real *restrict dy)
{
    ca_real *restrict dgamma = c->dparam + op->param_at[0], *restrict dbeta = c->dparam + op->param_at[1];

    for (size_t i = 0; i < n; i++) {
        dgamma[i] += dy[i] * ((x[i] - mean) * inv);
        dbeta[i] += dy[i];
    }
}

/* Sixteen rows shorter than a vector, from r on. Parameters get the share of one row after another. */
CA_INLINE void short_norm_backward(const struct ca_op *op, const struct ca_ctx *c, size_t r)
{
    const ca_real *gamma = c->param + op->param_at[0];
    ca_real mean[CA_LANES], inv[CA_LANES], mu[CA_LANES], muxh[CA_LANES];
    size_t n = op->out_width;
    struct square xh, dy, u = {{0}}, uxh = {{0}};

    for (size_t l = 0; l < CA_LANES; l++) {
        mean[l] = c->scratch[2 * (r + l)];
        inv[l] = c->scratch[2 * (r + l) + 1];
    }
    load_short(n, c->in[0].p + r * c->in[0].ld, c->in[0].ld, &xh);
    load_short(n, c->dout.p + r * c->dout.ld, c->dout.ld, &dy);
    for (size_t i = 0; i < n; i++) {
        CA_AT(xh.x, i) = (CA_GET(xh.x, i) - CA_GET(mean, 0)) * CA_GET(inv, 0);
        CA_AT(u.x, i) = CA_GET(dy.x, i) * gamma[i];
        CA_AT(uxh.x, i) = CA_GET(u.x, i) * CA_GET(xh.x, i);
    }
    for (size_t i = 0; c->dparam && i < n; i++) {
        ca_real dgamma = c->dparam[op->param_at[0] + i], dbeta = c->dparam[op->param_at[1] + i];

        for (size_t l = 0; l < CA_LANES; l++) {
            dgamma += dy.x[i * CA_LANES + l] * xh.x[i * CA_LANES + l];
            dbeta += dy.x[i * CA_LANES + l];
        }
        c->dparam[op->param_at[0] + i] = dgamma;
        c->dparam[op->param_at[1] + i] = dbeta;
    }
    if (!c->din[0].p)
        return;
    ca_join_square(u.x, mu);
    ca_join_square(uxh.x, muxh);
    CA_AT(mu, 0) /= (ca_real)n;
    CA_AT(muxh, 0) /= (ca_real)n;
    for (size_t i = 0; i < n; i++) {
        CA_AT(u.x, i) = CA_GET(inv, 0) * (CA_GET(u.x, i) - CA_GET(mu, 0) - CA_GET(xh.x, i) * CA_GET(muxh, 0));
        for (size_t l = 0; l < CA_LANES; l++) {
            ca_real *dx = c->din[0].p + (r + l) * c->din[0].ld + i, d = u.x[i * CA_LANES + l];
            *dx = c->fresh ? d : *dx + d;
        }
    }
}

/* Sixteen rows of a vector and more. */
CA_INLINE void near_norm_backward(const struct ca_op *op, const struct ca_ctx *c, size_t r)
{
    const ca_real *gamma = c->param + op->param_at[0], *kept = c->scratch + 2 * r;
    size_t n = op->out_width;
    struct ca_mat x = {c->in[0].p + r * c->in[0].ld, c->in[0].ld}, dy = {c->dout.p + r * c->dout.ld, c->dout.ld};
    ca_real mu[CA_LANES], muxh[CA_LANES];
    struct square u, uxh;
    ca_lanes a, b;

    for (size_t l = 0; l < CA_LANES; l++) {
        if (c->dparam)
            norm_params_back(op, c, n, x.p + l * x.ld, kept[2 * l], kept[2 * l + 1], dy.p + l * dy.ld);
        back_sums(n, x.p + l * x.ld, kept[2 * l], kept[2 * l + 1], gamma, dy.p + l * dy.ld, &a, &b);
        CA_AT(u.x, l) = a;
        CA_AT(uxh.x, l) = b;
    }
    if (!c->din[0].p)
        return;
    join_rows(&u, mu);
    join_rows(&uxh, muxh);
    for (size_t l = 0; l < CA_LANES; l++)
        back_values(n, x.p + l * x.ld, kept[2 * l], kept[2 * l + 1], gamma, dy.p + l * dy.ld, mu[l] / (ca_real)n,
                    muxh[l] / (ca_real)n, c->din[0].p + (r + l) * c->din[0].ld, c->fresh);
}

CA_CLONES static size_t rows_norm_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t r = 0, most = by_sixteens(op, c);

    for (; r < most; r += CA_LANES)
        if (op->out_width < CA_LANES)
            short_norm_backward(op, c, r);
        else
            near_norm_backward(op, c, r);
    return r;
}

CA_CLONES static void layer_norm_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[NORM_PARTS], n = op->out_width / parts;
    size_t done = in_squares(op, c);

    if (done)
        square_norm_backward(op, c);
    else
        done = rows_norm_backward(op, c);
    for (size_t p = done; p < c->rows * parts; p++) {
        size_t r = p / parts, at = p % parts * n;
        const ca_real *x = c->in[0].p + r * c->in[0].ld + at, *dy = c->dout.p + r * c->dout.ld + at;
        ca_real mean = c->scratch[2 * p], inv = c->scratch[2 * p + 1];

        if (c->dparam)
            norm_params_back(op, c, n, x, mean, inv, dy);
        if (c->din[0].p)
            layer_norm_back_row(n, x, mean, inv, c->param + op->param_at[0], dy,
                                c->din[0].p + r * c->din[0].ld + at, c->fresh);
    }
}

static uint64_t layer_norm_flops(const struct ca_op *op)
{
    return 7 * (uint64_t)op->out_width;
}

static const struct ca_op_type layer_norm = {"layer_norm", layer_norm_forward, layer_norm_backward, layer_norm_flops,
                                             1};

ca_val ca_op_layer_norm(struct ca_graph *g, ca_val x, const char *name)
{
    return ca_op_field_norm(g, x, name, 1);
}

ca_val ca_op_field_norm(struct ca_graph *g, ca_val x, const char *name, size_t fields)
{
    size_t width = ca_graph_width(g, x), n = fields ? width / fields : 0;
    struct ca_op op = {.type = &layer_norm, .n_in = 1, .out_width = width, .n_params = 2, .attr = {fields}};

    op.scratch_per_row = 2 * fields;
    op.param[0] = ca_graph_param_of(g, name, "weight", n, 0, (struct ca_init_rule){CA_INIT_ONE, 0});
    op.param[1] = ca_graph_param_of(g, name, "bias", n, 0, (struct ca_init_rule){CA_INIT_ZERO, 0});
    return ca_graph_add(g, &op, &x);
}

/* ---- ReLU ---- */

/* A NaN passes through: it must reach the loss and be reported there. */
CA_CLONES static void relu_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict x = c->in[0].p + r * c->in[0].ld;
        ca_real *restrict y = c->out.p + r * c->out.ld;
        for (size_t i = 0; i < op->out_width; i++)
            y[i] = x[i] < 0 ? 0 : x[i];
    }
}

CA_CLONES static void relu_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict y = c->out.p + r * c->out.ld, *restrict dy = c->dout.p + r * c->dout.ld;
        ca_real *restrict dx = c->din[0].p + r * c->din[0].ld;
        for (size_t i = 0; i < op->out_width; i++)
            dx[i] = (c->fresh ? 0 : dx[i]) + (y[i] > 0 ? dy[i] : 0);
    }
}

static const struct ca_op_type relu = {"relu", relu_forward, relu_backward, NULL, 1};

ca_val ca_op_relu(struct ca_graph *g, ca_val x)
{
    struct ca_op op = {.type = &relu, .n_in = 1, .out_width = ca_graph_width(g, x)};

    return ca_graph_add(g, &op, &x);
}

/* ---- the CA dense block ---- */

/* The layers; made: the linear part of the first is there already. */
static ca_val hidden_layers(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden,
                            int made)
{
    char part[NAME_SIZE];

    for (size_t i = 0; i < n_hidden; i++) {
        (void)snprintf(part, sizeof part, "%s.%zu", name, 3 * i);
        if (i || !made)
            x = ca_op_linear(g, x, part, hidden[i], 1);
        (void)snprintf(part, sizeof part, "%s.%zu", name, 3 * i + 1);
        x = ca_op_relu(g, ca_op_layer_norm(g, x, part));
    }
    return x;
}

ca_val ca_op_hidden_block(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden)
{
    return hidden_layers(g, x, name, hidden, n_hidden, 0);
}

static ca_val last_layer(struct ca_graph *g, ca_val x, const char *name, size_t n_hidden)
{
    char part[NAME_SIZE];

    (void)snprintf(part, sizeof part, "%s.%zu", name, 3 * n_hidden);
    return ca_op_linear(g, x, part, 1, 1);
}

ca_val ca_op_mlp_block(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden)
{
    return last_layer(g, hidden_layers(g, x, name, hidden, n_hidden, 0), name, n_hidden);
}

ca_val ca_op_mlp_block_rest(struct ca_graph *g, ca_val first, const char *name, const size_t *hidden, size_t n_hidden)
{
    return last_layer(g, hidden_layers(g, first, name, hidden, n_hidden, 1), name, n_hidden);
}
