/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transfer after the other: is it where it belongs in the chain, does it hold or resolve what it may, and what does
 * it do to the recomputed accounts. Called by verify.c. Rows are hostile input here.
 */
#include "wallet/verify.h"

#include <stdlib.h>

void verify_add(struct walk *walk, const struct transfer *transfer, int64_t *sum, int64_t amount)
{
    if (__builtin_add_overflow(*sum, amount, sum) || *sum < 0)
        verify_find_fault(walk, INVARIANT_ACCOUNTS, "transfer %llu: a sum overflows or falls below 0",
                          verify_number(transfer));
}

static void walk_pending(struct walk *walk, const struct transfer *transfer, struct balance *debit,
                         struct balance *credit)
{
    bool is_enforced = !(transfer->flags & TRANSFER_UNENFORCED);
    if (is_enforced && (verify_available(debit) <= 0 || verify_available(debit) < transfer->amount))
        verify_find_fault(walk, INVARIANT_NOT_OVERSPENT, "transfer %llu holds more than its wallet had",
                          verify_number(transfer));
    verify_add(walk, transfer, &debit->debits_pending, transfer->amount);
    verify_add(walk, transfer, &credit->credits_pending, transfer->amount);
}

static void walk_resolution(struct walk *walk, const struct transfer *transfer, const struct hold *hold,
                            struct balance *debit, struct balance *credit)
{
    struct balance *counterparty = &walk->accounts[hold->counterparty].computed;
    bool is_post = transfer->kind == TRANSFER_POST;
    __int128 before = verify_available(debit);
    if (transfer->debit != hold->wallet || transfer->related != hold->sequence)
        verify_find_fault(walk, INVARIANT_HOLDS, "transfer %llu resolves another hold than it names",
                          verify_number(transfer));
    if (is_post && transfer->amount > hold->amount && !(transfer->flags & TRANSFER_ALARM))
        verify_find_fault(walk, INVARIANT_WITHIN_HOLD, "transfer %llu posts more than was held",
                          verify_number(transfer));
    verify_add(walk, transfer, &debit->debits_pending, -hold->amount);
    verify_add(walk, transfer, &counterparty->credits_pending, -hold->amount);
    if (is_post) {
        verify_add(walk, transfer, &debit->debits_posted, transfer->amount);
        verify_add(walk, transfer, &credit->credits_posted, transfer->amount);
    }
    __int128 after = verify_available(debit);
    if (!hold->is_unenforced && after < before && after < 0)
        verify_find_fault(walk, INVARIANT_NOT_OVERSPENT, "transfer %llu overspends its wallet",
                          verify_number(transfer));
}

static void walk_posted(struct walk *walk, const struct transfer *transfer, struct book_row *debit,
                        struct book_row *credit)
{
    verify_add(walk, transfer, &debit->computed.debits_posted, transfer->amount);
    verify_add(walk, transfer, &credit->computed.credits_posted, transfer->amount);
    if (transfer->kind == TRANSFER_WRITE_OFF &&
        (walk->before.kind != TRANSFER_POST || walk->before.related != transfer->related ||
         !(walk->before.flags & TRANSFER_ALARM)))
        verify_find_fault(walk, INVARIANT_WITHIN_HOLD, "transfer %llu writes off without an alarm",
                          verify_number(transfer));
    if (transfer->kind == TRANSFER_ADJUST && debit->kind == ACCOUNT_WALLET && verify_available(&debit->computed) < 0)
        verify_find_fault(walk, INVARIANT_NOT_OVERSPENT, "transfer %llu overspends its wallet",
                          verify_number(transfer));
}

static bool is_posted(enum transfer_kind kind)
{
    return kind == TRANSFER_FUND || kind == TRANSFER_ADJUST || kind == TRANSFER_WRITE_OFF;
}

static void walk_money(struct walk *walk, const struct transfer *transfer, const struct hold *hold)
{
    if (transfer->debit >= walk->account_count || transfer->credit >= walk->account_count || transfer->amount < 0) {
        verify_find_fault(walk, INVARIANT_ACCOUNTS, "transfer %llu names no such account or amount",
                          verify_number(transfer));
        return;
    }
    struct book_row *debit = &walk->accounts[transfer->debit], *credit = &walk->accounts[transfer->credit];
    const struct book_row *wallet = debit->kind == ACCOUNT_WALLET    ? debit
                                    : credit->kind == ACCOUNT_WALLET ? credit
                                                                     : NULL;
    if (transfer_is_linked(transfer))
        verify_linked_money(walk, transfer);
    else if (debit->kind >= ACCOUNT_BUDGET || credit->kind >= ACCOUNT_BUDGET)
        verify_find_fault(walk, INVARIANT_BUDGETS, "transfer %llu moves money into a budget", verify_number(transfer));
    else if (transfer->kind == TRANSFER_PENDING)
        walk_pending(walk, transfer, &debit->computed, &credit->computed);
    else if (is_posted(transfer->kind))
        walk_posted(walk, transfer, debit, credit);
    else if (hold)
        walk_resolution(walk, transfer, hold, &debit->computed, &credit->computed);
    if (transfer->previous != (wallet ? wallet->computed.last : 0))
        verify_find_fault(walk, INVARIANT_ACCOUNTS, "transfer %llu misses its wallet's one before",
                          verify_number(transfer));
    debit->computed.transfers++;
    credit->computed.transfers++;
    debit->computed.last = credit->computed.last = transfer->sequence;
}

