/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of an environment, seen from outside: are they still the ones that Berkeley DB has open, which log files
 * may go, and the ballast. Called by the chores of the ledger and, for the ballast, by the I/O hooks. Nothing here
 * calls back into a table.
 */
#include "store/internal.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    FILES_MAX = 100000,
    LEAVING_US = 100000,
    BALLAST_KEPT_BYTES = 4 << 20, /* for the next start: its recovery may need a new log file, and pages */
    BLOCK_BYTES = 512             /* of st_blocks */
};

/* ---- the look ---- */

static bool is_ours(const char *name)
{
    size_t length = strlen(name);
    if (length >= STORE_FILE_NAME_MAX || strncmp(name, "__db", 4) == 0)
        return false;
    return strcmp(name, "lock") == 0 || strncmp(name, "log.", 4) == 0 ||
           (length > 3 && strcmp(name + length - 3, ".db") == 0);
}

static bool is_same(const struct store_file *file, const struct stat *status)
{
    return file->device == status->st_dev && file->inode == status->st_ino;
}

static void note_file(struct store_files *files, const char *name, const struct stat *status)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->rows[i].name, name) == 0)
            return;
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? files->capacity * 2 : 16;
        struct store_file *rows = capacity <= FILES_MAX ? realloc(files->rows, capacity * sizeof *rows) : NULL;
        if (!rows)
            return; /* it is looked at by its commits only */
        files->rows = rows;
        files->capacity = capacity;
    }
    struct store_file *file = &files->rows[files->count++];
    snprintf(file->name, sizeof file->name, "%s", name);
    file->device = status->st_dev;
    file->inode = status->st_ino;
}

static void note_new_files(struct store_files *files, DIR *entries)
{
    struct stat status;
    for (const struct dirent *entry; (entry = readdir(entries));)
        if (is_ours(entry->d_name) && fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            note_file(files, entry->d_name, &status);
}

/* The first file that is not what it was, or NULL. Its name is that of a row: valid while the lock is held. */
static const char *find_missing(const struct store_files *files, int directory_fd, const char **ret_how)
{
    struct stat status;
    for (size_t i = 0; i < files->count; i++) {
        const struct store_file *file = &files->rows[i];
        int result = fstatat(directory_fd, file->name, &status, AT_SYMLINK_NOFOLLOW);
        if (result != 0 && errno != ENOENT)
            continue;
        if (result == 0 && is_same(file, &status))
            continue;
        *ret_how = result == 0 ? "somebody replaced it" : "somebody deleted it";
        return file->name;
    }
    return NULL;
}

static void look_at(struct store *store, DIR *entries)
{
    struct store_files *files = &store->files;
    struct stat status;
    const char *how = "somebody replaced it", *name = NULL;
    if (fstatat(dirfd(entries), "", &status, AT_EMPTY_PATH) != 0)
        return;
    if (!files->home.inode)
        files->home = (struct store_file){.device = status.st_dev, .inode = status.st_ino};
    if (!is_same(&files->home, &status))
        name = store->directory;
    else
        name = find_missing(files, dirfd(entries), &how);
    if (name)
        store_fail(store, name, how, 0);
    else
        note_new_files(files, entries);
}

bool store_look(struct store *store)
{
    if (store_is_failed(store))
        return false;
    /* not opendir: the thread sanitizer does not see the descriptor that it makes */
    int fd = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    if (!entries) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        if (why == ENOENT || why == ENOTDIR)
            store_fail(store, store->directory, "somebody deleted it", 0);
        return !store_is_failed(store); /* no descriptor, no memory: the next look will tell */
    }
    pthread_mutex_lock(&store->files.lock);
    look_at(store, entries);
    pthread_mutex_unlock(&store->files.lock);
    closedir(entries);
    return !store_is_failed(store);
}

static _Thread_local const struct store *readable;

bool store_is_unreadable(const struct store *store)
{
    return store_is_failed(store) && readable != store;
}

