/*
 * base/ahead: places come out in the order in which they were made, the end
 * and faults behind them, and stopping never waits for input that does not come.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/ahead.h"
#include "base/in.h"
#include "tap.h"

#define PLACES 3

struct maker {
    int made[PLACES];
    int n, last, code;
    struct ca_in *in;
};

static int count(void *arg, size_t place, struct ca_err *err)
{
    struct maker *m = arg;

    if (m->n == m->last)
        return m->code ? ca_err_set(err, m->code, "the %dth", m->n) : 0;
    m->made[place] = m->n++;
    return 1;
}

static int read_one(void *arg, size_t place, struct ca_err *err)
{
    struct maker *m = arg;
    size_t got;
    char byte;
    int rc = ca_in_read(m->in, &byte, 1, &got, err);

    m->made[place] = byte;
    return rc ? rc : got == 1;
}

static void test_order(void)
{
    struct maker m = {.last = 1000};
    struct ca_ahead *a = ca_ahead_new(PLACES, count, &m, NULL);
    size_t place;
    int ok = 1;

    if (!OK(a, "a thread to be"))
        return;
    for (int i = 0; i < 1000; i++)
        ok &= ca_ahead_next(a, &place, NULL) == 1 && m.made[place] == i;
    OK(ok, "a thousand things come in order");
    OK(!ca_ahead_next(a, &place, NULL) && !ca_ahead_next(a, &place, NULL), "then comes the end, as often as asked");
    ca_ahead_stop(a);
}

static void test_fault(void)
{
    struct maker m = {.last = 5, .code = CA_EFORMAT};
    struct ca_err err = {0};
    struct ca_ahead *a = ca_ahead_new(PLACES, count, &m, NULL);
    size_t place;
    int n = 0, rc;

    if (!OK(a, "a thread to be"))
        return;
    while ((rc = ca_ahead_next(a, &place, &err)) == 1)
        n++;
    OK(n == 5 && rc == CA_EFORMAT, "a fault comes behind what was made before it");
    STR_EQ(err.text, "the 5th", "with its text");
    ca_ahead_stop(a);
}

static void test_stop(void)
{
    struct maker m = {.last = 1 << 30};
    struct ca_ahead *a = ca_ahead_new(PLACES, count, &m, NULL);
    size_t place;
    int fd[2];

    if (!OK(a && ca_ahead_next(a, &place, NULL) == 1, "a thread starts"))
        return;
    ca_ahead_stop(a);
    OK(m.n <= PLACES + 1, "a thread that is stopped while it waits for room has made no more than there is room for");

    m = (struct maker){0};
    if (!OK(!pipe(fd) && !ca_in_from_fd(&m.in, fd[0], "pipe", NULL), "a pipe"))
        return;
    a = ca_ahead_new(PLACES, read_one, &m, NULL);
    if (!OK(write(fd[1], "x", 1) == 1 && a, "a thread reads from it"))
        return;
    ca_in_stoppable(m.in, ca_ahead_stop_fd(a));
    OK(ca_ahead_next(a, &place, NULL) == 1 && m.made[place] == 'x', "what has been written arrives");
    ca_ahead_stop(a);
    OK(1, "a thread that waits for a pipe can be stopped");
    ca_in_close(m.in);
    (void)close(fd[0]);
    (void)close(fd[1]);
}

int main(void)
{
    (void)alarm(60); /* a thread that cannot be stopped must not stop the tests */
    test_order();
    test_fault();
    test_stop();
    return tap_done();
}
