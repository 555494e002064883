/* The inside of DMIN, for its own architecture and those that put other towers on it (arch_dmin.c, arch_shared.c). */
#ifndef CA_MODEL_DMIN_H
#define CA_MODEL_DMIN_H

#include "model/fx.h"

/* Its keys, which stand first among those of an architecture. */
#define CA_DMIN_KEYS \
    {"heads", 4, 1, 64, 0}, {"refiner", 1, 0, 1, 0}, {"position", 8, 0, 1024, 0}, {"attention", 80, 1, 65536, 0}, \
        {"attention-2", 40, 0, 65536, 0}, {"attention-dice", 0, 0, 1, 0}, {"float-mask", 0, 0, 1, 0}, \
        CA_FX_KEY_SHARE("attention-dropout", 0)

/* [interests, all embeddings but those of the behaviour]. */
ca_val ca_dmin_representation(struct ca_graph *g, const struct ca_arch_spec *spec);

#endif
