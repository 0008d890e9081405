/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rest of net/ needs of a loop beyond net.h: work put off to the end of the iteration (so that nothing is
 * freed or re-entered below a callback), scratch memory shared by all connections of a loop, and the heap of timers.
 * Not for other folders.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/list.h"
#include "net/net.h"

/* Runs once, on the loop's thread, before it waits again; list_init(&deferred->node) before first use. */
struct deferred {
    struct list node;
    void (*run)(struct deferred *deferred);
};
/* Harmless when already queued. */
void loop_defer(struct loop *loop, struct deferred *deferred);

/* One plaintext TLS record. */
enum { TLS_RECORD_BYTES_MAX = 16384 };
/* Contents are valid until the next read or write of any connection of the loop. Two full records of input: enough to
 * spare callbacks on bulk bodies, and the most that a paused connection has to keep. */
struct loop_scratch {
    char input[2 * TLS_RECORD_BYTES_MAX];
    char output[TLS_RECORD_BYTES_MAX];
};
struct loop_scratch *loop_scratch(struct loop *loop);

/* A binary heap by due_ns; rows[1 … count], so that index 0 can mean "not armed". */
struct timers {
    struct timer **rows;
    unsigned count, capacity;
};
void timers_init(struct timers *timers);
void timers_done(struct timers *timers);
void timers_insert(struct timers *timers, struct timer *timer);
void timers_remove(struct timers *timers, struct timer *timer);
/* The next to expire, NULL when none is armed. */
struct timer *timers_first(const struct timers *timers);

#endif
