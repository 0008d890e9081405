/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Daily backups: when the next is due, its name, and which old ones go. Called by the chores thread alone. The newest
 * backup on disk says when the next is due, so that restarts do not multiply them; while the agent runs only the
 * monotonic clock counts, so that a stepping clock does not either. Only directories that carry our name and our marker
 * are ever removed.
 */
#include "wallet/backup.h"

#include "base/clock.h"
#include "base/file.h"

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

/* When the newest of a directory was made, 0: none is there. A backup from the future (the clock was wrong when it was
 * made) says nothing about how old the newest is. */
static int64_t find_newest_s(const char *directory, int64_t wall_ns)
{
    struct backups backups;
    char now[DIRECTORY_TIME_MAX];
    int64_t newest_s = 0;
    list(directory, &backups);
    directory_time(wall_ns, now);
    for (size_t i = backups.count; i-- > 0 && !newest_s;)
        if (strcmp(backups.names[i], now) <= 0)
            newest_s = seconds_of(backups.names[i]);
    free(backups.names);
    return newest_s;
}

int64_t daily_wait_ns(const struct backup_plan *plan)
{
    const int64_t wall_ns = clock_wall_ns(), every_s = plan->every_s;
    if (!plan->directory[0] || !every_s)
        return INT64_MAX;
    int64_t newest_s = find_newest_s(plan->directory, wall_ns);
    const int64_t aside_s = plan->fallback[0] ? find_newest_s(plan->fallback, wall_ns) : 0;
    newest_s = aside_s > newest_s ? aside_s : newest_s;
    const int64_t first_s = every_s < FIRST_AFTER_S ? every_s : FIRST_AFTER_S;
    const int64_t wait_s = newest_s ? newest_s + every_s - wall_ns / NS_PER_S : first_s;
    return wait_s <= 0 ? 0 : wait_s * NS_PER_S;
}

/* `made` stays whatever its name says. */
static void remove_old(const char *directory, const char *made, size_t kept)
{
    struct backups backups;
    char path[PATH_MAX + DIRECTORY_TIME_MAX + 1];
    list(directory, &backups);
    for (size_t i = 0, left = backups.count; i < backups.count && left > kept; i++) {
        if (strcmp(backups.names[i], made) == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, backups.names[i]);
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

static bool make_in(struct wallet_ledger *ledger, const char *directory, uint32_t kept, char why[BACKUP_WHY_MAX])
{
    char path[PATH_MAX + DIRECTORY_TIME_MAX + 1], name[DIRECTORY_TIME_MAX];
    struct backup_facts facts;
    if (!file_make_directory(directory, 0700)) {
        snprintf(why, BACKUP_WHY_MAX, "%.120s: %s", directory, strerrordesc_np(errno));
        return false;
    }
    remove_partial(directory);
    directory_time(clock_wall_ns(), name);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (backup_make(&ledger->tables, ledger->options.directory, path, &facts, why, BACKUP_WHY_MAX))
        return false;
    remove_old(directory, name, kept);
    ledger_note(ledger, WALLET_NOTE_BACKUP_MADE, "%s: %llu transfers, %llu bytes, in %lld ms", name,
                (unsigned long long)facts.transfers, (unsigned long long)facts.bytes,
                (long long)(facts.total_ns / 1000000));
    return true;
}

/* A copy on the ledger's own disk is better than none until somebody has mended the place that was meant. */
bool daily_make(struct wallet_ledger *ledger)
{
    struct backup_plan plan = {0};
    char why[BACKUP_WHY_MAX] = "", second[BACKUP_WHY_MAX];
    upkeep_find_backups(ledger, &plan);
    bool is_made = make_in(ledger, plan.directory, plan.kept, why);
    upkeep_note_backup(ledger, is_made ? "" : why);
    if (is_made)
        return true;
    ledger_note(ledger, WALLET_NOTE_BACKUP_FAILED, "%s%s%.120s", why, plan.fallback[0] ? "; this one goes to " : "",
                plan.fallback);
    if (!plan.fallback[0])
        return false;
    is_made = make_in(ledger, plan.fallback, plan.kept, second);
    if (!is_made)
        ledger_note(ledger, WALLET_NOTE_BACKUP_FAILED, "%s", second);
    return is_made;
}
