/*
 * The operators. Shapes are of one row; backward formulas are those of the
 * specification, each proved by finite differences in double in the tests.
 */
#ifndef CA_NN_OPS_H
#define CA_NN_OPS_H

#include "nn/graph.h"

/* [n1], [n2], ... -> [n1+n2+...]. Laid out so that no copy is made where an input has no other shape to keep. */
ca_val ca_op_concat(struct ca_graph *g, const ca_val *in, size_t n);

/* y = x W^T + b: NAME.weight [out, in], NAME.bias [out], started as the graph's family does. bias 0: none. */
ca_val ca_op_linear(struct ca_graph *g, ca_val x, const char *name, size_t out, int bias);

#define CA_LAYER_NORM_EPS 1e-5 /* PyTorch's default */

/* LayerNorm over the row, eps 1e-5, biased variance: NAME.weight [n] = 1, NAME.bias [n] = 0. */
ca_val ca_op_layer_norm(struct ca_graph *g, ca_val x, const char *name);

/* The same over each of the fields of a row, [F*d], with one NAME.weight [d] and NAME.bias [d]. */
ca_val ca_op_field_norm(struct ca_graph *g, ca_val x, const char *name, size_t fields);

ca_val ca_op_relu(struct ca_graph *g, ca_val x);

/* y = x + b: NAME [n], starting at 0. */
ca_val ca_op_bias(struct ca_graph *g, ca_val x, const char *name);

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
 * A linear layer on x and the bilinear pairs of v, y = [x, p(v)] W^T + b, with the pairs p as above, of BILINEAR.weight
 * [d, d]; NAME.weight [out, nx + F(F-1)/2 * d], NAME.bias [out]. One operator, which never holds all pairs, where the
 * machine has the kernels for it; else the two above and a concat.
 */
ca_val ca_op_pair_linear(struct ca_graph *g, ca_val x, ca_val v, const char *bilinear, const char *name, size_t fields,
                         size_t out);

/* y = in[0] + in[1] + ..., all of one width. */
ca_val ca_op_sum(struct ca_graph *g, const ca_val *in, size_t n);

/*
 * Bi-interaction pooling, [F*d] -> [d]: z = sum over i < j of v_i * v_j
 * elementwise = ((sum v)^2 - sum v^2) / 2. Summed, it is the second-order term of FM.
 */
ca_val ca_op_pair_pool(struct ca_graph *g, ca_val v, size_t fields);

/*
 * Cross layers (DCN, CA form: the bias is one number inside), [D] -> [D]: x_{l+1} = x0 (w_l.x_l + b_l) + x_l, l from 0.
 * NAME.l.weight [1, D], NAME.l.bias [1], both U(-1/sqrt(D), 1/sqrt(D)). At most four layers.
 */
ca_val ca_op_cross(struct ca_graph *g, ca_val x0, const char *name, size_t layers);

/* Linear form of the outer product of fields, [F*d] -> [1]: y = sum_hmk w_hmk v_hk v_mk + b. NAME.weight [1, F*F*d], NAME.bias [1]. */
ca_val ca_op_outer_form(struct ca_graph *g, ca_val v, const char *name, size_t fields);

/* s [1], v [n] -> [1]: y = s (w.v) + b. NAME.weight [1, n], NAME.bias [1]. */
ca_val ca_op_scaled_form(struct ca_graph *g, ca_val s, ca_val v, const char *name);

/*
 * Multi-head self-attention over the F fields of width d (AutoInt, CA form =
 * PyTorch's MultiheadAttention without mask or dropout), [F*d] -> [F*d].
 * NAME.in_proj_weight [3d, d] (queries, keys, values), Xavier-uniform as one matrix; NAME.in_proj_bias [3d] = 0;
 * NAME.out_proj.weight [d, d], U(-1/sqrt(d), 1/sqrt(d)); NAME.out_proj.bias [d] = 0. heads divides d.
 * The parameters are made first, so that a model may have them in the order of its file; first is their handle.
 */
size_t ca_op_attention_params(struct ca_graph *g, const char *name, size_t d);
ca_val ca_op_attention(struct ca_graph *g, ca_val v, size_t first, size_t fields, size_t heads);

/* The layer of AutoInt: LayerNorm of attention(v) + v, field by field. NORM.weight [d] = 1, NORM.bias [d] = 0. */
ca_val ca_op_attention_layer(struct ca_graph *g, ca_val v, size_t first, size_t fields, size_t heads, const char *norm);

/*
 * Attention over the pairs of fields (AFM), [F*d] -> [d]: e_ij = v_i * v_j elementwise for i < j,
 * a_ij = h . relu(W e_ij + b), z = sum softmax(a)_ij e_ij. LINEAR.weight [t, d], LINEAR.bias [t], H.weight [1, t],
 * all started as the graph's family does. No field pairs: z = 0. Training drops the share drop of the weights.
 */
ca_val ca_op_pair_attention(struct ca_graph *g, ca_val v, const char *linear, const char *h, size_t fields, size_t t,
                            double drop);

/* The hidden part of the dense block below: for each width Linear -> LayerNorm -> ReLU. */
ca_val ca_op_hidden_block(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden);

/*
 * Every number of the input through a linear map of its own, without bias:
 * [N] -> [N * width], "PREFIX.NAME.weight" [width, 1] with the feature's name.
 */
ca_val ca_op_embed_numeric(struct ca_graph *g, const char *prefix, size_t width);

/*
 * The fields of an FX model, each a vector: numeric features first, then
 * categorical ones, then sequences by their masked mean: [(N + F + S) * width].
 * NAME.embedding_layer.embedding_layers.FEATURE.weight. shared: a sequence
 * looks into the table of the field that it names (else it has its own).
 */
#define CA_SEQUENCES_MAX 64
ca_val ca_op_fx_fields(struct ca_graph *g, const char *name, size_t width, int shared);

/*
 * The first-order term of an FX model, to one number: the sum of the fields at
 * width 1 in tables of their own, under NAME.embedding_layer, and a bias when
 * asked, NAME.bias [1]. Make it after the main embedding.
 */
ca_val ca_op_fx_lr(struct ca_graph *g, const char *name, int bias);

/*
 * The CA dense block: for each hidden width Linear -> LayerNorm -> ReLU, then
 * Linear to 1. NAME.0, NAME.1, NAME.3, NAME.4, ... as PyTorch numbers a Sequential.
 */
ca_val ca_op_mlp_block(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden);

/* The same from the output of NAME.0 on, of width hidden[0], however it was made. At least one hidden width. */
ca_val ca_op_mlp_block_rest(struct ca_graph *g, ca_val first, const char *name, const size_t *hidden, size_t n_hidden);

#endif
