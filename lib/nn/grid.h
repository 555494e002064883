/*
 * Products of small matrices whose elements are vectors, a row of the batch in
 * each lane (nn/lanes.h): what the weights of tile.h are not, each row's own.
 * Sums stay in registers; every element is one chain over k from the first to
 * the last, begun at 0, a product rounded and then added.
 */
#ifndef CA_NN_GRID_H
#define CA_NN_GRID_H

#include "nn/simd.h"

/* Element (i, j) is the vector at p[(i * row + j * col) * CA_LANES]. */
struct ca_grid {
    ca_real *p;
    size_t row, col;
};

/* The same, columns as rows. */
static inline struct ca_grid ca_grid_turned(struct ca_grid g)
{
    return (struct ca_grid){g.p, g.col, g.row};
}

/* c(m, n) = scale a(m, k) b(k, n); c overlaps neither. */
struct ca_grid_product {
    size_t m, n, k;
    struct ca_grid a, b, c;
    ca_real scale;
};

void ca_grid_product(const struct ca_grid_product *g);

/* The same on top of what is in c. */
void ca_grid_product_add(const struct ca_grid_product *g);

#endif
