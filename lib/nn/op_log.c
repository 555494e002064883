/* Logarithmic neurons of AFN (specification: models 15): logarithms of the vectors, and exponentials of their mixtures. */
#include <math.h>

#include "nn/blas.h"
#include "nn/lanes.h"
#include "nn/ops_cross.h"

#include "base/banned.h"

#define LOG_LEAST ((ca_real)1e-5)

/* ---- logarithm of the size ---- */

static void log_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++)
        for (size_t k = 0; k < op->out_width; k++) {
            double size = fabs((double)c->in[0].p[r * c->in[0].ld + k]);

            c->out.p[r * c->out.ld + k] = (ca_real)log(size > (double)LOG_LEAST ? size : (double)LOG_LEAST);
        }
}

CA_CLONES static void log_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows && c->din[0].p; r++) {
        const ca_real *x = c->in[0].p + r * c->in[0].ld, *dy = c->dout.p + r * c->dout.ld;
        ca_real *dx = c->din[0].p + r * c->din[0].ld;

        for (size_t k = 0; k < op->out_width; k++)
            dx[k] += x[k] >= LOG_LEAST || x[k] <= -LOG_LEAST ? dy[k] / x[k] : 0;
    }
}

static uint64_t log_flops(const struct ca_op *op)
{
    return op->out_width;
}

static const struct ca_op_type log_type = {.name = "logarithm", .forward = log_forward, .backward = log_backward,
                                           .flops = log_flops};

ca_val ca_op_log_size(struct ca_graph *g, ca_val x)
{
    struct ca_op op = {.type = &log_type, .n_in = 1, .out_width = ca_graph_width(g, x)};

    return ca_graph_add(g, &op, &x);
}

/* ---- exp(W l) over fields: param 0 W [J, F]; scratch of backward: do [J d] of one row ---- */

enum { NEURONS, WIDTH };

CA_CLONES static void neurons_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t j = op->attr[NEURONS], d = op->attr[WIDTH], f = op->in_width[0] / d;

    for (size_t r = 0; r < c->rows; r++) {
        ca_real *y = c->out.p + r * c->out.ld;

        ca_gemm_nn(j, d, f, c->param + op->param_at[0], f, c->in[0].p + r * c->in[0].ld, d, 0, y, d);
        for (size_t k = 0; k < j * d; k++)
            y[k] = ca_exp(y[k]);
    }
}

CA_CLONES static void neurons_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t j = op->attr[NEURONS], d = op->attr[WIDTH], f = op->in_width[0] / d;
    ca_real *u = c->scratch;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *y = c->out.p + r * c->out.ld, *dy = c->dout.p + r * c->dout.ld;

        for (size_t k = 0; k < j * d; k++)
            u[k] = dy[k] * y[k];
        if (c->dparam)
            ca_gemm_nt(j, f, d, u, d, c->in[0].p + r * c->in[0].ld, d, 1, c->dparam + op->param_at[0], f);
        if (c->din[0].p)
            ca_gemm_tn(f, d, j, c->param + op->param_at[0], f, u, d, 1, c->din[0].p + r * c->din[0].ld, d);
    }
}

static uint64_t neurons_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->attr[NEURONS] * op->in_width[0] + op->out_width;
}

static const struct ca_op_type neurons = {.name = "logarithmic neurons", .forward = neurons_forward,
                                          .backward = neurons_backward, .flops = neurons_flops};

ca_val ca_op_log_neurons(struct ca_graph *g, ca_val l, const char *name, size_t fields, size_t n)
{
    size_t d = fields ? ca_graph_width(g, l) / fields : 0;
    struct ca_op op = {.type = &neurons, .n_in = 1, .n_params = 1, .out_width = n * d, .attr = {n, d},
                       .scratch_per_row = n * d / CA_CHUNK_ROWS_LEAST + 1};

    op.param[0] = ca_graph_param_of(g, name, "weight", n, fields, ca_graph_weight_init(g, fields, n));
    return ca_graph_add(g, &op, &l);
}
