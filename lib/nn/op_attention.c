/*
 * Multi-head self-attention over fields (specification: models 11), with
 * biases and a projection of the output or without both, and with a layer norm
 * of its sum with what it reads or without. Pieces of CA_LANES
 * rows, turned: a number is a vector of rows, and an element's vectors of all
 * fields lie side by side, so that a projection is a product with them as
 * columns (nn/tile.h) and what lies between are small products in tiles of
 * registers. q, k, v and the weights are kept for backward: to make the weights
 * anew, exponentials above all, takes longer than their way out of the
 * second-level cache and back.
 */
#include <math.h>
#include <string.h>

#include "nn/grid.h"
#include "nn/lanes.h"
#include "nn/ops.h"
#include "nn/ops_fields.h"
#include "nn/tile.h"

#include "base/banned.h"

enum { AT_FIELDS, AT_WIDTH, AT_HEADS, AT_IN, AT_SCALED };

/*
 * Element e of field f of something turned, [width, F], is vector e F + f. Without a projection, w_out is NULL and
 * there are no biases. Where there are, each is the last column of its matrix, and what is multiplied has a last
 * element 1.
 */
struct attention {
    size_t f, in, d, heads, head; /* in: width of a field that is read; head: width of one */
    size_t in_cols, out_cols;     /* of the matrices, with the bias */
    int norm;
    ca_real scale;                /* of the scores */
    const ca_real *w_in, *w_out;  /* [3d, in], [d, d], as they are stored */
    ca_real *in_all, *out_all;    /* [3d, in_cols], [d, out_cols] */
    const ca_real *gamma, *beta;  /* [d] */
    ca_real *din_all, *dout_all;  /* as the matrices, vectors: sums of a whole chunk by lane */
    ca_real *dnorm;               /* the same of gamma and beta: [2, d] */
    ca_real *x, *y;               /* turned: [in_cols, F], [d, F] */
    ca_real *dx, *dqkv, *dgiven;  /* turned: [in, F], [3d, F], [d, F] */
    ca_real *dweight;             /* turned, of one head: [F, F] */
    /* kept by row, turned: [3d, F]; [heads, F, F]; what the heads give [out_cols, F]; what is normed [d, F]; 1 / deviation [F] */
    ca_real *qkv, *weight, *given, *normed, *inv;
};

static struct attention sizes(const struct ca_op *op)
{
    struct attention a = {.f = op->attr[AT_FIELDS], .in = op->attr[AT_IN], .d = op->attr[AT_WIDTH],
                          .heads = op->attr[AT_HEADS]};

    a.head = a.heads ? a.d / a.heads : 0;
    a.in_cols = a.in + (op->n_params > 1);
    a.out_cols = a.d + (op->n_params > 1);
    a.norm = op->n_params > 4;
    return a;
}

static size_t kept_per_row(const struct attention *a)
{
    return a->f * (3 * a->d + a->heads * a->f + a->out_cols + (a->norm ? a->d + 1 : 0));
}

/* Elements of a packed matrix: vectors behind it stay aligned. */
static size_t packed(size_t n)
{
    return (n + CA_LANES - 1) / CA_LANES * CA_LANES;
}

/* Scratch that is not kept; lay() says what it is. */
static size_t piece_size(const struct attention *a)
{
    size_t in = 3 * a->d * a->in_cols, out = a->d * a->out_cols;

    return packed(in) + packed(out) + (in + out + 2 * a->d + a->f * (a->in_cols + a->in + 5 * a->d + a->f)) * CA_LANES;
}

static void lay(struct attention *a, ca_real *p)
{
    size_t f = a->f * CA_LANES, in = 3 * a->d * a->in_cols, out = a->d * a->out_cols;

    a->in_all = p;
    a->out_all = p += packed(in);
    a->din_all = p += packed(out);
    a->dout_all = p += in * CA_LANES;
    a->dnorm = p += out * CA_LANES;
    a->x = p += 2 * a->d * CA_LANES;
    a->y = p += a->in_cols * f;
    a->dx = p += a->d * f;
    a->dqkv = p += a->in * f;
    a->dgiven = p += 3 * a->d * f;
    a->dweight = p += a->d * f;
    a->qkv = p + a->f * f;
    a->weight = a->qkv + 3 * a->d * f;
    a->given = a->weight + a->heads * a->f * f;
    a->normed = a->given + a->out_cols * f;
    a->inv = a->normed + a->d * f;
}

