/*
 * Architectures: one short file each (arch_*.c), listed in one table. A
 * specification "NAME:WIDTH:HIDDEN,HIDDEN,...:KEY=NUMBER,..." names one with
 * its sizes; an architecture without hidden layers, or without vectors, has no
 * such part, and keys that are left out have their published values.
 */
#ifndef CA_MODEL_ARCH_H
#define CA_MODEL_ARCH_H

#include "base/buf.h"
#include "nn/graph.h"

#define CA_MAX_HIDDEN 16
#define CA_MAX_WIDTH 4096
#define CA_MAX_KEYS 12

struct ca_arch;

struct ca_arch_spec {
    const struct ca_arch *arch;
    size_t width;                 /* embedding width d */
    size_t hidden[CA_MAX_HIDDEN];
    size_t n_hidden;
    size_t option[CA_MAX_KEYS];   /* in the order of the architecture's keys */
};

/*
 * A further size of an architecture. A list of them ends with a NULL name.
 * thousandths: the key is written as a decimal fraction ("dropout=0.1"), and
 * value, min, max and the option hold it times 1000.
 */
struct ca_arch_key {
    const char *name;
    size_t value, min, max;       /* value: when it is not given */
    int thousandths;
};

/* "=0.1" or "=3": an equals sign and the value. */
void ca_arch_key_text(const struct ca_arch_key *key, size_t value, struct ca_buf *out);

/* The option of that name, or 0 where the architecture has no such key. */
size_t ca_arch_option(const struct ca_arch_spec *spec, const char *name);

enum ca_sizes { CA_SIZES_ALL, CA_SIZES_WIDTH, CA_SIZES_NONE }; /* NAME:WIDTH:HIDDEN,...; NAME:WIDTH; NAME */

/*
 * parameters and operations are counts that anyone can compute, in the
 * notation of ca-architectures(7): + - * / and comparisons (1 or 0) of N
 * (numeric features), C (categorical columns), lists, G (those that share a
 * column's vocabulary), L (entries of a list), F (fields: C, in the FX family
 * N, C and the lists), d (width), m (G*d), D (F*d, in the CA family N + F*d), P
 * (F*(F-1)/2), R (max(1, int(F/3))), h (last hidden width), tasks (further
 * ones), domains, the architecture's keys with _ for -, and these:
 *     H(i), K(i)          a stack's parameters and operations, on i inputs
 *     M(i), Q(i)          the same with the linear layer to the logit
 *     S(i, w, n), T(...)  of n layers of width w in its place
 *     V, U                operations of the vectors, and of the first-order term (FX)
 *     each(i, TEXT)       the sum of TEXT over the hidden layers, i and o being what goes in and out
 *     first(a, b), max(a, b), int(x)  a, or b where a is 0
 */
struct ca_arch {
    const char *name;     /* "fibinet" */
    const char *summary;  /* one line, lower case */
    const char *source;   /* the paper and the variant */
    const char *used;     /* where the three papers use it */
    const char *parameters; /* all but the rows of tables: dense_parameters of ca-train --dry-run */
    const char *operations; /* of a forward pass for one row, as in training: flops_per_row of ca-train --dry-run */
    /* Compose the operators; returns the logit. Faults stay in the graph. */
    ca_val (*build)(struct ca_graph *g, const struct ca_arch_spec *spec);
    enum ca_sizes sizes;
    const struct ca_arch_key *keys; /* NULL for none */

    /* How to know it by its tensors, where the published implementation of CrossAdapt has it: */
    const char *mark;     /* one that no other architecture has; NULL: one without any mark */
    const char *stack;    /* its hidden layers are STACK.0, STACK.3, ...; NULL: it is not there */
    size_t (*stack_inputs)(size_t fields, size_t width); /* of the first, besides the numeric features */
    enum ca_family family; /* of the graph that build gets; decides what training does where nothing else is said */
    unsigned reads;        /* CA_READS_*: what of a record it looks at besides numeric and categorical columns */
};

#define CA_READS_TASKS 1u   /* the labels of further tasks: it has a head for each */
#define CA_READS_DOMAIN 2u  /* the domain column */
#define CA_READS_ITEM 4u    /* must be told which fields describe the item */

/* Lists are read by all of the FX family and by none of CrossAdapt's. */
int ca_arch_reads_lists(const struct ca_arch *arch);

extern const struct ca_arch ca_arch_afm, ca_arch_afm_fx, ca_arch_afn, ca_arch_afn_plus, ca_arch_autoint,
    ca_arch_autoint_fx, ca_arch_autoint_plus, ca_arch_cin, ca_arch_cl4ctr, ca_arch_cl4ctr_deepfm,
    ca_arch_crossnetv2, ca_arch_dagfm, ca_arch_dagfm_outer, ca_arch_dcn, ca_arch_dcn_fx, ca_arch_dcnv2,
    ca_arch_dcnv2_both, ca_arch_dcnv2_stacked, ca_arch_deepfm, ca_arch_deepfm_fx, ca_arch_dlrm, ca_arch_dmin, ca_arch_dmin_multidomain, ca_arch_dmin_multitask,
    ca_arch_ecn,
    ca_arch_edcn, ca_arch_eulernet, ca_arch_fcn, ca_arch_fibinet, ca_arch_fibinet_all, ca_arch_fibinet_each,
    ca_arch_fibinet_fx, ca_arch_final, ca_arch_final_2b, ca_arch_finalmlp, ca_arch_fm, ca_arch_fmfm,
    ca_arch_fmfm_vector, ca_arch_lcn, ca_arch_lr, ca_arch_masknet, ca_arch_masknet_serial, ca_arch_mlp,
    ca_arch_mlp_fx, ca_arch_multidomain, ca_arch_multitask, ca_arch_nfm, ca_arch_nfm_fx, ca_arch_pnn, ca_arch_rfm,
    ca_arch_twotower, ca_arch_widedeep, ca_arch_xdeepfm, ca_arch_xdeepfm_fx;

/* All of them, by name; ends with NULL. */
extern const struct ca_arch *const ca_archs[];

/* "mlp:8:64,32,4", "dcnv2:16:400,400:layers=4", "fm:16", "lr". CA_EUSAGE names the fault and lists the architectures where that helps. */
int ca_arch_parse(const char *text, struct ca_arch_spec *spec, struct ca_err *err) CA_CHECK_ME;
void ca_arch_text(const struct ca_arch_spec *spec, struct ca_buf *out);
int ca_arch_equal(const struct ca_arch_spec *a, const struct ca_arch_spec *b);

/* ---- for architecture files (model/arch_*.c) ---- */

/* The embeddings, [fields * width], N(0, 1) at the start. */
ca_val ca_arch_tables(struct ca_graph *g, const struct ca_arch_spec *spec);
/* [numeric, v], or v where there are no numeric features. */
ca_val ca_arch_join(struct ca_graph *g, ca_val v);
/* stack_inputs of those whose stack takes the embeddings: fields * width. */
size_t ca_arch_embeddings(size_t fields, size_t width);

#endif
