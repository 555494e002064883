/*
 * Tensors that travel with a model and are no part of its network: what a
 * method has learned beside it and needs again when training goes on. In the
 * file they are "extra.NAME"; see ca-model(5). Who makes them knows what they
 * mean; a model only carries them, also through programs that have no use for
 * them. They are not part of the content digest.
 */
#ifndef CA_MODEL_EXTRA_H
#define CA_MODEL_EXTRA_H

#include "model/model.h"
#include "model/safetensors.h"

#define CA_EXTRA_MAX_BYTES ((uint64_t)1 << 30) /* of one such tensor */

struct ca_extra {
    const char *name; /* without the prefix */
    enum ca_st_dtype dtype;
    unsigned n_dims;
    uint64_t dim[CA_ST_MAX_DIMS];
    const void *data; /* little-endian, as in the file */
    size_t bytes;
};

/* NULL when the model carries none of that name. Valid until the next put. */
const struct ca_extra *ca_extra_find(const struct ca_model *m, const char *name);

/* Give the model a tensor to carry, in place of one of that name. Name, shape and data of e, which is none of the model's, are copied. */
int ca_extra_put(struct ca_model *m, const struct ca_extra *e, struct ca_err *err) CA_CHECK_ME;

#endif
