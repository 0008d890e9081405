/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a hold is made: what the wallet and every budget named can pay, all or nothing. Nothing moves before all of them
 * have agreed; a refusal leaves no trace. Runs on the ledger thread only.
 */
#include "wallet/internal.h"

#include "base/clock.h"
#include "base/plant.h"

/* The counterparty of a hold whose provider is not known yet. */
static const char provider_unassigned[] = "unassigned";

/* A budget of this request, and what its window has left: below 0 when a settle went above its hold. */
struct allowance {
    uint32_t first, last;
    __int128 left;
};

/* ---- the same again ---- */

/* Whether the hold's linked transfers are for the budgets asked now. The window may have moved since. */
static enum error compare_budgets(struct wallet_ledger *ledger, const struct wallet_operation *operation,
                                  uint64_t sequence, bool *ret_is_same)
{
    unsigned count = 0;
    bool is_same = true;
    for (; sequence + count < ledger->head.sequence; count++) {
        struct transfer linked;
        enum error error = transfers_read(ledger, sequence + 1 + count, &linked);
        if (error)
            return error;
        if (linked.kind != TRANSFER_PENDING || !transfer_is_linked(&linked))
            break;
        const struct wallet_budget *asked = &operation->budgets[count];
        char name[WALLET_BUDGET_NAME_MAX];
        uint32_t start;
        is_same = is_same && count < operation->budget_count && linked.limit == asked->limit.nano &&
                  bucket_parse(ledger->accounts[linked.debit]->name, name, &start) && !strcmp(name, asked->name);
    }
    *ret_is_same = is_same && count == operation->budget_count;
    return ERROR_OK;
}

/* What a repeat may have been granted: the amount, or from amount_min on. */
static bool is_granted_amount(const struct wallet_operation *operation, int64_t granted)
{
    int64_t least = operation->amount_min.nano ? operation->amount_min.nano : operation->amount.nano;
    return granted >= least && granted <= operation->amount.nano;
}

static int64_t floor_of(const struct wallet_operation *operation, int64_t granted)
{
    return operation->floor.nano < granted ? operation->floor.nano : granted;
}

/* A resolved one is not granted again: its money is spent or given back. */
static enum error repeat(struct wallet_ledger *ledger, struct wallet_operation *operation, const struct account *wallet,
                         const struct transfer *earlier, uint64_t resolution)
{
    bool is_same = earlier->kind == TRANSFER_PENDING && wallet && earlier->debit == wallet->number &&
                   is_granted_amount(operation, earlier->amount) &&
                   earlier->floor == floor_of(operation, earlier->amount);
    enum error error =
        is_same ? compare_budgets(ledger, operation, earlier->sequence, &is_same) : ERROR_TRANSFER_CONFLICT;
    if (error || !is_same)
        return error ? error : ERROR_TRANSFER_CONFLICT;
    operation->held.nano = earlier->amount;
    return resolution ? ERROR_TRANSFER_RESOLVED : ERROR_OK;
}

/* ---- what may be granted ---- */

static __int128 used_of(const struct wallet_ledger *ledger, const struct bucket_list *list, uint32_t first,
                        uint32_t last)
{
    const struct bucket *bucket;
    __int128 used = 0;
    for (uint32_t index = list ? list->count : 0; (bucket = buckets_next(list, first, last, &index)) != NULL;) {
        const struct balance *balance = &ledger->accounts[bucket->account]->balance;
        used += (__int128)balance->debits_posted + balance->debits_pending;
    }
    return used;
}

static void find_allowance(const struct wallet_ledger *ledger, const struct wallet_budget *budget,
                           struct allowance *ret_allowance)
{
    struct allowance allowance = {.first = budget->first, .last = budget->last};
    const struct bucket_list *list = buckets_find(ledger->budgets, budget->name);
    if (!PLANTED(PLANT_CLOCK_BACK))
        buckets_correct(list, &allowance.first, &allowance.last);
    allowance.left = INT64_MAX;
    if (budget->limit.nano != INT64_MAX && !PLANTED(PLANT_BUDGET_UNCHECKED))
        allowance.left = budget->limit.nano - used_of(ledger, list, allowance.first, allowance.last);
    *ret_allowance = allowance;
}

