/* Values of fields, schema files, and rows of text as columns. */
#include <unistd.h>
#include <stdlib.h>

#include "base/mem.h"
#include "data/encode.h"
#include "data/value.h"
#include "tap.h"

static struct ca_piece piece(const char *s)
{
    return (struct ca_piece){s, (uint32_t)strlen(s)};
}

static void numbers(void)
{
    static const char *const good[] = {"0", "-0", "7", "12345", "-3", "0.5", ".5", "5.", "-0.1", "3.14159", "123456789012345",
                                       "1234567890123456789", "0.000001", "1e3", "-1.5E-3", "99999999999999.9",
                                       "0.1234567890123456789", "1e-320"};
    static const char *const bad[] = {"", "-", ".", "-.", "1.2.3", "1,5", " 1", "1 ", "0x1", "nan", "inf", "1e", "e1",
                                      "--1", "+-1", "1e999", "1_0"};
    double x;
    int64_t i;
    int all = 1;

    for (size_t k = 0; k < sizeof good / sizeof *good; k++)
        if (ca_value_number(piece(good[k]), &x) || x != strtod(good[k], NULL)) {
            (void)printf("# %s\n", good[k]);
            all = 0;
        }
    OK(all, "numbers are those of strtod, bit for bit");
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (!ca_value_number(piece(bad[k]), &x)) {
            (void)printf("# '%s'\n", bad[k]);
            all = 0;
        }
    OK(all, "what is no number is none");
    OK(!ca_value_integer(piece("-9223372036854775808"), &i) && i == INT64_MIN, "the smallest integer");
    OK(!ca_value_integer(piece("9223372036854775807"), &i) && i == INT64_MAX, "the largest");
    OK(ca_value_integer(piece("9223372036854775808"), &i) && ca_value_integer(piece("1.0"), &i) &&
       ca_value_integer(piece(""), &i) && ca_value_integer(piece("-"), &i), "and what is none");
}

static void times(void)
{
    int64_t t;

    OK(!ca_value_time(piece("1970-01-01"), CA_TIME_DATE, &t) && t == 0, "day 0");
    OK(!ca_value_time(piece("2000-03-01"), CA_TIME_DATE, &t) && t == 11017, "2000 was a leap year");
    OK(!ca_value_time(piece("2015-07-01"), CA_TIME_DATE, &t) && t == 16617, "a date");
    OK(!ca_value_time(piece("1969-12-31"), CA_TIME_DATE, &t) && t == -1, "a date before");
    OK(!ca_value_time(piece("14102100"), CA_TIME_HOUR, &t) && t == 24 * 16364, "an hour of Avazu");
    OK(!ca_value_time(piece("14102123"), CA_TIME_HOUR, &t) && t == 24 * 16364 + 23, "its last hour");
    OK(!ca_value_time(piece("2001-09-09 01:46:40"), CA_TIME_DATETIME, &t) && t == 1000000000, "date and time");
    OK(ca_value_time(piece("2001-02-29"), CA_TIME_DATE, &t) && ca_value_time(piece("1900-02-29"), CA_TIME_DATE, &t) &&
       ca_value_time(piece("2001-13-01"), CA_TIME_DATE, &t) && ca_value_time(piece("2001-1-01"), CA_TIME_DATE, &t) &&
       ca_value_time(piece("14102124"), CA_TIME_HOUR, &t) && ca_value_time(piece("1410210"), CA_TIME_HOUR, &t) &&
       ca_value_time(piece(""), CA_TIME_INTEGER, &t) &&
       ca_value_time(piece("2001-09-09 24:00:00"), CA_TIME_DATETIME, &t), "no such times");
}

static void transforms(void)
{
    CLOSE(ca_value_transform(CA_TRANSFORM_LOG2, 2.0), 2.0, 0.0, "log2 leaves 2");
    CLOSE(ca_value_transform(CA_TRANSFORM_LOG2, -3.0), -3.0, 0.0, "and negatives");
    CLOSE(ca_value_transform(CA_TRANSFORM_LOG2, 3.0), 1.584962500721156, 1e-15, "log2 of 3");
    CLOSE(ca_value_transform(CA_TRANSFORM_LNSQ, 1382.0), 52.0, 0.0, "floor(ln(1382)^2)");
    CLOSE(ca_value_transform(CA_TRANSFORM_LNSQ, 1.9), 1.0, 0.0, "lnsq cuts fractions below");
    CLOSE(ca_value_transform(CA_TRANSFORM_LNSQ, 2.1), 0.0, 0.0, "and steps down above");
    CLOSE(ca_value_transform(CA_TRANSFORM_LOG1P, -1.0), -0.6931471805599453, 1e-16, "log1p is odd");
}

