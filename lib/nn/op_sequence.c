/* Attention over the places of a sequence: within it, and from a target to it. */
#include <math.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/lanes.h"
#include "nn/mask.h"
#include "nn/ops_sequence.h"

#include "base/banned.h"

#define TAKEN_OUT ((ca_real)-1e9) /* the score of a masked place, as the reference implementation has it */

/* a[0..n) becomes its softmax; masked scores of -1e9 beside others become 0, and equal shares among themselves. */
CA_INLINE void softmax(size_t n, ca_real *a)
{
    ca_real most = a[0], sum = 0;

    for (size_t i = 1; i < n; i++)
        most = a[i] > most ? a[i] : most;
    for (size_t i = 0; i < n; i++) {
        a[i] = a[i] - most < -80 ? 0 : ca_exp(a[i] - most);
        sum += a[i];
    }
    for (size_t i = 0; i < n; i++)
        a[i] /= sum;
}

/* ---- causal self-attention: in 0 qkv, in 1 mask ---- */

enum { PLACES, WIDTH, HEADS, ADD_ONE }; /* attr */
enum { DROPOUT };                       /* number */

/* Scratch of a row: weights of each head after the softmax [H L L], and room for their gradient [L L]. */
static ca_real *row_weights(const struct ca_op *op, const struct ca_ctx *c, size_t row)
{
    return c->scratch + row * op->scratch_per_row;
}

/* Does place i see place j? */
static int seen(const ca_real *mask, size_t i, size_t j)
{
    return j <= i && (mask[j] != 0 || i == j);
}

CA_INLINE void mask_scores(const struct ca_op *op, const ca_real *mask, ca_real *s)
{
    size_t n = op->attr[PLACES];
    ca_real scale = 1 / (ca_real)sqrt((double)(op->attr[WIDTH] / op->attr[HEADS]));

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            ca_real x = s[i * n + j] * scale;
            s[i * n + j] = seen(mask, i, j) ? x : op->attr[ADD_ONE] ? x + 1 : TAKEN_OUT;
        }
}

/* to = weights with the dropout of this pass */
static void dropped(const struct ca_op *op, const struct ca_ctx *c, size_t row, size_t head, const ca_real *weight,
                    ca_real *to)
{
    size_t n = op->attr[PLACES] * op->attr[PLACES];
    struct ca_mask m = ca_mask_of(c->key, c->first + row, op->number[DROPOUT]);

    for (size_t i = 0; i < n; i++)
        to[i] = weight[i] * ca_mask_factor(&m, (uint32_t)(head * n + i));
}

static int drops(const struct ca_op *op, const struct ca_ctx *c)
{
    return c->training && op->number[DROPOUT] > 0;
}

CA_CLONES static void attention_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], m = op->attr[WIDTH], heads = op->attr[HEADS], head = m / heads;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *qkv = c->in[0].p + r * c->in[0].ld, *mask = c->in[1].p + r * c->in[1].ld;
        ca_real *weight = row_weights(op, c, r), *room = weight + heads * n * n, *out = c->out.p + r * c->out.ld;

        for (size_t h = 0; h < heads; h++, weight += n * n) {
            const ca_real *used = weight;

            ca_gemm_nt(n, n, head, qkv + h * head, 3 * m, qkv + m + h * head, 3 * m, 0, weight, n);
            mask_scores(op, mask, weight);
            for (size_t i = 0; i < n; i++)
                softmax(n, weight + i * n);
            if (drops(op, c)) {
                dropped(op, c, r, h, weight, room);
                used = room;
            }
            ca_gemm_nn(n, head, n, used, n, qkv + 2 * m + h * head, 3 * m, 0, out + h * head, m);
        }
    }
}

/* dP = dO V^T through the mask, dS = P (dP - sum_j P dP) where the place is seen (everywhere, when 1 is only added) */
CA_INLINE void score_gradient(const struct ca_op *op, const ca_real *mask, const ca_real *weight, ca_real *d)
{
    size_t n = op->attr[PLACES];
    ca_real scale = 1 / (ca_real)sqrt((double)(op->attr[WIDTH] / op->attr[HEADS]));

    for (size_t i = 0; i < n; i++) {
        ca_real sum = ca_dot(n, weight + i * n, d + i * n);

        for (size_t j = 0; j < n; j++)
            d[i * n + j] = op->attr[ADD_ONE] || seen(mask, i, j) ? weight[i * n + j] * (d[i * n + j] - sum) * scale : 0;
    }
}

