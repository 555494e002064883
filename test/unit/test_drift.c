/* data/drift and data/hist: divergences by hand, eq 14, counting, saving, merging, damage. */
#include <stdlib.h>
#include <unistd.h>

#include "base/in.h"
#include "data/drift.h"
#include "record/schema.h"
#include "tap.h"

static struct ca_hist hist(struct ca_hist_cell *cell, size_t n)
{
    struct ca_hist h = {.cell = cell, .n = n};
    for (size_t i = 0; i < n; i++)
        h.total += cell[i].count;
    return h;
}

static void divergences(void)
{
    struct ca_hist_cell p[] = {{.id = 0, .count = 1}, {.id = 2, .count = 3}};
    struct ca_hist_cell q[] = {{.id = 0, .count = 2}, {.id = 2, .count = 2}};
    struct ca_hist_cell far[] = {{.id = 9, .count = 5}};
    struct ca_hist a = hist(p, 2), b = hist(q, 2), c = hist(far, 1), none = {0};
    struct ca_drift d = ca_drift_between(&a, &b, 0);
    /* P = 1/4 3/4, Q = 1/2 1/2, M = 3/8 5/8 */
    double js = 0.5 * (0.25 * log(2.0 / 3) + 0.75 * log(1.2)) + 0.5 * (0.5 * log(4.0 / 3) + 0.5 * log(0.8));

    CLOSE(d.js, js, 1e-15, "Jensen-Shannon by hand");
    CLOSE(d.kl, 0.25 * log(0.5) + 0.75 * log(1.5), 1e-9, "Kullback-Leibler by hand");
    CLOSE(d.wasserstein, 0.25, 1e-15, "total variation by hand");
    CLOSE(ca_drift_between(&a, &b, 10).wasserstein, 0.25 * 2 / 10, 1e-15, "a quarter of the mass moves two bins of ten");
    d = ca_drift_between(&a, &a, 0);
    OK(d.js <= 0 && d.kl <= 0 && d.wasserstein <= 0, "equal histograms have no distance");
    d = ca_drift_between(&a, &c, 0);
    CLOSE(d.js, log(2.0), 1e-15, "disjoint: js is ln 2");
    CLOSE(d.wasserstein, 1, 1e-15, "disjoint: total variation is 1");
    CLOSE(d.kl, 0.25 * log(0.25e10) + 0.75 * log(0.75e10), 1e-6, "disjoint: kl is what the smoothing makes it");
    d = ca_drift_between(&none, &a, 0);
    OK(fabs(d.js - log(2.0)) < 1e-15 && fabs(d.wasserstein - 1) < 1e-15 && isfinite(d.kl), "nothing against something");
    d = ca_drift_between(&none, &none, 0);
    OK(d.js <= 0 && d.kl <= 0 && d.wasserstein <= 0, "nothing against nothing");

    CLOSE(ca_drift_ratio(0.01, 0.01, 0.05, 0.1), 0.1, 0, "full replay up to low");
    CLOSE(ca_drift_ratio(0.010001, 0.01, 0.05, 0.1), 0.1 * (1 - 0.010001 / 0.05), 1e-15, "the jump behind low, as printed");
    CLOSE(ca_drift_ratio(0.05, 0.01, 0.05, 0.1), 0, 1e-15, "none at high");
    CLOSE(ca_drift_ratio(0.0753, 0.01, 0.05, 0.1), 0, 0, "none above high");
}

/* Rows row..row+n-1 of a fixed stream: x = row, id = row % 7, a list of row % 3 ids, time = row / 2. */
static struct ca_rows *stream(const struct ca_schema *s, int64_t row, size_t n)
{
    struct ca_err err = {0};
    struct ca_rows *r = ca_rows_new(s, &err);
    size_t first;

    for (size_t i = 0; r && i < n; i++) {
        int64_t k = row + (int64_t)i;
        const uint32_t list[] = {(uint32_t)(k % 5), 6};
        if (ca_rows_extend(r, 1, &first, &err) || ca_rows_list(r, 2, list, (size_t)(k % 3), &err))
            exit(1);
        ((float *)ca_rows_data(r, 0))[first] = (float)k;
        ((uint32_t *)ca_rows_data(r, 1))[first] = (uint32_t)(k % 7);
        ((int64_t *)ca_rows_data(r, 3))[first] = k / 2;
    }
    return r;
}

