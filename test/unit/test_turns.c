/* Stages that the tasks of a pool go through in their order, whoever is slow. */
#include <time.h>

#include "base/pool.h"
#include "base/rng.h"
#include "base/turns.h"
#include "tap.h"

#define TASKS 200
#define STAGES 5

struct round {
    struct ca_turns *turns;
    struct ca_rng rng;
    size_t seen[STAGES][TASKS], n[STAGES]; /* who was at a stage; written by whose turn it is */
    int crowded;                           /* somebody was at a stage while its owner was */
    int at[STAGES];
};

static void task(void *arg, size_t task_no, unsigned worker)
{
    struct round *r = arg;

    (void)worker;
    for (size_t s = 0; s < STAGES; s++) {
        struct timespec nap = {0, (long)(ca_rng_unit(&r->rng, task_no * STAGES + s) * 20000)};

        (void)nanosleep(&nap, NULL);
        ca_turns_take(r->turns, s, task_no);
        r->crowded |= r->at[s]++;
        r->seen[s][r->n[s]++] = task_no;
        r->at[s]--;
        ca_turns_pass(r->turns, s);
    }
}

int main(void)
{
    struct ca_err err = {0};

    for (unsigned threads = 1; threads <= 4; threads++) {
        static struct round r;
        struct ca_pool *pool = ca_pool_new(threads, &err);
        int in_order = 1;

        r = (struct round){.turns = ca_turns_new(STAGES, &err), .rng = ca_rng_make(threads, "turns")};
        for (int again = 0; again < 2; again++) {
            memset(r.n, 0, sizeof r.n);
            ca_turns_start(r.turns);
            ca_pool_run(pool, TASKS, task, &r);
            for (size_t s = 0; s < STAGES; s++) {
                in_order &= r.n[s] == TASKS;
                for (size_t i = 0; i < TASKS; i++)
                    in_order &= r.seen[s][i] == i;
            }
        }
        OK(in_order && !r.crowded, "every stage sees every task once, in order");
        ca_turns_free(r.turns);
        ca_pool_free(pool);
    }
    ca_turns_free(NULL);
    return tap_done();
}
