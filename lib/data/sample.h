/*
 * Which rows of a training stream are worth a student's time: CrossAdapt
 * section 3.1.3, eq 7 and 8, as the published code does it. The stream is cut
 * into consecutive chunks and every chunk is drawn from by itself, with
 * replacement, so that the sample covers all times alike (eq 8 with K the
 * number of chunks). This module chooses rows; reading and writing them is the
 * caller's business.
 */
#ifndef CA_DATA_SAMPLE_H
#define CA_DATA_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum ca_sample_method {
    CA_SAMPLE_RANDOM,   /* uniform */
    CA_SAMPLE_BALANCED, /* a fixed share of positives, uniform within each class */
    CA_SAMPLE_TEMPORAL, /* a row's chance is proportional to its index in the stream + 1 */
    CA_SAMPLE_COMBINED  /* balanced, and temporal within each class */
};

struct ca_sample_opts {
    enum ca_sample_method method;
    double ratio;          /* rows drawn for each row read, in (0, 1] */
    double positive_ratio; /* share of positives among the drawn, in [0, 1] */
    uint64_t seed;
    const char *phase;     /* mixed into the seed, so that every pass over the data draws anew; NULL is "" */
};

/* What one chunk gives. Valid until the next draw. */
struct ca_sample {
    const uint32_t *at;  /* n row numbers within the chunk, in a random order that mixes the classes */
    const float *weight; /* n weights: ratio / (how often this row is expected among the n) */
    size_t n;
};

struct ca_sampler;

int ca_sampler_new(struct ca_sampler **s, const struct ca_sample_opts *opts, struct ca_err *err) CA_CHECK_ME;

/* Does the method look at labels? Then label must not be NULL below. */
int ca_sampler_needs_label(const struct ca_sampler *s);

/*
 * Draw from chunk number chunk (below 2^32): rows rows (below 2^31), the first
 * of which is first_row of its stream. Positive is a label above one half.
 * n = (size_t)(rows * ratio), of which (size_t)(rows * ratio *
 * positive_ratio) are positives. A chunk in which a class that is wanted has
 * no row is drawn from uniformly and counted.
 *
 * The weights of a chunk sum to rows * ratio in expectation, for every method
 * that draws from both classes: weighted sums over the sample estimate ratio
 * times the sums over the source.
 */
int ca_sampler_draw(struct ca_sampler *s, uint64_t chunk, const float *label, size_t rows, int64_t first_row,
                    struct ca_sample *out, struct ca_err *err) CA_CHECK_ME;

/* Chunks drawn from uniformly for want of a class. */
int64_t ca_sampler_fallbacks(const struct ca_sampler *s);

void ca_sampler_free(struct ca_sampler *s); /* NULL is accepted */

/* Rows of a chunk that gives one batch: (size_t)(batch / ratio), at least 1. */
size_t ca_sample_chunk(size_t batch, double ratio);

struct ca_rng;

/* The stream of draws for one purpose in one phase (NULL is ""). */
int ca_sample_rng(struct ca_rng *r, uint64_t seed, const char *what, const char *phase, struct ca_err *err) CA_CHECK_ME;

/* at[0..n) = a random permutation of 0..n-1 for item number index (below 2^32) of a purpose; n below 2^32. */
void ca_sample_permute(const struct ca_rng *rng, uint64_t index, uint32_t *at, size_t n);

#endif
