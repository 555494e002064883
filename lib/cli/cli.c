#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "base/sig.h"
#include "cli/page.h"

#include "base/banned.h"

#define COMMON(member) offsetof(struct ca_common, member)
#define DEFAULT_TEXT(x) DEFAULT_TEXT_(x)
#define DEFAULT_TEXT_(x) #x

const struct ca_opt ca_cli_common_opts[] = {
    {"output", 'o', CA_OPT_FILE, COMMON(output), "FILE", "-", 0, 0, CA_OPT_NEUTRAL,
     "write to FILE, which appears whole or not at all; - is standard output"},
    {"seed", 0, CA_OPT_COUNT, COMMON(seed), "N", DEFAULT_TEXT(CA_SEED_DEFAULT), 0, 1.8446744073709552e19, CA_OPT_NEUTRAL,
     "seed of every random draw"},
    {"threads", 'j', CA_OPT_COUNT, COMMON(threads), "N", "0", 0, 256, CA_OPT_NEUTRAL,
     "worker threads, 0 for one per processor; never changes results"},
    {"quiet", 'q', CA_OPT_FLAG, COMMON(quiet), "", NULL, 0, 0, CA_OPT_NEUTRAL, "say nothing but errors"},
    {"verbose", 'v', CA_OPT_FLAG, COMMON(verbose), "", NULL, 0, 0, CA_OPT_NEUTRAL, "say more on standard error"},
    {"progress", 0, CA_OPT_CHOICE, COMMON(progress), "auto|always|never", "auto", 0, 0, CA_OPT_NEUTRAL,
     "draw a progress line; auto: when standard error is a terminal"},
    {"no-provenance", 0, CA_OPT_FLAG, COMMON(no_provenance), "", NULL, 0, 0, CA_OPT_NEUTRAL,
     "leave this run out of the provenance of what it writes"},
    {"force", 0, CA_OPT_FLAG, COMMON(force), "", NULL, 0, 0, CA_OPT_NEUTRAL,
     "read or write binary data on a terminal"},
};
const size_t ca_cli_n_common_opts = sizeof ca_cli_common_opts / sizeof *ca_cli_common_opts;

/* How an option was given. */
enum { TYPED = 1, CONFIGURED };

/* The parsed state that must outlive parsing: which options were given. */
struct state {
    struct ca_run run;
    unsigned char *given; /* tool options, then common options */
    char *config;         /* text that values of options point into */
};

static int word_index(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (int i = 0; *words; i++) {
        size_t n = strcspn(words, "|");
        if (n == len && !memcmp(words, word, n))
            return i;
        words += n + (words[n] == '|');
    }
    return -1;
}

/* Parse one value into its destination. */
static int set_value(const struct ca_opt *o, void *base, const char *value, struct ca_err *err)
{
    char *dest = (char *)base + o->offset;
    double lo = o->lo, hi = o->hi;
    int bad = 0;

    if (lo == 0.0 && hi == 0.0)
        hi = o->type == CA_OPT_REAL ? 1e300 : 9.2e18;
    switch (o->type) {
    case CA_OPT_FLAG:
        *(int *)(void *)dest = 1;
        return 0;
    case CA_OPT_INT: {
        int64_t v;
        bad = ca_num_i64(value, (int64_t)lo, (int64_t)hi, &v);
        if (!bad)
            *(int64_t *)(void *)dest = v;
        break;
    }
    case CA_OPT_COUNT: {
        uint64_t v;
        bad = ca_num_count(value, (uint64_t)lo, hi >= 1.8446744073709552e19 ? UINT64_MAX : (uint64_t)hi, &v);
        if (!bad)
            *(uint64_t *)(void *)dest = v;
        break;
    }
    case CA_OPT_REAL: {
        double v;
        bad = ca_num_double(value, lo, hi, &v);
        if (!bad)
            *(double *)(void *)dest = v;
        break;
    }
    case CA_OPT_FILE:
        /* an unset variable of a script: better said now than after the work */
        if (!*value)
            return ca_err_set(err, CA_EUSAGE, "option --%s needs the name of a file", o->name);
        *(const char **)(void *)dest = value;
        return 0;
    case CA_OPT_STRING:
        *(const char **)(void *)dest = value;
        return 0;
    case CA_OPT_CHOICE: {
        int v = word_index(o->arg, value);
        bad = v < 0;
        if (!bad)
            *(int *)(void *)dest = v;
        break;
    }
    }
    if (!bad)
        return 0;
    if (o->type == CA_OPT_CHOICE)
        return ca_err_set(err, CA_EUSAGE, "'%s' is not a value of --%s: one of %s", value, o->name, o->arg);
    return ca_err_set(err, CA_EUSAGE, "'%s' is not a value of --%s: %s from %.17g to %.17g", value, o->name,
                      o->type == CA_OPT_REAL ? "a number" : "a whole number", lo, hi);
}

