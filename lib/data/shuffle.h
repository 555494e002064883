/*
 * Shuffling a stream of any length: every row is thrown into one of a fixed
 * number of buckets on disk, then each bucket is permuted in memory (Rao and
 * Sandelius). Every order is equally likely, input and scratch are read
 * and written sequentially, and memory holds one bucket at a time.
 */
#ifndef CA_DATA_SHUFFLE_H
#define CA_DATA_SHUFFLE_H

#include "record/head.h"
#include "record/rows.h"

#define CA_SHUFFLE_BUCKETS 64

struct ca_shuffle;

/* The order depends on seed and phase (NULL is ""). Scratch goes to TMPDIR, as much as the stream takes uncompressed. */
int ca_shuffle_new(struct ca_shuffle **s, const struct ca_head *head, uint64_t seed, const char *phase,
                   struct ca_err *err) CA_CHECK_ME;

/* Add the rows of b; where they go depends on their number in order of adding. */
int ca_shuffle_add(struct ca_shuffle *s, const struct ca_block *b, struct ca_err *err) CA_CHECK_ME;

/* After the last add: the next bucket, permuted. Returns 1, or 0 at the end, or a negative code. *b is valid until
 * the next call. */
int ca_shuffle_next(struct ca_shuffle *s, struct ca_block *b, const uint32_t **at, struct ca_err *err) CA_CHECK_ME;

void ca_shuffle_free(struct ca_shuffle *s); /* NULL is accepted */

#endif
