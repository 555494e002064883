/*
 * What the architectures in the form of FuxiCTR share (arch_*_fx.c and those
 * that CrossAdapt does not have): every feature is a field, numeric ones too,
 * the first-order term has tables of its own, towers are linear and ReLU.
 */
#ifndef CA_MODEL_FX_H
#define CA_MODEL_FX_H

#include "model/arch.h"
#include "nn/ops.h"
#include "nn/ops_cross.h"

/* Fields of a row, and their vectors [fields * width]. */
size_t ca_fx_fields(const struct ca_graph *g);
ca_val ca_fx_vectors(struct ca_graph *g, const struct ca_arch_spec *spec);

/* "PREFIX.I" and "PREFIX.I.SUFFIX" (suffix may be NULL) for the parameters of layer I. */
#define CA_FX_NAME 96
const char *ca_fx_layer(char name[CA_FX_NAME], const char *prefix, size_t i, const char *suffix);

/* For each width Linear -> ReLU: NAME.mlp.0, NAME.mlp.2, ...; then Linear to 1 when head. */
ca_val ca_fx_tower(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden, int head);

#endif
