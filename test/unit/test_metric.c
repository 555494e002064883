/* The measures against scikit-learn's (test/oracle/metrics.py), and against themselves by other routes. */
#include <stdint.h>

#include "base/mem.h"
#include "metric/eval.h"
#include "metric/slices.h"
#include "tap.h"

#define N 20000
#define GOLDEN "test/golden/metrics.tsv"

static int64_t draw(uint64_t row, uint64_t lane)
{
    uint64_t z = (row * 4 + lane + 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (int64_t)(z >> 40);
}

static void make_row(const char *name, uint64_t i, float *score, float *label, float *weight)
{
    double a = (double)draw(i, 0), s = (a - 8388608.0) / 2097152.0;

    if (!strcmp(name, "ties"))
        s = ((double)(draw(i, 0) % 17) - 8.0) / 4.0;
    else if (!strcmp(name, "extreme"))
        s = (a - 8388608.0) / 65536.0;
    else if (!strcmp(name, "imbalanced"))
        s -= 4.0;
    *score = (float)s;
    *label = (double)draw(i, 1) < (s + 8.0) * (!strcmp(name, "imbalanced") ? 65536.0 : 1048576.0) ? 1.0f : 0.0f;
    *weight = !strcmp(name, "weights") ? (float)(draw(i, 2) % 8) / 4.0f : 1.0f;
}

static struct ca_measures measure(const char *name, const struct ca_eval_opts *opts)
{
    struct ca_eval e;
    struct ca_measures m = {0};
    struct ca_err err = {0};
    float s, y, w;
    int rc = ca_eval_init(&e, opts, &err);

    for (uint64_t i = 0; i < N && !rc; i++) {
        make_row(name, i, &s, &y, &w);
        rc = ca_eval_add(&e, s, y, w, &err);
    }
    if (rc || ca_eval_result(&e, &m, &err))
        m.auc = -1;
    ca_eval_fini(&e);
    return m;
}

static void check_golden(void)
{
    struct ca_eval_opts clipped = {.logloss = CA_LOGLOSS_CLIPPED};
    char line[512], name[32];
    double want[8];
    int cases = 0;
    FILE *f = fopen(GOLDEN, "r");

    if (!OK(f != NULL, "the stored numbers are there (run from the top directory)"))
        return;
    if (!fgets(line, sizeof line, f))
        line[0] = '\0';
    while (fgets(line, sizeof line, f)) {
        struct ca_measures m, c;

        if (sscanf(line, "%31s %lf %lf %lf %lf %lf %lf %lf %lf", name, &want[0], &want[1], &want[2], &want[3],
                   &want[4], &want[5], &want[6], &want[7]) != 9)
            break;
        m = measure(name, NULL);
        c = measure(name, &clipped);
        CLOSE(m.auc, want[0], 1e-12, name);
        CLOSE(m.logloss, want[1], 1e-12, "logloss, exact");
        CLOSE(c.logloss, want[2], 1e-9, "logloss, clipped");
        CLOSE((double)m.positives, want[3], 0, "positives");
        CLOSE(m.ne, want[4], 1e-9, "normalised entropy");
        CLOSE(m.calibration, want[5], 1e-12, "calibration");
        CLOSE(m.ece, want[6], 1e-12, "expected calibration error");
        CLOSE(m.rmse, want[7], 1e-12, "rmse");
        cases++;
    }
    (void)fclose(f);
    OK(cases == 5, "all five cases were held against scikit-learn");
}

static int same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void check_buffers(void)
{
    static const char *const names[] = {"plain", "ties", "weights"};
    static const size_t limits[] = {64, 1000, 4999, N, 2 * N};

    for (size_t c = 0; c < 3; c++) {
        struct ca_measures whole = measure(names[c], NULL);
        int equal = 1;

        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
            struct ca_eval_opts o = {.buffer = limits[i]};
            struct ca_measures m = measure(names[c], &o);
            equal &= same(m.auc, whole.auc) && same(m.logloss, whole.logloss);
        }
        OK(equal, "spilled or not, the same bits");
    }
}

static void check_merge(void)
{
    struct ca_eval_opts small = {.buffer = 700};
    struct ca_measures whole = measure("weights", NULL), m, early;
    struct ca_eval a, b;
    struct ca_err err = {0};
    int rc = ca_eval_init(&a, &small, &err) | ca_eval_init(&b, &small, &err);
    float s, y, w;

    for (uint64_t i = 0; i < N && !rc; i++) {
        make_row("weights", i, &s, &y, &w);
        rc = ca_eval_add(i < N / 3 ? &a : &b, s, y, w, &err);
        if (!rc && i == N / 2)
            rc = ca_eval_result(&b, &early, &err); /* a look in between changes nothing later */
    }
    OK(!rc && !ca_eval_merge(&a, &b, &err) && !ca_eval_result(&a, &m, &err), "two accumulators merge");
    CLOSE(m.auc, whole.auc, 1e-15, "merged auc");
    CLOSE(m.logloss, whole.logloss, 1e-15, "merged logloss");
    OK(m.rows == N && m.positives == whole.positives, "merged counts");
    ca_eval_fini(&a);
    ca_eval_fini(&b);
}

