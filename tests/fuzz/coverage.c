/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ways a run has gone: every basic block of the agent calls us (trace-pc); pairs of blocks are counted in a map
 * of fixed size, counts in powers of two, so that a loop that runs longer is news and a loop that runs once more is
 * not. Built without any instrumentation.
 */
#include "tests/fuzz/driver.h"

#include <string.h>

enum { MAP_BYTES = 1 << 16 };

static union {
    uint8_t counts[MAP_BYTES];
    uint64_t words[MAP_BYTES / 8];
} map;
static uint8_t seen[MAP_BYTES];
static unsigned pairs;
static uintptr_t before;

extern const char __executable_start[]; /* the linker's: places are the same in every process */
void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void)
{
    uintptr_t place = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__executable_start;
    place = (place ^ (place >> 15)) * 0x9e3779b1u;
    uint8_t *count = &map.counts[(place ^ before) % MAP_BYTES];
    *count = (uint8_t)(*count + (*count < 255));
    before = place >> 1;
}

void coverage_begin(void)
{
    memset(&map, 0, sizeof map);
    before = 0;
}

static uint8_t class_of(uint8_t count)
{
    return count <= 2     ? count
           : count <= 3   ? 4
           : count <= 7   ? 8
           : count <= 15  ? 16
           : count <= 31  ? 32
           : count <= 127 ? 64
                          : 128;
}

unsigned coverage_end(void)
{
    unsigned news = 0;
    for (size_t word = 0; word < MAP_BYTES / 8; word++) {
        if (!map.words[word])
            continue;
        for (size_t i = word * 8; i < word * 8 + 8; i++) {
            uint8_t class = class_of(map.counts[i]);
            if (class & ~seen[i]) {
                pairs += seen[i] == 0;
                seen[i] |= class;
                news++;
            }
        }
    }
    return news;
}

unsigned coverage_count(void)
{
    return pairs;
}
