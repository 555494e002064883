#include "data/shuffle.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/sample.h"
#include "record/reader.h"
#include "record/writer.h"

#include "base/banned.h"

struct ca_shuffle {
    struct ca_head head;
    struct ca_rng place, mix;
    struct ca_writer *bucket[CA_SHUFFLE_BUCKETS]; /* NULL until its first row */
    uint32_t *pick[CA_SHUFFLE_BUCKETS];           /* the rows of one block that go there */
    size_t pick_cap[CA_SHUFFLE_BUCKETS], n_pick[CA_SHUFFLE_BUCKETS];
    uint64_t added;
    struct ca_rows *rows;                         /* the bucket being given out */
    uint32_t *at;
    size_t at_cap, given;
};

int ca_shuffle_new(struct ca_shuffle **out, const struct ca_head *head, uint64_t seed, const char *phase,
                   struct ca_err *err)
{
    struct ca_shuffle *s = ca_mem_zalloc(1, sizeof *s, err);
    int rc;

    if (!s)
        return CA_EMEMORY;
    if ((rc = ca_head_copy(&s->head, head, err)) || (rc = ca_sample_rng(&s->place, seed, "shuffle place", phase, err)) ||
        (rc = ca_sample_rng(&s->mix, seed, "shuffle order", phase, err)))
        goto fail;
    s->rows = ca_rows_new(&head->schema, err);
    if (!s->rows) {
        rc = CA_EMEMORY;
        goto fail;
    }
    *out = s;
    return 0;
fail:
    ca_shuffle_free(s);
    return rc;
}

int ca_shuffle_add(struct ca_shuffle *s, const struct ca_block *b, struct ca_err *err)
{
    int rc;

    for (size_t i = 0; i < b->rows; i++) {
        size_t k = (size_t)ca_rng_below(&s->place, s->added++, CA_SHUFFLE_BUCKETS);
        if ((rc = ca_mem_grow((void **)&s->pick[k], &s->pick_cap[k], s->n_pick[k] + 1, sizeof **s->pick, err)))
            return rc;
        s->pick[k][s->n_pick[k]++] = (uint32_t)i;
    }
    for (size_t k = 0; k < CA_SHUFFLE_BUCKETS; k++) {
        if (!s->n_pick[k])
            continue;
        if ((!s->bucket[k] && (rc = ca_writer_spool(&s->bucket[k], &s->head, err))) ||
            (rc = ca_writer_put_at(s->bucket[k], b, s->pick[k], s->n_pick[k], err)))
            return rc;
        s->n_pick[k] = 0;
    }
    return 0;
}

int ca_shuffle_next(struct ca_shuffle *s, struct ca_block *b, const uint32_t **at, struct ca_err *err)
{
    struct ca_reader *r = NULL;
    struct ca_writer *w;
    struct ca_block piece;
    size_t n;
    int rc;

    while (s->given < CA_SHUFFLE_BUCKETS && !s->bucket[s->given])
        s->given++;
    if (s->given == CA_SHUFFLE_BUCKETS)
        return 0;
    w = s->bucket[s->given];
    s->bucket[s->given] = NULL;
    if ((rc = ca_writer_spooled(w, &r, err)))
        return rc;
    ca_rows_clear(s->rows);
    while ((rc = ca_reader_next(r, &piece, err)) > 0)
        if ((rc = ca_rows_append(s->rows, &piece, 0, piece.rows, err)))
            break;
    ca_reader_close(r);
    n = ca_rows_count(s->rows);
    if (rc || (rc = ca_mem_grow((void **)&s->at, &s->at_cap, n, sizeof *s->at, err)))
        return rc;
    ca_sample_permute(&s->mix, s->given++, s->at, n);
    *b = ca_rows_view(s->rows);
    *at = s->at;
    return 1;
}

void ca_shuffle_free(struct ca_shuffle *s)
{
    if (!s)
        return;
    for (size_t k = 0; k < CA_SHUFFLE_BUCKETS; k++) {
        ca_writer_abort(s->bucket[k]);
        ca_mem_free(s->pick[k]);
    }
    ca_head_fini(&s->head);
    ca_rows_free(s->rows);
    ca_mem_free(s->at);
    ca_mem_free(s);
}
