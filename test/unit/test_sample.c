/* data/sample: class shares, inclusion rates, weights, order; data/replay: uniform, keyed draws from a file. */
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rng.h"
#include "data/clicks.h"
#include "data/replay.h"
#include "data/sample.h"
#include "data/weigh.h"
#include "record/writer.h"
#include "tap.h"

#define ROWS 1000
#define POSITIVES 100 /* every tenth row */

static float label[ROWS];

struct totals {
    double count[ROWS]; /* times each row was drawn */
    double weight, positive_weight;
    size_t rows, positives, wrong_share, first_half_positives;
};

static struct totals draw_many(enum ca_sample_method m, double ratio, double positive, uint64_t chunks, int64_t first)
{
    struct ca_sample_opts o = {m, ratio, positive, 7, "test"};
    struct ca_sampler *s = NULL;
    struct ca_err err = {0};
    struct totals t;

    memset(&t, 0, sizeof t);
    if (ca_sampler_new(&s, &o, &err))
        exit(1);
    for (uint64_t c = 0; c < chunks; c++) {
        struct ca_sample got;
        unsigned pos = 0;
        if (ca_sampler_draw(s, c, label, ROWS, first, &got, &err))
            exit(1);
        for (size_t i = 0; i < got.n; i++) {
            unsigned y = label[got.at[i]] > 0.5F;
            t.count[got.at[i]]++;
            t.weight += (double)got.weight[i];
            t.positive_weight += y ? (double)got.weight[i] : 0;
            pos += y;
            t.first_half_positives += y && i < got.n / 2;
        }
        t.rows += got.n;
        t.positives += pos;
        t.wrong_share += pos != (unsigned)(ROWS * ratio * positive);
    }
    ca_sampler_free(s);
    return t;
}

/* Largest |z| of the counts against their expectation rate(row) * chunks, drawn m times from shares. */
static double worst_z(const struct totals *t, double chunks, int temporal, int classes, double m_pos, double m_neg)
{
    double sum[2] = {0}, worst = 0;

    for (size_t i = 0; i < ROWS; i++)
        sum[classes && label[i] > 0.5F] += temporal ? (double)i + 1 : 1;
    for (size_t i = 0; i < ROWS; i++) {
        int y = classes && label[i] > 0.5F;
        double p = (temporal ? (double)i + 1 : 1) / sum[y], mean = chunks * (y ? m_pos : m_neg) * p;
        double z = fabs(t->count[i] - mean) / sqrt(mean * (1 - p) + 1e-9);
        worst = z > worst ? z : worst;
    }
    return worst;
}

static void methods(void)
{
    struct totals t = draw_many(CA_SAMPLE_BALANCED, 0.1, 0.5, 2000, 0);

    OK(t.rows == 200000 && t.positives == 100000 && !t.wrong_share, "balanced: the shares are exact in every chunk");
    OK(worst_z(&t, 2000, 0, 1, 50, 50) < 5, "balanced: within its class every row is as likely as any other");
    CLOSE(t.weight, 2000 * 0.1 * ROWS, 1e-2, "balanced: weights sum to ratio times the rows");
    CLOSE(t.positive_weight / t.weight, (double)POSITIVES / ROWS, 1e-7, "balanced: the weighted positive rate is the source's");
    CLOSE((double)t.first_half_positives, 50000, 5 * sqrt(2000 * 100 * 0.25 * 0.25),
          "balanced: positives and negatives are mixed within a chunk");

    t = draw_many(CA_SAMPLE_BALANCED, 0.1, 0.25, 10, 0);
    OK(t.positives == 250 && !t.wrong_share, "balanced: another positive ratio");

    t = draw_many(CA_SAMPLE_RANDOM, 0.1, 0.5, 2000, 0);
    OK(t.rows == 200000 && worst_z(&t, 2000, 0, 0, 0, 100) < 5, "random: every row is as likely as any other");
    CLOSE(t.weight, 200000, 1e-2, "random: weights are one");

    t = draw_many(CA_SAMPLE_TEMPORAL, 0.1, 0.5, 2000, 0);
    OK(worst_z(&t, 2000, 1, 0, 0, 100) < 5, "temporal: chances are proportional to row number + 1");
    CLOSE(t.weight / (2000 * 0.1 * ROWS), 1, 0.03, "temporal: weights sum to ratio times the rows in expectation");
    t = draw_many(CA_SAMPLE_TEMPORAL, 0.1, 0.5, 2000, 1000000000);
    OK(worst_z(&t, 2000, 0, 0, 0, 100) < 5, "temporal: late in a stream the rows of a chunk are nearly alike");

    t = draw_many(CA_SAMPLE_COMBINED, 0.1, 0.5, 2000, 0);
    OK(!t.wrong_share && worst_z(&t, 2000, 1, 1, 50, 50) < 5, "combined: temporal within each class");
    CLOSE(t.positive_weight / t.weight, (double)POSITIVES / ROWS, 0.01, "combined: the weighted positive rate is the source's");
}

