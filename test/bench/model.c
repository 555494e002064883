/*
 * Speed of one network, in memory: a fresh batch for every step, drawn while
 * the clock stands; deduplication, catching up of rows at rest and both
 * optimizers are inside. Columns are Criteo's: 13 numbers, 26 fields.
 *
 *     model SECTION ARCH WHAT THREADS X [KEY=VALUE...]
 *
 * WHAT is train, infer (a model out of a file, without optimizer state, as
 * ca-predict has it), distill (ARCH is TEACHER+STUDENT: a step of both, as
 * co-distillation has it, the teacher's optimizer every tenth), or dense: the
 * pass of a plain Adam over all rows of the tables and the spreading of a
 * batch's gradients into theirs, which is what a step would pay for its tables
 * if Adam were not lazy.
 *
 *     batch=4096    rows a step
 *     tables=N      rows of all tables together; without it those of the authors' log
 *     warm=150      steps that are not timed; fewer once warm_s seconds have passed
 *     rows=N        rows to time; without it as many as seconds hold, and at least two steps
 *     seconds=1
 *     records=FILE  rows of this file, held in memory, and tables of its vocabulary
 */
#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"
#include "model/train.h"
#include "nn/blas.h"
#include "sample.h"
#include "transfer/distill.h"

#define NUMERIC 13
#define FIELDS 26
#define INTERVAL 10             /* steps of the student to one of its teacher */
#define PIECE ((size_t)1 << 15) /* elements of a table that a thread updates at a time */

/* Rows of C1 to C26 in the authors' log. */
static const uint32_t published[FIELDS] = {1458, 555, 193948, 138800, 306, 18, 11970, 634, 4, 42646, 5178, 192772, 3175,
                                           27, 11422, 181074, 11, 4654, 2031, 4, 189656, 17, 16, 59696, 85, 45570};

struct setting {
    size_t batch, tables, warm, rows;
    double seconds, warm_s;
    const char *records;
};

struct draw {
    uint64_t state;
    size_t batch;
    double log_rows[FIELDS];
    uint32_t field_rows[FIELDS];
    struct ca_head head;
    struct ca_rows *rows;   /* a batch of them */
    size_t list;            /* column of the list, or 0 */
};

