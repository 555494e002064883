/*
 * Where to cut a stream that is in time order: by ratios, counts or times.
 * Parts are consecutive and keep every row. crossadapt.md section 1.1 /
 * CrossAdapt section 5.1: hist:train:online:test = 4:4:1:1.
 */
#ifndef CA_DATA_SPLIT_H
#define CA_DATA_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CA_SPLIT_MAX_PARTS 64

enum ca_split_by { CA_SPLIT_RATIOS, CA_SPLIT_COUNTS, CA_SPLIT_TIMES };

struct ca_split {
    enum ca_split_by by;
    size_t parts;
    int rest;                           /* counts: the last one is "*" */
    int64_t value[CA_SPLIT_MAX_PARTS];  /* ratios or counts of the parts, or the parts-1 times between them */
};

/*
 * Values between colons. Ratios: "4:4:1:1" or "0.4:0.4:0.1:0.1", positive, at
 * most six decimals. Counts: rows of each part (k, M and G are
 * understood), "*" as the last for the rest.
 * Times: the first time of every part but the first, not decreasing. CA_EUSAGE.
 */
int ca_split_parse(struct ca_split *s, enum ca_split_by by, const char *text, struct ca_err *err) CA_CHECK_ME;

/*
 * Rows of each part of a stream of rows. Ratios: floor(rows * ratio / sum),
 * exactly, and the last part takes what is left. Counts that do not add up to
 * rows are CA_EFORMAT.
 */
int ca_split_sizes(const struct ca_split *s, int64_t rows, int64_t size[CA_SPLIT_MAX_PARTS], struct ca_err *err)
    CA_CHECK_ME;

/*
 * How many of the n leading rows with these times belong to part. *last is the
 * time before time[0] (INT64_MIN at the start) and moves on. CA_EFORMAT with
 * record first + i where time runs backwards.
 */
int ca_split_leading(const struct ca_split *s, size_t part, const int64_t *time, size_t n, int64_t first, int64_t *last,
                     size_t *leading, struct ca_err *err) CA_CHECK_ME;

#endif
