#include "data/schema_file.h"

#include <string.h>

#include "base/buf.h"
#include "base/in.h"
#include "base/mem.h"
#include "base/num.h"
#include "record/schema.h"

#include "base/banned.h"

#define MAX_BYTES ((size_t)1 << 20) /* of a schema file */
#define MAX_WORDS 16                /* of a line */

static const char *const role_name[CA_N_RULE_ROLES] = {"drop",    "label",       "task", "weight", "time",
                                                       "numeric", "categorical", "list", "domain", "aux"};

/* One line taken apart: its words, unquoted, and whether each stood in quotes. */
struct line {
    char *word[MAX_WORDS];
    int quoted[MAX_WORDS];
    size_t n;
};

struct parser {
    struct ca_schema_file *s;
    const char *file;
    int64_t number;  /* of the line */
    int amending;
};

static int fault(const struct parser *p, struct ca_err *err, const char *what, const char *subject)
{
    char where[200];
    struct ca_buf b = {0};

    (void)ca_err_set(err, CA_EFORMAT, subject ? "%s '%s' in the schema" : "%s in the schema", what, subject);
    ca_buf_printf(&b, "%s:%lld", p->file, (long long)p->number);
    if (!b.status && b.len < sizeof where)
        (void)ca_err_at(err, b.data, -1, -1);
    ca_buf_fini(&b);
    return CA_EFORMAT;
}

/* Cut text (changed in place) into words. A '#' where a word would begin starts a comment. */
static int split(const struct parser *p, char *text, struct line *l, struct ca_err *err)
{
    char *s = text;

    l->n = 0;
    for (;;) {
        char *to;

        while (*s == ' ' || *s == '\t' || *s == '\r')
            s++;
        if (!*s || *s == '#')
            return 0;
        if (l->n == MAX_WORDS)
            return fault(p, err, "too many words", NULL);
        l->quoted[l->n] = *s == '"';
        l->word[l->n] = to = s;
        if (*s == '"') {
            for (s++; *s && *s != '"'; s++)
                *to++ = *s == '\\' && s[1] ? *++s : *s;
            if (!*s)
                return fault(p, err, "a quote is never closed", NULL);
            s++;
            if (*s && *s != ' ' && *s != '\t' && *s != '\r')
                return fault(p, err, "text behind a closing quote", NULL);
            if (*s)
                s++;
        } else {
            while (*s && *s != ' ' && *s != '\t' && *s != '\r')
                s++;
            to = s;
            if (*s)
                s++;
        }
        *to = '\0';
        l->n++;
    }
}

static int one_char(const char *w, char *out)
{
    if (!strcmp(w, "tab"))
        *out = '\t';
    else if (!strcmp(w, "space"))
        *out = ' ';
    else if (w[0] && !w[1] && w[0] != '"' && w[0] != '\n')
        *out = w[0];
    else
        return 1;
    return 0;
}

static int yes_no(const char *w, int *out)
{
    *out = !strcmp(w, "yes");
    return !*out && strcmp(w, "no") != 0;
}

int ca_schema_file_ratios(struct ca_schema_file *s, const char *text, struct ca_err *err)
{
    int rc = ca_split_parse(&s->ratios, CA_SPLIT_RATIOS, text, err);

    if (!rc && s->ratios.parts != 4)
        rc = ca_err_set(err, CA_EUSAGE, "'%s' are not the four parts hist:train:online:test", text);
    return rc;
}

static int set_format(struct ca_schema_file *s, const char *w)
{
    static const char *const name[] = {"csv", "tsv", "libsvm", "libffm"};
    static const char delimiter[] = {',', '\t', ' ', ' '};

    for (int i = 0; i < 4; i++)
        if (!strcmp(w, name[i])) {
            s->format = (enum ca_text_format)i;
            s->delimiter = delimiter[i];
            s->quotes = s->header = s->format == CA_TEXT_CSV;
            return 0;
        }
    return 1;
}

static int set_unknown(struct ca_schema_file *s, const char *w)
{
    static const char *const name[] = {
        [CA_UNKNOWN_ZERO] = "zero", [CA_UNKNOWN_LAST] = "last", [CA_UNKNOWN_LAST_AND_MISSING] = "last-and-missing"};

    for (int i = CA_UNKNOWN_ZERO; i <= CA_UNKNOWN_LAST_AND_MISSING; i++)
        if (!strcmp(w, name[i])) {
            s->unknown = (enum ca_unknown)i;
            return 0;
        }
    return 1;
}

