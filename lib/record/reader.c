#include "record/reader.h"

#include "base/inflate.h"
#include "base/json.h"
#include "base/mem.h"
#include "record/access.h"
#include "record/block.h"
#include "record/open.h"
#include "record/wire.h"

#include "base/banned.h"

/* Bytes are asked for as they arrive, so a length that lies costs no more memory than the input has bytes. */
#define READ_STEP ((size_t)16 << 20)

/*
 * n bytes at r->pos into *p: in place when the file is mapped, else read into
 * a. *got < n only at the end of input; zero bytes may be asked for.
 */
static int take(struct ca_reader *r, uint64_t n, struct ca_area *a, const uint8_t **p, uint64_t *got,
                struct ca_err *err)
{
    int rc;

    if (r->map) {
        uint64_t left = (uint64_t)r->map_size - (uint64_t)r->pos;
        *p = r->map + r->pos;
        *got = n < left ? n : left;
        r->pos += (int64_t)*got;
        return 0;
    }
    for (*got = 0; *got < n;) {
        size_t want = n - *got < READ_STEP ? (size_t)(n - *got) : READ_STEP, one;
        if ((rc = ca_area_need(a, (size_t)*got + want, (size_t)*got, err)) ||
            (rc = ca_in_read(r->in, a->p + *got, want, &one, err)))
            return rc;
        *got += one;
        r->pos += (int64_t)one;
        if (one < want)
            break;
    }
    *p = a->p;
    return 0;
}

static int truncated(const struct ca_reader *r, struct ca_err *err)
{
    (void)CA_WIRE_FAULT(err, CA_ETRUNCATED, ca_reader_name(r), r->pos, "record stream ends before its end frame");
    if (r->data_at)
        (void)ca_err_at(err, NULL, -1, r->next_row);
    (void)ca_err_hint(err, "what wrote it was interrupted, or the file was copied in part");
    return CA_ETRUNCATED;
}

/* Exactly n bytes, or CA_ETRUNCATED. */
static int take_all(struct ca_reader *r, uint64_t n, struct ca_area *a, const uint8_t **p, struct ca_err *err)
{
    uint64_t got;
    int rc = take(r, n, a, p, &got, err);

    return rc ? rc : got < n ? truncated(r, err) : 0;
}

int ca_reader_payload(const char *name, const struct ca_frame *f, int64_t at, const uint8_t *p, struct ca_err *err)
{
    uint64_t padded = ca_wire_pad(f->stored);
    size_t pad = (size_t)(padded - f->stored);

    if (ca_hash64(p, (size_t)f->stored) != f->hash)
        return CA_WIRE_FAULT(err, CA_ECHECKSUM, name, at, "checksum mismatch in a frame's payload");
    if (ca_wire_all(p + f->stored, pad, 0) != pad)
        return CA_WIRE_FAULT(err, CA_ECHECKSUM, name, at + 64 + (int64_t)f->stored, "padding of a frame is not zero");
    return 0;
}

/* The next frame that is not to be skipped: r->frame, r->frame_at, its checked payload at *p. */
static int next_frame(struct ca_reader *r, const uint8_t **p, struct ca_err *err)
{
    const uint8_t *header;
    int rc;

    do {
        r->frame_at = r->pos;
        if ((rc = take_all(r, 64, &r->make->stored, &header, err)) ||
            (rc = ca_wire_frame_load(header, &r->frame, ca_reader_name(r), r->frame_at, err)) ||
            (rc = take_all(r, ca_wire_pad(r->frame.stored), &r->make->stored, p, err)) ||
            (rc = ca_reader_payload(ca_reader_name(r), &r->frame, r->frame_at, *p, err)))
            return rc;
    } while (r->frame.type >= CA_FRAME_SKIP_FIRST);
    return 0;
}

/* Inflate exactly f->raw bytes into a. */
static int inflate_frame(const char *name, const struct ca_frame *f, int64_t at, const uint8_t *p, struct ca_area *a,
                         struct ca_err *err)
{
    int rc = ca_area_need(a, (size_t)f->raw, 0, err);

