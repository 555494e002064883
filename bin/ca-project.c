/*
 * ca-project: a new model of another architecture that inherits the embedding
 * tables of a trained one, and a report of what that cost.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/out.h"
#include "cli/cli.h"
#include "model/model.h"
#include "nn/blas.h"
#include "transfer/project.h"

#include "base/banned.h"

#define RETAIN_DEFAULT 0.99

enum { METHOD_PROJECT, METHOD_NONE };
enum { FORMAT_TSV, FORMAT_JSON };

struct params {
    const char *arch;
    int method;
    int scope;
    int mean;
    double retain;
    int optimizer;
    const char *report;
    int format;
};

#define AT(member) CA_OFFSET(params, member)

static const struct ca_opt opts[] = {
    {"arch", 'a', CA_OPT_STRING, AT(arch), "NAME:WIDTH:HIDDEN,...", NULL, 0, 0, 0,
     "architecture of the new model; WIDTH auto takes the least width that --retain allows"},
    {"method", 0, CA_OPT_CHOICE, AT(method), "project|none", "project", 0, 0, 0,
     "project: inherit the tables; none: leave them as a fresh model has them"},
    {"scope", 0, CA_OPT_CHOICE, AT(scope), "per-field|shared", "per-field", 0, 0, 0,
     "a basis of its own for every field, or one for all, which keeps products across fields"},
    {"mean", 0, CA_OPT_CHOICE, AT(mean), "drop|keep", "drop", 0, 0, 0,
     "narrower tables lose the mean of their rows (the published code), or keep it (the paper's algorithm)"},
    {"retain", 0, CA_OPT_REAL, AT(retain), "SHARE", NULL, 1e-6, 1, 0,
     "with WIDTH auto: share of the variance that every field must keep; 0.99 unless given"},
    {"optimizer", 0, CA_OPT_CHOICE, AT(optimizer), "drop|map", "drop", 0, 0, 0,
     "the tables' optimizer state: start afresh, or map it along with the rows"},
    {"report", 0, CA_OPT_FILE, AT(report), "FILE", NULL, 0, 0, CA_OPT_NEUTRAL,
     "write what every field's projection lost to FILE; - is standard output"},
    {"format", 0, CA_OPT_CHOICE, AT(format), "tsv|json", "tsv", 0, 0, CA_OPT_NEUTRAL, "form of the report"},
};

static const struct ca_example examples[] = {
    {"ca-project --arch fibinet:16:256,128,16 teacher.safetensors -o student.safetensors", "a wider student over the teacher's tables"},
    {"ca-project --arch mlp:auto:64,32 --retain 0.95 --report - teacher.safetensors -o small.safetensors",
     "the narrowest tables that keep 95 % of the variance, and what was lost"},
    {NULL, NULL},
};

/* The specification with its width, or "auto" for a width of 0. */
static int parse_arch(const char *text, size_t auto_width, struct ca_arch_spec *spec, int *is_auto, struct ca_err *err)
{
    const char *colon = strchr(text, ':');
    struct ca_buf b = {0};
    int rc;

    *is_auto = colon && !strncmp(colon, ":auto:", 6);
    if (!*is_auto)
        return ca_arch_parse(text, spec, err);
    ca_buf_add(&b, text, (size_t)(colon - text));
    ca_buf_printf(&b, ":%zu:%s", auto_width, colon + 6);
    if (!(rc = ca_buf_check(&b, err)))
        rc = ca_arch_parse(b.data, spec, err);
    ca_buf_fini(&b);
    return rc;
}

static int check_usage(const struct ca_run *run, struct ca_arch_spec *spec, int *is_auto, struct ca_err *err)
{
    const struct params *p = run->params;
    int rc;

    if (!p->arch) {
        (void)ca_err_set(err, CA_EUSAGE, "no architecture");
        return ca_err_hint(err, "say --arch NAME:WIDTH:HIDDEN,...");
    }
    if ((rc = parse_arch(p->arch, 1, spec, is_auto, err)))
        return rc;
    if (p->retain > 0 && !*is_auto)
        return ca_err_set(err, CA_EUSAGE, "--retain chooses a width, but --arch gives one: write auto for it");
    if (p->method == METHOD_NONE && p->optimizer == CA_PROJECT_MAP)
        return ca_err_set(err, CA_EUSAGE, "--optimizer map needs --method project");
    const char *const outputs[] = {run->common.output, p->report};
    return ca_cli_distinct(outputs, 2, err);
}

