/* The architectures in the form of FuxiCTR: against PyTorch (zoo.h), their sizes, their spelling, their bits. */
#include "zoo.h"

/* Numeric features are fields with a map [d, 1]; they are told apart, as the published totals count them as tables. */
static size_t dense_of(const char *arch, size_t fields)
{
    static uint32_t rows[64];
    struct ca_inputs in = {.n_fields = fields, .field_rows = rows};
    struct ca_arch_spec spec;
    struct ca_graph *g;
    size_t count;

    for (size_t i = 0; i < 64; i++)
        rows[i] = 2;
    if (ca_arch_parse(arch, &spec, NULL) || !(g = ca_graph_new(&in, NULL)))
        abort();
    ca_graph_set_family(g, spec.arch->family);
    if (ca_graph_finish(g, spec.arch->build(g, &spec), NULL))
        abort();
    count = ca_graph_dense_count(g);
    ca_graph_free(g);
    return count;
}

/*
 * Published logs and formulas (specification: models, appendix A and 0.6), without the tables. Batch norm,
 * which has 2 parameters a hidden unit, is counted off where the log has it.
 */
static void totals(void)
{
    static const struct {
        const char *what, *arch;
        size_t fields, want;
    } t[] = {
        {"DCN(2) of TaobaoAd", "dcn-fx:32:512,256,128:layers=2", 20, 41938177 - 41442432},
        {"DCNv2(4) of TaobaoAd", "dcnv2:32:512,256,128:layers=4", 20, 43576577 - 41442432},
        {"FmFM vectorized of TaobaoAd over FM", "fmfm-vector:32", 20, 43063795 - 43057715 + 1},
        {"DeepFM of TaobaoAd over FM", "deepfm-fx:32:512,256,128", 20, 43550260 - 43057715 + 1},
        {"DCN(6) of AmazonElectronics", "dcn-fx:64:1024,512,256:layers=6", 4, 5006465 - 4083584},
        {"DCNv2(2) of AmazonElectronics", "dcnv2:64:1024,512,256:layers=2", 4, 5138561 - 4083584 - 2 * 1792},
        {"FmFM matrixed of AmazonElectronics over FM", "fmfm:64", 4, 4235773 - 4211197 + 1},
        {"DeepFM of AmazonElectronics over FM", "deepfm-fx:64:1024,512,256", 4, 5134334 - 4211197 - 2 * 1792 + 1},
        {"DCNv2(3) of Criteo_x4", "dcnv2:16:1000,1000,1000,1000,1000", 39, 20382577 - 14571952 - 2 * 5000},
        {"PNN of Criteo_x4", "pnn:16:400,400,400", 39, 870001 - 2 * 1200},
        {"FINAL(1B) of Criteo_x4", "final:16:400,400,400", 39, 824761 - 2 * 1200},
        {"ECN(4) of Criteo_x4", "ecn:16", 39, 15356321 - 14571952},
        {"MaskNet of Criteo_x4", "masknet:16:1000,1000,1000,1000,1000:block=500", 39, 20358077 - 14571952},
        {"FinalMLP of Criteo_x4", "finalmlp:16:1000,1000,1000,1000,1000:second=500,heads=50", 39, 19524954 - 14571952},
        {"LR has a bias", "lr", 39, 1},
        {"FM has a bias", "fm:16", 39, 1},
        {"AFM", "afm-fx:16:attention=10", 39, 16 * 10 + 2 * 10 + 16 + 1},
        {"CIN", "cin:16", 39, 39 * 39 * 16 + 2 * 39 * 16 * 16 + 3 * 16 + 3 * 16 + 1},
        {"EDCN without batch norm", "edcn:16", 39, 3 * (624 * 624 + 624) + 3 * 2 * 624 + 3 * 2 * 39 + 3 * 624 + 1},
        {"FiBiNET, each pair", "fibinet-fx:16:100", 39, 2 * 39 * 13 + 2 * 741 * 256 + 2 * 741 * 16 * 100 + 201},
        {"FiBiNET, each field", "fibinet-each:16:100", 39, 2 * 39 * 13 + 2 * 39 * 256 + 2 * 741 * 16 * 100 + 201},
        {"FiBiNET, one matrix", "fibinet-all:16:100", 39, 2 * 39 * 13 + 2 * 256 + 2 * 741 * 16 * 100 + 201},
        {"DLRM without numeric features", "dlrm:16:100", 26, 325 * 100 + 201},
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        if (!OK(dense_of(t[i].arch, t[i].fields) == t[i].want, t[i].what))
            (void)printf("# %zu parameters, not %zu\n", dense_of(t[i].arch, t[i].fields), t[i].want);
}

static void spelling(void)
{
    static const char *const same[] = {"lr", "fm:16", "dcnv2:16:400,400", "dcnv2:16:400:layers=4", "cin:8:layers=2,maps=4",
                                       "finalmlp:4:8:second=6", "dlrm:8:64,1:bottom-layers=0"};
    static const char *const wrong[] = {
        "lr:", "lr:8", "fm", "fm:", "fm:0", "fm:16:", "fm:16:400", "dcnv2:16", "dcnv2:16:", "dcnv2:16:400:",
        "dcnv2:16:400:layers", "dcnv2:16:400:layers=", "dcnv2:16:400:layers=0", "dcnv2:16:400:layers=17",
        "dcnv2:16:400:layer=2", "dcnv2:16:400:layers=2,", "dcnv2:16:400:layers=2:", "dcnv2:16:400:layers=2:maps=3",
        "dcnv2:16:400:maps=2", "mlp:8:64:layers=2", "pnn:16:400:", "dcnv2:16:400:layers=99999999999999999999999999",
    };
    struct ca_arch_spec a, b;

    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct ca_buf text = {0};

        if (ca_arch_parse(same[i], &a, NULL))
            abort();
        ca_arch_text(&a, &text);
        OK(!strcmp(text.data, same[i]) && !ca_arch_parse(text.data, &b, NULL) && ca_arch_equal(&a, &b), same[i]);
        ca_buf_fini(&text);
    }
    OK(!ca_arch_parse("dcnv2:16:400:layers=3", &a, NULL) && !ca_arch_parse("dcnv2:16:400", &b, NULL) &&
           ca_arch_equal(&a, &b), "a size may be said though it is the published one");
    OK(!ca_arch_parse("dcnv2:16:400:layers=2", &a, NULL) && !ca_arch_equal(&a, &b), "another size is another architecture");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ca_err err = {0};

        OK(ca_arch_parse(wrong[i], &a, &err) == CA_EUSAGE, wrong[i]);
    }
    OK(ca_arch_parse("ecn:5", &a, NULL) == 0, "an odd width can be written");
    for (size_t i = 0; ca_archs[i] && ca_archs[i + 1]; i++)
        OK(strcmp(ca_archs[i]->name, ca_archs[i + 1]->name) < 0, ca_archs[i + 1]->name);
}

