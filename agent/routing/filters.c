/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What leaves a candidate out, a row each, in the order of what it costs to know: the settings, the state of the target
 * (under the lock), flow's answers (without it, and only for those that are still in). Called by routing.c.
 */
#include "routing/candidates.h"

#include <string.h>

static bool has_secret(const struct choice *choice, struct candidate *row)
{
    (void)choice;
    return row->target->secret != NULL;
}

static bool has_label(const struct target *target, const char *label)
{
    for (size_t i = 0; i < target->data_policy_count; i++)
        if (!strcmp(target->data_policy[i], label))
            return true;
    return false;
}

static bool keeps_data_policy(const struct choice *choice, struct candidate *row)
{
    const struct consumer_group *group = choice->request->group;
    for (size_t i = 0; group && i < group->data_policy_count; i++)
        if (!has_label(row->target, group->data_policy[i]))
            return false;
    return true;
}

static bool is_allowed(const struct choice *choice, struct candidate *row)
{
    const struct route_request *request = choice->request;
    return !request->is_allowed || choice->route->keeps_model || request->is_allowed(request->context, row->target);
}

static bool is_dialect_allowed(const struct choice *choice, struct candidate *row)
{
    const struct route_request *request = choice->request;
    if (row->target->provider->dialect == request->provider->dialect)
        return true;
    return candidates_is_translatable(request->api) && choice->cross_dialect != CROSS_DIALECT_NEVER;
}

/* What an answer's id refers to lies in the account of the target that gave it; when that is not known, in one of the
 * provider that was called. */
static bool is_where_it_stays(const struct choice *choice, struct candidate *row)
{
    if (!choice->request->must_stay)
        return true;
    if (choice->stays_with_target)
        return row->target == choice->remembered;
    const struct provider *provider = choice->remembered ? choice->remembered->provider : choice->request->provider;
    return !strcmp(row->target->provider->id, provider->id);
}

/* Another provider has no words for what an id refers to: the program's to mend, not a target's that may come back. */
static bool can_be_referred_to(const struct choice *choice, struct candidate *row)
{
    return !choice->request->must_stay || choice->remembered ||
           row->target->provider->dialect == choice->request->provider->dialect;
}

static bool can_ever_fit(const struct choice *choice, struct candidate *row)
{
    uint64_t limit = row->target->limit_tokens_per_minute;
    return !limit || choice->request->tokens_estimate <= limit;
}

static bool knows_model(const struct choice *choice, struct candidate *row)
{
    if (choice->route->keeps_model || !use_is_model_missing(row->use, row->target, choice->now_ns))
        return true;
    row->for_s = use_seconds_until(row->use->missing_until_ns, choice->now_ns);
    return false;
}

static bool is_breaker_ready(const struct choice *choice, struct candidate *row)
{
    return breaker_is_ready(&row->use->breaker, choice->request->settings, choice->now_ns, &row->for_s);
}

static bool is_rested(const struct choice *choice, struct candidate *row)
{
    row->for_s = use_seconds_until(row->use->rests_until_ns, choice->now_ns);
    return !row->for_s;
}

static bool is_below_limit(const struct choice *choice, struct candidate *row)
{
    return use_has_room(row->use, row->target, choice->request->tokens_estimate, choice->now_ns, &row->for_s);
}

static bool can_speak(const struct choice *choice, struct candidate *row)
{
    if (!choice->asks->can_speak)
        return row->target->provider->dialect == choice->request->provider->dialect;
    return choice->asks->can_speak(choice->asks->context, row->target, &row->detail);
}

static bool has_price(const struct choice *choice, struct candidate *row)
{
    return !choice->asks->find_cost || choice->asks->find_cost(choice->asks->context, row->target, &row->cost);
}

static bool is_below_ceiling(const struct choice *choice, struct candidate *row)
{
    (void)choice;
    return !row->target->has_max_price || money_compare(row->cost.bound, row->target->max_price) <= 0;
}

static bool is_cheaper(const struct choice *choice, struct candidate *row)
{
    const struct route_request *request = choice->request;
    return !request->wants_any_model || money_compare(row->cost.bound, request->cheaper_than) < 0;
}

static bool is_within_context(const struct choice *choice, struct candidate *row)
{
    (void)choice;
    return !row->cost.context_tokens || row->cost.input_tokens <= row->cost.context_tokens;
}

enum phase { PHASE_WRITTEN, PHASE_STATE, PHASE_ASKED };

