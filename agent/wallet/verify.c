/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recomputes the accounts from the journal and compares them with what is stored (the invariants of ledger.md). Memory
 * does not grow with the journal: accounts and open holds only. It shares the encoding of rows with the ledger, but no
 * arithmetic, on purpose. Called at start (from the anchor), by the audit (from the beginning) and by test builds.
 */
#include "wallet/internal.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS_MAX = 1 << 24 };

struct book_row {
    enum account_kind kind;
    struct balance stored, anchored, computed;
    __int128 held_debit, held_credit; /* by the open holds */
};

struct walk {
    const struct tables *tables;
    struct verification *result;
    struct book_row *accounts;
    uint32_t account_count;
    struct head stored_head;
    struct anchor anchor; /* zeroed: from the beginning */
    bool has_head, has_hash, with_ids;
    uint64_t expected, ids;
    unsigned char hash[HASH_BYTES];
    struct transfer before; /* the transfer before this one */
    enum error error;
};

static void find_fault(struct walk *walk, enum invariant invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void find_fault(struct walk *walk, enum invariant invariant, const char *format, ...)
{
    struct finding *finding = &walk->result->findings[invariant];
    if (finding->violations++)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->first, sizeof finding->first, format, arguments);
    va_end(arguments);
}

static unsigned long long number_of(const struct transfer *transfer)
{
    return (unsigned long long)transfer->sequence;
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
        account->kind = (enum account_kind)(value.data[0] - '0');
    else if (!strchr("esw", what))
        is_good = false;
    if (!is_good)
        find_fault(walk, INVARIANT_ACCOUNTS, "a row '%c' of the book is unreadable", what);
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
    walk->expected = walk->anchor.first;
    walk->has_hash = walk->anchor.first > walk->anchor.head.sequence;
    walk->before.sequence = walk->anchor.first - 1;
    memcpy(walk->hash, walk->anchor.head.hash, HASH_BYTES);
}

/* ---- one transfer ---- */

static void add(struct walk *walk, const struct transfer *transfer, int64_t *sum, int64_t amount)
{
    if (__builtin_add_overflow(*sum, amount, sum) || *sum < 0)
        find_fault(walk, INVARIANT_ACCOUNTS, "transfer %llu: a sum overflows or falls below 0", number_of(transfer));
}

static __int128 available_of(const struct balance *balance)
{
    return (__int128)balance->credits_posted - balance->debits_posted - balance->debits_pending;
}

static void walk_pending(struct walk *walk, const struct transfer *transfer, struct balance *debit,
                         struct balance *credit)
{
    bool is_enforced = !(transfer->flags & TRANSFER_UNENFORCED);
    if (is_enforced && (available_of(debit) <= 0 || available_of(debit) < transfer->amount))
        find_fault(walk, INVARIANT_NOT_OVERSPENT, "transfer %llu holds more than its wallet had", number_of(transfer));
    add(walk, transfer, &debit->debits_pending, transfer->amount);
    add(walk, transfer, &credit->credits_pending, transfer->amount);
}

static void walk_resolution(struct walk *walk, const struct transfer *transfer, const struct hold *hold,
                            struct balance *debit, struct balance *credit)
{
    struct balance *counterparty = &walk->accounts[hold->counterparty].computed;
    bool is_post = transfer->kind == TRANSFER_POST;
    __int128 before = available_of(debit);
    if (transfer->debit != hold->wallet || transfer->related != hold->sequence)
        find_fault(walk, INVARIANT_HOLDS, "transfer %llu resolves another hold than it names", number_of(transfer));
    if (is_post && transfer->amount > hold->amount && !(transfer->flags & TRANSFER_ALARM))
        find_fault(walk, INVARIANT_WITHIN_HOLD, "transfer %llu posts more than was held", number_of(transfer));
    add(walk, transfer, &debit->debits_pending, -hold->amount);
    add(walk, transfer, &counterparty->credits_pending, -hold->amount);
    if (is_post) {
        add(walk, transfer, &debit->debits_posted, transfer->amount);
        add(walk, transfer, &credit->credits_posted, transfer->amount);
    }
    __int128 after = available_of(debit);
    if (!hold->is_unenforced && after < before && after < 0)
        find_fault(walk, INVARIANT_NOT_OVERSPENT, "transfer %llu overspends its wallet", number_of(transfer));
}

