/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/: settings of routing, of the provider catalogue and of the price list: what arrives, what is the default, and
 * what is said about mistakes.
 */
#include "tests/unit/config_files.h"

/* Three targets from line 5 on; what follows begins at line 9. */
#define THREE                                                                                                          \
    GROUP "providers:\n"                                                                                               \
          "  targets:\n"                                                                                               \
          "    - {id: a, provider: openai, model: m-a, max_price: 0.25, data_policy: [eu, zero]}\n"                    \
          "    - {id: b, provider: anthropic, model: m-b}\n"                                                           \
          "    - {id: c, provider: google, model: m-c}\n"

TEST(routing_arrives_where_it_belongs)
{
    struct load load;
    const struct settings *settings = load_good(
        write_text("routing.prod.yaml", THREE
                   "  routing: {strategy: sticky, on_unlisted_model: pass, cross_dialect: never, fallback: false,\n"
                   "    max_attempts: 2, min_samples: 7, translated_output_tokens: 99,\n"
                   "    circuit_breaker: {enabled: false, failures: 2, error_percent: 3, min_requests: 4,\n"
                   "      window_seconds: 5, open_seconds: 6, probes: 7},\n"
                   "    model_groups: [{name: fast/x, targets: [c, a], strategy: lowest_latency},\n"
                   "      {name: g2, targets: [b]}]}\n"),
        &load);
    EXPECT_INTEGER(settings->routing.strategy, STRATEGY_STICKY);
    EXPECT_INTEGER(settings->routing.on_unlisted_model, UNLISTED_PASS);
    EXPECT_INTEGER(settings->routing.cross_dialect, CROSS_DIALECT_NEVER);
    EXPECT(!settings->routing.fallback && settings->routing.attempts_max == 2, "tries");
    EXPECT_INTEGER(settings->routing.latency_samples_min, 7);
    EXPECT_INTEGER(settings->routing.translated_output_tokens, 99);
    EXPECT(!settings->routing.breaker.enabled && settings->routing.breaker.failures == 2 &&
               settings->routing.breaker.error_percent == 3 && settings->routing.breaker.samples_min == 4 &&
               settings->routing.breaker.window_s == 5 && settings->routing.breaker.open_s == 6 &&
               settings->routing.breaker.probes == 7,
           "breaker");
    CU_ASSERT_EQUAL_FATAL(settings->routing.model_group_count, 2);
    const struct model_group *group = &settings->routing.model_groups[0];
    EXPECT_STRING(group->name, "fast/x");
    EXPECT_INTEGER(group->strategy, STRATEGY_LOWEST_LATENCY);
    EXPECT(group->target_count == 2 && group->targets[0] == &settings->targets[2] &&
               group->targets[1] == &settings->targets[0],
           "in the order written");
    EXPECT_STRING(group->target_ids[0], "c");
    EXPECT_INTEGER(settings->routing.model_groups[1].strategy, STRATEGY_INHERIT);
    EXPECT(settings->targets[0].has_max_price && settings->targets[0].max_price.nano == 250000000, "max_price");
    EXPECT(!settings->targets[1].has_max_price, "no max_price");
    EXPECT(settings->targets[0].data_policy_count == 2 && strcmp(settings->targets[0].data_policy[1], "zero") == 0,
           "data_policy");
    done(&load);
}

static void expect_routing_defaults(const struct settings *settings)
{
    EXPECT_INTEGER(settings->routing.strategy, STRATEGY_USAGE_BASED);
    EXPECT_INTEGER(settings->routing.cross_dialect, CROSS_DIALECT_LAST_RESORT);
    EXPECT(settings->routing.fallback && settings->routing.attempts_max == 3, "tries");
    EXPECT(settings->routing.latency_samples_min == 5 && settings->routing.translated_output_tokens == 8192, "numbers");
    EXPECT(settings->routing.breaker.enabled && settings->routing.breaker.failures == 5 &&
               settings->routing.breaker.error_percent == 50 && settings->routing.breaker.samples_min == 20 &&
               settings->routing.breaker.window_s == 60 && settings->routing.breaker.open_s == 30 &&
               settings->routing.breaker.probes == 2,
           "breaker");
    EXPECT(settings->routing.model_group_count == 0 && settings->project_count == 0 && settings->rule_count == 0,
           "nothing that was not written");
    EXPECT_INTEGER(settings->cost_tracking.job_deadline_s, 25 * 3600);
    const struct consumer_group *group = &settings->groups[0];
    EXPECT(group->routing.strategy == STRATEGY_INHERIT && group->routing.on_unlisted_model == UNLISTED_INHERIT &&
               group->routing.cross_dialect == CROSS_DIALECT_INHERIT && group->routing.model_group_count == 0,
           "a group inherits");
    EXPECT(group->rate_limits.requests_per_minute == 0 && group->rate_limits.tokens_per_minute == 0 &&
               group->rate_limits.requests_per_day == 0 && group->rate_limits.tokens_per_day == 0 &&
               group->data_policy_count == 0,
           "no limits");
}

