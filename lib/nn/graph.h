/*
 * The operator graph: an architecture is a short builder that composes
 * operators over values. A value is a matrix [rows, width], row-major; a batch
 * is cut into chunks of a fixed number of rows, and a chunk runs forward and
 * backward through the whole graph while it sits in cache.
 *
 * Building never fails in the middle: a fault is kept in the graph, later
 * calls do nothing and return a dummy, and ca_graph_finish reports it.
 */
#ifndef CA_NN_GRAPH_H
#define CA_NN_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "nn/real.h"

struct ca_graph;

/* A value of the graph. */
typedef struct ca_val {
    int id;
} ca_val;

/* What a row of input holds. */
struct ca_inputs {
    size_t n_numeric;
    size_t n_fields;                  /* categorical fields */
    const uint32_t *field_rows;       /* table rows of each field */
    const char *const *numeric_name;  /* NULL: they are known by their numbers only */
    const char *const *field_name;    /* NULL: the same */
};

/*
 * Whose habits an architecture follows, in initialisation first of all: plain
 * PyTorch defaults (CrossAdapt), or those of FuxiCTR (ExFM, KDEF). It belongs
 * to the graph, so that one network never mixes the two.
 */
enum ca_family { CA_FAMILY_CA, CA_FAMILY_FX };

/* How a parameter starts (spec: initialisation families). */
enum ca_init {
    CA_INIT_ZERO,
    CA_INIT_ONE,
    CA_INIT_NORMAL,        /* N(0, a^2) */
    CA_INIT_UNIFORM,       /* U(-a, a) */
    CA_INIT_POSITIVE       /* U(0, a) */
};

struct ca_init_rule {
    enum ca_init kind;
    double a;
};

/* xavier_normal: N(0, 2 / (in + out)) */
struct ca_init_rule ca_init_xavier(size_t in, size_t out);

/* A dense parameter: a view into the one parameter arena. Named as in the model file. */
struct ca_param {
    char *name;
    size_t dim[3];
    unsigned n_dims;
    size_t count;          /* product of dims */
    size_t at;             /* offset in the arena, in elements */
    struct ca_init_rule init;
};

/* An embedding table: rows x width, kept apart from the dense arena. */
struct ca_table_spec {
    char *name;
    size_t field;          /* whose ids index it */
    size_t rows;
    size_t width;
    size_t embed;          /* which of the graph's embeddings it belongs to; 0 is the main one */
    int padded;            /* row 0 is zero, gets no gradient and is never updated */
    struct ca_init_rule init;
};

/* in is copied. NULL with err filled when out of memory. */
struct ca_graph *ca_graph_new(const struct ca_inputs *in, struct ca_err *err) CA_CHECK_ME;
void ca_graph_free(struct ca_graph *g);

/* Before anything is added to the graph; the family is CA otherwise. */
void ca_graph_set_family(struct ca_graph *g, enum ca_family family);
enum ca_family ca_graph_family(const struct ca_graph *g);

/* How a linear map [out, in] and its bias start in the graph's family: xavier_normal and 0 (FX), U(-1/sqrt(in), 1/sqrt(in)). */
struct ca_init_rule ca_graph_weight_init(const struct ca_graph *g, size_t in, size_t out);
struct ca_init_rule ca_graph_bias_init(const struct ca_graph *g, size_t in);

const struct ca_inputs *ca_graph_inputs(const struct ca_graph *g);
size_t ca_graph_width(const struct ca_graph *g, ca_val v);

/*
 * Sources. numeric: [n_numeric]. embed: one table per field, "PREFIX.f.weight",
 * values [n_fields * width], field-major. A graph may have several embeddings,
 * each under a prefix of its own; the one made first is the main one, which
 * other models inherit (transfer/project).
 */
ca_val ca_graph_numeric(struct ca_graph *g);
ca_val ca_graph_embed(struct ca_graph *g, const char *prefix, size_t width, struct ca_init_rule init);

