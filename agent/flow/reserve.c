/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reserve: begins an attempt. Makes what will be sent (the target's rendition of the request: model, usage flag, output
 * limit), and holds the upper bound of its cost in the wallet and its budgets, durably, before a byte leaves. Where
 * they grant less, the output limit is lowered to what the grant pays; where they cannot even do that, a cheaper
 * target.
 */
#include "flow/exchange.h"

#include "base/check.h"

/* The next target of the route that takes one more request; NULL: none does. `is_plain`: the same one again. */
static const struct target *take_target(struct exchange *exchange, const struct attempt *before, bool is_plain,
                                        uint64_t *ret_ticket)
{
    struct routing *routing = exchange->worker->services->routing;
    const uint64_t estimate = exchange->rendition.facts.text_bytes / 4 + 1;
    if (is_plain)
        return (*ret_ticket = routing_begin(routing, before->target, exchange->settings, estimate)) ? before->target
                                                                                                    : NULL;
    while (exchange->next_target < exchange->route.count) {
        const struct target *target = exchange->route.targets[exchange->next_target++];
        *ret_ticket = routing_begin(routing, target, exchange->settings, estimate);
        if (*ret_ticket)
            return target;
    }
    return NULL;
}

/* False: there is no target to try. */
static bool begin_attempt(struct exchange *exchange)
{
    check(exchange->attempt_count < ATTEMPTS_MAX);
    const struct attempt *before = exchange->attempt_count ? exchange_attempt(exchange) : NULL;
    bool is_plain = before && before->failure == FAILURE_STREAM_OPTIONS;
    uint64_t ticket = 0;
    const struct target *target = exchange->route.is_pass || (is_plain && !before->target)
                                      ? NULL
                                      : take_target(exchange, before, is_plain, &ticket);
    if (!target && !exchange->route.is_pass)
        return false;
    struct attempt *attempt = arena_new_struct(exchange->arena, struct attempt);
    exchange->attempts[exchange->attempt_count++] = attempt;
    attempt->exchange = exchange;
    attempt->basis = BASIS_NONE;
    attempt->target = target;
    attempt->ticket = ticket;
    attempt->load_estimate = exchange->rendition.facts.text_bytes / 4 + 1;
    attempt->is_plain = is_plain;
    attempt->provider = target ? target->provider : exchange->provider;
    /* What is passed with a key of ours goes as it came, to whom it was meant for. */
    attempt->rendition =
        target && !exchange->route.keeps_model ? rendition_find(exchange, target) : &exchange->rendition;
    bool is_renamed = target && exchange->endpoint->kind == ENDPOINT_METERED && !exchange->route.keeps_model &&
                      exchange->rendition.facts.batch.requests == 0 && exchange->rendition.facts.model[0];
    attempt->model = is_renamed ? target->model : exchange->rendition.facts.model;
    check(attempt->rendition->error == ERROR_OK);
    return true;
}

/* A translated request whose program named no limit has one of ours: never more than the model's own. */
static int64_t limit_of(const struct exchange *exchange, const struct attempt *attempt)
{
    struct price_quote quote;
    int64_t limit = exchange->verdict.output_tokens_max;
    if (!attempt->rendition->is_translated || exchange->rendition.facts.output_tokens_max >= 0 ||
        prices_find(exchange->settings, attempt->provider, attempt->model, NULL,
                    attempt->target ? &attempt->target->pricing : NULL, &quote))
        return limit;
    int64_t most = quote.output_tokens_max > INT64_MAX ? INT64_MAX : (int64_t)quote.output_tokens_max;
    return limit >= 0 && limit < most ? limit : most;
}

static void reserved(struct wallet_operation *operation)
{
    struct attempt *attempt = list_entry(operation, struct attempt, reserve);
    attempt->phase = ATTEMPT_ANSWERED;
    flow_run(attempt->exchange);
}

/* Less was granted than asked for: the limit that it pays goes into the request. */
static void clamp(struct exchange *exchange, struct attempt *attempt)
{
    int64_t limit = bound_find_limit(&attempt->bound, attempt->hold);
    outgoing_make(exchange, attempt, limit);
    check(exchange->outgoing.output_tokens_max == limit);
    exchange->outgoing.clamped_to = limit;
}

static void note_hold(struct exchange *exchange, const struct attempt *attempt)
{
    char text[MONEY_TEXT_MAX];
    const char *clamped = "";
    if (exchange->outgoing.clamped_to >= 0)
        clamped = arena_printf(exchange->arena,
                               "; clamped: output limited to %lld tokens of %llu, which is what the "
                               "money pays",
                               (long long)exchange->outgoing.clamped_to,
                               (unsigned long long)attempt->bound.most.output_tokens);
    exchange_note(exchange, "held %s USD of %s%s (price %s%s%s%s)%s", money_format(attempt->hold, text),
                  exchange->principal.wallet,
                  attempt->reserve.budget_count
                      ? arena_printf(exchange->arena, ", counted in %u budgets", attempt->reserve.budget_count)
                      : "",
                  prices_basis_name(attempt->bound.quote.basis), attempt->bound.quote.list_model ? ", as " : "",
                  attempt->bound.quote.list_model ? attempt->bound.quote.list_model : "",
                  attempt->bound.is_learned ? "; input as learned, no hard bound" : "", clamped);
}

