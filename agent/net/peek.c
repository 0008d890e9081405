/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look at a redirected connection's first flight. The bytes stay in the kernel: whoever gets the connection, our
 * TLS or the original server, reads all of it. A governed server name goes on as if the program had asked for that
 * name's address; everything else is passed on.
 *
 *   silent ── hello timeout ──▶ the original server is called, too ── it speaks first ──▶ passed on
 *      └────────── the program speaks ──┴──▶ governed (the call is dropped: nothing was said), or passed on
 *
 * Where a supervisor has called it before us, that call is there from the start; when it fails, so does the connection.
 *
 * Silence decides nothing, so that no program slips past us by being slow: the look goes on until one side has spoken.
 */
#include "net/connection.h"
#include "net/hello.h"
#include "net/listener.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void peek_set_low_water(struct connection *connection, int bytes)
{
    int ignored = setsockopt(connection->transport.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
    (void)ignored;
}

static void peek_finish(struct connection *connection)
{
    timer_disarm(connection->loop, &connection->timer);
    connection_unwatch(connection);
    peek_set_low_water(connection, 1);
}

void peek_pass_on(struct connection *connection, const char *server_name)
{
    peek_finish(connection);
    connection->state = CONNECTION_SPLICED;
    listener_passed_on(connection, splice_original(connection->splice), server_name);
    splice_take(connection->splice);
}

static void peek_govern(struct connection *connection, const char *name)
{
    peek_finish(connection);
    splice_close(connection->splice, false);
    splice_free(connection->splice);
    connection->splice = NULL;
    listener_secure(connection, name);
}

void peek_limit(struct connection *connection)
{
    if (!connection->timer.heap_index)
        timer_arm(connection->loop, &connection->timer,
                  atomic_load(&connection->member->listener->handshake_timeout_ms));
}

/* Peeked bytes keep the socket readable: the low-water mark makes epoll wait for more. A kernel short of memory wakes
 * us all the same; then the timer decides. Whoever has begun a hello gets the time of a handshake to end it. */
static void peek_wait(struct connection *connection, size_t bytes)
{
    peek_set_low_water(connection, (int)bytes + 1);
    connection->watch.events = EPOLLRDHUP | (splice_has_more(connection->splice, bytes) ? (uint32_t)EPOLLIN : 0U);
    watch_change(connection->loop, &connection->watch);
    if (splice_is_started(connection->splice))
        peek_limit(connection);
}

/* is_last: nothing more is waited for. */
static void peek_look(struct connection *connection, bool is_last)
{
    char name[HELLO_NAME_MAX];
    uint8_t *bytes = (uint8_t *)loop_scratch(connection->loop)->input;
    ssize_t got = recv(connection->transport.fd, bytes, HELLO_BYTES_MAX, MSG_PEEK);
    bool is_silent = got < 0 && (errno == EAGAIN || errno == EINTR);
    if (is_silent && !is_last)
        return;
    if (got < 0 && !is_silent) {
        connection_close(connection, true); /* the program has gone */
        return;
    }
    enum hello_verdict verdict = is_silent ? HELLO_FOREIGN : hello_parse(bytes, (size_t)got, name);
    const char *governed = verdict == HELLO_NAMED ? listener_find_name(connection->member->listener, name) : NULL;
    bool can_grow = got > 0 && got < HELLO_BYTES_MAX && !is_last;
    if (governed)
        peek_govern(connection, governed);
    else if (verdict == HELLO_INCOMPLETE && can_grow)
        peek_wait(connection, (size_t)got);
    else
        peek_pass_on(connection, verdict == HELLO_NAMED ? name : "");
}

void peek_ready(struct connection *connection, uint32_t events)
{
    peek_look(connection, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* First the program was not heard of in time; then it did not finish what it began, or nobody is there to pass it to.
 */
void peek_expired(struct connection *connection)
{
    bool is_last = splice_is_started(connection->splice);
    if (!is_last) {
        splice_start(connection->splice);
        splice_has_more(connection->splice, 0); /* what is there is news again: the rest of it must wake us */
    }
    peek_look(connection, is_last);
}

void peek_start(struct connection *connection, const struct sockaddr_in6 *original, int upstream_fd,
                uint32_t timeout_ms)
{
    connection->splice = splice_new(connection, original, upstream_fd);
    connection->state = CONNECTION_PEEKING;
    connection->watch.events = EPOLLIN | EPOLLRDHUP;
    connection->is_watched = true;
    watch_add(connection->loop, &connection->watch);
    if (upstream_fd >= 0)
        splice_start(connection->splice);
    else
        timer_arm(connection->loop, &connection->timer, timeout_ms);
}
