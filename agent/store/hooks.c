/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fail-stop on the first I/O error. Berkeley DB 5.3.28 retries a failed fdatasync up to 100 times and then goes on as
 * if nothing had happened; after a failed fdatasync Linux forgets which pages were not written. So its system calls
 * pass through here: the first error marks the store it belongs to (by the path behind the descriptor), and no later
 * write of that store reaches the disk. The hooks are process-wide by Berkeley DB's design. They never print.
 */
#include "store/internal.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STORES_MAX = 16, BLOCK_BYTES = 4096, TABLE_ROOM_BYTES = 64 << 10 };

static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER; /* a leaf lock */
static struct store *watched[STORES_MAX];
static atomic_int failed_count; /* 0 on the hot path: no look-up at all */

static bool owns_path(const struct store *store, const char *path)
{
    size_t length = strlen(store->directory);
    return strncmp(store->directory, path, length) == 0 && path[length] == '/';
}

/* Calls with the lock held. */
static struct store *owner_of_path(const char *path)
{
    for (int i = 0; i < STORES_MAX; i++)
        if (watched[i] && owns_path(watched[i], path))
            return watched[i];
    return NULL;
}

static void path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
}

static _Thread_local const char *exempt_directory;

void store_hooks_exempt(const char *directory)
{
    exempt_directory = directory;
}

static bool is_exempt(const char *path)
{
    size_t length = exempt_directory ? strlen(exempt_directory) : 0;
    return length && strncmp(exempt_directory, path, length) == 0 && path[length] == '/';
}

static void report(int fd, const char *what, int why)
{
    char path[PATH_MAX], text[STORE_FAILURE_MAX];
    path_of(fd, path);
    if (is_exempt(path)) {
        errno = why;
        return;
    }
    const char *name = strrchr(path, '/');
    snprintf(text, sizeof text, "%.64s: %s", name ? name + 1 : "a file", strerrordesc_np(why));
    pthread_mutex_lock(&watch_lock);
    struct store *store = owner_of_path(path);
    for (int i = 0; i < STORES_MAX; i++) /* whose it is cannot be told: nobody may go on */
        if (watched[i] && (watched[i] == store || !store)) {
            store_fail(watched[i], what, text, why);
            atomic_fetch_add(&failed_count, 1);
        }
    pthread_mutex_unlock(&watch_lock);
    errno = why;
}

/* EROFS is not among the errors that Berkeley DB retries. */
static bool is_refused(int fd)
{
    if (atomic_load_explicit(&failed_count, memory_order_acquire) == 0)
        return false;
    char path[PATH_MAX];
    path_of(fd, path);
    pthread_mutex_lock(&watch_lock);
    struct store *store = owner_of_path(path);
    bool refused = store && store_is_failed(store);
    pthread_mutex_unlock(&watch_lock);
    if (refused)
        errno = EROFS;
    return refused;
}

/* True when the call is worth another try: the disk was full and the ballast gave way. Twice also when nothing is left
 * of it: another thread may have been the one to release it. */
static bool has_made_room(const char *path, int why, unsigned *tries)
{
    if (why != ENOSPC && why != EDQUOT)
        return false;
    pthread_mutex_lock(&watch_lock);
    struct store *store = owner_of_path(path);
    bool has_given = store && store_release_ballast(store);
    pthread_mutex_unlock(&watch_lock);
    return has_given || (store && (*tries)++ < 2);
}

/* A log grows by its next half MiB for sure, a table may need no more than a page. */
static off_t room_for(const char *path)
{
    const char *name = strrchr(path, '/');
    return name && strncmp(name, "/log.", 5) == 0 ? STORE_BALLAST_STEP_BYTES : TABLE_ROOM_BYTES;
}

