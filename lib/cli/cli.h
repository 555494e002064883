/*
 * The command line of every tool, from one table: parsing, --help, the
 * OPTIONS section of the manual, bash completion and the canonical command
 * that provenance keeps. A tool is a struct ca_tool and one run function:
 *
 *     int main(int argc, char **argv) { return ca_cli_main(&tool, argc, argv); }
 */
#ifndef CA_CLI_CLI_H
#define CA_CLI_CLI_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/config.h"

#define CA_VERSION "0.1.0"

enum ca_opt_type {
    CA_OPT_FLAG,   /* int: 1 when given */
    CA_OPT_INT,    /* int64_t in [lo, hi] */
    CA_OPT_COUNT,  /* uint64_t in [lo, hi]; suffixes k, M, G */
    CA_OPT_REAL,   /* double in [lo, hi] */
    CA_OPT_STRING, /* const char * */
    CA_OPT_FILE,   /* const char *: as STRING, but kept out of provenance (paths are not results) */
    CA_OPT_CHOICE  /* int: index into the words of range "a|b|c" */
};

/* Marks options that change speed or talk, never results: kept out of provenance. */
#define CA_OPT_NEUTRAL 1u
/* Of type FILE: the name of a config (cli/config.h), or its file. What it says counts where the command line does not. */
#define CA_OPT_CONFIG 2u

struct ca_opt {
    const char *name;   /* long name without dashes */
    char letter;        /* 0 when there is none */
    enum ca_opt_type type;
    size_t offset;      /* of the destination in the tool's parameter struct */
    const char *arg;    /* metavariable, "" for a flag; the words for a choice */
    const char *def;    /* default as typed, NULL for unset (0 or NULL) */
    double lo, hi;      /* numeric range; both 0 means any non-negative value */
    unsigned flags;
    const char *help;   /* one sentence, lower case, no full stop */
};

/* Options every tool has; parsed into struct ca_run. */
struct ca_common {
    const char *output; /* -o: path, "-" by default */
    uint64_t seed;
    uint64_t threads;   /* 0 means all processors */
    int quiet;
    int verbose;
    int progress;       /* 0 auto, 1 always, 2 never */
    int no_provenance;
    int force;          /* binary to or from a terminal after all */
};

struct ca_example {
    const char *command;
    const char *what;
};

/* What a run is given and what it leaves for the closing line. */
struct ca_run {
    const struct ca_tool *tool;
    void *params;        /* the tool's own struct, filled from its table */
    struct ca_common common;
    char **operands;     /* n_operands of them */
    size_t n_operands;
    int64_t records;     /* for the closing line; -1 leaves it out */
    char result[160];    /* for the closing line; "" leaves it out */
    int answer_no;       /* done, and the answer is no: exit status 1 */
    double started_s;
};

#define CA_TOOL_SILENT 1u /* no closing line: silence is the answer */

struct ca_tool {
    const char *name;
    const char *summary;               /* one line, for --help and NAME */
    const char *operands;              /* synopsis of the operands: "[FILE...]" */
    const struct ca_example *examples; /* ends with a NULL command */
    const struct ca_opt *opts;
    size_t n_opts;
    size_t params_size;
    int min_operands;
    int max_operands;                  /* -1: any number */
    unsigned flags;
    const struct ca_config *configs;   /* known ones, ending with a NULL name; NULL for none */
    const char *const (*displaces)[2]; /* {"lr", "lr-table"}: the first, where typed, makes a config's second void; ends with NULLs */
    const char *(*engine)(void);       /* numeric engine for --version and provenance, NULL for none */
    int (*run)(struct ca_run *run, struct ca_err *err); /* 0 or a ca_code */
};

/* Start-up, parse, run, closing line. Returns the exit status. */
int ca_cli_main(const struct ca_tool *tool, int argc, char **argv);

/*
 * The canonical command of this run: every given option of the tool that can
 * change results, in table order, as "--name value" words with single quotes
 * where the shell needs them. Paths, threads and talk are left out. Options of
 * a config are given as if they had been typed.
 */
int ca_cli_canonical(const struct ca_run *run, struct ca_buf *out, struct ca_err *err) CA_CHECK_ME;

/* Was this option of the tool's own table given, on the command line or by a config? */
int ca_cli_given(const struct ca_run *run, const char *name);
/* On the command line itself? */
int ca_cli_typed(const struct ca_run *run, const char *name);

/*
 * Two outputs of one run must not have one target, where they would be mixed
 * or one would replace the other. NULL stands for an output that is not
 * wanted. Returns 0 or CA_EUSAGE.
 */
int ca_cli_distinct(const char *const *outputs, size_t n, struct ca_err *err) CA_CHECK_ME;

#define CA_OFFSET(type, member) offsetof(struct type, member)

#endif
