/*
 * Operators that cross features: what the architectures of the literature do
 * with the embeddings v of F fields of width d, laid out field by field.
 * Shapes are of one row; pairs i < j come in lexicographic order. Matrices
 * start by xavier_normal, biases at 0, unless another rule is named.
 */
#ifndef CA_NN_OPS_CROSS_H
#define CA_NN_OPS_CROSS_H

#include "nn/graph.h"

/* ---- cross networks ---- */

/* y = x0 (w . x) + b, plus x when residual: NAME.weight.weight [1, D], NAME.bias [D]. DCN and, without residual, EDCN. */
ca_val ca_op_cross_vector(struct ca_graph *g, ca_val x0, ca_val x, const char *name, int residual);

/* y = x0 * (W x + b) + x: NAME.weight [D, D], NAME.bias [D]. DCNv2. */
ca_val ca_op_cross_matrix(struct ca_graph *g, ca_val x0, ca_val x, const char *name);

/*
 * y = base * ([h, h * m] + b) + x, where h and m have half the width of base
 * and x: NAME [D], U(0, 1). With base x an exponential cross layer (ECN),
 * with base x0 a linear one (LCN).
 */
ca_val ca_op_cross_masked(struct ca_graph *g, ca_val base, ca_val h, ca_val m, ca_val x, const char *name);

/* ---- pairs of fields ---- */

/* <v_i, v_j>: [F d] -> [F(F-1)/2]. */
ca_val ca_op_inner_pairs(struct ca_graph *g, ca_val v, size_t fields);

/* sum over pairs of v_i M_ij v_j: NAME [P, d, d]. Field-matrixed FM; to one number. */
ca_val ca_op_matrixed_pairs(struct ca_graph *g, ca_val v, const char *name, size_t fields);

/* sum over pairs and k of v_ik m_ijk v_jk: NAME [P, d]. Field-vectorised FM; to one number. */
ca_val ca_op_vectorized_pairs(struct ca_graph *g, ca_val v, const char *name, size_t fields);

enum ca_bilinear { CA_BILINEAR_ALL, CA_BILINEAR_EACH, CA_BILINEAR_INTERACTION };

/*
 * (v_i W) * v_j elementwise, [F d] -> [P d], with one W [d, d] (ALL), one of
 * each left field [F, d, d], or one of each pair [P, d, d]: NAME.
 */
ca_val ca_op_bilinear_forms(struct ca_graph *g, ca_val v, const char *name, size_t fields, enum ca_bilinear form);

/* ---- products and sums ---- */

/* a * b elementwise. */
ca_val ca_op_product(struct ca_graph *g, ca_val a, ca_val b);

/* [h2, h1] -> [h2, h1 * h2], halves of one even width. Factorised layer of FINAL. */
ca_val ca_op_factorize(struct ca_graph *g, ca_val x);

/* sum_k x_fk for each of `parts` equal parts: [parts d] -> [parts]. */
ca_val ca_op_part_sums(struct ca_graph *g, ca_val x, size_t parts);

/* The same divided by d: squeezing of squeeze-excitation. */
ca_val ca_op_part_means(struct ca_graph *g, ca_val x, size_t parts);

/* a_f x_f: [n d], [n] -> [n d]. */
ca_val ca_op_scale_parts(struct ca_graph *g, ca_val x, ca_val a);

/* y_f = sum_h W_fh v_h + b_f: NAME.weight [F, F] starting at 0, NAME.bias [F] starting at 1. Gate of FINAL. */
ca_val ca_op_mix_fields(struct ca_graph *g, ca_val v, const char *name, size_t fields);

/* [first halves of all fields, second halves of all fields]; d even. */
ca_val ca_op_split_halves(struct ca_graph *g, ca_val v, size_t fields);

/* softmax(NAME)_f v_f: NAME [F], starting at 1. Regulation of EDCN, temperature 1. */
ca_val ca_op_regulate(struct ca_graph *g, ca_val v, const char *name, size_t fields);

/*
 * sum over n heads of a_head W_head b_head, where a and b are cut into n equal
 * parts: NAME [a b / n, 1], head-major, N(0, 2 / (1 + rows)). Fusion of FinalMLP; to one number.
 */
ca_val ca_op_bilinear_fusion(struct ca_graph *g, ca_val a, ca_val b, const char *name, size_t heads);

/* ---- compressed interaction ---- */

/*
 * One CIN layer: y[o, k] = sum over h and m of W[o, h H + m] x0[h, k] x[m, k] + b[o], [F d], [H d] -> [out d]:
 * NAME.weight [out, F H, 1], NAME.bias [out].
 */
ca_val ca_op_cin(struct ca_graph *g, ca_val x0, ca_val x, const char *name, size_t fields, size_t out);

/* ---- logarithmic neurons ---- */

/* log max(|x|, 1e-5). */
ca_val ca_op_log_size(struct ca_graph *g, ca_val x);

/* y_jk = exp(sum_f W_jf l_fk), [F d] -> [n d]: NAME.weight [n, F]. AFN. */
ca_val ca_op_log_neurons(struct ca_graph *g, ca_val l, const char *name, size_t fields, size_t n);

#endif
