/*
 * ca-eval: how good predictions are. The predictions come from a model, from
 * a column of the record stream, or from a text table; the measures are
 * printed for the whole and, if wanted, for slices of it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/out.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "data/scored.h"
#include "metric/agree.h"
#include "metric/items.h"
#include "metric/slices.h"
#include "model/score.h"
#include "nn/blas.h"
#include "record/reader.h"

#include "base/banned.h"

enum { FORMAT_TSV, FORMAT_JSON };
enum { KIND_AUTO, KIND_LOGIT, KIND_PROBABILITY };

struct params {
    const char *model;
    int format;
    const char *score;
    int kind;
    const char *label;
    const char *weights;
    int scored;
    const char *item, *against, *request;
    const char *by;
    uint64_t by_time, by_rows, max_slices;
    int logloss;
    uint64_t bins;
};

#define AT(member) CA_OFFSET(params, member)

static const struct ca_opt opts[] = {
    {"model", 'm', CA_OPT_FILE, AT(model), "MODEL", NULL, 0, 0, 0, "score the stream with this model"},
    {"score", 's', CA_OPT_STRING, AT(score), "NAME", NULL, 0, 0, 0,
     "take the scores from this column; without it and without a model, from the teacher's"},
    {"score-kind", 0, CA_OPT_CHOICE, AT(kind), "auto|logit|probability", "auto", 0, 0, 0,
     "what the scores are; auto: an auxiliary column or one called 'probability' holds probabilities, any other logits"},
    {"label", 0, CA_OPT_STRING, AT(label), "NAME", NULL, 0, 0, 0,
     "hold the scores against this column; without it, the label"},
    {"weights", 'w', CA_OPT_STRING, AT(weights), "NAME", NULL, 0, 0, 0, "weigh every row by this column"},
    {"scored", 0, CA_OPT_FLAG, AT(scored), "", NULL, 0, 0, 0,
     "input is a text table with a header line, as ca-predict prints it, with columns 'label' and 'logit' or --score"},
    {"item", 0, CA_OPT_STRING, AT(item), "NAME", NULL, 0, 0, 0,
     "add the bias per item, which this column of whole numbers names"},
    {"against", 0, CA_OPT_STRING, AT(against), "NAME", NULL, 0, 0, 0,
     "add how far the scores rank the rows as this column does, a teacher's or the truth"},
    {"request", 0, CA_OPT_STRING, AT(request), "NAME", NULL, 0, 0, 0,
     "add how far they do so within requests, which this column of whole numbers names"},
    {"by", 'b', CA_OPT_STRING, AT(by), "NAME", NULL, 0, 0, 0, "slice by the values of this column of whole numbers"},
    {"by-time", 0, CA_OPT_COUNT, AT(by_time), "WIDTH", NULL, 1, 9.2e18, 0,
     "slice by windows of the time column, WIDTH of its units each"},
    {"by-rows", 0, CA_OPT_COUNT, AT(by_rows), "N", NULL, 1, 9.2e18, 0, "slice into runs of N rows"},
    {"max-slices", 0, CA_OPT_COUNT, AT(max_slices), "N", "10000", 1, 16777216, 0, "refuse more slices than this"},
    {"logloss", 0, CA_OPT_CHOICE, AT(logloss), "exact|clipped", "exact", 0, 0, 0,
     "log loss from the logit itself, or from its probability rounded to a float and clipped at 2.2e-16, as published"},
    {"bins", 0, CA_OPT_COUNT, AT(bins), "N", "10", 1, CA_EVAL_MAX_BINS, 0, "bins of the calibration error"},
    {"format", 0, CA_OPT_CHOICE, AT(format), "tsv|json", "tsv", 0, 0, CA_OPT_NEUTRAL, "form of the output"},
};

static const struct ca_example examples[] = {
    {"ca-eval --model student.safetensors test.car", "a model on a test set"},
    {"ca-eval scored.car", "the teacher's logits that ca-predict put into the stream"},
    {"ca-eval --model student.safetensors --by-rows 100k online.car", "the measures over time"},
    {"ca-eval --model student.safetensors --against teacher --request request exposed.car",
     "how far a student ranks as its teacher does"},
    {NULL, NULL},
};

/* One evaluation in progress. */
struct job {
    const struct params *p;
    struct ca_run *run;
    struct ca_eval_opts opts;
    struct ca_eval total;
    int ready;                /* total is initialised */
    struct ca_slices *slices; /* NULL when not wanted */
    struct ca_items items;
    struct ca_agree agree;
    enum ca_score judge;      /* what the column --against holds */
    struct ca_progress progress;
    int64_t rows;
};

