#include "model/safetensors.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

#define ALIGN 64
#define PIECE ((size_t)1 << 16)
#define SUM_PREFIX "xxh3."
#define SUM_HEADER "xxh3.header"
#define SUM_DIGITS 32

static const struct {
    const char *name;
    size_t size;
} dtypes[CA_ST_N_DTYPES] = {
    [CA_ST_F32] = {"F32", 4}, [CA_ST_U8] = {"U8", 1},     [CA_ST_F64] = {"F64", 8}, [CA_ST_F16] = {"F16", 2},
    [CA_ST_BF16] = {"BF16", 2}, [CA_ST_I64] = {"I64", 8}, [CA_ST_I32] = {"I32", 4}, [CA_ST_I16] = {"I16", 2},
    [CA_ST_I8] = {"I8", 1},   [CA_ST_BOOL] = {"BOOL", 1}, [CA_ST_U64] = {"U64", 8}, [CA_ST_U32] = {"U32", 4},
    [CA_ST_U16] = {"U16", 2},
};

const char *ca_st_dtype_name(enum ca_st_dtype t)
{
    return dtypes[t].name;
}

size_t ca_st_dtype_size(enum ca_st_dtype t)
{
    return dtypes[t].size;
}

/* Bytes of a tensor from its shape; nonzero when they do not fit. */
static int shape_bytes(const struct ca_st_tensor *t, uint64_t *bytes)
{
    uint64_t n = dtypes[t->dtype].size;

    for (unsigned i = 0; i < t->n_dims; i++)
        if (__builtin_mul_overflow(n, t->dim[i], &n))
            return 1;
    *bytes = n;
    return n > INT64_MAX;
}

/* ---- reading ---- */

struct ca_st {
    struct ca_in *in;
    json_t *header;
    json_t *meta;            /* what ca_st_metadata shows */
    json_t *sums;            /* NAME -> digits, "header" taken out */
    struct ca_st_tensor *t;
    size_t n;
    int64_t base;            /* file offset of the first tensor */
    struct ca_digest *digest; /* of the tensor being read */
    size_t at;               /* that tensor */
    uint64_t done;           /* its bytes read */
};

static int fault(struct ca_st *st, int code, int64_t offset, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, code, "%s", what);
    (void)ca_err_at(err, ca_in_name(st->in), offset, -1);
    return code;
}

/* A header value out of place: bytes of a parsed header have no offset of their own, the header has. */
static int bad_tensor(struct ca_st *st, const char *name, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, CA_EFORMAT, "tensor '%.100s': %s", name, what);
    (void)ca_err_at(err, ca_in_name(st->in), 8, -1);
    return CA_EFORMAT;
}

static int offset_fault(struct ca_st *st, const struct ca_st_tensor *t, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, CA_EFORMAT, "tensor '%.100s' %s", t->name, what);
    (void)ca_err_at(err, ca_in_name(st->in), t->offset < INT64_MAX / 2 ? st->base + (int64_t)t->offset : st->base, -1);
    return CA_EFORMAT;
}

static int read_u64(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return 1;
    *out = (uint64_t)json_integer_value(v);
    return 0;
}

