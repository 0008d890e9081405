/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recording half of disk.h: which files are watched, what their sectors held, which call is to fail or to be the
 * last one. Called by the hooks of powercut.c inside the process under test, under a lock that all its processes share;
 * it must leave the map right whenever the process is killed.
 */
#include "tests/crash/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct disk *disk_map;

static __attribute__((constructor)) void map_disk(void)
{
    const char *path = getenv(DISK_VARIABLE);
    if (!path)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(struct disk)) != 0)
        disk_give_up("the map cannot be made");
    void *map = mmap(NULL, sizeof(struct disk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        disk_give_up("the map cannot be mapped");
    disk_map = map;
}

/* The simulator's own limits are never passed over in silence. */
_Noreturn void disk_give_up(const char *what)
{
    char text[160];
    int length = snprintf(text, sizeof text, "powercut: %s\n", what);
    (void)!syscall(SYS_write, STDERR_FILENO, text, (size_t)length);
    _exit(99);
}

void disk_lock(void)
{
    while (atomic_exchange_explicit(&disk_map->lock, 1, memory_order_acquire))
        sched_yield();
}

void disk_unlock(void)
{
    atomic_store_explicit(&disk_map->lock, 0, memory_order_release);
}

bool disk_is_watched(const char *path)
{
    if (!disk_map || !atomic_load_explicit(&disk_map->is_armed, memory_order_acquire))
        return false;
    size_t length = strlen(disk_map->root);
    return strncmp(disk_map->root, path, length) == 0 && path[length] == '/';
}

static int find_file(const struct stat *status)
{
    unsigned count = atomic_load(&disk_map->file_count);
    for (unsigned i = 0; i < count; i++)
        if (disk_map->files[i].inode == status->st_ino && disk_map->files[i].device == status->st_dev)
            return (int)i;
    return -1;
}

struct disk_file *disk_lock_file(int fd)
{
    struct stat status;
    if (!disk_map || !atomic_load_explicit(&disk_map->is_armed, memory_order_acquire) || fstat(fd, &status) != 0 ||
        !S_ISREG(status.st_mode))
        return NULL;
    disk_lock();
    int index = find_file(&status);
    if (index < 0)
        disk_unlock();
    return index < 0 ? NULL : &disk_map->files[index];
}

int disk_add_file(const char *path, bool is_new)
{
    struct stat status;
    char keeper[DISK_PATH_MAX + 16];
    if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return -1;
    int index = find_file(&status);
    if (index >= 0)
        return index;
    unsigned count = atomic_load(&disk_map->file_count);
    if (count == DISK_FILES_MAX || status.st_size > DISK_FILE_BYTES_MAX)
        disk_give_up("too many files, or a file too large");
    struct disk_file *file = &disk_map->files[count];
    file->device = status.st_dev;
    file->inode = status.st_ino;
    atomic_store(&file->durable_length, is_new ? 0 : status.st_size);
    snprintf(keeper, sizeof keeper, "%s/%u", disk_map->keeper, count);
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, keeper, 0) != 0)
        disk_give_up("a file cannot be kept");
    atomic_store(&disk_map->file_count, count + 1);
    return (int)count;
}

static _Noreturn void cut_now(void)
{
    syscall(SYS_kill, 0, SIGKILL); /* the whole group: a recovery child too */
    for (;;)
        pause();
}

int disk_decide(enum disk_call call, bool *ret_part)
{
    const struct disk_plan *plan = &disk_map->plan;
    uint64_t number = atomic_fetch_add(&disk_map->calls_of[call], 1) + 1;
    const uint64_t cut_at = atomic_load(&plan->cut_at);
    *ret_part = false;
    if (call != DISK_ALLOCATE && atomic_fetch_add(&disk_map->calls, 1) + 1 >= cut_at && cut_at)
        cut_now();
    if (!plan->fault_at || call != plan->fault_in || number < plan->fault_at ||
        (number > plan->fault_at && !plan->is_sticky))
        return 0;
    atomic_fetch_add(&disk_map->faults_fired, 1);
    *ret_part = plan->fault_errno == 0;
    return plan->fault_errno;
}

