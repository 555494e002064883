#include "data/encode.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/tokens.h"

#include "base/banned.h"

#define NO_FIELD SIZE_MAX
#define DIGITS 24 /* bytes of a number as text */
#define GATHER 256 /* fields of one column brought together at a time, to stay in the nearest cache */
#define SMALL 256 /* counts are mostly small: their transforms are looked up */

/* One column of the records and where it comes from. */
struct bound {
    const struct ca_rule *rule;
    size_t field;          /* place of its field in a row */
    int vocab;             /* column of the vocabulary, or -1 */
    struct bound *of;      /* whose vocabulary it is: its own or that of another column */
    int shared;            /* others use this column's vocabulary too */
    void *data;            /* one element for each good row; of a list, for each item */
    size_t cap_data;       /* in elements */
    uint32_t *start;       /* of a list, else NULL */
    size_t cap_start;
    struct ca_piece *value; /* of a vocabulary column: what to look up */
    size_t cap_value;
    char *digits;          /* transformed values as text, DIGITS apiece */
    size_t cap_digits;
    struct ca_err err;     /* of work on another thread */
};

struct ca_encoder {
    const struct ca_schema_file *sf;
    struct ca_vocab *vocab;
    int add, drop_unlabelled;
    struct ca_pool *pool;
    struct ca_schema schema;
    struct bound *col;
    struct ca_colview *view;
    size_t n;
    size_t expected;       /* fields of a row; NO_FIELD before a header has told */

    /* of the batch at hand */
    const struct ca_piece *base; /* fields */
    size_t *good;          /* where the fields of each good row begin in base */
    size_t *row;           /* and which row of the batch it is */
    size_t n_good, cap_good, cap_row;
    struct ca_bad_row *bad_of; /* by row; fault NULL while it is good */
    size_t cap_bad_of;
    struct ca_bad_row *bad;
    size_t n_bad, cap_bad;
    int64_t last_time;
    int has_time;
    double small[CA_N_TRANSFORMS][SMALL]; /* ca_value_transform of 0, 1, ... */

    struct ca_tokens *tokens; /* libsvm, libffm: rows of fields made from tokens */
};

static int by_key(const struct ca_schema_file *s)
{
    return s->format == CA_TEXT_LIBSVM || s->format == CA_TEXT_LIBFFM;
}

static int has_vocab(const struct ca_rule *r)
{
    return r->role == CA_RULE_CATEGORICAL || r->role == CA_RULE_LIST || r->role == CA_RULE_DOMAIN;
}

static const char *source_name(const struct ca_rule *r)
{
    return r->from ? r->from : r->name;
}

/* Which field of a headerless row belongs to a rule: its own, or that of the rule it names. */
static size_t place(const struct ca_schema_file *s, const struct ca_rule *r)
{
    size_t at = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (r->from ? !strcmp(s->rule[i].name, r->from) : &s->rule[i] == r)
            return at;
        at += s->rule[i].from == NULL;
    }
    return NO_FIELD; /* ca_schema_file has refused it */
}

static int add_column(struct ca_schema *s, const struct ca_rule *r, uint32_t vocab, int provisional, struct ca_err *err)
{
    static const struct {
        enum ca_role role;
        enum ca_type type;
        int is_list;
    } as[CA_N_RULE_ROLES] = {
        [CA_RULE_LABEL] = {CA_ROLE_LABEL, CA_TYPE_F32, 0},
        [CA_RULE_TASK] = {CA_ROLE_TASK, CA_TYPE_F32, 0},
        [CA_RULE_WEIGHT] = {CA_ROLE_WEIGHT, CA_TYPE_F32, 0},
        [CA_RULE_TIME] = {CA_ROLE_TIME, CA_TYPE_I64, 0},
        [CA_RULE_NUMERIC] = {CA_ROLE_NUMERIC, CA_TYPE_F32, 0},
        [CA_RULE_CATEGORICAL] = {CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0},
        [CA_RULE_LIST] = {CA_ROLE_SEQUENCE, CA_TYPE_U32, 1},
        [CA_RULE_DOMAIN] = {CA_ROLE_DOMAIN, CA_TYPE_U32, 0},
        [CA_RULE_AUX] = {CA_ROLE_AUX, CA_TYPE_F32, 0},
    };
    enum ca_role role = provisional && has_vocab(r) ? CA_ROLE_AUX : as[r->role].role;

    return ca_schema_add(s, r->name, role, as[r->role].type, as[r->role].is_list, role == CA_ROLE_AUX ? 0 : vocab, err);
}

