/* The scanner: quoting, line ends, long lines, faults, and the same rows however the input is cut. */
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/scan.h"
#include "tap.h"

#define MOST_PARTS 13

static const struct ca_scan_rule csv = {',', 1, 0}, tsv = {'\t', 0, 0}, words = {' ', 0, 1};

/* Text into a temporary file, its name in path. */
static void put(char path[32], const void *text, size_t n)
{
    int fd;

    (void)snprintf(path, 32, "/tmp/ca-scan-XXXXXX");
    fd = mkstemp(path);
    OK(fd >= 0 && write(fd, text, n) == (ssize_t)n && !close(fd), "text for the scanner");
}

/* Every other time a thread reads ahead: it is all one. */
static struct ca_scan *scan(const struct ca_scan_rule *rule, char *const *paths, size_t n)
{
    struct ca_source *source;
    struct ca_scan *s = NULL;
    struct ca_err err = {0};
    static unsigned calls;

    if (ca_source_open(&source, paths, n, 0, &err))
        return NULL;
    ca_source_ahead(source, ++calls % 2 + 1);
    return ca_scan_open(&s, source, rule, &err) ? NULL : s;
}

static void render_batch(struct ca_buf *out, const struct ca_scan_batch *b)
{
    for (size_t r = 0; r < b->rows; r++) {
        const struct ca_scan_row *row = &b->row[r];
        ca_buf_printf(out, "%lld:", (long long)row->line);
        if (row->fault)
            ca_buf_printf(out, "!%s", row->fault);
        for (size_t f = 0; !row->fault && f < row->n; f++) {
            ca_buf_char(out, '[');
            ca_buf_add(out, b->field[row->first + f].p, b->field[row->first + f].n);
            ca_buf_char(out, ']');
        }
        ca_buf_char(out, '\n');
    }
}

/*
 * All rows as "line:[field][field]" or "line:!fault", one after the other, read max rows at a time, or in up to
 * `parts` parts of the size `bytes`, the last part first.
 */
static void render_parts(struct ca_buf *out, const struct ca_scan_rule *rule, const void *text, size_t n, size_t max,
                         size_t parts, size_t bytes)
{
    const struct ca_scan_batch *part[MOST_PARTS];
    struct ca_scan_batch b;
    struct ca_err err = {0};
    char path[32], *paths[1] = {path};
    struct ca_scan *s;
    size_t found;
    int rc;

    ca_buf_clear(out);
    put(path, text, n);
    s = scan(rule, paths, 1);
    while (s && !parts && (rc = ca_scan_next(s, max, &b, &err)) > 0)
        render_batch(out, &b);
    if (s && parts && ca_scan_room(s, parts * bytes, parts, &err))
        parts = 0;
    while (s && parts && (rc = ca_scan_cut(s, parts, bytes, max, &found, &err)) > 0) {
        for (size_t i = found; i-- > 0;)
            part[i] = ca_scan_part(s, i, i);
        for (size_t i = 0; i < found && (rc = ca_scan_settle(s, i, &err)) >= 0; i++)
            if (rc)
                render_batch(out, part[i]);
    }
    if (err.code)
        ca_buf_printf(out, "error %d", err.code);
    ca_buf_char(out, '\0');
    ca_scan_close(s);
    (void)unlink(path);
}

static void render(struct ca_buf *out, const struct ca_scan_rule *rule, const void *text, size_t n, size_t max)
{
    render_parts(out, rule, text, n, max, 0, 0);
}

static void expect(const struct ca_scan_rule *rule, const char *text, const char *want, const char *what)
{
    struct ca_buf got = {0};

    render(&got, rule, text, strlen(text), 1024);
    if (!STR_EQ(got.data, want, what))
        (void)printf("# got %s\n", got.data);
    render(&got, rule, text, strlen(text), 1);
    OK(!strcmp(got.data, want), "the same a row at a time");
    for (size_t parts = 2; parts <= 5; parts++) {
        render_parts(&got, rule, text, strlen(text), SIZE_MAX, parts, 1);
        if (!OK(!strcmp(got.data, want), "the same from small parts"))
            (void)printf("# from %zu: got %s\n", parts, got.data);
    }
    ca_buf_fini(&got);
}

