/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bound of a hold (ledger.md): how many tokens a request can use and bill at most, at which service level, and with
 * `hold: learned` how many its input is expected to use. Called by reserve.c, and by settle.c to learn; moves no money.
 */
#include "flow/exchange.h"

#include "base/check.h"

#include <pthread.h>

static struct prices_memory *memory;

static void make_memory(void)
{
    memory = prices_memory_new();
}

/* One for all workers and for as long as the process lives: what one loop learns, all know. */
static struct prices_memory *shared_memory(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_memory);
    return memory;
}

/* The dearest service level that the request does not rule out. OpenAI and those like it: "auto", and no word at all,
 * leave it to the account's settings at the provider ("service_tier"). Anthropic: fast prices are for `speed: "fast"`
 * alone. */
static const char *dearest_tier(const struct exchange *exchange)
{
    static const char *const cheap[] = {"default", "standard", "standard_only", "flex", "batch"};
    const struct request_facts *facts = &exchange->facts;
    if (exchange->dialect->kind == DIALECT_ANTHROPIC)
        return facts->is_fast ? "fast" : "";
    for (size_t i = 0; i < sizeof cheap / sizeof *cheap; i++)
        if (strcmp(facts->service_tier, cheap[i]) == 0)
            return "";
    return "priority";
}

/* Bytes bound the tokens of a byte-level tokenizer, what the provider adds comes on top; what lies outside the body is
 * bounded by the model's window alone. No list knows a longer window than WINDOW_DEFAULT of a model without naming it.
 */
static uint64_t bound_input(const struct exchange *exchange, struct attempt *attempt)
{
    enum { WINDOW_DEFAULT = 2000000 };
    const struct request_facts *facts = &exchange->facts;
    uint64_t bytes = exchange->outgoing.body.length, tokens = bytes + facts->added_tokens, learned;
    uint64_t window = attempt->quote.context_tokens ? attempt->quote.context_tokens : WINDOW_DEFAULT;
    if (facts->refers_outside)
        return window > tokens ? window : tokens;
    if (exchange->settings->cost_tracking.hold != HOLD_LEARNED ||
        !prices_memory_find(shared_memory(), attempt->provider->id, attempt->model, bytes, &learned) ||
        learned >= tokens)
        return tokens;
    attempt->bound.is_learned = true;
    return learned;
}

/* Anthropic refuses a limit that thinking alone would use up. A prediction's rejected tokens are billed and not
 * limited: such a request, and one that asks for less than the floor, is not clamped. */
static uint64_t find_least(const struct exchange *exchange, uint64_t asked)
{
    const struct request_facts *facts = &exchange->facts;
    uint64_t least = exchange->settings->cost_tracking.clamp_tokens_min;
    if (!exchange->settings->cost_tracking.clamp || facts->prediction_bytes)
        return 0;
    least = least ? least : 1;
    if (facts->thinking_tokens > 0 && (uint64_t)facts->thinking_tokens >= least)
        least = (uint64_t)facts->thinking_tokens + 1;
    return least < asked ? least : 0;
}

static struct price_bound bound_of(const struct attempt *attempt, uint64_t output_tokens)
{
    return (struct price_bound){.input_tokens = attempt->bound.input_tokens,
                                .output_tokens = output_tokens,
                                .choices = attempt->bound.choices,
                                .units = attempt->exchange->facts.units,
                                .service_tier = attempt->bound.service_tier};
}

static enum error price(const struct attempt *attempt, uint64_t output_tokens, struct money *ret_bound)
{
    const struct price_bound bound = bound_of(attempt, output_tokens);
    return prices_bound(&attempt->quote, &bound, ret_bound);
}

enum error bound_find(struct exchange *exchange, struct attempt *attempt)
{
    const struct request_facts *facts = &exchange->facts;
    struct wallet_operation *reserve = &attempt->reserve;
    enum error error = prices_find(exchange->settings, attempt->provider, attempt->model, facts->price_variant,
                                   attempt->target ? &attempt->target->pricing : NULL, &attempt->quote);
    if (error)
        return error;
    attempt->is_priced = true;
    attempt->bound.service_tier = dearest_tier(exchange);
    attempt->bound.input_tokens = bound_input(exchange, attempt);
    attempt->bound.choices = facts->choices > 0 ? (uint64_t)facts->choices : 1;
    uint64_t asked = exchange->outgoing.output_tokens_max >= 0 ? (uint64_t)exchange->outgoing.output_tokens_max
                                                               : attempt->quote.output_tokens_max;
    attempt->bound.output_tokens = asked + facts->prediction_bytes;
    attempt->bound.output_tokens_least = find_least(exchange, asked);
    error = price(attempt, attempt->bound.output_tokens, &reserve->amount);
    if (!error)
        error = price(attempt, 0, &reserve->floor);
    if (!error && attempt->bound.output_tokens_least)
        error = price(attempt, attempt->bound.output_tokens_least, &reserve->amount_min);
    return error;
}

int64_t bound_find_limit(const struct attempt *attempt, struct money granted)
{
    const uint64_t least = attempt->bound.output_tokens_least;
    const struct price_bound most = bound_of(attempt, attempt->bound.output_tokens);
    check(least > 0);
    uint64_t limit = prices_find_output_limit(&attempt->quote, &most, least, granted);
    struct money cost;
    check(limit >= least && price(attempt, limit, &cost) == ERROR_OK && money_compare(cost, granted) <= 0);
    return (int64_t)limit;
}

void bound_learn(const struct exchange *exchange, const struct attempt *attempt)
{
    const struct usage *usage = &attempt->usage;
    if (exchange->settings->cost_tracking.hold != HOLD_LEARNED || exchange->facts.refers_outside ||
        attempt->status != 200 || attempt->usage_source != USAGE_PROVIDER)
        return;
    const uint64_t parts[] = {usage->input, usage->cache_read, usage->cache_write, usage->cache_write_1h,
                              usage->input_audio};
    uint64_t tokens = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (__builtin_add_overflow(tokens, parts[i], &tokens))
            return;
    prices_memory_learn(shared_memory(), attempt->provider->id, attempt->model, exchange->outgoing.body.length, tokens);
}
