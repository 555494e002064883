/*
 * One layer of the compressed interaction network. The outer product of maps
 * is never made: W seen as a matrix [out F, H] is multiplied with the maps of
 * a few rows side by side, T[o, h, k] = sum_m W[o, h, m] x[m, k], and
 * y[o, k] = sum_h x0[h, k] T[o, h, k] + b[o].
 */
#include <stdio.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/ops_cross.h"
#include "nn/simd.h"

#include "base/banned.h"

enum { CIN_FIELDS, CIN_MAPS, CIN_WIDTH, CIN_OUT, CIN_ROWS };

#define SIDE_BY_SIDE 128 /* columns of one product, where rows are narrower than that */

/* Turned to maps by columns: rows side by side, n columns in all. T and its gradient [out F, n]. */
struct cin {
    size_t f, h, d, out, rows, n;
    ca_real *t, *dt, *x0, *x, *y, *dx;
};

static struct cin cin_view(const struct ca_op *op, const struct ca_ctx *c)
{
    struct cin s = {.f = op->attr[CIN_FIELDS], .h = op->attr[CIN_MAPS], .d = op->attr[CIN_WIDTH],
                    .out = op->attr[CIN_OUT]};
    size_t n = op->attr[CIN_ROWS] * s.d;

    s.t = c->scratch;
    s.dt = s.t + s.out * s.f * n;
    s.x0 = s.dt + s.out * s.f * n;
    s.x = s.x0 + s.f * n;
    s.dx = s.x + s.h * n;
    s.y = s.dx + s.h * n;
    return s;
}

/* The next piece of rows from `from` on. */
static void cin_piece(struct cin *s, const struct ca_op *op, const struct ca_ctx *c, size_t from)
{
    s->rows = c->rows - from < op->attr[CIN_ROWS] ? c->rows - from : op->attr[CIN_ROWS];
    s->n = s->rows * s->d;
}

/* to[map, row k] = from[row, map k] */
static void turn(const struct cin *s, size_t maps, struct ca_mat m, size_t from, ca_real *to)
{
    for (size_t i = 0; i < maps; i++)
        for (size_t r = 0; r < s->rows; r++)
            memcpy(to + i * s->n + r * s->d, m.p + (from + r) * m.ld + i * s->d, s->d * sizeof *to);
}

CA_CLONES static void turn_back(const struct cin *s, size_t maps, const ca_real *x, struct ca_mat m, size_t from)
{
    for (size_t i = 0; i < maps; i++)
        for (size_t r = 0; r < s->rows; r++)
            ca_add(s->d, x + i * s->n + r * s->d, m.p + (from + r) * m.ld + i * s->d);
}

static void load(const struct cin *s, const struct ca_op *op, const struct ca_ctx *c, size_t from)
{
    turn(s, s->f, c->in[0], from, s->x0);
    turn(s, s->h, c->in[1], from, s->x);
    ca_gemm_nn(s->out * s->f, s->n, s->h, c->param + op->param_at[0], s->h, s->x, s->n, 0, s->t, s->n);
}

CA_CLONES static void cin_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct cin s = cin_view(op, c);
    const ca_real *b = c->param + op->param_at[1];

    for (size_t from = 0; from < c->rows; from += s.rows) {
        cin_piece(&s, op, c, from);
        load(&s, op, c, from);
        for (size_t o = 0; o < s.out; o++) {
            ca_real *restrict y = s.y;

            for (size_t k = 0; k < s.n; k++)
                y[k] = b[o];
            for (size_t h = 0; h < s.f; h++) {
                const ca_real *restrict x0 = s.x0 + h * s.n, *restrict t = s.t + (o * s.f + h) * s.n;
                for (size_t k = 0; k < s.n; k++)
                    y[k] += x0[k] * t[k];
            }
            for (size_t r = 0; r < s.rows; r++)
                memcpy(c->out.p + (from + r) * c->out.ld + o * s.d, y + r * s.d, s.d * sizeof *y);
        }
    }
}

/* dT = dy x0; dx0 += dy T (T's memory is used up: it becomes the sum over o) */
CA_CLONES static void cin_products_back(const struct cin *s, ca_real *dx0)
{
    memset(dx0, 0, s->f * s->n * sizeof *dx0);
    for (size_t o = 0; o < s->out; o++)
        for (size_t h = 0; h < s->f; h++) {
            const ca_real *restrict dy = s->y + o * s->n, *restrict x0 = s->x0 + h * s->n;
            const ca_real *restrict t = s->t + (o * s->f + h) * s->n;
            ca_real *restrict dt = s->dt + (o * s->f + h) * s->n, *restrict d = dx0 + h * s->n;
            for (size_t k = 0; k < s->n; k++) {
                dt[k] = dy[k] * x0[k];
                d[k] += dy[k] * t[k];
            }
        }
}

CA_CLONES static void cin_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct cin s = cin_view(op, c);
    ca_real *dx0 = s.y + s.out * op->attr[CIN_ROWS] * s.d;

    for (size_t from = 0; from < c->rows; from += s.rows) {
        cin_piece(&s, op, c, from);
        load(&s, op, c, from);
        turn(&s, s.out, c->dout, from, s.y);
        cin_products_back(&s, dx0);
        if (c->dparam) {
            ca_gemm_nt(s.out * s.f, s.h, s.n, s.dt, s.n, s.x, s.n, 1, c->dparam + op->param_at[0], s.h);
            for (size_t o = 0; o < s.out; o++)
                c->dparam[op->param_at[1] + o] += ca_sum(s.n, s.y + o * s.n);
        }
        if (c->din[0].p)
            turn_back(&s, s.f, dx0, c->din[0], from);
        if (c->din[1].p) {
            ca_gemm_tn(s.h, s.n, s.out * s.f, c->param + op->param_at[0], s.h, s.dt, s.n, 0, s.dx, s.n);
            turn_back(&s, s.h, s.dx, c->din[1], from);
        }
    }
}

static uint64_t cin_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->out_width * op->attr[CIN_FIELDS] * (op->attr[CIN_MAPS] + 1);
}

static const struct ca_op_type cin = {"cin", cin_forward, cin_backward, cin_flops, 0};

ca_val ca_op_cin(struct ca_graph *g, ca_val x0, ca_val x, const char *name, size_t fields, size_t out)
{
    size_t d = fields ? ca_graph_width(g, x0) / fields : 0, h = d ? ca_graph_width(g, x) / d : 0;
    size_t rows = d && d < SIDE_BY_SIDE ? SIDE_BY_SIDE / d : 1, dim[3] = {out, fields * h, 1};
    struct ca_op op = {.type = &cin, .n_in = 2, .out_width = out * d, .n_params = 2, .attr = {fields, h, d, out, rows}};
    ca_val in[2] = {x0, x};
    char part[256];

    op.scratch_per_row = (2 * out * fields + 2 * fields + 2 * h + out) * rows * d / CA_CHUNK_ROWS_LEAST + 1;
    (void)snprintf(part, sizeof part, "%s.weight", name);
    op.param[0] = ca_graph_param(g, part, 3, dim, ca_init_xavier(fields * h, out));
    op.param[1] = ca_graph_param_of(g, name, "bias", out, 0, (struct ca_init_rule){CA_INIT_ZERO, 0});
    return ca_graph_add(g, &op, in);
}
