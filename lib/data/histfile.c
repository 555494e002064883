/* The saved form of histograms: see hist.h. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/in.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/hist.h"

#include "base/banned.h"

#define FORMAT "ca-histograms"
#define MAX_FILE_BYTES ((size_t)4 << 30)

static int line_out(struct ca_out *out, struct ca_buf *b, struct ca_err *err)
{
    int rc;

    ca_buf_char(b, '\n');
    rc = ca_buf_check(b, err);
    if (!rc)
        rc = ca_out_write(out, b->data, b->len, err);
    ca_buf_clear(b);
    return rc;
}

static int put_string(struct ca_buf *b, const char *s, struct ca_err *err)
{
    json_t *j = json_string(s);
    int rc = j ? ca_json_dump(j, b, err) : ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON string");

    json_decref(j);
    return rc;
}

static int save_window(const struct ca_hist_feature *f, size_t w, struct ca_buf *b, struct ca_err *err)
{
    const struct ca_hist *t = &f->window[w];
    int rc;

    ca_buf_str(b, "{\"feature\":");
    if ((rc = put_string(b, f->name, err)))
        return rc;
    ca_buf_printf(b, ",\"role\":\"%s\",\"vocab\":%" PRIu32, ca_role_name(f->role), f->vocab);
    if (f->role == CA_ROLE_NUMERIC && f->lo > f->hi)
        ca_buf_str(b, ",\"min\":null,\"max\":null");
    else if (f->role == CA_ROLE_NUMERIC)
        ca_buf_printf(b, ",\"min\":%.17g,\"max\":%.17g", f->lo, f->hi);
    ca_buf_printf(b, ",\"window\":%zu,\"ids\":[", w);
    for (size_t i = 0; i < t->n; i++)
        ca_buf_printf(b, "%s%" PRIu32, i ? "," : "", t->cell[i].id);
    ca_buf_str(b, "],\"counts\":[");
    for (size_t i = 0; i < t->n; i++)
        ca_buf_printf(b, "%s%" PRIu64, i ? "," : "", t->cell[i].count);
    ca_buf_str(b, "]}");
    return 0;
}

int ca_hists_save(const struct ca_hists *h, struct ca_out *out, struct ca_err *err)
{
    struct ca_buf b = {0};
    int rc;

    ca_buf_printf(&b, "{\"format\":\"" FORMAT "\",\"version\":1,\"bins\":%zu,\"windows\":%zu,\"by\":\"%s\",\"boundaries\":[",
                  h->bins, h->windows, h->by_time ? "time" : "rows");
    for (size_t w = 0; w + 1 < h->windows; w++)
        ca_buf_printf(&b, "%s%" PRId64, w ? "," : "", h->boundary[w]);
    ca_buf_str(&b, "],\"rows\":[");
    for (size_t w = 0; w < h->windows; w++)
        ca_buf_printf(&b, "%s%" PRIu64, w ? "," : "", h->rows[w]);
    ca_buf_printf(&b, "],\"outside\":%" PRIu64 ",\"features\":%zu}", h->outside, h->n_features);
    rc = line_out(out, &b, err);
    for (size_t f = 0; !rc && f < h->n_features; f++)
        for (size_t w = 0; !rc && w < h->windows; w++)
            if (!(rc = save_window(&h->feature[f], w, &b, err)))
                rc = line_out(out, &b, err);
    if (!rc) {
        ca_buf_printf(&b, "{\"end\":true,\"features\":%zu}", h->n_features);
        rc = line_out(out, &b, err);
    }
    ca_buf_fini(&b);
    return rc;
}

/* A file being parsed line by line. */
struct text {
    const char *name, *at, *end, *start;
    int64_t line;
};

static int next_line(struct text *t, json_t **j, struct ca_err *err)
{
    const char *nl = t->at < t->end ? memchr(t->at, '\n', (size_t)(t->end - t->at)) : NULL;
    const char *from = t->at;

    t->line++;
    if (!nl)
        return ca_err_set(err, CA_ETRUNCATED, "histogram file ends before its end line");
    t->at = nl + 1;
    *j = ca_json_parse(from, (size_t)(nl - from), t->name, (int64_t)(from - t->start), err);
    if (!*j)
        return CA_EFORMAT;
    return json_is_object(*j) ? 0 : ca_err_set(err, CA_EFORMAT, "a line of a histogram file is not a JSON object");
}