static int make_schema(const struct ca_encoder *e, int provisional, struct ca_schema *s, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < e->n && !rc; i++) {
        const struct bound *c = &e->col[i];
        rc = add_column(s, c->rule, c->vocab < 0 ? 0 : ca_vocab_size(e->vocab, (size_t)c->vocab), provisional, err);
    }
    for (size_t i = 0; i < e->n && !rc && !provisional; i++)
        if (e->col[i].rule->like)
            rc = ca_schema_like(s, e->col[i].rule->name, e->col[i].rule->like, err);
    return rc;
}

int ca_encoder_final_schema(const struct ca_encoder *e, struct ca_schema *s, struct ca_err *err)
{
    return make_schema(e, 0, s, err);
}

const struct ca_schema *ca_encoder_schema(const struct ca_encoder *e)
{
    return &e->schema;
}

int ca_encoder_vocab(const struct ca_encoder *e, size_t column)
{
    return e->col[column].vocab;
}

uint32_t ca_encoder_missing(const struct ca_encoder *e, size_t column)
{
    const struct bound *c = &e->col[column];

    if (e->sf->unknown != CA_UNKNOWN_LAST_AND_MISSING || c->rule->role == CA_RULE_LIST)
        return 0;
    return ca_vocab_unknown(e->vocab, (size_t)c->vocab);
}

/* A vocabulary that stands has an id for unknown values or has none; a schema that says something must say the same. */
static int check_unknown(const struct ca_encoder *e, const struct bound *c, struct ca_err *err)
{
    uint32_t last = ca_vocab_unknown(e->vocab, (size_t)c->vocab);

    if (e->sf->unknown == CA_UNKNOWN_UNSAID || (e->sf->unknown != CA_UNKNOWN_ZERO) == (last != 0))
        return 0;
    (void)ca_err_set(err, CA_ESCHEMA, last ? "the vocabulary has an id for unknown values of '%s', which the schema has be 0"
                                           : "the vocabulary has no id for unknown values of '%s', which the schema wants",
                     c->rule->name);
    (void)ca_err_hint(err, "--with 'unknown = %s' takes the vocabulary as it is", last ? "last" : "zero");
    return CA_ESCHEMA;
}

/* A column's own vocabulary; those that share one are bound to it by bind_shared, once all columns are there. */
static int bind_vocab(struct ca_encoder *e, struct bound *c, struct ca_err *err)
{
    int rc;

    c->vocab = -1;
    c->of = c;
    if (!has_vocab(c->rule) || c->rule->like)
        return 0;
    if (e->add && (rc = ca_vocab_column(e->vocab, c->rule->name, err)))
        return rc;
    c->vocab = ca_vocab_find(e->vocab, c->rule->name);
    if (c->vocab < 0)
        return ca_err_set(err, CA_ESCHEMA, "the vocabulary has no column '%s'", c->rule->name);
    return e->add ? 0 : check_unknown(e, c, err);
}

static void bind_shared(struct ca_encoder *e)
{
    for (size_t i = 0; i < e->n; i++)
        for (size_t k = 0; e->col[i].rule->like && k < e->n; k++)
            if (!strcmp(e->col[k].rule->name, e->col[i].rule->like)) { /* ca_schema_file has seen to it that one is */
                e->col[i].of = &e->col[k];
                e->col[i].vocab = e->col[k].vocab;
                e->col[k].shared = 1;
            }
}

