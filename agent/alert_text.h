/* SPDX-License-Identifier: Apache-2.0 */
/* What an alert says, in words and as JSON. Called by alerts.c only. */
#ifndef ALERT_TEXT_H
#define ALERT_TEXT_H

#include "budget/budget.h"
#include "delivery.h"
#include "wallet/wallet.h"

enum { ALERT_TEXT_MAX = 400 };

struct alert_facts {
    const char *kind, *threshold, *environment;
    const char *name; /* of the budget or wallet, where nothing more is known of it */
    int64_t time_s;
    const struct budget *budget; /* NULL: about a wallet */
    const struct budget_window *window;
    const struct wallet_facts *wallet; /* NULL: none, or several */
    struct money spent, limit;
    int64_t days; /* that the wallet lasts; -1: not what it is about */
    char text[ALERT_TEXT_MAX], hint[ALERT_TEXT_MAX];
};

/* Fill text and hint (environment is needed later). */
void alert_describe_budget(struct alert_facts *facts);
void alert_describe_wallet(struct alert_facts *facts);
/* An alert of an earlier run: its numbers are gone. */
void alert_describe_late(struct alert_facts *facts);

/* Makes alert->id from the mark (subject, window, threshold must be there) and from whose it is, and alert->json. */
void alert_format(const struct alert_facts *facts, const char *state, struct alert *alert);

#endif
