/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a connection: made by the listener, handshake, open, finished or closed. Reading and writing are in
 * connection_read.c and connection_write.c. All of it runs on the connection's loop; memory is freed by the loop when
 * no callback is on the stack any more.
 */
#include "net/connection.h"

#include "base/check.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t connection_wanted_events(const struct connection *connection)
{
    bool output_waits = buffer_length(&connection->output) > 0 || connection->read_wants_write;
    switch (connection->state) {
    case CONNECTION_HANDSHAKE:
        return EPOLLIN | (SSL_want_write(connection->ssl) ? EPOLLOUT : 0U);
    case CONNECTION_OPEN:
        return (connection->read_is_paused || connection->input_is_ended ? 0U : (uint32_t)EPOLLIN) |
               (output_waits ? (uint32_t)EPOLLOUT : 0U);
    case CONNECTION_FINISHING:
        return (connection->transport.is_ended ? 0U : (uint32_t)EPOLLIN) | EPOLLOUT;
    case CONNECTION_LINGERING:
        return EPOLLIN;
    default:
        return 0;
    }
}

void connection_update(struct connection *connection)
{
    uint32_t events = connection_wanted_events(connection);
    if (!connection->is_watched || connection->watch.events == events)
        return;
    connection->watch.events = events;
    watch_change(connection->loop, &connection->watch);
}

void connection_unwatch(struct connection *connection)
{
    if (connection->is_watched)
        watch_remove(connection->loop, &connection->watch);
    connection->is_watched = false;
}

/* The first error OpenSSL queued says best why; an empty queue means the socket ended or broke. */
static void connection_fail_handshake(struct connection *connection)
{
    unsigned long code = ERR_peek_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;
    if (connection->name_is_refused)
        why = "the server name differs from the name of the address";
    else if (!why)
        why = "the program closed the connection";
    ERR_clear_error();
    listener_failed(connection, why);
    connection_close(connection, false);
}

bool connection_greet(struct connection *connection)
{
    bool is_welcome = listener_established(connection);
    if (connection->state == CONNECTION_CLOSED)
        return false;
    check(!is_welcome || connection->handler);
    if (!is_welcome)
        connection_close(connection, false);
    return connection->state == CONNECTION_OPEN;
}

static void connection_handshake(struct connection *connection)
{
    tls_clear_errors();
    int result = SSL_accept(connection->ssl);
    if (result != 1) {
        int error = SSL_get_error(connection->ssl, result);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
            connection_update(connection);
        else
            connection_fail_handshake(connection);
        return;
    }
    timer_disarm(connection->loop, &connection->timer);
    connection->state = CONNECTION_OPEN;
    if (connection_greet(connection))
        connection_read(connection); /* the request may have come with the client's last handshake message */
}

static void connection_ready_open(struct connection *connection, uint32_t events)
{
    bool can_read = !connection->read_is_paused && !connection->input_is_ended;
    if (events & EPOLLOUT)
        connection_flush(connection);
    if (connection->state != CONNECTION_OPEN)
        return;
    if (can_read && (events & (EPOLLIN | EPOLLHUP | EPOLLERR) || connection->read_wants_write))
        connection_read(connection);
    else if (events & (EPOLLHUP | EPOLLERR)) /* always reported: nobody is left to write to */
        connection_run_later(connection, ERRAND_ABORT);
}

static void connection_ready(struct watch *watch, uint32_t events)
{
    struct connection *connection = list_entry(watch, struct connection, watch);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        connection->transport.is_drained = false;
    if (connection->state == CONNECTION_PEEKING) {
        peek_ready(connection, events);
    } else if (connection->state == CONNECTION_HANDSHAKE) {
        connection_handshake(connection);
    } else if (connection->state == CONNECTION_OPEN) {
        connection_ready_open(connection, events);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        connection_close(connection, false);
    } else {
        if (events & EPOLLIN)
            connection_discard(connection);
        if (connection->state == CONNECTION_FINISHING)
            connection_flush(connection);
    }
}

static void connection_expired(struct timer *timer)
{
    struct connection *connection = list_entry(timer, struct connection, timer);
    if (connection->state == CONNECTION_PEEKING) {
        peek_expired(connection);
        return;
    }
    if (connection->state == CONNECTION_SPLICED) {
        splice_expired(connection->splice);
        return;
    }
    if (connection->state == CONNECTION_HANDSHAKE)
        listener_failed(connection, "timeout");
    connection_close(connection, connection->state == CONNECTION_FINISHING);
}

