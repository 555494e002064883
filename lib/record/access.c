#include "record/access.h"

#include <stdlib.h>

#include "base/mem.h"

#include "base/banned.h"

void ca_access_fini(struct ca_access *a)
{
    for (size_t i = 0; i < CA_ACCESS_SLOTS; i++)
        ca_slot_fini(&a->slot[i]);
    ca_slot_fini(&a->place);
    ca_mem_free(a->entry);
    ca_mem_free(a->first);
    ca_mem_free(a->checked);
    *a = (struct ca_access){0};
}

static int load_index(struct ca_reader *r, struct ca_err *err)
{
    const char *name = ca_reader_name(r);
    struct ca_access *a = &r->access;
    int64_t at = (int64_t)r->map_size - 64;
    uint64_t end_at, total;
    const uint8_t *p;
    struct ca_frame f;
    int rc;

    /* the head has been read, so the file is larger than a trailer */
    if (memcmp(r->map + at, CA_WIRE_END_MAGIC, 8)) {
        (void)CA_WIRE_FAULT(err, CA_ETRUNCATED, name, (int64_t)r->map_size, "record stream without its trailer");
        (void)ca_err_hint(err, "what wrote it was interrupted, or bytes were added behind it");
        return CA_ETRUNCATED;
    }
    if ((rc = ca_wire_trailer_load(r->map + at, &end_at, &total, name, at, err)))
        return rc;
    if (total != r->map_size || end_at > (uint64_t)at - 64 || end_at < (uint64_t)r->data_at ||
        end_at % CA_WIRE_ALIGN)
        return CA_WIRE_FAULT(err, CA_EFORMAT, name, at, "trailer does not point at the end frame");
    p = r->map + end_at;
    if ((rc = ca_wire_frame_load(p, &f, name, (int64_t)end_at, err)))
        return rc;
    if (f.type != CA_FRAME_END || ca_wire_pad(f.stored) != (uint64_t)at - 64 - end_at)
        return CA_WIRE_FAULT(err, CA_EFORMAT, name, at, "trailer does not point at the end frame");
    if ((rc = ca_reader_payload(name, &f, (int64_t)end_at, p + 64, err)) ||
        (rc = ca_tail_load(name, &f, (int64_t)end_at, p + 64, &r->tail, &r->tail_keys, err)))
        return rc;

    a->n = (size_t)r->tail.blocks;
    a->entry = ca_mem_zalloc(a->n, sizeof *a->entry, err);
    a->first = ca_mem_zalloc(a->n + 1, sizeof *a->first, err);
    a->checked = ca_mem_zalloc(a->n / 8 + 1, 1, err);
    if (!a->entry || !a->first || !a->checked)
        return CA_EMEMORY;
    for (size_t i = 0; i < a->n; i++) {
        const uint8_t *e = p + 128 + 16 * i;
        a->entry[i] = (struct ca_entry){(int64_t)ca_load64(e), ca_load32(e + 8), ca_load32(e + 12)};
        a->first[i + 1] = a->first[i] + a->entry[i].rows;
    }
    for (size_t i = 0; i < CA_ACCESS_SLOTS; i++)
        if ((rc = ca_slot_init(&a->slot[i], &r->head.schema, err)))
            return rc;
    return ca_slot_init(&a->place, &r->head.schema, err);
}

int ca_reader_index(struct ca_reader *r, struct ca_err *err)
{
    int rc;

    if (r->access.loaded)
        return 0;
    if (!r->map) {
        (void)CA_WIRE_FAULT(err, CA_EUSAGE, ca_reader_name(r), -1, "random access needs a regular file");
        (void)ca_err_hint(err, "write the records to a file first");
        return CA_EUSAGE;
    }
    if (r->ahead)
        return ca_err_set(err, CA_EINTERNAL, "the block index is loaded before reading begins");
    rc = load_index(r, err);
    if (rc)
        ca_access_fini(&r->access);
    else
        r->access.loaded = r->have_tail = 1;
    return rc;
}

int ca_reader_in_place(const struct ca_reader *r)
{
    const struct ca_access *a = &r->access;
    struct ca_frame f;

    /* a frame that is unsound will be reported by whoever reads it */
    return !a->loaded || !a->n ||
           ca_wire_frame_load(r->map + a->entry[0].offset, &f, ca_reader_name(r), a->entry[0].offset, NULL) ||
           f.codec == CA_CODEC_RAW;
}

