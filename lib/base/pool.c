#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/mem.h"

#include "base/banned.h"

struct worker {
    struct ca_pool *pool;
    unsigned index;
    pthread_t thread;
};

struct ca_pool {
    unsigned threads;
    unsigned started;    /* threads that exist besides the caller */
    struct worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t work; /* a new round has begun, or the end has come */
    pthread_cond_t idle; /* a worker has left the round */
    unsigned long round;
    unsigned busy;       /* workers still inside the round */
    int quit;
    ca_pool_fn *fn;
    void *arg;
    size_t tasks;
    size_t next;         /* handed out with __atomic */
};

static void take_tasks(struct ca_pool *p, unsigned worker)
{
    size_t t;

    while ((t = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED)) < p->tasks)
        p->fn(p->arg, t, worker);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct ca_pool *p = w->pool;
    unsigned long seen = 0;

    for (;;) {
        (void)pthread_mutex_lock(&p->lock);
        while (p->round == seen && !p->quit)
            (void)pthread_cond_wait(&p->work, &p->lock);
        seen = p->round;
        if (p->quit) {
            (void)pthread_mutex_unlock(&p->lock);
            return NULL;
        }
        (void)pthread_mutex_unlock(&p->lock);
        take_tasks(p, w->index);
        (void)pthread_mutex_lock(&p->lock);
        if (!--p->busy)
            (void)pthread_cond_signal(&p->idle);
        (void)pthread_mutex_unlock(&p->lock);
    }
}

struct ca_pool *ca_pool_new(unsigned threads, struct ca_err *err)
{
    struct ca_pool *p = ca_mem_zalloc(1, sizeof *p, err);
    sigset_t all, old;

    if (!p)
        return NULL;
    if (!threads) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        threads = n > 0 ? (unsigned)n : 1;
    }
    p->threads = threads;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->work, NULL);
    (void)pthread_cond_init(&p->idle, NULL);
    p->workers = ca_mem_zalloc(threads, sizeof *p->workers, err);
    if (!p->workers) {
        ca_pool_free(p);
        return NULL;
    }
    /* Signals go to the main thread, which owns the clean-up. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    for (unsigned i = 1; i < threads; i++) {
        p->workers[i] = (struct worker){.pool = p, .index = i};
        if (pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i])) {
            (void)ca_err_set(err, CA_ETHREAD, "cannot start thread %u of %u", i + 1, threads);
            break;
        }
        p->started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (p->started + 1 < threads) {
        ca_pool_free(p);
        return NULL;
    }
    return p;
}

unsigned ca_pool_threads(const struct ca_pool *p)
{
    return p->threads;
}

void ca_pool_run(struct ca_pool *p, size_t tasks, ca_pool_fn *fn, void *arg)
{
    p->fn = fn;
    p->arg = arg;
    p->tasks = tasks;
    p->next = 0;
    if (p->started && tasks > 1) {
        (void)pthread_mutex_lock(&p->lock);
        p->busy = p->started;
        p->round++;
        (void)pthread_cond_broadcast(&p->work);
        (void)pthread_mutex_unlock(&p->lock);
    }
    take_tasks(p, 0);
    (void)pthread_mutex_lock(&p->lock);
    while (p->busy)
        (void)pthread_cond_wait(&p->idle, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
}

void ca_pool_free(struct ca_pool *p)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->quit = 1;
    (void)pthread_cond_broadcast(&p->work);
    (void)pthread_mutex_unlock(&p->lock);
    for (unsigned i = 1; i <= p->started; i++)
        (void)pthread_join(p->workers[i].thread, NULL);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->work);
    (void)pthread_cond_destroy(&p->idle);
    ca_mem_free(p->workers);
    ca_mem_free(p);
}
