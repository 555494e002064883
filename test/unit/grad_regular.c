/*
 * In double: clipping and weight decay against a plain dense Adam that knows
 * of neither tables nor threads, the hook for losses on embeddings, snapshots.
 */
#include "gradcheck.h"

#include "nn/ops_batch.h"
#include "nn/snapshot.h"

static const uint32_t rows[] = {40, 7};
static const struct kit_shape shape = {.numeric = 2, .fields = 2, .width = 3, .rows = rows, .hidden = {5}, .n_hidden = 1};

static ca_val fx(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val x;

    ca_graph_set_family(g, CA_FAMILY_FX);
    x = ca_op_fx_fields(g, "m", s->width, 1);
    x = ca_op_batch_norm(g, ca_op_linear(g, x, "l", 5, 1), "bn", 0, &ca_batch_norm_default);
    return ca_op_linear(g, ca_op_dropout(g, ca_op_relu(g, x), 0.2), "out", 1, 1);
}

#define MOST 1000

/* Everything that learns, one after another: weights, or the gradient with zeros where a row was not touched. */
static size_t flatten(struct ca_net *n, int gradient, double out[MOST], double decay_table, double decay_dense,
                      double decay[MOST])
{
    const struct ca_graph *g = ca_net_graph(n);
    size_t at = 0;

    for (size_t i = 0; i < ca_graph_n_params(g); i++) {
        const struct ca_param *p = ca_graph_get_param(g, i);
        const ca_real *x = ca_net_dense(n, gradient ? CA_STATE_GRADIENT : CA_STATE_WEIGHT) + p->at;

        for (size_t k = 0; k < p->count; k++, at++) {
            out[at] = x[k];
            decay[at] = strstr(p->name, "embedding") ? decay_table : decay_dense;
        }
    }
    for (size_t i = 0; i < ca_graph_n_tables(g); i++) {
        const struct ca_table_spec *t = ca_graph_get_table(g, i);

        for (size_t r = 0; r < t->rows; r++) {
            const ca_real *x = gradient ? ca_net_table_gradient(n, i, r) : ca_net_table_row(n, i, r, CA_STATE_WEIGHT);

            for (size_t k = 0; k < t->width; k++, at++) {
                out[at] = x ? x[k] : 0;
                decay[at] = decay_table;
            }
        }
    }
    return at;
}

/* steps of the network against the textbook on flat arrays */
static double against_plain(const struct ca_regular *r, double lr, size_t batch_rows, int *clipped)
{
    static double p[MOST], g[MOST], m[MOST], v[MOST], now[MOST], decay[MOST];
    struct ca_pool *pool = ca_pool_new(2, NULL);
    struct ca_net *n = kit_net(fx, &shape, pool, 9, 0);
    struct ca_adam adam = {lr, lr, 0.9, 0.999, 1e-8};
    double worst = 0;
    size_t count = 0;

    ca_net_set_adam(n, &adam);
    ca_net_set_regular(n, r);
    memset(m, 0, sizeof m);
    memset(v, 0, sizeof v);
    count = flatten(n, 0, p, 0, 0, decay);
    for (int t = 1; t <= 12; t++) {
        struct kit_batch b = kit_batch(&shape, batch_rows, (uint64_t)t, 0);
        double sum, square = 0, scale = 1;

        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, NULL), NULL);
        (void)flatten(n, 1, g, r->decay_table, r->decay_dense, decay);
        kit_must(ca_net_step(n, CA_STEP_ALL, NULL), NULL);
        for (size_t i = 0; i < count; i++) {
            g[i] += decay[i] * p[i];
            square += g[i] * g[i];
        }
        if (r->clip > 0 && sqrt(square) + 1e-6 > r->clip)
            scale = r->clip / (sqrt(square) + 1e-6);
        *clipped += scale < 1;
        for (size_t i = 0; i < count; i++) {
            double x = g[i] * scale;

            m[i] = 0.9 * m[i] + (1 - 0.9) * x;
            v[i] = 0.999 * v[i] + (1 - 0.999) * x * x;
            p[i] -= lr / (1 - pow(0.9, t)) * m[i] / (sqrt(v[i]) / sqrt(1 - pow(0.999, t)) + 1e-8);
        }
        kit_must(ca_net_settle(n, NULL), NULL);
        (void)flatten(n, 0, now, 0, 0, decay);
        for (size_t i = 0; i < count; i++)
            worst = fmax(worst, fabs(now[i] - p[i]) / fmax(1, fabs(p[i])));
        kit_batch_free(&b, &shape);
    }
    ca_net_free(n);
    ca_pool_free(pool);
    return worst;
}

static void regular(void)
{
    static const struct {
        struct ca_regular r;
        int clips;
        const char *what;
    } c[] = {
        {{0, 0, 0}, 0, "neither clipped nor decayed"},
        {{0.05, 0, 0}, 12, "clipped in every step"},
        {{1e9, 0, 0}, 0, "a bound that is never reached"},
        {{0, 0.3, 0}, 0, "tables decay"},
        {{0, 0, 0.2}, 0, "the rest decays"},
        {{0.1, 0.3, 0.2}, 12, "both decay and the whole is clipped"},
    };

    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        int clipped = 0;

        CLOSE(against_plain(&c[i].r, 0.01, 30, &clipped), 0, 1e-9, c[i].what);
        OK(clipped == c[i].clips, "as often as foreseen");
    }
}

