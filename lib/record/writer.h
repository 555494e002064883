/*
 * Writing a record stream: ca-records(5). Rows go in as they come and leave in
 * blocks of a fixed number of rows. A writer that is aborted leaves no end
 * frame, so no reader takes what it wrote for complete.
 */
#ifndef CA_RECORD_WRITER_H
#define CA_RECORD_WRITER_H

#include "record/head.h"
#include "record/rows.h"

struct ca_writer;

/* Put these two into the option table and parameter struct of a tool that writes records. */
struct ca_writer_opts {
    uint64_t block_rows; /* rows a block; 0 means the default, 4096 */
    uint64_t compress;   /* zlib level 1 to 9 behind a byte shuffle, 0 for none */
};

#define CA_WRITER_OPTS(base)                                                                                          \
    {"block-rows", 0, CA_OPT_COUNT, (base) + offsetof(struct ca_writer_opts, block_rows), "N", "4096", 1, 1048576,    \
     CA_OPT_NEUTRAL, "rows in a block of the written stream; never changes results"},                                 \
    {"compress", 'z', CA_OPT_COUNT, (base) + offsetof(struct ca_writer_opts, compress), "LEVEL", "0", 0, 9,           \
     CA_OPT_NEUTRAL, "compress the written stream with zlib, 1 (fast) to 9; 0 for none"}

/*
 * head is copied and the run's provenance appended. Output goes to
 * run->common.output, or to path when it is not NULL. A terminal is refused
 * with CA_EUSAGE unless forced.
 */
int ca_writer_open(struct ca_writer **w, const char *path, const struct ca_head *head,
                   const struct ca_writer_opts *opts, const struct ca_run *run, struct ca_err *err) CA_CHECK_ME;

/* A spool for a second pass: an unlinked temporary file, without provenance; ca_writer_spooled reads it back. */
int ca_writer_spool(struct ca_writer **w, const struct ca_head *head, struct ca_err *err) CA_CHECK_ME;
struct ca_reader;
/* Ends the spool and opens it for reading; w is gone whatever is returned. */
int ca_writer_spooled(struct ca_writer *w, struct ca_reader **r, struct ca_err *err) CA_CHECK_ME;

/*
 * Before the first row: blocks are encoded and written by a thread behind who
 * puts rows, and compressed by so many threads at a time; with 1 nothing
 * changes. The bytes are the same; a fault may come with a later row.
 * ca_writer_open sees to it with the run's --threads.
 */
int ca_writer_behind(struct ca_writer *w, uint64_t threads, struct ca_err *err) CA_CHECK_ME;

/* Rows [first, first+n) of b, or the rows at[0..n). */
int ca_writer_put(struct ca_writer *w, const struct ca_block *b, size_t first, size_t n, struct ca_err *err) CA_CHECK_ME;
int ca_writer_put_at(struct ca_writer *w, const struct ca_block *b, const uint32_t *at, size_t n, struct ca_err *err)
    CA_CHECK_ME;

int64_t ca_writer_rows(const struct ca_writer *w);

/*
 * Note in the end frame what this stream was made from: kind ("records",
 * "text", "model") and the content digest. Call before ca_writer_close.
 */
int ca_writer_input(struct ca_writer *w, const char *kind, const char *digest, struct ca_err *err) CA_CHECK_ME;

/* Last block, end frame, then what ca_out_close does. w is gone whatever is returned. */
int ca_writer_close(struct ca_writer *w, struct ca_err *err) CA_CHECK_ME;
void ca_writer_abort(struct ca_writer *w); /* NULL is accepted */

#endif
