/* Vocabularies: numbering, counting, keeping, and the file that says the same. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/vocab.h"
#include "tap.h"

static struct ca_piece piece(const char *s)
{
    return (struct ca_piece){s, (uint32_t)strlen(s)};
}

static uint32_t id(struct ca_vocab *v, size_t c, struct ca_piece s, int add)
{
    uint32_t x = 12345;
    struct ca_err err = {0};

    return ca_vocab_ids(v, c, &s, 1, add, &x, &err) ? 54321 : x;
}

static void numbering(void)
{
    struct ca_vocab *v = ca_vocab_new(NULL);
    const char *word[] = {"a", "b", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh", "abcdefghi", "ba"};
    char hold[8];
    int good = 1;

    OK(v && !ca_vocab_column(v, "x", NULL) && !ca_vocab_column(v, "y", NULL), "two columns");
    OK(ca_vocab_column(v, "x", NULL) == CA_EFORMAT, "a name is there once");
    for (uint32_t i = 0; i < sizeof word / sizeof *word; i++)
        good &= id(v, 0, piece(word[i]), 1) == i + 1;
    OK(good, "1, 2, 3, ... in order of appearance, short and long");
    for (uint32_t i = 0; i < sizeof word / sizeof *word; i++) {
        struct ca_piece s = ca_vocab_value(v, 0, i + 1, hold);
        good &= id(v, 0, piece(word[i]), 1) == i + 1 && id(v, 0, piece(word[i]), 0) == i + 1;
        good &= s.n == strlen(word[i]) && !memcmp(s.p, word[i], s.n);
    }
    OK(good, "and found again");
    OK(!id(v, 0, piece(""), 1) && !id(v, 0, piece("c"), 0) && !id(v, 1, piece("a"), 0), "0 for none and for unknown");
    OK(id(v, 0, (struct ca_piece){"a\0", 2}, 1) == 12 && id(v, 0, piece("a"), 0) == 1, "zeros at the end count");
    ca_vocab_free(v);
}

/* Many values, all numbers found again after growth. */
static void many(void)
{
    struct ca_vocab *v = ca_vocab_new(NULL);
    size_t n = 200000;
    char (*text)[32] = malloc(n * sizeof *text);
    struct ca_piece *s = malloc(n * sizeof *s);
    uint32_t *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    int good = 1;

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(text[i], 32, i % 2 ? "%zx" : "long value %zx", i / 2);
        s[i] = piece(text[i]);
    }
    OK(!ca_vocab_column(v, "c", NULL) && !ca_vocab_ids(v, 0, s, n, 1, a, NULL), "200000 values");
    OK(!ca_vocab_ids(v, 0, s, n, 0, b, NULL) && !memcmp(a, b, n * sizeof *a), "found again");
    for (size_t i = 0; i < n; i++)
        good &= a[i] == i + 1;
    OK(good && ca_vocab_size(v, 0) == n + 1, "each its own number");
    free(text);
    free(s);
    free(a);
    free(b);
    ca_vocab_free(v);
}

static struct ca_vocab *kept(void)
{
    struct ca_vocab *v = ca_vocab_new(NULL);
    const struct ca_piece s[] = {{"a", 1}, {"", 0}, {"t\tb\\n\nr\r", 8}, {"a", 1}, {"a very long value", 17}, {"\x01", 1},
                                 {"a very long value", 17}, {"t\tb\\n\nr\r", 8}, {"late", 4}};
    uint32_t ids[9], *map;
    int bad = ca_vocab_column(v, "one", NULL) || ca_vocab_column(v, "two \\", NULL) ||
              ca_vocab_ids(v, 0, s, 9, 1, ids, NULL) || ca_vocab_tally(v, 0, ids, 8, NULL);

    OK(!bad && ids[8] == 5, "values of a column");
    OK(!ca_vocab_keep(v, 0, 2, &map, NULL), "keep those counted twice");
    OK(map[0] == 0 && map[1] == 1 && map[2] == 2 && map[3] == 3 && map[4] == 0 && map[5] == 0, "old to new");
    OK(ca_vocab_size(v, 0) == 4 && ca_vocab_count(v, 0, 0) == 2 && ca_vocab_count(v, 0, 1) == 2, "sizes and counts");
    OK(id(v, 0, s[4], 0) == 3 && id(v, 0, s[0], 0) == 1 && !id(v, 0, s[5], 0) && !id(v, 0, s[8], 0), "found again");
    ca_mem_free(map);
    OK(!ca_vocab_ids(v, 1, s, 1, 1, ids, NULL) && !ca_vocab_keep(v, 1, 1, &map, NULL), "a column without counts");
    OK(ca_vocab_size(v, 1) == 1, "keeps nothing");
    ca_mem_free(map);
    return v;
}

