#include "metric/slices.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "metric/index.h"

#include "base/banned.h"

struct slice {
    int64_t value;
    struct ca_sums sums;
    double auc;
};

struct ca_slices {
    struct ca_eval_opts opts;
    struct ca_auc auc;   /* group: index into slice */
    struct slice *slice; /* in order of first appearance */
    size_t n, cap, max;
    struct ca_index index;
};

int ca_slices_new(struct ca_slices **out, const struct ca_eval_opts *opts, size_t max, struct ca_err *err)
{
    struct ca_slices *s = ca_mem_zalloc(1, sizeof *s, err);

    if (!s)
        return CA_EMEMORY;
    if (opts)
        s->opts = *opts;
    s->auc.pairs.limit = s->opts.buffer;
    s->max = max < CA_INDEX_MAX ? max : CA_INDEX_MAX;
    *out = s;
    return 0;
}

static int add_slice(struct ca_slices *s, int64_t value, struct ca_err *err)
{
    void *grown = s->slice;
    int rc;

    if (s->n == s->max) {
        (void)ca_err_set(err, CA_EUSAGE, "more than %zu slices", s->max);
        return ca_err_hint(err, "slice by something coarser, or raise --max-slices");
    }
    rc = ca_mem_grow(&grown, &s->cap, s->n + 1, sizeof *s->slice, err);
    s->slice = grown;
    if (rc || (rc = ca_sums_init(&s->slice[s->n].sums, &s->opts, err)))
        return rc;
    if ((rc = ca_index_add(&s->index, value, err))) {
        ca_sums_fini(&s->slice[s->n].sums);
        return rc;
    }
    s->slice[s->n++].value = value;
    return 0;
}

int ca_slices_add(struct ca_slices *s, int64_t value, float score, float label, float weight, struct ca_err *err)
{
    size_t i = ca_index_find(&s->index, value);
    int rc;

    if (i == s->n && (rc = add_slice(s, value, err)))
        return rc;
    rc = ca_sums_add(&s->slice[i].sums, (double)score, label, weight, err);
    return rc ? rc : ca_auc_add(&s->auc, (uint32_t)i, score, label, weight, err);
}

static int keep_area(void *arg, const struct ca_auc_area *area)
{
    struct ca_slices *s = arg;

    s->slice[area->group].auc = area->auc;
    return 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = (*(struct slice *const *)a)->value, y = (*(struct slice *const *)b)->value;
    return (x > y) - (x < y);
}

int ca_slices_each(struct ca_slices *s, ca_slices_fn *fn, void *arg, struct ca_err *err)
{
    struct slice **sorted = ca_mem_alloc(s->n, sizeof *sorted, err);
    struct ca_measures m;
    int rc;

    if (!sorted)
        return CA_EMEMORY;
    rc = ca_auc_walk(&s->auc, keep_area, s, err);
    for (size_t i = 0; i < s->n; i++)
        sorted[i] = &s->slice[i];
    if (s->n)
        qsort(sorted, s->n, sizeof *sorted, by_value);
    for (size_t i = 0; i < s->n && !rc; i++) {
        ca_sums_result(&sorted[i]->sums, sorted[i]->auc, &m);
        rc = fn(arg, sorted[i]->value, &m);
    }
    ca_mem_free(sorted);
    return rc;
}

size_t ca_slices_count(const struct ca_slices *s)
{
    return s->n;
}

void ca_slices_free(struct ca_slices *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        ca_sums_fini(&s->slice[i].sums);
    ca_mem_free(s->slice);
    ca_index_fini(&s->index);
    ca_auc_fini(&s->auc);
    ca_mem_free(s);
}
