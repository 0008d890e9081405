/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of a supervised program: the process that its caller waits for (see supervise.c). What happens to the
 * program happens to the front (end, death by a signal, stop); a signal that was sent to the front alone is the
 * program's. Called by supervise_run, never returns. When the server is killed, the front serves in its place.
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRONT_ASKED_MAX = 64 };

struct front {
    int link; /* -1: the server is gone, and this process serves */
    int signals, listener, program_fd;
    pid_t server, program;
    struct supervise_shared *shared;
    struct serve serve;
    struct signalfd_siginfo asked[FRONT_ASKED_MAX]; /* the server says soon whose they were; a ring */
    size_t first, count;
};

/* ---- the end ---- */

/* Of the same signal, but one core is enough; a core of ours would overwrite the program's. */
static _Noreturn void front_leave(int status)
{
    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    int number = WTERMSIG(status);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + number);
}

/* Nothing left behind: the server ends too, and waiting for it adds what it and the program used to our own times. */
static _Noreturn void front_end(struct front *front, const struct link_message *message)
{
    if (message->flag)
        while (waitpid(front->server, NULL, 0) < 0 && errno == EINTR)
            ;
    front_leave(message->value);
}

/* ---- stops ---- */

/* As the program stopped, so that the caller reads the same signal; a copy that waits here already would stop twice. */
static void front_stop(struct front *front, int number)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    __atomic_store_n(&front->shared->front_is_stopped, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&front->shared->stop_signal, __ATOMIC_SEQ_CST) != 0) {
        sigtimedwait(&one, NULL, &(struct timespec){0, 0});
        struct sigaction own = {.sa_handler = SIG_DFL}, before;
        sigaction(number, &own, &before);
        raise(number);
        sigprocmask(SIG_UNBLOCK, &one, NULL); /* here it stops */
        sigprocmask(SIG_BLOCK, &one, NULL);
        sigaction(number, &before, NULL);
    }
    __atomic_store_n(&front->shared->front_is_stopped, 0, __ATOMIC_SEQ_CST);
}

/* ---- signals ---- */

static void front_forward(const struct front *front, const struct signalfd_siginfo *info)
{
    siginfo_t queued;
    memset(&queued, 0, sizeof queued);
    queued.si_signo = (int)info->ssi_signo;
    queued.si_code = SI_QUEUE;
    queued.si_pid = (pid_t)info->ssi_pid;
    queued.si_uid = info->ssi_uid;
    queued.si_value.sival_ptr = (void *)(uintptr_t)info->ssi_ptr; // NOLINT(performance-no-int-to-ptr)
    pidfd_send_signal(front->program_fd, (int)info->ssi_signo, info->ssi_code == SI_QUEUE ? &queued : NULL, 0);
}

static void front_take_signal(struct front *front)
{
    struct signalfd_siginfo info;
    if (read(front->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    bool is_ours = info.ssi_signo == SIGCHLD || (info.ssi_signo == SIGCONT && info.ssi_pid == (uint32_t)front->server);
    if (is_ours)
        return;
    struct link_message question = {LINK_ASK, (int)info.ssi_signo, 0};
    if (front->link < 0 || front->count == FRONT_ASKED_MAX || !link_send(front->link, question, NULL, 0)) {
        front_forward(front, &info);
        return;
    }
    front->asked[(front->first + front->count++) % FRONT_ASKED_MAX] = info;
}

/* The answer to the oldest question. */
static void front_settle(struct front *front, bool was_for_all)
{
    if (front->count == 0)
        return;
    if (!was_for_all)
        front_forward(front, &front->asked[front->first]);
    front->first = (front->first + 1) % FRONT_ASKED_MAX;
    front->count--;
}

/* ---- in the server's place ---- */

static void front_take_over(struct front *front)
{
    close(front->link);
    front->link = -1;
    while (front->count > 0)
        front_settle(front, false);
    serve_open(&front->serve, front->listener, front->shared);
    serve_inherit(&front->serve);
}

/* The program is our child now. It is not stopped with: the rest of its tree needs us. */
static void front_reap(struct front *front)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == front->program)
            front_leave(status);
    /* Whoever took the program's end away from us (ptrace, say) did not say what it was. */
    if (pid < 0 && errno == ECHILD)
        _exit(EXIT_FAILURE);
}

static void front_take_message(struct front *front)
{
    struct link_message message;
    if (!link_receive(front->link, &message, NULL, 0))
        front_take_over(front);
    else if (message.kind == LINK_ENDED)
        front_end(front, &message);
    else if (message.kind == LINK_STOPPED)
        front_stop(front, message.value);
    else if (message.kind == LINK_SEEN)
        front_settle(front, message.flag != 0);
}

_Noreturn void front_run(int link, pid_t server, int listener, int program_fd, pid_t program,
                         struct supervise_shared *shared)
{
    sigset_t all;
    sigfillset(&all);
    struct front front = {.link = link,
                          .signals = link_raise(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK)),
                          .listener = listener,
                          .program_fd = program_fd,
                          .server = server,
                          .program = program,
                          .shared = shared};
    supervise_detach((const int[]){link, front.signals, listener, program_fd}, 4);
    struct pollfd fds[SUPERVISE_POLL_MAX];
    for (;;) {
        int timeout_ms = -1;
        size_t count = 0;
        if (front.link < 0) {
            front_reap(&front);
            count = serve_prepare(&front.serve, fds + 2, &timeout_ms);
        }
        fds[0] = (struct pollfd){.fd = front.signals, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = front.link, .events = POLLIN};
        if (poll(fds, 2 + count, timeout_ms) < 0)
            continue;
        if (fds[0].revents)
            front_take_signal(&front);
        if (front.link >= 0 && fds[1].revents)
            front_take_message(&front);
        else if (count > 0)
            serve_work(&front.serve, fds + 2, count);
    }
}
