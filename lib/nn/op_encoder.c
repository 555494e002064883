/*
 * Transformer encoder layer, one row at a time. What lies between input and
 * output of a layer is many times as wide as they are, so backward makes it
 * anew from the input instead of finding it: every chunk of a batch may be
 * waiting for the others at that time, and each would have to keep it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/lanes.h"
#include "nn/mask.h"
#include "nn/ops_contrast.h"

#include "base/banned.h"

enum { SETS, FIELDS, WIDTH, HEADS, HIDDEN }; /* attr */
enum { SHARE };                              /* number */
#define NORM_EPS 1e-5

/* Parameters, which lie one behind another, as distances from the first. */
struct places {
    size_t w_in, b_in, w_out, b_out, w1, b1, w2, b2, gain1, shift1, gain2, shift2;
};

static struct places places(size_t d, size_t hidden)
{
    struct places p = {0};

    p.b_in = p.w_in + 3 * d * d;
    p.w_out = p.b_in + 3 * d;
    p.b_out = p.w_out + d * d;
    p.w1 = p.b_out + d;
    p.b1 = p.w1 + hidden * d;
    p.w2 = p.b1 + hidden;
    p.b2 = p.w2 + d * hidden;
    p.gain1 = p.b2 + d;
    p.shift1 = p.gain1 + d;
    p.gain2 = p.shift1 + d;
    p.shift2 = p.gain2 + d;
    return p;
}

/* One row: n = sets * fields vectors. All in scratch. */
struct layer {
    size_t sets, f, n, d, heads, head, hidden;
    struct places at;
    const ca_real *w;                 /* parameters */
    struct ca_mask mask;
    int drops;
    ca_real *qkv;                     /* [n, 3d] */
    ca_real *weight;                  /* [sets, heads, F, F] after the softmax */
    ca_real *given;                   /* [n, d] what the heads give */
    ca_real *x1, *rate1, *y1;         /* normed [n, d], [n]; after gain and shift [n, d] */
    ca_real *inner;                   /* [n, hidden] after ReLU and mask */
    ca_real *x2, *rate2;              /* of the second norm */
    ca_real *kept;                    /* [F, F] weights after the mask */
    ca_real *dweight;                 /* [F, F] */
    ca_real *dqkv, *dinner, *du, *dy; /* [n, 3d], [n, hidden], [n, d], [n, d] */
};

static size_t scratch_size(const struct ca_op *op)
{
    size_t f = op->attr[FIELDS], n = op->attr[SETS] * f, d = op->attr[WIDTH];

    return n * (3 * d + 4 * d + 2 + op->attr[HIDDEN]) + op->attr[SETS] * op->attr[HEADS] * f * f + 2 * f * f +
           n * (3 * d + op->attr[HIDDEN] + 2 * d);
}

static struct layer view(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[FIELDS], d = op->attr[WIDTH], heads = op->attr[HEADS], hidden = op->attr[HIDDEN];
    struct layer e = {.sets = op->attr[SETS], .f = f, .n = op->attr[SETS] * f, .d = d, .heads = heads,
                      .head = d / heads, .hidden = hidden, .at = places(d, hidden),
                      .w = c->param + op->param_at[0], .drops = c->training && op->number[SHARE] > 0};
    ca_real *p = c->scratch;

    e.qkv = p;
    e.given = p += e.n * 3 * d;
    e.x1 = p += e.n * d;
    e.y1 = p += e.n * d;
    e.x2 = p += e.n * d;
    e.rate1 = p += e.n * d;
    e.rate2 = p += e.n;
    e.inner = p += e.n;
    e.weight = p += e.n * hidden;
    e.kept = p += e.sets * heads * f * f;
    e.dweight = p += f * f;
    e.dqkv = p += f * f;
    e.dinner = p += e.n * 3 * d;
    e.du = p += e.n * hidden;
    e.dy = p + e.n * d;
    return e;
}

/* Elements of the row's mask: those of the weights first, then of attention, of the hidden layer, of its output. */
static uint32_t mask_of_attention(const struct layer *e)
{
    return (uint32_t)(e->sets * e->heads * e->f * e->f);
}

static uint32_t mask_of_inner(const struct layer *e)
{
    return mask_of_attention(e) + (uint32_t)(e->n * e->d);
}

static uint32_t mask_of_output(const struct layer *e)
{
    return mask_of_inner(e) + (uint32_t)(e->n * e->hidden);
}

