/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: tables, transactions, scans; one owner; recovery after kill -9; fail-stop when the disk or somebody's rm
 * takes the files away.
 */
#include "store/store.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[] = "/tmp/tollgate-store-XXXXXX";
static char directory[64];

static void make_directory(void)
{
    strcpy(root, "/tmp/tollgate-store-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(directory, sizeof directory, "%s/env", root);
}

static void remove_directory(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

struct fixture {
    struct store *store;
    struct store_table *table;
};

static struct fixture open_fixture(enum store_kind kind)
{
    struct fixture fixture;
    enum error error = store_open(directory, kind, &fixture.store);
    EXPECT(error == ERROR_OK, "%s: %s", error_row(error)->name, store_failure(NULL));
    CU_ASSERT_EQUAL_FATAL(error, ERROR_OK);
    CU_ASSERT_EQUAL_FATAL(store_table_open(fixture.store, "table", &fixture.table), ERROR_OK);
    return fixture;
}

static void close_fixture(struct fixture *fixture)
{
    store_table_close(fixture->table);
    store_close(fixture->store);
}

/* One row in its own transaction. */
static enum error put(struct fixture *fixture, unsigned number, const char *value)
{
    char key[16];
    struct store_transaction *transaction;
    snprintf(key, sizeof key, "%08u", number);
    enum error error = store_begin(fixture->store, &transaction);
    if (error)
        return error;
    error = store_put(fixture->table, transaction, slice_of(key), slice_of(value));
    if (!error)
        return store_commit(transaction);
    store_abort(transaction);
    return error;
}

static enum error get(struct fixture *fixture, struct store_transaction *transaction, unsigned number, char *value,
                      size_t bytes_max)
{
    char key[16];
    size_t length;
    snprintf(key, sizeof key, "%08u", number);
    enum error error = store_get(fixture->table, transaction, slice_of(key), value, bytes_max - 1, &length);
    if (!error)
        value[length] = '\0';
    return error;
}

TEST(store_keeps_rows_over_reopen)
{
    static const enum store_kind kinds[] = {STORE_LEDGER, STORE_AUX, STORE_SEQUENCE};
    char value[64];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        make_directory();
        struct fixture fixture = open_fixture(kinds[i]);
        CU_ASSERT_EQUAL(put(&fixture, 1, "one"), ERROR_OK);
        CU_ASSERT_EQUAL(put(&fixture, 2, ""), ERROR_OK);
        CU_ASSERT_EQUAL(put(&fixture, 1, "first"), ERROR_OK);
        close_fixture(&fixture);
        fixture = open_fixture(kinds[i]);
        CU_ASSERT_EQUAL(get(&fixture, NULL, 1, value, sizeof value), ERROR_OK);
        EXPECT_STRING(value, "first");
        CU_ASSERT_EQUAL(get(&fixture, NULL, 2, value, sizeof value), ERROR_OK);
        EXPECT_STRING(value, "");
        CU_ASSERT_EQUAL(get(&fixture, NULL, 3, value, sizeof value), ERROR_NOT_FOUND);
        CU_ASSERT_EQUAL(get(&fixture, NULL, 1, value, 3), ERROR_REQUEST_INVALID);
        CU_ASSERT_FALSE(store_is_failed(fixture.store));
        close_fixture(&fixture);
        remove_directory();
    }
}

/* An agent that is updated finds the events of before, on the pages of before. */
TEST(store_opens_tables_of_other_page_sizes)
{
    char value[64];
    make_directory();
    struct fixture fixture = open_fixture(STORE_AUX);
    CU_ASSERT_EQUAL(put(&fixture, 1, "one"), ERROR_OK);
    close_fixture(&fixture);
    fixture = open_fixture(STORE_SEQUENCE);
    CU_ASSERT_EQUAL(get(&fixture, NULL, 1, value, sizeof value), ERROR_OK);
    EXPECT_STRING(value, "one");
    CU_ASSERT_EQUAL(put(&fixture, 2, "two"), ERROR_OK);
    CU_ASSERT_FALSE(store_is_failed(fixture.store));
    close_fixture(&fixture);
    remove_directory();
}

TEST(store_files_are_private)
{
    make_directory();
    mode_t old = umask(0);
    struct fixture fixture = open_fixture(STORE_LEDGER);
    CU_ASSERT_EQUAL(put(&fixture, 1, "one"), ERROR_OK);
    close_fixture(&fixture);
    umask(old);
    struct stat status;
    CU_ASSERT_EQUAL(stat(directory, &status), 0);
    EXPECT((status.st_mode & 0777) == 0700, "%o", status.st_mode & 0777);
    DIR *entries = opendir(directory);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_name[0] == '.')
            continue;
        CU_ASSERT_EQUAL(fstatat(dirfd(entries), entry->d_name, &status, 0), 0);
        EXPECT((status.st_mode & 0777) == 0600, "%s: %o", entry->d_name, status.st_mode & 0777);
        count++;
    }
    closedir(entries);
    EXPECT(count >= 3, "%u files", count);
    remove_directory();
}

