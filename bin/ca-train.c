/* ca-train: learn a model from a record stream, alone or from a teacher. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/progress.h"
#include "model/configs.h"
#include "model/train.h"
#include "nn/blas.h"
#include "transfer/align.h"
#include "transfer/distill.h"

#include "base/banned.h"

enum { FREEZE_NOTHING, FREEZE_EMBEDDINGS };
enum { MONITOR_AUC, MONITOR_LOGLOSS };
enum { LOSS_BCE, LOSS_PUBLISHED, LOSS_PAPER, LOSS_HUBER };

struct params {
    const char *arch, *init, *teacher, *teacher_column, *valid, *log, *config;
    int freeze, loss, weights, reset, weights_only, list, list_configs, dry_run, shuffle, monitor;
    uint64_t epochs, batch, valid_interval, log_interval, sequence_length;
    struct ca_adam adam;
    struct ca_regular regular;
    struct ca_train_plateau plateau;
    double lr;
    struct ca_model_choices choices;
    struct ca_distill distill;
    double hint, rkd;
    int rkd_mismatch;
};

#define LR_LEAST 1e-6 /* FuxiCTR's least learning rate when it slows down */

#define AT(member) offsetof(struct params, member)

static const struct ca_opt opts[] = {
    {"arch", 'a', CA_OPT_STRING, AT(arch), "NAME:WIDTH:HIDDEN,...", NULL, 0, 0, 0,
     "architecture, embedding width and hidden widths of a new model, for example fibinet:16:256,128,16; "
     "ca-architectures(7) has those that are spelled otherwise"},
    {"config", 'c', CA_OPT_FILE, AT(config), "NAME", NULL, 0, 0, CA_OPT_CONFIG,
     "options of a published run, one of --list-configs, or of a file; those on the command line win"},
    {"init", 'i', CA_OPT_FILE, AT(init), "MODEL", NULL, 0, 0, 0,
     "go on from this model and its optimizer state; --arch is then not needed and must agree"},
    {"freeze", 0, CA_OPT_CHOICE, AT(freeze), "nothing|embeddings", "nothing", 0, 0, 0,
     "leave the embedding tables as they are and learn the rest"},
    {"epochs", 'e', CA_OPT_COUNT, AT(epochs), "N", "1", 1, 1000000, 0,
     "passes over the records; more than one needs a regular file"},
    {"batch", 'b', CA_OPT_COUNT, AT(batch), "ROWS", "4096", 1, 1048576, 0, "rows of an optimizer step"},
    {"loss", 'l', CA_OPT_CHOICE, AT(loss), "bce|published|paper|huber", NULL, 0, 0, 0,
     "bce learns from labels alone; the others also from a teacher; default bce, published when a teacher is named"},
    {"teacher", 't', CA_OPT_FILE, AT(teacher), "MODEL", NULL, 0, 0, 0, "ask this model for its logits as training goes"},
    {"teacher-column", 0, CA_OPT_STRING, AT(teacher_column), "NAME", NULL, 0, 0, 0,
     "take the teacher's logits from this column; default the first one of role teacher"},
    {"alpha", 0, CA_OPT_REAL, AT(distill.alpha), "X", "0.7", 0, 1, 0,
     "share of the teacher in the losses published and huber"},
    {"temperature", 'T', CA_OPT_REAL, AT(distill.temperature), "X", "4", 1e-3, 1e6, 0,
     "softening of both logits in the losses published and huber"},
    {"lambda", 0, CA_OPT_REAL, AT(distill.lambda), "X", "1", 0, 1e6, 0, "weight of the teacher in the loss paper"},
    {"hint", 0, CA_OPT_REAL, AT(hint), "LAMBDA", "0", 0, 1e6, 0,
     "weight of the hint loss between the embeddings of the model and of --teacher; 0 for none"},
    {"rkd", 0, CA_OPT_REAL, AT(rkd), "LAMBDA", "0", 0, 1e6, 0,
     "weight of relational distillation between the two embeddings; 0 for none"},
    {"rkd-mismatch", 0, CA_OPT_CHOICE, AT(rkd_mismatch), "zero|native|project", "native", 0, 0, 0,
     "what --rkd compares where their widths differ: nothing, the embeddings as they are, or through the maps of --hint"},
    {"weights", 'w', CA_OPT_FLAG, AT(weights), "", NULL, 0, 0, 0, "multiply each row's loss by the weight column"},
    {"shuffle", 0, CA_OPT_FLAG, AT(shuffle), "", NULL, 0, 0, 0,
     "take the rows of each epoch in a random order of its own; scratch goes to TMPDIR"},
    {"lr", 0, CA_OPT_REAL, AT(lr), "X", NULL, 0, 100, 0, "one learning rate for everything"},
    {"lr-table", 0, CA_OPT_REAL, AT(adam.lr_table), "X", NULL, 0, 100, 0,
     "learning rate of the embedding tables; default 0.1, in the FuxiCTR family 0.001"},
    {"lr-dense", 0, CA_OPT_REAL, AT(adam.lr_dense), "X", NULL, 0, 100, 0,
     "learning rate of everything else; default 0.001"},
    {"clip", 0, CA_OPT_REAL, AT(regular.clip), "LENGTH", NULL, 0, 1e12, 0,
     "scale a longer gradient down to this length; 0 does not; default 0, in the FuxiCTR family 10"},
    {"l2-table", 0, CA_OPT_REAL, AT(regular.decay_table), "X", "0", 0, 1e6, 0,
     "add X/2 times the square of all embeddings to the loss; every row then moves in every step"},
    {"l2-dense", 0, CA_OPT_REAL, AT(regular.decay_dense), "X", "0", 0, 1e6, 0, "the same of everything else"},
    {"beta1", 0, CA_OPT_REAL, AT(adam.beta1), "X", "0.9", 0, 0.99, 0, "decay of Adam's first moment"},
    {"beta2", 0, CA_OPT_REAL, AT(adam.beta2), "X", "0.999", 0, 0.999999999, 0, "decay of Adam's second moment"},
    {"eps", 0, CA_OPT_REAL, AT(adam.eps), "X", "1e-8", 1e-30, 1, 0, "what Adam adds to the root of the second moment"},
    {"reset-optimizer", 0, CA_OPT_FLAG, AT(reset), "", NULL, 0, 0, 0, "start with a fresh optimizer after --init"},
    {"valid", 0, CA_OPT_FILE, AT(valid), "FILE", NULL, 0, 0, 0, "evaluate on these records after each epoch"},
    {"patience", 0, CA_OPT_COUNT, AT(plateau.patience), "EPOCHS", "0", 0, 1000000, 0,
     "stop after so many epochs in a row that were not better on --valid, and keep the best model; 0 does not"},
    {"monitor", 0, CA_OPT_CHOICE, AT(monitor), "auc|logloss", "auc", 0, 0, 0, "what --patience judges by"},
    {"lr-decay", 0, CA_OPT_REAL, AT(plateau.decay), "X", "0.1", 0, 1, 0,
     "with --patience: multiply the learning rates after an epoch that was not better"},
    {"sequence-length", 0, CA_OPT_COUNT, AT(sequence_length), "N", "50", 1, CA_SEQUENCE_MAX, 0,
     "newest entries of a list that a new model looks at"},
    {"item-fields", 0, CA_OPT_STRING, AT(choices.item_fields), "NAME,...", NULL, 0, 0, 0,
     "columns that describe the item, for a new model with a tower of its own for them"},
    {"valid-interval", 0, CA_OPT_COUNT, AT(valid_interval), "STEPS", "0", 0, 1000000000, CA_OPT_NEUTRAL,
     "evaluate every so many steps as well; 0 does not"},
    {"log", 0, CA_OPT_FILE, AT(log), "FILE", NULL, 0, 0, 0, "write loss and time of the steps as TSV"},
    {"log-interval", 0, CA_OPT_COUNT, AT(log_interval), "STEPS", "100", 1, 1000000000, CA_OPT_NEUTRAL,
     "steps a line of the log"},
    {"weights-only", 0, CA_OPT_FLAG, AT(weights_only), "", NULL, 0, 0, 0,
     "leave optimizer state and vocabulary out of the model file"},
    {"list-archs", 0, CA_OPT_FLAG, AT(list), "", NULL, 0, 0, CA_OPT_NEUTRAL, "list the architectures and stop"},
    {"list-configs", 0, CA_OPT_FLAG, AT(list_configs), "", NULL, 0, 0, CA_OPT_NEUTRAL,
     "list the names for --config and what they stand for, and stop"},
    {"dry-run", 'n', CA_OPT_FLAG, AT(dry_run), "", NULL, 0, 0, CA_OPT_NEUTRAL,
     "print plan, sizes and memory and stop; of the records only the header is read"},
};