CA_CLONES static void attention_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], m = op->attr[WIDTH], heads = op->attr[HEADS], head = m / heads;

    for (size_t r = 0; c->din[0].p && r < c->rows; r++) {
        const ca_real *qkv = c->in[0].p + r * c->in[0].ld, *mask = c->in[1].p + r * c->in[1].ld;
        const ca_real *dout = c->dout.p + r * c->dout.ld;
        ca_real *weight = row_weights(op, c, r), *room = weight + heads * n * n, *d = c->din[0].p + r * c->din[0].ld;

        for (size_t h = 0; h < heads; h++, weight += n * n) {
            const ca_real *used = weight;

            if (drops(op, c)) {
                dropped(op, c, r, h, weight, room);
                used = room;
            }
            ca_gemm_tn(n, head, n, used, n, dout + h * head, m, 1, d + 2 * m + h * head, 3 * m);
            ca_gemm_nt(n, n, head, dout + h * head, m, qkv + 2 * m + h * head, 3 * m, 0, room, n);
            if (drops(op, c))
                dropped(op, c, r, h, room, room);
            score_gradient(op, mask, weight, room);
            ca_gemm_nn(n, head, n, room, n, qkv + m + h * head, 3 * m, 1, d + h * head, 3 * m);
            ca_gemm_tn(n, head, n, room, n, qkv + h * head, 3 * m, 1, d + m + h * head, 3 * m);
        }
    }
}

static uint64_t attention_flops(const struct ca_op *op)
{
    return 4 * (uint64_t)op->attr[PLACES] * op->attr[PLACES] * op->attr[WIDTH];
}

static const struct ca_op_type attention_type = {.name = "sequence attention", .forward = attention_forward,
                                                 .backward = attention_backward, .flops = attention_flops};

ca_val ca_op_sequence_attention(struct ca_graph *g, ca_val qkv, ca_val mask, const struct ca_sequence_attention *how)
{
    size_t n = how->places ? how->places : 1, m = ca_graph_width(g, qkv) / (3 * n);
    ca_val in[2] = {qkv, mask};
    struct ca_op op = {.type = &attention_type, .n_in = 2, .out_width = n * m,
                       .attr = {n, m, how->heads, how->add_one != 0}, .number = {how->dropout},
                       .scratch_per_row = (how->heads + 1) * n * n};

    if (ca_graph_width(g, qkv) % (3 * n) || ca_graph_width(g, mask) != n)
        ca_graph_refuse(g, "attention over places: widths do not fit their number");
    if (!how->heads || m % how->heads)
        ca_graph_refuse(g, "the width of attention is not a multiple of the number of its heads");
    return ca_graph_add(g, &op, in);
}

/* ---- a vector at every place: param 0 [L, p] ---- */

CA_CLONES static void at_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], m = op->in_width[0], wide = op->out_width / n, p = wide - m;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < n; i++) {
            ca_real *y = c->out.p + r * c->out.ld + i * wide;

            memcpy(y, c->in[0].p + r * c->in[0].ld, m * sizeof *y);
            if (p)
                memcpy(y + m, c->param + op->param_at[0] + i * p, p * sizeof *y);
        }
}

CA_CLONES static void at_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], m = op->in_width[0], wide = op->out_width / n, p = wide - m;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < n; i++) {
            const ca_real *dy = c->dout.p + r * c->dout.ld + i * wide;

            if (c->din[0].p)
                ca_add(m, dy, c->din[0].p + r * c->din[0].ld);
            if (p && c->dparam)
                ca_add(p, dy + m, c->dparam + op->param_at[0] + i * p);
        }
}

static const struct ca_op_type at_type = {.name = "at places", .forward = at_forward, .backward = at_backward};

