/* What training does to a whole batch and inference does not: batch norm, Dice, dropout (specification: models 0.2, 0.3). */
#include <math.h>
#include <stdio.h>

#include "nn/lanes.h"
#include "nn/mask.h"
#include "nn/ops_batch.h"

#include "base/banned.h"

/* ---- batch norm: param 0 weight [C], 1 bias [C] (or none); buffers running_mean, running_var ---- */

enum { CHANNELS, LENGTH, REPEATS };  /* attr: a row is C channels of L numbers, so many times */
enum { EPS, MOMENTUM };            /* number */
enum { MEAN, VARIANCE, N_MOMENTS}; /* stats: [C] each; in the making, sums and sums of squares */

/* A row is as many blocks of all channels as there are repeats. */
static size_t blocks(const struct ca_op *op, const struct ca_ctx *c)
{
    return c->rows * op->attr[REPEATS];
}

static ca_real *block(const struct ca_op *op, const struct ca_mat *m, size_t i)
{
    return m->p + i / op->attr[REPEATS] * m->ld + i % op->attr[REPEATS] * (op->attr[CHANNELS] * op->attr[LENGTH]);
}

/* In scratch, [C] each, from forward to backward: mean and 1 / sqrt(variance + eps). */
static ca_real *channel_means(const struct ca_ctx *c)
{
    return c->scratch;
}

static ca_real *channel_rates(const struct ca_op *op, const struct ca_ctx *c)
{
    return c->scratch + op->attr[CHANNELS];
}

static void norm_moments(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[CHANNELS];

    for (size_t i = 0; i < n; i++) {
        double mean = c->training ? c->stats[MEAN * n + i] : (double)c->buffer[op->buffer_at[0] + i];
        double variance = c->training ? c->stats[VARIANCE * n + i] : (double)c->buffer[op->buffer_at[1] + i];

        channel_means(c)[i] = (ca_real)mean;
        channel_rates(op, c)[i] = (ca_real)(1 / sqrt(variance + op->number[EPS]));
    }
}

CA_INLINE void norm_row(size_t n, const ca_real *restrict x, const ca_real *restrict mean, const ca_real *restrict rate,
                        const ca_real *restrict gain, const ca_real *restrict shift, ca_real *restrict y)
{
    if (gain)
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - mean[i]) * rate[i] * gain[i] + shift[i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - mean[i]) * rate[i];
}

CA_CLONES static void norm_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[CHANNELS], length = op->attr[LENGTH];
    const ca_real *mean = channel_means(c), *rate = channel_rates(op, c);
    const ca_real *gain = op->n_params ? c->param + op->param_at[0] : NULL;
    const ca_real *shift = op->n_params ? c->param + op->param_at[1] : NULL;

    norm_moments(op, c);
    for (size_t r = 0; r < blocks(op, c); r++) {
        const ca_real *x = block(op, &c->in[0], r);
        ca_real *y = block(op, &c->out, r);

        if (length == 1) {
            norm_row(n, x, mean, rate, gain, shift, y);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            for (size_t k = i * length; k < (i + 1) * length; k++)
                y[k] = (x[k] - mean[i]) * rate[i] * (gain ? gain[i] : 1) + (shift ? shift[i] : 0);
    }
}

static void norm_gather(const struct ca_op *op, const struct ca_ctx *c, double *sum)
{
    size_t n = op->attr[CHANNELS], length = op->attr[LENGTH];

    for (size_t r = 0; r < blocks(op, c); r++) {
        const ca_real *x = block(op, &c->in[0], r);

        for (size_t i = 0; i < n; i++)
            for (size_t k = i * length; k < (i + 1) * length; k++) {
                sum[MEAN * n + i] += (double)x[k];
                sum[VARIANCE * n + i] += (double)x[k] * (double)x[k];
            }
    }
}

/* In double, so that a mean of thousands of deviations still leaves the variance its digits. */
static void norm_settle(const struct ca_op *op, double *sum, size_t rows)
{
    size_t n = op->attr[CHANNELS];
    double m = (double)rows * (double)(op->attr[LENGTH] * op->attr[REPEATS]);

    for (size_t i = 0; i < n; i++) {
        double mean = sum[MEAN * n + i] / m, variance = sum[VARIANCE * n + i] / m - mean * mean;

        sum[MEAN * n + i] = mean;
        sum[VARIANCE * n + i] = variance > 0 ? variance : 0;
    }
}

