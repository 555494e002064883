#include "nn/blas.h"

#include <cblas.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "nn/product.h"

#include "base/banned.h"

#ifdef CA_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

/*
 * OpenBLAS built without threads keeps its work buffers in a table without a
 * lock (Debian's serial flavour does): two callers at once corrupt each
 * other's products. There they go one at a time.
 */
static pthread_mutex_t serial_gate = PTHREAD_MUTEX_INITIALIZER;

/*
 * Where the machine has a fused tile the product is ours: a training step is 3 to 8 % faster than with OpenBLAS on the
 * networks of the paper. Shapes are those of one chunk and one layer: graph.c bounds both far below INT_MAX.
 */
static void gemm(enum CBLAS_TRANSPOSE ta, enum CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const ca_real *a,
                 size_t lda, const ca_real *b, size_t ldb, ca_real beta, ca_real *c, size_t ldc)
{
    int gate = !openblas_get_parallel();

    if (!m || !n)
        return;
    if (k && (beta == 0 || beta == 1) && ca_tile_kind() != CA_TILE_PLAIN) {
        const struct ca_product p = {.m = m, .n = n, .k = k, .a = a, .a_row = ta == CblasNoTrans ? lda : 1,
                                     .a_k = ta == CblasNoTrans ? 1 : lda, .b = b, .ldb = ldb,
                                     .b_turned = tb == CblasTrans, .c = c, .ldc = ldc, .add = beta == 1};
        ca_product(ca_tile_best(), &p);
        return;
    }
    if (gate)
        (void)pthread_mutex_lock(&serial_gate);
    GEMM(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, 1, a, (blasint)lda, b, (blasint)ldb, beta, c,
         (blasint)ldc);
    if (gate)
        (void)pthread_mutex_unlock(&serial_gate);
}

void ca_gemm_nt(size_t m, size_t n, size_t k, const ca_real *a, size_t lda, const ca_real *b, size_t ldb, ca_real beta,
                ca_real *c, size_t ldc)
{
    gemm(CblasNoTrans, CblasTrans, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

void ca_gemm_nn(size_t m, size_t n, size_t k, const ca_real *a, size_t lda, const ca_real *b, size_t ldb, ca_real beta,
                ca_real *c, size_t ldc)
{
    gemm(CblasNoTrans, CblasNoTrans, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

void ca_gemm_tn(size_t m, size_t n, size_t k, const ca_real *a, size_t lda, const ca_real *b, size_t ldb, ca_real beta,
                ca_real *c, size_t ldc)
{
    gemm(CblasTrans, CblasNoTrans, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

/*
 * What OpenBLAS itself does before a fork: its threads, made when it was loaded, end. Nobody gives them work here, and
 * they would spin for a tenth of a second on a processor that is wanted. Flavours without threads lack it.
 */
extern int blas_thread_shutdown_(void) __attribute__((weak));

void ca_blas_start(void)
{
    openblas_set_num_threads(1);
    if (blas_thread_shutdown_)
        (void)blas_thread_shutdown_();
}

/* Also for programs that load OpenBLAS and never make a network. */
__attribute__((constructor)) static void start(void)
{
    ca_blas_start();
}

const char *ca_blas_engine(void)
{
    static _Thread_local char text[128];
    const char *config = openblas_get_config();
    int version = (int)strcspn(config + strcspn(config, " ") + 1, " ");

    /* config starts "OpenBLAS 0.3.21 ..." */
    (void)snprintf(text, sizeof text, "%.*s %s %s, own products: %s", (int)strcspn(config, " ") + 1 + version, config,
                   openblas_get_parallel() ? "threaded" : "serial", openblas_get_corename(),
                   ca_tile_kind() == CA_TILE_PLAIN ? "none" : ca_tile_name(ca_tile_kind()));
    return text;
}
