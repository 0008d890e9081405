/* SPDX-License-Identifier: Apache-2.0 */
/* The two children of the crash tests: work.c asks a ledger for much at once until it is killed, inspect.c opens what
 * is left and compares it with the history. Both note violations; neither knows how the other's process ended. */
#ifndef CRASH_WORK_H
#define CRASH_WORK_H

#include "tests/crash/history.h"

void work(const char *directory);    /* until it is killed, or the history is full */
void inspect(const char *directory); /* may be killed too */

/* One operation, waited for, with its answer noted: for scenarios. */
enum error work_run(struct wallet_ledger *ledger, struct history_entry *entry, struct wallet_operation *operation);

extern const struct wallet_options work_options; /* without a directory */

#endif
