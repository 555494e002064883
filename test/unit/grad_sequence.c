/* Attention over places, every gradient against central differences: masks of all kinds, rows without anything. */
#include "gradcheck.h"

#include "nn/ops_batch.h"
#include "nn/ops_fields.h"
#include "nn/ops_sequence.h"

#define PLACES 5
#define WIDTH 6 /* of a place: two lists of width 3 would do as well */

static const uint32_t rows[] = {9, 5};
static const struct ca_sequence sequences[] = {{.rows = 9, .length = PLACES, .field = 0}};
static const struct kit_shape shape = {.numeric = 1, .fields = 2, .width = WIDTH, .rows = rows, .sequence = sequences, .n_sequences = 1};

/* Places as a map of what the tables hold: those start as ten-thousandths. */
static ca_val places(struct ca_graph *g, size_t out, const char *name, ca_val *mask)
{
    static const struct ca_init_rule unit = {CA_INIT_NORMAL, 1}, small = {CA_INIT_NORMAL, 0.3};
    ca_val v, x;

    ca_graph_set_family(g, CA_FAMILY_FX);
    v = ca_graph_embed_fx(g, "embedding_layers", WIDTH);
    x = ca_graph_embed_sequence(g, v, 0, 1);
    *mask = ca_graph_sequence_mask(g, 0);
    return ca_op_map(g, x, ca_op_map_params(g, name, WIDTH, out, unit, &small), PLACES, out, 1);
}

static ca_val attention(struct ca_graph *g, size_t heads, double dropout, int add_one)
{
    ca_val mask, x = places(g, 3 * WIDTH, "qkv", &mask);
    const struct ca_sequence_attention how = {PLACES, heads, dropout, add_one};

    return ca_op_linear(g, ca_op_sequence_attention(g, x, mask, &how), "out", 1, 1);
}

static ca_val one_head(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return attention(g, 1, 0, 0);
}

static ca_val three_heads(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return attention(g, 3, 0, 0);
}

static ca_val added(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return attention(g, 2, 0, 1);
}

static ca_val dropped(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    return attention(g, 2, 0.3, 0);
}

static ca_val to_target(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val mask, y = places(g, 4, "y", &mask), t, score;
    static const struct ca_init_rule unit = {CA_INIT_NORMAL, 1};

    (void)s;
    t = ca_op_at_places(g, ca_op_linear(g, ca_graph_numeric(g), "target", 3, 1), "pos", PLACES, 2);
    t = ca_op_map(g, t, ca_op_map_params(g, "proj", 5, 4, unit, NULL), PLACES, 4, 0);
    score = ca_op_map(g, ca_op_compare_places(g, t, y, PLACES), ca_op_map_params(g, "score", 16, 1, unit, NULL), PLACES, 1, 0);
    return ca_op_linear(g, ca_op_attend_places(g, score, mask, y, PLACES), "out", 1, 1);
}

static ca_val alone(struct ca_graph *g, const struct kit_shape *s)
{
    (void)s;
    ca_graph_set_family(g, CA_FAMILY_FX);
    return ca_op_linear(g, ca_op_at_places(g, ca_op_linear(g, ca_graph_numeric(g), "target", 3, 1), NULL, 4, 0), "out", 1, 1);
}

/* Two halves of each place, exchanged. */
static ca_val halves(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val mask, x = places(g, 6, "y", &mask), half[2];

    (void)s;
    half[1] = ca_op_range_of_places(g, x, PLACES, 0, 4);
    half[0] = ca_op_range_of_places(g, x, PLACES, 4, 2);
    return ca_op_linear(g, ca_op_join_places(g, half, 2, PLACES), "out", 1, 1);
}

int main(void)
{
    gradcheck_net(halves, &shape, 40, 24, &ca_loss_bce, "ranges of places, and places side by side");
    gradcheck_net(one_head, &shape, 40, 24, &ca_loss_bce, "causal attention");
    gradcheck_net(three_heads, &shape, 40, 24, &ca_loss_bce, "with three heads");
    gradcheck_net(added, &shape, 40, 24, &ca_loss_bce, "where masked scores get 1 more");
    gradcheck_net(dropped, &shape, 40, 24, &ca_loss_bce, "with dropout of the weights");
    gradcheck_net(to_target, &shape, 40, 24, &ca_loss_bce, "attention from a target, with positions");
    gradcheck_net(alone, &shape, 40, 24, &ca_loss_bce, "a vector at every place, without positions");
    return tap_done();
}
