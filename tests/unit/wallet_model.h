/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference model of the ledger, for test_wallet_model.c: what each operation must answer and what it must leave
 * behind, in plain arrays. Written from wallet.h, not from the ledger's code.
 */
#ifndef TESTS_UNIT_WALLET_MODEL_H
#define TESTS_UNIT_WALLET_MODEL_H

#include "wallet/wallet.h"

enum { WALLETS = 4, BUDGETS = 5, BUDGETS_PER_HOLD = 3, HOLDS_MAX = 1 << 21, SLOTS_MAX = 1 << 18, JOBS = 200 };

struct model_hold {
    struct id id;
    int64_t amount, floor, settled;
    struct {
        int64_t limit;
        uint32_t slot;
        uint8_t budget;
    } counted[BUDGETS_PER_HOLD];
    uint8_t counted_count, wallet;
    enum { OPEN, SETTLED, VOIDED } state;
    bool is_alarm, is_unenforced, is_deferred;
    uint32_t job;       /* its number, as of the newest that had it */
    int64_t deadline_s; /* of the job, wall clock */
};

struct model_wallet {
    bool exists;
    int64_t funded, spent, held;
};

/* Bucket number n begins at minute n × minutes. */
struct model_budget {
    const char *name;
    uint32_t minutes, buckets; /* of one bucket; of the window */
    bool was_counted;
    uint32_t newest;
    struct {
        int64_t spent, held;
    } slots[SLOTS_MAX];
};

static struct model_wallet wallets[WALLETS];
static struct model_budget budgets[BUDGETS] = {
    {.name = "hour", .minutes = 60, .buckets = 1},
    {.name = "day", .minutes = 1440, .buckets = 1},
    {.name = "rolling", .minutes = 10, .buckets = 6},
    {.name = "rolling-day", .minutes = 120, .buckets = 12},
    {.name = "minute.by.minute", .minutes = 1, .buckets = 3},
};
static struct model_hold *holds;
static unsigned hold_count;
static unsigned job_holds[JOBS]; /* which hold has the job, plus one */
static int64_t written_off;
static uint64_t transfer_count;

struct answer {
    enum error error;
    int64_t available, held, left;
    int refused_by;
    bool alarm;
};

static inline int64_t available_of(const struct model_wallet *wallet)
{
    return wallet->funded - wallet->spent - wallet->held;
}

static inline struct answer answer_for(enum error error, const struct model_wallet *wallet, int64_t held, bool alarm)
{
    return (struct answer){.error = error,
                           .available = wallet && wallet->exists ? available_of(wallet) : 0,
                           .held = held,
                           .refused_by = -1,
                           .alarm = alarm};
}

/* ---- budgets ---- */

static inline struct model_budget *budget_named(const char *name)
{
    for (unsigned i = 0; i < BUDGETS; i++)
        if (!strcmp(budgets[i].name, name))
            return &budgets[i];
    abort();
}

/* The bucket that a hold now counts in: the one asked, or the newest there ever was. */
static inline uint32_t slot_of(const struct model_budget *budget, uint32_t last)
{
    uint32_t asked = last / budget->minutes;
    return budget->was_counted && budget->newest > asked ? budget->newest : asked;
}

static inline int64_t used_in(const struct model_budget *budget, uint32_t slot, int64_t *ret_held)
{
    int64_t spent = 0, held = 0;
    for (uint32_t i = 0; i < budget->buckets && i <= slot; i++) {
        spent += budget->slots[slot - i].spent;
        held += budget->slots[slot - i].held;
    }
    *ret_held = held;
    return spent;
}

/* What the asked budget has left: below 0 when a settle went above its hold. */
static inline int64_t left_of(const struct wallet_budget *asked)
{
    const struct model_budget *budget = budget_named(asked->name);
    int64_t held, spent = used_in(budget, slot_of(budget, asked->last), &held);
    return asked->limit.nano == INT64_MAX ? INT64_MAX : asked->limit.nano - spent - held;
}

