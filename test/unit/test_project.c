/*
 * The projection against numpy's (test/oracle/project.py), and against what it
 * must keep whatever the basis.
 */
#include "base/mem.h"
#include "tap.h"
#include "transfer/project.h"

#define GOLDEN "test/golden/project.tsv"
#define FIELDS 3
#define D 8

static const uint32_t rows_of[FIELDS] = {300, 4, 1000};

static double draw(uint64_t n)
{
    uint64_t z = (n + 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 40) / 8388608.0 - 1.0;
}

static struct ca_arch_spec spec_of(const char *arch, size_t width)
{
    struct ca_arch_spec spec;
    struct ca_err err = {0};
    char text[64];

    (void)snprintf(text, sizeof text, "%s:%zu:4", arch, width);
    if (ca_arch_parse(text, &spec, &err))
        printf("# %s\n", err.text);
    return spec;
}

/* The oracle's tables in a model of width D. */
static struct ca_model *teacher(struct ca_pool *pool, struct ca_err *err)
{
    struct ca_arch_spec spec = spec_of("mlp", D);
    struct ca_head head = {0};
    struct ca_model *m = NULL;
    int rc = ca_schema_add(&head.schema, "label", CA_ROLE_LABEL, CA_TYPE_F32, 0, 0, err);

    for (size_t f = 0; f < FIELDS && !rc; f++) {
        char name[] = {'C', (char)('1' + f), '\0'};
        rc = ca_schema_add(&head.schema, name, CA_ROLE_CATEGORICAL, CA_TYPE_U32, 0, rows_of[f], err);
    }
    if (!rc)
        rc = ca_model_new(&m, &spec, &head, NULL, 1, pool, err);
    ca_head_fini(&head);
    for (size_t f = 0; f < FIELDS && !rc; f++)
        for (size_t r = 0; r < rows_of[f]; r++) {
            ca_real *e = ca_net_table_row(m->net, f, r, CA_STATE_WEIGHT);
            for (size_t k = 0; k < D; k++) {
                uint64_t n = (f * 100000 + r) * 64 + k;
                double x = draw(n) / (double)(k + 1) + 0.25;
                if (k)
                    x += 0.5 * draw(n - 1);
                e[k] = (ca_real)x;
            }
        }
    return m;
}

/* Project the teacher into arch:width; NULL on a fault, which is printed. */
static struct ca_model *student(struct ca_model *from, const char *arch, size_t width, const struct ca_project_opts *o,
                                struct ca_pool *pool, struct ca_project_field *field)
{
    struct ca_arch_spec spec = spec_of(arch, width);
    struct ca_model *to = NULL;
    struct ca_err err = {0};

    if (ca_model_like(&to, &spec, from, 7, pool, &err) || ca_project_tables(to, from, o, pool, field, &err)) {
        printf("# %s\n", err.text);
        ca_model_free(to);
        return NULL;
    }
    return to;
}

static const ca_real *row(struct ca_model *m, size_t table, size_t r)
{
    return ca_net_table_row(m->net, table, r, CA_STATE_WEIGHT);
}

static double dot(size_t n, const ca_real *a, const ca_real *b)
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += (double)a[i] * (double)b[i];
    return s;
}

/* Greatest change of an inner product between some rows of two tables. */
static double worst_product(struct ca_model *a, size_t da, struct ca_model *b, size_t db, size_t f, size_t g)
{
    double worst = 0;

    for (size_t i = 0; i < rows_of[f]; i += 3)
        for (size_t j = 0; j < rows_of[g]; j += 7)
            worst = fmax(worst, fabs(dot(da, row(a, f, i), row(a, g, j)) - dot(db, row(b, f, i), row(b, g, j))));
    return worst;
}

static void check_expansion(struct ca_model *from, struct ca_pool *pool)
{
    struct ca_project_opts o = {.seed = 5};
    struct ca_project_field field[FIELDS];
    struct ca_model *to = student(from, "fibinet", 16, &o, pool, field), *other;

    if (!OK(to != NULL, "8 to 16"))
        return;
    for (size_t f = 0; f < FIELDS; f++) {
        CLOSE(worst_product(from, D, to, 16, f, f), 0, 1e-5, "keeps the inner products of a field");
        OK(field[f].how == CA_PROJECT_EXPAND && field[f].reconstruction_error < 1e-6 &&
               field[f].gram_relative < 1e-6 && field[f].retained_variance == 1 && field[f].gram_theory == 0,
           "and says so");
        OK(field[f].cross_field > 0.1, "and that products across fields are lost");
    }
    o.seed = 6;
    other = student(from, "fibinet", 16, &o, pool, field);
    OK(other && memcmp(row(to, 0, 0), row(other, 0, 0), 16 * sizeof(ca_real)), "another seed turns otherwise");
    ca_model_free(other);
    ca_model_free(to);

    o.scope = CA_PROJECT_SHARED;
    to = student(from, "mlp", 9, &o, pool, field);
    if (!OK(to != NULL, "8 to 9, one basis for all"))
        return;
    CLOSE(worst_product(from, D, to, 9, 0, 2), 0, 1e-5, "keeps the inner products across fields");
    OK(field[0].cross_field < 1e-6 && field[1].cross_field < 1e-6, "and says so");
    ca_model_free(to);
}

