/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault sweep: `sweep DIRECTORY SEED [FAULT]`, under powercut.so. A fixed scenario (open, fund, adjust, reserve,
 * leave a hold to a job, settle, void, close, open again, reserve, settle the job, close) runs once for every call it
 * makes: the Nth write, sync, open, truncation, rename, removal, mkdir or allocation of our own fails. It may end well,
 * refuse, stop, or panic in words; it may not crash or hang, and after a power cut on top nothing acknowledged may be
 * missing. Called by scripts/crash.
 */
#include "base/check.h"
#include "tests/crash/child.h"
#include "tests/crash/disk.h"
#include "tests/crash/work.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCENARIO_SECONDS_MAX = 60, SAID_MAX = 4096, EVERY_FIRST = 32 };

static uint64_t stride = 1; /* after the first calls one in so many, drawn from the seed */

static const struct injection {
    const char *name;
    enum disk_call call;
    int why;
    bool is_sticky;
} injections[] = {
    {"write-eio", DISK_WRITE, EIO, false},
    {"write-enospc", DISK_WRITE, ENOSPC, true},
    {"write-short", DISK_WRITE, 0, false},
    {"sync-eio", DISK_SYNC, EIO, false},
    {"sync-enospc", DISK_SYNC, ENOSPC, true},
    {"open-eio", DISK_OPEN, EIO, false},
    {"open-enospc", DISK_OPEN, ENOSPC, true},
    {"truncate-eio", DISK_TRUNCATE, EIO, false},
    {"rename-eio", DISK_RENAME, EIO, false},

    {"mkdir-enospc", DISK_MAKE_DIRECTORY, ENOSPC, false},
    {"malloc", DISK_ALLOCATE, ENOMEM, false},
};

enum outcome { OUTCOME_WELL, OUTCOME_REFUSED, OUTCOME_PANICKED, OUTCOME_BAD, OUTCOME_COUNT };

static struct disk *disk;
static int said_fd; /* the child's standard error */

/* ---- the scenario ---- */

static struct wallet_operation of_kind(enum wallet_operation_kind kind, int64_t amount)
{
    return (struct wallet_operation){
        .kind = kind, .wallet = "team", .provider = "openai", .amount = {amount}, .create = true, .note = "sweep"};
}

static bool make(struct wallet_ledger *ledger, enum wallet_operation_kind kind, enum history_kind history_kind,
                 int64_t amount, bool has_budget, struct history_entry **ret_entry)
{
    struct wallet_operation operation = of_kind(kind, amount);
    struct history_entry *entry = history_add(history_kind, amount);
    if (has_budget) {
        operation.budget_count = 1;
        operation.budgets[0] =
            (struct wallet_budget){.first = history->bucket, .last = history->bucket, .limit = history_limit_of(1)};
        history_name_budget(1, operation.budgets[0].name);
        entry->bucket = history->bucket;
        entry->budgets = 1U << 1;
    }
    *ret_entry = entry;
    return work_run(ledger, entry, &operation) == ERROR_OK;
}

static bool resolve(struct wallet_ledger *ledger, struct history_entry *entry, enum wallet_operation_kind kind,
                    int64_t amount)
{
    struct wallet_operation operation = of_kind(kind, amount);
    entry->settled = kind == WALLET_SETTLE ? amount : entry->settled;
    return work_run(ledger, entry, &operation) == ERROR_OK;
}

static bool defer(struct wallet_ledger *ledger, struct history_entry *entry)
{
    struct wallet_operation operation = of_kind(WALLET_DEFER, 0);
    operation.job = (struct wallet_job){.provider = "openai", .note = "sweep", .deadline_s = INT64_C(4102444800)};
    history_name_job(entry, operation.job.key);
    return work_run(ledger, entry, &operation) == ERROR_OK;
}

static struct history_entry *left_to_job; /* in the first opening; NULL when that failed */

static bool spend(struct wallet_ledger *ledger)
{
    struct history_entry *entry, *settled, *voided;
    bool is_well = make(ledger, WALLET_FUND, HISTORY_FUNDING, 1000, false, &entry);
    is_well = make(ledger, WALLET_ADJUST, HISTORY_ADJUSTMENT, -10, false, &entry) && is_well;
    is_well = make(ledger, WALLET_RESERVE, HISTORY_HOLD, 100, true, &settled) && is_well;
    is_well = make(ledger, WALLET_RESERVE, HISTORY_HOLD, 200, false, &voided) && is_well;
    is_well = make(ledger, WALLET_RESERVE, HISTORY_HOLD, 250, true, &entry) && is_well;
    is_well = make(ledger, WALLET_RESERVE, HISTORY_HOLD, 50, true, &left_to_job) && is_well;
    is_well = defer(ledger, left_to_job) && is_well;
    is_well = resolve(ledger, settled, WALLET_SETTLE, 60) && is_well;
    return resolve(ledger, voided, WALLET_VOID, 0) && is_well;
}

static bool open_and(const char *directory, bool (*then)(struct wallet_ledger *ledger))
{
    struct wallet_options options = work_options;
    struct wallet_ledger *ledger;
    unsigned recovered;
    options.directory = directory;
    if (wallet_open(&options, &ledger, &recovered))
        return false;
    bool is_well = then(ledger);
    wallet_close(ledger);
    return is_well;
}

