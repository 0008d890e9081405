/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading half of a connection: socket → TLS (or none, see plain.c) → the loop's scratch memory → handler. What the
 * handler does not take is kept (one read at most) and the socket is left alone until connection_resume: that is the
 * back-pressure.
 */
#include "net/connection.h"

#include "base/check.h"

#include <stdlib.h>
#include <sys/socket.h>

/* Reads of one connection before the others have their turn. */
enum { READS_PER_TURN = 4 };

static enum read_outcome connection_classify(struct connection *connection, int result)
{
    switch (tls_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return READ_DRAINED;
    case SSL_ERROR_WANT_WRITE:
        connection->read_wants_write = true;
        return READ_DRAINED;
    case SSL_ERROR_ZERO_RETURN:
        return READ_ENDED;
    default:
        return READ_BROKEN;
    }
}

/* Fills the scratch memory record by record, and asks neither OpenSSL nor the kernel when both have nothing left. */
static enum read_outcome connection_fill(struct connection *connection, size_t *ret_bytes)
{
    struct loop_scratch *scratch = loop_scratch(connection->loop);
    size_t bytes = 0;
    enum read_outcome outcome = READ_MORE;
    connection->read_wants_write = false;
    tls_clear_errors();
    while (bytes < sizeof scratch->input && outcome == READ_MORE) {
        int result = SSL_read(connection->ssl, scratch->input + bytes, (int)(sizeof scratch->input - bytes));
        if (result <= 0)
            outcome = connection_classify(connection, result);
        else if (bytes += (size_t)result, connection->transport.is_drained && !SSL_has_pending(connection->ssl))
            outcome = READ_DRAINED;
    }
    *ret_bytes = bytes;
    return outcome;
}

/* False when the handler ended the connection. */
static bool connection_deliver(struct connection *connection, struct slice bytes)
{
    size_t taken = connection->handler->readable(connection->context, bytes);
    if (connection->state != CONNECTION_OPEN)
        return false;
    check(taken <= bytes.length);
    struct slice left = slice_from(bytes, taken);
    if (left.length == 0)
        return true;
    connection->kept_memory = malloc(left.length);
    check(connection->kept_memory != NULL);
    memcpy(connection->kept_memory, left.data, left.length);
    connection->kept = (struct slice){connection->kept_memory, left.length};
    connection->read_is_paused = true;
    return true;
}

/* The end is told after the last byte was taken. False when the handler ended the connection. */
static bool connection_tell_end(struct connection *connection)
{
    if (connection->input_is_ended && !connection->ended_is_told && !connection->read_is_paused) {
        connection->ended_is_told = true;
        connection->handler->ended(connection->context);
    }
    return connection->state == CONNECTION_OPEN;
}

void connection_read(struct connection *connection)
{
    enum read_outcome outcome = READ_MORE;
    for (int turn = 0; turn < READS_PER_TURN && outcome == READ_MORE && !connection->read_is_paused; turn++) {
        size_t bytes;
        outcome = connection->is_plain ? plain_fill(connection, &bytes) : connection_fill(connection, &bytes);
        connection->input_is_ended = outcome == READ_ENDED;
        struct slice plaintext = {loop_scratch(connection->loop)->input, bytes};
        if (bytes > 0 && !connection_deliver(connection, plaintext))
            return;
    }
    if (outcome == READ_BROKEN)
        connection_run_later(connection, ERRAND_ABORT);
    else if (outcome == READ_MORE && !connection->read_is_paused)
        connection_run_later(connection, ERRAND_RESUME); /* epoll cannot know what OpenSSL holds */
    if (connection_tell_end(connection))
        connection_update(connection);
}

/* ERRAND_RESUME: first what is kept, then what OpenSSL or the socket still has. */
void connection_offer_kept(struct connection *connection)
{
    if (connection->read_is_paused) {
        size_t taken = connection->handler->readable(connection->context, connection->kept);
        if (connection->state != CONNECTION_OPEN)
            return;
        check(taken <= connection->kept.length);
        connection->kept = slice_from(connection->kept, taken);
        if (connection->kept.length > 0)
            return;
        free(connection->kept_memory);
        connection->kept_memory = NULL;
        connection->read_is_paused = false;
    }
    if (!connection_tell_end(connection))
        return;
    if (connection->input_is_ended)
        connection_update(connection);
    else
        connection_read(connection);
}

void connection_discard(struct connection *connection)
{
    struct loop_scratch *scratch = loop_scratch(connection->loop);
    for (int turn = 0; turn < READS_PER_TURN; turn++) {
        ssize_t got = recv(connection->transport.fd, scratch->input, sizeof scratch->input, 0);
        if (got == 0) {
            connection->transport.is_ended = true;
            if (connection->state == CONNECTION_LINGERING)
                connection_close(connection, false);
            else
                connection_update(connection);
        }
        if (got < (ssize_t)sizeof scratch->input)
            return;
    }
}
