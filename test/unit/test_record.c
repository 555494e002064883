/*
 * record/: round trips of all types, what the content digest does and does not
 * depend on, random access, and the property the pipelines stand on: no
 * truncated or damaged stream is ever taken for a sound one.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "record/reader.h"
#include "record/select.h"
#include "record/wire.h"
#include "record/writer.h"
#include "tap.h"

static char path[512];

/* One column of each role and type, lists among them. */
static int make_head(struct ca_head *h)
{
    struct ca_schema *s = &h->schema;

    *h = (struct ca_head){0};
    return ca_schema_add(s, "click", CA_ROLE_LABEL, CA_TYPE_F32, 0, 0, NULL) ||
           ca_schema_add(s, "buy", CA_ROLE_TASK, CA_TYPE_F32, 0, 0, NULL) ||
           ca_schema_add(s, "w", CA_ROLE_WEIGHT, CA_TYPE_F32, 0, 0, NULL) ||
           ca_schema_add(s, "t", CA_ROLE_TIME, CA_TYPE_I64, 0, 0, NULL) ||
           ca_schema_add(s, "I1", CA_ROLE_NUMERIC, CA_TYPE_F32, 0, 0, NULL) ||
           ca_schema_add(s, "C1 \"x\"", CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, 77, NULL) ||
           ca_schema_add(s, "hist", CA_ROLE_SEQUENCE, CA_TYPE_U32, 1, 77, NULL) ||
           ca_schema_add(s, "teacher", CA_ROLE_TEACHER, CA_TYPE_F32, 0, 0, NULL) ||
           ca_schema_add(s, "market", CA_ROLE_DOMAIN, CA_TYPE_U32, 0, 4, NULL) ||
           ca_schema_add(s, "p", CA_ROLE_AUX, CA_TYPE_F64, 0, 0, NULL) ||
           ca_schema_add(s, "flag", CA_ROLE_AUX, CA_TYPE_U8, 0, 0, NULL) ||
           ca_schema_add(s, "tags", CA_ROLE_AUX, CA_TYPE_U32, 1, 0, NULL) ||
           ca_schema_like(s, "hist", "C1 \"x\"", NULL) ||
           ca_head_attach(h, CA_ATTACHMENT_VOCABULARY, "the words\0the words\0the words\0the words", 39, NULL) ||
           ca_head_attach(h, "empty", "", 0, NULL);
}

/* n rows whose every value follows from the row number. */
static struct ca_rows *make_rows(const struct ca_schema *s, size_t n)
{
    struct ca_rows *r = ca_rows_new(s, NULL);
    struct ca_rng rng = ca_rng_make(7, "test");
    uint32_t ids[8];

    for (size_t i = 0; r && i < n; i++) {
        size_t at, len = ca_rng_below(&rng, 8 * i, 6);

        if (ca_rows_extend(r, 1, &at, NULL))
            return NULL;
        for (size_t c = 0; c < s->n; c++) {
            uint64_t x = ca_rng_u64(&rng, 16 * i + c) % 50;
            if (s->col[c].is_list) {
                for (size_t k = 0; k < len; k++)
                    ids[k] = (uint32_t)(x + k);
                if (ca_rows_list(r, c, ids, len, NULL))
                    return NULL;
            } else if (s->col[c].type == CA_TYPE_F32)
                ((float *)ca_rows_data(r, c))[at] = s->col[c].role == CA_ROLE_LABEL ? (float)(x < 10) : (float)x / 7.0f;
            else if (s->col[c].type == CA_TYPE_U32)
                ((uint32_t *)ca_rows_data(r, c))[at] = (uint32_t)x;
            else if (s->col[c].type == CA_TYPE_I64)
                ((int64_t *)ca_rows_data(r, c))[at] = (int64_t)i - 3;
            else if (s->col[c].type == CA_TYPE_F64)
                ((double *)ca_rows_data(r, c))[at] = (double)x / 3.0;
            else
                ((uint8_t *)ca_rows_data(r, c))[at] = (uint8_t)x;
        }
    }
    return r;
}

