/*
 * Counter-based random numbers: value = f(seed, purpose, index). A draw
 * depends on nothing drawn before it, so block size, threads and pipe
 * boundaries cannot change it. Philox4x32-10 (Salmon et al., SC 2011).
 */
#ifndef CA_BASE_RNG_H
#define CA_BASE_RNG_H

#include <stdint.h>

#define CA_SEED_DEFAULT 20260201 /* any constant will do; never the clock */

struct ca_rng {
    uint32_t key[2]; /* from the seed */
    uint32_t hi[2];  /* upper counter words, from the purpose */
};

/* purpose names what is drawn ("init dense.mlp.0.weight"); equal purposes give equal draws. */
struct ca_rng ca_rng_make(uint64_t seed, const char *purpose);

/* The four words of block index. */
void ca_rng_block(const struct ca_rng *r, uint64_t index, uint32_t out[4]);

/* Draw number index, one block each: uniform bits, [0,1) with 53 bits, {0..n-1} (n > 0), N(0,1). */
uint64_t ca_rng_u64(const struct ca_rng *r, uint64_t index);
double ca_rng_unit(const struct ca_rng *r, uint64_t index);
uint64_t ca_rng_below(const struct ca_rng *r, uint64_t index, uint64_t n);
double ca_rng_normal(const struct ca_rng *r, uint64_t index);

#endif
