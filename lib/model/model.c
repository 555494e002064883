#include "model/model.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/parts.h"

#include "base/banned.h"

struct ca_model *ca_parts_empty(struct ca_err *err)
{
    return ca_mem_zalloc(1, sizeof(struct ca_model), err);
}

void ca_model_free(struct ca_model *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->numeric && i < m->n_numeric; i++)
        ca_mem_free(m->numeric[i].name);
    for (size_t i = 0; m->field && i < m->n_fields; i++)
        ca_mem_free(m->field[i].name);
    ca_mem_free(m->numeric);
    ca_mem_free(m->field);
    ca_net_free(m->net);
    json_decref(m->meta);
    json_decref(m->inputs);
    ca_mem_free(m->vocabulary);
    ca_mem_free(m);
}

int ca_parts_features(struct ca_model *m, size_t n_numeric, size_t n_fields, struct ca_err *err)
{
    m->numeric = ca_mem_zalloc(n_numeric, sizeof *m->numeric, err);
    m->field = ca_mem_zalloc(n_fields, sizeof *m->field, err);
    if (!m->numeric || !m->field)
        return CA_EMEMORY;
    m->n_numeric = n_numeric;
    m->n_fields = n_fields;
    return 0;
}

int ca_parts_feature(struct ca_feature *f, const char *name, uint32_t vocab, struct ca_err *err)
{
    f->vocab = vocab;
    f->name = ca_mem_strdup(name, err);
    return f->name ? 0 : CA_EMEMORY;
}

static int digest_bytes(const void *data, size_t size, char out[CA_DIGEST_HEX], struct ca_err *err)
{
    struct ca_digest *d = ca_digest_new(err);

    if (!d)
        return CA_EMEMORY;
    ca_digest_add(d, data, size);
    ca_digest_hex(d, out);
    ca_digest_free(d);
    return 0;
}

int ca_parts_vocabulary(struct ca_model *m, const void *data, size_t size, struct ca_err *err)
{
    if (!data)
        return 0;
    m->vocabulary = ca_mem_alloc(size, 1, err);
    if (!m->vocabulary)
        return CA_EMEMORY;
    if (size)
        memcpy(m->vocabulary, data, size);
    m->vocabulary_size = size;
    return digest_bytes(data, size, m->vocabulary_digest, err);
}

struct ca_graph *ca_parts_graph(const struct ca_model *m, struct ca_err *err)
{
    struct ca_inputs in = {.n_numeric = m->n_numeric, .n_fields = m->n_fields};
    uint32_t *rows = ca_mem_alloc(m->n_fields, sizeof *rows, err);
    const char **name = ca_mem_alloc(m->n_numeric + m->n_fields, sizeof *name, err);
    struct ca_graph *g = NULL;

    if (!rows || !name)
        goto out;
    for (size_t i = 0; i < m->n_numeric; i++)
        name[i] = m->numeric[i].name;
    for (size_t f = 0; f < m->n_fields; f++) {
        name[m->n_numeric + f] = m->field[f].name;
        rows[f] = m->field[f].vocab;
    }
    in.field_rows = rows;
    in.numeric_name = name;
    in.field_name = name + m->n_numeric;
    if (!(g = ca_graph_new(&in, err)))
        goto out;
    ca_graph_set_family(g, m->spec.arch->family);
    if (ca_graph_finish(g, m->spec.arch->build(g, &m->spec), err)) {
        ca_graph_free(g);
        g = NULL;
    }
out:
    ca_mem_free(rows);
    ca_mem_free(name);
    return g;
}

static int make_net(struct ca_model *m, uint64_t seed, struct ca_pool *pool, struct ca_err *err)
{
    struct ca_graph *g = ca_parts_graph(m, err);

    if (!g)
        return err ? err->code : CA_EINTERNAL;
    m->net = ca_net_new(g, pool, seed, 0, err);
    return m->net ? 0 : err ? err->code : CA_EMEMORY;
}

