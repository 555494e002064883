/* nn/ops_fields.h and nn/ops_angle.h: every operator's backward against finite differences. */
#include "gradcheck.h"
#include "nn/ops_angle.h"
#include "nn/ops_fields.h"

static const struct ca_init_rule unit = {CA_INIT_NORMAL, 1}, half = {CA_INIT_NORMAL, 0.5};

/* The operator's output is weighed by a linear layer, so that its gradient differs from element to element. */
static ca_val head(struct ca_graph *g, ca_val x)
{
    return ca_op_linear(g, x, "head", 1, 0);
}

static ca_val embed(struct ca_graph *g, const struct kit_shape *s)
{
    return ca_graph_embed(g, "table", s->width, unit);
}

/* Another value of n elements that depends on the tables in another way. */
static ca_val other(struct ca_graph *g, ca_val v, const char *name, size_t n)
{
    return ca_op_linear(g, v, name, n, 1);
}

/* Ranges that overlap and leave something out. */
static ca_val build_range(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), a = ca_op_range(g, v, 1, s->width), b = ca_op_range(g, v, s->width, s->width);

    return head(g, ca_op_sum(g, (ca_val[3]){a, b, a}, 3));
}

/* The same map twice, on values of different numbers of parts, then one to single numbers. */
static ca_val build_map(struct ca_graph *g, const struct kit_shape *s)
{
    size_t n = 2 * s->width, map = ca_op_map_params(g, "map", s->width, n, half, &unit);
    size_t last = ca_op_map_params(g, "last", n, 1, half, &unit);
    ca_val v = embed(g, s), y[2];

    y[0] = ca_op_map(g, v, map, s->fields, n, 1);
    y[1] = ca_op_map(g, other(g, v, "other", 2 * s->width), map, 2, n, 1);
    for (size_t i = 0; i < 2; i++)
        y[i] = ca_op_map(g, ca_op_relu(g, y[i]), last, i ? 2 : s->fields, 1, 1);
    return head(g, ca_op_concat(g, y, 2));
}

static ca_val build_map_bare(struct ca_graph *g, const struct kit_shape *s)
{
    size_t map = ca_op_map_params(g, "map", s->width, 3, half, NULL), one = ca_op_map_params(g, "one", s->width, 1, half, NULL);
    ca_val v = embed(g, s), y[2] = {ca_op_map(g, v, map, s->fields, 3, 0), ca_op_map(g, v, one, s->fields, 1, 0)};

    return head(g, ca_op_relu(g, ca_op_concat(g, y, 2)));
}

static ca_val build_field_maps(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_op_field_maps(g, embed(g, s), "maps.0", s->fields, 5, half);

    return head(g, ca_op_field_maps(g, ca_op_relu(g, v), "maps.1", s->fields, 3, half));
}

static ca_val build_connect(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return head(g, ca_op_connect_fields(g, ca_op_relu(g, ca_op_connect_fields(g, v, "op.0", s->fields)), "op.1", s->fields));
}

static ca_val build_inner(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_op_dag_inner(g, embed(g, s), "p.0", s->fields);

    return head(g, ca_op_dag_inner(g, ca_op_field_norm(g, v, "norm", s->fields), "p.1", s->fields));
}

static ca_val build_outer(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_op_dag_outer(g, embed(g, s), "p.0", "q.0", s->fields);

    return head(g, ca_op_dag_outer(g, ca_op_field_norm(g, v, "norm", s->fields), "p.1", "q.1", s->fields));
}

static ca_val build_attention(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_op_bare_attention(g, embed(g, s), "op.0", s->fields, 6, 3, 1);

    return head(g, ca_op_bare_attention(g, v, "op.1", s->fields, s->width, 1, 0));
}

/* Angles of about 1, with radii and without. */
static ca_val build_circle(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s), y[2] = {ca_op_circle(g, v, "mu", s->fields), ca_op_circle(g, v, NULL, s->fields)};

    return head(g, ca_op_sum(g, y, 2));
}