TEST(the_defaults_are_those_of_the_environment)
{
    struct load load;
    const struct settings *settings = load_good("policies/policy-config.dev.yaml", &load);
    expect_routing_defaults(settings);
    EXPECT_INTEGER(settings->routing.on_unlisted_model, UNLISTED_ROUTE);
    EXPECT(settings->cost_tracking.cheaper_target, "dev goes to cheaper targets");
    done(&load);
    settings = load_good("policies/policy-config.prod.yaml", &load);
    expect_routing_defaults(settings);
    EXPECT_INTEGER(settings->routing.on_unlisted_model, UNLISTED_BLOCK);
    EXPECT(!settings->cost_tracking.cheaper_target, "prod never answers with another model for lack of money");
    done(&load);
}

TEST(every_strategy_is_in_force)
{
    static const char *const names[] = {"usage_based", "ordered",        "weighted",   "round_robin",
                                        "lowest_cost", "lowest_latency", "least_busy", "sticky"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct load load;
        char text[512];
        snprintf(text, sizeof text, "%s  routing: {strategy: %s}\n", BOTH, names[i]);
        const struct settings *settings = load_good(write_text("strategy.dev.yaml", text), &load);
        EXPECT(settings->routing.strategy == STRATEGY_USAGE_BASED + i, "%s", names[i]);
        done(&load);
    }
}

TEST(groups_and_projects_override_routing)
{
    struct load load;
    const struct settings *settings =
        load_good(write_text("override.dev.yaml",
                             "consumer_groups:\n"
                             "  - name: g\n    api_key: kt_cg_g\n    wallet_team_id: w\n"
                             "    rate_limits: {requests_per_minute: 1, tokens_per_minute: 2, requests_per_day: 3,\n"
                             "      tokens_per_day: 1000000000000000}\n"
                             "    data_policy: [eu]\n"
                             "    routing: {strategy: weighted, on_unlisted_model: block, cross_dialect: equal}\n"
                             "    model_groups: [{name: fast, targets: [t]}]\n"
                             "projects:\n"
                             "  - {name: nightly-*, routing: {strategy: lowest_cost}}\n"
                             "  - {name: chat, model_groups: [{name: fast, targets: [t], strategy: ordered}]}\n"
                             "cost_tracking: {cheaper_target: false, job_deadline_seconds: 60}\n" TARGET
                             "      data_policy: [eu]\n"),
                  &load);
    const struct consumer_group *group = &settings->groups[0];
    EXPECT(group->rate_limits.requests_per_minute == 1 && group->rate_limits.tokens_per_minute == 2 &&
               group->rate_limits.requests_per_day == 3 && group->rate_limits.tokens_per_day == 1000000000000000,
           "limits");
    EXPECT(group->data_policy_count == 1 && strcmp(group->data_policy[0], "eu") == 0, "data_policy");
    EXPECT_INTEGER(group->routing.strategy, STRATEGY_WEIGHTED);
    EXPECT_INTEGER(group->routing.on_unlisted_model, UNLISTED_BLOCK);
    EXPECT_INTEGER(group->routing.cross_dialect, CROSS_DIALECT_EQUAL);
    CU_ASSERT_EQUAL_FATAL(group->routing.model_group_count, 1);
    EXPECT(group->routing.model_groups[0].targets[0] == &settings->targets[0], "its target");
    CU_ASSERT_EQUAL_FATAL(settings->project_count, 2);
    EXPECT_STRING(settings->projects[0].name, "nightly-*");
    EXPECT_INTEGER(settings->projects[0].routing.strategy, STRATEGY_LOWEST_COST);
    EXPECT_INTEGER(settings->projects[0].routing.on_unlisted_model, UNLISTED_INHERIT);
    CU_ASSERT_EQUAL_FATAL(settings->projects[1].routing.model_group_count, 1);
    EXPECT(settings->projects[1].routing.model_groups[0].targets[0] == &settings->targets[0] &&
               settings->projects[1].routing.model_groups[0].strategy == STRATEGY_ORDERED,
           "its model group");
    EXPECT(!settings->cost_tracking.cheaper_target && settings->cost_tracking.job_deadline_s == 60, "cost_tracking");
    done(&load);
}

