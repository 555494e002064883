#include "base/rng.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

#include "base/banned.h"

#define TWO_PI 6.283185307179586476925286766559

struct ca_rng ca_rng_make(uint64_t seed, const char *purpose)
{
    uint64_t p = ca_hash64(purpose, strlen(purpose));
    struct ca_rng r = {{(uint32_t)seed, (uint32_t)(seed >> 32)}, {(uint32_t)p, (uint32_t)(p >> 32)}};
    return r;
}

void ca_rng_block(const struct ca_rng *r, uint64_t index, uint32_t out[4])
{
    uint32_t key[2] = {r->key[0], r->key[1]};

    out[0] = (uint32_t)index;
    out[1] = (uint32_t)(index >> 32);
    out[2] = r->hi[0];
    out[3] = r->hi[1];
    for (int i = 0; i < CA_RNG_ROUNDS; i++, ca_rng_step_key(key))
        ca_rng_round(&out[0], &out[1], &out[2], &out[3], key);
}

uint64_t ca_rng_u64(const struct ca_rng *r, uint64_t index)
{
    uint32_t w[4];
    ca_rng_block(r, index, w);
    return (uint64_t)w[1] << 32 | w[0];
}

double ca_rng_unit(const struct ca_rng *r, uint64_t index)
{
    return (double)(ca_rng_u64(r, index) >> 11) * 0x1p-53;
}

/* Upper half of a 128-bit product, in ISO C. */
static uint64_t mul_high(uint64_t a, uint64_t b)
{
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t mid = ah * bl + (al * bl >> 32);
    uint64_t low = al * bh + (uint32_t)mid;
    return ah * bh + (mid >> 32) + (low >> 32);
}

/* Multiply-shift of 64 bits: bias below n/2^64, far under anything measurable here. */
uint64_t ca_rng_below(const struct ca_rng *r, uint64_t index, uint64_t n)
{
    return mul_high(ca_rng_u64(r, index), n);
}

/* Box-Muller; the first uniform is kept off zero so that the logarithm is finite. */
double ca_rng_normal(const struct ca_rng *r, uint64_t index)
{
    uint32_t w[4];
    double u, v;

    ca_rng_block(r, index, w);
    u = ((double)(((uint64_t)w[1] << 32 | w[0]) >> 11) + 0.5) * 0x1p-53;
    v = (double)(((uint64_t)w[3] << 32 | w[2]) >> 11) * 0x1p-53;
    return sqrt(-2.0 * log(u)) * cos(TWO_PI * v);
}
