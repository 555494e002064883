/*
 * Strict number parsing: the whole string, in range, finite, C locale. Used for
 * options and schema files; bulk text import has its own fast paths.
 */
#ifndef CA_BASE_NUM_H
#define CA_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Each returns 0 and sets *out, or nonzero and leaves *out. */
int ca_num_i64(const char *s, int64_t lo, int64_t hi, int64_t *out) CA_CHECK_ME;
int ca_num_u64(const char *s, uint64_t lo, uint64_t hi, uint64_t *out) CA_CHECK_ME;
int ca_num_double(const char *s, double lo, double hi, double *out) CA_CHECK_ME;

/* A count with an optional decimal suffix k, M or G ("5M" is 5000000). */
int ca_num_count(const char *s, uint64_t lo, uint64_t hi, uint64_t *out) CA_CHECK_ME;

/*
 * "A<sep>B<sep>C" of unsigned counts, at most max, at least one. Returns how
 * many, or -1.
 */
int ca_num_list(const char *s, char sep, size_t *out, size_t max) CA_CHECK_ME;

#endif
