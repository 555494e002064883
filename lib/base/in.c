#include "base/in.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#include "base/banned.h"

struct ca_in {
    int fd;
    int stop; /* see ca_in_stoppable; -1 for none */
    int seekable;
    int64_t size;
    int64_t pos;
    void *map;
    size_t map_size;
    size_t released; /* bytes of the map given back so far */
    char *name;
};

int ca_in_from_fd(struct ca_in **out, int fd, const char *name, struct ca_err *err)
{
    struct ca_in *in = ca_mem_zalloc(1, sizeof *in, err);
    struct stat st;

    if (!in)
        return CA_EMEMORY;
    in->stop = -1;
    in->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    in->name = ca_mem_strdup(name, err);
    if (!in->name) {
        ca_in_close(in);
        return CA_EMEMORY;
    }
    if (in->fd < 0 || fstat(in->fd, &st)) {
        int code = ca_err_sys(err, CA_EOPEN, "cannot use descriptor %d", fd);
        (void)ca_err_at(err, name, -1, -1);
        ca_in_close(in);
        return code;
    }
    in->seekable = S_ISREG(st.st_mode);
    in->size = in->seekable ? (int64_t)st.st_size : -1;
    if (in->seekable) {
        off_t at = lseek(in->fd, 0, SEEK_CUR);
        in->pos = at > 0 ? (int64_t)at : 0;
    }
    *out = in;
    return 0;
}

int ca_in_open(struct ca_in **out, const char *path, struct ca_err *err)
{
    int fd, rc;

    if (!strcmp(path, "-"))
        return ca_in_from_fd(out, STDIN_FILENO, "-", err);
    do
        fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return ca_err_sys(err, CA_EOPEN, "cannot open '%s'", path);
    rc = ca_in_from_fd(out, fd, path, err);
    (void)close(fd);
    return rc;
}

static int read_failed(struct ca_in *in, int64_t at, struct ca_err *err)
{
    int code = ca_err_sys(err, CA_EREAD, "read failed");
    (void)ca_err_at(err, in->name, at, -1);
    return code;
}

void ca_in_stoppable(struct ca_in *in, int stop)
{
    in->stop = stop;
}

/* Wait until there is something to read. Nonzero: nobody wants it any more. */
static int stopped(const struct ca_in *in)
{
    struct pollfd two[2] = {{in->fd, POLLIN, 0}, {in->stop, POLLIN, 0}};

    if (in->stop < 0 || in->seekable)
        return 0;
    while (poll(two, 2, -1) < 0)
        if (errno != EINTR && errno != EAGAIN)
            return 0; /* read then says what is wrong */
    return two[1].revents != 0;
}

int ca_in_read_some(struct ca_in *in, void *buf, size_t n, size_t *got, struct ca_err *err)
{
    ssize_t r;

    if (stopped(in))
        return ca_err_set(err, CA_EREAD, "reading was given up");
    do
        r = read(in->fd, buf, n);
    while (r < 0 && errno == EINTR);
    *got = r > 0 ? (size_t)r : 0;
    if (r < 0)
        return read_failed(in, in->pos, err);
    in->pos += r;
    return 0;
}

int ca_in_read(struct ca_in *in, void *buf, size_t n, size_t *got, struct ca_err *err)
{
    size_t one;

    for (*got = 0; *got < n; *got += one) {
        int rc = ca_in_read_some(in, (char *)buf + *got, n - *got, &one, err);
        if (rc)
            return rc;
        if (!one)
            break;
    }
    return 0;
}

int ca_in_pread(struct ca_in *in, void *buf, size_t n, int64_t offset, struct ca_err *err)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = pread(in->fd, (char *)buf + done, n - done, (off_t)(offset + (int64_t)done));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return read_failed(in, offset, err);
        if (!r) {
            (void)ca_err_set(err, CA_ETRUNCATED, "file ends early");
            (void)ca_err_at(err, in->name, offset + (int64_t)done, -1);
            return CA_ETRUNCATED;
        }
        done += (size_t)r;
    }
    return 0;
}

int ca_in_seek(struct ca_in *in, int64_t offset, struct ca_err *err)
{
    if (lseek(in->fd, (off_t)offset, SEEK_SET) < 0)
        return read_failed(in, offset, err);
    in->pos = offset;
    return 0;
}

int ca_in_seekable(const struct ca_in *in)
{
    return in->seekable;
}

int64_t ca_in_size(const struct ca_in *in)
{
    return in->size;
}

int64_t ca_in_tell(const struct ca_in *in)
{
    return in->pos;
}

int ca_in_is_terminal(const struct ca_in *in)
{
    return isatty(in->fd);
}

const char *ca_in_name(const struct ca_in *in)
{
    return in->name;
}

const void *ca_in_map(struct ca_in *in, size_t *size)
{
    if (!in->map && in->seekable && in->size > 0) {
        void *p = mmap(NULL, (size_t)in->size, PROT_READ, MAP_PRIVATE, in->fd, 0);
        if (p != MAP_FAILED) {
            in->map = p;
            in->map_size = (size_t)in->size;
        }
    }
    *size = in->map_size;
    return in->map;
}

/* In steps, since each is a system call; pages are whole in any multiple of the step. */
#define RELEASE_STEP ((size_t)8 << 20)

void ca_in_release(struct ca_in *in, int64_t before)
{
    size_t to = before > 0 ? (size_t)before / RELEASE_STEP * RELEASE_STEP : 0;

    if (to < in->released)
        in->released = to; /* read again from further ahead */
    if (!in->map || to <= in->released || to > in->map_size)
        return;
    (void)madvise((char *)in->map + in->released, to - in->released, MADV_DONTNEED);
    in->released = to;
}

void ca_in_close(struct ca_in *in)
{
    int keep = errno;

    if (!in)
        return;
    if (in->map)
        (void)munmap(in->map, in->map_size);
    if (in->fd >= 0)
        (void)close(in->fd);
    ca_mem_free(in->name);
    ca_mem_free(in);
    errno = keep;
}
