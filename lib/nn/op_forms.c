/*
 * Products of linear forms: the cross layers of DCN in the form of the
 * CrossAdapt code, and the two that its version of xDeepFM's compressed
 * interaction network comes down to.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/ops.h"
#include "nn/simd.h"

#include "base/banned.h"

/* PyTorch's default for a Linear of n inputs. */
static struct ca_init_rule uniform(size_t n)
{
    return (struct ca_init_rule){CA_INIT_UNIFORM, 1 / sqrt((double)(n ? n : 1))};
}

/*
 * ---- cross layers: of layer l param 2l weight [1, D], 2l + 1 bias [1] ----
 *
 * Every layer adds a multiple of x0 to a multiple of x0: x_l = c_l x0 with c_0 = 1 and c_{l+1} = c_l + c_l (w_l.x0) + b_l.
 * So the layers are a few dot products of x0, and no x_l between is ever made. Scratch: w_l.x0 and dL/d(w_l.x0), [n] each
 * row; c at the end.
 */

struct cross {
    size_t d, n, rows;
    ca_real *s, *ds, *c; /* [rows, n], [rows, n], [rows] */
};

static struct cross cross_view(const struct ca_op *op, const struct ca_ctx *c)
{
    struct cross x = {.d = op->out_width, .n = op->n_params / 2, .rows = c->rows, .s = c->scratch};

    x.ds = x.s + x.rows * x.n;
    x.c = x.ds + x.rows * x.n;
    return x;
}

CA_CLONES static void cross_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct cross x = cross_view(op, c);

    for (size_t r = 0; r < x.rows; r++) {
        const ca_real *restrict x0 = c->in[0].p + r * c->in[0].ld;
        ca_real *restrict y = c->out.p + r * c->out.ld, scale;
        double k = 1;

        for (size_t l = 0; l < x.n; l++) {
            x.s[r * x.n + l] = ca_dot(x.d, x0, c->param + op->param_at[2 * l]);
            k += k * (double)x.s[r * x.n + l] + (double)c->param[op->param_at[2 * l + 1]];
        }
        x.c[r] = scale = (ca_real)k;
        for (size_t i = 0; i < x.d; i++)
            y[i] = scale * x0[i];
    }
}

/* The numbers of a row, from the last layer to the first: dc_l = dc_{l+1} (1 + s_l), ds_l = dc_{l+1} c_l, db_l += dc_{l+1}. */
static void cross_numbers_back(const struct cross *x, const struct ca_op *op, const struct ca_ctx *c, size_t r, double dc)
{
    const ca_real *s = x->s + r * x->n;
    double k[CA_OP_MAX_PARAMS / 2 + 1] = {1};

    for (size_t l = 0; l < x->n; l++)
        k[l + 1] = k[l] + k[l] * (double)s[l] + (double)c->param[op->param_at[2 * l + 1]];
    for (size_t l = x->n; l-- > 0;) {
        if (c->dparam)
            c->dparam[op->param_at[2 * l + 1]] += (ca_real)dc;
        x->ds[r * x->n + l] = (ca_real)(dc * k[l]);
        dc += dc * (double)s[l];
    }
}

#define CROSS_TOGETHER 4 /* rows */

/* dw += ds x0 and dx0 += ds w of some rows, in their order; what a row has of w and dw is read once for all of them. */
CA_INLINE void cross_layer_back(size_t n, size_t rows, const ca_real *ds, size_t step, const ca_real *restrict w,
                                struct ca_mat x0, ca_real *restrict dw, struct ca_mat dx0)
{
    if (dw)
        for (size_t i = 0; i < n; i++) {
            ca_real sum = dw[i];
            for (size_t r = 0; r < rows; r++)
                sum += ds[r * step] * x0.p[r * x0.ld + i];
            dw[i] = sum;
        }
    for (size_t r = 0; dx0.p && r < rows; r++)
        ca_axpy(n, ds[r * step], w, dx0.p + r * dx0.ld);
}