/* y = x masked from element `from` on; y may be x. */
CA_INLINE void masked(const struct layer *e, uint32_t from, size_t n, const ca_real *x, ca_real *y)
{
    if (!e->drops) {
        if (y != x)
            memcpy(y, x, n * sizeof *y);
        return;
    }
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * ca_mask_factor(&e->mask, from + (uint32_t)i);
}

/* y(n, out) = x(n, in) W^T + b */
CA_INLINE void linear(size_t n, size_t in, size_t out, const ca_real *x, const ca_real *w, const ca_real *b, ca_real *y)
{
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * out, b, out * sizeof *y);
    ca_gemm_nt(n, out, in, x, in, w, in, 1, y, out);
}

/* x = x + u, normed without gain and shift */
CA_INLINE void add_and_norm(size_t n, size_t d, const ca_real *u, ca_real *x, ca_real *rate)
{
    for (size_t i = 0; i < n; i++, x += d, u += d) {
        ca_real mean, variance;

        for (size_t k = 0; k < d; k++)
            x[k] += u[k];
        mean = ca_sum(d, x) / (ca_real)d;
        for (size_t k = 0; k < d; k++)
            x[k] -= mean;
        variance = ca_dot(d, x, x) / (ca_real)d;
        rate[i] = (ca_real)(1 / sqrt((double)variance + NORM_EPS));
        for (size_t k = 0; k < d; k++)
            x[k] *= rate[i];
    }
}

CA_INLINE void gain_and_shift(size_t n, size_t d, const ca_real *x, const ca_real *gain, const ca_real *shift, ca_real *y)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++)
            y[i * d + k] = x[i * d + k] * gain[k] + shift[k];
}

CA_INLINE void softmax(size_t n, ca_real scale, ca_real *a)
{
    ca_real most = a[0] * scale, sum = 0;

    for (size_t i = 0; i < n; i++) {
        a[i] *= scale;
        most = a[i] > most ? a[i] : most;
    }
    for (size_t i = 0; i < n; i++) {
        a[i] = ca_exp(a[i] - most);
        sum += a[i];
    }
    for (size_t i = 0; i < n; i++)
        a[i] /= sum;
}

/* Queries, keys, values and weights of a head of a set. */
struct head {
    const ca_real *q, *k, *v;
    ca_real *weight;
    uint32_t mask; /* first element of its weights */
    size_t to;     /* where its columns begin in [n, d] */
};

static struct head head_of(const struct layer *e, size_t set, size_t h)
{
    size_t at = set * e->f * 3 * e->d + h * e->head, first = (set * e->heads + h) * e->f * e->f;

    return (struct head){e->qkv + at, e->qkv + at + e->d, e->qkv + at + 2 * e->d, e->weight + first, (uint32_t)first,
                         set * e->f * e->d + h * e->head};
}

CA_INLINE ca_real score_scale(const struct layer *e)
{
    return (ca_real)(1 / sqrt((double)e->head));
}

/* From the row x to the output of the layer. */
CA_CLONES static void encode(const struct layer *e, const ca_real *x, ca_real *y)
{
    size_t n = e->n, d = e->d, f = e->f, three = 3 * d;

    linear(n, d, three, x, e->w + e->at.w_in, e->w + e->at.b_in, e->qkv);
    for (size_t s = 0; s < e->sets; s++)
        for (size_t h = 0; h < e->heads; h++) {
            struct head a = head_of(e, s, h);

            ca_gemm_nt(f, f, e->head, a.q, three, a.k, three, 0, a.weight, f);
            for (size_t i = 0; i < f; i++)
                softmax(f, score_scale(e), a.weight + i * f);
            masked(e, a.mask, f * f, a.weight, e->kept);
            ca_gemm_nn(f, e->head, f, e->kept, f, a.v, three, 0, e->given + a.to, d);
        }
    linear(n, d, d, e->given, e->w + e->at.w_out, e->w + e->at.b_out, e->x1);
    masked(e, mask_of_attention(e), n * d, e->x1, e->x1);
    add_and_norm(n, d, x, e->x1, e->rate1);
    gain_and_shift(n, d, e->x1, e->w + e->at.gain1, e->w + e->at.shift1, e->y1);
    linear(n, d, e->hidden, e->y1, e->w + e->at.w1, e->w + e->at.b1, e->inner);
    for (size_t i = 0; i < n * e->hidden; i++)
        e->inner[i] = e->inner[i] > 0 ? e->inner[i] : 0;
    masked(e, mask_of_inner(e), n * e->hidden, e->inner, e->inner);
    linear(n, e->hidden, d, e->inner, e->w + e->at.w2, e->w + e->at.b2, e->x2);
    masked(e, mask_of_output(e), n * d, e->x2, e->x2);
    add_and_norm(n, d, e->y1, e->x2, e->rate2);
    gain_and_shift(n, d, e->x2, e->w + e->at.gain2, e->w + e->at.shift2, y);
}