/* THREE ends on line 9; the key under test is on line 10. */
static const struct bad bad_routing[] = {
    {THREE "  routing: {strategy: weigthed}\n", 10, 23,
     "\"strategy\" cannot be \"weigthed\", did you mean \"weighted\"?", 0},
    {THREE "  routing: {strategy: inherit}\n", 10, 23, "\"strategy\" cannot be \"inherit\"", 0},
    {THREE "  routing: {cross_dialect: nevr}\n", 10, 28,
     "\"cross_dialect\" cannot be \"nevr\", did you mean \"never\"?", 0},
    {THREE "  routing: {fallback: {}}\n", 10, 23, "\"fallback\" must be a single value", 0},
    {THREE "  routing: {max_attempts: 4}\n", 10, 27, "\"max_attempts\" is out of range: 4", 0},
    {THREE "  routing: {max_attempts: 0}\n", 10, 27, "\"max_attempts\" is out of range: 0", 0},
    {THREE "  routing: {circut_breaker: {}}\n", 10, 13,
     "unknown key \"circut_breaker\" in routing, did you mean \"circuit_breaker\"?", 0},
    {THREE "  routing: {circuit_breaker: {error_percent: 101}}\n", 10, 46, "\"error_percent\" is out of range: 101", 0},
    {THREE "  routing: {circuit_breaker: {probes: 0}}\n", 10, 39, "\"probes\" is out of range: 0", 0},
    {THREE "  routing: {model_groups: {}}\n", 10, 27, "\"model_groups\" must be a list", 0},
    {THREE "  routing: {model_groups: [{targets: [a]}]}\n", 10, 28, "model group lacks \"name\"", 0},
    {THREE "  routing: {model_groups: [{name: x}]}\n", 10, 28, "model group lacks \"targets\"", 0},
    {THREE "  routing: {model_groups: [{name: x, targets: []}]}\n", 10, 47, "a model group needs at least one target",
     0},
    {THREE "  routing: {model_groups: [{name: x, targets: [a, zz, b]}]}\n", 10, 51, "there is no target \"zz\"", 0},
    {THREE "  routing: {model_groups: [{name: x, targets: [b, a, b]}]}\n", 10, 54, "target \"b\" is listed twice", 0},
    {THREE "  routing: {model_groups: [{name: x, targets: [a]}, {name: x, targets: [b]}]}\n", 10, 60,
     "\"name\" is used twice: x, first on line 10", 0},
    {THREE "    - {id: long-name, provider: openai, model: m}\n"
           "  routing: {model_groups: [{name: x, targets: [long-nam]}]}\n",
     11, 48, "there is no target \"long-nam\", did you mean \"long-name\"?", 0},
    {THREE "    - {id: d, provider: openai, model: m, max_price: -1}\n", 10, 54,
     "\"max_price\" must be from 0 to 1000000 USD", 0},
    {THREE "    - {id: d, provider: openai, model: m, data_policy: [\"a b\"]}\n", 10, 57,
     "\"data_policy\" is no valid name: \"a b\"", 0},
    {THREE "  model_groups: []\n", 10, 3, "unknown key \"model_groups\" in providers", 0},
    {THREE "projects: [{name: p}, {name: p}]\n", 10, 30, "\"name\" is used twice: p, first on line 10", 0},
    {THREE "projects: [{routing: {}}]\n", 10, 12, "project lacks \"name\"", 0},
    {THREE "projects: [{name: '*p'}]\n", 10, 19, "\"name\": '*' is only allowed at the end", 0},
    {THREE "projects: [{name: p, routing: {fallback: true}}]\n", 10, 32, "unknown key \"fallback\" in routing", 0},
    {THREE "projects: [{name: p, model_groups: [{name: x, targets: [qqqq]}]}]\n", 10, 57, "there is no target \"qqqq\"",
     0},
    {GROUP "    rate_limits: {tokens_per_minut: 3}\n", 5, 19,
     "unknown key \"tokens_per_minut\" in rate_limits, did you mean \"tokens_per_minute\"?", 0},
    {GROUP "    rate_limits: {requests_per_day: -1}\n", 5, 37,
     "\"requests_per_day\" must be a whole number, not \"-1\"", 0},
    {GROUP "    routing: {on_unlisted_model: meter}\n", 5, 34, "\"on_unlisted_model\" cannot be \"meter\"", 0},
    {GROUP "    model_groups: [{name: x, targets: [qqqq]}]\n", 5, 40, "there is no target \"qqqq\"", 0},
    {GROUP "    budgets: []\n", 5, 5, "\"budgets\" is not supported by this version yet", 0},
    {GROUP "cost_tracking: {job_deadline_seconds: 59}\n", 5, 39, "\"job_deadline_seconds\" is out of range: 59", 0},
};

