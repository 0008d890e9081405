/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy's digest: every setting that decides changes it, no other does. A setting that is added to config.h and
 * decides gets a row here.
 */
#include "cache/cache.h"
#include "tests/unit/suite.h"

static const char *some_names[] = {"a", "b"};
static struct model_group some_groups[] = {{.name = "fast", .target_ids = some_names, .target_count = 2}};
static uint32_t some_percent[] = {50};

/* A policy in which everything is there once. */
struct world {
    struct settings settings;
    struct consumer_group group;
    struct policy_rule rule;
    struct provider provider;
    struct target target;
    struct project project;
    struct wallet_seed wallet;
    struct budget budget;
    struct price_row price;
};

static void init(struct world *world)
{
    memset(world, 0, sizeof *world);
    world->settings.groups = &world->group;
    world->settings.rules = &world->rule;
    world->settings.providers = &world->provider;
    world->settings.targets = &world->target;
    world->settings.projects = &world->project;
    world->settings.wallets = &world->wallet;
    world->settings.budgets = &world->budget;
    world->settings.prices = &world->price;
    world->settings.group_count = world->settings.rule_count = world->settings.provider_count = 1;
    world->settings.target_count = world->settings.project_count = world->settings.wallet_count = 1;
    world->settings.budget_count = world->settings.price_count = 1;
    world->group.name = "g";
    world->rule.id = "r";
    world->provider.id = "p";
    world->target.id = "t";
    world->target.provider = &world->provider;
    world->project.name = "j";
}

#define DECIDES(name, statement)                                                                                       \
    static void name(struct world *w)                                                                                  \
    {                                                                                                                  \
        statement;                                                                                                     \
    }
