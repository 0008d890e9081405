/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets held together with the wallet, and what else a hold depends on: a least amount, the disk, its deadline. The
 * clocks are scripted. Every play ends with an audit of the whole journal.
 */
#include "tests/unit/wallet_plays.h"

#include "base/clock.h"
#include "wallet/internal.h" /* the bounds of a batch, the schema */

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/statvfs.h>
#include <time.h>

/* ---- clocks that tests move ---- */

static atomic_llong skipped_ns;

static int64_t now_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + atomic_load(&skipped_ns);
}

int64_t clock_monotonic_ns(void)
{
    return now_of(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return now_of(CLOCK_REALTIME);
}

char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    snprintf(text, CLOCK_TEXT_MAX, "%lld", (long long)wall_ns);
    return text;
}

/* ---- plays: holds with budgets, each with its answer ---- */

enum { BUDGETS_PER_LINE = 3, SOFT = -1 };

struct asked {
    const char *name;
    uint32_t first, last;
    int64_t limit; /* SOFT: MONEY_MAX */
};

struct line {
    enum wallet_operation_kind kind;
    unsigned id;
    int64_t amount, amount_min;
    struct asked budgets[BUDGETS_PER_LINE];
    enum error error;
    int64_t available, held;
    int refused_by;
    int64_t left;
};

/* What each of the budgets "a", "b" and "c" has used after a line, in the window given: {name, first, last} → used. */
struct used {
    const char *name;
    uint32_t first, last, first_wanted, last_wanted;
    int64_t spent, held;
};

static struct wallet_operation operation_of(const struct line *line)
{
    struct wallet_operation operation = {.kind = line->kind,
                                         .id = id_number(line->id),
                                         .wallet = "w",
                                         .provider = "openai",
                                         .amount = {line->amount},
                                         .amount_min = {line->amount_min},
                                         .create = true,
                                         .note = "test"};
    for (unsigned i = 0; i < BUDGETS_PER_LINE && line->budgets[i].name; i++) {
        const struct asked *asked = &line->budgets[i];
        struct wallet_budget *budget = &operation.budgets[operation.budget_count++];
        snprintf(budget->name, sizeof budget->name, "%s", asked->name);
        budget->first = asked->first;
        budget->last = asked->last;
        budget->limit.nano = asked->limit == SOFT ? INT64_MAX : asked->limit;
    }
    return operation;
}

static void play_line(struct wallet_ledger *ledger, const struct line *line, size_t number)
{
    struct wallet_operation operation = operation_of(line);
    const int refused_by = line->error == ERROR_BUDGET_EXHAUSTED ? line->refused_by : -1;
    wallet_run(ledger, &operation);
    EXPECT(operation.error == line->error, "line %zu: %s, wanted %s", number, error_row(operation.error)->name,
           error_row(line->error)->name);
    EXPECT(operation.available.nano == line->available, "line %zu: available %lld", number,
           (long long)operation.available.nano);
    EXPECT(operation.held.nano == line->held, "line %zu: held %lld", number, (long long)operation.held.nano);
    EXPECT(operation.refused_by == refused_by, "line %zu: refused by %d", number, operation.refused_by);
    EXPECT(operation.left.nano == line->left, "line %zu: left %lld", number, (long long)operation.left.nano);
}

static void expect_used(struct wallet_ledger *ledger, const struct used *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct used *row = &rows[i];
        struct wallet_budget_facts facts;
        wallet_find_budget(ledger, row->name, row->first, row->last, &facts);
        EXPECT(facts.first == row->first_wanted && facts.last == row->last_wanted, "row %zu: %u to %u", i, facts.first,
               facts.last);
        EXPECT(facts.spent.nano == row->spent && facts.held.nano == row->held, "row %zu: spent %lld, held %lld", i,
               (long long)facts.spent.nano, (long long)facts.held.nano);
    }
}

static void play_on(struct wallet_ledger *ledger, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        play_line(ledger, &lines[i], i);
}
#define COUNT(rows)           (sizeof(rows) / sizeof *(rows))
#define PLAY_ON(ledger, rows) play_on(ledger, rows, COUNT(rows))

static void play(const struct line *lines, size_t count, const struct used *used, size_t used_count)
{
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    play_on(ledger, lines, count);
    expect_used(ledger, used, used_count);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}
#define PLAY(lines, used) play(lines, COUNT(lines), used, COUNT(used))

#define FUND(id, sum)                                                                                                  \
    {                                                                                                                  \
        WALLET_FUND, id, sum, 0, {{0}}, ERROR_OK, sum, 0, -1, 0                                                        \
    }

