#include "nn/graph.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/plan.h"

#include "base/banned.h"

#define NAME_MAX_SIZE 448 /* a column's longest name, and what goes around it */
#define FX_EMBEDDING_DEVIATION 1e-4
#define WIDTH_MAX ((size_t)1 << 24) /* elements in one row of a value: keeps every product below far from overflow */

static const ca_val no_val = {-1};

/* A copy of n names in the arena; NULL where there are none. */
static int copy_names(struct ca_graph *g, size_t n, const char *const **names, struct ca_err *err)
{
    const char **copy;

    if (!*names)
        return 0;
    copy = ca_arena_alloc(&g->arena, n, sizeof *copy, err);
    if (!copy)
        return CA_EMEMORY;
    for (size_t i = 0; i < n; i++)
        if (!(copy[i] = ca_arena_strdup(&g->arena, (*names)[i], err)))
            return CA_EMEMORY;
    *names = copy;
    return 0;
}

static int copy_sequences(struct ca_graph *g, const struct ca_inputs *in, struct ca_err *err)
{
    struct ca_sequence *copy = ca_arena_alloc(&g->arena, in->n_sequences, sizeof *copy, err);

    if (!copy)
        return CA_EMEMORY;
    for (size_t i = 0; i < in->n_sequences; i++) {
        copy[i] = in->sequence[i];
        if (copy[i].name && !(copy[i].name = ca_arena_strdup(&g->arena, copy[i].name, err)))
            return CA_EMEMORY;
    }
    g->in.sequence = copy;
    return 0;
}

static int copy_item_flags(struct ca_graph *g, const struct ca_inputs *in, struct ca_err *err)
{
    unsigned char *copy;

    if (!in->of_item)
        return 0;
    copy = ca_arena_alloc(&g->arena, in->n_fields, 1, err);
    if (!copy)
        return CA_EMEMORY;
    if (in->n_fields)
        memcpy(copy, in->of_item, in->n_fields);
    g->in.of_item = copy;
    return 0;
}

size_t ca_inputs_columns(const struct ca_inputs *in)
{
    size_t n = in->n_fields;

    for (size_t s = 0; s < in->n_sequences; s++)
        n += in->sequence[s].length;
    return n + (in->domains > 0);
}

struct ca_graph *ca_graph_new(const struct ca_inputs *in, struct ca_err *err)
{
    struct ca_graph *g = ca_mem_zalloc(1, sizeof *g, err);
    uint32_t *rows;

    if (!g)
        return NULL;
    g->numeric = g->logit = -1;
    g->in = *in;
    rows = ca_arena_alloc(&g->arena, in->n_fields, sizeof *rows, err);
    if (!rows || copy_names(g, in->n_numeric, &g->in.numeric_name, err) ||
        copy_names(g, in->n_fields, &g->in.field_name, err) || copy_sequences(g, in, err) ||
        copy_item_flags(g, in, err)) {
        ca_graph_free(g);
        return NULL;
    }
    if (in->n_fields)
        memcpy(rows, in->field_rows, in->n_fields * sizeof *rows);
    g->in.field_rows = rows;
    return g;
}

void ca_graph_free(struct ca_graph *g)
{
    if (!g)
        return;
    ca_mem_free(g->value);
    ca_mem_free(g->node);
    ca_mem_free(g->embed);
    ca_mem_free(g->slot);
    ca_mem_free(g->flags);
    ca_mem_free(g->head);
    ca_mem_free(g->buffer);
    ca_mem_free(g->param);
    ca_mem_free(g->table);
    ca_arena_fini(&g->arena);
    ca_mem_free(g);
}

void ca_graph_set_family(struct ca_graph *g, enum ca_family family)
{
    if (g->n_values && !g->fault.code)
        (void)ca_err_set(&g->fault, CA_EINTERNAL, "the family of a graph that is already being built");
    g->family = family;
}

enum ca_family ca_graph_family(const struct ca_graph *g)
{
    return g->family;
}

struct ca_init_rule ca_init_xavier(size_t in, size_t out)
{
    return (struct ca_init_rule){CA_INIT_NORMAL, sqrt(2 / ((double)in + (double)out))};
}