/* What the wallet can pay; -1: not even nothing, a wallet of 0 blocks what costs nothing too. */
static int64_t payable(const struct wallet_operation *operation, const struct account *wallet)
{
    int64_t available = wallet ? balance_available(&wallet->balance) : 0;
    if (operation->is_unenforced || PLANTED(PLANT_AVAILABLE_UNCHECKED))
        return INT64_MAX;
    return available > 0 || PLANTED(PLANT_ZERO_PASSES) ? available : -1;
}

/* The wallet is asked first; among the budgets that refuse, the one with the least left says so. */
static enum error grant(struct wallet_operation *operation, const struct account *wallet,
                        const struct allowance *allowances, int64_t *ret_granted)
{
    int64_t most = payable(operation, wallet);
    int64_t least = operation->amount_min.nano ? operation->amount_min.nano : operation->amount.nano;
    if (PLANTED(PLANT_MIN_IGNORED) && operation->amount_min.nano)
        least = 0;
    if (most < least)
        return ERROR_WALLET_EXHAUSTED;
    most = most < operation->amount.nano ? most : operation->amount.nano;
    for (unsigned i = 0; i < operation->budget_count; i++) {
        const bool is_none = operation->budgets[i].limit.nano == 0 && !PLANTED(PLANT_BUDGET_UNCHECKED);
        const __int128 left = allowances[i].left > 0 ? allowances[i].left : 0;
        if ((is_none || allowances[i].left < least) && (operation->refused_by < 0 || left < operation->left.nano)) {
            operation->refused_by = (int)i;
            operation->left.nano = (int64_t)left;
        }
        most = left < most ? (int64_t)left : most;
    }
    if (operation->refused_by >= 0)
        return ERROR_BUDGET_EXHAUSTED;
    *ret_granted = most;
    return ERROR_OK;
}

static bool has_room(struct wallet_ledger *ledger, const struct wallet_operation *operation,
                     const struct account *wallet, const char *provider, const struct allowance *allowances,
                     int64_t granted)
{
    int64_t sum;
    if (!account_can_debit(wallet, granted) ||
        !account_can_credit(book_find(ledger, ACCOUNT_PROVIDER, provider), granted))
        return false;
    if (operation->budget_count == 0)
        return true;
    for (unsigned i = 0; i < operation->budget_count; i++) {
        char name[WALLET_NAME_MAX];
        bucket_format(operation->budgets[i].name, allowances[i].last, name);
        if (!account_can_debit(book_find(ledger, ACCOUNT_BUDGET, name), granted))
            return false;
    }
    return !__builtin_mul_overflow(granted, operation->budget_count, &sum) &&
           account_can_credit(book_find(ledger, ACCOUNT_ALLOWANCE, ""), sum);
}

/* ---- granted ---- */

static struct hold *hold_money(struct wallet_ledger *ledger, const struct wallet_operation *operation,
                               struct account *wallet, struct account *counterparty, int64_t granted)
{
    struct transfer transfer = {
        .kind = TRANSFER_PENDING,
        .basis = BASIS_NONE,
        .flags = operation->is_unenforced ? TRANSFER_UNENFORCED : 0,
        .id = operation->id,
        .amount = granted,
        .floor = floor_of(operation, granted),
        .debit = wallet->number,
        .credit = counterparty->number,
    };
    wallet->balance.debits_pending += granted;
    counterparty->balance.credits_pending += granted;
    transfers_remember(ledger, operation->id, transfers_add(ledger, &transfer, NULL, NULL));
    struct hold *hold = holds_add(&ledger->holds, &transfer);
    hold->made_ns = clock_monotonic_ns();
    return hold;
}

