/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's own connection to where a program wants to go, so that the program hears the truth about it before
 * the agent has its socket: a socket like the program's, and the question whether a signal waits for the program's
 * thread meanwhile. Called by serve.c; never waits, and changes nothing of the program's.
 *
 *   begin ── at once, or when the socket says so ──▶ refused, unreachable: the program's errno; connected: announced
 *     ├─ a program that does not want to wait, after REACH_HOLD_MS ──▶ announced, still connecting
 *     ├─ shut by another thread: ECONNABORTED
 *     └─ interrupted, or its own time is over ──▶ announced, still connecting, and the call is left; ours is parked for
 *        a while, for a call that comes again
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So long a program waits that did not want to, and one of Go, whose other goroutines go on meanwhile: longer than the
 * 300 ms after which it tries a name's other addresses (net.Dialer, FallbackDelay), since the first that looks
 * connected wins; so often we ask whether a signal wants the others; so long an interrupted call may take to come
 * again. */
enum { REACH_HOLD_MS = 50, REACH_HOLD_GO_MS = 400, REACH_ASK_MS = 50, REACH_PARK_MS = 2000 };
/* So many rows of `pendings` may wait for addresses that do not answer, or keep what was left: the others are for calls
 * that the agent answers within moments. */
enum { REACH_MAX = 192, REACH_PARKED_MAX = 32 };
_Static_assert(REACH_MAX + REACH_PARKED_MAX < SUPERVISE_NOTICES_MAX, "rows are left for whoever has an agent's answer");
/* The kernel's own: it calls the handler, and then EINTR or the call again (signal(7), SA_RESTART). */
enum { REACH_ERESTARTSYS = 512 };
/* UNFIT: no socket of ours can stand for the program's, or the program's cannot come to the agent. */
enum { REACH_UNFIT = -1, REACH_FOREVER_MS = 1 << 30 };

/* What decides where a connect leads, and for how long it is tried. */
static const struct reach_option {
    int level, name;
} reach_options[] = {{SOL_SOCKET, SO_MARK},
                     {IPPROTO_IP, IP_TOS},
                     {IPPROTO_IPV6, IPV6_TCLASS},
                     {IPPROTO_TCP, TCP_SYNCNT},
                     {IPPROTO_TCP, TCP_USER_TIMEOUT}};

union reach_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool reach_copy_options(int from, int to)
{
    for (size_t i = 0; i < sizeof reach_options / sizeof *reach_options; i++) {
        const struct reach_option *option = &reach_options[i];
        int value = socket_option(from, option->level, option->name);
        if (value > 0 && setsockopt(to, option->level, option->name, &value, sizeof value) != 0)
            return false;
    }
    return true;
}

