#include "cli/config.h"

#include <string.h>

#include "base/buf.h"
#include "base/in.h"
#include "base/mem.h"

#include "base/banned.h"

#define MAX_BYTES 65536

/* How many characters of name, up to and with a slash, some known name begins with. */
static size_t known_part(const struct ca_config *known, const char *name)
{
    size_t most = 0;

    for (; known && known->name; known++)
        for (size_t i = 0; name[i] && name[i] == known->name[i]; i++)
            if (name[i] == '/' && i + 1 > most)
                most = i + 1;
    return most;
}

/* Names what could stand where the name goes wrong. */
static int unknown(const struct ca_config *known, const char *name, struct ca_err *err)
{
    size_t part = known_part(known, name), n = 0, before = 0;
    struct ca_buf next = {0};
    const char *last = "";

    for (; known && known->name; known++) {
        const char *word = known->name + part;

        if (strncmp(known->name, name, part) != 0)
            continue;
        n = strcspn(word, "/");
        if (n != before || memcmp(word, last, n) != 0)
            ca_buf_printf(&next, "%s%.*s", before ? ", " : "", (int)n, word);
        last = word;
        before = n;
    }
    (void)ca_err_set(err, CA_EUSAGE, "'%.200s' is neither a known config nor a file that can be read", name);
    (void)ca_err_hint(err, "known are %.*s%s%s", (int)part, name, part ? " with " : "", next.data ? next.data : "none");
    ca_buf_fini(&next);
    return CA_EUSAGE;
}

static int read_file(char **text, const struct ca_config *known, const char *path, struct ca_err *err)
{
    struct ca_err opening = {0};
    struct ca_in *in = NULL;
    size_t got = 0;
    int rc = ca_in_open(&in, path, &opening);

    if (rc)
        return rc == CA_EOPEN ? unknown(known, path, err) : ca_err_set(err, rc, "out of memory");
    if (!rc && !(*text = ca_mem_zalloc(MAX_BYTES + 1, 1, err)))
        rc = CA_EMEMORY;
    if (!rc)
        rc = ca_in_read(in, *text, MAX_BYTES, &got, err);
    if (!rc && (got == MAX_BYTES || memchr(*text, '\0', got))) {
        rc = ca_err_set(err, CA_EFORMAT, "a config is a text of less than %d bytes", MAX_BYTES);
        (void)ca_err_at(err, path, -1, -1);
    }
    ca_in_close(in);
    return rc;
}

int ca_config_load(char **text, const struct ca_config *known, const char *name, struct ca_err *err)
{
    int rc;

    *text = NULL;
    for (size_t i = 0; known && known[i].name; i++)
        if (!strcmp(known[i].name, name))
            return (*text = ca_mem_strdup(known[i].text, err)) ? 0 : CA_EMEMORY;
    rc = read_file(text, known, name, err);
    if (rc) {
        ca_mem_free(*text);
        *text = NULL;
    }
    return rc;
}

static int blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks at both ends. */
static char *trimmed(char *s)
{
    size_t len;

    while (blank(*s))
        s++;
    for (len = strlen(s); len && blank(s[len - 1]); len--)
        s[len - 1] = '\0';
    return s;
}

int ca_config_next(char **p, const char **key, const char **value, size_t *line)
{
    while (**p) {
        char *start = *p, *end = start + strcspn(start, "\n"), *equals;

        *p = end + (*end == '\n');
        *end = '\0';
        ++*line;
        for (char *c = start; *c; c++)
            if (*c == '#' && (c == start || blank(c[-1]))) {
                *c = '\0';
                break;
            }
        start = trimmed(start);
        if (!*start)
            continue;
        equals = strchr(start, '=');
        if (equals)
            *equals = '\0';
        *key = trimmed(start);
        *value = equals ? trimmed(equals + 1) : NULL;
        return 1;
    }
    return 0;
}