static int parse_tensor(struct ca_st *st, const char *name, const json_t *v, struct ca_st_tensor *t, struct ca_err *err)
{
    const char *dtype = json_string_value(json_object_get(v, "dtype"));
    const json_t *shape = json_object_get(v, "shape");
    const json_t *span = json_object_get(v, "data_offsets");
    uint64_t end, bytes;
    int k = 0;

    t->name = name;
    if (!json_is_object(v) || !dtype || !json_is_array(shape) || !json_is_array(span))
        return bad_tensor(st, name, "not an object with dtype, shape and data_offsets", err);
    while (k < CA_ST_N_DTYPES && strcmp(dtypes[k].name, dtype))
        k++;
    if (k == CA_ST_N_DTYPES)
        return bad_tensor(st, name, "unknown dtype", err);
    t->dtype = (enum ca_st_dtype)k;
    if (json_array_size(shape) > CA_ST_MAX_DIMS)
        return bad_tensor(st, name, "more than 8 dimensions", err);
    t->n_dims = (unsigned)json_array_size(shape);
    for (unsigned i = 0; i < t->n_dims; i++)
        if (read_u64(json_array_get(shape, i), &t->dim[i]))
            return bad_tensor(st, name, "a dimension is not a count", err);
    if (json_array_size(span) != 2 || read_u64(json_array_get(span, 0), &t->offset) ||
        read_u64(json_array_get(span, 1), &end) || end < t->offset)
        return bad_tensor(st, name, "data_offsets are not two rising offsets", err);
    t->bytes = end - t->offset;
    if (shape_bytes(t, &bytes) || bytes != t->bytes)
        return bad_tensor(st, name, "shape and data_offsets disagree about its size", err);
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct ca_st_tensor *x = a, *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes) /* empty ones first, so that they do not look like overlaps */
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Tensors must tile the rest of the file: no gap, no overlap. */
static int check_layout(struct ca_st *st, struct ca_err *err)
{
    uint64_t at = 0;
    int64_t size = ca_in_size(st->in);

    for (size_t i = 0; i < st->n; i++) {
        if (st->t[i].offset < at)
            return offset_fault(st, &st->t[i], "overlaps the one before it", err);
        if (st->t[i].offset > at)
            return offset_fault(st, &st->t[i], "leaves a gap before it", err);
        if (__builtin_add_overflow(at, st->t[i].bytes, &at) || at > INT64_MAX - CA_ST_MAX_HEADER - 8)
            return offset_fault(st, &st->t[i], "ends beyond any file", err);
    }
    if (size >= 0 && (uint64_t)(size - st->base) < at)
        return fault(st, CA_ETRUNCATED, size, "file ends within its tensors", err);
    if (size >= 0 && (uint64_t)(size - st->base) > at)
        return fault(st, CA_ETRAILING, st->base + (int64_t)at, "file goes on after its last tensor", err);
    return 0;
}

/*
 * The header's own checksum: over its length and text with the digits of the
 * checksum itself replaced by zeros.
 */
static void header_sum(const unsigned char length[8], const char *text, size_t n, size_t digits_at,
                       struct ca_digest *d, char out[CA_DIGEST_HEX])
{
    static const char zeros[SUM_DIGITS + 1] = "00000000000000000000000000000000";

    ca_digest_add(d, length, 8);
    ca_digest_add(d, text, digits_at);
    ca_digest_add(d, zeros, SUM_DIGITS);
    ca_digest_add(d, text + digits_at + SUM_DIGITS, n - digits_at - SUM_DIGITS);
    ca_digest_hex(d, out);
}

/* Where the digits of the header checksum stand, or n when they do not. */
static size_t find_digits(const char *text, size_t n)
{
    static const char key[] = "\"" SUM_HEADER "\":\"";
    size_t k = sizeof key - 1;

    for (size_t i = 0; n >= k + SUM_DIGITS && i <= n - k - SUM_DIGITS; i++)
        if (!memcmp(text + i, key, k))
            return i + k;
    return n;
}

static int check_header_sum(struct ca_st *st, const unsigned char length[8], const char *text, size_t n,
                            const char *want, struct ca_err *err)
{
    size_t at = find_digits(text, n);
    struct ca_digest *d;
    char got[CA_DIGEST_HEX];

    if (at == n)
        return fault(st, CA_ECHECKSUM, 8, "header checksum is not where it belongs", err);
    d = ca_digest_new(err);
    if (!d)
        return CA_EMEMORY;
    header_sum(length, text, n, at, d, got);
    ca_digest_free(d);
    return strcmp(got, want) ? fault(st, CA_ECHECKSUM, 8, "header checksum mismatch", err) : 0;
}

