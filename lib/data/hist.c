#include "data/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

#define BINS_AT_ONCE 256
#define SPARSE 16 /* one place of so many in use: then their numbers are sorted, else all places looked at */
#define DIRECT ((size_t)1 << 20) /* bins or ids of a feature that are counted at their own place: 12 MiB */

/*
 * Counts of one feature while a window is read: for small numbers an array;
 * for the others a table by open addressing, where count 0 marks a free slot.
 */
struct ca_hist_counter {
    uint64_t *direct;
    size_t n_direct;
    uint32_t *met; /* which places of the array are not 0, in order of appearance */
    size_t n_met;
    struct ca_hist_cell *slot;
    size_t cap, used; /* cap is 0 or a power of two */
};

static int is_feature(enum ca_role r)
{
    return r == CA_ROLE_NUMERIC || r == CA_ROLE_CATEGORICAL || r == CA_ROLE_SEQUENCE;
}

/* Without memory for the array everything is counted in the table. */
static void make_counter(struct ca_hist_counter *t, size_t ids)
{
    if (ids > DIRECT)
        return;
    t->direct = ca_mem_zalloc(ids + 1, sizeof *t->direct, NULL);
    t->met = ca_mem_zalloc(ids + 1, sizeof *t->met, NULL);
    t->n_direct = t->direct && t->met ? ids : 0;
}

int ca_hists_new(struct ca_hists **out, const struct ca_schema *s, size_t windows, size_t bins, int by_time,
                 const int64_t *boundary, struct ca_err *err)
{
    struct ca_hists *h = ca_mem_zalloc(1, sizeof *h, err);
    size_t n = 0;
    int rc = CA_EMEMORY;

    if (!h)
        return CA_EMEMORY;
    for (size_t c = 0; c < s->n; c++)
        n += is_feature(s->col[c].role) != 0;
    if (!n) {
        rc = ca_err_set(err, CA_ESCHEMA, "the stream has no numeric, categorical or sequence column");
        goto fail;
    }
    h->windows = windows;
    h->bins = bins;
    h->by_time = by_time;
    h->boundary = ca_mem_zalloc(windows, sizeof *h->boundary, err);
    h->rows = ca_mem_zalloc(windows, sizeof *h->rows, err);
    h->feature = ca_mem_zalloc(n, sizeof *h->feature, err);
    h->counter = ca_mem_zalloc(n, sizeof *h->counter, err);
    if (!h->boundary || !h->rows || !h->feature || !h->counter)
        goto fail;
    if (boundary)
        memcpy(h->boundary, boundary, (windows - 1) * sizeof *boundary);
    for (size_t c = 0; c < s->n; c++) {
        struct ca_hist_feature *f = &h->feature[h->n_features];
        if (!is_feature(s->col[c].role))
            continue;
        h->n_features++;
        *f = (struct ca_hist_feature){.role = s->col[c].role, .vocab = s->col[c].vocab};
        f->lo = f->role == CA_ROLE_NUMERIC; /* above hi: no range yet */
        make_counter(&h->counter[h->n_features - 1], f->role == CA_ROLE_NUMERIC ? bins : f->vocab);
        f->name = ca_mem_strdup(s->col[c].name, err);
        f->window = ca_mem_zalloc(windows, sizeof *f->window, err);
        if (!f->name || !f->window)
            goto fail;
    }
    *out = h;
    return 0;
fail:
    ca_hists_free(h);
    return rc;
}

int ca_hists_need_range(const struct ca_hists *h)
{
    for (size_t f = 0; f < h->n_features; f++)
        if (h->feature[f].role == CA_ROLE_NUMERIC)
            return 1;
    return 0;
}

/* Columns of b in the order of the features: call with c = -1 first. */
static size_t next_feature(const struct ca_schema *s, size_t c)
{
    do
        c++;
    while (!is_feature(s->col[c].role));
    return c;
}