/* What is kept of the next piece. */
static void next_piece(struct attention *a)
{
    size_t step = kept_per_row(a) * CA_LANES;

    a->qkv += step;
    a->weight += step;
    a->given += step;
    a->normed += step;
    a->inv += step;
}

/* to(rows, cols + 1) = from and behind each row its element of b; without b, from */
static void with_bias(size_t rows, size_t cols, const ca_real *from, const ca_real *b, ca_real *to)
{
    for (size_t r = 0; r < rows; r++) {
        memcpy(to, from + r * cols, cols * sizeof *to);
        to += cols;
        if (b)
            *to++ = b[r];
    }
}

static struct attention view(const struct ca_op *op, const struct ca_ctx *c)
{
    struct attention a = sizes(op);
    const ca_real *p = c->param;
    int biased = op->n_params > 1;

    lay(&a, c->scratch);
    a.scale = op->attr[AT_SCALED] ? 1 / (ca_real)sqrt((double)a.head) : 1;
    a.w_in = p + op->param_at[0];
    with_bias(3 * a.d, a.in, a.w_in, biased ? p + op->param_at[1] : NULL, a.in_all);
    if (biased) {
        a.w_out = p + op->param_at[2];
        with_bias(a.d, a.d, a.w_out, p + op->param_at[3], a.out_all);
        if (a.norm) {
            a.gamma = p + op->param_at[4];
            a.beta = p + op->param_at[5];
        }
        for (size_t i = 0; i < a.f * CA_LANES; i++)
            a.x[a.in * a.f * CA_LANES + i] = 1;
    }
    return a;
}

/* ---- rows, and the same turned ---- */

/* The vector of the element behind element *e of field *f, which move there. */
CA_INLINE size_t next_place(size_t fields, size_t width, size_t *e, size_t *f)
{
    size_t at = *e * fields + *f;

    if (++*e == width) {
        *e = 0;
        ++*f;
    }
    return at;
}

/* t[width, F] = rows of x, turned; lanes without a row are 0 */
CA_CLONES static void from_rows(size_t rows, size_t fields, size_t width, const ca_real *x, size_t ld, ca_real *t)
{
    size_t n = fields * width, c = 0, e = 0, f = 0;

    if (rows < CA_LANES)
        memset(t, 0, n * CA_LANES * sizeof *t);
    for (; rows == CA_LANES && c + CA_LANES <= n; c += CA_LANES) {
        ca_lanes v[CA_LANES];

        for (size_t l = 0; l < CA_LANES; l++)
            v[l] = CA_LOAD(x + l * ld + c);
        ca_turn(v);
        for (size_t i = 0; i < CA_LANES; i++)
            CA_AT(t, next_place(fields, width, &e, &f)) = v[i];
    }
    for (; c < n; c++) {
        size_t at = next_place(fields, width, &e, &f);

        for (size_t l = 0; l < rows; l++)
            t[at * CA_LANES + l] = x[l * ld + c];
    }
}

/* rows of y = t[width, F] turned back, or plus that when add */
CA_CLONES static void to_rows(size_t rows, size_t fields, size_t width, const ca_real *t, ca_real *y, size_t ld, int add)
{
    size_t n = fields * width, c = 0, e = 0, f = 0;

    for (; rows == CA_LANES && c + CA_LANES <= n; c += CA_LANES) {
        ca_lanes v[CA_LANES];

        for (size_t i = 0; i < CA_LANES; i++)
            v[i] = CA_GET(t, next_place(fields, width, &e, &f));
        ca_turn(v);
        for (size_t l = 0; l < CA_LANES; l++) {
            if (add)
                v[l] += CA_LOAD(y + l * ld + c);
            *(ca_lanes_any *)(void *)(y + l * ld + c) = v[l];
        }
    }
    for (; c < n; c++) {
        const ca_real *from = t + next_place(fields, width, &e, &f) * CA_LANES;

        for (size_t l = 0; l < rows; l++)
            y[l * ld + c] = add ? y[l * ld + c] + from[l] : from[l];
    }
}

/* y[m, F] = A(m, k) x[k, F], turned, on top of y when add; a_row, a_k: strides of A */
static void project(size_t fields, size_t m, size_t k, const ca_real *a, size_t a_row, size_t a_k, const ca_real *x,
                    ca_real *y, int add)
{
    ca_tile *tile = ca_tile_best();
    size_t ld = fields * CA_LANES;

    for (size_t f = 0, lanes; f < fields; f += lanes) {
        struct ca_strip s = {.rows = m, .k = k, .a = a, .a_row = a_row, .a_k = a_k, .b = x + f * CA_LANES, .b_k = ld,
                             .c = y + f * CA_LANES, .c_row = ld, .add = add};

        s.lanes = lanes = fields - f < CA_TILE_LANES ? fields - f : CA_TILE_LANES;
        tile(&s);
    }
}