/* Integers of an array of exactly n into out. */
static int integers(const json_t *obj, const char *key, int64_t lo, size_t n, int64_t *out, struct ca_err *err)
{
    json_t *a;
    int rc = ca_json_get_array(obj, key, &a, err);

    if (rc)
        return rc;
    if (json_array_size(a) != n)
        return ca_err_set(err, CA_EFORMAT, "key '%s' has %zu numbers instead of %zu", key, json_array_size(a), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(a, i);
        if (!json_is_integer(v) || json_integer_value(v) < lo)
            return ca_err_set(err, CA_EFORMAT, "key '%s' has a bad number in place %zu", key, i);
        out[i] = (int64_t)json_integer_value(v);
    }
    return 0;
}

static int load_head(struct ca_hists *h, const json_t *j, size_t *n_features, struct ca_err *err)
{
    const char *s;
    int64_t v;
    int rc;

    if (ca_json_get_str(j, "format", &s, NULL) || strcmp(s, FORMAT))
        return ca_err_set(err, CA_EMAGIC, "not a histogram file");
    if ((rc = ca_json_get_int(j, "version", 1, INT64_MAX, &v, err)))
        return rc;
    if (v != 1)
        return ca_err_set(err, CA_EVERSION, "histogram file of version %" PRId64 ", this program reads 1", v);
    if ((rc = ca_json_get_int(j, "bins", 1, CA_HIST_MAX_BINS, &v, err)))
        return rc;
    h->bins = (size_t)v;
    if ((rc = ca_json_get_int(j, "windows", 1, CA_HIST_MAX_WINDOWS, &v, err)))
        return rc;
    h->windows = (size_t)v;
    if ((rc = ca_json_get_int(j, "features", 1, CA_MAX_COLUMNS, &v, err)))
        return rc;
    *n_features = (size_t)v;
    if ((rc = ca_json_get_int(j, "outside", 0, INT64_MAX, &v, err)) || (rc = ca_json_get_str(j, "by", &s, err)))
        return rc;
    h->outside = (uint64_t)v;
    h->by_time = !strcmp(s, "time");
    h->boundary = ca_mem_zalloc(h->windows, sizeof *h->boundary, err);
    h->rows = ca_mem_zalloc(h->windows, sizeof *h->rows, err);
    if (!h->boundary || !h->rows)
        return CA_EMEMORY;
    if ((rc = integers(j, "boundaries", INT64_MIN, h->windows - 1, h->boundary, err)))
        return rc;
    for (size_t w = 0; w + 2 < h->windows; w++)
        if (h->boundary[w] >= h->boundary[w + 1])
            return ca_err_set(err, CA_EFORMAT, "window boundaries do not ascend");
    return integers(j, "rows", 0, h->windows, (int64_t *)h->rows, err);
}

static int load_cells(const json_t *j, const struct ca_hist_feature *f, size_t bins, struct ca_hist *t,
                      struct ca_err *err)
{
    json_t *ids, *counts;
    size_t n;
    int rc;

