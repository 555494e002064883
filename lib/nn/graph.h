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

#define CA_NO_FIELD SIZE_MAX

/* A list of ids, of which a network sees the first `length` places; places beyond a row's list hold id 0. */
struct ca_sequence {
    const char *name;  /* NULL: it is known by its number only */
    uint32_t rows;     /* of its table */
    size_t length;
    size_t field;      /* whose table it looks into, or CA_NO_FIELD: a table of its own */
};

/* What a row of input holds. */
struct ca_inputs {
    size_t n_numeric;
    size_t n_fields;                  /* categorical fields */
    const uint32_t *field_rows;       /* table rows of each field */
    const char *const *numeric_name;  /* NULL: they are known by their numbers only */
    const char *const *field_name;    /* NULL: the same */
    size_t n_sequences;
    const struct ca_sequence *sequence;
    size_t n_tasks;                   /* labels besides the main one, for networks that learn several */
    uint32_t domains;                 /* values of the domain column; 0: there is none */
    const unsigned char *of_item;     /* by field: does it describe the item (else the user)? NULL: not told */
};

/* Columns of ids in a feed: fields, then the places of each sequence in turn, then the domain where there is one. */
size_t ca_inputs_columns(const struct ca_inputs *in);

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
    CA_INIT_POSITIVE,      /* U(0, a) */
    CA_INIT_IDENTITY,      /* the identity of a columns; of parameters only, as the next */
    CA_INIT_NEAR_ONE_HOT   /* a columns, each a softmax of N(0, 100^2): nearly one 1 among zeros */
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
    int embeds;            /* part of the embeddings, as tables are: takes their weight decay */
};

/* State that learns no gradient (running statistics of batch norm): saved with the weights, used in inference. */
struct ca_buffer {
    char *name;
    size_t count;
    size_t at;             /* offset in the buffer arena, in elements */
    double start;          /* every element's first value */
};

/* An embedding table: rows x width, kept apart from the dense arena. */
struct ca_table_spec {
    char *name;
    size_t field;          /* whose ids index it; n_fields + s for the table of sequence s alone */
    size_t n_columns;      /* columns of a feed that index it, each for one use of the table in a batch */
    size_t *column;
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
 * other models inherit (transfer/project). Sequences have no part in it.
 */
ca_val ca_graph_numeric(struct ca_graph *g);
ca_val ca_graph_embed(struct ca_graph *g, const char *prefix, size_t width, struct ca_init_rule init);

/* The same as FX has it: "PREFIX.NAME.weight" with the field's name, N(0, 1e-4^2), row 0 padding. Only in that family. */
ca_val ca_graph_embed_fx(struct ca_graph *g, const char *prefix, size_t width);

/*
 * The vectors of a sequence's places, [length * width], under the prefix and of
 * the width of the embedding `of`. shared: places look into the table of the
 * field the sequence names, if it names one; else the sequence gets a table
 * "PREFIX.NAME.weight" of its own. Id 0 is a row of zeros. FX only.
 */
ca_val ca_graph_embed_sequence(struct ca_graph *g, ca_val of, size_t sequence, int shared);

/* 1 at each place of a sequence whose id is not 0, else 0: [length]. No gradient. */
ca_val ca_graph_sequence_mask(struct ca_graph *g, size_t sequence);

/* The row's domain as a one in a row of zeros, [domains]. No gradient. */
ca_val ca_graph_domain(struct ca_graph *g);

/* Register a dense parameter; returns its index. dims beyond n_dims are ignored. */
size_t ca_graph_param(struct ca_graph *g, const char *name, unsigned n_dims, const size_t dim[3],
                      struct ca_init_rule init);

/* The same, named "NAME.PART", of one dimension (cols 0) or two. */
size_t ca_graph_param_of(struct ca_graph *g, const char *name, const char *part, size_t rows, size_t cols,
                         struct ca_init_rule init);

/* A buffer of n elements, named "NAME.PART", each starting at start; returns its index. */
size_t ca_graph_buffer_of(struct ca_graph *g, const char *name, const char *part, size_t n, double start);

/*
 * Further outputs besides the logit, of width 1, and what training makes of
 * them all (nn/objective.h). Heads are numbered from 1 in the order of these
 * calls; the logit is head 0. Without an objective heads get no gradient.
 */
#define CA_HEADS_MAX 64 /* with the logit; the same bound holds for tasks */
struct ca_objective;
void ca_graph_head(struct ca_graph *g, ca_val v);
void ca_graph_objective(struct ca_graph *g, const struct ca_objective *o); /* o lives as long as the graph */
size_t ca_graph_heads(const struct ca_graph *g);                           /* at least 1 once finished */
const struct ca_objective *ca_graph_get_objective(const struct ca_graph *g); /* NULL: the loss of the logit */

/* The model's output logit, width 1. Checks and plans the graph; 0 or the first fault of building. */
int ca_graph_finish(struct ca_graph *g, ca_val logit, struct ca_err *err) CA_CHECK_ME;

/* Rows of a chunk (a multiple of the least) and number of gradient lanes: fixed by the graph, never by the machine. */
#define CA_CHUNK_ROWS_LEAST 64
size_t ca_graph_chunk_rows(const struct ca_graph *g);
size_t ca_graph_lanes(const struct ca_graph *g);

size_t ca_graph_n_params(const struct ca_graph *g);
const struct ca_param *ca_graph_get_param(const struct ca_graph *g, size_t i);
size_t ca_graph_n_buffers(const struct ca_graph *g);
const struct ca_buffer *ca_graph_get_buffer(const struct ca_graph *g, size_t i);
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
    const ca_real *buffer;       /* the buffer arena */
    int training;                /* a gradient will be asked for: dropout drops, batch norm looks at the batch */
    size_t first;                /* the chunk's first row in its batch */
    size_t batch_rows;
    uint64_t key;                /* of random masks: differs by operator, pass and seed, not by chunk */
    const double *stats;         /* n_stats numbers of the whole batch (training only) */
    const double *back_stats;    /* n_back_stats numbers of the whole batch, in backward */
    int fresh;                   /* the input's gradient holds nothing yet: overwrite it (only where the type says it can) */
};