/* Part __metadata__ into checksums and the rest. */
static int parse_metadata(struct ca_st *st, const json_t *m, const char **header_digits, struct ca_err *err)
{
    const char *key;
    const json_t *v;
    int rc = 0;

    st->meta = json_object();
    st->sums = json_object();
    *header_digits = NULL;
    if (!st->meta || !st->sums)
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");
    if (m && !json_is_object(m))
        return fault(st, CA_EFORMAT, 8, "__metadata__ is not an object", err);
    for (void *it = json_object_iter((json_t *)(uintptr_t)m); it && !rc;
         it = json_object_iter_next((json_t *)(uintptr_t)m, it)) {
        key = json_object_iter_key(it);
        v = json_object_iter_value(it);
        if (!json_is_string(v))
            return fault(st, CA_EFORMAT, 8, "__metadata__ holds a value that is not a string", err);
        if (!strcmp(key, SUM_HEADER))
            *header_digits = json_string_value(v);
        else if (!strncmp(key, SUM_PREFIX, sizeof SUM_PREFIX - 1))
            rc = ca_json_set(st->sums, key + sizeof SUM_PREFIX - 1, json_incref((json_t *)(uintptr_t)v), err);
        else
            rc = ca_json_set(st->meta, key, json_incref((json_t *)(uintptr_t)v), err);
    }
    return rc;
}

static int parse_header(struct ca_st *st, const unsigned char length[8], const char *text, size_t n,
                        struct ca_err *err)
{
    const char *digits;
    size_t count;
    int rc;

    if (!n || text[0] != '{')
        return fault(st, CA_EMAGIC, 8, "not a safetensors file: its header does not begin with '{'", err);
    st->header = ca_json_parse(text, n, ca_in_name(st->in), 8, err);
    if (!st->header)
        return err ? err->code : CA_EFORMAT;
    if (!json_is_object(st->header))
        return fault(st, CA_EFORMAT, 8, "header is not an object", err);
    if ((rc = parse_metadata(st, json_object_get(st->header, "__metadata__"), &digits, err)))
        return rc;
    if (!digits && json_object_size(st->sums))
        return fault(st, CA_ECHECKSUM, 8, "tensors have checksums, but the header has none", err);
    if (digits && (rc = check_header_sum(st, length, text, n, digits, err)))
        return rc;
    count = json_object_size(st->header);
    if (count > CA_ST_MAX_TENSORS)
        return fault(st, CA_EFORMAT, 8, "more than 65536 tensors", err);
    st->t = ca_mem_zalloc(count, sizeof *st->t, err);
    if (!st->t)
        return CA_EMEMORY;
    for (void *it = json_object_iter(st->header); it; it = json_object_iter_next(st->header, it)) {
        const char *name = json_object_iter_key(it);
        if (!strcmp(name, "__metadata__"))
            continue;
        if ((rc = parse_tensor(st, name, json_object_iter_value(it), &st->t[st->n], err)))
            return rc;
        if (digits && !json_object_get(st->sums, name))
            return bad_tensor(st, name, "has no checksum though the header has", err);
        st->n++;
    }
    qsort(st->t, st->n, sizeof *st->t, by_offset);
    return check_layout(st, err);
}

/* The header text, read in pieces: a length that lies costs no memory. */
static int read_text(struct ca_st *st, uint64_t n, struct ca_buf *text, struct ca_err *err)
{
    char *piece = ca_mem_alloc(PIECE, 1, err);
    int rc = piece ? 0 : CA_EMEMORY;

    while (!rc && text->len < n) {
        size_t want = n - text->len < PIECE ? (size_t)(n - text->len) : PIECE, got;
        rc = ca_in_read(st->in, piece, want, &got, err);
        if (!rc && got < want)
            rc = fault(st, CA_ETRUNCATED, ca_in_tell(st->in), "file ends within its header", err);
        if (!rc) {
            ca_buf_add(text, piece, got);
            rc = ca_buf_check(text, err);
        }
    }
    ca_mem_free(piece);
    return rc;
}

