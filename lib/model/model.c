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
    for (size_t i = 0; m->sequence && i < m->n_sequences; i++)
        ca_mem_free(m->sequence[i].name);
    for (size_t i = 0; m->task && i < m->n_tasks; i++)
        ca_mem_free(m->task[i].name);
    ca_mem_free(m->domain.name);
    ca_mem_free(m->numeric);
    ca_mem_free(m->field);
    ca_mem_free(m->sequence);
    ca_mem_free(m->task);
    ca_net_free(m->net);
    json_decref(m->meta);
    json_decref(m->inputs);
    ca_mem_free(m->vocabulary);
    ca_parts_free_extras(m);
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

int ca_parts_further(struct ca_model *m, size_t n_sequences, size_t n_tasks, struct ca_err *err)
{
    m->sequence = ca_mem_zalloc(n_sequences, sizeof *m->sequence, err);
    m->task = ca_mem_zalloc(n_tasks, sizeof *m->task, err);
    if (!m->sequence || !m->task)
        return CA_EMEMORY;
    m->n_sequences = n_sequences;
    m->n_tasks = n_tasks;
    return 0;
}

int ca_parts_feature(struct ca_feature *f, const char *name, uint32_t vocab, struct ca_err *err)
{
    f->vocab = vocab;
    f->like = CA_NO_FIELD;
    f->name = ca_mem_strdup(name, err);
    return f->name ? 0 : CA_EMEMORY;
}

int ca_parts_digest(const void *data, size_t size, char out[CA_DIGEST_HEX], struct ca_err *err)
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
    return ca_parts_digest(data, size, m->vocabulary_digest, err);
}

/* Sequences, tasks, domain and sides of fields as the graph is to see them; the arrays are the caller's. */
static void further_inputs(const struct ca_model *m, struct ca_sequence *sequence, unsigned char *of_item,
                           struct ca_inputs *in)
{
    int told = 0;

    if (ca_arch_reads_lists(m->spec.arch)) {
        for (size_t i = 0; i < m->n_sequences; i++)
            sequence[i] = (struct ca_sequence){m->sequence[i].name, m->sequence[i].vocab, m->sequence[i].length,
                                               m->sequence[i].like};
        in->n_sequences = m->n_sequences;
        in->sequence = sequence;
    }
    in->n_tasks = m->spec.arch->reads & CA_READS_TASKS ? m->n_tasks : 0;
    in->domains = m->spec.arch->reads & CA_READS_DOMAIN && m->domain.name ? m->domain.vocab : 0;
    for (size_t f = 0; f < m->n_fields; f++) {
        of_item[f] = m->field[f].of_item != 0;
        told |= of_item[f];
    }
    in->of_item = told ? of_item : NULL;
}

struct ca_graph *ca_parts_graph(const struct ca_model *m, struct ca_err *err)
{
    struct ca_inputs in = {.n_numeric = m->n_numeric, .n_fields = m->n_fields};
    uint32_t *rows = ca_mem_alloc(m->n_fields, sizeof *rows, err);
    const char **name = ca_mem_alloc(m->n_numeric + m->n_fields, sizeof *name, err);
    struct ca_sequence *sequence = ca_mem_zalloc(m->n_sequences, sizeof *sequence, err);
    unsigned char *of_item = ca_mem_zalloc(m->n_fields, 1, err);
    struct ca_graph *g = NULL;

    if (!rows || !name || !sequence || !of_item)
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
    further_inputs(m, sequence, of_item, &in);
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
    ca_mem_free(sequence);
    ca_mem_free(of_item);
    return g;
}

struct ca_adam ca_model_adam(const struct ca_arch *arch)
{
    struct ca_adam a = ca_adam_default;

    if (arch->family == CA_FAMILY_FX)
        a.lr_table = a.lr_dense;
    return a;
}

struct ca_regular ca_model_regular(const struct ca_arch *arch)
{
    return (struct ca_regular){.clip = arch->family == CA_FAMILY_FX ? 10 : 0};
}

