/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/: what a policy file means, and what is said about a bad one: line, column and words, for every kind of error.
 * Runs in the repository's root; files are written below a directory of its own.
 */
#include "base/zone.h"
#include "config/config.h"
#include "tests/unit/config_files.h"

#include <dirent.h>
#include <time.h>

/* ---- good files ---- */

TEST(the_dev_file_of_the_design_loads)
{
    struct load load;
    setenv("OPENAI_API_KEY", "sk-unit-test-1", 1);
    unsetenv("ANTHROPIC_API_KEY");
    const struct settings *settings = load_good("policies/policy-config.dev.yaml", &load);
    EXPECT_INTEGER(settings->environment, ENVIRONMENT_DEV);
    EXPECT_INTEGER(settings->target_count, 2);
    EXPECT_STRING(settings->targets[0].id, "openai-gpt4o-mini");
    EXPECT_STRING(settings->targets[0].provider->id, "openai");
    EXPECT_STRING(settings->targets[0].model, "gpt-5.4-mini-mini");
    EXPECT_STRING(settings->targets[0].base_url, "https://api.openai.com");
    EXPECT_STRING(settings->targets[0].secret_environment, "OPENAI_API_KEY");
    EXPECT(settings->targets[0].secret && secret_is_equal(settings->targets[0].secret, slice_of("sk-unit-test-1")),
           "key");
    CU_ASSERT_PTR_NULL(settings->targets[1].secret);
    EXPECT_STRING(settings->targets[1].secret_problem, "ANTHROPIC_API_KEY is not set");
    EXPECT_INTEGER(settings->targets[1].index, 1);
    EXPECT_INTEGER(settings->targets[1].provider->dialect, DIALECT_ANTHROPIC);
    EXPECT_INTEGER(settings->targets[1].provider->key_header, KEY_HEADER_X_API_KEY);
    EXPECT_INTEGER(settings->targets[1].timeout_ms, 600000);
    EXPECT_INTEGER(settings->targets[1].weight, 1);
    EXPECT_INTEGER(settings->group_count, 1);
    EXPECT_STRING(settings->groups[0].api_key, "kt_cg_product_dev");
    EXPECT_STRING(settings->groups[0].wallet, "team_product_dev");
    EXPECT(settings->groups[0].is_default, "the only group is the default");
    EXPECT(settings->cache.enabled && settings->cache.ttl_seconds == 7200 && settings->cache.max_entries == 5000,
           "cache");
    EXPECT(settings->cost_tracking.enabled && settings->cost_tracking.wallet_enforcement, "cost_tracking");
    EXPECT_INTEGER(settings->cost_tracking.default_credit.nano, 5000000000);
    EXPECT_INTEGER(settings->routing.on_unlisted_model, UNLISTED_ROUTE);
    EXPECT_INTEGER(settings->capture.unlisted_provider, UNLISTED_METER);
    EXPECT_INTEGER(settings->capture.unmetered_endpoint, UNLISTED_PASS);
    EXPECT_INTEGER(settings->capture.network, 127u << 24 | 77u << 16);
    EXPECT_INTEGER(settings->client_gone, CLIENT_GONE_ABORT);
    EXPECT_INTEGER(settings->limits.drain_timeout_ms, 10000);
    EXPECT_INTEGER(settings->limits.body_bytes_max, 32 << 20);
    EXPECT_STRING(settings->prices_as_of, "2026-07-02");
    EXPECT_INTEGER(settings->budget_count, 1); /* alerts come before the stop */
    EXPECT_STRING(settings->budgets[0].id, "default.team_product_dev");
    EXPECT_STRING(settings->budgets[0].scope.wallet, "team_product_dev");
    EXPECT_INTEGER(settings->budgets[0].amount.nano, 5000000000);
    EXPECT(!settings->budgets[0].is_hard && settings->budgets[0].period == BUDGET_MONTHLY &&
               settings->budgets[0].origin == BUDGET_OF_DEFAULT && settings->budgets[0].zone,
           "soft and monthly");
    EXPECT(settings->budgets[0].alert_count == 5 && settings->budgets[0].alerts[0] == 25, "early alerts");
    EXPECT(settings->cost_tracking.clamp && settings->cost_tracking.clamp_tokens_min == 256, "dev shortens answers");
    EXPECT(settings->alerts.log && !settings->alerts.command && !settings->alerts.webhook_url, "alerts are logged");
    EXPECT_INTEGER(settings->alerts.low_balance_percent, 20);
    EXPECT_INTEGER(settings->alerts.days_left, 1);
    EXPECT_INTEGER(settings->backups.every_hours, 24);
    EXPECT_INTEGER(settings->backups.kept, 7);
    EXPECT(settings->evidence.exports.is_enabled && settings->evidence.exports.schedule == EXPORTS_WEEKLY &&
               settings->evidence.exports.formats == EXPORTS_CSV && !settings->evidence.exports.directory,
           "a weekly review");
    EXPECT_STRING(zone_name(settings->evidence.exports.zone), "UTC");
    EXPECT_INTEGER(settings->limits.disk_low_water_bytes, 64 << 20);
    EXPECT_INTEGER(settings->limits.hold_deadline_s, 86400);
    EXPECT(settings->cache.enabled && settings->cache.ttl_seconds == 7200 && settings->cache.max_entries == 5000,
           "the cache is on, as the file says");
    EXPECT_INTEGER(settings->cache.replay, REPLAY_AT_ONCE);
    EXPECT_INTEGER(settings->cache.temperature_max_milli, 1000 * 1000);
    /* one warning, about the missing key */
    EXPECT_INTEGER(load.problems.count, 1);
    CU_ASSERT_PTR_NOT_NULL(
        find_problem(&load, 18, 23, "target \"anthropic-haiku\" is unavailable: ANTHROPIC_API_KEY is not set"));
    done(&load);
}

TEST(the_prod_file_of_the_design_loads)
{
    struct load load;
    const struct settings *settings = load_good("policies/policy-config.prod.yaml", &load);
    EXPECT_INTEGER(settings->environment, ENVIRONMENT_PROD);
    EXPECT_INTEGER(settings->target_count, 2);
    EXPECT_STRING(settings->targets[0].model, "gpt-5.4-mini");
    EXPECT_STRING(settings->groups[0].name, "product-prod");
    EXPECT_INTEGER(settings->cache.ttl_seconds, 900);
    EXPECT_INTEGER(settings->cost_tracking.default_credit.nano, 0);
    EXPECT_INTEGER(settings->routing.on_unlisted_model, UNLISTED_BLOCK);
    EXPECT_INTEGER(settings->capture.unlisted_provider, UNLISTED_BLOCK);
    EXPECT_INTEGER(settings->capture.unmetered_endpoint, UNLISTED_BLOCK);
    EXPECT_INTEGER(settings->client_gone, CLIENT_GONE_DRAIN);
    EXPECT_INTEGER(settings->limits.drain_timeout_ms, 300000);
    EXPECT_INTEGER(settings->budget_count, 0);
    EXPECT(!settings->cost_tracking.clamp && settings->cost_tracking.hold == HOLD_BOUND, "prod never shortens");
    EXPECT_INTEGER(settings->alerts.low_balance_percent, 10);
    EXPECT_INTEGER(settings->alerts.days_left, 7);
    EXPECT(settings->evidence.exports.is_enabled && settings->evidence.exports.schedule == EXPORTS_MONTHLY &&
               settings->evidence.exports.formats == (EXPORTS_CSV | EXPORTS_FOCUS),
           "a monthly close");
    done(&load);
}

/* The two columns of the design's policy page, byte for byte; only the licence line is ours. */
static const char seed_middle[] =
    "cache:\n  enabled: true\n  ttl_seconds: %s\n  max_entries: %s\n  match_strategy: exact\n"
    "providers:\n  routing: {strategy: usage_based}\n  targets:\n"
    "    - id: %s\n      provider: openai\n      model: %s\n"
    "      secret_key_ref: {env: OPENAI_API_KEY}\n"
    "    - id: %s\n      provider: %s\n      model: %s\n"
    "      secret_key_ref: {env: %s}\n";

static void expect_file(const char *path, const char *wanted)
{
    size_t length;
    char *text = read_text(path, &length);
    EXPECT(strcmp(text, wanted) == 0, "%s differs from the design", path);
    free(text);
}

TEST(the_seed_files_are_those_of_the_design)
{
    char wanted[2048];
    int length = snprintf(wanted, sizeof wanted, "# SPDX-License-Identifier: Apache-2.0\n# policy-config.dev.yaml\n");
    length +=
        snprintf(wanted + length, sizeof wanted - (size_t)length, seed_middle, "7200", "5000", "openai-gpt4o-mini",
                 "gpt-5.4-mini-mini", "anthropic-haiku", "anthropic", "claude-haiku", "ANTHROPIC_API_KEY");
    snprintf(wanted + length, sizeof wanted - (size_t)length,
             "consumer_groups:\n  - name: product-dev\n    api_key: kt_cg_product_dev\n"
             "    wallet_team_id: team_product_dev\n"
             "cost_tracking:\n  enabled: true\n  wallet_enforcement: true\n");
    expect_file("policies/policy-config.dev.yaml", wanted);
    length = snprintf(wanted, sizeof wanted, "# SPDX-License-Identifier: Apache-2.0\n# policy-config.prod.yaml\n");
    length += snprintf(wanted + length, sizeof wanted - (size_t)length, seed_middle, "900", "20000", "openai-gpt4o",
                       "gpt-5.4-mini", "openai-gpt4o-mini", "openai", "gpt-5.4-mini-mini", "OPENAI_API_KEY");
    snprintf(wanted + length, sizeof wanted - (size_t)length,
             "consumer_groups:\n    - name: product-prod\n      api_key: kt_cg_product_prod\n"
             "      wallet_team_id: team_product_prod\n"
             "cost_tracking:\n  enabled: true\n  wallet_enforcement: true\n");
    expect_file("policies/policy-config.prod.yaml", wanted);
}

