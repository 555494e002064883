/*
 * model/arch_*.c and their operators: parameter counts of the published
 * implementation, its tensors in its order (test/golden/tensors.tsv: 26
 * fields of 10 rows, 13 numeric features), bits at any number of threads.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "model/arch.h"
#include "netkit.h"
#include "nn/lanes.h"
#include "tap.h"

static struct ca_arch_spec parse(const char *text)
{
    struct ca_arch_spec spec;
    struct ca_err err = {0};

    kit_must(ca_arch_parse(text, &spec, &err), &err);
    return spec;
}

static struct ca_graph *graph_of(const char *text, size_t numeric, size_t fields)
{
    static uint32_t rows[64];
    struct ca_arch_spec spec = parse(text);
    struct ca_inputs in = {.n_numeric = numeric, .n_fields = fields, .field_rows = rows};
    struct ca_err err = {0};
    struct ca_graph *g;

    for (size_t i = 0; i < 64; i++)
        rows[i] = 10;
    g = ca_graph_new(&in, &err);
    kit_must(!g, &err);
    kit_must(ca_graph_finish(g, spec.arch->build(g, &spec), &err), &err);
    return g;
}

/* Dense parameters of Criteo and Avazu, small and large (specification: models 0.6). */
static void counts(void)
{
    static const struct {
        const char *arch;
        size_t want[4];
    } t[] = {
        {"mlp", {16625, 145857, 13745, 126145}},         {"dcn", {17512, 147576, 14452, 127556}},
        {"deepfm", {16625, 145857, 13745, 126145}},      {"xdeepfm", {22455, 157511, 17975, 134599}},
        {"autoint", {17537, 149217, 14657, 129505}},     {"fibinet", {183539, 1477763, 132418, 1072914}},
        {"afm", {16705, 146001, 13825, 126289}},         {"nfm", {3825, 43457, 2993, 40129}},
    };
    static const char *const sizes[] = {"8:64,32,4", "16:256,128,16"};

    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        for (size_t k = 0; k < 4; k++) {
            char text[64];
            struct ca_graph *g;

            (void)snprintf(text, sizeof text, "%s:%s", t[i].arch, sizes[k % 2]);
            g = graph_of(text, k < 2 ? 13 : 0, k < 2 ? 26 : 22);
            (void)snprintf(text, sizeof text, "%s:%s on %s", t[i].arch, sizes[k % 2], k < 2 ? "Criteo" : "Avazu");
            if (!OK(ca_graph_dense_count(g) == t[i].want[k], text))
                (void)printf("# %zu parameters\n", ca_graph_dense_count(g));
            ca_graph_free(g);
        }
}

/* Parse "ARCH\tNAME\tA,B": 1 when there is one more line. */
static int next_line(FILE *f, char arch[64], char name[96], size_t dim[2], unsigned *n_dims)
{
    char line[256], *shape;

    if (!fgets(line, sizeof line, f) || sscanf(line, "%63[^\t]\t%95[^\t]\t", arch, name) != 2)
        return 0;
    shape = strrchr(line, '\t') + 1;
    dim[0] = strtoul(shape, &shape, 10);
    *n_dims = *shape == ',' ? 2 : 1;
    dim[1] = *n_dims == 2 ? strtoul(shape + 1, NULL, 10) : 0;
    return 1;
}

/* Of the tables the file has the first. */
static void names(void)
{
    FILE *f = fopen("test/golden/tensors.tsv", "r");
    char arch[64] = "", name[96], last[64] = "";
    struct ca_graph *g = NULL;
    size_t dim[2], at = 0, archs = 0;
    unsigned n_dims;
    int more = f && fgets((char[256]){0}, 256, f) && next_line(f, arch, name, dim, &n_dims);

    OK(more, "the list of tensors is there");
    while (more) {
        char what[192];

        if (strcmp(arch, last)) {
            ca_graph_free(g);
            g = graph_of(arch, 13, 26);
            at = 0;
            archs++;
            (void)snprintf(last, sizeof last, "%s", arch);
        }
        (void)snprintf(what, sizeof what, "%s: %s", arch, name);
        if (!strncmp(name, "sparse", 6)) {
            const struct ca_table_spec *t = ca_graph_get_table(g, 0);
            OK(ca_graph_n_tables(g) == 26 && !strcmp(t->name, name) && t->rows == dim[0] && t->width == dim[1], what);
        } else {
            const struct ca_param *p = at < ca_graph_n_params(g) ? ca_graph_get_param(g, at++) : NULL;
            OK(p && !strcmp(p->name, name) && p->n_dims == n_dims && p->dim[0] == dim[0] &&
                   (n_dims == 1 || p->dim[1] == dim[1]),
               what);
        }
        more = next_line(f, arch, name, dim, &n_dims);
        if (!more || strcmp(arch, last))
            OK(at == ca_graph_n_params(g), "and there are no more");
    }
    OK(archs == 8, "of all architectures");
    ca_graph_free(g);
    if (f)
        (void)fclose(f);
}