/* ---- adding rows ---- */

/* What there is of a row; for the last three, if they are wanted. */
struct row {
    float score, label, weight;
    int64_t slice;
    int64_t item, request;
    float judge;
};

/* The measures that are asked for by name. */
static int add_more(struct job *j, const struct row *r, struct ca_err *err)
{
    const struct params *p = j->p;
    int rc = 0;

    if (p->item)
        rc = ca_items_add(&j->items, r->item, ca_score_probability(j->opts.score, (double)r->score),
                          (double)r->label, (double)r->weight, err);
    if (!rc && p->against)
        rc = ca_agree_add(&j->agree, r->score, r->judge, err);
    if (!rc && p->request)
        rc = ca_agree_add_request(&j->agree, r->request, r->score,
                                  (float)ca_score_probability(j->judge, (double)r->judge), err);
    return rc;
}

static int add(struct job *j, const struct row *r, struct ca_err *err)
{
    int rc = ca_eval_add(&j->total, r->score, r->label, r->weight, err);

    if (!rc && j->slices)
        rc = ca_slices_add(j->slices, r->slice, r->score, r->label, r->weight, err);
    if (!rc)
        rc = add_more(j, r, err);
    if (!rc)
        j->rows++;
    if (rc == CA_ENUMERIC && !j->p->model && err)
        rc = err->code = CA_EFORMAT; /* the scores are input here, not our arithmetic */
    return rc;
}

/* The window of a time, also of one before zero. */
static int64_t window_start(int64_t time, int64_t width)
{
    int64_t rest = time % width;
    return rest < 0 ? (time < INT64_MIN + width ? INT64_MIN : time - rest - width) : time - rest;
}

/* Where in the stream's schema everything is; -1 for what is not used. */
struct columns {
    int score, label, weight, slice, item, request, judge;
};

static double number_at(const struct ca_block *b, int column, size_t row)
{
    size_t c = (size_t)column;

    switch (b->schema->col[c].type) {
    case CA_TYPE_U8:
        return (double)((const uint8_t *)b->col[c].data)[row];
    case CA_TYPE_U32:
        return (double)ca_block_u32(b, c)[row];
    case CA_TYPE_I64:
        return (double)ca_block_i64(b, c)[row];
    case CA_TYPE_F32:
        return (double)ca_block_f32(b, c)[row];
    case CA_TYPE_F64:
        return ((const double *)b->col[c].data)[row];
    }
    return (double)NAN;
}

static int64_t whole_at(const struct ca_block *b, int column, size_t row)
{
    size_t c = (size_t)column;

    switch (b->schema->col[c].type) {
    case CA_TYPE_U8:
        return ((const uint8_t *)b->col[c].data)[row];
    case CA_TYPE_U32:
        return ca_block_u32(b, c)[row];
    case CA_TYPE_I64:
        return ca_block_i64(b, c)[row];
    case CA_TYPE_F32:
    case CA_TYPE_F64:
        break;
    }
    return 0;
}

static int add_block(struct job *j, const struct columns *c, const struct ca_block *b, const float *logit,
                     struct ca_err *err)
{
    int rc = 0;