static inline double unit(struct draw *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* Columns of the records: label, numbers, fields, a further task, a domain, and a list of what the field LIKE holds. */
enum { LABEL, NUMBERS, CATEGORIES = NUMBERS + NUMERIC, TASK = CATEGORIES + FIELDS, DOMAIN_COLUMN, LIST };
#define LIKE 9
#define DOMAINS 4
#define LIST_MOST 20

/* Ids log-uniform, as those of clicks are about; numbers uniform; three labels of ten are 1. */
static uint32_t draw_id(struct draw *d, size_t f)
{
    double u = exp(unit(d) * d->log_rows[f]) - 1;

    return u < (double)d->field_rows[f] ? (uint32_t)u : d->field_rows[f] - 1;
}

static struct ca_block fresh(struct draw *d)
{
    struct ca_err err = {0};
    uint32_t ids[LIST_MOST];
    size_t first;

    ca_rows_clear(d->rows);
    if (!d->list)
        must(ca_rows_extend(d->rows, d->batch, &first, &err), &err);
    for (size_t r = 0; d->list && r < d->batch; r++) {
        size_t n = (size_t)(unit(d) * LIST_MOST);
        for (size_t i = 0; i < n; i++)
            ids[i] = draw_id(d, LIKE);
        must(ca_rows_extend(d->rows, 1, &first, &err), &err);
        must(ca_rows_list(d->rows, d->list, ids, n, &err), &err);
    }
    for (size_t f = 0; f < FIELDS; f++) {
        uint32_t *id = ca_rows_data(d->rows, CATEGORIES + f);
        for (size_t r = 0; r < d->batch; r++)
            id[r] = draw_id(d, f);
    }
    for (size_t i = 0; i < NUMERIC; i++) {
        float *x = ca_rows_data(d->rows, NUMBERS + i);
        for (size_t r = 0; r < d->batch; r++)
            x[r] = (float)(2 * unit(d) - 1);
    }
    float *label = ca_rows_data(d->rows, LABEL), *task = ca_rows_data(d->rows, TASK);
    uint32_t *domain = ca_rows_data(d->rows, DOMAIN_COLUMN);
    for (size_t r = 0; r < d->batch; r++) {
        label[r] = unit(d) < 0.3;
        task[r] = unit(d) < 0.1;
        domain[r] = (uint32_t)(unit(d) * DOMAINS);
    }
    return ca_rows_view(d->rows);
}

static struct draw draw_new(const struct setting *s, const struct ca_arch *arch, struct ca_err *err)
{
    struct draw d = {.state = 1, .batch = s->batch};
    struct ca_schema *c = &d.head.schema;
    char name[16];
    double all = 0;
    int rc = ca_schema_add(c, "label", CA_ROLE_LABEL, CA_TYPE_F32, 0, 0, err);

    for (int i = 1; i <= NUMERIC && !rc; i++) {
        (void)snprintf(name, sizeof name, "I%d", i);
        rc = ca_schema_add(c, name, CA_ROLE_NUMERIC, CA_TYPE_F32, 0, 0, err);
    }
    for (size_t f = 0; f < FIELDS; f++)
        all += published[f];
    for (size_t f = 0; f < FIELDS && !rc; f++) {
        double rows = s->tables ? (double)published[f] / all * (double)s->tables : published[f];
        d.field_rows[f] = rows > 2 ? (uint32_t)rows : 2;
        d.log_rows[f] = log((double)d.field_rows[f] + 1);
        (void)snprintf(name, sizeof name, "C%zu", f + 1);
        rc = ca_schema_add(c, name, CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, d.field_rows[f], err);
    }
    if (!rc && !(rc = ca_schema_add(c, "task", CA_ROLE_TASK, CA_TYPE_F32, 0, 0, err)))
        rc = ca_schema_add(c, "domain", CA_ROLE_DOMAIN, CA_TYPE_U32, 0, DOMAINS, err);
    if (!rc && ca_arch_reads_lists(arch)) {
        d.list = LIST;
        (void)snprintf(name, sizeof name, "C%d", LIKE + 1);
        if (!(rc = ca_schema_add(c, "history", CA_ROLE_SEQUENCE, CA_TYPE_U32, 1, d.field_rows[LIKE], err)))
            rc = ca_schema_like(c, "history", name, err);
    }
    must(rc, err);
    d.rows = ca_rows_new(c, err);
    must(!d.rows, err);
    return d;
}

static struct ca_model *drawn_model(const struct ca_arch_spec *spec, const struct draw *d, struct ca_pool *pool,
                                    struct ca_err *err)
{
    struct ca_model *m;

    must(ca_model_new(&m, spec, &d->head, NULL, 1, pool, err), err);
    return m;
}

/* The same without optimizer state. A child draws it and writes it, so that the state is no part of this memory. */
static struct ca_model *loaded_model(const struct ca_arch_spec *spec, const struct draw *d, struct ca_pool *pool,
                                     struct ca_err *err)
{
    const char *dir = getenv("TMPDIR");
    struct ca_model *m;
    char path[4096];
    int fd, status;
    pid_t child;

    (void)snprintf(path, sizeof path, "%s/bench-model-XXXXXX", dir ? dir : "/tmp");
    if ((fd = mkstemp(path)) < 0 || close(fd) || (child = fork()) < 0) {
        perror("bench: a file for a model");
        exit(70);
    }
    if (!child) {
        struct ca_pool *own = ca_pool_new(1, err);

        must(!own, err);
        must(ca_model_save(drawn_model(spec, d, own, err), path, CA_MODEL_WEIGHTS_ONLY, NULL, err), err);
        _exit(0);
    }
    if (waitpid(child, &status, 0) < 0 || status) {
        (void)fprintf(stderr, "bench: no model was written to %s\n", path);
        exit(70);
    }
    must(ca_model_load(&m, path, CA_NET_INFERENCE, pool, err), err);
    (void)unlink(path);
    return m;
}

/* ---- one step ---------------------------------------------------------------- */

struct run {
    struct ca_model *m, *teacher;
    struct ca_binding bind, teacher_bind;
    size_t label; /* column */
    int infer;
    float *logit;
    struct span s;
    double rows, steps;
};

static void step(struct run *r, const struct ca_block *b)
{
    struct ca_target target = {.label = ca_block_f32(b, r->label)};
    struct ca_feed batch, *feed = &batch;
    struct ca_err err = {0};
    double sum = 0;

    span_begin(&r->s);
    must(ca_binding_feed(&r->bind, b, feed, &err), &err);
    target.task = ca_binding_tasks(&r->bind, b);
    if (r->teacher) {
        struct ca_distill how = {.form = CA_DISTILL_PUBLISHED, .alpha = 0.7, .temperature = 4};
        struct ca_loss loss = ca_distill_loss(&how);

        struct ca_feed asked;

        must(ca_binding_feed(&r->teacher_bind, b, &asked, &err), &err);
        must(ca_net_gradient(r->teacher->net, &asked, &ca_loss_bce, &target, &sum, r->logit, &err), &err);
        target.teacher = r->logit;
        must(ca_net_gradient(r->m->net, feed, &loss, &target, &sum, NULL, &err), &err);
        must(ca_net_step(r->m->net, CA_STEP_ALL, &err), &err);
        if ((size_t)r->steps % INTERVAL == 0)
            must(ca_net_step(r->teacher->net, CA_STEP_ALL, &err), &err);
    } else if (r->infer) {
        must(ca_net_forward(r->m->net, feed, r->logit, &err), &err);
    } else {
        must(ca_net_gradient(r->m->net, feed, &ca_loss_bce, &target, &sum, NULL, &err), &err);
        must(ca_net_step(r->m->net, CA_STEP_ALL, &err), &err);
    }
    span_end(&r->s);
    r->rows += (double)feed->rows;
    r->steps++;
}

static int enough(const struct run *r, const struct setting *s)
{
    return s->rows ? r->rows >= (double)s->rows : r->s.wall >= s->seconds && r->steps >= 2;
}

static void drawn(struct run *r, struct draw *d, const struct setting *s)
{
    struct ca_err err = {0};

    must(ca_model_bind(r->m, &d->head, &r->bind, &err), &err);
    for (size_t i = 0; i < s->warm && (i < 1 || r->s.wall < s->warm_s); i++) {
        struct ca_block b = fresh(d);
        step(r, &b);
    }
    r->s = (struct span){0};
    r->rows = r->steps = 0;
    do {
        struct ca_block b = fresh(d);
        step(r, &b);
    } while (!enough(r, s));
}

/* The rows of a file, which are in memory when the clock starts. */
static void recorded(struct run *r, const struct ca_arch_spec *spec, const struct setting *s, struct ca_pool *pool)
{
    struct ca_err err = {0};
    struct ca_reader *in;
    struct ca_rows *rows, *batch;
    struct ca_block all, b;
    int label;

    must(ca_reader_open(&in, s->records, 0, &err), &err);
    must(ca_model_new(&r->m, spec, ca_reader_head(in), NULL, 1, pool, &err), &err);
    must(ca_model_bind(r->m, ca_reader_head(in), &r->bind, &err), &err);
    label = ca_schema_role(&ca_reader_head(in)->schema, CA_ROLE_LABEL, 0);
    r->label = label < 0 ? 0 : (size_t)label;
    rows = ca_rows_new(&ca_reader_head(in)->schema, &err);
    batch = ca_rows_new(&ca_reader_head(in)->schema, &err);
    must(!rows || !batch, &err);
    while (ca_reader_fill(in, rows, SIZE_MAX, &err) > 0)
        ;
    must(err.code, &err);
    all = ca_rows_view(rows);
    for (size_t at = 0; at < all.rows; at += s->batch) {
        size_t n = all.rows - at < s->batch ? all.rows - at : s->batch;

        ca_rows_clear(batch);
        must(ca_rows_append(batch, &all, at, n, &err), &err);
        b = ca_rows_view(batch);
        step(r, &b);
    }
}

/*
 * Bytes of rows of tables for a row of a batch, as if each look-up met a row that no other met: weights, and in training
 * the moments as well, read and written.
 */
static double table_bytes(const struct ca_model *m, int infer)
{
    const struct ca_graph *g = ca_net_graph(m->net);
    double sum = 0;

    for (size_t i = 0; i < ca_graph_n_tables(g); i++) {
        const struct ca_table_spec *t = ca_graph_get_table(g, i);
        sum += (double)(t->n_columns * t->width * sizeof(float)) * (infer ? 1 : 6);
    }
    return sum;
}

/* ---- Adam over all rows --------------------------------------------------------- */

struct tables {
    float *p, *m, *v, *g;
    size_t n, width;
    const size_t *first;      /* first row of each field */
    const uint32_t *id[FIELDS]; /* of the batch */
    const float *grad;        /* [field][batch][width] */
    size_t batch;
};

/* The gradients of the batch are in the moments already (spread_task): what is left is the same for every row. */
#define ADAM_LOOP                                                                                                     \
    for (size_t i = 0; i < n; i++) {                                                                                  \
        m[i] *= 0.9f;                                                                                                 \
        v[i] *= 0.999f;                                                                                               \
        p[i] -= 0.1f * m[i] / (__builtin_sqrtf(v[i]) * 1.3f + 1e-8f);                                                 \
    }

#if defined __x86_64__
__attribute__((target("avx512f,prefer-vector-width=512"))) static void adam_512(float *restrict p, float *restrict m,
                                                                                float *restrict v, size_t n)
{
    ADAM_LOOP
}
__attribute__((target("avx2"))) static void adam_256(float *restrict p, float *restrict m, float *restrict v, size_t n)
{
    ADAM_LOOP
}
#endif

static void adam_plain(float *restrict p, float *restrict m, float *restrict v, size_t n)
{
    ADAM_LOOP
}

static void adam_task(void *arg, size_t task, unsigned worker)
{
    struct tables *t = arg;
    size_t at = task * PIECE, n = t->n - at < PIECE ? t->n - at : PIECE;

    (void)worker;
#if defined __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        adam_512(t->p + at, t->m + at, t->v + at, n);
    else if (__builtin_cpu_supports("avx2"))
        adam_256(t->p + at, t->m + at, t->v + at, n);
    else
#endif
        adam_plain(t->p + at, t->m + at, t->v + at, n);
}

/*
 * Gradients of a field's rows, summed, into the moments: m + g (1 - b1) / b1,
 * which the pass multiplies by b1, so that it need not read a gradient for
 * every row there is. The same for v.
 */
static void spread_task(void *arg, size_t f, unsigned worker)
{
    struct tables *t = arg;
    const uint32_t *id = t->id[f];

    (void)worker;
    for (size_t r = 0; r < t->batch; r++) {
        float *restrict g = t->g + (t->first[f] + id[r]) * t->width;
        const float *restrict from = t->grad + (f * t->batch + r) * t->width;
        for (size_t k = 0; k < t->width; k++)
            g[k] += from[k];
    }
    for (size_t r = 0; r < t->batch; r++) {
        size_t at = (t->first[f] + id[r]) * t->width;
        float *restrict g = t->g + at, *restrict m = t->m + at, *restrict v = t->v + at;
        /* of an id that is there again nothing is left */
        for (size_t k = 0; k < t->width; k++) {
            m[k] += g[k] * (0.1f / 0.9f);
            v[k] += g[k] * g[k] * (0.001f / 0.999f);
            g[k] = 0;
        }
    }
}

static void dense(struct run *r, const struct ca_arch_spec *spec, struct draw *d, const struct setting *s, struct ca_pool *pool)
{
    size_t first[FIELDS], rows = 0;
    struct tables t = {.first = first, .batch = s->batch};

    for (size_t f = 0; f < FIELDS; f++) {
        first[f] = rows;
        rows += d->field_rows[f];
    }
    t.width = spec->width;
    t.n = rows * spec->width;
    t.p = large(t.n, sizeof(float));
    t.m = large(t.n, sizeof(float));
    t.v = large(t.n, sizeof(float));
    t.g = large(t.n, sizeof(float));
    t.grad = large(FIELDS * s->batch * spec->width, sizeof(float));
    /* roots of denormal numbers are slow, and no trained model has them everywhere */
    for (size_t i = 0; i < t.n; i++)
        t.v[i] = 1e-3f;
    for (int warm = 1; warm >= 0; warm--) {
        r->s = (struct span){0};
        r->rows = r->steps = 0;
        do {
            struct ca_block b = fresh(d);
            for (size_t f = 0; f < FIELDS; f++)
                t.id[f] = ca_block_u32(&b, CATEGORIES + f);
            span_begin(&r->s);
            ca_pool_run(pool, FIELDS, spread_task, &t);
            ca_pool_run(pool, (t.n + PIECE - 1) / PIECE, adam_task, &t);
            span_end(&r->s);
            r->rows += (double)s->batch;
            r->steps++;
        } while (!warm && !enough(r, s));
    }
}

/* ----------------------------------------------------------------------------------- */

static int key(struct setting *s, const char *text)
{
    const char *value = strchr(text, '=');
    size_t n = value ? (size_t)(value - text) : 0;

    if (!value++)
        return 1;
    if (!strncmp(text, "batch", n))
        s->batch = strtoul(value, NULL, 10);
    else if (!strncmp(text, "tables", n))
        s->tables = strtoul(value, NULL, 10);
    else if (!strncmp(text, "rows", n))
        s->rows = strtoul(value, NULL, 10);
    else if (!strncmp(text, "warm", n))
        s->warm = strtoul(value, NULL, 10);
    else if (!strncmp(text, "warm_s", n))
        s->warm_s = strtod(value, NULL);
    else if (!strncmp(text, "seconds", n))
        s->seconds = strtod(value, NULL);
    else if (!strncmp(text, "records", n))
        s->records = value;
    else
        return 1;
    return 0;
}

int main(int argc, char **argv)
{
    struct setting s = {.batch = 4096, .warm = 150, .seconds = 1, .warm_s = 2};
    struct ca_err err = {0};
    struct ca_pool *pool;
    struct run r = {0};
    struct draw d;
    struct ca_arch_spec spec, teacher_spec;
    const char *student = argc > 2 ? strchr(argv[2], '+') : NULL;
    char teacher[64];
    double flop = 0, bytes = 0;
    int bad = argc < 6;

    if (argc == 2 && !strcmp(argv[1], "--engine")) {
        ca_blas_start();
        return puts(ca_blas_engine()) < 0;
    }
    for (int i = 6; i < argc && !bad; i++)
        bad = key(&s, argv[i]);
    if (bad || !s.batch) {
        (void)fprintf(stderr, "usage: model SECTION ARCH train|infer|distill|dense THREADS X [KEY=VALUE...]\n");
        return 2;
    }
    pool = ca_pool_new((unsigned)strtoul(argv[4], NULL, 10), &err);
    must(!pool, &err);
    if (student) {
        (void)snprintf(teacher, sizeof teacher, "%.*s", (int)(student - argv[2]), argv[2]);
        must(ca_arch_parse(teacher, &teacher_spec, &err), &err);
    }
    must(ca_arch_parse(student ? student + 1 : argv[2], &spec, &err), &err);
    r.infer = !strcmp(argv[3], "infer");
    r.logit = large(s.batch, sizeof *r.logit);
    if (s.records) {
        recorded(&r, &spec, &s, pool);
    } else {
        d = draw_new(&s, spec.arch, &err);
        if (student) {
            r.teacher = drawn_model(&teacher_spec, &d, pool, &err);
            must(ca_model_bind(r.teacher, &d.head, &r.teacher_bind, &err), &err);
        }
        if (!strcmp(argv[3], "dense")) {
            dense(&r, &spec, &d, &s, pool);
        } else {
            r.m = r.infer ? loaded_model(&spec, &d, pool, &err) : drawn_model(&spec, &d, pool, &err);
            drawn(&r, &d, &s);
        }
    }
    /* backward is two products for each of forward */
    if (r.m) {
        flop = (double)(r.infer ? ca_net_logit_flops_per_row(r.m->net) : 3 * ca_net_flops_per_row(r.m->net));
        bytes = table_bytes(r.m, r.infer);
    }
    if (r.teacher) {
        flop += (double)ca_net_flops_per_row(r.teacher->net) * 3;
        bytes += table_bytes(r.teacher, 0);
    }
    sample(argv[1], argv[2], argv[3], ca_pool_threads(pool), argv[5], r.rows, bytes * r.rows, flop * r.rows, &r.s);
    ca_model_free(r.m);
    ca_model_free(r.teacher);
    ca_pool_free(pool);
    return 0;
}
