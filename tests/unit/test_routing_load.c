/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routing/: the strategies under simulated load, limits, breakers by scripted time, Retry-After, threads, and random
 * settings against the promises of routing.h.
 */
#include "tests/unit/suite.h"

#include "tests/unit/routing_world.h"

#include <pthread.h>

enum { IN_FLIGHT = 64 };

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* ---- strategies ---- */

/* Requests one after the other with 64 of them in flight, `step_ms` apart; how many each target got. Those that were
 * refused count as -1. */
struct run {
    unsigned got[8];
    unsigned refused;
};
static struct run simulate(struct routing *routing, unsigned requests, int64_t step_ms)
{
    struct run run = {0};
    struct {
        const struct target *target;
        uint64_t ticket;
    } flights[IN_FLIGHT] = {0};
    struct route_request request = world_request(&openai, API_CHAT, "m");
    for (unsigned i = 0; i < requests; i++) {
        unsigned place = (unsigned)next_random(IN_FLIGHT);
        if (flights[place].target) {
            const struct routing_outcome outcome = {
                .ticket = flights[place].ticket, .tokens_estimate = 100, .tokens_used = 50 + next_random(100)};
            routing_end(routing, flights[place].target, &world.settings, &outcome);
            flights[place].target = NULL;
        }
        struct route route;
        wait_ms(step_ms);
        if (routing_choose(routing, &request, &route)) {
            run.refused++;
            continue;
        }
        flights[place].target = route.targets[0];
        flights[place].ticket = routing_begin(routing, route.targets[0], &world.settings, 100);
        EXPECT(flights[place].ticket, "chosen and not let through");
        run.got[route.targets[0]->index]++;
    }
    return run;
}

static struct run run_with(enum strategy strategy, const uint32_t weights[], const uint64_t requests_max[],
                           const uint64_t tokens_max[], unsigned targets, unsigned requests)
{
    struct routing *routing = routing_new();
    world_begin();
    world.settings.routing.strategy = strategy;
    for (unsigned i = 0; i < targets; i++) {
        struct target *target = world_add(&openai, "m");
        target->weight = weights ? weights[i] : 1;
        target->limit_requests_per_minute = requests_max ? requests_max[i] : 0;
        target->limit_tokens_per_minute = tokens_max ? tokens_max[i] : 0;
    }
    struct run run = simulate(routing, requests, 20);
    routing_free(routing);
    return run;
}

#define EXPECT_SHARE(run, target, percent, within)                                                                     \
    EXPECT((run).got[target] * 100.0 / requests > (percent) - (within) &&                                              \
               (run).got[target] * 100.0 / requests < (percent) + (within),                                            \
           "target %d got %u of %u", target, (run).got[target], requests)

TEST(use_is_shared_by_limits_and_weights)
{
    const unsigned requests = 10000;
    struct run run = run_with(STRATEGY_USAGE_BASED, NULL, (uint64_t[]){6000, 6000}, NULL, 2, requests);
    EXPECT_SHARE(run, 0, 50, 5);
    run = run_with(STRATEGY_USAGE_BASED, NULL, NULL, (uint64_t[]){600000, 600000}, 2, requests);
    EXPECT_SHARE(run, 0, 50, 5);
    run = run_with(STRATEGY_USAGE_BASED, NULL, (uint64_t[]){9000, 3000}, NULL, 2, requests);
    EXPECT_SHARE(run, 0, 75, 5);
    run = run_with(STRATEGY_INHERIT, NULL, NULL, (uint64_t[]){900000, 300000}, 2, requests);
    EXPECT_SHARE(run, 0, 75, 5);
    run = run_with(STRATEGY_USAGE_BASED, (uint32_t[]){3, 1}, NULL, NULL, 2, requests);
    EXPECT_SHARE(run, 0, 75, 5);
    /* one without limits takes as much as the largest of the others, then all that is above them */
    run = run_with(STRATEGY_USAGE_BASED, NULL, (uint64_t[]){6000, 0}, NULL, 2, requests);
    EXPECT_SHARE(run, 0, 50, 5);
    run = run_with(STRATEGY_USAGE_BASED, NULL, (uint64_t[]){300, 0}, NULL, 2, requests);
    EXPECT_SHARE(run, 0, 10, 3);
    EXPECT_INTEGER(run.refused, 0);
}

