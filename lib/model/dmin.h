/* The inside of DMIN, for its own architecture and those that put other towers on it (arch_dmin.c, arch_shared.c). */
#ifndef CA_MODEL_DMIN_H
#define CA_MODEL_DMIN_H

#include "model/fx.h"

/* Its keys, which stand first among those of an architecture. */
#define CA_DMIN_KEYS \
    {"heads", 4, 1, 64, 0}, {"refiner", 1, 0, 1, 0}, {"position", 8, 0, 1024, 0}, {"attention", 80, 1, 65536, 0}, \
        {"attention-2", 40, 0, 65536, 0}, {"attention-dice", 0, 0, 1, 0}, {"float-mask", 0, 0, 1, 0}, \
        CA_FX_KEY_SHARE("attention-dropout", 0)

/*
 * What it takes in the notation of struct ca_arch: parameters and operations up
 * to its last perceptron (each followed by a plus), and the inputs of that.
 */
#define CA_DMIN_WIDTH "(N + C + lists - G)*d + heads*m"
#define CA_DMIN_PARAMETERS \
    "N*d + refiner*(8*m*m + 9*m) + 4*m*m + heads*(4*m*m + 5*m + L*position + (position > 0)*((m + position)*m + m) + " \
    "4*m*attention + attention + (attention_2 > 0)*(attention + 1)*attention_2 + first(attention_2, attention) + 1 + " \
    "attention_dice*(attention + attention_2)) + "
#define CA_DMIN_OPERATIONS \
    "(N + 2*L*(lists - G))*d + refiner*L*m*(16*m + 4*L + 9) + L*m*(6*m + 4*L + 2*m) + heads*L*(8*m*m + 13*m + " \
    "2*(position > 0)*(m + position)*m + 8*m*attention + 2*attention*attention_2 + 2*first(attention_2, attention) + " \
    "14*attention_dice*(attention + attention_2)) + "

/* [interests, all embeddings but those of the behaviour]. */
ca_val ca_dmin_representation(struct ca_graph *g, const struct ca_arch_spec *spec);

#endif
