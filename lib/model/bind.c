/* Where a stream's columns are for a model, and a block of it as the network takes it. */
#include <string.h>

#include "base/mem.h"
#include "model/parts.h"

#include "base/banned.h"

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
    struct ca_err why = {0};
    int c = f->name[0] ? ca_schema_find(s, f->name) : ca_schema_role(s, role, nth);

    if (c < 0 && f->name[0])
        return bad_column(f->name, "of the model is not in the records", err);
    if (c < 0)
        return ca_err_set(err, CA_ESCHEMA, "the model has more %s features than the records", ca_role_name(role));
    *column = (size_t)c;
    if (s->col[c].role != role || s->col[c].is_list != (role == CA_ROLE_SEQUENCE)) {
        (void)ca_err_set(&why, CA_ESCHEMA, "is %s in the model, not in the records", ca_role_name(role));
        return bad_column(s->col[c].name, why.text, err);
    }
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
    if ((rc = ca_parts_digest(v->data, v->size, digest, err)))
        return rc;
    if (!strcmp(digest, m->vocabulary_digest))
        return 0;
    (void)ca_err_set(err, CA_ESCHEMA, "the records' vocabulary is not the model's: %s, not %s", digest,
                     m->vocabulary_digest);
    (void)ca_err_hint(err, "prepare the records with the vocabulary the model was trained with");
    return CA_ESCHEMA;
}

/* Labels are needed to learn, not to predict: has_labels says whether all of them are there. */
static int bind_tasks(const struct ca_model *m, const struct ca_schema *s, struct ca_binding *b, struct ca_err *err)
{
    b->has_labels = b->n_tasks > 0;
    for (size_t i = 0; i < b->n_tasks; i++) {
        int rc;

        if (ca_schema_find(s, m->task[i].name) < 0)
            b->has_labels = 0;
        else if ((rc = bind_one(&m->task[i], CA_ROLE_TASK, i, s, &b->task[i], err)))
            return rc;
    }
    return 0;
}

int ca_model_bind(const struct ca_model *m, const struct ca_head *head, struct ca_binding *b, struct ca_err *err)
{
    const struct ca_schema *s = &head->schema;
    unsigned reads = m->spec.arch->reads;
    size_t places = 0;
    int rc = same_vocabulary(m, head, err);

    memset(b, 0, sizeof *b);
    if (rc)
        return rc;
    b->n_numeric = m->n_numeric;
    b->n_fields = m->n_fields;
    b->n_sequences = ca_arch_reads_lists(m->spec.arch) ? m->n_sequences : 0;
    b->n_tasks = reads & CA_READS_TASKS ? m->n_tasks : 0;
    b->has_domain = reads & CA_READS_DOMAIN && m->domain.name;
    b->numeric = ca_mem_alloc(b->n_numeric, sizeof *b->numeric, err);
    b->field = ca_mem_alloc(b->n_fields, sizeof *b->field, err);
    b->sequence = ca_mem_alloc(b->n_sequences, sizeof *b->sequence, err);
    b->length = ca_mem_alloc(b->n_sequences, sizeof *b->length, err);
    b->task = ca_mem_alloc(b->n_tasks, sizeof *b->task, err);
    b->values = ca_mem_zalloc(b->n_numeric, sizeof *b->values, err);
    b->labels = ca_mem_zalloc(b->n_tasks, sizeof *b->labels, err);
    if (!b->numeric || !b->field || !b->sequence || !b->length || !b->task || !b->values || !b->labels)
        rc = CA_EMEMORY;
    for (size_t i = 0; i < b->n_numeric && !rc; i++)
        rc = bind_one(&m->numeric[i], CA_ROLE_NUMERIC, i, s, &b->numeric[i], err);
    for (size_t i = 0; i < b->n_fields && !rc; i++)
        rc = bind_one(&m->field[i], CA_ROLE_CATEGORICAL, i, s, &b->field[i], err);
    for (size_t i = 0; i < b->n_sequences && !rc; i++) {
        rc = bind_one(&m->sequence[i], CA_ROLE_SEQUENCE, i, s, &b->sequence[i], err);
        places += b->length[i] = m->sequence[i].length;
    }
    if (b->has_domain && !rc)
        rc = bind_one(&m->domain, CA_ROLE_DOMAIN, 0, s, &b->domain, err);
    b->n_places = places;
    b->ids = rc ? NULL : ca_mem_zalloc(b->n_fields + places + 1, sizeof *b->ids, err);
    if (!rc && !b->ids)
        rc = CA_EMEMORY;
    if (!rc)
        rc = bind_tasks(m, s, b, err);
    if (rc)
        ca_binding_fini(b);
    return rc;
}

/* The newest entries of each list, place by place; what a list lacks is 0. */
static void lay_out(struct ca_binding *b, const struct ca_block *block)
{
    uint32_t *to = b->places;

    memset(b->places, 0, b->n_places * block->rows * sizeof *b->places);
    for (size_t i = 0; i < b->n_sequences; i++, to += b->length[i - 1] * block->rows) {
        const struct ca_colview *c = &block->col[b->sequence[i]];
        const uint32_t *ids = c->data;

        for (size_t r = 0; r < block->rows; r++) {
            size_t n = c->start[r + 1] - c->start[r], from = c->start[r];

            if (n > b->length[i]) {
                from += n - b->length[i];
                n = b->length[i];
            }
            for (size_t k = 0; k < n; k++)
                to[k * block->rows + r] = ids[from + k];
        }
    }
}

int ca_binding_feed(struct ca_binding *b, const struct ca_block *block, struct ca_feed *feed, struct ca_err *err)
{
    *feed = (struct ca_feed){.rows = block->rows, .ids = b->ids, .numeric = b->values};
    if (ca_mem_grow((void **)&b->places, &b->cap_places, b->n_places * block->rows, sizeof *b->places, err))
        return CA_EMEMORY;
    if (b->n_places)
        lay_out(b, block);
    for (size_t i = 0; i < b->n_fields; i++)
        b->ids[i] = ca_block_u32(block, b->field[i]);
    for (size_t i = 0; i < b->n_places; i++)
        b->ids[b->n_fields + i] = b->places + i * block->rows;
    if (b->has_domain)
        b->ids[b->n_fields + b->n_places] = ca_block_u32(block, b->domain);
    for (size_t i = 0; i < b->n_numeric; i++)
        b->values[i] = ca_block_f32(block, b->numeric[i]);
    return 0;
}

const float *const *ca_binding_tasks(struct ca_binding *b, const struct ca_block *block)
{
    if (!b->has_labels)
        return NULL;
    for (size_t i = 0; i < b->n_tasks; i++)
        b->labels[i] = ca_block_f32(block, b->task[i]);
    return b->labels;
}

void ca_binding_fini(struct ca_binding *b)
{
    ca_mem_free(b->numeric);
    ca_mem_free(b->field);
    ca_mem_free(b->sequence);
    ca_mem_free(b->length);
    ca_mem_free(b->task);
    ca_mem_free(b->ids);
    ca_mem_free(b->values);
    ca_mem_free(b->labels);
    ca_mem_free(b->places);
    memset(b, 0, sizeof *b);
}
