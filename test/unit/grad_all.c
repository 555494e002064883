/*
 * Every architecture as a whole, from the table of ca-train --list-archs, and
 * its variants with batch norm, Dice and dropout: all gradients against central
 * differences, at weights of a size at which something depends on everything.
 */
#include "gradcheck.h"

#include "model/arch.h"

static const uint32_t rows[] = {6, 5, 4};
static const struct ca_sequence sequences[] = {{.rows = 6, .length = 3, .field = 0}, {.rows = 4, .length = 3, .field = CA_NO_FIELD}};
static const unsigned char of_item[] = {0, 0, 1};

static struct ca_arch_spec spec;

static ca_val build(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    ca_graph_set_family(g, spec.arch->family);
    return spec.arch->build(g, &spec);
}

/* Weights from -a to a, around 1 where they start there; padding stays 0. */
static void shake(struct ca_net *n, double a, uint64_t seed)
{
    const struct ca_graph *g = ca_net_graph(n);
    struct ca_rng rng = ca_rng_make(seed, "shake");
    uint64_t at = 0;

    for (size_t i = 0; i < ca_graph_n_params(g); i++) {
        const struct ca_param *p = ca_graph_get_param(g, i);

        for (size_t k = 0; k < p->count; k++)
            ca_net_dense(n, CA_STATE_WEIGHT)[p->at + k] =
                (p->init.kind == CA_INIT_ONE) + a * (2 * ca_rng_unit(&rng, at++) - 1);
    }
    for (size_t i = 0; i < ca_graph_n_tables(g); i++) {
        const struct ca_table_spec *t = ca_graph_get_table(g, i);

        for (size_t r = t->padded ? 1 : 0; r < t->rows; r++)
            for (size_t k = 0; k < t->width; k++)
                ca_net_table_row(n, i, r, CA_STATE_WEIGHT)[k] = a * (2 * ca_rng_unit(&rng, at++) - 1);
    }
}

static void check(const char *text)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(2, &err);
    struct kit_shape shape = {.numeric = 2, .fields = 3, .width = 4, .rows = rows};
    struct kit_batch batch;
    struct gradcheck c = {.batch = &batch, .loss = &ca_loss_bce};
    double worst = INFINITY;

    kit_must(ca_arch_parse(text, &spec, &err), &err);
    if (ca_arch_reads_lists(spec.arch)) {
        shape.sequence = sequences;
        shape.n_sequences = 2;
    }
    shape.tasks = spec.arch->reads & CA_READS_TASKS ? 2 : 0;
    shape.domains = spec.arch->reads & CA_READS_DOMAIN ? 3 : 0;
    shape.of_item = spec.arch->reads & CA_READS_ITEM ? of_item : NULL;
    batch = kit_batch(&shape, 24, 5, 1);
    c.net = kit_net(build, &shape, pool, 3, 0);
    /* thousands of ReLUs may have a kink within every step of one element: a wrong gradient is wrong at other weights too */
    for (uint64_t seed = 11; seed < 14 && !(worst < 1e-6); seed++) {
        shake(c.net, 0.5, seed);
        worst = gradcheck_all(&c, 5);
    }
    if (!OK(worst < 1e-6, text))
        (void)printf("# relative error %.3g at %s\n", worst, c.where);
    ca_net_free(c.net);
    kit_batch_free(&batch, &shape);
    ca_pool_free(pool);
}

/* "NAME", with the sizes it is spelled with, and what is said of its keys. */
static void arch(const struct ca_arch *a, const char *keys)
{
    static const char *const sizes[] = {[CA_SIZES_ALL] = ":4:6,4", [CA_SIZES_WIDTH] = ":4", [CA_SIZES_NONE] = ""};
    char text[200];

    (void)snprintf(text, sizeof text, "%s%s%s%s", a->name, sizes[a->sizes], *keys ? ":" : "", keys);
    check(text);
}

static int has(const struct ca_arch *a, const char *key)
{
    for (const struct ca_arch_key *k = a->keys; k && k->name; k++)
        if (!strcmp(k->name, key))
            return 1;
    return 0;
}

int main(void)
{
    for (size_t i = 0; ca_archs[i]; i++) {
        const struct ca_arch *a = ca_archs[i];

        /* its loss stops gradients on purpose, so differences of it are something else: PyTorch is the judge of it */
        if (!strcmp(a->name, "final-2b"))
            continue;
        arch(a, "");
        if (has(a, "bn"))
            arch(a, "bn=1");
        if (has(a, "bn") && has(a, "dice"))
            arch(a, "bn=2,dice=1");
        if (has(a, "dropout"))
            arch(a, "dropout=0.3");
    }
    return tap_done();
}