/* du(n, d) of the sum that was normed, from dy after gain and shift; parameters when dgain. */
CA_INLINE void norm_back(size_t n, size_t d, const ca_real *x, const ca_real *rate, const ca_real *gain, const ca_real *dy,
                         ca_real *dgain, ca_real *dshift, ca_real *du)
{
    for (size_t i = 0; i < n; i++, x += d, dy += d, du += d) {
        ca_real mean = 0, product = 0;

        for (size_t k = 0; k < d; k++) {
            du[k] = dy[k] * gain[k];
            mean += du[k];
            product += du[k] * x[k];
        }
        if (dgain) {
            for (size_t k = 0; k < d; k++)
                dgain[k] += dy[k] * x[k];
            ca_add(d, dy, dshift);
        }
        for (size_t k = 0; k < d; k++)
            du[k] = rate[i] * (du[k] - mean / (ca_real)d - x[k] * product / (ca_real)d);
    }
}

/* dW += dy^T x, db += sums of dy; dx(n, in) = beta dx + dy W */
CA_INLINE void linear_back(size_t n, size_t in, size_t out, const ca_real *x, const ca_real *w, const ca_real *dy,
                           ca_real *dw, ca_real *db, ca_real beta, ca_real *dx)
{
    if (dw) {
        ca_gemm_tn(out, in, n, dy, out, x, in, 1, dw, in);
        ca_sum_rows(n, out, dy, out, db);
    }
    ca_gemm_nn(n, in, out, dy, out, w, in, beta, dx, in);
}

/* From what the heads gave, du, to dqkv. */
CA_INLINE void heads_back(const struct layer *e)
{
    size_t d = e->d, f = e->f, three = 3 * d;

    for (size_t s = 0; s < e->sets; s++)
        for (size_t h = 0; h < e->heads; h++) {
            struct head a = head_of(e, s, h);
            ca_real *dq = e->dqkv + (a.q - e->qkv), *dgiven = e->dy + a.to;

            masked(e, a.mask, f * f, a.weight, e->kept);
            ca_gemm_nt(f, f, e->head, dgiven, d, a.v, three, 0, e->dweight, f);
            ca_gemm_tn(f, e->head, f, e->kept, f, dgiven, d, 0, dq + 2 * d, three);
            masked(e, a.mask, f * f, e->dweight, e->dweight);
            for (size_t i = 0; i < f; i++) {
                ca_real *dw = e->dweight + i * f, *w = a.weight + i * f, sum = ca_dot(f, dw, w);

                for (size_t j = 0; j < f; j++)
                    dw[j] = w[j] * (dw[j] - sum) * score_scale(e);
            }
            ca_gemm_nn(f, e->head, f, e->dweight, f, a.k, three, 0, dq, three);
            ca_gemm_tn(f, e->head, f, e->dweight, f, a.q, three, 0, dq + d, three);
        }
}

/* Gradients of parameters to dw (NULL: not wanted), of the row to dx, added. The row was encoded just before. */
CA_CLONES static void decode(const struct layer *e, const ca_real *x, const ca_real *dout, ca_real *dw, ca_real *dx)
{
    size_t n = e->n, d = e->d;
#define TO(part) (dw ? dw + e->at.part : NULL)

    norm_back(n, d, e->x2, e->rate2, e->w + e->at.gain2, dout, TO(gain2), TO(shift2), e->du);
    masked(e, mask_of_output(e), n * d, e->du, e->dy);
    linear_back(n, e->hidden, d, e->inner, e->w + e->at.w2, e->dy, TO(w2), TO(b2), 0, e->dinner);
    masked(e, mask_of_inner(e), n * e->hidden, e->dinner, e->dinner);
    for (size_t i = 0; i < n * e->hidden; i++)
        e->dinner[i] = e->inner[i] > 0 ? e->dinner[i] : 0;
    memcpy(e->dy, e->du, n * d * sizeof *e->dy);
    linear_back(n, d, e->hidden, e->y1, e->w + e->at.w1, e->dinner, TO(w1), TO(b1), 1, e->dy);
    norm_back(n, d, e->x1, e->rate1, e->w + e->at.gain1, e->dy, TO(gain1), TO(shift1), e->du);
    for (size_t i = 0; dx && i < n * d; i++)
        dx[i] += e->du[i];
    masked(e, mask_of_attention(e), n * d, e->du, e->du);
    linear_back(n, d, d, e->given, e->w + e->at.w_out, e->du, TO(w_out), TO(b_out), 0, e->dy);
    heads_back(e);
    linear_back(n, d, 3 * d, x, e->w + e->at.w_in, e->dqkv, TO(w_in), TO(b_in), 0, e->du);
    for (size_t i = 0; dx && i < n * d; i++)
        dx[i] += e->du[i];
#undef TO
}

