/*
 * ca-cat: join record streams of one schema, and on the way choose columns and
 * rows, block size and compression. Joining is this tool's and not cat's,
 * since a stream has one header and one end.
 */
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "record/reader.h"
#include "record/select.h"
#include "record/writer.h"

#include "base/banned.h"

struct params {
    const char *columns;
    const char *drop;
    const char *rows;
    uint64_t limit;
    struct ca_writer_opts writer;
};

static const struct ca_opt opts[] = {
    {"columns", 'c', CA_OPT_STRING, CA_OFFSET(params, columns), "NAMES", NULL, 0, 0, 0,
     "keep these columns, in this order, names separated by commas"},
    {"drop", 'd', CA_OPT_STRING, CA_OFFSET(params, drop), "NAMES", NULL, 0, 0, 0,
     "leave these columns out, names separated by commas"},
    {"rows", 'r', CA_OPT_STRING, CA_OFFSET(params, rows), "FIRST:LAST", NULL, 0, 0, 0,
     "keep rows FIRST up to but without LAST of the joined stream, counted from 0; either may be left out"},
    {"limit", 'n', CA_OPT_COUNT, CA_OFFSET(params, limit), "N", NULL, 0, 0, 0, "keep at most N rows"},
    CA_WRITER_OPTS(CA_OFFSET(params, writer)),
};

static const struct ca_example examples[] = {
    {"ca-cat day1.car day2.car -o days.car", "join two streams"},
    {"ca-cat --compress 6 clicks.car -o small.car", "compress one"},
    {"ca-cat --rows 1M:2M --drop teacher clicks.car | ca-check", "pass on a part"},
    {NULL, NULL},
};

/* What one run carries from file to file. */
struct state {
    struct ca_run *run;
    struct ca_span span;
    struct ca_pick pick;
    struct ca_head head;       /* of the first input, with the picked schema */
    struct ca_schema schema;   /* of the first input */
    struct ca_writer *writer;
    struct ca_progress progress;
    int64_t before;            /* rows in the inputs so far */
};

/* The first input: it decides what is written. */
static int begin(struct state *s, const struct ca_head *head, struct ca_err *err)
{
    const struct params *p = s->run->params;
    int rc;

    if ((rc = ca_schema_copy(&s->schema, &head->schema, err)) ||
        (rc = ca_pick_init(&s->pick, &head->schema, p->columns, p->drop, err)) ||
        (rc = ca_head_copy(&s->head, head, err)))
        return rc;
    ca_schema_fini(&s->head.schema);
    if ((rc = ca_schema_copy(&s->head.schema, &s->pick.schema, err)))
        return rc;
    return ca_writer_open(&s->writer, NULL, &s->head, &p->writer, s->run, err);
}

/* A further input: ids mean the same only under the same schema and vocabulary. */
static int agree(const struct state *s, const struct ca_head *head, const char *name, struct ca_err *err)
{
    int same = head->n_att == s->head.n_att;

    if (!ca_schema_equal(&s->schema, &head->schema)) {
        (void)ca_err_set(err, CA_ESCHEMA, "columns are not those of the first stream");
        (void)ca_err_at(err, name, -1, -1);
        (void)ca_err_hint(err, "compare them with 'ca-view --header'");
        return CA_ESCHEMA;
    }
    for (size_t i = 0; same && i < s->head.n_att; i++) {
        const struct ca_attachment *a = &s->head.att[i], *b = ca_head_attachment(head, a->name);
        same = b && a->size == b->size && !memcmp(a->data, b->data, a->size);
    }
    if (same)
        return 0;
    (void)ca_err_set(err, CA_ESCHEMA, "attachments are not those of the first stream");
    (void)ca_err_at(err, name, -1, -1);
    (void)ca_err_hint(err, "streams that are joined must come from one vocabulary");
    return CA_ESCHEMA;
}

/* Rows of one input that are in the span of the joined stream. */
static int copy(struct state *s, struct ca_reader *r, struct ca_err *err)
{
    struct ca_span part = {s->span.first > s->before ? s->span.first - s->before : 0,
                           s->span.last == INT64_MAX    ? INT64_MAX
                           : s->span.last > s->before ? s->span.last - s->before
                                                      : 0};
    size_t first, n;
    struct ca_block b;
    int rc = ca_span_start(&part, r, err);

    /* a file whose index is loaded is known to have an end; a pipe is read to its end, to know */
    int indexed = !rc && ca_reader_tail(r) != NULL;
    while (!rc && (rc = ca_span_next(&part, r, !indexed, &b, &first, &n, err)) == 1) {
        b = ca_pick_block(&s->pick, &b);
        rc = ca_writer_put(s->writer, &b, first, n, err);
        ca_progress_update(&s->progress, ca_writer_rows(s->writer), NULL);
    }
    if (!rc) {
        s->before += ca_reader_tail(r)->rows;
        rc = ca_writer_input(s->writer, "records", ca_reader_tail(r)->digest, err);
    }
    return rc;
}

static int run_cat(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    struct state s = {.run = run};
    int rc = ca_span_parse(&s.span, p->rows, ca_cli_given(run, "limit"), p->limit, err);

    ca_progress_start(&s.progress, run, "rows", 0);
    for (size_t i = 0; !rc && (i < run->n_operands || !i); i++) {
        struct ca_reader *r;

        if ((rc = ca_reader_open(&r, run->n_operands ? run->operands[i] : "-", run->common.force, err)))
            break;
        ca_reader_ahead(r, run->common.threads);
        rc = i ? agree(&s, ca_reader_head(r), ca_reader_name(r), err) : begin(&s, ca_reader_head(r), err);
        if (!rc)
            rc = copy(&s, r, err);
        ca_reader_close(r);
    }
    ca_progress_end(&s.progress);
    if (!rc) {
        run->records = ca_writer_rows(s.writer);
        rc = ca_writer_close(s.writer, err);
        s.writer = NULL;
    }
    ca_writer_abort(s.writer);
    ca_pick_fini(&s.pick);
    ca_head_fini(&s.head);
    ca_schema_fini(&s.schema);
    return rc;
}

static const struct ca_tool tool = {.name = "ca-cat",
                                    .summary = "join, cut and repack record streams",
                                    .operands = "[FILE...]",
                                    .examples = examples,
                                    .opts = opts,
                                    .n_opts = sizeof opts / sizeof *opts,
                                    .params_size = sizeof(struct params),
                                    .max_operands = -1,
                                    .run = run_cat};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
