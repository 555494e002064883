/*
 * The machine's own limits, against which everything else is held: multiply-add
 * of one core and of all, streams through memory, rows at random places.
 * Usage: machine THREADS SECONDS STREAM_BYTES ROWS
 */
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

#include "base/pool.h"
#include "sample.h"

#define CHAINS 10       /* sums in flight: latency times issue width of any core of today */
#define ROUNDS 4096     /* multiply-adds of each chain in one task */
#define LANES_MOST 16
#define AHEAD 16        /* rows asked for before they are used */
#define SLICES 64       /* pieces of a stream, dealt to the threads */

struct work {
    float *a, *b, *c;
    size_t n;             /* floats of a stream */
    const uint32_t *at;   /* which row comes next */
    size_t lookups, row;  /* floats of a row */
    int ahead;
    float sum[256 * 16];  /* by worker, a cache line each: what is read must be used */
};

/* ---- multiply-add ---------------------------------------------------------- */

#if defined __x86_64__
__attribute__((target("avx512f"))) static float fma_512(float start)
{
    __m512 s[CHAINS], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-3f);

    for (int i = 0; i < CHAINS; i++)
        s[i] = _mm512_set1_ps(start + (float)i);
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < CHAINS; i++)
            s[i] = _mm512_fmadd_ps(s[i], x, y);
    for (int i = 1; i < CHAINS; i++)
        s[0] = _mm512_add_ps(s[0], s[i]);
    return _mm512_reduce_add_ps(s[0]);
}

__attribute__((target("avx2,fma"))) static float fma_256(float start)
{
    __m256 s[CHAINS], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);

    for (int i = 0; i < CHAINS; i++)
        s[i] = _mm256_set1_ps(start + (float)i);
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < CHAINS; i++)
            s[i] = _mm256_fmadd_ps(s[i], x, y);
    for (int i = 1; i < CHAINS; i++)
        s[0] = _mm256_add_ps(s[0], s[i]);
    return _mm256_cvtss_f32(s[0]);
}
#endif

static float fma_plain(float start)
{
    float s[CHAINS][LANES_MOST], sum = 0;

    for (int i = 0; i < CHAINS; i++)
        for (int k = 0; k < LANES_MOST; k++)
            s[i][k] = start + (float)i;
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < CHAINS; i++)
            for (int k = 0; k < LANES_MOST; k++)
                s[i][k] = s[i][k] * 0.999f + 1e-3f;
    for (int i = 0; i < CHAINS; i++)
        for (int k = 0; k < LANES_MOST; k++)
            sum += s[i][k];
    return sum;
}

static int lanes(void)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return 16;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 8;
#endif
    return 1;
}

static void fma_task(void *arg, size_t task, unsigned worker)
{
    struct work *w = arg;
    float x = (float)task;

    /* each call goes on from the last, so that none can be left out */
    for (int i = 0; i < 64; i++)
#if defined __x86_64__
        x = 1e-3f * (lanes() == 16 ? fma_512(x) : lanes() == 8 ? fma_256(x) : fma_plain(x));
#else
        x = 1e-3f * fma_plain(x);
#endif
    w->sum[worker % 256 * 16] += x;
}

/* ---- streams --------------------------------------------------------------- */

static void piece(const struct work *w, size_t task, size_t *from, size_t *to)
{
    *from = w->n / SLICES * task;
    *to = *from + w->n / SLICES;
}

static void read_task(void *arg, size_t task, unsigned worker)
{
    struct work *w = arg;
    const float *a = w->a;
    float s[64] = {0};
    size_t from, to;

    piece(w, task, &from, &to);
    for (size_t i = from; i + 64 <= to; i += 64)
        for (int k = 0; k < 64; k++)
            s[k] += a[i + (size_t)k];
    for (int k = 0; k < 64; k++)
        w->sum[worker % 256 * 16] += s[k];
}

static void copy_task(void *arg, size_t task, unsigned worker)
{
    struct work *w = arg;
    size_t from, to;

    (void)worker;
    piece(w, task, &from, &to);
    memcpy(w->b + from, w->a + from, (to - from) * sizeof *w->a);
}

static void triad_task(void *arg, size_t task, unsigned worker)
{
    struct work *w = arg;
    float *restrict c = w->c;
    const float *restrict a = w->a, *restrict b = w->b;
    size_t from, to;

    (void)worker;
    piece(w, task, &from, &to);
    for (size_t i = from; i < to; i++)
        c[i] = a[i] + 0.5f * b[i];
}

static void in_place_task(void *arg, size_t task, unsigned worker)
{
    struct work *w = arg;
    float *restrict a = w->a;
    size_t from, to;

    (void)worker;
    piece(w, task, &from, &to);
    for (size_t i = from; i < to; i++)
        a[i] = a[i] * 0.999f + 1e-3f;
}

/* ---- rows at random places ------------------------------------------------- */

