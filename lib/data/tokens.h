/*
 * libsvm and libffm: tokens of a line to fields of a row, so that everything
 * behind may think of a text as columns. See ca-schema(5), "libsvm and libffm".
 */
#ifndef CA_DATA_TOKENS_H
#define CA_DATA_TOKENS_H

#include "data/encode.h"

struct ca_tokens;

/* Places for the columns of a schema that are not dropped; sf is borrowed. The label's field is 0. */
int ca_tokens_new(struct ca_tokens **t, const struct ca_schema_file *sf, struct ca_err *err) CA_CHECK_ME;
void ca_tokens_free(struct ca_tokens *t); /* NULL is accepted */

size_t ca_tokens_fields(const struct ca_tokens *t); /* of a row */

/* Which field of a row the rule, one of the schema's that is not dropped, reads. */
size_t ca_tokens_field(const struct ca_tokens *t, const struct ca_rule *r);

/*
 * Rows of fields, *grid, for the rows of b from first on: row r's begin at (r - first) * fields. bad is by row of b:
 * rows with a fault are passed over, and tokens nobody can read are faults. *grid is valid until the next call or the
 * batch's end.
 */
int ca_tokens_rows(struct ca_tokens *t, const struct ca_scan_batch *b, size_t first, struct ca_bad_row *bad,
                   const struct ca_piece **grid, struct ca_err *err) CA_CHECK_ME;

#endif
