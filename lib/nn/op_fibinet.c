/* The two operators of FiBiNET in the form of the CrossAdapt code: squeeze-excitation and bilinear pairs. */
#include <math.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/ops.h"
#include "nn/simd.h"

#include "base/banned.h"

/* PyTorch's default for a Linear of n inputs. */
static struct ca_init_rule uniform(size_t n)
{
    return (struct ca_init_rule){CA_INIT_UNIFORM, 1 / sqrt((double)(n ? n : 1))};
}

/* ---- squeeze-excitation ---- */

enum { SE_FIELDS, SE_WIDTH, SE_REDUCED };

/* Scratch of a chunk: squeezed z and gates a [rows, F], hidden h [rows, R], and their gradients. */
struct senet {
    size_t f, d, r, rows;
    ca_real *z, *a, *h, *dz, *da, *dh;
    const ca_real *w1, *b1, *w2, *b2;
};

static struct senet senet_view(const struct ca_op *op, const struct ca_ctx *c)
{
    struct senet s = {.f = op->attr[SE_FIELDS], .d = op->attr[SE_WIDTH], .r = op->attr[SE_REDUCED], .rows = c->rows};

    s.z = c->scratch;
    s.a = s.z + s.rows * s.f;
    s.dz = s.a + s.rows * s.f;
    s.da = s.dz + s.rows * s.f;
    s.h = s.da + s.rows * s.f;
    s.dh = s.h + s.rows * s.r;
    s.w1 = c->param + op->param_at[0];
    s.b1 = c->param + op->param_at[1];
    s.w2 = c->param + op->param_at[2];
    s.b2 = c->param + op->param_at[3];
    return s;
}

static ca_real sigmoid(ca_real x)
{
#ifdef CA_DOUBLE
    return 1 / (1 + exp(-x));
#else
    return 1 / (1 + expf(-x));
#endif
}

CA_CLONES static void squeeze(const struct senet *s, struct ca_mat v)
{
    for (size_t r = 0; r < s->rows; r++)
        for (size_t f = 0; f < s->f; f++)
            s->z[r * s->f + f] = ca_sum(s->d, v.p + r * v.ld + f * s->d) / (ca_real)s->d;
}

CA_CLONES static void scale(const struct senet *s, struct ca_mat v, struct ca_mat out)
{
    for (size_t r = 0; r < s->rows; r++)
        for (size_t f = 0; f < s->f; f++) {
            const ca_real *restrict x = v.p + r * v.ld + f * s->d;
            ca_real *restrict y = out.p + r * out.ld + f * s->d;
            ca_real a = s->a[r * s->f + f];
            for (size_t k = 0; k < s->d; k++)
                y[k] = a * x[k];
        }
}

static void senet_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct senet s = senet_view(op, c);

    squeeze(&s, c->in[0]);
    ca_gemm_nt(s.rows, s.r, s.f, s.z, s.f, s.w1, s.f, 0, s.h, s.r);
    for (size_t r = 0; r < s.rows; r++)
        for (size_t i = 0; i < s.r; i++) {
            ca_real u = s.h[r * s.r + i] + s.b1[i];
            s.h[r * s.r + i] = u < 0 ? 0 : u;
        }
    ca_gemm_nt(s.rows, s.f, s.r, s.h, s.r, s.w2, s.r, 0, s.a, s.f);
    for (size_t r = 0; r < s.rows; r++)
        for (size_t f = 0; f < s.f; f++)
            s.a[r * s.f + f] = sigmoid(s.a[r * s.f + f] + s.b2[f]);
    scale(&s, c->in[0], c->out);
}

/* da_f = sum_k dout_fk v_fk, through the sigmoid; dv_fk += dout_fk a_f, on nothing when fresh */
CA_CLONES static void scale_backward(const struct senet *s, struct ca_mat v, struct ca_mat dout, struct ca_mat dv,
                                     int fresh)
{
    for (size_t r = 0; r < s->rows; r++)
        for (size_t f = 0; f < s->f; f++) {
            const ca_real *dy = dout.p + r * dout.ld + f * s->d;
            ca_real a = s->a[r * s->f + f];
            s->da[r * s->f + f] = ca_dot(s->d, dy, v.p + r * v.ld + f * s->d) * a * (1 - a);
            if (dv.p && fresh)
                memset(dv.p + r * dv.ld + f * s->d, 0, s->d * sizeof *dv.p);
            if (dv.p)
                ca_axpy(s->d, a, dy, dv.p + r * dv.ld + f * s->d);
        }
}

