#include "model/fx.h"

#include <stdio.h>

#include "base/banned.h"

size_t ca_fx_fields(const struct ca_graph *g)
{
    return ca_graph_inputs(g)->n_numeric + ca_graph_inputs(g)->n_fields + ca_graph_inputs(g)->n_sequences;
}

ca_val ca_fx_vectors(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return ca_op_fx_fields(g, "embedding_layer", spec->width, 1);
}

const char *ca_fx_layer(char name[CA_FX_NAME], const char *prefix, size_t i, const char *suffix)
{
    (void)snprintf(name, CA_FX_NAME, "%.40s.%zu%s%.20s", prefix, i, suffix ? "." : "", suffix ? suffix : "");
    return name;
}

ca_val ca_fx_tower(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden, int head)
{
    char part[CA_FX_NAME], prefix[CA_FX_NAME];

    (void)snprintf(prefix, sizeof prefix, "%.40s.mlp", name);
    for (size_t i = 0; i < n_hidden; i++)
        x = ca_op_relu(g, ca_op_linear(g, x, ca_fx_layer(part, prefix, 2 * i, NULL), hidden[i], 1));
    return head ? ca_op_linear(g, x, ca_fx_layer(part, prefix, 2 * n_hidden, NULL), 1, 1) : x;
}