TEST(every_kind_of_value_arrives_where_it_belongs)
{
    struct load load;
    const char *policy = write_text(
        "all.dev.yaml",
        "pack: {name: My pack, version: \"1.2\", enabled: true}\n"
        "policies: {chain: [identify, route]}\n"
        "cache: {mode: exact}\n"
        "providers:\n  routing: {strategy: ordered, on_unlisted_model: pass}\n  targets:\n"
        "    - {id: here, provider: openai, model: llama3:8b, base_url: \"http://127.0.0.1:11434/\", local: true,\n"
        "       ca_file: ca.pem, pricing: {input: 0.5, output: \"1.25\", cache_read: 0}, limits: {rpm: 60, tpm: "
        "1000000},\n"
        "       weight: 3, timeout_ms: 2000}\n"
        "consumer_groups:\n"
        "  - {name: a, api_key: kt_cg_a, wallet_team_id: w, uids: [0, 1000, root], denied_models: [o1-pro, gpt-4*],\n"
        "     max_output_tokens: 2048, keys: placeholder_only}\n"
        "  - {name: b, api_key: kt_cg_b, wallet_team_id: w, default: true, allowed_models: ['*'],\n"
        "     cost_tracking: {unknown_price: block}}\n"
        "wallets: [{id: w, credit: 12.5, currency: USD}]\n"
        "capture: {hosts: [AI.Example.com], network: 127.99.0.0/16, addresses: [192.0.2.7, '2001:db8::7'],\n"
        "   redirect_network: 127.98.0.0/16, unlisted_provider: block, unmetered_endpoint: "
        "meter}\n"
        "access: {uids: [1000], gids: [root, 7], readers: [root]}\n"
        "limits: {loops: 2, json_depth_max: 64, client_gone: drain, buffered_answer_bytes_max: 0}\n"
        "cost_tracking: {default_credit: 0.000000001, wallet_enforcement: false}\n");
    const struct settings *settings = load_good(policy, &load);
    const struct target *target = &settings->targets[0];
    EXPECT_STRING(settings->pack_name, "My pack");
    EXPECT_STRING(settings->pack_version, "1.2");
    EXPECT_INTEGER(settings->routing.strategy, STRATEGY_ORDERED);
    EXPECT_INTEGER(settings->routing.on_unlisted_model, UNLISTED_PASS);
    EXPECT_STRING(target->model, "llama3:8b");
    EXPECT_STRING(target->base_url, "http://127.0.0.1:11434");
    EXPECT(target->local, "local");
    EXPECT(target->ca_file[0] == '/' && strstr(target->ca_file, "/ca.pem"), "%s", target->ca_file);
    EXPECT_INTEGER(target->pricing.output.pico, 1250000);
    EXPECT(target->pricing.has_cache_read && target->pricing.cache_read.pico == 0, "an explicit 0 is 0");
    EXPECT(!target->pricing.has_cache_write, "not written");
    EXPECT_INTEGER(target->limit_requests_per_minute, 60);
    EXPECT_INTEGER(target->limit_tokens_per_minute, 1000000);
    EXPECT_INTEGER(target->weight, 3);
    EXPECT_STRING(target->secret_environment, "OPENAI_API_KEY"); /* nothing written: the provider's variable */
    EXPECT_INTEGER(settings->groups[0].uid_count, 3);
    EXPECT_INTEGER(settings->groups[0].uids[1], 1000);
    EXPECT_INTEGER(settings->groups[0].uids[2], 0);
    EXPECT_STRING(settings->groups[0].denied_models[1], "gpt-4*");
    EXPECT_INTEGER(settings->groups[0].output_tokens_max, 2048);
    EXPECT_INTEGER(settings->groups[0].keys, KEYS_PLACEHOLDER_ONLY);
    EXPECT(!settings->groups[0].is_default && settings->groups[1].is_default, "default");
    EXPECT_INTEGER(settings->cost_tracking.unknown_price, UNKNOWN_PRICE_BLOCK); /* from within the group */
    EXPECT(!settings->cost_tracking.wallet_enforcement && settings->cost_tracking.enabled, "cost_tracking");
    EXPECT_INTEGER(settings->cost_tracking.default_credit.nano, 1);
    EXPECT_INTEGER(settings->wallets[0].credit.nano, 12500000000);
    EXPECT_STRING(settings->capture.hosts[0], "ai.example.com");
    EXPECT_INTEGER(settings->capture.network, 127u << 24 | 99u << 16);
    EXPECT_INTEGER(settings->capture.redirect_network, 127u << 24 | 98u << 16);
    EXPECT_INTEGER(settings->capture.address_count, 2);
    EXPECT(!memcmp(settings->capture.addresses[0].bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7", 16),
           "IPv4 is mapped");
    EXPECT(!memcmp(settings->capture.addresses[1].bytes, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16), "IPv6");
    EXPECT_INTEGER(settings->capture.unmetered_endpoint, UNLISTED_METER);
    EXPECT_INTEGER(settings->access.gids[1], 7);
    EXPECT_INTEGER(settings->access.readers[0], 0);
    EXPECT_INTEGER(settings->limits.loops, 2);
    EXPECT_INTEGER(settings->limits.buffered_answer_bytes_max, 0);
    EXPECT_INTEGER(settings->client_gone, CLIENT_GONE_DRAIN);
    done(&load);
}

TEST(targets_inherit_what_their_provider_says)
{
    struct load load = {0};
    struct config_sources sources = sources_of(write_text("inherit.dev.yaml", BOTH));
    sources.providers_file = "tests/provider/providers.yaml";
    load = load_from(&sources);
    CU_ASSERT_EQUAL_FATAL(load.error, ERROR_OK);
    const struct target *target = &load.settings->targets[0];
    EXPECT(target->local && strstr(target->base_url, "https://127.0.0.1:"), "%s", target->base_url);
    EXPECT(target->ca_file && target->ca_file[0] == '/' && strstr(target->ca_file, "/build/provider-ca.pem"), "ca");
    done(&load);
}

/* Expected values from sha256sum; the lengths are those where the padding takes one block or two. */
TEST(the_digest_is_that_of_the_files_bytes)
{
    static const struct {
        size_t padding;
        const char *digest;
    } rows[] = {
        {0, "bb27767bd56efc21e81d89c48e239161ad26dcf8b0b92c7517dc5ff59d2656c2"},   /* 74 bytes */
        {45, "51d024dd7e77a553d2d917caaffb4e242df690f4f1f12758c7d47246cac1b13f"},  /* 119 bytes */
        {46, "6dd5b5764cc5c779bf556dd3e3f14f927d055e012017ae0f69fbfa7c2da82a4b"},  /* 120 bytes */
        {53, "a0e3cdddf96bdd7587fe016c5ad702f298689988b8696efac801b2edcd7fb585"},  /* 127 bytes */
        {54, "846bfcc0ab06a782be5a579f53f986ece7b3196d28d3b955412cb7e6d4ea1f30"},  /* 128 bytes */
        {100, "ec4093b16598fc52fb8c3afc93ff387cb6a20e1bfa775ef69a84486041bfaf6e"}, /* 174 bytes */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[2048];
        snprintf(
            text, sizeof text, GROUP "#%.*s\n", (int)rows[i].padding,
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        struct load load;
        const struct settings *settings = load_good(write_text("digest.dev.yaml", text), &load);
        EXPECT_STRING(settings->digest, rows[i].digest);
        done(&load);
    }
}

/* ---- bad files ---- */

static const struct bad bad_yaml[] = {
    {"", 0, 0, "the file is empty", 0},
    {"# nothing\n", 0, 0, "the file is empty", 0},
    {"~\n", 1, 1, "the file must be a mapping (key: value)", 0},
    {"- a\n", 1, 1, "the file must be a mapping (key: value)", 0},
    {"just text\n", 1, 1, "the file must be a mapping (key: value)", 0},
    {"cache:\n\tenabled: true\n", 2, 1,
     "not valid YAML: found character that cannot start any token while scanning for the next token", 0},
    {"cache: {enabled: true\n", 2, 1, "not valid YAML: did not find expected ',' or '}' while parsing a flow mapping",
     0},
    {"a: \"b\n", 2, 1, "not valid YAML: found unexpected end of stream while scanning a quoted scalar", 0},
    {"a: b: c\n", 1, 5, "not valid YAML: mapping values are not allowed in this context", 0},
    {"a: 1\nb: \xff\n", 2, 4, "not valid YAML: invalid leading UTF-8 octet", 0},
    {"\xfe\xff\0a", 1, 1, "not valid YAML: invalid leading UTF-8 octet", 0},
    {GROUP "%TAG ! x\n", 5, 1, "YAML directives are not accepted", 0},
    {"---\n" GROUP "---\n" GROUP, 6, 1, "a second document in the file", 0},
    {GROUP "capture: &a {}\n", 5, 10, "anchors are not accepted", 0},
    {GROUP "capture: *a\n", 5, 10, "aliases are not accepted", 0},
    {GROUP "capture: !!map {}\n", 5, 10, "tags are not accepted", 0},
    {GROUP "limits: {<<: {loops: 1}}\n", 5, 10, "merge keys are not accepted", 0},
    {GROUP "limits: {loops: 1, loops: 2}\n", 5, 20, "duplicate key \"loops\", first used on line 5", 0},
    {GROUP "limits: {\"loops\": 1,\n  loops: 2}\n", 6, 3, "duplicate key \"loops\", first used on line 5", 0},
    {GROUP "limits:\n  ? [a]\n  : 1\n", 6, 5, "a key must be a plain word", 0},
};

static const struct bad bad_settings[] = {
    {TARGET, 1, 1, "the policy lacks \"consumer_groups\"", 0},
    {"consumer_groups: []\n", 1, 18, "\"consumer_groups\" must have at least one group", 0},
    {"consumer_groups:\n", 1, 1, "\"consumer_groups\" has no value", 0},
    {"consumer_groups: 7\n", 1, 18, "\"consumer_groups\" must be a list", 0},
    {"consumer_groups: [7]\n", 1, 19, "\"consumer group\" must be a mapping (key: value)", 0},
    {GROUP "cach: {}\n", 5, 1, "unknown key \"cach\" in the policy, did you mean \"cache\"?", 0},
    {GROUP "zzz: {}\n", 5, 1, "unknown key \"zzz\" in the policy", 0},
    {GROUP "cache: {ttl_second: 3}\n", 5, 9, "unknown key \"ttl_second\" in cache, did you mean \"ttl_seconds\"?", 0},
    {GROUP "cache: {ttl: 3}\n", 5, 9, "unknown key \"ttl\" in cache, did you mean \"ttl_seconds\"?", 0},
    {GROUP "cache: {match_strategy: exact, mode: exact}\n", 5, 32,
     "\"match_strategy\" and \"mode\" are the same setting", 0},
    {GROUP "cache: {mode: semantic}\n", 5, 15, "\"match_strategy: semantic\" is not supported by this version yet", 0},
    {GROUP "cache: {enabled: yes}\n", 5, 18, "\"enabled\" is either true or false", 0},
    {GROUP "cache: {enabled: \"true\"}\n", 5, 18, "\"enabled\" is either true or false", 0},
    {GROUP "cache: {ttl_seconds: 0}\n", 5, 22, "\"ttl_seconds\" is out of range: 0", 0},
    {GROUP "cache: {ttl_seconds: -1}\n", 5, 22, "\"ttl_seconds\" must be a whole number, not \"-1\"", 0},
    {GROUP "cache: {ttl_seconds: 1e3}\n", 5, 22, "\"ttl_seconds\" must be a whole number, not \"1e3\"", 0},
    {GROUP "cache: {ttl_seconds: 010}\n", 5, 22, "\"ttl_seconds\" must be a whole number, not \"010\"", 0},
    {GROUP "cache: {ttl_seconds: \"10\"}\n", 5, 22, "\"ttl_seconds\" must be a whole number, not \"10\"", 0},
    {GROUP "cache: {ttl_seconds: 99999999999999999999}\n", 5, 22,
     "\"ttl_seconds\" must be a whole number, not \"99999999999999999999\"", 0},
    {GROUP "cache: {ttl_seconds: [1]}\n", 5, 22, "\"ttl_seconds\" must be a single value", 0},
    {GROUP "cache: {ttl_seconds: }\n", 5, 9, "\"ttl_seconds\" has no value", 0},
    {GROUP "cache: true\n", 5, 8, "\"cache\" must be a mapping (key: value)", 0},
    {GROUP "limits: {body_bytes_max: 1073741825}\n", 5, 26, "\"body_bytes_max\" is out of range: 1073741825", 0},
    {GROUP "limits: {loops: 65}\n", 5, 17, "\"loops\" is out of range: 65", 0},
    {GROUP "limits: {head_bytes_max: 4096}\n", 5, 9, "\"request_line_bytes_max\" exceeds \"head_bytes_max\"", 0},
    {GROUP "limits: {connections_max: 8, connections_per_uid_max: 9}\n", 5, 55,
     "\"connections_per_uid_max\" exceeds \"connections_max\"", 0},
    {GROUP "limits: {client_gone: wait}\n", 5, 23, "\"client_gone\" cannot be \"wait\"", 0},
    {GROUP "privacy: []\n", 5, 1, "\"privacy\" is not supported by this version yet", 0},
    {GROUP "model_groups: []\n", 5, 1, "unknown key \"model_groups\" in the policy", 0},
    {GROUP "rate_limits: {}\n", 5, 1, "unknown key \"rate_limits\" in the policy", 0},
    {GROUP "privacy: {}\n", 5, 1, "\"privacy\" is not supported by this version yet", 0},
    {GROUP "capture: {network: 127.0.0.0/16}\n", 5, 20, "\"network\" must be 127.N.0.0/16, N from 1 to 255", 0},
    {GROUP "capture: {network: 10.0.0.0/16}\n", 5, 20, "\"network\" must be 127.N.0.0/16, N from 1 to 255", 0},
    {GROUP "capture: {network: 127.77.0.0/8}\n", 5, 20, "\"network\" must be 127.N.0.0/16, N from 1 to 255", 0},
    {GROUP "capture: {network: 127.78.0.0/16}\n", 5, 20, "\"network\" and \"redirect_network\" must be two networks",
     0},
    {GROUP "capture: {addresses: [example.com]}\n", 5, 23,
     "\"addresses\" has an entry that is no address: \"example.com\"", 0},
    {GROUP "capture: {addresses: [127.78.3.4]}\n", 5, 23, "\"addresses\" has one of our own networks: \"127.78.3.4\"",
     0},
    {GROUP "capture: {addresses: ['::ffff:127.77.3.4']}\n", 5, 23,
     "\"addresses\" has one of our own networks: \"::ffff:127.77.3.4\"", 0},
    {GROUP "capture: {hosts: [https://x.example]}\n", 5, 19,
     "\"hosts\" has an entry that is no host name: \"https://x.example\"", 0},
    {GROUP "capture: {hosts: [localhost]}\n", 5, 19, "\"hosts\" has an entry that is no host name: \"localhost\"", 0},
    {GROUP "capture: {hosts: [a..b]}\n", 5, 19, "\"hosts\" has an entry that is no host name: \"a..b\"", 0},
    {GROUP "capture: {hosts: x.example}\n", 5, 18, "\"hosts\" must be a list", 0},
    {GROUP "capture: {unlisted_provider: route}\n", 5, 30, "\"unlisted_provider\" cannot be \"route\"", 0},
    {GROUP "access: {uids: [no_such_user_here]}\n", 5, 17, "\"uids\" names nobody: \"no_such_user_here\"", 0},
    {GROUP "access: {uids: [-1]}\n", 5, 17, "\"uids\" names nobody: \"-1\"", 0},
    {GROUP "access: {uids: [4294967295]}\n", 5, 17, "\"uids\" names nobody: \"4294967295\"", 0},
    {GROUP "access: {gids: [[1]]}\n", 5, 17, "\"gids\" must be a single value", 0},
    {GROUP "wallets: [{credit: 3}]\n", 5, 11, "wallet lacks \"id\"", 0},
    {GROUP "wallets: [{id: w, credit: 1.0000000001}]\n", 5, 27, "\"credit\" is no amount of USD: \"1.0000000001\"", 0},
    {GROUP "wallets: [{id: w, credit: -1}]\n", 5, 27, "\"credit\" must be from 0 to 1000000000 USD", 0},
    {GROUP "wallets: [{id: w, credit: 1000000000.1}]\n", 5, 27, "\"credit\" must be from 0 to 1000000000 USD", 0},
    {GROUP "wallets: [{id: w, credit: $5}]\n", 5, 27, "\"credit\" is no amount of USD: \"$5\"", 0},
    {GROUP "wallets: [{id: w}, {id: w}]\n", 5, 25, "\"id\" is used twice: w, first on line 5", 0},
    {GROUP "wallets: [{id: w, currency: EUR}]\n", 5, 29, "\"currency\" cannot be \"EUR\"", 0},
    {GROUP "wallets: [{id: ../w}]\n", 5, 16, "\"id\" is no valid name: \"../w\"", 0},
    {GROUP "pack: {enabled: false}\n", 5, 17, "the pack is disabled", 0},
    {GROUP "environment: test\n", 5, 14, "\"environment\" cannot be \"test\"", 0},
    {GROUP "cost_tracking: {enabled: false}\n"
           "x: 1\n",
     6, 1, "unknown key \"x\" in the policy", 0},
    {GROUP "    cost_tracking: {enabled: false}\ncost_tracking: {enabled: true}\n", 5, 30,
     "\"enabled\" differs from line 6", 0},
    {GROUP "  - {name: h, api_key: kt_cg_g, wallet_team_id: w}\n", 5, 24,
     "\"api_key\" is used twice: kt_cg_g, first on line 3", 0},
    {GROUP "  - {name: g, api_key: kt_cg_h, wallet_team_id: w}\n", 5, 12, "\"name\" is used twice: g, first on line 2",
     0},
    {GROUP "    default: true\n  - {name: h, api_key: kt_cg_h, wallet_team_id: w, default: true}\n", 6, 61,
     "more than one group is the default", 0},
    {GROUP "    allowed_models: [gpt-*-mini]\n", 5, 22, "'*' is only allowed at the end of a model name", 0},
    {GROUP "    keys: some\n", 5, 11, "\"keys\" cannot be \"some\"", 0},
    {"consumer_groups: [{name: g, api_key: kt_cg_, wallet_team_id: w}]\n", 1, 38,
     "\"api_key\" must be kt_cg_ and letters, digits, '_' or '-'", 0},
    {"consumer_groups: [{name: g, api_key: sk-12345, wallet_team_id: w}]\n", 1, 38,
     "\"api_key\" must be kt_cg_ and letters, digits, '_' or '-'", 0},
    {"consumer_groups: [{}]\n", 1, 19, "consumer group lacks \"api_key\"", 3},
    {BOTH "    - {provider: openai, model: m}\n", 10, 7, "target lacks \"id\"", 0},
    {BOTH "    - {id: t, provider: openai, model: m}\n", 10, 12, "\"id\" is used twice: t, first on line 7", 0},
    {BOTH "    - {id: u, provider: opnai, model: m}\n", 10, 25, "unknown provider \"opnai\", did you mean \"openai\"?",
     0},
    {BOTH "    - {id: u, provider: nobody, model: m}\n", 10, 25, "unknown provider \"nobody\"", 0},
    {BOTH "      base_url: http://a.example\n", 10, 17, "\"base_url\" must be https", 0},
    {BOTH "      base_url: ftp://a.example\n", 10, 17, "\"base_url\" is no usable URL", 0},
    {BOTH "      base_url: https://user:pw@a.example\n", 10, 17, "\"base_url\" is no usable URL", 0},
    {BOTH "      base_url: https://a.example/?key=1\n", 10, 17, "\"base_url\" is no usable URL", 0},
    {BOTH "      base_url: \"https://a.example/\\r\\nX: y\"\n", 10, 17, "\"base_url\" is no usable URL", 0},
    {BOTH "      pricing: {input: free}\n", 10, 24, "\"input\" is no price: \"free\"", 0},
    {BOTH "      pricing: {input: 0.0000001}\n", 10, 24, "\"input\" is no price: \"0.0000001\"", 0},
    {BOTH "      pricing: {input: 1000001}\n", 10, 24, "\"input\" is above 1000000 USD per million", 0},
    {BOTH "      weight: 0\n", 10, 15, "\"weight\" is out of range: 0", 0},
    {BOTH "      timeout_ms: 999\n", 10, 19, "\"timeout_ms\" is out of range: 999", 0},
    {BOTH "      ca_file: \"a\\0b\"\n", 10, 16, "\"ca_file\" has a control character, or a space at its end", 0},
    {BOTH "      secret_key_ref: {}\n", 10, 23, "\"secret_key_ref\" needs exactly one of env, file and store", 0},
    {BOTH "      secret_key_ref: {env: A, store: b}\n", 10, 23,
     "\"secret_key_ref\" needs exactly one of env, file and store", 0},
    {BOTH "      secret_key_ref: sk-123456789\n", 10, 23, "\"secret_key_ref\" must be a mapping (key: value)", 0},
    {BOTH "      secret_key_ref: {env: sk-123456789}\n", 10, 29, "\"env\" must name an environment variable", 0},
    {BOTH "  routing: {strategy: usage_basd}\n", 10, 23,
     "\"strategy\" cannot be \"usage_basd\", did you mean \"usage_based\"?", 0},
    {BOTH "  routing: {on_unlisted_model: meter}\n", 10, 32, "\"on_unlisted_model\" cannot be \"meter\"", 0},
};

#define BUDGET(members) GROUP TARGET "budgets:\n  - {id: b, " members "}\n"
/* The row begins at line 11 column 5; its members after `id: b, ` at column 13. */
static const struct bad bad_budgets[] = {
    {BUDGET("amuont: 5"), 11, 13, "unknown key \"amuont\" in budget, did you mean \"amount\"?", 2},
    {BUDGET("amount: 5, windw: daily"), 11, 24, "unknown key \"windw\" in budget, did you mean \"window\"?", 0},
    {BUDGET("amount: 5, alert: [50]"), 11, 24, "unknown key \"alert\" in budget, did you mean \"alerts\"?", 0},
    {BUDGET("amount: 5, hardd: true"), 11, 24, "unknown key \"hardd\" in budget, did you mean \"hard\"?", 0},
    {BUDGET("amount: 5, timezone: UTC"), 11, 24, "unknown key \"timezone\" in budget, did you mean \"time_zone\"?", 0},
    {BUDGET("amount: 5, scope: {modle: m}"), 11, 32, "unknown key \"modle\" in scope, did you mean \"model\"?", 0},
    {BUDGET("amount: 5, by_month: {janury: 1}"), 11, 35, "unknown key \"janury\" in by_month, did you mean \"jan\"?",
     0},
    {BUDGET("amount: 5, by_month: {jan: 1, january: 2}"), 11, 43, "\"jan\" and \"january\" are the same setting", 0},
    {GROUP "budgts: []\n", 5, 1, "unknown key \"budgts\" in the policy, did you mean \"budgets\"?", 0},
    {BUDGET("amount: -5"), 11, 21, "\"amount\" must be from 0 to 1000000000 USD", 0},
    {BUDGET("amount: 0.0000000001"), 11, 21, "\"amount\" is no amount of USD: \"0.0000000001\"", 0},
    {BUDGET("amount: 99999999999999999999"), 11, 21, "\"amount\" is no amount of USD: \"99999999999999999999\"", 0},
    {BUDGET("amount: 1000000000.1"), 11, 21, "\"amount\" must be from 0 to 1000000000 USD", 0},
    {BUDGET("amount: ~"), 11, 13, "\"amount\" has no value", 0},
    {BUDGET("amount: 5, currency: EUR"), 11, 34, "\"currency\" cannot be \"EUR\"", 0},
    {BUDGET("window: daily"), 11, 5, "budget lacks \"amount\"", 0},
    {BUDGET("by_month: {jan: 5}"), 11, 5, "budget lacks \"amount\"", 0},
    {BUDGET("amount: 5, window: daily, by_month: {jan: 5}"), 11, 39, "\"by_month\" is for monthly budgets", 0},
    {BUDGET("amount: 5, window: rolling"), 11, 32, "a rolling budget needs a \"length\"", 0},
    {BUDGET("amount: 5, window: daily, length: 24h"), 11, 39, "\"length\" is for rolling budgets", 0},
    {BUDGET("amount: 5, window: rolling, length: 24"), 11, 49, "\"length\" is no length of time: \"24\"", 0},
    {BUDGET("amount: 5, window: rolling, length: 0h"), 11, 49, "\"length\" is no length of time: \"0h\"", 0},
    {BUDGET("amount: 5, window: rolling, length: 367d"), 11, 49, "\"length\" is no length of time: \"367d\"", 0},
    {BUDGET("amount: 5, window: rolling, length: 18446744073709551617h"), 11, 49,
     "\"length\" is no length of time: \"18446744073709551617h\"", 0},
    {BUDGET("amount: 5, window: yearly"), 11, 32, "\"window\" cannot be \"yearly\"", 0},
    {BUDGET("amount: 5, window: montly"), 11, 32, "\"window\" cannot be \"montly\", did you mean \"monthly\"?", 0},
    {BUDGET("amount: 5, time_zone: Europe/Utopia"), 11, 35, "unknown time zone \"Europe/Utopia\"", 0},
    {BUDGET("amount: 5, time_zone: ../../etc/passwd"), 11, 35, "unknown time zone \"../../etc/passwd\"", 0},
    {BUDGET("amount: 5, alerts: [50, 50]"), 11, 32, "\"alerts\" must ascend", 0},
    {BUDGET("amount: 5, alerts: [80, 50]"), 11, 32, "\"alerts\" must ascend", 0},
    {BUDGET("amount: 5, alerts: [0]"), 11, 33, "\"alerts\" has an entry that is no percentage: \"0\"", 0},
    {BUDGET("amount: 5, alerts: [1001]"), 11, 33, "\"alerts\" has an entry that is no percentage: \"1001\"", 0},
    {BUDGET("amount: 5, alerts: [50%]"), 11, 33, "\"alerts\" has an entry that is no percentage: \"50%\"", 0},
    {BUDGET("amount: 5, alerts: 50"), 11, 32, "\"alerts\" must be a list", 0},
    {BUDGET("amount: 5, alerts: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]"), 11, 32,
     "\"alerts\" has 17 entries, at most 16 are possible", 0},
    {BUDGET("amount: 5, hard: yes"), 11, 30, "\"hard\" is either true or false", 0},
    {BUDGET("amount: 5, scope: {group: gg}"), 11, 39, "there is no group \"gg\", did you mean \"g\"?", 0},
    {BUDGET("amount: 5, scope: {wallet: purse}"), 11, 40, "there is no wallet \"purse\"", 0},
    {BUDGET("amount: 5, scope: {provider: opnai}"), 11, 42, "there is no provider \"opnai\", did you mean \"openai\"?",
     0},
    {BUDGET("amount: 5, scope: {model: \"*-mini\"}"), 11, 39, "\"model\": '*' is only allowed at the end", 0},
    {BUDGET("amount: 5}\n  - {id: b, amount: 6"), 12, 10, "\"id\" is used twice: b, first on line 11", 0},
    {GROUP "budgets: [{amount: 5}]\n", 5, 11, "budget lacks \"id\"", 0},
    {GROUP "budgets: [{id: a234567890123456789012345678901234567890123456789, amount: 5}]\n", 5, 16,
     "\"id\" must have 1 to 47 characters", 0},
    {GROUP "    budgets: [{id: a, amount: 5}]\n", 5, 5, "\"budgets\" is not supported by this version yet", 0},
    {GROUP "alerts: {command: [notify]}\n", 5, 20, "\"command\" must begin with a program's full path", 0},
    {GROUP "alerts: {command: [\"/bin/x\", \"a\\nb\"]}\n", 5, 30, "\"command\" has a control character", 0},
    {GROUP "alerts: {webhook: {local: true}}\n", 5, 19, "webhook lacks \"url\"", 0},
    {GROUP "alerts: {webhook: {url: \"http://a.example/x\"}}\n", 5, 19, "\"url\" must be https", 0},
    {GROUP "alerts: {low_balance_percent: 101}\n", 5, 31, "\"low_balance_percent\" is out of range: 101", 0},
    {GROUP "backups: {kept: 0}\n", 5, 17, "\"kept\" is out of range: 0", 0},
    {GROUP "cost_tracking: {hold: learnt}\n", 5, 23, "\"hold\" cannot be \"learnt\", did you mean \"learned\"?", 0},
};

TEST(yaml_beyond_plain_data_is_refused_with_its_place)
{
    expect_bad(bad_yaml, sizeof bad_yaml / sizeof *bad_yaml);
}

TEST(bad_settings_are_refused_with_their_place)
{
    expect_bad(bad_settings, sizeof bad_settings / sizeof *bad_settings);
}

TEST(bad_budgets_and_alerts_are_refused_with_their_place)
{
    expect_bad(bad_budgets, sizeof bad_budgets / sizeof *bad_budgets);
}

TEST(all_errors_come_at_once_in_the_files_order)
{
    struct load load_result = load(write_text("many.dev.yaml", "limits: {loops: x, loop: 3}\n" BOTH
                                                               "      weight: none\n      pricing: {output: -}\n"
                                                               "budgets: 1\n"));
    static const unsigned lines[] = {1, 1, 11, 12, 13};
    EXPECT_INTEGER(load_result.problems.error_count, 5);
    size_t errors = 0;
    for (size_t i = 0; i < load_result.problems.count; i++)
        if (!load_result.problems.rows[i].is_warning && errors < 5)
            EXPECT_INTEGER(load_result.problems.rows[i].place.line, lines[errors++]);
    done(&load_result);
}

TEST(problems_are_printed_with_line_caret_and_hint)
{
    struct load load_result =
        load(write_text("print.dev.yaml", GROUP "cache:\n  ttl_seconds:   \xc3\xa9 # \xc3\xa9\n"));
    char wanted[1024];
    snprintf(wanted, sizeof wanted,
             "%s/print.dev.yaml:6:18: error: \"ttl_seconds\" must be a whole number, not \"\xc3\xa9\"\n"
             "      ttl_seconds:   \xc3\xa9 # \xc3\xa9\n"
             "                     ^\n"
             "    hint: from 1 to 31536000 s\n",
             folder);
    const char *printed = print(&load_result);
    const char *start = strstr(printed, wanted);
    EXPECT(start != NULL, "%s", printed);
    done(&load_result);
}

TEST(keys_in_the_wrong_place_are_never_shown)
{
    static const char *const texts[] = {
        BOTH "      secret_key_ref: q8Zr2-notakeypattern\n",
        BOTH "      secret_key_ref: {value: q8Zr2-notakeypattern}\n",
        BOTH "      secret_key_ref: {env: q8Zr2-notakeypattern}\n",
        BOTH "      secret_key_ref: {store: \"q8Zr2-notakeypattern x\"}\n",
        "consumer_groups: [{name: g, api_key: q8Zr2-notakeypattern, wallet_team_id: w}]\n",
        BOTH "      api_key: sk-proj-notakeypattern\n",
        BOTH "      model: [sk-notakeypattern]\n",
        BOTH "      base_url: https://x.example/?key=AIzanotakeypattern\n",
        GROUP "sk-notakeypattern: 1\n",
        GROUP "limits: {loops: sk-notakeypattern}\n",
        GROUP "a: [sk-notakeypattern\n",
        "consumer_groups: [{name: g, name: h, api_key: \"q8Zr2-\\x41-notakeypattern\", wallet_team_id: w}]\n",
        "consumer_groups:\n  - {name: \xc3\xa9, token: q8Zr2-notakeypattern, x: 1}\n",
        BOTH "      secret: |\n               notakeypattern\n               notakeypattern\n             # : x\n",
        "api_key: [q8Zr2-notakeypattern\n  - x\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct load load_result = load(write_text("keys.dev.yaml", texts[i]));
        EXPECT(load_result.error == ERROR_SETTINGS_INVALID, "%s", texts[i]);
        EXPECT(!strstr(print(&load_result), "notakeypattern"), "%s", print(&load_result));
        done(&load_result);
    }
}

/* ---- environments, files, secrets ---- */

TEST(the_environment_comes_from_the_file_then_the_caller_then_the_name)
{
    static const struct {
        const char *name, *text;
        int asked;
        bool ok;
        enum environment wanted;
    } rows[] = {
        {"x.dev.yaml", GROUP, -1, true, ENVIRONMENT_DEV},
        {"team-prod.yml", GROUP, -1, true, ENVIRONMENT_PROD},
        {"prod", GROUP, -1, true, ENVIRONMENT_PROD},
        {"nonprod.yaml", GROUP, -1, false, ENVIRONMENT_DEV},
        {"x.yaml", GROUP, -1, false, ENVIRONMENT_DEV},
        {"x.yaml", GROUP, ENVIRONMENT_PROD, true, ENVIRONMENT_PROD},
        {"x.dev.yaml", "environment: prod\n" GROUP, -1, true, ENVIRONMENT_PROD},
        {"x.yaml", "environment: prod\n" GROUP, ENVIRONMENT_PROD, true, ENVIRONMENT_PROD},
        {"x.yaml", "environment: prod\n" GROUP, ENVIRONMENT_DEV, false, ENVIRONMENT_DEV},
        {"x.dev.yaml", GROUP, ENVIRONMENT_PROD, true, ENVIRONMENT_PROD}, /* with a warning */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config_sources sources = sources_of(write_text(rows[i].name, rows[i].text));
        sources.environment = rows[i].asked;
        struct load load_result = load_from(&sources);
        EXPECT((load_result.error == ERROR_OK) == rows[i].ok, "row %zu", i);
        if (load_result.settings)
            EXPECT(load_result.settings->environment == rows[i].wanted, "row %zu", i);
        done(&load_result);
    }
}

TEST(unreadable_files_are_errors)
{
    static const char *const names[] = {"absent.dev.yaml", "folder.dev.yaml", "fifo.dev.yaml", "huge.dev.yaml"};
    static const char *const messages[] = {
        "the file could not be read: No such file or directory", "the file could not be read: Is a directory",
        "the file could not be read: Invalid argument", "the file could not be read: it is larger than 1 MiB"};
    mkdir(path_of("folder.dev.yaml"), 0700);
    mkfifo(path_of("fifo.dev.yaml"), 0600);
    char *huge = malloc((1 << 20) + 1);
    memset(huge, '#', (1 << 20) + 1);
    write_bytes("huge.dev.yaml", huge, (1 << 20) + 1, 0600);
    free(huge);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct load load_result = load(path_of(names[i]));
        EXPECT_INTEGER(load_result.problems.error_count, 1);
        CU_ASSERT_PTR_NOT_NULL(find_problem(&load_result, 0, 0, messages[i]));
        done(&load_result);
    }
    struct config_sources sources = sources_of("policies/policy-config.dev.yaml");
    sources.providers_file = path_of("absent");
    sources.prices_file = path_of("absent");
    struct load load_result = load_from(&sources);
    EXPECT_INTEGER(load_result.problems.error_count, 2); /* and no complaint about each provider */
    done(&load_result);
}

static const struct {
    const char *name, *bytes;
    mode_t mode;
    const char *secret, *problem; /* neither: an error */
    const char *message;
} secrets[] = {
    {"good", "sk-123", 0600, "sk-123", NULL, NULL},
    {"newline", "sk-123\n", 0400, "sk-123", NULL, NULL},
    {"two-newlines", "sk-123\n\n", 0600, NULL, NULL, "target \"t\": the secret holds a space or a control character"},
    {"empty", "\n", 0600, NULL, "the secret is empty", "target \"t\" is unavailable: the secret is empty"},
    {"open", "sk-123", 0644, NULL, NULL, "target \"t\": the secret file can be read by others: chmod 600"},
    {"group", "sk-123", 0640, NULL, NULL, "target \"t\": the secret file can be read by others: chmod 600"},
    {"placeholder", "kt_cg_x", 0600, NULL, NULL,
     "target \"t\": the secret is a placeholder key (kt_cg_...), not a provider's key"},
};

static void expect_secret(const struct load *load, size_t i, unsigned column)
{
    if (secrets[i].message)
        EXPECT(find_problem(load, 10, column, secrets[i].message) != NULL, "%s", secrets[i].name);
    bool is_error = !secrets[i].secret && !secrets[i].problem;
    EXPECT((load->error == ERROR_OK) == !is_error, "%s", secrets[i].name);
    if (load->error)
        return;
    const struct target *target = &load->settings->targets[0];
    if (secrets[i].secret)
        EXPECT(target->secret && secret_is_equal(target->secret, slice_of(secrets[i].secret)), "%s", secrets[i].name);
    else
        EXPECT(!target->secret && strcmp(target->secret_problem, secrets[i].problem) == 0, "%s", secrets[i].name);
}

TEST(secrets_are_read_from_private_files_and_the_store)
{
    static const char *const places[] = {"file", "store"};
    for (size_t i = 0; i < 2 * sizeof secrets / sizeof *secrets; i++) {
        char text[512];
        size_t row = i / 2;
        write_bytes(secrets[row].name, secrets[row].bytes, strlen(secrets[row].bytes), secrets[row].mode);
        snprintf(text, sizeof text, BOTH "      secret_key_ref: {%s: %s}\n", places[i % 2], secrets[row].name);
        struct config_sources sources = sources_of(write_text("secret.dev.yaml", text));
        sources.secret_directory = folder;
        struct load load_result = load_from(&sources);
        expect_secret(&load_result, row, 23);
        EXPECT(!strstr(print(&load_result), "sk-123"), "a secret is printed");
        done(&load_result);
    }
}

TEST(a_secret_that_is_too_large_or_absent)
{
    static char large[9000];
    memset(large, 'x', sizeof large);
    write_bytes("large", large, sizeof large, 0600);
    struct load load_result = load(write_text("secret.dev.yaml", BOTH "      secret_key_ref: {file: large}\n"));
    CU_ASSERT_PTR_NOT_NULL(find_problem(&load_result, 10, 23, "target \"t\": the secret file is larger than 8 KiB"));
    done(&load_result);
    load_result = load(write_text("secret.dev.yaml", BOTH "      secret_key_ref: {store: gone}\n"));
    EXPECT_INTEGER(load_result.error, ERROR_OK);
    CU_ASSERT_PTR_NOT_NULL(
        find_problem(&load_result, 10, 23, "target \"t\" is unavailable: there is no secret store here"));
    done(&load_result);
}

TEST(an_environment_variable_with_a_placeholder_is_an_error)
{
    setenv("TEST_CONFIG_KEY", "kt_cg_g", 1);
    struct load load_result =
        load(write_text("secret.dev.yaml", BOTH "      secret_key_ref: {env: TEST_CONFIG_KEY}\n"));
    EXPECT_INTEGER(load_result.error, ERROR_SETTINGS_INVALID);
    done(&load_result);
    setenv("TEST_CONFIG_KEY", "sk-a\r\nb", 1); /* would be a second header line */
    load_result = load(write_text("secret.dev.yaml", BOTH "      secret_key_ref: {env: TEST_CONFIG_KEY}\n"));
    EXPECT_INTEGER(load_result.error, ERROR_SETTINGS_INVALID);
    done(&load_result);
}

TEST(secrets_are_stored_privately)
{
    char directory[128];
    struct stat status;
    snprintf(directory, sizeof directory, "%s", path_of("secrets"));
    EXPECT_INTEGER(config_store_secret(directory, "a.b-C_1", slice_of("sk-old")), ERROR_OK);
    EXPECT_INTEGER(config_store_secret(directory, "a.b-C_1", slice_of("sk-new")), ERROR_OK);
    EXPECT_INTEGER(stat(directory, &status), 0);
    EXPECT_INTEGER(status.st_mode & 0777, 0700);
    EXPECT_INTEGER(stat(path_of("secrets/a.b-C_1"), &status), 0);
    EXPECT_INTEGER(status.st_mode & 0777, 0600);
    static const char *const names[] = {
        "",    ".",       "..",  "../x",
        "a/b", ".hidden", "a b", "0123456789012345678901234567890123456789012345678901234567890123x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        EXPECT(config_store_secret(directory, names[i], slice_of("sk-x")) == ERROR_REQUEST_INVALID, "%s", names[i]);
    EXPECT_INTEGER(config_store_secret(directory, "n", slice_of("kt_cg_x")), ERROR_REQUEST_INVALID);
    EXPECT_INTEGER(config_store_secret("/proc/none", "n", slice_of("sk-x")), ERROR_FILE_UNWRITABLE);
    struct config_sources sources =
        sources_of(write_text("secret.dev.yaml", BOTH "      secret_key_ref: {store: a.b-C_1}\n"));
    sources.secret_directory = directory;
    struct load load_result = load_from(&sources);
    CU_ASSERT_EQUAL_FATAL(load_result.error, ERROR_OK);
    EXPECT(secret_is_equal(load_result.settings->targets[0].secret, slice_of("sk-new")), "the newer one");
    struct settings *again = config_retain(load_result.settings);
    done(&load_result);
    EXPECT(secret_is_equal(again->targets[0].secret, slice_of("sk-new")), "alive while referenced");
    config_release(again);
}

/* ---- generated files, shipped files ---- */

static void expect_generated(const char *path, void (*generate)(FILE *))
{
    char *text = NULL;
    size_t size = 0, length;
    FILE *stream = open_memstream(&text, &size);
    generate(stream);
    fclose(stream);
    char *committed = read_text(path, &length);
    EXPECT(length == size && memcmp(committed, text, size) == 0,
           "%s is not what the settings table prints: run scripts/check-generated --write", path);
    free(text);
    free(committed);
}

TEST(the_reference_and_the_schema_are_up_to_date)
{
    expect_generated("policies/REFERENCE.md", config_print_reference);
    expect_generated("policies/policy.schema.json", config_print_schema);
}

TEST(the_examples_load)
{
    DIR *examples = opendir("policies/examples");
    CU_ASSERT_PTR_NOT_NULL_FATAL(examples);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(examples));) {
        char path[512];
        if (!strstr(entry->d_name, ".yaml"))
            continue;
        snprintf(path, sizeof path, "policies/examples/%s", entry->d_name);
        struct load load_result;
        load_good(path, &load_result);
        done(&load_result);
        count++;
    }
    closedir(examples);
    EXPECT(count >= 3, "%u examples", count);
}