static int features_of_head(struct ca_model *m, const struct ca_head *head, struct ca_err *err)
{
    const struct ca_schema *s = &head->schema;
    size_t fields = ca_schema_count(s, CA_ROLE_CATEGORICAL), a = 0, b = 0;
    int rc;

    if (!fields) {
        rc = ca_err_set(err, CA_ESCHEMA, "records have no categorical column to learn from");
        return rc;
    }
    rc = ca_parts_features(m, ca_schema_count(s, CA_ROLE_NUMERIC), fields, err);
    for (size_t i = 0; i < s->n && !rc; i++) {
        if (s->col[i].role == CA_ROLE_NUMERIC)
            rc = ca_parts_feature(&m->numeric[a++], s->col[i].name, 0, err);
        else if (s->col[i].role == CA_ROLE_CATEGORICAL)
            rc = ca_parts_feature(&m->field[b++], s->col[i].name, s->col[i].vocab, err);
    }
    return rc;
}

/* A model's metadata starts with the history of what it learns from. */
static int adopt_provenance(struct ca_model *m, const json_t *keys, struct ca_err *err)
{
    json_t *list = json_object_get(keys, "provenance");

    m->meta = json_object();
    if (!m->meta)
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");
    return list ? ca_json_set(m->meta, "provenance", json_deep_copy(list), err) : 0;
}

int ca_model_new(struct ca_model **out, const struct ca_arch_spec *spec, const struct ca_head *head, uint64_t seed,
                 struct ca_pool *pool, struct ca_err *err)
{
    const struct ca_attachment *v = ca_head_attachment(head, CA_ATTACHMENT_VOCABULARY);
    struct ca_model *m = ca_parts_empty(err);
    int rc;

