/*
 * A click stream with a known truth, for tests, for the quickstart and for
 * experiments whose best reachable result can be computed. Rows are drawn from
 * a planted model (man page ca-gen(1), section NOTES):
 *
 *     logit = bias + sum_f w_f(id) + sum_j h_j(x) + sum_(f,g) c_fg <u_f, u_g>
 *
 * with skewed popularity, ids that arrive late, missing values, and slow
 * drift of popularity and preferences along the stream. Every row is a pure
 * function of (options, row number), so any block size and number of threads
 * give the same bytes. This file does not write anything: see bin/ca-gen.c.
 */
#ifndef CA_DATA_GEN_H
#define CA_DATA_GEN_H

#include "base/buf.h"
#include "record/schema.h"

enum ca_gen_preset {
    CA_GEN_CRITEO, /* 13 numeric and 26 categorical columns, vocabularies in Criteo's proportions */
    CA_GEN_SMALL   /* 4 numeric and 8 categorical columns */
};

#define CA_GEN_MIN_VOCAB 200
#define CA_GEN_MAX_VOCAB 50000000
#define CA_GEN_MAX_REQUEST 256
#define CA_GEN_MAX_HISTORY 100
#define CA_GEN_MAX_DOMAINS 16

struct ca_gen_opts {
    int preset;       /* enum ca_gen_preset */
    uint64_t seed;
    int64_t of;       /* rows of the whole stream, at least 1: drift is a function of row / of */
    uint64_t vocab;   /* table rows over all categorical columns; 0: the preset's own */
    double drift;     /* 0: stationary; 1: moderate */
    int conversions;  /* a task column "conversion", drawn where the click is 1 */
    int probability;  /* AUX columns with the true probabilities */
    int requests;     /* rows of one request, which share the user's columns; 0: rows have nothing to do with each other */
    uint32_t history; /* the longest history of a user, at most CA_GEN_MAX_HISTORY; 0: no items and no histories */
    uint32_t domains; /* at most CA_GEN_MAX_DOMAINS; 0: no domain column. 1 is a domain like any other. */
};

struct ca_gen;

/*
 * Plant a model: tables of O(vocabulary), strengths calibrated to the base
 * rate. CA_EUSAGE for a vocabulary out of range or requests that are not a
 * power of two up to CA_GEN_MAX_REQUEST, CA_EMEMORY.
 */
int ca_gen_new(struct ca_gen **g, const struct ca_gen_opts *o, struct ca_err *err) CA_CHECK_ME;
void ca_gen_free(struct ca_gen *g);

/*
 * time[, request], click[, conversion][, probability[, conversion_probability]], I1.., C1..[, domain]
 * [, item, cate, item_his, cate_his]
 */
const struct ca_schema *ca_gen_schema(const struct ca_gen *g);

/*
 * Rows [first, first+n) of the stream: col[c] is where column c of row first
 * goes, in the schema's types and order. A list column takes 1 + history words for each row: how many items there
 * are, then the items, oldest first. Safe to call from many threads.
 */
void ca_gen_rows(const struct ca_gen *g, int64_t first, size_t n, void *const *col);

/*
 * The same rows as lines of Criteo's text: click, integers and 8-digit
 * hexadecimal ids between tabs, missing values empty, no header. Importing
 * them with the Criteo rules gives back the columns of ca_gen_rows up to the
 * numbering of ids.
 */
void ca_gen_text(const struct ca_gen *g, int64_t first, size_t n, struct ca_buf *out);

#endif
