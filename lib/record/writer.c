#include "record/writer.h"

#include <zlib.h>

#include "base/in.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/out.h"
#include "record/block.h"
#include "record/open.h"
#include "record/wire.h"

#include "base/banned.h"

#define DEFAULT_BLOCK_ROWS 4096

struct ca_writer {
    struct ca_out *out;
    struct ca_head head;
    struct ca_rows *pending; /* fewer than block_rows */
    size_t block_rows;
    int level;
    int64_t rows;      /* taken so far, pending ones included */
    int64_t written;   /* rows in written blocks */
    int64_t positives;
    struct ca_entry *index;
    size_t n_index, cap_index;
    struct ca_content *content;
    json_t *keys;      /* of the end frame */
    json_t *inputs;    /* borrowed from keys */
    struct ca_area raw, shuffled, packed;
};

static void destroy(struct ca_writer *w)
{
    if (!w)
        return;
    ca_out_abort(w->out);
    ca_rows_free(w->pending);
    ca_content_free(w->content);
    ca_head_fini(&w->head);
    ca_mem_free(w->index);
    json_decref(w->keys);
    ca_area_fini(&w->raw);
    ca_area_fini(&w->shuffled);
    ca_area_fini(&w->packed);
    ca_mem_free(w);
}

/* Bytes that fill up to the next multiple of 64. */
static int write_padding(struct ca_writer *w, char fill, struct ca_err *err)
{
    char pad[64];

    memset(pad, fill, sizeof pad);
    return ca_out_write(w->out, pad, (size_t)(-(uint64_t)ca_out_tell(w->out) % CA_WIRE_ALIGN), err);
}

/* Header and payload of a frame; f's hash and stored size are filled here. */
static int write_frame(struct ca_writer *w, struct ca_frame *f, const void *payload, size_t stored, struct ca_err *err)
{
    uint8_t header[64];
    int rc;

    f->stored = stored;
    f->hash = ca_hash64(payload, stored);
    ca_wire_frame_store(header, f);
    if ((rc = ca_out_write(w->out, header, sizeof header, err)) || (rc = ca_out_write(w->out, payload, stored, err)))
        return rc;
    return write_padding(w, 0, err);
}

/* zlib into w->packed; *size is 0 when that does not make it smaller. */
static int squeeze(struct ca_writer *w, const uint8_t *p, size_t n, size_t *size, struct ca_err *err)
{
    uLongf len = compressBound(n);
    int rc = ca_area_need(&w->packed, len, 0, err);

    if (rc)
        return rc;
    *size = 0;
    if (compress2(w->packed.p, &len, p, n, w->level) != Z_OK)
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot compress a block");
    if (len < n)
        *size = len;
    return 0;
}

static int write_attachment(struct ca_writer *w, const struct ca_attachment *a, struct ca_err *err)
{
    size_t name = strlen(a->name), n = 4 + name + a->size, packed = 0;
    struct ca_frame f = {.type = CA_FRAME_ATTACHMENT, .codec = CA_CODEC_RAW, .raw = n};
    int rc = ca_area_need(&w->raw, n, 0, err);

    if (rc)
        return rc;
    ca_store32(w->raw.p, (uint32_t)name);
    memcpy(w->raw.p + 4, a->name, name);
    if (a->size)
        memcpy(w->raw.p + 4 + name, a->data, a->size);
    if (w->level && (rc = squeeze(w, w->raw.p, n, &packed, err)))
        return rc;
    if (packed)
        f.codec = CA_CODEC_ZLIB;
    return write_frame(w, &f, packed ? w->packed.p : w->raw.p, packed ? packed : n, err);
}

static int write_header(struct ca_writer *w, struct ca_err *err)
{
    struct ca_buf json = {0};
    uint8_t header[64];
    int rc = ca_head_dump(&w->head, &json, err);

    if (!rc && json.len > CA_MAX_HEADER_BYTES)
        rc = ca_err_set(err, CA_EFORMAT, "stream header of %zu bytes, more than %llu", json.len,
                        (unsigned long long)CA_MAX_HEADER_BYTES);
    if (!rc) {
        ca_wire_header_store(header, json.len, ca_hash64(json.data, json.len));
        if (!(rc = ca_out_write(w->out, header, sizeof header, err)) &&
            !(rc = ca_out_write(w->out, json.data, json.len, err)))
            rc = write_padding(w, ' ', err);
    }
    for (size_t i = 0; !rc && i < w->head.n_att; i++)
        rc = write_attachment(w, &w->head.att[i], err);
    ca_buf_fini(&json);
    return rc;
}

