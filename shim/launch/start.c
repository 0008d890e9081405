/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts an environment's agent: once, however many `tollgate run`s find none at the same moment, detached from the
 * terminal and from everything the caller has open. A go-between process waits for "ready" or for the agent's end,
 * so that the agent is never a child of the program that `run` becomes.
 *
 *   tollgate ── fork ──> go-between (setsid) ── fork ──> tollgated
 *      └─ waits for its exit code      └─ waits for "ready\n" on a pipe, then leaves
 */
#include "shim/launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define START_WAIT_MS      30000 /* for an agent that somebody else starts */
#define START_READY_MS     60000 /* for ours: recovery of a large ledger takes its time */
#define START_OUTPUT_BYTES 65536
#define START_FIRST_FD     3
#define START_ASIDE_FD     (START_FIRST_FD + TOLLGATE_HANDED_MAX + 1)
#define START_PROGRAM_FD   16
#define START_END_MS       15000 /* of an agent that was told twice */
#define START_WAIT_LOCK_MS 10000

static void start_sleep_ms(long milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

static const char *start_output_path(const struct launch_place *place)
{
    return text_format("%s/start-%d.err", place->state, (int)getpid());
}

/* From START_FIRST_FD on: the estate's sockets, as sd_listen_fds(3) wants them, then the pipe for "ready". All are
 * moved out of the way first: each may stand where another belongs. */
static void start_arrange(const struct launch_estate *estate, int ready_fd)
{
    int moved[TOLLGATE_HANDED_MAX + 1];
    size_t count = estate ? estate->count : 0;
    for (size_t i = 0; i <= count; i++)
        moved[i] = fcntl(i < count ? estate->descriptors[i] : ready_fd, F_DUPFD_CLOEXEC, START_ASIDE_FD);
    for (size_t i = 0; i <= count; i++)
        dup2(moved[i], START_FIRST_FD + (int)i);
    close_range(START_FIRST_FD + (unsigned)count + 1, START_PROGRAM_FD - 1, 0);
    close_range(START_PROGRAM_FD, ~0u, CLOSE_RANGE_CLOEXEC);
}

/* In the agent-to-be. Dispositions and mask are the caller's, e.g. nohup's: the agent starts with the defaults. */
static void start_detach(const struct launch_place *place, const struct launch_estate *estate, int ready_fd,
                         int output_fd)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(output_fd, STDOUT_FILENO);
    dup2(output_fd, STDERR_FILENO);
    start_arrange(estate, ready_fd);
    umask(077);
    if (chdir("/") != 0)
        fprintf(stderr, "tollgate: chdir to / for the agent of %s: %s\n", place->environment, strerror(errno));
}

/* ready_fd: -1: none, and the log is standard error. */
static char **start_arguments(const struct launch_place *place, const struct launch_agent *agent, const char *program,
                              int ready_fd)
{
    const char *pairs[][2] = {
        {"--environment", place->environment},
        {"--policy", agent->policy},
        {"--state", place->state},
        {"--runtime", place->runtime},
        {"--providers", agent->providers},
        {"--prices", agent->prices},
        {"--log", ready_fd >= 0 ? text_format("%s/agent.log", place->state) : NULL},
        {"--log-level", agent->log_level},
        {"--ready-fd", ready_fd >= 0 ? text_format("%d", ready_fd) : NULL},
    };
    struct text_list list = {0};
    text_append(&list, program);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!pairs[i][1])
            continue;
        text_append(&list, pairs[i][0]);
        text_append(&list, pairs[i][1]);
    }
    char **arguments = text_allocate((list.count + 1) * sizeof *arguments);
    for (size_t i = 0; i < list.count; i++)
        arguments[i] = text_format("%s", list.items[i]);
    return arguments;
}

/* True once the agent wrote its line; false when it ended or closed the pipe, or when time was up. */
static bool start_wait_ready(int fd)
{
    char line[16] = "";
    size_t used = 0;
    long long deadline = launch_now_ms() + START_READY_MS;
    while (used < sizeof line - 1) {
        long long left = deadline - launch_now_ms();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (left <= 0 || (poll(&wait, 1, (int)left) < 0 && errno != EINTR))
            return false;
        if (!(wait.revents & (POLLIN | POLLHUP)))
            continue;
        ssize_t got = read(fd, line + used, 1);
        if (got <= 0)
            return false;
        used++;
        if (strcmp(line, "ready\n") == 0)
            return true;
    }
    return false;
}