TEST(store_abort_leaves_nothing)
{
    make_directory();
    struct fixture fixture = open_fixture(STORE_LEDGER);
    struct store_transaction *transaction;
    char value[64];
    CU_ASSERT_EQUAL(put(&fixture, 1, "one"), ERROR_OK);
    CU_ASSERT_EQUAL_FATAL(store_begin(fixture.store, &transaction), ERROR_OK);
    CU_ASSERT_EQUAL(store_put(fixture.table, transaction, SLICE_LITERAL("00000001"), SLICE_LITERAL("changed")),
                    ERROR_OK);
    CU_ASSERT_EQUAL(store_put(fixture.table, transaction, SLICE_LITERAL("00000002"), SLICE_LITERAL("new")), ERROR_OK);
    CU_ASSERT_EQUAL(get(&fixture, transaction, 1, value, sizeof value), ERROR_OK);
    EXPECT_STRING(value, "changed");
    store_abort(transaction);
    CU_ASSERT_EQUAL(get(&fixture, NULL, 1, value, sizeof value), ERROR_OK);
    EXPECT_STRING(value, "one");
    CU_ASSERT_EQUAL(get(&fixture, NULL, 2, value, sizeof value), ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL_FATAL(store_begin(fixture.store, &transaction), ERROR_OK);
    CU_ASSERT_EQUAL(store_delete(fixture.table, transaction, SLICE_LITERAL("00000001")), ERROR_OK);
    CU_ASSERT_EQUAL(store_delete(fixture.table, transaction, SLICE_LITERAL("00000009")), ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL(store_commit(transaction), ERROR_OK);
    CU_ASSERT_EQUAL(get(&fixture, NULL, 1, value, sizeof value), ERROR_NOT_FOUND);
    close_fixture(&fixture);
    remove_directory();
}

struct walk {
    unsigned count, first, last;
    unsigned stop_at;
    bool in_order, backwards;
};

static bool step(void *context, struct slice key, struct slice value)
{
    struct walk *walk = context;
    char text[16];
    snprintf(text, sizeof text, "%.8s", key.data);
    unsigned number = (unsigned)atoi(text);
    if (walk->count++ == 0)
        walk->first = number;
    else
        walk->in_order &= walk->backwards ? number < walk->last : number > walk->last;
    walk->in_order &= value.length == number % 300;
    walk->last = number;
    return walk->count != walk->stop_at;
}

/* Even numbers below 4000, values of 0 to 299 bytes: several chunks, and bounds that hit and miss. */
TEST(store_scan_bounds_and_directions)
{
    static const struct {
        const char *first, *last;
        bool backwards;
        unsigned stop_at, count, from, to;
    } rows[] = {
        {"", "", false, 0, 2000, 0, 3998},
        {"", "", true, 0, 2000, 3998, 0},
        {"00000010", "00000020", false, 0, 6, 10, 20},
        {"00000011", "00000021", false, 0, 5, 12, 20},
        {"00000010", "00000020", true, 0, 6, 20, 10},
        {"00000011", "00000021", true, 0, 5, 20, 12},
        {"00003990", "", false, 0, 5, 3990, 3998},
        {"00005000", "", false, 0, 0, 0, 0},
        {"00003990", "00009000", true, 0, 5, 3998, 3990},
        {"", "00000004", true, 0, 3, 4, 0},
        {"", "", false, 1, 1, 0, 0},
        {"", "", true, 1500, 1500, 3998, 1000},
        {"00000021", "00000021", false, 0, 0, 0, 0},
    };
    static char bytes[300];
    make_directory();
    struct fixture fixture = open_fixture(STORE_LEDGER);
    struct store_transaction *transaction;
    CU_ASSERT_EQUAL_FATAL(store_begin(fixture.store, &transaction), ERROR_OK);
    for (unsigned i = 0; i < 4000; i += 2) {
        char key[16];
        snprintf(key, sizeof key, "%08u", i);
        CU_ASSERT_EQUAL_FATAL(store_put(fixture.table, transaction, slice_of(key), (struct slice){bytes, i % 300}),
                              ERROR_OK);
    }
    CU_ASSERT_EQUAL_FATAL(store_commit(transaction), ERROR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct walk walk = {.in_order = true, .backwards = rows[i].backwards, .stop_at = rows[i].stop_at};
        CU_ASSERT_EQUAL(store_scan(fixture.table, NULL, slice_of(rows[i].first), slice_of(rows[i].last),
                                   rows[i].backwards, step, &walk),
                        ERROR_OK);
        EXPECT(walk.count == rows[i].count && walk.in_order, "row %zu: %u rows, ordered %d", i, walk.count,
               walk.in_order);
        EXPECT(!walk.count || (walk.first == rows[i].from && walk.last == rows[i].to), "row %zu: %u to %u", i,
               walk.first, walk.last);
    }
    close_fixture(&fixture);
    remove_directory();
}

/* A directory that is owned answers busy to another process and to this one; the owner goes on. */
TEST(store_has_one_owner)
{
    make_directory();
    struct fixture fixture = open_fixture(STORE_LEDGER);
    struct store *second = NULL;
    char path[128], text[32] = "", wanted[32];
    CU_ASSERT_EQUAL(store_open(directory, STORE_LEDGER, &second), ERROR_ENVIRONMENT_BUSY);
    CU_ASSERT_PTR_NULL(second);
    pid_t child = fork();
    if (child == 0)
        _exit(store_open(directory, STORE_LEDGER, &second) == ERROR_ENVIRONMENT_BUSY ? 0 : 1);
    int status;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
    snprintf(path, sizeof path, "%s/lock", directory);
    FILE *lock = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(text, sizeof text, lock));
    fclose(lock);
    snprintf(wanted, sizeof wanted, "%d\n", (int)getpid());
    EXPECT_STRING(text, wanted);
    CU_ASSERT_EQUAL(put(&fixture, 1, "still mine"), ERROR_OK);
    close_fixture(&fixture);
    fixture = open_fixture(STORE_LEDGER); /* and free again */
    close_fixture(&fixture);
    remove_directory();
}

TEST(store_refuses_db_config)
{
    make_directory();
    struct fixture fixture = open_fixture(STORE_LEDGER);
    close_fixture(&fixture);
    char path[128];
    struct store *store = NULL;
    snprintf(path, sizeof path, "%s/DB_CONFIG", directory);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("set_flags DB_TXN_NOSYNC\n", file);
    fclose(file);
    CU_ASSERT_EQUAL(store_open(directory, STORE_LEDGER, &store), ERROR_STORE_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(store_failure(NULL), "DB_CONFIG"));
    unlink(path);
    fixture = open_fixture(STORE_LEDGER);
    close_fixture(&fixture);
    remove_directory();
}

/* A child commits 1, 2, 3 … and reports each; killed at any moment, all that it reported is there. */
static void commit_until_killed(int report_fd)
{
    struct fixture fixture = open_fixture(STORE_LEDGER);
    for (unsigned i = 1;; i++) {
        if (put(&fixture, i, "value") != ERROR_OK || write(report_fd, &i, sizeof i) != (ssize_t)sizeof i)
            _exit(1);
    }
}

TEST(store_recovers_after_kill)
{
    make_directory();
    for (unsigned round = 0; round < 5; round++) {
        int ends[2];
        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            commit_until_killed(ends[1]);
        }
        close(ends[1]);
        unsigned number = 0, reported = 0;
        while (reported < 20 + 31 * round && read(ends[0], &number, sizeof number) == (ssize_t)sizeof number)
            reported = number;
        kill(child, SIGKILL);
        while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number)
            reported = number;
        waitpid(child, NULL, 0);
        close(ends[0]);
        struct fixture fixture = open_fixture(STORE_LEDGER);
        char value[16];
        unsigned missing = 0;
        for (unsigned i = 1; i <= reported; i++)
            missing += get(&fixture, NULL, i, value, sizeof value) != ERROR_OK;
        EXPECT(reported >= 20 && missing == 0, "round %u: %u of %u missing", round, missing, reported);
        close_fixture(&fixture);
    }
    remove_directory();
}

