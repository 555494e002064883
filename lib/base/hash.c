#include "base/hash.h"

#include <stdio.h>
#include <xxhash.h>

#include "base/banned.h"


uint64_t ca_hash64(const void *data, size_t n)
{
    return XXH3_64bits(data, n);
}

/* The state is the library's own block; the handle is that block under our name. */
struct ca_digest *ca_digest_new(struct ca_err *err)
{
    XXH3_state_t *s = XXH3_createState();

    if (!s) {
        (void)ca_err_set(err, CA_EMEMORY, "out of memory: cannot start a digest");
        return NULL;
    }
    (void)XXH3_128bits_reset(s);
    return (struct ca_digest *)(void *)s;
}

static XXH3_state_t *state(const struct ca_digest *d)
{
    return (XXH3_state_t *)(void *)(uintptr_t)d;
}

void ca_digest_add(struct ca_digest *d, const void *data, size_t n)
{
    (void)XXH3_128bits_update(state(d), data, n);
}

void ca_digest_hex(const struct ca_digest *d, char out[CA_DIGEST_HEX])
{
    XXH128_hash_t h = XXH3_128bits_digest(state(d));
    (void)snprintf(out, CA_DIGEST_HEX, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

void ca_digest_free(struct ca_digest *d)
{
    if (d)
        (void)XXH3_freeState(state(d));
}
