/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operation may do: validate, decide, move money in memory, add its transfers to the batch. Runs on the ledger
 * thread only. Nothing here reaches the disk or the caller; a refusal leaves no trace. What resolves a hold is in
 * resolve.c.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/plant.h"

/* The counterparty of a hold whose provider is not known yet. */
static const char provider_unassigned[] = "unassigned";

/* No sum over one side of an account may overflow, so that `available` never does. */
static bool has_room(int64_t pending, int64_t posted, int64_t amount)
{
    int64_t sum;
    return !__builtin_add_overflow(pending, posted, &sum) && !__builtin_add_overflow(sum, amount, &sum);
}

static bool can_debit(const struct account *account, int64_t amount)
{
    return has_room(account->balance.debits_pending, account->balance.debits_posted, amount);
}

static bool can_credit(const struct account *account, int64_t amount)
{
    return !account || has_room(account->balance.credits_pending, account->balance.credits_posted, amount);
}

/* What this id did before. NOT_FOUND: nothing. OK: *ret_transfer, and *ret_resolution when it was a hold. */
static enum error find_earlier(struct wallet_ledger *ledger, const struct wallet_operation *operation,
                               struct transfer *ret_transfer, uint64_t *ret_resolution)
{
    uint64_t sequence;
    enum error error = transfers_find(ledger, operation->id, &sequence, ret_resolution);
    return error ? error : transfers_read(ledger, sequence, ret_transfer);
}

/* The same hold asked for again. A resolved one is not granted again: its money is spent or given back. */
static enum error repeat_reserve(struct wallet_operation *operation, const struct account *wallet,
                                 const struct transfer *earlier, uint64_t resolution)
{
    if (earlier->kind != TRANSFER_PENDING || !wallet || earlier->debit != wallet->number ||
        earlier->amount != operation->amount.nano || earlier->floor != operation->floor.nano)
        return ERROR_TRANSFER_CONFLICT;
    operation->held = operation->amount;
    return resolution ? ERROR_TRANSFER_RESOLVED : ERROR_OK;
}

static bool can_pay(const struct account *wallet, int64_t amount)
{
    int64_t available = balance_available(&wallet->balance);
    if (PLANTED(PLANT_AVAILABLE_UNCHECKED))
        return true;
    if (PLANTED(PLANT_ZERO_PASSES))
        return available >= amount;
    return available > 0 && available >= amount; /* a wallet of 0 blocks even what costs nothing */
}

static void hold(struct wallet_ledger *ledger, const struct wallet_operation *operation, struct account *wallet,
                 struct account *counterparty)
{
    struct transfer transfer = {
        .kind = TRANSFER_PENDING,
        .basis = BASIS_NONE,
        .flags = operation->is_unenforced ? TRANSFER_UNENFORCED : 0,
        .id = operation->id,
        .amount = operation->amount.nano,
        .floor = operation->floor.nano,
        .debit = wallet->number,
        .credit = counterparty->number,
    };
    wallet->balance.debits_pending += operation->amount.nano;
    counterparty->balance.credits_pending += operation->amount.nano;
    uint64_t sequence = transfers_add(ledger, &transfer, NULL, NULL);
    transfers_remember(ledger, operation->id, sequence);
    holds_add(&ledger->holds, &transfer);
}

static enum error reserve(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    const int64_t amount = operation->amount.nano;
    const char *provider = operation->provider[0] ? operation->provider : provider_unassigned;
    struct transfer earlier;
    uint64_t resolution;
    if (amount < 0 || operation->floor.nano < 0 || operation->floor.nano > amount)
        return ERROR_AMOUNT_INVALID;
    if (!book_name_is_valid(provider, sizeof operation->provider))
        return ERROR_REQUEST_INVALID;
    struct account *wallet = book_find(ledger, ACCOUNT_WALLET, operation->wallet);
    enum error error = find_earlier(ledger, operation, &earlier, &resolution);
    if (error != ERROR_NOT_FOUND)
        return error ? error : repeat_reserve(operation, wallet, &earlier, resolution);
    if (!operation->is_unenforced && !wallet)
        return ERROR_WALLET_UNKNOWN;
    if (!operation->is_unenforced && !can_pay(wallet, amount))
        return ERROR_WALLET_EXHAUSTED;
    if ((wallet && !can_debit(wallet, amount)) || !can_credit(book_find(ledger, ACCOUNT_PROVIDER, provider), amount))
        return ERROR_AMOUNT_OVERFLOW;
    ledger->has_unenforced |= operation->is_unenforced;
    wallet = wallet ? wallet : book_create(ledger, ACCOUNT_WALLET, operation->wallet);
    hold(ledger, operation, wallet, book_get(ledger, ACCOUNT_PROVIDER, provider));
    operation->held = operation->amount;
    return ERROR_OK;
}

