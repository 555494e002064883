/* Sums: of values, and of all pairs of fields (the second-order term of FM, bi-interaction pooling of NFM). */
#include <string.h>

#include "nn/ops.h"
#include "nn/simd.h"

#include "base/banned.h"

/* ---- sum of values ---- */

CA_CLONES static void sum_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        ca_real *y = c->out.p + r * c->out.ld;

        memcpy(y, c->in[0].p + r * c->in[0].ld, op->out_width * sizeof *y);
        for (size_t i = 1; i < op->n_in; i++)
            ca_add(op->out_width, c->in[i].p + r * c->in[i].ld, y);
    }
}

CA_CLONES static void sum_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t i = 0; i < op->n_in; i++)
        for (size_t r = 0; c->din[i].p && r < c->rows; r++)
            ca_add(op->out_width, c->dout.p + r * c->dout.ld, c->din[i].p + r * c->din[i].ld);
}

static uint64_t sum_flops(const struct ca_op *op)
{
    return (uint64_t)(op->n_in - 1) * op->out_width;
}

static const struct ca_op_type sum_type = {"sum", sum_forward, sum_backward, sum_flops, 0};

ca_val ca_op_sum(struct ca_graph *g, const ca_val *in, size_t n)
{
    struct ca_op op = {.type = &sum_type, .n_in = n, .out_width = ca_graph_width(g, in[0])};

    for (size_t i = 1; i < n; i++)
        if (ca_graph_width(g, in[i]) != op.out_width)
            ca_graph_refuse(g, "a sum of values of different widths");
    return ca_graph_add(g, &op, in);
}

/* ---- pairs of fields, summed: scratch [rows, d], the sum of the fields ---- */

enum { POOL_FIELDS };

CA_CLONES static void pair_pool_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t d = op->out_width;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict v = c->in[0].p + r * c->in[0].ld;
        ca_real *restrict sum = c->scratch + r * d, *restrict z = c->out.p + r * c->out.ld;

        memset(sum, 0, d * sizeof *sum);
        memset(z, 0, d * sizeof *z);
        for (size_t f = 0; f < op->attr[POOL_FIELDS]; f++)
            for (size_t k = 0; k < d; k++) {
                sum[k] += v[f * d + k];
                z[k] += v[f * d + k] * v[f * d + k];
            }
        for (size_t k = 0; k < d; k++)
            z[k] = (ca_real)0.5 * (sum[k] * sum[k] - z[k]);
    }
}

/* dv_f += dz (sum - v_f) */
CA_CLONES static void pair_pool_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t d = op->out_width;

    for (size_t r = 0; c->din[0].p && r < c->rows; r++) {
        const ca_real *restrict v = c->in[0].p + r * c->in[0].ld, *restrict dz = c->dout.p + r * c->dout.ld;
        const ca_real *restrict sum = c->scratch + r * d;
        ca_real *restrict dv = c->din[0].p + r * c->din[0].ld;

        for (size_t f = 0; f < op->attr[POOL_FIELDS]; f++)
            for (size_t k = 0; k < d; k++)
                dv[f * d + k] += dz[k] * (sum[k] - v[f * d + k]);
    }
}

static uint64_t pair_pool_flops(const struct ca_op *op)
{
    return 3 * (uint64_t)op->in_width[0] + 3 * op->out_width;
}

static const struct ca_op_type pair_pool = {"pair_pool", pair_pool_forward, pair_pool_backward, pair_pool_flops, 0};

ca_val ca_op_pair_pool(struct ca_graph *g, ca_val v, size_t fields)
{
    size_t n = ca_graph_width(g, v), d = fields ? n / fields : 0;
    struct ca_op op = {.type = &pair_pool, .n_in = 1, .out_width = d, .scratch_per_row = d, .attr = {fields}};

    return ca_graph_add(g, &op, &v);
}
