/* SPDX-License-Identifier: Apache-2.0 */
/* One TLS connection: a small state machine that reads a request, waits as ordered, sends the answer and ends as
 * ordered. Lives in one loop and is touched by no other thread.
 */
#ifndef TESTS_PROVIDER_CONNECTION_H
#define TESTS_PROVIDER_CONNECTION_H

#include "tests/provider/digest.h"
#include "tests/provider/server.h"

enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_READING,   /* until a request is complete */
    CONNECTION_HELD,      /* at the gate */
    CONNECTION_WAITING,   /* for its timer, then on to state_next */
    CONNECTION_STARTING,  /* head of the answer */
    CONNECTION_SENDING,   /* body or frames */
    CONNECTION_FINISHING, /* everything was handed to the kernel: bill it */
    CONNECTION_ENDING,    /* the ordered end */
    CONNECTION_RESETTING, /* waits until the client's kernel has it all, then RST */
    CONNECTION_PARKED,    /* reads and forgets until the client leaves */
    CONNECTION_CLOSED,
};

struct connection {
    struct loop *loop;
    struct connection *next, *previous; /* in loop->connections; next also in loop->closed */
    int fd;
    SSL *ssl;
    enum connection_state state, state_next;
    struct timer timer;
    uint64_t number;
    uint32_t requests;
    uint64_t ticket; /* of the gate */
    bool busy;       /* an exchange is open: it has to be billed */
    bool peer_gone;
    bool drop_next;
    bool close_after;
    uint32_t resets; /* polls in CONNECTION_RESETTING */
    struct http_parser http;
    struct buffer input; /* pipelined bytes that wait for their turn */
    struct buffer out;
    size_t out_sent;
    size_t body_sent; /* of exchange.body */
    EVP_MD_CTX *digest;
    struct exchange exchange;
};

/* Takes over fd. Never fails: a connection that cannot be set up is closed. */
void connection_open(struct loop *loop, int fd);
/* Goes on as far as possible: called on every event of the socket, the timer and the gate. */
void connection_run(struct connection *connection);
void connection_on_event(struct connection *connection, uint32_t events);
void connection_on_timer(struct connection *connection);
/* Bills an open exchange with that end, and closes. */
void connection_close(struct connection *connection, enum bill_end end);
/* Frees what connection_close left: not while events of the same batch may still point to it. */
void connection_free(struct connection *connection);

/* Steps of sending, in send.c; same contract as the steps in connection.c: true when another step can follow at once.
 */
bool send_start(struct connection *connection);
bool send_more(struct connection *connection);
/* Hands out to TLS. False: blocked, or the connection was closed. */
bool send_flush(struct connection *connection);
/* Last steps, in ending.c; same contract. */
bool ending_finish(struct connection *connection);
bool ending_perform(struct connection *connection);
bool ending_reset(struct connection *connection);
bool ending_park(struct connection *connection);
/* Bills the open exchange; nothing when there is none. */
void ending_bill(struct connection *connection, enum bill_end end);
/* Leaves the state machine until the timer moves it to `next`. */
void connection_wait(struct connection *connection, uint64_t wait_us, enum connection_state next);

#endif