static void encoder_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct layer e = view(op, c);

    for (size_t r = 0; r < c->rows; r++) {
        e.mask = ca_mask_of(c->key, c->first + r, op->number[SHARE]);
        encode(&e, c->in[0].p + r * c->in[0].ld, c->out.p + r * c->out.ld);
    }
}

static void encoder_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct layer e = view(op, c);

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *x = c->in[0].p + r * c->in[0].ld;

        e.mask = ca_mask_of(c->key, c->first + r, op->number[SHARE]);
        encode(&e, x, e.du);
        decode(&e, x, c->dout.p + r * c->dout.ld, c->dparam ? c->dparam + op->param_at[0] : NULL,
               c->din[0].p ? c->din[0].p + r * c->din[0].ld : NULL);
    }
}

static uint64_t encoder_flops(const struct ca_op *op)
{
    uint64_t f = op->attr[FIELDS], d = op->attr[WIDTH];

    return op->attr[SETS] * (8 * f * d * d + 4 * f * f * d + 4 * f * d * op->attr[HIDDEN]);
}

static const struct ca_op_type encoder = {.name = "encoder layer", .forward = encoder_forward,
                                          .backward = encoder_backward, .flops = encoder_flops};

/* In the order of struct places. PyTorch's attention starts in ways of its own, whatever the family. */
static size_t params(struct ca_graph *g, const char *name, size_t d, size_t hidden)
{
    const struct ca_init_rule zero = {CA_INIT_ZERO, 0}, one = {CA_INIT_ONE, 0};
    const struct ca_init_rule xavier = {CA_INIT_UNIFORM, sqrt(6 / (4 * (double)(d ? d : 1)))};
    const struct ca_init_rule uniform = {CA_INIT_UNIFORM, 1 / sqrt((double)(d ? d : 1))};
    size_t first = ca_graph_param_of(g, name, "self_attn.in_proj_weight", 3 * d, d, xavier);

    (void)ca_graph_param_of(g, name, "self_attn.in_proj_bias", 3 * d, 0, zero);
    (void)ca_graph_param_of(g, name, "self_attn.out_proj.weight", d, d, uniform);
    (void)ca_graph_param_of(g, name, "self_attn.out_proj.bias", d, 0, zero);
    (void)ca_graph_param_of(g, name, "linear1.weight", hidden, d, ca_graph_weight_init(g, d, hidden));
    (void)ca_graph_param_of(g, name, "linear1.bias", hidden, 0, ca_graph_bias_init(g, d));
    (void)ca_graph_param_of(g, name, "linear2.weight", d, hidden, ca_graph_weight_init(g, hidden, d));
    (void)ca_graph_param_of(g, name, "linear2.bias", d, 0, ca_graph_bias_init(g, hidden));
    (void)ca_graph_param_of(g, name, "norm1.weight", d, 0, one);
    (void)ca_graph_param_of(g, name, "norm1.bias", d, 0, zero);
    (void)ca_graph_param_of(g, name, "norm2.weight", d, 0, one);
    (void)ca_graph_param_of(g, name, "norm2.bias", d, 0, zero);
    return first;
}

ca_val ca_op_encoder_layer(struct ca_graph *g, ca_val x, const char *name, const struct ca_encoder_shape *shape)
{
    size_t n = shape->sets * shape->fields, width = ca_graph_width(g, x), d = n ? width / n : 0;
    struct ca_op op = {.type = &encoder, .n_in = 1, .out_width = width, .n_params = 1, .number = {shape->drop},
                       .attr = {shape->sets, shape->fields, d, shape->heads, shape->hidden}};

    if (!shape->heads || d % shape->heads || !n || width % n)
        ca_graph_refuse(g, "the width of an encoder layer is not a multiple of the number of its heads");
    if (!(shape->drop < 1))
        ca_graph_refuse(g, "the share that dropout drops must be below 1");
    op.param[0] = params(g, name, d, shape->hidden);
    op.scratch_per_row = scratch_size(&op) / CA_CHUNK_ROWS_LEAST + 1;
    return ca_graph_add(g, &op, &x);
}