int ca_parts_net(struct ca_model *m, struct ca_graph *g, uint64_t seed, unsigned flags, struct ca_pool *pool,
                 struct ca_err *err)
{
    struct ca_adam adam = ca_model_adam(m->spec.arch);
    struct ca_regular regular = ca_model_regular(m->spec.arch);

    m->net = ca_net_new(g, pool, seed, flags, err);
    if (!m->net)
        return err ? err->code : CA_EMEMORY;
    ca_net_set_adam(m->net, &adam);
    ca_net_set_regular(m->net, &regular);
    return 0;
}

static int make_net(struct ca_model *m, uint64_t seed, struct ca_pool *pool, struct ca_err *err)
{
    struct ca_graph *g = ca_parts_graph(m, err);

    return g ? ca_parts_net(m, g, seed, 0, pool, err) : err ? err->code : CA_EINTERNAL;
}

const struct ca_model_choices ca_model_choices_default = {.sequence_length = 50};

/* The field of that name, or CA_NO_FIELD. */
static size_t field_named(const struct ca_model *m, const char *name, size_t length)
{
    for (size_t f = 0; f < m->n_fields; f++)
        if (strlen(m->field[f].name) == length && !memcmp(m->field[f].name, name, length))
            return f;
    return CA_NO_FIELD;
}

static int mark_items(struct ca_model *m, const char *names, struct ca_err *err)
{
    while (names && *names) {
        size_t length = strcspn(names, ","), f = field_named(m, names, length);

        if (f == CA_NO_FIELD)
            return ca_err_set(err, CA_EUSAGE, "no categorical column of the records is named '%.*s'", (int)length, names);
        m->field[f].of_item = 1;
        names += length + (names[length] == ',');
    }
    return 0;
}

static int features_of_head(struct ca_model *m, const struct ca_head *head, const struct ca_model_choices *how,
                            struct ca_err *err)
{
    const struct ca_schema *s = &head->schema;
    size_t fields = ca_schema_count(s, CA_ROLE_CATEGORICAL), numeric = 0, field = 0, sequence = 0, task = 0;
    int rc;

