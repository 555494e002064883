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
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = r->hi[0], c3 = r->hi[1];
    uint32_t k0 = r->key[0], k1 = r->key[1];

    for (int i = 0; i < 10; i++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
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
