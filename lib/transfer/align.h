/*
 * The baselines that hold a student's embedding against its teacher's, batch
 * by batch: Hint-KD and RKD (CrossAdapt, table 1), or both, on top of whatever
 * loss the student has on its logit. A batch goes like this:
 *
 *   ca_align_teach(a, feed of the teacher)
 *   ca_net_gradient(student)     the losses come in here, from inside
 *   ca_net_step(student)
 *   ca_align_step(a)
 */
#ifndef CA_TRANSFER_ALIGN_H
#define CA_TRANSFER_ALIGN_H

#include "model/model.h"
#include "model/train.h"

/* What RKD compares where a field's embedding has another width in the teacher. */
enum ca_align_mismatch {
    CA_ALIGN_ZERO,   /* nothing: the loss is 0, as published, so that RKD is plain distillation there */
    CA_ALIGN_NATIVE, /* the two as they are: distances and angles know no width */
    CA_ALIGN_PROJECT /* the student's seen through the hint's maps, which learn from it too */
};

struct ca_align_opts {
    double hint;  /* weight of the hint loss; 0: none */
    double rkd;   /* weight of RKD; 0: none */
    enum ca_align_mismatch mismatch; /* CA_ALIGN_PROJECT needs a hint */
    uint64_t seed;               /* of the maps and of what RKD draws */
    const struct ca_adam *adam;  /* of the maps: the rate of tables; not kept */
    int reset;                   /* maps that the student brings start with a fresh optimizer */
};

struct ca_align;

/*
 * Both models are borrowed and outlive it; the student's network evaluates the
 * losses until ca_align_free. Maps that the student carries from an earlier
 * run are gone on with. CA_ESCHEMA when a hint is asked for and the two have
 * not the same fields in the same order, or the maps were made for a teacher
 * of another width.
 */
int ca_align_new(struct ca_align **out, const struct ca_align_opts *opts, struct ca_model *student,
                 struct ca_model *teacher, struct ca_pool *pool, struct ca_err *err) CA_CHECK_ME;
void ca_align_free(struct ca_align *a);

/* The teacher's side of a batch, as its tables are now. No gradient goes there. */
int ca_align_teach(struct ca_align *a, const struct ca_feed *feed, struct ca_err *err) CA_CHECK_ME;
int ca_align_step(struct ca_align *a, struct ca_err *err) CA_CHECK_ME;

/* Give the maps to the student to carry: what is saved next holds them. */
int ca_align_keep(const struct ca_align *a, struct ca_err *err) CA_CHECK_ME;

/* The calls above as ca_train makes them. */
struct ca_train_beside ca_align_beside(struct ca_align *a);

#endif
