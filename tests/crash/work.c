/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The working child: opens the ledger, sends it fundings, adjustments, holds (with budgets, some content with less),
 * jobs that they become, and their resolutions (of jobs from earlier lives too), up to 64 at once, closes it and begins
 * again, until it is killed. What was asked is in the shared history before it is submitted, the answer is there the
 * moment it is given.
 */
#include "tests/crash/work.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IN_FLIGHT_MAX = 64, ROUNDS_MAX = 40 };

const struct wallet_options work_options = {.environment = "prod", .settle_recovered_in_full = true};

struct job {
    struct wallet_operation operation;
    struct history_entry *entry;
    _Atomic enum answer *answer;
};

static struct job jobs[IN_FLIGHT_MAX];
static atomic_uint waiting;

/* After a fail-stop nobody knows whether it happened. */
static void note(const struct wallet_operation *operation, struct history_entry *entry, _Atomic enum answer *answer)
{
    if (operation->error == ERROR_LEDGER_STOPPED)
        return;
    if (operation->error == ERROR_OK && operation->kind == WALLET_RESERVE)
        entry->amount = entry->amount_min = operation->held.nano;
    if (operation->error == ERROR_OK)
        atomic_store(answer, GRANTED);
    else if (atomic_load(answer) == ASKED)
        atomic_store(answer, REFUSED);
}

/* On the ledger thread. */
static void note_answer(struct wallet_operation *operation)
{
    const struct job *job = (const struct job *)(const void *)operation;
    note(operation, job->entry, job->answer);
    atomic_fetch_sub(&waiting, 1);
}

static void submit(struct wallet_ledger *ledger, struct job *job, struct history_entry *entry,
                   _Atomic enum answer *answer)
{
    enum answer asked = NOT_ASKED;
    job->entry = entry;
    job->answer = answer;
    atomic_compare_exchange_strong(answer, &asked, ASKED);
    job->operation.id = entry->id;
    job->operation.done = note_answer;
    atomic_fetch_add(&waiting, 1);
    wallet_submit(ledger, &job->operation);
}

enum error work_run(struct wallet_ledger *ledger, struct history_entry *entry, struct wallet_operation *operation)
{
    _Atomic enum answer *answer = operation->kind == WALLET_SETTLE  ? &entry->settle
                                  : operation->kind == WALLET_VOID  ? &entry->void_
                                  : operation->kind == WALLET_DEFER ? &entry->defer
                                                                    : &entry->made;
    operation->id = entry->id;
    atomic_store(answer, ASKED);
    wallet_run(ledger, operation);
    note(operation, entry, answer);
    return operation->error;
}

static void count_against_budgets(struct wallet_operation *operation, struct history_entry *entry)
{
    entry->bucket = history->bucket;
    for (unsigned i = 0; i < HISTORY_BUDGETS; i++) {
        if (random_next(3) == 0)
            continue;
        struct wallet_budget *budget = &operation->budgets[operation->budget_count++];
        history_name_budget(i, budget->name);
        budget->last = entry->bucket;
        budget->first = budget->last - (i == 1 ? 2 : 0); /* one of them rolls */
        budget->limit = history_limit_of(i);
        entry->budgets |= 1U << i;
    }
}

static void ask_new(struct wallet_ledger *ledger, struct job *job)
{
    static const enum wallet_operation_kind kinds[] = {WALLET_RESERVE, WALLET_FUND, WALLET_ADJUST};
    const unsigned draw = (unsigned)random_next(16);
    const enum history_kind kind = draw < 2 ? HISTORY_FUNDING : draw < 3 ? HISTORY_ADJUSTMENT : HISTORY_HOLD;
    int64_t amount = kind == HISTORY_FUNDING      ? 1 + (int64_t)random_next(600)
                     : kind == HISTORY_ADJUSTMENT ? (int64_t)random_next(100) - 70
                                                  : (int64_t)random_next(100);
    struct history_entry *entry = history_add(kind, amount);
    job->operation =
        (struct wallet_operation){.kind = kinds[kind], .amount = {amount}, .create = true, .note = "crash"};
    snprintf(job->operation.wallet, sizeof job->operation.wallet, "w%u", (unsigned)random_next(HISTORY_WALLETS));
    if (kind == HISTORY_HOLD) {
        if (random_next(2))
            strcpy(job->operation.provider, "openai");
        if (amount > 1 && random_next(3) == 0)
            entry->amount_min = job->operation.amount_min.nano = 1 + (int64_t)random_next((uint64_t)amount);
        if (random_next(2))
            count_against_budgets(&job->operation, entry);
    }
    submit(ledger, job, entry, &entry->made);
}

static void ask_resolution(struct wallet_ledger *ledger, struct job *job, struct history_entry *entry)
{
    bool is_void = random_next(6) == 0;
    if (!is_void && atomic_load(&entry->settle) == NOT_ASKED)
        entry->settled = (int64_t)random_next((uint64_t)entry->amount + 1); /* asked again: the same */
    job->operation = (struct wallet_operation){.kind = is_void ? WALLET_VOID : WALLET_SETTLE,
                                               .amount = {is_void ? 0 : entry->settled},
                                               .provider = "openai",
                                               .memo = {.model = "gpt-4o-mini", .provider = "openai"}};
    submit(ledger, job, entry, is_void ? &entry->void_ : &entry->settle);
}

