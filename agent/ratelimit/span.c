/* SPDX-License-Identifier: Apache-2.0 */
/* See span.h. Called by ratelimit.c and day_file.c under their lock; reads no clock. Sums saturate. */
#include "ratelimit/span.h"

#include <stddef.h>

const struct span_kind span_minute = {5000000000, 12}, span_day = {3600000000000, 24};

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

int64_t span_number(const struct span_kind *kind, int64_t now_ns)
{
    int64_t number = now_ns / kind->slot_ns;
    return now_ns % kind->slot_ns < 0 ? number - 1 : number;
}

static unsigned place_of(const struct span_kind *kind, int64_t number)
{
    int64_t slots = kind->slot_count;
    return (unsigned)((number % slots + slots) % slots);
}

const struct span_slot *span_find(const struct span *span, const struct span_kind *kind, int64_t number, int64_t now_ns)
{
    int64_t current = span_number(kind, now_ns);
    const struct span_slot *slot = &span->slots[place_of(kind, number)];
    bool counts = number <= current && number > current - kind->slot_count;
    return counts && slot->number == number ? slot : NULL;
}

void span_add(struct span *span, const struct span_kind *kind, int64_t number, uint64_t requests, uint64_t tokens)
{
    struct span_slot *slot = &span->slots[place_of(kind, number)];
    if (slot->number != number)
        *slot = (struct span_slot){.number = number};
    slot->of[SPAN_REQUESTS] = add_saturated(slot->of[SPAN_REQUESTS], requests);
    slot->of[SPAN_TOKENS] = add_saturated(slot->of[SPAN_TOKENS], tokens);
}

uint64_t span_sum(const struct span *span, const struct span_kind *kind, int64_t now_ns, unsigned which)
{
    int64_t current = span_number(kind, now_ns);
    uint64_t sum = 0;
    for (int64_t number = current - kind->slot_count + 1; number <= current; number++) {
        const struct span_slot *slot = span_find(span, kind, number, now_ns);
        sum = add_saturated(sum, slot ? slot->of[which] : 0);
    }
    return sum;
}

uint32_t span_wait_s(const struct span *span, const struct span_kind *kind, int64_t now_ns, unsigned which,
                     uint64_t excess)
{
    const int64_t second_ns = 1000000000;
    int64_t current = span_number(kind, now_ns), number = current - kind->slot_count + 1;
    uint64_t gone = 0;
    for (; number < current; number++) {
        const struct span_slot *slot = span_find(span, kind, number, now_ns);
        gone = add_saturated(gone, slot ? slot->of[which] : 0);
        if (gone >= excess)
            break;
    }
    int64_t wait_ns = (number + kind->slot_count) * kind->slot_ns - now_ns;
    return (uint32_t)((wait_ns + second_ns - 1) / second_ns);
}

void span_replace_tokens(struct span *span, const struct span_kind *kind, int64_t then_ns, uint64_t old, uint64_t new)
{
    int64_t number = span_number(kind, then_ns);
    struct span_slot *slot = &span->slots[place_of(kind, number)];
    if (slot->number != number)
        return;
    uint64_t kept = slot->of[SPAN_TOKENS] > old ? slot->of[SPAN_TOKENS] - old : 0;
    slot->of[SPAN_TOKENS] = add_saturated(kept, new);
}