static const struct ca_example examples[] = {
    {"ca-train --arch mlp:8:64,32,4 -o teacher.safetensors hist.car", "train a model from scratch"},
    {"ca-sample --ratio 0.1 train.car | ca-train --init student.safetensors --freeze embeddings -o phase1.safetensors",
     "learn only the dense part from a sample"},
    {"ca-train --init phase1.safetensors --teacher teacher.safetensors -o student.safetensors sample.car",
     "go on, distilling from a teacher"},
    {"ca-train --arch mlp:8:64,32 --teacher teacher.safetensors --hint 1 -o student.safetensors train.car",
     "hold the embeddings to the teacher's as well"},
    {NULL, NULL},
};

/* What one run holds; all of it may be absent. */
struct work {
    struct ca_pool *pool;
    struct ca_reader *reader;
    struct ca_model *model, *teacher;
    struct ca_align *align;
    struct ca_out *out, *log;
    struct ca_loss loss;
};

static int usage(struct ca_err *err, const char *what)
{
    return ca_err_set(err, CA_EUSAGE, "%s", what);
}

/* Of the losses on embeddings. */
static int check_align(const struct ca_run *run, const struct params *p, struct ca_err *err)
{
    if (!(p->rkd > 0) && ca_cli_given(run, "rkd-mismatch"))
        return usage(err, "--rkd-mismatch belongs to --rkd");
    if (p->rkd > 0 && p->rkd_mismatch == CA_ALIGN_PROJECT && !(p->hint > 0))
        return usage(err, "--rkd-mismatch project needs --hint, whose maps it goes through");
    if (!(p->hint > 0) && !(p->rkd > 0))
        return 0;
    if (!p->teacher)
        return usage(err, "--hint and --rkd need --teacher: a column has no embeddings");
    if (p->hint > 0 && p->plateau.patience)
        return usage(err, "--patience goes back to the best model, but not its --hint");
    if (p->freeze == FREEZE_EMBEDDINGS)
        return usage(err, "--hint and --rkd move the embeddings, which --freeze holds");
    return 0;
}

