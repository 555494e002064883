#include "data/split.h"

#include <string.h>

#include "base/num.h"

#include "base/banned.h"

#define MAX_RATIO 1000000000
#define MAX_RATIO_SUM 3000000000 /* so that remainder times ratio stays within 63 bits */
#define MAX_WORD 32

static const char *const option[] = {"ratios", "counts", "times"};

/* "12.5" as 12500000 when scaled, "12" as 12 when not. Nonzero when it is neither. */
static int parse_ratio(const char *word, int scaled, int64_t *out)
{
    const char *dot = strchr(word, '.');
    char whole[MAX_WORD];
    size_t len = dot ? (size_t)(dot - word) : strlen(word), decimals = dot ? strlen(dot + 1) : 0;
    int64_t v, part = 0;

    memcpy(whole, word, len);
    whole[len] = '\0';
    if (ca_num_i64(len ? whole : "0", 0, scaled ? MAX_RATIO / 1000000 : MAX_RATIO, &v))
        return 1;
    if (dot && (!decimals || decimals > 6 || dot[1] < '0' || dot[1] > '9' || ca_num_i64(dot + 1, 0, 999999, &part)))
        return 1;
    for (size_t i = decimals; dot && i < 6; i++)
        part *= 10;
    *out = scaled ? v * 1000000 + part : v;
    return *out <= 0;
}

int ca_split_parse(struct ca_split *s, enum ca_split_by by, const char *text, struct ca_err *err)
{
    size_t values = 0, most = by == CA_SPLIT_TIMES ? CA_SPLIT_MAX_PARTS - 1 : CA_SPLIT_MAX_PARTS;
    int scaled = strchr(text, '.') != NULL;
    int64_t sum = 0;

    *s = (struct ca_split){.by = by};
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ":");
        char word[MAX_WORD] = "";
        int64_t *v = &s->value[values];
        uint64_t count;
        int bad = len >= sizeof word || values >= most || s->rest;

        if (!bad)
            memcpy(word, p, len);
        if (bad)
            ;
        else if (by == CA_SPLIT_RATIOS)
            bad = parse_ratio(word, scaled, v);
        else if (by == CA_SPLIT_TIMES)
            bad = ca_num_i64(word, INT64_MIN, INT64_MAX, v) || (values && *v < v[-1]);
        else if (!strcmp(word, "*"))
            s->rest = 1;
        else if (!(bad = ca_num_count(word, 0, INT64_MAX / CA_SPLIT_MAX_PARTS, &count)))
            *v = (int64_t)count;
        if (bad)
            return ca_err_set(err, CA_EUSAGE, "'%s' is not a value of --%s", text, option[by]);
        values++;
        sum += by == CA_SPLIT_RATIOS ? *v : 0;
        p += len;
        if (!*p)
            break;
    }
    s->parts = values + (by == CA_SPLIT_TIMES);
    if (s->parts < 2)
        return ca_err_set(err, CA_EUSAGE, "--%s names one part: a split makes at least two", option[by]);
    if (sum > MAX_RATIO_SUM)
        return ca_err_set(err, CA_EUSAGE, "the ratios '%s' are too large: their sum may be %lld", text,
                          (long long)MAX_RATIO_SUM);
    return 0;
}

int ca_split_sizes(const struct ca_split *s, int64_t rows, int64_t size[CA_SPLIT_MAX_PARTS], struct ca_err *err)
{
    int64_t sum = 0, used = 0;
    size_t last = s->parts - 1;

    for (size_t i = 0; i < s->parts; i++)
        sum += s->value[i];
    for (size_t i = 0; i < s->parts; i++) {
        int64_t v = s->value[i];
        size[i] = s->by == CA_SPLIT_RATIOS ? rows / sum * v + rows % sum * v / sum : v;
        used += i < last ? size[i] : 0;
    }
    if (s->by == CA_SPLIT_RATIOS || (s->rest && used <= rows)) {
        size[last] = rows - used;
    } else if (s->rest || used + size[last] != rows) {
        (void)ca_err_set(err, CA_EFORMAT, "the stream has %lld rows, the counts ask for %s%lld", (long long)rows,
                         s->rest ? "at least " : "", (long long)(s->rest ? used : sum));
        return ca_err_hint(err, "a last count of * takes whatever is left");
    }
    return 0;
}

int ca_split_leading(const struct ca_split *s, size_t part, const int64_t *time, size_t n, int64_t first, int64_t *last,
                     size_t *leading, struct ca_err *err)
{
    size_t i = 0;

    for (; i < n; i++) {
        if (time[i] < *last) {
            (void)ca_err_set(err, CA_EFORMAT, "time runs backwards, from %lld to %lld", (long long)*last,
                             (long long)time[i]);
            return ca_err_at(err, NULL, -1, first + (int64_t)i);
        }
        if (part + 1 < s->parts && time[i] >= s->value[part])
            break;
        *last = time[i];
    }
    *leading = i;
    return 0;
}
