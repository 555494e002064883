/*
 * Multi-head self-attention over fields (specification: models 11), with
 * biases and a projection of the output or without both. Pieces of CA_LANES
 * rows: the projections are matrix products over rows x fields, what lies
 * between them are small products with rows side by side, in which a number
 * is a vector of rows. They run in tiles of registers: sums that went through
 * memory with every step made a training step 1.15 times as long.
 */
#include <math.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/lanes.h"
#include "nn/ops.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

enum { AT_FIELDS, AT_WIDTH, AT_HEADS, AT_IN, AT_SCALED };

/*
 * Scratch. Kept by row: q, k, v of each field, turned [F 3d]; weights of each head, turned [H F F];
 * what the heads give, plain [F d]. The rest is of one piece. Without a projection, b_in, w_out and b_out are NULL.
 */
struct attention {
    size_t f, in, d, heads, head; /* in: width of a field that is read; head: width of one */
    ca_real scale;            /* of the scores */
    const ca_real *w_in, *b_in, *w_out, *b_out;
    ca_real *qkv, *weight, *given;
    ca_real *rows_qkv, *turned_qkv, *turned; /* [F 3d], [F 3d], [F d] */
    ca_real *x, *y;                          /* plain, of the wider of in and d */
    ca_real *dweight;                        /* [F F] */
};

static size_t kept_per_row(size_t f, size_t d, size_t heads)
{
    return 4 * f * d + heads * f * f;
}

static size_t piece_per_row(size_t f, size_t in, size_t d)
{
    return 7 * f * d + 2 * f * (in > d ? in : d) + f * f;
}

static struct attention view(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[AT_FIELDS], d = op->attr[AT_WIDTH], heads = op->attr[AT_HEADS], fd = f * d * CA_LANES;
    struct attention a = {.f = f, .in = op->attr[AT_IN], .d = d, .heads = heads, .head = d / heads};
    size_t wide = f * (a.in > d ? a.in : d) * CA_LANES;
    ca_real *p = c->scratch;

    a.scale = op->attr[AT_SCALED] ? 1 / (ca_real)sqrt((double)a.head) : 1;
    a.w_in = c->param + op->param_at[0];
    if (op->n_params > 1) {
        a.b_in = c->param + op->param_at[1];
        a.w_out = c->param + op->param_at[2];
        a.b_out = c->param + op->param_at[3];
    }
    a.rows_qkv = p;
    a.turned_qkv = p += 3 * fd;
    a.turned = p += 3 * fd;
    a.x = p += fd;
    a.y = p += wide;
    a.dweight = p += wide;
    a.qkv = p + f * f * CA_LANES;
    return a;
}

/* What is kept of the piece that begins at this row, a multiple of CA_LANES. */
static void at_row(struct attention *a, const ca_real *base, size_t row)
{
    size_t fd = a->f * a->d;

    a->qkv = (ca_real *)(uintptr_t)base + row * kept_per_row(a->f, a->d, a->heads);
    a->weight = a->qkv + 3 * fd * CA_LANES;
    a->given = a->weight + a->heads * a->f * a->f * CA_LANES;
}

/* Rows of m without gaps: itself, or a copy in room. */
static const ca_real *dense_rows(struct ca_mat m, size_t row, size_t rows, size_t width, ca_real *room)
{
    if (m.ld == width || rows == 1)
        return m.p + row * m.ld;
    for (size_t r = 0; r < rows; r++)
        memcpy(room + r * width, m.p + (row + r) * m.ld, width * sizeof *room);
    return room;
}

/* x (n, m) = n copies of the row b */
CA_CLONES static void repeat(size_t n, size_t m, const ca_real *restrict b, ca_real *restrict x)
{
    for (size_t i = 0; i < n; i++, x += m)
        for (size_t k = 0; k < m; k++)
            x[k] = b[k];
}

/* ---- products of small matrices of vectors ---- */

/* Element (i, j) is the vector at p[(i * row + j * col) * CA_LANES]. */
struct grid {
    ca_real *p;
    size_t row, col;
};

static struct grid grid_at(const ca_real *p, size_t row, size_t col)
{
    return (struct grid){(ca_real *)(uintptr_t)p, row, col};
}

