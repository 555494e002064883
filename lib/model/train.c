#include "model/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "data/shuffle.h"
#include "model/score.h"
#include "nn/snapshot.h"

#include "base/banned.h"

struct training {
    struct ca_model *m;
    struct ca_reader *r;
    const struct ca_train_opts *o;
    struct ca_train_result *res;
    struct ca_binding bind, teacher_bind;
    struct ca_rows *rows;       /* a batch that had to be gathered */
    struct ca_block batch;
    float *teacher_logit;       /* o->batch of them, when a teacher is asked */
    int label, teacher, weight; /* columns, -1 for none */
    double started_s;           /* of the stretch of training that is running */
    double since_sum;           /* losses since the last log line */
    int64_t since_rows;
    double epoch_sum;
    int64_t epoch_rows;
    uint64_t evaluated_at;      /* step of the last evaluation */
    struct ca_shuffle *shuffle; /* the order of this epoch, NULL for that of the stream */
    struct ca_block bucket;     /* what it gives out, from row `given` on */
    const uint32_t *bucket_at;
    size_t given;
    struct ca_snapshot *best;   /* with a plateau */
    struct ca_measures best_valid;
    uint64_t stale;             /* epochs since */
};

static int missing(const struct ca_reader *r, const char *what, const char *cure, struct ca_err *err)
{
    (void)ca_err_set(err, CA_ESCHEMA, "records have no %s", what);
    (void)ca_err_at(err, ca_reader_name(r), -1, -1);
    if (cure)
        (void)ca_err_hint(err, "%s", cure);
    return CA_ESCHEMA;
}

static int find_teacher_column(struct training *t, struct ca_err *err)
{
    const struct ca_schema *s = &ca_reader_head(t->r)->schema;
    const char *name = t->o->teacher_column;

    t->teacher = -1;
    if (!t->o->loss->needs_teacher || t->o->teacher)
        return 0;
    t->teacher = name ? ca_schema_find(s, name) : ca_schema_role(s, CA_ROLE_TEACHER, 0);
    if (t->teacher < 0)
        return missing(t->r, name ? "such teacher column" : "teacher column",
                       "add one with 'ca-predict --model TEACHER --column NAME', or name a teacher", err);
    if (s->col[t->teacher].role != CA_ROLE_TEACHER) {
        (void)ca_err_set(err, CA_ESCHEMA, "column '%.100s' holds no teacher's logits but has the role %s",
                         s->col[t->teacher].name, ca_role_name(s->col[t->teacher].role));
        (void)ca_err_at(err, ca_reader_name(t->r), -1, -1);
        return CA_ESCHEMA;
    }
    return 0;
}

static int open_training(struct training *t, struct ca_err *err)
{
    const struct ca_head *head = ca_reader_head(t->r);
    int rc;

    t->label = ca_schema_role(&head->schema, CA_ROLE_LABEL, 0);
    t->weight = t->o->weights ? ca_schema_role(&head->schema, CA_ROLE_WEIGHT, 0) : -1;
    if (t->label < 0)
        return missing(t->r, "label", NULL, err);
    if (t->o->weights && t->weight < 0)
        return missing(t->r, "weight column", "train without --weights, or sample with weights", err);
    if ((rc = find_teacher_column(t, err)))
        return rc;
    rc = ca_model_bind(t->m, head, &t->bind, err);
    if (!rc && t->o->teacher)
        rc = ca_model_bind(t->o->teacher, head, &t->teacher_bind, err);
    if (rc) {
        (void)ca_err_at(err, ca_reader_name(t->r), -1, -1);
        return rc;
    }
    if (t->m->spec.arch->reads & CA_READS_TASKS && t->bind.n_tasks && !t->bind.has_labels)
        return missing(t->r, "labels of all the tasks that the model learns", NULL, err);
    if (t->o->epochs > 1 && (rc = ca_reader_index(t->r, err)))
        return rc;
    t->rows = ca_rows_new(&head->schema, err);
    t->teacher_logit = ca_mem_alloc(t->o->teacher ? t->o->batch : 0, sizeof *t->teacher_logit, err);
    return t->rows && t->teacher_logit ? 0 : CA_EMEMORY;
}

static void close_training(struct training *t)
{
    ca_binding_fini(&t->bind);
    ca_binding_fini(&t->teacher_bind);
    ca_rows_free(t->rows);
    ca_mem_free(t->teacher_logit);
    ca_shuffle_free(t->shuffle);
    ca_snapshot_free(t->best);
}

static int put(struct ca_out *out, struct ca_err *err, const char *text)
{
    return ca_out_write(out, text, strlen(text), err);
}