static int set_defaults(const struct ca_opt *opts, size_t n, void *base, struct ca_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (opts[i].def) {
            int rc = set_value(&opts[i], base, opts[i].def, err);
            if (rc)
                return rc;
        }
    return 0;
}

static const struct ca_opt *find(const struct ca_tool *t, const char *name, size_t len, char letter, size_t *index)
{
    for (size_t i = 0; i < t->n_opts + ca_cli_n_common_opts; i++) {
        const struct ca_opt *o = i < t->n_opts ? &t->opts[i] : &ca_cli_common_opts[i - t->n_opts];
        if (letter ? o->letter == letter : strlen(o->name) == len && !memcmp(o->name, name, len)) {
            *index = i;
            return o;
        }
    }
    return NULL;
}

static int apply(struct state *s, const struct ca_opt *o, size_t index, const char *value, struct ca_err *err)
{
    void *base = index < s->run.tool->n_opts ? s->run.params : (void *)&s->run.common;

    if (s->given[index]) {
        /* the one repetition that means something */
        if (base == &s->run.common && o->offset == COMMON(verbose))
            return s->run.common.verbose++, 0;
        return ca_err_set(err, CA_EUSAGE, "option --%s is given twice", o->name);
    }
    s->given[index] = TYPED;
    return set_value(o, base, value, err);
}

/* Does an option that was typed stand in the way of this one? */
static int displaced(const struct state *s, const char *name)
{
    const char *const(*pair)[2] = s->run.tool->displaces;
    size_t index;

    for (; pair && (*pair)[0]; pair++)
        if (!strcmp((*pair)[1], name) && find(s->run.tool, (*pair)[0], strlen((*pair)[0]), 0, &index) &&
            s->given[index] == TYPED)
            return 1;
    return 0;
}

/* One line of a config. */
static int configure(struct state *s, const char *key, const char *value, struct ca_err *err)
{
    const struct ca_tool *t = s->run.tool;
    size_t index;
    const struct ca_opt *o = find(t, key, strlen(key), 0, &index);

    if (!o || index >= t->n_opts || o->type == CA_OPT_FILE || (o->flags & CA_OPT_NEUTRAL))
        return ca_err_set(err, CA_EUSAGE, "a config of %s has no option '%.100s'", t->name, key);
    if (s->given[index] == CONFIGURED)
        return ca_err_set(err, CA_EUSAGE, "option '%s' is there twice", o->name);
    if ((o->type == CA_OPT_FLAG) != !value)
        return ca_err_set(err, CA_EUSAGE, value ? "option '%s' takes no value" : "option '%s' needs a value", o->name);
    if (s->given[index] || displaced(s, o->name))
        return 0;
    s->given[index] = CONFIGURED;
    return set_value(o, s->run.params, value, err);
}

/* What a config says, where the command line says nothing. */
static int apply_config(struct state *s, struct ca_err *err)
{
    const struct ca_tool *t = s->run.tool;

    for (size_t i = 0; i < t->n_opts; i++) {
        const char *name, *key, *value;
        size_t line = 0;
        char *p;
        int rc = 0;

        if (!(t->opts[i].flags & CA_OPT_CONFIG) || !s->given[i])
            continue;
        name = *(const char **)(void *)((char *)s->run.params + t->opts[i].offset);
        if ((rc = ca_config_load(&s->config, t->configs, name, err)))
            return rc;
        for (p = s->config; !rc && ca_config_next(&p, &key, &value, &line);)
            rc = configure(s, key, value, err);
        return rc ? ca_err_at(err, name, -1, (int64_t)line) : 0;
    }
    return 0;
}

static int parse_long(struct state *s, int argc, char **argv, int *i, struct ca_err *err)
{
    const char *name = argv[*i] + 2, *eq = strchr(name, '=');
    size_t len = eq ? (size_t)(eq - name) : strlen(name), index;
    const struct ca_opt *o = find(s->run.tool, name, len, 0, &index);
    const char *value = eq ? eq + 1 : "";

    if (!o)
        return ca_err_set(err, CA_EUSAGE, "unknown option --%.*s", (int)(len < 200 ? len : 200), name);
    if (o->type == CA_OPT_FLAG) {
        if (eq)
            return ca_err_set(err, CA_EUSAGE, "option --%s takes no value", o->name);
    } else if (!eq) {
        if (*i + 1 >= argc)
            return ca_err_set(err, CA_EUSAGE, "option --%s needs a value", o->name);
        value = argv[++*i];
    }
    return apply(s, o, index, value, err);
}

