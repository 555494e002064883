/* What models of the FuxiCTR family begin with: fields of numeric features, the first-order term, a bias. */
#include <stdio.h>
#include <string.h>

#include "nn/ops.h"
#include "nn/ops_batch.h"
#include "nn/ops_cross.h"
#include "nn/simd.h"

#include "base/banned.h"

#define NAME_SIZE 448

/* ---- bias: param 0 [n] ---- */

CA_CLONES static void bias_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    const ca_real *restrict b = c->param + op->param_at[0];

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict x = c->in[0].p + r * c->in[0].ld;
        ca_real *restrict y = c->out.p + r * c->out.ld;
        for (size_t i = 0; i < op->out_width; i++)
            y[i] = x[i] + b[i];
    }
}

CA_CLONES static void bias_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *dy = c->dout.p + r * c->dout.ld;
        if (c->dparam)
            ca_add(op->out_width, dy, c->dparam + op->param_at[0]);
        if (c->din[0].p)
            ca_add(op->out_width, dy, c->din[0].p + r * c->din[0].ld);
    }
}

static const struct ca_op_type bias_type = {.name = "bias", .forward = bias_forward, .backward = bias_backward};

ca_val ca_op_bias(struct ca_graph *g, ca_val x, const char *name)
{
    size_t n = ca_graph_width(g, x), dim[3] = {n, 1, 1};
    struct ca_op op = {.type = &bias_type, .n_in = 1, .out_width = n, .n_params = 1};

    op.param[0] = ca_graph_param(g, name, 1, dim, (struct ca_init_rule){CA_INIT_ZERO, 0});
    return ca_graph_add(g, &op, &x);
}

/* ---- numeric fields: param 0 is the first of N maps [d], which lie one behind another ---- */

CA_CLONES static void numeric_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->in_width[0], d = op->out_width / n;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *restrict w = c->param + op->param_at[0], *restrict x = c->in[0].p + r * c->in[0].ld;
        ca_real *restrict y = c->out.p + r * c->out.ld;
        for (size_t i = 0; i < n; i++, w += d, y += d)
            for (size_t k = 0; k < d; k++)
                y[k] = x[i] * w[k];
    }
}

CA_CLONES static void numeric_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->in_width[0], d = op->out_width / n;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *x = c->in[0].p + r * c->in[0].ld, *dy = c->dout.p + r * c->dout.ld;
        for (size_t i = 0; i < n; i++, dy += d) {
            if (c->dparam)
                ca_axpy(d, x[i], dy, c->dparam + op->param_at[0] + i * d);
            if (c->din[0].p)
                c->din[0].p[r * c->din[0].ld + i] += ca_dot(d, dy, c->param + op->param_at[0] + i * d);
        }
    }
}

static uint64_t numeric_flops(const struct ca_op *op)
{
    return op->out_width;
}

static const struct ca_op_type numeric_type = {
    .name = "embed_numeric", .forward = numeric_forward, .backward = numeric_backward, .flops = numeric_flops};

ca_val ca_op_embed_numeric(struct ca_graph *g, const char *prefix, size_t width)
{
    const struct ca_inputs *in = ca_graph_inputs(g);
    ca_val x = ca_graph_numeric(g);
    struct ca_op op = {.type = &numeric_type, .n_in = 1, .out_width = in->n_numeric * width, .n_params = 1};
    char name[NAME_SIZE];

    for (size_t i = 0; i < in->n_numeric; i++) {
        size_t p;
        int used = in->numeric_name ? snprintf(name, sizeof name, "%s.%s", prefix, in->numeric_name[i])
                                    : snprintf(name, sizeof name, "%s.%zu", prefix, i);
        if (used < 0 || (size_t)used + sizeof ".weight" > sizeof name)
            ca_graph_refuse(g, "the name of a numeric feature is too long for a tensor");
        p = ca_graph_param_of(g, name, "weight", width, 1, ca_init_xavier(1, width));
        if (!i)
            op.param[0] = p;
    }
    return ca_graph_add(g, &op, &x);
}

/* ---- fields and first-order term ---- */

/* Joins in[n], n of any size: an operator takes so many inputs at a time. */
static ca_val join(struct ca_graph *g, ca_val *in, size_t n)
{
    while (n > CA_OP_MAX_INPUTS) {
        in[n - CA_OP_MAX_INPUTS] = ca_op_concat(g, in + n - CA_OP_MAX_INPUTS, CA_OP_MAX_INPUTS);
        n -= CA_OP_MAX_INPUTS - 1;
    }
    return n == 1 ? in[0] : ca_op_concat(g, in, n);
}

ca_val ca_op_fx_fields(struct ca_graph *g, const char *name, size_t width, int shared)
{
    const struct ca_inputs *inputs = ca_graph_inputs(g);
    char prefix[NAME_SIZE];
    ca_val in[2 + CA_SEQUENCES_MAX], fields;
    size_t n = 0;

    (void)snprintf(prefix, sizeof prefix, "%s.embedding_layer.embedding_layers", name);
    if (inputs->n_numeric)
        in[n++] = ca_op_embed_numeric(g, prefix, width);
    if (inputs->n_fields)
        in[n++] = fields = ca_graph_embed_fx(g, prefix, width);
    if (inputs->n_sequences > CA_SEQUENCES_MAX)
        ca_graph_refuse(g, "more sequences than a model takes");
    for (size_t s = 0; s < inputs->n_sequences && s < CA_SEQUENCES_MAX && inputs->n_fields; s++)
        in[n++] = ca_op_masked_mean(g, ca_graph_embed_sequence(g, fields, s, shared), inputs->sequence[s].length);
    return join(g, in, n);
}

ca_val ca_op_fx_lr(struct ca_graph *g, const char *name, int bias)
{
    char part[NAME_SIZE];
    ca_val s;

    (void)snprintf(part, sizeof part, "%s.embedding_layer", name);
    s = ca_op_part_sums(g, ca_op_fx_fields(g, part, 1, 0), 1);
    if (!bias)
        return s;
    (void)snprintf(part, sizeof part, "%s.bias", name);
    return ca_op_bias(g, s, part);
}
