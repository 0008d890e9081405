/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operation may do: validate, decide, move money in memory, add its transfers to the batch. Runs on the ledger
 * thread only. Nothing here reaches the disk or the caller; a refusal leaves no trace. What resolves a hold is in
 * resolve.c, what makes one in reserve.c, what leaves one to a job in defer.c.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/plant.h"

enum error ledger_find_earlier(struct wallet_ledger *ledger, const struct wallet_operation *operation,
                               struct transfer *ret_transfer, uint64_t *ret_resolution)
{
    uint64_t sequence;
    if (PLANTED(PLANT_ID_REUSED))
        return ERROR_NOT_FOUND;
    enum error error = transfers_find(ledger, operation->id, &sequence, ret_resolution);
    return error ? error : transfers_read(ledger, sequence, ret_transfer);
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
    enum error error = ledger_find_earlier(ledger, operation, &earlier, &resolution);
    if (error != ERROR_NOT_FOUND)
        return error ? error : repeat_post(&earlier, TRANSFER_FUND, funding, wallet, amount);
    if (!wallet && !operation->create)
        return ERROR_WALLET_UNKNOWN;
    if (!account_can_debit(funding, amount) || !account_can_credit(wallet, amount))
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
    enum error error = ledger_find_earlier(ledger, operation, &earlier, &resolution);
    if (error != ERROR_NOT_FOUND)
        return error ? error : repeat_post(&earlier, TRANSFER_ADJUST, debit, credit, amount);
    if (!wallet)
        return ERROR_WALLET_UNKNOWN;
    if (is_reduction && balance_available(&wallet->balance) < amount)
        return ERROR_WALLET_EXHAUSTED;
    if (!account_can_debit(debit, amount) || !account_can_credit(credit, amount))
        return ERROR_AMOUNT_OVERFLOW;
    post(ledger, operation, TRANSFER_ADJUST, debit, credit, amount);
    return ERROR_OK;
}

/* Then the operation need not name it. */
static bool knows_wallet_by_hold(const struct wallet_operation *operation)
{
    return operation->kind == WALLET_SETTLE || operation->kind == WALLET_VOID || operation->kind == WALLET_DEFER;
}

static enum error run(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    static enum error (*const operations[])(struct wallet_ledger *, struct wallet_operation *) = {
        [WALLET_RESERVE] = ledger_reserve, [WALLET_SETTLE] = ledger_settle,
        [WALLET_VOID] = ledger_void,       [WALLET_FUND] = fund,
        [WALLET_ADJUST] = adjust,          [WALLET_DEFER] = ledger_defer,
    };
    check((unsigned)operation->kind < sizeof operations / sizeof *operations);
    if (!knows_wallet_by_hold(operation) && !book_name_is_valid(operation->wallet, sizeof operation->wallet))
        return ERROR_REQUEST_INVALID;
    return operations[operation->kind](ledger, operation);
}

void ledger_operate(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    operation->held = operation->available = operation->left = MONEY_ZERO;
    operation->refused_by = -1;
    operation->alarm = false;
    operation->error = run(ledger, operation);
    if (operation->error == ERROR_STORE_IO || operation->error == ERROR_STORE_CORRUPT)
        ledger->broken = operation->error;
    if (knows_wallet_by_hold(operation))
        return;
    const struct account *wallet = book_find(ledger, ACCOUNT_WALLET, operation->wallet);
    if (wallet)
        operation->available.nano = balance_available(&wallet->balance);
}
