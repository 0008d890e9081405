/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups, dumps and restores of the ledger; daily ones and how many are kept; files that somebody deletes; a disk that
 * fills up. Every play ends with an audit. System calls that change directories pass through here, so that a restore
 * can be killed at each of them.
 */
#include "tests/unit/wallet_plays.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* ---- the call at which the process dies; 0: none ---- */

static atomic_uint calls, deadly_call;

static void count_call(void)
{
    if (atomic_fetch_add(&calls, 1) + 1 == atomic_load(&deadly_call))
        syscall(SYS_kill, getpid(), SIGKILL);
}

int fsync(int fd)
{
    count_call();
    return (int)syscall(SYS_fsync, fd);
}
int fdatasync(int fd)
{
    count_call();
    return (int)syscall(SYS_fdatasync, fd);
}
int renameat2(int old_fd, const char *old_path, int new_fd, const char *new_path, unsigned flags)
{
    count_call();
    int result = (int)syscall(SYS_renameat2, old_fd, old_path, new_fd, new_path, flags);
    count_call(); /* right after it, too */
    return result;
}
int mkdir(const char *path, mode_t mode)
{
    count_call();
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
int unlinkat(int fd, const char *path, int flags)
{
    count_call();
    return (int)syscall(SYS_unlinkat, fd, path, flags);
}
int rmdir(const char *path)
{
    count_call();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

/* ---- plays ---- */

static unsigned next_id = 1;

static enum error run(struct wallet_ledger *ledger, enum wallet_operation_kind kind, unsigned id, int64_t amount)
{
    struct wallet_operation operation = {.kind = kind,
                                         .id = id_number(id),
                                         .wallet = "a",
                                         .provider = "openai",
                                         .amount = {amount},
                                         .create = true,
                                         .note = "caf\xc3\xa9 \"quoted\" \xff",
                                         .memo = {.model = "gpt-\xff", .provider = "openai", .tokens_output = 7}};
    if (kind == WALLET_RESERVE && id % 2) {
        operation.budgets[0] = (struct wallet_budget){"monthly", 1000, 1000, {INT64_MAX}};
        operation.budget_count = 1;
    }
    wallet_run(ledger, &operation);
    return operation.error;
}

static void fund(struct wallet_ledger *ledger, int64_t amount)
{
    CU_ASSERT_EQUAL(run(ledger, WALLET_FUND, next_id++, amount), ERROR_OK);
}

/* `count` holds: settled, voided, settled above, left open, in turn. */
static void spend(struct wallet_ledger *ledger, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned id = next_id++;
        CU_ASSERT_EQUAL_FATAL(run(ledger, WALLET_RESERVE, id, 10), ERROR_OK);
        if (i % 4 < 3)
            CU_ASSERT_EQUAL(run(ledger, i % 4 == 1 ? WALLET_VOID : WALLET_SETTLE, id, i % 4 == 2 ? 12 : 7), ERROR_OK);
    }
}

static char *path_of(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", root, name);
    return path;
}

static bool exists(const char *name)
{
    char path[128];
    struct stat status;
    return lstat(path_of(name, path), &status) == 0;
}

static unsigned count_names(const char *part)
{
    unsigned count = 0;
    DIR *entries = opendir(root);
    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        count += strstr(entry->d_name, part) != NULL;
    if (entries)
        closedir(entries);
    return count;
}

static bool find_name(const char *part, char path[128])
{
    bool is_found = false;
    DIR *entries = opendir(root);
    for (const struct dirent *entry; entries && !is_found && (entry = readdir(entries));)
        if (strstr(entry->d_name, part)) {
            snprintf(path, 128, "%.40s/%.80s", root, entry->d_name);
            is_found = true;
        }
    if (entries)
        closedir(entries);
    return is_found;
}

static void dump_to(const char *name)
{
    char path[128];
    FILE *out = fopen(path_of(name, path), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    CU_ASSERT_EQUAL(wallet_dump(directory, out), ERROR_OK);
    fclose(out);
}

static void expect_restore(const char *from, enum error wanted, const char *part)
{
    char why[256] = "", path[128];
    enum error error = wallet_restore(path_of(from, path), directory, "dev", why, sizeof why);
    EXPECT(error == wanted, "%s: %s: %s", from, error_row(error)->name, why);
    EXPECT(strstr(why, part) != NULL, "%s: \"%s\" lacks \"%s\"", from, why, part);
}

static int64_t funded(void)
{
    struct wallet_ledger *ledger = open_with((struct wallet_options){0}, 0);
    struct wallet_facts facts = {0};
    enum error error = wallet_find(ledger, "a", &facts);
    wallet_close(ledger);
    return error ? -1 : facts.funded.nano;
}

static bool wait_until(bool (*is_so)(void *), void *context)
{
    for (unsigned i = 0; i < 3000; i++) {
        if (is_so(context))
            return true;
        usleep(10000);
    }
    return false;
}

/* ---- what the ledger tells ---- */

struct told {
    atomic_uint notes[WALLET_NOTE_MIGRATED + 1];
    atomic_uint stopped;
    char why[256];
};

static void hear_note(void *context, enum wallet_note note, const char *text)
{
    struct told *told = context;
    EXPECT(text[0] != '\0', "note %d", (int)note);
    atomic_fetch_add(&told->notes[note], 1);
}

static void hear_stop(void *context, const char *why)
{
    struct told *told = context;
    snprintf(told->why, sizeof told->why, "%s", why);
    atomic_fetch_add(&told->stopped, 1);
}

/* ---- backups ---- */

struct spender {
    struct wallet_ledger *ledger;
    atomic_bool is_ending;
    atomic_uint settled, refused;
    unsigned failed;
};

static void *spend_on(void *context)
{
    struct spender *spender = context;
    while (!atomic_load(&spender->is_ending)) {
        struct wallet_operation operation = {
            .kind = WALLET_RESERVE, .id = id_new(), .wallet = "a", .provider = "openai", .amount = {1000}};
        wallet_run(spender->ledger, &operation);
        if (operation.error) {
            atomic_fetch_add(&spender->refused, 1);
            spender->failed += operation.error != ERROR_DISK_LOW;
            continue;
        }
        operation.kind = WALLET_SETTLE;
        operation.amount.nano = 600;
        wallet_run(spender->ledger, &operation);
        spender->failed += operation.error != ERROR_OK;
        atomic_fetch_add(&spender->settled, operation.error == ERROR_OK);
    }
    return NULL;
}

static bool has_settled(void *context)
{
    struct spender *spender = context;
    return atomic_load(&spender->settled) >= 50;
}

TEST(backup_while_it_works)
{
    make_directory();
    char why[256] = "", path[128];
    pthread_t thread;
    struct wallet_ledger *ledger = open_ledger(true, 0);
    struct spender spender = {.ledger = ledger};
    struct timespec start, end;
    fund(ledger, 1000000000);
    spend(ledger, 40);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, spend_on, &spender), 0);
    CU_ASSERT_TRUE(wait_until(has_settled, &spender));
    struct wallet_facts before = {0}, after = {0}, copied = {0};
    CU_ASSERT_EQUAL(wallet_find(ledger, "a", &before), ERROR_OK);
    clock_gettime(CLOCK_MONOTONIC, &start);
    enum error error = wallet_backup(ledger, path_of("copy", path), why, sizeof why);
    clock_gettime(CLOCK_MONOTONIC, &end);
    EXPECT(error == ERROR_OK, "%s: %s", error_row(error)->name, why);
    CU_ASSERT_EQUAL(wallet_find(ledger, "a", &after), ERROR_OK);
    printf("(%lld ms under load) ",
           (long long)(end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
    CU_ASSERT_EQUAL(wallet_backup(ledger, path, why, sizeof why), ERROR_REQUEST_INVALID); /* it exists */
    atomic_store(&spender.is_ending, true);
    pthread_join(thread, NULL);
    EXPECT_INTEGER(spender.failed, 0);
    wallet_close(ledger);
    expect_clean_audit();
    CU_ASSERT_TRUE(exists("copy/ledger.jsonl") && exists("copy/book.db") && exists("copy/tollgate-backup"));
    CU_ASSERT_FALSE(exists("copy/lock") || exists("copy/ballast") || exists("copy.partial"));
    for (unsigned i = 0; i < 3; i++) /* within a second: what is put aside gets a name each time */
        expect_restore("copy", ERROR_OK, "ledger.before-");
    expect_clean_audit();
    ledger = NULL;
    unsigned recovered = 0;
    const struct wallet_options options = {.directory = directory, .environment = "dev"};
    CU_ASSERT_EQUAL_FATAL(wallet_open(&options, &ledger, &recovered), ERROR_OK);
    CU_ASSERT_TRUE(recovered >= 10); /* those left open, and the one under way */
    CU_ASSERT_EQUAL(wallet_find(ledger, "a", &copied), ERROR_OK);
    EXPECT(copied.transfers >= before.transfers && copied.transfers <= after.transfers + recovered, "%llu, %llu, %llu",
           (unsigned long long)before.transfers, (unsigned long long)copied.transfers,
           (unsigned long long)after.transfers);
    wallet_close(ledger);
    remove_directory();
}

static bool is_log_short(void)
{
    return !exists("ledger/log.0000000001");
}

TEST(backup_removes_old_logs)
{
    make_directory();
    char why[256] = "", path[128];
    struct wallet_ledger *ledger = open_ledger(true, 0);
    fund(ledger, 1000000000);
    for (unsigned i = 0; i < 200 && !exists("ledger/log.0000000003"); i++)
        spend(ledger, 40);
    CU_ASSERT_TRUE(exists("ledger/log.0000000003") && !is_log_short());
    EXPECT(wallet_backup(ledger, path_of("copy", path), why, sizeof why) == ERROR_OK, "%s", why);
    CU_ASSERT_TRUE(is_log_short());
    CU_ASSERT_FALSE(exists("copy/log.0000000001"));
    usleep(1500000); /* a look of the chores thread must not miss what was removed on purpose */
    fund(ledger, 1);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

TEST(backup_that_fails_leaves_nothing)
{
    make_directory();
    char why[256] = "", path[128];
    struct wallet_ledger *ledger = open_ledger(true, 0);
    fund(ledger, 1000);
    EXPECT(wallet_backup(ledger, path_of("no/where", path), why, sizeof why) != ERROR_OK && why[0], "%s", why);
    CU_ASSERT_EQUAL(mkdir(path_of("taken", path), 0700), 0);
    EXPECT(wallet_backup(ledger, path, why, sizeof why) != ERROR_OK && strstr(why, "exists"), "%s", why);
    CU_ASSERT_EQUAL(mkdir(path_of("small", path), 0700), 0);
    if (mount("none", path, "tmpfs", 0, "size=4m") == 0) {
        EXPECT(wallet_backup(ledger, path_of("small/copy", path), why, sizeof why) == ERROR_DISK_LOW, "%s", why);
        CU_ASSERT_FALSE(exists("small/copy") || exists("small/copy.partial"));
        umount(path_of("small", path));
    } else {
        printf("(skip: no tmpfs may be mounted) ");
    }
    CU_ASSERT_EQUAL(count_names("partial"), 0);
    fund(ledger, 1); /* the ledger goes on */
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

/* ---- dumps ---- */

static void make_and_dump(void)
{
    struct wallet_ledger *ledger = open_ledger(true, 0);
    fund(ledger, 1000000);
    spend(ledger, 39);
    wallet_close(ledger);
    dump_to("one.jsonl");
}

/* The same ledger again, to the byte: the chain of hashes, and all that it covers. */
TEST(dump_and_replay)
{
    make_directory();
    FILE *nowhere = fopen("/dev/null", "w");
    CU_ASSERT_EQUAL(wallet_dump(directory, nowhere), ERROR_NOT_FOUND);
    fclose(nowhere);
    make_and_dump();
    shell("mv '%s' '%s.first'", directory, directory);
    expect_restore("one.jsonl", ERROR_OK, ""); /* where there is none */
    expect_clean_audit();
    dump_to("two.jsonl");
    shell("cmp '%s/one.jsonl' '%s/two.jsonl'", root, root);
    shell("tail -1 '%s/one.jsonl' | grep -q '\"hash\":\"[0-9a-f]\\{64\\}\"'", root);
    expect_restore("one.jsonl", ERROR_OK, "ledger.before-");
    expect_clean_audit();
    struct wallet_ledger *ledger = open_with((struct wallet_options){0}, 9); /* what was open is resolved, as ever */
    spend(ledger, 4);
    wallet_close(ledger);
    expect_clean_audit();
    remove_directory();
}

TEST(restore_refuses_bad_dumps)
{
    static const struct {
        const char *edit, *part;
        enum error error;
    } rows[] = {
        {"$d", "sums are missing", ERROR_STORE_CORRUPT},
        {"1d", "line 1: ", ERROR_STORE_CORRUPT},
        {"3d", "line 3: account 1 is missing", ERROR_STORE_CORRUPT},
        {"20d", "line 20: transfer", ERROR_STORE_CORRUPT},
        {"20p", "line 21: transfer", ERROR_STORE_CORRUPT},
        {"15,30s/\"amount\":\"0.00000001\"/\"amount\":\"0.000000009\"/", "was changed", ERROR_STORE_CORRUPT},
        {"20s/{/[/", "line 20: no JSON", ERROR_STORE_CORRUPT},
        {"20s/.*/{\"x\":1}/", "line 20: it is none", ERROR_STORE_CORRUPT},
        {"20s/\"id\":\"[^\"]*\"/\"id\":\"7\"/", "line 20: \"id\"", ERROR_STORE_CORRUPT},
        {"20s/\"debit\":[0-9]*/\"debit\":999/", "line 20: \"debit\"", ERROR_STORE_CORRUPT},
        {"20s/\"kind\":\"[a-z]*\"/\"kind\":\"gift\"/", "line 20: \"kind\"", ERROR_STORE_CORRUPT},
        {"20s/\"amount\":\"[^\"]*\"/\"amount\":\"1e9\"/", "line 20: \"amount\"", ERROR_STORE_CORRUPT},
        {"1s/\"schema\":[0-9]*/\"schema\":99/", "schema is 99", ERROR_STORE_SCHEMA},
        {"5s/\"credits_posted\":\"[^\"]*\"/\"credits_posted\":\"5\"/", "audit", ERROR_STORE_CORRUPT},
        {"$s/$/\\n{}/", "follows the sums", ERROR_STORE_CORRUPT},
        {"20s/\"id\":/\"note\":\"another\",\"id\":/", "line 20: the ledger made of it", ERROR_STORE_CORRUPT},
        {"$s/\"hash\":\"./\"hash\":\"x/", "hash", ERROR_STORE_CORRUPT},
    };
    make_directory();
    make_and_dump();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        shell("sed '%s' '%s/one.jsonl' >'%s/bad.jsonl'", rows[i].edit, root, root);
        expect_restore("bad.jsonl", rows[i].error, rows[i].part);
        CU_ASSERT_FALSE(exists("ledger.restoring"));
    }
    expect_restore("none.jsonl", ERROR_NOT_FOUND, "none.jsonl");
    shell("mkfifo '%s/pipe'", root); /* <(ssh host cat ledger.jsonl) */
    expect_restore("pipe", ERROR_REQUEST_INVALID, "it must be a file");
    CU_ASSERT_EQUAL(count_names("before"), 0);
    dump_to("two.jsonl"); /* nothing was changed */
    shell("cmp '%s/one.jsonl' '%s/two.jsonl'", root, root);
    remove_directory();
}

/* ---- restores ---- */

TEST(restore_follows_a_link)
{
    make_directory();
    char why[256] = "", path[128];
    struct wallet_ledger *ledger = open_ledger(true, 0);
    fund(ledger, 1000);
    CU_ASSERT_EQUAL(wallet_backup(ledger, path_of("copy", path), why, sizeof why), ERROR_OK);
    fund(ledger, 500);
    wallet_close(ledger);
    shell("ln -s copy '%s/latest'", root);
    expect_restore("latest", ERROR_OK, "ledger.before-");
    EXPECT_INTEGER(funded(), 1000);
    shell("ln -s copy/ledger.jsonl '%s/latest.jsonl'", root);
    expect_restore("latest.jsonl", ERROR_OK, "ledger.before-");
    EXPECT_INTEGER(funded(), 1000);
    expect_clean_audit();
    remove_directory();
}

TEST(restore_is_refused)
{
    make_directory();
    char why[256] = "", path[128];
    struct wallet_ledger *ledger = open_ledger(true, 0);
    fund(ledger, 1000);
    CU_ASSERT_EQUAL(wallet_backup(ledger, path_of("copy", path), why, sizeof why), ERROR_OK);
    expect_restore("copy", ERROR_ENVIRONMENT_BUSY, "agent");
    wallet_close(ledger);
    CU_ASSERT_EQUAL(mkdir(path_of("empty", path), 0700), 0);
    expect_restore("empty", ERROR_NOT_FOUND, "no ledger");
    char kept[sizeof directory];
    unsigned char first[8] = {0, 0, 0, 0, 0, 0, 0, 1};
    strcpy(kept, directory);
    snprintf(directory, sizeof directory, "%s/copy", root);
    tamper("transfers", sizeof first, first, 27, 1);
    strcpy(directory, kept);
    expect_restore("copy", ERROR_STORE_CORRUPT, "audit");
    EXPECT_INTEGER(count_names("before") + count_names("restoring"), 0);
    EXPECT_INTEGER(funded(), 1000);
    expect_clean_audit();
    remove_directory();
}

/* Killed at each call that changes a directory or syncs: the old ledger or the new one is there, whole. What the last
 * kill left half made is in the way, or not. */
static void kill_restores(const char *from, bool is_clean)
{
    char path[128], why[256];
    unsigned kills = 0, old = 0, new = 0;
    shell("cp -r '%s' '%s.kept'", directory, directory);
    for (unsigned step = 1; step < 500; step++) {
        shell("rm -rf '%s' '%s'.before-* %s%s && cp -r '%s.kept' '%s'", directory, directory, is_clean ? directory : "",
              is_clean ? ".restoring" : "", directory, directory);
        pid_t child = fork();
        if (child == 0) {
            atomic_store(&calls, 0);
            atomic_store(&deadly_call, step);
            _exit(wallet_restore(path_of(from, path), directory, "dev", why, sizeof why) == ERROR_OK ? 0 : 1);
        }
        int status = 0;
        CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
        expect_clean_audit();
        int64_t sum = funded();
        old += sum == 2000;
        new += sum == 1000;
        EXPECT(sum == 1000 || sum == 2000, "step %u: %lld", step, (long long)sum);
        if (!WIFSIGNALED(status)) {
            EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0 && sum == 1000, "status %x", status);
            break;
        }
        kills++;
    }
    EXPECT(kills >= 10 && old >= 5 && new >= (is_clean ? 3 : 1), "%u kills, %u old, %u new", kills, old, new);
    shell("rm -rf '%s.kept'", directory);
}

TEST(restore_killed_at_each_step)
{
    make_directory();
    char why[256] = "", path[128];
    struct wallet_ledger *ledger = open_ledger(true, 0);
    fund(ledger, 1000);
    CU_ASSERT_EQUAL(wallet_backup(ledger, path_of("copy", path), why, sizeof why), ERROR_OK);
    fund(ledger, 1000);
    wallet_close(ledger);
    kill_restores("copy", true);
    ledger = open_ledger(true, 0);
    fund(ledger, 1000);
    wallet_close(ledger);
    kill_restores("copy/ledger.jsonl", true);
    ledger = open_ledger(true, 0);
    fund(ledger, 1000);
    wallet_close(ledger);
    kill_restores("copy", false);
    remove_directory();
}

/* ---- daily ---- */

static struct wallet_options daily_options(struct told *told, uint32_t every_s, uint32_t kept)
{
    static char backups[128];
    return (struct wallet_options){.upkeep.backup_directory = path_of("backups", backups),
                                   .upkeep.backup_every_s = every_s,
                                   .upkeep.backups_kept = kept,
                                   .noted = hear_note,
                                   .stopped = hear_stop,
                                   .context = told};
}

static bool has_made_four(void *context)
{
    struct told *told = context;
    return atomic_load(&told->notes[WALLET_NOTE_BACKUP_MADE]) >= 4;
}

static unsigned count_backups(void)
{
    char path[128];
    unsigned count = 0;
    DIR *entries = opendir(path_of("backups", path));
    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        count += strncmp(entry->d_name, "20", 2) == 0 && strlen(entry->d_name) == 15;
    if (entries)
        closedir(entries);
    return count;
}

TEST(daily_backups_are_made_and_kept)
{
    make_directory();
    struct told told = {0};
    shell("mkdir -p '%s/backups/19990101-000000' '%s/elsewhere/19990202-000000'", root, root);
    shell("touch '%s/backups/19990101-000000/mine' '%s/elsewhere/19990202-000000/tollgate-backup'", root, root);
    shell("ln -s '%s/elsewhere/19990202-000000' '%s/backups/19990202-000000'", root, root);
    shell("mkdir '%s/backups/20000101-000000.partial' && touch '%s/backups/20000101-000000.partial/tollgate-backup'",
          root, root);
    struct wallet_ledger *ledger = open_with(daily_options(&told, 1, 2), 0);
    fund(ledger, 1000);
    CU_ASSERT_TRUE(wait_until(has_made_four, &told));
    wallet_close(ledger);
    EXPECT_INTEGER(atomic_load(&told.notes[WALLET_NOTE_BACKUP_FAILED]), 0);
    EXPECT_INTEGER(count_backups(), 2);
    CU_ASSERT_TRUE(exists("backups/19990101-000000/mine")); /* no marker: not ours */
    CU_ASSERT_TRUE(exists("backups/19990202-000000") && exists("elsewhere/19990202-000000/tollgate-backup"));
    CU_ASSERT_FALSE(exists("backups/20000101-000000.partial"));

    for (unsigned i = 0; i < 3; i++) { /* restarts do not multiply them, nor does one from the future */
        shell("cp -r \"$(ls -d '%s'/backups/20* | tail -1)\" '%s/backups/20990101-000000'", root, root);
        ledger = open_with(daily_options(&told, 3600, 9), 0);
        usleep(1200000);
        wallet_close(ledger);
        EXPECT_INTEGER(count_backups(), 3);
        shell("rm -r '%s/backups/20990101-000000'", root);
    }
    expect_clean_audit();
    remove_directory();
}

static bool has_made_one(void *context)
{
    struct told *told = context;
    return atomic_load(&told->notes[WALLET_NOTE_BACKUP_MADE]) >= 1;
}

static bool has_nothing_due(void *ledger)
{
    struct wallet_backups backups;
    wallet_find_backups(ledger, &backups);
    return backups.due_s == -1;
}

/* A directory below a file; then the same orders with one that can be made, parents and all. */
TEST(a_backup_that_cannot_go_where_it_should_goes_to_the_fallback)
{
    make_directory();
    struct told told = {0};
    char wanted[128], better[128], own[128];
    struct wallet_backups backups;
    shell("touch '%s/file'", root);
    struct wallet_options options = daily_options(&told, 1, 2);
    options.upkeep.backup_directory = path_of("file/backups", wanted);
    options.upkeep.backup_fallback = path_of("backups", own);
    struct wallet_ledger *ledger = open_with(options, 0);
    CU_ASSERT_TRUE(wait_until(has_made_one, &told));
    CU_ASSERT_TRUE(count_backups() >= 1);
    CU_ASSERT_TRUE(atomic_load(&told.notes[WALLET_NOTE_BACKUP_FAILED]) >= 1);
    wallet_find_backups(ledger, &backups);
    EXPECT(strstr(backups.failure, "Not a directory") != NULL, "%s", backups.failure);
    options.upkeep.backup_directory = path_of("new/one", better);
    options.upkeep.backup_every_s = 0;
    wallet_set_upkeep(ledger, &options.upkeep);
    CU_ASSERT_TRUE(wait_until(has_nothing_due, ledger));
    atomic_store(&told.notes[WALLET_NOTE_BACKUP_MADE], 0);
    options.upkeep.backup_every_s = 1;
    wallet_set_upkeep(ledger, &options.upkeep);
    CU_ASSERT_TRUE(wait_until(has_made_one, &told));
    wallet_find_backups(ledger, &backups);
    EXPECT_STRING(backups.failure, "");
    CU_ASSERT_TRUE(exists("new/one"));
    wallet_close(ledger);
    remove_directory();
}

/* ---- deleted files ---- */

static bool has_stopped(void *context)
{
    struct told *told = context;
    return atomic_load(&told->stopped) > 0;
}

/* Nothing is written while the file goes: it is the look that notices. What can be read is saved, and makes a ledger.
 */
TEST(deleted_files_stop_the_ledger)
{
    static const char *const names[] = {"ledger/log.0000000001", "ledger/transfers.db", "ledger/lock", "ledger"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        make_directory();
        struct told told = {0};
        char path[128], rescued[128] = "", why[256] = "";
        struct wallet_ledger *ledger = open_with((struct wallet_options){.stopped = hear_stop, .context = &told}, 0);
        fund(ledger, 1000);
        spend(ledger, 9);
        path_of(names[i], path); /* twice: the ledger leaves a mark in its directory when it sees its files go */
        shell("rm -r '%s' || rm -r '%s'", path, path);
        EXPECT(wait_until(has_stopped, &told), "%s", names[i]);
        EXPECT(strstr(told.why, "deleted") != NULL, "%s: %s", names[i], told.why);
        EXPECT(run(ledger, WALLET_FUND, next_id++, 1) == ERROR_LEDGER_STOPPED, "%s", names[i]);
        wallet_close(ledger);
        EXPECT_INTEGER(atomic_load(&told.stopped), 1);
        CU_ASSERT_TRUE_FATAL(find_name("rescue", rescued));
        shell("rm -rf '%s'", directory);
        enum error error = wallet_restore(rescued, directory, "dev", why, sizeof why);
        EXPECT(error == ERROR_OK, "%s: %s", names[i], why);
        expect_clean_audit();
        remove_directory();
    }
}

/* ---- the full disk ---- */

static bool is_low(void *context)
{
    struct wallet_statistics statistics;
    wallet_get_statistics(context, &statistics);
    return statistics.is_disk_low;
}

static bool is_well(void *context)
{
    return !is_low(context);
}

static bool mount_disk(void)
{
    make_directory();
    if (mount("none", root, "tmpfs", 0, "size=48m,mode=700") == 0)
        return true;
    printf("(skip: no tmpfs may be mounted) ");
    remove_directory();
    return false;
}

static void unmount_disk(void)
{
    umount(root);
    remove_directory();
}

/* To the last byte. */
static void fill_disk(const char *name)
{
    static const char bytes[4096];
    char path[128];
    int fd = open(path_of(name, path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    close(fd);
}

static bool has_told_well(void *context)
{
    struct told *told = context;
    return atomic_load(&told->notes[WALLET_NOTE_DISK_WELL]) > 0;
}

static const uint64_t water_bytes = 4 << 20;

TEST(full_disk_refuses_holds_and_settles_on)
{
    if (!mount_disk())
        return;
    struct told told = {0};
    struct wallet_options options = {
        .upkeep.low_water_bytes = water_bytes, .noted = hear_note, .stopped = hear_stop, .context = &told};
    struct wallet_ledger *ledger = open_with(options, 0);
    struct spender spender = {.ledger = ledger};
    pthread_t thread;
    unsigned open_first = 0, open_count = 200;
    char path[128];
    fund(ledger, INT64_C(1000000000));
    CU_ASSERT_FALSE(is_low(ledger));
    open_first = next_id;
    for (unsigned i = 0; i < open_count; i++)
        CU_ASSERT_EQUAL_FATAL(run(ledger, WALLET_RESERVE, next_id++, 10), ERROR_OK);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, spend_on, &spender), 0);
    CU_ASSERT_TRUE(wait_until(has_settled, &spender));
    fill_disk("filler");
    CU_ASSERT_TRUE(wait_until(is_low, ledger));
    atomic_store(&spender.is_ending, true);
    pthread_join(thread, NULL);
    EXPECT_INTEGER(spender.failed, 0); /* no settle was lost, nothing but DISK_LOW was answered */
    CU_ASSERT_EQUAL(run(ledger, WALLET_RESERVE, next_id++, 10), ERROR_DISK_LOW);
    for (unsigned i = 0; i < open_count; i++)
        CU_ASSERT_EQUAL(run(ledger, i % 2 ? WALLET_SETTLE : WALLET_VOID, open_first + i, 7), ERROR_OK);
    for (unsigned i = 0; i < 1500; i++) /* more than one log file */
        fund(ledger, 1);
    EXPECT(atomic_load(&told.stopped) == 0, "%s", told.why);
    wallet_close(ledger);
    EXPECT_INTEGER(atomic_load(&told.notes[WALLET_NOTE_DISK_LOW]), 1);
    fill_disk("filler"); /* what the ballast gave */
    expect_clean_audit();
    fill_disk("filler");
    ledger = open_with(options, 0);
    CU_ASSERT_TRUE(is_low(ledger));
    CU_ASSERT_EQUAL(run(ledger, WALLET_RESERVE, next_id++, 10), ERROR_DISK_LOW);
    fund(ledger, 1);
    unlink(path_of("filler", path));
    CU_ASSERT_TRUE(wait_until(is_well, ledger));
    CU_ASSERT_EQUAL(run(ledger, WALLET_RESERVE, next_id, 10), ERROR_OK);
    CU_ASSERT_EQUAL(run(ledger, WALLET_SETTLE, next_id++, 10), ERROR_OK);
    CU_ASSERT_TRUE(exists("ledger/ballast"));
    CU_ASSERT_TRUE(wait_until(has_told_well, &told));
    wallet_close(ledger);
    expect_clean_audit();
    unmount_disk();
}

/* Killed while it settles on a full disk; the next start recovers on the full disk. */
TEST(full_disk_survives_a_kill)
{
    if (!mount_disk())
        return;
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct wallet_ledger *ledger = open_with((struct wallet_options){.upkeep.low_water_bytes = water_bytes}, 0);
        fund(ledger, 1000000);
        spend(ledger, 60);
        fill_disk("filler");
        for (unsigned i = 0;; i++) {
            fund(ledger, 1);
            if (write(ends[1], &i, sizeof i) != (ssize_t)sizeof i)
                _exit(1);
        }
    }
    close(ends[1]);
    unsigned acknowledged = 0, number;
    while (acknowledged < 3000 && read(ends[0], &number, sizeof number) == (ssize_t)sizeof number)
        acknowledged = number + 1;
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number)
        acknowledged = number + 1;
    waitpid(child, NULL, 0);
    close(ends[0]);
    EXPECT(acknowledged >= 3000, "%u", acknowledged);
    fill_disk("filler");
    struct wallet_ledger *ledger = open_with((struct wallet_options){.upkeep.low_water_bytes = water_bytes}, 15);
    CU_ASSERT_TRUE(is_low(ledger));
    struct wallet_facts facts = {0};
    CU_ASSERT_EQUAL(wallet_find(ledger, "a", &facts), ERROR_OK);
    EXPECT(facts.funded.nano >= 1000000 + acknowledged && facts.funded.nano <= 1000001 + acknowledged, "%lld",
           (long long)facts.funded.nano);
    next_id += 60000; /* the child took many */
    fund(ledger, 1);
    wallet_close(ledger);
    expect_clean_audit();
    unmount_disk();
}
