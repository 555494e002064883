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
};

/* A column of one batch. */
struct cells {
    void *data;            /* one element for each good row; of a list, for each item */
    size_t cap_data;       /* in elements */
    uint32_t *start;       /* of a list, else NULL */
    size_t cap_start;
    struct ca_piece *value; /* of a vocabulary column: what to look up */
    size_t cap_value;
    char *digits;          /* transformed values as text, DIGITS apiece */
    size_t cap_digits;
};

/* A batch in hand. */
struct work {
    struct cells *cell;    /* by column */
    struct ca_colview *view;
    const struct ca_piece *base; /* fields */
    size_t *good;          /* where the fields of each good row begin in base */
    size_t *row;           /* and which row of the batch it is */
    size_t n_good, cap_good, cap_row;
    struct ca_bad_row *bad_of; /* by row; fault NULL while it is good */
    size_t cap_bad_of;
    struct ca_bad_row *bad;
    size_t n_bad, cap_bad;
    size_t unlabelled;
    struct ca_tokens *tokens; /* libsvm, libffm: rows of fields made from tokens */
};

struct ca_encoder {
    const struct ca_schema_file *sf;
    struct ca_vocab *vocab;
    int add, drop_unlabelled;
    struct ca_schema schema;
    struct bound *col;
    size_t n;
    size_t label;          /* column */
    size_t expected;       /* fields of a row; NO_FIELD before a header has told */
    double small[CA_N_TRANSFORMS][SMALL]; /* ca_value_transform of 0, 1, ... */