/* Are rows [af, af+n) of a and [bf, ...) of b the same? */
static int same(const struct ca_block *a, size_t af, const struct ca_block *b, size_t bf, size_t n)
{
    for (size_t c = 0; c < a->schema->n; c++) {
        size_t size = ca_type_size(a->schema->col[c].type);
        const struct ca_colview *x = &a->col[c], *y = &b->col[c];
        const char *p = x->data, *q = y->data;

        for (size_t i = 0; i < n; i++) {
            size_t lo = af + i, ro = bf + i, len = 1;
            if (x->start) {
                len = x->start[af + i + 1] - x->start[af + i];
                if (len != y->start[bf + i + 1] - y->start[bf + i])
                    return 0;
                lo = x->start[af + i];
                ro = y->start[bf + i];
            }
            if (memcmp(p + lo * size, q + ro * size, len * size))
                return 0;
        }
    }
    return 1;
}

static uint64_t writers = 1; /* threads that write */

static int write_stream(const struct ca_head *h, const struct ca_block *b, uint64_t block_rows, uint64_t level)
{
    struct ca_writer_opts o = {block_rows, level};
    struct ca_writer *w;

    /* in uneven pieces, so that pieces and blocks do not agree */
    if (ca_writer_open(&w, path, h, &o, NULL, NULL) || ca_writer_behind(w, writers, NULL))
        return -1;
    for (size_t i = 0, m; i < b->rows; i += m) {
        m = i % 5 + 1 < b->rows - i ? i % 5 + 1 : b->rows - i;
        if (ca_writer_put(w, b, i, m, NULL))
            return -1;
    }
    return ca_writer_input(w, "text", "00ff", NULL) || ca_writer_close(w, NULL);
}

/* Read name to its end: 0 or the code, err filled; *rows counts. Every other time a thread reads ahead: it is all one. */
static int drain(const char *name, int64_t *rows, char digest[CA_DIGEST_HEX], struct ca_err *err)
{
    struct ca_reader *r;
    struct ca_block b;
    static unsigned calls;
    int rc = ca_reader_open(&r, name, 0, err);

    if (rc)
        return rc;
    ca_reader_ahead(r, ++calls % 2 + 1);
    while ((rc = ca_reader_next(r, &b, err)) == 1)
        ;
    if (!rc) {
        *rows = ca_reader_rows_read(r);
        memcpy(digest, ca_reader_tail(r)->digest, CA_DIGEST_HEX);
    }
    ca_reader_close(r);
    return rc;
}

/* The same through a pipe, which must hold all of it. */
static int drain_pipe(const uint8_t *p, size_t n, int64_t *rows, char digest[CA_DIGEST_HEX], struct ca_err *err)
{
    char name[32];
    int fd[2], rc = -1;

    if (pipe(fd))
        return -1;
    if (write(fd[1], p, n) == (ssize_t)n && !close(fd[1])) {
        (void)snprintf(name, sizeof name, "/dev/fd/%d", fd[0]);
        rc = drain(name, rows, digest, err);
    }
    (void)close(fd[0]);
    return rc;
}

static uint8_t *slurp(size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = malloc(1 << 20);

    *n = f && p ? fread(p, 1, 1 << 20, f) : 0;
    if (f)
        (void)fclose(f);
    return p;
}

static int spit(const uint8_t *p, size_t n)
{
    /* a new file each time: some file systems write out what is truncated and written again */
    int fd = unlink(path) ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    int ok = fd >= 0 && write(fd, p, n) == (ssize_t)n;

    return fd < 0 || close(fd) || !ok;
}

static void test_round_trip(const struct ca_head *h, const struct ca_block *all)
{
    static const uint64_t sizes[] = {1, 7, 100, 4096};
    char digest[CA_DIGEST_HEX], first[CA_DIGEST_HEX] = "";
    int digests = 1, rows_ok = 1, tails = 1, pipes = 1;

    for (size_t i = 0; i < 8; i++) {
        struct ca_reader *r;
        struct ca_block b;
        int64_t rows = 0;
        struct ca_err err = {0};
        size_t n, at = 0;
        int rc;

        if (write_stream(h, all, sizes[i % 4], i < 4 ? 0 : 6) || ca_reader_open(&r, path, 0, &err)) {
            OK(0, "a stream is written and opened");
            return;
        }
        while ((rc = ca_reader_next(r, &b, &err)) == 1) {
            rows_ok &= b.first_row == (int64_t)at && at + b.rows <= all->rows && same(&b, 0, all, at, b.rows);
            at += b.rows;
        }
        rows_ok &= !rc && at == all->rows;
        if (!rc) {
            const struct ca_tail *t = ca_reader_tail(r);
            const char *kind = json_string_value(
                json_object_get(json_array_get(json_object_get(t->keys, "inputs"), 0), "kind"));
            if (!*first)
                memcpy(first, t->digest, sizeof first);
            digests &= !strcmp(first, t->digest) && strlen(first) == 32;
            tails &= t->rows == (int64_t)all->rows &&
                     t->blocks == (int64_t)((all->rows + sizes[i % 4] - 1) / sizes[i % 4]) && kind &&
                     !strcmp(kind, "text");
        }
        if (!i) {
            const struct ca_attachment *a = ca_head_attachment(ca_reader_head(r), CA_ATTACHMENT_VOCABULARY);
            OK(ca_schema_equal(&ca_reader_head(r)->schema, &h->schema), "the schema comes back");
            OK(a && a->size == 39 && !memcmp(a->data, h->att[0].data, 39), "an attachment comes back");
            a = ca_head_attachment(ca_reader_head(r), "empty");
            OK(a && a->size == 0, "an empty attachment comes back");
        }
        ca_reader_close(r);
        uint8_t *p = slurp(&n);
        if (n < 60000) {
            rc = drain_pipe(p, n, &rows, digest, &err);
            pipes &= !rc && rows == (int64_t)all->rows && !strcmp(digest, first);
        }
        free(p);
    }
    OK(rows_ok, "all rows come back for any block size and compression");
    OK(tails, "totals and inputs come back");
    OK(digests, "the content digest depends on neither block size nor compression");
    OK(pipes, "a pipe gives the same rows and digest as a file");
}

