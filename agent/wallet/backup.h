/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What backup, daily backups, dump, replay and restore share. Nobody else in wallet/ includes it but chores.c. They
 * work on tables and directories, never on the memory of the ledger thread.
 *
 *   backup.c  a working ledger → a directory          dump.c    tables → lines of JSON
 *   daily.c   when, and how many are kept             replay.c  lines of JSON → tables
 *   upkeep.c  what the settings say of it
 *   restore.c a directory or lines → STATE/ledger     directory.c  files, synced
 */
#ifndef WALLET_BACKUP_H
#define WALLET_BACKUP_H

#include "wallet/internal.h"

#include <limits.h>

enum { DIRECTORY_TIME_MAX = 16, DUMP_LINE_BYTES_MAX = 16 << 10, BACKUP_WHY_MAX = 256 };

#define BACKUP_DUMP   "ledger.jsonl"
#define BACKUP_MARKER "tollgate-backup" /* written first: what has it was made by us */

/* ---- directory.c: flat directories; false with errno ---- */
/* "20261123-203000", UTC. Returns `text`. */
char *directory_time(int64_t wall_ns, char text[DIRECTORY_TIME_MAX]);
bool directory_sync(const char *path) MUST_USE;        /* each file in it, then itself */
bool directory_sync_parent(const char *path) MUST_USE; /* the name of `path` */
/* Removes it with the files in it. Refuses what is no directory (a link to one is none) or has a directory in it. A
 * path that is not there is fine. */
bool directory_remove(const char *path);
/* The tables and log files of the environment `from` into `to`. Links are not followed. */
bool directory_copy(const char *from, const char *to) MUST_USE;
uint64_t directory_bytes(const char *path); /* of the files in it, 0 when unreadable */

/* ---- tables.c ---- */
enum error tables_open_copy(const char *directory, struct tables *ret_tables) MUST_USE;

/* ---- dump.c ---- */
extern const char *const dump_account_kinds[ACCOUNT_KINDS];
/* end_ns: monotonic, when to give up (the last line says so); 0: never. */
enum error dump_write(const struct tables *tables, int64_t end_ns, FILE *out) MUST_USE;

/* ---- replay.c: fills empty tables; STORE_CORRUPT with the number of the line in `why` ---- */
enum error replay_read(const struct tables *tables, FILE *in, char *why, size_t why_bytes) MUST_USE;

/* ---- backup.c ---- */
struct backup_facts {
    uint64_t transfers, bytes;
    unsigned logs_removed;
    int64_t copy_ns, audit_ns, total_ns;
};
/* `from`: where the tables live, to tell how much room it takes. */
enum error backup_make(const struct tables *tables, const char *from, const char *directory,
                       struct backup_facts *ret_facts, char *why, size_t why_bytes) MUST_USE;
/* Recomputes everything; STORE_CORRUPT with the first finding in `why`. */
enum error backup_audit(const struct tables *tables, uint64_t *ret_transfers, char *why, size_t why_bytes) MUST_USE;

/* ---- watch.c: the disk and the files, looked at by the chores thread each second ---- */
/* Sets ledger->is_disk_low; tells options.noted when that changes (`is_first`: only when it is low). */
void watch_disk(struct wallet_ledger *ledger, bool is_first);
/* Checkpoints and removes the log files that no recovery needs. */
void watch_shrink_log(struct wallet_ledger *ledger);
/* Looks at the files. After a failure of the store, whoever noticed it: once, what can be read is saved into
 * <directory>.rescue-TIME.jsonl, and the ledger stops. */
void watch_files(struct wallet_ledger *ledger, bool *is_rescued);

/* ---- upkeep.c ---- */
struct backup_plan {
    char directory[PATH_MAX], fallback[PATH_MAX]; /* "": none */
    uint32_t every_s, kept;
};
void upkeep_find_backups(struct wallet_ledger *ledger, struct backup_plan *ret_plan);
void upkeep_note_backup(struct wallet_ledger *ledger, const char *failure); /* "": it went well */

/* ---- daily.c ---- */
/* How long until a backup is due; INT64_MAX: never. */
int64_t daily_wait_ns(const struct backup_plan *plan);
/* Makes one, in the fallback where it cannot be made in the directory; removes those beyond `kept`, tells
 * options.noted. False when there is none. */
bool daily_make(struct wallet_ledger *ledger);

#endif
