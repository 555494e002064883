/*
 * Exact area under the ROC curve, ties averaged, in bounded memory
 * (metric/order.h). Equal scores are summed in the order they were added, so
 * the size of the buffer changes no bit of the result.
 *
 * Pairs belong to a group; every group gets an area of its own out of the one
 * buffer and the one file.
 */
#ifndef CA_METRIC_AUC_H
#define CA_METRIC_AUC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "metric/order.h"

/* Zero-initialise; pairs.limit may be set before the first pair. */
struct ca_auc {
    struct ca_order pairs; /* by group and score; the value is label and weight */
};

/*
 * score: any float but NaN (compared as a float; -0 equals 0). label in
 * [0,1]: the pair counts weight*label as positive and weight*(1-label) as
 * negative. Returns 0, CA_ENUMERIC for a NaN score, CA_EFORMAT for a label or weight
 * out of range, each with the pair's number in err->record; or a fault of the spool.
 */
int ca_auc_add(struct ca_auc *a, uint32_t group, float score, float label, float weight, struct ca_err *err)
    CA_CHECK_ME;

/* Append the pairs of b, as if they had been added after those of a. b stays usable. */
int ca_auc_merge(struct ca_auc *a, struct ca_auc *b, struct ca_err *err) CA_CHECK_ME;

struct ca_auc_area {
    uint32_t group;
    double auc;       /* (sum of positives' average ranks - n1(n1+1)/2) / (n1 n0); NaN with only one class */
    double positives; /* weight of each class */
    double negatives;
};

/* Called once a group, groups ascending; a nonzero return ends the walk and is passed on. */
typedef int ca_auc_fn(void *arg, const struct ca_auc_area *area);

/* Work out every group. May be called again after further pairs. */
int ca_auc_walk(struct ca_auc *a, ca_auc_fn *fn, void *arg, struct ca_err *err) CA_CHECK_ME;

void ca_auc_fini(struct ca_auc *a);

#endif
