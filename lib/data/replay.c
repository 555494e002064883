#include "data/replay.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/settle.h"

#include "base/banned.h"

struct ca_replay {
    struct ca_reader *reader;
    struct ca_rng rng;
    uint64_t rows;
    int64_t *at; /* the rows of one step */
    size_t cap;
};

int ca_replay_open(struct ca_replay **out, const char *path, uint64_t seed, struct ca_err *err)
{
    struct ca_replay *p = ca_mem_zalloc(1, sizeof *p, err);
    int rc;

    if (!p)
        return CA_EMEMORY;
    if ((rc = ca_reader_open(&p->reader, path, 0, err)) || (rc = ca_settle_random(&p->reader, err)))
        goto fail;
    p->rng = ca_rng_make(seed, "replay");
    p->rows = (uint64_t)ca_reader_tail(p->reader)->rows;
    if (!p->rows) {
        rc = ca_err_set(err, CA_ESCHEMA, "a replay pool needs at least one row");
        (void)ca_err_at(err, path, -1, -1);
        goto fail;
    }
    *out = p;
    return 0;
fail:
    ca_replay_close(p);
    return rc;
}

const struct ca_head *ca_replay_head(const struct ca_replay *p)
{
    return ca_reader_head(p->reader);
}

const struct ca_tail *ca_replay_tail(const struct ca_replay *p)
{
    return ca_reader_tail(p->reader);
}

size_t ca_replay_count(size_t batch, double ratio)
{
    size_t k = ratio > 0 ? (size_t)((double)batch * ratio) : 0;
    return ratio > 0 && !k ? 1 : k;
}

int ca_replay_draw(struct ca_replay *p, uint64_t step, size_t k, struct ca_rows *out, struct ca_err *err)
{
    int rc;

    if (step > UINT32_MAX || k > UINT32_MAX)
        return ca_err_set(err, CA_EUSAGE, "replay step or row count beyond 2^32");
    if ((rc = ca_mem_grow((void **)&p->at, &p->cap, k, sizeof *p->at, err)))
        return rc;
    for (size_t j = 0; j < k; j++)
        p->at[j] = (int64_t)ca_rng_below(&p->rng, step << 32 | j, p->rows);
    return ca_reader_gather(p->reader, p->at, k, out, err);
}

void ca_replay_close(struct ca_replay *p)
{
    if (!p)
        return;
    ca_reader_close(p->reader);
    ca_mem_free(p->at);
    ca_mem_free(p);
}
