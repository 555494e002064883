#include "record/rows.h"

#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

struct column {
    void *data;
    size_t cap;      /* elements of data */
    size_t size;     /* bytes of an element */
    uint32_t *start; /* lists: count + 1 of them */
    size_t start_cap;
};

struct ca_rows {
    struct ca_schema schema;
    struct column *col;
    struct ca_colview *view;
    size_t count;
};

struct ca_rows *ca_rows_new(const struct ca_schema *s, struct ca_err *err)
{
    struct ca_rows *r = ca_mem_zalloc(1, sizeof *r, err);

    if (!r)
        return NULL;
    if (ca_schema_copy(&r->schema, s, err))
        goto fail;
    r->col = ca_mem_zalloc(s->n, sizeof *r->col, err);
    r->view = ca_mem_zalloc(s->n, sizeof *r->view, err);
    if (!r->col || !r->view)
        goto fail;
    for (size_t c = 0; c < s->n; c++) {
        struct column *col = &r->col[c];
        col->size = ca_type_size(s->col[c].type);
        /* room for one, so that a view never has a NULL column */
        if (ca_mem_grow(&col->data, &col->cap, 1, col->size, err))
            goto fail;
        if (s->col[c].is_list) {
            if (ca_mem_grow((void **)&col->start, &col->start_cap, 1, sizeof *col->start, err))
                goto fail;
            col->start[0] = 0;
        }
    }
    return r;
fail:
    ca_rows_free(r);
    return NULL;
}

void ca_rows_free(struct ca_rows *r)
{
    if (!r)
        return;
    for (size_t c = 0; r->col && c < r->schema.n; c++) {
        ca_mem_free(r->col[c].data);
        ca_mem_free(r->col[c].start);
    }
    ca_mem_free(r->col);
    ca_mem_free(r->view);
    ca_schema_fini(&r->schema);
    ca_mem_free(r);
}

void ca_rows_clear(struct ca_rows *r)
{
    r->count = 0;
}

size_t ca_rows_count(const struct ca_rows *r)
{
    return r->count;
}

static int check_schema(const struct ca_rows *r, const struct ca_block *b, struct ca_err *err)
{
    return ca_schema_equal(&r->schema, b->schema)
               ? 0
               : ca_err_set(err, CA_ESCHEMA, "rows of one schema cannot be added to rows of another");
}

