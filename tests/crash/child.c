/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, killing and reaping the children of the crash tests (child.h). */
#include "tests/crash/child.h"

#include "base/check.h"
#include "tests/crash/history.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void child_prepare(void)
{
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    check(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
}

pid_t child_start(void (*run)(const char *directory), const char *directory)
{
    uint64_t seed = random_next(UINT64_MAX);
    fflush(NULL);
    atomic_store(&history->is_ready, false);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        setpgid(0, 0);
        random_set(seed);
        run(directory);
        _exit(0);
    }
    setpgid(child, child);
    return child;
}

int child_wait(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        check(errno == EINTR);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    return status;
}

int child_kill(pid_t child, bool waits_until_ready, unsigned us_max)
{
    for (unsigned i = 0; waits_until_ready && !atomic_load(&history->is_ready) && i < 100000; i++)
        usleep(100);
    usleep((useconds_t)random_next(us_max));
    kill(-child, SIGKILL);
    kill(child, SIGKILL);
    return child_wait(child);
}

void child_expect(int status, bool may_be_killed)
{
    bool is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!is_well && !(may_be_killed && is_killed))
        violate(NULL, "a child crashed by itself");
}