    if (rc)
        return rc;
    rc = ca_inflate(a->p, (size_t)f->raw, p, (size_t)f->stored, NULL);
    if (rc == CA_EMEMORY)
        return ca_err_set(err, rc, "out of memory: cannot decompress");
    return rc ? CA_WIRE_FAULT(err, rc, name, at, "frame whose compressed data are malformed") : 0;
}

static int read_attachment(struct ca_reader *r, const uint8_t *p, struct ca_err *err)
{
    const char *file = ca_reader_name(r);
    char name[CA_MAX_NAME + 1];
    uint32_t len;
    int rc;

    if (r->frame.codec == CA_CODEC_ZLIB) {
        if ((rc = inflate_frame(file, &r->frame, r->frame_at, p, &r->make->raw, err)))
            return rc;
        p = r->make->raw.p;
    }
    len = r->frame.raw >= 4 ? ca_load32(p) : 0;
    if (!len || len > CA_MAX_NAME || len + 4 > r->frame.raw || memchr(p + 4, 0, len))
        return CA_WIRE_FAULT(err, CA_EFORMAT, file, r->frame_at, "attachment without a valid name");
    memcpy(name, p + 4, len);
    name[len] = '\0';
    if (ca_head_attachment(&r->head, name) || r->head.n_att >= CA_MAX_ATTACHMENTS)
        return CA_WIRE_FAULT(err, CA_EFORMAT, file, r->frame_at, "attachment '%s' is repeated or one too many", name);
    rc = ca_head_attach(&r->head, name, p + 4 + len, (size_t)r->frame.raw - 4 - len, err);
    return rc ? ca_err_at(err, file, r->frame_at, -1), rc : 0;
}

int ca_reader_decode(const struct ca_reader *r, const struct ca_frame *f, int64_t at, const uint8_t *p, int deep,
                     struct ca_slot *s, struct ca_err *err)
{
    const struct ca_schema *schema = &r->head.schema;
    const char *name = ca_reader_name(r);
    const uint8_t *raw = p;
    int rc;

    if (f->columns != schema->n) {
        rc = ca_err_set(err, CA_EFORMAT, "block of %u columns in a stream of %zu", f->columns, schema->n);
        goto fail;
    }
    if (f->codec == CA_CODEC_SHUFFLE) {
        if ((rc = inflate_frame(name, f, at, p, &s->packed, err)))
            return rc;
        raw = s->packed.p; /* the directory is not shuffled */
    }
    if (deep && (rc = ca_block_layout(raw, f->raw, schema, f->rows, err)))
        goto fail;
    if (f->codec == CA_CODEC_SHUFFLE) {
        if ((rc = ca_area_need(&s->raw, (size_t)f->raw, 0, err)))
            return rc;
        ca_block_unshuffle(raw, f->raw, schema, s->raw.p);
        raw = s->raw.p;
    }
    if ((rc = ca_block_views(raw, schema, f->rows, deep, s->view, err)))
        goto fail;
    s->block = (struct ca_block){schema, f->rows, (int64_t)f->first_row, s->view};
    return 0;
fail:
    (void)ca_err_at(err, name, at, (int64_t)f->first_row);
    return rc;
}

int ca_slot_init(struct ca_slot *s, const struct ca_schema *schema, struct ca_err *err)
{
    s->view = ca_mem_zalloc(schema->n, sizeof *s->view, err);
    s->index = -1;
    return s->view ? 0 : CA_EMEMORY;
}

void ca_slot_fini(struct ca_slot *s)
{
    ca_mem_free(s->view);
    ca_area_fini(&s->stored);
    ca_area_fini(&s->raw);
    ca_area_fini(&s->packed);
}

