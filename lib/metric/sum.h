/*
 * A compensated running sum (Neumaier): the result of adding the same numbers
 * in the same order, to almost twice the precision of a double, so that a mean over
 * a hundred million rows is right to the last printed digit.
 */
#ifndef CA_METRIC_SUM_H
#define CA_METRIC_SUM_H

#include <math.h>

/* Zero-initialise. The value is sum + rest. */
struct ca_sum {
    double sum;
    double rest; /* what rounding took from sum so far */
};

static inline void ca_sum_add(struct ca_sum *a, double x)
{
    double t = a->sum + x;

    a->rest += fabs(a->sum) >= fabs(x) ? (a->sum - t) + x : (x - t) + a->sum;
    a->sum = t;
}

static inline void ca_sum_merge(struct ca_sum *a, const struct ca_sum *b)
{
    ca_sum_add(a, b->sum);
    a->rest += b->rest;
}

static inline double ca_sum_value(const struct ca_sum *a)
{
    return a->sum + a->rest;
}

#endif
