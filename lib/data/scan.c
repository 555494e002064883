#include "data/scan.h"

#include <endian.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

#define START_BYTES ((size_t)1 << 18) /* stays in the second-level cache */
#define GROUP 64                      /* bytes looked at together; the buffer is padded by as much */

/* A stretch of the buffer that begins where a row does, or so it is hoped (ca_scan_settle). */
struct part {
    const char *begin, *end;
    int eof;               /* the text ends where the part does */
    int over_long;         /* it is one row of which the buffer is full */
    size_t max;            /* rows */
};

/* Rows found by one worker. */
struct found {
    const struct part *part;
    const char *at;        /* scanned so far */
    int64_t lines;         /* before at */
    char *scratch;         /* unquoted text, at most as long as the part */
    size_t scratch_cap, scratch_len;
    struct ca_piece *field;
    size_t n_field, cap_field;
    struct ca_scan_row *row;
    size_t rows, cap_row;
    int rc;
    struct ca_err err;
    struct ca_scan_batch batch;
};

struct ca_scan {
    struct ca_source *source;
    struct ca_scan_rule rule;
    char quote;            /* '"', or sep again where quotes are nothing special */

    char *buf;
    size_t cap;            /* without padding */
    size_t at, end;        /* unread bytes */
    int open;              /* a file is open */
    int eof;               /* all of its bytes are in buf */
    int fault;             /* behind the bytes in buf: rows before it come first */
    struct ca_err err;
    enum { NOT, IN_PARTS, IN_WHOLE } stuck; /* no row was found at at: in its part; in all of the buffer */
    int skip_line;         /* drop bytes up to the next line end: the rest of an over-long row */
    int fresh;             /* no row of this file has been handed out */
    int64_t line;          /* of the byte at at */

    struct part *part;
    size_t parts, cap_part; /* parts: in hand */
    int sound;             /* the next of them to settle begins where a row does */
    int any;               /* some had a row */
    struct found *found;   /* by worker */
    size_t workers, cap_found;
};

/* Where the scan of one row stands: bit k of mask is a special byte at group[k]. */
struct cursor {
    const char *group;
    uint64_t mask;
};

int ca_scan_open(struct ca_scan **out, struct ca_source *source, const struct ca_scan_rule *rule, struct ca_err *err)
{
    struct ca_scan *t = ca_mem_zalloc(1, sizeof *t, err);

    if (!t) {
        ca_source_close(source);
        return CA_EMEMORY;
    }
    t->source = source;
    t->rule = *rule;
    t->quote = rule->quotes ? '"' : rule->sep;
    if (ca_scan_room(t, START_BYTES, 1, err)) {
        ca_scan_close(t);
        return CA_EMEMORY;
    }
    *out = t;
    return 0;
}

int ca_scan_room(struct ca_scan *t, size_t bytes, size_t workers, struct ca_err *err)
{
    size_t cap = START_BYTES;
    char *buf;
    int rc;

    while (cap < bytes && cap < CA_SCAN_MAX_ROW)
        cap *= 2; /* always a power of two times START_BYTES: a row that fills the buffer must have CA_SCAN_MAX_ROW bytes */
    if (!(buf = ca_mem_zalloc(cap + GROUP, 1, err)))
        return CA_EMEMORY;
    ca_mem_free(t->buf);
    t->buf = buf;
    t->cap = cap;
    if ((rc = ca_mem_grow((void **)&t->found, &t->cap_found, workers, sizeof *t->found, err)))
        return rc;
    for (; t->workers < workers; t->workers++)
        t->found[t->workers] = (struct found){0};
    return 0;
}

const struct ca_source *ca_scan_source(const struct ca_scan *t)
{
    return t->source;
}

void ca_scan_close(struct ca_scan *t)
{
    if (!t)
        return;
    ca_source_close(t->source);
    for (size_t i = 0; i < t->workers; i++) {
        ca_mem_free(t->found[i].scratch);
        ca_mem_free(t->found[i].field);
        ca_mem_free(t->found[i].row);
    }
    ca_mem_free(t->found);
    ca_mem_free(t->part);
    ca_mem_free(t->buf);
    ca_mem_free(t);
}

/*
 * One bit for each of 64 bytes: is it a separator, a quote, a line end or NUL?
 * The first loop is one the compiler turns into vector compares.
 */
