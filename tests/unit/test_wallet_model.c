/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger against a reference model: random operations, a quarter of them hostile (repeats, conflicts, unknown ids,
 * too much money), every answer predicted, clocks that step back, the ledger closed and opened on the way. 20,000
 * operations; MODEL_OPERATIONS and MODEL_SEED change that; the seed is printed.
 */
#include "tests/unit/suite.h"
#include "tests/unit/wallet_model.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 400, AUDITED_MAX = 200000, MINUTES_PER_OPERATION_INVERSE = 20, STEP_BACK_MINUTES_MAX = 2000 };

static uint64_t random_state;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* ---- clocks: the wall clock steps, and with it the order of ids ---- */

static atomic_llong wall_skipped_ns;
static uint32_t minute = STEP_BACK_MINUTES_MAX; /* of the budgets' windows */

static int64_t now_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return now_of(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return now_of(CLOCK_REALTIME) + atomic_load(&wall_skipped_ns);
}

char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    snprintf(text, CLOCK_TEXT_MAX, "%lld", (long long)wall_ns);
    return text;
}

static void move_clocks(void)
{
    if (next_random(MINUTES_PER_OPERATION_INVERSE) == 0 && minute + STEP_BACK_MINUTES_MAX < SLOTS_MAX)
        minute += (uint32_t)next_random(3);
    if (next_random(3000) == 0) {
        uint32_t back = (uint32_t)next_random(STEP_BACK_MINUTES_MAX);
        minute = minute > back ? minute - back : 0;
    }
}

/* Between batches only: a deadline is told in the wall clock of the moment at which the ledger hears of it. */
static void move_wall_clock(unsigned operations)
{
    if (next_random(2000) < operations)
        atomic_store(&wall_skipped_ns, (int64_t)next_random(172800) * 1000000000 - INT64_C(86400) * 1000000000);
}

/* ---- operations ---- */

static void name_wallet(struct wallet_operation *operation, unsigned wallet)
{
    snprintf(operation->wallet, sizeof operation->wallet, "wallet-%u", wallet);
}

static void ask_budget(struct wallet_operation *operation, const struct model_budget *budget, int64_t limit)
{
    struct wallet_budget *asked = &operation->budgets[operation->budget_count++];
    uint32_t span = (budget->buckets - 1) * budget->minutes, last = minute - minute % budget->minutes;
    snprintf(asked->name, sizeof asked->name, "%s", budget->name);
    asked->last = last > span ? last : span;
    asked->first = asked->last - span;
    asked->limit.nano = limit;
}

/* Up to three different ones, with limits that a policy might change from request to request. */
static void ask_budgets(struct wallet_operation *operation)
{
    static const int64_t limits[] = {INT64_MAX, INT64_MAX, 20000, 20000, 2000, 100000, 300, 0};
    unsigned first = (unsigned)next_random(BUDGETS), count = (unsigned)next_random(BUDGETS_PER_HOLD + 1);
    for (unsigned i = 0; i < count; i++) {
        int64_t limit = limits[next_random(next_random(10) ? 6 : 8)];
        ask_budget(operation, &budgets[(first + i) % BUDGETS], limit);
    }
}

static struct answer make_reserve(struct wallet_operation *operation)
{
    unsigned wallet = (unsigned)next_random(WALLETS);
    int64_t amount = (int64_t)next_random(next_random(20) ? 1000 : 100000) - (next_random(50) == 0);
    operation->kind = WALLET_RESERVE;
    operation->amount.nano = amount;
    operation->floor.nano = amount > 0 ? (int64_t)next_random((uint64_t)amount) : 0;
    if (amount > 0 && next_random(3) == 0)
        operation->amount_min.nano = 1 + (int64_t)next_random((uint64_t)amount) + (next_random(50) == 0);
    operation->is_unenforced = wallet == 0 && next_random(4) == 0; /* one wallet may go below 0 */
    name_wallet(operation, wallet);
    if (next_random(3))
        ask_budgets(operation);
    return model_reserve(operation, &wallets[wallet]);
}

/* The last funding or adjustment that was accepted. */
static struct wallet_operation last_money;
static unsigned last_money_wallet;

static struct answer make_money_again(struct wallet_operation *operation)
{
    bool is_changed = next_random(3) == 0;
    *operation = last_money;
    operation->amount.nano += is_changed;
    operation->amount.nano += operation->amount.nano == 0; /* invalid whatever it was before */
    return answer_for(operation->amount.nano != last_money.amount.nano ? ERROR_TRANSFER_CONFLICT : ERROR_OK,
                      &wallets[last_money_wallet], 0, false);
}