/* Combinations that would be obeyed in part only. */
static int check_options(const struct ca_run *run, struct params *p, struct ca_err *err)
{
    int mixed, inputs, rc;

    if (!p->arch && !p->init)
        return usage(err, "missing option --arch, --init or --config");
    if (p->reset && !p->init)
        return usage(err, "--reset-optimizer needs --init");
    if (p->teacher && p->teacher_column)
        return usage(err, "--teacher and --teacher-column exclude each other");
    if (!ca_cli_given(run, "loss"))
        p->loss = p->teacher || p->teacher_column ? LOSS_PUBLISHED : LOSS_BCE;
    mixed = p->loss == LOSS_PUBLISHED || p->loss == LOSS_HUBER;
    if (p->loss == LOSS_BCE && (p->teacher || p->teacher_column))
        return usage(err, "--loss bce takes no teacher");
    if (!mixed && (ca_cli_given(run, "alpha") || ca_cli_given(run, "temperature")))
        return usage(err, "--alpha and --temperature belong to the losses published and huber");
    if (p->loss != LOSS_PAPER && ca_cli_given(run, "lambda"))
        return usage(err, "--lambda belongs to the loss paper");
    if ((rc = check_align(run, p, err)))
        return rc;
    if (!p->valid && p->valid_interval)
        return usage(err, "--valid-interval needs --valid");
    if (!p->valid && p->plateau.patience)
        return usage(err, "--patience needs --valid");
    if (!p->plateau.patience && (ca_cli_typed(run, "monitor") || ca_cli_typed(run, "lr-decay")))
        return usage(err, "--monitor and --lr-decay need --patience");
    if (ca_cli_given(run, "lr") && (ca_cli_given(run, "lr-table") || ca_cli_given(run, "lr-dense")))
        return usage(err, "--lr excludes --lr-table and --lr-dense");
    if (p->init && (ca_cli_given(run, "sequence-length") || ca_cli_given(run, "item-fields")))
        return usage(err, "--sequence-length and --item-fields belong to a new model, not to one of --init");
    p->choices.sequence_length = (size_t)p->sequence_length;
    if (p->valid && !strcmp(p->valid, "-"))
        return usage(err, "--valid is read more than once and cannot be standard input");
    inputs = (p->init && !strcmp(p->init, "-")) + (p->teacher && !strcmp(p->teacher, "-")) +
             (!run->n_operands || !strcmp(run->operands[0], "-"));
    if (inputs > 1)
        return usage(err, "standard input can be one of records, --init and --teacher only");
    const char *const outputs[] = {run->common.output, p->log};
    return p->dry_run ? 0 : ca_cli_distinct(outputs, 2, err);
}