int ca_encoder_new(struct ca_encoder **out, const struct ca_schema_file *sf, struct ca_vocab *vocab, int add,
                   int drop_unlabelled, struct ca_pool *pool, struct ca_err *err)
{
    struct ca_encoder *e = ca_mem_zalloc(1, sizeof *e, err);
    int rc = 0;

    if (!e)
        return CA_EMEMORY;
    e->sf = sf;
    e->vocab = vocab;
    e->add = add;
    e->drop_unlabelled = drop_unlabelled;
    e->pool = pool;
    e->expected = NO_FIELD;
    for (int t = 0; t < CA_N_TRANSFORMS; t++)
        for (int x = 0; x < SMALL; x++)
            e->small[t][x] = ca_value_transform((enum ca_transform)t, x);
    e->col = ca_mem_zalloc(sf->n, sizeof *e->col, err);
    e->view = ca_mem_zalloc(sf->n, sizeof *e->view, err);
    if (!e->col || !e->view) {
        rc = CA_EMEMORY;
        goto done;
    }
    for (size_t i = 0; i < sf->n && !rc; i++) {
        struct bound *c = &e->col[e->n];
        if (sf->rule[i].role == CA_RULE_DROP)
            continue;
        c->rule = &sf->rule[i];
        c->field = NO_FIELD;
        e->n++;
        rc = bind_vocab(e, c, err);
    }
    if (rc)
        goto done;
    bind_shared(e);
    if (by_key(sf)) {
        if (!(rc = ca_tokens_new(&e->tokens, sf, err))) {
            e->expected = ca_tokens_fields(e->tokens);
            for (size_t i = 0; i < e->n; i++)
                e->col[i].field = ca_tokens_field(e->tokens, e->col[i].rule);
        }
    } else if (!sf->header) {
        e->expected = 0;
        for (size_t i = 0; i < sf->n; i++)
            e->expected += sf->rule[i].from == NULL;
        for (size_t i = 0; i < e->n; i++)
            e->col[i].field = place(sf, e->col[i].rule);
    }
    if (!rc)
        rc = make_schema(e, add, &e->schema, err);
done:
    if (rc) {
        ca_encoder_free(e);
        return rc;
    }
    *out = e;
    return 0;
}

void ca_encoder_free(struct ca_encoder *e)
{
    if (!e)
        return;
    for (size_t i = 0; e->col && i < e->n; i++) {
        ca_mem_free(e->col[i].data);
        ca_mem_free(e->col[i].start);
        ca_mem_free(e->col[i].value);
        ca_mem_free(e->col[i].digits);
    }
    ca_schema_fini(&e->schema);
    ca_mem_free(e->col);
    ca_mem_free(e->view);
    ca_mem_free(e->good);
    ca_mem_free(e->row);
    ca_mem_free(e->bad_of);
    ca_mem_free(e->bad);
    ca_tokens_free(e->tokens);
    ca_mem_free(e);
}