/* "name = value" */
static int setting(const struct parser *p, const struct line *l, struct ca_err *err)
{
    struct ca_schema_file *s = p->s;
    const char *name = l->word[0], *value = l->word[2];
    int bad;

    if (l->n != 3)
        return fault(p, err, "a setting takes one value:", name);
    if (!strcmp(name, "format"))
        bad = set_format(s, value);
    else if (!strcmp(name, "delimiter"))
        bad = one_char(value, &s->delimiter);
    else if (!strcmp(name, "quotes"))
        bad = yes_no(value, &s->quotes);
    else if (!strcmp(name, "header"))
        bad = yes_no(value, &s->header);
    else if (!strcmp(name, "min-count"))
        bad = ca_num_u64(value, 1, UINT32_MAX, &s->min_count);
    else if (!strcmp(name, "unknown"))
        bad = set_unknown(s, value);
    else if (!strcmp(name, "ratios"))
        bad = ca_schema_file_ratios(s, value, NULL);
    else if (!strcmp(name, "list-separator"))
        bad = one_char(value, &s->separator);
    else if (!strcmp(name, "expect-rows"))
        bad = ca_num_u64(value, 1, INT64_MAX, &s->expect_rows);
    else if (!strcmp(name, "undeclared")) {
        s->drop_undeclared = !strcmp(value, "drop");
        bad = !s->drop_undeclared && strcmp(value, "fault") != 0;
    } else if (!strcmp(name, "missing")) {
        if (s->n_missing == CA_MAX_MISSING_TEXTS)
            return fault(p, err, "more than eight missing texts", NULL);
        if (!(s->missing[s->n_missing] = ca_mem_strdup(value, err)))
            return CA_EMEMORY;
        s->n_missing++;
        bad = !*value;
    } else {
        return fault(p, err, "unknown setting", name);
    }
    return bad ? fault(p, err, "bad value of", name) : 0;
}

static void rule_fini(struct ca_rule *r)
{
    ca_mem_free(r->name);
    ca_mem_free(r->from);
    ca_mem_free(r->like);
}

static struct ca_rule *find(struct ca_schema_file *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->rule[i].name, name))
            return &s->rule[i];
    return NULL;
}

static int word_in(const char *w, const char *(*name)(int), int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(w, name(i)))
            return i;
    return -1;
}

static const char *nth_transform(int i) { return ca_value_transform_name((enum ca_transform)i); }
static const char *nth_time(int i) { return ca_value_time_name((enum ca_time_format)i); }

/* "key=value" behind a column's role. Returns nonzero when the role has no such option or the value is bad. */
static int column_option(struct ca_rule *r, char *word, struct ca_err *err)
{
    char *value = strchr(word, '=');
    int numeric = r->role == CA_RULE_NUMERIC || r->role == CA_RULE_AUX;
    int vocabulary = r->role == CA_RULE_CATEGORICAL || r->role == CA_RULE_LIST || r->role == CA_RULE_DOMAIN;
    int i;

    if (!value)
        return 1;
    *value++ = '\0';
    if (!strcmp(word, "from")) {
        ca_mem_free(r->from);
        return !*value || !(r->from = ca_mem_strdup(value, err));
    }
    if (!strcmp(word, "transform") && (numeric || r->role == CA_RULE_CATEGORICAL)) {
        i = word_in(value, nth_transform, CA_N_TRANSFORMS);
        r->transform = i < 0 ? CA_TRANSFORM_NONE : (enum ca_transform)i;
        return i < 0;
    }
    if (!strcmp(word, "format") && r->role == CA_RULE_TIME) {
        i = word_in(value, nth_time, CA_N_TIME_FORMATS);
        r->time = i < 0 ? CA_TIME_INTEGER : (enum ca_time_format)i;
        return i < 0;
    }
    if (!strcmp(word, "missing") &&
        (numeric || r->role == CA_RULE_WEIGHT || r->role == CA_RULE_TASK || r->role == CA_RULE_CATEGORICAL)) {
        r->has_missing = 1;
        return ca_num_double(value, -1e30, 1e30, &r->missing);
    }
    if (!strcmp(word, "at-least") && (r->role == CA_RULE_LABEL || r->role == CA_RULE_TASK)) {
        r->has_at_least = 1;
        return ca_num_double(value, -1e300, 1e300, &r->at_least);
    }
    if (!strcmp(word, "min-count") && vocabulary)
        return ca_num_u64(value, 1, UINT32_MAX, &r->min_count);
    if (!strcmp(word, "separator") && r->role == CA_RULE_LIST)
        return one_char(value, &r->separator);
    if (!strcmp(word, "max") && r->role == CA_RULE_LIST)
        return ca_num_u64(value, 1, UINT32_MAX, &r->max);
    if (!strcmp(word, "like") && r->role == CA_RULE_LIST) {
        ca_mem_free(r->like);
        return !*value || !(r->like = ca_mem_strdup(value, err));
    }
    return 1;
}