struct ca_op;
#define CA_OP_MAX_INPUTS 32
#define CA_OP_MAX_PARAMS 8

struct ca_op_type {
    const char *name;
    void (*forward)(const struct ca_op *op, const struct ca_ctx *c);
    void (*backward)(const struct ca_op *op, const struct ca_ctx *c); /* recomputes nothing it kept in scratch */
    uint64_t (*flops)(const struct ca_op *op); /* forward, per row; NULL for none worth counting */
    int overwrites; /* of one input, whose gradient backward overwrites where ctx.fresh says so, sparing it the zeros */
};

/*
 * What an operator that looks at a whole batch in training has besides
 * (op.n_stats above 0): gather ADDS a chunk's share to sum[n_stats]; when the
 * shares of all chunks are added up, in their order, settle (may be NULL)
 * turns the sums into what forward and backward find in ctx.stats. gather_back
 * and op.n_back_stats are the same for backward, which finds the sums as they
 * are. keep (may be NULL) carries the statistics of a batch without fault into
 * the buffers.
 */
struct ca_op_batch {
    void (*gather)(const struct ca_op *op, const struct ca_ctx *c, double *sum);
    void (*settle)(const struct ca_op *op, double *sum, size_t batch_rows);
    void (*gather_back)(const struct ca_op *op, const struct ca_ctx *c, double *sum);
    void (*keep)(const struct ca_op *op, const double *stats, size_t batch_rows, ca_real *buffer);
};

struct ca_op {
    const struct ca_op_type *type;
    const struct ca_op_batch *batch; /* NULL: rows do not know of each other */
    size_t n_in;
    size_t in_width[CA_OP_MAX_INPUTS];
    size_t out_width;
    size_t param[CA_OP_MAX_PARAMS];    /* indices of ca_graph_get_param */
    size_t param_at[CA_OP_MAX_PARAMS]; /* their offsets in the arena */
    size_t n_params;
    size_t attr[8];        /* the operator's own sizes (fields, width, ...) */
    double number[4];      /* and its own numbers (a rate, an epsilon) */
    size_t scratch_per_row;
    size_t n_stats, n_back_stats;
    size_t buffer[2];      /* indices of ca_graph_get_buffer */
    size_t buffer_at[2];   /* their offsets in the arena */
    size_t n_buffers;
};

/* Note a fault of building, when there is none yet: CA_EUSAGE with this text. */
void ca_graph_refuse(struct ca_graph *g, const char *text);

/* Append an operator; op is copied, in_width and param_at are filled in. Returns its output value. */
ca_val ca_graph_add(struct ca_graph *g, const struct ca_op *op, const ca_val *in);

#endif
