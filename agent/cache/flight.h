/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One answer that is under way, and all who want it. For ask.c, flight.c and share.c.
 *
 *   leader ──cache_lead_bytes──▶ pieces (copied in, never changed) ──cache_follow_read──▶ followers, each at its
 * position
 *
 * The lock is the flight's own; it and the cache's are never held together.
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include "cache/index.h"

enum flight_state {
    FLIGHT_OPEN,    /* no head yet: the leader can be replaced */
    FLIGHT_FLOWING, /* the head is there */
    FLIGHT_DONE,
    FLIGHT_FAILED
};

struct piece {
    struct piece *next;
    uint32_t length, capacity;
    char bytes[];
};

struct flight {
    /* the cache's lock */
    struct list bucket; /* of cache->flight_buckets, while it may be joined */
    struct list all;    /* of cache->flights, until it ends */
    bool is_cleared;    /* what it brings is not to be stored */
    /* never change */
    struct cache *cache;
    atomic_int references; /* of seats */
    struct cache_key key;
    uint32_t ttl_s;
    char *group, *model;
    /* the flight's lock */
    pthread_mutex_t lock;
    enum flight_state state;
    struct cache_seat *leader;      /* NULL: it has ended */
    struct list followers, waiting; /* waiting: they have read everything and want to be woken */
    unsigned follower_count;
    struct cache_answer *head; /* fields; body and made are empty */
    struct cache_head public_head;
    struct piece *first, *last;
    uint64_t base, total; /* pieces hold bytes [base, total) */
    bool is_whole;        /* all of it from the first byte on */
    bool is_crowded;      /* there is little room for all flights together */
    bool is_held;         /* the leader waits for somebody who is a window behind */
    bool is_closed;       /* nobody joins any more */
    enum error error;
    char *detail;
    struct cache_answer *made; /* the leader's facts, once DONE */
    /* the leader's thread */
    int64_t head_ns;
    struct cache_frame *frames;
    size_t frame_count, frame_capacity;
};

/* With the cache's lock. The seat leads it; others may join it when is_listed. */
struct flight *flight_new(struct cache_seat *seat, bool is_listed);
struct flight *flight_find(struct cache *cache, const struct cache_key *key);
/* Without a lock, with a reference to the flight, which the seat takes over. False: it cannot be joined any more. */
bool flight_join(struct flight *flight, struct cache_seat *seat) MUST_USE;
void flight_unlist(struct flight *flight);
void flight_wake(struct flight *flight); /* with its lock: those that wait may read on */
struct flight *flight_retain(struct flight *flight);
void flight_release(struct flight *flight);
/* Whatever the seat is in it. Once. */
void flight_leave(struct cache_seat *seat);

#endif
