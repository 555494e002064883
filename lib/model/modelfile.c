/* Models in files: what goes into the metadata and under which names; ca-model(5). */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/parts.h"

#include "base/banned.h"

#define FORMAT "crossadapt"
#define FORMAT_VERSION "1"
#define PREFIX_M "optimizer.m."
#define PREFIX_V "optimizer.v."
#define VOCABULARY "vocabulary"
#define PIECE 4096 /* elements converted at a time */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are written as they lie in memory");

static const enum ca_state states[3] = {CA_STATE_WEIGHT, CA_STATE_M, CA_STATE_V};
static const char *const prefixes[3] = {"", PREFIX_M, PREFIX_V};

/* ---- metadata ---- */

/* meta[key] = the compact text of value, stealing value. */
static int set_text(json_t *meta, const char *key, json_t *value, struct ca_err *err)
{
    struct ca_buf b = {0};
    int rc = value ? ca_json_dump(value, &b, err) : ca_err_set(err, CA_EMEMORY, "out of memory: cannot build JSON");

    if (!rc)
        rc = ca_json_set(meta, key, json_stringn(b.data, b.len), err);
    ca_buf_fini(&b);
    json_decref(value);
    return rc;
}

/* obj[key] = value, stealing it; 0, or nonzero when there is no memory. */
static int give_key(json_t *obj, const char *key, json_t *value)
{
    return !value || json_object_set_new(obj, key, value);
}

static json_t *feature_json(const struct ca_model *m, const struct ca_feature *f)
{
    json_t *j = json_pack("{s:s}", "name", f->name);
    int bad = !j;

    if (!bad && f->vocab)
        bad = give_key(j, "vocab", json_integer((json_int_t)f->vocab));
    if (!bad && f->length)
        bad = give_key(j, "length", json_integer((json_int_t)f->length));
    if (!bad && f->like != CA_NO_FIELD)
        bad = give_key(j, "like", json_string(m->field[f->like].name));
    if (!bad && f->of_item)
        bad = give_key(j, "item", json_true());
    if (!bad)
        return j;
    json_decref(j);
    return NULL;
}

