/* Products, sums and gates of parts of a row, as FINAL, EDCN, FinalMLP, ECN and CIN use them. */
#include <math.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/ops_cross.h"
#include "nn/simd.h"

#include "base/banned.h"

/* ---- product ---- */

CA_CLONES static void product_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *a = c->in[0].p + r * c->in[0].ld, *b = c->in[1].p + r * c->in[1].ld;
        ca_real *restrict y = c->out.p + r * c->out.ld;
        for (size_t i = 0; i < op->out_width; i++)
            y[i] = a[i] * b[i];
    }
}

CA_CLONES static void product_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t side = 0; side < 2; side++)
        for (size_t r = 0; c->din[side].p && r < c->rows; r++) {
            const ca_real *restrict other = c->in[1 - side].p + r * c->in[1 - side].ld;
            const ca_real *restrict dy = c->dout.p + r * c->dout.ld;
            ca_real *restrict dx = c->din[side].p + r * c->din[side].ld;
            for (size_t i = 0; i < op->out_width; i++)
                dx[i] += dy[i] * other[i];
        }
}

static uint64_t product_flops(const struct ca_op *op)
{
    return op->out_width;
}

static const struct ca_op_type product = {"product", product_forward, product_backward, product_flops, 0};

ca_val ca_op_product(struct ca_graph *g, ca_val a, ca_val b)
{
    struct ca_op op = {.type = &product, .n_in = 2, .out_width = ca_graph_width(g, a)};
    ca_val in[2] = {a, b};

    return ca_graph_add(g, &op, in);
}

/* ---- factorised layer ---- */

CA_CLONES static void factorize_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t half = op->out_width / 2;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict h2 = c->in[0].p + r * c->in[0].ld, *restrict h1 = h2 + half;
        ca_real *restrict y = c->out.p + r * c->out.ld;

        for (size_t i = 0; i < half; i++)
            y[i] = h2[i];
        for (size_t i = 0; i < half; i++)
            y[half + i] = h1[i] * h2[i];
    }
}

/* dh2 = dy_a + dy_b h1; dh1 = dy_b h2 */
CA_CLONES static void factorize_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t half = op->out_width / 2;

    for (size_t r = 0; c->din[0].p && r < c->rows; r++) {
        const ca_real *restrict h2 = c->in[0].p + r * c->in[0].ld, *restrict h1 = h2 + half;
        const ca_real *restrict dy = c->dout.p + r * c->dout.ld;
        ca_real *restrict dx = c->din[0].p + r * c->din[0].ld;

        for (size_t i = 0; i < half; i++)
            dx[i] += dy[i] + dy[half + i] * h1[i];
        for (size_t i = 0; i < half; i++)
            dx[half + i] += dy[half + i] * h2[i];
    }
}

static const struct ca_op_type factorize = {"factorize", factorize_forward, factorize_backward, product_flops, 0};

ca_val ca_op_factorize(struct ca_graph *g, ca_val x)
{
    struct ca_op op = {.type = &factorize, .n_in = 1, .out_width = ca_graph_width(g, x)};

    return ca_graph_add(g, &op, &x);
}

/* ---- sums and means of parts ---- */

enum { PS_DIVISOR };

CA_CLONES static void part_sums_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t d = op->in_width[0] / op->out_width;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t f = 0; f < op->out_width; f++)
            c->out.p[r * c->out.ld + f] =
                ca_sum(d, c->in[0].p + r * c->in[0].ld + f * d) / (ca_real)op->attr[PS_DIVISOR];
}

CA_CLONES static void part_sums_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t d = op->in_width[0] / op->out_width;

    for (size_t r = 0; c->din[0].p && r < c->rows; r++)
        for (size_t f = 0; f < op->out_width; f++) {
            ca_real *restrict dx = c->din[0].p + r * c->din[0].ld + f * d;
            ca_real dy = c->dout.p[r * c->dout.ld + f] / (ca_real)op->attr[PS_DIVISOR];
            for (size_t k = 0; k < d; k++)
                dx[k] += dy;
        }
}

