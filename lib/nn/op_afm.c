/*
 * Attention over the pairs of fields (specification: models 9). Rows run side
 * by side in pieces of CA_LANES rows; of a pair only its weight is kept, and
 * its product is never made: W (v_i v_j) is what the map W diag(v_i) makes of
 * v_j, so that all pairs of a field i are one product of small matrices
 * (nn/grid.h), and so are their gradients. That of the pooling goes with them
 * as one row more, dz diag(v_i).
 */
#include <math.h>
#include <string.h>

#include "nn/grid.h"
#include "nn/lanes.h"
#include "nn/mask.h"
#include "nn/ops.h"

#include "base/banned.h"

enum { PA_FIELDS, PA_WIDTH, PA_HIDDEN };
enum { PA_SHARE }; /* number: dropped of the weights */

#define POOLED 8 /* columns that are summed in registers */

/* Scratch: weights of the pairs, turned, kept by row [P]; the rest is of one piece, turned. */
struct pairs {
    size_t f, d, t, n_pairs;
    const ca_real *w, *b, *h;
    ca_real *weight;          /* [P] */
    ca_real *v, *dv;          /* [F, d] */
    ca_real *z, *dz, *all;    /* [d], [d], [1] */
    ca_real *a, *g;           /* maps of a field and their gradients [t + 1, d] */
    ca_real *u;               /* of the fields behind it [F, t + 1] */
    ca_real *da, *left;       /* [F] */
    ca_real *dw, *db, *dh;    /* [t, d], [t], [t]: sums of a whole chunk by lane */
    int drops;
    struct ca_mask mask[CA_LANES]; /* of the piece's rows; an element is a pair */
};

static size_t piece_per_row(size_t f, size_t d, size_t t)
{
    return 2 * f * d + 2 * d + 1 + 2 * (t + 1) * d + f * (t + 1) + 2 * f + t * d + 2 * t;
}

static struct pairs view(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[PA_FIELDS], d = op->attr[PA_WIDTH], t = op->attr[PA_HIDDEN];
    struct pairs s = {.f = f, .d = d, .t = t, .n_pairs = f * (f - 1) / 2};

    s.drops = c->training && op->number[PA_SHARE] > 0;
    s.w = c->param + op->param_at[0];
    s.b = c->param + op->param_at[1];
    s.h = c->param + op->param_at[2];
    s.v = c->scratch;
    s.dv = s.v + f * d * CA_LANES;
    s.z = s.dv + f * d * CA_LANES;
    s.dz = s.z + d * CA_LANES;
    s.all = s.dz + d * CA_LANES;
    s.a = s.all + CA_LANES;
    s.g = s.a + (t + 1) * d * CA_LANES;
    s.u = s.g + (t + 1) * d * CA_LANES;
    s.da = s.u + f * (t + 1) * CA_LANES;
    s.left = s.da + f * CA_LANES;
    s.dw = s.left + f * CA_LANES;
    s.db = s.dw + t * d * CA_LANES;
    s.dh = s.db + t * CA_LANES;
    s.weight = s.dh + t * CA_LANES;
    return s;
}

/* The masks of the rows from r on. */
static void set_masks(struct pairs *s, const struct ca_op *op, const struct ca_ctx *c, size_t r)
{
    for (size_t l = 0; s->drops && l < CA_LANES; l++)
        s->mask[l] = ca_mask_of(c->key, c->first + r + l, op->number[PA_SHARE]);
}

/* x *= the masks of a pair */
CA_INLINE void mask_pair(const struct pairs *s, size_t pair, ca_lanes *x)
{
    ca_real factor[CA_LANES];

    for (size_t l = 0; l < CA_LANES; l++)
        factor[l] = ca_mask_factor(&s->mask[l], (uint32_t)pair);
    *x *= CA_LOAD(factor);
}

/* Vectors of the n fields behind field i, and what belongs to them of gradients. */
static struct ca_grid behind(const struct pairs *s, ca_real *v, size_t i)
{
    return (struct ca_grid){v + (i + 1) * s->d * CA_LANES, s->d, 1};
}

/* The maps of field i, as many as are asked for. */
CA_CLONES static void make_maps(const struct pairs *s, size_t i, int with_sum)
{
    const ca_real *v = s->v + i * s->d * CA_LANES;

    for (size_t t = 0; t < s->t; t++)
        for (size_t k = 0; k < s->d; k++)
            CA_AT(s->a, t * s->d + k) = s->w[t * s->d + k] * CA_GET(v, k);
    for (size_t k = 0; with_sum && k < s->d; k++)
        CA_AT(s->a, s->t * s->d + k) = CA_GET(s->dz, k) * CA_GET(v, k);
}

/* u(n, maps) = what the maps of field i make of the n fields behind it */
static void apply_maps(const struct pairs *s, size_t i, size_t maps)
{
    ca_grid_product(&(struct ca_grid_product){s->f - 1 - i, maps, s->d, behind(s, s->v, i), {s->a, 1, s->d},
                                              {s->u, s->t + 1, 1}, 1});
}

