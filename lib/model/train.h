/*
 * The training loop: batches of exactly so many rows out of a record stream,
 * whatever its blocks are, one optimizer step each; the last batch may be
 * shorter. The same rows, model and settings give the same bits.
 */
#ifndef CA_MODEL_TRAIN_H
#define CA_MODEL_TRAIN_H

#include "base/out.h"
#include "cli/progress.h"
#include "metric/eval.h"
#include "model/model.h"
#include "record/reader.h"

/*
 * As FuxiCTR trains (specification: kdef 4): after each epoch the model is
 * evaluated; where it is not better than the best so far by 1e-6, learning
 * rates are multiplied and, when that happened patience times in a row,
 * training ends. The model is left as the best evaluation found it.
 */
struct ca_train_plateau {
    uint64_t patience;
    double decay;     /* of the rates: 0.1 */
    double lr_least;  /* 1e-6 */
    int by_logloss;   /* judge by LogLoss, else by AUC */
};

/* What learns beside the model from a teacher that is asked as it goes: a loss on embeddings, say. */
struct ca_train_beside {
    int (*before)(void *arg, const struct ca_feed *teacher, struct ca_err *err); /* a batch, as the teacher sees it */
    int (*after)(void *arg, struct ca_err *err);                                 /* the model's step */
    void *arg;
};

struct ca_train_opts {
    size_t batch;                /* rows a step */
    uint64_t epochs;             /* more than one needs an indexed file */
    unsigned step;               /* CA_STEP_ALL, or CA_STEP_DENSE to leave the tables as they are */
    const struct ca_loss *loss;
    const char *teacher_column;  /* NULL: the first of role teacher, where the loss needs one */
    struct ca_model *teacher;    /* or a model asked as it goes; NULL for none */
    const struct ca_train_beside *beside; /* needs teacher; NULL for none */
    int weights;                 /* multiply each row's loss by the weight column */
    int shuffle;                 /* the rows of each epoch in an order of its own, from seed; scratch goes to TMPDIR */
    uint64_t seed;
    const struct ca_train_plateau *plateau; /* NULL: every epoch, and what the last one leaves; needs valid */
    const char *valid;           /* records to evaluate on, NULL for none */
    uint64_t valid_interval;     /* steps between evaluations; 0: after each epoch only */
    struct ca_out *log;          /* TSV of the steps, NULL for none; borrowed */
    uint64_t log_interval;       /* steps a line */
    struct ca_progress *progress; /* may be NULL; borrowed */
};

struct ca_train_result {
    int64_t rows;                /* over all epochs */
    uint64_t steps;
    double loss;                 /* mean over the last epoch, before each step */
    double train_s;              /* wall clock without evaluation: for logs only */
    int evaluated;
    struct ca_measures valid;    /* the last evaluation; with a plateau the best */
    uint64_t epochs;             /* done */
    uint64_t best_epoch;         /* with a plateau: whose model it is, from 1 */
};

/*
 * Reads r to its end (epochs times). CA_ENUMERIC, naming step and row, as soon
 * as the loss or, at the end, a weight is not finite. The digest of the
 * records is noted for the model's provenance.
 */
int ca_train(struct ca_model *m, struct ca_reader *r, const struct ca_train_opts *opts, struct ca_train_result *result,
             struct ca_err *err) CA_CHECK_ME;

#endif