struct seen {
    int n;
    int64_t last, rows;
    double auc[8], logloss[8];
};

static int see(void *arg, int64_t value, const struct ca_measures *m)
{
    struct seen *s = arg;

    if (s->n == 8 || (s->n && value <= s->last))
        return 1;
    s->last = value;
    s->rows += m->rows;
    s->auc[s->n] = m->auc;
    s->logloss[s->n++] = m->logloss;
    return 0;
}

static void check_slices(void)
{
    struct ca_eval_opts small = {.buffer = 999};
    struct ca_slices *s = NULL;
    struct ca_eval one[5];
    struct ca_measures m;
    struct ca_err err = {0};
    struct seen seen = {0};
    int rc = ca_slices_new(&s, &small, 5, &err), equal = 1;
    float x, y, w;

    for (int k = 0; k < 5; k++)
        rc |= ca_eval_init(&one[k], NULL, &err);
    for (uint64_t i = 0; i < N && !rc; i++) {
        int64_t k = draw(i, 3) % 5;
        make_row("plain", i, &x, &y, &w);
        rc = ca_slices_add(s, 10 - 7 * k, x, y, w, &err);
        if (!rc)
            rc = ca_eval_add(&one[k], x, y, w, &err);
    }
    OK(!rc && !ca_slices_each(s, see, &seen, &err) && seen.n == 5 && seen.rows == N, "five slices, in order");
    for (int k = 0; k < 5; k++) {
        rc |= ca_eval_result(&one[k], &m, &err);
        equal &= same(m.auc, seen.auc[4 - k]) && same(m.logloss, seen.logloss[4 - k]);
        ca_eval_fini(&one[k]);
    }
    OK(equal && !rc, "each slice as if it were alone, to the bit");
    OK(ca_slices_add(s, 99, 0, 1, 1, &err) == CA_EUSAGE && err.hint[0], "one slice too many is refused");
    ca_slices_free(s);
}

static void check_faults(void)
{
    struct ca_eval e;
    struct ca_measures m;
    struct ca_err err = {0};
    struct ca_eval_opts prob = {.score = CA_SCORE_PROBABILITY};
    struct ca_buf b = {0};
    json_t *obj = json_object();

    OK(!ca_eval_init(&e, NULL, &err) && !ca_eval_result(&e, &m, &err) && isnan(m.auc) && m.rows == 0,
       "no rows: no auc, no fault");
    OK(!ca_eval_add(&e, 1.5f, 1, 1, &err) && !ca_eval_add(&e, -1.5f, 1, 1, &err) && !ca_eval_result(&e, &m, &err),
       "one class only");
    OK(isnan(m.auc) && isnan(m.ne) && m.one_class && isfinite(m.logloss), "has no auc, but a logloss");
    OK(!ca_measures_json(&m, obj, &err) && json_is_null(json_object_get(obj, "auc")) &&
           json_is_true(json_object_get(obj, "one_class")), "which JSON says as null and a flag");
    OK(ca_eval_add(&e, (float)NAN, 1, 1, &err) == CA_ENUMERIC && err.has_record && err.record == 2,
       "a score that is not a number names its row");
    err = (struct ca_err){0};
    OK(ca_eval_add(&e, (float)INFINITY, 1, 1, &err) == CA_ENUMERIC, "an infinite logit is refused");
    err = (struct ca_err){0};
    OK(ca_eval_add(&e, 0, 2, 1, &err) == CA_EFORMAT, "a label of 2 is refused");
    err = (struct ca_err){0};
    OK(ca_eval_add(&e, 0, 1, -1, &err) == CA_EFORMAT, "a negative weight is refused");
    err = (struct ca_err){0};
    OK(!ca_eval_add(&e, -0.0f, 0, 1, &err) && !ca_eval_add(&e, 0.0f, 1, 0, &err) && !ca_eval_result(&e, &m, &err),
       "zeros");
    CLOSE(m.auc, 0.5, 0, "scores above and below a lone negative");
    CLOSE(m.weight, 3, 0, "a weight of zero counts a row and nothing else");
    ca_eval_fini(&e);

    OK(!ca_eval_init(&e, &prob, &err) && !ca_eval_add(&e, 1, 0, 1, &err) && !ca_eval_add(&e, 0.25f, 1, 1, &err) &&
           !ca_eval_result(&e, &m, &err), "probabilities");
    CLOSE(m.logloss, (-log(1.0 - (1.0 - 2.2e-16)) - log(0.25)) / 2, 1e-12, "are clipped, never infinite");
    OK(ca_eval_add(&e, 1.25f, 1, 1, &err) == CA_ENUMERIC, "1.25 is no probability");
    ca_eval_fini(&e);

    ca_measures_tsv_names(&b);
    OK(!strncmp(b.data, "auc\tlogloss\trows\tpositives\t", 27), "auc, logloss and rows come first");
    ca_buf_fini(&b);
    json_decref(obj);
}

