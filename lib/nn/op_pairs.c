/*
 * Pairs of fields: inner products (PNN, DLRM), field-matrixed and
 * field-vectorised factorisation (FmFM), bilinear forms (FiBiNET). Products
 * that a pair needs on its way are made again for backward, not kept: all of
 * them together would be P d numbers a row.
 */
#include "nn/blas.h"
#include "nn/lanes.h"
#include "nn/ops_cross.h"
#include "nn/simd.h"

#include "base/banned.h"

enum { P_FIELDS, P_WIDTH, P_FORM };

static size_t n_pairs(size_t fields)
{
    return fields ? fields * (fields - 1) / 2 : 0;
}

/* The common part of an operator on v: fields, width and one parameter of n matrices. */
static struct ca_op pair_op(struct ca_graph *g, const struct ca_op_type *type, ca_val v, size_t fields)
{
    struct ca_op op = {.type = type, .n_in = 1};

    op.attr[P_FIELDS] = fields;
    op.attr[P_WIDTH] = fields ? ca_graph_width(g, v) / fields : 0;
    return op;
}

/* ---- inner products: rows side by side, in the orders they have row by row; scratch: v, dv, y of a piece, turned ---- */

struct inner {
    size_t f, d, n;
    ca_real *v, *dv, *y;
};

static struct inner inner_view(const struct ca_op *op, const struct ca_ctx *c)
{
    struct inner s = {.f = op->attr[P_FIELDS], .d = op->attr[P_WIDTH], .n = op->out_width, .v = c->scratch};

    s.dv = s.v + s.f * s.d * CA_LANES;
    s.y = s.dv + s.f * s.d * CA_LANES;
    return s;
}

static size_t piece_rows(const struct ca_ctx *c, size_t r)
{
    return c->rows - r < CA_LANES ? c->rows - r : CA_LANES;
}

/* The products of field i with those behind it. Elements beyond 16 are added to the first ones, as in ca_dot. */
CA_INLINE void inner_products(const struct inner *s, size_t d, size_t i, ca_real *y)
{
    ca_real x[CA_LANES * CA_LANES] = {0}, part[CA_LANES * CA_LANES] = {0};
    size_t first = d < CA_LANES ? d : CA_LANES;

    CA_UNROLL
    for (size_t k = 0; k < first; k++)
        CA_AT(x, k) = CA_GET(s->v, i * d + k);
    for (size_t j = i + 1; j < s->f; j++, y += CA_LANES) {
        const ca_real *v = s->v + j * d * CA_LANES;

        CA_UNROLL
        for (size_t k = 0; k < first; k++)
            CA_AT(part, k) = CA_GET(x, k) * CA_GET(v, k);
        for (size_t k = CA_LANES; k < d; k++)
            CA_AT(part, k % CA_LANES) += CA_GET(s->v, i * d + k) * CA_GET(v, k);
        ca_join_square(part, y);
        CA_AT(y, 0) += (ca_real)0; /* no negative zero, which a sum begun at 0 cannot be */
    }
}

/* dv_i += dy_ij v_j, dv_j += dy_ij v_i: n columns from k on */
CA_INLINE void inner_columns_back(const struct inner *s, size_t n, size_t i, size_t k, const ca_real *dy)
{
    size_t d = s->d;
    ca_lanes x[8], dx[8];

    CA_UNROLL
    for (size_t e = 0; e < n; e++) {
        x[e] = CA_GET(s->v, i * d + k + e);
        dx[e] = CA_GET(s->dv, i * d + k + e);
    }
    for (size_t j = i + 1; j < s->f; j++, dy += CA_LANES) {
        const ca_real *v = s->v + (j * d + k) * CA_LANES;
        ca_real *dv = s->dv + (j * d + k) * CA_LANES;
        ca_lanes g = CA_GET(dy, 0);

        CA_UNROLL
        for (size_t e = 0; e < n; e++) {
            dx[e] += g * CA_GET(v, e);
            CA_AT(dv, e) += g * x[e];
        }
    }
    CA_UNROLL
    for (size_t e = 0; e < n; e++)
        CA_AT(s->dv, i * d + k + e) = dx[e];
}

/* The loops with the usual widths known to the compiler. */
CA_CLONES static void inner_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct inner s = inner_view(op, c);

    for (size_t r = 0; r < c->rows; r += CA_LANES) {
        ca_real *y = s.y;

        ca_lanes_load(piece_rows(c, r), s.f * s.d, c->in[0].p + r * c->in[0].ld, c->in[0].ld, s.v);
        for (size_t i = 0; i + 1 < s.f; y += (s.f - 1 - i) * CA_LANES, i++) {
            if (s.d == 16)
                inner_products(&s, 16, i, y);
            else if (s.d == 8)
                inner_products(&s, 8, i, y);
            else
                inner_products(&s, s.d, i, y);
        }
        ca_lanes_store(piece_rows(c, r), s.n, s.y, c->out.p + r * c->out.ld, c->out.ld);
    }
}