    if ((rc = ca_json_get_array(j, "ids", &ids, err)) || (rc = ca_json_get_array(j, "counts", &counts, err)))
        return rc;
    n = json_array_size(ids);
    if (json_array_size(counts) != n)
        return ca_err_set(err, CA_EFORMAT, "%zu ids have %zu counts", n, json_array_size(counts));
    if ((rc = ca_mem_grow((void **)&t->cell, &t->cap, n, sizeof *t->cell, err)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(ids, i), *count = json_array_get(counts, i);
        int64_t v = json_is_integer(id) ? (int64_t)json_integer_value(id) : -1;
        int64_t k = json_is_integer(count) ? (int64_t)json_integer_value(count) : 0;
        int64_t limit = f->role == CA_ROLE_NUMERIC ? (int64_t)bins : (int64_t)UINT32_MAX + 1;
        if (v < 0 || v >= limit || k < 1 || (i && v <= (int64_t)t->cell[i - 1].id) || t->total > INT64_MAX - (uint64_t)k)
            return ca_err_set(err, CA_EFORMAT, "bad id or count in place %zu", i);
        t->cell[i] = (struct ca_hist_cell){.id = (uint32_t)v, .count = (uint64_t)k};
        t->total += (uint64_t)k;
        t->n = i + 1;
    }
    return 0;
}

static int load_range(const json_t *j, struct ca_hist_feature *f, struct ca_err *err)
{
    const json_t *lo = json_object_get(j, "min"), *hi = json_object_get(j, "max");

    if (f->role != CA_ROLE_NUMERIC)
        return 0;
    if (json_is_null(lo) && json_is_null(hi)) {
        f->lo = 1;
        f->hi = 0;
        return 0;
    }
    if (!json_is_number(lo) || !json_is_number(hi) || json_number_value(lo) > json_number_value(hi))
        return ca_err_set(err, CA_EFORMAT, "min and max of a numeric feature are not a range");
    f->lo = json_number_value(lo);
    f->hi = json_number_value(hi);
    return 0;
}

static int load_window(struct ca_hists *h, const json_t *j, size_t w, struct ca_err *err)
{
    struct ca_hist_feature *f = &h->feature[h->n_features - 1];
    const char *name, *role_name;
    enum ca_role role;
    int64_t vocab, window;
    int rc;

    if ((rc = ca_json_get_str(j, "feature", &name, err)) || (rc = ca_json_get_str(j, "role", &role_name, err)) ||
        (rc = ca_json_get_int(j, "vocab", 0, UINT32_MAX, &vocab, err)) ||
        (rc = ca_json_get_int(j, "window", 0, CA_HIST_MAX_WINDOWS, &window, err)))
        return rc;
    if (ca_role_parse(role_name, &role) ||
        (role != CA_ROLE_NUMERIC && role != CA_ROLE_CATEGORICAL && role != CA_ROLE_SEQUENCE))
        return ca_err_set(err, CA_EFORMAT, "'%s' is not the role of a feature", role_name);
    if (!w) {
        f->role = role;
        f->vocab = (uint32_t)vocab;
        f->name = ca_mem_strdup(name, err);
        f->window = ca_mem_zalloc(h->windows, sizeof *f->window, err);
        if (!f->name || !f->window)
            return CA_EMEMORY;
        if ((rc = load_range(j, f, err)))
            return rc;
    }
    if ((size_t)window != w || strcmp(name, f->name) || role != f->role)
        return ca_err_set(err, CA_EFORMAT, "window %zu of feature '%s' is not where it should be", w, f->name);
    return load_cells(j, f, h->bins, &f->window[w], err);
}

static int load_text(struct ca_hists *h, struct text *t, struct ca_err *err)
{
    json_t *j = NULL;
    size_t n = 0;
    int rc = next_line(t, &j, err);

    if (!rc)
        rc = load_head(h, j, &n, err);
    json_decref(j);
    if (rc)
        return rc;
    h->feature = ca_mem_zalloc(n, sizeof *h->feature, err);
    if (!h->feature)
        return CA_EMEMORY;
    for (size_t f = 0; f < n; f++) {
        h->n_features++;
        for (size_t w = 0; w < h->windows; w++) {
            j = NULL;
            if (!(rc = next_line(t, &j, err)))
                rc = load_window(h, j, w, err);
            json_decref(j);
            if (rc)
                return rc;
        }
    }
    j = NULL;
    if (!(rc = next_line(t, &j, err)) && !json_is_true(json_object_get(j, "end")))
        rc = ca_err_set(err, CA_EFORMAT, "the end line is not where it should be");
    json_decref(j);
    if (!rc && t->at != t->end)
        rc = ca_err_set(err, CA_ETRAILING, "histogram file goes on after its end line");
    return rc;
}

int ca_hists_load(struct ca_hists **out, const char *path, struct ca_err *err)
{
    struct ca_in *in = NULL;
    struct ca_buf b = {0};
    struct ca_hists *h = NULL;
    char piece[65536];
    size_t got = sizeof piece;
    struct text t = {.name = path};
    int rc = ca_in_open(&in, path, err);

    if (rc)
        return rc;
    while (got == sizeof piece && b.len <= MAX_FILE_BYTES) {
        if ((rc = ca_in_read(in, piece, sizeof piece, &got, err)))
            goto done;
        ca_buf_add(&b, piece, got);
    }
    if (b.len > MAX_FILE_BYTES) {
        rc = ca_err_set(err, CA_EFORMAT, "histogram file is larger than 4 GiB");
        goto done;
    }
    if ((rc = ca_buf_check(&b, err)))
        goto done;
    h = ca_mem_zalloc(1, sizeof *h, err);
    if (!h) {
        rc = CA_EMEMORY;
        goto done;
    }
    t.start = t.at = b.data;
    t.end = b.len ? b.data + b.len : b.data;
    rc = load_text(h, &t, err);
done:
    if (rc) {
        (void)ca_err_at(err, path, -1, t.line ? t.line : -1);
        ca_hists_free(h);
    } else {
        *out = h;
    }
    ca_in_close(in);
    ca_buf_fini(&b);
    return rc;
}
