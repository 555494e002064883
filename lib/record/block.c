#include "record/block.h"

#include "base/buf.h"
#include "base/mem.h"

#include "base/banned.h"

static uint64_t directory_size(const struct ca_schema *s)
{
    return ca_wire_pad((uint64_t)s->n * 16);
}

/* Bytes of one column of n rows; lists hold elements elements. No sum here can wrap: 65536 columns, u32 rows. */
static uint64_t column_size(const struct ca_column *c, uint64_t n, uint64_t elements)
{
    return c->is_list ? 4 * (n + 1) + elements * ca_type_size(c->type) : n * ca_type_size(c->type);
}

uint64_t ca_block_size(const struct ca_block *b, size_t first, size_t n)
{
    uint64_t size = directory_size(b->schema);

    for (size_t c = 0; c < b->schema->n; c++) {
        const uint32_t *start = b->col[c].start;
        size += ca_wire_pad(column_size(&b->schema->col[c], n, start ? start[first + n] - start[first] : 0));
    }
    return size;
}

static void encode_column(const struct ca_column *c, const struct ca_colview *v, size_t first, size_t n, uint8_t *out)
{
    size_t size = ca_type_size(c->type);
    const uint8_t *from = v->data;

    if (!c->is_list) {
        memcpy(out, from + first * size, n * size);
        return;
    }
    uint32_t lo = v->start[first];
    for (size_t i = 0; i <= n; i++)
        ca_store32(out + 4 * i, v->start[first + i] - lo);
    memcpy(out + 4 * (n + 1), from + lo * size, (size_t)(v->start[first + n] - lo) * size);
}

void ca_block_encode(const struct ca_block *b, size_t first, size_t n, uint8_t *out)
{
    const struct ca_schema *s = b->schema;
    uint64_t at = directory_size(s);

    memset(out + 16 * s->n, 0, at - 16 * s->n);
    for (size_t c = 0; c < s->n; c++) {
        const uint32_t *start = b->col[c].start;
        uint64_t len = column_size(&s->col[c], n, start ? start[first + n] - start[first] : 0);
        uint64_t next = at + ca_wire_pad(len);

        ca_store64(out + 16 * c, at);
        ca_store64(out + 16 * c + 8, len);
        encode_column(&s->col[c], &b->col[c], first, n, out + at);
        memset(out + at + len, 0, next - at - len);
        at = next;
    }
}

static int is_zero(const uint8_t *p, uint64_t n)
{
    return ca_wire_all(p, (size_t)n, 0) == n;
}

int ca_block_layout(const uint8_t *raw, uint64_t size, const struct ca_schema *s, size_t rows, struct ca_err *err)
{
    uint64_t at = directory_size(s);

    if (size < at || !is_zero(raw + 16 * s->n, at - 16 * s->n))
        goto bad;
    for (size_t c = 0; c < s->n; c++) {
        const struct ca_column *col = &s->col[c];
        uint64_t offset = ca_load64(raw + 16 * c), len = ca_load64(raw + 16 * c + 8);
        uint64_t least = column_size(col, rows, 0);

        if (offset != at || len > size - at || len < least || (len > least && !col->is_list) ||
            (len - least) % ca_type_size(col->type))
            goto bad;
        at += ca_wire_pad(len);
        if (at > size || !is_zero(raw + offset + len, at - offset - len))
            goto bad;
    }
    if (at == size)
        return 0;
bad:
    return ca_err_set(err, CA_EFORMAT, "block whose columns are not where its schema and %zu rows put them", rows);
}

