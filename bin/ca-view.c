/* ca-view: what is in a record stream, as text: its rows, or what it says of itself. */
#include "base/json.h"
#include "base/out.h"
#include "cli/cli.h"
#include "record/reader.h"
#include "record/select.h"
#include "record/summary.h"
#include "record/text.h"

#include "base/banned.h"

enum format { TSV, JSON };

struct params {
    int format;
    int header, provenance, stats, totals;
    const char *attachment;
    const char *columns;
    const char *rows;
    uint64_t limit;
};

static const struct ca_opt opts[] = {
    {"format", 'f', CA_OPT_CHOICE, CA_OFFSET(params, format), "tsv|json", "tsv", 0, 0, 0,
     "tab-separated values under a line of names, or a JSON object a line"},
    {"columns", 'c', CA_OPT_STRING, CA_OFFSET(params, columns), "NAMES", NULL, 0, 0, 0,
     "show these columns, in this order, names separated by commas"},
    {"rows", 'r', CA_OPT_STRING, CA_OFFSET(params, rows), "FIRST:LAST", NULL, 0, 0, 0,
     "show rows FIRST up to but without LAST, counted from 0; either may be left out"},
    {"limit", 'n', CA_OPT_COUNT, CA_OFFSET(params, limit), "N", NULL, 0, 0, 0, "show at most N rows"},
    {"header", 'H', CA_OPT_FLAG, CA_OFFSET(params, header), "", NULL, 0, 0, 0,
     "show the columns instead; as JSON, the whole header"},
    {"provenance", 'p', CA_OPT_FLAG, CA_OFFSET(params, provenance), "", NULL, 0, 0, 0,
     "show the runs that made the stream instead"},
    {"stats", 's', CA_OPT_FLAG, CA_OFFSET(params, stats), "", NULL, 0, 0, 0,
     "show count, range, mean and missing values of each column instead"},
    {"totals", 't', CA_OPT_FLAG, CA_OFFSET(params, totals), "", NULL, 0, 0, 0,
     "show rows, positives, blocks, content digest and inputs instead"},
    {"attachment", 0, CA_OPT_STRING, CA_OFFSET(params, attachment), "NAME", NULL, 0, 0, 0,
     "write the bytes of this attachment instead"},
};

static const struct ca_example examples[] = {
    {"ca-view --limit 5 clicks.car", "the first rows"},
    {"ca-view --header clicks.car", "the columns"},
    {"ca-view --provenance clicks.car", "how it was made"},
    {"ca-view --format json --columns label,C1 clicks.car | jq .C1", "two columns for another program"},
    {NULL, NULL},
};

/* Write out what is in b and empty it. */
static int pour(struct ca_out *out, struct ca_buf *b, struct ca_err *err)
{
    int rc = ca_buf_check(b, err);

    if (!rc)
        rc = ca_out_write(out, b->data, b->len, err);
    ca_buf_clear(b);
    return rc;
}

/* A long run of wide rows is poured in parts, so that memory stays bounded by the block. */
#define PART 256

static int show_rows(struct ca_run *run, struct ca_reader *r, struct ca_out *out, struct ca_buf *text,
                     struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_summary *summary = NULL;
    struct ca_pick pick;
    struct ca_span span;
    struct ca_block b;
    size_t first, n, m;
    int rc;

    if ((rc = ca_span_parse(&span, p->rows, ca_cli_given(run, "limit"), p->limit, err)) ||
        (rc = ca_pick_init(&pick, &ca_reader_head(r)->schema, p->columns, NULL, err)))
        return rc;
    run->records = 0;
    if (p->stats && !(summary = ca_summary_new(&pick.schema, err)))
        rc = CA_EMEMORY;
    else if (!p->stats && p->format == TSV) {
        ca_text_tsv_head(text, &pick.schema);
        rc = pour(out, text, err);
    }
    if (!rc)
        rc = ca_span_start(&span, r, err);
    while (!rc && (rc = ca_span_next(&span, r, 0, &b, &first, &n, err)) == 1) {
        b = ca_pick_block(&pick, &b);
        run->records += (int64_t)n;
        rc = summary ? ca_summary_add(summary, &b, first, n, err) : 0;
        for (; !rc && !summary && n; first += m, n -= m) {
            m = n < PART ? n : PART;
            if (p->format == TSV)
                ca_text_tsv(text, &b, first, m);
            else
                rc = ca_text_json(text, &b, first, m, err);
            if (!rc)
                rc = pour(out, text, err);
        }
    }
    if (!rc && summary)
        rc = p->format == TSV ? ca_summary_tsv(summary, text, err) : ca_summary_json(summary, text, err);
    ca_summary_free(summary);
    ca_pick_fini(&pick);
    return rc;
}

static int show_header(const struct ca_head *h, int format, struct ca_buf *text, struct ca_err *err)
{
    int rc;

    if (format == JSON) {
        rc = ca_head_dump(h, text, err);
        ca_buf_char(text, '\n');
        return rc;
    }
    ca_buf_str(text, "name\trole\ttype\tlist\tvocab\tlike\n");
    for (size_t i = 0; i < h->schema.n; i++) {
        const struct ca_column *c = &h->schema.col[i];
        ca_buf_printf(text, "%s\t%s\t%s\t%d\t%u\t%s\n", c->name, ca_role_name(c->role), ca_type_name(c->type),
                      c->is_list, c->vocab, c->like ? c->like : "");
    }
    return 0;
}

