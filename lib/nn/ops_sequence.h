/*
 * Operators over the places of a sequence, each a vector of width M (DMIN,
 * specification: models 24). A mask has 1 for a place that holds something,
 * else 0. Shapes are of one row.
 */
#ifndef CA_NN_OPS_SEQUENCE_H
#define CA_NN_OPS_SEQUENCE_H

#include "nn/graph.h"

struct ca_sequence_attention {
    size_t places, heads;
    double dropout;   /* of the weights, after the softmax */
    int add_one;      /* masked scores get 1 added instead of being taken out: what the reference implementation does in DMIN's refiner */
};

/*
 * Causal self-attention, qkv [places 3M] (each place its query, key and value),
 * mask [places] -> [places M], heads side by side: place i sees the places
 * j <= i that hold something, and itself. Scores are divided by sqrt(M / heads).
 */
ca_val ca_op_sequence_attention(struct ca_graph *g, ca_val qkv, ca_val mask, const struct ca_sequence_attention *how);

/*
 * [M] -> [places (M + p)]: the vector at every place, followed by the place's
 * own p numbers, NAME [places, p], starting at 0; p 0: the vector alone.
 */
ca_val ca_op_at_places(struct ca_graph *g, ca_val x, const char *name, size_t places, size_t p);

/* Numbers [from, from + n) of each place: [places M] -> [places n]. */
ca_val ca_op_range_of_places(struct ca_graph *g, ca_val x, size_t places, size_t from, size_t n);

/* n values [places d] -> [places (n d)]: what they have at a place side by side. */
ca_val ca_op_join_places(struct ca_graph *g, const ca_val *in, size_t n, size_t places);

/* t, y [places M] -> [places 4M]: t, y, t - y, t * y of each place. */
ca_val ca_op_compare_places(struct ca_graph *g, ca_val t, ca_val y, size_t places);

/* sum_j a_j y_j with a the softmax of the scores of places that hold something; of all, where none does. [M] */
ca_val ca_op_attend_places(struct ca_graph *g, ca_val score, ca_val mask, ca_val y, size_t places);

#endif