/* Running statistics take the unbiased variance; a single number has none, and counts as it is. */
static void norm_keep(const struct ca_op *op, const double *stats, size_t rows, ca_real *buffer)
{
    size_t n = op->attr[CHANNELS];
    double m = (double)rows * (double)(op->attr[LENGTH] * op->attr[REPEATS]), a = op->number[MOMENTUM];

    for (size_t i = 0; i < n; i++) {
        ca_real *mean = buffer + op->buffer_at[0] + i, *variance = buffer + op->buffer_at[1] + i;

        *mean = (ca_real)((1 - a) * (double)*mean + a * stats[MEAN * n + i]);
        *variance = (ca_real)((1 - a) * (double)*variance + a * stats[VARIANCE * n + i] * (m > 1 ? m / (m - 1) : 1));
    }
}

/* sums of dy and of dy * xh, where xh is the normed x before weight and bias */
static void norm_gather_back(const struct ca_op *op, const struct ca_ctx *c, double *sum)
{
    size_t n = op->attr[CHANNELS], length = op->attr[LENGTH];
    const ca_real *mean = channel_means(c), *rate = channel_rates(op, c);

    for (size_t r = 0; r < blocks(op, c); r++) {
        const ca_real *x = block(op, &c->in[0], r), *dy = block(op, &c->dout, r);

        for (size_t i = 0; i < n; i++)
            for (size_t k = i * length; k < (i + 1) * length; k++) {
                sum[i] += (double)dy[k];
                sum[n + i] += (double)dy[k] * (double)((x[k] - mean[i]) * rate[i]);
            }
    }
}

static void norm_params_back(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[CHANNELS], length = op->attr[LENGTH];
    const ca_real *mean = channel_means(c), *rate = channel_rates(op, c);
    ca_real *dgain = c->dparam + op->param_at[0], *dshift = c->dparam + op->param_at[1];

    for (size_t r = 0; r < blocks(op, c); r++) {
        const ca_real *x = block(op, &c->in[0], r), *dy = block(op, &c->dout, r);

        for (size_t i = 0; i < n; i++)
            for (size_t k = i * length; k < (i + 1) * length; k++) {
                dgain[i] += dy[k] * (x[k] - mean[i]) * rate[i];
                dshift[i] += dy[k];
            }
    }
}

CA_CLONES static void norm_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->attr[CHANNELS], length = op->attr[LENGTH];
    const ca_real *mean = channel_means(c), *rate = channel_rates(op, c);
    const ca_real *gain = op->n_params ? c->param + op->param_at[0] : NULL;
    double m = (double)c->batch_rows * (double)(length * op->attr[REPEATS]);

    if (c->dparam && op->n_params)
        norm_params_back(op, c);
    for (size_t r = 0; r < blocks(op, c) && c->din[0].p; r++) {
        const ca_real *x = block(op, &c->in[0], r), *dy = block(op, &c->dout, r);
        ca_real *dx = block(op, &c->din[0], r);

        for (size_t i = 0; i < n; i++) {
            ca_real a = gain ? gain[i] * rate[i] : rate[i];
            ca_real dy_mean = (ca_real)(c->back_stats[i] / m), product = (ca_real)(c->back_stats[n + i] / m);

            for (size_t k = i * length; k < (i + 1) * length; k++)
                dx[k] += a * (dy[k] - dy_mean - (x[k] - mean[i]) * rate[i] * product);
        }
    }
}

static uint64_t norm_flops(const struct ca_op *op)
{
    return 4 * (uint64_t)op->out_width;
}

static const struct ca_op_type norm_type = {.name = "batch norm", .forward = norm_forward, .backward = norm_backward,
                                            .flops = norm_flops};
static const struct ca_op_batch norm_batch = {.gather = norm_gather, .settle = norm_settle,
                                              .gather_back = norm_gather_back, .keep = norm_keep};

