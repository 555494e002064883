#include "data/sample.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"

#include "base/banned.h"

/* The rows of a chunk that one kind of draw chooses from. */
struct pool {
    uint32_t *at;   /* row numbers */
    uint64_t *upto; /* running sum of (stream index + 1), temporal methods only */
    size_t at_cap, upto_cap, n;
};

struct ca_sampler {
    struct ca_sample_opts o;
    struct ca_rng draw, mix;
    struct pool pos, neg; /* neg doubles as the pool of all rows */
    uint32_t *drawn, *at, *order;
    float *drawn_weight, *weight;
    size_t drawn_cap, at_cap, order_cap, drawn_weight_cap, weight_cap;
    int64_t fallbacks;
};

static int temporal(const struct ca_sampler *s)
{
    return s->o.method == CA_SAMPLE_TEMPORAL || s->o.method == CA_SAMPLE_COMBINED;
}

int ca_sampler_needs_label(const struct ca_sampler *s)
{
    return s->o.method == CA_SAMPLE_BALANCED || s->o.method == CA_SAMPLE_COMBINED;
}

int ca_sample_rng(struct ca_rng *r, uint64_t seed, const char *what, const char *phase, struct ca_err *err)
{
    struct ca_buf purpose = {0};
    int rc;

    ca_buf_printf(&purpose, "%s/%s", what, phase ? phase : "");
    rc = ca_buf_check(&purpose, err);
    if (!rc)
        *r = ca_rng_make(seed, purpose.data);
    ca_buf_fini(&purpose);
    return rc;
}

int ca_sampler_new(struct ca_sampler **out, const struct ca_sample_opts *opts, struct ca_err *err)
{
    struct ca_sampler *s = ca_mem_zalloc(1, sizeof *s, err);
    int rc;

    if (!s)
        return CA_EMEMORY;
    s->o = *opts;
    s->o.phase = NULL; /* only needed here */
    if ((rc = ca_sample_rng(&s->draw, opts->seed, "sample draw", opts->phase, err)) ||
        (rc = ca_sample_rng(&s->mix, opts->seed, "sample order", opts->phase, err))) {
        ca_sampler_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

static int pool_reset(struct pool *p, size_t rows, int weighted, struct ca_err *err)
{
    int rc = ca_mem_grow((void **)&p->at, &p->at_cap, rows, sizeof *p->at, err);

    if (!rc && weighted)
        rc = ca_mem_grow((void **)&p->upto, &p->upto_cap, rows, sizeof *p->upto, err);
    p->n = 0;
    return rc;
}

static void pool_add(struct pool *p, size_t row, int64_t first_row, int weighted)
{
    if (weighted)
        p->upto[p->n] = (p->n ? p->upto[p->n - 1] : 0) + (uint64_t)first_row + row + 1;
    p->at[p->n++] = (uint32_t)row;
}

/* n draws from p into drawn[from..]; their weights are scale / expected count of the row. */
static void pool_draw(struct ca_sampler *s, const struct pool *p, uint64_t chunk, size_t from, size_t n, int weighted)
{
    uint64_t total = weighted ? p->upto[p->n - 1] : p->n;
    double scale = s->o.ratio * (double)total / (double)n;

    for (size_t j = from; j < from + n; j++) {
        uint64_t u = ca_rng_below(&s->draw, chunk << 32 | j, total);
        size_t k = (size_t)u;
        double share = 1;
        if (weighted) {
            size_t lo = 0, hi = p->n - 1; /* the first k with upto[k] > u */
            while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (p->upto[mid] > u)
                    hi = mid;
                else
                    lo = mid + 1;
            }
            k = lo;
            share = (double)(p->upto[k] - (k ? p->upto[k - 1] : 0));
        }
        s->drawn[j] = p->at[k];
        s->drawn_weight[j] = (float)(scale / share);
    }
}

void ca_sample_permute(const struct ca_rng *rng, uint64_t index, uint32_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++) { /* Fisher-Yates, inside out */
        size_t j = (size_t)ca_rng_below(rng, index << 32 | i, i + 1);
        at[i] = (uint32_t)i;
        at[i] = at[j];
        at[j] = (uint32_t)i;
    }
}

static int room(struct ca_sampler *s, size_t n, struct ca_err *err)
{
    int rc;

    if ((rc = ca_mem_grow((void **)&s->drawn, &s->drawn_cap, n, sizeof *s->drawn, err)) ||
        (rc = ca_mem_grow((void **)&s->at, &s->at_cap, n, sizeof *s->at, err)) ||
        (rc = ca_mem_grow((void **)&s->order, &s->order_cap, n, sizeof *s->order, err)) ||
        (rc = ca_mem_grow((void **)&s->drawn_weight, &s->drawn_weight_cap, n, sizeof *s->drawn_weight, err)))
        return rc;
    return ca_mem_grow((void **)&s->weight, &s->weight_cap, n, sizeof *s->weight, err);
}

int ca_sampler_draw(struct ca_sampler *s, uint64_t chunk, const float *label, size_t rows, int64_t first_row,
                    struct ca_sample *out, struct ca_err *err)
{
    int weighted = temporal(s), classes = ca_sampler_needs_label(s), rc;
    double want = (double)rows * s->o.ratio;
    size_t n = (size_t)want, n_pos = classes ? (size_t)(want * s->o.positive_ratio) : 0;

    if (rows > INT32_MAX || chunk > UINT32_MAX)
        return ca_err_set(err, CA_EUSAGE, "chunk too large or too many chunks to sample from");
    if ((rc = room(s, n, err)) || (rc = pool_reset(&s->pos, rows, weighted, err)) ||
        (rc = pool_reset(&s->neg, rows, weighted, err)))
        return rc;
    if (classes) {
        for (size_t i = 0; i < rows; i++)
            pool_add(label[i] > 0.5F ? &s->pos : &s->neg, i, first_row, weighted);
        if ((n_pos && !s->pos.n) || (n > n_pos && !s->neg.n)) {
            s->fallbacks++;
            classes = weighted = 0;
            n_pos = s->neg.n = 0;
        }
    }
    if (!classes)
        for (size_t i = 0; i < rows; i++)
            pool_add(&s->neg, i, first_row, weighted);
    if (n_pos)
        pool_draw(s, &s->pos, chunk, 0, n_pos, weighted);
    if (n > n_pos)
        pool_draw(s, &s->neg, chunk, n_pos, n - n_pos, weighted);
    ca_sample_permute(&s->mix, chunk, s->order, n);
    for (size_t i = 0; i < n; i++) {
        s->at[i] = s->drawn[s->order[i]];
        s->weight[i] = s->drawn_weight[s->order[i]];
    }
    *out = (struct ca_sample){.at = s->at, .weight = s->weight, .n = n};
    return 0;
}

int64_t ca_sampler_fallbacks(const struct ca_sampler *s)
{
    return s->fallbacks;
}

size_t ca_sample_chunk(size_t batch, double ratio)
{
    size_t rows = (size_t)((double)batch / ratio);
    return rows ? rows : 1;
}

void ca_sampler_free(struct ca_sampler *s)
{
    if (!s)
        return;
    ca_mem_free(s->pos.at);
    ca_mem_free(s->pos.upto);
    ca_mem_free(s->neg.at);
    ca_mem_free(s->neg.upto);
    ca_mem_free(s->drawn);
    ca_mem_free(s->at);
    ca_mem_free(s->order);
    ca_mem_free(s->drawn_weight);
    ca_mem_free(s->weight);
    ca_mem_free(s);
}
