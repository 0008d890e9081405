/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and tokens of a sliding span of time, in slots: a minute of 12 × 5 s, a day of 24 × 1 h. A slot counts while
 * its number is one of the last, so nothing is cleared by a timer. Numbers may be negative: after a boot the last day
 * lies before the monotonic clock's beginning.
 */
#ifndef RATELIMIT_SPAN_H
#define RATELIMIT_SPAN_H

#include <stdbool.h>
#include <stdint.h>

enum { SPAN_SLOTS_MAX = 24, SPAN_REQUESTS = 0, SPAN_TOKENS, SPAN_COUNTS };

struct span_kind {
    int64_t slot_ns;
    unsigned slot_count;
};
extern const struct span_kind span_minute, span_day;

struct span {
    struct span_slot {
        int64_t number;
        uint64_t of[SPAN_COUNTS];
    } slots[SPAN_SLOTS_MAX];
};

int64_t span_number(const struct span_kind *kind, int64_t now_ns);
/* The slot when it is one of those that count at `now_ns` and was used, else NULL. */
const struct span_slot *span_find(const struct span *span, const struct span_kind *kind, int64_t number,
                                  int64_t now_ns);
void span_add(struct span *span, const struct span_kind *kind, int64_t number, uint64_t requests, uint64_t tokens);
uint64_t span_sum(const struct span *span, const struct span_kind *kind, int64_t now_ns, unsigned which);
/* Seconds, rounded up and at least 1, until `excess` (≥ 1) of a count have left; the whole span when it holds fewer. */
uint32_t span_wait_s(const struct span *span, const struct span_kind *kind, int64_t now_ns, unsigned which,
                     uint64_t excess);
/* In the slot where they were counted, if that is still there. */
void span_replace_tokens(struct span *span, const struct span_kind *kind, int64_t then_ns, uint64_t old, uint64_t new);

#endif
