#include "nn/init.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "nn/plan.h"
#include "nn/simd.h"

#include "base/banned.h"

#define TWO_PI 6.283185307179586476925286766559
#define LN_2 0.69314718055994530941723212145818
#define SQRT_2 1.4142135623730950488016887242097
#define BLOCKS 64          /* of four elements, drawn together */
#define UNSURE 0x1p-44     /* a hundred times what the fast normal draws are off, relative to their radius */

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

/* ---- many at once ------------------------------------------------------------ */

/* Drawn elements of BLOCKS blocks, first[i][b] the i-th of block b; those of blocks with doubt need draw(). */
struct draws {
    uint32_t word[4][BLOCKS];
    float value[4][BLOCKS];
    uint32_t doubt[BLOCKS];
};

/* ca_rng_block of BLOCKS blocks. */
CA_CLONES static void words(const struct ca_rng *rng, uint64_t first, struct draws *d)
{
    uint32_t key[2] = {rng->key[0], rng->key[1]};

    for (uint32_t b = 0; b < BLOCKS; b++) {
        d->word[0][b] = (uint32_t)(first + b);
        d->word[1][b] = (uint32_t)((first + b) >> 32);
        d->word[2][b] = rng->hi[0];
        d->word[3][b] = rng->hi[1];
    }
    for (int i = 0; i < CA_RNG_ROUNDS; i++, ca_rng_step_key(key))
        for (uint32_t b = 0; b < BLOCKS; b++)
            ca_rng_round(&d->word[0][b], &d->word[1][b], &d->word[2][b], &d->word[3][b], key);
}

/* log x, x in (0, 1): x = 2^e m, m around 1, log m = 2 atanh((m - 1) / (m + 1)). Good to some 2^-51. */
CA_INLINE double fast_log(double x)
{
    uint64_t bits, shifted;
    double m, e, s, z, series;

    memcpy(&bits, &x, sizeof bits);
    shifted = bits >> 52 | 0x4330000000000000u; /* 2^52 and the exponent, as a double */
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    memcpy(&m, &bits, sizeof m);
    memcpy(&e, &shifted, sizeof e);
    e -= 0x1p52 + 1023;
    e = m > SQRT_2 ? e + 1 : e;
    m = m > SQRT_2 ? 0.5 * m : m;
    s = (m - 1) / (m + 1);
    z = s * s;
    series = 1.0 / 21;
    series = series * z + 1.0 / 19;
    series = series * z + 1.0 / 17;
    series = series * z + 1.0 / 15;
    series = series * z + 1.0 / 13;
    series = series * z + 1.0 / 11;
    series = series * z + 1.0 / 9;
    series = series * z + 1.0 / 7;
    series = series * z + 1.0 / 5;
    series = series * z + 1.0 / 3;
    return e * LN_2 + (2 * s + 2 * s * z * series);
}

/*
 * What draw() makes of normal words, in single precision. Where the fast value is so near to the middle between two
 * floats that it may be the wrong one, the block is in doubt.
 */
CA_CLONES static void normals(double a, struct draws *d)
{
    for (uint32_t b = 0; b < BLOCKS; b++)
        d->doubt[b] = 0;
    for (int i = 0; i < 4; i += 2)
        for (uint32_t b = 0; b < BLOCKS; b++) {
            double u = ((double)d->word[i][b] + 0.5) * 0x1p-32, t = ((double)d->word[i + 1][b] + 0.5) * 0x1p-32;
            double radius = a * sqrt(-2 * fast_log(u)), off = radius * UNSURE;
            int32_t quarter = (int32_t)(4 * t + 0.5);
            double y = TWO_PI * (t - 0.25 * quarter), z = y * y, sine, cosine, c, s;

            sine = -1.0 / 1307674368000;
            sine = sine * z + 1.0 / 6227020800;
            sine = sine * z - 1.0 / 39916800;
            sine = sine * z + 1.0 / 362880;
            sine = sine * z - 1.0 / 5040;
            sine = sine * z + 1.0 / 120;
            sine = sine * z - 1.0 / 6;
            sine = y + y * z * sine;
            cosine = 1.0 / 20922789888000;
            cosine = cosine * z - 1.0 / 87178291200;
            cosine = cosine * z + 1.0 / 479001600;
            cosine = cosine * z - 1.0 / 3628800;
            cosine = cosine * z + 1.0 / 40320;
            cosine = cosine * z - 1.0 / 720;
            cosine = cosine * z + 1.0 / 24;
            cosine = cosine * z - 1.0 / 2;
            cosine = 1 + z * cosine;
            c = quarter & 1 ? sine : cosine;
            s = quarter & 1 ? cosine : sine;
            c = radius * ((quarter + 1) & 2 ? -c : c);
            s = radius * (quarter & 2 ? -s : s);
            d->value[i][b] = (float)c;
            d->value[i + 1][b] = (float)s;
            d->doubt[b] |= (uint32_t)((float)(c - off) != (float)(c + off)) |
                           (uint32_t)((float)(s - off) != (float)(s + off));
        }
}

/* Elements [from, to), one after the other, to where they belong: exactly what draw() gives. */
static void fill_normal(float *p, size_t width, size_t stride, uint64_t from, uint64_t to, const struct ca_rng *rng,
                        const struct ca_init_rule *rule)
{
    struct draws d;
    uint64_t row = from / width;
    size_t k = (size_t)(from % width);

    for (uint64_t first = from / 4; 4 * first < to; first += BLOCKS) {
        words(rng, first, &d);
        normals(rule->a, &d);
        for (size_t b = 0; b < BLOCKS && 4 * (first + b) < to; b++) {
            double exact[4];

            if (d.doubt[b])
                draw(rng, rule, first + b, exact);
            for (size_t i = 0; i < 4; i++) {
                uint64_t e = 4 * (first + b) + i;
                if (e < from || e >= to)
                    continue;
                p[row * stride + k] = d.doubt[b] ? (float)exact[i] : d.value[i][b];
                if (++k == width) {
                    k = 0;
                    row++;
                }
            }
        }
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
    if (rule->kind == CA_INIT_NORMAL && sizeof *p == sizeof(float)) {
        fill_normal((void *)p, width, stride, from_row * width, to_row * width, &rng, rule);
        return;
    }
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
