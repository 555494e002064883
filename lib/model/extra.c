#include "model/extra.h"

#include <string.h>

#include "base/mem.h"
#include "model/parts.h"

#include "base/banned.h"

static struct ca_extra *find(const struct ca_model *m, const char *name)
{
    for (size_t i = 0; i < m->n_extra; i++)
        if (!strcmp(m->extra[i].name, name))
            return &m->extra[i];
    return NULL;
}

const struct ca_extra *ca_extra_find(const struct ca_model *m, const char *name)
{
    return find(m, name);
}

static void drop(const struct ca_extra *e)
{
    ca_mem_free((void *)(uintptr_t)e->name);
    ca_mem_free((void *)(uintptr_t)e->data);
}

/* Carries a tensor of e's name and shape; *data is its memory, of *n bytes, to be filled. */
static int add(struct ca_model *m, const struct ca_extra *e, void **data, size_t *n, struct ca_err *err)
{
    size_t bytes = ca_st_dtype_size(e->dtype), old = m->n_extra;
    struct ca_extra *x = find(m, e->name), made = *e;
    int rc;

    for (unsigned k = 0; k < e->n_dims; k++)
        if (ca_mem_mul(bytes, (size_t)e->dim[k], &bytes) || bytes > CA_EXTRA_MAX_BYTES)
            return ca_err_set(err, CA_ESCHEMA, "tensor 'extra.%.100s' is too large", e->name);
    if (!x && (rc = ca_mem_grow((void **)&m->extra, &m->cap_extra, old + 1, sizeof *m->extra, err)))
        return rc;
    made.name = ca_mem_strdup(e->name, err);
    made.data = *data = made.name ? ca_mem_zalloc(bytes, 1, err) : NULL;
    made.bytes = *n = bytes;
    if (!made.data) {
        drop(&made);
        return CA_EMEMORY;
    }
    if (x)
        drop(x);
    else
        x = &m->extra[m->n_extra++];
    *x = made;
    return 0;
}

int ca_extra_put(struct ca_model *m, const struct ca_extra *e, struct ca_err *err)
{
    const void *from = e->data;
    void *data;
    size_t n;
    int rc = add(m, e, &data, &n, err);

    if (!rc && n)
        memcpy(data, from, n);
    return rc;
}

int ca_parts_read_extra(struct ca_model *m, struct ca_st *st, size_t i, struct ca_err *err)
{
    const struct ca_st_tensor *t = ca_st_tensor(st, i);
    struct ca_extra e = {.name = t->name + strlen(CA_EXTRA_PREFIX), .dtype = t->dtype, .n_dims = t->n_dims};
    void *data;
    size_t n;
    int rc;

    memcpy(e.dim, t->dim, sizeof e.dim);
    rc = add(m, &e, &data, &n, err);
    return rc ? rc : ca_st_read(st, i, data, n, err);
}

void ca_parts_free_extras(struct ca_model *m)
{
    for (size_t i = 0; i < m->n_extra; i++)
        drop(&m->extra[i]);
    ca_mem_free(m->extra);
}
