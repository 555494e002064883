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
 * Published logs and formulas (specification: models, appendix A and 0.6), without the tables.
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
        {"DCNv2(2) of AmazonElectronics", "dcnv2:64:1024,512,256:layers=2,bn=1", 4, 5138561 - 4083584},
        {"FmFM matrixed of AmazonElectronics over FM", "fmfm:64", 4, 4235773 - 4211197 + 1},
        {"DeepFM of AmazonElectronics over FM", "deepfm-fx:64:1024,512,256:bn=1", 4, 5134334 - 4211197 + 1},
        {"DCNv2(3) of Criteo_x4", "dcnv2:16:1000,1000,1000,1000,1000:bn=1", 39, 20382577 - 14571952},
        {"PNN of Criteo_x4", "pnn:16:400,400,400:bn=1,dropout=0.1", 39, 870001},
        {"FINAL(1B) of Criteo_x4", "final:16:400,400,400:bn=1,dropout=0.1", 39, 824761},
        {"FINAL(2B) of Criteo_x4", "final-2b:16:1000,1000,1000:second=512,bn=1,dropout=0.4", 39, 18153050 - 14571952},
        {"MLP of KDEF on Criteo_x4", "mlp-fx:16:400,400,400:bn=1,dropout=0.1", 39, 573601},
        {"MLP with one batch norm", "mlp-fx:16:400,400,400:bn=2", 39, 573601 - 2 * 1200 + 2 * 624},
        {"MLP with Dice", "mlp-fx:16:400,400,400:dice=1", 39, 573601 - 2 * 1200 + 1200},
        {"ECN(4) of KDEF_Latest on Criteo_x4", "ecn:16:bn=1,dropout=0.1", 39, 784377},
        {"FCN with batch norm", "fcn:16:bn=1", 39, 2 * 784377},
        {"KDEF_Latest is the sum of its three", "pnn:16:400,400,400:bn=1", 39, 17051091 - 14571952 - 824761 - 784377},
        {"AFN", "afn:16:400,400:neurons=50", 39, 39 * 50 + 2 * 39 + 2 * 50 + 800 * 400 + 1200 + 400 * 400 + 1200 + 401},
        {"AFN+", "afn-plus:16:400:neurons=50,dnn=100,dnn-layers=2", 39,
         39 * 50 + 2 * 39 + 2 * 50 + 800 * 400 + 1200 + 401 + 624 * 100 + 300 + 100 * 100 + 300 + 101 + 3},
        {"CL4CTR", "cl4ctr:16", 39, 1 + 3 * (4 * 256 + 4 * 16 + 2 * 128 * 16 + 128 + 16 + 4 * 16) + 2 * (624 * 16 + 16)},
        {"CL4CTR on DeepFM", "cl4ctr-deepfm:16:400,400,400:layers=1", 39,
         1 + 573601 - 2 * 1200 + 4 * 256 + 4 * 16 + 2 * 128 * 16 + 128 + 16 + 4 * 16 + 2 * (624 * 16 + 16)},
        {"ECN(4) of Criteo_x4", "ecn:16", 39, 15356321 - 14571952},
        {"MaskNet of Criteo_x4", "masknet:16:1000,1000,1000,1000,1000:block=500", 39, 20358077 - 14571952},
        {"FinalMLP of Criteo_x4", "finalmlp:16:1000,1000,1000,1000,1000:second=500,heads=50", 39, 19524954 - 14571952},
        {"LR has a bias", "lr", 39, 1},
        {"FM has a bias", "fm:16", 39, 1},
        {"AFM", "afm-fx:16:attention=10", 39, 16 * 10 + 2 * 10 + 16 + 1},
        {"CIN", "cin:16", 39, 39 * 39 * 16 + 2 * 39 * 16 * 16 + 3 * 16 + 3 * 16 + 1},
        {"EDCN without batch norm", "edcn:16", 39, 3 * (624 * 624 + 624) + 3 * 2 * 624 + 3 * 2 * 39 + 3 * 624 + 1},
        {"EDCN with batch norm", "edcn:16:bn=1,dropout=0.1", 39,
         3 * (624 * 624 + 624) + 3 * 2 * 624 + 3 * 2 * 39 + 3 * 4 * 624 + 3 * 624 + 1},
        {"FiBiNET, each pair", "fibinet-fx:16:100", 39, 2 * 39 * 13 + 2 * 741 * 256 + 2 * 741 * 16 * 100 + 201},
        {"FiBiNET, each field", "fibinet-each:16:100", 39, 2 * 39 * 13 + 2 * 39 * 256 + 2 * 741 * 16 * 100 + 201},
        {"FiBiNET, one matrix", "fibinet-all:16:100", 39, 2 * 39 * 13 + 2 * 256 + 2 * 741 * 16 * 100 + 201},
        {"DLRM without numeric features", "dlrm:16:100", 26, 325 * 100 + 201},
        {"FCN", "fcn:16", 39, 2 * (4 * (624 * 624 / 2 + 2 * 624) + 624 + 1)},
        {"FCN of fewer layers", "fcn:16:deep=3,shallow=1", 39, 4 * (624 * 624 / 2 + 2 * 624) + 2 * (624 + 1)},
        {"AutoInt", "autoint-fx:16", 39, 4 * 16 * 8 + 3 * 8 * 8 + 39 * 8 + 1},
        {"AutoInt, as wide as its vectors, normed", "autoint-fx:16:layers=3,heads=2,attention=16,norm=1", 39,
         3 * (3 * 16 * 16 + 2 * 16) + 39 * 16 + 1},
        {"AutoInt without residual", "autoint-fx:16:residual=0", 39, 3 * 16 * 8 + 3 * 8 * 8 + 39 * 8 + 1},
        {"AutoInt+", "autoint-plus:16:400,100", 39,
         4 * 16 * 8 + 3 * 8 * 8 + 39 * 8 + 1 + 624 * 400 + 400 + 400 * 100 + 100 + 101},
        {"EulerNet of Criteo", "eulernet:16", 39,
         39 + 2 * (39 * 39 + 39 * 39 * 256 + 39 * 16 + 2 * 16 * 39 + 4 * 16) + 624 + 1},
        {"EulerNet of ten orders without norm", "eulernet:16:layers=1,orders=10,norm=0", 39,
         39 + 39 * 10 + 39 * 10 * 256 + 10 * 16 + 2 * 16 * 10 + 160 + 1},
        {"RFM", "rfm:16:400,100:layers=2,heads=4,attention=64,group=20", 39,
         (3 * 39 * 16 * 64 + 16 * 64 + 16 + 2 * 64) + (3 * 39 * 64 * 64 + 64 * 64 + 16 + 2 * 64) + 16 * 64 + 64 + 4 * 64 +
             39 * 64 * 400 + 400 + 400 * 100 + 100 + 2 * 4 * 20 + 101},
        {"RFM without residual", "rfm:16:100:residual=0", 39,
         3 * 39 * 16 * 16 + 16 * 16 + 16 + 2 * 16 + 39 * 16 * 100 + 100 + 4 * 100 + 101},
        {"DAGFM", "dagfm:16", 39, 39 * 39 + 3 * 39 * 39 * 16 + 39 * 4 + 1},
        {"DAGFM, outer", "dagfm-outer:16", 39, 39 * 39 + 2 * 3 * 39 * 39 * 16 + 39 * 4 + 1},
        {"two towers", "twotower:16:400,100:item=9", 39, 30 * 16 * 400 + 9 * 16 * 400 + 2 * (400 + 400 * 100 + 100)},
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        if (!OK(dense_of(t[i].arch, t[i].fields) == t[i].want, t[i].what))
            (void)printf("# %zu parameters, not %zu\n", dense_of(t[i].arch, t[i].fields), t[i].want);
}

