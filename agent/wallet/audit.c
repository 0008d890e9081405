/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit: everything recomputed from the first transfer on, one line per invariant. For operators, and for every
 * crash test. Opens the ledger itself, so no agent may run on it.
 */
#include "wallet/internal.h"

#include "base/money.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const titles[INVARIANT_COUNT] = {
    [INVARIANT_BALANCED] = "debits equal credits",
    [INVARIANT_NOT_OVERSPENT] = "no wallet overspent",
    [INVARIANT_HOLDS] = "each hold resolved at most once",
    [INVARIANT_WITHIN_HOLD] = "nothing posted above its hold without an alarm",
    [INVARIANT_ACCOUNTS] = "accounts equal the journal",
    [INVARIANT_CHAIN] = "journal complete and unchanged",
    [INVARIANT_JOBS] = "each job names one open hold, each deferred hold has one job",
    [INVARIANT_BUDGETS] = "each hold counted in its budgets, none above its limit",
};

struct report {
    char *text;
    size_t bytes_max, used;
};

static void print(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void print(struct report *report, const char *format, ...)
{
    va_list arguments;
    if (report->used >= report->bytes_max)
        return;
    va_start(arguments, format);
    int length = vsnprintf(report->text + report->used, report->bytes_max - report->used, format, arguments);
    va_end(arguments);
    report->used += length > 0 ? (size_t)length : 0;
}

static void print_totals(struct report *report, const struct verification *verification)
{
    char pending[MONEY_TEXT_MAX], posted[MONEY_TEXT_MAX];
    print(report, "transfers %llu, open holds %u, of jobs %u, pending %s USD, posted %s USD\n",
          (unsigned long long)verification->transfers, HASH_COUNT(verification->holds),
          HASH_COUNT(verification->deferred), money_format((struct money){(int64_t)verification->totals[0]}, pending),
          money_format((struct money){(int64_t)verification->totals[2]}, posted));
}

enum error wallet_audit(const char *directory, char *report, size_t report_bytes)
{
    struct report out = {report, report_bytes, 0};
    struct tables tables;
    struct verification verification;
    if (report_bytes)
        report[0] = '\0';
    enum error error = tables_open_closed(directory, &tables);
    if (error == ERROR_NOT_FOUND)
        print(&out, "no ledger in %s\n", directory);
    else if (error)
        print(&out, "the ledger cannot be opened: %s\n",
              store_failure(NULL)[0] ? store_failure(NULL) : error_row(error)->text);
    if (error)
        return error;
    error = ledger_verify(&tables, false, true, &verification);
    if (error)
        print(&out, "the ledger cannot be read: %s\n", store_failure(tables.store));
    tables_close(&tables);
    if (error)
        return error;
    for (unsigned i = 0; i < INVARIANT_COUNT; i++) {
        const struct finding *finding = &verification.findings[i];
        print(&out, "%s %u %s%s%s\n", finding->violations ? "FAILED" : "ok", i + 1, titles[i],
              finding->violations ? ": " : "", finding->first);
    }
    print_totals(&out, &verification);
    verification_free(&verification);
    return verification_is_clean(&verification) ? ERROR_OK : ERROR_STORE_CORRUPT;
}
