/* SPDX-License-Identifier: Apache-2.0 */
/* The listener's inside, shared by listener.c (life) and accept.c (each connection until it is open). */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/authority.h"
#include "net/connection.h"

#include <stdatomic.h>

enum {
    LISTENER_LOOPS_MAX = 64,
    /* Accepting is tried again after this: descriptors or connections may have been freed on another loop. */
    LISTENER_PAUSE_MS = 100,
};

/* A loop's share of the listener. */
struct member {
    struct watch watch; /* of the listening socket, on this loop's epoll */
    struct timer pause; /* armed while accepting pauses */
    bool is_watched;
    struct listener *listener;
    struct loop *loop;
    struct list connections;
    atomic_uint connection_count; /* written by this loop, read by others to balance */
};

struct listener {
    int fd;
    atomic_bool is_shared;           /* others keep the socket: it outlives us */
    struct listener_options options; /* but for its bounds, which may change: */
    atomic_uint connections_max, buffer_bytes_max, handshake_timeout_ms;
    struct listener_handler handler;
    uint16_t port;
    struct certificates *certificates;
    _Atomic(const struct listener_names *) names;
    atomic_bool is_stopped;
    atomic_bool fds_are_exhausted;
    atomic_uint splice_count;                 /* redirected connections that are passed on */
    atomic_ullong splice_reads;               /* of both their sides */
    atomic_uint own_count, *connection_count; /* of this listener; or of the one beside it */
    atomic_uint member_count;                 /* counted when complete: others may run already and look */
    struct member members[LISTENER_LOOPS_MAX];
};

/* accept.c */
void member_ready(struct watch *watch, uint32_t events);
void member_pause_expired(struct timer *timer);
void member_watch(struct member *member);
void member_unwatch(struct member *member);

#endif
