/* ca-model: what a model file holds, and where two of them differ. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "model/model.h"
#include "nn/blas.h"

#include "base/banned.h"

enum { FORMAT_TSV, FORMAT_JSON };

struct params {
    const char *diff;
    int format, provenance, vocabulary, digest, tensors, weights_only;
};

#define AT(member) offsetof(struct params, member)

static const struct ca_opt opts[] = {
    {"format", 'f', CA_OPT_CHOICE, AT(format), "tsv|json", "tsv", 0, 0, 0, "how numbers are written"},
    {"tensors", 't', CA_OPT_FLAG, AT(tensors), "", NULL, 0, 0, 0, "one line a tensor: shape, norm, least and greatest"},
    {"diff", 'd', CA_OPT_FILE, AT(diff), "OTHER", NULL, 0, 0, 0,
     "compare the weights with those of OTHER; the exit status is 1 when they differ"},
    {"provenance", 'p', CA_OPT_FLAG, AT(provenance), "", NULL, 0, 0, 0, "how the model was made, one JSON object a run"},
    {"vocabulary", 0, CA_OPT_FLAG, AT(vocabulary), "", NULL, 0, 0, 0, "write the vocabulary as it is stored"},
    {"digest", 0, CA_OPT_FLAG, AT(digest), "", NULL, 0, 0, 0, "the content digest of the weights alone"},
    {"weights-only", 0, CA_OPT_FLAG, AT(weights_only), "", NULL, 0, 0, 0,
     "write the model again without optimizer state and vocabulary, for PyTorch or for scoring"},
};

static const struct ca_example examples[] = {
    {"ca-model student.safetensors", "architecture, features and sizes"},
    {"ca-model --tensors student.safetensors | sort -t\"$(printf '\\t')\" -k5,5gr | head", "the largest tensors by norm"},
    {"ca-model --weights-only student.safetensors -o torch.safetensors", "what load_state_dict takes"},
    {"ca-model --diff a.safetensors b.safetensors", "do two files hold the same weights"},
    {NULL, NULL},
};

struct stat_row {
    double norm, least, greatest;
};

static struct stat_row stats(struct ca_model *m, const struct ca_model_tensor *t)
{
    struct stat_row s = {0, INFINITY, -INFINITY};
    double sum = 0;

    for (size_t r = 0; r < t->rows; r++) {
        const ca_real *row = ca_model_tensor_row(m, t, r, CA_STATE_WEIGHT);
        for (size_t k = 0; k < t->row_len; k++) {
            double x = (double)row[k];
            sum += x * x;
            s.least = x < s.least ? x : s.least;
            s.greatest = x > s.greatest ? x : s.greatest;
        }
    }
    s.norm = sqrt(sum);
    return s;
}

static void shape_text(const struct ca_model_tensor *t, struct ca_buf *out)
{
    for (unsigned k = 0; k < t->n_dims; k++)
        ca_buf_printf(out, "%s%zu", k ? "x" : "", t->dim[k]);
}

static json_t *shape_json(const struct ca_model_tensor *t)
{
    json_t *a = json_array();

    for (unsigned k = 0; a && k < t->n_dims; k++)
        if (json_array_append_new(a, json_integer((json_int_t)t->dim[k]))) {
            json_decref(a);
            return NULL;
        }
    return a;
}

/* Append an object as one line. */
static int put_json(json_t *obj, struct ca_buf *out, struct ca_err *err)
{
    int rc = obj ? ca_json_dump(obj, out, err) : ca_err_set(err, CA_EMEMORY, "out of memory: cannot build JSON");

    ca_buf_char(out, '\n');
    json_decref(obj);
    return rc;
}