struct ca_init_rule ca_graph_weight_init(const struct ca_graph *g, size_t in, size_t out)
{
    return g->family == CA_FAMILY_FX ? ca_init_xavier(in, out)
                                     : (struct ca_init_rule){CA_INIT_UNIFORM, 1 / sqrt((double)(in ? in : 1))};
}

struct ca_init_rule ca_graph_bias_init(const struct ca_graph *g, size_t in)
{
    return g->family == CA_FAMILY_FX ? (struct ca_init_rule){CA_INIT_ZERO, 0} : ca_graph_weight_init(g, in, 1);
}

const struct ca_inputs *ca_graph_inputs(const struct ca_graph *g)
{
    return &g->in;
}

static int known(const struct ca_graph *g, ca_val v)
{
    return v.id >= 0 && (size_t)v.id < g->n_values;
}

size_t ca_graph_width(const struct ca_graph *g, ca_val v)
{
    return known(g, v) ? g->value[v.id].width : 0;
}

/* Make room for one more of an array of the graph; nonzero when the graph is at fault. */
#define MORE(g, array, n, cap) \
    ((g)->fault.code || ca_mem_grow((void **)&(g)->array, &(g)->cap, (g)->n + 1, sizeof *(g)->array, &(g)->fault))

static int add_value(struct ca_graph *g, size_t width, int node)
{
    int id = (int)g->n_values;

    if (!width || width > WIDTH_MAX) {
        (void)ca_err_set(&g->fault, CA_EUSAGE, "network layer of width %zu: must be 1 to %zu", width, WIDTH_MAX);
        return -1;
    }
    if (MORE(g, value, n_values, cap_values))
        return -1;
    g->value[g->n_values++] = (struct ca_value){.width = width, .node = node, .root = id};
    return id;
}

ca_val ca_graph_numeric(struct ca_graph *g)
{
    if (g->fault.code)
        return no_val;
    if (g->numeric < 0)
        g->numeric = add_value(g, g->in.n_numeric, -1);
    return (ca_val){g->numeric};
}

/* Where the places of a sequence begin among the columns of a feed. */
static size_t sequence_column(const struct ca_graph *g, size_t sequence)
{
    size_t c = g->in.n_fields;

    for (size_t s = 0; s < sequence; s++)
        c += g->in.sequence[s].length;
    return c;
}

/* A table "PREFIX.NAME.weight", or with the number where there is no name. */
static int add_table(struct ca_graph *g, const char *prefix, const char *name, size_t number, struct ca_table_spec t)
{
    char text[NAME_MAX_SIZE];
    int used;

    if (MORE(g, table, n_tables, cap_tables))
        return -1;
    if (!t.rows || t.rows > UINT32_MAX - 1) {
        (void)ca_err_set(&g->fault, CA_EUSAGE, "field %zu has %zu table rows: must be 1 to %" PRIu32, number, t.rows,
                         UINT32_MAX - 1);
        return -1;
    }
    if (name)
        used = snprintf(text, sizeof text, "%s.%s.weight", prefix, name);
    else
        used = snprintf(text, sizeof text, "%s.%zu.weight", prefix, number);
    if (used < 0 || (size_t)used >= sizeof text) {
        (void)ca_err_set(&g->fault, CA_ESCHEMA, "the name of field %zu is too long for a tensor", number);
        return -1;
    }
    t.name = ca_arena_strdup(&g->arena, text, &g->fault);
    if (!t.name)
        return -1;
    g->table[g->n_tables++] = t;
    return 0;
}

/* One more vector of the embedding that was begun last. */
static int add_slot(struct ca_graph *g, size_t table, size_t column)
{
    struct ca_table_spec *t;
    size_t *columns;

    if (MORE(g, slot, n_slots, cap_slots))
        return -1;
    t = &g->table[table];
    columns = ca_arena_alloc(&g->arena, t->n_columns + 1, sizeof *columns, &g->fault);
    if (!columns)
        return -1;
    if (t->n_columns)
        memcpy(columns, t->column, t->n_columns * sizeof *columns);
    columns[t->n_columns] = column;
    t->column = columns;
    g->slot[g->n_slots++] = (struct ca_slot){table, column, t->n_columns++};
    g->embed[g->n_embeds - 1].n_slots++;
    return 0;
}

