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
 * alone. A batch is half price by its endpoint. */
static const char *dearest_tier(const struct rendition *rendition)
{
    static const char *const cheap[] = {"default", "standard", "standard_only", "flex", "batch"};
    const struct request_facts *facts = &rendition->facts;
    if (facts->batch.requests)
        return "batch";
    if (rendition->dialect->kind == DIALECT_ANTHROPIC)
        return facts->is_fast ? "fast" : "";
    for (size_t i = 0; i < sizeof cheap / sizeof *cheap; i++)
        if (strcmp(facts->service_tier, cheap[i]) == 0)
            return "";
    return "priority";
}

/* No list knows a longer window than WINDOW_DEFAULT of a model without naming it. */
static uint64_t window_of(const struct price_quote *quote)
{
    enum { WINDOW_DEFAULT = 2000000 };
    return quote->context_tokens ? quote->context_tokens : WINDOW_DEFAULT;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t multiply_saturated(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* Bytes bound the tokens of a byte-level tokenizer, what the provider adds comes on top; what lies outside the body is
 * bounded by the model's window alone. */
static uint64_t bound_input(const struct exchange *exchange, const struct bound_question *question, struct bound *bound)
{
    const struct request_facts *facts = &question->rendition->facts;
    uint64_t grown = question->body_bytes > question->rendition->body.length
                         ? question->body_bytes - question->rendition->body.length
                         : 0; /* by what we put in */
    uint64_t bytes = question->body_bytes, learned;
    uint64_t tokens = facts->text_bytes + (facts->text_bytes ? grown : 0) + facts->added_tokens;
    uint64_t window = window_of(&bound->quote);
    if (facts->refers_outside)
        return window > tokens ? window : tokens;
    if (exchange->settings->cost_tracking.hold != HOLD_LEARNED ||
        !prices_memory_find(shared_memory(), question->provider->id, question->model, bytes, &learned) ||
        learned >= tokens)
        return tokens;
    bound->is_learned = true;
    return learned;
}

/* Anthropic refuses a limit that thinking alone would use up. A prediction's rejected tokens are billed and not
 * limited: such a request, and one that asks for less than the floor, is not clamped. */
static uint64_t find_least(const struct exchange *exchange, const struct request_facts *facts, uint64_t asked)
{
    uint64_t least = exchange->settings->cost_tracking.clamp_tokens_min;
    if (!exchange->settings->cost_tracking.clamp || facts->prediction_bytes || facts->has_no_limit)
        return 0;
    least = least ? least : 1;
    if (facts->thinking_tokens > 0 && (uint64_t)facts->thinking_tokens >= least)
        least = (uint64_t)facts->thinking_tokens + 1;
    return least < asked ? least : 0;
}

/* All requests of a batch together; it is not clamped. */
static void fill_batch(const struct batch_facts *batch, struct bound *bound)
{
    bound->most.input_tokens =
        add_saturated(batch->input_tokens, multiply_saturated(batch->outside, window_of(&bound->quote)));
    bound->most.output_tokens =
        add_saturated(batch->output_tokens, multiply_saturated(batch->unlimited, bound->quote.output_tokens_max));
    bound->most.units.tool_calls = add_saturated(bound->most.units.tool_calls, batch->tool_calls);
    bound->most.choices = 1;
}

static void fill_request(const struct exchange *exchange, const struct bound_question *question, struct bound *bound)
{
    const struct request_facts *facts = &question->rendition->facts;
    uint64_t asked = question->limit >= 0 ? (uint64_t)question->limit : bound->quote.output_tokens_max;
    bound->most.input_tokens = bound_input(exchange, question, bound);
    bound->most.choices = facts->choices > 0 ? (uint64_t)facts->choices : 1;
    if (question->rendition->endpoint->api == API_EMBEDDINGS)
        return; /* there is no output to bill */
    bound->most.output_tokens = asked + facts->prediction_bytes;
    bound->output_tokens_least = find_least(exchange, facts, asked);
}

/* Pictures of a tool, at the prices of the model that draws them. */
static enum error bound_drawing(const struct exchange *exchange, const struct bound_question *question,
                                struct bound *bound)
{
    const struct drawing_facts *facts = &question->rendition->facts.drawing;
    if (!facts->model[0])
        return ERROR_OK;
    enum error error = prices_find_drawing(exchange->settings, question->provider, facts->model, &bound->quote);
    if (error)
        return error;
    uint64_t each = facts->tokens_each >= 0 ? (uint64_t)facts->tokens_each : bound->quote.drawing.output_tokens_max;
    bound->most.units.input_image = facts->input_tokens;
    bound->most.units.output_image = multiply_saturated(facts->pictures, each);
    return ERROR_OK;
}

static enum error price(const struct bound *bound, uint64_t output_tokens, struct money *ret_cost)
{
    struct price_bound most = bound->most;
    most.output_tokens = output_tokens;
    return prices_bound(&bound->quote, &most, ret_cost);
}

struct bound_question bound_ask(const struct exchange *exchange, const struct rendition *rendition,
                                const struct target *target)
{
    int64_t limit = rendition->facts.output_tokens_max, most = exchange->verdict.output_tokens_max;
    return (struct bound_question){.rendition = rendition,
                                   .provider = target->provider,
                                   .target = target,
                                   /* no model named: any may answer */
                                   .model = exchange->rendition.facts.model[0] ? target->model : "",
                                   .body_bytes = rendition->body.length,
                                   .limit = most >= 0 && (limit < 0 || most < limit) ? most : limit};
}

enum error bound_find(const struct exchange *exchange, const struct bound_question *question, struct bound *ret_bound)
{
    const struct request_facts *facts = &question->rendition->facts;
    struct bound bound = {.most = {.units = facts->units, .service_tier = dearest_tier(question->rendition)}};
    enum error error = prices_find(exchange->settings, question->provider, question->model, facts->price_variant,
                                   question->target ? &question->target->pricing : NULL, &bound.quote);
    if (error)
        return error;
    bound.quote.is_regional = facts->is_regional;
    error = bound_drawing(exchange, question, &bound);
    if (error)
        return error;
    if (facts->batch.requests)
        fill_batch(&facts->batch, &bound);
    else
        fill_request(exchange, question, &bound);
    error = price(&bound, bound.most.output_tokens, &bound.cost);
    if (!error)
        error = price(&bound, 0, &bound.floor);
    if (!error && bound.output_tokens_least)
        error = price(&bound, bound.output_tokens_least, &bound.cost_least);
    *ret_bound = bound;
    return error;
}

int64_t bound_find_limit(const struct bound *bound, struct money granted)
{
    const uint64_t least = bound->output_tokens_least;
    check(least > 0);
    uint64_t limit = prices_find_output_limit(&bound->quote, &bound->most, least, granted);
    struct money cost;
    check(limit >= least && price(bound, limit, &cost) == ERROR_OK && money_compare(cost, granted) <= 0);
    return (int64_t)limit;
}

bool bound_is_believable(const struct attempt *attempt, struct money cost)
{
    static const uint64_t count_most = 1000000000000; /* a batch of 50,000 requests of 20 million tokens each */
    const struct price_quote *quote = &attempt->bound.quote;
    const struct price_bound whole = {
        .input_tokens = window_of(quote),
        .output_tokens = quote->output_tokens_max,
        .units = attempt->rendition ? attempt->rendition->facts.units : (struct usage){0},
        .service_tier = "priority",
    };
    struct money most;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (attempt->usage.of[i] > count_most)
            return false;
    if (prices_bound(quote, &whole, &most) || money_compare(cost, most) <= 0)
        return true;
    return cost.nano / 100 <= attempt->hold.nano;
}

void bound_learn(const struct exchange *exchange, const struct attempt *attempt)
{
    if (exchange->settings->cost_tracking.hold != HOLD_LEARNED || !attempt->rendition || attempt->status != 200 ||
        attempt->rendition->facts.refers_outside || attempt->usage_source != USAGE_PROVIDER)
        return;
    uint64_t tokens = 0;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        if (bucket_rows[i].side == SIDE_PROMPT)
            tokens = add_saturated(tokens, attempt->usage.of[i]);
    if (tokens < UINT64_MAX)
        prices_memory_learn(shared_memory(), attempt->provider->id, attempt->model, attempt->body.length, tokens);
}
