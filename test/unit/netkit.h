/* What the tests of networks share: the two whole graphs, and batches drawn from the counter-based generator. */
#ifndef CA_TEST_NETKIT_H
#define CA_TEST_NETKIT_H

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "nn/net.h"
#include "nn/ops.h"

struct kit_shape {
    size_t numeric, fields, width;
    const uint32_t *rows;
    size_t hidden[4];
    size_t n_hidden;
    const struct ca_sequence *sequence;
    size_t n_sequences, tasks;
    uint32_t domains;
    const unsigned char *of_item;
};

static inline struct ca_inputs kit_inputs(const struct kit_shape *s)
{
    return (struct ca_inputs){.n_numeric = s->numeric, .n_fields = s->fields, .field_rows = s->rows,
                              .n_sequences = s->n_sequences, .sequence = s->sequence, .n_tasks = s->tasks,
                              .domains = s->domains, .of_item = s->of_item};
}

/* A failure to set up is no test result: it ends the program. */
static inline void kit_must(int code, const struct ca_err *err)
{
    char text[800];

    if (!code)
        return;
    (void)printf("Bail out! %s\n", ca_err_format(err, text, sizeof text));
    exit(70);
}

static inline ca_val kit_mlp(struct ca_graph *g, const struct kit_shape *s)
{
    struct ca_init_rule unit = {CA_INIT_NORMAL, 1};
    ca_val in[2] = {ca_graph_numeric(g), ca_graph_embed(g, "sparse_embedding.embedding_layers", s->width, unit)};

    return ca_op_mlp_block(g, ca_op_concat(g, in, 2), "dense.mlp", s->hidden, s->n_hidden);
}

/* [numeric, embeddings, pairs of the gated embeddings] -> dense block */
static inline ca_val kit_fibinet(struct ca_graph *g, const struct kit_shape *s)
{
    struct ca_init_rule unit = {CA_INIT_NORMAL, 1};
    ca_val x = ca_graph_numeric(g), v = ca_graph_embed(g, "sparse_embedding.embedding_layers", s->width, unit);
    ca_val gated = ca_op_senet(g, v, "dense.senet", s->fields, 3);
    ca_val in[3] = {x, v, ca_op_bilinear_pairs(g, gated, "dense.bilinear_interaction.bilinear", s->fields)};

    return ca_op_mlp_block(g, ca_op_concat(g, in, 3), "dense.mlp", s->hidden, s->n_hidden);
}

typedef ca_val kit_build(struct ca_graph *g, const struct kit_shape *s);

static inline struct ca_net *kit_net(kit_build *build, const struct kit_shape *s, struct ca_pool *pool, uint64_t seed,
                                     unsigned flags)
{
    struct ca_err err = {0};
    struct ca_inputs in = kit_inputs(s);
    struct ca_graph *g = ca_graph_new(&in, &err);
    struct ca_net *n;

    kit_must(!g, &err);
    kit_must(ca_graph_finish(g, build(g, s), &err), &err);
    n = ca_net_new(g, pool, seed, flags, &err);
    kit_must(!n, &err);
    return n;
}

struct kit_batch {
    struct ca_feed feed;
    struct ca_target target;
    uint32_t **ids;
    float **numeric;
    float *label, *weight, *teacher, **task;
    size_t columns, tasks;
};

static inline void *kit_alloc(size_t n, size_t size)
{
    struct ca_err err = {0};
    void *p = ca_mem_zalloc(n, size, &err);

    kit_must(!p, &err);
    return p;
}

/* Ids lean towards small ones, as clicks do, so they repeat; soft labels and weights when asked. */
static inline struct kit_batch kit_batch(const struct kit_shape *s, size_t rows, uint64_t seed, int soft)
{
    struct kit_batch b = {0};
    struct ca_rng rng = ca_rng_make(seed, "test batch");
    uint64_t at = 0;

    const struct ca_inputs in = kit_inputs(s);

    b.columns = ca_inputs_columns(&in);
    b.tasks = s->tasks;
    b.ids = kit_alloc(b.columns, sizeof *b.ids);
    b.task = kit_alloc(b.tasks, sizeof *b.task);
    b.numeric = kit_alloc(s->numeric, sizeof *b.numeric);
    b.label = kit_alloc(rows, sizeof *b.label);
    b.weight = kit_alloc(rows, sizeof *b.weight);
    b.teacher = kit_alloc(rows, sizeof *b.teacher);
    for (size_t f = 0; f < s->fields; f++) {
        b.ids[f] = kit_alloc(rows, sizeof **b.ids);
        for (size_t r = 0; r < rows; r++) {
            double u = exp(ca_rng_unit(&rng, at++) * log((double)s->rows[f] + 1)) - 1;
            b.ids[f][r] = u < (double)s->rows[f] ? (uint32_t)u : s->rows[f] - 1;
        }
    }
    for (size_t i = 0; i < s->numeric; i++) {
        b.numeric[i] = kit_alloc(rows, sizeof **b.numeric);
        for (size_t r = 0; r < rows; r++)
            b.numeric[i][r] = (float)ca_rng_normal(&rng, at++);
    }
    for (size_t r = 0; r < rows; r++) {
        double u = ca_rng_unit(&rng, at++);
        b.label[r] = soft ? (float)u : u < 0.3;
        b.weight[r] = (float)(0.5 + ca_rng_unit(&rng, at++));
        b.teacher[r] = (float)ca_rng_normal(&rng, at++);
    }
    /* lists of every length up to the places, and none at all */
    for (size_t q = 0, c = s->fields; q < s->n_sequences; q++) {
        for (size_t p = 0; p < s->sequence[q].length; p++)
            b.ids[c + p] = kit_alloc(rows, sizeof **b.ids);
        for (size_t r = 0; r < rows; r++) {
            size_t length = ca_rng_below(&rng, at++, s->sequence[q].length + 1);
            for (size_t p = 0; p < length; p++)
                b.ids[c + p][r] = (uint32_t)(1 + ca_rng_below(&rng, at++, s->sequence[q].rows - 1));
        }
        c += s->sequence[q].length;
    }
    if (s->domains) {
        b.ids[b.columns - 1] = kit_alloc(rows, sizeof **b.ids);
        for (size_t r = 0; r < rows; r++)
            b.ids[b.columns - 1][r] = (uint32_t)ca_rng_below(&rng, at++, s->domains);
    }
    for (size_t t = 0; t < s->tasks; t++) {
        b.task[t] = kit_alloc(rows, sizeof **b.task);
        for (size_t r = 0; r < rows; r++)
            b.task[t][r] = ca_rng_unit(&rng, at++) < 0.4;
    }
    b.feed = (struct ca_feed){rows, (const uint32_t *const *)b.ids, (const float *const *)b.numeric};
    b.target = (struct ca_target){.label = b.label, .teacher = b.teacher, .weight = soft ? b.weight : NULL,
                                  .task = s->tasks ? (const float *const *)b.task : NULL};
    return b;
}

static inline void kit_batch_free(struct kit_batch *b, const struct kit_shape *s)
{
    for (size_t f = 0; f < b->columns; f++)
        ca_mem_free(b->ids[f]);
    for (size_t t = 0; t < b->tasks; t++)
        ca_mem_free(b->task[t]);
    ca_mem_free(b->task);
    for (size_t i = 0; i < s->numeric; i++)
        ca_mem_free(b->numeric[i]);
    ca_mem_free(b->ids);
    ca_mem_free(b->numeric);
    ca_mem_free(b->label);
    ca_mem_free(b->weight);
    ca_mem_free(b->teacher);
}

#endif
