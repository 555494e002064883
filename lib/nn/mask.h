/*
 * Random masks of dropout: a function of key, row and element, so that a mask
 * does not depend on chunks or threads, and backward finds it again.
 */
#ifndef CA_NN_MASK_H
#define CA_NN_MASK_H

#include <stdint.h>

#include "nn/simd.h"

struct ca_mask {
    uint32_t low, high; /* the row's key */
    uint32_t limit;     /* an element is dropped when its bits are below; 0: nothing is */
    ca_real scale;      /* of what is kept: 1 / (1 - share dropped) */
};

/* The mask of a row of a batch; key: ctx.key. Keys of operators lie multiples of another constant apart than rows here. */
CA_INLINE struct ca_mask ca_mask_of(uint64_t key, uint64_t row, double share)
{
    uint64_t z = key + (row + 1) * UINT64_C(0xd1342543de82ef95); /* then well mixed: splitmix64's finaliser */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (struct ca_mask){(uint32_t)z, (uint32_t)(z >> 32), (uint32_t)(share * 0x1p32), (ca_real)(1 / (1 - share))};
}

/* Two rounds of multiply and shift (the finaliser of murmur3), which the compiler can do for many elements at once. */
CA_INLINE uint32_t ca_mask_bits(uint32_t low, uint32_t high, uint32_t i)
{
    uint32_t h = low + i * UINT32_C(0x9e3779b9);

    h = (h ^ (h >> 16)) * UINT32_C(0x85ebca6b);
    h = (h ^ (h >> 13) ^ high) * UINT32_C(0xc2b2ae35);
    return h ^ (h >> 16);
}

/* What element i is multiplied with. */
CA_INLINE ca_real ca_mask_factor(const struct ca_mask *m, uint32_t i)
{
    return ca_mask_bits(m->low, m->high, i) >= m->limit ? m->scale : 0;
}

#endif
