/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs of a journal: every DEFER names a hold that is open, once, under a provider and key that no other open one
 * has; the table of jobs has a row for each that is still open, and no other. A verification from the anchor on does
 * not read the journal back to the oldest job: the table says which holds were open there, and those that were resolved
 * since name their hold. A hold is the job's from its DEFER on, wherever the walk begins: before it the same key may
 * have been another's. Called by verify.c and verify_walk.c. Rows are hostile input here.
 */
#include "wallet/verify.h"

/* ---- a DEFER of the walk ---- */

static void take(struct walk *walk, struct hold *hold, const struct transfer *transfer, struct slice detail)
{
    struct verification *result = walk->result;
    struct wallet_job job;
    if (transfer->related != hold->sequence || transfer->debit != hold->wallet ||
        transfer->credit != hold->counterparty || transfer->amount != hold->amount || transfer->flags)
        verify_find_fault(walk, INVARIANT_JOBS, "transfer %llu defers another hold than it names",
                          verify_number(transfer));
    else if (!job_parse(detail, &job) || job.deadline_s <= 0)
        verify_find_fault(walk, INVARIANT_JOBS, "transfer %llu names no job", verify_number(transfer));
    else if (!jobs_add(&result->jobs, hold, transfer, &job))
        verify_find_fault(walk, INVARIANT_JOBS, "transfer %llu defers a second hold to the same job",
                          verify_number(transfer));
    else
        jobs_move_hold(&result->holds, &result->deferred, hold);
}

void verify_defer(struct walk *walk, const struct transfer *transfer, struct slice detail)
{
    struct hold *hold = holds_find(walk->result->holds, transfer->id);
    if (hold) {
        take(walk, hold, transfer, detail);
        return;
    }
    /* One that was resolved before the anchor may have been held before the walk. */
    if (holds_find(walk->result->deferred, transfer->id) || transfer->sequence > walk->anchor.head.sequence)
        verify_find_fault(walk, INVARIANT_JOBS, "transfer %llu defers a hold that is not open",
                          verify_number(transfer));
}

/* ---- holds from before the first transfer of the walk ---- */

static bool read_transfer(struct walk *walk, uint64_t sequence, struct transfer *ret_transfer)
{
    unsigned char row[TRANSFER_ROW_BYTES];
    const struct row_key key = row_key_of(sequence);
    const struct slice key_slice = row_slice(key.bytes, sizeof key.bytes);
    size_t length;
    enum error error = store_get(walk->tables->transfers, NULL, key_slice, row, sizeof row, &length);
    if (error && error != ERROR_NOT_FOUND && error != ERROR_REQUEST_INVALID)
        walk->error = error;
    return !error && transfer_parse(key_slice, row_slice(row, length), ret_transfer) &&
           ret_transfer->debit < walk->account_count && ret_transfer->credit < walk->account_count;
}

/* Into result->holds. NULL: there is no such hold, or it is in the walk. */
static struct hold *read_hold(struct walk *walk, uint64_t sequence, struct id id)
{
    struct transfer transfer;
    if (sequence == 0 || sequence >= walk->anchor.first || !read_transfer(walk, sequence, &transfer) ||
        transfer.kind != TRANSFER_PENDING || transfer_is_linked(&transfer) ||
        memcmp(&transfer.id, &id, sizeof id) != 0 || holds_find(walk->result->holds, id))
        return NULL;
    struct hold *hold = holds_add(&walk->result->holds, &transfer);
    while (hold->linked_count < WALLET_BUDGETS_MAX && sequence + 1 + hold->linked_count < walk->anchor.first &&
           read_transfer(walk, sequence + 1 + hold->linked_count, &transfer) && transfer.kind == TRANSFER_PENDING &&
           transfer_is_linked(&transfer))
        holds_link(hold, &transfer);
    return hold;
}

struct hold *verify_reopen_hold(struct walk *walk, const struct transfer *resolution)
{
    return resolution->sequence > walk->anchor.head.sequence ? read_hold(walk, resolution->related, resolution->id)
                                                             : NULL;
}

/* A hold has one detail row: its resolution. */
static bool is_resolved(struct walk *walk, uint64_t hold)
{
    unsigned char bytes[DETAIL_BYTES_MAX];
    const struct row_key key = row_key_of(hold);
    size_t length;
    enum error error =
        store_get(walk->tables->details, NULL, row_slice(key.bytes, sizeof key.bytes), bytes, sizeof bytes, &length);
    if (error && error != ERROR_NOT_FOUND)
        walk->error = error;
    return !error;
}

static bool load_row(void *context, struct slice key, struct slice value)
{
    struct walk *walk = context;
    struct transfer defer;
    struct slice detail;
    unsigned char bytes[DETAIL_BYTES_MAX];
    struct hold *hold;
    if (value.length != sizeof defer.id || !read_transfer(walk, row_key_parse(key), &defer) ||
        defer.kind != TRANSFER_DEFER || defer.related >= walk->anchor.first)
        return !walk->error; /* a false row is found when all are compared */
    walk->error = walk->error ? walk->error : verify_read_detail(walk, &defer, bytes, &detail);
    if (walk->error || is_resolved(walk, defer.related))
        return !walk->error;
    hold = read_hold(walk, defer.related, defer.id);
    if (hold && defer.sequence < walk->anchor.first) /* the others are deferred by the walk */
        take(walk, hold, &defer, detail);
    return !walk->error;
}

enum error verify_load_jobs(struct walk *walk)
{
    if (!walk->anchor.head.sequence)
        return ERROR_OK;
    enum error error = tables_scan_jobs(walk->tables, load_row, walk);
    return error ? error : walk->error;
}

/* ---- the table ---- */

struct comparison {
    struct walk *walk;
    unsigned right;
};

static bool compare_row(void *context, struct slice key, struct slice value)
{
    struct comparison *comparison = context;
    struct id id = {{0}};
    if (value.length == sizeof id)
        memcpy(&id, value.data, sizeof id);
    const struct hold *hold = holds_find(comparison->walk->result->deferred, id);
    if (hold && hold->job->sequence == row_key_parse(key))
        comparison->right++;
    else
        verify_find_fault(comparison->walk, INVARIANT_JOBS, "the job of transfer %llu names no open hold",
                          (unsigned long long)row_key_parse(key));
    return true;
}

enum error verify_compare_jobs(struct walk *walk)
{
    struct comparison comparison = {.walk = walk};
    enum error error = tables_scan_jobs(walk->tables, compare_row, &comparison);
    const unsigned deferred = HASH_COUNT(walk->result->deferred);
    if (!error && comparison.right != deferred)
        verify_find_fault(walk, INVARIANT_JOBS, "%u deferred holds, %u of them have a job", deferred, comparison.right);
    return error;
}
