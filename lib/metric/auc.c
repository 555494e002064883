#include "metric/auc.h"

#include <math.h>
#include <string.h>

#include "base/in.h"
#include "base/mem.h"
#include "metric/sum.h"

#include "base/banned.h"

struct ca_auc_pair {
    uint64_t key; /* group above, the score's bits in sorting order below */
    float label;
    float weight;
};

struct ca_auc_run {
    int64_t offset;
    int64_t count;
};

#define RADIX_BITS 8
#define DIGITS (64 / RADIX_BITS)
#define BUCKETS (1u << RADIX_BITS)
#define FIRST_PAIRS ((size_t)1 << 10)
#define MERGE_PAIRS ((size_t)1 << 19) /* read-ahead of all runs together */
#define MERGE_PAIRS_MIN ((size_t)64)  /* of one run */

/* Unsigned numbers in the order of the floats; adding zero makes -0 and 0 one score. */
static uint32_t sortable(float score)
{
    uint32_t b;

    score += 0.0f;
    memcpy(&b, &score, sizeof b);
    return b >> 31 ? ~b : b | 0x80000000u;
}

/* Stable, least significant digit first; digits that are all alike cost only their count. */
static int sort_pairs(struct ca_auc *a, struct ca_err *err)
{
    struct ca_auc_pair *from = a->pair, *to, *scratch;
    size_t (*count)[BUCKETS];

    if (a->n < 2)
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
        struct ca_auc_pair *swap = from;

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
    if (from != a->pair)
        memcpy(a->pair, from, a->n * sizeof *from);
    ca_mem_free(scratch);
    ca_mem_free(count);
    return 0;
}

static int spill(struct ca_auc *a, struct ca_err *err)
{
    int rc = sort_pairs(a, err);
    void *runs = a->run;

    if (!rc && !a->spool)
        rc = ca_out_spool(&a->spool, err);
    if (!rc)
        rc = ca_mem_grow(&runs, &a->cap_runs, a->n_runs + 1, sizeof *a->run, err);
    a->run = runs;
    if (rc)
        return rc;
    a->run[a->n_runs] = (struct ca_auc_run){ca_out_tell(a->spool), (int64_t)a->n};
    if ((rc = ca_out_write(a->spool, a->pair, a->n * sizeof *a->pair, err)))
        return rc;
    a->n_runs++;
    a->n = 0;
    return 0;
}

static int append(struct ca_auc *a, const struct ca_auc_pair *p, struct ca_err *err)
{
    size_t limit = a->limit ? a->limit : CA_AUC_BUFFER;
    int rc;

    if (a->n == limit && (rc = spill(a, err)))
        return rc;
    if (a->n == a->cap) {
        size_t want = a->cap ? 2 * a->cap : FIRST_PAIRS;
        void *pairs = a->pair;

        rc = ca_mem_grow(&pairs, &a->cap, want < limit ? want : limit, sizeof *p, err);
        a->pair = pairs;
        if (rc)
            return rc;
    }
    a->pair[a->n++] = *p;
    a->total++;
    return 0;
}

int ca_auc_add(struct ca_auc *a, uint32_t group, float score, float label, float weight, struct ca_err *err)
{
    struct ca_auc_pair p = {(uint64_t)group << 32 | sortable(score), label, weight};
    int rc = 0;

    if (isnan(score))
        rc = ca_err_set(err, CA_ENUMERIC, "score is not a number");
    else if (!(label >= 0.0f && label <= 1.0f))
        rc = ca_err_set(err, CA_EFORMAT, "label %.9g is not between 0 and 1", (double)label);
    else if (!(weight >= 0.0f) || isinf(weight))
        rc = ca_err_set(err, CA_EFORMAT, "weight %.9g is negative or not finite", (double)weight);
    if (rc) {
        (void)ca_err_at(err, NULL, -1, a->total);
        return rc;
    }
    return append(a, &p, err);
}

/* ---- merging ---- */

/* Read position in one sorted run. */
struct cursor {
    struct ca_auc_pair *pair; /* read ahead; of the last cursor: the buffer itself */
    size_t at, n;
    int64_t offset, left;     /* still in the file */
};

struct merge {
    struct ca_in *in;
    struct cursor *cursor; /* one a run, and one for the buffer */
    struct ca_auc_pair *ahead;
    size_t *heap;          /* cursors, the least pair on top; of equal keys the older run */
    size_t n_heap;
    size_t window;
};

static int before(const struct merge *m, size_t x, size_t y)
{
    uint64_t kx = m->cursor[x].pair[m->cursor[x].at].key, ky = m->cursor[y].pair[m->cursor[y].at].key;
    return kx < ky || (kx == ky && x < y);
}

static void sift_down(struct merge *m, size_t i)
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

/* Make c stand on a pair; 0 in *more when it has ended. */
static int refill(struct merge *m, struct cursor *c, int *more, struct ca_err *err)
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
    c->offset += (int64_t)(c->n * sizeof *c->pair);
    return ca_in_pread(m->in, c->pair, c->n * sizeof *c->pair, c->offset - (int64_t)(c->n * sizeof *c->pair), err);
}

