/*
 * The bytes of a record stream, ca-records(5). Internal to record/: everything
 * on the wire is little-endian and passes through the load and store helpers
 * here, except column data, which is used where it lies.
 *
 *     0       stream header, 64 bytes       magic, version, probes, JSON length and hash
 *     64      header JSON, padded with spaces to a multiple of 64
 *             attachment frame *            name and bytes
 *             block frame *                 rows, column by column
 *             end frame                     totals, content digest, block index, JSON
 *             trailer, 64 bytes             where the end frame is
 *
 * Each frame:
 *
 *     +0   u32 type        +4   u32 codec       +8   u32 rows      +12  u32 columns
 *     +16  u64 raw size    +24  u64 stored size +32  u64 first row +40  u64 hash of the stored bytes
 *     +48  u64 zero        +56  u64 hash of the 56 bytes before
 *     +64  stored bytes, padded with zeros to a multiple of 64
 *
 * Payload of a block, once decoded:
 *
 *     +0   columns x { u64 offset, u64 length }, padded with zeros to a multiple of 64
 *     ...  one column after another, each at a multiple of 64:
 *          rows elements, or u32 start[rows + 1] and start[rows] elements
 *
 * Payload of the end frame:
 *
 *     +0   u64 rows   +8  u64 positives   +16  u64 blocks   +24  32 hexadecimal digits   +56  u64 JSON length
 *     +64  blocks x { u64 offset of the frame, u32 rows, u32 positives }, then the JSON
 *
 * Payload of an attachment: u32 length of the name, the name, the bytes.
 */
#ifndef CA_RECORD_WIRE_H
#define CA_RECORD_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "record/schema.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "columns are used in place, as little-endian");

#define CA_WIRE_ALIGN ((size_t)64)
#define CA_WIRE_MAJOR 1
#define CA_WIRE_MINOR 0
#define CA_WIRE_ORDER UINT32_C(0x01020304)
#define CA_WIRE_FLOAT (-370.5f)
#define CA_WIRE_MAGIC "\x8a" "CAR\r\n\x1a\n"
#define CA_WIRE_END_MAGIC "\x8a" "CAREND\n"

#define CA_MAX_HEADER_BYTES ((uint64_t)64 << 20)
#define CA_MAX_BLOCK_BYTES ((uint64_t)1 << 30)
#define CA_MAX_ATTACHMENTS 256
#define CA_MAX_NAME 255

enum ca_frame_type {
    CA_FRAME_ATTACHMENT = 1,
    CA_FRAME_BLOCK = 2,
    CA_FRAME_END = 3,
    CA_FRAME_SKIP_FIRST = 0x100, /* frames of these types are passed over */
    CA_FRAME_SKIP_LAST = 0x1ff
};

enum ca_codec {
    CA_CODEC_RAW = 0,
    CA_CODEC_SHUFFLE = 1, /* blocks: bytes of each column regrouped by significance, then zlib */
    CA_CODEC_ZLIB = 2     /* attachments: zlib */
};

struct ca_frame {
    uint32_t type, codec, rows, columns;
    uint64_t raw, stored, first_row, hash;
};

/* One entry of the block index. */
struct ca_entry {
    int64_t offset;
    uint32_t rows, positives;
};

static inline uint32_t ca_load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t ca_load64(const uint8_t *p)
{
    return ca_load32(p) | (uint64_t)ca_load32(p + 4) << 32;
}

static inline void ca_store32(uint8_t *p, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(x >> 8 * i);
}

static inline void ca_store64(uint8_t *p, uint64_t x)
{
    ca_store32(p, (uint32_t)x);
    ca_store32(p + 4, (uint32_t)(x >> 32));
}

/* n rounded up to the alignment; n is at most half of what fits. */
static inline uint64_t ca_wire_pad(uint64_t n)
{
    return (n + (CA_WIRE_ALIGN - 1)) / CA_WIRE_ALIGN * CA_WIRE_ALIGN;
}

/* Describe a fault at a byte of a file; the value is code whatever err is. */
#define CA_WIRE_FAULT(err, code, file, at, ...)                                                                       \
    ((void)ca_err_set(err, code, __VA_ARGS__), (void)ca_err_at(err, file, at, -1), (code))

/* Are all n bytes equal to want? Returns n, or the index of the first that is not. */
size_t ca_wire_all(const uint8_t *p, size_t n, uint8_t want);

/* The 64-byte stream header for a JSON text, and back: its length and hash. */
void ca_wire_header_store(uint8_t out[64], uint64_t json_size, uint64_t json_hash);
int ca_wire_header_load(const uint8_t in[64], uint64_t *json_size, uint64_t *json_hash, const char *file,
                        struct ca_err *err) CA_CHECK_ME;

/* CA_EMAGIC: this is something else than a record stream. */
int ca_wire_alien(const char *file, struct ca_err *err) CA_CHECK_ME;

/* A frame header; loading checks its hash and bounds its sizes (by type). at is its offset, for messages. */
void ca_wire_frame_store(uint8_t out[64], const struct ca_frame *f);
int ca_wire_frame_load(const uint8_t in[64], struct ca_frame *f, const char *file, int64_t at, struct ca_err *err)
    CA_CHECK_ME;

/* The trailer: offset of the end frame and size of the whole stream, both from the stream's first byte. */
void ca_wire_trailer_store(uint8_t out[64], uint64_t end_at, uint64_t total);
int ca_wire_trailer_load(const uint8_t in[64], uint64_t *end_at, uint64_t *total, const char *file, int64_t at,
                         struct ca_err *err) CA_CHECK_ME;

/* A 64-byte aligned buffer that only grows. Zero-initialise. */
struct ca_area {
    uint8_t *p;
    size_t cap;
};

/* At least n bytes, the first keep of them preserved. */
int ca_area_need(struct ca_area *a, size_t n, size_t keep, struct ca_err *err) CA_CHECK_ME;
void ca_area_fini(struct ca_area *a);

#endif
