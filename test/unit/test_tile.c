/*
 * nn/tile and nn/product: every kind of tile this machine has against a plain
 * loop in double, on all edges of rows, lanes and steps; the fused kinds bit by
 * bit against each other and against a product that is cut into fewer rows.
 */
#include <stdlib.h>

#include "base/rng.h"
#include "nn/product.h"
#include "tap.h"

static float *draw(size_t n, const char *purpose)
{
    struct ca_rng rng = ca_rng_make(1, purpose);
    float *p = malloc(n * sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = (float)(2 * ca_rng_unit(&rng, i) - 1);
    return p;
}

/* Worst error of c against the loop, in units of the sum of magnitudes; infinite when a number outside was touched. */
static double error_of(const struct ca_product *p, const float *before, const float *c)
{
    double worst = 0;

    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->ldc; j++) {
            double s = p->add ? (double)before[i * p->ldc + j] : 0, size = fabs(s);

            for (size_t l = 0; l < p->k && j < p->n; l++) {
                double x = (double)p->a[i * p->a_row + l * p->a_k] *
                           (double)(p->b_turned ? p->b[j * p->ldb + l] : p->b[l * p->ldb + j]);
                s += x;
                size += fabs(x);
            }
            if (j >= p->n && before[i * p->ldc + j] != c[i * p->ldc + j])
                return INFINITY;
            if (j < p->n)
                worst = fmax(worst, fabs(s - (double)c[i * p->ldc + j]) / (size + 1e-30));
        }
    return worst;
}

static void shape(size_t m, size_t n, size_t k, size_t gap, int a_turned, int b_turned, int add)
{
    size_t lda = (a_turned ? m : k) + gap, ldb = (b_turned ? k : n) + gap, ldc = n + gap;
    float *a = draw((a_turned ? k : m) * lda, "a"), *b = draw((b_turned ? n : k) * ldb, "b");
    float *before = draw(m * ldc, "c"), *c = malloc(m * ldc * sizeof *c), *other = malloc(m * ldc * sizeof *c);
    struct ca_product p = {.m = m, .n = n, .k = k, .a = a, .a_row = a_turned ? 1 : lda, .a_k = a_turned ? lda : 1,
                           .b = b, .ldb = ldb, .b_turned = b_turned, .c = c, .ldc = ldc, .add = add};
    char what[160];
    int fused = 0;

    for (enum ca_tile_kind kind = 0; kind < CA_TILE_KINDS; kind++) {
        ca_tile *tile = ca_tile_of(kind);
        if (!tile)
            continue;
        (void)snprintf(what, sizeof what, "%s: %zu x %zu x %zu, gap %zu%s%s%s", ca_tile_name(kind), m, n, k, gap,
                       a_turned ? ", A turned" : "", b_turned ? ", B turned" : "", add ? ", added" : "");
        memcpy(c, before, m * ldc * sizeof *c);
        ca_product(tile, &p);
        OK(error_of(&p, before, c) < 1e-7 * (1 + sqrt((double)k)), what);
        if (kind == CA_TILE_PLAIN)
            continue;
        if (fused++)
            OK(!memcmp(c, other, m * ldc * sizeof *c), "the same bits as the other fused tile");
        memcpy(other, c, m * ldc * sizeof *c);
        /* the first rows alone have the bits they have among all */
        p.m = m / 2;
        memcpy(c, before, m * ldc * sizeof *c);
        ca_product(tile, &p);
        p.m = m;
        OK(!memcmp(c, other, m / 2 * ldc * sizeof *c), "half of the rows: the same bits");
    }
    free(a);
    free(b);
    free(before);
    free(c);
    free(other);
}

static void turn(size_t rows, size_t cols, size_t lanes)
{
    size_t ld = cols + 3, width = lanes * CA_LANES, wrong = 0;
    float *x = draw(rows * ld, "x"), *to = malloc(cols * width * sizeof *to);
    char what[96];

    ca_tile_turn(rows, cols, x, ld, lanes, to);
    for (size_t c = 0; c < cols; c++)
        for (size_t r = 0; r < width; r++)
            wrong += to[c * width + r] != (r < rows ? x[r * ld + c] : 0);
    (void)snprintf(what, sizeof what, "%zu x %zu turned into %zu lanes", rows, cols, width);
    OK(!wrong, what);
    free(x);
    free(to);
}

int main(void)
{
    static const size_t dims[][3] = {{1, 1, 1},    {3, 5, 7},     {8, 48, 16},   {13, 16, 257}, {15, 47, 33},
                                     {64, 65, 20}, {70, 97, 300}, {20, 64, 512}, {128, 33, 4},  {14, 96, 600}};

    OK(ca_tile_best() == ca_tile_of(ca_tile_kind()) && ca_tile_of(CA_TILE_PLAIN), "there is a tile");
    (void)printf("# %s\n", ca_tile_name(ca_tile_kind()));
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (int how = 0; how < 8; how++)
            shape(dims[i][0], dims[i][1], dims[i][2], i % 2 ? 3 : 0, how & 1, how >> 1 & 1, how >> 2);
    for (size_t rows = 1; rows <= 48; rows += 1 + rows / 5)
        for (size_t cols = 1; cols < 40; cols += 6)
            turn(rows, cols, (rows + 15) / 16);
    return tap_done();
}
