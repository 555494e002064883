#include "data/tokens.h"

#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

#define NO_FIELD SIZE_MAX

struct place {
    const struct ca_rule *rule;
    size_t field;
};

struct ca_tokens {
    const struct ca_schema_file *sf;
    struct place *col; /* of the columns that are not dropped */
    size_t n;
    size_t fields;     /* of a row */
    struct ca_piece *grid;
    size_t cap_grid;
    struct key { uint64_t number; size_t field; } *key; /* ascending */
    size_t n_key;
    size_t rest;       /* field of the list of all other tokens, or NO_FIELD */
    struct item { size_t field; struct ca_piece text; } *item; /* of the lists of one row */
    size_t n_item, cap_item;
    char *joined;      /* the lists of the batch */
    size_t cap_joined;
};

/* Numbers of libsvm features or libffm fields and the places of their values in a row. */
static int bind_keys(struct ca_tokens *t, struct ca_err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        struct place *c = &t->col[i];
        const char *name = c->rule->from ? c->rule->from : c->rule->name;
        int64_t number = 0;
        size_t at;

        if (c->rule->role == CA_RULE_LABEL) {
            c->field = 0;
            continue;
        }
        if (!strcmp(name, "*")) {
            if (t->rest == NO_FIELD)
                t->rest = t->fields++;
            c->field = t->rest;
            continue;
        }
        if (ca_value_integer((struct ca_piece){name, (uint32_t)strlen(name)}, &number))
            return ca_err_set(err, CA_EINTERNAL, "not a number: '%s'", name);
        for (at = t->n_key; at > 0 && t->key[at - 1].number >= (uint64_t)number; at--)
            ;
        if (at == t->n_key || t->key[at].number != (uint64_t)number) {
            memmove(&t->key[at + 1], &t->key[at], (t->n_key - at) * sizeof *t->key);
            t->key[at] = (struct key){(uint64_t)number, t->fields++};
            t->n_key++;
        }
        c->field = t->key[at].field;
    }
    return 0;
}

int ca_tokens_new(struct ca_tokens **out, const struct ca_schema_file *sf, struct ca_err *err)
{
    struct ca_tokens *t = ca_mem_zalloc(1, sizeof *t, err);
    int rc;

    *out = NULL;
    if (!t)
        return CA_EMEMORY;
    t->sf = sf;
    t->rest = NO_FIELD;
    t->fields = 1;
    t->key = ca_mem_zalloc(sf->n, sizeof *t->key, err);
    t->col = ca_mem_zalloc(sf->n, sizeof *t->col, err);
    rc = t->key && t->col ? 0 : CA_EMEMORY;
    for (size_t i = 0; !rc && i < sf->n; i++)
        if (sf->rule[i].role != CA_RULE_DROP)
            t->col[t->n++].rule = &sf->rule[i];
    if (!rc)
        rc = bind_keys(t, err);
    if (rc) {
        ca_tokens_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void ca_tokens_free(struct ca_tokens *t)
{
    if (!t)
        return;
    ca_mem_free(t->col);
    ca_mem_free(t->grid);
    ca_mem_free(t->key);
    ca_mem_free(t->item);
    ca_mem_free(t->joined);
    ca_mem_free(t);
}

size_t ca_tokens_fields(const struct ca_tokens *t)
{
    return t->fields;
}

size_t ca_tokens_field(const struct ca_tokens *t, const struct ca_rule *r)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->col[i].rule == r)
            return t->col[i].field;
    return NO_FIELD;
}

/* The row's list items, one list after the other, since a list must lie in one piece. */
static void join_lists(struct ca_tokens *t, struct ca_piece *field, size_t *used)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct place *c = &t->col[i];
        char sep = c->rule->separator ? c->rule->separator : t->sf->separator;
        char *start = t->joined + *used, *to = start;

        /* two lists may read one field: joined once, which also keeps within what was reserved */
        if (c->rule->role != CA_RULE_LIST || field[c->field].p)
            continue;
        for (size_t k = 0; k < t->n_item; k++) {
            if (t->item[k].field != c->field)
                continue;
            if (to > start)
                *to++ = sep;
            memcpy(to, t->item[k].text.p, t->item[k].text.n);
            to += t->item[k].text.n;
        }
        field[c->field] = (struct ca_piece){start, (uint32_t)(to - start)};
        *used += (size_t)(to - start);
    }
}

