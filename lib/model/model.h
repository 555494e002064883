/*
 * A model: an architecture over named features, its network, and what must
 * travel with it (vocabulary, provenance). In a file it is safetensors:
 * ca-model(5).
 */
#ifndef CA_MODEL_MODEL_H
#define CA_MODEL_MODEL_H

#include <jansson.h>

#include "base/hash.h"
#include "base/out.h"
#include "cli/cli.h"
#include "model/arch.h"
#include "nn/net.h"
#include "record/head.h"
#include "record/rows.h"

#define CA_SEQUENCE_MAX 65536 /* places of a sequence */

struct ca_feature {
    char *name;     /* "" in a model of another origin that does not tell: bound by position */
    uint32_t vocab; /* table rows; 0 for a numeric feature or a task */
    size_t length;  /* of a sequence: the newest so many entries are looked at */
    size_t like;    /* of a sequence: the field whose vocabulary it shares, or CA_NO_FIELD */
    int of_item;    /* of a field: it describes the item, not the user */
};

/* What a new model is told besides its architecture. */
struct ca_model_choices {
    size_t sequence_length;  /* places of each sequence */
    const char *item_fields; /* names parted by commas; NULL: not told */
};
extern const struct ca_model_choices ca_model_choices_default; /* 50 places */

struct ca_extra;

struct ca_model {
    struct ca_arch_spec spec;
    struct ca_feature *numeric;  /* n_numeric, in input order */
    size_t n_numeric;
    struct ca_feature *field;    /* n_fields, in input order */
    size_t n_fields;
    struct ca_feature *sequence; /* n_sequences: the lists of its records, also where the architecture reads none */
    size_t n_sequences;
    struct ca_feature *task;     /* n_tasks: further labels of its records */
    size_t n_tasks;
    struct ca_feature domain;    /* name NULL: its records have no domain column */
    struct ca_net *net;          /* owned */
    json_t *meta;                /* object: "provenance" and other metadata that is kept; may be NULL */
    json_t *inputs;              /* array: what ca_model_input noted; may be NULL */
    void *vocabulary;            /* the vocabulary attachment's bytes, or NULL */
    size_t vocabulary_size;
    char vocabulary_digest[CA_DIGEST_HEX]; /* "" when unknown; kept where the bytes are left out */
    struct ca_extra *extra;      /* n_extra that model/extra.h put here */
    size_t n_extra, cap_extra;
};

/*
 * A fresh model for streams like head: its columns in order, its vocabulary,
 * its provenance. Weights from seed. choices NULL: the default.
 */
int ca_model_new(struct ca_model **m, const struct ca_arch_spec *spec, const struct ca_head *head,
                 const struct ca_model_choices *choices, uint64_t seed, struct ca_pool *pool, struct ca_err *err)
    CA_CHECK_ME;
/* A fresh model over the features, vocabulary and metadata of another. */
int ca_model_like(struct ca_model **m, const struct ca_arch_spec *spec, const struct ca_model *features, uint64_t seed,
                  struct ca_pool *pool, struct ca_err *err) CA_CHECK_ME;
void ca_model_free(struct ca_model *m);

/*
 * How models of an architecture train where nothing else is said, which is how
 * a new or loaded network is set up. CA: Adam with 0.1 for tables and 0.001
 * for the rest. FX: one Adam with 0.001, the gradient clipped at length 10.
 */
struct ca_adam ca_model_adam(const struct ca_arch *arch);
struct ca_regular ca_model_regular(const struct ca_arch *arch);

#define CA_MODEL_FORCE 0x100u /* read or write a terminal after all */

/*
 * flags: CA_NET_INFERENCE leaves the optimizer state in the file. "-" is
 * standard input. A safetensors file of the reference implementation is taken
 * too: its architecture follows from its tensors, its features have no names.
 * The tensors' shapes are checked before anything is allocated for them.
 */
int ca_model_load(struct ca_model **m, const char *path, unsigned flags, struct ca_pool *pool, struct ca_err *err)
    CA_CHECK_ME;

#define CA_MODEL_WEIGHTS_ONLY 1u

/*
 * Settles the network and writes path whole or not at all, with the run's
 * provenance appended (run may be NULL). The model itself stays as it is, so
 * it can be saved again and again.
 */
