/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup in the place of the ledger. Everything is prepared and proved in a directory beside it; then the two
 * directories are exchanged in one step of the file system, so that a crash at any moment leaves the old ledger or the
 * new one. Called by `tollgated --tool restore`; no agent may run.
 */
#include "wallet/backup.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
    const char *from, *directory, *environment;
    char staged[PATH_MAX]; /* <directory>.restoring */
    int lock_fd;           /* of the ledger that is there; -1: there is none */
    uint64_t transfers;    /* in the backup */
    int64_t last_ns;       /* wall clock of the last of them */
    char *why;
    size_t why_bytes;
};

static enum error refuse(struct restore *restore, enum error error, const char *what, const char *reason)
{
    snprintf(restore->why, restore->why_bytes, "%.120s: %.120s", what, reason);
    return error;
}

/* The lock of the ledger that is there, so that no agent starts on it meanwhile. */
static enum error take_lock(struct restore *restore)
{
    char path[PATH_MAX];
    struct stat status;
    if (lstat(restore->directory, &status) != 0 && errno == ENOENT)
        return ERROR_OK;
    snprintf(path, sizeof path, "%s/lock", restore->directory);
    restore->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (restore->lock_fd < 0)
        return refuse(restore, ERROR_STORE_IO, path, strerrordesc_np(errno));
    if (flock(restore->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return refuse(restore, ERROR_ENVIRONMENT_BUSY, restore->directory, "an agent runs on it");
    return ERROR_OK;
}

/* ---- preparing ---- */

/* A dump that is written is compared with the one that was read. */
struct comparison {
    FILE *read;
    uint64_t line; /* of the one read, that was compared last */
    size_t place;  /* within it */
    char text[DUMP_LINE_BYTES_MAX];
    bool is_other;
};

/* Sums of schemas 1 and 2 have no jobs; replay.c has looked at all sums. */
static bool is_older_sums(const char *line)
{
    return strncmp(line, "{\"sums\":", 8) == 0 && !strstr(line, "\"jobs\":");
}

static ssize_t compare(void *cookie, const char *bytes, size_t length)
{
    struct comparison *comparison = cookie;
    for (size_t i = 0; i < length && !comparison->is_other; i++) {
        if (!comparison->text[comparison->place]) {
            comparison->line++;
            comparison->place = 0;
            if (!fgets(comparison->text, sizeof comparison->text, comparison->read))
                comparison->text[0] = '\0';
        }
        if (is_older_sums(comparison->text))
            break;
        comparison->is_other = comparison->text[comparison->place++] != bytes[i];
    }
    return (ssize_t)length;
}

/* What a dump says for readers only (a note, a job's key), and no hash covers, must be what the ledger made of it says,
 * too. */
static enum error compare_dumps(struct restore *restore, const struct tables *tables)
{
    static struct comparison comparison;
    comparison = (struct comparison){.read = fopen(restore->from, "re")};
    FILE *out = fopencookie(&comparison, "w", (cookie_io_functions_t){.write = compare});
    char why[BACKUP_WHY_MAX];
    enum error error = ERROR_FILE_UNREADABLE;
    if (!out || !comparison.read)
        refuse(restore, error, restore->from, strerrordesc_np(errno));
    else if ((error = dump_write(tables, 0, out)))
        refuse(restore, error, restore->from, "what was made of it cannot be read again");
    if (out)
        fclose(out);
    if (comparison.read)
        fclose(comparison.read);
    if (!error && comparison.is_other) {
        snprintf(why, sizeof why, "line %llu: the ledger made of it says otherwise",
                 (unsigned long long)comparison.line);
        error = refuse(restore, ERROR_STORE_CORRUPT, restore->from, why);
    }
    return error;
}

static enum error replay_file(struct restore *restore, const struct tables *tables)
{
    FILE *in = fopen(restore->from, "re");
    char why[BACKUP_WHY_MAX] = "";
    if (!in)
        return refuse(restore, ERROR_FILE_UNREADABLE, restore->from, strerrordesc_np(errno));
    enum error error = replay_read(tables, in, why, sizeof why);
    fclose(in);
    return error ? refuse(restore, error, restore->from, why) : ERROR_OK;
}

/* A ledger of dev in prod's place would be damage to its agent, and money of nobody. */
static enum error check_environment(struct restore *restore, const struct tables *tables)
{
    char environment[ENVIRONMENT_MAX], why[BACKUP_WHY_MAX];
    enum error error = ledger_read_environment(tables, environment);
    if (error)
        return refuse(restore, error, restore->from, "it does not say of which environment it is");
    if (strcmp(environment, restore->environment) == 0)
        return ERROR_OK;
    snprintf(why, sizeof why, "it is a ledger of %s, not of %s", environment, restore->environment);
    return refuse(restore, ERROR_REQUEST_INVALID, restore->from, why);
}

static bool take_last(void *context, struct slice key, struct slice row)
{
    struct restore *restore = context;
    struct transfer transfer;
    if (transfer_parse(key, row, &transfer))
        restore->last_ns = transfer.time_ns;
    return false;
}

/* It is whole: how far it goes. */
static enum error find_last(struct restore *restore, const struct tables *tables)
{
    const struct slice none = {NULL, 0};
    enum error error = store_scan(tables->transfers, NULL, none, none, true, take_last, restore);
    return error ? refuse(restore, error, restore->from, store_failure(tables->store)) : ERROR_OK;
}

static enum error fill_and_audit(struct restore *restore, bool is_dump)
{
    struct tables tables;
    char why[BACKUP_WHY_MAX] = "";
    enum error error = tables_open_copy(restore->staged, &tables);
    if (error == ERROR_STORE_SCHEMA)
        return refuse(restore, error, restore->from, "install the version that made it");
    if (error)
        return refuse(restore, ERROR_STORE_CORRUPT, "the backup cannot be opened", store_failure(NULL));
    if (is_dump)
        error = replay_file(restore, &tables);
    error = error ? error : check_environment(restore, &tables);
    if (!error && (error = backup_audit(&tables, &restore->transfers, why, sizeof why)))
        refuse(restore, error, restore->from, why);
    error = error ? error : find_last(restore, &tables);
    if (!error && is_dump)
        error = compare_dumps(restore, &tables);
    if (!error && store_checkpoint(tables.store, 0))
        error = refuse(restore, ERROR_STORE_IO, restore->staged, store_failure(tables.store));
    if (!error)
        store_trim_logs(tables.store, 0);
    tables_close(&tables);
    return error;
}

static enum error prepare(struct restore *restore)
{
    struct stat status;
    char path[PATH_MAX];
    if (stat(restore->from, &status) != 0)
        return refuse(restore, ERROR_NOT_FOUND, restore->from, strerrordesc_np(errno));
    bool is_dump = !S_ISDIR(status.st_mode);
    if (is_dump && !S_ISREG(status.st_mode))
        return refuse(restore, ERROR_REQUEST_INVALID, restore->from, "a dump is read twice: it must be a file");
    snprintf(path, sizeof path, "%s/book.db", restore->from);
    if (!is_dump && access(path, F_OK) != 0)
        return refuse(restore, ERROR_NOT_FOUND, restore->from, "there is no ledger in it");
    if (!directory_remove(restore->staged) || mkdir(restore->staged, 0700) != 0)
        return refuse(restore, ERROR_FILE_UNWRITABLE, restore->staged, strerrordesc_np(errno));
    if (!is_dump &&
        (!realpath(restore->from, path) || !directory_copy(path, restore->staged))) /* no link: its target */
        return refuse(restore, ERROR_FILE_UNREADABLE, restore->from, strerrordesc_np(errno));
    enum error error = fill_and_audit(restore, is_dump);
    if (!error && !directory_sync(restore->staged))
        error = refuse(restore, ERROR_FILE_UNWRITABLE, restore->staged, strerrordesc_np(errno));
    return error;
}

/* ---- the step that counts ---- */

enum { KEPT_TRIES_MAX = 60, NS_PER_S = 1000000000 };

/* The staged ledger takes the name under which the old one will be kept, then both names change places. Until then a
 * crash leaves one directory too many, which nobody reads. */
static enum error exchange(struct restore *restore, char kept[PATH_MAX])
{
    char time[DIRECTORY_TIME_MAX];
    const int64_t now_ns = clock_wall_ns();
    int result = -1;
    errno = EEXIST; /* the second restore within a second takes the next second's name */
    for (int64_t i = 0; i < KEPT_TRIES_MAX && result != 0 && errno == EEXIST; i++) {
        snprintf(kept, PATH_MAX, "%s.before-%s", restore->directory, directory_time(now_ns + i * NS_PER_S, time));
        result = renameat2(AT_FDCWD, restore->staged, AT_FDCWD, kept, RENAME_NOREPLACE);
    }
    if (result != 0)
        return refuse(restore, ERROR_FILE_UNWRITABLE, kept, strerrordesc_np(errno));
    if (renameat2(AT_FDCWD, kept, AT_FDCWD, restore->directory, RENAME_EXCHANGE) != 0) {
        int why = errno;
        directory_remove(kept);
        return refuse(restore, ERROR_FILE_UNWRITABLE, restore->directory, strerrordesc_np(why));
    }
    return ERROR_OK;
}

/* Whoever restores an older one must know from when on the ledger lacks what was spent. */
static void tell_how_far(struct restore *restore, const char *kept)
{
    char time[CLOCK_TEXT_MAX] = "";
    if (restore->transfers)
        clock_format(restore->last_ns, time);
    snprintf(restore->why, restore->why_bytes,
             "%s%s%llu transfers%s%s: it knows no money of later, of which reports keep the calls (tollgate wallet "
             "adjust takes their cost)",
             kept, kept[0] ? " is the ledger that was there; " : "", (unsigned long long)restore->transfers,
             time[0] ? ", the last of " : "", time);
}

static enum error put_in_place(struct restore *restore)
{
    char kept[PATH_MAX] = "";
    enum error error = ERROR_OK;
    if (restore->lock_fd >= 0)
        error = exchange(restore, kept);
    else if (renameat2(AT_FDCWD, restore->staged, AT_FDCWD, restore->directory, RENAME_NOREPLACE) != 0)
        error = refuse(restore, ERROR_FILE_UNWRITABLE, restore->directory, strerrordesc_np(errno));
    if (!error)
        tell_how_far(restore, kept);
    if (!error && !directory_sync_parent(restore->directory))
        error = refuse(restore, ERROR_FILE_UNWRITABLE, restore->directory, strerrordesc_np(errno));
    return error;
}

enum error wallet_restore(const char *from, const char *directory, const char *environment, char *why, size_t why_bytes)
{
    struct restore restore = {.from = from,
                              .directory = directory,
                              .environment = environment,
                              .lock_fd = -1,
                              .why = why,
                              .why_bytes = why_bytes};
    if (why_bytes)
        why[0] = '\0';
    if ((size_t)snprintf(restore.staged, sizeof restore.staged, "%s.restoring", directory) >=
        sizeof restore.staged - 32)
        return refuse(&restore, ERROR_REQUEST_INVALID, directory, "too long a name");
    enum error error = take_lock(&restore);
    if (!error) {
        error = prepare(&restore);
        error = error ? error : put_in_place(&restore);
        if (error)
            directory_remove(restore.staged);
    }
    if (restore.lock_fd >= 0)
        close(restore.lock_fd);
    return error;
}