static bool reserve_again(struct wallet_ledger *ledger)
{
    struct history_entry *entry;
    bool is_well = make(ledger, WALLET_RESERVE, HISTORY_HOLD, 40, true, &entry);
    is_well = defer(ledger, entry) && is_well;
    return left_to_job && resolve(ledger, left_to_job, WALLET_SETTLE, 20) && is_well;
}

static void run_scenario(const char *directory)
{
    alarm(SCENARIO_SECONDS_MAX);
    check(dup2(said_fd, STDERR_FILENO) == STDERR_FILENO);
    bool is_well = open_and(directory, spend);
    is_well = open_and(directory, reserve_again) && is_well;
    _exit(is_well ? 0 : 1);
}

/* ---- the judgement ---- */

static enum outcome judge(int status, const char *said)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
        return WEXITSTATUS(status) ? OUTCOME_REFUSED : OUTCOME_WELL;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, "tollgate: panic: check("))
        return OUTCOME_PANICKED;
    violate(NULL, WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "the scenario hung" : "the scenario crashed");
    return OUTCOME_BAD;
}

static enum outcome run_with(const struct injection *fault, uint64_t number, const char *root, const char *directory)
{
    char said[SAID_MAX] = "";
    const unsigned before = atomic_load(&history->violations);
    disk_remove_tree(root, false);
    disk_reset(disk);
    history_clear();
    check(ftruncate(said_fd, 0) == 0 && lseek(said_fd, 0, SEEK_SET) == 0);
    for (unsigned i = 0; i < DISK_CALL_COUNT; i++)
        atomic_store(&disk->calls_of[i], 0);
    atomic_store(&disk->faults_fired, 0);
    disk->plan = (struct disk_plan){
        .fault_in = fault->call, .fault_at = number, .fault_errno = fault->why, .is_sticky = fault->is_sticky};
    atomic_store(&disk->is_armed, true);
    int status = child_wait(child_start(run_scenario, directory));
    atomic_store(&disk->is_armed, false);
    disk->plan = (struct disk_plan){0};
    ssize_t length = pread(said_fd, said, sizeof said - 1, 0);
    said[length > 0 ? length : 0] = '\0';
    enum outcome outcome = judge(status, said);
    if (!disk_cut(disk))
        violate(NULL, "a write that powercut.so did not see");
    child_expect(child_wait(child_start(inspect, directory)), false);
    if (atomic_load(&history->violations) != before)
        fprintf(stderr, "sweep: with %s at call %llu, status %x; it said:\n%s", fault->name, (unsigned long long)number,
                (unsigned)status, said);
    return outcome;
}

/* Every N until the scenario ends before its Nth call; then it must have ended well. */
static void sweep(const struct injection *fault, const char *root, const char *directory)
{
    unsigned outcomes[OUTCOME_COUNT] = {0};
    const unsigned before = atomic_load(&history->violations);
    uint64_t number = 1;
    unsigned tried = 0;
    for (; atomic_load(&history->violations) == before;
         number += number < EVERY_FIRST ? 1 : 1 + random_next(2 * stride - 1)) {
        tried++;
        enum outcome outcome = run_with(fault, number, root, directory);
        if (atomic_load(&disk->faults_fired) > 0) {
            outcomes[outcome]++;
            continue;
        }
        if (outcome != OUTCOME_WELL)
            violate(NULL, "the scenario fails without a fault");
        if (number == 1)
            violate(NULL, "a fault that the scenario never meets");
        break;
    }
    printf("sweep: %-13s %4u faults in %llu calls: %u well, %u refused, %u panicked in words, %u bad\n", fault->name,
           tried - 1, (unsigned long long)number - 1, outcomes[OUTCOME_WELL], outcomes[OUTCOME_REFUSED],
           outcomes[OUTCOME_PANICKED], outcomes[OUTCOME_BAD]);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: sweep DIRECTORY SEED STRIDE [FAULT], under powercut.so\n");
        return 64;
    }
    char root[DISK_PATH_MAX - 16], keeper[DISK_PATH_MAX - 16], directory[DISK_PATH_MAX];
    snprintf(root, sizeof root, "%.200s/disk", argv[1]);
    snprintf(keeper, sizeof keeper, "%.200s/keeper", argv[1]);
    snprintf(directory, sizeof directory, "%s/ledger", root);
    history_open(strtoull(argv[2], NULL, 10));
    disk = disk_open(root, keeper, strtoull(argv[2], NULL, 10));
    said_fd = memfd_create("said", MFD_CLOEXEC);
    if (!disk || said_fd < 0) {
        fprintf(stderr, "sweep: powercut.so is not preloaded\n");
        return 64;
    }
    child_prepare();
    stride = strtoull(argv[3], NULL, 10);
    stride += stride == 0;
    for (size_t i = 0; i < sizeof injections / sizeof *injections; i++)
        if (argc < 5 || !strcmp(argv[4], injections[i].name))
            sweep(&injections[i], root, directory);
    unsigned violations = atomic_load(&history->violations);
    printf("sweep: %u violations\n", violations);
    return violations ? 1 : 0;
}