/* ---- what lies between the projections, of a head ---- */

/* One head's part of something turned, from element `at` on: [F, width of the head] */
static struct ca_grid head_of(const struct attention *a, const ca_real *p, size_t at, size_t h)
{
    return (struct ca_grid){(ca_real *)(uintptr_t)p + (at + h * a->head) * a->f * CA_LANES, 1, a->f};
}

/* [F, F] */
static struct ca_grid square(const struct attention *a, ca_real *p)
{
    return (struct ca_grid){p, a->f, 1};
}

#define TOGETHER 4 /* rows of a softmax */

CA_CLONES static void softmax(size_t rows, size_t n, ca_real *w)
{
    size_t i = 0;

    for (; i + TOGETHER <= rows; i += TOGETHER)
        ca_lanes_softmaxes(TOGETHER, n, w + i * n * CA_LANES);
    for (; i < rows; i++)
        ca_lanes_softmax(n, w + i * n * CA_LANES);
}

static struct ca_grid weights_of(const struct attention *a, size_t h)
{
    return square(a, a->weight + h * a->f * a->f * CA_LANES);
}

/* P = softmax(scale Q K^T), O = P V */
static void head_forward(const struct attention *a, size_t h)
{
    size_t f = a->f, d = a->d, n = a->head;
    struct ca_grid w = weights_of(a, h), k = ca_grid_turned(head_of(a, a->qkv, d, h));

    ca_grid_product(&(struct ca_grid_product){f, f, n, head_of(a, a->qkv, 0, h), k, w, a->scale});
    softmax(f, f, w.p);
    ca_grid_product(&(struct ca_grid_product){f, n, f, w, head_of(a, a->qkv, 2 * d, h), head_of(a, a->given, 0, h), 1});
}

/* dP becomes dS = scale P (dP - sum_j dP P), rows of f */
CA_CLONES static void softmax_back(size_t f, ca_real scale, const ca_real *w, ca_real *dw)
{
    for (size_t i = 0; i < f; i++, w += f * CA_LANES, dw += f * CA_LANES) {
        ca_lanes sum = {0};

        for (size_t j = 0; j < f; j++)
            sum += CA_GET(dw, j) * CA_GET(w, j);
        for (size_t j = 0; j < f; j++)
            CA_AT(dw, j) = CA_GET(w, j) * (CA_GET(dw, j) - sum) * scale;
    }
}

/* From the gradient of O to that of q, k, v: dV = P^T dO, dP = dO V^T, dQ = dS K, dK = dS^T Q */
static void head_back(const struct attention *a, size_t h, const ca_real *dgiven)
{
    size_t f = a->f, d = a->d, n = a->head;
    struct ca_grid w = weights_of(a, h), dw = square(a, a->dweight), go = head_of(a, dgiven, 0, h);

    ca_grid_product(&(struct ca_grid_product){f, n, f, ca_grid_turned(w), go, head_of(a, a->dqkv, 2 * d, h), 1});
    ca_grid_product(&(struct ca_grid_product){f, f, n, go, ca_grid_turned(head_of(a, a->qkv, 2 * d, h)), dw, 1});
    softmax_back(f, a->scale, w.p, dw.p);
    ca_grid_product(&(struct ca_grid_product){f, n, f, dw, head_of(a, a->qkv, d, h), head_of(a, a->dqkv, 0, h), 1});
    ca_grid_product(&(struct ca_grid_product){f, n, f, ca_grid_turned(dw), head_of(a, a->qkv, 0, h), head_of(a, a->dqkv, d, h), 1});
}

/* ---- layer norm, of the vector of each field ---- */

