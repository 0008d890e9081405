/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper process: takes an order, runs it, says how it ended. It keeps nothing of the agent but the socket, forgets
 * the environment it was started with but for a few harmless names, and ends when the agent does, in whatever way that
 * happens. Signals that stop a service go to every process of it: the helper leaves only when the agent has.
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

enum { HELPER_FD = 3 };

extern char **environ;

/* What a command may need of the agent's environment; no name here can hold a key. */
static const char *const kept_names[] = {"PATH",
                                         "HOME",
                                         "USER",
                                         "LOGNAME",
                                         "LANG",
                                         "LC_ALL",
                                         "TZ",
                                         "TMPDIR",
                                         "SHELL",
                                         "XDG_RUNTIME_DIR",
                                         "DBUS_SESSION_BUS_ADDRESS"};
enum { KEPT_COUNT = sizeof kept_names / sizeof *kept_names };

static char *kept[KEPT_COUNT + 1];

/* Also wipes the strings: /proc shows a process's first environment for as long as it lives. */
static void forget_environment(void)
{
    size_t count = 0;
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        const char *value = getenv(kept_names[i]);
        if (value && asprintf(&kept[count], "%s=%s", kept_names[i], value) > 0)
            count++;
    }
    for (char **entry = environ; *entry; entry++)
        explicit_bzero(*entry, strlen(*entry));
    kept[count] = NULL;
    environ = kept;
}

static void forget_agent(int fd)
{
    const struct rlimit no_core = {0, 0};
    dup2(fd, HELPER_FD);
    syscall(SYS_close_range, HELPER_FD + 1, ~0u, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; null >= 0 && i < HELPER_FD; i++)
        dup2(null, i);
    fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC);
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_NAME, "tollgate-alerts");
    const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
}

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
    for (char **entry = kept; *entry; entry++)
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

_Noreturn void notify_helper_main(int fd)
{
    static struct notify_order order;
    forget_environment();
    forget_agent(fd);
    while (recv(HELPER_FD, &order, sizeof order, 0) == (ssize_t)sizeof order) {
        struct notify_outcome outcome = {0};
        char *arguments[NOTIFY_WORDS_MAX + 1] = {NULL};
        char *environment[NOTIFY_WORDS_MAX + KEPT_COUNT + 1] = {NULL};
        if (order.argument_count < 1 || order.argument_count > NOTIFY_WORDS_MAX ||
            order.variable_count > NOTIFY_WORDS_MAX || order.body_bytes > sizeof order.body ||
            !unpack(&order, arguments, environment))
            outcome.error = EINVAL;
        else
            run_command(&order, arguments, environment, &outcome);
        if (send(HELPER_FD, &outcome, sizeof outcome, MSG_NOSIGNAL) != (ssize_t)sizeof outcome)
            break;
    }
    _exit(0);
}
