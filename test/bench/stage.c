/*
 * Stages that are a part of a tool, by themselves: fields of a text, numbers
 * for values, area under the curve. Usage: stage SECONDS TEXT X
 */
#include <string.h>

#include "base/rng.h"
#include "data/scan.h"
#include "data/vocab.h"
#include "metric/auc.h"
#include "sample.h"

#define FIRST 14 /* field of the first category of a Criteo row */
#define FIELDS 26
#define AT_ONCE 128

struct text {
    struct ca_piece *value[FIELDS];
    size_t rows, cap[FIELDS];
    double bytes;
};

/* Every row once; with keep, its categories are kept for the vocabulary. */
static void scan(const char *path, struct text *t, int keep, struct span *s)
{
    struct ca_scan_rule rule = {'\t', 0, 0};
    char *paths[1] = {(char *)(uintptr_t)path};
    struct ca_err err = {0};
    struct ca_source *source;
    struct ca_scan *in;
    struct ca_scan_batch b;
    int rc;

    span_begin(s);
    must(ca_source_open(&source, paths, 1, 0, &err), &err);
    must(ca_scan_open(&in, source, &rule, &err), &err);
    t->rows = 0;
    t->bytes = 0;
    while ((rc = ca_scan_next(in, AT_ONCE, &b, &err)) > 0)
        for (size_t r = 0; r < b.rows; r++, t->rows++) {
            t->bytes += b.row[r].raw.n + 1.0;
            for (size_t f = 0; keep && f < FIELDS; f++) {
                struct ca_piece v = b.field[b.row[r].first + FIRST + f];
                char *copy = ca_mem_alloc(v.n + 1u, 1, &err);

                must(!copy || ca_mem_grow((void **)&t->value[f], &t->cap[f], t->rows + 1, sizeof v, &err), &err);
                memcpy(copy, v.p, v.n);
                t->value[f][t->rows] = (struct ca_piece){copy, v.n};
            }
        }
    must(rc, &err);
    ca_scan_close(in);
    span_end(s);
}

static void vocabulary(const struct text *t, struct span *s)
{
    static uint32_t id[AT_ONCE];
    struct ca_err err = {0};
    struct ca_vocab *v = ca_vocab_new(&err);
    char name[16];

    must(!v, &err);
    span_begin(s);
    for (int f = 0; f < FIELDS; f++) {
        (void)snprintf(name, sizeof name, "C%d", f + 1);
        must(ca_vocab_column(v, name, &err), &err);
    }
    for (size_t at = 0; at < t->rows; at += AT_ONCE) {
        size_t n = t->rows - at < AT_ONCE ? t->rows - at : AT_ONCE;
        for (size_t f = 0; f < FIELDS; f++) {
            must(ca_vocab_ids(v, f, t->value[f] + at, n, 1, id, &err), &err);
            must(ca_vocab_tally(v, f, id, n, &err), &err);
        }
    }
    for (size_t f = 0; f < FIELDS; f++) {
        uint32_t *map;
        must(ca_vocab_keep(v, f, 10, &map, &err), &err);
        ca_mem_free(map);
    }
    span_end(s);
    ca_vocab_free(v);
}

static int nothing(void *arg, const struct ca_auc_area *area)
{
    (void)arg;
    (void)area;
    return 0;
}

static void auc(size_t pairs, const float *score, struct span *s)
{
    struct ca_auc a = {0};
    struct ca_err err = {0};

    span_begin(s);
    for (size_t i = 0; i < pairs; i++)
        must(ca_auc_add(&a, 0, score[i], i % 3 == 0, 1, &err), &err);
    must(ca_auc_walk(&a, nothing, NULL, &err), &err);
    span_end(s);
    ca_auc_fini(&a);
}

int main(int argc, char **argv)
{
    static struct text t;
    struct ca_rng rng = ca_rng_make(1, "bench scores");
    struct span s = {0}, setup = {0};
    double least, n = 0;
    float *score;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: stage SECONDS TEXT X\n");
        return 2;
    }
    least = strtod(argv[1], NULL);
    do {
        scan(argv[2], &t, 0, &s);
        n++;
    } while (s.wall < least);
    sample("stage", "scan", "text to fields", 1, argv[3], n * (double)t.rows, n * t.bytes, 0, &s);

    score = large(t.rows, sizeof *score);
    for (size_t i = 0; i < t.rows; i++)
        score[i] = (float)ca_rng_normal(&rng, i);
    s = (struct span){0};
    n = 0;
    do {
        auc(t.rows, score, &s);
        n++;
    } while (s.wall < least);
    sample("stage", "auc", "exact area", 1, argv[3], n * (double)t.rows, 0, 0, &s);

    scan(argv[2], &t, 1, &setup);
    s = (struct span){0};
    n = 0;
    do {
        vocabulary(&t, &s);
        n++;
    } while (s.wall < least);
    sample("stage", "vocabulary", "26 columns, counted and cut", 1, argv[3], n * (double)t.rows, 0, 0, &s);
    return 0;
}
