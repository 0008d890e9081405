/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger, case by case: what each operation answers and what it leaves behind. Every play ends with an audit of
 * the whole journal. The random counterpart is test_wallet_model.c.
 */
#include "tests/unit/wallet_plays.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- plays: operations in order, each with its answer ---- */

enum { NEW = 1, SENT = 2, UNENFORCED = 4, ALARM = 8 };

struct line {
    enum wallet_operation_kind kind;
    unsigned id;
    const char *wallet, *provider;
    int64_t amount, floor;
    unsigned flags;
    enum error error;
    int64_t available, held;
};

static struct wallet_operation operation_of(const struct line *line)
{
    struct wallet_operation operation = {
        .kind = line->kind,
        .id = id_number(line->id),
        .amount = {line->amount},
        .floor = {line->floor},
        .create = (line->flags & NEW) != 0,
        .bytes_were_sent = (line->flags & SENT) != 0,
        .is_unenforced = (line->flags & UNENFORCED) != 0,
        .note = "test",
        .memo = {.model = "gpt-4o-mini", .provider = "openai", .group = "g", .tokens_input = 12},
    };
    snprintf(operation.wallet, sizeof operation.wallet, "%s", line->wallet ? line->wallet : "");
    snprintf(operation.provider, sizeof operation.provider, "%s", line->provider ? line->provider : "");
    return operation;
}

static void play_on(struct wallet_ledger *ledger, const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct line *line = &lines[i];
        struct wallet_operation operation = operation_of(line);
        wallet_run(ledger, &operation);
        EXPECT(operation.error == line->error, "line %zu: %s, wanted %s", i, error_row(operation.error)->name,
               error_row(line->error)->name);
        EXPECT(operation.available.nano == line->available, "line %zu: available %lld, wanted %lld", i,
               (long long)operation.available.nano, (long long)line->available);
        EXPECT(operation.held.nano == line->held, "line %zu: held %lld, wanted %lld", i, (long long)operation.held.nano,
               (long long)line->held);
        EXPECT(operation.alarm == ((line->flags & ALARM) != 0), "line %zu: alarm %d", i, operation.alarm);
    }
}

static void play(const struct line *lines, size_t count)
{
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    play_on(ledger, lines, count);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}
#define PLAY(lines) play(lines, sizeof(lines) / sizeof *(lines))

TEST(wallet_funding)
{
    static const struct line lines[] = {
        {WALLET_FUND, 1, "a", NULL, 100, 0, 0, ERROR_WALLET_UNKNOWN, 0, 0},
        {WALLET_FUND, 1, "a", NULL, 0, 0, NEW, ERROR_AMOUNT_INVALID, 0, 0},
        {WALLET_FUND, 1, "a", NULL, -5, 0, NEW, ERROR_AMOUNT_INVALID, 0, 0},
        {WALLET_FUND, 1, "", NULL, 5, 0, NEW, ERROR_REQUEST_INVALID, 0, 0},
        {WALLET_FUND, 1, "a b", NULL, 5, 0, NEW, ERROR_REQUEST_INVALID, 0, 0},
        {WALLET_FUND, 1, "../x", NULL, 5, 0, NEW, ERROR_REQUEST_INVALID, 0, 0},
        {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0},
        {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0}, /* the same again: the same answer */
        {WALLET_FUND, 1, "a", NULL, 101, 0, NEW, ERROR_TRANSFER_CONFLICT, 100, 0},
        {WALLET_FUND, 1, "b", NULL, 100, 0, NEW, ERROR_TRANSFER_CONFLICT, 0, 0},
        {WALLET_FUND, 2, "a", NULL, INT64_MAX, 0, 0, ERROR_AMOUNT_OVERFLOW, 100, 0},
        {WALLET_FUND, 3, "a", NULL, 1, 0, 0, ERROR_OK, 101, 0},
        {WALLET_FUND, 4, "b", NULL, INT64_MAX - 101, 0, NEW, ERROR_OK, INT64_MAX - 101, 0},
        {WALLET_FUND, 5, "c", NULL, 1, 0, NEW, ERROR_AMOUNT_OVERFLOW, 0, 0}, /* the funding account is full */
        {WALLET_FUND, 6, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, -1, 0, NEW,
         ERROR_AMOUNT_INVALID, 0, 0},
    };
    PLAY(lines);
}