static ca_val build_log(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return head(g, ca_op_complex_log(g, other(g, v, "z", 2 * s->width)));
}

static ca_val build_exp(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return head(g, ca_op_complex_exp(g, other(g, v, "z", 2 * s->width)));
}

/* As many orders as fields, then another number. */
static ca_val build_orders(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = ca_op_circle(g, embed(g, s), NULL, s->fields);

    v = ca_op_relu(g, ca_op_orders(g, v, "op.0", s->fields, s->fields));
    return head(g, ca_op_orders(g, v, "op.1", s->fields, 3));
}

static ca_val build_norm(struct ca_graph *g, const struct kit_shape *s)
{
    return head(g, ca_op_complex_norm(g, ca_op_circle(g, embed(g, s), NULL, s->fields), "a", "b", s->fields));
}

static ca_val rotative(struct ca_graph *g, const struct kit_shape *s, size_t width, size_t heads)
{
    ca_val v = embed(g, s), q = other(g, v, "q", s->fields * width), k = other(g, v, "k", s->fields * width);

    return head(g, ca_op_rotative_attention(g, q, k, other(g, v, "v", s->fields * width), "op", s->fields, heads));
}

static ca_val build_rotative(struct ca_graph *g, const struct kit_shape *s)
{
    return rotative(g, s, 6, 3);
}

static ca_val build_rotative_wide(struct ca_graph *g, const struct kit_shape *s)
{
    return rotative(g, s, 16, s->width == 4 ? 1 : 2);
}

/* One value as queries, keys and values. */
static ca_val build_rotative_self(struct ca_graph *g, const struct kit_shape *s)
{
    ca_val v = embed(g, s);

    return head(g, ca_op_rotative_attention(g, v, v, v, "op", s->fields, 1));
}

int main(void)
{
    static const uint32_t rows[] = {5, 40, 3, 11, 1};
    static const uint32_t many[] = {5, 40, 3, 11, 1, 9, 9, 9, 30, 7};
    struct kit_shape four = {.numeric = 3, .fields = 5, .width = 4, .rows = rows}, odd = four, eight = four;
    struct kit_shape wide = {.numeric = 3, .fields = 10, .width = 16, .rows = many};

    static const struct {
        kit_build *build;
        const char *what;
    } list[] = {
        {build_range, "ranges"},
        {build_map, "one map for several values"},
        {build_map_bare, "maps without bias"},
        {build_field_maps, "a map of each field"},
        {build_connect, "fields connected"},
        {build_inner, "edges, inner"},
        {build_outer, "edges, outer"},
        {build_attention, "bare attention"},
        {build_circle, "circle"},
        {build_log, "complex logarithm"},
        {build_exp, "complex exponential"},
        {build_orders, "orders"},
        {build_norm, "complex norm"},
        {build_rotative, "rotative attention of three heads"},
        {build_rotative_wide, "rotative attention, wide heads"},
        {build_rotative_self, "rotative attention of one value"},
    };

    odd.width = 3;
    eight.width = 8;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char what[96];

        (void)snprintf(what, sizeof what, "%s, width 4", list[i].what);
        gradcheck_net(list[i].build, &four, 133, 60, &ca_loss_bce, what);
        (void)snprintf(what, sizeof what, "%s, width 3", list[i].what);
        gradcheck_net(list[i].build, &odd, 133, 60, &ca_loss_bce, what);
        (void)snprintf(what, sizeof what, "%s, width 8", list[i].what);
        gradcheck_net(list[i].build, &eight, 133, 60, &ca_loss_bce, what);
        (void)snprintf(what, sizeof what, "%s, ten fields of width 16, several chunks", list[i].what);
        gradcheck_net(list[i].build, &wide, 293, 3, &ca_loss_bce, what);
    }
    return tap_done();
}
