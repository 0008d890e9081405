/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other threads may see: a copy of the accounts, renewed after each commit for those that the batch changed, and
 * the journal on disk. The ledger thread holds the lock for a few copies only.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/grow.h"

#include <stdio.h>
#include <stdlib.h>

static void publish_new(struct wallet_ledger *ledger, const struct account *account)
{
    char budget[WALLET_BUDGET_NAME_MAX];
    uint32_t start;
    ledger->published =
        grow_array(ledger->published, &ledger->published_capacity, account->number, sizeof(struct published *));
    struct published *copy = calloc(1, sizeof *copy);
    check(copy != NULL);
    copy->kind = account->kind;
    memcpy(copy->name, account->name, sizeof copy->name);
    if (copy->kind == ACCOUNT_WALLET)
        HASH_ADD_STR(ledger->published_wallets, name, copy);
    if (copy->kind == ACCOUNT_BUDGET && bucket_parse(copy->name, budget, &start))
        buckets_add(&ledger->published_budgets, budget, start, account->number);
    copy->balance = account->balance;
    ledger->published[account->number] = copy;
}

void ledger_publish(struct wallet_ledger *ledger)
{
    pthread_mutex_lock(&ledger->publish_lock);
    for (; ledger->published_count < ledger->account_count; ledger->published_count++)
        publish_new(ledger, ledger->accounts[ledger->published_count]);
    for (unsigned i = 0; i < ledger->touched_count; i++)
        ledger->published[ledger->touched[i]->number]->balance = ledger->touched[i]->balance;
    jobs_publish(ledger);
    atomic_store(&ledger->sequence, ledger->head.sequence);
    pthread_mutex_unlock(&ledger->publish_lock);
}

void ledger_unpublish(struct wallet_ledger *ledger)
{
    HASH_CLEAR(hh, ledger->published_wallets);
    buckets_free(&ledger->published_budgets);
    jobs_unpublish(ledger);
    for (uint32_t i = 0; i < ledger->published_count; i++)
        free(ledger->published[i]);
    free(ledger->published);
}

static struct wallet_facts facts_of(const struct published *published)
{
    const struct balance *balance = &published->balance;
    struct wallet_facts facts = {
        .available = {balance_available(balance)},
        .held = {balance->debits_pending},
        .spent = {balance->debits_posted},
        .funded = {balance->credits_posted},
        .transfers = balance->transfers,
    };
    memcpy(facts.wallet, published->name, sizeof facts.wallet);
    return facts;
}

size_t wallet_list(struct wallet_ledger *ledger, struct wallet_facts *facts, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&ledger->publish_lock);
    for (uint32_t i = 0; i < ledger->published_count; i++)
        if (ledger->published[i]->kind == ACCOUNT_WALLET) {
            if (count < max)
                facts[count] = facts_of(ledger->published[i]);
            count++;
        }
    pthread_mutex_unlock(&ledger->publish_lock);
    return count;
}

static bool find_wallet(struct wallet_ledger *ledger, const char *wallet, struct published *ret_published)
{
    const struct published *found;
    pthread_mutex_lock(&ledger->publish_lock);
    HASH_FIND_STR(ledger->published_wallets, wallet, found);
    if (found)
        *ret_published = *found;
    pthread_mutex_unlock(&ledger->publish_lock);
    return found != NULL;
}

enum error wallet_find(struct wallet_ledger *ledger, const char *wallet, struct wallet_facts *ret_facts)
{
    struct published published;
    if (!find_wallet(ledger, wallet, &published))
        return ERROR_WALLET_UNKNOWN;
    *ret_facts = facts_of(&published);
    return ERROR_OK;
}

void wallet_find_budget(struct wallet_ledger *ledger, const char *name, uint32_t first, uint32_t last,
                        struct wallet_budget_facts *ret_facts)
{
    __int128 spent = 0, held = 0;
    const struct bucket *bucket;
    pthread_mutex_lock(&ledger->publish_lock);
    const struct bucket_list *list = buckets_find(ledger->published_budgets, name);
    buckets_correct(list, &first, &last);
    for (uint32_t index = list ? list->count : 0; (bucket = buckets_next(list, first, last, &index)) != NULL;) {
        spent += ledger->published[bucket->account]->balance.debits_posted;
        held += ledger->published[bucket->account]->balance.debits_pending;
    }
    pthread_mutex_unlock(&ledger->publish_lock);
    *ret_facts = (struct wallet_budget_facts){.first = first, .last = last, money_clamp(spent), money_clamp(held)};
}

/* ---- history ---- */

struct history {
    struct wallet_ledger *ledger;
    size_t left;
    wallet_visit *visit;
    void *context;
    enum error error;
    uint64_t previous; /* of the transfer visited last */
};

