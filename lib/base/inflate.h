/*
 * Unpacking a zlib stream that is whole in memory and whose size is known: by
 * libdeflate where the build found it, which takes less than half the time,
 * else by zlib. The bytes are the same.
 */
#ifndef CA_BASE_INFLATE_H
#define CA_BASE_INFLATE_H

#include <stddef.h>

#include "base/err.h"

/* Exactly n bytes out of exactly stored ones: 0, CA_EFORMAT when that is not what they hold, or CA_EMEMORY. */
int ca_inflate(void *out, size_t n, const void *in, size_t stored, struct ca_err *err) CA_CHECK_ME;

/* "zlib 1.2.13" or "libdeflate 1.14" */
const char *ca_inflate_engine(void);

#endif
