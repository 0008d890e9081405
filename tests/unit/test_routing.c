/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routing/: which targets a call is about (rules in force, listed models, model groups, what is not listed), what
 * leaves one of them out and why, dialects, conversations. Strategies and breakers: test_routing_load.c.
 */
#include "tests/unit/suite.h"

#include "tests/unit/routing_world.h"

/* One choice of a fresh routing. */
static const char *choose(const struct route_request *request)
{
    static struct route route;
    struct routing *routing = routing_new();
    const char *text = world_choose(routing, request, &route);
    routing_free(routing);
    return text;
}

static const char *choose_of(const struct provider *provider, enum api api, const char *model)
{
    const struct route_request request = world_request(provider, api, model);
    return choose(&request);
}

/* ---- candidates ---- */

TEST(targets_of_the_model)
{
    world_begin();
    world.settings.routing.strategy = STRATEGY_ORDERED;
    world_add(&openai, "m1");
    world_add(&openai, "m2");
    world_add(&groq, "m1");
    EXPECT_STRING(choose_of(&openai, API_CHAT, "m1"), "a c");
    EXPECT_STRING(choose_of(&openai, API_CHAT, "m2"), "b");
    EXPECT_STRING(choose_of(&openai, API_EMBEDDINGS, "m2"), "b");
    EXPECT_STRING(choose_of(&openai, API_CHAT, ""), "a b c");
    /* what lies at a provider is asked for there first */
    EXPECT_STRING(choose_of(&groq, API_OTHER, ""), "c a b");
    EXPECT_STRING(choose_of(&groq, API_NONE, ""), "c a b");
}

TEST(rules_of_projects_and_groups_go_first)
{
    static struct project projects[] = {
        {.name = "team-*", .routing = {.strategy = STRATEGY_LEAST_BUSY, .on_unlisted_model = UNLISTED_PASS}},
        {.name = "team-web*", .routing = {.strategy = STRATEGY_WEIGHTED}},
        {.name = "team-web", .routing = {.strategy = STRATEGY_ROUND_ROBIN}},
        {.name = "*", .routing = {.cross_dialect = CROSS_DIALECT_NEVER}},
    };
    static const struct consumer_group group = {
        .routing = {.strategy = STRATEGY_STICKY, .on_unlisted_model = UNLISTED_BLOCK}};
    static const struct {
        const char *project;
        const struct consumer_group *group;
        const char *strategy, *unlisted;
    } rows[] = {
        {"", NULL, "lowest_cost", "a"},
        {"", &group, "sticky", "model_unlisted"},
        {"team-", NULL, "least_busy", "pass"},
        {"team-x", &group, "least_busy", "pass"},
        {"team", &group, "sticky", "model_unlisted"},
        {"team-webshop", &group, "weighted", "model_unlisted"},
        {"team-web", NULL, "round_robin", "a"},
    };
    world_begin();
    world.settings.routing.strategy = STRATEGY_LOWEST_COST;
    world.settings.projects = projects;
    world.settings.project_count = 4;
    world_add(&openai, "m");
    struct routing *routing = routing_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct route route;
        struct route_request request = world_request(&openai, API_CHAT, "m");
        request.project = rows[i].project;
        request.group = rows[i].group;
        EXPECT_STRING(world_choose(routing, &request, &route), "a");
        EXPECT_STRING(route.strategy, rows[i].strategy);
        EXPECT_STRING(route.reason, "listed model");
        request.model = "unlisted";
        EXPECT_STRING(world_choose(routing, &request, &route), rows[i].unlisted);
    }
    routing_free(routing);
}

TEST(what_nobody_has_decided)
{
    world_begin();
    world.settings.routing.on_unlisted_model = UNLISTED_INHERIT;
    world.settings.capture.unlisted_provider = UNLISTED_INHERIT;
    world_add(&openai, "m");
    struct route route;
    struct routing *routing = routing_new();
    struct route_request request = world_request(&openai, API_CHAT, "m");
    request.project = NULL;
    request.can_speak = NULL;
    request.find_cost = NULL;
    EXPECT_STRING(world_choose(routing, &request, &route), "a");
    EXPECT_STRING(route.strategy, "usage_based");
    EXPECT_STRING(choose_of(&openai, API_CHAT, "x"), "model_unlisted");
    EXPECT_STRING(choose_of(&google, API_GENERATE, "x"), "provider_unlisted");
    EXPECT_STRING(routing_strategy_name(STRATEGY_INHERIT), "usage_based");
    EXPECT_STRING(routing_strategy_name(STRATEGY_STICKY), "sticky");
    EXPECT_STRING(routing_breaker_name(BREAKER_HALF_OPEN), "half-open");
    routing_free(routing);
}

