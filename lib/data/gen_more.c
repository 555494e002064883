#include "data/gen_more.h"

#include <math.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/gen.h"

#include "base/banned.h"

#define FAITHFUL 0.8  /* share of a history that follows the interests behind it */
#define FIRST 0.6     /* share of the first interest in that */
#define WANTED 0.4    /* share of targets that follow them */
#define FORGET 0.9f   /* an item counts so much less than the one after it */
#define STYLE 0.5f    /* what likeness of style is worth beside the same category */
#define MOMENT_ROWS 8192
#define TAU 6.283185307179586

struct ca_gen_more {
    uint32_t items, cates, history, domains;
    struct ca_rng row[2];  /* of the stream, of calibration */
    float (*style)[2];     /* [items + 1]: a direction of each item */
    float mean, scale;     /* of the affinity as it comes */
    struct ca_gen_manner manner[CA_GEN_MAX_DOMAINS + 1];
};

/* Items of a category are c, c + cates, c + 2 cates, ... */
static uint32_t cate_of(const struct ca_gen_more *m, uint32_t item)
{
    return (item - 1) % m->cates + 1;
}

/* One of n, from 0, the first ones more often: the density of k falls as 1 / sqrt(k). */
static uint32_t popular(uint32_t n, uint32_t word)
{
    double u = (double)word * 0x1p-32;

    return (uint32_t)((double)n * u * u);
}

/* An item of category c, or with c 0 of any. */
static uint32_t pick(const struct ca_gen_more *m, uint32_t c, uint32_t word)
{
    return c ? c + m->cates * popular((m->items - c) / m->cates + 1, word) : 1 + popular(m->items, word);
}

/* How alike a history of n items, newest last, is to the target: recent items count more. */
static float likeness(const struct ca_gen_more *m, uint32_t item, const uint32_t *his, uint32_t n)
{
    const float *a = m->style[item];
    float sum = 0.0f, mass = 0.0f, w = 1.0f;

    for (uint32_t k = n; k-- > 0; w *= FORGET) {
        const float *b = m->style[his[k]];
        sum += w * ((float)(cate_of(m, his[k]) == cate_of(m, item)) + STYLE * (a[0] * b[0] + a[1] * b[1]));
        mass += w;
    }
    return mass > 0.0f ? sum / mass : 0.0f;
}

/* Random blocks of a row: the user's, the target's, and one for two items of the history. */
static void draw(const struct ca_gen_more *m, const struct ca_rng *rng, int64_t user, int64_t row,
                 struct ca_gen_extra *out)
{
    const uint64_t per_row = (CA_GEN_MAX_HISTORY + 4) / 2;
    uint64_t at = (uint64_t)user * per_row;
    uint32_t w[8], his[CA_GEN_MAX_HISTORY], like[2], c;

    ca_rng_block(rng, at, w);
    ca_rng_block(rng, (uint64_t)row * per_row + 1, w + 4);
    out->domain = m->domains ? 1 + (uint32_t)((uint64_t)w[0] * m->domains >> 32) : 0;
    out->n = 0;
    out->affinity = 0.0f;
    if (!m->history)
        return;
    like[0] = 1 + popular(m->cates, w[1]);
    like[1] = 1 + popular(m->cates, w[2]);
    c = (double)w[4] < WANTED * 0x1p32 ? like[w[4] & 1] : 0;
    out->item = pick(m, c, w[5]);
    out->cate = cate_of(m, out->item);
    out->n = (uint32_t)((uint64_t)w[3] * (m->history + 1) >> 32);
    for (uint32_t k = 0; k < out->n; k++) {
        if (k % 2 == 0)
            ca_rng_block(rng, at + 2 + k / 2, w);
        double u = (double)w[k % 2 * 2] * 0x1p-32;
        his[k] = pick(m, u < FAITHFUL ? like[u >= FAITHFUL * FIRST] : 0, w[k % 2 * 2 + 1]);
        if (out->his) {
            out->his[k] = his[k];
            out->cate_his[k] = cate_of(m, his[k]);
        }
    }
    if (out->n)
        out->affinity = (likeness(m, out->item, his, out->n) - m->mean) * m->scale;
}

void ca_gen_more_row(const struct ca_gen_more *m, int calibration, int64_t user, int64_t row, struct ca_gen_extra *out)
{
    draw(m, &m->row[calibration], user, row, out);
}

/* Bring the affinity to mean 0 and variance 1. */
static void measure(struct ca_gen_more *m)
{
    double sum = 0.0, squares = 0.0, n = 0.0;

    m->mean = 0.0f;
    m->scale = 1.0f;
    for (int64_t i = 0; i < MOMENT_ROWS; i++) {
        struct ca_gen_extra x = {0};
        draw(m, &m->row[1], i, i, &x);
        if (!x.n)
            continue;
        sum += (double)x.affinity;
        squares += (double)x.affinity * (double)x.affinity;
        n++;
    }
    m->mean = (float)(sum / n);
    m->scale = (float)(1.0 / sqrt(squares / n - sum / n * (sum / n)));
}

int ca_gen_more_new(struct ca_gen_more **out, uint64_t seed, uint32_t items, uint32_t history, uint32_t domains,
                    struct ca_err *err)
{
    struct ca_gen_more *m = ca_mem_zalloc(1, sizeof *m, err);
    struct ca_rng style = ca_rng_make(seed, "gen style"), manner = ca_rng_make(seed, "gen manner");

    *out = NULL;
    if (!m)
        return CA_EMEMORY;
    m->items = items;
    m->cates = (uint32_t)sqrt(items);
    m->history = history;
    m->domains = domains;
    m->row[0] = ca_rng_make(seed, "gen more");
    m->row[1] = ca_rng_make(seed, "gen more calibration");
    for (uint32_t d = 0; d <= domains; d++) {
        double u[4] = {0.5, 0.5, 0.5, 0.5};
        for (uint32_t k = 0; d && k < 4; k++)
            u[k] = ca_rng_unit(&manner, 4 * (uint64_t)d + k);
        /* neighbours differ in the sign of what pairs do, so that domains differ whatever the seed */
        double sign = d && d % 2 == 0 ? -1.0 : 1.0;
        m->manner[d] = !d ? (struct ca_gen_manner){1, 1, 1, 0}
                          : (struct ca_gen_manner){(float)(0.4 + 1.2 * u[0]), (float)(sign * (0.6 + 0.8 * u[1])),
                                                   (float)(0.4 + 1.2 * u[2]), (float)(2.0 * u[3] - 1.0)};
    }
    if (history) {
        m->style = ca_mem_alloc((size_t)items + 1, sizeof *m->style, err);
        if (!m->style) {
            ca_gen_more_free(m);
            return CA_EMEMORY;
        }
        for (uint32_t i = 0; i <= items; i++) {
            double a = TAU * ca_rng_unit(&style, i);
            m->style[i][0] = (float)cos(a);
            m->style[i][1] = (float)sin(a);
        }
        measure(m);
    }
    *out = m;
    return 0;
}

void ca_gen_more_free(struct ca_gen_more *m)
{
    if (!m)
        return;
    ca_mem_free(m->style);
    ca_mem_free(m);
}

uint32_t ca_gen_more_items(const struct ca_gen_more *m)
{
    return m->items + 1;
}

uint32_t ca_gen_more_cates(const struct ca_gen_more *m)
{
    return m->cates + 1;
}

struct ca_gen_manner ca_gen_more_manner(const struct ca_gen_more *m, uint32_t domain)
{
    return m->manner[domain];
}
