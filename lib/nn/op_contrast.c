/* Losses of representations (specification: models 18 and appendix B), and weighted sums of outputs. */
#include <math.h>
#include <string.h>

#include "nn/ops_contrast.h"
#include "nn/simd.h"

#include "base/banned.h"

/* ---- blend ---- */

CA_CLONES static void blend_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        ca_real *y = c->out.p + r * c->out.ld;

        memset(y, 0, op->out_width * sizeof *y);
        for (size_t i = 0; i < op->n_in; i++)
            ca_axpy(op->out_width, (ca_real)op->number[i], c->in[i].p + r * c->in[i].ld, y);
    }
}

CA_CLONES static void blend_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < op->n_in; i++)
            if (c->din[i].p)
                ca_axpy(op->out_width, (ca_real)op->number[i], c->dout.p + r * c->dout.ld,
                        c->din[i].p + r * c->din[i].ld);
}

static const struct ca_op_type blend = {.name = "blend", .forward = blend_forward, .backward = blend_backward};

ca_val ca_op_blend(struct ca_graph *g, const ca_val *x, const double *weight, size_t n)
{
    struct ca_op op = {.type = &blend, .n_in = n, .out_width = ca_graph_width(g, x[0])};

    if (n > sizeof op.number / sizeof *op.number) {
        ca_graph_refuse(g, "a blend has too many values");
        return x[0];
    }
    for (size_t i = 0; i < n; i++) {
        op.number[i] = weight[i];
        if (ca_graph_width(g, x[i]) != op.out_width)
            ca_graph_refuse(g, "values of different widths are blended");
    }
    return ca_graph_add(g, &op, x);
}

/* ---- square distance ---- */

CA_CLONES static void distance_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *a = c->in[0].p + r * c->in[0].ld, *b = c->in[1].p + r * c->in[1].ld;
        ca_real sum = 0;

        for (size_t k = 0; k < op->in_width[0]; k++)
            sum += (a[k] - b[k]) * (a[k] - b[k]);
        c->out.p[r * c->out.ld] = sum;
    }
}

CA_CLONES static void distance_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *a = c->in[0].p + r * c->in[0].ld, *b = c->in[1].p + r * c->in[1].ld;
        ca_real twice = 2 * c->dout.p[r * c->dout.ld];

        for (size_t k = 0; c->din[0].p && k < op->in_width[0]; k++)
            c->din[0].p[r * c->din[0].ld + k] += twice * (a[k] - b[k]);
        for (size_t k = 0; c->din[1].p && k < op->in_width[0]; k++)
            c->din[1].p[r * c->din[1].ld + k] -= twice * (a[k] - b[k]);
    }
}

static uint64_t distance_flops(const struct ca_op *op)
{
    return 3 * (uint64_t)op->in_width[0];
}

static const struct ca_op_type distance = {.name = "square distance", .forward = distance_forward,
                                           .backward = distance_backward, .flops = distance_flops};

ca_val ca_op_square_distance(struct ca_graph *g, ca_val a, ca_val b)
{
    struct ca_op op = {.type = &distance, .n_in = 2, .out_width = 1};

    if (ca_graph_width(g, a) != ca_graph_width(g, b))
        ca_graph_refuse(g, "the distance of values of different widths");
    return ca_graph_add(g, &op, (ca_val[2]){a, b});
}

/* ---- alignment ---- */

enum { FIELDS };

/*
 * With S the sum of all rows and a = 2 / (F (B - 1)), row b gives a (B |e_b|^2 - <e_b, S>), of which the mean is the
 * loss. S depends on every row, so de_b = g_b a (2 B e_b - S) - a sum_c g_c e_c.
 */
static double align_scale(const struct ca_op *op, const struct ca_ctx *c)
{
    return c->training && c->batch_rows > 1 ? 2 / ((double)op->attr[FIELDS] * (double)(c->batch_rows - 1)) : 0;
}

static void align_gather(const struct ca_op *op, const struct ca_ctx *c, double *sum)
{
    for (size_t r = 0; r < c->rows; r++)
        for (size_t k = 0; k < op->in_width[0]; k++)
            sum[k] += (double)c->in[0].p[r * c->in[0].ld + k];
}

static void align_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    double a = align_scale(op, c), rows = (double)c->batch_rows;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *e = c->in[0].p + r * c->in[0].ld;
        double sum = 0;

        for (size_t k = 0; a > 0 && k < op->in_width[0]; k++)
            sum += (double)e[k] * (rows * (double)e[k] - c->stats[k]);
        c->out.p[r * c->out.ld] = (ca_real)(a * sum);
    }
}

