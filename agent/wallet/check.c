/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariants after every batch, in builds with sanitizers only: the cheap ones on what the batch changed, all of
 * them every 10,000 transfers. They panic: a ledger that broke its own rules must not go on.
 */
#include "wallet/internal.h"

#include "base/check.h"

enum { ACCOUNTS_CHECKED_MAX = 1000, HOLDS_CHECKED_MAX = 1000, VERIFY_EVERY = 10000 };

static void check_account(const struct wallet_ledger *ledger, const struct account *account)
{
    const struct balance *balance = &account->balance;
    check(balance->debits_pending >= 0 && balance->debits_posted >= 0);
    check(balance->credits_pending >= 0 && balance->credits_posted >= 0);
    if (account->kind == ACCOUNT_WALLET)
        check(balance_available(balance) >= 0 || ledger->has_unenforced);
}

static void check_totals(const struct wallet_ledger *ledger)
{
    __int128 pending = 0, posted = 0;
    for (uint32_t i = 0; i < ledger->account_count; i++) {
        const struct balance *balance = &ledger->accounts[i]->balance;
        pending += (__int128)balance->debits_pending - balance->credits_pending;
        posted += (__int128)balance->debits_posted - balance->credits_posted;
    }
    check(pending == 0 && posted == 0);
}

static void add_holds(const struct hold *holds, __int128 *held, __int128 *counted)
{
    for (const struct hold *hold = holds; hold; hold = hold->hh.next) {
        *held += hold->amount;
        *counted += (__int128)hold->amount * hold->linked_count;
    }
}

/* What is held is what the open holds say, in the wallets and in the budgets. */
static void check_holds(const struct wallet_ledger *ledger)
{
    __int128 held = 0, counted = 0;
    add_holds(ledger->holds, &held, &counted);
    add_holds(ledger->deferred, &held, &counted);
    for (uint32_t i = 0; i < ledger->account_count; i++) {
        const struct account *account = ledger->accounts[i];
        if (account->kind == ACCOUNT_WALLET)
            held -= account->balance.debits_pending;
        if (account->kind == ACCOUNT_BUDGET)
            counted -= account->balance.debits_pending;
    }
    check(held == 0 && counted == 0);
}

static void check_all(struct wallet_ledger *ledger)
{
    struct verification verification;
    check(ledger_verify(&ledger->tables, false, true, &verification) == ERROR_OK);
    check(verification_is_clean(&verification));
    check(HASH_COUNT(verification.holds) == HASH_COUNT(ledger->holds));
    check(HASH_COUNT(verification.deferred) == HASH_COUNT(ledger->deferred));
    check(HASH_COUNT(ledger->deferred) == HASH_COUNT(ledger->jobs));
    verification_free(&verification);
}

void ledger_check_batch(struct wallet_ledger *ledger)
{
    for (unsigned i = 0; i < ledger->touched_count; i++)
        check_account(ledger, ledger->touched[i]);
    if (ledger->account_count <= ACCOUNTS_CHECKED_MAX)
        check_totals(ledger);
    if (ledger->account_count <= ACCOUNTS_CHECKED_MAX &&
        HASH_COUNT(ledger->holds) + HASH_COUNT(ledger->deferred) <= HOLDS_CHECKED_MAX)
        check_holds(ledger);
    if (ledger->head.sequence - ledger->transfers_at_verification < VERIFY_EVERY)
        return;
    ledger->transfers_at_verification = ledger->head.sequence;
    check_all(ledger);
}
