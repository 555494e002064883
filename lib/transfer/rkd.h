/*
 * Relational distillation, RKD (CrossAdapt, baseline of table 1): distances
 * between the rows of a batch, and angles among three of them, are to be in the
 * student's embedding s as they are in the teacher's t:
 *
 *   lambda * (25 L_dist + 50 L_angle)
 *
 * L_dist is the mean over drawn pairs of SmoothL1(d_s / mean d_s - d_t / mean d_t),
 * d the Euclidean distance of the two rows, the mean clamped at 1e-6 and
 * differentiated like the rest. L_angle is the mean over drawn triplets (a, b, c)
 * of SmoothL1(cos_s - cos_t), cos of the angle between b-a and c-a, the product
 * of the two norms clamped at 1e-6. Neither asks how wide a row is, so the two
 * embeddings need not be of equal width.
 */
#ifndef CA_TRANSFER_RKD_H
#define CA_TRANSFER_RKD_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "nn/real.h"

#define CA_RKD_DRAWS 2048 /* pairs, and triplets, a batch */
#define CA_RKD_EPS 1e-6
#define CA_RKD_DISTANCE 25.0
#define CA_RKD_ANGLE 50.0

/* Rows [rows, width], ld elements apart. */
struct ca_rkd_rows {
    const ca_real *at;
    size_t ld, width;
};

/* What was drawn for the batch at hand; some 100 kB. */
struct ca_rkd {
    struct ca_rng pairs, triplets;
    size_t n_pairs, n_triplets;
    uint32_t pair[CA_RKD_DRAWS][2];
    uint32_t triplet[CA_RKD_DRAWS][3];
    double distance[2][CA_RKD_DRAWS]; /* student, teacher */
};

void ca_rkd_init(struct ca_rkd *r, uint64_t seed);

/*
 * Draw for a batch of rows (below 2^32): uniformly, with replacement, by the
 * number of the step alone. Draws that name a row twice are left out, so a
 * batch of one row has no pairs and one of two no triplets: their losses are 0.
 */
void ca_rkd_draw(struct ca_rkd *r, uint64_t step, size_t rows);

/*
 * The loss of what was drawn, and ADDS its gradient to ds (as s, ld_ds apart).
 * Where the derivative does not exist it is taken as 0: at a distance of 0, and
 * at a product of norms below the clamp. There rows have equal ids, and what is
 * left out would cancel in the tables.
 */
double ca_rkd_loss(struct ca_rkd *r, double lambda, const struct ca_rkd_rows *s, const struct ca_rkd_rows *t,
                   ca_real *ds, size_t ld_ds);

#endif
