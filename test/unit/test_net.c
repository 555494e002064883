/* nn/: whole networks. Bits at any number of threads, odd batches, faults, state that survives a reload. */
#include "base/hash.h"
#include "netkit.h"
#include "tap.h"

#define ROWS 2501 /* several chunks to a lane, the last one short */

static const uint32_t rows[] = {500, 4, 2000, 1, 37};
static const struct kit_shape shape = {.numeric = 3, .fields = 5, .width = 8, .rows = rows, .hidden = {24, 8}, .n_hidden = 2};

/* Digest of everything that a network has learned. */
static void digest(struct ca_net *n, char out[CA_DIGEST_HEX])
{
    struct ca_err err = {0};
    struct ca_digest *d = ca_digest_new(&err);
    const struct ca_graph *g = ca_net_graph(n);

    kit_must(!d, &err);
    kit_must(ca_net_settle(n, &err), &err);
    for (int kind = CA_STATE_WEIGHT; kind <= CA_STATE_V; kind++) {
        const ca_real *p = ca_net_dense(n, (enum ca_state)kind);
        if (p)
            ca_digest_add(d, p, ca_graph_dense_count(g) * sizeof *p);
        for (size_t i = 0; i < ca_graph_n_tables(g); i++)
            for (size_t r = 0; r < ca_graph_get_table(g, i)->rows; r++)
                if ((p = ca_net_table_row(n, i, r, (enum ca_state)kind)))
                    ca_digest_add(d, p, ca_graph_get_table(g, i)->width * sizeof *p);
    }
    ca_digest_hex(d, out);
    ca_digest_free(d);
}

/* look: also predict between the steps. reload_at: move all state into a fresh network before that step. */
struct run {
    unsigned threads;
    int steps, look, reload_at;
};

static struct ca_net *moved(struct ca_net *from, kit_build *build, struct ca_pool *pool)
{
    struct ca_err err = {0};
    struct ca_net *to = kit_net(build, &shape, pool, 99, 0);
    const struct ca_graph *g = ca_net_graph(from);

    kit_must(ca_net_settle(from, &err), &err);
    for (int kind = CA_STATE_WEIGHT; kind <= CA_STATE_V; kind++) {
        enum ca_state k = (enum ca_state)kind;
        memcpy(ca_net_dense(to, k), ca_net_dense(from, k), ca_graph_dense_count(g) * sizeof(ca_real));
        for (size_t i = 0; i < ca_graph_n_tables(g); i++)
            for (size_t r = 0; r < ca_graph_get_table(g, i)->rows; r++)
                memcpy(ca_net_table_row(to, i, r, k), ca_net_table_row(from, i, r, k),
                       ca_graph_get_table(g, i)->width * sizeof(ca_real));
    }
    ca_net_set_steps(to, CA_STEP_DENSE, ca_net_steps(from, CA_STEP_DENSE));
    ca_net_set_steps(to, CA_STEP_TABLES, ca_net_steps(from, CA_STEP_TABLES));
    ca_net_free(from);
    return to;
}

static double train(kit_build *build, struct run run, char out[CA_DIGEST_HEX])
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(run.threads, &err);
    struct ca_net *n;
    double last = 0;
    float logit[ROWS];

    kit_must(!pool, &err);
    n = kit_net(build, &shape, pool, 7, 0);
    for (int s = 0; s < run.steps; s++) {
        struct kit_batch b = kit_batch(&shape, s % 3 == 2 ? 77 : ROWS, (uint64_t)s, 0);
        if (s == run.reload_at)
            n = moved(n, build, pool);
        if (run.look)
            kit_must(ca_net_forward(n, &b.feed, logit, &err), &err);
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &last, logit, &err), &err);
        kit_must(ca_net_step(n, CA_STEP_ALL, &err), &err);
        last /= (double)b.feed.rows;
        kit_batch_free(&b, &shape);
    }
    digest(n, out);
    ca_net_free(n);
    ca_pool_free(pool);
    return last;
}

static void threads(kit_build *build, const char *what)
{
    char one[CA_DIGEST_HEX], other[CA_DIGEST_HEX], text[96];
    struct run run = {1, 20, 0, -1};
    double loss = train(build, run, one);

    OK(isfinite(loss), what);
    for (run.threads = 2; run.threads <= 4; run.threads += 2) {
        (void)train(build, run, other);
        (void)snprintf(text, sizeof text, "%s: 20 steps with %u threads have the bits of one", what, run.threads);
        STR_EQ(other, one, text);
    }
    run.look = 1;
    (void)train(build, run, other);
    (void)snprintf(text, sizeof text, "%s: predicting between steps changes nothing", what);
    STR_EQ(other, one, text);
}