int ca_tail_load(const char *name, const struct ca_frame *f, int64_t at, const uint8_t *p, struct ca_tail *tail,
                 json_t **keys, struct ca_err *err)
{
    uint64_t rows = ca_load64(p), positives = ca_load64(p + 8), blocks = ca_load64(p + 16), json = ca_load64(p + 56);
    uint64_t sum_rows = 0, sum_positives = 0;
    int64_t last = 0;

    if (blocks > (f->raw - 64) / 16 || json != f->raw - 64 - 16 * blocks || rows > INT64_MAX)
        return CA_WIRE_FAULT(err, CA_EFORMAT, name, at, "end frame with impossible sizes");
    for (uint64_t i = 0; i < blocks; i++) {
        const uint8_t *e = p + 64 + 16 * i;
        uint64_t offset = ca_load64(e);
        if (offset >= (uint64_t)at || offset % CA_WIRE_ALIGN || (int64_t)offset <= last || !ca_load32(e + 8) ||
            ca_load32(e + 12) > ca_load32(e + 8))
            return CA_WIRE_FAULT(err, CA_EFORMAT, name, at, "block index entry %llu is impossible",
                                 (unsigned long long)i);
        last = (int64_t)offset;
        sum_rows += ca_load32(e + 8);
        sum_positives += ca_load32(e + 12);
    }
    if (sum_rows != rows || sum_positives != positives)
        return CA_WIRE_FAULT(err, CA_EFORMAT, name, at, "totals of the end frame are not those of its block index");
    json_decref(*keys);
    *keys = ca_json_parse((const char *)p + 64 + 16 * blocks, (size_t)json, name, at + 128 + (int64_t)(16 * blocks),
                          err);
    if (!*keys)
        return CA_EFORMAT;
    *tail = (struct ca_tail){(int64_t)rows, (int64_t)positives, (int64_t)blocks, "", *keys};
    memcpy(tail->digest, p + 24, CA_DIGEST_HEX - 1);
    tail->digest[CA_DIGEST_HEX - 1] = '\0';
    return 0;
}

/* What was read against what the end frame says was written. */
static int check_totals(struct ca_reader *r, const uint8_t *p, struct ca_err *err)
{
    const char *name = ca_reader_name(r);
    char hex[CA_DIGEST_HEX];
    int rc;

    if (!r->content)
        return 0; /* reading began in the middle: there is nothing to compare */
    if (r->made_tail.rows != r->next_row || r->made_tail.blocks != (int64_t)r->n_seen)
        return CA_WIRE_FAULT(err, CA_EFORMAT, name, r->frame_at,
                             "end frame counts %lld rows in %lld blocks, the stream has %lld in %zu",
                             (long long)r->made_tail.rows, (long long)r->made_tail.blocks, (long long)r->next_row, r->n_seen);
    for (size_t i = 0; i < r->n_seen; i++) {
        const uint8_t *e = p + 64 + 16 * i;
        if (ca_load64(e) != (uint64_t)r->seen[i].offset || ca_load32(e + 8) != r->seen[i].rows ||
            ca_load32(e + 12) != r->seen[i].positives)
            return CA_WIRE_FAULT(err, CA_EFORMAT, name, r->frame_at, "block index entry %zu is not that of the block",
                                 i);
    }
    if ((rc = ca_content_hex(r->content, hex, err)))
        return rc;
    if (memcmp(hex, r->made_tail.digest, CA_DIGEST_HEX))
        return CA_WIRE_FAULT(err, CA_ECHECKSUM, name, r->frame_at, "content digest is %s, the end frame has %s", hex,
                             r->made_tail.digest);
    return 0;
}

/* The end frame has been read (payload p): check it, the trailer, and that nothing follows. */
static int finish(struct ca_reader *r, const uint8_t *p, struct ca_err *err)
{
    const char *name = ca_reader_name(r);
    int64_t end_at = r->frame_at, trailer_at = r->pos;
    uint64_t said_end, said_total, got;
    int rc = ca_tail_load(name, &r->frame, end_at, p, &r->made_tail, &r->made_keys, err);

    if (rc || (rc = check_totals(r, p, err)) || (rc = take_all(r, 64, &r->make->stored, &p, err)) ||
        (rc = ca_wire_trailer_load(p, &said_end, &said_total, name, trailer_at, err)))
        return rc;
    if (said_end != (uint64_t)end_at || said_total != (uint64_t)r->pos)
        return CA_WIRE_FAULT(err, CA_EFORMAT, name, trailer_at, "trailer does not point at the end frame");
    if ((rc = take(r, 1, &r->make->stored, &p, &got, err)))
        return rc;
    if (got) {
        (void)CA_WIRE_FAULT(err, CA_ETRAILING, name, r->pos - 1, "bytes follow the end of the record stream");
        (void)ca_err_hint(err, "join streams with ca-cat, not with cat");
        return CA_ETRAILING;
    }
    return 0;
}

