/*
 * One progress line on standard error for long work: drawn after half a
 * second, at most six times a second, cleared at the end, only on a terminal
 * (or as --progress says). Without a terminal and with -v: a plain line a minute.
 */
#ifndef CA_CLI_PROGRESS_H
#define CA_CLI_PROGRESS_H

#include <stdint.h>

#include "cli/cli.h"

struct ca_progress {
    const char *unit;  /* "rows" */
    int64_t total;     /* 0: unknown */
    double started_s;
    double next_s;     /* when to draw again */
    int drawn;
    int mode;          /* 0 silent, 1 line, 2 log */
};

/* unit must outlive the progress. */
void ca_progress_start(struct ca_progress *p, const struct ca_run *run, const char *unit, int64_t total);

/* done of total so far; note (may be NULL) is shown behind the rate: "loss 0.4512". Cheap to call often. */
void ca_progress_update(struct ca_progress *p, int64_t done, const char *note);

void ca_progress_end(struct ca_progress *p);

#endif
