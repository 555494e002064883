/*
 * Deep multi-interest network (specification: models 24). The lists that share
 * a column's vocabulary are the user's behaviour, those columns the target:
 * self-attention finds several interests in the one, each of which the target
 * then attends to.
 */
#include <stdio.h>

#include "model/dmin.h"
#include "nn/ops_fields.h"
#include "nn/ops_sequence.h"

#include "base/banned.h"

#define TABLES "embedding_layer.embedding_layer.embedding_layers" /* as ca_fx_vectors has them */

enum { HEADS, REFINER, POSITION, ATTENTION, ATTENTION_2, ATTENTION_DICE, FLOAT_MASK };

static const struct ca_arch_key keys[] = {CA_DMIN_KEYS, CA_FX_KEYS_TOWER(0), {0}};

/* The behaviour: places [L M], what is there [L], and the target [M]. */
struct behaviour {
    ca_val places, mask, target;
    size_t length, width;
};

/* x W^T + b at each place. */
static ca_val map(struct ca_graph *g, ca_val x, const char *name, size_t places, size_t out, int bias)
{
    const struct ca_init_rule zero = {CA_INIT_ZERO, 0};
    size_t in = ca_graph_width(g, x) / (places ? places : 1);

    return ca_op_map(g, x, ca_op_map_params(g, name, in, out, ca_graph_weight_init(g, in, out), bias ? &zero : NULL), places,
                     out, bias);
}

/* Every list that shares a table, with its column; they must be of one length, and there must be one. */
static struct behaviour find_behaviour(struct ca_graph *g, ca_val fields, size_t width)
{
    const struct ca_inputs *in = ca_graph_inputs(g);
    ca_val list[CA_OP_MAX_INPUTS], target[CA_OP_MAX_INPUTS];
    struct behaviour b = {{-1}, {-1}, {-1}, 0, 0};
    size_t n = 0;

    for (size_t s = 0; s < in->n_sequences && n < CA_OP_MAX_INPUTS; s++) {
        if (in->sequence[s].field == CA_NO_FIELD)
            continue;
        if (!n) {
            b.mask = ca_graph_sequence_mask(g, s);
            b.length = in->sequence[s].length;
        }
        list[n] = ca_graph_embed_sequence(g, fields, s, 1);
        target[n++] = ca_op_range(g, fields, in->sequence[s].field * width, width);
    }
    if (!n) {
        ca_graph_refuse(g, "the architecture reads the user's behaviour, and no list of the records shares a column's vocabulary");
        return b;
    }
    b.width = n * width;
    b.places = n == 1 ? list[0] : ca_op_join_places(g, list, n, b.length);
    b.target = ca_op_concat(g, target, n);
    return b;
}

/* W2 relu(W1 s + b1) + b2 + s at each place, M -> 2M -> M. */
static ca_val feed_forward(struct ca_graph *g, ca_val s, const char *prefix, const struct behaviour *b)
{
    char name[CA_FX_NAME];
    ca_val x[2] = {s, {-1}};

    x[1] = ca_op_relu(g, map(g, s, ca_fx_layer(name, prefix, 0, NULL), b->length, 2 * b->width, 1));
    x[1] = map(g, x[1], ca_fx_layer(name, prefix, 2, NULL), b->length, b->width, 1);
    return ca_op_sum(g, x, 2);
}

/* LN(dropout(x) + residual) at each place. */
static ca_val add_and_norm(struct ca_graph *g, ca_val x, ca_val residual, const char *name, const struct ca_arch_spec *spec,
                           const struct behaviour *b)
{
    ca_val in[2] = {ca_op_dropout(g, x, ca_fx_fraction(spec, "dropout")), residual};

    return ca_op_field_norm(g, ca_op_sum(g, in, 2), name, b->length);
}

static struct ca_sequence_attention attention_of(const struct ca_arch_spec *spec, const struct behaviour *b)
{
    return (struct ca_sequence_attention){b->length, spec->option[HEADS], ca_fx_fraction(spec, "attention-dropout"), 0};
}

static ca_val refine(struct ca_graph *g, const struct ca_arch_spec *spec, const struct behaviour *b)
{
    struct ca_sequence_attention how = attention_of(spec, b);
    size_t first = ca_op_attention_params(g, "behavior_refiner.0.attention", b->width);
    ca_val x = ca_op_map(g, b->places, first, b->length, 3 * b->width, 1);

    how.add_one = (int)spec->option[FLOAT_MASK];
    x = ca_op_sequence_attention(g, x, b->mask, &how);
    x = ca_op_map(g, x, first + 2, b->length, b->width, 1);
    x = add_and_norm(g, x, b->places, "behavior_refiner.0.layer_norm", spec, b);
    return feed_forward(g, x, "behavior_refiner.0.ffn", b);
}

