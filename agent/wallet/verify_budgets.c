/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The budgets of a journal: every linked hold directly follows the hold that it counts, stays within the limit that its
 * row records, and ends with it, once. Called by verify.c and verify_walk.c. Rows are hostile input here; nothing is
 * shared with reserve.c but the names of buckets.
 */
#include "wallet/verify.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the buckets ---- */

void verify_add_bucket(struct walk *walk, uint32_t number, struct slice name)
{
    char text[WALLET_NAME_MAX], budget_name[WALLET_BUDGET_NAME_MAX];
    struct verify_budget *budget;
    uint32_t start;
    snprintf(text, sizeof text, "%.*s", SLICE_ARGUMENTS(name));
    if (!bucket_parse(text, budget_name, &start)) {
        verify_find_fault(walk, INVARIANT_BUDGETS, "account %u is no bucket of a budget", number);
        return;
    }
    HASH_FIND_STR(walk->budgets, budget_name, budget);
    if (!budget) {
        budget = calloc(1, sizeof *budget);
        check(budget != NULL);
        memcpy(budget->name, budget_name, sizeof budget->name);
        HASH_ADD_STR(walk->budgets, name, budget);
    }
    struct book_row *account = &walk->accounts[number];
    account->budget = budget;
    account->start = start;
    account->older = budget->newest;
    budget->newest = number;
}

void verify_start_budgets(struct walk *walk)
{
    for (uint32_t i = 0; i < walk->account_count; i++) {
        const struct book_row *account = &walk->accounts[i];
        if (account->budget && account->computed.transfers && account->start > account->budget->used_until)
            account->budget->used_until = account->start;
    }
}

void verify_free_budgets(struct walk *walk)
{
    struct verify_budget *budget, *next;
    HASH_ITER(hh, walk->budgets, budget, next)
    {
        HASH_DEL(walk->budgets, budget); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        free(budget);
    }
}

/* Spent and held from bucket `first` to the one with this number. Buckets are made in order, so `older` leads back. */
static __int128 counted(const struct walk *walk, uint32_t number, uint32_t first)
{
    __int128 sum = 0;
    for (uint32_t i = number; i && walk->accounts[i].start >= first; i = walk->accounts[i].older)
        sum += (__int128)walk->accounts[i].computed.debits_posted + walk->accounts[i].computed.debits_pending;
    return sum;
}

/* ---- linked holds ---- */

void verify_linked_hold(struct walk *walk, const struct transfer *transfer)
{
    struct hold *hold = holds_find(walk->result->holds, transfer->id);
    if (!hold && transfer->sequence <= walk->anchor.head.sequence)
        return; /* resolved before the anchor */
    if (!hold || hold->linked_count == WALLET_BUDGETS_MAX ||
        transfer->sequence != hold->sequence + 1 + hold->linked_count || transfer->amount != hold->amount)
        verify_find_fault(walk, INVARIANT_BUDGETS, "transfer %llu counts no hold", verify_number(transfer));
    else if (transfer->debit < walk->account_count && transfer->credit < walk->account_count)
        holds_link(hold, transfer);
}

static void count_hold(struct walk *walk, const struct transfer *transfer)
{
    const struct book_row *bucket = &walk->accounts[transfer->debit];
    if (bucket->start < bucket->budget->used_until || bucket->start < transfer->first)
        verify_find_fault(walk, INVARIANT_BUDGETS, "transfer %llu counts in a bucket of the past",
                          verify_number(transfer));
    else
        bucket->budget->used_until = bucket->start;
    if (transfer->limit == INT64_MAX)
        return; /* a soft budget */
    if (transfer->limit <= 0 ||
        counted(walk, transfer->debit, transfer->first) + transfer->amount > (__int128)transfer->limit)
        verify_find_fault(walk, INVARIANT_BUDGETS, "transfer %llu passes the limit of budget %s",
                          verify_number(transfer), bucket->budget->name);
}

void verify_linked_money(struct walk *walk, const struct transfer *transfer)
{
    struct book_row *bucket = &walk->accounts[transfer->debit], *allowance = &walk->accounts[transfer->credit];
    int64_t held = transfer->amount;
    if (!bucket->budget || allowance->kind != ACCOUNT_ALLOWANCE) {
        verify_find_fault(walk, INVARIANT_BUDGETS, "transfer %llu names no budget", verify_number(transfer));
        return;
    }
    if (transfer->kind == TRANSFER_PENDING)
        count_hold(walk, transfer);
    else
        held = -walk->ending.held;
    verify_add(walk, transfer, &bucket->computed.debits_pending, held);
    verify_add(walk, transfer, &allowance->computed.credits_pending, held);
    if (transfer->kind == TRANSFER_POST) {
        verify_add(walk, transfer, &bucket->computed.debits_posted, transfer->amount);
        verify_add(walk, transfer, &allowance->computed.credits_posted, transfer->amount);
    }
}

/* ---- how linked holds end ---- */

void verify_begin_ending(struct walk *walk, const struct transfer *transfer, const struct hold *hold)
{
    struct ending *ending = &walk->ending;
    *ending = (struct ending){.resolution = *transfer, .hold = hold->sequence, .held = hold->amount};
    ending->count = hold->linked_count;
    memcpy(ending->linked, hold->linked, sizeof ending->linked);
    ending->allowance = hold->allowance;
}

/* Everything that follows: the hold must have ended in all its budgets, but for a write-off in between. transfer NULL:
 * the journal ends. */
void verify_finish_ending(struct walk *walk, const struct transfer *transfer)
{
    struct ending *ending = &walk->ending;
    bool is_between = transfer && transfer->kind == TRANSFER_WRITE_OFF && ending->done == 0;
    if (is_between || ending->done == ending->count)
        return;
    verify_find_fault(walk, INVARIANT_BUDGETS, "the hold that transfer %llu resolves stays open in %u budgets",
                      verify_number(&ending->resolution), ending->count - ending->done);
    ending->done = ending->count = 0;
}

void verify_linked_resolution(struct walk *walk, const struct transfer *transfer, struct slice detail)
{
    struct ending *ending = &walk->ending;
    const struct transfer *resolution = &ending->resolution;
    if (transfer->sequence <= walk->anchor.head.sequence && ending->done == ending->count)
        return; /* of a hold before the first that a start needs to know */
    bool is_next = ending->done < ending->count && transfer->kind == resolution->kind &&
                   !memcmp(&transfer->id, &resolution->id, sizeof transfer->id) &&
                   transfer->debit == ending->linked[ending->done] && transfer->credit == ending->allowance &&
                   transfer->related == ending->hold + 1 + ending->done;
    if (!is_next)
        verify_find_fault(walk, INVARIANT_BUDGETS, "transfer %llu ends no hold in its budget", verify_number(transfer));
    else if (transfer->amount != resolution->amount ||
             (transfer->flags & TRANSFER_ALARM) != (resolution->flags & TRANSFER_ALARM))
        verify_find_fault(walk, INVARIANT_BUDGETS, "transfer %llu differs from what the wallet paid",
                          verify_number(transfer));
    if (detail_resolution(detail) != transfer->sequence)
        verify_find_fault(walk, INVARIANT_HOLDS, "transfer %llu is not the one resolution of its hold",
                          verify_number(transfer));
    ending->done += is_next;
}
