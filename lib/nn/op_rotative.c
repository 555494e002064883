/*
 * Self-attentive rotation (specification: models 22). As cos(q - k) is
 * cos q cos k + sin q sin k, sines and cosines are taken of F components and
 * not of F^2 differences. Pieces of CA_LANES rows, side by side.
 */
#include <math.h>
#include <string.h>

#include "nn/angle.h"
#include "nn/ops_angle.h"

#include "base/banned.h"

#define GAIN 1.414 /* of the published initialisation */

enum { RA_FIELDS, RA_WIDTH, RA_HEADS };

/* Scratch, all turned. Kept by row: cosines and sines of q and k [F a] each, scores [H F F]. The rest is of one piece. */
struct rotation {
    size_t f, a, heads, n;            /* n: width of a head */
    const ca_real *w;
    ca_real *cq, *sq, *ck, *sk, *score;
    ca_real *v, *y;                   /* [F a]: values, and what comes out or its gradient */
    ca_real *dq, *dk, *dv, *dck, *dsk; /* [F a] */
    ca_real *row;                     /* [2 n]: of one query, weighed */
    ca_real *ds;                      /* [F] */
    ca_real *dw;                      /* [n], over all pieces */
};

static size_t kept_per_row(const struct ca_op *op)
{
    return 4 * op->attr[RA_FIELDS] * op->attr[RA_WIDTH] + op->attr[RA_HEADS] * op->attr[RA_FIELDS] * op->attr[RA_FIELDS];
}

static size_t piece_per_row(const struct ca_op *op)
{
    return 7 * op->attr[RA_FIELDS] * op->attr[RA_WIDTH] + 3 * op->attr[RA_WIDTH] + op->attr[RA_FIELDS];
}

static struct rotation view(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[RA_FIELDS], a = op->attr[RA_WIDTH], fa = f * a * CA_LANES;
    struct rotation t = {.f = f, .a = a, .heads = op->attr[RA_HEADS], .n = a / op->attr[RA_HEADS]};
    ca_real *p = c->scratch;

    t.w = c->param + op->param_at[0];
    t.v = p;
    t.y = p += fa;
    t.dq = p += fa;
    t.dk = p += fa;
    t.dv = p += fa;
    t.dck = p += fa;
    t.dsk = p += fa;
    t.row = p += fa;
    t.dw = p += 2 * a * CA_LANES;
    t.ds = p += a * CA_LANES;
    t.cq = p + f * CA_LANES;
    return t;
}

/* What is kept of the piece that begins at this row, a multiple of CA_LANES. */
static void at_row(struct rotation *t, const struct ca_op *op, ca_real *base, size_t row)
{
    size_t fa = t->f * t->a * CA_LANES;

    t->cq = base + row * kept_per_row(op);
    t->sq = t->cq + fa;
    t->ck = t->sq + fa;
    t->sk = t->ck + fa;
    t->score = t->sk + fa;
}

/* n angles of a piece, turned: their cosines and sines */
CA_INLINE void turn_angles(size_t rows, size_t n, struct ca_mat x, size_t row, ca_real *room, ca_real *restrict co,
                           ca_real *restrict si)
{
    ca_lanes_load(rows, n, x.p + row * x.ld, x.ld, room);
    ca_sincos(n * CA_LANES, room, si, co);
}

/* Cosines and sines of one query in one head, times w. */
CA_INLINE void weigh(const struct rotation *t, size_t n, size_t at)
{
    for (size_t e = 0; e < n; e++) {
        CA_AT(t->row, e) = CA_GET(t->cq, at + e) * t->w[e];
        CA_AT(t->row, n + e) = CA_GET(t->sq, at + e) * t->w[e];
    }
}

CA_INLINE void rotate_piece(const struct rotation *t, size_t n)
{
    size_t a = t->a, f = t->f;

    for (size_t h = 0; h < t->heads; h++)
        for (size_t i = 0; i < f; i++) {
            ca_real *score = t->score + (h * f + i) * f * CA_LANES;

            weigh(t, n, i * a + h * n);
            for (size_t j = 0; j < f; j++) {
                ca_lanes s = {0};
                for (size_t e = 0; e < n; e++)
                    s += CA_GET(t->row, e) * CA_GET(t->ck, j * a + h * n + e) +
                         CA_GET(t->row, n + e) * CA_GET(t->sk, j * a + h * n + e);
                CA_AT(score, j) = s;
            }
            for (size_t l = 0; l < f * CA_LANES; l++)
                score[l] = 1 / (1 + ca_exp(-score[l]));
            for (size_t e = 0; e < n; e++) {
                ca_lanes s = {0};
                for (size_t j = 0; j < f; j++)
                    s += CA_GET(score, j) * CA_GET(t->v, j * a + h * n + e);
                CA_AT(t->y, i * a + h * n + e) = s;
            }
        }
}

/*
 * ds_ij = (dy_i . v_j) s (1 - s); with A_ie = sum_j ds_ij cos k_je and B_ie = sum_j ds_ij sin k_je:
 * dq_ie = w_e (B cos q - A sin q), dw_e = sum_i (A cos q + B sin q), dk_je = w_e sum_i ds_ij (sin q cos k - cos q sin k).
 */
