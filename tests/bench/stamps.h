/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The times that the stand-in writes into its streams (directive `stamp`): each piece of text begins "@NNN ", the time
 * of CLOCK_MONOTONIC in nanoseconds at which it was made. What is between that and its arrival is the way through the
 * middle, for each event of each stream. Included by answer.h.
 */
#ifndef TESTS_BENCH_STAMPS_H
#define TESTS_BENCH_STAMPS_H

#include "tests/bench/latencies.h"

#include <stdbool.h>
#include <string.h>

struct stamps {
    struct latencies *latencies;
    uint64_t now_ns; /* of the read that the bytes came with */
    uint64_t stamp_ns;
    bool is_timed; /* not before all streams run, nor when the first has ended */
    bool is_open;  /* between '@' and what ends its number: bytes may be cut there */
    uint32_t count;
};

static inline void stamps_end(struct stamps *stamps, char end)
{
    stamps->is_open = false;
    if (end != ' ' || stamps->stamp_ns == 0 || stamps->stamp_ns > stamps->now_ns)
        return; /* an '@' of another kind */
    if (stamps->is_timed)
        latencies_add(stamps->latencies, stamps->now_ns - stamps->stamp_ns);
    stamps->count++;
}

static inline void stamps_take(struct stamps *stamps, const char *data, size_t length)
{
    const char *at = data, *end = data + length;
    while (at < end) {
        if (!stamps->is_open) {
            at = memchr(at, '@', (size_t)(end - at));
            if (!at)
                return;
            stamps->is_open = true;
            stamps->stamp_ns = 0;
            at++;
            continue;
        }
        char c = *at++;
        if (c >= '0' && c <= '9')
            stamps->stamp_ns = stamps->stamp_ns * 10 + (uint64_t)(c - '0');
        else
            stamps_end(stamps, c);
    }
}

#endif
