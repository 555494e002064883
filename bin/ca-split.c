/* ca-split: cut a record stream into consecutive parts. See ca-split(1). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "data/split.h"
#include "record/reader.h"
#include "record/writer.h"

#include "base/banned.h"

struct params {
    const char *by[3]; /* ratios, counts, times: enum ca_split_by */
    const char *names, *out_dir;
    struct ca_writer_opts writer;
};

static const struct ca_opt opts[] = {
    {"ratios", 'r', CA_OPT_STRING, CA_OFFSET(params, by[CA_SPLIT_RATIOS]), "A:B:...", NULL, 0, 0, 0,
     "sizes of the parts in proportion; the last takes what rounding down leaves"},
    {"counts", 0, CA_OPT_STRING, CA_OFFSET(params, by[CA_SPLIT_COUNTS]), "N:N:...", NULL, 0, 0, 0,
     "rows of each part; the last may be * for the rest"},
    {"times", 0, CA_OPT_STRING, CA_OFFSET(params, by[CA_SPLIT_TIMES]), "T:T:...", NULL, 0, 0, 0,
     "first time of every part but the first, by the time column"},
    {"names", 0, CA_OPT_STRING, CA_OFFSET(params, names), "NAME:NAME:...", NULL, 0, 0, CA_OPT_NEUTRAL,
     "names of the parts; without it four parts are hist, train, online and test"},
    {"out-dir", 'd', CA_OPT_FILE, CA_OFFSET(params, out_dir), "DIR", ".", 0, 0, CA_OPT_NEUTRAL,
     "write DIR/NAME.car for every part; DIR is made when missing"},
    CA_WRITER_OPTS(CA_OFFSET(params, writer)),
};

static const struct ca_example examples[] = {
    {"ca-split --ratios 4:4:1:1 --out-dir data clicks.car", "hist, train, online and test as published"},
    {"ca-split --times 86400:172800 --names day1:day2:rest clicks.car", "cut at points in time"},
    {NULL, NULL},
};

/* One run. */
struct work {
    struct ca_split split;
    char *path[CA_SPLIT_MAX_PARTS];
    struct ca_writer *writer[CA_SPLIT_MAX_PARTS];
    int64_t size[CA_SPLIT_MAX_PARTS]; /* by times: INT64_MAX until the part has ended */
    size_t part;                      /* being written */
    int64_t last_time;
    size_t time_col;
};

/* The parts' file names: DIR/NAME.car. */
static int make_paths(struct work *w, const struct params *p, struct ca_err *err)
{
    const char *names = p->names ? p->names : "hist:train:online:test", *s = names;
    size_t dir = strlen(p->out_dir), n = 0;

    if (!p->names && w->split.parts != 4)
        return ca_err_set(err, CA_EUSAGE, "%zu parts have no names of their own: give them with --names",
                          w->split.parts);
    for (;; s++) {
        size_t len = strcspn(s, ":"), size = dir + len + sizeof "/.car";
        if (!len || *s == '.' || memchr(s, '/', len) || len > 200)
            return ca_err_set(err, CA_EUSAGE, "'%.*s' cannot be the name of a part", (int)(len < 200 ? len : 200), s);
        if (n == w->split.parts)
            return ca_err_set(err, CA_EUSAGE, "'%s' names more than %zu parts", names, n);
        w->path[n] = ca_mem_alloc(size, 1, err);
        if (!w->path[n])
            return CA_EMEMORY;
        (void)snprintf(w->path[n], size, "%s/%.*s.car", p->out_dir, (int)len, s);
        for (size_t i = 0; i < n; i++)
            if (!strcmp(w->path[i], w->path[n]))
                return ca_err_set(err, CA_EUSAGE, "two parts have the name '%.*s'", (int)len, s);
        n++;
        s += len;
        if (!*s)
            break;
    }
    if (n != w->split.parts)
        return ca_err_set(err, CA_EUSAGE, "'%s' names %zu of %zu parts", names, n, w->split.parts);
    return 0;
}

/* Exactly one of the three ways to cut. */
static int parse_options(struct work *w, const struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    int by = -1, rc;

    for (int i = 0; i < 3; i++)
        if (p->by[i]) {
            if (by >= 0)
                return ca_err_set(err, CA_EUSAGE, "only one of --ratios, --counts and --times can cut the stream");
            by = i;
        }
    if (by < 0)
        return ca_err_set(err, CA_EUSAGE, "where to cut is missing: --ratios, --counts or --times");
    if (strcmp(run->common.output, "-"))
        return ca_err_set(err, CA_EUSAGE, "a split has many outputs: use --out-dir instead of --output");
    if ((rc = ca_split_parse(&w->split, (enum ca_split_by)by, p->by[by], err)))
        return rc;
    return make_paths(w, p, err);
}

static int make_dir(const char *path, struct ca_err *err)
{
    if (mkdir(path, 0777) && errno != EEXIST) {
        (void)ca_err_sys(err, CA_EOPEN, "cannot make the directory");
        return ca_err_at(err, path, -1, -1);
    }
    return 0;
}

