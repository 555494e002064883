#include "record/schema.h"

#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

static const char *const role_names[CA_N_ROLES] = {"label",       "task",     "weight",  "time",   "numeric",
                                                   "categorical", "sequence", "teacher", "domain", "aux"};

static const struct {
    enum ca_type type;
    const char *name;
    size_t size;
} types[] = {{CA_TYPE_U8, "u8", 1},
             {CA_TYPE_U32, "u32", 4},
             {CA_TYPE_I64, "i64", 8},
             {CA_TYPE_F32, "f32", 4},
             {CA_TYPE_F64, "f64", 8}};

#define N_TYPES (sizeof types / sizeof *types)

size_t ca_type_size(enum ca_type t)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].type == t)
            return types[i].size;
    return 0;
}

const char *ca_type_name(enum ca_type t)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].type == t)
            return types[i].name;
    return "unknown";
}

const char *ca_role_name(enum ca_role r)
{
    return (size_t)r < CA_N_ROLES ? role_names[r] : "unknown";
}

int ca_type_parse(const char *s, enum ca_type *t)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (!strcmp(types[i].name, s)) {
            *t = types[i].type;
            return 0;
        }
    return CA_EFORMAT;
}

int ca_role_parse(const char *s, enum ca_role *r)
{
    for (size_t i = 0; i < CA_N_ROLES; i++)
        if (!strcmp(role_names[i], s)) {
            *r = (enum ca_role)i;
            return 0;
        }
    return CA_EFORMAT;
}

