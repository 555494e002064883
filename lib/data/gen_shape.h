/*
 * The columns of the presets of data/gen.h: how many, how large, how often
 * missing, which of them interact. Only gen.c needs to know.
 */
#ifndef CA_DATA_GEN_SHAPE_H
#define CA_DATA_GEN_SHAPE_H

#include <stdint.h>

struct ca_gen_numeric {
    float mean, std; /* of the logarithm */
    float missing;
    int shift;       /* subtracted from the integer */
};

struct ca_gen_pair {
    unsigned char a, b; /* numerics first, from 0 */
    float weight;
};

struct ca_gen_shape {
    unsigned n_numeric, n_ids;
    uint32_t vocab; /* default total */
    const struct ca_gen_numeric *numeric;
    const uint32_t *size;       /* published sizes, unknown included */
    const unsigned char *missing; /* percent */
    const struct ca_gen_pair *pair;
    unsigned n_pairs;
    const unsigned char *user;  /* a mark for each column, numerics first: does it describe the user and not the item? */
};

/* Of an enum ca_gen_preset. */
const struct ca_gen_shape *ca_gen_shape(int preset);

/*
 * Sizes of the n_ids categorical columns in the published proportions but summing to total: each is raised to
 * one power, which keeps small fields usable where a factor would empty them;
 * what rounding leaves goes to the largest field.
 */
void ca_gen_sizes(const struct ca_gen_shape *s, uint64_t total, uint32_t *size);

#endif
