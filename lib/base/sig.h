/*
 * Signals and standard descriptors. Start-up decides what a parent may have
 * left odd (closed 0 to 2, ignored SIGPIPE); INT, TERM, HUP and XCPU unlink
 * the registered temporaries and die of the same signal; XFSZ is ignored, so
 * that a file size limit is a failed write.
 */
#ifndef CA_BASE_SIG_H
#define CA_BASE_SIG_H

#include "base/err.h"

/* Call first in main. Returns 0 or CA_EOPEN. */
int ca_sig_init(struct ca_err *err) CA_CHECK_ME;

/*
 * Have path unlinked if a signal ends the process. Returns a slot for
 * ca_sig_release, or -1 when the path is too long or no slot is free (the file
 * is then merely left behind).
 */
int ca_sig_guard(const char *path);
void ca_sig_release(int slot);

#endif