static int log_names(const struct training *t, struct ca_err *err)
{
    if (!t->o->log)
        return 0;
    return put(t->o->log, err,
               t->o->valid ? "step\trows\tloss\ttrain_s\tauc\tlogloss\n" : "step\trows\tloss\ttrain_s\n");
}

/* One line: the mean loss since the last, and the evaluation where there was one. */
static int log_line(struct training *t, const struct ca_measures *valid, struct ca_err *err)
{
    char line[200];
    double mean = t->since_rows ? t->since_sum / (double)t->since_rows : NAN;
    int used;

    t->since_sum = 0;
    t->since_rows = 0;
    if (!t->o->log)
        return 0;
    used = snprintf(line, sizeof line, "%llu\t%lld\t%.17g\t%.6f", (unsigned long long)t->res->steps,
                    (long long)t->res->rows, mean, t->res->train_s + ca_clock_wall_s() - t->started_s);
    if (t->o->valid && valid)
        used += snprintf(line + used, sizeof line - (size_t)used, "\t%.17g\t%.17g", valid->auc, valid->logloss);
    else if (t->o->valid)
        used += snprintf(line + used, sizeof line - (size_t)used, "\t\t");
    (void)snprintf(line + used, sizeof line - (size_t)used, "\n");
    return put(t->o->log, err, line);
}

/* The clock stands still meanwhile. */
static int evaluate(struct training *t, struct ca_err *err)
{
    int rc;

    t->res->train_s += ca_clock_wall_s() - t->started_s;
    t->started_s = ca_clock_wall_s();
    rc = ca_score_file(t->m, t->o->valid, &t->res->valid, err);
    t->started_s = ca_clock_wall_s();
    t->res->evaluated = 1;
    t->evaluated_at = t->res->steps;
    return rc ? rc : log_line(t, &t->res->valid, err);
}

/* Which rows of the stream the fault is in, for somebody who sees no batches. */
static int place_fault(const struct training *t, int rc, struct ca_err *err)
{
    if (err && err->has_record)
        err->record += t->epoch_rows;
    (void)ca_err_at(err, ca_reader_name(t->r), -1, t->epoch_rows);
    if (rc == CA_ENUMERIC)
        (void)ca_err_hint(err, "step %llu; a smaller learning rate may help, nothing was written",
                          (unsigned long long)t->res->steps + 1);
    return rc;
}

static int one_batch(struct training *t, struct ca_err *err)
{
    struct ca_block b = t->batch;
    struct ca_target target = {.label = ca_block_f32(&b, (size_t)t->label)};
    struct ca_feed feed, asked;
    double sum = 0;
    int rc = ca_binding_feed(&t->bind, &b, &feed, err);

    target.task = ca_binding_tasks(&t->bind, &b);
    if (t->teacher >= 0)
        target.teacher = ca_block_f32(&b, (size_t)t->teacher);
    if (t->weight >= 0)
        target.weight = ca_block_f32(&b, (size_t)t->weight);
    if (t->o->teacher && !rc) {
        rc = ca_binding_feed(&t->teacher_bind, &b, &asked, err);
        if (!rc)
            rc = ca_net_forward(t->o->teacher->net, &asked, t->teacher_logit, err);
        target.teacher = t->teacher_logit;
        if (!rc && t->o->beside)
            rc = t->o->beside->before(t->o->beside->arg, &asked, err);
    }
    if (!rc)
        rc = ca_net_gradient(t->m->net, &feed, t->o->loss, &target, &sum, NULL, err);
    if (!rc && !isfinite(sum))
        rc = ca_err_set(err, CA_ENUMERIC, "loss is not finite");
    if (!rc)
        rc = ca_net_step(t->m->net, t->o->step, err);
    if (!rc && t->o->beside)
        rc = t->o->beside->after(t->o->beside->arg, err);
    if (rc)
        return place_fault(t, rc, err);
    t->since_sum += sum;
    t->epoch_sum += sum;
    t->since_rows += (int64_t)b.rows;
    t->epoch_rows += (int64_t)b.rows;
    t->res->rows += (int64_t)b.rows;
    t->res->steps++;
    return 0;
}

/* Read the stream to its end into the order of this epoch. */
static int begin_shuffle(struct training *t, uint64_t epoch, struct ca_err *err)
{
    struct ca_block b;
    char phase[32];
    int rc;

    ca_shuffle_free(t->shuffle);
    t->shuffle = NULL;
    t->bucket = (struct ca_block){0};
    t->given = 0;
    (void)snprintf(phase, sizeof phase, "epoch %llu", (unsigned long long)epoch + 1);
    if ((rc = ca_shuffle_new(&t->shuffle, ca_reader_head(t->r), t->o->seed, phase, err)))
        return rc;
    while ((rc = ca_reader_next(t->r, &b, err)) > 0)
        if ((rc = ca_shuffle_add(t->shuffle, &b, err)))
            break;
    return rc;
}