CA_CLONES static void inner_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct inner s = inner_view(op, c);

    for (size_t r = 0; c->din[0].p && r < c->rows; r += CA_LANES) {
        size_t rows = piece_rows(c, r), fd = s.f * s.d;
        const ca_real *dy = s.y;

        ca_lanes_load(rows, fd, c->in[0].p + r * c->in[0].ld, c->in[0].ld, s.v);
        ca_lanes_load(rows, fd, c->din[0].p + r * c->din[0].ld, c->din[0].ld, s.dv);
        ca_lanes_load(rows, s.n, c->dout.p + r * c->dout.ld, c->dout.ld, s.y);
        for (size_t i = 0; i + 1 < s.f; dy += (s.f - 1 - i) * CA_LANES, i++) {
            size_t k = 0;

            for (; k + 8 <= s.d; k += 8)
                inner_columns_back(&s, 8, i, k, dy);
            for (; k < s.d; k++)
                inner_columns_back(&s, 1, i, k, dy);
        }
        ca_lanes_store(rows, fd, s.dv, c->din[0].p + r * c->din[0].ld, c->din[0].ld);
    }
}

static uint64_t inner_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->out_width * op->attr[P_WIDTH];
}

static const struct ca_op_type inner_pairs = {"inner_pairs", inner_forward, inner_backward, inner_flops, 0};

ca_val ca_op_inner_pairs(struct ca_graph *g, ca_val v, size_t fields)
{
    struct ca_op op = pair_op(g, &inner_pairs, v, fields);

    op.out_width = n_pairs(fields);
    op.scratch_per_row = (2 * ca_graph_width(g, v) + op.out_width) * CA_LANES / CA_CHUNK_ROWS_LEAST + 1;
    return ca_graph_add(g, &op, &v);
}

/* ---- matrixed: param M [P, d, d]; scratch [rows, F d] ---- */

CA_CLONES static void add_dots(size_t rows, size_t d, const ca_real *q, const ca_real *v, size_t ld, struct ca_mat out)
{
    for (size_t r = 0; r < rows; r++)
        out.p[r * out.ld] += ca_dot(d, q + r * d, v + r * ld);
}

static void matrixed_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[P_FIELDS], d = op->attr[P_WIDTH], ld = c->in[0].ld;
    const ca_real *m = c->param + op->param_at[0], *v = c->in[0].p;

    for (size_t r = 0; r < c->rows; r++)
        c->out.p[r * c->out.ld] = 0;
    for (size_t i = 0; i + 1 < f; i++)
        for (size_t j = i + 1; j < f; j++, m += d * d) {
            ca_gemm_nn(c->rows, d, d, v + i * d, ld, m, d, 0, c->scratch, d);
            add_dots(c->rows, d, c->scratch, v + j * d, ld, c->out);
        }
}

CA_CLONES static void scaled_rows(size_t rows, size_t n, struct ca_mat v, struct ca_mat by, ca_real *out)
{
    for (size_t r = 0; r < rows; r++) {
        const ca_real *restrict x = v.p + r * v.ld;
        ca_real *restrict y = out + r * n, a = by.p[r * by.ld];
        for (size_t k = 0; k < n; k++)
            y[k] = a * x[k];
    }
}

/* with s = dy v: dv_i += s_j M^T, dv_j += s_i M, dM += s_i^T v_j */
static void matrixed_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[P_FIELDS], d = op->attr[P_WIDTH], ld = c->in[0].ld, n = f * d, at = op->param_at[0];
    const ca_real *v = c->in[0].p;
    ca_real *s = c->scratch;
    struct ca_mat dv = c->din[0];

    scaled_rows(c->rows, n, c->in[0], c->dout, s);
    for (size_t i = 0; i + 1 < f; i++)
        for (size_t j = i + 1; j < f; j++, at += d * d) {
            if (c->dparam)
                ca_gemm_tn(d, d, c->rows, s + i * d, n, v + j * d, ld, 1, c->dparam + at, d);
            if (!dv.p)
                continue;
            ca_gemm_nt(c->rows, d, d, s + j * d, n, c->param + at, d, 1, dv.p + i * d, dv.ld);
            ca_gemm_nn(c->rows, d, d, s + i * d, n, c->param + at, d, 1, dv.p + j * d, dv.ld);
        }
}