static void files(void)
{
    static const char want[] = "#ca-vocabulary 1\ncolumn\tindex\tcount\tvalue\n"
                               "one\t0\t2\t\none\t1\t2\ta\none\t2\t2\tt\\tb\\\\n\\nr\\r\none\t3\t2\ta very long value\n"
                               "two \\\\\t0\t0\t\n";
    struct ca_vocab *v = kept(), *w = NULL;
    struct ca_buf text = {0}, again = {0};
    struct ca_err err = {0};
    size_t taken = 0;

    OK(!ca_vocab_write(v, &text, NULL) && !strcmp(text.data, want), "as text");
    OK(!ca_vocab_parse(&w, text.data, text.len, "v", &err), "read back");
    OK(!ca_vocab_write(w, &again, NULL) && again.len == text.len && !memcmp(again.data, text.data, text.len),
       "and the same text again");
    OK(id(w, 0, piece("a very long value"), 0) == 3 && ca_vocab_find(w, "two \\") == 1, "with the same numbers");
    ca_vocab_free(w);
    /* cut anywhere: an error, or a vocabulary of whole lines; never a wrong one */
    for (size_t n = 0; n < text.len; n++) {
        struct ca_err e = {0};
        w = NULL;
        if (!ca_vocab_parse(&w, text.data, n, "v", &e))
            taken += text.data[n - 1] != '\n';
        ca_vocab_free(w);
    }
    OK(!taken, "no line is taken that was cut short");
    for (size_t i = 0; i < text.len; i++) {
        struct ca_err e = {0};
        char keep = text.data[i];
        w = NULL;
        text.data[i] = '\xff';
        if (ca_vocab_parse(&w, text.data, text.len, "v", &e))
            taken += !e.code || !e.text[0];
        ca_vocab_free(w);
        text.data[i] = keep;
    }
    OK(!taken, "a wrong byte anywhere is either a value's or a described fault");
    ca_buf_fini(&text);
    ca_buf_fini(&again);
    ca_vocab_free(v);
}

/* Unknown values with an id of their own. */
static void parted(void)
{
    static const char want[] = "#ca-vocabulary 1\ncolumn\tindex\tcount\tvalue\n"
                               "c\t0\t1\t\nc\t1\t2\ta\nc\t2\t3\tlonger than eight\nc\t3\t2\t\n"
                               "d\t0\t0\t\nd\t1\t0\t\n"
                               "e\t0\t0\t\n";
    const struct ca_piece s[] = {{"rare", 4}, {"a", 1}, {"", 0}, {"longer than eight", 17}, {"a", 1}, {"rarer", 5},
                                 {"longer than eight", 17}, {"longer than eight", 17}, {"late", 4}};
    struct ca_vocab *v = ca_vocab_new(NULL), *w = NULL;
    uint32_t ids[9], *map;
    struct ca_buf text = {0}, again = {0};
    struct ca_err err = {0};

    OK(v && !ca_vocab_column(v, "c", NULL) && !ca_vocab_column(v, "d", NULL) && !ca_vocab_column(v, "e", NULL) &&
           !ca_vocab_ids(v, 0, s, 9, 1, ids, NULL) && !ca_vocab_tally(v, 0, ids, 8, NULL), "columns");
    OK(!ca_vocab_unknown(v, 0), "unknown values are 0");
    ca_vocab_part(v, 0);
    OK(!ca_vocab_keep(v, 0, 2, &map, &err) && !map[0] && map[1] == 3 && map[2] == 1 && map[3] == 2 && map[4] == 3 &&
           map[5] == 3, "or, parted, the last id, as dropped ones are");
    ca_mem_free(map);
    OK(ca_vocab_size(v, 0) == 4 && ca_vocab_unknown(v, 0) == 3 && ca_vocab_count(v, 0, 3) == 2 &&
           ca_vocab_count(v, 0, 0) == 1, "with the counts of those dropped");
    OK(id(v, 0, s[0], 0) == 3 && id(v, 0, piece("never"), 0) == 3 && !id(v, 0, s[2], 0) && id(v, 0, s[3], 0) == 2,
       "looked up");
    ca_vocab_part(v, 1);
    OK(!ca_vocab_keep(v, 1, 1, &map, NULL) && ca_vocab_size(v, 1) == 2 && id(v, 1, s[1], 0) == 1, "in an empty column too");
    ca_mem_free(map);
    OK(!ca_vocab_write(v, &text, NULL) && !strcmp(text.data, want), "as text");
    OK(!ca_vocab_parse(&w, text.data, text.len, "v", &err) && !ca_vocab_write(w, &again, NULL) &&
           !strcmp(again.data, want), "read back");
    OK(w && ca_vocab_unknown(w, 0) == 3 && ca_vocab_unknown(w, 1) == 1 && !ca_vocab_unknown(w, 2) &&
           id(w, 0, piece("never"), 0) == 3 && !id(w, 2, piece("never"), 0), "with the same ids");
    ca_vocab_free(w);
    static const char *const bad[] = {"c\t4\t1\tb\n", "c\t4\t1\t\n", "c\t3\t1\tb\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ca_err e = {0};
        struct ca_buf t = {0};
        w = NULL;
        ca_buf_str(&t, "#ca-vocabulary 1\ncolumn\tindex\tcount\tvalue\nc\t0\t1\t\nc\t1\t2\ta\nc\t2\t2\tx\nc\t3\t2\t\n");
        ca_buf_str(&t, bad[i]);
        OK(ca_vocab_parse(&w, t.data, t.len, "v", &e) == CA_EFORMAT && strstr(e.text, "line 7"), "nothing comes behind it");
        ca_vocab_free(w);
        ca_buf_fini(&t);
    }
    ca_buf_fini(&text);
    ca_buf_fini(&again);
    ca_vocab_free(v);
}

int main(void)
{
    numbering();
    many();
    files();
    parted();
    return tap_done();
}
