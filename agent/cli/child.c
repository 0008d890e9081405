/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program for its output: no shell, a bound on time and size. Called by doctor and by what reads project files.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_OUTPUT_BYTES 65536

static void child_become(const char *const *arguments, const struct launch_changes *changes, int output)
{
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    changes_apply(changes);
    execvp(arguments[0], (char *const *)(const void *)arguments);
    _exit(127);
}

/* False when the time is up before the program closed its output. */
static bool child_collect(int from, char output[CHILD_OUTPUT_BYTES], int timeout_ms)
{
    size_t used = 0;
    const long long deadline_ms = launch_now_ms() + timeout_ms;
    for (;;) {
        long long left = deadline_ms - launch_now_ms();
        struct pollfd wait = {.fd = from, .events = POLLIN};
        if (left <= 0)
            return false;
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        char overflow[4096];
        bool is_full = used == CHILD_OUTPUT_BYTES - 1;
        ssize_t got =
            read(from, is_full ? overflow : output + used, is_full ? sizeof overflow : CHILD_OUTPUT_BYTES - 1 - used);
        if (got <= 0)
            return true;
        used += is_full ? 0 : (size_t)got;
    }
}

const char *child_run(const char *const *arguments, const struct launch_changes *changes, int timeout_ms,
                      int *ret_status)
{
    int ends[2];
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    void (*inherited)(int) = signal(SIGCHLD, SIG_DFL); /* ignored, there would be nothing to wait for */
    pid_t child = fork();
    if (child == 0)
        child_become(arguments, changes, ends[1]);
    close(ends[1]);
    char *output = text_allocate(CHILD_OUTPUT_BYTES);
    int status = 0;
    if (child > 0) {
        if (!child_collect(ends[0], output, timeout_ms))
            kill(child, SIGKILL);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    signal(SIGCHLD, inherited); /* it is for the program that run becomes */
    if (child < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
        return NULL;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return output;
}