static uint64_t matrixed_flops(const struct ca_op *op)
{
    uint64_t d = op->attr[P_WIDTH];

    return n_pairs(op->attr[P_FIELDS]) * (2 * d * d + 2 * d);
}

static const struct ca_op_type matrixed = {"matrixed_pairs", matrixed_forward, matrixed_backward, matrixed_flops, 0};

ca_val ca_op_matrixed_pairs(struct ca_graph *g, ca_val v, const char *name, size_t fields)
{
    struct ca_op op = pair_op(g, &matrixed, v, fields);
    size_t d = op.attr[P_WIDTH], dim[3] = {n_pairs(fields), d, d};

    op.out_width = 1;
    op.n_params = 1;
    op.scratch_per_row = fields * d;
    /* xavier_normal of a tensor [a, b, c]: b c in, a c out */
    op.param[0] = ca_graph_param(g, name, 3, dim, ca_init_xavier(d * d, n_pairs(fields) * d));
    return ca_graph_add(g, &op, &v);
}

/* ---- vectorised: param m [P, d] ---- */

/* v_i * m_ij summed over j, then v_i times the sum */
CA_INLINE ca_real vectorized_row(size_t fields, size_t d, const ca_real *restrict m, const ca_real *restrict v,
                                 ca_real *restrict t)
{
    ca_real s = 0;

    for (size_t i = 0; i + 1 < fields; i++) {
        for (size_t k = 0; k < d; k++)
            t[k] = 0;
        for (size_t j = i + 1; j < fields; j++, m += d)
            for (size_t k = 0; k < d; k++)
                t[k] += m[k] * v[j * d + k];
        s += ca_dot(d, t, v + i * d);
    }
    return s;
}

CA_INLINE void vectorized_row_back(size_t fields, size_t d, ca_real ds, const ca_real *restrict m,
                                   const ca_real *restrict v, ca_real *restrict dm, ca_real *restrict dv)
{
    for (size_t i = 0; i + 1 < fields; i++)
        for (size_t j = i + 1; j < fields; j++, m += d) {
            for (size_t k = 0; dv && k < d; k++) {
                dv[i * d + k] += ds * m[k] * v[j * d + k];
                dv[j * d + k] += ds * m[k] * v[i * d + k];
            }
            for (size_t k = 0; dm && k < d; k++)
                dm[k] += ds * v[i * d + k] * v[j * d + k];
            dm = dm ? dm + d : NULL;
        }
}

CA_CLONES static void vectorized_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[P_FIELDS], d = op->attr[P_WIDTH];
    const ca_real *m = c->param + op->param_at[0];

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *v = c->in[0].p + r * c->in[0].ld;

        if (d == 16)
            c->out.p[r * c->out.ld] = vectorized_row(f, 16, m, v, c->scratch);
        else
            c->out.p[r * c->out.ld] = vectorized_row(f, d, m, v, c->scratch);
    }
}

CA_CLONES static void vectorized_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[P_FIELDS], d = op->attr[P_WIDTH];
    const ca_real *m = c->param + op->param_at[0];
    ca_real *dm = c->dparam ? c->dparam + op->param_at[0] : NULL;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *v = c->in[0].p + r * c->in[0].ld;
        ca_real ds = c->dout.p[r * c->dout.ld], *dv = c->din[0].p ? c->din[0].p + r * c->din[0].ld : NULL;

        if (d == 16)
            vectorized_row_back(f, 16, ds, m, v, dm, dv);
        else
            vectorized_row_back(f, d, ds, m, v, dm, dv);
    }
}

static uint64_t vectorized_flops(const struct ca_op *op)
{
    return 3 * n_pairs(op->attr[P_FIELDS]) * (uint64_t)op->attr[P_WIDTH];
}

static const struct ca_op_type vectorized = {"vectorized_pairs", vectorized_forward, vectorized_backward,
                                             vectorized_flops, 0};

ca_val ca_op_vectorized_pairs(struct ca_graph *g, ca_val v, const char *name, size_t fields)
{
    struct ca_op op = pair_op(g, &vectorized, v, fields);
    size_t d = op.attr[P_WIDTH], dim[3] = {n_pairs(fields), d, 1};

    op.out_width = 1;
    op.n_params = 1;
    op.scratch_per_row = d;
    op.param[0] = ca_graph_param(g, name, 2, dim, ca_init_xavier(d, n_pairs(fields)));
    return ca_graph_add(g, &op, &v);
}

/* ---- bilinear forms: param W [d, d], [F, d, d] or [P, d, d]; scratch [rows, d] twice ---- */