/* Funding and adjusting: one posted transfer between a wallet and one of the base accounts. */
static void post(struct wallet_ledger *ledger, const struct wallet_operation *operation, enum transfer_kind kind,
                 struct account *debit, struct account *credit, int64_t amount)
{
    struct transfer transfer = {
        .kind = kind,
        .basis = BASIS_NONE,
        .id = operation->id,
        .amount = amount,
        .debit = debit->number,
        .credit = credit->number,
    };
    debit->balance.debits_posted += amount;
    credit->balance.credits_posted += amount;
    transfers_remember(ledger, operation->id, transfers_add(ledger, &transfer, NULL, operation->note));
}

static enum error repeat_post(const struct transfer *earlier, enum transfer_kind kind, const struct account *debit,
                              const struct account *credit, int64_t amount)
{
    bool is_same = earlier->kind == kind && debit && credit && earlier->debit == debit->number &&
                   earlier->credit == credit->number && earlier->amount == amount;
    return is_same ? ERROR_OK : ERROR_TRANSFER_CONFLICT;
}

static enum error fund(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    const int64_t amount = operation->amount.nano;
    struct account *funding = ledger->accounts[ACCOUNT_FUNDING];
    struct account *wallet = book_find(ledger, ACCOUNT_WALLET, operation->wallet);
    struct transfer earlier;
    uint64_t resolution;
    if (amount <= 0)
        return ERROR_AMOUNT_INVALID;
    enum error error = find_earlier(ledger, operation, &earlier, &resolution);
    if (error != ERROR_NOT_FOUND)
        return error ? error : repeat_post(&earlier, TRANSFER_FUND, funding, wallet, amount);
    if (!wallet && !operation->create)
        return ERROR_WALLET_UNKNOWN;
    if (!can_debit(funding, amount) || !can_credit(wallet, amount))
        return ERROR_AMOUNT_OVERFLOW;
    wallet = wallet ? wallet : book_create(ledger, ACCOUNT_WALLET, operation->wallet);
    post(ledger, operation, TRANSFER_FUND, funding, wallet, amount);
    return ERROR_OK;
}

static enum error adjust(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    struct account *adjustment = ledger->accounts[ACCOUNT_ADJUSTMENT];
    struct account *wallet = book_find(ledger, ACCOUNT_WALLET, operation->wallet);
    struct transfer earlier;
    uint64_t resolution;
    if (operation->amount.nano == 0 || operation->amount.nano == INT64_MIN)
        return ERROR_AMOUNT_INVALID;
    bool is_reduction = operation->amount.nano < 0;
    int64_t amount = is_reduction ? -operation->amount.nano : operation->amount.nano;
    struct account *debit = is_reduction ? wallet : adjustment, *credit = is_reduction ? adjustment : wallet;
    enum error error = find_earlier(ledger, operation, &earlier, &resolution);
    if (error != ERROR_NOT_FOUND)
        return error ? error : repeat_post(&earlier, TRANSFER_ADJUST, debit, credit, amount);
    if (!wallet)
        return ERROR_WALLET_UNKNOWN;
    if (is_reduction && balance_available(&wallet->balance) < amount)
        return ERROR_WALLET_EXHAUSTED;
    if (!can_debit(debit, amount) || !can_credit(credit, amount))
        return ERROR_AMOUNT_OVERFLOW;
    post(ledger, operation, TRANSFER_ADJUST, debit, credit, amount);
    return ERROR_OK;
}

static enum error run(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    static enum error (*const operations[])(struct wallet_ledger *, struct wallet_operation *) = {
        [WALLET_RESERVE] = reserve, [WALLET_SETTLE] = ledger_settle, [WALLET_VOID] = ledger_void,
        [WALLET_FUND] = fund,       [WALLET_ADJUST] = adjust,
    };
    bool resolves = operation->kind == WALLET_SETTLE || operation->kind == WALLET_VOID;
    check((unsigned)operation->kind < sizeof operations / sizeof *operations);
    if (!resolves && !book_name_is_valid(operation->wallet, sizeof operation->wallet))
        return ERROR_REQUEST_INVALID;
    return operations[operation->kind](ledger, operation);
}

void ledger_operate(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    operation->held = operation->available = MONEY_ZERO;
    operation->alarm = false;
    operation->error = run(ledger, operation);
    if (operation->error == ERROR_STORE_IO || operation->error == ERROR_STORE_CORRUPT)
        ledger->broken = operation->error;
    if (operation->kind == WALLET_SETTLE || operation->kind == WALLET_VOID)
        return; /* they know the wallet by their hold */
    const struct account *wallet = book_find(ledger, ACCOUNT_WALLET, operation->wallet);
    if (wallet)
        operation->available.nano = balance_available(&wallet->balance);
}