void ca_hists_range(struct ca_hists *h, const struct ca_block *b)
{
    size_t c = SIZE_MAX;

    for (size_t f = 0; f < h->n_features; f++) {
        struct ca_hist_feature *t = &h->feature[f];
        const float *v;
        float lo = INFINITY, hi = -INFINITY;
        c = next_feature(b->schema, c);
        if (t->role != CA_ROLE_NUMERIC)
            continue;
        v = ca_block_f32(b, c);
        for (size_t i = 0; i < b->rows; i++) {
            float x = v[i], y = isfinite(x) ? x : INFINITY, z = isfinite(x) ? x : -INFINITY;
            lo = y < lo ? y : lo;
            hi = z > hi ? z : hi;
        }
        if (lo > hi)
            continue; /* no finite value */
        if (t->lo > t->hi) {
            t->lo = (double)lo;
            t->hi = (double)hi;
        }
        t->lo = (double)lo < t->lo ? (double)lo : t->lo;
        t->hi = (double)hi > t->hi ? (double)hi : t->hi;
    }
}

static int same_features(const struct ca_hists *a, const struct ca_hists *b, struct ca_err *err)
{
    if (a->n_features != b->n_features)
        return ca_err_set(err, CA_ESCHEMA, "histograms of %zu and of %zu features cannot be compared", a->n_features,
                          b->n_features);
    for (size_t f = 0; f < a->n_features; f++) {
        const struct ca_hist_feature *x = &a->feature[f], *y = &b->feature[f];
        if (strcmp(x->name, y->name) || x->role != y->role || x->vocab != y->vocab)
            return ca_err_set(err, CA_ESCHEMA,
                              "histograms cannot be compared: feature %zu is %s %s of %u ids here, %s %s of %u ids there",
                              f + 1, ca_role_name(x->role), x->name, x->vocab, ca_role_name(y->role), y->name, y->vocab);
    }
    return 0;
}

int ca_hists_range_from(struct ca_hists *h, const struct ca_hists *from, struct ca_err *err)
{
    int rc = same_features(h, from, err);

    for (size_t f = 0; !rc && f < h->n_features; f++) {
        h->feature[f].lo = from->feature[f].lo;
        h->feature[f].hi = from->feature[f].hi;
    }
    return rc;
}

static struct ca_hist_cell *slot_of(const struct ca_hist_counter *t, uint32_t id)
{
    size_t i = (size_t)((id * (uint64_t)0x9E3779B97F4A7C15u) >> 32) & (t->cap - 1);

    while (t->slot[i].count && t->slot[i].id != id)
        i = (i + 1) & (t->cap - 1);
    return &t->slot[i];
}

static int widen(struct ca_hist_counter *t, struct ca_err *err)
{
    struct ca_hist_counter wide = {.cap = t->cap ? t->cap * 2 : 64};

    wide.slot = ca_mem_zalloc(wide.cap, sizeof *wide.slot, err);
    if (!wide.slot)
        return CA_EMEMORY;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slot[i].count)
            *slot_of(&wide, t->slot[i].id) = t->slot[i];
    ca_mem_free(t->slot);
    t->slot = wide.slot;
    t->cap = wide.cap;
    return 0;
}

static int count_in_table(struct ca_hist_counter *t, uint32_t id, struct ca_err *err)
{
    struct ca_hist_cell *s;

    if (t->used * 2 >= t->cap && widen(t, err))
        return CA_EMEMORY;
    s = slot_of(t, id);
    t->used += s->count == 0;
    s->id = id;
    s->count++;
    return 0;
}

static int count_ids(struct ca_hist_counter *t, const uint32_t *id, size_t n, struct ca_err *err)
{
    uint64_t *direct = t->direct;
    uint32_t *met = t->met;
    size_t n_met = t->n_met, n_direct = t->n_direct;
    int rc = 0;

    for (size_t i = 0; i < n && !rc; i++) {
        if (id[i] < n_direct) {
            met[n_met] = id[i];
            n_met += direct[id[i]]++ == 0;
        } else {
            rc = count_in_table(t, id[i], err);
        }
    }
    t->n_met = n_met;
    return rc;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct ca_hist_cell *)a)->id, y = ((const struct ca_hist_cell *)b)->id;
    return (x > y) - (x < y);
}

/* Add n sorted cells to t. */
static int add_cells(struct ca_hist *t, const struct ca_hist_cell *cell, size_t n, struct ca_err *err)
{
    struct ca_hist sum = {.total = t->total};
    size_t i = 0, j = 0;
    int rc = ca_mem_grow((void **)&sum.cell, &sum.cap, t->n + n, sizeof *sum.cell, err);

    if (rc)
        return rc;
    while (i < t->n || j < n) {
        struct ca_hist_cell *to = &sum.cell[sum.n++];
        if (j == n || (i < t->n && t->cell[i].id <= cell[j].id))
            *to = t->cell[i++];
        else
            *to = (struct ca_hist_cell){.id = cell[j].id};
        if (j < n && cell[j].id == to->id) {
            to->count += cell[j].count;
            sum.total += cell[j++].count;
        }
    }
    ca_mem_free(t->cell);
    *t = sum;
    return 0;
}

