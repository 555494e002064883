/* nn/blas: each product against a plain loop, odd shapes and gaps between rows, alone and from several threads at once. */
#include <stdlib.h>

#include "base/pool.h"
#include "base/rng.h"
#include "nn/blas.h"
#include "tap.h"

enum kind { NT, NN, TN };

static const char *const name_of[] = {"A B^T", "A B", "A^T B"};

static void plain(enum kind kind, size_t m, size_t n, size_t k, const ca_real *a, size_t lda, const ca_real *b,
                  size_t ldb, ca_real beta, ca_real *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double s = 0;
            for (size_t l = 0; l < k; l++)
                s += (double)(kind == TN ? a[l * lda + i] : a[i * lda + l]) *
                     (double)(kind == NT ? b[j * ldb + l] : b[l * ldb + j]);
            c[i * ldc + j] = (ca_real)((double)beta * (double)c[i * ldc + j] + s);
        }
}

static void product(enum kind kind, size_t m, size_t n, size_t k, const ca_real *a, size_t lda, const ca_real *b,
                    size_t ldb, ca_real beta, ca_real *c, size_t ldc)
{
    if (kind == NT)
        ca_gemm_nt(m, n, k, a, lda, b, ldb, beta, c, ldc);
    else if (kind == NN)
        ca_gemm_nn(m, n, k, a, lda, b, ldb, beta, c, ldc);
    else
        ca_gemm_tn(m, n, k, a, lda, b, ldb, beta, c, ldc);
}

static ca_real *draw(size_t n, const char *purpose)
{
    struct ca_rng rng = ca_rng_make(1, purpose);
    ca_real *p = malloc(n * sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = (ca_real)(2 * ca_rng_unit(&rng, i) - 1);
    return p;
}

static void shape(enum kind kind, size_t m, size_t n, size_t k, size_t gap)
{
    size_t a_cols = kind == TN ? m : k, a_rows = kind == TN ? k : m;
    size_t b_cols = kind == NT ? k : n, b_rows = kind == NT ? n : k;
    size_t lda = a_cols + gap, ldb = b_cols + 2 * gap, ldc = n + gap;
    ca_real *a = draw(a_rows * lda, "a"), *b = draw(b_rows * ldb, "b");
    ca_real *c = draw(m * ldc, "c"), *want = draw(m * ldc, "c");
    char what[96];

    for (int beta = 0; beta < 2; beta++) {
        double worst = 0;
        int outside = 0;

        memcpy(want, c, m * ldc * sizeof *c);
        product(kind, m, n, k, a, lda, b, ldb, (ca_real)beta, c, ldc);
        plain(kind, m, n, k, a, lda, b, ldb, (ca_real)beta, want, ldc);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < ldc; j++) {
                double e = fabs((double)c[i * ldc + j] - (double)want[i * ldc + j]);
                if (j >= n)
                    outside |= e > 0;
                worst = e > worst ? e : worst;
            }
        (void)snprintf(what, sizeof what, "%s of %zu x %zu x %zu, gap %zu, beta %d", name_of[kind], m, n, k, gap, beta);
        OK(worst < 1e-6 * (double)(k + 10) && !outside, what);
    }
    free(a);
    free(b);
    free(c);
    free(want);
}

/* Many small products from several threads: each must have the bits it has alone. */
enum { TASKS = 4000, M = 37, N = 24, K = 30 };

struct crowd {
    ca_real *a, *b, *alone;
    unsigned char differs[TASKS];
};

static void crowd_task(void *arg, size_t task, unsigned worker)
{
    struct crowd *s = arg;
    ca_real c[M * N];

    (void)worker;
    ca_gemm_nt(M, N, K, s->a, K, s->b, K, 0, c, N);
    s->differs[task] = memcmp(c, s->alone, sizeof c) != 0;
}

static void crowd(void)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(4, &err);
    static struct crowd s;
    size_t bad = 0;

    if (!OK(pool != NULL, "four threads"))
        return;
    s.a = draw(M * K, "a");
    s.b = draw(N * K, "b");
    s.alone = draw(M * N, "c");
    ca_gemm_nt(M, N, K, s.a, K, s.b, K, 0, s.alone, N);
    ca_pool_run(pool, TASKS, crowd_task, &s);
    for (size_t i = 0; i < TASKS; i++)
        bad += s.differs[i];
    OK(bad == 0, "products made by four threads at once are those made alone");
    free(s.a);
    free(s.b);
    free(s.alone);
    ca_pool_free(pool);
}

int main(void)
{
    static const size_t dims[][3] = {{1, 1, 1}, {3, 5, 7}, {128, 64, 221}, {37, 24, 30}, {133, 4, 32}, {16, 16, 333}};

    ca_blas_start();
    for (enum kind kind = NT; kind <= TN; kind++)
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
            shape(kind, dims[i][0], dims[i][1], dims[i][2], 0);
            shape(kind, dims[i][0], dims[i][1], dims[i][2], 3);
        }
    shape(NT, 0, 5, 7, 0);
    crowd();
    OK(!strncmp(ca_blas_engine(), "OpenBLAS ", 9) && strlen(ca_blas_engine()) > 16, "the engine has a name");
    (void)printf("# %s\n", ca_blas_engine());
    return tap_done();
}