    for (size_t r = 0; r < b->rows && !rc; r++) {
        struct row row = {.score = logit ? logit[r] : (float)number_at(b, c->score, r),
                          .label = (float)number_at(b, c->label, r),
                          .weight = c->weight >= 0 ? (float)number_at(b, c->weight, r) : 1.0f,
                          .slice = c->slice >= 0 ? whole_at(b, c->slice, r) : 0,
                          .item = c->item >= 0 ? whole_at(b, c->item, r) : 0,
                          .request = c->request >= 0 ? whole_at(b, c->request, r) : 0,
                          .judge = c->judge >= 0 ? (float)number_at(b, c->judge, r) : 0.0f};

        if (j->p->by_time)
            row.slice = window_start(row.slice, (int64_t)j->p->by_time);
        else if (j->p->by_rows)
            row.slice = j->rows - j->rows % (int64_t)j->p->by_rows;
        rc = add(j, &row, err);
    }
    ca_progress_update(&j->progress, j->rows, NULL);
    return rc;
}

/* ---- choosing columns ---- */

static int need_numbers(const struct ca_schema *s, const char *name, int whole, int *column, struct ca_err *err)
{
    size_t i;
    int rc = ca_schema_need(s, name, &i, err);

    if (rc)
        return rc;
    if (s->col[i].is_list || (whole && (s->col[i].type == CA_TYPE_F32 || s->col[i].type == CA_TYPE_F64)))
        return ca_err_set(err, CA_ESCHEMA, "column '%s' does not hold %s", name,
                          s->col[i].is_list ? "one number a row" : "whole numbers");
    *column = (int)i;
    return 0;
}

static int need_role(const struct ca_schema *s, enum ca_role role, const char *cure, int *column, struct ca_err *err)
{
    *column = ca_schema_role(s, role, 0);
    if (*column >= 0)
        return 0;
    (void)ca_err_set(err, CA_ESCHEMA, "the records have no %s column", ca_role_name(role));
    return ca_err_hint(err, "%s", cure);
}

static int choose(struct job *j, const struct ca_schema *s, struct columns *c, struct ca_err *err)
{
    const struct params *p = j->p;
    int rc = 0;

    *c = (struct columns){-1, -1, -1, -1, -1, -1, -1};
    if (!p->model) {
        rc = p->score ? need_numbers(s, p->score, 0, &c->score, err)
                      : need_role(s, CA_ROLE_TEACHER, "name a --model to score with, or a --score column", &c->score,
                                  err);
        if (rc)
            return rc;
        if (p->kind == KIND_AUTO && s->col[c->score].role == CA_ROLE_AUX)
            j->opts.score = CA_SCORE_PROBABILITY;
    }
    rc = p->label ? need_numbers(s, p->label, 0, &c->label, err)
                  : need_role(s, CA_ROLE_LABEL, "measures need labels; name their column with --label", &c->label, err);
    if (!rc && p->weights)
        rc = need_numbers(s, p->weights, 0, &c->weight, err);
    if (!rc && p->by)
        rc = need_numbers(s, p->by, 1, &c->slice, err);
    if (!rc && p->by_time)
        rc = need_role(s, CA_ROLE_TIME, "slice with --by-rows instead", &c->slice, err);
    if (!rc && p->item)
        rc = need_numbers(s, p->item, 1, &c->item, err);
    if (!rc && p->request)
        rc = need_numbers(s, p->request, 1, &c->request, err);
    if (!rc && p->against) {
        rc = need_numbers(s, p->against, 0, &c->judge, err);
        if (!rc && s->col[c->judge].role == CA_ROLE_AUX)
            j->judge = CA_SCORE_PROBABILITY;
    }
    return rc;
}

static int begin(struct job *j, struct ca_err *err)
{
    int rc = ca_eval_init(&j->total, &j->opts, err);

    j->ready = 1;
    if (!rc && (j->p->by || j->p->by_time || j->p->by_rows))
        rc = ca_slices_new(&j->slices, &j->opts, (size_t)j->p->max_slices, err);
    return rc;
}