static struct answer make_money(struct wallet_operation *operation)
{
    unsigned wallet = (unsigned)next_random(WALLETS);
    if (last_money.wallet[0] && next_random(5) == 0)
        return make_money_again(operation);
    operation->kind = next_random(3) ? WALLET_FUND : WALLET_ADJUST;
    operation->amount.nano = (int64_t)next_random(8000) - (operation->kind == WALLET_ADJUST ? 5000 : 50);
    operation->create = next_random(2) == 0;
    snprintf(operation->note, sizeof operation->note, "model %u", (unsigned)next_random(100));
    name_wallet(operation, wallet);
    struct answer answer = model_money(operation, &wallets[wallet]);
    if (answer.error == ERROR_OK) {
        last_money = *operation;
        last_money_wallet = wallet;
    }
    return answer;
}

static struct answer make_unknown(struct wallet_operation *operation)
{
    static const enum wallet_operation_kind kinds[] = {WALLET_SETTLE, WALLET_VOID, WALLET_DEFER};
    operation->kind = kinds[next_random(3)];
    operation->job = (struct wallet_job){.provider = "openai", .key = "unknown", .deadline_s = 1};
    return answer_for(ERROR_TRANSFER_UNKNOWN, NULL, 0, false);
}

/* The same hold asked for again, sometimes with other content. */
static struct answer make_repeat(struct wallet_operation *operation, const struct model_hold *hold)
{
    unsigned change = (unsigned)next_random(6); /* 0: amount, 1: a limit, 2: one budget less */
    bool is_changed = change == 0 || (change < 3 && hold->counted_count > 0);
    operation->kind = WALLET_RESERVE;
    operation->id = hold->id;
    operation->amount.nano = hold->amount + (change == 0);
    if (hold->amount > 0 && next_random(2))
        operation->amount_min.nano = hold->amount + (change == 0);
    operation->floor.nano = hold->floor;
    for (unsigned i = 0; i < hold->counted_count; i++)
        ask_budget(operation, &budgets[hold->counted[i].budget],
                   change == 1 && i == 0 ? hold->counted[i].limit - 1 : hold->counted[i].limit);
    if (change == 1 && hold->counted_count && hold->counted[0].limit == 0)
        operation->budgets[0].limit.nano = 1;
    operation->budget_count -= change == 2 && hold->counted_count;
    name_wallet(operation, hold->wallet);
    return answer_for(is_changed            ? ERROR_TRANSFER_CONFLICT
                      : hold->state == OPEN ? ERROR_OK
                                            : ERROR_TRANSFER_RESOLVED,
                      &wallets[hold->wallet], is_changed ? 0 : hold->amount, false);
}

static struct answer make_resolution(struct wallet_operation *operation)
{
    /* mostly recent holds, some old ones: those have left the memory */
    unsigned span = next_random(4) ? (hold_count < 50 ? hold_count : 50) : hold_count;
    struct model_hold *hold = &holds[hold_count - 1 - next_random(span)];
    if (next_random(8) == 0)
        return make_repeat(operation, hold);
    operation->kind = next_random(5) ? WALLET_SETTLE : WALLET_VOID;
    operation->id = hold->id;
    operation->bytes_were_sent = operation->kind == WALLET_VOID && next_random(5) == 0;
    snprintf(operation->memo.model, sizeof operation->memo.model, "model-%u", (unsigned)next_random(20));
    snprintf(operation->memo.project, sizeof operation->memo.project, "project-%u", (unsigned)next_random(20));
    if (operation->kind == WALLET_VOID)
        return model_void(operation, hold);
    operation->amount.nano = (int64_t)next_random((uint64_t)hold->amount + 1) - (next_random(50) == 0);
    if (next_random(10) == 0)
        operation->amount.nano += hold->amount + (int64_t)next_random(500);
    if (hold->state == SETTLED && next_random(2))
        operation->amount.nano = hold->settled;
    return model_settle(operation, hold);
}

/* Deadlines are at half past an hour, a restart at a full one (go_to_full_hour): none is due while the ledger is open,
 * and which are due at the start is no question of milliseconds. */
static struct answer make_defer(struct wallet_operation *operation)
{
    static const int64_t hours[] = {1, 5, 12, 24, 72, 10000};
    const unsigned span = hold_count < 30 ? hold_count : 30;
    struct model_hold *hold = &holds[hold_count - 1 - next_random(next_random(6) ? span : hold_count)];
    const unsigned job = hold->is_deferred && next_random(2) ? hold->job : (unsigned)next_random(JOBS);
    const int64_t hour = clock_wall_ns() / 1000000000 / 3600;
    operation->kind = WALLET_DEFER;
    operation->id = hold->id;
    operation->job.deadline_s = (hour + hours[next_random(6)]) * 3600 + 1800;
    snprintf(operation->job.provider, sizeof operation->job.provider, "provider-%u", job % 3);
    snprintf(operation->job.key, sizeof operation->job.key, "job_%u", job);
    snprintf(
        operation->job.note, sizeof operation->job.note, "%.*s", (int)next_random(WALLET_JOB_NOTE_MAX),
        "a note that is as long as it may be, or shorter: 000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000");
    return model_defer(hold, job, operation->job.deadline_s);
}

