#include "record/select.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#include "base/banned.h"

/* Mark in order[c] = position + 1 each named column of s; *n counts them. */
static int mark(const struct ca_schema *s, const char *names, size_t *order, size_t *n, struct ca_err *err)
{
    char *copy = ca_mem_strdup(names, err), *name = copy;
    int rc = copy ? 0 : CA_EMEMORY;

    while (!rc && name) {
        char *comma = strchr(name, ',');
        size_t c;

        if (comma)
            *comma = '\0';
        if (!(rc = ca_schema_need(s, name, &c, err))) {
            if (order[c])
                rc = ca_err_set(err, CA_EUSAGE, "column '%s' is named twice", name);
            else
                order[c] = ++*n;
        }
        name = comma ? comma + 1 : NULL;
    }
    ca_mem_free(copy);
    return rc;
}

int ca_pick_init(struct ca_pick *p, const struct ca_schema *s, const char *columns, const char *drop,
                 struct ca_err *err)
{
    size_t *order = ca_mem_zalloc(s->n, sizeof *order, err), *out = ca_mem_zalloc(s->n, sizeof *out, err);
    size_t n = 0, dropped = 0;
    int rc = 0;

    *p = (struct ca_pick){0};
    p->from = ca_mem_zalloc(s->n, sizeof *p->from, err);
    p->view = ca_mem_zalloc(s->n, sizeof *p->view, err);
    if (!order || !out || !p->from || !p->view) {
        rc = CA_EMEMORY;
        goto done;
    }
    if (columns) {
        if ((rc = mark(s, columns, order, &n, err)))
            goto done;
    } else {
        for (size_t c = 0; c < s->n; c++)
            order[c] = ++n;
    }
    if (drop && (rc = mark(s, drop, out, &dropped, err)))
        goto done;
    for (size_t c = 0; c < s->n; c++)
        if (order[c])
            p->from[order[c] - 1] = c;
    for (size_t i = 0, kept = 0; !rc && i < n; i++) {
        const struct ca_column *col = &s->col[p->from[i]];
        if (out[p->from[i]])
            continue;
        p->from[kept++] = p->from[i];
        rc = ca_schema_add(&p->schema, col->name, col->role, col->type, col->is_list, col->vocab, err);
    }
    /* a sequence whose column goes keeps its ids, and they are its own from now on */
    for (size_t i = 0; !rc && i < p->schema.n; i++) {
        const struct ca_column *col = &s->col[p->from[i]];
        if (col->like && ca_schema_find(&p->schema, col->like) >= 0)
            rc = ca_schema_like(&p->schema, col->name, col->like, err);
    }
    if (!rc && !p->schema.n)
        rc = ca_err_set(err, CA_EUSAGE, "no column is left");
done:
    ca_mem_free(order);
    ca_mem_free(out);
    if (rc)
        ca_pick_fini(p);
    return rc;
}

void ca_pick_fini(struct ca_pick *p)
{
    ca_schema_fini(&p->schema);
    ca_mem_free(p->from);
    ca_mem_free(p->view);
    *p = (struct ca_pick){0};
}

struct ca_block ca_pick_block(struct ca_pick *p, const struct ca_block *b)
{
    for (size_t c = 0; c < p->schema.n; c++)
        p->view[c] = b->col[p->from[c]];
    return (struct ca_block){&p->schema, b->rows, b->first_row, p->view};
}

static int parse_bound(const char *text, size_t n, int64_t *out)
{
    char number[32];
    uint64_t value;

    if (!n)
        return 0; /* left out: as it is */
    if (n >= sizeof number)
        return -1;
    memcpy(number, text, n);
    number[n] = '\0';
    if (ca_num_count(number, 0, INT64_MAX, &value))
        return -1;
    *out = (int64_t)value;
    return 0;
}

int ca_span_parse(struct ca_span *s, const char *text, int limit_given, uint64_t limit, struct ca_err *err)
{
    *s = (struct ca_span){0, INT64_MAX};
    if (text) {
        const char *colon = strchr(text, ':');
        if (!colon || parse_bound(text, (size_t)(colon - text), &s->first) ||
            parse_bound(colon + 1, strlen(colon + 1), &s->last) || s->first > s->last)
            return ca_err_set(err, CA_EUSAGE, "'%s' is not a range of rows: FIRST:LAST, counted from 0, without LAST",
                              text);
    }
    if (limit_given && limit < (uint64_t)(s->last - s->first))
        s->last = s->first + (int64_t)limit;
    return 0;
}

int ca_span_start(const struct ca_span *s, struct ca_reader *r, struct ca_err *err)
{
    struct ca_err why = {0};
    int rc;

    if (s->first == 0 && s->last == INT64_MAX)
        return 0;
    rc = ca_reader_index(r, &why);
    if (rc == CA_EUSAGE)
        return 0; /* a pipe: what comes before the span is read and dropped */
    if (rc) {
        if (err)
            *err = why;
        return rc;
    }
    if (s->first == 0)
        return 0;
    return ca_reader_seek(r, s->first < ca_reader_tail(r)->rows ? s->first : ca_reader_tail(r)->rows, err);
}

int ca_span_next(const struct ca_span *s, struct ca_reader *r, int drain, struct ca_block *b, size_t *first, size_t *n,
                 struct ca_err *err)
{
    int64_t row = ca_reader_row(r);
    int rc;

    if (row >= s->last && !drain)
        return 0;
    while ((rc = ca_reader_next(r, b, err)) == 1) {
        int64_t lo = s->first > b->first_row ? s->first - b->first_row : 0;
        int64_t hi = s->last - b->first_row < (int64_t)b->rows ? s->last - b->first_row : (int64_t)b->rows;

        if (lo < hi) {
            *first = (size_t)lo;
            *n = (size_t)(hi - lo);
            return 1;
        }
        if (hi <= 0 && !drain)
            return 0;
    }
    return rc;
}