TEST(turns_by_weight)
{
    const unsigned requests = 10000;
    struct run run = run_with(STRATEGY_WEIGHTED, (uint32_t[]){5, 3, 2}, NULL, NULL, 3, requests);
    EXPECT(run.got[0] == 5000 && run.got[1] == 3000, "%u %u", run.got[0], run.got[1]);
    run = run_with(STRATEGY_ROUND_ROBIN, (uint32_t[]){5, 3, 2, 1}, NULL, NULL, 4, requests);
    EXPECT(run.got[0] == 2500 && run.got[3] == 2500, "%u %u", run.got[0], run.got[3]);
    run = run_with(STRATEGY_LEAST_BUSY, (uint32_t[]){5, 1}, NULL, NULL, 2, requests);
    EXPECT_SHARE(run, 0, 50, 20);
    run = run_with(STRATEGY_ORDERED, (uint32_t[]){1, 9}, NULL, NULL, 2, requests);
    EXPECT_INTEGER(run.got[0], requests);
    /* smooth: never the same one five times in a row */
    struct routing *routing = routing_new();
    world_begin();
    world.settings.routing.strategy = STRATEGY_WEIGHTED;
    world_add(&openai, "m")->weight = 5;
    world_add(&openai, "m");
    world_add(&openai, "m");
    char turns[8] = "";
    const struct route_request request = world_request(&openai, API_CHAT, "m");
    for (unsigned i = 0; i < 7; i++)
        turns[i] = world_first(routing, &request)[0];
    EXPECT_STRING(turns, "aabacaa");
    routing_free(routing);
}

TEST(a_target_at_its_limit_gets_nothing)
{
    struct routing *routing = routing_new();
    struct route route;
    world_begin();
    struct target *a = world_add(&openai, "m"), *b = world_add(&openai, "m");
    world.settings.routing.strategy = STRATEGY_ORDERED;
    a->limit_requests_per_minute = 3;
    b->limit_tokens_per_minute = 250;
    struct route_request request = world_request(&openai, API_CHAT, "m");
    uint64_t tickets[3];
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_STRING(world_choose(routing, &request, &route), "a b");
        tickets[i] = routing_begin(routing, a, &world.settings, 100);
        EXPECT(tickets[i], "within the limit");
        wait_ms(5000);
    }
    EXPECT(!routing_begin(routing, a, &world.settings, 100), "over the limit, chosen at the same time as the last");
    EXPECT_STRING(world_choose(routing, &request, &route), "b|a at its limit for 60 s");
    for (unsigned i = 0; i < 3; i++) {
        const struct routing_outcome outcome = {.ticket = tickets[i], .tokens_estimate = 100, .tokens_used = 10};
        routing_end(routing, a, &world.settings, &outcome);
        wait_ms(5000);
    }
    EXPECT_STRING(world_choose(routing, &request, &route), "b|a at its limit for 45 s");
    EXPECT(world_try(routing, b, (struct routing_outcome){.tokens_estimate = 100, .tokens_used = 151}), "-");
    EXPECT_STRING(world_choose(routing, &request, &route),
                  "targets_busy|a at its limit for 45 s, b at its limit for 60 s");
    EXPECT_INTEGER(route.retry_after_s, 45);
    request.tokens_estimate = 99;
    EXPECT_STRING(world_choose(routing, &request, &route), "b|a at its limit for 45 s");
    wait_ms(44999);
    EXPECT_STRING(world_choose(routing, &request, &route), "b|a at its limit for 1 s");
    wait_ms(1);
    EXPECT_STRING(world_choose(routing, &request, &route), "a b");
    /* what a provider claims was used is not trusted to be small */
    EXPECT(world_try(routing, b, (struct routing_outcome){.tokens_estimate = 1, .tokens_used = UINT64_MAX - 5}), "-");
    EXPECT(world_try(routing, a, (struct routing_outcome){.tokens_estimate = 1, .tokens_used = UINT64_MAX - 5}), "-");
    EXPECT_STRING(world_choose(routing, &request, &route),
                  "targets_busy|a at its limit for 5 s, b at its limit for 60 s");
    wait_ms(5000);
    EXPECT_STRING(world_choose(routing, &request, &route), "a|b at its limit for 55 s");
    wait_ms(60000);
    for (unsigned i = 0; i < 2; i++) /* what is in flight counts as it was estimated */
        EXPECT((routing_begin(routing, b, &world.settings, 100) != 0), "within the limit");
    EXPECT_STRING(world_choose(routing, &request, &route), "a|b at its limit for 60 s");
    EXPECT(!routing_begin(routing, b, &world.settings, 51) && routing_begin(routing, b, &world.settings, 50), "250");
    routing_free(routing);
}

