/*
 * Byte output that appears whole or not at all. A file is written beside its
 * target as ".NAME.tmp.PID", flushed, synced and renamed by ca_out_close;
 * until then, and after any fault or signal, the target is as it was. Standard
 * output, devices and FIFOs are written as the bytes come: what protects
 * their readers is the end mark of the format.
 */
#ifndef CA_BASE_OUT_H
#define CA_BASE_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ca_out;

/* "-" is standard output. Returns 0, CA_EOPEN or CA_EMEMORY. */
int ca_out_open(struct ca_out **out, const char *path, struct ca_err *err) CA_CHECK_ME;

/* An anonymous temporary file in TMPDIR for spools; ca_out_spool_input reads it back. */
int ca_out_spool(struct ca_out **out, struct ca_err *err) CA_CHECK_ME;

struct ca_in;
/* Flush the spool and open it for reading from the start; the output stays open and must still be closed. */
int ca_out_spool_input(struct ca_out *out, struct ca_in **in, struct ca_err *err) CA_CHECK_ME;

/* Buffered. A fault is sticky: every later call returns it. */
int ca_out_write(struct ca_out *out, const void *data, size_t n, struct ca_err *err) CA_CHECK_ME;
int ca_out_flush(struct ca_out *out, struct ca_err *err) CA_CHECK_ME;

int64_t ca_out_tell(const struct ca_out *out); /* bytes written so far */
int ca_out_is_terminal(const struct ca_out *out);
const char *ca_out_name(const struct ca_out *out);

/* Flush, sync, rename into place. The object is gone whatever is returned: 0 or CA_EWRITE. */
int ca_out_close(struct ca_out *out, struct ca_err *err) CA_CHECK_ME;

/* Give up: remove the temporary, keep the old target and errno. NULL is accepted. */
void ca_out_abort(struct ca_out *out);

#endif
