#include "nn/table.h"

#include <string.h>

#include "nn/simd.h"

#include "base/banned.h"

#define AHEAD 16 /* rows of prefetch */
#define PIECE 64 /* elements looked at without changing them, at a time */

int ca_table_init(struct ca_table *t, size_t rows, size_t width, int inference, struct ca_err *err)
{
    size_t n;

    *t = (struct ca_table){.rows = rows, .width = width, .stride = inference ? width : 3 * width};
    if (ca_mem_mul(rows, t->stride, &n))
        return ca_err_set(err, CA_EMEMORY, "out of memory: embedding table of %zu x %zu", rows, width);
    t->data = ca_mem_aligned(n, sizeof *t->data, 64, err);
    if (!t->data)
        return CA_EMEMORY;
    if (inference)
        return 0;
    t->mark = ca_mem_aligned(rows, sizeof *t->mark, 64, err);
    return t->mark ? 0 : CA_EMEMORY;
}

void ca_table_fini(struct ca_table *t)
{
    ca_mem_free(t->data);
    ca_mem_free(t->mark);
    ca_mem_free(t->touched);
    ca_mem_free(t->value);
    ca_mem_free(t->grad);
    ca_mem_free(t->index);
    ca_mem_free(t->dvalue);
    *t = (struct ca_table){0};
}

int ca_table_reserve(struct ca_table *t, size_t batch, struct ca_err *err)
{
    size_t rows = t->n_touched + batch;

    if (rows > t->rows)
        rows = t->rows;
    if (ca_mem_grow((void **)&t->touched, &t->cap_touched, rows, sizeof *t->touched, err) ||
        ca_mem_grow((void **)&t->value, &t->cap_value, rows * t->width, sizeof *t->value, err) ||
        ca_mem_grow((void **)&t->grad, &t->cap_grad, rows * t->width, sizeof *t->grad, err) ||
        ca_mem_grow((void **)&t->index, &t->cap_index, batch, sizeof *t->index, err) ||
        ca_mem_grow((void **)&t->dvalue, &t->cap_dvalue, batch * t->width, sizeof *t->dvalue, err))
        return CA_EMEMORY;
    return 0;
}

static ca_real *row_of(const struct ca_table *t, uint32_t row)
{
    return t->data + (size_t)row * t->stride;
}

static int is_touched(const struct ca_table *t, uint32_t row, uint32_t slot)
{
    return slot < t->n_touched && t->touched[slot] == row;
}

/* p, m and v of a row to the present. */
static void bring(const struct ca_table *t, const struct ca_adam_clock *clock, uint32_t row)
{
    struct ca_row_mark *mark = &t->mark[row];
    ca_real *p = row_of(t, row);

    if (!mark->last || mark->last == clock->now)
        return;
    ca_adam_rest(clock, mark->last, t->width, p, p + t->width, p + 2 * t->width);
    mark->last = (uint32_t)clock->now;
}

void ca_table_touch(struct ca_table *t, const struct ca_adam_clock *clock, const uint32_t *ids, size_t n)
{
    size_t known = t->n_touched, row_bytes = t->stride * sizeof *t->data;

    for (size_t b = 0; b < n; b++) {
        uint32_t row = ids[b];

        if (b + AHEAD < n)
            __builtin_prefetch(&t->mark[ids[b + AHEAD]], 1);
        if (!is_touched(t, row, t->mark[row].slot)) {
            t->mark[row].slot = (uint32_t)t->n_touched;
            t->touched[t->n_touched++] = row;
        }
        t->index[b] = t->mark[row].slot;
    }
    for (size_t s = known; s < t->n_touched; s++) {
        if (s + AHEAD / 2 < t->n_touched) {
            const char *next = (const char *)row_of(t, t->touched[s + AHEAD / 2]);
            for (size_t byte = 0; byte < row_bytes; byte += 64)
                __builtin_prefetch(next + byte, 1);
        }
        bring(t, clock, t->touched[s]);
        memcpy(t->value + s * t->width, row_of(t, t->touched[s]), t->width * sizeof *t->value);
    }
    memset(t->grad + known * t->width, 0, (t->n_touched - known) * t->width * sizeof *t->grad);
}

CA_INLINE void copy_rows(size_t width, const uint32_t *index, size_t n, const ca_real *from, ca_real *out, size_t ld)
{
    for (size_t r = 0; r < n; r++)
        memcpy(out + r * ld, from + (size_t)index[r] * width, width * sizeof *out);
}

