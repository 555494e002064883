/* Complex numbers in plain and polar form, and the order vectors of EulerNet (specification: models 19). */
#include <stdio.h>

#include "nn/angle.h"
#include "nn/blas.h"
#include "nn/ops.h"
#include "nn/ops_angle.h"
#include "nn/ops_fields.h"

#include "base/banned.h"

#define LOG_EPS 1e-8        /* under the logarithm */
#define BIAS_DEVIATION 0.01 /* of the order vectors' biases at the start */
#define NAME_SIZE 256

/* ---- circle: param mu [1, F, 1], or none; scratch: cosines and sines where there is one ---- */

enum { C_FIELDS };

CA_CLONES static void circle_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[C_FIELDS], n = op->in_width[0], d = n / f;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict mu = c->param + op->param_at[0];
        ca_real *out = c->out.p + r * c->out.ld, *unit = op->n_params ? c->scratch + r * 2 * n : out;

        ca_sincos(n, c->in[0].p + r * c->in[0].ld, unit + n, unit);
        for (size_t i = 0; op->n_params && i < 2 * f; i++)
            for (size_t k = 0; k < d; k++)
                out[i * d + k] = mu[i % f] * unit[i * d + k];
    }
}

/* de = mu (-dre sin e + dim cos e); dmu = sum dre cos e + dim sin e */
CA_CLONES static void circle_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[C_FIELDS], n = op->in_width[0], d = n / f;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < f; i++) {
            const ca_real *unit = op->n_params ? c->scratch + r * 2 * n : c->out.p + r * c->out.ld;
            const ca_real *restrict co = unit + i * d, *restrict si = co + n;
            const ca_real *restrict dre = c->dout.p + r * c->dout.ld + i * d, *restrict dim = dre + n;
            ca_real *restrict de = c->din[0].p ? c->din[0].p + r * c->din[0].ld + i * d : NULL;
            ca_real mu = op->n_params ? c->param[op->param_at[0] + i] : 1;

            for (size_t k = 0; de && k < d; k++)
                de[k] += mu * (dim[k] * co[k] - dre[k] * si[k]);
            if (c->dparam && op->n_params)
                c->dparam[op->param_at[0] + i] += ca_dot(d, dre, co) + ca_dot(d, dim, si);
        }
}

/* Of one number: what is counted for a sine, a cosine, a logarithm, an angle. */
enum { TRANSCENDENTAL = 10 };

static uint64_t circle_flops(const struct ca_op *op)
{
    return 2 * TRANSCENDENTAL * (uint64_t)op->in_width[0];
}

static const struct ca_op_type circle = {"circle", circle_forward, circle_backward, circle_flops, 0};

ca_val ca_op_circle(struct ca_graph *g, ca_val e, const char *mu, size_t fields)
{
    size_t dim[3] = {1, fields, 1};
    struct ca_op op = {.type = &circle, .n_in = 1, .out_width = 2 * ca_graph_width(g, e), .attr = {fields}};

    if (mu) {
        op.n_params = 1;
        op.scratch_per_row = op.out_width;
        op.param[0] = ca_graph_param(g, mu, 3, dim, (struct ca_init_rule){CA_INIT_ONE, 0});
    }
    return ca_graph_add(g, &op, &e);
}

/* ---- logarithm ---- */

CA_CLONES static void log_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->out_width / 2;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict re = c->in[0].p + r * c->in[0].ld, *restrict im = re + n;
        ca_real *restrict a = c->out.p + r * c->out.ld, *restrict b = a + n;
        for (size_t i = 0; i < n; i++)
            a[i] = (ca_real)0.5 * ca_log(re[i] * re[i] + im[i] * im[i] + (ca_real)LOG_EPS);
        for (size_t i = 0; i < n; i++)
            b[i] = ca_atan2(im[i], re[i]);
    }
}

/* q = re^2 + im^2: dre += da re / (q + eps) - db im / q; dim += da im / (q + eps) + db re / q; at q = 0 nothing */
CA_CLONES static void log_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->out_width / 2;

    for (size_t r = 0; c->din[0].p && r < c->rows; r++) {
        const ca_real *restrict re = c->in[0].p + r * c->in[0].ld, *restrict im = re + n;
        const ca_real *restrict da = c->dout.p + r * c->dout.ld, *restrict db = da + n;
        ca_real *restrict dre = c->din[0].p + r * c->din[0].ld, *restrict dim = dre + n;
        for (size_t i = 0; i < n; i++) {
            ca_real q = re[i] * re[i] + im[i] * im[i];
            ca_real a = da[i] / (q + (ca_real)LOG_EPS), b = q > 0 ? db[i] / q : 0;

            dre[i] += a * re[i] - b * im[i];
            dim[i] += a * im[i] + b * re[i];
        }
    }
}

static uint64_t log_flops(const struct ca_op *op)
{
    return TRANSCENDENTAL * (uint64_t)op->out_width;
}

static const struct ca_op_type complex_log = {"complex_log", log_forward, log_backward, log_flops, 0};

ca_val ca_op_complex_log(struct ca_graph *g, ca_val z)
{
    struct ca_op op = {.type = &complex_log, .n_in = 1, .out_width = ca_graph_width(g, z)};

    return ca_graph_add(g, &op, &z);
}

