#include "data/gen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/gen_more.h"
#include "data/gen_shape.h"

#include "base/banned.h"

/*
 * Strengths of the planted model, as standard deviations of the parts of the
 * logit. With them the true probability reaches an AUC of about 0.82, a linear
 * model about 0.74, and the difference is what interactions are worth.
 */
#define STD_IDS 1.05
#define STD_NUMERIC 0.50
#define STD_PAIRS 1.05
#define BASE_RATE 0.25
#define CONVERSION_RATE 0.10
#define STD_CONVERSION 1.2
#define STD_AFFINITY 1.2f /* of histories that are there */

/* What drift 1 means at the end of the stream. */
#define DRIFT_ANGLE 0.6      /* rotation of all preferences, radians */
#define DRIFT_POPULARITY 0.8 /* spread of log popularity */
#define DRIFT_LATE 0.25      /* share of the ids that arrive during the stream */
#define DRIFT_NUMERIC 0.25   /* shift of the numerics in their standard deviations */

#define DIM 3                /* of the latent factors: with the weight, 16 bytes */
#define QUANTILES 1024       /* numerics are drawn from a table of so many equally likely values */
#define STEP 256             /* rows that share a phase */
#define GROUP 16             /* rows drawn together */
#define CALIBRATION_ROWS 32768
#define MAX_FIELDS 40
#define WORDS 64             /* random words set aside for a row */
#define SECONDS 604800       /* the stream lasts a week */
#define MISSING INT32_MIN

/* What one id (or one value of a numeric) does to the logit: at phase angle a,
 * cos(a) * part[0] + sin(a) * part[1], so that drift keeps the variance. */
struct effect {
    float part[2][1 + DIM]; /* weight, then the latent factor */
};

/* A cell of an alias table (Walker 1977): the cell's own id below the threshold, else the other. */
struct cell {
    uint32_t threshold; /* in units of 2^-24 */
    uint32_t other;
};

struct arrival {
    uint32_t at;     /* phase in units of 2^-32; 0: there from the start */
    uint32_t before; /* which id is shown until then */
};

struct field {
    uint32_t n;             /* ids, or 2 * QUANTILES for a numeric */
    uint32_t draws;         /* cells of one table, or QUANTILES */
    struct effect *effect;  /* [n] */
    struct cell *cell;      /* [2][n]: popularity at the start and at the end; NULL for a numeric */
    struct arrival *arrival; /* [n], all zero when nothing arrives late */
    int32_t *raw;           /* [n] of a numeric: the integer, or MISSING */
    float *value;           /* [n] of a numeric: as the records hold it */
};

struct pair {
    unsigned char a, b; /* fields, numerics first */
    float strength;     /* of the click */
    float conversion;   /* of the conversion given the click */
};

struct ca_gen {
    struct ca_gen_opts o;
    struct ca_schema schema;
    struct ca_arena arena;
    struct ca_rng rng;      /* of the rows */
    unsigned n_numeric, n_fields;
    struct field field[MAX_FIELDS];
    const struct ca_gen_shape *shape;
    struct pair pair[32];
    unsigned n_pairs;
    float ids, numeric;     /* scales of the weights */
    float bias;
    float conversion_scale, conversion_bias;
    struct ca_gen_more *more; /* NULL: the preset's columns only */
};

/* Rows before they are written in either form. */
struct rows {
    uint32_t at[GROUP][MAX_FIELDS]; /* id, or index into the numeric's table */
    float probability[GROUP], conversion_probability[GROUP];
    int click[GROUP], conversion[GROUP];
};

/* The sums of a row before scaling. */
struct parts {
    float ids, numeric, pairs, conversion;
    float affinity;         /* of target and history, in its standard deviations */
    uint32_t domain;
};

/* ---- planting ---- */

/* Uniform with mean 0 and variance 1. */
static double spread(uint32_t word)
{
    return ((double)word * 0x1p-32 - 0.5) * 3.4641016151377544;
}

