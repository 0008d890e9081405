/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a refusal for want of money (wire.md): which wallet or budget, in which environment, what it has left,
 * what the request may cost, when that changes by itself, and the command that helps. Called by reserve.c.
 */
#include "flow/exchange.h"

#include <time.h>

enum { TIME_TEXT_BYTES = 32, DESCRIPTION_BYTES = 192 };

static const char *environment_of(const struct exchange *exchange)
{
    return config_environment_name(exchange->settings->environment);
}

/* " cost up to 0.5 USD, and 0.1 USD with its output limited to 256 tokens" */
static const char *describe_need(struct exchange *exchange, const struct attempt *attempt)
{
    char most[MONEY_TEXT_MAX], least[MONEY_TEXT_MAX];
    money_format(attempt->reserve.amount, most);
    if (attempt->reserve.amount_min.nano == 0)
        return arena_printf(exchange->arena, "%s USD", most);
    money_format(attempt->reserve.amount_min, least);
    return arena_printf(exchange->arena, "%s USD, and %s USD with its output limited to %llu tokens", most, least,
                        (unsigned long long)attempt->bound.output_tokens_least);
}

static const char *describe_price(struct exchange *exchange, const char *needed)
{
    return needed ? arena_printf(exchange->arena, "this request may cost up to %s", needed)
                  : "what this request costs is not known before";
}

enum outcome refuse_wallet(struct exchange *exchange, struct money left, const char *needed)
{
    char text[MONEY_TEXT_MAX];
    const char *wallet = exchange->principal.wallet, *environment = environment_of(exchange);
    return exchange_fail(exchange, ERROR_WALLET_EXHAUSTED,
                         "wallet %s (%s) has %s USD left, %s; add money with: tollgate wallet fund %s AMOUNT --env "
                         "%s%s",
                         wallet, environment, money_format(left, text), describe_price(exchange, needed), wallet,
                         environment, needed ? ", or ask for fewer tokens (max_tokens)" : "");
}

static const char *format_time(int64_t at_s, char text[TIME_TEXT_BYTES])
{
    const time_t at = (time_t)at_s;
    struct tm parts;
    if (!gmtime_r(&at, &parts) || !strftime(text, TIME_TEXT_BYTES, "%Y-%m-%d %H:%M UTC", &parts))
        snprintf(text, TIME_TEXT_BYTES, "an unknown time");
    return text;
}

/* What `budget set` is not told it takes from its defaults: the command must say all that is to stay. Values may hold a
 * '*', which shells expand. */
static const char *describe_command(struct exchange *exchange, const struct budget *budget)
{
    const struct {
        const char *key, *value;
    } scopes[] = {{"wallet", budget->scope.wallet},
                  {"group", budget->scope.group},
                  {"provider", budget->scope.provider},
                  {"model", budget->scope.model},
                  {"project", budget->scope.project}};
    bool is_utc = !budget->time_zone || strcmp(budget->time_zone, "UTC") == 0;
    const char *text = arena_printf(exchange->arena, "tollgate budget set %s --amount AMOUNT --hard", budget->id);
    if (budget->period != BUDGET_MONTHLY)
        text = arena_printf(exchange->arena, "%s --window %s", text, budget_window_name(budget->period));
    if (budget->period == BUDGET_ROLLING)
        text = arena_printf(exchange->arena, "%s --length %uh", text, budget->rolling_minutes / 60);
    else if (!is_utc)
        text = arena_printf(exchange->arena, "%s --time-zone %s", text, budget->time_zone);
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        if (scopes[i].value)
            text = arena_printf(exchange->arena, "%s --scope %s='%s'", text, scopes[i].key, scopes[i].value);
    return arena_printf(exchange->arena, "%s --env %s", text, environment_of(exchange));
}

enum outcome refuse_budget(struct exchange *exchange, const struct attempt *attempt, int index, struct money left,
                           const char *needed)
{
    const struct budget *budget = attempt->budgets[index];
    const struct budget_window *window = &attempt->windows[index];
    char description[DESCRIPTION_BYTES], when[TIME_TEXT_BYTES], text[MONEY_TEXT_MAX];
    return exchange_fail(
        exchange, ERROR_BUDGET_EXHAUSTED, "%s of %s has %s USD left, %s; it %s %s; raise it with: %s%s",
        budget_describe(budget, window, description, sizeof description), environment_of(exchange),
        money_format(left, text), describe_price(exchange, needed),
        budget->period == BUDGET_ROLLING ? "has more from" : "begins anew at", format_time(window->ends_s, when),
        describe_command(exchange, budget), needed ? ", or ask for fewer tokens (max_tokens)" : "");
}

/* What has nothing to do with this request's money. */
static const struct {
    enum error error;
    const char *text;
} other_refusals[] = {
    {ERROR_DISK_LOW, "the disk that the ledger is on is nearly full: no paid request is taken until it has room again"},
    {ERROR_LEDGER_STOPPED,
     "the ledger has stopped and nothing can be paid: an administrator must read the agent's log and start it again"},
    {ERROR_AMOUNT_OVERFLOW, "this request may cost more than any wallet can hold"},
};

enum outcome refuse_reserve(struct exchange *exchange, struct attempt *attempt, enum error error)
{
    const struct wallet_operation *operation = &attempt->reserve;
    const char *text = error_row(error)->text;
    attempt->phase = ATTEMPT_FAILED;
    if (error == ERROR_WALLET_EXHAUSTED || error == ERROR_WALLET_UNKNOWN)
        return refuse_wallet(exchange, operation->available, describe_need(exchange, attempt));
    if (error == ERROR_BUDGET_EXHAUSTED)
        return refuse_budget(exchange, attempt, operation->refused_by, operation->left,
                             describe_need(exchange, attempt));
    if (error == ERROR_PRICE_UNKNOWN)
        return exchange_fail(exchange, error, "%s: %s", text, attempt->model);
    for (size_t i = 0; i < sizeof other_refusals / sizeof *other_refusals; i++)
        if (other_refusals[i].error == error)
            text = other_refusals[i].text;
    return exchange_fail(exchange, error == ERROR_AMOUNT_OVERFLOW ? ERROR_WALLET_EXHAUSTED : error, "%s", text);
}