static int is_text(struct ca_piece s, const char *text)
{
    return s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

int ca_encoder_header(struct ca_encoder *e, const struct ca_scan_batch *b, struct ca_err *err)
{
    const struct ca_scan_row *row = &b->row[0];
    const struct ca_piece *name = b->field + row->first;

    if (row->fault)
        return ca_err_set(err, CA_EFORMAT, "%s in the header", row->fault);
    if (row->n > CA_MAX_COLUMNS)
        return ca_err_set(err, CA_EFORMAT, "a header of more than 65536 names");
    for (size_t i = 0; i < e->n; i++)
        e->col[i].field = NO_FIELD;
    for (size_t f = 0; f < row->n; f++) {
        int shown = (int)(name[f].n < 100 ? name[f].n : 100);
        int declared = 0;
        for (size_t g = 0; g < f; g++)
            if (name[g].n == name[f].n && !memcmp(name[g].p, name[f].p, name[f].n))
                return ca_err_set(err, CA_EFORMAT, "the header names '%.*s' twice", shown, name[f].p);
        for (size_t i = 0; i < e->n; i++)
            if (is_text(name[f], source_name(e->col[i].rule)))
                e->col[i].field = f;
        for (size_t i = 0; i < e->sf->n; i++)
            declared |= is_text(name[f], source_name(&e->sf->rule[i]));
        if (!declared && !e->sf->drop_undeclared) {
            (void)ca_err_set(err, CA_EFORMAT, "the schema has no column '%.*s'", shown, name[f].p);
            (void)ca_err_hint(err, "declare it in the schema, or --with 'undeclared = drop'");
            return CA_EFORMAT;
        }
    }
    for (size_t i = 0; i < e->n; i++)
        if (e->col[i].field == NO_FIELD) {
            (void)ca_err_set(err, CA_EFORMAT, "the header has no column '%s'", source_name(e->col[i].rule));
            (void)ca_err_hint(err, "leave it out with --with '%s drop'", e->col[i].rule->name);
            return CA_EFORMAT;
        }
    e->expected = row->n;
    return 0;
}

static int is_missing_text(const struct ca_encoder *e, struct ca_piece v)
{
    for (size_t i = 0; i < e->sf->n_missing; i++)
        if (is_text(v, e->sf->missing[i]))
            return 1;
    return 0;
}

static inline int is_missing(const struct ca_encoder *e, struct ca_piece v)
{
    return !v.n || (e->sf->n_missing && is_missing_text(e, v));
}

/* ---- columns --------------------------------------------------------------- */

static void blame(struct ca_encoder *e, size_t i, const struct bound *c, struct ca_piece value, const char *fault)
{
    struct ca_bad_row *b = &e->bad_of[e->row[i]];

    if (!b->fault)
        *b = (struct ca_bad_row){.row = e->row[i], .fault = fault, .column = c->rule->name, .value = value};
}

static int need_data(struct bound *c, size_t n, size_t size, struct ca_err *err)
{
    return ca_mem_grow(&c->data, &c->cap_data, n ? n : 1, size, err);
}

/* Labels, weights, numeric inputs: whatever becomes F32. */
static int encode_float(struct ca_encoder *e, struct bound *c, struct ca_err *err)
{
    const struct ca_rule *r = c->rule;
    int probability = r->role == CA_RULE_LABEL || r->role == CA_RULE_TASK;
    int rc = need_data(c, e->n_good, sizeof(float), err);
    float *out = c->data;

    if (rc)
        return rc;
    for (size_t i = 0; i < e->n_good; i++) {
        struct ca_piece v = e->base[e->good[i] + c->field];
        double x;

        if (is_missing(e, v)) {
            x = r->missing;
            if (!r->has_missing)
                blame(e, i, c, v, "missing value");
        } else if (ca_value_number(v, &x)) {
            blame(e, i, c, v, "bad number");
            continue;
        }
        if (r->has_at_least)
            x = x >= r->at_least;
        else if (probability && !(x >= 0.0 && x <= 1.0))
            blame(e, i, c, v, "label outside 0 to 1");
        else if (r->role == CA_RULE_WEIGHT && x < 0.0)
            blame(e, i, c, v, "negative weight");
        if (r->transform != CA_TRANSFORM_NONE)
            x = x >= 0.0 && x < SMALL && x == (double)(int)x ? e->small[r->transform][(int)x]
                                                             : ca_value_transform(r->transform, x);
        if (x > 3.4028234663852886e38 || x < -3.4028234663852886e38)
            blame(e, i, c, v, "number out of range");
        else
            out[i] = (float)x;
    }
    return 0;
}

static int encode_time(struct ca_encoder *e, struct bound *c, struct ca_err *err)
{
    int rc = need_data(c, e->n_good, sizeof(int64_t), err);
    int64_t *out = c->data;

    if (rc)
        return rc;
    for (size_t i = 0; i < e->n_good; i++) {
        struct ca_piece v = e->base[e->good[i] + c->field];
        if (ca_value_time(v, c->rule->time, &out[i]))
            blame(e, i, c, v, "bad time");
    }
    return 0;
}

/* Numbers that become categories: checked together with the other numbers, so that a bad one numbers nothing. */
static int transform_text(struct ca_encoder *e, struct bound *c, struct ca_err *err)
{
    int rc;

    if ((rc = ca_mem_grow((void **)&c->digits, &c->cap_digits, e->n_good * DIGITS + 1, 1, err)) ||
        (rc = ca_mem_grow((void **)&c->value, &c->cap_value, e->n_good + 1, sizeof *c->value, err)))
        return rc;
    for (size_t i = 0; i < e->n_good; i++) {
        struct ca_piece v = e->base[e->good[i] + c->field];
        char *text = c->digits + i * DIGITS;
        double x;

        c->value[i] = (struct ca_piece){text, 0};
        if (is_missing(e, v))
            continue;
        if (ca_value_number(v, &x)) {
            blame(e, i, c, v, "bad number");
            continue;
        }
        x = ca_value_transform(c->rule->transform, x);
        if (c->rule->has_missing && x == c->rule->missing)
            continue;
        c->value[i].n = (uint32_t)snprintf(text, DIGITS, "%.9g", x == 0.0 ? 0.0 : x);
    }
    return 0;
}

static int encode_category(struct ca_encoder *e, struct bound *c, struct ca_err *err)
{
    struct ca_piece value[GATHER];
    int rc = need_data(c, e->n_good, sizeof(uint32_t), err);

    if (!rc && c->rule->transform != CA_TRANSFORM_NONE)
        return ca_vocab_ids(e->vocab, (size_t)c->vocab, c->value, e->n_good, e->add, c->data, err);
    for (size_t from = 0; from < e->n_good && !rc; from += GATHER) {
        size_t n = e->n_good - from < GATHER ? e->n_good - from : GATHER;
        for (size_t i = 0; i < n; i++) {
            value[i] = e->base[e->good[from + i] + c->field];
            if (e->sf->n_missing && is_missing(e, value[i]))
                value[i].n = 0;
        }
        rc = ca_vocab_ids(e->vocab, (size_t)c->vocab, value, n, e->add, (uint32_t *)c->data + from, err);
    }
    return rc;
}

/* Items between separators, into c->value; an empty field is an empty list. */
static int split_lists(struct ca_encoder *e, struct bound *c, struct ca_err *err)
{
    char sep = c->rule->separator ? c->rule->separator : e->sf->separator;
    size_t n = 0;
    int rc = ca_mem_grow((void **)&c->start, &c->cap_start, e->n_good + 1, sizeof *c->start, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < e->n_good; i++) {
        struct ca_piece v = e->base[e->good[i] + c->field];
        const char *p = v.p, *end = v.p + v.n;
        size_t first = n;

        c->start[i] = (uint32_t)n;
        if (is_missing(e, v))
            continue;
        for (;;) {
            const char *q = memchr(p, sep, (size_t)(end - p));
            if ((rc = ca_mem_grow((void **)&c->value, &c->cap_value, n + 1, sizeof *c->value, err)))
                return rc;
            c->value[n++] = (struct ca_piece){p, (uint32_t)((q ? q : end) - p)};
            if (!q)
                break;
            p = q + 1;
        }
        if (c->rule->max && n - first > c->rule->max) {
            memmove(c->value + first, c->value + n - c->rule->max, c->rule->max * sizeof *c->value);
            n = first + c->rule->max;
        }
    }
    c->start[e->n_good] = (uint32_t)n;
    return need_data(c, n, sizeof(uint32_t), err);
}

static int encode_list(struct ca_encoder *e, struct bound *c, struct ca_err *err)
{
    int rc = split_lists(e, c, err);

    return rc ? rc : ca_vocab_ids(e->vocab, (size_t)c->vocab, c->value, c->start[e->n_good], e->add, c->data, err);
}

/*
 * A category and the lists that share its vocabulary. Their values are numbered row by row, not column by column: how
 * many rows make a batch must not show.
 */
static int encode_shared(struct ca_encoder *e, struct bound *of, struct ca_err *err)
{
    struct ca_piece one;
    int rc = need_data(of, e->n_good, sizeof(uint32_t), err);

    for (size_t i = 0; i < e->n && !rc; i++)
        if (e->col[i].of == of && &e->col[i] != of)
            rc = split_lists(e, &e->col[i], err);
    for (size_t r = 0; r < e->n_good && !rc; r++)
        for (size_t i = 0; i < e->n && !rc; i++) {
            struct bound *c = &e->col[i];
            size_t from = c == of ? r : 0, n = 1;
            if (c->of != of)
                continue;
            if (c == of) {
                one = e->base[e->good[r] + c->field];
                one.n = is_missing(e, one) ? 0 : one.n;
            } else {
                from = c->start[r];
                n = c->start[r + 1] - from;
            }
            rc = ca_vocab_ids(e->vocab, (size_t)of->vocab, c == of ? &one : c->value + from, n, e->add,
                              (uint32_t *)c->data + from, err);
        }
    return rc;
}

/* All that can find fault with a row: what has no vocabulary, and numbers on their way to one. */
static int encode_checked(struct ca_encoder *e, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < e->n && !rc; i++) {
        struct bound *c = &e->col[i];
        if (c->rule->role == CA_RULE_TIME)
            rc = encode_time(e, c, err);
        else if (!has_vocab(c->rule))
            rc = encode_float(e, c, err);
        else if (c->rule->transform != CA_TRANSFORM_NONE)
            rc = transform_text(e, c, err);
    }
    return rc;
}