/* Vose's construction: cells of probabilities weight[0..n), which it overwrites. stack holds n indices. */
static void alias_build(double *weight, uint32_t n, struct cell *cell, uint32_t *stack)
{
    double sum = 0.0;
    uint32_t low = 0, high = n; /* the two stacks grow towards each other */

    for (uint32_t i = 0; i < n; i++)
        sum += weight[i];
    for (uint32_t i = 0; i < n; i++) {
        weight[i] *= n / sum;
        if (weight[i] < 1.0)
            stack[low++] = i;
        else
            stack[--high] = i;
    }
    while (low > 0 && high < n) {
        uint32_t s = stack[--low], l = stack[high];
        cell[s] = (struct cell){(uint32_t)(weight[s] * 0x1p24), l};
        weight[l] -= 1.0 - weight[s];
        if (weight[l] < 1.0) {
            high++;
            stack[low++] = l;
        }
    }
    while (low > 0) {
        uint32_t s = stack[--low];
        cell[s] = (struct cell){1u << 24, s};
    }
    for (; high < n; high++)
        cell[stack[high]] = (struct cell){1u << 24, stack[high]};
}

/*
 * Bring each of the eight effect components to mean 0 and variance 1 under the
 * given probabilities, so that interactions are not linear effects in disguise
 * and strengths mean what they say for any vocabulary.
 */
static void standardise(struct effect *e, const double *p, uint32_t n)
{
    for (int half = 0; half < 2; half++)
        for (int k = 0; k <= DIM; k++) {
            double mass = 0.0, mean = 0.0, var = 0.0, scale;
            for (uint32_t i = 0; i < n; i++) {
                mass += p[i];
                mean += p[i] * (double)e[i].part[half][k];
            }
            mean /= mass;
            for (uint32_t i = 0; i < n; i++) {
                double d = (double)e[i].part[half][k] - mean;
                var += p[i] * d * d;
            }
            scale = var > 1e-12 ? 1.0 / sqrt(var / mass) : 0.0;
            for (uint32_t i = 0; i < n; i++)
                e[i].part[half][k] = (float)(((double)e[i].part[half][k] - mean) * scale);
        }
}

/* Everything a categorical field draws from and does. Id 0 is the missing value, ids rise as popularity falls. */
static int plant_ids(struct ca_gen *g, unsigned f, uint32_t n, double missing, struct ca_err *err)
{
    struct field *d = &g->field[f];
    struct ca_rng rng = ca_rng_make(g->o.seed, "gen ids");
    double drift = g->o.drift, late = fmin(DRIFT_LATE * drift, 0.75), *p = NULL;
    /* The plateau keeps one id from being most of a small field. */
    double plateau = fmin(1.0 + 0.02 * n, 6.0), share[2] = {0.0, 0.0};
    uint32_t *stack = NULL, shown = 1;
    int rc = CA_EMEMORY;

    d->n = d->draws = n;
    d->effect = ca_arena_alloc(&g->arena, n, sizeof *d->effect, err);
    d->cell = ca_arena_alloc(&g->arena, (size_t)2 * n, sizeof *d->cell, err);
    d->arrival = ca_arena_alloc(&g->arena, n, sizeof *d->arrival, err);
    p = ca_mem_alloc((size_t)2 * n, sizeof *p, err);
    stack = ca_mem_alloc(n, sizeof *stack, err);
    if (!d->effect || !d->cell || !d->arrival || !p || !stack)
        goto done;
    for (uint32_t id = 1; id < n; id++) {
        uint32_t w[12];
        for (unsigned k = 0; k < 3; k++)
            ca_rng_block(&rng, ((uint64_t)f << 40) + (uint64_t)id * 3 + k, w + 4 * k);
        for (int k = 0; k <= DIM; k++) {
            d->effect[id].part[0][k] = (float)spread(w[k]);
            d->effect[id].part[1][k] = (float)spread(w[4 + k]);
        }
        p[id] = pow(id + plateau, -1.2);
        p[n + id] = p[id] * exp(DRIFT_POPULARITY * drift * spread(w[8]));
        share[0] += p[id];
        share[1] += p[n + id];
        if (id > 1 && (double)w[9] * 0x1p-32 < late)
            d->arrival[id] = (struct arrival){w[10] | 1u, shown};
        else
            shown = id;
    }
    standardise(d->effect + 1, p + 1, n - 1);
    for (uint32_t id = 1; id < n; id++)
        for (int half = 0; half < 2; half++) {
            float *part = d->effect[id].part[half];
            part[0] *= (float)pow(n, -0.5);
            part[2] *= 0.5f;
            part[3] *= 0.25f;
        }
    for (int end = 0; end < 2; end++) {
        double *q = p + (size_t)end * n;
        q[0] = missing * share[end] / (1.0 - missing);
        alias_build(q, n, d->cell + (size_t)end * n, stack);
    }
    rc = 0;
done:
    ca_mem_free(stack);
    ca_mem_free(p);
    return rc;
}

