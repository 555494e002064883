/* ca-gen: a synthetic click stream with a known truth. See ca-gen(1). */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/out.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "data/gen.h"
#include "record/writer.h"

#include "base/banned.h"

#define TASK_ROWS 4096 /* rows a worker draws at a time */

struct params {
    int64_t rows, start, of;
    int preset;
    uint64_t vocab;
    double drift;
    int conversions, probability;
    uint64_t requests;
    uint64_t history, domains;
    int format;
    struct ca_writer_opts writer;
};
enum { FORMAT_CAR, FORMAT_TSV };

static const struct ca_opt opts[] = {
    {"rows", 'n', CA_OPT_COUNT, CA_OFFSET(params, rows), "N", "100000", 0, 1e15, 0, "write N rows"},
    {"preset", 0, CA_OPT_CHOICE, CA_OFFSET(params, preset), "criteo|small", "criteo", 0, 0, 0,
     "columns: 13 numeric and 26 categorical, or 4 and 8"},
    {"vocab", 0, CA_OPT_COUNT, CA_OFFSET(params, vocab), "TOTAL", NULL, CA_GEN_MIN_VOCAB, CA_GEN_MAX_VOCAB, 0,
     "table rows over all categorical columns; without it 50000 for criteo and 2000 for small"},
    {"drift", 0, CA_OPT_REAL, CA_OFFSET(params, drift), "X", "1", 0, 10, 0,
     "strength of the drift of popularity and preferences, 0 for a stationary stream"},
    {"conversions", 0, CA_OPT_FLAG, CA_OFFSET(params, conversions), "", NULL, 0, 0, 0,
     "add a task column conversion, which is 1 for some of the clicks"},
    {"probability", 0, CA_OPT_FLAG, CA_OFFSET(params, probability), "", NULL, 0, 0, 0,
     "add the true probability of every label as an auxiliary column"},
    {"requests", 0, CA_OPT_COUNT, CA_OFFSET(params, requests), "ROWS", NULL, 2, CA_GEN_MAX_REQUEST, 0,
     "show ROWS rows, a power of two, at a request: they have the user's columns in common and a column request"},
    {"history", 0, CA_OPT_COUNT, CA_OFFSET(params, history), "N", NULL, 1, CA_GEN_MAX_HISTORY, 0,
     "add a target item, its category, and the histories of up to N items and categories that make a click likely"},
    {"domains", 0, CA_OPT_COUNT, CA_OFFSET(params, domains), "N", NULL, 1, CA_GEN_MAX_DOMAINS, 0,
     "add a domain column: N domains in which clicks follow different laws"},
    {"start", 0, CA_OPT_COUNT, CA_OFFSET(params, start), "ROW", "0", 0, 1e15, 0,
     "write the N rows from ROW (from 0) of the stream, to generate it in parts"},
    {"of", 0, CA_OPT_COUNT, CA_OFFSET(params, of), "TOTAL", NULL, 0, 1e15, 0,
     "rows of the whole stream, over which drift is spread; without it the rows up to the last one written"},
    {"format", 0, CA_OPT_CHOICE, CA_OFFSET(params, format), "car|tsv", "car", 0, 0, CA_OPT_NEUTRAL,
     "a record stream, or Criteo's text layout without header"},
    CA_WRITER_OPTS(CA_OFFSET(params, writer)),
};

static const struct ca_example examples[] = {
    {"ca-gen --rows 200k --seed 1 -o clicks.car", "a stream to try everything on"},
    {"ca-gen --rows 10k --format tsv | head -3", "the same kind of data as text"},
    {NULL, NULL},
};

/* Work shared by the tasks of one round. */
struct round {
    const struct ca_gen *gen;
    int64_t first;         /* stream row of task 0's first row */
    size_t rows;           /* of the round */
    void *const *col;      /* columns of the round's rows */
    const size_t *size;    /* bytes of a row of each */
    size_t n_col;
    struct ca_buf *text;   /* one a task */
};

static void fill_records(void *arg, size_t task, unsigned worker)
{
    const struct round *r = arg;
    size_t at = task * TASK_ROWS, n = r->rows - at < TASK_ROWS ? r->rows - at : TASK_ROWS;
    void *col[64];

    (void)worker;
    for (size_t c = 0; c < r->n_col; c++)
        col[c] = (char *)r->col[c] + at * r->size[c];
    ca_gen_rows(r->gen, r->first + (int64_t)at, n, col);
}

static void fill_text(void *arg, size_t task, unsigned worker)
{
    const struct round *r = arg;
    size_t at = task * TASK_ROWS, n = r->rows - at < TASK_ROWS ? r->rows - at : TASK_ROWS;

    (void)worker;
    ca_buf_clear(&r->text[task]);
    ca_gen_text(r->gen, r->first + (int64_t)at, n, &r->text[task]);
}

/* Rows of a count and its items to the items alone, in place, and where each row's begin. */
static void pack_lists(uint32_t *data, size_t stride, size_t rows, uint32_t *start)
{
    start[0] = 0;
    for (size_t r = 0; r < rows; r++) {
        uint32_t n = data[r * stride];
        memmove(data + start[r], data + r * stride + 1, n * sizeof *data);
        start[r + 1] = start[r] + n;
    }
}