static void walk_posted(struct walk *walk, const struct transfer *transfer, struct book_row *debit,
                        struct book_row *credit)
{
    add(walk, transfer, &debit->computed.debits_posted, transfer->amount);
    add(walk, transfer, &credit->computed.credits_posted, transfer->amount);
    if (transfer->kind == TRANSFER_WRITE_OFF &&
        (walk->before.kind != TRANSFER_POST || walk->before.related != transfer->related ||
         !(walk->before.flags & TRANSFER_ALARM)))
        find_fault(walk, INVARIANT_WITHIN_HOLD, "transfer %llu writes off without an alarm", number_of(transfer));
    if (transfer->kind == TRANSFER_ADJUST && debit->kind == ACCOUNT_WALLET && available_of(&debit->computed) < 0)
        find_fault(walk, INVARIANT_NOT_OVERSPENT, "transfer %llu overspends its wallet", number_of(transfer));
}

static void walk_money(struct walk *walk, const struct transfer *transfer, const struct hold *hold)
{
    if (transfer->debit >= walk->account_count || transfer->credit >= walk->account_count || transfer->amount < 0) {
        find_fault(walk, INVARIANT_ACCOUNTS, "transfer %llu names no such account or amount", number_of(transfer));
        return;
    }
    struct book_row *debit = &walk->accounts[transfer->debit], *credit = &walk->accounts[transfer->credit];
    const struct book_row *wallet = debit->kind == ACCOUNT_WALLET    ? debit
                                    : credit->kind == ACCOUNT_WALLET ? credit
                                                                     : NULL;
    if (transfer->previous != (wallet ? wallet->computed.last : 0))
        find_fault(walk, INVARIANT_ACCOUNTS, "transfer %llu misses its wallet's one before", number_of(transfer));
    if (transfer->kind == TRANSFER_PENDING)
        walk_pending(walk, transfer, &debit->computed, &credit->computed);
    else if (!transfer_resolves(transfer->kind))
        walk_posted(walk, transfer, debit, credit);
    else if (hold)
        walk_resolution(walk, transfer, hold, &debit->computed, &credit->computed);
    debit->computed.transfers++;
    credit->computed.transfers++;
    debit->computed.last = credit->computed.last = transfer->sequence;
}

/* Which hold a POST or VOID ends; the caller removes it. NULL for other kinds, and when there is none open. */
static struct hold *walk_hold(struct walk *walk, const struct transfer *transfer, struct slice detail)
{
    struct verification *result = walk->result;
    if (transfer->kind == TRANSFER_PENDING) {
        result->has_unenforced |= (transfer->flags & TRANSFER_UNENFORCED) != 0;
        if (holds_find(result->holds, transfer->id))
            find_fault(walk, INVARIANT_HOLDS, "transfer %llu holds under a used id", number_of(transfer));
        else if (transfer->debit < walk->account_count && transfer->credit < walk->account_count)
            holds_add(&result->holds, transfer);
        return NULL;
    }
    if (!transfer_resolves(transfer->kind))
        return NULL;
    struct hold *hold = holds_find(result->holds, transfer->id);
    if (!hold && transfer->sequence > walk->anchor.head.sequence)
        find_fault(walk, INVARIANT_HOLDS, "transfer %llu resolves a hold that is not open", number_of(transfer));
    if (detail_resolution(detail) != transfer->sequence)
        find_fault(walk, INVARIANT_HOLDS, "transfer %llu is not the one resolution of its hold", number_of(transfer));
    return hold;
}

static void walk_chain(struct walk *walk, const struct transfer *transfer, struct slice row, struct slice detail)
{
    if (transfer->sequence != walk->expected)
        find_fault(walk, INVARIANT_CHAIN, "transfer %llu is missing", (unsigned long long)walk->expected);
    else if (walk->has_hash && memcmp(transfer->chain, walk->hash, HASH_BYTES))
        find_fault(walk, INVARIANT_CHAIN, "transfer %llu, or the one before, was changed", number_of(transfer));
    transfer_hash(transfer->sequence, row, detail, walk->hash);
    walk->has_hash = true;
    walk->expected = transfer->sequence + 1;
    if (transfer->sequence == walk->anchor.head.sequence && memcmp(walk->hash, walk->anchor.head.hash, HASH_BYTES))
        find_fault(walk, INVARIANT_CHAIN, "transfer %llu is not what the anchor says", number_of(transfer));
}

static enum error read_detail(struct walk *walk, const struct transfer *transfer, unsigned char bytes[DETAIL_BYTES_MAX],
                              struct slice *ret_detail)
{
    size_t length = 0;
    if (transfer_has_detail(transfer->kind)) {
        const struct row_key key =
            row_key_of(transfer_resolves(transfer->kind) ? transfer->related : transfer->sequence);
        enum error error = store_get(walk->tables->details, NULL, row_slice(key.bytes, sizeof key.bytes), bytes,
                                     DETAIL_BYTES_MAX, &length);
        if (error && error != ERROR_NOT_FOUND)
            return error;
    }
    *ret_detail = row_slice(bytes, length);
    return ERROR_OK;
}