/* A table of equally likely values at the start of the stream and one at its end. */
static int plant_numeric(struct ca_gen *g, unsigned f, struct ca_err *err)
{
    const struct ca_gen_numeric *s = &g->shape->numeric[f];
    struct field *d = &g->field[f];
    struct ca_rng rng = ca_rng_make(g->o.seed, "gen numeric");
    double mean = 0.0, var = 0.0, weight[2 * QUANTILES] = {0.0}, c[8];
    uint32_t w[8];

    d->n = 2 * QUANTILES;
    d->draws = QUANTILES;
    d->effect = ca_arena_alloc(&g->arena, d->n, sizeof *d->effect, err);
    d->raw = ca_arena_alloc(&g->arena, d->n, sizeof *d->raw, err);
    d->value = ca_arena_alloc(&g->arena, d->n, sizeof *d->value, err);
    if (!d->effect || !d->raw || !d->value)
        return CA_EMEMORY;
    ca_rng_block(&rng, (uint64_t)f * 2, w);
    ca_rng_block(&rng, (uint64_t)f * 2 + 1, w + 4);
    for (int k = 0; k < 8; k++)
        c[k] = spread(w[k]);
    for (uint32_t i = 0; i < d->n; i++) {
        int end = i >= QUANTILES;
        double u = ((double)(i % QUANTILES) + 0.5) / QUANTILES, z, x;
        if (u < (double)s->missing) {
            d->raw[i] = MISSING;
            continue; /* value 0, as the published preparation has it */
        }
        u = (u - (double)s->missing) / (1.0 - (double)s->missing);
        z = log(u / (1.0 - u)) / 1.8137993642342178 + (end ? DRIFT_NUMERIC * g->o.drift * c[7] : 0.0);
        x = fmin(floor(exp((double)s->mean + (double)s->std * z)), 1e9) - s->shift;
        d->raw[i] = (int32_t)x;
        d->value[i] = (float)(x > 2.0 ? log2(x) : x);
    }
    for (uint32_t i = 0; i < QUANTILES; i++) {
        mean += (double)d->value[i] / QUANTILES;
        weight[i] = 1.0; /* the end of the stream is measured by the start */
    }
    for (uint32_t i = 0; i < QUANTILES; i++)
        var += ((double)d->value[i] - mean) * ((double)d->value[i] - mean) / QUANTILES;
    /* Effects are functions of the value a model sees: a line and a wave, whose phase is what drifts. */
    for (uint32_t i = 0; i < d->n; i++) {
        double z = ((double)d->value[i] - mean) / sqrt(var);
        struct effect *e = &d->effect[i];
        e->part[0][0] = (float)(copysign(1.0, c[0]) * z + cos(1.7 * z + c[2]));
        e->part[1][0] = (float)(copysign(1.0, c[1]) * z + cos(1.7 * z + c[2] + 1.5));
        for (int k = 0; k < DIM; k++) {
            e->part[0][1 + k] = (float)(k == 1 ? fabs(z) - 0.8 : c[3 + k] * z);
            e->part[1][1 + k] = (float)(k == 1 ? c[6] * z : cos(z + c[3 + k]));
        }
    }
    standardise(d->effect, weight, d->n);
    return 0;
}

/* ---- drawing ---- */

/* What rows of one step have in common. */
struct phase {
    uint32_t at;         /* in units of 2^-32 of the stream */
    uint32_t cut;        /* random words below it draw from the table of the end */
    uint32_t from[2];    /* least word of the range of the start, of the end */
    double per[2];       /* 2^32 / width of each range */
    float c, s;          /* of the preference angle */
};

static void phase_of(const struct ca_gen *g, double t, struct phase *p)
{
    double angle = DRIFT_ANGLE * g->o.drift * t;

    p->at = (uint32_t)(t * 0x1p32);
    p->cut = g->o.drift > 0.0 ? p->at : 0;
    p->from[0] = p->cut;
    p->from[1] = 0;
    p->per[0] = 0x1p32 / (0x1p32 - (double)p->cut);
    p->per[1] = p->cut ? 0x1p32 / (double)p->cut : 0.0;
    p->c = (float)cos(angle);
    p->s = (float)sin(angle);
}

