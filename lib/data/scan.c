#include "data/scan.h"

#include <endian.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

#define START_BYTES ((size_t)1 << 18) /* stays in the second-level cache */
#define GROUP 64                      /* bytes looked at together; the buffer is padded by as much */

struct ca_scan {
    struct ca_source *source;
    struct ca_scan_rule rule;
    char quote;            /* '"', or sep again where quotes are nothing special */

    char *buf;
    size_t cap;            /* without padding */
    size_t at, end;        /* unread bytes */
    int open;              /* a file is open */
    int eof;               /* all of its bytes are in buf */
    int skip_line;         /* drop bytes up to the next line end: the rest of an over-long row */
    int fresh;             /* no row of this file has been handed out */
    int64_t line;          /* of the byte at at */

    char *scratch;         /* unquoted text, at most as long as buf */
    size_t scratch_cap, scratch_len;

    struct ca_piece *field;
    size_t n_field, cap_field;
    struct ca_scan_row *row;
    size_t cap_row;
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
    t->cap = START_BYTES;
    t->buf = ca_mem_zalloc(t->cap + GROUP, 1, err);
    if (!t->buf) {
        ca_scan_close(t);
        return CA_EMEMORY;
    }
    *out = t;
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
    ca_mem_free(t->buf);
    ca_mem_free(t->scratch);
    ca_mem_free(t->field);
    ca_mem_free(t->row);
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

/* The next special byte, or NULL when there is none before the end of what is read. */
static inline const char *cursor_next(struct cursor *c, const struct ca_scan *t)
{
    const char *end = t->buf + t->end, *p;

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

static inline int add_field(struct ca_scan *t, struct ca_scan_row *row, const char *p, size_t n, struct ca_err *err)
{
    int rc;

    if (t->rule.tokens && !n)
        return 0;
    if (n > CA_SCAN_MAX_FIELD) {
        row->fault = "a field is longer than 1048576 bytes";
        n = 0;
    }
    if (t->n_field == t->cap_field &&
        (rc = ca_mem_grow((void **)&t->field, &t->cap_field, t->n_field + 1, sizeof *t->field, err)))
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
static const char *closing_quote(const struct ca_scan *t, const char *p, int *doubled)
{
    const char *end = t->buf + t->end;

    *doubled = 0;
    while ((p = memchr(p, '"', (size_t)(end - p)))) {
        if (p + 1 == end)
            return t->eof ? p : NULL;
        if (p[1] != '"')
            return p;
        *doubled = 1;
        p += 2;
    }
    return NULL;
}

/* Quoted text with its doubled quotes halved, in the scratch. */
static int unquote(struct ca_scan *t, const char **p, size_t *n, struct ca_err *err)
{
    const char *from = *p, *end = *p + *n;
    char *to, *start;

    if (t->scratch_cap < t->cap) {
        /* Rows before this one in the batch may point into it: it is only ever made once the buffer has its size. */
        ca_mem_free(t->scratch);
        t->scratch_cap = 0;
        t->scratch = ca_mem_alloc(t->cap, 1, err);
        if (!t->scratch)
            return CA_EMEMORY;
        t->scratch_cap = t->cap;
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
static int end_bad_row(struct ca_scan *t, struct ca_scan_row *row, const char *p, const char *fault)
{
    const char *start = t->buf + t->at, *end = t->buf + t->end;
    const char *nl = memchr(p, '\n', (size_t)(end - p));

    if (!nl && !t->eof)
        return 0;
    if (!nl)
        nl = end;
    row->fault = fault;
    row->raw.n = (uint32_t)(nl - start);
    t->line += count_lines(start, nl) + 1;
    t->at += (size_t)(nl - start) + (nl < end);
    return 1;
}

/*
 * The row at t->at. Returns 1 and moves on, 0 when it is not all in the buffer
 * (nothing has changed but fields were added: the caller drops them), or a code.
 */
static int scan_row(struct ca_scan *t, struct cursor *c, struct ca_scan_row *row, struct ca_err *err)
{
    const char *start = t->buf + t->at, *field = start, *p;
    int64_t inner_lines = 0;
    int rc;

    *row = (struct ca_scan_row){.first = t->n_field, .line = t->line, .raw = {start, 0}};
    for (;;) {
        if (!(p = cursor_next(c, t)))
            return 0;
        if (*p == t->rule.sep) {
            if ((rc = add_field(t, row, field, (size_t)(p - field), err)))
                return rc;
            field = p + 1;
        } else if (*p == '\n') {
            size_t n = (size_t)(p - field);
            if (n && p[-1] == '\r')
                n--;
            if ((rc = add_field(t, row, field, n, err)))
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
            close = closing_quote(t, text, &doubled);
            if (!close) {
                if (!t->eof && t->end - t->at < CA_SCAN_MAX_ROW)
                    return 0;
                return end_bad_row(t, row, start, "a quote is never closed");
            }
            if (close + 2 + 1 > t->buf + t->end && !t->eof)
                return 0;
            p = close + 1;
            if (*p == '\r' && p[1] == '\n')
                p++;
            if (*p != t->rule.sep && *p != '\n')
                return end_bad_row(t, row, close, "text behind a closing quote");
            n = (size_t)(close - text);
            if (memchr(text, '\0', n))
                row->fault = "a NUL byte";
            inner_lines += count_lines(text, close);
            if (doubled && (rc = unquote(t, &text, &n, err)))
                return rc;
            if ((rc = add_field(t, row, text, n, err)))
                return rc;
            field = p + 1;
            cursor_at(c, t, field);
            if (*p == '\n')
                break;
        }
    }
    row->raw.n = (uint32_t)(p - start);
    t->line += inner_lines + 1;
    t->at += (size_t)(p - start) + 1;
    return 1;
}

/* Make room and read on. Only while no row of a batch is in use. */
static int fill(struct ca_scan *t, struct ca_err *err)
{
    size_t left = t->end - t->at, got;
    int rc;

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
    if ((rc = ca_source_read(t->source, t->buf + t->end, t->cap - t->end, &got, err)))
        return rc;
    t->eof = got < t->cap - t->end;
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

/* Scan up to max complete rows. */
static int scan_rows(struct ca_scan *t, size_t max, size_t *rows, struct ca_err *err)
{
    struct cursor c;
    int rc;

    *rows = 0;
    t->n_field = t->scratch_len = 0;
    cursor_at(&c, t, t->buf + t->at);
    while (*rows < max && t->at < t->end) {
        size_t fields = t->n_field;
        rc = scan_row(t, &c, &t->row[*rows], err);
        if (rc < 0)
            return rc;
        if (!rc) {
            t->n_field = fields;
            break;
        }
        if (t->row[*rows].fault)
            cursor_at(&c, t, t->buf + t->at);
        ++*rows;
    }
    return 0;
}

int ca_scan_next(struct ca_scan *t, size_t max_rows, struct ca_scan_batch *b, struct ca_err *err)
{
    size_t rows = 0;
    int rc;

    if (max_rows > t->cap_row &&
        (rc = ca_mem_grow((void **)&t->row, &t->cap_row, max_rows, sizeof *t->row, err)))
        return rc;
    for (;;) {
        if (t->open && t->skip_line && (rc = skip_line(t, err)))
            return rc;
        if (t->open && (rc = scan_rows(t, max_rows, &rows, err)))
            return rc;
        if (rows)
            break;
        if (t->open && !t->eof) {
            if (t->end - t->at >= CA_SCAN_MAX_ROW) {
                t->row[0] = (struct ca_scan_row){.line = t->line,
                                                 .raw = {t->buf + t->at, (uint32_t)CA_SCAN_MAX_ROW},
                                                 .fault = "the row is longer than 16777216 bytes"};
                t->line++;
                t->at = t->end;
                t->skip_line = 1;
                rows = 1;
                break;
            }
            if ((rc = fill(t, err)))
                return rc;
            continue;
        }
        t->open = 0;
        if ((rc = next_file(t, err)) <= 0)
            return rc;
    }
    *b = (struct ca_scan_batch){t->row, rows, t->field, ca_source_name(t->source), t->fresh};
    t->fresh = 0;
    return 1;
}