/* A settled network and one that got its state go on alike; settling is what a checkpoint does, so both settle. */
static void reload(void)
{
    char one[CA_DIGEST_HEX], other[CA_DIGEST_HEX];
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct run run = {2, 20, 0, 9};
    struct ca_net *n = kit_net(kit_mlp, &shape, pool, 7, 0);

    for (int s = 0; s < run.steps; s++) {
        struct kit_batch b = kit_batch(&shape, s % 3 == 2 ? 77 : ROWS, (uint64_t)s, 0);
        double sum;
        if (s == run.reload_at)
            kit_must(ca_net_settle(n, &err), &err);
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
        kit_must(ca_net_step(n, CA_STEP_ALL, &err), &err);
        kit_batch_free(&b, &shape);
    }
    digest(n, one);
    ca_net_free(n);
    ca_pool_free(pool);
    (void)train(kit_mlp, run, other);
    STR_EQ(other, one, "a network that got another's state goes on with the same bits");
}

static void odd_batches(void)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct ca_net *n = kit_net(kit_mlp, &shape, pool, 7, 0);
    struct kit_batch b = kit_batch(&shape, 300, 1, 0);
    float all[300], one, again[300];
    double sum, parts = 0;
    char before[CA_DIGEST_HEX], after[CA_DIGEST_HEX];
    struct ca_feed none = b.feed;

    kit_must(ca_net_forward(n, &b.feed, all, &err), &err);
    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, again, &err), &err);
    OK(!memcmp(all, again, sizeof all), "training sees the logits that predicting gives");
    for (size_t i = 0; i < 300; i++) {
        double ds;
        parts += ca_loss_bce.row(&ca_loss_bce, (double)all[i], (double)b.target.label[i], 0, &ds);
    }
    CLOSE(sum, parts, 1e-5, "the loss is the sum over rows");
    b.feed.rows = 1;
    kit_must(ca_net_forward(n, &b.feed, &one, &err), &err);
    CLOSE((double)one, (double)all[0], 1e-5, "a batch of one row");
    kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
    OK(isfinite(sum) && sum > 0, "a gradient of one row");
    kit_must(ca_net_step(n, 0, &err), &err);

    digest(n, before);
    none.rows = 0;
    sum = 1;
    OK(!ca_net_forward(n, &none, &one, &err) &&
       !ca_net_gradient(n, &none, &ca_loss_bce, &b.target, &sum, NULL, &err) && sum == 0, "no rows are no work");
    digest(n, after);
    STR_EQ(after, before, "and change nothing");
    b.feed.rows = 300;
    kit_batch_free(&b, &shape);
    ca_net_free(n);
    ca_pool_free(pool);
}