ca_val ca_op_batch_norm(struct ca_graph *g, ca_val x, const char *name, size_t channels, const struct ca_batch_norm *how)
{
    size_t repeats = how->repeats ? how->repeats : 1, width = ca_graph_width(g, x), part = width / repeats;
    size_t n = channels ? channels : part;
    struct ca_op op = {.type = &norm_type, .batch = &norm_batch, .n_in = 1, .out_width = width};

    if (width % repeats || (n && part % n))
        ca_graph_refuse(g, "batch norm: the width is no multiple of the channels");
    op.attr[CHANNELS] = n;
    op.attr[LENGTH] = n ? part / n : 0;
    op.attr[REPEATS] = repeats;
    op.number[EPS] = how->eps;
    op.number[MOMENTUM] = how->momentum;
    if (how->affine) {
        op.param[op.n_params++] = ca_graph_param_of(g, name, "weight", n, 0, (struct ca_init_rule){CA_INIT_ONE, 0});
        op.param[op.n_params++] = ca_graph_param_of(g, name, "bias", n, 0, (struct ca_init_rule){CA_INIT_ZERO, 0});
    }
    op.buffer[op.n_buffers++] = ca_graph_buffer_of(g, name, "running_mean", n, 0);
    op.buffer[op.n_buffers++] = ca_graph_buffer_of(g, name, "running_var", n, 1);
    op.n_stats = N_MOMENTS * n;
    op.n_back_stats = 2 * n;
    op.scratch_per_row = 2 * n / CA_CHUNK_ROWS_LEAST + 1;
    return ca_graph_add(g, &op, &x);
}

const struct ca_batch_norm ca_batch_norm_default = {.affine = 1, .eps = 1e-5, .momentum = 0.1};

/* ---- Dice: y = x (p + a (1 - p)), p = sigmoid(xh); param 0 a [n]; in 0 x, in 1 xh ---- */

enum { PARTS };

CA_CLONES static void dice_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->out_width / op->attr[PARTS];
    const ca_real *restrict a = c->param + op->param_at[0];

    for (size_t r = 0; r < c->rows; r++)
        for (size_t at = 0; at < op->out_width; at += n) {
            const ca_real *restrict x = c->in[0].p + r * c->in[0].ld + at;
            const ca_real *restrict xh = c->in[1].p + r * c->in[1].ld + at;
            ca_real *restrict y = c->out.p + r * c->out.ld + at;

            for (size_t i = 0; i < n; i++) {
                ca_real p = 1 / (1 + ca_exp(-xh[i]));
                y[i] = x[i] * (p + a[i] * (1 - p));
            }
        }
}

CA_CLONES static void dice_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t n = op->out_width / op->attr[PARTS];
    const ca_real *restrict a = c->param + op->param_at[0];
    ca_real *restrict da = c->dparam ? c->dparam + op->param_at[0] : NULL;

    for (size_t r = 0; r < c->rows; r++)
        for (size_t at = 0; at < op->out_width; at += n) {
            const ca_real *restrict x = c->in[0].p + r * c->in[0].ld + at;
            const ca_real *restrict xh = c->in[1].p + r * c->in[1].ld + at;
            const ca_real *restrict dy = c->dout.p + r * c->dout.ld + at;
            ca_real *restrict dx = c->din[0].p ? c->din[0].p + r * c->din[0].ld + at : NULL;
            ca_real *restrict dxh = c->din[1].p ? c->din[1].p + r * c->din[1].ld + at : NULL;

            for (size_t i = 0; i < n; i++) {
                ca_real p = 1 / (1 + ca_exp(-xh[i]));

                if (da)
                    da[i] += dy[i] * x[i] * (1 - p);
                if (dx)
                    dx[i] += dy[i] * (p + a[i] * (1 - p));
                if (dxh)
                    dxh[i] += dy[i] * x[i] * (1 - a[i]) * p * (1 - p);
            }
        }
}

static uint64_t dice_flops(const struct ca_op *op)
{
    return 10 * (uint64_t)op->out_width;
}

static const struct ca_op_type dice_type = {.name = "dice", .forward = dice_forward, .backward = dice_backward,
                                            .flops = dice_flops};

ca_val ca_op_dice(struct ca_graph *g, ca_val x, const char *name, size_t parts)
{
    const struct ca_batch_norm how = {.affine = 0, .eps = 1e-9, .momentum = 0.01, .repeats = parts};
    char inner[448];
    struct ca_op op = {.type = &dice_type, .n_in = 2, .n_params = 1, .out_width = ca_graph_width(g, x), .attr = {parts}};
    ca_val in[2] = {x, {0}};

    (void)snprintf(inner, sizeof inner, "%.400s.bn", name);
    in[1] = ca_op_batch_norm(g, x, inner, 0, &how);
    if (!parts || op.out_width % parts)
        ca_graph_refuse(g, "Dice: the width is no multiple of the parts");
    op.param[0] = ca_graph_param_of(g, name, "alpha", parts ? op.out_width / parts : 0, 0, (struct ca_init_rule){CA_INIT_ZERO, 0});
    return ca_graph_add(g, &op, in);
}