bool ledger_copy_account(struct wallet_ledger *ledger, uint32_t number, struct published *ret_published)
{
    pthread_mutex_lock(&ledger->publish_lock);
    bool is_known = number < ledger->published_count;
    if (is_known)
        *ret_published = *ledger->published[number];
    pthread_mutex_unlock(&ledger->publish_lock);
    return is_known;
}

static enum error describe(struct wallet_ledger *ledger, const struct transfer *transfer,
                           struct wallet_transfer *ret_transfer)
{
    struct published debit, credit;
    if (!ledger_copy_account(ledger, transfer->debit, &debit) ||
        !ledger_copy_account(ledger, transfer->credit, &credit))
        return ERROR_STORE_CORRUPT;
    bool is_credit = debit.kind != ACCOUNT_WALLET && credit.kind == ACCOUNT_WALLET;
    const struct published *wallet = is_credit ? &credit : &debit, *other = is_credit ? &debit : &credit;
    bool is_budget = transfer_is_linked(transfer);
    bool is_reduction = transfer->kind == TRANSFER_ADJUST && !is_credit;
    char text[ACCOUNT_TEXT_MAX];
    *ret_transfer = (struct wallet_transfer){
        .sequence = transfer->sequence,
        .kind = transfer_kind_name(transfer->kind),
        .is_budget = is_budget,
        .id = transfer->id,
        .time_ns = transfer->time_ns,
        .amount = {is_reduction ? -transfer->amount : transfer->amount},
        .basis = transfer->basis,
    };
    account_format(wallet->kind, wallet->name, "", text);
    snprintf(ret_transfer->wallet, WALLET_NAME_MAX, "%.63s",
             wallet->kind == ACCOUNT_WALLET || is_budget ? wallet->name : text);
    account_format(other->kind, other->name, "", text);
    snprintf(ret_transfer->counterparty, WALLET_NAME_MAX, "%.63s", text);
    return ERROR_OK;
}

static enum error read_note(struct wallet_ledger *ledger, const struct transfer *transfer, char note[WALLET_NOTE_MAX])
{
    unsigned char bytes[DETAIL_BYTES_MAX];
    const struct row_key key = row_key_of(transfer->sequence);
    size_t length;
    struct wallet_job job;
    if (transfer_resolves(transfer->kind) || !transfer_has_detail(transfer->kind))
        return ERROR_OK;
    enum error error =
        store_get(ledger->tables.details, NULL, row_slice(key.bytes, sizeof key.bytes), bytes, sizeof bytes, &length);
    if (!error && transfer->kind == TRANSFER_DEFER && job_parse(row_slice(bytes, length), &job))
        snprintf(note, WALLET_NOTE_MAX, "%.*s", WALLET_NOTE_MAX - 1, job.key);
    else if (!error)
        detail_note(row_slice(bytes, length), note);
    return error == ERROR_NOT_FOUND ? ERROR_STORE_CORRUPT : error;
}

static bool visit_row(void *context, struct slice key, struct slice row)
{
    struct history *history = context;
    struct transfer transfer;
    struct wallet_transfer shown;
    history->error = transfer_parse(key, row, &transfer) ? ERROR_OK : ERROR_STORE_CORRUPT;
    history->error = history->error ? history->error : describe(history->ledger, &transfer, &shown);
    history->error = history->error ? history->error : read_note(history->ledger, &transfer, shown.note);
    if (history->error)
        return false;
    history->previous = transfer.previous;
    history->left--;
    return history->visit(history->context, &shown) && history->left > 0;
}

/* Each transfer names the wallet's one before, so a quiet wallet in a long journal costs no more than a busy one. */
static enum error follow_wallet(struct history *history, const char *wallet)
{
    struct published published;
    if (!find_wallet(history->ledger, wallet, &published))
        return ERROR_WALLET_UNKNOWN;
    bool goes_on = true;
    for (uint64_t sequence = published.balance.last; sequence && goes_on; sequence = history->previous) {
        unsigned char row[TRANSFER_ROW_BYTES];
        size_t length;
        const struct row_key key = row_key_of(sequence);
        const struct slice key_slice = row_slice(key.bytes, sizeof key.bytes);
        enum error error = store_get(history->ledger->tables.transfers, NULL, key_slice, row, sizeof row, &length);
        if (error)
            return error == ERROR_NOT_FOUND ? ERROR_STORE_CORRUPT : error;
        goes_on = visit_row(history, key_slice, row_slice(row, length));
    }
    return history->error;
}

enum error wallet_history(struct wallet_ledger *ledger, const char *wallet, size_t max, wallet_visit *visit,
                          void *context)
{
    struct history history = {.ledger = ledger, .left = max, .visit = visit, .context = context};
    const struct slice none = {NULL, 0};
    if (max == 0)
        return ERROR_OK;
    if (wallet)
        return follow_wallet(&history, wallet);
    enum error error = store_scan(ledger->tables.transfers, NULL, none, none, true, visit_row, &history);
    return error ? error : history.error;
}
