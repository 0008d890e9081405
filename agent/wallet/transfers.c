/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal as the ledger thread sees it: the rows of the batch that is being made, the rows on disk, and which
 * transfer took an id. Ids are ordered by time, so one above everything that was evicted from memory is new, and the
 * usual reserve never reads the disk (a lookup costs 2.6 µs, and the page may be cold).
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/plant.h"

static struct account *wallet_of(const struct wallet_ledger *ledger, const struct transfer *transfer)
{
    struct account *debit = ledger->accounts[transfer->debit], *credit = ledger->accounts[transfer->credit];
    return debit->kind == ACCOUNT_WALLET ? debit : credit->kind == ACCOUNT_WALLET ? credit : NULL;
}

static void make_detail(struct batch_row *row, const struct transfer *transfer, struct memo *memo, const char *note,
                        const struct wallet_job *job)
{
    row->detail.length = 0;
    row->detail.key = transfer_resolves(transfer->kind) ? transfer->related : transfer->sequence;
    if (transfer_is_linked(transfer) && transfer_resolves(transfer->kind)) {
        link_format(transfer->sequence, &row->detail);
    } else if (memo) {
        memo->resolution = transfer->sequence;
        memo_format(memo, &row->detail);
    } else if (note) {
        note_format(note, &row->detail);
    } else if (job) {
        job_format(job, &row->detail);
    }
}

static void count_on(struct wallet_ledger *ledger, struct account *account, uint64_t sequence)
{
    account->balance.transfers++;
    account->balance.last = sequence;
    book_mark(ledger, account);
}

static uint64_t add(struct wallet_ledger *ledger, struct transfer *transfer, struct memo *memo, const char *note,
                    const struct wallet_job *job)
{
    check(ledger->row_count < ROWS_MAX);
    check(transfer_is_linked(transfer) || transfer_has_detail(transfer->kind) == (memo || note || job));
    struct batch_row *row = &ledger->rows[ledger->row_count];
    struct account *wallet = wallet_of(ledger, transfer);
    transfer->sequence = ledger->head.sequence + 1;
    transfer->time_ns = ledger->now_ns;
    transfer->previous = wallet ? wallet->balance.last : 0;
    memcpy(transfer->chain, ledger->head.hash, HASH_BYTES);
    transfer_format(transfer, row->transfer);
    make_detail(row, transfer, memo, note, job);
    if (ledger->row_count++ == 0)
        ledger->rows_first = transfer->sequence;
    ledger->head.sequence = transfer->sequence;
    transfer_hash(transfer->sequence, row_slice(row->transfer, sizeof row->transfer),
                  row_slice(row->detail.bytes, PLANTED(PLANT_CHAIN_BROKEN) ? 0 : row->detail.length),
                  ledger->head.hash);
    count_on(ledger, ledger->accounts[transfer->debit], transfer->sequence);
    count_on(ledger, ledger->accounts[transfer->credit], transfer->sequence);
    return transfer->sequence;
}

uint64_t transfers_add(struct wallet_ledger *ledger, struct transfer *transfer, struct memo *memo, const char *note)
{
    return add(ledger, transfer, memo, note, NULL);
}

uint64_t transfers_add_defer(struct wallet_ledger *ledger, struct transfer *transfer, const struct wallet_job *job)
{
    return add(ledger, transfer, NULL, NULL, job);
}

enum error transfers_read(struct wallet_ledger *ledger, uint64_t sequence, struct transfer *ret_transfer)
{
    const struct row_key key = row_key_of(sequence);
    const struct slice key_slice = row_slice(key.bytes, sizeof key.bytes);
    unsigned char row[TRANSFER_ROW_BYTES];
    size_t length = sizeof row;
    enum error error = ERROR_OK;
    if (ledger->row_count && sequence >= ledger->rows_first)
        memcpy(row, ledger->rows[sequence - ledger->rows_first].transfer, sizeof row);
    else
        error = store_get(ledger->tables.transfers, NULL, key_slice, row, sizeof row, &length);
    if (!error && !transfer_parse(key_slice, row_slice(row, length), ret_transfer))
        error = ERROR_STORE_CORRUPT;
    return error;
}

static enum error find_on_disk(struct wallet_ledger *ledger, struct id id, uint64_t *ret_sequence,
                               uint64_t *ret_resolution)
{
    struct row_key key;
    unsigned char detail[DETAIL_BYTES_MAX];
    size_t length;
    enum error error =
        store_get(ledger->tables.ids, NULL, row_slice(id.bytes, sizeof id.bytes), key.bytes, sizeof key.bytes, &length);
    if (error)
        return error;
    const struct slice key_slice = row_slice(key.bytes, length);
    error = store_get(ledger->tables.details, NULL, key_slice, detail, sizeof detail, &length);
    if (error && error != ERROR_NOT_FOUND)
        return error;
    *ret_sequence = row_key_parse(key_slice);
    *ret_resolution = error ? 0 : detail_resolution(row_slice(detail, length));
    return ERROR_OK;
}

enum error transfers_find(struct wallet_ledger *ledger, struct id id, uint64_t *ret_sequence, uint64_t *ret_resolution)
{
    struct recent *recent;
    HASH_FIND(hh, ledger->recent_by_id, &id, sizeof id, recent);
    if (recent) {
        *ret_sequence = recent->sequence;
        *ret_resolution = recent->resolution;
        return ERROR_OK;
    }
    if (memcmp(id.bytes, ledger->evicted_max.bytes, sizeof id.bytes) > 0)
        return ERROR_NOT_FOUND;
    return find_on_disk(ledger, id, ret_sequence, ret_resolution);
}

/* A ring: the entry that is overwritten is the oldest, long committed. */
void transfers_remember(struct wallet_ledger *ledger, struct id id, uint64_t sequence)
{
    struct recent *recent = &ledger->recents[ledger->recent_count++ % RECENT_MAX];
    if (ledger->recent_count > RECENT_MAX) {
        HASH_DEL(ledger->recent_by_id, recent);
        if (memcmp(recent->id.bytes, ledger->evicted_max.bytes, sizeof id.bytes) > 0)
            ledger->evicted_max = recent->id;
    }
    recent->id = id;
    recent->sequence = sequence;
    recent->resolution = 0;
    HASH_ADD(hh, ledger->recent_by_id, id, sizeof recent->id, recent);
}

/* An evicted id comes back: until the batch is committed the disk does not know the resolution. */
void transfers_remember_resolution(struct wallet_ledger *ledger, const struct hold *hold, uint64_t resolution)
{
    struct recent *recent;
    HASH_FIND(hh, ledger->recent_by_id, &hold->id, sizeof hold->id, recent);
    if (!recent) {
        transfers_remember(ledger, hold->id, hold->sequence);
        HASH_FIND(hh, ledger->recent_by_id, &hold->id, sizeof hold->id, recent);
    }
    check(recent != NULL);
    recent->resolution = resolution;
}

void transfers_forget(struct wallet_ledger *ledger)
{
    HASH_CLEAR(hh, ledger->recent_by_id);
}