/* JSON has no infinities. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static int show_tensors(struct ca_model *m, int format, struct ca_buf *out, struct ca_err *err)
{
    int rc = 0;

    if (format == FORMAT_TSV)
        ca_buf_str(out, "tensor\tkind\tshape\tcount\tl2_norm\tmin\tmax\n");
    for (size_t i = 0; i < ca_model_n_tensors(m) && !rc; i++) {
        struct ca_model_tensor t = ca_model_get_tensor(m, i);
        struct stat_row s = stats(m, &t);
        const char *kind = t.is_table ? "table" : "dense";
        if (format == FORMAT_JSON) {
            rc = put_json(json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:o}", "tensor", t.name, "kind", kind, "shape",
                                    shape_json(&t), "count", (json_int_t)(t.rows * t.row_len), "l2_norm",
                                    number(s.norm), "min", number(s.least), "max", number(s.greatest)),
                          out, err);
            continue;
        }
        ca_buf_printf(out, "%s\t%s\t", t.name, kind);
        shape_text(&t, out);
        ca_buf_printf(out, "\t%zu\t%.17g\t%.9g\t%.9g\n", t.rows * t.row_len, s.norm, s.least, s.greatest);
    }
    return rc;
}

static size_t table_count(const struct ca_graph *g)
{
    size_t n = 0;

    for (size_t i = 0; i < ca_graph_n_tables(g); i++)
        n += ca_graph_get_table(g, i)->rows * ca_graph_get_table(g, i)->width;
    return n;
}

static json_t *features_json(const struct ca_model *m)
{
    json_t *a = json_array();
    int bad = !a;

    for (size_t i = 0; i < m->n_numeric && !bad; i++)
        bad = json_array_append_new(a, json_pack("{s:s, s:s}", "name", m->numeric[i].name, "kind", "numeric"));
    for (size_t i = 0; i < m->n_fields && !bad; i++)
        bad = json_array_append_new(a, json_pack("{s:s, s:s, s:I}", "name", m->field[i].name, "kind", "categorical",
                                                 "vocab", (json_int_t)m->field[i].vocab));
    if (bad) {
        json_decref(a);
        return NULL;
    }
    return a;
}

/* The summary: key and value, then a line a feature. */
static int show_summary(struct ca_model *m, int format, struct ca_buf *out, struct ca_err *err)
{
    const struct ca_graph *g = ca_net_graph(m->net);
    size_t dense = ca_graph_dense_count(g), table = table_count(g);
    unsigned long long dense_steps = ca_net_steps(m->net, CA_STEP_DENSE), table_steps = ca_net_steps(m->net, CA_STEP_TABLES);
    unsigned long long flops = ca_net_flops_per_row(m->net);
    char digest[CA_DIGEST_HEX];
    struct ca_buf arch = {0};
    int rc = ca_model_digest(m, digest, err);

    ca_arch_text(&m->spec, &arch);
    if (rc || (rc = ca_buf_check(&arch, err)))
        goto done;
    if (format == FORMAT_JSON) {
        rc = put_json(json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o}", "architecture", arch.data,
                                "summary", m->spec.arch->summary, "digest", digest, "dense_parameters",
                                (json_int_t)dense, "table_parameters", (json_int_t)table, "flops_per_row",
                                (json_int_t)flops, "dense_steps", (json_int_t)dense_steps, "table_steps",
                                (json_int_t)table_steps, "vocabulary_digest", m->vocabulary_digest, "vocabulary_bytes",
                                (json_int_t)m->vocabulary_size, "features", features_json(m)),
                      out, err);
        goto done;
    }
    ca_buf_printf(out, "key\tvalue\narchitecture\t%s\nsummary\t%s\ndigest\t%s\n", arch.data, m->spec.arch->summary,
                  digest);
    ca_buf_printf(out, "dense_parameters\t%zu\ntable_parameters\t%zu\nflops_per_row\t%llu\n", dense, table, flops);
    ca_buf_printf(out, "dense_steps\t%llu\ntable_steps\t%llu\n", dense_steps, table_steps);
    ca_buf_printf(out, "vocabulary_digest\t%s\nvocabulary_bytes\t%zu\n", m->vocabulary_digest, m->vocabulary_size);
    for (size_t i = 0; i < m->n_numeric; i++)
        ca_buf_printf(out, "numeric.%zu\t%s\n", i, m->numeric[i].name);
    for (size_t i = 0; i < m->n_fields; i++)
        ca_buf_printf(out, "field.%zu\t%s %lu\n", i, m->field[i].name, (unsigned long)m->field[i].vocab);
done:
    ca_buf_fini(&arch);
    return rc;
}

static int show_provenance(const struct ca_model *m, struct ca_buf *out, struct ca_err *err)
{
    const json_t *list = json_object_get(m->meta, "provenance");
    int rc = 0;

    for (size_t i = 0; i < json_array_size(list) && !rc; i++)
        rc = put_json(json_incref(json_array_get(list, i)), out, err);
    return rc;
}

/* Greatest absolute difference; infinite where one of the two is not a number and the other is. */
static double tensor_difference(struct ca_model *a, struct ca_model *b, const struct ca_model_tensor *t,
                                const struct ca_model_tensor *u)
{
    double most = 0;

    for (size_t r = 0; r < t->rows; r++) {
        const ca_real *x = ca_model_tensor_row(a, t, r, CA_STATE_WEIGHT);
        const ca_real *y = ca_model_tensor_row(b, u, r, CA_STATE_WEIGHT);
        for (size_t k = 0; k < t->row_len; k++) {
            double d = fabs((double)x[k] - (double)y[k]);
            if (memcmp(&x[k], &y[k], sizeof x[k]) && !(d <= most))
                most = isnan(d) ? INFINITY : d;
        }
    }
    return most;
}

/* The other model's tensor of that name and shape; 0 when there is none. */
static int partner(const struct ca_model *b, const struct ca_model_tensor *t, struct ca_model_tensor *u)
{
    for (size_t i = 0; i < ca_model_n_tensors(b); i++) {
        *u = ca_model_get_tensor(b, i);
        if (!strcmp(u->name, t->name))
            return u->n_dims == t->n_dims && !memcmp(u->dim, t->dim, t->n_dims * sizeof *t->dim);
    }
    return 0;
}

struct difference {
    struct ca_buf *out;
    int format, found;
};

