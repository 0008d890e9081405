/* SPDX-License-Identifier: Apache-2.0 */
/* config/: what comes from elsewhere as a small piece of YAML: a project's file, and the row of `tollgate budget set`.
 */
#include "fuzz.h"

#include "config/config.h"

static void play_project(struct slice bytes, struct config_problems *problems, struct arena *arena)
{
    struct project_file project = {.group = NULL};
    const char *refused = NULL;
    enum error error = config_read_project(fuzz_file(".tollgate.yaml", bytes), arena, problems, &refused, &project);
    FUZZ_REQUIRE(error == ERROR_OK || refused || problems->error_count > 0, "%s", error_row(error)->name);
    FUZZ_REQUIRE(error == ERROR_FILE_UNREADABLE || strlen(project.digest) == 64, "no digest");
    FUZZ_REQUIRE(error || project.environment <= ENVIRONMENT_PROD, "%u", project.environment);
}

static void play_budget(struct slice bytes, struct config_problems *problems, struct arena *arena)
{
    static struct settings *settings;
    struct budget budget;
    if (!settings) {
        const struct config_sources sources = {
            .policy_file = fuzz_file(
                "p.yaml", SLICE_LITERAL("consumer_groups: [{name: g, api_key: kt_cg_g, wallet_team_id: w}]\n")),
            .providers_file =
                fuzz_file("c.yaml", SLICE_LITERAL("providers: [{id: openai, dialect: openai, hosts: [a.example], "
                                                  "base_url: https://a.example, price_family: openai}]\n")),
            .prices_file = fuzz_file(
                "l.yaml", SLICE_LITERAL("as_of: 2026-07-02\nfamilies: {openai: {m: {input: 1, output: 2}}}\n")),
            .environment = ENVIRONMENT_DEV};
        FUZZ_REQUIRE(config_load(&sources, problems, &settings) == ERROR_OK, "the plain policy");
    }
    enum error error = config_parse_budget(settings, bytes, problems, arena, &budget);
    FUZZ_REQUIRE((error == ERROR_OK) == (problems->error_count == 0), "%s", error_row(error)->name);
    FUZZ_REQUIRE(error || budget.id != NULL, "a budget without a name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = fuzz_slice(data, size);
    struct config_problems problems;
    struct arena *arena = arena_new(4096);
    config_problems_init(&problems);
    (fuzz_choose(&bytes, 2) ? play_budget : play_project)(bytes, &problems, arena);
    config_problems_done(&problems);
    arena_free(arena);
    return 0;
}
