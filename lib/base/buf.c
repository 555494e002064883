#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

static int reserve(struct ca_buf *b, size_t n)
{
    if (b->status)
        return b->status;
    if (b->len + n + 1 < n || ca_mem_grow((void **)&b->data, &b->cap, b->len + n + 1, 1, NULL))
        b->status = CA_EMEMORY;
    return b->status;
}

void ca_buf_add(struct ca_buf *b, const void *data, size_t n)
{
    if (reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void ca_buf_str(struct ca_buf *b, const char *s)
{
    ca_buf_add(b, s, strlen(s));
}

void ca_buf_char(struct ca_buf *b, char c)
{
    ca_buf_add(b, &c, 1);
}

void ca_buf_printf(struct ca_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || reserve(b, (size_t)n))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void ca_buf_float(struct ca_buf *b, float x)
{
    ca_buf_printf(b, "%.9g", (double)x);
}

void ca_buf_double(struct ca_buf *b, double x)
{
    ca_buf_printf(b, "%.17g", x);
}

int ca_buf_check(const struct ca_buf *b, struct ca_err *err)
{
    return b->status ? ca_err_set(err, b->status, "out of memory: cannot grow a buffer of %zu bytes", b->len) : 0;
}

void ca_buf_clear(struct ca_buf *b)
{
    b->len = 0;
    b->status = 0;
    if (b->data)
        b->data[0] = '\0';
}

void ca_buf_fini(struct ca_buf *b)
{
    ca_mem_free(b->data);
    *b = (struct ca_buf){0};
}
