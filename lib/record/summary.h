/* What each column of a record stream holds, in one pass: range, mean, missing values, distinct ids. */
#ifndef CA_RECORD_SUMMARY_H
#define CA_RECORD_SUMMARY_H

#include "base/buf.h"
#include "record/rows.h"

struct ca_summary;

struct ca_summary *ca_summary_new(const struct ca_schema *s, struct ca_err *err) CA_CHECK_ME; /* s must outlive it */
int ca_summary_add(struct ca_summary *m, const struct ca_block *b, size_t first, size_t n, struct ca_err *err)
    CA_CHECK_ME;
void ca_summary_free(struct ca_summary *m);

/*
 * A line for each column. count: values, list elements counted one by one;
 * min, max, mean: of the values that are not missing; missing: share of
 * values that are, id 0 of a table or not a number; distinct: ids seen, 0
 * included; outside: values that are not ids of the column's table. What a
 * column does not have is empty in TSV and null in JSON.
 */
int ca_summary_tsv(const struct ca_summary *m, struct ca_buf *out, struct ca_err *err) CA_CHECK_ME;
int ca_summary_json(const struct ca_summary *m, struct ca_buf *out, struct ca_err *err) CA_CHECK_ME;

#endif
