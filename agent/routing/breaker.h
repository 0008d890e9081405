/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One target's circuit breaker:
 *
 *            failures in a row, or share of errors            open_s later, with the next request
 *   CLOSED ────────────────────────────────────────▶ OPEN ────────────────────────────────────────▶ HALF_OPEN
 *      ▲                                               ▲                      a probe failed          │   │
 *      │                                               └──────────────────────────────────────────────┘   │
 *      └──────────────────────────── as many probes succeeded ────────────────────────────────────────────┘
 *
 * Each change makes what began before it strange to the breaker: an answer to a request from before the breaker opened
 * neither closes nor opens it. An open breaker closes by successful probes only.
 */
#ifndef ROUTING_BREAKER_H
#define ROUTING_BREAKER_H

#include "routing/routing.h"
#include "routing/window.h"

struct breaker {
    enum breaker_state state;
    uint64_t changes;  /* of its state: a ticket is one more, so never 0 */
    uint32_t failures; /* in a row */
    uint32_t probes_in_flight, probes_served;
    int64_t open_until_ns;
    struct window tries; /* all that were served or failed, and those that failed */
    uint32_t window_s;   /* which the slots are for */
};

/* Is a request let through now? Else *ret_wait_s: when the next may be. */
bool breaker_is_ready(const struct breaker *breaker, const struct settings *settings, int64_t now_ns,
                      uint32_t *ret_wait_s);
/* One goes through; Assumes breaker_is_ready. Its ticket. */
uint64_t breaker_begin(struct breaker *breaker, const struct settings *settings, int64_t now_ns);
/* `ticket` of its begin; 0: taken as begun now. */
void breaker_end(struct breaker *breaker, const struct settings *settings, uint64_t ticket,
                 const struct routing_outcome *outcome, int64_t now_ns);
/* As people see it: open that may be probed is half-open. */
enum breaker_state breaker_get_state(const struct breaker *breaker, const struct settings *settings, int64_t now_ns);

#endif
