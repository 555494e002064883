/*
 * nn/lanes against plain loops, and operators that take sixteen rows or parts
 * at a time: a row has the bits it has alone, when it goes the general way.
 */
#include <math.h>

#include "netkit.h"
#include "nn/grid.h"
#include "nn/lanes.h"
#include "nn/tile.h"
#include "tap.h"

static const struct ca_init_rule unit = {CA_INIT_NORMAL, 1};

static void fill(float *x, size_t n, uint64_t seed)
{
    struct ca_rng rng = ca_rng_make(seed, "lanes");

    for (size_t i = 0; i < n; i++)
        x[i] = (float)ca_rng_normal(&rng, i);
}

static void turning(size_t rows, size_t n)
{
    size_t ld = n + 3, wrong = 0;
    float *x = kit_alloc(CA_LANES * ld, sizeof *x), *t = kit_alloc(n * CA_LANES, sizeof *t);
    float *y = kit_alloc(CA_LANES * ld, sizeof *y), *z = kit_alloc(CA_LANES * ld, sizeof *z);
    char what[96];

    fill(x, CA_LANES * ld, n);
    fill(y, CA_LANES * ld, n + 1);
    memcpy(z, y, CA_LANES * ld * sizeof *z);
    ca_lanes_load(rows, n, x, ld, t);
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < CA_LANES; l++)
            wrong += t[i * CA_LANES + l] != (l < rows ? x[l * ld + i] : 0);
    ca_lanes_add(rows, n, t, y, ld);
    for (size_t l = 0; l < CA_LANES; l++)
        for (size_t i = 0; i < ld; i++)
            wrong += y[l * ld + i] != (l < rows && i < n ? z[l * ld + i] + x[l * ld + i] : z[l * ld + i]);
    ca_lanes_store(rows, n, t, y, ld);
    for (size_t l = 0; l < CA_LANES; l++)
        for (size_t i = 0; i < ld; i++)
            wrong += y[l * ld + i] != (l < rows && i < n ? x[l * ld + i] : z[l * ld + i]);
    (void)snprintf(what, sizeof what, "%zu rows of %zu: turned, turned back, added", rows, n);
    OK(!wrong, what);
    ca_mem_free(x);
    ca_mem_free(y);
    ca_mem_free(z);
    ca_mem_free(t);
}

static void softmax(size_t n)
{
    float *x = kit_alloc(n * CA_LANES, sizeof *x), *y = kit_alloc(n * CA_LANES, sizeof *y);
    double worst = 0;
    char what[64];

    fill(x, n * CA_LANES, n);
    for (size_t i = 0; i < n * CA_LANES; i++)
        x[i] *= 20;
    memcpy(y, x, n * CA_LANES * sizeof *y);
    ca_lanes_softmax(n, y);
    for (size_t l = 0; l < CA_LANES; l++) {
        double most = -INFINITY, sum = 0;

        for (size_t i = 0; i < n; i++)
            most = fmax(most, (double)x[i * CA_LANES + l]);
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i * CA_LANES + l] - most);
        for (size_t i = 0; i < n; i++)
            worst = fmax(worst, fabs(exp((double)x[i * CA_LANES + l] - most) / sum - (double)y[i * CA_LANES + l]));
    }
    (void)snprintf(what, sizeof what, "softmax of %zu", n);
    CLOSE(worst, 0, 5e-7, what);
    ca_mem_free(x);
    ca_mem_free(y);
}

/* The product of small matrices, plain and on top, against loops over one lane after the other. */
static void grids(void)
{
    enum { MOST = 9, SIDE = MOST * MOST };
    static ca_real a[SIDE * CA_LANES], b[SIDE * CA_LANES], c[SIDE * CA_LANES], want[SIDE * CA_LANES];
    int bad = 0;

    for (size_t i = 0; i < SIDE * CA_LANES; i++) {
        a[i] = (ca_real)sin((double)i);
        b[i] = (ca_real)cos((double)(3 * i));
    }
    for (size_t at = 0; at < 2 * SIDE * MOST; at++) {
        size_t m = at % MOST + 1, n = at / MOST % MOST + 1, k = at / SIDE % MOST + 1, add = at / SIDE / MOST;
        struct ca_grid_product g = {m, n, k, {a, k, 1}, {b, 1, k}, {c, n, 1}, (ca_real)0.3};

        for (size_t i = 0; i < m * n * CA_LANES; i++)
            c[i] = want[i] = (ca_real)i;
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                for (size_t l = 0; l < CA_LANES; l++) {
                    ca_real sum = 0, *to = &want[(i * n + j) * CA_LANES + l];

                    for (size_t x = 0; x < k; x++)
                        sum += a[(i * k + x) * CA_LANES + l] * b[(j * k + x) * CA_LANES + l];
                    sum *= (ca_real)0.3;
                    *to = add ? *to + sum : sum;
                }
        (add ? ca_grid_product_add : ca_grid_product)(&g);
        bad |= memcmp(c, want, m * n * CA_LANES * sizeof *c);
    }
    OK(!bad, "products of small matrices have the bits of one lane after the other");
}

