#include "nn/table.h"

#include <string.h>

#include "nn/adam_row.h"

#include "base/banned.h"

#define AHEAD 32       /* rows of prefetch */
#define MARKS_AHEAD 64 /* the same where a row is a few instructions */
#define PIECE 64       /* elements looked at without changing them, at a time */

int ca_table_init(struct ca_table *t, size_t rows, size_t width, int inference, struct ca_err *err)
{
    size_t n;

    *t = (struct ca_table){.rows = rows, .width = width, .stride = inference ? width : 3 * width, .base = 1};
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
    if (ca_mem_grow((void **)&t->touched, &t->cap_touched, rows + 1, sizeof *t->touched, err) ||
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

/* Place of a row among the touched; n_touched or more if it is not one of them. */
static uint32_t slot_of(const struct ca_table *t, uint32_t row)
{
    return t->mark[row].stamp - t->base;
}

/*
 * Loops over rows come twice: with a width known to the compiler, where a row
 * is one or two registers, for the usual widths, and for any.
 */
#define BY_WIDTH(t, call) \
    do { \
        if ((t)->width == 8) { \
            const size_t width = 8; \
            call; \
        } else if ((t)->width == 16) { \
            const size_t width = 16; \
            call; \
        } else { \
            const size_t width = (t)->width; \
            call; \
        } \
    } while (0)

/* p, m and v of a row to the present. */
CA_INLINE void bring(const struct ca_table *t, const struct ca_adam_clock *clock, uint32_t row, size_t width)
{
    struct ca_row_mark *mark = &t->mark[row];
    ca_real *p = t->data + (size_t)row * 3 * width;

    if (!mark->last || mark->last >= clock->now)
        return;
    ca_adam_rest_row(clock, mark->last, width, p, p + width, p + 2 * width);
    mark->last = (uint32_t)clock->now;
}

CA_INLINE void prefetch_row(const ca_real *row, size_t elements)
{
    for (size_t i = 0; i < elements; i += 64 / sizeof *row)
        __builtin_prefetch(row + i, 1);
}

CA_INLINE void bring_touched(const struct ca_table *t, const struct ca_adam_clock *clock, size_t from, size_t width)
{
    for (size_t s = from; s < t->n_touched; s++) {
        if (s + AHEAD < t->n_touched)
            prefetch_row(row_of(t, t->touched[s + AHEAD]), 3 * width);
        bring(t, clock, t->touched[s], width);
        /* here and not when it is made: by then the mark is out of the cache */
        t->mark[t->touched[s]].last = (uint32_t)clock->now + 1;
        memcpy(t->value + s * width, row_of(t, t->touched[s]), width * sizeof *t->value);
    }
}

CA_CLONES static void bring_new(const struct ca_table *t, const struct ca_adam_clock *clock, size_t from)
{
    BY_WIDTH(t, bring_touched(t, clock, from, width));
}

/* Without branches: whether a row is new is a coin toss, and half of them would be guessed wrong. */
static void number_rows(struct ca_table *t, const uint32_t *restrict ids, uint32_t *restrict index, size_t n)
{
    struct ca_row_mark *restrict mark = t->mark;
    uint32_t *restrict touched = t->touched;
    uint32_t base = t->base, count = (uint32_t)t->n_touched;

    for (size_t b = 0; b < n; b++) {
        uint32_t row = ids[b], slot = mark[row].stamp - base, fresh = slot >= count;

        if (b + MARKS_AHEAD < n)
            __builtin_prefetch(&mark[ids[b + MARKS_AHEAD]], 1);
        slot = fresh ? count : slot;
        mark[row].stamp = base + slot;
        touched[count] = row;
        index[b] = slot;
        count += fresh;
    }
    t->n_touched = count;
}

void ca_table_touch(struct ca_table *t, const struct ca_adam_clock *clock, const uint32_t *ids, size_t at, size_t n)
{
    size_t known = t->n_touched;

    number_rows(t, ids, t->index + at, n);
    bring_new(t, clock, known);
    if (t->n_touched > known)
        memset(t->grad + known * t->width, 0, (t->n_touched - known) * t->width * sizeof *t->grad);
}

CA_INLINE void copy_rows(size_t width, const uint32_t *index, size_t n, const ca_real *from, ca_real *out, size_t ld)
{
    for (size_t r = 0; r < n; r++)
        memcpy(out + r * ld, from + (size_t)index[r] * width, width * sizeof *out);
}

CA_CLONES void ca_table_gather_touched(const struct ca_table *t, size_t from, size_t n, ca_real *out, size_t ld)
{
    BY_WIDTH(t, copy_rows(width, t->index + from, n, t->value, out, ld));
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

CA_INLINE void fetch_row(const struct ca_table *t, uint32_t id)
{
    __builtin_prefetch(row_of(t, id));
    if (t->mark)
        __builtin_prefetch(&t->mark[id]);
}

void ca_table_fetch(const struct ca_table *t, const uint32_t *ids, size_t n)
{
    for (size_t r = 0; r < n && r < AHEAD; r++)
        fetch_row(t, ids[r]);
}

CA_INLINE void gather_rows(const struct ca_table *t, const struct ca_adam_clock *clock, const uint32_t *ids, size_t n,
                           ca_real *out, size_t ld, size_t width)
{
    for (size_t r = 0; r < n; r++) {
        uint32_t last = t->mark ? t->mark[ids[r]].last : 0;

        if (r + AHEAD < n)
            fetch_row(t, ids[r + AHEAD]);
        if (last && last < clock->now)
            look(t, clock, ids[r], out + r * ld);
        else
            memcpy(out + r * ld, row_of(t, ids[r]), width * sizeof *out);
    }
}

CA_CLONES void ca_table_gather(const struct ca_table *t, const struct ca_adam_clock *clock, const uint32_t *ids,
                               size_t n, ca_real *out, size_t ld)
{
    BY_WIDTH(t, gather_rows(t, clock, ids, n, out, ld, width));
}

CA_INLINE void copy_block(ca_real *to, size_t n, const ca_real *from, size_t ld, size_t width)
{
    for (size_t r = 0; r < n; r++)
        memcpy(to + r * width, from + r * ld, width * sizeof *to);
}

CA_CLONES void ca_table_keep(struct ca_table *t, size_t from, size_t n, const ca_real *d, size_t ld)
{
    BY_WIDTH(t, copy_block(t->dvalue + from * width, n, d, ld, width));
}

CA_INLINE void add_rows(size_t width, const uint32_t *index, size_t n, const ca_real *from, ca_real *to)
{
    for (size_t r = 0; r < n; r++)
        ca_add(width, from + r * width, to + (size_t)index[r] * width);
}

CA_CLONES void ca_table_accumulate(struct ca_table *t, size_t n)
{
    BY_WIDTH(t, add_rows(width, t->index, n, t->dvalue, t->grad));
    if (t->padded && slot_of(t, 0) < t->n_touched)
        memset(t->grad + slot_of(t, 0) * t->width, 0, t->width * sizeof *t->grad);
}

static void end_touches(struct ca_table *t)
{
    t->base += (uint32_t)t->n_touched;
    t->n_touched = 0;
    /* Before stamps of as many rows as there are would pass the largest, they begin anew. */
    if (t->base <= UINT32_MAX - t->rows)
        return;
    for (size_t row = 0; row < t->rows; row++)
        t->mark[row].stamp = 0;
    t->base = 1;
}

CA_INLINE void step_rows(struct ca_table *t, const struct ca_adam_clock *clock, size_t width)
{
    for (size_t s = 0; s < t->n_touched; s++) {
        ca_real *p = t->data + (size_t)t->touched[s] * 3 * width;

        if (s + AHEAD < t->n_touched)
            prefetch_row(row_of(t, t->touched[s + AHEAD]), 3 * width);
        ca_adam_step_row(clock, width, p, p + width, p + 2 * width, t->grad + s * width);
    }
}

CA_CLONES void ca_table_step(struct ca_table *t, const struct ca_adam_clock *clock)
{
    BY_WIDTH(t, step_rows(t, clock, width));
    end_touches(t);
}

double ca_table_square(const struct ca_table *t)
{
    double sum = 0;

    for (size_t i = 0; i < t->n_touched * t->width; i++)
        sum += (double)t->grad[i] * (double)t->grad[i];
    return sum;
}

CA_CLONES void ca_table_scale(struct ca_table *t, ca_real a)
{
    for (size_t i = 0; i < t->n_touched * t->width; i++)
        t->grad[i] *= a;
}

double ca_table_decayed_square(const struct ca_table *t, ca_real decay, size_t from, size_t to)
{
    double sum = 0;

    for (size_t row = from; row < to; row++) {
        const ca_real *g = ca_table_gradient(t, row), *p = row_of(t, (uint32_t)row);

        for (size_t k = 0; k < t->width; k++) {
            double x = (double)((g ? g[k] : 0) + decay * p[k]);
            sum += x * x;
        }
    }
    return sum;
}

CA_INLINE void decayed_rows(struct ca_table *t, const struct ca_adam_clock *clock, ca_real decay, ca_real a, size_t from,
                            size_t to)
{
    ca_real sum[PIECE];

    for (size_t row = from; row < to; row++) {
        const ca_real *g = ca_table_gradient(t, row);
        ca_real *p = row_of(t, (uint32_t)row), *m = p + t->width, *v = m + t->width;

        for (size_t at = 0; at < t->width; at += PIECE) {
            size_t n = t->width - at < PIECE ? t->width - at : PIECE;

            for (size_t k = 0; k < n; k++)
                sum[k] = ((g ? g[at + k] : 0) + decay * p[at + k]) * a;
            ca_adam_step_row(clock, n, p + at, m + at, v + at, sum);
        }
        t->mark[row].last = (uint32_t)clock->now;
    }
}

CA_CLONES void ca_table_decayed_step(struct ca_table *t, const struct ca_adam_clock *clock, ca_real decay, ca_real a,
                                     size_t from, size_t to)
{
    decayed_rows(t, clock, decay, a, from, to);
}

CA_CLONES void ca_table_descend(struct ca_table *t, const struct ca_adam_clock *clock, ca_real rate)
{
    for (size_t s = 0; s < t->n_touched; s++)
        ca_axpy(t->width, -rate, t->grad + s * t->width, row_of(t, t->touched[s]));
    ca_table_forget(t, clock);
}

void ca_table_forget(struct ca_table *t, const struct ca_adam_clock *clock)
{
    for (size_t s = 0; s < t->n_touched; s++)
        t->mark[t->touched[s]].last = (uint32_t)clock->now;
    end_touches(t);
}

void ca_table_stand(struct ca_table *t, uint64_t step)
{
    for (size_t row = 0; row < t->rows; row++)
        t->mark[row].last = (uint32_t)step;
    for (size_t s = 0; s < t->n_touched; s++)
        t->mark[t->touched[s]].last = (uint32_t)step + 1;
}

CA_INLINE void bring_range(const struct ca_table *t, const struct ca_adam_clock *clock, size_t from, size_t to,
                           size_t width)
{
    for (size_t row = from; row < to; row++)
        bring(t, clock, (uint32_t)row, width);
}

CA_CLONES void ca_table_settle(struct ca_table *t, const struct ca_adam_clock *clock, size_t from, size_t to)
{
    if (t->mark)
        BY_WIDTH(t, bring_range(t, clock, from, to, width));
}

const ca_real *ca_table_gradient(const struct ca_table *t, size_t row)
{
    uint32_t slot;

    if (!t->mark)
        return NULL;
    slot = slot_of(t, (uint32_t)row);
    return slot < t->n_touched ? t->grad + slot * t->width : NULL;
}