static void check_copy(struct ca_model *from, struct ca_pool *pool)
{
    struct ca_project_opts o = {0};
    struct ca_project_field field[FIELDS];
    struct ca_model *to = student(from, "fibinet", D, &o, pool, field);
    int equal = to != NULL;

    for (size_t f = 0; f < FIELDS && equal; f++)
        for (size_t r = 0; r < rows_of[f]; r++)
            equal &= !memcmp(row(from, f, r), row(to, f, r), D * sizeof(ca_real));
    OK(equal, "equal widths: equal bits");
    OK(field[0].how == CA_PROJECT_COPY && field[0].reconstruction_error == 0 && field[0].inner_product == 0 &&
           field[2].cross_field == 0,
       "and nothing lost");
    STR_EQ(field[2].name, "C3", "fields have their features' names");
    ca_model_free(to);

    o.none = 1;
    to = student(from, "fibinet", D, &o, pool, field);
    OK(to && memcmp(row(from, 0, 0), row(to, 0, 0), D * sizeof(ca_real)) && isnan(field[0].reconstruction_error) &&
           field[0].gram_relative > 0.1,
       "no projection: fresh tables, and a report of how far they are");
    ca_model_free(to);
}

static void check_golden(struct ca_model *from, struct ca_pool *pool)
{
    char line[1024], name[32], last[32] = "";
    struct ca_project_field field[FIELDS];
    struct ca_model *to = NULL;
    double want[9];
    int cases = 0;
    size_t f;
    FILE *file = fopen(GOLDEN, "r");

    if (!OK(file != NULL, "the stored numbers are there (run from the top directory)"))
        return;
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%31s %zu %lf %lf %lf %lf %lf %lf %lf %lf %lf", name, &f, &want[0], &want[1], &want[2],
                   &want[3], &want[4], &want[5], &want[6], &want[7], &want[8]) != 11 ||
            f >= FIELDS)
            break;
        if (strcmp(name, last)) {
            struct ca_project_opts o = {.scope = strstr(name, "shared") ? CA_PROJECT_SHARED : CA_PROJECT_PER_FIELD,
                                        .mean = strstr(name, "keep") ? CA_PROJECT_KEEP : CA_PROJECT_DROP};
            ca_model_free(to);
            to = student(from, "mlp", strchr(name, '6') ? 6 : 3, &o, pool, field);
            if (!to)
                break;
            memcpy(last, name, sizeof last);
        }
        CLOSE(field[f].reconstruction_error, want[0], 1e-7, name);
        CLOSE(field[f].retained_variance, want[1], 1e-12, "retained variance");
        CLOSE(field[f].gram_theory, want[2], 1e-9 * (1 + want[2]), "Gram distortion as the theorem has it");
        CLOSE(field[f].gram_measured, want[2], 1e-6 * (1 + want[2]), "and as measured");
        CLOSE(field[f].gram_relative, want[3], 1e-6, "relative to the whole");
        CLOSE(field[f].inner_product, want[4], 1e-6, "inner products");
        CLOSE(field[f].cross_field, want[5], 1e-6, "across fields");
        for (size_t k = 0; k < 3; k++)
            CLOSE((double)row(to, f, 1)[k], want[6 + k], 1e-6, "an embedding");
        cases++;
    }
    OK(cases == 18, "all cases were held against numpy");
    (void)fclose(file);
    ca_model_free(to);
}

static void check_rank(struct ca_model *from, struct ca_pool *pool)
{
    struct ca_project_opts o = {0};
    struct ca_project_field field[FIELDS];
    struct ca_model *to = student(from, "mlp", 6, &o, pool, field);
    int zero = to != NULL;

    for (size_t r = 0; r < rows_of[1] && zero; r++)
        for (size_t k = 3; k < 6; k++)
            zero &= row(to, 1, r)[k] == 0;
    OK(zero, "four rows have three directions about their mean; the other columns are zero");
    CLOSE(field[1].reconstruction_error, 0, 1e-6, "and nothing is lost");
    ca_model_free(to);
}

static void check_width(struct ca_model *from, struct ca_pool *pool)
{
    struct ca_project_opts o = {0};
    struct ca_project_field field[FIELDS];
    struct ca_err err = {0};
    size_t width = 0;

    for (int shared = 0; shared < 2; shared++) {
        o.scope = shared ? CA_PROJECT_SHARED : CA_PROJECT_PER_FIELD;
        for (size_t want = 2; want < D; want++) {
            struct ca_model *to = student(from, "mlp", want, &o, pool, field);
            double least = 1;
            int ok = to != NULL;

            for (size_t f = 0; f < FIELDS; f++)
                least = fmin(least, field[f].retained_variance);
            if (!shared) {
                ok = ok && !ca_project_width(from, o.scope, least - 1e-9, pool, &width, &err) && width == want &&
                     !ca_project_width(from, o.scope, least + 1e-9, pool, &width, &err) && width == want + 1;
            } else {
                ok = ok && !ca_project_width(from, o.scope, least, pool, &width, &err) && width <= want + 1;
            }
            if (!OK(ok, "the width for a share of the variance"))
                printf("# share %.17g: width %zu, not %zu\n", least, width, want);
            ca_model_free(to);
        }
    }
    OK(!ca_project_width(from, CA_PROJECT_PER_FIELD, 1, pool, &width, &err) && width == D, "all of it takes all");
    OK(!ca_project_width(from, CA_PROJECT_PER_FIELD, 1e-6, pool, &width, &err) && width == 1, "next to nothing takes 1");
}

