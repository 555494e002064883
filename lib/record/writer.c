#include "record/writer.h"

#include <zlib.h>

#include "base/behind.h"
#include "base/in.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/out.h"
#include "base/pool.h"
#include "record/block.h"
#include "record/open.h"
#include "record/wire.h"

#include "base/banned.h"

#define DEFAULT_BLOCK_ROWS 4096
#define BATCHES 2         /* one is filled while the other is written */

/* Room to make the payload of a block in. */
struct workshop {
    struct ca_area raw, shuffled;
};

/* A block on its way out: rows, then the bytes to be stored. */
struct parcel {
    struct ca_rows *rows;
    struct ca_area packed;
    int tried;       /* to compress it */
    size_t stored;   /* bytes in packed; 0: it did not shrink */
    int fault;
    struct ca_err err;
};

/* What the writer and its thread share. */
struct behind {
    struct ca_behind *thread;
    struct ca_pool *pool;    /* to compress; NULL for none */
    struct workshop *shop;   /* by worker */
    struct parcel *parcel;   /* BATCHES times parcels */
    size_t parcels, filled[BATCHES], at; /* at: batch being filled */
};

struct ca_writer {
    struct ca_out *out;
    struct ca_head head;
    struct behind behind;    /* thread NULL: blocks are written by who puts the rows */
    struct ca_rows *pending; /* fewer than block_rows; the rows of a parcel where there is a thread */
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
    struct ca_area raw, packed; /* of attachments and the end frame, and of blocks written at once */
    struct workshop shop;
};

static void behind_fini(struct behind *b)
{
    unsigned workers = b->pool ? ca_pool_threads(b->pool) : 1;

    ca_behind_stop(b->thread);
    for (unsigned i = 0; b->shop && i < workers; i++) {
        ca_area_fini(&b->shop[i].raw);
        ca_area_fini(&b->shop[i].shuffled);
    }
    for (size_t i = 0; b->parcel && i < BATCHES * b->parcels; i++) {
        ca_rows_free(b->parcel[i].rows);
        ca_area_fini(&b->parcel[i].packed);
    }
    ca_mem_free(b->shop);
    ca_mem_free(b->parcel);
    ca_pool_free(b->pool);
}

