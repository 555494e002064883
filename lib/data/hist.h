/*
 * How often every value of every feature occurs in consecutive windows of a
 * stream: what drift is measured from. Numeric features are counted in bins of
 * equal width, ids as they are. Histograms of parts of a stream can be saved,
 * loaded and added up. Memory is one cell for every value seen in a window, so
 * at most windows times the vocabularies.
 *
 * The saved form is text, one JSON object a line:
 *   {"format":"ca-histograms","version":1,"bins":B,"windows":W,"by":"rows"|"time",
 *    "boundaries":[W-1 numbers],"rows":[W counts],"outside":N,"features":F}
 *   F times W lines, features in schema order, windows ascending:
 *   {"feature":NAME,"role":ROLE,"vocab":V,"min":LO,"max":HI,"window":I,"ids":[ascending],"counts":[positive]}
 *   {"end":true,"features":F}
 * vocab is 0 and ids are bin numbers for a numeric feature; min and max are
 * there for those only, null when no value was seen. A file without its end line is refused as truncated.
 */
#ifndef CA_DATA_HIST_H
#define CA_DATA_HIST_H

#include "base/out.h"
#include "record/rows.h"

struct ca_hist_cell {
    uint64_t count;
    uint32_t id;
};

/* One feature in one window: cells by ascending id, all counts positive. */
struct ca_hist {
    struct ca_hist_cell *cell;
    size_t n, cap;
    uint64_t total; /* sum of the counts */
};

struct ca_hist_feature {
    char *name;
    enum ca_role role;      /* NUMERIC, CATEGORICAL or SEQUENCE */
    uint32_t vocab;
    double lo, hi;          /* NUMERIC: the range the bins divide; lo > hi before any value */
    struct ca_hist *window; /* windows of them */
};

struct ca_hists {
    struct ca_hist_feature *feature; /* open for reading; changed by the calls below only */
    size_t n_features, windows, bins;
    int by_time;                     /* boundaries are times, not row numbers */
    int64_t *boundary;               /* windows - 1: where windows 1, 2, ... begin, ascending */
    uint64_t *rows;                  /* in each window */
    uint64_t outside;                /* numeric values beyond lo or hi (counted in the end bin) or not finite (not counted) */
    struct ca_hist_counter *counter; /* private: the window being counted; NULL when loaded, to be read only */
    size_t current;
};

#define CA_HIST_MAX_WINDOWS 10000
#define CA_HIST_MAX_BINS 1000000

/* For the features of s. boundary may be NULL for one window. CA_ESCHEMA when s has no feature. */
int ca_hists_new(struct ca_hists **h, const struct ca_schema *s, size_t windows, size_t bins, int by_time,
                 const int64_t *boundary, struct ca_err *err) CA_CHECK_ME;

/* Has it numeric features, whose range must be known before counting? */
int ca_hists_need_range(const struct ca_hists *h);

/* First look: widen the ranges of the numeric features to the finite values of b. */
void ca_hists_range(struct ca_hists *h, const struct ca_block *b);

/* Or take the ranges from another one with the same features (CA_ESCHEMA when they differ). */
int ca_hists_range_from(struct ca_hists *h, const struct ca_hists *from, struct ca_err *err) CA_CHECK_ME;

/*
 * Second look: count the rows of b, the first of which is row first_row of
 * the whole stream. b has the schema given to ca_hists_new. With by_time the schema needs
 * a time column (CA_ESCHEMA). Finish with ca_hists_done before anything is read.
 */
int ca_hists_count(struct ca_hists *h, const struct ca_block *b, int64_t first_row, struct ca_err *err) CA_CHECK_ME;
int ca_hists_done(struct ca_hists *h, struct ca_err *err) CA_CHECK_ME;

/* Add the counts of from. CA_ESCHEMA when features, ranges, bins or boundaries differ. */
int ca_hists_merge(struct ca_hists *h, const struct ca_hists *from, struct ca_err *err) CA_CHECK_ME;

/* 0 when both have the same features, bins and ranges, so that their counts can be compared; else CA_ESCHEMA. */
int ca_hists_range_check(const struct ca_hists *h, const struct ca_hists *other, struct ca_err *err) CA_CHECK_ME;

/* Put all windows together into one. */
int ca_hists_flatten(struct ca_hists *h, struct ca_err *err) CA_CHECK_ME;

int ca_hists_save(const struct ca_hists *h, struct ca_out *out, struct ca_err *err) CA_CHECK_ME;
int ca_hists_load(struct ca_hists **h, const char *path, struct ca_err *err) CA_CHECK_ME;

void ca_hists_free(struct ca_hists *h); /* NULL is accepted */

#endif
