/*
 * Operators of models whose embeddings are angles: EulerNet and RFM. A vector
 * of n complex numbers is [2n]: all real parts, then all imaginary ones.
 * Shapes are of one row.
 */
#ifndef CA_NN_OPS_ANGLE_H
#define CA_NN_OPS_ANGLE_H

#include "nn/graph.h"

/* mu_f (cos e + i sin e): [F d] -> [2 F d]. MU [1, F, 1], starting at 1; NULL: always 1. */
ca_val ca_op_circle(struct ca_graph *g, ca_val e, const char *mu, size_t fields);

/* Logarithm of complex numbers, [log(re^2 + im^2 + 1e-8) / 2, atan2(im, re)]: [2n] -> [2n]. No derivative at 0. */
ca_val ca_op_complex_log(struct ca_graph *g, ca_val z);

/* [e^a cos b, e^a sin b] of [a, b]: [2n] -> [2n]. */
ca_val ca_op_complex_exp(struct ca_graph *g, ca_val z);

/*
 * Order vectors of EulerNet over the fields of logarithms, [2 from d] -> [2 to d]: y_o = sum_f O_fo x_f + b, with
 * NAME.inter_orders [from, to], the identity at the start or, where from is not to, near one-hot columns; and
 * NAME.bias_lam and NAME.bias_theta [1, d, to], N(0, 0.01^2), of the first and the second half.
 */
ca_val ca_op_orders(struct ca_graph *g, ca_val x, const char *name, size_t from, size_t to);

/* Layer norm of each of n parts of the real half with NAME1.{weight, bias}, of the imaginary half with NAME2. */
ca_val ca_op_complex_norm(struct ca_graph *g, ca_val z, const char *name1, const char *name2, size_t parts);

/*
 * Self-attentive rotation (RFM), three times [F a] -> [F a]: with the a components cut into heads of n = a / heads,
 * y_i = sum_j sigmoid(sum_k w_k cos(q_ik - k_jk)) v_j. NAME [1, n], shared by the heads, N(0, (1.414^2) 2 / (1 + n)).
 */
ca_val ca_op_rotative_attention(struct ca_graph *g, ca_val q, ca_val k, ca_val v, const char *name, size_t fields,
                                size_t heads);

#endif
