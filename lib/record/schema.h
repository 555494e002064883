/*
 * What the rows of a record stream are made of: named, typed columns, each
 * with the role it plays in learning.
 */
#ifndef CA_RECORD_SCHEMA_H
#define CA_RECORD_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Element types; the numbers stand in files. */
enum ca_type { CA_TYPE_U8 = 1, CA_TYPE_U32 = 2, CA_TYPE_I64 = 3, CA_TYPE_F32 = 4, CA_TYPE_F64 = 5 };

enum ca_role {
    CA_ROLE_LABEL,       /* F32: the main label, 0 or 1 (or a probability in [0,1]) */
    CA_ROLE_TASK,        /* F32: the label of a further task */
    CA_ROLE_WEIGHT,      /* F32: sampling weight, 1/inclusion rate up to scale */
    CA_ROLE_TIME,        /* I64: time as the source counts it; never decreasing in a sound log */
    CA_ROLE_NUMERIC,     /* F32: model input, already transformed */
    CA_ROLE_CATEGORICAL, /* U32: id in [0, vocab), 0 for unknown or missing */
    CA_ROLE_SEQUENCE,    /* list of U32 ids in [0, vocab) */
    CA_ROLE_TEACHER,     /* F32: a teacher's logit */
    CA_ROLE_DOMAIN,      /* U32: domain id in [0, vocab) */
    CA_ROLE_AUX,         /* any type: carried, never learned from (true probability, group, ...) */
    CA_N_ROLES
};

struct ca_column {
    char *name;      /* unique in its schema, 1 to 255 bytes of UTF-8 without control characters */
    enum ca_role role;
    enum ca_type type;
    int is_list;     /* rows hold lists of type */
    uint32_t vocab;  /* table rows, for CATEGORICAL, SEQUENCE and DOMAIN; else 0 */
    char *like;      /* of a SEQUENCE: the CATEGORICAL column of this schema whose ids its items are, with the same
                        vocab; NULL: ids of its own */
};

/* Zero-initialise. */
struct ca_schema {
    struct ca_column *col;
    size_t n, cap;
};

#define CA_MAX_COLUMNS 65536

/* Append a column; name is copied. CA_ESCHEMA for a bad or repeated name or a type the role does not take. */
int ca_schema_add(struct ca_schema *s, const char *name, enum ca_role role, enum ca_type type, int is_list,
                  uint32_t vocab, struct ca_err *err) CA_CHECK_ME;

/*
 * Column name's ids are those of column like (copied; NULL: its own again). CA_ESCHEMA unless name is a SEQUENCE and
 * like a CATEGORICAL column of the schema, both there already, with the same vocab.
 */
int ca_schema_like(struct ca_schema *s, const char *name, const char *like, struct ca_err *err) CA_CHECK_ME;
int ca_schema_copy(struct ca_schema *to, const struct ca_schema *from, struct ca_err *err) CA_CHECK_ME;
void ca_schema_fini(struct ca_schema *s);

/* Column index, or -1. */
int ca_schema_find(const struct ca_schema *s, const char *name);

/* Index of the nth (from 0) column of a role, or -1. */
int ca_schema_role(const struct ca_schema *s, enum ca_role role, size_t nth);

/* How many columns have the role. */
size_t ca_schema_count(const struct ca_schema *s, enum ca_role role);

/* As find / role 0, but CA_ESCHEMA (naming what is missing) instead of -1. */
int ca_schema_need(const struct ca_schema *s, const char *name, size_t *index, struct ca_err *err) CA_CHECK_ME;

/*
 * Make a TASK or AUX column of single F32 numbers the LABEL; what was the
 * label becomes a TASK. Nothing changes when it is the label. CA_ESCHEMA
 * for any other column.
 */
int ca_schema_relabel(struct ca_schema *s, const char *name, struct ca_err *err) CA_CHECK_ME;

int ca_schema_equal(const struct ca_schema *a, const struct ca_schema *b);

size_t ca_type_size(enum ca_type t);            /* bytes of one element */
const char *ca_type_name(enum ca_type t);       /* "u32" */
const char *ca_role_name(enum ca_role r);       /* "categorical" */
int ca_type_parse(const char *s, enum ca_type *t);
int ca_role_parse(const char *s, enum ca_role *r);

#endif
