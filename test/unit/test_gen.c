/*
 * The planted stream: a pure function of options and row, with the rates,
 * the entropy, the drift and the late ids that its manual promises.
 */
#include "data/gen.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tap.h"

#define ROWS 60000
#define MAX_COL 48

struct sample {
    struct ca_gen *gen;
    size_t n;
    void *col[MAX_COL];
};

static struct ca_gen_opts options(int preset, uint64_t seed, double drift)
{
    return (struct ca_gen_opts){
        .preset = preset, .seed = seed, .of = ROWS, .drift = drift, .conversions = 1, .probability = 1};
}

/* All rows, in pieces of some size. */
static struct sample draw(const struct ca_gen_opts *o, size_t piece)
{
    struct ca_err err = {0};
    struct sample s = {0};
    const struct ca_schema *schema;

    if (ca_gen_new(&s.gen, o, &err)) {
        (void)printf("Bail out! %s\n", err.text);
        exit(1);
    }
    schema = ca_gen_schema(s.gen);
    s.n = schema->n;
    for (size_t c = 0; c < s.n; c++)
        s.col[c] = ca_mem_zalloc(ROWS, 8, &err);
    for (size_t i = 0; i < ROWS; i += piece) {
        void *at[MAX_COL];
        for (size_t c = 0; c < s.n; c++)
            at[c] = (char *)s.col[c] + i * ca_type_size(schema->col[c].type);
        ca_gen_rows(s.gen, (int64_t)i, ROWS - i < piece ? ROWS - i : piece, at);
    }
    return s;
}

static void drop(struct sample *s)
{
    for (size_t c = 0; c < s->n; c++)
        ca_mem_free(s->col[c]);
    ca_gen_free(s->gen);
}

static int same(const struct sample *a, const struct sample *b)
{
    int equal = a->n == b->n;

    for (size_t c = 0; equal && c < a->n; c++)
        equal = !memcmp(a->col[c], b->col[c], (size_t)ROWS * 8);
    return equal;
}

static const float *f32(const struct sample *s, const char *name)
{
    return s->col[ca_schema_find(ca_gen_schema(s->gen), name)];
}

static const uint32_t *u32(const struct sample *s, const char *name)
{
    return s->col[ca_schema_find(ca_gen_schema(s->gen), name)];
}

struct scored {
    float p, y;
};

static int by_score(const void *a, const void *b)
{
    float x = ((const struct scored *)a)->p, y = ((const struct scored *)b)->p;

    return (x > y) - (x < y);
}

/* By counting, for each positive, the negatives below it; ties are too rare here to matter. */
static double auc(const float *p, const float *y)
{
    static struct scored s[ROWS];
    double below = 0.0, pairs = 0.0, positives = 0.0;

    for (size_t i = 0; i < ROWS; i++)
        s[i] = (struct scored){p[i], y[i]};
    qsort(s, ROWS, sizeof *s, by_score);
    for (size_t i = 0; i < ROWS; i++) {
        if (s[i].y > 0.5f) {
            pairs += below;
            positives++;
        } else {
            below++;
        }
    }
    return pairs / (positives * below);
}

/* Total variation between the id frequencies of two stretches of rows. */
static double distance(const uint32_t *id, uint32_t vocab, size_t a, size_t b, size_t n)
{
    double *count = calloc(vocab, sizeof *count), sum = 0.0;

    for (size_t i = 0; i < n; i++) {
        count[id[a + i]] += 1.0;
        count[id[b + i]] -= 1.0;
    }
    for (uint32_t v = 0; v < vocab; v++)
        sum += fabs(count[v]);
    free(count);
    return 0.5 * sum / (double)n;
}

static void check_truth(int preset, const char *name)
{
    struct ca_gen_opts o = options(preset, 5, 1.0);
    struct sample s = draw(&o, 4096);
    const float *p = f32(&s, "probability"), *y = f32(&s, "click"), *z = f32(&s, "conversion"),
                *q = f32(&s, "conversion_probability");
    const int64_t *time = s.col[0];
    double clicks = 0.0, conversions = 0.0, loss = 0.0, entropy = 0.0, variance = 0.0, expected = 0.0;
    int sound = 1, sorted = 1;

    (void)printf("# preset %s\n", name);
    for (size_t i = 0; i < ROWS; i++) {
        double a = (double)p[i], odds = log(a) - log1p(-a);
        sound &= p[i] > 0.0f && p[i] < 1.0f && (y[i] == 0.0f || y[i] == 1.0f) && (z[i] == 0.0f || y[i] == 1.0f);
        sorted &= !i || time[i] >= time[i - 1];
        clicks += (double)y[i];
        conversions += (double)z[i];
        expected += a * (double)q[i];
        loss -= y[i] > 0.5f ? log(a) : log1p(-a);
        entropy -= a * log(a) + (1.0 - a) * log1p(-a);
        variance += a * (1.0 - a) * odds * odds;
    }
    OK(sound, "labels are 0 or 1, conversions are clicks, probabilities lie between");
    OK(sorted && time[0] == 0 && time[ROWS - 1] < 604800 && time[ROWS - 1] > 604000, "time rises over one week");
    CLOSE(clicks / ROWS, 0.25, 0.01, "a quarter of the rows are clicks");
    CLOSE(conversions / clicks, 0.10, 0.01, "a tenth of the clicks convert");
    CLOSE(conversions, expected, 5.0 * sqrt(expected), "as many as their probabilities say");
    CLOSE(loss, entropy, 5.0 * sqrt(variance), "the log loss of the truth is its entropy");
    CLOSE(auc(p, y), 0.82, 0.02, "the truth has an AUC of 0.80 to 0.84");
    drop(&s);
}