static void save_sector(struct disk_file *file, int fd, uint64_t sector, int64_t length_now)
{
    unsigned char *saved = disk_map->saved[file - disk_map->files] + sector * DISK_SECTOR_BYTES;
    int64_t offset = (int64_t)sector * DISK_SECTOR_BYTES;
    ssize_t got = 0;
    if (offset < length_now)
        got = syscall(SYS_pread64, fd, saved, DISK_SECTOR_BYTES, offset);
    if (got < 0) { /* opened for writing only */
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int readable = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        got = syscall(SYS_pread64, readable, saved, DISK_SECTOR_BYTES, offset);
        close(readable);
    }
    if (got < 0)
        disk_give_up("a sector cannot be saved");
    memset(saved + got, 0, (size_t)(DISK_SECTOR_BYTES - got));
}

void disk_save(struct disk_file *file, int fd, int64_t offset, int64_t length)
{
    struct stat status;
    if (length <= 0)
        return;
    if (fstat(fd, &status) != 0 || offset + length > DISK_FILE_BYTES_MAX)
        disk_give_up("a file too large");
    uint64_t first = (uint64_t)offset / DISK_SECTOR_BYTES;
    uint64_t end = (uint64_t)(offset + length + DISK_SECTOR_BYTES - 1) / DISK_SECTOR_BYTES;
    if (atomic_load(&file->sector_end) < end)
        atomic_store(&file->sector_end, (unsigned)end);
    for (uint64_t sector = first; sector < end; sector++) {
        uint64_t rate = disk_map->plan.write_back_rate;
        bool is_marked = disk_is_set(file->marked, sector);
        bool was_written_back =
            is_marked && rate && !disk_is_set(file->lost, sector) && disk_random(disk_map, rate) == 0;
        if (!is_marked || was_written_back)
            save_sector(file, fd, sector, status.st_size);
        disk_set(file->marked, sector);
        disk_clear(file->lost, sector); /* dirty again: the next sync writes it */
    }
}

void disk_synced(struct disk_file *file, int fd, bool is_lost)
{
    struct stat status;
    unsigned end = atomic_load(&file->sector_end);
    if (fstat(fd, &status) != 0)
        disk_give_up("a synced file is gone");
    if (!is_lost)
        atomic_store(&file->durable_length, status.st_size);
    for (unsigned i = 0; i * 64 < end; i++) {
        uint64_t marked = atomic_load(&file->marked[i]);
        if (is_lost)
            atomic_fetch_or(&file->lost[i], marked);
        else if (marked)
            atomic_store(&file->marked[i], marked & atomic_load(&file->lost[i]));
    }
}

void disk_drop_lost(struct disk_file *file)
{
    const long index = file - disk_map->files;
    char keeper[DISK_PATH_MAX + 32];
    struct stat status;
    snprintf(keeper, sizeof keeper, "%s/%ld", disk_map->keeper, index);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, keeper, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        disk_give_up("a kept file is gone");
    for (uint64_t sector = 0; sector < atomic_load(&file->sector_end); sector++) {
        int64_t offset = (int64_t)sector * DISK_SECTOR_BYTES;
        if (!disk_is_set(file->lost, sector))
            continue;
        if (offset < status.st_size)
            (void)!syscall(SYS_pwrite64, fd, disk_map->saved[index] + offset, DISK_SECTOR_BYTES, offset);
        disk_clear(file->marked, sector);
        disk_clear(file->lost, sector);
    }
    (void)!syscall(SYS_ftruncate, fd, status.st_size); /* the last sector may have grown it */
    close(fd);
}

static bool is_in(const char *directory, const char *path)
{
    size_t length = strlen(directory);
    return strncmp(directory, path, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/');
}

void disk_directory_synced(const char *path)
{
    unsigned count = atomic_load(&disk_map->entry_count);
    for (unsigned i = 0; i < count; i++) {
        struct disk_entry *entry = &disk_map->entries[i];
        if (atomic_load(&entry->is_pending) && is_in(path, entry->new_path[0] ? entry->new_path : entry->path))
            atomic_store(&entry->is_pending, false);
    }
}

void disk_note_entry(enum disk_entry_kind kind, int file, const char *path, const char *new_path)
{
    unsigned count = atomic_load(&disk_map->entry_count);
    if (count == DISK_ENTRIES_MAX || strlen(path) >= DISK_PATH_MAX || strlen(new_path) >= DISK_PATH_MAX)
        disk_give_up("too many changes of directories, or a path too long");
    struct disk_entry *entry = &disk_map->entries[count];
    entry->kind = kind;
    entry->file = file;
    strcpy(entry->path, path);
    strcpy(entry->new_path, new_path);
    atomic_store(&entry->is_pending, true);
    atomic_store(&disk_map->entry_count, count + 1);
}