int ca_st_open(struct ca_st **out, const char *path, int force, struct ca_err *err)
{
    struct ca_st *st = ca_mem_zalloc(1, sizeof *st, err);
    struct ca_buf text = {0};
    unsigned char length[8];
    uint64_t n = 0;
    size_t got;
    int rc;

    if (!st)
        return CA_EMEMORY;
    if ((rc = ca_in_open(&st->in, path, err)))
        goto fail;
    if (!force && ca_in_is_terminal(st->in)) {
        rc = ca_err_set(err, CA_EUSAGE, "refusing to read a model from a terminal");
        (void)ca_err_hint(err, "name a file, or redirect standard input");
        goto fail;
    }
    if ((rc = ca_in_read(st->in, length, 8, &got, err)))
        goto fail;
    if (got < 8) {
        rc = fault(st, CA_ETRUNCATED, (int64_t)got, got ? "file ends within its header length" : "file is empty", err);
        goto fail;
    }
    for (int i = 7; i >= 0; i--)
        n = n << 8 | length[i];
    if (n > CA_ST_MAX_HEADER) {
        rc = fault(st, CA_EMAGIC, 0, "not a safetensors file: its header would be over 100 MB", err);
        goto fail;
    }
    st->base = 8 + (int64_t)n;
    if ((rc = read_text(st, n, &text, err)) || (rc = parse_header(st, length, text.data ? text.data : "", text.len, err)))
        goto fail;
    ca_buf_fini(&text);
    *out = st;
    return 0;
fail:
    ca_buf_fini(&text);
    ca_st_close(st);
    return rc;
}

size_t ca_st_count(const struct ca_st *st)
{
    return st->n;
}

const struct ca_st_tensor *ca_st_tensor(const struct ca_st *st, size_t i)
{
    return &st->t[i];
}

const struct ca_st_tensor *ca_st_find(const struct ca_st *st, const char *name)
{
    for (size_t i = 0; i < st->n; i++)
        if (!strcmp(st->t[i].name, name))
            return &st->t[i];
    return NULL;
}

const json_t *ca_st_metadata(const struct ca_st *st)
{
    return st->meta;
}

const char *ca_st_name(const struct ca_st *st)
{
    return ca_in_name(st->in);
}

/* The tensor just finished against its checksum, when it has one. */
static int finish_tensor(struct ca_st *st, size_t i, struct ca_err *err)
{
    const char *want = json_string_value(json_object_get(st->sums, st->t[i].name));
    char got[CA_DIGEST_HEX];
    int rc = 0;

    ca_digest_hex(st->digest, got);
    ca_digest_free(st->digest);
    st->digest = NULL;
    if (want && strcmp(got, want)) {
        rc = ca_err_set(err, CA_ECHECKSUM, "checksum mismatch in tensor '%.100s'", st->t[i].name);
        (void)ca_err_at(err, ca_in_name(st->in), st->base + (int64_t)st->t[i].offset, -1);
    }
    st->at = i + 1;
    st->done = 0;
    return rc;
}

/* Make i the tensor being read. */
static int begin_tensor(struct ca_st *st, size_t i, struct ca_err *err)
{
    if (st->at != i || i >= st->n)
        return ca_err_set(err, CA_EINTERNAL, "tensors read out of order");
    if (!st->digest && !(st->digest = ca_digest_new(err)))
        return CA_EMEMORY;
    return 0;
}

int ca_st_read(struct ca_st *st, size_t i, void *buf, size_t n, struct ca_err *err)
{
    int rc = begin_tensor(st, i, err);
    size_t got;

    if (rc)
        return rc;
    if (n > st->t[i].bytes - st->done)
        return ca_err_set(err, CA_EINTERNAL, "read beyond tensor '%.100s'", st->t[i].name);
    if ((rc = ca_in_read(st->in, buf, n, &got, err)))
        return rc;
    if (got < n) {
        rc = ca_err_set(err, CA_ETRUNCATED, "file ends within tensor '%.100s'", st->t[i].name);
        (void)ca_err_at(err, ca_in_name(st->in), ca_in_tell(st->in), -1);
        return rc;
    }
    ca_digest_add(st->digest, buf, n);
    st->done += n;
    return st->done == st->t[i].bytes ? finish_tensor(st, i, err) : 0;
}

