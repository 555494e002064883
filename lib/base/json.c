#include "base/json.h"

#include <inttypes.h>

#include "base/banned.h"

json_t *ca_json_parse(const char *text, size_t n, const char *file, int64_t base, struct ca_err *err)
{
    json_error_t e;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);

    if (!j) {
        (void)ca_err_set(err, CA_EFORMAT, "malformed JSON: %s", e.text);
        (void)ca_err_at(err, file, base + e.position, -1);
    }
    return j;
}

static int append(const char *data, size_t n, void *arg)
{
    struct ca_buf *b = arg;
    ca_buf_add(b, data, n);
    return b->status;
}

int ca_json_dump(const json_t *j, struct ca_buf *out, struct ca_err *err)
{
    if (json_dump_callback(j, append, out, JSON_COMPACT | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY) && !out->status)
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot write a value as JSON");
    return ca_buf_check(out, err);
}

int ca_json_get_str(const json_t *obj, const char *key, const char **out, struct ca_err *err)
{
    const json_t *v = json_object_get(obj, key);

    if (!json_is_string(v))
        return ca_err_set(err, CA_EFORMAT, "key '%s' is not a string", key);
    *out = json_string_value(v);
    return 0;
}

int ca_json_get_int(const json_t *obj, const char *key, int64_t lo, int64_t hi, int64_t *out, struct ca_err *err)
{
    const json_t *v = json_object_get(obj, key);
    int64_t x;

    if (!json_is_integer(v))
        return ca_err_set(err, CA_EFORMAT, "key '%s' is not an integer", key);
    x = (int64_t)json_integer_value(v);
    if (x < lo || x > hi)
        return ca_err_set(err, CA_EFORMAT, "key '%s' is %" PRId64 ", outside %" PRId64 " to %" PRId64, key, x, lo, hi);
    *out = x;
    return 0;
}

int ca_json_get_array(const json_t *obj, const char *key, json_t **out, struct ca_err *err)
{
    json_t *v = json_object_get(obj, key);

    if (!json_is_array(v))
        return ca_err_set(err, CA_EFORMAT, "key '%s' is not an array", key);
    *out = v;
    return 0;
}

int ca_json_get_object(const json_t *obj, const char *key, json_t **out, struct ca_err *err)
{
    json_t *v = json_object_get(obj, key);

    if (!json_is_object(v))
        return ca_err_set(err, CA_EFORMAT, "key '%s' is not an object", key);
    *out = v;
    return 0;
}

int ca_json_set(json_t *obj, const char *key, json_t *value, struct ca_err *err)
{
    if (!value || json_object_set_new(obj, key, value))
        return ca_err_set(err, CA_EMEMORY, "out of memory: cannot build a JSON object");
    return 0;
}
