/* Models that read lists, further tasks and domains: against PyTorch (lists.h), their sizes, their bits. */
#include "lists.h"

/* Every weight after some steps on batches of several chunks, at 1, 2 and 4 threads. */
static void bits(void)
{
    for (size_t a = 0; a < sizeof list_archs / sizeof *list_archs; a++) {
        char digest[3][CA_DIGEST_HEX], label[160];

        for (unsigned k = 0; k < 3; k++) {
            struct ca_pool *pool = ca_pool_new(1u << k, NULL);
            struct ca_model *m = list_make(list_archs[a], pool);

            for (int step = 0; step < 3; step++) {
                (void)list_batch(m, 0, ROWS, NULL);
                if (ca_net_step(m->net, CA_STEP_ALL, NULL))
                    abort();
            }
            if (ca_net_settle(m->net, NULL) || ca_model_digest(m, digest[k], NULL))
                abort();
            ca_model_free(m);
            ca_pool_free(pool);
        }
        (void)snprintf(label, sizeof label, "%s: same bits at 1, 2 and 4 threads", list_archs[a]);
        OK(!strcmp(digest[0], digest[1]) && !strcmp(digest[0], digest[2]), label);
    }
}

/* fields, of which the first `shared` have a list; numeric ones are counted as fields, as the published totals do */
static size_t dense_of(const char *arch, size_t fields, size_t lists, size_t length)
{
    uint32_t rows[64];
    struct ca_sequence sequence[8];
    struct ca_inputs in = {.n_fields = fields, .field_rows = rows, .n_sequences = lists, .sequence = sequence};
    struct ca_arch_spec spec;
    struct ca_err err = {0};
    struct ca_graph *g;
    char text[800];
    size_t count;

    for (size_t i = 0; i < fields; i++)
        rows[i] = 2;
    for (size_t i = 0; i < lists; i++)
        sequence[i] = (struct ca_sequence){NULL, 2, length, i};
    if (ca_arch_parse(arch, &spec, NULL) || !(g = ca_graph_new(&in, NULL)))
        abort();
    ca_graph_set_family(g, spec.arch->family);
    if (ca_graph_finish(g, spec.arch->build(g, &spec), &err)) {
        (void)printf("Bail out! %s\n", ca_err_format(&err, text, sizeof text));
        exit(70);
    }
    count = ca_graph_dense_count(g);
    ca_graph_free(g);
    return count;
}

/* Published totals without the tables (specification: models, appendix A). */
static void totals(void)
{
    /* 17 columns, three of them with a history; the price's map of 32 numbers counts as a table there */
    OK(dense_of("dmin:32:512,256,128:heads=1,refiner=0,position=4,attention=512,attention-2=256", 17, 3, 50) ==
           42347786 - 41442432, "DMIN of TaobaoAd");
    OK(dense_of("dmin:64:1024,512,256:heads=8,position=4,attention=256,attention-2=128,attention-dice=1,bn=2", 2, 2, 100) ==
           8107401 - 4083584, "DMIN of AmazonElectronics");
}

static void refusals(void)
{
    static const uint32_t rows[] = {3, 4};
    static const struct ca_sequence own = {NULL, 5, 3, CA_NO_FIELD}, shared = {NULL, 3, 3, 0}, other = {NULL, 5, 3, 0};
    static const struct {
        const char *arch;
        const struct ca_sequence *sequence;
        int code;
        const char *what;
    } bad[] = {
        {"dmin:4:8", NULL, CA_EUSAGE, "DMIN without lists"},
        {"dmin:4:8", &own, CA_EUSAGE, "DMIN with a list that shares nothing"},
        {"dmin:4:8:heads=3", &shared, CA_EUSAGE, "DMIN with heads that do not divide the width"},
        {"fm:4", &other, CA_ESCHEMA, "a list with more ids than the table it shares"},
        {"multitask:4:8", NULL, CA_EUSAGE, "several tasks without their labels"},
        {"multidomain:4:8", NULL, CA_EUSAGE, "several domains without a column"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ca_inputs in = {.n_fields = 2, .field_rows = rows, .n_sequences = bad[i].sequence != NULL, .sequence = bad[i].sequence};
        struct ca_graph *g = ca_graph_new(&in, NULL);
        struct ca_arch_spec spec;
        struct ca_err err = {0};

        if (!g || ca_arch_parse(bad[i].arch, &spec, NULL))
            abort();
        ca_graph_set_family(g, spec.arch->family);
        OK(ca_graph_finish(g, spec.arch->build(g, &spec), &err) == bad[i].code, bad[i].what);
        ca_graph_free(g);
    }
}

int main(void)
{
    totals();
    refusals();
    make_lists();
    bits();
    return run_lists();
}