int ca_block_views(const uint8_t *raw, const struct ca_schema *s, size_t rows, int deep, struct ca_colview *view,
                   struct ca_err *err)
{
    for (size_t c = 0; c < s->n; c++) {
        const struct ca_column *col = &s->col[c];
        const uint8_t *p = raw + ca_load64(raw + 16 * c);
        uint64_t elements, len = ca_load64(raw + 16 * c + 8);

        if (!col->is_list) {
            view[c] = (struct ca_colview){p, NULL};
            continue;
        }
        /* payloads are 64-byte aligned, so u32 may be read in place */
        const uint32_t *start = (const uint32_t *)(const void *)p;
        view[c] = (struct ca_colview){p + 4 * (rows + 1), start};
        if (!deep)
            continue;
        elements = (len - 4 * (rows + 1)) / ca_type_size(col->type);
        int sound = start[0] == 0 && start[rows] == elements;
        for (size_t i = 0; i < rows; i++)
            sound &= start[i] <= start[i + 1];
        if (!sound)
            return ca_err_set(err, CA_EFORMAT, "lists of column '%s' do not follow one another", col->name);
    }
    return 0;
}

/*
 * Elements of four and of eight bytes, which almost all are, go as whole
 * numbers: such loops become vector shifts, while bytes at a distance do not.
 */
#define SHUFFLE(TYPE)                                                                                                 \
    static void shuffle_##TYPE(const uint8_t *restrict in, size_t m, uint8_t *restrict out)                          \
    {                                                                                                                 \
        for (size_t k = 0; k < sizeof(TYPE); k++)                                                                     \
            for (size_t i = 0; i < m; i++) {                                                                          \
                TYPE x;                                                                                               \
                memcpy(&x, in + sizeof x * i, sizeof x);                                                              \
                out[k * m + i] = (uint8_t)(x >> 8 * k);                                                               \
            }                                                                                                         \
    }                                                                                                                 \
    static void unshuffle_##TYPE(const uint8_t *restrict in, size_t m, uint8_t *restrict out)                        \
    {                                                                                                                 \
        for (size_t i = 0; i < m; i++) {                                                                              \
            TYPE x = 0;                                                                                               \
            for (size_t k = 0; k < sizeof x; k++)                                                                     \
                x |= (TYPE)in[k * m + i] << 8 * k;                                                                    \
            memcpy(out + sizeof x * i, &x, sizeof x);                                                                 \
        }                                                                                                             \
    }

SHUFFLE(uint32_t)
SHUFFLE(uint64_t)

static void shuffle(const uint8_t *in, size_t n, size_t size, uint8_t *out)
{
    if (size == 4)
        shuffle_uint32_t(in, n / 4, out);
    else
        shuffle_uint64_t(in, n / 8, out);
}

static void unshuffle(const uint8_t *in, size_t n, size_t size, uint8_t *out)
{
    if (size == 4)
        unshuffle_uint32_t(in, n / 4, out);
    else
        unshuffle_uint64_t(in, n / 8, out);
}

static void regroup(void (*f)(const uint8_t *, size_t, size_t, uint8_t *), const uint8_t *in, uint64_t size,
                    const struct ca_schema *s, uint8_t *out)
{
    uint64_t at = directory_size(s);

    memcpy(out, in, at);
    for (size_t c = 0; c < s->n; c++) {
        uint64_t len = ca_load64(in + 16 * c + 8), next = at + ca_wire_pad(len);
        size_t unit = ca_type_size(s->col[c].type);

        if (unit == 1)
            memcpy(out + at, in + at, len);
        else
            f(in + at, len, unit, out + at); /* starts and elements of a list are both u32 */
        memset(out + at + len, 0, next - at - len);
        at = next;
    }
    memset(out + at, 0, size - at);
}

void ca_block_shuffle(const uint8_t *raw, uint64_t size, const struct ca_schema *s, uint8_t *out)
{
    regroup(shuffle, raw, size, s, out);
}

void ca_block_unshuffle(const uint8_t *in, uint64_t size, const struct ca_schema *s, uint8_t *raw)
{
    regroup(unshuffle, in, size, s, raw);
}

uint32_t ca_block_positives(const struct ca_block *b, size_t first, size_t n)
{
    int c = ca_schema_role(b->schema, CA_ROLE_LABEL, 0);
    uint32_t positives = 0;
    const float *y;

    if (c < 0)
        return 0;
    y = ca_block_f32(b, (size_t)c) + first;
    for (size_t i = 0; i < n; i++)
        positives += y[i] > 0.5f;
    return positives;
}

