/*
 * Rows as text: tab-separated values and JSON lines. Numbers are written with
 * as many digits as reading them back needs; the elements of a list are
 * separated by commas in TSV and an array in JSON, where a number that is not
 * finite is null.
 */
#ifndef CA_RECORD_TEXT_H
#define CA_RECORD_TEXT_H

#include "base/buf.h"
#include "record/rows.h"

/* The names of the columns, then rows [first, first+n) of b. */
void ca_text_tsv_head(struct ca_buf *out, const struct ca_schema *s);
void ca_text_tsv(struct ca_buf *out, const struct ca_block *b, size_t first, size_t n);

/* Rows as one JSON object a line. */
int ca_text_json(struct ca_buf *out, const struct ca_block *b, size_t first, size_t n, struct ca_err *err) CA_CHECK_ME;

/* One number as JSON: "%.17g", or null. */
void ca_text_json_double(struct ca_buf *out, double x);

#endif