/* Begin an embedding of n vectors. */
static int add_embed(struct ca_graph *g, size_t n, struct ca_embed e)
{
    if (MORE(g, embed, n_embeds, cap_embeds))
        return -1;
    if (!e.width || e.width > WIDTH_MAX / (n ? n : 1)) {
        (void)ca_err_set(&g->fault, CA_EUSAGE, "embedding width %zu is out of range", e.width);
        return -1;
    }
    e.val = add_value(g, n * e.width, -1);
    if (e.val < 0 || !(e.prefix = ca_arena_strdup(&g->arena, e.prefix, &g->fault)))
        return -1;
    e.first_slot = g->n_slots;
    g->embed[g->n_embeds++] = e;
    return e.val;
}

/* One table a field, named after its number or, when it has one and padded tells FX, its name. */
static ca_val embed(struct ca_graph *g, const char *prefix, size_t width, struct ca_init_rule init, int padded)
{
    int val = add_embed(g, g->in.n_fields, (struct ca_embed){.width = width, .prefix = prefix, .family = g->n_families,
                                                             .sequence = CA_NO_FIELD});

    for (size_t f = 0; f < g->in.n_fields && val >= 0; f++)
        if (add_table(g, prefix, padded && g->in.field_name ? g->in.field_name[f] : NULL, f,
                      (struct ca_table_spec){.field = f, .rows = g->in.field_rows[f], .width = width,
                                             .embed = g->n_families, .padded = padded, .init = init}) ||
            add_slot(g, g->n_tables - 1, f))
            return no_val;
    g->n_families++;
    return (ca_val){val};
}

ca_val ca_graph_embed(struct ca_graph *g, const char *prefix, size_t width, struct ca_init_rule init)
{
    if (g->family != CA_FAMILY_CA && !g->fault.code)
        (void)ca_err_set(&g->fault, CA_EINTERNAL, "an embedding of another family than its graph");
    return embed(g, prefix, width, init, 0);
}

ca_val ca_graph_embed_fx(struct ca_graph *g, const char *prefix, size_t width)
{
    const struct ca_init_rule init = {CA_INIT_NORMAL, FX_EMBEDDING_DEVIATION};

    if (g->family != CA_FAMILY_FX && !g->fault.code)
        (void)ca_err_set(&g->fault, CA_EINTERNAL, "an embedding of another family than its graph");
    return embed(g, prefix, width, init, 1);
}

/* The table of a field in an embedding. */
static size_t table_of(const struct ca_graph *g, size_t family, size_t field)
{
    size_t t = 0;

    while (g->table[t].embed != family || g->table[t].field != field)
        t++;
    return t;
}

static int sequence_ok(struct ca_graph *g, size_t sequence)
{
    if (g->fault.code)
        return 0;
    if (sequence < g->in.n_sequences && g->in.sequence[sequence].length)
        return 1;
    (void)ca_err_set(&g->fault, CA_EINTERNAL, "a network asks for sequence %zu of %zu, or it has no places", sequence,
                     g->in.n_sequences);
    return 0;
}

ca_val ca_graph_embed_sequence(struct ca_graph *g, ca_val of, size_t sequence, int shared)
{
    const struct ca_sequence *q;
    const struct ca_embed *e = NULL;
    size_t table, column;
    int val;

    if (!sequence_ok(g, sequence))
        return no_val;
    for (size_t i = 0; i < g->n_embeds && !e; i++)
        e = g->embed[i].val == of.id ? &g->embed[i] : NULL;
    if (!e || g->family != CA_FAMILY_FX) {
        (void)ca_err_set(&g->fault, CA_EINTERNAL, "a sequence beside no embedding of its family");
        return no_val;
    }
    for (size_t i = 0; i < g->n_embeds; i++)
        if (g->embed[i].sequence == sequence && g->embed[i].family == e->family && g->embed[i].shared == shared)
            return (ca_val){g->embed[i].val};
    q = &g->in.sequence[sequence];
    column = sequence_column(g, sequence);
    val = add_embed(g, q->length, (struct ca_embed){.width = e->width, .prefix = e->prefix, .family = e->family,
                                                    .sequence = sequence, .shared = shared});
    if (val < 0)
        return no_val;
    e = &g->embed[g->n_embeds - 1];
    if (shared && q->field != CA_NO_FIELD) {
        table = table_of(g, e->family, q->field);
        if (g->table[table].rows != q->rows) {
            (void)ca_err_set(&g->fault, CA_ESCHEMA, "sequence %zu has %" PRIu32 " ids and the field it shares a table "
                             "with has %zu", sequence, q->rows, g->table[table].rows);
            return no_val;
        }
    } else {
        const struct ca_init_rule init = {CA_INIT_NORMAL, FX_EMBEDDING_DEVIATION};

        table = g->n_tables;
        if (add_table(g, e->prefix, q->name, g->in.n_fields + sequence,
                      (struct ca_table_spec){.field = g->in.n_fields + sequence, .rows = q->rows, .width = e->width,
                                             .embed = e->family, .padded = 1, .init = init}))
            return no_val;
    }
    for (size_t i = 0; i < q->length; i++)
        if (add_slot(g, table, column + i))
            return no_val;
    return (ca_val){val};
}