/* A commit that failed keeps its locks for ever, on the very pages that matter most; nobody writes any more, so they
 * are passed over. Whoever was inside Berkeley DB at the moment of the failure gets the time to leave it. */
void store_allow_reading(struct store *store)
{
    if (store_is_failed(store)) {
        usleep(LEAVING_US);
        (void)!store->env->set_flags(store->env, DB_NOPANIC | DB_NOLOCKING, 1);
    }
    readable = store;
}

void store_files_init(struct store *store)
{
    check(pthread_mutex_init(&store->files.lock, NULL) == 0);
}

void store_files_done(struct store *store)
{
    pthread_mutex_destroy(&store->files.lock);
    free(store->files.rows);
    if (readable == store)
        readable = NULL;
}

/* ---- log files ---- */

static void forget_file(struct store_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->rows[i].name, name) == 0) {
            files->rows[i] = files->rows[--files->count];
            return;
        }
}

static uint64_t bytes_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* The list is in the order of age. */
unsigned store_trim_logs(struct store *store, uint64_t keep_bytes)
{
    char **paths = NULL;
    uint64_t bytes = 0;
    unsigned removed = 0;
    if (store_is_failed(store) || store->env->log_archive(store->env, &paths, DB_ARCH_ABS) != 0 || !paths)
        return 0;
    for (char **path = paths; *path; path++)
        bytes += bytes_of(*path);
    pthread_mutex_lock(&store->files.lock);
    for (char **path = paths; *path && bytes > keep_bytes; path++) {
        bytes -= bytes_of(*path);
        if (unlink(*path) != 0)
            break; /* no gap: an older one that stays keeps the younger ones */
        const char *name = strrchr(*path, '/');
        forget_file(&store->files, name ? name + 1 : *path);
        removed++;
    }
    pthread_mutex_unlock(&store->files.lock);
    free(paths);
    return removed;
}

/* ---- the ballast ---- */

static int open_ballast(const struct store *store, int flags)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/" STORE_BALLAST_NAME, store->directory);
    return open(path, flags | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static bool is_whole(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_size == STORE_BALLAST_BYTES &&
           (uint64_t)status.st_blocks * BLOCK_BYTES >= STORE_BALLAST_BYTES;
}

bool store_find_room(struct store *store, struct store_room *ret_room)
{
    struct statvfs status;
    if (statvfs(store->directory, &status) != 0)
        return false;
    int fd = open_ballast(store, 0);
    *ret_room = (struct store_room){(uint64_t)status.f_bavail * status.f_frsize, fd >= 0 && is_whole(fd)};
    if (fd >= 0)
        close(fd);
    return true;
}

/* When the disk fills up on the way, what was there stays. */
bool store_make_ballast(struct store *store)
{
    struct stat status;
    int fd = open_ballast(store, O_CREAT);
    if (fd < 0)
        return false;
    bool is_made = is_whole(fd);
    if (!is_made && fstat(fd, &status) == 0) {
        is_made = posix_fallocate(fd, 0, STORE_BALLAST_BYTES) == 0 && is_whole(fd);
        if (!is_made)
            (void)!ftruncate(fd, status.st_size);
    }
    close(fd);
    return is_made;
}

/* Step by step: whoever is filling the disk takes what is free. */
bool store_release_ballast(struct store *store)
{
    off_t kept_bytes = store->is_opening ? 0 : BALLAST_KEPT_BYTES;
    struct stat status;
    int fd = open_ballast(store, 0);
    bool has_given = fd >= 0 && fstat(fd, &status) == 0 && status.st_size > kept_bytes;
    if (has_given) {
        off_t bytes = status.st_size - STORE_BALLAST_STEP_BYTES;
        has_given = ftruncate(fd, bytes > kept_bytes ? bytes : kept_bytes) == 0;
    }
    if (fd >= 0)
        close(fd);
    return has_given;
}