/* The same as FX has it: "PREFIX.NAME.weight" with the field's name, N(0, 1e-4^2), row 0 padding. Only in that family. */
ca_val ca_graph_embed_fx(struct ca_graph *g, const char *prefix, size_t width);

/* Register a dense parameter; returns its index. dims beyond n_dims are ignored. */
size_t ca_graph_param(struct ca_graph *g, const char *name, unsigned n_dims, const size_t dim[3],
                      struct ca_init_rule init);

/* The same, named "NAME.PART", of one dimension (cols 0) or two. */
size_t ca_graph_param_of(struct ca_graph *g, const char *name, const char *part, size_t rows, size_t cols,
                         struct ca_init_rule init);

/* The model's output logit, width 1. Checks and plans the graph; 0 or the first fault of building. */
int ca_graph_finish(struct ca_graph *g, ca_val logit, struct ca_err *err) CA_CHECK_ME;

/* Rows of a chunk (a multiple of the least) and number of gradient lanes: fixed by the graph, never by the machine. */
#define CA_CHUNK_ROWS_LEAST 128
size_t ca_graph_chunk_rows(const struct ca_graph *g);
size_t ca_graph_lanes(const struct ca_graph *g);

size_t ca_graph_n_params(const struct ca_graph *g);
const struct ca_param *ca_graph_get_param(const struct ca_graph *g, size_t i);
size_t ca_graph_n_tables(const struct ca_graph *g);
const struct ca_table_spec *ca_graph_get_table(const struct ca_graph *g, size_t i);
size_t ca_graph_dense_count(const struct ca_graph *g); /* dense parameters in all */
size_t ca_graph_main_tables(const struct ca_graph *g); /* tables of the main embedding: the first so many */

/* ---- for operator files (nn/op_*.c) only ---- */

/* A matrix view: rows of ld elements, the first width used. */
struct ca_mat {
    ca_real *p;
    size_t ld;
};

/*
 * What an operator sees of one chunk. Values and gradients of its inputs and
 * output; its parameters and this lane's gradients of them; its scratch.
 */
struct ca_ctx {
    size_t rows;
    const struct ca_mat *in;     /* values of the inputs */
    struct ca_mat out;           /* value of the output */
    const struct ca_mat *din;    /* gradients of the inputs: ADD to them; p NULL where none is wanted */
    struct ca_mat dout;          /* gradient of the output */
    const ca_real *param;        /* the whole dense arena */
    ca_real *dparam;             /* this lane's gradient arena: ADD; NULL when frozen */
    ca_real *scratch;            /* scratch_per_row * chunk rows, kept from forward to backward */
    int training;
    int fresh;                   /* the input's gradient holds nothing yet: overwrite it (only where the type says it can) */
};

struct ca_op;

struct ca_op_type {
    const char *name;
    void (*forward)(const struct ca_op *op, const struct ca_ctx *c);
    void (*backward)(const struct ca_op *op, const struct ca_ctx *c); /* recomputes nothing it kept in scratch */
    uint64_t (*flops)(const struct ca_op *op); /* forward, per row; NULL for none worth counting */
    int overwrites; /* of one input, whose gradient backward overwrites where ctx.fresh says so, sparing it the zeros */
};

struct ca_op {
    const struct ca_op_type *type;
    size_t n_in;
    size_t in_width[8];
    size_t out_width;
    size_t param[8];       /* indices of ca_graph_get_param */
    size_t param_at[8];    /* their offsets in the arena */
    size_t n_params;
    size_t attr[8];        /* the operator's own sizes (fields, width, ...) */
    size_t scratch_per_row;
};

#define CA_OP_MAX_INPUTS 8

/* Note a fault of building, when there is none yet: CA_EUSAGE with this text. */
void ca_graph_refuse(struct ca_graph *g, const char *text);

/* Append an operator; op is copied, in_width and param_at are filled in. Returns its output value. */
ca_val ca_graph_add(struct ca_graph *g, const struct ca_op *op, const ca_val *in);

#endif
