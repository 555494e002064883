/* Agreement of two models and bias per item, against plain loops over all rows. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "metric/agree.h"
#include "metric/items.h"
#include "tap.h"

#define N 1500

struct row {
    int64_t request, item;
    float score, judge, label, weight;
};

static uint32_t draw(uint64_t row, uint64_t lane)
{
    uint64_t z = (row * 8 + lane + 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 40);
}

/* ties: how many different scores each model gives, 0 for about as many as rows. Requests have 1 to some 20 rows, mixed. */
static void make(struct row *r, unsigned ties)
{
    for (uint64_t i = 0; i < N; i++) {
        uint32_t a = draw(i, 0), b = draw(i, 1);

        r[i].request = (int64_t)(draw(i, 2) % 150) * 1000000007 - 40;
        r[i].request = draw(i, 3) % 40 ? r[i].request : -(int64_t)i - 1000;
        r[i].item = (int64_t)(draw(i, 4) % 23) - 11;
        r[i].score = ties ? (float)(a % ties) - 2.0f : (float)a / 4194304.0f - 2.0f;
        r[i].judge = (float)(ties ? (a % 3 + b) % ties : (a / 2 + b) % 16777216u) / (ties ? (float)ties : 16777216.0f);
        r[i].label = draw(i, 5) % 9 == 0 && r[i].item % 5 ? 1.0f : 0.0f;
        r[i].weight = (float)(draw(i, 6) % 4) / 2.0f;
    }
}

/* Twice the average rank of row i by one of the scores: by counting. */
static double rank2(const struct row *r, size_t i, int judge)
{
    double below = 0, equal = 0, x = (double)(judge ? r[i].judge : r[i].score);

    for (size_t k = 0; k < N; k++) {
        double y = (double)(judge ? r[k].judge : r[k].score);
        below += y < x;
        equal += y == x;
    }
    return 2 * below + equal + 1;
}

static double plain_spearman(const struct row *r)
{
    double xy = 0, xx = 0, yy = 0;

    for (size_t i = 0; i < N; i++) {
        double x = rank2(r, i, 0) - (N + 1), y = rank2(r, i, 1) - (N + 1);
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    return xy / sqrt(xx * yy);
}

/*
 * What row i of its request is worth in the first k places: its gain times the
 * mean discount over the places that its equals share.
 */
static double worth(const struct row *r, size_t i, int ideal, size_t k)
{
    size_t above = 0, equal = 0;
    double discount = 0, x = (double)(ideal ? r[i].judge : r[i].score);

    for (size_t j = 0; j < N; j++)
        if (r[j].request == r[i].request) {
            double y = (double)(ideal ? r[j].judge : r[j].score);
            above += y > x;
            equal += y == x;
        }
    for (size_t place = above + 1; place <= above + equal && place <= k; place++)
        discount += 1 / log2((double)place + 1);
    return (pow(2, (double)r[i].judge) - 1) * discount / (double)equal;
}

static double plain_ndcg(const struct row *r, size_t k, int64_t *requests)
{
    double sum = 0;

    *requests = 0;
    for (size_t i = 0; i < N; i++) {
        int first = 1;
        double got = 0, best = 0;

        for (size_t j = 0; j < i; j++)
            first &= r[j].request != r[i].request;
        if (!first)
            continue;
        for (size_t j = 0; j < N; j++)
            if (r[j].request == r[i].request) {
                got += worth(r, j, 0, k);
                best += worth(r, j, 1, k);
            }
        if (best > 0) {
            sum += got / best;
            ++*requests;
        }
    }
    return sum / (double)*requests;
}

static int add(struct ca_agree *a, const struct row *r, size_t from, size_t to, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = from; i < to && !rc; i++) {
        rc = ca_agree_add(a, r[i].score, r[i].judge, err);
        if (!rc)
            rc = ca_agree_add_request(a, r[i].request, r[i].score, r[i].judge, err);
    }
    return rc;
}

static int same(const struct ca_agreement *a, const struct ca_agreement *b)
{
    return !memcmp(&a->spearman, &b->spearman, sizeof a->spearman) && !memcmp(&a->ndcg5, &b->ndcg5, sizeof a->ndcg5) &&
           !memcmp(&a->ndcg10, &b->ndcg10, sizeof a->ndcg10) && a->requests == b->requests;
}