static void spelling(void)
{
    static const char *const same[] = {"lr", "fm:16", "dcnv2:16:400,400", "dcnv2:16:400:layers=4", "cin:8:layers=2,maps=4",
                                       "finalmlp:4:8:second=6", "finalmlp:4:8:bn=1,dropout=0.25,dropout2=0.001",
                                       "afn:4:8:bn=0", "cl4ctr:4:alpha=0.5,beta=2.125,mask=0", "dlrm:8:64,1:bottom-layers=0",
                                       "autoint-plus:8:4:heads=2,attention=6,scale=1,residual=0,norm=1"};
    static const char *const wrong[] = {
        "lr:", "lr:8", "fm", "fm:", "fm:0", "fm:16:", "fm:16:400", "dcnv2:16", "dcnv2:16:", "dcnv2:16:400:",
        "dcnv2:16:400:layers", "dcnv2:16:400:layers=", "dcnv2:16:400:layers=0", "dcnv2:16:400:layers=17",
        "dcnv2:16:400:layer=2", "dcnv2:16:400:layers=2,", "dcnv2:16:400:layers=2:", "dcnv2:16:400:layers=2:maps=3",
        "dcnv2:16:400:maps=2", "mlp:8:64:layers=2", "mlp-fx:8:64:bn=3", "mlp-fx:8:64:dropout=1", "ecn:8:bn=2", "masknet:8:64:bn=1",
        "mlp-fx:8:64:dropout=0.0005", "cin:8:dropout=0.1", "crossnetv2:8:bn=1", "pnn:16:400:", "dcnv2:16:400:layers=99999999999999999999999999",
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

/* The deviation from zero of a parameter's or a table's first values, and that of the law they follow. */
static void starts(void)
{
    static const struct {
        const char *arch, *tensor;
        double want;
    } t[] = {
        {"autoint-fx:16:attention=64", "self_attention.0.W_k.weight", 0.15811}, /* sqrt(2 / (16 + 64)) */
        {"autoint-fx:16:attention=64", "self_attention.0.W_res.weight", 0.15811},
        {"eulernet:16", "mu", 1},
        {"eulernet:16", "Euler_interaction_layers.0.inter_orders", 0.35355}, /* the identity of 8 */
        {"eulernet:16:orders=2", "Euler_interaction_layers.0.inter_orders", 0.35355}, /* two near ones among 8 */
        {"eulernet:16", "Euler_interaction_layers.1.im.weight", 0.08839}, /* sqrt(6 / 256) / sqrt(3) */
        {"eulernet:16:normal=1", "Euler_interaction_layers.1.im.weight", 0.01},
        {"eulernet:16", "Euler_interaction_layers.1.im.bias", 0.05103}, /* 1 / sqrt(128) / sqrt(3) */
        {"eulernet:16", "Euler_interaction_layers.0.bias_theta", 0.01},
        {"eulernet:16", "Euler_interaction_layers.0.bias_lam", 0.01},
        {"eulernet:64", "reg.weight", 0.06244}, /* sqrt(2 / 513) */
        {"rfm:16:64:attention=32", "saro_layers.0.Q", 0.07217}, /* 1.414 sqrt(2 / (16 * 32 + 8 * 32)) */
        {"rfm:16:64:attention=32", "saro_layers.0.V", 0.07217},
        {"rfm:16:64:attention=512", "saro_layers.0.weight", 0.08829}, /* 1.414 sqrt(2 / 513) */
        {"rfm:16:64:attention=32", "saro_layers.0.linear_transform.weight", 0.28863}, /* 1.414 sqrt(2 / 48) */
        {"rfm:16:64:attention=32", "projection.weight", 0.01},
        {"rfm:16:64:attention=512", "projection.bias", 0.14434}, /* 1 / sqrt(16) / sqrt(3) */
        {"rfm:16:64:attention=32", "ampnet.block.0.linear.weight", 0.01},
        {"rfm:16:512", "ampnet.regularization.weight", 0.06244},
        {"rfm:512:64", "embedding_layer.embedding_layer.embedding_layers.c3.weight", 0.05943}, /* 39 / 40 of 2 / 552 */
        {"dagfm:16", "p.2", 1},
        {"cl4ctr:64", "embedding_layer.embedding_layer.embedding_layers.c3.weight", 0.00987}, /* 0.01, 39 rows of 40 */
        {"cl4ctr:64", "fi_cl.layers.0.self_attn.in_proj_weight", 0.08839}, /* sqrt(6 / 256) / sqrt(3) */
        {"cl4ctr:64", "fi_cl.layers.0.self_attn.out_proj.weight", 0.07217}, /* 1 / sqrt(64) / sqrt(3) */
        {"cl4ctr:64", "fi_cl.layers.2.linear1.weight", 0.10206}, /* sqrt(2 / 192) */
        {"cl4ctr:64", "projector2.weight", 0.05893}, /* sqrt(2 / 576) */
        {"afn:16:8:neurons=100", "coefficient_W.weight", 0.13608}, /* sqrt(2 / 108) */
        {"dagfm:16", "connect_layer", 0.35355},
        {"dagfm-outer:16", "q.1", 0.12498}, /* 1.414 sqrt(2 / 256) */
        {"dagfm-outer:16", "p.0", 0.12498},
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct ca_pool *pool = ca_pool_new(1, NULL);
        struct ca_model *m = zoo_fresh(t[i].arch, pool);
        double sum = 0;
        size_t n = 0;
        char label[160];

        for (size_t k = 0; k < ca_model_n_tensors(m); k++) {
            struct ca_model_tensor s = ca_model_get_tensor(m, k);

            for (size_t r = 0; !strcmp(s.name, t[i].tensor) && r < s.rows; r++)
                for (size_t c = 0; c < s.row_len; c++, n++)
                    sum += pow((double)ca_model_tensor_row(m, &s, r, CA_STATE_WEIGHT)[c], 2);
        }
        (void)snprintf(label, sizeof label, "%s: %s starts as it should", t[i].arch, t[i].tensor);
        CLOSE(sqrt(sum / (double)n) / t[i].want, 1, n > 500 ? 0.05 : 0.12, label);
        ca_model_free(m);
        ca_pool_free(pool);
    }
}

/* Sizes that cannot be built are refused in words. */
static void refusals(void)
{
    static const char *const bad[] = {"ecn:5", "lcn:3", "fcn:3", "autoint-fx:4:heads=3", "rfm:4:8:heads=3", "rfm:4:8,6:group=4",
                                      "twotower:4:8:item=3", "final:4:8,3", "final-2b:4:8:second=3", "finalmlp:4:8,5:heads=2"};
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
    starts();
    make_data();
    bits();
    return run_zoo();
}
