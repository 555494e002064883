/*
 * What a planted stream may have besides the columns of its preset: a target
 * item with the history of whoever saw it, and domains that behave differently.
 * For data/gen.c; the laws are in the man page ca-gen(1), section NOTES. Every
 * row is a pure function of (seed, sizes, row number).
 */
#ifndef CA_DATA_GEN_MORE_H
#define CA_DATA_GEN_MORE_H

#include <stdint.h>

#include "base/err.h"

struct ca_gen_more;

/* One row's part. */
struct ca_gen_extra {
    uint32_t domain;          /* from 1 */
    uint32_t item, cate;      /* of the target, from 1 */
    uint32_t n;               /* items of the history */
    float affinity;           /* of target and history; mean 0, variance 1 over rows that have a history, else 0 */
    uint32_t *his, *cate_his; /* the caller's room for the history, oldest first, and its categories; NULL: not wanted */
};

/* Multipliers of the parts of the log-odds and what is added, by domain. */
struct ca_gen_manner {
    float ids, pairs, affinity, shift;
};

/* items: of the catalogue, at least 8; history: the longest, 0 for none; domains: 0 for none. */
int ca_gen_more_new(struct ca_gen_more **m, uint64_t seed, uint32_t items, uint32_t history, uint32_t domains,
                    struct ca_err *err) CA_CHECK_ME;
void ca_gen_more_free(struct ca_gen_more *m); /* NULL is accepted */

uint32_t ca_gen_more_items(const struct ca_gen_more *m); /* table rows: ids are below */
uint32_t ca_gen_more_cates(const struct ca_gen_more *m);

/*
 * The part of a row of the stream (calibration 0) or of the rows that strengths are fixed on (1). user is the first
 * row of its request, or row itself: rows of one request have domain, interests and history in common.
 */
void ca_gen_more_row(const struct ca_gen_more *m, int calibration, int64_t user, int64_t row, struct ca_gen_extra *out);

struct ca_gen_manner ca_gen_more_manner(const struct ca_gen_more *m, uint32_t domain);

#endif
