/* ca-sample: the rows of a record stream that are worth training on, as a record stream. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "data/clicks.h"
#include "data/sample.h"
#include "data/settle.h"
#include "data/shuffle.h"
#include "data/weigh.h"
#include "record/reader.h"
#include "record/writer.h"

#include "base/banned.h"

#define MAX_CHUNK 1073741824

enum method { RANDOM, BALANCED, TEMPORAL, COMBINED, RECENT, RECENT_AS_CODED, ALL, SHUFFLE };

struct params {
    int method;
    int no_weight;
    double ratio, positive_ratio;
    uint64_t chunk, batch;
    const char *phase;
    const char *label, *click;
    double unclicked;
    struct ca_writer_opts out;
};

#define AT(m) CA_OFFSET(params, m)

static const struct ca_opt opts[] = {
    {"method", 'm', CA_OPT_CHOICE, AT(method), "random|balanced|temporal|combined|recent|recent-as-coded|all|shuffle",
     "balanced", 0, 0, 0, "which rows are drawn"},
    {"ratio", 'r', CA_OPT_REAL, AT(ratio), "R", "0.1", 1e-9, 1, 0, "rows drawn for each row read"},
    {"positive-ratio", 'p', CA_OPT_REAL, AT(positive_ratio), "R", "0.5", 0, 1, 0,
     "share of positives among the rows drawn by balanced and combined"},
    {"chunk", 0, CA_OPT_COUNT, AT(chunk), "ROWS", "0", 0, MAX_CHUNK, 0,
     "rows of a chunk drawn from by itself; 0 means batch/ratio, and with shuffle the whole stream"},
    {"batch", 'b', CA_OPT_COUNT, AT(batch), "ROWS", "4096", 1, 1048576, 0,
     "the training batch that one chunk of the default size gives"},
    {"phase", 0, CA_OPT_STRING, AT(phase), "NAME", "", 0, 0, 0,
     "name mixed into the seed, so that every pass over the data draws anew"},
    {"label", 'l', CA_OPT_STRING, AT(label), "NAME", NULL, 0, 0, 0,
     "make this column the label, to balance by and of what is written"},
    {"click", 0, CA_OPT_STRING, AT(click), "NAME", NULL, 0, 0, 0,
     "draw from the rows in which this column is 1: there the label is known"},
    {"unclicked", 'u', CA_OPT_REAL, AT(unclicked), "R", "0", 0, 1000, 0,
     "add R rows in which --click is 0 for each one drawn"},
    {"no-weight", 0, CA_OPT_FLAG, AT(no_weight), "", NULL, 0, 0, 0,
     "leave out the column that says how rare each row was made"},
    CA_WRITER_OPTS(AT(out)),
};

static const struct ca_example examples[] = {
    {"ca-sample --ratio 0.1 --phase frozen train.car -o small.car", "a tenth of the rows, half of them positives"},
    {"ca-sample -m random -r 0.01 train.car | ca-view | head", "a look at a hundredth"},
    {"ca-sample --label conversion --click click --unclicked 1 exposures.car |\n"
     "  ca-predict --model teacher.safetensors --column teacher --soft-label click -o augmented.car",
     "clicked rows for a model of conversions, and as many others with the teacher's opinion as their label"},
    {"ca-sample -m shuffle --phase 2 train.car -o shuffled.car", "every row once, in random order"},
    {NULL, NULL},
};

struct job {
    const struct params *p;
    const struct ca_run *run;
    struct ca_reader *in;
    struct ca_writer *out;
    struct ca_weigher *weigher;
    struct ca_rows *rows;       /* one chunk */
    struct ca_head head;        /* of the input, with the label that is wanted */
    int64_t chunks, fallbacks, owed;
    struct ca_progress progress;
};

/* b, with the label that is wanted. */
static struct ca_block labelled(const struct job *j, const struct ca_block *b)
{
    struct ca_block v = *b;

