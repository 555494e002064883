/* transfer/distill: each loss against its formula and its derivative against central differences. */
#include "transfer/distill.h"
#include "tap.h"

static const double values[] = {-30, -4, -0.7, 0, 0.3, 2.5, 12};
#define N (sizeof values / sizeof *values)

static double bce(double s, double p)
{
    return -p * log(ca_sigmoid(s)) - (1 - p) * log(ca_sigmoid(-s));
}

static void check(const struct ca_distill *d, const char *name)
{
    struct ca_loss l = ca_distill_loss(d);
    double worst = 0, off = 0, h = 1e-5, unused;

    STR_EQ(l.name, name, "a loss knows its name");
    OK(l.needs_teacher, "and that it needs a teacher");
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            for (int y = 0; y <= 1; y++) {
                double s = values[i], t = values[j], T = d->temperature, ds, want, value, slope, gap;
                value = l.row(&l, s, y, t, &ds);
                slope = (l.row(&l, s + h, y, t, &unused) - l.row(&l, s - h, y, t, &unused)) / (2 * h);
                gap = ca_sigmoid(s / T) - ca_sigmoid(t / T);
                want = d->form == CA_DISTILL_PAPER ? bce(s, y) + d->lambda * bce(s, ca_sigmoid(t))
                       : d->form == CA_DISTILL_HUBER
                           ? d->alpha * T * T * 0.5 * gap * gap + (1 - d->alpha) * bce(s, y)
                           : d->alpha * T * T * bce(s / T, ca_sigmoid(t / T)) + (1 - d->alpha) * bce(s, y);
                worst = fmax(worst, fabs(ds - slope) / (1 + fabs(slope)));
                off = fmax(off, fabs(value - want) / (1 + fabs(want)));
            }
    CLOSE(worst, 0, 1e-7, "derivatives agree with central differences");
    CLOSE(off, 0, 1e-12, "values agree with the formula");
}

int main(void)
{
    struct ca_distill d = {CA_DISTILL_PUBLISHED, 0.7, 4, 1};
    struct ca_loss l;
    double a, b;

    check(&d, "published");
    d.alpha = 0;
    l = ca_distill_loss(&d);
    CLOSE(l.row(&l, 1.5, 1, -3, &a), ca_loss_bce.row(&ca_loss_bce, 1.5, 1, 0, &b), 1e-15, "alpha 0 is the task alone");
    CLOSE(a, b, 1e-15, "in its derivative too");
    d.alpha = 1;
    d.temperature = 1000;
    l = ca_distill_loss(&d);
    (void)l.row(&l, 1.5, 1, -3, &a);
    CLOSE(a, (1.5 + 3) / 4, 1e-5, "at high temperature it matches logits");
    d = (struct ca_distill){CA_DISTILL_PAPER, 0.7, 4, 0.5};
    check(&d, "paper");
    d = (struct ca_distill){CA_DISTILL_HUBER, 0.7, 4, 1};
    check(&d, "huber");
    return tap_done();
}
