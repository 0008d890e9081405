/* SPDX-License-Identifier: Apache-2.0 */
/* The running stand-in: what all event loops share, and one loop per thread. main.c fills it, server.c runs the loops,
 * connection.c lives inside them, control.c answers questions about it.
 */
#ifndef TESTS_PROVIDER_SERVER_H
#define TESTS_PROVIDER_SERVER_H

#include "tests/provider/bill.h"
#include "tests/provider/gate.h"
#include "tests/provider/script.h"
#include "tests/provider/store.h"
#include "tests/provider/timers.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#define SERVER_THREADS_MAX 16

struct connection;

struct loop {
    struct server *server;
    pthread_t thread;
    int epoll;
    int listener;
    int wake; /* eventfd: a gate was opened, or the server stops */
    uint64_t now_us;
    struct timers timers;
    struct connection *connections; /* all of this loop */
    struct connection *closed;      /* freed after the batch of events */
};

struct server {
    SSL_CTX *tls;
    struct bill bill;
    struct script script;
    struct gate gate;
    struct store store;
    uint16_t port;
    unsigned loop_count;
    struct loop loops[SERVER_THREADS_MAX];
    atomic_bool stopping;
    atomic_ullong sequence;
    atomic_ullong accepted; /* connections so far */
    atomic_llong open;      /* connections now */
    atomic_llong in_flight; /* exchanges now */
};

/* Listens on address:port (0: any, then server->port says which) with `threads` loops. False with errno set. */
bool server_listen(struct server *server, const char *address, uint16_t port, unsigned threads);
/* Runs until server_stop; returns when all loops are done and everything is closed. */
void server_run(struct server *server);
/* May be called from a signal handler. */
void server_stop(struct server *server);
/* Lets every loop look at its held connections. */
void server_wake(struct server *server);

uint64_t clock_get_us(void);

#endif