/* Recovery crashes, hangs or fails in its child: here garbage in the log. The caller gets an error and lives. */
TEST(store_reports_damage)
{
    make_directory();
    struct fixture fixture = open_fixture(STORE_LEDGER);
    for (unsigned i = 0; i < 200; i++)
        CU_ASSERT_EQUAL_FATAL(put(&fixture, i, "value"), ERROR_OK);
    close_fixture(&fixture);
    char path[128], garbage[8192];
    snprintf(path, sizeof path, "%s/log.0000000001", directory);
    memset(garbage, 0x5a, sizeof garbage);
    int fd = open(path, O_WRONLY);
    CU_ASSERT_EQUAL_FATAL(pwrite(fd, garbage, sizeof garbage, 0), (ssize_t)sizeof garbage);
    close(fd);
    struct store *store = NULL;
    CU_ASSERT_EQUAL(store_open(directory, STORE_LEDGER, &store), ERROR_STORE_CORRUPT);
    CU_ASSERT_PTR_NULL(store);
    EXPECT(strstr(store_failure(NULL), "recovery") != NULL, "%s", store_failure(NULL));
    remove_directory();
}

/* The last thing that the child does before it recovers. 0: as it should. */
static int deadly_signal;

unsigned alarm(unsigned seconds)
{
    const struct itimerval timer = {.it_value.tv_sec = seconds};
    if (deadly_signal)
        kill(getpid(), deadly_signal);
    return (unsigned)setitimer(ITIMER_REAL, &timer, NULL);
}