CA_CLONES static void squeeze_backward(const struct senet *s, struct ca_mat dv)
{
    for (size_t r = 0; r < s->rows; r++)
        for (size_t f = 0; f < s->f; f++) {
            ca_real *restrict dx = dv.p + r * dv.ld + f * s->d;
            ca_real g = s->dz[r * s->f + f] / (ca_real)s->d;
            for (size_t k = 0; k < s->d; k++)
                dx[k] += g;
        }
}

static void senet_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    struct senet s = senet_view(op, c);

    scale_backward(&s, c->in[0], c->dout, c->din[0], c->fresh);
    ca_gemm_nn(s.rows, s.r, s.f, s.da, s.f, s.w2, s.r, 0, s.dh, s.r);
    for (size_t i = 0; i < s.rows * s.r; i++)
        s.dh[i] = s.h[i] > 0 ? s.dh[i] : 0;
    if (c->dparam) {
        ca_gemm_tn(s.f, s.r, s.rows, s.da, s.f, s.h, s.r, 1, c->dparam + op->param_at[2], s.r);
        ca_sum_rows(s.rows, s.f, s.da, s.f, c->dparam + op->param_at[3]);
        ca_gemm_tn(s.r, s.f, s.rows, s.dh, s.r, s.z, s.f, 1, c->dparam + op->param_at[0], s.f);
        ca_sum_rows(s.rows, s.r, s.dh, s.r, c->dparam + op->param_at[1]);
    }
    if (c->din[0].p) {
        ca_gemm_nn(s.rows, s.f, s.r, s.dh, s.r, s.w1, s.f, 0, s.dz, s.f);
        squeeze_backward(&s, c->din[0]);
    }
}

static uint64_t senet_flops(const struct ca_op *op)
{
    return 4 * (uint64_t)op->attr[SE_FIELDS] * op->attr[SE_REDUCED] + 2 * (uint64_t)op->out_width;
}

static const struct ca_op_type senet = {"senet", senet_forward, senet_backward, senet_flops, 1};

ca_val ca_op_senet(struct ca_graph *g, ca_val v, const char *name, size_t fields, size_t ratio)
{
    size_t n = ca_graph_width(g, v), r = fields / (ratio ? ratio : 1);
    struct ca_op op = {.type = &senet, .n_in = 1, .out_width = n, .n_params = 4};

    if (!r)
        r = 1;
    op.attr[SE_FIELDS] = fields;
    op.attr[SE_WIDTH] = fields ? n / fields : 0;
    op.attr[SE_REDUCED] = r;
    op.scratch_per_row = 4 * fields + 2 * r;
    op.param[0] = ca_graph_param_of(g, name, "squeeze.weight", r, fields, uniform(fields));
    op.param[1] = ca_graph_param_of(g, name, "squeeze.bias", r, 0, uniform(fields));
    op.param[2] = ca_graph_param_of(g, name, "excitation.weight", fields, r, uniform(r));
    op.param[3] = ca_graph_param_of(g, name, "excitation.bias", fields, 0, uniform(r));
    return ca_graph_add(g, &op, &v);
}

/* ---- bilinear pairs ---- */

enum { BI_FIELDS, BI_WIDTH };

/* out = q_i * v_j for i < j; q = W v per field, kept in scratch [rows, F d] for backward. */
CA_INLINE void pairs(size_t rows, size_t n_fields, size_t d, const ca_real *q, struct ca_mat v, struct ca_mat out)
{
    for (size_t r = 0; r < rows; r++) {
        const ca_real *restrict x = v.p + r * v.ld, *restrict qr = q + r * n_fields * d;
        ca_real *restrict y = out.p + r * out.ld;

        for (size_t i = 0; i + 1 < n_fields; i++)
            for (size_t j = i + 1; j < n_fields; j++, y += d)
                for (size_t k = 0; k < d; k++)
                    y[k] = qr[i * d + k] * x[j * d + k];
    }
}

