/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What routing knows of one target: its load of the last minute, its breaker, how soon it answers. By target id, so
 * that it survives reloads. All of it is read and written under the lock of struct routing.
 */
#ifndef ROUTING_USE_H
#define ROUTING_USE_H

#include "base/hash.h"
#include "routing/breaker.h"
#include "routing/latency.h"
#include "routing/memory.h"
#include "routing/routing.h"
#include "routing/window.h"

#include <pthread.h>

enum { USES_MAX = 1024 }; /* four policies' worth of targets: a policy has 256 at most */
enum { LOAD_REQUESTS, LOAD_TOKENS };

struct use {
    char target[ROUTING_ID_BYTES];
    struct window load; /* what has ended; what has not is in flight */
    uint64_t in_flight, tokens_in_flight;
    uint64_t served, failed;
    double turn; /* smooth weighted round robin: how far its turn is ahead */
    struct breaker breaker;
    struct latency latency;
    int64_t rests_until_ns;   /* Retry-After */
    int64_t missing_until_ns; /* it did not know the model … */
    uint64_t missing_model;   /* … of this digest: another one is asked for again at once */
    int64_t used_ns;
    UT_hash_handle hh;
};

struct routing {
    pthread_mutex_t lock; /* a leaf: no other is taken and flow is not asked while it is held */
    struct use *uses;
    struct memory memory;
    uint64_t random; /* xorshift64 */
};

/* Load of the last 60 s, in flight included. */
struct load {
    uint64_t requests, tokens;
};

/* The use of a target; made when there is none. NULL only when the table is full of targets in flight. */
struct use *use_find(struct routing *routing, const char *id, int64_t now_ns);
struct load use_load(const struct use *use, int64_t now_ns);
/* Can it take a request of so many tokens within its limits? Else *ret_wait_s: when it can, if nothing else comes. */
bool use_has_room(const struct use *use, const struct target *target, uint64_t tokens, int64_t now_ns,
                  uint32_t *ret_wait_s);
bool use_is_model_missing(const struct use *use, const struct target *target, int64_t now_ns);
/* One request on its way, and its end. */
void use_begin(struct use *use, uint64_t tokens_estimate, int64_t now_ns);
void use_end(struct use *use, const struct target *target, const struct routing_outcome *outcome, int64_t now_ns);
/* Seconds from now to then, rounded up; 0 when it is past. */
uint32_t use_seconds_until(int64_t then_ns, int64_t now_ns);

#endif