/* The next batch: 1, 0 at the end, or a fault. */
static int fill(struct training *t, struct ca_err *err)
{
    size_t have = 0;

    if (!t->shuffle)
        return ca_reader_batch(t->r, t->rows, t->o->batch, &t->batch, err);
    ca_rows_clear(t->rows);
    while (have < t->o->batch) {
        size_t n = t->bucket.rows - t->given;
        int rc;

        if (!n) {
            if ((rc = ca_shuffle_next(t->shuffle, &t->bucket, &t->bucket_at, err)) < 0)
                return rc;
            t->given = 0;
            if (!rc) {
                t->bucket.rows = 0;
                break;
            }
            continue;
        }
        n = n < t->o->batch - have ? n : t->o->batch - have;
        if ((rc = ca_rows_append_at(t->rows, &t->bucket, t->bucket_at + t->given, n, err)))
            return rc;
        t->given += n;
        have += n;
    }
    t->batch = ca_rows_view(t->rows);
    return have > 0;
}

static int one_epoch(struct training *t, struct ca_err *err)
{
    char note[48];
    int rc;

    t->epoch_sum = 0;
    t->epoch_rows = 0;
    for (;;) {
        rc = fill(t, err);
        if (rc <= 0)
            break;
        if ((rc = one_batch(t, err)))
            break;
        if (t->o->progress) {
            (void)snprintf(note, sizeof note, "loss %.4f", t->since_sum / (double)t->since_rows);
            ca_progress_update(t->o->progress, t->res->rows, note);
        }
        if (t->o->valid && t->o->valid_interval && t->res->steps % t->o->valid_interval == 0)
            rc = evaluate(t, err);
        else if (t->o->log_interval && t->res->steps % t->o->log_interval == 0)
            rc = log_line(t, NULL, err);
        if (rc)
            break;
    }
    if (rc)
        return rc;
    t->res->loss = t->epoch_rows ? t->epoch_sum / (double)t->epoch_rows : NAN;
    if (t->o->valid && t->epoch_rows && t->evaluated_at != t->res->steps)
        return evaluate(t, err);
    return t->since_rows ? log_line(t, NULL, err) : 0;
}

#define LEAST_GAIN 1e-6 /* FuxiCTR's: less is no improvement */

/* After an epoch and its evaluation: keep the best, slow down, or end (*ended). */
static int judge(struct training *t, uint64_t epoch, int *ended, struct ca_err *err)
{
    const struct ca_train_plateau *p = t->o->plateau;
    const struct ca_measures *now = &t->res->valid, *best = &t->best_valid;
    double gain = p->by_logloss ? best->logloss - now->logloss : now->auc - best->auc;
    struct ca_adam adam;

    if (!t->best || !(gain < LEAST_GAIN)) {
        t->best_valid = *now;
        t->res->best_epoch = epoch + 1;
        t->stale = 0;
        return ca_snapshot_take(&t->best, t->m->net, err);
    }
    adam = ca_net_adam(t->m->net);
    adam.lr_table = fmax(adam.lr_table * p->decay, fmin(p->lr_least, adam.lr_table));
    adam.lr_dense = fmax(adam.lr_dense * p->decay, fmin(p->lr_least, adam.lr_dense));
    ca_net_set_adam(t->m->net, &adam);
    *ended = ++t->stale >= p->patience;
    return 0;
}

int ca_train(struct ca_model *m, struct ca_reader *r, const struct ca_train_opts *opts, struct ca_train_result *result,
             struct ca_err *err)
{
    struct training t = {.m = m, .r = r, .o = opts, .res = result};
    int rc = open_training(&t, err), ended = 0;

    memset(result, 0, sizeof *result);
    ca_net_want(m->net, opts->step);
    t.started_s = ca_clock_wall_s();
    if (!rc)
        rc = log_names(&t, err);
    for (uint64_t e = 0; e < opts->epochs && !rc && !ended; e++) {
        if (e)
            rc = ca_reader_seek(r, 0, err);
        if (!rc && opts->shuffle)
            rc = begin_shuffle(&t, e, err);
        if (!rc)
            rc = one_epoch(&t, err);
        if (!rc && opts->plateau && result->evaluated)
            rc = judge(&t, e, &ended, err);
        result->epochs = e + 1;
    }
    if (!rc && t.best) {
        ca_snapshot_restore(t.best, m->net);
        result->valid = t.best_valid;
    }
    result->train_s += ca_clock_wall_s() - t.started_s;
    if (!rc)
        rc = ca_model_check(m, err);
    if (!rc && ca_reader_tail(r))
        rc = ca_model_input(m, "records", ca_reader_tail(r)->digest, err);
    close_training(&t);
    return rc;
}
