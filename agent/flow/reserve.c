/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reserve: begins an attempt. Makes what will be sent (`outgoing`: model, usage flag, output bound), and holds the
 * upper bound of its cost in the wallet, durably, before a byte leaves.
 */
#include "flow/exchange.h"

#include "base/check.h"

static struct attempt *begin_attempt(struct exchange *exchange)
{
    check(exchange->attempt_count < ATTEMPTS_MAX);
    struct attempt *attempt = &exchange->attempts[exchange->attempt_count++];
    attempt->exchange = exchange;
    attempt->basis = BASIS_NONE;
    if (!exchange->route.is_pass)
        attempt->target = exchange->route.targets[exchange->attempt_count - 1];
    attempt->provider = attempt->target ? attempt->target->provider : exchange->provider;
    bool is_rewritten = attempt->target && exchange->endpoint->kind == ENDPOINT_METERED;
    attempt->model = is_rewritten ? attempt->target->model : exchange->facts.model;
    return attempt;
}

/* The program's request with what this target and the policy change in it. */
static void make_outgoing(struct exchange *exchange, const struct attempt *attempt)
{
    const struct request_facts *facts = &exchange->facts;
    struct request_edits edits = {.output_tokens_max = -1};
    if (strcmp(attempt->model, facts->model))
        edits.model = attempt->model;
    edits.inject_usage = exchange->dialect->kind == DIALECT_OPENAI && facts->is_streaming && !facts->asks_usage;
    int64_t limit = exchange->verdict.output_tokens_max;
    if (limit >= 0 && (facts->output_tokens_max < 0 || facts->output_tokens_max > limit))
        edits.output_tokens_max = limit;
    exchange->outgoing.body = exchange->dialect->edit_request(exchange->request->body, facts, &edits, exchange->arena);
    exchange->outgoing.hides_usage = edits.inject_usage;
    exchange->outgoing.output_tokens_max =
        edits.output_tokens_max >= 0 ? edits.output_tokens_max : facts->output_tokens_max;
}

/* The dearest service level that the request does not rule out: "auto", and no word at all, leave it to the account's
 * settings at the provider (OpenAI and Anthropic, "service_tier"). */
static const char *dearest_tier(const struct request_facts *facts)
{
    static const char *const cheap[] = {"default", "standard", "standard_only", "flex", "batch"};
    for (size_t i = 0; i < sizeof cheap / sizeof *cheap; i++)
        if (strcmp(facts->service_tier, cheap[i]) == 0)
            return "";
    return "priority";
}

/* Bytes bound the tokens of a byte-level tokenizer; what lies outside the body is bounded by the model's window alone.
 */
static uint64_t bound_input(const struct exchange *exchange, const struct price_quote *quote)
{
    enum { WINDOW_DEFAULT = 1000000 };
    uint64_t bytes = exchange->outgoing.body.length;
    uint64_t window = quote->context_tokens ? quote->context_tokens : WINDOW_DEFAULT;
    return exchange->facts.refers_outside && window > bytes ? window : bytes;
}

static enum error find_bound(struct exchange *exchange, struct attempt *attempt, struct money *ret_bound,
                             struct money *ret_floor)
{
    enum error error = prices_find(exchange->settings, attempt->provider, attempt->model,
                                   attempt->target ? &attempt->target->pricing : NULL, &attempt->quote);
    if (error)
        return error;
    attempt->is_priced = true;
    uint64_t input = bound_input(exchange, &attempt->quote);
    const char *tier = dearest_tier(&exchange->facts);
    uint64_t output = exchange->outgoing.output_tokens_max >= 0 ? (uint64_t)exchange->outgoing.output_tokens_max
                                                                : attempt->quote.output_tokens_max;
    uint64_t choices = exchange->facts.choices > 0 ? (uint64_t)exchange->facts.choices : 1;
    error = prices_bound(&attempt->quote, input, 0, 1, tier, ret_floor);
    return error ? error : prices_bound(&attempt->quote, input, output, choices, tier, ret_bound);
}

static void reserved(struct wallet_operation *operation)
{
    struct attempt *attempt = list_entry(operation, struct attempt, reserve);
    attempt->phase = ATTEMPT_ANSWERED;
    flow_run(attempt->exchange);
}

static enum outcome fail_reserve(struct exchange *exchange, struct attempt *attempt)
{
    const struct wallet_operation *operation = &attempt->reserve;
    char left[MONEY_TEXT_MAX], needed[MONEY_TEXT_MAX];
    const char *environment = config_environment_name(exchange->settings->environment);
    attempt->phase = ATTEMPT_FAILED;
    if (operation->error != ERROR_WALLET_EXHAUSTED && operation->error != ERROR_WALLET_UNKNOWN)
        return exchange_fail(exchange, operation->error, "%s", error_row(operation->error)->text);
    return exchange_fail(exchange, ERROR_WALLET_EXHAUSTED,
                         "wallet %s (%s) has %s USD left, this request may cost up to %s USD; add money with: tollgate "
                         "wallet fund %s AMOUNT --env %s, or ask for fewer tokens (max_tokens)",
                         operation->wallet, environment, money_format(operation->available, left),
                         money_format(operation->amount, needed), operation->wallet, environment);
}

