/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper process of alerts: takes an order, runs it, says how it ended. It ends when the agent does, in whatever
 * way that happens.
 */
#include "notify_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void reset_signals(void)
{
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* False for an order that notify.c did not make. */
static bool unpack(struct notify_order *order, char **arguments, char **environment)
{
    size_t at = 0, count = 0;
    for (uint32_t i = 0; i < order->argument_count + order->variable_count; i++) {
        char *word = order->words + at, *end = memchr(word, 0, sizeof order->words - at);
        if (!end)
            return false;
        if (i < order->argument_count)
            arguments[i] = word;
        else
            environment[count++] = word;
        at += (size_t)(end - word) + 1;
    }
    for (char **entry = environ; *entry; entry++)
        environment[count++] = *entry;
    return true;
}

/* A file, not a pipe: a command that does not read its input cannot make anybody wait. */
static int make_input(const struct notify_order *order)
{
    int fd = memfd_create("alert", MFD_CLOEXEC);
    if (fd >= 0 &&
        (write(fd, order->body, order->body_bytes) != (ssize_t)order->body_bytes || lseek(fd, 0, SEEK_SET))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In the child: becomes the command, or tells its errno through the pipe that a successful exec closes. */
static _Noreturn void become(int input, int report, char **arguments, char **environment)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input, STDIN_FILENO);
    reset_signals();
    if (arguments[0] && chdir("/") == 0)
        execvpe(arguments[0], arguments, environment);
    int error = errno;
    ssize_t ignored = write(report, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True when the command has ended by itself; the agent's end counts as its time being up. */
static bool wait_for(int process, uint32_t timeout_ms)
{
    const int64_t due_ms = now_ms() + timeout_ms;
    struct pollfd polled[] = {{process, POLLIN, 0}, {HELPER_FD, POLLRDHUP, 0}};
    for (;;) {
        int64_t left_ms = due_ms - now_ms();
        int count = poll(polled, 2, left_ms < 0 ? 0 : (int)left_ms);
        if (count < 0 && errno == EINTR)
            continue;
        if (polled[0].revents)
            return true;
        if (count <= 0 || polled[1].revents)
            return false;
    }
}

static void watch(pid_t pid, uint32_t timeout_ms, struct notify_outcome *outcome)
{
    int status = 0, process = (int)syscall(SYS_pidfd_open, pid, 0);
    outcome->is_timeout = process < 0 || !wait_for(process, timeout_ms);
    if (outcome->is_timeout && kill(-pid, SIGKILL) != 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (process >= 0)
        close(process);
    outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    outcome->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static void run_command(const struct notify_order *order, char **arguments, char **environment,
                        struct notify_outcome *outcome)
{
    int report[2] = {-1, -1}, input = make_input(order);
    if (input < 0 || pipe2(report, O_CLOEXEC) != 0) {
        outcome->error = errno;
        goto done;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(input, report[1], arguments, environment);
    close(report[1]);
    report[1] = -1;
    int error = 0;
    if (pid < 0) {
        outcome->error = errno;
        goto done;
    }
    setpgid(pid, pid); /* both sides do it: whoever comes first */
    if (read(report[0], &error, sizeof error) == (ssize_t)sizeof error)
        outcome->error = error;
    watch(pid, order->timeout_ms, outcome);
done:
    for (int i = 0; i < 2; i++)
        if (report[i] >= 0)
            close(report[i]);
    if (input >= 0)
        close(input);
}

void notify_helper_run(const void *context)
{
    (void)context;
    static struct notify_order order;
    while (recv(HELPER_FD, &order, sizeof order, 0) == (ssize_t)sizeof order) {
        struct notify_outcome outcome = {0};
        char *arguments[NOTIFY_WORDS_MAX + 1] = {NULL};
        char *environment[NOTIFY_WORDS_MAX + HELPER_VARIABLES_MAX + 1] = {NULL};
        if (order.argument_count < 1 || order.argument_count > NOTIFY_WORDS_MAX ||
            order.variable_count > NOTIFY_WORDS_MAX || order.body_bytes > sizeof order.body ||
            !unpack(&order, arguments, environment))
            outcome.error = EINVAL;
        else
            run_command(&order, arguments, environment, &outcome);
        if (send(HELPER_FD, &outcome, sizeof outcome, MSG_NOSIGNAL) != (ssize_t)sizeof outcome)
            break;
    }
}
