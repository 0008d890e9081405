/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger against a reference model: random operations, a quarter of them hostile (repeats, conflicts, unknown ids,
 * too much money), every answer predicted, the ledger closed and opened on the way. 20,000 operations;
 * TOLLGATE_MODEL_OPERATIONS and TOLLGATE_MODEL_SEED change that; the seed is printed.
 */
#include "tests/unit/suite.h"
#include "wallet/wallet.h"

#include <time.h>
#include <unistd.h>

enum { WALLETS = 4, HOLDS_MAX = 1 << 21, BATCH = 32 };

struct model_hold {
    struct id id;
    int64_t amount, floor, settled;
    uint8_t wallet;
    enum { OPEN, SETTLED, VOIDED } state;
    bool is_alarm, is_unenforced;
};

struct model_wallet {
    bool exists;
    int64_t funded, spent, held;
};

static struct model_wallet wallets[WALLETS];
static struct model_hold *holds;
static unsigned hold_count;
static int64_t written_off;
static uint64_t random_state;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static int64_t available_of(const struct model_wallet *wallet)
{
    return wallet->funded - wallet->spent - wallet->held;
}

struct answer {
    enum error error;
    int64_t available, held;
    bool alarm;
};

static struct answer answer_for(enum error error, const struct model_wallet *wallet, int64_t held, bool alarm)
{
    return (struct answer){error, wallet && wallet->exists ? available_of(wallet) : 0, held, alarm};
}

/* ---- the model: what each operation must answer ---- */

static struct answer model_reserve(const struct wallet_operation *operation, struct model_wallet *wallet)
{
    int64_t amount = operation->amount.nano;
    if (amount < 0)
        return answer_for(ERROR_AMOUNT_INVALID, wallet, 0, false);
    if (!wallet->exists && !operation->is_unenforced)
        return answer_for(ERROR_WALLET_UNKNOWN, wallet, 0, false);
    if (!operation->is_unenforced && (available_of(wallet) <= 0 || available_of(wallet) < amount))
        return answer_for(ERROR_WALLET_EXHAUSTED, wallet, 0, false);
    wallet->exists = true;
    wallet->held += amount;
    holds[hold_count++] = (struct model_hold){.id = operation->id,
                                              .amount = amount,
                                              .floor = operation->floor.nano,
                                              .wallet = (uint8_t)(wallet - wallets),
                                              .is_unenforced = operation->is_unenforced};
    return answer_for(ERROR_OK, wallet, amount, false);
}

static struct answer model_repeat(const struct wallet_operation *operation, const struct model_hold *hold)
{
    bool is_same = operation->kind == WALLET_VOID ? hold->state == VOIDED
                                                  : hold->state == SETTLED && hold->settled == operation->amount.nano;
    return answer_for(is_same ? ERROR_OK : ERROR_TRANSFER_RESOLVED, &wallets[hold->wallet], hold->amount,
                      hold->is_alarm);
}

static struct answer model_settle(const struct wallet_operation *operation, struct model_hold *hold)
{
    int64_t amount = operation->amount.nano, paid = amount;
    if (amount < 0)
        return answer_for(ERROR_AMOUNT_INVALID, NULL, 0, false);
    if (hold->state != OPEN)
        return model_repeat(operation, hold);
    struct model_wallet *wallet = &wallets[hold->wallet];
    int64_t left = available_of(wallet) > 0 ? available_of(wallet) : 0;
    if (amount > hold->amount && !hold->is_unenforced && amount - hold->amount > left)
        paid = hold->amount + left;
    wallet->held -= hold->amount;
    wallet->spent += paid;
    written_off += amount - paid;
    hold->state = SETTLED;
    hold->settled = amount;
    hold->is_alarm = amount > hold->amount;
    return answer_for(ERROR_OK, wallet, hold->amount, hold->is_alarm);
}

static struct answer model_void(const struct wallet_operation *operation, struct model_hold *hold)
{
    if (operation->bytes_were_sent)
        return answer_for(ERROR_INTERNAL, NULL, 0, false);
    if (hold->state != OPEN)
        return model_repeat(operation, hold);
    wallets[hold->wallet].held -= hold->amount;
    hold->state = VOIDED;
    return answer_for(ERROR_OK, &wallets[hold->wallet], hold->amount, false);
}

static struct answer model_money(const struct wallet_operation *operation, struct model_wallet *wallet)
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
    return answer_for(ERROR_OK, wallet, 0, false);
}

/* ---- operations ---- */

static void name_wallet(struct wallet_operation *operation, unsigned wallet)
{
    snprintf(operation->wallet, sizeof operation->wallet, "wallet-%u", wallet);
}

static struct answer make_reserve(struct wallet_operation *operation)
{
    unsigned wallet = (unsigned)next_random(WALLETS);
    int64_t amount = (int64_t)next_random(next_random(20) ? 1000 : 100000) - (next_random(50) == 0);
    operation->kind = WALLET_RESERVE;
    operation->amount.nano = amount;
    operation->floor.nano = amount > 0 ? (int64_t)next_random((uint64_t)amount) : 0;
    operation->is_unenforced = wallet == 0 && next_random(4) == 0; /* one wallet may go below 0 */
    name_wallet(operation, wallet);
    return model_reserve(operation, &wallets[wallet]);
}

static struct answer make_money(struct wallet_operation *operation)
{
    unsigned wallet = (unsigned)next_random(WALLETS);
    operation->kind = next_random(3) ? WALLET_FUND : WALLET_ADJUST;
    operation->amount.nano = (int64_t)next_random(8000) - (operation->kind == WALLET_ADJUST ? 5000 : 50);
    operation->create = next_random(2) == 0;
    snprintf(operation->note, sizeof operation->note, "model %u", (unsigned)next_random(100));
    name_wallet(operation, wallet);
    return model_money(operation, &wallets[wallet]);
}