TEST(conversations_move_only_when_their_target_leaves)
{
    enum { CONVERSATIONS = 20000, TARGETS = 5 };
    static unsigned char before[CONVERSATIONS];
    unsigned got[TARGETS] = {0}, moved = 0;
    struct routing *routing = routing_new();
    world_begin();
    world.settings.routing.strategy = STRATEGY_STICKY;
    for (unsigned i = 0; i < TARGETS; i++)
        world_add(&openai, "m")->weight = i == 4 ? 2 : 1;
    struct route_request request = world_request(&openai, API_CHAT, "m");
    for (unsigned i = 0; i < CONVERSATIONS; i++) {
        request.conversation = i + 1;
        before[i] = (unsigned char)world_first(routing, &request)[0];
        got[before[i] - 'a']++;
        EXPECT_INTEGER(world_first(routing, &request)[0], before[i]);
    }
    for (unsigned i = 0; i < TARGETS; i++) {
        unsigned wanted = (unsigned)CONVERSATIONS * (i == 4 ? 2 : 1) / 6;
        EXPECT(got[i] > wanted * 9 / 10 && got[i] < wanted * 11 / 10, "target %u: %u of %u", i, got[i], wanted);
    }
    world.targets[1].secret = NULL;
    for (unsigned i = 0; i < CONVERSATIONS; i++) {
        request.conversation = i + 1;
        bool has_moved = world_first(routing, &request)[0] != before[i];
        moved += has_moved;
        EXPECT(has_moved == (before[i] == 'b'), "conversation %u of %c", i, before[i]);
    }
    EXPECT_INTEGER(moved, got[1]);
    request.conversation = 0; /* none: by use */
    EXPECT(world_try(routing, &world.targets[0], (struct routing_outcome){.tokens_used = 10}), "-");
    EXPECT(world_first(routing, &request)[0] != 'a', "the used one");
    routing_free(routing);
}

TEST(lowest_cost)
{
    struct route route;
    struct routing *routing = routing_new();
    world_begin();
    world.settings.routing.strategy = STRATEGY_LOWEST_COST;
    for (unsigned i = 0; i < 4; i++)
        world_add(&openai, "m");
    const int64_t costs[] = {30, 10, 20, 10};
    for (unsigned i = 0; i < 4; i++)
        world.costs[i].bound.nano = costs[i];
    const struct route_request request = world_request(&openai, API_CHAT, "m");
    EXPECT_STRING(world_choose(routing, &request, &route), "b d c a");
    EXPECT_STRING(world_choose(routing, &request, &route), "d b c a"); /* those that cost the same take turns */
    EXPECT_STRING(world_choose(routing, &request, &route), "b d c a");
    EXPECT_STRING(route.strategy, "lowest_cost");
    routing_free(routing);
}

TEST(lowest_latency)
{
    static const int64_t first_byte_ms[] = {900, 200, 300, 250};
    struct routing_state state;
    unsigned got[4] = {0}, early[4] = {0};
    struct routing *routing = routing_new();
    world_begin();
    world.settings.routing.strategy = STRATEGY_LOWEST_LATENCY;
    world.settings.routing.latency_samples_min = 5;
    for (unsigned i = 0; i < 4; i++)
        world_add(&openai, "m");
    struct route route;
    const struct route_request request = world_request(&openai, API_CHAT, "m");
    for (unsigned i = 0; i < 1000; i++) {
        if (routing_choose(routing, &request, &route))
            CU_FAIL_FATAL("no route");
        unsigned index = route.targets[0]->index;
        got[index]++;
        early[index] += i < 20;
        wait_ms(10);
        EXPECT(world_try(routing, route.targets[0],
                         (struct routing_outcome){.first_byte_ns = first_byte_ms[index] * 1000000}),
               "-");
    }
    for (unsigned i = 0; i < 4; i++)
        EXPECT_INTEGER(early[i], 5); /* the unknown is tried */
    EXPECT(got[1] > got[3] && got[3] > got[2] && got[2] > got[0] && got[1] > 400, "%u %u %u %u", got[0], got[1], got[2],
           got[3]);
    EXPECT(got[2] > 100, "not only the best is asked: %u", got[2]);
    EXPECT(got[0] < 60, "the slowest of two drawn is not asked: %u", got[0]);
    EXPECT(routing_find_state(routing, &world.targets[0], &world.settings, &state), "-");
    EXPECT(state.first_byte_ns > 600000000 && state.first_byte_ns <= 900000000, "%lld", (long long)state.first_byte_ns);
    /* a fresh target with all its samples on their way is not flooded */
    world_add(&openai, "m");
    for (unsigned i = 0; i < 5; i++) {
        EXPECT_STRING(world_first(routing, &request), "e");
        EXPECT(routing_begin(routing, &world.targets[4], &world.settings, 1), "-");
    }
    EXPECT(strcmp(world_first(routing, &request), "e") != 0, "a sixth");
    EXPECT(routing_find_state(routing, &world.targets[4], &world.settings, &state) && !state.first_byte_ns, "-");
    /* of two, the slower one is asked again when its time has faded */
    world.settings.target_count = 2;
    EXPECT_STRING(world_first(routing, &request), "b");
    for (unsigned i = 0; i < 60; i++) {
        wait_ms(1000);
        EXPECT(world_try(routing, &world.targets[1], (struct routing_outcome){.first_byte_ns = 200000000}), "-");
    }
    EXPECT_STRING(world_first(routing, &request), "a");
    routing_free(routing);
}