/* Length of the UTF-8 sequence at s (of n bytes), 0 when there is none: no overlong forms, no surrogates. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

    if (!len || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] >= 0x90))
        return 0;
    return len;
}

static int name_ok(const char *name)
{
    const unsigned char *s = (const unsigned char *)name;
    size_t n = strlen(name), len;

    if (!n || n > 255)
        return 0;
    for (size_t i = 0; i < n; i += len) {
        len = utf8_len(s + i, n - i);
        if (!len || s[i] < 0x20 || s[i] == 0x7f || (s[i] == 0xc2 && s[i + 1] < 0xa0))
            return 0;
    }
    return 1;
}

static int role_takes(enum ca_role role, enum ca_type type, int is_list)
{
    switch (role) {
    case CA_ROLE_LABEL:
    case CA_ROLE_TASK:
    case CA_ROLE_WEIGHT:
    case CA_ROLE_NUMERIC:
    case CA_ROLE_TEACHER:
        return type == CA_TYPE_F32 && !is_list;
    case CA_ROLE_TIME:
        return type == CA_TYPE_I64 && !is_list;
    case CA_ROLE_CATEGORICAL:
    case CA_ROLE_DOMAIN:
        return type == CA_TYPE_U32 && !is_list;
    case CA_ROLE_SEQUENCE:
        return type == CA_TYPE_U32 && is_list;
    case CA_ROLE_AUX:
        return ca_type_size(type) && (!is_list || type == CA_TYPE_U32);
    case CA_N_ROLES:
        break;
    }
    return 0;
}

static int has_table(enum ca_role role)
{
    return role == CA_ROLE_CATEGORICAL || role == CA_ROLE_SEQUENCE || role == CA_ROLE_DOMAIN;
}

int ca_schema_add(struct ca_schema *s, const char *name, enum ca_role role, enum ca_type type, int is_list,
                  uint32_t vocab, struct ca_err *err)
{
    char *copy;

    is_list = is_list != 0;
    if (!name_ok(name))
        return ca_err_set(err, CA_ESCHEMA, "column %zu has no valid name: 1 to 255 bytes of UTF-8 without control characters",
                          s->n + 1);
    if (ca_schema_find(s, name) >= 0)
        return ca_err_set(err, CA_ESCHEMA, "two columns are named '%s'", name);
    if (!role_takes(role, type, is_list))
        return ca_err_set(err, CA_ESCHEMA, "column '%s': role %s does not take %s%s", name, ca_role_name(role),
                          is_list ? "a list of " : "", ca_type_name(type));
    if (has_table(role) != (vocab != 0))
        return ca_err_set(err, CA_ESCHEMA, "column '%s': role %s %s a vocabulary size", name, ca_role_name(role),
                          vocab ? "does not take" : "needs");
    if (s->n >= CA_MAX_COLUMNS)
        return ca_err_set(err, CA_ESCHEMA, "more than %d columns", CA_MAX_COLUMNS);
    copy = ca_mem_strdup(name, err);
    if (!copy || ca_mem_grow((void **)&s->col, &s->cap, s->n + 1, sizeof *s->col, err)) {
        ca_mem_free(copy);
        return CA_EMEMORY;
    }
    s->col[s->n++] = (struct ca_column){copy, role, type, is_list, vocab, NULL};
    return 0;
}

int ca_schema_like(struct ca_schema *s, const char *name, const char *like, struct ca_err *err)
{
    size_t c = 0;
    int of;
    char *copy = NULL;
    int rc;

    if ((rc = ca_schema_need(s, name, &c, err)))
        return rc;
    if (like) {
        if ((of = ca_schema_find(s, like)) < 0)
            return ca_err_set(err, CA_ESCHEMA, "column '%s' has the ids of '%s', which is no column", name, like);
        if (s->col[c].role != CA_ROLE_SEQUENCE || s->col[of].role != CA_ROLE_CATEGORICAL)
            return ca_err_set(err, CA_ESCHEMA, "column '%s' (%s) cannot have the ids of '%s' (%s): only a sequence has those of a categorical column",
                              name, ca_role_name(s->col[c].role), like, ca_role_name(s->col[of].role));
        if (s->col[c].vocab != s->col[of].vocab)
            return ca_err_set(err, CA_ESCHEMA, "column '%s' has the ids of '%s', but a vocabulary of %u and not of %u",
                              name, like, s->col[c].vocab, s->col[of].vocab);
        if (!(copy = ca_mem_strdup(like, err)))
            return CA_EMEMORY;
    }
    ca_mem_free(s->col[c].like);
    s->col[c].like = copy;
    return 0;
}

int ca_schema_copy(struct ca_schema *to, const struct ca_schema *from, struct ca_err *err)
{
    struct ca_schema s = {0};

    if (from->n && ca_mem_grow((void **)&s.col, &s.cap, from->n, sizeof *s.col, err))
        return CA_EMEMORY;
    for (; s.n < from->n; s.n++) {
        const struct ca_column *c = &from->col[s.n];
        s.col[s.n] = *c;
        s.col[s.n].name = ca_mem_strdup(c->name, err);
        s.col[s.n].like = c->like ? ca_mem_strdup(c->like, err) : NULL;
        if (!s.col[s.n].name || (c->like && !s.col[s.n].like)) {
            s.n++;
            ca_schema_fini(&s);
            return CA_EMEMORY;
        }
    }
    *to = s;
    return 0;
}

void ca_schema_fini(struct ca_schema *s)
{
    for (size_t i = 0; i < s->n; i++) {
        ca_mem_free(s->col[i].name);
        ca_mem_free(s->col[i].like);
    }
    ca_mem_free(s->col);
    *s = (struct ca_schema){0};
}

int ca_schema_find(const struct ca_schema *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->col[i].name, name))
            return (int)i;
    return -1;
}

int ca_schema_role(const struct ca_schema *s, enum ca_role role, size_t nth)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->col[i].role == role && !nth--)
            return (int)i;
    return -1;
}

size_t ca_schema_count(const struct ca_schema *s, enum ca_role role)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->col[i].role == role;
    return n;
}

int ca_schema_need(const struct ca_schema *s, const char *name, size_t *index, struct ca_err *err)
{
    int i = ca_schema_find(s, name);

    if (i < 0)
        return ca_err_set(err, CA_ESCHEMA, "no column is named '%s'", name);
    *index = (size_t)i;
    return 0;
}

int ca_schema_relabel(struct ca_schema *s, const char *name, struct ca_err *err)
{
    int old = ca_schema_role(s, CA_ROLE_LABEL, 0), rc;
    enum ca_role role;
    size_t i = 0;

    if ((rc = ca_schema_need(s, name, &i, err)))
        return rc;
    role = s->col[i].role;
    if ((role != CA_ROLE_LABEL && role != CA_ROLE_TASK && role != CA_ROLE_AUX) ||
        !role_takes(CA_ROLE_LABEL, s->col[i].type, s->col[i].is_list))
        return ca_err_set(err, CA_ESCHEMA, "column '%s' cannot be the label: it is %s, of role %s", name,
                          s->col[i].is_list ? "a list" : ca_type_name(s->col[i].type), ca_role_name(role));
    if (old >= 0)
        s->col[old].role = CA_ROLE_TASK;
    s->col[i].role = CA_ROLE_LABEL;
    return 0;
}

int ca_schema_equal(const struct ca_schema *a, const struct ca_schema *b)
{
    if (a == b)
        return 1;
    if (a->n != b->n)
        return 0;
    for (size_t i = 0; i < a->n; i++) {
        const struct ca_column *x = &a->col[i], *y = &b->col[i];
        if (x->role != y->role || x->type != y->type || x->is_list != y->is_list || x->vocab != y->vocab ||
            strcmp(x->name, y->name) || !x->like != !y->like || (x->like && strcmp(x->like, y->like)))
            return 0;
    }
    return 1;
}
