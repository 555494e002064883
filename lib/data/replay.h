/*
 * The replay pool: rows of a record file drawn uniformly with replacement, to
 * be mixed into the batches of an online stream (CrossAdapt section 3.2.2, eq
 * 15). The file stays where it is and is never loaded whole.
 *
 * Cost: a step touches up to k blocks in random places, a page for every column
 * of every row at worst. That is about a millisecond for 409 rows of 40 columns
 * once the file is in the page cache. Compressed files and pipes are first
 * unpacked into an anonymous file in TMPDIR, since random rows of a compressed
 * file would cost the unpacking of a whole block each.
 */
#ifndef CA_DATA_REPLAY_H
#define CA_DATA_REPLAY_H

#include "record/reader.h"
#include "record/rows.h"

struct ca_replay;

/*
 * Open a pool over the records of path, "-" being standard input: at least one
 * row (CA_ESCHEMA otherwise). The draws are keyed by seed.
 */
int ca_replay_open(struct ca_replay **p, const char *path, uint64_t seed, struct ca_err *err) CA_CHECK_ME;

/* Schema and provenance of the pool; rows and content digest. Valid until ca_replay_close. */
const struct ca_head *ca_replay_head(const struct ca_replay *p);
const struct ca_tail *ca_replay_tail(const struct ca_replay *p);

/* Replay rows that go with a batch: max(1, (size_t)(batch * ratio)), and 0 for ratio 0 (no replay). */
size_t ca_replay_count(size_t batch, double ratio);

/*
 * Append k rows to out, whose schema is the pool's. Draw j of a step depends
 * on (seed, step, j) and the number of rows in the pool alone, so a resumed run
 * draws what the uninterrupted one would have. step and k are below 2^32.
 */
int ca_replay_draw(struct ca_replay *p, uint64_t step, size_t k, struct ca_rows *out, struct ca_err *err) CA_CHECK_ME;

void ca_replay_close(struct ca_replay *p); /* NULL is accepted */

#endif
