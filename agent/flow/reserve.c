/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reserve: begins an attempt. Makes what will be sent (`outgoing`: model, usage flag, output limit), and holds the
 * upper bound of its cost in the wallet and its budgets, durably, before a byte leaves. Where they grant less, the
 * output limit is lowered to what the grant pays.
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

/* The program's request with what this target and the policy change in it. `limit`: of the output, -1: none. */
static void make_outgoing(struct exchange *exchange, const struct attempt *attempt, int64_t limit)
{
    const struct request_facts *facts = &exchange->facts;
    struct request_facts named = *facts;
    struct request_edits edits = {.output_tokens_max = -1};
    if (strcmp(attempt->model, facts->model))
        edits.model = attempt->model;
    edits.inject_usage = exchange->dialect->kind == DIALECT_OPENAI && facts->is_streaming && !facts->asks_usage;
    if (limit >= 0 && (facts->output_tokens_max < 0 || facts->output_tokens_max > limit))
        edits.output_tokens_max = limit;
    /* OpenAI's reasoning models know no max_tokens; many who speak its dialect know nothing else. */
    if (!facts->output_max_member && strcmp(attempt->provider->price_family, "openai") != 0)
        named.output_max_member = "max_tokens";
    exchange->outgoing.body =
        exchange->dialect->edit_request(exchange->endpoint, exchange->request->body, &named, &edits, exchange->arena);
    exchange->outgoing.hides_usage = edits.inject_usage;
    exchange->outgoing.output_tokens_max =
        edits.output_tokens_max >= 0 ? edits.output_tokens_max : facts->output_tokens_max;
    exchange->outgoing.clamped_to = -1;
}

static void reserved(struct wallet_operation *operation)
{
    struct attempt *attempt = list_entry(operation, struct attempt, reserve);
    attempt->phase = ATTEMPT_ANSWERED;
    flow_run(attempt->exchange);
}

static void start_load(struct exchange *exchange, struct attempt *attempt)
{
    if (!attempt->target)
        return;
    exchange->load_estimate = exchange->facts.text_bytes / 4 + 1;
    attempt->is_loaded = routing_begin(exchange->worker->services->routing, attempt->target, exchange->settings,
                                       exchange->load_estimate);
}

/* Less was granted than asked for: the limit that it pays goes into the request. */
static void clamp(struct exchange *exchange, struct attempt *attempt)
{
    int64_t limit = bound_find_limit(attempt, attempt->hold);
    make_outgoing(exchange, attempt, limit);
    check(exchange->outgoing.output_tokens_max == limit);
    exchange->outgoing.clamped_to = limit;
}

static void note_hold(struct exchange *exchange, const struct attempt *attempt)
{
    char text[MONEY_TEXT_MAX];
    const char *clamped = "";
    if (exchange->outgoing.clamped_to >= 0)
        clamped =
            arena_printf(exchange->arena,
                         "; clamped: output limited to %lld tokens of %llu, which is what the "
                         "money pays",
                         (long long)exchange->outgoing.clamped_to, (unsigned long long)attempt->bound.output_tokens);
    exchange_note(exchange, "held %s USD of %s%s (price %s%s%s%s)%s", money_format(attempt->hold, text),
                  exchange->principal.wallet,
                  attempt->reserve.budget_count
                      ? arena_printf(exchange->arena, ", counted in %u budgets", attempt->reserve.budget_count)
                      : "",
                  prices_basis_name(attempt->quote.basis), attempt->quote.list_model ? ", as " : "",
                  attempt->quote.list_model ? attempt->quote.list_model : "",
                  attempt->bound.is_learned ? "; input as learned, no hard bound" : "", clamped);
}

static enum outcome finish_reserve(struct exchange *exchange, struct attempt *attempt)
{
    exchange->wallet_available = attempt->reserve.available;
    if (attempt->reserve.error)
        return refuse_reserve(exchange, attempt, attempt->reserve.error);
    attempt->is_held = true;
    attempt->hold = attempt->reserve.held;
    if (money_compare(attempt->hold, attempt->reserve.amount) < 0)
        clamp(exchange, attempt);
    start_load(exchange, attempt);
    note_hold(exchange, attempt);
    return OUTCOME_NEXT;
}

static enum outcome start_reserve(struct exchange *exchange, struct attempt *attempt)
{
    struct wallet_operation *operation = &attempt->reserve;
    enum error error = bound_find(exchange, attempt);
    if (error)
        return refuse_reserve(exchange, attempt, error);
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

/* A call that may be billed and cannot be metered: nothing is held, but what has nothing left pays for none. */
static enum outcome check_unheld(struct exchange *exchange, struct attempt *attempt)
{
    struct wallet_ledger *ledger = exchange->worker->services->ledger;
    struct wallet_facts facts = {.available = MONEY_ZERO};
    struct wallet_statistics statistics;
    wallet_get_statistics(ledger, &statistics);
    if (statistics.is_stopped || statistics.is_disk_low)
        return refuse_reserve(exchange, attempt, statistics.is_stopped ? ERROR_LEDGER_STOPPED : ERROR_DISK_LOW);
    if (wallet_find(ledger, exchange->principal.wallet, &facts))
        facts.available = MONEY_ZERO;
    exchange->wallet_available = facts.available;
    attempt->phase = ATTEMPT_FAILED;
    if (exchange->settings->cost_tracking.wallet_enforcement && facts.available.nano <= 0)
        return refuse_wallet(exchange, facts.available, NULL);
    int empty = budgets_find_empty(exchange, attempt);
    if (empty >= 0)
        return refuse_budget(exchange, attempt, empty, MONEY_ZERO, NULL);
    attempt->phase = ATTEMPT_NEW;
    return OUTCOME_NEXT;
}

static enum outcome reserve_nothing(struct exchange *exchange, struct attempt *attempt)
{
    bool is_free = exchange->endpoint->kind == ENDPOINT_FREE;
    exchange->outgoing.body = exchange->request->body;
    exchange->outgoing.clamped_to = -1;
    if (!is_free && exchange->settings->cost_tracking.enabled && check_unheld(exchange, attempt) == OUTCOME_FAIL)
        return OUTCOME_FAIL;
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
    if (exchange->settings->cost_tracking.enabled && exchange->endpoint->kind != ENDPOINT_FREE)
        budgets_match(exchange, attempt);
    if (exchange->endpoint->kind != ENDPOINT_METERED)
        return reserve_nothing(exchange, attempt);
    make_outgoing(exchange, attempt, exchange->verdict.output_tokens_max);
    if (exchange->settings->cost_tracking.enabled)
        return start_reserve(exchange, attempt);
    start_load(exchange, attempt);
    exchange_note(exchange, "nothing held: cost_tracking is off");
    return OUTCOME_NEXT;
}
