#include "metric/index.h"

#include "base/hash.h"
#include "base/mem.h"

#include "base/banned.h"

#define FIRST_SLOTS ((size_t)1024)

static size_t slot_of(const struct ca_index *x, int64_t value)
{
    size_t i = (size_t)ca_hash64(&value, sizeof value) & (x->slots - 1);

    while (x->slot[i] && x->value[x->slot[i] - 1] != value)
        i = (i + 1) & (x->slots - 1);
    return i;
}

size_t ca_index_find(const struct ca_index *x, int64_t value)
{
    uint32_t number = x->slots ? x->slot[slot_of(x, value)] : 0;

    return number ? number - 1 : x->n;
}

/* At most half of the slots are ever taken. */
static int room(struct ca_index *x, struct ca_err *err)
{
    size_t slots = x->slots ? 2 * x->slots : FIRST_SLOTS;
    uint32_t *bigger;

    if (2 * (x->n + 1) <= x->slots)
        return 0;
    if (!(bigger = ca_mem_zalloc(slots, sizeof *bigger, err)))
        return CA_EMEMORY;
    ca_mem_free(x->slot);
    x->slot = bigger;
    x->slots = slots;
    for (size_t i = 0; i < x->n; i++)
        x->slot[slot_of(x, x->value[i])] = (uint32_t)i + 1;
    return 0;
}

int ca_index_add(struct ca_index *x, int64_t value, struct ca_err *err)
{
    void *grown = x->value;
    int rc;

    if (x->n >= CA_INDEX_MAX)
        return ca_err_set(err, CA_EMEMORY, "more than %zu different values", CA_INDEX_MAX);
    rc = ca_mem_grow(&grown, &x->cap, x->n + 1, sizeof *x->value, err);
    x->value = grown;
    if (rc || (rc = room(x, err)))
        return rc;
    x->value[x->n] = value;
    x->slot[slot_of(x, value)] = (uint32_t)++x->n;
    return 0;
}

void ca_index_fini(struct ca_index *x)
{
    ca_mem_free(x->value);
    ca_mem_free(x->slot);
    *x = (struct ca_index){0};
}