TEST(wallet_budgets_count_and_refuse)
{
    static const struct line lines[] = {
        FUND(1, 1000),
        {WALLET_RESERVE, 2, 60, 0, {{"a", 10, 10, 100}, {"b", 7, 7, SOFT}}, ERROR_OK, 940, 60, -1, 0},
        {WALLET_RESERVE, 3, 41, 0, {{"a", 10, 10, 100}}, ERROR_BUDGET_EXHAUSTED, 940, 0, 0, 40},
        {WALLET_RESERVE, 3, 40, 0, {{"b", 7, 7, 100}, {"a", 10, 10, 100}}, ERROR_OK, 900, 40, -1, 0},
        {WALLET_RESERVE, 4, 1, 0, {{"b", 7, 7, 100}, {"a", 10, 10, 100}}, ERROR_BUDGET_EXHAUSTED, 900, 0, 0, 0},
        {WALLET_RESERVE, 4, 0, 0, {{"a", 10, 10, 100}}, ERROR_OK, 900, 0, -1, 0},            /* full, but not passed */
        {WALLET_RESERVE, 5, 0, 0, {{"c", 10, 10, 0}}, ERROR_BUDGET_EXHAUSTED, 900, 0, 0, 0}, /* a limit of 0 */
        {WALLET_SETTLE, 2, 15, 0, {{0}}, ERROR_OK, 945, 60, -1, 0},
        {WALLET_VOID, 3, 0, 0, {{0}}, ERROR_OK, 985, 40, -1, 0},
        {WALLET_RESERVE, 6, 86, 0, {{"a", 10, 10, 100}}, ERROR_BUDGET_EXHAUSTED, 985, 0, 0, 85},
        {WALLET_RESERVE, 6, 85, 0, {{"a", 10, 10, 100}}, ERROR_OK, 900, 85, -1, 0},
        {WALLET_RESERVE, 7, 10, 0, {{"a", 11, 11, 100}}, ERROR_OK, 890, 10, -1, 0}, /* the next window */
        /* which budget says no: the one with the least left; and the wallet before all of them */
        {WALLET_RESERVE, 8, 95, 0, {{"a", 11, 11, 100}, {"b", 7, 7, 20}}, ERROR_BUDGET_EXHAUSTED, 890, 0, 1, 5},
        {WALLET_RESERVE, 8, 891, 0, {{"a", 11, 11, 100}, {"b", 7, 7, 20}}, ERROR_WALLET_EXHAUSTED, 890, 0, -1, 0},
    };
    static const struct used used[] = {
        {"a", 10, 10, 11, 11, 0, 10}, /* the window has moved on */
        {"a", 11, 11, 11, 11, 0, 10}, {"a", 10, 11, 10, 11, 15, 95}, {"b", 7, 7, 7, 7, 15, 0},
        {"b", 8, 8, 8, 8, 0, 0},      {"c", 10, 10, 10, 10, 0, 0}, /* refused: it was never counted */
        {"nobody", 3, 4, 3, 4, 0, 0},
    };
    PLAY(lines, used);
}

/* Three buckets of ten minutes each: what was used in the oldest comes back when it leaves. */
TEST(wallet_budgets_roll)
{
    static const struct line lines[] = {
        FUND(1, 1000),
        {WALLET_RESERVE, 2, 50, 0, {{"a", 100, 120, 100}}, ERROR_OK, 950, 50, -1, 0},
        {WALLET_RESERVE, 3, 30, 0, {{"a", 110, 130, 100}}, ERROR_OK, 920, 30, -1, 0},
        {WALLET_SETTLE, 2, 40, 0, {{0}}, ERROR_OK, 930, 50, -1, 0}, /* where it was held */
        {WALLET_RESERVE, 4, 31, 0, {{"a", 120, 140, 100}}, ERROR_BUDGET_EXHAUSTED, 930, 0, 0, 30},
        {WALLET_RESERVE, 4, 70, 0, {{"a", 130, 150, 100}}, ERROR_OK, 860, 70, -1, 0}, /* 120 has left */
        {WALLET_SETTLE, 4, 70, 0, {{0}}, ERROR_OK, 860, 70, -1, 0},
        {WALLET_RESERVE, 5, 1, 0, {{"a", 130, 150, 100}}, ERROR_BUDGET_EXHAUSTED, 860, 0, 0, 0},
    };
    static const struct used used[] = {
        {"a", 120, 150, 120, 150, 110, 30},
        {"a", 120, 140, 130, 150, 70, 30}, /* corrected: as long as it was asked, up to the newest bucket */
        {"a", 151, 171, 151, 171, 0, 0},
    };
    PLAY(lines, used);
}

