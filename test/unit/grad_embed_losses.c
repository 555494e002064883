/* The losses on embeddings: against PyTorch in double, and every gradient against central differences. */
#include "embed_losses.h"

typedef double loss_fn(struct set *x);

/* Worst error of the gradient g[n] of fn with respect to p[n]. */
static double differences(struct set *x, loss_fn *fn, double *p, const double *g, size_t n)
{
    double worst = 0, size = 0, h = 1e-5;

    for (size_t i = 0; i < n; i++)
        size = fmax(size, fabs(g[i]));
    for (size_t i = 0; i < n; i++) {
        double keep = p[i], up, down;
        p[i] = keep + h;
        up = fn(x);
        p[i] = keep - h;
        down = fn(x);
        p[i] = keep;
        worst = fmax(worst, fabs((up - down) / (2 * h) - g[i]) / size);
    }
    return size > 0 ? worst : INFINITY;
}

static void check(struct set *x, loss_fn *fn, int maps, const char *what)
{
    double ds[ROWS * (WIDE + GAP)], dp[MAPS];
    char line[100];

    forget(x);
    (void)fn(x);
    memcpy(ds, x->ds, sizeof ds);
    memcpy(dp, ca_hint_state(x->hint, CA_STATE_GRADIENT), sizeof dp);
    (void)snprintf(line, sizeof line, "%s: central differences of the student's values", what);
    CLOSE(differences(x, fn, x->s, ds, ROWS * (WIDE + GAP)), 0, 1e-8, line);
    if (!maps)
        return;
    (void)snprintf(line, sizeof line, "%s: central differences of the maps", what);
    CLOSE(differences(x, fn, ca_hint_state(x->hint, CA_STATE_WEIGHT), dp, MAPS), 0, 1e-8, line);
}

int main(void)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(1, &err);
    static struct set x;

    must(!pool, &err);
    set_init(&x, pool);
    check(&x, hint_loss, 1, "hint");
    check(&x, native_loss, 0, "native");
    check(&x, project_loss, 1, "project");
    ca_hint_free(x.hint);
    ca_pool_free(pool);
    check_embed_losses();
    return tap_done();
}
