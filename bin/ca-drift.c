/* ca-drift: how far the features of a stream move over time, and how much replay that calls for. */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/out.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "data/drift.h"
#include "data/hist.h"
#include "data/settle.h"
#include "record/reader.h"

#include "base/banned.h"

enum metric { JS, KL, WASSERSTEIN, ALL };

struct params {
    int metric, by, format, merge, ratio_only, no_report;
    uint64_t windows, bins, first_row;
    double low, high, k;
    const char *boundaries, *histograms, *edges, *reference;
};

#define AT(m) CA_OFFSET(params, m)

static const struct ca_opt opts[] = {
    {"windows", 'w', CA_OPT_COUNT, AT(windows), "N", "10", 2, CA_HIST_MAX_WINDOWS, 0,
     "equal consecutive windows the stream is cut into"},
    {"bins", 'b', CA_OPT_COUNT, AT(bins), "N", "50", 1, CA_HIST_MAX_BINS, 0,
     "bins of equal width between the smallest and largest value of a numeric feature"},
    {"metric", 'm', CA_OPT_CHOICE, AT(metric), "js|kl|wasserstein|all", "js", 0, 0, 0, "distance between two windows"},
    {"low", 0, CA_OPT_REAL, AT(low), "D", "0.01", 0, 1e300, 0, "shift up to which replay is full"},
    {"high", 0, CA_OPT_REAL, AT(high), "D", "0.05", 0, 1e300, 0, "shift above which there is no replay"},
    {"k", 'k', CA_OPT_REAL, AT(k), "R", "0.1", 0, 1e6, 0, "full replay ratio"},
    {"ratio-only", 0, CA_OPT_FLAG, AT(ratio_only), "", NULL, 0, 0, 0,
     "print the replay ratio and nothing else (that of js with --metric all)"},
    {"boundaries", 0, CA_OPT_STRING, AT(boundaries), "N,N,...", NULL, 0, 0, 0,
     "where the second, third, ... window begins, instead of --windows"},
    {"by", 0, CA_OPT_CHOICE, AT(by), "rows|time", "rows", 0, 0, 0, "what --boundaries counts"},
    {"first-row", 0, CA_OPT_COUNT, AT(first_row), "N", "0", 0, 9e15, 0,
     "number of the first row, when the input is a later part of the stream that --boundaries speaks of"},
    {"edges", 0, CA_OPT_FILE, AT(edges), "FILE", NULL, 0, 0, 0,
     "take the ranges of numeric features from this histogram file instead of looking for them"},
    {"histograms", 0, CA_OPT_FILE, AT(histograms), "FILE", NULL, 0, 0, 0, "write the histograms to this file"},
    {"no-report", 0, CA_OPT_FLAG, AT(no_report), "", NULL, 0, 0, 0, "only count: for parts that --merge adds up"},
    {"merge", 0, CA_OPT_FLAG, AT(merge), "", NULL, 0, 0, 0, "the operands are histogram files to be added up"},
    {"reference", 0, CA_OPT_FILE, AT(reference), "FILE", NULL, 0, 0, 0,
     "measure the input as one window against all of this histogram file"},
    {"format", 0, CA_OPT_CHOICE, AT(format), "tsv|json", "tsv", 0, 0, CA_OPT_NEUTRAL, "how the report is written"},
};

static const struct ca_example examples[] = {
    {"ca-drift train.car", "shift of every feature, of all, and the replay ratio it calls for"},
    {"ca-codistill --replay-ratio $(ca-drift --ratio-only train.car) ...", "replay as the paper adapts it"},
    {"ca-drift --reference train.hist today.car", "today against a histogram file kept from training"},
    {NULL, NULL},
};