static void destroy(struct ca_writer *w)
{
    if (!w)
        return;
    if (w->behind.parcels)
        w->pending = NULL; /* a parcel's */
    behind_fini(&w->behind);
    ca_out_abort(w->out);
    ca_rows_free(w->pending);
    ca_content_free(w->content);
    ca_head_fini(&w->head);
    ca_mem_free(w->index);
    json_decref(w->keys);
    ca_area_fini(&w->raw);
    ca_area_fini(&w->shop.raw);
    ca_area_fini(&w->shop.shuffled);
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

/* zlib into to; *size is 0 when that does not make it smaller. */
static int squeeze(int level, const uint8_t *p, size_t n, struct ca_area *to, size_t *size, struct ca_err *err)
{
    uLongf len = compressBound(n);
    int rc = ca_area_need(to, len, 0, err);

    if (rc)
        return rc;
    *size = 0;
    if (compress2(to->p, &len, p, n, level) != Z_OK)
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
    if (w->level && (rc = squeeze(w->level, w->raw.p, n, &w->packed, &packed, err)))
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
    if ((rc = write_header(w, err)) || (run && (rc = ca_writer_behind(w, run->common.threads, err))))
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

/* The compressed payload of a block of size bytes: encoded and shuffled in shop, then into to. */
static int pack(int level, const struct ca_block *b, size_t first, size_t n, uint64_t size, struct workshop *shop,
                struct ca_area *to, size_t *stored, struct ca_err *err)
{
    int rc;

    if ((rc = ca_area_need(&shop->raw, (size_t)size, 0, err)) ||
        (rc = ca_area_need(&shop->shuffled, (size_t)size, 0, err)))
        return rc;
    ca_block_encode(b, first, n, shop->raw.p);
    ca_block_shuffle(shop->raw.p, size, b->schema, shop->shuffled.p);
    return squeeze(level, shop->shuffled.p, (size_t)size, to, stored, err);
}

/* packed: the same rows already compressed, where that was tried. */
static int write_block(struct ca_writer *w, const struct ca_block *b, size_t first, size_t n,
                       const struct parcel *packed, struct ca_err *err)
{
    struct ca_frame f = {.type = CA_FRAME_BLOCK,
                         .codec = CA_CODEC_RAW,
                         .rows = (uint32_t)n,
                         .columns = (uint32_t)b->schema->n,
                         .first_row = (uint64_t)w->written};
    uint64_t size = ca_block_size(b, first, n);
    const uint8_t *payload;
    size_t stored = 0;
    int rc;

    if (size > CA_MAX_BLOCK_BYTES) {
        /* a block of very wide rows: fewer of them then */
        if (n == 1)
            return ca_err_set(err, CA_EFORMAT, "row of %llu bytes, more than a block can hold",
                              (unsigned long long)size);
        rc = write_block(w, b, first, n / 2, NULL, err);
        return rc ? rc : write_block(w, b, first + n / 2, n - n / 2, NULL, err);
    }
    if ((rc = ca_mem_grow((void **)&w->index, &w->cap_index, w->n_index + 1, sizeof *w->index, err)) ||
        (rc = ca_content_add(w->content, b, first, n, err)))
        return rc;
    f.raw = size;
    if (packed && packed->tried) {
        stored = packed->stored;
        payload = packed->packed.p;
    } else {
        if (w->level && (rc = pack(w->level, b, first, n, size, &w->shop, &w->packed, &stored, err)))
            return rc;
        payload = w->packed.p;
    }
    if (stored) {
        f.codec = CA_CODEC_SHUFFLE;
    } else {
        if ((rc = ca_area_need(&w->shop.raw, (size_t)size, 0, err)))
            return rc;
        ca_block_encode(b, first, n, w->shop.raw.p);
        payload = w->shop.raw.p;
        stored = (size_t)size;
    }
    struct ca_entry e = {ca_out_tell(w->out), (uint32_t)n, ca_block_positives(b, first, n)};
    if ((rc = write_frame(w, &f, payload, stored, err)))
        return rc;
    w->index[w->n_index++] = e;
    w->positives += e.positives;
    w->written += (int64_t)n;
    return 0;
}

/* ---- behind ---- */

static struct parcel *batch(struct ca_writer *w, size_t place)
{
    return w->behind.parcel + place * w->behind.parcels;
}

struct packing {
    struct ca_writer *w;
    struct parcel *parcel;
};

static void pack_parcel(void *arg, size_t task, unsigned worker)
{
    struct packing *p = arg;
    struct parcel *t = &p->parcel[task];
    struct ca_block b = ca_rows_view(t->rows);
    uint64_t size = ca_block_size(&b, 0, b.rows);

    t->tried = size <= CA_MAX_BLOCK_BYTES;
    if (t->tried)
        t->fault = pack(p->w->level, &b, 0, b.rows, size, &p->w->behind.shop[worker], &t->packed, &t->stored, &t->err);
}

/* Of the thread: compress the batch together, then write it in order. */
static int write_batch(void *arg, size_t place, struct ca_err *err)
{
    struct ca_writer *w = arg;
    struct packing p = {w, batch(w, place)};
    size_t n = w->behind.filled[place];

    if (w->behind.pool)
        ca_pool_run(w->behind.pool, n, pack_parcel, &p);
    for (size_t i = 0; i < n; i++) {
        struct parcel *t = &p.parcel[i];
        struct ca_block b = ca_rows_view(t->rows);
        int rc = t->fault;

        if (rc)
            *err = t->err;
        else
            rc = write_block(w, &b, 0, b.rows, t, err);
        if (rc)
            return rc;
        ca_rows_clear(t->rows);
    }
    w->behind.filled[place] = 0;
    return 0;
}

int ca_writer_behind(struct ca_writer *w, uint64_t threads, struct ca_err *err)
{
    struct behind *b = &w->behind;
    size_t workers = 1;

    if (threads == 1)
        return 0;
    if (w->level) {
        if (!(b->pool = ca_pool_new((unsigned)threads, err)))
            return err ? err->code : CA_ETHREAD;
        workers = ca_pool_threads(b->pool);
    }
    b->shop = ca_mem_zalloc(workers, sizeof *b->shop, err);
    b->parcel = ca_mem_zalloc(BATCHES * workers, sizeof *b->parcel, err);
    if (!b->shop || !b->parcel)
        return CA_EMEMORY;
    b->parcels = workers;
    ca_rows_free(w->pending);
    w->pending = NULL;
    for (size_t i = 0; i < BATCHES * workers; i++)
        if (!(b->parcel[i].rows = ca_rows_new(&w->head.schema, err)))
            return CA_EMEMORY;
    w->pending = b->parcel[0].rows;
    b->thread = ca_behind_new(BATCHES, write_batch, w, err);
    return b->thread ? 0 : CA_ETHREAD;
}

/* The parcel in hand is full, or the last: hand it on when its batch is, and take the next. */
static int hand_on(struct ca_writer *w, int last, struct ca_err *err)
{
    struct behind *b = &w->behind;
    int rc = 0;

    b->filled[b->at] += ca_rows_count(w->pending) > 0;
    if (b->filled[b->at] == b->parcels || (last && b->filled[b->at])) {
        ca_behind_put(b->thread);
        rc = ca_behind_place(b->thread, &b->at, err);
    }
    if (!rc && last)
        return ca_behind_wait(b->thread, err);
    if (!rc)
        w->pending = batch(w, b->at)[b->filled[b->at]].rows;
    return rc;
}

static int flush(struct ca_writer *w, int last, struct ca_err *err)
{
    struct ca_block b;
    int rc = 0;

    if (w->behind.thread)
        return hand_on(w, last, err);
    b = ca_rows_view(w->pending);
    if (b.rows)
        rc = write_block(w, &b, 0, b.rows, NULL, err);
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
        if (!have && m == w->block_rows && !w->behind.thread)
            rc = write_block(w, b, first, m, NULL, err); /* whole already: no need to gather it */
        else if (!(rc = ca_rows_append(w->pending, b, first, m, err)) && have + m == w->block_rows)
            rc = flush(w, 0, err);
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
            rc = flush(w, 0, err);
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
    int rc = flush(w, 1, err);

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
    int rc = flush(w, 1, err);

    if (!rc && !(rc = write_end(w, err)) && !(rc = ca_out_spool_input(w->out, &in, err)))
        rc = ca_reader_take(r, in, err);
    destroy(w); /* the spool has no name: closing it is all there is to do */
    return rc;
}

void ca_writer_abort(struct ca_writer *w)
{
    destroy(w);
}
