/* Dropout inside operators, and losses that only training has: what is kept, what inference makes of it. */
#include <math.h>
#include <string.h>

#include "netkit.h"
#include "nn/ops_contrast.h"
#include "tap.h"

#define ROWS 300

static const uint32_t rows[] = {50, 40, 30, 20};
static const struct kit_shape shape = {.fields = 4, .width = 8, .rows = rows};

static ca_val embed(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_graph_embed(g, "table", s->width, (struct ca_init_rule){CA_INIT_NORMAL, 0.7});
}

static ca_val pairs(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_linear(g, ca_op_pair_attention(g, embed(g, s), "op", "h", s->fields, 5, 0.4), "head", 1, 1);
}

static ca_val pairs_plain(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_linear(g, ca_op_pair_attention(g, embed(g, s), "op", "h", s->fields, 5, 0), "head", 1, 1);
}

static ca_val encoder(struct ca_graph *g, const struct kit_shape *s, double drop)
{
    const struct ca_encoder_shape e = {2, 2, 2, 16, drop};

    return ca_op_linear(g, ca_op_encoder_layer(g, embed(g, s), "layer", &e), "head", 1, 1);
}

static ca_val encoder_drops(struct ca_graph *g, const struct kit_shape *s)
{
    return encoder(g, s, 0.3);
}

static ca_val encoder_plain(struct ca_graph *g, const struct kit_shape *s)
{
    return encoder(g, s, 0);
}

static ca_val alignment(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_align(g, embed(g, s), s->fields);
}

static struct ca_net *net(kit_build *build, struct ca_pool *pool)
{
    return kit_net(build, &shape, pool, 3, 0);
}

static void trained(struct ca_net *n, const struct kit_batch *b, float *logit)
{
    struct ca_err err = {0};
    double sum;

    kit_must(ca_net_gradient(n, &b->feed, &ca_loss_bce, &b->target, &sum, logit, &err), &err);
}

static void inferred(struct ca_net *n, const struct kit_batch *b, float *logit)
{
    struct ca_err err = {0};

    kit_must(ca_net_forward(n, &b->feed, logit, &err), &err);
}

static size_t different(const float *a, const float *b)
{
    size_t n = 0;

    for (size_t r = 0; r < ROWS; r++)
        n += a[r] != b[r];
    return n;
}

/* Passes differ, the same pass of another network of that seed does not, and inference drops nothing. */
static void drops(kit_build *dropping, kit_build *plain, struct ca_pool *pool, const char *what)
{
    struct kit_batch b = kit_batch(&shape, ROWS, 5, 0);
    struct ca_net *n = net(dropping, pool), *same = net(dropping, pool), *bare = net(plain, pool);
    float first[ROWS], second[ROWS], again[ROWS], a[ROWS], c[ROWS];
    char label[120];

    trained(n, &b, first);
    trained(n, &b, second);
    trained(same, &b, again);
    (void)snprintf(label, sizeof label, "%s: another pass drops others", what);
    OK(different(first, second) > ROWS / 2, label);
    (void)snprintf(label, sizeof label, "%s: the same pass drops the same", what);
    OK(different(first, again) == 0, label);
    inferred(n, &b, a);
    inferred(bare, &b, c);
    (void)snprintf(label, sizeof label, "%s: inference drops nothing", what);
    OK(different(a, c) == 0 && different(a, first) > ROWS / 2, label);
    trained(bare, &b, c);
    (void)snprintf(label, sizeof label, "%s: nothing to drop, nothing differs", what);
    OK(different(a, c) == 0, label);
    ca_net_free(n);
    ca_net_free(same);
    ca_net_free(bare);
    kit_batch_free(&b, &shape);
}

/* What attention gives is linear in its weights: over many masks the logit of a row is on average that of inference. */
static void mean(struct ca_pool *pool)
{
    enum { PASSES = 400 };
    struct kit_batch b = kit_batch(&shape, ROWS, 5, 0);
    struct ca_net *n = net(pairs, pool);
    float logit[ROWS], plain[ROWS];
    double sum[ROWS] = {0}, square = 0, off = 0;

    inferred(n, &b, plain);
    for (int k = 0; k < PASSES; k++) {
        trained(n, &b, logit);
        for (size_t r = 0; r < ROWS; r++) {
            sum[r] += (double)(logit[r] - plain[r]) / PASSES;
            square += pow((double)(logit[r] - plain[r]), 2) / PASSES / ROWS;
        }
    }
    for (size_t r = 0; r < ROWS; r++)
        off += sum[r] * sum[r] / ROWS;
    /* the variance of a mean of so many is that much smaller: the ratio is 1 within its own error of 0.08 */
    CLOSE(off / square * PASSES, 1, 0.4, "attention over pairs: the mean over masks is what inference gives");
    ca_net_free(n);
    kit_batch_free(&b, &shape);
}

/* The mean of the outputs against the definition, over all pairs of rows. */
static void align(struct ca_pool *pool)
{
    struct kit_batch b = kit_batch(&shape, ROWS, 5, 0);
    struct ca_net *n = net(alignment, pool);
    float logit[ROWS];
    double got = 0, want = 0;

    trained(n, &b, logit);
    for (size_t r = 0; r < ROWS; r++)
        got += (double)logit[r] / ROWS;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < i; j++)
            for (size_t f = 0; f < 4; f++) {
                const ca_real *u = ca_net_table_row(n, f, b.ids[f][i], CA_STATE_WEIGHT);
                const ca_real *v = ca_net_table_row(n, f, b.ids[f][j], CA_STATE_WEIGHT);
                for (size_t k = 0; k < 8; k++)
                    want += pow((double)u[k] - (double)v[k], 2) * 2 / ((double)ROWS * (ROWS - 1) * 4);
            }
    CLOSE(got, want, 1e-5 * want, "alignment is the mean over pairs of rows and fields");
    inferred(n, &b, logit);
    for (size_t r = 0; r < ROWS; r++)
        got = fmax(r ? got : 0, fabs((double)logit[r]));
    OK(got == 0, "alignment is 0 in inference");
    ca_net_free(n);
    kit_batch_free(&b, &shape);
}

int main(void)
{
    struct ca_pool *pool = ca_pool_new(2, NULL);

    drops(pairs, pairs_plain, pool, "attention over pairs");
    drops(encoder_drops, encoder_plain, pool, "encoder layer");
    mean(pool);
    align(pool);
    ca_pool_free(pool);
    return tap_done();
}