    if (!fields) {
        rc = ca_err_set(err, CA_ESCHEMA, "records have no categorical column to learn from");
        return rc;
    }
    rc = ca_parts_features(m, ca_schema_count(s, CA_ROLE_NUMERIC), fields, err);
    if (!rc)
        rc = ca_parts_further(m, ca_schema_count(s, CA_ROLE_SEQUENCE), ca_schema_count(s, CA_ROLE_TASK), err);
    for (size_t i = 0; i < s->n && !rc; i++) {
        const struct ca_column *c = &s->col[i];

        if (c->role == CA_ROLE_NUMERIC)
            rc = ca_parts_feature(&m->numeric[numeric++], c->name, 0, err);
        else if (c->role == CA_ROLE_CATEGORICAL)
            rc = ca_parts_feature(&m->field[field++], c->name, c->vocab, err);
        else if (c->role == CA_ROLE_SEQUENCE)
            rc = ca_parts_feature(&m->sequence[sequence++], c->name, c->vocab, err);
        else if (c->role == CA_ROLE_TASK)
            rc = ca_parts_feature(&m->task[task++], c->name, 0, err);
        else if (c->role == CA_ROLE_DOMAIN && !m->domain.name)
            rc = ca_parts_feature(&m->domain, c->name, c->vocab, err);
    }
    for (size_t i = 0; i < m->n_sequences && !rc; i++) {
        const char *like = s->col[ca_schema_role(s, CA_ROLE_SEQUENCE, i)].like;

        m->sequence[i].length = how->sequence_length;
        m->sequence[i].like = like ? field_named(m, like, strlen(like)) : CA_NO_FIELD;
    }
    return rc ? rc : mark_items(m, how->item_fields, err);
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

int ca_model_new(struct ca_model **out, const struct ca_arch_spec *spec, const struct ca_head *head,
                 const struct ca_model_choices *choices, uint64_t seed, struct ca_pool *pool, struct ca_err *err)
{
    const struct ca_attachment *v = ca_head_attachment(head, CA_ATTACHMENT_VOCABULARY);
    struct ca_model *m = ca_parts_empty(err);
    int rc;

    if (!m)
        return CA_EMEMORY;
    m->spec = *spec;
    if ((rc = features_of_head(m, head, choices ? choices : &ca_model_choices_default, err)) ||
        (rc = adopt_provenance(m, head->keys, err)) ||
        (rc = ca_parts_vocabulary(m, v ? v->data : NULL, v ? v->size : 0, err)) ||
        (rc = make_net(m, seed, pool, err))) {
        ca_model_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

static int copy_features(struct ca_feature *to, const struct ca_feature *from, size_t n, struct ca_err *err)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        if (!(to[i].name = ca_mem_strdup(from[i].name, err)))
            return CA_EMEMORY;
    }
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
    if (!rc)
        rc = ca_parts_further(m, from->n_sequences, from->n_tasks, err);
    if (!rc)
        rc = copy_features(m->numeric, from->numeric, from->n_numeric, err);
    if (!rc)
        rc = copy_features(m->field, from->field, from->n_fields, err);
    if (!rc)
        rc = copy_features(m->sequence, from->sequence, from->n_sequences, err);
    if (!rc)
        rc = copy_features(m->task, from->task, from->n_tasks, err);
    if (!rc && from->domain.name)
        rc = copy_features(&m->domain, &from->domain, 1, err);
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
    return ca_model_n_learned(m) + ca_graph_n_buffers(ca_net_graph(m->net));
}

size_t ca_model_n_learned(const struct ca_model *m)
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
    } else if (i >= tables + ca_graph_n_params(g)) {
        const struct ca_buffer *b = ca_graph_get_buffer(g, i - tables - ca_graph_n_params(g));
        t.name = b->name;
        t.n_dims = 1;
        t.dim[0] = t.row_len = b->count;
        t.rows = 1;
        t.is_buffer = 1;
        t.index = i - tables - ca_graph_n_params(g);
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
    if (t->is_buffer)
        return kind == CA_STATE_WEIGHT ? ca_net_buffers(m->net) + ca_graph_get_buffer(ca_net_graph(m->net), t->index)->at
                                       : NULL;
    dense = ca_net_dense(m->net, kind);
    return dense ? dense + ca_graph_get_param(ca_net_graph(m->net), t->index)->at : NULL;
}

ca_real *ca_model_tensor_rows(struct ca_model *m, const struct ca_model_tensor *t, enum ca_state kind, size_t *stride)
{
    ca_real *first = t->rows ? ca_model_tensor_row(m, t, 0, kind) : NULL;

    *stride = first && t->rows > 1 ? (size_t)(ca_model_tensor_row(m, t, 1, kind) - first) : t->row_len;
    return first;
}

int ca_model_reset_optimizer(struct ca_model *m, struct ca_err *err)
{
    int rc = ca_net_settle(m->net, err);

    if (rc || !ca_net_dense(m->net, CA_STATE_M))
        return rc;
    for (size_t i = 0; i < ca_model_n_learned(m); i++) {
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

/* A step may overflow without a loss to show for it: the last one has none after it. */
int ca_model_check(struct ca_model *m, struct ca_err *err)
{
    int rc = ca_net_settle(m->net, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < ca_model_n_tensors(m); i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        size_t stride;
        const ca_real *row = ca_model_tensor_rows(m, &t, CA_STATE_WEIGHT, &stride);
        for (size_t r = 0; r < t.rows; r++, row += stride) {
            ca_real sum = 0; /* not finite as soon as one of them is not: x - x is 0 or NaN */
            for (size_t k = 0; k < t.row_len; k++)
                sum += row[k] - row[k];
            if (sum != 0)
                return ca_err_set(err, CA_ENUMERIC, "tensor '%.100s' has a weight that is not finite", t.name);
        }
    }
    return 0;
}