/* y = norm(y + x): normed = (y + x - mean) / deviation, y = normed gamma + beta. Sums in the order of ca_sum. */
CA_CLONES static void norm(const struct attention *a)
{
    size_t f = a->f, d = a->d;

    for (size_t i = 0; i < f; i++) {
        ca_real part[CA_LANES * CA_LANES] = {0}, mean[CA_LANES], inv[CA_LANES];

        for (size_t e = 0; e < d; e++) {
            ca_lanes x = CA_GET(a->y, e * f + i) + CA_GET(a->x, e * f + i);

            CA_AT(a->normed, e * f + i) = x;
            CA_AT(part, e % CA_LANES) += x;
        }
        ca_join_square(part, mean);
        CA_AT(mean, 0) /= (ca_real)d;
        memset(part, 0, sizeof part);
        for (size_t e = 0; e < d; e++) {
            ca_lanes x = CA_GET(a->normed, e * f + i) - CA_GET(mean, 0);

            CA_AT(a->normed, e * f + i) = x;
            CA_AT(part, e % CA_LANES) += x * x;
        }
        ca_join_square(part, inv);
        for (size_t l = 0; l < CA_LANES; l++)
            inv[l] = 1 / (ca_real)sqrt(inv[l] / (ca_real)d + (ca_real)CA_LAYER_NORM_EPS);
        CA_AT(a->inv, i) = CA_GET(inv, 0);
        for (size_t e = 0; e < d; e++) {
            ca_lanes x = CA_GET(a->normed, e * f + i) * CA_GET(inv, 0);

            CA_AT(a->normed, e * f + i) = x;
            CA_AT(a->y, e * f + i) = x * a->gamma[e] + a->beta[e];
        }
    }
}

/* y, the gradient of what norm gives, becomes that of the sum: u = dy gamma, (u - mean(u) - xh mean(u xh)) / deviation */
CA_CLONES static void norm_back(const struct attention *a)
{
    size_t f = a->f, d = a->d;

    for (size_t e = 0; e < d; e++) {
        ca_lanes dgamma = CA_GET(a->dnorm, e), dbeta = CA_GET(a->dnorm, d + e);

        for (size_t i = 0; i < f; i++) {
            ca_lanes dy = CA_GET(a->y, e * f + i);

            dgamma += dy * CA_GET(a->normed, e * f + i);
            dbeta += dy;
            CA_AT(a->y, e * f + i) = dy * a->gamma[e];
        }
        CA_AT(a->dnorm, e) = dgamma;
        CA_AT(a->dnorm, d + e) = dbeta;
    }
    for (size_t i = 0; i < f; i++) {
        ca_real u[CA_LANES * CA_LANES] = {0}, uxh[CA_LANES * CA_LANES] = {0}, mu[CA_LANES], muxh[CA_LANES];

        for (size_t e = 0; e < d; e++) {
            CA_AT(u, e % CA_LANES) += CA_GET(a->y, e * f + i);
            CA_AT(uxh, e % CA_LANES) += CA_GET(a->y, e * f + i) * CA_GET(a->normed, e * f + i);
        }
        ca_join_square(u, mu);
        ca_join_square(uxh, muxh);
        CA_AT(mu, 0) /= (ca_real)d;
        CA_AT(muxh, 0) /= (ca_real)d;
        for (size_t e = 0; e < d; e++)
            CA_AT(a->y, e * f + i) = CA_GET(a->inv, i) * (CA_GET(a->y, e * f + i) - CA_GET(mu, 0) -
                                                         CA_GET(a->normed, e * f + i) * CA_GET(muxh, 0));
    }
}

/* ---- the whole ---- */

static size_t piece_rows(const struct ca_ctx *c, size_t r)
{
    return c->rows - r < CA_LANES ? c->rows - r : CA_LANES;
}

static void attention_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct attention a = view(op, c);
    size_t f = a.f, d = a.d;

    for (size_t r = 0; r < c->rows; r += CA_LANES, next_piece(&a)) {
        size_t rows = piece_rows(c, r);
        const ca_real *y = a.given;

        from_rows(rows, f, a.in, c->in[0].p + r * c->in[0].ld, c->in[0].ld, a.x);
        project(f, 3 * d, a.in_cols, a.in_all, a.in_cols, 1, a.x, a.qkv, 0);
        for (size_t h = 0; h < a.heads; h++)
            head_forward(&a, h);
        if (a.w_out) {
            for (size_t i = 0; i < f * CA_LANES; i++)
                a.given[d * f * CA_LANES + i] = 1;
            project(f, d, a.out_cols, a.out_all, a.out_cols, 1, a.given, a.y, 0);
            y = a.y;
        }
        if (a.norm)
            norm(&a);
        to_rows(rows, f, d, y, c->out.p + r * c->out.ld, c->out.ld, 0);
    }
}