static int parse_boundaries(const char *s, int64_t **boundary, size_t *windows, struct ca_err *err)
{
    size_t *list = ca_mem_zalloc(CA_HIST_MAX_WINDOWS, sizeof *list, err);
    int n, rc = 0;

    if (!list)
        return CA_EMEMORY;
    n = ca_num_list(s, ',', list, CA_HIST_MAX_WINDOWS - 1);
    for (int i = 0; i < n; i++)
        if (list[i] > INT64_MAX || (i && list[i] <= list[i - 1]))
            n = -1;
    if (n < 1) {
        rc = ca_err_set(err, CA_EUSAGE, "--boundaries wants ascending numbers with commas between them, not '%s'", s);
        goto done;
    }
    *boundary = ca_mem_zalloc((size_t)n + 1, sizeof **boundary, err);
    if (!*boundary) {
        rc = CA_EMEMORY;
        goto done;
    }
    for (int i = 0; i < n; i++)
        (*boundary)[i] = (int64_t)list[i];
    *windows = (size_t)n + 1;
done:
    ca_mem_free(list);
    return rc;
}

static int equal_windows(const struct ca_reader *r, size_t windows, int64_t **boundary, struct ca_err *err)
{
    int64_t rows = ca_reader_tail(r)->rows;

    if (rows < (int64_t)windows) {
        (void)ca_err_set(err, CA_ESCHEMA, "%" PRId64 " rows cannot be cut into %zu windows", rows, windows);
        return ca_err_at(err, ca_reader_name(r), -1, -1);
    }
    *boundary = ca_mem_zalloc(windows, sizeof **boundary, err);
    if (!*boundary)
        return CA_EMEMORY;
    for (size_t i = 1; i < windows; i++) /* floor(i rows / windows) without overflow */
        (*boundary)[i - 1] = (int64_t)i * (rows / (int64_t)windows) +
                             (int64_t)i * (rows % (int64_t)windows) / (int64_t)windows;
    return 0;
}

/* Both looks at the stream; settled says that a second look is possible. */
static int look(const struct ca_run *run, struct ca_reader **r, struct ca_hists *h, const struct ca_hists *edges,
                int settled, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_progress progress;
    struct ca_block b;
    int rc = 0;

    if (edges) {
        if ((rc = ca_hists_range_from(h, edges, err)))
            return rc;
    } else if (ca_hists_need_range(h)) {
        if (!settled && (rc = ca_settle(r, err)))
            return rc;
        while ((rc = ca_reader_next(*r, &b, err)) > 0)
            ca_hists_range(h, &b);
        if (rc || (rc = ca_reader_seek(*r, 0, err)))
            return rc;
    }
    ca_progress_start(&progress, run, "rows", 0);
    while ((rc = ca_reader_next(*r, &b, err)) > 0) {
        if ((rc = ca_hists_count(h, &b, (int64_t)p->first_row + b.first_row, err)))
            break;
        ca_progress_update(&progress, b.first_row + (int64_t)b.rows, NULL);
    }
    ca_progress_end(&progress);
    if (rc)
        return ca_err_at(err, ca_reader_name(*r), -1, -1);
    return ca_hists_done(h, err);
}

static int count(struct ca_run *run, const struct ca_hists *reference, const struct ca_hists *edges,
                 struct ca_hists **h, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_reader *r = NULL;
    int64_t *boundary = NULL;
    size_t windows = reference ? 1 : (size_t)p->windows;
    int rc, settled = 0;

    if (p->boundaries && (rc = parse_boundaries(p->boundaries, &boundary, &windows, err)))
        return rc;
    if ((rc = ca_reader_open(&r, run->n_operands ? run->operands[0] : "-", run->common.force, err)))
        goto done;
    if (!boundary && !reference) {
        if ((rc = ca_settle(&r, err)) || (rc = equal_windows(r, windows, &boundary, err)))
            goto done;
        settled = 1;
    }
    ca_reader_ahead(r, run->common.threads);
    if ((rc = ca_hists_new(h, &ca_reader_head(r)->schema, windows, edges ? edges->bins : (size_t)p->bins,
                           p->boundaries && p->by, boundary, err))) {
        (void)ca_err_at(err, ca_reader_name(r), -1, -1);
        goto done;
    }
    rc = look(run, &r, *h, edges, settled, err);
done:
    ca_mem_free(boundary);
    ca_reader_close(r);
    return rc;
}