/* The block that holds a row which is known to be in range. */
static size_t block_of(const struct ca_access *a, int64_t row)
{
    size_t lo = 0, hi = a->n;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (a->first[mid] <= row)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static int need_index(const struct ca_reader *r, struct ca_err *err)
{
    return r->access.loaded ? 0 : ca_err_set(err, CA_EINTERNAL, "the block index has not been loaded");
}

int ca_reader_seek(struct ca_reader *r, int64_t row, struct ca_err *err)
{
    struct ca_access *a = &r->access;
    size_t i;
    int rc = need_index(r, err);

    if (rc)
        return rc;
    if (row < 0 || row > r->tail.rows)
        return CA_WIRE_FAULT(err, CA_EUSAGE, ca_reader_name(r), -1, "row %lld is outside 0 to %lld", (long long)row,
                             (long long)r->tail.rows);
    if (row == 0)
        return ca_reader_restart(r, r->data_at, 0, err);
    if (row == r->tail.rows) /* read on at the end frame, which is behind the last block */
        row--, rc = 1;
    i = block_of(a, row);
    if (ca_reader_restart(r, a->entry[i].offset, a->first[i], err))
        return CA_EMEMORY;
    return ca_reader_skip(r, (size_t)(row - a->first[i]) + (size_t)rc, err);
}

/* Block i, decoded; valid until the next call. */
static int fetch(struct ca_reader *r, size_t i, const struct ca_block **b, struct ca_err *err)
{
    struct ca_access *a = &r->access;
    const struct ca_entry *e = &a->entry[i];
    const char *name = ca_reader_name(r);
    int known = a->checked[i / 8] >> (i % 8) & 1, rc;
    struct ca_slot *s = &a->place;
    const uint8_t *p = r->map + e->offset;
    struct ca_frame f;

    for (size_t k = 0; k < CA_ACCESS_SLOTS; k++)
        if (a->slot[k].index == (int64_t)i) {
            a->slot[k].used = ++a->clock;
            *b = &a->slot[k].block;
            return 0;
        }
    /* the index bounds offset to lie before the end frame, which is 64 bytes at least */
    if ((rc = ca_wire_frame_load(p, &f, name, e->offset, err)))
        return rc;
    if (f.type != CA_FRAME_BLOCK || f.rows != e->rows || f.first_row != (uint64_t)a->first[i] ||
        ca_wire_pad(f.stored) > r->map_size - 64 - (uint64_t)e->offset)
        return CA_WIRE_FAULT(err, CA_EFORMAT, name, e->offset, "block index does not describe the block");
    if (!known && (rc = ca_reader_payload(name, &f, e->offset, p + 64, err)))
        return rc;
    if (f.codec != CA_CODEC_RAW) {
        s = &a->slot[0];
        for (size_t k = 1; k < CA_ACCESS_SLOTS; k++)
            if (a->slot[k].used < s->used)
                s = &a->slot[k];
    }
    s->index = -1;
    if ((rc = ca_reader_decode(r, &f, e->offset, p + 64, !known, s, err)))
        return rc;
    a->checked[i / 8] = (uint8_t)(a->checked[i / 8] | 1u << (i % 8));
    if (s != &a->place) {
        s->index = (int64_t)i;
        s->used = ++a->clock;
    }
    *b = &s->block;
    return 0;
}

/* A wanted row and its place in the output. */
struct want {
    int64_t row;
    size_t to;
};

static int by_row(const void *x, const void *y)
{
    const struct want *a = x, *b = y;

    return a->row != b->row ? (a->row > b->row) - (a->row < b->row) : (a->to > b->to) - (a->to < b->to);
}

int ca_reader_gather(struct ca_reader *r, const int64_t *rows, size_t n, struct ca_rows *out, struct ca_err *err)
{
    struct ca_access *a = &r->access;
    struct want *want = NULL;
    struct ca_rows *sorted = NULL;
    uint32_t *at = NULL;
    int rc = need_index(r, err);

    if (rc || !n)
        return rc;
    if (n > UINT32_MAX)
        return ca_err_set(err, CA_EUSAGE, "more than %u rows in one request", UINT32_MAX);
    want = ca_mem_alloc(n, sizeof *want, err);
    at = ca_mem_alloc(n, sizeof *at, err);
    sorted = ca_rows_new(&r->head.schema, err);
    if (!want || !at || !sorted) {
        rc = CA_EMEMORY;
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= r->tail.rows) {
            rc = CA_WIRE_FAULT(err, CA_EUSAGE, ca_reader_name(r), -1, "row %lld is outside 0 to %lld",
                               (long long)rows[i], (long long)r->tail.rows - 1);
            goto done;
        }
        want[i] = (struct want){rows[i], i};
    }
    /* in file order, so that each block is fetched once and the disk is read forwards */
    qsort(want, n, sizeof *want, by_row);
    for (size_t i = 0, m; i < n; i += m) {
        size_t blk = block_of(a, want[i].row);
        const struct ca_block *b;

        if ((rc = fetch(r, blk, &b, err)))
            goto done;
        for (m = 0; i + m < n && want[i + m].row < a->first[blk + 1]; m++)
            at[m] = (uint32_t)(want[i + m].row - a->first[blk]);
        if ((rc = ca_rows_append_at(sorted, b, at, m, err)))
            goto done;
    }
    for (size_t i = 0; i < n; i++)
        at[want[i].to] = (uint32_t)i;
    struct ca_block view = ca_rows_view(sorted);
    rc = ca_rows_append_at(out, &view, at, n, err);
done:
    ca_rows_free(sorted);
    ca_mem_free(at);
    ca_mem_free(want);
    return rc;
}