static int list_archs(void)
{
    static const char *const sizes[] = {[CA_SIZES_ALL] = ":WIDTH:HIDDEN,...", [CA_SIZES_WIDTH] = ":WIDTH", [CA_SIZES_NONE] = ""};

    (void)puts("name\tsummary\tsource\tspelling\tfamily\tused\tparameters\toperations");
    for (size_t i = 0; ca_archs[i]; i++) {
        const struct ca_arch *a = ca_archs[i];

        (void)printf("%s\t%s\t%s\t%s%s", a->name, a->summary, a->source, a->name, sizes[a->sizes]);
        for (const struct ca_arch_key *k = a->keys; k && k->name; k++) {
            struct ca_buf value = {0};

            ca_arch_key_text(k, k->value, &value);
            (void)printf("%c%s%s", k == a->keys ? ':' : ',', k->name, value.data ? value.data : "");
            ca_buf_fini(&value);
        }
        (void)printf("\t%s\t%s\t%s\t%s\n", a->family == CA_FAMILY_FX ? "FX" : "CA", a->used, a->parameters,
                     a->operations);
    }
    return 0;
}

/* As words of a command line: a name, then --option value ... */
static int list_configs(struct ca_err *err)
{
    (void)puts("name\toptions");
    for (const struct ca_config *c = ca_train_configs; c->name; c++) {
        const char *key, *value;
        size_t line = 0;
        char *text = ca_mem_strdup(c->text, err), *p = text;

        if (!text)
            return CA_EMEMORY;
        (void)printf("%s\t", c->name);
        for (const char *before = ""; ca_config_next(&p, &key, &value, &line); before = " ")
            (void)printf("%s--%s%s%s", before, key, value ? " " : "", value ? value : "");
        (void)putchar('\n');
        ca_mem_free(text);
    }
    return 0;
}

static int load_init(const struct params *p, const struct ca_run *run, struct work *w, struct ca_err *err)
{
    char digest[CA_DIGEST_HEX];
    struct ca_arch_spec spec;
    int rc;

    if (p->arch && (rc = ca_arch_parse(p->arch, &spec, err)))
        return rc;
    rc = ca_model_load(&w->model, p->init, run->common.force ? CA_MODEL_FORCE : 0, w->pool, err);
    if (rc)
        return rc;
    if (p->arch && !ca_arch_equal(&spec, &w->model->spec)) {
        struct ca_buf text = {0};
        ca_arch_text(&w->model->spec, &text);
        rc = ca_err_set(err, CA_EUSAGE, "--arch %.100s is not the architecture of --init: %.300s", p->arch,
                        text.data ? text.data : "");
        ca_buf_fini(&text);
        return rc;
    }
    if (p->reset && (rc = ca_model_reset_optimizer(w->model, err)))
        return rc;
    if ((rc = ca_model_digest(w->model, digest, err)))
        return rc;
    return ca_model_input(w->model, "model", digest, err);
}

static int make_model(const struct params *p, const struct ca_run *run, struct work *w, struct ca_err *err)
{
    const struct ca_head *head = ca_reader_head(w->reader);
    struct ca_binding bind;
    struct ca_arch_spec spec;
    int rc;

    if (!p->init) {
        if ((rc = ca_arch_parse(p->arch, &spec, err)))
            return rc;
        return ca_model_new(&w->model, &spec, head, &p->choices, run->common.seed, w->pool, err);
    }
    if ((rc = load_init(p, run, w, err)))
        return rc;
    rc = ca_model_bind(w->model, head, &bind, err);
    if (rc) {
        (void)ca_err_at(err, ca_reader_name(w->reader), -1, -1);
        return rc;
    }
    ca_binding_fini(&bind);
    return ca_model_adopt(w->model, head, err);
}

