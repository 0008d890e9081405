/* SPDX-License-Identifier: Apache-2.0 */
/* Events that are missing are written again from the ledger, see reconcile.c. Called by agent.c only. */
#ifndef RECONCILE_H
#define RECONCILE_H

#include "config/config.h"
#include "journal/journal.h"
#include "wallet/wallet.h"

#include <stdatomic.h>

struct reconcile;

/* Before the first exchange. Waits for a few payments; where there are many (a lost aux/), a thread does it. Never
 * fails: what is wrong is logged, and tried again at the next start. */
struct reconcile *reconcile_start(struct wallet_ledger *ledger, struct journal *journal, enum environment environment);
/* Becomes true when all that was missing is written, or cannot be; lives as long as the object. */
const atomic_bool *reconcile_is_done(const struct reconcile *reconcile);
/* After the last exchange, while both are open: from here on the next start looks. NULL is fine. */
void reconcile_close(struct reconcile *reconcile);

#endif
