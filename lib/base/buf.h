/*
 * A growing byte buffer with a sticky status: append without checking, ask
 * once at the end. data is always NUL-terminated behind len once non-NULL.
 */
#ifndef CA_BASE_BUF_H
#define CA_BASE_BUF_H

#include <stddef.h>

#include "base/err.h"

/* Zero-initialise. */
struct ca_buf {
    char *data;
    size_t len;
    size_t cap;
    int status; /* 0, or CA_EMEMORY once an append has failed */
};

void ca_buf_add(struct ca_buf *b, const void *data, size_t n);
void ca_buf_str(struct ca_buf *b, const char *s);
void ca_buf_char(struct ca_buf *b, char c);
void ca_buf_printf(struct ca_buf *b, const char *fmt, ...) CA_PRINTF(2, 3);

/* Shortest-round-trip-safe number text in the C locale: "%.9g" and "%.17g"; nan, inf, -inf as such. */
void ca_buf_float(struct ca_buf *b, float x);
void ca_buf_double(struct ca_buf *b, double x);

/* 0, or CA_EMEMORY described in err if any append failed. */
int ca_buf_check(const struct ca_buf *b, struct ca_err *err) CA_CHECK_ME;

/* Empty it, keeping its memory and clearing its status. */
void ca_buf_clear(struct ca_buf *b);
void ca_buf_fini(struct ca_buf *b);

#endif
