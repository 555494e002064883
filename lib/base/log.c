#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

/* The one process-wide log: its name and level are set once at start-up. */
static const char *log_name = "crossadapt";
static enum ca_log_level log_level = CA_LOG_WARN;
static int log_transient;

void ca_log_init(const char *name, enum ca_log_level level)
{
    log_name = name;
    log_level = level;
}

int ca_log_shows(enum ca_log_level level)
{
    return level <= log_level;
}

void ca_log_transient(int on)
{
    log_transient = on;
}

static void start_line(void)
{
    if (log_transient) {
        (void)fputs("\r\033[K", stderr);
        log_transient = 0;
    }
}

void ca_log(enum ca_log_level level, const char *fmt, ...)
{
    static const char *const prefix[] = {"", "warning: ", "", "debug: "};
    char line[1024];
    va_list ap;

    if (!ca_log_shows(level))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    start_line();
    (void)fprintf(stderr, "%s: %s%s\n", log_name, prefix[level], line);
}

void ca_log_err(const struct ca_err *err)
{
    char line[1400];

    start_line();
    (void)fprintf(stderr, "%s: %s\n", log_name, ca_err_format(err, line, sizeof line));
    if (err->hint[0])
        (void)fprintf(stderr, "%s: hint: %s\n", log_name, err->hint);
}