static void align_gather_back(const struct ca_op *op, const struct ca_ctx *c, double *sum)
{
    for (size_t r = 0; r < c->rows; r++) {
        double g = (double)c->dout.p[r * c->dout.ld];

        for (size_t k = 0; k < op->in_width[0]; k++)
            sum[k] += g * (double)c->in[0].p[r * c->in[0].ld + k];
    }
}

static void align_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    double a = align_scale(op, c), rows = (double)c->batch_rows;

    for (size_t r = 0; r < c->rows && c->din[0].p; r++) {
        const ca_real *e = c->in[0].p + r * c->in[0].ld;
        ca_real *de = c->din[0].p + r * c->din[0].ld;
        double g = (double)c->dout.p[r * c->dout.ld];

        for (size_t k = 0; k < op->in_width[0]; k++)
            de[k] += (ca_real)(a * (g * (2 * rows * (double)e[k] - c->stats[k]) - c->back_stats[k]));
    }
}

static uint64_t align_flops(const struct ca_op *op)
{
    return 3 * (uint64_t)op->in_width[0];
}

static const struct ca_op_type align = {.name = "alignment", .forward = align_forward, .backward = align_backward,
                                        .flops = align_flops};
static const struct ca_op_batch align_batch = {.gather = align_gather, .gather_back = align_gather_back};

ca_val ca_op_align(struct ca_graph *g, ca_val v, size_t fields)
{
    struct ca_op op = {.type = &align, .batch = &align_batch, .n_in = 1, .out_width = 1, .attr = {fields}};

    op.n_stats = op.n_back_stats = ca_graph_width(g, v);
    return ca_graph_add(g, &op, &v);
}

/* ---- uniformity ---- */

#define UNIFORM_EPS ((ca_real)1e-4)

/* scratch: lengths of the vectors, [F] by row */
CA_CLONES static void uniform_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[FIELDS], d = op->in_width[0] / f;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *v = c->in[0].p + r * c->in[0].ld;
        ca_real *length = c->scratch + r * f, sum = 0;

        for (size_t i = 0; i < f; i++) {
            ca_real square = ca_dot(d, v + i * d, v + i * d);

            length[i] = (ca_real)sqrt((double)square);
            sum += square / (length[i] * length[i] + UNIFORM_EPS);
            for (size_t j = 0; j < i; j++)
                sum += 2 * ca_dot(d, v + i * d, v + j * d) / (length[i] * length[j] + UNIFORM_EPS);
        }
        c->out.p[r * c->out.ld] = sum / (ca_real)(f * f);
    }
}

/* de_i = 2 / F^2 sum_j (e_j / D_ij - <e_i, e_j> n_j e_i / (n_i D_ij^2)), D_ij = n_i n_j + eps; the length of 0 has no slope */
CA_CLONES static void uniform_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t f = op->attr[FIELDS], d = op->in_width[0] / f;

    for (size_t r = 0; r < c->rows && c->din[0].p; r++) {
        const ca_real *v = c->in[0].p + r * c->in[0].ld, *length = c->scratch + r * f;
        ca_real *dv = c->din[0].p + r * c->din[0].ld, g = 2 * c->dout.p[r * c->dout.ld] / (ca_real)(f * f);

        for (size_t i = 0; i < f; i++) {
            ca_real own = 0;

            for (size_t j = 0; j < f; j++) {
                ca_real over = 1 / (length[i] * length[j] + UNIFORM_EPS);

                own += ca_dot(d, v + i * d, v + j * d) * length[j] * over * over;
                ca_axpy(d, g * over, v + j * d, dv + i * d);
            }
            if (length[i] > 0)
                ca_axpy(d, -g * own / length[i], v + i * d, dv + i * d);
        }
    }
}

static uint64_t uniform_flops(const struct ca_op *op)
{
    return (uint64_t)op->attr[FIELDS] * op->in_width[0] + 2 * (uint64_t)op->attr[FIELDS] * op->attr[FIELDS];
}

static const struct ca_op_type uniform = {.name = "uniformity", .forward = uniform_forward,
                                          .backward = uniform_backward, .flops = uniform_flops};

ca_val ca_op_uniform(struct ca_graph *g, ca_val v, size_t fields)
{
    struct ca_op op = {.type = &uniform, .n_in = 1, .out_width = 1, .attr = {fields}, .scratch_per_row = fields};

    return ca_graph_add(g, &op, &v);
}
