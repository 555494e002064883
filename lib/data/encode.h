/*
 * From rows of text to columns of records, as a schema file says: a batch goes
 * in, a block comes out. Values of a vocabulary are numbered as they appear, or
 * looked up in a vocabulary that stands.
 *
 * Several batches may be in hand, each of a thread of its own. What needs no
 * vocabulary is done in any order (ca_encoder_check); values that may be
 * new are numbered in order of the batches, but one column may be ahead of
 * another (ca_encoder_number); then the blocks are taken in order. Where one batch
 * ends and the next begins does not show.
 */
#ifndef CA_DATA_ENCODE_H
#define CA_DATA_ENCODE_H

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

/* What became of a batch; valid until it is checked again or ends. */
struct ca_encoded {
    struct ca_block block;   /* the good rows; first_row is 0 */
    const struct ca_bad_row *bad; /* in order of rows */
    size_t n_bad;
    size_t unlabelled;       /* dropped for want of a label */
    size_t backwards;        /* rows whose time is before that of the row before */
};

struct ca_encoder;

/*
 * schema and vocab are borrowed. With add, vocab must be empty: it gets a column
 * for each column of the schema that has a vocabulary of its own, new values are numbered as
 * they come (where columns share one, row by row and within a row in the order of the schema)
 * and the records' columns are provisional (role aux). Without, every such column
 * must be in vocab and part unknown values from missing ones where the schema says so and only there (else
 * CA_ESCHEMA).
 */
int ca_encoder_new(struct ca_encoder **e, const struct ca_schema_file *schema, struct ca_vocab *vocab, int add,
                   int drop_unlabelled, struct ca_err *err) CA_CHECK_ME;

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

/* Room for so many batches in hand; there is for one. */
int ca_encoder_room(struct ca_encoder *e, size_t batches, struct ca_err *err) CA_CHECK_ME;

/*
 * Rows of b from first on become batch number `batch` in hand: everything but the numbering. *good: rows that are
 * neither bad nor dropped. Returns 0 or a code other than for bad rows: those come with ca_encoder_take.
 */
int ca_encoder_check(struct ca_encoder *e, size_t batch, const struct ca_scan_batch *b, size_t first, size_t *good,
                     struct ca_err *err) CA_CHECK_ME;

/*
 * Number the batch's values of a column and of those that share its vocabulary, and have the vocabulary count those of
 * the first count good rows. To be called for all columns; nothing happens for one that has no vocabulary of its own.
 * With add or a count, batches must come in order and one at a time for a column; else they need not.
 */
int ca_encoder_number(struct ca_encoder *e, size_t batch, size_t column, size_t count, struct ca_err *err) CA_CHECK_ME;

/* What became of a batch, once it is numbered: each once, in order. */
void ca_encoder_take(struct ca_encoder *e, size_t batch, struct ca_encoded *out);

void ca_encoder_free(struct ca_encoder *e); /* NULL is accepted */

#endif
