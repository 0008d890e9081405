/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Berkeley DB, boxed: an environment (a directory), its transactions and its B-tree tables. The only folder that
 * includes <db.h>. The kinds differ in what they promise (ledger.md): LEDGER is sacred (512-byte pages, checksums,
 * synchronous commits, fail-stop), AUX is disposable (4 KiB pages, commits not flushed), SEQUENCE as AUX for rows that
 * are written in the order of their keys (16 KiB pages). COPY is a copy of a ledger that is being made and that nobody
 * else knows of.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"
#include "base/slice.h"

enum store_kind { STORE_LEDGER, STORE_AUX, STORE_SEQUENCE, STORE_COPY };

struct store;
struct store_table;
struct store_transaction;

/* Opens (creates, recovers) the environment in `directory` (0700, created). Takes the directory's lock file:
 * ERROR_ENVIRONMENT_BUSY when another process holds it. Recovery is tried in a child process first, so that a damaged
 * environment cannot take the caller down; it forks, so open before starting threads. The lock file holds the owner's
 * pid as text. A DB_CONFIG file is refused. Where the disk is full the ballast gives way: recovery needs room. Errors:
 * ENVIRONMENT_BUSY, STORE_CORRUPT, STORE_IO, NO_MEMORY.
 *
 * STORE_COPY takes no lock, is not flushed commit by commit (the checkpoint of store_close writes it, the caller syncs
 * the files) and is recovered from its first log file on, as a hot copy must be; in this process, because one that has
 * threads must not fork: open only copies that were just made. */
enum error store_open(const char *directory, enum store_kind kind, struct store **ret_store) MUST_USE;
/* Checkpoints and closes; its tables first. NULL is fine. */
void store_close(struct store *store);
/* True once an I/O error happened: every later call fails with STORE_IO (fail-stop). */
bool store_is_failed(const struct store *store);
/* Why, for the log; "" when not failed. NULL: why the last store_open of this thread failed, or the opening of a table
 * after it. */
const char *store_failure(const struct store *store);
/* What that failure is for want of: room on the disk, or what a process needs (descriptors, memory, permission, time to
 * end). Then the files may be whole. NOTHING: they are damaged, or cannot be read. */
enum store_lack { STORE_LACKS_NOTHING, STORE_LACKS_ROOM, STORE_LACKS_MEANS };
enum store_lack store_find_lack(const struct store *store);
/* Checkpoint when `log_bytes` of log were written since the last one. Any thread. */
enum error store_checkpoint(struct store *store, size_t log_bytes) MUST_USE;

/* ---- copies ---- */

/* A copy of the working environment into `directory`, which exists and is empty: tables and log files, no lock, no
 * ballast. Open it as STORE_COPY before it is worth anything. A failure here leaves the store as it is; `why` gets the
 * reason (NUL-terminated). Any thread, one at a time. */
enum error store_copy(struct store *store, const char *directory, char *why, size_t why_bytes) MUST_USE;
/* Removes log files that a recovery does not need any more, the oldest first, as long as those take more than
 * `keep_bytes`. Returns how many. Any thread. */
unsigned store_trim_logs(struct store *store, uint64_t keep_bytes);

/* ---- the files of a LEDGER, looked at from outside ---- */

/* Berkeley DB does not notice that its files are gone: 20,000 commits into a deleted log "succeeded". False, and the
 * store is failed, when a log file, a table, the lock or the directory was deleted or replaced since the last look.
 * False too when it had failed before. Any thread. */
bool store_look(struct store *store);
/* Lets this thread read a failed store again, for what can be saved: what was committed, and perhaps the transaction
 * that failed. Nothing is ever written. */
void store_allow_reading(struct store *store);

/* The ballast is a file that only takes room, in the environment's directory: when the disk is full it gives way, so
 * that settles can go on (a part of it stays for the recovery of the next start). */
struct store_room {
    uint64_t free_bytes; /* for us, on the file system of the directory */
    bool has_ballast;    /* all of it */
};
enum { STORE_BALLAST_BYTES = 12 << 20 };
#define STORE_BALLAST_NAME "ballast"
/* False when the file system cannot be asked. */
bool store_find_room(struct store *store, struct store_room *ret_room) MUST_USE;
/* Makes the ballast whole again; false when there is no room for it. */
bool store_make_ballast(struct store *store);

/* ---- tables ---- */

/* Makes it when it is not there. */
enum error store_table_open(struct store *store, const char *name, struct store_table **ret_table) MUST_USE;
/* Makes nothing: STORE_CORRUPT when it is not there. */
enum error store_table_open_existing(struct store *store, const char *name, struct store_table **ret_table) MUST_USE;
/* After the recovery of store_open, a table that was being made when all ended is there or is not, never half. */
bool store_has_table(const struct store *store, const char *name);
void store_table_close(struct store_table *table);

/* Inside a transaction every call may answer OVERLOADED (it lost a deadlock): abort, and run the whole body again. An
 * unexpected error is a fail-stop: nothing of this store is written any more.
 * Begin / commit / abort. Commit of a LEDGER transaction returns after it is on disk. */
enum error store_begin(struct store *store, struct store_transaction **ret_transaction) MUST_USE;
enum error store_commit(struct store_transaction *transaction) MUST_USE; /* consumes it, also on failure */
void store_abort(struct store_transaction *transaction);                 /* NULL is fine */

/* NOT_FOUND; the value is copied into `value` (at most value_bytes_max; REQUEST_INVALID when it does not fit).
 * transaction may be NULL for a read outside. */
enum error store_get(struct store_table *table, struct store_transaction *transaction, struct slice key, void *value,
                     size_t value_bytes_max, size_t *ret_length) MUST_USE;
enum error store_put(struct store_table *table, struct store_transaction *transaction, struct slice key,
                     struct slice value) MUST_USE;
enum error store_delete(struct store_table *table, struct store_transaction *transaction, struct slice key) MUST_USE;

/* Walks keys in [first, last] (last.length 0: to the end), forwards or backwards; stops when `visit` returns false.
 * key and value are valid during the call only. Sees committed data (and, within a transaction, its own). */
typedef bool store_visit(void *context, struct slice key, struct slice value);
enum error store_scan(struct store_table *table, struct store_transaction *transaction, struct slice first,
                      struct slice last, bool backwards, store_visit *visit, void *context) MUST_USE;

#endif
