/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was paid, in order: posts, each with its write-off and with the memo that its settle brought. Read from disk on
 * any thread; from it events that were lost are written again, and exports reconciled.
 */
#include "wallet/internal.h"

#include <stdio.h>

struct payments {
    struct wallet_ledger *ledger;
    struct wallet_payment next; /* sequence 0: none waits */
    uint64_t last;
    wallet_visit_payment *visit;
    void *context;
    bool with_memo, is_over;
    enum error error;
};

static enum error read_word(struct wallet_ledger *ledger, uint32_t number, char *text, size_t bytes_max)
{
    unsigned char key[5];
    size_t length;
    text[0] = '\0';
    if (!number)
        return ERROR_OK;
    enum error error = store_get(ledger->tables.book, NULL, book_key(key, 'w', number), text, bytes_max - 1, &length);
    text[error ? 0 : length] = '\0';
    return error == ERROR_NOT_FOUND ? ERROR_STORE_CORRUPT : error;
}

static enum error read_memo(struct wallet_ledger *ledger, uint64_t hold, struct wallet_memo *ret_memo)
{
    const struct row_key key = row_key_of(hold);
    unsigned char row[DETAIL_BYTES_MAX];
    size_t length;
    struct memo memo;
    enum error error =
        store_get(ledger->tables.details, NULL, row_slice(key.bytes, sizeof key.bytes), row, sizeof row, &length);
    if (error || !memo_parse(row_slice(row, length), &memo))
        return error && error != ERROR_NOT_FOUND ? error : ERROR_STORE_CORRUPT;
    const struct {
        uint32_t word;
        char *text;
    } words[] = {{memo.model, ret_memo->model},
                 {memo.provider, ret_memo->provider},
                 {memo.group, ret_memo->group},
                 {memo.program, ret_memo->program},
                 {memo.project, ret_memo->project}};
    for (size_t i = 0; i < sizeof words / sizeof *words && !error; i++)
        error = read_word(ledger, words[i].word, words[i].text, WORD_BYTES_MAX);
    ret_memo->tokens_input = memo.tokens_input;
    ret_memo->tokens_cache_read = memo.tokens_cache_read;
    ret_memo->tokens_cache_write = memo.tokens_cache_write;
    ret_memo->tokens_output = memo.tokens_output;
    ret_memo->pid = memo.pid;
    return error;
}

static void give(struct payments *payments)
{
    if (payments->next.sequence && !payments->is_over)
        payments->is_over = !payments->visit(payments->context, &payments->next);
    payments->next.sequence = 0;
}

static enum error take_post(struct payments *payments, const struct transfer *transfer)
{
    struct wallet_payment *next = &payments->next;
    struct published wallet, provider;
    if (!ledger_copy_account(payments->ledger, transfer->debit, &wallet) ||
        !ledger_copy_account(payments->ledger, transfer->credit, &provider))
        return ERROR_STORE_CORRUPT;
    *next = (struct wallet_payment){
        .sequence = transfer->sequence,
        .hold = transfer->id,
        .time_ns = transfer->time_ns,
        .paid = {transfer->amount},
        .basis = transfer->basis,
    };
    snprintf(next->wallet, sizeof next->wallet, "%.63s", wallet.name);
    snprintf(next->provider, sizeof next->provider, "%.63s", provider.name);
    return payments->with_memo ? read_memo(payments->ledger, transfer->related, &next->memo) : ERROR_OK;
}

static bool visit_row(void *context, struct slice key, struct slice row)
{
    struct payments *payments = context;
    struct transfer transfer;
    if (!transfer_parse(key, row, &transfer)) {
        payments->error = ERROR_STORE_CORRUPT;
        return false;
    }
    payments->last = transfer.sequence;
    if (transfer.kind == TRANSFER_WRITE_OFF)
        payments->next.written_off.nano = transfer.amount;
    else if (!transfer_is_linked(&transfer))
        give(payments);
    if (transfer.kind == TRANSFER_POST && !transfer_is_linked(&transfer) && !payments->is_over)
        payments->error = take_post(payments, &transfer);
    return !payments->error && !payments->is_over;
}

enum error wallet_scan_payments(struct wallet_ledger *ledger, uint64_t after, bool with_memo,
                                wallet_visit_payment *visit, void *context, uint64_t *ret_last)
{
    struct payments payments = {
        .ledger = ledger, .last = after, .with_memo = with_memo, .visit = visit, .context = context};
    const struct row_key first = row_key_of(after + 1);
    enum error error = store_scan(ledger->tables.transfers, NULL, row_slice(first.bytes, sizeof first.bytes),
                                  (struct slice){NULL, 0}, false, visit_row, &payments);
    error = error ? error : payments.error;
    if (!error)
        give(&payments);
    *ret_last = payments.last;
    return error;
}