static void connection_free(struct connection *connection)
{
    buffer_done(&connection->output);
    splice_free(connection->splice);
    free(connection->kept_memory);
    free(connection);
}

static void connection_run_errand(struct deferred *deferred)
{
    struct connection *connection = list_entry(deferred, struct connection, deferred);
    enum connection_errand errand = connection->errand;
    connection->errand = ERRAND_NONE;
    if (connection->state == CONNECTION_CLOSED)
        connection_free(connection);
    else if (errand == ERRAND_CLOSE || errand == ERRAND_ABORT)
        connection_close(connection, errand == ERRAND_ABORT);
    else if (errand == ERRAND_RESUME && connection->state == CONNECTION_OPEN)
        connection_offer_kept(connection);
}

void connection_run_later(struct connection *connection, enum connection_errand errand)
{
    if (connection->errand < errand)
        connection->errand = errand;
    loop_defer(connection->loop, &connection->deferred);
}

struct connection *connection_new(struct member *member, struct loop *loop, int fd, const struct connection_peer *peer,
                                  uint32_t output_bytes_max)
{
    struct connection *connection = calloc(1, sizeof *connection);
    check(connection != NULL);
    connection->member = member;
    connection->loop = loop;
    connection->transport.fd = fd;
    connection->watch = (struct watch){.fd = fd, .ready = connection_ready};
    connection->timer.expired = connection_expired;
    connection->deferred.run = connection_run_errand;
    connection->peer = *peer;
    connection->output_bytes_max = output_bytes_max;
    list_init(&connection->node);
    list_init(&connection->deferred.node);
    buffer_init(&connection->output, SIZE_MAX); /* bounded softly: connection_write tells when it is full */
    return connection;
}

bool connection_start(struct connection *connection, SSL_CTX *context, const char *name, uint32_t timeout_ms)
{
    connection->name = name;
    connection->ssl = SSL_new(context);
    SSL_CTX_free(context);
    BIO *bio = connection->ssl ? transport_new_bio(&connection->transport) : NULL;
    if (!bio)
        return false;
    SSL_set_bio(connection->ssl, bio, bio);
    tls_set_connection(connection->ssl, connection);
    connection->state = CONNECTION_HANDSHAKE;
    connection->watch.events = EPOLLIN;
    connection->is_watched = true;
    watch_add(connection->loop, &connection->watch);
    timer_arm(connection->loop, &connection->timer, timeout_ms);
    return true;
}

void connection_set_handler(struct connection *connection, const struct connection_handler *handler, void *context)
{
    connection->handler = handler;
    connection->context = context;
}

void connection_set_owner(struct connection *connection, uint32_t owner)
{
    connection->owner = owner;
    connection->has_owner = true;
}

const struct connection_peer *connection_peer(const struct connection *connection)
{
    return &connection->peer;
}

struct loop *connection_loop(struct connection *connection)
{
    return connection->loop;
}

bool connection_is_plain(const struct connection *connection)
{
    return connection->is_plain;
}

const char *connection_server_name(const struct connection *connection)
{
    return connection->has_server_name ? connection->name : "";
}

void connection_resume(struct connection *connection)
{
    connection_run_later(connection, ERRAND_RESUME);
}

void connection_finish(struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN) {
        if (connection->state < CONNECTION_OPEN)
            connection_run_later(connection, ERRAND_CLOSE);
        return;
    }
    connection->state = CONNECTION_FINISHING;
    timer_arm(connection->loop, &connection->timer, CONNECTION_FINISH_MS);
    connection_flush(connection);
}

/* A close_notify after a cut answer would tell the program that the answer is whole. */
static void connection_say_goodbye(struct connection *connection)
{
    if ((connection->state != CONNECTION_OPEN && connection->state != CONNECTION_FINISHING) ||
        buffer_length(&connection->output) > 0 || connection->is_plain)
        return;
    tls_clear_errors();
    int ignored = SSL_shutdown(connection->ssl);
    (void)ignored;
    tls_clear_errors();
}

void connection_close(struct connection *connection, bool abort)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (abort) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        int ignored = setsockopt(connection->transport.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        (void)ignored;
    } else {
        connection_say_goodbye(connection);
    }
    connection->state = CONNECTION_CLOSED;
    timer_disarm(connection->loop, &connection->timer);
    connection_unwatch(connection);
    if (connection->splice)
        splice_close(connection->splice, abort);
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    close(connection->transport.fd);
    list_remove(&connection->node);
    listener_released(connection);
    loop_defer(connection->loop, &connection->deferred); /* frees */
    if (connection->handler)
        connection->handler->closed(connection->context);
}