/* What the ballast gave is taken for the end of this very file, before whoever fills the disk takes it. */
static bool has_made_room_for(int fd, int why, unsigned *tries)
{
    char path[PATH_MAX];
    struct stat status;
    if (why != ENOSPC && why != EDQUOT)
        return false;
    path_of(fd, path);
    if (!has_made_room(path, why, tries))
        return false;
    off_t bytes = fstat(fd, &status) == 0 ? room_for(path) : 0;
    while (bytes >= BLOCK_BYTES && fallocate(fd, FALLOC_FL_KEEP_SIZE, status.st_size, bytes) != 0)
        bytes /= 2;
    return true;
}

/* All or an error: Berkeley DB takes a short count from a hook for a failure with whatever errno is left over. */
static ssize_t hook_write(int fd, const void *bytes, size_t length)
{
    if (is_refused(fd))
        return -1;
    unsigned tries = 0;
    for (size_t done = 0; done < length;) {
        ssize_t written = write(fd, (const char *)bytes + done, length - done);
        if (written < 0 && errno != EINTR) {
            int why = errno;
            if (has_made_room_for(fd, why, &tries))
                continue;
            report(fd, "write", why);
            return -1;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return (ssize_t)length;
}

static ssize_t hook_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    if (is_refused(fd))
        return -1;
    unsigned tries = 0;
    for (size_t done = 0; done < length;) {
        ssize_t written = pwrite(fd, (const char *)bytes + done, length - done, offset + (off_t)done);
        if (written < 0 && errno != EINTR) {
            int why = errno;
            if (has_made_room_for(fd, why, &tries))
                continue;
            report(fd, "pwrite", why);
            return -1;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return (ssize_t)length;
}

/* A log file that somebody deleted takes writes and syncs as ever: 20,000 commits into nothing were measured. Its link
 * count tells, before the commit is acknowledged. */
static int hook_fsync(int fd)
{
    struct stat status;
    if (is_refused(fd))
        return -1;
    if (fstat(fd, &status) == 0 && status.st_nlink == 0) {
        report(fd, "file deleted", ENOENT);
        return -1;
    }
    int result;
    do
        result = fdatasync(fd);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        report(fd, "fdatasync", errno);
    return result;
}

static int hook_ftruncate(int fd, off_t length)
{
    if (is_refused(fd))
        return -1;
    int result = ftruncate(fd, length);
    if (result != 0 && errno != EINTR)
        report(fd, "ftruncate", errno);
    return result;
}

/* A new name survives a power cut only when its directory was synced too. */
int store_sync_parent(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd), why = errno;
    close(fd);
    errno = why;
    return result;
}

static int hook_open(const char *path, int flags, ...)
{
    mode_t mode = 0600;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    unsigned tries = 0;
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && has_made_room(path, errno, &tries));
    if (fd >= 0 && (flags & O_CREAT) && store_sync_parent(path) != 0)
        report(fd, "fsync of the directory", errno);
    return fd;
}

static int hook_rename(const char *old_path, const char *new_path)
{
    int result = rename(old_path, new_path);
    return result == 0 ? store_sync_parent(new_path) : result;
}

static void install(void)
{
    check(db_env_set_func_write(hook_write) == 0 && db_env_set_func_pwrite(hook_pwrite) == 0);
    check(db_env_set_func_fsync(hook_fsync) == 0 && db_env_set_func_ftruncate(hook_ftruncate) == 0);
    check(db_env_set_func_open(hook_open) == 0 && db_env_set_func_rename(hook_rename) == 0);
}

void store_hooks_watch(struct store *store)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    pthread_mutex_lock(&watch_lock);
    for (int i = 0; i < STORES_MAX && store->slot < 0; i++)
        if (!watched[i]) {
            watched[i] = store;
            store->slot = i;
        }
    pthread_mutex_unlock(&watch_lock);
    check(store->slot >= 0);
}

/* failed_count stays: a process that lost a store pays for a readlink per write from then on, which nobody will feel.
 */
void store_hooks_forget(struct store *store)
{
    if (store->slot < 0)
        return;
    pthread_mutex_lock(&watch_lock);
    watched[store->slot] = NULL;
    pthread_mutex_unlock(&watch_lock);
    store->slot = -1;
}
