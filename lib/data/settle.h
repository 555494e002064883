/*
 * Making any record stream fit for a second look: a regular file has its
 * index loaded, anything else is copied into an anonymous temporary file first.
 */
#ifndef CA_DATA_SETTLE_H
#define CA_DATA_SETTLE_H

#include "record/reader.h"

/*
 * *r is fresh from ca_reader_open. Afterwards ca_reader_tail, ca_reader_seek
 * and ca_reader_gather work on it, and it stands at its first row. On a pipe
 * that takes as much room in TMPDIR as the stream has; *r is then another
 * reader, heads and views of the old one are gone. On failure *r can only be
 * closed.
 */
int ca_settle(struct ca_reader **r, struct ca_err *err) CA_CHECK_ME;

/* The same for reading in random order: a compressed file, too, is unpacked into a temporary. */
int ca_settle_random(struct ca_reader **r, struct ca_err *err) CA_CHECK_ME;

#endif
