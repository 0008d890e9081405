/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to the calls that the filter stops. A call for a governed port is announced to the agent, and then the
 * program's own socket (a copy of its descriptor) is connected to the agent: replacing the socket would lose its
 * options and its epoll registrations. Everything else goes on in the kernel as if nobody had looked. One loop, no
 * thread: whoever waits for the agent, for a full backlog or for an address that does not answer is a row of
 * `pendings`, so no program's thread delays another's.
 *
 *   stopped call ── elsewhere ────────────────────────────────────────────▶ the kernel goes on
 *        ├─ a provider's ───────────────────┐
 *        └─ any other ── reached by us ── announced ── acknowledged ── our connect ──▶ its result
 *              │               │              │  (no room: again, soon; another agent takes over: again, until it has)
 *              │               │              ├─ refused: a provider's address that errno, any other goes on
 *              │               │              └─ no agent: a provider's address ECONNREFUSED, any other goes on
 *              │               └─ refused, unreachable, timed out ──▶ that errno
 *              └─ no socket of ours can stand for it, or too many wait already: goes on
 *
 * An address that nobody knows is called by a socket of ours first, so that the program hears of it what it would have
 * heard without us; the agent gets that socket, and passes the connection on to it or closes it. A program that does
 * not want to wait is held for REACH_HOLD_MS, then its connect goes on while ours is still open: if that fails, its
 * connection is reset.
 *
 * MPTCP sockets do not come to the agent: the kernel names the owner of a plain one alone. To a provider's address they
 * are EPROTONOSUPPORT, what a kernel without MPTCP says of them.
 *
 * A call for a provider's address is never let go on in the kernel, which would read the address again from memory that
 * the program's other threads may write. TCP Fast Open to governed ports is EOPNOTSUPP, what tcp(7) says of kernels
 * that have it switched off: a connect before a send that goes on would turn that into EISCONN.
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP /* Linux 6.6: the waking side hands its core over */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1ul << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#endif

/* AGENT: for an answer, also of an agent that has just been started and not come to it yet; an address of anybody's is
 * not kept that long. */
enum { SERVE_AGENT_MS = 10000, SERVE_AGENT_ANY_MS = 2000, SERVE_CONNECT_MS = 10000 };
enum { SERVE_AGAIN_MS = 10, SERVE_HANGUPS_MAX = 5 };
/* While another agent takes over: as long as a drain may last, and a start. Where nobody keeps redirect.sock open
 * (GAP), the next one is there soon, or does not come. So many at most: further calls must find a row. */
enum { SERVE_SUCCESSOR_MS = 360000, SERVE_GAP_MS = 5000, SERVE_PUT_OFF_AGAIN_MS = 50 };
enum { SERVE_PUT_OFF_MAX = SUPERVISE_NOTICES_MAX * 3 / 4 };
enum { SERVE_LOOK_US = 100 };