/* Rows of a request have the user in common, and its columns have the distribution they have without requests. */
static void check_requests(void)
{
    struct ca_gen_opts o = options(CA_GEN_CRITEO, 3, 1.0);
    struct sample plain = draw(&o, 4096), a, b;
    const struct ca_schema *schema;
    int same_user = 1, same_item = 1, numbered = 1;
    double mean[2] = {0, 0};

    o.requests = 32;
    a = draw(&o, 4096);
    b = draw(&o, 1001);
    OK(same(&a, &b), "requests do not depend on the pieces they are drawn in");
    schema = ca_gen_schema(a.gen);
    OK(schema->col[1].role == CA_ROLE_AUX && !strcmp(schema->col[1].name, "request"), "a column of requests");
    for (size_t i = 0; i < ROWS; i++) {
        numbered &= ((const int64_t *)a.col[1])[i] == (int64_t)(i / 32);
        same_user &= u32(&a, "C3")[i] == u32(&a, "C3")[i / 32 * 32] && u32(&a, "C25")[i] == u32(&a, "C25")[i / 32 * 32];
        same_item &= u32(&a, "C4")[i] == u32(&a, "C4")[i / 32 * 32];
        mean[0] += (double)f32(&plain, "conversion_probability")[i] / ROWS;
        mean[1] += (double)f32(&a, "conversion_probability")[i] / ROWS;
    }
    OK(numbered && same_user && !same_item, "32 rows each, one user, many items");
    CLOSE(mean[1], mean[0], 0.006, "as likely to convert as rows of users of their own");
    drop(&plain);
    drop(&a);
    drop(&b);
}

