#include "base/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/mem.h"

#include "base/banned.h"

struct ca_ahead {
    ca_ahead_fn *fn;
    void *arg;
    size_t places;
    pthread_t thread;
    int started;
    int stop[2];          /* a pipe: its reading end tells whoever waits for input that nobody does any more */
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t made;  /* a place has been filled, or the end has come */
    pthread_cond_t room;  /* a place has been given back */
    size_t n_made, n_given; /* so far; those in between are full */
    int held;             /* a place is in use */
    int end;              /* fn has returned this, once it is not 1 */
    int ended, quit;
    struct ca_err err;
};

static void *make(void *arg)
{
    struct ca_ahead *a = arg;

    for (;;) {
        struct ca_err err = {0};
        size_t place;
        int rc, quit;

        (void)pthread_mutex_lock(&a->lock);
        while (a->n_made - a->n_given == a->places && !a->quit)
            (void)pthread_cond_wait(&a->room, &a->lock);
        place = a->n_made % a->places;
        quit = a->quit;
        (void)pthread_mutex_unlock(&a->lock);
        if (quit)
            return NULL;
        rc = a->fn(a->arg, place, &err);
        (void)pthread_mutex_lock(&a->lock);
        if (rc == 1) {
            a->n_made++;
        } else {
            a->end = rc;
            a->ended = 1;
            a->err = err;
        }
        (void)pthread_cond_signal(&a->made);
        (void)pthread_mutex_unlock(&a->lock);
        if (rc != 1)
            return NULL;
    }
}

static void destroy(struct ca_ahead *a)
{
    for (int i = 0; i < 2; i++)
        if (a->stop[i] >= 0)
            (void)close(a->stop[i]);
    (void)pthread_mutex_destroy(&a->lock);
    (void)pthread_cond_destroy(&a->made);
    (void)pthread_cond_destroy(&a->room);
    ca_mem_free(a);
}

struct ca_ahead *ca_ahead_new(size_t places, ca_ahead_fn *fn, void *arg, struct ca_err *err)
{
    struct ca_ahead *a = ca_mem_zalloc(1, sizeof *a, err);

    if (!a)
        return NULL;
    a->fn = fn;
    a->arg = arg;
    a->places = places;
    a->stop[0] = a->stop[1] = -1;
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_cond_init(&a->made, NULL);
    (void)pthread_cond_init(&a->room, NULL);
    if (pipe(a->stop) || fcntl(a->stop[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(a->stop[1], F_SETFD, FD_CLOEXEC) < 0) {
        (void)ca_err_sys(err, CA_ETHREAD, "cannot make a pipe to a thread");
        destroy(a);
        return NULL;
    }
    return a;
}

static int start(struct ca_ahead *a, struct ca_err *err)
{
    sigset_t all, old;
    int failed;

    /* as with the workers of a pool: signals go to the main thread, which owns the clean-up */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&a->thread, NULL, make, a);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed)
        return ca_err_set(err, CA_ETHREAD, "cannot start thread for reading ahead");
    a->started = 1;
    return 0;
}

int ca_ahead_next(struct ca_ahead *a, size_t *place, struct ca_err *err)
{
    int rc = a->started ? 0 : start(a, err);

    if (rc)
        return rc;
    rc = 1;
    (void)pthread_mutex_lock(&a->lock);
    if (a->held) {
        a->held = 0;
        a->n_given++;
        (void)pthread_cond_signal(&a->room);
    }
    while (a->n_made == a->n_given && !a->ended)
        (void)pthread_cond_wait(&a->made, &a->lock);
    if (a->n_made > a->n_given) {
        *place = a->n_given % a->places;
        a->held = 1;
    } else {
        rc = a->end;
        if (rc < 0 && err && !err->code)
            *err = a->err;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return rc;
}

int ca_ahead_stop_fd(const struct ca_ahead *a)
{
    return a->stop[0];
}

void ca_ahead_stop(struct ca_ahead *a)
{
    int keep = errno;

    if (!a)
        return;
    (void)pthread_mutex_lock(&a->lock);
    a->quit = 1;
    (void)pthread_cond_signal(&a->room);
    (void)pthread_mutex_unlock(&a->lock);
    (void)close(a->stop[1]); /* the other end is now readable: it has ended */
    a->stop[1] = -1;
    if (a->started)
        (void)pthread_join(a->thread, NULL);
    destroy(a);
    errno = keep;
}
