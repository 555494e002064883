/*
 * From rows of text to columns of records, as a schema file says: a batch goes
 * in, a block comes out. Values of a vocabulary are numbered as they appear, or
 * looked up in a vocabulary that stands.
 */
#ifndef CA_DATA_ENCODE_H
#define CA_DATA_ENCODE_H

#include "base/pool.h"
#include "data/schema_file.h"
#include "data/scan.h"
#include "data/vocab.h"
#include "record/rows.h"

/* A row that is not what the schema says. */
struct ca_bad_row {
    size_t row;              /* of the batch */
    const char *fault;       /* a constant: "bad number" */
    const char *column;      /* whose field is at fault, or NULL */
    struct ca_piece value;    /* that field */
    size_t fields, expected; /* when their number is the fault, else both 0 */
};

/* What became of a batch; valid until the next call or the batch's end. */
struct ca_encoded {
    struct ca_block block;   /* the good rows; first_row is 0 */
    const struct ca_bad_row *bad; /* in order of rows */
    size_t n_bad;
    size_t unlabelled;       /* dropped for want of a label */
    size_t backwards;        /* rows whose time is before that of the row before */
};

struct ca_encoder;

/*
 * schema, vocab and pool are borrowed. With add, vocab must be empty: it gets a column
 * for each column of the schema that has a vocabulary of its own, new values are numbered as
 * they come (where columns share one, row by row and within a row in the order of the schema)
 * and the records' columns are provisional (role aux). Without, every such column
 * must be in vocab and part unknown values from missing ones where the schema says so and only there (else
 * CA_ESCHEMA). pool may be NULL.
 */
int ca_encoder_new(struct ca_encoder **e, const struct ca_schema_file *schema, struct ca_vocab *vocab, int add,
                   int drop_unlabelled, struct ca_pool *pool, struct ca_err *err) CA_CHECK_ME;

/* The columns of the blocks. */
const struct ca_schema *ca_encoder_schema(const struct ca_encoder *e);

/* The columns of the records once vocab is what it will be: as ca_encoder_schema, but with roles and sizes. */
int ca_encoder_final_schema(const struct ca_encoder *e, struct ca_schema *s, struct ca_err *err) CA_CHECK_ME;

/* Index in vocab for a column of the blocks, or -1; columns that share a vocabulary have the same. */
int ca_encoder_vocab(const struct ca_encoder *e, size_t column);

/* The id that a missing value of such a column has in the records, once vocab is what it will be. */
uint32_t ca_encoder_missing(const struct ca_encoder *e, size_t column);

/*
 * The first row of a file is its header (the schema says so): find the columns
 * by name. Call for the first row of every file. Returns 0 or CA_EFORMAT, unplaced.
 */
int ca_encoder_header(struct ca_encoder *e, const struct ca_scan_batch *b, struct ca_err *err) CA_CHECK_ME;

/* Rows from first on. Returns 0 or a code other than for bad rows: those are in out. */
int ca_encoder_rows(struct ca_encoder *e, const struct ca_scan_batch *b, size_t first, struct ca_encoded *out,
                    struct ca_err *err) CA_CHECK_ME;

void ca_encoder_free(struct ca_encoder *e); /* NULL is accepted */

#endif
