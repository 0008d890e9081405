/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program that no preload reaches (static, Go) under a supervisor, by seccomp user notification. Called by run,
 * and by main when an exec hook put this program in another's place.
 *
 *   caller ── waits for ──▶ front ──▶ server ──▶ program ──▶ its children
 *              (this process)  │        ╎
 *                              └─ link ─┘   both hold the filter's listener
 *
 * Why three: the kernel (Yama) lets only an ancestor read a program's memory and borrow its descriptors, so whoever
 * serves must stand above the program; it must outlive daemons that the program leaves behind, so it cannot be the
 * process that the caller waits for. The front has the caller's process id. It relays the program's end and stops up,
 * and signals down (front.c), and is gone when the program is. The server is child subreaper: what the program leaves
 * behind stays below it, it reaps them, and ends with the last. When the server is killed, the front, subreaper as
 * well, inherits the program, and with the listener it goes on serving, calls included that were half done. When the
 * front is killed, so is the program, as if it had been at that process id itself; what it left is still served. With
 * both gone no connect succeeds any more (ENOSYS, from the kernel).
 *
 * All three share the caller's process group, session and terminal, so that ^C, ^Z and foreground are as they would
 * be without us. Both supervising processes block every signal; only SIGKILL ends them before their time. What differs
 * for the program: its parent and its orphans' parent is the server, it leads no group or session that its caller made
 * it lead, no_new_privs is set (setuid programs gain nothing), and TOLLGATE_SUPERVISED.
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SUPERVISE_RETRY_MS = 20, SUPERVISE_LOOK_MS = 500, SUPERVISE_FILES = 1024, SUPERVISE_TRY_MS = 5000 };

/* What the program must find as the caller left it. */
struct origin {
    sigset_t mask;
    struct sigaction on_child;
    int is_subreaper;
};

/* ---- the program ---- */

/*
 * A service manager says by number for whom its sockets are, and whom it watches (sd_listen_fds(3),
 * sd_watchdog_enabled(3)); the program's number is another one than it knew. LISTEN_PIDFDID says the same of sockets a
 * second way, and may be left out.
 */
static void program_adopt_service(pid_t caller)
{
    static const char *const names[] = {"LISTEN_PID", "WATCHDOG_PID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (!value || atol(value) != (long)caller)
            continue;
        setenv(names[i], text_format("%d", (int)getpid()), 1);
        if (i == 0)
            unsetenv("LISTEN_PIDFDID");
    }
}

/* Installs the filter, hands its listener to the server, and waits for the word to go on. */
static void program_enter_filter(int gift)
{
    int listener = -1;
    int error = filter_install(&listener);
    if (error) {
        link_send(gift, (struct link_message){LINK_FAILED, error, 0}, NULL, 0);
        _exit(EXIT_FAILURE);
    }
    struct link_message start;
    if (!link_send(gift, (struct link_message){LINK_STARTED, gift, 0}, &listener, 1) ||
        !link_receive(gift, &start, NULL, 0))
        _exit(EXIT_FAILURE);
    close(listener);
}

static _Noreturn void program_run(const struct supervise_program *program, const struct origin *origin,
                                  const int gifts[2], pid_t caller)
{
    close(gifts[0]); /* the server's: when it goes, we must hear so */
    program_adopt_service(caller);
    setenv(TOLLGATE_ENV_SUPERVISED, text_format("%d", (int)getppid()), 1);
    prctl(PR_SET_CHILD_SUBREAPER, origin->is_subreaper, 0, 0, 0);
    sigaction(SIGCHLD, &origin->on_child, NULL);
    program_enter_filter(gifts[1]);
    sigprocmask(SIG_SETMASK, &origin->mask, NULL);
    _exit(supervise_execute(program));
}

int supervise_execute(const struct supervise_program *program)
{
    extern char **environ;
    if (program->fd >= 0)
        fexecve(program->fd, program->arguments, environ);
    else
        execvp(program->path, program->arguments);
    int error = errno;
    text_complain("%s: %s", program->path, strerror(error));
    return error == ENOENT ? 127 : 126;
}

/* ---- the server ---- */

struct server {
    int link; /* -1: the front is gone */
    int signals, program_fd;
    pid_t front, program; /* 0: it has ended */
    bool has_stopped;     /* the program, by us */
    long long look_ms;    /* when the front is to be looked at */
    struct supervise_shared *shared;
    struct serve serve;
};

static void server_tell(struct server *server, enum link_kind kind, int value, int flag)
{
    if (server->link >= 0)
        link_send(server->link, (struct link_message){kind, value, flag}, NULL, 0);
}

/* The front left or was killed. What lived at its process id must not go on without it. */
static void server_lose_front(struct server *server)
{
    close(server->link);
    server->link = -1;
    if (server->program > 0)
        kill(server->program, SIGKILL);
    setsid(); /* neither the terminal nor the job is ours any more */
}

