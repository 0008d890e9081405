/* SPDX-License-Identifier: Apache-2.0 */
/* Events that are missing are written again from the ledger, see reconcile.c. Called by agent.c only. */
#ifndef RECONCILE_H
#define RECONCILE_H

#include "config/config.h"
#include "journal/journal.h"
#include "wallet/wallet.h"

#include <stdatomic.h>

struct reconcile;

/* Before the ledger is opened; freed after it is closed. NULL is fine to free. */
struct reconcile *reconcile_new(enum environment environment);
void reconcile_free(struct reconcile *reconcile);
/* Before the first exchange. Waits for a few payments; where there are many (a lost aux/), a thread does it. Never
 * fails: what is wrong is logged, and tried again at the next start. */
void reconcile_start(struct reconcile *reconcile, struct wallet_ledger *ledger, struct journal *journal);
/* Becomes true when all that was missing is written, or cannot be; lives as long as the object. */
const atomic_bool *reconcile_is_done(const struct reconcile *reconcile);
/* For wallet_options.job_expired: writes the event of a job that nobody asked after in time. What expires before the
 * start or after the stop, the next start finds. Any thread. */
void reconcile_job(struct reconcile *reconcile, const struct wallet_payment *payment);
/* After the last exchange, while both are open: from here on the next start looks. One that was not started is fine. */
void reconcile_stop(struct reconcile *reconcile);

#endif
