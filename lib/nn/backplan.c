#include "nn/backplan.h"

#include <string.h>

#include "nn/net.h"

#include "base/banned.h"

enum { UNTOUCHED, OVERWRITTEN, ADDED_TO };

int ca_backplan_init(struct ca_backplan *b, const struct ca_graph *g, struct ca_err *err)
{
    *b = (struct ca_backplan){0};
    b->need = ca_mem_zalloc(g->n_values, 1, err);
    b->fresh = ca_mem_zalloc(g->n_nodes, 1, err);
    b->clear = ca_mem_zalloc(g->n_values, sizeof *b->clear, err);
    b->column = ca_mem_zalloc(g->value_size / g->chunk_rows, 1, err);
    return b->need && b->fresh && b->clear && b->column ? 0 : CA_EMEMORY;
}

void ca_backplan_fini(struct ca_backplan *b)
{
    ca_mem_free(b->need);
    ca_mem_free(b->fresh);
    ca_mem_free(b->clear);
    ca_mem_free(b->column);
    *b = (struct ca_backplan){0};
}

static void find_needs(struct ca_backplan *b, const struct ca_graph *g, unsigned which)
{
    memset(b->need, 0, g->n_values);
    for (size_t i = 0; i < g->n_embeds; i++)
        b->need[g->embed[i].val] = (which & CA_STEP_TABLES) != 0;
    for (size_t k = 0; k < g->n_nodes; k++) {
        const struct ca_node *node = &g->node[k];
        int need = node->op.n_params && (which & CA_STEP_DENSE);

        for (size_t i = 0; i < node->op.n_in; i++)
            need |= b->need[node->in[i]];
        b->need[node->out] = (unsigned char)need;
    }
}

/* State of the columns of a value: buffers lie one after another, each a whole number of rows of its length. */
static unsigned char *columns(const struct ca_backplan *b, const struct ca_graph *g, int val)
{
    return b->column + g->value[val].place / g->chunk_rows + g->value[val].at;
}

static int laid_in(const struct ca_graph *g, int val, int concat, size_t at)
{
    const struct ca_value *v = &g->value[val], *c = &g->value[concat];

    return v->root == c->root && v->at == c->at + at;
}

/* Go the way back once, and see who comes first to each column. */
static void find_first(struct ca_backplan *b, const struct ca_graph *g)
{
    memset(b->column, UNTOUCHED, g->value_size / g->chunk_rows);
    for (size_t h = 0; h < (g->objective ? g->n_heads : 1); h++)
        *columns(b, g, g->head[h]) = OVERWRITTEN; /* by the loss */
    for (size_t k = g->n_nodes; k-- > 0;) {
        const struct ca_node *node = &g->node[k];
        size_t at = 0;

        b->fresh[k] = 0;
        for (size_t i = 0; i < node->op.n_in && b->need[node->out]; at += node->op.in_width[i], i++) {
            unsigned char *state = columns(b, g, node->in[i]);
            size_t width = node->op.in_width[i], touched = 0;

            if (!b->need[node->in[i]])
                continue;
            if (node->op.type == &ca_op_type_concat && laid_in(g, node->in[i], node->out, at))
                continue;
            for (size_t c = 0; c < width; c++)
                touched += state[c] != UNTOUCHED;
            b->fresh[k] = node->op.type->overwrites && node->op.n_in == 1 && !touched;
            for (size_t c = 0; c < width; c++)
                if (state[c] == UNTOUCHED)
                    state[c] = b->fresh[k] ? OVERWRITTEN : ADDED_TO;
        }
    }
}

/* What is added to first, or never written, begins at zero. */
static void find_clear(struct ca_backplan *b, const struct ca_graph *g)
{
    b->n_clear = 0;
    for (size_t i = 0; i < g->n_values; i++) {
        const struct ca_value *v = &g->value[i];
        const unsigned char *state = columns(b, g, (int)i);
        size_t from = 0;

        if (v->root != (int)i || !b->need[i])
            continue;
        for (size_t c = 0; c < v->width; c++) {
            if (state[c] == OVERWRITTEN)
                from = c + 1;
            else if (c + 1 == v->width || state[c + 1] == OVERWRITTEN)
                b->clear[b->n_clear++] = (struct ca_back_clear){v->place, v->ld, from, c + 1 - from};
        }
    }
}

void ca_backplan_make(struct ca_backplan *b, const struct ca_graph *g, unsigned which)
{
    find_needs(b, g, which);
    find_first(b, g);
    find_clear(b, g);
}