static const struct filter_row {
    enum phase phase;
    enum left_out_kind kind;
    const char *why;
    bool (*lets_through)(const struct choice *choice, struct candidate *row);
} filter_rows[] = {
    {PHASE_WRITTEN, LEFT_OUT_SECRET, "no secret", has_secret},
    {PHASE_WRITTEN, LEFT_OUT_POLICY, "data policy", keeps_data_policy},
    {PHASE_WRITTEN, LEFT_OUT_POLICY, "its model is not allowed", is_allowed},
    {PHASE_WRITTEN, LEFT_OUT_TRANSLATION, "another dialect", is_dialect_allowed},
    {PHASE_WRITTEN, LEFT_OUT_TRANSLATION, "the conversation is elsewhere", can_be_referred_to},
    {PHASE_WRITTEN, LEFT_OUT_OTHER, "the conversation is elsewhere", is_where_it_stays},
    {PHASE_WRITTEN, LEFT_OUT_OTHER, "larger than its limit", can_ever_fit},
    {PHASE_STATE, LEFT_OUT_OTHER, "model missing at the provider", knows_model},
    {PHASE_STATE, LEFT_OUT_BUSY, "breaker open", is_breaker_ready},
    {PHASE_STATE, LEFT_OUT_BUSY, "rests as it asked", is_rested},
    {PHASE_STATE, LEFT_OUT_BUSY, "at its limit", is_below_limit},
    {PHASE_ASKED, LEFT_OUT_TRANSLATION, "cannot be translated", can_speak},
    {PHASE_ASKED, LEFT_OUT_PRICE, "price unknown", has_price},
    {PHASE_ASKED, LEFT_OUT_POLICY, "above its price ceiling", is_below_ceiling},
    {PHASE_ASKED, LEFT_OUT_OTHER, "not cheaper", is_cheaper},
    {PHASE_ASKED, LEFT_OUT_OTHER, "larger than its context window", is_within_context},
};

static void leave_out(struct choice *choice, struct candidate *row, const struct filter_row *filter)
{
    struct route *route = choice->route;
    row->why = filter->why;
    choice->left_out_of[filter->kind]++;
    if (filter->kind == LEFT_OUT_BUSY) {
        uint32_t wait_s = row->for_s ? row->for_s : 1;
        if (!route->retry_after_s || wait_s < route->retry_after_s)
            route->retry_after_s = wait_s;
    }
    if (route->left_out_count < ROUTE_LEFT_OUT_MAX)
        route->left_out[route->left_out_count++] =
            (struct route_left_out){row->target, filter->why, row->detail, row->for_s};
}

static void apply(struct choice *choice, struct candidate *row, enum phase phase)
{
    for (size_t i = 0; i < sizeof filter_rows / sizeof *filter_rows && !row->why; i++)
        if (filter_rows[i].phase == phase && !filter_rows[i].lets_through(choice, row))
            leave_out(choice, row, &filter_rows[i]);
}

static void apply_states(struct choice *choice)
{
    static struct use unknown; /* never written: what a target is without a row in a full table */
    pthread_mutex_lock(&choice->routing->lock);
    for (size_t i = 0; i < choice->count; i++) {
        struct candidate *row = &choice->rows[i];
        if (row->why)
            continue;
        row->use = use_find(choice->routing, row->target->id, choice->now_ns);
        if (!row->use)
            row->use = &unknown;
        apply(choice, row, PHASE_STATE);
        row->use = NULL;
    }
    pthread_mutex_unlock(&choice->routing->lock);
}

static size_t ask_tier(struct choice *choice, unsigned tier, bool is_spare)
{
    size_t left = 0;
    for (size_t i = 0; i < choice->count; i++) {
        struct candidate *row = &choice->rows[i];
        if (row->why || (unsigned)row->tier != tier)
            continue;
        row->is_spare = is_spare;
        if (!is_spare)
            apply(choice, row, PHASE_ASKED);
        left += !row->why;
    }
    return left;
}

void filters_apply(struct choice *choice)
{
    for (size_t i = 0; i < choice->count; i++)
        apply(choice, &choice->rows[i], PHASE_WRITTEN);
    apply_states(choice);
    size_t left = 0;
    for (unsigned tier = 0; choice->asks && tier < TIER_COUNT; tier++)
        left += ask_tier(choice, tier, left >= ATTEMPTS_MAX); /* no more will be tried */
}