/* ---- breaker ---- */

static struct routing *breaker_world(uint32_t failures, uint32_t probes)
{
    world_begin();
    world_add(&openai, "m");
    world.settings.routing.breaker.enabled = true;
    world.settings.routing.breaker.failures = failures;
    world.settings.routing.breaker.open_s = 10;
    world.settings.routing.breaker.probes = probes;
    world.settings.routing.breaker.samples_min = 10;
    world.settings.routing.breaker.window_s = 24;
    return routing_new();
}

static enum breaker_state state_of(struct routing *routing)
{
    struct routing_state state;
    return routing_find_state(routing, &world.targets[0], &world.settings, &state) ? state.breaker : BREAKER_CLOSED;
}

static bool try_once(struct routing *routing, int kind)
{
    return world_try(routing, &world.targets[0], (struct routing_outcome){.kind = kind});
}

static void end_ticket(struct routing *routing, uint64_t ticket, int kind)
{
    routing_end(routing, &world.targets[0], &world.settings, &(struct routing_outcome){.ticket = ticket, .kind = kind});
}

/* A letter per step: s served, f failed, n neither, '.' a second passes; upper case: it is not let through. Then the
 * state: C, O, H. */
TEST(breaker_by_script)
{
    static const struct {
        uint32_t failures, probes, error_percent;
        const char *script;
        char wanted;
    } rows[] = {
        {3, 1, 0, "ff", 'C'},
        {3, 1, 0, "fff", 'O'},
        {3, 1, 0, "ffsff", 'C'},
        {3, 1, 0, "ffnnf", 'O'},
        {3, 1, 0, "fffS.........S", 'O'},
        {3, 1, 0, "fff..........", 'H'},
        {3, 1, 0, "fff..........s", 'C'},
        {3, 2, 0, "fff..........s", 'H'},
        {3, 2, 0, "fff..........ss", 'C'},
        {3, 2, 0, "fff..........sfS", 'O'},
        {3, 2, 0, "fff..........sf..........s", 'H'}, /* the count of probes begins anew */
        {3, 1, 0, "fff..........n", 'H'},
        {3, 1, 0, "fff..........nnns", 'C'},
        {3, 1, 0, "fff..........sff", 'C'}, /* and that of failures */
        {3, 0, 0, "fff..........s", 'C'},
        {0, 1, 0, "ffffffffffffffffffff", 'C'},
        {0, 1, 50, "sfsfsfsfs", 'C'}, /* samples_min */
        {0, 1, 50, "sfsfsfsfsf", 'O'},
        {0, 1, 50, "ssfsfsfsfsfsfsfs", 'C'}, /* 7 of 16 */
        {0, 1, 50, "ffffsssss....................f", 'O'},
        {0, 1, 50, "ffffsssss........................f", 'C'}, /* out of the window */
        {0, 1, 50, "sfsfsfsfsf..........sfsf", 'C'},
        {100, 1, 30, "ssssssssfff", 'C'},
        {100, 1, 30, "sssssssfff", 'O'},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct routing *routing = breaker_world(rows[i].failures, rows[i].probes);
        world.settings.routing.breaker.error_percent = rows[i].error_percent;
        for (const char *step = rows[i].script; *step; step++) {
            int kind = strchr("fF", *step) ? OUTCOME_FAILED : strchr("nN", *step) ? OUTCOME_NEITHER : OUTCOME_SERVED;
            bool is_let_through = *step >= 'a';
            if (*step == '.')
                wait_ms(1000);
            else
                EXPECT(try_once(routing, kind) == is_let_through, "row %zu, step %d", i, (int)(step - rows[i].script));
        }
        EXPECT("COH"[state_of(routing)] == rows[i].wanted, "row %zu: %c, wanted %c", i, "COH"[state_of(routing)],
               rows[i].wanted);
        routing_free(routing);
    }
}

