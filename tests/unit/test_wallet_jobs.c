/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: holds that outlive their request and the agent. What DEFER answers, what a restart keeps, deadlines under
 * clocks that jump (scripted), what the audit finds, dumps and backups. Every play ends with an audit.
 */
#include "tests/unit/wallet_plays.h"

#include "base/clock.h"
#include "wallet/internal.h" /* the bound, the schema, a verification from the anchor */

#include <stdatomic.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

enum { HOUR_S = 3600, DAY_S = 86400 };
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* ---- clocks that tests move, a disk that they fill ---- */

static atomic_llong monotonic_skipped_s, wall_skipped_s;
static atomic_ullong disk_free_bytes = UINT64_C(1) << 40;

static int64_t now_of(clockid_t clock, long long skipped_s)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return ((int64_t)now.tv_sec + skipped_s) * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return now_of(CLOCK_MONOTONIC, atomic_load(&monotonic_skipped_s));
}

int64_t clock_wall_ns(void)
{
    return now_of(CLOCK_REALTIME, atomic_load(&wall_skipped_s));
}

char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    snprintf(text, CLOCK_TEXT_MAX, "%lld", (long long)wall_ns);
    return text;
}

int statvfs(const char *path, struct statvfs *ret_status)
{
    (void)path;
    *ret_status = (struct statvfs){.f_bsize = 1, .f_frsize = 1};
    ret_status->f_bavail = ret_status->f_bfree = atomic_load(&disk_free_bytes);
    return 0;
}

static void skip(long long monotonic_s, long long wall_s)
{
    atomic_fetch_add(&monotonic_skipped_s, monotonic_s);
    atomic_fetch_add(&wall_skipped_s, wall_s);
}

static int64_t in_s(int64_t seconds)
{
    return clock_wall_ns() / 1000000000 + seconds;
}

/* ---- what the administrator is told ---- */

static atomic_uint expired;
static char last_expired[512];

static void note(void *context, enum wallet_note what, const char *text)
{
    (void)context;
    if (what != WALLET_NOTE_HOLD_EXPIRED)
        return;
    snprintf(last_expired, sizeof last_expired, "%s", text);
    atomic_fetch_add(&expired, 1);
}

static struct wallet_ledger *open_noted(bool in_full, uint32_t hold_deadline_s, unsigned recovered_wanted)
{
    atomic_store(&expired, 0);
    return open_with((struct wallet_options){.settle_recovered_in_full = in_full,
                                             .upkeep.hold_deadline_s = hold_deadline_s,
                                             .upkeep.low_water_bytes = 1 << 30,
                                             .noted = note},
                     recovered_wanted);
}

/* ---- plays ---- */

struct line {
    enum wallet_operation_kind kind;
    unsigned id;
    int64_t amount;
    const char *provider, *key; /* of the job */
    enum error error;
    int64_t available, held;
};

#define FUND(id, amount)                                                                                               \
    {                                                                                                                  \
        WALLET_FUND, id, amount, NULL, NULL, ERROR_OK, amount, 0                                                       \
    }
/* amount of a DEFER: seconds from now to the deadline, 0: a day */
#define DEFER(id, provider, key, error, available, held)                                                               \
    {                                                                                                                  \
        WALLET_DEFER, id, 0, provider, key, error, available, held                                                     \
    }

static struct wallet_operation operation_of(const struct line *line)
{
    struct wallet_operation operation = {.kind = line->kind,
                                         .id = id_number(line->id),
                                         .amount = {line->kind == WALLET_DEFER ? 0 : line->amount},
                                         .floor = {line->kind == WALLET_RESERVE ? line->amount / 2 : 0},
                                         .provider = "openai",
                                         .create = true,
                                         .note = "test"};
    snprintf(operation.wallet, sizeof operation.wallet, "%s", line->kind == WALLET_DEFER ? "" : "w");
    if (line->kind == WALLET_RESERVE) {
        operation.budget_count = 1;
        operation.budgets[0] = (struct wallet_budget){.name = "b", .first = 10, .last = 10, .limit = MONEY_MAX};
    }
    if (line->kind == WALLET_DEFER) {
        operation.job.deadline_s = in_s(line->amount ? line->amount : DAY_S);
        snprintf(operation.job.provider, sizeof operation.job.provider, "%s", line->provider);
        snprintf(operation.job.key, sizeof operation.job.key, "%s", line->key);
        snprintf(operation.job.note, sizeof operation.job.note, "note %u", line->id);
    }
    return operation;
}

static void play_line(struct wallet_ledger *ledger, const struct line *line, size_t i)
{
    struct wallet_operation operation = operation_of(line);
    wallet_run(ledger, &operation);
    EXPECT(operation.error == line->error, "line %zu: %s, wanted %s", i, error_row(operation.error)->name,
           error_row(line->error)->name);
    EXPECT(operation.available.nano == line->available && operation.held.nano == line->held,
           "line %zu: %lld available, %lld held, wanted %lld and %lld", i, (long long)operation.available.nano,
           (long long)operation.held.nano, (long long)line->available, (long long)line->held);
    if (line->kind == WALLET_DEFER && line->error == ERROR_OK) {
        const struct id id = id_number(line->id);
        EXPECT_STRING(operation.job.wallet, "w");
        EXPECT_INTEGER(operation.job.held.nano, line->held);
        CU_ASSERT_EQUAL(memcmp(&operation.job.hold, &id, sizeof id), 0);
    }
}

