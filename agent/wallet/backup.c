/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup of a working ledger: copied into DIRECTORY.partial, recovered there, audited, dumped, synced, and only then
 * given its name. Called by control, by the chores thread (daily.c) and before a migration. It never touches the memory
 * of the ledger thread, and its own failures never stop the ledger.
 */
#include "wallet/backup.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { ROOM_SPARE_BYTES = 16 << 20 };

static pthread_mutex_t backup_lock = PTHREAD_MUTEX_INITIALIZER; /* one at a time; no other lock is taken under it but
                                                                   the store's own */

static enum error refuse(char *why, size_t why_bytes, enum error error, const char *what, const char *reason)
{
    snprintf(why, why_bytes, "%.120s: %.120s", what, reason);
    return error;
}

enum error backup_audit(const struct tables *tables, uint64_t *ret_transfers, char *why, size_t why_bytes)
{
    struct verification verification;
    enum error error = ledger_verify(tables, false, true, &verification);
    if (error)
        return refuse(why, why_bytes, error, "the copy cannot be read", store_failure(tables->store));
    for (unsigned i = 0; i < INVARIANT_COUNT && !error; i++)
        if (verification.findings[i].violations)
            error = refuse(why, why_bytes, ERROR_STORE_CORRUPT, "its audit fails", verification.findings[i].first);
    verification_free(&verification);
    if (!error && verification.head.sequence == 0 && verification.transfers)
        error = refuse(why, why_bytes, ERROR_STORE_CORRUPT, "its audit fails", "it has no head");
    if (!error)
        *ret_transfers = verification.transfers;
    return error;
}

/* Of what is copied: not the ballast. */
static uint64_t count_bytes(const char *from)
{
    char path[PATH_MAX];
    struct stat status;
    const uint64_t all = directory_bytes(from);
    snprintf(path, sizeof path, "%s/%s", from, STORE_BALLAST_NAME);
    const uint64_t ballast = stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
    return all > ballast ? all - ballast : 0;
}

/* A dump is about as large as the tables, so twice the ledger and something to spare. Filling the disk with a backup
 * would stop the very ledger that it is of. */
static bool has_room(const char *from, const char *directory)
{
    char parent[PATH_MAX];
    struct statvfs status;
    snprintf(parent, sizeof parent, "%s", directory);
    if (statvfs(dirname(parent), &status) != 0)
        return true; /* then making the directory will say why not */
    return (uint64_t)status.f_bavail * status.f_frsize >= 3 * count_bytes(from) + ROOM_SPARE_BYTES;
}

static bool write_marker(const char *directory)
{
    static const char text[] = "A backup of a Tollgate ledger. Old ones are removed by the agent that made them.\n";
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", directory, BACKUP_MARKER);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1;
    if (fd >= 0)
        close(fd);
    return is_written;
}

static enum error write_dump(const struct tables *tables, const char *directory, char *why, size_t why_bytes)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", directory, BACKUP_DUMP);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!out) {
        enum error error = refuse(why, why_bytes, ERROR_FILE_UNWRITABLE, BACKUP_DUMP, strerrordesc_np(errno));
        if (fd >= 0)
            close(fd);
        return error;
    }
    enum error error = dump_write(tables, 0, out);
    if (fclose(out) != 0 && !error)
        error = ERROR_FILE_UNWRITABLE;
    return error ? refuse(why, why_bytes, error, BACKUP_DUMP, error_row(error)->text) : ERROR_OK;
}

/* The copy is recovered, proved and made small. */
static enum error finish_copy(const char *partial, struct backup_facts *facts, char *why, size_t why_bytes)
{
    struct tables copy;
    int64_t start_ns = clock_monotonic_ns();
    enum error error = tables_open_copy(partial, &copy);
    if (error)
        return refuse(why, why_bytes, error, "the copy cannot be opened", store_failure(NULL));
    error = backup_audit(&copy, &facts->transfers, why, why_bytes);
    error = error ? error : write_dump(&copy, partial, why, why_bytes);
    if (!error && store_checkpoint(copy.store, 0))
        error = refuse(why, why_bytes, ERROR_STORE_IO, "the copy", store_failure(copy.store));
    if (!error)
        store_trim_logs(copy.store, 0);
    tables_close(&copy);
    facts->audit_ns = clock_monotonic_ns() - start_ns;
    return error;
}