TEST(bad_catalogues_and_price_lists_are_refused)
{
    static const struct {
        const char *providers, *prices, *message;
        unsigned line, column;
    } rows[] = {
        {"providers: [{id: a, dialect: openai, hosts: [a.example], base_url: https://a.example, price_family: a},\n"
         " {id: a, dialect: x, hosts: [b.example], base_url: https://b.example, price_family: a}]\n",
         NULL, "provider id \"a\" is used twice", 2, 2},
        {"providers: [{id: a, dialect: openai, hosts: [a.example], base_url: http://a.example, price_family: a}]\n",
         NULL, "\"base_url\" must be https", 1, 68},
        {NULL, "families: {}\n", "the price list must say its date", 1, 1},
        {NULL, "as_of: 2026-07-02\nfamilies: {openai: {m: {input: 1}}}\n", "a price row needs \"input\" and \"output\"",
         2, 21},
        {NULL, "as_of: 2026-07-02\nfamilies: {openai: {m: {input: 1, output: 2, tiers: [{above: 9}, {above: 8}]}}}\n",
         "tiers must ascend", 2, 53},
        {NULL, "as_of: 2026-07-02\nfamilies: {openai: {m: {input: 1, output: 2, price: 3}}}\n",
         "unknown key \"price\" in price row", 2, 46},
        {NULL, "as_of: 2026-07-02\nfamilies: [a]\n", "\"families\" must be a mapping", 2, 11},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config_sources sources = sources_of(write_text("good.dev.yaml", GROUP));
        if (rows[i].providers)
            sources.providers_file = write_text("bad-providers.yaml", rows[i].providers);
        if (rows[i].prices)
            sources.prices_file = write_text("bad-prices.yaml", rows[i].prices);
        struct load load_result = load_from(&sources);
        EXPECT(find_problem(&load_result, rows[i].line, rows[i].column, rows[i].message) != NULL, "row %zu", i);
        done(&load_result);
    }
}