static int take_block(struct ca_reader *r, const uint8_t *p, struct ca_err *err)
{
    const char *name = ca_reader_name(r);
    struct ca_slot *s = r->make;
    uint32_t positives;
    int rc;

    if (r->frame.first_row != (uint64_t)r->next_row || r->next_row > INT64_MAX - (int64_t)UINT32_MAX)
        return CA_WIRE_FAULT(err, CA_EFORMAT, name, r->frame_at, "block of row %llu where row %lld was due",
                             (unsigned long long)r->frame.first_row, (long long)r->next_row);
    if ((rc = ca_reader_decode(r, &r->frame, r->frame_at, p, 1, s, err)))
        return rc;
    if (r->content) {
        positives = ca_block_positives(&s->block, 0, s->block.rows);
        if ((rc = ca_mem_grow((void **)&r->seen, &r->cap_seen, r->n_seen + 1, sizeof *r->seen, err)) ||
            (rc = ca_content_add(r->content, &s->block, 0, s->block.rows, err)))
            return rc;
        r->seen[r->n_seen++] = (struct ca_entry){r->frame_at, r->frame.rows, positives};
    }
    r->next_row += r->frame.rows;
    s->end = r->pos;
    return 0;
}

/* Act on the frame in hand (payload p): 1 for a block, 0 for the sound end. */
static int accept(struct ca_reader *r, const uint8_t *p, struct ca_err *err)
{
    int rc;

    if (r->frame.type == CA_FRAME_BLOCK)
        return (rc = take_block(r, p, err)) ? rc : 1;
    if (r->frame.type == CA_FRAME_END)
        return finish(r, p, err);
    return CA_WIRE_FAULT(err, CA_EFORMAT, ca_reader_name(r), r->frame_at, "attachment behind the first block");
}

/* The next block into a slot: 1, 0 at the sound end, or a code. Runs on a thread of its own where one reads ahead. */
static int make_block(void *arg, size_t place, struct ca_err *err)
{
    struct ca_reader *r = arg;
    const uint8_t *p = r->first;
    int rc;

    r->make = &r->slot[place];
    r->first = NULL;
    rc = p ? 0 : next_frame(r, &p, err);
    return rc ? rc : accept(r, p, err);
}

static int start_ahead(struct ca_reader *r, struct ca_err *err)
{
    r->ahead = ca_ahead_new(CA_READER_SLOTS, make_block, r, err);
    if (!r->ahead)
        return CA_ETHREAD;
    ca_in_stoppable(r->in, ca_ahead_stop_fd(r->ahead));
    return 0;
}

static void stop_ahead(struct ca_reader *r)
{
    ca_ahead_stop(r->ahead);
    if (r->ahead)
        ca_in_stoppable(r->in, -1);
    r->ahead = NULL;
}

/* The sound end has been reached: what it says is now known. */
static void take_tail(struct ca_reader *r)
{
    r->ended = 1;
    stop_ahead(r);
    json_decref(r->tail_keys);
    r->tail = r->made_tail;
    r->tail_keys = r->made_keys;
    r->made_keys = NULL;
    r->have_tail = 1;
}