/* Everything but the output itself. */
static int prepare(struct ca_writer *w, const struct ca_head *head, struct ca_err *err)
{
    int rc;

    if (!head->schema.n)
        return ca_err_set(err, CA_ESCHEMA, "a record stream needs at least one column");
    if (head->n_att > CA_MAX_ATTACHMENTS)
        return ca_err_set(err, CA_EFORMAT, "more than %d attachments", CA_MAX_ATTACHMENTS);
    if ((rc = ca_head_copy(&w->head, head, err)))
        return rc;
    w->pending = ca_rows_new(&w->head.schema, err);
    w->content = ca_content_new(&w->head.schema, err);
    if (!w->pending || !w->content)
        return CA_EMEMORY;
    w->keys = json_object();
    w->inputs = json_array();
    return ca_json_set(w->keys, "inputs", w->inputs, err);
}

int ca_writer_open(struct ca_writer **out, const char *path, const struct ca_head *head,
                   const struct ca_writer_opts *opts, const struct ca_run *run, struct ca_err *err)
{
    struct ca_writer *w = ca_mem_zalloc(1, sizeof *w, err);
    int rc;

    if (!w)
        return CA_EMEMORY;
    w->block_rows = opts && opts->block_rows ? (size_t)opts->block_rows : DEFAULT_BLOCK_ROWS;
    w->level = opts ? (int)opts->compress : 0;
    if ((rc = prepare(w, head, err)) || (run && (rc = ca_prov_add(&w->head.keys, run, err))))
        goto fail;
    if (!path)
        path = run ? run->common.output : "-";
    if ((rc = ca_out_open(&w->out, path, err)))
        goto fail;
    if (ca_out_is_terminal(w->out) && !(run && run->common.force)) {
        rc = ca_err_set(err, CA_EUSAGE, "records are not written to a terminal");
        (void)ca_err_hint(err, "redirect standard output, use --output FILE, or look at them with ca-view");
        goto fail;
    }
    if ((rc = write_header(w, err)))
        goto fail;
    *out = w;
    return 0;
fail:
    destroy(w);
    return rc;
}

int ca_writer_spool(struct ca_writer **out, const struct ca_head *head, struct ca_err *err)
{
    struct ca_writer *w = ca_mem_zalloc(1, sizeof *w, err);
    int rc;

    if (!w)
        return CA_EMEMORY;
    w->block_rows = DEFAULT_BLOCK_ROWS;
    if ((rc = prepare(w, head, err)) || (rc = ca_out_spool(&w->out, err)) || (rc = write_header(w, err))) {
        destroy(w);
        return rc;
    }
    *out = w;
    return 0;
}

static int write_block(struct ca_writer *w, const struct ca_block *b, size_t first, size_t n, struct ca_err *err)
{
    struct ca_frame f = {.type = CA_FRAME_BLOCK,
                         .codec = CA_CODEC_RAW,
                         .rows = (uint32_t)n,
                         .columns = (uint32_t)b->schema->n,
                         .first_row = (uint64_t)w->written};
    uint64_t size = ca_block_size(b, first, n);
    size_t packed = 0;
    int rc;

    if (size > CA_MAX_BLOCK_BYTES) {
        /* a block of very wide rows: fewer of them then */
        if (n == 1)
            return ca_err_set(err, CA_EFORMAT, "row of %llu bytes, more than a block can hold",
                              (unsigned long long)size);
        rc = write_block(w, b, first, n / 2, err);
        return rc ? rc : write_block(w, b, first + n / 2, n - n / 2, err);
    }
    if ((rc = ca_mem_grow((void **)&w->index, &w->cap_index, w->n_index + 1, sizeof *w->index, err)) ||
        (rc = ca_area_need(&w->raw, (size_t)size, 0, err)) || (rc = ca_content_add(w->content, b, first, n, err)))
        return rc;
    f.raw = size;
    ca_block_encode(b, first, n, w->raw.p);
    if (w->level) {
        if ((rc = ca_area_need(&w->shuffled, (size_t)size, 0, err)))
            return rc;
        ca_block_shuffle(w->raw.p, size, b->schema, w->shuffled.p);
        if ((rc = squeeze(w, w->shuffled.p, (size_t)size, &packed, err)))
            return rc;
        if (packed)
            f.codec = CA_CODEC_SHUFFLE;
    }
    struct ca_entry e = {ca_out_tell(w->out), (uint32_t)n, ca_block_positives(b, first, n)};
    if ((rc = write_frame(w, &f, packed ? w->packed.p : w->raw.p, packed ? packed : (size_t)size, err)))
        return rc;
    w->index[w->n_index++] = e;
    w->positives += e.positives;
    w->written += (int64_t)n;
    return 0;
}

static int flush(struct ca_writer *w, struct ca_err *err)
{
    struct ca_block b = ca_rows_view(w->pending);
    int rc = b.rows ? write_block(w, &b, 0, b.rows, err) : 0;

    ca_rows_clear(w->pending);
    return rc;
}