/* Move what the counters hold into the current window. */
int ca_hists_done(struct ca_hists *h, struct ca_err *err)
{
    int rc;

    for (size_t f = 0; h->counter && f < h->n_features; f++) {
        struct ca_hist_counter *t = &h->counter[f];
        struct ca_hist_cell *cell;
        size_t n = t->used + t->n_met;

        if (!n)
            continue;
        cell = ca_mem_alloc(n, sizeof *cell, err);
        if (!cell)
            return CA_EMEMORY;
        n = 0;
        if (t->n_met > t->n_direct / SPARSE) {
            /* in order at once: quicker than to sort */
            for (size_t i = 0; i < t->n_direct; i++)
                if (t->direct[i])
                    cell[n++] = (struct ca_hist_cell){t->direct[i], (uint32_t)i};
        } else {
            for (; n < t->n_met; n++)
                cell[n] = (struct ca_hist_cell){t->direct[t->met[n]], t->met[n]};
            qsort(cell, n, sizeof *cell, by_id);
        }
        for (size_t i = 0; i < t->n_met; i++)
            t->direct[t->met[i]] = 0;
        /* ids of the table are larger than those of the array */
        for (size_t i = 0; i < t->cap; i++)
            if (t->slot[i].count)
                cell[n++] = t->slot[i];
        qsort(cell + (n - t->used), t->used, sizeof *cell, by_id);
        rc = add_cells(&h->feature[f].window[h->current], cell, n, err);
        ca_mem_free(cell);
        if (rc)
            return rc;
        if (t->cap)
            memset(t->slot, 0, t->cap * sizeof *t->slot);
        t->n_met = 0;
        t->used = 0;
    }
    return 0;
}

static int count_numeric(struct ca_hists *h, size_t f, const float *v, size_t n, struct ca_err *err)
{
    const struct ca_hist_feature *t = &h->feature[f];
    double width = t->hi - t->lo, bins = (double)h->bins;
    uint32_t found[BINS_AT_ONCE];
    size_t m = 0;
    int rc = 0;

    for (size_t i = 0; i < n && !rc; i++) {
        double x = (double)v[i], at;
        size_t bin = 0;
        if (!isfinite(x)) {
            h->outside++;
            continue;
        }
        if (x > t->hi || x < t->lo) {
            h->outside++;
            bin = x > t->hi && width > 0 ? h->bins - 1 : 0;
        } else if (width > 0) {
            at = (x - t->lo) / width * bins;
            bin = at < bins ? (size_t)at : h->bins - 1;
        }
        found[m++] = (uint32_t)bin;
        if (m == BINS_AT_ONCE) {
            rc = count_ids(&h->counter[f], found, m, err);
            m = 0;
        }
    }
    return rc ? rc : count_ids(&h->counter[f], found, m, err);
}

static int count_run(struct ca_hists *h, const struct ca_block *b, size_t from, size_t to, struct ca_err *err)
{
    size_t c = SIZE_MAX;
    int rc = 0;

    h->rows[h->current] += to - from;
    for (size_t f = 0; f < h->n_features && !rc; f++) {
        const uint32_t *id;
        size_t first = from, last = to;
        c = next_feature(b->schema, c);
        if (h->feature[f].role == CA_ROLE_NUMERIC) {
            rc = count_numeric(h, f, ca_block_f32(b, c) + from, to - from, err);
            continue;
        }
        id = ca_block_u32(b, c);
        if (b->col[c].start) {
            first = b->col[c].start[from];
            last = b->col[c].start[to];
        }
        rc = count_ids(&h->counter[f], id + first, last - first, err);
    }
    return rc;
}

/* The window that a place (row number or time) falls into, trying the current one first. */
static size_t window_of(const struct ca_hists *h, int64_t place)
{
    size_t w = h->current;

    while (w > 0 && place < h->boundary[w - 1])
        w--;
    while (w + 1 < h->windows && place >= h->boundary[w])
        w++;
    return w;
}