static struct ca_arch_spec current;

static ca_val build_current(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return current.arch->build(g, &current);
}

/* Weights after ten steps with batches that fill no chunk; logit gets those of the last batch. */
static void train(const struct kit_shape *s, unsigned threads, int inference, char out[CA_DIGEST_HEX], float *logit)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(threads, &err);
    struct ca_digest *d = ca_digest_new(&err);
    struct ca_net *n;
    double sum;

    kit_must(!pool || !d, &err);
    n = kit_net(build_current, s, pool, 7, 0);
    for (int i = 0; i < 10; i++) {
        struct kit_batch b = kit_batch(s, i % 3 == 2 ? 77 : 1003, (uint64_t)i, 0);

        if (inference)
            kit_must(ca_net_forward(n, &b.feed, logit, &err), &err);
        kit_must(ca_net_gradient(n, &b.feed, &ca_loss_bce, &b.target, &sum, inference ? NULL : logit, &err), &err);
        kit_must(ca_net_step(n, CA_STEP_ALL, &err), &err);
        kit_batch_free(&b, s);
    }
    kit_must(ca_net_settle(n, &err), &err);
    ca_digest_add(d, ca_net_dense(n, CA_STATE_WEIGHT), ca_graph_dense_count(ca_net_graph(n)) * sizeof(ca_real));
    for (size_t i = 0; i < s->fields; i++)
        for (size_t r = 0; r < s->rows[i]; r++)
            ca_digest_add(d, ca_net_table_row(n, i, r, CA_STATE_WEIGHT), s->width * sizeof(ca_real));
    ca_digest_hex(d, out);
    ca_digest_free(d);
    ca_net_free(n);
    ca_pool_free(pool);
}

static void threads(void)
{
    static const uint32_t rows[] = {500, 4, 2000, 1, 37};
    static const char *const sizes[] = {"8:24,8", "6:16"};
    static float logit[1003], again[1003];
    char one[CA_DIGEST_HEX], other[CA_DIGEST_HEX], text[96];

    for (size_t i = 0; ca_archs[i]; i++)
        for (size_t k = 0; k < 2 && ca_archs[i]->family == CA_FAMILY_CA; k++) {
            struct kit_shape s = {.numeric = 3, .fields = 5, .width = k ? 6 : 8, .rows = rows, .hidden = {0}, .n_hidden = 0};

            (void)snprintf(text, sizeof text, "%s:%s", ca_archs[i]->name, sizes[k]);
            current = parse(text);
            train(&s, 1, 0, one, logit);
            for (unsigned t = 2; t <= 4; t += 2) {
                train(&s, t, 0, other, again);
                (void)snprintf(text, sizeof text, "%s:%s: %u threads give the bits of one", ca_archs[i]->name, sizes[k], t);
                STR_EQ(other, one, text);
            }
            train(&s, 2, 1, other, again);
            OK(!strcmp(other, one) && !memcmp(logit, again, 1003 * sizeof *logit), "predicting sees what training sees");
        }
}

/* Against the library's, over the range a softmax uses and beyond. */
static void exponential(void)
{
    double worst = 0;
    float x[3] = {0, -200, NAN};

    for (int i = -87000; i <= 88000; i++) {
        float at = (float)i / 1000;
        worst = fmax(worst, fabs((double)ca_exp(at) / exp((double)at) - 1));
    }
    CLOSE(worst, 0, 2e-7, "e^x to float precision");
    OK(ca_exp(x[0]) == 1, "e^0 is 1");
    OK(ca_exp(x[1]) > 0 && ca_exp(x[1]) < 1e-37f, "far below, it is next to nothing");
    OK(isnan(ca_exp(x[2])), "not a number stays so");
}

/* A width that two heads cannot share is refused when the graph is built, in words. */
static void refusals(void)
{
    struct ca_arch_spec spec = parse("autoint:5:4");
    uint32_t rows[2] = {3, 3};
    struct ca_inputs in = {.n_fields = 2, .field_rows = rows};
    struct ca_err err = {0};
    struct ca_graph *g = ca_graph_new(&in, &err);

    OK(ca_graph_finish(g, spec.arch->build(g, &spec), &err) == CA_EUSAGE && strstr(err.text, "heads"),
       "autoint of an odd width is refused");
    ca_graph_free(g);
}

int main(void)
{
    counts();
    names();
    exponential();
    refusals();
    threads();
    return tap_done();
}