static ca_val build_norm(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_op_field_norm(g, ca_graph_embed(g, "table", s->width, unit), "norm", s->fields);

    return ca_op_linear(g, v, "head", 1, 0);
}

/* One part, so the whole row; its length and that of the last layer are fields times width. */
static ca_val build_row_norm(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_op_linear(g, ca_op_layer_norm(g, ca_graph_embed(g, "table", s->width, unit), "norm"), "head", 1, 1);
}

static ca_val build_attention(struct ca_graph *g, const struct kit_shape *s)
{
    size_t first = ca_op_attention_params(g, "attention", s->width);
    ca_val v = ca_op_attention(g, ca_graph_embed(g, "table", s->width, unit), first, s->fields, 2);

    return ca_op_linear(g, v, "head", 1, 0);
}

static ca_val build_layer(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_graph_embed(g, "table", s->width, unit);

    v = ca_op_attention_layer(g, v, ca_op_attention_params(g, "attention", s->width), s->fields, 2, "norm");
    return ca_op_linear(g, v, "head", 1, 0);
}

static ca_val build_layer_of_parts(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_graph_embed(g, "table", s->width, unit), sum[2];

    sum[0] = ca_op_attention(g, v, ca_op_attention_params(g, "attention", s->width), s->fields, 2);
    sum[1] = v;
    return ca_op_linear(g, ca_op_field_norm(g, ca_op_sum(g, sum, 2), "norm", s->fields), "head", 1, 0);
}

static ca_val build_pair_attention(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_op_pair_attention(g, ca_graph_embed(g, "table", s->width, unit), "w", "h", s->fields, 8, 0);

    return ca_op_linear(g, v, "head", 1, 0);
}

/* 37 rows at once and each by itself. */
static void alone(kit_build *build, const struct kit_shape *s, const char *what)
{
    enum { ROWS = 37 };
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(1, &err);
    struct ca_net *n;
    struct kit_batch batch = kit_batch(s, ROWS, 3, 0);
    float together[ROWS], one[ROWS];

    kit_must(!pool, &err);
    n = kit_net(build, s, pool, 1, CA_NET_INFERENCE);
    kit_must(ca_net_forward(n, &batch.feed, together, &err), &err);
    for (size_t r = 0; r < ROWS; r++) {
        const uint32_t *ids[8];
        struct ca_feed feed = {1, ids, NULL};

        for (size_t f = 0; f < s->fields; f++)
            ids[f] = batch.feed.ids[f] + r;
        kit_must(ca_net_forward(n, &feed, one + r, &err), &err);
    }
    OK(!memcmp(together, one, sizeof one), what);
    ca_net_free(n);
    kit_batch_free(&batch, s);
    ca_pool_free(pool);
}

/* x = y / rows, which is exact: rows is a power of two */
static int share(const ca_real *x, const ca_real *y, size_t n, size_t rows)
{
    int same = 1;

    for (size_t i = 0; i < n; i++)
        same &= x[i] * (ca_real)rows == y[i];
    return same;
}

