#include "data/vocab.h"

#include <endian.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"

#include "base/banned.h"

#define MAGIC "#ca-vocabulary 1\n"
#define HEADER "column\tindex\tcount\tvalue\n"
#define FIRST_SLOTS ((size_t)64)
#define SHORT 8        /* values up to this long live in the tables themselves */
#define PROBE_AHEAD 32 /* lookups whose cache misses overlap */

/* key is the value itself (little-endian, zero padded) when it is short, else its hash; id 0 marks a free slot. */
struct slot {
    uint64_t key;
    uint32_t id;
    uint32_t len;
};

/* Of one id; where is the value itself when it is short, else its place in text. */
struct entry {
    uint64_t where;
    uint32_t len;
};

struct column {
    char *name;
    struct slot *slot;
    size_t slots; /* a power of two */
    int shift;    /* 64 - log2(slots) */
    struct entry *entry; /* by id - 1 */
    uint32_t n;
    int parted; /* unknown values have id n + 1, not 0 */
    size_t cap_entry;
    char *text;
    size_t text_len, cap_text;
    uint32_t *count; /* by id; cap_count of them are counted so far */
    size_t cap_count;
};

struct ca_vocab {
    struct column *col;
    size_t n, cap;
};

struct ca_vocab *ca_vocab_new(struct ca_err *err)
{
    return ca_mem_zalloc(1, sizeof(struct ca_vocab), err);
}

static void column_fini(struct column *c)
{
    ca_mem_free(c->name);
    ca_mem_free(c->slot);
    ca_mem_free(c->entry);
    ca_mem_free(c->text);
    ca_mem_free(c->count);
}

void ca_vocab_free(struct ca_vocab *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n; i++)
        column_fini(&v->col[i]);
    ca_mem_free(v->col);
    ca_mem_free(v);
}

static int make_slots(struct column *c, size_t slots, struct ca_err *err)
{
    struct slot *s = ca_mem_aligned(slots, sizeof *s, 64, err);

    if (!s)
        return CA_EMEMORY;
    ca_mem_free(c->slot);
    c->slot = s;
    c->slots = slots;
    c->shift = 64 - __builtin_ctzll(slots);
    return 0;
}

int ca_vocab_column(struct ca_vocab *v, const char *name, struct ca_err *err)
{
    struct column *c;
    int rc;

    if (ca_vocab_find(v, name) >= 0)
        return ca_err_set(err, CA_EFORMAT, "column '%s' is twice in the vocabulary", name);
    if ((rc = ca_mem_grow((void **)&v->col, &v->cap, v->n + 1, sizeof *v->col, err)))
        return rc;
    c = &v->col[v->n];
    *c = (struct column){0};
    c->name = ca_mem_strdup(name, err);
    if (!c->name || (rc = make_slots(c, FIRST_SLOTS, err))) {
        column_fini(c);
        return CA_EMEMORY;
    }
    v->n++;
    return 0;
}

size_t ca_vocab_columns(const struct ca_vocab *v)
{
    return v->n;
}

const char *ca_vocab_name(const struct ca_vocab *v, size_t c)
{
    return v->col[c].name;
}

int ca_vocab_find(const struct ca_vocab *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++)
        if (!strcmp(v->col[i].name, name))
            return (int)i;
    return -1;
}

uint32_t ca_vocab_size(const struct ca_vocab *v, size_t c)
{
    return v->col[c].n + 1u + (v->col[c].parted ? 1u : 0u);
}

void ca_vocab_part(struct ca_vocab *v, size_t c)
{
    v->col[c].parted = 1;
}

uint32_t ca_vocab_unknown(const struct ca_vocab *v, size_t c)
{
    return v->col[c].parted ? v->col[c].n + 1u : 0;
}

uint32_t ca_vocab_count(const struct ca_vocab *v, size_t c, uint32_t id)
{
    return id < v->col[c].cap_count ? v->col[c].count[id] : 0;
}

struct ca_piece ca_vocab_value(const struct ca_vocab *v, size_t c, uint32_t id, char hold[8])
{
    const struct column *col = &v->col[c];
    const struct entry *e = &col->entry[id - 1];
    uint64_t bytes;

    if (e->len > SHORT)
        return (struct ca_piece){col->text + e->where, e->len};
    bytes = htole64(e->where);
    memcpy(hold, &bytes, SHORT);
    return (struct ca_piece){hold, e->len};
}

