/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the journal says of a span of time, for whoever reconciles with it. Its times are those of the wall clock, which
 * may have been set back, so that no order of them can be relied upon: of each run of transfers it is remembered from
 * when to when they are, and only runs that touch the asked time are read. Transfers never change, so what is
 * remembered stays true. Called from threads of reports and exports.
 */
#include "wallet/internal.h"

#include "base/grow.h"

#include <stdlib.h>

static uint64_t first_of(uint32_t span)
{
    return (uint64_t)span * SPAN_TRANSFERS + 1;
}

/* ---- which runs there are ---- */

struct survey {
    struct time_span *spans, current;
    uint32_t count, capacity;
    unsigned transfers; /* of the current one */
    bool is_corrupt;
};

static bool survey_row(void *context, struct slice key, struct slice row)
{
    struct survey *survey = context;
    struct transfer transfer;
    survey->is_corrupt = !transfer_parse(key, row, &transfer);
    if (survey->is_corrupt)
        return false;
    if (survey->transfers++ == 0)
        survey->current = (struct time_span){transfer.time_ns, transfer.time_ns};
    if (transfer.time_ns < survey->current.earliest_ns)
        survey->current.earliest_ns = transfer.time_ns;
    if (transfer.time_ns > survey->current.latest_ns)
        survey->current.latest_ns = transfer.time_ns;
    if (survey->transfers < SPAN_TRANSFERS)
        return true;
    survey->spans = grow_array(survey->spans, &survey->capacity, survey->count, sizeof *survey->spans);
    survey->spans[survey->count++] = survey->current;
    survey->transfers = 0;
    return true;
}

/* Another thread may have found the same meanwhile. */
static void remember(struct wallet_ledger *ledger, uint32_t known, const struct survey *survey)
{
    pthread_mutex_lock(&ledger->spans_lock);
    for (uint32_t i = 0; i < survey->count && ledger->span_count == known + i; i++) {
        ledger->spans = grow_array(ledger->spans, &ledger->span_capacity, ledger->span_count, sizeof *ledger->spans);
        ledger->spans[ledger->span_count++] = survey->spans[i];
    }
    pthread_mutex_unlock(&ledger->spans_lock);
}

static enum error find_new_spans(struct wallet_ledger *ledger)
{
    struct survey survey = {0};
    pthread_mutex_lock(&ledger->spans_lock);
    const uint32_t known = ledger->span_count;
    pthread_mutex_unlock(&ledger->spans_lock);
    const struct row_key first = row_key_of(first_of(known));
    enum error error = store_scan(ledger->tables.transfers, NULL, row_slice(first.bytes, sizeof first.bytes),
                                  (struct slice){NULL, 0}, false, survey_row, &survey);
    if (!error && survey.is_corrupt)
        error = ERROR_STORE_CORRUPT;
    if (!error)
        remember(ledger, known, &survey);
    free(survey.spans);
    return error;
}

/* False: there is none any more; what is left of the journal begins at first_of(span). */
static bool find_span(struct wallet_ledger *ledger, uint32_t span, struct time_span *ret_span)
{
    pthread_mutex_lock(&ledger->spans_lock);
    bool is_known = span < ledger->span_count;
    if (is_known)
        *ret_span = ledger->spans[span];
    pthread_mutex_unlock(&ledger->spans_lock);
    return is_known;
}

/* ---- sums ---- */

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

/* last 0: to the end. */
static enum error walk_rows(struct wallet_ledger *ledger, uint64_t first, uint64_t last, struct walk *walk)
{
    const struct row_key from = row_key_of(first), to = row_key_of(last);
    enum error error = store_scan(ledger->tables.transfers, NULL, row_slice(from.bytes, sizeof from.bytes),
                                  row_slice(to.bytes, last ? sizeof to.bytes : 0), false, visit_row, walk);
    return error ? error : walk->error;
}

enum error wallet_sum_period(struct wallet_ledger *ledger, int64_t from_ns, int64_t until_ns,
                             struct wallet_sums *ret_sums)
{
    struct walk walk = {.from_ns = from_ns, .until_ns = until_ns};
    struct time_span span;
    uint32_t number = 0;
    enum error error = find_new_spans(ledger);
    for (; !error && find_span(ledger, number, &span); number++)
        if (span.latest_ns >= from_ns && span.earliest_ns < until_ns)
            error = walk_rows(ledger, first_of(number), first_of(number + 1) - 1, &walk);
    if (!error)
        error = walk_rows(ledger, first_of(number), 0, &walk);
    if (!error)
        *ret_sums = walk.sums;
    return error;
}
