/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recomputes the accounts from the journal and compares them with what is stored (the invariants of ledger.md). Memory
 * does not grow with the journal: accounts and open holds only. It shares the encoding of rows with the ledger, but no
 * arithmetic, on purpose. Called at start (from the anchor), by the audit (from the beginning) and by test builds.
 */
#include "wallet/verify.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS_MAX = 1 << 24 };

void verify_find_fault(struct walk *walk, enum invariant invariant, const char *format, ...)
{
    struct finding *finding = &walk->result->findings[invariant];
    if (finding->violations++)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->first, sizeof finding->first, format, arguments);
    va_end(arguments);
}

/* ---- the stored book ---- */

static struct book_row *account_at(struct walk *walk, uint32_t number)
{
    if (number >= ACCOUNTS_MAX)
        return NULL;
    if (number >= walk->account_count) {
        uint32_t count = number < 16 ? 16 : number * 2;
        struct book_row *accounts = realloc(walk->accounts, count * sizeof *accounts);
        check(accounts != NULL);
        memset(accounts + walk->account_count, 0, (count - walk->account_count) * sizeof *accounts);
        walk->accounts = accounts;
        walk->account_count = count;
    }
    return &walk->accounts[number];
}

static void read_name(struct walk *walk, uint32_t number, struct slice value)
{
    struct book_row *account = &walk->accounts[number];
    account->kind = (enum account_kind)(value.data[0] - '0');
    if (account->kind == ACCOUNT_BUDGET)
        verify_add_bucket(walk, number, row_slice(value.data + 1, value.length - 1));
}

static bool read_book(void *context, struct slice key, struct slice value)
{
    struct walk *walk = context;
    char what = key.length == 5 && key.data[0] ? key.data[0] : '?';
    struct book_row *account = strchr("aln", what) ? account_at(walk, book_key_number(key)) : NULL;
    bool is_good = true;
    if (what == 'h')
        is_good = walk->has_head = wallet_parse_head(value, &walk->stored_head);
    else if (what == 'k')
        is_good = anchor_parse(value, &walk->anchor);
    else if (what == 'a')
        is_good = account && balance_parse(value, &account->stored);
    else if (what == 'l')
        is_good = account && balance_parse(value, &account->anchored);
    else if (what == 'n' && account && value.length)
        read_name(walk, book_key_number(key), value);
    else if (!strchr("esw", what))
        is_good = false;
    if (!is_good)
        verify_find_fault(walk, INVARIANT_ACCOUNTS, "a row '%c' of the book is unreadable", what);
    return true;
}

static void start_walk(struct walk *walk, bool from_anchor)
{
    if (!from_anchor || !walk->anchor.head.sequence) {
        walk->anchor = (struct anchor){.first = 1};
        walk->expected = 1;
        walk->has_hash = true;
        return;
    }
    for (uint32_t i = 0; i < walk->account_count; i++)
        walk->accounts[i].computed = walk->accounts[i].anchored;
    verify_start_budgets(walk);
    walk->expected = walk->anchor.first;
    walk->has_hash = walk->anchor.first > walk->anchor.head.sequence;
    walk->before.sequence = walk->anchor.first - 1;
    memcpy(walk->hash, walk->anchor.head.hash, HASH_BYTES);
}

/* ---- the sums ---- */

static void compare_head(struct walk *walk)
{
    struct head *head = &walk->result->head;
    head->sequence = walk->expected - 1;
    memcpy(head->hash, walk->hash, HASH_BYTES);
    if (walk->stored_head.sequence != head->sequence)
        verify_find_fault(walk, INVARIANT_CHAIN, "the journal ends at %llu, the head says %llu",
                          (unsigned long long)head->sequence, (unsigned long long)walk->stored_head.sequence);
    else if (walk->has_hash && memcmp(walk->stored_head.hash, head->hash, HASH_BYTES))
        verify_find_fault(walk, INVARIANT_CHAIN, "the last transfer, %llu, was changed",
                          (unsigned long long)head->sequence);
}