/* Which matrix a pair takes. */
static size_t form_at(const struct ca_op *op, size_t i, size_t pair)
{
    size_t d = op->attr[P_WIDTH], which = 0;

    if (op->attr[P_FORM] == CA_BILINEAR_EACH)
        which = i;
    else if (op->attr[P_FORM] == CA_BILINEAR_INTERACTION)
        which = pair;
    return op->param_at[0] + which * d * d;
}

/* v_i W is the same for the pair before, unless each pair has its own W. */
static int form_anew(const struct ca_op *op, size_t i, size_t j)
{
    return op->attr[P_FORM] == CA_BILINEAR_INTERACTION || j == i + 1;
}

CA_CLONES static void form_times(size_t rows, size_t d, const ca_real *restrict q, const ca_real *restrict v,
                                 size_t ld, ca_real *restrict out, size_t out_ld)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < d; k++)
            out[r * out_ld + k] = q[r * d + k] * v[r * ld + k];
}

static void forms_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[P_FIELDS], d = op->attr[P_WIDTH], ld = c->in[0].ld, pair = 0;
    const ca_real *v = c->in[0].p;

    for (size_t i = 0; i + 1 < f; i++)
        for (size_t j = i + 1; j < f; j++, pair++) {
            if (form_anew(op, i, j))
                ca_gemm_nn(c->rows, d, d, v + i * d, ld, c->param + form_at(op, i, pair), d, 0, c->scratch, d);
            form_times(c->rows, d, c->scratch, v + j * d, ld, c->out.p + pair * d, c->out.ld);
        }
}

/* dv_j += dy * q; dq += dy * v_j, set when first */
CA_CLONES static void form_times_back(size_t rows, size_t d, const ca_real *restrict q, const ca_real *restrict v,
                                      size_t ld, const ca_real *restrict dy, size_t dy_ld, ca_real *restrict dq,
                                      ca_real *restrict dv, size_t dv_ld, int first)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < d; k++) {
            ca_real g = dy[r * dy_ld + k];

            dq[r * d + k] = (first ? 0 : dq[r * d + k]) + g * v[r * ld + k];
            if (dv)
                dv[r * dv_ld + k] += g * q[r * d + k];
        }
}

/* Where the next pair begins another matrix, dq goes back through this one: dW += v_i^T dq, dv_i += dq W^T. */
static void forms_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[P_FIELDS], d = op->attr[P_WIDTH], ld = c->in[0].ld, pair = 0;
    const ca_real *v = c->in[0].p;
    ca_real *q = c->scratch, *dq = c->scratch + c->rows * d;
    struct ca_mat dv = c->din[0];

    for (size_t i = 0; i + 1 < f; i++)
        for (size_t j = i + 1; j < f; j++, pair++) {
            size_t at = form_at(op, i, pair);
            int first = form_anew(op, i, j);

            if (first)
                ca_gemm_nn(c->rows, d, d, v + i * d, ld, c->param + at, d, 0, q, d);
            form_times_back(c->rows, d, q, v + j * d, ld, c->dout.p + pair * d, c->dout.ld, dq,
                            dv.p ? dv.p + j * d : NULL, dv.ld, first);
            if (j + 1 < f && !form_anew(op, i, j + 1))
                continue;
            if (c->dparam)
                ca_gemm_tn(d, d, c->rows, v + i * d, ld, dq, d, 1, c->dparam + at, d);
            if (dv.p)
                ca_gemm_nt(c->rows, d, d, dq, d, c->param + at, d, 1, dv.p + i * d, dv.ld);
        }
}

static uint64_t forms_flops(const struct ca_op *op)
{
    uint64_t d = op->attr[P_WIDTH], f = op->attr[P_FIELDS];

    return 2 * d * d * (op->attr[P_FORM] == CA_BILINEAR_INTERACTION ? n_pairs(f) : f) + op->out_width;
}

static const struct ca_op_type bilinear_forms = {"bilinear_forms", forms_forward, forms_backward, forms_flops, 0};

ca_val ca_op_bilinear_forms(struct ca_graph *g, ca_val v, const char *name, size_t fields, enum ca_bilinear form)
{
    struct ca_op op = pair_op(g, &bilinear_forms, v, fields);
    size_t d = op.attr[P_WIDTH], n = form == CA_BILINEAR_EACH ? fields : n_pairs(fields), dim[3] = {n, d, d};
    size_t square[3] = {d, d, 1};

    op.attr[P_FORM] = (size_t)form;
    op.out_width = n_pairs(fields) * d;
    op.n_params = 1;
    op.scratch_per_row = 2 * d;
    op.param[0] = form == CA_BILINEAR_ALL ? ca_graph_param(g, name, 2, square, ca_init_xavier(d, d))
                                          : ca_graph_param(g, name, 3, dim, ca_init_xavier(d * d, n * d));
    return ca_graph_add(g, &op, &v);
}