static enum outcome start_attempt(struct exchange *exchange);

/* Money is short: a cheaper target of the environment, where the policy wants that (ledger.md: after the clamp). Not
 * where a budget is 0: that is no shortage but a ban. */
static bool may_be_cheaper(const struct exchange *exchange, const struct attempt *attempt, enum error error)
{
    if (error == ERROR_BUDGET_EXHAUSTED && attempt->windows[attempt->reserve.refused_by].limit.nano == 0)
        return false;
    return (error == ERROR_WALLET_EXHAUSTED || error == ERROR_BUDGET_EXHAUSTED) &&
           exchange->settings->cost_tracking.cheaper_target && exchange->attempt_count < ATTEMPTS_MAX &&
           exchange->rendition.facts.batch.requests == 0;
}

static enum outcome refuse(struct exchange *exchange, struct attempt *attempt, enum error error)
{
    fallback_end_load(exchange, attempt);
    enum outcome outcome = refuse_reserve(exchange, attempt, error);
    if (!may_be_cheaper(exchange, attempt, error) || !route_find_cheaper(exchange, attempt->reserve.amount))
        return outcome;
    exchange_note(exchange, "%s cannot be paid (%s), a cheaper target", attempt->target->id, error_row(error)->code);
    exchange->error = ERROR_OK;
    exchange->error_detail = NULL;
    exchange->is_cheaper = true;
    return start_attempt(exchange);
}

static enum outcome finish_reserve(struct exchange *exchange, struct attempt *attempt)
{
    exchange->wallet_available = attempt->reserve.available;
    if (attempt->reserve.error)
        return refuse(exchange, attempt, attempt->reserve.error);
    attempt->is_held = true;
    attempt->hold = attempt->reserve.held;
    if (money_compare(attempt->hold, attempt->reserve.amount) < 0)
        clamp(exchange, attempt);
    if (exchange->outgoing.clamped_to >= 0 || exchange->is_cheaper)
        recall_part(exchange); /* others may not be short of money */
    note_hold(exchange, attempt);
    return OUTCOME_NEXT;
}

static enum outcome start_reserve(struct exchange *exchange, struct attempt *attempt)
{
    struct wallet_operation *operation = &attempt->reserve;
    const struct bound_question question = {.rendition = attempt->rendition,
                                            .provider = attempt->provider,
                                            .target = exchange->route.keeps_model ? NULL : attempt->target,
                                            .model = attempt->model,
                                            .body_bytes = attempt->body.length,
                                            .limit = exchange->outgoing.output_tokens_max};
    enum error error = bound_find(exchange, &question, &attempt->bound);
    if (error)
        return refuse(exchange, attempt, error);
    attempt->is_priced = true;
    operation->kind = WALLET_RESERVE;
    operation->amount = attempt->bound.cost;
    operation->amount_min = attempt->bound.cost_least;
    operation->floor = attempt->bound.floor;
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
    bool may_be_billed = exchange->endpoint->kind == ENDPOINT_UNMETERED;
    if (may_be_billed && exchange->settings->cost_tracking.enabled && check_unheld(exchange, attempt) == OUTCOME_FAIL) {
        fallback_end_load(exchange, attempt);
        return OUTCOME_FAIL;
    }
    exchange_note(exchange, "nothing held: %s",
                  may_be_billed ? "not metered"
                  : exchange->endpoint->kind == ENDPOINT_JOB
                      ? "it asks after a job, whose hold stays until the job ends"
                      : "the provider does not bill this endpoint");
    return OUTCOME_NEXT;
}

static enum outcome start_attempt(struct exchange *exchange)
{
    if (!begin_attempt(exchange))
        return exchange_fail(exchange, exchange->attempt_count ? ERROR_NO_TARGET : ERROR_TARGETS_BUSY, "%s",
                             exchange->attempt_count ? "no other target could be asked, see the attempts"
                                                     : "every target of this request rests or is at its limit");
    struct attempt *attempt = exchange_attempt(exchange);
    outgoing_make(exchange, attempt, limit_of(exchange, attempt));
    if (exchange->settings->cost_tracking.enabled && !endpoint_is_free(exchange->endpoint->kind))
        budgets_match(exchange, attempt);
    if (exchange->endpoint->kind != ENDPOINT_METERED)
        return reserve_nothing(exchange, attempt);
    if (exchange->settings->cost_tracking.enabled)
        return start_reserve(exchange, attempt);
    exchange_note(exchange, "nothing held: cost_tracking is off");
    return OUTCOME_NEXT;
}

enum outcome step_reserve(struct exchange *exchange)
{
    struct attempt *attempt = exchange->attempt_count ? exchange_attempt(exchange) : NULL;
    if (attempt && attempt->phase == ATTEMPT_ANSWERED)
        return finish_reserve(exchange, attempt);
    if (exchange->is_client_gone)
        return exchange_fail(exchange, ERROR_CLIENT_GONE, "the client left before its request was sent");
    return start_attempt(exchange);
}
