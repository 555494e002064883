/* ca-codistill: the online stage, teacher and student learning side by side (CrossAdapt section 3.2). */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/out.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "data/replay.h"
#include "model/model.h"
#include "model/score.h"
#include "nn/blas.h"
#include "record/reader.h"
#include "transfer/codistill.h"
#include "transfer/distill.h"

#include "base/banned.h"

#define PRINTED_TEACHER_RATE 0.001

enum { MODE_CODED, MODE_PRINTED };
enum { GATHER_SUM, GATHER_MEAN };

struct params {
    const char *teacher, *student, *replay, *teacher_out, *valid, *log;
    uint64_t batch, interval, first_step, log_interval;
    double replay_ratio, teacher_sgd, alpha, temperature, lambda, hint, rkd;
    int mode, gather, loss, rkd_mismatch;
};

static const struct ca_opt opts[] = {
    {"teacher", 0, CA_OPT_FILE, CA_OFFSET(params, teacher), "MODEL", NULL, 0, 0, 0,
     "teacher to go on training, with its optimizer state"},
    {"student", 0, CA_OPT_FILE, CA_OFFSET(params, student), "MODEL", NULL, 0, 0, 0,
     "student to go on training, with its optimizer state"},
    {"replay", 0, CA_OPT_FILE, CA_OFFSET(params, replay), "FILE", NULL, 0, 0, 0,
     "record file that history is replayed from"},
    {"replay-ratio", 0, CA_OPT_REAL, CA_OFFSET(params, replay_ratio), "R", "0.1", 0, 100, 0,
     "replayed rows a step, as a share of --batch; 0 for none"},
    {"interval", 0, CA_OPT_COUNT, CA_OFFSET(params, interval), "N", "10", 0, 1e9, 0,
     "steps from one teacher update to the next; 0 freezes the teacher"},
    {"batch", 0, CA_OPT_COUNT, CA_OFFSET(params, batch), "N", "4096", 1, 1e7, 0, "online records a step"},
    {"mode", 0, CA_OPT_CHOICE, CA_OFFSET(params, mode), "coded|printed", "coded", 0, 0, 0,
     "teacher updates as the published code makes them or as the paper prints them"},
    {"first-step", 0, CA_OPT_COUNT, CA_OFFSET(params, first_step), "N", NULL, 0, 1, 0,
     "number of the first step, 0 (the teacher moves at once) or 1; unset: 0 coded, 1 printed"},
    {"gather", 0, CA_OPT_CHOICE, CA_OFFSET(params, gather), "sum|mean", "sum", 0, 0, 0,
     "how the teacher's gradients of an interval are put together"},
    {"teacher-sgd", 0, CA_OPT_REAL, CA_OFFSET(params, teacher_sgd), "RATE", NULL, 0, 1e38, 0,
     "move the teacher by plain gradient descent at this rate, 0 for Adam; unset: 0 coded, 0.001 printed"},
    {"loss", 0, CA_OPT_CHOICE, CA_OFFSET(params, loss), "published|paper|huber", "published", 0, 0, 0,
     "the student's distillation loss"},
    {"alpha", 0, CA_OPT_REAL, CA_OFFSET(params, alpha), "A", "0.7", 0, 1, 0,
     "share of the teacher in the published and huber losses"},
    {"temperature", 0, CA_OPT_REAL, CA_OFFSET(params, temperature), "T", "4", 1e-3, 1e6, 0,
     "temperature of the published and huber losses"},
    {"lambda", 0, CA_OPT_REAL, CA_OFFSET(params, lambda), "L", "1", 0, 1e6, 0, "weight of the teacher in the paper loss"},
    {"hint", 0, CA_OPT_REAL, CA_OFFSET(params, hint), "LAMBDA", "0", 0, 1e6, 0,
     "weight of the hint loss between the embeddings of student and teacher; 0 for none"},
    {"rkd", 0, CA_OPT_REAL, CA_OFFSET(params, rkd), "LAMBDA", "0", 0, 1e6, 0,
     "weight of relational distillation between the two embeddings; 0 for none"},
    {"rkd-mismatch", 0, CA_OPT_CHOICE, CA_OFFSET(params, rkd_mismatch), "zero|native|project", "native", 0, 0, 0,
     "what --rkd compares where their widths differ: nothing, the embeddings as they are, or through the maps of --hint"},
    {"teacher-out", 0, CA_OPT_FILE, CA_OFFSET(params, teacher_out), "MODEL", NULL, 0, 0, 0,
     "write the teacher as it is at the end"},
    {"valid", 0, CA_OPT_FILE, CA_OFFSET(params, valid), "FILE", NULL, 0, 0, CA_OPT_NEUTRAL,
     "evaluate the student on these records at every line of the log"},
    {"log", 0, CA_OPT_FILE, CA_OFFSET(params, log), "FILE", NULL, 0, 0, CA_OPT_NEUTRAL,
     "write prequential figures as TSV"},
    {"log-interval", 0, CA_OPT_COUNT, CA_OFFSET(params, log_interval), "STEPS", "100", 1, 1e9, CA_OPT_NEUTRAL,
     "steps in a window of the log"},
};

