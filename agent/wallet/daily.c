/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Daily backups: when the next is due, its name, and which old ones go. Called by the chores thread alone. The newest
 * backup on disk says when the next is due, so that restarts do not multiply them; while the agent runs only the
 * monotonic clock counts, so that a stepping clock does not either. Only directories that carry our name and our marker
 * are ever removed.
 */
#include "wallet/backup.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_AFTER_S = 60, LISTED_MAX = 4096, NAME_BYTES = DIRECTORY_TIME_MAX - 1, NS_PER_S = 1000000000 };

static bool is_time(const char *name)
{
    for (int i = 0; i < NAME_BYTES; i++)
        if (i == 8 ? name[i] != '-' : name[i] < '0' || name[i] > '9')
            return false;
    return true;
}

static bool is_marked(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    bool is_ours = fd >= 0 && fstatat(fd, BACKUP_MARKER, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
    if (fd >= 0)
        close(fd);
    return is_ours;
}

struct backups {
    char (*names)[DIRECTORY_TIME_MAX]; /* ascending */
    size_t count;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void list(const char *directory, struct backups *ret_backups)
{
    DIR *entries = opendir(directory);
    struct backups backups = {.names = calloc(LISTED_MAX, sizeof *backups.names)};
    const struct dirent *entry;
    while (entries && backups.names && backups.count < LISTED_MAX && (entry = readdir(entries)))
        if (strlen(entry->d_name) == NAME_BYTES && is_time(entry->d_name) && is_marked(dirfd(entries), entry->d_name))
            snprintf(backups.names[backups.count++], DIRECTORY_TIME_MAX, "%.15s", entry->d_name);
    if (entries)
        closedir(entries);
    if (backups.count)
        qsort(backups.names, backups.count, sizeof *backups.names, compare_names);
    *ret_backups = backups;
}

static int64_t seconds_of(const char *name)
{
    struct tm parts = {0};
    return strptime(name, "%Y%m%d-%H%M%S", &parts) ? (int64_t)timegm(&parts) : 0;
}

/* A backup from the future (the clock was wrong when it was made) says nothing about how old the newest is. */
int64_t daily_wait_ns(const struct wallet_options *options)
{
    struct backups backups;
    char now[DIRECTORY_TIME_MAX];
    int64_t wall_ns = clock_wall_ns(), every_s = options->backup_every_s;
    int64_t wait_s = every_s < FIRST_AFTER_S ? every_s : FIRST_AFTER_S;
    if (!options->backup_directory || !options->backup_directory[0] || !every_s)
        return INT64_MAX;
    list(options->backup_directory, &backups);
    directory_time(wall_ns, now);
    for (size_t i = backups.count; i-- > 0;)
        if (strcmp(backups.names[i], now) <= 0) {
            wait_s = seconds_of(backups.names[i]) + every_s - wall_ns / NS_PER_S;
            break;
        }
    free(backups.names);
    return wait_s <= 0 ? 0 : wait_s * NS_PER_S;
}

/* `made` stays whatever its name says. */
static void remove_old(const struct wallet_options *options, const char *made)
{
    struct backups backups;
    char path[PATH_MAX];
    size_t kept = options->backups_kept ? options->backups_kept : 1;
    list(options->backup_directory, &backups);
    for (size_t i = 0, left = backups.count; i < backups.count && left > kept; i++) {
        if (strcmp(backups.names[i], made) == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", options->backup_directory, backups.names[i]);
        left -= directory_remove(path);
    }
    free(backups.names);
}

/* What a kill left half made. */
static void remove_partial(const char *directory)
{
    DIR *entries = opendir(directory);
    const struct dirent *entry;
    char path[PATH_MAX];
    while (entries && (entry = readdir(entries)))
        if (strlen(entry->d_name) == NAME_BYTES + 8 && is_time(entry->d_name) &&
            strcmp(entry->d_name + NAME_BYTES, ".partial") == 0 && is_marked(dirfd(entries), entry->d_name)) {
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
            directory_remove(path);
        }
    if (entries)
        closedir(entries);
}

bool daily_make(struct wallet_ledger *ledger)
{
    const struct wallet_options *options = &ledger->options;
    char path[PATH_MAX], name[DIRECTORY_TIME_MAX], why[BACKUP_WHY_MAX] = "";
    struct backup_facts facts;
    if (mkdir(options->backup_directory, 0700) != 0 && errno != EEXIST) {
        ledger_note(ledger, WALLET_NOTE_BACKUP_FAILED, "%.120s: %s", options->backup_directory, strerrordesc_np(errno));
        return false;
    }
    remove_partial(options->backup_directory);
    directory_time(clock_wall_ns(), name);
    snprintf(path, sizeof path, "%s/%s", options->backup_directory, name);
    if (backup_make(&ledger->tables, options->directory, path, &facts, why, sizeof why)) {
        ledger_note(ledger, WALLET_NOTE_BACKUP_FAILED, "%s", why);
        return false;
    }
    remove_old(options, name);
    ledger_note(ledger, WALLET_NOTE_BACKUP_MADE, "%s: %llu transfers, %llu bytes, in %lld ms", name,
                (unsigned long long)facts.transfers, (unsigned long long)facts.bytes,
                (long long)(facts.total_ns / 1000000));
    return true;
}