CA_CLONES static void cross_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct cross x = cross_view(op, c);

    for (size_t r = 0; r < x.rows; r++) {
        const ca_real *dy = c->dout.p + r * c->dout.ld;

        cross_numbers_back(&x, op, c, r, (double)ca_dot(x.d, dy, c->in[0].p + r * c->in[0].ld));
        if (c->din[0].p)
            ca_axpy(x.d, x.c[r], dy, c->din[0].p + r * c->din[0].ld);
    }
    for (size_t r = 0, rows; r < x.rows; r += rows) {
        struct ca_mat x0 = {c->in[0].p + r * c->in[0].ld, c->in[0].ld}, dx0 = {NULL, c->din[0].ld};

        rows = x.rows - r < CROSS_TOGETHER ? 1 : CROSS_TOGETHER;
        if (c->din[0].p)
            dx0.p = c->din[0].p + r * dx0.ld;
        for (size_t l = 0; l < x.n; l++) {
            const ca_real *w = c->param + op->param_at[2 * l], *ds = x.ds + r * x.n + l;
            ca_real *dw = c->dparam ? c->dparam + op->param_at[2 * l] : NULL;

            if (rows == CROSS_TOGETHER)
                cross_layer_back(x.d, CROSS_TOGETHER, ds, x.n, w, x0, dw, dx0);
            else
                cross_layer_back(x.d, 1, ds, x.n, w, x0, dw, dx0);
        }
    }
}

static uint64_t cross_flops(const struct ca_op *op)
{
    return 4 * (uint64_t)op->out_width * (op->n_params / 2);
}

static const struct ca_op_type cross = {"cross", cross_forward, cross_backward, cross_flops, 0};

ca_val ca_op_cross(struct ca_graph *g, ca_val x0, const char *name, size_t layers)
{
    size_t n = ca_graph_width(g, x0);
    struct ca_op op = {.type = &cross, .n_in = 1, .out_width = n, .n_params = 2 * layers, .scratch_per_row = 2 * layers + 1};
    char part[256];

    if (2 * layers > CA_OP_MAX_PARAMS) {
        ca_graph_refuse(g, "more cross layers than an operator has parameters");
        return x0;
    }
    for (size_t l = 0; l < layers; l++) {
        (void)snprintf(part, sizeof part, "%s.%zu", name, l);
        op.param[2 * l] = ca_graph_param_of(g, part, "weight", 1, n, uniform(n));
        op.param[2 * l + 1] = ca_graph_param_of(g, part, "bias", 1, 0, uniform(n));
    }
    return ca_graph_add(g, &op, &x0);
}

/* ---- form of the outer product: param 0 weight [1, F F d], 1 bias [1]; scratch [rows, F d]: u_h = sum_m w_hm v_m ---- */

enum { OUTER_FIELDS, OUTER_WIDTH };

CA_INLINE ca_real outer_row(size_t n_fields, size_t d, const ca_real *restrict w, const ca_real *restrict v,
                            ca_real *restrict u)
{
    memset(u, 0, n_fields * d * sizeof *u);
    for (size_t h = 0; h < n_fields; h++)
        for (size_t m = 0; m < n_fields; m++, w += d)
            for (size_t k = 0; k < d; k++)
                u[h * d + k] += w[k] * v[m * d + k];
    return ca_dot(n_fields * d, u, v);
}

/* dw_hm += dy v_h v_m; dv_h += dy u_h; dv_m += dy sum_h w_hm v_h. dw or dv may be null. */
CA_INLINE void outer_row_back(size_t n_fields, size_t d, ca_real dy, const ca_real *restrict w,
                              const ca_real *restrict v, const ca_real *u, ca_real *restrict dw, ca_real *restrict dv)
{
    if (dv)
        ca_axpy(n_fields * d, dy, u, dv);
    for (size_t h = 0; h < n_fields; h++)
        for (size_t m = 0; m < n_fields; m++) {
            size_t at = (h * n_fields + m) * d;

            if (dw)
                for (size_t k = 0; k < d; k++)
                    dw[at + k] += dy * v[h * d + k] * v[m * d + k];
            if (dv)
                for (size_t k = 0; k < d; k++)
                    dv[m * d + k] += dy * v[h * d + k] * w[at + k];
        }
}