/* Ids of a vocabulary that stands: missing values, which it has as 0, to what the records have. */
static void fill_missing(struct ca_encoder *e, size_t column)
{
    uint32_t missing = ca_encoder_missing(e, column), *id = e->col[column].data;

    for (size_t i = 0; missing && i < e->n_good; i++)
        id[i] = id[i] ? id[i] : missing;
}

/* A task of the pool: vocabularies share nothing, and columns of one vocabulary are done in the task of its owner. */
static void encode_vocab(void *arg, size_t task, unsigned worker)
{
    struct ca_encoder *e = arg;
    struct bound *c = &e->col[task];
    int rc = 0;

    (void)worker;
    if (c->shared)
        rc = encode_shared(e, c, &c->err);
    else if (has_vocab(c->rule) && c->of == c)
        rc = c->rule->role == CA_RULE_LIST ? encode_list(e, c, &c->err) : encode_category(e, c, &c->err);
    if (!rc && !e->add && c->vocab >= 0 && c->of == c)
        fill_missing(e, task);
    if (rc && !c->err.code)
        c->err.code = rc;
}

/* ---- batches --------------------------------------------------------------- */

/* Rows whose fields can be told apart, unlabelled ones left out when so asked. */
static int choose_rows(struct ca_encoder *e, const struct ca_scan_batch *b, size_t first, struct ca_encoded *out,
                       struct ca_err *err)
{
    size_t label = 0;
    int rc;

