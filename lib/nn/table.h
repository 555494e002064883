/*
 * One embedding table with its optimizer state. A row is weights, first and
 * second moments side by side; it stands at the step it was last brought to.
 * Rows touched since the last step are few: they have a compact copy of their
 * weights, which a batch gathers from, and a gradient, which adds up over
 * batches until the step.
 */
#ifndef CA_NN_TABLE_H
#define CA_NN_TABLE_H

#include "nn/adam.h"

struct ca_table {
    size_t rows, width;
    int padded;           /* row 0 is padding: it gets no gradient */
    size_t stride;        /* elements of a row: 3 width, or width without optimizer state */
    ca_real *data;        /* [rows][stride] */
    struct ca_row_mark {
        uint32_t last;    /* the step the row stands at; 0: no gradient ever, it does not move; touched: the step to come */
        uint32_t stamp;   /* of its last touch: stamp - base is its place among the touched, if below n_touched */
    } *mark;              /* [rows]; NULL without optimizer state */

    uint32_t *touched;    /* rows, in order of first touch; room for one more than there are */
    size_t n_touched;
    uint32_t base;        /* stamp of the first touched; those of before are smaller, so that none need be cleared */
    size_t cap_touched, cap_value, cap_grad, cap_index, cap_dvalue;
    ca_real *value;       /* [n_touched][width] */
    ca_real *grad;        /* [n_touched][width] */

    uint32_t *index;      /* this batch: place of each row's id among the touched */
    ca_real *dvalue;      /* this batch: gradient of each row's value, [batch][width] */
};

/* Rows are zero; a fault leaves a table that ca_table_fini accepts. */
int ca_table_init(struct ca_table *t, size_t rows, size_t width, int inference, struct ca_err *err) CA_CHECK_ME;
void ca_table_fini(struct ca_table *t);

/* Room for a batch of so many rows; the rest of this file allocates nothing. */
int ca_table_reserve(struct ca_table *t, size_t batch, struct ca_err *err) CA_CHECK_ME;

/* Bring the rows of ids[n] to the present, copy their weights, fill index from at on. */
void ca_table_touch(struct ca_table *t, const struct ca_adam_clock *clock, const uint32_t *ids, size_t at, size_t n);

/* out(n, width) = values of batch rows [from, from+n), after ca_table_touch. */
void ca_table_gather_touched(const struct ca_table *t, size_t from, size_t n, ca_real *out, size_t ld);

/* Have the first rows of ids[n] on their way to the caches: they are the next to be gathered. */
void ca_table_fetch(const struct ca_table *t, const uint32_t *ids, size_t n);

/* out(n, width) = present values of ids[n]; changes nothing. */
void ca_table_gather(const struct ca_table *t, const struct ca_adam_clock *clock, const uint32_t *ids, size_t n,
                     ca_real *out, size_t ld);

/* Keep the gradients (n, width) of batch rows [from, from+n). */
void ca_table_keep(struct ca_table *t, size_t from, size_t n, const ca_real *d, size_t ld);

/* Add the kept gradients of the batch to those of the touched rows, in row order; none to padding. */
void ca_table_accumulate(struct ca_table *t, size_t n);

/* Sum of squares of the accumulated gradients, and all of them times a. */
double ca_table_square(const struct ca_table *t);
void ca_table_scale(struct ca_table *t, ca_real a);

/* Step the touched rows (the clock has ticked), and forget touches and gradients. */
void ca_table_step(struct ca_table *t, const struct ca_adam_clock *clock);

/*
 * With weight decay every row has a gradient g + decay w in every step, so
 * nothing rests. Sum of squares over rows [from, to); a step on them with
 * these gradients times a, after which all of them stand at the present. The
 * caller forgets touches when all ranges are done.
 */
double ca_table_decayed_square(const struct ca_table *t, ca_real decay, size_t from, size_t to);
void ca_table_decayed_step(struct ca_table *t, const struct ca_adam_clock *clock, ca_real decay, ca_real a, size_t from,
                           size_t to);

/* Forget touches and gradients without a step: what was touched stands at the present. */
void ca_table_forget(struct ca_table *t, const struct ca_adam_clock *clock);

/* Move the touched rows against their gradients, p -= rate * g, and forget touches and gradients; moments stay. */
void ca_table_descend(struct ca_table *t, const struct ca_adam_clock *clock, ca_real rate);

/* Every row stands at the given step from now on, as it is; what is touched stays so. */
void ca_table_stand(struct ca_table *t, uint64_t step);

/* Bring rows [from, to) to the present. */
void ca_table_settle(struct ca_table *t, const struct ca_adam_clock *clock, size_t from, size_t to);

/* Gradient accumulated for a row, or NULL. */
const ca_real *ca_table_gradient(const struct ca_table *t, size_t row);

#endif
