/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML files through config_load, one of the three hostile and the others small and good: the targets policy, catalogue
 * and prices. Whatever the file says, there are settings or there is a reason, with a place in a file.
 */
#ifndef TESTS_FUZZ_SETTINGS_H
#define TESTS_FUZZ_SETTINGS_H

#include "fuzz.h"

#include "config/config.h"

enum settings_file { FILE_POLICY, FILE_CATALOGUE, FILE_PRICES };

static inline void require_settings(enum settings_file which, struct slice bytes)
{
    static const char *const names[] = {"policy.dev.yaml", "catalogue.yaml", "prices.yaml"};
    static const char *const good[] = {
        "consumer_groups: [{name: g, api_key: kt_cg_g, wallet_team_id: w}]\n",
        "providers: [{id: openai, dialect: openai, hosts: [a.example], base_url: https://a.example, price_family: "
        "openai},"
        " {id: google, dialect: gemini, hosts: [\"*.c.example\"], price_family: c, key_environment: [C]}]\n",
        "as_of: 2026-07-02\nfamilies: {openai: {m: {input: 1, output: 2}}}\n"};
    const char *paths[3];
    for (int i = 0; i < 3; i++)
        paths[i] = fuzz_file(names[i], i == (int)which ? bytes : slice_of(good[i]));
    const struct config_sources sources = {
        .policy_file = paths[0], .providers_file = paths[1], .prices_file = paths[2], .environment = ENVIRONMENT_DEV};
    struct config_problems problems;
    struct settings *settings = NULL;
    config_problems_init(&problems);
    enum error error = config_load(&sources, &problems, &settings);
    FUZZ_REQUIRE((error == ERROR_OK) == (settings != NULL), "%s", error_row(error)->name);
    FUZZ_REQUIRE((error == ERROR_OK) == (problems.error_count == 0), "%zu errors", problems.error_count);
    FUZZ_REQUIRE(problems.count <= CONFIG_PROBLEMS_MAX, "%zu problems", problems.count);
    for (size_t i = 0; i < problems.count; i++)
        FUZZ_REQUIRE(problems.rows[i].message && *problems.rows[i].message && problems.rows[i].file, "problem %zu", i);
    static FILE *sink;
    sink = sink ? sink : fopen("/dev/null", "w");
    config_print_problems(&problems, sink);
    config_problems_done(&problems);
    config_release(settings);
}

#define SETTINGS_TARGET(which)                                                                                         \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                                       \
    {                                                                                                                  \
        require_settings(which, fuzz_slice(data, size));                                                               \
        return 0;                                                                                                      \
    }

#endif