CA_INLINE void rotate_piece_back(const struct rotation *t, size_t n)
{
    size_t a = t->a, f = t->f;

    memset(t->dv, 0, 3 * f * a * CA_LANES * sizeof(ca_real)); /* and dck, dsk */
    for (size_t h = 0; h < t->heads; h++)
        for (size_t i = 0; i < f; i++) {
            const ca_real *score = t->score + (h * f + i) * f * CA_LANES;
            size_t at = i * a + h * n;

            weigh(t, n, at);
            for (size_t j = 0; j < f; j++) {
                ca_lanes s = {0}, p = CA_GET(score, j);
                for (size_t e = 0; e < n; e++) {
                    s += CA_GET(t->y, at + e) * CA_GET(t->v, j * a + h * n + e);
                    CA_AT(t->dv, j * a + h * n + e) += p * CA_GET(t->y, at + e);
                }
                s *= p * (1 - p);
                CA_AT(t->ds, j) = s;
                for (size_t e = 0; e < n; e++) {
                    CA_AT(t->dck, j * a + h * n + e) += s * CA_GET(t->row, e);
                    CA_AT(t->dsk, j * a + h * n + e) += s * CA_GET(t->row, n + e);
                }
            }
            for (size_t e = 0; e < n; e++) {
                ca_lanes ga = {0}, gb = {0};
                for (size_t j = 0; j < f; j++) {
                    ga += CA_GET(t->ds, j) * CA_GET(t->ck, j * a + h * n + e);
                    gb += CA_GET(t->ds, j) * CA_GET(t->sk, j * a + h * n + e);
                }
                CA_AT(t->dq, at + e) = gb * CA_GET(t->row, e) - ga * CA_GET(t->row, n + e);
                CA_AT(t->dw, e) += ga * CA_GET(t->cq, at + e) + gb * CA_GET(t->sq, at + e);
            }
        }
    for (size_t i = 0; i < f * a; i++)
        CA_AT(t->dk, i) = CA_GET(t->dsk, i) * CA_GET(t->ck, i) - CA_GET(t->dck, i) * CA_GET(t->sk, i);
}

/* The loops with the usual widths known to the compiler. */
CA_CLONES static void rotate(const struct rotation *t, const struct ca_ctx *c, size_t row, size_t rows)
{
    size_t fa = t->f * t->a;

    turn_angles(rows, fa, c->in[0], row, t->y, t->cq, t->sq);
    turn_angles(rows, fa, c->in[1], row, t->y, t->ck, t->sk);
    ca_lanes_load(rows, fa, c->in[2].p + row * c->in[2].ld, c->in[2].ld, t->v);
    if (t->n == 16)
        rotate_piece(t, 16);
    else if (t->n == 8)
        rotate_piece(t, 8);
    else
        rotate_piece(t, t->n);
    ca_lanes_store(rows, fa, t->y, c->out.p + row * c->out.ld, c->out.ld);
}

CA_CLONES static void rotate_back(const struct rotation *t, const struct ca_ctx *c, size_t row, size_t rows)
{
    const ca_real *const d[3] = {t->dq, t->dk, t->dv};
    size_t fa = t->f * t->a;

    ca_lanes_load(rows, fa, c->in[2].p + row * c->in[2].ld, c->in[2].ld, t->v);
    ca_lanes_load(rows, fa, c->dout.p + row * c->dout.ld, c->dout.ld, t->y);
    if (t->n == 16)
        rotate_piece_back(t, 16);
    else if (t->n == 8)
        rotate_piece_back(t, 8);
    else
        rotate_piece_back(t, t->n);
    for (size_t i = 0; i < 3; i++)
        if (c->din[i].p)
            ca_lanes_add(rows, fa, d[i], c->din[i].p + row * c->din[i].ld, c->din[i].ld);
}

static void rotative_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct rotation t = view(op, c);
    ca_real *base = t.cq;

    for (size_t r = 0; r < c->rows; r += CA_LANES) {
        at_row(&t, op, base, r);
        rotate(&t, c, r, c->rows - r < CA_LANES ? c->rows - r : CA_LANES);
    }
}

static void rotative_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct rotation t = view(op, c);
    ca_real *base = t.cq;

    memset(t.dw, 0, t.n * CA_LANES * sizeof(ca_real));
    for (size_t r = 0; r < c->rows; r += CA_LANES) {
        at_row(&t, op, base, r);
        rotate_back(&t, c, r, c->rows - r < CA_LANES ? c->rows - r : CA_LANES);
    }
    for (size_t e = 0; c->dparam && e < t.n; e++)
        c->dparam[op->param_at[0] + e] += ca_sum(CA_LANES, t.dw + e * CA_LANES);
}

static uint64_t rotative_flops(const struct ca_op *op)
{
    uint64_t f = op->attr[RA_FIELDS], a = op->attr[RA_WIDTH];

    return 6 * f * f * a + 40 * f * a;
}

static const struct ca_op_type rotative = {"rotative_attention", rotative_forward, rotative_backward, rotative_flops, 0};

ca_val ca_op_rotative_attention(struct ca_graph *g, ca_val q, ca_val k, ca_val v, const char *name, size_t fields,
                                size_t heads)
{
    size_t a = fields ? ca_graph_width(g, q) / fields : 0, n = heads ? a / heads : 0;
    struct ca_op op = {.type = &rotative, .n_in = 3, .n_params = 1, .attr = {fields, a, heads}};
    struct ca_init_rule rule = ca_init_xavier(n, 1);
    ca_val in[3] = {q, k, v};
    size_t dim[3] = {1, n, 1};

    if (!heads || a % heads)
        ca_graph_refuse(g, "the width of attention is not a multiple of the number of its heads");
    rule.a *= GAIN;
    op.out_width = ca_graph_width(g, q);
    /* a piece's scratch is spread over the rows of a chunk */
    op.scratch_per_row = kept_per_row(&op) + (piece_per_row(&op) * CA_LANES + CA_CHUNK_ROWS_LEAST - 1) / CA_CHUNK_ROWS_LEAST;
    op.param[0] = ca_graph_param(g, name, 2, dim, rule);
    return ca_graph_add(g, &op, in);
}
