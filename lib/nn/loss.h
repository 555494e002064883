/*
 * Losses on logits, row by row: value and derivative. The mean over the batch
 * is taken by whoever calls. Distillation losses are made by transfer/distill.
 */
#ifndef CA_NN_LOSS_H
#define CA_NN_LOSS_H

#include <math.h>
#include <stddef.h>

/* What a row is held against. teacher and weight may be NULL. */
struct ca_target {
    const float *label;
    const float *teacher; /* logits */
    const float *weight;  /* multiplies the row's loss */
    const float *const *task; /* [tasks] columns of further labels; NULL when no objective reads them */
};

/* Open: a loss is a function and up to four numbers of its own. */
struct ca_loss {
    const char *name;
    /* loss at logit s for label y and teacher logit t (0 when there is none); *ds = d loss / d s */
    double (*row)(const struct ca_loss *l, double s, double y, double t, double *ds);
    double a, b, c, d;
    int needs_teacher;
};

/* Numerically stable for any finite logit. */
static inline double ca_sigmoid(double s)
{
    double e = exp(-fabs(s));
    return s >= 0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

/* Binary cross-entropy with a (possibly soft) label: max(s,0) - s*y + log1p(exp(-|s|)). */
extern const struct ca_loss ca_loss_bce;

#endif