static enum error check_id(struct walk *walk, const struct transfer *transfer)
{
    struct row_key key = {{0}};
    size_t length = 0;
    if (!walk->with_ids || transfer_resolves(transfer->kind) || transfer->kind == TRANSFER_WRITE_OFF)
        return ERROR_OK;
    walk->ids++;
    enum error error = store_get(walk->tables->ids, NULL, row_slice(transfer->id.bytes, sizeof transfer->id.bytes),
                                 key.bytes, sizeof key.bytes, &length);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    if (error || row_key_parse(row_slice(key.bytes, length)) != transfer->sequence)
        find_fault(walk, INVARIANT_CHAIN, "transfer %llu cannot be found by its id", number_of(transfer));
    return ERROR_OK;
}

static bool walk_transfer(void *context, struct slice key, struct slice row)
{
    struct walk *walk = context;
    struct transfer transfer;
    unsigned char bytes[DETAIL_BYTES_MAX];
    struct slice detail;
    if (!transfer_parse(key, row, &transfer)) {
        find_fault(walk, INVARIANT_CHAIN, "transfer %llu is unreadable", (unsigned long long)row_key_parse(key));
        walk->has_hash = false;
        walk->expected = row_key_parse(key) + 1;
        return true;
    }
    walk->error = read_detail(walk, &transfer, bytes, &detail);
    walk->error = walk->error ? walk->error : check_id(walk, &transfer);
    if (walk->error)
        return false;
    walk_chain(walk, &transfer, row, detail);
    struct hold *hold = walk_hold(walk, &transfer, detail);
    if (transfer.sequence > walk->anchor.head.sequence)
        walk_money(walk, &transfer, hold);
    if (hold)
        holds_remove(&walk->result->holds, hold);
    walk->before = transfer;
    walk->result->transfers++;
    return true;
}

/* ---- the sums ---- */

static void compare_head(struct walk *walk)
{
    struct head *head = &walk->result->head;
    head->sequence = walk->expected - 1;
    memcpy(head->hash, walk->hash, HASH_BYTES);
    if (walk->stored_head.sequence != head->sequence)
        find_fault(walk, INVARIANT_CHAIN, "the journal ends at %llu, the head says %llu",
                   (unsigned long long)head->sequence, (unsigned long long)walk->stored_head.sequence);
    else if (walk->has_hash && memcmp(walk->stored_head.hash, head->hash, HASH_BYTES))
        find_fault(walk, INVARIANT_CHAIN, "the last transfer, %llu, was changed", (unsigned long long)head->sequence);
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
        find_fault(walk, INVARIANT_ACCOUNTS, "account %u differs from its journal", number);
    if (account->held_debit != account->stored.debits_pending ||
        account->held_credit != account->stored.credits_pending)
        find_fault(walk, INVARIANT_HOLDS, "account %u has another sum pending than its open holds", number);
}

static void compare_accounts(struct walk *walk)
{
    struct verification *result = walk->result;
    for (const struct hold *hold = result->holds; hold; hold = hold->hh.next) {
        result->has_unenforced |= hold->is_unenforced;
        walk->accounts[hold->wallet].held_debit += hold->amount;
        walk->accounts[hold->counterparty].held_credit += hold->amount;
    }
    for (uint32_t i = 0; i < walk->account_count; i++) {
        compare_account(walk, i);
        result->has_unenforced |= available_of(&walk->accounts[i].stored) < 0;
    }
    if (result->totals[0] != result->totals[1] || result->totals[2] != result->totals[3])
        find_fault(walk, INVARIANT_BALANCED, "the debits do not equal the credits");
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
        find_fault(walk, INVARIANT_CHAIN, "%llu ids for %llu transfers that take one", (unsigned long long)ids,
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
    if (!error)
        error = store_scan(tables->transfers, NULL, row_slice(first.bytes, sizeof first.bytes), none, false,
                           walk_transfer, &walk);
    error = error ? error : walk.error;
    error = error ? error : compare_ids(&walk);
    if (!error) {
        compare_head(&walk);
        compare_accounts(&walk);
        *ret_verification = result;
    } else {
        holds_free(&result.holds);
    }
    free(walk.accounts);
    return error;
}

bool verification_is_clean(const struct verification *verification)
{
    for (unsigned i = 0; i < INVARIANT_COUNT; i++)
        if (verification->findings[i].violations)
            return false;
    return true;
}
