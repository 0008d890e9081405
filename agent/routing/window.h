/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sliding window of 12 slots, each with two counts. A slot is empty unless its number is one of the last 12, so that
 * nothing has to be cleared by a timer. Sums saturate: what providers report as used is not trusted to be small.
 */
#ifndef ROUTING_WINDOW_H
#define ROUTING_WINDOW_H

#include <stdint.h>

enum { WINDOW_SLOTS = 12, WINDOW_COUNTS = 2 };

struct window {
    struct window_slot {
        int64_t number; /* time / slot_ns */
        uint64_t of[WINDOW_COUNTS];
    } slots[WINDOW_SLOTS];
};

static const int64_t SECOND_NS = 1000000000, LOAD_SLOT_NS = 5000000000;

static inline uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void window_add(struct window *window, int64_t slot_ns, int64_t now_ns, uint64_t first, uint64_t second);
uint64_t window_sum(const struct window *window, int64_t slot_ns, int64_t now_ns, unsigned which);
/* Until `excess` of that count have left the window; the whole window when it holds fewer. */
int64_t window_wait_ns(const struct window *window, int64_t slot_ns, int64_t now_ns, unsigned which, uint64_t excess);

#endif
