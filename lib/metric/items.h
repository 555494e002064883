/*
 * How far the predicted conversion rate of an item is from the one that was
 * observed (CrossAdapt, appendix on metrics: pCVR bias),
 *
 *     bias = mean over the items with p_i > 0 of |phat_i - p_i| / p_i
 *
 * where phat_i is the mean prediction and p_i the mean label of the item's
 * rows. Items that never converted have no place in it. Memory grows with the
 * number of items, not of rows.
 */
#ifndef CA_METRIC_ITEMS_H
#define CA_METRIC_ITEMS_H

#include "metric/index.h"
#include "metric/sum.h"

struct ca_item {
    struct ca_sum predicted, observed; /* weighted sums over its rows */
};

/* Zero-initialise. */
struct ca_items {
    struct ca_index index;
    struct ca_item *item;
    size_t cap;
};

struct ca_item_bias {
    double absolute; /* as above; NaN without an item that converted */
    double relative; /* the same without the bars: above 0 predicts too high */
    int64_t items;   /* with p_i > 0 */
};

/* A row: the item it is of, a probability, a label in [0,1] and a weight, none of them checked. Weight 0 counts nothing. */
int ca_items_add(struct ca_items *t, int64_t item, double probability, double label, double weight, struct ca_err *err)
    CA_CHECK_ME;

/* As if b's rows followed a's, up to rounding in the last digits. */
int ca_items_merge(struct ca_items *a, const struct ca_items *b, struct ca_err *err) CA_CHECK_ME;

struct ca_item_bias ca_items_bias(const struct ca_items *t);
void ca_items_fini(struct ca_items *t);

#endif