static void server_note_program(struct server *server, int status)
{
    if (WIFSTOPPED(status) && server->has_stopped)
        return; /* the front needs no telling: it was first */
    if (WIFSTOPPED(status)) {
        __atomic_store_n(&server->shared->stop_signal, WSTOPSIG(status), __ATOMIC_SEQ_CST);
        server_tell(server, LINK_STOPPED, WSTOPSIG(status), 0);
    } else {
        server->has_stopped = false;
        __atomic_store_n(&server->shared->stop_signal, 0, __ATOMIC_SEQ_CST);
    }
}

/* proc(5): "PID (NAME) STATE …", and a name may hold anything. */
static bool server_finds_front_stopped(const struct server *server)
{
    char path[40], line[100] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)server->front);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const char *end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    return end && strncmp(end, ") T", 3) == 0;
}

/*
 * SIGSTOP cannot be caught, and tells nobody but the front's parent: whoever stopped the front with it meant the
 * program. Seen within SUPERVISE_LOOK_MS; a front that stopped itself for the program's sake is another matter.
 */
static void server_follow_front(struct server *server)
{
    long long now = launch_now_ms();
    if (server->link < 0 || server->program <= 0 || now < server->look_ms)
        return;
    server->look_ms = now + SUPERVISE_LOOK_MS;
    bool is_stopped = server_finds_front_stopped(server);
    bool is_own = __atomic_load_n(&server->shared->front_is_stopped, __ATOMIC_SEQ_CST);
    if (is_stopped && !is_own && !server->has_stopped) {
        server->has_stopped = true;
        kill(server->program, SIGSTOP);
    } else if (!is_stopped && server->has_stopped) {
        kill(server->program, SIGCONT);
    }
}

/* False: nothing of the tree is left. */
static bool server_reap(struct server *server)
{
    int status, final = 0;
    bool has_ended = false;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
        if (pid != server->program)
            continue;
        server_note_program(server, status);
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            has_ended = true;
            final = status;
            server->program = 0;
        }
    }
    bool is_last = pid < 0 && errno == ECHILD;
    if (has_ended)
        server_tell(server, LINK_ENDED, final, is_last);
    return !is_last;
}

/*
 * The front asks whether a signal that it got came to the whole process group: then it came here, too, and waits
 * blocked (kill(2) serves the newest members of a group first), and to the program as well.
 */
static void server_answer_front(struct server *server)
{
    struct link_message message;
    if (!link_receive(server->link, &message, NULL, 0)) {
        server_lose_front(server);
        return;
    }
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, message.value);
    bool was_seen = sigtimedwait(&one, NULL, &(struct timespec){0, 0}) > 0;
    server_tell(server, LINK_SEEN, message.value, was_seen);
}

/* A front that read "stopped" late has stopped itself after the program went on: it is woken until it noticed. */
static bool server_wake_front(const struct server *server)
{
    bool is_needed = server->link >= 0 && __atomic_load_n(&server->shared->front_is_stopped, __ATOMIC_SEQ_CST) &&
                     !__atomic_load_n(&server->shared->stop_signal, __ATOMIC_SEQ_CST);
    if (is_needed)
        kill(server->front, SIGCONT);
    return is_needed;
}

/* Nothing is left but the front, and it may be on its way into a stop. */
static _Noreturn void server_end(const struct server *server)
{
    while (server_wake_front(server) && kill(server->front, 0) == 0)
        poll(NULL, 0, SUPERVISE_RETRY_MS);
    _exit(EXIT_SUCCESS);
}

static _Noreturn void server_loop(struct server *server)
{
    struct pollfd fds[SUPERVISE_POLL_MAX];
    bool is_last = !server_reap(server);
    while (!is_last) {
        int timeout_ms = server->link >= 0 ? SUPERVISE_LOOK_MS : -1;
        if (server_wake_front(server))
            timeout_ms = SUPERVISE_RETRY_MS;
        fds[0] = (struct pollfd){.fd = server->signals, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = server->link, .events = POLLIN};
        size_t count = serve_prepare(&server->serve, fds + 2, &timeout_ms);
        if (poll(fds, 2 + count, timeout_ms) < 0)
            continue;
        struct signalfd_siginfo ignored;
        if (fds[0].revents && read(server->signals, &ignored, sizeof ignored) < 0)
            continue;
        if (fds[1].revents)
            server_answer_front(server); /* which may take a SIGCHLD away from us */
        serve_work(&server->serve, fds + 2, count);
        server_follow_front(server);
        is_last = (fds[0].revents || fds[1].revents) && !server_reap(server);
    }
    server_end(server);
}

