/*
 * model/: parameter counts and tensor names of the published architectures;
 * model files that come back bit for bit; and that no truncated, damaged or
 * malformed file is ever taken for a sound one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/extra.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "tap.h"

static char path[512], path2[512];
static struct ca_pool *pool;

static int make_head(struct ca_head *h, size_t numeric, size_t fields, uint32_t vocab, const char *words)
{
    char name[32];
    int rc;

    *h = (struct ca_head){0};
    rc = ca_schema_add(&h->schema, "label", CA_ROLE_LABEL, CA_TYPE_F32, 0, 0, NULL);
    for (size_t i = 0; i < numeric && !rc; i++) {
        (void)snprintf(name, sizeof name, "I%zu", i + 1);
        rc = ca_schema_add(&h->schema, name, CA_ROLE_NUMERIC, CA_TYPE_F32, 0, 0, NULL);
    }
    for (size_t i = 0; i < fields && !rc; i++) {
        (void)snprintf(name, sizeof name, "C%zu", i + 1);
        rc = ca_schema_add(&h->schema, name, CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, vocab + (uint32_t)(i % 2), NULL);
    }
    return rc || !words ? rc : ca_head_attach(h, CA_ATTACHMENT_VOCABULARY, words, strlen(words), NULL);
}

static struct ca_model *make_model(const char *arch, size_t numeric, size_t fields, uint32_t vocab, const char *words)
{
    struct ca_arch_spec spec;
    struct ca_model *m = NULL;
    struct ca_head h;

    if (ca_arch_parse(arch, &spec, NULL) || make_head(&h, numeric, fields, vocab, words))
        return NULL;
    if (ca_model_new(&m, &spec, &h, NULL, 3, pool, NULL))
        m = NULL;
    ca_head_fini(&h);
    return m;
}

/* ---- architectures ---- */

static void test_parse(void)
{
    static const char *const bad[] = {"",           "mlp",          "mlp:8",       "mlp:8:",        "mlp:0:4",
                                      "mlp:8:4,",   "mlp:8:0",      "nope:8:4",    "mlp:4097:4",    "mlp:8:4,x",
                                      "mlp:8:4:",   "mlp:-1:4",     "MLP:8:4",     "mlp:8:4,65537", "mlp:8:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
                                      "mlp:99999999999999999999999999:1"};
    struct ca_arch_spec s;
    struct ca_buf b = {0};

    OK(!ca_arch_parse("fibinet:16:256,128,16", &s, NULL), "a specification is understood");
    OK(s.width == 16 && s.n_hidden == 3 && s.hidden[0] == 256 && s.hidden[2] == 16, "with its sizes");
    ca_arch_text(&s, &b);
    STR_EQ(b.data, "fibinet:16:256,128,16", "and written again as it was");
    ca_buf_fini(&b);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ca_err err = {0};
        char what[128];
        (void)snprintf(what, sizeof what, "'%.80s' is refused as usage, with a hint", bad[i]);
        OK(ca_arch_parse(bad[i], &s, &err) == CA_EUSAGE && err.code == CA_EUSAGE && err.hint[0], what);
    }
}

static void test_counts(void)
{
    static const struct {
        const char *what, *arch;
        size_t numeric, fields, dense;
    } t[] = {
        {"Criteo mlp d=8", "mlp:8:64,32,4", 13, 26, 16625},
        {"Criteo fibinet d=8", "fibinet:8:64,32,4", 13, 26, 183539},
        {"Criteo mlp d=16", "mlp:16:256,128,16", 13, 26, 145857},
        {"Criteo fibinet d=16", "fibinet:16:256,128,16", 13, 26, 1477763},
        {"Avazu mlp d=8", "mlp:8:64,32,4", 0, 22, 13745},
        {"Avazu fibinet d=8", "fibinet:8:64,32,4", 0, 22, 132418},
        {"Avazu mlp d=16", "mlp:16:256,128,16", 0, 22, 126145},
        {"Avazu fibinet d=16", "fibinet:16:256,128,16", 0, 22, 1072914},
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct ca_model *m = make_model(t[i].arch, t[i].numeric, t[i].fields, 10, NULL);
        OK(m && ca_graph_dense_count(ca_net_graph(m->net)) == t[i].dense, t[i].what);
        ca_model_free(m);
    }
}

struct shape {
    const char *name;
    size_t a, b; /* b 0: one dimension */
};