static uint64_t specials(const char *p, char sep, char quote)
{
    unsigned char flag[GROUP];
    uint64_t mask = 0;

    for (unsigned i = 0; i < GROUP; i++)
        flag[i] = (unsigned char)((p[i] == sep) | (p[i] == quote) | (p[i] == '\n') | (p[i] == '\0'));
    for (unsigned k = 0; k < GROUP / 8; k++) {
        uint64_t v;
        memcpy(&v, flag + 8 * k, 8);
        /* the multiplication gathers the eight flags in the top byte */
        mask |= (le64toh(v) * 0x0102040810204080u >> 56) << (8 * k);
    }
    return mask;
}

static inline void cursor_at(struct cursor *c, const struct ca_scan *t, const char *p)
{
    c->group = p;
    c->mask = specials(p, t->rule.sep, t->quote);
}

/* The next special byte, or NULL when there is none before the end. */
static inline const char *cursor_next(struct cursor *c, const struct ca_scan *t, const char *end)
{
    const char *p;

    while (!c->mask) {
        c->group += GROUP;
        if (c->group >= end)
            return NULL;
        c->mask = specials(c->group, t->rule.sep, t->quote);
    }
    p = c->group + __builtin_ctzll(c->mask);
    c->mask &= c->mask - 1;
    return p < end ? p : NULL;
}

static inline int add_field(struct found *t, const struct ca_scan *s, struct ca_scan_row *row, const char *p, size_t n)
{
    int rc;

    if (s->rule.tokens && !n)
        return 0;
    if (n > CA_SCAN_MAX_FIELD) {
        row->fault = "a field is longer than 1048576 bytes";
        n = 0;
    }
    if (t->n_field == t->cap_field &&
        (rc = ca_mem_grow((void **)&t->field, &t->cap_field, t->n_field + 1, sizeof *t->field, &t->err)))
        return rc;
    t->field[t->n_field].p = p;
    t->field[t->n_field].n = (uint32_t)n;
    t->n_field++;
    row->n++;
    return 0;
}

static int64_t count_lines(const char *p, const char *end)
{
    int64_t n = 0;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        n++;
        p++;
    }
    return n;
}

/* The closing quote of the text at p (behind the opening one), or NULL; *doubled: quotes stand doubled inside. */
static const char *closing_quote(const struct part *t, const char *p, int *doubled)
{
    *doubled = 0;
    while ((p = memchr(p, '"', (size_t)(t->end - p)))) {
        if (p + 1 == t->end)
            return t->eof ? p : NULL;
        if (p[1] != '"')
            return p;
        *doubled = 1;
        p += 2;
    }
    return NULL;
}

/* Quoted text with its doubled quotes halved, in the scratch. */
static int unquote(struct found *t, const char **p, size_t *n)
{
    const char *from = *p, *end = *p + *n;
    size_t need = (size_t)(t->part->end - t->part->begin);
    char *to, *start;

    if (t->scratch_cap < need) {
        /* rows before this one may point into it, but then it has its size already */
        ca_mem_free(t->scratch);
        t->scratch_cap = 0;
        t->scratch = ca_mem_alloc(need, 1, &t->err);
        if (!t->scratch)
            return CA_EMEMORY;
        t->scratch_cap = need;
    }
    to = start = t->scratch + t->scratch_len;
    while (from < end) {
        const char *q = memchr(from, '"', (size_t)(end - from));
        size_t run = q ? (size_t)(q - from) + 1 : (size_t)(end - from);
        memcpy(to, from, run);
        to += run;
        from += run + (q != NULL);
    }
    *p = start;
    *n = (size_t)(to - start);
    t->scratch_len += *n;
    return 0;
}

/* A row that breaks the format ends at the first line end from p on. Returns 1, or 0 when that is not read yet. */
static int end_bad_row(struct found *t, struct ca_scan_row *row, const char *p, const char *fault)
{
    const char *start = t->at, *end = t->part->end;
    const char *nl = memchr(p, '\n', (size_t)(end - p));

    if (!nl && !t->part->eof)
        return 0;
    if (!nl)
        nl = end;
    row->fault = fault;
    row->raw.n = (uint32_t)(nl - start);
    t->lines += count_lines(start, nl) + 1;
    t->at = nl + (nl < end);
    return 1;
}

/*
 * The row at t->at. Returns 1 and moves on, 0 when it is not all in the part
 * (nothing has changed but fields were added: the caller drops them), or a code.
 */