/* A new block in hand: 1, 0 or a code. Faults are sticky. */
static int advance(struct ca_reader *r, struct ca_err *err)
{
    size_t place = 0;
    int rc = 0;

    if (r->failed)
        return ca_err_set(err, r->failed, "reading has failed before");
    if (r->ended)
        return 0;
    if (r->map)
        ca_in_release(r->in, r->have->end);
    if (r->want_ahead && !r->ahead)
        rc = start_ahead(r, err);
    if (!rc)
        rc = r->ahead ? ca_ahead_next(r->ahead, &place, err) : make_block(r, place, err);
    r->used = 0;
    if (rc == 1) {
        r->have = &r->slot[place];
        r->have_next = r->have->block.first_row + (int64_t)r->have->block.rows;
        return 1;
    }
    r->have->block.rows = 0;
    if (rc < 0)
        r->failed = rc;
    else
        take_tail(r);
    return rc;
}

void ca_reader_ahead(struct ca_reader *r, uint64_t threads)
{
    r->want_ahead = threads != 1;
}

/* Header, then attachments; the first other frame stays in hand as r->first. */
static int read_head(struct ca_reader *r, struct ca_err *err)
{
    const char *name = ca_reader_name(r);
    uint64_t size, hash, got, padded;
    const uint8_t *p;
    int rc = take(r, 64, &r->make->stored, &p, &got, err);

    if (rc)
        return rc;
    if (!got) {
        (void)CA_WIRE_FAULT(err, CA_ETRUNCATED, name, 0, "empty input where a record stream was expected");
        return CA_ETRUNCATED;
    }
    if (got < 64 && !memcmp(p, CA_WIRE_MAGIC, got < 8 ? (size_t)got : 8))
        return truncated(r, err);
    if (got < 64)
        return ca_wire_alien(name, err);
    if ((rc = ca_wire_header_load(p, &size, &hash, name, err)))
        return rc;
    padded = ca_wire_pad(size);
    if ((rc = take_all(r, padded, &r->make->stored, &p, err)))
        return rc;
    if (ca_hash64(p, (size_t)size) != hash || ca_wire_all(p + size, (size_t)(padded - size), ' ') != padded - size)
        return CA_WIRE_FAULT(err, CA_ECHECKSUM, name, 64, "checksum mismatch in the stream header's text");
    if ((rc = ca_head_parse(&r->head, (const char *)p, (size_t)size, name, 64, err)))
        return rc;
    for (;;) {
        if ((rc = next_frame(r, &p, err)))
            return rc;
        if (r->frame.type != CA_FRAME_ATTACHMENT)
            break;
        if ((rc = read_attachment(r, p, err)))
            return rc;
    }
    r->first = p;
    r->data_at = r->frame_at;
    return 0;
}