/* Every dense tensor is in the list, in this shape, and every one in the list is there; the 26 tables too. */
static void check_names(const char *arch, size_t width, const struct shape *want, size_t n)
{
    struct ca_model *m = make_model(arch, 13, 26, 10, NULL);
    size_t found = 0, tables = 0;

    if (!OK(m != NULL, arch))
        return;
    for (size_t i = 0; i < ca_model_n_tensors(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        char table[80];
        (void)snprintf(table, sizeof table, "sparse_embedding.embedding_layers.%zu.weight", i);
        if (t.is_table)
            tables += !strcmp(t.name, table) && t.n_dims == 2 && t.dim[0] == 10 + i % 2 && t.dim[1] == width;
        for (size_t k = 0; k < n; k++)
            found += !strcmp(t.name, want[k].name) && t.dim[0] == want[k].a && t.n_dims == (want[k].b ? 2u : 1u) &&
                     (!want[k].b || t.dim[1] == want[k].b);
    }
    OK(tables == 26, "tables have the names and shapes of the reference implementation");
    OK(found == n && ca_model_n_tensors(m) == 26 + n, "so have all other tensors, and there are no more");
    ca_model_free(m);
}

static void test_names(void)
{
    static const struct shape mlp[] = {
        {"dense.mlp.0.weight", 64, 221}, {"dense.mlp.0.bias", 64, 0},   {"dense.mlp.1.weight", 64, 0},
        {"dense.mlp.1.bias", 64, 0},     {"dense.mlp.3.weight", 32, 64}, {"dense.mlp.3.bias", 32, 0},
        {"dense.mlp.4.weight", 32, 0},   {"dense.mlp.4.bias", 32, 0},   {"dense.mlp.6.weight", 4, 32},
        {"dense.mlp.6.bias", 4, 0},      {"dense.mlp.7.weight", 4, 0},  {"dense.mlp.7.bias", 4, 0},
        {"dense.mlp.9.weight", 1, 4},    {"dense.mlp.9.bias", 1, 0}};
    static const struct shape fibinet[] = {
        {"dense.senet.squeeze.weight", 8, 26},
        {"dense.senet.squeeze.bias", 8, 0},
        {"dense.senet.excitation.weight", 26, 8},
        {"dense.senet.excitation.bias", 26, 0},
        {"dense.bilinear_interaction.bilinear.weight", 16, 16},
        {"dense.mlp.0.weight", 256, 5629},
        {"dense.mlp.0.bias", 256, 0},
        {"dense.mlp.1.weight", 256, 0},
        {"dense.mlp.1.bias", 256, 0},
        {"dense.mlp.3.weight", 128, 256},
        {"dense.mlp.3.bias", 128, 0},
        {"dense.mlp.4.weight", 128, 0},
        {"dense.mlp.4.bias", 128, 0},
        {"dense.mlp.6.weight", 16, 128},
        {"dense.mlp.6.bias", 16, 0},
        {"dense.mlp.7.weight", 16, 0},
        {"dense.mlp.7.bias", 16, 0},
        {"dense.mlp.9.weight", 1, 16},
        {"dense.mlp.9.bias", 1, 0}};

    check_names("mlp:8:64,32,4", 8, mlp, sizeof mlp / sizeof *mlp);
    check_names("fibinet:16:256,128,16", 16, fibinet, sizeof fibinet / sizeof *fibinet);
}

/* ---- files ---- */

static char *slurp(const char *name, size_t *n)
{
    FILE *f = fopen(name, "rb");
    char *data = malloc(1 << 20);

    *n = f && data ? fread(data, 1, 1 << 20, f) : 0;
    if (f)
        (void)fclose(f);
    return data;
}

static void spill(const char *name, const char *data, size_t n)
{
    FILE *f = fopen(name, "wb");

    if (!f || fwrite(data, 1, n, f) != n || fclose(f))
        abort();
}

/* A model that has learned a little, so that there are moments and steps to keep. */
static struct ca_model *tiny(const char *arch)
{
    struct ca_model *m = make_model(arch, 1, 3, 3, "some words");
    float label[4] = {0, 1, 1, 0}, value[4] = {0.5f, -1, 2, 0};
    uint32_t id[4] = {0, 1, 2, 1};
    const uint32_t *ids[3] = {id, id, id};
    const float *values[1] = {value};
    struct ca_feed feed = {4, ids, values};
    struct ca_target target = {.label = label};
    double sum;

    for (int i = 0; m && i < 3; i++)
        if (ca_net_gradient(m->net, &feed, &ca_loss_bce, &target, &sum, NULL, NULL) ||
            ca_net_step(m->net, CA_STEP_ALL, NULL))
            abort();
    return m;
}

static int same_state(struct ca_model *a, struct ca_model *b, enum ca_state kind)
{
    for (size_t i = 0; i < ca_model_n_tensors(a); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(a, i), u = ca_model_get_tensor(b, i);
        for (size_t r = 0; r < t.rows; r++)
            if (memcmp(ca_model_tensor_row(a, &t, r, kind), ca_model_tensor_row(b, &u, r, kind),
                       t.row_len * sizeof(ca_real)))
                return 0;
    }
    return 1;
}

static void test_round_trip(const char *arch)
{
    struct ca_model *a = tiny(arch), *b = NULL;
    char da[CA_DIGEST_HEX], db[CA_DIGEST_HEX], *x, *y;
    size_t n, k;

    OK(!ca_model_save(a, path, 0, NULL, NULL), arch);
    OK(!ca_model_load(&b, path, 0, pool, NULL), "a saved model is loaded");
    OK(same_state(a, b, CA_STATE_WEIGHT) && same_state(a, b, CA_STATE_M) && same_state(a, b, CA_STATE_V),
       "weights and moments are the same bits");
    OK(ca_net_steps(b->net, CA_STEP_DENSE) == 3 && ca_net_steps(b->net, CA_STEP_TABLES) == 3, "so are the step counters");
    OK(b->vocabulary_size == 10 && !memcmp(b->vocabulary, "some words", 10), "and the vocabulary");
    OK(b->n_numeric == 1 && b->n_fields == 3 && b->field[1].vocab == 4, "and the features");
    STR_EQ(b->field[2].name, "C3", "with their names");
    OK(!ca_model_digest(a, da, NULL) && !ca_model_digest(b, db, NULL) && !strcmp(da, db), "equal weights, equal digest");
    OK(!ca_model_save(b, path2, 0, NULL, NULL), "it is saved again");
    x = slurp(path, &n);
    y = slurp(path2, &k);
    OK(n == k && !memcmp(x, y, n), "in the same bytes");
    free(x);
    free(y);
    ca_model_free(b);
    OK(!ca_model_load(&b, path, CA_NET_INFERENCE, pool, NULL) && !ca_net_dense(b->net, CA_STATE_M) &&
           same_state(a, b, CA_STATE_WEIGHT),
       "for inference the optimizer's state stays in the file");
    ca_model_free(b);
    ca_model_free(a);
}

static void test_weights_only(void)
{
    struct ca_model *a = tiny("fibinet:2:3"), *b = NULL;
    struct ca_st *st = NULL;

    OK(!ca_model_save(a, path, CA_MODEL_WEIGHTS_ONLY, NULL, NULL) && !ca_st_open(&st, path, 0, NULL),
       "weights alone are saved");
    OK(ca_st_count(st) == ca_model_n_tensors(a), "and nothing else");
    for (size_t i = 0; i < ca_model_n_tensors(a); i++)
        if (!ca_st_find(st, ca_model_get_tensor(a, i).name))
            OK(0, ca_model_get_tensor(a, i).name);
    ca_st_close(st);
    OK(!ca_model_load(&b, path, 0, pool, NULL) && same_state(a, b, CA_STATE_WEIGHT) && !b->vocabulary,
       "a model without vocabulary and optimizer comes back");
    STR_EQ(b->vocabulary_digest, a->vocabulary_digest, "it still knows which vocabulary it had");
    OK(ca_net_steps(b->net, CA_STEP_ALL) == 0, "its optimizer is fresh");
    ca_model_free(a);
    ca_model_free(b);
}

static void carry(struct ca_model *m)
{
    static const float f[6] = {1, -2, 3.5f, 4, 5, 6};
    static const uint64_t u[1] = {(uint64_t)1 << 40};
    struct ca_extra e = {"kit.table", CA_ST_F32, 2, {2, 3}, f, 0};
    struct ca_extra g = {"kit.count", CA_ST_U64, 1, {1}, u, 0};

    if (ca_extra_put(m, &g, NULL) || ca_extra_put(m, &g, NULL) || ca_extra_put(m, &e, NULL))
        abort();
}

static int carries(const struct ca_model *m)
{
    const struct ca_extra *e = ca_extra_find(m, "kit.table"), *g = ca_extra_find(m, "kit.count");

    return m->n_extra == 2 && e && g && e->n_dims == 2 && e->dim[0] == 2 && e->dim[1] == 3 && e->bytes == 24 &&
           ((const float *)e->data)[2] == 3.5f && *(const uint64_t *)g->data == (uint64_t)1 << 40;
}

static void test_extras(void)
{
    struct ca_model *a = tiny("mlp:2:3"), *b = NULL;
    char da[CA_DIGEST_HEX], db[CA_DIGEST_HEX], *x, *y;
    size_t n, k;

    OK(!ca_model_digest(a, da, NULL), "a model without extras");
    OK(!ca_extra_find(a, "kit.table"), "has none");
    carry(a);
    OK(carries(a), "a model carries tensors that are none of its own");
    OK(!ca_model_digest(a, db, NULL) && !strcmp(da, db), "its content digest is as before");
    OK(!ca_model_save(a, path, 0, NULL, NULL) && !ca_model_load(&b, path, 0, pool, NULL) && carries(b),
       "they come back from its file");
    OK(!ca_model_save(b, path2, 0, NULL, NULL), "and go into the next");
    x = slurp(path, &n);
    y = slurp(path2, &k);
    OK(n == k && !memcmp(x, y, n), "which has the same bytes");
    free(x);
    free(y);
    ca_model_free(b);
    OK(!ca_model_load(&b, path, CA_NET_INFERENCE, pool, NULL) && !b->n_extra, "who only scores leaves them in the file");
    ca_model_free(b);
    OK(!ca_model_save(a, path, CA_MODEL_WEIGHTS_ONLY, NULL, NULL) && !ca_model_load(&b, path, 0, pool, NULL) &&
           !b->n_extra,
       "weights alone are without them");
    ca_model_free(b);
    ca_model_free(a);
}

/* The same tensors without a word of ours, as another program writes them. */
static void strip(const char *from, const char *to)
{
    struct ca_st *st = NULL;
    struct ca_buf header = {0}, data = {0};
    char piece[4096];
    unsigned char length[8] = {0};
    FILE *f = fopen(to, "wb");

    if (!f || ca_st_open(&st, from, 0, NULL))
        abort();
    ca_buf_char(&header, '{');
    for (size_t i = 0; i < ca_st_count(st); i++) {
        const struct ca_st_tensor *t = ca_st_tensor(st, i);
        ca_buf_printf(&header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", i ? "," : "", t->name);
        for (unsigned k = 0; k < t->n_dims; k++)
            ca_buf_printf(&header, "%s%llu", k ? "," : "", (unsigned long long)t->dim[k]);
        ca_buf_printf(&header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)t->offset,
                      (unsigned long long)(t->offset + t->bytes));
        if (t->bytes > sizeof piece || ca_st_read(st, i, piece, (size_t)t->bytes, NULL))
            abort();
        ca_buf_add(&data, piece, (size_t)t->bytes);
    }
    ca_buf_char(&header, '}');
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(header.len >> 8 * i);
    if (fwrite(length, 1, 8, f) != 8 || fwrite(header.data, 1, header.len, f) != header.len ||
        fwrite(data.data, 1, data.len, f) != data.len || fclose(f))
        abort();
    ca_buf_fini(&header);
    ca_buf_fini(&data);
    ca_st_close(st);
}

static void test_foreign(const char *arch)
{
    struct ca_model *a = tiny(arch), *b = NULL;
    struct ca_binding bind = {0};
    struct ca_err err = {0};
    struct ca_head h;

    OK(!ca_model_save(a, path, CA_MODEL_WEIGHTS_ONLY, NULL, NULL), arch);
    strip(path, path2);
    OK(!ca_model_load(&b, path2, 0, pool, &err), "a file of the reference implementation is recognised");
    OK(b && ca_arch_equal(&a->spec, &b->spec) && b->n_numeric == 1 && b->n_fields == 3, "with its architecture");
    OK(b && same_state(a, b, CA_STATE_WEIGHT), "and its weights");
    if (b && !make_head(&h, 1, 3, 3, "w")) {
        OK(!ca_model_bind(b, &h, &bind, NULL) && bind.field[2] == 4, "its features are bound by position");
        ca_binding_fini(&bind);
        OK(!ca_model_adopt(b, &h, NULL) && !strcmp(b->field[2].name, "C3") && b->vocabulary_size == 1,
           "and take the names of the records");
        ca_head_fini(&h);
    }
    ca_model_free(a);
    ca_model_free(b);
}

static int refused(const char *name)
{
    struct ca_model *m = NULL;
    struct ca_err err = {0};
    int rc = ca_model_load(&m, name, 0, pool, &err);

    if (!rc)
        ca_model_free(m);
    if (rc && (ca_err_exit_status(rc) != 3 || !err.text[0]))
        (void)printf("# code %d: %s\n", rc, err.text);
    return rc && ca_err_exit_status(rc) == 3 && err.text[0];
}

static void test_damage(void)
{
    static const unsigned char masks[] = {0x01, 0x80, 0x20};
    struct ca_model *a = tiny("mlp:1:2");
    size_t n, missed = 0, accepted = 0;
    char *data;

    carry(a);
    OK(!ca_model_save(a, path, 0, NULL, NULL), "a model to damage");
    data = slurp(path, &n);
    for (size_t i = 0; i < n; i++) {
        spill(path2, data, i);
        missed += !refused(path2);
    }
    OK(n > 500 && !missed, "truncated at every byte, it is refused with status 3");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof masks; k++) {
            data[i] = (char)(data[i] ^ masks[k]);
            spill(path2, data, n);
            if (!refused(path2)) {
                accepted++;
                (void)printf("# byte %zu of %zu, mask %02x: taken for sound\n", i, n, masks[k]);
            }
            data[i] = (char)(data[i] ^ masks[k]);
        }
    OK(!accepted, "with any byte flipped, it is refused with status 3");
    spill(path2, data, n);
    OK(!refused(path2), "undamaged, it is not");
    data[n] = 'x';
    spill(path2, data, n + 1);
    OK(refused(path2), "with a byte behind its end, it is");
    free(data);
    ca_model_free(a);
}