static int parse(struct ca_schema_file *s, const char *text, struct ca_err *err)
{
    *s = (struct ca_schema_file){0};
    return ca_schema_file_parse(s, text, strlen(text), "s", err);
}

static void schemas(void)
{
    struct ca_schema_file s, t = {0};
    struct ca_err err = {0};
    size_t presets = 0;
    int good = 1;

    OK(!parse(&s, "# c\nformat = tsv\nmissing = NA\nl label\nI{1..3} numeric missing=0 # c\n\"a b\" categorical min-count=4\n",
              &err), "a schema");
    OK(s.n == 5 && !strcmp(s.rule[3].name, "I3") && !strcmp(s.rule[4].name, "a b") && s.rule[4].min_count == 4 &&
       s.delimiter == '\t' && !s.header && s.n_missing == 1 && s.rule[1].has_missing, "means what it says");
    memcpy(t.digest, s.digest, sizeof t.digest);
    OK(!ca_schema_file_amend(&s, "I2 drop; x categorical; min-count = 7", &err) && s.n == 6 &&
       s.rule[2].role == CA_RULE_DROP && s.min_count == 7 && strcmp(s.digest, t.digest) != 0, "amended");
    OK(ca_schema_file_amend(&s, "I2 dorp", &err) == CA_EUSAGE, "a fault in an amendment is one of usage");
    ca_schema_file_fini(&s);
    for (const struct ca_preset *p = ca_presets; p->name; p++, presets++) {
        struct ca_err e = {0};
        s = (struct ca_schema_file){0};
        if (ca_schema_file_load(&s, p->name, &e)) {
            (void)printf("# %s: %s\n", p->name, e.text);
            good = 0;
        }
        ca_schema_file_fini(&s);
    }
    OK(good && presets >= 7, "the presets are sound");
    OK(!parse(&s, "unknown = last\nl label\n", &err) && s.unknown == CA_UNKNOWN_LAST &&
           !ca_schema_file_amend(&s, "unknown = zero", &err) && s.unknown == CA_UNKNOWN_ZERO &&
           !ca_schema_file_amend(&s, "unknown = last-and-missing", &err) && s.unknown == CA_UNKNOWN_LAST_AND_MISSING,
       "ids of unknown values");
    OK(ca_schema_file_amend(&s, "unknown = first", &err) == CA_EUSAGE, "zero or last");
    OK(ca_schema_file_amend(&s, "c categorical missing=0", &err) == CA_EUSAGE &&
           ca_schema_file_amend(&s, "c domain missing=0", &err) == CA_EUSAGE, "only a number means a missing value");
    ca_schema_file_fini(&s);
    static const char *const bad[] = {
        "his list like=none", "his list like=his", "his list like=", "his list like=l", "his list like=tags",
        "his list like=dropped", "his list like=number", "his list like=item min-count=2", "his list like=market",
        "his categorical like=item", "his domain like=item", "his list max=0", "his list max=-1", "his list max=x",
        "his list max=", "his categorical max=3", "his list like", "his numeric like=item",
        "his list like=item; item drop", "his list like=item; item domain", "his list like=item; item categorical transform=lnsq"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct ca_err e = {0};
        int rc = parse(&s, "l label\nitem categorical\ntags list\ndropped drop\nmarket domain\n"
                           "number categorical transform=lnsq\n", &e);
        if (!rc && (rc = ca_schema_file_amend(&s, bad[k], &e)) != CA_EUSAGE) {
            (void)printf("# '%s': %d\n", bad[k], rc);
            good = 0;
        } else if (!rc || !strstr(e.text, "schema"))
            good = 0;
        ca_schema_file_fini(&s);
    }
    OK(good, "a list shares the vocabulary of a categorical column and of no other");
    OK(!parse(&s, "l label\nhis list max=50 like=item\nitem categorical\n", &err) && s.rule[1].max == 50 &&
           !strcmp(s.rule[1].like, "item") && !s.rule[2].like, "which may come later");
    OK(!ca_schema_file_amend(&s, "his list", &err) && !s.rule[1].like && !s.rule[1].max, "and not after an amendment");
    ca_schema_file_fini(&s);
}

#define PARTS 5

/* All rows, from up to so many parts at a time, into rows; the bad ones to got. */
static int read_rows(struct ca_encoder *e, struct ca_scan *scan, int header, size_t parts, struct ca_rows *rows,
                     struct ca_buf *got, struct ca_err *err)
{
    size_t n, at = 0, good[PARTS] = {0};
    int rc = ca_encoder_room(e, parts, err);

