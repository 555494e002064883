/*
 * The few lines a C test needs: numbered TAP results with the place of each
 * failed check. A test program is main() { ...; return tap_done(); }.
 */
#ifndef CA_TEST_TAP_H
#define CA_TEST_TAP_H

#include <math.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

/* One result; returns whether it passed. */
static inline int tap_result(int pass, const char *what, const char *file, int line)
{
    tap_count++;
    (void)printf("%s %d - %s\n", pass ? "ok" : "not ok", tap_count, what);
    if (!pass) {
        tap_failed++;
        (void)printf("# failed at %s:%d\n", file, line);
    }
    return pass;
}

static inline int tap_close(double got, double want, double tol, const char *what, const char *file, int line)
{
    int pass = fabs(got - want) <= tol;
    (void)tap_result(pass, what, file, line);
    if (!pass)
        (void)printf("# got %.17g, want %.17g within %.3g\n", got, want, tol);
    return pass;
}

#define OK(cond, what) tap_result(!!(cond), what, __FILE__, __LINE__)
#define CLOSE(got, want, tol, what) tap_close(got, want, tol, what, __FILE__, __LINE__)
#define STR_EQ(got, want, what) tap_result(!strcmp(got, want), what, __FILE__, __LINE__)

static inline int tap_done(void)
{
    (void)printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

#endif
