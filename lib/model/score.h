/*
 * A model's logits over a record stream, batch by batch. Batches have a fixed
 * number of rows wherever the stream's blocks end, because the bits of a
 * matrix product may depend on its size: scores depend on the rows before,
 * never on block size or threads.
 */
#ifndef CA_MODEL_SCORE_H
#define CA_MODEL_SCORE_H

#include "model/model.h"
#include "metric/eval.h"
#include "record/reader.h"

struct ca_scorer;

/* model and reader are borrowed. CA_ESCHEMA as ca_model_bind. */
int ca_scorer_open(struct ca_scorer **s, struct ca_model *m, struct ca_reader *r, struct ca_err *err) CA_CHECK_ME;

/*
 * From now on the logits of this task, which its label is the name of (NULL:
 * of the main one). CA_EUSAGE when the model has not learned it.
 */
int ca_scorer_task(struct ca_scorer *s, const char *task, struct ca_err *err) CA_CHECK_ME;

/* The next rows and their logits, valid until the next call. Returns 1, 0 at the sound end, or a negative code. */
int ca_scorer_next(struct ca_scorer *s, struct ca_block *b, const float **logit, struct ca_err *err) CA_CHECK_ME;
void ca_scorer_close(struct ca_scorer *s); /* NULL is accepted */

/*
 * Unclicked sample augmentation (CrossAdapt section 3.1.3, eq 9): out[i] is
 * label[i] where known[i] is above one half, and sigmoid(logit[i]) elsewhere.
 */
void ca_score_soft_labels(float *out, const float *label, const float *known, const float *logit, size_t n);

/* The measures of m over a whole file of records with labels. */
int ca_score_file(struct ca_model *m, const char *path, struct ca_measures *out, struct ca_err *err) CA_CHECK_ME;

#endif
