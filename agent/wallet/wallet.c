/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's life: open (load, verify, resolve what a crash left open and no job keeps), close, and the small
 * questions. See internal.h for the picture of the whole.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/plant.h"

#include <stdio.h>
#include <stdlib.h>

static _Thread_local char open_failure[512];

/* What a crash left open was dispatched by assumption: it is charged, never given back (ledger.md, "Model"). */
static enum error recover_hold(struct wallet_ledger *ledger, const struct hold *hold, bool in_full)
{
    struct wallet_operation operation = {
        .kind = PLANTED(PLANT_RECOVER_AS_VOID) ? WALLET_VOID : WALLET_SETTLE,
        .id = hold->id,
        .amount = {in_full ? hold->amount : hold->floor},
        .basis = BASIS_RECOVERED,
    };
    ledger_operate(ledger, &operation);
    return operation.error;
}

/* Those of jobs are none: their requests have had their answer. */
static struct hold *find_lost_hold(const struct wallet_ledger *ledger)
{
    return ledger->holds || !PLANTED(PLANT_JOB_RECOVERED) ? ledger->holds : ledger->deferred;
}

static enum error recover_holds(struct wallet_ledger *ledger, bool in_full, unsigned *ret_recovered)
{
    enum error error = ERROR_OK;
    unsigned recovered = 0;
    ledger->now_ns = clock_wall_ns();
    while (find_lost_hold(ledger) && !error && !PLANTED(PLANT_HOLDS_FORGOTTEN)) {
        for (; find_lost_hold(ledger) && ledger_has_room(ledger) && !error; recovered++)
            error = recover_hold(ledger, find_lost_hold(ledger), in_full);
        error = error ? error : ledger_commit(ledger);
    }
    if (!error)
        *ret_recovered = recovered;
    return error;
}

static enum error create_book(struct wallet_ledger *ledger)
{
    enum error error = ledger_put_schema(ledger);
    for (unsigned kind = ledger->account_count; kind < BASE_ACCOUNTS; kind++)
        book_create(ledger, (enum account_kind)kind, "");
    return error ? error : ledger_commit(ledger);
}

static enum error verify_at_start(struct wallet_ledger *ledger)
{
    struct verification verification;
    enum error error = ledger_verify(&ledger->tables, true, false, &verification);
    if (error)
        return error;
    ledger->has_unenforced = verification.has_unenforced;
    ledger->holds = verification.holds;
    ledger->deferred = verification.deferred;
    ledger_take_jobs(ledger, verification.jobs);
    for (unsigned i = 0; i < INVARIANT_COUNT && !open_failure[0]; i++)
        snprintf(open_failure, sizeof open_failure, "%s", verification.findings[i].first);
    return verification_is_clean(&verification) ? ERROR_OK : ERROR_STORE_CORRUPT;
}

static char *copy_text(const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    check(copy != NULL || text == NULL);
    return copy;
}

static struct wallet_ledger *ledger_new(const struct wallet_options *options)
{
    struct wallet_ledger *ledger = calloc(1, sizeof *ledger);
    check(ledger != NULL);
    ledger->rows = calloc(ROWS_MAX, sizeof *ledger->rows);
    ledger->touched = calloc(TOUCHED_MAX, sizeof(struct account *));
    check(ledger->rows != NULL && ledger->touched != NULL);
    ledger->options = *options;
    ledger->jobs_due_ns = INT64_MAX;
    ledger->options.directory = copy_text(options->directory);
    ledger->options.environment = copy_text(options->environment);
    snprintf(ledger->environment, sizeof ledger->environment, "%s", options->environment);
    mailbox_init(&ledger->mailbox);
    check(pthread_mutex_init(&ledger->publish_lock, NULL) == 0);
    check(pthread_mutex_init(&ledger->spans_lock, NULL) == 0);
    check(pthread_mutex_init(&ledger->chores_lock, NULL) == 0);
    check(pthread_cond_init(&ledger->chores_wanted, NULL) == 0);
    upkeep_store(ledger, &options->upkeep);
    ledger->options.upkeep = (struct wallet_upkeep){0}; /* which has copies */
    return ledger;
}

/* In the list of changes are those too that ended in a batch that failed. */
static void free_jobs(struct wallet_ledger *ledger)
{
    for (struct job *job = ledger->changed_jobs, *next; job; job = next) {
        next = job->next_changed;
        if (job->is_ended)
            free(job);
    }
    jobs_free(&ledger->jobs);
}

