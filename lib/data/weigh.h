/*
 * Rows on their way into a stream, given a weight: a column of role weight is
 * added, or the one that is there multiplied, so that every later stage can
 * undo what sampling did to the class shares.
 */
#ifndef CA_DATA_WEIGH_H
#define CA_DATA_WEIGH_H

#include "record/head.h"
#include "record/rows.h"
#include "record/writer.h"

struct ca_weigher;

/*
 * For rows of head in. on 0: rows pass with their columns as they are. A new
 * column is named "weight" (CA_ESCHEMA when a column of another role has that name).
 */
int ca_weigher_new(struct ca_weigher **w, const struct ca_head *in, int on, struct ca_err *err) CA_CHECK_ME;

/* The head of the rows that leave: for ca_writer_open. Valid until ca_weigher_free. */
const struct ca_head *ca_weigher_head(const struct ca_weigher *w);

/* Put rows at[0..n) of b (NULL: rows 0..n-1), each with its weight (NULL: 1). */
int ca_weigher_put(struct ca_weigher *w, struct ca_writer *to, const struct ca_block *b, const uint32_t *at, size_t n,
                   const float *weight, struct ca_err *err) CA_CHECK_ME;

void ca_weigher_free(struct ca_weigher *w); /* NULL is accepted */

#endif
