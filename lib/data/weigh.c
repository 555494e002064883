#include "data/weigh.h"

#include "base/mem.h"

#include "base/banned.h"

struct ca_weigher {
    struct ca_head head;    /* of the rows that leave */
    int on;
    size_t col;             /* the weight column in head */
    int old;                /* the rows come with it */
    struct ca_rows *picked; /* the chosen rows, columns as they came */
    struct ca_colview *view;
    float *weight;
    size_t weight_cap;
};

int ca_weigher_new(struct ca_weigher **out, const struct ca_head *in, int on, struct ca_err *err)
{
    struct ca_weigher *w = ca_mem_zalloc(1, sizeof *w, err);
    int rc, c;

    if (!w)
        return CA_EMEMORY;
    if ((rc = ca_head_copy(&w->head, in, err)))
        goto fail;
    w->on = on;
    if (on) {
        c = ca_schema_role(&in->schema, CA_ROLE_WEIGHT, 0);
        w->old = c >= 0;
        w->col = w->old ? (size_t)c : in->schema.n;
        if (!w->old && (rc = ca_schema_add(&w->head.schema, "weight", CA_ROLE_WEIGHT, CA_TYPE_F32, 0, 0, err))) {
            (void)ca_err_hint(err, "--no-weight leaves the weight column out");
            goto fail;
        }
        w->picked = ca_rows_new(&in->schema, err);
        w->view = ca_mem_zalloc(w->head.schema.n, sizeof *w->view, err);
        if (!w->picked || !w->view) {
            rc = CA_EMEMORY;
            goto fail;
        }
    }
    *out = w;
    return 0;
fail:
    ca_weigher_free(w);
    return rc;
}

const struct ca_head *ca_weigher_head(const struct ca_weigher *w)
{
    return &w->head;
}

int ca_weigher_put(struct ca_weigher *w, struct ca_writer *to, const struct ca_block *b, const uint32_t *at, size_t n,
                   const float *weight, struct ca_err *err)
{
    struct ca_block v;
    int rc;

    if (!w->on)
        return at ? ca_writer_put_at(to, b, at, n, err) : ca_writer_put(to, b, 0, n, err);
    if ((rc = ca_mem_grow((void **)&w->weight, &w->weight_cap, n, sizeof *w->weight, err)))
        return rc;
    v = *b;
    if (at) {
        ca_rows_clear(w->picked);
        if ((rc = ca_rows_append_at(w->picked, b, at, n, err)))
            return rc;
        v = ca_rows_view(w->picked);
    }
    for (size_t i = 0; i < n; i++)
        w->weight[i] = (weight ? weight[i] : 1.0F) * (w->old ? ca_block_f32(&v, w->col)[i] : 1.0F);
    for (size_t c = 0; c < v.schema->n; c++)
        w->view[c] = v.col[c];
    w->view[w->col] = (struct ca_colview){.data = w->weight};
    v.schema = &w->head.schema;
    v.col = w->view;
    v.rows = n;
    return ca_writer_put(to, &v, 0, n, err);
}

void ca_weigher_free(struct ca_weigher *w)
{
    if (!w)
        return;
    ca_head_fini(&w->head);
    ca_rows_free(w->picked);
    ca_mem_free(w->view);
    ca_mem_free(w->weight);
    ca_mem_free(w);
}