/* The same, columns as rows. */
static struct grid turned(struct grid g)
{
    return (struct grid){g.p, g.col, g.row};
}

#define TILE 4 /* 16 sums in registers; 8 vectors are read for 16 products */

/* c(m, n) = scale a(m, k) b(k, n) of a tile at (i, j) */
CA_INLINE void grid_tile(size_t m, size_t n, size_t k, struct grid a, struct grid b, ca_real scale, struct grid c,
                         size_t i, size_t j)
{
    ca_lanes sum[TILE][TILE];
    const ca_real *x = a.p + i * a.row * CA_LANES, *y = b.p + j * b.col * CA_LANES;

    for (size_t s = 0; s < m; s++)
        for (size_t t = 0; t < n; t++)
            sum[s][t] = (ca_lanes){0};
    for (size_t l = 0; l < k; l++, x += a.col * CA_LANES, y += b.row * CA_LANES) {
        ca_lanes u[TILE];
        for (size_t t = 0; t < n; t++)
            u[t] = CA_GET(y, t * b.col);
        for (size_t s = 0; s < m; s++) {
            ca_lanes v = CA_GET(x, s * a.row);
            for (size_t t = 0; t < n; t++)
                sum[s][t] += v * u[t];
        }
    }
    for (size_t s = 0; s < m; s++)
        for (size_t t = 0; t < n; t++)
            CA_AT(c.p, (i + s) * c.row + (j + t) * c.col) = scale * sum[s][t];
}

CA_INLINE void grid_rows(size_t m, size_t n, size_t k, struct grid a, struct grid b, ca_real scale, struct grid c,
                         size_t i)
{
    size_t j = 0;

    for (; j + TILE <= n; j += TILE)
        grid_tile(m, TILE, k, a, b, scale, c, i, j);
    for (; j + 2 <= n; j += 2)
        grid_tile(m, 2, k, a, b, scale, c, i, j);
    if (j < n)
        grid_tile(m, 1, k, a, b, scale, c, i, j);
}

/* c(m, n) = scale a(m, k) b(k, n) */
CA_INLINE void grid_product(size_t m, size_t n, size_t k, struct grid a, struct grid b, ca_real scale, struct grid c)
{
    size_t i = 0;

    for (; i + TILE <= m; i += TILE)
        grid_rows(TILE, n, k, a, b, scale, c, i);
    for (; i + 2 <= m; i += 2)
        grid_rows(2, n, k, a, b, scale, c, i);
    if (i < m)
        grid_rows(1, n, k, a, b, scale, c, i);
}

/* One head's part of something turned, from element `at` of a field on: [F, width of the head] */
static struct grid head_of(const struct attention *a, const ca_real *p, size_t fields_apart, size_t at, size_t h)
{
    return grid_at(p + (at + h * a->head) * CA_LANES, fields_apart, 1);
}

static struct grid weights_of(const struct attention *a, const ca_real *p)
{
    return grid_at(p, a->f, 1);
}

/* ---- what lies between the projections: of a piece, all turned ---- */

/* S = scale Q K^T, P = softmax(S), O = P V */
CA_CLONES static void attend(const struct attention *a, size_t rows)
{
    size_t f = a->f, d = a->d, n = a->head;

    ca_lanes_load(rows, f * 3 * d, a->rows_qkv, f * 3 * d, a->qkv);
    for (size_t h = 0; h < a->heads; h++) {
        struct grid q = head_of(a, a->qkv, 3 * d, 0, h), k = head_of(a, a->qkv, 3 * d, d, h);
        struct grid v = head_of(a, a->qkv, 3 * d, 2 * d, h), w = weights_of(a, a->weight + h * f * f * CA_LANES);

        grid_product(f, f, n, q, turned(k), a->scale, w);
        for (size_t i = 0; i < f; i++)
            ca_lanes_softmax(f, w.p + i * f * CA_LANES);
        grid_product(f, n, f, w, v, 1, head_of(a, a->turned, d, 0, h));
    }
    ca_lanes_store(rows, f * d, a->turned, a->given, f * d);
}

