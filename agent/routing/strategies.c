/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which order the targets that are left are asked: a strategy is a row with one function, which scores the
 * candidates of one tier. The lowest score goes first; those that tie take turns by weight. Called by routing.c; O(n),
 * under the lock, no I/O.
 */
#include "routing/candidates.h"

#include "base/check.h"

#include <math.h>

/* One tier's candidates. */
struct tier_rows {
    struct candidate *rows[CANDIDATES_MAX];
    size_t count;
};

static double weight_of(const struct candidate *row)
{
    return row->target->weight ? row->target->weight : 1;
}

static void score_turns(struct choice *choice, struct tier_rows *tier)
{
    (void)choice;
    (void)tier; /* all tie */
}

static void score_position(struct choice *choice, struct tier_rows *tier)
{
    (void)choice;
    for (size_t i = 0; i < tier->count; i++)
        tier->rows[i]->score = tier->rows[i]->position;
}

static void score_cost(struct choice *choice, struct tier_rows *tier)
{
    (void)choice;
    for (size_t i = 0; i < tier->count; i++)
        tier->rows[i]->score = (double)tier->rows[i]->cost.bound.nano;
}

static void score_in_flight(struct choice *choice, struct tier_rows *tier)
{
    (void)choice;
    for (size_t i = 0; i < tier->count; i++)
        tier->rows[i]->score = (double)tier->rows[i]->use->in_flight;
}

/* Limits per minute and unit of weight, the largest of a tier; 0: nobody has one. */
struct limits {
    double requests, tokens;
};

static struct limits find_limits(const struct tier_rows *tier)
{
    struct limits limits = {0};
    for (size_t i = 0; i < tier->count; i++) {
        const struct target *target = tier->rows[i]->target;
        limits.requests = fmax(limits.requests, (double)target->limit_requests_per_minute / weight_of(tier->rows[i]));
        limits.tokens = fmax(limits.tokens, (double)target->limit_tokens_per_minute / weight_of(tier->rows[i]));
    }
    return limits;
}

/* The share of its limits that it would have used. A target without limits among some with limits counts as one with
 * the largest of theirs: so it takes its share, and all when they are at their limit. Without any limit at all: tokens,
 * by weight. */
static double relative_use(const struct choice *choice, const struct candidate *row, struct limits others)
{
    const struct target *target = row->target;
    struct load load = use_load(row->use, choice->now_ns);
    double requests = (double)load.requests + 1;
    double tokens = (double)load.tokens + (double)choice->request->tokens_estimate;
    double requests_max = (double)target->limit_requests_per_minute,
           tokens_max = (double)target->limit_tokens_per_minute;
    if (!target->limit_requests_per_minute && !target->limit_tokens_per_minute) {
        requests_max = others.requests * weight_of(row);
        tokens_max = others.tokens * weight_of(row);
    }
    if (requests_max <= 0 && tokens_max <= 0)
        return tokens / weight_of(row);
    return fmax(requests_max > 0 ? requests / requests_max : 0, tokens_max > 0 ? tokens / tokens_max : 0);
}

static void score_use(struct choice *choice, struct tier_rows *tier)
{
    struct limits limits = find_limits(tier);
    for (size_t i = 0; i < tier->count; i++)
        tier->rows[i]->score = relative_use(choice, tier->rows[i], limits);
}

/* splitmix64's finisher. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static uint64_t digest_pair(uint64_t conversation, const char *id)
{
    uint64_t digest = mix(conversation + 0x9e3779b97f4a7c15u);
    for (; *id; id++)
        digest = (digest ^ (unsigned char)*id) * 1099511628211u;
    return mix(digest);
}

/* Weighted rendezvous hashing: -ln(u)/weight is exponentially distributed with rate `weight`, so the lowest of them is
 * a target's with the probability of its weight's share, and a target that leaves moves only its own conversations. */
static void score_conversation(struct choice *choice, struct tier_rows *tier)
{
    uint64_t conversation = choice->request->conversation;
    if (!conversation) {
        score_use(choice, tier);
        return;
    }
    for (size_t i = 0; i < tier->count; i++) {
        uint64_t digest = digest_pair(conversation, tier->rows[i]->target->id);
        double uniform = ((double)(digest >> 11) + 0.5) / 9007199254740992.0; /* 2^53: never 0 nor 1 */
        tier->rows[i]->score = -log(uniform) / weight_of(tier->rows[i]);
    }
}

static uint64_t next_random(struct routing *routing)
{
    routing->random ^= routing->random << 13;
    routing->random ^= routing->random >> 7;
    return routing->random ^= routing->random << 17;
}

/* The better one of two that are drawn goes first: always asking the best would send it the whole herd between two
 * answers. Moves known[0] and known[1] before the rest. */
static void draw_two(struct choice *choice, struct candidate **known, size_t count)
{
    for (size_t i = 0; i < 2 && i + 1 < count; i++) {
        size_t other = i + (size_t)(next_random(choice->routing) % (count - i));
        struct candidate *drawn = known[other];
        known[other] = known[i];
        known[i] = drawn;
    }
    if (count > 2) {
        struct candidate *best = known[0]->score <= known[1]->score ? known[0] : known[1];
        best->score = -1;
    }
}

