/* SPDX-License-Identifier: Apache-2.0 */
/* How a ledger is looked after, as the settings say it now: set by any thread, read by the ledger's own, which never
 * keep a pointer to a text of it. */
#include "wallet/backup.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static void replace(const char **text, const char *fresh)
{
    free((char *)(uintptr_t)*text);
    *text = fresh ? strdup(fresh) : NULL;
    check(*text != NULL || fresh == NULL);
}

void upkeep_store(struct wallet_ledger *ledger, const struct wallet_upkeep *upkeep)
{
    struct wallet_upkeep *own = &ledger->upkeep;
    atomic_store(&ledger->low_water_bytes, upkeep->low_water_bytes);
    atomic_store(&ledger->hold_deadline_s, upkeep->hold_deadline_s);
    pthread_mutex_lock(&ledger->chores_lock);
    replace(&own->backup_directory, upkeep->backup_directory);
    replace(&own->backup_fallback, upkeep->backup_fallback);
    own->backup_every_s = upkeep->backup_every_s;
    own->backups_kept = upkeep->backups_kept;
    pthread_mutex_unlock(&ledger->chores_lock);
}

void upkeep_free(struct wallet_ledger *ledger)
{
    upkeep_store(ledger, &(struct wallet_upkeep){0});
}

void upkeep_find_backups(struct wallet_ledger *ledger, struct backup_plan *ret_plan)
{
    const struct wallet_upkeep *own = &ledger->upkeep;
    pthread_mutex_lock(&ledger->chores_lock);
    snprintf(ret_plan->directory, PATH_MAX, "%s", own->backup_directory ? own->backup_directory : "");
    snprintf(ret_plan->fallback, PATH_MAX, "%s", own->backup_fallback ? own->backup_fallback : "");
    ret_plan->every_s = own->backup_every_s;
    ret_plan->kept = own->backups_kept ? own->backups_kept : 1;
    pthread_mutex_unlock(&ledger->chores_lock);
    if (strcmp(ret_plan->directory, ret_plan->fallback) == 0)
        ret_plan->fallback[0] = '\0';
}

void wallet_set_upkeep(struct wallet_ledger *ledger, const struct wallet_upkeep *upkeep)
{
    upkeep_store(ledger, upkeep);
    chores_want_plan(ledger);
}

void upkeep_note_backup(struct wallet_ledger *ledger, const char *failure)
{
    pthread_mutex_lock(&ledger->chores_lock);
    snprintf(ledger->backup_failure, sizeof ledger->backup_failure, "%s", failure);
    pthread_mutex_unlock(&ledger->chores_lock);
}

void wallet_find_backups(struct wallet_ledger *ledger, struct wallet_backups *ret_backups)
{
    const int64_t due_ns = atomic_load(&ledger->backup_due_ns), left_ns = due_ns - clock_monotonic_ns();
    ret_backups->due_s = due_ns == INT64_MAX ? -1 : left_ns > 0 ? left_ns / 1000000000 : 0;
    pthread_mutex_lock(&ledger->chores_lock);
    snprintf(ret_backups->failure, sizeof ret_backups->failure, "%s", ledger->backup_failure);
    pthread_mutex_unlock(&ledger->chores_lock);
}
