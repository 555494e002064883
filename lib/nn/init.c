#include "nn/init.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "nn/plan.h"

#include "base/banned.h"

#define TWO_PI 6.283185307179586476925286766559

/* Off both ends, so that the logarithm is finite. */
static double unit(uint32_t w)
{
    return ((double)w + 0.5) * 0x1p-32;
}

/* Block b holds elements 4b to 4b+3. Box-Muller turns its words into two pairs of normal draws. */
static void draw(const struct ca_rng *rng, const struct ca_init_rule *rule, uint64_t block, double out[4])
{
    uint32_t w[4];

    ca_rng_block(rng, block, w);
    if (rule->kind == CA_INIT_UNIFORM) {
        for (int i = 0; i < 4; i++)
            out[i] = rule->a * (2 * unit(w[i]) - 1);
        return;
    }
    if (rule->kind == CA_INIT_POSITIVE) {
        for (int i = 0; i < 4; i++)
            out[i] = rule->a * unit(w[i]);
        return;
    }
    for (int i = 0; i < 4; i += 2) {
        double radius = rule->a * sqrt(-2 * log(unit(w[i]))), angle = TWO_PI * unit(w[i + 1]);
        out[i] = radius * cos(angle);
        out[i + 1] = radius * sin(angle);
    }
}

/* Each column of x(n / cols, cols) becomes its softmax. */
static void softmax_columns(ca_real *x, size_t n, size_t cols)
{
    for (size_t c = 0; c < cols; c++) {
        double most = (double)x[c], sum = 0;

        for (size_t i = c; i < n; i += cols)
            most = fmax(most, (double)x[i]);
        for (size_t i = c; i < n; i += cols)
            sum += exp((double)x[i] - most);
        for (size_t i = c; i < n; i += cols)
            x[i] = (ca_real)(exp((double)x[i] - most) / sum);
    }
}

/* Rules of a whole matrix: 1 when this was one. */
static int fill_matrix(ca_real *p, size_t n, const struct ca_init_rule *rule, uint64_t seed, const char *name)
{
    const struct ca_init_rule wide = {CA_INIT_NORMAL, 100};
    size_t cols = (size_t)rule->a;

    if (rule->kind == CA_INIT_IDENTITY)
        for (size_t i = 0; i < n; i++)
            p[i] = i / cols == i % cols;
    else if (rule->kind == CA_INIT_NEAR_ONE_HOT) {
        ca_init_fill(p, n, n, 0, 1, &wide, seed, name);
        softmax_columns(p, n, cols);
    } else
        return 0;
    return 1;
}

void ca_init_fill(ca_real *p, size_t width, size_t stride, uint64_t from_row, uint64_t to_row,
                  const struct ca_init_rule *rule, uint64_t seed, const char *name)
{
    char purpose[512];
    struct ca_rng rng;
    double v[4] = {0};

    if (fill_matrix(p, width, rule, seed, name))
        return;
    (void)snprintf(purpose, sizeof purpose, "init %s", name);
    rng = ca_rng_make(seed, purpose);
    for (uint64_t r = from_row; r < to_row; r++)
        for (size_t k = 0; k < width; k++) {
            uint64_t e = r * width + k;
            ca_real *x = &p[r * stride + k];

            if (rule->kind == CA_INIT_ZERO || rule->kind == CA_INIT_ONE) {
                *x = rule->kind == CA_INIT_ONE;
                continue;
            }
            if (!k || e % 4 == 0)
                draw(&rng, rule, e / 4, v);
            *x = (ca_real)v[e % 4];
        }
}

void ca_init_tables_xavier(struct ca_graph *g, size_t embed)
{
    for (size_t i = 0; i < g->n_tables; i++)
        if (g->table[i].embed == embed)
            g->table[i].init = ca_init_xavier(g->table[i].width, g->table[i].rows);
}

void ca_init_tables(struct ca_graph *g, size_t embed, struct ca_init_rule rule)
{
    for (size_t i = 0; i < g->n_tables; i++)
        if (g->table[i].embed == embed)
            g->table[i].init = rule;
}