#define OUTER_TOGETHER 4 /* rows */

/*
 * The same of four rows whose vectors fill a register: the weights and their gradient, more than the first-level cache
 * holds, pass by once for four. Each sum has the order it has row by row; a sixth of the time. u becomes dy v.
 */
CA_INLINE void outer_rows_back(size_t n_fields, const ca_real *dy, size_t ldy, const ca_real *w, struct ca_mat v,
                               ca_real *u, ca_real *dw, struct ca_mat dv)
{
    size_t n = n_fields * CA_LANES;

    for (size_t r = 0; r < OUTER_TOGETHER; r++) {
        if (dv.p)
            ca_axpy(n, dy[r * ldy], u + r * n, dv.p + r * dv.ld);
        for (size_t k = 0; k < n; k++)
            u[r * n + k] = dy[r * ldy] * v.p[r * v.ld + k];
    }
    for (size_t h = 0; dw && h < n_fields; h++) {
        ca_lanes g[OUTER_TOGETHER];

        for (size_t r = 0; r < OUTER_TOGETHER; r++)
            g[r] = CA_LOAD(u + r * n + h * CA_LANES);
        for (size_t m = 0; m < n_fields; m++) {
            ca_real *at = dw + (h * n_fields + m) * CA_LANES;
            ca_lanes sum = CA_LOAD(at);

            for (size_t r = 0; r < OUTER_TOGETHER; r++)
                sum += g[r] * CA_LOAD(v.p + r * v.ld + m * CA_LANES);
            *(ca_lanes_any *)(void *)at = sum;
        }
    }
    for (size_t m = 0; dv.p && m < n_fields; m++) {
        ca_lanes sum[OUTER_TOGETHER];

        for (size_t r = 0; r < OUTER_TOGETHER; r++)
            sum[r] = CA_LOAD(dv.p + r * dv.ld + m * CA_LANES);
        for (size_t h = 0; h < n_fields; h++) {
            ca_lanes x = CA_LOAD(w + (h * n_fields + m) * CA_LANES);
            for (size_t r = 0; r < OUTER_TOGETHER; r++)
                sum[r] += CA_LOAD(u + r * n + h * CA_LANES) * x;
        }
        for (size_t r = 0; r < OUTER_TOGETHER; r++)
            *(ca_lanes_any *)(void *)(dv.p + r * dv.ld + m * CA_LANES) = sum[r];
    }
}

/* The loops with the usual widths known to the compiler. */
CA_CLONES static void outer_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[OUTER_FIELDS], d = op->attr[OUTER_WIDTH];
    const ca_real *w = c->param + op->param_at[0];

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *v = c->in[0].p + r * c->in[0].ld;
        ca_real *u = c->scratch + r * f * d, s;

        if (d == 16)
            s = outer_row(f, 16, w, v, u);
        else if (d == 8)
            s = outer_row(f, 8, w, v, u);
        else
            s = outer_row(f, d, w, v, u);
        c->out.p[r * c->out.ld] = s + c->param[op->param_at[1]];
    }
}

