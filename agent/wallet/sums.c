/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the journal says of a span of time, for whoever reconciles with it. The whole journal is walked: its times are
 * those of the wall clock, which may have been set back, so that no order of them can be relied upon. Called from
 * threads of reports and exports.
 */
#include "wallet/internal.h"

struct walk {
    int64_t from_ns, until_ns;
    struct wallet_sums sums;
    enum error error;
};

static void add(struct walk *walk, struct money *sum, uint64_t *count, int64_t amount)
{
    if (!walk->error)
        walk->error = money_add(*sum, (struct money){amount}, sum);
    ++*count;
}

static void add_transfer(struct walk *walk, const struct transfer *transfer)
{
    struct wallet_sums *sums = &walk->sums;
    uint64_t ignored = 0;
    switch (transfer->kind) {
    case TRANSFER_POST:
        add(walk, &sums->posted, &sums->posts, transfer->amount);
        if (transfer->basis == BASIS_RECOVERED)
            add(walk, &sums->recovered, &ignored, transfer->amount);
        break;
    case TRANSFER_WRITE_OFF:
        add(walk, &sums->written_off, &sums->write_offs, transfer->amount);
        break;
    case TRANSFER_FUND:
        add(walk, &sums->funded, &sums->fundings, transfer->amount);
        break;
    case TRANSFER_ADJUST: /* from the account of adjustments: upward */
        add(walk, &sums->adjusted, &sums->adjustments,
            transfer->debit == ACCOUNT_ADJUSTMENT ? transfer->amount : -transfer->amount);
        break;
    default:
        break;
    }
}

static bool visit_row(void *context, struct slice key, struct slice row)
{
    struct walk *walk = context;
    struct transfer transfer;
    if (!transfer_parse(key, row, &transfer))
        walk->error = ERROR_STORE_CORRUPT;
    else if (transfer.time_ns >= walk->from_ns && transfer.time_ns < walk->until_ns && !transfer_is_linked(&transfer))
        add_transfer(walk, &transfer);
    return walk->error == ERROR_OK;
}

enum error wallet_sum_period(struct wallet_ledger *ledger, int64_t from_ns, int64_t until_ns,
                             struct wallet_sums *ret_sums)
{
    struct walk walk = {.from_ns = from_ns, .until_ns = until_ns};
    const struct slice none = {NULL, 0};
    enum error error = store_scan(ledger->tables.transfers, NULL, none, none, false, visit_row, &walk);
    error = error ? error : walk.error;
    if (!error)
        *ret_sums = walk.sums;
    return error;
}
