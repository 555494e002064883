#include "record/wire.h"

#include "base/hash.h"
#include "base/mem.h"

#include "base/banned.h"

size_t ca_wire_all(const uint8_t *p, size_t n, uint8_t want)
{
    size_t i = 0;

    while (i < n && p[i] == want)
        i++;
    return i;
}

static void seal(uint8_t out[64])
{
    ca_store64(out + 56, ca_hash64(out, 56));
}

static int sealed(const uint8_t in[64])
{
    return ca_load64(in + 56) == ca_hash64(in, 56);
}

void ca_wire_header_store(uint8_t out[64], uint64_t json_size, uint64_t json_hash)
{
    const float probe = CA_WIRE_FLOAT;

    memset(out, 0, 64);
    memcpy(out, CA_WIRE_MAGIC, 8);
    out[8] = CA_WIRE_MAJOR;
    out[10] = CA_WIRE_MINOR;
    ca_store32(out + 16, CA_WIRE_ORDER);
    memcpy(out + 20, &probe, 4);
    ca_store64(out + 24, json_size);
    ca_store64(out + 32, json_hash);
    seal(out);
}

int ca_wire_alien(const char *file, struct ca_err *err)
{
    (void)CA_WIRE_FAULT(err, CA_EMAGIC, file, 0, "not a record stream");
    (void)ca_err_hint(err, "text becomes records with ca-import");
    return CA_EMAGIC;
}

int ca_wire_header_load(const uint8_t in[64], uint64_t *json_size, uint64_t *json_hash, const char *file,
                        struct ca_err *err)
{
    unsigned major = in[8] | (unsigned)in[9] << 8, minor = in[10] | (unsigned)in[11] << 8;
    float probe;

    if (memcmp(in, CA_WIRE_MAGIC, 8))
        return ca_wire_alien(file, err);
    /* before the checksum: another major version may keep it elsewhere */
    if (major != CA_WIRE_MAJOR)
        return CA_WIRE_FAULT(err, CA_EVERSION, file, 8, "record stream of version %u.%u, this build reads version %d",
                             major, minor, CA_WIRE_MAJOR);
    if (!sealed(in))
        return CA_WIRE_FAULT(err, CA_ECHECKSUM, file, 0, "checksum mismatch in the stream header");
    memcpy(&probe, in + 20, 4);
    if (ca_load32(in + 12) || ca_load32(in + 16) != CA_WIRE_ORDER || !(probe == CA_WIRE_FLOAT) ||
        ca_wire_all(in + 40, 16, 0) != 16)
        return CA_WIRE_FAULT(err, CA_EFORMAT, file, 12, "stream header with unknown flags, byte order or float format");
    *json_size = ca_load64(in + 24);
    *json_hash = ca_load64(in + 32);
    if (!*json_size || *json_size > CA_MAX_HEADER_BYTES)
        return CA_WIRE_FAULT(err, CA_EFORMAT, file, 24, "stream header text of %llu bytes, outside 1 to %llu",
                             (unsigned long long)*json_size, (unsigned long long)CA_MAX_HEADER_BYTES);
    return 0;
}

void ca_wire_frame_store(uint8_t out[64], const struct ca_frame *f)
{
    memset(out, 0, 64);
    ca_store32(out, f->type);
    ca_store32(out + 4, f->codec);
    ca_store32(out + 8, f->rows);
    ca_store32(out + 12, f->columns);
    ca_store64(out + 16, f->raw);
    ca_store64(out + 24, f->stored);
    ca_store64(out + 32, f->first_row);
    ca_store64(out + 40, f->hash);
    seal(out);
}

/* zlib cannot expand more than about 1032 to 1: a larger claim is a lie told to size an allocation. */
static int sizes_agree(const struct ca_frame *f, uint64_t most)
{
    if (f->raw > most || f->stored > f->raw)
        return 0;
    return f->codec == CA_CODEC_RAW ? f->stored == f->raw : f->raw / 1100 <= f->stored;
}

int ca_wire_frame_load(const uint8_t in[64], struct ca_frame *f, const char *file, int64_t at, struct ca_err *err)
{
    int ok = 0;

    if (!sealed(in))
        return CA_WIRE_FAULT(err, CA_ECHECKSUM, file, at, "checksum mismatch in a frame header");
    *f = (struct ca_frame){ca_load32(in),      ca_load32(in + 4),  ca_load32(in + 8),  ca_load32(in + 12),
                           ca_load64(in + 16), ca_load64(in + 24), ca_load64(in + 32), ca_load64(in + 40)};
    if (f->type == CA_FRAME_BLOCK)
        ok = (f->codec == CA_CODEC_RAW || f->codec == CA_CODEC_SHUFFLE) && sizes_agree(f, CA_MAX_BLOCK_BYTES) &&
             f->rows && f->columns && f->columns <= CA_MAX_COLUMNS;
    else if (f->type == CA_FRAME_ATTACHMENT)
        ok = (f->codec == CA_CODEC_RAW || f->codec == CA_CODEC_ZLIB) &&
             sizes_agree(f, ((uint64_t)4 << 30) + 4 + CA_MAX_NAME);
    else if (f->type == CA_FRAME_END)
        ok = f->codec == CA_CODEC_RAW && sizes_agree(f, CA_MAX_BLOCK_BYTES) && f->raw >= 64;
    else if (f->type >= CA_FRAME_SKIP_FIRST && f->type <= CA_FRAME_SKIP_LAST)
        ok = f->stored <= CA_MAX_BLOCK_BYTES;
    else
        return CA_WIRE_FAULT(err, CA_EFORMAT, file, at, "frame of the unknown type %u", f->type);
    if (f->type != CA_FRAME_BLOCK && (f->rows || f->columns || f->first_row))
        ok = 0;
    if (!ok || ca_wire_all(in + 48, 8, 0) != 8)
        return CA_WIRE_FAULT(err, CA_EFORMAT, file, at, "frame of type %u with impossible sizes", f->type);
    return 0;
}

void ca_wire_trailer_store(uint8_t out[64], uint64_t end_at, uint64_t total)
{
    memset(out, 0, 64);
    memcpy(out, CA_WIRE_END_MAGIC, 8);
    ca_store64(out + 8, end_at);
    ca_store64(out + 16, total);
    seal(out);
}

int ca_wire_trailer_load(const uint8_t in[64], uint64_t *end_at, uint64_t *total, const char *file, int64_t at,
                         struct ca_err *err)
{
    if (memcmp(in, CA_WIRE_END_MAGIC, 8) || !sealed(in) || ca_wire_all(in + 24, 32, 0) != 32)
        return CA_WIRE_FAULT(err, CA_ECHECKSUM, file, at, "checksum mismatch in the trailer");
    *end_at = ca_load64(in + 8);
    *total = ca_load64(in + 16);
    return 0;
}

int ca_area_need(struct ca_area *a, size_t n, size_t keep, struct ca_err *err)
{
    size_t cap = a->cap + a->cap / 2;
    uint8_t *p;

    if (n <= a->cap && a->p)
        return 0;
    if (cap < n)
        cap = n;
    p = ca_mem_aligned(cap, 1, CA_WIRE_ALIGN, err);
    if (!p)
        return CA_EMEMORY;
    if (keep)
        memcpy(p, a->p, keep);
    ca_mem_free(a->p);
    a->p = p;
    a->cap = cap;
    return 0;
}

void ca_area_fini(struct ca_area *a)
{
    ca_mem_free(a->p);
    *a = (struct ca_area){0};
}