static ca_val add_flags(struct ca_graph *g, size_t column, size_t n, int one_hot)
{
    int val;

    for (size_t i = 0; i < g->n_flags; i++)
        if (g->flags[i].column == column)
            return (ca_val){g->flags[i].val};
    if (MORE(g, flags, n_flags, cap_flags) || (val = add_value(g, n, -1)) < 0)
        return no_val;
    g->flags[g->n_flags++] = (struct ca_flags){val, column, n, one_hot};
    return (ca_val){val};
}

ca_val ca_graph_sequence_mask(struct ca_graph *g, size_t sequence)
{
    if (!sequence_ok(g, sequence))
        return no_val;
    return add_flags(g, sequence_column(g, sequence), g->in.sequence[sequence].length, 0);
}

ca_val ca_graph_domain(struct ca_graph *g)
{
    if (!g->in.domains)
        ca_graph_refuse(g, "the architecture learns several domains, and the records have no domain column");
    return add_flags(g, sequence_column(g, g->in.n_sequences), g->in.domains, 1);
}

size_t ca_graph_param(struct ca_graph *g, const char *name, unsigned n_dims, const size_t dim[3],
                      struct ca_init_rule init)
{
    struct ca_param p = {.n_dims = n_dims, .count = 1, .at = g->dense_count, .init = init,
                         .embeds = strstr(name, "embedding_layers.") != NULL};

    if (MORE(g, param, n_params, cap_params))
        return 0;
    for (unsigned i = 0; i < n_dims && i < 3; i++) {
        p.dim[i] = dim[i];
        if (!dim[i] || ca_mem_mul(p.count, dim[i], &p.count) || p.count > SIZE_MAX / 64) {
            (void)ca_err_set(&g->fault, CA_EUSAGE, "size of parameter '%s' is out of range", name);
            return 0;
        }
    }
    p.name = ca_arena_strdup(&g->arena, name, &g->fault);
    if (!p.name)
        return 0;
    g->dense_count += p.count;
    g->param[g->n_params] = p;
    return g->n_params++;
}

size_t ca_graph_param_of(struct ca_graph *g, const char *name, const char *part, size_t rows, size_t cols,
                         struct ca_init_rule init)
{
    char text[NAME_MAX_SIZE];
    size_t dim[3] = {rows, cols, 1};

    (void)snprintf(text, sizeof text, "%s.%s", name, part);
    return ca_graph_param(g, text, cols ? 2 : 1, dim, init);
}

size_t ca_graph_buffer_of(struct ca_graph *g, const char *name, const char *part, size_t n, double start)
{
    char text[NAME_MAX_SIZE];
    struct ca_buffer b = {.count = n, .at = g->buffer_count, .start = start};

    (void)snprintf(text, sizeof text, "%s.%s", name, part);
    if (MORE(g, buffer, n_buffers, cap_buffers) || !(b.name = ca_arena_strdup(&g->arena, text, &g->fault)))
        return 0;
    g->buffer_count += n;
    g->buffer[g->n_buffers] = b;
    return g->n_buffers++;
}

