/* SPDX-License-Identifier: Apache-2.0 */
/* See set.h. The members of a price set are rows here, so that none is forgotten in one of the operations. */
#include "prices/set.h"

#include <stddef.h>

static const struct {
    size_t price, has;
} members[] = {
#define MEMBER(name)                                                                                                   \
    {                                                                                                                  \
        offsetof(struct price_set, name), offsetof(struct price_set, has_##name)                                       \
    }
    MEMBER(input),          MEMBER(output),      MEMBER(cache_read),   MEMBER(cache_write),
    MEMBER(cache_write_1h), MEMBER(input_audio), MEMBER(output_audio),
};
enum { MEMBER_COUNT = sizeof members / sizeof *members };
_Static_assert(MEMBER_COUNT *(sizeof(struct price) + sizeof(bool)) + 1 == sizeof(struct price_set),
               "a member is missing");

static const struct price *price_of(const struct price_set *set, size_t member)
{
    return (const struct price *)(const void *)((const char *)set + members[member].price);
}

static bool has(const struct price_set *set, size_t member)
{
    return *(const bool *)((const char *)set + members[member].has);
}

static void put(struct price_set *set, size_t member, struct price price)
{
    *(struct price *)(void *)((char *)set + members[member].price) = price;
    *(bool *)((char *)set + members[member].has) = true;
}

struct price_set price_set_overlay(const struct price_set *under, const struct price_set *over)
{
    struct price_set set = *under;
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        if (has(over, i))
            put(&set, i, *price_of(over, i));
    return set;
}

struct price_set price_set_dearest(const struct price_set *a, const struct price_set *b)
{
    struct price_set set = *a;
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        if (price_of(b, i)->pico > price_of(a, i)->pico)
            put(&set, i, *price_of(b, i));
    return set;
}

bool price_set_has_any(const struct price_set *set)
{
    bool any = false;
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        any |= has(set, i);
    return any;
}

struct price_set price_set_fill(const struct price_set *set, bool hour_is_double)
{
    struct price_set filled = *set;
    if (!filled.has_cache_read)
        filled.cache_read = filled.input;
    if (!filled.has_cache_write) /* rounded up */
        filled.cache_write.pico = hour_is_double ? filled.input.pico + (filled.input.pico + 3) / 4 : filled.input.pico;
    if (!filled.has_cache_write_1h)
        filled.cache_write_1h.pico = hour_is_double ? 2 * filled.input.pico : filled.cache_write.pico;
    if (!filled.has_input_audio)
        filled.input_audio = filled.input;
    if (!filled.has_output_audio)
        filled.output_audio = filled.output;
    filled.has_input = filled.has_output = filled.has_cache_read = filled.has_cache_write = true;
    filled.has_cache_write_1h = filled.has_input_audio = filled.has_output_audio = true;
    return filled;
}