static void faults(void)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct ca_net *n = kit_net(kit_mlp, &shape, pool, 7, 0);
    struct kit_batch b = kit_batch(&shape, 900, 1, 0);
    char before[CA_DIGEST_HEX], after[CA_DIGEST_HEX];
    float logit[900];
    double sum, most = 0;
    int code;

    digest(n, before);
    b.ids[2][801] = 2000;
    code = ca_net_forward(n, &b.feed, logit, &err);
    OK(code == CA_ESCHEMA && err.has_record && err.record == 801 && strstr(err.text, "field 2"),
       "an id out of range names row and field");
    err = (struct ca_err){0};
    code = ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err);
    OK(code == CA_ESCHEMA && err.record == 801, "also in training");
    b.ids[2][801] = 0;

    b.numeric[1][700] = NAN;
    b.numeric[1][130] = INFINITY;
    err = (struct ca_err){0};
    code = ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err);
    OK(code == CA_ENUMERIC && err.has_record && err.record == 130, "a loss that is not finite names the first such row");
    for (size_t i = 0; i < ca_graph_dense_count(ca_net_graph(n)); i++)
        most = fmax(most, fabs((double)ca_net_dense(n, CA_STATE_GRADIENT)[i]));
    OK(most == 0, "and leaves no gradient");
    err = (struct ca_err){0};
    code = ca_net_forward(n, &b.feed, logit, &err);
    OK(code == CA_ENUMERIC && err.record == 130, "so does a logit");
    b.numeric[1][700] = b.numeric[1][130] = 0;
    err = (struct ca_err){0};
    kit_must(ca_net_step(n, 0, &err), &err);
    digest(n, after);
    STR_EQ(after, before, "faults change nothing that was learned");
    {
        struct ca_net *clean = kit_net(kit_mlp, &shape, pool, 7, 0);
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
        kit_must(ca_net_gradient(clean, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err), &err);
        OK(!memcmp(ca_net_dense(n, CA_STATE_GRADIENT), ca_net_dense(clean, CA_STATE_GRADIENT),
                   ca_graph_dense_count(ca_net_graph(n)) * sizeof(ca_real)), "nor of what is learned after them");
        ca_net_free(clean);
    }
    kit_batch_free(&b, &shape);
    ca_net_free(n);

    n = kit_net(kit_mlp, &shape, pool, 7, CA_NET_INFERENCE);
    b = kit_batch(&shape, 900, 1, 0);
    err = (struct ca_err){0};
    code = ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, &err);
    OK(code == CA_EINTERNAL, "a network made for inference does not learn");
    OK(!ca_net_table_row(n, 0, 0, CA_STATE_M) && !ca_net_dense(n, CA_STATE_V), "and has no optimizer state");
    {
        struct ca_net *t = kit_net(kit_mlp, &shape, pool, 7, 0);
        float want[900];
        err = (struct ca_err){0};
        kit_must(ca_net_forward(n, &b.feed, logit, &err), &err);
        kit_must(ca_net_forward(t, &b.feed, want, &err), &err);
        OK(!memcmp(want, logit, sizeof want), "but the logits of its learning twin");
        ca_net_free(t);
    }
    kit_batch_free(&b, &shape);
    ca_net_free(n);
    ca_pool_free(pool);
}

static ca_val build_bad(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_graph_embed(g, "t", s->width, (struct ca_init_rule){CA_INIT_ZERO, 0});

    return ca_op_linear(g, ca_op_relu(g, ca_op_linear(g, v, "a", 0, 1)), "b", 1, 1);
}

/* Much that a row keeps: 250 times x. */
static ca_val long_chain(struct ca_graph *g, ca_val x)
{
    for (int i = 0; i < 250; i++)
        x = ca_op_relu(g, x);
    return ca_op_linear(g, x, "out", 1, 1);
}

/* With few parameters, and in a wide network. */
static ca_val build_long(struct ca_graph *g, const struct kit_shape *s)
{
    return long_chain(g, ca_graph_embed(g, "t", s->width, (struct ca_init_rule){CA_INIT_NORMAL, 1}));
}

static ca_val build_long_wide(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_graph_embed(g, "t", s->width, (struct ca_init_rule){CA_INIT_NORMAL, 1});

    return long_chain(g, ca_op_linear(g, v, "in", 1024, 1));
}

static size_t chunk_of(kit_build *build, const struct kit_shape *s)
{
    struct ca_err err = {0};
    struct ca_inputs in = kit_inputs(s);
    struct ca_graph *g = ca_graph_new(&in, &err);
    size_t n;

    kit_must(ca_graph_finish(g, build(g, s), &err), &err);
    n = ca_graph_chunk_rows(g);
    ca_graph_free(g);
    return n;
}

/* A second output, which only training may look at. */
static ca_val build_beside(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_graph_embed(g, "t", s->width, (struct ca_init_rule){CA_INIT_NORMAL, 1});

    ca_graph_head(g, ca_op_linear(g, ca_op_linear(g, v, "beside", 7, 0), "other", 1, 0));
    return ca_op_linear(g, v, "out", 1, 0);
}

static void operations(void)
{
    struct ca_pool *pool = ca_pool_new(1, NULL);
    struct ca_net *n = kit_net(build_beside, &shape, pool, 1, 0);
    uint64_t width = shape.fields * shape.width;

    OK(ca_net_logit_flops_per_row(n) == 2 * width, "operations of a prediction");
    OK(ca_net_flops_per_row(n) == 2 * (width + 7 * width + 7), "and of all outputs");
    ca_net_free(n);
    ca_pool_free(pool);
}