static struct answer make_operation(struct wallet_operation *operation)
{
    move_clocks();
    *operation = (struct wallet_operation){.id = id_new(), .provider = "openai"};
    switch (next_random(20)) {
    case 0:
        return make_money(operation);
    case 1:
        return make_unknown(operation);
    case 2:
        return hold_count ? make_defer(operation) : make_reserve(operation);
    default:
        return hold_count && next_random(2) ? make_resolution(operation) : make_reserve(operation);
    }
}

/* ---- the comparison ---- */

static struct mailbox replies;
static unsigned answered;

static void count_answer(struct wallet_operation *operation)
{
    (void)operation;
    answered++;
}

static bool is_right(const struct wallet_operation *got, const struct answer *wanted)
{
    bool is_good = got->error == wanted->error && got->available.nano == wanted->available &&
                   got->held.nano == wanted->held && got->alarm == wanted->alarm &&
                   got->refused_by == wanted->refused_by && got->left.nano == wanted->left;
    EXPECT(is_good,
           "kind %d of %lld with %u budgets: %s %lld %lld %d by %d left %lld, wanted %s %lld %lld %d by %d left %lld",
           got->kind, (long long)got->amount.nano, got->budget_count, error_row(got->error)->name,
           (long long)got->available.nano, (long long)got->held.nano, got->alarm, got->refused_by,
           (long long)got->left.nano, error_row(wanted->error)->name, (long long)wanted->available,
           (long long)wanted->held, wanted->alarm, wanted->refused_by, (long long)wanted->left);
    return is_good;
}

/* Up to BATCH operations at once: they share commits, and their order is kept. */
static unsigned run_batch(struct wallet_ledger *ledger, unsigned count)
{
    static struct wallet_operation operations[BATCH];
    static struct answer wanted[BATCH];
    unsigned wrong = 0;
    move_wall_clock(count);
    for (unsigned i = 0; i < count; i++) {
        wanted[i] = make_operation(&operations[i]);
        operations[i].reply_to = &replies;
        operations[i].done = count_answer;
        wallet_submit(ledger, &operations[i]);
    }
    for (answered = 0; answered < count; usleep(20))
        mailbox_run(&replies);
    for (unsigned i = 0; i < count && wrong < 3; i++)
        wrong += !is_right(&operations[i], &wanted[i]);
    return wrong;
}

static void expect_wallets(struct wallet_ledger *ledger)
{
    for (unsigned i = 0; i < WALLETS; i++) {
        char name[WALLET_NAME_MAX];
        struct wallet_facts facts = {0};
        snprintf(name, sizeof name, "wallet-%u", i);
        enum error error = wallet_find(ledger, name, &facts);
        EXPECT((error == ERROR_OK) == wallets[i].exists, "%s: %s", name, error_row(error)->name);
        EXPECT_INTEGER(facts.available.nano, available_of(&wallets[i]));
        EXPECT_INTEGER(facts.held.nano, wallets[i].held);
        EXPECT_INTEGER(facts.spent.nano, wallets[i].spent);
        EXPECT_INTEGER(facts.funded.nano, wallets[i].funded);
    }
}

/* What is open is found, and listed in order; what has ended is not. */
static unsigned expect_jobs(struct wallet_ledger *ledger)
{
    static struct wallet_job listed[JOBS];
    unsigned wrong = 0, open = 0;
    for (unsigned i = 0; i < JOBS; i++) {
        char provider[16], key[16];
        struct wallet_job job = {.key = ""};
        snprintf(provider, sizeof provider, "provider-%u", i % 3);
        snprintf(key, sizeof key, "job_%u", i);
        const enum error error = wallet_find_job(ledger, provider, key, &job);
        const struct model_hold *hold = is_job_open(i) ? &holds[job_holds[i] - 1] : NULL;
        open += hold != NULL;
        wrong += hold ? error || memcmp(&job.hold, &hold->id, sizeof job.hold) != 0 || job.held.nano != hold->amount ||
                            job.deadline_s != hold->deadline_s
                      : error != ERROR_NOT_FOUND;
    }
    EXPECT(wrong == 0, "%u jobs are not as they should be", wrong);
    EXPECT_INTEGER(wallet_list_jobs(ledger, listed, JOBS), open);
    for (unsigned i = 1; i < open; i++)
        wrong += listed[i - 1].deadline_s > listed[i].deadline_s;
    return wrong;
}

