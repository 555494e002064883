#include "data/clicks.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

#include "base/banned.h"

struct ca_clicks {
    struct ca_clicks_opts o;
    struct ca_sampler *sampler;
    struct ca_rng draw, mix;
    uint64_t chunk;
    int64_t clicked_read, clicked_taken, unclicked_taken;
    uint32_t *clicked, *unclicked; /* rows of the chunk */
    float *label;                  /* of the clicked ones */
    uint32_t *picked, *at, *order;
    float *picked_weight, *weight;
    size_t clicked_cap, unclicked_cap, label_cap, picked_cap, at_cap, order_cap, picked_weight_cap, weight_cap;
    size_t n_clicked, n_unclicked;
};

int ca_clicks_new(struct ca_clicks **out, const struct ca_clicks_opts *opts, struct ca_err *err)
{
    struct ca_clicks *c = ca_mem_zalloc(1, sizeof *c, err);
    int rc;

    if (!c)
        return CA_EMEMORY;
    c->o = *opts;
    c->o.sample.phase = NULL; /* only needed here */
    if ((!opts->all && (rc = ca_sampler_new(&c->sampler, &opts->sample, err))) ||
        (rc = ca_sample_rng(&c->draw, opts->sample.seed, "sample unclicked", opts->sample.phase, err)) ||
        (rc = ca_sample_rng(&c->mix, opts->sample.seed, "sample unclicked order", opts->sample.phase, err))) {
        ca_clicks_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

int ca_clicks_needs_label(const struct ca_clicks *c)
{
    return c->sampler && ca_sampler_needs_label(c->sampler);
}

static int divide(struct ca_clicks *c, const float *click, const float *label, size_t rows, struct ca_err *err)
{
    int rc;

    if ((rc = ca_mem_grow((void **)&c->clicked, &c->clicked_cap, rows, sizeof *c->clicked, err)) ||
        (rc = ca_mem_grow((void **)&c->unclicked, &c->unclicked_cap, rows, sizeof *c->unclicked, err)) ||
        (rc = ca_mem_grow((void **)&c->label, &c->label_cap, rows, sizeof *c->label, err)))
        return rc;
    c->n_clicked = c->n_unclicked = 0;
    for (size_t i = 0; i < rows; i++) {
        if (!(click[i] > 0.5F)) {
            c->unclicked[c->n_unclicked++] = (uint32_t)i;
            continue;
        }
        c->label[c->n_clicked] = label ? label[i] : 0.0F;
        c->clicked[c->n_clicked++] = (uint32_t)i;
    }
    return 0;
}

/* The clicked rows that are taken, as numbers within clicked. */
static int take_clicked(struct ca_clicks *c, struct ca_sample *got, struct ca_err *err)
{
    int rc;

    if (!c->o.all)
        return ca_sampler_draw(c->sampler, c->chunk, c->label, c->n_clicked, c->clicked_read, got, err);
    if ((rc = ca_mem_grow((void **)&c->order, &c->order_cap, c->n_clicked, sizeof *c->order, err)))
        return rc;
    for (size_t i = 0; i < c->n_clicked; i++)
        c->order[i] = (uint32_t)i;
    *got = (struct ca_sample){.at = c->order, .n = c->n_clicked};
    return 0;
}

static int room(struct ca_clicks *c, size_t n, struct ca_err *err)
{
    int rc;

    if ((rc = ca_mem_grow((void **)&c->picked, &c->picked_cap, n, sizeof *c->picked, err)) ||
        (rc = ca_mem_grow((void **)&c->at, &c->at_cap, n, sizeof *c->at, err)) ||
        (rc = ca_mem_grow((void **)&c->picked_weight, &c->picked_weight_cap, n, sizeof *c->picked_weight, err)))
        return rc;
    return ca_mem_grow((void **)&c->weight, &c->weight_cap, n, sizeof *c->weight, err);
}

static int mix(struct ca_clicks *c, size_t n, struct ca_err *err)
{
    int rc = ca_mem_grow((void **)&c->order, &c->order_cap, n, sizeof *c->order, err);

    if (rc)
        return rc;
    ca_sample_permute(&c->mix, c->chunk, c->order, n);
    for (size_t i = 0; i < n; i++) {
        c->at[i] = c->picked[c->order[i]];
        c->weight[i] = c->picked_weight[c->order[i]];
    }
    return 0;
}

/* The n picked rows in the order of the stream, by counting: a row's picks have one weight. */
static int in_order(struct ca_clicks *c, size_t n, size_t rows, struct ca_err *err)
{
    size_t sum = 0;
    int rc = ca_mem_grow((void **)&c->order, &c->order_cap, rows, sizeof *c->order, err);

    if (rc)
        return rc;
    memset(c->order, 0, rows * sizeof *c->order);
    for (size_t i = 0; i < n; i++)
        c->order[c->picked[i]]++;
    for (size_t r = 0; r < rows; r++) {
        size_t times = c->order[r];
        c->order[r] = (uint32_t)sum;
        sum += times;
    }
    for (size_t i = 0; i < n; i++) {
        size_t place = c->order[c->picked[i]]++;
        c->at[place] = c->picked[i];
        c->weight[place] = c->picked_weight[i];
    }
    return 0;
}

int ca_clicks_draw(struct ca_clicks *c, const float *click, const float *label, size_t rows, struct ca_sample *out,
                   struct ca_err *err)
{
    double ratio = c->o.all ? 1 : c->o.sample.ratio;
    struct ca_sample got;
    int64_t owed;
    size_t n;
    int rc;

    if (rows > INT32_MAX || c->chunk > UINT32_MAX)
        return ca_err_set(err, CA_EUSAGE, "chunk too large or too many chunks to sample from");
    if ((rc = divide(c, click, label, rows, err)) || (rc = take_clicked(c, &got, err)))
        return rc;
    c->clicked_read += (int64_t)c->n_clicked;
    c->clicked_taken += (int64_t)got.n;
    owed = c->n_unclicked ? ca_clicks_owed(c) : 0;
    n = got.n + (size_t)owed;
    if (n > UINT32_MAX)
        return ca_err_set(err, CA_EUSAGE, "%zu rows are too many to take from one chunk", n);
    if ((rc = room(c, n, err)))
        return rc;
    for (size_t i = 0; i < got.n; i++) {
        c->picked[i] = c->clicked[got.at[i]];
        c->picked_weight[i] = got.weight ? got.weight[i] : 1.0F;
    }
    for (size_t i = got.n; i < n; i++) {
        uint64_t u = ca_rng_below(&c->draw, c->chunk << 32 | (i - got.n), c->n_unclicked);
        c->picked[i] = c->unclicked[u];
        c->picked_weight[i] = (float)(ratio * (double)c->n_unclicked / (double)owed);
    }
    c->unclicked_taken += owed;
    if ((rc = c->o.all ? in_order(c, n, rows, err) : mix(c, n, err)))
        return rc;
    c->chunk++;
    *out = (struct ca_sample){.at = c->at, .weight = c->weight, .n = n};
    return 0;
}

int64_t ca_clicks_fallbacks(const struct ca_clicks *c)
{
    return c->sampler ? ca_sampler_fallbacks(c->sampler) : 0;
}

int64_t ca_clicks_owed(const struct ca_clicks *c)
{
    return (int64_t)(c->o.unclicked * (double)c->clicked_taken) - c->unclicked_taken;
}

void ca_clicks_free(struct ca_clicks *c)
{
    if (!c)
        return;
    ca_sampler_free(c->sampler);
    ca_mem_free(c->clicked);
    ca_mem_free(c->unclicked);
    ca_mem_free(c->label);
    ca_mem_free(c->picked);
    ca_mem_free(c->at);
    ca_mem_free(c->order);
    ca_mem_free(c->picked_weight);
    ca_mem_free(c->weight);
    ca_mem_free(c);
}
