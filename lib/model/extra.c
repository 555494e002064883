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

/* Makes room for e, named and with data to be filled; its place in *out. */
static int add(struct ca_model *m, const struct ca_extra *e, struct ca_extra **out, struct ca_err *err)
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
    made.data = made.name ? ca_mem_zalloc(bytes, 1, err) : NULL;
    made.bytes = bytes;
    if (!made.data) {
        ca_mem_free(made.name);
        return CA_EMEMORY;
    }
    if (x) {
        ca_mem_free(x->name);
        ca_mem_free(x->data);
    } else {
        x = &m->extra[m->n_extra++];
    }
    *x = made;
    *out = x;
    return 0;
}

int ca_extra_put(struct ca_model *m, const struct ca_extra *e, struct ca_err *err)
{
    struct ca_extra *x;
    int rc = add(m, e, &x, err);

    if (!rc && x->bytes)
        memcpy(x->data, e->data, x->bytes);
    return rc;
}

int ca_parts_read_extra(struct ca_model *m, struct ca_st *st, size_t i, struct ca_err *err)
{
    const struct ca_st_tensor *t = ca_st_tensor(st, i);
    struct ca_extra e = {.dtype = t->dtype, .n_dims = t->n_dims}, *x;
    int rc;

    e.name = (char *)(uintptr_t)(t->name + strlen(CA_EXTRA_PREFIX));
    memcpy(e.dim, t->dim, sizeof e.dim);
    if ((rc = add(m, &e, &x, err)))
        return rc;
    return ca_st_read(st, i, x->data, x->bytes, err);
}

void ca_parts_free_extras(struct ca_model *m)
{
    for (size_t i = 0; i < m->n_extra; i++) {
        ca_mem_free(m->extra[i].name);
        ca_mem_free(m->extra[i].data);
    }
    ca_mem_free(m->extra);
}