static void play_on(struct wallet_ledger *ledger, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        play_line(ledger, &lines[i], i);
}
#define PLAY_ON(ledger, lines) play_on(ledger, lines, COUNT(lines))

static struct wallet_job expect_job(struct wallet_ledger *ledger, const char *key, unsigned id, int64_t held)
{
    struct wallet_job job = {.key = ""};
    const struct id hold = id_number(id);
    char wanted[32];
    enum error error = wallet_find_job(ledger, "openai", key, &job);
    EXPECT(error == ERROR_OK, "%s: %s", key, error_row(error)->name);
    snprintf(wanted, sizeof wanted, "note %u", id);
    EXPECT_STRING(job.key, key);
    EXPECT_STRING(job.provider, "openai");
    EXPECT_STRING(job.note, wanted);
    EXPECT_STRING(job.wallet, "w");
    EXPECT_INTEGER(job.held.nano, held);
    EXPECT(memcmp(&job.hold, &hold, sizeof hold) == 0, "%s: another hold", key);
    return job;
}

static void expect_no_job(struct wallet_ledger *ledger, const char *provider, const char *key)
{
    struct wallet_job job;
    enum error error = wallet_find_job(ledger, provider, key, &job);
    EXPECT(error == ERROR_NOT_FOUND, "%s: %s", key, error_row(error)->name);
}

static void expect_budget(struct wallet_ledger *ledger, int64_t spent, int64_t held)
{
    struct wallet_budget_facts facts;
    wallet_find_budget(ledger, "b", 10, 10, &facts);
    EXPECT_INTEGER(facts.spent.nano, spent);
    EXPECT_INTEGER(facts.held.nano, held);
}