    struct work *work;
    size_t n_work, cap_work;
    int64_t last_time;
    int has_time;
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
                   int drop_unlabelled, struct ca_err *err)
{
    struct ca_encoder *e = ca_mem_zalloc(1, sizeof *e, err);
    int rc = 0;

    if (!e)
        return CA_EMEMORY;
    e->sf = sf;
    e->vocab = vocab;
    e->add = add;
    e->drop_unlabelled = drop_unlabelled;
    e->expected = NO_FIELD;
    for (int t = 0; t < CA_N_TRANSFORMS; t++)
        for (int x = 0; x < SMALL; x++)
            e->small[t][x] = ca_value_transform((enum ca_transform)t, x);
    e->col = ca_mem_zalloc(sf->n, sizeof *e->col, err);
    if (!e->col) {
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
    while (e->col[e->label].rule->role != CA_RULE_LABEL) /* ca_schema_file has seen to it that there is one */
        e->label++;
    if ((rc = ca_encoder_room(e, 1, err)))
        goto done;
    if (by_key(sf)) {
        e->expected = ca_tokens_fields(e->work->tokens);
        for (size_t i = 0; i < e->n; i++)
            e->col[i].field = ca_tokens_field(e->work->tokens, e->col[i].rule);
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

static void work_fini(const struct ca_encoder *e, struct work *w)
{
    for (size_t i = 0; w->cell && i < e->n; i++) {
        ca_mem_free(w->cell[i].data);
        ca_mem_free(w->cell[i].start);
        ca_mem_free(w->cell[i].value);
        ca_mem_free(w->cell[i].digits);
    }
    ca_mem_free(w->cell);
    ca_mem_free(w->view);
    ca_mem_free(w->good);
    ca_mem_free(w->row);
    ca_mem_free(w->bad_of);
    ca_mem_free(w->bad);
    ca_tokens_free(w->tokens);
}

int ca_encoder_room(struct ca_encoder *e, size_t batches, struct ca_err *err)
{
    int rc = ca_mem_grow((void **)&e->work, &e->cap_work, batches, sizeof *e->work, err);

    while (!rc && e->n_work < batches) {
        struct work *w = &e->work[e->n_work++];

        *w = (struct work){0};
        w->cell = ca_mem_zalloc(e->n, sizeof *w->cell, err);
        w->view = ca_mem_zalloc(e->n, sizeof *w->view, err);
        rc = !w->cell || !w->view ? CA_EMEMORY : by_key(e->sf) ? ca_tokens_new(&w->tokens, e->sf, err) : 0;
    }
    return rc;
}

void ca_encoder_free(struct ca_encoder *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->n_work; i++)
        work_fini(e, &e->work[i]);
    ca_mem_free(e->work);
    ca_schema_fini(&e->schema);
    ca_mem_free(e->col);
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

static void blame(struct work *w, size_t i, const struct bound *c, struct ca_piece value, const char *fault)
{
    struct ca_bad_row *b = &w->bad_of[w->row[i]];

    if (!b->fault)
        *b = (struct ca_bad_row){.row = w->row[i], .fault = fault, .column = c->rule->name, .value = value};
}

static int need_data(struct cells *d, size_t n, size_t size, struct ca_err *err)
{
    return ca_mem_grow(&d->data, &d->cap_data, n ? n : 1, size, err);
}

/* Labels, weights, numeric inputs: whatever becomes F32. */
static int encode_float(const struct ca_encoder *e, struct work *w, size_t column, struct ca_err *err)
{
    const struct bound *c = &e->col[column];
    struct cells *d = &w->cell[column];
    const struct ca_rule *r = c->rule;
    int probability = r->role == CA_RULE_LABEL || r->role == CA_RULE_TASK;
    int rc = need_data(d, w->n_good, sizeof(float), err);
    float *out = d->data;

    if (rc)
        return rc;
    for (size_t i = 0; i < w->n_good; i++) {
        struct ca_piece v = w->base[w->good[i] + c->field];
        double x;

        if (is_missing(e, v)) {
            x = r->missing;
            if (!r->has_missing)
                blame(w, i, c, v, "missing value");
        } else if (ca_value_number(v, &x)) {
            blame(w, i, c, v, "bad number");
            continue;
        }
        if (r->has_at_least)
            x = x >= r->at_least;
        else if (probability && !(x >= 0.0 && x <= 1.0))
            blame(w, i, c, v, "label outside 0 to 1");
        else if (r->role == CA_RULE_WEIGHT && x < 0.0)
            blame(w, i, c, v, "negative weight");
        if (r->transform != CA_TRANSFORM_NONE)
            x = x >= 0.0 && x < SMALL && x == (double)(int)x ? e->small[r->transform][(int)x]
                                                             : ca_value_transform(r->transform, x);
        if (x > 3.4028234663852886e38 || x < -3.4028234663852886e38)
            blame(w, i, c, v, "number out of range");
        else
            out[i] = (float)x;
    }
    return 0;
}

static int encode_time(const struct ca_encoder *e, struct work *w, size_t column, struct ca_err *err)
{
    const struct bound *c = &e->col[column];
    struct cells *d = &w->cell[column];
    int rc = need_data(d, w->n_good, sizeof(int64_t), err);
    int64_t *out = d->data;

    if (rc)
        return rc;
    for (size_t i = 0; i < w->n_good; i++) {
        struct ca_piece v = w->base[w->good[i] + c->field];
        if (ca_value_time(v, c->rule->time, &out[i]))
            blame(w, i, c, v, "bad time");
    }
    return 0;
}

/* Numbers that become categories: checked together with the other numbers, so that a bad one numbers nothing. */
static int transform_text(const struct ca_encoder *e, struct work *w, size_t column, struct ca_err *err)
{
    const struct bound *c = &e->col[column];
    struct cells *d = &w->cell[column];
    int rc;

    if ((rc = ca_mem_grow((void **)&d->digits, &d->cap_digits, w->n_good * DIGITS + 1, 1, err)) ||
        (rc = ca_mem_grow((void **)&d->value, &d->cap_value, w->n_good + 1, sizeof *d->value, err)))
        return rc;
    for (size_t i = 0; i < w->n_good; i++) {
        struct ca_piece v = w->base[w->good[i] + c->field];
        char *text = d->digits + i * DIGITS;
        double x;

        d->value[i] = (struct ca_piece){text, 0};
        if (is_missing(e, v))
            continue;
        if (ca_value_number(v, &x)) {
            blame(w, i, c, v, "bad number");
            continue;
        }
        x = ca_value_transform(c->rule->transform, x);
        if (c->rule->has_missing && x == c->rule->missing)
            continue;
        d->value[i].n = (uint32_t)snprintf(text, DIGITS, "%.9g", x == 0.0 ? 0.0 : x);
    }
    return 0;
}

static int encode_category(const struct ca_encoder *e, struct work *w, size_t column, struct ca_err *err)
{
    const struct bound *c = &e->col[column];
    struct cells *d = &w->cell[column];
    struct ca_piece value[GATHER];
    int rc = need_data(d, w->n_good, sizeof(uint32_t), err);

    if (!rc && c->rule->transform != CA_TRANSFORM_NONE)
        return ca_vocab_ids(e->vocab, (size_t)c->vocab, d->value, w->n_good, e->add, d->data, err);
    for (size_t from = 0; from < w->n_good && !rc; from += GATHER) {
        size_t n = w->n_good - from < GATHER ? w->n_good - from : GATHER;
        for (size_t i = 0; i < n; i++) {
            value[i] = w->base[w->good[from + i] + c->field];
            if (e->sf->n_missing && is_missing(e, value[i]))
                value[i].n = 0;
        }
        rc = ca_vocab_ids(e->vocab, (size_t)c->vocab, value, n, e->add, (uint32_t *)d->data + from, err);
    }
    return rc;
}

/* Items between separators, into d->value; an empty field is an empty list. */
static int split_lists(const struct ca_encoder *e, struct work *w, size_t column, struct ca_err *err)
{
    const struct bound *c = &e->col[column];
    struct cells *d = &w->cell[column];
    char sep = c->rule->separator ? c->rule->separator : e->sf->separator;
    size_t n = 0;
    int rc = ca_mem_grow((void **)&d->start, &d->cap_start, w->n_good + 1, sizeof *d->start, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < w->n_good; i++) {
        struct ca_piece v = w->base[w->good[i] + c->field];
        const char *p = v.p, *end = v.p + v.n;
        size_t first = n;

        d->start[i] = (uint32_t)n;
        if (is_missing(e, v))
            continue;
        for (;;) {
            const char *q = memchr(p, sep, (size_t)(end - p));
            if ((rc = ca_mem_grow((void **)&d->value, &d->cap_value, n + 1, sizeof *d->value, err)))
                return rc;
            d->value[n++] = (struct ca_piece){p, (uint32_t)((q ? q : end) - p)};
            if (!q)
                break;
            p = q + 1;
        }
        if (c->rule->max && n - first > c->rule->max) {
            memmove(d->value + first, d->value + n - c->rule->max, c->rule->max * sizeof *d->value);
            n = first + c->rule->max;
        }
    }
    d->start[w->n_good] = (uint32_t)n;
    return need_data(d, n, sizeof(uint32_t), err);
}

static int encode_list(const struct ca_encoder *e, struct work *w, size_t column, struct ca_err *err)
{
    struct cells *d = &w->cell[column];
    int rc = split_lists(e, w, column, err);

    return rc ? rc : ca_vocab_ids(e->vocab, (size_t)e->col[column].vocab, d->value, d->start[w->n_good], e->add,
                                  d->data, err);
}

/*
 * A category and the lists that share its vocabulary. Their values are numbered row by row, not column by column: how
 * many rows make a batch must not show.
 */
static int encode_shared(const struct ca_encoder *e, struct work *w, size_t column, struct ca_err *err)
{
    const struct bound *of = &e->col[column];
    struct ca_piece one;
    int rc = need_data(&w->cell[column], w->n_good, sizeof(uint32_t), err);

    for (size_t i = 0; i < e->n && !rc; i++)
        if (e->col[i].of == of && i != column)
            rc = split_lists(e, w, i, err);
    for (size_t r = 0; r < w->n_good && !rc; r++)
        for (size_t i = 0; i < e->n && !rc; i++) {
            const struct cells *d = &w->cell[i];
            size_t from = r, n = 1;
            if (e->col[i].of != of)
                continue;
            if (i == column) {
                one = w->base[w->good[r] + of->field];
                one.n = is_missing(e, one) ? 0 : one.n;
            } else {
                from = d->start[r];
                n = d->start[r + 1] - from;
            }
            rc = ca_vocab_ids(e->vocab, (size_t)of->vocab, i == column ? &one : d->value + from, n, e->add,
                              (uint32_t *)d->data + from, err);
        }
    return rc;
}

/* All that can find fault with a row: what has no vocabulary, and numbers on their way to one. */
static int encode_checked(const struct ca_encoder *e, struct work *w, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < e->n && !rc; i++) {
        const struct bound *c = &e->col[i];
        if (c->rule->role == CA_RULE_TIME)
            rc = encode_time(e, w, i, err);
        else if (!has_vocab(c->rule))
            rc = encode_float(e, w, i, err);
        else if (c->rule->transform != CA_TRANSFORM_NONE)
            rc = transform_text(e, w, i, err);
    }
    return rc;
}

/* Ids of a vocabulary that stands: missing values, which it has as 0, to what the records have. */
static void fill_missing(const struct ca_encoder *e, const struct work *w, size_t column)
{
    uint32_t missing = ca_encoder_missing(e, column), *id = w->cell[column].data;

    for (size_t i = 0; missing && i < w->n_good; i++)
        id[i] = id[i] ? id[i] : missing;
}

/* Count the ids of the first rows. */
static int tally(const struct ca_encoder *e, const struct work *w, size_t column, size_t rows, struct ca_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < e->n && !rc; i++) {
        const struct cells *d = &w->cell[i];
        if (e->col[i].of == &e->col[column])
            rc = ca_vocab_tally(e->vocab, (size_t)e->col[i].vocab, d->data,
                                e->col[i].rule->role == CA_RULE_LIST ? d->start[rows] : rows, err);
    }
    return rc;
}

/* ---- batches --------------------------------------------------------------- */

/* Rows whose fields can be told apart, unlabelled ones left out when so asked. */
static int choose_rows(const struct ca_encoder *e, struct work *w, const struct ca_scan_batch *b, size_t first,
                       struct ca_err *err)
{
    int rc;

    if ((rc = ca_mem_grow((void **)&w->good, &w->cap_good, b->rows, sizeof *w->good, err)) ||
        (rc = ca_mem_grow((void **)&w->row, &w->cap_row, b->rows, sizeof *w->row, err)) ||
        (rc = ca_mem_grow((void **)&w->bad_of, &w->cap_bad_of, b->rows, sizeof *w->bad_of, err)))
        return rc;
    for (size_t r = first; r < b->rows; r++) {
        const struct ca_scan_row *row = &b->row[r];
        w->bad_of[r] = (struct ca_bad_row){.row = r, .fault = row->fault};
        if (!row->fault && !by_key(e->sf) && row->n != e->expected) {
            w->bad_of[r].fault = "wrong number of fields";
            w->bad_of[r].fields = row->n;
            w->bad_of[r].expected = e->expected;
        }
    }
    w->base = b->field;
    if (by_key(e->sf) && (rc = ca_tokens_rows(w->tokens, b, first, w->bad_of, &w->base, err)))
        return rc;
    for (size_t r = first; r < b->rows; r++) {
        size_t at = by_key(e->sf) ? (r - first) * e->expected : b->row[r].first;
        if (w->bad_of[r].fault)
            continue;
        if (e->drop_unlabelled && is_missing(e, w->base[at + e->col[e->label].field])) {
            w->unlabelled++;
            continue;
        }
        w->good[w->n_good] = at;
        w->row[w->n_good++] = r;
    }
    return 0;
}

/* Take the bad rows out of the good. Returns how many there were. */
static size_t sift(struct work *w)
{
    size_t n = 0, had = w->n_good;

    for (size_t i = 0; i < had; i++)
        if (!w->bad_of[w->row[i]].fault) {
            w->good[n] = w->good[i];
            w->row[n++] = w->row[i];
        }
    w->n_good = n;
    return had - n;
}

static int collect_bad(struct work *w, const struct ca_scan_batch *b, size_t first, struct ca_err *err)
{
    for (size_t r = first; r < b->rows; r++) {
        int rc;
        if (!w->bad_of[r].fault)
            continue;
        if ((rc = ca_mem_grow((void **)&w->bad, &w->cap_bad, w->n_bad + 1, sizeof *w->bad, err)))
            return rc;
        w->bad[w->n_bad++] = w->bad_of[r];
    }
    return 0;
}

int ca_encoder_check(struct ca_encoder *e, size_t batch, const struct ca_scan_batch *b, size_t first, size_t *good,
                     struct ca_err *err)
{
    struct work *w = &e->work[batch];
    int rc;

    w->n_good = w->n_bad = w->unlabelled = 0;
    /* bad rows are rare: do the others again rather than move every column together */
    if (!(rc = choose_rows(e, w, b, first, err)) && !(rc = encode_checked(e, w, err)) && sift(w))
        rc = encode_checked(e, w, err);
    *good = w->n_good;
    return rc ? rc : collect_bad(w, b, first, err);
}

/* Columns of one vocabulary are done together, when it is the turn of its owner. */
int ca_encoder_number(struct ca_encoder *e, size_t batch, size_t column, size_t count, struct ca_err *err)
{
    const struct bound *c = &e->col[column];
    struct work *w = &e->work[batch];
    int rc;

    if (!has_vocab(c->rule) || c->of != c)
        return 0;
    if (c->shared)
        rc = encode_shared(e, w, column, err);
    else
        rc = c->rule->role == CA_RULE_LIST ? encode_list(e, w, column, err) : encode_category(e, w, column, err);
    if (!rc && !e->add)
        fill_missing(e, w, column);
    return rc || !count ? rc : tally(e, w, column, count, err);
}

static size_t count_backwards(struct ca_encoder *e, const struct work *w)
{
    size_t n = 0;

    for (size_t i = 0; i < e->n; i++) {
        const int64_t *t = w->cell[i].data;
        if (e->col[i].rule->role != CA_RULE_TIME)
            continue;
        for (size_t r = 0; r < w->n_good; r++) {
            n += e->has_time && t[r] < e->last_time;
            e->last_time = t[r];
            e->has_time = 1;
        }
        break;
    }
    return n;
}

void ca_encoder_take(struct ca_encoder *e, size_t batch, struct ca_encoded *out)
{
    struct work *w = &e->work[batch];

    for (size_t i = 0; i < e->n; i++)
        w->view[i] = (struct ca_colview){w->cell[i].data,
                                         e->col[i].rule->role == CA_RULE_LIST ? w->cell[i].start : NULL};
    *out = (struct ca_encoded){.block = {&e->schema, w->n_good, 0, w->view},
                               .bad = w->bad,
                               .n_bad = w->n_bad,
                               .unlabelled = w->unlabelled,
                               .backwards = count_backwards(e, w)};
}