/*
 * Draw the features of n rows of one phase from their random words and add up
 * what they do. Each field goes through all rows, stage by stage, and nothing
 * branches on a draw: what costs time here is waiting for the tables, and so
 * the waits overlap.
 */
static void draw(const struct ca_gen *g, const struct phase *p, size_t n, uint32_t word[][WORDS],
                 uint32_t at[][MAX_FIELDS], struct parts *parts)
{
    float e[MAX_FIELDS][GROUP][1 + DIM], c = p->c, s = p->s;
    uint32_t rest[MAX_FIELDS][GROUP];

    for (unsigned f = 0; f < g->n_fields; f++) {
        const struct field *d = &g->field[f];
        /* fixed point, 32 bits behind the point: below the width of a range, so the result is below draws */
        const uint64_t per[2] = {(uint64_t)(p->per[0] * d->draws), (uint64_t)(p->per[1] * d->draws)};
        const uint32_t offset[2] = {0, d->draws};
        for (size_t r = 0; r < n; r++) {
            int end = word[r][f] < p->cut;
            uint64_t x = (uint64_t)(word[r][f] - p->from[end]) * per[end];
            uint32_t i = (uint32_t)(x >> 32) + offset[end];
            rest[f][r] = (uint32_t)x >> 8;
            at[r][f] = i;
            if (f >= g->n_numeric)
                __builtin_prefetch(&d->cell[i]);
            else
                __builtin_prefetch(&d->effect[i]);
        }
    }
    for (unsigned f = g->n_numeric; f < g->n_fields; f++) {
        const struct field *d = &g->field[f];
        for (size_t r = 0; r < n; r++) {
            uint32_t i = at[r][f], other;
            const struct cell *cell = &d->cell[i];
            i -= d->n & (0u - (i >= d->n));
            other = 0u - (rest[f][r] >= cell->threshold);
            i ^= (i ^ cell->other) & other;
            at[r][f] = i;
            __builtin_prefetch(&d->arrival[i]);
            __builtin_prefetch(&d->effect[i]);
        }
    }
    for (unsigned f = 0; f < g->n_fields; f++) {
        const struct field *d = &g->field[f];
        for (size_t r = 0; r < n; r++) {
            uint32_t i = at[r][f];
            const struct effect *ef;
            if (f >= g->n_numeric) {
                const struct arrival *a = &d->arrival[i];
                uint32_t before = 0u - (a->at > p->at);
                i ^= (i ^ a->before) & before;
                at[r][f] = i;
            }
            ef = &d->effect[i];
            for (int k = 0; k <= DIM; k++)
                e[f][r][k] = c * ef->part[0][k] + s * ef->part[1][k];
        }
    }
    for (size_t r = 0; r < n; r++) {
        struct parts sum = {0};
        for (unsigned f = 0; f < g->n_numeric; f++)
            sum.numeric += e[f][r][0];
        for (unsigned f = g->n_numeric; f < g->n_fields; f++)
            sum.ids += e[f][r][0];
        for (unsigned i = 0; i < g->n_pairs; i++) {
            const struct pair *q = &g->pair[i];
            const float *a = e[q->a][r], *b = e[q->b][r];
            float dot = a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
            sum.pairs += q->strength * dot;
            sum.conversion += q->conversion * dot;
        }
        if (g->o.conversions)
            for (unsigned f = 0; f < g->n_fields; f++)
                sum.conversion += e[f][r][1];
        parts[r] = sum;
    }
}

static float logit(const struct ca_gen *g, const struct parts *p)
{
    struct ca_gen_manner m;

    if (!g->more)
        return g->bias + g->ids * p->ids + g->numeric * p->numeric + p->pairs;
    m = ca_gen_more_manner(g->more, p->domain);
    return g->bias + m.shift + m.ids * g->ids * p->ids + g->numeric * p->numeric + m.pairs * p->pairs +
           m.affinity * STD_AFFINITY * p->affinity;
}

/* The first row of the row's request. */
static int64_t head_of(const struct ca_gen *g, int64_t row)
{
    return g->o.requests ? row - row % g->o.requests : row;
}