TEST(bad_routing_is_refused_with_its_place)
{
    expect_bad(bad_routing, sizeof bad_routing / sizeof *bad_routing);
}

TEST(a_key_in_the_wrong_place_is_told_where_it_belongs)
{
    struct load load_result = load(write_text("place.dev.yaml", GROUP "model_groups: []\n"));
    const struct config_problem *row = find_problem(&load_result, 5, 1, "unknown key \"model_groups\" in the policy");
    EXPECT(row && row->hint && strcmp(row->hint, "this key belongs to providers.routing") == 0, "%s",
           row && row->hint ? row->hint : "no hint");
    done(&load_result);
}

static void expect_warning(const char *text, unsigned line, unsigned column, const char *message)
{
    struct load load_result = load(write_text("warn.dev.yaml", text));
    const struct config_problem *row = find_problem(&load_result, line, column, message);
    EXPECT(row && row->is_warning && load_result.error == ERROR_OK, "%s", text);
    done(&load_result);
}

TEST(what_routing_can_never_use_is_a_warning)
{
    expect_warning(THREE "  routing: {model_groups: [{name: m-b, targets: [a]}]}\n", 10, 35,
                   "model group \"m-b\" has the name of the model of target \"b\": such requests go to that model's "
                   "targets");
    expect_warning("consumer_groups: [{name: g, api_key: kt_cg_g, wallet_team_id: w, data_policy: [eu, moon]}]\n"
                   "providers: {targets: [{id: a, provider: openai, model: m, data_policy: [eu]}]}\n",
                   1, 84, "no target has the data policy \"moon\": calls of this group are refused");
    expect_warning(BOTH "      base_url: https://proxy.example/v1/\n", 10, 17,
                   "\"base_url\" ends with \"/v1\", which is added to it");
}

/* ---- the catalogue ---- */

static const struct provider *provider_of(const struct settings *settings, const char *id)
{
    for (size_t i = 0; i < settings->provider_count; i++)
        if (strcmp(settings->providers[i].id, id) == 0)
            return &settings->providers[i];
    CU_FAIL_FATAL("no such provider");
    return NULL;
}

TEST(the_catalogue_says_how_each_provider_is_spoken_to)
{
    static const struct {
        const char *id, *prefix;
        bool responses, by_max_tokens;
    } rows[] = {
        {"openai", "/v1", true, false},
        {"anthropic", "/v1", false, true},
        {"google", "/v1beta", false, true},
        {"azure", "/openai/v1", true, false},
        {"mistral", "/v1", false, true},
        {"groq", "/openai/v1", false, false},
        {"deepseek", "", false, true},
        {"together", "/v1", false, true},
        {"fireworks", "/inference/v1", false, true},
        {"xai", "/v1", true, false},
        {"openrouter", "/api/v1", false, true},
        {"perplexity", "", false, true},
        {"cohere", "/compatibility/v1", false, true},
        {"cerebras", "/v1", false, false},
    };
    struct load load;
    const struct settings *settings = load_good(write_text("catalogue.dev.yaml", BOTH), &load);
    EXPECT_INTEGER(settings->provider_count, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct provider *provider = provider_of(settings, rows[i].id);
        EXPECT(strcmp(provider->api_prefix, rows[i].prefix) == 0, "%s %s", rows[i].id, provider->api_prefix);
        EXPECT(provider->speaks_responses == rows[i].responses, "%s responses", rows[i].id);
        EXPECT(provider->limits_by_max_tokens == rows[i].by_max_tokens, "%s limit", rows[i].id);
        EXPECT(provider->key_environment_count > 0, "%s key", rows[i].id);
        EXPECT((provider->base_url != NULL) == (strcmp(rows[i].id, "azure") != 0), "%s base_url", rows[i].id);
    }
    const struct provider *azure = provider_of(settings, "azure");
    EXPECT(azure->host_count == 0 && azure->host_pattern_count == 3 && azure->key_header == KEY_HEADER_API_KEY,
           "azure");
    EXPECT_STRING(azure->host_patterns[0], "*.openai.azure.com");
    done(&load);
}

