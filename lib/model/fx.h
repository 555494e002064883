/*
 * What the architectures in the form of FuxiCTR share (arch_*_fx.c and those
 * that CrossAdapt does not have): every feature is a field, numeric ones too,
 * the first-order term has tables of its own, towers are linear and ReLU, with
 * batch norm, dropout and Dice where the architecture's keys ask for them.
 */
#ifndef CA_MODEL_FX_H
#define CA_MODEL_FX_H

#include "model/arch.h"
#include "nn/ops.h"
#include "nn/ops_batch.h"
#include "nn/ops_cross.h"

/* Fields of a row, and their vectors [fields * width]. */
size_t ca_fx_fields(const struct ca_graph *g);
ca_val ca_fx_vectors(struct ca_graph *g, const struct ca_arch_spec *spec);

/* "PREFIX.I" and "PREFIX.I.SUFFIX" (suffix may be NULL) for the parameters of layer I. */
#define CA_FX_NAME 96
const char *ca_fx_layer(char name[CA_FX_NAME], const char *prefix, size_t i, const char *suffix);

/* Keys: the share that training drops; batch norm of each layer or none; those of a tower. */
#define CA_FX_KEY_SHARE(name, thousandths) {name, thousandths, 0, 999, 1}
#define CA_FX_KEY_NORM(value) {"bn", value, 0, 1, 0}
#define CA_FX_KEYS_TOWER(bn) {"bn", bn, 0, 2, 0}, CA_FX_KEY_SHARE("dropout", 0), {"dice", 0, 0, 1, 0}
double ca_fx_fraction(const struct ca_arch_spec *spec, const char *key); /* of a key in thousandths */

enum { CA_FX_BN_NONE, CA_FX_BN_EACH, CA_FX_BN_ONCE }; /* after each linear layer; once, on the input */
struct ca_fx_how {
    int bn, dice;   /* dice: in place of ReLU */
    double dropout; /* after the activation */
};
struct ca_fx_how ca_fx_how(const struct ca_arch_spec *spec); /* as the keys of a tower say */

/* PyTorch's BatchNorm1d, NAME.weight, NAME.bias and two buffers. channels 0: every number is one. */
ca_val ca_fx_norm(struct ca_graph *g, ca_val x, const char *name, size_t channels);

/*
 * For each width Linear -> batch norm -> ReLU or Dice -> dropout; then Linear to 1 when head. NAME.mlp.I, where I counts
 * all that is there, as PyTorch numbers a Sequential. place: of the linear layer number `layer`, the last one's being
 * n_hidden. deep: with the hidden widths and the keys of a specification.
 */
ca_val ca_fx_tower(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden, int head,
                   const struct ca_fx_how *how);
size_t ca_fx_place(const struct ca_fx_how *how, size_t layer);
ca_val ca_fx_deep(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val x, const char *name, int head);

#endif