static int load_teacher(const struct params *p, struct work *w, struct ca_err *err)
{
    char digest[CA_DIGEST_HEX];
    int rc;

    if (!p->teacher)
        return 0;
    rc = ca_model_load(&w->teacher, p->teacher, CA_NET_INFERENCE, w->pool, err);
    if (!rc)
        rc = ca_model_digest(w->teacher, digest, err);
    return rc ? rc : ca_model_input(w->model, "teacher", digest, err);
}

/* What is not given is as the architecture trains. */
static struct ca_adam optimizer(const struct params *p, const struct ca_run *run, const struct ca_model *m)
{
    struct ca_adam adam = ca_model_adam(m->spec.arch), given = p->adam;

    if (ca_cli_given(run, "lr"))
        adam.lr_table = adam.lr_dense = p->lr;
    given.lr_table = ca_cli_given(run, "lr-table") ? p->adam.lr_table : adam.lr_table;
    given.lr_dense = ca_cli_given(run, "lr-dense") ? p->adam.lr_dense : adam.lr_dense;
    return given;
}

static void set_optimizer(const struct params *p, const struct ca_run *run, struct ca_model *m)
{
    struct ca_adam adam = optimizer(p, run, m);
    struct ca_regular regular = p->regular;

    if (!ca_cli_given(run, "clip"))
        regular.clip = ca_model_regular(m->spec.arch).clip;
    ca_net_set_adam(m->net, &adam);
    ca_net_set_regular(m->net, &regular);
}

static int make_align(const struct params *p, const struct ca_run *run, struct work *w, struct ca_err *err)
{
    struct ca_adam adam = optimizer(p, run, w->model);
    const struct ca_align_opts o = {.hint = p->hint, .rkd = p->rkd, .mismatch = (enum ca_align_mismatch)p->rkd_mismatch,
                                    .seed = run->common.seed, .adam = &adam, .reset = p->reset};

    return p->hint > 0 || p->rkd > 0 ? ca_align_new(&w->align, &o, w->model, w->teacher, w->pool, err) : 0;
}

static int print_plan(const struct params *p, const struct work *w)
{
    const struct ca_graph *g = ca_net_graph(w->model->net);
    size_t dense = ca_graph_dense_count(g), table = 0;
    struct ca_buf arch = {0};

    for (size_t i = 0; i < ca_graph_n_tables(g); i++)
        table += ca_graph_get_table(g, i)->rows * ca_graph_get_table(g, i)->width;
    ca_arch_text(&w->model->spec, &arch);
    (void)printf("key\tvalue\narchitecture\t%s\nnumeric\t%zu\nfields\t%zu\n", arch.data ? arch.data : "",
                 w->model->n_numeric, w->model->n_fields);
    (void)printf("dense_parameters\t%zu\ntable_parameters\t%zu\nmodel_bytes\t%zu\n", dense, table,
                 (dense + table) * sizeof(float));
    (void)printf("optimizer_bytes\t%zu\ngradient_bytes\t%zu\nflops_per_row\t%llu\n", 2 * (dense + table) * sizeof(float),
                 dense * ca_graph_lanes(g) * sizeof(float), (unsigned long long)ca_net_flops_per_row(w->model->net));
    (void)printf("batch\t%llu\nepochs\t%llu\nloss\t%s\n", (unsigned long long)p->batch, (unsigned long long)p->epochs,
                 w->loss.name);
    ca_buf_fini(&arch);
    return 0;
}

