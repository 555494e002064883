/*
 * The operators. Shapes are of one row; backward formulas are those of the
 * specification, each proved by finite differences in double in the tests.
 */
#ifndef CA_NN_OPS_H
#define CA_NN_OPS_H

#include "nn/graph.h"

/* [n1], [n2], ... -> [n1+n2+...]. Laid out so that no copy is made where an input has no other shape to keep. */
ca_val ca_op_concat(struct ca_graph *g, const ca_val *in, size_t n);

/* y = x W^T + b: NAME.weight [out, in], NAME.bias [out]; both U(-1/sqrt(in), 1/sqrt(in)). bias 0: none. */
ca_val ca_op_linear(struct ca_graph *g, ca_val x, const char *name, size_t out, int bias);

/* LayerNorm over the row, eps 1e-5, biased variance: NAME.weight [n] = 1, NAME.bias [n] = 0. */
ca_val ca_op_layer_norm(struct ca_graph *g, ca_val x, const char *name);

ca_val ca_op_relu(struct ca_graph *g, ca_val x);

/*
 * Squeeze-excitation over F fields of width d (FiBiNET, CA form): z_f = mean_k v_fk,
 * A = sigmoid(W2 relu(W1 z + b1) + b2), out [F*d] = A_f v_f. R = max(1, F/ratio).
 * NAME.squeeze.{weight [R,F], bias}, NAME.excitation.{weight [F,R], bias}.
 */
ca_val ca_op_senet(struct ca_graph *g, ca_val v, const char *name, size_t fields, size_t ratio);

/*
 * Bilinear pairs, field_all (FiBiNET, CA form): p_ij = (W v_i) * v_j elementwise, for i < j in
 * lexicographic order: [F*d] -> [F(F-1)/2 * d]. NAME.weight [d, d], no bias, U(-1/sqrt(d), 1/sqrt(d)).
 */
ca_val ca_op_bilinear_pairs(struct ca_graph *g, ca_val v, const char *name, size_t fields);

/*
 * The CA dense block: for each hidden width Linear -> LayerNorm -> ReLU, then
 * Linear to 1. NAME.0, NAME.1, NAME.3, NAME.4, ... as PyTorch numbers a Sequential.
 */
ca_val ca_op_mlp_block(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden);

#endif