/* The clock steps back: the window that was begun goes on, nothing is granted twice. */
TEST(wallet_budgets_move_only_forward)
{
    static const struct line lines[] = {
        FUND(1, 1000),
        {WALLET_RESERVE, 2, 90, 0, {{"a", 1440, 1440, 100}}, ERROR_OK, 910, 90, -1, 0},
        {WALLET_RESERVE, 3, 11, 0, {{"a", 0, 0, 100}}, ERROR_BUDGET_EXHAUSTED, 910, 0, 0, 10},
        {WALLET_RESERVE, 3, 10, 0, {{"a", 0, 0, 100}}, ERROR_OK, 900, 10, -1, 0},
        {WALLET_RESERVE, 4, 1, 0, {{"a", 1440, 1440, 100}}, ERROR_BUDGET_EXHAUSTED, 900, 0, 0, 0},
        {WALLET_RESERVE, 5, 100, 0, {{"a", 2880, 2880, 100}}, ERROR_OK, 800, 100, -1, 0},
        {WALLET_RESERVE, 6, 50, 0, {{"r", 100, 160, 100}}, ERROR_OK, 750, 50, -1, 0},
        {WALLET_RESERVE, 7, 50, 0, {{"r", 40, 100, 100}}, ERROR_OK, 700, 50, -1, 0}, /* now 100 to 160 */
        {WALLET_RESERVE, 8, 1, 0, {{"r", 100, 160, 100}}, ERROR_BUDGET_EXHAUSTED, 700, 0, 0, 0},
    };
    static const struct used used[] = {
        {"a", 1440, 1440, 2880, 2880, 0, 100}, {"a", 0, 0, 2880, 2880, 0, 100}, {"r", 40, 100, 100, 160, 0, 100}};
    PLAY(lines, used);
}

TEST(wallet_grants_what_it_can_pay)
{
    static const struct line lines[] = {
        FUND(1, 100),
        {WALLET_RESERVE, 2, 100, 101, {{0}}, ERROR_AMOUNT_INVALID, 100, 0, -1, 0},
        {WALLET_RESERVE, 2, 100, -1, {{0}}, ERROR_AMOUNT_INVALID, 100, 0, -1, 0},
        {WALLET_RESERVE, 2, 500, 101, {{0}}, ERROR_WALLET_EXHAUSTED, 100, 0, -1, 0},
        {WALLET_RESERVE, 2, 500, 40, {{"a", 5, 5, 60}}, ERROR_OK, 40, 60, -1, 0},
        {WALLET_RESERVE, 2, 500, 40, {{"a", 5, 5, 60}}, ERROR_OK, 40, 60, -1, 0}, /* again: the same answer */
        {WALLET_RESERVE, 2, 500, 61, {{"a", 5, 5, 60}}, ERROR_TRANSFER_CONFLICT, 40, 0, -1, 0},
        {WALLET_RESERVE, 2, 59, 40, {{"a", 5, 5, 60}}, ERROR_TRANSFER_CONFLICT, 40, 0, -1, 0},
        {WALLET_RESERVE, 2, 500, 40, {{"a", 5, 5, 61}}, ERROR_TRANSFER_CONFLICT, 40, 0, -1, 0},
        {WALLET_RESERVE, 2, 500, 40, {{"b", 5, 5, 60}}, ERROR_TRANSFER_CONFLICT, 40, 0, -1, 0},
        {WALLET_RESERVE, 2, 500, 40, {{0}}, ERROR_TRANSFER_CONFLICT, 40, 0, -1, 0},
        {WALLET_RESERVE, 3, 500, 1, {{"a", 5, 5, 60}}, ERROR_BUDGET_EXHAUSTED, 40, 0, 0, 0},
        {WALLET_RESERVE, 3, 500, 30, {{"b", 5, 5, SOFT}}, ERROR_OK, 0, 40, -1, 0}, /* all that is left */
        {WALLET_RESERVE, 4, 500, 1, {{"b", 5, 5, SOFT}}, ERROR_WALLET_EXHAUSTED, 0, 0, -1, 0},
        {WALLET_SETTLE, 2, 60, 0, {{0}}, ERROR_OK, 0, 60, -1, 0},
        {WALLET_RESERVE, 2, 500, 40, {{"a", 5, 5, 60}}, ERROR_TRANSFER_RESOLVED, 0, 60, -1, 0},
    };
    static const struct used used[] = {{"a", 5, 5, 5, 5, 60, 0}, {"b", 5, 5, 5, 5, 0, 40}};
    PLAY(lines, used);
}

