/*
 * Diagnostics on stderr, each line "tool: level: text". Library code that has
 * something to say short of an error says it here; results never come this way.
 */
#ifndef CA_BASE_LOG_H
#define CA_BASE_LOG_H

#include "base/err.h"

enum ca_log_level { CA_LOG_ERROR, CA_LOG_WARN, CA_LOG_INFO, CA_LOG_DEBUG };

/* Name that starts every line, and the highest level shown. name must outlive the program. */
void ca_log_init(const char *name, enum ca_log_level level);

/* Is a line of this level shown? For work done only to log it. */
int ca_log_shows(enum ca_log_level level);

void ca_log(enum ca_log_level level, const char *fmt, ...) CA_PRINTF(2, 3);

/* A fault: the message line, then a hint line when there is a hint. */
void ca_log_err(const struct ca_err *err);

/*
 * A transient line (progress) may stand on the terminal; this tells the log to
 * wipe it before the next message. Called by cli/progress only.
 */
void ca_log_transient(int on);

#endif