/* dq_i = sum_j dp_ij * v_j; dv_j += dp_ij * q_i. dv may be null. */
CA_INLINE void pairs_back(size_t rows, size_t n_fields, size_t d, const ca_real *q, struct ca_mat v,
                          struct ca_mat dout, ca_real *dq, struct ca_mat dv, int fresh)
{
    for (size_t r = 0; r < rows; r++) {
        const ca_real *restrict x = v.p + r * v.ld, *restrict qr = q + r * n_fields * d;
        const ca_real *restrict dy = dout.p + r * dout.ld;
        ca_real *restrict dqr = dq + r * n_fields * d, *restrict dx = dv.p ? dv.p + r * dv.ld : NULL;

        for (size_t k = 0; k < n_fields * d; k++)
            dqr[k] = 0;
        for (size_t k = 0; dx && fresh && k < n_fields * d; k++)
            dx[k] = 0;
        for (size_t i = 0; i + 1 < n_fields; i++)
            for (size_t j = i + 1; j < n_fields; j++, dy += d) {
                for (size_t k = 0; k < d; k++)
                    dqr[i * d + k] += dy[k] * x[j * d + k];
                if (dx)
                    for (size_t k = 0; k < d; k++)
                        dx[j * d + k] += dy[k] * qr[i * d + k];
            }
    }
}

/* The loops with the usual widths known to the compiler. */
CA_CLONES static void pairs_forward(size_t rows, size_t f, size_t d, const ca_real *q, struct ca_mat v,
                                    struct ca_mat out)
{
    if (d == 16)
        pairs(rows, f, 16, q, v, out);
    else if (d == 8)
        pairs(rows, f, 8, q, v, out);
    else
        pairs(rows, f, d, q, v, out);
}

CA_CLONES static void pairs_backward(size_t rows, size_t f, size_t d, const ca_real *q, struct ca_mat v,
                                     struct ca_mat dout, ca_real *dq, struct ca_mat dv, int fresh)
{
    if (d == 16)
        pairs_back(rows, f, 16, q, v, dout, dq, dv, fresh);
    else if (d == 8)
        pairs_back(rows, f, 8, q, v, dout, dq, dv, fresh);
    else
        pairs_back(rows, f, d, q, v, dout, dq, dv, fresh);
}

/* A matrix [rows, F d] seen as [rows F, d] needs rows without gaps; else one product per field. */
static void bilinear_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[BI_FIELDS], d = op->attr[BI_WIDTH];
    const ca_real *w = c->param + op->param_at[0];

    if (c->in[0].ld == f * d)
        ca_gemm_nt(c->rows * f, d, d, c->in[0].p, d, w, d, 0, c->scratch, d);
    else
        for (size_t i = 0; i < f; i++)
            ca_gemm_nt(c->rows, d, d, c->in[0].p + i * d, c->in[0].ld, w, d, 0, c->scratch + i * d, f * d);
    pairs_forward(c->rows, f, d, c->scratch, c->in[0], c->out);
}

static void bilinear_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[BI_FIELDS], d = op->attr[BI_WIDTH];
    const ca_real *w = c->param + op->param_at[0], *v = c->in[0].p;
    ca_real *dq = c->scratch + c->rows * f * d;
    struct ca_mat dv = c->din[0];

    pairs_backward(c->rows, f, d, c->scratch, c->in[0], c->dout, dq, dv, c->fresh);
    if (c->dparam) {
        if (c->in[0].ld == f * d)
            ca_gemm_tn(d, d, c->rows * f, dq, d, v, d, 1, c->dparam + op->param_at[0], d);
        else
            for (size_t i = 0; i < f; i++)
                ca_gemm_tn(d, d, c->rows, dq + i * d, f * d, v + i * d, c->in[0].ld, 1, c->dparam + op->param_at[0], d);
    }
    if (dv.p) {
        if (dv.ld == f * d)
            ca_gemm_nn(c->rows * f, d, d, dq, d, w, d, 1, dv.p, d);
        else
            for (size_t i = 0; i < f; i++)
                ca_gemm_nn(c->rows, d, d, dq + i * d, f * d, w, d, 1, dv.p + i * d, dv.ld);
    }
}

static uint64_t bilinear_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->attr[BI_FIELDS] * op->attr[BI_WIDTH] * op->attr[BI_WIDTH] + op->out_width;
}

static const struct ca_op_type bilinear = {"bilinear_pairs", bilinear_forward, bilinear_backward, bilinear_flops,
                                           1};

ca_val ca_op_bilinear_pairs(struct ca_graph *g, ca_val v, const char *name, size_t fields)
{
    size_t n = ca_graph_width(g, v), d = fields ? n / fields : 0;
    struct ca_op op = {.type = &bilinear, .n_in = 1, .n_params = 1, .scratch_per_row = 2 * n};

    op.attr[BI_FIELDS] = fields;
    op.attr[BI_WIDTH] = d;
    op.out_width = fields ? fields * (fields - 1) / 2 * d : 0;
    op.param[0] = ca_graph_param_of(g, name, "weight", d, d, uniform(d));
    return ca_graph_add(g, &op, &v);
}
