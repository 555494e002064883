/*
 * The hint loss of Hint-KD (CrossAdapt, baseline of table 1): the student's
 * embedding of each categorical field, seen through a learned linear map
 * P_f [dT, dS] without bias, is to be the teacher's:
 *
 *   lambda * mean over fields, rows and dT of (P_f s_f - t_f)^2
 *
 * Printed is only "embedding alignment"; this is what the published code does.
 * The maps start as PyTorch's Linear, U(-1/sqrt(dS), 1/sqrt(dS)), drawn by the
 * name "hint.f.weight", and have an Adam of their own at the rate of the tables.
 * Matrices are row-major, a row of a batch holds its fields side by side.
 */
#ifndef CA_TRANSFER_HINT_H
#define CA_TRANSFER_HINT_H

#include "base/pool.h"
#include "nn/net.h"

struct ca_hint;

/* What the maps are between. */
struct ca_hint_shape {
    size_t fields;
    size_t student; /* dS: width of a field's embedding */
    size_t teacher; /* dT */
};

/* Maps drawn from seed, optimizer at step 0. pool is borrowed. adam: lr_table is the rate. */
int ca_hint_new(struct ca_hint **out, const struct ca_hint_shape *shape, uint64_t seed, const struct ca_adam *adam,
                struct ca_pool *pool, struct ca_err *err) CA_CHECK_ME;
void ca_hint_free(struct ca_hint *h);

/*
 * One batch goes through three calls. ca_hint_map: u(rows, fields*dT) = P s of
 * s(rows, fields*dS), and forgets the gradient of the batch before.
 */
int ca_hint_map(struct ca_hint *h, size_t rows, const ca_real *s, size_t ld, struct ca_err *err) CA_CHECK_ME;
/* What a loss on u looks at, and where it adds its gradient: [rows, fields*dT], without gaps. */
const ca_real *ca_hint_mapped(const struct ca_hint *h);
ca_real *ca_hint_mapped_gradient(struct ca_hint *h);
/* The hint loss against t(rows, fields*dT); its gradient is added to that of u. */
double ca_hint_loss(struct ca_hint *h, double lambda, const ca_real *t, size_t ld);
/* From the gradient of u: adds to ds(rows, fields*dS), and to the gradient of the maps that waits for a step. */
void ca_hint_backward(struct ca_hint *h, const ca_real *s, size_t ld, ca_real *ds, size_t ld_ds);

/* One Adam step of the maps; their gradient is cleared. */
int ca_hint_step(struct ca_hint *h, struct ca_err *err) CA_CHECK_ME;

/* For saving, loading and tests: fields x dT x dS elements, and the steps taken. */
size_t ca_hint_count(const struct ca_hint *h);
ca_real *ca_hint_state(struct ca_hint *h, enum ca_state kind);
uint64_t ca_hint_steps(const struct ca_hint *h);
void ca_hint_set_steps(struct ca_hint *h, uint64_t t); /* at most CA_NET_STEPS_MAX */

#endif
