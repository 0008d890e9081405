/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that can lose power: what the files below one directory looked like when they were last synced, kept in a
 * file that the preload library (powercut.c, disk.c: they record, and inject faults) and the program that cuts (cut.c)
 * map. Whoever is killed at whatever instant, the map is right: what a call will change is saved before the call.
 *
 *   write  → the sectors it hits are saved (once since the last sync) and marked, then it is carried out
 *   sync   → the marks of that file go; of a directory: its entries are settled
 *   cut    → marked sectors, lengths and unsettled entries go back, all of them or a random part
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    DISK_SECTOR_BYTES = 512,
    DISK_FILE_BYTES_MAX = 64 << 20,
    DISK_SECTORS_MAX = DISK_FILE_BYTES_MAX / DISK_SECTOR_BYTES,
    DISK_WORDS = DISK_SECTORS_MAX / 64,
    DISK_FILES_MAX = 128,
    DISK_ENTRIES_MAX = 4096,
    DISK_PATH_MAX = 256,
};

/* What can be counted, cut at, and failed. */
enum disk_call {
    DISK_WRITE,
    DISK_SYNC,
    DISK_OPEN,
    DISK_TRUNCATE,
    DISK_RENAME,
    DISK_REMOVE,
    DISK_MAKE_DIRECTORY,
    DISK_ALLOCATE, /* of memory, by the program itself */
    DISK_CALL_COUNT
};

/* What the parent wants to happen; 0: nothing. */
struct disk_plan {
    _Atomic uint64_t cut_at;  /* the Nth I/O call of all kinds kills the process group instead */
    enum disk_call fault_in;  /* the Nth of this kind … */
    uint64_t fault_at;        /* … fails with … */
    int fault_errno;          /* … this; 0: it writes only a part */
    bool is_sticky;           /* and so do all later ones */
    uint64_t write_back_rate; /* one in so many rewritten sectors reached the disk in between by itself */
};

struct disk_file {
    uint64_t device, inode;
    _Atomic int64_t durable_length;
    atomic_uint sector_end;              /* no mark at or after it */
    _Atomic uint64_t marked[DISK_WORDS]; /* its saved copy may be what is on disk */
    _Atomic uint64_t lost[DISK_WORDS];   /* a sync of it failed: Linux forgets that it must be written */
};

enum disk_entry_kind { ENTRY_CREATED, ENTRY_REMOVED, ENTRY_RENAMED, ENTRY_DIRECTORY_MADE, ENTRY_DIRECTORY_REMOVED };

/* A change of a directory that the directory's own sync has not settled yet. */
struct disk_entry {
    atomic_bool is_pending;
    enum disk_entry_kind kind;
    int file; /* what the name stood for (REMOVED) or what the rename replaced; -1: nothing */
    char path[DISK_PATH_MAX], new_path[DISK_PATH_MAX];
};

struct disk {
    char root[DISK_PATH_MAX];   /* absolute; "" : nothing is watched */
    char keeper[DISK_PATH_MAX]; /* a hard link of every file that was opened, by number: removed ones can come back */
    atomic_bool is_armed;
    atomic_uint lock; /* shared by all processes; the parent frees it when they are dead */
    uint64_t random_state;
    int64_t reset_ns; /* when everything was durable last */
    struct disk_plan plan;
    _Atomic uint64_t calls, calls_of[DISK_CALL_COUNT];
    atomic_uint faults_fired;
    atomic_uint file_count, entry_count;
    struct disk_file files[DISK_FILES_MAX];
    struct disk_entry entries[DISK_ENTRIES_MAX];
    unsigned char saved[DISK_FILES_MAX][DISK_FILE_BYTES_MAX]; /* sparse */
};

/* The map file's name; without it the library does nothing. */
#define DISK_VARIABLE "TOLLGATE_POWERCUT"

static inline bool disk_is_set(const _Atomic uint64_t *map, uint64_t sector)
{
    return atomic_load_explicit(&map[sector / 64], memory_order_acquire) >> sector % 64 & 1;
}

static inline void disk_set(_Atomic uint64_t *map, uint64_t sector)
{
    atomic_fetch_or_explicit(&map[sector / 64], UINT64_C(1) << sector % 64, memory_order_release);
}

static inline void disk_clear(_Atomic uint64_t *map, uint64_t sector)
{
    atomic_fetch_and_explicit(&map[sector / 64], ~(UINT64_C(1) << sector % 64), memory_order_release);
}

static inline uint64_t disk_random(struct disk *disk, uint64_t below)
{
    disk->random_state ^= disk->random_state << 13;
    disk->random_state ^= disk->random_state >> 7;
    disk->random_state ^= disk->random_state << 17;
    return disk->random_state % below;
}

/* disk.c, in the library; the lock is held from a find that returns a file until disk_unlock. */
extern struct disk *disk_map;
void disk_lock(void);
void disk_unlock(void);
bool disk_is_watched(const char *path);
/* The file behind a descriptor; NULL: not ours. Takes the lock. */
struct disk_file *disk_lock_file(int fd);
/* Registers a file that is there (with what it has as durable, or as new and empty); -1 when there is none. */
int disk_add_file(const char *path, bool is_new);
/* Counts the call, kills at the cut, and answers with an errno that it must fail with, or 0. *ret_part: only a part
 * is to be written. */
int disk_decide(enum disk_call call, bool *ret_part);
/* Before a write or truncation of [offset, offset + length). */
void disk_save(struct disk_file *file, int fd, int64_t offset, int64_t length);
/* After a sync, successful or not. */
void disk_synced(struct disk_file *file, int fd, bool is_lost);
/* What a failed sync left only in the page cache is gone. */
void disk_drop_lost(struct disk_file *file);
void disk_directory_synced(const char *path);
/* Before a change of a directory. */
void disk_note_entry(enum disk_entry_kind kind, int file, const char *path, const char *new_path);
_Noreturn void disk_give_up(const char *what);

/* cut.c, in the program */
/* Not under the library: NULL. */
struct disk *disk_open(const char *root, const char *keeper, uint64_t seed);
/* All children are dead: makes of the directory what a disk could have kept. Returns false, having said why, when
 * something was written that the library did not see. */
bool disk_cut(struct disk *disk);
/* Forgets everything: what is there is durable. */
void disk_reset(struct disk *disk);
void disk_remove_tree(const char *path, bool with_itself);

#endif
