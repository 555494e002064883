/*
 * Bilinear pairs and the linear layer on top of them in one operator, which
 * never lays the pairs down: for FiBiNET they are 5200 numbers a row, and
 * writing and reading them and their gradient cost a twelfth of a training
 * step. Rows run in panels of up to CA_TILE_COLS side by side, turned (element
 * k of row r at t[k * width + r]); a few pairs at a time are made where a
 * product wants them. The twin is the composition of operators: the tests hold
 * both together, and machines without a fused tile have it.
 */
#include <string.h>

#include "nn/blas.h"
#include "nn/ops.h"
#include "nn/product.h"

#include "base/banned.h"

enum { PL_FIELDS, PL_WIDTH, PL_OUT, PL_GROUP };
enum { PL_BILINEAR, PL_WEIGHT, PL_BIAS };

/*
 * Scratch. Kept from forward to backward: q = W v by row [rows, F d], and v and q turned. The turned ones are
 * [panels][F d][width of the panel], so the panel from row r on begins at r F d.
 */
struct form {
    size_t f, d, n, out;      /* n = F d */
    size_t nx, row;           /* columns of x; length of a row of the linear weight */
    size_t group;             /* pairs of one product */
    const ca_real *w, *stack; /* the pairs' part of the linear weight begins at stack */
    ca_real *q, *qt, *vt;
    ca_real *dq, *dqt, *dvt;
    ca_real *yt;              /* [panels][out][width]: y, then its gradient, turned */
    ca_real *panel;           /* products of some pairs: [steps, width] or [rows, group d] */
    ca_real *slice;           /* weight of some pairs [out, group d] */
    ca_real *dp;              /* gradient of some pairs, turned [group d, width] */
};

static size_t fixed_size(size_t out)
{
    return (CA_TILE_STEPS + out + CA_TILE_COLS) * CA_TILE_COLS;
}

static size_t per_row(size_t n, size_t out)
{
    return 6 * n + out + CA_TILE_COLS + (fixed_size(out) + 8 * CA_LANES) / CA_CHUNK_ROWS_LEAST + 1;
}

static struct form view(const struct ca_op *op, const struct ca_ctx *c)
{
    struct form s = {.f = op->attr[PL_FIELDS], .d = op->attr[PL_WIDTH], .out = op->attr[PL_OUT],
                     .group = op->attr[PL_GROUP], .nx = op->in_width[0]};
    size_t rows = (c->rows + CA_LANES - 1) / CA_LANES * CA_LANES;
    ca_real *p = c->scratch;

    s.n = s.f * s.d;
    s.row = s.nx + s.f * (s.f - 1) / 2 * s.d;
    s.w = c->param + op->param_at[PL_BILINEAR];
    s.stack = c->param + op->param_at[PL_WEIGHT] + s.nx;
    s.qt = p;
    s.vt = p += rows * s.n;
    s.dqt = p += rows * s.n;
    s.dvt = p += rows * s.n;
    s.yt = p += rows * s.n;
    s.slice = p += rows * s.out;
    s.dp = p += (s.out * CA_TILE_COLS + CA_LANES - 1) / CA_LANES * CA_LANES;
    s.panel = p += CA_TILE_COLS * CA_TILE_COLS;
    s.q = p += (CA_TILE_STEPS + c->rows) * CA_TILE_COLS;
    s.dq = s.q + c->rows * s.n;
    return s;
}

/* Rows of the panel that begins at this one, and its vectors. */
static size_t panel_rows(const struct ca_ctx *c, size_t from, size_t *lanes)
{
    size_t rows = c->rows - from < CA_TILE_COLS ? c->rows - from : CA_TILE_COLS;

    *lanes = (rows + CA_LANES - 1) / CA_LANES;
    return rows;
}

/* The pair after (i, j). */
CA_INLINE void next_pair(size_t f, size_t *i, size_t *j)
{
    if (++*j == f)
        *j = ++*i + 1;
}

/* q_i * v_j of some pairs from (i, j) on, one below the other: rows of `width` */
CA_CLONES static void turned_products(const struct form *s, size_t i, size_t j, size_t pairs, size_t width,
                                      const ca_real *q, const ca_real *v, ca_real *p)
{
    size_t size = s->d * width; /* whole vectors */

    for (; pairs--; next_pair(s->f, &i, &j), p += size)
        for (size_t k = 0; k < size; k += CA_LANES)
            *(ca_lanes_any *)(void *)(p + k) = CA_LOAD(q + i * size + k) * CA_LOAD(v + j * size + k);
}

