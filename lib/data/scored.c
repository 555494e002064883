#include "data/scored.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/in.h"
#include "base/mem.h"

#include "base/banned.h"

#define READ_BYTES ((size_t)1 << 16)
#define MAX_LINE ((size_t)1 << 20)

struct ca_scored {
    struct ca_in *in;
    struct ca_buf header;
    size_t n_columns;
    char *text;         /* unread bytes: [at, end) */
    size_t at, end, cap;
    int at_end;
    int64_t line;
    const char **field; /* of the line in hand, each NUL-terminated */
};

static int bad(const struct ca_scored *s, int code, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, code, "%s", what);
    (void)ca_err_at(err, ca_in_name(s->in), -1, s->line);
    return code;
}

/* The next line without its end, NUL-terminated; 1, 0 at the end, or a fault. A last line without LF counts. */
static int next_line(struct ca_scored *s, char **line, struct ca_err *err)
{
    size_t seen = 0;

    for (;;) {
        char *lf = s->end > s->at + seen ? memchr(s->text + s->at + seen, '\n', s->end - s->at - seen) : NULL;
        void *grown = s->text;
        size_t got;
        int rc;

        if (lf || (s->at_end && s->end > s->at)) {
            char *stop = lf ? lf : s->text + s->end;

            *line = s->text + s->at;
            s->at = lf ? (size_t)(lf - s->text) + 1 : s->end;
            if (stop > *line && stop[-1] == '\r')
                stop--;
            *stop = '\0';
            s->line++;
            return memchr(*line, '\0', (size_t)(stop - *line)) ? bad(s, CA_EFORMAT, "line holds a zero byte", err) : 1;
        }
        if (s->at_end)
            return 0;
        seen = s->end - s->at;
        if (seen > MAX_LINE) {
            s->line++;
            return bad(s, CA_EFORMAT, "line is longer than a mebibyte", err);
        }
        if (s->at)
            memmove(s->text, s->text + s->at, seen);
        s->at = 0;
        s->end = seen;
        /* one byte more than is read, for the NUL of a last line without LF */
        rc = ca_mem_grow(&grown, &s->cap, seen + READ_BYTES + 1, 1, err);
        s->text = grown;
        if (rc || (rc = ca_in_read_some(s->in, s->text + seen, READ_BYTES, &got, err)))
            return rc;
        s->end += got;
        s->at_end = !got;
    }
}

static int split(struct ca_scored *s, char *line, struct ca_err *err)
{
    size_t n = 0;

    for (char *p = line;;) {
        char *tab = strchr(p, '\t');

        if (n == s->n_columns)
            return bad(s, CA_EFORMAT, "line has more fields than the header", err);
        s->field[n++] = p;
        if (!tab)
            break;
        *tab = '\0';
        p = tab + 1;
    }
    return n == s->n_columns ? 0 : bad(s, CA_EFORMAT, "line has fewer fields than the header", err);
}

int ca_scored_open(struct ca_scored **out, const char *path, struct ca_err *err)
{
    struct ca_scored *s = ca_mem_zalloc(1, sizeof *s, err);
    char *line;
    int rc;

    if (!s)
        return CA_EMEMORY;
    if ((rc = ca_in_open(&s->in, path, err)))
        goto fail;
    rc = next_line(s, &line, err);
    if (!rc)
        rc = bad(s, CA_ETRUNCATED, "input is empty: no header line", err);
    if (rc < 0)
        goto fail;
    ca_buf_str(&s->header, line);
    if ((rc = ca_buf_check(&s->header, err)))
        goto fail;
    s->n_columns = 1;
    for (const char *p = s->header.data; *p; p++)
        s->n_columns += *p == '\t';
    if (!(s->field = ca_mem_zalloc(s->n_columns, sizeof *s->field, err))) {
        rc = CA_EMEMORY;
        goto fail;
    }
    *out = s;
    return 0;
fail:
    ca_scored_close(s);
    return rc;
}

int ca_scored_find(const struct ca_scored *s, const char *name)
{
    size_t len = strlen(name);
    const char *p = s->header.data;

    for (int i = 0; *p || !i; i++) {
        size_t n = strcspn(p, "\t");
        if (n == len && !memcmp(p, name, n))
            return i;
        if (!p[n])
            break;
        p += n + 1;
    }
    return -1;
}

int ca_scored_next(struct ca_scored *s, const int *column, size_t n, double *value, struct ca_err *err)
{
    char *line;
    int rc = next_line(s, &line, err);

    if (rc <= 0)
        return rc;
    if ((rc = split(s, line, err)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        const char *text = s->field[column[i]];
        char *stop;

        value[i] = strtod(text, &stop);
        if (stop == text || *stop || *text == ' ') {
            (void)ca_err_set(err, CA_EFORMAT, "'%.60s' is not a number (column %d)", text, column[i] + 1);
            (void)ca_err_at(err, ca_in_name(s->in), -1, s->line);
            return CA_EFORMAT;
        }
    }
    return 1;
}

void ca_scored_close(struct ca_scored *s)
{
    if (!s)
        return;
    ca_in_close(s->in);
    ca_buf_fini(&s->header);
    ca_mem_free(s->text);
    ca_mem_free(s->field);
    ca_mem_free(s);
}
