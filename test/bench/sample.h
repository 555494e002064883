/*
 * What the programs of the bench share: a line of results, its clock
 * and its memory. A line has the columns of
 *
 *     section case what threads x round rows bytes flop wall_s cpu_s rss_kb
 *
 * where x is the size that a section varies ("-" for none), and rows, bytes
 * and flop say how much was done in wall_s. round comes from BENCH_ROUND.
 */
#ifndef CA_BENCH_SAMPLE_H
#define CA_BENCH_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

struct span {
    double wall, cpu;
};

static inline void span_begin(struct span *s)
{
    s->wall -= ca_clock_wall_s();
    s->cpu -= ca_clock_cpu_s();
}

static inline void span_end(struct span *s)
{
    s->wall += ca_clock_wall_s();
    s->cpu += ca_clock_cpu_s();
}

static inline void sample(const char *section, const char *name, const char *what, unsigned threads, const char *x,
                          double rows, double bytes, double flop, const struct span *s)
{
    const char *round = getenv("BENCH_ROUND");

    (void)printf("%s\t%s\t%s\t%u\t%s\t%s\t%.0f\t%.0f\t%.0f\t%.9f\t%.9f\t%lld\n", section, name, what, threads, x,
                 round ? round : "1", rows, bytes, flop, s->wall, s->cpu,
                 (long long)(ca_clock_peak_rss_bytes() / 1024));
    (void)fflush(stdout);
}

/* A failure to set up is no measurement: it ends the program. */
static inline void must(int code, const struct ca_err *err)
{
    char text[800];

    if (!code)
        return;
    (void)fprintf(stderr, "bench: %s\n", ca_err_format(err, text, sizeof text));
    exit(70);
}

/* n zeroed elements, never freed. */
static inline void *large(size_t n, size_t size)
{
    struct ca_err err = {0};
    void *p = ca_mem_aligned(n, size, 64, &err);

    must(!p, &err);
    return p;
}

#endif
