/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a ledger that is not open: a table, or all of them, taken away; a making that is killed at each of its
 * syncs; a ledger of an older schema, which has fewer. Reading makes none.
 */
#include "tests/unit/wallet_plays.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- the sync at which the process dies; 0: none ---- */

static unsigned syncs, deadly_sync;

int fdatasync(int fd)
{
    if (++syncs == deadly_sync)
        syscall(SYS_kill, getpid(), SIGKILL);
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    if (++syncs == deadly_sync)
        syscall(SYS_kill, getpid(), SIGKILL);
    return (int)syscall(SYS_fsync, fd);
}

/* ---- plays ---- */

static const char *const tables[] = {"transfers", "details", "ids", "jobs", "book"};
enum { TABLES = sizeof tables / sizeof *tables };

static enum error run(struct wallet_ledger *ledger, enum wallet_operation_kind kind, unsigned id, int64_t amount)
{
    struct wallet_operation operation = {
        .kind = kind, .id = id_number(id), .wallet = "a", .provider = "openai", .amount = {amount}, .create = true};
    wallet_run(ledger, &operation);
    return operation.error;
}

/* With a backup beside it. */
static void make_ledger(void)
{
    char copy[128], why[256] = "";
    make_directory();
    struct wallet_ledger *ledger = open_ledger(true, 0);
    CU_ASSERT_EQUAL(run(ledger, WALLET_FUND, 1, 1000), ERROR_OK);
    CU_ASSERT_EQUAL(run(ledger, WALLET_RESERVE, 2, 10), ERROR_OK);
    CU_ASSERT_EQUAL(run(ledger, WALLET_SETTLE, 2, 7), ERROR_OK);
    snprintf(copy, sizeof copy, "%s/copy", root);
    CU_ASSERT_EQUAL(wallet_backup(ledger, copy, why, sizeof why), ERROR_OK);
    wallet_close(ledger);
}

static void expect_refusal(bool must_exist, const char *table)
{
    const struct wallet_options options = {.directory = directory, .environment = "dev", .must_exist = must_exist};
    struct wallet_ledger *ledger = NULL;
    char missing[64];
    unsigned recovered;
    snprintf(missing, sizeof missing, "/ledger: %s.db is missing", table);
    enum error error = wallet_open(&options, &ledger, &recovered);
    EXPECT(error == ERROR_STORE_CORRUPT, "%s: %s", table, error_row(error)->name);
    EXPECT(strstr(wallet_failure(), missing) != NULL, "\"%s\" lacks \"%s\"", wallet_failure(), missing);
}

static void expect_restore(const char *from, enum error wanted, const char *part)
{
    char path[128], why[256] = "";
    snprintf(path, sizeof path, "%s/%s", root, from);
    enum error error = wallet_restore(path, directory, "dev", why, sizeof why);
    EXPECT(error == wanted && strstr(why, part), "%s: %s: %s", from, error_row(error)->name, why);
}

TEST(a_table_that_is_missing_is_damage)
{
    for (size_t i = 0; i < TABLES; i++) {
        char report[2048], missing[64];
        make_ledger();
        CU_ASSERT_TRUE(shell("rm '%s/%s.db'", directory, tables[i]));
        snprintf(missing, sizeof missing, "%s.db is missing", tables[i]);
        enum error error = wallet_audit(directory, report, sizeof report);
        EXPECT(error == ERROR_STORE_CORRUPT && strstr(report, missing), "%s: %s", tables[i], report);
        expect_refusal(false, tables[i]);
        expect_refusal(true, tables[i]);
        EXPECT(shell("test ! -e '%s/%s.db'", directory, tables[i]), "%s was made", tables[i]);
        expect_restore("copy", ERROR_OK, "ledger.before-");
        expect_clean_audit();
        wallet_close(open_ledger(true, 0));
        remove_directory();
    }
}

