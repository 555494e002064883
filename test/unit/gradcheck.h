/*
 * Every gradient of a network against central differences of its loss, in
 * double. A step may cross a kink of a ReLU or be lost in rounding, so a
 * mismatch is tried again with others: a wrong gradient matches at none of them.
 */
#ifndef CA_TEST_GRADCHECK_H
#define CA_TEST_GRADCHECK_H

#ifndef CA_DOUBLE
#error "gradient checks need the double library"
#endif

#include <math.h>

#include "netkit.h"
#include "tap.h"

struct gradcheck {
    struct ca_net *net;
    const struct kit_batch *batch;
    const struct ca_loss *loss;
    double worst;
    char where[128];
};

static inline double gradcheck_loss(const struct gradcheck *c)
{
    struct ca_err err = {0};
    double sum;

    kit_must(ca_net_step(c->net, 0, &err), &err); /* forget: steps nothing */
    kit_must(ca_net_gradient(c->net, &c->batch->feed, c->loss, &c->batch->target, &sum, NULL, &err), &err);
    return sum / (double)c->batch->feed.rows;
}

/* scale: the size of gradients of this tensor; below a thousandth of it only the absolute error counts. */
static inline void gradcheck_one(struct gradcheck *c, ca_real *x, double g, double scale, const char *name, size_t at)
{
    static const double step[] = {1e-5, 2e-6, 5e-7, 2e-7, 1e-4};
    double best = INFINITY, keep = *x;

    for (size_t i = 0; i < sizeof step / sizeof *step && best >= 1e-6; i++) {
        double up, down, fd, e;

        *x = keep + step[i];
        up = gradcheck_loss(c);
        *x = keep - step[i];
        down = gradcheck_loss(c);
        *x = keep;
        fd = (up - down) / (2 * step[i]);
        e = fabs(fd - g) / (fabs(fd) + fabs(g) + 1e-3 * scale + 1e-5);
        best = e < best ? e : best;
    }
    if (best > c->worst) {
        c->worst = best;
        (void)snprintf(c->where, sizeof c->where, "%s[%zu]", name, at);
    }
}

/* At most `most` elements of each tensor, evenly spread. Returns the worst relative error. */
static inline double gradcheck_all(struct gradcheck *c, size_t most)
{
    const struct ca_graph *g = ca_net_graph(c->net);
    size_t dense = ca_graph_dense_count(g);
    double *want = kit_alloc(dense, sizeof *want);

    (void)gradcheck_loss(c);
    memcpy(want, ca_net_dense(c->net, CA_STATE_GRADIENT), dense * sizeof *want);
    c->worst = 0;
    for (size_t i = 0; i < ca_graph_n_params(g); i++) {
        const struct ca_param *p = ca_graph_get_param(g, i);
        double scale = 0;

        for (size_t k = 0; k < p->count; k++)
            scale = fmax(scale, fabs(want[p->at + k]));
        for (size_t k = 0; k < p->count; k += p->count / most + 1)
            gradcheck_one(c, ca_net_dense(c->net, CA_STATE_WEIGHT) + p->at + k, want[p->at + k], scale, p->name, k);
    }
    ca_mem_free(want);
    for (size_t i = 0; i < ca_graph_n_tables(g); i++) {
        const struct ca_table_spec *t = ca_graph_get_table(g, i);
        double *grad = kit_alloc(t->rows * t->width, sizeof *grad), scale = 0;

        (void)gradcheck_loss(c);
        for (size_t r = 0; r < t->rows; r++) {
            const ca_real *p = ca_net_table_gradient(c->net, i, r);
            if (p)
                memcpy(grad + r * t->width, p, t->width * sizeof *grad);
        }
        for (size_t k = 0; k < t->rows * t->width; k++)
            scale = fmax(scale, fabs(grad[k]));
        /* what padding contributes has a derivative, which by contract is not taken */
        for (size_t k = t->padded ? t->width : 0; k < t->rows * t->width; k += t->rows * t->width / most + 1)
            gradcheck_one(c, ca_net_table_row(c->net, i, k / t->width, CA_STATE_WEIGHT) + k % t->width, grad[k], scale,
                          t->name, k);
        ca_mem_free(grad);
    }
    return c->worst;
}

/* Build, check, report as one TAP line. */
static inline void gradcheck_net(kit_build *build, const struct kit_shape *s, size_t rows, size_t most,
                                 const struct ca_loss *loss, const char *what)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct kit_batch batch = kit_batch(s, rows, 5, 1);
    struct gradcheck c = {.batch = &batch, .loss = loss};
    double worst;

    kit_must(!pool, &err);
    c.net = kit_net(build, s, pool, 3, 0);
    worst = gradcheck_all(&c, most);
    if (!OK(worst < 1e-6, what))
        (void)printf("# relative error %.3g at %s\n", worst, c.where);
    ca_net_free(c.net);
    kit_batch_free(&batch, s);
    ca_pool_free(pool);
}

#endif