void serve_open(struct serve *serve, int listener, struct supervise_shared *shared)
{
    const char *runtime = getenv(TOLLGATE_ENV_RUNTIME);
    *serve = (struct serve){.listener = listener, .shared = shared};
    announce_open(&serve->announce, runtime);
    if (runtime)
        serve->map_path = text_format("%s/" TOLLGATE_FILE_MAP, runtime);
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

static struct seccomp_notif *serve_call(struct serve *serve, int index)
{
    return &serve->shared->notices[index].call;
}

bool serve_is_waiting(struct serve *serve, int index)
{
    return ioctl(serve->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &serve_call(serve, index)->id) == 0;
}

/* ---- answers ---- */

void serve_finish(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    if (pending->fd >= 0)
        close(pending->fd);
    if (pending->standin >= 0)
        close(pending->standin);
    if (pending->upstream >= 0)
        close(pending->upstream);
    pending->state = PENDING_NONE;
    serve->pending_count--;
    memset(&serve->shared->notices[index], 0, sizeof serve->shared->notices[index]);
}

void serve_send(struct serve *serve, int index, int error, uint32_t flags)
{
    union {
        struct seccomp_notif_resp call;
        char room[256];
    } answer;
    memset(&answer, 0, sizeof answer);
    answer.call.id = serve_call(serve, index)->id;
    answer.call.error = -error;
    answer.call.flags = flags;
    ioctl(serve->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

void serve_answer(struct serve *serve, int index, int error, uint32_t flags)
{
    serve_send(serve, index, error, flags);
    serve_finish(serve, index);
}

void serve_go_on(struct serve *serve, int index)
{
    serve_answer(serve, index, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

/* It cannot be governed: what certainly belongs to a provider is refused, the rest goes its way. */
static void serve_without_us(struct serve *serve, int index, int error)
{
    if (serve->pendings[index].destination.kind == DESTINATION_ANY)
        serve_go_on(serve, index);
    else
        serve_answer(serve, index, error, 0);
}

/* Nobody there to govern it. */
static void serve_without_agent(struct serve *serve, int index)
{
    serve_without_us(serve, index, ECONNREFUSED);
}

/* Asked again soon; who was put off not at once: nobody may be there to answer for a while. */
static void serve_wait(struct pending *pending)
{
    pending->state = PENDING_WAITING;
    pending->again_ms = pending->is_put_off ? launch_now_ms() + SERVE_PUT_OFF_AGAIN_MS : 0;
}

/* It was too slow, or hung up: it makes room so for others, and whoever waited in time may ask again. */
static void serve_drop_agent(struct serve *serve)
{
    int askers[SUPERVISE_NOTICES_MAX];
    size_t count = announce_drop(&serve->announce, askers);
    long long now = launch_now_ms();
    for (size_t i = 0; i < count; i++) {
        struct pending *pending = &serve->pendings[askers[i]];
        const bool is_rude = pending->hangups++ >= SERVE_HANGUPS_MAX;
        if (pending->is_put_off && is_rude && pending->deadline_ms > now + SERVE_GAP_MS)
            pending->deadline_ms = now + SERVE_GAP_MS;
        if (pending->deadline_ms > now && (pending->is_put_off || !is_rude))
            serve_wait(pending);
        else
            serve_without_agent(serve, askers[i]);
    }
}

/* ---- one call ---- */

static void serve_connect(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    bool is_again = pending->state == PENDING_CONNECTING;
    if (pending->leave_error != 0) {
        socket_begin(pending);
        reach_park(serve, index);
        return;
    }
    int error = socket_dial(pending);
    if (pending->is_blocking && (error == EINPROGRESS || error == EALREADY)) {
        if (!is_again)
            pending->deadline_ms = launch_now_ms() + SERVE_CONNECT_MS;
        pending->state = PENDING_CONNECTING;
        return;
    }
    /* This very call was connected before, by us. */
    if (error == EISCONN && (is_again || pending->is_second_hand))
        error = 0;
    if (error == 0 || error == EINPROGRESS) {
        int put = standin_put(serve->listener, serve_call(serve, index), pending);
        error = put != 0 ? put : error;
    }
    serve_answer(serve, index, error, 0);
}

/* As a program that the preload governs waits in the agent's port, which stays open. Whoever goes anywhere else is not
 * kept that long. */
static bool serve_put_off(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    if (pending->destination.kind == DESTINATION_ANY || serve->pending_count > SERVE_PUT_OFF_MAX)
        return false;
    if (!pending->is_put_off)
        pending->deadline_ms = launch_now_ms() + SERVE_SUCCESSOR_MS;
    pending->is_put_off = true;
    serve_wait(pending);
    return true;
}

/* The agent that put it off has ended, and left nothing behind. */
static void serve_await_successor(struct pending *pending)
{
    const long long now = launch_now_ms();
    if (pending->deadline_ms > now + SERVE_GAP_MS)
        pending->deadline_ms = now + SERVE_GAP_MS;
    serve_wait(pending);
}

static void serve_take_answer(struct serve *serve, int index, const struct tollgate_redirect_answer *answer)
{
    struct pending *pending = &serve->pendings[index];
    if (answer->refused == TOLLGATE_REDIRECT_AGAIN) {
        if (!serve_is_waiting(serve, index))
            serve_finish(serve, index);
        else if (!serve_put_off(serve, index))
            serve_without_agent(serve, index);
        return;
    }
    if (answer->refused != 0) {
        serve_without_us(serve, index, answer->refused < 4096 ? answer->refused : ECONNREFUSED);
        return;
    }
    /* The acknowledgement may have come too late for this call. */
    if (!serve_is_waiting(serve, index)) {
        serve_finish(serve, index);
        return;
    }
    bool is_reachable = pending->destination.family == AF_INET || socket_can_be_mapped(socket_to_connect(pending));
    if (answer->address >> 24 != 127 || !is_reachable) {
        serve_without_agent(serve, index);
        return;
    }
    pending->agent = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(answer->port), .sin_addr = {htonl(answer->address)}};
    serve_connect(serve, index);
}

static void serve_read_agent(struct serve *serve)
{
    struct tollgate_redirect_answer answer;
    int asker, taken;
    do {
        taken = announce_take(&serve->announce, &asker, &answer);
        if (taken > 0)
            serve_take_answer(serve, asker, &answer);
    } while (taken > 0 && serve->announce.count > 0);
    if (taken < 0)
        serve_drop_agent(serve);
}

/*
 * Sleeping costs more than the answer: an idle core needs as long to wake up as the agent to acknowledge (measured: 31
 * of 77 µs that supervision adds to a governed connect). So we look for a while before we poll; yielding, for the agent
 * may need this very core. One at a time: when others wait, too, poll serves them all.
 */
static void serve_look_for_answer(struct serve *serve)
{
    long long until_us = launch_now_us() + SERVE_LOOK_US;
    for (serve_read_agent(serve); serve->announce.count == 1 && launch_now_us() < until_us; serve_read_agent(serve))
        sched_yield();
}

static void serve_announce(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    pending->state = PENDING_ANNOUNCED;
    switch (announce_send(&serve->announce, index, pending)) {
    case ANNOUNCE_SENT:
        serve_look_for_answer(serve);
        break;
    case ANNOUNCE_BUSY:
        serve_wait(pending);
        break;
    case ANNOUNCE_NOBODY:
        if (pending->is_put_off)
            serve_await_successor(pending);
        else
            serve_without_agent(serve, index);
        break;
    }
}

void serve_begin_announcing(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    const bool is_any = pending->destination.kind == DESTINATION_ANY;
    pending->deadline_ms = launch_now_ms() + (is_any ? SERVE_AGENT_ANY_MS : SERVE_AGENT_MS);
    serve_announce(serve, index);
}

/* ---- a call's socket ---- */

/* Connected already, or on the way: whatever address is named, the kernel's answer is the same. */
void serve_repeat(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    pending->agent = (struct sockaddr_in){.sin_family = AF_INET,
                                          .sin_port = htons(gate_find_agent(&serve->gate, pending->destination.port)),
                                          .sin_addr = {htonl(serve->gate.redirect_network + 1)}};
    serve_connect(serve, index);
}

static void serve_judge_socket(struct serve *serve, int index)
{
    struct pending *pending = &serve->pendings[index];
    const struct seccomp_notif *call = serve_call(serve, index);
    enum destination_kind kind = pending->destination.kind;
    int fd = socket_borrow(call, &pending->pid);
    if (fd == -EBADF) {
        serve_answer(serve, index, EBADF, 0);
        return;
    }
    if (fd < 0) {
        serve_without_agent(serve, index);
        return;
    }
    socklen_t size = sizeof pending->cookie;
    pending->fd = fd;
    pending->is_blocking = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &pending->cookie, &size);
    /* Whoever died meanwhile may have left its number to another program, whose memory and socket these are. */
    if (!serve_is_waiting(serve, index)) {
        serve_finish(serve, index);
        return;
    }
    int state = socket_tcp_state(fd);
    if (state < 0) {
        /* QUIC to a provider is refused, so that HTTP/3 falls back; source-address probes to our own addresses succeed.
         */
        bool is_quic = kind == DESTINATION_PROVIDER && socket_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM;
        if (is_quic)
            serve_answer(serve, index, ECONNREFUSED, 0);
        else
            serve_go_on(serve, index);
    } else if (kind == DESTINATION_CLOSED) {
        serve_answer(serve, index, ECONNREFUSED, 0);
    } else if (socket_option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_MPTCP) {
        serve_without_us(serve, index, EPROTONOSUPPORT);
    } else if (call->data.nr != SYS_connect) {
        serve_answer(serve, index, EOPNOTSUPP, 0);
    } else if (socket_option(fd, SOL_SOCKET, SO_DOMAIN) != pending->destination.family) {
        serve_go_on(serve, index);
    } else if (state != TCP_CLOSE) {
        if (!reach_resume(serve, index))
            serve_repeat(serve, index);
    } else if (!standin_make(pending)) {
        serve_without_agent(serve, index);
    } else if (kind == DESTINATION_ANY) {
        reach_begin(serve, index);
    } else {
        serve_begin_announcing(serve, index);
    }
}

static void serve_call_at(struct serve *serve, int index, bool is_second_hand)
{
    struct pending *pending = &serve->pendings[index];
    struct seccomp_notif *call = serve_call(serve, index);
    *pending = (struct pending){
        .state = PENDING_ANNOUNCED, .fd = -1, .standin = -1, .upstream = -1, .is_second_hand = is_second_hand};
    serve->pending_count++;
    bool is_read = destination_read(call, &pending->destination);
    if (is_read) {
        gate_refresh(&serve->gate, serve->map_path);
        pending->destination.kind = destination_judge(&serve->gate, &pending->destination);
    }
    if (!is_read || pending->destination.kind == DESTINATION_ELSEWHERE)
        serve_go_on(serve, index);
    else
        serve_judge_socket(serve, index);
}

void serve_inherit(struct serve *serve)
{
    for (int i = 0; i < SUPERVISE_NOTICES_MAX; i++)
        if (serve_call(serve, i)->id != 0)
            serve_call_at(serve, i, true);
}

/* ---- the loop's share ---- */

static void serve_receive(struct serve *serve)
{
    int index = 0;
    while (index < SUPERVISE_NOTICES_MAX && serve->pendings[index].state != PENDING_NONE)
        index++;
    if (index == SUPERVISE_NOTICES_MAX)
        return;
    struct seccomp_notif *call = serve_call(serve, index);
    memset(&serve->shared->notices[index], 0, sizeof serve->shared->notices[index]);
    if (ioctl(serve->listener, SECCOMP_IOCTL_NOTIF_RECV, call) == 0)
        serve_call_at(serve, index, false);
    else
        call->id = 0;
}

static long long serve_next_ms(const struct pending *pending)
{
    bool is_asked_after = pending->state == PENDING_REACHING && pending->is_blocking;
    bool is_put_off = pending->state == PENDING_WAITING && pending->is_put_off;
    long long next_ms = is_asked_after ? pending->look_ms : is_put_off ? pending->again_ms : pending->deadline_ms;
    return next_ms < pending->deadline_ms ? next_ms : pending->deadline_ms;
}

/* fds: the listener, the agent, then the sockets that connect. A negative descriptor is not polled. */
size_t serve_prepare(struct serve *serve, struct pollfd *fds, int *timeout_ms)
{
    size_t count = 0;
    long long now = launch_now_ms();
    fds[count++] =
        (struct pollfd){.fd = serve->pending_count < SUPERVISE_NOTICES_MAX ? serve->listener : -1, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = serve->announce.fd, .events = POLLIN};
    for (int i = 0; i < SUPERVISE_NOTICES_MAX && serve->pending_count > 0; i++) {
        const struct pending *pending = &serve->pendings[i];
        if (pending->state == PENDING_NONE)
            continue;
        long long left = serve_next_ms(pending) - now;
        if (pending->state == PENDING_WAITING && !pending->is_put_off && left > SERVE_AGAIN_MS)
            left = SERVE_AGAIN_MS;
        if (*timeout_ms < 0 || left < *timeout_ms)
            *timeout_ms = left > 0 ? (int)left : 0;
        if (pending->state != PENDING_CONNECTING && pending->state != PENDING_REACHING)
            continue;
        serve->polled[count - 2] = i;
        int fd = pending->state == PENDING_REACHING ? pending->upstream : socket_to_connect(pending);
        fds[count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
    }
    return count;
}

static void serve_check_deadlines(struct serve *serve)
{
    long long now = launch_now_ms();
    bool is_agent_late = false;
    for (int i = 0; i < SUPERVISE_NOTICES_MAX && serve->pending_count > 0; i++) {
        struct pending *pending = &serve->pendings[i];
        bool is_late = pending->deadline_ms <= now;
        if (pending->state == PENDING_REACHING)
            reach_check(serve, i, now);
        else if (pending->state == PENDING_PARKED && is_late)
            serve_finish(serve, i);
        else if (pending->state == PENDING_WAITING && is_late)
            serve_without_agent(serve, i);
        else if (pending->state == PENDING_WAITING && pending->again_ms <= now)
            serve_announce(serve, i);
        else if (pending->state == PENDING_CONNECTING && is_late)
            serve_answer(serve, i, ETIMEDOUT, 0);
        else if (pending->state == PENDING_ANNOUNCED && is_late)
            is_agent_late = true;
    }
    if (is_agent_late)
        serve_drop_agent(serve);
}

void serve_work(struct serve *serve, const struct pollfd *fds, size_t count)
{
    for (size_t i = 2; i < count; i++) {
        int index = serve->polled[i - 2];
        if (fds[i].revents != 0 && serve->pendings[index].state == PENDING_CONNECTING)
            serve_connect(serve, index);
        else if (fds[i].revents != 0 && serve->pendings[index].state == PENDING_REACHING)
            reach_end(serve, index);
    }
    if (fds[1].revents != 0)
        serve_read_agent(serve);
    if (fds[0].revents & POLLIN)
        serve_receive(serve);
    else if (fds[0].revents != 0)
        serve->listener = -1; /* nobody is below the filter any more: nothing to wait for */
    serve_check_deadlines(serve);
}
