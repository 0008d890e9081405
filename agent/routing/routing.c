/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See routing.h. Use is counted per target id in a window of 12 slots of 5 s, in-flight load included, under one lock
 * (a leaf): choosing costs O(targets) and no I/O.
 */
#include "routing/routing.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 12, SLOT_SECONDS = 5, USES_MAX = 1024, TARGET_ID_MAX = 64 };

struct use {
    char target[TARGET_ID_MAX];
    int64_t slot_number[SLOTS];
    uint64_t tokens[SLOTS], requests[SLOTS];
    uint64_t tokens_in_flight, requests_in_flight;
    double turn; /* smooth weighted round robin: breaks ties */
};

struct routing {
    pthread_mutex_t lock;
    struct use *uses[USES_MAX];
    size_t count;
};

struct routing *routing_new(void)
{
    struct routing *routing = calloc(1, sizeof *routing);
    check(routing != NULL && pthread_mutex_init(&routing->lock, NULL) == 0);
    return routing;
}

void routing_free(struct routing *routing)
{
    if (!routing)
        return;
    for (size_t i = 0; i < routing->count; i++)
        free(routing->uses[i]);
    pthread_mutex_destroy(&routing->lock);
    free(routing);
}

/* NULL only when the table is full of other targets: then the load is not counted. */
static struct use *find_use(struct routing *routing, const char *id)
{
    for (size_t i = 0; i < routing->count; i++)
        if (!strcmp(routing->uses[i]->target, id))
            return routing->uses[i];
    if (routing->count == USES_MAX)
        return NULL;
    struct use *use = calloc(1, sizeof *use);
    check(use != NULL);
    strncpy(use->target, id, sizeof use->target - 1);
    return routing->uses[routing->count++] = use;
}

static unsigned current_slot(struct use *use)
{
    int64_t number = clock_monotonic_ns() / 1000000000 / SLOT_SECONDS;
    unsigned slot = (unsigned)(number % SLOTS);
    if (use->slot_number[slot] != number) {
        use->slot_number[slot] = number;
        use->tokens[slot] = use->requests[slot] = 0;
    }
    return slot;
}

/* The use of the last 60 s relative to the target's limits; without limits, tokens scaled by weight. */
static double relative_use(struct use *use, const struct target *target, uint64_t tokens_estimate)
{
    int64_t oldest = clock_monotonic_ns() / 1000000000 / SLOT_SECONDS - SLOTS;
    double tokens = (double)(use->tokens_in_flight + tokens_estimate);
    double requests = (double)(use->requests_in_flight + 1);
    for (unsigned i = 0; i < SLOTS; i++)
        if (use->slot_number[i] > oldest) {
            tokens += (double)use->tokens[i];
            requests += (double)use->requests[i];
        }
    double by_tokens = target->limit_tokens_per_minute ? tokens / (double)target->limit_tokens_per_minute : 0;
    double by_requests = target->limit_requests_per_minute ? requests / (double)target->limit_requests_per_minute : 0;
    if (target->limit_tokens_per_minute || target->limit_requests_per_minute)
        return by_tokens > by_requests ? by_tokens : by_requests;
    return tokens / (1e9 * (target->weight ? target->weight : 1)); /* below any limited target's measurable use */
}

struct candidates {
    const struct target *rows[ROUTE_TARGETS_MAX];
    double use[ROUTE_TARGETS_MAX];
    size_t count;
    bool lacks_secret;
};

static bool is_same_model(const struct target *target, const struct route_request *request)
{
    return !request->model[0] || !strcmp(target->model, request->model);
}

static bool is_any_model(const struct target *target, const struct route_request *request)
{
    (void)target;
    (void)request;
    return true;
}

/* Targets of the called provider's dialect that fit and have their key. */
static void collect(const struct route_request *request,
                    bool (*fits)(const struct target *target, const struct route_request *request),
                    struct candidates *candidates)
{
    const struct settings *settings = request->settings;
    for (size_t i = 0; i < settings->target_count && candidates->count < ROUTE_TARGETS_MAX; i++) {
        const struct target *target = &settings->targets[i];
        if (target->provider->dialect != request->provider->dialect || !fits(target, request))
            continue;
        if (target->secret)
            candidates->rows[candidates->count++] = target;
        else
            candidates->lacks_secret = true;
    }
}

static bool is_provider_listed(const struct route_request *request)
{
    for (size_t i = 0; i < request->settings->target_count; i++)
        if (request->settings->targets[i].provider->dialect == request->provider->dialect)
            return true;
    return false;
}