static void gather_task(void *arg, size_t task, unsigned worker)
{
    struct work *w = arg;
    size_t from = w->lookups / SLICES * task, to = from + w->lookups / SLICES;
    float s[16] = {0};

    for (size_t i = from; i < to; i++) {
        const float *row = w->a + (size_t)w->at[i] * w->row;
        for (size_t k = 0; w->ahead && k < w->row; k += 16)
            __builtin_prefetch(w->a + (size_t)w->at[i + AHEAD] * w->row + k);
        for (size_t k = 0; k < w->row; k += 16)
            for (size_t j = 0; j < 16; j++)
                s[j] += row[k + j];
    }
    for (int k = 0; k < 16; k++)
        w->sum[worker % 256 * 16] += s[k];
}

static void update_task(void *arg, size_t task, unsigned worker)
{
    struct work *w = arg;
    size_t from = w->lookups / SLICES * task, to = from + w->lookups / SLICES;

    (void)worker;
    for (size_t i = from; i < to; i++) {
        float *row = w->a + (size_t)w->at[i] * w->row;
        for (size_t k = 0; k < w->row; k += 16)
            __builtin_prefetch(w->a + (size_t)w->at[i + AHEAD] * w->row + k, 1);
        /* two threads may meet on a row; the numbers are of no account, only their transport */
        for (size_t k = 0; k < w->row; k++)
            row[k] = row[k] * 0.999f + 1e-3f;
    }
}

/* ---------------------------------------------------------------------------- */

static double least_s;

/* Repeat for a while; rows, bytes and flop are those of one repetition. */
static void measure(struct ca_pool *pool, const char *name, const char *what, const char *x, size_t tasks,
                    ca_pool_fn *fn, struct work *w, double rows, double bytes, double flop)
{
    struct span s = {0};
    double times = 0;

    ca_pool_run(pool, tasks, fn, w);
    do {
        span_begin(&s);
        ca_pool_run(pool, tasks, fn, w);
        span_end(&s);
        times++;
    } while (s.wall < least_s);
    sample("machine", name, what, ca_pool_threads(pool), x, rows * times, bytes * times, flop * times, &s);
}

static void random_rows(struct ca_pool *pool, struct work *w, size_t rows, size_t row)
{
    uint32_t *at;
    uint64_t state = 1;
    char x[32];
    double bytes;

    w->row = row;
    w->lookups = SLICES * 4096;
    at = large(w->lookups + AHEAD, sizeof *at);
    for (size_t i = 0; i < w->lookups + AHEAD; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        at[i] = (uint32_t)((state >> 32) * rows >> 32);
    }
    w->at = at;
    (void)snprintf(x, sizeof x, "%zux%zu", rows, row);
    bytes = (double)w->lookups * (double)row * sizeof(float);
    w->ahead = 0;
    measure(pool, "rows", "read", x, SLICES, gather_task, w, (double)w->lookups, bytes, 0);
    w->ahead = 1;
    measure(pool, "rows", "read, prefetched", x, SLICES, gather_task, w, (double)w->lookups, bytes, 0);
    measure(pool, "rows", "update, prefetched", x, SLICES, update_task, w, (double)w->lookups, 2 * bytes, 0);
}

int main(int argc, char **argv)
{
    static struct work w;
    struct ca_err err = {0};
    struct ca_pool *pool;
    size_t bytes, rows;
    double n;

    if (argc != 5) {
        (void)fprintf(stderr, "usage: machine THREADS SECONDS STREAM_BYTES ROWS\n");
        return 2;
    }
    pool = ca_pool_new((unsigned)strtoul(argv[1], NULL, 10), &err);
    must(!pool, &err);
    least_s = strtod(argv[2], NULL);
    bytes = strtoul(argv[3], NULL, 10) / (4 * SLICES * 64) * (4 * SLICES * 64);
    rows = strtoul(argv[4], NULL, 10);
    w.n = bytes / 4;
    measure(pool, "fma", "float32", "-", (size_t)4 * ca_pool_threads(pool), fma_task, &w, 0, 0,
            4.0 * ca_pool_threads(pool) * 64 * 2.0 * CHAINS * ROUNDS * (lanes() == 1 ? LANES_MOST : lanes()));
    /* one array is enough for rows and streams: its first rows are the smaller table */
    w.a = large(w.n > rows * 48 ? w.n : rows * 48, 4);
    w.b = large(w.n, 4);
    w.c = large(w.n, 4);
    n = (double)bytes;
    measure(pool, "stream", "read", "-", SLICES, read_task, &w, 0, n, 0);
    measure(pool, "stream", "copy", "-", SLICES, copy_task, &w, 0, 2 * n, 0);
    measure(pool, "stream", "triad", "-", SLICES, triad_task, &w, 0, 3 * n, 0);
    measure(pool, "stream", "in place", "-", SLICES, in_place_task, &w, 0, 2 * n, 0);
    random_rows(pool, &w, rows / 10, 16);
    random_rows(pool, &w, rows, 16);
    random_rows(pool, &w, rows, 48);
    ca_pool_free(pool);
    return isnan(w.sum[0]) ? 70 : 0; /* the sums are used */
}
