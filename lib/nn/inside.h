/* The inside of a network, for net.c (its life, its optimizer, access to it) and pass.c (batches through it). */
#ifndef CA_NN_INSIDE_H
#define CA_NN_INSIDE_H

#include "nn/adam.h"
#include "nn/backplan.h"
#include "nn/net.h"
#include "nn/plan.h"
#include "nn/table.h"

/* Memory of one chunk on its way. */
struct ca_frame {
    ca_real *value;
    ca_real *grad; /* NULL without gradients */
    ca_real *scratch;
};

struct ca_net {
    struct ca_graph *graph;
    struct ca_pool *pool;
    unsigned flags, want;
    uint64_t seed;
    struct ca_adam adam;
    struct ca_regular regular;

    size_t count;                    /* dense parameters */
    ca_real *weight, *m, *v, *grad;  /* [count] each; all but weight NULL for inference */
    ca_real *buffer;                 /* [graph->buffer_count] */
    struct ca_adam_clock dense_clock;
    ca_real **lane;                  /* [lanes][count] gradients of this batch */
    double *square;                  /* partial sums of the gradient's norm, by task */

    struct ca_table *table;
    struct ca_adam_clock table_clock;

    struct ca_frame *worker;         /* by thread */
    struct ca_backplan back;
    struct ca_embed_loss embed_loss;
    uint64_t passes;                 /* gradients since the last step: masks differ from one to the next */

    /* this batch, by chunk */
    double *chunk_loss;
    int64_t *chunk_bad;              /* first row that is not finite, or -1 */
    size_t cap_loss, cap_bad;
    /* the same, for networks that stop between chunks: every chunk has its memory */
    struct ca_frame *frame;
    size_t n_frames, cap_frames;
    double *share, *stats, *back_stats;
    size_t cap_share;
    /* values of the main embedding and a gradient of them that does not come from the logit */
    ca_real *embed, *embed_grad;
    size_t cap_embed, cap_embed_grad;
};

static inline int ca_inside_trains(const struct ca_net *n)
{
    return !(n->flags & CA_NET_INFERENCE);
}

/* The value and gradient memory a chunk needs. */
int ca_frame_init(struct ca_frame *f, const struct ca_graph *g, int gradients, struct ca_err *err) CA_CHECK_ME;
void ca_frame_fini(struct ca_frame *f);

#define CA_RANGE_DENSE ((size_t)1 << 14) /* dense elements of one task */

static inline size_t ca_inside_dense_ranges(const struct ca_net *n)
{
    return (n->count + CA_RANGE_DENSE - 1) / CA_RANGE_DENSE;
}

static inline size_t ca_inside_dense_to(const struct ca_net *n, size_t from)
{
    return n->count - from < CA_RANGE_DENSE ? n->count : from + CA_RANGE_DENSE;
}

#endif
