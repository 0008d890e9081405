/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment's life: directory, lock file, recovery, failure, checkpoint. The order of opening is the safety of
 * it: nothing of Berkeley DB is touched before the lock is ours, because recovery under a living owner destroys it.
 */
#include "store/internal.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
/* libdb is not instrumented and synchronizes by its own assembler: its memcpy calls look like races, with each other
 * and with our writing of its pages. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libdb-5.3.so\nrace:hook_write\nrace:hook_pwrite\n";
}
#endif

enum { DYING_OWNER_MS_MAX = 2000 };

#if defined(__SANITIZE_ADDRESS__)
/* An environment that failed is left alone, and libdb could not free itself anyway. What we forget to close still
 * shows: every handle has a struct of ours beside it. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libdb-5.3.so\n";
}
#endif

static _Thread_local char open_failure[2 * STORE_FAILURE_MAX];
static _Thread_local int open_result;

void store_fail(struct store *store, const char *what, const char *why, int result)
{
    if (atomic_exchange(&store->noting, 1))
        return;
    store->result = result;
    snprintf(store->failure, sizeof store->failure, "%s: %s", what, why[0] ? why : "no reason given");
    atomic_store_explicit(&store->failed, 1, memory_order_release);
    if (store->kind == STORE_LEDGER)
        store_doubt(store->directory);
}

bool store_is_failed(const struct store *store)
{
    return atomic_load_explicit(&store->failed, memory_order_acquire) != 0;
}

const char *store_failure(const struct store *store)
{
    if (!store)
        return open_failure;
    return store_is_failed(store) ? store->failure : "";
}

static enum store_lack lack_of(int result)
{
    static const struct {
        int result;
        enum store_lack lack;
    } rows[] = {
        {ENOSPC, STORE_LACKS_ROOM},  {EDQUOT, STORE_LACKS_ROOM},  {EFBIG, STORE_LACKS_ROOM},
        {EMFILE, STORE_LACKS_MEANS}, {ENFILE, STORE_LACKS_MEANS}, {ENOMEM, STORE_LACKS_MEANS},
        {EACCES, STORE_LACKS_MEANS}, {EPERM, STORE_LACKS_MEANS},  {EROFS, STORE_LACKS_MEANS},
        {EINTR, STORE_LACKS_MEANS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].result == result)
            return rows[i].lack;
    return STORE_LACKS_NOTHING;
}

enum store_lack store_find_lack(const struct store *store)
{
    return lack_of(!store ? open_result : store_is_failed(store) ? store->result : 0);
}

bool store_is_system_fault(int result)
{
    return result == EIO || lack_of(result) != STORE_LACKS_NOTHING;
}

enum error store_refuse(const char *what, const char *why, int result, enum error error)
{
    snprintf(open_failure, sizeof open_failure, "%.250s: %.255s", what, why);
    open_result = result;
    return error;
}

static enum error refuse_errno(const char *what)
{
    const int result = errno;
    return store_refuse(what, strerrordesc_np(result), result, ERROR_STORE_IO);
}

enum error store_result(struct store *store, const char *what, int result)
{
    if (result == 0 && !store_is_unreadable(store))
        return ERROR_OK;
    switch (result) {
    case DB_NOTFOUND:
        return ERROR_NOT_FOUND;
    case DB_LOCK_DEADLOCK:
    case DB_LOCK_NOTGRANTED:
        return ERROR_OVERLOADED;
    case DB_BUFFER_SMALL:
        return ERROR_REQUEST_INVALID;
    default:
        store_fail(store, what, store->message[0] ? store->message : db_strerror(result), result);
        return ERROR_STORE_IO;
    }
}

/* The mode is given with every file: a process-wide umask would also change what other threads publish. */
static enum error enter_directory(struct store *store, const char *directory)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return refuse_errno(directory);
    if (!realpath(directory, store->directory))
        return refuse_errno(directory);
    if (store_sync_parent(store->directory) != 0) /* else a power cut could take the directory with all that is in it */
        return refuse_errno(directory);
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/DB_CONFIG", store->directory);
    if (access(path, F_OK) == 0) /* it could override every promise made here, e.g. turn syncing off */
        return store_refuse(path, "must not exist", 0, ERROR_STORE_CORRUPT);
    return ERROR_OK;
}

