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

int ca_parts_recognise(struct ca_model *m, const struct ca_st *st, struct ca_err *err)
{
    const char *tables = "sparse_embedding.embedding_layers";
    int fibinet = ca_st_find(st, "dense.senet.squeeze.weight") != NULL;
    const struct ca_st_tensor *first = matrix(st, tables, 0), *layer = matrix(st, "dense.mlp", 0);
    uint64_t known, width, in;
    size_t fields = 0;
    struct ca_buf text = {0};
    int rc;

    if (!first || !layer)
        return unfit(st, "it has no embedding tables or no dense.mlp", err);
    width = first->dim[1];
    for (const struct ca_st_tensor *t; (t = matrix(st, tables, fields)); fields++)
        if (t->dim[1] != width || !t->dim[0] || t->dim[0] > UINT32_MAX)
            return unfit(st, "its tables differ in width or have no rows", err);
    in = layer->dim[1];
    ca_buf_printf(&text, "%s:%llu:", fibinet ? "fibinet" : "mlp", (unsigned long long)width);
    /* Linear, LayerNorm, ReLU: every third is a Linear, and the last has one output */
    for (size_t i = 3; (layer = matrix(st, "dense.mlp", i)) && i < 3 * (CA_MAX_HIDDEN + 2); i += 3)
        ca_buf_printf(&text, "%s%llu", i > 3 ? "," : "", (unsigned long long)layer->dim[1]);
    rc = ca_buf_check(&text, err);
    if (!rc && ca_arch_parse(text.data, &m->spec, NULL))
        rc = unfit(st, "its layers make no architecture", err);
    ca_buf_fini(&text);
    if (rc)
        return rc;
    known = fields * width + (fibinet ? fields * (fields - 1) / 2 * width : 0);
    if (in < known || in - known > CA_MAX_COLUMNS)
        return unfit(st, "its first layer does not fit its tables", err);
    rc = ca_parts_features(m, (size_t)(in - known), fields, err);
    for (size_t i = 0; i < m->n_numeric && !rc; i++)
        rc = ca_parts_feature(&m->numeric[i], "", 0, err);
    for (size_t i = 0; i < m->n_fields && !rc; i++)
        rc = ca_parts_feature(&m->field[i], "", (uint32_t)matrix(st, tables, i)->dim[0], err);
    return rc;
}