int ca_hists_count(struct ca_hists *h, const struct ca_block *b, int64_t first_row, struct ca_err *err)
{
    const int64_t *time = NULL;
    size_t from = 0;
    int rc;

    if (h->by_time) {
        int c = ca_schema_role(b->schema, CA_ROLE_TIME, 0);
        if (c < 0)
            return ca_err_set(err, CA_ESCHEMA, "windows by time need a time column, and the stream has none");
        time = ca_block_i64(b, (size_t)c);
    }
    while (from < b->rows) {
        size_t w = window_of(h, time ? time[from] : first_row + (int64_t)from), to = from + 1;
        if (w != h->current) {
            if ((rc = ca_hists_done(h, err)))
                return rc;
            h->current = w;
        }
        while (to < b->rows && window_of(h, time ? time[to] : first_row + (int64_t)to) == w)
            to++;
        if ((rc = count_run(h, b, from, to, err)))
            return rc;
        from = to;
    }
    return 0;
}

int ca_hists_range_check(const struct ca_hists *h, const struct ca_hists *other, struct ca_err *err)
{
    int rc = same_features(h, other, err);

    if (!rc && h->bins != other->bins)
        rc = ca_err_set(err, CA_ESCHEMA, "histograms of %zu and of %zu bins cannot be compared", h->bins, other->bins);
    for (size_t f = 0; !rc && f < h->n_features; f++) {
        const struct ca_hist_feature *a = &h->feature[f], *b = &other->feature[f];
        if (a->lo < b->lo || a->lo > b->lo || a->hi < b->hi || a->hi > b->hi) {
            (void)ca_err_set(err, CA_ESCHEMA,
                             "histograms cannot be compared: '%s' is binned over [%.9g, %.9g] here, [%.9g, %.9g] there",
                             a->name, a->lo, a->hi, b->lo, b->hi);
            rc = ca_err_hint(err, "count both with the same --edges FILE");
        }
    }
    return rc;
}

int ca_hists_merge(struct ca_hists *h, const struct ca_hists *from, struct ca_err *err)
{
    int rc = ca_hists_range_check(h, from, err);

    if (rc)
        return rc;
    if (h->windows != from->windows || h->by_time != from->by_time ||
        memcmp(h->boundary, from->boundary, (h->windows - 1) * sizeof *h->boundary)) {
        (void)ca_err_set(err, CA_ESCHEMA, "histograms of different windows cannot be added");
        return ca_err_hint(err, "count both with the same --boundaries");
    }
    for (size_t f = 0; f < h->n_features; f++)
        for (size_t w = 0; w < h->windows; w++) {
            const struct ca_hist *s = &from->feature[f].window[w];
            if ((rc = add_cells(&h->feature[f].window[w], s->cell, s->n, err)))
                return rc;
        }
    for (size_t w = 0; w < h->windows; w++)
        h->rows[w] += from->rows[w];
    h->outside += from->outside;
    return 0;
}

int ca_hists_flatten(struct ca_hists *h, struct ca_err *err)
{
    int rc;

    for (size_t f = 0; f < h->n_features; f++)
        for (size_t w = 1; w < h->windows; w++) {
            struct ca_hist *s = &h->feature[f].window[w];
            if ((rc = add_cells(&h->feature[f].window[0], s->cell, s->n, err)))
                return rc;
            ca_mem_free(s->cell);
            *s = (struct ca_hist){0};
        }
    for (size_t w = 1; w < h->windows; w++)
        h->rows[0] += h->rows[w];
    h->windows = 1;
    h->current = 0;
    return 0;
}

void ca_hists_free(struct ca_hists *h)
{
    if (!h)
        return;
    for (size_t f = 0; f < h->n_features; f++) {
        for (size_t w = 0; h->feature[f].window && w < h->windows; w++)
            ca_mem_free(h->feature[f].window[w].cell);
        ca_mem_free(h->feature[f].window);
        ca_mem_free(h->feature[f].name);
        if (h->counter) {
            ca_mem_free(h->counter[f].direct);
            ca_mem_free(h->counter[f].met);
            ca_mem_free(h->counter[f].slot);
        }
    }
    ca_mem_free(h->feature);
    ca_mem_free(h->counter);
    ca_mem_free(h->boundary);
    ca_mem_free(h->rows);
    ca_mem_free(h);
}