TEST(half_open_lets_a_few_through)
{
    struct route route;
    struct routing *routing = breaker_world(1, 2);
    const struct route_request request = world_request(&openai, API_CHAT, "m");
    EXPECT(try_once(routing, OUTCOME_FAILED), "-");
    EXPECT_STRING(world_choose(routing, &request, &route), "targets_busy|a breaker open for 10 s");
    wait_ms(9001);
    EXPECT_STRING(world_choose(routing, &request, &route), "targets_busy|a breaker open for 1 s");
    wait_ms(999);
    EXPECT_STRING(world_choose(routing, &request, &route), "a");
    uint64_t probes[2];
    for (unsigned i = 0; i < 2; i++)
        EXPECT((probes[i] = routing_begin(routing, &world.targets[0], &world.settings, 1)), "probe %u", i);
    EXPECT(!routing_begin(routing, &world.targets[0], &world.settings, 1), "a third probe");
    EXPECT_STRING(world_choose(routing, &request, &route), "targets_busy|a breaker open for 1 s");
    end_ticket(routing, probes[0], OUTCOME_NEITHER);
    EXPECT((probes[0] = routing_begin(routing, &world.targets[0], &world.settings, 1)), "a place became free");
    end_ticket(routing, probes[0], OUTCOME_SERVED);
    EXPECT_INTEGER(state_of(routing), BREAKER_HALF_OPEN);
    end_ticket(routing, probes[1], OUTCOME_SERVED);
    EXPECT_INTEGER(state_of(routing), BREAKER_CLOSED);
    routing_free(routing);
}

TEST(only_probes_close_a_breaker)
{
    struct routing_state state;
    struct routing *routing = breaker_world(2, 1);
    const struct target *target = &world.targets[0];
    uint64_t early[4];
    for (unsigned i = 0; i < 4; i++)
        early[i] = routing_begin(routing, target, &world.settings, 1);
    for (unsigned i = 0; i < 2; i++)
        EXPECT(try_once(routing, OUTCOME_FAILED), "-");
    end_ticket(routing, early[0], OUTCOME_SERVED);
    EXPECT_INTEGER(state_of(routing), BREAKER_OPEN);
    wait_ms(10000);
    uint64_t probe = routing_begin(routing, target, &world.settings, 1);
    end_ticket(routing, early[1], OUTCOME_SERVED); /* an answer from before is no probe's … */
    EXPECT_INTEGER(state_of(routing), BREAKER_HALF_OPEN);
    EXPECT(!routing_begin(routing, target, &world.settings, 1), "… and gives no place back");
    end_ticket(routing, early[2], OUTCOME_FAILED);
    EXPECT_INTEGER(state_of(routing), BREAKER_HALF_OPEN);
    end_ticket(routing, probe, OUTCOME_SERVED);
    EXPECT_INTEGER(state_of(routing), BREAKER_CLOSED);
    EXPECT(try_once(routing, OUTCOME_FAILED), "-");
    end_ticket(routing, early[3], OUTCOME_FAILED); /* nor does it count against the closed one */
    EXPECT_INTEGER(state_of(routing), BREAKER_CLOSED);
    EXPECT(routing_find_state(routing, target, &world.settings, &state), "-");
    EXPECT(state.in_flight == 0 && state.failures == 1 && state.served == 3 && state.failed == 5 && state.requests == 8,
           "%llu %u %llu %llu %llu", (unsigned long long)state.in_flight, state.failures,
           (unsigned long long)state.served, (unsigned long long)state.failed, (unsigned long long)state.requests);
    /* by id, whatever settings: a reload does not close it, taking the breaker away does */
    EXPECT(try_once(routing, OUTCOME_FAILED), "-");
    struct target copy = *target;
    copy.index = 9;
    EXPECT(!routing_begin(routing, &copy, &world.settings, 1), "open after a reload");
    world.settings.routing.breaker.enabled = false;
    EXPECT(try_once(routing, OUTCOME_FAILED) && try_once(routing, OUTCOME_FAILED), "without a breaker");
    world.settings.routing.breaker.enabled = true;
    EXPECT_INTEGER(state_of(routing), BREAKER_CLOSED);
    routing_free(routing);
}