int ca_model_save(struct ca_model *m, const char *path, unsigned flags, const struct ca_run *run, struct ca_err *err)
    CA_CHECK_ME;

/*
 * In two steps, for a tool that wants to know before hours of work that the
 * output can be written: ca_model_output refuses terminals as ca_model_save
 * does; ca_model_write closes out, whatever it returns.
 */
int ca_model_output(struct ca_out **out, const char *path, const struct ca_run *run, struct ca_err *err) CA_CHECK_ME;
int ca_model_write(struct ca_model *m, struct ca_out *out, unsigned flags, const struct ca_run *run,
                   struct ca_err *err) CA_CHECK_ME;

/* Take names and vocabulary of a stream the model was bound to, where the model has none of its own. */
int ca_model_adopt(struct ca_model *m, const struct ca_head *head, struct ca_err *err) CA_CHECK_ME;

/* Moments to zero and step counters to 0, as in a fresh optimizer. */
int ca_model_reset_optimizer(struct ca_model *m, struct ca_err *err) CA_CHECK_ME;

/* Note for the provenance of what is saved next: this run read kind ("records", "model") of that content digest. */
int ca_model_input(struct ca_model *m, const char *kind, const char *digest, struct ca_err *err) CA_CHECK_ME;

/* Content digest of the weights (not of provenance or optimizer state): equal bits, equal digest. */
int ca_model_digest(struct ca_model *m, char out[CA_DIGEST_HEX], struct ca_err *err) CA_CHECK_ME;

/*
 * The weights one by one, as rows of row_len elements: tables first, a table's
 * own rows, then parameters and then buffers, which have no moments, as one.
 * Settle the network before reading rows.
 */
struct ca_model_tensor {
    const char *name;
    unsigned n_dims;
    size_t dim[3];
    size_t rows, row_len;
    int is_table, is_buffer;
    size_t index; /* of ca_graph_get_table, ca_graph_get_param or ca_graph_get_buffer */
};
size_t ca_model_n_tensors(const struct ca_model *m);
size_t ca_model_n_learned(const struct ca_model *m); /* the first so many have moments */
struct ca_model_tensor ca_model_get_tensor(const struct ca_model *m, size_t i);
/* row_len elements; NULL for moments of a buffer or where there is no optimizer state. */
ca_real *ca_model_tensor_row(struct ca_model *m, const struct ca_model_tensor *t, size_t row, enum ca_state kind);
/* Row 0; row r is r * *stride elements behind it. NULL as above, and where there is no row. */
ca_real *ca_model_tensor_rows(struct ca_model *m, const struct ca_model_tensor *t, enum ca_state kind, size_t *stride);

/* After training: CA_ENUMERIC naming the first tensor with a weight that is not finite. Settles the network. */
int ca_model_check(struct ca_model *m, struct ca_err *err) CA_CHECK_ME;

/*
 * Where a stream's columns are for this model. CA_ESCHEMA when a feature is
 * missing, has another role or vocabulary size, or the vocabulary differs.
 */
struct ca_binding {
    size_t *numeric;  /* column of each numeric feature */
    size_t *field;    /* column of each field */
    size_t *sequence; /* column of each sequence that the architecture reads, and its places */
    size_t *length;
    size_t *task;     /* column of each task's label */
    size_t domain;    /* column, when has_domain */
    int has_domain, has_labels; /* of all tasks */
    size_t n_numeric, n_fields, n_sequences, n_tasks;
    /* storage for ca_binding_feed and ca_binding_tasks */
    const uint32_t **ids;
    const float **values, **labels;
    uint32_t *places;
    size_t cap_places, n_places;
};
int ca_model_bind(const struct ca_model *m, const struct ca_head *head, struct ca_binding *b, struct ca_err *err)
    CA_CHECK_ME;
/* The feed of a block: borrows from block and binding. */
int ca_binding_feed(struct ca_binding *b, const struct ca_block *block, struct ca_feed *feed, struct ca_err *err)
    CA_CHECK_ME;
/* The labels of the further tasks, one column each; NULL when the architecture reads none or the stream lacks one. */
const float *const *ca_binding_tasks(struct ca_binding *b, const struct ca_block *block);
void ca_binding_fini(struct ca_binding *b);

#endif