static uint64_t part_sums_flops(const struct ca_op *op)
{
    return op->in_width[0];
}

static const struct ca_op_type part_sums = {"part_sums", part_sums_forward, part_sums_backward, part_sums_flops, 0};

ca_val ca_op_part_sums(struct ca_graph *g, ca_val x, size_t parts)
{
    struct ca_op op = {.type = &part_sums, .n_in = 1, .out_width = parts, .attr = {1}};

    return ca_graph_add(g, &op, &x);
}

ca_val ca_op_part_means(struct ca_graph *g, ca_val x, size_t parts)
{
    size_t d = parts ? ca_graph_width(g, x) / parts : 0;
    struct ca_op op = {.type = &part_sums, .n_in = 1, .out_width = parts, .attr = {d}};

    return ca_graph_add(g, &op, &x);
}

/* ---- parts scaled ---- */

CA_CLONES static void scale_parts_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->in_width[1], d = op->out_width / n;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t f = 0; f < n; f++) {
            const ca_real *restrict x = c->in[0].p + r * c->in[0].ld + f * d;
            ca_real *restrict y = c->out.p + r * c->out.ld + f * d, a = c->in[1].p[r * c->in[1].ld + f];
            for (size_t k = 0; k < d; k++)
                y[k] = a * x[k];
        }
}

CA_CLONES static void scale_parts_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->in_width[1], d = op->out_width / n;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t f = 0; f < n; f++) {
            const ca_real *dy = c->dout.p + r * c->dout.ld + f * d;
            if (c->din[1].p)
                c->din[1].p[r * c->din[1].ld + f] += ca_dot(d, dy, c->in[0].p + r * c->in[0].ld + f * d);
            if (c->din[0].p)
                ca_axpy(d, c->in[1].p[r * c->in[1].ld + f], dy, c->din[0].p + r * c->din[0].ld + f * d);
        }
}

static const struct ca_op_type scale_parts = {"scale_parts", scale_parts_forward, scale_parts_backward, product_flops,
                                              0};

ca_val ca_op_scale_parts(struct ca_graph *g, ca_val x, ca_val a)
{
    struct ca_op op = {.type = &scale_parts, .n_in = 2, .out_width = ca_graph_width(g, x)};
    ca_val in[2] = {x, a};

    return ca_graph_add(g, &op, in);
}

/* ---- fields mixed: params W [F, F], b [F] ---- */

enum { MF_FIELDS };

static void mix_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[MF_FIELDS], d = op->out_width / f;
    const ca_real *b = c->param + op->param_at[1];

    for (size_t r = 0; r < c->rows; r++) {
        ca_real *y = c->out.p + r * c->out.ld;
        for (size_t i = 0; i < f * d; i++)
            y[i] = b[i / d];
        ca_gemm_nn(f, d, f, c->param + op->param_at[0], f, c->in[0].p + r * c->in[0].ld, d, 1, y, d);
    }
}

static void mix_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[MF_FIELDS], d = op->out_width / f;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *dy = c->dout.p + r * c->dout.ld;
        if (c->dparam) {
            ca_gemm_nt(f, f, d, dy, d, c->in[0].p + r * c->in[0].ld, d, 1, c->dparam + op->param_at[0], f);
            for (size_t i = 0; i < f * d; i++)
                c->dparam[op->param_at[1] + i / d] += dy[i];
        }
        if (c->din[0].p)
            ca_gemm_tn(f, d, f, c->param + op->param_at[0], f, dy, d, 1, c->din[0].p + r * c->din[0].ld, d);
    }
}

static uint64_t mix_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->attr[MF_FIELDS] * op->out_width;
}

static const struct ca_op_type mix_fields = {"mix_fields", mix_forward, mix_backward, mix_flops, 0};

ca_val ca_op_mix_fields(struct ca_graph *g, ca_val v, const char *name, size_t fields)
{
    struct ca_op op = {.type = &mix_fields, .n_in = 1, .n_params = 2, .attr = {fields}};

    op.out_width = ca_graph_width(g, v);
    op.param[0] = ca_graph_param_of(g, name, "weight", fields, fields, (struct ca_init_rule){CA_INIT_ZERO, 0});
    op.param[1] = ca_graph_param_of(g, name, "bias", fields, 0, (struct ca_init_rule){CA_INIT_ONE, 0});
    return ca_graph_add(g, &op, &v);
}