static int write_report(const struct params *p, const struct ca_project_field *field, size_t n, struct ca_err *err)
{
    struct ca_buf b = {0};
    struct ca_out *out = NULL;
    int rc = 0;

    if (p->format == FORMAT_JSON)
        rc = ca_project_report_json(field, n, &b, err);
    else
        ca_project_report_tsv(field, n, &b);
    if (!rc)
        rc = ca_buf_check(&b, err);
    if (!rc)
        rc = ca_out_open(&out, p->report, err);
    if (!rc && (rc = ca_out_write(out, b.data, b.len, err)))
        ca_out_abort(out);
    else if (!rc)
        rc = ca_out_close(out, err);
    ca_buf_fini(&b);
    return rc;
}

static void summarise(struct ca_run *run, const struct ca_project_field *field, size_t n)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++)
        if (field[i].reconstruction_error > worst)
            worst = field[i].reconstruction_error;
    if (n && field[0].how != CA_PROJECT_NONE)
        (void)snprintf(run->result, sizeof run->result, "%zu tables, width %zu to %zu, reconstruction error up to %.3g",
                       n, field[0].from, field[0].to, worst);
}

static int project(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_project_opts o = {.none = p->method == METHOD_NONE,
                                .scope = (enum ca_project_scope)p->scope,
                                .mean = (enum ca_project_mean)p->mean,
                                .moments = (enum ca_project_moments)p->optimizer,
                                .seed = run->common.seed};
    struct ca_model *from = NULL, *to = NULL;
    struct ca_project_field *field = NULL;
    struct ca_pool *pool = NULL;
    struct ca_arch_spec spec;
    char digest[CA_DIGEST_HEX];
    size_t n = 0, width;
    int is_auto, rc = check_usage(run, &spec, &is_auto, err);

    if (rc)
        return rc;
    if (!(pool = ca_pool_new((unsigned)run->common.threads, err))) {
        rc = err->code;
        goto out;
    }
    rc = ca_model_load(&from, run->n_operands ? run->operands[0] : "-",
                       (o.moments == CA_PROJECT_MAP ? 0 : CA_NET_INFERENCE) |
                           (run->common.force ? CA_MODEL_FORCE : 0),
                       pool, err);
    if (rc)
        goto out;
    if (is_auto) {
        rc = ca_project_width(from, o.scope, p->retain > 0 ? p->retain : RETAIN_DEFAULT, pool, &width, err);
        if (!rc)
            rc = parse_arch(p->arch, width, &spec, &is_auto, err);
        if (rc)
            goto out;
        ca_log(CA_LOG_INFO, "width %zu", width);
    }
    if ((rc = ca_model_like(&to, &spec, from, run->common.seed, pool, err)))
        goto out;
    n = ca_project_count(to, from);
    if (!(field = ca_mem_zalloc(n, sizeof *field, err))) {
        rc = CA_EMEMORY;
        goto out;
    }
    if ((rc = ca_project_tables(to, from, &o, pool, field, err)))
        goto out;
    if ((rc = ca_model_digest(from, digest, err)) || (rc = ca_model_input(to, "model", digest, err)))
        goto out;
    if (p->report && (rc = write_report(p, field, n, err)))
        goto out;
    if ((rc = ca_model_save(to, run->common.output, run->common.force ? CA_MODEL_FORCE : 0, run, err)))
        goto out;
    summarise(run, field, n);
    run->records = -1;
out:
    ca_mem_free(field);
    ca_model_free(to);
    ca_model_free(from);
    ca_pool_free(pool);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-project",
    .summary = "let a new model inherit the embedding tables of a trained one",
    .operands = "[MODEL]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = 1,
    .engine = ca_blas_engine,
    .run = project,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