/* An agent that is not ready and does not end by itself is ended: half an agent helps nobody. */
static int start_reap(pid_t agent)
{
    int status = 0;
    for (int waited = 0; waitpid(agent, &status, WNOHANG) == 0; waited++) {
        if (waited == 200)
            kill(agent, SIGTERM);
        if (waited == 600)
            kill(agent, SIGKILL);
        start_sleep_ms(10);
    }
    if (WIFEXITED(status))
        return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EX_SOFTWARE;
    fprintf(stderr, "tollgate: the agent was ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return EX_SOFTWARE;
}

/* What is to be started. */
struct start_order {
    const struct launch_place *place;
    char **arguments, **environment;
    const struct launch_estate *estate; /* NULL: no agent ran before */
};

/* In the agent-to-be: LISTEN_PID is its own. */
static char **start_name_sockets(const struct launch_estate *estate, char **environment)
{
    size_t count = 0;
    struct text_list names = {0};
    while (environment[count])
        count++;
    char **all = text_allocate((count + 4) * sizeof *all);
    memcpy(all, environment, count * sizeof *all);
    for (size_t i = 0; i < estate->count; i++)
        text_append(&names, estate->names[i]);
    all[count] = text_format("LISTEN_FDS=%zu", estate->count);
    all[count + 1] = text_format("LISTEN_PID=%d", (int)getpid());
    all[count + 2] = text_format("LISTEN_FDNAMES=%s", text_join(&names, ":"));
    return all;
}

/* program: an executable that is open; -1: what the arguments name. */
static int start_agent(const struct start_order *order, int program, int output_fd)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0)
        return EX_OSERR;
    pid_t agent = fork();
    if (agent < 0)
        return EX_OSERR;
    if (agent == 0) {
        char **environment = order->estate ? start_name_sockets(order->estate, order->environment) : order->environment;
        if (program >= 0) /* kept where nothing else comes; the agent has no use for it */
            program = fcntl(program, F_DUPFD_CLOEXEC, START_PROGRAM_FD);
        start_detach(order->place, order->estate, ready[1], output_fd);
        if (program >= 0)
            fexecve(program, order->arguments, environment);
        else
            execve(order->arguments[0], order->arguments, environment);
        fprintf(stderr, "tollgate: cannot execute %s: %s\n", order->arguments[0], strerror(errno));
        _exit(EX_UNAVAILABLE);
    }
    close(ready[1]);
    int code = start_wait_ready(ready[0]) ? EX_OK : start_reap(agent);
    close(ready[0]);
    return code;
}

/* The agent before may still be ending its calls: it owns the ledger until it has gone. */
static void start_wait_end(const struct launch_estate *estate)
{
    struct pollfd wait = {.fd = estate->process, .events = POLLIN};
    if (estate->process < 0 || poll(&wait, 1, (int)estate->wait_ms) > 0)
        return;
    fprintf(stderr, "tollgate: the agent before (pid %d) takes too long: its last calls are ended now\n", estate->pid);
    syscall(SYS_pidfd_send_signal, estate->process, SIGTERM, NULL, 0);
    poll(&wait, 1, START_END_MS);
}

/* The go-between. Its own words go to the same file as the agent's. */
static _Noreturn void start_go_between(const struct start_order *order, int output_fd)
{
    setsid();
    signal(SIGCHLD, SIG_DFL);
    dup2(output_fd, STDERR_FILENO);
    if (order->estate)
        start_wait_end(order->estate);
    int code = start_agent(order, -1, output_fd);
    if (code != EX_OK && order->estate && order->estate->program >= 0) {
        bool is_back = start_agent(order, order->estate->program, output_fd) == EX_OK;
        fprintf(stderr, "tollgate: the program of the agent before %s\n",
                is_back ? "was started again, and serves" : "does not start either: nothing serves now");
    }
    _exit(code);
}