TEST(model_groups)
{
    world_begin();
    struct target *a = world_add(&openai, "m1"), *b = world_add(&groq, "m2"), *c = world_add(&openai, "m3");
    const struct target *of_all[] = {c, a, c, NULL, b}, *of_group[] = {b}, *of_project[] = {c}, *of_model[] = {a};
    struct model_group general[] = {
        {.name = "fast", .targets = of_all, .target_count = 5, .strategy = STRATEGY_ORDERED},
        {.name = "m2", .targets = of_model, .target_count = 1},
        {.name = "none"}};
    struct model_group for_group[] = {{.name = "fast", .targets = of_group, .target_count = 1}};
    struct model_group for_project[] = {{.name = "fast", .targets = of_project, .target_count = 1}};
    const struct consumer_group group = {.routing = {.model_groups = for_group, .model_group_count = 1}};
    struct project project = {.name = "p", .routing = {.model_groups = for_project, .model_group_count = 1}};
    world.settings.routing.model_groups = general;
    world.settings.routing.model_group_count = 3;
    world.settings.projects = &project;
    world.settings.project_count = 1;
    struct route route;
    struct routing *routing = routing_new();
    struct route_request request = world_request(&openai, API_CHAT, "fast");
    EXPECT_STRING(world_choose(routing, &request, &route), "c a b"); /* as written, each once */
    EXPECT_STRING(route.reason, "model group");
    EXPECT_STRING(route.model_group, "fast");
    EXPECT_STRING(route.strategy, "ordered");
    EXPECT(!route.is_rerouted, "a group is listed");
    request.group = &group;
    EXPECT_STRING(world_choose(routing, &request, &route), "b");
    EXPECT_STRING(route.strategy, "usage_based");
    request.project = "p";
    EXPECT_STRING(world_choose(routing, &request, &route), "c");
    request.model = "m2"; /* a target's model goes before a group of that name */
    EXPECT_STRING(world_choose(routing, &request, &route), "b");
    request.model = "none";
    EXPECT_STRING(world_choose(routing, &request, &route), "no_target");
    routing_free(routing);
}

