/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts against the ledger: `power DIRECTORY CYCLES SEED`, under powercut.so (disk.h). The working child ends at a
 * random moment or at a random I/O call, then the directory becomes what a disk could have kept; in every fifth cycle
 * the power fails during the recovery too; then what is left is inspected. Called by scripts/crash.
 */
#include "base/check.h"
#include "tests/crash/child.h"
#include "tests/crash/disk.h"
#include "tests/crash/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CYCLES_PER_LEDGER = 10,
    WORK_US_MAX = 30000,
    RECOVERY_US_MAX = 15000,
    CALLS_MAX_LOG2 = 12,
    WORK_CALLS_MAX = 200,
    WRITE_BACK_RATE = 8,
};

enum moment { AT_TIME, AT_CALL, AT_CALL_OF_WORK };

static struct disk *disk;

/* Any call: many of the first ones (creation, recovery), some late. Or one of the next calls once the work goes on. */
static uint64_t pick_call(void)
{
    return 1 + random_next(UINT64_C(1) << (3 + random_next(CALLS_MAX_LOG2 - 2)));
}

static void cut_at_work(void)
{
    for (unsigned i = 0; !atomic_load(&history->is_ready) && i < 100000; i++)
        usleep(50);
    disk->plan.cut_at = atomic_load(&disk->calls) + 2 + random_next(WORK_CALLS_MAX);
}

static int run_until_cut(void (*run)(const char *), const char *directory, enum moment moment, unsigned us_max)
{
    disk->plan.cut_at = moment == AT_CALL ? pick_call() : 0;
    atomic_store(&disk->calls, 0);
    atomic_store(&disk->is_armed, true);
    pid_t child = child_start(run, directory);
    if (moment == AT_CALL_OF_WORK)
        cut_at_work();
    int status = moment == AT_TIME ? child_kill(child, random_next(5) != 0 && run == work, us_max) : child_wait(child);
    atomic_store(&disk->is_armed, false);
    disk->plan.cut_at = 0;
    return status;
}

static void cut_power(void)
{
    if (!disk_cut(disk))
        violate(NULL, "a write that powercut.so did not see");
}

static void run_cycle(const char *directory, unsigned cycle)
{
    const enum moment moment = random_next(2) ? AT_CALL_OF_WORK : random_next(2) ? AT_CALL : AT_TIME;
    child_expect(run_until_cut(work, directory, moment, WORK_US_MAX), true);
    cut_power();
    for (unsigned i = 0; cycle % 5 == 4 && i < 2; i++) {
        child_expect(run_until_cut(inspect, directory, random_next(4) ? AT_CALL : AT_TIME, RECOVERY_US_MAX), true);
        cut_power();
    }
    atomic_store(&disk->is_armed, true);
    child_expect(child_wait(child_start(inspect, directory)), false);
    atomic_store(&disk->is_armed, false);
}

static void begin_ledger(const char *root)
{
    disk_remove_tree(root, false);
    disk_reset(disk);
    history_clear();
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: power DIRECTORY CYCLES SEED, under powercut.so\n");
        return 64;
    }
    const unsigned cycles = (unsigned)strtoul(argv[2], NULL, 10);
    unsigned done = 0;
    char root[DISK_PATH_MAX - 16], keeper[DISK_PATH_MAX - 16], directory[DISK_PATH_MAX];
    snprintf(root, sizeof root, "%.200s/disk", argv[1]);
    snprintf(keeper, sizeof keeper, "%.200s/keeper", argv[1]);
    snprintf(directory, sizeof directory, "%s/ledger", root);
    history_open(strtoull(argv[3], NULL, 10));
    disk = disk_open(root, keeper, strtoull(argv[3], NULL, 10));
    if (!disk) {
        fprintf(stderr, "power: powercut.so is not preloaded\n");
        return 64;
    }
    disk->plan.write_back_rate = WRITE_BACK_RATE;
    child_prepare();
    for (; done < cycles && !atomic_load(&history->violations); done++) {
        if (done % CYCLES_PER_LEDGER == 0)
            begin_ledger(root);
        run_cycle(directory, done);
    }
    unsigned violations = atomic_load(&history->violations);
    if (violations)
        printf("power: violated in cycle %u of seed %s\n", done, argv[3]);
    printf("power: %llu transfers asked for\nfigure power_cuts %u cuts\npower: %u violations\n",
           (unsigned long long)history_asked(), done, violations);
    return violations ? 1 : 0;
}
