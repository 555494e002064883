/*
 * The block codec: rows to the payload of a block frame and back, and the
 * running content digest. Internal to record/; knows no files.
 */
#ifndef CA_RECORD_BLOCK_H
#define CA_RECORD_BLOCK_H

#include "base/hash.h"
#include "record/rows.h"
#include "record/wire.h"

/* Bytes of the raw payload of rows [first, first+n) of b, a multiple of 64. */
uint64_t ca_block_size(const struct ca_block *b, size_t first, size_t n);

/* Write that payload; out has ca_block_size bytes. */
void ca_block_encode(const struct ca_block *b, size_t first, size_t n, uint8_t *out);

/*
 * Does the directory of a raw payload of size bytes describe rows rows of s?
 * Exactly one layout does, so every offset and length is bounded by this.
 */
int ca_block_layout(const uint8_t *raw, uint64_t size, const struct ca_schema *s, size_t rows, struct ca_err *err)
    CA_CHECK_ME;

/* Views of the columns of a payload whose layout has been checked; deep checks the starts of lists as well. */
int ca_block_views(const uint8_t *raw, const struct ca_schema *s, size_t rows, int deep, struct ca_colview *view,
                   struct ca_err *err) CA_CHECK_ME;

/* Regroup the bytes of each column by significance, and back (the directory of in must have been checked). */
void ca_block_shuffle(const uint8_t *raw, uint64_t size, const struct ca_schema *s, uint8_t *out);
void ca_block_unshuffle(const uint8_t *in, uint64_t size, const struct ca_schema *s, uint8_t *raw);

/* Rows whose label is above one half; 0 without a label. */
uint32_t ca_block_positives(const struct ca_block *b, size_t first, size_t n);

/*
 * The content digest: XXH3-128 over one line "name role type list vocab digest
 * [digest]" a column (tabs between), the digests being those of the column's
 * element bytes from the first row to the last and, for a list, before them
 * of the u32 lengths of its lists; then a line with the number of rows.
 * Blocks, compression, provenance and attachments do not enter.
 */
struct ca_content;
struct ca_content *ca_content_new(const struct ca_schema *s, struct ca_err *err) CA_CHECK_ME; /* s must outlive it */
int ca_content_add(struct ca_content *c, const struct ca_block *b, size_t first, size_t n, struct ca_err *err)
    CA_CHECK_ME;
int ca_content_hex(const struct ca_content *c, char out[CA_DIGEST_HEX], struct ca_err *err) CA_CHECK_ME;
void ca_content_free(struct ca_content *c);

#endif
