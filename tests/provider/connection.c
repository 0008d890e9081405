/* SPDX-License-Identifier: Apache-2.0 */
/* State machine of one connection; see connection.h. One step per state, in a table. Sockets are edge-triggered and
 * registered once: a step goes on until TLS would block, and the next event comes back to the same step.
 */
#include "tests/provider/connection.h"

#include "tests/provider/control.h"
#include "tests/provider/dispatch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES      16384
#define RESET_POLLS_MAX 500

void connection_open(struct loop *loop, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        abort();
    connection->loop = loop;
    connection->fd = fd;
    connection->number = atomic_fetch_add(&loop->server->accepted, 1) + 1;
    atomic_fetch_add(&loop->server->open, 1);
    connection->next = loop->connections;
    if (connection->next)
        connection->next->previous = connection;
    loop->connections = connection;
    http_init(&connection->http);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    connection->ssl = SSL_new(loop->server->tls);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    if (!connection->ssl || SSL_set_fd(connection->ssl, fd) != 1 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        connection_close(connection, BILL_SHUTDOWN);
    else
        SSL_set_accept_state(connection->ssl);
}

void connection_wait(struct connection *connection, uint64_t wait_us, enum connection_state next)
{
    connection->state = CONNECTION_WAITING;
    connection->state_next = next;
    timers_arm(&connection->loop->timers, &connection->timer, connection->loop->now_us + wait_us);
}

static void exchange_begin(struct connection *connection)
{
    struct server *server = connection->loop->server;
    struct exchange *exchange = &connection->exchange;
    struct buffer body = exchange->body;
    buffer_reset(&body, READ_BYTES);
    memset(exchange, 0, sizeof *exchange);
    exchange->body = body;
    exchange->request = &connection->http.request;
    exchange->connection = connection->number;
    clock_gettime(CLOCK_REALTIME, &exchange->arrived);
    atomic_fetch_add(&server->in_flight, 1);
    connection->busy = true;
    connection->close_after = !exchange->request->keep_alive;
    connection->state = CONNECTION_STARTING;
    if (control_answer(server, exchange))
        return;
    exchange->sequence = atomic_fetch_add(&server->sequence, 1) + 1;
    exchange->connection_request = ++connection->requests;
    dispatch_plan(exchange, &server->script, &server->store, &connection->digest);
    if (connection->drop_next)
        fault_merge("drop", &exchange->behaviour.fault);
    connection->drop_next = behaviour_get(exchange->behaviour.drop_next, 0) != 0;
}

/* What stands between the request and its answer: gate, then delay, then perhaps an end before the first byte. */
static void exchange_delay(struct connection *connection)
{
    const struct behaviour *behaviour = &connection->exchange.behaviour;
    uint32_t delay_ms = behaviour_get(behaviour->delay_ms, 0);
    enum connection_state next = behaviour->fault.before_answer ? CONNECTION_ENDING : CONNECTION_STARTING;
    connection->state = next;
    if (behaviour->fault.before_answer)
        connection->exchange.status = 0;
    if (delay_ms)
        connection_wait(connection, delay_ms * 1000ull, next);
}

static void exchange_gate(struct connection *connection)
{
    struct server *server = connection->loop->server;
    const struct behaviour *behaviour = &connection->exchange.behaviour;
    uint32_t barrier = behaviour_get(behaviour->barrier, 0);
    if (!barrier && !behaviour_get(behaviour->hold, 0)) {
        connection->ticket = gate_look(&server->gate);
        exchange_delay(connection);
        return;
    }
    bool opened = false;
    connection->state = CONNECTION_HELD;
    connection->ticket = gate_enter(&server->gate, barrier, &opened);
    if (opened)
        server_wake(server);
}

static bool request_refuse(struct connection *connection)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    buffer_add(&connection->out, answer);
    connection->exchange.behaviour = behaviour_unset;
    fault_merge("half_close", &connection->exchange.behaviour.fault);
    connection->state = CONNECTION_ENDING;
    return true;
}