int ca_st_skip(struct ca_st *st, size_t i, struct ca_err *err)
{
    char *piece;
    uint64_t left = st->t[i].bytes;
    int rc = 0;

    if (ca_in_seekable(st->in)) {
        if (st->at != i || st->done)
            return ca_err_set(err, CA_EINTERNAL, "tensors read out of order");
        st->at++;
        return ca_in_seek(st->in, st->base + (int64_t)(st->t[i].offset + left), err);
    }
    piece = ca_mem_alloc(PIECE, 1, err);
    if (!piece)
        return CA_EMEMORY;
    do {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        rc = ca_st_read(st, i, piece, n, err);
        left -= n;
    } while (!rc && left);
    ca_mem_free(piece);
    return rc;
}

int ca_st_end(struct ca_st *st, struct ca_err *err)
{
    char extra;
    size_t got;
    int rc;

    if (st->at != st->n)
        return ca_err_set(err, CA_EINTERNAL, "not all tensors were read");
    if ((rc = ca_in_read(st->in, &extra, 1, &got, err)))
        return rc;
    return got ? fault(st, CA_ETRAILING, ca_in_tell(st->in) - 1, "file goes on after its last tensor", err) : 0;
}

void ca_st_close(struct ca_st *st)
{
    if (!st)
        return;
    ca_digest_free(st->digest);
    json_decref(st->header);
    json_decref(st->meta);
    json_decref(st->sums);
    ca_mem_free(st->t);
    ca_in_close(st->in);
    ca_mem_free(st);
}

/* ---- writing ---- */

struct ca_st_sink {
    struct ca_out *out;       /* NULL while digesting */
    struct ca_digest *digest; /* NULL while writing */
    uint64_t done;
};

int ca_st_put(struct ca_st_sink *sink, const void *data, size_t n, struct ca_err *err)
{
    sink->done += n;
    if (sink->digest)
        ca_digest_add(sink->digest, data, n);
    return sink->out ? ca_out_write(sink->out, data, n, err) : 0;
}

/* One pass over a tensor, which must give exactly its bytes. */
static int pass(const struct ca_st_tensor *t, size_t i, struct ca_st_sink *sink, ca_st_source *source, void *arg,
                struct ca_err *err)
{
    int rc;

    sink->done = 0;
    rc = source(arg, i, sink, err);
    if (!rc && sink->done != t->bytes)
        rc = ca_err_set(err, CA_EINTERNAL, "tensor '%.100s' gave another number of bytes than its shape", t->name);
    return rc;
}

static int digest_tensor(const struct ca_st_tensor *t, size_t i, ca_st_source *source, void *arg,
                         char hex[CA_DIGEST_HEX], struct ca_err *err)
{
    struct ca_st_sink sink = {.digest = ca_digest_new(err)};
    int rc;

    if (!sink.digest)
        return CA_EMEMORY;
    rc = pass(t, i, &sink, source, arg, err);
    ca_digest_hex(sink.digest, hex);
    ca_digest_free(sink.digest);
    return rc;
}

/* Checksums of all tensors. */
struct digests {
    const struct ca_st_tensor *t;
    ca_st_source *source;
    void *arg;
    struct sum {
        char hex[CA_DIGEST_HEX];
        struct ca_err err;
    } *sum;
};

static void digest_task(void *arg, size_t i, unsigned worker)
{
    struct digests *d = arg;
    int rc = digest_tensor(&d->t[i], i, d->source, d->arg, d->sum[i].hex, &d->sum[i].err);

    (void)worker;
    if (rc && !d->sum[i].err.code)
        d->sum[i].err.code = rc;
}

/* The tensors' places in the file and their checksums, in the pool where there is one. */
static int lay_out(struct ca_st_tensor *t, size_t n, struct digests *d, struct ca_pool *pool, struct ca_err *err)
{
    uint64_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (shape_bytes(&t[i], &t[i].bytes))
            return ca_err_set(err, CA_EINTERNAL, "tensor '%.100s' is too large", t[i].name);
        t[i].offset = at;
        at += t[i].bytes;
    }
    if (!(d->sum = ca_mem_zalloc(n, sizeof *d->sum, err)))
        return CA_EMEMORY;
    if (pool)
        ca_pool_run(pool, n, digest_task, d);
    for (size_t i = 0; i < n; i++) {
        if (!pool)
            digest_task(d, i, 0);
        if (d->sum[i].err.code) {
            *err = d->sum[i].err;
            return err->code;
        }
    }
    return 0;
}

