/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of store/ share: the environment's struct, the way a failure is noted, and the I/O hooks. Nobody
 * outside this folder includes it, because it shows <db.h>.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store/store.h"

#include <db.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
    STORE_FAILURE_MAX = 256,
    STORE_RETRIES_MAX = 100,
    STORE_FILE_NAME_MAX = 32,
    STORE_BALLAST_STEP_BYTES = 512 << 10
};

/* Which file a name stood for when it was last looked at. */
struct store_file {
    char name[STORE_FILE_NAME_MAX];
    dev_t device;
    ino_t inode;
};

struct store_files {
    pthread_mutex_t lock; /* held while a name is removed on purpose */
    struct store_file home, *rows;
    size_t count, capacity;
};

struct store {
    enum store_kind kind;
    DB_ENV *env;
    int lock_fd;
    int slot;        /* in the table of the I/O hooks; -1: none */
    bool is_opening; /* even the last of the ballast may be given up */
    atomic_int noting, failed;
    int panic;  /* what Berkeley DB gave up for, of its results */
    int result; /* what `failure` is due to: Berkeley DB's, an errno, 0 when neither says; written as `failure` is */
    struct store_files files;
    char failure[STORE_FAILURE_MAX]; /* written once, before `failed` is set */
    char message[STORE_FAILURE_MAX]; /* the last words of Berkeley DB */
    char directory[PATH_MAX];        /* resolved: the hooks compare it with /proc/self/fd */
};

struct store_table {
    struct store *store;
    DB *db;
};

struct store_transaction {
    struct store *store;
    DB_TXN *handle;
};

/* Notes the first failure: from then on every call answers STORE_IO and every write of this store is refused. `result`:
 * Berkeley DB's, an errno, or 0. */
void store_fail(struct store *store, const char *what, const char *why, int result);
/* The same of opening, which leaves the store as it is: for store_failure(NULL). Returns `error`. */
enum error store_refuse(const char *what, const char *why, int result, enum error error);
/* A result that says nothing against the files: for want of something, or ended from outside (EINTR). */
bool store_is_system_fault(int result);
/* Turns Berkeley DB's result into ours. Deadlock is OVERLOADED, absence NOT_FOUND; all that is unexpected fails the
 * store, because the memory of its caller can no longer be trusted to match the disk. */
enum error store_result(struct store *store, const char *what, int result) MUST_USE;

/* Process-wide I/O hooks that tell stores by the path behind a descriptor. */
void store_hooks_watch(struct store *store);
/* Errors of this thread below `directory` (resolved) are its own affair: a copy that is being made. NULL: no more. */
void store_hooks_exempt(const char *directory);
void store_hooks_forget(struct store *store);
/* After a failed sync the page cache holds what the disk may never get, and calls it clean: the next start would build
 * on it. store_doubt notes that (the note need not survive a power cut: neither does the cache), store_write_again,
 * before recovery, then writes every file of the environment again and syncs it. False and errno when that fails. */
void store_doubt(const char *directory);
bool store_write_again(struct store *store);
/* A new name survives a power cut only when its directory was synced too. -1 and errno. */
int store_sync_parent(const char *path);

void store_files_init(struct store *store);
void store_files_done(struct store *store);
/* Failed, and this thread was not allowed to read nevertheless. */
bool store_is_unreadable(const struct store *store);

/* Makes the ballast give way by a step, the last of it only while opening. False when nothing was left of it. */
bool store_release_ballast(struct store *store);

/* Opens the environment with recovery; the result is Berkeley DB's. On failure store->env is NULL. */
int store_environment_open(struct store *store);
void store_environment_close(struct store *store);
/* Of a table that is made; one that is there keeps its own. */
uint32_t store_page_bytes(const struct store *store);
/* Recovery in a child: true when it came to a good end. `why` gets the reason otherwise, *ret_result what it is due to,
 * as store_is_system_fault wants it. */
bool store_try_recovery(struct store *store, char *why, size_t why_bytes, int *ret_result) MUST_USE;

#endif
