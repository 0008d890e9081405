/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 against the ledger: `kill DIRECTORY CYCLES SEED`. The working child is killed at a random moment, in every
 * fifth cycle the recovery too, up to three times; then what is left is inspected. Called by scripts/crash. A kill
 * leaves the page cache alone, so DIRECTORY may well be in memory.
 */
#include "base/check.h"
#include "tests/crash/child.h"
#include "tests/crash/disk.h"
#include "tests/crash/work.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CYCLES_PER_LEDGER = 12, /* then a fresh one: a check reads the whole journal */
    WORK_US_MAX = 30000,
    RECOVERY_US_MAX = 25000,
};

static void run_cycle(const char *directory, unsigned cycle)
{
    pid_t child = child_start(work, directory);
    child_expect(child_kill(child, random_next(5) != 0, WORK_US_MAX), true);
    for (unsigned i = 0; cycle % 5 == 4 && i < 3; i++)
        child_expect(child_kill(child_start(inspect, directory), false, RECOVERY_US_MAX), true);
    child_expect(child_wait(child_start(inspect, directory)), false);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: kill DIRECTORY CYCLES SEED\n");
        return 64;
    }
    const unsigned cycles = (unsigned)strtoul(argv[2], NULL, 10);
    unsigned done = 0;
    char directory[4096];
    snprintf(directory, sizeof directory, "%s/ledger", argv[1]);
    history_open(strtoull(argv[3], NULL, 10));
    child_prepare();
    for (; done < cycles && !atomic_load(&history->violations); done++) {
        if (done % CYCLES_PER_LEDGER == 0) {
            disk_remove_tree(directory, true);
            history_clear();
        }
        run_cycle(directory, done);
    }
    unsigned violations = atomic_load(&history->violations);
    if (violations)
        printf("kill: violated in cycle %u of seed %s\n", done, argv[3]);
    printf("kill: %llu transfers asked for\nfigure kill_cycles %u cycles\nkill: %u violations\n",
           (unsigned long long)history_asked(), done, violations);
    return violations ? 1 : 0;
}
