#include "metric/eval.h"

#include <math.h>
#include <stddef.h>

#include "base/mem.h"

#include "base/banned.h"

#define CLIP 2.2e-16
#define DEFAULT_BINS 10u

double ca_score_probability(enum ca_score kind, double score)
{
    double e = exp(-fabs(score));

    return kind == CA_SCORE_PROBABILITY ? score : (score >= 0 ? 1.0 : e) / (1.0 + e);
}

int ca_sums_init(struct ca_sums *s, const struct ca_eval_opts *opts, struct ca_err *err)
{
    static const struct ca_eval_opts defaults = {0};

    if (!opts)
        opts = &defaults;
    *s = (struct ca_sums){.score = opts->score, .logloss = opts->logloss};
    s->n_bins = opts->bins ? opts->bins : DEFAULT_BINS;
    if (s->n_bins > CA_EVAL_MAX_BINS)
        return ca_err_set(err, CA_EUSAGE, "%u bins are more than %u", s->n_bins, CA_EVAL_MAX_BINS);
    s->bin = ca_mem_zalloc(s->n_bins, sizeof *s->bin, err);
    return s->bin ? 0 : CA_EMEMORY;
}

void ca_sums_fini(struct ca_sums *s)
{
    ca_mem_free(s->bin);
    s->bin = NULL;
}

static double clipped_loss(double p, double y)
{
    p = p < CLIP ? CLIP : p > 1.0 - CLIP ? 1.0 - CLIP : p;
    return -(y * log(p) + (1.0 - y) * log(1.0 - p));
}

static int refuse(const struct ca_sums *s, double score, float label, float weight, struct ca_err *err)
{
    if (!isfinite(score))
        (void)ca_err_set(err, CA_ENUMERIC, "score is %s", isnan(score) ? "not a number" : "infinite");
    else if (s->score == CA_SCORE_PROBABILITY && !(score >= 0.0 && score <= 1.0))
        (void)ca_err_set(err, CA_ENUMERIC, "score %.9g is not a probability", score);
    else if (!(label >= 0.0f && label <= 1.0f))
        (void)ca_err_set(err, CA_EFORMAT, "label %.9g is not between 0 and 1", (double)label);
    else if (!(weight >= 0.0f) || isinf(weight))
        (void)ca_err_set(err, CA_EFORMAT, "weight %.9g is negative or not finite", (double)weight);
    else
        return 0;
    return ca_err_at(err, NULL, -1, s->rows);
}

int ca_sums_add(struct ca_sums *s, double score, float label, float weight, struct ca_err *err)
{
    double y = (double)label, w = (double)weight, p, loss, e;
    unsigned bin;
    int rc = refuse(s, score, label, weight, err);

    if (rc)
        return rc;
    if (s->score == CA_SCORE_PROBABILITY) {
        p = score;
        loss = clipped_loss(p, y);
    } else {
        e = exp(-fabs(score));
        p = (score >= 0 ? 1.0 : e) / (1.0 + e);
        if (s->logloss == CA_LOGLOSS_EXACT)
            loss = (score > 0 ? score : 0.0) - score * y + log1p(e);
        else
            loss = clipped_loss((double)(float)p, y);
    }
    bin = (unsigned)(p * s->n_bins);
    if (bin >= s->n_bins)
        bin = s->n_bins - 1;
    s->rows++;
    s->positives += label > 0.5f;
    ca_sum_add(&s->weight, w);
    ca_sum_add(&s->loss, w * loss);
    ca_sum_add(&s->predicted, w * p);
    ca_sum_add(&s->observed, w * y);
    ca_sum_add(&s->square, w * (p - y) * (p - y));
    ca_sum_add(&s->bin[bin], w * (p - y));
    return 0;
}

void ca_sums_merge(struct ca_sums *a, const struct ca_sums *b)
{
    a->rows += b->rows;
    a->positives += b->positives;
    ca_sum_merge(&a->weight, &b->weight);
    ca_sum_merge(&a->loss, &b->loss);
    ca_sum_merge(&a->predicted, &b->predicted);
    ca_sum_merge(&a->observed, &b->observed);
    ca_sum_merge(&a->square, &b->square);
    for (unsigned i = 0; i < a->n_bins && i < b->n_bins; i++)
        ca_sum_merge(&a->bin[i], &b->bin[i]);
}

