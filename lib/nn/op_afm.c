/*
 * Attention over the pairs of fields (specification: models 9). Rows run side
 * by side in pieces of CA_LANES; of a pair only its weight is kept, its
 * product and hidden layer are made anew where they are wanted. Four pairs go
 * together, so that sums stay in registers and a weight is read once for four:
 * backward takes three quarters of the time of one pair after the other, and
 * the order of every sum is the same.
 */
#include <math.h>
#include <string.h>

#include "nn/lanes.h"
#include "nn/mask.h"
#include "nn/ops.h"

#include "base/banned.h"

enum { PA_FIELDS, PA_WIDTH, PA_HIDDEN };
enum { PA_SHARE }; /* number: dropped of the weights */

#define TOGETHER 4 /* pairs */

/* Scratch: weights of the pairs, turned, kept by row [P]; the rest is of one piece, turned. */
struct pairs {
    size_t f, d, t, n_pairs;
    const ca_real *w, *b, *h;
    ca_real *weight;          /* [P] */
    ca_real *v, *dv;          /* [F d] */
    ca_real *e;               /* [TOGETHER d] */
    ca_real *z, *dz;          /* [d] */
    ca_real *q;               /* [TOGETHER t] */
    ca_real *dw, *db, *dh;    /* [t d], [t], [t]: sums of a whole chunk by lane */
    int drops;
    struct ca_mask mask[CA_LANES]; /* of the piece's rows; an element is a pair */
};