static void rows(void)
{
    expect(&csv, "", "", "no text, no row");
    expect(&csv, "a,b\nc,d\n", "1:[a][b]\n2:[c][d]\n", "two rows");
    expect(&csv, "a,b\r\nc,d\r\n", "1:[a][b]\n2:[c][d]\n", "CR LF");
    expect(&csv, "a,b\nc,d", "1:[a][b]\n2:[c][d]\n", "no final line end");
    expect(&csv, "a,b\r\nc,d\r", "1:[a][b]\n2:[c][d]\n", "no final LF");
    expect(&csv, "a,\n,b\n,\n", "1:[a][]\n2:[][b]\n3:[][]\n", "empty fields");
    expect(&csv, "\n\na\n", "1:[]\n2:[]\n3:[a]\n", "empty lines are rows of one empty field");
    expect(&csv, "a\rb,c\n", "1:[a\rb][c]\n", "a CR within a field is its own");
    expect(&csv, "\"a\",\"b,c\"\n", "1:[a][b,c]\n", "quotes and a separator within");
    expect(&csv, "\"a \"\"b\"\" c\",\"\"\"\",\"\"\n", "1:[a \"b\" c][\"][]\n", "doubled quotes");
    expect(&csv, "\"a\nb\",c\nd,e\n", "1:[a\nb][c]\n3:[d][e]\n", "a line end within quotes counts as a line");
    expect(&csv, "\"a\"\r\n\"b\"", "1:[a]\n2:[b]\n", "a quote before a line end");
    expect(&csv, "a,b\"c\nd,e\n", "1:!a quote inside an unquoted field\n2:[d][e]\n", "a stray quote");
    expect(&csv, "\"a\"b,c\nd,e\n", "1:!text behind a closing quote\n2:[d][e]\n", "text behind a quote");
    expect(&csv, "x,\"a,b\nc,d\n", "1:!a quote is never closed\n2:[c][d]\n", "an open quote costs its line only");
    expect(&csv, "\"", "1:!a quote is never closed\n", "a lone quote");
    expect(&tsv, "a\t\"b\nc\"\td\n", "1:[a][\"b]\n2:[c\"][d]\n", "in TSV a quote is a character");
    expect(&tsv, "\xef\xbb\xbf" "a\tb\n", "1:[a][b]\n", "a byte order mark");
    expect(&words, "1  2:3 4:5 \n 0\n\n", "1:[1][2:3][4:5]\n2:[0]\n3:\n", "runs of blanks");
}

static void nul(void)
{
    struct ca_buf got = {0};

    render(&got, &csv, "a,b\nc\0d,e\nf,g\n", 14, 10);
    STR_EQ(got.data, "1:[a][b]\n2:!a NUL byte\n3:[f][g]\n", "a NUL byte");
    render(&got, &csv, "\"a\0\",b\nf,g\n", 11, 10);
    STR_EQ(got.data, "1:!a NUL byte\n2:[f][g]\n", "a NUL byte within quotes");
    ca_buf_fini(&got);
}

/* Every field length around the group of 64 bytes that is looked at together. */
static void groups(void)
{
    int good = 1;

    for (size_t n = 0; n < 200; n++) {
        struct ca_buf text = {0}, want = {0}, got = {0};
        char field[200];
        for (size_t i = 0; i < n; i++)
            field[i] = (char)(1 + i % 8);
        ca_buf_printf(&want, "1:[%.*s][%.*s]\n2:[x]\n", (int)n, field, (int)n, field);
        ca_buf_printf(&text, "%.*s,%.*s\nx\n", (int)n, field, (int)n, field);
        render(&got, &csv, text.data, text.len, 4);
        good &= got.len == want.len + 1 && !strcmp(got.data, want.data);
        ca_buf_fini(&text);
        ca_buf_fini(&want);
        ca_buf_fini(&got);
    }
    OK(good, "fields of 0 to 199 bytes");
}

/* A row of n bytes x between two short ones. */
static void long_row(size_t n, const char *fault, const char *what)
{
    char *text = malloc(n + 5);
    struct ca_err err = {0};
    struct ca_scan_batch b;
    char path[32], *paths[1] = {path};
    size_t seen = 0, good = 0;
    struct ca_scan *s;

    memcpy(text, "a\n", 2);
    memset(text + 2, 'x', n);
    memcpy(text + 2 + n, "\nb\n", 3);
    put(path, text, n + 5);
    s = scan(&csv, paths, 1);
    while (ca_scan_next(s, 100, &b, &err) > 0)
        for (size_t r = 0; r < b.rows; r++, seen++) {
            if (seen == 1)
                good += fault ? b.row[r].fault && !strcmp(b.row[r].fault, fault)
                              : !b.row[r].fault && b.field[b.row[r].first].n == n;
            else
                good += b.row[r].n == 1 && b.row[r].line == (int64_t)seen + 1 && b.field[b.row[r].first].n == 1;
        }
    OK(seen == 3 && good == 3 && !err.code, what);
    ca_scan_close(s);
    (void)unlink(path);
    free(text);
}

