/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look at a redirected connection's first flight. The bytes stay in the kernel: whoever gets the connection, our
 * TLS or the original server, reads all of it. A governed server name goes on as if the program had asked for that
 * name's address; everything else, silence included, is passed on.
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

static void peek_pass_on(struct connection *connection)
{
    peek_finish(connection);
    connection->state = CONNECTION_SPLICED;
    splice_start(connection->splice);
}

static void peek_govern(struct connection *connection, const char *name)
{
    peek_finish(connection);
    splice_free(connection->splice);
    connection->splice = NULL;
    listener_secure(connection, name);
}

/* Peeked bytes keep the socket readable: the low-water mark makes epoll wait for more. A kernel short of memory wakes
 * us all the same; then the timer decides. */
static void peek_wait(struct connection *connection, size_t bytes)
{
    peek_set_low_water(connection, (int)bytes + 1);
    connection->watch.events = EPOLLRDHUP | (splice_has_more(connection->splice, bytes) ? (uint32_t)EPOLLIN : 0U);
    watch_change(connection->loop, &connection->watch);
}

void peek_ready(struct connection *connection, uint32_t events)
{
    char name[HELLO_NAME_MAX];
    uint8_t *bytes = (uint8_t *)loop_scratch(connection->loop)->input;
    ssize_t got = recv(connection->transport.fd, bytes, HELLO_BYTES_MAX, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR) && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        return;
    if (got < 0) {
        connection_close(connection, false); /* the program has gone */
        return;
    }
    enum hello_verdict verdict = hello_parse(bytes, (size_t)got, name);
    const char *governed = verdict == HELLO_NAMED ? listener_find_name(connection->member->listener, name) : NULL;
    bool can_grow = got > 0 && got < HELLO_BYTES_MAX && !(events & (EPOLLRDHUP | EPOLLHUP));
    if (governed)
        peek_govern(connection, governed);
    else if (verdict == HELLO_INCOMPLETE && can_grow)
        peek_wait(connection, (size_t)got);
    else
        peek_pass_on(connection);
}

void peek_expired(struct connection *connection)
{
    peek_pass_on(connection);
}

void peek_start(struct connection *connection, const struct sockaddr_in6 *original, uint32_t timeout_ms)
{
    connection->splice = splice_new(connection, original);
    connection->state = CONNECTION_PEEKING;
    connection->watch.events = EPOLLIN | EPOLLRDHUP;
    connection->is_watched = true;
    watch_add(connection->loop, &connection->watch);
    timer_arm(connection->loop, &connection->timer, timeout_ms);
}