/* The program's source address; not its port, which is taken. */
static bool reach_bind(int from, int to)
{
    union reach_address own;
    socklen_t size = sizeof own;
    int on = 1;
    memset(&own, 0, sizeof own);
    if (getsockname(from, &own.any, &size) != 0)
        return false;
    bool is_bound = own.any.sa_family == AF_INET6 ? !IN6_IS_ADDR_UNSPECIFIED(&own.v6.sin6_addr)
                                                  : own.v4.sin_addr.s_addr != htonl(INADDR_ANY);
    own.v4.sin_port = 0; /* in both families at the same place */
    return !is_bound ||
           (setsockopt(to, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 && bind(to, &own.any, size) == 0);
}

static int reach_connect(int fd, const struct destination *destination)
{
    union reach_address there;
    memset(&there, 0, sizeof there);
    there.any.sa_family = destination->family;
    there.v4.sin_port = htons(destination->port);
    socklen_t size = sizeof there.v4;
    if (destination->family == AF_INET) {
        memcpy(&there.v4.sin_addr, destination->original + 12, 4);
    } else {
        memcpy(&there.v6.sin6_addr, destination->original, 16);
        size = sizeof there.v6;
    }
    return connect(fd, &there.any, size) == 0 ? 0 : errno;
}

/*
 * Can the program's socket come to the agent, on the loopback device of our network? One that is bound to a device
 * cannot, and letting it go for a while would send a later connect another way than the program wanted.
 */
static bool reach_is_fit(const struct pending *pending)
{
    struct in6_addr original;
    memcpy(&original, pending->destination.original, sizeof original);
    bool is_mapped = IN6_IS_ADDR_V4MAPPED(&original);
    if (pending->destination.family == AF_INET6 &&
        ((is_mapped && socket_option(pending->fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0) ||
         !socket_can_be_mapped(socket_to_connect(pending))))
        return false;
    return socket_option(pending->fd, SOL_SOCKET, SO_BINDTOIFINDEX) <= 0;
}

/* Makes pending->upstream. 0: connected; EINPROGRESS: SO_ERROR is the outcome once it can be written to; another errno
 * is what the program's own connect would have come to. */
static int reach_start(struct pending *pending)
{
    if (!reach_is_fit(pending))
        return REACH_UNFIT;
    int fd = socket(pending->destination.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0)
        return REACH_UNFIT;
    int error = REACH_UNFIT;
    if (socket_network(fd) == socket_network(pending->fd) && reach_copy_options(pending->fd, fd) &&
        reach_bind(pending->fd, fd))
        error = reach_connect(fd, &pending->destination);
    if (error == 0 || error == EINPROGRESS)
        pending->upstream = fd;
    else
        close(fd);
    return error;
}

/* SO_SNDTIMEO; FOREVER: until the kernel gives up. */
static long long reach_patience_ms(int fd)
{
    struct timeval own = {0, 0};
    socklen_t size = sizeof own;
    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &own, &size);
    long long ms = own.tv_sec * 1000LL + (own.tv_usec + 999) / 1000;
    return ms > 0 ? ms : REACH_FOREVER_MS;
}

/* proc(5), /proc/PID/status */
struct reach_status {
    char state;
    int process;
    uint64_t own, shared, blocked, ignored; /* signals */
};

static struct reach_status reach_read_status(pid_t thread)
{
    char path[40], line[160];
    struct reach_status status = {0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "State: %c", &status.state);
        sscanf(line, "Tgid: %d", &status.process);
        sscanf(line, "SigPnd: %" SCNx64, &status.own);
        sscanf(line, "ShdPnd: %" SCNx64, &status.shared);
        sscanf(line, "SigBlk: %" SCNx64, &status.blocked);
        sscanf(line, "SigIgn: %" SCNx64, &status.ignored);
    }
    if (file)
        fclose(file);
    return status;
}

/*
 * A thread that waits for us can be killed, but hears of no other signal before it has our answer. Of those that came
 * to the whole process the kernel gives the first thread its share, unless it blocks them; another thread's share
 * cannot be seen from here. Nor can a stop of the whole process (^Z), which waits for every thread: but the first
 * thread, whose signal that was, has stopped by then.
 */
static bool reach_is_interrupted(pid_t thread)
{
    const struct reach_status status = reach_read_status(thread);
    bool is_first = status.process == thread;
    if ((status.own | (is_first ? status.shared : 0)) & ~status.blocked & ~status.ignored)
        return true;
    return !is_first && reach_read_status(status.process).state == 'T';
}

/* ---- the call ---- */

static size_t reach_count(const struct serve *serve, enum pending_state state)
{
    size_t count = 0;
    for (int i = 0; i < SUPERVISE_NOTICES_MAX; i++)
        count += serve->pendings[i].state == state;
    return count;
}

/* Ours is kept for a while: a handler that restarts the call (SA_RESTART), or a program that asks once more, waits for
 * the truth as it would have done. */
void reach_park(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    int error = standin_put(serve->listener, &serve->shared->notices[index].call, pending);
    if (error != 0)
        pending->leave_error = error;
    if (error != 0 || pending->upstream < 0 || reach_count(serve, PENDING_PARKED) >= REACH_PARKED_MAX) {
        serve_answer(serve, index, pending->leave_error, 0);
        return;
    }
    serve_send(serve, index, pending->leave_error, 0);
    close(pending->fd);
    pending->fd = -1;
    if (pending->standin >= 0)
        close(pending->standin);
    pending->standin = -1;
    pending->state = PENDING_PARKED;
    pending->deadline_ms = launch_now_ms() + REACH_PARK_MS;
    memset(&serve->shared->notices[index], 0, sizeof serve->shared->notices[index]);
}