/* ---- the three kinds of input ---- */

static int from_records(struct job *j, const char *path, struct ca_err *err)
{
    struct ca_pool *pool = NULL;
    struct ca_model *model = NULL;
    struct ca_scorer *scorer = NULL;
    struct ca_reader *r = NULL;
    struct columns c;
    struct ca_block b;
    const float *logit = NULL;
    int rc = ca_reader_open(&r, path, j->run->common.force, err);

    if (rc)
        return rc;
    ca_reader_ahead(r, j->run->common.threads);
    if ((rc = choose(j, &ca_reader_head(r)->schema, &c, err))) {
        (void)ca_err_at(err, path, -1, -1);
        goto out;
    }
    if ((rc = begin(j, err)))
        goto out;
    if (j->p->model) {
        if (!(pool = ca_pool_new((unsigned)j->run->common.threads, err))) {
            rc = err->code;
            goto out;
        }
        if ((rc = ca_model_load(&model, j->p->model, CA_NET_INFERENCE, pool, err)) ||
            (rc = ca_scorer_open(&scorer, model, r, err)))
            goto out;
    }
    while ((rc = scorer ? ca_scorer_next(scorer, &b, &logit, err) : ca_reader_next(r, &b, err)) == 1)
        if ((rc = add_block(j, &c, &b, logit, err))) {
            (void)ca_err_at(err, path, -1, j->rows);
            break;
        }
out:
    ca_scorer_close(scorer);
    ca_model_free(model);
    ca_pool_free(pool);
    ca_reader_close(r);
    return rc;
}

static int table_column(const struct ca_scored *s, const char *path, const char *name, int *column, struct ca_err *err)
{
    *column = ca_scored_find(s, name);
    if (*column >= 0)
        return 0;
    (void)ca_err_set(err, CA_ESCHEMA, "the table has no column '%s'", name);
    return ca_err_at(err, path, -1, -1);
}

/* What from_table reads of a line. */
enum { SCORE, LABEL, WEIGHT, SLICE, ITEM, REQUEST, JUDGE, TABLE_COLUMNS };

/* A whole number out of a text table. */
static int whole(const struct job *j, double v, const char *name, const char *path, int64_t *out, struct ca_err *err)
{
    if (!(fabs(v) <= 9007199254740992.0) || v != floor(v)) {
        (void)ca_err_set(err, CA_EFORMAT, "column '%s' does not hold whole numbers", name);
        return ca_err_at(err, path, -1, j->rows);
    }
    *out = (int64_t)v;
    return 0;
}

static int from_table(struct job *j, const char *path, struct ca_err *err)
{
    const struct params *p = j->p;
    const char *score = p->score ? p->score : "logit";
    struct ca_scored *s = NULL;
    double v[TABLE_COLUMNS];
    int column[TABLE_COLUMNS] = {0}, rc = ca_scored_open(&s, path, err);

    if (rc)
        return rc;
    if (!p->score && ca_scored_find(s, "logit") < 0 && ca_scored_find(s, "probability") >= 0)
        score = "probability";
    if (p->kind == KIND_AUTO && !strcmp(score, "probability"))
        j->opts.score = CA_SCORE_PROBABILITY;
    if (p->against && !strcmp(p->against, "probability"))
        j->judge = CA_SCORE_PROBABILITY;
    const char *const name[TABLE_COLUMNS] = {score,   p->label ? p->label : "label", p->weights, p->by, p->item, p->request,
                                             p->against};
    for (int c = 0; c < TABLE_COLUMNS; c++)
        if ((rc = table_column(s, path, name[c] ? name[c] : score, &column[c], err)))
            goto out;
    if ((rc = begin(j, err)))
        goto out;
    while ((rc = ca_scored_next(s, column, TABLE_COLUMNS, v, err)) == 1) {
        struct row row = {.score = (float)v[SCORE], .label = (float)v[LABEL], .judge = (float)v[JUDGE],
                          .weight = p->weights ? (float)v[WEIGHT] : 1.0f,
                          .slice = p->by_rows ? j->rows - j->rows % (int64_t)p->by_rows : 0};

        if ((p->by && (rc = whole(j, v[SLICE], p->by, path, &row.slice, err)) < 0) ||
            (p->item && (rc = whole(j, v[ITEM], p->item, path, &row.item, err)) < 0) ||
            (p->request && (rc = whole(j, v[REQUEST], p->request, path, &row.request, err)) < 0))
            break;
        if ((rc = add(j, &row, err))) {
            (void)ca_err_at(err, path, -1, j->rows);
            break;
        }
        if (!(j->rows % 4096))
            ca_progress_update(&j->progress, j->rows, NULL);
    }
out:
    ca_scored_close(s);
    return rc;
}