void ca_sums_result(const struct ca_sums *s, double auc, struct ca_measures *m)
{
    double w = ca_sum_value(&s->weight), predicted = ca_sum_value(&s->predicted);
    double observed = ca_sum_value(&s->observed), entropy, off = 0, nan = (double)NAN;

    *m = (struct ca_measures){.auc = auc, .rows = s->rows, .positives = s->positives, .weight = w};
    for (unsigned i = 0; i < s->n_bins; i++)
        off += fabs(ca_sum_value(&s->bin[i]));
    m->one_class = !(observed > 0 && observed < w);
    m->logloss = w > 0 ? ca_sum_value(&s->loss) / w : nan;
    m->mean_label = w > 0 ? observed / w : nan;
    m->mean_prediction = w > 0 ? predicted / w : nan;
    m->ece = w > 0 ? off / w : nan;
    m->rmse = w > 0 ? sqrt(ca_sum_value(&s->square) / w) : nan;
    m->calibration = observed > 0 ? predicted / observed : nan;
    entropy = -(m->mean_label * log(m->mean_label) + (1.0 - m->mean_label) * log1p(-m->mean_label));
    m->ne = m->one_class ? nan : m->logloss / entropy;
}

int ca_eval_init(struct ca_eval *e, const struct ca_eval_opts *opts, struct ca_err *err)
{
    e->auc = (struct ca_auc){.pairs.limit = opts ? opts->buffer : 0};
    return ca_sums_init(&e->sums, opts, err);
}

int ca_eval_add(struct ca_eval *e, float score, float label, float weight, struct ca_err *err)
{
    int rc = ca_sums_add(&e->sums, (double)score, label, weight, err);
    return rc ? rc : ca_auc_add(&e->auc, 0, score, label, weight, err);
}

int ca_eval_merge(struct ca_eval *a, struct ca_eval *b, struct ca_err *err)
{
    ca_sums_merge(&a->sums, &b->sums);
    return ca_auc_merge(&a->auc, &b->auc, err);
}

static int take_area(void *arg, const struct ca_auc_area *area)
{
    *(double *)arg = area->auc;
    return 0;
}

int ca_eval_result(struct ca_eval *e, struct ca_measures *m, struct ca_err *err)
{
    double auc = (double)NAN;
    int rc = ca_auc_walk(&e->auc, take_area, &auc, err);

    if (!rc)
        ca_sums_result(&e->sums, auc, m);
    return rc;
}

void ca_eval_fini(struct ca_eval *e)
{
    ca_sums_fini(&e->sums);
    ca_auc_fini(&e->auc);
}

/* ---- printing ---- */

enum kind { REAL, COUNT, TRUTH };

static const struct {
    const char *name;
    enum kind kind;
    size_t offset;
} measure[] = {
    {"auc", REAL, offsetof(struct ca_measures, auc)},
    {"logloss", REAL, offsetof(struct ca_measures, logloss)},
    {"rows", COUNT, offsetof(struct ca_measures, rows)},
    {"positives", COUNT, offsetof(struct ca_measures, positives)},
    {"ne", REAL, offsetof(struct ca_measures, ne)},
    {"calibration", REAL, offsetof(struct ca_measures, calibration)},
    {"ece", REAL, offsetof(struct ca_measures, ece)},
    {"rmse", REAL, offsetof(struct ca_measures, rmse)},
    {"mean_prediction", REAL, offsetof(struct ca_measures, mean_prediction)},
    {"mean_label", REAL, offsetof(struct ca_measures, mean_label)},
    {"weight_sum", REAL, offsetof(struct ca_measures, weight)},
    {"one_class", TRUTH, offsetof(struct ca_measures, one_class)},
};
#define N_MEASURES (sizeof measure / sizeof *measure)

static double real_at(const struct ca_measures *m, size_t i)
{
    return *(const double *)(const void *)((const char *)m + measure[i].offset);
}

static int64_t count_at(const struct ca_measures *m, size_t i)
{
    const void *p = (const char *)m + measure[i].offset;
    return measure[i].kind == TRUTH ? *(const int *)p : *(const int64_t *)p;
}

void ca_measures_tsv_names(struct ca_buf *out)
{
    for (size_t i = 0; i < N_MEASURES; i++)
        ca_buf_printf(out, "%s%s", i ? "\t" : "", measure[i].name);
}

void ca_measures_tsv(const struct ca_measures *m, struct ca_buf *out)
{
    for (size_t i = 0; i < N_MEASURES; i++) {
        if (i)
            ca_buf_char(out, '\t');
        if (measure[i].kind == REAL)
            ca_buf_double(out, real_at(m, i));
        else
            ca_buf_printf(out, "%lld", (long long)count_at(m, i));
    }
}

int ca_measures_json(const struct ca_measures *m, json_t *obj, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < N_MEASURES && !rc; i++) {
        json_t *v = measure[i].kind == TRUTH   ? json_boolean(count_at(m, i))
                    : measure[i].kind == COUNT ? json_integer(count_at(m, i))
                    : isfinite(real_at(m, i))  ? json_real(real_at(m, i))
                                               : json_null();
        rc = ca_json_set(obj, measure[i].name, v, err);
    }
    return rc;
}