/* Sockets that we copy count against our own limit, not the program's. */
static void server_make_room(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < SUPERVISE_FILES) {
        files.rlim_cur = files.rlim_max < SUPERVISE_FILES ? files.rlim_max : SUPERVISE_FILES;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Takes the listener; and tries, before the program runs, what a sandbox around us may forbid. */
static struct link_message server_meet_program(struct server *server, int gift, int *ret_listener)
{
    struct link_message message;
    server->program_fd = link_raise(pidfd_open(server->program, 0));
    if (server->program_fd < 0)
        return (struct link_message){LINK_FAILED, errno, 0};
    if (!link_receive(gift, &message, ret_listener, 1))
        return (struct link_message){LINK_FAILED, ECHILD, 0};
    if (message.kind != LINK_STARTED)
        return message;
    if (*ret_listener < 0)
        return (struct link_message){LINK_FAILED, EMFILE, 0};
    int copy = pidfd_getfd(server->program_fd, message.value, 0);
    if (copy < 0)
        return (struct link_message){LINK_FAILED, errno, 0};
    close(copy);
    return (struct link_message){LINK_STARTED, (int)server->program, 0};
}

/* Nothing of us remains: whoever goes on without a supervisor must find neither a process nor a child of ours. */
static _Noreturn void server_give_up(const struct server *server)
{
    if (server->program > 0) {
        kill(server->program, SIGKILL);
        waitpid(server->program, NULL, 0);
    }
    _exit(EXIT_FAILURE);
}

static _Noreturn void server_run(const struct supervise_program *program, const struct origin *origin, int link,
                                 struct supervise_shared *shared)
{
    int gift[2] = {-1, -1}, listener = -1;
    struct server server = {.link = link, .front = getppid(), .shared = shared};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_NAME, "tollgate-serve", 0, 0, 0);
    server.signals = link_raise(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    if (server.signals >= 0 && link_open(gift) && (server.program = fork()) == 0)
        program_run(program, origin, gift, server.front);
    close(gift[1]);
    struct link_message message = server.program > 0 ? server_meet_program(&server, gift[0], &listener)
                                                     : (struct link_message){LINK_FAILED, errno, 0};
    int given[2] = {listener, server.program_fd};
    link_send(link, message, given, message.kind == LINK_STARTED ? 2 : 0);
    if (message.kind != LINK_STARTED)
        server_give_up(&server);
    link_send(gift[0], message, NULL, 0);
    close(gift[0]);
    close(server.program_fd);
    server_make_room();
    supervise_detach((const int[]){link, listener, server.signals}, 3);
    serve_open(&server.serve, listener, shared);
    server_loop(&server);
}

/* ---- start ---- */

static void origin_save(struct origin *origin)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &origin->mask);
    struct sigaction own = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &own, &origin->on_child); /* ignored, it would reap for us */
    prctl(PR_GET_CHILD_SUBREAPER, &origin->is_subreaper, 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void origin_restore(const struct origin *origin)
{
    prctl(PR_SET_CHILD_SUBREAPER, origin->is_subreaper, 0, 0, 0);
    sigaction(SIGCHLD, &origin->on_child, NULL);
    sigprocmask(SIG_SETMASK, &origin->mask, NULL);
}

int supervise_run(const struct supervise_program *program)
{
    struct origin origin;
    struct link_message message = {LINK_FAILED, ENOMEM, 0};
    int ends[2], given[2] = {-1, -1};
    void *memory =
        mmap(NULL, sizeof(struct supervise_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || !link_open(ends))
        return errno;
    fflush(NULL);
    origin_save(&origin);
    pid_t server = fork();
    if (server == 0) {
        close(ends[0]);
        server_run(program, &origin, ends[1], memory);
    }
    close(ends[1]);
    if (server > 0 && !link_receive(ends[0], &message, given, 2))
        message = (struct link_message){LINK_FAILED, ECHILD, 0};
    if (message.kind == LINK_STARTED)
        front_run(ends[0], server, given[0], given[1], (pid_t)message.value, memory);
    close(ends[0]);
    munmap(memory, sizeof(struct supervise_shared));
    while (server > 0 && waitpid(server, NULL, 0) < 0 && errno == EINTR)
        ;
    origin_restore(&origin);
    return message.value;
}

int supervise_try(void)
{
    int gift[2], listener = -1;
    struct server server = {.program_fd = -1};
    struct link_message message = {LINK_FAILED, ENOMEM, 0};
    if (!link_open(gift))
        return ENOMEM;
    fflush(NULL);
    server.program = fork();
    if (server.program == 0) {
        close(gift[0]);
        program_enter_filter(gift[1]);
        _exit(EXIT_SUCCESS);
    }
    close(gift[1]);
    if (server.program > 0 && poll(&(struct pollfd){.fd = gift[0], .events = POLLIN}, 1, SUPERVISE_TRY_MS) == 1)
        message = server_meet_program(&server, gift[0], &listener);
    else if (server.program > 0)
        message.value = ETIMEDOUT;
    if (listener >= 0)
        close(listener);
    if (server.program_fd >= 0)
        close(server.program_fd);
    close(gift[0]);
    if (server.program > 0)
        kill(server.program, SIGKILL);
    while (server.program > 0 && waitpid(server.program, NULL, 0) < 0 && errno == EINTR)
        ;
    return message.kind == LINK_STARTED ? 0 : message.value;
}

const char *supervise_explain(int error)
{
    switch (error) {
    case EBUSY:
        return "another program's seccomp supervisor is above it already";
    case EPERM:
        return "this sandbox forbids a supervisor (seccomp, pidfd_getfd)";
    case EINVAL:
    case ENOSYS:
        return "this kernel is older than 5.19 or has no seccomp user notification";
    case ECHILD:
        return "this sandbox ends a program that asks for a supervisor";
    default:
        return strerror(error);
    }
}