/* ---- output ---- */

struct printer {
    struct ca_buf text;
    const struct job *job;
    const struct more *more;
    struct ca_err *err;
};

/* The measures that are asked for by name, behind the others: at most these. */
struct more {
    const char *name[6];
    double value[6];
    int count[6]; /* is it one? */
    size_t n;
};

static void more_add(struct more *m, const char *name, double value, int count)
{
    m->name[m->n] = name;
    m->value[m->n] = value;
    m->count[m->n++] = count;
}

static int more_result(struct job *j, struct more *m, struct ca_err *err)
{
    struct ca_agreement a;
    int rc;

    if (j->p->item) {
        struct ca_item_bias bias = ca_items_bias(&j->items);
        more_add(m, "item_bias", bias.absolute, 0);
        more_add(m, "item_bias_signed", bias.relative, 0);
        more_add(m, "items", (double)bias.items, 1);
    }
    if (!j->p->against)
        return 0;
    if ((rc = ca_agree_result(&j->agree, &a, err)))
        return rc;
    more_add(m, "spearman", a.spearman, 0);
    if (j->p->request) {
        more_add(m, "ndcg5", a.ndcg5, 0);
        more_add(m, "ndcg10", a.ndcg10, 0);
    }
    return 0;
}

/* One line; slice NULL is the total. */
static int print(struct printer *out, const int64_t *slice, const struct ca_measures *m)
{
    json_t *obj;
    int rc;

    if (out->job->p->format == FORMAT_TSV) {
        ca_measures_tsv(m, &out->text);
        for (size_t i = 0; i < out->more->n; i++) {
            ca_buf_char(&out->text, '\t');
            ca_buf_double(&out->text, out->more->value[i]);
        }
        if (out->job->slices && slice)
            ca_buf_printf(&out->text, "\t%lld", (long long)*slice);
        else if (out->job->slices)
            ca_buf_str(&out->text, "\ttotal");
        ca_buf_char(&out->text, '\n');
        return 0;
    }
    if (!(obj = json_object()))
        return ca_err_set(out->err, CA_EMEMORY, "out of memory: cannot build a JSON object");
    rc = ca_measures_json(m, obj, out->err);
    for (size_t i = 0; i < out->more->n && !rc; i++) {
        double v = out->more->value[i];
        rc = ca_json_set(obj, out->more->name[i], out->more->count[i] ? json_integer((json_int_t)v)
                         : isfinite(v) ? json_real(v) : json_null(), out->err);
    }
    if (!rc && out->job->slices)
        rc = ca_json_set(obj, "slice", slice ? json_integer(*slice) : json_null(), out->err);
    if (!rc)
        rc = ca_json_dump(obj, &out->text, out->err);
    ca_buf_char(&out->text, '\n');
    json_decref(obj);
    return rc;
}

static int print_slice(void *arg, int64_t slice, const struct ca_measures *m)
{
    return print(arg, &slice, m);
}

