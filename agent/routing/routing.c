/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See routing.h. The public side: one choice from its rules to its order, load and breaker around an attempt, what
 * people see. Called by flow/ and control/ from any thread; the lock is never held while something outside is called.
 */
#include "routing/candidates.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t TICKET_UNCOUNTED = UINT64_MAX; /* the table was full: nothing to take back */

struct routing *routing_new(void)
{
    struct routing *routing = calloc(1, sizeof *routing);
    check(routing != NULL && pthread_mutex_init(&routing->lock, NULL) == 0);
    routing->random = (uint64_t)clock_monotonic_ns() | 1; /* which of two targets is drawn is no secret */
    return routing;
}

void routing_free(struct routing *routing)
{
    struct use *use, *next;
    if (!routing)
        return;
    HASH_ITER(hh, routing->uses, use, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        HASH_DELETE(hh, routing->uses, use);
        free(use);
    }
    memory_done(&routing->memory);
    pthread_mutex_destroy(&routing->lock);
    free(routing);
}

void routing_remember(struct routing *routing, uint64_t conversation, const struct target *target)
{
    if (!conversation || !target)
        return;
    pthread_mutex_lock(&routing->lock);
    memory_put(&routing->memory, conversation, target->id);
    pthread_mutex_unlock(&routing->lock);
}

/* Of these settings: a target that a reload took away is not known any more. */
static const struct target *find_remembered(struct routing *routing, const struct route_request *request)
{
    char id[ROUTING_ID_BYTES] = "";
    if (!request->conversation || !(request->is_continued || request->must_stay))
        return NULL;
    pthread_mutex_lock(&routing->lock);
    const char *found = memory_find(&routing->memory, request->conversation);
    if (found)
        snprintf(id, sizeof id, "%s", found);
    pthread_mutex_unlock(&routing->lock);
    for (size_t i = 0; i < request->settings->target_count; i++)
        if (!strcmp(request->settings->targets[i].id, id))
            return &request->settings->targets[i];
    return NULL;
}

static bool has_candidate(const struct choice *choice, const struct target *target)
{
    for (size_t i = 0; i < choice->count; i++)
        if (choice->rows[i].target == target)
            return true;
    return false;
}

/* Nobody is left: what stood in the way. */
static enum error find_error(const struct choice *choice)
{
    static const struct {
        enum left_out_kind kind;
        enum error error;
    } of_all[] = {{LEFT_OUT_SECRET, ERROR_NO_SECRET},
                  {LEFT_OUT_TRANSLATION, ERROR_NO_TRANSLATION},
                  {LEFT_OUT_PRICE, ERROR_PRICE_UNKNOWN},
                  {LEFT_OUT_POLICY, ERROR_TARGET_DENIED}};
    if (choice->left_out_of[LEFT_OUT_BUSY])
        return ERROR_TARGETS_BUSY;
    for (size_t i = 0; i < sizeof of_all / sizeof *of_all; i++)
        if (choice->count && choice->left_out_of[of_all[i].kind] == choice->count)
            return of_all[i].error;
    return ERROR_NO_TARGET;
}

static enum error choose(struct choice *choice)
{
    rules_find(choice);
    enum error error = candidates_collect(choice);
    if (error || choice->route->is_pass)
        return error;
    choice->stays_with_target = has_candidate(choice, choice->remembered);
    filters_apply(choice);
    if (candidates_count_left(choice)) {
        strategies_order(choice);
        return ERROR_OK;
    }
    return candidates_is_unlisted_provider(choice) ? candidates_pass_provider(choice) : find_error(choice);
}

enum error routing_choose(struct routing *routing, const struct route_request *request, struct route *ret_route)
{
    struct choice choice;
    memset(&choice, 0, offsetof(struct choice, rows)); /* 256 rows are not worth clearing for a choice among two */
    memset(choice.left_out_of, 0, sizeof choice.left_out_of);
    choice.count = 0;
    *ret_route = (struct route){.reason = "no target"};
    choice.routing = routing;
    choice.request = choice.asks = request;
    choice.route = ret_route;
    choice.now_ns = clock_monotonic_ns();
    choice.remembered = find_remembered(routing, request);
    return choose(&choice);
}