/* dq_i += dp * v_j, dv_j += dp * q_i of the same */
CA_CLONES static void turned_products_back(const struct form *s, size_t i, size_t j, size_t pairs, size_t width,
                                           const ca_real *dp, const ca_real *q, const ca_real *v, ca_real *dq,
                                           ca_real *dv)
{
    size_t size = s->d * width;

    for (; pairs--; next_pair(s->f, &i, &j), dp += size)
        for (size_t k = 0; k < size; k += CA_LANES) {
            *(ca_lanes_any *)(void *)(dq + i * size + k) += CA_LOAD(dp + k) * CA_LOAD(v + j * size + k);
            *(ca_lanes_any *)(void *)(dv + j * size + k) += CA_LOAD(dp + k) * CA_LOAD(q + i * size + k);
        }
}

/* The same by row, side by side: p [rows, pairs d]. Row by row: what is read lies together then. */
CA_INLINE void products_of(const struct form *s, size_t d, size_t i, size_t j, size_t pairs, size_t rows,
                           struct ca_mat v, ca_real *restrict p)
{
    size_t at[CA_TILE_COLS][2];

    for (size_t g = 0; g < pairs; g++, next_pair(s->f, &i, &j)) {
        at[g][0] = i * d;
        at[g][1] = j * d;
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t g = 0; g < pairs; g++, p += d) {
            const ca_real *restrict x = s->q + r * s->n + at[g][0], *restrict y = v.p + r * v.ld + at[g][1];
            for (size_t k = 0; k < d; k++)
                p[k] = x[k] * y[k];
        }
}

CA_CLONES static void products(const struct form *s, size_t i, size_t j, size_t pairs, size_t rows, struct ca_mat v,
                               ca_real *p)
{
    if (s->d == 16)
        products_of(s, 16, i, j, pairs, rows, v, p);
    else if (s->d == 8)
        products_of(s, 8, i, j, pairs, rows, v, p);
    else
        products_of(s, s->d, i, j, pairs, rows, v, p);
}

/* q = W v of every field, then both turned. A matrix [rows, F d] is one of [rows F, d] where it has no gaps. */
static void turn_in(const struct form *s, const struct ca_ctx *c)
{
    struct ca_mat v = c->in[1];

    if (v.ld == s->n)
        ca_gemm_nt(c->rows * s->f, s->d, s->d, v.p, s->d, s->w, s->d, 0, s->q, s->d);
    else
        for (size_t i = 0; i < s->f; i++)
            ca_gemm_nt(c->rows, s->d, s->d, v.p + i * s->d, v.ld, s->w, s->d, 0, s->q + i * s->d, s->n);
    for (size_t r = 0; r < c->rows; r += CA_TILE_COLS) {
        size_t lanes, rows = panel_rows(c, r, &lanes);

        ca_tile_turn(rows, s->n, v.p + r * v.ld, v.ld, lanes, s->vt + r * s->n);
        ca_tile_turn(rows, s->n, s->q + r * s->n, s->n, lanes, s->qt + r * s->n);
    }
}

/* out(rows, n) += t turned back; t [n, width] */
CA_CLONES static void add_turned(size_t rows, size_t n, const ca_real *t, size_t width, ca_real *out, size_t ld)
{
    for (size_t k = 0; k < n; k += CA_TILE_COLS) {
        size_t cols = n - k < CA_TILE_COLS ? n - k : CA_TILE_COLS, lanes = (cols + CA_LANES - 1) / CA_LANES;
        ca_real part[CA_TILE_COLS * CA_TILE_COLS];

        ca_tile_turn(cols, rows, t + k * width, width, lanes, part);
        for (size_t r = 0; r < rows; r++)
            ca_add(cols, part + r * lanes * CA_LANES, out + r * ld + k);
    }
}

/* yt = the pairs' share of y. As many pairs at a time as a panel of products holds. */
static void pairs_forward(const struct form *s, const struct ca_ctx *c)
{
    ca_tile *tile = ca_tile_best();
    size_t most = CA_TILE_STEPS / s->d, n_pairs = s->f * (s->f - 1) / 2, i = 0, j = 1;

    for (size_t at = 0, pairs; at < n_pairs; at += pairs) {
        pairs = n_pairs - at < most ? n_pairs - at : most;
        for (size_t r = 0; r < c->rows; r += CA_TILE_COLS) {
            struct ca_strip strip = {.rows = s->out, .k = pairs * s->d, .a = s->stack + at * s->d, .a_row = s->row,
                                     .a_k = 1, .b = s->panel, .c = s->yt + r * s->out, .add = at > 0};

            (void)panel_rows(c, r, &strip.lanes);
            strip.b_k = strip.c_row = strip.lanes * CA_LANES;
            turned_products(s, i, j, pairs, strip.b_k, s->qt + r * s->n, s->vt + r * s->n, s->panel);
            tile(&strip);
        }
        for (size_t g = 0; g < pairs; g++)
            next_pair(s->f, &i, &j);
    }
}