/* ---- exports ---- */

TEST(events_are_kept_until_they_are_exported)
{
    static const struct {
        const char *schedule;
        unsigned days;
    } rows[] = {{"daily", 8}, {"weekly", 21}, {"monthly", 62}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned kept = 0; kept < 100; kept++) {
            char text[256], message[128], hint[128];
            snprintf(text, sizeof text, "%sevidence:\n  keep_events_days: %u\n  exports: {schedule: %s}\n", GROUP, kept,
                     rows[i].schedule);
            snprintf(message, sizeof message,
                     "\"keep_events_days\" is too few for %s exports: their rows are made of events", rows[i].schedule);
            snprintf(hint, sizeof hint, "at least %u, 0 for ever, or exports: {enabled: false}", rows[i].days);
            struct load load_result = load(write_text("kept.dev.yaml", text));
            const bool is_refused = kept && kept < rows[i].days;
            EXPECT_INTEGER(load_result.error != ERROR_OK, is_refused);
            const struct config_problem *found = is_refused ? find_problem(&load_result, 6, 21, message) : NULL;
            EXPECT((found != NULL) == is_refused, "%u days, %s", kept, rows[i].schedule);
            EXPECT(!found || (found->hint && !strcmp(found->hint, hint)), "%u days, %s", kept, rows[i].schedule);
            done(&load_result);
        }
    struct load load_result =
        load(write_text("kept.dev.yaml", GROUP "evidence: {keep_events_days: 1, exports: {enabled: false}}\n"));
    EXPECT_INTEGER(load_result.error, ERROR_OK);
    done(&load_result);
}

