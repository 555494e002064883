/* nn/: models of the FuxiCTR family: how they start, what their tensors are called, the row of padding. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "netkit.h"
#include "nn/init.h"
#include "nn/ops_cross.h"
#include "tap.h"

static const uint32_t rows[] = {50, 1000, 7};
static const struct kit_shape shape = {.numeric = 2, .fields = 3, .width = 4, .rows = rows, .hidden = {16, 8}, .n_hidden = 2};

/* Fields, a hidden layer, and a first-order term. */
static ca_val build(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val in[2], x;

    ca_graph_set_family(g, CA_FAMILY_FX);
    x = ca_op_fx_fields(g, "embedding_layer", s->width, 1);
    in[0] = ca_op_linear(g, ca_op_relu(g, ca_op_linear(g, x, "dnn.mlp.0", 64, 1)), "dnn.mlp.2", 1, 1);
    in[1] = ca_op_fx_lr(g, "lr_layer", 1);
    return ca_op_sum(g, in, 2);
}

static double deviation(const ca_real *p, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)p[i] * (double)p[i];
    return sqrt(sum / (double)n);
}

static const struct ca_param *param(const struct ca_graph *g, const char *name)
{
    for (size_t i = 0; i < ca_graph_n_params(g); i++)
        if (!strcmp(ca_graph_get_param(g, i)->name, name))
            return ca_graph_get_param(g, i);
    (void)printf("Bail out! no parameter %s\n", name);
    exit(70);
}

static void starts_and_names(void)
{
    static const char *const numeric[] = {"price", "age"}, *const field[] = {"user", "an item", "day"};
    struct ca_inputs in = {.n_numeric = 2, .n_fields = 3, .field_rows = rows, .numeric_name = numeric,
                           .field_name = field};
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct ca_graph *g = ca_graph_new(&in, &err);
    struct ca_net *n;
    const struct ca_param *p;
    const ca_real *w;
    double sum = 0;

    kit_must(!pool || !g, &err);
    kit_must(ca_graph_finish(g, build(g, &shape), &err), &err);
    n = ca_net_new(g, pool, 1, 0, &err);
    kit_must(!n, &err);
    w = ca_net_dense(n, CA_STATE_WEIGHT);
    p = param(g, "dnn.mlp.0.weight");
    CLOSE(deviation(w + p->at, p->count) / sqrt(2.0 / (20 + 64)), 1, 0.05, "a linear layer starts by xavier_normal");
    CLOSE(deviation(w + param(g, "dnn.mlp.0.bias")->at, 64), 0, 0, "its bias starts at zero");
    p = param(g, "embedding_layer.embedding_layer.embedding_layers.price.weight");
    OK(p->n_dims == 2 && p->dim[0] == 4 && p->dim[1] == 1, "a numeric feature has a linear map of its own, by its name");
    (void)param(g, "lr_layer.embedding_layer.embedding_layer.embedding_layers.age.weight");
    (void)param(g, "lr_layer.bias");
    OK(ca_graph_n_tables(g) == 6 && ca_graph_main_tables(g) == 3, "the first-order term has tables of its own");
    STR_EQ(ca_graph_get_table(g, 1)->name, "embedding_layer.embedding_layer.embedding_layers.an item.weight",
           "tables are named after their columns");
    STR_EQ(ca_graph_get_table(g, 4)->name, "lr_layer.embedding_layer.embedding_layer.embedding_layers.an item.weight",
           "under the prefix of their embedding");
    OK(ca_graph_get_table(g, 4)->width == 1 && ca_graph_get_table(g, 4)->embed == 1, "of width 1");
    for (size_t r = 1; r < 1000; r++)
        sum += (double)deviation(ca_net_table_row(n, 1, r, CA_STATE_WEIGHT), 4) *
               (double)deviation(ca_net_table_row(n, 1, r, CA_STATE_WEIGHT), 4);
    CLOSE(sqrt(sum / 999) / 1e-4, 1, 0.05, "tables start at N(0, 1e-4^2)");
    OK(deviation(ca_net_table_row(n, 1, 0, CA_STATE_WEIGHT), 4) <= 0 &&
           deviation(ca_net_table_row(n, 4, 0, CA_STATE_WEIGHT), 1) <= 0, "but for row 0, which is zero");
    ca_net_free(n);
    ca_pool_free(pool);
}

