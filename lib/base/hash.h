/*
 * Fingerprints. One family for everything: XXH3, 64 bits against damage
 * (frames, tensors), 128 bits as identity (input digests, vocabularies). Not
 * cryptographic: it guards against accidents, not against forgers.
 */
#ifndef CA_BASE_HASH_H
#define CA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CA_DIGEST_HEX 33 /* 32 hexadecimal digits and a NUL */

/* XXH3-64 with seed 0. */
uint64_t ca_hash64(const void *data, size_t n);

/* Running 128-bit digest: new, add any number of times, hex or free. */
struct ca_digest *ca_digest_new(struct ca_err *err) CA_CHECK_ME;
void ca_digest_add(struct ca_digest *d, const void *data, size_t n);
void ca_digest_hex(const struct ca_digest *d, char out[CA_DIGEST_HEX]);
void ca_digest_free(struct ca_digest *d);

#endif