TEST(jobs_answer)
{
    static const char long_key[WALLET_JOB_KEY_MAX] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                     "aaaaaaaa";
    const struct line lines[] = {
        FUND(1, 1000),
        {WALLET_RESERVE, 2, 100, NULL, NULL, ERROR_OK, 900, 100},
        {WALLET_RESERVE, 3, 50, NULL, NULL, ERROR_OK, 850, 50},
        DEFER(2, "", "r1", ERROR_REQUEST_INVALID, 0, 0),
        DEFER(2, "open ai", "r1", ERROR_REQUEST_INVALID, 0, 0),
        DEFER(2, "open/ai", "r1", ERROR_REQUEST_INVALID, 0, 0),
        DEFER(2, "openai", "", ERROR_REQUEST_INVALID, 0, 0),
        DEFER(2, "openai", "a b", ERROR_REQUEST_INVALID, 0, 0),
        DEFER(2, "openai", "a\nb", ERROR_REQUEST_INVALID, 0, 0),
        DEFER(2, "openai", "\xff", ERROR_REQUEST_INVALID, 0, 0),
        {WALLET_DEFER, 2, -(INT64_C(1) << 40), "openai", "r1", ERROR_REQUEST_INVALID, 0, 0},
        {WALLET_DEFER, 2, INT64_C(1) << 60, "openai", "r1", ERROR_REQUEST_INVALID, 0, 0},
        DEFER(9, "openai", "r1", ERROR_TRANSFER_UNKNOWN, 0, 0),
        DEFER(1, "openai", "r1", ERROR_TRANSFER_CONFLICT, 0, 0), /* a funding */
        DEFER(2, "openai", "r1", ERROR_OK, 850, 100),
        DEFER(2, "openai", "r1", ERROR_OK, 850, 100),
        DEFER(3, "openai", "r1", ERROR_TRANSFER_CONFLICT, 850, 50),  /* another hold */
        DEFER(2, "openai", "r2", ERROR_TRANSFER_CONFLICT, 850, 100), /* another job */
        DEFER(2, "other", "r1", ERROR_TRANSFER_CONFLICT, 850, 100),
        DEFER(3, "other", "r1", ERROR_OK, 850, 50),               /* a provider's ids are its own */
        {WALLET_RESERVE, 2, 100, NULL, NULL, ERROR_OK, 850, 100}, /* it is open, as ever */
        {WALLET_RESERVE, 4, 851, NULL, NULL, ERROR_WALLET_EXHAUSTED, 850, 0},
        {WALLET_SETTLE, 2, 30, NULL, NULL, ERROR_OK, 920, 100},
        {WALLET_SETTLE, 2, 30, NULL, NULL, ERROR_OK, 920, 100},
        {WALLET_SETTLE, 2, 31, NULL, NULL, ERROR_TRANSFER_RESOLVED, 920, 100},
        DEFER(2, "openai", "r1", ERROR_TRANSFER_RESOLVED, 920, 100),
        {WALLET_VOID, 3, 0, NULL, NULL, ERROR_OK, 970, 50},
        {WALLET_VOID, 3, 0, NULL, NULL, ERROR_OK, 970, 50},
        DEFER(3, "other", "r1", ERROR_TRANSFER_RESOLVED, 970, 50),
        {WALLET_RESERVE, 5, 10, NULL, NULL, ERROR_OK, 960, 10},
        DEFER(5, "openai", "r1", ERROR_OK, 960, 10),            /* what has ended is forgotten */
        {WALLET_SETTLE, 5, 500, NULL, NULL, ERROR_OK, 470, 10}, /* above the hold, as ever */
        {WALLET_RESERVE, 6, 10, NULL, NULL, ERROR_OK, 460, 10},
        DEFER(6, "openai", long_key, ERROR_OK, 460, 10),
        {WALLET_SETTLE, 6, 10, NULL, NULL, ERROR_OK, 460, 10},
    };
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    play_on(ledger, lines, 15);
    expect_job(ledger, "r1", 2, 100);
    expect_facts(ledger, "w", 850, 150, 0, 1000);
    play_on(ledger, lines + 15, COUNT(lines) - 15);
    expect_no_job(ledger, "openai", "r1");
    expect_no_job(ledger, "other", "r1");
    expect_no_job(ledger, "openai", long_key);
    EXPECT_INTEGER(wallet_list_jobs(ledger, NULL, 0), 0);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- restarts ---- */

static const struct line two_jobs[] = {
    FUND(1, 1000),
    {WALLET_RESERVE, 2, 100, NULL, NULL, ERROR_OK, 900, 100},
    {WALLET_RESERVE, 3, 50, NULL, NULL, ERROR_OK, 850, 50},
    {WALLET_RESERVE, 4, 20, NULL, NULL, ERROR_OK, 830, 20},
    DEFER(2, "openai", "r2", ERROR_OK, 830, 100),
    DEFER(4, "openai", "r4", ERROR_OK, 830, 20),
};

/* The holds of jobs stay, in the wallet and in budgets; the others are charged, whole or the floor (a half). */
TEST(jobs_survive_restarts)
{
    static const struct line late[] = {
        DEFER(2, "openai", "r2", ERROR_OK, 0, 100),
        DEFER(4, "openai", "r2", ERROR_TRANSFER_CONFLICT, 0, 20),
        DEFER(3, "openai", "r3", ERROR_TRANSFER_RESOLVED, 0, 50),
        {WALLET_RESERVE, 2, 100, NULL, NULL, ERROR_OK, 0, 100},
        {WALLET_SETTLE, 2, 40, NULL, NULL, ERROR_OK, 60, 100},
        {WALLET_SETTLE, 2, 40, NULL, NULL, ERROR_OK, 60, 100},
    };
    for (int in_full = 0; in_full < 2; in_full++) {
        const int64_t spent = in_full ? 50 : 25;
        make_directory();
        struct wallet_ledger *ledger = open_ledger(in_full, 0);
        PLAY_ON(ledger, two_jobs);
        wallet_close(ledger);
        expect_clean_audit();
        ledger = open_ledger(in_full, 1);
        expect_facts(ledger, "w", 880 - spent, 120, spent, 1000);
        expect_budget(ledger, spent, 120);
        expect_job(ledger, "r2", 2, 100);
        wallet_close(ledger);
        ledger = open_ledger(in_full, 0);
        for (size_t i = 0; i < COUNT(late); i++) {
            struct line line = late[i];
            line.available += 880 - spent;
            play_line(ledger, &line, i);
        }
        expect_no_job(ledger, "openai", "r2");
        expect_budget(ledger, spent + 40, 20);
        wallet_close(ledger);
        ledger = open_ledger(in_full, 0);
        expect_job(ledger, "r4", 4, 20);
        expect_no_job(ledger, "openai", "r2");
        expect_facts(ledger, "w", 940 - spent, 20, spent + 40, 1000);
        wallet_close(ledger);
        expect_clean_audit();
        remove_directory();
    }
}

/* Opens, plays, and ends without closing: the next start verifies from an older anchor on. */
static void play_and_die(const struct line *lines, size_t count)
{
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        struct wallet_ledger *ledger = open_ledger(true, 0);
        play_on(ledger, lines, count);
        _exit(CU_get_number_of_failures() ? 1 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_INTEGER(status, 0);
}

/* How many transfers a start reads. */
static uint64_t read_at_start(void)
{
    struct tables tables;
    struct verification verification = {.transfers = 0};
    CU_ASSERT_EQUAL_FATAL(tables_open(directory, true, &tables), ERROR_OK);
    CU_ASSERT_EQUAL(ledger_verify(&tables, true, false, &verification), ERROR_OK);
    CU_ASSERT_TRUE(verification_is_clean(&verification));
    verification_free(&verification);
    tables_close(&tables);
    return verification.transfers;
}

/* An open job is as old as it will; a start does not read the journal back to it. */
TEST(jobs_do_not_hold_the_anchor_back)
{
    static const struct line begin[] = {
        FUND(1, 1000),
        {WALLET_RESERVE, 2, 100, NULL, NULL, ERROR_OK, 900, 100},
        DEFER(2, "openai", "r2", ERROR_OK, 900, 100),
        {WALLET_RESERVE, 4, 20, NULL, NULL, ERROR_OK, 880, 20},
        DEFER(4, "openai", "r4", ERROR_OK, 880, 20),
    };
    static const struct line more[] = {
        {WALLET_RESERVE, 5, 30, NULL, NULL, ERROR_OK, 850, 30},
        DEFER(5, "openai", "r5", ERROR_OK, 850, 30),
        {WALLET_SETTLE, 2, 10, NULL, NULL, ERROR_OK, 940, 100}, /* one of before the anchor */
        {WALLET_RESERVE, 6, 30, NULL, NULL, ERROR_OK, 910, 30},
        DEFER(6, "openai", "r2", ERROR_OK, 910, 30), /* under the same key */
        {WALLET_VOID, 5, 0, NULL, NULL, ERROR_OK, 940, 30},
    };
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, begin);
    wallet_close(ledger);
    EXPECT_INTEGER(read_at_start(), 0);
    play_and_die(more, COUNT(more));
    EXPECT(read_at_start() < 12, "%llu transfers were read", (unsigned long long)read_at_start());
    ledger = open_ledger(true, 0);
    expect_job(ledger, "r4", 4, 20);
    expect_job(ledger, "r2", 6, 30);
    expect_no_job(ledger, "openai", "r5");
    expect_facts(ledger, "w", 940, 50, 10, 1000);
    wallet_close(ledger);
    EXPECT_INTEGER(read_at_start(), 0);
    expect_clean_audit();
    remove_directory();
}

/* The start walks from 3 on: 2's hold is older, its DEFER is not, and before it the key was 4's. */
TEST(jobs_take_a_key_over_within_the_walk)
{
    static const struct line lines[] = {
        FUND(1, 1000),
        {WALLET_RESERVE, 2, 100, NULL, NULL, ERROR_OK, 900, 100},
        {WALLET_RESERVE, 3, 50, NULL, NULL, ERROR_OK, 850, 50},
        {WALLET_RESERVE, 4, 20, NULL, NULL, ERROR_OK, 830, 20},
        DEFER(4, "openai", "r", ERROR_OK, 830, 20),
        {WALLET_SETTLE, 4, 20, NULL, NULL, ERROR_OK, 830, 20},
        DEFER(2, "openai", "r", ERROR_OK, 830, 100),
    };
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, lines);
    wallet_close(ledger);
    ledger = open_ledger(true, 1);
    expect_job(ledger, "r", 2, 100);
    expect_facts(ledger, "w", 830, 100, 70, 1000);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- in one batch ---- */

static atomic_uint answered;

static void count_answer(struct wallet_operation *operation)
{
    (void)operation;
    atomic_fetch_add(&answered, 1);
}

/* All of them wait before the ledger thread looks, so most share a batch. */
static void run_at_once(struct wallet_ledger *ledger, struct wallet_operation *operations, unsigned count)
{
    atomic_store(&answered, 0);
    for (unsigned i = 0; i < count; i++) {
        operations[i].done = count_answer;
        wallet_submit(ledger, &operations[i]);
    }
    while (atomic_load(&answered) < count)
        usleep(50);
}

TEST(jobs_begin_and_end_in_one_batch)
{
    static const struct line fund[] = {FUND(1, 100000)};
    static struct wallet_operation operations[300];
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, fund);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < COUNT(operations); i++) {
            const unsigned id = 2 + round * 100 + i / 3;
            const struct line lines[] = {{WALLET_RESERVE, id, 7, NULL, NULL, ERROR_OK, 0, 0},
                                         DEFER(id, "openai", "same", ERROR_OK, 0, 0),
                                         {WALLET_SETTLE, id, 7, NULL, NULL, ERROR_OK, 0, 0}};
            operations[i] = operation_of(&lines[i % 3]);
        }
        run_at_once(ledger, operations, COUNT(operations) - (round == 19)); /* the last one stays */
        for (unsigned i = 0; i < COUNT(operations) - (round == 19); i++)
            EXPECT(operations[i].error == ERROR_OK, "%u: %s", i, error_row(operations[i].error)->name);
    }
    EXPECT_INTEGER(wallet_list_jobs(ledger, NULL, 0), 1);
    wallet_close(ledger);
    expect_clean_audit();
    ledger = open_ledger(true, 0);
    EXPECT_INTEGER(wallet_list_jobs(ledger, NULL, 0), 1);
    wallet_close(ledger);
    remove_directory();
}