/* Histories and domains: what a row says, its law worked out anew, and what the history is worth. */
static void check_more(void)
{
    enum { N = 10, D = 3 };
    struct ca_gen_opts o = {.preset = CA_GEN_SMALL, .seed = 3, .of = ROWS, .probability = 1}, with = o;
    struct ca_err err = {0};
    struct ca_gen *g = NULL;
    static uint32_t his[ROWS][1 + N], cate_his[ROWS][1 + N], again[ROWS][1 + N];
    static float shown[ROWS], same_cate[ROWS], other[ROWS];
    struct sample plain, rich;
    double rate[D + 1] = {0}, n[D + 1] = {0}, sum = 0.0, sxy = 0.0, sxx = 0.0, empty = 0.0;
    int inside = 1, likes = 1;

    plain = draw(&o, ROWS);
    with.history = N;
    with.domains = D;
    rich = (struct sample){0};
    if (!OK(!ca_gen_new(&g, &with, &err), "a stream with histories and domains is planted"))
        return;
    const struct ca_schema *s = ca_gen_schema(g);
    rich.gen = g;
    rich.n = s->n;
    for (size_t c = 0; c + 2 < s->n; c++)
        rich.col[c] = ca_mem_zalloc(ROWS, 8, &err);
    rich.col[s->n - 2] = his;
    rich.col[s->n - 1] = cate_his;
    ca_gen_rows(g, 0, ROWS, rich.col);
    for (size_t c = 0; c < plain.n; c++)
        if (plain.col[c] && s->col[c].role != CA_ROLE_LABEL && s->col[c].role != CA_ROLE_AUX)
            likes &= !memcmp(plain.col[c], rich.col[c], ROWS * ca_type_size(s->col[c].type));
    OK(likes, "the preset's columns are what they were");
    const struct ca_column *a = &s->col[s->n - 2], *b = &s->col[s->n - 1];
    OK(a->role == CA_ROLE_SEQUENCE && a->like && !strcmp(a->like, "item") && b->like && !strcmp(b->like, "cate") &&
           s->col[ca_schema_find(s, "domain")].vocab == D + 1, "lists say whose ids they have");
    const uint32_t *item = u32(&rich, "item"), *cate = u32(&rich, "cate"), *domain = u32(&rich, "domain");
    const float *p = f32(&rich, "probability"), *y = f32(&rich, "click");
    uint32_t cates = b->vocab - 1;
    for (size_t i = 0; i < ROWS; i++) {
        double hits = 0, mass = 0, w = 1;
        inside &= item[i] >= 1 && item[i] < a->vocab && cate[i] == (item[i] - 1) % cates + 1 && domain[i] >= 1 &&
                  domain[i] <= D && his[i][0] <= N && cate_his[i][0] == his[i][0];
        for (uint32_t k = his[i][0]; k > 0; k--, w *= 0.9) {
            inside &= his[i][k] >= 1 && his[i][k] < a->vocab && cate_his[i][k] == (his[i][k] - 1) % cates + 1;
            hits += w * (cate_his[i][k] == cate[i]);
            mass += w;
        }
        same_cate[i] = (float)(mass > 0 ? hits / mass : 0) + 1e-9f * (float)i;
        shown[i] = p[i];
        other[i] = y[i];
        rate[domain[i]] += (double)y[i];
        n[domain[i]]++;
        sum += (double)y[i];
        empty += his[i][0] == 0;
    }
    OK(inside, "ids are inside, categories follow from items, lists are parallel");
    CLOSE(sum / ROWS, 0.25, 0.01, "a quarter of the rows are clicks");
    CLOSE(empty / ROWS, 1.0 / (N + 1), 0.01, "lengths are spread evenly");
    double alone = auc(same_cate, other), truth = auc(shown, other);
    (void)printf("# AUC of the share of the target's category %.4f, of the truth %.4f\n", alone, truth);
    OK(alone > 0.58 && truth > alone + 0.15, "the history alone ranks clicks, the truth ranks them better");
    /* within the rows of a domain the slope of the click on that share; then histories of other rows: none is left */
    for (int shuffled = 0; shuffled < 2; shuffled++) {
        double mean = 0;
        sxy = sxx = 0;
        for (size_t i = 0; i < ROWS; i++)
            mean += (double)same_cate[i] / ROWS;
        for (size_t i = 0; i < ROWS; i++) {
            double x = (double)same_cate[(i + (shuffled ? 777 : 0)) % ROWS] - mean;
            sxy += x * ((double)y[i] - sum / ROWS);
            sxx += x * x;
        }
        double slope = sxy / sxx, noise = sqrt(0.25 * 0.75 / sxx);
        OK(shuffled ? fabs(slope) < 5 * noise : slope > 20 * noise, shuffled ? "another's history does not" :
                                                                              "a like history makes clicks likely");
    }
    for (uint32_t d = 1; d <= D; d++)
        CLOSE(n[d] / ROWS, 1.0 / D, 0.01, "domains are equally large");
    OK(fabs(rate[1] / n[1] - rate[2] / n[2]) > 0.01 || fabs(rate[2] / n[2] - rate[3] / n[3]) > 0.01,
       "and click at different rates");
    void *col[MAX_COL];
    int pieces = 1;
    for (size_t i = 0; i < ROWS; i += 777) {
        for (size_t c = 0; c + 2 < s->n; c++)
            col[c] = plain.col[0]; /* room for whatever they are: only the lists are compared */
        col[s->n - 2] = again[i];
        col[s->n - 1] = cate_his[i];
        ca_gen_rows(g, (int64_t)i, ROWS - i < 777 ? ROWS - i : 777, col);
    }
    for (size_t i = 0; i < ROWS; i++)
        pieces &= !memcmp(again[i], his[i], (1 + his[i][0]) * sizeof his[i][0]);
    OK(pieces, "histories do not depend on the pieces they are drawn in");
    for (size_t c = 0; c + 2 < s->n; c++)
        ca_mem_free(rich.col[c]);
    ca_gen_free(g);
    drop(&plain);
}