/* An array of n features, or NULL. */
static json_t *features_array(const struct ca_model *m, const struct ca_feature *f, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (!list || json_array_append_new(list, feature_json(m, &f[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* What a model does not have has no key. */
static json_t *features_json(const struct ca_model *m)
{
    json_t *numeric = json_array(), *j = json_object();
    int bad = !numeric || !j;

    for (size_t i = 0; i < m->n_numeric && !bad; i++)
        bad = json_array_append_new(numeric, json_string(m->numeric[i].name));
    if (bad) {
        json_decref(numeric);
        json_decref(j);
        return NULL;
    }
    bad = give_key(j, "numeric", numeric) || give_key(j, "fields", features_array(m, m->field, m->n_fields));
    if (!bad && m->n_sequences)
        bad = give_key(j, "sequences", features_array(m, m->sequence, m->n_sequences));
    if (!bad && m->n_tasks)
        bad = give_key(j, "tasks", features_array(m, m->task, m->n_tasks));
    if (!bad && m->domain.name)
        bad = give_key(j, "domain", feature_json(m, &m->domain));
    if (!bad)
        return j;
    json_decref(j);
    return NULL;
}

/* The kept metadata plus this run: a new reference. */
static int history(const struct ca_model *m, const struct ca_run *run, json_t **out, struct ca_err *err)
{
    size_t before, after;
    json_t *h = m->meta ? json_deep_copy(m->meta) : json_object();
    int rc = 0;

    if (!h)
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");
    before = json_array_size(json_object_get(h, "provenance"));
    if (run)
        rc = ca_prov_add(&h, run, err);
    after = json_array_size(json_object_get(h, "provenance"));
    if (!rc && after > before && m->inputs)
        rc = ca_json_set(json_array_get(json_object_get(h, "provenance"), after - 1), "inputs",
                         json_deep_copy(m->inputs), err);
    if (rc) {
        json_decref(h);
        return rc;
    }
    *out = h;
    return 0;
}

static int make_metadata(const struct ca_model *m, unsigned flags, const struct ca_run *run, json_t **out,
                         struct ca_err *err)
{
    struct ca_buf arch = {0};
    json_t *meta = json_object(), *h = NULL;
    int rc = meta ? 0 : ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");

    ca_arch_text(&m->spec, &arch);
    if (!rc)
        rc = ca_buf_check(&arch, err);
    if (rc || (rc = ca_json_set(meta, "format", json_string(FORMAT), err)) ||
        (rc = ca_json_set(meta, "version", json_string(FORMAT_VERSION), err)) ||
        (rc = ca_json_set(meta, "architecture", json_stringn(arch.data, arch.len), err)) ||
        (rc = set_text(meta, "features", features_json(m), err)))
        goto done;
    if (m->vocabulary_digest[0] &&
        (rc = ca_json_set(meta, "vocabulary_digest", json_string(m->vocabulary_digest), err)))
        goto done;
    if (!(flags & CA_MODEL_WEIGHTS_ONLY) &&
        (rc = set_text(meta, "steps",
                       json_pack("{s:I, s:I}", "dense", (json_int_t)ca_net_steps(m->net, CA_STEP_DENSE), "tables",
                                 (json_int_t)ca_net_steps(m->net, CA_STEP_TABLES)),
                       err)))
        goto done;
    if ((rc = history(m, run, &h, err)))
        goto done;
    for (void *it = json_object_iter(h); it && !rc; it = json_object_iter_next(h, it)) {
        json_t *v = json_object_iter_value(it);
        const char *key = json_object_iter_key(it);
        rc = json_is_string(v) ? ca_json_set(meta, key, json_incref(v), err)
                               : set_text(meta, key, json_incref(v), err);
    }
done:
    ca_buf_fini(&arch);
    json_decref(h);
    if (rc)
        json_decref(meta);
    else
        *out = meta;
    return rc;
}

static int is_ours(const char *key)
{
    static const char *const ours[] = {"format", "version", "architecture", "features", "vocabulary_digest", "steps"};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!strcmp(ours[i], key))
            return 1;
    return 0;
}

static int in_file(const struct ca_st *st, int code, struct ca_err *err)
{
    (void)ca_err_at(err, ca_st_name(st), 8, -1);
    return code;
}

/* The JSON text under a metadata key. */
static json_t *get_text(const struct ca_st *st, const char *key, struct ca_err *err)
{
    const json_t *v = json_object_get(ca_st_metadata(st), key);

    if (!v) {
        (void)ca_err_set(err, CA_EFORMAT, "metadata has no key '%s'", key);
        (void)in_file(st, CA_EFORMAT, err);
        return NULL;
    }
    return ca_json_parse(json_string_value(v), json_string_length(v), ca_st_name(st), 8, err);
}

static int parse_feature(struct ca_model *m, struct ca_feature *out, const json_t *f, int64_t least_vocab,
                         struct ca_err *err)
{
    const char *name, *like = json_string_value(json_object_get(f, "like"));
    int64_t vocab = 0, length = 0;
    int rc = ca_json_get_str(f, "name", &name, err);

    if (!rc && least_vocab)
        rc = ca_json_get_int(f, "vocab", least_vocab, UINT32_MAX, &vocab, err);
    if (!rc && json_object_get(f, "length"))
        rc = ca_json_get_int(f, "length", 1, CA_SEQUENCE_MAX, &length, err);
    if (!rc)
        rc = ca_parts_feature(out, name, (uint32_t)vocab, err);
    if (rc)
        return rc;
    out->length = (size_t)length;
    out->of_item = json_is_true(json_object_get(f, "item"));
    for (size_t i = 0; like && i < m->n_fields; i++)
        if (!strcmp(m->field[i].name, like))
            out->like = i;
    if (like && (out->like == CA_NO_FIELD || m->field[out->like].vocab != out->vocab))
        return ca_err_set(err, CA_EFORMAT, "sequence '%.100s' is like no field of the model", name);
    return 0;
}

/* An optional array of objects; *size 0 where it is missing. */
static int further_array(const json_t *j, const char *key, json_t **list, size_t *size, struct ca_err *err)
{
    int rc;

    *size = 0;
    *list = NULL;
    if (!json_object_get(j, key))
        return 0;
    if ((rc = ca_json_get_array(j, key, list, err)))
        return rc;
    *size = json_array_size(*list);
    return *size <= CA_MAX_COLUMNS ? 0 : ca_err_set(err, CA_EFORMAT, "more features than a stream has columns");
}

static int parse_further(struct ca_model *m, const json_t *j, struct ca_err *err)
{
    json_t *sequences, *tasks, *domain = json_object_get(j, "domain");
    size_t n_sequences, n_tasks;
    int rc;

    if ((rc = further_array(j, "sequences", &sequences, &n_sequences, err)) ||
        (rc = further_array(j, "tasks", &tasks, &n_tasks, err)) ||
        (rc = ca_parts_further(m, n_sequences, n_tasks, err)))
        return rc;
    for (size_t i = 0; i < n_sequences && !rc; i++) {
        rc = parse_feature(m, &m->sequence[i], json_array_get(sequences, i), 1, err);
        if (!rc && !m->sequence[i].length)
            rc = ca_err_set(err, CA_EFORMAT, "sequence '%.100s' has no length", m->sequence[i].name);
    }
    for (size_t i = 0; i < n_tasks && !rc; i++)
        rc = parse_feature(m, &m->task[i], json_array_get(tasks, i), 0, err);
    return rc || !domain ? rc : parse_feature(m, &m->domain, domain, 1, err);
}

static int parse_features(struct ca_model *m, const json_t *j, struct ca_err *err)
{
    json_t *numeric, *fields;
    int rc;

    if ((rc = ca_json_get_array(j, "numeric", &numeric, err)) || (rc = ca_json_get_array(j, "fields", &fields, err)))
        return rc;
    if (json_array_size(numeric) + json_array_size(fields) > CA_MAX_COLUMNS || !json_array_size(fields))
        return ca_err_set(err, CA_EFORMAT, "no fields, or more features than a stream has columns");
    rc = ca_parts_features(m, json_array_size(numeric), json_array_size(fields), err);
    for (size_t i = 0; i < m->n_numeric && !rc; i++) {
        const char *name = json_string_value(json_array_get(numeric, i));
        rc = name ? ca_parts_feature(&m->numeric[i], name, 0, err)
                  : ca_err_set(err, CA_EFORMAT, "a numeric feature is not a name");
    }
    for (size_t i = 0; i < m->n_fields && !rc; i++)
        rc = parse_feature(m, &m->field[i], json_array_get(fields, i), 1, err);
    return rc ? rc : parse_further(m, j, err);
}

/* Keys that are not ours travel with the model; provenance is kept as JSON. */
static int keep_rest(struct ca_model *m, const struct ca_st *st, struct ca_err *err)
{
    json_t *all = (json_t *)(uintptr_t)ca_st_metadata(st);
    int rc = 0;

    m->meta = json_object();
    if (!m->meta)
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");
    for (void *it = json_object_iter(all); it && !rc; it = json_object_iter_next(all, it)) {
        const char *key = json_object_iter_key(it);
        json_t *v = json_object_iter_value(it);
        if (is_ours(key))
            continue;
        if (!strcmp(key, "provenance")) {
            v = get_text(st, key, err);
            if (!v)
                return err ? err->code : CA_EFORMAT;
            if (!json_is_array(v)) {
                json_decref(v);
                rc = ca_err_set(err, CA_EFORMAT, "provenance is not an array");
                return in_file(st, rc, err);
            }
            rc = ca_json_set(m->meta, key, v, err);
        } else {
            rc = ca_json_set(m->meta, key, json_incref(v), err);
        }
    }
    return rc;
}

static int parse_metadata(struct ca_model *m, const struct ca_st *st, struct ca_err *err)
{
    const json_t *meta = ca_st_metadata(st);
    const char *text, *digest = json_string_value(json_object_get(meta, "vocabulary_digest"));
    struct ca_err why = {0};
    json_t *j;
    int rc;

    if ((rc = ca_json_get_str(meta, "version", &text, err)))
        return in_file(st, rc, err);
    if (strcmp(text, FORMAT_VERSION)) {
        rc = ca_err_set(err, CA_EVERSION, "model format version '%.20s' is not one this program reads (1)", text);
        return in_file(st, rc, err);
    }
    if ((rc = ca_json_get_str(meta, "architecture", &text, err)))
        return in_file(st, rc, err);
    if (ca_arch_parse(text, &m->spec, &why)) {
        rc = ca_err_set(err, CA_EFORMAT, "%s", why.text);
        return in_file(st, rc, err);
    }
    j = get_text(st, "features", err);
    if (!j)
        return err ? err->code : CA_EFORMAT;
    rc = parse_features(m, j, err);
    json_decref(j);
    if (rc)
        return in_file(st, rc, err);
    if (digest && strlen(digest) != CA_DIGEST_HEX - 1) {
        rc = ca_err_set(err, CA_EFORMAT, "vocabulary_digest is not 32 digits");
        return in_file(st, rc, err);
    }
    if (digest)
        memcpy(m->vocabulary_digest, digest, CA_DIGEST_HEX);
    return 0;
}

/* ---- loading ---- */

/* What a tensor of the file is to the model. */
struct place {
    int kind;      /* 0..2: state of tensor `tensor`; 3: the vocabulary; 4: an extra */
    size_t tensor; /* tables first, then parameters */
};

struct wanted {
    const char *name;
    unsigned n_dims;
    size_t dim[3];
};

static struct wanted wanted(const struct ca_graph *g, size_t i)
{
    size_t tables = ca_graph_n_tables(g);
    struct wanted w = {0};

    if (i < tables) {
        const struct ca_table_spec *t = ca_graph_get_table(g, i);
        w.name = t->name;
        w.n_dims = 2;
        w.dim[0] = t->rows;
        w.dim[1] = t->width;
    } else if (i >= tables + ca_graph_n_params(g)) {
        const struct ca_buffer *b = ca_graph_get_buffer(g, i - tables - ca_graph_n_params(g));
        w.name = b->name;
        w.n_dims = 1;
        w.dim[0] = b->count;
    } else {
        const struct ca_param *p = ca_graph_get_param(g, i - tables);
        w.name = p->name;
        w.n_dims = p->n_dims;
        memcpy(w.dim, p->dim, sizeof w.dim);
    }
    return w;
}

static int unlike(const struct ca_st *st, const struct ca_st_tensor *t, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, CA_ESCHEMA, "tensor '%.100s' %s", t->name, what);
    (void)ca_err_at(err, ca_st_name(st), -1, -1);
    return CA_ESCHEMA;
}

static int check_shape(const struct ca_st *st, const struct ca_st_tensor *t, const struct wanted *w, struct ca_err *err)
{
    if (t->dtype != CA_ST_F32)
        return unlike(st, t, "is not F32", err);
    if (t->n_dims != w->n_dims)
        return unlike(st, t, "has another number of dimensions than the architecture", err);
    for (unsigned k = 0; k < w->n_dims; k++)
        if (t->dim[k] != w->dim[k]) {
            (void)ca_err_set(err, CA_ESCHEMA, "tensor '%.100s' has %llu for dimension %u, the architecture has %zu",
                             t->name, (unsigned long long)t->dim[k], k, w->dim[k]);
            (void)ca_err_at(err, ca_st_name(st), -1, -1);
            return CA_ESCHEMA;
        }
    return 0;
}

/* Which tensor of the model a name without prefix is; n when none. */
static size_t tensor_of(const struct ca_graph *g, size_t n, const char *name)
{
    size_t i = 0;
    while (i < n && strcmp(wanted(g, i).name, name))
        i++;
    return i;
}

/* Map every tensor of the file; all weights must be there, and of the optimizer's state all or nothing. */
static int map_tensors(const struct ca_st *st, const struct ca_graph *g, struct place *at, int *has_state,
                       struct ca_err *err)
{
    size_t learned = ca_graph_n_tables(g) + ca_graph_n_params(g), n = learned + ca_graph_n_buffers(g), found[5] = {0};

    for (size_t i = 0; i < ca_st_count(st); i++) {
        const struct ca_st_tensor *t = ca_st_tensor(st, i);
        struct wanted w;
        int rc;
        at[i].kind = !strncmp(t->name, PREFIX_M, strlen(PREFIX_M))   ? 1
                     : !strncmp(t->name, PREFIX_V, strlen(PREFIX_V)) ? 2
                     : !strcmp(t->name, VOCABULARY)                  ? 3
                     : !strncmp(t->name, CA_EXTRA_PREFIX, strlen(CA_EXTRA_PREFIX)) ? 4
                                                                     : 0;
        found[at[i].kind]++;
        if (at[i].kind == 3) {
            if (t->dtype != CA_ST_U8 || t->n_dims != 1 || t->bytes > CA_MAX_ATTACHMENT_BYTES)
                return unlike(st, t, "is not a list of bytes of bearable size", err);
            continue;
        }
        if (at[i].kind == 4) {
            if (t->bytes > CA_EXTRA_MAX_BYTES)
                return unlike(st, t, "is larger than 1 GB", err);
            continue;
        }
        at[i].tensor = tensor_of(g, n, t->name + strlen(prefixes[at[i].kind]));
        if (at[i].tensor == n || (at[i].kind && at[i].tensor >= learned))
            return unlike(st, t, "is not of this architecture", err);
        w = wanted(g, at[i].tensor);
        if ((rc = check_shape(st, t, &w, err)))
            return rc;
    }
    /* names are unique and all were found, so counting tells whether any is missing */
    for (size_t i = 0; i < n && found[0] < n; i++)
        if (!ca_st_find(st, wanted(g, i).name)) {
            (void)ca_err_set(err, CA_ESCHEMA, "tensor '%.100s' is missing", wanted(g, i).name);
            (void)ca_err_at(err, ca_st_name(st), -1, -1);
            return CA_ESCHEMA;
        }
    if ((found[1] || found[2]) && (found[1] != learned || found[2] != learned)) {
        (void)ca_err_set(err, CA_ESCHEMA, "the optimizer's state is incomplete");
        (void)ca_err_at(err, ca_st_name(st), -1, -1);
        return CA_ESCHEMA;
    }
    *has_state = found[1] == learned;
    return 0;
}

static int read_row(struct ca_st *st, size_t i, ca_real *row, size_t n, struct ca_err *err)
{
    float piece[PIECE];

    for (size_t k = 0; k < n; k += PIECE) {
        size_t some = n - k < PIECE ? n - k : PIECE;
        int rc = ca_st_read(st, i, piece, some * sizeof *piece, err);
        if (rc)
            return rc;
        for (size_t j = 0; j < some; j++)
            row[k + j] = piece[j];
    }
    return 0;
}

static int read_vocabulary(struct ca_model *m, struct ca_st *st, size_t i, struct ca_err *err)
{
    uint64_t left = ca_st_tensor(st, i)->bytes;
    struct ca_buf b = {0};
    char *piece = ca_mem_alloc(1 << 16, 1, err);
    char want[CA_DIGEST_HEX];
    int rc = piece ? 0 : CA_EMEMORY;

    memcpy(want, m->vocabulary_digest, sizeof want);
    do {
        size_t some = left < 1 << 16 ? (size_t)left : 1 << 16;
        if (!rc)
            rc = ca_st_read(st, i, piece, some, err);
        if (!rc) {
            ca_buf_add(&b, piece, some);
            rc = ca_buf_check(&b, err);
        }
        left -= some;
    } while (left && !rc);
    if (!rc)
        rc = ca_parts_vocabulary(m, b.data, b.len, err);
    if (!rc && want[0] && strcmp(want, m->vocabulary_digest)) {
        rc = ca_err_set(err, CA_ECHECKSUM, "the vocabulary is not the one whose digest the metadata has");
        (void)ca_err_at(err, ca_st_name(st), -1, -1);
    }
    ca_buf_fini(&b);
    ca_mem_free(piece);
    return rc;
}

static int read_tensors(struct ca_model *m, struct ca_st *st, const struct place *at, unsigned flags,
                        struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < ca_st_count(st) && !rc; i++) {
        struct ca_model_tensor t;
        if (at[i].kind == 3) {
            rc = read_vocabulary(m, st, i, err);
            continue;
        }
        if (at[i].kind && (flags & CA_NET_INFERENCE)) {
            rc = ca_st_skip(st, i, err);
            continue;
        }
        if (at[i].kind == 4) {
            rc = ca_parts_read_extra(m, st, i, err);
            continue;
        }
        t = ca_model_get_tensor(m, at[i].tensor);
        for (size_t r = 0; r < t.rows && !rc; r++)
            rc = read_row(st, i, ca_model_tensor_row(m, &t, r, states[at[i].kind]), t.row_len, err);
    }
    return rc ? rc : ca_st_end(st, err);
}

static int read_steps(struct ca_model *m, const struct ca_st *st, struct ca_err *err)
{
    json_t *j = get_text(st, "steps", err);
    int64_t dense, tables;
    int rc;

    if (!j)
        return err ? err->code : CA_EFORMAT;
    if (!(rc = ca_json_get_int(j, "dense", 0, (int64_t)CA_NET_STEPS_MAX, &dense, err)) &&
        !(rc = ca_json_get_int(j, "tables", 0, (int64_t)CA_NET_STEPS_MAX, &tables, err))) {
        ca_net_set_steps(m->net, CA_STEP_DENSE, (uint64_t)dense);
        ca_net_set_steps(m->net, CA_STEP_TABLES, (uint64_t)tables);
    }
    json_decref(j);
    return rc ? in_file(st, rc, err) : 0;
}

static int load(struct ca_model *m, struct ca_st *st, unsigned flags, struct ca_pool *pool, struct ca_err *err)
{
    const char *format = json_string_value(json_object_get(ca_st_metadata(st), "format"));
    int ours = format && !strcmp(format, FORMAT), has_state = 0, rc;
    struct place *at = NULL;
    struct ca_err why = {0};
    struct ca_graph *g;

    rc = ours ? parse_metadata(m, st, err) : ca_parts_recognise(m, st, err);
    if (rc || (rc = keep_rest(m, st, err)))
        return rc;
    g = ca_parts_graph(m, &why);
    if (!g) {
        /* sizes that no network can have are the file's fault here, not the user's */
        (void)ca_err_set(err, why.code == CA_EUSAGE ? CA_ESCHEMA : why.code, "%s", why.text);
        (void)ca_err_at(err, ca_st_name(st), 8, -1);
        return why.code == CA_EUSAGE ? CA_ESCHEMA : why.code;
    }
    at = ca_mem_alloc(ca_st_count(st), sizeof *at, err);
    rc = at ? map_tensors(st, g, at, &has_state, err) : CA_EMEMORY;
    if (rc) {
        ca_graph_free(g);
        goto done;
    }
    if ((rc = ca_parts_net(m, g, 0, (flags & CA_NET_INFERENCE) | CA_NET_BLANK, pool, err)))
        goto done;
    rc = read_tensors(m, st, at, flags, err);
    if (!rc && has_state && !(flags & CA_NET_INFERENCE))
        rc = read_steps(m, st, err);
done:
    ca_mem_free(at);
    return rc;
}

int ca_model_load(struct ca_model **out, const char *path, unsigned flags, struct ca_pool *pool, struct ca_err *err)
{
    struct ca_model *m = ca_parts_empty(err);
    struct ca_st *st = NULL;
    int rc;

    if (!m)
        return CA_EMEMORY;
    rc = ca_st_open(&st, path, (flags & CA_MODEL_FORCE) != 0, err);
    if (!rc)
        rc = load(m, st, flags, pool, err);
    ca_st_close(st);
    if (rc) {
        ca_model_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

/* ---- saving ---- */

struct saving {
    struct ca_model *m;
    size_t n, learned; /* tensors of the model, and those with moments, which come first */
    size_t total;      /* in the file: n, then the first and the second moments, or n alone */
    size_t n_extra;    /* behind them; then the vocabulary */
};

/* Which tensor of the model, and what of it, the i-th of the file is. */
static struct ca_model_tensor nth(const struct saving *s, size_t i, size_t *state)
{
    size_t j = i < s->n ? 0 : i - s->n;

    *state = i < s->n ? 0 : 1 + j / s->learned;
    return ca_model_get_tensor(s->m, i < s->n ? i : j % s->learned);
}

static int give(void *arg, size_t i, struct ca_st_sink *sink, struct ca_err *err)
{
    const struct saving *s = arg;
    struct ca_model_tensor t;
    const ca_real *row;
    float piece[PIECE];
    size_t used = 0, state, stride;
    int rc = 0;

    if (i == s->total + s->n_extra)
        return ca_st_put(sink, s->m->vocabulary, s->m->vocabulary_size, err);
    if (i >= s->total)
        return ca_st_put(sink, s->m->extra[i - s->total].data, s->m->extra[i - s->total].bytes, err);
    t = nth(s, i, &state);
    row = ca_model_tensor_rows(s->m, &t, states[state], &stride);
    for (size_t r = 0; r < t.rows && !rc; r++, row += stride)
        for (size_t k = 0; k < t.row_len && !rc;) {
            size_t n = t.row_len - k < PIECE - used ? t.row_len - k : PIECE - used;
            for (size_t l = 0; l < n; l++)
                piece[used + l] = (float)row[k + l];
            k += n;
            used += n;
            if (used == PIECE) {
                rc = ca_st_put(sink, piece, sizeof piece, err);
                used = 0;
            }
        }
    return rc || !used ? rc : ca_st_put(sink, piece, used * sizeof *piece, err);
}

/* prefix and name in one, in the arena; NULL when out of memory. */
static const char *full_name(const char *prefix, const char *name, struct ca_arena *names, struct ca_err *err)
{
    struct ca_buf b = {0};
    const char *made;

    ca_buf_printf(&b, "%s%s", prefix, name);
    made = ca_buf_check(&b, err) ? NULL : ca_arena_strdup(names, b.data, err);
    ca_buf_fini(&b);
    return made;
}

/* Names and shapes of the file's tensors; the names live in the arena. */
static int list_tensors(const struct saving *s, struct ca_st_tensor *out, struct ca_arena *names, struct ca_err *err)
{
    for (size_t i = 0; i < s->total; i++) {
        size_t state;
        struct ca_model_tensor t = nth(s, i, &state);
        out[i] = (struct ca_st_tensor){.name = full_name(prefixes[state], t.name, names, err), .dtype = CA_ST_F32,
                                       .n_dims = t.n_dims};
        if (!out[i].name)
            return CA_EMEMORY;
        for (unsigned k = 0; k < t.n_dims; k++)
            out[i].dim[k] = t.dim[k];
    }
    out += s->total;
    for (size_t i = 0; i < s->n_extra; i++) {
        const struct ca_extra *e = &s->m->extra[i];
        out[i] = (struct ca_st_tensor){.name = full_name(CA_EXTRA_PREFIX, e->name, names, err), .dtype = e->dtype,
                                       .n_dims = e->n_dims};
        if (!out[i].name)
            return CA_EMEMORY;
        memcpy(out[i].dim, e->dim, sizeof out[i].dim);
    }
    return 0;
}

int ca_model_output(struct ca_out **out, const char *path, const struct ca_run *run, struct ca_err *err)
{
    int rc = ca_out_open(out, path, err);

    if (rc || !ca_out_is_terminal(*out) || (run && run->common.force))
        return rc;
    ca_out_abort(*out);
    *out = NULL;
    rc = ca_err_set(err, CA_EUSAGE, "refusing to write a model to a terminal");
    (void)ca_err_hint(err, "name a file with -o, or redirect standard output");
    return rc;
}

int ca_model_write(struct ca_model *m, struct ca_out *out, unsigned flags, const struct ca_run *run,
                   struct ca_err *err)
{
    /* a model that has taken no step has nothing but zeros to remember: two thirds of the file */
    int state = !(flags & CA_MODEL_WEIGHTS_ONLY) && ca_net_dense(m->net, CA_STATE_M) != NULL &&
                (ca_net_steps(m->net, CA_STEP_DENSE) || ca_net_steps(m->net, CA_STEP_TABLES));
    struct saving s = {.m = m, .n = ca_model_n_tensors(m), .learned = ca_model_n_learned(m),
                       .n_extra = flags & CA_MODEL_WEIGHTS_ONLY ? 0 : m->n_extra};
    size_t n = (s.total = s.n + (state ? 2 * s.learned : 0)) + s.n_extra;
    struct ca_st_tensor *t = NULL;
    struct ca_arena names = {0};
    json_t *meta = NULL;
    int rc;

    if ((rc = ca_net_settle(m->net, err)))
        goto done;
    t = ca_mem_zalloc(n + 1, sizeof *t, err);
    if (!t) {
        rc = CA_EMEMORY;
        goto done;
    }
    if ((rc = list_tensors(&s, t, &names, err)) ||
        (rc = make_metadata(m, state ? flags : flags | CA_MODEL_WEIGHTS_ONLY, run, &meta, err)))
        goto done;
    if (m->vocabulary && !(flags & CA_MODEL_WEIGHTS_ONLY)) {
        t[n].name = VOCABULARY;
        t[n].dtype = CA_ST_U8;
        t[n].n_dims = 1;
        t[n].dim[0] = m->vocabulary_size;
        n++;
    }
    rc = ca_st_write(out, t, n, meta, give, &s, ca_net_pool(m->net), err);
done:
    json_decref(meta);
    ca_arena_fini(&names);
    ca_mem_free(t);
    if (!rc)
        return ca_out_close(out, err);
    ca_out_abort(out);
    return rc;
}

int ca_model_save(struct ca_model *m, const char *path, unsigned flags, const struct ca_run *run, struct ca_err *err)
{
    struct ca_out *out;
    int rc = ca_model_output(&out, path, run, err);

    return rc ? rc : ca_model_write(m, out, flags, run, err);
}