/* What data/gen_more.h adds to a row, into p and, where history is wanted, into x. */
static void draw_more(const struct ca_gen *g, int calibration, int64_t row, struct ca_gen_extra *x, struct parts *p)
{
    if (!g->more)
        return;
    ca_gen_more_row(g->more, calibration, calibration ? row : head_of(g, row), row, x);
    p->affinity = x->affinity;
    p->domain = x->domain;
}

static float conversion_logit(const struct ca_gen *g, const struct parts *p)
{
    return g->conversion_bias + g->conversion_scale * p->conversion + 0.3f * (logit(g, p) - g->bias);
}

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/*
 * Rows of one request have the user in common: his columns are drawn from the
 * random words of the request's first row. Requests do not cross phases, so
 * equal words are equal values.
 */
static void share_user(const struct ca_gen *g, int64_t first, size_t n, uint32_t word[][WORDS])
{
    uint32_t lead[WORDS];
    int64_t leader = -1;

    for (size_t r = 0; r < n; r++) {
        int64_t row = first + (int64_t)r, head = head_of(g, row);
        if (head == row)
            continue;
        for (unsigned k = 0; k < g->n_fields && leader != head; k += 4)
            ca_rng_block(&g->rng, (uint64_t)head * (WORDS / 4) + k / 4, lead + k);
        leader = head;
        for (unsigned f = 0; f < g->n_fields; f++)
            word[r][f] = g->shape->user[f] ? lead[f] : word[r][f];
    }
}

/* The rows [first, first+n), n at most GROUP and all of one phase. */
static void draw_rows(const struct ca_gen *g, const struct phase *p, int64_t first, size_t n, struct rows *out)
{
    uint32_t word[GROUP][WORDS];
    struct parts parts[GROUP];
    unsigned words = g->n_fields + 2; /* the click's and the conversion's last */

    for (size_t r = 0; r < n; r++)
        for (unsigned k = 0; k < words; k += 4)
            ca_rng_block(&g->rng, (uint64_t)(first + (int64_t)r) * (WORDS / 4) + k / 4, word[r] + k);
    if (g->o.requests)
        share_user(g, first, n, word);
    draw(g, p, n, word, out->at, parts);
    for (size_t r = 0; r < n; r++) {
        struct ca_gen_extra x = {0};
        draw_more(g, 0, first + (int64_t)r, &x, &parts[r]);
        float click = sigmoid(logit(g, &parts[r])), conversion = 0.0f;
        if (g->o.conversions)
            conversion = sigmoid(conversion_logit(g, &parts[r]));
        out->probability[r] = click;
        out->conversion_probability[r] = conversion;
        out->click[r] = (double)word[r][words - 2] < (double)click * 0x1p32;
        out->conversion[r] = out->click[r] && (double)word[r][words - 1] < (double)conversion * 0x1p32;
    }
}

/* Bias at which the mean probability of the logits z (weighted by w, NULL for equally) is rate. */
static float solve_bias(const float *z, const float *w, size_t n, double rate)
{
    double lo = -30.0, hi = 30.0;

    for (int i = 0; i < 40; i++) {
        double mid = 0.5 * (lo + hi), sum = 0.0, mass = 0.0;
        for (size_t k = 0; k < n; k++) {
            double weight = w ? (double)w[k] : 1.0;
            sum += weight / (1.0 + exp(-(double)z[k] - mid));
            mass += weight;
        }
        if (sum > rate * mass)
            hi = mid;
        else
            lo = mid;
    }
    return (float)lo;
}

static float scale_to(double std, double sum, double squares)
{
    double mean = sum / CALIBRATION_ROWS, var = squares / CALIBRATION_ROWS - mean * mean;

    return var > 1e-12 ? (float)(std / sqrt(var)) : 0.0f;
}

/*
 * Fix scales and biases on rows of their own, spread evenly over the stream:
 * the parts get their standard deviations, the stream its base rates.
 */