/* Ended by the system it says nothing about the files; a crash, or an alarm, does. */
TEST(store_says_what_recovery_died_of)
{
    static const struct {
        int signal;
        enum error error;
        const char *part;
    } rows[] = {
        {SIGKILL, ERROR_STORE_IO, "signal 9 (Killed)"},
        {SIGXFSZ, ERROR_STORE_IO, "File size limit exceeded"},
        {SIGTERM, ERROR_STORE_IO, "Terminated"},
#ifndef TOLLGATE_SANITIZED /* whose runtime makes an exit of it */
        {SIGSEGV, ERROR_STORE_CORRUPT, "Segmentation fault"},
#endif
        {SIGALRM, ERROR_STORE_CORRUPT, "ran too long"},
    };
    make_directory();
    struct fixture fixture = open_fixture(STORE_LEDGER);
    CU_ASSERT_EQUAL(put(&fixture, 1, "value"), ERROR_OK);
    close_fixture(&fixture);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct store *store = NULL;
        deadly_signal = rows[i].signal;
        enum error error = store_open(directory, STORE_LEDGER, &store);
        deadly_signal = 0;
        EXPECT(error == rows[i].error, "signal %d: %s", rows[i].signal, error_row(error)->name);
        EXPECT(strstr(store_failure(NULL), rows[i].part) != NULL, "signal %d: %s", rows[i].signal, store_failure(NULL));
    }
    char value[16];
    fixture = open_fixture(STORE_LEDGER);
    CU_ASSERT_EQUAL(get(&fixture, NULL, 1, value, sizeof value), ERROR_OK);
    close_fixture(&fixture);
    remove_directory();
}

