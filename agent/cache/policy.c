/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the settings decide what answer a request gets, as one digest: a change of any of them, and no older answer
 * is found. Called once per snapshot. What only decides when, how fast or at what cost an answer comes is not in it. A
 * new member of struct settings that decides must be added here: tests/unit/test_cache_policy.c has a row for each.
 */
#include "cache/internal.h"

enum { PARTS_BYTES_MAX = 32 << 20 }; /* policies are files of at most 1 MiB */

static void add_model_groups(struct parts *parts, const struct model_group *groups, size_t count)
{
    parts_add_number(parts, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        parts_add_text(parts, groups[i].name);
        parts_add_list(parts, groups[i].target_ids, groups[i].target_count);
        parts_add_number(parts, groups[i].strategy);
    }
}

static void add_override(struct parts *parts, const struct routing_override *override)
{
    parts_add_number(parts, override->strategy);
    parts_add_number(parts, override->on_unlisted_model);
    parts_add_number(parts, override->cross_dialect);
    add_model_groups(parts, override->model_groups, override->model_group_count);
}

/* Not its key and uids, which say who is in it: that is the tenant. */
static void add_group(struct parts *parts, const struct consumer_group *group)
{
    parts_add_text(parts, group->name);
    parts_add_list(parts, group->allowed_models, group->allowed_model_count);
    parts_add_list(parts, group->denied_models, group->denied_model_count);
    parts_add_number(parts, (int64_t)group->output_tokens_max);
    parts_add_number(parts, group->keys);
    parts_add_list(parts, group->data_policy, group->data_policy_count);
    add_override(parts, &group->routing);
}

static void add_rule(struct parts *parts, const struct policy_rule *rule)
{
    parts_add_text(parts, rule->id);
    parts_add_number(parts, rule->action);
    parts_add_list(parts, rule->groups, rule->group_count);
    parts_add_list(parts, rule->projects, rule->project_count);
    parts_add_list(parts, rule->models, rule->model_count);
    parts_add_list(parts, rule->endpoints, rule->endpoint_count);
    parts_add_number(parts, rule->has_hours);
    parts_add_number(parts, rule->from_minute);
    parts_add_number(parts, rule->to_minute);
    parts_add_number(parts, rule->days);
    parts_add_number(parts, (int64_t)rule->output_tokens_above);
    parts_add_number(parts, (int64_t)rule->input_bytes_above);
    parts_add_number(parts, rule->detect);
    parts_add_list(parts, rule->keywords, rule->keyword_count);
    parts_add_list(parts, rule->pattern_texts, rule->pattern_count);
    parts_add_number(parts, (int64_t)rule->output_tokens_max);
}

static void add_provider(struct parts *parts, const struct provider *provider)
{
    parts_add_text(parts, provider->id);
    parts_add_number(parts, provider->dialect);
    parts_add_list(parts, provider->hosts, provider->host_count);
    parts_add_text(parts, provider->base_url);
    parts_add_text(parts, provider->ca_file);
    parts_add_number(parts, provider->local);
    parts_add_text(parts, provider->api_prefix);
    parts_add_number(parts, provider->speaks_responses);
    parts_add_number(parts, provider->limits_by_max_tokens);
}

static void add_prices(struct parts *parts, const struct price_set *prices)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        parts_add_number(parts, prices->has[i] ? prices->of[i].pico : -1);
}

/* Its secret is where it is, whatever it is: only the answer's maker counts. Prices decide by max_price and by the
 * strategy lowest_cost. */
static void add_target(struct parts *parts, const struct target *target)
{
    parts_add_text(parts, target->id);
    parts_add_text(parts, target->provider ? target->provider->id : NULL);
    parts_add_text(parts, target->model);
    parts_add_text(parts, target->base_url);
    parts_add_text(parts, target->ca_file);
    parts_add_number(parts, target->local);
    parts_add_number(parts, target->weight);
    add_prices(parts, &target->pricing);
    parts_add_number(parts, target->has_max_price ? target->max_price.nano : -1);
    parts_add_list(parts, target->data_policy, target->data_policy_count);
}

static void add_routing(struct parts *parts, const struct settings *settings)
{
    parts_add_number(parts, settings->routing.strategy);
    parts_add_number(parts, settings->routing.on_unlisted_model);
    parts_add_number(parts, settings->routing.cross_dialect);
    parts_add_number(parts, settings->routing.fallback);
    parts_add_number(parts, (int64_t)settings->routing.translated_output_tokens);
    add_model_groups(parts, settings->routing.model_groups, settings->routing.model_group_count);
    parts_add_number(parts, (int64_t)settings->project_count);
    for (size_t i = 0; i < settings->project_count; i++) {
        parts_add_text(parts, settings->projects[i].name);
        add_override(parts, &settings->projects[i].routing);
    }
}

static void add_capture(struct parts *parts, const struct settings *settings)
{
    parts_add_list(parts, settings->capture.hosts, settings->capture.host_count);
    parts_add_number(parts, settings->capture.unlisted_provider);
    parts_add_number(parts, settings->capture.unmetered_endpoint);
    parts_add_number(parts, settings->cost_tracking.unknown_price);
    parts_add_text(parts, settings->prices_as_of);
}

static bool has_projects(const struct settings *settings)
{
    for (size_t i = 0; i < settings->rule_count; i++)
        if (settings->rules[i].project_count)
            return true;
    return settings->project_count > 0;
}

void cache_read_policy(const struct settings *settings, struct cache_policy *ret_policy)
{
    struct parts parts;
    parts_init(&parts, PARTS_BYTES_MAX);
    parts_add_number(&parts, settings->environment);
    parts_add_number(&parts, (int64_t)settings->group_count);
    for (size_t i = 0; i < settings->group_count; i++)
        add_group(&parts, &settings->groups[i]);
    parts_add_number(&parts, (int64_t)settings->rule_count);
    for (size_t i = 0; i < settings->rule_count; i++)
        add_rule(&parts, &settings->rules[i]);
    parts_add_number(&parts, (int64_t)settings->provider_count);
    for (size_t i = 0; i < settings->provider_count; i++)
        add_provider(&parts, &settings->providers[i]);
    parts_add_number(&parts, (int64_t)settings->target_count);
    for (size_t i = 0; i < settings->target_count; i++)
        add_target(&parts, &settings->targets[i]);
    add_routing(&parts, settings);
    add_capture(&parts, settings);
    ret_policy->uses_projects = has_projects(settings);
    ret_policy->is_made = parts_finish(&parts, ret_policy->digest);
}
