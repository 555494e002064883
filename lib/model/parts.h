/* What the files of model/ share among themselves; nobody else includes this. */
#ifndef CA_MODEL_PARTS_H
#define CA_MODEL_PARTS_H

#include "model/extra.h"
#include "model/model.h"
#include "model/safetensors.h"

/* The empty model, and its graph from spec and features. NULL with err filled. */
struct ca_model *ca_parts_empty(struct ca_err *err) CA_CHECK_ME;
struct ca_graph *ca_parts_graph(const struct ca_model *m, struct ca_err *err) CA_CHECK_ME;

/* The net of m, made from a graph (which is taken, also on failure) and set up to train as its architecture does. */
int ca_parts_net(struct ca_model *m, struct ca_graph *g, uint64_t seed, unsigned flags, struct ca_pool *pool,
                 struct ca_err *err) CA_CHECK_ME;

/* Room for the features of a model, and one of them; name is copied. */
int ca_parts_features(struct ca_model *m, size_t n_numeric, size_t n_fields, struct ca_err *err) CA_CHECK_ME;
int ca_parts_further(struct ca_model *m, size_t n_sequences, size_t n_tasks, struct ca_err *err) CA_CHECK_ME;
int ca_parts_feature(struct ca_feature *f, const char *name, uint32_t vocab, struct ca_err *err) CA_CHECK_ME;

/* Copy the vocabulary and note its digest; data NULL: nothing. */
int ca_parts_vocabulary(struct ca_model *m, const void *data, size_t size, struct ca_err *err) CA_CHECK_ME;

int ca_parts_digest(const void *data, size_t size, char out[CA_DIGEST_HEX], struct ca_err *err) CA_CHECK_ME;

/* spec and features of a file without our metadata, from the names and shapes of its tensors. */
int ca_parts_recognise(struct ca_model *m, const struct ca_st *st, struct ca_err *err) CA_CHECK_ME;

/* Tensors under this prefix are model/extra's. Reads tensor i of the file, whose turn it is; frees all. */
#define CA_EXTRA_PREFIX "extra."
int ca_parts_read_extra(struct ca_model *m, struct ca_st *st, size_t i, struct ca_err *err) CA_CHECK_ME;
void ca_parts_free_extras(struct ca_model *m);

#endif
