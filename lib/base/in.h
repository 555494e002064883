/*
 * Byte input from a file, a pipe or standard input. Short reads and EINTR end
 * here. Sequential reading never seeks and never needs the size, so /dev/stdin,
 * /dev/fd/N and FIFOs work; random access is there for regular files only.
 */
#ifndef CA_BASE_IN_H
#define CA_BASE_IN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ca_in;

/* "-" is standard input. Returns 0 or CA_EOPEN / CA_EMEMORY. */
int ca_in_open(struct ca_in **in, const char *path, struct ca_err *err) CA_CHECK_ME;

/* An anonymous temporary file in TMPDIR (already unlinked), positioned at 0, for spools. fd is dup-ed. */
int ca_in_from_fd(struct ca_in **in, int fd, const char *name, struct ca_err *err) CA_CHECK_ME;

/* Fill buf; *got < n only at end of input. Returns 0 or CA_EREAD. */
int ca_in_read(struct ca_in *in, void *buf, size_t n, size_t *got, struct ca_err *err) CA_CHECK_ME;

/* What one read(2) gives, up to n; *got is 0 at end of input. For consumers that must not wait for a full buffer. */
int ca_in_read_some(struct ca_in *in, void *buf, size_t n, size_t *got, struct ca_err *err) CA_CHECK_ME;

/*
 * From now on a read that waits for a pipe or the like gives up (CA_EREAD) as
 * soon as the descriptor stop is readable: for a reader in a thread that must
 * end before its input does. -1 waits again as long as it takes.
 */
void ca_in_stoppable(struct ca_in *in, int stop);

/* n bytes at offset, all of them or CA_ETRUNCATED. Only when ca_in_seekable. The sequential position stays. */
int ca_in_pread(struct ca_in *in, void *buf, size_t n, int64_t offset, struct ca_err *err) CA_CHECK_ME;

/* Continue sequential reading at offset. Only when ca_in_seekable. */
int ca_in_seek(struct ca_in *in, int64_t offset, struct ca_err *err) CA_CHECK_ME;

int ca_in_seekable(const struct ca_in *in);  /* a regular file? */
int64_t ca_in_size(const struct ca_in *in);  /* of a regular file, else -1 */
int64_t ca_in_tell(const struct ca_in *in);  /* bytes read so far, or the position sought */
int ca_in_is_terminal(const struct ca_in *in);
const char *ca_in_name(const struct ca_in *in); /* for messages: the path, or "-" */

/*
 * The whole regular file mapped read-only, valid until ca_in_close; NULL (and
 * no error) when it cannot be mapped: the caller then reads.
 */
const void *ca_in_map(struct ca_in *in, size_t *size);

/* The mapped bytes before this offset are not needed for now: let them leave this process's memory. */
void ca_in_release(struct ca_in *in, int64_t before);

void ca_in_close(struct ca_in *in); /* NULL is accepted; errno is kept */

#endif