/* The program leaves the call, not the connection: poll, or another connect, will ask what has come of it. So its
 * socket goes to the agent, with ours that is still under way. */
static void reach_leave(struct serve *serve, int index, int error)
{
    struct pending *pending = &serve->pendings[index];
    pending->leave_error = error;
    if (pending->is_handed)
        reach_park(serve, index);
    else
        serve_begin_announcing(serve, index);
}

static void reach_wait(struct pending *pending)
{
    long long now = launch_now_ms();
    pending->state = PENDING_REACHING;
    pending->deadline_ms = now + (pending->is_blocking ? reach_patience_ms(pending->fd) : REACH_HOLD_MS);
    pending->look_ms = now + REACH_ASK_MS;
}

static bool reach_is_go(pid_t process)
{
    struct text_block *mark = text_mark();
    bool is_go = elf_look(text_format("/proc/%d/exe", (int)process)).is_go;
    text_release(mark);
    return is_go;
}

/* A program that did not want to wait, and has waited. */
static void reach_hurry(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    if (!pending->is_held && reach_is_go(pending->pid)) {
        pending->is_held = true;
        pending->deadline_ms += REACH_HOLD_GO_MS - REACH_HOLD_MS;
    } else {
        serve_begin_announcing(serve, index);
    }
}

bool reach_resume(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    for (int i = 0; i < SUPERVISE_NOTICES_MAX; i++) {
        struct pending *parked = &serve->pendings[i];
        if (parked->state != PENDING_PARKED || parked->cookie != pending->cookie)
            continue;
        pending->upstream = parked->upstream;
        parked->upstream = -1;
        serve_finish(serve, i);
        pending->is_handed = true;
        reach_wait(pending);
        return true;
    }
    return false;
}

void reach_begin(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    if (announce_find(&serve->announce) == ANNOUNCE_NOBODY || reach_count(serve, PENDING_REACHING) >= REACH_MAX) {
        serve_go_on(serve, index);
        return;
    }
    int error = reach_start(pending);
    if (error == EINPROGRESS)
        reach_wait(pending);
    else if (error == REACH_UNFIT)
        serve_go_on(serve, index);
    else if (error != 0)
        serve_answer(serve, index, error, 0);
    else
        serve_begin_announcing(serve, index);
}

/* The agent has a handed socket, too, and may have asked first: then its error is gone. */
static int reach_find_error(int upstream)
{
    int error = socket_option(upstream, SOL_SOCKET, SO_ERROR);
    return error == 0 && socket_tcp_state(upstream) == TCP_CLOSE ? ECONNREFUSED : error;
}

void reach_end(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    int error = reach_find_error(pending->upstream);
    if (!serve_is_waiting(serve, index)) {
        serve_finish(serve, index);
    } else if (error != 0) {
        if (pending->is_handed)
            socket_forget(pending->fd);
        serve_answer(serve, index, error, 0);
    } else if (pending->is_handed) {
        pending->is_second_hand = true;
        serve_repeat(serve, index);
    } else {
        serve_begin_announcing(serve, index);
    }
}

/* Another thread has shut the socket, which ends a connect that waits. */
static void reach_abort(struct serve *serve, int index)
{
    socket_forget(serve->pendings[index].fd);
    serve_answer(serve, index, ECONNABORTED, 0);
}

void reach_check(struct serve *serve, int index, long long now_ms)
{
    struct pending *pending = &serve->pendings[index];
    bool is_late = pending->deadline_ms <= now_ms;
    if (!is_late && (!pending->is_blocking || pending->look_ms > now_ms))
        return;
    pending->look_ms = now_ms + REACH_ASK_MS;
    if (!serve_is_waiting(serve, index))
        serve_finish(serve, index);
    else if (is_late && !pending->is_blocking && !pending->is_handed)
        reach_hurry(serve, index);
    else if (is_late)
        reach_leave(serve, index, pending->is_blocking ? EINPROGRESS : EALREADY);
    else if (!pending->is_handed && socket_is_shut(pending->fd))
        reach_abort(serve, index);
    else if (reach_is_interrupted((pid_t)serve->shared->notices[index].call.pid))
        reach_leave(serve, index, REACH_ERESTARTSYS);
}