    if (!m)
        return CA_EMEMORY;
    m->spec = *spec;
    if ((rc = features_of_head(m, head, err)) || (rc = adopt_provenance(m, head->keys, err)) ||
        (rc = ca_parts_vocabulary(m, v ? v->data : NULL, v ? v->size : 0, err)) ||
        (rc = make_net(m, seed, pool, err))) {
        ca_model_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

int ca_model_like(struct ca_model **out, const struct ca_arch_spec *spec, const struct ca_model *from, uint64_t seed,
                  struct ca_pool *pool, struct ca_err *err)
{
    struct ca_model *m = ca_parts_empty(err);
    int rc;

    if (!m)
        return CA_EMEMORY;
    m->spec = *spec;
    rc = ca_parts_features(m, from->n_numeric, from->n_fields, err);
    for (size_t i = 0; i < from->n_numeric && !rc; i++)
        rc = ca_parts_feature(&m->numeric[i], from->numeric[i].name, 0, err);
    for (size_t i = 0; i < from->n_fields && !rc; i++)
        rc = ca_parts_feature(&m->field[i], from->field[i].name, from->field[i].vocab, err);
    if (!rc)
        rc = adopt_provenance(m, from->meta, err);
    if (!rc)
        rc = ca_parts_vocabulary(m, from->vocabulary, from->vocabulary_size, err);
    if (!rc) {
        memcpy(m->vocabulary_digest, from->vocabulary_digest, sizeof m->vocabulary_digest);
        rc = make_net(m, seed, pool, err);
    }
    if (rc) {
        ca_model_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

int ca_model_input(struct ca_model *m, const char *kind, const char *digest, struct ca_err *err)
{
    if (!m->inputs)
        m->inputs = json_array();
    if (!m->inputs || json_array_append_new(m->inputs, json_pack("{s:s, s:s}", "kind", kind, "digest", digest)))
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON array");
    return 0;
}

int ca_model_adopt(struct ca_model *m, const struct ca_head *head, struct ca_err *err)
{
    const struct ca_attachment *v = ca_head_attachment(head, CA_ATTACHMENT_VOCABULARY);
    const struct ca_schema *s = &head->schema;

    for (size_t i = 0; i < m->n_numeric + m->n_fields; i++) {
        int numeric = i < m->n_numeric;
        struct ca_feature *f = numeric ? &m->numeric[i] : &m->field[i - m->n_numeric];
        int c = ca_schema_role(s, numeric ? CA_ROLE_NUMERIC : CA_ROLE_CATEGORICAL, numeric ? i : i - m->n_numeric);
        char *name;
        if (f->name[0])
            continue;
        if (c < 0)
            return ca_err_set(err, CA_ESCHEMA, "the model has more features than the records");
        name = ca_mem_strdup(s->col[c].name, err);
        if (!name)
            return CA_EMEMORY;
        ca_mem_free(f->name);
        f->name = name;
    }
    return m->vocabulary || !v ? 0 : ca_parts_vocabulary(m, v->data, v->size, err);
}

/* ---- tensors ---- */

size_t ca_model_n_tensors(const struct ca_model *m)
{
    const struct ca_graph *g = ca_net_graph(m->net);
    return ca_graph_n_tables(g) + ca_graph_n_params(g);
}

struct ca_model_tensor ca_model_get_tensor(const struct ca_model *m, size_t i)
{
    const struct ca_graph *g = ca_net_graph(m->net);
    size_t tables = ca_graph_n_tables(g);
    struct ca_model_tensor t = {0};

    if (i < tables) {
        const struct ca_table_spec *s = ca_graph_get_table(g, i);
        t.name = s->name;
        t.n_dims = 2;
        t.dim[0] = t.rows = s->rows;
        t.dim[1] = t.row_len = s->width;
        t.is_table = 1;
        t.index = i;
    } else {
        const struct ca_param *p = ca_graph_get_param(g, i - tables);
        t.name = p->name;
        t.n_dims = p->n_dims;
        memcpy(t.dim, p->dim, sizeof t.dim);
        t.rows = 1;
        t.row_len = p->count;
        t.index = i - tables;
    }
    return t;
}

ca_real *ca_model_tensor_row(struct ca_model *m, const struct ca_model_tensor *t, size_t row, enum ca_state kind)
{
    ca_real *dense;

    if (t->is_table)
        return ca_net_table_row(m->net, t->index, row, kind);
    dense = ca_net_dense(m->net, kind);
    return dense ? dense + ca_graph_get_param(ca_net_graph(m->net), t->index)->at : NULL;
}

int ca_model_reset_optimizer(struct ca_model *m, struct ca_err *err)
{
    int rc = ca_net_settle(m->net, err);

    if (rc || !ca_net_dense(m->net, CA_STATE_M))
        return rc;
    for (size_t i = 0; i < ca_model_n_tensors(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        for (size_t r = 0; r < t.rows; r++) {
            memset(ca_model_tensor_row(m, &t, r, CA_STATE_M), 0, t.row_len * sizeof(ca_real));
            memset(ca_model_tensor_row(m, &t, r, CA_STATE_V), 0, t.row_len * sizeof(ca_real));
        }
    }
    ca_net_set_steps(m->net, CA_STEP_DENSE, 0);
    ca_net_set_steps(m->net, CA_STEP_TABLES, 0);
    return 0;
}

int ca_model_digest(struct ca_model *m, char out[CA_DIGEST_HEX], struct ca_err *err)
{
    struct ca_digest *d;
    int rc = ca_net_settle(m->net, err);

    if (rc)
        return rc;
    d = ca_digest_new(err);
    if (!d)
        return CA_EMEMORY;
    for (size_t i = 0; i < ca_model_n_tensors(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        ca_digest_add(d, t.name, strlen(t.name) + 1);
        for (unsigned k = 0; k < t.n_dims; k++) {
            uint64_t dim = t.dim[k];
            ca_digest_add(d, &dim, sizeof dim);
        }
        for (size_t r = 0; r < t.rows; r++)
            ca_digest_add(d, ca_model_tensor_row(m, &t, r, CA_STATE_WEIGHT), t.row_len * sizeof(ca_real));
    }
    ca_digest_hex(d, out);
    ca_digest_free(d);
    return 0;
}

/* ---- binding ---- */

static int bad_column(const char *name, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, CA_ESCHEMA, "column '%.100s' %s", name, what);
    (void)ca_err_hint(err, "prepare the records with the schema and vocabulary the model was trained with");
    return CA_ESCHEMA;
}

/* One feature's column: by name, or by position where the model has no names. */
static int bind_one(const struct ca_feature *f, enum ca_role role, size_t nth, const struct ca_schema *s,
                    size_t *column, struct ca_err *err)
{
    int c = f->name[0] ? ca_schema_find(s, f->name) : ca_schema_role(s, role, nth);

    if (c < 0 && f->name[0])
        return bad_column(f->name, "of the model is not in the records", err);
    if (c < 0)
        return ca_err_set(err, CA_ESCHEMA, "the model has more %s features than the records", ca_role_name(role));
    *column = (size_t)c;
    if (s->col[c].role != role || s->col[c].is_list)
        return bad_column(s->col[c].name, role == CA_ROLE_NUMERIC ? "is numeric in the model, not in the records"
                                                                  : "is categorical in the model, not in the records",
                          err);
    if (s->col[c].vocab != f->vocab) {
        (void)ca_err_set(err, CA_ESCHEMA, "column '%.100s' has %lu ids in the records and %lu in the model",
                         s->col[c].name, (unsigned long)s->col[c].vocab, (unsigned long)f->vocab);
        (void)ca_err_hint(err, "prepare the records with the vocabulary the model was trained with");
        return CA_ESCHEMA;
    }
    return 0;
}

static int same_vocabulary(const struct ca_model *m, const struct ca_head *head, struct ca_err *err)
{
    const struct ca_attachment *v = ca_head_attachment(head, CA_ATTACHMENT_VOCABULARY);
    char digest[CA_DIGEST_HEX];
    int rc;

    if (!v || !m->vocabulary_digest[0])
        return 0;
    if ((rc = digest_bytes(v->data, v->size, digest, err)))
        return rc;
    if (!strcmp(digest, m->vocabulary_digest))
        return 0;
    (void)ca_err_set(err, CA_ESCHEMA, "the records' vocabulary is not the model's: %s, not %s", digest,
                     m->vocabulary_digest);
    (void)ca_err_hint(err, "prepare the records with the vocabulary the model was trained with");
    return CA_ESCHEMA;
}

int ca_model_bind(const struct ca_model *m, const struct ca_head *head, struct ca_binding *b, struct ca_err *err)
{
    const struct ca_schema *s = &head->schema;
    int rc = same_vocabulary(m, head, err);

    memset(b, 0, sizeof *b);
    if (rc)
        return rc;
    b->n_numeric = m->n_numeric;
    b->n_fields = m->n_fields;
    b->numeric = ca_mem_alloc(m->n_numeric, sizeof *b->numeric, err);
    b->field = ca_mem_alloc(m->n_fields, sizeof *b->field, err);
    b->ids = ca_mem_zalloc(m->n_fields, sizeof *b->ids, err);
    b->values = ca_mem_zalloc(m->n_numeric, sizeof *b->values, err);
    if (!b->numeric || !b->field || !b->ids || !b->values)
        rc = CA_EMEMORY;
    for (size_t i = 0; i < m->n_numeric && !rc; i++)
        rc = bind_one(&m->numeric[i], CA_ROLE_NUMERIC, i, s, &b->numeric[i], err);
    for (size_t i = 0; i < m->n_fields && !rc; i++)
        rc = bind_one(&m->field[i], CA_ROLE_CATEGORICAL, i, s, &b->field[i], err);
    if (rc)
        ca_binding_fini(b);
    return rc;
}

struct ca_feed ca_binding_feed(struct ca_binding *b, const struct ca_block *block)
{
    struct ca_feed feed = {.rows = block->rows, .ids = b->ids, .numeric = b->values};

    for (size_t i = 0; i < b->n_fields; i++)
        b->ids[i] = ca_block_u32(block, b->field[i]);
    for (size_t i = 0; i < b->n_numeric; i++)
        b->values[i] = ca_block_f32(block, b->numeric[i]);
    return feed;
}

void ca_binding_fini(struct ca_binding *b)
{
    ca_mem_free(b->numeric);
    ca_mem_free(b->field);
    ca_mem_free(b->ids);
    ca_mem_free(b->values);
    memset(b, 0, sizeof *b);
}

/* A step may overflow without a loss to show for it: the last one has none after it. */
int ca_model_check(struct ca_model *m, struct ca_err *err)
{
    int rc = ca_net_settle(m->net, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < ca_model_n_tensors(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        for (size_t r = 0; r < t.rows; r++) {
            const ca_real *row = ca_model_tensor_row(m, &t, r, CA_STATE_WEIGHT);
            ca_real sum = 0; /* not finite as soon as one of them is not: x - x is 0 or NaN */
            for (size_t k = 0; k < t.row_len; k++)
                sum += row[k] - row[k];
            if (sum != 0)
                return ca_err_set(err, CA_ENUMERIC, "tensor '%.100s' has a weight that is not finite", t.name);
        }
    }
    return 0;
}
