#include "record/head.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

int ca_head_copy(struct ca_head *to, const struct ca_head *from, struct ca_err *err)
{
    struct ca_head h = {0};
    int rc = ca_schema_copy(&h.schema, &from->schema, err);

    if (!rc && from->keys && !(h.keys = json_deep_copy(from->keys)))
        rc = ca_err_set(err, CA_EMEMORY, "out of memory: cannot copy a header");
    for (size_t i = 0; !rc && i < from->n_att; i++)
        rc = ca_head_attach(&h, from->att[i].name, from->att[i].data, from->att[i].size, err);
    if (rc)
        ca_head_fini(&h);
    else
        *to = h;
    return rc;
}

static void free_attachment(struct ca_attachment *a)
{
    ca_mem_free(a->name);
    ca_mem_free(a->data);
}

void ca_head_fini(struct ca_head *h)
{
    ca_schema_fini(&h->schema);
    json_decref(h->keys);
    for (size_t i = 0; i < h->n_att; i++)
        free_attachment(&h->att[i]);
    ca_mem_free(h->att);
    *h = (struct ca_head){0};
}

static struct ca_attachment *find(const struct ca_head *h, const char *name)
{
    for (size_t i = 0; i < h->n_att; i++)
        if (!strcmp(h->att[i].name, name))
            return &h->att[i];
    return NULL;
}

const struct ca_attachment *ca_head_attachment(const struct ca_head *h, const char *name)
{
    return find(h, name);
}

void ca_head_detach(struct ca_head *h, const char *name)
{
    struct ca_attachment *a = find(h, name);

    if (!a)
        return;
    free_attachment(a);
    h->n_att--;
    memmove(a, a + 1, (size_t)(h->att + h->n_att - a) * sizeof *a);
}

int ca_head_attach(struct ca_head *h, const char *name, const void *data, size_t size, struct ca_err *err)
{
    struct ca_attachment a = {0}, *grown, *old;
    size_t len = strlen(name);

    if (!len || len > 255)
        return ca_err_set(err, CA_EFORMAT, "an attachment's name has 1 to 255 bytes, not %zu", len);
    if (size > CA_MAX_ATTACHMENT_BYTES)
        return ca_err_set(err, CA_EFORMAT, "attachment '%s' has %zu bytes, more than %zu", name, size,
                          CA_MAX_ATTACHMENT_BYTES);
    a.name = ca_mem_strdup(name, err);
    a.data = ca_mem_alloc(size, 1, err);
    a.size = size;
    if (!a.name || !a.data)
        goto fail;
    if (size)
        memcpy(a.data, data, size);
    if ((old = find(h, name))) {
        free_attachment(old);
        *old = a;
        return 0;
    }
    grown = ca_mem_alloc(h->n_att + 1, sizeof *grown, err);
    if (!grown)
        goto fail;
    if (h->n_att)
        memcpy(grown, h->att, h->n_att * sizeof *grown);
    ca_mem_free(h->att);
    h->att = grown;
    h->att[h->n_att++] = a;
    return 0;
fail:
    free_attachment(&a);
    return CA_EMEMORY;
}

static json_t *column_json(const struct ca_column *c)
{
    json_t *j = json_pack("{s:s, s:s, s:s, s:b, s:I}", "name", c->name, "role", ca_role_name(c->role), "type",
                          ca_type_name(c->type), "list", c->is_list, "vocab", (json_int_t)c->vocab);

    if (j && c->like && json_object_set_new(j, "like", json_string(c->like))) {
        json_decref(j);
        return NULL;
    }
    return j;
}

int ca_head_dump(const struct ca_head *h, struct ca_buf *out, struct ca_err *err)
{
    json_t *all = json_object(), *columns = json_array();
    int rc = ca_json_set(all, "columns", columns, err);

    for (size_t i = 0; !rc && i < h->schema.n; i++)
        if (json_array_append_new(columns, column_json(&h->schema.col[i])))
            rc = ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a header");
    if (!rc && h->keys && json_object_update_missing(all, h->keys))
        rc = ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a header");
    if (!rc)
        rc = ca_json_dump(all, out, err);
    json_decref(all);
    return rc;
}

