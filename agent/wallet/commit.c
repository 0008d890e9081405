/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transaction with everything the batch changed: transfers and their details, ids, jobs, balances, new names and
 * words, the head of the chain, and from time to time the anchor. All of it is there after a crash, or none. The rows
 * are ready before the transaction begins, so that losing a deadlock against a reader only means writing them again.
 */
#include "wallet/internal.h"

#include "base/plant.h"

#include <stdio.h>

static enum error put_book(struct wallet_ledger *ledger, struct store_transaction *transaction, char what,
                           uint32_t number, struct slice value)
{
    unsigned char key[5];
    return store_put(ledger->tables.book, transaction, book_key(key, what, number), value);
}

static enum error put_ids(struct wallet_ledger *ledger, struct store_transaction *transaction)
{
    enum error error = ERROR_OK;
    for (unsigned i = 0; i < ledger->row_count && !error; i++) {
        const unsigned char *row = ledger->rows[i].transfer;
        const struct row_key key = row_key_of(ledger->rows_first + i);
        if (transfer_takes_id((enum transfer_kind)row[0], row[2]))
            error = store_put(ledger->tables.ids, transaction, row_slice(row + 4, sizeof(struct id)),
                              row_slice(key.bytes, sizeof key.bytes));
    }
    return error;
}

/* One that began and ended in this batch never has a row. */
static enum error put_jobs(struct wallet_ledger *ledger, struct store_transaction *transaction)
{
    enum error error = ERROR_OK;
    for (const struct job *job = ledger->changed_jobs; job && !error; job = job->next_changed) {
        const struct row_key key = row_key_of(job->sequence);
        const struct slice key_slice = row_slice(key.bytes, sizeof key.bytes);
        if (!job->is_ended)
            error =
                store_put(ledger->tables.jobs, transaction, key_slice, row_slice(job->hold.bytes, sizeof job->hold));
        else if (job->is_written && !PLANTED(PLANT_JOB_LEFT))
            error = store_delete(ledger->tables.jobs, transaction, key_slice);
    }
    return error == ERROR_NOT_FOUND ? ERROR_STORE_CORRUPT : error;
}

/* Table by table: the pages of one table stay warm, and its inserts are in key order. */
static enum error put_transfers(struct wallet_ledger *ledger, struct store_transaction *transaction)
{
    enum error error = ERROR_OK;
    for (unsigned i = 0; i < ledger->row_count && !error; i++) {
        const struct row_key key = row_key_of(ledger->rows_first + i);
        error = store_put(ledger->tables.transfers, transaction, row_slice(key.bytes, sizeof key.bytes),
                          row_slice(ledger->rows[i].transfer, TRANSFER_ROW_BYTES));
    }
    for (unsigned i = 0; i < ledger->row_count && !error; i++) {
        const struct detail *detail = &ledger->rows[i].detail;
        const struct row_key key = row_key_of(detail->key);
        if (detail->length)
            error = store_put(ledger->tables.details, transaction, row_slice(key.bytes, sizeof key.bytes),
                              row_slice(detail->bytes, detail->length));
    }
    return error;
}

static enum error put_names(struct wallet_ledger *ledger, struct store_transaction *transaction)
{
    enum error error = ERROR_OK;
    for (uint32_t i = ledger->accounts_written; i < ledger->account_count && !error; i++) {
        char text[1 + WALLET_NAME_MAX];
        const struct account *account = ledger->accounts[i];
        int length = snprintf(text, sizeof text, "%c%s", '0' + (int)account->kind, account->name);
        error = put_book(ledger, transaction, 'n', i, row_slice(text, (size_t)length));
    }
    if (ledger->words_written == ledger->word_count)
        return error;
    for (const struct word *word = ledger->words; word && !error; word = word->hh.next)
        if (word->number > ledger->words_written)
            error = put_book(ledger, transaction, 'w', word->number, slice_of(word->text));
    return error;
}

static enum error put_balance(struct wallet_ledger *ledger, struct store_transaction *transaction, char what,
                              const struct account *account)
{
    unsigned char row[BALANCE_ROW_BYTES];
    balance_format(&account->balance, row);
    return put_book(ledger, transaction, what, account->number, row_slice(row, sizeof row));
}

