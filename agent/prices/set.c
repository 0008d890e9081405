/* SPDX-License-Identifier: Apache-2.0 */
/* See set.h. The members of a price set are rows of config/buckets.def: none is forgotten in one of the operations. */
#include "prices/set.h"

#include <string.h>

struct price_set price_set_overlay(const struct price_set *under, const struct price_set *over)
{
    struct price_set set = *under;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (over->has[i]) {
            set.of[i] = over->of[i];
            set.has[i] = true;
        }
    return set;
}

struct price_set price_set_dearest(const struct price_set *a, const struct price_set *b)
{
    struct price_set set = *a;
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        if (b->has[i] && b->of[i].pico > a->of[i].pico)
            set.of[i] = b->of[i];
        set.has[i] |= b->has[i];
    }
    return set;
}

bool price_set_has_any(const struct price_set *set)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (set->has[i])
            return true;
    return false;
}

/* A unit has no other's price to take: without its own it stays unknown. */
struct price_set price_set_fill(const struct price_set *set, bool hour_is_double)
{
    struct price_set filled = *set;
    if (!filled.has_cache_write) /* rounded up */
        filled.cache_write.pico = hour_is_double ? filled.input.pico + (filled.input.pico + 3) / 4 : filled.input.pico;
    if (!filled.has_cache_write_1h)
        filled.cache_write_1h.pico = hour_is_double ? 2 * filled.input.pico : filled.cache_write.pico;
    filled.has_cache_write = filled.has_cache_write_1h = true;
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        if (filled.has[i] || bucket_rows[i].side == SIDE_UNIT)
            continue;
        filled.of[i] = bucket_rows[i].side == SIDE_OUTPUT ? filled.output : filled.input;
        filled.has[i] = true;
    }
    return filled;
}
