#include "data/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define EXACT_DIGITS 15 /* a decimal number of so many digits is a double exactly */
#define EXACT_TEN 22    /* and so is 10 to this power */
#define LONGEST 400     /* bytes of a number */

static const double ten[EXACT_TEN + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                          1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline int digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* The general case, slow and right: exponents, many digits. */
static int number_by_libc(struct ca_piece s, double *out)
{
    char text[LONGEST + 1], *end;
    double x;

    if (!s.n || s.n > LONGEST)
        return 1;
    for (uint32_t i = 0; i < s.n; i++)
        if (!digit(s.p[i]) && !strchr("+-.eE", s.p[i]))
            return 1; /* strtod would take spaces, hexadecimal, nan and infinity */
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    x = strtod(text, &end);
    if (*end || end == text || !isfinite(x))
        return 1;
    *out = x;
    return 0;
}

int ca_value_number(struct ca_piece s, double *out)
{
    const char *p = s.p, *end = s.p + s.n, *point = NULL, *q;
    uint64_t m = 0;
    int negative = 0;
    size_t digits;

    if (s.n && *p == '-') {
        negative = 1;
        p++;
    }
    if (end - p > EXACT_DIGITS)
        return number_by_libc(s, out);
    for (q = p; q < end && digit(*q); q++)
        m = 10 * m + (uint64_t)(*q - '0');
    if (q < end && *q == '.')
        for (point = q++; q < end && digit(*q); q++)
            m = 10 * m + (uint64_t)(*q - '0');
    if (q < end)
        return number_by_libc(s, out);
    digits = (size_t)(end - p) - (point != NULL);
    if (!digits)
        return 1;
    /* one correctly rounded division of two exact numbers */
    *out = point ? (double)m / ten[end - point - 1] : (double)m;
    if (negative)
        *out = -*out;
    return 0;
}

int ca_value_integer(struct ca_piece s, int64_t *out)
{
    const char *p = s.p, *end = s.p + s.n;
    int64_t x = 0;
    int negative = 0;

    if (s.n && *p == '-') {
        negative = 1;
        p++;
    }
    if (p == end)
        return 1;
    for (; p < end; p++) {
        int d = *p - '0';
        if (d < 0 || d > 9 || __builtin_mul_overflow(x, 10, &x) || __builtin_sub_overflow(x, d, &x))
            return 1;
    }
    /* gathered as a negative number, whose range is the larger */
    if (!negative && x == INT64_MIN)
        return 1;
    *out = negative ? x : -x;
    return 0;
}

/* n digits at p as a number in [lo, hi], or -1. */
static int64_t digits_at(const char *p, int n, int64_t lo, int64_t hi)
{
    int64_t x = 0;

    for (int i = 0; i < n; i++) {
        if (!digit(p[i]))
            return -1;
        x = 10 * x + (p[i] - '0');
    }
    return x >= lo && x <= hi ? x : -1;
}

/* Days from 1970-01-01 to a Gregorian date, or -1 sets *bad: months count from March, so leap days come last. */
static int64_t days(int64_t year, int64_t month, int64_t day, int *bad)
{
    static const int length[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t y, era, yoe, doy, doe;

    if (year < 0 || month < 1 || day < 1 || day > length[month - 1] || (month == 2 && day == 29 && !leap)) {
        *bad = 1;
        return 0;
    }
    y = month <= 2 ? year - 1 : year;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static int date_at(const char *p, int64_t *out)
{
    int bad = p[4] != '-' || p[7] != '-';

    *out = days(digits_at(p, 4, 0, 9999), digits_at(p + 5, 2, 1, 12), digits_at(p + 8, 2, 1, 31), &bad);
    return bad;
}

int ca_value_time(struct ca_piece s, enum ca_time_format f, int64_t *out)
{
    const char *p = s.p;
    int64_t h, m, sec, year;
    int bad = 0;

    switch (f) {
    case CA_TIME_DATE: return s.n != 10 || date_at(p, out);
    case CA_TIME_HOUR:
        if (s.n != 8)
            return 1;
        year = digits_at(p, 2, 0, 99);
        h = digits_at(p + 6, 2, 0, 23);
        if (year < 0 || h < 0)
            return 1;
        *out = 24 * days(2000 + year, digits_at(p + 2, 2, 1, 12), digits_at(p + 4, 2, 1, 31), &bad) + h;
        return bad;
    case CA_TIME_DATETIME:
        if (s.n != 19 || (p[10] != ' ' && p[10] != 'T') || p[13] != ':' || p[16] != ':' || date_at(p, out))
            return 1;
        h = digits_at(p + 11, 2, 0, 23);
        m = digits_at(p + 14, 2, 0, 59);
        sec = digits_at(p + 17, 2, 0, 60);
        *out = ((24 * *out + h) * 60 + m) * 60 + sec;
        return h < 0 || m < 0 || sec < 0;
    case CA_TIME_INTEGER:
    case CA_N_TIME_FORMATS: break;
    }
    return ca_value_integer(s, out);
}

double ca_value_transform(enum ca_transform t, double x)
{
    switch (t) {
    case CA_TRANSFORM_LOG2: return x > 2.0 ? log2(x) : x;
    case CA_TRANSFORM_LOG1P: return x < 0.0 ? -log1p(-x) : log1p(x);
    case CA_TRANSFORM_LNSQ: {
        double l;
        if (x <= 2.0)
            return trunc(x);
        l = log(x);
        return floor(l * l);
    }
    case CA_TRANSFORM_NONE:
    case CA_N_TRANSFORMS: break;
    }
    return x;
}

const char *ca_value_transform_name(enum ca_transform t)
{
    static const char *const name[CA_N_TRANSFORMS] = {"none", "log2", "log1p", "lnsq"};
    return name[t];
}

const char *ca_value_time_name(enum ca_time_format f)
{
    static const char *const name[CA_N_TIME_FORMATS] = {"integer", "date", "yymmddhh", "datetime"};
    return name[f];
}
