/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection without TLS, for a listener that says is_plain: the four places where a connection meets its transport,
 * everything else is the same code. Called by accept.c and the two halves of a connection.
 */
#include "net/connection.h"

#include "base/check.h"

#include <sys/epoll.h>

void plain_start(struct connection *connection, const char *name)
{
    connection->name = name;
    connection->is_plain = true;
    connection->state = CONNECTION_OPEN;
    connection->watch.events = EPOLLIN;
    connection->is_watched = true;
    watch_add(connection->loop, &connection->watch);
    connection_greet(connection);
}

enum read_outcome plain_fill(struct connection *connection, size_t *ret_bytes)
{
    struct loop_scratch *scratch = loop_scratch(connection->loop);
    bool again;
    ssize_t got = transport_receive(&connection->transport, scratch->input, sizeof scratch->input, &again);
    *ret_bytes = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return connection->transport.is_drained ? READ_DRAINED : READ_MORE;
    return again ? READ_DRAINED : got == 0 ? READ_ENDED : READ_BROKEN;
}

ssize_t plain_write(struct connection *connection, struct slice bytes)
{
    bool again;
    ssize_t written = transport_send(&connection->transport, bytes.data, bytes.length, &again);
    return again ? 0 : written;
}
