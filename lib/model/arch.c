#include "model/arch.h"

#include <string.h>

#include "base/num.h"
#include "nn/ops.h"

#include "base/banned.h"

#define MAX_HIDDEN_WIDTH 65536

const struct ca_arch *const ca_archs[] = {&ca_arch_afm,     &ca_arch_autoint, &ca_arch_dcn, &ca_arch_deepfm,
                                          &ca_arch_fibinet, &ca_arch_mlp,     &ca_arch_nfm, &ca_arch_xdeepfm,
                                          NULL};

ca_val ca_arch_tables(struct ca_graph *g, const struct ca_arch_spec *spec)
{
    return ca_graph_embed(g, "sparse_embedding.embedding_layers", spec->width,
                          (struct ca_init_rule){CA_INIT_NORMAL, 1.0});
}

ca_val ca_arch_join(struct ca_graph *g, ca_val v)
{
    if (!ca_graph_inputs(g)->n_numeric)
        return v;
    return ca_op_concat(g, (ca_val[2]){ca_graph_numeric(g), v}, 2);
}

size_t ca_arch_embeddings(size_t fields, size_t width)
{
    return fields * width;
}

static const struct ca_arch *find(const char *name, size_t len)
{
    for (size_t i = 0; ca_archs[i]; i++)
        if (strlen(ca_archs[i]->name) == len && !memcmp(ca_archs[i]->name, name, len))
            return ca_archs[i];
    return NULL;
}

static int unknown(const char *name, size_t len, struct ca_err *err)
{
    struct ca_buf known = {0};

    for (size_t i = 0; ca_archs[i]; i++)
        ca_buf_printf(&known, "%s%s", i ? ", " : "", ca_archs[i]->name);
    (void)ca_err_set(err, CA_EUSAGE, "unknown architecture '%.*s'", (int)(len < 64 ? len : 64), name);
    (void)ca_err_hint(err, "known are: %s", known.data ? known.data : "");
    ca_buf_fini(&known);
    return CA_EUSAGE;
}

static int malformed(const char *text, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, CA_EUSAGE, "architecture '%.100s': %s", text, what);
    (void)ca_err_hint(err, "write it as NAME:WIDTH:HIDDEN,..., for example fibinet:16:256,128,16");
    return CA_EUSAGE;
}

int ca_arch_parse(const char *text, struct ca_arch_spec *spec, struct ca_err *err)
{
    size_t len = strcspn(text, ":");
    size_t hidden[CA_MAX_HIDDEN];
    char width[24];
    const char *p;
    uint64_t w;
    int n;

    memset(spec, 0, sizeof *spec);
    spec->arch = find(text, len);
    if (!spec->arch)
        return unknown(text, len, err);
    p = text + len;
    if (*p++ != ':')
        return malformed(text, "the embedding width is missing", err);
    len = strcspn(p, ":");
    if (!len || len >= sizeof width)
        return malformed(text, "the embedding width is not a number from 1 to 4096", err);
    memcpy(width, p, len);
    width[len] = '\0';
    if (ca_num_u64(width, 1, CA_MAX_WIDTH, &w))
        return malformed(text, "the embedding width is not a number from 1 to 4096", err);
    spec->width = (size_t)w;
    p += len;
    if (*p++ != ':')
        return malformed(text, "the hidden widths are missing", err);
    n = ca_num_list(p, ',', hidden, CA_MAX_HIDDEN);
    if (n < 1)
        return malformed(text, "the hidden widths are not 1 to 16 numbers parted by commas", err);
    for (int i = 0; i < n; i++) {
        if (hidden[i] < 1 || hidden[i] > MAX_HIDDEN_WIDTH)
            return malformed(text, "a hidden width is outside 1 to 65536", err);
        spec->hidden[i] = hidden[i];
    }
    spec->n_hidden = (size_t)n;
    return 0;
}

void ca_arch_text(const struct ca_arch_spec *spec, struct ca_buf *out)
{
    ca_buf_printf(out, "%s:%zu:", spec->arch->name, spec->width);
    for (size_t i = 0; i < spec->n_hidden; i++)
        ca_buf_printf(out, "%s%zu", i ? "," : "", spec->hidden[i]);
}

int ca_arch_equal(const struct ca_arch_spec *a, const struct ca_arch_spec *b)
{
    return a->arch == b->arch && a->width == b->width && a->n_hidden == b->n_hidden &&
           !memcmp(a->hidden, b->hidden, a->n_hidden * sizeof *a->hidden);
}
