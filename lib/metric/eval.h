/*
 * How good predictions are: counts, losses and calibration as compensated
 * sums in row order, and the exact AUC. Adding is cheap, memory is bounded,
 * and no result depends on how rows were cut into blocks.
 *
 *     struct ca_eval e;
 *     ca_eval_init(&e, NULL, err);
 *     for each row: ca_eval_add(&e, logit, label, 1.0f, err);
 *     ca_eval_result(&e, &m, err);   (as often as wanted)
 *     ca_eval_fini(&e);
 */
#ifndef CA_METRIC_EVAL_H
#define CA_METRIC_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "metric/auc.h"
#include "metric/sum.h"

/*
 * EXACT takes the loss from the logit, max(s,0) - s y + log1p(exp(-|s|)): no
 * rounding of probabilities, no cap on a confident mistake. CLIPPED is the
 * published evaluation (CrossAdapt section 2): the sigmoid is rounded to a
 * float and clipped to [2.2e-16, 1 - 2.2e-16]. They part where |s| > 16.
 */
enum ca_logloss { CA_LOGLOSS_EXACT, CA_LOGLOSS_CLIPPED };

enum ca_score { CA_SCORE_LOGIT, CA_SCORE_PROBABILITY };

/* The probability that a score of this kind stands for. */
double ca_score_probability(enum ca_score kind, double score);

struct ca_eval_opts {
    enum ca_score score;     /* what is added; a probability always has the clipped loss */
    enum ca_logloss logloss;
    unsigned bins;           /* of the calibration error; 0 means 10 */
    size_t buffer;           /* see struct ca_order: limit */
};

#define CA_EVAL_MAX_BINS 10000u

/* The measures. NaN where one is not defined. */
struct ca_measures {
    double auc;
    double logloss;         /* nats a row */
    int64_t rows;
    int64_t positives;      /* rows whose label is above one half */
    double ne;              /* normalised entropy: logloss over the entropy of the mean label */
    double calibration;     /* sum of predictions over sum of labels */
    double ece;             /* expected calibration error over bins of equal width */
    double rmse;            /* of the probability */
    double mean_prediction;
    double mean_label;
    double weight;          /* sum of weights */
    int one_class;          /* labels are all of one class: no AUC and no normalised entropy */
};

/* The sums behind all measures but the AUC. */
struct ca_sums {
    enum ca_score score;
    enum ca_logloss logloss;
    unsigned n_bins;
    int64_t rows, positives;
    struct ca_sum weight, loss, predicted, observed, square;
    struct ca_sum *bin;     /* n_bins: weighted prediction minus label */
};

/* opts NULL means all defaults. The spool and bins are freed by fini, which accepts what a failed init left. */
int ca_sums_init(struct ca_sums *s, const struct ca_eval_opts *opts, struct ca_err *err) CA_CHECK_ME;
/*
 * One row. CA_ENUMERIC for a score that is not finite (or no probability),
 * CA_EFORMAT for a label out of [0,1] or a weight that is negative or not
 * finite; err->record is the number of rows before this one.
 */
int ca_sums_add(struct ca_sums *s, double score, float label, float weight, struct ca_err *err) CA_CHECK_ME;
/* As if b's rows followed a's, up to rounding in the last digits. Both must have the same options. */
void ca_sums_merge(struct ca_sums *a, const struct ca_sums *b);
void ca_sums_result(const struct ca_sums *s, double auc, struct ca_measures *m);
void ca_sums_fini(struct ca_sums *s);

struct ca_eval {
    struct ca_sums sums;
    struct ca_auc auc;
};

int ca_eval_init(struct ca_eval *e, const struct ca_eval_opts *opts, struct ca_err *err) CA_CHECK_ME;
int ca_eval_add(struct ca_eval *e, float score, float label, float weight, struct ca_err *err) CA_CHECK_ME;
int ca_eval_merge(struct ca_eval *a, struct ca_eval *b, struct ca_err *err) CA_CHECK_ME;
int ca_eval_result(struct ca_eval *e, struct ca_measures *m, struct ca_err *err) CA_CHECK_ME;
void ca_eval_fini(struct ca_eval *e);

/*
 * The measures as every tool prints them, in one order: tab-separated names
 * and values without a line end, or members of a JSON object (undefined: null).
 */
void ca_measures_tsv_names(struct ca_buf *out);
void ca_measures_tsv(const struct ca_measures *m, struct ca_buf *out);
int ca_measures_json(const struct ca_measures *m, json_t *obj, struct ca_err *err) CA_CHECK_ME;

#endif