static void test_malformed(void)
{
#define T(name, dtype, shape, from, to)                                                                              \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" from "," to "]}"
    static const struct {
        const char *what, *header;
        int code;
    } t[] = {
        {"not JSON", "{nonsense", CA_EFORMAT},
        {"not an object", "[1,2]", CA_EMAGIC},
        {"no header at all", "", CA_EMAGIC},
        {"a key twice", "{" T("a", "U8", "8", "0", "8") "," T("a", "U8", "8", "0", "8") "}", CA_EFORMAT},
        {"an unknown dtype", "{" T("a", "Q8", "8", "0", "8") "}", CA_EFORMAT},
        {"offsets that fall", "{" T("a", "U8", "8", "8", "0") "}", CA_EFORMAT},
        {"offsets below zero", "{" T("a", "U8", "8", "-8", "0") "}", CA_EFORMAT},
        {"offsets that are fractions", "{" T("a", "U8", "8", "0.0", "8.0") "}", CA_EFORMAT},
        {"an overlap", "{" T("a", "U8", "5", "0", "5") "," T("b", "U8", "4", "4", "8") "}", CA_EFORMAT},
        {"a gap", "{" T("a", "U8", "3", "0", "3") "," T("b", "U8", "4", "4", "8") "}", CA_EFORMAT},
        {"a gap at the front", "{" T("a", "U8", "7", "1", "8") "}", CA_EFORMAT},
        {"a shape that is not the size", "{" T("a", "F32", "3", "0", "8") "}", CA_EFORMAT},
        {"a shape that overflows", "{" T("a", "F32", "4294967296,4294967296,4294967296", "0", "8") "}", CA_EFORMAT},
        {"a shape below zero", "{" T("a", "U8", "-8", "0", "8") "}", CA_EFORMAT},
        {"nine dimensions", "{" T("a", "U8", "1,1,1,1,1,1,1,1,8", "0", "8") "}", CA_EFORMAT},
        {"more than the file has", "{" T("a", "U8", "9", "0", "9") "}", CA_ETRUNCATED},
        {"far more than the file has", "{" T("a", "U8", "9000000000000000000", "0", "9000000000000000000") "}", CA_ETRUNCATED},
        {"more than any file has", "{" T("a", "U8", "9223372036854775807", "0", "9223372036854775807") "}", CA_EFORMAT},
        {"less than the file has", "{" T("a", "U8", "7", "0", "7") "}", CA_ETRAILING},
        {"a tensor that is a number", "{\"a\":1}", CA_EFORMAT},
        {"metadata that is an array", "{\"__metadata__\":[]," T("a", "U8", "8", "0", "8") "}", CA_EFORMAT},
        {"metadata with a number", "{\"__metadata__\":{\"x\":1}," T("a", "U8", "8", "0", "8") "}", CA_EFORMAT},
        {"a checksum without the header's", "{\"__metadata__\":{\"xxh3.a\":\"00\"}," T("a", "U8", "8", "0", "8") "}",
         CA_ECHECKSUM},
        {"a wrong header checksum",
         "{\"__metadata__\":{\"xxh3.header\":\"00000000000000000000000000000000\"}," T("a", "U8", "8", "0", "8") "}",
         CA_ECHECKSUM},
    };
#undef T

    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        size_t n = strlen(t[i].header);
        unsigned char file[2048] = {(unsigned char)n, (unsigned char)(n >> 8)};
        struct ca_err err = {0};
        struct ca_st *st = NULL;
        int rc;
        memcpy(file + 8, t[i].header, n);
        spill(path, (const char *)file, 8 + n + 8);
        rc = ca_st_open(&st, path, 0, &err);
        if (!OK(rc == t[i].code && err.code == rc && err.has_offset, t[i].what))
            (void)printf("# code %d: %s\n", rc, err.text);
        if (!rc)
            ca_st_close(st);
    }
}

