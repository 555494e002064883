#include "transfer/distill.h"

#include "base/banned.h"

/* Where the parameters stand in struct ca_loss. */
#define ALPHA a
#define TEMPERATURE b
#define LAMBDA a

static double published(const struct ca_loss *l, double s, double y, double t, double *ds)
{
    double temp = l->TEMPERATURE, soft_ds, hard_ds;
    double soft = ca_loss_bce.row(&ca_loss_bce, s / temp, ca_sigmoid(t / temp), 0, &soft_ds);
    double hard = ca_loss_bce.row(&ca_loss_bce, s, y, 0, &hard_ds);

    *ds = l->ALPHA * temp * soft_ds + (1 - l->ALPHA) * hard_ds;
    return l->ALPHA * temp * temp * soft + (1 - l->ALPHA) * hard;
}

static double paper(const struct ca_loss *l, double s, double y, double t, double *ds)
{
    double soft_ds, hard_ds;
    double soft = ca_loss_bce.row(&ca_loss_bce, s, ca_sigmoid(t), 0, &soft_ds);
    double hard = ca_loss_bce.row(&ca_loss_bce, s, y, 0, &hard_ds);

    *ds = hard_ds + l->LAMBDA * soft_ds;
    return hard + l->LAMBDA * soft;
}

/* Two probabilities differ by less than 1, so SmoothL1 is always in its quadratic part. */
static double huber(const struct ca_loss *l, double s, double y, double t, double *ds)
{
    double temp = l->TEMPERATURE, hard_ds;
    double p = ca_sigmoid(s / temp), diff = p - ca_sigmoid(t / temp);
    double hard = ca_loss_bce.row(&ca_loss_bce, s, y, 0, &hard_ds);

    *ds = l->ALPHA * temp * diff * p * (1 - p) + (1 - l->ALPHA) * hard_ds;
    return l->ALPHA * temp * temp * 0.5 * diff * diff + (1 - l->ALPHA) * hard;
}

struct ca_loss ca_distill_loss(const struct ca_distill *d)
{
    switch (d->form) {
    case CA_DISTILL_PAPER:
        return (struct ca_loss){.name = "paper", .row = paper, .LAMBDA = d->lambda, .needs_teacher = 1};
    case CA_DISTILL_HUBER:
        return (struct ca_loss){
            .name = "huber", .row = huber, .ALPHA = d->alpha, .TEMPERATURE = d->temperature, .needs_teacher = 1};
    case CA_DISTILL_PUBLISHED:
        break;
    }
    return (struct ca_loss){
        .name = "published", .row = published, .ALPHA = d->alpha, .TEMPERATURE = d->temperature, .needs_teacher = 1};
}
