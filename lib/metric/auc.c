#include "metric/auc.h"

#include <math.h>
#include <string.h>

#include "metric/sum.h"

#include "base/banned.h"

int ca_auc_add(struct ca_auc *a, uint32_t group, float score, float label, float weight, struct ca_err *err)
{
    const float pair[2] = {label, weight};
    uint64_t value;
    int rc = 0;

    if (isnan(score))
        rc = ca_err_set(err, CA_ENUMERIC, "score is not a number");
    else if (!(label >= 0.0f && label <= 1.0f))
        rc = ca_err_set(err, CA_EFORMAT, "label %.9g is not between 0 and 1", (double)label);
    else if (!(weight >= 0.0f) || isinf(weight))
        rc = ca_err_set(err, CA_EFORMAT, "weight %.9g is negative or not finite", (double)weight);
    if (rc) {
        (void)ca_err_at(err, NULL, -1, a->pairs.total);
        return rc;
    }
    memcpy(&value, pair, sizeof value);
    return ca_order_add(&a->pairs, (uint64_t)group << 32 | ca_order_float(score), value, err);
}

/* ---- areas ---- */

struct area {
    struct ca_sum positives, negatives; /* below the present score */
    struct ca_sum tie_positives, tie_negatives;
    struct ca_sum wins;                 /* weighted pairs of classes in the right order, ties counting half */
    uint64_t key;
};

static void close_tie(struct area *s)
{
    double pos = ca_sum_value(&s->tie_positives), neg = ca_sum_value(&s->tie_negatives);

    ca_sum_add(&s->wins, pos * (ca_sum_value(&s->negatives) + 0.5 * neg));
    ca_sum_add(&s->positives, pos);
    ca_sum_add(&s->negatives, neg);
    s->tie_positives = s->tie_negatives = (struct ca_sum){0};
}

static int close_group(struct area *s, ca_auc_fn *fn, void *arg)
{
    struct ca_auc_area out = {.group = (uint32_t)(s->key >> 32)};

    close_tie(s);
    out.positives = ca_sum_value(&s->positives);
    out.negatives = ca_sum_value(&s->negatives);
    out.auc = out.positives > 0 && out.negatives > 0
                  ? ca_sum_value(&s->wins) / out.positives / out.negatives
                  : (double)NAN;
    *s = (struct area){0};
    return fn(arg, &out);
}

int ca_auc_walk(struct ca_auc *a, ca_auc_fn *fn, void *arg, struct ca_err *err)
{
    struct area s = {0};
    struct ca_order_item p;
    struct ca_order_walk *w = NULL;
    int rc = ca_order_begin(&w, &a->pairs, err), any = 0;

    while (!rc && (rc = ca_order_next(w, &p, err)) == 1) {
        float pair[2]; /* label and weight */

        rc = 0;
        if (any && p.key >> 32 != s.key >> 32)
            rc = close_group(&s, fn, arg);
        else if (any && p.key != s.key)
            close_tie(&s);
        any = 1;
        s.key = p.key;
        memcpy(pair, &p.value, sizeof pair);
        ca_sum_add(&s.tie_positives, (double)pair[1] * (double)pair[0]);
        ca_sum_add(&s.tie_negatives, (double)pair[1] * (1.0 - (double)pair[0]));
    }
    if (!rc && any)
        rc = close_group(&s, fn, arg);
    ca_order_end(w);
    return rc;
}

int ca_auc_merge(struct ca_auc *a, struct ca_auc *b, struct ca_err *err)
{
    return ca_order_merge(&a->pairs, &b->pairs, err);
}

void ca_auc_fini(struct ca_auc *a)
{
    ca_order_fini(&a->pairs);
}
