#include "metric/agree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "metric/sum.h"

#include "base/banned.h"

#define BUFFER ((size_t)1 << 18) /* items in memory by default: there are three sorts at a time */

static void bound(struct ca_order *o)
{
    o->limit = o->limit ? o->limit : BUFFER;
}

int ca_agree_add(struct ca_agree *a, float score, float judge, struct ca_err *err)
{
    if (isnan(score) || isnan(judge)) {
        (void)ca_err_set(err, CA_ENUMERIC, "score is not a number");
        return ca_err_at(err, NULL, -1, a->by_score.total);
    }
    bound(&a->by_score);
    return ca_order_add(&a->by_score, ca_order_float(score), ca_order_float(judge), err);
}

int ca_agree_add_request(struct ca_agree *a, int64_t request, float score, float probability, struct ca_err *err)
{
    const float pair[2] = {score, probability};
    uint64_t value;

    bound(&a->by_request);
    memcpy(&value, pair, sizeof value);
    if (isnan(score))
        (void)ca_err_set(err, CA_ENUMERIC, "score is not a number");
    else if (!(probability >= 0.0f && probability <= 1.0f))
        (void)ca_err_set(err, CA_ENUMERIC, "%.9g is not a probability", (double)probability);
    else
        return ca_order_add(&a->by_request, (uint64_t)request, value, err);
    return ca_err_at(err, NULL, -1, a->by_request.total);
}

int ca_agree_merge(struct ca_agree *a, struct ca_agree *b, struct ca_err *err)
{
    int rc = ca_order_merge(&a->by_score, &b->by_score, err);

    return rc ? rc : ca_order_merge(&a->by_request, &b->by_request, err);
}

void ca_agree_fini(struct ca_agree *a)
{
    ca_order_fini(&a->by_score);
    ca_order_fini(&a->by_request);
}

/* ---- Spearman ---- */

/*
 * Ranks are kept doubled and from the middle, 2 rank - (n + 1), so that an
 * average rank is a whole number and the mean is 0. Items of equal key have
 * the places first to last, counted from 1.
 */
static int64_t doubled(int64_t first, int64_t last, int64_t n)
{
    return first + last - (n + 1);
}

/*
 * The scores' ranks, by judge: two walks over the rows, the first of which
 * finds where a run of equal scores ends before the second passes it on.
 * Leaves the sum of squared ranks in *square.
 */
static int rank_scores(struct ca_order *by_score, struct ca_order *by_judge, struct ca_sum *square, struct ca_err *err)
{
    struct ca_order_walk *ahead = NULL, *behind = NULL;
    struct ca_order_item next = {0}, item;
    int64_t n = by_score->total, first = 1;
    int rc, more = 0;

    if ((rc = ca_order_begin(&ahead, by_score, err)) || (rc = ca_order_begin(&behind, by_score, err)))
        goto done;
    if ((more = rc = ca_order_next(ahead, &next, err)) < 0)
        goto done;
    while (more) {
        uint64_t key = next.key;
        int64_t last = first - 1, rank;

        do
            last++;
        while ((more = ca_order_next(ahead, &next, err)) == 1 && next.key == key);
        if ((rc = more) < 0)
            goto done;
        rank = doubled(first, last, n);
        ca_sum_add(square, (double)(last - first + 1) * ((double)rank * (double)rank));
        for (; first <= last; first++)
            if ((rc = ca_order_next(behind, &item, err)) < 0 ||
                (rc = ca_order_add(by_judge, item.value, (uint64_t)rank, err)))
                goto done;
    }
    rc = 0;
done:
    ca_order_end(behind);
    ca_order_end(ahead);
    return rc;
}

/* One run of rows that the judge gives the same score. */
struct tie {
    uint64_t key;
    int64_t first, last;
    int64_t ranks; /* sum of the scores' doubled ranks */
};

static void close_tie(struct tie *t, int64_t n, struct ca_sum *product, struct ca_sum *square)
{
    double rank = (double)doubled(t->first, t->last, n);

    ca_sum_add(product, rank * (double)t->ranks);
    ca_sum_add(square, (double)(t->last - t->first + 1) * (rank * rank));
    *t = (struct tie){.first = t->last + 1, .last = t->last};
}

