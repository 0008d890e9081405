/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cutting half of disk.h: called by the parent when all its children are dead, it turns what the kernel has into
 * what a disk could have kept. Every cut draws one of four ways: everything unsynced is gone, everything is there (a
 * kill only), the sectors of a file up to some point, or each sector by itself.
 */
#include "tests/crash/disk.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum way { WAY_DROP, WAY_KEEP, WAY_PREFIX, WAY_SCATTERED, WAY_COUNT };

struct disk *disk_open(const char *root, const char *keeper, uint64_t seed)
{
    const char *path = getenv(DISK_VARIABLE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return NULL;
    struct disk *disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    check(disk != MAP_FAILED);
    snprintf(disk->root, sizeof disk->root, "%s", root);
    snprintf(disk->keeper, sizeof disk->keeper, "%s", keeper);
    disk->random_state = seed * 2 + 1;
    return disk;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)where;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

void disk_remove_tree(const char *path, bool with_itself)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (!with_itself)
        check(mkdir(path, 0700) == 0);
}

void disk_reset(struct disk *disk)
{
    for (unsigned i = 0; i < atomic_load(&disk->file_count); i++) {
        struct disk_file *file = &disk->files[i];
        size_t words = atomic_load(&file->sector_end) / 64 + 1;
        for (size_t word = 0; word < words && word < DISK_WORDS; word++) {
            atomic_store(&file->marked[word], 0);
            atomic_store(&file->lost[word], 0);
        }
        atomic_store(&file->sector_end, 0);
    }
    atomic_store(&disk->file_count, 0);
    atomic_store(&disk->entry_count, 0);
    atomic_store(&disk->lock, 0);
    disk_remove_tree(disk->keeper, false);
    disk->reset_ns = clock_wall_ns();
}

/* ---- contents ---- */

static int64_t pick_length(struct disk *disk, enum way way, int64_t durable, int64_t now)
{
    int64_t low = durable < now ? durable : now, span = durable < now ? now - durable : durable - now;
    if (way == WAY_DROP || span == 0)
        return durable;
    if (way == WAY_KEEP)
        return now;
    switch (disk_random(disk, 3)) {
    case 0:
        return durable;
    case 1:
        return now;
    default: /* a file system grows a file by what it writes out, never by a part of a sector */
        now = (low + (int64_t)disk_random(disk, (uint64_t)span)) / DISK_SECTOR_BYTES * DISK_SECTOR_BYTES;
        return now > low ? now : low;
    }
}

static bool goes_back(struct disk *disk, enum way way, uint64_t sector, uint64_t kept_end, unsigned percent)
{
    switch (way) {
    case WAY_DROP:
        return true;
    case WAY_PREFIX:
        return sector >= kept_end;
    case WAY_SCATTERED:
        return disk_random(disk, 100) >= percent;
    default:
        return false;
    }
}

static void cut_file(struct disk *disk, unsigned index, enum way way)
{
    struct disk_file *file = &disk->files[index];
    char path[DISK_PATH_MAX + 16];
    struct stat status;
    snprintf(path, sizeof path, "%s/%u", disk->keeper, index);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    check(fd >= 0 && fstat(fd, &status) == 0);
    const uint64_t end = atomic_load(&file->sector_end), kept_end = disk_random(disk, end + 1);
    const unsigned percent = (unsigned)disk_random(disk, 101);
    const int64_t length = pick_length(disk, way, atomic_load(&file->durable_length), status.st_size);
    if (length > status.st_size)
        check(ftruncate(fd, length) == 0);
    for (uint64_t sector = 0; sector < end; sector++) {
        off_t offset = (off_t)(sector * DISK_SECTOR_BYTES);
        if (!disk_is_set(file->marked, sector) || offset >= length)
            continue;
        if (disk_is_set(file->lost, sector) || goes_back(disk, way, sector, kept_end, percent))
            check(pwrite(fd, disk->saved[index] + offset, DISK_SECTOR_BYTES, offset) == DISK_SECTOR_BYTES);
    }
    check(ftruncate(fd, length) == 0);
    close(fd);
}

/* ---- directory entries ---- */

static void keep_file(const struct disk *disk, int file, const char *path)
{
    char keeper[DISK_PATH_MAX + 16];
    snprintf(keeper, sizeof keeper, "%s/%d", disk->keeper, file);
    if (file >= 0 && access(path, F_OK) != 0)
        check(link(keeper, path) == 0 || errno == ENOENT);
}

/* Noted before it happened: it may not have happened. */
static void undo_entry(const struct disk *disk, const struct disk_entry *entry)
{
    switch (entry->kind) {
    case ENTRY_CREATED:
        (void)unlink(entry->path);
        break;
    case ENTRY_REMOVED:
        keep_file(disk, entry->file, entry->path);
        break;
    case ENTRY_RENAMED:
        if (access(entry->path, F_OK) != 0 && rename(entry->new_path, entry->path) == 0)
            keep_file(disk, entry->file, entry->new_path);
        break;
    case ENTRY_DIRECTORY_MADE:
        disk_remove_tree(entry->path, true);
        break;
    case ENTRY_DIRECTORY_REMOVED:
        (void)mkdir(entry->path, 0700);
        break;
    }
}

/* The first ones are kept up to a point, as a file system's journal does; a removal may be undone by itself. */
static void cut_entries(struct disk *disk, enum way way)
{
    unsigned count = atomic_load(&disk->entry_count), kept = (unsigned)disk_random(disk, count + 1);
    if (way == WAY_DROP)
        kept = 0;
    if (way == WAY_KEEP)
        kept = count;
    for (unsigned i = count; i-- > 0;) {
        const struct disk_entry *entry = &disk->entries[i];
        if (!atomic_load(&entry->is_pending))
            continue;
        bool comes_back = way == WAY_SCATTERED && entry->kind == ENTRY_REMOVED && disk_random(disk, 2);
        if (i >= kept || comes_back)
            undo_entry(disk, entry);
    }
}

/* ---- honesty ---- */

static const struct disk *walked;
static bool has_stranger;

/* Written since the last reset, and no keeper's link: the library did not see it. */
static int look_for_stranger(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)where;
    int64_t changed_ns = (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
    if (kind != FTW_F || status->st_nlink > 1 || changed_ns <= walked->reset_ns)
        return 0;
    for (unsigned i = 0; i < atomic_load(&walked->entry_count); i++)
        if (!strcmp(walked->entries[i].path, path))
            return 0; /* killed between its creation and the link */
    fprintf(stderr, "powercut: %s was written unseen\n", path);
    has_stranger = true;
    return 0;
}

bool disk_cut(struct disk *disk)
{
    const enum way way = (enum way)disk_random(disk, WAY_COUNT);
    walked = disk;
    has_stranger = false;
    check(nftw(disk->root, look_for_stranger, 16, FTW_PHYS) == 0);
    for (unsigned i = 0; i < atomic_load(&disk->file_count); i++)
        cut_file(disk, i, way);
    cut_entries(disk, way);
    disk_reset(disk);
    return !has_stranger;
}