/* Once a file of the ledger is gone, nothing is acknowledged any more, and the other store is untouched. */
TEST(store_stops_when_its_log_is_deleted)
{
    make_directory();
    struct fixture fixture = open_fixture(STORE_LEDGER), other;
    char path[128], ledger_directory[64];
    strcpy(ledger_directory, directory);
    snprintf(directory, sizeof directory, "%s/other", root);
    other = open_fixture(STORE_AUX);
    CU_ASSERT_EQUAL(put(&fixture, 1, "one"), ERROR_OK);
    snprintf(path, sizeof path, "%s/log.0000000001", ledger_directory);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(put(&fixture, 2, "two"), ERROR_STORE_IO);
    CU_ASSERT_TRUE(store_is_failed(fixture.store));
    EXPECT(strstr(store_failure(fixture.store), "log.0000000001") != NULL, "%s", store_failure(fixture.store));
    CU_ASSERT_EQUAL(put(&fixture, 3, "three"), ERROR_STORE_IO);
    CU_ASSERT_EQUAL(store_checkpoint(fixture.store, 0), ERROR_STORE_IO);
    CU_ASSERT_EQUAL(put(&other, 1, "fine"), ERROR_OK);
    CU_ASSERT_FALSE(store_is_failed(other.store));
    close_fixture(&fixture);
    close_fixture(&other);
    remove_directory();
}

static void fill(struct fixture *fixture, unsigned first, unsigned count)
{
    char value[300];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (unsigned i = first; i < first + count; i++)
        CU_ASSERT_EQUAL_FATAL(put(fixture, i, value), ERROR_OK);
}

static bool has_file(const char *place, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", place, name);
    return access(path, F_OK) == 0;
}

