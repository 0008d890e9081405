/* SPDX-License-Identifier: Apache-2.0 */
/* See window.h. Called by use.c and breaker.c, under their lock; reads no clock. */
#include "routing/window.h"

#include <stdbool.h>
#include <stddef.h>

static bool is_within(const struct window_slot *slot, int64_t number)
{
    return slot->number > number - WINDOW_SLOTS && slot->number <= number;
}

void window_add(struct window *window, int64_t slot_ns, int64_t now_ns, uint64_t first, uint64_t second)
{
    int64_t number = now_ns / slot_ns;
    struct window_slot *slot = &window->slots[number % WINDOW_SLOTS];
    if (slot->number != number)
        *slot = (struct window_slot){.number = number};
    slot->of[0] = add_saturated(slot->of[0], first);
    slot->of[1] = add_saturated(slot->of[1], second);
}

uint64_t window_sum(const struct window *window, int64_t slot_ns, int64_t now_ns, unsigned which)
{
    int64_t number = now_ns / slot_ns;
    uint64_t sum = 0;
    for (unsigned i = 0; i < WINDOW_SLOTS; i++)
        if (is_within(&window->slots[i], number))
            sum = add_saturated(sum, window->slots[i].of[which]);
    return sum;
}

int64_t window_wait_ns(const struct window *window, int64_t slot_ns, int64_t now_ns, unsigned which, uint64_t excess)
{
    int64_t number = now_ns / slot_ns;
    uint64_t gone = 0;
    for (int64_t oldest = number - WINDOW_SLOTS + 1; oldest <= number; oldest++) {
        const struct window_slot *slot = oldest < 0 ? NULL : &window->slots[oldest % WINDOW_SLOTS];
        if (slot && slot->number == oldest)
            gone = add_saturated(gone, slot->of[which]);
        if (gone >= excess)
            return (oldest + WINDOW_SLOTS) * slot_ns - now_ns;
    }
    return WINDOW_SLOTS * slot_ns;
}