static void check_agreement(const struct row *r, const char *name)
{
    struct ca_agree whole = {0}, spilled = {.by_score.limit = 67, .by_request.limit = 101},
                    rest = {.by_score.limit = 50};
    struct ca_agreement m, n, early;
    struct ca_err err = {0};
    int64_t requests;

    (void)printf("# %s\n", name);
    if (!OK(!add(&whole, r, 0, N, &err) && !ca_agree_result(&whole, &m, &err), "all rows"))
        return;
    CLOSE(m.spearman, plain_spearman(r), 1e-13, "Spearman's correlation, by counting");
    CLOSE(m.ndcg5, plain_ndcg(r, 5, &requests), 1e-13, "NDCG at 5, by counting");
    CLOSE(m.ndcg10, plain_ndcg(r, 10, &requests), 1e-13, "NDCG at 10");
    OK(m.requests == requests, "as many requests");
    OK(!add(&spilled, r, 0, N / 3, &err) && !ca_agree_result(&spilled, &early, &err) &&
           !add(&rest, r, N / 3, N, &err) && !ca_agree_merge(&spilled, &rest, &err) &&
           !ca_agree_result(&spilled, &n, &err) && same(&m, &n) && !same(&m, &early),
       "spilled, looked at early and merged: the same bits");
    ca_agree_fini(&whole);
    ca_agree_fini(&spilled);
    ca_agree_fini(&rest);
}

static void check_edges(void)
{
    struct ca_agree a = {0};
    struct ca_agreement m;
    struct ca_err err = {0};

    OK(!ca_agree_result(&a, &m, &err) && isnan(m.spearman) && isnan(m.ndcg5) && !m.requests, "no rows, nothing");
    OK(!ca_agree_add(&a, 1, 0.5f, &err) && !ca_agree_add(&a, 2, 0.5f, &err) && !ca_agree_result(&a, &m, &err) &&
           isnan(m.spearman), "a judge who says one thing");
    OK(!ca_agree_add_request(&a, 7, 1, 0, &err) && !ca_agree_add_request(&a, 7, 2, 0, &err) &&
           !ca_agree_result(&a, &m, &err) && isnan(m.ndcg10) && !m.requests, "a request in which nothing is worth anything");
    OK(!ca_agree_add_request(&a, 8, -0.0f, 0.25f, &err) && !ca_agree_add_request(&a, 8, 0, 0.75f, &err) &&
           !ca_agree_result(&a, &m, &err) && m.requests == 1, "-0 and 0 are one score");
    CLOSE(m.ndcg5,
          (pow(2, 0.25) + pow(2, 0.75) - 2) / 2 * (1 + 1 / log2(3)) /
              (pow(2, 0.75) - 1 + (pow(2, 0.25) - 1) / log2(3)),
          1e-15, "whose rows share their gains");
    OK(ca_agree_add(&a, (float)NAN, 0, &err) == CA_ENUMERIC && err.record == 2, "no number is no score");
    err = (struct ca_err){0};
    OK(ca_agree_add_request(&a, 9, 0, 1.5f, &err) == CA_ENUMERIC && err.record == 4, "1.5 is no probability");
    ca_agree_fini(&a);
}

static void check_items(const struct row *r)
{
    struct ca_items whole = {0}, part = {0}, rest = {0};
    struct ca_item_bias m, n;
    struct ca_err err = {0};
    double absolute = 0, relative = 0, items = 0;
    int rc = 0;

    for (int64_t item = -11; item < 12; item++) {
        double p = 0, y = 0, w = 0;
        for (size_t i = 0; i < N; i++)
            if (r[i].item == item) {
                w += (double)r[i].weight;
                p += (double)r[i].weight * 0.25 * (double)r[i].judge;
                y += (double)r[i].weight * (double)r[i].label;
            }
        if (y > 0) {
            absolute += fabs(p / w - y / w) / (y / w);
            relative += (p / w - y / w) / (y / w);
            items++;
        }
    }
    for (size_t i = 0; i < N && !rc; i++) {
        rc = ca_items_add(&whole, r[i].item, 0.25 * (double)r[i].judge, (double)r[i].label, (double)r[i].weight, &err);
        if (!rc)
            rc = ca_items_add(i < N / 4 ? &part : &rest, r[i].item, 0.25 * (double)r[i].judge, (double)r[i].label,
                              (double)r[i].weight, &err);
    }
    OK(!rc && !ca_items_merge(&part, &rest, &err), "items");
    m = ca_items_bias(&whole);
    n = ca_items_bias(&part);
    OK(m.items == (int64_t)items && items > 10 && items < 23 && fabs(relative) < 0.9 * absolute, "those that converted");
    CLOSE(m.absolute, absolute / items, 1e-13, "mean distance, by loops");
    CLOSE(m.relative, relative / items, 1e-13, "and with its sign");
    CLOSE(n.absolute, m.absolute, 1e-14, "merged, the same");
    CLOSE(n.relative, m.relative, 1e-14, "and with its sign");
    for (int64_t i = 0; i < 5000 && !rc; i++)
        rc = ca_items_add(&rest, i * i * 65537, 0.5, 1, 1, &err);
    OK(!rc && ca_items_bias(&rest).items > 5000, "many items");
    ca_items_fini(&whole);
    ca_items_fini(&part);
    ca_items_fini(&rest);
    OK(isnan(ca_items_bias(&whole).absolute), "no items, no bias");
}

int main(void)
{
    static struct row r[N];

    make(r, 0);
    check_agreement(r, "hardly any ties");
    check_items(r);
    make(r, 5);
    check_agreement(r, "five different scores");
    check_edges();
    return tap_done();
}