/* Everything in <directory>.partial; what is left there after a failure is the caller's to remove. */
static enum error fill_partial(const struct tables *tables, const char *partial, struct backup_facts *facts, char *why,
                               size_t why_bytes)
{
    int64_t start_ns = clock_monotonic_ns();
    if (mkdir(partial, 0700) != 0 || !write_marker(partial))
        return refuse(why, why_bytes, ERROR_FILE_UNWRITABLE, partial, strerrordesc_np(errno));
    /* Fewer log files to copy, and to roll forward. */
    if (store_checkpoint(tables->store, 0))
        return refuse(why, why_bytes, ERROR_STORE_IO, "the ledger", store_failure(tables->store));
    store_trim_logs(tables->store, 0);
    enum error error = store_copy(tables->store, partial, why, why_bytes);
    facts->copy_ns = clock_monotonic_ns() - start_ns;
    error = error ? error : finish_copy(partial, facts, why, why_bytes);
    if (!error && !directory_sync(partial))
        error = refuse(why, why_bytes, ERROR_FILE_UNWRITABLE, partial, strerrordesc_np(errno));
    facts->bytes = directory_bytes(partial);
    return error;
}

static enum error make(const struct tables *tables, const char *from, const char *directory,
                       struct backup_facts *ret_facts, char *why, size_t why_bytes)
{
    char partial[PATH_MAX];
    struct backup_facts facts = {0};
    struct stat status;
    int64_t start_ns = clock_monotonic_ns();
    if ((size_t)snprintf(partial, sizeof partial, "%s.partial", directory) >= sizeof partial)
        return refuse(why, why_bytes, ERROR_REQUEST_INVALID, directory, "too long a name");
    if (lstat(directory, &status) == 0)
        return refuse(why, why_bytes, ERROR_REQUEST_INVALID, directory, "it exists already");
    if (!has_room(from, directory))
        return refuse(why, why_bytes, ERROR_DISK_LOW, directory, "too little room on its file system");
    if (!directory_remove(partial)) /* of a backup that was killed */
        return refuse(why, why_bytes, ERROR_FILE_UNWRITABLE, partial, strerrordesc_np(errno));
    enum error error = fill_partial(tables, partial, &facts, why, why_bytes);
    if (!error &&
        (renameat2(AT_FDCWD, partial, AT_FDCWD, directory, RENAME_NOREPLACE) != 0 || !directory_sync_parent(directory)))
        error = refuse(why, why_bytes, ERROR_FILE_UNWRITABLE, directory, strerrordesc_np(errno));
    if (error) {
        directory_remove(partial);
        return error;
    }
    /* The backup stands on its own: what the ledger's own recovery does not need, nobody does. */
    facts.logs_removed = store_trim_logs(tables->store, 0);
    facts.total_ns = clock_monotonic_ns() - start_ns;
    *ret_facts = facts;
    return ERROR_OK;
}

enum error backup_make(const struct tables *tables, const char *from, const char *directory,
                       struct backup_facts *ret_facts, char *why, size_t why_bytes)
{
    pthread_mutex_lock(&backup_lock);
    enum error error = make(tables, from, directory, ret_facts, why, why_bytes);
    pthread_mutex_unlock(&backup_lock);
    return error;
}

enum error wallet_backup(struct wallet_ledger *ledger, const char *directory, char *why, size_t why_bytes)
{
    struct backup_facts facts;
    if (why_bytes)
        why[0] = '\0';
    if (atomic_load(&ledger->is_stopped))
        return refuse(why, why_bytes, ERROR_LEDGER_STOPPED, "the ledger has stopped",
                      store_failure(ledger->tables.store));
    return backup_make(&ledger->tables, ledger->options.directory, directory, &facts, why, why_bytes);
}

enum error ledger_backup_before_migration(struct wallet_ledger *ledger, unsigned schema)
{
    char directory[PATH_MAX], time[DIRECTORY_TIME_MAX], why[BACKUP_WHY_MAX] = "";
    struct backup_facts facts;
    int64_t now_ns = clock_wall_ns();
    enum error error = ERROR_REQUEST_INVALID;
    /* Killed and started again within the second, it meets its own copy: the next second has another name. */
    for (int64_t i = 0; i < 10 && error == ERROR_REQUEST_INVALID; i++) {
        snprintf(directory, sizeof directory, "%s.schema-%u-%s", ledger->options.directory, schema,
                 directory_time(now_ns + i * 1000000000, time));
        error = backup_make(&ledger->tables, ledger->options.directory, directory, &facts, why, sizeof why);
    }
    if (error)
        ledger_note(ledger, WALLET_NOTE_BACKUP_FAILED, "before the migration: %s", why);
    return error;
}
