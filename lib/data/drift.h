/*
 * How far the distribution of the features moves between windows, and how
 * much replay that calls for: CrossAdapt section 3.2.2, eq 13 and 14. Natural
 * logarithms throughout.
 */
#ifndef CA_DATA_DRIFT_H
#define CA_DATA_DRIFT_H

#include "data/hist.h"

struct ca_drift {
    double js;          /* Jensen-Shannon divergence, 0 to ln 2 */
    double kl;          /* Kullback-Leibler divergence of the later from the earlier: sum of P ln(P/Q) */
    double wasserstein; /* numeric: W1 with the range scaled to [0,1]; ids: total variation, W1 under the 0/1 metric */
};

/*
 * Between two histograms of one feature, p the earlier. The support is the
 * ids either has. For kl alone 1e-10 is added to every probability on the support and
 * both are normalised again. bins > 0 says that ids are bins of a numeric
 * feature. When one side is empty (a sequence column without ids) js and
 * wasserstein take their largest values, ln 2 and 1; when both are, all are 0.
 */
struct ca_drift ca_drift_between(const struct ca_hist *p, const struct ca_hist *q, size_t bins);

/* Mean over the adjacent windows of feature f. At least two windows. */
struct ca_drift ca_drift_feature(const struct ca_hists *h, size_t f);

/* Replay ratio for a shift delta, eq 14 as printed: k up to low, 0 above high, between them k(1 - delta/high). */
double ca_drift_ratio(double delta, double low, double high, double k);

#endif