static void keys(void)
{
    struct ca_sample_opts o = {CA_SAMPLE_BALANCED, 0.1, 0.5, 7, "1"}, other = o;
    struct ca_sampler *a = NULL, *b = NULL, *c = NULL;
    struct ca_sample x, y, z;
    struct ca_err err = {0};
    float none[40] = {0};
    double weight = 0;
    int fell;

    other.phase = "2";
    if (ca_sampler_new(&a, &o, &err) || ca_sampler_new(&b, &o, &err) || ca_sampler_new(&c, &other, &err) ||
        ca_sampler_draw(a, 0, label, ROWS, 0, &x, &err) || ca_sampler_draw(a, 5, label, ROWS, 0, &x, &err) ||
        ca_sampler_draw(b, 5, label, ROWS, 0, &y, &err) || ca_sampler_draw(c, 5, label, ROWS, 0, &z, &err))
        exit(1);
    OK(x.n == 100 && y.n == x.n && !memcmp(x.at, y.at, x.n * sizeof *x.at), "a chunk's draw depends on nothing drawn before");
    OK(z.n == x.n && memcmp(x.at, z.at, x.n * sizeof *x.at), "another phase draws anew");
    if (ca_sampler_draw(b, 6, label, ROWS, 0, &y, &err))
        exit(1);
    OK(memcmp(x.at, y.at, x.n * sizeof *x.at), "another chunk draws anew");

    fell = ca_sampler_draw(b, 7, none, 40, 0, &y, &err);
    OK(!fell && y.n == 4 && ca_sampler_fallbacks(b) == 1, "a chunk without positives is drawn from uniformly and counted");
    for (size_t i = 0; i < y.n; i++)
        weight += (double)y.weight[i];
    CLOSE(weight, 4, 1e-6, "and weighs as much as its rows");
    fell = ca_sampler_draw(b, 8, none, 9, 0, &y, &err);
    OK(!fell && y.n == 0, "a chunk of fewer rows than 1/ratio gives nothing");
    OK(ca_sample_chunk(4096, 0.1) == 40960 && ca_sample_chunk(1, 1) == 1, "a chunk of the default size gives a batch");
    ca_sampler_free(a);
    ca_sampler_free(b);
    ca_sampler_free(c);
}

static void permutations(void)
{
    struct ca_rng r = ca_rng_make(3, "permute");
    double seen[24] = {0}, chi = 0;
    int sound = 1;

    for (uint64_t k = 0; k < 24000; k++) {
        uint32_t at[4];
        unsigned mask = 0, rank = 0;
        ca_sample_permute(&r, k, at, 4);
        for (unsigned i = 0; i < 4; i++) {
            unsigned less = 0;
            for (unsigned j = i + 1; j < 4; j++)
                less += at[j] < at[i];
            mask |= 1u << at[i];
            rank = rank * (4 - i) + less;
        }
        sound &= mask == 15u && rank < 24;
        seen[rank % 24]++;
    }
    for (int i = 0; i < 24; i++)
        chi += (seen[i] - 1000) * (seen[i] - 1000) / 1000;
    OK(sound, "permutations hold every number once");
    OK(chi < 49.7, "all orders are equally likely (chi-square of 23 degrees, p = 0.001)");
}