/* ---- halves of fields ---- */

enum { H_FIELDS, H_WIDTH };

static void halves_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t half = op->attr[H_WIDTH] / 2, n = op->attr[H_FIELDS] * half;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t f = 0; f < op->attr[H_FIELDS]; f++) {
            const ca_real *x = c->in[0].p + r * c->in[0].ld + 2 * f * half;
            ca_real *y = c->out.p + r * c->out.ld + f * half;
            memcpy(y, x, half * sizeof *y);
            memcpy(y + n, x + half, half * sizeof *y);
        }
}

CA_CLONES static void halves_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t half = op->attr[H_WIDTH] / 2, n = op->attr[H_FIELDS] * half;

    for (size_t r = 0; c->din[0].p && r < c->rows; r++)
        for (size_t f = 0; f < op->attr[H_FIELDS]; f++) {
            const ca_real *dy = c->dout.p + r * c->dout.ld + f * half;
            ca_real *dx = c->din[0].p + r * c->din[0].ld + 2 * f * half;
            ca_add(half, dy, dx);
            ca_add(half, dy + n, dx + half);
        }
}

static const struct ca_op_type split_halves = {"split_halves", halves_forward, halves_backward, NULL, 0};

ca_val ca_op_split_halves(struct ca_graph *g, ca_val v, size_t fields)
{
    size_t n = ca_graph_width(g, v);
    struct ca_op op = {.type = &split_halves, .n_in = 1, .out_width = n, .attr = {fields, fields ? n / fields : 0}};

    return ca_graph_add(g, &op, &v);
}

/* ---- regulation: param g [F]; scratch: the gates, twice F, made anew by every chunk ---- */

/* softmax of the parameter, the same for every row */
static void gates(const struct ca_op *op, const struct ca_ctx *c, ca_real *a)
{
    const ca_real *g = c->param + op->param_at[0];
    size_t f = op->attr[H_FIELDS];
    ca_real most = g[0], sum = 0;

    for (size_t i = 1; i < f; i++)
        most = g[i] > most ? g[i] : most;
    for (size_t i = 0; i < f; i++)
        sum += a[i] = (ca_real)exp((double)(g[i] - most));
    for (size_t i = 0; i < f; i++)
        a[i] /= sum;
}

CA_CLONES static void regulate_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[H_FIELDS], d = op->attr[H_WIDTH];

    gates(op, c, c->scratch);
    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < f; i++)
            for (size_t k = 0; k < d; k++)
                c->out.p[r * c->out.ld + i * d + k] = c->scratch[i] * c->in[0].p[r * c->in[0].ld + i * d + k];
}

/* dG_f = sum_k dy_fk v_fk; dg = G (dG - sum G dG) */
CA_CLONES static void regulate_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[H_FIELDS], d = op->attr[H_WIDTH];
    ca_real *a = c->scratch, *da = c->scratch + f, mean = 0;

    for (size_t i = 0; i < f; i++)
        da[i] = 0;
    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < f; i++) {
            const ca_real *dy = c->dout.p + r * c->dout.ld + i * d;
            if (c->dparam)
                da[i] += ca_dot(d, dy, c->in[0].p + r * c->in[0].ld + i * d);
            if (c->din[0].p)
                ca_axpy(d, a[i], dy, c->din[0].p + r * c->din[0].ld + i * d);
        }
    for (size_t i = 0; i < f; i++)
        mean += a[i] * da[i];
    for (size_t i = 0; c->dparam && i < f; i++)
        c->dparam[op->param_at[0] + i] += a[i] * (da[i] - mean);
}

static const struct ca_op_type regulate = {"regulate", regulate_forward, regulate_backward, product_flops, 0};