static int scan_row(struct found *t, const struct ca_scan *s, struct cursor *c, struct ca_scan_row *row)
{
    const char *start = t->at, *end = t->part->end, *field = start, *p;
    const int eof = t->part->eof;
    int64_t inner_lines = 0;
    int rc;

    *row = (struct ca_scan_row){.first = t->n_field, .line = t->lines, .raw = {start, 0}};
    for (;;) {
        if (!(p = cursor_next(c, s, end)))
            return 0;
        if (*p == s->rule.sep) {
            if ((rc = add_field(t, s, row, field, (size_t)(p - field))))
                return rc;
            field = p + 1;
        } else if (*p == '\n') {
            size_t n = (size_t)(p - field);
            if (n && p[-1] == '\r')
                n--;
            if ((rc = add_field(t, s, row, field, n)))
                return rc;
            break;
        } else if (!*p) {
            row->fault = "a NUL byte";
        } else {
            const char *text = p + 1, *close;
            size_t n;
            int doubled;

            if (p != field)
                return end_bad_row(t, row, p, "a quote inside an unquoted field");
            close = closing_quote(t->part, text, &doubled);
            if (!close) {
                if (!eof && (size_t)(end - t->at) < CA_SCAN_MAX_ROW)
                    return 0;
                return end_bad_row(t, row, start, "a quote is never closed");
            }
            p = close + 1;
            if (*p == '\r') {
                if (p + 1 == end && !eof)
                    return 0;
                if (p[1] == '\n')
                    p++;
            }
            if (*p != s->rule.sep && *p != '\n')
                return end_bad_row(t, row, close, "text behind a closing quote");
            n = (size_t)(close - text);
            if (memchr(text, '\0', n))
                row->fault = "a NUL byte";
            inner_lines += count_lines(text, close);
            if (doubled && (rc = unquote(t, &text, &n)))
                return rc;
            if ((rc = add_field(t, s, row, text, n)))
                return rc;
            field = p + 1;
            cursor_at(c, s, field);
            if (*p == '\n')
                break;
        }
    }
    row->raw.n = (uint32_t)(p - start);
    t->lines += inner_lines + 1;
    t->at = p + 1;
    return 1;
}

/* Make room and read on. Only while no row of a batch is in use. */
static int fill(struct ca_scan *t, struct ca_err *err)
{
    size_t left = t->end - t->at, got;

    t->stuck = NOT;
    if (t->at)
        memmove(t->buf, t->buf + t->at, left);
    t->at = 0;
    t->end = left;
    if (left == t->cap) {
        size_t cap = 2 * t->cap;
        char *buf = ca_mem_alloc(cap + GROUP, 1, err);
        if (!buf)
            return CA_EMEMORY;
        memcpy(buf, t->buf, left);
        ca_mem_free(t->buf);
        t->buf = buf;
        t->cap = cap;
    }
    got = 0;
    if (!t->fault)
        t->fault = ca_source_read(t->source, t->buf + t->end, t->cap - t->end, &got, &t->err);
    if (t->fault && !got) {
        *err = t->err;
        return t->fault;
    }
    t->eof = !t->fault && got < t->cap - t->end;
    t->end += got;
    /* a last line without its end gets one, in the padding if need be */
    if (t->eof && t->end && t->buf[t->end - 1] != '\n')
        t->buf[t->end++] = '\n';
    memset(t->buf + t->end, 0, GROUP);
    return 0;
}

/* The next file and its first bytes. Returns 1, 0 or a code. */
static int next_file(struct ca_scan *t, struct ca_err *err)
{
    int rc = ca_source_next(t->source, err);

    if (rc <= 0)
        return rc;
    t->open = t->fresh = 1;
    t->eof = t->skip_line = 0;
    t->stuck = NOT;
    t->at = t->end = 0;
    t->line = 1;
    if ((rc = fill(t, err)))
        return rc;
    if (t->end >= 3 && !memcmp(t->buf, "\xef\xbb\xbf", 3))
        t->at = 3; /* a byte order mark is no part of the first name */
    return 1;
}

/* Drop the rest of an over-long row. */
static int skip_line(struct ca_scan *t, struct ca_err *err)
{
    for (;;) {
        const char *nl = memchr(t->buf + t->at, '\n', t->end - t->at);
        int rc;

        if (nl || t->eof) {
            t->at = nl ? (size_t)(nl - t->buf) + 1 : t->end;
            t->skip_line = 0;
            return 0;
        }
        t->at = t->end;
        if ((rc = fill(t, err)))
            return rc;
    }
}

static void add_part(struct ca_scan *t, size_t begin, size_t end, size_t max)
{
    t->part[t->parts++] =
        (struct part){.begin = t->buf + begin, .end = t->buf + end, .eof = t->eof && end == t->end, .max = max};
}

