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

/*
 * How a block is made, for who makes many of them side by side: its words begin as the halves of index and hi, and go
 * through the rounds with the key, which steps from one to the next.
 */
#define CA_RNG_ROUNDS 10

static inline void ca_rng_round(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3, const uint32_t key[2])
{
    uint64_t p0 = (uint64_t)0xD2511F53u * *c0, p1 = (uint64_t)0xCD9E8D57u * *c2;

    *c0 = (uint32_t)(p1 >> 32) ^ *c1 ^ key[0];
    *c1 = (uint32_t)p1;
    *c2 = (uint32_t)(p0 >> 32) ^ *c3 ^ key[1];
    *c3 = (uint32_t)p0;
}

static inline void ca_rng_step_key(uint32_t key[2])
{
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
}

/* Draw number index, one block each: uniform bits, [0,1) with 53 bits, {0..n-1} (n > 0), N(0,1). */
uint64_t ca_rng_u64(const struct ca_rng *r, uint64_t index);
double ca_rng_unit(const struct ca_rng *r, uint64_t index);
uint64_t ca_rng_below(const struct ca_rng *r, uint64_t index, uint64_t n);
double ca_rng_normal(const struct ca_rng *r, uint64_t index);

#endif