/* A sound file that lies about what it is: metadata and tensors of two different models. */
static int give(void *arg, size_t i, struct ca_st_sink *sink, struct ca_err *err)
{
    struct ca_model *m = arg;
    struct ca_model_tensor t = ca_model_get_tensor(m, i);
    int rc = 0;

    for (size_t r = 0; r < t.rows && !rc; r++)
        rc = ca_st_put(sink, ca_model_tensor_row(m, &t, r, CA_STATE_WEIGHT), t.row_len * sizeof(float), err);
    return rc;
}

static void check_lie(struct ca_model *m, const char *architecture, const char *features, const char *version, int code,
                      const char *what)
{
    struct ca_st_tensor t[64] = {{0}};
    struct ca_model *loaded = NULL;
    struct ca_err err = {0};
    struct ca_out *out = NULL;
    size_t n = ca_model_n_tensors(m);
    json_t *meta = json_pack("{s:s, s:s, s:s, s:s}", "format", "crossadapt", "version", version, "architecture",
                             architecture, "features", features);
    int rc;

    for (size_t i = 0; i < n; i++) {
        struct ca_model_tensor x = ca_model_get_tensor(m, i);
        t[i].name = x.name;
        t[i].n_dims = x.n_dims;
        for (unsigned k = 0; k < x.n_dims; k++)
            t[i].dim[k] = x.dim[k];
    }
    if (ca_out_open(&out, path, NULL) || ca_st_write(out, t, n, meta, give, m, NULL, NULL) || ca_out_close(out, NULL))
        abort();
    json_decref(meta);
    rc = ca_model_load(&loaded, path, 0, pool, &err);
    if (!OK(rc == code, what))
        (void)printf("# code %d: %s\n", rc, err.text);
    if (!rc)
        ca_model_free(loaded);
}

