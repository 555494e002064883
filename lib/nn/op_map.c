/* Maps of the vectors of a row, one for all or one for each field; ranges of a value. */
#include <string.h>

#include "nn/blas.h"
#include "nn/ops_fields.h"
#include "nn/simd.h"

#include "base/banned.h"

/* ---- range ---- */

enum { R_FROM };

static void range_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++)
        memcpy(c->out.p + r * c->out.ld, c->in[0].p + r * c->in[0].ld + op->attr[R_FROM],
               op->out_width * sizeof(ca_real));
}

CA_CLONES static void range_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; c->din[0].p && r < c->rows; r++)
        ca_add(op->out_width, c->dout.p + r * c->dout.ld, c->din[0].p + r * c->din[0].ld + op->attr[R_FROM]);
}

static const struct ca_op_type range = {"range", range_forward, range_backward, NULL, 0};

ca_val ca_op_range(struct ca_graph *g, ca_val x, size_t from, size_t n)
{
    struct ca_op op = {.type = &range, .n_in = 1, .out_width = n, .attr = {from}};
    size_t width = ca_graph_width(g, x);

    if (from > width || n > width - from)
        ca_graph_refuse(g, "a range of a value lies outside it");
    return ca_graph_add(g, &op, &x);
}

/* ---- one map for all parts: params W [out, in], b [out] ---- */

enum { M_PARTS };

/* A product of one column is slower than dots. */
CA_CLONES static void map_forward_one(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[M_PARTS], n = op->in_width[0] / parts;
    ca_real b = op->n_params > 1 ? c->param[op->param_at[1]] : 0;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t p = 0; p < parts; p++)
            c->out.p[r * c->out.ld + p] =
                b + ca_dot(n, c->in[0].p + r * c->in[0].ld + p * n, c->param + op->param_at[0]);
}

CA_CLONES static void map_backward_one(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[M_PARTS], n = op->in_width[0] / parts;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t p = 0; p < parts; p++) {
            ca_real dy = c->dout.p[r * c->dout.ld + p];
            if (c->dparam)
                ca_axpy(n, dy, c->in[0].p + r * c->in[0].ld + p * n, c->dparam + op->param_at[0]);
            if (c->dparam && op->n_params > 1)
                c->dparam[op->param_at[1]] += dy;
            if (c->din[0].p)
                ca_axpy(n, dy, c->param + op->param_at[0], c->din[0].p + r * c->din[0].ld + p * n);
        }
}

static void map_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[M_PARTS], in = op->in_width[0] / parts, out = op->out_width / parts;

    if (out == 1) {
        map_forward_one(op, c);
        return;
    }
    for (size_t r = 0; op->n_params > 1 && r < c->rows; r++)
        for (size_t p = 0; p < parts; p++)
            memcpy(c->out.p + r * c->out.ld + p * out, c->param + op->param_at[1], out * sizeof(ca_real));
    for (size_t p = 0; p < parts; p++)
        ca_gemm_nt(c->rows, out, in, c->in[0].p + p * in, c->in[0].ld, c->param + op->param_at[0], in,
                   op->n_params > 1, c->out.p + p * out, c->out.ld);
}

static void map_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t parts = op->attr[M_PARTS], in = op->in_width[0] / parts, out = op->out_width / parts;

    if (out == 1) {
        map_backward_one(op, c);
        return;
    }
    for (size_t p = 0; p < parts; p++) {
        const ca_real *dy = c->dout.p + p * out;

        if (c->dparam)
            ca_gemm_tn(out, in, c->rows, dy, c->dout.ld, c->in[0].p + p * in, c->in[0].ld, 1,
                       c->dparam + op->param_at[0], in);
        if (c->dparam && op->n_params > 1)
            ca_sum_rows(c->rows, out, dy, c->dout.ld, c->dparam + op->param_at[1]);
        if (c->din[0].p)
            ca_gemm_nn(c->rows, in, out, dy, c->dout.ld, c->param + op->param_at[0], in, 1, c->din[0].p + p * in,
                       c->din[0].ld);
    }
}

static uint64_t map_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[0] * (op->out_width / op->attr[M_PARTS]);
}

static const struct ca_op_type map = {"map", map_forward, map_backward, map_flops, 0};

size_t ca_op_map_params(struct ca_graph *g, const char *name, size_t in, size_t out, struct ca_init_rule weight,
                        const struct ca_init_rule *bias)
{
    size_t first = ca_graph_param_of(g, name, "weight", out, in, weight);

    if (bias)
        (void)ca_graph_param_of(g, name, "bias", out, 0, *bias);
    return first;
}

ca_val ca_op_map(struct ca_graph *g, ca_val x, size_t first, size_t parts, size_t out, int bias)
{
    struct ca_op op = {.type = &map, .n_in = 1, .out_width = parts * out, .n_params = bias ? 2 : 1, .attr = {parts}};

    op.param[0] = first;
    op.param[1] = first + 1;
    return ca_graph_add(g, &op, &x);
}

/* ---- a map for each field: param W [F, in, out] ---- */

enum { FM_FIELDS };

static void field_maps_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[FM_FIELDS], in = op->in_width[0] / f, out = op->out_width / f;

    for (size_t i = 0; i < f; i++)
        ca_gemm_nn(c->rows, out, in, c->in[0].p + i * in, c->in[0].ld, c->param + op->param_at[0] + i * in * out, out, 0,
                   c->out.p + i * out, c->out.ld);
}

static void field_maps_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[FM_FIELDS], in = op->in_width[0] / f, out = op->out_width / f;

    for (size_t i = 0; i < f; i++) {
        size_t at = op->param_at[0] + i * in * out;
        const ca_real *dy = c->dout.p + i * out;

        if (c->dparam)
            ca_gemm_tn(in, out, c->rows, c->in[0].p + i * in, c->in[0].ld, dy, c->dout.ld, 1, c->dparam + at, out);
        if (c->din[0].p)
            ca_gemm_nt(c->rows, in, out, dy, c->dout.ld, c->param + at, out, 1, c->din[0].p + i * in, c->din[0].ld);
    }
}

static uint64_t field_maps_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[0] * (op->out_width / op->attr[FM_FIELDS]);
}

static const struct ca_op_type field_maps = {"field_maps", field_maps_forward, field_maps_backward, field_maps_flops,
                                             0};

ca_val ca_op_field_maps(struct ca_graph *g, ca_val v, const char *name, size_t fields, size_t out,
                        struct ca_init_rule rule)
{
    size_t d = fields ? ca_graph_width(g, v) / fields : 0, dim[3] = {fields, d, out};
    struct ca_op op = {.type = &field_maps, .n_in = 1, .out_width = fields * out, .n_params = 1, .attr = {fields}};

    op.param[0] = ca_graph_param(g, name, 3, dim, rule);
    return ca_graph_add(g, &op, &v);
}
