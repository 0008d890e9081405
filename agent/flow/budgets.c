/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which budgets count an attempt, as rows of its reserve: a hard one with what its window may spend, a soft one without
 * a limit. Called by reserve.c before the hold; the ledger decides.
 */
#include "flow/exchange.h"

#include "base/clock.h"

_Static_assert((int)BUDGET_MATCHES_MAX <= (int)WALLET_BUDGETS_MAX, "a hold takes all budgets that match");
_Static_assert((int)BUDGET_NAME_MAX <= (int)WALLET_BUDGET_NAME_MAX, "a budget's id is its name in the ledger");

void budgets_match(struct exchange *exchange, struct attempt *attempt)
{
    const struct budget_call call = {
        .wallet = exchange->principal.wallet,
        .group = exchange->principal.group.group->name,
        .provider = attempt->provider->id,
        .model = attempt->model,
        .project = exchange->principal.claim.project,
    };
    const int64_t now_s = clock_wall_ns() / 1000000000;
    struct wallet_operation *reserve = &attempt->reserve;
    reserve->budget_count = (unsigned)budget_match(exchange->settings, &call, attempt->budgets, BUDGET_MATCHES_MAX);
    for (unsigned i = 0; i < reserve->budget_count; i++) {
        const struct budget *budget = attempt->budgets[i];
        struct budget_window *window = &attempt->windows[i];
        budget_find_window(budget, now_s, window);
        reserve->budgets[i] = (struct wallet_budget){
            .first = window->first, .last = window->last, .limit = budget->is_hard ? window->limit : MONEY_MAX};
        snprintf(reserve->budgets[i].name, sizeof reserve->budgets[i].name, "%s", budget->id);
    }
}

int budgets_find_empty(const struct exchange *exchange, const struct attempt *attempt)
{
    for (unsigned i = 0; i < attempt->reserve.budget_count; i++) {
        const struct wallet_budget *row = &attempt->reserve.budgets[i];
        struct wallet_budget_facts facts;
        struct money left;
        wallet_find_budget(exchange->worker->services->ledger, row->name, row->first, row->last, &facts);
        if (money_subtract(row->limit, facts.spent, &left) || money_subtract(left, facts.held, &left) || left.nano <= 0)
            return (int)i;
    }
    return -1;
}