static void count_against(struct wallet_ledger *ledger, struct hold *hold, const struct wallet_budget *budget,
                          const struct allowance *window)
{
    char name[WALLET_NAME_MAX];
    struct account *bucket = book_get(ledger, ACCOUNT_BUDGET, bucket_format(budget->name, window->last, name));
    struct account *allowance = book_get(ledger, ACCOUNT_ALLOWANCE, "");
    struct transfer transfer = {
        .kind = TRANSFER_PENDING,
        .basis = BASIS_NONE,
        .flags = TRANSFER_LINKED,
        .id = hold->id,
        .amount = hold->amount,
        .limit = budget->limit.nano,
        .first = window->first,
        .debit = bucket->number,
        .credit = allowance->number,
    };
    bucket->balance.debits_pending += hold->amount;
    allowance->balance.credits_pending += hold->amount;
    transfers_add(ledger, &transfer, NULL, NULL);
    holds_link(hold, &transfer);
}

/* ---- the operation ---- */

static bool are_budgets_valid(const struct wallet_operation *operation)
{
    if (operation->budget_count > WALLET_BUDGETS_MAX)
        return false;
    for (unsigned i = 0; i < operation->budget_count; i++) {
        const struct wallet_budget *budget = &operation->budgets[i];
        if (!budget_name_is_valid(budget->name) || budget->first > budget->last || budget->limit.nano < 0)
            return false;
        for (unsigned k = 0; k < i; k++)
            if (!strcmp(budget->name, operation->budgets[k].name))
                return false;
    }
    return true;
}

static enum error validate(const struct wallet_operation *operation, const char *provider)
{
    const int64_t amount = operation->amount.nano, least = operation->amount_min.nano;
    if (amount < 0 || operation->floor.nano < 0 || operation->floor.nano > amount || least < 0 || least > amount)
        return ERROR_AMOUNT_INVALID;
    return book_name_is_valid(provider, sizeof operation->provider) && are_budgets_valid(operation)
               ? ERROR_OK
               : ERROR_REQUEST_INVALID;
}

enum error ledger_reserve(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    const char *provider = operation->provider[0] ? operation->provider : provider_unassigned;
    struct allowance allowances[WALLET_BUDGETS_MAX];
    struct transfer earlier;
    uint64_t resolution;
    int64_t granted;
    enum error error = validate(operation, provider);
    if (error)
        return error;
    struct account *wallet = book_find(ledger, ACCOUNT_WALLET, operation->wallet);
    error = ledger_find_earlier(ledger, operation, &earlier, &resolution);
    if (error != ERROR_NOT_FOUND)
        return error ? error : repeat(ledger, operation, wallet, &earlier, resolution);
    if (atomic_load_explicit(&ledger->is_disk_low, memory_order_relaxed) && !PLANTED(PLANT_DISK_LOW_IGNORED))
        return ERROR_DISK_LOW;
    if (!operation->is_unenforced && !wallet)
        return ERROR_WALLET_UNKNOWN;
    for (unsigned i = 0; i < operation->budget_count; i++)
        find_allowance(ledger, &operation->budgets[i], &allowances[i]);
    error = grant(operation, wallet, allowances, &granted);
    if (!error && !has_room(ledger, operation, wallet, provider, allowances, granted))
        error = ERROR_AMOUNT_OVERFLOW;
    if (error)
        return error;
    ledger->has_unenforced |= operation->is_unenforced;
    wallet = wallet ? wallet : book_create(ledger, ACCOUNT_WALLET, operation->wallet);
    struct hold *hold = hold_money(ledger, operation, wallet, book_get(ledger, ACCOUNT_PROVIDER, provider), granted);
    for (unsigned i = 0; i < operation->budget_count; i++)
        count_against(ledger, hold, &operation->budgets[i], &allowances[i]);
    operation->held.nano = granted;
    return ERROR_OK;
}