static int spearman(struct ca_order *by_score, double *rho, struct ca_err *err)
{
    struct ca_order by_judge = {.limit = by_score->limit};
    struct ca_order_walk *w = NULL;
    struct ca_order_item item;
    struct ca_sum product = {0}, scores = {0}, judges = {0};
    struct tie tie = {.first = 1};
    double norm;
    int rc = rank_scores(by_score, &by_judge, &scores, err);

    if (rc || (rc = ca_order_begin(&w, &by_judge, err)))
        goto done;
    while ((rc = ca_order_next(w, &item, err)) == 1) {
        if (tie.last >= tie.first && item.key != tie.key)
            close_tie(&tie, by_score->total, &product, &judges);
        tie.key = item.key;
        tie.ranks += (int64_t)item.value;
        tie.last++;
    }
    if (rc)
        goto done;
    if (tie.last >= tie.first)
        close_tie(&tie, by_score->total, &product, &judges);
    norm = sqrt(ca_sum_value(&scores)) * sqrt(ca_sum_value(&judges));
    *rho = norm > 0 ? ca_sum_value(&product) / norm : (double)NAN;
done:
    ca_order_end(w);
    ca_order_fini(&by_judge);
    return rc;
}

/* ---- NDCG ---- */

#define DEEPEST 10

struct shown {
    float score;
    float relevance;
};

struct request {
    struct shown *row;
    size_t n, cap;
};

/* Best score first; of equal scores the order is arbitrary but always the same. */
static int by_score(const void *x, const void *y)
{
    const struct shown *a = x, *b = y;

    if (a->score < b->score || a->score > b->score)
        return a->score < b->score ? 1 : -1;
    return (a->relevance < b->relevance) - (a->relevance > b->relevance);
}

static int by_relevance(const void *x, const void *y)
{
    float a = ((const struct shown *)x)->relevance, b = ((const struct shown *)y)->relevance;

    return (a < b) - (a > b);
}

static double gain(float relevance)
{
    return expm1((double)relevance * 0.69314718055994530942); /* 2^p - 1 */
}

/* Of rows in the order of their score, equal ones sharing their gains. */
static double dcg(const struct request *q, size_t places)
{
    double sum = 0;

    for (size_t i = 0, end; i < q->n && i < places; i = end) {
        double gains = 0, discounts = 0;

        for (end = i; end < q->n && !(q->row[end].score < q->row[i].score); end++) {
            gains += gain(q->row[end].relevance);
            if (end < places)
                discounts += 1.0 / log2((double)end + 2.0);
        }
        sum += gains / (double)(end - i) * discounts;
    }
    return sum;
}

static void ideal(const struct request *q, double best[2])
{
    best[0] = best[1] = 0;
    for (size_t i = 0; i < q->n && i < DEEPEST; i++) {
        double share = gain(q->row[i].relevance) / log2((double)i + 2.0);

        best[0] += i < 5 ? share : 0;
        best[1] += share;
    }
}

static void close_request(struct request *q, struct ca_sum ndcg[2], int64_t *requests)
{
    double best[2];

    qsort(q->row, q->n, sizeof *q->row, by_relevance);
    ideal(q, best);
    if (best[0] > 0) {
        qsort(q->row, q->n, sizeof *q->row, by_score);
        ca_sum_add(&ndcg[0], dcg(q, 5) / best[0]);
        ca_sum_add(&ndcg[1], dcg(q, DEEPEST) / best[1]);
        ++*requests;
    }
    q->n = 0;
}

static int add_shown(struct request *q, uint64_t value, struct ca_err *err)
{
    void *grown = q->row;
    float pair[2];
    int rc = ca_mem_grow(&grown, &q->cap, q->n + 1, sizeof *q->row, err);

    q->row = grown;
    if (rc)
        return rc;
    memcpy(pair, &value, sizeof pair);
    q->row[q->n++] = (struct shown){pair[0], pair[1]};
    return 0;
}

static int requests(struct ca_order *by_request, struct ca_agreement *out, struct ca_err *err)
{
    struct ca_order_walk *w = NULL;
    struct ca_order_item item;
    struct request q = {0};
    struct ca_sum ndcg[2] = {{0, 0}, {0, 0}};
    uint64_t key = 0;
    int rc = ca_order_begin(&w, by_request, err);

    while (!rc && (rc = ca_order_next(w, &item, err)) == 1) {
        if (q.n && item.key != key)
            close_request(&q, ndcg, &out->requests);
        key = item.key;
        rc = add_shown(&q, item.value, err);
    }
    if (!rc && q.n)
        close_request(&q, ndcg, &out->requests);
    if (!rc && out->requests) {
        out->ndcg5 = ca_sum_value(&ndcg[0]) / (double)out->requests;
        out->ndcg10 = ca_sum_value(&ndcg[1]) / (double)out->requests;
    }
    ca_order_end(w);
    ca_mem_free(q.row);
    return rc;
}

int ca_agree_result(struct ca_agree *a, struct ca_agreement *out, struct ca_err *err)
{
    int rc;

    *out = (struct ca_agreement){(double)NAN, (double)NAN, (double)NAN, 0};
    rc = spearman(&a->by_score, &out->spearman, err);
    return rc ? rc : requests(&a->by_request, out, err);
}