    rc = rc ? rc : ca_scan_room(scan, 1, parts, err);
    while (!rc && (rc = ca_scan_cut(scan, parts, 1, SIZE_MAX, &n, err)) > 0) {
        const struct ca_scan_batch *b[PARTS];
        struct ca_encoded out;
        size_t sound = 0;

        rc = 0;
        for (size_t i = n; i-- > 0;) {
            size_t first = 0;
            b[i] = ca_scan_part(scan, i, i);
            if (header && b[i]->starts_file && b[i]->rows && (first = 1) && (rc = ca_encoder_header(e, b[i], err)))
                return rc;
            if ((rc = ca_encoder_check(e, i, b[i], first, &good[i], err)))
                return rc;
        }
        for (size_t i = 0; i < n; i++)
            if ((rc = ca_scan_settle(scan, i, err)) < 0)
                return rc;
            else
                sound += (size_t)rc;
        rc = 0;
        for (size_t c = 0; c < ca_encoder_schema(e)->n; c++)
            for (size_t i = 0; i < sound && !rc; i++)
                rc = ca_encoder_number(e, i, c, good[i], err);
        for (size_t i = 0; i < sound && !rc; i++) {
            ca_encoder_take(e, i, &out);
            for (size_t k = 0; k < out.n_bad; k++)
                ca_buf_printf(got, "bad %zu %s %s\n", at + out.bad[k].row, out.bad[k].fault,
                              out.bad[k].column ? out.bad[k].column : "-");
            rc = ca_rows_append(rows, &out.block, 0, out.block.rows, err);
            at += b[i]->rows;
        }
    }
    return rc;
}

/* Text of a schema to columns; what is found is printed into got. */
static void encode(struct ca_buf *got, const char *schema, const char *text, size_t parts)
{
    struct ca_schema_file s;
    struct ca_vocab *v = ca_vocab_new(NULL);
    struct ca_encoder *e = NULL;
    struct ca_scan *scan = NULL;
    struct ca_source *source;
    struct ca_rows *rows = NULL;
    struct ca_block block;
    struct ca_buf bad = {0};
    struct ca_err err = {0};
    char path[] = "/tmp/ca-import-XXXXXX", *paths[1] = {path};
    int fd = mkstemp(path);

    OK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !close(fd), "text to encode");
    ca_buf_clear(got);
    if (parse(&s, schema, &err) || ca_encoder_new(&e, &s, v, 1, 0, &err) ||
        ca_source_open(&source, paths, 1, 0, &err) ||
        ca_scan_open(&scan, source, &(struct ca_scan_rule){s.delimiter, s.quotes, s.format >= CA_TEXT_LIBSVM}, &err) ||
        !(rows = ca_rows_new(ca_encoder_schema(e), &err)) || read_rows(e, scan, s.header, parts, rows, &bad, &err)) {
        ca_buf_printf(got, "error %s\n", err.text);
        goto done;
    }
    block = ca_rows_view(rows);
    for (size_t c = 0; c < block.schema->n; c++) {
        const struct ca_column *col = &block.schema->col[c];
        ca_buf_str(got, col->name);
        for (size_t r = 0; r < block.rows; r++) {
            ca_buf_char(got, ' ');
            if (col->is_list)
                for (uint32_t k = block.col[c].start[r]; k < block.col[c].start[r + 1]; k++)
                    ca_buf_printf(got, "%u.", ca_block_u32(&block, c)[k]);
            else if (col->type == CA_TYPE_F32)
                ca_buf_float(got, ca_block_f32(&block, c)[r]);
            else if (col->type == CA_TYPE_U32)
                ca_buf_printf(got, "%u", ca_block_u32(&block, c)[r]);
            else
                ca_buf_printf(got, "%lld", (long long)ca_block_i64(&block, c)[r]);
        }
        ca_buf_char(got, '\n');
    }
    ca_buf_add(got, bad.data, bad.len);
    ca_buf_char(got, '\0');
done:
    ca_buf_fini(&bad);
    ca_rows_free(rows);
    ca_scan_close(scan);
    ca_encoder_free(e);
    ca_vocab_free(v);
    ca_schema_file_fini(&s);
    (void)unlink(path);
}

static void encodes(const char *schema, const char *text, const char *want, const char *what)
{
    struct ca_buf got = {0};

    for (size_t parts = 1; parts <= PARTS; parts++) {
        encode(&got, schema, text, parts);
        if (!STR_EQ(got.data ? got.data : "", want, what))
            (void)printf("# in up to %zu parts: got %s\n", parts, got.data);
    }
    ca_buf_fini(&got);
}

