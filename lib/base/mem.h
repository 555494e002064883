/*
 * Checked memory: every allocation of the project goes through this module, so
 * a product of sizes never wraps and a test build can make any call fail.
 * A block is freed with ca_mem_free, whichever call made it.
 */
#ifndef CA_BASE_MEM_H
#define CA_BASE_MEM_H

#include <stddef.h>

#include "base/err.h"

/* n*size bytes, uninitialised. NULL with CA_EMEMORY in err on failure; n or size 0 gives a valid block. */
void *ca_mem_alloc(size_t n, size_t size, struct ca_err *err) CA_CHECK_ME;

/* As ca_mem_alloc, zero-filled. */
void *ca_mem_zalloc(size_t n, size_t size, struct ca_err *err) CA_CHECK_ME;

/*
 * As ca_mem_zalloc, the address a multiple of align (a power of two). Blocks of
 * 4 MiB and more ask the kernel for huge pages.
 */
void *ca_mem_aligned(size_t n, size_t size, size_t align, struct ca_err *err) CA_CHECK_ME;

/*
 * Grow the array *p of *cap elements to hold at least need, doubling. On
 * failure *p and *cap stand as they were. Returns 0 or CA_EMEMORY.
 */
int ca_mem_grow(void **p, size_t *cap, size_t need, size_t size, struct ca_err *err) CA_CHECK_ME;

char *ca_mem_strdup(const char *s, struct ca_err *err) CA_CHECK_ME;

/* Frees any block of this module; NULL is accepted. errno is kept. */
void ca_mem_free(void *p);

/*
 * An arena: many allocations, 64-byte aligned and zero-filled, freed together.
 * Zero-initialise; ca_arena_fini frees all.
 */
struct ca_arena {
    struct ca_arena_chunk *chunks;
};

void *ca_arena_alloc(struct ca_arena *a, size_t n, size_t size, struct ca_err *err) CA_CHECK_ME;
char *ca_arena_strdup(struct ca_arena *a, const char *s, struct ca_err *err) CA_CHECK_ME;
void ca_arena_fini(struct ca_arena *a);

/* a*b into *out; nonzero when the product does not fit. */
int ca_mem_mul(size_t a, size_t b, size_t *out) CA_CHECK_ME;

#endif