static int add_up(const struct ca_run *run, struct ca_hists **h, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < run->n_operands && !rc; i++) {
        struct ca_hists *part = NULL;
        if ((rc = ca_hists_load(&part, run->operands[i], err)))
            break;
        if (!*h) {
            *h = part;
            continue;
        }
        if ((rc = ca_hists_merge(*h, part, err)))
            (void)ca_err_at(err, run->operands[i], -1, -1);
        ca_hists_free(part);
    }
    return rc;
}

static int save(const struct ca_hists *h, const char *path, struct ca_err *err)
{
    struct ca_out *out = NULL;
    int rc = ca_out_open(&out, path, err);

    if (rc)
        return rc;
    if ((rc = ca_hists_save(h, out, err))) {
        ca_out_abort(out);
        return rc;
    }
    return ca_out_close(out, err);
}

static void put_values(struct ca_buf *b, const struct params *p, const char *name, const char *role, const double v[3])
{
    static const char *const key[] = {"js", "kl", "wasserstein"};

    if (p->format)
        ca_buf_printf(b, ",\"role\":\"%s\"", role);
    else
        ca_buf_printf(b, "%s\t%s", name, role);
    for (int m = 0; m < 3; m++) {
        if (p->metric != ALL && p->metric != m)
            continue;
        if (p->format)
            ca_buf_printf(b, ",\"%s\":", key[m]);
        else
            ca_buf_char(b, '\t');
        ca_buf_double(b, v[m]);
    }
    ca_buf_str(b, p->format ? "}\n" : "\n");
}

static int put_row(struct ca_buf *b, const struct params *p, const char *name, const char *role, const double v[3],
                   struct ca_err *err)
{
    if (p->format) {
        json_t *j = json_string(name);
        int rc = 0;
        ca_buf_str(b, "{\"feature\":");
        rc = j ? ca_json_dump(j, b, err) : ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON string");
        json_decref(j);
        if (rc)
            return rc;
    }
    put_values(b, p, name, role, v);
    return ca_buf_check(b, err);
}

/* The report into b, its replay ratio (of the first metric reported) into ratio. */
static int report(const struct params *p, const struct ca_hists *h, const struct ca_hists *reference, struct ca_buf *b,
                  double *delta, double *ratio, struct ca_err *err)
{
    static const char *const heads[] = {"js", "kl", "wasserstein", "js\tkl\twasserstein"};
    double sum[3] = {0}, enh[3];
    int rc;

    if (!p->format)
        ca_buf_printf(b, "feature\trole\t%s\n", heads[p->metric]);
    for (size_t f = 0; f < h->n_features; f++) {
        const struct ca_hist_feature *t = &h->feature[f];
        struct ca_drift d = reference ? ca_drift_between(&reference->feature[f].window[0], &t->window[0],
                                                         t->role == CA_ROLE_NUMERIC ? h->bins : 0)
                                      : ca_drift_feature(h, f);
        const double v[3] = {d.js, d.kl, d.wasserstein};
        if ((rc = put_row(b, p, t->name, ca_role_name(t->role), v, err)))
            return rc;
        for (int m = 0; m < 3; m++)
            sum[m] += v[m];
    }
    for (int m = 0; m < 3; m++) {
        sum[m] /= (double)h->n_features;
        enh[m] = ca_drift_ratio(sum[m], p->low, p->high, p->k);
    }
    *delta = sum[p->metric % ALL];
    *ratio = enh[p->metric % ALL];
    if ((rc = put_row(b, p, "overall", "overall", sum, err)))
        return rc;
    return put_row(b, p, "replay_ratio", "ratio", enh, err);
}

static int check_windows(const struct ca_hists *h, const struct ca_hists *reference, struct ca_err *err)
{
    if (!reference && h->windows < 2) {
        (void)ca_err_set(err, CA_ESCHEMA, "one window alone has no drift");
        return ca_err_hint(err, "--reference FILE measures it against another");
    }
    for (size_t w = 0; w < h->windows; w++)
        if (!h->rows[w]) {
            (void)ca_err_set(err, CA_ESCHEMA, "window %zu has no rows", w + 1);
            return ca_err_hint(err, "--no-report counts a part of a stream without measuring it");
        }
    if (reference && !reference->rows[0])
        return ca_err_set(err, CA_ESCHEMA, "the reference has no rows");
    return 0;
}

