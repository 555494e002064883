/*
 * What the fields of a text mean: ca-schema(5). A schema file names the format,
 * one column a line with its role, and the settings of the import; presets of
 * known data sets are built into the library from data/schemas/.
 */
#ifndef CA_DATA_SCHEMA_FILE_H
#define CA_DATA_SCHEMA_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "data/split.h"
#include "data/value.h"

enum ca_text_format { CA_TEXT_CSV, CA_TEXT_TSV, CA_TEXT_LIBSVM, CA_TEXT_LIBFFM };

/* What becomes of a column; the words of a schema file are these in lower case. */
enum ca_rule_role {
    CA_RULE_DROP,
    CA_RULE_LABEL,
    CA_RULE_TASK,
    CA_RULE_WEIGHT,
    CA_RULE_TIME,
    CA_RULE_NUMERIC,
    CA_RULE_CATEGORICAL,
    CA_RULE_LIST,
    CA_RULE_DOMAIN,
    CA_RULE_AUX,
    CA_N_RULE_ROLES
};

/* What id values get that are not in the vocabulary, and missing ones; as the setting "unknown" says. */
enum ca_unknown {
    CA_UNKNOWN_UNSAID,           /* as ZERO, or as the vocabulary has it that is given */
    CA_UNKNOWN_ZERO,             /* both 0 */
    CA_UNKNOWN_LAST,             /* unknown values the last id of their table, missing ones 0 */
    CA_UNKNOWN_LAST_AND_MISSING  /* both the last; a missing item of a list 0 all the same (FuxiCTR) */
};

struct ca_rule {
    char *name;                  /* of the column in the records */
    char *from;                  /* whose field it reads when not its own, else NULL */
    enum ca_rule_role role;
    enum ca_transform transform;
    enum ca_time_format time;
    int has_missing;             /* an empty numeric field counts as missing ... */
    double missing;              /* ... and is this number; of a category, the transformed number that means a missing value */
    int has_at_least;            /* a label is 1 when the number is at least at_least, else 0 */
    double at_least;
    uint64_t min_count;          /* 0: the schema's */
    char separator;              /* of list items; 0: the schema's */
    char *like;                  /* of a list: the categorical column whose vocabulary it shares, else NULL */
    uint64_t max;                /* of a list: its last so many items are kept; 0: all */
};

#define CA_MAX_MISSING_TEXTS 8

/* Zero-initialise. */
struct ca_schema_file {
    char *name;                  /* preset, or "file" */
    enum ca_text_format format;
    char delimiter;
    int quotes, header;
    int drop_undeclared;         /* fields the schema does not name are dropped, not faults */
    uint64_t min_count;
    enum ca_unknown unknown;
    struct ca_split ratios;      /* hist : train : online : test */
    char separator;
    char *missing[CA_MAX_MISSING_TEXTS]; /* texts that mean a missing value, besides the empty one */
    size_t n_missing;
    uint64_t expect_rows;        /* of the full data set; 0: unknown */
    struct ca_rule *rule;
    size_t n, cap;
    char digest[CA_DIGEST_HEX];  /* of the file and all that replaced parts of it */
};

/* A preset's name, or the path of a schema file: anything with a '/' or '.' in it, or that is no preset. */
int ca_schema_file_load(struct ca_schema_file *s, const char *name_or_path, struct ca_err *err) CA_CHECK_ME;

/* The schema of n bytes of text; file is for messages. */
int ca_schema_file_parse(struct ca_schema_file *s, const char *text, size_t n, const char *file, struct ca_err *err)
    CA_CHECK_ME;

/*
 * Further lines, separated by ';' or line ends: a column line replaces the column
 * of that name or is added at the end, a setting replaces the setting.
 */
int ca_schema_file_amend(struct ca_schema_file *s, const char *lines, struct ca_err *err) CA_CHECK_ME;

/* "4:4:1:1", always four parts. CA_EUSAGE. */
int ca_schema_file_ratios(struct ca_schema_file *s, const char *text, struct ca_err *err) CA_CHECK_ME;

void ca_schema_file_fini(struct ca_schema_file *s);

/* Presets by index from 0, in order of name: name and text, or NULL past the last. Made at build from data/schemas/. */
struct ca_preset {
    const char *name;
    const char *text;
};
extern const struct ca_preset ca_presets[]; /* ends with a NULL name */

#endif