/* Results of a model depend on it: it must not change unseen. */
static void chunks(void)
{
    struct kit_shape wide = shape;

    wide.hidden[0] = 6000;
    OK(chunk_of(kit_mlp, &shape) == 128, "rows of a chunk of a small network");
    OK(chunk_of(kit_mlp, &wide) == 256, "of a large one");
    OK(chunk_of(build_long, &shape) == CA_CHUNK_ROWS_LEAST, "of one whose rows keep much");
    OK(chunk_of(build_long_wide, &shape) == CA_CHUNK_ROWS_LEAST, "and of a wide one");
}

static void building(void)
{
    struct ca_err err = {0};
    struct ca_inputs in = {.n_numeric = shape.numeric, .n_fields = shape.fields, .field_rows = shape.rows};
    struct ca_graph *g = ca_graph_new(&in, &err);
    struct kit_shape criteo = {.numeric = 13, .fields = 26, .width = 8, .hidden = {64, 32, 4}, .n_hidden = 3};
    uint32_t ten[26];
    ca_val logit;

    OK(ca_graph_finish(g, build_bad(g, &shape), &err) == CA_EUSAGE, "a layer of no width is reported at the end");
    ca_graph_free(g);
    err = (struct ca_err){0};
    g = ca_graph_new(&in, &err);
    OK(ca_graph_finish(g, ca_graph_numeric(g), &err) == CA_EINTERNAL, "a logit is one number");
    ca_graph_free(g);

    /* The dense parameters of the specification's table (models 0.6). */
    for (size_t i = 0; i < 26; i++)
        ten[i] = 10;
    in = (struct ca_inputs){.n_numeric = 13, .n_fields = 26, .field_rows = ten};
    for (int wide = 0; wide < 2; wide++) {
        if (wide)
            criteo = (struct kit_shape){.numeric = 13, .fields = 26, .width = 16, .hidden = {256, 128, 16}, .n_hidden = 3};
        err = (struct ca_err){0};
        g = ca_graph_new(&in, &err);
        logit = kit_mlp(g, &criteo);
        kit_must(ca_graph_finish(g, logit, &err), &err);
        OK(ca_graph_dense_count(g) == (wide ? 145857 : 16625), "mlp has its published number of parameters");
        ca_graph_free(g);
        g = ca_graph_new(&in, &err);
        logit = kit_fibinet(g, &criteo);
        kit_must(ca_graph_finish(g, logit, &err), &err);
        OK(ca_graph_dense_count(g) == (wide ? 1477763 : 183539), "fibinet has its published number of parameters");
        STR_EQ(ca_graph_get_table(g, 25)->name, "sparse_embedding.embedding_layers.25.weight", "tables have names");
        ca_graph_free(g);
    }
}

/* Draws keyed by tensor and element: of the right law, and the same whatever the shape around them. */
static void initial(void)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(3, &err);
    static const uint32_t big[] = {40000, 4, 2000, 1, 37};
    struct kit_shape larger = shape;
    struct ca_net *n = kit_net(kit_mlp, &shape, pool, 7, 0), *m;
    double sum = 0, square = 0, top = 0, bound = 1 / sqrt(3.0 + 5 * 8);

    larger.rows = big;
    m = kit_net(kit_mlp, &larger, pool, 7, CA_NET_INFERENCE);
    OK(!memcmp(ca_net_table_row(n, 0, 499, CA_STATE_WEIGHT), ca_net_table_row(m, 0, 499, CA_STATE_WEIGHT),
               8 * sizeof(ca_real)), "a longer table begins alike");
    for (size_t r = 0; r < 40000; r++)
        for (size_t k = 0; k < 8; k++) {
            double x = (double)ca_net_table_row(m, 0, r, CA_STATE_WEIGHT)[k];
            sum += x;
            square += x * x;
        }
    CLOSE(sum / 320000, 0, 0.01, "normal embeddings: mean");
    CLOSE(square / 320000, 1, 0.01, "normal embeddings: variance");
    sum = 0;
    for (size_t i = 0; i < 24 * 43; i++) {
        double x = (double)ca_net_dense(n, CA_STATE_WEIGHT)[i];
        top = fmax(top, fabs(x));
        sum += x;
    }
    OK(top <= bound && top > 0.98 * bound && fabs(sum / (24 * 43)) < 0.1 * bound, "uniform weights fill their range");
    ca_net_free(n);
    ca_net_free(m);
    ca_pool_free(pool);
}

int main(void)
{
    threads(kit_mlp, "mlp");
    threads(kit_fibinet, "fibinet");
    threads(build_long, "rows that keep much");
    chunks();
    operations();
    reload();
    odd_batches();
    faults();
    building();
    initial();
    return tap_done();
}