    v.schema = &j->head.schema;
    return v;
}

static int label_column(const struct job *j, size_t *label, struct ca_err *err)
{
    int c = ca_schema_role(&j->head.schema, CA_ROLE_LABEL, 0);

    if (c < 0) {
        (void)ca_err_set(err, CA_ESCHEMA, "the stream has no label column to balance by");
        (void)ca_err_hint(err, "--method random and temporal need none");
        return ca_err_at(err, ca_reader_name(j->in), -1, -1);
    }
    *label = (size_t)c;
    return 0;
}

static struct ca_sample_opts sample_opts(const struct job *j)
{
    static const enum ca_sample_method methods[] = {CA_SAMPLE_RANDOM, CA_SAMPLE_BALANCED, CA_SAMPLE_TEMPORAL,
                                                    CA_SAMPLE_COMBINED};
    const struct params *p = j->p;

    return (struct ca_sample_opts){p->method == ALL ? CA_SAMPLE_RANDOM : methods[p->method], p->ratio, p->positive_ratio,
                                   j->run->common.seed, p->phase};
}

/* Clicked rows and, if wanted, others. */
static int draw_clicks(struct job *j, size_t chunk_rows, struct ca_err *err)
{
    const struct ca_clicks_opts o = {sample_opts(j), j->p->method == ALL, j->p->unclicked};
    struct ca_clicks *c = NULL;
    struct ca_sample got;
    size_t click, label = 0;
    int64_t done = 0;
    int rc;

    if ((rc = ca_schema_need(&j->head.schema, j->p->click, &click, err)))
        return ca_err_at(err, ca_reader_name(j->in), -1, -1);
    if (j->head.schema.col[click].type != CA_TYPE_F32 || j->head.schema.col[click].is_list) {
        (void)ca_err_set(err, CA_ESCHEMA, "column '%s' does not say what was clicked: f32 is wanted", j->p->click);
        return ca_err_at(err, ca_reader_name(j->in), -1, -1);
    }
    if ((rc = ca_clicks_new(&c, &o, err)) || (ca_clicks_needs_label(c) && (rc = label_column(j, &label, err))))
        goto done;
    for (;; j->chunks++) {
        struct ca_block b;
        ca_rows_clear(j->rows);
        if ((rc = ca_reader_fill(j->in, j->rows, chunk_rows, err)) <= 0)
            break;
        b = ca_rows_view(j->rows);
        b = labelled(j, &b);
        if ((rc = ca_clicks_draw(c, ca_block_f32(&b, click), ca_clicks_needs_label(c) ? ca_block_f32(&b, label) : NULL,
                                 b.rows, &got, err)) ||
            (rc = ca_weigher_put(j->weigher, j->out, &b, got.at, got.n, got.weight, err)))
            break;
        ca_progress_update(&j->progress, done += (int64_t)b.rows, NULL);
    }
    j->fallbacks = ca_clicks_fallbacks(c);
    j->owed = ca_clicks_owed(c);
done:
    ca_clicks_free(c);
    return rc;
}

/* The chunk-wise draws. */
static int draw(struct job *j, size_t chunk_rows, struct ca_err *err)
{
    const struct ca_sample_opts o = sample_opts(j);
    struct ca_sampler *s = NULL;
    struct ca_sample got;
    size_t label = 0;
    int64_t first = 0;
    int rc, needs_label;

    if ((rc = ca_sampler_new(&s, &o, err)))
        return rc;
    needs_label = ca_sampler_needs_label(s);
    if (needs_label && (rc = label_column(j, &label, err)))
        goto done;
    for (;; j->chunks++) {
        struct ca_block b;
        ca_rows_clear(j->rows);
        if ((rc = ca_reader_fill(j->in, j->rows, chunk_rows, err)) <= 0)
            break;
        b = ca_rows_view(j->rows);
        b = labelled(j, &b);
        if ((rc = ca_sampler_draw(s, (uint64_t)j->chunks, needs_label ? ca_block_f32(&b, label) : NULL, b.rows, first,
                                  &got, err)) ||
            (rc = ca_weigher_put(j->weigher, j->out, &b, got.at, got.n, got.weight, err)))
            break;
        first += (int64_t)b.rows;
        ca_progress_update(&j->progress, first, NULL);
    }
    j->fallbacks = ca_sampler_fallbacks(s);
done:
    ca_sampler_free(s);
    return rc;
}