ca_val ca_op_regulate(struct ca_graph *g, ca_val v, const char *name, size_t fields)
{
    size_t n = ca_graph_width(g, v), dim[3] = {fields, 1, 1};
    struct ca_op op = {.type = &regulate, .n_in = 1, .out_width = n, .attr = {fields, fields ? n / fields : 0}};

    op.n_params = 1;
    /* scratch is counted by row: two of them hold 2 F gates in any chunk, as it has more rows than that needs */
    op.scratch_per_row = 2 * fields / CA_CHUNK_ROWS_LEAST + 1;
    op.param[0] = ca_graph_param(g, name, 1, dim, (struct ca_init_rule){CA_INIT_ONE, 0});
    return ca_graph_add(g, &op, &v);
}

/* ---- bilinear fusion: param W [heads, a, b] as one column; scratch: a W and dy a or dy b ---- */

enum { BF_HEADS };

CA_CLONES static void head_dots(size_t rows, size_t n, const ca_real *q, struct ca_mat b, size_t at, struct ca_mat out,
                                int first)
{
    for (size_t r = 0; r < rows; r++)
        out.p[r * out.ld] = (first ? 0 : out.p[r * out.ld]) + ca_dot(n, q + r * n, b.p + r * b.ld + at);
}

CA_CLONES static void head_scale(size_t rows, size_t n, struct ca_mat x, size_t at, struct ca_mat by, ca_real *out)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < n; k++)
            out[r * n + k] = by.p[r * by.ld] * x.p[r * x.ld + at + k];
}

static void fusion_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t heads = op->attr[BF_HEADS], na = op->in_width[0] / heads, nb = op->in_width[1] / heads;

    for (size_t h = 0; h < heads; h++) {
        ca_gemm_nn(c->rows, nb, na, c->in[0].p + h * na, c->in[0].ld, c->param + op->param_at[0] + h * na * nb, nb, 0,
                   c->scratch, nb);
        head_dots(c->rows, nb, c->scratch, c->in[1], h * nb, c->out, !h);
    }
}

/* da += (dy b) W^T; db += (dy a) W; dW += (dy a)^T b */
static void fusion_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t heads = op->attr[BF_HEADS], na = op->in_width[0] / heads, nb = op->in_width[1] / heads;

    for (size_t h = 0; h < heads; h++) {
        size_t at = op->param_at[0] + h * na * nb;
        struct ca_mat da = c->din[0], db = c->din[1];

        head_scale(c->rows, na, c->in[0], h * na, c->dout, c->scratch);
        if (c->dparam)
            ca_gemm_tn(na, nb, c->rows, c->scratch, na, c->in[1].p + h * nb, c->in[1].ld, 1, c->dparam + at, nb);
        if (db.p)
            ca_gemm_nn(c->rows, nb, na, c->scratch, na, c->param + at, nb, 1, db.p + h * nb, db.ld);
        head_scale(c->rows, nb, c->in[1], h * nb, c->dout, c->scratch);
        if (da.p)
            ca_gemm_nt(c->rows, na, nb, c->scratch, nb, c->param + at, nb, 1, da.p + h * na, da.ld);
    }
}

static uint64_t fusion_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[0] * op->in_width[1] / op->attr[BF_HEADS];
}

static const struct ca_op_type bilinear_fusion = {"bilinear_fusion", fusion_forward, fusion_backward, fusion_flops, 0};

ca_val ca_op_bilinear_fusion(struct ca_graph *g, ca_val a, ca_val b, const char *name, size_t heads)
{
    size_t na = ca_graph_width(g, a), nb = ca_graph_width(g, b), dim[3] = {heads ? na / heads * nb : 0, 1, 1};
    struct ca_op op = {.type = &bilinear_fusion, .n_in = 2, .out_width = 1, .n_params = 1, .attr = {heads}};
    ca_val in[2] = {a, b};

    if (!heads || na % heads || nb % heads)
        ca_graph_refuse(g, "last hidden widths of both towers must be multiples of the number of heads");
    op.scratch_per_row = na > nb ? na : nb;
    op.param[0] = ca_graph_param(g, name, 2, dim, ca_init_xavier(1, dim[0]));
    return ca_graph_add(g, &op, in);
}