/* Sizes that cannot be built are refused in words. */
static void refusals(void)
{
    static const char *const bad[] = {"ecn:5", "lcn:3", "final:4:8,3", "finalmlp:4:8,5:heads=2"};
    static const uint32_t rows[] = {3, 4, 5};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ca_inputs in = {.n_fields = 3, .field_rows = rows};
        struct ca_graph *g = ca_graph_new(&in, NULL);
        struct ca_arch_spec spec;
        struct ca_err err = {0};

        if (!g || ca_arch_parse(bad[i], &spec, NULL))
            abort();
        ca_graph_set_family(g, spec.arch->family);
        OK(ca_graph_finish(g, spec.arch->build(g, &spec), &err) == CA_EUSAGE, bad[i]);
        ca_graph_free(g);
    }
}

/* Every weight after some steps, at 1, 2 and 4 threads. */
static void bits(void)
{
    for (size_t a = 0; a < sizeof zoo_archs / sizeof *zoo_archs; a++) {
        char digest[3][CA_DIGEST_HEX], label[96];

        for (unsigned k = 0; k < 3; k++) {
            struct ca_pool *pool = ca_pool_new(1u << k, NULL);
            struct ca_model *m = zoo_make(zoo_archs[a], pool);

            zoo_wide_batch(m);
            if (ca_net_settle(m->net, NULL) || ca_model_digest(m, digest[k], NULL))
                abort();
            ca_model_free(m);
            ca_pool_free(pool);
        }
        (void)snprintf(label, sizeof label, "%s: same bits at 1, 2 and 4 threads", zoo_archs[a]);
        OK(!strcmp(digest[0], digest[1]) && !strcmp(digest[0], digest[2]), label);
    }
}

int main(void)
{
    totals();
    spelling();
    refusals();
    make_data();
    bits();
    return run_zoo();
}