static void test_lies(void)
{
    static const char good[] = "{\"numeric\":[\"I1\"],\"fields\":[{\"name\":\"C1\",\"vocab\":3},"
                               "{\"name\":\"C2\",\"vocab\":4},{\"name\":\"C3\",\"vocab\":3}]}";
    struct ca_model *m = make_model("mlp:2:3", 1, 3, 3, NULL);

    check_lie(m, "mlp:2:3", good, "1", 0, "the truth is taken");
    check_lie(m, "mlp:4:3", good, "1", CA_ESCHEMA, "another width is not");
    check_lie(m, "mlp:2:3,3", good, "1", CA_ESCHEMA, "nor other hidden layers");
    check_lie(m, "fibinet:2:3", good, "1", CA_ESCHEMA, "nor another architecture");
    check_lie(m, "gbdt:2:3", good, "1", CA_EFORMAT, "nor an unknown one");
    check_lie(m, "mlp:2:3", "{\"numeric\":[],\"fields\":[{\"name\":\"C1\",\"vocab\":3}]}", "1", CA_ESCHEMA,
              "nor fewer features");
    check_lie(m, "mlp:2:3", "{\"numeric\":[],\"fields\":[]}", "1", CA_EFORMAT, "nor none");
    check_lie(m, "mlp:2:3", "{\"numeric\":[],\"fields\":[{\"name\":\"C1\",\"vocab\":4294967296}]}", "1", CA_EFORMAT,
              "nor a table of more rows than ids");
    check_lie(m, "mlp:4096:65536", "{\"numeric\":[],\"fields\":[{\"name\":\"C1\",\"vocab\":4294967294}]}", "1",
              CA_ESCHEMA, "nor sizes beyond all memory, which are not even tried");
    check_lie(m, "mlp:2:3", "{\"numeric\":[],\"fields\":[{\"name\":\"C1\",\"vocab\":4294967295}]}", "1", CA_ESCHEMA,
              "nor sizes that no network can have");
    check_lie(m, "mlp:2:3", "{}", "1", CA_EFORMAT, "nor features without lists");
    check_lie(m, "mlp:2:3", good, "2", CA_EVERSION, "nor a later format");
    ca_model_free(m);
}

