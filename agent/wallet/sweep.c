/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines: a hold of this life that is older than limits.hold_deadline_s, and a job past its own, are settled whole.
 * Nobody asked for these settles: whoever forgot the hold finds it resolved. By the monotonic clock; what that means
 * for jobs over restarts is in defer.c. On the ledger thread, and at start.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/plant.h"

#include <stdio.h>
#include <string.h>

enum {
    NS_PER_S = 1000000000,
    SWEEP_EVERY_NS = NS_PER_S,
    SWEPT_MAX = 64,   /* in one transaction */
    SWEEPS_MAX = 8,   /* one after the other; then requests are waiting */
    TRY_AGAIN_S = 60, /* a job whose settle is refused (a sum would overflow) */
};

struct swept {
    struct wallet_operation settles[SWEPT_MAX];
    char labels[SWEPT_MAX][32 + WALLET_JOB_KEY_MAX]; /* of jobs */
    const char *payers[SWEPT_MAX];                   /* of jobs: accounts stay */
    unsigned count;
};

static struct wallet_operation settle_whole(const struct hold *hold)
{
    return (struct wallet_operation){
        .kind = WALLET_SETTLE, .id = hold->id, .amount = {hold->amount}, .basis = BASIS_WORST};
}

/* ---- holds of this life ---- */

/* The oldest is the first of the hash. */
static void settle_holds(struct wallet_ledger *ledger, int64_t now_ns, struct swept *swept)
{
    const int64_t deadline_ns = (int64_t)atomic_load(&ledger->hold_deadline_s) * NS_PER_S;
    if (!deadline_ns || PLANTED(PLANT_DEADLINE_MISSED))
        return;
    for (; ledger->holds && swept->count < SWEPT_MAX && ledger_has_room(ledger); swept->count++) {
        if (now_ns - ledger->holds->made_ns < deadline_ns)
            return;
        struct wallet_operation *settle = &swept->settles[swept->count];
        *settle = settle_whole(ledger->holds);
        ledger_operate(ledger, settle);
        if (settle->error)
            return;
    }
}

static void note_holds(struct wallet_ledger *ledger, const struct swept *swept)
{
    for (unsigned i = 0; i < swept->count; i++) {
        char id[ID_TEXT_MAX], amount[MONEY_TEXT_MAX];
        const struct wallet_operation *settle = &swept->settles[i];
        ledger_note(ledger, WALLET_NOTE_HOLD_EXPIRED, "hold %s was open for more than %u s: settled whole, %s USD",
                    id_format(settle->id, id), atomic_load(&ledger->hold_deadline_s),
                    money_format(settle->amount, amount));
    }
}

/* ---- jobs ---- */

static bool is_due(const struct job *job, int64_t now_ns)
{
    if (PLANTED(PLANT_JOB_BY_WALL_CLOCK))
        return job->deadline_s * NS_PER_S <= clock_wall_ns();
    return job->due_ns <= now_ns;
}

/* All of them are looked at only when one may be due. */
static void settle_jobs(struct wallet_ledger *ledger, int64_t now_ns, struct swept *swept)
{
    int64_t due_ns = INT64_MAX;
    struct hold *hold, *next;
    if (now_ns < ledger->jobs_due_ns && !PLANTED(PLANT_JOB_BY_WALL_CLOCK))
        return;
    HASH_ITER(hh, ledger->deferred, hold, next)
    {
        struct job *job = hold->job;
        if (swept->count == SWEPT_MAX || !ledger_has_room(ledger))
            return; /* jobs_due_ns stays in the past */
        if (is_due(job, now_ns)) {
            struct wallet_operation *settle = &swept->settles[swept->count];
            *settle = settle_whole(hold);
            snprintf(swept->labels[swept->count], sizeof swept->labels[0], "%s", job->text);
            swept->payers[swept->count] = ledger->accounts[hold->wallet]->name;
            ledger_operate(ledger, settle); /* frees the hold */
            swept->count += settle->error == ERROR_OK;
            if (settle->error == ERROR_OK)
                continue;
            job->due_ns = now_ns + (int64_t)TRY_AGAIN_S * NS_PER_S;
        }
        due_ns = job->due_ns < due_ns ? job->due_ns : due_ns;
    }
    ledger->jobs_due_ns = due_ns;
}

static void tell_job(struct wallet_ledger *ledger, const struct swept *swept, unsigned number)
{
    const struct wallet_operation *settle = &swept->settles[number];
    const char *label = swept->labels[number];
    struct wallet_payment payment = {
        .hold = settle->id, .time_ns = settle->time_ns, .written_off = settle->written_off, .basis = settle->basis};
    if (!ledger->options.job_expired)
        return;
    check(money_subtract(settle->amount, settle->written_off, &payment.paid) == ERROR_OK);
    snprintf(payment.wallet, sizeof payment.wallet, "%s", swept->payers[number]);
    snprintf(payment.provider, sizeof payment.provider, "%.*s", (int)strcspn(label, "/"), label);
    ledger->options.job_expired(ledger->options.context, &payment);
}

static void note_jobs(struct wallet_ledger *ledger, const struct swept *swept)
{
    for (unsigned i = 0; i < swept->count; i++) {
        char id[ID_TEXT_MAX], amount[MONEY_TEXT_MAX];
        const struct wallet_operation *settle = &swept->settles[i];
        ledger_note(ledger, WALLET_NOTE_HOLD_EXPIRED, "job %s passed its deadline: hold %s was settled whole, %s USD",
                    swept->labels[i], id_format(settle->id, id), money_format(settle->amount, amount));
        tell_job(ledger, swept, i);
    }
}

/* ---- both ---- */

typedef void settle_due(struct wallet_ledger *ledger, int64_t now_ns, struct swept *swept);
typedef void note_due(struct wallet_ledger *ledger, const struct swept *swept);

/* False: nothing was due any more, or the ledger has stopped. */
static bool sweep_once(struct wallet_ledger *ledger, settle_due *settle, note_due *note)
{
    struct swept swept;
    swept.count = 0;
    settle(ledger, clock_monotonic_ns(), &swept);
    enum error error = swept.count ? ledger_commit_batch(ledger) : ledger->broken;
    if (error)
        ledger_stop(ledger, error);
    else
        note(ledger, &swept);
    atomic_fetch_add(&ledger->expired, swept.count);
    return !error && swept.count == SWEPT_MAX;
}

void ledger_sweep(struct wallet_ledger *ledger)
{
    const int64_t now_ns = clock_monotonic_ns();
    if (now_ns - ledger->swept_ns < SWEEP_EVERY_NS || atomic_load(&ledger->is_stopped))
        return;
    ledger->swept_ns = now_ns;
    ledger->now_ns = clock_wall_ns();
    sweep_once(ledger, settle_holds, note_holds);
    for (unsigned i = 0; i < SWEEPS_MAX && sweep_once(ledger, settle_jobs, note_jobs); i++)
        ;
}

enum error ledger_expire_jobs(struct wallet_ledger *ledger)
{
    struct swept swept;
    enum error error = ERROR_OK;
    ledger->now_ns = clock_wall_ns();
    do {
        swept.count = 0;
        settle_jobs(ledger, clock_monotonic_ns(), &swept);
        error = ledger->broken;
        if (!error && swept.count)
            error = ledger_commit(ledger);
        if (!error)
            note_jobs(ledger, &swept);
    } while (!error && swept.count == SWEPT_MAX);
    return error;
}