static inline uint64_t load32(const char *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return le32toh(x);
}

/* Up to eight bytes as a number, reading none beyond them. */
static inline uint64_t short_key(const char *p, uint32_t n)
{
    if (n >= 4)
        return load32(p) | load32(p + n - 4) << (8 * (n - 4));
    if (!n)
        return 0;
    return (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << (8 * (n / 2)) |
           (uint64_t)(unsigned char)p[n - 1] << (8 * (n - 1));
}

static inline uint64_t make_key(struct ca_piece v)
{
    return v.n <= SHORT ? short_key(v.p, v.n) : ca_hash64(v.p, v.n);
}

/* Where the search for a key begins: a full mix, since short values differ in few bits. */
static inline size_t home(const struct column *c, uint64_t key, uint32_t len)
{
    uint64_t x = key ^ (uint64_t)len << 56;

    x ^= x >> 32;
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    return (size_t)(x >> c->shift);
}

static inline int same(const struct column *c, const struct slot *s, uint64_t key, struct ca_piece v)
{
    return s->key == key && s->len == v.n &&
           (v.n <= SHORT || !memcmp(c->text + c->entry[s->id - 1].where, v.p, v.n));
}

/* The slot that holds the value, or the free one where it belongs. */
static inline struct slot *probe(const struct column *c, size_t at, uint64_t key, struct ca_piece v)
{
    struct slot *s = &c->slot[at];

    while (s->id && !same(c, s, key, v)) {
        at = (at + 1) & (c->slots - 1);
        s = &c->slot[at];
    }
    return s;
}

/* Room for more values at a load of at most one half, so that no search is long. */
static int reserve(struct column *c, size_t more, struct ca_err *err)
{
    size_t need = 2 * ((size_t)c->n + more), slots = c->slots;
    struct slot *old = c->slot;
    size_t old_slots = c->slots;
    int rc;

    if (need <= slots)
        return 0;
    while (slots < need)
        slots *= 2;
    c->slot = NULL;
    if ((rc = make_slots(c, slots, err))) {
        c->slot = old;
        return rc;
    }
    for (size_t i = 0; i < old_slots; i++) {
        size_t at;
        if (!old[i].id)
            continue;
        at = home(c, old[i].key, old[i].len);
        while (c->slot[at].id)
            at = (at + 1) & (slots - 1);
        c->slot[at] = old[i];
    }
    ca_mem_free(old);
    return 0;
}

static int new_value(struct column *c, struct slot *s, uint64_t key, struct ca_piece v, struct ca_err *err)
{
    struct entry e = {key, v.n};
    int rc;

    if (c->n >= UINT32_MAX - 2) /* one more for unknown values, and the number of all is a number too */
        return ca_err_set(err, CA_EFORMAT, "column '%s' has more than 4294967293 values", c->name);
    if ((rc = ca_mem_grow((void **)&c->entry, &c->cap_entry, (size_t)c->n + 1, sizeof *c->entry, err)))
        return rc;
    if (v.n > SHORT) {
        if ((rc = ca_mem_grow((void **)&c->text, &c->cap_text, c->text_len + v.n, 1, err)))
            return rc;
        memcpy(c->text + c->text_len, v.p, v.n);
        e.where = c->text_len;
        c->text_len += v.n;
    }
    c->entry[c->n++] = e;
    *s = (struct slot){key, c->n, v.n};
    return 0;
}

int ca_vocab_ids(struct ca_vocab *v, size_t col, const struct ca_piece *value, size_t n, int add, uint32_t *id,
                 struct ca_err *err)
{
    struct column *c = &v->col[col];
    const uint32_t unknown = ca_vocab_unknown(v, col);
    uint64_t key[PROBE_AHEAD];
    size_t at[PROBE_AHEAD];

    for (size_t from = 0; from < n; from += PROBE_AHEAD) {
        size_t m = n - from < PROBE_AHEAD ? n - from : PROBE_AHEAD;
        int rc;

        if (add && (rc = reserve(c, m, err)))
            return rc;
        for (size_t i = 0; i < m; i++) {
            key[i] = make_key(value[from + i]);
            at[i] = home(c, key[i], value[from + i].n);
            __builtin_prefetch(&c->slot[at[i]]);
        }
        for (size_t i = 0; i < m; i++) {
            struct ca_piece s = value[from + i];
            struct slot *slot;

            if (!s.n) {
                id[from + i] = 0;
                continue;
            }
            slot = probe(c, at[i], key[i], s);
            if (!slot->id && add && (rc = new_value(c, slot, key[i], s, err)))
                return rc;
            id[from + i] = slot->id ? slot->id : unknown;
        }
    }
    return 0;
}

/* Counts for every id there is. */
static int reserve_counts(struct column *c, struct ca_err *err)
{
    size_t had = c->cap_count;
    int rc;

    if ((rc = ca_mem_grow((void **)&c->count, &c->cap_count, (size_t)c->n + 2, sizeof *c->count, err)))
        return rc;
    if (c->cap_count > had)
        memset(c->count + had, 0, (c->cap_count - had) * sizeof *c->count);
    return 0;
}

int ca_vocab_tally(struct ca_vocab *v, size_t col, const uint32_t *id, size_t n, struct ca_err *err)
{
    struct column *c = &v->col[col];
    int rc = reserve_counts(c, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        uint32_t *count = &c->count[id[i]];
        *count += *count < UINT32_MAX;
    }
    return 0;
}

int ca_vocab_keep(struct ca_vocab *v, size_t col, uint64_t min, uint32_t **map_out, struct ca_err *err)
{
    struct column *c = &v->col[col];
    uint64_t unknown = 0;
    uint32_t kept = 0, had = c->n;
    size_t slots = FIRST_SLOTS;
    uint32_t *map;
    int rc;

    if ((rc = reserve_counts(c, err)))
        return rc;
    map = ca_mem_zalloc((size_t)c->n + 1, sizeof *map, err);
    if (!map)
        return CA_EMEMORY;
    for (uint32_t i = 1; i <= c->n; i++) {
        if (c->count[i] && c->count[i] >= min) {
            c->entry[kept] = c->entry[i - 1];
            c->count[++kept] = c->count[i];
            map[i] = kept;
        } else {
            unknown += c->count[i];
        }
    }
    c->n = kept;
    if (c->parted) {
        for (uint32_t i = 1; i <= had; i++)
            map[i] = map[i] ? map[i] : kept + 1;
    } else {
        unknown += c->count[0];
    }
    c->count[ca_vocab_unknown(v, col)] = unknown < UINT32_MAX ? (uint32_t)unknown : UINT32_MAX;
    while (slots < 2 * (size_t)kept)
        slots *= 2;
    if ((rc = make_slots(c, slots, err))) {
        ca_mem_free(map);
        return rc;
    }
    for (uint32_t i = 1; i <= kept; i++) {
        char hold[8];
        struct ca_piece s = ca_vocab_value(v, col, i, hold);
        uint64_t key = make_key(s);
        *probe(c, home(c, key, s.n), key, s) = (struct slot){key, i, s.n};
    }
    *map_out = map;
    return 0;
}

static void write_escaped(struct ca_buf *out, const char *p, size_t n)
{
    size_t plain = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)p[i];
        if (b >= 0x20 && b != 0x7f && b != '\\')
            continue;
        ca_buf_add(out, p + plain, i - plain);
        plain = i + 1;
        if (b == '\\')
            ca_buf_str(out, "\\\\");
        else if (b == '\t')
            ca_buf_str(out, "\\t");
        else if (b == '\n')
            ca_buf_str(out, "\\n");
        else if (b == '\r')
            ca_buf_str(out, "\\r");
        else
            ca_buf_printf(out, "\\x%02x", b);
    }
    ca_buf_add(out, p + plain, n - plain);
}