static int write_records(struct ca_run *run, const struct ca_gen *gen, struct ca_pool *pool, size_t tasks,
                         struct ca_progress *progress, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_head head = {0};
    struct ca_writer *w = NULL;
    struct ca_colview view[64] = {{0}};
    void *col[64] = {0};
    size_t size[64], most = tasks * TASK_ROWS;
    uint32_t *start[64] = {0};
    struct round r = {.gen = gen, .col = col, .size = size};
    int rc;

    if ((rc = ca_schema_copy(&head.schema, ca_gen_schema(gen), err)) ||
        (rc = ca_writer_open(&w, NULL, &head, &p->writer, run, err)))
        goto done;
    r.n_col = head.schema.n;
    for (size_t c = 0; c < r.n_col; c++) {
        int list = head.schema.col[c].is_list;
        size[c] = ca_type_size(head.schema.col[c].type) * (list ? 1 + p->history : 1);
        col[c] = ca_mem_alloc(most, size[c], err);
        start[c] = list ? ca_mem_alloc(most + 1, sizeof *start[c], err) : NULL;
        if (!col[c] || (list && !start[c])) {
            rc = CA_EMEMORY;
            goto done;
        }
        view[c] = (struct ca_colview){col[c], start[c]};
    }
    for (int64_t done = 0; done < p->rows; done += (int64_t)r.rows) {
        int64_t left = p->rows - done;
        r.first = p->start + done;
        r.rows = left < (int64_t)most ? (size_t)left : most;
        ca_pool_run(pool, (r.rows + TASK_ROWS - 1) / TASK_ROWS, fill_records, &r);
        for (size_t c = 0; c < r.n_col; c++)
            if (start[c])
                pack_lists(col[c], 1 + p->history, r.rows, start[c]);
        struct ca_block block = {&head.schema, r.rows, 0, view};
        if ((rc = ca_writer_put(w, &block, 0, r.rows, err)))
            goto done;
        ca_progress_update(progress, done + (int64_t)r.rows, NULL);
    }
    rc = ca_writer_close(w, err);
    w = NULL;
done:
    ca_writer_abort(w);
    for (size_t c = 0; c < 64; c++) {
        ca_mem_free(col[c]);
        ca_mem_free(start[c]);
    }
    ca_head_fini(&head);
    return rc;
}

static int write_text(struct ca_run *run, const struct ca_gen *gen, struct ca_pool *pool, size_t tasks,
                      struct ca_progress *progress, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_out *out = NULL;
    struct round r = {.gen = gen, .text = ca_mem_zalloc(tasks, sizeof *r.text, err)};
    int rc = CA_EMEMORY;

    if (!r.text || (rc = ca_out_open(&out, run->common.output, err)))
        goto done;
    for (int64_t done = 0; done < p->rows; done += (int64_t)r.rows) {
        int64_t left = p->rows - done;
        r.first = p->start + done;
        r.rows = left < (int64_t)(tasks * TASK_ROWS) ? (size_t)left : tasks * TASK_ROWS;
        size_t used = (r.rows + TASK_ROWS - 1) / TASK_ROWS;
        ca_pool_run(pool, used, fill_text, &r);
        for (size_t t = 0; t < used; t++)
            if ((rc = ca_buf_check(&r.text[t], err)) ||
                (rc = ca_out_write(out, r.text[t].data, r.text[t].len, err)))
                goto done;
        ca_progress_update(progress, done + (int64_t)r.rows, NULL);
    }
    rc = ca_out_close(out, err);
    out = NULL;
done:
    ca_out_abort(out);
    for (size_t t = 0; r.text && t < tasks; t++)
        ca_buf_fini(&r.text[t]);
    ca_mem_free(r.text);
    return rc;
}

static int run_gen(struct ca_run *run, struct ca_err *err)
{
    struct params *p = run->params;
    struct ca_gen_opts o = {.preset = p->preset, .seed = run->common.seed, .vocab = p->vocab, .drift = p->drift,
                            .conversions = p->conversions, .probability = p->probability,
                            .requests = (int)p->requests,
                            .history = (uint32_t)p->history, .domains = (uint32_t)p->domains};
    struct ca_progress progress;
    struct ca_gen *gen = NULL;
    struct ca_pool *pool = NULL;
    size_t tasks;
    int rc;

    o.of = ca_cli_given(run, "of") ? p->of : p->start + p->rows;
    if (o.of < p->start + p->rows)
        return ca_err_set(err, CA_EUSAGE, "row %lld is beyond the %lld rows of --of", (long long)(p->start + p->rows - 1),
                          (long long)o.of);
    if (p->format == FORMAT_TSV && (p->conversions || p->probability || p->requests || p->history || p->domains))
        return ca_err_set(err, CA_EUSAGE, "--%s has no place in the tsv layout",
                          p->conversions   ? "conversions"
                          : p->probability ? "probability"
                          : p->requests    ? "requests"
                          : p->history     ? "history"
                                           : "domains");
    o.of = o.of ? o.of : 1;
    if ((rc = ca_gen_new(&gen, &o, err)))
        return rc;
    pool = ca_pool_new((unsigned)run->common.threads, err);
    if (!pool) {
        rc = err->code;
        goto done;
    }
    tasks = ca_pool_threads(pool) > 1 ? (size_t)ca_pool_threads(pool) * 4 : 1;
    ca_progress_start(&progress, run, "rows", p->rows);
    rc = (p->format == FORMAT_TSV ? write_text : write_records)(run, gen, pool, tasks, &progress, err);
    ca_progress_end(&progress);
    run->records = p->rows;
done:
    ca_pool_free(pool);
    ca_gen_free(gen);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-gen",
    .summary = "generate a synthetic click stream from a planted model",
    .operands = "",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .min_operands = 0,
    .max_operands = 0,
    .run = run_gen,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