/* ---- what others see ---- */

static atomic_bool is_reading;

/* Whatever is seen is whole: the hold that it says, or nothing. */
static void *read_jobs(void *context)
{
    struct wallet_ledger *ledger = context;
    uintptr_t wrong = 0;
    while (atomic_load(&is_reading)) {
        struct wallet_job job, listed[4];
        if (wallet_find_job(ledger, "openai", "same", &job) == ERROR_OK)
            wrong += job.held.nano != 7 || strncmp(job.note, "note ", 5) != 0 || strcmp(job.wallet, "w") != 0;
        for (size_t i = wallet_list_jobs(ledger, listed, 4); i-- > 0;)
            wrong += i < 4 && strcmp(listed[i].key, "same") != 0;
    }
    return (void *)wrong;
}

TEST(jobs_are_read_while_they_begin_and_end)
{
    static const struct line fund[] = {FUND(1, 100000)};
    pthread_t reader;
    void *wrong = NULL;
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, fund);
    atomic_store(&is_reading, true);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&reader, NULL, read_jobs, ledger), 0);
    for (unsigned i = 0; i < 300; i++) {
        const struct line lines[] = {{WALLET_RESERVE, 2 + i, 7, NULL, NULL, ERROR_OK, 100000 - 7 * (i + 1), 7},
                                     DEFER(2 + i, "openai", "same", ERROR_OK, 100000 - 7 * (i + 1), 7),
                                     {WALLET_SETTLE, 2 + i, 7, NULL, NULL, ERROR_OK, 100000 - 7 * (i + 1), 7}};
        PLAY_ON(ledger, lines);
    }
    atomic_store(&is_reading, false);
    pthread_join(reader, &wrong);
    CU_ASSERT_PTR_NULL(wrong);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

