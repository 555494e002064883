/*
 * Vocabularies: for each column the values worth an embedding row, numbered
 * from 1; index 0 is everything else, missing or unknown. A column may part the
 * two: then 0 is missing, and unknown values have the last index. The same tables
 * number values in order of first appearance while a text is read, count them
 * and then keep those that occur often enough (CrossAdapt section 5.1).
 *
 * As text, ca-schema(5) "Vocabulary files": tab separated, LF,
 *
 *     #ca-vocabulary 1
 *     column  index  count  value
 *     C1      0      1204
 *     C1      1      523    05db9164
 *
 * in column order, each column's indices 0, 1, 2, ...; count is of the rows
 * counted (for index 0: missing and dropped values). A last index without a
 * value is that of unknown values, and counts the dropped ones. In column names and
 * values backslash, tab, CR, LF and other control bytes are written \\ \t \r \n \xHH.
 * Equal vocabularies are equal bytes.
 */
#ifndef CA_DATA_VOCAB_H
#define CA_DATA_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/piece.h"

struct ca_vocab;

struct ca_vocab *ca_vocab_new(struct ca_err *err) CA_CHECK_ME;
void ca_vocab_free(struct ca_vocab *v); /* NULL is accepted */

/* Append an empty column; name is copied. Names must differ. */
int ca_vocab_column(struct ca_vocab *v, const char *name, struct ca_err *err) CA_CHECK_ME;

size_t ca_vocab_columns(const struct ca_vocab *v);
const char *ca_vocab_name(const struct ca_vocab *v, size_t c);
int ca_vocab_find(const struct ca_vocab *v, const char *name); /* column index, or -1 */
uint32_t ca_vocab_size(const struct ca_vocab *v, size_t c);    /* indices in use, 0 and that of unknown values included */
uint32_t ca_vocab_count(const struct ca_vocab *v, size_t c, uint32_t id);
/* The bytes of a value's id (neither 0 nor that of unknown ones): valid until the column changes; short ones are copied to hold. */
struct ca_piece ca_vocab_value(const struct ca_vocab *v, size_t c, uint32_t id, char hold[8]);

/* Part unknown values of column c from missing ones. Once all its values are there: before ca_vocab_keep at the latest. */
void ca_vocab_part(struct ca_vocab *v, size_t c);
uint32_t ca_vocab_unknown(const struct ca_vocab *v, size_t c); /* the index of unknown values: the last one or 0 */

/*
 * Indices of n values; an empty value is 0. With add, new values get the next
 * index, else that of unknown values. Different columns may be worked on by different threads.
 * Returns 0, CA_EMEMORY, or CA_EFORMAT past 2^32 - 3 values.
 */
int ca_vocab_ids(struct ca_vocab *v, size_t c, const struct ca_piece *value, size_t n, int add, uint32_t *id,
                 struct ca_err *err) CA_CHECK_ME;

/* Count n indices of column c (counts stop at 2^32 - 1). */
int ca_vocab_tally(struct ca_vocab *v, size_t c, const uint32_t *id, size_t n, struct ca_err *err) CA_CHECK_ME;

/*
 * Keep the values counted at least min times (and at least once), renumbered
 * 1, 2, ... in their order; the others and their counts go to the index of unknown values. *map (to be freed with
 * ca_mem_free) is new index by old.
 */
int ca_vocab_keep(struct ca_vocab *v, size_t c, uint64_t min, uint32_t **map, struct ca_err *err) CA_CHECK_ME;

int ca_vocab_write(const struct ca_vocab *v, struct ca_buf *out, struct ca_err *err) CA_CHECK_ME;

/* The vocabulary that n bytes of text describe; file is for messages. */
int ca_vocab_parse(struct ca_vocab **v, const char *text, size_t n, const char *file, struct ca_err *err) CA_CHECK_ME;

#endif
