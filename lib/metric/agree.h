/*
 * How far one model ranks as another does (CrossAdapt, appendix on metrics and
 * Table 5): Spearman's correlation over all rows, and NDCG at 5 and at 10
 * within requests. The other model is the judge: what it thinks of a row is
 * the row's relevance.
 *
 * Spearman's is Pearson's correlation of the ranks, equal scores having their
 * average rank; the printed 6 sum d^2 holds only without equal ones. NDCG
 * ranks a request's rows by score, takes (2^p - 1) / log2(1 + place) with p the
 * judge's probability, and divides by the best that any order reaches; rows of
 * equal score share the mean of their gains. The mean over requests is plain:
 * a request of one row counts 1. A request in which the judge gives
 * probability 0 to every row has no best order and is left out.
 *
 * Memory is bounded (metric/order.h) but for the largest single request, and
 * a request's rows may lie anywhere in the stream.
 */
#ifndef CA_METRIC_AGREE_H
#define CA_METRIC_AGREE_H

#include "metric/order.h"

/* Zero-initialise; the limits may be set before the first row. */
struct ca_agree {
    struct ca_order by_score;   /* over all rows; the value is the judge's score */
    struct ca_order by_request; /* the value is both scores */
};

struct ca_agreement {
    double spearman;      /* NaN where either model gives all rows one score */
    double ndcg5, ndcg10; /* NaN without requests */
    int64_t requests;     /* that the means are over */
};

/*
 * A row for the correlation: the two scores, of which only the order matters.
 * CA_ENUMERIC, with the row's number, for one that is not a number.
 */
int ca_agree_add(struct ca_agree *a, float score, float judge, struct ca_err *err) CA_CHECK_ME;

/* A row for NDCG: its request, its score and the judge's probability. CA_ENUMERIC as above, or where that is none. */
int ca_agree_add_request(struct ca_agree *a, int64_t request, float score, float probability, struct ca_err *err)
    CA_CHECK_ME;

/* As if b's rows followed a's. b stays usable. */
int ca_agree_merge(struct ca_agree *a, struct ca_agree *b, struct ca_err *err) CA_CHECK_ME;

/* May be called again after further rows. */
int ca_agree_result(struct ca_agree *a, struct ca_agreement *out, struct ca_err *err) CA_CHECK_ME;

void ca_agree_fini(struct ca_agree *a);

#endif