ca_val ca_op_at_places(struct ca_graph *g, ca_val x, const char *name, size_t places, size_t p)
{
    struct ca_op op = {.type = &at_type, .n_in = 1, .out_width = places * (ca_graph_width(g, x) + p), .attr = {places}};
    const size_t dim[3] = {places, p, 1};

    if (p)
        op.param[op.n_params++] = ca_graph_param(g, name, 2, dim, (struct ca_init_rule){CA_INIT_ZERO, 0});
    return ca_graph_add(g, &op, &x);
}

/* ---- ranges of places, and places side by side ---- */

enum { FROM = 1 };

static void range_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], in = op->in_width[0] / n, out = op->out_width / n;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < n; i++)
            memcpy(c->out.p + r * c->out.ld + i * out, c->in[0].p + r * c->in[0].ld + i * in + op->attr[FROM],
                   out * sizeof(ca_real));
}

CA_CLONES static void range_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], in = op->in_width[0] / n, out = op->out_width / n;

    for (size_t r = 0; c->din[0].p && r < c->rows; r++)
        for (size_t i = 0; i < n; i++)
            ca_add(out, c->dout.p + r * c->dout.ld + i * out, c->din[0].p + r * c->din[0].ld + i * in + op->attr[FROM]);
}

static const struct ca_op_type range_type = {.name = "range of places", .forward = range_forward, .backward = range_backward};

ca_val ca_op_range_of_places(struct ca_graph *g, ca_val x, size_t places, size_t from, size_t n)
{
    size_t width = places ? ca_graph_width(g, x) / places : 0;
    struct ca_op op = {.type = &range_type, .n_in = 1, .out_width = places * n, .attr = {places, from}};

    if (!places || ca_graph_width(g, x) % places || from > width || n > width - from)
        ca_graph_refuse(g, "a range of places lies outside them");
    return ca_graph_add(g, &op, &x);
}

static void join_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], out = op->out_width / n;

    for (size_t k = 0, at = 0; k < op->n_in; at += op->in_width[k] / n, k++)
        for (size_t r = 0; r < c->rows; r++)
            for (size_t i = 0; i < n; i++)
                memcpy(c->out.p + r * c->out.ld + i * out + at, c->in[k].p + r * c->in[k].ld + i * (op->in_width[k] / n),
                       op->in_width[k] / n * sizeof(ca_real));
}

CA_CLONES static void join_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], out = op->out_width / n;

    for (size_t k = 0, at = 0; k < op->n_in; at += op->in_width[k] / n, k++)
        for (size_t r = 0; c->din[k].p && r < c->rows; r++)
            for (size_t i = 0; i < n; i++)
                ca_add(op->in_width[k] / n, c->dout.p + r * c->dout.ld + i * out + at,
                       c->din[k].p + r * c->din[k].ld + i * (op->in_width[k] / n));
}

static const struct ca_op_type join_type = {.name = "join places", .forward = join_forward, .backward = join_backward};

ca_val ca_op_join_places(struct ca_graph *g, const ca_val *in, size_t n, size_t places)
{
    struct ca_op op = {.type = &join_type, .n_in = n, .attr = {places}};

    for (size_t k = 0; k < n; k++) {
        op.out_width += ca_graph_width(g, in[k]);
        if (!places || ca_graph_width(g, in[k]) % places)
            ca_graph_refuse(g, "places side by side: a width is no multiple of their number");
    }
    return ca_graph_add(g, &op, in);
}

/* ---- comparison ---- */

CA_CLONES static void compare_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], m = op->in_width[0] / n;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < n; i++) {
            const ca_real *restrict t = c->in[0].p + r * c->in[0].ld + i * m;
            const ca_real *restrict y = c->in[1].p + r * c->in[1].ld + i * m;
            ca_real *restrict out = c->out.p + r * c->out.ld + 4 * i * m;

            for (size_t k = 0; k < m; k++) {
                out[k] = t[k];
                out[m + k] = y[k];
                out[2 * m + k] = t[k] - y[k];
                out[3 * m + k] = t[k] * y[k];
            }
        }
}

