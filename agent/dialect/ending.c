/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an answer ended, by its api's own words. Known are the good ends alone: whatever else an answer says of its end,
 * or nothing at all, may be a refusal, a failure or a pause, and is not to be given to the next who asks. Money does
 * not go by it. Called by the formats while they meter; asked by flow/'s relay.
 */
#include "dialect/internal.h"

enum { CHOICES_MAX = 64 }; /* bits of meter->ended; what is beyond counts as one */

bool dialect_is_said(const struct json_value *value)
{
    return value->kind > JSON_KIND_NULL && !json_string_is(value, "");
}

static bool is_in(const struct json_value *value, const char *const *words)
{
    for (; *words; words++)
        if (json_string_is(value, *words))
            return true;
    return false;
}

void dialect_take_reason(struct meter *meter, uint64_t choice, const struct json_value *reason, const char *const *good,
                         bool may_repeat)
{
    uint64_t bit = (uint64_t)1 << (choice < CHOICES_MAX ? choice : CHOICES_MAX - 1);
    bool has_ended = meter->ended & bit;
    meter->is_damaged |= has_ended && !may_repeat;
    if (!dialect_is_said(reason))
        return;
    if (is_in(reason, good))
        meter->ended |= bit;
    else
        meter->is_refused = true;
}

void dialect_take_whole(struct meter *meter)
{
    meter->ended = UINT64_MAX;
}

bool meter_ended_well(const struct meter *meter, const struct request_facts *facts)
{
    int64_t wanted = meter->is_event_stream && facts->choices > 1 ? facts->choices : 1;
    int64_t ended = __builtin_popcountll(meter->ended);
    return !meter->is_refused && ended >= (wanted < CHOICES_MAX ? wanted : CHOICES_MAX);
}
