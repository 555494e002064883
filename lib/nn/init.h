/* How parameters start: draws keyed by (seed, "init " + tensor name, element), so order and threads change nothing. */
#ifndef CA_NN_INIT_H
#define CA_NN_INIT_H

#include <stddef.h>
#include <stdint.h>

#include "nn/graph.h"

/*
 * Elements [from, to) of the tensor, seen as rows of width elements that lie
 * stride apart from p on (p is row 0). width is the divisor only: pass to = n,
 * width = stride = n for a flat tensor.
 */
void ca_init_fill(ca_real *p, size_t width, size_t stride, uint64_t from_row, uint64_t to_row,
                  const struct ca_init_rule *rule, uint64_t seed, const char *name);

/*
 * While a graph is built: the tables of that embedding start by xavier_normal of [rows, width], whatever rule they were
 * made with. Padding stays zero.
 */
void ca_init_tables_xavier(struct ca_graph *g, size_t embed);
void ca_init_tables(struct ca_graph *g, size_t embed, struct ca_init_rule rule); /* the same by a rule */

#endif