/* ---- budgets, alerts, backups ---- */

TEST(every_member_of_a_budget_arrives)
{
    struct load load;
    const struct settings *settings = load_good(
        write_text("budgets.prod.yaml", BOTH
                   "budgets:\n"
                   "  - {id: soft, amount: 50, by_month: {january: 10, may: 0, dec: 80.5}, scope: {project: x*}}\n"
                   "  - {id: stop, amount: 0, window: hourly, hard: true, time_zone: UTC, alerts: []}\n"
                   "  - {id: week, amount: \"1.5\", window: weekly, alerts: [1, 1000], currency: USD,\n"
                   "     scope: {wallet: w, group: g, provider: openai, model: gpt-5.4-*, project: p}}\n"
                   "  - {id: roll, amount: 2, window: rolling, length: 7d, hard: true}\n"
                   "  - {id: year, by_month: {jan: 1, feb: 2, mar: 3, apr: 4, may: 5, jun: 6, jul: 7, aug: 8, sep: 9,\n"
                   "     oct: 10, nov: 11, dec: 12}}\n"),
        &load);
    static const char *const order[] = {"stop", "roll", "soft", "week", "year"};
    EXPECT_INTEGER(settings->budget_count, 5);
    for (size_t i = 0; i < 5; i++)
        EXPECT_STRING(settings->budgets[i].id, order[i]);
    const struct budget *stop = &settings->budgets[0], *roll = &settings->budgets[1], *soft = &settings->budgets[2],
                        *week = &settings->budgets[3], *year = &settings->budgets[4];
    EXPECT(stop->is_hard && stop->has_amount && stop->amount.nano == 0, "a cap of 0 is a cap of 0");
    EXPECT(stop->period == BUDGET_HOURLY && stop->alert_count == 0, "no alerts when none are asked for");
    EXPECT(roll->period == BUDGET_ROLLING && roll->rolling_minutes == 7 * 24 * 60, "rolling");
    EXPECT(!soft->is_hard && soft->period == BUDGET_MONTHLY && soft->amount.nano == 50000000000, "soft");
    EXPECT(soft->has_month[0] && soft->by_month[0].nano == 10000000000 && soft->has_month[4] &&
               soft->by_month[4].nano == 0 && soft->by_month[11].nano == 80500000000 && !soft->has_month[1],
           "months");
    EXPECT(soft->alert_count == 3 && soft->alerts[0] == 50 && soft->alerts[1] == 80 && soft->alerts[2] == 100,
           "prod's alerts");
    EXPECT_STRING(soft->time_zone, "UTC");
    EXPECT(soft->zone && zone_offset_at(soft->zone, 0) == 0, "zone");
    EXPECT_STRING(soft->scope.project, "x*");
    EXPECT(!soft->scope.wallet && !soft->scope.group && !soft->scope.provider && !soft->scope.model, "any");
    EXPECT_STRING(week->scope.wallet, "w");
    EXPECT_STRING(week->scope.group, "g");
    EXPECT_STRING(week->scope.provider, "openai");
    EXPECT_STRING(week->scope.model, "gpt-5.4-*");
    EXPECT(week->alert_count == 2 && week->alerts[1] == 1000, "alerts");
    EXPECT(!year->has_amount && year->by_month[11].nano == 12000000000, "every month");
    EXPECT(soft->origin == BUDGET_OF_POLICY && soft->place.line == 11 && soft->place.column == 10, "place %u:%u",
           soft->place.line, soft->place.column);
    done(&load);
}