/* a loss that depends on every element and on pairs of rows */
static int embed_loss(void *arg, const ca_real *v, size_t ld, size_t n, size_t width, ca_real *dv, size_t ld_dv,
                      double *loss, struct ca_err *err)
{
    const double *weight = arg;

    (void)err;
    *loss = 0;
    for (size_t r = 0; r < n; r++)
        for (size_t k = 0; k < width; k++) {
            size_t next = (r + 1) % n;
            double d = (v[r * ld + k] - v[next * ld + k]) * (double)(k + 1);

            *loss += *weight * d * d / (double)n;
            dv[r * ld_dv + k] += *weight * 2 * d * (double)(k + 1) / (double)n;
            dv[next * ld_dv + k] -= *weight * 2 * d * (double)(k + 1) / (double)n;
        }
    return 0;
}

static void hook(void)
{
    struct ca_pool *pool = ca_pool_new(2, NULL);
    struct kit_batch b = kit_batch(&shape, 150, 5, 1);
    double weight = 20;
    struct ca_embed_loss l = {embed_loss, &weight};
    struct gradcheck c = {.net = kit_net(kit_mlp, &shape, pool, 3, 0), .batch = &b, .loss = &ca_loss_bce};
    size_t width = shape.fields * shape.width;
    ca_real *v = kit_alloc(150 * width, sizeof *v);
    double plain = gradcheck_loss(&c), value = 0, got;
    ca_real *unused = kit_alloc(150 * width, sizeof *unused);

    ca_net_set_embed_loss(c.net, &l);
    OK(gradcheck_all(&c, 20) < 1e-6, "a loss on the embedding: gradients of tables, and of what lies above them");
    OK(!ca_net_embed(c.net, &b.feed, v, width, NULL), "the values of an embedding can be asked for");
    (void)embed_loss(&weight, v, width, 150, width, unused, width, &value, NULL);
    got = gradcheck_loss(&c);
    CLOSE(got, plain + value, 1e-12 * got, "the loss of a batch is the sum of both");
    ca_net_set_embed_loss(c.net, NULL);
    CLOSE(gradcheck_loss(&c), plain, 0, "and without it what it was");
    ca_mem_free(v);
    ca_mem_free(unused);
    ca_net_free(c.net);
    kit_batch_free(&b, &shape);
    ca_pool_free(pool);
}

static void some_steps(struct ca_net *n, uint64_t from, uint64_t to)
{
    for (uint64_t t = from; t < to; t++) {
        struct kit_batch b = kit_batch(&shape, 30, t, 0);
        double sum;

        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, NULL, NULL), NULL);
        kit_must(ca_net_step(n, CA_STEP_ALL, NULL), NULL);
        kit_batch_free(&b, &shape);
    }
    kit_must(ca_net_settle(n, NULL), NULL);
}

/* Everything that is saved of a network */
static int same(struct ca_net *a, struct ca_net *b)
{
    const struct ca_graph *g = ca_net_graph(a);
    int differ = 0;

    for (int k = 0; k < 3; k++) {
        static const enum ca_state kind[] = {CA_STATE_WEIGHT, CA_STATE_M, CA_STATE_V};

        differ |= memcmp(ca_net_dense(a, kind[k]), ca_net_dense(b, kind[k]), ca_graph_dense_count(g) * sizeof(ca_real));
        for (size_t i = 0; i < ca_graph_n_tables(g); i++)
            for (size_t r = 0; r < ca_graph_get_table(g, i)->rows; r++)
                differ |= memcmp(ca_net_table_row(a, i, r, kind[k]), ca_net_table_row(b, i, r, kind[k]),
                                 ca_graph_get_table(g, i)->width * sizeof(ca_real));
    }
    for (size_t i = 0; i < ca_graph_n_buffers(g); i++)
        differ |= memcmp(ca_net_buffers(a) + ca_graph_get_buffer(g, i)->at, ca_net_buffers(b) + ca_graph_get_buffer(g, i)->at,
                         ca_graph_get_buffer(g, i)->count * sizeof(ca_real));
    return !differ;
}

static void snapshots(const struct ca_regular *r, const char *what)
{
    struct ca_pool *pool = ca_pool_new(2, NULL);
    struct ca_net *a = kit_net(fx, &shape, pool, 9, 0), *b = kit_net(fx, &shape, pool, 9, 0);
    struct ca_snapshot *s = NULL;

    ca_net_set_regular(a, r);
    ca_net_set_regular(b, r);
    some_steps(a, 0, 3);
    kit_must(ca_snapshot_take(&s, a, NULL), NULL);
    some_steps(a, 3, 5);
    kit_must(ca_snapshot_take(&s, a, NULL), NULL);
    some_steps(a, 90, 95);
    some_steps(b, 0, 3); /* bringing what rests to the present is a step of its own in the last bits */
    some_steps(b, 3, 5);
    OK(!same(a, b), "further steps change the network");
    ca_snapshot_restore(s, a);
    OK(same(a, b), "going back undoes them, to the bit");
    some_steps(a, 5, 9);
    some_steps(b, 5, 9);
    OK(same(a, b), what);
    ca_snapshot_free(s);
    ca_net_free(a);
    ca_net_free(b);
    ca_pool_free(pool);
}

int main(void)
{
    regular();
    hook();
    snapshots(&(struct ca_regular){0}, "and from there the way is the same, masks and rests included");
    snapshots(&(struct ca_regular){0.1, 0.01, 0}, "also with weight decay");
    return tap_done();
}
