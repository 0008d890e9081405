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
#include <sys/stat.h>

enum {
    CYCLES_PER_LEDGER = 10,
    WORK_US_MAX = 30000,
    RECOVERY_US_MAX = 15000,
    CALLS_MAX_LOG2 = 12,
    WRITE_BACK_RATE = 8,
};

static struct disk *disk;

/* Three of four at a call: many of the first ones (creation, recovery), some late. */
static int run_until_cut(void (*run)(const char *), const char *directory, bool is_worker)
{
    bool at_call = random_next(4) != 0;
    atomic_store(&disk->calls, 0);
    disk->plan.cut_at = at_call ? 1 + random_next(UINT64_C(1) << (3 + random_next(CALLS_MAX_LOG2 - 2))) : 0;
    atomic_store(&disk->is_armed, true);
    pid_t child = child_start(run, directory);
    int status = is_worker && !at_call ? child_kill(child, random_next(5) != 0, WORK_US_MAX)
                 : at_call             ? child_wait(child)
                                       : child_kill(child, false, RECOVERY_US_MAX);
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
    child_expect(run_until_cut(work, directory, true), true);
    cut_power();
    for (unsigned i = 0; cycle % 5 == 4 && i < 2; i++) {
        child_expect(run_until_cut(inspect, directory, false), true);
        cut_power();
    }
    atomic_store(&disk->is_armed, true);
    child_expect(child_wait(child_start(inspect, directory)), false);
    atomic_store(&disk->is_armed, false);
}

static void begin_ledger(const char *root, const char *directory)
{
    disk_remove_tree(root, false);
    check(mkdir(directory, 0700) == 0); /* by the agent's first start; from here on it is durable */
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
            begin_ledger(root, directory);
        run_cycle(directory, done);
    }
    unsigned violations = atomic_load(&history->violations);
    if (violations)
        printf("power: violated in cycle %u of seed %s\n", done, argv[3]);
    printf("power: %llu transfers asked for\nfigure power_cuts %u cuts\npower: %u violations\n",
           (unsigned long long)history_asked(), done, violations);
    return violations ? 1 : 0;
}
