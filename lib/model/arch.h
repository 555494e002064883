/*
 * Architectures: one short file each (arch_*.c), listed in one table. A
 * specification "NAME:WIDTH:HIDDEN,HIDDEN,..." names one with its sizes.
 */
#ifndef CA_MODEL_ARCH_H
#define CA_MODEL_ARCH_H

#include "base/buf.h"
#include "nn/graph.h"

#define CA_MAX_HIDDEN 16
#define CA_MAX_WIDTH 4096

struct ca_arch;

struct ca_arch_spec {
    const struct ca_arch *arch;
    size_t width;                 /* embedding width d */
    size_t hidden[CA_MAX_HIDDEN];
    size_t n_hidden;
};

struct ca_arch {
    const char *name;     /* "fibinet" */
    const char *summary;  /* one line, lower case */
    const char *source;   /* the paper and the variant */
    /* Compose the operators; returns the logit. Faults stay in the graph. */
    ca_val (*build)(struct ca_graph *g, const struct ca_arch_spec *spec);

    /* How to know it by its tensors: */
    const char *mark;     /* one that no other architecture has; NULL: one without any mark */
    const char *stack;    /* its hidden layers are STACK.0, STACK.3, ... */
    size_t (*stack_inputs)(size_t fields, size_t width); /* of the first, besides the numeric features */
};

extern const struct ca_arch ca_arch_afm, ca_arch_autoint, ca_arch_dcn, ca_arch_deepfm, ca_arch_fibinet, ca_arch_mlp,
    ca_arch_nfm, ca_arch_xdeepfm;

/* All of them, by name; ends with NULL. */
extern const struct ca_arch *const ca_archs[];

/* "mlp:8:64,32,4". CA_EUSAGE names the fault and lists the architectures where that helps. */
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