static bool request_feed(struct connection *connection, const char *bytes, size_t length)
{
    size_t taken = 0;
    switch (http_feed(&connection->http, bytes, length, &taken)) {
    case HTTP_MORE:
        return true;
    case HTTP_CONTINUE:
        buffer_add(&connection->out, "HTTP/1.1 100 Continue\r\n\r\n");
        return true;
    case HTTP_BAD:
        return request_refuse(connection);
    case HTTP_COMPLETE:
        break;
    }
    struct buffer rest = {0};
    buffer_append(&rest, bytes + taken, length - taken);
    buffer_free(&connection->input);
    connection->input = rest;
    exchange_begin(connection);
    if (!connection->exchange.control)
        exchange_gate(connection);
    return true;
}

static bool step_handshake(struct connection *connection)
{
    int result = SSL_do_handshake(connection->ssl);
    if (result == 1) {
        connection->state = CONNECTION_READING;
        return true;
    }
    int error = SSL_get_error(connection->ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        connection_close(connection, BILL_CLIENT);
    return false;
}

/* False: nothing there now, or the connection was closed. */
static bool read_some(struct connection *connection, char *bytes, size_t *ret_length)
{
    int result = SSL_read_ex(connection->ssl, bytes, READ_BYTES, ret_length);
    if (result == 1)
        return true;
    int error = SSL_get_error(connection->ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        connection_close(connection, BILL_CLIENT);
    return false;
}

static bool step_read(struct connection *connection)
{
    char bytes[READ_BYTES];
    size_t length;
    if (connection->input.length) {
        struct buffer input = connection->input;
        connection->input = (struct buffer){0};
        bool more = request_feed(connection, input.data, input.length);
        buffer_free(&input);
        return more;
    }
    return read_some(connection, bytes, &length) && request_feed(connection, bytes, length);
}

static bool step_held(struct connection *connection)
{
    if (!gate_is_open(&connection->loop->server->gate, connection->ticket))
        return false;
    exchange_delay(connection);
    return true;
}

static bool step_wait(struct connection *connection)
{
    (void)connection;
    return false;
}

static bool step_closed(struct connection *connection)
{
    (void)connection;
    return false;
}

static bool (*const steps[])(struct connection *) = {
    [CONNECTION_HANDSHAKE] = step_handshake, [CONNECTION_READING] = step_read,
    [CONNECTION_HELD] = step_held,           [CONNECTION_WAITING] = step_wait,
    [CONNECTION_STARTING] = send_start,      [CONNECTION_SENDING] = send_more,
    [CONNECTION_FINISHING] = ending_finish,  [CONNECTION_ENDING] = ending_perform,
    [CONNECTION_RESETTING] = ending_reset,   [CONNECTION_PARKED] = ending_park,
    [CONNECTION_CLOSED] = step_closed,
};

void connection_run(struct connection *connection)
{
    ERR_clear_error();
    do {
        /* Head and body leave in one record: the head alone is flushed only when the body has to wait. */
        bool hold_back = connection->state == CONNECTION_SENDING && connection->out.length < READ_BYTES / 4 &&
                         !connection->exchange.answer_bytes;
        if (connection->out.length && !hold_back && !send_flush(connection))
            return;
    } while (steps[connection->state](connection));
}

void connection_on_event(struct connection *connection, uint32_t events)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection->peer_gone = true;
    connection_run(connection);
    if (connection->peer_gone && connection->busy)
        connection_close(connection, BILL_CLIENT);
}

void connection_on_timer(struct connection *connection)
{
    if (connection->state == CONNECTION_PARKED) {
        connection_close(connection, BILL_FAULT);
        return;
    }
    if (connection->state == CONNECTION_WAITING)
        connection->state = connection->state_next;
    connection_run(connection);
}

void connection_close(struct connection *connection, enum bill_end end)
{
    struct loop *loop = connection->loop;
    if (connection->state == CONNECTION_CLOSED)
        return;
    ending_bill(connection, end);
    connection->state = CONNECTION_CLOSED;
    timers_cancel(&loop->timers, &connection->timer);
    atomic_fetch_sub(&loop->server->open, 1);
    close(connection->fd);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        loop->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    connection->next = loop->closed;
    loop->closed = connection;
}

void connection_free(struct connection *connection)
{
    SSL_free(connection->ssl);
    EVP_MD_CTX_free(connection->digest);
    http_done(&connection->http);
    buffer_free(&connection->input);
    buffer_free(&connection->out);
    buffer_free(&connection->exchange.body);
    free(connection);
}