static void merge_end(struct merge *m)
{
    ca_in_close(m->in);
    ca_mem_free(m->cursor);
    ca_mem_free(m->ahead);
    ca_mem_free(m->heap);
}

/* Needs the buffer sorted. */
static int merge_begin(struct merge *m, struct ca_auc *a, struct ca_err *err)
{
    int rc, more;

    memset(m, 0, sizeof *m);
    m->window = MERGE_PAIRS / (a->n_runs + 1);
    if (m->window < MERGE_PAIRS_MIN)
        m->window = MERGE_PAIRS_MIN;
    m->cursor = ca_mem_zalloc(a->n_runs + 1, sizeof *m->cursor, err);
    m->heap = ca_mem_alloc(a->n_runs + 1, sizeof *m->heap, err);
    if (!m->cursor || !m->heap)
        return CA_EMEMORY;
    if (a->n_runs) {
        size_t pairs;

        if (ca_mem_mul(a->n_runs, m->window, &pairs))
            return ca_err_set(err, CA_EMEMORY, "too many runs to merge");
        if (!(m->ahead = ca_mem_alloc(pairs, sizeof *m->ahead, err)))
            return CA_EMEMORY;
        if ((rc = ca_out_spool_input(a->spool, &m->in, err)))
            return rc;
        /* both descriptors share one position: later runs must go on behind the last */
        if ((rc = ca_in_seek(m->in, ca_out_tell(a->spool), err)))
            return rc;
    }
    for (size_t i = 0; i < a->n_runs; i++) {
        m->cursor[i] = (struct cursor){.pair = m->ahead + i * m->window, .offset = a->run[i].offset,
                                       .left = a->run[i].count};
    }
    m->cursor[a->n_runs] = (struct cursor){.pair = a->pair, .n = a->n};
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

/* The next pair in order; 1, 0 at the end, or a fault. */
static int merge_next(struct merge *m, struct ca_auc_pair *p, struct ca_err *err)
{
    struct cursor *c;
    int more, rc;

    if (!m->n_heap)
        return 0;
    c = &m->cursor[m->heap[0]];
    *p = c->pair[c->at++];
    if ((rc = refill(m, c, &more, err)))
        return rc;
    if (!more)
        m->heap[0] = m->heap[--m->n_heap];
    sift_down(m, 0);
    return 1;
}

/* ---- areas ---- */

struct area {
    struct ca_sum positives, negatives; /* below the present score */
    struct ca_sum tie_positives, tie_negatives;
    struct ca_sum wins;                 /* weighted pairs of classes in the right order, ties counting half */
    uint64_t key;
};

static void close_tie(struct area *s)
{
    double pos = ca_sum_value(&s->tie_positives), neg = ca_sum_value(&s->tie_negatives);

    ca_sum_add(&s->wins, pos * (ca_sum_value(&s->negatives) + 0.5 * neg));
    ca_sum_add(&s->positives, pos);
    ca_sum_add(&s->negatives, neg);
    s->tie_positives = s->tie_negatives = (struct ca_sum){0};
}

static int close_group(struct area *s, ca_auc_fn *fn, void *arg)
{
    struct ca_auc_area out = {.group = (uint32_t)(s->key >> 32)};

    close_tie(s);
    out.positives = ca_sum_value(&s->positives);
    out.negatives = ca_sum_value(&s->negatives);
    out.auc = out.positives > 0 && out.negatives > 0
                  ? ca_sum_value(&s->wins) / out.positives / out.negatives
                  : (double)NAN;
    *s = (struct area){0};
    return fn(arg, &out);
}

int ca_auc_walk(struct ca_auc *a, ca_auc_fn *fn, void *arg, struct ca_err *err)
{
    struct area s = {0};
    struct ca_auc_pair p;
    struct merge m;
    int rc, any = 0;

    if ((rc = sort_pairs(a, err)))
        return rc;
    if ((rc = merge_begin(&m, a, err)))
        goto out;
    while ((rc = merge_next(&m, &p, err)) == 1) {
        if (any && p.key >> 32 != s.key >> 32) {
            if ((rc = close_group(&s, fn, arg)))
                goto out;
        } else if (any && p.key != s.key) {
            close_tie(&s);
        }
        any = 1;
        s.key = p.key;
        ca_sum_add(&s.tie_positives, (double)p.weight * (double)p.label);
        ca_sum_add(&s.tie_negatives, (double)p.weight * (1.0 - (double)p.label));
    }
    if (!rc && any)
        rc = close_group(&s, fn, arg);
out:
    merge_end(&m);
    return rc;
}

int ca_auc_merge(struct ca_auc *a, struct ca_auc *b, struct ca_err *err)
{
    struct ca_auc_pair p;
    struct merge m;
    int rc = sort_pairs(b, err);

    if (rc)
        return rc;
    if (!(rc = merge_begin(&m, b, err)))
        while ((rc = merge_next(&m, &p, err)) == 1)
            if ((rc = append(a, &p, err)))
                break;
    merge_end(&m);
    return rc;
}

void ca_auc_fini(struct ca_auc *a)
{
    ca_mem_free(a->pair);
    ca_mem_free(a->run);
    ca_out_abort(a->spool);
    *a = (struct ca_auc){0};
}