    if ((rc = ca_mem_grow((void **)&e->good, &e->cap_good, b->rows, sizeof *e->good, err)) ||
        (rc = ca_mem_grow((void **)&e->row, &e->cap_row, b->rows, sizeof *e->row, err)) ||
        (rc = ca_mem_grow((void **)&e->bad_of, &e->cap_bad_of, b->rows, sizeof *e->bad_of, err)))
        return rc;
    for (size_t r = first; r < b->rows; r++) {
        const struct ca_scan_row *row = &b->row[r];
        e->bad_of[r] = (struct ca_bad_row){.row = r, .fault = row->fault};
        if (!row->fault && !by_key(e->sf) && row->n != e->expected) {
            e->bad_of[r].fault = "wrong number of fields";
            e->bad_of[r].fields = row->n;
            e->bad_of[r].expected = e->expected;
        }
    }
    e->base = b->field;
    if (by_key(e->sf) && (rc = ca_tokens_rows(e->tokens, b, first, e->bad_of, &e->base, err)))
        return rc;
    while (e->col[label].rule->role != CA_RULE_LABEL)
        label++;
    e->n_good = 0;
    for (size_t r = first; r < b->rows; r++) {
        size_t at = by_key(e->sf) ? (r - first) * e->expected : b->row[r].first;
        if (e->bad_of[r].fault)
            continue;
        if (e->drop_unlabelled && is_missing(e, e->base[at + e->col[label].field])) {
            out->unlabelled++;
            continue;
        }
        e->good[e->n_good] = at;
        e->row[e->n_good++] = r;
    }
    return 0;
}