/* Targets with too few samples first, each for as many requests as it lacks; then by time to first byte, as much longer
 * as more are in flight; last those whose samples are on their way. */
static void score_latency(struct choice *choice, struct tier_rows *tier)
{
    const double first = -1e18, last = 1e30;
    uint64_t samples_min = choice->request->settings->routing.latency_samples_min;
    struct candidate *known[CANDIDATES_MAX];
    size_t count = 0;
    samples_min = samples_min ? samples_min : 1;
    for (size_t i = 0; i < tier->count; i++) {
        struct candidate *row = tier->rows[i];
        const struct use *use = row->use;
        uint64_t expected = add_saturated(use->latency.samples, use->in_flight);
        row->score = expected < samples_min ? first + (double)expected * 1e6 : last + (double)use->in_flight * 1e20;
        if (use->latency.samples < samples_min)
            continue;
        row->score = latency_get(&use->latency, choice->now_ns) * ((double)use->in_flight + 1);
        known[count++] = row;
    }
    draw_two(choice, known, count);
}

static const struct strategy_row {
    const char *name;
    void (*score)(struct choice *choice, struct tier_rows *tier);
    bool ignores_weight; /* where candidates tie */
} strategy_rows[] = {
    [STRATEGY_INHERIT] = {"usage_based", score_use}, /* what nobody has decided */
    [STRATEGY_USAGE_BASED] = {"usage_based", score_use},
    [STRATEGY_ORDERED] = {"ordered", score_position},
    [STRATEGY_WEIGHTED] = {"weighted", score_turns},
    [STRATEGY_ROUND_ROBIN] = {"round_robin", score_turns, .ignores_weight = true},
    [STRATEGY_LOWEST_COST] = {"lowest_cost", score_cost},
    [STRATEGY_LOWEST_LATENCY] = {"lowest_latency", score_latency},
    [STRATEGY_LEAST_BUSY] = {"least_busy", score_in_flight},
    [STRATEGY_STICKY] = {"sticky", score_conversation},
};

static const struct strategy_row *find_strategy(enum strategy strategy)
{
    return &strategy_rows[(size_t)strategy < sizeof strategy_rows / sizeof *strategy_rows ? strategy
                                                                                          : STRATEGY_INHERIT];
}

const char *routing_strategy_name(enum strategy strategy)
{
    return find_strategy(strategy)->name;
}

/* Smooth weighted round robin among those that tie for the first place: each gets its weight, who goes pays all of it.
 * Turns of the others stand still, so that they sum up to zero whatever the scores do. */
static void take_turns(struct tier_rows *tier, bool ignores_weight)
{
    double best = INFINITY, total = 0;
    struct candidate *winner = NULL;
    for (size_t i = 0; i < tier->count; i++)
        best = fmin(best, tier->rows[i]->score);
    for (size_t i = 0; i < tier->count; i++) {
        struct candidate *row = tier->rows[i];
        if (row->score > best)
            continue;
        double weight = ignores_weight ? 1 : weight_of(row);
        row->use->turn += weight;
        total += weight;
        if (!winner || row->use->turn > winner->use->turn)
            winner = row;
    }
    if (!winner)
        return;
    winner->use->turn -= total;
    winner->score = -INFINITY;
}

static bool goes_before(const struct candidate *a, const struct candidate *b)
{
    if (a->score < b->score || a->score > b->score)
        return a->score < b->score;
    return a->use->turn > b->use->turn;
}

/* Into the route, after the tiers before: an insertion sort that keeps the best few, so O(n). */
static void append(struct route *route, const struct tier_rows *tier)
{
    struct candidate *best[ROUTE_TARGETS_MAX];
    size_t room = ROUTE_TARGETS_MAX - route->count, count = 0;
    for (size_t i = 0; i < tier->count && room; i++) {
        struct candidate *row = tier->rows[i];
        size_t place = count < room ? count++ : room;
        if (place == room && !goes_before(row, best[--place]))
            continue;
        for (; place > 0 && goes_before(row, best[place - 1]); place--)
            best[place] = best[place - 1];
        best[place] = row;
    }
    for (size_t i = 0; i < count; i++)
        route->targets[route->count++] = best[i]->target;
}

void strategies_order(struct choice *choice)
{
    const struct strategy_row *strategy = find_strategy(choice->strategy);
    struct use spare[1] = {0}; /* stands for all that a full table has no row for */
    pthread_mutex_lock(&choice->routing->lock);
    for (unsigned number = 0; number < TIER_COUNT; number++) {
        struct tier_rows tier = {.count = 0};
        for (size_t i = 0; i < choice->count; i++) {
            struct candidate *row = &choice->rows[i];
            if (row->why || row->is_spare || (unsigned)row->tier != number)
                continue;
            row->use = use_find(choice->routing, row->target->id, choice->now_ns);
            if (!row->use)
                row->use = spare;
            tier.rows[tier.count++] = row;
        }
        strategy->score(choice, &tier);
        if (choice->route->count == 0)
            take_turns(&tier, strategy->ignores_weight);
        append(choice->route, &tier);
    }
    pthread_mutex_unlock(&choice->routing->lock);
    choice->route->strategy = strategy->name;
}