TEST(retry_after_is_kept)
{
    struct route route;
    struct routing_state state;
    struct routing *routing = breaker_world(3, 1);
    struct target *a = &world.targets[0];
    const struct route_request request = world_request(&openai, API_CHAT, "m");
    EXPECT(!routing_find_state(routing, a, &world.settings, &state) && !state.target[0], "nothing is known");
    uint64_t ticket = routing_begin(routing, a, &world.settings, 100);
    EXPECT(world_try(routing, a, (struct routing_outcome){.kind = OUTCOME_FAILED, .status = 429, .retry_after_s = 20}),
           "-");
    routing_end(routing, a, &world.settings, &(struct routing_outcome){.ticket = ticket, .retry_after_s = 5});
    EXPECT_STRING(world_choose(routing, &request, &route), "targets_busy|a rests as it asked for 20 s");
    EXPECT(!try_once(routing, OUTCOME_SERVED), "it rests");
    EXPECT(routing_find_state(routing, a, &world.settings, &state), "-");
    EXPECT(state.rests_for_s == 20 && state.breaker == BREAKER_CLOSED, "%u", state.rests_for_s);
    wait_ms(20000);
    EXPECT_STRING(world_choose(routing, &request, &route), "a");
    EXPECT(world_try(routing, a, (struct routing_outcome){.retry_after_s = 4000000000u}), "-");
    EXPECT_STRING(world_choose(routing, &request, &route), "targets_busy|a rests as it asked for 3600 s");
    wait_ms(3600000);
    /* a model that is missing: ten minutes, or until the policy names another */
    EXPECT(world_try(routing, a, (struct routing_outcome){.kind = OUTCOME_NEITHER, .is_model_missing = true}), "-");
    EXPECT(routing_find_state(routing, a, &world.settings, &state) && state.is_model_missing, "-");
    wait_ms(599999);
    EXPECT_STRING(world_choose(routing, &request, &route), "no_target|a model missing at the provider for 1 s");
    a->model = "m2";
    const struct route_request renamed = world_request(&openai, API_CHAT, "m2");
    EXPECT_STRING(world_choose(routing, &renamed, &route), "a");
    a->model = "m";
    wait_ms(1);
    EXPECT_STRING(world_choose(routing, &request, &route), "a");
    routing_free(routing);
}

TEST(more_targets_than_rows)
{
    struct routing *routing = routing_new();
    struct routing_state state;
    world_begin();
    struct target *first = world_add(&openai, "m");
    uint64_t held = routing_begin(routing, first, &world.settings, 1);
    for (unsigned i = 0; i < 3000; i++) {
        char id[16];
        snprintf(id, sizeof id, "x%u", i);
        struct target other = *first;
        other.id = id;
        wait_ms(1);
        EXPECT(world_try(routing, &other, (struct routing_outcome){0}), "-");
    }
    EXPECT(routing_find_state(routing, first, &world.settings, &state) && state.in_flight == 1, "in flight, and gone");
    end_ticket(routing, held, OUTCOME_SERVED);
    EXPECT(routing_find_state(routing, first, &world.settings, &state) && state.in_flight == 0, "-");
    struct target longest = *first; /* 64 bytes: longer than a policy allows, so not counted */
    longest.id = "0123456789012345678901234567890123456789012345678901234567890123";
    uint64_t ticket = routing_begin(routing, &longest, &world.settings, 1);
    EXPECT(ticket, "let through");
    end_ticket(routing, ticket, OUTCOME_SERVED);
    routing_free(routing);
}

/* ---- random settings, threads ---- */