CA_CLONES static void compare_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], m = op->in_width[0] / n;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < n; i++) {
            const ca_real *restrict t = c->in[0].p + r * c->in[0].ld + i * m;
            const ca_real *restrict y = c->in[1].p + r * c->in[1].ld + i * m;
            const ca_real *restrict d = c->dout.p + r * c->dout.ld + 4 * i * m;
            ca_real *restrict dt = c->din[0].p ? c->din[0].p + r * c->din[0].ld + i * m : NULL;
            ca_real *restrict dy = c->din[1].p ? c->din[1].p + r * c->din[1].ld + i * m : NULL;

            for (size_t k = 0; dt && k < m; k++)
                dt[k] += d[k] + d[2 * m + k] + d[3 * m + k] * y[k];
            for (size_t k = 0; dy && k < m; k++)
                dy[k] += d[m + k] - d[2 * m + k] + d[3 * m + k] * t[k];
        }
}

static uint64_t compare_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[0];
}

static const struct ca_op_type compare_type = {.name = "compare places", .forward = compare_forward,
                                               .backward = compare_backward, .flops = compare_flops};

ca_val ca_op_compare_places(struct ca_graph *g, ca_val t, ca_val y, size_t places)
{
    ca_val in[2] = {t, y};
    struct ca_op op = {.type = &compare_type, .n_in = 2, .out_width = 4 * ca_graph_width(g, t), .attr = {places}};

    if (!places || ca_graph_width(g, t) != ca_graph_width(g, y) || ca_graph_width(g, t) % places)
        ca_graph_refuse(g, "comparison of places: widths do not fit");
    return ca_graph_add(g, &op, in);
}

/* ---- attention to places: in 0 scores [L], in 1 mask [L], in 2 y [L M]; scratch: weights [L], room [L] ---- */

CA_CLONES static void attend_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], m = op->out_width;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *score = c->in[0].p + r * c->in[0].ld, *mask = c->in[1].p + r * c->in[1].ld;
        ca_real *a = c->scratch + r * 2 * n, *out = c->out.p + r * c->out.ld;

        for (size_t i = 0; i < n; i++)
            a[i] = mask[i] != 0 ? score[i] : TAKEN_OUT;
        softmax(n, a);
        memset(out, 0, m * sizeof *out);
        for (size_t i = 0; i < n; i++)
            ca_axpy(m, a[i], c->in[2].p + r * c->in[2].ld + i * m, out);
    }
}

CA_CLONES static void attend_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[PLACES], m = op->out_width;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *mask = c->in[1].p + r * c->in[1].ld, *y = c->in[2].p + r * c->in[2].ld;
        const ca_real *dout = c->dout.p + r * c->dout.ld, *a = c->scratch + r * 2 * n;
        ca_real *da = c->scratch + r * 2 * n + n, sum = 0;

        for (size_t i = 0; i < n; i++) {
            da[i] = ca_dot(m, dout, y + i * m);
            sum += a[i] * da[i];
            if (c->din[2].p)
                ca_axpy(m, a[i], dout, c->din[2].p + r * c->din[2].ld + i * m);
        }
        for (size_t i = 0; c->din[0].p && i < n; i++)
            if (mask[i] != 0)
                c->din[0].p[r * c->din[0].ld + i] += a[i] * (da[i] - sum);
    }
}

static uint64_t attend_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[2];
}

static const struct ca_op_type attend_type = {.name = "attend places", .forward = attend_forward,
                                              .backward = attend_backward, .flops = attend_flops};

ca_val ca_op_attend_places(struct ca_graph *g, ca_val score, ca_val mask, ca_val y, size_t places)
{
    ca_val in[3] = {score, mask, y};
    struct ca_op op = {.type = &attend_type, .n_in = 3, .out_width = places ? ca_graph_width(g, y) / places : 0,
                       .attr = {places}, .scratch_per_row = 2 * places};

    if (!places || ca_graph_width(g, y) % places || ca_graph_width(g, score) != places || ca_graph_width(g, mask) != places)
        ca_graph_refuse(g, "attention to places: widths do not fit their number");
    return ca_graph_add(g, &op, in);
}