/* The bound was beaten: the budget counts what the wallet paid, is passed, and then refuses everything. */
TEST(wallet_budgets_above_the_hold)
{
    make_directory();
    static const struct line before[] = {
        FUND(1, 100),
        {WALLET_RESERVE, 2, 10, 0, {{"a", 5, 5, 20}}, ERROR_OK, 90, 10, -1, 0},
    };
    static const struct line after[] = {
        {WALLET_RESERVE, 3, 1, 0, {{"a", 5, 5, 20}}, ERROR_BUDGET_EXHAUSTED, 70, 0, 0, 0},
        {WALLET_RESERVE, 3, 0, 0, {{"a", 5, 5, 20}}, ERROR_BUDGET_EXHAUSTED, 70, 0, 0, 0},
        {WALLET_RESERVE, 4, 70, 0, {{"a", 5, 5, 200}}, ERROR_OK, 0, 70, -1, 0},
    };
    static const struct used first[] = {{"a", 5, 5, 5, 5, 30, 0}}, last[] = {{"a", 5, 5, 5, 5, 100, 0}};
    struct wallet_ledger *ledger = open_ledger(true, 0);
    struct wallet_operation settle = {.kind = WALLET_SETTLE, .provider = "openai"};
    PLAY_ON(ledger, before);
    settle.id = id_number(2);
    settle.amount.nano = 30;
    wallet_run(ledger, &settle);
    CU_ASSERT_EQUAL(settle.error, ERROR_OK);
    CU_ASSERT_TRUE(settle.alarm);
    expect_used(ledger, first, 1);
    PLAY_ON(ledger, after);
    settle.id = id_number(4);
    settle.amount.nano = 1000; /* 930 are written off: between the settle and its budgets */
    wallet_run(ledger, &settle);
    CU_ASSERT_EQUAL(settle.error, ERROR_OK);
    expect_used(ledger, last, 1);
    wallet_run(ledger, &settle);
    CU_ASSERT_EQUAL(settle.error, ERROR_OK);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- nothing is written on a refusal ---- */

static bool count_transfer(void *context, const struct wallet_transfer *transfer)
{
    (void)transfer;
    ++*(unsigned *)context;
    return true;
}

static unsigned journal_length(struct wallet_ledger *ledger)
{
    unsigned count = 0;
    CU_ASSERT_EQUAL(wallet_history(ledger, NULL, SIZE_MAX, count_transfer, &count), ERROR_OK);
    return count;
}

TEST(wallet_refusals_write_nothing)
{
    static const struct line before[] = {
        FUND(1, 100),
        {WALLET_RESERVE, 2, 50, 0, {{"a", 5, 5, 60}}, ERROR_OK, 50, 50, -1, 0},
    };
    static const struct line refused[] = {
        {WALLET_FUND, 3, 0, 0, {{0}}, ERROR_AMOUNT_INVALID, 50, 0, -1, 0},
        {WALLET_FUND, 3, -1, 0, {{0}}, ERROR_AMOUNT_INVALID, 50, 0, -1, 0},
        {WALLET_FUND, 3, INT64_MAX, 0, {{0}}, ERROR_AMOUNT_OVERFLOW, 50, 0, -1, 0},
        {WALLET_FUND, 2, 50, 0, {{0}}, ERROR_TRANSFER_CONFLICT, 50, 0, -1, 0},
        {WALLET_ADJUST, 3, -51, 0, {{0}}, ERROR_WALLET_EXHAUSTED, 50, 0, -1, 0},
        {WALLET_ADJUST, 3, INT64_MIN, 0, {{0}}, ERROR_AMOUNT_INVALID, 50, 0, -1, 0},
        {WALLET_RESERVE, 3, 51, 0, {{"z", 9, 9, 99}}, ERROR_WALLET_EXHAUSTED, 50, 0, -1, 0},
        {WALLET_RESERVE, 3, 11, 0, {{"z", 9, 9, 99}, {"a", 5, 5, 60}}, ERROR_BUDGET_EXHAUSTED, 50, 0, 1, 10},
        {WALLET_RESERVE, 3, -1, 0, {{"z", 9, 9, 99}}, ERROR_AMOUNT_INVALID, 50, 0, -1, 0},
        {WALLET_RESERVE, 3, 5, 0, {{"z", 9, 9, 99}, {"z", 8, 8, 99}}, ERROR_REQUEST_INVALID, 50, 0, -1, 0},
        {WALLET_RESERVE, 3, 5, 0, {{"z", 9, 8, 99}}, ERROR_REQUEST_INVALID, 50, 0, -1, 0},
        {WALLET_RESERVE, 3, 5, 0, {{"z/y", 9, 9, 99}}, ERROR_REQUEST_INVALID, 50, 0, -1, 0},
        {WALLET_RESERVE, 3, 5, 0, {{"", 9, 9, 99}}, ERROR_REQUEST_INVALID, 50, 0, -1, 0},
        {WALLET_RESERVE, 3, 5, 0, {{"z", 9, 9, -2}}, ERROR_REQUEST_INVALID, 50, 0, -1, 0},
        {WALLET_SETTLE, 2, -1, 0, {{0}}, ERROR_AMOUNT_INVALID, 0, 0, -1, 0},
        {WALLET_SETTLE, 3, 1, 0, {{0}}, ERROR_TRANSFER_UNKNOWN, 0, 0, -1, 0},
    };
    static const struct used used[] = {{"z", 9, 9, 9, 9, 0, 0}, {"a", 5, 5, 5, 5, 0, 50}};
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    struct wallet_operation many = operation_of(&before[1]), unknown = operation_of(&before[1]);
    PLAY_ON(ledger, before);
    EXPECT_INTEGER(journal_length(ledger), 3);
    PLAY_ON(ledger, refused);
    many.id = unknown.id = id_number(4);
    many.budget_count = WALLET_BUDGETS_MAX + 1;
    strcpy(unknown.wallet, "nobody");
    wallet_run(ledger, &many);
    wallet_run(ledger, &unknown);
    CU_ASSERT_EQUAL(many.error, ERROR_REQUEST_INVALID);
    CU_ASSERT_EQUAL(unknown.error, ERROR_WALLET_UNKNOWN);
    EXPECT_INTEGER(journal_length(ledger), 3);
    expect_used(ledger, used, COUNT(used));
    EXPECT_INTEGER(wallet_list(ledger, NULL, 0), 1);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- over restarts ---- */

TEST(wallet_budgets_survive_restarts)
{
    static const struct line lines[] = {
        FUND(1, 1000),
        {WALLET_RESERVE, 2, 60, 0, {{"a", 10, 10, 100}, {"b", 7, 9, 500}}, ERROR_OK, 940, 60, -1, 0},
        {WALLET_RESERVE, 3, 30, 0, {{"a", 10, 10, 100}}, ERROR_OK, 910, 30, -1, 0},
        {WALLET_SETTLE, 2, 20, 0, {{0}}, ERROR_OK, 950, 60, -1, 0},
    };
    static const struct line after[] = {
        {WALLET_RESERVE, 2, 60, 0, {{"a", 10, 10, 100}, {"b", 7, 9, 500}}, ERROR_TRANSFER_RESOLVED, 950, 60, -1, 0},
        {WALLET_RESERVE, 4, 51, 0, {{"a", 9, 9, 100}}, ERROR_BUDGET_EXHAUSTED, 950, 0, 0, 50},
        {WALLET_RESERVE, 4, 50, 0, {{"a", 9, 9, 100}}, ERROR_OK, 900, 50, -1, 0},
    };
    static const struct used between[] = {{"a", 10, 10, 10, 10, 50, 0}, {"b", 1, 3, 7, 9, 20, 0}};
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, lines);
    wallet_close(ledger);
    expect_clean_audit();
    ledger = open_ledger(true, 1); /* charged whole: nobody knows what was sent */
    expect_facts(ledger, "w", 950 - 0, 0, 50, 1000);
    expect_used(ledger, between, COUNT(between));
    PLAY_ON(ledger, after);
    wallet_close(ledger);
    ledger = open_ledger(false, 1);
    expect_facts(ledger, "w", 950, 0, 50, 1000); /* dev: at the floor, which was 0 */
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- history ---- */

struct seen {
    char text[2048];
    size_t used;
};

static bool see(void *context, const struct wallet_transfer *transfer)
{
    struct seen *seen = context;
    seen->used += (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used, "%s%s %s %s %lld|",
                                   transfer->is_budget ? "budget " : "", transfer->kind, transfer->wallet,
                                   transfer->counterparty, (long long)transfer->amount.nano);
    return true;
}

TEST(wallet_history_shows_budgets)
{
    static const struct line lines[] = {
        FUND(1, 10),
        {WALLET_RESERVE, 2, 6, 0, {{"a", 10, 10, 100}, {"b", 7, 9, SOFT}}, ERROR_OK, 4, 6, -1, 0},
        {WALLET_SETTLE, 2, 5, 0, {{0}}, ERROR_OK, 5, 6, -1, 0},
    };
    struct seen seen = {.used = 0};
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    PLAY_ON(ledger, lines);
    CU_ASSERT_EQUAL(wallet_history(ledger, NULL, 100, see, &seen), ERROR_OK);
    EXPECT_STRING(seen.text, "budget post b.9 allowance 5|budget post a.10 allowance 5|post w provider/openai 5|"
                             "budget pending b.9 allowance 6|budget pending a.10 allowance 6|"
                             "pending w provider/openai 6|fund w funding 10|");
    seen.used = 0;
    CU_ASSERT_EQUAL(wallet_history(ledger, "w", 100, see, &seen), ERROR_OK);
    EXPECT_STRING(seen.text, "post w provider/openai 5|pending w provider/openai 6|fund w funding 10|");
    CU_ASSERT_EQUAL(wallet_history(ledger, "a.10", 100, see, &seen), ERROR_WALLET_UNKNOWN);
    wallet_close(ledger);
    remove_directory();
}

/* ---- many at once: a batch ends early rather than outgrow its transaction ---- */

enum { CROWD = 700 };

static struct wallet_operation crowd[CROWD];
static atomic_uint answered;
static atomic_ulong batch_largest;

static void count_answer(struct wallet_operation *operation)
{
    if (operation->batch_size > atomic_load(&batch_largest))
        atomic_store(&batch_largest, operation->batch_size);
    EXPECT(operation->error == ERROR_OK, "%s", error_row(operation->error)->name);
    atomic_fetch_add(&answered, 1);
}

static void run_crowd(struct wallet_ledger *ledger)
{
    atomic_store(&answered, 0);
    for (unsigned i = 0; i < CROWD; i++)
        wallet_submit(ledger, &crowd[i]);
    while (atomic_load(&answered) < CROWD)
        usleep(100);
}

TEST(wallet_budgets_in_full_batches)
{
    static const struct line fund = FUND(60000, 10 * CROWD);
    struct used used = {"b3", 3, 3, 3, 3, 0, 10 * CROWD};
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    play_line(ledger, &fund, 0);
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = (struct wallet_operation){.kind = WALLET_RESERVE,
                                             .id = id_number(i + 1),
                                             .wallet = "w",
                                             .amount = {10},
                                             .budget_count = WALLET_BUDGETS_MAX,
                                             .done = count_answer};
        for (unsigned k = 0; k < WALLET_BUDGETS_MAX; k++) {
            snprintf(crowd[i].budgets[k].name, sizeof crowd[i].budgets[k].name, "b%u", k);
            crowd[i].budgets[k].first = crowd[i].budgets[k].last = k;
            crowd[i].budgets[k].limit.nano = 10 * CROWD;
        }
    }
    run_crowd(ledger);
    expect_used(ledger, &used, 1);
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i].kind = WALLET_SETTLE;
        crowd[i].amount.nano = 9;
    }
    run_crowd(ledger);
    used = (struct used){"b3", 3, 3, 3, 3, 9 * CROWD, 0};
    expect_used(ledger, &used, 1);
    EXPECT(batch_largest * (1 + WALLET_BUDGETS_MAX) <= ROWS_MAX, "a batch of %lu", (unsigned long)batch_largest);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- disk low, deadlines, fail-stop ---- */

