/*
 * Text to records: one pass over the text, on pipes too. Without a given
 * vocabulary every value gets a provisional number, the numbered rows are
 * spooled to a temporary file, and once the end of the text has told where the
 * counted rows end, the vocabulary is made from those and the rows are written with their final
 * numbers (CrossAdapt section 5.1; there all rows are counted, those of the test too).
 * Memory is O(distinct values), never O(rows).
 */
#ifndef CA_DATA_IMPORT_H
#define CA_DATA_IMPORT_H

#include "cli/cli.h"
#include "data/schema_file.h"
#include "record/writer.h"

/* Which rows the vocabulary counts. */
enum ca_vocab_scope {
    CA_SCOPE_PAST, /* those before the online part: hist and train, as ca-split cuts them */
    CA_SCOPE_ALL   /* all, as the published code does */
};

struct ca_import {
    const struct ca_schema_file *schema;
    enum ca_vocab_scope scope;
    uint64_t vocab_rows;     /* count the first so many rows instead; 0: by scope */
    uint64_t min_count;      /* instead of the schema's (columns' own stand); 0: the schema's */
    const char *vocab;       /* use this vocabulary file, or NULL */
    const char *vocab_out;   /* write the vocabulary there as well, or NULL */
    uint64_t skip_bad;       /* tolerate so many malformed rows */
    const char *reject;      /* and write them there, or NULL */
    int drop_unlabelled;
    struct ca_writer_opts writer;
};

struct ca_import_counts {
    int64_t rows;        /* written */
    int64_t counted;     /* of them, the vocabulary's; -1 with a given vocabulary */
    int64_t bad;
    int64_t unlabelled;
    int64_t backwards;   /* rows older than the row before */
    uint64_t table_rows; /* sum of the columns' vocabulary sizes */
};

/*
 * The texts named by run's operands to run's output. Returns 0, CA_EFORMAT for
 * the first malformed row past skip_bad and for a text without rows, ...
 */
int ca_import_run(const struct ca_import *o, const struct ca_run *run, struct ca_import_counts *counts,
                  struct ca_err *err) CA_CHECK_ME;

#endif