static void check_threads(struct ca_model *from, struct ca_pool *pool)
{
    struct ca_err err = {0};
    struct ca_pool *four = ca_pool_new(4, &err);
    struct ca_project_opts o = {.mean = CA_PROJECT_KEEP};
    struct ca_project_field x[FIELDS], y[FIELDS];
    struct ca_model *a = student(from, "mlp", 5, &o, pool, x), *b = four ? student(from, "mlp", 5, &o, four, y) : NULL;
    int equal = a && b;

    for (size_t f = 0; f < FIELDS && equal; f++) {
        equal &= !memcmp(&x[f].gram_measured, &y[f].gram_measured, sizeof x[f].gram_measured);
        for (size_t r = 0; r < rows_of[f]; r++)
            equal &= !memcmp(row(a, f, r), row(b, f, r), 5 * sizeof(ca_real));
    }
    OK(equal, "one thread or four: equal bits");
    ca_model_free(a);
    ca_model_free(b);
    ca_pool_free(four);
}

static void check_moments(struct ca_model *from, struct ca_pool *pool)
{
    struct ca_project_opts o = {.moments = CA_PROJECT_MAP};
    struct ca_project_field field[FIELDS];
    struct ca_model *to;
    const ca_real *nm, *nv;
    double m2 = 0, v2 = 0;

    for (size_t k = 0; k < D; k++) {
        ca_net_table_row(from->net, 0, 2, CA_STATE_M)[k] = (ca_real)(k + 1);
        ca_net_table_row(from->net, 0, 2, CA_STATE_V)[k] = 0.5;
    }
    ca_net_set_steps(from->net, CA_STEP_TABLES, 9);
    if (!OK((to = student(from, "mlp", 16, &o, pool, field)) != NULL, "moments are mapped"))
        return;
    nm = ca_net_table_row(to->net, 0, 2, CA_STATE_M);
    nv = ca_net_table_row(to->net, 0, 2, CA_STATE_V);
    for (size_t k = 0; k < 16; k++) {
        m2 += (double)nm[k] * (double)nm[k];
        v2 += (double)nv[k];
    }
    CLOSE(m2, 204, 1e-3, "the first keeps its length");
    CLOSE(v2, 4, 1e-5, "the second its sum");
    OK(ca_net_steps(to->net, CA_STEP_TABLES) == 9 && ca_net_steps(to->net, CA_STEP_DENSE) == 0, "and the tables' steps");
    ca_model_free(to);
    o.moments = CA_PROJECT_FRESH;
    to = student(from, "mlp", D, &o, pool, field);
    OK(to && ca_net_table_row(to->net, 0, 2, CA_STATE_M)[0] == 0 && ca_net_steps(to->net, CA_STEP_TABLES) == 0,
       "or left behind");
    ca_model_free(to);
}

static void check_report(struct ca_model *from, struct ca_pool *pool)
{
    struct ca_project_opts o = {.none = 1};
    struct ca_project_field field[FIELDS];
    struct ca_model *to = student(from, "mlp", 3, &o, pool, field);
    struct ca_buf tsv = {0}, json = {0};
    struct ca_err err = {0};
    int lines = 0;

    ca_project_report_tsv(field, FIELDS, &tsv);
    for (const char *p = tsv.data; p && *p; p++)
        lines += *p == '\n';
    OK(lines == FIELDS + 1 && !strncmp(tsv.data, "field\trows\twidth_from\twidth_to\tmethod\t", 38), "a table");
    OK(!ca_project_report_json(field, FIELDS, &json, &err) && strstr(json.data, "\"reconstruction_error\":null"),
       "or JSON, with null for what has no meaning");
    ca_buf_fini(&tsv);
    ca_buf_fini(&json);
    ca_model_free(to);
}

int main(void)
{
    struct ca_err err = {0};
    struct ca_pool *pool = ca_pool_new(1, &err);
    struct ca_model *from = pool ? teacher(pool, &err) : NULL;

    if (OK(from != NULL, "a model to project")) {
        check_expansion(from, pool);
        check_copy(from, pool);
        check_golden(from, pool);
        check_rank(from, pool);
        check_width(from, pool);
        check_threads(from, pool);
        check_moments(from, pool);
        check_report(from, pool);
    }
    ca_model_free(from);
    ca_pool_free(pool);
    return tap_done();
}