static int put_difference(struct difference *d, const char *tensor, const char *what, double most, struct ca_err *err)
{
    d->found = 1;
    if (d->format == FORMAT_JSON)
        return put_json(json_pack("{s:s, s:s, s:o}", "tensor", tensor, "difference", what, "max_abs", number(most)),
                        d->out, err);
    ca_buf_printf(d->out, "%s\t%s\t%.9g\n", tensor, what, most);
    return 0;
}

/* Only what differs is written: silence is equality. */
static int show_diff(struct ca_model *a, struct ca_model *b, int format, struct ca_buf *out, int *differ,
                     struct ca_err *err)
{
    struct difference d = {out, format, 0};
    struct ca_model_tensor t, u;
    int rc = 0;

    if (format == FORMAT_TSV)
        ca_buf_str(out, "tensor\tdifference\tmax_abs\n");
    for (size_t i = 0; i < ca_model_n_tensors(a) && !rc; i++) {
        t = ca_model_get_tensor(a, i);
        if (!partner(b, &t, &u)) {
            rc = put_difference(&d, t.name, "not in the other, or of another shape", NAN, err);
            continue;
        }
        for (size_t r = 0; r < t.rows; r++)
            if (memcmp(ca_model_tensor_row(a, &t, r, CA_STATE_WEIGHT), ca_model_tensor_row(b, &u, r, CA_STATE_WEIGHT),
                       t.row_len * sizeof(ca_real))) {
                rc = put_difference(&d, t.name, "values", tensor_difference(a, b, &t, &u), err);
                break;
            }
    }
    for (size_t i = 0; i < ca_model_n_tensors(b) && !rc; i++) {
        t = ca_model_get_tensor(b, i);
        if (!partner(a, &t, &u))
            rc = put_difference(&d, t.name, "only in the other, or of another shape", NAN, err);
    }
    *differ = d.found;
    return rc;
}

static int check_options(const struct params *p, struct ca_err *err)
{
    if (p->tensors + (p->diff != NULL) + p->provenance + p->vocabulary + p->digest + p->weights_only > 1)
        return ca_err_set(err, CA_EUSAGE, "give one of --tensors, --diff, --provenance, --vocabulary, --digest and "
                                          "--weights-only");
    return 0;
}

static int show(const struct params *p, struct ca_model *m, struct ca_model *other, struct ca_buf *out, int *differ,
                struct ca_err *err)
{
    char digest[CA_DIGEST_HEX];
    int rc;

    if (p->diff)
        return show_diff(m, other, p->format, out, differ, err);
    if (p->tensors)
        return show_tensors(m, p->format, out, err);
    if (p->provenance)
        return show_provenance(m, out, err);
    if (p->vocabulary) {
        if (!m->vocabulary)
            return ca_err_set(err, CA_ESCHEMA, "the model holds no vocabulary");
        ca_buf_add(out, m->vocabulary, m->vocabulary_size);
        return 0;
    }
    if (!p->digest)
        return show_summary(m, p->format, out, err);
    rc = ca_model_digest(m, digest, err);
    ca_buf_printf(out, "%s\n", digest);
    return rc;
}

static int write_text(const struct params *p, struct ca_run *run, struct ca_model *m, struct ca_model *other,
                      struct ca_err *err)
{
    struct ca_buf text = {0};
    struct ca_out *out = NULL;
    int rc;

    if ((rc = show(p, m, other, &text, &run->answer_no, err)) || (rc = ca_buf_check(&text, err)) ||
        (rc = ca_out_open(&out, run->common.output, err)))
        goto done;
    rc = ca_out_write(out, text.data ? text.data : "", text.len, err);
    if (!rc) {
        rc = ca_out_close(out, err);
        out = NULL;
    }
done:
    ca_out_abort(out);
    ca_buf_fini(&text);
    return rc;
}

static int run_model(struct ca_run *run, struct ca_err *err)
{
    const struct params *p = run->params;
    const char *path = run->n_operands ? run->operands[0] : "-";
    unsigned flags = run->common.force ? CA_MODEL_FORCE : 0;
    struct ca_pool *pool = NULL;
    struct ca_model *m = NULL, *other = NULL;
    int rc;

    if ((rc = check_options(p, err)))
        return rc;
    pool = ca_pool_new(1, err);
    if (!pool)
        return err->code;
    /* the whole file is read, optimizer state and all: every checksum is looked at */
    if ((rc = ca_model_load(&m, path, flags, pool, err)) ||
        (p->diff && (rc = ca_model_load(&other, p->diff, flags, pool, err))))
        goto done;
    rc = p->weights_only ? ca_model_save(m, run->common.output, CA_MODEL_WEIGHTS_ONLY, run, err)
                         : write_text(p, run, m, other, err);
done:
    ca_model_free(m);
    ca_model_free(other);
    ca_pool_free(pool);
    return rc;
}

static const struct ca_tool tool = {
    .name = "ca-model",
    .summary = "what a model file holds, and where two of them differ",
    .operands = "[MODEL]",
    .examples = examples,
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .params_size = sizeof(struct params),
    .max_operands = 1,
    .flags = CA_TOOL_SILENT,
    .engine = ca_blas_engine,
    .run = run_model,
};

int main(int argc, char **argv)
{
    return ca_cli_main(&tool, argc, argv);
}