static void randomize(void)
{
    static const struct provider *const providers[] = {&openai, &groq, &anthropic, &google};
    static const char *const models[] = {"m1", "m2", "m3"};
    world_begin();
    world.settings.routing.strategy = (enum strategy)next_random(9);
    world.settings.routing.on_unlisted_model = (enum unlisted)next_random(5);
    world.settings.routing.cross_dialect = (enum cross_dialect)next_random(4);
    world.settings.routing.latency_samples_min = (uint32_t)next_random(4);
    world.settings.capture.unlisted_provider = (enum unlisted)next_random(5);
    world.settings.routing.breaker.enabled = next_random(2);
    world.settings.routing.breaker.failures = (uint32_t)next_random(4);
    world.settings.routing.breaker.error_percent = (uint32_t)next_random(3) * 30;
    world.settings.routing.breaker.window_s = (uint32_t)next_random(90);
    world.settings.routing.breaker.open_s = (uint32_t)next_random(9);
    world.settings.routing.breaker.probes = (uint32_t)next_random(3);
    unsigned count = (unsigned)next_random(13);
    for (unsigned i = 0; i < count; i++) {
        struct target *target = world_add(providers[next_random(4)], models[next_random(3)]);
        target->weight = (uint32_t)next_random(4);
        target->secret = next_random(8) ? target->secret : NULL;
        target->limit_requests_per_minute = next_random(3) ? 0 : 1 + next_random(30);
        target->limit_tokens_per_minute = next_random(3) ? 0 : 1 + next_random(5000);
        target->has_max_price = next_random(4) == 0;
        target->max_price.nano = (int64_t)next_random(100);
        world.costs[i] = (struct route_cost){{(int64_t)next_random(100)}, next_random(50), next_random(60)};
        world.has_no_price[i] = next_random(16) == 0;
        world.cannot_speak[i] = next_random(8) == 0;
    }
}

static struct route_request random_request(void)
{
    static const struct provider *const providers[] = {&openai, &groq, &anthropic, &google};
    static const char *const models[] = {"m1", "m2", "m3", "m4", ""};
    struct route_request request =
        world_request(providers[next_random(4)], (enum api)next_random(API_COUNT), models[next_random(5)]);
    request.tokens_estimate = next_random(400);
    request.conversation = next_random(20);
    request.is_continued = next_random(2);
    request.must_stay = next_random(8) == 0;
    request.wants_any_model = next_random(4) == 0;
    request.cheaper_than.nano = (int64_t)next_random(100);
    return request;
}

/* What routing.h promises of a target in a route. */
static void check_target(struct routing *routing, const struct route_request *request, const struct route *route,
                         const struct target *target)
{
    struct routing_state state;
    (void)routing_find_state(routing, target, &world.settings, &state);
    const struct route_cost *cost = &world.costs[target->index];
    bool is_translated = target->provider->dialect != request->provider->dialect;
    bool is_chat = request->api == API_CHAT || request->api == API_RESPONSES || request->api == API_MESSAGES;
    EXPECT(target->secret != NULL, "no key");
    EXPECT(!state.rests_for_s, "rests");
    EXPECT(route->keeps_model || !state.is_model_missing, "misses its model");
    EXPECT(!target->limit_requests_per_minute || state.requests < target->limit_requests_per_minute, "requests");
    EXPECT(!target->limit_tokens_per_minute ||
               state.tokens + request->tokens_estimate <= target->limit_tokens_per_minute,
           "tokens");
    EXPECT(!is_translated || (is_chat && world.settings.routing.cross_dialect != CROSS_DIALECT_NEVER), "dialect");
    EXPECT(route->keeps_model || !world.cannot_speak[target->index], "cannot be spoken to");
    EXPECT(route->keeps_model || !world.has_no_price[target->index], "price");
    EXPECT(route->keeps_model || !target->has_max_price || cost->bound.nano <= target->max_price.nano, "ceiling");
    EXPECT(route->keeps_model || !cost->context_tokens || cost->input_tokens <= cost->context_tokens, "window");
    EXPECT(!request->wants_any_model || cost->bound.nano < request->cheaper_than.nano, "not cheaper");
    EXPECT(route->is_rerouted || route->keeps_model || request->wants_any_model || !request->model[0] ||
               !strcmp(target->model, request->model),
           "another model");
}

static void check_route(struct routing *routing, const struct route_request *request, const struct route *route,
                        enum error error)
{
    bool is_served = !error && !route->is_pass;
    EXPECT(is_served == (route->count > 0) && route->count <= ROUTE_TARGETS_MAX, "%zu", route->count);
    EXPECT(error != ERROR_TARGETS_BUSY || route->retry_after_s >= 1, "busy, and never again");
    EXPECT(route->reason && (is_served == (route->strategy != NULL)), "-");
    for (size_t i = 0; i < route->count; i++) {
        check_target(routing, request, route, route->targets[i]);
        for (size_t other = 0; other < i; other++)
            EXPECT(route->targets[i] != route->targets[other], "twice");
        for (size_t out = 0; out < route->left_out_count; out++)
            EXPECT(route->targets[i] != route->left_out[out].target, "left out, and in");
    }
}