TEST(a_ledger_that_was_there_is_not_made_anew)
{
    static const char *const ways[] = {"rm ledger/*.db", "rm ledger/*", "rm -r ledger"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char report[2048];
        make_ledger();
        CU_ASSERT_TRUE(shell("cd '%s' && %s", root, ways[i]));
        CU_ASSERT_EQUAL(wallet_audit(directory, report, sizeof report), ERROR_NOT_FOUND);
        expect_refusal(true, "book");
        EXPECT(shell("! ls '%s' | grep -q '[.]db$'", directory), "%s: made anew", ways[i]);
        expect_restore("copy", ERROR_OK, "");
        expect_clean_audit();
        remove_directory();
    }
}

/* The next start makes what is left to make; an audit in between finds no damage, and no ledger where there is none. */
TEST(a_making_killed_at_each_sync_is_no_damage)
{
    unsigned kills = 0, unmade = 0;
    for (bool is_killed = true; is_killed && kills < 100;) {
        char report[2048];
        int status = 0;
        make_directory();
        pid_t child = fork();
        CU_ASSERT_FATAL(child >= 0);
        if (child == 0) {
            deadly_sync = syncs + kills + 1;
            wallet_close(open_ledger(true, 0));
            _exit(0);
        }
        waitpid(child, &status, 0);
        is_killed = WIFSIGNALED(status);
        enum error error = wallet_audit(directory, report, sizeof report);
        EXPECT(error == ERROR_OK || error == ERROR_NOT_FOUND, "sync %u: %s", kills + 1, report);
        struct wallet_ledger *ledger = open_ledger(true, 0);
        CU_ASSERT_EQUAL(run(ledger, WALLET_FUND, 1, 1000), ERROR_OK);
        wallet_close(ledger);
        expect_clean_audit();
        remove_directory();
        kills += is_killed;
        unmade += error == ERROR_NOT_FOUND;
    }
    EXPECT(kills >= 8 && unmade >= 5 && kills < 100, "%u kills, %u before the book", kills, unmade);
}

/* Schemas 1 and 2 had no jobs: an audit and a dump go without, a start makes the table. A copy likewise. */
TEST(an_older_schema_has_fewer_tables)
{
    static const unsigned char schema_key[5] = {'s'};
    for (unsigned char schema = 1; schema <= 2; schema++) {
        make_ledger();
        tamper("book", sizeof schema_key, schema_key, 3, WALLET_SCHEMA ^ schema);
        CU_ASSERT_TRUE(
            shell("rm '%s/jobs.db' && mkdir '%s/old' && cp '%s'/* '%s/old'", directory, root, directory, root));
        expect_clean_audit();
        FILE *nowhere = fopen("/dev/null", "w");
        CU_ASSERT_EQUAL(wallet_dump(directory, nowhere), ERROR_OK);
        fclose(nowhere);
        EXPECT(shell("test ! -e '%s/jobs.db'", directory), "made by reading");
        wallet_close(open_ledger(true, 0));
        EXPECT(shell("test -e '%s/jobs.db'", directory), "not made");
        expect_clean_audit();
        expect_restore("old", ERROR_OK, "ledger.before-");
        wallet_close(open_ledger(true, 0));
        expect_clean_audit();
        remove_directory();
    }
}

/* Whether a copy or a dump: before anything is moved. */
TEST(a_backup_of_another_environment_is_refused)
{
    static const char *const names[] = {"copy", "copy/ledger.jsonl"};
    make_ledger();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128], why[256] = "";
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        enum error error = wallet_restore(path, directory, "prod", why, sizeof why);
        EXPECT(error == ERROR_REQUEST_INVALID, "%s: %s", names[i], error_row(error)->name);
        EXPECT(strstr(why, "it is a ledger of dev, not of prod") != NULL, "%s", why);
    }
    EXPECT(shell("! ls '%s' | grep -q 'before\\|restoring'", root), "something was moved");
    expect_clean_audit();
    wallet_close(open_ledger(true, 0));
    remove_directory();
}
