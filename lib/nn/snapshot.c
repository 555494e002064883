#include "nn/snapshot.h"

#include <string.h>

#include "nn/inside.h"

#include "base/banned.h"

struct ca_snapshot {
    ca_real *weight, *m, *v, *buffer;
    ca_real **table;               /* rows with their moments */
    struct ca_row_mark **mark;
    size_t n_tables;
    uint64_t dense_steps, table_steps;
};

static ca_real *room(size_t count, struct ca_err *err)
{
    return ca_mem_aligned(count, sizeof(ca_real), 64, err);
}

static int make(struct ca_snapshot **out, const struct ca_net *n, struct ca_err *err)
{
    struct ca_snapshot *s = ca_mem_zalloc(1, sizeof *s, err);
    size_t tables = n->graph->n_tables;

    if (!s)
        return CA_EMEMORY;
    *out = s;
    s->n_tables = tables;
    s->weight = room(n->count, err);
    s->m = room(n->count, err);
    s->v = room(n->count, err);
    s->buffer = room(n->graph->buffer_count, err);
    s->table = ca_mem_zalloc(tables, sizeof *s->table, err);
    s->mark = ca_mem_zalloc(tables, sizeof *s->mark, err);
    if (!s->weight || !s->m || !s->v || !s->buffer || !s->table || !s->mark)
        return CA_EMEMORY;
    for (size_t i = 0; i < tables; i++) {
        s->table[i] = room(n->table[i].rows * n->table[i].stride, err);
        s->mark[i] = ca_mem_alloc(n->table[i].rows, sizeof **s->mark, err);
        if (!s->table[i] || !s->mark[i])
            return CA_EMEMORY;
    }
    return 0;
}

int ca_snapshot_take(struct ca_snapshot **out, struct ca_net *n, struct ca_err *err)
{
    struct ca_snapshot *s = *out;
    int rc;

    if (!ca_inside_trains(n))
        return ca_err_set(err, CA_EINTERNAL, "snapshot of a network made for inference");
    if (!s && (rc = make(&s, n, err))) {
        ca_snapshot_free(s);
        return rc;
    }
    *out = s;
    if ((rc = ca_net_settle(n, err)))
        return rc;
    memcpy(s->weight, n->weight, n->count * sizeof *s->weight);
    memcpy(s->m, n->m, n->count * sizeof *s->m);
    memcpy(s->v, n->v, n->count * sizeof *s->v);
    memcpy(s->buffer, n->buffer, n->graph->buffer_count * sizeof *s->buffer);
    for (size_t i = 0; i < s->n_tables; i++) {
        memcpy(s->table[i], n->table[i].data, n->table[i].rows * n->table[i].stride * sizeof **s->table);
        memcpy(s->mark[i], n->table[i].mark, n->table[i].rows * sizeof **s->mark);
    }
    s->dense_steps = n->dense_clock.now;
    s->table_steps = n->table_clock.now;
    return 0;
}

void ca_snapshot_restore(const struct ca_snapshot *s, struct ca_net *n)
{
    memcpy(n->weight, s->weight, n->count * sizeof *s->weight);
    memcpy(n->m, s->m, n->count * sizeof *s->m);
    memcpy(n->v, s->v, n->count * sizeof *s->v);
    memcpy(n->buffer, s->buffer, n->graph->buffer_count * sizeof *s->buffer);
    memset(n->grad, 0, n->count * sizeof *n->grad);
    ca_adam_clock_restart(&n->dense_clock, &n->adam, n->adam.lr_dense, s->dense_steps);
    ca_adam_clock_restart(&n->table_clock, &n->adam, n->adam.lr_table, s->table_steps);
    n->passes = 0;
    for (size_t i = 0; i < s->n_tables; i++) {
        struct ca_table *t = &n->table[i];

        ca_table_forget(t, &n->table_clock);
        memcpy(t->data, s->table[i], t->rows * t->stride * sizeof *t->data);
        /* what was settled stands at the snapshot's step; a row without a gradient so far does not move */
        for (size_t r = 0; r < t->rows; r++)
            t->mark[r].last = s->mark[i][r].last ? (uint32_t)s->table_steps : 0;
    }
}

void ca_snapshot_free(struct ca_snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_tables; i++) {
        if (s->table)
            ca_mem_free(s->table[i]);
        if (s->mark)
            ca_mem_free(s->mark[i]);
    }
    ca_mem_free(s->table);
    ca_mem_free(s->mark);
    ca_mem_free(s->weight);
    ca_mem_free(s->m);
    ca_mem_free(s->v);
    ca_mem_free(s->buffer);
    ca_mem_free(s);
}
