/*
 * What a reader is made of, and the random access that is built on it.
 * Internal to record/: reader.c reads front to back, access.c in any order.
 */
#ifndef CA_RECORD_ACCESS_H
#define CA_RECORD_ACCESS_H

#include "base/ahead.h"
#include "base/in.h"
#include "record/block.h"
#include "record/reader.h"
#include "record/wire.h"

/* A decoded block: views into a mapped file, into stored or into raw. */
struct ca_slot {
    struct ca_block block;
    struct ca_colview *view;
    struct ca_area stored;  /* bytes read, where the input is not mapped */
    struct ca_area raw, packed;
    int64_t end;    /* where reading in order stands behind it */
    int64_t index;  /* of the block, -1 for none */
    uint64_t used;  /* when last asked for */
};

int ca_slot_init(struct ca_slot *s, const struct ca_schema *schema, struct ca_err *err) CA_CHECK_ME;
void ca_slot_fini(struct ca_slot *s);

#define CA_ACCESS_SLOTS 8
#define CA_READER_SLOTS 4 /* blocks of reading in order: one in hand and, where a thread reads ahead, the others full */

/* Loaded by ca_reader_index. */
struct ca_access {
    int loaded;
    struct ca_entry *entry;
    int64_t *first;         /* row of each block; one more for the total */
    size_t n;
    uint8_t *checked;       /* a bit a block: its checksum and layout are known to be sound */
    struct ca_slot slot[CA_ACCESS_SLOTS]; /* decoded compressed blocks, least recently used replaced */
    struct ca_slot place;   /* views of an uncompressed one */
    uint64_t clock;
};

void ca_access_fini(struct ca_access *a);

struct ca_reader {
    struct ca_in *in;
    const uint8_t *map;     /* the whole file, or NULL: then bytes are read in order */
    size_t map_size;
    int64_t data_at;        /* of the first frame behind the attachments */
    struct ca_head head;

    /* Who makes blocks. While a thread reads ahead all of this is its own, and the slots that have not been handed out. */
    struct ca_slot *make;   /* the one being filled */
    int64_t pos;            /* of the next byte of the stream */
    struct ca_frame frame;  /* in hand */
    int64_t frame_at;
    const uint8_t *first;   /* payload of a frame read ahead, in slot 0, or NULL */
    int64_t next_row;       /* first row of the next block */
    struct ca_content *content; /* NULL when reading began in the middle */
    struct ca_entry *seen;      /* blocks so far, to compare with the index */
    size_t n_seen, cap_seen;
    struct ca_tail made_tail;
    json_t *made_keys;

    /* Who uses them. */
    struct ca_slot slot[CA_READER_SLOTS];
    struct ca_slot *have;   /* the block in hand, or one without rows */
    size_t used;            /* rows of it that have been given out */
    int64_t have_next;      /* row behind it */
    int64_t rows_read;
    int ended, failed;
    int want_ahead;
    struct ca_ahead *ahead; /* NULL while no thread reads */
    struct ca_tail tail;
    json_t *tail_keys;
    int have_tail;
    struct ca_access access;
};

/* Is the padded payload p of a frame what was written? */
int ca_reader_payload(const char *name, const struct ca_frame *f, int64_t at, const uint8_t *p, struct ca_err *err)
    CA_CHECK_ME;

/* A block's payload into s; deep checks its layout, which must have been done once. */
int ca_reader_decode(const struct ca_reader *r, const struct ca_frame *f, int64_t at, const uint8_t *p, int deep,
                     struct ca_slot *s, struct ca_err *err) CA_CHECK_ME;

/* The payload of the end frame, its block index checked against its totals. *keys, NULL or of before, is replaced. */
int ca_tail_load(const char *name, const struct ca_frame *f, int64_t at, const uint8_t *p, struct ca_tail *tail,
                 json_t **keys, struct ca_err *err) CA_CHECK_ME;

/* Forget the block in hand and read on from the frame at this byte, whose first row is row. */
int ca_reader_restart(struct ca_reader *r, int64_t at, int64_t row, struct ca_err *err) CA_CHECK_ME;

/* Read the next block and pass over its first rows. */
int ca_reader_skip(struct ca_reader *r, size_t rows, struct ca_err *err) CA_CHECK_ME;

#endif