static void test_bind(void)
{
    struct ca_model *m = make_model("mlp:2:3", 1, 3, 3, "words");
    struct ca_binding b = {0};
    struct ca_head h;

    OK(!make_head(&h, 2, 4, 3, "words") && !ca_model_bind(m, &h, &b, NULL) && b.field[0] == 3,
       "records with more columns than the model has are fine");
    ca_binding_fini(&b);
    ca_head_fini(&h);
    OK(!make_head(&h, 1, 2, 3, "words") && ca_model_bind(m, &h, &b, NULL) == CA_ESCHEMA, "with fewer they are not");
    ca_head_fini(&h);
    OK(!make_head(&h, 1, 3, 4, "words") && ca_model_bind(m, &h, &b, NULL) == CA_ESCHEMA, "nor with other vocabulary sizes");
    ca_head_fini(&h);
    OK(!make_head(&h, 1, 3, 3, "other") && ca_model_bind(m, &h, &b, NULL) == CA_ESCHEMA, "nor with another vocabulary");
    ca_head_fini(&h);
    OK(!make_head(&h, 1, 3, 3, NULL) && !ca_model_bind(m, &h, &b, NULL), "without one they are taken at their word");
    ca_binding_fini(&b);
    ca_head_fini(&h);
    ca_model_free(m);
}