void ca_graph_head(struct ca_graph *g, ca_val v)
{
    if (MORE(g, head, n_heads, cap_heads))
        return;
    if (!known(g, v) || g->value[v.id].width != 1)
        (void)ca_err_set(&g->fault, CA_EINTERNAL, "an output of a network must be a value of width 1");
    else
        g->head[g->n_heads++] = v.id;
}

void ca_graph_objective(struct ca_graph *g, const struct ca_objective *o)
{
    g->objective = o;
}

size_t ca_graph_heads(const struct ca_graph *g)
{
    return g->n_heads;
}

const struct ca_objective *ca_graph_get_objective(const struct ca_graph *g)
{
    return g->objective;
}

void ca_graph_refuse(struct ca_graph *g, const char *text)
{
    if (!g->fault.code)
        (void)ca_err_set(&g->fault, CA_EUSAGE, "%s", text);
}

ca_val ca_graph_add(struct ca_graph *g, const struct ca_op *op, const ca_val *in)
{
    struct ca_node node = {.op = *op};

    if (MORE(g, node, n_nodes, cap_nodes))
        return no_val;
    if (op->n_in > CA_OP_MAX_INPUTS || op->n_params > CA_OP_MAX_PARAMS) {
        (void)ca_err_set(&g->fault, CA_EINTERNAL, "operator '%s' has too many inputs", op->type->name);
        return no_val;
    }
    for (size_t i = 0; i < op->n_in; i++) {
        if (!known(g, in[i])) {
            (void)ca_err_set(&g->fault, CA_EINTERNAL, "operator '%s' takes an unknown value", op->type->name);
            return no_val;
        }
        node.in[i] = in[i].id;
        node.op.in_width[i] = g->value[in[i].id].width;
    }
    for (size_t i = 0; i < op->n_params; i++)
        node.op.param_at[i] = g->param[op->param[i]].at;
    for (size_t i = 0; i < op->n_buffers; i++)
        node.op.buffer_at[i] = g->buffer[op->buffer[i]].at;
    node.stats = g->stats_size;
    node.back_stats = g->back_stats_size;
    g->stats_size += op->n_stats;
    g->back_stats_size += op->n_back_stats;
    node.out = add_value(g, op->out_width, (int)g->n_nodes);
    if (node.out < 0)
        return no_val;
    g->node[g->n_nodes++] = node;
    return (ca_val){node.out};
}

/* Rows start on cache lines; a row length of whole pages would put a column into one cache set. */
static size_t row_length(size_t width)
{
    size_t ld = width;

    if (width < 16)
        return width;
    ld = (ld + 15) / 16 * 16;
    return ld % 1024 ? ld : ld + 16;
}

/* Lay what a concat joins inside its output: then joining is no work at all. */
static void place_in_concats(struct ca_graph *g)
{
    for (size_t k = 0; k < g->n_nodes; k++) {
        const struct ca_node *node = &g->node[k];
        size_t at = 0;

        if (node->op.type != &ca_op_type_concat)
            continue;
        for (size_t i = 0; i < node->op.n_in; i++) {
            struct ca_value *v = &g->value[node->in[i]];

            if (v->root == node->in[i]) {
                v->root = node->out;
                v->at = at;
            }
            at += v->width;
        }
    }
    /* A root may itself have been placed; roots come later than what they hold, so go from the end. */
    for (size_t i = g->n_values; i-- > 0;) {
        struct ca_value *v = &g->value[i], *r = &g->value[v->root];

        if (r != v) {
            v->at += r->at;
            v->root = r->root;
        }
    }
}

/* From the logit back: nodes come after what they read. */
static void find_logit_nodes(struct ca_graph *g)
{
    int k = g->value[g->logit].node;

    if (k >= 0)
        g->node[k].for_logit = 1;
    for (; k >= 0; k--)
        for (size_t i = 0; g->node[k].for_logit && i < g->node[k].op.n_in; i++)
            if (g->value[g->node[k].in[i]].node >= 0)
                g->node[g->value[g->node[k].in[i]].node].for_logit = 1;
}

#define SMALL ((size_t)256 << 10)      /* dense parameters of a small network */
#define CHUNK_SMALL ((size_t)2 << 20)  /* elements of a chunk */
#define CHUNK_LARGE ((size_t)16 << 20)