TEST(wallet_reserve_and_settle)
{
    static const struct line lines[] = {
        {WALLET_RESERVE, 1, "a", "openai", 10, 0, 0, ERROR_WALLET_UNKNOWN, 0, 0},
        {WALLET_FUND, 2, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0},
        {WALLET_RESERVE, 3, "a", "openai", -1, 0, 0, ERROR_AMOUNT_INVALID, 100, 0},
        {WALLET_RESERVE, 3, "a", "openai", 10, 11, 0, ERROR_AMOUNT_INVALID, 100, 0},
        {WALLET_RESERVE, 3, "a", "openai", 10, -1, 0, ERROR_AMOUNT_INVALID, 100, 0},
        {WALLET_RESERVE, 3, "a", "open ai", 10, 0, 0, ERROR_REQUEST_INVALID, 100, 0},
        {WALLET_RESERVE, 3, "a", "openai", 101, 0, 0, ERROR_WALLET_EXHAUSTED, 100, 0},
        {WALLET_RESERVE, 3, "a", "openai", INT64_MAX, 0, 0, ERROR_WALLET_EXHAUSTED, 100, 0},
        {WALLET_RESERVE, 3, "a", "openai", 60, 20, 0, ERROR_OK, 40, 60},
        {WALLET_RESERVE, 3, "a", "openai", 60, 20, 0, ERROR_OK, 40, 60},
        {WALLET_RESERVE, 3, "a", "openai", 61, 20, 0, ERROR_TRANSFER_CONFLICT, 40, 0},
        {WALLET_RESERVE, 3, "a", "openai", 60, 21, 0, ERROR_TRANSFER_CONFLICT, 40, 0},
        {WALLET_RESERVE, 2, "a", "openai", 100, 0, 0, ERROR_TRANSFER_CONFLICT, 40, 0}, /* the id of a funding */
        {WALLET_RESERVE, 4, "a", "openai", 41, 0, 0, ERROR_WALLET_EXHAUSTED, 40, 0},
        {WALLET_RESERVE, 4, "a", "openai", 40, 0, 0, ERROR_OK, 0, 40},
        {WALLET_RESERVE, 5, "a", "openai", 0, 0, 0, ERROR_WALLET_EXHAUSTED, 0, 0}, /* zero blocks */
        {WALLET_SETTLE, 3, NULL, "openai", -1, 0, 0, ERROR_AMOUNT_INVALID, 0, 0},
        {WALLET_SETTLE, 3, NULL, "open/ai", 1, 0, 0, ERROR_REQUEST_INVALID, 0, 0},
        {WALLET_SETTLE, 9, NULL, "openai", 1, 0, 0, ERROR_TRANSFER_UNKNOWN, 0, 0},
        {WALLET_SETTLE, 2, NULL, "openai", 1, 0, 0, ERROR_TRANSFER_CONFLICT, 0, 0},
        {WALLET_SETTLE, 3, NULL, "openai", 25, 0, 0, ERROR_OK, 35, 60},
        {WALLET_SETTLE, 3, NULL, "openai", 25, 0, 0, ERROR_OK, 35, 60},
        {WALLET_SETTLE, 3, NULL, "openai", 26, 0, 0, ERROR_TRANSFER_RESOLVED, 35, 60},
        {WALLET_SETTLE, 3, NULL, "anthropic", 25, 0, 0, ERROR_TRANSFER_RESOLVED, 35, 60},
        {WALLET_VOID, 3, NULL, NULL, 0, 0, 0, ERROR_TRANSFER_RESOLVED, 35, 60},
        {WALLET_RESERVE, 3, "a", "openai", 60, 20, 0, ERROR_TRANSFER_RESOLVED, 35, 60}, /* never granted twice */
        {WALLET_SETTLE, 4, NULL, "anthropic", 40, 0, 0, ERROR_OK, 35, 40}, /* another than was asked first is paid */
        {WALLET_RESERVE, 6, "a", NULL, 35, 0, 0, ERROR_OK, 0, 35},         /* the provider is not known yet */
        {WALLET_SETTLE, 6, NULL, "openai", 0, 0, 0, ERROR_OK, 35, 35},
        {WALLET_RESERVE, 7, "a", NULL, 0, 0, 0, ERROR_OK, 35, 0},
        {WALLET_SETTLE, 7, NULL, NULL, 0, 0, 0, ERROR_OK, 35, 0},
    };
    PLAY(lines);
}

