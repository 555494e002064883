/*
 * The inside of a graph, for graph.c and net.c only: nodes, values and where
 * each value lies in a worker's memory.
 */
#ifndef CA_NN_PLAN_H
#define CA_NN_PLAN_H

#include "nn/graph.h"

/* A value. It may lie inside a wider one (its root) that a concat makes of it. */
struct ca_value {
    size_t width;
    int node;     /* its producer, or -1 for a source */
    int root;     /* the value whose buffer holds it; itself when it has its own */
    size_t at;    /* column inside the root */
    size_t ld;    /* row length of the root's buffer */
    size_t place; /* offset of the root's buffer in the value memory, in elements */
};

struct ca_node {
    struct ca_op op;
    int in[CA_OP_MAX_INPUTS];
    int out;
    size_t scratch; /* offset in the scratch memory, in elements */
};

/* Embeddings of all fields: n_fields tables from first_table on. */
struct ca_embed {
    int val;
    size_t first_table;
    size_t width;
};

struct ca_graph {
    struct ca_inputs in;
    enum ca_family family;
    struct ca_arena arena;
    struct ca_err fault;
    int finished;
    int numeric; /* value, or -1 while unused */
    int logit;

    struct ca_value *value;
    size_t n_values, cap_values;
    struct ca_node *node;
    size_t n_nodes, cap_nodes;
    struct ca_embed *embed;
    size_t n_embeds, cap_embeds;
    struct ca_param *param;
    size_t n_params, cap_params;
    struct ca_table_spec *table;
    size_t n_tables, cap_tables;

    size_t dense_count;
    size_t chunk_rows;
    size_t lanes;
    size_t value_size;   /* elements of all values of a chunk */
    size_t scratch_size; /* elements of all scratch of a chunk */
};

extern const struct ca_op_type ca_op_type_concat;

#endif