static void ledger_free(struct wallet_ledger *ledger)
{
    tables_close(&ledger->tables);
    holds_free(&ledger->holds);
    holds_free(&ledger->deferred);
    transfers_forget(ledger);
    book_free(ledger);
    mailbox_done(&ledger->mailbox);
    upkeep_free(ledger);
    pthread_cond_destroy(&ledger->chores_wanted);
    pthread_mutex_destroy(&ledger->chores_lock);
    pthread_mutex_destroy(&ledger->publish_lock);
    pthread_mutex_destroy(&ledger->spans_lock);
    free(ledger->spans);
    ledger_unpublish(ledger);
    free_jobs(ledger);
    free((char *)(uintptr_t)ledger->options.directory);
    free((char *)(uintptr_t)ledger->options.environment);
    free(ledger->touched);
    free(ledger->rows);
    free(ledger);
}

const char *wallet_failure(void)
{
    return open_failure;
}

/* The store's words, before it is closed. */
static enum error refuse_to_open(struct wallet_ledger *ledger, enum error error)
{
    const char *why = store_failure(ledger->tables.store); /* NULL: it could not be opened */
    if (why[0])
        snprintf(open_failure, sizeof open_failure, "%s", why);
    ledger_free(ledger);
    return error;
}

enum error wallet_open(const struct wallet_options *options, struct wallet_ledger **ret_ledger, unsigned *ret_recovered)
{
    struct wallet_ledger *ledger = ledger_new(options);
    bool is_new = false;
    unsigned recovered = 0, schema = 0;
    open_failure[0] = '\0';
    enum error error = tables_open(options->directory, options->must_exist, &ledger->tables);
    error = error ? error : ledger_migrate(ledger, &schema);
    error = error ? error : ledger_load(ledger, &is_new);
    if (!error && is_new)
        error = create_book(ledger);
    error = error ? error : verify_at_start(ledger);
    error = error ? error : recover_holds(ledger, options->settle_recovered_in_full, &recovered);
    error = error ? error : ledger_expire_jobs(ledger);
    if (error)
        return refuse_to_open(ledger, error);
    ledger_publish(ledger);
    atomic_store(&ledger->recovered, recovered);
    if (schema && schema != LEDGER_SCHEMA)
        ledger_note(ledger, WALLET_NOTE_MIGRATED, "the ledger was brought from schema %u to %u", schema,
                    (unsigned)LEDGER_SCHEMA);
    ledger->transfers_at_verification = ledger->head.sequence;
    ledger_start_threads(ledger);
    *ret_ledger = ledger;
    *ret_recovered = recovered;
    return ERROR_OK;
}

/* The last anchor lets the next start verify nothing again. */
static void write_last_anchor(struct wallet_ledger *ledger)
{
    if (atomic_load(&ledger->is_stopped) || ledger->anchor.head.sequence == ledger->head.sequence)
        return;
    ledger->wants_anchor = true;
    enum error error = ledger_commit(ledger);
    (void)error; /* without it the next start only takes longer */
}

void wallet_close(struct wallet_ledger *ledger)
{
    if (!ledger)
        return;
    ledger_stop_threads(ledger);
    write_last_anchor(ledger);
    ledger_free(ledger);
}

const char *wallet_basis_name(enum wallet_basis basis)
{
    static const char *const names[] = {"exact", "partial", "estimate", "worst", "recovered", "none"};
    check((unsigned)basis < sizeof names / sizeof *names);
    return names[basis];
}

void wallet_get_statistics(struct wallet_ledger *ledger, struct wallet_statistics *ret_statistics)
{
    *ret_statistics = (struct wallet_statistics){
        .operations = atomic_load_explicit(&ledger->operations, memory_order_relaxed),
        .batches = atomic_load_explicit(&ledger->batches, memory_order_relaxed),
        .refusals = atomic_load_explicit(&ledger->refusals, memory_order_relaxed),
        .recovered = atomic_load_explicit(&ledger->recovered, memory_order_relaxed),
        .expired = atomic_load_explicit(&ledger->expired, memory_order_relaxed),
        .sequence = atomic_load(&ledger->sequence),
        .is_stopped = atomic_load(&ledger->is_stopped),
        .is_disk_low = atomic_load(&ledger->is_disk_low),
    };
    histogram_add(&ledger->commits, &ret_statistics->commits);
}