/* Scores of the pairs (i, j): h . relu(u + b) */
CA_CLONES static void score(const struct pairs *s, size_t n, ca_real *weight)
{
    for (size_t j = 0; j < n; j++) {
        const ca_real *u = s->u + j * (s->t + 1) * CA_LANES;
        ca_lanes sum = {0};

        for (size_t t = 0; t < s->t; t++) {
            ca_lanes x = CA_GET(u, t) + s->b[t];
            sum += s->h[t] * CA_POSITIVE(x);
        }
        CA_AT(weight, j) = sum;
    }
}

/* e(n columns) += sum over the fields behind i of weight v_j, from k on; z += e v_i */
CA_INLINE void pool_columns(const struct pairs *s, size_t i, size_t n, size_t k, const ca_real *weight)
{
    const ca_real *v = s->v + k * CA_LANES;
    ca_lanes e[POOLED];

    CA_UNROLL
    for (size_t c = 0; c < n; c++)
        e[c] = (ca_lanes){0};
    for (size_t j = i + 1; j < s->f; j++, weight += CA_LANES) {
        CA_UNROLL
        for (size_t c = 0; c < n; c++)
            e[c] += CA_GET(weight, 0) * CA_GET(v, j * s->d + c);
    }
    CA_UNROLL
    for (size_t c = 0; c < n; c++)
        CA_AT(s->z, k + c) += e[c] * CA_GET(v, i * s->d + c);
}

/* Weights of the pairs from p on, those that dropout leaves. */
CA_INLINE const ca_real *left_weights(const struct pairs *s, size_t n, size_t p)
{
    const ca_real *weight = s->weight + p * CA_LANES;

    if (!s->drops)
        return weight;
    for (size_t j = 0; j < n; j++) {
        ca_lanes w = CA_GET(weight, j);

        mask_pair(s, p + j, &w);
        CA_AT(s->left, j) = w;
    }
    return s->left;
}

/* Scores become weights; z = sum of weight v_i v_j, the inner sum over j first. */
CA_CLONES static void pool(const struct pairs *s)
{
    ca_lanes_softmax(s->n_pairs, s->weight);
    memset(s->z, 0, s->d * CA_LANES * sizeof *s->z);
    for (size_t i = 0, p = 0; i + 1 < s->f; p += s->f - 1 - i, i++) {
        const ca_real *weight = left_weights(s, s->f - 1 - i, p);
        size_t k = 0;

        for (; k + POOLED <= s->d; k += POOLED)
            pool_columns(s, i, POOLED, k, weight);
        for (; k < s->d; k++)
            pool_columns(s, i, 1, k, weight);
    }
}

/* dz . z */
CA_CLONES static void pool_all(const struct pairs *s)
{
    ca_lanes sum = {0};

    for (size_t k = 0; k < s->d; k++)
        sum += CA_GET(s->dz, k) * CA_GET(s->z, k);
    CA_AT(s->all, 0) = sum;
}

/*
 * Of the n pairs from p on, whose u holds W e and c = dz . e: u becomes q and, for c, the weight.
 * da = weight (c - dz.z), q = da h 1[W e + b > 0]; dh += da relu(W e + b), db += q.
 */
CA_CLONES static void scores_back(const struct pairs *s, size_t n, size_t p)
{
    const ca_real *weight = s->weight + p * CA_LANES, *left = left_weights(s, n, p);
    size_t width = s->t + 1;

    for (size_t j = 0; j < n; j++) {
        ca_real *u = s->u + j * width * CA_LANES;
        ca_lanes part = CA_GET(u, s->t);

        if (s->drops)
            mask_pair(s, p + j, &part);
        CA_AT(s->da, j) = CA_GET(weight, j) * (part - CA_GET(s->all, 0));
        CA_AT(u, s->t) = CA_GET(left, j);
    }
    for (size_t t = 0; t < s->t; t++) {
        ca_lanes dh = CA_GET(s->dh, t), db = CA_GET(s->db, t);

        for (size_t j = 0; j < n; j++) {
            ca_real *u = s->u + (j * width + t) * CA_LANES;
            ca_lanes x = CA_GET(u, 0) + s->b[t], da = CA_GET(s->da, j), q = da * s->h[t];

            q = CA_WHERE_POSITIVE(x, q);
            CA_AT(u, 0) = q;
            dh += da * CA_POSITIVE(x);
            db += q;
        }
        CA_AT(s->dh, t) = dh;
        CA_AT(s->db, t) = db;
    }
}

/* From g(t + 1, d), the sums of q v_j and of weight v_j: dW += g v_i, dv_i += W^T g and dz g. */
CA_CLONES static void maps_back(const struct pairs *s, size_t i)
{
    const ca_real *v = s->v + i * s->d * CA_LANES;

    for (size_t k = 0; k < s->d; k++) {
        ca_lanes vk = CA_GET(v, k), dv = CA_GET(s->dv, i * s->d + k);

        dv += CA_GET(s->dz, k) * CA_GET(s->g, s->t * s->d + k);
        for (size_t t = 0; t < s->t; t++) {
            size_t at = t * s->d + k;
            ca_lanes g = CA_GET(s->g, at);

            dv += s->w[at] * g;
            CA_AT(s->dw, at) += g * vk;
        }
        CA_AT(s->dv, i * s->d + k) = dv;
    }
}