static void test_random_access(const struct ca_head *h, const struct ca_block *all)
{
    for (int level = 0; level < 2; level++) {
        struct ca_rng rng = ca_rng_make(1, "gather");
        struct ca_rows *got = ca_rows_new(&h->schema, NULL);
        struct ca_reader *r = NULL;
        struct ca_err err = {0};
        int64_t want[500];
        uint32_t at[500];
        struct ca_block b;
        int seeks = 1;

        for (size_t i = 0; i < 500; i++)
            want[i] = at[i] = (uint32_t)ca_rng_below(&rng, i, all->rows);
        if (!got || write_stream(h, all, 16, (uint64_t)level) || ca_reader_open(&r, path, 0, &err) ||
            ca_reader_index(r, &err)) {
            OK(0, "an index loads");
            return;
        }
        OK(ca_reader_tail(r) && ca_reader_tail(r)->rows == (int64_t)all->rows, "the totals are known from the index");
        OK(!ca_reader_gather(r, want, 250, got, &err) && !ca_reader_gather(r, want + 250, 250, got, &err),
           "rows are gathered");
        struct ca_rows *ref = ca_rows_new(&h->schema, NULL);
        OK(ref && !ca_rows_append_at(ref, all, at, 500, NULL), "rows are taken");
        struct ca_block x = ca_rows_view(got), y = ca_rows_view(ref);
        OK(x.rows == 500 && same(&x, 0, &y, 0, 500), "gathered rows are those of sequential reading");
        want[0] = (int64_t)all->rows;
        OK(ca_reader_gather(r, want, 1, got, &err) == CA_EUSAGE, "a row behind the last is refused");

        for (size_t from = 0; from <= all->rows; from += 13) {
            size_t row = from, left = all->rows - from;
            ca_rows_clear(got);
            err = (struct ca_err){0};
            seeks &= !ca_reader_seek(r, (int64_t)from, &err);
            /* fill in two steps that end inside blocks, then next for what is left */
            int rc = ca_reader_fill(r, got, 10, &err);
            seeks &= rc == (left > 0);
            rc = ca_reader_fill(r, got, 25, &err);
            size_t n = ca_rows_count(got);
            b = ca_rows_view(got);
            seeks &= rc >= 0 && n == (left < 25 ? left : 25) && same(&b, 0, all, from, n);
            for (row += n; (rc = ca_reader_next(r, &b, &err)) == 1; row += b.rows)
                seeks &= b.first_row == (int64_t)row && same(&b, 0, all, row, b.rows);
            seeks &= !rc && row == all->rows;
        }
        for (size_t want_rows = 1; want_rows <= 40; want_rows++) {
            int rc;
            seeks &= !ca_reader_seek(r, 0, &err);
            for (size_t row = 0; (rc = ca_reader_batch(r, got, want_rows, &b, &err)) == 1; row += b.rows) {
                size_t left = all->rows - row;
                seeks &= b.rows == (left < want_rows ? left : want_rows) && same(&b, 0, all, row, b.rows);
            }
            seeks &= !rc && ca_reader_row(r) == (int64_t)all->rows;
        }
        for (size_t row = 0; row <= all->rows; row++) {
            seeks &= !ca_reader_seek(r, (int64_t)row, &err) &&
                     ca_reader_next(r, &b, &err) == (row < all->rows) &&
                     (row == all->rows || (b.first_row == (int64_t)row && same(&b, 0, all, row, b.rows)));
        }
        OK(seeks, "reading goes on from any row");
        ca_rows_free(ref);
        ca_rows_free(got);
        ca_reader_close(r);
    }
}

