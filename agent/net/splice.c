/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that is none of ours, passed on to the address the program had asked for: bytes, half-closes and resets,
 * in both directions, unread. What one side does not take is kept, one read at most, and the other side is left alone
 * until it is gone: that is the back-pressure. Runs on the connection's loop and lives as long as both ends do. A
 * socket that was handed to us is called already, and its flags are not ours alone: no call relies on O_NONBLOCK.
 *
 * A program that has closed looks like one that has closed its half: FIN is all that comes. Without us the server would
 * hear a reset when it sends on; one that is silent would keep us, and the program's user's place, for as long as it
 * likes. So the kernel is asked whether anybody still holds the program's end, from its FIN on, and while the server
 * has not answered yet. Who holds it may wait for as long as he likes: it is his place.
 */
#include "net/listener.h"

#include "base/check.h"
#include "base/descriptors.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads of one side before the others have their turn. */
enum { READS_PER_TURN = 4 };
/* Pauses between looks at who holds the program's end: doubled from the first to the last. */
enum { LOOK_FIRST_MS = 10, LOOK_LAST_MS = 1000 };

struct splice_side {
    struct watch watch;
    struct splice *splice;
    struct splice_side *other;
    struct buffer output; /* bytes that this side did not take yet */
    bool is_watched;
    bool is_ended; /* it sent FIN */
    bool is_shut;  /* it got FIN */
};

struct splice {
    struct connection *connection;
    struct sockaddr_in6 original;
    size_t peeked_bytes;
    bool is_started, is_connecting; /* started without a descriptor: nobody answers */
    bool is_taken;                  /* the program's side is ours, no longer peek.c's */
    bool is_handed;                 /* the server's socket is the supervisor's, who may still hold it */
    unsigned look_ms;               /* the pause before the next look; 0: there was none */
    struct splice_side program, server;
};

static void splice_ready(struct watch *watch, uint32_t events);

static void splice_init_side(struct splice *splice, struct splice_side *side, struct splice_side *other, int fd)
{
    *side = (struct splice_side){.watch = {.fd = fd, .ready = splice_ready}, .splice = splice, .other = other};
    buffer_init(&side->output, sizeof loop_scratch(splice->connection->loop)->input);
}

