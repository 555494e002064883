/*
 * The way back through a graph, planned for the gradients that are wanted:
 * which values need one, which operator is the first to write a gradient and
 * may overwrite instead of adding, and what must be zero before all begins.
 */
#ifndef CA_NN_BACKPLAN_H
#define CA_NN_BACKPLAN_H

#include "nn/plan.h"

/* Columns of a buffer to clear. */
struct ca_back_clear {
    size_t place, ld; /* as in struct ca_value */
    size_t at, width;
};

struct ca_backplan {
    unsigned char *need;         /* by value: is its gradient wanted? */
    unsigned char *fresh;        /* by node: its input's gradient holds nothing yet */
    struct ca_back_clear *clear;
    size_t n_clear;
    unsigned char *column;       /* work: state of each column of each buffer */
};

/* Memory for any plan of the graph; a fault leaves what ca_backplan_fini accepts. */
int ca_backplan_init(struct ca_backplan *b, const struct ca_graph *g, struct ca_err *err) CA_CHECK_ME;
void ca_backplan_fini(struct ca_backplan *b);

/* which: CA_STEP_DENSE, CA_STEP_TABLES. */
void ca_backplan_make(struct ca_backplan *b, const struct ca_graph *g, unsigned which);

#endif
