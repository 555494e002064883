#include "base/turns.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

struct ca_turns {
    pthread_mutex_t lock;
    pthread_cond_t passed;
    size_t *turn; /* by stage: whose it is */
    size_t stages;
    unsigned waiting;
};

struct ca_turns *ca_turns_new(size_t stages, struct ca_err *err)
{
    struct ca_turns *t = ca_mem_zalloc(1, sizeof *t, err);

    if (!t)
        return NULL;
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->passed, NULL);
    t->stages = stages;
    t->turn = ca_mem_zalloc(stages, sizeof *t->turn, err);
    if (!t->turn) {
        ca_turns_free(t);
        return NULL;
    }
    return t;
}

void ca_turns_start(struct ca_turns *t)
{
    memset(t->turn, 0, t->stages * sizeof *t->turn);
}

void ca_turns_take(struct ca_turns *t, size_t stage, size_t task)
{
    (void)pthread_mutex_lock(&t->lock);
    t->waiting++;
    while (t->turn[stage] != task)
        (void)pthread_cond_wait(&t->passed, &t->lock);
    t->waiting--;
    (void)pthread_mutex_unlock(&t->lock);
}

void ca_turns_pass(struct ca_turns *t, size_t stage)
{
    (void)pthread_mutex_lock(&t->lock);
    t->turn[stage]++;
    if (t->waiting)
        (void)pthread_cond_broadcast(&t->passed);
    (void)pthread_mutex_unlock(&t->lock);
}

void ca_turns_free(struct ca_turns *t)
{
    if (!t)
        return;
    (void)pthread_mutex_destroy(&t->lock);
    (void)pthread_cond_destroy(&t->passed);
    ca_mem_free(t->turn);
    ca_mem_free(t);
}