static int check_options(const struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;

    if (p->low > p->high)
        return ca_err_set(err, CA_EUSAGE, "--low %g is above --high %g", p->low, p->high);
    if (p->merge && !run->n_operands)
        return ca_err_set(err, CA_EUSAGE, "--merge needs histogram files to add up");
    if (!p->merge && run->n_operands > 1)
        return ca_err_set(err, CA_EUSAGE, "unexpected operand '%s'", run->operands[1]);
    if (p->boundaries && (ca_cli_given(run, "windows") || p->reference))
        return ca_err_set(err, CA_EUSAGE, "--boundaries excludes --windows and --reference");
    if (p->merge && (p->boundaries || p->edges || ca_cli_given(run, "windows") || ca_cli_given(run, "bins")))
        return ca_err_set(err, CA_EUSAGE, "--merge takes windows, bins and edges from its operands");
    if (p->edges && p->reference)
        return ca_err_set(err, CA_EUSAGE, "--reference brings its own edges: --edges cannot be given too");
    if ((p->edges || p->reference) && ca_cli_given(run, "bins"))
        return ca_err_set(err, CA_EUSAGE, "--edges and --reference bring their own bins: --bins cannot be given too");
    if (p->by && !p->boundaries)
        return ca_err_set(err, CA_EUSAGE, "--by time needs --boundaries");
    if (p->no_report && p->ratio_only)
        return ca_err_set(err, CA_EUSAGE, "--no-report excludes --ratio-only");
    if (p->no_report && !p->histograms)
        return ca_err_set(err, CA_EUSAGE, "--no-report without --histograms does nothing");
    const char *const outputs[] = {p->no_report ? NULL : run->common.output, p->histograms};
    return ca_cli_distinct(outputs, 2, err);
}

static int write_report(struct ca_run *run, struct ca_hists *h, struct ca_hists *reference, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_buf text = {0};
    struct ca_out *out = NULL;
    double delta = 0, ratio = 0;
    int rc;

    if ((rc = check_windows(h, reference, err)) ||
        (reference && ((rc = ca_hists_flatten(h, err)) || (rc = ca_hists_range_check(h, reference, err)))) ||
        (rc = report(p, h, reference, &text, &delta, &ratio, err)))
        goto done;
    if (p->ratio_only) {
        ca_buf_clear(&text);
        ca_buf_printf(&text, "%.9g\n", ratio);
    }
    if ((rc = ca_buf_check(&text, err)) || (rc = ca_out_open(&out, run->common.output, err)))
        goto done;
    if ((rc = ca_out_write(out, text.data, text.len, err))) {
        ca_out_abort(out);
        goto done;
    }
    rc = ca_out_close(out, err);
    (void)snprintf(run->result, sizeof run->result, "shift %.6g, replay ratio %.6g", delta, ratio);
done:
    ca_buf_fini(&text);
    return rc;
}

static int run(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_hists *h = NULL, *reference = NULL, *edges = NULL;
    int rc = check_options(run, err);

    if (rc || (p->reference && ((rc = ca_hists_load(&reference, p->reference, err)) ||
                                (rc = ca_hists_flatten(reference, err)))))
        goto done;
    if (p->edges && (rc = ca_hists_load(&edges, p->edges, err)))
        goto done;
    rc = p->merge ? add_up(run, &h, err) : count(run, reference, edges ? edges : reference, &h, err);
    if (rc)
        goto done;
    run->records = 0;
    for (size_t w = 0; w < h->windows; w++)
        run->records += (int64_t)h->rows[w];
    if (h->outside)
        ca_log(CA_LOG_WARN, "%" PRIu64 " numeric values lie outside the range of the bins or are not finite",
               h->outside);
    if (p->histograms && (rc = save(h, p->histograms, err)))
        goto done;
    if (!p->no_report)
        rc = write_report(run, h, reference, err);
done:
    ca_hists_free(h);
    ca_hists_free(reference);
    ca_hists_free(edges);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-drift",
    .summary = "measure how a stream's features shift over time",
    .operands = "[FILE...]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = -1,
    .run = run,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