/* Is this fault one a damaged stream may give, with a place? */
static int is_damage(int rc, const struct ca_err *err)
{
    return rc < 0 && ca_err_exit_status(rc) == 3 && err->code == rc && err->has_offset && err->file[0];
}

/* Gather every row of path by its index: 0 when they are those of all, a code, or 1 when they are not. */
static int gather_all(const struct ca_head *h, const struct ca_block *all)
{
    struct ca_rows *out = ca_rows_new(&h->schema, NULL);
    struct ca_reader *r = NULL;
    struct ca_err err = {0};
    int64_t want[64];
    int rc;

    for (size_t k = 0; k < 64; k++)
        want[k] = k < all->rows ? (int64_t)k : 0;
    if (!out)
        return CA_EMEMORY;
    if (!(rc = ca_reader_open(&r, path, 0, &err)) && !(rc = ca_reader_index(r, &err)))
        rc = ca_reader_gather(r, want, 64, out, &err);
    if (!rc) {
        struct ca_block b = ca_rows_view(out);
        rc = !same(&b, 0, all, 0, all->rows);
    } else if (!is_damage(rc, &err) && rc != CA_EUSAGE && rc != CA_ESCHEMA)
        rc = 1;
    ca_reader_close(r);
    ca_rows_free(out);
    return rc;
}

static void test_damage(const struct ca_head *h, const struct ca_block *all)
{
    char digest[CA_DIGEST_HEX];
    int64_t rows;

    for (uint64_t level = 0; level < 2; level++) {
        int cut = 1, cut_pipe = 1, flip = 1, flip_pipe = 1, index = 1;
        struct ca_err err = {0};
        size_t n;

        if (write_stream(h, all, 8, 6 * level)) {
            OK(0, "a stream is written");
            return;
        }
        uint8_t *p = slurp(&n);
        OK(n > 1000 && n < 60000, level ? "a small compressed stream" : "a small raw stream");
        for (size_t i = 0; i < n; i++) {
            err = (struct ca_err){0};
            cut &= !spit(p, i) && is_damage(drain(path, &rows, digest, &err), &err) && err.code == CA_ETRUNCATED &&
                   err.offset == (int64_t)i;
            err = (struct ca_err){0};
            cut_pipe &= is_damage(drain_pipe(p, i, &rows, digest, &err), &err) && err.code == CA_ETRUNCATED &&
                        err.offset == (int64_t)i;
        }
        OK(cut, "a file cut at any byte is truncated, at that byte");
        OK(cut_pipe, "a pipe cut at any byte is truncated, at that byte");
        for (size_t i = 0; i < n; i++) {
            uint8_t was = p[i];
            int rc;

            p[i] = (uint8_t)(was ^ 1u << i % 8);
            err = (struct ca_err){0};
            rc = spit(p, n) ? 0 : drain(path, &rows, digest, &err);
            flip &= is_damage(rc, &err);
            if (!is_damage(rc, &err))
                (void)printf("# byte %zu: %d\n", i, rc);
            err = (struct ca_err){0};
            flip_pipe &= is_damage(drain_pipe(p, n, &rows, digest, &err), &err);
            /* random access does not touch every byte, but what it gives must be right */
            index &= gather_all(h, all) != 1;
            p[i] = was;
        }
        OK(flip, "a flipped bit in any byte of a file is found");
        OK(flip_pipe, "a flipped bit in any byte of a pipe is found");
        OK(index, "gathering never gives a wrong row");
        p[n] = 0;
        err = (struct ca_err){0};
        OK(!spit(p, n + 1) && drain(path, &rows, digest, &err) == CA_ETRAILING && err.offset == (int64_t)n,
           "an appended byte is an error");
        err = (struct ca_err){0};
        OK(drain_pipe(p, n + 1, &rows, digest, &err) == CA_ETRAILING, "an appended byte in a pipe is an error");
        free(p);
    }
}