static enum error put_balances(struct wallet_ledger *ledger, struct store_transaction *transaction)
{
    enum error error = ERROR_OK;
    for (unsigned i = 0; i < ledger->touched_count && !error; i++)
        if (!PLANTED(PLANT_ACCOUNT_STALE) || ledger->touched[i]->kind != ACCOUNT_PROVIDER)
            error = put_balance(ledger, transaction, 'a', ledger->touched[i]);
    for (uint32_t i = ledger->accounts_written; i < ledger->account_count && !error; i++)
        if (!ledger->accounts[i]->is_touched)
            error = put_balance(ledger, transaction, 'a', ledger->accounts[i]);
    return error;
}

static enum error put_head(struct wallet_ledger *ledger, struct store_transaction *transaction)
{
    unsigned char row[HEAD_ROW_BYTES];
    head_format(&ledger->head, row);
    return put_book(ledger, transaction, 'h', 0, row_slice(row, sizeof row));
}

/* Only accounts that changed are written, so that the old buckets of budgets cost nothing. When very many did, its
 * transaction would outgrow the lock table: then a start verifies everything. */
static bool is_anchor_due(const struct wallet_ledger *ledger)
{
    uint64_t since = ledger->head.sequence - ledger->anchor.head.sequence;
    if (ledger->unanchored_count > ANCHOR_ACCOUNTS_MAX)
        return false;
    return since >= ANCHOR_EVERY || (ledger->wants_anchor && since > 0);
}

static enum error put_anchor(struct wallet_ledger *ledger, struct store_transaction *transaction,
                             const struct anchor *anchor)
{
    unsigned char row[ANCHOR_ROW_BYTES];
    anchor_format(anchor, row);
    enum error error = put_book(ledger, transaction, 'k', 0, row_slice(row, sizeof row));
    for (uint32_t i = 0; i < ledger->account_count && !error; i++)
        if (ledger->accounts[i]->is_unanchored)
            error = put_balance(ledger, transaction, 'l', ledger->accounts[i]);
    return error;
}

static enum error try_commit(struct wallet_ledger *ledger, const struct anchor *anchor)
{
    struct store_transaction *transaction;
    enum error error = PLANTED(PLANT_ID_OUTSIDE) ? put_ids(ledger, NULL) : ERROR_OK;
    error = error || !PLANTED(PLANT_JOB_OUTSIDE) ? error : put_jobs(ledger, NULL);
    error = error ? error : store_begin(ledger->tables.store, &transaction);
    if (error)
        return error;
    error = put_transfers(ledger, transaction);
    error = error || PLANTED(PLANT_JOB_OUTSIDE) ? error : put_jobs(ledger, transaction);
    error = error || PLANTED(PLANT_ID_OUTSIDE) ? error : put_ids(ledger, transaction);
    error = error ? error : put_names(ledger, transaction);
    error = error ? error : put_balances(ledger, transaction);
    error = error ? error : put_head(ledger, transaction);
    error = error || !anchor ? error : put_anchor(ledger, transaction, anchor);
    if (!error)
        return store_commit(transaction);
    store_abort(transaction);
    return error;
}

static void note_anchor(struct wallet_ledger *ledger, const struct anchor *anchor)
{
    ledger->anchor = *anchor;
    for (uint32_t i = 0; i < ledger->account_count; i++)
        ledger->accounts[i]->is_unanchored = false;
    ledger->unanchored_count = 0;
}

static void empty_batch(struct wallet_ledger *ledger)
{
    for (unsigned i = 0; i < ledger->touched_count; i++)
        ledger->touched[i]->is_touched = false;
    ledger->touched_count = ledger->row_count = 0;
    ledger->accounts_written = ledger->account_count;
    ledger->words_written = ledger->word_count;
}

enum error ledger_commit(struct wallet_ledger *ledger)
{
    struct anchor anchor = {ledger->head, holds_oldest(ledger->holds)};
    bool is_due = is_anchor_due(ledger);
    if (!anchor.first)
        anchor.first = ledger->head.sequence + 1;
    enum error error = ERROR_OVERLOADED;
    for (unsigned i = 0; i < COMMIT_TRIES_MAX && error == ERROR_OVERLOADED; i++)
        error = try_commit(ledger, is_due ? &anchor : NULL);
    if (!error && is_due)
        note_anchor(ledger, &anchor);
    if (error)
        return error;
    ledger_publish(ledger);
#ifdef TOLLGATE_SANITIZED
    ledger_check_batch(ledger);
#endif
    empty_batch(ledger);
    return ERROR_OK;
}