const char *routing_format_left_out(const struct route_left_out *left_out, char text[ROUTE_LEFT_OUT_TEXT_MAX])
{
    char seconds[32] = "";
    if (left_out->for_s)
        snprintf(seconds, sizeof seconds, " for %u s", left_out->for_s);
    snprintf(text, ROUTE_LEFT_OUT_TEXT_MAX, "%s%s%s%s", left_out->why, seconds, left_out->detail ? ": " : "",
             left_out->detail ? left_out->detail : "");
    return text;
}

uint64_t routing_begin(struct routing *routing, const struct target *target, const struct settings *settings,
                       uint64_t tokens_estimate)
{
    uint64_t ticket = 0;
    uint32_t wait_s;
    pthread_mutex_lock(&routing->lock);
    int64_t now_ns = clock_monotonic_ns(); /* within the lock: no earlier time follows a later one */
    struct use *use = use_find(routing, target->id, now_ns);
    if (!use) {
        ticket = TICKET_UNCOUNTED;
    } else if (breaker_is_ready(&use->breaker, settings, now_ns, &wait_s) && now_ns >= use->rests_until_ns &&
               use_has_room(use, target, tokens_estimate, now_ns, &wait_s)) {
        ticket = breaker_begin(&use->breaker, settings, now_ns);
        use_begin(use, tokens_estimate, now_ns);
    }
    pthread_mutex_unlock(&routing->lock);
    return ticket;
}

void routing_end(struct routing *routing, const struct target *target, const struct settings *settings,
                 const struct routing_outcome *outcome)
{
    if (outcome->ticket == TICKET_UNCOUNTED)
        return;
    pthread_mutex_lock(&routing->lock);
    int64_t now_ns = clock_monotonic_ns();
    struct use *use = use_find(routing, target->id, now_ns);
    if (use) {
        use_end(use, target, outcome, now_ns);
        breaker_end(&use->breaker, settings, outcome->ticket, outcome, now_ns);
    }
    pthread_mutex_unlock(&routing->lock);
}

static void fill_state(const struct use *use, const struct target *target, const struct settings *settings,
                       int64_t now_ns, struct routing_state *ret_state)
{
    struct load load = use_load(use, now_ns);
    uint64_t samples_min = settings->routing.latency_samples_min;
    uint32_t breaker_s = 0;
    bool is_ready = breaker_is_ready(&use->breaker, settings, now_ns, &breaker_s);
    uint32_t rest_s = use_seconds_until(use->rests_until_ns, now_ns);
    *ret_state = (struct routing_state){
        .breaker = breaker_get_state(&use->breaker, settings, now_ns),
        .failures = use->breaker.failures,
        .requests = load.requests,
        .tokens = load.tokens,
        .in_flight = use->in_flight,
        .served = use->served,
        .failed = use->failed,
        .is_model_missing = use_is_model_missing(use, target, now_ns),
    };
    breaker_s = is_ready ? 0 : breaker_s;
    ret_state->rests_for_s = breaker_s > rest_s ? breaker_s : rest_s;
    if (use->latency.samples >= (samples_min ? samples_min : 1))
        ret_state->first_byte_ns = (int64_t)latency_get(&use->latency, now_ns);
    snprintf(ret_state->target, sizeof ret_state->target, "%s", use->target);
}

bool routing_find_state(struct routing *routing, const struct target *target, const struct settings *settings,
                        struct routing_state *ret_state)
{
    int64_t now_ns = clock_monotonic_ns();
    struct use *use;
    *ret_state = (struct routing_state){.breaker = BREAKER_CLOSED};
    pthread_mutex_lock(&routing->lock);
    HASH_FIND(hh, routing->uses, target->id, strlen(target->id), use);
    if (use)
        fill_state(use, target, settings, now_ns, ret_state);
    pthread_mutex_unlock(&routing->lock);
    return use != NULL;
}
