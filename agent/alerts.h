/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts: a thread that looks once a second whether a budget has passed one of its thresholds, or a wallet runs low or
 * will soon, and gives each such finding once: to the log, to the operator's command, to the webhook. Opened by
 * agent.c. It reads balances and budgets; it never moves money and is in no request's way.
 */
#ifndef ALERTS_H
#define ALERTS_H

#include "base/buffer.h"
#include "config/config.h"
#include "notify.h"
#include "wallet/wallet.h"

struct alerts;

struct alerts_options {
    const char *state; /* STATE/alerts holds what was given already */
    enum environment environment;
    struct wallet_ledger *ledger;
    struct notify *notify;
    struct settings *(*retain_settings)(void *context);
    void *context;
};

/* Gives again what an earlier run could not deliver. Errors: as budget_marks_open. */
enum error alerts_open(const struct alerts_options *options, struct alerts **ret_alerts) MUST_USE;
/* Waits a moment for what is under way. NULL is fine. Before wallet_close and notify_close. */
void alerts_close(struct alerts *alerts);
/* A JSON array: the alerts of this run, the oldest first, each with "delivery": pending, done, failed. Any thread. */
void alerts_write(struct alerts *alerts, struct buffer *out);

#endif