static void test_versions(const struct ca_head *h, const struct ca_block *all)
{
    char digest[CA_DIGEST_HEX], text[800];
    struct ca_err err = {0};
    struct ca_frame f = {.type = CA_FRAME_SKIP_FIRST + 5, .stored = 10, .raw = 99};
    uint8_t frame[128] = {0};
    int64_t rows;
    size_t n;

    if (write_stream(h, all, 8, 0)) {
        OK(0, "a stream is written");
        return;
    }
    uint8_t *p = slurp(&n);
    p[8] = 9;
    ca_store64(p + 56, ca_hash64(p, 56));
    OK(!spit(p, n) && drain(path, &rows, digest, &err) == CA_EVERSION, "another major version is refused");
    OK(strstr(ca_err_format(&err, text, sizeof text), "9.0"), "and named");
    p[8] = 1;
    p[10] = 3;
    ca_store64(p + 56, ca_hash64(p, 56));
    err = (struct ca_err){0};
    OK(!spit(p, n) && !drain(path, &rows, digest, &err), "a higher minor version is read");
    p[0] = 'x';
    err = (struct ca_err){0};
    OK(!spit(p, n) && drain(path, &rows, digest, &err) == CA_EMAGIC, "another magic is refused");
    p[0] = 0x8a;

    /* a skippable frame between the header and what follows it; a reader on a pipe must pass it (offsets in the
     * index then disagree, so only the rows before the end are compared) */
    memcpy(frame + 64, "0123456789", 10);
    f.hash = ca_hash64(frame + 64, 10);
    ca_wire_frame_store(frame, &f);
    size_t at = 64 + (size_t)ca_wire_pad(ca_load64(p + 24));
    uint8_t *q = malloc(n + 128);
    memcpy(q, p, at);
    memcpy(q + at, frame, 128);
    memcpy(q + at + 128, p + at, n - at);
    struct ca_reader *r;
    struct ca_block b;
    size_t seen = 0;
    int rc = spit(q, n + 128) || ca_reader_open(&r, path, 0, &err);
    while (!rc && seen < all->rows && ca_reader_next(r, &b, &err) == 1)
        seen += b.rows;
    OK(!rc && seen == all->rows, "a skippable frame is passed over");
    if (!rc)
        ca_reader_close(r);
    q[at + 70] ^= 1;
    err = (struct ca_err){0};
    OK(!spit(q, n + 128) && drain(path, &rows, digest, &err) == CA_ECHECKSUM, "but its checksum holds");
    f.type = 77;
    ca_wire_frame_store(q + at, &f);
    err = (struct ca_err){0};
    OK(!spit(q, n + 128) && drain(path, &rows, digest, &err) == CA_EFORMAT, "another type of frame is refused");
    free(q);
    free(p);
}

/* Write the hashes of a frame anew, as one would who wants to be believed. */
static void reseal(uint8_t *frame)
{
    ca_store64(frame + 40, ca_hash64(frame + 64, ca_load64(frame + 24)));
    ca_store64(frame + 56, ca_hash64(frame, 56));
}

/*
 * Lies with good checksums: one word of a frame's header or payload is set to
 * a value that hurts if believed. No reader may take the stream for sound, and
 * a build with sanitizers sees to it that none reads where it must not.
 */
static void test_lies(const struct ca_head *h, const struct ca_block *all)
{
    static const uint32_t values[] = {0, 1, 7, 0x40, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    char digest[CA_DIGEST_HEX];
    struct ca_err err = {0};
    int64_t rows;

    for (uint64_t level = 0; level < 2; level++) {
        int refused = 1, lies = 0;
        size_t n, end;

        if (write_stream(h, all, 8, 6 * level)) {
            OK(0, "a stream is written");
            return;
        }
        uint8_t *p = slurp(&n);
        for (size_t at = 64 + (size_t)ca_wire_pad(ca_load64(p + 24)); at + 64 < n; at = end) {
            end = at + 64 + (size_t)ca_wire_pad(ca_load64(p + at + 24));
            size_t stored = (size_t)ca_load64(p + at + 24);
            /* headers and the directory word by word, the rest sampled */
            for (size_t k = 0; k + 4 <= 64 + stored; k += k < 64 + 16 * 12 ? 4 : 28) {
                uint32_t was = ca_load32(p + at + k);
                uint64_t size = ca_load64(p + at + 24);
                if ((k >= 40 && k < 48) || (k >= 56 && k < 64))
                    continue; /* the hashes */
                for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                    if (values[v] == was)
                        continue;
                    ca_store32(p + at + k, values[v]);
                    if (ca_load64(p + at + 24) == size)
                        reseal(p + at);
                    else
                        ca_store64(p + at + 56, ca_hash64(p + at, 56));
                    err = (struct ca_err){0};
                    int rc = spit(p, n) ? 0 : drain(path, &rows, digest, &err);
                    /* an attachment may say anything */
                    int free_text = ca_load32(p + at) == CA_FRAME_ATTACHMENT && k >= 64;
                    refused &= free_text ? rc <= 0 : is_damage(rc, &err) || rc == CA_ESCHEMA;
                    if (!free_text && rc == 0)
                        (void)printf("# frame %zu word %zu value %u\n", at, k, values[v]);
                    /* fewer rows than there were, or other values, may be had by an index: never a crash */
                    if (!free_text && k < 64 + 16 * 12 && rc < 0)
                        (void)gather_all(h, all);
                    lies++;
                    ca_store32(p + at + k, was);
                    reseal(p + at);
                }
            }
        }
        OK(refused && lies > 500, level ? "no lie in a compressed stream is believed" : "no lie in a raw stream is believed");
        free(p);
    }
}