/* Rows [skip, skip + count) as they come; a negative count means to the end. */
static int copy(struct job *j, int64_t skip, int64_t count, struct ca_err *err)
{
    struct ca_block b;
    int64_t done = 0;
    int rc;

    if (skip && (rc = ca_reader_seek(j->in, skip, err)))
        return rc;
    while ((count < 0 || done < count) && (rc = ca_reader_next(j->in, &b, err)) != 0) {
        size_t n;
        if (rc < 0)
            return rc;
        b = labelled(j, &b);
        n = count >= 0 && (int64_t)b.rows > count - done ? (size_t)(count - done) : b.rows;
        if ((rc = ca_weigher_put(j->weigher, j->out, &b, NULL, n, NULL, err)))
            return rc;
        done += (int64_t)n;
        ca_progress_update(&j->progress, done, NULL);
    }
    return 0;
}

static int shuffle_chunks(struct job *j, size_t chunk_rows, struct ca_err *err)
{
    struct ca_rng rng;
    uint32_t *at = NULL;
    size_t cap = 0;
    int64_t done = 0;
    int rc = ca_sample_rng(&rng, j->run->common.seed, "shuffle chunk", j->p->phase, err);

    for (; !rc; j->chunks++) {
        struct ca_block b;
        ca_rows_clear(j->rows);
        if ((rc = ca_reader_fill(j->in, j->rows, chunk_rows, err)) <= 0)
            break;
        b = ca_rows_view(j->rows);
        b = labelled(j, &b);
        if ((rc = ca_mem_grow((void **)&at, &cap, b.rows, sizeof *at, err)))
            break;
        ca_sample_permute(&rng, (uint64_t)j->chunks, at, b.rows);
        rc = ca_weigher_put(j->weigher, j->out, &b, at, b.rows, NULL, err);
        ca_progress_update(&j->progress, done += (int64_t)b.rows, NULL);
    }
    ca_mem_free(at);
    return rc;
}

static int shuffle_all(struct job *j, struct ca_err *err)
{
    struct ca_shuffle *s = NULL;
    struct ca_block b;
    const uint32_t *at;
    int64_t done = 0;
    int rc = ca_shuffle_new(&s, &j->head, j->run->common.seed, j->p->phase, err);

    while (!rc && (rc = ca_reader_next(j->in, &b, err)) > 0) {
        b = labelled(j, &b);
        rc = ca_shuffle_add(s, &b, err);
        ca_progress_update(&j->progress, done += (int64_t)b.rows, NULL);
    }
    while (!rc && (rc = ca_shuffle_next(s, &b, &at, err)) > 0)
        rc = ca_weigher_put(j->weigher, j->out, &b, at, b.rows, NULL, err);
    ca_shuffle_free(s);
    return rc;
}

static int too_large(size_t chunk, struct ca_err *err)
{
    (void)ca_err_set(err, CA_EUSAGE, "a chunk of %zu rows is too large", chunk);
    return ca_err_hint(err, "give --chunk, or a smaller --batch");
}

static int check_usage(const struct params *p, struct ca_err *err)
{
    int chunkwise = p->method <= COMBINED || p->method == ALL;

    if (p->unclicked > 0 && !p->click)
        return ca_err_set(err, CA_EUSAGE, "--unclicked needs --click, which says which rows these are");
    if (p->click && !chunkwise)
        return ca_err_set(err, CA_EUSAGE, "--click goes with random, balanced, temporal, combined and all only");
    return 0;
}