/* An alias that names no row of the price list would be priced as the unknown. */
TEST(aliases_name_models_of_the_price_list)
{
    struct load load;
    const struct settings *settings = load_good(write_text("aliases.dev.yaml", BOTH), &load);
    unsigned count = 0;
    for (size_t i = 0; i < settings->provider_count; i++)
        for (size_t j = 0; j < settings->providers[i].alias_count; j++, count++) {
            const struct provider *provider = &settings->providers[i];
            bool is_listed = false, is_needless = false;
            for (size_t k = 0; k < settings->price_count; k++) {
                const struct price_row *row = &settings->prices[k];
                bool is_family = strcmp(row->family, provider->price_family) == 0;
                is_listed |= is_family && strcmp(row->model, provider->aliases[j].model) == 0;
                is_needless |= is_family && strcmp(row->model, provider->aliases[j].alias) == 0;
            }
            EXPECT(is_listed && !is_needless, "%s %s", provider->id, provider->aliases[j].alias);
        }
    EXPECT(count > 30, "%u aliases", count);
    done(&load);
}

#define ROW                                                                                                            \
    "providers: [{id: openai, dialect: openai, price_family: openai, hosts: [a.example], base_url: https://a.example"

static struct load load_catalogue_text(const char *policy, const char *catalogue)
{
    struct config_sources sources = sources_of(write_text("policy.dev.yaml", policy));
    sources.providers_file = write_text("providers.yaml", catalogue);
    return load_from(&sources);
}

TEST(every_member_of_a_provider_arrives)
{
    struct load load = load_catalogue_text(
        BOTH, ROW ", api_prefix: /x/v2/, responses: true, output_limit: max_completion_tokens, key_header: api-key,\n"
                  "  key_environment: [K], aliases: [{alias: a/b, model: c}, {alias: d, model: c}]},\n"
                  " {id: g, dialect: gemini, hosts: [g.example], base_url: https://g.example, price_family: g},\n"
                  " {id: o, dialect: openai, hosts: [o.example], base_url: https://o.example, price_family: o,\n"
                  "  api_prefix: /, output_limit: max_tokens}]\n");
    CU_ASSERT_EQUAL_FATAL(load.error, ERROR_OK);
    const struct provider *provider = &load.settings->providers[0];
    EXPECT_STRING(provider->api_prefix, "/x/v2");
    EXPECT(provider->speaks_responses && !provider->limits_by_max_tokens, "switches");
    EXPECT_INTEGER(provider->key_header, KEY_HEADER_API_KEY);
    CU_ASSERT_EQUAL_FATAL(provider->alias_count, 2);
    EXPECT_STRING(provider->aliases[0].alias, "a/b");
    EXPECT_STRING(provider->aliases[1].model, "c");
    EXPECT_STRING(load.settings->providers[1].api_prefix, "/v1beta");
    EXPECT_STRING(load.settings->providers[2].api_prefix, "");
    EXPECT(load.settings->providers[2].limits_by_max_tokens && load.settings->providers[1].limits_by_max_tokens,
           "max_tokens is what most know");
    done(&load);
}