/*
 * A small network wants its chunk near the second-level cache, a wide or large one wants long matrix products. Where a
 * row keeps much from forward to backward, as in attention, a chunk is cut short: beyond CHUNK_SMALL threads wait for
 * each other at the cache they share, and CHUNK_LARGE bounds the memory of a thread.
 */
static size_t rows_of_chunk(const struct ca_graph *g)
{
    size_t rows = 2 * CA_CHUNK_ROWS_LEAST, most = CHUNK_SMALL, widest = 0, row = 0;

    for (size_t i = 0; i < g->n_values; i++) {
        widest = g->value[i].width > widest ? g->value[i].width : widest;
        row += g->value[i].root == (int)i ? 2 * row_length(g->value[i].width) : 0;
    }
    for (size_t k = 0; k < g->n_nodes; k++)
        row += g->node[k].op.scratch_per_row;
    if (widest >= 1024 || g->dense_count >= SMALL) {
        rows *= 2;
        most = CHUNK_LARGE;
    }
    for (; rows > CA_CHUNK_ROWS_LEAST && rows * row > most; rows /= 2)
        ;
    return rows;
}

int ca_graph_finish(struct ca_graph *g, ca_val logit, struct ca_err *err)
{
    if (!g->fault.code && (!known(g, logit) || g->value[logit.id].width != 1))
        (void)ca_err_set(&g->fault, CA_EINTERNAL, "the logit of a network must be a value of width 1");
    if (g->fault.code) {
        if (err && !err->code)
            *err = g->fault;
        return g->fault.code;
    }
    g->logit = logit.id;
    if (g->n_heads >= CA_HEADS_MAX || g->in.n_tasks > CA_HEADS_MAX)
        (void)ca_err_set(&g->fault, CA_EUSAGE, "more than %d outputs or tasks", CA_HEADS_MAX);
    if (MORE(g, head, n_heads, cap_heads)) {
        if (err && !err->code)
            *err = g->fault;
        return g->fault.code;
    }
    memmove(g->head + 1, g->head, g->n_heads * sizeof *g->head);
    g->head[0] = g->logit;
    g->n_heads++;
    find_logit_nodes(g);
    place_in_concats(g);
    g->chunk_rows = rows_of_chunk(g);
    g->lanes = g->dense_count < SMALL ? 8 : 4;
    for (size_t i = 0; i < g->n_values; i++) {
        struct ca_value *v = &g->value[i];
        if (v->root != (int)i)
            continue;
        v->ld = row_length(v->width);
        v->place = g->value_size;
        g->value_size += (v->ld * g->chunk_rows + 15) / 16 * 16;
    }
    for (size_t i = 0; i < g->n_values; i++) {
        struct ca_value *v = &g->value[i];
        v->ld = g->value[v->root].ld;
        v->place = g->value[v->root].place;
    }
    for (size_t k = 0; k < g->n_nodes; k++) {
        g->node[k].scratch = g->scratch_size;
        g->scratch_size += (g->node[k].op.scratch_per_row * g->chunk_rows + 15) / 16 * 16;
    }
    g->finished = 1;
    return 0;
}

size_t ca_graph_chunk_rows(const struct ca_graph *g)
{
    return g->chunk_rows;
}

size_t ca_graph_lanes(const struct ca_graph *g)
{
    return g->lanes;
}

size_t ca_graph_n_params(const struct ca_graph *g)
{
    return g->n_params;
}

const struct ca_param *ca_graph_get_param(const struct ca_graph *g, size_t i)
{
    return &g->param[i];
}

size_t ca_graph_n_buffers(const struct ca_graph *g)
{
    return g->n_buffers;
}

const struct ca_buffer *ca_graph_get_buffer(const struct ca_graph *g, size_t i)
{
    return &g->buffer[i];
}

size_t ca_graph_n_tables(const struct ca_graph *g)
{
    return g->n_tables;
}

const struct ca_table_spec *ca_graph_get_table(const struct ca_graph *g, size_t i)
{
    return &g->table[i];
}

size_t ca_graph_dense_count(const struct ca_graph *g)
{
    return g->dense_count;
}

size_t ca_graph_main_tables(const struct ca_graph *g)
{
    size_t n = 0;

    while (n < g->n_tables && !g->table[n].embed)
        n++;
    return n;
}