TEST(wallet_void)
{
    static const struct line lines[] = {
        {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0},
        {WALLET_RESERVE, 2, "a", "openai", 70, 0, 0, ERROR_OK, 30, 70},
        {WALLET_VOID, 2, NULL, NULL, 0, 0, SENT, ERROR_INTERNAL, 0, 0},
        {WALLET_VOID, 3, NULL, NULL, 0, 0, 0, ERROR_TRANSFER_UNKNOWN, 0, 0},
        {WALLET_VOID, 2, NULL, NULL, 0, 0, 0, ERROR_OK, 100, 70},
        {WALLET_VOID, 2, NULL, NULL, 0, 0, 0, ERROR_OK, 100, 70},
        {WALLET_SETTLE, 2, NULL, "openai", 5, 0, 0, ERROR_TRANSFER_RESOLVED, 100, 70},
        {WALLET_VOID, 1, NULL, NULL, 0, 0, 0, ERROR_TRANSFER_CONFLICT, 0, 0},
    };
    PLAY(lines);
}

/* The bound was beaten: the wallet pays what it has, the write-off account the rest. */
TEST(wallet_settle_above_the_hold)
{
    static const struct line lines[] = {
        {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0},
        {WALLET_RESERVE, 2, "a", "openai", 10, 0, 0, ERROR_OK, 90, 10},
        {WALLET_SETTLE, 2, NULL, "openai", 30, 0, ALARM, ERROR_OK, 70, 10},
        {WALLET_SETTLE, 2, NULL, "openai", 30, 0, ALARM, ERROR_OK, 70, 10},
        {WALLET_RESERVE, 3, "a", "openai", 50, 0, 0, ERROR_OK, 20, 50},
        {WALLET_RESERVE, 4, "a", "openai", 15, 0, 0, ERROR_OK, 5, 15},
        {WALLET_SETTLE, 3, NULL, "openai", 500, 0, ALARM, ERROR_OK, 0, 50}, /* 55 paid: the other hold is not touched */
        {WALLET_SETTLE, 3, NULL, "openai", 500, 0, ALARM, ERROR_OK, 0, 50},
        {WALLET_SETTLE, 3, NULL, "openai", 55, 0, ALARM, ERROR_TRANSFER_RESOLVED, 0, 50},
        {WALLET_SETTLE, 4, NULL, "openai", INT64_MAX, 0, 0, ERROR_AMOUNT_OVERFLOW, 0, 0},
        {WALLET_SETTLE, 4, NULL, "openai", 14, 0, 0, ERROR_OK, 1, 15},
        {WALLET_RESERVE, 5, "a", "openai", 1, 0, 0, ERROR_OK, 0, 1},
    };
    PLAY(lines);
}

TEST(wallet_adjust)
{
    static const struct line lines[] = {
        {WALLET_ADJUST, 1, "a", NULL, 5, 0, 0, ERROR_WALLET_UNKNOWN, 0, 0},
        {WALLET_FUND, 2, "a", NULL, 10, 0, NEW, ERROR_OK, 10, 0},
        {WALLET_ADJUST, 1, "a", NULL, 0, 0, 0, ERROR_AMOUNT_INVALID, 10, 0},
        {WALLET_ADJUST, 1, "a", NULL, INT64_MIN, 0, 0, ERROR_AMOUNT_INVALID, 10, 0},
        {WALLET_ADJUST, 1, "a", NULL, INT64_MAX, 0, 0, ERROR_AMOUNT_OVERFLOW, 10, 0},
        {WALLET_ADJUST, 1, "a", NULL, 5, 0, 0, ERROR_OK, 15, 0},
        {WALLET_ADJUST, 1, "a", NULL, 5, 0, 0, ERROR_OK, 15, 0},
        {WALLET_ADJUST, 1, "a", NULL, -5, 0, 0, ERROR_TRANSFER_CONFLICT, 15, 0},
        {WALLET_RESERVE, 3, "a", "openai", 10, 0, 0, ERROR_OK, 5, 10},
        {WALLET_ADJUST, 4, "a", NULL, -6, 0, 0, ERROR_WALLET_EXHAUSTED, 5, 0},
        {WALLET_ADJUST, 4, "a", NULL, -5, 0, 0, ERROR_OK, 0, 0},
        {WALLET_SETTLE, 3, NULL, "openai", 10, 0, 0, ERROR_OK, 0, 10},
    };
    PLAY(lines);
}

