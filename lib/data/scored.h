/*
 * A table of scored rows as text, one row at a time: what ca-predict prints,
 * or anybody else's predictions. Tab-separated, one header line, LF or CR LF.
 */
#ifndef CA_DATA_SCORED_H
#define CA_DATA_SCORED_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ca_scored;

/* Opens path ("-" is standard input) and reads the header line. */
int ca_scored_open(struct ca_scored **s, const char *path, struct ca_err *err) CA_CHECK_ME;

/* Number of the column with this name, or -1. */
int ca_scored_find(const struct ca_scored *s, const char *name);

/*
 * The next row: n numbers from the given columns. Returns 1, 0 at the end, or
 * CA_EFORMAT naming line and column for anything but a plain number ("nan"
 * and "inf" are let through: what they mean is for the caller to say).
 */
int ca_scored_next(struct ca_scored *s, const int *column, size_t n, double *value, struct ca_err *err) CA_CHECK_ME;

void ca_scored_close(struct ca_scored *s); /* NULL is accepted */

#endif
