/*
 * ca-import: a click log as text to records, with the vocabulary of its columns.
 */
#include <stdio.h>

#include "base/log.h"
#include "cli/cli.h"
#include "data/import.h"

#include "base/banned.h"

struct params {
    const char *schema;
    const char *with;
    const char *ratios;
    struct ca_import import;
    int scope;
};

#define P(member) offsetof(struct params, member)

static const struct ca_opt opts[] = {
    {"schema", 's', CA_OPT_FILE, P(schema), "NAME", NULL, 0, 0, 0,
     "what the columns are: criteo, criteo-kdef, avazu, ml1m, hotel, globo, criteo_attribution, or the path of a schema file"},
    {"with", 0, CA_OPT_STRING, P(with), "LINES", NULL, 0, 0, 0,
     "schema lines, separated by ';', that replace those of the schema"},
    {"vocab", 0, CA_OPT_FILE, P(import.vocab), "FILE", NULL, 0, 0, 0,
     "use this vocabulary: nothing is counted or spooled, no value is new"},
    {"vocab-out", 0, CA_OPT_FILE, P(import.vocab_out), "FILE", NULL, 0, 0, CA_OPT_NEUTRAL,
     "write the vocabulary to FILE as well"},
    {"vocab-scope", 0, CA_OPT_CHOICE, P(scope), "past|all", "past", 0, 0, 0,
     "rows whose values count: those before the online part, or all, as in the published code"},
    {"vocab-rows", 0, CA_OPT_COUNT, P(import.vocab_rows), "N", NULL, 1, 9e18, 0,
     "count the values of the first N rows"},
    {"ratios", 0, CA_OPT_STRING, P(ratios), "H:T:O:E", NULL, 0, 0, 0,
     "parts hist:train:online:test, for the scope; the schema has a default"},
    {"min-count", 0, CA_OPT_COUNT, P(import.min_count), "N", NULL, 1, 4294967295.0, 0,
     "keep values counted at least N times; the schema has a default"},
    {"drop-unlabelled", 0, CA_OPT_FLAG, P(import.drop_unlabelled), "", NULL, 0, 0, 0,
     "leave out rows without a label instead of taking them for malformed"},
    {"skip-bad", 0, CA_OPT_COUNT, P(import.skip_bad), "N", "0", 0, 9e18, 0, "leave out up to N malformed rows"},
    {"reject", 0, CA_OPT_FILE, P(import.reject), "FILE", NULL, 0, 0, CA_OPT_NEUTRAL,
     "write the malformed rows that are left out to FILE as they stood"},
    CA_WRITER_OPTS(P(import.writer)),
};

static const struct ca_example examples[] = {
    {"ca-import --schema criteo train.txt.gz -o criteo.car", "the Criteo data as CrossAdapt prepares them"},
    {"ca-import --schema avazu --vocab-scope all --with 'hour drop' train.gz -o avazu.car",
     "Avazu without the hour, counting all rows"},
    {"zcat day_*.gz | ca-import --schema my.schema --vocab old.vocab | ca-view -n 3", "new days, an old vocabulary"},
    {NULL, NULL},
};

static int check(const struct ca_run *run, const struct params *p, struct ca_err *err)
{
    static const char *const counting[] = {"vocab-scope", "vocab-rows", "ratios", "min-count"};

    if (!p->schema)
        return ca_err_set(err, CA_EUSAGE, "missing option --schema");
    for (size_t i = 0; p->import.vocab && i < sizeof counting / sizeof *counting; i++)
        if (ca_cli_given(run, counting[i]))
            return ca_err_set(err, CA_EUSAGE, "--vocab and --%s exclude each other", counting[i]);
    if (ca_cli_given(run, "vocab-rows") && (ca_cli_given(run, "vocab-scope") || ca_cli_given(run, "ratios")))
        return ca_err_set(err, CA_EUSAGE, "--vocab-rows excludes --vocab-scope and --ratios");
    if (p->import.reject && !p->import.skip_bad)
        return ca_err_set(err, CA_EUSAGE, "--reject needs --skip-bad");
    const char *const outputs[] = {run->common.output, p->import.vocab_out, p->import.reject};
    return ca_cli_distinct(outputs, 3, err);
}

/* What is odd but no fault. */
static void warn(const struct ca_schema_file *s, const struct ca_import_counts *n)
{
    if (n->bad)
        ca_log(CA_LOG_WARN, "%lld malformed rows left out", (long long)n->bad);
    if (n->unlabelled)
        ca_log(CA_LOG_WARN, "%lld rows without a label left out", (long long)n->unlabelled);
    if (n->backwards)
        ca_log(CA_LOG_WARN, "%lld rows are older than the row before: is the text in order of time?",
               (long long)n->backwards);
    if (s->expect_rows && n->rows * 10 > (int64_t)s->expect_rows * 9 && n->rows != (int64_t)s->expect_rows)
        ca_log(CA_LOG_WARN, "%lld rows, but the full '%s' data have %llu", (long long)n->rows, s->name,
               (unsigned long long)s->expect_rows);
}

static int run_import(struct ca_run *run, struct ca_err *err)
{
    struct params *p = run->params;
    struct ca_schema_file schema = {0};
    struct ca_import_counts n;
    int rc = check(run, p, err);

    if (rc)
        return rc;
    rc = ca_schema_file_load(&schema, p->schema, err);
    if (!rc && p->with)
        rc = ca_schema_file_amend(&schema, p->with, err);
    if (!rc && p->ratios)
        rc = ca_schema_file_ratios(&schema, p->ratios, err);
    if (!rc) {
        p->import.schema = &schema;
        p->import.scope = p->scope ? CA_SCOPE_ALL : CA_SCOPE_PAST;
        rc = ca_import_run(&p->import, run, &n, err);
    }
    if (!rc) {
        warn(&schema, &n);
        run->records = n.rows;
        if (n.counted >= 0)
            (void)snprintf(run->result, sizeof run->result, "vocabulary of %llu rows from the first %lld records",
                           (unsigned long long)n.table_rows, (long long)n.counted);
    }
    ca_schema_file_fini(&schema);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-import",
    .summary = "turn a click log as text into records",
    .operands = "[FILE...]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = -1,
    .run = run_import,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
