/*
 * Matrix products, and the one seam to BLAS: row-major helpers that state
 * their shapes. In float, on machines that multiply and add in one step, the
 * products are our own (nn/product.h) and their bits depend neither on the
 * machine nor on how rows are cut; elsewhere BLAS makes them, and equal bits
 * are promised per kernel and build. Always one thread; parallelism is ours.
 */
#ifndef CA_NN_BLAS_H
#define CA_NN_BLAS_H

#include <stddef.h>

#include "nn/real.h"

/* C(m,n) = beta C + A(m,k) B(n,k)^T */
void ca_gemm_nt(size_t m, size_t n, size_t k, const ca_real *a, size_t lda, const ca_real *b, size_t ldb, ca_real beta,
                ca_real *c, size_t ldc);
/* C(m,n) = beta C + A(m,k) B(k,n) */
void ca_gemm_nn(size_t m, size_t n, size_t k, const ca_real *a, size_t lda, const ca_real *b, size_t ldb, ca_real beta,
                ca_real *c, size_t ldc);
/* C(m,n) = beta C + A(k,m)^T B(k,n) */
void ca_gemm_tn(size_t m, size_t n, size_t k, const ca_real *a, size_t lda, const ca_real *b, size_t ldb, ca_real beta,
                ca_real *c, size_t ldc);

/*
 * One thread for every later call, and the end of the others. Cheap and idempotent. It is called when a program with this
 * file in it starts, and by ca_net_new, since the program may have changed the number meanwhile.
 */
void ca_blas_start(void);

/* "OpenBLAS 0.3.21 threaded SkylakeX, own products: AVX2" (or none): static storage of the calling thread. */
const char *ca_blas_engine(void);

#endif
