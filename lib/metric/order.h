/*
 * A stable sort in bounded memory, for measures that need their rows in order
 * of something: items are collected in a buffer, sorted runs go to an unlinked
 * temporary file when it is full, and the runs are merged when they are walked
 * through. Small inputs never touch the disk. Items of equal key come in the
 * order they were added, so the size of the buffer changes nothing.
 */
#ifndef CA_METRIC_ORDER_H
#define CA_METRIC_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/out.h"

#define CA_ORDER_BUFFER ((size_t)1 << 20) /* items kept in memory by default: 16 MiB, and as much while sorting */

struct ca_order_item {
    uint64_t key;
    uint64_t value;
};

struct ca_order_run;

/* Zero-initialise; limit may be set before the first item. */
struct ca_order {
    size_t limit;               /* items in memory; 0 means CA_ORDER_BUFFER */
    struct ca_order_item *item; /* the buffer, in order of arrival behind whatever has been sorted */
    size_t n, cap, sorted;
    struct ca_order_run *run;   /* sorted runs in the spool, in order of arrival */
    size_t n_runs, cap_runs;
    struct ca_out *spool;
    int64_t total;              /* items added */
};

int ca_order_add(struct ca_order *o, uint64_t key, uint64_t value, struct ca_err *err) CA_CHECK_ME;

/* Append the items of b, as if they had been added after those of a. b stays usable. */
int ca_order_merge(struct ca_order *a, struct ca_order *b, struct ca_err *err) CA_CHECK_ME;

/*
 * Walk through all items, keys ascending. Several walks may be under way at a
 * time, and nothing may be added before the last has ended. End what was
 * begun, also where beginning failed.
 */
struct ca_order_walk;
int ca_order_begin(struct ca_order_walk **w, struct ca_order *o, struct ca_err *err) CA_CHECK_ME;
/* The next item; 1, 0 at the end, or a fault. */
int ca_order_next(struct ca_order_walk *w, struct ca_order_item *item, struct ca_err *err) CA_CHECK_ME;
void ca_order_end(struct ca_order_walk *w); /* NULL is accepted */

void ca_order_fini(struct ca_order *o);

/* Keys in the order of the floats; -0 and 0 have the same. x is not NaN. */
uint32_t ca_order_float(float x);

#endif