/* The rule whose field this is decides what of a token is its value. */
static const struct place *column_of(const struct ca_tokens *t, size_t field)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->col[i].field == field)
            return &t->col[i];
    return NULL;
}

static size_t find_key(const struct ca_tokens *t, uint64_t number)
{
    size_t lo = 0, hi = t->n_key;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->key[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < t->n_key && t->key[lo].number == number ? t->key[lo].field : NO_FIELD;
}

static struct ca_piece until_colon(struct ca_piece *s)
{
    const char *colon = s->n ? memchr(s->p, ':', s->n) : NULL;
    struct ca_piece head = *s;

    if (!colon)
        return (struct ca_piece){NULL, 0};
    head.n = (uint32_t)(colon - s->p);
    s->p = colon + 1;
    s->n -= head.n + 1;
    return head;
}

/*
 * One token into the row's fields. libsvm "number:value": a numeric column takes
 * the value, a list the number. libffm "field:number:value": a category or a list takes
 * the number, a numeric column the value.
 */
static const char *take_token(struct ca_tokens *t, struct ca_piece token, struct ca_piece *field)
{
    int ffm = t->sf->format == CA_TEXT_LIBFFM;
    struct ca_piece key = until_colon(&token), item = ffm ? until_colon(&token) : key, value = token;
    const struct place *c;
    int64_t number;
    double x;
    size_t at;

    if (!key.n || !item.n || ca_value_integer(key, &number) || number < 0)
        return ffm ? "not a field:feature:value" : "not a feature:value";
    if (ca_value_number(value, &x))
        return "bad number";
    at = find_key(t, (uint64_t)number);
    if (at == NO_FIELD) {
        at = t->rest;
        if (at == NO_FIELD)
            return t->sf->drop_undeclared ? NULL : ffm ? "a field the schema does not have" :
                                                         "a feature the schema does not have";
    }
    c = column_of(t, at);
    if (c && c->rule->role == CA_RULE_LIST) {
        t->item[t->n_item++] = (struct item){at, item};
        return NULL;
    }
    if (field[at].n)
        return ffm ? "a field is there twice" : "a feature is there twice";
    field[at] = ffm && c && (c->rule->role == CA_RULE_CATEGORICAL || c->rule->role == CA_RULE_DOMAIN) ? item : value;
    return NULL;
}

int ca_tokens_rows(struct ca_tokens *t, const struct ca_scan_batch *b, size_t first, struct ca_bad_row *bad_of,
                   const struct ca_piece **grid, struct ca_err *err)
{
    size_t rows = b->rows - first, used = 0, bytes = 0, tokens = 0;
    int rc;

    /* an item and its separator are no longer than the token and the blank they come from */
    for (size_t r = first; r < b->rows; r++) {
        bytes += b->row[r].raw.n + 1;
        tokens = tokens < b->row[r].n ? b->row[r].n : tokens;
    }
    if ((rc = ca_mem_grow((void **)&t->grid, &t->cap_grid, rows * t->fields, sizeof *t->grid, err)) ||
        (rc = ca_mem_grow((void **)&t->item, &t->cap_item, tokens + 1, sizeof *t->item, err)) ||
        (rc = ca_mem_grow((void **)&t->joined, &t->cap_joined, bytes + 1, 1, err)))
        return rc;
    memset(t->grid, 0, rows * t->fields * sizeof *t->grid);
    for (size_t r = first; r < b->rows; r++) {
        const struct ca_scan_row *row = &b->row[r];
        const struct ca_piece *token = b->field + row->first;
        struct ca_piece *field = t->grid + (r - first) * t->fields;
        struct ca_bad_row *bad = &bad_of[r];

        if (bad->fault)
            continue;
        if (row->n)
            field[0] = token[0];
        t->n_item = 0;
        for (size_t i = 1; i < row->n && !bad->fault; i++)
            if ((bad->fault = take_token(t, token[i], field)))
                bad->value = token[i];
        if (!bad->fault)
            join_lists(t, field, &used);
    }
    *grid = t->grid;
    return 0;
}