/* One in eight is over before it begins: taken whole by a sweep or the next start. */
static void ask_defer(struct wallet_ledger *ledger, struct job *job, struct history_entry *entry)
{
    if (atomic_load(&entry->defer) == NOT_ASKED)
        entry->is_brief = random_next(8) == 0; /* asked again: the same */
    job->operation = (struct wallet_operation){
        .kind = WALLET_DEFER,
        .job = {.provider = "openai", .note = "crash", .deadline_s = entry->is_brief ? 1 : INT64_C(4102444800)}};
    history_name_job(entry, job->operation.job.key);
    submit(ledger, job, entry, &entry->defer);
}

/* A void after bytes were sent must be refused, whatever else goes on. */
static void ask_forbidden(struct wallet_ledger *ledger, const struct history_entry *entry)
{
    struct wallet_operation operation = {.kind = WALLET_VOID, .id = entry->id, .bytes_were_sent = true};
    wallet_run(ledger, &operation);
    if (operation.error == ERROR_OK)
        violate(entry, "a hold was voided although bytes were sent");
}

static enum error run_simple(struct wallet_ledger *ledger, const char *wallet, enum history_kind kind, int64_t amount)
{
    struct wallet_operation operation = {.kind = kind == HISTORY_HOLD ? WALLET_RESERVE : WALLET_FUND,
                                         .amount = {amount},
                                         .create = true,
                                         .note = "crash"};
    snprintf(operation.wallet, sizeof operation.wallet, "%s", wallet);
    return work_run(ledger, history_add(kind, amount), &operation);
}

/* With nothing left, not even a hold of 0 is granted. */
static void ask_for_nothing(struct wallet_ledger *ledger)
{
    char wallet[WALLET_NAME_MAX];
    snprintf(wallet, sizeof wallet, "empty-%u", atomic_load(&history->count)); /* another one each time */
    if (run_simple(ledger, wallet, HISTORY_FUNDING, 1) || run_simple(ledger, wallet, HISTORY_HOLD, 1))
        violate(NULL, "a wallet with 1 refused a hold of 1");
    if (run_simple(ledger, wallet, HISTORY_HOLD, 0) == ERROR_OK)
        violate(NULL, "an empty wallet granted a hold of 0");
}

static bool is_open(const struct history_entry *entry)
{
    return entry->kind == HISTORY_HOLD && atomic_load(&entry->made) == GRANTED;
}

/* Something of this life; or what an earlier one has left to a job. */
static struct history_entry *pick_entry(unsigned first)
{
    const unsigned count = atomic_load(&history->count);
    struct history_entry *entry = &history->entries[random_next(count)];
    if (random_next(8) == 0 && entry->defer == GRANTED && !entry->is_brief)
        return entry;
    return &history->entries[first + random_next(count - first)];
}

static void work_round(struct wallet_ledger *ledger, unsigned first)
{
    unsigned jobs_wanted = 1 + (unsigned)random_next(IN_FLIGHT_MAX);
    for (unsigned i = 0; i < jobs_wanted; i++) {
        struct history_entry *entry = pick_entry(first);
        if (!is_open(entry) || random_next(2))
            ask_new(ledger, &jobs[i]);
        else if (random_next(4) == 0)
            ask_defer(ledger, &jobs[i], entry);
        else
            ask_resolution(ledger, &jobs[i], entry);
    }
    while (atomic_load(&waiting))
        usleep(20);
    const struct history_entry *entry = &history->entries[first + random_next(atomic_load(&history->count) - first)];
    if (is_open(entry) && entry->settle == NOT_ASKED && entry->void_ == NOT_ASKED)
        ask_forbidden(ledger, entry);
}

static bool has_room(void)
{
    return atomic_load(&history->count) + IN_FLIGHT_MAX + 4 < HISTORY_ENTRIES_MAX;
}

/* From one opening to the next: only holds of this life, and of jobs, can still be resolved. */
static bool live(const char *directory)
{
    struct wallet_options options = work_options;
    struct wallet_ledger *ledger;
    unsigned recovered;
    options.directory = directory;
    enum error error = wallet_open(&options, &ledger, &recovered);
    if (error) {
        violate(NULL, error_row(error)->text);
        violate(NULL, "the ledger could not be opened");
        return false;
    }
    unsigned first = atomic_load(&history->count);
    history->bucket += (uint32_t)random_next(2);
    atomic_store(&history->is_ready, true);
    ask_for_nothing(ledger);
    for (unsigned rounds = (unsigned)random_next(ROUNDS_MAX); rounds > 0 && has_room(); rounds--)
        work_round(ledger, first);
    wallet_close(ledger);
    return true;
}

void work(const char *directory)
{
    while (has_room() && live(directory))
        ;
}