TEST(jobs_are_listed_by_deadline)
{
    static const unsigned order[] = {5, 2, 9, 0, 7, 1, 8, 4, 3, 6}; /* hours from now, in order of their making */
    static const struct line fund[] = {FUND(1, 1000)};
    struct wallet_job jobs[COUNT(order) + 1];
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, fund);
    for (unsigned i = 0; i < COUNT(order); i++) {
        char key[16];
        const struct line lines[] = {
            {WALLET_RESERVE, 10 + i, 1, NULL, NULL, ERROR_OK, 999 - i, 1},
            {WALLET_DEFER, 10 + i, (order[i] + 1) * HOUR_S, "openai", key, ERROR_OK, 999 - i, 1}};
        snprintf(key, sizeof key, "job-%u", order[i]);
        PLAY_ON(ledger, lines);
    }
    for (unsigned opening = 0; opening < 2; opening++) {
        EXPECT_INTEGER(wallet_list_jobs(ledger, jobs, COUNT(jobs)), COUNT(order));
        for (unsigned i = 0; i < COUNT(order); i++) {
            char key[16];
            snprintf(key, sizeof key, "job-%u", i);
            EXPECT_STRING(jobs[i].key, key);
        }
        memset(jobs, 0, sizeof jobs);
        EXPECT_INTEGER(wallet_list_jobs(ledger, jobs, 2), COUNT(order));
        EXPECT_STRING(jobs[1].key, "job-1");
        EXPECT_STRING(jobs[2].key, "");
        wallet_close(ledger);
        ledger = open_ledger(true, 0);
    }
    const struct line ends[] = {{WALLET_SETTLE, 13, 1, NULL, NULL, ERROR_OK, 990, 1}, /* job-0 */
                                {WALLET_VOID, 12, 0, NULL, NULL, ERROR_OK, 991, 1}};  /* job-9 */
    PLAY_ON(ledger, ends);
    EXPECT_INTEGER(wallet_list_jobs(ledger, jobs, COUNT(jobs)), COUNT(order) - 2);
    EXPECT_STRING(jobs[0].key, "job-1");
    EXPECT_STRING(jobs[COUNT(order) - 3].key, "job-8");
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

struct seen {
    char text[1024];
    size_t used;
};

static bool see(void *context, const struct wallet_transfer *transfer)
{
    struct seen *seen = context;
    seen->used += (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used, "%s %s %lld %s|",
                                   transfer->kind, transfer->wallet, (long long)transfer->amount.nano, transfer->note);
    return true;
}

TEST(jobs_are_in_the_history)
{
    static const struct line lines[] = {
        FUND(1, 1000),
        {WALLET_RESERVE, 2, 100, NULL, NULL, ERROR_OK, 900, 100},
        DEFER(2, "openai", "resp_1", ERROR_OK, 900, 100),
        DEFER(2, "openai", "resp_1", ERROR_OK, 900, 100), /* leaves nothing */
        {WALLET_SETTLE, 2, 30, NULL, NULL, ERROR_OK, 970, 100},
    };
    struct seen seen = {.used = 0};
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, lines);
    CU_ASSERT_EQUAL(wallet_history(ledger, "w", 100, see, &seen), ERROR_OK);
    EXPECT_STRING(seen.text, "post w 30 |defer w 100 resp_1|pending w 100 |fund w 1000 test|");
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- deadlines ---- */

/* Any operation makes the ledger thread look at what is due: it does so before it runs one. */
static void look_at_deadlines(struct wallet_ledger *ledger)
{
    static const struct line nothing = {WALLET_SETTLE, 999, 1, NULL, NULL, ERROR_TRANSFER_UNKNOWN, 0, 0};
    skip(2, 2);
    play_line(ledger, &nothing, 0);
}

static const struct line one_job[] = {
    FUND(1, 1000),
    {WALLET_RESERVE, 2, 100, NULL, NULL, ERROR_OK, 900, 100},
    {WALLET_DEFER, 2, HOUR_S, "openai", "resp_1", ERROR_OK, 900, 100},
};