/* wallet_enforcement: false. Everything is held and charged, also below 0; enforcement later blocks again. */
TEST(wallet_unenforced)
{
    static const struct line lines[] = {
        {WALLET_RESERVE, 1, "soft", "openai", 30, 0, UNENFORCED, ERROR_OK, -30, 30},
        {WALLET_RESERVE, 2, "soft", "openai", INT64_MAX, 0, UNENFORCED, ERROR_AMOUNT_OVERFLOW, -30, 0},
        {WALLET_SETTLE, 1, NULL, "openai", 40, 0, ALARM, ERROR_OK, -40, 30},
        {WALLET_RESERVE, 3, "soft", "openai", 0, 0, 0, ERROR_WALLET_EXHAUSTED, -40, 0},
        {WALLET_ADJUST, 4, "soft", NULL, -1, 0, 0, ERROR_WALLET_EXHAUSTED, -40, 0},
        {WALLET_FUND, 5, "soft", NULL, 45, 0, 0, ERROR_OK, 5, 0},
        {WALLET_RESERVE, 6, "soft", "openai", 5, 0, 0, ERROR_OK, 0, 5},
        {WALLET_RESERVE, 7, "soft", "openai", 5, 0, UNENFORCED, ERROR_OK, -5, 5},
        {WALLET_SETTLE, 6, NULL, "openai", 9, 0, ALARM, ERROR_OK, -5, 5},
        {WALLET_VOID, 7, NULL, NULL, 0, 0, 0, ERROR_OK, 0, 5},
    };
    PLAY(lines);
}

/* ---- over restarts ---- */

TEST(wallet_recovers_open_holds)
{
    static const struct line lines[] = {
        {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0},
        {WALLET_RESERVE, 2, "a", "openai", 40, 15, 0, ERROR_OK, 60, 40},
        {WALLET_RESERVE, 3, "a", NULL, 20, 0, 0, ERROR_OK, 40, 20},
        {WALLET_RESERVE, 4, "a", "openai", 30, 30, 0, ERROR_OK, 10, 30},
        {WALLET_SETTLE, 4, NULL, "openai", 7, 0, 0, ERROR_OK, 33, 30},
    };
    static const struct line late[] = {
        {WALLET_SETTLE, 2, NULL, "openai", 12, 0, 0, ERROR_TRANSFER_RESOLVED, 0, 40},
        {WALLET_SETTLE, 4, NULL, "openai", 7, 0, 0, ERROR_OK, 0, 30},
    };
    static const int64_t spent[] = {15 + 0 + 7, 40 + 20 + 7}; /* dev, prod */
    for (int in_full = 0; in_full < 2; in_full++) {
        struct line after[2] = {late[0], late[1]};
        make_directory();
        struct wallet_ledger *ledger = open_ledger(in_full, 0);
        play_on(ledger, lines, sizeof lines / sizeof *lines);
        wallet_close(ledger);
        ledger = open_ledger(in_full, 2);
        expect_facts(ledger, "a", 100 - spent[in_full], 0, spent[in_full], 100);
        after[0].available = after[1].available = 100 - spent[in_full];
        play_on(ledger, after, 2);
        wallet_close(ledger);
        ledger = open_ledger(in_full, 0);
        wallet_close(ledger);
        expect_clean_audit();
        remove_directory();
    }
}

TEST(wallet_ids_are_remembered_over_reopen)
{
    static const struct line before[] = {
        {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0},
        {WALLET_RESERVE, 2, "a", "openai", 40, 15, 0, ERROR_OK, 60, 40},
        {WALLET_SETTLE, 2, NULL, "openai", 30, 0, 0, ERROR_OK, 70, 40},
        {WALLET_RESERVE, 3, "a", "openai", 40, 15, 0, ERROR_OK, 30, 40},
        {WALLET_VOID, 3, NULL, NULL, 0, 0, 0, ERROR_OK, 70, 40},
    };
    static const struct line after[] = {
        {WALLET_FUND, 1, "a", NULL, 100, 0, 0, ERROR_OK, 70, 0},
        {WALLET_FUND, 1, "a", NULL, 99, 0, 0, ERROR_TRANSFER_CONFLICT, 70, 0},
        {WALLET_RESERVE, 2, "a", "openai", 40, 15, 0, ERROR_TRANSFER_RESOLVED, 70, 40},
        {WALLET_SETTLE, 2, NULL, "openai", 30, 0, 0, ERROR_OK, 70, 40},
        {WALLET_SETTLE, 3, NULL, "openai", 30, 0, 0, ERROR_TRANSFER_RESOLVED, 70, 40},
        {WALLET_VOID, 3, NULL, NULL, 0, 0, 0, ERROR_OK, 70, 40},
        {WALLET_RESERVE, 4, "a", "openai", 70, 0, 0, ERROR_OK, 0, 70},
    };
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    play_on(ledger, before, sizeof before / sizeof *before);
    wallet_close(ledger);
    ledger = open_ledger(true, 0);
    play_on(ledger, after, sizeof after / sizeof *after);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

TEST(wallet_keeps_environments_apart)
{
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0), *other = NULL;
    unsigned recovered;
    const struct wallet_options prod = {
        .directory = directory, .environment = "prod", .settle_recovered_in_full = true};
    CU_ASSERT_EQUAL(wallet_open(&prod, &other, &recovered), ERROR_ENVIRONMENT_BUSY);
    wallet_close(ledger);
    CU_ASSERT_EQUAL(wallet_open(&prod, &other, &recovered), ERROR_STORE_CORRUPT);
    CU_ASSERT_PTR_NULL(other);
    expect_clean_audit();
    remove_directory();
}

