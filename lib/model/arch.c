#include "model/arch.h"

#include <math.h>
#include <string.h>

#include "base/num.h"
#include "nn/ops.h"

#include "base/banned.h"

#define MAX_HIDDEN_WIDTH 65536

const struct ca_arch *const ca_archs[] = {
    &ca_arch_afm, &ca_arch_afm_fx, &ca_arch_afn, &ca_arch_afn_plus, &ca_arch_autoint, &ca_arch_autoint_fx,
    &ca_arch_autoint_plus, &ca_arch_cin, &ca_arch_cl4ctr, &ca_arch_cl4ctr_deepfm, &ca_arch_crossnetv2,
    &ca_arch_dagfm, &ca_arch_dagfm_outer, &ca_arch_dcn, &ca_arch_dcn_fx, &ca_arch_dcnv2, &ca_arch_dcnv2_both,
    &ca_arch_dcnv2_stacked, &ca_arch_deepfm, &ca_arch_deepfm_fx, &ca_arch_dlrm, &ca_arch_dmin,
    &ca_arch_dmin_multidomain, &ca_arch_dmin_multitask, &ca_arch_ecn, &ca_arch_edcn, &ca_arch_eulernet,
    &ca_arch_fcn, &ca_arch_fibinet, &ca_arch_fibinet_all, &ca_arch_fibinet_each,
    &ca_arch_fibinet_fx, &ca_arch_final, &ca_arch_final_2b, &ca_arch_finalmlp, &ca_arch_fm, &ca_arch_fmfm,
    &ca_arch_fmfm_vector, &ca_arch_lcn, &ca_arch_lr, &ca_arch_masknet, &ca_arch_masknet_serial, &ca_arch_mlp,
    &ca_arch_mlp_fx, &ca_arch_multidomain, &ca_arch_multitask, &ca_arch_nfm, &ca_arch_nfm_fx, &ca_arch_pnn,
    &ca_arch_rfm, &ca_arch_twotower, &ca_arch_widedeep, &ca_arch_xdeepfm, &ca_arch_xdeepfm_fx, NULL,
};

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

/* How the architecture is written. */
static const char *usage_of(const struct ca_arch *arch)
{
    static const char *const form[] = {
        [CA_SIZES_ALL] = "NAME:WIDTH:HIDDEN,..., for example 16:256,128,16 after the name and a colon",
        [CA_SIZES_WIDTH] = "NAME:WIDTH, for example 16 after the name and a colon",
        [CA_SIZES_NONE] = "the name alone",
    };
    return form[arch->sizes];
}

int ca_arch_reads_lists(const struct ca_arch *arch)
{
    return arch->family == CA_FAMILY_FX;
}

void ca_arch_key_text(const struct ca_arch_key *key, size_t value, struct ca_buf *out)
{
    if (key->thousandths)
        ca_buf_printf(out, "=%.9g", (double)value / 1000);
    else
        ca_buf_printf(out, "=%zu", value);
}

size_t ca_arch_option(const struct ca_arch_spec *spec, const char *name)
{
    const struct ca_arch_key *keys = spec->arch->keys;

    for (size_t i = 0; keys && keys[i].name; i++)
        if (!strcmp(keys[i].name, name))
            return spec->option[i];
    return 0;
}

static int malformed(const char *text, const struct ca_arch *arch, const char *what, struct ca_err *err)
{
    struct ca_buf keys = {0};

    for (const struct ca_arch_key *k = arch->keys; k && k->name; k++) {
        ca_buf_printf(&keys, "%s%s", k == arch->keys ? "; further sizes, parted by commas after one more colon, "
                                                       "and their values otherwise: " : ",", k->name);
        ca_arch_key_text(k, k->value, &keys);
    }
    (void)ca_err_set(err, CA_EUSAGE, "architecture '%.100s': %s", text, what);
    (void)ca_err_hint(err, "write it as %s%s", usage_of(arch), keys.data ? keys.data : "");
    ca_buf_fini(&keys);
    return CA_EUSAGE;
}

/* The part up to the next colon, without it; "" at the end. Returns 0 when it is too long for any part. */
static int next_part(const char **p, char *part, size_t size)
{
    size_t len = strcspn(*p, ":");

    if (len >= size)
        return 0;
    memcpy(part, *p, len);
    part[len] = '\0';
    *p += len + ((*p)[len] == ':');
    return 1;
}