int main(void)
{
    struct ca_gen_opts o = options(CA_GEN_CRITEO, 1, 1.0), other;
    struct sample a = draw(&o, ROWS), b = draw(&o, 777);
    const struct ca_schema *schema = ca_gen_schema(a.gen);
    struct ca_err err = {0};
    struct ca_gen *g = NULL;
    uint64_t total = 0;

    OK(same(&a, &b), "rows do not depend on the pieces they are drawn in");
    drop(&b);
    other = options(CA_GEN_CRITEO, 2, 1.0);
    b = draw(&other, ROWS);
    OK(!same(&a, &b), "another seed gives other rows");
    drop(&b);
    OK(ca_schema_count(schema, CA_ROLE_NUMERIC) == 13 && ca_schema_count(schema, CA_ROLE_CATEGORICAL) == 26 &&
           ca_schema_find(schema, "I13") >= 0 && ca_schema_find(schema, "C26") >= 0,
       "13 numerics and 26 categorical columns");
    {
        int inside = 1;
        for (size_t c = 0; c < schema->n; c++)
            if (schema->col[c].role == CA_ROLE_CATEGORICAL) {
                total += schema->col[c].vocab;
                for (size_t i = 0; i < ROWS; i++)
                    inside &= u32(&a, schema->col[c].name)[i] < schema->col[c].vocab;
            }
        OK(total == 50000 && inside, "vocabularies add up to the total, and ids stay inside");
    }
    {
        const uint32_t *c22 = u32(&a, "C22"), *c1 = u32(&a, "C1");
        const float *i12 = f32(&a, "I12");
        double missing22 = 0, missing1 = 0, missing12 = 0;
        for (size_t i = 0; i < ROWS; i++) {
            missing22 += c22[i] == 0;
            missing1 += c1[i] == 0;
            missing12 += i12[i] == 0.0f;
        }
        CLOSE(missing22 / ROWS, 0.70, 0.02, "C22 is mostly missing");
        OK(missing1 == 0.0, "C1 never is");
        OK(missing12 / ROWS > 0.68, "nor is a missing numeric anything but 0");
    }
    {
        const uint32_t *id = u32(&a, "C7");
        uint32_t vocab = schema->col[ca_schema_find(schema, "C7")].vocab;
        size_t late = 0, seen = 0;
        for (uint32_t v = 1; v < vocab / 2; v++) {
            size_t first = ROWS, count = 0;
            for (size_t i = 0; i < ROWS; i++)
                if (id[i] == v) {
                    count++;
                    first = first < i ? first : i;
                }
            seen += count >= 20;
            late += count >= 20 && first > ROWS / 4;
        }
        OK(seen > 200 && late > seen / 20 && late < seen / 3, "some ids that are common later are absent early");
        double apart = distance(id, vocab, 0, ROWS / 2, ROWS / 2);
        struct sample still;
        other = options(CA_GEN_CRITEO, 1, 0.0);
        still = draw(&other, ROWS);
        double noise = distance(u32(&still, "C7"), vocab, 0, ROWS / 2, ROWS / 2);
        (void)printf("# distance of the halves %.4f with drift, %.4f without\n", apart, noise);
        OK(apart > 1.5 * noise, "popularity drifts");
        CLOSE(noise, 0.5 * sqrt(4.0 * vocab / (3.141592653589793 * ROWS / 2)), 0.06, "and at drift 0 does not");
        double half[2] = {0, 0};
        for (size_t i = 0; i < ROWS; i++)
            half[i >= ROWS / 2] += (double)f32(&still, "probability")[i];
        CLOSE(half[0] / half[1], 1.0, 0.02, "nor do the rates");
        drop(&still);
    }
    drop(&a);
    check_requests();
    check_truth(CA_GEN_CRITEO, "criteo");
    check_truth(CA_GEN_SMALL, "small");
    check_more();
    {
        struct ca_buf text = {0};
        o = options(CA_GEN_CRITEO, 1, 1.0);
        a = draw(&o, ROWS);
        ca_gen_text(a.gen, 100, 50, &text);
        size_t tabs = 0, lines = 0;
        for (size_t i = 0; i < text.len; i++) {
            tabs += text.data[i] == '\t';
            lines += text.data[i] == '\n';
        }
        int same_clicks = 1;
        const char *line = text.data;
        for (size_t i = 0; i < 50; i++, line = strchr(line, '\n') + 1)
            same_clicks &= *line == (f32(&a, "click")[100 + i] > 0.5f ? '1' : '0');
        OK(lines == 50 && tabs == 50 * 39 && same_clicks, "text has the same rows in 40 fields");
        ca_buf_fini(&text);
        drop(&a);
    }
    for (uint64_t vocab = CA_GEN_MIN_VOCAB; vocab <= 2000000; vocab = vocab * 37 / 5) {
        o = (struct ca_gen_opts){.of = 10, .vocab = vocab, .drift = 10.0};
        if (!OK(!ca_gen_new(&g, &o, &err), "a vocabulary that is allowed is planted"))
            break;
        total = 0;
        for (size_t c = 0; c < ca_gen_schema(g)->n; c++)
            total += ca_gen_schema(g)->col[c].vocab;
        OK(total == vocab, "and adds up");
        ca_gen_free(g);
    }
    o = (struct ca_gen_opts){.of = 10, .vocab = 10};
    OK(ca_gen_new(&g, &o, &err) == CA_EUSAGE && !g, "one that is too small is refused");
    o = (struct ca_gen_opts){.of = 10, .requests = 24};
    OK(ca_gen_new(&g, &o, &err) == CA_EUSAGE && !g, "so are requests of 24 rows");
    return tap_done();
}
