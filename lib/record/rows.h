/*
 * Rows in memory, column by column: a borrowed view (struct ca_block) as a
 * reader hands it out, and an owning, growing buffer (struct ca_rows).
 */
#ifndef CA_RECORD_ROWS_H
#define CA_RECORD_ROWS_H

#include "record/schema.h"

/* One column of a view: rows elements of the column's type; for a list column
 * data holds start[rows] elements and row r owns [start[r], start[r+1]). */
struct ca_colview {
    const void *data;
    const uint32_t *start; /* NULL unless a list */
};

/* A borrowed run of rows. Valid until the next call on what lent it. */
struct ca_block {
    const struct ca_schema *schema;
    size_t rows;
    int64_t first_row;           /* index of row 0 in its stream */
    const struct ca_colview *col; /* schema->n of them */
};

static inline const float *ca_block_f32(const struct ca_block *b, size_t c) { return (const float *)b->col[c].data; }
static inline const uint32_t *ca_block_u32(const struct ca_block *b, size_t c)
{
    return (const uint32_t *)b->col[c].data;
}
static inline const int64_t *ca_block_i64(const struct ca_block *b, size_t c) { return (const int64_t *)b->col[c].data; }

/* Owning rows of one schema. */
struct ca_rows;

struct ca_rows *ca_rows_new(const struct ca_schema *s, struct ca_err *err) CA_CHECK_ME; /* copies the schema */
void ca_rows_free(struct ca_rows *r);
void ca_rows_clear(struct ca_rows *r);
size_t ca_rows_count(const struct ca_rows *r);

/* Append rows [first, first+n) of b, or the rows at[0..n), which may repeat. The schemas must be equal. */
int ca_rows_append(struct ca_rows *r, const struct ca_block *b, size_t first, size_t n, struct ca_err *err) CA_CHECK_ME;
int ca_rows_append_at(struct ca_rows *r, const struct ca_block *b, const uint32_t *at, size_t n, struct ca_err *err)
    CA_CHECK_ME;

/*
 * Room for n more rows (their lists empty): returns through
 * *first the index of the first new row, its fields to be filled by the caller
 * through ca_rows_data (zeroed until then).
 */
int ca_rows_extend(struct ca_rows *r, size_t n, size_t *first, struct ca_err *err) CA_CHECK_ME;
void *ca_rows_data(struct ca_rows *r, size_t col); /* element 0 of a column; valid until the next append or extend */

/* Append one list to a list column's current last row (made by ca_rows_extend(r, 1, ...)). */
int ca_rows_list(struct ca_rows *r, size_t col, const uint32_t *ids, size_t n, struct ca_err *err) CA_CHECK_ME;

/* View all rows (first_row 0). Valid until the next change of r. */
struct ca_block ca_rows_view(struct ca_rows *r);

#endif
