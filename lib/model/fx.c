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

double ca_fx_fraction(const struct ca_arch_spec *spec, const char *key)
{
    return (double)ca_arch_option(spec, key) / 1000;
}

struct ca_fx_how ca_fx_how(const struct ca_arch_spec *spec)
{
    return (struct ca_fx_how){(int)ca_arch_option(spec, "bn"), (int)ca_arch_option(spec, "dice"),
                              ca_fx_fraction(spec, "dropout")};
}

ca_val ca_fx_norm(struct ca_graph *g, ca_val x, const char *name, size_t channels)
{
    return ca_op_batch_norm(g, x, name, channels, &ca_batch_norm_default);
}

size_t ca_fx_place(const struct ca_fx_how *how, size_t layer)
{
    return (size_t)(how->bn == CA_FX_BN_ONCE) + layer * (size_t)(2 + (how->bn == CA_FX_BN_EACH) + (how->dropout > 0));
}

ca_val ca_fx_tower(struct ca_graph *g, ca_val x, const char *name, const size_t *hidden, size_t n_hidden, int head,
                   const struct ca_fx_how *how)
{
    char part[CA_FX_NAME], prefix[CA_FX_NAME];

    (void)snprintf(prefix, sizeof prefix, "%.40s.mlp", name);
    if (how->bn == CA_FX_BN_ONCE)
        x = ca_fx_norm(g, x, ca_fx_layer(part, prefix, 0, NULL), 0);
    for (size_t i = 0; i < n_hidden; i++) {
        size_t at = ca_fx_place(how, i);

        x = ca_op_linear(g, x, ca_fx_layer(part, prefix, at++, NULL), hidden[i], 1);
        if (how->bn == CA_FX_BN_EACH)
            x = ca_fx_norm(g, x, ca_fx_layer(part, prefix, at++, NULL), 0);
        x = how->dice ? ca_op_dice(g, x, ca_fx_layer(part, prefix, at, NULL), 1) : ca_op_relu(g, x);
        x = ca_op_dropout(g, x, how->dropout);
    }
    return head ? ca_op_linear(g, x, ca_fx_layer(part, prefix, ca_fx_place(how, n_hidden), NULL), 1, 1) : x;
}

ca_val ca_fx_deep(struct ca_graph *g, const struct ca_arch_spec *spec, ca_val x, const char *name, int head)
{
    struct ca_fx_how how = ca_fx_how(spec);

    return ca_fx_tower(g, x, name, spec->hidden, spec->n_hidden, head, &how);
}
