/*
 * The bytes of several files, one after the other, as import reads them: plain
 * or gzip (recognised by its first two bytes, on pipes too), each with the
 * digest of its uncompressed bytes, so that a pipe, a file and its .gz are one.
 */
#ifndef CA_DATA_SOURCE_H
#define CA_DATA_SOURCE_H

#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"

struct ca_source;

/*
 * paths is borrowed and must live as long; no path at all, and "-", are
 * standard input. A terminal is refused with CA_EUSAGE unless force. Nothing
 * is opened before the first ca_source_next.
 */
int ca_source_open(struct ca_source **s, char *const *paths, size_t n, int force, struct ca_err *err) CA_CHECK_ME;

/* Go on to the next (at first: the first) file. Returns 1, 0 when there is none, or a negative code. */
int ca_source_next(struct ca_source *s, struct ca_err *err) CA_CHECK_ME;

/*
 * Fill buf from the current file; *got < n only at its end, and with a fault: it is behind those bytes. Returns 0,
 * CA_EREAD, CA_ETRUNCATED or CA_ECHECKSUM (broken gzip), CA_ETRAILING (bytes behind it).
 */
int ca_source_read(struct ca_source *s, void *buf, size_t n, size_t *got, struct ca_err *err) CA_CHECK_ME;

/* The current file's path for messages, "-" for standard input. */
const char *ca_source_name(const struct ca_source *s);

/* Files read to their ends so far, and the digest of the uncompressed bytes of each. */
size_t ca_source_done(const struct ca_source *s);
const char *ca_source_digest(const struct ca_source *s, size_t i);

/*
 * Files are read and unpacked by a thread of their own, a little ahead; with
 * threads 1 nothing changes. Before the first file.
 */
void ca_source_ahead(struct ca_source *s, uint64_t threads);

void ca_source_close(struct ca_source *s); /* NULL is accepted */

#endif
