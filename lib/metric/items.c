#include "metric/items.h"

#include <math.h>

#include "base/mem.h"

#include "base/banned.h"

/* The item's sums, made when it is new. */
static int item_of(struct ca_items *t, int64_t value, struct ca_item **item, struct ca_err *err)
{
    size_t i = ca_index_find(&t->index, value);
    void *grown = t->item;
    int rc;

    if (i == t->index.n) {
        rc = ca_mem_grow(&grown, &t->cap, i + 1, sizeof *t->item, err);
        t->item = grown;
        if (rc || (rc = ca_index_add(&t->index, value, err)))
            return rc;
        t->item[i] = (struct ca_item){{0, 0}, {0, 0}};
    }
    *item = &t->item[i];
    return 0;
}

int ca_items_add(struct ca_items *t, int64_t value, double probability, double label, double weight, struct ca_err *err)
{
    struct ca_item *item;
    int rc;

    if (!(weight > 0))
        return 0;
    if ((rc = item_of(t, value, &item, err)))
        return rc;
    ca_sum_add(&item->predicted, weight * probability);
    ca_sum_add(&item->observed, weight * label);
    return 0;
}

int ca_items_merge(struct ca_items *a, const struct ca_items *b, struct ca_err *err)
{
    for (size_t i = 0; i < b->index.n; i++) {
        struct ca_item *item;
        int rc = item_of(a, b->index.value[i], &item, err);

        if (rc)
            return rc;
        ca_sum_merge(&item->predicted, &b->item[i].predicted);
        ca_sum_merge(&item->observed, &b->item[i].observed);
    }
    return 0;
}

struct ca_item_bias ca_items_bias(const struct ca_items *t)
{
    struct ca_item_bias out = {(double)NAN, (double)NAN, 0};
    struct ca_sum absolute = {0}, relative = {0};

    for (size_t i = 0; i < t->index.n; i++) {
        double observed = ca_sum_value(&t->item[i].observed), off;

        if (!(observed > 0))
            continue;
        /* the weights of both means are the same, and cancel */
        off = (ca_sum_value(&t->item[i].predicted) - observed) / observed;
        ca_sum_add(&absolute, fabs(off));
        ca_sum_add(&relative, off);
        out.items++;
    }
    if (out.items) {
        out.absolute = ca_sum_value(&absolute) / (double)out.items;
        out.relative = ca_sum_value(&relative) / (double)out.items;
    }
    return out;
}

void ca_items_fini(struct ca_items *t)
{
    ca_index_fini(&t->index);
    ca_mem_free(t->item);
    *t = (struct ca_items){0};
}