/* What a header may say of a sequence's ids, written over what it says, with good hashes. */
static void test_like(const struct ca_head *h, const struct ca_block *all)
{
    static const char was[] = "\"like\":\"C1 \\\"x\\\"\"";
    static const struct {
        const char *text;
        int rc;
    } lies[] = {
        {"\"like\":\"C1\"", CA_ESCHEMA},     /* no column */
        {"\"like\":\"\"", CA_ESCHEMA},
        {"\"like\":\"hist\"", CA_ESCHEMA},   /* itself */
        {"\"like\":\"click\"", CA_ESCHEMA},  /* not categorical */
        {"\"like\":\"market\"", CA_ESCHEMA},
        {"\"like\":\"tags\"", CA_ESCHEMA},   /* a column that comes later */
        {"\"like\":null", CA_EFORMAT},
        {"\"like\":7", CA_EFORMAT},
        {"\"like\":[]", CA_EFORMAT},
        {"\"like\":true", CA_EFORMAT},
        {"\"like\":\"", CA_EFORMAT},
        {"\"lake\":\"C1\"", 0},             /* a key of a later version */
    };
    char digest[CA_DIGEST_HEX];
    struct ca_err err = {0};
    struct ca_reader *r;
    int64_t rows;
    size_t n;
    int refused = 1;

    if (write_stream(h, all, 8, 0) || ca_reader_open(&r, path, 0, &err)) {
        OK(0, "a stream is written");
        return;
    }
    OK(ca_reader_head(r)->schema.col[6].like && !strcmp(ca_reader_head(r)->schema.col[6].like, "C1 \"x\"") &&
           !ca_reader_head(r)->schema.col[5].like && !ca_reader_head(r)->schema.col[11].like,
       "a sequence names the column that it shares ids with");
    ca_reader_close(r);
    uint8_t *p = slurp(&n);
    size_t text = (size_t)ca_load64(p + 24);
    uint8_t *at = p + 64;
    while (at < p + 64 + text && memcmp(at, was, strlen(was)) != 0)
        at++;
    if (!OK(at < p + 64 + text, "the header says so")) {
        free(p);
        return;
    }
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memset(at, ' ', strlen(was));
        memcpy(at, lies[i].text, strlen(lies[i].text));
        ca_store64(p + 32, ca_hash64(p + 64, text));
        ca_store64(p + 56, ca_hash64(p, 56));
        err = (struct ca_err){0};
        int rc = spit(p, n) ? -1000 : drain(path, &rows, digest, &err);
        refused &= rc == lies[i].rc;
        if (rc != lies[i].rc)
            (void)printf("# %s: %d\n", lies[i].text, rc);
    }
    OK(refused, "no other column than one of the same categories is believed, and later keys are passed over");
    free(p);
}

