#include "transfer/codistill.h"

#include "base/mem.h"

#include "base/banned.h"

/* What one run needs besides the models: the enlarged batch and its logits. */
struct stage {
    struct ca_model *teacher, *student;
    const struct ca_codistill_opts *opts;
    struct ca_binding teacher_at, student_at;
    struct ca_rows *rows;
    size_t label;
    size_t cap;               /* rows the three arrays have room for */
    float *teacher_logit;
    float *student_logit;
    float *share;             /* weight of a teacher row under averaging */
    struct ca_eval all[2];    /* student, teacher: the whole stream */
    struct ca_eval window[2]; /* and the open window */
    double window_loss;
    int64_t window_rows;      /* of the enlarged batches */
};

static void fini(struct stage *s)
{
    ca_binding_fini(&s->teacher_at);
    ca_binding_fini(&s->student_at);
    ca_rows_free(s->rows);
    ca_mem_free(s->teacher_logit);
    ca_mem_free(s->student_logit);
    ca_mem_free(s->share);
    for (int i = 0; i < 2; i++) {
        ca_eval_fini(&s->all[i]);
        ca_eval_fini(&s->window[i]);
    }
}

static int init(struct stage *s, const struct ca_head *head, struct ca_err *err)
{
    int label = ca_schema_role(&head->schema, CA_ROLE_LABEL, 0);
    int rc;

    if (label < 0)
        return ca_err_set(err, CA_ESCHEMA, "the stream has no label column");
    s->label = (size_t)label;
    if ((rc = ca_model_bind(s->teacher, head, &s->teacher_at, err)) ||
        (rc = ca_model_bind(s->student, head, &s->student_at, err)))
        return rc;
    if (!(s->rows = ca_rows_new(&head->schema, err)))
        return err->code;
    for (int i = 0; i < 2; i++)
        if ((rc = ca_eval_init(&s->all[i], NULL, err)) || (rc = ca_eval_init(&s->window[i], NULL, err)))
            return rc;
    return 0;
}

static int room(struct stage *s, size_t n, struct ca_err *err)
{
    size_t cap[3] = {s->cap, s->cap, s->cap};
    float **array[3] = {&s->teacher_logit, &s->student_logit, &s->share};

    for (int i = 0; i < 3; i++) {
        int rc = ca_mem_grow((void **)array[i], &cap[i], n, sizeof(float), err);
        if (rc)
            return rc;
    }
    s->cap = cap[0];
    return 0;
}

/* A fault inside a batch speaks of the batch's row; the reader thinks in rows of the stream. */
static int place(struct ca_err *err, const char *who, int64_t done, size_t online)
{
    if (err->has_record) {
        if (err->record < (int64_t)online)
            err->record += done;
        else
            err->has_record = 0; /* a replayed row: its number here would mislead */
    }
    (void)ca_err_hint(err, "the %s diverged: lower its learning rates, or look at the rows before this one", who);
    return err->code;
}

/* How many steps the update that this step's gradient goes into gathers: the first update of the coded form has one. */
static size_t gathered(const struct ca_codistill_opts *o, int64_t number)
{
    return number == 0 ? 1 : o->interval;
}

/* Teacher logits of the present batch, its embedding where that is asked for, and its gradients unless it is frozen. */
static int teach(struct stage *s, const struct ca_block *b, int64_t number, struct ca_err *err)
{
    struct ca_target target = {.label = ca_block_f32(b, s->label)};
    struct ca_feed feed;
    double sum;
    int rc = ca_binding_feed(&s->teacher_at, b, &feed, err);

    if (!rc && s->opts->align)
        rc = ca_align_teach(s->opts->align, &feed, err);
    if (rc)
        return rc;
    target.task = ca_binding_tasks(&s->teacher_at, b);
    if (!s->opts->interval)
        return ca_net_forward(s->teacher->net, &feed, s->teacher_logit, err);
    if (s->opts->average) {
        float w = 1.0f / (float)gathered(s->opts, number);
        for (size_t i = 0; i < b->rows; i++)
            s->share[i] = w;
        target.weight = s->share;
    }
    return ca_net_gradient(s->teacher->net, &feed, &ca_loss_bce, &target, &sum, s->teacher_logit, err);
}

static int learn(struct stage *s, const struct ca_block *b, double *loss, struct ca_err *err)
{
    struct ca_target target = {.label = ca_block_f32(b, s->label), .teacher = s->teacher_logit};
    struct ca_feed feed;
    int rc = ca_binding_feed(&s->student_at, b, &feed, err);

    if (rc)
        return rc;
    target.task = ca_binding_tasks(&s->student_at, b);
    return ca_net_gradient(s->student->net, &feed, &s->opts->loss, &target, loss, s->student_logit, err);
}