/* A member of a foreign object as one TSV cell: what would break the line becomes a space. */
static int cell(const json_t *entry, const char *key, struct ca_buf *text, struct ca_err *err)
{
    const json_t *v = json_object_get(entry, key);

    if (json_is_string(v))
        for (const char *s = json_string_value(v); *s; s++)
            ca_buf_char(text, (unsigned char)*s < ' ' ? ' ' : *s);
    else if (v)
        return ca_json_dump(v, text, err);
    return 0;
}

/* An array of objects, as it is in JSON or its members named by keys in TSV. */
static int show_list(const json_t *list, const char *const *keys, int format, struct ca_buf *text, struct ca_err *err)
{
    size_t i;
    json_t *entry;
    int rc = 0;

    for (size_t k = 0; format == TSV && keys[k]; k++)
        ca_buf_printf(text, "%s%c", keys[k], keys[k + 1] ? '\t' : '\n');
    json_array_foreach(list, i, entry) {
        if (format == JSON)
            rc = ca_json_dump(entry, text, err);
        for (size_t k = 0; format == TSV && !rc && keys[k]; k++) {
            if (k)
                ca_buf_char(text, '\t');
            rc = cell(entry, keys[k], text, err);
        }
        if (rc)
            return rc;
        ca_buf_char(text, '\n');
    }
    return 0;
}

/* From the index where there is one; a pipe is read through. */
static int read_tail(struct ca_reader *r, struct ca_err *err)
{
    struct ca_err why = {0};
    struct ca_block b;
    int rc = ca_reader_index(r, &why);

    if (rc == CA_EUSAGE)
        while ((rc = ca_reader_next(r, &b, err)) == 1)
            ;
    else if (rc)
        *err = why;
    return rc;
}

static int show_totals(struct ca_reader *r, int format, struct ca_buf *text, struct ca_err *err)
{
    const struct ca_tail *t;
    const json_t *inputs, *input;
    size_t i;
    int rc = read_tail(r, err);

    if (rc)
        return rc;
    t = ca_reader_tail(r);
    inputs = json_object_get(t->keys, "inputs");
    if (format == JSON) {
        ca_buf_printf(text, "{\"rows\":%lld,\"positives\":%lld,\"blocks\":%lld,\"digest\":\"%s\",\"inputs\":",
                      (long long)t->rows, (long long)t->positives, (long long)t->blocks, t->digest);
        if (inputs)
            rc = ca_json_dump(inputs, text, err);
        else
            ca_buf_str(text, "[]");
        ca_buf_str(text, "}\n");
        return rc;
    }
    ca_buf_printf(text, "key\tvalue\nrows\t%lld\npositives\t%lld\nblocks\t%lld\ndigest\t%s\n", (long long)t->rows,
                  (long long)t->positives, (long long)t->blocks, t->digest);
    json_array_foreach(inputs, i, input) {
        ca_buf_str(text, "input:");
        if ((rc = cell(input, "kind", text, err)))
            return rc;
        ca_buf_char(text, '\t');
        if ((rc = cell(input, "digest", text, err)))
            return rc;
        ca_buf_char(text, '\n');
    }
    return 0;
}

static int show_attachment(const struct ca_reader *r, const char *name, struct ca_buf *text, struct ca_err *err)
{
    const struct ca_attachment *a = ca_head_attachment(ca_reader_head(r), name);

    if (!a) {
        (void)ca_err_set(err, CA_ESCHEMA, "no attachment is named '%s'", name);
        (void)ca_err_at(err, ca_reader_name(r), -1, -1);
        return CA_ESCHEMA;
    }
    ca_buf_add(text, a->data, a->size);
    return 0;
}

static int run_view(struct ca_run *run, struct ca_err *err)
{
    static const char *const entry[] = {"tool", "version", "seed", "engine", "options", NULL};
    const struct params *p = run->params;
    struct ca_buf text = {0};
    struct ca_out *out = NULL;
    struct ca_reader *r = NULL;
    int rc;

    if (p->header + p->provenance + p->stats + p->totals + (p->attachment != NULL) > 1)
        return ca_err_set(err, CA_EUSAGE,
                          "only one of --header, --provenance, --stats, --totals and --attachment at a time");
    if ((p->header || p->provenance || p->totals || p->attachment) && (p->columns || p->rows || ca_cli_given(run, "limit")))
        return ca_err_set(err, CA_EUSAGE, "--columns, --rows and --limit choose what rows and --stats show");
    if ((rc = ca_reader_open(&r, run->n_operands ? run->operands[0] : "-", run->common.force, err)) ||
        (rc = ca_out_open(&out, run->common.output, err)))
        goto done;
    if (p->header)
        rc = show_header(ca_reader_head(r), p->format, &text, err);
    else if (p->provenance)
        rc = show_list(json_object_get(ca_reader_head(r)->keys, "provenance"), entry, p->format, &text, err);
    else if (p->totals)
        rc = show_totals(r, p->format, &text, err);
    else if (p->attachment)
        rc = show_attachment(r, p->attachment, &text, err);
    else
        rc = show_rows(run, r, out, &text, err);
    if (!rc)
        rc = pour(out, &text, err);
    if (!rc) {
        rc = ca_out_close(out, err);
        out = NULL;
    }
done:
    ca_out_abort(out);
    ca_reader_close(r);
    ca_buf_fini(&text);
    return rc;
}

static const struct ca_tool tool = {.name = "ca-view",
                                    .summary = "show a record stream as text",
                                    .operands = "[FILE]",
                                    .examples = examples,
                                    .opts = opts,
                                    .n_opts = sizeof opts / sizeof *opts,
                                    .params_size = sizeof(struct params),
                                    .max_operands = 1,
                                    .flags = CA_TOOL_SILENT,
                                    .run = run_view};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