static int parse_letters(struct state *s, int argc, char **argv, int *i, struct ca_err *err)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        size_t index;
        const struct ca_opt *o = find(s->run.tool, NULL, 0, *p, &index);
        const char *value;

        if (!o)
            return ca_err_set(err, CA_EUSAGE, "unknown option -%c", *p);
        if (o->type == CA_OPT_FLAG) {
            int rc = apply(s, o, index, "", err);
            if (rc)
                return rc;
            continue;
        }
        if (p[1])
            value = p + 1;
        else if (*i + 1 < argc)
            value = argv[++*i];
        else
            return ca_err_set(err, CA_EUSAGE, "option -%c needs a value", *p);
        return apply(s, o, index, value, err);
    }
    return 0;
}

static int parse(struct state *s, int argc, char **argv, struct ca_err *err)
{
    const struct ca_tool *t = s->run.tool;
    const char *env = getenv("CA_THREADS");
    int rc, only_operands = 0;
    size_t index;

    if ((rc = set_defaults(ca_cli_common_opts, ca_cli_n_common_opts, &s->run.common, err)) ||
        (rc = set_defaults(t->opts, t->n_opts, s->run.params, err)))
        return rc;
    if (env && *env && (rc = set_value(find(t, "threads", 7, 0, &index), &s->run.common, env, err))) {
        (void)ca_err_hint(err, "the value comes from the environment variable CA_THREADS");
        return rc;
    }
    for (int i = 1; i < argc; i++) {
        if (only_operands || argv[i][0] != '-' || !argv[i][1]) {
            s->run.operands[s->run.n_operands++] = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--")) {
            only_operands = 1;
            continue;
        }
        rc = argv[i][1] == '-' ? parse_long(s, argc, argv, &i, err) : parse_letters(s, argc, argv, &i, err);
        if (rc)
            return rc;
    }
    if ((rc = apply_config(s, err)))
        return rc;
    if (s->run.n_operands < (size_t)t->min_operands)
        return ca_err_set(err, CA_EUSAGE, "missing operand: %s", t->operands);
    if (t->max_operands >= 0 && s->run.n_operands > (size_t)t->max_operands)
        return ca_err_set(err, CA_EUSAGE, "unexpected operand '%s'", s->run.operands[t->max_operands]);
    return 0;
}

static void closing_line(const struct ca_run *r)
{
    char records[48] = "";

    if (r->common.quiet || (r->tool->flags & CA_TOOL_SILENT))
        return;
    if (r->records >= 0)
        (void)snprintf(records, sizeof records, "%lld records, ", (long long)r->records);
    ca_log(CA_LOG_INFO, "%s, %s%.2f s wall, %.2f s cpu, %.0f MB peak%s%s", CA_VERSION, records,
           ca_clock_wall_s() - r->started_s, ca_clock_cpu_s(), (double)ca_clock_peak_rss_bytes() / 1e6,
           r->result[0] ? ": " : "", r->result);
}

/* Requests that replace a run: returns nonzero when argv made one. */
static int special(const struct ca_tool *t, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return ca_page_help(t), 1;
        if (!strcmp(argv[i], "--version"))
            return ca_page_version(t), 1;
        if (!strcmp(argv[i], "--print-man-options"))
            return ca_page_man_options(t), 1;
        if (!strcmp(argv[i], "--print-completion"))
            return ca_page_completion(t), 1;
    }
    return 0;
}

/* stdout is checked on the way out: /dev/full must not look like success. */
static int close_stdout(struct ca_err *err)
{
    if (fflush(stdout) || ferror(stdout)) {
        int code = ca_err_sys(err, CA_EWRITE, "write failed");
        (void)ca_err_at(err, "-", -1, -1);
        return code;
    }
    return 0;
}

