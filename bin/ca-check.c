/*
 * ca-check: is a record stream whole and undamaged? Silent when it is; the
 * status and the message say what is wrong and at which byte.
 */
#include "base/log.h"
#include "base/out.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "record/reader.h"

#include "base/banned.h"

struct params {
    int digest;
};

static const struct ca_opt opts[] = {
    {"digest", 0, CA_OPT_FLAG, CA_OFFSET(params, digest), "", NULL, 0, 0, 0,
     "print the content digest and the name of each sound stream, a tab between them"},
};

static const struct ca_example examples[] = {
    {"ca-check clicks.car && echo sound", "say whether a file is whole"},
    {"ca-check --digest day1.car day2.car", "compare content, whatever the block size or compression"},
    {"ca-gen --rows 1M | ca-check", "check a stream as it passes"},
    {NULL, NULL},
};

/* Read one stream to its end; its rows are added to run->records. */
static int check(struct ca_run *run, const char *path, struct ca_progress *progress, struct ca_out *out,
                 struct ca_err *err)
{
    struct ca_reader *r;
    struct ca_block b;
    int rc = ca_reader_open(&r, path, run->common.force, err);

    if (rc)
        return rc;
    while ((rc = ca_reader_next(r, &b, err)) == 1) {
        run->records += (int64_t)b.rows;
        ca_progress_update(progress, run->records, NULL);
    }
    if (!rc && out) {
        struct ca_buf line = {0};
        ca_buf_printf(&line, "%s\t%s\n", ca_reader_tail(r)->digest, path);
        if (!(rc = ca_buf_check(&line, err)))
            rc = ca_out_write(out, line.data, line.len, err);
        ca_buf_fini(&line);
    }
    ca_reader_close(r);
    return rc;
}

static int run_check(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_progress progress;
    struct ca_out *out = NULL;
    int failed = 0;

    if (p->digest) {
        int rc = ca_out_open(&out, run->common.output, err);
        if (rc)
            return rc;
    }
    run->records = 0;
    ca_progress_start(&progress, run, "rows", 0);
    /* every stream is looked at, and every fault told: the last one by our caller */
    for (size_t i = 0; i < run->n_operands || !i; i++) {
        struct ca_err fault = {0};
        int rc = check(run, run->n_operands ? run->operands[i] : "-", &progress, out, &fault);

        if (!rc)
            continue;
        if (failed)
            ca_log_err(err);
        *err = fault;
        failed = rc;
        if (rc == CA_EWRITE || rc == CA_EMEMORY)
            break;
    }
    ca_progress_end(&progress);
    if (out && failed) {
        /* the digests of the sound ones are still good */
        struct ca_err second = {0};
        if (ca_out_close(out, &second) && failed != CA_EWRITE)
            ca_log_err(&second);
    } else if (out) {
        return ca_out_close(out, err);
    }
    return failed;
}

static const struct ca_tool tool = {.name = "ca-check",
                                    .summary = "check that record streams are whole and undamaged",
                                    .operands = "[FILE...]",
                                    .examples = examples,
                                    .opts = opts,
                                    .n_opts = sizeof opts / sizeof *opts,
                                    .params_size = sizeof(struct params),
                                    .max_operands = -1,
                                    .flags = CA_TOOL_SILENT,
                                    .run = run_check};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