TEST(bad_rows_of_the_catalogue_are_refused)
{
    static const struct {
        const char *catalogue;
        unsigned line, column;
        const char *message;
    } rows[] = {
        {ROW ",\n api_prefix: v1}]\n", 2, 14, "\"api_prefix\" must be a path that begins with '/'"},
        {ROW ",\n api_prefix: /v1?x}]\n", 2, 14, "\"api_prefix\" must be a path that begins with '/'"},
        {ROW ",\n output_limit: tokens}]\n", 2, 16, "\"output_limit\" cannot be \"tokens\""},
        {ROW ",\n output_limit: max_token}]\n", 2, 16,
         "\"output_limit\" cannot be \"max_token\", did you mean \"max_tokens\"?"},
        {ROW ",\n key_header: apikey}]\n", 2, 14, "\"key_header\" cannot be \"apikey\", did you mean \"api-key\"?"},
        {ROW ",\n aliases: [{alias: a}]}]\n", 2, 12, "alias lacks \"model\""},
        {ROW ",\n aliases: [{alias: a, model: b}, {alias: a, model: c}]}]\n", 2, 42,
         "\"alias\" is used twice: a, first on line 2"},
        {"providers: [{id: p, dialect: openai, hosts: [a.example], price_family: p}]\n", 1, 13,
         "provider lacks \"base_url\""},
        {"providers: [{id: p, dialect: openai, hosts: [\"*.a.example\", a.example], price_family: p}]\n", 1, 13,
         "provider lacks \"base_url\""},
        {"providers: [{id: p, dialect: openai, hosts: [], price_family: p}]\n", 1, 13, "provider lacks \"base_url\""},
        {"providers: [{id: p, dialect: openai, hosts: [\"*.com\"], price_family: p}]\n", 1, 46,
         "\"hosts\" has an entry that is no host name: \"com\""},
        {"providers: [{id: p, dialect: openai, hosts: [\"a.*.com\"], price_family: p}]\n", 1, 46,
         "\"hosts\" has an entry that is no host name: \"a.*.com\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load load_result = load_catalogue_text(GROUP, rows[i].catalogue);
        EXPECT(find_problem(&load_result, rows[i].line, rows[i].column, rows[i].message) != NULL, "row %zu", i);
        EXPECT(load_result.problems.error_count == 1, "row %zu: %zu errors", i, load_result.problems.error_count);
        done(&load_result);
    }
}

static const struct provider *provider_at_host(const struct settings *settings, const char *host)
{
    for (size_t i = 0; i < settings->provider_count; i++)
        for (size_t j = 0; j < settings->providers[i].host_count; j++)
            if (strcmp(settings->providers[i].hosts[j], host) == 0)
                return &settings->providers[i];
    return NULL;
}

TEST(hosts_that_only_the_policy_knows_get_rows_of_their_own)
{
    struct load load;
    const struct settings *settings = load_good(
        write_text("azure.dev.yaml",
                   GROUP "providers:\n  targets:\n"
                         "    - {id: one, provider: azure, model: m, base_url: \"https://One.openai.azure.com:443/\"}\n"
                         "    - {id: also, provider: azure, model: n, base_url: https://one.openai.azure.com}\n"
                         "    - {id: proxy, provider: azure, model: m, base_url: https://proxy.example}\n"
                         "    - {id: odd, provider: azure, model: m, base_url: \"https://a!b.openai.azure.com\"}\n"
                         "    - {id: other, provider: openai, model: m, base_url: https://x.openai.azure.com}\n"
                         "capture: {hosts: [two.openai.azure.com, openai.azure.com, notopenai.azure.com]}\n"),
        &load);
    const struct provider *azure = provider_of(settings, "azure");
    const struct provider *one = provider_at_host(settings, "one.openai.azure.com");
    const struct provider *two = provider_at_host(settings, "two.openai.azure.com");
    CU_ASSERT_PTR_NOT_NULL_FATAL(one);
    CU_ASSERT_PTR_NOT_NULL_FATAL(two);
    EXPECT(one != two && one != azure && settings->provider_count == 16, "%zu rows", settings->provider_count);
    EXPECT(settings->targets[0].provider == one && settings->targets[1].provider == one, "targets at that host");
    EXPECT(settings->targets[2].provider == azure && settings->targets[3].provider == azure, "targets elsewhere");
    EXPECT(settings->targets[4].provider == provider_of(settings, "openai"), "another provider's");
    EXPECT_STRING(one->id, "azure");
    EXPECT_STRING(one->base_url, "https://one.openai.azure.com");
    EXPECT_STRING(two->base_url, "https://two.openai.azure.com");
    EXPECT_STRING(two->api_prefix, "/openai/v1");
    EXPECT_INTEGER(two->key_header, KEY_HEADER_API_KEY);
    EXPECT_STRING(settings->targets[0].secret_environment, "AZURE_OPENAI_API_KEY");
    EXPECT(!provider_at_host(settings, "openai.azure.com") && !provider_at_host(settings, "notopenai.azure.com") &&
               !provider_at_host(settings, "x.openai.azure.com") && !provider_at_host(settings, "a!b.openai.azure.com"),
           "no rows for others");
    for (size_t i = 0; i < settings->provider_count; i++)
        for (size_t j = 0; j < settings->providers[i].host_count; j++)
            EXPECT(!strchr(settings->providers[i].hosts[j], '*'), "%s is no name", settings->providers[i].hosts[j]);
    done(&load);
}

TEST(a_target_must_say_where_when_its_provider_does_not)
{
    struct load load_result = load(
        write_text("nowhere.dev.yaml", GROUP "providers:\n  targets:\n    - {id: one, provider: azure, model: m}\n"));
    const struct config_problem *row =
        find_problem(&load_result, 7, 7, "target lacks \"base_url\": provider \"azure\" has none of its own");
    EXPECT(row && row->hint && strcmp(row->hint, "base_url: https://NAME.openai.azure.com") == 0, "hint");
    EXPECT_INTEGER(load_result.problems.error_count, 1);
    done(&load_result);
}

/* ---- prices ---- */

static const struct price_row *find_row(const struct settings *settings, const char *family, const char *model)
{
    for (size_t i = 0; i < settings->price_count; i++)
        if (strcmp(settings->prices[i].family, family) == 0 && strcmp(settings->prices[i].model, model) == 0)
            return &settings->prices[i];
    return NULL;
}

/* A bucket without its rows in the settings table could not be priced at all. */
TEST(every_bucket_has_a_price_in_the_list_and_in_targets)
{
    char list[1024] = "as_of: 2026-07-02\nfamilies: {openai: {m: {", policy[1024] = BOTH "      pricing: {";
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s: %zu, ", bucket_rows[i].name, i + 1);
        snprintf(policy + strlen(policy), sizeof policy - strlen(policy), "%s: %zu, ", bucket_rows[i].name, i + 1);
    }
    strcat(list, "}}}\n");
    strcat(policy, "}\n");
    struct config_sources sources = sources_of(write_text("buckets.dev.yaml", policy));
    sources.prices_file = write_text("buckets.yaml", list);
    struct load load = load_from(&sources);
    CU_ASSERT_EQUAL_FATAL(load.error, ERROR_OK);
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        const struct price_set *sets[] = {&load.settings->prices[0].prices, &load.settings->targets[0].pricing};
        for (size_t j = 0; j < 2; j++)
            EXPECT(sets[j]->has[i] && sets[j]->of[i].pico == (int64_t)(i + 1) * 1000000, "%s", bucket_rows[i].name);
    }
    done(&load);
}