/* An attempt that goes on while settings are replaced. */
struct flight {
    struct target target;
    char id[16];
    struct routing_outcome outcome;
};

static void land(struct routing *routing, struct flight *flight)
{
    if (flight->outcome.ticket)
        routing_end(routing, &flight->target, &world.settings, &flight->outcome);
    flight->outcome.ticket = 0;
}

static void take_off(struct routing *routing, struct flight *flight, const struct target *target, uint64_t tokens)
{
    flight->target = *target;
    snprintf(flight->id, sizeof flight->id, "%s", target->id);
    flight->target.id = flight->id;
    flight->outcome = (struct routing_outcome){.ticket = routing_begin(routing, target, &world.settings, tokens),
                                               .tokens_estimate = tokens,
                                               .tokens_used = next_random(500),
                                               .first_byte_ns = (int64_t)next_random(3) * 1000000,
                                               .kind = next_random(3),
                                               .retry_after_s = next_random(12) ? 0 : (uint32_t)next_random(9),
                                               .is_model_missing = next_random(300) == 0};
}

TEST(random_choices_keep_the_promises)
{
    struct routing *routing = routing_new();
    struct flight flights[16] = {0};
    unsigned served = 0;
    for (unsigned i = 0; i < 100000; i++) {
        if (i % 50 == 0)
            randomize();
        struct route route;
        const struct route_request request = random_request();
        memset(world.speak_calls, 0, sizeof world.speak_calls);
        enum error error = routing_choose(routing, &request, &route);
        check_route(routing, &request, &route, error);
        for (unsigned t = 0; t < 16; t++)
            EXPECT(world.speak_calls[t] <= 1, "asked twice");
        wait_ms((int64_t)next_random(300));
        struct flight *flight = &flights[next_random(16)];
        land(routing, flight);
        if (error || route.is_pass)
            continue;
        served++;
        routing_remember(routing, request.conversation, route.targets[0]);
        take_off(routing, flight, route.targets[0], request.tokens_estimate);
    }
    EXPECT(served > 10000, "%u: the settings are too bad to test anything", served);
    routing_free(routing);
}

static struct routing *shared;
static atomic_uint served_in_all;

static void *worker(void *argument)
{
    unsigned number = *(unsigned *)argument;
    for (unsigned i = 0; i < 2000; i++) {
        struct route route;
        struct routing_state state;
        struct route_request request = world_request(&openai, API_CHAT, "m");
        request.conversation = number * 100 + i % 100 + 1;
        request.is_continued = i % 2;
        wait_ms(1);
        if (routing_choose(shared, &request, &route))
            continue;
        const struct target *target = route.targets[0];
        uint64_t ticket = routing_begin(shared, target, &world.settings, 10);
        if (!ticket)
            continue;
        routing_remember(shared, request.conversation, target);
        const struct routing_outcome outcome = {.ticket = ticket,
                                                .tokens_estimate = 10,
                                                .tokens_used = 10,
                                                .first_byte_ns = 1000000 + i,
                                                .kind = i % 7 ? OUTCOME_SERVED : OUTCOME_FAILED};
        routing_end(shared, target, &world.settings, &outcome);
        atomic_fetch_add(&served_in_all, 1);
        (void)routing_find_state(shared, target, &world.settings, &state);
    }
    return NULL;
}

TEST(eight_threads)
{
    pthread_t threads[8];
    unsigned numbers[8];
    uint64_t counted = 0;
    world_begin();
    for (unsigned i = 0; i < 4; i++)
        world_add(i == 3 ? &anthropic : &openai, "m")->weight = i + 1;
    world.settings.routing.strategy = STRATEGY_LOWEST_LATENCY;
    world.settings.routing.cross_dialect = CROSS_DIALECT_EQUAL;
    world.settings.routing.breaker.enabled = true;
    world.settings.routing.breaker.failures = 4;
    world.settings.routing.breaker.open_s = 1;
    shared = routing_new();
    for (unsigned i = 0; i < 8; i++) {
        numbers[i] = i;
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, worker, &numbers[i]) == 0);
    }
    for (unsigned i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 4; i++) {
        struct routing_state state;
        (void)routing_find_state(shared, &world.targets[i], &world.settings, &state);
        counted += state.served + state.failed;
        EXPECT_INTEGER(state.in_flight, 0);
    }
    EXPECT_INTEGER(counted, atomic_load(&served_in_all));
    EXPECT(counted > 8000, "%llu", (unsigned long long)counted);
    routing_free(shared);
}