CA_CLONES static void outer_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[OUTER_FIELDS], d = op->attr[OUTER_WIDTH];
    const ca_real *w = c->param + op->param_at[0];
    ca_real *dw = c->dparam ? c->dparam + op->param_at[0] : NULL;
    size_t r = 0;

    for (; r < c->rows && c->dparam; r++)
        c->dparam[op->param_at[1]] += c->dout.p[r * c->dout.ld];
    for (r = 0; d == CA_LANES && r + OUTER_TOGETHER <= c->rows; r += OUTER_TOGETHER) {
        struct ca_mat v = {c->in[0].p + r * c->in[0].ld, c->in[0].ld}, dv = {NULL, c->din[0].ld};

        if (c->din[0].p)
            dv.p = c->din[0].p + r * dv.ld;
        outer_rows_back(f, c->dout.p + r * c->dout.ld, c->dout.ld, w, v, c->scratch + r * f * d, dw, dv);
    }
    for (; r < c->rows; r++) {
        const ca_real *v = c->in[0].p + r * c->in[0].ld, *u = c->scratch + r * f * d;
        ca_real dy = c->dout.p[r * c->dout.ld], *dv = c->din[0].p ? c->din[0].p + r * c->din[0].ld : NULL;

        if (d == 16)
            outer_row_back(f, 16, dy, w, v, u, dw, dv);
        else if (d == 8)
            outer_row_back(f, 8, dy, w, v, u, dw, dv);
        else
            outer_row_back(f, d, dy, w, v, u, dw, dv);
    }
}

static uint64_t outer_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[0] * (op->attr[OUTER_FIELDS] + 1);
}

static const struct ca_op_type outer_form = {"outer_form", outer_forward, outer_backward, outer_flops, 0};

ca_val ca_op_outer_form(struct ca_graph *g, ca_val v, const char *name, size_t fields)
{
    size_t n = ca_graph_width(g, v);
    struct ca_op op = {.type = &outer_form, .n_in = 1, .out_width = 1, .n_params = 2, .scratch_per_row = n};

    op.attr[OUTER_FIELDS] = fields;
    op.attr[OUTER_WIDTH] = fields ? n / fields : 0;
    op.param[0] = ca_graph_param_of(g, name, "weight", 1, fields * n, uniform(fields * n));
    op.param[1] = ca_graph_param_of(g, name, "bias", 1, 0, uniform(fields * n));
    return ca_graph_add(g, &op, &v);
}

/* ---- scaled form: inputs s and v; param 0 weight [1, n], 1 bias [1]; scratch per row: w.v ---- */

CA_CLONES static void scaled_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *w = c->param + op->param_at[0];

    for (size_t r = 0; r < c->rows; r++) {
        c->scratch[r] = ca_dot(op->in_width[1], c->in[1].p + r * c->in[1].ld, w);
        c->out.p[r * c->out.ld] = c->in[0].p[r * c->in[0].ld] * c->scratch[r] + c->param[op->param_at[1]];
    }
}

CA_CLONES static void scaled_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->in_width[1];
    const ca_real *w = c->param + op->param_at[0];

    for (size_t r = 0; r < c->rows; r++) {
        ca_real dy = c->dout.p[r * c->dout.ld], ds = dy * c->in[0].p[r * c->in[0].ld];

        if (c->dparam) {
            ca_axpy(n, ds, c->in[1].p + r * c->in[1].ld, c->dparam + op->param_at[0]);
            c->dparam[op->param_at[1]] += dy;
        }
        if (c->din[0].p)
            c->din[0].p[r * c->din[0].ld] += dy * c->scratch[r];
        if (c->din[1].p)
            ca_axpy(n, ds, w, c->din[1].p + r * c->din[1].ld);
    }
}

static uint64_t scaled_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[1] + 2;
}

static const struct ca_op_type scaled_form = {"scaled_form", scaled_forward, scaled_backward, scaled_flops, 0};

ca_val ca_op_scaled_form(struct ca_graph *g, ca_val s, ca_val v, const char *name)
{
    size_t n = ca_graph_width(g, v);
    struct ca_op op = {.type = &scaled_form, .n_in = 2, .out_width = 1, .n_params = 2, .scratch_per_row = 1};

    if (ca_graph_width(g, s) != 1)
        ca_graph_refuse(g, "a form that is scaled by more than a number");
    op.param[0] = ca_graph_param_of(g, name, "weight", 1, n, uniform(n));
    op.param[1] = ca_graph_param_of(g, name, "bias", 1, 0, uniform(n));
    return ca_graph_add(g, &op, (ca_val[2]){s, v});
}
