/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: how a hold outlives its request, and how it leaves its job. Runs on the ledger thread only.
 *
 * How a job is kept, and why so. A DEFER is a transfer like the others: immutable, in the chain of hashes, in its
 * wallet's chain, with the job (provider, key, note, deadline) as its detail. It moves no money: what is held stays
 * pending in the same accounts, so invariants 1 to 7 and the hold's shares of budgets need to know nothing of jobs, and
 * its POST or VOID is the usual one. (An account per job would move money twice and keep an account for ever.) What the
 * journal alone cannot give is which jobs are open without reading it back to the oldest of them, a day or a week: that
 * is the table `jobs`, one row of 24 bytes from DEFER to resolution, written and removed in their transactions and
 * checked against the journal by every verification (invariant 8). In memory a deferred hold moves to a set of its own,
 * so that whatever handles the holds of this life (a start's recovery, limits.hold_deadline_s, the anchor) never sees
 * it.
 *
 * Deadlines are wall-clock seconds. What is promised:
 *   - While the agent runs, what is left is counted by the monotonic clock from the DEFER on: a wall clock that jumps,
 *     either way, ends no job early or late. Time asleep does not count (CLOCK_MONOTONIC).
 *   - At start what is left is the deadline less the wall clock of that moment; never more than there was at the DEFER,
 *     so that a clock gone back keeps no hold for years. A clock that is wrong at that moment, forwards, is believed:
 *     nothing else tells how long the agent was down.
 *   - A deadline that has passed already is accepted (refusing it would lose the job) and ends with the next sweep.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/plant.h"

enum { NS_PER_S = 1000000000 };

/* ---- deadlines ---- */

static int64_t left_ns(const struct job *job, int64_t wall_ns)
{
    const __int128 deadline_ns = (__int128)job->deadline_s * NS_PER_S;
    __int128 left = deadline_ns - wall_ns, whole = deadline_ns - job->made_ns;
    left = left < whole ? left : whole;
    return left < 0 ? 0 : left > INT64_MAX ? INT64_MAX : (int64_t)left;
}

static void set_due(struct wallet_ledger *ledger, struct job *job, int64_t wall_ns)
{
    const int64_t left = left_ns(job, wall_ns);
    if (__builtin_add_overflow(clock_monotonic_ns(), left, &job->due_ns))
        job->due_ns = INT64_MAX;
    if (job->due_ns < ledger->jobs_due_ns)
        ledger->jobs_due_ns = job->due_ns;
}

void ledger_take_jobs(struct wallet_ledger *ledger, struct job *jobs)
{
    const int64_t wall_ns = clock_wall_ns();
    ledger->jobs = jobs;
    for (struct job *job = jobs; job; job = job->hh.next)
        set_due(ledger, job, wall_ns);
    jobs_publish_all(ledger);
}

/* ---- begin and end ---- */

static void note_change(struct wallet_ledger *ledger, struct job *job)
{
    if (job->is_changed)
        return;
    job->is_changed = true;
    job->next_changed = ledger->changed_jobs;
    ledger->changed_jobs = job;
}

void ledger_end_job(struct wallet_ledger *ledger, struct job *job)
{
    jobs_remove(&ledger->jobs, job);
    job->is_ended = true;
    note_change(ledger, job);
}

static void defer(struct wallet_ledger *ledger, struct hold *hold, const struct wallet_job *asked)
{
    struct transfer transfer = {
        .kind = TRANSFER_DEFER,
        .basis = BASIS_NONE,
        .id = hold->id,
        .amount = hold->amount,
        .debit = hold->wallet,
        .credit = hold->counterparty,
        .related = hold->sequence,
    };
    transfers_add_defer(ledger, &transfer, asked);
    struct job *job = jobs_add(&ledger->jobs, hold, &transfer, asked);
    check(job != NULL);
    jobs_move_hold(&ledger->holds, &ledger->deferred, hold);
    set_due(ledger, job, ledger->now_ns);
    note_change(ledger, job);
}

/* ---- the operation ---- */

/* The key is the provider's word: what may not be printed is no id. */
static bool is_key_valid(const char *key, size_t bytes_max)
{
    size_t length = strnlen(key, bytes_max);
    if (length == 0 || length == bytes_max)
        return false;
    for (size_t i = 0; i < length; i++)
        if (key[i] <= ' ' || key[i] > '~')
            return false;
    return true;
}

static bool is_job_valid(const struct wallet_job *job)
{
    return book_name_is_valid(job->provider, sizeof job->provider) && is_key_valid(job->key, sizeof job->key) &&
           strnlen(job->note, sizeof job->note) < sizeof job->note && job->deadline_s > 0 &&
           job->deadline_s <= INT64_MAX / NS_PER_S;
}

/* There is no such open hold. */
static enum error explain(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    struct transfer earlier;
    uint64_t sequence, resolution;
    enum error error = transfers_find(ledger, operation->id, &sequence, &resolution);
    if (error)
        return error == ERROR_NOT_FOUND ? ERROR_TRANSFER_UNKNOWN : error;
    error = transfers_read(ledger, sequence, &earlier);
    if (error)
        return error;
    if (earlier.kind != TRANSFER_PENDING)
        return ERROR_TRANSFER_CONFLICT;
    if (!resolution)
        return ERROR_STORE_CORRUPT; /* neither open nor resolved */
    operation->held.nano = earlier.amount;
    operation->available.nano = balance_available(&ledger->accounts[earlier.debit]->balance);
    return ERROR_TRANSFER_RESOLVED;
}

static void answer(struct wallet_ledger *ledger, struct wallet_operation *operation, const struct hold *hold)
{
    const struct account *wallet = ledger->accounts[hold->wallet];
    operation->held.nano = hold->amount;
    operation->available.nano = balance_available(&wallet->balance);
    operation->job.hold = hold->id;
    operation->job.held.nano = hold->amount;
    memcpy(operation->job.wallet, wallet->name, sizeof operation->job.wallet);
}

/* It is granted on a full disk too: the row costs what a settle costs, and without it the money would be taken. */
enum error ledger_defer(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    const struct wallet_job *asked = &operation->job;
    if (!is_job_valid(asked))
        return ERROR_REQUEST_INVALID;
    struct hold *hold = ledger_find_hold(ledger, operation->id);
    if (!hold)
        return explain(ledger, operation);
    const struct job *job = jobs_find(ledger->jobs, asked->provider, asked->key);
    answer(ledger, operation, hold);
    if (hold->job)
        return hold->job == job ? ERROR_OK : ERROR_TRANSFER_CONFLICT;
    if (job)
        return PLANTED(PLANT_JOB_TAKEN_TWICE) ? ERROR_OK : ERROR_TRANSFER_CONFLICT;
    if (HASH_COUNT(ledger->jobs) >= JOBS_MAX)
        return ERROR_OVERLOADED;
    defer(ledger, hold, asked);
    return ERROR_OK;
}
