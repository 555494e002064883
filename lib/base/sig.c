#include "base/sig.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define SLOTS 16

/* What a handler may touch: fixed storage and flags, nothing allocated. */
static struct {
    volatile sig_atomic_t armed;
    char path[PATH_MAX];
} slots[SLOTS];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_signal(int sig)
{
    struct sigaction dfl;

    for (int i = 0; i < SLOTS; i++)
        if (slots[i].armed)
            (void)unlink(slots[i].path);
    memset(&dfl, 0, sizeof dfl);
    dfl.sa_handler = SIG_DFL;
    (void)sigaction(sig, &dfl, NULL);
    (void)raise(sig);
}

int ca_sig_init(struct ca_err *err)
{
    static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
    struct sigaction act;
    sigset_t set;

    /*
     * A file opened later must not become a standard stream. In their place
     * stands what cannot be used: output that nobody gets is an error then.
     */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 1 ? O_RDONLY : O_WRONLY) < 0)
            return ca_err_sys(err, CA_EOPEN, "cannot open '/dev/null'");
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    memset(&act, 0, sizeof act);
    act.sa_handler = SIG_DFL;
    (void)sigaction(SIGPIPE, &act, NULL);
    /* a file size limit is a write that fails, with a message, like a full disk */
    act.sa_handler = SIG_IGN;
    (void)sigaction(SIGXFSZ, &act, NULL);
    act.sa_handler = on_signal;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        struct sigaction old;
        /* A signal that the parent ignores (nohup) stays ignored. */
        if (!sigaction(fatal[i], NULL, &old) && old.sa_handler != SIG_IGN)
            (void)sigaction(fatal[i], &act, NULL);
    }
    return 0;
}

int ca_sig_guard(const char *path)
{
    int slot = -1;

    if (strlen(path) >= PATH_MAX)
        return -1;
    (void)pthread_mutex_lock(&slots_lock);
    for (int i = 0; i < SLOTS && slot < 0; i++) {
        if (slots[i].armed)
            continue;
        (void)snprintf(slots[i].path, sizeof slots[i].path, "%s", path);
        slots[i].armed = 1;
        slot = i;
    }
    (void)pthread_mutex_unlock(&slots_lock);
    return slot;
}

void ca_sig_release(int slot)
{
    if (slot >= 0 && slot < SLOTS)
        slots[slot].armed = 0;
}
