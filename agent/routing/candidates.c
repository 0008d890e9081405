/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which targets a call is about: those that list its model, those of its model group, or what the rules say of a model
 * that is not listed. Called by routing.c, without a lock; asks nobody.
 */
#include "routing/candidates.h"

#include <string.h>

bool candidates_is_translatable(enum api api)
{
    return api == API_CHAT || api == API_RESPONSES || api == API_MESSAGES;
}

bool candidates_is_chat(enum api api)
{
    return candidates_is_translatable(api) || api == API_GENERATE || api == API_COMPLETIONS;
}

static bool is_of_provider(const struct target *target, const struct provider *provider)
{
    return !strcmp(target->provider->id, provider->id);
}

static bool is_of_dialect(const struct target *target, const struct route_request *request)
{
    return target->provider->dialect == request->provider->dialect;
}

static bool is_of_called_provider(const struct target *target, const struct route_request *request)
{
    return is_of_provider(target, request->provider);
}

static bool is_of_model(const struct target *target, const struct route_request *request)
{
    return !strcmp(target->model, request->model);
}

static bool is_any(const struct target *target, const struct route_request *request)
{
    (void)target;
    (void)request;
    return true;
}

/* The api of the call, without translation. */
static bool is_native(const struct target *target, const struct route_request *request)
{
    return is_of_dialect(target, request) && (request->api != API_RESPONSES || target->provider->speaks_responses);
}

static enum tier find_tier(const struct choice *choice, const struct target *target)
{
    const struct route_request *request = choice->request;
    if (request->is_continued && target == choice->remembered)
        return TIER_REMEMBERED;
    if (choice->cross_dialect == CROSS_DIALECT_EQUAL && !request->is_continued)
        return TIER_OWN;
    /* Files, batches and what else names no model lies at the provider that was called. */
    if (!candidates_is_chat(request->api) && !request->model[0])
        return is_of_called_provider(target, request) ? TIER_OWN : TIER_OTHER;
    if (is_native(target, request))
        return TIER_OWN;
    return is_of_dialect(target, request) ? TIER_TRANSLATED : TIER_OTHER;
}

static void add(struct choice *choice, const struct target *target)
{
    for (size_t i = 0; i < choice->count; i++)
        if (choice->rows[i].target == target)
            return;
    if (choice->count == CANDIDATES_MAX)
        return;
    choice->rows[choice->count] =
        (struct candidate){.target = target, .position = (unsigned)choice->count, .tier = find_tier(choice, target)};
    choice->count++;
}

static bool collect(struct choice *choice,
                    bool (*fits)(const struct target *target, const struct route_request *request), const char *reason)
{
    const struct settings *settings = choice->request->settings;
    for (size_t i = 0; i < settings->target_count; i++)
        if (fits(&settings->targets[i], choice->request))
            add(choice, &settings->targets[i]);
    if (choice->count)
        choice->route->reason = reason;
    return choice->count > 0;
}

static bool collect_model_group(struct choice *choice)
{
    const struct model_group *group = rules_find_model_group(choice, choice->request->model);
    if (!group)
        return false;
    for (size_t i = 0; i < group->target_count; i++)
        if (group->targets[i])
            add(choice, group->targets[i]);
    if (group->strategy != STRATEGY_INHERIT)
        choice->strategy = group->strategy;
    choice->route->reason = "model group";
    choice->route->model_group = group->name;
    return true;
}

static enum error pass(struct choice *choice, const char *reason)
{
    choice->count = 0;
    choice->route->is_pass = true;
    choice->route->is_rerouted = choice->route->keeps_model = false;
    choice->route->reason = reason;
    return ERROR_OK;
}

enum error candidates_pass_provider(struct choice *choice)
{
    enum unlisted rule = choice->request->settings->capture.unlisted_provider;
    if (rule != UNLISTED_PASS && rule != UNLISTED_METER)
        return ERROR_PROVIDER_UNLISTED;
    return pass(choice, "provider without a target, passed");
}

static bool is_provider_listed(const struct route_request *request)
{
    for (size_t i = 0; i < request->settings->target_count; i++)
        if (is_of_dialect(&request->settings->targets[i], request))
            return true;
    return false;
}

/* A model of embeddings or images has no stand-in among chat models: the called provider gets it as it is, with a key
 * of the environment. */
static enum error keep_model(struct choice *choice)
{
    choice->asks = NULL; /* both would answer for the target's own model */
    choice->route->keeps_model = true;
    return collect(choice, is_of_called_provider, "unlisted model, sent as it is with a key of its provider")
               ? ERROR_OK
               : candidates_pass_provider(choice);
}

static enum error collect_unlisted(struct choice *choice)
{
    const struct route_request *request = choice->request;
    bool is_listed = is_provider_listed(request), is_chat = candidates_is_chat(request->api);
    bool can_cross = candidates_is_translatable(request->api) && choice->cross_dialect != CROSS_DIALECT_NEVER;
    if (!is_listed && !(choice->on_unlisted_model == UNLISTED_ROUTE && can_cross))
        return candidates_pass_provider(choice);
    if (choice->on_unlisted_model == UNLISTED_PASS)
        return pass(choice, "unlisted model, passed");
    if (choice->on_unlisted_model != UNLISTED_ROUTE)
        return ERROR_MODEL_UNLISTED;
    if (!is_chat)
        return keep_model(choice);
    choice->route->is_rerouted = true;
    return collect(choice, is_any, "unlisted model, the environment's lane decides") ? ERROR_OK
                                                                                     : candidates_pass_provider(choice);
}

/* Chat models can stand in for each other; what else names a model can only go to another target of it. */
static enum error collect_cheaper(struct choice *choice)
{
    bool is_chat = candidates_is_chat(choice->request->api);
    choice->strategy = STRATEGY_LOWEST_COST;
    return collect(choice, is_chat ? is_any : is_of_model, "money is short: a cheaper target") ? ERROR_OK
                                                                                               : ERROR_NO_TARGET;
}

enum error candidates_collect(struct choice *choice)
{
    const struct route_request *request = choice->request;
    if (request->wants_any_model)
        return collect_cheaper(choice);
    if (!request->model[0])
        return collect(choice, is_of_dialect, "no model named") ? ERROR_OK : candidates_pass_provider(choice);
    if (collect(choice, is_of_model, "listed model") || collect_model_group(choice))
        return ERROR_OK;
    return collect_unlisted(choice);
}

bool candidates_is_unlisted_provider(const struct choice *choice)
{
    return choice->route->is_rerouted && !is_provider_listed(choice->request) &&
           choice->left_out_of[LEFT_OUT_TRANSLATION] == choice->count;
}

size_t candidates_count_left(const struct choice *choice)
{
    size_t count = 0;
    for (size_t i = 0; i < choice->count; i++)
        count += !choice->rows[i].why && !choice->rows[i].is_spare;
    return count;
}