static int sample(struct job *j, struct ca_err *err)
{
    const struct params *p = j->p;
    size_t chunk = p->chunk ? (size_t)p->chunk : ca_sample_chunk((size_t)p->batch, p->ratio);
    int64_t n, part;

    if (p->click) {
        if (chunk > MAX_CHUNK)
            return too_large(chunk, err);
        return draw_clicks(j, chunk, err);
    }
    switch ((enum method)p->method) {
    case RECENT:
    case RECENT_AS_CODED:
        n = ca_reader_tail(j->in)->rows;
        part = (int64_t)((double)n * p->ratio);
        return copy(j, p->method == RECENT ? n - part : 0, part, err);
    case ALL:
        return copy(j, 0, -1, err);
    case SHUFFLE:
        return p->chunk ? shuffle_chunks(j, chunk, err) : shuffle_all(j, err);
    case RANDOM:
    case BALANCED:
    case TEMPORAL:
    case COMBINED:
        break;
    }
    if (chunk > MAX_CHUNK)
        return too_large(chunk, err);
    return draw(j, chunk, err);
}

static int run(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    struct job j = {.p = p, .run = run};
    const struct ca_tail *tail;
    struct ca_writer *w;
    int rc;

    if ((rc = check_usage(p, err)))
        return rc;
    if ((rc = ca_reader_open(&j.in, run->n_operands ? run->operands[0] : "-", run->common.force, err)))
        return rc;
    if ((p->method == RECENT || p->method == RECENT_AS_CODED) && (rc = ca_settle(&j.in, err)))
        goto done;
    ca_reader_ahead(j.in, run->common.threads);
    if ((rc = ca_head_copy(&j.head, ca_reader_head(j.in), err)))
        goto done;
    if (p->label && (rc = ca_schema_relabel(&j.head.schema, p->label, err))) {
        (void)ca_err_at(err, ca_reader_name(j.in), -1, -1);
        goto done;
    }
    if ((rc = ca_weigher_new(&j.weigher, &j.head, !p->no_weight, err)) ||
        (rc = ca_writer_open(&j.out, NULL, ca_weigher_head(j.weigher), &p->out, run, err)))
        goto done;
    j.rows = ca_rows_new(&ca_reader_head(j.in)->schema, err);
    if (!j.rows) {
        rc = CA_EMEMORY;
        goto done;
    }
    ca_progress_start(&j.progress, run, "rows", 0);
    rc = sample(&j, err);
    ca_progress_end(&j.progress);
    if (rc)
        goto done;
    tail = ca_reader_tail(j.in);
    if (!tail) {
        rc = ca_err_set(err, CA_EINTERNAL, "sampling stopped before the end of its input");
        goto done;
    }
    if ((rc = ca_writer_input(j.out, "records", tail->digest, err)))
        goto done;
    run->records = ca_writer_rows(j.out);
    w = j.out;
    j.out = NULL;
    if ((rc = ca_writer_close(w, err)))
        goto done;
    if (j.fallbacks)
        ca_log(CA_LOG_WARN, "%" PRId64 " of %" PRId64 " chunks lack positives or negatives and were drawn uniformly",
               j.fallbacks, j.chunks);
    if (j.owed)
        ca_log(CA_LOG_WARN, "%" PRId64 " rows with --click 0 are missing: the last chunks have none", j.owed);
    (void)snprintf(run->result, sizeof run->result, "of %" PRId64 " rows read", tail->rows);
done:
    ca_writer_abort(j.out);
    ca_weigher_free(j.weigher);
    ca_head_fini(&j.head);
    ca_rows_free(j.rows);
    ca_reader_close(j.in);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-sample",
    .summary = "draw informative rows from a record stream",
    .operands = "[FILE]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = 1,
    .run = run,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
