/*
 * The measures of many slices of a stream at once: one set of sums a slice,
 * one AUC buffer for all, a bounded number of slices.
 */
#ifndef CA_METRIC_SLICES_H
#define CA_METRIC_SLICES_H

#include "metric/eval.h"

struct ca_slices;

/* max slices at most. */
int ca_slices_new(struct ca_slices **s, const struct ca_eval_opts *opts, size_t max, struct ca_err *err) CA_CHECK_ME;

/* One row of the slice with this value. CA_EUSAGE when it would be one slice too many; else as ca_eval_add. */
int ca_slices_add(struct ca_slices *s, int64_t value, float score, float label, float weight, struct ca_err *err)
    CA_CHECK_ME;

/* Called for every slice, values ascending; a nonzero return ends the walk and is passed on. */
typedef int ca_slices_fn(void *arg, int64_t value, const struct ca_measures *m);
int ca_slices_each(struct ca_slices *s, ca_slices_fn *fn, void *arg, struct ca_err *err) CA_CHECK_ME;

size_t ca_slices_count(const struct ca_slices *s);
void ca_slices_free(struct ca_slices *s); /* NULL is accepted */

#endif