static int train(const struct params *p, struct ca_run *run, struct work *w, struct ca_err *err)
{
    struct ca_progress progress;
    struct ca_train_result res = {0};
    const struct ca_train_plateau plateau = {p->plateau.patience, p->plateau.decay, LR_LEAST, p->monitor == MONITOR_LOGLOSS};
    const struct ca_train_beside beside = ca_align_beside(w->align);
    const struct ca_train_opts o = {
        .batch = (size_t)p->batch,
        .epochs = p->epochs,
        .step = p->freeze == FREEZE_EMBEDDINGS ? CA_STEP_DENSE : CA_STEP_ALL,
        .loss = &w->loss,
        .teacher_column = p->teacher_column,
        .teacher = w->teacher,
        .beside = w->align ? &beside : NULL,
        .weights = p->weights,
        .shuffle = p->shuffle,
        .seed = run->common.seed,
        .plateau = p->plateau.patience ? &plateau : NULL,
        .valid = p->valid,
        .valid_interval = p->valid_interval,
        .log = w->log,
        .log_interval = p->log_interval,
        .progress = &progress,
    };
    const struct ca_tail *tail = ca_reader_tail(w->reader);
    char valid[96] = "";
    int rc;

    set_optimizer(p, run, w->model);
    ca_progress_start(&progress, run, "rows", tail ? tail->rows * (int64_t)p->epochs : 0);
    rc = ca_train(w->model, w->reader, &o, &res, err);
    ca_progress_end(&progress);
    if (rc || (w->align && (rc = ca_align_keep(w->align, err))))
        return rc;
    if (!res.rows)
        ca_log(CA_LOG_WARN, "no records: nothing was learned");
    if (res.best_epoch)
        (void)snprintf(valid, sizeof valid, ", best epoch %llu of %llu: valid auc %.6f logloss %.6f",
                       (unsigned long long)res.best_epoch, (unsigned long long)res.epochs, res.valid.auc,
                       res.valid.logloss);
    else if (res.evaluated)
        (void)snprintf(valid, sizeof valid, ", valid auc %.6f logloss %.6f", res.valid.auc, res.valid.logloss);
    run->records = res.rows;
    (void)snprintf(run->result, sizeof run->result, "%llu steps, loss %.6f, %.2f s training%s",
                   (unsigned long long)res.steps, res.loss, res.train_s, valid);
    rc = ca_model_write(w->model, w->out, p->weights_only ? CA_MODEL_WEIGHTS_ONLY : 0, run, err);
    w->out = NULL;
    return rc;
}

static int open_all(const struct params *p, struct ca_run *run, struct work *w, struct ca_err *err)
{
    int rc;

    w->loss = p->loss == LOSS_BCE ? ca_loss_bce : ca_distill_loss(&p->distill);
    w->pool = ca_pool_new((unsigned)run->common.threads, err);
    if (!w->pool)
        return err->code;
    if ((rc = ca_reader_open(&w->reader, run->n_operands ? run->operands[0] : "-", run->common.force, err)))
        return rc;
    ca_reader_ahead(w->reader, run->common.threads);
    if (!p->dry_run && (rc = ca_model_output(&w->out, run->common.output, run, err)))
        return rc;
    if (!p->dry_run && p->log && (rc = ca_out_open(&w->log, p->log, err)))
        return rc;
    if ((rc = make_model(p, run, w, err)))
        return rc;
    if ((rc = load_teacher(p, w, err)))
        return rc;
    return make_align(p, run, w, err);
}

static int run_train(struct ca_run *run, struct ca_err *err)
{
    struct params *p = run->params;
    struct work w = {0};
    int rc;

    if (p->list)
        return list_archs();
    if (p->list_configs)
        return list_configs(err);
    if ((rc = check_options(run, p, err)))
        return rc;
    p->distill.form = p->loss == LOSS_PAPER ? CA_DISTILL_PAPER
                      : p->loss == LOSS_HUBER ? CA_DISTILL_HUBER : CA_DISTILL_PUBLISHED;
    rc = open_all(p, run, &w, err);
    if (!rc)
        rc = p->dry_run ? print_plan(p, &w) : train(p, run, &w, err);
    /* the log of a run that failed tells where */
    if (w.log) {
        int logged = ca_out_close(w.log, rc ? NULL : err);
        rc = rc ? rc : logged;
    }
    ca_out_abort(w.out);
    ca_align_free(w.align);
    ca_model_free(w.teacher);
    ca_model_free(w.model);
    ca_reader_close(w.reader);
    ca_pool_free(w.pool);
    return rc;
}

static const char *const displaces[][2] = {
    {"lr", "lr-table"}, {"lr", "lr-dense"}, {"init", "sequence-length"}, {"init", "item-fields"}, {NULL, NULL}};

static const struct ca_tool tool = {
    .name = "ca-train",
    .summary = "learn a model from a record stream, alone or from a teacher",
    .operands = "[FILE]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = 1,
    .configs = ca_train_configs,
    .displaces = displaces,
    .engine = ca_blas_engine,
    .run = run_train,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