static size_t piece_per_row(size_t f, size_t d, size_t t)
{
    return 2 * f * d + (TOGETHER + 2) * d + (TOGETHER + 2) * t + t * d;
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
    s.e = s.dv + f * d * CA_LANES;
    s.z = s.e + TOGETHER * d * CA_LANES;
    s.dz = s.z + d * CA_LANES;
    s.q = s.dz + d * CA_LANES;
    s.dw = s.q + TOGETHER * t * CA_LANES;
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

/* x *= the masks of a pair, whose weight is given */
CA_INLINE void mask_pair(const struct pairs *s, const ca_real *weight, ca_lanes *x)
{
    uint32_t pair = (uint32_t)((size_t)(weight - s->weight) / CA_LANES);
    ca_real factor[CA_LANES];

    for (size_t l = 0; l < CA_LANES; l++)
        factor[l] = ca_mask_factor(&s->mask[l], pair);
    *x *= CA_LOAD(factor);
}

/* e = v_i * v_j */
CA_INLINE void product(size_t d, const ca_real *vi, const ca_real *vj, ca_real *e)
{
    for (size_t k = 0; k < d; k++)
        CA_AT(e, k) = CA_GET(vi, k) * CA_GET(vj, k);
}

/* Some pairs that go together: the fields of each. */
struct some {
    size_t i[TOGETHER], j[TOGETHER];
};

/* The next n pairs from (i, j) on, which move past them, and their products in e. */
CA_INLINE void take(const struct pairs *s, size_t d, size_t n, size_t *i, size_t *j, struct some *at)
{
    for (size_t p = 0; p < n; p++) {
        at->i[p] = *i;
        at->j[p] = *j;
        product(d, s->v + *i * d * CA_LANES, s->v + *j * d * CA_LANES, s->e + p * d * CA_LANES);
        if (++*j == s->f)
            *j = ++*i + 1;
    }
}

/* u[p][l] = W e + b of n pairs and m hidden numbers from t on */
CA_INLINE void hidden(const struct pairs *s, size_t d, size_t n, size_t m, size_t t, ca_lanes u[TOGETHER][4])
{
    for (size_t p = 0; p < n; p++)
        for (size_t l = 0; l < m; l++)
            u[p][l] = (ca_lanes){0};
    for (size_t k = 0; k < d; k++)
        for (size_t p = 0; p < n; p++) {
            ca_lanes e = CA_GET(s->e, p * d + k);
            for (size_t l = 0; l < m; l++)
                u[p][l] += s->w[(t + l) * d + k] * e;
        }
    for (size_t p = 0; p < n; p++)
        for (size_t l = 0; l < m; l++)
            u[p][l] += s->b[t + l];
}

/* score += h . relu(u) over m hidden numbers */
CA_INLINE void add_scores(const struct pairs *s, size_t d, size_t n, size_t m, size_t t, ca_lanes score[TOGETHER])
{
    ca_lanes u[TOGETHER][4];

    hidden(s, d, n, m, t, u);
    for (size_t p = 0; p < n; p++)
        for (size_t l = 0; l < m; l++)
            score[p] += s->h[t + l] * CA_POSITIVE(u[p][l]);
}

CA_INLINE void scores(const struct pairs *s, size_t d, size_t n, size_t *i, size_t *j, ca_real *weight)
{
    struct some at;
    ca_lanes score[TOGETHER];
    size_t t = 0;

    take(s, d, n, i, j, &at);
    for (size_t p = 0; p < n; p++)
        score[p] = (ca_lanes){0};
    for (; t + 4 <= s->t; t += 4)
        add_scores(s, d, n, 4, t, score);
    for (; t < s->t; t++)
        add_scores(s, d, n, 1, t, score);
    for (size_t p = 0; p < n; p++)
        CA_AT(weight, p) = score[p];
}

/* Scores of all pairs, then weights; z = sum of weight v_i v_j, the inner sum over j first. */
CA_INLINE void pool_piece(const struct pairs *s, size_t d)
{
    ca_real *weight = s->weight;
    size_t i = 0, j = 1, p = 0;

    for (; p + TOGETHER <= s->n_pairs; p += TOGETHER)
        scores(s, d, TOGETHER, &i, &j, weight + p * CA_LANES);
    for (; p < s->n_pairs; p++)
        scores(s, d, 1, &i, &j, weight + p * CA_LANES);
    ca_lanes_softmax(s->n_pairs, s->weight);

    memset(s->z, 0, d * CA_LANES * sizeof *s->z);
    for (i = 0; i + 1 < s->f; i++) {
        memset(s->e, 0, d * CA_LANES * sizeof *s->e);
        for (j = i + 1; j < s->f; j++, weight += CA_LANES) {
            ca_lanes w = CA_GET(weight, 0);

            if (s->drops)
                mask_pair(s, weight, &w);
            for (size_t k = 0; k < d; k++)
                CA_AT(s->e, k) += w * CA_GET(s->v, j * d + k);
        }
        for (size_t k = 0; k < d; k++)
            CA_AT(s->z, k) += CA_GET(s->e, k) * CA_GET(s->v, i * d + k);
    }
}

/* q = da h 1[u > 0] of n pairs and m hidden numbers; dh += da relu(u), db += q */
CA_INLINE void hidden_back(const struct pairs *s, size_t d, size_t n, size_t m, size_t t, const ca_lanes *da, int params)
{
    ca_lanes u[TOGETHER][4];

    hidden(s, d, n, m, t, u);
    for (size_t l = 0; l < m; l++) {
        ca_lanes dh = CA_GET(s->dh, t + l), db = CA_GET(s->db, t + l);

        for (size_t p = 0; p < n; p++) {
            ca_lanes q = da[p] * s->h[t + l];
            q = CA_WHERE_POSITIVE(u[p][l], q);
            CA_AT(s->q, p * s->t + t + l) = q;
            dh += da[p] * CA_POSITIVE(u[p][l]);
            db += q;
        }
        if (params) {
            CA_AT(s->dh, t + l) = dh;
            CA_AT(s->db, t + l) = db;
        }
    }
}

/* dW += q e^T of n pairs: m rows and r columns of it */
CA_INLINE void weight_back(const struct pairs *s, size_t d, size_t n, size_t m, size_t r, size_t t, size_t k)
{
    ca_lanes sum[2][8];

    for (size_t l = 0; l < m; l++)
        for (size_t c = 0; c < r; c++)
            sum[l][c] = CA_GET(s->dw, (t + l) * d + k + c);
    for (size_t p = 0; p < n; p++)
        for (size_t l = 0; l < m; l++) {
            ca_lanes q = CA_GET(s->q, p * s->t + t + l);
            for (size_t c = 0; c < r; c++)
                sum[l][c] += q * CA_GET(s->e, p * d + k + c);
        }
    for (size_t l = 0; l < m; l++)
        for (size_t c = 0; c < r; c++)
            CA_AT(s->dw, (t + l) * d + k + c) = sum[l][c];
}

CA_INLINE void weights_back(const struct pairs *s, size_t d, size_t n)
{
    size_t k = 0;

    for (; k + 8 <= d; k += 8) {
        size_t t = 0;
        for (; t + 2 <= s->t; t += 2)
            weight_back(s, d, n, 2, 8, t, k);
        for (; t < s->t; t++)
            weight_back(s, d, n, 1, 8, t, k);
    }
    for (; k < d; k++)
        for (size_t t = 0; t < s->t; t++)
            weight_back(s, d, n, 1, 1, t, k);
}

/* de = weight dz + W^T q of n pairs and r columns; dv_i += de v_j, dv_j += de v_i */
CA_INLINE void products_back(const struct pairs *s, size_t d, size_t n, size_t r, size_t k, const struct some *at,
                             const ca_lanes *w)
{
    ca_lanes de[TOGETHER][4];

    for (size_t p = 0; p < n; p++)
        for (size_t c = 0; c < r; c++)
            de[p][c] = w[p] * CA_GET(s->dz, k + c);
    for (size_t t = 0; t < s->t; t++)
        for (size_t p = 0; p < n; p++) {
            ca_lanes q = CA_GET(s->q, p * s->t + t);
            for (size_t c = 0; c < r; c++)
                de[p][c] += s->w[t * d + k + c] * q;
        }
    for (size_t p = 0; p < n; p++)
        for (size_t c = 0; c < r; c++) {
            CA_AT(s->dv, at->i[p] * d + k + c) += de[p][c] * CA_GET(s->v, at->j[p] * d + k + c);
            CA_AT(s->dv, at->j[p] * d + k + c) += de[p][c] * CA_GET(s->v, at->i[p] * d + k + c);
        }
}

CA_INLINE void some_back(const struct pairs *s, size_t d, size_t n, size_t *i, size_t *j, const ca_real *weight,
                         const ca_lanes *all, int params)
{
    struct some at;
    ca_lanes da[TOGETHER], w[TOGETHER];
    size_t t = 0, k = 0;

    take(s, d, n, i, j, &at);
    for (size_t p = 0; p < n; p++) {
        ca_lanes part = {0};
        for (size_t c = 0; c < d; c++)
            part += CA_GET(s->dz, c) * CA_GET(s->e, p * d + c);
        w[p] = CA_GET(weight, p);
        if (s->drops) {
            mask_pair(s, weight + p * CA_LANES, &part);
            mask_pair(s, weight + p * CA_LANES, &w[p]);
        }
        da[p] = CA_GET(weight, p) * (part - *all);
    }
    for (; t + 4 <= s->t; t += 4)
        hidden_back(s, d, n, 4, t, da, params);
    for (; t < s->t; t++)
        hidden_back(s, d, n, 1, t, da, params);
    if (params)
        weights_back(s, d, n);
    for (; k + 4 <= d; k += 4)
        products_back(s, d, n, 4, k, &at, w);
    for (; k < d; k++)
        products_back(s, d, n, 1, k, &at, w);
}

/*
 * c = dz.e, S = dz.z, da = weight (c - S), q = da h 1[u > 0]; dh += da relu(u), dW += q e^T, db += q,
 * de = weight dz + W^T q, dv_i += de v_j, dv_j += de v_i.
 */
CA_INLINE void pool_piece_back(const struct pairs *s, size_t d, int params)
{
    ca_lanes all = {0};
    size_t i = 0, j = 1, p = 0;

    memset(s->dv, 0, s->f * d * CA_LANES * sizeof *s->dv);
    for (size_t k = 0; k < d; k++)
        all += CA_GET(s->dz, k) * CA_GET(s->z, k);
    for (; p + TOGETHER <= s->n_pairs; p += TOGETHER)
        some_back(s, d, TOGETHER, &i, &j, s->weight + p * CA_LANES, &all, params);
    for (; p < s->n_pairs; p++)
        some_back(s, d, 1, &i, &j, s->weight + p * CA_LANES, &all, params);
}

CA_CLONES static void pair_attention_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct pairs s = view(op, c);

    for (size_t r = 0; r < c->rows; r += CA_LANES, s.weight += s.n_pairs * CA_LANES) {
        size_t rows = c->rows - r < CA_LANES ? c->rows - r : CA_LANES;

        set_masks(&s, op, c, r);
        ca_lanes_load(rows, s.f * s.d, c->in[0].p + r * c->in[0].ld, c->in[0].ld, s.v);
        pool_piece(&s, s.d);
        ca_lanes_store(rows, s.d, s.z, c->out.p + r * c->out.ld, c->out.ld);
    }
}

CA_CLONES static void pair_attention_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct pairs s = view(op, c);
    int params = c->dparam != NULL;
    size_t sums = s.t * (s.d + 2);

    memset(s.dw, 0, sums * CA_LANES * sizeof *s.dw);
    for (size_t r = 0; r < c->rows; r += CA_LANES, s.weight += s.n_pairs * CA_LANES) {
        size_t rows = c->rows - r < CA_LANES ? c->rows - r : CA_LANES;

        set_masks(&s, op, c, r);
        ca_lanes_load(rows, s.f * s.d, c->in[0].p + r * c->in[0].ld, c->in[0].ld, s.v);
        ca_lanes_load(rows, s.d, c->out.p + r * c->out.ld, c->out.ld, s.z);
        ca_lanes_load(rows, s.d, c->dout.p + r * c->dout.ld, c->dout.ld, s.dz);
        pool_piece_back(&s, s.d, params);
        if (c->din[0].p)
            ca_lanes_add(rows, s.f * s.d, s.dv, c->din[0].p + r * c->din[0].ld, c->din[0].ld);
    }
    for (size_t i = 0; params && i < sums; i++) {
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