/* Which hold a POST or VOID ends; the caller removes it. NULL for other kinds, and when there is none open. */
static struct hold *walk_hold(struct walk *walk, const struct transfer *transfer, struct slice detail)
{
    struct verification *result = walk->result;
    if (transfer_is_linked(transfer)) {
        if (transfer->kind == TRANSFER_PENDING)
            verify_linked_hold(walk, transfer);
        else
            verify_linked_resolution(walk, transfer, detail);
        return NULL;
    }
    verify_finish_ending(walk, transfer);
    if (transfer->kind == TRANSFER_PENDING) {
        result->has_unenforced |= (transfer->flags & TRANSFER_UNENFORCED) != 0;
        if (holds_find(result->holds, transfer->id))
            verify_find_fault(walk, INVARIANT_HOLDS, "transfer %llu holds under a used id", verify_number(transfer));
        else if (transfer->debit < walk->account_count && transfer->credit < walk->account_count)
            holds_add(&result->holds, transfer);
        return NULL;
    }
    if (transfer->kind == TRANSFER_DEFER)
        verify_defer(walk, transfer, detail);
    if (!transfer_resolves(transfer->kind))
        return NULL;
    struct hold *hold = holds_find(result->holds, transfer->id);
    hold = hold ? hold : holds_find(result->deferred, transfer->id);
    hold = hold ? hold : verify_reopen_hold(walk, transfer);
    if (!hold && transfer->sequence > walk->anchor.head.sequence)
        verify_find_fault(walk, INVARIANT_HOLDS, "transfer %llu resolves a hold that is not open",
                          verify_number(transfer));
    if (detail_resolution(detail) != transfer->sequence)
        verify_find_fault(walk, INVARIANT_HOLDS, "transfer %llu is not the one resolution of its hold",
                          verify_number(transfer));
    return hold;
}

static void walk_chain(struct walk *walk, const struct transfer *transfer, struct slice row, struct slice detail)
{
    if (transfer->sequence != walk->expected)
        verify_find_fault(walk, INVARIANT_CHAIN, "transfer %llu is missing", (unsigned long long)walk->expected);
    else if (walk->has_hash && memcmp(transfer->chain, walk->hash, HASH_BYTES))
        verify_find_fault(walk, INVARIANT_CHAIN, "transfer %llu, or the one before, was changed",
                          verify_number(transfer));
    transfer_hash(transfer->sequence, row, detail, walk->hash);
    walk->has_hash = true;
    walk->expected = transfer->sequence + 1;
    if (transfer->sequence == walk->anchor.head.sequence && memcmp(walk->hash, walk->anchor.head.hash, HASH_BYTES))
        verify_find_fault(walk, INVARIANT_CHAIN, "transfer %llu is not what the anchor says", verify_number(transfer));
}

enum error verify_read_detail(struct walk *walk, const struct transfer *transfer, unsigned char bytes[DETAIL_BYTES_MAX],
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
    if (!walk->with_ids || !transfer_takes_id(transfer->kind, transfer->flags))
        return ERROR_OK;
    walk->ids++;
    enum error error = store_get(walk->tables->ids, NULL, row_slice(transfer->id.bytes, sizeof transfer->id.bytes),
                                 key.bytes, sizeof key.bytes, &length);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    if (error || row_key_parse(row_slice(key.bytes, length)) != transfer->sequence)
        verify_find_fault(walk, INVARIANT_CHAIN, "transfer %llu cannot be found by its id", verify_number(transfer));
    return ERROR_OK;
}

static void remove_hold(struct verification *result, struct hold *hold)
{
    struct job *job = hold->job;
    holds_remove(job ? &result->deferred : &result->holds, hold);
    if (job) {
        jobs_remove(&result->jobs, job);
        free(job);
    }
}

bool verify_walk_transfer(void *context, struct slice key, struct slice row)
{
    struct walk *walk = context;
    struct transfer transfer;
    unsigned char bytes[DETAIL_BYTES_MAX];
    struct slice detail;
    if (!transfer_parse(key, row, &transfer)) {
        verify_find_fault(walk, INVARIANT_CHAIN, "transfer %llu is unreadable", (unsigned long long)row_key_parse(key));
        walk->has_hash = false;
        walk->expected = row_key_parse(key) + 1;
        return true;
    }
    walk->error = verify_read_detail(walk, &transfer, bytes, &detail);
    walk->error = walk->error ? walk->error : check_id(walk, &transfer);
    if (walk->error)
        return false;
    walk_chain(walk, &transfer, row, detail);
    struct hold *hold = walk_hold(walk, &transfer, detail);
    if (walk->error)
        return false;
    if (transfer.sequence > walk->anchor.head.sequence)
        walk_money(walk, &transfer, hold);
    if (hold) {
        verify_begin_ending(walk, &transfer, hold);
        remove_hold(walk->result, hold);
    }
    walk->before = transfer;
    walk->result->transfers++;
    return true;
}