static int take(void *arg, const struct ca_auc_area *area)
{
    *(struct ca_auc_area *)arg = *area;
    return 0;
}

static void check_soft(void)
{
    struct ca_auc a = {0}, b = {0};
    struct ca_auc_area whole = {0}, parts = {0};
    struct ca_err err = {0};
    int rc = 0;

    for (int i = 0; i < 50 && !rc; i++) {
        float s = (float)(i * 37 % 11), y = (float)(i % 5) / 4.0f;
        rc = ca_auc_add(&a, 0, s, y, 1, &err);
        if (!rc)
            rc = ca_auc_add(&b, 0, s, 1, y, &err);
        if (!rc)
            rc = ca_auc_add(&b, 0, s, 0, 1.0f - y, &err);
    }
    OK(!rc && !ca_auc_walk(&a, take, &whole, &err) && !ca_auc_walk(&b, take, &parts, &err) && whole.auc > 0,
       "soft labels");
    CLOSE(whole.auc, parts.auc, 1e-15, "a soft label is two weighted rows");
    ca_auc_fini(&a);
    ca_auc_fini(&b);
}

/* Every pair of rows with its weights. Labels and weights are quarters, so that sums are exact. */
static double by_pairs(const float *score, const float *label, const float *weight, size_t n)
{
    double wins = 0, positives = 0, negatives = 0;

    for (size_t i = 0; i < n; i++) {
        positives += (double)weight[i] * (double)label[i];
        negatives += (double)weight[i] * (1 - (double)label[i]);
        for (size_t k = 0; k < n; k++)
            wins += (double)weight[i] * (double)label[i] * (double)weight[k] * (1 - (double)label[k]) *
                    (score[i] > score[k] ? 1 : score[i] < score[k] ? 0 : 0.5);
    }
    return wins / positives / negatives;
}

/* Scores of every sign and size, equal ones among them, weights, labels between 0 and 1; buffers that hold all or little. */
static void check_pairs(void)
{
    enum { ROWS = 1500 };
    static const float odd[] = {0.0f, -0.0f, 1e-45f, -1e-45f, 3e38f, -3e38f, INFINITY, -INFINITY, 1.0f, 1.00000012f};
    static float score[ROWS], label[ROWS], weight[ROWS];

    for (int kind = 0; kind < 3; kind++) {
        double want;

        for (uint64_t i = 0; i < ROWS; i++) {
            score[i] = kind == 0 ? (float)(draw(i, 0) - 8388608) * 1e-6f
                                 : kind == 1 ? (float)(draw(i, 0) % 7 - 3) : odd[(uint64_t)draw(i, 0) % 10];
            label[i] = kind == 2 ? (float)(draw(i, 1) % 5) / 4.0f : (float)(draw(i, 1) % 2);
            weight[i] = kind == 0 ? 1.0f : (float)(draw(i, 2) % 9) / 4.0f;
        }
        want = by_pairs(score, label, weight, ROWS);
        for (size_t limit = 7; limit < 3 * ROWS; limit *= 9) {
            struct ca_auc a = {.pairs.limit = limit};
            struct ca_auc_area area = {0};
            struct ca_err err = {0};
            int rc = 0;

            for (size_t i = 0; i < ROWS && !rc; i++)
                rc = ca_auc_add(&a, 0, score[i], label[i], weight[i], &err);
            rc = rc ? rc : ca_auc_walk(&a, take, &area, &err);
            OK(!rc, "an area");
            CLOSE(area.auc, want, 1e-14, "is what all pairs of rows give");
            ca_auc_fini(&a);
        }
    }
}

int main(void)
{
    check_golden();
    check_pairs();
    check_buffers();
    check_merge();
    check_slices();
    check_faults();
    check_soft();
    return tap_done();
}
