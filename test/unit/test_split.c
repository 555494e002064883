/* Where a stream is cut: the published sizes, exactness, and what is refused. */
#include "data/split.h"
#include "tap.h"

static int parses(enum ca_split_by by, const char *text)
{
    struct ca_split s;
    struct ca_err err = {0};
    int rc = ca_split_parse(&s, by, text, &err);

    return rc == 0 ? (int)s.parts : rc == CA_EUSAGE && err.text[0] ? 0 : -1;
}

static void sizes_are(enum ca_split_by by, const char *text, int64_t rows, const int64_t *want, const char *what)
{
    struct ca_split s;
    struct ca_err err = {0};
    int64_t size[CA_SPLIT_MAX_PARTS];
    int same = !ca_split_parse(&s, by, text, &err) && !ca_split_sizes(&s, rows, size, &err);

    for (size_t i = 0; same && i < s.parts; i++)
        same = size[i] == want[i];
    OK(same, what);
}

int main(void)
{
    static const int64_t criteo[] = {18336246, 18336246, 4584061, 4584064};
    static const int64_t avazu[] = {16171586, 16171586, 4042896, 4042899};
    static const int64_t criteo1t[] = {51991971, 41593577, 5199197, 5199198};
    static const int64_t empty[] = {0, 0, 0, 0}, three[] = {1, 1, 0, 1}, huge[] = {333333333333333, 666666666666667};
    static const int64_t tenths[] = {29, 71}, counts[] = {3, 0, 7};
    static const int64_t time[] = {5, 5, 7, 9, 9, 12, 11};
    struct ca_split s;
    struct ca_err err = {0};
    int64_t last = INT64_MIN, size[CA_SPLIT_MAX_PARTS];
    size_t n = 99;
    char many[CA_SPLIT_MAX_PARTS * 2 + 8] = "1";

    sizes_are(CA_SPLIT_RATIOS, "4:4:1:1", 45840617, criteo, "Criteo's published sizes");
    sizes_are(CA_SPLIT_RATIOS, "0.4:0.4:0.1:0.1", 45840617, criteo, "the same from decimals");
    sizes_are(CA_SPLIT_RATIOS, "4:4:1:1", 40428967, avazu, "Avazu");
    sizes_are(CA_SPLIT_RATIOS, "10:8:1:1", 103983943, criteo1t, "Criteo1T");
    sizes_are(CA_SPLIT_RATIOS, "4:4:1:1", 0, empty, "no rows");
    sizes_are(CA_SPLIT_RATIOS, "4:4:1:1", 3, three, "fewer rows than parts");
    sizes_are(CA_SPLIT_RATIOS, "1:2", 1000000000000000, huge, "10^15 rows");
    sizes_are(CA_SPLIT_RATIOS, "0.29:0.71", 100, tenths, "29 of 100, where 100 * 0.29 in floating point is less");
    sizes_are(CA_SPLIT_COUNTS, "3:0:7", 10, counts, "counts");
    sizes_are(CA_SPLIT_COUNTS, "3:0:*", 10, counts, "counts with a rest");

    OK(!parses(CA_SPLIT_RATIOS, "1000000000:2000000000") &&
           !parses(CA_SPLIT_RATIOS, "1000000000:1000000000:1000000000:1000000000"),
       "ratios that are too large are refused");
    OK(parses(CA_SPLIT_RATIOS, "1:1") == 2 && parses(CA_SPLIT_TIMES, "-5:0:5") == 4, "parts are counted");
    for (size_t i = 1; i < CA_SPLIT_MAX_PARTS; i++)
        memcpy(many + 2 * i - 1, ":1", 3);
    OK(parses(CA_SPLIT_RATIOS, many) == CA_SPLIT_MAX_PARTS, "as many parts as there may be");
    memcpy(many + 2 * CA_SPLIT_MAX_PARTS - 1, ":1", 3);
    OK(parses(CA_SPLIT_RATIOS, many) == 0, "one more is refused");
    {
        static const char *const bad[] = {"",     "1",      "4:0",  "4:-1", "1:2:",      ":1",    "a:b",         "1;1",
                                          "1.:1", "1..2:3", "nan:1", "1e3:1", "1.1234567:1", "1:*", "1.-5:1", "1.+5:1",
                                          "99999999999999999999999999999999999999999:1"};
        int refused = 1;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            if (parses(CA_SPLIT_RATIOS, bad[i])) {
                refused = 0;
                (void)printf("# accepted '%s'\n", bad[i]);
            }
        OK(refused, "malformed ratios are refused");
    }
    OK(!parses(CA_SPLIT_TIMES, "5:4") && !parses(CA_SPLIT_TIMES, "x"), "times that go down are refused");
    OK(!parses(CA_SPLIT_COUNTS, "*:3") && !parses(CA_SPLIT_COUNTS, "-1:3"), "a rest that is not last is refused");

    OK(!ca_split_parse(&s, CA_SPLIT_COUNTS, "3:4", &err) && ca_split_sizes(&s, 8, size, &err) == CA_EFORMAT,
       "counts that do not add up are refused");
    memset(&err, 0, sizeof err);
    OK(!ca_split_parse(&s, CA_SPLIT_COUNTS, "9:*", &err) && ca_split_sizes(&s, 8, size, &err) == CA_EFORMAT,
       "so are counts beyond the rows");

    memset(&err, 0, sizeof err);
    OK(!ca_split_parse(&s, CA_SPLIT_TIMES, "7:9", &err), "times");
    OK(!ca_split_leading(&s, 0, time, 7, 0, &last, &n, &err) && n == 2, "a part ends before its successor's time");
    OK(!ca_split_leading(&s, 1, time + 2, 5, 2, &last, &n, &err) && n == 1, "and the next begins at it");
    OK(ca_split_leading(&s, 2, time + 3, 4, 1003, &last, &n, &err) == CA_EFORMAT && err.record == 1006,
       "time running backwards is refused, with the record");
    return tap_done();
}
