/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings built by hand, scripted time and answers of flow, for the suites of routing/. Include it once per program,
 * after suite.h.
 */
#ifndef TESTS_UNIT_ROUTING_WORLD_H
#define TESTS_UNIT_ROUTING_WORLD_H

#include "base/clock.h"
#include "routing/routing.h"

#include <stdatomic.h>

enum { WORLD_TARGETS = 300, START_S = 1000 };

static _Atomic int64_t world_now_ns = START_S * (int64_t)1000000000;

int64_t clock_monotonic_ns(void)
{
    return atomic_load(&world_now_ns);
}

int64_t clock_wall_ns(void)
{
    return atomic_load(&world_now_ns);
}

char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    snprintf(text, CLOCK_TEXT_MAX, "%lld", (long long)wall_ns);
    return text;
}

static inline void wait_ms(int64_t ms)
{
    atomic_fetch_add(&world_now_ns, ms * 1000000);
}

static struct provider openai = {.id = "openai", .dialect = DIALECT_OPENAI, .speaks_responses = true};
static struct provider groq = {.id = "groq", .dialect = DIALECT_OPENAI};
static struct provider anthropic = {.id = "anthropic", .dialect = DIALECT_ANTHROPIC};
static struct provider google = {.id = "google", .dialect = DIALECT_GEMINI};

/* What flow would say of a target, by its index. */
static struct world {
    struct settings settings;
    struct target targets[WORLD_TARGETS];
    char ids[WORLD_TARGETS][16];
    struct route_cost costs[WORLD_TARGETS];
    bool has_no_price[WORLD_TARGETS], cannot_speak[WORLD_TARGETS];
    unsigned speak_calls[WORLD_TARGETS], cost_calls[WORLD_TARGETS];
} world;

static char world_secret;

static inline void world_begin(void)
{
    memset(&world, 0, sizeof world);
    world.settings.targets = world.targets;
    world.settings.routing.on_unlisted_model = UNLISTED_ROUTE;
    world.settings.capture.unlisted_provider = UNLISTED_BLOCK;
}

/* Named "a", "b", … "t26", … */
static inline struct target *world_add(const struct provider *provider, const char *model)
{
    unsigned index = (unsigned)world.settings.target_count++;
    snprintf(world.ids[index], sizeof world.ids[index], index < 26 ? "%c" : "t%u", index < 26 ? 'a' + index : index);
    world.targets[index] = (struct target){.id = world.ids[index],
                                           .provider = provider,
                                           .model = model,
                                           .secret = (struct secret *)(void *)&world_secret,
                                           .weight = 1,
                                           .index = index};
    return &world.targets[index];
}

static inline bool world_can_speak(void *context, const struct target *target, const char **ret_why)
{
    (void)context;
    __atomic_fetch_add(&world.speak_calls[target->index], 1, __ATOMIC_RELAXED);
    if (world.cannot_speak[target->index])
        *ret_why = "n: has no counterpart";
    return !world.cannot_speak[target->index];
}

static inline bool world_find_cost(void *context, const struct target *target, struct route_cost *ret_cost)
{
    (void)context;
    __atomic_fetch_add(&world.cost_calls[target->index], 1, __ATOMIC_RELAXED);
    *ret_cost = world.costs[target->index];
    return !world.has_no_price[target->index];
}

static inline struct route_request world_request(const struct provider *provider, enum api api, const char *model)
{
    return (struct route_request){.settings = &world.settings,
                                  .project = "",
                                  .provider = provider,
                                  .api = api,
                                  .model = model,
                                  .tokens_estimate = 100,
                                  .can_speak = world_can_speak,
                                  .find_cost = world_find_cost};
}

/* "a b", "pass", or the error's code; what was left out after a '|' in the order of the filters: "a|b no secret". */
static inline const char *world_choose(struct routing *routing, const struct route_request *request,
                                       struct route *ret_route)
{
    static _Thread_local char text[2048];
    enum error error = routing_choose(routing, request, ret_route);
    size_t length = 0;
    text[0] = '\0';
    if (error || ret_route->is_pass)
        length = (size_t)snprintf(text, sizeof text, "%s", error ? error_row(error)->code : "pass");
    for (size_t i = 0; !error && i < ret_route->count; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s%s", i ? " " : "", ret_route->targets[i]->id);
    for (size_t i = 0; i < ret_route->left_out_count; i++) {
        char why[ROUTE_LEFT_OUT_TEXT_MAX];
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s%s %s", i ? ", " : "|",
                             ret_route->left_out[i].target->id, routing_format_left_out(&ret_route->left_out[i], why));
    }
    return text;
}

/* The first target's id; the error's code. */
static inline const char *world_first(struct routing *routing, const struct route_request *request)
{
    struct route route;
    enum error error = routing_choose(routing, request, &route);
    return error ? error_row(error)->code : route.is_pass ? "pass" : route.targets[0]->id;
}

/* An attempt from its begin to its end, without time passing; false: not let through. */
static inline bool world_try(struct routing *routing, const struct target *target, struct routing_outcome outcome)
{
    outcome.ticket = routing_begin(routing, target, &world.settings, outcome.tokens_estimate);
    if (outcome.ticket)
        routing_end(routing, target, &world.settings, &outcome);
    return outcome.ticket != 0;
}

#endif