static struct ca_hists *count(const struct ca_schema *s, int by_time, const int64_t boundary[2], int64_t row, size_t n,
                              size_t piece)
{
    struct ca_err err = {0};
    struct ca_hists *h = NULL;
    struct ca_rows *range = stream(s, 0, 300);
    struct ca_block b = ca_rows_view(range);

    if (ca_hists_new(&h, s, 3, 10, by_time, boundary, &err))
        exit(1);
    ca_hists_range(h, &b);
    ca_rows_free(range);
    for (size_t i = 0; i < n; i += piece) {
        struct ca_rows *r = stream(s, row + (int64_t)i, n - i < piece ? n - i : piece);
        b = ca_rows_view(r);
        if (ca_hists_count(h, &b, row + (int64_t)i, &err))
            exit(1);
        ca_rows_free(r);
    }
    if (ca_hists_done(h, &err))
        exit(1);
    return h;
}

static int equal(const struct ca_hists *a, const struct ca_hists *b)
{
    int same = a->n_features == b->n_features && a->windows == b->windows;

    for (size_t f = 0; same && f < a->n_features; f++)
        for (size_t w = 0; same && w < a->windows; w++) {
            const struct ca_hist *x = &a->feature[f].window[w], *y = &b->feature[f].window[w];
            same = x->n == y->n && x->total == y->total;
            for (size_t i = 0; same && i < x->n; i++)
                same = x->cell[i].id == y->cell[i].id && x->cell[i].count == y->cell[i].count;
        }
    for (size_t w = 0; same && w < a->windows; w++)
        same = a->rows[w] == b->rows[w];
    return same;
}

/*
 * Ids of small, of large and of lying vocabularies, few and many of them in a
 * window: each is counted another way, and a plain count of 3000 places is what all must give.
 */
static void large_ids(void)
{
    static const uint32_t vocab[] = {3000, 100000, 5000000, 10};
    static const int64_t boundary[] = {50};

    for (size_t k = 0; k < sizeof vocab / sizeof *vocab; k++) {
        struct ca_schema s = {0};
        struct ca_err err = {0};
        struct ca_hists *h;
        struct ca_rows *r;
        struct ca_block b;
        size_t first, plain[2][3000] = {{0}};
        int ok = 1;

        if (ca_schema_add(&s, "c", CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, vocab[k], &err) ||
            !(r = ca_rows_new(&s, &err)) || ca_rows_extend(r, 5000, &first, &err) ||
            ca_hists_new(&h, &s, 2, 10, 0, boundary, &err))
            exit(1);
        for (size_t i = 0; i < 5000; i++) {
            uint32_t id = (uint32_t)(i * i * 7919 % 3000);
            ((uint32_t *)ca_rows_data(r, 0))[i] = id < 1000 ? id : id * 1600;
            plain[i >= 50][id]++;
        }
        b = ca_rows_view(r);
        if (ca_hists_count(h, &b, 0, &err) || ca_hists_done(h, &err))
            exit(1);
        for (int w = 0; w < 2; w++) {
            const struct ca_hist *t = &h->feature[0].window[w];
            size_t n = 0;
            for (uint32_t id = 0; id < 3000; id++)
                if (plain[w][id]) {
                    ok &= n < t->n && t->cell[n].id == (id < 1000 ? id : id * 1600) && t->cell[n].count == plain[w][id];
                    n++;
                }
            ok &= n == t->n && t->total == (w ? 4950 : 50);
        }
        OK(ok, "ids are counted in order, whatever the vocabulary says");
        ca_hists_free(h);
        ca_rows_free(r);
        ca_schema_fini(&s);
    }
}

static void write_text(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f || fwrite(text, 1, n, f) != n || fclose(f))
        exit(1);
}

