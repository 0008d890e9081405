/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of timers behind timer_arm: each timer knows its place, so that removing one is as cheap as adding one.
 * Called by loop.c only; knows neither clocks nor callbacks.
 */
#include "net/loop.h"

#include "base/check.h"

#include <stdlib.h>

void timers_init(struct timers *timers)
{
    *timers = (struct timers){0};
}

void timers_done(struct timers *timers)
{
    for (unsigned i = 1; i <= timers->count; i++)
        timers->rows[i]->heap_index = 0;
    free(timers->rows);
    *timers = (struct timers){0};
}

static void timers_place(struct timers *timers, unsigned index, struct timer *timer)
{
    timers->rows[index] = timer;
    timer->heap_index = index;
}

static void timers_sift_up(struct timers *timers, unsigned index)
{
    struct timer *timer = timers->rows[index];
    for (; index > 1 && timer->due_ns < timers->rows[index / 2]->due_ns; index /= 2)
        timers_place(timers, index, timers->rows[index / 2]);
    timers_place(timers, index, timer);
}

static void timers_sift_down(struct timers *timers, unsigned index)
{
    struct timer *timer = timers->rows[index];
    for (unsigned child; (child = 2 * index) <= timers->count; index = child) {
        if (child < timers->count && timers->rows[child + 1]->due_ns < timers->rows[child]->due_ns)
            child++;
        if (timer->due_ns <= timers->rows[child]->due_ns)
            break;
        timers_place(timers, index, timers->rows[child]);
    }
    timers_place(timers, index, timer);
}

void timers_insert(struct timers *timers, struct timer *timer)
{
    if (timers->count + 1 >= timers->capacity) {
        unsigned capacity = timers->capacity ? 2 * timers->capacity : 64;
        struct timer **rows = realloc(timers->rows, capacity * sizeof(struct timer *));
        check(rows != NULL);
        timers->rows = rows;
        timers->capacity = capacity;
    }
    timers->rows[++timers->count] = timer;
    timers_sift_up(timers, timers->count);
}

void timers_remove(struct timers *timers, struct timer *timer)
{
    unsigned index = timer->heap_index;
    check(index > 0 && index <= timers->count && timers->rows[index] == timer);
    struct timer *last = timers->rows[timers->count--];
    timer->heap_index = 0;
    if (last == timer)
        return;
    timers_place(timers, index, last);
    timers_sift_up(timers, index);
    timers_sift_down(timers, last->heap_index);
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->count ? timers->rows[1] : NULL;
}
