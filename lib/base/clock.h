/*
 * Time and memory used by this process. For logs, progress and benchmark
 * results only: nothing from here may reach data or models.
 */
#ifndef CA_BASE_CLOCK_H
#define CA_BASE_CLOCK_H

#include <stdint.h>

double ca_clock_wall_s(void);        /* monotonic, arbitrary origin */
double ca_clock_cpu_s(void);         /* user and system, all threads */
int64_t ca_clock_peak_rss_bytes(void);

#endif
