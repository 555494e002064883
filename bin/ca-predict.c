/* ca-predict: a model's logits, as a column of the record stream or as text. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/progress.h"
#include "model/score.h"
#include "nn/blas.h"
#include "record/writer.h"

#include "base/banned.h"

struct params {
    const char *model, *column, *task, *soft_label;
    struct ca_writer_opts writer;
};

static const struct ca_opt opts[] = {
    {"model", 'm', CA_OPT_FILE, offsetof(struct params, model), "MODEL", NULL, 0, 0, 0, "the model to ask"},
    {"column", 'c', CA_OPT_STRING, offsetof(struct params, column), "NAME", NULL, 0, 0, 0,
     "write the records again with the logits in a new column of role teacher"},
    {"task", 't', CA_OPT_STRING, offsetof(struct params, task), "NAME", NULL, 0, 0, 0,
     "of a model that learns several labels, the logits of this one"},
    {"soft-label", 0, CA_OPT_STRING, offsetof(struct params, soft_label), "NAME", NULL, 0, 0, 0,
     "where this column is 0, the model's probability becomes the label; needs --column"},
    CA_WRITER_OPTS(offsetof(struct params, writer)),
};

static const struct ca_example examples[] = {
    {"ca-predict --model teacher.safetensors test.car > scores.tsv", "row, label, logit and probability as text"},
    {"ca-predict --model teacher.safetensors --column teacher train.car | ca-train --loss published --init student.safetensors "
     "-o next.safetensors",
     "a teacher's knowledge as a column"},
    {NULL, NULL},
};

struct work {
    struct ca_pool *pool;
    struct ca_reader *reader;
    struct ca_model *model;
    struct ca_scorer *scorer;
    char digest[CA_DIGEST_HEX]; /* of the model */
    struct ca_progress progress;
    int64_t rows;
};

static int open_all(const struct params *p, const struct ca_run *run, struct work *w, struct ca_err *err)
{
    const char *path = run->n_operands ? run->operands[0] : "-";
    int rc;

    if (!p->model)
        return ca_err_set(err, CA_EUSAGE, "missing option --model");
    if (p->soft_label && !p->column)
        return ca_err_set(err, CA_EUSAGE, "--soft-label changes records, which --column writes");
    if (!strcmp(p->model, "-") && !strcmp(path, "-"))
        return ca_err_set(err, CA_EUSAGE, "standard input cannot be both the model and the records");
    w->pool = ca_pool_new((unsigned)run->common.threads, err);
    if (!w->pool)
        return err->code;
    rc = ca_model_load(&w->model, p->model, CA_NET_INFERENCE | (run->common.force ? CA_MODEL_FORCE : 0), w->pool, err);
    if (rc || (rc = ca_model_digest(w->model, w->digest, err)) ||
        (rc = ca_reader_open(&w->reader, path, run->common.force, err)))
        return rc;
    ca_reader_ahead(w->reader, run->common.threads);
    rc = ca_scorer_open(&w->scorer, w->model, w->reader, err);
    return rc ? rc : ca_scorer_task(w->scorer, p->task, err);
}

/* ---- a new column ---- */

/* Rows with a column more, and labels that may be the model's. */
struct widener {
    struct ca_head head;
    struct ca_colview *view; /* head.schema.n of them */
    size_t label, known;     /* with --soft-label: the columns */
    float *soft;             /* labels of a block */
    size_t soft_cap;
};

static int widener_open(struct widener *v, const struct params *p, const struct ca_head *in, struct ca_err *err)
{
    int label, rc;

    if ((rc = ca_head_copy(&v->head, in, err)) ||
        (rc = ca_schema_add(&v->head.schema, p->column, CA_ROLE_TEACHER, CA_TYPE_F32, 0, 0, err)))
        return rc;
    v->view = ca_mem_zalloc(v->head.schema.n, sizeof *v->view, err);
    if (!v->view)
        return CA_EMEMORY;
    if (!p->soft_label)
        return 0;
    if ((rc = ca_schema_need(&in->schema, p->soft_label, &v->known, err)))
        return rc;
    label = ca_schema_role(&in->schema, CA_ROLE_LABEL, 0);
    if (label < 0)
        return ca_err_set(err, CA_ESCHEMA, "the records have no label column to put the model's probability in");
    v->label = (size_t)label;
    if (v->known == v->label || in->schema.col[v->known].type != CA_TYPE_F32 || in->schema.col[v->known].is_list)
        return ca_err_set(err, CA_ESCHEMA, "column '%s' does not say where the label is known: f32 is wanted, beside the label",
                          p->soft_label);
    return 0;
}

static void widener_close(struct widener *v)
{
    ca_mem_free(v->soft);
    ca_mem_free(v->view);
    ca_head_fini(&v->head);
}

