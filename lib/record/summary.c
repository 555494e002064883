#include "record/summary.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "record/text.h"

#include "base/banned.h"

struct column {
    uint64_t count, missing, outside, distinct;
    double min, max, sum;
    uint8_t *seen; /* a bit an id of the table, as far as ids have been seen */
    size_t seen_cap;
};

struct ca_summary {
    const struct ca_schema *schema;
    struct column *col;
};

struct ca_summary *ca_summary_new(const struct ca_schema *s, struct ca_err *err)
{
    struct ca_summary *m = ca_mem_zalloc(1, sizeof *m, err);

    if (!m)
        return NULL;
    m->schema = s;
    m->col = ca_mem_zalloc(s->n, sizeof *m->col, err);
    if (!m->col) {
        ca_mem_free(m);
        return NULL;
    }
    return m;
}

void ca_summary_free(struct ca_summary *m)
{
    if (!m)
        return;
    for (size_t c = 0; c < m->schema->n; c++)
        ca_mem_free(m->col[c].seen);
    ca_mem_free(m->col);
    ca_mem_free(m);
}

static void add(struct column *c, double x)
{
    if (isnan(x)) {
        c->missing++;
        return;
    }
    if (c->count == c->missing || x < c->min)
        c->min = x;
    if (c->count == c->missing || x > c->max)
        c->max = x;
    c->sum += x;
}

static int add_id(struct column *c, uint32_t vocab, uint32_t id, struct ca_err *err)
{
    size_t byte = id / 8, had = c->seen_cap;
    unsigned bit = 1u << id % 8;

    if (id >= vocab) {
        c->outside++;
        return 0;
    }
    if (byte >= had) {
        int rc = ca_mem_grow((void **)&c->seen, &c->seen_cap, byte + 1, 1, err);
        if (rc)
            return rc;
        memset(c->seen + had, 0, c->seen_cap - had);
    }
    if (!(c->seen[byte] & bit)) {
        c->seen[byte] = (uint8_t)(c->seen[byte] | bit);
        c->distinct++;
    }
    return 0;
}

static int add_values(struct column *c, const struct ca_column *what, const void *data, size_t first, size_t n,
                      struct ca_err *err)
{
    for (size_t i = first; i < first + n; i++) {
        double x = 0;
        switch (what->type) {
        case CA_TYPE_U8:
            x = ((const uint8_t *)data)[i];
            break;
        case CA_TYPE_U32:
            x = ((const uint32_t *)data)[i];
            break;
        case CA_TYPE_I64:
            x = (double)((const int64_t *)data)[i];
            break;
        case CA_TYPE_F32:
            x = (double)((const float *)data)[i];
            break;
        case CA_TYPE_F64:
            x = ((const double *)data)[i];
            break;
        }
        if (what->vocab) {
            int rc = add_id(c, what->vocab, ((const uint32_t *)data)[i], err);
            if (rc)
                return rc;
            if (x == 0.0)
                x = (double)NAN; /* id 0 stands for a value that is missing */
        }
        add(c, x);
        c->count++;
    }
    return 0;
}

int ca_summary_add(struct ca_summary *m, const struct ca_block *b, size_t first, size_t n, struct ca_err *err)
{
    int rc = 0;

    for (size_t c = 0; !rc && c < m->schema->n; c++) {
        const struct ca_colview *v = &b->col[c];
        size_t from = v->start ? v->start[first] : first, len = v->start ? v->start[first + n] - from : n;
        rc = add_values(&m->col[c], &m->schema->col[c], v->data, from, len, err);
    }
    return rc;
}

/* The cells of a column that has them, in the order of the header line. */
static size_t cells(const struct column *c, const struct ca_column *what, double out[6], int has[6])
{
    uint64_t present = c->count - c->missing;

    out[0] = c->min;
    out[1] = c->max;
    out[2] = present ? c->sum / (double)present : 0;
    has[0] = has[1] = has[2] = present != 0;
    out[3] = c->count ? (double)c->missing / (double)c->count : 0;
    has[3] = c->count && (what->vocab || what->type == CA_TYPE_F32 || what->type == CA_TYPE_F64);
    out[4] = (double)c->distinct;
    out[5] = (double)c->outside;
    has[4] = has[5] = what->vocab != 0;
    return 6;
}

static const char *const names[6] = {"min", "max", "mean", "missing", "distinct", "outside"};

int ca_summary_tsv(const struct ca_summary *m, struct ca_buf *out, struct ca_err *err)
{
    ca_buf_str(out, "column\trole\ttype\tlist\tvocab\tcount");
    for (size_t i = 0; i < 6; i++)
        ca_buf_printf(out, "\t%s", names[i]);
    ca_buf_char(out, '\n');
    for (size_t k = 0; k < m->schema->n; k++) {
        const struct ca_column *what = &m->schema->col[k];
        double x[6];
        int has[6];
        size_t n = cells(&m->col[k], what, x, has);

        ca_buf_printf(out, "%s\t%s\t%s\t%d\t%u\t%llu", what->name, ca_role_name(what->role), ca_type_name(what->type),
                      what->is_list, what->vocab, (unsigned long long)m->col[k].count);
        for (size_t i = 0; i < n; i++) {
            ca_buf_char(out, '\t');
            if (has[i])
                ca_buf_double(out, x[i]);
        }
        ca_buf_char(out, '\n');
    }
    return ca_buf_check(out, err);
}

int ca_summary_json(const struct ca_summary *m, struct ca_buf *out, struct ca_err *err)
{
    for (size_t k = 0; k < m->schema->n; k++) {
        const struct ca_column *what = &m->schema->col[k];
        json_t *name = json_string(what->name);
        double x[6];
        int has[6], rc;
        size_t n = cells(&m->col[k], what, x, has);

        ca_buf_str(out, "{\"column\":");
        rc = name ? ca_json_dump(name, out, err) : ca_err_set(err, CA_EMEMORY, "out of memory: cannot name a column");
        json_decref(name);
        if (rc)
            return rc;
        ca_buf_printf(out, ",\"role\":\"%s\",\"type\":\"%s\",\"list\":%s,\"vocab\":%u,\"count\":%llu",
                      ca_role_name(what->role), ca_type_name(what->type), what->is_list ? "true" : "false", what->vocab,
                      (unsigned long long)m->col[k].count);
        for (size_t i = 0; i < n; i++) {
            ca_buf_printf(out, ",\"%s\":", names[i]);
            ca_text_json_double(out, has[i] ? x[i] : (double)NAN);
        }
        ca_buf_str(out, "}\n");
    }
    return ca_buf_check(out, err);
}