static atomic_uint notes[WALLET_NOTE_MIGRATED + 1], stops;
static char last_why[256];

static void note(void *context, enum wallet_note what, const char *text)
{
    EXPECT(context == notes && text[0], "note %d: \"%s\"", (int)what, text);
    atomic_fetch_add(&notes[what], 1);
}

static void stop(void *context, const char *why)
{
    (void)context;
    snprintf(last_why, sizeof last_why, "%s", why);
    atomic_fetch_add(&stops, 1);
}

/* The disk of these tests: as full as they say. */
static atomic_ullong disk_free_bytes = UINT64_C(1) << 40;

int statvfs(const char *path, struct statvfs *ret_status)
{
    (void)path;
    *ret_status = (struct statvfs){.f_bsize = 1, .f_frsize = 1};
    ret_status->f_bavail = ret_status->f_bfree = atomic_load(&disk_free_bytes);
    return 0;
}

static void forget_notes(void)
{
    for (unsigned i = 0; i < COUNT(notes); i++)
        atomic_store(&notes[i], 0);
    atomic_store(&stops, 0);
}

static struct wallet_ledger *open_noted(uint32_t hold_deadline_s, unsigned recovered_wanted)
{
    forget_notes();
    return open_with((struct wallet_options){.settle_recovered_in_full = true,
                                             .upkeep.hold_deadline_s = hold_deadline_s,
                                             .noted = note,
                                             .stopped = stop,
                                             .context = notes},
                     recovered_wanted);
}

