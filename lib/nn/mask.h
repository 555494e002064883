/*
 * Random masks: bits of element i of a row are a function of seed, pass,
 * operator (all in ctx.key), row and element, so that a mask does not depend
 * on chunks or threads and backward finds it again.
 */
#ifndef CA_NN_MASK_H
#define CA_NN_MASK_H

#include <stdint.h>

#include "nn/graph.h"
#include "nn/simd.h"

struct ca_mask {
    uint32_t low, high; /* of the row's key */
    uint32_t limit;     /* bits below it: dropped */
    ca_real scale;      /* of what is kept */
};

/* Of a row of the chunk; p is the share to drop. */
CA_INLINE struct ca_mask ca_mask_row(const struct ca_ctx *c, size_t row, double p)
{
    /* well mixed (splitmix64's finaliser) */
    uint64_t z = c->key + (c->first + row + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (struct ca_mask){(uint32_t)z, (uint32_t)(z >> 32), (uint32_t)(p * 0x1p32), (ca_real)(1 / (1 - p))};
}

/* 0 or the scale. Two rounds of multiply and shift (murmur3's finaliser), which a compiler can do for many at once. */
CA_INLINE ca_real ca_mask_factor(const struct ca_mask *m, uint32_t i)
{
    uint32_t h = m->low + i * UINT32_C(0x9e3779b9);

    h = (h ^ (h >> 16)) * UINT32_C(0x85ebca6b);
    h = (h ^ (h >> 13) ^ m->high) * UINT32_C(0xc2b2ae35);
    return (h ^ (h >> 16)) >= m->limit ? m->scale : 0;
}

#endif