/* A thread reads ahead, another place is sought, and rows are gathered meanwhile. */
static void test_ahead(const struct ca_head *h, const struct ca_block *all)
{
    for (uint64_t level = 0; level < 2; level++) {
        int64_t rows[3] = {499, 0, 250};
        struct ca_rows *got = ca_rows_new(&h->schema, NULL);
        struct ca_reader *r = NULL;
        struct ca_block b;
        int ok = got && !write_stream(h, all, 8, level) && !ca_reader_open(&r, path, 0, NULL) &&
                 !ca_reader_index(r, NULL);

        if (!ok) {
            OK(0, "a stream is written and opened");
            return;
        }
        ca_reader_ahead(r, 2);
        for (int64_t from = 0; from < 500 && ok; from += 123) {
            ok = !ca_reader_seek(r, from, NULL);
            for (int k = 0; k < 9 && ok; k++) {
                ok = ca_reader_next(r, &b, NULL) == 1 && same(&b, 0, all, (size_t)b.first_row, b.rows);
                from += k ? 0 : b.first_row - from;
                ok = ok && ca_reader_row(r) == b.first_row + (int64_t)b.rows;
                ca_rows_clear(got);
                ok = ok && !ca_reader_gather(r, rows, 3, got, NULL);
                struct ca_block g = ca_rows_view(got);
                for (size_t i = 0; i < 3 && ok; i++)
                    ok = same(&g, i, all, (size_t)rows[i], 1);
                if (b.first_row + (int64_t)b.rows >= 500)
                    break;
            }
        }
        OK(ok, "rows are the same however often another place is sought, and beside random access");
        ok = !ca_reader_seek(r, 0, NULL);
        for (int64_t n = 0; ok && ca_reader_next(r, &b, NULL) == 1; n += (int64_t)b.rows)
            ok = same(&b, 0, all, (size_t)n, b.rows);
        OK(ok && ca_reader_next(r, &b, NULL) == 0 && ca_reader_next(r, &b, NULL) == 0 && ca_reader_tail(r)->rows == 500,
           "the end stays the end");
        ca_reader_close(r);
        ca_rows_free(got);
    }
}

/* Whoever writes them, the bytes are the same. */
static void test_behind(const struct ca_head *h, const struct ca_block *all)
{
    static const uint64_t rows[] = {1, 7, 64, 4096}, threads[] = {1, 2, 3, 5};

    for (uint64_t level = 0; level < 2; level++)
        for (size_t k = 0; k < 4; k++) {
            uint8_t *plain = NULL;
            size_t n = 0;
            int ok = 1;

            for (size_t t = 0; t < 4; t++) {
                size_t m = 0;
                uint8_t *p;

                writers = threads[t];
                ok &= !write_stream(h, all, rows[k], level);
                p = slurp(&m);
                if (!t) {
                    plain = p;
                    n = m;
                    continue;
                }
                ok &= p && plain && m == n && !memcmp(p, plain, n);
                free(p);
            }
            OK(ok && n > 1000, "the same bytes with a thread that writes, and several that compress");
            free(plain);
        }
    writers = 1;
}

static void test_spool(const struct ca_head *h, const struct ca_block *all)
{
    struct ca_err err = {0};
    struct ca_writer *w;
    struct ca_reader *r = NULL;
    struct ca_block b;
    uint32_t at[] = {5, 5, 0, 31};
    int ok = !ca_writer_spool(&w, h, &err) && !ca_writer_put_at(w, all, at, 4, &err) &&
             !ca_writer_put(w, all, 0, 3, &err) && ca_writer_rows(w) == 7 && !ca_writer_spooled(w, &r, &err) &&
             !ca_reader_index(r, &err) && ca_reader_next(r, &b, &err) == 1;

    OK(ok && b.rows == 7 && same(&b, 0, all, 5, 1) && same(&b, 3, all, 31, 1) && same(&b, 4, all, 0, 3),
       "a spool gives back what went in");
    ca_reader_close(r);
}

static void test_schema(void)
{
    struct ca_schema s = {0};
    struct ca_err err = {0};
    char longest[300];

    memset(longest, 'x', sizeof longest);
    longest[256] = '\0';
    OK(ca_schema_add(&s, "", CA_ROLE_AUX, CA_TYPE_U8, 0, 0, NULL) == CA_ESCHEMA, "an empty name is refused");
    OK(ca_schema_add(&s, longest, CA_ROLE_AUX, CA_TYPE_U8, 0, 0, NULL) == CA_ESCHEMA, "a name of 256 bytes is refused");
    OK(ca_schema_add(&s, "a\tb", CA_ROLE_AUX, CA_TYPE_U8, 0, 0, NULL) == CA_ESCHEMA, "a control character is refused");
    OK(ca_schema_add(&s, "\xc3\x28", CA_ROLE_AUX, CA_TYPE_U8, 0, 0, NULL) == CA_ESCHEMA, "malformed UTF-8 is refused");
    OK(!ca_schema_add(&s, "\xc3\xa9t\xc3\xa9", CA_ROLE_AUX, CA_TYPE_U8, 0, 0, &err), "UTF-8 is taken");
    OK(ca_schema_add(&s, "\xc3\xa9t\xc3\xa9", CA_ROLE_AUX, CA_TYPE_U8, 0, 0, NULL) == CA_ESCHEMA,
       "a repeated name is refused");
    OK(ca_schema_add(&s, "l", CA_ROLE_LABEL, CA_TYPE_U32, 0, 0, NULL) == CA_ESCHEMA, "a label of integers is refused");
    OK(ca_schema_add(&s, "c", CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, 0, NULL) == CA_ESCHEMA,
       "a categorical column without vocabulary size is refused");
    OK(ca_schema_role(&s, CA_ROLE_LABEL, 0) == -1 && ca_schema_count(&s, CA_ROLE_AUX) == 1, "roles are counted");
    ca_schema_fini(&s);
}