static inline void count_hold(struct model_hold *hold, const struct wallet_budget *asked)
{
    struct model_budget *budget = budget_named(asked->name);
    uint32_t slot = slot_of(budget, asked->last);
    budget->was_counted = true;
    budget->newest = slot;
    budget->slots[slot].held += hold->amount;
    hold->counted[hold->counted_count].budget = (uint8_t)(budget - budgets);
    hold->counted[hold->counted_count].limit = asked->limit.nano;
    hold->counted[hold->counted_count++].slot = slot;
}

/* ---- holds ---- */

static inline struct answer refuse_budget(const struct wallet_operation *operation, int64_t least,
                                          const struct model_wallet *wallet)
{
    struct answer answer = answer_for(ERROR_OK, wallet, 0, false);
    for (unsigned i = 0; i < operation->budget_count; i++) {
        int64_t left = left_of(&operation->budgets[i]);
        if (left >= least && operation->budgets[i].limit.nano > 0)
            continue;
        left = left > 0 ? left : 0;
        if (answer.error == ERROR_OK || left < answer.left) {
            answer.error = ERROR_BUDGET_EXHAUSTED;
            answer.left = left;
            answer.refused_by = (int)i;
        }
    }
    return answer;
}

static inline struct answer model_reserve(const struct wallet_operation *operation, struct model_wallet *wallet)
{
    int64_t amount = operation->amount.nano, least = operation->amount_min.nano ? operation->amount_min.nano : amount;
    if (amount < 0 || operation->amount_min.nano > amount)
        return answer_for(ERROR_AMOUNT_INVALID, wallet, 0, false);
    if (!wallet->exists && !operation->is_unenforced)
        return answer_for(ERROR_WALLET_UNKNOWN, wallet, 0, false);
    if (!operation->is_unenforced && (available_of(wallet) <= 0 || available_of(wallet) < least))
        return answer_for(ERROR_WALLET_EXHAUSTED, wallet, 0, false);
    struct answer refused = refuse_budget(operation, least, wallet);
    if (refused.error)
        return refused;
    if (!operation->is_unenforced && amount > available_of(wallet))
        amount = available_of(wallet);
    for (unsigned i = 0; i < operation->budget_count; i++)
        amount = left_of(&operation->budgets[i]) < amount ? left_of(&operation->budgets[i]) : amount;
    struct model_hold *hold = &holds[hold_count++];
    wallet->exists = true;
    wallet->held += amount;
    *hold = (struct model_hold){.id = operation->id,
                                .amount = amount,
                                .floor = operation->floor.nano < amount ? operation->floor.nano : amount,
                                .wallet = (uint8_t)(wallet - wallets),
                                .is_unenforced = operation->is_unenforced};
    for (unsigned i = 0; i < operation->budget_count; i++)
        count_hold(hold, &operation->budgets[i]);
    transfer_count += 1 + hold->counted_count;
    return answer_for(ERROR_OK, wallet, amount, false);
}

static inline void end_hold(struct model_hold *hold, int64_t paid)
{
    wallets[hold->wallet].held -= hold->amount;
    wallets[hold->wallet].spent += paid;
    for (unsigned i = 0; i < hold->counted_count; i++) {
        struct model_budget *budget = &budgets[hold->counted[i].budget];
        budget->slots[hold->counted[i].slot].held -= hold->amount;
        budget->slots[hold->counted[i].slot].spent += paid;
    }
    transfer_count += 1 + hold->counted_count;
}

static inline struct answer model_repeat(const struct wallet_operation *operation, const struct model_hold *hold)
{
    bool is_same = operation->kind == WALLET_VOID ? hold->state == VOIDED
                                                  : hold->state == SETTLED && hold->settled == operation->amount.nano;
    return answer_for(is_same ? ERROR_OK : ERROR_TRANSFER_RESOLVED, &wallets[hold->wallet], hold->amount,
                      hold->is_alarm);
}

