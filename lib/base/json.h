/*
 * JSON (jansson) with this project's errors. Objects keep their insertion
 * order, numbers are written with 17 digits, so equal content is equal bytes.
 */
#ifndef CA_BASE_JSON_H
#define CA_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Parse n bytes that start at byte base of file (both only for messages).
 * A new reference, or NULL with CA_EFORMAT in err. Duplicate keys are refused.
 */
json_t *ca_json_parse(const char *text, size_t n, const char *file, int64_t base, struct ca_err *err) CA_CHECK_ME;

/* Append the compact text of j. */
int ca_json_dump(const json_t *j, struct ca_buf *out, struct ca_err *err) CA_CHECK_ME;

/*
 * Members of obj. Each returns 0 and sets *out (borrowed), or CA_EFORMAT naming
 * the key: absent, of another type, or out of [lo, hi].
 */
int ca_json_get_str(const json_t *obj, const char *key, const char **out, struct ca_err *err) CA_CHECK_ME;
int ca_json_get_int(const json_t *obj, const char *key, int64_t lo, int64_t hi, int64_t *out, struct ca_err *err)
    CA_CHECK_ME;
int ca_json_get_array(const json_t *obj, const char *key, json_t **out, struct ca_err *err) CA_CHECK_ME;
int ca_json_get_object(const json_t *obj, const char *key, json_t **out, struct ca_err *err) CA_CHECK_ME;

/* obj[key] = value, stealing value; CA_EMEMORY when value is NULL or the insertion fails. */
int ca_json_set(json_t *obj, const char *key, json_t *value, struct ca_err *err) CA_CHECK_ME;

#endif
