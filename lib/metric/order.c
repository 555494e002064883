#include "metric/order.h"

#include <string.h>

#include "base/in.h"
#include "base/mem.h"

#include "base/banned.h"

struct ca_order_run {
    int64_t offset;
    int64_t count;
};

#define RADIX_BITS 8
#define DIGITS (64 / RADIX_BITS)
#define BUCKETS (1u << RADIX_BITS)
#define FIRST_ITEMS ((size_t)1 << 10)
#define MERGE_ITEMS ((size_t)1 << 19) /* read-ahead of all runs together */
#define MERGE_ITEMS_MIN ((size_t)64)  /* of one run */

uint32_t ca_order_float(float x)
{
    uint32_t b;

    x += 0.0f; /* makes -0 and 0 one number */
    memcpy(&b, &x, sizeof b);
    return b >> 31 ? ~b : b | 0x80000000u;
}

/* Stable, least significant digit first; digits that are all alike cost only their count. */
static int sort_items(struct ca_order *a, struct ca_err *err)
{
    struct ca_order_item *from = a->item, *to, *scratch;
    size_t (*count)[BUCKETS];

    if (a->sorted == a->n)
        return 0;
    scratch = ca_mem_alloc(a->n, sizeof *scratch, err);
    count = ca_mem_zalloc(DIGITS, sizeof *count, err);
    if (!scratch || !count) {
        ca_mem_free(scratch);
        ca_mem_free(count);
        return CA_EMEMORY;
    }
    for (size_t i = 0; i < a->n; i++)
        for (unsigned d = 0; d < DIGITS; d++)
            count[d][from[i].key >> (d * RADIX_BITS) & (BUCKETS - 1)]++;
    to = scratch;
    for (unsigned d = 0; d < DIGITS; d++) {
        size_t *c = count[d], at = 0;
        struct ca_order_item *swap = from;

        if (c[from[0].key >> (d * RADIX_BITS) & (BUCKETS - 1)] == a->n)
            continue;
        for (size_t b = 0; b < BUCKETS; b++) {
            size_t n = c[b];
            c[b] = at;
            at += n;
        }
        for (size_t i = 0; i < a->n; i++)
            to[c[from[i].key >> (d * RADIX_BITS) & (BUCKETS - 1)]++] = from[i];
        from = to;
        to = swap;
    }
    if (from != a->item)
        memcpy(a->item, from, a->n * sizeof *from);
    a->sorted = a->n;
    ca_mem_free(scratch);
    ca_mem_free(count);
    return 0;
}

static int spill(struct ca_order *a, struct ca_err *err)
{
    int rc = sort_items(a, err);
    void *runs = a->run;

    if (!rc && !a->spool)
        rc = ca_out_spool(&a->spool, err);
    if (!rc)
        rc = ca_mem_grow(&runs, &a->cap_runs, a->n_runs + 1, sizeof *a->run, err);
    a->run = runs;
    if (rc)
        return rc;
    a->run[a->n_runs] = (struct ca_order_run){ca_out_tell(a->spool), (int64_t)a->n};
    if ((rc = ca_out_write(a->spool, a->item, a->n * sizeof *a->item, err)))
        return rc;
    a->n_runs++;
    a->n = a->sorted = 0;
    return 0;
}

int ca_order_add(struct ca_order *a, uint64_t key, uint64_t value, struct ca_err *err)
{
    size_t limit = a->limit ? a->limit : CA_ORDER_BUFFER;
    int rc;

    if (a->n == limit && (rc = spill(a, err)))
        return rc;
    if (a->n == a->cap) {
        size_t want = a->cap ? 2 * a->cap : FIRST_ITEMS;
        void *items = a->item;

        rc = ca_mem_grow(&items, &a->cap, want < limit ? want : limit, sizeof *a->item, err);
        a->item = items;
        if (rc)
            return rc;
    }
    a->item[a->n++] = (struct ca_order_item){key, value};
    a->total++;
    return 0;
}

/* ---- merging ---- */

/* Read position in one sorted run. */
struct cursor {
    struct ca_order_item *item; /* read ahead; of the last cursor: the buffer itself */
    size_t at, n;
    int64_t offset, left;     /* still in the file */
};

struct ca_order_walk {
    struct ca_in *in;
    struct cursor *cursor; /* one a run, and one for the buffer */
    struct ca_order_item *ahead;
    size_t *heap;          /* cursors, the least item on top; of equal keys the older run */
    size_t n_heap;
    size_t window;
};

static int before(const struct ca_order_walk *m, size_t x, size_t y)
{
    uint64_t kx = m->cursor[x].item[m->cursor[x].at].key, ky = m->cursor[y].item[m->cursor[y].at].key;
    return kx < ky || (kx == ky && x < y);
}

