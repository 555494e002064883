#include "model/score.h"

#include <string.h>

#include "base/mem.h"
#include "nn/loss.h"

#include "base/banned.h"

#define BATCH ((size_t)4096) /* a whole number of chunks of any graph; changing it may change last bits */

struct ca_scorer {
    struct ca_model *m;
    struct ca_reader *r;
    struct ca_binding bind;
    struct ca_rows *rows;
    float *logit;
    size_t head; /* of the network's outputs */
    int64_t done;
};

int ca_scorer_open(struct ca_scorer **out, struct ca_model *m, struct ca_reader *r, struct ca_err *err)
{
    struct ca_scorer *s = ca_mem_zalloc(1, sizeof *s, err);
    int rc;

    if (!s)
        return CA_EMEMORY;
    s->m = m;
    s->r = r;
    rc = ca_model_bind(m, ca_reader_head(r), &s->bind, err);
    if (rc) {
        (void)ca_err_at(err, ca_reader_name(r), -1, -1);
        goto fail;
    }
    rc = CA_EMEMORY;
    s->rows = ca_rows_new(&ca_reader_head(r)->schema, err);
    s->logit = ca_mem_alloc(BATCH, sizeof *s->logit, err);
    if (!s->rows || !s->logit)
        goto fail;
    *out = s;
    return 0;
fail:
    ca_scorer_close(s);
    return rc;
}

int ca_scorer_task(struct ca_scorer *s, const char *task, struct ca_err *err)
{
    int several = (s->m->spec.arch->reads & CA_READS_TASKS) != 0;

    s->head = 0;
    for (size_t t = 0; several && task && t < s->m->n_tasks; t++)
        if (!strcmp(s->m->task[t].name, task))
            s->head = t + 1;
    if (!task || s->head)
        return 0;
    return ca_err_set(err, CA_EUSAGE, "the model has no task '%.100s'%s", task,
                      several ? "" : ": its architecture learns one label only");
}

int ca_scorer_next(struct ca_scorer *s, struct ca_block *b, const float **logit, struct ca_err *err)
{
    float *head[CA_HEADS_MAX] = {NULL};
    struct ca_feed feed;
    int rc;

    rc = ca_reader_batch(s->r, s->rows, BATCH, b, err);
    if (rc <= 0)
        return rc;
    b->first_row = s->done;
    if ((rc = ca_binding_feed(&s->bind, b, &feed, err)))
        return rc;
    head[s->head] = s->logit;
    if ((rc = ca_net_forward_heads(s->m->net, &feed, head, err))) {
        if (err && err->has_record)
            err->record += s->done;
        (void)ca_err_at(err, ca_reader_name(s->r), -1, -1);
        return rc;
    }
    s->done += (int64_t)b->rows;
    *logit = s->logit;
    return 1;
}

void ca_score_soft_labels(float *out, const float *label, const float *known, const float *logit, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = known[i] > 0.5f ? label[i] : (float)ca_sigmoid((double)logit[i]);
}

void ca_scorer_close(struct ca_scorer *s)
{
    if (!s)
        return;
    ca_binding_fini(&s->bind);
    ca_rows_free(s->rows);
    ca_mem_free(s->logit);
    ca_mem_free(s);
}

static int add_block(struct ca_eval *e, const struct ca_block *b, const float *logit, const float *label,
                     struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < b->rows && !rc; i++)
        rc = ca_eval_add(e, logit[i], label[i], 1.0f, err);
    return rc;
}

int ca_score_file(struct ca_model *m, const char *path, struct ca_measures *out, struct ca_err *err)
{
    struct ca_reader *r = NULL;
    struct ca_scorer *s = NULL;
    struct ca_eval e = {0};
    struct ca_block b;
    const float *logit;
    int rc, label;

    if ((rc = ca_reader_open(&r, path, 0, err)))
        return rc;
    label = ca_schema_role(&ca_reader_head(r)->schema, CA_ROLE_LABEL, 0);
    if (label < 0) {
        rc = ca_err_set(err, CA_ESCHEMA, "records have no label");
        (void)ca_err_at(err, path, -1, -1);
        goto done;
    }
    if ((rc = ca_eval_init(&e, NULL, err)) || (rc = ca_scorer_open(&s, m, r, err)))
        goto done;
    while ((rc = ca_scorer_next(s, &b, &logit, err)) > 0)
        if ((rc = add_block(&e, &b, logit, ca_block_f32(&b, (size_t)label), err)))
            break;
    if (!rc)
        rc = ca_eval_result(&e, out, err);
done:
    ca_scorer_close(s);
    ca_eval_fini(&e);
    ca_reader_close(r);
    return rc;
}