/* A whole number, or a fraction with at most three decimals, in thousandths. */
static int parse_value(const char *text, const struct ca_arch_key *k, size_t *out)
{
    uint64_t n;
    double x;

    if (!k->thousandths) {
        if (ca_num_u64(text, k->min, k->max, &n))
            return -1;
        *out = (size_t)n;
        return 0;
    }
    if (ca_num_double(text, (double)k->min / 1000, (double)k->max / 1000, &x) || fabs(x * 1000 - round(x * 1000)) > 1e-9)
        return -1;
    *out = (size_t)(x * 1000 + 0.5);
    return 0;
}

/* "layers=3,maps=16": NULL, or what is wrong. */
static const char *parse_keys(const char *p, struct ca_arch_spec *spec)
{
    while (*p) {
        size_t len = strcspn(p, ","), name = strcspn(p, "=");
        const struct ca_arch_key *k = spec->arch->keys;
        char number[24] = "";

        while (k && k->name && (strlen(k->name) != name || memcmp(k->name, p, name) != 0))
            k++;
        if (!k || !k->name || name >= len)
            return "a size by that name is not known";
        if (len - name - 1 < sizeof number) {
            memcpy(number, p + name + 1, len - name - 1);
            number[len - name - 1] = '\0';
        }
        if (parse_value(number, k, &spec->option[k - spec->arch->keys]))
            return "one of its further sizes is out of range";
        p += len;
        if (*p && !*++p)
            return "a further size is missing after the last comma";
    }
    return NULL;
}

static const char *parse_hidden(const char *p, struct ca_arch_spec *spec)
{
    size_t hidden[CA_MAX_HIDDEN];
    int n = ca_num_list(p, ',', hidden, CA_MAX_HIDDEN);

    if (n < 1)
        return "the hidden widths are not 1 to 16 numbers parted by commas";
    for (int i = 0; i < n; i++) {
        if (hidden[i] < 1 || hidden[i] > MAX_HIDDEN_WIDTH)
            return "a hidden width is outside 1 to 65536";
        spec->hidden[i] = hidden[i];
    }
    spec->n_hidden = (size_t)n;
    return NULL;
}

int ca_arch_parse(const char *text, struct ca_arch_spec *spec, struct ca_err *err)
{
    size_t len = strcspn(text, ":");
    const char *p = text + len, *bad = NULL;
    char part[256];
    uint64_t w;

    memset(spec, 0, sizeof *spec);
    spec->arch = find(text, len);
    if (!spec->arch)
        return unknown(text, len, err);
    for (size_t i = 0; spec->arch->keys && spec->arch->keys[i].name; i++)
        spec->option[i] = spec->arch->keys[i].value;
    p += *p == ':';
    if (spec->arch->sizes != CA_SIZES_NONE) {
        if (!*p)
            return malformed(text, spec->arch, "the embedding width is missing", err);
        if (!next_part(&p, part, sizeof part) || ca_num_u64(part, 1, CA_MAX_WIDTH, &w))
            return malformed(text, spec->arch, "the embedding width is not a number from 1 to 4096", err);
        spec->width = (size_t)w;
    }
    if (spec->arch->sizes == CA_SIZES_ALL) {
        if (!*p)
            return malformed(text, spec->arch, "the hidden widths are missing", err);
        bad = next_part(&p, part, sizeof part) ? parse_hidden(part, spec) : "the hidden widths are too many";
    }
    if (!bad && text[strlen(text) - 1] == ':')
        bad = "it ends with a colon";
    if (!bad)
        bad = strchr(p, ':') ? "it has too many parts" : parse_keys(p, spec);
    return bad ? malformed(text, spec->arch, bad, err) : 0;
}

void ca_arch_text(const struct ca_arch_spec *spec, struct ca_buf *out)
{
    const struct ca_arch_key *keys = spec->arch->keys;
    const char *before = ":";

    ca_buf_printf(out, "%s", spec->arch->name);
    if (spec->arch->sizes != CA_SIZES_NONE)
        ca_buf_printf(out, ":%zu", spec->width);
    for (size_t i = 0; i < spec->n_hidden; i++)
        ca_buf_printf(out, "%s%zu", i ? "," : ":", spec->hidden[i]);
    for (size_t i = 0; keys && keys[i].name; i++)
        if (spec->option[i] != keys[i].value) {
            ca_buf_printf(out, "%s%s", before, keys[i].name);
            ca_arch_key_text(&keys[i], spec->option[i], out);
            before = ",";
        }
}

int ca_arch_equal(const struct ca_arch_spec *a, const struct ca_arch_spec *b)
{
    return a->arch == b->arch && a->width == b->width && a->n_hidden == b->n_hidden &&
           !memcmp(a->hidden, b->hidden, a->n_hidden * sizeof *a->hidden) &&
           !memcmp(a->option, b->option, sizeof a->option);
}