static const struct ca_example examples[] = {
    {"ca-codistill --teacher old.safetensors --student new.safetensors --replay train.car -o switched.safetensors online.car",
     "bring a projected and distilled student up to date, its teacher along with it"},
    {"ca-codistill --teacher t.safetensors --student s.safetensors --interval 0 --replay-ratio 0 -o out.safetensors < online.car",
     "plain distillation from a frozen teacher, nothing replayed"},
    {NULL, NULL},
};

/* All that is open during a run. */
struct job {
    struct ca_pool *pool;
    struct ca_model *teacher, *student;
    struct ca_align *align;
    struct ca_reader *online;
    struct ca_replay *replay;
    struct ca_out *student_out, *teacher_out, *log;
};

/* What a line of the log needs. The clock stands still during an evaluation. */
struct lines {
    struct ca_out *log;
    struct ca_model *student;
    const char *valid;
    double train_s, started_s;
};

/* Seconds of training so far and, after them, the student on the validation records. */
static int log_valid(struct lines *l, struct ca_buf *b, struct ca_err *err)
{
    struct ca_measures m;
    int rc;

    l->train_s += ca_clock_wall_s() - l->started_s;
    rc = ca_score_file(l->student, l->valid, &m, err);
    l->started_s = ca_clock_wall_s();
    if (rc)
        return rc;
    ca_buf_printf(b, "\t%.6f\t", l->train_s);
    ca_buf_double(b, m.auc);
    ca_buf_char(b, '\t');
    ca_buf_double(b, m.logloss);
    return 0;
}

static int log_window(void *arg, const struct ca_codistill_window *w, struct ca_err *err)
{
    struct lines *l = arg;
    struct ca_buf b = {0};
    int rc = 0;

    if (!l->log)
        return 0;
    ca_buf_printf(&b, "%lld\t%lld", (long long)w->step, (long long)w->rows);
    const double v[] = {w->loss, w->student.auc, w->student.logloss, w->teacher.auc, w->teacher.logloss};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        ca_buf_char(&b, '\t');
        ca_buf_double(&b, v[i]);
    }
    if (l->valid)
        rc = log_valid(l, &b, err);
    ca_buf_char(&b, '\n');
    if (!rc && !(rc = ca_buf_check(&b, err)))
        rc = ca_out_write(l->log, b.data, b.len, err);
    ca_buf_fini(&b);
    return rc;
}

static int check(const struct ca_run *run, const struct params *p, struct ca_err *err)
{
    if (!p->teacher || !p->student)
        return ca_err_set(err, CA_EUSAGE, "--%s is missing", p->teacher ? "student" : "teacher");
    if (p->replay_ratio > 0 && !p->replay) {
        (void)ca_err_set(err, CA_EUSAGE, "--replay is missing");
        return ca_err_hint(err, "name the records to replay, or say --replay-ratio 0");
    }
    if (p->valid && !p->log)
        return ca_err_set(err, CA_EUSAGE, "--valid needs --log, which its figures go to");
    if (p->valid && !strcmp(p->valid, "-"))
        return ca_err_set(err, CA_EUSAGE, "--valid is read more than once and cannot be standard input");
    if (!(p->rkd > 0) && ca_cli_given(run, "rkd-mismatch"))
        return ca_err_set(err, CA_EUSAGE, "--rkd-mismatch belongs to --rkd");
    if (p->rkd > 0 && p->rkd_mismatch == CA_ALIGN_PROJECT && !(p->hint > 0))
        return ca_err_set(err, CA_EUSAGE, "--rkd-mismatch project needs --hint, whose maps it goes through");
    const char *const outputs[] = {run->common.output, p->teacher_out, p->log};
    return ca_cli_distinct(outputs, 3, err);
}

static int open_all(struct job *j, const struct ca_run *run, const struct params *p, struct ca_err *err)
{
    static const char names[] = "step\trows\tloss\tstudent_auc\tstudent_logloss\tteacher_auc\tteacher_logloss";
    static const char valid_names[] = "\ttrain_s\tvalid_auc\tvalid_logloss";
    unsigned teacher_flags = p->interval ? 0 : p->teacher_out ? 0 : CA_NET_INFERENCE;
    int rc;

    if (!(j->pool = ca_pool_new((unsigned)run->common.threads, err)))
        return err->code;
    if ((rc = ca_model_load(&j->teacher, p->teacher, teacher_flags, j->pool, err)) ||
        (rc = ca_model_load(&j->student, p->student, 0, j->pool, err)) ||
        (rc = ca_reader_open(&j->online, run->n_operands ? run->operands[0] : "-", run->common.force, err)))
        return rc;
    ca_reader_ahead(j->online, run->common.threads);
    if (p->replay_ratio > 0) {
        if ((rc = ca_replay_open(&j->replay, p->replay, run->common.seed, err)))
            return rc;
        if (!ca_schema_equal(&ca_replay_head(j->replay)->schema, &ca_reader_head(j->online)->schema)) {
            (void)ca_err_set(err, CA_ESCHEMA, "the columns of '%s' are not those of the online stream", p->replay);
            return ca_err_hint(err, "replay from a part of the same ca-split, before any column was added");
        }
    }
    /* now, not after hours of work, is when to learn that an output cannot be written */
    if ((rc = ca_model_output(&j->student_out, run->common.output, run, err)) ||
        (p->teacher_out && (rc = ca_model_output(&j->teacher_out, p->teacher_out, run, err))))
        return rc;
    if (p->log && !(rc = ca_out_open(&j->log, p->log, err)))
        rc = ca_out_write(j->log, names, sizeof names - 1, err);
    if (!rc && j->log && p->valid)
        rc = ca_out_write(j->log, valid_names, sizeof valid_names - 1, err);
    return rc || !j->log ? rc : ca_out_write(j->log, "\n", 1, err);
}