/* The header as an object: metadata with checksums first, then the tensors in order. */
static int make_header(json_t *header, const struct ca_st_tensor *t, size_t n, const json_t *metadata,
                       const struct digests *d, struct ca_err *err)
{
    json_t *meta = json_object();
    struct ca_buf key = {0};
    int rc;

    if ((rc = ca_json_set(header, "__metadata__", meta, err)) ||
        (rc = ca_json_set(meta, SUM_HEADER, json_string("00000000000000000000000000000000"), err)))
        return rc;
    if (metadata && json_object_update(meta, (json_t *)(uintptr_t)metadata))
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");
    for (size_t i = 0; i < n && !rc; i++) {
        json_t *shape = json_array();
        for (unsigned k = 0; shape && k < t[i].n_dims && !rc; k++)
            if (json_array_append_new(shape, json_integer((json_int_t)t[i].dim[k])))
                rc = ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON array");
        if (!rc)
            rc = ca_json_set(header, t[i].name,
                             json_pack("{s:s, s:O, s:[I,I]}", "dtype", dtypes[t[i].dtype].name, "shape", shape,
                                       "data_offsets", (json_int_t)t[i].offset,
                                       (json_int_t)(t[i].offset + t[i].bytes)),
                             err);
        json_decref(shape);
        ca_buf_clear(&key);
        ca_buf_printf(&key, SUM_PREFIX "%s", t[i].name);
        if (!rc && !(rc = ca_buf_check(&key, err)))
            rc = ca_json_set(meta, key.data, json_string(d->sum[i].hex), err);
    }
    ca_buf_fini(&key);
    return rc;
}

/* Length, padded text and, in it, its own checksum. */
static int write_header(struct ca_out *out, const json_t *header, struct ca_err *err)
{
    struct ca_buf text = {0};
    struct ca_digest *d = NULL;
    char hex[CA_DIGEST_HEX];
    unsigned char length[8];
    size_t at;
    int rc;

    if ((rc = ca_json_dump(header, &text, err)))
        goto done;
    while (!text.status && (8 + text.len) % ALIGN)
        ca_buf_char(&text, ' ');
    if ((rc = ca_buf_check(&text, err)))
        goto done;
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)text.len >> 8 * i);
    at = find_digits(text.data, text.len);
    if (at == text.len) {
        rc = ca_err_set(err, CA_EINTERNAL, "header checksum has no place");
        goto done;
    }
    d = ca_digest_new(err);
    if (!d) {
        rc = CA_EMEMORY;
        goto done;
    }
    header_sum(length, text.data, text.len, at, d, hex);
    memcpy(text.data + at, hex, SUM_DIGITS);
    if (!(rc = ca_out_write(out, length, 8, err)))
        rc = ca_out_write(out, text.data, text.len, err);
done:
    ca_digest_free(d);
    ca_buf_fini(&text);
    return rc;
}

int ca_st_write(struct ca_out *out, struct ca_st_tensor *t, size_t n, const json_t *metadata, ca_st_source *source,
                void *arg, struct ca_pool *pool, struct ca_err *err)
{
    struct digests d = {.t = t, .source = source, .arg = arg};
    struct ca_st_sink sink = {.out = out};
    json_t *header = json_object();
    int rc = header ? 0 : ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");

    if (!rc)
        rc = lay_out(t, n, &d, pool, err);
    if (!rc)
        rc = make_header(header, t, n, metadata, &d, err);
    if (!rc)
        rc = write_header(out, header, err);
    for (size_t i = 0; i < n && !rc; i++)
        rc = pass(&t[i], i, &sink, source, arg, err);
    ca_mem_free(d.sum);
    json_decref(header);
    return rc;
}