static void expect_taken(struct wallet_ledger *ledger)
{
    static const struct line late[] = {
        {WALLET_SETTLE, 2, 10, NULL, NULL, ERROR_TRANSFER_RESOLVED, 900, 100},
        DEFER(2, "openai", "resp_1", ERROR_TRANSFER_RESOLVED, 900, 100),
    };
    expect_no_job(ledger, "openai", "resp_1");
    EXPECT_INTEGER(expired, 1);
    EXPECT(strstr(last_expired, "openai/resp_1") && strstr(last_expired, "0.0000001 USD"), "%s", last_expired);
    expect_facts(ledger, "w", 900, 0, 100, 1000);
    PLAY_ON(ledger, late);
}

/* What is left when the clocks have moved so: while it runs, then while it was closed. */
TEST(jobs_have_deadlines)
{
    static const struct {
        const char *what;
        long long monotonic_s, wall_s, closed_s; /* closed: the wall clock alone */
        bool is_taken;
    } rows[] = {
        {"nothing happens", 0, 0, 0, false},
        {"nearly an hour", HOUR_S - 60, HOUR_S - 60, 0, false},
        {"an hour", HOUR_S, HOUR_S, 0, true},
        {"a clock that jumps a day ahead", 0, DAY_S, 0, false},
        {"a clock that jumps a day back, then an hour", HOUR_S, HOUR_S - DAY_S, 0, true},
        {"nearly an hour closed", 0, 0, HOUR_S - 60, false},
        {"an hour closed", 0, 0, HOUR_S, true},
        {"half an hour, then another closed", HOUR_S / 2, HOUR_S / 2, HOUR_S / 2, true},
        {"a clock that goes back a year while closed", 0, 0, -365 * DAY_S, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        make_directory();
        struct wallet_ledger *ledger = open_noted(true, 60, 0); /* limits.hold_deadline_s is not for jobs */
        PLAY_ON(ledger, one_job);
        skip(rows[i].monotonic_s, rows[i].wall_s);
        look_at_deadlines(ledger);
        if (rows[i].closed_s) {
            EXPECT(expired == 0, "%s: taken before it was closed", rows[i].what);
            wallet_close(ledger);
            skip(0, rows[i].closed_s);
            ledger = open_noted(true, 60, 0);
        }
        EXPECT((expired > 0) == rows[i].is_taken, "%s: %u taken", rows[i].what, expired);
        if (!rows[i].is_taken) {
            expect_job(ledger, "resp_1", 2, 100);
            expect_facts(ledger, "w", 900, 100, 0, 1000);
            skip(HOUR_S + 60, 0); /* never longer than it had at first */
            look_at_deadlines(ledger);
        }
        expect_taken(ledger);
        wallet_close(ledger);
        expect_clean_audit();
        remove_directory();
    }
}

/* Nobody asks: the ledger thread wakes by itself. One whose deadline has passed is accepted, and at once due. */
TEST(jobs_past_their_deadline_end_by_themselves)
{
    static const struct line late = {WALLET_DEFER, 2, -60, "openai", "resp_1", ERROR_OK, 900, 100};
    make_directory();
    struct wallet_ledger *ledger = open_noted(true, 0, 0);
    play_on(ledger, one_job, 2);
    play_line(ledger, &late, 2);
    for (unsigned i = 0; i < 500 && !atomic_load(&expired); i++)
        usleep(10000);
    expect_taken(ledger);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* More than one transaction takes, while it runs and at a start. */
TEST(jobs_expire_in_crowds)
{
    enum { CROWD = 300 };
    static const struct line fund[] = {FUND(1, 1000)};
    static struct wallet_operation operations[2 * CROWD];
    for (unsigned is_closed = 0; is_closed < 2; is_closed++) {
        make_directory();
        struct wallet_ledger *ledger = open_noted(true, 0, 0);
        PLAY_ON(ledger, fund);
        for (unsigned i = 0; i < COUNT(operations); i++) {
            char key[16];
            const struct line lines[] = {{WALLET_RESERVE, 2 + i / 2, 1, NULL, NULL, ERROR_OK, 0, 0},
                                         {WALLET_DEFER, 2 + i / 2, HOUR_S, "openai", key, ERROR_OK, 0, 0}};
            snprintf(key, sizeof key, "job-%u", i / 2);
            operations[i] = operation_of(&lines[i % 2]);
        }
        run_at_once(ledger, operations, COUNT(operations));
        EXPECT_INTEGER(wallet_list_jobs(ledger, NULL, 0), CROWD);
        skip(is_closed ? 0 : HOUR_S, HOUR_S);
        if (is_closed) {
            wallet_close(ledger);
            ledger = open_noted(true, 0, 0);
        } else {
            look_at_deadlines(ledger);
        }
        EXPECT_INTEGER(wallet_list_jobs(ledger, NULL, 0), 0);
        EXPECT_INTEGER(expired, CROWD);
        expect_facts(ledger, "w", 1000 - CROWD, 0, CROWD, 1000);
        wallet_close(ledger);
        expect_clean_audit();
        remove_directory();
    }
}

/* ---- limits ---- */

TEST(jobs_are_taken_on_a_full_disk)
{
    static const struct line low[] = {
        {WALLET_RESERVE, 3, 10, NULL, NULL, ERROR_DISK_LOW, 900, 0},
        DEFER(2, "openai", "resp_1", ERROR_OK, 900, 100),
        {WALLET_SETTLE, 2, 30, NULL, NULL, ERROR_OK, 970, 100},
    };
    struct wallet_statistics statistics = {.is_disk_low = false};
    make_directory();
    struct wallet_ledger *ledger = open_noted(true, 0, 0);
    play_on(ledger, one_job, 2);
    atomic_store(&disk_free_bytes, (1 << 30) - 1);
    for (unsigned i = 0; i < 1000 && !statistics.is_disk_low; i++) {
        usleep(10000);
        wallet_get_statistics(ledger, &statistics);
    }
    PLAY_ON(ledger, low);
    atomic_store(&disk_free_bytes, UINT64_C(1) << 40);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

static struct id wide_id(unsigned number)
{
    struct id id = {{1}};
    memcpy(id.bytes + 8, &number, sizeof number);
    return id;
}

/* Reserves and defers, 256 at a time. */
static enum error defer_many(struct wallet_ledger *ledger, unsigned first, unsigned count)
{
    static struct wallet_operation operations[512];
    enum error error = ERROR_OK;
    for (unsigned done = 0; done < count;) {
        unsigned part = count - done < 256 ? count - done : 256;
        for (unsigned i = 0; i < 2 * part; i++) {
            const unsigned number = first + done + i / 2;
            struct wallet_operation *operation = &operations[i];
            *operation = (struct wallet_operation){.kind = i % 2 ? WALLET_DEFER : WALLET_RESERVE,
                                                   .id = wide_id(number),
                                                   .wallet = "w",
                                                   .amount = {1},
                                                   .job = {.provider = "openai", .deadline_s = in_s(DAY_S)}};
            snprintf(operation->job.key, sizeof operation->job.key, "job-%u", number);
        }
        run_at_once(ledger, operations, 2 * part);
        for (unsigned i = 0; i < 2 * part; i++)
            error = error ? error : operations[i].error;
        done += part;
    }
    return error;
}

/* With as many as there may be, a start still is one. */
TEST(jobs_have_a_bound)
{
    static const struct line fund[] = {FUND(1, 1000000)};
    const struct line free_one[] = {{WALLET_RESERVE, 2, 1, NULL, NULL, ERROR_OK, 1000000 - JOBS_MAX - 2, 1},
                                    DEFER(2, "openai", "more", ERROR_OVERLOADED, 1000000 - JOBS_MAX - 2, 1),
                                    DEFER(2, "openai", "job-7", ERROR_TRANSFER_CONFLICT, 1000000 - JOBS_MAX - 2, 1)};
    make_directory();
    struct wallet_ledger *ledger = open_ledger(false, 0);
    PLAY_ON(ledger, fund);
    CU_ASSERT_EQUAL(defer_many(ledger, 0, JOBS_MAX), ERROR_OK);
    CU_ASSERT_EQUAL(defer_many(ledger, JOBS_MAX, 1), ERROR_OVERLOADED);
    PLAY_ON(ledger, free_one);
    struct wallet_operation settle = {.kind = WALLET_SETTLE, .id = wide_id(7), .amount = {1}};
    wallet_run(ledger, &settle);
    CU_ASSERT_EQUAL(settle.error, ERROR_OK);
    const struct line last[] = {DEFER(2, "openai", "more", ERROR_OK, 1000000 - JOBS_MAX - 2, 1)};
    PLAY_ON(ledger, last);
    wallet_close(ledger);
    int64_t start_ns = clock_monotonic_ns();
    ledger = open_ledger(false, 1);
    printf("(a start with %d jobs: %lld ms) ", JOBS_MAX, (long long)(clock_monotonic_ns() - start_ns) / 1000000);
    EXPECT_INTEGER(wallet_list_jobs(ledger, NULL, 0), JOBS_MAX);
    expect_no_job(ledger, "openai", "job-7");
    expect_job(ledger, "more", 2, 1);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- what an audit finds ---- */

/* Writes a row behind the ledger's back; value NULL: removes it. */
static void change_row(const char *table, const void *key_data, size_t key_bytes, const void *value_data,
                       size_t value_bytes)
{
    char path[128];
    DB *db = NULL;
    DBT key = {0}, value = {0};
    snprintf(path, sizeof path, "%s/%s.db", directory, table);
    CU_ASSERT_EQUAL_FATAL(db_create(&db, NULL, 0), 0);
    CU_ASSERT_EQUAL_FATAL(db->open(db, NULL, path, NULL, DB_BTREE, 0, 0), 0);
    key.data = (void *)(uintptr_t)key_data;
    key.size = (uint32_t)key_bytes;
    value.data = (void *)(uintptr_t)value_data;
    value.size = (uint32_t)value_bytes;
    CU_ASSERT_EQUAL(value_data ? db->put(db, NULL, &key, &value, 0) : db->del(db, NULL, &key, 0), 0);
    db->close(db, 0);
}

/* With two_jobs, budget's rows between: fund 1, hold 2 at 2, hold 3 at 4, hold 4 at 6, DEFERs at 8 and 9. */
TEST(jobs_that_were_changed_are_found)
{
    static const unsigned char second[16] = {[14] = 2}, third[16] = {[13] = 0, [14] = 3};
    static const struct {
        const char *what, *table;
        unsigned char sequence;
        const void *value;
        size_t value_bytes, offset; /* no value: one byte is flipped; value_bytes 0: the row is removed */
    } rows[] = {
        {"a job that is gone", "jobs", 8, NULL, 0, 0},   {"a job of another hold", "jobs", 8, third, 16, 0},
        {"a job of no DEFER", "jobs", 7, second, 16, 0}, {"a job that is no row", "jobs", 8, second, 15, 0},
        {"another key", "details", 8, NULL, 1, 18},      {"another deadline", "details", 8, NULL, 1, 8},
        {"another hold", "transfers", 8, NULL, 1, 51},   {"a DEFER of another kind", "transfers", 9, NULL, 1, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row_key key = row_key_of(rows[i].sequence);
        const struct wallet_options options = {.directory = directory, .environment = "dev"};
        struct wallet_ledger *ledger;
        char report[2048];
        unsigned recovered;
        make_directory();
        ledger = open_ledger(true, 0);
        PLAY_ON(ledger, two_jobs);
        wallet_close(ledger);
        if (rows[i].value || rows[i].value_bytes == 0)
            change_row(rows[i].table, &key, sizeof key, rows[i].value, rows[i].value_bytes);
        else
            tamper(rows[i].table, sizeof key, &key, rows[i].offset, 1);
        enum error error = wallet_audit(directory, report, sizeof report);
        EXPECT(error == ERROR_STORE_CORRUPT, "%s was not found:\n%s", rows[i].what, report);
        if (!strcmp(rows[i].table, "jobs")) { /* a start looks at every row */
            EXPECT(strstr(report, "FAILED 8"), "%s:\n%s", rows[i].what, report);
            error = wallet_open(&options, &ledger, &recovered);
            EXPECT(error == ERROR_STORE_CORRUPT, "%s: opened: %s", rows[i].what, error_row(error)->name);
        }
        remove_directory();
    }
}

/* ---- dumps, backups ---- */

static void dump_to(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *out = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    CU_ASSERT_EQUAL(wallet_dump(directory, out), ERROR_OK);
    fclose(out);
}

static void expect_restore(const char *name, enum error wanted, const char *part)
{
    char path[128], why[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    enum error error = wallet_restore(path, directory, "dev", why, sizeof why);
    EXPECT(error == wanted && strstr(why, part), "%s: %s: %s", name, error_row(error)->name, why);
}

TEST(jobs_are_dumped_and_restored)
{
    static const struct {
        const char *edit, *part;
        enum error error;
    } bad[] = {
        {"/^{\"job\":8/d", "the sums are of another ledger", ERROR_STORE_CORRUPT},
        {"s/^{\"job\":8/{\"job\":7/", "the job of transfer 7 names no open hold", ERROR_STORE_CORRUPT},
        {"/^{\"job\":8/s/\"id\":\"[^\"]*\"/\"id\":\"7\"/", "\"id\"", ERROR_STORE_CORRUPT},
        {"/^{\"job\":8/s/8/\"x\"/", "\"job\"", ERROR_STORE_CORRUPT},
        {"/^{\"job\":8/{h;d};/^{\"transfer\":5,/{p;x}", "line ", ERROR_STORE_CORRUPT},
    };
    char why[256], backup[128];
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, two_jobs);
    snprintf(backup, sizeof backup, "%s/backup", root);
    CU_ASSERT_EQUAL(wallet_backup(ledger, backup, why, sizeof why), ERROR_OK);
    wallet_close(ledger);
    dump_to("one.jsonl");
    shell("grep -q '\"kind\":\"defer\"' '%s/one.jsonl'", root);
    shell("grep -q '^{\"job\":8,.*\"key\":\"r2\",\"note\":\"note 2\"' '%s/one.jsonl'", root);
    for (size_t i = 0; i < COUNT(bad); i++) {
        shell("sed '%s' '%s/one.jsonl' >'%s/bad.jsonl'", bad[i].edit, root, root);
        expect_restore("bad.jsonl", bad[i].error, bad[i].part);
    }
    const char *const sources[] = {"one.jsonl", "backup"};
    for (size_t i = 0; i < COUNT(sources); i++) {
        expect_restore(sources[i], ERROR_OK, "ledger.before-");
        expect_clean_audit();
        dump_to("two.jsonl");
        shell("cmp '%s/one.jsonl' '%s/two.jsonl'", root, root);
        ledger = open_ledger(true, 1);
        expect_job(ledger, "r2", 2, 100);
        expect_job(ledger, "r4", 4, 20);
        expect_facts(ledger, "w", 830, 120, 50, 1000);
        wallet_close(ledger);
    }
    remove_directory();
}
