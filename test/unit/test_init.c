/* Draws of parameters, bit for bit those of the plain formula with the C library's log, cos and sin. */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"
#include "nn/init.h"
#include "tap.h"

#define TWO_PI 6.283185307179586476925286766559

static double plain(const struct ca_rng *rng, const struct ca_init_rule *rule, uint64_t e)
{
    uint32_t w[4], i = e % 4;
    double u, v;

    ca_rng_block(rng, e / 4, w);
    u = ((double)w[i & 2u] + 0.5) * 0x1p-32;
    v = ((double)w[(i & 2u) + 1] + 0.5) * 0x1p-32;
    if (rule->kind == CA_INIT_UNIFORM)
        return rule->a * (2 * (((double)w[i] + 0.5) * 0x1p-32) - 1);
    return rule->a * sqrt(-2 * log(u)) * (i & 1 ? sin(TWO_PI * v) : cos(TWO_PI * v));
}

/* Rows [from, to) of a table among strangers, which must stay as they are. */
static void rows(const struct ca_init_rule *rule, size_t width, size_t stride, uint64_t from, uint64_t to, const char *what)
{
    struct ca_err err = {0};
    struct ca_rng rng = ca_rng_make(7, "init tensor");
    ca_real *p = ca_mem_alloc((to + 1) * stride, sizeof *p, &err);
    size_t wrong = 0;

    for (size_t i = 0; p && i < (to + 1) * stride; i++)
        p[i] = 77;
    if (p)
        ca_init_fill(p, width, stride, from, to, rule, 7, "tensor");
    for (uint64_t r = 0; p && r <= to; r++)
        for (size_t k = 0; k < stride; k++) {
            int ours = r >= from && r < to && k < width;
            ca_real want = ours ? (ca_real)plain(&rng, rule, r * width + k) : 77;
            wrong += memcmp(&p[r * stride + k], &want, sizeof want) != 0;
        }
    if (!OK(p && !wrong, what))
        (void)printf("# %zu elements differ\n", wrong);
    ca_mem_free(p);
}

/*
 * Draws that lie so near to the middle between two floats that logarithm, cosine and sine of a few units less than the C
 * library's accuracy give the other one: found by a search over 2^27 of them.
 */
static void near_the_middle(void)
{
    static const struct ca_init_rule one = {CA_INIT_NORMAL, 1};
    static const uint64_t element[] = {21372460, 30969958, 84636160};

    for (size_t i = 0; i < sizeof element / sizeof element[0]; i++) {
        struct ca_err err = {0};
        struct ca_rng rng = ca_rng_make(7, "init tensor");
        uint64_t row = element[i] / 4;
        ca_real *p = ca_mem_zalloc((row + 1) * 4, sizeof *p, &err); /* all but the last row is never touched */
        int same = p != NULL;

        if (p)
            ca_init_fill(p, 4, 4, row, row + 1, &one, 7, "tensor");
        for (uint64_t e = 4 * row; p && e < 4 * row + 4; e++)
            same &= p[e] == (ca_real)plain(&rng, &one, e);
        OK(same, "a draw near the middle between two floats");
        ca_mem_free(p);
    }
}

int main(void)
{
    static const struct ca_init_rule one = {CA_INIT_NORMAL, 1}, small = {CA_INIT_NORMAL, 1e-4}, odd = {CA_INIT_NORMAL, 0.3},
                                     uniform = {CA_INIT_UNIFORM, 0.7};

    rows(&one, 8, 24, 0, 250000, "two million draws, rows apart");
    rows(&one, 16, 16, 1000, 20000, "rows of a range");
    rows(&small, 1000003, 1000003, 0, 1, "a flat tensor");
    for (size_t width = 1; width < 20; width++) {
        rows(&odd, width, width + width % 3, 3, 3 + 5000 / width, "any width, from within a block");
        rows(&uniform, width, width + width % 3, 3, 3 + 500 / width, "and what is not normal");
    }
    rows(&one, 5, 5, 9, 9, "no row");
    near_the_middle();
    return tap_done();
}