/* The target, with the place's position, attends to what an interest has at each place. */
static ca_val target_attention(struct ca_graph *g, const struct ca_arch_spec *spec, const struct behaviour *b, ca_val y,
                               size_t head)
{
    const char *extractor = "multi_interest_extractor.0.target_attention";
    const size_t hidden[2] = {spec->option[ATTENTION], spec->option[ATTENTION_2]};
    double dropout = ca_fx_fraction(spec, "attention-dropout");
    char name[CA_FX_NAME], prefix[2 * CA_FX_NAME], part[CA_FX_NAME];
    size_t at = 0;
    ca_val t;

    (void)snprintf(prefix, sizeof prefix, "%s.%zu", extractor, head);
    (void)snprintf(name, sizeof name, "%.80s.pos_emb", prefix);
    t = ca_op_at_places(g, b->target, name, b->length, spec->option[POSITION]);
    (void)snprintf(name, sizeof name, "%.80s.W_proj", prefix);
    if (spec->option[POSITION])
        t = map(g, t, name, b->length, b->width, 1);
    t = ca_op_compare_places(g, t, y, b->length);
    for (size_t i = 0; i < 2 && hidden[i]; i++) {
        (void)snprintf(part, sizeof part, "%.70s.attn_mlp.mlp.%zu", prefix, at++);
        t = map(g, t, part, b->length, hidden[i], 1);
        (void)snprintf(part, sizeof part, "%.70s.attn_mlp.mlp.%zu", prefix, at++);
        t = spec->option[ATTENTION_DICE] ? ca_op_dice(g, t, part, b->length) : ca_op_relu(g, t);
        t = ca_op_dropout(g, t, dropout);
        at += dropout > 0;
    }
    (void)snprintf(part, sizeof part, "%.70s.attn_mlp.mlp.%zu", prefix, at);
    t = map(g, t, part, b->length, 1, 1);
    return ca_op_attend_places(g, t, b->mask, y, b->length);
}

/* One interest for each head: its share of the attention, a block of its own, and the target's look at it. */
static size_t extract(struct ca_graph *g, const struct ca_arch_spec *spec, const struct behaviour *b, ca_val x, ca_val *out)
{
    const char *extractor = "multi_interest_extractor.0";
    struct ca_sequence_attention how = attention_of(spec, b);
    size_t heads = spec->option[HEADS], share = b->width / heads;
    char name[CA_FX_NAME], part[CA_FX_NAME];
    ca_val all = ca_op_sequence_attention(g, map(g, x, "multi_interest_extractor.0.W_qkv", b->length, 3 * b->width, 0), b->mask,
                                          &how);

    for (size_t h = 0; h < heads; h++) {
        ca_val y = heads == 1 ? all : ca_op_range_of_places(g, all, b->length, h * share, share);

        (void)snprintf(part, sizeof part, "%s.W_o", extractor);
        y = map(g, y, ca_fx_layer(name, part, h, NULL), b->length, b->width, 0);
        (void)snprintf(part, sizeof part, "%s.layer_norm", extractor);
        y = add_and_norm(g, y, x, ca_fx_layer(name, part, h, NULL), spec, b);
        (void)snprintf(part, sizeof part, "%s.ffn.%zu", extractor, h);
        y = feed_forward(g, y, part, b);
        out[h] = target_attention(g, spec, b, y, h);
    }
    return heads;
}

ca_val ca_dmin_representation(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    const struct ca_inputs *in = ca_graph_inputs(g);
    ca_val part[64 + CA_SEQUENCES_MAX + 2], fields, numeric = {-1}, all;
    struct behaviour b;
    size_t n = 0;

    if (in->n_numeric)
        numeric = ca_op_embed_numeric(g, TABLES, spec->width);
    fields = ca_graph_embed_fx(g, TABLES, spec->width);
    b = find_behaviour(g, fields, spec->width);
    if (!b.length || b.width % spec->option[HEADS]) {
        ca_graph_refuse(g, "the width of a place, embedding width times lists, is no multiple of the heads");
        return fields;
    }
    n = extract(g, spec, &b, spec->option[REFINER] ? refine(g, spec, &b) : b.places, part);
    if (in->n_numeric)
        part[n++] = numeric;
    part[n++] = fields;
    for (size_t s = 0; s < in->n_sequences && s < CA_SEQUENCES_MAX; s++)
        if (in->sequence[s].field == CA_NO_FIELD)
            part[n++] = ca_op_masked_mean(g, ca_graph_embed_sequence(g, fields, s, 1), in->sequence[s].length);
    all = part[0];
    for (size_t i = 1; i < n; i++)
        all = ca_op_concat(g, (ca_val[2]){all, part[i]}, 2);
    return all;
}

static ca_val build(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return ca_fx_deep(g, spec, ca_dmin_representation(g, spec), "dnn", 1);
}

const struct ca_arch ca_arch_dmin = {
    .name = "dmin",
    .summary = "interests found in the user's behaviour by attention, and asked by the target",
    .source = "DMIN (CIKM 2020), in the form of FuxiCTR",
    .used = "ExFM, foundation model in Tables 2 and 3",
    .parameters = CA_DMIN_PARAMETERS "M(" CA_DMIN_WIDTH ")",
    .operations = CA_DMIN_OPERATIONS "Q(" CA_DMIN_WIDTH ")",
    .build = build,
    .family = CA_FAMILY_FX,
    .keys = keys,
};