static void compare_account(struct walk *walk, uint32_t number)
{
    const struct book_row *account = &walk->accounts[number];
    __int128 *totals = walk->result->totals;
    totals[0] += account->stored.debits_pending;
    totals[1] += account->stored.credits_pending;
    totals[2] += account->stored.debits_posted;
    totals[3] += account->stored.credits_posted;
    if (memcmp(&account->stored, &account->computed, sizeof account->stored))
        verify_find_fault(walk, INVARIANT_ACCOUNTS, "account %u differs from its journal", number);
    if (account->held_debit != account->stored.debits_pending ||
        account->held_credit != account->stored.credits_pending)
        verify_find_fault(walk, INVARIANT_HOLDS, "account %u has another sum pending than its open holds", number);
}

static void add_holds(struct walk *walk, const struct hold *holds)
{
    for (const struct hold *hold = holds; hold; hold = hold->hh.next) {
        walk->result->has_unenforced |= hold->is_unenforced;
        walk->accounts[hold->wallet].held_debit += hold->amount;
        walk->accounts[hold->counterparty].held_credit += hold->amount;
        walk->accounts[hold->allowance].held_credit += (__int128)hold->amount * hold->linked_count;
        for (unsigned i = 0; i < hold->linked_count; i++)
            walk->accounts[hold->linked[i]].held_debit += hold->amount;
    }
}

static void compare_accounts(struct walk *walk)
{
    struct verification *result = walk->result;
    add_holds(walk, result->holds);
    add_holds(walk, result->deferred);
    for (uint32_t i = 0; i < walk->account_count; i++) {
        compare_account(walk, i);
        result->has_unenforced |= verify_available(&walk->accounts[i].stored) < 0;
    }
    if (result->totals[0] != result->totals[1] || result->totals[2] != result->totals[3])
        verify_find_fault(walk, INVARIANT_BALANCED, "the debits do not equal the credits");
}

static bool count_row(void *context, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(uint64_t *)context;
    return true;
}

static enum error compare_ids(struct walk *walk)
{
    const struct slice none = {NULL, 0};
    uint64_t ids = 0;
    if (!walk->with_ids)
        return ERROR_OK;
    enum error error = store_scan(walk->tables->ids, NULL, none, none, false, count_row, &ids);
    if (!error && ids != walk->ids)
        verify_find_fault(walk, INVARIANT_CHAIN, "%llu ids for %llu transfers that take one", (unsigned long long)ids,
                          (unsigned long long)walk->ids);
    return error;
}

enum error ledger_verify(const struct tables *tables, bool from_anchor, bool with_ids,
                         struct verification *ret_verification)
{
    const struct slice none = {NULL, 0};
    struct verification result = {0};
    struct walk walk = {.tables = tables, .result = &result, .with_ids = with_ids && !from_anchor};
    enum error error = store_scan(tables->book, NULL, none, none, false, read_book, &walk);
    start_walk(&walk, from_anchor);
    const struct row_key first = row_key_of(walk.expected);
    error = error ? error : verify_load_jobs(&walk);
    if (!error)
        error = store_scan(tables->transfers, NULL, row_slice(first.bytes, sizeof first.bytes), none, false,
                           verify_walk_transfer, &walk);
    error = error ? error : walk.error;
    error = error ? error : compare_ids(&walk);
    error = error ? error : verify_compare_jobs(&walk);
    if (!error) {
        verify_finish_ending(&walk, NULL);
        compare_head(&walk);
        compare_accounts(&walk);
        *ret_verification = result;
    } else {
        verification_free(&result);
    }
    verify_free_budgets(&walk);
    free(walk.accounts);
    return error;
}

void verification_free(struct verification *verification)
{
    holds_free(&verification->holds);
    holds_free(&verification->deferred);
    jobs_free(&verification->jobs);
}

bool verification_is_clean(const struct verification *verification)
{
    for (unsigned i = 0; i < INVARIANT_COUNT; i++)
        if (verification->findings[i].violations)
            return false;
    return true;
}
