#include "base/behind.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/mem.h"

#include "base/banned.h"

struct ca_behind {
    ca_behind_fn *fn;
    void *arg;
    size_t places;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t full;  /* a place has been filled, or the end has come */
    pthread_cond_t done;  /* a place has been worked off */
    size_t n_put, n_done; /* so far; those in between are full */
    int fault, quit;
    struct ca_err err;
};

static void *work(void *arg)
{
    struct ca_behind *b = arg;

    (void)pthread_mutex_lock(&b->lock);
    for (;;) {
        struct ca_err err = {0};
        size_t place;
        int rc;

        while (b->n_put == b->n_done && !b->quit)
            (void)pthread_cond_wait(&b->full, &b->lock);
        if (b->quit)
            break;
        place = b->n_done % b->places;
        (void)pthread_mutex_unlock(&b->lock);
        rc = b->fn(b->arg, place, &err);
        (void)pthread_mutex_lock(&b->lock);
        b->n_done++;
        if (rc) {
            b->fault = rc;
            b->err = err;
            b->n_done = b->n_put;
        }
        (void)pthread_cond_signal(&b->done);
        if (rc)
            break;
    }
    (void)pthread_mutex_unlock(&b->lock);
    return NULL;
}

struct ca_behind *ca_behind_new(size_t places, ca_behind_fn *fn, void *arg, struct ca_err *err)
{
    struct ca_behind *b = ca_mem_zalloc(1, sizeof *b, err);
    sigset_t most, old;
    int failed;

    if (!b)
        return NULL;
    b->fn = fn;
    b->arg = arg;
    b->places = places;
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)pthread_cond_init(&b->full, NULL);
    (void)pthread_cond_init(&b->done, NULL);
    /* signals go to the main thread, which owns the clean-up; but who writes to a closed pipe is to die of it */
    (void)sigfillset(&most);
    (void)sigdelset(&most, SIGPIPE);
    (void)pthread_sigmask(SIG_SETMASK, &most, &old);
    failed = pthread_create(&b->thread, NULL, work, b);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        (void)ca_err_set(err, CA_ETHREAD, "cannot start thread for writing behind");
        ca_mem_free(b);
        return NULL;
    }
    return b;
}

static int fault(const struct ca_behind *b, struct ca_err *err)
{
    if (b->fault && err && !err->code)
        *err = b->err;
    return b->fault;
}

int ca_behind_place(struct ca_behind *b, size_t *place, struct ca_err *err)
{
    int rc;

    (void)pthread_mutex_lock(&b->lock);
    while (b->n_put - b->n_done == b->places && !b->fault)
        (void)pthread_cond_wait(&b->done, &b->lock);
    *place = b->n_put % b->places;
    rc = fault(b, err);
    (void)pthread_mutex_unlock(&b->lock);
    return rc;
}

void ca_behind_put(struct ca_behind *b)
{
    (void)pthread_mutex_lock(&b->lock);
    if (!b->fault)
        b->n_put++;
    (void)pthread_cond_signal(&b->full);
    (void)pthread_mutex_unlock(&b->lock);
}

int ca_behind_wait(struct ca_behind *b, struct ca_err *err)
{
    int rc;

    (void)pthread_mutex_lock(&b->lock);
    while (b->n_put != b->n_done && !b->fault)
        (void)pthread_cond_wait(&b->done, &b->lock);
    rc = fault(b, err);
    (void)pthread_mutex_unlock(&b->lock);
    return rc;
}

void ca_behind_stop(struct ca_behind *b)
{
    int keep = errno;

    if (!b)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->quit = 1;
    (void)pthread_cond_signal(&b->full);
    (void)pthread_mutex_unlock(&b->lock);
    (void)pthread_join(b->thread, NULL);
    (void)pthread_mutex_destroy(&b->lock);
    (void)pthread_cond_destroy(&b->full);
    (void)pthread_cond_destroy(&b->done);
    ca_mem_free(b);
    errno = keep;
}