struct ca_content {
    const struct ca_schema *schema;
    struct ca_digest **elements; /* one a column */
    struct ca_digest **lengths;  /* one a list column, else NULL */
    uint64_t rows;
};

struct ca_content *ca_content_new(const struct ca_schema *s, struct ca_err *err)
{
    struct ca_content *c = ca_mem_zalloc(1, sizeof *c, err);

    if (!c)
        return NULL;
    c->schema = s;
    c->elements = ca_mem_zalloc(s->n, sizeof *c->elements, err);
    c->lengths = ca_mem_zalloc(s->n, sizeof *c->lengths, err);
    for (size_t i = 0; c->elements && c->lengths && i < s->n; i++)
        if (!(c->elements[i] = ca_digest_new(err)) || (s->col[i].is_list && !(c->lengths[i] = ca_digest_new(err)))) {
            ca_content_free(c);
            return NULL;
        }
    if (!c->elements || !c->lengths) {
        ca_content_free(c);
        return NULL;
    }
    return c;
}

void ca_content_free(struct ca_content *c)
{
    if (!c)
        return;
    for (size_t i = 0; c->elements && c->lengths && i < c->schema->n; i++) {
        ca_digest_free(c->elements[i]);
        ca_digest_free(c->lengths[i]);
    }
    ca_mem_free(c->elements);
    ca_mem_free(c->lengths);
    ca_mem_free(c);
}

int ca_content_add(struct ca_content *c, const struct ca_block *b, size_t first, size_t n, struct ca_err *err)
{
    uint32_t lens[1024];

    if (n > UINT64_MAX - c->rows)
        return ca_err_set(err, CA_EFORMAT, "too many rows");
    for (size_t i = 0; i < c->schema->n; i++) {
        const struct ca_colview *v = &b->col[i];
        size_t size = ca_type_size(c->schema->col[i].type);
        const uint8_t *data = v->data;

        if (!v->start) {
            ca_digest_add(c->elements[i], data + first * size, n * size);
            continue;
        }
        for (size_t done = 0, m; done < n; done += m) {
            const uint32_t *start = v->start + first + done;
            m = n - done < 1024 ? n - done : 1024;
            for (size_t k = 0; k < m; k++)
                lens[k] = start[k + 1] - start[k];
            ca_digest_add(c->lengths[i], lens, m * sizeof *lens);
        }
        ca_digest_add(c->elements[i], data + v->start[first] * size,
                      (size_t)(v->start[first + n] - v->start[first]) * size);
    }
    c->rows += n;
    return 0;
}

int ca_content_hex(const struct ca_content *c, char out[CA_DIGEST_HEX], struct ca_err *err)
{
    struct ca_digest *all = ca_digest_new(err);
    struct ca_buf b = {0};
    int rc = all ? 0 : CA_EMEMORY;

    for (size_t i = 0; !rc && i < c->schema->n; i++) {
        const struct ca_column *col = &c->schema->col[i];
        char hex[CA_DIGEST_HEX];

        ca_buf_printf(&b, "%s\t%s\t%s\t%d\t%u", col->name, ca_role_name(col->role), ca_type_name(col->type),
                      col->is_list, col->vocab);
        if (c->lengths[i]) {
            ca_digest_hex(c->lengths[i], hex);
            ca_buf_printf(&b, "\t%s", hex);
        }
        ca_digest_hex(c->elements[i], hex);
        ca_buf_printf(&b, "\t%s\n", hex);
    }
    ca_buf_printf(&b, "%llu\n", (unsigned long long)c->rows);
    if (!rc && !(rc = ca_buf_check(&b, err))) {
        ca_digest_add(all, b.data, b.len);
        ca_digest_hex(all, out);
    }
    ca_buf_fini(&b);
    ca_digest_free(all);
    return rc;
}