int ca_cli_main(const struct ca_tool *tool, int argc, char **argv)
{
    struct ca_err err = {0};
    struct state s = {.run = {.tool = tool, .records = -1}};
    int rc;

    ca_log_init(tool->name, CA_LOG_INFO);
    (void)setlocale(LC_ALL, "C");
    s.run.started_s = ca_clock_wall_s();
    if ((rc = ca_sig_init(&err)))
        goto done;
    if (special(tool, argc, argv)) {
        rc = close_stdout(&err);
        goto done;
    }
    s.run.params = ca_mem_zalloc(1, tool->params_size, &err);
    s.run.operands = ca_mem_zalloc((size_t)argc + 1, sizeof *s.run.operands, &err);
    s.given = ca_mem_zalloc(tool->n_opts + ca_cli_n_common_opts, 1, &err);
    if (!s.run.params || !s.run.operands || !s.given) {
        rc = err.code;
        goto done;
    }
    rc = parse(&s, argc, argv, &err);
    if (rc) {
        if (rc == CA_EUSAGE)
            (void)ca_err_hint(&err, "see '%s --help'", tool->name);
        goto done;
    }
    ca_log_init(tool->name, s.run.common.quiet     ? CA_LOG_ERROR
                            : s.run.common.verbose ? CA_LOG_DEBUG
                                                   : CA_LOG_INFO);
    rc = tool->run(&s.run, &err);
    if (!rc)
        rc = close_stdout(&err);
    if (!rc)
        closing_line(&s.run);
done:
    if (rc)
        ca_log_err(&err);
    rc = rc ? ca_err_exit_status(rc) : s.run.answer_no;
    ca_mem_free(s.run.params);
    ca_mem_free(s.run.operands);
    ca_mem_free(s.given);
    ca_mem_free(s.config);
    return rc;
}

int ca_cli_given(const struct ca_run *run, const char *name)
{
    const struct state *s = (const struct state *)(const void *)run;
    size_t index;

    return find(run->tool, name, strlen(name), 0, &index) && s->given[index];
}

int ca_cli_typed(const struct ca_run *run, const char *name)
{
    const struct state *s = (const struct state *)(const void *)run;
    size_t index;

    return find(run->tool, name, strlen(name), 0, &index) && s->given[index] == TYPED;
}

static const char *plain(const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    return path;
}

int ca_cli_distinct(const char *const *outputs, size_t n, struct ca_err *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; outputs[i] && j < i; j++)
            if (outputs[j] && !strcmp(plain(outputs[i]), plain(outputs[j]))) {
                int out = !strcmp(outputs[i], "-");
                (void)ca_err_set(err, CA_EUSAGE, "two outputs of this run go to %s%s%s", out ? "" : "'",
                                 out ? "standard output" : outputs[i], out ? "" : "'");
                return ca_err_hint(err, "give each a name of its own");
            }
    return 0;
}

static void quote(struct ca_buf *out, const char *s)
{
    if (*s && !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%_-+=:,./")]) {
        ca_buf_str(out, s);
        return;
    }
    ca_buf_char(out, '\'');
    for (; *s; s++)
        if (*s == '\'')
            ca_buf_str(out, "'\\''");
        else
            ca_buf_char(out, *s);
    ca_buf_char(out, '\'');
}

static void value_text(const struct ca_opt *o, const char *dest, struct ca_buf *out)
{
    switch (o->type) {
    case CA_OPT_FLAG:
        break;
    case CA_OPT_INT:
        ca_buf_printf(out, " %lld", (long long)*(const int64_t *)(const void *)dest);
        break;
    case CA_OPT_COUNT:
        ca_buf_printf(out, " %llu", (unsigned long long)*(const uint64_t *)(const void *)dest);
        break;
    case CA_OPT_REAL:
        ca_buf_printf(out, " %.17g", *(const double *)(const void *)dest);
        break;
    case CA_OPT_STRING:
    case CA_OPT_FILE:
        ca_buf_char(out, ' ');
        quote(out, *(const char *const *)(const void *)dest);
        break;
    case CA_OPT_CHOICE: {
        const char *w = o->arg;
        for (int i = *(const int *)(const void *)dest; i > 0; i--)
            w += strcspn(w, "|") + 1;
        ca_buf_printf(out, " %.*s", (int)strcspn(w, "|"), w);
        break;
    }
    }
}

int ca_cli_canonical(const struct ca_run *run, struct ca_buf *out, struct ca_err *err)
{
    const struct state *s = (const struct state *)(const void *)run;

    for (size_t i = 0; i < run->tool->n_opts; i++) {
        const struct ca_opt *o = &run->tool->opts[i];
        if (!s->given[i] || o->type == CA_OPT_FILE || (o->flags & CA_OPT_NEUTRAL))
            continue;
        ca_buf_printf(out, "%s--%s", out->len ? " " : "", o->name);
        value_text(o, (const char *)run->params + o->offset, out);
    }
    return ca_buf_check(out, err);
}
