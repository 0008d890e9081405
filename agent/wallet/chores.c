/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chores of a ledger, in a thread of their own, so that no batch waits for one: checkpoints.
 */
#include "wallet/internal.h"

#include "base/check.h"

static void *chores_main(void *context)
{
    struct wallet_ledger *ledger = context;
    pthread_mutex_lock(&ledger->chores_lock);
    while (!ledger->wants_end) {
        if (!ledger->wants_checkpoint) {
            pthread_cond_wait(&ledger->chores_wanted, &ledger->chores_lock);
            continue;
        }
        ledger->wants_checkpoint = false;
        pthread_mutex_unlock(&ledger->chores_lock);
        enum error error = store_checkpoint(ledger->tables.store, CHECKPOINT_LOG_BYTES);
        (void)error; /* a failure has marked the store: the next batch sees it */
        pthread_mutex_lock(&ledger->chores_lock);
    }
    pthread_mutex_unlock(&ledger->chores_lock);
    return NULL;
}

static void want(struct wallet_ledger *ledger, bool *wanted)
{
    pthread_mutex_lock(&ledger->chores_lock);
    *wanted = true;
    pthread_cond_signal(&ledger->chores_wanted);
    pthread_mutex_unlock(&ledger->chores_lock);
}

void chores_want_checkpoint(struct wallet_ledger *ledger)
{
    want(ledger, &ledger->wants_checkpoint);
}

void chores_start(struct wallet_ledger *ledger)
{
    check(pthread_create(&ledger->chores, NULL, chores_main, ledger) == 0);
}

void chores_stop(struct wallet_ledger *ledger)
{
    want(ledger, &ledger->wants_end);
    pthread_join(ledger->chores, NULL);
}