/* A column called name from the line's words, added or put in the place of its namesake. */
static int column(const struct parser *p, const struct line *l, const char *name, struct ca_err *err)
{
    struct ca_schema_file *s = p->s;
    struct ca_rule *old = find(s, name), r = {0};
    int rc = 0;

    if (old && !p->amending)
        return fault(p, err, "column is there twice:", name);
    while (r.role < CA_N_RULE_ROLES && strcmp(l->word[1], role_name[r.role]) != 0)
        r.role++;
    if (r.role == CA_N_RULE_ROLES)
        return fault(p, err, "unknown role", l->word[1]);
    if (!(r.name = ca_mem_strdup(name, err)))
        return CA_EMEMORY;
    for (size_t i = 2; i < l->n; i++) {
        char word[256];
        size_t n = strlen(l->word[i]);
        if (n >= sizeof word) {
            rule_fini(&r);
            return fault(p, err, "bad option of column", name);
        }
        memcpy(word, l->word[i], n + 1);
        if (column_option(&r, word, err)) {
            rule_fini(&r);
            return err && err->code ? err->code : fault(p, err, "bad column option", l->word[i]);
        }
    }
    if (old) {
        /* fields are found by place where there is no header: a column keeps its place and its field */
        if (!r.from) {
            r.from = old->from;
            old->from = NULL;
        } else if (!old->from && !s->header) {
            rule_fini(&r);
            return fault(p, err, "cannot read another field from here:", name);
        }
        rule_fini(old);
        *old = r;
        return 0;
    }
    if (s->n == CA_MAX_COLUMNS || (rc = ca_mem_grow((void **)&s->rule, &s->cap, s->n + 1, sizeof *s->rule, err))) {
        rule_fini(&r);
        return s->n == CA_MAX_COLUMNS ? fault(p, err, "more than 65536 columns", NULL) : rc;
    }
    s->rule[s->n++] = r;
    return 0;
}

/* "NAME role ...", where A{1..9}B in NAME stands for nine columns. */
static int columns(const struct parser *p, const struct line *l, struct ca_err *err)
{
    char *name = l->word[0], *open = strchr(name, '{'), *dots = open ? strstr(open, "..") : NULL;
    char *close = dots ? strchr(dots, '}') : NULL;
    int64_t lo, hi;
    int rc = 0;

    if (l->n < 2)
        return fault(p, err, "a column needs a role:", name);
    if (!open || l->quoted[0])
        return *name ? column(p, l, name, err) : fault(p, err, "a column without a name", NULL);
    if (!close)
        return fault(p, err, "bad range in", name);
    *open = *dots = *close = '\0';
    if (ca_num_i64(open + 1, 0, 1000000, &lo) || ca_num_i64(dots + 2, 0, 1000000, &hi) || hi < lo ||
        hi - lo >= CA_MAX_COLUMNS)
        return fault(p, err, "bad range in", name);
    for (int64_t i = lo; i <= hi && !rc; i++) {
        struct ca_buf b = {0};
        ca_buf_printf(&b, "%s%lld%s", name, (long long)i, close + 1);
        rc = ca_buf_check(&b, err);
        if (!rc)
            rc = column(p, l, b.data, err);
        ca_buf_fini(&b);
    }
    return rc;
}

