/*
 * The inner loop of our own matrix products: a strip of rows of C, made of
 * tiles that stay in registers while k runs. It exists for the instruction
 * sets that multiply and add in one step; other machines have BLAS, and the
 * plain twin for what BLAS has no shape for.
 *
 * Order of a sum: every element of C is one chain over k from the first to the
 * last, begun at 0 and then added to what was there. So its bits depend neither
 * on the tile it falls into nor on the number of rows, and those of AVX2 and
 * AVX-512 are equal; the plain twin rounds once more a step.
 */
#ifndef CA_NN_TILE_H
#define CA_NN_TILE_H

#include "nn/simd.h"

#define CA_TILE_LANES 3                         /* vectors of CA_LANES side by side in a tile */
#define CA_TILE_COLS (CA_TILE_LANES * CA_LANES)
#define CA_TILE_STEPS 256                       /* of k at a time: B's panel (48 KiB) streams from the second-level cache */

/* C(rows, lanes CA_LANES) = A(rows, k) B(k, lanes CA_LANES), on top of C when add. lanes is 1 to CA_TILE_LANES. */
struct ca_strip {
    size_t rows, lanes, k;
    const ca_real *a;       /* element (i, l) at a[i * a_row + l * a_k] */
    size_t a_row, a_k;
    const ca_real *b;       /* element (l, j) at b[l * b_k + j] */
    size_t b_k;
    ca_real *c;             /* element (i, j) at c[i * c_row + j] */
    size_t c_row;
    int add;
};

typedef void ca_tile(const struct ca_strip *s);

enum ca_tile_kind { CA_TILE_PLAIN, CA_TILE_AVX2, CA_TILE_AVX512, CA_TILE_KINDS };

/* NULL where this machine, or the double build, does not have it. Plain is always there. */
ca_tile *ca_tile_of(enum ca_tile_kind kind);

/* The fastest there is. */
enum ca_tile_kind ca_tile_kind(void);
ca_tile *ca_tile_best(void);

/* "plain", "AVX2", "AVX-512" */
const char *ca_tile_name(enum ca_tile_kind kind);

/* to(cols, lanes CA_LANES) = from(rows, cols) turned, rows <= lanes CA_LANES; columns without a row are 0. */
void ca_tile_turn(size_t rows, size_t cols, const ca_real *from, size_t ld, size_t lanes, ca_real *to);

#endif
