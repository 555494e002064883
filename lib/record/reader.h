/*
 * Reading a record stream: ca-records(5). Every length is bounded before it is
 * used, every frame is checked before it is believed, and the end of input
 * without an end frame is CA_ETRUNCATED, on files and pipes alike.
 */
#ifndef CA_RECORD_READER_H
#define CA_RECORD_READER_H

#include "base/hash.h"
#include "record/head.h"
#include "record/rows.h"

struct ca_reader;

/* Totals known once the end frame has been read. */
struct ca_tail {
    int64_t rows;
    int64_t positives;           /* rows whose label is above one half */
    int64_t blocks;
    char digest[CA_DIGEST_HEX];  /* of the content: equal for any blocking and compression */
    const json_t *keys;          /* the end frame's object: "inputs" and whatever else */
};

/*
 * path "-" is standard input; a terminal is refused with CA_EUSAGE unless
 * force. Reads the header and the attachments.
 */
int ca_reader_open(struct ca_reader **r, const char *path, int force, struct ca_err *err) CA_CHECK_ME;

const struct ca_head *ca_reader_head(const struct ca_reader *r);
const char *ca_reader_name(const struct ca_reader *r);

/* The next block into *b. Returns 1, or 0 at the sound end, or a negative code. */
int ca_reader_next(struct ca_reader *r, struct ca_block *b, struct ca_err *err) CA_CHECK_ME;

/*
 * Append rows to out, across blocks, until out holds want rows or the stream
 * ends. Returns 1, or 0 when the stream has ended and nothing was added, or a
 * negative code. Batches so made do not depend on the block size.
 */
int ca_reader_fill(struct ca_reader *r, struct ca_rows *out, size_t want, struct ca_err *err) CA_CHECK_ME;

/*
 * The same rows as one block, for those who need no copy: in place where a block of the stream has them all, else
 * gathered in spare, whose rows are replaced. Valid until the next call on either.
 */
int ca_reader_batch(struct ca_reader *r, struct ca_rows *spare, size_t want, struct ca_block *b, struct ca_err *err)
    CA_CHECK_ME;

/*
 * Blocks are read, checked and decoded by a thread of their own from now on, a
 * few ahead of who asks for them; with threads 1 nothing changes, since then
 * one is all there is to be. What comes out is the same, faults included. Load
 * the index before the first row is read, where it is needed; random access
 * goes on beside the thread.
 */
void ca_reader_ahead(struct ca_reader *r, uint64_t threads);

int64_t ca_reader_rows_read(const struct ca_reader *r);

/* Which row of the stream ca_reader_next gives next: differs from rows_read after a seek. */
int64_t ca_reader_row(const struct ca_reader *r);

/* After ca_reader_next has returned 0 (or an index was loaded): the totals; before: NULL. */
const struct ca_tail *ca_reader_tail(const struct ca_reader *r);

/*
 * Random access, regular files only (CA_EUSAGE naming the file and the cure
 * otherwise). ca_reader_index loads and checks the block index; afterwards the
 * tail is known, ca_reader_seek continues sequential reading at a row, and
 * ca_reader_gather appends the given rows (any order, repeats allowed) to out,
 * touching only the blocks they are in. Uncompressed blocks are used in place.
 */
int ca_reader_index(struct ca_reader *r, struct ca_err *err) CA_CHECK_ME;
int ca_reader_seek(struct ca_reader *r, int64_t row, struct ca_err *err) CA_CHECK_ME;
int ca_reader_gather(struct ca_reader *r, const int64_t *rows, size_t n, struct ca_rows *out, struct ca_err *err)
    CA_CHECK_ME;

/*
 * After ca_reader_index: does random access use the blocks in place? No when
 * the first is compressed; each row gathered may then cost the unpacking of a whole block.
 */
int ca_reader_in_place(const struct ca_reader *r);

void ca_reader_close(struct ca_reader *r); /* NULL is accepted */

#endif
