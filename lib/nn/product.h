/*
 * Our own matrix products, for machines with a fused tile (nn/tile.h). On the
 * shapes of these networks they beat BLAS, which packs both sides for every
 * call; and their bits depend neither on the kernel that BLAS picks nor on how
 * rows are cut. Called by nn/blas.c only.
 */
#ifndef CA_NN_PRODUCT_H
#define CA_NN_PRODUCT_H

#include "nn/tile.h"

/* A product C(m,n) = A B on top of C when add. a_row, a_k: strides of A(m,k); b_turned: B is stored as (n,k). */
struct ca_product {
    size_t m, n, k;
    const ca_real *a;
    size_t a_row, a_k;
    const ca_real *b;
    size_t ldb;
    int b_turned;
    ca_real *c;
    size_t ldc;
    int add;
};

void ca_product(ca_tile *tile, const struct ca_product *p);

#endif
