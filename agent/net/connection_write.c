/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing half of a connection: straight into TLS (or none, see plain.c) and the socket while both take it, one
 * record per call where it fits; the rest waits as plaintext in a bounded buffer. Never calls the handler from inside
 * connection_write.
 */
#include "net/connection.h"

#include "base/check.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* One record at most. Returns the bytes that TLS took, 0 when the socket is full, -1 when the connection is broken.
 * After 0 the same bytes must come again first, which the output buffer sees to. */
static ssize_t connection_write_record(struct connection *connection, struct slice bytes, bool more_follows)
{
    size_t length = bytes.length < TLS_RECORD_BYTES_MAX ? bytes.length : TLS_RECORD_BYTES_MAX;
    connection->transport.more_follows = more_follows || length < bytes.length;
    if (connection->is_plain)
        return plain_write(connection, (struct slice){bytes.data, length});
    tls_clear_errors();
    int result = SSL_write(connection->ssl, bytes.data, (int)length);
    if (result > 0)
        return result;
    return tls_error(connection->ssl, result) == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void connection_break(struct connection *connection)
{
    buffer_reset(&connection->output, 0);
    connection_run_later(connection, ERRAND_ABORT);
}

/* Consumes from the front of *bytes what could be written. False when the connection is broken. */
static bool connection_write_straight(struct connection *connection, struct slice *bytes, bool more_follows)
{
    ssize_t written = 1;
    while (bytes->length > 0 && written > 0) {
        written = connection_write_record(connection, *bytes, more_follows);
        if (written > 0)
            *bytes = slice_from(*bytes, (size_t)written);
    }
    return written >= 0;
}

/* A head and a body become one record: copying 16 KB costs less than a second record and a second system call. Without
 * TLS the kernel joins them (MSG_MORE), and may take a part of either. */
static bool connection_write_joined(struct connection *connection, struct slice *first, struct slice *second)
{
    char *record = loop_scratch(connection->loop)->output;
    while (!connection->is_plain && first->length > 0 && second->length > 0) {
        size_t head = first->length < TLS_RECORD_BYTES_MAX ? first->length : TLS_RECORD_BYTES_MAX;
        size_t room = TLS_RECORD_BYTES_MAX - head;
        size_t tail = second->length < room ? second->length : room;
        memcpy(record, first->data, head);
        memcpy(record + head, second->data, tail);
        bool more_follows = head < first->length || tail < second->length;
        ssize_t written = connection_write_record(connection, (struct slice){record, head + tail}, more_follows);
        if (written <= 0)
            return written == 0;
        /* A part, where the program wants short records (RFC 6066, max_fragment_length). */
        const size_t taken = (size_t)written < head ? (size_t)written : head;
        *first = slice_from(*first, taken);
        *second = slice_from(*second, (size_t)written - taken);
    }
    return connection_write_straight(connection, first, second->length > 0) &&
           (first->length > 0 || connection_write_straight(connection, second, false));
}

bool connection_write_two(struct connection *connection, struct slice first, struct slice second, bool *ret_full)
{
    if (connection->state != CONNECTION_OPEN || connection->errand >= ERRAND_CLOSE)
        return false;
    struct buffer *output = &connection->output;
    if (buffer_length(output) == 0 && !connection_write_joined(connection, &first, &second)) {
        connection_break(connection);
        return false;
    }
    bool was_queued = buffer_append(output, first) && buffer_append(output, second);
    check(was_queued);
    if (buffer_length(output) > connection->output_bytes_max)
        connection->full_is_told = true;
    *ret_full = connection->full_is_told;
    connection_update(connection);
    return true;
}

bool connection_write(struct connection *connection, struct slice bytes, bool *ret_full)
{
    return connection_write_two(connection, bytes, (struct slice){NULL, 0}, ret_full);
}

size_t connection_pending_bytes(const struct connection *connection)
{
    return buffer_length(&connection->output);
}

uint64_t connection_delivered_bytes(const struct connection *connection)
{
    int queued = 0; /* not acknowledged: tcp(7), SIOCOUTQ */
    if (ioctl(connection->transport.fd, SIOCOUTQ, &queued) != 0 || queued < 0)
        queued = 0;
    return connection->transport.sent - (uint64_t)queued;
}

/* FINISHING with nothing left to write: close_notify, FIN, then wait for the program's own end. */
static void connection_shut(struct connection *connection)
{
    tls_clear_errors();
    int result = connection->is_plain ? 0 : SSL_shutdown(connection->ssl);
    int error = result < 0 ? tls_error(connection->ssl, result) : SSL_ERROR_NONE;
    if (error == SSL_ERROR_WANT_WRITE) {
        connection_update(connection);
        return;
    }
    bool is_shut =
        error != SSL_ERROR_SSL && error != SSL_ERROR_SYSCALL && shutdown(connection->transport.fd, SHUT_WR) == 0;
    connection->state = CONNECTION_LINGERING;
    connection_update(connection);
    if (!is_shut || connection->transport.is_ended)
        connection_run_later(connection, ERRAND_CLOSE);
}

static void connection_tell_writable(struct connection *connection)
{
    if (!connection->full_is_told || buffer_length(&connection->output) > connection->output_bytes_max / 4)
        return;
    connection->full_is_told = false;
    connection->handler->writable(connection->context);
}

void connection_flush(struct connection *connection)
{
    struct buffer *output = &connection->output;
    struct slice waiting = buffer_contents(output);
    size_t before = waiting.length;
    if (before > 0 && !connection_write_straight(connection, &waiting, false)) {
        connection_break(connection);
        return;
    }
    if (before > 0)
        buffer_consume(output, before - waiting.length);
    if (waiting.length == 0)
        buffer_reset(output, 0); /* idle connections hold no memory */
    if (waiting.length == 0 && connection->state == CONNECTION_FINISHING) {
        connection_shut(connection);
        return;
    }
    connection_update(connection);
    if (connection->state == CONNECTION_OPEN)
        connection_tell_writable(connection);
}