/* Room for n more rows in every column; list elements are reserve_list's. */
static int reserve(struct ca_rows *r, size_t n, struct ca_err *err)
{
    size_t need = r->count + n;

    if (need < n)
        return ca_err_set(err, CA_EMEMORY, "out of memory: too many rows");
    for (size_t c = 0; c < r->schema.n; c++) {
        struct column *col = &r->col[c];
        int rc = col->start ? ca_mem_grow((void **)&col->start, &col->start_cap, need + 1, sizeof *col->start, err)
                            : ca_mem_grow(&col->data, &col->cap, need, col->size, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* Room for more elements behind the lists so far. */
static int reserve_list(struct ca_rows *r, size_t c, uint64_t have, uint64_t more, struct ca_err *err)
{
    struct column *col = &r->col[c];

    if (have + more > UINT32_MAX)
        return ca_err_set(err, CA_EFORMAT, "lists of column '%s' hold more than %u elements in one block",
                          r->schema.col[c].name, UINT32_MAX);
    return ca_mem_grow(&col->data, &col->cap, (size_t)(have + more), col->size, err);
}

int ca_rows_append(struct ca_rows *r, const struct ca_block *b, size_t first, size_t n, struct ca_err *err)
{
    int rc = check_schema(r, b, err);

    if (rc || !n || (rc = reserve(r, n, err)))
        return rc;
    for (size_t c = 0; c < r->schema.n; c++) {
        struct column *col = &r->col[c];
        const struct ca_colview *v = &b->col[c];
        const char *from = (const char *)v->data;

        if (!col->start) {
            memcpy((char *)col->data + r->count * col->size, from + first * col->size, n * col->size);
            continue;
        }
        uint32_t lo = v->start[first], hi = v->start[first + n], have = col->start[r->count];
        if ((rc = reserve_list(r, c, have, hi - lo, err)))
            return rc;
        memcpy((char *)col->data + have * col->size, from + lo * col->size, (size_t)(hi - lo) * col->size);
        for (size_t i = 1; i <= n; i++)
            col->start[r->count + i] = have + (v->start[first + i] - lo);
    }
    r->count += n;
    return 0;
}

/* to[i] = from[at[i]] for one element size */
#define TAKE(type)                                                                                                    \
    do {                                                                                                              \
        type *to = (type *)col->data + r->count;                                                                      \
        const type *from = (const type *)v->data;                                                                     \
        for (size_t i = 0; i < n; i++)                                                                                \
            to[i] = from[at[i]];                                                                                      \
    } while (0)

static int append_lists_at(struct ca_rows *r, size_t c, const struct ca_colview *v, const uint32_t *at, size_t n,
                           struct ca_err *err)
{
    struct column *col = &r->col[c];
    uint64_t have = col->start[r->count], more = 0;
    int rc;

    for (size_t i = 0; i < n; i++)
        more += v->start[at[i] + 1] - v->start[at[i]];
    if ((rc = reserve_list(r, c, have, more, err)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        uint32_t lo = v->start[at[i]], len = v->start[at[i] + 1] - lo;
        memcpy((char *)col->data + have * col->size, (const char *)v->data + lo * col->size, len * col->size);
        have += len;
        col->start[r->count + i + 1] = (uint32_t)have;
    }
    return 0;
}

int ca_rows_append_at(struct ca_rows *r, const struct ca_block *b, const uint32_t *at, size_t n, struct ca_err *err)
{
    int rc = check_schema(r, b, err);

    if (rc || !n || (rc = reserve(r, n, err)))
        return rc;
    for (size_t c = 0; c < r->schema.n; c++) {
        struct column *col = &r->col[c];
        const struct ca_colview *v = &b->col[c];

        if (col->start) {
            if ((rc = append_lists_at(r, c, v, at, n, err)))
                return rc;
        } else if (col->size == 4) {
            TAKE(uint32_t);
        } else if (col->size == 8) {
            TAKE(uint64_t);
        } else {
            TAKE(uint8_t);
        }
    }
    r->count += n;
    return 0;
}

int ca_rows_extend(struct ca_rows *r, size_t n, size_t *first, struct ca_err *err)
{
    int rc = reserve(r, n, err);

    if (rc)
        return rc;
    for (size_t c = 0; c < r->schema.n; c++) {
        struct column *col = &r->col[c];
        if (col->start)
            for (size_t i = 1; i <= n; i++)
                col->start[r->count + i] = col->start[r->count];
        else
            memset((char *)col->data + r->count * col->size, 0, n * col->size);
    }
    *first = r->count;
    r->count += n;
    return 0;
}

void *ca_rows_data(struct ca_rows *r, size_t col)
{
    return r->col[col].data;
}

int ca_rows_list(struct ca_rows *r, size_t c, const uint32_t *ids, size_t n, struct ca_err *err)
{
    struct column *col = &r->col[c];
    uint32_t have;
    int rc;

    if (!r->count || !col->start)
        return ca_err_set(err, CA_EINTERNAL, "column '%s' has no row that takes a list", r->schema.col[c].name);
    have = col->start[r->count];
    if ((rc = reserve_list(r, c, have, n, err)))
        return rc;
    if (n)
        memcpy((char *)col->data + have * col->size, ids, n * col->size);
    col->start[r->count] = have + (uint32_t)n;
    return 0;
}

struct ca_block ca_rows_view(struct ca_rows *r)
{
    for (size_t c = 0; c < r->schema.n; c++)
        r->view[c] = (struct ca_colview){r->col[c].data, r->col[c].start};
    return (struct ca_block){&r->schema, r->count, 0, r->view};
}
