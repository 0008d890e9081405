/* SPDX-License-Identifier: Apache-2.0 */
/* Binary heap of timers; see timers.h. Called by the event loop and by connections, always from the loop's own thread.
 * Invariant: heap[i]->place == i, and no parent is later than its children.
 */
#include "tests/provider/timers.h"

#include <limits.h>
#include <stdlib.h>

static void timers_put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void timers_rise(struct timers *timers, size_t place, struct timer *timer)
{
    while (place > 1 && timers->heap[place / 2]->at_us > timer->at_us) {
        timers_put(timers, place, timers->heap[place / 2]);
        place /= 2;
    }
    timers_put(timers, place, timer);
}

static void timers_sink(struct timers *timers, size_t place, struct timer *timer)
{
    while (place * 2 <= timers->count) {
        size_t child = place * 2;
        if (child < timers->count && timers->heap[child + 1]->at_us < timers->heap[child]->at_us)
            child++;
        if (timers->heap[child]->at_us >= timer->at_us)
            break;
        timers_put(timers, place, timers->heap[child]);
        place = child;
    }
    timers_put(timers, place, timer);
}

void timers_arm(struct timers *timers, struct timer *timer, uint64_t at_us)
{
    timers_cancel(timers, timer);
    if (timers->count + 2 > timers->capacity) {
        size_t capacity = timers->capacity ? timers->capacity * 2 : 64;
        struct timer **heap = realloc(timers->heap, capacity * sizeof(struct timer *));
        if (!heap)
            abort();
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timer->at_us = at_us;
    timers_rise(timers, ++timers->count, timer);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    if (!place)
        return;
    timer->place = 0;
    struct timer *last = timers->heap[timers->count--];
    if (last == timer)
        return;
    if (place > 1 && timers->heap[place / 2]->at_us > last->at_us)
        timers_rise(timers, place, last);
    else
        timers_sink(timers, place, last);
}

struct timer *timers_find_due(struct timers *timers, uint64_t now_us)
{
    if (!timers->count || timers->heap[1]->at_us > now_us)
        return NULL;
    struct timer *due = timers->heap[1];
    timers_cancel(timers, due);
    return due;
}

int timers_get_wait_ms(const struct timers *timers, uint64_t now_us)
{
    if (!timers->count)
        return -1;
    uint64_t at_us = timers->heap[1]->at_us;
    if (at_us <= now_us)
        return 0;
    uint64_t wait_ms = (at_us - now_us + 999) / 1000;
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

void timers_done(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}
