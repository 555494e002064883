/*
 * Adam as PyTorch's dense one on every element (specification: models 0.4,
 * CrossAdapt 4), with exact rest: an element that had no gradient for some
 * steps is brought to the present in one go, and ends where stepping it with
 * zero gradients would have ended.
 */
#ifndef CA_NN_ADAM_H
#define CA_NN_ADAM_H

#include "nn/net.h"

#define CA_ADAM_LIVE_MAX 4096 /* steps of rest that are looked at: enough for b1 up to 0.993 */

/* What a rest since some step does: p -= m (a0 / (sqrt(v) + e0) + a1 / (sqrt(v) + e1)) where v is 0 or at least v_least. */
struct ca_adam_quad {
    ca_real a0, a1, e0, e1, v_least;
};

/* What a rest of k steps leaves of moments: b1^k, 0 once momentum is spent, and b2^k; and b2^(k/2). */
struct ca_adam_fade {
    ca_real m, v, root;
};

/* The steps of one optimizer: what catching up needs to know of each. */
struct ca_adam_clock {
    struct ca_adam rule;
    double lr;
    uint64_t base; /* the step it started from; no row rests from before */
    uint64_t now;  /* steps made */
    int rests;     /* keep what ca_adam_rest needs */
    unsigned live; /* steps after which momentum is spent: b1^live < 2e-12; 256 for b1 = 0.9 */

    size_t cap;          /* room of the arrays below, indexed by step - base */
    ca_real *rate;       /* lr / (1 - b1^s) */
    ca_real *root;       /* 1 / sqrt(1 - b2^s) */
    struct ca_adam_quad *quad; /* by last touched step */
    struct ca_adam_fade *fade; /* by steps of rest */
    double (*moment)[6]; /* ring of live, by last touched step */
    double *pow1, *pow2; /* b1^k, b2^(k/2), k up to live */
};

/* Starts at step base. rests 0: for tensors that get a gradient in every step. */
int ca_adam_clock_init(struct ca_adam_clock *c, const struct ca_adam *rule, double lr, uint64_t base, int rests,
                       struct ca_err *err) CA_CHECK_ME;
/* Begin anew at step base, everything standing there, with another rule. Allocates nothing. */
void ca_adam_clock_restart(struct ca_adam_clock *c, const struct ca_adam *rule, double lr, uint64_t base);
void ca_adam_clock_fini(struct ca_adam_clock *c);

/* One step more. CA_EMEMORY leaves the clock as it was. */
int ca_adam_clock_tick(struct ca_adam_clock *c, struct ca_err *err) CA_CHECK_ME;

/* Step now on n elements with gradient g; they must stand at step now - 1. */
void ca_adam_step(const struct ca_adam_clock *c, size_t n, ca_real *p, ca_real *m, ca_real *v, const ca_real *g);

/* Bring n elements from step from (base <= from, last touched) to now. */
void ca_adam_rest(const struct ca_adam_clock *c, uint64_t from, size_t n, ca_real *p, ca_real *m, ca_real *v);

/* The same step by step: slow and plain, for short rests and for the tests. */
void ca_adam_rest_exact(const struct ca_adam_clock *c, uint64_t from, size_t n, ca_real *p, ca_real *m, ca_real *v);

#endif
