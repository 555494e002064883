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
    size_t stats, back_stats; /* offsets among the statistics of a batch */
    int for_logit;            /* the logit depends on it; else it is there for training or for other heads */
};

/* One vector of an embedding: the row of a table that a column of ids names, the use-th of the table's columns. */
struct ca_slot {
    size_t table, column, use;
};

/* A value made of vectors of one width, one after another: the fields of an embedding, or the places of a sequence. */
struct ca_embed {
    int val;
    size_t width;
    size_t first_slot, n_slots;
    size_t family;       /* number of the embedding that its tables belong to */
    const char *prefix;
    size_t sequence;     /* CA_NO_FIELD for the fields themselves */
    int shared;
};

/* Sources that are read off columns of ids: is there an id (a sequence), which one is it (the domain)? */
struct ca_flags {
    int val;
    size_t column, n;
    int one_hot;         /* one column of ids below n, else n columns */
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
    size_t n_families;     /* embeddings; their sequences are of the same family */
    struct ca_slot *slot;
    size_t n_slots, cap_slots;
    struct ca_flags *flags;
    size_t n_flags, cap_flags;
    int *head;             /* values of all outputs; the first is the logit */
    size_t n_heads, cap_heads;
    const struct ca_objective *objective;
    struct ca_buffer *buffer;
    size_t n_buffers, cap_buffers;
    size_t buffer_count;   /* elements of all buffers */
    struct ca_param *param;
    size_t n_params, cap_params;
    struct ca_table_spec *table;
    size_t n_tables, cap_tables;

    size_t dense_count;
    size_t chunk_rows;
    size_t lanes;
    size_t value_size;   /* elements of all values of a chunk */
    size_t scratch_size; /* elements of all scratch of a chunk */
    size_t stats_size, back_stats_size; /* numbers of all operators that look at a batch */
};

extern const struct ca_op_type ca_op_type_concat;

#endif