static int calibrate(struct ca_gen *g, struct ca_err *err)
{
    struct ca_rng rng = ca_rng_make(g->o.seed, "gen calibration");
    struct parts *parts = ca_mem_alloc(CALIBRATION_ROWS, sizeof *parts, err);
    float *z = ca_mem_alloc((size_t)2 * CALIBRATION_ROWS, sizeof *z, err), *w = z ? z + CALIBRATION_ROWS : NULL;
    double sum[4] = {0}, sq[4] = {0};
    float pairs;

    if (!parts || !z) {
        ca_mem_free(parts);
        ca_mem_free(z);
        return CA_EMEMORY;
    }
    for (size_t i = 0; i < CALIBRATION_ROWS; i++) {
        struct phase p;
        uint32_t word[1][WORDS], at[1][MAX_FIELDS];
        phase_of(g, ((double)i + 0.5) / CALIBRATION_ROWS, &p);
        for (unsigned k = 0; k < g->n_fields; k += 4)
            ca_rng_block(&rng, (uint64_t)i * (WORDS / 4) + k / 4, word[0] + k);
        struct ca_gen_extra x = {0};
        draw(g, &p, 1, word, at, &parts[i]);
        draw_more(g, 1, (int64_t)i, &x, &parts[i]);
        const float v[4] = {parts[i].ids, parts[i].numeric, parts[i].pairs, parts[i].conversion};
        for (int k = 0; k < 4; k++) {
            sum[k] += (double)v[k];
            sq[k] += (double)v[k] * (double)v[k];
        }
    }
    g->ids = scale_to(STD_IDS, sum[0], sq[0]);
    g->numeric = scale_to(STD_NUMERIC, sum[1], sq[1]);
    pairs = scale_to(STD_PAIRS, sum[2], sq[2]);
    g->conversion_scale = scale_to(STD_CONVERSION, sum[3], sq[3]);
    for (unsigned i = 0; i < g->n_pairs; i++)
        g->pair[i].strength *= pairs;
    for (size_t i = 0; i < CALIBRATION_ROWS; i++) {
        parts[i].pairs *= pairs;
        z[i] = logit(g, &parts[i]);
    }
    g->bias = solve_bias(z, NULL, CALIBRATION_ROWS, BASE_RATE);
    for (size_t i = 0; i < CALIBRATION_ROWS; i++) {
        w[i] = sigmoid(z[i] + g->bias);
        z[i] = conversion_logit(g, &parts[i]);
    }
    g->conversion_bias = solve_bias(z, w, CALIBRATION_ROWS, CONVERSION_RATE);
    ca_mem_free(parts);
    ca_mem_free(z);
    return 0;
}

/* ---- the whole ---- */

static int make_schema(struct ca_gen *g, const uint32_t *size, struct ca_err *err)
{
    struct ca_schema *s = &g->schema;
    char name[16];
    int rc;

    if ((rc = ca_schema_add(s, "time", CA_ROLE_TIME, CA_TYPE_I64, 0, 0, err)))
        return rc;
    if (g->o.requests && (rc = ca_schema_add(s, "request", CA_ROLE_AUX, CA_TYPE_I64, 0, 0, err)))
        return rc;
    if ((rc = ca_schema_add(s, "click", CA_ROLE_LABEL, CA_TYPE_F32, 0, 0, err)))
        return rc;
    if (g->o.conversions && (rc = ca_schema_add(s, "conversion", CA_ROLE_TASK, CA_TYPE_F32, 0, 0, err)))
        return rc;
    if (g->o.probability && (rc = ca_schema_add(s, "probability", CA_ROLE_AUX, CA_TYPE_F32, 0, 0, err)))
        return rc;
    if (g->o.probability && g->o.conversions &&
        (rc = ca_schema_add(s, "conversion_probability", CA_ROLE_AUX, CA_TYPE_F32, 0, 0, err)))
        return rc;
    for (unsigned f = 0; f < g->n_fields; f++) {
        int numeric = f < g->n_numeric;
        (void)snprintf(name, sizeof name, "%c%u", numeric ? 'I' : 'C', numeric ? f + 1 : f - g->n_numeric + 1);
        rc = ca_schema_add(s, name, numeric ? CA_ROLE_NUMERIC : CA_ROLE_CATEGORICAL,
                           numeric ? CA_TYPE_F32 : CA_TYPE_U32, 0, numeric ? 0 : size[f - g->n_numeric], err);
        if (rc)
            return rc;
    }
    if (g->o.domains &&
        (rc = ca_schema_add(s, "domain", CA_ROLE_DOMAIN, CA_TYPE_U32, 0, g->o.domains + 1, err)))
        return rc;
    for (int k = 0; k < 4 && g->o.history && !rc; k++) {
        static const char *const names[] = {"item", "cate", "item_his", "cate_his"};
        uint32_t vocab = k % 2 ? ca_gen_more_cates(g->more) : ca_gen_more_items(g->more);
        rc = ca_schema_add(s, names[k], k < 2 ? CA_ROLE_CATEGORICAL : CA_ROLE_SEQUENCE, CA_TYPE_U32, k >= 2, vocab, err);
        if (!rc && k >= 2)
            rc = ca_schema_like(s, names[k], names[k - 2], err);
    }
    return rc;
}

