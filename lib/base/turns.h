/*
 * Tasks of a pool that go through stages in their order: each stage is done by
 * one task at a time, task 0 first, then task 1. While one task is at a stage
 * its successor may be at the one before, so that work in order does not make
 * the tasks wait for each other's end. A pool hands its tasks out in
 * order, so whoever is waited for is at work.
 */
#ifndef CA_BASE_TURNS_H
#define CA_BASE_TURNS_H

#include <stddef.h>

#include "base/err.h"

struct ca_turns;

/* NULL with CA_EMEMORY in err. */
struct ca_turns *ca_turns_new(size_t stages, struct ca_err *err) CA_CHECK_ME;

/* Before a round of tasks from 0 on. */
void ca_turns_start(struct ca_turns *t);

/* Wait until the stage is this task's; what the tasks before wrote there is then to be seen. */
void ca_turns_take(struct ca_turns *t, size_t stage, size_t task);

/* The stage is that of the next task. Every task must take and pass every stage, in order. */
void ca_turns_pass(struct ca_turns *t, size_t stage);

void ca_turns_free(struct ca_turns *t); /* NULL is accepted */

#endif