static int score(struct stage *s, const struct ca_block *b, size_t online, struct ca_err *err)
{
    const float *label = ca_block_f32(b, s->label);
    const float *logit[2] = {s->student_logit, s->teacher_logit};
    int rc = 0;

    for (int i = 0; i < 2; i++)
        for (size_t r = 0; r < online && !rc; r++)
            if (!(rc = ca_eval_add(&s->all[i], logit[i][r], label[r], 1.0f, err)))
                rc = ca_eval_add(&s->window[i], logit[i][r], label[r], 1.0f, err);
    return rc;
}

static int close_window(struct stage *s, const struct ca_codistill_result *r, ca_codistill_hook *hook, void *arg,
                        struct ca_err *err)
{
    struct ca_codistill_window w = {.step = r->steps, .rows = r->rows};
    int rc;

    w.loss = s->window_loss / (double)s->window_rows;
    if ((rc = ca_eval_result(&s->window[0], &w.student, err)) || (rc = ca_eval_result(&s->window[1], &w.teacher, err)))
        return rc;
    for (int i = 0; i < 2; i++) {
        ca_eval_fini(&s->window[i]);
        if ((rc = ca_eval_init(&s->window[i], NULL, err)))
            return rc;
    }
    s->window_loss = 0;
    s->window_rows = 0;
    return hook ? hook(arg, &w, err) : 0;
}

static int step_teacher(struct stage *s, struct ca_err *err)
{
    if (s->opts->teacher_sgd > 0)
        return ca_net_step_sgd(s->teacher->net, CA_STEP_ALL, s->opts->teacher_sgd, err);
    return ca_net_step(s->teacher->net, CA_STEP_ALL, err);
}

int ca_codistill_run(struct ca_model *teacher, struct ca_model *student, struct ca_reader *online,
                     struct ca_replay *replay, const struct ca_codistill_opts *opts, ca_codistill_hook *hook, void *arg,
                     struct ca_progress *progress, struct ca_codistill_result *result, struct ca_err *err)
{
    struct stage s = {.teacher = teacher, .student = student, .opts = opts};
    size_t k = opts->replay_ratio > 0 ? ca_replay_count(opts->batch, opts->replay_ratio) : 0;
    int rc, more;

    *result = (struct ca_codistill_result){0};
    rc = init(&s, ca_reader_head(online), err);
    while (!rc) {
        int64_t number = result->steps + (int64_t)opts->first;
        struct ca_block b;
        size_t n;
        double loss = 0;

        ca_rows_clear(s.rows);
        if ((more = ca_reader_fill(online, s.rows, opts->batch, err)) <= 0) {
            rc = more;
            break;
        }
        n = ca_rows_count(s.rows);
        if (k && (rc = ca_replay_draw(replay, (uint64_t)result->steps, k, s.rows, err)))
            break;
        b = ca_rows_view(s.rows);
        if ((rc = room(&s, b.rows, err)))
            break;
        if ((rc = teach(&s, &b, number, err))) {
            rc = place(err, "teacher", result->rows, n);
            break;
        }
        if ((rc = learn(&s, &b, &loss, err))) {
            rc = place(err, "student", result->rows, n);
            break;
        }
        if ((rc = score(&s, &b, n, err)) || (rc = ca_net_step(student->net, CA_STEP_ALL, err)) ||
            (opts->align && (rc = ca_align_step(opts->align, err))))
            break;
        if (opts->interval && number % (int64_t)opts->interval == 0) {
            if ((rc = step_teacher(&s, err)))
                break;
            result->teacher_steps++;
        }
        result->steps++;
        result->rows += (int64_t)n;
        result->replayed += (int64_t)k;
        s.window_loss += loss;
        s.window_rows += (int64_t)b.rows;
        if (opts->window && result->steps % opts->window == 0)
            rc = close_window(&s, result, hook, arg, err);
        ca_progress_update(progress, result->rows, NULL);
    }
    if (!rc && s.window_rows)
        rc = close_window(&s, result, hook, arg, err);
    if (!rc && !result->rows) {
        rc = ca_err_set(err, CA_ESCHEMA, "the online stream has no rows");
        (void)ca_err_at(err, ca_reader_name(online), -1, -1);
    }
    if (!rc && !(rc = ca_model_check(student, err)) && opts->interval)
        rc = ca_model_check(teacher, err);
    if (!rc && !(rc = ca_eval_result(&s.all[0], &result->student, err)))
        rc = ca_eval_result(&s.all[1], &result->teacher, err);
    fini(&s);
    return rc;
}
