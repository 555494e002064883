/* base/behind: places are worked off in order, a fault stops it and is told to who fills them. */
#include "base/behind.h"
#include "tap.h"

#define PLACES 2

struct worker {
    int place[PLACES];
    int done[1000], n, bad;
};

static int work(void *arg, size_t place, struct ca_err *err)
{
    struct worker *w = arg;

    if (w->place[place] == w->bad)
        return ca_err_set(err, CA_EWRITE, "number %d", w->bad);
    w->done[w->n++] = w->place[place];
    return 0;
}

static void test_order(void)
{
    static struct worker w = {.bad = -1};
    struct ca_behind *b = ca_behind_new(PLACES, work, &w, NULL);
    size_t place;
    int ok = b != NULL;

    for (int i = 0; i < 1000 && ok; i++) {
        ok = !ca_behind_place(b, &place, NULL);
        w.place[place] = i;
        ca_behind_put(b);
    }
    ok = ok && !ca_behind_wait(b, NULL) && w.n == 1000;
    for (int i = 0; i < 1000 && ok; i++)
        ok = w.done[i] == i;
    OK(ok, "a thousand things are worked off in order");
    ca_behind_stop(b);
}

static void test_fault(void)
{
    static struct worker w = {.bad = 7};
    struct ca_behind *b = ca_behind_new(PLACES, work, &w, NULL);
    struct ca_err err = {0};
    size_t place;
    int rc = 0, i = 0;

    for (; b && i < 1000 && !(rc = ca_behind_place(b, &place, &err)); i++) {
        w.place[place] = i;
        ca_behind_put(b);
    }
    OK(rc == CA_EWRITE && i > 7 && i <= 8 + PLACES, "a fault is told soon behind where it happened");
    STR_EQ(err.text, "number 7", "with its text");
    OK(ca_behind_wait(b, NULL) == CA_EWRITE && w.n == 7, "and nothing is worked off behind it");
    ca_behind_stop(b);
}

int main(void)
{
    test_order();
    test_fault();
    return tap_done();
}