/* The chores thread looks once a second. */
static void wait_for_disk(struct wallet_ledger *ledger, bool is_low)
{
    struct wallet_statistics statistics = {.is_disk_low = !is_low};
    for (unsigned i = 0; i < 1000 && statistics.is_disk_low != is_low; i++) {
        usleep(10000);
        wallet_get_statistics(ledger, &statistics);
    }
    CU_ASSERT_EQUAL(statistics.is_disk_low, is_low);
}

TEST(wallet_disk_low_refuses_new_holds_only)
{
    static const struct line before[] = {
        FUND(1, 100),
        {WALLET_RESERVE, 2, 10, 0, {{0}}, ERROR_OK, 90, 10, -1, 0},
        {WALLET_RESERVE, 3, 10, 0, {{0}}, ERROR_OK, 80, 10, -1, 0},
    };
    static const struct line low[] = {
        {WALLET_RESERVE, 4, 10, 0, {{0}}, ERROR_DISK_LOW, 80, 0, -1, 0},
        {WALLET_RESERVE, 2, 10, 0, {{0}}, ERROR_OK, 80, 10, -1, 0}, /* as the first time */
        {WALLET_SETTLE, 2, 5, 0, {{0}}, ERROR_OK, 85, 10, -1, 0},
        {WALLET_VOID, 3, 0, 0, {{0}}, ERROR_OK, 95, 10, -1, 0},
        {WALLET_ADJUST, 6, 1, 0, {{0}}, ERROR_OK, 96, 0, -1, 0},
    };
    static const struct line well[] = {{WALLET_RESERVE, 4, 10, 0, {{0}}, ERROR_OK, 86, 10, -1, 0}};
    const struct wallet_options options = {
        .settle_recovered_in_full = true, .upkeep.low_water_bytes = 1 << 30, .noted = note, .context = notes};
    make_directory();
    forget_notes();
    struct wallet_ledger *ledger = open_with(options, 0);
    PLAY_ON(ledger, before);
    atomic_store(&disk_free_bytes, (1 << 30) - 1);
    wait_for_disk(ledger, true);
    PLAY_ON(ledger, low);
    atomic_store(&disk_free_bytes, UINT64_C(1) << 40);
    wait_for_disk(ledger, false);
    PLAY_ON(ledger, well);
    EXPECT_INTEGER(notes[WALLET_NOTE_DISK_LOW], 1);
    EXPECT_INTEGER(notes[WALLET_NOTE_DISK_WELL], 1);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

TEST(wallet_holds_have_a_deadline)
{
    static const struct line lines[] = {
        FUND(1, 100),
        {WALLET_RESERVE, 2, 10, 0, {{"a", 5, 5, 60}}, ERROR_OK, 90, 10, -1, 0},
        {WALLET_RESERVE, 3, 20, 0, {{"a", 5, 5, 60}}, ERROR_OK, 70, 20, -1, 0},
        {WALLET_SETTLE, 3, 4, 0, {{0}}, ERROR_OK, 86, 20, -1, 0},
    };
    static const struct line late[] = {
        {WALLET_SETTLE, 2, 3, 0, {{0}}, ERROR_TRANSFER_RESOLVED, 86, 10, -1, 0},
        {WALLET_VOID, 2, 0, 0, {{0}}, ERROR_TRANSFER_RESOLVED, 86, 10, -1, 0},
        {WALLET_RESERVE, 4, 30, 0, {{0}}, ERROR_OK, 56, 30, -1, 0},
    };
    static const struct used used[] = {{"a", 5, 5, 5, 5, 14, 0}};
    make_directory();
    struct wallet_ledger *ledger = open_noted(60, 0);
    PLAY_ON(ledger, lines);
    atomic_fetch_add(&skipped_ns, INT64_C(30) * 1000000000);
    for (unsigned i = 0; i < 3; i++) /* operations make it look, too */
        play_line(ledger, &lines[3], i);
    EXPECT_INTEGER(notes[WALLET_NOTE_HOLD_EXPIRED], 0);
    atomic_fetch_add(&skipped_ns, INT64_C(31) * 1000000000);
    for (unsigned i = 0; i < 100 && !atomic_load(&notes[WALLET_NOTE_HOLD_EXPIRED]); i++)
        usleep(100000); /* and nobody has to ask */
    EXPECT_INTEGER(notes[WALLET_NOTE_HOLD_EXPIRED], 1);
    expect_facts(ledger, "w", 86, 0, 14, 100);
    expect_used(ledger, used, 1);
    PLAY_ON(ledger, late);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

TEST(wallet_says_once_that_it_stopped)
{
    static const struct line lines[] = {
        {WALLET_RESERVE, 2, 10, 0, {{0}}, ERROR_LEDGER_STOPPED, 90, 10, -1, 0},
        {WALLET_RESERVE, 3, 10, 0, {{0}}, ERROR_LEDGER_STOPPED, 0, 0, 0, 0},
    };
    static const struct line fund = FUND(1, 100);
    char path[128];
    make_directory();
    struct wallet_ledger *ledger = open_noted(0, 0);
    play_line(ledger, &fund, 0);
    snprintf(path, sizeof path, "%s/log.0000000001", directory);
    CU_ASSERT_EQUAL(unlink(path), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct wallet_operation operation = operation_of(&lines[i]);
        wallet_run(ledger, &operation);
        CU_ASSERT_EQUAL(operation.error, ERROR_LEDGER_STOPPED);
    }
    EXPECT_INTEGER(stops, 1);
    EXPECT(strlen(last_why) > 5, "why: \"%s\"", last_why);
    wallet_close(ledger);
    EXPECT_INTEGER(stops, 1);
    remove_directory();
}

/* ---- schemas ---- */

static const unsigned char schema_key[5] = {'s'};

static void migrate_from(unsigned char schema)
{
    static const struct line lines[] = {
        FUND(1, 100),
        {WALLET_RESERVE, 2, 10, 0, {{0}}, ERROR_OK, 90, 10, -1, 0},
    };
    char command[256];
    make_directory();
    struct wallet_ledger *ledger = open_noted(0, 0);
    PLAY_ON(ledger, lines);
    EXPECT_INTEGER(notes[WALLET_NOTE_MIGRATED], 0);
    wallet_close(ledger);
    tamper("book", sizeof schema_key, schema_key, 3, LEDGER_SCHEMA ^ schema);
    expect_clean_audit(); /* which changes nothing */
    ledger = open_noted(0, 1);
    EXPECT_INTEGER(notes[WALLET_NOTE_MIGRATED], 1);
    expect_facts(ledger, "w", 90, 0, 10, 100);
    wallet_close(ledger);
    ledger = open_noted(0, 0);
    EXPECT_INTEGER(notes[WALLET_NOTE_MIGRATED], 0);
    wallet_close(ledger);
    expect_clean_audit();
    snprintf(command, sizeof command, "ls '%s' | grep -q '^ledger.schema-%u-'", root, schema);
    CU_ASSERT_EQUAL(system(command), 0); /* as it was before */
    remove_directory();
}

TEST(wallet_migrates_an_older_schema)
{
    for (unsigned char schema = 1; schema < LEDGER_SCHEMA; schema++)
        migrate_from(schema);
}

TEST(wallet_refuses_a_newer_schema)
{
    static const struct line fund = FUND(1, 100);
    const struct wallet_options options = {.directory = directory, .environment = "dev"};
    struct wallet_ledger *ledger = NULL;
    unsigned recovered = 7;
    char report[512];
    make_directory();
    ledger = open_noted(0, 0);
    play_line(ledger, &fund, 0);
    wallet_close(ledger);
    tamper("book", sizeof schema_key, schema_key, 3, LEDGER_SCHEMA ^ (LEDGER_SCHEMA + 1));
    ledger = NULL;
    CU_ASSERT_EQUAL(wallet_open(&options, &ledger, &recovered), ERROR_STORE_SCHEMA);
    CU_ASSERT_PTR_NULL(ledger);
    EXPECT_INTEGER(recovered, 7);
    CU_ASSERT_EQUAL(wallet_audit(directory, report, sizeof report), ERROR_STORE_SCHEMA);
    tamper("book", sizeof schema_key, schema_key, 3, LEDGER_SCHEMA ^ (LEDGER_SCHEMA + 1));
    ledger = open_noted(0, 0);
    EXPECT_INTEGER(journal_length(ledger), 1);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* A hold's budgets are part of the journal: none can be changed, dropped or counted elsewhere unnoticed. */
TEST(wallet_audit_finds_changed_budgets)
{
    static const struct line lines[] = {
        FUND(1, 100),
        {WALLET_RESERVE, 2, 10, 0, {{"a", 5, 5, 60}}, ERROR_OK, 90, 10, -1, 0},
        {WALLET_SETTLE, 2, 4, 0, {{0}}, ERROR_OK, 96, 10, -1, 0},
    };
    static const struct {
        const char *what, *table;
        size_t key_bytes;
        unsigned char key[8];
        size_t offset;
    } rows[] = {
        {"the limit of a linked hold", "transfers", 8, {0, 0, 0, 0, 0, 0, 0, 3}, 51},
        {"its first bucket", "transfers", 8, {0, 0, 0, 0, 0, 0, 0, 3}, 59},
        {"whether it is linked", "transfers", 8, {0, 0, 0, 0, 0, 0, 0, 3}, 2},
        {"what it came to", "transfers", 8, {0, 0, 0, 0, 0, 0, 0, 5}, 35},
        {"its resolution", "details", 8, {0, 0, 0, 0, 0, 0, 0, 3}, 8},
        {"what the budget used", "book", 5, {'a', 0, 0, 0, 5}, 15},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char report[2048];
        make_directory();
        struct wallet_ledger *ledger = open_ledger(true, 0);
        PLAY_ON(ledger, lines);
        wallet_close(ledger);
        expect_clean_audit();
        tamper(rows[i].table, rows[i].key_bytes, rows[i].key, rows[i].offset, rows[i].offset == 2 ? 4 : 1);
        EXPECT(wallet_audit(directory, report, sizeof report) == ERROR_STORE_CORRUPT, "%s was not found:\n%s",
               rows[i].what, report);
        remove_directory();
    }
}