static void pair_linear_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct form s = view(op, c);
    const ca_real *w = c->param + op->param_at[PL_WEIGHT];

    turn_in(&s, c);
    for (size_t r = 0; r < c->rows; r++)
        memcpy(c->out.p + r * c->out.ld, c->param + op->param_at[PL_BIAS], s.out * sizeof(ca_real));
    ca_gemm_nt(c->rows, s.out, s.nx, c->in[0].p, c->in[0].ld, w, s.row, 1, c->out.p, c->out.ld);
    pairs_forward(&s, c);
    for (size_t r = 0; r < c->rows; r += CA_TILE_COLS) {
        size_t lanes, rows = panel_rows(c, r, &lanes);
        add_turned(rows, s.out, s.yt + r * s.out, lanes * CA_LANES, c->out.p + r * c->out.ld, c->out.ld);
    }
}

/* dW of some pairs: dy^T (q_i * v_j) */
static void weight_gradient(const struct form *s, const struct ca_ctx *c, size_t i, size_t j, size_t pairs,
                            ca_real *dstack)
{
    struct ca_product p = {.m = s->out, .n = pairs * s->d, .k = c->rows, .a = c->dout.p, .a_row = 1,
                           .a_k = c->dout.ld, .b = s->panel, .ldb = pairs * s->d, .c = dstack, .ldc = s->row, .add = 1};

    products(s, i, j, pairs, c->rows, c->in[1], s->panel);
    ca_product(ca_tile_best(), &p);
}

CA_INLINE void fetch(const ca_real *x, size_t n)
{
    for (size_t k = 0; k < n + CA_LANES; k += CA_LANES)
        __builtin_prefetch(x + k);
}

/* dp = W^T dy of some pairs, and from there to dq and dv */
static void value_gradient(const struct form *s, const struct ca_ctx *c, size_t at, size_t i, size_t j, size_t pairs)
{
    ca_tile *tile = ca_tile_best();
    size_t cols = pairs * s->d, next = 0;

    /* Its rows lie a page and more apart: they are read once, not by every panel, and those of the next pairs fetched. */
    for (size_t h = 0; h < s->out; h++)
        memcpy(s->slice + h * cols, s->stack + h * s->row + at * s->d, cols * sizeof *s->slice);
    for (size_t r = 0; r < c->rows; r += CA_TILE_COLS) {
        struct ca_strip strip = {.rows = cols, .k = s->out, .a = s->slice, .a_row = 1, .a_k = cols,
                                 .b = s->yt + r * s->out, .c = s->dp};

        (void)panel_rows(c, r, &strip.lanes);
        strip.b_k = strip.c_row = strip.lanes * CA_LANES;
        for (; next < s->out && next * c->rows < (r + CA_TILE_COLS) * s->out; next++)
            fetch(s->stack + next * s->row + at * s->d + cols, cols);
        tile(&strip);
        turned_products_back(s, i, j, pairs, strip.b_k, s->dp, s->qt + r * s->n, s->vt + r * s->n, s->dqt + r * s->n,
                             s->dvt + r * s->n);
    }
}

/* From dqt and dvt to the gradients of W and v. */
static void turn_out(const struct form *s, const struct ca_ctx *c, ca_real *dw)
{
    struct ca_mat v = c->in[1], dv = c->din[1];

    memset(s->dq, 0, c->rows * s->n * sizeof *s->dq);
    for (size_t r = 0; r < c->rows; r += CA_TILE_COLS) {
        size_t lanes, rows = panel_rows(c, r, &lanes);

        add_turned(rows, s->n, s->dqt + r * s->n, lanes * CA_LANES, s->dq + r * s->n, s->n);
        if (dv.p)
            add_turned(rows, s->n, s->dvt + r * s->n, lanes * CA_LANES, dv.p + r * dv.ld, dv.ld);
    }
    for (size_t i = 0; dw && i < (v.ld == s->n ? 1 : s->f); i++)
        ca_gemm_tn(s->d, s->d, v.ld == s->n ? c->rows * s->f : c->rows, s->dq + i * s->d, v.ld == s->n ? s->d : s->n,
                   v.p + i * s->d, v.ld == s->n ? s->d : v.ld, 1, dw, s->d);
    for (size_t i = 0; dv.p && i < (dv.ld == s->n ? 1 : s->f); i++)
        ca_gemm_nn(dv.ld == s->n ? c->rows * s->f : c->rows, s->d, s->d, s->dq + i * s->d,
                   dv.ld == s->n ? s->d : s->n, s->w, s->d, 1, dv.p + i * s->d, dv.ld == s->n ? s->d : dv.ld);
}

