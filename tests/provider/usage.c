/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of the stand-in; see usage.h. The prompt's count can be replaced by directives (fresh, cached, cache_write …),
 * so that a test can pose any vector exactly. A stream that ends early is billed for the pieces sent and no more.
 */
#include "tests/provider/usage.h"

#include "tests/provider/exchange.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define SHOWN_ALWAYS 7

static const struct bucket {
    const char *name;
    size_t offset;
} buckets[] = {
#define BUCKET_ROW(member, name) {name, offsetof(struct usage, member)},
    USAGE_BUCKETS(BUCKET_ROW)
#undef BUCKET_ROW
};

static uint64_t bucket_get(const struct usage *usage, size_t i)
{
    uint64_t count;
    memcpy(&count, (const char *)usage + buckets[i].offset, sizeof count);
    return count;
}

void usage_add(const struct usage *usage, struct usage *sum)
{
#define BUCKET_ADD(member, name) sum->member += usage->member;
    USAGE_BUCKETS(BUCKET_ADD)
#undef BUCKET_ADD
}

void usage_format(const struct usage *usage, struct buffer *out)
{
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++)
        if (i < SHOWN_ALWAYS || bucket_get(usage, i))
            buffer_format(out, "%s\"%s\":%" PRIu64, i ? "," : "{", buckets[i].name, bucket_get(usage, i));
    buffer_add(out, "}");
}

void usage_plan(const struct exchange *exchange, struct usage *ret_usage)
{
    const struct behaviour *behaviour = &exchange->behaviour;
    struct usage usage = {
        .fresh = behaviour_get(behaviour->fresh, exchange->prompt.tokens),
        .cache_read = behaviour_get(behaviour->cached, 0),
        .cache_write = behaviour_get(behaviour->cache_write, 0),
        .cache_write_1h = behaviour_get(behaviour->cache_write_1h, 0),
        .tool_prompt = behaviour_get(behaviour->tool_prompt, 0),
    };
    if (exchange->endpoint->answers_text) {
        usage.reasoning = behaviour_get(behaviour->reasoning, 0);
        usage.out = (uint64_t)exchange->answer.out_tokens * exchange->prompt.choices + usage.reasoning;
        usage.tool_calls = exchange->prompt.searches;
    }
    if (exchange->endpoint->count)
        exchange->endpoint->count(exchange, &usage);
    if (exchange->behaviour.fault.usage == FAULT_USAGE_ZERO)
        usage = (struct usage){0};
    *ret_usage = usage;
}

void usage_bill(const struct exchange *exchange, bool whole, struct usage *ret_usage)
{
    struct usage usage = {0};
    bool sent = whole || exchange->answer_bytes > 0;
    if (exchange->status == 200 && sent && exchange->endpoint && exchange->endpoint->billed && !exchange->is_job)
        usage = exchange->usage;
    if (exchange->stream && !whole && usage.out)
        usage.out = (uint64_t)exchange->pieces * exchange->prompt.choices + usage.reasoning;
    *ret_usage = usage;
}

uint64_t usage_get_prompt(const struct usage *usage)
{
    return usage->fresh + usage->cache_read + usage->cache_write + usage->cache_write_1h;
}