static int plant(struct ca_gen *g, struct ca_err *err)
{
    const struct ca_gen_shape *s = g->shape;
    struct ca_rng rng = ca_rng_make(g->o.seed, "gen pairs");
    uint64_t total = g->o.vocab ? g->o.vocab : s->vocab;
    uint32_t size[MAX_FIELDS];
    int rc;

    if (total < CA_GEN_MIN_VOCAB || total > CA_GEN_MAX_VOCAB)
        return ca_err_set(err, CA_EUSAGE, "a vocabulary of %llu is out of range: from %d to %d",
                          (unsigned long long)total, CA_GEN_MIN_VOCAB, CA_GEN_MAX_VOCAB);
    if (g->o.requests < 0 || g->o.requests > CA_GEN_MAX_REQUEST || (g->o.requests & (g->o.requests - 1)))
        return ca_err_set(err, CA_EUSAGE, "requests of %d rows: not a power of two up to %d", g->o.requests,
                          CA_GEN_MAX_REQUEST);
    ca_gen_sizes(s, total, size);
    g->n_numeric = s->n_numeric;
    g->n_fields = s->n_numeric + s->n_ids;
    g->n_pairs = s->n_pairs;
    for (unsigned f = 0; f < g->n_fields; f++) {
        unsigned i = f - g->n_numeric;
        rc = f < g->n_numeric ? plant_numeric(g, f, err)
                              : plant_ids(g, f, size[i], (double)s->missing[i] / 100.0, err);
        if (rc)
            return rc;
    }
    for (unsigned i = 0; i < g->n_pairs; i++)
        g->pair[i] = (struct pair){s->pair[i].a, s->pair[i].b, s->pair[i].weight,
                                   (float)spread((uint32_t)ca_rng_u64(&rng, i))};
    if ((g->o.history || g->o.domains) &&
        (rc = ca_gen_more_new(&g->more, g->o.seed, (uint32_t)(total / 10), g->o.history, g->o.domains, err)))
        return rc;
    if ((rc = make_schema(g, size, err)))
        return rc;
    return calibrate(g, err);
}

int ca_gen_new(struct ca_gen **out, const struct ca_gen_opts *o, struct ca_err *err)
{
    struct ca_gen *g = ca_mem_zalloc(1, sizeof *g, err);
    int rc;

    *out = NULL;
    if (!g)
        return CA_EMEMORY;
    g->o = *o;
    g->shape = ca_gen_shape(o->preset);
    g->rng = ca_rng_make(o->seed, "gen rows");
    if ((rc = plant(g, err))) {
        ca_gen_free(g);
        return rc;
    }
    *out = g;
    return 0;
}

void ca_gen_free(struct ca_gen *g)
{
    if (!g)
        return;
    ca_schema_fini(&g->schema);
    ca_arena_fini(&g->arena);
    ca_gen_more_free(g->more);
    ca_mem_free(g);
}

const struct ca_schema *ca_gen_schema(const struct ca_gen *g)
{
    return &g->schema;
}

/*
 * Draw from first on: up to want rows, but no further than their common phase
 * goes, which is that of the middle of the step. Returns how many.
 */
static size_t draw_some(const struct ca_gen *g, int64_t first, size_t want, struct rows *out)
{
    size_t left = (size_t)(STEP - first % STEP), n = want < GROUP ? want : GROUP;
    double middle = (double)(first / STEP * STEP) + 0.5 * STEP;
    struct phase p;

    n = n < left ? n : left;
    phase_of(g, fmin(middle / (double)g->o.of, 0x1.fffffep-1), &p);
    draw_rows(g, &p, first, n, out);
    return n;
}