static void columns(void)
{
    encodes("format = tsv\nl label\nI1 numeric missing=0 transform=log2\nC1 categorical\nC2 categorical\n",
            "0\t8\ta\tx\n1\t\t\tx\n1\t-2\tb\t\n0\t1\ta\ty\n",
            "l 0 1 1 0\nI1 3 0 -2 1\nC1 1 0 2 1\nC2 1 1 0 2\n", "the Criteo layout");
    encodes("id drop\nclick label\ntime time from=hour format=yymmddhh\nhour categorical\n",
            "id,click,hour\n1,0,70010101\n2,1,70010100\n",
            "click 0 1\ntime 876601 876600\nhour 1 2\n", "a field read twice");
    encodes("header = no\na time from=b\nb drop\nl label at-least=4\nt task from=l at-least=5\n", "7,4\n8,5\n9,3\n",
            "a 7 8 9\nl 1 1 0\nt 0 1 0\n", "labels from ratings, fields by place");
    encodes("l label\nw weight missing=1\nc list separator=;\nd domain\nx aux missing=-1\nmissing = NA\n",
            "l,w,c,d,x\n0,NA,p;q;p,eu,1.5\n0.25,2,NA,us,\n1,0,q,NA,3\n",
            "l 0 0.25 1\nw 1 2 0\nc 1.2.1.  2.\nd 1 2 0\nx 1.5 -1 3\n", "weights, lists, domains, missing texts");
    encodes("l label\nn categorical transform=lnsq\n", "l,n\n0,1382\n1,\n1,1390\n0,1\n",
            "l 0 1 1 0\nn 1 0 1 2\n", "a number as a category");
    encodes("l label\nn categorical transform=lnsq missing=0\n", "l,n\n0,3\n1,\n1,0\n0,0.9\n0,1\n0,-1\n",
            "l 0 1 1 0 0 0\nn 1 0 0 0 1 2\n", "of which one means a missing value");
    encodes("l label\nn numeric\nc categorical\n", "l,n,c\n0,1,a\n1,x,new\n1,,c\n7,1,b\n0,1\n1,2,b\n",
            "l 0 1\nn 1 2\nc 1 2\nbad 2 bad number n\nbad 3 missing value n\nbad 4 label outside 0 to 1 l\n"
            "bad 5 wrong number of fields -\n", "malformed rows number nothing");
    encodes("format = libsvm\ny label\n3 numeric missing=0\n* list\n", "1 3:0.5 7:1 9:1\n0\n0 9:1 3:2 8:1\n1 3:1 3:2\n1 x:1\n1 3:a\n",
            "y 1 0 0\n3 0.5 0 2\n* 1.2.  2.3.\nbad 3 a feature is there twice -\nbad 4 not a feature:value -\n"
            "bad 5 bad number -\n", "libsvm");
    encodes("format = libffm\ny label\n{0..1} categorical\nprice numeric from=2 missing=0\ntags list from=3\n",
            "1 0:17:1 1:99:1 2:5:0.25\n0 1:98:1 3:7:1 3:8:1 3:7:1\n0 0:17:1 9:1:1\n",
            "y 1 0\n0 1 0\n1 1 2\nprice 0.25 0\ntags  1.2.1.\nbad 2 a field the schema does not have -\n", "libffm");
    encodes("format = libffm\nundeclared = drop\ny label\n0 categorical\na list from=1\nb list from=2\n",
            "1 1:5:1 2:6:1 1:7:1 2:8:1 0:1:1\n0 5:5:5\n",
            "y 1 0\n0 1 0\na 1.2. \nb 1.2. \n", "lists whose items alternate");
    encodes("format = libffm\ny label\na list from=1\nb list from=1\n", "1 1:5:1 1:7:1\n0\n1 1:7:1\n",
            "y 1 0 1\na 1.2.  2.\nb 1.2.  2.\n", "two lists of one field");
    encodes("l label\nhis list like=item\nitem categorical\nnew list like=item separator=;\n",
            "l,his,item,new\n0,a|b,c,\n1,,b,d;a\n0,e,,e\n1,d,f,g\n",
            "l 0 1 0 1\nhis 1.2.  5. 4.\nitem 3 2 0 6\nnew  4.1. 5. 7.\n",
            "lists that share a vocabulary: numbered row by row, in a row from left to right");
    encodes("l label\nh list max=2\ns list like=c max=1\nc categorical\nmissing = NA\n",
            "l,h,s,c\n0,a|b|c,p|q,r\n1,d,NA,NA\n0,,r,q\n1,a|c,q|r,p\n",
            "l 0 1 0 1\nh 1.2. 3.  4.2.\ns 1.  2. 2.\nc 2 0 1 3\n", "the last items of a list");
    encodes("format = libffm\ny label\nx drop from=9\n0 categorical\nhis list from=1 like=0 max=2\n",
            "1 1:5:1 0:4:1 1:6:1 1:4:1\n0 1:6:1\n", "y 1 0\n0 1 0\nhis 2.1. 2.\n", "and of a libffm text");
}

int main(void)
{
    numbers();
    times();
    transforms();
    schemas();
    columns();
    return tap_done();
}