/* Rows that cross the buffer's end, quoted ones among them, are those of a plain reading. */
static void buffers(void)
{
    struct ca_buf text = {0}, want = {0}, got = {0};

    for (int i = 0; text.len < 1200000; i++) {
        ca_buf_printf(&text, i % 7 ? "%d,\"q\"\"%0*d\",%s\n" : "%d,%0*d,%s\n", i, 1 + i % 300, i, "end");
        ca_buf_printf(&want, i % 7 ? "%d:[%d][q\"%0*d][end]\n" : "%d:[%d][%0*d][end]\n", i + 1, i, 1 + i % 300, i);
    }
    ca_buf_char(&want, '\0');
    for (size_t max = 1; max < 5000; max = max * 16 + 1) {
        render(&got, &csv, text.data, text.len, max);
        OK(got.len == want.len && !memcmp(got.data, want.data, want.len), "rows across buffers");
    }
    for (size_t bytes = 1; bytes < 300000; bytes = 9 * bytes + 1) {
        render_parts(&got, &csv, text.data, text.len, SIZE_MAX, MOST_PARTS, bytes);
        OK(got.len == want.len && !memcmp(got.data, want.data, want.len), "rows across parts");
    }
    ca_buf_fini(&text);
    ca_buf_fini(&want);
    ca_buf_fini(&got);
}

/* Text of which most is wrong: quotes that open anywhere, line ends within them, NUL. Parts find what one reader finds. */
static void hostile(void)
{
    static const char byte[] = "ab,,\"\"\n\n\r\0";
    struct ca_rng rng = ca_rng_make(1, "hostile text");
    struct ca_buf text = {0}, want = {0}, got = {0};
    int good = 1;
    uint64_t at = 0;

    for (int round = 0; round < 300; round++) {
        size_t n = (size_t)(ca_rng_unit(&rng, at++) * 200);

        ca_buf_clear(&text);
        for (size_t i = 0; i < n; i++)
            ca_buf_char(&text, byte[(size_t)(ca_rng_unit(&rng, at++) * (sizeof byte - 1))]);
        render(&want, &csv, text.data, text.len, 1);
        for (size_t parts = 1; parts <= MOST_PARTS; parts += 3) {
            render_parts(&got, &csv, text.data, text.len, SIZE_MAX, parts, 1);
            good &= got.len == want.len && !memcmp(got.data, want.data, want.len);
        }
    }
    OK(good, "broken text in parts");
    ca_buf_fini(&text);
    ca_buf_fini(&want);
    ca_buf_fini(&got);
}

static void files(void)
{
    struct ca_err err = {0};
    struct ca_scan_batch b;
    char one[32], two[32], three[32], *paths[3] = {one, two, three};
    struct ca_scan *s;
    int starts = 0, rc;
    size_t rows_seen = 0;

    put(one, "a\nb\n", 4);
    put(two, "", 0);
    put(three, "c", 1);
    s = scan(&csv, paths, 3);
    while ((rc = ca_scan_next(s, 100, &b, &err)) > 0) {
        starts += b.starts_file;
        rows_seen += b.rows;
        STR_EQ(b.file, starts == 1 ? one : three, "a batch is of one file");
    }
    OK(!rc && starts == 2 && rows_seen == 3, "three files, one of them empty");
    OK(ca_source_done(ca_scan_source(s)) == 3, "each has a digest");
    OK(ca_scan_next(s, 100, &b, &err) == 0, "the end stays the end");
    ca_scan_close(s);
    (void)unlink(one);
    (void)unlink(two);
    (void)unlink(three);
    s = scan(&csv, paths, 3);
    OK(ca_scan_next(s, 100, &b, &err) == CA_EOPEN && strstr(err.text, one), "a file that is not there");
    ca_scan_close(s);
}

int main(void)
{
    rows();
    nul();
    groups();
    long_row(100000, NULL, "a row of 100000 bytes");
    long_row(CA_SCAN_MAX_FIELD, NULL, "the longest field");
    long_row(CA_SCAN_MAX_FIELD + 1, "a field is longer than 1048576 bytes", "a longer one");
    long_row(CA_SCAN_MAX_ROW + 1, "the row is longer than 16777216 bytes", "an over-long row");
    long_row(2 * CA_SCAN_MAX_ROW, "the row is longer than 16777216 bytes", "one twice as long");
    buffers();
    hostile();
    files();
    return tap_done();
}