static void pair_linear_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct form s = view(op, c);
    const ca_real *w = c->param + op->param_at[PL_WEIGHT];
    ca_real *dw = c->dparam ? c->dparam + op->param_at[PL_WEIGHT] : NULL;
    size_t n_pairs = s.f * (s.f - 1) / 2, i = 0, j = 1;
    int values = c->dparam || c->din[1].p;

    for (size_t r = 0; values && r < c->rows; r += CA_TILE_COLS) {
        size_t lanes, rows = panel_rows(c, r, &lanes);

        ca_tile_turn(rows, s.out, c->dout.p + r * c->dout.ld, c->dout.ld, lanes, s.yt + r * s.out);
        memset(s.dqt + r * s.n, 0, s.n * lanes * CA_LANES * sizeof *s.dqt);
        memset(s.dvt + r * s.n, 0, s.n * lanes * CA_LANES * sizeof *s.dvt);
    }
    for (size_t at = 0, pairs; at < n_pairs; at += pairs) {
        pairs = n_pairs - at < s.group ? n_pairs - at : s.group;
        if (dw)
            weight_gradient(&s, c, i, j, pairs, dw + s.nx + at * s.d);
        if (values)
            value_gradient(&s, c, at, i, j, pairs);
        for (size_t g = 0; g < pairs; g++)
            next_pair(s.f, &i, &j);
    }
    if (values)
        turn_out(&s, c, c->dparam ? c->dparam + op->param_at[PL_BILINEAR] : NULL);
    if (dw) {
        ca_gemm_tn(s.out, s.nx, c->rows, c->dout.p, c->dout.ld, c->in[0].p, c->in[0].ld, 1, dw, s.row);
        ca_sum_rows(c->rows, s.out, c->dout.p, c->dout.ld, c->dparam + op->param_at[PL_BIAS]);
    }
    if (c->din[0].p)
        ca_gemm_nn(c->rows, s.nx, s.out, c->dout.p, c->dout.ld, w, s.row, 1, c->din[0].p, c->din[0].ld);
}

static uint64_t pair_linear_flops(const struct ca_op *op)
{
    uint64_t f = op->attr[PL_FIELDS], d = op->attr[PL_WIDTH], out = op->attr[PL_OUT], pairs = f * (f - 1) / 2 * d;

    return 2 * out * (op->in_width[0] + pairs) + pairs + 2 * f * d * d;
}

static const struct ca_op_type pair_linear = {"pair_linear", pair_linear_forward, pair_linear_backward,
                                              pair_linear_flops, 0};

ca_val ca_op_pair_linear(struct ca_graph *g, ca_val x, ca_val v, const char *bilinear, const char *name,
                         size_t fields, size_t out)
{
    size_t n = ca_graph_width(g, v), d = fields ? n / fields : 0, in = ca_graph_width(g, x);
    struct ca_op op = {.type = &pair_linear, .n_in = 2, .out_width = out, .n_params = 3};
    ca_val both[2] = {x, v};
    int fused = ca_tile_kind() != CA_TILE_PLAIN || sizeof(ca_real) > sizeof(float); /* double: to prove the gradients */

    if (!fused || fields < 2 || !d || d > CA_TILE_COLS || out < 2) {
        both[1] = ca_op_bilinear_pairs(g, v, bilinear, fields);
        return ca_op_linear(g, ca_op_concat(g, both, 2), name, out, 1);
    }
    in += fields * (fields - 1) / 2 * d;
    op.attr[PL_FIELDS] = fields;
    op.attr[PL_WIDTH] = d;
    op.attr[PL_OUT] = out;
    op.attr[PL_GROUP] = CA_TILE_COLS / d;
    op.scratch_per_row = per_row(n, out);
    op.param[PL_BILINEAR] = ca_graph_param_of(g, bilinear, "weight", d, d, ca_graph_weight_init(g, d, d));
    op.param[PL_WEIGHT] = ca_graph_param_of(g, name, "weight", out, in, ca_graph_weight_init(g, in, out));
    op.param[PL_BIAS] = ca_graph_param_of(g, name, "bias", out, 0, ca_graph_bias_init(g, in));
    return ca_graph_add(g, &op, both);
}