static void test_schema_like(void)
{
    struct ca_schema s = {0}, t = {0};
    struct ca_err err = {0};
    struct ca_pick pick;

    if (ca_schema_add(&s, "his", CA_ROLE_SEQUENCE, CA_TYPE_U32, 1, 9, &err) ||
        ca_schema_add(&s, "item", CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, 9, &err) ||
        ca_schema_add(&s, "user", CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, 8, &err) ||
        ca_schema_add(&s, "market", CA_ROLE_DOMAIN, CA_TYPE_U32, 0, 9, &err) ||
        ca_schema_add(&s, "tags", CA_ROLE_AUX, CA_TYPE_U32, 1, 0, &err) || ca_schema_copy(&t, &s, &err)) {
        OK(0, "a schema is made");
        return;
    }
    OK(ca_schema_like(&s, "his", "nobody", NULL) == CA_ESCHEMA && ca_schema_like(&s, "nobody", "item", NULL) == CA_ESCHEMA,
       "both columns must be there");
    OK(ca_schema_like(&s, "his", "user", NULL) == CA_ESCHEMA, "another vocabulary size is refused");
    OK(ca_schema_like(&s, "his", "market", NULL) == CA_ESCHEMA && ca_schema_like(&s, "his", "his", NULL) == CA_ESCHEMA &&
           ca_schema_like(&s, "user", "item", NULL) == CA_ESCHEMA && ca_schema_like(&s, "tags", "item", NULL) == CA_ESCHEMA,
       "only a sequence has the ids of a categorical column");
    OK(!s.col[0].like && ca_schema_equal(&s, &t), "what is refused changes nothing");
    OK(!ca_schema_like(&s, "his", "item", &err) && !strcmp(s.col[0].like, "item"), "a sequence has a column's ids");
    OK(!ca_schema_equal(&s, &t) && !ca_schema_equal(&t, &s), "which makes another schema");
    ca_schema_fini(&t);
    OK(!ca_schema_copy(&t, &s, &err) && ca_schema_equal(&s, &t) && t.col[0].like != s.col[0].like, "a copy has it too");
    OK(!ca_pick_init(&pick, &s, "item,his", NULL, &err) && pick.schema.col[1].like &&
           !strcmp(pick.schema.col[1].like, "item"), "a choice of both columns keeps it");
    ca_pick_fini(&pick);
    OK(!ca_pick_init(&pick, &s, NULL, "item", &err) && pick.schema.n == 4 && !pick.schema.col[0].like,
       "without the column the ids are the sequence's own");
    ca_pick_fini(&pick);
    OK(!ca_schema_like(&s, "his", NULL, &err) && !s.col[0].like, "and can be made so");
    ca_schema_fini(&s);
    ca_schema_fini(&t);
}

int main(void)
{
    const char *dir = getenv("TMPDIR");
    struct ca_head h;
    struct ca_rows *rows;

    (void)snprintf(path, sizeof path, "%s/ca-test-record.%ld", dir ? dir : "/tmp", (long)getpid());
    test_schema();
    test_schema_like();
    if (!OK(!make_head(&h), "a head is made"))
        return tap_done();
    rows = make_rows(&h.schema, 500);
    if (rows) {
        struct ca_block all = ca_rows_view(rows);
        test_round_trip(&h, &all);
        test_random_access(&h, &all);
        test_ahead(&h, &all);
        test_behind(&h, &all);
        test_spool(&h, &all);
        all.rows = 20;
        test_damage(&h, &all);
        test_versions(&h, &all);
        test_lies(&h, &all);
        test_like(&h, &all);
        all.rows = 0;
        test_round_trip(&h, &all);
    }
    ca_rows_free(rows);
    ca_head_fini(&h);
    (void)unlink(path);
    return tap_done();
}