TEST(default_rows_complete_the_rows_of_their_family)
{
    struct config_sources sources = sources_of(write_text("defaults.dev.yaml", BOTH));
    sources.prices_file =
        write_text("defaults.yaml",
                   "as_of: 2026-07-02\nfamilies:\n"
                   "  a: {\"*\": {tool_calls: 1, images: 9}, \"m-2*\": {tool_calls: 2}, \"m-*\": {tool_calls: 5},\n"
                   "      m-1: {input: 1, output: 1}, m-2.5: {input: 1, output: 1},\n"
                   "      m-2-own: {input: 1, output: 1, tool_calls: 7}, m: {seconds: 3}}\n"
                   "  b: {m-1: {input: 1, output: 1}}\n");
    struct load load = load_from(&sources);
    CU_ASSERT_EQUAL_FATAL(load.error, ERROR_OK);
    static const struct {
        const char *family, *model;
        int64_t tool_calls, images; /* -1: none */
    } rows[] = {
        {"a", "m-1", 5, 9}, {"a", "m-2.5", 2, 9}, {"a", "m-2-own", 7, 9}, {"a", "m", 1, 9}, {"b", "m-1", -1, -1}};
    EXPECT_INTEGER(load.settings->price_count, 5); /* and none of the default rows */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct price_row *row = find_row(load.settings, rows[i].family, rows[i].model);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row);
        EXPECT(row->prices.has_tool_calls ? row->prices.tool_calls.pico == rows[i].tool_calls * 1000000
                                          : rows[i].tool_calls < 0,
               "%s tool_calls", rows[i].model);
        EXPECT(row->prices.has_images ? row->prices.images.pico == rows[i].images * 1000000 : rows[i].images < 0,
               "%s images", rows[i].model);
    }
    done(&load);
}

