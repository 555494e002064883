/*
 * Distillation losses on logits (CrossAdapt, section 3.3 of the paper and its
 * code), as row losses for nn/. s is the student's logit, t the teacher's,
 * which is a constant, y the label:
 *
 *   published  alpha T^2 BCE(s/T, sigmoid(t/T)) + (1-alpha) BCE(s, y)
 *   paper      BCE(s, y) + lambda BCE(s, sigmoid(t))
 *   huber      alpha T^2 SmoothL1(sigmoid(s/T), sigmoid(t/T)) + (1-alpha) BCE(s, y)
 *
 * The published numbers come from the first form: only with it does the
 * published sweep over T and lambda make sense.
 */
#ifndef CA_TRANSFER_DISTILL_H
#define CA_TRANSFER_DISTILL_H

#include "nn/loss.h"

enum ca_distill_form { CA_DISTILL_PUBLISHED, CA_DISTILL_PAPER, CA_DISTILL_HUBER };

struct ca_distill {
    enum ca_distill_form form;
    double alpha;       /* 0.7; of published and huber */
    double temperature; /* 4; of published and huber */
    double lambda;      /* 1; of paper */
};

struct ca_loss ca_distill_loss(const struct ca_distill *d);

#endif
