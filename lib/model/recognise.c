/*
 * Models saved by the reference implementation: a safetensors file with the
 * right tensor names and no word of ours. What our metadata would say follows
 * from names and shapes; feature names are lost.
 */
#include <stdio.h>
#include <string.h>

#include "model/parts.h"

#include "base/banned.h"

static int unfit(const struct ca_st *st, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, CA_ESCHEMA, "not a model this program knows: %s", what);
    (void)ca_err_at(err, ca_st_name(st), -1, -1);
    (void)ca_err_hint(err, "tensor names must be those of the reference implementation, see ca-model(5)");
    return CA_ESCHEMA;
}

static const struct ca_st_tensor *matrix(const struct ca_st *st, const char *pattern, size_t i)
{
    char name[96];
    const struct ca_st_tensor *t;

    (void)snprintf(name, sizeof name, "%s.%zu.weight", pattern, i);
    t = ca_st_find(st, name);
    return t && t->n_dims == 2 ? t : NULL;
}

/* The architecture whose mark is there; else one without a mark whose stack takes as much as this one does. */
static const struct ca_arch *arch_of(const struct ca_st *st, size_t fields, size_t width)
{
    for (size_t i = 0; ca_archs[i]; i++)
        if (ca_archs[i]->mark && ca_st_find(st, ca_archs[i]->mark))
            return ca_archs[i];
    for (const struct ca_arch *const *a = ca_archs, *best = NULL;; a++) {
        const struct ca_st_tensor *first = *a && (*a)->stack ? matrix(st, (*a)->stack, 0) : NULL;
        size_t inputs;

        if (!*a)
            return best;
        if (!(*a)->stack)
            continue;
        inputs = (*a)->stack_inputs(fields, width);
        if (!(*a)->mark && first && first->dim[1] >= inputs && (!best || inputs > best->stack_inputs(fields, width)))
            best = *a;
    }
}

/* "NAME:WIDTH:HIDDEN,...". Of the linear layers of a stack only an output has no LayerNorm behind it. */
static int spec_of(const struct ca_st *st, const struct ca_arch *arch, uint64_t width, struct ca_arch_spec *spec)
{
    const struct ca_st_tensor *layer;
    struct ca_buf text = {0};
    char name[96];
    int rc;

    ca_buf_printf(&text, "%s:%llu:", arch->name, (unsigned long long)width);
    for (size_t i = 0; (layer = matrix(st, arch->stack, 3 * i)) && i <= CA_MAX_HIDDEN; i++) {
        (void)snprintf(name, sizeof name, "%s.%zu.weight", arch->stack, 3 * i + 1);
        if (!ca_st_find(st, name))
            break;
        ca_buf_printf(&text, "%s%llu", i ? "," : "", (unsigned long long)layer->dim[0]);
    }
    rc = ca_buf_check(&text, NULL);
    if (!rc)
        rc = ca_arch_parse(text.data, spec, NULL);
    ca_buf_fini(&text);
    return rc;
}

int ca_parts_recognise(struct ca_model *m, const struct ca_st *st, struct ca_err *err)
{
    const char *tables = "sparse_embedding.embedding_layers";
    const struct ca_st_tensor *first = matrix(st, tables, 0);
    const struct ca_arch *arch;
    uint64_t known, in;
    size_t fields = 0;
    int rc;

    if (!first)
        return unfit(st, "it has no embedding tables", err);
    for (const struct ca_st_tensor *t; (t = matrix(st, tables, fields)); fields++)
        if (t->dim[1] != first->dim[1] || !t->dim[0] || t->dim[0] > UINT32_MAX)
            return unfit(st, "its tables differ in width or have no rows", err);
    if (first->dim[1] > CA_MAX_WIDTH || fields > CA_MAX_COLUMNS)
        return unfit(st, "its tables are too wide or too many", err);
    arch = arch_of(st, fields, (size_t)first->dim[1]);
    if (!arch || !matrix(st, arch->stack, 0))
        return unfit(st, "it has no hidden layers on its tables", err);
    rc = spec_of(st, arch, first->dim[1], &m->spec);
    if (rc == CA_EMEMORY)
        return ca_err_set(err, rc, "out of memory");
    if (rc)
        return unfit(st, "its layers make no architecture", err);
    in = matrix(st, arch->stack, 0)->dim[1];
    known = arch->stack_inputs(fields, (size_t)first->dim[1]);
    if (in < known || in - known > CA_MAX_COLUMNS)
        return unfit(st, "its first layer does not fit its tables", err);
    rc = ca_parts_features(m, (size_t)(in - known), fields, err);
    for (size_t i = 0; i < m->n_numeric && !rc; i++)
        rc = ca_parts_feature(&m->numeric[i], "", 0, err);
    for (size_t i = 0; i < m->n_fields && !rc; i++)
        rc = ca_parts_feature(&m->field[i], "", (uint32_t)matrix(st, tables, i)->dim[0], err);
    return rc;
}