/* The last step of a run has no loss after it to show that a weight overflowed. */
static void test_check(void)
{
    static const ca_real bad[] = {NAN, INFINITY, -INFINITY};
    struct ca_model *m = make_model("mlp:2:3", 1, 2, 5, NULL);
    int caught = 0, tensors = (int)ca_model_n_tensors(m);

    OK(!ca_model_check(m, NULL), "a fresh model is sound");
    for (int i = 0; i < tensors; i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, (size_t)i);
        ca_real *w = ca_model_tensor_row(m, &t, t.rows - 1, CA_STATE_WEIGHT) + t.row_len - 1, keep = *w;
        struct ca_err err = {0};

        *w = bad[i % 3];
        caught += ca_model_check(m, &err) == CA_ENUMERIC && strstr(err.text, t.name) != NULL;
        *w = keep;
    }
    OK(caught == tensors, "the last weight of any tensor, not finite, is found and its tensor named");
    ca_model_free(m);
}

int main(void)
{
    const char *dir = getenv("TMPDIR");

    (void)snprintf(path, sizeof path, "%s/test_model.%ld.a", dir ? dir : "/tmp", (long)getpid());
    (void)snprintf(path2, sizeof path2, "%s/test_model.%ld.b", dir ? dir : "/tmp", (long)getpid());
    pool = ca_pool_new(1, NULL);
    test_parse();
    test_counts();
    test_names();
    test_weights_only();
    test_extras();
    for (size_t i = 0; ca_archs[i]; i++) {
        if (ca_archs[i]->family != CA_FAMILY_CA)
            continue;
        char text[32];
        (void)snprintf(text, sizeof text, "%s:2:3,2", ca_archs[i]->name);
        test_round_trip(text);
        test_foreign(text);
    }
    test_damage();
    test_malformed();
    test_lies();
    test_bind();
    test_check();
    (void)unlink(path);
    (void)unlink(path2);
    ca_pool_free(pool);
    return tap_done();
}
