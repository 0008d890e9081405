/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of one event loop: a binary heap, because 5,000 paced streams re-arm a timer for every event.
 * A timer is embedded in its owner; the heap holds pointers only and never frees an owner.
 */
#ifndef TESTS_PROVIDER_TIMERS_H
#define TESTS_PROVIDER_TIMERS_H

#include <stddef.h>
#include <stdint.h>

struct timer {
    uint64_t at_us; /* monotonic */
    size_t place;   /* 1-based place in the heap; 0: not armed */
};

struct timers {
    struct timer **heap; /* 1-based */
    size_t count;
    size_t capacity;
};

/* Arms, or moves an armed timer. */
void timers_arm(struct timers *timers, struct timer *timer, uint64_t at_us);
void timers_cancel(struct timers *timers, struct timer *timer);
/* The next timer that is due at now_us, disarmed; NULL when there is none. */
struct timer *timers_find_due(struct timers *timers, uint64_t now_us);
/* Milliseconds until the next timer, rounded up so that it is due then; -1 when none is armed (as epoll_wait takes it).
 */
int timers_get_wait_ms(const struct timers *timers, uint64_t now_us);
void timers_done(struct timers *timers);

#endif