static int check_schema(const struct ca_writer *w, const struct ca_block *b, struct ca_err *err)
{
    return ca_schema_equal(&w->head.schema, b->schema)
               ? 0
               : ca_err_set(err, CA_ESCHEMA, "rows of another schema than the stream's");
}

int ca_writer_put(struct ca_writer *w, const struct ca_block *b, size_t first, size_t n, struct ca_err *err)
{
    int rc = check_schema(w, b, err);

    while (!rc && n) {
        size_t have = ca_rows_count(w->pending), m = w->block_rows - have;

        if (m > n)
            m = n;
        if (!have && m == w->block_rows)
            rc = write_block(w, b, first, m, err); /* whole already: no need to gather it */
        else if (!(rc = ca_rows_append(w->pending, b, first, m, err)) && have + m == w->block_rows)
            rc = flush(w, err);
        first += m;
        n -= m;
        w->rows += (int64_t)m;
    }
    return rc;
}

int ca_writer_put_at(struct ca_writer *w, const struct ca_block *b, const uint32_t *at, size_t n, struct ca_err *err)
{
    int rc = check_schema(w, b, err);

    while (!rc && n) {
        size_t have = ca_rows_count(w->pending), m = w->block_rows - have;

        if (m > n)
            m = n;
        if (!(rc = ca_rows_append_at(w->pending, b, at, m, err)) && have + m == w->block_rows)
            rc = flush(w, err);
        at += m;
        n -= m;
        w->rows += (int64_t)m;
    }
    return rc;
}

int64_t ca_writer_rows(const struct ca_writer *w)
{
    return w->rows;
}

int ca_writer_input(struct ca_writer *w, const char *kind, const char *digest, struct ca_err *err)
{
    json_t *entry = json_pack("{s:s, s:s}", "kind", kind, "digest", digest);

    if (!entry || json_array_append_new(w->inputs, entry))
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot note an input");
    return 0;
}

static int write_end(struct ca_writer *w, struct ca_err *err)
{
    struct ca_frame f = {.type = CA_FRAME_END, .codec = CA_CODEC_RAW};
    uint64_t at = (uint64_t)ca_out_tell(w->out);
    char hex[CA_DIGEST_HEX];
    struct ca_buf json = {0};
    uint8_t trailer[64], *p;
    int rc;

    if ((rc = ca_json_dump(w->keys, &json, err)) || (rc = ca_content_hex(w->content, hex, err)))
        goto done;
    f.raw = 64 + 16 * (uint64_t)w->n_index + json.len;
    if (f.raw > CA_MAX_BLOCK_BYTES) {
        rc = ca_err_set(err, CA_EFORMAT, "more than %zu blocks: use a larger --block-rows", w->n_index);
        goto done;
    }
    if ((rc = ca_area_need(&w->raw, (size_t)f.raw, 0, err)))
        goto done;
    p = w->raw.p;
    ca_store64(p, (uint64_t)w->written);
    ca_store64(p + 8, (uint64_t)w->positives);
    ca_store64(p + 16, w->n_index);
    memcpy(p + 24, hex, 32);
    ca_store64(p + 56, json.len);
    p += 64;
    for (size_t i = 0; i < w->n_index; i++, p += 16) {
        ca_store64(p, (uint64_t)w->index[i].offset);
        ca_store32(p + 8, w->index[i].rows);
        ca_store32(p + 12, w->index[i].positives);
    }
    memcpy(p, json.data, json.len);
    if ((rc = write_frame(w, &f, w->raw.p, (size_t)f.raw, err)))
        goto done;
    ca_wire_trailer_store(trailer, at, (uint64_t)ca_out_tell(w->out) + 64);
    rc = ca_out_write(w->out, trailer, sizeof trailer, err);
done:
    ca_buf_fini(&json);
    return rc;
}

int ca_writer_close(struct ca_writer *w, struct ca_err *err)
{
    struct ca_out *out = w->out;
    int rc = flush(w, err);

    if (!rc && !(rc = write_end(w, err))) {
        w->out = NULL;
        rc = ca_out_close(out, err);
    }
    destroy(w);
    return rc;
}

int ca_writer_spooled(struct ca_writer *w, struct ca_reader **r, struct ca_err *err)
{
    struct ca_in *in = NULL;
    int rc = flush(w, err);

    if (!rc && !(rc = write_end(w, err)) && !(rc = ca_out_spool_input(w->out, &in, err)))
        rc = ca_reader_take(r, in, err);
    destroy(w); /* the spool has no name: closing it is all there is to do */
    return rc;
}

void ca_writer_abort(struct ca_writer *w)
{
    destroy(w);
}