static unsigned expect_budget(struct wallet_ledger *ledger, const struct model_budget *budget)
{
    struct wallet_operation asked = {.budget_count = 0};
    struct wallet_budget_facts facts;
    int64_t held = 0, spent = 0;
    ask_budget(&asked, budget, 0);
    const uint32_t first = asked.budgets[0].first, last = asked.budgets[0].last, slot = slot_of(budget, last);
    spent = used_in(budget, slot, &held);
    wallet_find_budget(ledger, budget->name, first, last, &facts);
    bool is_good = facts.spent.nano == spent && facts.held.nano == held && facts.last == slot * budget->minutes &&
                   facts.last - facts.first == last - first;
    EXPECT(is_good, "budget %s from %u to %u: %lld and %lld from %u to %u, wanted %lld and %lld", budget->name, first,
           last, (long long)facts.spent.nano, (long long)facts.held.nano, facts.first, facts.last, (long long)spent,
           (long long)held);
    return !is_good;
}

static unsigned expect_budgets(struct wallet_ledger *ledger)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < BUDGETS; i++)
        wrong += expect_budget(ledger, &budgets[i]);
    return wrong;
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

struct journal {
    int64_t written_off;
    uint64_t transfers;
};

static bool add_transfer(void *context, const struct wallet_transfer *transfer)
{
    struct journal *journal = context;
    journal->transfers++;
    if (!strcmp(transfer->kind, "write-off"))
        journal->written_off += transfer->amount.nano;
    return true;
}

/* What was refused, or asked again, has left nothing. */
static void expect_journal(struct wallet_ledger *ledger)
{
    struct journal journal = {0, 0};
    CU_ASSERT_EQUAL(wallet_history(ledger, NULL, SIZE_MAX, add_transfer, &journal), ERROR_OK);
    EXPECT_INTEGER(journal.written_off, written_off);
    EXPECT_INTEGER(journal.transfers, transfer_count);
}

static void expect_clean_audit(const char *directory)
{
    char report[2048];
    enum error error = wallet_audit(directory, report, sizeof report);
    EXPECT(error == ERROR_OK, "%s\n%s", error_row(error)->name, report);
}

static void go_to_full_hour(void)
{
    const int64_t into_s = clock_wall_ns() / 1000000000 % 3600;
    atomic_fetch_add(&wall_skipped_ns, (3600 - into_s) * 1000000000);
}

/* From one opening to the next closing. Returns how many operations ran. */
static unsigned long run_life(const char *directory, unsigned long operations, bool is_first, unsigned *wrong)
{
    const bool in_full = next_random(2);
    const struct wallet_options options = {
        .directory = directory, .environment = "dev", .settle_recovered_in_full = in_full};
    struct wallet_ledger *ledger = NULL;
    go_to_full_hour();
    unsigned recovered = 0, expected = is_first ? 0 : model_recover(in_full, clock_wall_ns() / 1000000000);
    unsigned long done = 0;
    enum error error = wallet_open(&options, &ledger, &recovered);
    EXPECT(error == ERROR_OK, "%s: %s", error_row(error)->name, wallet_failure());
    CU_ASSERT_PTR_NOT_NULL_FATAL(ledger);
    EXPECT_INTEGER(recovered, expected);
    expect_wallets(ledger);
    *wrong += expect_budgets(ledger) + expect_jobs(ledger);
    while (done < operations && !*wrong) {
        unsigned count = 1 + (unsigned)next_random(next_random(2) ? BATCH : 8);
        *wrong += run_batch(ledger, count);
        *wrong += expect_budgets(ledger);
        *wrong += next_random(8) == 0 ? expect_jobs(ledger) : 0;
        done += count;
    }
    expect_wallets(ledger);
    expect_journal(ledger);
    wallet_close(ledger);
    return done;
}

TEST(wallet_model)
{
    char root[] = "/tmp/tollgate-model-XXXXXX", directory[64], command[128];
    const unsigned long seed = number_from("MODEL_SEED", (unsigned long)time(NULL));
    const unsigned long operations = number_from("MODEL_OPERATIONS", 20000);
    unsigned wrong = 0;
    printf("seed %lu ", seed);
    fflush(stdout);
    random_state = seed * 2 + 1;
    holds = calloc(HOLDS_MAX, sizeof *holds);
    CU_ASSERT_PTR_NOT_NULL_FATAL(holds);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    CU_ASSERT_FATAL(operations + BATCH < HOLDS_MAX);
    snprintf(directory, sizeof directory, "%s/ledger", root);
    mailbox_init(&replies);
    for (unsigned long done = 0; done < operations && !wrong;) {
        done += run_life(directory, operations / 8 + 1, done == 0, &wrong);
        if (operations <= AUDITED_MAX || done >= operations) /* a large one reads the whole journal once */
            expect_clean_audit(directory);
    }
    mailbox_done(&replies);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CU_ASSERT_EQUAL(system(command), 0);
    free(holds);
}
