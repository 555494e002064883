/*
 * A thread that makes things ahead of whoever uses them. It fills places in
 * order, round and round, and waits while all of them are full; the user takes
 * them in the same order, one at a time. Since the order is that of making,
 * nothing that comes out depends on who was faster.
 */
#ifndef CA_BASE_AHEAD_H
#define CA_BASE_AHEAD_H

#include <stddef.h>

#include "base/err.h"

struct ca_ahead;

/* Fill a place: 1, or 0 at the end, or a negative code with err filled. After either it is not called again. */
typedef int ca_ahead_fn(void *arg, size_t place, struct ca_err *err);

/*
 * places must be 2 or more: one in use, the others ahead. The thread starts
 * with the first ca_ahead_next; from then on what arg leads to is its own until
 * ca_ahead_stop has returned, but for places that have been handed out. NULL
 * with CA_EMEMORY or CA_ETHREAD in err.
 */
struct ca_ahead *ca_ahead_new(size_t places, ca_ahead_fn *fn, void *arg, struct ca_err *err) CA_CHECK_ME;

/*
 * Gives the place handed out before back and waits for the next: 1 with
 * *place, else what fn returned in the end, and again if asked again.
 * CA_ETHREAD when the thread cannot be started.
 */
int ca_ahead_next(struct ca_ahead *a, size_t *place, struct ca_err *err) CA_CHECK_ME;

/* A descriptor that becomes readable when the thread is to stop: what it waits for must wait for this as well. */
int ca_ahead_stop_fd(const struct ca_ahead *a);

/* What is in the places is lost. NULL is accepted. */
void ca_ahead_stop(struct ca_ahead *a);

#endif