static int put_block(struct widener *v, const struct params *p, struct ca_writer *out, const struct ca_block *b,
                     const float *logit, struct ca_err *err)
{
    const struct ca_schema *schema = &v->head.schema;
    struct ca_block wide = {.schema = schema, .rows = b->rows, .first_row = b->first_row, .col = v->view};
    int rc;

    memcpy(v->view, b->col, (schema->n - 1) * sizeof *v->view);
    v->view[schema->n - 1] = (struct ca_colview){.data = logit};
    if (p->soft_label) {
        if ((rc = ca_mem_grow((void **)&v->soft, &v->soft_cap, b->rows, sizeof *v->soft, err)))
            return rc;
        ca_score_soft_labels(v->soft, ca_block_f32(b, v->label), ca_block_f32(b, v->known), logit, b->rows);
        v->view[v->label] = (struct ca_colview){.data = v->soft};
    }
    return ca_writer_put(out, &wide, 0, b->rows, err);
}

static int write_column(const struct params *p, const struct ca_run *run, struct work *w, struct ca_err *err)
{
    struct widener v = {.view = NULL};
    struct ca_writer *out = NULL;
    struct ca_block b;
    const float *logit;
    int rc;

    if ((rc = widener_open(&v, p, ca_reader_head(w->reader), err)) ||
        (rc = ca_writer_open(&out, NULL, &v.head, &p->writer, run, err)))
        goto done;
    while ((rc = ca_scorer_next(w->scorer, &b, &logit, err)) > 0) {
        if ((rc = put_block(&v, p, out, &b, logit, err)))
            goto done;
        w->rows += (int64_t)b.rows;
        ca_progress_update(&w->progress, w->rows, NULL);
    }
    if (rc || (rc = ca_writer_input(out, "records", ca_reader_tail(w->reader)->digest, err)) ||
        (rc = ca_writer_input(out, "model", w->digest, err)))
        goto done;
    rc = ca_writer_close(out, err);
    out = NULL;
done:
    ca_writer_abort(out);
    widener_close(&v);
    return rc;
}

/* ---- text ---- */

static int put_text(struct ca_out *out, struct ca_buf *line, const struct ca_block *b, const float *label,
                    const float *logit, struct ca_err *err)
{
    int rc;

    ca_buf_clear(line);
    for (size_t i = 0; i < b->rows; i++) {
        ca_buf_printf(line, "%lld\t", (long long)(b->first_row + (int64_t)i));
        if (label) {
            ca_buf_float(line, label[i]);
            ca_buf_char(line, '\t');
        }
        ca_buf_float(line, logit[i]);
        ca_buf_char(line, '\t');
        ca_buf_float(line, (float)ca_sigmoid((double)logit[i]));
        ca_buf_char(line, '\n');
    }
    if ((rc = ca_buf_check(line, err)))
        return rc;
    return ca_out_write(out, line->data, line->len, err);
}

static int write_text(const struct ca_run *run, struct work *w, struct ca_err *err)
{
    static const char with[] = "row\tlabel\tlogit\tprobability\n", without[] = "row\tlogit\tprobability\n";
    int label = ca_schema_role(&ca_reader_head(w->reader)->schema, CA_ROLE_LABEL, 0);
    struct ca_buf line = {0};
    struct ca_out *out;
    struct ca_block b;
    const float *logit;
    int rc = ca_out_open(&out, run->common.output, err);

    if (rc)
        return rc;
    rc = label >= 0 ? ca_out_write(out, with, sizeof with - 1, err) : ca_out_write(out, without, sizeof without - 1, err);
    while (!rc && (rc = ca_scorer_next(w->scorer, &b, &logit, err)) > 0) {
        rc = put_text(out, &line, &b, label >= 0 ? ca_block_f32(&b, (size_t)label) : NULL, logit, err);
        w->rows += (int64_t)b.rows;
        ca_progress_update(&w->progress, w->rows, NULL);
    }
    ca_buf_fini(&line);
    if (!rc)
        return ca_out_close(out, err);
    ca_out_abort(out);
    return rc;
}

static int run_predict(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    struct work w = {0};
    int rc = open_all(p, run, &w, err);

    if (!rc) {
        ca_progress_start(&w.progress, run, "rows", 0);
        rc = p->column ? write_column(p, run, &w, err) : write_text(run, &w, err);
        ca_progress_end(&w.progress);
        run->records = w.rows;
    }
    ca_scorer_close(w.scorer);
    ca_reader_close(w.reader);
    ca_model_free(w.model);
    ca_pool_free(w.pool);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-predict",
    .summary = "a model's logits, as a column of the record stream or as text",
    .operands = "[FILE]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = 1,
    .engine = ca_blas_engine,
    .run = run_predict,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