/* The program's own probes would reach nobody but us. */
static bool splice_prepare(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

struct splice *splice_new(struct connection *connection, const struct sockaddr_in6 *original, int upstream_fd)
{
    struct splice *splice = calloc(1, sizeof *splice);
    check(splice != NULL);
    splice->connection = connection;
    splice->original = *original;
    splice->is_handed = upstream_fd >= 0;
    splice_init_side(splice, &splice->program, &splice->server, connection->transport.fd);
    splice_init_side(splice, &splice->server, &splice->program, upstream_fd);
    return splice;
}

void splice_free(struct splice *splice)
{
    if (!splice)
        return;
    buffer_done(&splice->program.output);
    buffer_done(&splice->server.output);
    free(splice);
}

bool splice_has_more(struct splice *splice, size_t bytes)
{
    bool has_more = bytes > splice->peeked_bytes;
    splice->peeked_bytes = bytes;
    return has_more;
}

/* ---- watching ---- */

/* A side of which nothing is wanted is not watched at all: one that has hung up would be reported for ever. */
static void splice_watch(struct splice_side *side, uint32_t events)
{
    struct loop *loop = side->splice->connection->loop;
    uint32_t before = side->is_watched ? side->watch.events : 0;
    if (events == before)
        return;
    side->watch.events = events;
    side->is_watched = events != 0;
    if (before && events)
        watch_change(loop, &side->watch);
    else if (events)
        watch_add(loop, &side->watch);
    else
        watch_remove(loop, &side->watch);
}

static uint32_t splice_wanted_events(const struct splice_side *side)
{
    bool can_read = !side->is_ended && buffer_length(&side->other->output) == 0;
    return (can_read ? (uint32_t)EPOLLIN : 0U) | (buffer_length(&side->output) > 0 ? (uint32_t)EPOLLOUT : 0U);
}

/* ---- bytes ---- */

/* False: the side is broken. */
static bool splice_send(struct splice_side *side, struct slice *bytes)
{
    while (bytes->length > 0) {
        ssize_t sent = send(side->watch.fd, bytes->data, bytes->length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        *bytes = slice_from(*bytes, (size_t)sent);
    }
    return true;
}

static bool splice_flush(struct splice_side *side)
{
    struct slice waiting = buffer_contents(&side->output);
    size_t before = waiting.length;
    if (!splice_send(side, &waiting))
        return false;
    buffer_consume(&side->output, before - waiting.length);
    if (waiting.length == 0)
        buffer_reset(&side->output, 0); /* idle connections hold no memory */
    return true;
}

static bool splice_read(struct splice_side *side)
{
    struct loop_scratch *scratch = loop_scratch(side->splice->connection->loop);
    ssize_t got = sizeof scratch->input;
    for (int turn = 0; turn < READS_PER_TURN && got == sizeof scratch->input; turn++) {
        if (side->is_ended || buffer_length(&side->other->output) > 0)
            return true;
        got = recv(side->watch.fd, scratch->input, sizeof scratch->input, MSG_DONTWAIT);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        side->is_ended = got == 0;
        atomic_fetch_add_explicit(&side->splice->connection->member->listener->splice_reads, 1, memory_order_relaxed);
        struct slice bytes = {scratch->input, (size_t)got};
        if (!splice_send(side->other, &bytes))
            return false;
        bool is_kept = buffer_append(&side->other->output, bytes);
        check(is_kept);
    }
    return true;
}

/* An end is read only when nothing is kept, so that it follows the last byte. */
static void splice_pass_end(struct splice_side *side)
{
    if (!side->other->is_ended || side->is_shut)
        return;
    side->is_shut = true;
    int ignored = shutdown(side->watch.fd, SHUT_WR); /* a reset shows on the next read */
    (void)ignored;
}

/* Nobody will read an answer, nor is anything left that the server should get. */
static bool splice_is_abandoned(const struct splice *splice)
{
    char byte;
    bool has_bytes = splice->is_connecting && recv(splice->program.watch.fd, &byte, sizeof byte,
                                                   MSG_PEEK | MSG_DONTWAIT) == (ssize_t)sizeof byte;
    return !has_bytes && !listener_is_held(splice->connection);
}

static void splice_look_again(struct splice *splice)
{
    unsigned next_ms = splice->look_ms ? 2 * splice->look_ms : LOOK_FIRST_MS;
    splice->look_ms = next_ms < LOOK_LAST_MS ? next_ms : LOOK_LAST_MS;
    timer_arm(splice->connection->loop, &splice->connection->timer, splice->look_ms);
}

void splice_expired(struct splice *splice)
{
    if (!splice->is_connecting && !splice->program.is_ended)
        return;
    if (splice_is_abandoned(splice))
        connection_close(splice->connection, false);
    else
        splice_look_again(splice);
}

static void splice_go_on(struct splice *splice)
{
    bool has_just_ended = splice->program.is_ended && !splice->server.is_shut;
    splice_pass_end(&splice->program);
    splice_pass_end(&splice->server);
    bool is_over = splice->program.is_shut && splice->server.is_shut;
    if (is_over || (has_just_ended && splice_is_abandoned(splice))) {
        connection_close(splice->connection, false);
        return;
    }
    splice_watch(&splice->program, splice_wanted_events(&splice->program));
    splice_watch(&splice->server, splice_wanted_events(&splice->server));
    if (has_just_ended) {
        splice->look_ms = 0;
        splice_look_again(splice);
    }
}

/* ---- the server's side ---- */

static int splice_connect(const struct splice *splice)
{
    const struct sockaddr_in6 *to = &splice->original;
    bool is_v4 = IN6_IS_ADDR_V4MAPPED(&to->sin6_addr);
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = to->sin6_port, .sin_addr.s_addr = to->sin6_addr.s6_addr32[3]};
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    bool ok = !descriptor_is_kept(fd, DESCRIPTOR_PROVIDER) && splice_prepare(fd);
    if (ok)
        ok = (is_v4 ? connect(fd, (const struct sockaddr *)&v4, sizeof v4)
                    : connect(fd, (const struct sockaddr *)to, sizeof *to)) == 0 ||
             errno == EINPROGRESS;
    if (ok)
        return fd;
    close(fd);
    return -1;
}

static void splice_fail(struct splice *splice)
{
    if (splice->is_taken || splice->is_handed)
        connection_close(splice->connection, true);
    else
        peek_limit(splice->connection);
}

void splice_start(struct splice *splice)
{
    splice->is_started = true;
    if (!splice->is_handed)
        splice->server.watch.fd = splice_connect(splice);
    splice->is_connecting =
        splice->server.watch.fd >= 0 && (!splice->is_handed || splice_prepare(splice->server.watch.fd));
    if (splice->is_connecting)
        splice_watch(&splice->server, EPOLLOUT);
    else
        splice_fail(splice);
}

bool splice_is_started(const struct splice *splice)
{
    return splice->is_started;
}

const struct sockaddr_in6 *splice_original(const struct splice *splice)
{
    return &splice->original;
}

void splice_take(struct splice *splice)
{
    splice->is_taken = true;
    atomic_fetch_add(&splice->connection->member->listener->splice_count, 1);
    if (!splice->is_started)
        splice_start(splice);
    else if (splice->server.watch.fd < 0)
        splice_fail(splice);
    else if (!splice->is_connecting)
        splice_go_on(splice);
    if (splice->is_taken && splice->is_connecting)
        splice_look_again(splice);
}

static bool splice_is_connected(const struct splice *splice)
{
    int error = 0;
    socklen_t length = sizeof error;
    struct sockaddr_in6 peer;
    socklen_t peer_length = sizeof peer;
    /* A supervisor that has it, too, may have asked first: then its error is gone. */
    return getsockopt(splice->server.watch.fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0 &&
           getpeername(splice->server.watch.fd, (struct sockaddr *)&peer, &peer_length) == 0;
}

/* The server's side, as long as peek.c has the program's. */
static void splice_ready_early(struct splice *splice, uint32_t events)
{
    if (!splice->is_connecting) {
        peek_pass_on(splice->connection, "");
        return;
    }
    splice->is_connecting = false;
    if (!(events & EPOLLERR) && splice_is_connected(splice)) {
        splice_watch(&splice->server, EPOLLIN);
    } else {
        splice_close(splice, false);
        splice_fail(splice);
    }
}

static void splice_ready(struct watch *watch, uint32_t events)
{
    struct splice_side *side = list_entry(watch, struct splice_side, watch);
    struct splice *splice = side->splice;
    if (!splice->is_taken) {
        splice_ready_early(splice, events);
        return;
    }
    bool ok = !(events & EPOLLERR);
    if (ok && splice->is_connecting)
        ok = splice_is_connected(splice);
    else if (ok)
        ok = (!(events & EPOLLOUT) || splice_flush(side)) && splice_read(side);
    splice->is_connecting = false;
    if (ok)
        splice_go_on(splice);
    else
        connection_close(splice->connection, true);
}

void splice_close(struct splice *splice, bool abort)
{
    splice_watch(&splice->program, 0);
    splice_watch(&splice->server, 0);
    if (splice->is_taken)
        atomic_fetch_sub(&splice->connection->member->listener->splice_count, 1);
    splice->is_taken = false;
    if (splice->server.watch.fd < 0)
        return;
    struct linger reset = {.l_onoff = abort, .l_linger = 0};
    int ignored = setsockopt(splice->server.watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)ignored;
    close(splice->server.watch.fd);
    splice->server.watch.fd = -1;
}