TEST(alerts_backups_and_the_rest_arrive)
{
    struct load load;
    setenv("WEBHOOK_KEY", "s3cret", 1);
    const struct settings *settings = load_good(
        write_text("alerts.dev.yaml",
                   BOTH "alerts:\n  log: false\n  command: [/bin/notify, a b, \" c\"]\n  command_timeout_ms: 500\n"
                        "  webhook: {url: \"http://127.0.0.1:9/x\", local: true, ca_file: ca.pem, timeout_ms: 700,\n"
                        "            tries_max: 2, secret_key_ref: {env: WEBHOOK_KEY}}\n"
                        "  low_balance_percent: 0\n  days_left: 3\n"
                        "backups: {directory: copies, every_hours: 0, kept: 2}\n"
                        "wallets: [{id: w, credit: 5, low_balance: 0.5}]\n"
                        "cost_tracking: {hold: learned, clamp: false, clamp_tokens_min: 16}\n"
                        "limits: {disk_low_water_bytes: 1048576, hold_deadline_seconds: 60}\n"),
        &load);
    EXPECT(!settings->alerts.log && settings->alerts.command_count == 3, "alerts");
    EXPECT_STRING(settings->alerts.command[0], "/bin/notify");
    EXPECT_STRING(settings->alerts.command[2], " c");
    EXPECT(settings->alerts.command[3] == NULL && settings->alerts.command_timeout_ms == 500, "command");
    EXPECT_STRING(settings->alerts.webhook_url, "http://127.0.0.1:9/x");
    EXPECT(settings->alerts.webhook_local && settings->alerts.webhook_ca_file[0] == '/' &&
               settings->alerts.webhook_timeout_ms == 700 && settings->alerts.webhook_tries_max == 2,
           "webhook");
    EXPECT(settings->alerts.webhook_secret && !settings->alerts.webhook_secret_problem &&
               secret_is_equal(settings->alerts.webhook_secret, slice_of("s3cret")),
           "secret");
    EXPECT(settings->alerts.low_balance_percent == 0 && settings->alerts.days_left == 3, "warnings");
    EXPECT(strstr(settings->backups.directory, "/copies") && settings->backups.directory[0] == '/' &&
               settings->backups.every_hours == 0 && settings->backups.kept == 2,
           "backups");
    EXPECT(settings->wallets[0].has_low_balance && settings->wallets[0].low_balance.nano == 500000000, "low_balance");
    EXPECT(settings->cost_tracking.hold == HOLD_LEARNED && !settings->cost_tracking.clamp &&
               settings->cost_tracking.clamp_tokens_min == 16,
           "cost_tracking");
    EXPECT(settings->limits.disk_low_water_bytes == 1048576 && settings->limits.hold_deadline_s == 60, "limits");
    done(&load);
}