/* ---- dropout ---- */

enum { RATE };

/* to = from * mask, or to += */
CA_INLINE void drop(const struct ca_op *op, const struct ca_ctx *c, const struct ca_mat *from, const struct ca_mat *to,
                    int add)
{
    for (size_t r = 0; r < c->rows; r++) {
        struct ca_mask m = ca_mask_of(c->key, c->first + r, op->number[RATE]);
        const ca_real *restrict x = from->p + r * from->ld;
        ca_real *restrict y = to->p + r * to->ld;

        for (size_t i = 0; i < op->out_width; i++) {
            ca_real kept = x[i] * ca_mask_factor(&m, (uint32_t)i);
            y[i] = add ? y[i] + kept : kept;
        }
    }
}

CA_CLONES static void dropout_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    if (c->training)
        drop(op, c, &c->in[0], &c->out, 0);
    else
        for (size_t r = 0; r < c->rows; r++)
            for (size_t i = 0; i < op->out_width; i++)
                c->out.p[r * c->out.ld + i] = c->in[0].p[r * c->in[0].ld + i];
}

CA_CLONES static void dropout_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    if (c->din[0].p)
        drop(op, c, &c->dout, &c->din[0], 1);
}

static const struct ca_op_type dropout_type = {.name = "dropout", .forward = dropout_forward,
                                               .backward = dropout_backward};

ca_val ca_op_dropout(struct ca_graph *g, ca_val x, double p)
{
    struct ca_op op = {.type = &dropout_type, .n_in = 1, .out_width = ca_graph_width(g, x)};

    if (p <= 0)
        return x;
    if (!(p < 1))
        ca_graph_refuse(g, "the share that dropout drops must be below 1");
    op.number[RATE] = p;
    return ca_graph_add(g, &op, &x);
}

/* ---- masked mean ---- */

enum { PLACES };

/* FuxiCTR counts a place whose vector sums to 0 as padding, and divides by the count plus this. */
#define MEAN_EPS 1e-12

static double place_count(const struct ca_op *op, const ca_real *x)
{
    double count = 0;

    for (size_t p = 0; p < op->attr[PLACES]; p++) {
        ca_real sum = 0;
        for (size_t k = 0; k < op->out_width; k++)
            sum += x[p * op->out_width + k];
        count += sum != 0;
    }
    return count + MEAN_EPS;
}

CA_CLONES static void mean_forward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t width = op->out_width;

    for (size_t r = 0; r < c->rows; r++) {
        const ca_real *x = c->in[0].p + r * c->in[0].ld;
        ca_real *y = c->out.p + r * c->out.ld, a = (ca_real)(1 / place_count(op, x));

        c->scratch[r] = a;
        for (size_t k = 0; k < width; k++)
            y[k] = x[k];
        for (size_t p = 1; p < op->attr[PLACES]; p++)
            ca_add(width, x + p * width, y);
        for (size_t k = 0; k < width; k++)
            y[k] *= a;
    }
}

CA_CLONES static void mean_backward(const struct ca_op *op, const struct ca_ctx *c)
{
    size_t width = op->out_width;

    for (size_t r = 0; r < c->rows && c->din[0].p; r++)
        for (size_t p = 0; p < op->attr[PLACES]; p++)
            ca_axpy(width, c->scratch[r], c->dout.p + r * c->dout.ld, c->din[0].p + r * c->din[0].ld + p * width);
}

static uint64_t mean_flops(const struct ca_op *op)
{
    return 2 * (uint64_t)op->in_width[0];
}

static const struct ca_op_type mean_type = {.name = "masked mean", .forward = mean_forward, .backward = mean_backward,
                                            .flops = mean_flops};

ca_val ca_op_masked_mean(struct ca_graph *g, ca_val x, size_t places)
{
    size_t width = ca_graph_width(g, x);
    struct ca_op op = {.type = &mean_type, .n_in = 1, .out_width = places ? width / places : 0, .attr = {places},
                       .scratch_per_row = 1};

    if (!places || width % places)
        ca_graph_refuse(g, "masked mean: the width is no multiple of the places");
    return ca_graph_add(g, &op, &x);
}