/* ---- what others see ---- */

struct seen {
    char text[2048];
    size_t used;
};

static bool see(void *context, const struct wallet_transfer *transfer)
{
    struct seen *seen = context;
    seen->used +=
        (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used, "%s %s %s %lld %s %s|",
                         transfer->kind, transfer->wallet, transfer->counterparty, (long long)transfer->amount.nano,
                         wallet_basis_name(transfer->basis), transfer->note);
    return true;
}

TEST(wallet_history_and_list)
{
    static const struct line lines[] = {
        {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0},
        {WALLET_FUND, 2, "b", NULL, 50, 0, NEW, ERROR_OK, 50, 0},
        {WALLET_RESERVE, 3, "a", "openai", 10, 0, 0, ERROR_OK, 90, 10},
        {WALLET_ADJUST, 4, "b", NULL, -1, 0, 0, ERROR_OK, 49, 0},
        {WALLET_SETTLE, 3, NULL, "openai", 200, 0, ALARM, ERROR_OK, 0, 10},
    };
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    struct seen seen = {.used = 0};
    struct wallet_facts facts[4];
    play_on(ledger, lines, sizeof lines / sizeof *lines);
    CU_ASSERT_EQUAL(wallet_history(ledger, "a", 100, see, &seen), ERROR_OK);
    EXPECT_STRING(seen.text, "post a provider/openai 100 exact |pending a provider/openai 10 none |"
                             "fund a funding 100 none test|");
    seen.used = 0;
    CU_ASSERT_EQUAL(wallet_history(ledger, NULL, 3, see, &seen), ERROR_OK);
    EXPECT_STRING(seen.text, "write-off write-off provider/openai 100 exact |post a provider/openai 100 exact |"
                             "adjust b adjustment -1 none test|");
    seen.used = 0;
    CU_ASSERT_EQUAL(wallet_history(ledger, "b", 1, see, &seen), ERROR_OK);
    EXPECT_STRING(seen.text, "adjust b adjustment -1 none test|");
    CU_ASSERT_EQUAL(wallet_history(ledger, "c", 1, see, &seen), ERROR_WALLET_UNKNOWN);
    EXPECT_INTEGER(wallet_list(ledger, facts, 4), 2);
    EXPECT_INTEGER(wallet_list(ledger, NULL, 0), 2);
    EXPECT_STRING(facts[1].wallet, "b");
    expect_facts(ledger, "a", 0, 0, 100, 100);
    expect_facts(ledger, "b", 49, 0, 1, 50);
    CU_ASSERT_EQUAL(wallet_find(ledger, "c", facts), ERROR_WALLET_UNKNOWN);
    struct wallet_statistics statistics;
    wallet_get_statistics(ledger, &statistics);
    EXPECT_INTEGER(statistics.operations, 5);
    CU_ASSERT_FALSE(statistics.is_stopped);
    wallet_close(ledger);
    remove_directory();
}

/* ---- races: money for exactly 100 of 400 ---- */

struct racer {
    struct wallet_ledger *ledger;
    atomic_uint *granted, *answered;
    struct wallet_operation operations[50];
};

static atomic_uint granted, answered;

static void count_answer(struct wallet_operation *operation)
{
    atomic_fetch_add(&granted, operation->error == ERROR_OK);
    atomic_fetch_add(&answered, 1);
}

static void *race(void *context)
{
    struct racer *racer = context;
    for (unsigned i = 0; i < 50; i++) {
        struct wallet_operation *operation = &racer->operations[i];
        *operation = (struct wallet_operation){
            .kind = WALLET_RESERVE, .id = id_new(), .wallet = "a", .amount = {7}, .done = count_answer};
        wallet_submit(racer->ledger, operation);
    }
    return NULL;
}