/* ROWS rows of a label and their own number, in blocks of 64. */
static void write_pool(const char *path, size_t rows, unsigned compress)
{
    static const struct ca_tool tool = {.name = "test"};
    struct ca_run run = {.tool = &tool, .common = {.no_provenance = 1}};
    struct ca_writer_opts o = {.block_rows = 64, .compress = compress};
    struct ca_head head = {0};
    struct ca_writer *w = NULL;
    struct ca_rows *r;
    struct ca_block b;
    struct ca_err err = {0};
    size_t first;

    if (ca_schema_add(&head.schema, "label", CA_ROLE_LABEL, CA_TYPE_F32, 0, 0, &err) ||
        ca_schema_add(&head.schema, "n", CA_ROLE_AUX, CA_TYPE_I64, 0, 0, &err) || !(r = ca_rows_new(&head.schema, &err)) ||
        ca_rows_extend(r, rows, &first, &err))
        exit(1);
    for (size_t i = 0; i < rows; i++) {
        ((float *)ca_rows_data(r, 0))[i] = label[i];
        ((int64_t *)ca_rows_data(r, 1))[i] = (int64_t)i;
    }
    b = ca_rows_view(r);
    if (ca_writer_open(&w, path, &head, &o, &run, &err) || ca_writer_put(w, &b, 0, rows, &err) || ca_writer_close(w, &err))
        exit(1);
    ca_rows_free(r);
    ca_head_fini(&head);
}

static void replay(void)
{
    char path[] = "/tmp/test_sample.XXXXXX";
    struct ca_replay *p = NULL, *q = NULL;
    struct ca_rows *rows, *again;
    struct ca_err err = {0};
    struct ca_block b, c;
    double count[ROWS] = {0}, chi = 0;
    int fd = mkstemp(path), rc = 0;

    if (fd < 0)
        exit(1);
    (void)close(fd);
    write_pool(path, ROWS, 0);
    if (ca_replay_open(&p, path, 11, &err) || ca_replay_open(&q, path, 11, &err) ||
        !(rows = ca_rows_new(&ca_replay_head(p)->schema, &err)) || !(again = ca_rows_new(&ca_replay_head(p)->schema, &err)))
        exit(1);
    OK(ca_replay_tail(p)->rows == ROWS, "the pool knows its rows");
    for (uint64_t step = 0; step < 400 && !rc; step++) {
        ca_rows_clear(rows);
        rc = ca_replay_draw(p, step, 50, rows, &err);
        b = ca_rows_view(rows);
        for (size_t i = 0; i < b.rows && !rc; i++) {
            int64_t n = ca_block_i64(&b, 1)[i];
            rc = n < 0 || n >= ROWS || ca_block_f32(&b, 0)[i] < label[n] || ca_block_f32(&b, 0)[i] > label[n];
            count[n < 0 || n >= ROWS ? 0 : n]++;
        }
        rc |= b.rows != 50;
    }
    OK(!rc, "draws are whole rows of the pool");
    for (int i = 0; i < ROWS; i++)
        chi += (count[i] - 20) * (count[i] - 20) / 20;
    OK(chi > 860 && chi < 1143, "draws are uniform with replacement (chi-square of 999 degrees)");
    if (ca_replay_draw(q, 399, 50, again, &err))
        exit(1);
    b = ca_rows_view(rows);
    c = ca_rows_view(again);
    OK(c.rows == 50 && !memcmp(ca_block_i64(&b, 1), ca_block_i64(&c, 1), 50 * sizeof(int64_t)),
       "a step's draws depend on seed and step alone");
    if (ca_replay_draw(q, 399, 10, again, &err))
        exit(1);
    c = ca_rows_view(again);
    OK(c.rows == 60 && !memcmp(ca_block_i64(&b, 1), ca_block_i64(&c, 1) + 50, 10 * sizeof(int64_t)),
       "draws are appended, and fewer are the first of more");
    OK(ca_replay_count(4096, 0.1) == 409 && ca_replay_count(4096, 0) == 0 && ca_replay_count(5, 0.1) == 1,
       "rows that go with a batch");
    ca_replay_close(p);
    ca_replay_close(q);
    write_pool(path, ROWS, 6);
    ca_rows_clear(again);
    if (ca_replay_open(&p, path, 11, &err) || ca_replay_draw(p, 399, 50, again, &err))
        exit(1);
    c = ca_rows_view(again);
    OK(c.rows == 50 && !memcmp(ca_block_i64(&b, 1), ca_block_i64(&c, 1), 50 * sizeof(int64_t)),
       "a compressed pool gives the same rows");
    ca_replay_close(p);
    ca_rows_free(rows);
    ca_rows_free(again);

    write_pool(path, 0, 0);
    OK(ca_replay_open(&p, path, 11, &err) == CA_ESCHEMA, "an empty pool is refused");
    (void)unlink(path);
}

