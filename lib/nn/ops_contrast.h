/*
 * Operators of losses that look at representations and not at a logit, and of
 * networks that only training needs (CL4CTR). Shapes are of one row; where a
 * value is of the batch, it is the mean of the rows' outputs.
 */
#ifndef CA_NN_OPS_CONTRAST_H
#define CA_NN_OPS_CONTRAST_H

#include "nn/graph.h"

/* y = sum_i weight[i] x_i, at most 4 values of one width. */
ca_val ca_op_blend(struct ca_graph *g, const ca_val *x, const double *weight, size_t n);

/* [n], [n] -> [1]: sum_k (a_k - b_k)^2. */
ca_val ca_op_square_distance(struct ca_graph *g, ca_val a, ca_val b);

/*
 * Feature alignment, [F d] -> [1]: the mean over the batch is that of |e_af - e_bf|^2 over all pairs of rows a, b and
 * all fields. It looks at the whole batch: in inference, and for a batch of one row, it is 0.
 */
ca_val ca_op_align(struct ca_graph *g, ca_val v, size_t fields);

/* Field uniformity, [F d] -> [1]: mean over all i, j of <e_i, e_j> / (|e_i| |e_j| + 1e-4). */
ca_val ca_op_uniform(struct ca_graph *g, ca_val v, size_t fields);

/*
 * Transformer encoder layer, post-norm with ReLU, over `fields` vectors of each of `sets` sets that do not know of each
 * other: x = LN1(x + drop(attention(x))); x = LN2(x + drop(W2 drop(relu(W1 x + b1)) + b2)); [sets F d] -> the same.
 * The share `drop` is also dropped of the attention's weights. As PyTorch's TransformerEncoderLayer: NAME.self_attn,
 * with in_proj_weight [3d, d], in_proj_bias, out_proj.weight, out_proj.bias; NAME.linear1 [hidden, d], NAME.linear2
 * [d, hidden]; NAME.norm1, NAME.norm2 [d]. heads divides d. Of its insides nothing is kept from forward to backward.
 */
struct ca_encoder_shape {
    size_t sets, fields, heads, hidden;
    double drop;
};
ca_val ca_op_encoder_layer(struct ca_graph *g, ca_val x, const char *name, const struct ca_encoder_shape *shape);

#endif