/* dP becomes dS = scale P (dP - sum_j dP P), rows of f */
CA_INLINE void softmax_back(size_t f, ca_real scale, const ca_real *w, ca_real *dw)
{
    for (size_t i = 0; i < f; i++, w += f * CA_LANES, dw += f * CA_LANES) {
        ca_lanes sum = {0};

        for (size_t j = 0; j < f; j++)
            sum += CA_GET(dw, j) * CA_GET(w, j);
        for (size_t j = 0; j < f; j++)
            CA_AT(dw, j) = CA_GET(w, j) * (CA_GET(dw, j) - sum) * scale;
    }
}

/* From the gradient of O to that of q, k, v in rows_qkv: dV = P^T dO, dP = dO V^T, dQ = dS K, dK = dS^T Q */
CA_CLONES static void attend_back(const struct attention *a, size_t rows, const ca_real *dgiven)
{
    size_t f = a->f, d = a->d, n = a->head;

    ca_lanes_load(rows, f * d, dgiven, f * d, a->turned);
    for (size_t h = 0; h < a->heads; h++) {
        struct grid q = head_of(a, a->qkv, 3 * d, 0, h), k = head_of(a, a->qkv, 3 * d, d, h);
        struct grid v = head_of(a, a->qkv, 3 * d, 2 * d, h), w = weights_of(a, a->weight + h * f * f * CA_LANES);
        struct grid go = head_of(a, a->turned, d, 0, h), dw = weights_of(a, a->dweight);

        grid_product(f, n, f, turned(w), go, 1, head_of(a, a->turned_qkv, 3 * d, 2 * d, h));
        grid_product(f, f, n, go, turned(v), 1, dw);
        softmax_back(f, a->scale, w.p, dw.p);
        grid_product(f, n, f, dw, k, 1, head_of(a, a->turned_qkv, 3 * d, 0, h));
        grid_product(f, n, f, turned(dw), q, 1, head_of(a, a->turned_qkv, 3 * d, d, h));
    }
    ca_lanes_store(rows, f * 3 * d, a->turned_qkv, a->rows_qkv, f * 3 * d);
}

static void attention_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct attention a = view(op, c);
    const ca_real *base = a.qkv;
    size_t fd = a.f * a.d;

    for (size_t r = 0; r < c->rows; r += CA_LANES) {
        size_t rows = c->rows - r < CA_LANES ? c->rows - r : CA_LANES, n = rows * a.f;
        const ca_real *x = dense_rows(c->in[0], r, rows, a.f * a.in, a.x), *y = a.y;

        at_row(&a, base, r);
        if (a.b_in)
            repeat(n, 3 * a.d, a.b_in, a.rows_qkv);
        ca_gemm_nt(n, 3 * a.d, a.in, x, a.in, a.w_in, a.in, a.b_in != NULL, a.rows_qkv, 3 * a.d);
        attend(&a, rows);
        if (a.w_out) {
            repeat(n, a.d, a.b_out, a.y);
            ca_gemm_nt(n, a.d, a.d, a.given, a.d, a.w_out, a.d, 1, a.y, a.d);
        } else
            y = a.given;
        for (size_t l = 0; l < rows; l++)
            memcpy(c->out.p + (r + l) * c->out.ld, y + l * fd, fd * sizeof *y);
    }
}