/* ---- exponential ---- */

CA_CLONES static void exp_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->out_width / 2;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict a = c->in[0].p + r * c->in[0].ld;
        ca_real *restrict re = c->out.p + r * c->out.ld, *restrict im = re + n;

        ca_sincos(n, a + n, im, re);
        for (size_t i = 0; i < n; i++) {
            ca_real e = ca_exp(a[i]);
            re[i] *= e;
            im[i] *= e;
        }
    }
}

/* da = dre re + dim im; db = dim re - dre im */
CA_CLONES static void exp_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->out_width / 2;

    for (size_t r = 0; c->din[0].p && r < c->rows; r++) {
        const ca_real *restrict re = c->out.p + r * c->out.ld, *restrict im = re + n;
        const ca_real *restrict dre = c->dout.p + r * c->dout.ld, *restrict dim = dre + n;
        ca_real *restrict da = c->din[0].p + r * c->din[0].ld, *restrict db = da + n;
        for (size_t i = 0; i < n; i++) {
            da[i] += dre[i] * re[i] + dim[i] * im[i];
            db[i] += dim[i] * re[i] - dre[i] * im[i];
        }
    }
}

static uint64_t exp_flops(const struct ca_op *op)
{
    return 3 * TRANSCENDENTAL * (uint64_t)op->out_width / 2;
}

static const struct ca_op_type complex_exp = {"complex_exp", exp_forward, exp_backward, exp_flops, 0};

ca_val ca_op_complex_exp(struct ca_graph *g, ca_val z)
{
    struct ca_op op = {.type = &complex_exp, .n_in = 1, .out_width = ca_graph_width(g, z)};

    return ca_graph_add(g, &op, &z);
}

/* ---- order vectors: params O [from, to], two biases [1, d, to] ---- */

enum { O_FROM, O_TO, O_WIDTH };

static void orders_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t from = op->attr[O_FROM], to = op->attr[O_TO], d = op->attr[O_WIDTH];

    for (size_t r = 0; r < c->rows; r++)
        for (size_t half = 0; half < 2; half++) {
            const ca_real *b = c->param + op->param_at[1 + half], *x = c->in[0].p + r * c->in[0].ld + half * from * d;
            ca_real *y = c->out.p + r * c->out.ld + half * to * d;

            for (size_t o = 0; o < to; o++)
                for (size_t k = 0; k < d; k++)
                    y[o * d + k] = b[k * to + o];
            ca_gemm_tn(to, d, from, c->param + op->param_at[0], to, x, d, 1, y, d);
        }
}

static void orders_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t from = op->attr[O_FROM], to = op->attr[O_TO], d = op->attr[O_WIDTH];

    for (size_t r = 0; r < c->rows; r++)
        for (size_t half = 0; half < 2; half++) {
            const ca_real *x = c->in[0].p + r * c->in[0].ld + half * from * d;
            const ca_real *dy = c->dout.p + r * c->dout.ld + half * to * d;

            if (c->dparam) {
                ca_real *db = c->dparam + op->param_at[1 + half];
                ca_gemm_nt(from, to, d, x, d, dy, d, 1, c->dparam + op->param_at[0], to);
                for (size_t o = 0; o < to; o++)
                    for (size_t k = 0; k < d; k++)
                        db[k * to + o] += dy[o * d + k];
            }
            if (c->din[0].p)
                ca_gemm_nn(from, d, to, c->param + op->param_at[0], to, dy, d, 1,
                           c->din[0].p + r * c->din[0].ld + half * from * d, d);
        }
}

static uint64_t orders_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[0] * op->attr[O_TO];
}

static const struct ca_op_type orders = {"orders", orders_forward, orders_backward, orders_flops, 0};

ca_val ca_op_orders(struct ca_graph *g, ca_val x, const char *name, size_t from, size_t to)
{
    const struct ca_init_rule small = {CA_INIT_NORMAL, BIAS_DEVIATION};
    size_t d = from ? ca_graph_width(g, x) / (2 * from) : 0, dim[3] = {1, d, to};
    struct ca_op op = {.type = &orders, .n_in = 1, .out_width = 2 * to * d, .n_params = 3, .attr = {from, to, d}};
    struct ca_init_rule rule = {from == to ? CA_INIT_IDENTITY : CA_INIT_NEAR_ONE_HOT, (double)to};
    char part[NAME_SIZE];

    op.param[0] = ca_graph_param_of(g, name, "inter_orders", from, to, rule);
    (void)snprintf(part, sizeof part, "%.240s.bias_lam", name);
    op.param[1] = ca_graph_param(g, part, 3, dim, small);
    (void)snprintf(part, sizeof part, "%.240s.bias_theta", name);
    op.param[2] = ca_graph_param(g, part, 3, dim, small);
    return ca_graph_add(g, &op, &x);
}

/* ---- norm ---- */

ca_val ca_op_complex_norm(struct ca_graph *g, ca_val z, const char *name1, const char *name2, size_t parts)
{
    size_t n = ca_graph_width(g, z) / 2;
    ca_val half[2];

    half[0] = ca_op_field_norm(g, ca_op_range(g, z, 0, n), name1, parts);
    half[1] = ca_op_field_norm(g, ca_op_range(g, z, n, n), name2, parts);
    return ca_op_concat(g, half, 2);
}