/* Unclicked rows: their number, their evenness, their weights; and chunks without any. */
static void check_clicks(void)
{
    static float click[ROWS], none[ROWS];
    static double count[ROWS];
    const struct ca_clicks_opts o = {{CA_SAMPLE_BALANCED, 0.3, 0.5, 7, "test"}, 0, 0.35};
    struct ca_clicks_opts every = {{CA_SAMPLE_RANDOM, 1, 0.5, 7, NULL}, 1, 2.5};
    struct ca_clicks *c = NULL;
    struct ca_sample got;
    struct ca_err err = {0};
    double clicked = 0, unclicked = 0, weight = 0, worst = 0, want;
    int sound = 1, exact = 1, ordered = 1;

    for (size_t i = 0; i < ROWS; i++) {
        click[i] = i % 4 == 3 || i % 10 == 0 ? 1.0F : 0.0F; /* 350 of them, 50 of these positives */
        none[i] = 1.0F;
    }
    if (!OK(!ca_clicks_new(&c, &o, &err) && ca_clicks_needs_label(c), "clicks to balance"))
        return;
    for (int chunk = 0; chunk < 3000; chunk++) {
        size_t positives = 0, k = 0;
        sound &= !ca_clicks_draw(c, click, label, ROWS, &got, &err);
        for (size_t i = 0; i < got.n && sound; i++) {
            int yes = click[got.at[i]] > 0.5F;
            k += (size_t)yes;
            positives += yes && label[got.at[i]] > 0.5F;
            count[got.at[i]]++;
            weight += yes ? 0 : (double)got.weight[i];
        }
        clicked += (double)k;
        unclicked += (double)(got.n - k);
        exact &= k == 105 && positives == 52 && unclicked == floor(0.35 * clicked);
    }
    OK(sound && exact && !ca_clicks_owed(c) && !ca_clicks_fallbacks(c), "each chunk has its share of each kind");
    CLOSE(weight, 3000 * 0.3 * 650, 30, "weights of the unclicked stand for all of them");
    want = unclicked / 650;
    for (size_t i = 0; i < ROWS; i++)
        if (click[i] < 0.5F && fabs(count[i] - want) > worst)
            worst = fabs(count[i] - want);
    OK(worst < 5 * sqrt(want), "which are drawn evenly");
    ca_clicks_free(c);

    c = NULL;
    if (!OK(!ca_clicks_new(&c, &every, &err) && !ca_clicks_needs_label(c), "all clicks, which needs no labels"))
        return;
    OK(!ca_clicks_draw(c, none, NULL, ROWS, &got, &err) && got.n == ROWS && ca_clicks_owed(c) == 2500,
       "a chunk without unclicked rows owes them");
    OK(!ca_clicks_draw(c, click, NULL, ROWS, &got, &err) && got.n == 350 + 2500 + 875 && !ca_clicks_owed(c),
       "the next one pays");
    for (size_t i = 1; i < got.n; i++)
        ordered &= got.at[i] >= got.at[i - 1];
    OK(ordered, "in the order of the stream");
    OK(!ca_clicks_draw(c, click, NULL, 0, &got, &err) && !got.n, "no rows, none taken");
    ca_clicks_free(c);
    ca_clicks_free(NULL);
}

int main(void)
{
    for (int i = 0; i < ROWS; i++)
        label[i] = i % 10 == 3;
    methods();
    keys();
    permutations();
    replay();
    check_clicks();
    return tap_done();
}
