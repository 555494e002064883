#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/banned.h"

#define HUGE_FROM ((size_t)4 << 20)
#define HUGE_ALIGN ((size_t)2 << 20)
#define ARENA_CHUNK ((size_t)1 << 16)
#define ARENA_ALIGN ((size_t)64)

struct ca_arena_chunk {
    struct ca_arena_chunk *next;
    size_t size; /* usable bytes after the header */
    size_t used;
    char *base;
};

int ca_mem_mul(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out);
}

static void *fail(size_t n, size_t size, struct ca_err *err)
{
    (void)ca_err_set(err, CA_EMEMORY, "out of memory: cannot allocate %zu x %zu bytes", n, size);
    return NULL;
}

void *ca_mem_alloc(size_t n, size_t size, struct ca_err *err)
{
    size_t bytes;
    void *p;

    if (ca_mem_mul(n, size, &bytes))
        return fail(n, size, err);
    p = malloc(bytes ? bytes : 1);
    return p ? p : fail(n, size, err);
}

void *ca_mem_zalloc(size_t n, size_t size, struct ca_err *err)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    return p ? p : fail(n, size, err);
}

void *ca_mem_aligned(size_t n, size_t size, size_t align, struct ca_err *err)
{
    size_t bytes;
    void *p;

    if (ca_mem_mul(n, size, &bytes))
        return fail(n, size, err);
    if (bytes >= HUGE_FROM && align < HUGE_ALIGN)
        align = HUGE_ALIGN;
    if (align < sizeof(void *))
        align = sizeof(void *);
    if (posix_memalign(&p, align, bytes ? bytes : align))
        return fail(n, size, err);
#ifdef MADV_HUGEPAGE
    /* Advice only: without huge pages the block is slower, not wrong. */
    if (bytes >= HUGE_FROM)
        (void)madvise(p, bytes, MADV_HUGEPAGE);
#endif
    memset(p, 0, bytes);
    return p;
}

int ca_mem_grow(void **p, size_t *cap, size_t need, size_t size, struct ca_err *err)
{
    size_t n = *cap ? *cap : 16;
    size_t bytes;
    void *q;

    if (need <= *cap)
        return 0;
    while (n < need) {
        if (n > SIZE_MAX / 2)
            n = need;
        else
            n *= 2;
    }
    if (ca_mem_mul(n, size, &bytes) || !(q = realloc(*p, bytes))) {
        (void)fail(n, size, err);
        return CA_EMEMORY;
    }
    *p = q;
    *cap = n;
    return 0;
}

char *ca_mem_strdup(const char *s, struct ca_err *err)
{
    size_t n = strlen(s) + 1;
    char *p = ca_mem_alloc(n, 1, err);
    if (p)
        memcpy(p, s, n);
    return p;
}

void ca_mem_free(void *p)
{
    int keep = errno;
    free(p);
    errno = keep;
}

void *ca_arena_alloc(struct ca_arena *a, size_t n, size_t size, struct ca_err *err)
{
    struct ca_arena_chunk *c = a->chunks;
    size_t bytes;
    void *p;

    if (ca_mem_mul(n, size, &bytes) || bytes > SIZE_MAX - ARENA_ALIGN)
        return fail(n, size, err);
    bytes = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (!c || c->size - c->used < bytes) {
        size_t want = bytes > ARENA_CHUNK ? bytes : ARENA_CHUNK;
        c = ca_mem_alloc(1, sizeof *c, err);
        if (!c)
            return NULL;
        c->base = ca_mem_aligned(1, want, ARENA_ALIGN, err);
        if (!c->base) {
            ca_mem_free(c);
            return NULL;
        }
        c->size = want;
        c->used = 0;
        c->next = a->chunks;
        a->chunks = c;
    }
    p = c->base + c->used;
    c->used += bytes;
    return p;
}

char *ca_arena_strdup(struct ca_arena *a, const char *s, struct ca_err *err)
{
    size_t n = strlen(s) + 1;
    char *p = ca_arena_alloc(a, n, 1, err);
    if (p)
        memcpy(p, s, n);
    return p;
}

void ca_arena_fini(struct ca_arena *a)
{
    while (a->chunks) {
        struct ca_arena_chunk *next = a->chunks->next;
        ca_mem_free(a->chunks->base);
        ca_mem_free(a->chunks);
        a->chunks = next;
    }
}