static void start_load(struct exchange *exchange, struct attempt *attempt)
{
    if (!attempt->target)
        return;
    exchange->load_estimate = exchange->facts.text_bytes / 4 + 1;
    routing_begin(exchange->worker->services->routing, attempt->target, exchange->load_estimate);
    attempt->is_loaded = true;
}

static enum outcome finish_reserve(struct exchange *exchange, struct attempt *attempt)
{
    char text[MONEY_TEXT_MAX];
    exchange->wallet_available = attempt->reserve.available;
    if (attempt->reserve.error)
        return fail_reserve(exchange, attempt);
    attempt->is_held = true;
    attempt->hold = attempt->reserve.amount;
    start_load(exchange, attempt);
    exchange_note(exchange, "held %s USD of %s (price %s%s%s)", money_format(attempt->hold, text),
                  exchange->principal.wallet, prices_basis_name(attempt->quote.basis),
                  attempt->quote.list_model ? ", as " : "", attempt->quote.list_model ? attempt->quote.list_model : "");
    return OUTCOME_NEXT;
}

static enum outcome start_reserve(struct exchange *exchange, struct attempt *attempt)
{
    struct wallet_operation *operation = &attempt->reserve;
    enum error error = find_bound(exchange, attempt, &operation->amount, &operation->floor);
    if (error) {
        attempt->phase = ATTEMPT_FAILED;
        if (error == ERROR_AMOUNT_OVERFLOW)
            return exchange_fail(exchange, ERROR_WALLET_EXHAUSTED,
                                 "this request may cost more than any wallet can hold");
        return exchange_fail(exchange, error, "%s: %s", error_row(error)->text, attempt->model);
    }
    operation->kind = WALLET_RESERVE;
    operation->id = id_with_attempt(exchange->id, exchange->attempt_count);
    operation->is_unenforced = !exchange->settings->cost_tracking.wallet_enforcement;
    snprintf(operation->wallet, sizeof operation->wallet, "%s", exchange->principal.wallet);
    snprintf(operation->provider, sizeof operation->provider, "%s", attempt->provider->id);
    operation->reply_to = loop_mailbox(exchange->worker->loop);
    operation->done = reserved;
    attempt->phase = ATTEMPT_RESERVING;
    wallet_submit(exchange->worker->services->ledger, operation);
    return OUTCOME_WAIT;
}

/* Nothing is held for a call that cannot be metered; an empty wallet pays for none all the same. */
static enum outcome reserve_nothing(struct exchange *exchange, struct attempt *attempt)
{
    bool is_free = exchange->endpoint->kind == ENDPOINT_FREE;
    const struct settings *settings = exchange->settings;
    struct wallet_facts facts;
    exchange->outgoing.body = exchange->request->body;
    if (!is_free && settings->cost_tracking.enabled && settings->cost_tracking.wallet_enforcement &&
        (wallet_find(exchange->worker->services->ledger, exchange->principal.wallet, &facts) ||
         facts.available.nano <= 0)) {
        attempt->phase = ATTEMPT_FAILED;
        return exchange_fail(exchange, ERROR_WALLET_EXHAUSTED,
                             "wallet %s (%s) is empty; add money with: tollgate wallet fund %s AMOUNT --env %s",
                             exchange->principal.wallet, config_environment_name(settings->environment),
                             exchange->principal.wallet, config_environment_name(settings->environment));
    }
    exchange_note(exchange, "nothing held: %s", is_free ? "the provider does not bill this endpoint" : "not metered");
    start_load(exchange, attempt);
    return OUTCOME_NEXT;
}

enum outcome step_reserve(struct exchange *exchange)
{
    struct attempt *attempt = exchange->attempt_count ? exchange_attempt(exchange) : NULL;
    if (attempt && attempt->phase == ATTEMPT_ANSWERED)
        return finish_reserve(exchange, attempt);
    if (exchange->is_client_gone)
        return exchange_fail(exchange, ERROR_CLIENT_GONE, "the client left before its request was sent");
    attempt = begin_attempt(exchange);
    if (exchange->endpoint->kind != ENDPOINT_METERED)
        return reserve_nothing(exchange, attempt);
    make_outgoing(exchange, attempt);
    if (exchange->settings->cost_tracking.enabled)
        return start_reserve(exchange, attempt);
    start_load(exchange, attempt);
    exchange_note(exchange, "nothing held: cost_tracking is off");
    return OUTCOME_NEXT;
}
