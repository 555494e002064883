#include "record/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#include "base/banned.h"

/* Integers are most of what is shown: worth their own digits. */
static void add_u64(struct ca_buf *out, uint64_t x)
{
    char digits[20], *p = digits + sizeof digits;

    do
        *--p = (char)('0' + x % 10);
    while (x /= 10);
    ca_buf_add(out, p, (size_t)(digits + sizeof digits - p));
}

static void add_i64(struct ca_buf *out, int64_t x)
{
    if (x < 0)
        ca_buf_char(out, '-');
    add_u64(out, x < 0 ? -(uint64_t)x : (uint64_t)x);
}

/* %.9g of a float and %.17g of a double; small whole numbers, labels above all, take the short way. */
static void add_real(struct ca_buf *out, double x, int digits)
{
    char text[40];
    int n;

    if (x == (double)(int32_t)(fabs(x) < 1e8 ? x : 0.5) && !(x == 0.0 && signbit(x))) {
        add_i64(out, (int64_t)x);
        return;
    }
    n = snprintf(text, sizeof text, "%.*g", digits, x);
    ca_buf_add(out, text, (size_t)n);
}

void ca_text_json_double(struct ca_buf *out, double x)
{
    if (isfinite(x))
        add_real(out, x, 17);
    else
        ca_buf_str(out, "null");
}

static void add_value(struct ca_buf *out, enum ca_type type, const void *data, size_t i, int json)
{
    double x;

    switch (type) {
    case CA_TYPE_U8:
        add_u64(out, ((const uint8_t *)data)[i]);
        return;
    case CA_TYPE_U32:
        add_u64(out, ((const uint32_t *)data)[i]);
        return;
    case CA_TYPE_I64:
        add_i64(out, ((const int64_t *)data)[i]);
        return;
    case CA_TYPE_F32:
    case CA_TYPE_F64:
        x = type == CA_TYPE_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
        if (json && !isfinite(x))
            ca_buf_str(out, "null");
        else
            add_real(out, x, type == CA_TYPE_F32 ? 9 : 17);
        return;
    }
}

static void add_cell(struct ca_buf *out, const struct ca_column *c, const struct ca_colview *v, size_t row, int json)
{
    if (!v->start) {
        add_value(out, c->type, v->data, row, json);
        return;
    }
    if (json)
        ca_buf_char(out, '[');
    for (uint32_t k = v->start[row]; k < v->start[row + 1]; k++) {
        if (k > v->start[row])
            ca_buf_char(out, ',');
        add_value(out, c->type, v->data, k, json);
    }
    if (json)
        ca_buf_char(out, ']');
}

void ca_text_tsv_head(struct ca_buf *out, const struct ca_schema *s)
{
    for (size_t c = 0; c < s->n; c++) {
        if (c)
            ca_buf_char(out, '\t');
        ca_buf_str(out, s->col[c].name);
    }
    ca_buf_char(out, '\n');
}

void ca_text_tsv(struct ca_buf *out, const struct ca_block *b, size_t first, size_t n)
{
    for (size_t row = first; row < first + n; row++)
        for (size_t c = 0; c < b->schema->n; c++) {
            add_cell(out, &b->schema->col[c], &b->col[c], row, 0);
            ca_buf_char(out, c + 1 < b->schema->n ? '\t' : '\n');
        }
}

int ca_text_json(struct ca_buf *out, const struct ca_block *b, size_t first, size_t n, struct ca_err *err)
{
    struct ca_buf keys = {0};
    int rc = 0;

    /* '{"name":' and ',"name":' once, NUL-separated, not once a row */
    for (size_t c = 0; !rc && c < b->schema->n; c++) {
        json_t *name = json_string(b->schema->col[c].name);
        ca_buf_char(&keys, c ? ',' : '{');
        rc = name ? ca_json_dump(name, &keys, err) : ca_err_set(err, CA_EMEMORY, "out of memory: cannot name a column");
        ca_buf_add(&keys, ":", 2);
        json_decref(name);
    }
    for (size_t row = first; !rc && row < first + n; row++) {
        const char *key = keys.data;
        for (size_t c = 0; c < b->schema->n; c++) {
            size_t len = strlen(key);
            ca_buf_add(out, key, len);
            key += len + 1;
            add_cell(out, &b->schema->col[c], &b->col[c], row, 1);
        }
        ca_buf_str(out, "}\n");
    }
    if (!rc)
        rc = ca_buf_check(&keys, err);
    ca_buf_fini(&keys);
    return rc ? rc : ca_buf_check(out, err);
}