static int parse_column(struct ca_schema *s, const json_t *c, struct ca_err *err)
{
    const char *name, *role_text, *type_text;
    const json_t *list = json_object_get(c, "list");
    enum ca_role role;
    enum ca_type type;
    int64_t vocab;
    int rc;

    if ((rc = ca_json_get_str(c, "name", &name, err)) || (rc = ca_json_get_str(c, "role", &role_text, err)) ||
        (rc = ca_json_get_str(c, "type", &type_text, err)) ||
        (rc = ca_json_get_int(c, "vocab", 0, UINT32_MAX, &vocab, err)))
        return rc;
    if (!json_is_boolean(list))
        return ca_err_set(err, CA_EFORMAT, "key 'list' is not true or false");
    if (ca_role_parse(role_text, &role))
        return ca_err_set(err, CA_EFORMAT, "column '%s' has the unknown role '%s'", name, role_text);
    if (ca_type_parse(type_text, &type))
        return ca_err_set(err, CA_EFORMAT, "column '%s' has the unknown type '%s'", name, type_text);
    return ca_schema_add(s, name, role, type, json_is_true(list), (uint32_t)vocab, err);
}

/* Whose ids a sequence has: once all columns are there, since it may be a later one. */
static int parse_like(struct ca_schema *s, const json_t *c, struct ca_err *err)
{
    const char *name, *like;
    int rc;

    if (!json_object_get(c, "like"))
        return 0;
    if ((rc = ca_json_get_str(c, "name", &name, err)) || (rc = ca_json_get_str(c, "like", &like, err)))
        return rc;
    return ca_schema_like(s, name, like, err);
}

int ca_head_parse(struct ca_head *h, const char *text, size_t n, const char *file, int64_t base, struct ca_err *err)
{
    json_t *all = ca_json_parse(text, n, file, base, err), *columns, *c;
    size_t i;
    int rc;

    if (!all)
        return CA_EFORMAT;
    if (!json_is_object(all))
        rc = ca_err_set(err, CA_EFORMAT, "the stream header is not a JSON object");
    else if (!(rc = ca_json_get_array(all, "columns", &columns, err))) {
        if (!json_array_size(columns))
            rc = ca_err_set(err, CA_EFORMAT, "the stream header names no columns");
        json_array_foreach(columns, i, c)
            if (!rc)
                rc = parse_column(&h->schema, c, err);
        json_array_foreach(columns, i, c)
            if (!rc)
                rc = parse_like(&h->schema, c, err);
    }
    if (rc) {
        (void)ca_err_at(err, file, base, -1);
        json_decref(all);
        return rc;
    }
    (void)json_object_del(all, "columns");
    h->keys = all;
    return 0;
}

int ca_prov_add(json_t **keys, const struct ca_run *run, struct ca_err *err)
{
    struct ca_buf options = {0};
    json_t *list, *entry = NULL;
    int rc;

    if (run->common.no_provenance)
        return 0;
    if (!*keys && !(*keys = json_object()))
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot start a provenance");
    list = json_object_get(*keys, "provenance");
    if (!list) {
        list = json_array();
        if ((rc = ca_json_set(*keys, "provenance", list, err)))
            return rc;
    }
    if (!json_is_array(list))
        return ca_err_set(err, CA_EFORMAT, "key 'provenance' is not an array");
    ca_buf_str(&options, "");
    if ((rc = ca_cli_canonical(run, &options, err)))
        goto done;
    entry = json_pack("{s:s, s:s, s:s, s:I}", "tool", run->tool->name, "version", CA_VERSION, "options", options.data,
                      "seed", (json_int_t)run->common.seed);
    if (!entry) {
        /* the one thing json_pack can refuse here besides memory is a word that is not UTF-8 */
        rc = ca_err_set(err, CA_EUSAGE, "an option's value is not UTF-8: '%s'", options.data);
        (void)ca_err_hint(err, "--no-provenance leaves the command out of the stream");
        goto done;
    }
    if (run->tool->engine && (rc = ca_json_set(entry, "engine", json_string(run->tool->engine()), err)))
        goto done;
    if (json_array_append(list, entry))
        rc = ca_err_set(err, CA_EMEMORY, "out of memory: cannot extend a provenance");
done:
    json_decref(entry);
    ca_buf_fini(&options);
    return rc;
}
