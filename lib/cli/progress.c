#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#include "base/banned.h"

enum { SILENT, LINE, LOGGED };

void ca_progress_start(struct ca_progress *p, const struct ca_run *run, const char *unit, int64_t total)
{
    int terminal = isatty(STDERR_FILENO);
    double now = ca_clock_wall_s();

    *p = (struct ca_progress){.unit = unit, .total = total, .started_s = now};
    if (run->common.progress == 1 || (run->common.progress == 0 && terminal && !run->common.quiet))
        p->mode = LINE;
    else if (run->common.progress == 0 && run->common.verbose)
        p->mode = LOGGED;
    p->next_s = now + (p->mode == LOGGED ? 60.0 : 0.5);
}

void ca_progress_update(struct ca_progress *p, int64_t done, const char *note)
{
    char share[32] = "";
    double now, rate;

    if (p->mode == SILENT)
        return;
    now = ca_clock_wall_s();
    if (now < p->next_s)
        return;
    rate = (double)done / (now - p->started_s);
    if (p->total > 0)
        (void)snprintf(share, sizeof share, " of %lld (%.0f %%)", (long long)p->total,
                       100.0 * (double)done / (double)p->total);
    if (p->mode == LOGGED) {
        ca_log(CA_LOG_INFO, "%lld%s %s, %.0f/s%s%s", (long long)done, share, p->unit, rate, note ? ", " : "",
               note ? note : "");
        p->next_s = now + 60.0;
        return;
    }
    (void)fprintf(stderr, "\r%lld%s %s, %.0f/s%s%s\033[K", (long long)done, share, p->unit, rate, note ? ", " : "",
                  note ? note : "");
    (void)fflush(stderr);
    ca_log_transient(1);
    p->drawn = 1;
    p->next_s = now + 1.0 / 6.0;
}

void ca_progress_end(struct ca_progress *p)
{
    if (p->drawn) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        ca_log_transient(0);
    }
    p->mode = SILENT;
}
