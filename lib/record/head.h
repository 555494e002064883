/*
 * What a record stream says of itself before its first row: schema,
 * provenance, attachments, and whatever header keys a newer writer added.
 */
#ifndef CA_RECORD_HEAD_H
#define CA_RECORD_HEAD_H

#include <jansson.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "record/schema.h"

/* Bytes that travel with the stream, opaque here: the vocabulary, for one. */
struct ca_attachment {
    char *name;
    void *data;
    size_t size;
};

#define CA_ATTACHMENT_VOCABULARY "vocabulary"
#define CA_MAX_ATTACHMENT_BYTES ((size_t)4 << 30)

/* Zero-initialise. Owns all it points to. */
struct ca_head {
    struct ca_schema schema;
    json_t *keys;               /* object: every header key but "columns"; NULL stands for {} */
    struct ca_attachment *att;
    size_t n_att;
};

int ca_head_copy(struct ca_head *to, const struct ca_head *from, struct ca_err *err) CA_CHECK_ME;
void ca_head_fini(struct ca_head *h);

/* Add or replace an attachment, copying the bytes. */
int ca_head_attach(struct ca_head *h, const char *name, const void *data, size_t size, struct ca_err *err) CA_CHECK_ME;
const struct ca_attachment *ca_head_attachment(const struct ca_head *h, const char *name); /* or NULL */
void ca_head_detach(struct ca_head *h, const char *name);

/*
 * The header as JSON, {"columns": [...], ...keys}: append it to out; parse n
 * bytes of it into an empty *h (file and base are for messages).
 */
int ca_head_dump(const struct ca_head *h, struct ca_buf *out, struct ca_err *err) CA_CHECK_ME;
int ca_head_parse(struct ca_head *h, const char *text, size_t n, const char *file, int64_t base, struct ca_err *err)
    CA_CHECK_ME;

/*
 * Provenance: append this run to the list under the key "provenance" of an
 * object (a stream header's keys or a model's metadata): {"tool", "version",
 * "options", "seed"[, "engine"]}. Does nothing under --no-provenance.
 * *keys is made when NULL.
 */
int ca_prov_add(json_t **keys, const struct ca_run *run, struct ca_err *err) CA_CHECK_ME;

#endif