static void files(const struct ca_hists *h)
{
    char path[] = "/tmp/test_drift.XXXXXX", text[65536];
    struct ca_out *out = NULL;
    struct ca_hists *back = NULL;
    struct ca_in *in = NULL;
    struct ca_err err = {0};
    size_t n = 0, refused = 0, codes = 0;
    int fd = mkstemp(path);

    if (fd < 0)
        exit(1);
    (void)close(fd);
    if (ca_out_open(&out, path, &err) || ca_hists_save(h, out, &err) || ca_out_close(out, &err))
        exit(1);
    OK(!ca_hists_load(&back, path, &err) && equal(h, back), "saved and loaded, counts are the same");
    OK(back && !ca_hists_range_check(h, back, &err), "and so are the ranges, to the bit");
    ca_hists_free(back);
    if (ca_in_open(&in, path, &err) || ca_in_read(in, text, sizeof text, &n, &err))
        exit(1);
    ca_in_close(in);
    for (size_t cut = 0; cut < n; cut++) {
        struct ca_err e = {0};
        write_text(path, text, cut);
        back = NULL;
        refused += ca_hists_load(&back, path, &e) == CA_ETRUNCATED;
        ca_hists_free(back);
    }
    OK(n > 500 && refused == n, "cut short anywhere, a file is refused as truncated");
    for (size_t i = 0; i < n; i++) {
        struct ca_err e = {0};
        char was = text[i];
        int rc;
        text[i] = (char)(was ^ 0x10);
        write_text(path, text, n);
        text[i] = was;
        back = NULL;
        rc = ca_hists_load(&back, path, &e);
        codes += rc == 0 || ca_err_exit_status(rc) == 3;
        ca_hists_free(back);
    }
    OK(codes == n, "a flipped bit is refused as bad input or read as another number, and nothing worse");
    (void)unlink(path);
}

int main(void)
{
    static const int64_t rows[] = {100, 200}, times[] = {50, 100};
    struct ca_schema s = {0};
    struct ca_err err = {0};
    struct ca_hists *whole, *pieces, *timed, *a, *b;
    const struct ca_hist *w;

    divergences();
    large_ids();
    if (ca_schema_add(&s, "x", CA_ROLE_NUMERIC, CA_TYPE_F32, 0, 0, &err) ||
        ca_schema_add(&s, "c", CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, 7, &err) ||
        ca_schema_add(&s, "l", CA_ROLE_SEQUENCE, CA_TYPE_U32, 1, 7, &err) ||
        ca_schema_add(&s, "t", CA_ROLE_TIME, CA_TYPE_I64, 0, 0, &err))
        return 1;
    whole = count(&s, 0, rows, 0, 300, 300);
    w = whole->feature[0].window;
    /* x is 0 to 299 in bins of 29.9: 0..29, 30..59, 60..89, then the rest of the first hundred */
    OK(whole->n_features == 3 && w[0].n == 4 && w[0].cell[0].count == 30 && w[0].cell[3].count == 10, "numeric bins");
    OK(w[2].cell[w[2].n - 1].id == 9 && w[2].cell[w[2].n - 1].count == 30, "the largest value is in the last bin");
    w = whole->feature[1].window;
    OK(w[0].n == 7 && w[0].cell[0].count == 15 && w[0].cell[6].count == 14 && w[0].total == 100, "ids");
    w = whole->feature[2].window;
    OK(w[0].total == 99 && w[1].total == 100 && w[2].total == 101, "every id of a list");
    OK(whole->rows[0] == 100 && whole->rows[1] == 100 && whole->rows[2] == 100 && !whole->outside, "rows of windows");
    pieces = count(&s, 0, rows, 0, 300, 7);
    OK(equal(whole, pieces), "counts do not depend on blocks");
    timed = count(&s, 1, times, 0, 300, 13);
    OK(equal(whole, timed), "windows by time");
    a = count(&s, 0, rows, 0, 130, 50);
    b = count(&s, 0, rows, 130, 170, 50);
    OK(!ca_hists_merge(a, b, &err) && equal(a, whole), "the parts add up to the whole");
    files(whole);
    OK(ca_hists_merge(a, timed, &err) == CA_ESCHEMA, "different windows cannot be added");
    OK(!ca_hists_flatten(a, &err) && a->windows == 1 && a->rows[0] == 300 && a->feature[1].window[0].total == 300,
       "windows put together");
    ca_hists_free(whole);
    ca_hists_free(pieces);
    ca_hists_free(timed);
    ca_hists_free(a);
    ca_hists_free(b);
    ca_schema_fini(&s);
    return tap_done();
}