static void start_show_output(const char *path)
{
    char bytes[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t total = 0;
    ssize_t got;
    while (fd >= 0 && total < START_OUTPUT_BYTES && (got = read(fd, bytes, sizeof bytes)) > 0) {
        fwrite(bytes, 1, (size_t)got, stderr);
        total += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
}

static const char *start_words_path(const struct launch_place *place)
{
    return text_format("%s/agent.stderr", place->state);
}

void agent_show_words(const struct launch_place *place)
{
    start_show_output(start_words_path(place));
}

/* SIGCHLD may be ignored by whoever started us; then there is nothing to wait for. Put back for the exec to come. */
static int start_wait_go_between(pid_t go_between)
{
    int status = 0;
    while (waitpid(go_between, &status, 0) < 0)
        if (errno != EINTR)
            return EX_OSERR;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

/* On a full disk its words have gone nowhere. */
static void start_say_room(const char *state)
{
    struct statvfs room;
    if (statvfs(state, &room) != 0)
        return;
    const unsigned long long free_mib = (unsigned long long)room.f_bavail * room.f_frsize >> 20;
    if (free_mib < TOLLGATE_STATE_ROOM_MIB)
        text_complain("%s: %llu MiB are free, an agent needs %d to start", state, free_mib, TOLLGATE_STATE_ROOM_MIB);
}

/* Where the agent, and the go-between, say what is in the way. */
static int start_open_output(const struct launch_place *place, int *ret_fd)
{
    const char *output = start_output_path(place);
    int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        text_complain("%s: %s", output, strerror(errno));
        return EX_CANTCREAT;
    }
    *ret_fd = fd;
    return EX_OK;
}

static void start_drop_output(const struct launch_place *place, int fd)
{
    close(fd);
    unlink(start_output_path(place));
}

/* One attempt; closes the output. The agent's later words (a panic, a sanitizer's report) stay readable in
 * STATE/agent.stderr. */
static int start_once(const struct start_order *order, int output_fd)
{
    const struct launch_place *place = order->place;
    const char *output = start_output_path(place);
    fflush(NULL);
    struct sigaction own = {.sa_handler = SIG_DFL}, before;
    sigaction(SIGCHLD, &own, &before);
    pid_t go_between = fork();
    if (go_between == 0)
        start_go_between(order, output_fd);
    int code = go_between > 0 ? start_wait_go_between(go_between) : EX_OSERR;
    sigaction(SIGCHLD, &before, NULL);
    if (code == EX_OK) {
        close(output_fd);
        rename(output, start_words_path(place));
        return EX_OK;
    }
    if (code != EX_TEMPFAIL || order->estate) { /* a start alone tries again, or finds the other one */
        start_show_output(output);
        start_say_room(place->state);
        text_complain("the agent of %s did not start (exit code %d)", place->environment, code);
    }
    start_drop_output(place, output_fd);
    return code;
}

static bool start_is_answered(const struct launch_place *place, int *ret_error)
{
    int fd = agent_connect(place, TOLLGATE_FILE_REPORT);
    if (fd < 0) {
        *ret_error = -fd;
        return false;
    }
    close(fd);
    return true;
}

static bool start_is_hopeless(int error)
{
    return error != ENOENT && error != ECONNREFUSED && error != EAGAIN;
}

/* Only the holder of the lock starts an agent; the others watch the socket. */
static int start_try(const struct launch_place *place, int lock, const struct start_order *order, bool *is_ours)
{
    int error, code = EX_TEMPFAIL;
    if (flock(lock, LOCK_EX | LOCK_NB) != 0)
        return EX_TEMPFAIL;
    if (start_is_answered(place, &error)) {
        code = EX_OK;
    } else {
        int output_fd;
        code = start_open_output(place, &output_fd);
        code = code == EX_OK ? start_once(order, output_fd) : code;
        *is_ours = code == EX_OK;
    }
    flock(lock, LOCK_UN);
    return code;
}

static int start_loop(const struct launch_place *place, int lock, const struct start_order *order, bool *is_ours)
{
    long long deadline = launch_now_ms() + START_WAIT_MS;
    long pause_ms = 5;
    do {
        int error;
        if (start_is_answered(place, &error))
            return EX_OK;
        if (start_is_hopeless(error)) {
            text_complain("%s: %s", place_file(place, TOLLGATE_FILE_REPORT), strerror(error));
            return error == EACCES || error == EPERM ? EX_NOPERM : EX_OSERR;
        }
        if (place_complain_elsewhere(place))
            return EX_TEMPFAIL;
        struct launch_owner owner;
        int code = place_is_owned(place, &owner) ? EX_TEMPFAIL : start_try(place, lock, order, is_ours);
        if (code != EX_TEMPFAIL)
            return code;
        start_sleep_ms(pause_ms);
        pause_ms = pause_ms < 50 ? pause_ms * 2 : 100;
    } while (launch_now_ms() < deadline);
    place_complain_silence(place);
    return EX_TEMPFAIL;
}

static int start_prepare(const struct launch_place *place, const char **ret_program)
{
    *ret_program = locate_agent();
    if (*ret_program)
        return place_prepare(place);
    text_complain("tollgated is neither beside %s nor in PATH", locate_program());
    return EX_UNAVAILABLE;
}

int agent_become(const struct launch_place *place, const struct launch_agent *agent)
{
    const char *program;
    int code = start_prepare(place, &program);
    if (code != EX_OK)
        return code;
    fflush(NULL);
    execve(program, start_arguments(place, agent, program, -1), scrub_environment_of_service(place));
    text_complain("cannot execute %s: %s", program, strerror(errno));
    return EX_UNAVAILABLE;
}

static int start_open_lock(const struct launch_place *place, int *ret_lock)
{
    const char *path = text_format("%s/start.lock", place->state);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) {
        text_complain("%s: %s", path, strerror(errno));
        return errno == EACCES ? EX_NOPERM : EX_CANTCREAT;
    }
    *ret_lock = lock;
    return EX_OK;
}

int agent_start(const struct launch_place *place, const struct launch_agent *agent, bool *ret_started)
{
    const char *program;
    int code = start_prepare(place, &program);
    if (code != EX_OK)
        return code;
    int lock;
    code = start_open_lock(place, &lock);
    if (code != EX_OK)
        return code;
    bool is_ours = false;
    const struct start_order order = {place, start_arguments(place, agent, program, START_FIRST_FD),
                                      scrub_environment(place), NULL};
    code = start_loop(place, lock, &order, &is_ours);
    close(lock);
    if (code == EX_OK && ret_started)
        *ret_started = is_ours;
    return code;
}

/* No start may come between: it would find nobody on the sockets, and a ledger that is free. */
static bool start_wait_lock(int lock)
{
    for (long long deadline = launch_now_ms() + START_WAIT_LOCK_MS; flock(lock, LOCK_EX | LOCK_NB) != 0;) {
        if (launch_now_ms() > deadline)
            return false;
        start_sleep_ms(20);
    }
    return true;
}

int agent_take_over(const struct launch_place *place, const struct launch_agent *agent,
                    int (*take)(void *context, struct launch_estate *ret_estate), void *context)
{
    const char *program;
    struct launch_estate estate = {.program = -1, .process = -1};
    int lock, output_fd, code = start_prepare(place, &program);
    if (code == EX_OK)
        code = start_open_lock(place, &lock);
    if (code == EX_OK) /* what cannot be opened is found out while nothing has happened */
        code = start_open_output(place, &output_fd);
    if (code != EX_OK)
        return code;
    /* Whoever asks for this may not leave before somebody else holds the sockets. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    if (!start_wait_lock(lock)) {
        text_complain("another agent of %s is being started", place->environment);
        code = EX_TEMPFAIL;
    }
    code = code == EX_OK ? take(context, &estate) : code;
    const struct start_order order = {place, start_arguments(place, agent, program, START_FIRST_FD + (int)estate.count),
                                      scrub_environment(place), &estate};
    if (code == EX_OK)
        code = start_once(&order, output_fd);
    else
        start_drop_output(place, output_fd);
    for (size_t i = 0; i < estate.count; i++)
        close(estate.descriptors[i]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(lock);
    return code;
}