static void attention_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct attention a = view(op, c);
    const ca_real *base = a.qkv;
    size_t fd = a.f * a.d, fin = a.f * a.in, d = a.d;

    for (size_t r = 0; r < c->rows; r += CA_LANES) {
        size_t rows = c->rows - r < CA_LANES ? c->rows - r : CA_LANES, n = rows * a.f;
        const ca_real *dy = dense_rows(c->dout, r, rows, fd, a.x), *x;

        at_row(&a, base, r);
        if (a.w_out)
            ca_gemm_nn(n, d, d, dy, d, a.w_out, d, 0, a.y, d);
        attend_back(&a, rows, a.w_out ? a.y : dy);
        if (c->dparam && a.w_out) {
            ca_gemm_tn(d, d, n, dy, d, a.given, d, 1, c->dparam + op->param_at[2], d);
            ca_sum_rows(n, d, dy, d, c->dparam + op->param_at[3]);
            ca_sum_rows(n, 3 * d, a.rows_qkv, 3 * d, c->dparam + op->param_at[1]);
        }
        if (c->dparam) {
            x = dense_rows(c->in[0], r, rows, fin, a.x);
            ca_gemm_tn(3 * d, a.in, n, a.rows_qkv, 3 * d, x, a.in, 1, c->dparam + op->param_at[0], a.in);
        }
        if (c->din[0].p) {
            ca_gemm_nn(n, a.in, 3 * d, a.rows_qkv, 3 * d, a.w_in, a.in, 0, a.y, a.in);
            for (size_t l = 0; l < rows; l++)
                ca_add(fin, a.y + l * fin, c->din[0].p + (r + l) * c->din[0].ld);
        }
    }
}

static uint64_t attention_flops(const struct ca_op *op)
{
    uint64_t f = op->attr[AT_FIELDS], d = op->attr[AT_WIDTH];

    return 6 * f * op->attr[AT_IN] * d + (op->n_params > 1 ? 2 * f * d * d : 0) + 4 * f * f * d;
}

static const struct ca_op_type attention_type = {"attention", attention_forward, attention_backward, attention_flops, 0};

size_t ca_op_attention_params(struct ca_graph *g, const char *name, size_t d)
{
    const struct ca_init_rule zero = {CA_INIT_ZERO, 0};
    const struct ca_init_rule xavier = {CA_INIT_UNIFORM, sqrt(6 / (4 * (double)(d ? d : 1)))};
    const struct ca_init_rule uniform = {CA_INIT_UNIFORM, 1 / sqrt((double)(d ? d : 1))};
    size_t first = ca_graph_param_of(g, name, "in_proj_weight", 3 * d, d, xavier);

    (void)ca_graph_param_of(g, name, "in_proj_bias", 3 * d, 0, zero);
    (void)ca_graph_param_of(g, name, "out_proj.weight", d, d, uniform);
    (void)ca_graph_param_of(g, name, "out_proj.bias", d, 0, zero);
    return first;
}

static ca_val add(struct ca_graph *g, struct ca_op *op, ca_val v)
{
    size_t f = op->attr[AT_FIELDS], d = op->attr[AT_WIDTH], heads = op->attr[AT_HEADS];

    if (!heads || d % heads)
        ca_graph_refuse(g, "the width of attention is not a multiple of the number of its heads");
    op->type = &attention_type;
    op->n_in = 1;
    op->out_width = f * d;
    /* a piece's scratch is spread over the rows of a chunk */
    op->scratch_per_row = kept_per_row(f, d, heads) +
                          (piece_per_row(f, op->attr[AT_IN], d) * CA_LANES + CA_CHUNK_ROWS_LEAST - 1) / CA_CHUNK_ROWS_LEAST;
    return ca_graph_add(g, op, &v);
}

ca_val ca_op_attention(struct ca_graph *g, ca_val v, size_t first, size_t fields, size_t heads)
{
    size_t d = fields ? ca_graph_width(g, v) / fields : 0;
    struct ca_op op = {.n_params = 4, .attr = {fields, d, heads, d, 1}};

    for (size_t i = 0; i < 4; i++)
        op.param[i] = first + i;
    return add(g, &op, v);
}

/* The three matrices lie one behind another: one matrix for one product. */
ca_val ca_op_bare_attention(struct ca_graph *g, ca_val v, const char *name, size_t fields, size_t width, size_t heads,
                            int scaled)
{
    size_t d = fields ? ca_graph_width(g, v) / fields : 0;
    struct ca_op op = {.n_params = 1, .attr = {fields, width, heads, d, (size_t)scaled}};
    struct ca_init_rule rule = ca_graph_weight_init(g, d, width);

    op.param[0] = ca_graph_param_of(g, name, "W_q.weight", width, d, rule);
    (void)ca_graph_param_of(g, name, "W_k.weight", width, d, rule);
    (void)ca_graph_param_of(g, name, "W_v.weight", width, d, rule);
    return add(g, &op, v);
}
