#include "base/num.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* strtol and friends skip white space and accept "+"; a strict number starts with a digit, a sign or a point. */
static int starts_well(const char *s, int sign)
{
    if (sign && *s == '-')
        s++;
    return (*s >= '0' && *s <= '9') || *s == '.';
}

int ca_num_i64(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
    char *end;
    long long v;

    if (!starts_well(s, 1))
        return -1;
    errno = 0;
    v = strtoll(s, &end, 10);
    if (errno || end == s || *end || v < lo || v > hi)
        return -1;
    *out = v;
    return 0;
}

int ca_num_u64(const char *s, uint64_t lo, uint64_t hi, uint64_t *out)
{
    char *end;
    unsigned long long v;

    if (!starts_well(s, 0))
        return -1;
    errno = 0;
    v = strtoull(s, &end, 10);
    if (errno || end == s || *end || v < lo || v > hi)
        return -1;
    *out = v;
    return 0;
}

int ca_num_double(const char *s, double lo, double hi, double *out)
{
    char *end;
    double v;

    if (!starts_well(s, 1) || strchr(s, 'x') || strchr(s, 'X'))
        return -1;
    errno = 0;
    v = strtod(s, &end);
    if (end == s || *end || !isfinite(v) || v < lo || v > hi)
        return -1;
    *out = v;
    return 0;
}

int ca_num_count(const char *s, uint64_t lo, uint64_t hi, uint64_t *out)
{
    char digits[32];
    size_t n = strlen(s);
    uint64_t scale = 1, v;

    if (!n || n >= sizeof digits)
        return -1;
    memcpy(digits, s, n + 1);
    switch (digits[n - 1]) {
    case 'k': scale = 1000; break;
    case 'M': scale = 1000000; break;
    case 'G': scale = 1000000000; break;
    default: break;
    }
    if (scale > 1)
        digits[n - 1] = '\0';
    if (ca_num_u64(digits, 0, UINT64_MAX, &v) || __builtin_mul_overflow(v, scale, &v) || v < lo || v > hi)
        return -1;
    *out = v;
    return 0;
}

int ca_num_list(const char *s, char sep, size_t *out, size_t max)
{
    size_t n = 0;

    for (;;) {
        const char *end = strchr(s, sep);
        size_t len = end ? (size_t)(end - s) : strlen(s);
        char one[32];
        uint64_t v;

        if (n == max || len >= sizeof one)
            return -1;
        memcpy(one, s, len);
        one[len] = '\0';
        if (ca_num_u64(one, 0, SIZE_MAX / 2, &v))
            return -1;
        out[n++] = (size_t)v;
        if (!end)
            return (int)n;
        s = end + 1;
    }
}