/* The row's columns that data/gen_more.h draws, at place i of each col. They are drawn again: rows holds no lists. */
static void put_more(const struct ca_gen *g, int64_t row, size_t i, void *const *col)
{
    struct ca_gen_extra x = {0};
    size_t at = i * (1 + (size_t)g->o.history), c = g->o.domains != 0;

    if (g->o.history) {
        x.his = (uint32_t *)col[c + 2] + at + 1;
        x.cate_his = (uint32_t *)col[c + 3] + at + 1;
    }
    ca_gen_more_row(g->more, 0, head_of(g, row), row, &x);
    if (g->o.domains)
        ((uint32_t *)col[0])[i] = x.domain;
    if (g->o.history) {
        ((uint32_t *)col[c])[i] = x.item;
        ((uint32_t *)col[c + 1])[i] = x.cate;
        x.his[-1] = x.cate_his[-1] = x.n;
    }
}

void ca_gen_rows(const struct ca_gen *g, int64_t first, size_t n, void *const *col)
{
    double per_row = SECONDS / (double)g->o.of;
    struct rows rows;

    for (size_t i = 0, some; i < n; i += some) {
        unsigned c = 0;
        some = draw_some(g, first + (int64_t)i, n - i, &rows);
        int64_t *time = (int64_t *)col[c++] + i;
        int64_t *request = g->o.requests ? (int64_t *)col[c++] + i : NULL;
        float *click = (float *)col[c++] + i;
        float *conversion = g->o.conversions ? (float *)col[c++] + i : NULL;
        float *probability = g->o.probability ? (float *)col[c++] + i : NULL;
        float *conversion_probability = conversion && probability ? (float *)col[c++] + i : NULL;
        for (size_t r = 0; r < some; r++) {
            int64_t row = first + (int64_t)(i + r), at = row - (request ? row % g->o.requests : 0);
            time[r] = (int64_t)((double)at * per_row);
            if (request)
                request[r] = row / g->o.requests;
            click[r] = (float)rows.click[r];
            if (conversion)
                conversion[r] = (float)rows.conversion[r];
            if (probability)
                probability[r] = rows.probability[r];
            if (conversion_probability)
                conversion_probability[r] = rows.conversion_probability[r];
        }
        for (unsigned f = 0; f < g->n_numeric; f++) {
            float *value = (float *)col[c++] + i;
            for (size_t r = 0; r < some; r++)
                value[r] = g->field[f].value[rows.at[r][f]];
        }
        for (unsigned f = g->n_numeric; f < g->n_fields; f++) {
            uint32_t *id = (uint32_t *)col[c++] + i;
            for (size_t r = 0; r < some; r++)
                id[r] = rows.at[r][f];
        }
        for (size_t r = 0; g->more && r < some; r++)
            put_more(g, first + (int64_t)(i + r), i + r, col + c);
    }
}

/* A bijection of 32-bit numbers (the finaliser of MurmurHash3): equal text would mean equal ids. */
static uint32_t scramble(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

/* Decimal digits of v at s; returns the end. */
static char *put_integer(char *s, int32_t v)
{
    uint32_t u = v < 0 ? 0u - (uint32_t)v : (uint32_t)v;
    char digit[12];
    int n = 0;

    if (v < 0)
        *s++ = '-';
    do
        digit[n++] = (char)('0' + u % 10);
    while (u /= 10);
    while (n)
        *s++ = digit[--n];
    return s;
}

static char *put_line(const struct ca_gen *g, const uint32_t *at, int click, char *s)
{
    static const char digit[] = "0123456789abcdef";

    *s++ = click ? '1' : '0';
    for (unsigned f = 0; f < g->n_fields; f++) {
        *s++ = '\t';
        if (f < g->n_numeric) {
            if (g->field[f].raw[at[f]] != MISSING)
                s = put_integer(s, g->field[f].raw[at[f]]);
        } else if (at[f]) {
            uint32_t h = scramble(at[f] + (f << 26));
            for (int k = 28; k >= 0; k -= 4)
                *s++ = digit[h >> k & 15];
        }
    }
    *s++ = '\n';
    return s;
}

void ca_gen_text(const struct ca_gen *g, int64_t first, size_t n, struct ca_buf *out)
{
    char line[MAX_FIELDS * 12 + 8];
    struct rows rows;

    for (size_t i = 0, some; i < n; i += some) {
        some = draw_some(g, first + (int64_t)i, n - i, &rows);
        for (size_t r = 0; r < some; r++)
            ca_buf_add(out, line, (size_t)(put_line(g, rows.at[r], rows.click[r], line) - line));
    }
}