#define ROWS                                                                                                           \
    ROW(environment, true, w->settings.environment = ENVIRONMENT_PROD)                                                 \
    ROW(no_group, true, w->settings.group_count = 0)                                                                   \
    ROW(group_name, true, w->group.name = "h")                                                                         \
    ROW(group_allowed, true, (w->group.allowed_models = some_names, w->group.allowed_model_count = 1))                 \
    ROW(group_denied, true, (w->group.denied_models = some_names, w->group.denied_model_count = 1))                    \
    ROW(group_output, true, w->group.output_tokens_max = 5)                                                            \
    ROW(group_keys, true, w->group.keys = KEYS_PLACEHOLDER_ONLY)                                                       \
    ROW(group_data, true, (w->group.data_policy = some_names, w->group.data_policy_count = 1))                         \
    ROW(group_strategy, true, w->group.routing.strategy = STRATEGY_ORDERED)                                            \
    ROW(group_unlisted, true, w->group.routing.on_unlisted_model = UNLISTED_PASS)                                      \
    ROW(group_cross, true, w->group.routing.cross_dialect = CROSS_DIALECT_NEVER)                                       \
    ROW(group_model_groups, true,                                                                                      \
        (w->group.routing.model_groups = some_groups, w->group.routing.model_group_count = 1))                         \
    ROW(no_rule, true, w->settings.rule_count = 0)                                                                     \
    ROW(rule_id, true, w->rule.id = "s")                                                                               \
    ROW(rule_action, true, w->rule.action = RULE_REDACT)                                                               \
    ROW(rule_groups, true, (w->rule.groups = some_names, w->rule.group_count = 1))                                     \
    ROW(rule_projects, true, (w->rule.projects = some_names, w->rule.project_count = 1))                               \
    ROW(rule_models, true, (w->rule.models = some_names, w->rule.model_count = 1))                                     \
    ROW(rule_endpoints, true, (w->rule.endpoints = some_names, w->rule.endpoint_count = 1))                            \
    ROW(rule_hours, true, w->rule.has_hours = true)                                                                    \
    ROW(rule_from, true, w->rule.from_minute = 5)                                                                      \
    ROW(rule_to, true, w->rule.to_minute = 5)                                                                          \
    ROW(rule_days, true, w->rule.days = 1)                                                                             \
    ROW(rule_output_above, true, w->rule.output_tokens_above = 1)                                                      \
    ROW(rule_input_above, true, w->rule.input_bytes_above = 1)                                                         \
    ROW(rule_detect, true, w->rule.detect = DETECT_EMAIL)                                                              \
    ROW(rule_keywords, true, (w->rule.keywords = some_names, w->rule.keyword_count = 2))                               \
    ROW(rule_patterns, true, (w->rule.pattern_texts = some_names, w->rule.pattern_count = 2))                          \
    ROW(rule_output_max, true, w->rule.output_tokens_max = 9)                                                          \
    ROW(provider_id, true, w->provider.id = "q")                                                                       \
    ROW(provider_dialect, true, w->provider.dialect = DIALECT_GEMINI)                                                  \
    ROW(provider_hosts, true, (w->provider.hosts = some_names, w->provider.host_count = 1))                            \
    ROW(provider_base, true, w->provider.base_url = "https://x")                                                       \
    ROW(provider_ca, true, w->provider.ca_file = "/x")                                                                 \
    ROW(provider_local, true, w->provider.local = true)                                                                \
    ROW(provider_prefix, true, w->provider.api_prefix = "/v2")                                                         \
    ROW(provider_responses, true, w->provider.speaks_responses = true)                                                 \
    ROW(provider_limit, true, w->provider.limits_by_max_tokens = true)                                                 \
    ROW(target_id, true, w->target.id = "u")                                                                           \
    ROW(target_model, true, w->target.model = "m2")                                                                    \
    ROW(target_base, true, w->target.base_url = "https://y")                                                           \
    ROW(target_weight, true, w->target.weight = 3)                                                                     \
    ROW(target_price, true, (w->target.pricing.input.pico = 5, w->target.pricing.has_input = true))                    \
    ROW(target_max_price, true, w->target.has_max_price = true)                                                        \
    ROW(target_data, true, (w->target.data_policy = some_names, w->target.data_policy_count = 1))                      \
    ROW(routing_strategy, true, w->settings.routing.strategy = STRATEGY_STICKY)                                        \
    ROW(routing_unlisted, true, w->settings.routing.on_unlisted_model = UNLISTED_BLOCK)                                \
    ROW(routing_cross, true, w->settings.routing.cross_dialect = CROSS_DIALECT_EQUAL)                                  \
    ROW(routing_fallback, true, w->settings.routing.fallback = true)                                                   \
    ROW(routing_translated, true, w->settings.routing.translated_output_tokens = 7)                                    \
    ROW(routing_model_groups, true,                                                                                    \
        (w->settings.routing.model_groups = some_groups, w->settings.routing.model_group_count = 1))                   \
    ROW(no_project, true, w->settings.project_count = 0)                                                               \
    ROW(project_name, true, w->project.name = "k")                                                                     \
    ROW(project_strategy, true, w->project.routing.strategy = STRATEGY_ORDERED)                                        \
    ROW(capture_hosts, true, (w->settings.capture.hosts = some_names, w->settings.capture.host_count = 1))             \
    ROW(capture_provider, true, w->settings.capture.unlisted_provider = UNLISTED_PASS)                                 \
    ROW(capture_endpoint, true, w->settings.capture.unmetered_endpoint = UNLISTED_PASS)                                \
    ROW(unknown_price, true, w->settings.cost_tracking.unknown_price = UNKNOWN_PRICE_BLOCK)                            \
    ROW(prices_as_of, true, w->settings.prices_as_of = "2026-11-01")                                                   \
    ROW(nothing, false, (void)w)                                                                                       \
    ROW(file, false, w->settings.file = "x")                                                                           \
    ROW(alerts, false, w->settings.alerts.days_left = 3)                                                               \
    ROW(webhook, false, w->settings.alerts.webhook_url = "https://x")                                                  \
    ROW(budget, false, w->budget.amount.nano = 5)                                                                      \
    ROW(budget_alerts, false, (w->budget.alerts = some_percent, w->budget.alert_count = 1))                            \
    ROW(wallet, false, w->wallet.credit.nano = 5)                                                                      \
    ROW(cache_ttl, false, w->settings.cache.ttl_seconds = 5)                                                           \
    ROW(group_api_key, false, w->group.api_key = "kt_cg_x")                                                            \
    ROW(group_rate, false, w->group.rate_limits.requests_per_minute = 5)                                               \
    ROW(target_secret_name, false, w->target.secret_environment = "KEY2")                                              \
    ROW(target_timeout, false, w->target.timeout_ms = 5)                                                               \
    ROW(target_limit, false, w->target.limit_requests_per_minute = 5)                                                  \
    ROW(rule_message, false, w->rule.message = "no")                                                                   \
    ROW(limits, false, w->settings.limits.loops = 2)                                                                   \
    ROW(access, false, w->settings.access.uid_count = 0)                                                               \
    ROW(backups, false, w->settings.backups.kept = 5)

#define ROW(name, decides, statement) DECIDES(change_##name, statement)
ROWS
#undef ROW

    static const struct {
    const char *name;
    bool decides;
    void (*change)(struct world *world);
} rows[] = {
#define ROW(name, decides, statement) {#name, decides, change_##name},
    ROWS
#undef ROW
};

TEST(what_decides_changes_the_digest)
{
    enum { COUNT = sizeof rows / sizeof *rows };
    struct cache_policy policies[COUNT], plain;
    struct world world;
    init(&world);
    cache_read_policy(&world.settings, &plain);
    EXPECT(plain.is_made && plain.uses_projects, "not made");
    for (size_t i = 0; i < COUNT; i++) {
        init(&world);
        rows[i].change(&world);
        cache_read_policy(&world.settings, &policies[i]);
        EXPECT((memcmp(plain.digest, policies[i].digest, DIGEST_BYTES) != 0) == rows[i].decides, "%s", rows[i].name);
        for (size_t j = 0; j < i; j++)
            if (rows[i].decides && rows[j].decides)
                EXPECT(memcmp(policies[i].digest, policies[j].digest, DIGEST_BYTES) != 0, "%s and %s", rows[i].name,
                       rows[j].name);
    }
}

TEST(projects_are_used_by_projects_and_rules)
{
    struct world world;
    struct cache_policy policy;
    init(&world);
    world.settings.project_count = 0;
    cache_read_policy(&world.settings, &policy);
    EXPECT(!policy.uses_projects, "none");
    change_rule_projects(&world);
    cache_read_policy(&world.settings, &policy);
    EXPECT(policy.uses_projects, "a rule");
}