static inline struct answer model_settle(const struct wallet_operation *operation, struct model_hold *hold)
{
    int64_t amount = operation->amount.nano, paid = amount;
    if (amount < 0)
        return answer_for(ERROR_AMOUNT_INVALID, NULL, 0, false);
    if (hold->state != OPEN)
        return model_repeat(operation, hold);
    const struct model_wallet *wallet = &wallets[hold->wallet];
    int64_t left = available_of(wallet) > 0 ? available_of(wallet) : 0;
    if (amount > hold->amount && !hold->is_unenforced && amount - hold->amount > left)
        paid = hold->amount + left;
    end_hold(hold, paid);
    written_off += amount - paid;
    transfer_count += amount > paid;
    hold->state = SETTLED;
    hold->settled = amount;
    hold->is_alarm = amount > hold->amount;
    return answer_for(ERROR_OK, wallet, hold->amount, hold->is_alarm);
}

static inline struct answer model_void(const struct wallet_operation *operation, struct model_hold *hold)
{
    if (operation->bytes_were_sent)
        return answer_for(ERROR_INTERNAL, NULL, 0, false);
    if (hold->state != OPEN)
        return model_repeat(operation, hold);
    end_hold(hold, 0);
    hold->state = VOIDED;
    return answer_for(ERROR_OK, &wallets[hold->wallet], hold->amount, false);
}

/* ---- jobs ---- */

static inline bool is_job_open(unsigned job)
{
    const struct model_hold *hold = job_holds[job] ? &holds[job_holds[job] - 1] : NULL;
    return hold && hold->state == OPEN;
}

static inline struct answer model_defer(struct model_hold *hold, unsigned job, int64_t deadline_s)
{
    const struct model_wallet *wallet = &wallets[hold->wallet];
    const bool is_mine = job_holds[job] == (unsigned)(hold - holds) + 1;
    if (hold->state != OPEN)
        return answer_for(ERROR_TRANSFER_RESOLVED, wallet, hold->amount, false);
    if (hold->is_deferred || is_job_open(job))
        return answer_for(is_mine ? ERROR_OK : ERROR_TRANSFER_CONFLICT, wallet, hold->amount, false);
    hold->is_deferred = true;
    hold->job = job;
    hold->deadline_s = deadline_s;
    job_holds[job] = (unsigned)(hold - holds) + 1;
    transfer_count++;
    return answer_for(ERROR_OK, wallet, hold->amount, false);
}

/* After a restart, at this moment of the wall clock. Returns how many were open, but for those of jobs. */
static inline unsigned model_recover(bool in_full, int64_t now_s)
{
    unsigned count = 0;
    for (unsigned i = 0; i < hold_count; i++) {
        struct model_hold *hold = &holds[i];
        if (hold->state != OPEN || (hold->is_deferred && hold->deadline_s > now_s))
            continue;
        end_hold(hold, in_full || hold->is_deferred ? hold->amount : hold->floor);
        hold->state = SETTLED;
        hold->settled = -1; /* settled on another basis: no later settle is the same */
        count += !hold->is_deferred;
    }
    return count;
}

/* ---- money ---- */

static inline struct answer model_money(const struct wallet_operation *operation, struct model_wallet *wallet)
{
    int64_t amount = operation->amount.nano;
    bool is_fund = operation->kind == WALLET_FUND;
    if (amount == 0 || (is_fund && amount < 0))
        return answer_for(ERROR_AMOUNT_INVALID, wallet, 0, false);
    if (!wallet->exists && !(is_fund && operation->create))
        return answer_for(ERROR_WALLET_UNKNOWN, wallet, 0, false);
    if (amount < 0 && available_of(wallet) < -amount)
        return answer_for(ERROR_WALLET_EXHAUSTED, wallet, 0, false);
    wallet->exists = true;
    *(amount < 0 ? &wallet->spent : &wallet->funded) += amount < 0 ? -amount : amount;
    transfer_count++;
    return answer_for(ERROR_OK, wallet, 0, false);
}

#endif