/* The gradient of 32 rows at once against what one row after another adds up to: each by itself goes the general way. */
static void alone_back(kit_build *build, const struct kit_shape *s, const char *what)
{
    enum { ROWS = 32 };
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(1, &err);
    struct kit_batch batch = kit_batch(s, ROWS, 4, 0);
    struct ca_net *n[2];
    double sum;
    int same;

    kit_must(!pool, &err);
    for (int i = 0; i < 2; i++)
        n[i] = kit_net(build, s, pool, 1, 0);
    batch.target.weight = NULL;
    kit_must(ca_net_gradient(n[0], &batch.feed, &ca_loss_bce, &batch.target, &sum, NULL, &err), &err);
    for (size_t r = 0; r < ROWS; r++) {
        const uint32_t *ids[8];
        struct ca_feed feed = {1, ids, NULL};
        struct ca_target target = {.label = batch.label + r};

        for (size_t f = 0; f < s->fields; f++)
            ids[f] = batch.feed.ids[f] + r;
        kit_must(ca_net_gradient(n[1], &feed, &ca_loss_bce, &target, &sum, NULL, &err), &err);
    }
    same = share(ca_net_dense(n[0], CA_STATE_GRADIENT), ca_net_dense(n[1], CA_STATE_GRADIENT),
                 ca_graph_dense_count(ca_net_graph(n[0])), ROWS);
    for (size_t f = 0; f < s->fields; f++)
        for (size_t r = 0; r < ROWS; r++)
            same &= share(ca_net_table_gradient(n[0], f, batch.ids[f][r]),
                          ca_net_table_gradient(n[1], f, batch.ids[f][r]), s->width, ROWS);
    OK(same, what);
    for (int i = 0; i < 2; i++)
        ca_net_free(n[i]);
    kit_batch_free(&batch, s);
    ca_pool_free(pool);
}

/* Two networks of the same parameters give the same bits. */
static void same(kit_build *build, kit_build *other, const struct kit_shape *s, const char *what)
{
    enum { ROWS = 37 };
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(1, &err);
    struct kit_batch batch = kit_batch(s, ROWS, 3, 0);
    float logit[2][ROWS];

    kit_must(!pool, &err);
    for (int i = 0; i < 2; i++) {
        struct ca_net *n = kit_net(i ? other : build, s, pool, 1, CA_NET_INFERENCE);

        kit_must(ca_net_forward(n, &batch.feed, logit[i], &err), &err);
        ca_net_free(n);
    }
    OK(!memcmp(logit[0], logit[1], sizeof logit[0]), what);
    kit_batch_free(&batch, s);
    ca_pool_free(pool);
}

int main(void)
{
    static const uint32_t vocab[7] = {50, 40, 30, 17, 90, 200, 2};
    static const struct kit_shape one = {.fields = 1, .width = 16, .rows = vocab};
    static const struct kit_shape seven = {.fields = 7, .width = 16, .rows = vocab};
    static const struct kit_shape short_row = {.fields = 1, .width = 4, .rows = vocab};
    static const struct kit_shape narrow = {.fields = 5, .width = 6, .rows = vocab};
    static const size_t rows[] = {1, 5, 15, 16}, width[] = {1, 7, 16, 17, 48, 50};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof width / sizeof *width; k++)
            turning(rows[i], width[k]);
    softmax(1);
    softmax(26);
    alone(build_norm, &one, "layer norm of sixteen numbers");
    alone(build_norm, &narrow, "norm of fields of six");
    alone(build_row_norm, &short_row, "layer norm of four numbers");
    alone(build_row_norm, &narrow, "layer norm of thirty");
    alone(build_row_norm, &seven, "layer norm of seven vectors");
    alone_back(build_row_norm, &one, "gradient of a layer norm of sixteen numbers");
    alone_back(build_row_norm, &short_row, "gradient of a layer norm of four");
    alone_back(build_row_norm, &narrow, "gradient of a layer norm of thirty");
    alone_back(build_row_norm, &seven, "gradient of a layer norm of seven vectors");
    if (ca_tile_kind() != CA_TILE_PLAIN) { /* elsewhere BLAS, which gives a row other bits among others */
        alone(build_attention, &seven, "attention over seven fields");
        alone(build_attention, &narrow, "attention over five fields of six");
    }
    grids();
    alone(build_layer, &seven, "layer of attention over seven fields");
    same(build_layer, build_layer_of_parts, &seven, "a layer of attention is norm(attention(v) + v)");
    same(build_layer, build_layer_of_parts, &narrow, "and with vectors of six");
    alone(build_pair_attention, &seven, "attention over pairs of seven fields");
    alone(build_pair_attention, &narrow, "attention over pairs of five fields of six");
    return tap_done();
}