/* A look from outside tells what Berkeley DB does not notice; a second store is not touched by it. */
TEST(store_looks_at_its_files)
{
    static const struct {
        const char *name, *command;
        bool is_missed;
    } rows[] = {
        {"a log file", "rm '%s/log.0000000001'", true},
        {"a table", "rm '%s/table.db'", true},
        {"the lock", "rm '%s/lock'", true},
        {"a replaced table", "cp '%1$s/table.db' '%1$s/x' && mv '%1$s/x' '%1$s/table.db'", true},
        {"the directory", "mv '%1$s' '%1$s.moved'", true},
        {"a new directory", "mv '%1$s' '%1$s.moved' && cp -r '%1$s.moved' '%1$s'", true},
        {"all of it", "rm -r '%s'", true},
        {"a stranger's file", "touch '%1$s/x' && rm '%1$s/x'", false},
        {"the ballast", "touch '%1$s/ballast' && rm '%1$s/ballast'", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_directory();
        struct fixture fixture = open_fixture(STORE_LEDGER);
        CU_ASSERT_EQUAL(put(&fixture, 1, "one"), ERROR_OK);
        CU_ASSERT_TRUE(store_look(fixture.store));
        CU_ASSERT_TRUE(store_look(fixture.store));
        char command[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(command, sizeof command, rows[i].command, directory);
#pragma GCC diagnostic pop
        CU_ASSERT_EQUAL(system(command), 0);
        EXPECT(store_look(fixture.store) != rows[i].is_missed, "%s", rows[i].name);
        EXPECT((store_failure(fixture.store)[0] != '\0') == rows[i].is_missed, "%s: \"%s\"", rows[i].name,
               store_failure(fixture.store));
        char value[16];
        EXPECT((get(&fixture, NULL, 1, value, sizeof value) == ERROR_OK) != rows[i].is_missed, "%s", rows[i].name);
        store_allow_reading(fixture.store); /* the handles are still there */
        EXPECT(get(&fixture, NULL, 1, value, sizeof value) == ERROR_OK, "%s", rows[i].name);
        EXPECT((put(&fixture, 2, "two") == ERROR_OK) != rows[i].is_missed, "%s", rows[i].name);
        close_fixture(&fixture);
        remove_directory();
    }
}

/* Saving what can be read must not wait for the locks of a transaction that will never end. */
TEST(store_reads_past_a_failed_commit)
{
    make_directory();
    struct fixture fixture = open_fixture(STORE_LEDGER);
    struct store_transaction *transaction;
    char path[160], value[16];
    CU_ASSERT_EQUAL(put(&fixture, 1, "one"), ERROR_OK);
    CU_ASSERT_EQUAL_FATAL(store_begin(fixture.store, &transaction), ERROR_OK);
    CU_ASSERT_EQUAL(store_put(fixture.table, transaction, SLICE_LITERAL("00000002"), SLICE_LITERAL("two")), ERROR_OK);
    snprintf(path, sizeof path, "%s/log.0000000001", directory);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(store_commit(transaction), ERROR_STORE_IO);
    CU_ASSERT_EQUAL(get(&fixture, NULL, 1, value, sizeof value), ERROR_STORE_IO);
    store_allow_reading(fixture.store);
    CU_ASSERT_EQUAL(get(&fixture, NULL, 1, value, sizeof value), ERROR_OK);
    EXPECT_STRING(value, "one");
    struct walk walk = {.in_order = true};
    CU_ASSERT_EQUAL(store_scan(fixture.table, NULL, SLICE_LITERAL(""), SLICE_LITERAL(""), false, step, &walk),
                    ERROR_OK);
    EXPECT(walk.count >= 1 && walk.count <= 2, "%u", walk.count);
    CU_ASSERT_EQUAL(put(&fixture, 3, "three"), ERROR_STORE_IO);
    close_fixture(&fixture);
    remove_directory();
}

/* Log files that recovery does not need go, and only those: what was committed is there after a kill. */
TEST(store_trims_its_log)
{
    make_directory();
    pid_t child = fork();
    if (child == 0) {
        struct fixture fixture = open_fixture(STORE_LEDGER);
        fill(&fixture, 0, 8000);
        if (!store_look(fixture.store) || !has_file(directory, "log.0000000002"))
            _exit(1);
        if (store_checkpoint(fixture.store, 0) != ERROR_OK || store_trim_logs(fixture.store, 1 << 30) != 0)
            _exit(2);
        if (store_trim_logs(fixture.store, 0) == 0 || has_file(directory, "log.0000000001"))
            _exit(3);
        if (!store_look(fixture.store)) /* what we removed is not missed */
            _exit(4);
        fill(&fixture, 8000, 500);
        kill(getpid(), SIGKILL);
    }
    int status;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status), "%x", status);
    struct fixture fixture = open_fixture(STORE_LEDGER);
    char value[512];
    unsigned missing = 0;
    for (unsigned i = 0; i < 8500; i++)
        missing += get(&fixture, NULL, i, value, sizeof value) != ERROR_OK;
    EXPECT_INTEGER(missing, 0);
    close_fixture(&fixture);
    remove_directory();
}

struct writer {
    struct fixture *fixture;
    atomic_uint committed;
    atomic_bool is_ending;
};

