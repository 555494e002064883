/*
 * A thread that finishes things behind whoever makes them: the mirror of
 * base/ahead. The maker fills places in order, round and round, and waits while
 * all of them are full; the thread works them off in the same order, one at a time.
 */
#ifndef CA_BASE_BEHIND_H
#define CA_BASE_BEHIND_H

#include <stddef.h>

#include "base/err.h"

struct ca_behind;

/* Work off a place: 0, or a negative code with err filled; after that it is not called again. */
typedef int ca_behind_fn(void *arg, size_t place, struct ca_err *err);

/* places must be 2 or more. NULL with CA_EMEMORY or CA_ETHREAD in err. */
struct ca_behind *ca_behind_new(size_t places, ca_behind_fn *fn, void *arg, struct ca_err *err) CA_CHECK_ME;

/* Waits for a place to fill, *place, which stays the same until ca_behind_put. Returns 0 or the fault of an earlier place. */
int ca_behind_place(struct ca_behind *b, size_t *place, struct ca_err *err) CA_CHECK_ME;

/* The place is full. */
void ca_behind_put(struct ca_behind *b);

/* Waits until all places have been worked off: 0, or the first fault. What arg leads to is then the caller's. */
int ca_behind_wait(struct ca_behind *b, struct ca_err *err) CA_CHECK_ME;

/* What has not been begun is left undone. NULL is accepted. */
void ca_behind_stop(struct ca_behind *b);

#endif