TEST(a_webhook_whose_key_is_missing_says_so)
{
    struct load load;
    unsetenv("WEBHOOK_KEY");
    const struct settings *settings =
        load_good(write_text("hook.dev.yaml", BOTH "alerts: {webhook: {url: \"https://a.example/secret-path\", "
                                                   "secret_key_ref: {env: WEBHOOK_KEY}, tries_max: 3}}\n"),
                  &load);
    EXPECT(settings->alerts.webhook_secret == NULL, "no secret");
    EXPECT_STRING(settings->alerts.webhook_secret_problem, "WEBHOOK_KEY is not set");
    EXPECT(find_problem(&load, 10, 74, "the webhook's key is unavailable: WEBHOOK_KEY is not set") != NULL, "warning");
    EXPECT(strstr(print(&load), "secret-path") == NULL, "the address is not shown: %s", print(&load));
    done(&load);
}

TEST(dev_gives_each_wallet_a_budget_of_its_starting_credit)
{
    static const char two_groups[] =
        "consumer_groups:\n"
        "  - {name: a, api_key: kt_cg_a, wallet_team_id: shared}\n"
        "  - {name: b, api_key: kt_cg_b, wallet_team_id: shared}\n"
        "  - {name: c, api_key: kt_cg_c, wallet_team_id: empty}\n"
        "  - {name: d, api_key: kt_cg_d, wallet_team_id: a-wallet-whose-name-is-longer-than-what-a-budget-may-have}\n"
        "  - {name: e, api_key: kt_cg_e, wallet_team_id: a-wallet-whose-name-is-longer-than-what-a-budget-may-be}\n"
        "wallets: [{id: empty, credit: 0}, {id: shared, credit: 12.5}]\n";
    char text[1024];
    struct load load;
    const struct settings *settings = load_good(write_text("credits.dev.yaml", two_groups), &load);
    EXPECT_INTEGER(settings->budget_count, 3);
    EXPECT_STRING(settings->budgets[0].id, "default.shared");
    EXPECT_INTEGER(settings->budgets[0].amount.nano, 12500000000);
    EXPECT_INTEGER(settings->budgets[1].amount.nano, 5000000000);
    EXPECT(strlen(settings->budgets[1].id) == BUDGET_ID_MAX && strlen(settings->budgets[2].id) == BUDGET_ID_MAX &&
               strcmp(settings->budgets[1].id, settings->budgets[2].id) != 0,
           "%s %s", settings->budgets[1].id, settings->budgets[2].id);
    done(&load);
    snprintf(text, sizeof text, "%sbudgets: []\n", two_groups);
    EXPECT_INTEGER(load_good(write_text("none.dev.yaml", text), &load)->budget_count, 0);
    done(&load);
    EXPECT_INTEGER(load_good(write_text("credits.prod.yaml", two_groups), &load)->budget_count, 0);
    done(&load);
}

static struct config_sources with_overlay(const char *policy, const char *overlay)
{
    struct config_sources sources = sources_of(policy);
    sources.budgets_file = overlay;
    return sources;
}

static struct load load_with(const char *policy, const char *overlay)
{
    struct config_sources sources = with_overlay(policy, overlay);
    return load_from(&sources);
}

static struct load load_good_with(const char *policy, const char *overlay)
{
    struct load load = load_with(policy, overlay);
    if (load.error)
        config_print_problems(&load.problems, stderr);
    CU_ASSERT_EQUAL_FATAL(load.error, ERROR_OK);
    return load;
}

#define TWO_BUDGETS "budgets:\n  - {id: first, amount: 1}\n  - {id: second, amount: 2}\n"

TEST(the_operators_budgets_replace_and_follow_those_of_the_policy)
{
    char policy[256], overlay[256], absent[256];
    snprintf(policy, sizeof policy, "%s", write_text("overlay.dev.yaml", BOTH TWO_BUDGETS));
    snprintf(overlay, sizeof overlay, "%s",
             write_text("budgets.yaml", "budgets:\n  - {id: new, amount: 3}\n  - {id: first, amount: 9}\n"));
    snprintf(absent, sizeof absent, "%s", path_of("no-such-budgets.yaml"));
    struct load plain = load_good_with(policy, NULL), none = load_good_with(policy, absent),
                load = load_good_with(policy, overlay);
    static const char *const order[] = {"first", "second", "new"};
    EXPECT_INTEGER(load.settings->budget_count, 3);
    for (size_t i = 0; i < 3; i++)
        EXPECT_STRING(load.settings->budgets[i].id, order[i]);
    EXPECT_INTEGER(load.settings->budgets[0].amount.nano, 9000000000);
    EXPECT_INTEGER(load.settings->budgets[0].origin, BUDGET_OF_OPERATOR);
    EXPECT_INTEGER(load.settings->budgets[1].origin, BUDGET_OF_POLICY);
    EXPECT_STRING(load.settings->budgets_file, overlay);
    EXPECT_STRING(none.settings->budgets_file, absent);
    EXPECT(plain.settings->budgets_file == NULL, "nowhere");
    EXPECT_STRING(none.settings->digest, plain.settings->digest);
    EXPECT(strcmp(load.settings->digest, plain.settings->digest) != 0, "what decides is in the digest");
    done(&plain);
    done(&none);
    done(&load);
    write_text("budgets.yaml", "budgets: []\n");
    plain = load_good_with(policy, NULL);
    none = load_good_with(policy, overlay);
    EXPECT_STRING(none.settings->digest, plain.settings->digest);
    done(&plain);
    done(&none);
    /* dev's default stays away once there is a row, wherever; it does not for an empty file */
    write_text("overlay.dev.yaml", BOTH);
    none = load_good_with(policy, overlay);
    EXPECT(none.settings->budget_count == 1 && none.settings->budgets[0].origin == BUDGET_OF_DEFAULT, "default");
    done(&none);
    write_text("budgets.yaml", "budgets: [{id: new, amount: 3}]\n");
    load = load_good_with(policy, overlay);
    EXPECT(load.settings->budget_count == 1 && load.settings->budgets[0].origin == BUDGET_OF_OPERATOR, "no default");
    done(&load);
}

/* `cat policy budgets | sha256sum` */
TEST(the_digest_covers_the_operators_file)
{
    char policy[256];
    snprintf(policy, sizeof policy, "%s", write_text("joined.dev.yaml", GROUP));
    struct load load = load_good_with(policy, write_text("joined.yaml", "budgets: [{id: a, amount: 1}]\n"));
    EXPECT_STRING(load.settings->digest, "269cad06359347e71f5a98c9dd3c454363e09d0fe4991ef159c1f8ebbda6469a");
    done(&load);
}

TEST(errors_of_the_operators_file_name_it)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *message;
    } rows[] = {
        {"budgets:\n  - {id: a, amuont: 1}\n", 2, 13, "unknown key \"amuont\" in budget, did you mean \"amount\"?"},
        {"budgets: [{id: a, amount: 1}, {id: a, amount: 2}]\n", 1, 36, "\"id\" is used twice: a, first on line 1"},
        {"consumer_groups: []\nbudgets: []\n", 1, 1, "unknown key \"consumer_groups\" in the operator's budgets"},
        {"{}\n", 1, 1, "the operator's budgets lacks \"budgets\""},
        {"budgets: [{id: a, amount: 1, time_zone: Nowhere}]\n", 1, 41, "unknown time zone \"Nowhere\""},
        {"", 0, 0, "the file is empty"},
        {"budgets: [\n", 2, 1, "not valid YAML: did not find expected node content while parsing a flow node"},
    };
    char policy[256];
    snprintf(policy, sizeof policy, "%s", write_text("named.dev.yaml", BOTH));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *overlay = write_text("named.yaml", rows[i].text);
        struct load load = load_with(policy, overlay);
        EXPECT_INTEGER(load.error, ERROR_SETTINGS_INVALID);
        const struct config_problem *found = find_problem(&load, rows[i].line, rows[i].column, rows[i].message);
        EXPECT(found && strcmp(found->file, overlay) == 0, "%s", rows[i].text);
        done(&load);
    }
    /* a group that the policy lost does not keep the agent from starting */
    struct load load =
        load_good_with(policy, write_text("named.yaml", "budgets: [{id: a, amount: 1, scope: {group: gone}}]\n"));
    EXPECT(find_problem(&load, 1, 45, "there is no group \"gone\"") != NULL, "but is said");
    done(&load);
}

/* n budgets with a scope each, in which # stands for its number. */
static const char *many_budgets(size_t n, const char *scope)
{
    static char text[32768];
    size_t length = (size_t)snprintf(text, sizeof text, BOTH "budgets:\n");
    for (unsigned i = 0; i < n; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "  - {id: b%u, amount: 1, scope: {", i);
        for (const char *c = scope; *c; c++)
            length += (size_t)(*c == '#' ? snprintf(text + length, sizeof text - length, "%u", i)
                                         : snprintf(text + length, sizeof text - length, "%c", *c));
        length += (size_t)snprintf(text + length, sizeof text - length, "}}\n");
    }
    return text;
}

