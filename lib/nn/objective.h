/*
 * What is learned by a network with several outputs: one number a batch, made
 * of the row losses of its heads. A network without an objective learns its
 * logit by the loss it is given (nn/loss.h).
 *
 * The value of a batch is mean over rows of row(...). Where weights of the
 * losses depend on the whole batch (FCN, KDEF), sums are taken first: `sums`
 * adds up n_sums numbers over the rows, `weigh` turns their means into
 * coefficients, which `row` is given. Gradients of row take the coefficients
 * for constants, so where they carry a gradient (attached weights) `weigh`
 * must account for it in further coefficients.
 */
#ifndef CA_NN_OBJECTIVE_H
#define CA_NN_OBJECTIVE_H

#include "nn/loss.h"

#define CA_OBJECTIVE_SUMS 64

/* One row as an objective sees it. */
struct ca_head_row {
    const double *s;        /* [heads] outputs; s[0] is the logit */
    size_t heads;
    double label, teacher;  /* of the main task; teacher 0 when there is none */
    const double *task;     /* [tasks] further labels; NULL when there are none */
    const struct ca_loss *loss; /* of a logit on label and teacher, as the caller of the network asked for */
};

struct ca_objective {
    const char *name;
    double number[4];       /* its own: weights */
    size_t n_sums;          /* 0: rows are independent; at most CA_OBJECTIVE_SUMS */
    int needs_tasks;        /* reads row->task */
    /* ADD the row's share */
    void (*sums)(const struct ca_objective *o, const struct ca_head_row *row, double *sum);
    /* mean[n_sums] in, coefficients out, in place */
    void (*weigh)(const struct ca_objective *o, double *mean);
    /* Value of the row, and its derivatives by the outputs, ds[heads]. */
    double (*row)(const struct ca_objective *o, const struct ca_head_row *row, const double *coefficient, double *ds);
};

#endif