static void *write_on(void *context)
{
    struct writer *writer = context;
    for (unsigned i = 0; !atomic_load(&writer->is_ending); i++)
        if (put(writer->fixture, i, "value") == ERROR_OK)
            atomic_store(&writer->committed, i + 1);
    return NULL;
}

/* The copy has all that was committed when it began, and no hole; nobody else's lock, no ballast. */
TEST(store_copies_while_it_works)
{
    make_directory();
    char copy[80], why[256] = "";
    pthread_t thread;
    struct fixture fixture = open_fixture(STORE_LEDGER), other;
    struct writer writer = {.fixture = &fixture};
    CU_ASSERT_TRUE(store_make_ballast(fixture.store));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, write_on, &writer), 0);
    for (unsigned round = 0; round < 3; round++) {
        while (atomic_load(&writer.committed) < 200 * (round + 1))
            usleep(1000);
        snprintf(copy, sizeof copy, "%s/copy%u", root, round);
        CU_ASSERT_EQUAL_FATAL(mkdir(copy, 0700), 0);
        unsigned before = atomic_load(&writer.committed);
        EXPECT(store_copy(fixture.store, copy, why, sizeof why) == ERROR_OK, "%s", why);
        CU_ASSERT_FALSE(has_file(copy, "lock") || has_file(copy, "ballast"));
        CU_ASSERT_EQUAL_FATAL(store_open(copy, STORE_COPY, &other.store), ERROR_OK);
        CU_ASSERT_EQUAL_FATAL(store_table_open(other.store, "table", &other.table), ERROR_OK);
        unsigned rows = 0, holes = 0;
        char value[16];
        for (unsigned i = 0; i < before; i++)
            holes += get(&other, NULL, i, value, sizeof value) != ERROR_OK;
        for (rows = before; get(&other, NULL, rows, value, sizeof value) == ERROR_OK;)
            rows++;
        EXPECT(holes == 0 && rows <= atomic_load(&writer.committed) + 1, "round %u: %u of %u missing", round, holes,
               before);
        close_fixture(&other);
        CU_ASSERT_FALSE(has_file(copy, "lock"));
    }
    atomic_store(&writer.is_ending, true);
    pthread_join(thread, NULL);
    EXPECT(!store_is_failed(fixture.store), "%s", store_failure(fixture.store));
    close_fixture(&fixture);
    remove_directory();
}

/* A real write error, from the kernel: the file size limit. In a child, because the limit is for the process. */
static int run_into_limit(void)
{
    struct fixture fixture = open_fixture(STORE_AUX);
    const struct rlimit limit = {1 << 20, 1 << 20};
    static char value[20000];
    memset(value, 'x', sizeof value - 1);
    signal(SIGXFSZ, SIG_IGN);
    if (put(&fixture, 0, "fits") != ERROR_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    enum error error = ERROR_OK;
    for (unsigned i = 1; i < 1000 && !error; i++)
        error = put(&fixture, i, value);
    if (error != ERROR_STORE_IO || !store_is_failed(fixture.store))
        return 2;
    if (put(&fixture, 5000, "no") != ERROR_STORE_IO)
        return 3;
    EXPECT(strstr(store_failure(fixture.store), "File too large") != NULL, "%s", store_failure(fixture.store));
    return strstr(store_failure(fixture.store), "File too large") ? 0 : 4;
}

TEST(store_stops_at_the_first_write_error)
{
    make_directory();
    pid_t child = fork();
    if (child == 0)
        _exit(run_into_limit());
    int status;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
    struct fixture fixture = open_fixture(STORE_AUX);
    char value[16];
    CU_ASSERT_EQUAL(get(&fixture, NULL, 0, value, sizeof value), ERROR_OK);
    CU_ASSERT_EQUAL(get(&fixture, NULL, 5000, value, sizeof value), ERROR_NOT_FOUND);
    close_fixture(&fixture);
    remove_directory();
}