static int write_result(struct job *j, struct ca_err *err)
{
    struct more more = {.n = 0};
    struct printer out = {.job = j, .more = &more, .err = err};
    struct ca_measures m;
    struct ca_out *o = NULL;
    int rc = ca_eval_result(&j->total, &m, err);

    if (!rc)
        rc = more_result(j, &more, err);
    if (!rc && j->p->format == FORMAT_TSV) {
        ca_measures_tsv_names(&out.text);
        for (size_t i = 0; i < more.n; i++)
            ca_buf_printf(&out.text, "\t%s", more.name[i]);
        ca_buf_str(&out.text, j->slices ? "\tslice\n" : "\n");
    }
    if (!rc)
        rc = print(&out, NULL, &m);
    if (!rc && j->slices)
        rc = ca_slices_each(j->slices, print_slice, &out, err);
    if (!rc)
        rc = ca_buf_check(&out.text, err);
    if (!rc)
        rc = ca_out_open(&o, j->run->common.output, err);
    if (!rc && (rc = ca_out_write(o, out.text.data, out.text.len, err)))
        ca_out_abort(o);
    else if (!rc)
        rc = ca_out_close(o, err);
    ca_buf_fini(&out.text);
    if (rc)
        return rc;
    if (!m.rows)
        ca_log(CA_LOG_WARN, "there are no rows to measure");
    else if (m.one_class)
        ca_log(CA_LOG_WARN, "all labels are of one class: auc and ne are not defined");
    j->run->records = m.rows;
    (void)snprintf(j->run->result, sizeof j->run->result, "auc %.6f logloss %.6f", m.auc, m.logloss);
    return 0;
}

static int check_usage(const struct params *p, struct ca_err *err)
{
    if (!!p->by + !!p->by_time + !!p->by_rows > 1)
        return ca_err_set(err, CA_EUSAGE, "--by, --by-time and --by-rows exclude each other");
    if ((p->by || p->by_time || p->by_rows) && (p->item || p->against))
        return ca_err_set(err, CA_EUSAGE, "--item and --against measure the whole: no slices beside them");
    if (p->request && !p->against)
        return ca_err_set(err, CA_EUSAGE, "--request needs --against, which says what a row is worth");
    if (p->against && p->weights)
        return ca_err_set(err, CA_EUSAGE, "--against counts every row once: no --weights beside it");
    if (p->model && (p->score || p->scored || p->kind != KIND_AUTO))
        return ca_err_set(err, CA_EUSAGE, "--model makes logits of its own: no --score, --score-kind or --scored");
    if (p->model && !strcmp(p->model, "-"))
        return ca_err_set(err, CA_EUSAGE, "the model must be a file: standard input is for the records");
    if (p->scored && p->by_time)
        return ca_err_set(err, CA_EUSAGE, "a text table has no time column: slice it with --by or --by-rows");
    return 0;
}

static int evaluate(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    const char *path = run->n_operands ? run->operands[0] : "-";
    struct job j = {.p = p,
                    .run = run,
                    .opts = {.score = p->kind == KIND_PROBABILITY ? CA_SCORE_PROBABILITY : CA_SCORE_LOGIT,
                             .logloss = (enum ca_logloss)p->logloss,
                             .bins = (unsigned)p->bins}};
    int rc = check_usage(p, err);

    if (rc)
        return rc;
    ca_progress_start(&j.progress, run, "rows", 0);
    rc = p->scored ? from_table(&j, path, err) : from_records(&j, path, err);
    ca_progress_end(&j.progress);
    if (!rc)
        rc = write_result(&j, err);
    ca_slices_free(j.slices);
    ca_items_fini(&j.items);
    ca_agree_fini(&j.agree);
    if (j.ready)
        ca_eval_fini(&j.total);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-eval",
    .summary = "measure predictions: AUC, log loss, calibration, by slices if wanted",
    .operands = "[FILE]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = 1,
    .engine = ca_blas_engine,
    .run = evaluate,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
