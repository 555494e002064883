/*
 * Runs a command and says what it cost: time by the wall, time of all
 * processors, peak memory of it and of what it starts. Its standard output is
 * thrown away. Usage: meter SECTION CASE WHAT THREADS X ROWS BYTES COMMAND [ARGUMENT...]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define FIXED 8 /* arguments before the command */

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

int main(int argc, char **argv)
{
    const char *round = getenv("BENCH_ROUND");
    struct rusage use;
    double wall;
    pid_t child;
    int status;

    if (argc <= FIXED) {
        (void)fprintf(stderr, "usage: meter SECTION CASE WHAT THREADS X ROWS BYTES COMMAND [ARGUMENT...]\n");
        return 2;
    }
    wall = ca_clock_wall_s();
    child = fork();
    if (!child) {
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0 && dup2(null, STDOUT_FILENO) >= 0)
            (void)execvp(argv[FIXED], argv + FIXED);
        (void)fprintf(stderr, "meter: cannot run '%s': %s\n", argv[FIXED], strerror(errno));
        _exit(127);
    }
    while (wait4(child, &status, 0, &use) < 0)
        if (errno != EINTR)
            return 70;
    wall = ca_clock_wall_s() - wall;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        (void)fprintf(stderr, "meter: '%s' of %s, %s failed\n", argv[FIXED], argv[1], argv[2]);
        return 1;
    }
    (void)printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t0\t%.6f\t%.6f\t%ld\n", argv[1], argv[2], argv[3], argv[4], argv[5],
                 round ? round : "1", argv[6], argv[7], wall, seconds(use.ru_utime) + seconds(use.ru_stime),
                 use.ru_maxrss);
    return 0;
}