int ca_vocab_write(const struct ca_vocab *v, struct ca_buf *out, struct ca_err *err)
{
    ca_buf_str(out, MAGIC HEADER);
    for (size_t c = 0; c < v->n; c++)
        for (uint32_t i = 0; i < ca_vocab_size(v, c); i++) {
            write_escaped(out, v->col[c].name, strlen(v->col[c].name));
            ca_buf_printf(out, "\t%u\t%u\t", i, ca_vocab_count(v, c, i));
            if (i && i <= v->col[c].n) {
                char hold[8];
                struct ca_piece s = ca_vocab_value(v, c, i, hold);
                write_escaped(out, s.p, s.n);
            }
            ca_buf_char(out, '\n');
        }
    return ca_buf_check(out, err);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo write_escaped into out (cleared first). Nonzero when an escape is unknown. */
static int read_escaped(const char *p, const char *end, struct ca_buf *out)
{
    ca_buf_clear(out);
    while (p < end) {
        const char *q = memchr(p, '\\', (size_t)(end - p));
        ca_buf_add(out, p, (size_t)((q ? q : end) - p));
        if (!q)
            break;
        if (q + 1 == end)
            return 1;
        p = q + 2;
        switch (q[1]) {
        case '\\': ca_buf_char(out, '\\'); break;
        case 't': ca_buf_char(out, '\t'); break;
        case 'n': ca_buf_char(out, '\n'); break;
        case 'r': ca_buf_char(out, '\r'); break;
        case 'x':
            if (end - p < 2 || hex_digit(p[0]) < 0 || hex_digit(p[1]) < 0)
                return 1;
            ca_buf_char(out, (char)(16 * hex_digit(p[0]) + hex_digit(p[1])));
            p += 2;
            break;
        default: return 1;
        }
    }
    return out->status;
}

/* One line [p, end): returns NULL, or what is wrong with it. Memory faults go to err. */
static const char *parse_line(struct ca_vocab *v, const char *p, const char *end, struct ca_buf *text,
                              struct ca_err *err)
{
    const char *part[4], *stop[4];
    struct column *c = v->n ? &v->col[v->n - 1] : NULL;
    uint64_t index, count;
    char number[24];
    uint32_t id;

    for (int i = 0; i < 4; i++) {
        const char *q = i < 3 ? memchr(p, '\t', (size_t)(end - p)) : end;
        if (!q)
            return "a line needs four fields";
        part[i] = p;
        stop[i] = q;
        p = q + 1;
    }
    for (int i = 1; i < 3; i++) {
        size_t n = (size_t)(stop[i] - part[i]);
        if (n >= sizeof number)
            return "bad number";
        memcpy(number, part[i], n);
        number[n] = '\0';
        if (ca_num_u64(number, 0, UINT32_MAX - 1u + (i == 2), i == 1 ? &index : &count))
            return "bad number";
    }
    if (read_escaped(part[0], stop[0], text) || !text->len || memchr(text->data, '\0', text->len))
        return "bad column name";
    if (!index) {
        if (part[3] != stop[3])
            return "index 0 has a value";
        if (ca_vocab_column(v, text->data, err))
            return "bad column";
        c = &v->col[v->n - 1];
    } else {
        struct ca_piece s;
        if (!c || strcmp(c->name, text->data))
            return "a column does not begin with index 0";
        if (index != (uint64_t)c->n + 1)
            return "an index is out of order";
        if (c->parted)
            return "a value behind the index of unknown values";
        if (read_escaped(part[3], stop[3], text) || text->len > UINT32_MAX)
            return "bad value";
        s = (struct ca_piece){text->data, (uint32_t)text->len};
        if (!s.n)
            c->parted = 1;
        else if (ca_vocab_ids(v, v->n - 1, &s, 1, 1, &id, err))
            return "bad value";
        else if (id != index)
            return "a value is there twice";
    }
    if (reserve_counts(c, err))
        return "out of memory";
    c->count[index] = (uint32_t)count;
    return NULL;
}

int ca_vocab_parse(struct ca_vocab **out, const char *text, size_t n, const char *file, struct ca_err *err)
{
    const char *p = text, *end = text + n, *what = NULL;
    struct ca_vocab *v = NULL;
    struct ca_buf scratch = {0};
    int64_t line = 2;
    int code = 0;

    if (n < strlen(MAGIC HEADER) || memcmp(text, MAGIC HEADER, strlen(MAGIC HEADER))) {
        int later = n > 15 && !memcmp(text, MAGIC, 15);
        code = ca_err_set(err, later ? CA_EVERSION : CA_EMAGIC, later ? "a vocabulary of another version"
                                                                       : "not a vocabulary");
        (void)ca_err_at(err, file, 0, -1);
        return code;
    }
    if (!(v = ca_vocab_new(err)))
        return CA_EMEMORY;
    p += strlen(MAGIC HEADER);
    while (p < end && !what) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        line++;
        if (!nl)
            what = "the last line is cut short";
        else if (!(what = parse_line(v, p, nl, &scratch, err)))
            p = nl + 1;
    }
    ca_buf_fini(&scratch);
    if (what) {
        code = ca_err_set(err, CA_EFORMAT, "%s in line %lld of a vocabulary", what, (long long)line);
        (void)ca_err_at(err, file, p - text, -1);
        ca_vocab_free(v);
        return err ? err->code : code;
    }
    *out = v;
    return 0;
}