TEST(wallet_race_admits_exactly_what_it_can_pay)
{
    static const struct line fund = {WALLET_FUND, 1, "a", NULL, 700, 0, NEW, ERROR_OK, 700, 0};
    static struct racer racers[8];
    pthread_t threads[8];
    make_directory();
    struct wallet_ledger *ledger = open_ledger(false, 0);
    play_on(ledger, &fund, 1);
    for (unsigned i = 0; i < 8; i++) {
        racers[i].ledger = ledger;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    wallet_close(ledger); /* runs what is queued */
    EXPECT_INTEGER(answered, 400);
    EXPECT_INTEGER(granted, 100);
    ledger = open_ledger(false, 100);
    expect_facts(ledger, "a", 700, 0, 0, 700); /* floor 0 */
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- failure and tampering ---- */

TEST(wallet_stops_when_its_log_is_deleted)
{
    static const struct line fund = {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0};
    static const struct line lines[] = {
        {WALLET_RESERVE, 2, "a", "openai", 10, 0, 0, ERROR_LEDGER_STOPPED, 90, 10},
        {WALLET_RESERVE, 3, "a", "openai", 10, 0, 0, ERROR_LEDGER_STOPPED, 0, 0},
    };
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    struct wallet_statistics statistics;
    char path[128];
    play_on(ledger, &fund, 1);
    snprintf(path, sizeof path, "%s/log.0000000001", directory);
    CU_ASSERT_EQUAL(unlink(path), 0);
    play_on(ledger, lines, 2);
    expect_facts(ledger, "a", 100, 0, 0, 100); /* nobody is shown what is not on disk */
    wallet_get_statistics(ledger, &statistics);
    CU_ASSERT_TRUE(statistics.is_stopped);
    wallet_close(ledger);
    remove_directory();
}

TEST(wallet_audit_finds_tampering)
{
    static const struct line lines[] = {
        {WALLET_FUND, 1, "a", NULL, 100, 0, NEW, ERROR_OK, 100, 0},
        {WALLET_RESERVE, 2, "a", "openai", 40, 15, 0, ERROR_OK, 60, 40},
        {WALLET_SETTLE, 2, NULL, "openai", 30, 0, 0, ERROR_OK, 70, 40},
        {WALLET_RESERVE, 3, "a", "openai", 40, 15, 0, ERROR_OK, 30, 40},
    };
    static const struct {
        const char *table, *what;
        size_t key_bytes;
        unsigned char key[16];
        size_t offset;
    } rows[] = {
        {"transfers", "the amount of a settle", 8, {0, 0, 0, 0, 0, 0, 0, 3}, 35},
        {"transfers", "the time of a funding", 8, {0, 0, 0, 0, 0, 0, 0, 1}, 27},
        {"transfers", "the basis of a settle", 8, {0, 0, 0, 0, 0, 0, 0, 3}, 1},
        {"transfers", "the last transfer", 8, {0, 0, 0, 0, 0, 0, 0, 4}, 51},
        {"details", "the tokens of a memo", 8, {0, 0, 0, 0, 0, 0, 0, 2}, 32},
        {"details", "who funded and why", 8, {0, 0, 0, 0, 0, 0, 0, 1}, 2},
        {"book", "the credit of the wallet", 5, {'a', 0, 0, 0, 3}, 31},
        {"book", "the head", 5, {'h', 0, 0, 0, 0}, 7},
        {"ids", "where an id points", 16, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0}, 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char report[2048];
        make_directory();
        struct wallet_ledger *ledger = open_ledger(true, 0);
        play_on(ledger, lines, sizeof lines / sizeof *lines);
        wallet_close(ledger);
        expect_clean_audit();
        tamper(rows[i].table, rows[i].key_bytes, rows[i].key, rows[i].offset, 1);
        EXPECT(wallet_audit(directory, report, sizeof report) == ERROR_STORE_CORRUPT, "%s was not found:\n%s",
               rows[i].what, report);
        CU_ASSERT_PTR_NOT_NULL(strstr(report, "FAILED"));
        remove_directory();
    }
}

TEST(wallet_audit_of_nothing)
{
    char report[256];
    struct stat status;
    make_directory();
    CU_ASSERT_EQUAL(wallet_audit(directory, report, sizeof report), ERROR_NOT_FOUND);
    CU_ASSERT_NOT_EQUAL(stat(directory, &status), 0); /* and made nothing */
    remove_directory();
}