/* Rules of whole matrices: the identity, and columns that are softmaxes of N(0, 100^2). */
static void matrices_start(void)
{
    enum { ROWS = 12, COLS = 2000 };
    static ca_real x[ROWS * COLS], z[ROWS * COLS];
    const struct ca_init_rule identity = {CA_INIT_IDENTITY, 3}, near = {CA_INIT_NEAR_ONE_HOT, COLS};
    const struct ca_init_rule wide = {CA_INIT_NORMAL, 100};
    size_t first = 0, sharp = 0, wrong = 0;
    double off = 0, worst = 0;

    ca_init_fill(x, 12, 12, 0, 1, &identity, 1, "x");
    for (size_t i = 0; i < 12; i++)
        wrong += fabs((double)x[i] - (i == 0 || i == 4 || i == 8)) > 0;
    OK(!wrong, "an identity of three columns, with a row more");
    ca_init_fill(x, ROWS * COLS, ROWS * COLS, 0, 1, &near, 1, "x");
    ca_init_fill(z, ROWS * COLS, ROWS * COLS, 0, 1, &wide, 1, "x");
    for (size_t c = 0; c < COLS; c++) {
        double sum = 0, most = 0;

        for (size_t r = 0; r < ROWS; r++) {
            double share = 0;
            sum += (double)x[r * COLS + c];
            most = fmax(most, (double)x[r * COLS + c]);
            for (size_t k = 0; k < ROWS; k++)
                share += exp((double)z[k * COLS + c] - (double)z[r * COLS + c]);
            worst = fmax(worst, fabs((double)x[r * COLS + c] - 1 / share));
        }
        off = fmax(off, fabs(sum - 1));
        sharp += most > 0.99;
        first += x[c] > 0.5f;
    }
    CLOSE(off, 0, 1e-6, "columns of a near one-hot matrix sum to 1");
    CLOSE(worst, 0, 1e-6, "they are softmaxes of normal draws of deviation 100");
    OK(sharp > COLS * 8 / 10, "most of them are nearly one 1 among zeros");
    CLOSE((double)first / COLS, 1.0 / ROWS, 0.02, "each row has its share");
}

/* Tables of [rows, width] by xavier_normal of those. */
static void tables_by_xavier(void)
{
    struct ca_inputs in = {.n_numeric = 0, .n_fields = 3, .field_rows = rows};
    struct ca_err err = {0};
    struct ca_graph *g = ca_graph_new(&in, &err);
    const struct ca_table_spec *t;

    kit_must(!g, &err);
    ca_graph_set_family(g, CA_FAMILY_FX);
    (void)ca_graph_embed_fx(g, "main", 4);
    (void)ca_graph_embed_fx(g, "other", 4);
    ca_init_tables_xavier(g, 0);
    t = ca_graph_get_table(g, 1);
    CLOSE(t->init.a, sqrt(2.0 / 1004), 1e-12, "a table of 1000 rows of width 4 by xavier_normal");
    OK(t->init.kind == CA_INIT_NORMAL && t->padded, "with padding");
    CLOSE(ca_graph_get_table(g, 4)->init.a, 1e-4, 1e-12, "another embedding keeps its rule");
    ca_graph_free(g);
}

/* Digest of all weights after some steps. */
static void run(unsigned threads, char out[CA_DIGEST_HEX], double *padding, double *moved)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(threads, &err);
    struct kit_batch b = kit_batch(&shape, 1500, 3, 0);
    struct ca_digest *d = ca_digest_new(&err);
    struct ca_net *n;
    const struct ca_graph *g;
    double sum;

    kit_must(!pool || !d, &err);
    n = kit_net(build, &shape, pool, 1, 0);
    g = ca_net_graph(n);
    for (int i = 0; i < 5; i++) {
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
        kit_must(ca_net_step(n, CA_STEP_ALL, &err), &err);
    }
    kit_must(ca_net_settle(n, &err), &err);
    ca_digest_add(d, ca_net_dense(n, CA_STATE_WEIGHT), ca_graph_dense_count(g) * sizeof(ca_real));
    *padding = *moved = 0;
    for (size_t i = 0; i < ca_graph_n_tables(g); i++) {
        size_t width = ca_graph_get_table(g, i)->width;
        for (size_t r = 0; r < ca_graph_get_table(g, i)->rows; r++)
            ca_digest_add(d, ca_net_table_row(n, i, r, CA_STATE_WEIGHT), width * sizeof(ca_real));
        *padding += deviation(ca_net_table_row(n, i, 0, CA_STATE_WEIGHT), width) +
                    deviation(ca_net_table_row(n, i, 0, CA_STATE_M), width);
        *moved += deviation(ca_net_table_row(n, i, 1, CA_STATE_WEIGHT), width);
    }
    ca_digest_hex(d, out);
    ca_digest_free(d);
    ca_net_free(n);
    kit_batch_free(&b, &shape);
    ca_pool_free(pool);
}

static void mix_is_refused(void)
{
    struct ca_inputs in = {.n_numeric = 2, .n_fields = 3, .field_rows = rows};
    struct ca_err err = {0};
    struct ca_graph *g = ca_graph_new(&in, &err);

    kit_must(!g, &err);
    OK(ca_graph_finish(g, ca_op_part_sums(g, ca_graph_embed_fx(g, "t", 2), 1), &err) == CA_EINTERNAL,
       "an embedding of another family is refused");
    ca_graph_free(g);
    err = (struct ca_err){0};
    g = ca_graph_new(&in, &err);
    kit_must(!g, &err);
    (void)ca_graph_numeric(g);
    ca_graph_set_family(g, CA_FAMILY_FX);
    OK(ca_graph_finish(g, ca_op_part_sums(g, ca_graph_numeric(g), 1), &err) == CA_EINTERNAL,
       "the family of a graph is not changed on the way");
    ca_graph_free(g);
}

int main(void)
{
    char one[CA_DIGEST_HEX], more[CA_DIGEST_HEX];
    double padding, moved;

    starts_and_names();
    matrices_start();
    tables_by_xavier();
    run(1, one, &padding, &moved);
    OK(padding <= 0, "the row of padding is never updated");
    OK(moved > 0.1, "the others are");
    run(2, more, &padding, &moved);
    STR_EQ(one, more, "two threads: the same bits");
    run(4, more, &padding, &moved);
    STR_EQ(one, more, "four threads: the same bits");
    mix_is_refused();
    return tap_done();
}