/* sums(m, n) += sum of x[m, F] y[n, F] over the fields */
static void add_outer(const struct attention *a, size_t m, size_t n, ca_real *x, ca_real *y, ca_real *sums)
{
    ca_grid_product_add(&(struct ca_grid_product){m, n, a->f, {x, a->f, 1}, {y, 1, a->f}, {sums, n, 1}, 1});
}

/* dw(rows, cols) and db(rows), if there is one, += the sums of all lanes */
CA_CLONES static void join_outer(size_t rows, size_t cols, const ca_real *sums, ca_real *dw, ca_real *db)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < cols + (db != NULL); k++, sums += CA_LANES) {
            ca_lanes sum = CA_GET(sums, 0);

            *(k < cols ? &dw[r * cols + k] : &db[r]) += ca_join(&sum);
        }
    }
}

static void attention_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct attention a = view(op, c);
    size_t f = a.f, d = a.d;

    memset(a.din_all, 0, (3 * d * a.in_cols + d * a.out_cols + 2 * d) * CA_LANES * sizeof *a.din_all);
    for (size_t r = 0; r < c->rows; r += CA_LANES, next_piece(&a)) {
        size_t rows = piece_rows(c, r);

        from_rows(rows, f, d, c->dout.p + r * c->dout.ld, c->dout.ld, a.y);
        if (a.norm)
            norm_back(&a);
        if (a.w_out)
            project(f, d, d, a.w_out, 1, d, a.y, a.dgiven, 0);
        for (size_t h = 0; h < a.heads; h++)
            head_back(&a, h, a.w_out ? a.dgiven : a.y);
        if (c->dparam) {
            from_rows(rows, f, a.in, c->in[0].p + r * c->in[0].ld, c->in[0].ld, a.x);
            add_outer(&a, 3 * d, a.in_cols, a.dqkv, a.x, a.din_all);
            if (a.w_out)
                add_outer(&a, d, a.out_cols, a.y, a.given, a.dout_all);
        }
        if (c->din[0].p) {
            ca_real *dx = a.norm ? a.y : a.dx; /* the sum that is normed hands its gradient on */

            project(f, a.in, 3 * d, a.w_in, 1, a.in, a.dqkv, dx, a.norm);
            to_rows(rows, f, a.in, dx, c->din[0].p + r * c->din[0].ld, c->din[0].ld, !c->fresh);
        }
    }
    if (c->dparam) {
        join_outer(3 * d, a.in, a.din_all, c->dparam + op->param_at[0],
                   a.w_out ? c->dparam + op->param_at[1] : NULL);
        if (a.w_out)
            join_outer(d, d, a.dout_all, c->dparam + op->param_at[2], c->dparam + op->param_at[3]);
        if (a.norm) {
            join_outer(d, 1, a.dnorm, c->dparam + op->param_at[4], NULL);
            join_outer(d, 1, a.dnorm + d * CA_LANES, c->dparam + op->param_at[5], NULL);
        }
    }
}

static uint64_t attention_flops(const struct ca_op *op)
{
    uint64_t f = op->attr[AT_FIELDS], d = op->attr[AT_WIDTH];

    return 6 * f * op->attr[AT_IN] * d + (op->n_params > 1 ? 2 * f * d * d : 0) + 4 * f * f * d +
           (op->n_params > 4 ? 8 * f * d : 0);
}

static const struct ca_op_type attention_type = {"attention", attention_forward, attention_backward, attention_flops, 1};

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
    struct attention sized;

    if (!heads || d % heads)
        ca_graph_refuse(g, "the width of attention is not a multiple of the number of its heads");
    op->type = &attention_type;
    op->n_in = 1;
    op->out_width = f * d;
    /* what is not kept is spread over the rows of a chunk */
    sized = sizes(op);
    op->scratch_per_row = kept_per_row(&sized) + piece_size(&sized) / CA_CHUNK_ROWS_LEAST + 1;
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

ca_val ca_op_attention_layer(struct ca_graph *g, ca_val v, size_t first, size_t fields, size_t heads, const char *name)
{
    size_t d = fields ? ca_graph_width(g, v) / fields : 0;
    struct ca_op op = {.n_params = 6, .attr = {fields, d, heads, d, 1}};

    for (size_t i = 0; i < 4; i++)
        op.param[i] = first + i;
    op.param[4] = ca_graph_param_of(g, name, "weight", d, 0, (struct ca_init_rule){CA_INIT_ONE, 0});
    op.param[5] = ca_graph_param_of(g, name, "bias", d, 0, (struct ca_init_rule){CA_INIT_ZERO, 0});
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