int ca_reader_take(struct ca_reader **out, struct ca_in *in, struct ca_err *err)
{
    struct ca_reader *r = ca_mem_zalloc(1, sizeof *r, err);
    size_t size;
    int rc;

    if (!r) {
        ca_in_close(in);
        return CA_EMEMORY;
    }
    r->in = in;
    r->make = r->have = &r->slot[0];
    /* a file already read in part (by an earlier command on the same descriptor) is read like a pipe */
    if (ca_in_seekable(in) && ca_in_tell(in) == 0) {
        r->map = ca_in_map(in, &size);
        r->map_size = size;
    }
    rc = read_head(r, err);
    for (int i = 0; i < CA_READER_SLOTS && !rc; i++)
        rc = ca_slot_init(&r->slot[i], &r->head.schema, err);
    if (rc || !(r->content = ca_content_new(&r->head.schema, err))) {
        rc = rc ? rc : CA_EMEMORY;
        ca_reader_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

int ca_reader_open(struct ca_reader **r, const char *path, int force, struct ca_err *err)
{
    struct ca_in *in;
    int rc = ca_in_open(&in, path, err);

    if (rc)
        return rc;
    if (ca_in_is_terminal(in) && !force) {
        rc = CA_WIRE_FAULT(err, CA_EUSAGE, ca_in_name(in), -1, "records are not read from a terminal");
        (void)ca_err_hint(err, "name a file, or pipe records in");
        ca_in_close(in);
        return rc;
    }
    return ca_reader_take(r, in, err);
}

const struct ca_head *ca_reader_head(const struct ca_reader *r)
{
    return &r->head;
}

const char *ca_reader_name(const struct ca_reader *r)
{
    return ca_in_name(r->in);
}

int ca_reader_restart(struct ca_reader *r, int64_t at, int64_t row, struct ca_err *err)
{
    struct ca_content *content = NULL;

    if (row == 0 && !(content = ca_content_new(&r->head.schema, err)))
        return CA_EMEMORY;
    stop_ahead(r);
    ca_content_free(r->content);
    r->content = content;
    r->n_seen = 0;
    r->pos = at;
    r->next_row = r->have_next = row;
    r->first = NULL;
    r->ended = r->failed = 0;
    r->have = &r->slot[0];
    r->have->end = at;
    r->used = r->have->block.rows = 0;
    return 0;
}

int ca_reader_skip(struct ca_reader *r, size_t rows, struct ca_err *err)
{
    int rc = advance(r, err);

    r->used = rc == 1 ? rows : 0;
    return rc < 0 ? rc : 0;
}

/* What is left of the block in hand, as a block: its columns moved along. */
static struct ca_block rest(struct ca_reader *r)
{
    struct ca_slot *s = r->have;

    for (size_t c = 0; r->used && c < r->head.schema.n; c++)
        if (s->view[c].start)
            s->view[c].start += r->used;
        else
            s->view[c].data = (const char *)s->view[c].data + r->used * ca_type_size(r->head.schema.col[c].type);
    s->block.first_row += (int64_t)r->used;
    s->block.rows -= r->used;
    r->used = 0;
    return s->block;
}

int ca_reader_next(struct ca_reader *r, struct ca_block *b, struct ca_err *err)
{
    int rc = 1;

    if (r->used >= r->have->block.rows)
        rc = advance(r, err);
    if (rc == 1) {
        *b = rest(r);
        r->used = b->rows;
        r->rows_read += (int64_t)b->rows;
    }
    return rc;
}

int ca_reader_fill(struct ca_reader *r, struct ca_rows *out, size_t want, struct ca_err *err)
{
    size_t before = ca_rows_count(out), have = before;

    while (have < want) {
        size_t n;
        int rc = 1;

        if (r->used >= r->have->block.rows)
            rc = advance(r, err);
        if (rc < 0)
            return rc;
        if (!rc)
            return have > before;
        n = r->have->block.rows - r->used;
        if (n > want - have)
            n = want - have;
        if ((rc = ca_rows_append(out, &r->have->block, r->used, n, err)))
            return rc;
        r->used += n;
        r->rows_read += (int64_t)n;
        have += n;
    }
    return 1;
}

int ca_reader_batch(struct ca_reader *r, struct ca_rows *spare, size_t want, struct ca_block *b, struct ca_err *err)
{
    int rc = 1;

    if (r->used >= r->have->block.rows && (rc = advance(r, err)) <= 0)
        return rc;
    if (r->have->block.rows - r->used < want) {
        ca_rows_clear(spare);
        rc = ca_reader_fill(r, spare, want, err);
        *b = ca_rows_view(spare);
        return rc;
    }
    *b = rest(r);
    b->rows = want;
    r->used = want;
    r->rows_read += (int64_t)want;
    return 1;
}

int64_t ca_reader_rows_read(const struct ca_reader *r)
{
    return r->rows_read;
}

int64_t ca_reader_row(const struct ca_reader *r)
{
    return r->have_next - (int64_t)(r->have->block.rows - r->used);
}

const struct ca_tail *ca_reader_tail(const struct ca_reader *r)
{
    return r->have_tail ? &r->tail : NULL;
}

void ca_reader_close(struct ca_reader *r)
{
    if (!r)
        return;
    stop_ahead(r);
    ca_access_fini(&r->access);
    for (int i = 0; i < CA_READER_SLOTS; i++)
        ca_slot_fini(&r->slot[i]);
    ca_content_free(r->content);
    ca_mem_free(r->seen);
    json_decref(r->tail_keys);
    json_decref(r->made_keys);
    ca_head_fini(&r->head);
    ca_in_close(r->in);
    ca_mem_free(r);
}