/* Copy a stream whose length must be known and is not into a file without a name. */
static int spool(struct ca_reader **reader, struct ca_err *err)
{
    struct ca_writer *w = NULL;
    struct ca_block b;
    int rc = ca_writer_spool(&w, ca_reader_head(*reader), err);

    while (!rc && (rc = ca_reader_next(*reader, &b, err)) == 1)
        rc = ca_writer_put(w, &b, 0, b.rows, err);
    if (rc) {
        ca_writer_abort(w);
        return rc;
    }
    ca_reader_close(*reader);
    *reader = NULL;
    return ca_writer_spooled(w, reader, err);
}

/* Rows in all, before they are read: from the index of a file, from a spool of anything else. */
static int count_rows(struct ca_reader **reader, int64_t *rows, struct ca_err *err)
{
    struct ca_err no_index = {0};
    int rc = ca_reader_index(*reader, &no_index);

    if (rc == CA_EUSAGE) {
        if ((rc = spool(reader, err)))
            return rc;
        rc = ca_reader_index(*reader, err);
    } else if (rc) {
        *err = no_index;
    }
    if (!rc)
        *rows = ca_reader_tail(*reader)->rows;
    return rc;
}

/* Hand the rows of a block to the parts they belong to. */
static int put_block(struct work *w, const struct ca_block *b, struct ca_err *err)
{
    int rc;

    for (size_t done = 0; done < b->rows;) {
        size_t n = b->rows - done;
        if (w->split.by == CA_SPLIT_TIMES) {
            rc = ca_split_leading(&w->split, w->part, ca_block_i64(b, w->time_col) + done, n,
                                  b->first_row + (int64_t)done, &w->last_time, &n, err);
            if (rc)
                return rc;
        } else {
            int64_t room = w->size[w->part] - ca_writer_rows(w->writer[w->part]);
            n = room < (int64_t)n ? (size_t)room : n;
        }
        if (n && (rc = ca_writer_put(w->writer[w->part], b, done, n, err)))
            return rc;
        done += n;
        if (done < b->rows)
            w->part++; /* the sizes add up to the rows, and times leave no row without a part */
    }
    return 0;
}

/* End all parts, or take back those that were ended already. */
static int close_parts(struct work *w, const struct ca_reader *reader, struct ca_err *err)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < w->split.parts && !rc; i++)
        rc = ca_writer_input(w->writer[i], "records", ca_reader_tail(reader)->digest, err);
    for (i = 0; i < w->split.parts && !rc; i++) {
        rc = ca_writer_close(w->writer[i], err);
        w->writer[i] = NULL;
    }
    /* the one that failed has left its place as it was */
    if (rc && i)
        while (--i > 0)
            (void)unlink(w->path[i - 1]);
    return rc;
}

static int split_stream(struct ca_run *run, struct work *w, struct ca_reader **reader, struct ca_err *err)
{
    const struct params *p = run->params;
    struct ca_progress progress;
    struct ca_block b;
    int64_t rows = 0;
    int rc;

    if (w->split.by == CA_SPLIT_TIMES) {
        int c = ca_schema_role(&ca_reader_head(*reader)->schema, CA_ROLE_TIME, 0);
        if (c < 0) {
            (void)ca_err_set(err, CA_ESCHEMA, "the stream has no time column");
            return ca_err_at(err, ca_reader_name(*reader), -1, -1);
        }
        w->time_col = (size_t)c;
    } else if ((rc = count_rows(reader, &rows, err)) || (rc = ca_split_sizes(&w->split, rows, w->size, err))) {
        return rc;
    }
    if ((rc = make_dir(p->out_dir, err)))
        return rc;
    for (size_t i = 0; i < w->split.parts; i++)
        if ((rc = ca_writer_open(&w->writer[i], w->path[i], ca_reader_head(*reader), &p->writer, run, err)))
            return rc;
    ca_progress_start(&progress, run, "rows", rows);
    while ((rc = ca_reader_next(*reader, &b, err)) == 1) {
        if ((rc = put_block(w, &b, err)))
            break;
        ca_progress_update(&progress, ca_reader_rows_read(*reader), NULL);
    }
    ca_progress_end(&progress);
    if (rc)
        return ca_err_at(err, ca_reader_name(*reader), -1, -1), rc;
    run->records = ca_reader_rows_read(*reader);
    for (size_t i = 0; i < w->split.parts; i++) {
        size_t used = strlen(run->result);
        (void)snprintf(run->result + used, sizeof run->result - used, "%s%lld", i ? ":" : "",
                       (long long)ca_writer_rows(w->writer[i]));
    }
    return close_parts(w, *reader, err);
}

static int run_split(struct ca_run *run, struct ca_err *err)
{
    struct work w = {.last_time = INT64_MIN};
    struct ca_reader *reader = NULL;
    int rc = parse_options(&w, run, err);

    if (!rc)
        rc = ca_reader_open(&reader, run->n_operands ? run->operands[0] : "-", run->common.force, err);
    if (!rc)
        ca_reader_ahead(reader, run->common.threads);
    if (!rc)
        rc = split_stream(run, &w, &reader, err);
    for (size_t i = 0; i < CA_SPLIT_MAX_PARTS; i++) {
        ca_writer_abort(w.writer[i]);
        ca_mem_free(w.path[i]);
    }
    ca_reader_close(reader);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-split",
    .summary = "cut a record stream into consecutive parts",
    .operands = "[FILE]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .min_operands = 0,
    .max_operands = 1,
    .run = run_split,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