/* Insertion sort by use; equal use: the target whose turn is further ahead. */
static void order_by_use(struct routing *routing, struct candidates *candidates, uint64_t tokens_estimate)
{
    pthread_mutex_lock(&routing->lock);
    for (size_t i = 0; i < candidates->count; i++) {
        const struct target *target = candidates->rows[i];
        struct use *use = find_use(routing, target->id);
        double share = use ? relative_use(use, target, tokens_estimate) : 0;
        double turn = use ? use->turn += target->weight ? target->weight : 1 : 0;
        size_t place = i;
        for (; place > 0; place--) {
            struct use *before = find_use(routing, candidates->rows[place - 1]->id);
            bool goes_first = share < candidates->use[place - 1] ||
                              (share <= candidates->use[place - 1] && before && turn > before->turn);
            if (!goes_first)
                break;
            candidates->rows[place] = candidates->rows[place - 1];
            candidates->use[place] = candidates->use[place - 1];
        }
        candidates->rows[place] = target;
        candidates->use[place] = share;
    }
    struct use *winner = find_use(routing, candidates->rows[0]->id);
    double total = 0;
    for (size_t i = 0; i < candidates->count; i++)
        total += candidates->rows[i]->weight ? candidates->rows[i]->weight : 1;
    if (winner)
        winner->turn -= total;
    pthread_mutex_unlock(&routing->lock);
}

static void order_as_written(struct routing *routing, struct candidates *candidates, uint64_t tokens_estimate)
{
    (void)routing;
    (void)candidates;
    (void)tokens_estimate;
}

static const struct strategy_row {
    void (*order)(struct routing *routing, struct candidates *candidates, uint64_t tokens_estimate);
} strategy_rows[] = {[STRATEGY_USAGE_BASED] = {order_by_use}, [STRATEGY_ORDERED] = {order_as_written}};

static enum error pass(const char *reason, struct route *ret_route)
{
    *ret_route = (struct route){.is_pass = true, .reason = reason};
    return ERROR_OK;
}

/* No target of this model: the policy decides what then. */
static enum error choose_unlisted(const struct route_request *request, struct candidates *candidates,
                                  struct route *ret_route)
{
    const struct settings *settings = request->settings;
    if (!is_provider_listed(request))
        return settings->capture.unlisted_provider == UNLISTED_BLOCK
                   ? ERROR_PROVIDER_UNLISTED
                   : pass("provider without a target, passed", ret_route);
    switch (settings->routing.on_unlisted_model) {
    case UNLISTED_ROUTE:
        collect(request, is_any_model, candidates);
        return candidates->count ? ERROR_OK : ERROR_NO_SECRET;
    case UNLISTED_PASS:
        return pass("unlisted model, passed", ret_route);
    case UNLISTED_BLOCK:
    case UNLISTED_METER:
    case UNLISTED_INHERIT:
        break;
    }
    return ERROR_MODEL_UNLISTED;
}

enum error routing_choose(struct routing *routing, const struct route_request *request, struct route *ret_route)
{
    struct candidates candidates = {0};
    struct route route = {.reason = "listed model"};
    collect(request, is_same_model, &candidates);
    if (!candidates.count && candidates.lacks_secret)
        return ERROR_NO_SECRET;
    if (!candidates.count) {
        enum error error = choose_unlisted(request, &candidates, &route);
        if (error)
            return error;
        if (route.is_pass) {
            *ret_route = route;
            return ERROR_OK;
        }
        route.is_rerouted = true;
        route.reason = "unlisted model, the environment's lane decides";
    }
    strategy_rows[request->settings->routing.strategy].order(routing, &candidates, request->tokens_estimate);
    memcpy(route.targets, candidates.rows, sizeof route.targets);
    route.count = candidates.count;
    *ret_route = route;
    return ERROR_OK;
}

bool routing_begin(struct routing *routing, const struct target *target, const struct settings *settings,
                   uint64_t tokens_estimate)
{
    (void)settings;
    pthread_mutex_lock(&routing->lock);
    struct use *use = find_use(routing, target->id);
    if (use) {
        use->tokens_in_flight += tokens_estimate;
        use->requests_in_flight++;
    }
    pthread_mutex_unlock(&routing->lock);
    return true;
}

void routing_end(struct routing *routing, const struct target *target, const struct settings *settings,
                 const struct routing_outcome *outcome)
{
    (void)settings;
    uint64_t tokens_estimate = outcome->tokens_estimate;
    pthread_mutex_lock(&routing->lock);
    struct use *use = find_use(routing, target->id);
    if (use && use->requests_in_flight) {
        use->tokens_in_flight -= tokens_estimate < use->tokens_in_flight ? tokens_estimate : use->tokens_in_flight;
        use->requests_in_flight--;
        unsigned slot = current_slot(use);
        use->tokens[slot] += outcome->tokens_used;
        use->requests[slot]++;
    }
    pthread_mutex_unlock(&routing->lock);
}
