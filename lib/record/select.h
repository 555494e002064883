/*
 * A part of a record stream: some of its columns, in any order, and one run
 * of its rows. What ca-view and ca-cat take from their command lines.
 */
#ifndef CA_RECORD_SELECT_H
#define CA_RECORD_SELECT_H

#include "record/reader.h"

/* Some columns of a schema. */
struct ca_pick {
    struct ca_schema schema; /* what is picked */
    size_t *from;            /* the column each comes from */
    struct ca_colview *view;
};

/*
 * columns: names separated by commas, NULL for all in their order; drop: names
 * to leave out, NULL for none. CA_ESCHEMA for a name that is not there,
 * CA_EUSAGE for a repeated one or when nothing is left.
 */
int ca_pick_init(struct ca_pick *p, const struct ca_schema *s, const char *columns, const char *drop,
                 struct ca_err *err) CA_CHECK_ME;
void ca_pick_fini(struct ca_pick *p);

/* The picked columns of a block. Valid until the block or p changes. */
struct ca_block ca_pick_block(struct ca_pick *p, const struct ca_block *b);

/* Rows [first, last) of a stream, counted from 0. */
struct ca_span {
    int64_t first, last;
};

/*
 * "FIRST:LAST", either of which may be left out, into *s; NULL is all rows. At
 * most limit rows, if limit_given. CA_EUSAGE unless both are whole numbers and
 * FIRST <= LAST.
 */
int ca_span_parse(struct ca_span *s, const char *text, int limit_given, uint64_t limit, struct ca_err *err)
    CA_CHECK_ME;

/* Prepare r to be read from the first row of the span: by its index where it has one. */
int ca_span_start(const struct ca_span *s, struct ca_reader *r, struct ca_err *err) CA_CHECK_ME;

/*
 * The next block of r and which rows of it, *n of them from *first, are in the span: 1, 0 at the end or a code.
 * Once the span has been read the rest of r is not read, unless drain is set: then it is read and checked, so
 * that whoever writes it is neither cut short nor trusted.
 */
int ca_span_next(const struct ca_span *s, struct ca_reader *r, int drain, struct ca_block *b, size_t *first, size_t *n,
                 struct ca_err *err) CA_CHECK_ME;

#endif
