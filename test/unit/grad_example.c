/* The architecture that lib/README.md shows: the Makefile takes it from there. */
#include "gradcheck.h"

#include "example.c"

static ca_val example(struct ca_graph *g, const struct kit_shape *s)
{
    struct ca_arch_spec spec = {.arch = &ca_arch_sumproduct, .width = s->width, .option = {3, 5}};

    ca_graph_set_family(g, CA_FAMILY_FX);
    return ca_arch_sumproduct.build(g, &spec);
}

/* Its formulas with N 2, C 3, F 5, d 4, factors 3, sums 5; D is 20. */
static void sizes(const struct kit_shape *s)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(1, &err);
    struct ca_net *n;

    kit_must(!pool, &err);
    n = kit_net(example, s, pool, 1, 0);
    OK(ca_graph_dense_count(ca_net_graph(n)) == 2 * 4 + 2 + 1 + 3 * 21 * 5 + 5, "as many parameters as it says");
    OK(ca_net_flops_per_row(n) == 2 * 4 + (2 + 5) + 3 * 2 * 20 * 5 + 2 * 5 + 2 * 5 + 1, "as many operations as it says");
    ca_net_free(n);
    ca_pool_free(pool);
}

int main(void)
{
    static const uint32_t rows[] = {5, 40, 3};
    struct kit_shape s = {.numeric = 2, .fields = 3, .width = 4, .rows = rows};

    gradcheck_net(example, &s, 133, 1000, &ca_loss_bce, "the example's gradients");
    sizes(&s);
    return tap_done();
}
