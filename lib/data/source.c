#include "data/source.h"

#include <string.h>
#include <zlib.h>

#include "base/ahead.h"
#include "base/in.h"
#include "base/mem.h"

#include "base/banned.h"

#define IN_BYTES ((size_t)1 << 17)
#define PLACES 4                     /* pieces of text that a thread reads ahead */
#define PIECE_BYTES ((size_t)1 << 18)

struct digest_text {
    char hex[CA_DIGEST_HEX];
};

struct ca_source {
    char *const *paths;
    size_t n, at; /* at: files opened so far */
    int force;

    struct ca_in *in;
    struct ca_digest *digest; /* of the current file */
    unsigned char *buf;       /* raw bytes read ahead */
    size_t have, used;
    int eof;                  /* of the raw bytes */
    int gzip, inflating, member_done;
    z_stream z;

    /* of reading ahead: the thread has all of the current file's, from in to z, while it runs */
    uint64_t threads;
    struct ca_ahead *ahead;
    int fault;                /* behind the last piece that was made */
    struct ca_err err;
    struct piece {
        char *p;
        size_t n;
    } piece[PLACES], *held; /* held: text in hand, of which used_text bytes are given out; NULL for none */
    size_t used_text;

    struct digest_text *done;
    size_t n_done, cap_done;
};

int ca_source_open(struct ca_source **out, char *const *paths, size_t n, int force, struct ca_err *err)
{
    struct ca_source *s = ca_mem_zalloc(1, sizeof *s, err);

    if (!s)
        return CA_EMEMORY;
    s->paths = paths;
    s->n = n;
    s->force = force;
    s->threads = 1;
    s->buf = ca_mem_alloc(IN_BYTES, 1, err);
    if (!s->buf) {
        ca_source_close(s);
        return CA_EMEMORY;
    }
    *out = s;
    return 0;
}

const char *ca_source_name(const struct ca_source *s)
{
    return s->in ? ca_in_name(s->in) : "-";
}

/* More raw bytes when none are left. */
static int refill(struct ca_source *s, struct ca_err *err)
{
    int rc;

    if (s->used < s->have || s->eof)
        return 0;
    s->used = 0;
    if ((rc = ca_in_read(s->in, s->buf, IN_BYTES, &s->have, err)))
        return rc;
    s->eof = s->have < IN_BYTES;
    return 0;
}

static void stop_ahead(struct ca_source *s)
{
    ca_ahead_stop(s->ahead);
    s->ahead = NULL;
    s->held = NULL;
}

/* The current file is at its end: keep its digest and let go of it. */
static int finish(struct ca_source *s, struct ca_err *err)
{
    int rc;

    if (!s->in)
        return 0;
    stop_ahead(s);
    if ((rc = ca_mem_grow((void **)&s->done, &s->cap_done, s->n_done + 1, sizeof *s->done, err)))
        return rc;
    ca_digest_hex(s->digest, s->done[s->n_done++].hex);
    ca_digest_free(s->digest);
    s->digest = NULL;
    if (s->inflating)
        (void)inflateEnd(&s->z);
    s->inflating = 0;
    ca_in_close(s->in);
    s->in = NULL;
    return 0;
}

int ca_source_next(struct ca_source *s, struct ca_err *err)
{
    const char *path = s->n ? s->paths[s->at] : "-";
    int rc;

    if ((rc = finish(s, err)))
        return rc;
    if (s->at >= (s->n ? s->n : 1))
        return 0;
    path = s->n ? s->paths[s->at] : "-";
    if ((rc = ca_in_open(&s->in, path, err)))
        return rc;
    s->at++;
    if (ca_in_is_terminal(s->in) && !s->force) {
        (void)ca_err_set(err, CA_EUSAGE, "refusing to read text from a terminal");
        (void)ca_err_hint(err, "name a file, use a pipe, or give --force");
        return CA_EUSAGE;
    }
    s->digest = ca_digest_new(err);
    if (!s->digest)
        return CA_EMEMORY;
    s->have = s->used = 0;
    s->eof = s->member_done = 0;
    if ((rc = refill(s, err)))
        return rc;
    s->gzip = s->have >= 2 && s->buf[0] == 0x1f && s->buf[1] == 0x8b;
    if (s->gzip) {
        s->z = (z_stream){0};
        if (inflateInit2(&s->z, 15 + 16) != Z_OK)
            return ca_err_set(err, CA_EMEMORY, "out of memory: cannot start to decompress");
        s->inflating = 1;
    }
    return 1;
}

static int gzip_fault(struct ca_source *s, int code, const char *what, struct ca_err *err)
{
    (void)ca_err_set(err, code, "%s", what);
    return ca_err_at(err, ca_in_name(s->in), ca_in_tell(s->in) - (int64_t)(s->have - s->used), -1);
}