/* What is in the buffer as up to n parts of about the same size, bytes at least, each but the last up to a line end. */
static void cut(struct ca_scan *t, size_t n, size_t bytes, size_t max)
{
    size_t size = (t->end - t->at) / n + 1, at = t->at;

    size = size < bytes ? bytes : size;
    while (t->parts < n - 1 && t->end - at > size) {
        const char *nl = memchr(t->buf + at + size - 1, '\n', t->end - at - size + 1);
        size_t end = nl ? (size_t)(nl - t->buf) + 1 : t->end;

        if (end == t->end)
            break;
        add_part(t, at, end, max);
        at = end;
    }
    add_part(t, at, t->end, max);
}

int ca_scan_cut(struct ca_scan *t, size_t parts, size_t bytes, size_t max_rows, size_t *n, struct ca_err *err)
{
    int rc = ca_mem_grow((void **)&t->part, &t->cap_part, parts, sizeof *t->part, err);

    if (rc)
        return rc;
    if (t->parts)
        t->stuck = t->any ? NOT : t->parts > 1 ? IN_PARTS : IN_WHOLE;
    t->sound = 1;
    t->any = 0;
    for (t->parts = 0; !t->parts;) {
        if (t->open && t->skip_line && (rc = skip_line(t, err)))
            return rc;
        if (t->open && t->at < t->end && t->stuck != IN_WHOLE) {
            if (t->stuck)
                add_part(t, t->at, t->end, 1);
            else
                cut(t, t->fresh ? 1 : parts, bytes, t->fresh ? 1 : max_rows);
        } else if (t->open && !t->eof && t->end - t->at >= CA_SCAN_MAX_ROW) {
            add_part(t, t->at, t->end, 1);
            t->part[0].over_long = 1;
        } else if (t->open && !t->eof) {
            if ((rc = fill(t, err)))
                return rc;
        } else {
            t->open = 0;
            if ((rc = next_file(t, err)) <= 0)
                return rc;
        }
    }
    *n = t->parts;
    return 1;
}

/* Room for one more row. */
static int need_row(struct found *t)
{
    return t->rows < t->cap_row ? 0
                                : ca_mem_grow((void **)&t->row, &t->cap_row, t->rows + 1, sizeof *t->row, &t->err);
}

static int scan_part(const struct ca_scan *s, struct found *t)
{
    struct cursor c;
    int rc;

    cursor_at(&c, s, t->at);
    while (t->rows < t->part->max && t->at < t->part->end) {
        size_t fields = t->n_field;

        if ((rc = need_row(t)))
            return rc;
        if ((rc = scan_row(t, s, &c, &t->row[t->rows])) <= 0) {
            t->n_field = fields;
            return rc;
        }
        if (t->row[t->rows].fault)
            cursor_at(&c, s, t->at);
        t->rows++;
    }
    return 0;
}

/* A row of which the buffer is full: the rest of it is dropped later on. */
static int over_long(struct found *t)
{
    int rc = need_row(t);

    if (rc)
        return rc;
    t->row[t->rows++] = (struct ca_scan_row){.raw = {t->part->begin, (uint32_t)CA_SCAN_MAX_ROW},
                                             .fault = "the row is longer than 16777216 bytes"};
    t->lines = 1;
    t->at = t->part->end;
    return 0;
}

const struct ca_scan_batch *ca_scan_part(struct ca_scan *s, size_t part, size_t worker)
{
    struct found *t = &s->found[worker];

    t->part = &s->part[part];
    t->at = t->part->begin;
    t->rows = t->n_field = t->scratch_len = 0;
    t->lines = 0;
    t->rc = t->part->over_long ? over_long(t) : scan_part(s, t);
    t->batch = (struct ca_scan_batch){t->row, t->rows, t->field, ca_source_name(s->source), !part && s->fresh};
    return &t->batch;
}

int ca_scan_settle(struct ca_scan *s, size_t worker, struct ca_err *err)
{
    struct found *t = &s->found[worker];

    if (!s->sound)
        return 0;
    s->sound = t->rows && t->at == t->part->end;
    if (t->rc) {
        *err = t->err;
        return t->rc;
    }
    for (size_t r = 0; r < t->rows; r++)
        t->row[r].line += s->line;
    s->line += t->lines;
    s->at = (size_t)(t->at - s->buf);
    s->skip_line |= t->part->over_long;
    s->any |= t->rows > 0;
    s->fresh = s->fresh && !t->rows;
    return t->rows > 0;
}

int ca_scan_next(struct ca_scan *t, size_t max_rows, struct ca_scan_batch *b, struct ca_err *err)
{
    size_t n;
    int rc;

    while ((rc = ca_scan_cut(t, 1, 1, max_rows, &n, err)) > 0) {
        *b = *ca_scan_part(t, 0, 0);
        if ((rc = ca_scan_settle(t, 0, err)))
            return rc;
    }
    return rc;
}
