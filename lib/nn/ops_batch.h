/*
 * Operators of which training and inference have different ideas, and pooling
 * of sequences. Shapes are of one row.
 */
#ifndef CA_NN_OPS_BATCH_H
#define CA_NN_OPS_BATCH_H

#include "nn/graph.h"

struct ca_batch_norm {
    int affine;           /* NAME.weight = 1 and NAME.bias = 0, [channels] */
    double eps, momentum; /* running = (1 - momentum) running + momentum batch */
    size_t repeats;       /* a row holds all channels so many times, as for the places of a sequence; 0: once */
};
extern const struct ca_batch_norm ca_batch_norm_default; /* PyTorch's: affine, 1e-5, 0.1 */

/*
 * BatchNorm1d, [C L] -> [C L]: in training each channel by mean and biased
 * variance over the batch and its L numbers, in inference by the running ones
 * (NAME.running_mean, NAME.running_var, of the unbiased variance). channels 0:
 * every number is one. A batch of one row is normed to the bias.
 */
ca_val ca_op_batch_norm(struct ca_graph *g, ca_val x, const char *name, size_t channels, const struct ca_batch_norm *how);

/*
 * y = x (p + a (1 - p)), p = sigmoid of x normed by NAME.bn (not affine, eps
 * 1e-9, momentum 0.01), on each of `parts` equal parts [n]: NAME.alpha [n] = 0.
 */
ca_val ca_op_dice(struct ca_graph *g, ca_val x, const char *name, size_t parts);

/*
 * In training each number is 0 with probability p, else divided by 1 - p; in
 * inference nothing happens, and nothing is added to the graph for p = 0. The
 * mask follows from the seed, the steps made, the row of the batch and the
 * place of the number.
 */
ca_val ca_op_dropout(struct ca_graph *g, ca_val x, double p);

/*
 * [places * d] -> [d]: the sum of the vectors over the number of those that do
 * not sum to 0, plus 1e-12: FuxiCTR's masked average pooling.
 */
ca_val ca_op_masked_mean(struct ca_graph *g, ca_val x, size_t places);

#endif
