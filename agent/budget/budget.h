/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets: which of the policy's budgets a call counts against, in which window, with which limit; and which alerts are
 * due. Pure decisions over settings and clock; what was used is the ledger's to know (wallet_find_budget), what is done
 * about an alert is the agent's. It holds no state but the marks of the alerts that were given.
 */
#ifndef BUDGET_BUDGET_H
#define BUDGET_BUDGET_H

#include "base/error.h"
#include "base/money.h"
#include "config/config.h"

/* What a call is about; "" where unknown. */
struct budget_call {
    const char *wallet, *group, *provider, *model, *project;
};

/* A window of a budget: buckets numbered by when they start, in minutes since 1970 UTC (wallet.h, struct
 * wallet_budget). `ends_s`: when the window ends (rolling: when its oldest bucket leaves), seconds since 1970. */
struct budget_window {
    uint32_t first, last;
    int64_t starts_s, ends_s;
    struct money limit; /* of this window: by_month, or amount */
};

enum { BUDGET_NAME_MAX = 48, BUDGET_MATCHES_MAX = 8 };

/* The budgets of `settings` that count this call, hard ones first; at most `max` (the policy check keeps more from ever
 * matching one call). Returns how many. */
size_t budget_match(const struct settings *settings, const struct budget_call *call, const struct budget **ret_budgets,
                    size_t max);
/* The window of `budget` at wall-clock time `now_s`. An hour, day, week (from Monday) or month begins in the budget's
 * time zone; where a clock change repeats or skips its beginning, the first instant of it counts. A rolling window is
 * divided into 12 to 60 buckets, and covers at least its length. */
void budget_find_window(const struct budget *budget, int64_t now_s, struct budget_window *ret_window);
/* "monthly budget team (November 2026, Europe/Berlin)": for errors and reports. */
char *budget_describe(const struct budget *budget, const struct budget_window *window, char *text, size_t text_bytes);
const char *budget_window_name(enum budget_period period); /* hourly daily weekly monthly rolling */

/* What will be spent when the window ends, at the pace since it began (rolling: what is spent). */
struct money budget_forecast(const struct budget_window *window, struct money spent, int64_t now_s);

/* ---- marks: an alert is given once per (what, window, threshold), across restarts and clock steps ---- */
struct budget_marks;
/* Reads STATE/alerts (created; a torn last line is dropped). Errors: FILE_UNREADABLE, FILE_UNWRITABLE, NO_MEMORY. */
enum error budget_marks_open(const char *file, struct budget_marks **ret_marks) MUST_USE;
void budget_marks_close(struct budget_marks *marks);
/* True when (subject, window, threshold) was not marked yet: it is now, durably (while the disk refuses: in memory, and
 * on disk with the first write that succeeds). Windows of a subject older than the newest one seen answer false: the
 * clock stepped back. subject and threshold: 1 to 127 and 1 to 31 printable characters, no space. One thread. */
bool budget_marks_take(struct budget_marks *marks, const char *subject, uint64_t window, const char *threshold);
/* An alert that was taken and is known to be delivered. What was taken but not delivered before a crash comes back from
 * budget_marks_undelivered at the next start, so that an alert may come twice, but never not at all. */
void budget_marks_deliver(struct budget_marks *marks, const char *subject, uint64_t window, const char *threshold);
/* visit must not call these functions. */
typedef void budget_marks_visit(void *context, const char *subject, uint64_t window, const char *threshold);
void budget_marks_undelivered(struct budget_marks *marks, budget_marks_visit *visit, void *context);

#endif