static void sift_down(struct ca_order_walk *m, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, swap;

        if (left < m->n_heap && before(m, m->heap[left], m->heap[least]))
            least = left;
        if (left + 1 < m->n_heap && before(m, m->heap[left + 1], m->heap[least]))
            least = left + 1;
        if (least == i)
            return;
        swap = m->heap[i];
        m->heap[i] = m->heap[least];
        m->heap[least] = swap;
        i = least;
    }
}

/* Make c stand on an item; 0 in *more when it has ended. */
static int refill(struct ca_order_walk *m, struct cursor *c, int *more, struct ca_err *err)
{
    *more = 1;
    if (c->at < c->n)
        return 0;
    c->n = c->left < (int64_t)m->window ? (size_t)c->left : m->window;
    c->at = 0;
    *more = c->n > 0;
    if (!c->n)
        return 0;
    c->left -= (int64_t)c->n;
    c->offset += (int64_t)(c->n * sizeof *c->item);
    return ca_in_pread(m->in, c->item, c->n * sizeof *c->item, c->offset - (int64_t)(c->n * sizeof *c->item), err);
}

void ca_order_end(struct ca_order_walk *m)
{
    if (!m)
        return;
    ca_in_close(m->in);
    ca_mem_free(m->cursor);
    ca_mem_free(m->ahead);
    ca_mem_free(m->heap);
    ca_mem_free(m);
}

int ca_order_begin(struct ca_order_walk **out, struct ca_order *a, struct ca_err *err)
{
    struct ca_order_walk *m = ca_mem_zalloc(1, sizeof *m, err);
    int rc, more;

    *out = m;
    if (!m)
        return CA_EMEMORY;
    if ((rc = sort_items(a, err)))
        return rc;
    m->window = MERGE_ITEMS / (a->n_runs + 1);
    if (m->window < MERGE_ITEMS_MIN)
        m->window = MERGE_ITEMS_MIN;
    m->cursor = ca_mem_zalloc(a->n_runs + 1, sizeof *m->cursor, err);
    m->heap = ca_mem_alloc(a->n_runs + 1, sizeof *m->heap, err);
    if (!m->cursor || !m->heap)
        return CA_EMEMORY;
    if (a->n_runs) {
        size_t items;

        if (ca_mem_mul(a->n_runs, m->window, &items))
            return ca_err_set(err, CA_EMEMORY, "too many runs to merge");
        if (!(m->ahead = ca_mem_alloc(items, sizeof *m->ahead, err)))
            return CA_EMEMORY;
        if ((rc = ca_out_spool_input(a->spool, &m->in, err)))
            return rc;
        /* both descriptors share one position: later runs must go on behind the last */
        if ((rc = ca_in_seek(m->in, ca_out_tell(a->spool), err)))
            return rc;
    }
    for (size_t i = 0; i < a->n_runs; i++) {
        m->cursor[i] = (struct cursor){.item = m->ahead + i * m->window, .offset = a->run[i].offset,
                                       .left = a->run[i].count};
    }
    m->cursor[a->n_runs] = (struct cursor){.item = a->item, .n = a->n};
    for (size_t i = 0; i <= a->n_runs; i++) {
        if ((rc = refill(m, &m->cursor[i], &more, err)))
            return rc;
        if (more)
            m->heap[m->n_heap++] = i;
    }
    for (size_t i = m->n_heap; i-- > 0;)
        sift_down(m, i);
    return 0;
}

int ca_order_next(struct ca_order_walk *m, struct ca_order_item *p, struct ca_err *err)
{
    struct cursor *c;
    int more, rc;

    if (!m->n_heap)
        return 0;
    c = &m->cursor[m->heap[0]];
    *p = c->item[c->at++];
    if ((rc = refill(m, c, &more, err)))
        return rc;
    if (!more)
        m->heap[0] = m->heap[--m->n_heap];
    sift_down(m, 0);
    return 1;
}

int ca_order_merge(struct ca_order *a, struct ca_order *b, struct ca_err *err)
{
    struct ca_order_item item;
    struct ca_order_walk *w = NULL;
    int rc = ca_order_begin(&w, b, err);

    if (!rc)
        while ((rc = ca_order_next(w, &item, err)) == 1)
            if ((rc = ca_order_add(a, item.key, item.value, err)))
                break;
    ca_order_end(w);
    return rc;
}

void ca_order_fini(struct ca_order *o)
{
    ca_mem_free(o->item);
    ca_mem_free(o->run);
    ca_out_abort(o->spool);
    *o = (struct ca_order){0};
}
