/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of the stand-in; see usage.h. The prompt's count can be replaced by directives (fresh, cached, cache_write …),
 * so that a test can pose any vector exactly. A stream that ends early is billed for the pieces sent and no more.
 */
#include "tests/provider/usage.h"

#include "tests/provider/exchange.h"

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
    if (exchange->behaviour.fault.usage == FAULT_USAGE_ZERO)
        usage = (struct usage){0};
    else if (exchange->endpoint->answers_text) {
        usage.reasoning = behaviour_get(behaviour->reasoning, 0);
        usage.out = (uint64_t)exchange->answer.out_tokens * exchange->prompt.choices + usage.reasoning;
    }
    *ret_usage = usage;
}

void usage_bill(const struct exchange *exchange, bool whole, struct usage *ret_usage)
{
    struct usage usage = {0};
    bool sent = whole || exchange->answer_bytes > 0;
    if (exchange->status == 200 && sent && exchange->endpoint && exchange->endpoint->billed)
        usage = exchange->usage;
    if (exchange->stream && !whole && usage.out)
        usage.out = (uint64_t)exchange->pieces * exchange->prompt.choices + usage.reasoning;
    *ret_usage = usage;
}

uint64_t usage_get_prompt(const struct usage *usage)
{
    return usage->fresh + usage->cache_read + usage->cache_write + usage->cache_write_1h;
}