static int make_align(struct job *j, const struct ca_run *run, const struct params *p, struct ca_err *err)
{
    struct ca_adam adam = ca_model_adam(j->student->spec.arch);
    const struct ca_align_opts o = {.hint = p->hint, .rkd = p->rkd, .mismatch = (enum ca_align_mismatch)p->rkd_mismatch,
                                    .seed = run->common.seed, .adam = &adam};

    return p->hint > 0 || p->rkd > 0 ? ca_align_new(&j->align, &o, j->student, j->teacher, j->pool, err) : 0;
}

/* Both models carry what they were made from now: the stream, the pool and, the student, its teacher's weights at the start. */
static int note_inputs(const struct job *j, const char *teacher_digest, struct ca_err *err)
{
    const struct ca_tail *online = ca_reader_tail(j->online);
    struct ca_model *m[] = {j->student, j->teacher};
    int rc = ca_model_input(j->student, "model", teacher_digest, err);

    for (size_t i = 0; i < 2 && !rc; i++) {
        rc = ca_model_input(m[i], "records", online->digest, err);
        if (!rc && j->replay)
            rc = ca_model_input(m[i], "records", ca_replay_tail(j->replay)->digest, err);
    }
    return rc;
}

static int run_tool(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    const struct ca_distill form = {(enum ca_distill_form)p->loss, p->alpha, p->temperature, p->lambda};
    struct ca_codistill_opts o = {
        .batch = (size_t)p->batch,
        .interval = (size_t)p->interval,
        .first = ca_cli_given(run, "first-step") ? (size_t)p->first_step : p->mode == MODE_PRINTED,
        .average = p->gather == GATHER_MEAN,
        .teacher_sgd = ca_cli_given(run, "teacher-sgd") ? p->teacher_sgd
                       : p->mode == MODE_PRINTED        ? PRINTED_TEACHER_RATE
                                                        : 0,
        .replay_ratio = p->replay_ratio,
        .loss = ca_distill_loss(&form),
        .window = (int64_t)p->log_interval,
    };
    struct job j = {0};
    struct ca_codistill_result r;
    struct ca_progress progress;
    struct lines lines;
    char digest[CA_DIGEST_HEX];
    int rc;

    if ((rc = check(run, p, err)) || (rc = open_all(&j, run, p, err)) ||
        (rc = ca_model_digest(j.teacher, digest, err)) || (rc = make_align(&j, run, p, err)))
        goto done;
    o.align = j.align;
    ca_progress_start(&progress, run, "rows", 0);
    lines = (struct lines){.log = j.log, .student = j.student, .valid = p->valid, .started_s = ca_clock_wall_s()};
    rc = ca_codistill_run(j.teacher, j.student, j.online, j.replay, &o, log_window, &lines, &progress, &r, err);
    ca_progress_end(&progress);
    if (rc || (rc = note_inputs(&j, digest, err)) || (j.align && (rc = ca_align_keep(j.align, err))))
        goto done;
    if (j.log) {
        rc = ca_out_close(j.log, err);
        j.log = NULL;
        if (rc)
            goto done;
    }
    if (j.teacher_out) {
        rc = ca_model_write(j.teacher, j.teacher_out, 0, run, err);
        j.teacher_out = NULL;
        if (rc)
            goto done;
    }
    rc = ca_model_write(j.student, j.student_out, 0, run, err);
    j.student_out = NULL;
    if (rc)
        goto done;
    run->records = r.rows;
    (void)snprintf(run->result, sizeof run->result,
                   "%lld student and %lld teacher steps, %lld rows replayed, prequential auc %.5f against %.5f",
                   (long long)r.steps, (long long)r.teacher_steps, (long long)r.replayed, r.student.auc, r.teacher.auc);
done:
    ca_out_abort(j.student_out);
    ca_out_abort(j.teacher_out);
    ca_out_abort(j.log);
    ca_replay_close(j.replay);
    ca_reader_close(j.online);
    ca_align_free(j.align);
    ca_model_free(j.student);
    ca_model_free(j.teacher);
    ca_pool_free(j.pool);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-codistill",
    .summary = "let a student and its teacher learn side by side from the newest data",
    .operands = "[FILE]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = 1,
    .engine = ca_blas_engine,
    .run = run_tool,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