/* The owner was killed while its recovery ran in a child: that child still holds the lock and is being killed too. */
static bool is_owner_dead(int lock_fd)
{
    char text[16] = "";
    ssize_t length = pread(lock_fd, text, sizeof text - 1, 0);
    int owner = length > 0 ? atoi(text) : 0;
    return owner > 0 && kill(owner, 0) != 0 && errno == ESRCH;
}

static bool lock_file(int lock_fd)
{
    for (unsigned waited_ms = 0; flock(lock_fd, LOCK_EX | LOCK_NB) != 0; waited_ms++) {
        if (errno != EWOULDBLOCK || waited_ms >= DYING_OWNER_MS_MAX || !is_owner_dead(lock_fd))
            return false;
        usleep(1000);
    }
    return true;
}

/* A restore may have put another directory in the place of the one that the lock lies in. */
static bool is_lock_in_place(const struct store *store, const char *path)
{
    struct stat mine, there;
    return fstat(store->lock_fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

static enum error take_lock(struct store *store)
{
    char path[PATH_MAX + 16], text[16];
    snprintf(path, sizeof path, "%s/lock", store->directory);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock_fd < 0)
        return refuse_errno(path);
    if (!lock_file(store->lock_fd) || !is_lock_in_place(store, path))
        return store_refuse(path, "held by another process", 0, ERROR_ENVIRONMENT_BUSY);
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, text, (size_t)length, 0) != length)
        return refuse_errno(path);
    return ERROR_OK;
}

static bool has_log(const struct store *store)
{
    char pattern[PATH_MAX + 16];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/log.*", store->directory);
    bool has = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
    if (has)
        globfree(&found);
    return has;
}

static enum error open_environment(struct store *store)
{
    char why[STORE_FAILURE_MAX];
    int result;
    bool is_forked = store->kind != STORE_COPY && has_log(store);
    if (store->kind == STORE_LEDGER && !store_write_again(store))
        return store_refuse(store->directory, store->message[0] ? store->message : strerrordesc_np(errno), errno,
                            ERROR_STORE_IO);
    store_hooks_watch(store);
    if (is_forked && !store_try_recovery(store, why, sizeof why, &result))
        return store_refuse(store->directory, why, result,
                            store_is_system_fault(result) ? ERROR_STORE_IO : ERROR_STORE_CORRUPT);
    result = store_environment_open(store);
    if (result || store_is_failed(store))
        return store_refuse(store->directory,
                            store_is_failed(store) ? store->failure
                            : store->message[0]    ? store->message
                                                   : db_strerror(result),
                            store->result ? store->result : result, ERROR_STORE_IO);
    return ERROR_OK;
}

enum error store_open(const char *directory, enum store_kind kind, struct store **ret_store)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return ERROR_NO_MEMORY;
    store->kind = kind;
    store->lock_fd = -1;
    store->slot = -1;
    store->is_opening = true;
    store_files_init(store);
    open_failure[0] = '\0';
    open_result = 0;
    enum error error = enter_directory(store, directory);
    if (!error && kind != STORE_COPY)
        error = take_lock(store);
    error = error ? error : open_environment(store);
    store->is_opening = false;
    if (error)
        store_close(store);
    else
        *ret_store = store;
    return error;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_environment_close(store);
    store_hooks_forget(store);
    if (store->lock_fd >= 0)
        close(store->lock_fd); /* gives the lock back */
    store_files_done(store);
    free(store);
}

enum error store_checkpoint(struct store *store, size_t log_bytes)
{
    if (store_is_failed(store))
        return ERROR_STORE_IO;
    return store_result(store, "checkpoint", store->env->txn_checkpoint(store->env, (uint32_t)(log_bytes >> 10), 0, 0));
}