/* Parse lines that end in LF or, when amending, ';'. text is changed. */
static int parse_lines(struct parser *p, char *text, struct ca_err *err)
{
    for (char *s = text, *next; s; s = next) {
        struct line l;
        int rc, quoted = 0;
        char *e = s;

        for (; *e && *e != '\n' && (quoted || !p->amending || *e != ';'); e++)
            quoted ^= *e == '"';
        next = *e ? e + 1 : NULL;
        *e = '\0';
        p->number++;
        if ((rc = split(p, s, &l, err)))
            return rc;
        if (!l.n)
            continue;
        rc = l.n > 1 && !l.quoted[1] && !strcmp(l.word[1], "=") ? setting(p, &l, err) : columns(p, &l, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* A list can share only a vocabulary of values as they stand in the text, and the column's min-count is that of both. */
static int check_like(const struct parser *p, const struct ca_rule *r, struct ca_err *err)
{
    const struct ca_rule *of = find(p->s, r->like);

    if (!of || of->role != CA_RULE_CATEGORICAL)
        return fault(p, err, "no categorical column to be like is called", r->like);
    if (of->transform != CA_TRANSFORM_NONE)
        return fault(p, err, "a list cannot be like a transformed column:", r->like);
    if (r->min_count)
        return fault(p, err, "min-count of a list that is like another column:", r->name);
    return 0;
}

/* What no single line shows. */
static int check(const struct parser *p, struct ca_err *err)
{
    const struct ca_schema_file *s = p->s;
    int by_key = s->format == CA_TEXT_LIBSVM || s->format == CA_TEXT_LIBFFM;
    size_t labels = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct ca_rule *r = &s->rule[i];
        int rc = r->like ? check_like(p, r, err) : 0;
        if (rc)
            return rc;
        if (r->role == CA_RULE_CATEGORICAL && r->has_missing && r->transform == CA_TRANSFORM_NONE)
            return fault(p, err, "missing= without a transform in column", r->name);
        labels += r->role == CA_RULE_LABEL;
        if (r->from && !s->header && !by_key && (!find(p->s, r->from) || find(p->s, r->from)->from))
            return fault(p, err, "no column with a field of its own is called", r->from);
        if (by_key && r->role != CA_RULE_LABEL) {
            const char *key = r->from ? r->from : r->name;
            int64_t k;
            if (ca_num_i64(key, 0, INT64_MAX, &k) && (strcmp(key, "*") != 0 || r->role != CA_RULE_LIST))
                return fault(p, err, "not a feature or field number:", key);
        }
    }
    if (labels != 1)
        return fault(p, err, labels ? "more than one label" : "no label", NULL);
    if (s->header && by_key)
        return fault(p, err, "this format has no header", NULL);
    return 0;
}

static int run_parser(struct parser *p, const char *text, size_t n, struct ca_err *err)
{
    struct ca_digest *d = ca_digest_new(err);
    char *copy = ca_mem_alloc(n + 1, 1, err);
    int rc = d && copy ? 0 : CA_EMEMORY;

    if (!rc) {
        memcpy(copy, text, n);
        copy[n] = '\0';
        if (memchr(text, '\0', n))
            rc = fault(p, err, "a NUL byte", NULL);
    }
    if (!rc)
        rc = parse_lines(p, copy, err);
    if (!rc)
        rc = check(p, err);
    if (!rc) {
        ca_digest_add(d, p->s->digest, strlen(p->s->digest));
        ca_digest_add(d, text, n);
        ca_digest_hex(d, p->s->digest);
    }
    ca_digest_free(d);
    ca_mem_free(copy);
    return rc;
}

int ca_schema_file_parse(struct ca_schema_file *s, const char *text, size_t n, const char *file, struct ca_err *err)
{
    struct parser p = {.s = s, .file = file};
    int rc;

    (void)set_format(s, "csv");
    s->separator = '|';
    s->min_count = 1;
    if (!s->name && !(s->name = ca_mem_strdup("file", err)))
        return CA_EMEMORY;
    rc = ca_schema_file_ratios(s, "4:4:1:1", err);
    return rc ? rc : run_parser(&p, text, n, err);
}

int ca_schema_file_amend(struct ca_schema_file *s, const char *lines, struct ca_err *err)
{
    struct parser p = {.s = s, .file = "--with", .amending = 1};
    int rc = run_parser(&p, lines, strlen(lines), err);

    if (rc == CA_EFORMAT && err)
        err->code = rc = CA_EUSAGE; /* the fault is in an option, not in a file */
    return rc;
}

static int load_file(struct ca_schema_file *s, const char *path, struct ca_err *err)
{
    struct ca_in *in;
    char *text = NULL;
    size_t got = 0;
    int rc = ca_in_open(&in, path, err);

    if (rc) {
        (void)ca_err_hint(err, "--schema takes the name of a preset (see --help) or the path of a schema file");
        return rc;
    }
    if (!(text = ca_mem_alloc(MAX_BYTES, 1, err)))
        rc = CA_EMEMORY;
    if (!rc)
        rc = ca_in_read(in, text, MAX_BYTES, &got, err);
    if (!rc && got == MAX_BYTES) {
        rc = ca_err_set(err, CA_EFORMAT, "a schema file is no longer than 1048575 bytes");
        (void)ca_err_at(err, path, -1, -1);
    }
    if (!rc)
        rc = ca_schema_file_parse(s, text, got, path, err);
    ca_mem_free(text);
    ca_in_close(in);
    return rc;
}

int ca_schema_file_load(struct ca_schema_file *s, const char *name, struct ca_err *err)
{
    for (const struct ca_preset *p = ca_presets; p->name; p++)
        if (!strcmp(p->name, name)) {
            if (!(s->name = ca_mem_strdup(name, err)))
                return CA_EMEMORY;
            return ca_schema_file_parse(s, p->text, strlen(p->text), name, err);
        }
    return load_file(s, name, err);
}

void ca_schema_file_fini(struct ca_schema_file *s)
{
    for (size_t i = 0; i < s->n; i++)
        rule_fini(&s->rule[i]);
    for (size_t i = 0; i < s->n_missing; i++)
        ca_mem_free(s->missing[i]);
    ca_mem_free(s->rule);
    ca_mem_free(s->name);
    *s = (struct ca_schema_file){0};
}