TEST(models_that_nobody_lists)
{
    static const struct {
        const struct provider *called;
        enum api api;
        enum unlisted model_rule, provider_rule;
        const char *wanted;
        bool is_rerouted, keeps_model;
    } rows[] = {
        {&openai, API_CHAT, UNLISTED_ROUTE, UNLISTED_BLOCK, "a b d", true, false},
        {&openai, API_CHAT, UNLISTED_BLOCK, UNLISTED_PASS, "model_unlisted", false, false},
        {&openai, API_CHAT, UNLISTED_PASS, UNLISTED_BLOCK, "pass", false, false},
        {&openai, API_RESPONSES, UNLISTED_ROUTE, UNLISTED_BLOCK, "a b d", true, false},
        {&anthropic, API_MESSAGES, UNLISTED_ROUTE, UNLISTED_BLOCK, "c a b d", true, false},
        {&openai, API_COMPLETIONS, UNLISTED_ROUTE, UNLISTED_BLOCK, "a b d|c another dialect", true, false},
        /* a chat model has no embeddings: to the called provider, as it is */
        {&openai, API_EMBEDDINGS, UNLISTED_ROUTE, UNLISTED_BLOCK, "a b", false, true},
        {&openai, API_OTHER, UNLISTED_ROUTE, UNLISTED_BLOCK, "a b", false, true},
        {&openai, API_NONE, UNLISTED_ROUTE, UNLISTED_BLOCK, "a b", false, true},
        {&groq, API_EMBEDDINGS, UNLISTED_ROUTE, UNLISTED_BLOCK, "d", false, true},
        {&openai, API_EMBEDDINGS, UNLISTED_BLOCK, UNLISTED_PASS, "model_unlisted", false, false},
        {&openai, API_EMBEDDINGS, UNLISTED_PASS, UNLISTED_BLOCK, "pass", false, false},
        /* nobody speaks Gemini here, and what it speaks is not translated */
        {&google, API_GENERATE, UNLISTED_ROUTE, UNLISTED_BLOCK, "provider_unlisted", false, false},
        {&google, API_GENERATE, UNLISTED_ROUTE, UNLISTED_PASS, "pass", false, false},
        {&google, API_OTHER, UNLISTED_ROUTE, UNLISTED_METER, "pass", false, false},
        {&google, API_GENERATE, UNLISTED_BLOCK, UNLISTED_PASS, "pass", false, false},
        {&google, API_GENERATE, UNLISTED_PASS, UNLISTED_BLOCK, "provider_unlisted", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct route route;
        struct routing *routing = routing_new();
        world_begin();
        world_add(&openai, "m1");
        world_add(&openai, "m2");
        world_add(&anthropic, "m3");
        world_add(&groq, "m4");
        world.settings.routing.strategy = STRATEGY_ORDERED;
        world.settings.routing.on_unlisted_model = rows[i].model_rule;
        world.settings.capture.unlisted_provider = rows[i].provider_rule;
        struct route_request request = world_request(rows[i].called, rows[i].api, "unlisted");
        const char *text = world_choose(routing, &request, &route);
        EXPECT(!strcmp(text, rows[i].wanted), "row %zu: %s, wanted %s", i, text, rows[i].wanted);
        EXPECT(route.is_rerouted == rows[i].is_rerouted && route.keeps_model == rows[i].keeps_model, "row %zu", i);
        EXPECT(!route.keeps_model || !world.cost_calls[0], "row %zu: asked for the price of another model", i);
        routing_free(routing);
    }
}

TEST(a_provider_without_targets)
{
    world_begin();
    world_add(&openai, "m");
    EXPECT_STRING(choose_of(&anthropic, API_MESSAGES, "unlisted"), "a"); /* the lane, translated */
    world.cannot_speak[0] = true;
    EXPECT_STRING(choose_of(&anthropic, API_MESSAGES, "unlisted"),
                  "provider_unlisted|a cannot be translated: n: has no counterpart");
    world.settings.capture.unlisted_provider = UNLISTED_METER;
    EXPECT_STRING(choose_of(&anthropic, API_MESSAGES, "unlisted"),
                  "pass|a cannot be translated: n: has no counterpart");
    EXPECT_STRING(choose_of(&anthropic, API_NONE, ""), "pass");
    EXPECT_STRING(choose_of(&groq, API_EMBEDDINGS, "unlisted"), "pass"); /* its dialect is listed, no key of its own */
    world.targets[0].secret = NULL; /* the lane is there, but cannot serve: never past it */
    EXPECT_STRING(choose_of(&anthropic, API_MESSAGES, "unlisted"), "no_secret|a no secret");
    world.settings.target_count = 0;
    EXPECT_STRING(choose_of(&openai, API_CHAT, "unlisted"), "pass");
    EXPECT_STRING(choose_of(&openai, API_CHAT, ""), "pass");
}

/* ---- filters ---- */

static const char *const eu[] = {"eu"}, *const both[] = {"zero_retention", "eu"};
static const struct consumer_group eu_group = {.data_policy = (const char **)(void *)(uintptr_t)both,
                                               .data_policy_count = 2};
static struct routing *filter_routing;

static void spoil_secret(struct target *target)
{
    target->secret = NULL;
}
static void spoil_labels(struct target *target)
{
    target->data_policy = (const char **)(void *)(uintptr_t)eu;
    target->data_policy_count = 1;
}
static void spoil_limit(struct target *target)
{
    target->limit_tokens_per_minute = 99;
}
static void spoil_model(struct target *target)
{
    EXPECT(world_try(filter_routing, target, (struct routing_outcome){.is_model_missing = true}), "-");
}
static void spoil_breaker(struct target *target)
{
    EXPECT(world_try(filter_routing, target, (struct routing_outcome){.kind = OUTCOME_FAILED}), "-");
}
static void spoil_rest(struct target *target)
{
    EXPECT(world_try(filter_routing, target, (struct routing_outcome){.retry_after_s = 7}), "-");
}
static void spoil_requests(struct target *target)
{
    target->limit_requests_per_minute = 1;
    EXPECT(world_try(filter_routing, target, (struct routing_outcome){0}), "-");
}
static void spoil_tokens(struct target *target)
{
    target->limit_tokens_per_minute = 150;
    EXPECT(world_try(filter_routing, target, (struct routing_outcome){.tokens_used = 51}), "-");
}
static void spoil_speech(struct target *target)
{
    world.cannot_speak[target->index] = true;
}
static void spoil_price(struct target *target)
{
    world.has_no_price[target->index] = true;
}
static void spoil_ceiling(struct target *target)
{
    target->has_max_price = true;
    target->max_price.nano = 9;
}
static void spoil_window(struct target *target)
{
    world.costs[target->index].context_tokens = 49;
}

TEST(each_filter_says_why)
{
    static const struct {
        void (*spoil)(struct target *target);
        const char *why;
        enum error error;
        uint32_t retry_after_s;
    } rows[] = {
        {spoil_secret, "no secret", ERROR_NO_SECRET, 0},
        {spoil_labels, "data policy", ERROR_TARGET_DENIED, 0},
        {spoil_limit, "larger than its limit", ERROR_NO_TARGET, 0},
        {spoil_model, "model missing at the provider for 600 s", ERROR_NO_TARGET, 0},
        {spoil_breaker, "breaker open for 30 s", ERROR_TARGETS_BUSY, 30},
        {spoil_rest, "rests as it asked for 7 s", ERROR_TARGETS_BUSY, 7},
        {spoil_requests, "at its limit for 60 s", ERROR_TARGETS_BUSY, 60},
        {spoil_tokens, "at its limit for 60 s", ERROR_TARGETS_BUSY, 60},
        {spoil_speech, "cannot be translated: n: has no counterpart", ERROR_NO_TRANSLATION, 0},
        {spoil_price, "price unknown", ERROR_PRICE_UNKNOWN, 0},
        {spoil_ceiling, "above its price ceiling", ERROR_TARGET_DENIED, 0},
        {spoil_window, "larger than its context window", ERROR_NO_TARGET, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[ROUTE_LEFT_OUT_TEXT_MAX];
        struct route route;
        filter_routing = routing_new();
        world_begin();
        world.settings.routing.breaker.enabled = true;
        world.settings.routing.breaker.failures = 1;
        world.settings.routing.breaker.open_s = 30;
        for (unsigned t = 0; t < 2; t++) {
            struct target *target = world_add(&openai, "m");
            target->data_policy = (const char **)(void *)(uintptr_t)both;
            target->data_policy_count = 2;
            world.costs[t] = (struct route_cost){{10}, 50, 50};
        }
        rows[i].spoil(&world.targets[0]);
        struct route_request request = world_request(&openai, API_CHAT, "m");
        request.group = &eu_group;
        enum error error = routing_choose(filter_routing, &request, &route);
        EXPECT(!error && route.count == 1 && route.targets[0] == &world.targets[1], "row %zu", i);
        EXPECT(route.left_out_count == 1 && route.left_out[0].target == &world.targets[0], "row %zu", i);
        EXPECT_STRING(routing_format_left_out(&route.left_out[0], text), rows[i].why);
        world.settings.target_count = 1;
        EXPECT_STRING(error_row(routing_choose(filter_routing, &request, &route))->code,
                      error_row(rows[i].error)->code);
        EXPECT(route.left_out_count == 1 && route.count == 0, "row %zu: failed without saying why", i);
        EXPECT_INTEGER(route.retry_after_s, rows[i].retry_after_s);
        routing_free(filter_routing);
    }
}

TEST(who_is_left_out_early_is_not_asked)
{
    world_begin();
    world_add(&openai, "m")->secret = NULL;
    world_add(&openai, "m");
    world_add(&anthropic, "m");
    EXPECT_STRING(choose_of(&openai, API_CHAT, "m"), "b c|a no secret");
    for (unsigned i = 0; i < 3; i++)
        EXPECT(world.speak_calls[i] == (i > 0) && world.cost_calls[i] == (i > 0), "target %u", i);
    for (unsigned i = 0; i < 2; i++)
        world_add(&openai, "m");
    /* three of its own dialect: the others are neither asked nor named */
    world.settings.routing.strategy = STRATEGY_ORDERED;
    EXPECT_STRING(choose_of(&openai, API_CHAT, "m"), "b d e|a no secret");
    EXPECT_INTEGER(world.speak_calls[2], 1);
}

TEST(many_candidates_and_few_places)
{
    world_begin();
    world.settings.routing.strategy = STRATEGY_ORDERED;
    for (unsigned i = 0; i < WORLD_TARGETS; i++)
        world_add(&openai, "m")->secret = i < 20 ? NULL : world.targets[0].secret;
    for (unsigned i = 20; i < WORLD_TARGETS; i++)
        world.targets[i].secret = (struct secret *)(void *)&world_secret;
    struct route route;
    struct routing *routing = routing_new();
    struct route_request request = world_request(&openai, API_CHAT, "m");
    EXPECT_INTEGER(routing_choose(routing, &request, &route), ERROR_OK);
    EXPECT_INTEGER(route.count, ROUTE_TARGETS_MAX);
    EXPECT_INTEGER(route.left_out_count, ROUTE_LEFT_OUT_MAX);
    for (unsigned i = 0; i < ROUTE_TARGETS_MAX; i++)
        EXPECT_INTEGER(route.targets[i]->index, 20 + i);
    routing_free(routing);
}

/* ---- dialects ---- */

TEST(dialects)
{
    static const struct {
        enum cross_dialect rule;
        const struct provider *called;
        enum api api;
        unsigned cannot_speak; /* bits */
        const char *wanted;
    } rows[] = {
        /* a: anthropic, b: groq, c: openai */
        {CROSS_DIALECT_INHERIT, &openai, API_CHAT, 0, "b c a"},
        {CROSS_DIALECT_LAST_RESORT, &openai, API_CHAT, 0, "b c a"},
        {CROSS_DIALECT_LAST_RESORT, &anthropic, API_MESSAGES, 0, "a b c"},
        {CROSS_DIALECT_LAST_RESORT, &openai, API_RESPONSES, 0, "c b a"},
        {CROSS_DIALECT_EQUAL, &openai, API_CHAT, 0, "a b c"},
        {CROSS_DIALECT_EQUAL, &openai, API_RESPONSES, 0, "a b c"},
        {CROSS_DIALECT_NEVER, &openai, API_CHAT, 0, "b c|a another dialect"},
        {CROSS_DIALECT_NEVER, &anthropic, API_MESSAGES, 0, "a|b another dialect, c another dialect"},
        {CROSS_DIALECT_NEVER, &openai, API_RESPONSES, 2,
         "c|a another dialect, b cannot be translated: n: has no counterpart"},
        {CROSS_DIALECT_EQUAL, &openai, API_EMBEDDINGS, 0, "b c|a another dialect"},
        {CROSS_DIALECT_EQUAL, &openai, API_COMPLETIONS, 0, "b c|a another dialect"},
        {CROSS_DIALECT_EQUAL, &google, API_GENERATE, 0,
         "no_translation|a another dialect, b another dialect, c another dialect"},
        {CROSS_DIALECT_LAST_RESORT, &openai, API_CHAT, 6,
         "a|b cannot be translated: n: has no counterpart, c cannot be translated: n: has no counterpart"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world_begin();
        world.settings.routing.strategy = STRATEGY_ORDERED;
        world.settings.routing.cross_dialect = rows[i].rule;
        world_add(&anthropic, "m");
        world_add(&groq, "m");
        world_add(&openai, "m");
        for (unsigned t = 0; t < 3; t++)
            world.cannot_speak[t] = rows[i].cannot_speak >> t & 1;
        const char *text = choose_of(rows[i].called, rows[i].api, "m");
        EXPECT(!strcmp(text, rows[i].wanted), "row %zu: %s, wanted %s", i, text, rows[i].wanted);
    }
}

TEST(cheaper_targets)
{
    static const int64_t costs[] = {50, 9, 10, 8, 7};
    world_begin();
    world_add(&openai, "m1");
    world_add(&anthropic, "m2");
    world_add(&openai, "m3");
    world_add(&openai, "m4");
    world_add(&groq, "m5");
    for (unsigned i = 0; i < 5; i++)
        world.costs[i].bound.nano = costs[i];
    struct route_request request = world_request(&openai, API_CHAT, "m1");
    request.wants_any_model = true;
    request.cheaper_than.nano = 10;
    EXPECT_STRING(choose(&request), "e d b|a not cheaper, c not cheaper");
    world.settings.routing.cross_dialect = CROSS_DIALECT_EQUAL;
    world.costs[1].bound.nano = 1;
    EXPECT_STRING(choose(&request), "b e d|a not cheaper, c not cheaper");
    world.settings.routing.cross_dialect = CROSS_DIALECT_NEVER;
    EXPECT_STRING(choose(&request), "e d|b another dialect, a not cheaper, c not cheaper");
    request.cheaper_than.nano = 1;
    EXPECT(!strncmp(choose(&request), "no_target|", 10), "none is cheaper");
    request.api = API_EMBEDDINGS; /* no chat model in place of an embeddings model */
    request.cheaper_than.nano = 50;
    EXPECT_STRING(choose(&request), "no_target|a not cheaper");
    request.cheaper_than.nano = 51;
    EXPECT_STRING(choose(&request), "a");
    request.model = "unlisted";
    EXPECT_STRING(choose(&request), "no_target");
}

/* ---- conversations ---- */

TEST(a_conversation_stays_where_it_began)
{
    struct route route;
    struct routing *routing = routing_new();
    world_begin();
    world.settings.routing.strategy = STRATEGY_ORDERED;
    world.settings.routing.cross_dialect = CROSS_DIALECT_EQUAL;
    struct target *a = world_add(&anthropic, "m"), *b = world_add(&openai, "m"), *c = world_add(&groq, "m");
    world_add(&openai, "m2");
    struct route_request request = world_request(&openai, API_CHAT, "m");
    request.conversation = 7;
    routing_remember(routing, 7, c);
    routing_remember(routing, 0, a);
    routing_remember(routing, 8, NULL);
    EXPECT_STRING(world_choose(routing, &request, &route), "a b c");
    request.is_continued = true;
    EXPECT_STRING(world_choose(routing, &request, &route), "c b a");
    request.conversation = 8; /* not known: its own dialect before others */
    EXPECT_STRING(world_choose(routing, &request, &route), "b c a");
    request.conversation = 7;
    c->secret = NULL;
    EXPECT_STRING(world_choose(routing, &request, &route), "b a|c no secret");
    request.must_stay = true;
    EXPECT_STRING(world_choose(routing, &request, &route),
                  "no_target|a the conversation is elsewhere, b the conversation is elsewhere, c no secret");
    c->secret = b->secret;
    EXPECT_STRING(world_choose(routing, &request, &route),
                  "c|a the conversation is elsewhere, b the conversation is elsewhere");
    request.conversation = 9; /* not known: at the provider that was called */
    EXPECT_STRING(world_choose(routing, &request, &route),
                  "b|a the conversation is elsewhere, c the conversation is elsewhere");
    request.model = "m2"; /* another model goes on with it: at the same provider */
    routing_remember(routing, 9, b);
    EXPECT_STRING(world_choose(routing, &request, &route), "d");
    routing_remember(routing, 9, c);
    EXPECT_STRING(world_choose(routing, &request, &route), "no_target|d the conversation is elsewhere");
    routing_remember(routing, 9, NULL);
    request.conversation = 10;
    request.provider = &anthropic; /* called there, and only another dialect is left: nobody can read its ids */
    EXPECT_STRING(world_choose(routing, &request, &route), "no_translation|d the conversation is elsewhere");
    routing_free(routing);
}

TEST(the_last_4096_conversations)
{
    struct routing *routing = routing_new();
    world_begin();
    world.settings.routing.strategy = STRATEGY_ORDERED;
    world_add(&openai, "m");
    struct target *b = world_add(&openai, "m");
    struct route_request request = world_request(&openai, API_CHAT, "m");
    request.is_continued = true;
    for (uint64_t i = 1; i <= 4096; i++)
        routing_remember(routing, i, b);
    request.conversation = 1;
    EXPECT_STRING(world_first(routing, &request), "b"); /* and with that it is the youngest */
    routing_remember(routing, 4097, b);
    EXPECT_STRING(world_first(routing, &request), "b");
    request.conversation = 2;
    EXPECT_STRING(world_first(routing, &request), "a");
    request.conversation = 3;
    EXPECT_STRING(world_first(routing, &request), "b");
    for (uint64_t i = 10000; i < 14096; i++)
        routing_remember(routing, i, b);
    EXPECT_STRING(world_first(routing, &request), "a");
    request.conversation = 14095;
    world.settings.target_count = 1; /* a reload took its target away */
    EXPECT_STRING(world_first(routing, &request), "a");
    routing_free(routing);
}