/* The usual widths are known to the compiler: a row is then one or two moves. */
void ca_table_gather_touched(const struct ca_table *t, size_t from, size_t n, ca_real *out, size_t ld)
{
    if (t->width == 8)
        copy_rows(8, t->index + from, n, t->value, out, ld);
    else if (t->width == 16)
        copy_rows(16, t->index + from, n, t->value, out, ld);
    else
        copy_rows(t->width, t->index + from, n, t->value, out, ld);
}

/* The present weights of a row that rests in the past. */
static void look(const struct ca_table *t, const struct ca_adam_clock *clock, uint32_t row, ca_real *out)
{
    const ca_real *p = row_of(t, row);

    for (size_t at = 0; at < t->width; at += PIECE) {
        size_t n = t->width - at < PIECE ? t->width - at : PIECE;
        ca_real m[PIECE], v[PIECE];

        memcpy(out + at, p + at, n * sizeof *p);
        memcpy(m, p + t->width + at, n * sizeof *p);
        memcpy(v, p + 2 * t->width + at, n * sizeof *p);
        ca_adam_rest(clock, t->mark[row].last, n, out + at, m, v);
    }
}

void ca_table_gather(const struct ca_table *t, const struct ca_adam_clock *clock, const uint32_t *ids, size_t n,
                     ca_real *out, size_t ld)
{
    for (size_t r = 0; r < n; r++) {
        uint32_t last;

        if (r + AHEAD < n) {
            __builtin_prefetch(row_of(t, ids[r + AHEAD]));
            if (t->mark)
                __builtin_prefetch(&t->mark[ids[r + AHEAD]]);
        }
        last = t->mark ? t->mark[ids[r]].last : 0;
        if (last && last != clock->now)
            look(t, clock, ids[r], out + r * ld);
        else
            memcpy(out + r * ld, row_of(t, ids[r]), t->width * sizeof *out);
    }
}

void ca_table_keep(struct ca_table *t, size_t from, size_t n, const ca_real *d, size_t ld)
{
    for (size_t r = 0; r < n; r++)
        memcpy(t->dvalue + (from + r) * t->width, d + r * ld, t->width * sizeof *d);
}

CA_INLINE void add_rows(size_t width, const uint32_t *index, size_t n, const ca_real *from, ca_real *to)
{
    for (size_t r = 0; r < n; r++)
        ca_add(width, from + r * width, to + (size_t)index[r] * width);
}

CA_CLONES void ca_table_accumulate(struct ca_table *t, size_t n)
{
    if (t->width == 8)
        add_rows(8, t->index, n, t->dvalue, t->grad);
    else if (t->width == 16)
        add_rows(16, t->index, n, t->dvalue, t->grad);
    else
        add_rows(t->width, t->index, n, t->dvalue, t->grad);
}

void ca_table_step(struct ca_table *t, const struct ca_adam_clock *clock)
{
    for (size_t s = 0; s < t->n_touched; s++) {
        ca_real *p = row_of(t, t->touched[s]);

        ca_adam_step(clock, t->width, p, p + t->width, p + 2 * t->width, t->grad + s * t->width);
        t->mark[t->touched[s]].last = (uint32_t)clock->now;
    }
    ca_table_forget(t);
}

void ca_table_descend(struct ca_table *t, ca_real rate)
{
    for (size_t s = 0; s < t->n_touched; s++) {
        ca_real *p = row_of(t, t->touched[s]);

        for (size_t i = 0; i < t->width; i++)
            p[i] -= rate * t->grad[s * t->width + i];
    }
    ca_table_forget(t);
}

void ca_table_forget(struct ca_table *t)
{
    t->n_touched = 0;
}

void ca_table_settle(struct ca_table *t, const struct ca_adam_clock *clock, size_t from, size_t to)
{
    if (!t->mark)
        return;
    for (size_t row = from; row < to; row++)
        bring(t, clock, (uint32_t)row);
}

const ca_real *ca_table_gradient(const struct ca_table *t, size_t row)
{
    uint32_t slot;

    if (!t->mark)
        return NULL;
    slot = t->mark[row].slot;
    return is_touched(t, (uint32_t)row, slot) ? t->grad + slot * t->width : NULL;
}