/* Take the bad rows out of the good. Returns how many there were. */
static size_t sift(struct ca_encoder *e)
{
    size_t n = 0, had = e->n_good;

    for (size_t i = 0; i < had; i++)
        if (!e->bad_of[e->row[i]].fault) {
            e->good[n] = e->good[i];
            e->row[n++] = e->row[i];
        }
    e->n_good = n;
    return had - n;
}

static int collect_bad(struct ca_encoder *e, const struct ca_scan_batch *b, size_t first, struct ca_err *err)
{
    e->n_bad = 0;
    for (size_t r = first; r < b->rows; r++) {
        int rc;
        if (!e->bad_of[r].fault)
            continue;
        if ((rc = ca_mem_grow((void **)&e->bad, &e->cap_bad, e->n_bad + 1, sizeof *e->bad, err)))
            return rc;
        e->bad[e->n_bad++] = e->bad_of[r];
    }
    return 0;
}

static size_t count_backwards(struct ca_encoder *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->n; i++) {
        const int64_t *t = e->col[i].data;
        if (e->col[i].rule->role != CA_RULE_TIME)
            continue;
        for (size_t r = 0; r < e->n_good; r++) {
            n += e->has_time && t[r] < e->last_time;
            e->last_time = t[r];
            e->has_time = 1;
        }
        break;
    }
    return n;
}

int ca_encoder_rows(struct ca_encoder *e, const struct ca_scan_batch *b, size_t first, struct ca_encoded *out,
                    struct ca_err *err)
{
    int rc;

    *out = (struct ca_encoded){0};
    if ((rc = choose_rows(e, b, first, out, err)) || (rc = encode_checked(e, err)))
        return rc;
    /* bad rows are rare: do the others again rather than move every column together */
    if (sift(e) && (rc = encode_checked(e, err)))
        return rc;
    if (e->pool)
        ca_pool_run(e->pool, e->n, encode_vocab, e);
    else
        for (size_t i = 0; i < e->n; i++)
            encode_vocab(e, i, 0);
    for (size_t i = 0; i < e->n; i++) {
        struct bound *c = &e->col[i];
        if (c->err.code) {
            (void)ca_err_set(err, c->err.code, "%s", c->err.text);
            return c->err.code;
        }
        e->view[i] = (struct ca_colview){c->data, c->rule->role == CA_RULE_LIST ? c->start : NULL};
    }
    if ((rc = collect_bad(e, b, first, err)))
        return rc;
    out->backwards = count_backwards(e);
    out->block = (struct ca_block){&e->schema, e->n_good, 0, e->view};
    out->bad = e->bad;
    out->n_bad = e->n_bad;
    return 0;
}
