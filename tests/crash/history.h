/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was asked of the ledger and what it answered, in memory that parent and children share: it outlives every kill.
 * The working child writes it (work.c), the checking child compares the ledger with it (inspect.c), the parent starts
 * both (child.h). Also the seeded randomness and the count of violations.
 */
#ifndef CRASH_HISTORY_H
#define CRASH_HISTORY_H

#include "wallet/wallet.h"

#include <stdatomic.h>

enum { HISTORY_ENTRIES_MAX = 1 << 17, HISTORY_BUDGETS = 3, HISTORY_WALLETS = 3 };

enum answer { NOT_ASKED, ASKED, GRANTED, REFUSED };

enum history_kind { HISTORY_HOLD, HISTORY_FUNDING, HISTORY_ADJUSTMENT };

/* One hold, funding or adjustment: what was asked for it and what was answered. */
struct history_entry {
    struct id id;
    enum history_kind kind;
    int64_t amount, amount_min; /* granted: amount is what was granted */
    int64_t settled;            /* asked for */
    unsigned budgets;           /* a bit per budget */
    uint32_t bucket;
    bool is_brief; /* its job's deadline is at once over */
    _Atomic enum answer made, settle, void_, defer;
};

struct history {
    atomic_uint count;
    atomic_bool is_ready; /* the working child has opened the ledger */
    atomic_uint violations;
    atomic_ullong asked_before; /* in ledgers before this one */
    uint32_t bucket;            /* where budgets count now */
    struct history_entry entries[HISTORY_ENTRIES_MAX];
};

extern struct history *history;

void history_open(uint64_t seed); /* before the first fork */
void history_clear(void);         /* for a new ledger */
struct history_entry *history_add(enum history_kind kind, int64_t amount);
uint64_t history_asked(void); /* in all ledgers */
void history_name_budget(unsigned budget, char name[WALLET_BUDGET_NAME_MAX]);
struct money history_limit_of(unsigned budget);
void history_name_job(const struct history_entry *entry, char key[WALLET_JOB_KEY_MAX]);

uint64_t random_next(uint64_t below);
void random_set(uint64_t seed);

/* Says what is wrong; entry may be NULL. */
void violate(const struct history_entry *entry, const char *what);

#endif