/* Between members of a gzip file: 1 when another one begins, 0 at the end. */
static int next_member(struct ca_source *s, struct ca_err *err)
{
    int rc = refill(s, err);

    if (rc)
        return rc;
    if (s->used == s->have)
        return 0;
    if (s->buf[s->used] != 0x1f)
        return gzip_fault(s, CA_ETRAILING, "bytes behind the end of the gzip data", err);
    s->member_done = 0;
    return inflateReset(&s->z) == Z_OK ? 1 : gzip_fault(s, CA_EINTERNAL, "cannot restart to decompress", err);
}

static int read_gzip(struct ca_source *s, unsigned char *buf, size_t n, size_t *got, struct ca_err *err)
{
    int rc;

    while (*got < n) {
        size_t room = n - *got, before;

        if (s->member_done && (rc = next_member(s, err)) <= 0)
            return rc;
        if ((rc = refill(s, err)))
            return rc;
        if (room > IN_BYTES)
            room = IN_BYTES; /* zlib counts in unsigned int */
        before = s->have - s->used;
        s->z.next_in = s->buf + s->used;
        s->z.avail_in = (unsigned)before;
        s->z.next_out = buf + *got;
        s->z.avail_out = (unsigned)room;
        rc = inflate(&s->z, Z_NO_FLUSH);
        s->used += before - s->z.avail_in;
        *got += room - s->z.avail_out;
        if (rc == Z_STREAM_END)
            s->member_done = 1;
        else if (rc == Z_MEM_ERROR)
            return ca_err_set(err, CA_EMEMORY, "out of memory: cannot decompress");
        else if (rc != Z_OK && rc != Z_BUF_ERROR)
            return gzip_fault(s, CA_ECHECKSUM, "broken gzip data", err);
        else if (s->used == s->have && s->eof && s->z.avail_out)
            return gzip_fault(s, CA_ETRUNCATED, "gzip data ends early", err);
    }
    return 0;
}

/* n bytes of the current file, fewer only at its end. */
static int read_text(struct ca_source *s, void *buf, size_t n, size_t *got, struct ca_err *err)
{
    int rc = 0;

    *got = 0;
    if (s->gzip) {
        rc = read_gzip(s, buf, n, got, err);
    } else {
        size_t head = s->have - s->used;
        if (head > n)
            head = n;
        memcpy(buf, s->buf + s->used, head);
        s->used += head;
        *got = head;
        if (head < n && !s->eof) {
            size_t rest = 0;
            rc = ca_in_read(s->in, (char *)buf + head, n - head, &rest, err);
            *got += rest;
        }
    }
    if (!rc)
        ca_digest_add(s->digest, buf, *got);
    return rc;
}

static int make_piece(void *arg, size_t place, struct ca_err *err)
{
    struct ca_source *s = arg;
    struct piece *t = &s->piece[place];

    if (!t->p && !(t->p = ca_mem_alloc(PIECE_BYTES, 1, err)))
        return CA_EMEMORY;
    t->n = 0;
    if (!s->fault)
        s->fault = read_text(s, t->p, PIECE_BYTES, &t->n, &s->err);
    if (t->n)
        return 1; /* and then the fault, if there is one */
    if (s->fault)
        *err = s->err;
    return s->fault;
}

/* The same from what a thread has read ahead. */
static int take_text(struct ca_source *s, char *buf, size_t n, size_t *got, struct ca_err *err)
{
    for (*got = 0; *got < n;) {
        size_t m, place;

        if (!s->held) {
            int rc = ca_ahead_next(s->ahead, &place, err);
            if (rc <= 0)
                return rc;
            s->held = &s->piece[place];
            s->used_text = 0;
        }
        m = s->held->n - s->used_text;
        if (m > n - *got)
            m = n - *got;
        memcpy(buf + *got, s->held->p + s->used_text, m);
        *got += m;
        s->used_text += m;
        if (s->used_text == s->held->n)
            s->held = NULL;
    }
    return 0;
}

void ca_source_ahead(struct ca_source *s, uint64_t threads)
{
    s->threads = threads;
}

int ca_source_read(struct ca_source *s, void *buf, size_t n, size_t *got, struct ca_err *err)
{
    if (s->threads == 1)
        return read_text(s, buf, n, got, err);
    if (!s->ahead) {
        if (!(s->ahead = ca_ahead_new(PLACES, make_piece, s, err)))
            return CA_ETHREAD;
        ca_in_stoppable(s->in, ca_ahead_stop_fd(s->ahead));
    }
    return take_text(s, buf, n, got, err);
}

size_t ca_source_done(const struct ca_source *s)
{
    return s->n_done;
}

const char *ca_source_digest(const struct ca_source *s, size_t i)
{
    return s->done[i].hex;
}

void ca_source_close(struct ca_source *s)
{
    if (!s)
        return;
    stop_ahead(s);
    for (int i = 0; i < PLACES; i++)
        ca_mem_free(s->piece[i].p);
    if (s->inflating)
        (void)inflateEnd(&s->z);
    ca_digest_free(s->digest);
    ca_in_close(s->in);
    ca_mem_free(s->buf);
    ca_mem_free(s->done);
    ca_mem_free(s);
}