TEST(at_most_eight_budgets_can_count_one_call)
{
    static const struct {
        size_t n;
        const char *scope, *more; /* further rows */
        bool is_good;
    } rows[] = {
        {8, "", "", true},
        {9, "", "", false},
        {64, "model: m#", "", true},
        {63, "model: m#", "  - {id: all, amount: 1}\n", true},
        {65, "model: m#", "", false},
        {8, "model: m#", "  - {id: c, amount: 1, scope: {model: m*}}\n", true},
        {9, "project: p", "", false},
        {8, "model: gpt-5", "  - {id: c, amount: 1, scope: {model: gpt-*}}\n", false},
        {8, "model: gpt-*", "  - {id: c, amount: 1, scope: {model: gpt-5}}\n", false},
        {8, "model: gpt-*", "  - {id: c, amount: 1, scope: {model: claude*}}\n", true},
        {8, "model: gpt-*", "  - {id: c, amount: 1, scope: {project: p}}\n", false},
        {8, "project: a, model: x#*", "  - {id: c, amount: 1, scope: {project: a}}\n", true},
        {8, "group: g", "  - {id: c, amount: 1, scope: {wallet: w}}\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[40000];
        snprintf(text, sizeof text, "%s%s", many_budgets(rows[i].n, rows[i].scope), rows[i].more);
        struct load load_result = load(write_text("count.dev.yaml", text));
        EXPECT((load_result.error == ERROR_OK) == rows[i].is_good, "row %zu: %s", i, print(&load_result));
        done(&load_result);
    }
    struct load load_result = load(write_text("count.dev.yaml", many_budgets(9, "")));
    EXPECT(find_problem(&load_result, 19, 10,
                        "more than 8 budgets can count one call: b0, b1, b2, b3, b4, b5, b6, b7, b8") != NULL,
           "it names them");
    done(&load_result);
}

/* A group's wallet is known: budgets of another wallet never meet those of the group. */
TEST(budgets_of_a_group_do_not_meet_those_of_other_wallets)
{
    char text[8192];
    static const char groups[] = "consumer_groups:\n  - {name: a, api_key: kt_cg_a, wallet_team_id: wa}\n"
                                 "  - {name: b, api_key: kt_cg_b, wallet_team_id: wb}\nbudgets:\n";
    for (int is_other = 0; is_other < 2; is_other++) {
        size_t length = (size_t)snprintf(text, sizeof text, "%s", groups);
        for (unsigned i = 0; i < 10; i++)
            length +=
                (size_t)snprintf(text + length, sizeof text - length, "  - {id: b%u, amount: 1, scope: {%s}}\n", i,
                                 i < 5      ? "group: a"
                                 : is_other ? "wallet: wb"
                                            : "wallet: wa");
        struct load load_result = load(write_text("meet.prod.yaml", text));
        EXPECT((load_result.error == ERROR_OK) == is_other, "%s", print(&load_result));
        done(&load_result);
    }
}

/* ---- writing the operator's budgets ---- */

static struct config_problems problems_now;

static enum error set_row(const struct settings *settings, const char *row)
{
    config_problems_done(&problems_now);
    config_problems_init(&problems_now);
    return config_set_budget(settings, slice_of(row), &problems_now);
}

static bool has_message(const char *message)
{
    for (size_t i = 0; i < problems_now.count; i++)
        if (strcmp(problems_now.rows[i].message, message) == 0)
            return true;
    config_print_problems(&problems_now, stderr);
    return false;
}

TEST(budgets_are_set_and_taken_back)
{
    char policy[256], overlay[256];
    snprintf(policy, sizeof policy, "%s", write_text("set.dev.yaml", BOTH TWO_BUDGETS));
    snprintf(overlay, sizeof overlay, "%s", path_of("set.yaml"));
    unlink(overlay);
    struct load load = load_good_with(policy, overlay);
    EXPECT_INTEGER(set_row(load.settings, "{\"id\": \"first\", \"amount\": \"7.25\", \"window\": \"rolling\", "
                                          "\"length\": \"36h\", \"hard\": true, \"scope\": {\"model\": \"gpt-*\"}, "
                                          "\"alerts\": [10, 20], \"time_zone\": \"UTC\"}"),
                   ERROR_OK);
    EXPECT_INTEGER(load.settings->budgets[0].amount.nano, 1000000000); /* in force after a reload */
    done(&load);
    load = load_good_with(policy, overlay);
    const struct budget *first = &load.settings->budgets[0];
    EXPECT_STRING(first->id, "first");
    EXPECT(first->amount.nano == 7250000000 && first->period == BUDGET_ROLLING && first->rolling_minutes == 2160 &&
               first->is_hard && first->alert_count == 2 && first->alerts[1] == 20,
           "as it was given");
    EXPECT_STRING(first->scope.model, "gpt-*");
    EXPECT_INTEGER(load.settings->budget_count, 2);
    EXPECT_INTEGER(set_row(load.settings, "{id: third, amount: 0.000000001, by_month: {feb: 0}}"), ERROR_OK);
    done(&load);
    load = load_good_with(policy, overlay);
    EXPECT_INTEGER(load.settings->budget_count, 3);
    EXPECT(load.settings->budgets[2].amount.nano == 1 && load.settings->budgets[2].has_month[1] &&
               load.settings->budgets[2].alert_count == 5,
           "dev's alerts");
    struct stat status;
    EXPECT(stat(overlay, &status) == 0 && (status.st_mode & 0777) == 0600, "private");
    EXPECT_INTEGER(config_unset_budget(load.settings, "second"), ERROR_NOT_FOUND);
    EXPECT_INTEGER(config_unset_budget(load.settings, "first"), ERROR_OK);
    done(&load);
    load = load_good_with(policy, overlay);
    EXPECT(load.settings->budget_count == 3 && load.settings->budgets[0].amount.nano == 1000000000,
           "the policy's counts again");
    EXPECT_INTEGER(config_unset_budget(load.settings, "third"), ERROR_OK);
    done(&load);
    load = load_good_with(policy, overlay);
    EXPECT_INTEGER(load.settings->budget_count, 2);
    done(&load);
}

TEST(a_bad_budget_is_not_written)
{
    static const struct {
        const char *row, *message;
    } rows[] = {
        {"", "the file is empty"},
        {"[]", "a budget must be a mapping (key: value)"},
        {"{\"id\": \"a\"}", "budget lacks \"amount\""},
        {"{\"id\": \"a\", \"amuont\": 1}", "unknown key \"amuont\" in budget, did you mean \"amount\"?"},
        {"{\"id\": \"a\", \"amount\": null}", "\"amount\" has no value"},
        {"{\"id\": \"a\", \"amount\": 1e3}", "\"amount\" is no amount of USD: \"1e3\""},
        {"{\"id\": \"a\", \"amount\": -1}", "\"amount\" must be from 0 to 1000000000 USD"},
        {"{\"id\": \"a\", \"amount\": 1, \"scope\": {\"group\": \"h\"}}",
         "there is no group \"h\", did you mean \"g\"?"},
        {"{\"id\": \"a\", \"amount\": 1, \"amount\": 2}", "duplicate key \"amount\", first used on line 1"},
        {"{\"id\": \"a b\", \"amount\": 1}", "\"id\" is no valid name: \"a b\""},
        {"{\"id\": \"ninth\", \"amount\": 1}",
         "more than 8 budgets can count one call: b0, b1, b2, b3, b4, b5, b6, b7, ninth"},
    };
    char policy[256], overlay[256];
    snprintf(policy, sizeof policy, "%s", write_text("unset.dev.yaml", many_budgets(8, "")));
    snprintf(overlay, sizeof overlay, "%s", path_of("unset.yaml"));
    unlink(overlay);
    struct load load = load_good_with(policy, overlay);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EXPECT(set_row(load.settings, rows[i].row) == ERROR_SETTINGS_INVALID, "%s", rows[i].row);
        EXPECT(has_message(rows[i].message), "%s", rows[i].row);
    }
    static char huge[70000];
    memset(huge, ' ', sizeof huge - 1);
    EXPECT_INTEGER(set_row(load.settings, huge), ERROR_SETTINGS_INVALID);
    EXPECT(access(overlay, F_OK) != 0, "nothing was written");
    EXPECT_INTEGER(set_row(load.settings, "{id: b3, amount: 5}"), ERROR_OK); /* in the place of the policy's */
    done(&load);
    load = load_good_with(policy, overlay);
    EXPECT_INTEGER(load.settings->budget_count, 8);
    done(&load);
    load = load_good_with(policy, NULL);
    EXPECT_INTEGER(set_row(load.settings, "{id: b3, amount: 5}"), ERROR_NOT_FOUND);
    done(&load);
    load = load_good_with(policy, "/nonexistent/budgets.yaml");
    EXPECT_INTEGER(set_row(load.settings, "{id: b3, amount: 5}"), ERROR_FILE_UNWRITABLE);
    done(&load);
    config_problems_done(&problems_now);
    config_problems_init(&problems_now);
    config_problems_done(&problems_now);
}

TEST(any_text_in_a_budget_survives_being_written)
{
    static const char *const texts[] = {"plain",
                                        "a b",
                                        "#x",
                                        "a: b",
                                        "[x]",
                                        "{x}",
                                        "'x'",
                                        "\"x\"",
                                        "\\x",
                                        "x\\",
                                        "&a",
                                        "*",
                                        "!x",
                                        "%x",
                                        "@x",
                                        "`x`",
                                        "|",
                                        ">",
                                        "-",
                                        "?",
                                        "~",
                                        "null",
                                        "true",
                                        "1",
                                        "\xc3\xa9t\xc3\xa9",
                                        "\xf0\x9f\x98\x80",
                                        ",",
                                        "x, y: z"};
    static const uint32_t alerts[] = {1, 50, 1000};
    enum { COUNT = sizeof texts / sizeof *texts };
    struct budget budgets[COUNT];
    char names[COUNT][8], policy[256];
    snprintf(policy, sizeof policy, "%s", write_text("texts.dev.yaml", BOTH));
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "t%zu", i);
        budgets[i] = (struct budget){.id = names[i],
                                     .scope = {.model = texts[i], .project = texts[i]},
                                     .amount = {(int64_t)i * 1000000001},
                                     .has_amount = true,
                                     .period = (enum budget_period)(i % 4),
                                     .time_zone = "UTC",
                                     .alerts = alerts,
                                     .alert_count = i % 4,
                                     .is_hard = false};
    }
    const char *overlay = path_of("texts.yaml");
    EXPECT_INTEGER(config_write_budgets(overlay, budgets, COUNT), ERROR_OK);
    struct load load = load_good_with(policy, overlay);
    EXPECT_INTEGER(load.settings->budget_count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const struct budget *budget = &load.settings->budgets[i];
        EXPECT_STRING(budget->scope.model, texts[i]);
        EXPECT_STRING(budget->scope.project, texts[i]);
        EXPECT(budget->amount.nano == budgets[i].amount.nano && budget->period == budgets[i].period &&
                   budget->alert_count == budgets[i].alert_count,
               "%s", names[i]);
    }
    done(&load);
}