TEST(bad_prices_of_units_are_refused)
{
    static const struct {
        const char *rows;
        unsigned column;
        const char *message;
    } rows[] = {
        {"{m: {input: 1, seconds: 2}}", 12, "a price row needs \"input\" and \"output\""},
        {"{m: {cache_read: 1}}", 12, "a price row needs \"input\" and \"output\""},
        {"{m: {}}", 12, "a price row needs \"input\" and \"output\""},
        {"{m: {second: 1}}", 16, "unknown key \"second\" in price row, did you mean \"seconds\"?"},
        {"{\"m*\": {input: 1}}", 19, "unknown key \"input\" in default row"},
        {"{\"*\": {tool_calls: 1000001}}", 30, "\"tool_calls\" is above 1000000 USD per million"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text, "as_of: 2026-07-02\nfamilies:\n  openai: %s\n", rows[i].rows);
        struct config_sources sources = sources_of(write_text("units.dev.yaml", GROUP));
        sources.prices_file = write_text("units.yaml", text);
        struct load load_result = load_from(&sources);
        EXPECT(find_problem(&load_result, 3, rows[i].column, rows[i].message) != NULL, "%s", rows[i].rows);
        done(&load_result);
    }
}

TEST(the_price_list_has_what_is_not_billed_by_tokens)
{
    static const struct {
        const char *family, *model;
        enum bucket bucket;
        int64_t pico; /* USD per million, times 10^6 */
    } rows[] = {
        {"openai", "whisper-1", BUCKET_seconds, 100000000},  /* 0.006 USD a minute */
        {"openai", "tts-1", BUCKET_characters, 15000000},    /* 15 USD per million */
        {"openai", "dall-e-3", BUCKET_images, 120000000000}, /* the dearest: 0.12 USD */
        {"openai", "dall-e-3/1024x1024/standard", BUCKET_images, 40000000000},
        {"openai", "dall-e-3/1024x1792/hd", BUCKET_images, 120000000000},
        {"openai", "gpt-5.4-mini", BUCKET_tool_calls, 10000000000}, /* 10 USD per thousand */
        {"openai", "gpt-4o-search-preview", BUCKET_tool_calls, 25000000000},
        {"openai", "gpt-image-1", BUCKET_input_image, 10000000},
        {"anthropic", "claude-sonnet-4-6", BUCKET_tool_calls, 10000000000},
        {"google", "gemini-2.5-flash", BUCKET_tool_calls, 35000000000},
        {"google", "gemini-3.1-pro-preview", BUCKET_tool_calls, 14000000000},
        {"google", "gemini-2.5-flash-image", BUCKET_output_image, 30000000},
    };
    struct load load;
    const struct settings *settings = load_good(write_text("list.dev.yaml", BOTH), &load);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct price_row *row = find_row(settings, rows[i].family, rows[i].model);
        EXPECT(row && row->prices.has[rows[i].bucket] && row->prices.of[rows[i].bucket].pico == rows[i].pico, "%s %s",
               rows[i].model, bucket_rows[rows[i].bucket].name);
    }
    for (size_t i = 0; i < settings->price_count; i++)
        EXPECT(!strchr(settings->prices[i].model, '*'), "%s", settings->prices[i].model);
    done(&load);
}

TEST(the_list_price_of_a_variant_is_never_above_that_of_its_model)
{
    struct load load;
    const struct settings *settings = load_good(write_text("variants.dev.yaml", BOTH), &load);
    unsigned count = 0;
    for (size_t i = 0; i < settings->price_count; i++) {
        const struct price_row *row = &settings->prices[i];
        const char *slash = strcmp(row->family, "openai") == 0 ? strchr(row->model, '/') : NULL;
        if (!slash)
            continue;
        char model[64];
        snprintf(model, sizeof model, "%.*s", (int)(slash - row->model), row->model);
        const struct price_row *plain = find_row(settings, row->family, model);
        EXPECT(plain && plain->prices.images.pico >= row->prices.images.pico, "%s", row->model);
        count++;
    }
    EXPECT(count >= 9, "%u variants", count);
    done(&load);
}