static struct answer make_unknown(struct wallet_operation *operation)
{
    operation->kind = next_random(2) ? WALLET_SETTLE : WALLET_VOID;
    return answer_for(ERROR_TRANSFER_UNKNOWN, NULL, 0, false);
}

/* The same hold asked for again, sometimes with other content. */
static struct answer make_repeat(struct wallet_operation *operation, const struct model_hold *hold)
{
    bool is_changed = next_random(3) == 0;
    operation->kind = WALLET_RESERVE;
    operation->id = hold->id;
    operation->amount.nano = hold->amount + is_changed;
    operation->floor.nano = hold->floor;
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
    if (operation->kind == WALLET_VOID)
        return model_void(operation, hold);
    operation->amount.nano = (int64_t)next_random((uint64_t)hold->amount + 1) - (next_random(50) == 0);
    if (next_random(10) == 0)
        operation->amount.nano += hold->amount + (int64_t)next_random(500);
    if (hold->state == SETTLED && next_random(2))
        operation->amount.nano = hold->settled;
    return model_settle(operation, hold);
}

static struct answer make_operation(struct wallet_operation *operation)
{
    *operation = (struct wallet_operation){.id = id_new(), .provider = "openai"};
    switch (next_random(20)) {
    case 0:
        return make_money(operation);
    case 1:
        return make_unknown(operation);
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

/* Up to BATCH operations at once: they share commits, and their order is kept. */
static unsigned run_batch(struct wallet_ledger *ledger, unsigned count)
{
    static struct wallet_operation operations[BATCH];
    static struct answer wanted[BATCH];
    unsigned wrong = 0;
    for (unsigned i = 0; i < count; i++) {
        wanted[i] = make_operation(&operations[i]);
        operations[i].reply_to = &replies;
        operations[i].done = count_answer;
        wallet_submit(ledger, &operations[i]);
    }
    for (answered = 0; answered < count; usleep(20))
        mailbox_run(&replies);
    for (unsigned i = 0; i < count; i++) {
        const struct wallet_operation *got = &operations[i];
        bool is_right = got->error == wanted[i].error && got->available.nano == wanted[i].available &&
                        got->held.nano == wanted[i].held && got->alarm == wanted[i].alarm;
        EXPECT(is_right, "kind %d of %lld: %s %lld %lld %d, wanted %s %lld %lld %d", got->kind,
               (long long)got->amount.nano, error_row(got->error)->name, (long long)got->available.nano,
               (long long)got->held.nano, got->alarm, error_row(wanted[i].error)->name, (long long)wanted[i].available,
               (long long)wanted[i].held, wanted[i].alarm);
        wrong += !is_right;
    }
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

static unsigned settle_open_holds(bool in_full)
{
    unsigned count = 0;
    for (unsigned i = 0; i < hold_count; i++)
        if (holds[i].state == OPEN) {
            struct model_hold *hold = &holds[i];
            hold->settled = in_full ? hold->amount : hold->floor;
            hold->state = SETTLED;
            wallets[hold->wallet].held -= hold->amount;
            wallets[hold->wallet].spent += hold->settled;
            hold->settled = -1; /* settled on another basis: no later settle is the same */
            count++;
        }
    return count;
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

static bool add_write_off(void *context, const struct wallet_transfer *transfer)
{
    if (!strcmp(transfer->kind, "write-off"))
        *(int64_t *)context += transfer->amount.nano;
    return true;
}

static void expect_written_off(struct wallet_ledger *ledger)
{
    int64_t sum = 0;
    CU_ASSERT_EQUAL(wallet_history(ledger, NULL, SIZE_MAX, add_write_off, &sum), ERROR_OK);
    EXPECT_INTEGER(sum, written_off);
}

static void expect_clean_audit(const char *directory)
{
    char report[2048];
    enum error error = wallet_audit(directory, report, sizeof report);
    EXPECT(error == ERROR_OK, "%s\n%s", error_row(error)->name, report);
}

TEST(wallet_model)
{
    char root[] = "/tmp/tollgate-model-XXXXXX", directory[64], command[128];
    const unsigned long seed = number_from("TOLLGATE_MODEL_SEED", (unsigned long)time(NULL));
    const unsigned long operations = number_from("TOLLGATE_MODEL_OPERATIONS", 20000);
    unsigned recovered = 0, wrong = 0, expected = 0;
    printf("seed %lu ", seed);
    random_state = seed * 2 + 1;
    holds = calloc(HOLDS_MAX, sizeof *holds);
    CU_ASSERT_PTR_NOT_NULL_FATAL(holds);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(directory, sizeof directory, "%s/ledger", root);
    mailbox_init(&replies);
    for (unsigned long done = 0, next = 0; done < operations && !wrong;) {
        bool in_full = next_random(2);
        const struct wallet_options options = {
            .directory = directory, .environment = "dev", .settle_recovered_in_full = in_full};
        struct wallet_ledger *ledger = NULL;
        if (done)
            expected = settle_open_holds(in_full);
        CU_ASSERT_EQUAL_FATAL(wallet_open(&options, &ledger, &recovered), ERROR_OK);
        EXPECT_INTEGER(recovered, expected);
        expect_wallets(ledger);
        for (next += operations / 8 + 1; done < next && done < operations && !wrong;) {
            unsigned count = 1 + (unsigned)next_random(BATCH);
            wrong = run_batch(ledger, count);
            done += count;
        }
        expect_wallets(ledger);
        expect_written_off(ledger);
        wallet_close(ledger);
        expect_clean_audit(directory);
    }
    mailbox_done(&replies);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CU_ASSERT_EQUAL(system(command), 0);
    free(holds);
}
