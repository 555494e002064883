/*
 * Numbers for the values of a column as they turn up: the first value seen is
 * 0, the next 1, and so on.
 */
#ifndef CA_METRIC_INDEX_H
#define CA_METRIC_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Zero-initialise. */
struct ca_index {
    int64_t *value;  /* n values, in order of first appearance */
    size_t n, cap;
    uint32_t *slot;  /* open addressing: number + 1, or 0 */
    size_t slots;    /* a power of two */
};

#define CA_INDEX_MAX ((size_t)UINT32_MAX - 1)

/* The number of value, or n when it has none yet. */
size_t ca_index_find(const struct ca_index *x, int64_t value);

/* Give value, which has none, the number n. CA_EMEMORY, also beyond CA_INDEX_MAX. */
int ca_index_add(struct ca_index *x, int64_t value, struct ca_err *err) CA_CHECK_ME;

void ca_index_fini(struct ca_index *x);

#endif
