/*
 * Operators over the fields of a row, each a vector: maps of the vectors, sums
 * over fields, a choice of fields. Shapes are of one row.
 */
#ifndef CA_NN_OPS_FIELDS_H
#define CA_NN_OPS_FIELDS_H

#include "nn/graph.h"

/* x[from], ..., x[from + n - 1]: [w] -> [n]. */
ca_val ca_op_range(struct ca_graph *g, ca_val x, size_t from, size_t n);

/*
 * One linear map for several vectors. The parameters are made first, NAME.weight [out, in] and, when bias is not NULL,
 * NAME.bias [out], and the map then taken to `parts` equal parts of x, [parts in] -> [parts out]: y_p = W x_p + b.
 * The handle serves any number of values of that width.
 */
size_t ca_op_map_params(struct ca_graph *g, const char *name, size_t in, size_t out, struct ca_init_rule weight,
                        const struct ca_init_rule *bias);
ca_val ca_op_map(struct ca_graph *g, ca_val x, size_t first, size_t parts, size_t out, int bias);

/* A linear map of its own for each field, v_f W_f: [F d] -> [F out]. NAME [F, d, out], started by rule. */
ca_val ca_op_field_maps(struct ca_graph *g, ca_val v, const char *name, size_t fields, size_t out,
                        struct ca_init_rule rule);

/* y_i = sum_f A_if v_f: NAME [F, F], starting as the identity. */
ca_val ca_op_connect_fields(struct ca_graph *g, ca_val v, const char *name, size_t fields);

/*
 * Sums over the edges f <= s of a graph of fields (DAGFM): y_s = sum_f P_fs * h_f elementwise, P: NAME [F, F, d],
 * N(0, 1); and y_s = sum_f <h_f, P_fs> Q_fs with both [F, F, d], xavier_normal with gain 1.414. Weights of other
 * edges are there and never used.
 */
ca_val ca_op_dag_inner(struct ca_graph *g, ca_val h, const char *p, size_t fields);
ca_val ca_op_dag_outer(struct ca_graph *g, ca_val h, const char *p, const char *q, size_t fields);

/*
 * Multi-head self-attention of AutoInt's own paper, [F d] -> [F width]: softmax(q k^T) v in each head, the scores divided
 * by the root of a head's width when scaled. NAME.W_q.weight, NAME.W_k.weight, NAME.W_v.weight [width, d] without biases,
 * started as the graph's family does. heads divides width. (nn/op_attention.c)
 */
ca_val ca_op_bare_attention(struct ca_graph *g, ca_val v, const char *name, size_t fields, size_t width, size_t heads,
                            int scaled);

#endif
