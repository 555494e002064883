/*
 * Rows and fields of delimited text: CSV after RFC 4180 (quotes, doubled
 * quotes, separators and line ends inside quotes), TSV, and blank-separated
 * tokens (libsvm, libffm). Lines end in LF or CR LF; the last may lack its end.
 * Knows nothing of columns and types.
 *
 * Rows come in batches that lie in one buffer, so that whoever turns them into
 * columns can go column by column. A row the format does not allow is handed
 * out too, with its fault: what to do with it is the caller's business.
 */
#ifndef CA_DATA_SCAN_H
#define CA_DATA_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/source.h"
#include "data/piece.h"

#define CA_SCAN_MAX_FIELD ((size_t)1 << 20) /* bytes of one field */
#define CA_SCAN_MAX_ROW ((size_t)1 << 24)   /* bytes of one row */

struct ca_scan_rule {
    char sep;    /* between fields */
    int quotes;  /* fields may stand in double quotes */
    int tokens;  /* runs of sep count as one, and those at the ends of a row as none */
};

struct ca_scan_row {
    size_t first, n;     /* fields [first, first+n) of the batch */
    int64_t line;        /* number, from 1, of its first line in its file */
    struct ca_piece raw;  /* the bytes as they stood, without the LF; of an over-long row the beginning */
    const char *fault;   /* what is wrong with it (a constant), or NULL */
};

/* Valid until the next call. All rows are of one file. */
struct ca_scan_batch {
    const struct ca_scan_row *row;
    size_t rows;
    const struct ca_piece *field;
    const char *file;
    int starts_file;     /* row 0 is the first of its file */
};

struct ca_scan;

/* Takes the source, which is closed with the text. */
int ca_scan_open(struct ca_scan **t, struct ca_source *source, const struct ca_scan_rule *rule, struct ca_err *err)
    CA_CHECK_ME;

/* Up to max_rows (at least 1) further rows. Returns 1, 0 at the end of the last file, or a negative code. */
int ca_scan_next(struct ca_scan *t, size_t max_rows, struct ca_scan_batch *b, struct ca_err *err) CA_CHECK_ME;

/* Before the first row: text of about so many bytes in hand at a time, at most CA_SCAN_MAX_ROW, for so many workers. */
int ca_scan_room(struct ca_scan *t, size_t bytes, size_t workers, struct ca_err *err) CA_CHECK_ME;

/*
 * The same by several workers, each a thread of its own. ca_scan_cut cuts what is in hand into up to `parts` parts of at
 * least `bytes` bytes, *n of them: 1, 0 at the end, or a negative code. ca_scan_part finds up to max_rows rows of one, valid
 * until the worker's next. Since a line end may lie inside quotes, a part may begin within a row: only ca_scan_settle
 * tells. It is called for all parts in their order, by one worker at a time, with the worker that has the
 * part: 1 when its rows are rows of the text (their lines are right from then on), 0 when they count for nothing and their text
 * comes again, or a negative code. The first row of a file comes alone. The rows are the same however the text is cut.
 */
int ca_scan_cut(struct ca_scan *t, size_t parts, size_t bytes, size_t max_rows, size_t *n, struct ca_err *err) CA_CHECK_ME;
const struct ca_scan_batch *ca_scan_part(struct ca_scan *t, size_t part, size_t worker);
int ca_scan_settle(struct ca_scan *t, size_t worker, struct ca_err *err) CA_CHECK_ME;

const struct ca_source *ca_scan_source(const struct ca_scan *t);

void ca_scan_close(struct ca_scan *t); /* NULL is accepted */

#endif
