#include "base/out.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/in.h"
#include "base/mem.h"
#include "base/sig.h"

#include "base/banned.h"

#define BUFFER ((size_t)1 << 18)

struct ca_out {
    int fd;
    int slot;      /* of ca_sig_guard, -1 if none */
    int status;    /* sticky fault */
    int64_t pos;
    char *name;    /* as the user gave it */
    char *tmp;     /* what is renamed on close; NULL when written in place */
    char *buffer;
    size_t used;
};

static void destroy(struct ca_out *o)
{
    int keep = errno;

    if (o->fd >= 0)
        (void)close(o->fd);
    if (o->tmp) {
        (void)unlink(o->tmp);
        ca_sig_release(o->slot);
    }
    ca_mem_free(o->tmp);
    ca_mem_free(o->name);
    ca_mem_free(o->buffer);
    ca_mem_free(o);
    errno = keep;
}

static struct ca_out *create(const char *name, struct ca_err *err)
{
    struct ca_out *o = ca_mem_zalloc(1, sizeof *o, err);

    if (!o)
        return NULL;
    o->fd = o->slot = -1;
    o->name = ca_mem_strdup(name, err);
    o->buffer = ca_mem_alloc(BUFFER, 1, err);
    if (!o->name || !o->buffer) {
        destroy(o);
        return NULL;
    }
    return o;
}

/* ".NAME.tmp.PID" in the directory of path. */
static char *temporary_name(const char *path, struct ca_err *err)
{
    const char *slash = strrchr(path, '/');
    struct ca_buf b = {0};

    if (slash)
        ca_buf_add(&b, path, (size_t)(slash - path) + 1);
    ca_buf_printf(&b, ".%s.tmp.%ld", slash ? slash + 1 : path, (long)getpid());
    if (ca_buf_check(&b, err)) {
        ca_buf_fini(&b);
        return NULL;
    }
    return b.data;
}

int ca_out_open(struct ca_out **out, const char *path, struct ca_err *err)
{
    struct ca_out *o = create(path, err);
    struct stat st;
    int code;

    if (!o)
        return CA_EMEMORY;
    if (!strcmp(path, "-")) {
        o->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    } else if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC); /* a device or FIFO has no "half written" */
    } else {
        o->tmp = temporary_name(path, err);
        if (!o->tmp) {
            destroy(o);
            return CA_EMEMORY;
        }
        /* before there is anything to unlink: a signal may come as soon as there is */
        o->slot = ca_sig_guard(o->tmp);
        o->fd = open(o->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    if (o->fd < 0) {
        code = ca_err_sys(err, CA_EOPEN, "cannot create '%s'", path);
        if (o->tmp)
            ca_sig_release(o->slot);
        ca_mem_free(o->tmp);
        o->tmp = NULL;
        destroy(o);
        return code;
    }
    *out = o;
    return 0;
}

int ca_out_spool(struct ca_out **out, struct ca_err *err)
{
    const char *dir = getenv("TMPDIR");
    struct ca_out *o = create("spool", err);
    struct ca_buf b = {0};
    int code = 0;

    if (!o)
        return CA_EMEMORY;
    ca_buf_printf(&b, "%s/crossadapt.XXXXXX", dir && *dir ? dir : "/tmp");
    if ((code = ca_buf_check(&b, err)))
        goto fail;
    o->fd = mkstemp(b.data);
    if (o->fd < 0) {
        code = ca_err_sys(err, CA_EOPEN, "cannot create a temporary file in '%s'", dir && *dir ? dir : "/tmp");
        (void)ca_err_hint(err, "point TMPDIR to a directory with room");
        goto fail;
    }
    (void)unlink(b.data);
    ca_buf_fini(&b);
    *out = o;
    return 0;
fail:
    ca_buf_fini(&b);
    destroy(o);
    return code;
}

static int write_failed(struct ca_out *o, struct ca_err *err)
{
    /* SIGPIPE is at its default, so this is reached only where it is blocked: die as the shell expects. */
    if (errno == EPIPE)
        (void)raise(SIGPIPE);
    o->status = ca_err_sys(err, CA_EWRITE, "write failed");
    (void)ca_err_at(err, o->name, o->pos - (int64_t)o->used, -1);
    return o->status;
}

static int write_all(struct ca_out *o, const char *p, size_t n, struct ca_err *err)
{
    while (n) {
        ssize_t w = write(o->fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return write_failed(o, err);
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int ca_out_flush(struct ca_out *o, struct ca_err *err)
{
    if (o->status)
        return ca_err_set(err, o->status, "an earlier write failed");
    if (write_all(o, o->buffer, o->used, err))
        return o->status;
    o->used = 0;
    return 0;
}

int ca_out_write(struct ca_out *o, const void *data, size_t n, struct ca_err *err)
{
    if (o->status)
        return ca_err_set(err, o->status, "an earlier write failed");
    if (n >= BUFFER - o->used) {
        if (ca_out_flush(o, err))
            return o->status;
        if (n >= BUFFER) {
            if (write_all(o, data, n, err))
                return o->status;
            o->pos += (int64_t)n;
            return 0;
        }
    }
    if (n)
        memcpy(o->buffer + o->used, data, n);
    o->used += n;
    o->pos += (int64_t)n;
    return 0;
}

int ca_out_spool_input(struct ca_out *o, struct ca_in **in, struct ca_err *err)
{
    int rc = ca_out_flush(o, err);

    if (!rc && lseek(o->fd, 0, SEEK_SET) < 0)
        rc = write_failed(o, err);
    return rc ? rc : ca_in_from_fd(in, o->fd, o->name, err);
}

int64_t ca_out_tell(const struct ca_out *o)
{
    return o->pos;
}

int ca_out_is_terminal(const struct ca_out *o)
{
    return isatty(o->fd);
}

const char *ca_out_name(const struct ca_out *o)
{
    return o->name;
}

/* A rename is safe against power loss only once the directory is on disk too. */
static void sync_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? ca_mem_strdup(path, NULL) : NULL;
    int fd;

    if (dir)
        dir[slash == path ? 1 : slash - path] = '\0';
    fd = open(dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    ca_mem_free(dir);
}

int ca_out_close(struct ca_out *o, struct ca_err *err)
{
    int rc = ca_out_flush(o, err);

    if (!rc && o->tmp && fsync(o->fd))
        rc = write_failed(o, err);
    if (close(o->fd) && !rc)
        rc = write_failed(o, err);
    o->fd = -1;
    if (!rc && o->tmp) {
        if (rename(o->tmp, o->name)) {
            rc = ca_err_sys(err, CA_EWRITE, "cannot rename '%s' to '%s'", o->tmp, o->name);
        } else {
            ca_sig_release(o->slot);
            sync_directory_of(o->name);
            ca_mem_free(o->tmp);
            o->tmp = NULL;
        }
    }
    destroy(o);
    return rc;
}

void ca_out_abort(struct ca_out *o)
{
    if (o)
        destroy(o);
}
