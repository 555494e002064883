/*
 * Worker threads. Tasks are handed out one at a time to whoever is free and
 * waiting blocks instead of spinning. A task must write only what is its own:
 * then results cannot depend on the number of threads.
 */
#ifndef CA_BASE_POOL_H
#define CA_BASE_POOL_H

#include <stddef.h>

#include "base/err.h"

struct ca_pool;

/* task in [0, tasks), worker in [0, threads): index scratch memory by worker. */
typedef void ca_pool_fn(void *arg, size_t task, unsigned worker);

/* threads 0 means one per online processor; 1 starts none. NULL with CA_ETHREAD or CA_EMEMORY in err. */
struct ca_pool *ca_pool_new(unsigned threads, struct ca_err *err) CA_CHECK_ME;

unsigned ca_pool_threads(const struct ca_pool *p);

/* Run fn for every task and wait for all. The caller works too, as worker 0. */
void ca_pool_run(struct ca_pool *p, size_t tasks, ca_pool_fn *fn, void *arg);

void ca_pool_free(struct ca_pool *p);

#endif
