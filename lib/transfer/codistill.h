/*
 * The online stage: teacher and student learn side by side from the newest
 * data, the student at every step, the teacher every tau steps with the
 * gradients it has gathered, both on batches enlarged by replayed history
 * (CrossAdapt, section 3.2, equations 9 to 15).
 */
#ifndef CA_TRANSFER_CODISTILL_H
#define CA_TRANSFER_CODISTILL_H

#include "cli/progress.h"
#include "data/replay.h"
#include "metric/eval.h"
#include "model/model.h"
#include "record/reader.h"
#include "transfer/align.h"

struct ca_codistill_opts {
    size_t batch;            /* rows of the online stream a step; replayed rows come on top */
    size_t interval;         /* tau: the teacher steps every so many steps; 0 freezes it */
    size_t first;            /* number of the first step: 0 as coded (an update at once), 1 as printed */
    int average;             /* divide the gathered gradient by the steps it was gathered over; else sum */
    double teacher_sgd;      /* above 0: plain gradient descent at this rate, as printed, instead of Adam */
    double replay_ratio;     /* replayed rows a step = max(1, int(batch * ratio)); 0 for none */
    struct ca_loss loss;     /* of the student, on the teacher's present logits */
    struct ca_align *align;  /* made for the two; borrowed; NULL for no loss on embeddings */
    int64_t window;          /* steps in a prequential window; 0 for one window over all */
};

/* Prequential figures (test, then train): every online row is scored before any step has seen it. */
struct ca_codistill_window {
    int64_t step;            /* steps done when the window closed */
    int64_t rows;            /* online rows done when the window closed */
    double loss;             /* mean student loss over the window's enlarged batches */
    struct ca_measures student, teacher;
};

struct ca_codistill_result {
    int64_t steps;
    int64_t teacher_steps;
    int64_t rows;            /* online */
    int64_t replayed;
    struct ca_measures student, teacher; /* prequential, over the whole stream */
};

typedef int ca_codistill_hook(void *arg, const struct ca_codistill_window *w, struct ca_err *err);

/*
 * Run the stage to the end of the online stream. replay may be NULL when the
 * ratio is 0; its schema must equal the online stream's. hook (may be NULL) is
 * called as each window closes and may end the run by returning a code.
 * Gradients gathered after the teacher's last step are dropped, as coded.
 */
int ca_codistill_run(struct ca_model *teacher, struct ca_model *student, struct ca_reader *online,
                     struct ca_replay *replay, const struct ca_codistill_opts *opts, ca_codistill_hook *hook, void *arg,
                     struct ca_progress *progress, struct ca_codistill_result *result, struct ca_err *err) CA_CHECK_ME;

#endif