CA_CLONES static void turn(size_t rows, size_t n, const ca_real *x, size_t ld, ca_real *t)
{
    ca_lanes_load(rows, n, x, ld, t);
}

CA_CLONES static void add_turned(size_t rows, size_t n, const ca_real *t, ca_real *y, size_t ld)
{
    ca_lanes_add(rows, n, t, y, ld);
}

static void pair_attention_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct pairs s = view(op, c);

    for (size_t r = 0; r < c->rows; r += CA_LANES, s.weight += s.n_pairs * CA_LANES) {
        size_t rows = c->rows - r < CA_LANES ? c->rows - r : CA_LANES;

        set_masks(&s, op, c, r);
        turn(rows, s.f * s.d, c->in[0].p + r * c->in[0].ld, c->in[0].ld, s.v);
        for (size_t i = 0, p = 0; i + 1 < s.f; p += s.f - 1 - i, i++) {
            make_maps(&s, i, 0);
            apply_maps(&s, i, s.t);
            score(&s, s.f - 1 - i, s.weight + p * CA_LANES);
        }
        pool(&s);
        ca_lanes_store(rows, s.d, s.z, c->out.p + r * c->out.ld, c->out.ld);
    }
}

static void pair_attention_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct pairs s = view(op, c);
    size_t sums = s.t * (s.d + 2);

    memset(s.dw, 0, sums * CA_LANES * sizeof *s.dw);
    for (size_t r = 0; r < c->rows; r += CA_LANES, s.weight += s.n_pairs * CA_LANES) {
        size_t rows = c->rows - r < CA_LANES ? c->rows - r : CA_LANES;

        set_masks(&s, op, c, r);
        turn(rows, s.f * s.d, c->in[0].p + r * c->in[0].ld, c->in[0].ld, s.v);
        turn(rows, s.d, c->out.p + r * c->out.ld, c->out.ld, s.z);
        turn(rows, s.d, c->dout.p + r * c->dout.ld, c->dout.ld, s.dz);
        memset(s.dv, 0, s.f * s.d * CA_LANES * sizeof *s.dv);
        pool_all(&s);
        for (size_t i = 0, p = 0; i + 1 < s.f; p += s.f - 1 - i, i++) {
            size_t n = s.f - 1 - i, width = s.t + 1;

            make_maps(&s, i, 1);
            apply_maps(&s, i, width);
            scores_back(&s, n, p);
            ca_grid_product(&(struct ca_grid_product){width, s.d, n, {s.u, 1, width}, behind(&s, s.v, i),
                                                      {s.g, s.d, 1}, 1});
            ca_grid_product_add(&(struct ca_grid_product){n, s.d, width, {s.u, width, 1}, {s.a, s.d, 1},
                                                          behind(&s, s.dv, i), 1});
            maps_back(&s, i);
        }
        if (c->din[0].p)
            add_turned(rows, s.f * s.d, s.dv, c->din[0].p + r * c->din[0].ld, c->din[0].ld);
    }
    for (size_t i = 0; c->dparam && i < sums; i++) {
        ca_lanes x = CA_GET(s.dw, i);
        size_t at = i < s.t * s.d         ? op->param_at[0] + i
                    : i < s.t * (s.d + 1) ? op->param_at[1] + i - s.t * s.d
                                          : op->param_at[2] + i - s.t * (s.d + 1);
        c->dparam[at] += ca_join(&x);
    }
}

static uint64_t pair_attention_flops(const struct ca_op *op)
{
    uint64_t f = op->attr[PA_FIELDS], d = op->attr[PA_WIDTH], t = op->attr[PA_HIDDEN];

    return f * (f - 1) / 2 * (4 * d + 2 * t * d + 2 * t);
}

static const struct ca_op_type pair_attention = {"pair_attention", pair_attention_forward, pair_attention_backward,
                                                 pair_attention_flops, 0};

ca_val ca_op_pair_attention(struct ca_graph *g, ca_val v, const char *linear, const char *h, size_t fields, size_t t,
                            double drop)
{
    size_t n = ca_graph_width(g, v), d = fields ? n / fields : 0;
    struct ca_op op = {.type = &pair_attention, .n_in = 1, .out_width = d, .n_params = 3, .attr = {fields, d, t},
                       .number = {drop}};

    if (!(drop < 1))
        ca_graph_refuse(g, "the share that dropout drops must be below 1");
    op.scratch_per_row = (fields ? fields * (fields - 1) / 2 : 0) +
                         (piece_per_row(fields, d, t) * CA_LANES + CA_CHUNK_ROWS_LEAST - 1) / CA_CHUNK_ROWS_LEAST;
    op.param[0] = ca_graph_param_of(g, linear, "weight", t, d, ca_graph_weight_init(g, d, t));
    op.param[1] = ca_graph_param_of(g, linear, "bias", t, 0, ca_graph_bias_init(g, d));
    op.param[2] = ca_graph_param_of(g, h, "weight", 1, t, ca_graph_weight_init(g, t, 1));
    return ca_graph_add(g, &op, &v);
}
