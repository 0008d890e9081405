/* SPDX-License-Identifier: Apache-2.0 */
/* See helper.h: forking a helper, and what it forgets. */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What a helper may need of the agent's environment; no name here can hold a key. */
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
enum { PATIENCE_MS = 1000, PAUSE_MS = 1000, KEPT_COUNT = sizeof kept_names / sizeof *kept_names };
_Static_assert(sizeof kept_names / sizeof *kept_names <= HELPER_VARIABLES_MAX, "notify_helper.c has room for them all");

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

/* Signals that stop a service go to every process of it: the helper leaves only when the agent has. */
static void forget_agent(const char *name, int fd)
{
    const struct rlimit no_core = {0, 0};
    dup2(fd, HELPER_FD);
    syscall(SYS_close_range, HELPER_FD + 1, ~0u, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; null >= 0 && i < HELPER_FD; i++)
        dup2(null, i);
    fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC);
    setrlimit(RLIMIT_CORE, &no_core);
#ifndef TOLLGATE_SANITIZED /* as in startup.c */
    prctl(PR_SET_DUMPABLE, 0);
#endif
    prctl(PR_SET_NAME, name);
    const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
}

bool helper_open(struct helper *helper, const char *name, void (*run)(const void *context), const void *context)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        forget_environment();
        forget_agent(name, ends[1]);
        run(context);
        _exit(0);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    *helper = (struct helper){ends[0], pid};
    return true;
}

/* True: it has ended as it should. */
static bool run_once(void (*work)(void))
{
    const pid_t keeper = getpid(), pid = fork();
    int status = 0;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == keeper)
            work();
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void helper_keep(void (*work)(void), const void *answer, size_t answer_bytes)
{
    struct pollfd agent = {HELPER_FD, POLLRDHUP, 0};
    while (!run_once(work) && send(HELPER_FD, answer, answer_bytes, MSG_NOSIGNAL) >= 0)
        poll(&agent, 1, PAUSE_MS);
}

void helper_close(struct helper *helper)
{
    close(helper->fd);
    while (helper->pid > 0 && waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void helper_end(struct helper *helper)
{
    close(helper->fd);
    for (unsigned waited_ms = 0; helper_is_alive(helper) && waited_ms < PATIENCE_MS; waited_ms += 5)
        poll(NULL, 0, 5);
    if (helper->pid > 0)
        kill(helper->pid, SIGKILL);
}

/* 0 when it was waited for: helper_close must not wait for whoever has its number now. */
bool helper_is_alive(struct helper *helper)
{
    if (helper->pid > 0 && waitpid(helper->pid, NULL, WNOHANG) == helper->pid)
        helper->pid = 0;
    return helper->pid > 0;
}
