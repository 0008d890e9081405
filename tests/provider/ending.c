/* SPDX-License-Identifier: Apache-2.0 */
/* How an exchange and its connection end: properly, or as a fault orders (FIN, RST, half close, stall). The last steps
 * of connection.c's state machine, and the one place that bills. Sends no bytes of an answer.
 */
#include "tests/provider/connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES         4096
#define RESET_POLLS_MAX    500
#define HALF_CLOSED_MAX_US 30000000ull

void ending_bill(struct connection *connection, enum bill_end end)
{
    struct exchange *exchange = &connection->exchange;
    char digest[65] = "";
    if (!connection->busy)
        return;
    connection->busy = false;
    atomic_fetch_sub(&connection->loop->server->in_flight, 1);
    if (connection->state == CONNECTION_HELD)
        gate_leave(&connection->loop->server->gate, connection->ticket, exchange->behaviour.barrier != BEHAVIOUR_UNSET);
    if (exchange->control)
        return;
    if (exchange->answer_bytes)
        digest_end(connection->digest, digest, sizeof digest);
    bill_add(&connection->loop->server->bill, exchange, end, digest);
}

bool ending_finish(struct connection *connection)
{
    ending_bill(connection, connection->exchange.stream && connection->exchange.behaviour.fault.error_event
                                ? BILL_FAULT
                                : BILL_COMPLETED);
    if (connection->close_after || connection->exchange.behaviour.fault.ending == FAULT_END_AFTER) {
        SSL_shutdown(connection->ssl);
        connection_close(connection, BILL_COMPLETED);
        return false;
    }
    http_next(&connection->http);
    connection_wait(connection, 1, CONNECTION_READING); /* in turn: one fast client must not keep the others waiting */
    return true;
}

/* Everything up to the cut is with the kernel. The bill comes first: who sees the end may ask for it at once. */
bool ending_perform(struct connection *connection)
{
    const struct fault *fault = &connection->exchange.behaviour.fault;
    ending_bill(connection, BILL_FAULT);
    if (fault->notify)
        SSL_shutdown(connection->ssl);
    switch (fault->ending) {
    case FAULT_END_RST:
        connection->state = CONNECTION_RESETTING;
        return true;
    case FAULT_END_HALF:
        shutdown(connection->fd, SHUT_WR);
        timers_arm(&connection->loop->timers, &connection->timer, connection->loop->now_us + HALF_CLOSED_MAX_US);
        connection->state = CONNECTION_PARKED;
        return true;
    case FAULT_END_STALL:
        connection->state = CONNECTION_PARKED;
        return true;
    case FAULT_END_NONE:
    case FAULT_END_FIN:
    case FAULT_END_AFTER:
        break;
    }
    connection_close(connection, BILL_FAULT);
    return false;
}

/* A reset throws away what is still on its way: wait until the other side has acknowledged all of it. */
bool ending_reset(struct connection *connection)
{
    int unsent = 0;
    if (ioctl(connection->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 && connection->resets++ < RESET_POLLS_MAX) {
        connection_wait(connection, 1000, CONNECTION_RESETTING);
        return false;
    }
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    connection_close(connection, BILL_FAULT);
    return false;
}

/* After our close_notify the rest is read below TLS. */
bool ending_park(struct connection *connection)
{
    char bytes[READ_BYTES];
    ssize_t length = read(connection->fd, bytes, sizeof bytes);
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
        connection_close(connection, BILL_FAULT);
    return length > 0;
}
