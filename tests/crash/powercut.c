/* SPDX-License-Identifier: Apache-2.0 */
/*
 * powercut.so, a preload library: the calls that change files below the watched directory pass through here, are
 * recorded (disk.h), and fail or end the process when the plan says so. Calls that it could not record honestly (a
 * shared writable mapping, copy_file_range) end the test. Everything else goes straight to the kernel.
 */
#include "tests/crash/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define HOOK __attribute__((visibility("default")))

/* The absolute path; false when it does not fit or is below nothing that is watched. */
static bool is_ours(int directory, const char *path, char *ret_path)
{
    char link[64], base[PATH_MAX];
    if (!disk_map || !disk_map->root[0])
        return false;
    if (path[0] == '/') {
        snprintf(ret_path, PATH_MAX, "%s", path);
        return disk_is_watched(ret_path);
    }
    snprintf(link, sizeof link, directory == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", directory);
    ssize_t length = readlink(link, base, sizeof base - 1);
    if (length < 0)
        return false;
    base[length] = '\0';
    return (size_t)snprintf(ret_path, PATH_MAX, "%s/%s", base, path) < PATH_MAX && disk_is_watched(ret_path);
}

static int fail_with(int why)
{
    disk_unlock();
    errno = why;
    return -1;
}

/* ---- opening ---- */

static int open_ours(const char *path, int flags, mode_t mode)
{
    struct stat status;
    bool part;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    disk_lock();
    int why = disk_decide(DISK_OPEN, &part);
    if (why)
        return fail_with(why);
    bool is_new = lstat(path, &status) != 0;
    if (is_new && (flags & O_CREAT))
        disk_note_entry(ENTRY_CREATED, -1, path, "");
    int index = is_new ? -1 : disk_add_file(path, false);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags & ~O_TRUNC, mode);
    why = errno;
    if (fd >= 0 && is_new)
        index = disk_add_file(path, true);
    if (fd >= 0 && (flags & O_TRUNC) && !is_new && index >= 0) {
        disk_save(&disk_map->files[index], fd, 0, status.st_size);
        (void)!syscall(SYS_ftruncate, fd, 0);
    }
    disk_unlock();
    errno = why;
    return fd;
}

static int open_any(int directory, const char *path, int flags, mode_t mode)
{
    char absolute[PATH_MAX];
    if (is_ours(directory, path, absolute))
        return open_ours(absolute, flags, mode);
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                                     \
    HOOK int name(const char *path, int flags, ...)                                                                    \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return open_any(AT_FDCWD, path, flags, mode);                                                                  \
    }
#define OPENAT(name)                                                                                                   \
    HOOK int name(int directory, const char *path, int flags, ...)                                                     \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return open_any(directory, path, flags, mode);                                                                 \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

HOOK int __open_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

HOOK int creat(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- writing ---- */

/* offset < 0: where the descriptor stands. */
static ssize_t write_any(int fd, const struct iovec *parts, int count, off_t offset)
{
    struct disk_file *file = disk_lock_file(fd);
    if (!file)
        return offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0L);
    bool is_part;
    int64_t length = 0, where = offset;
    int why = disk_decide(DISK_WRITE, &is_part);
    if (why)
        return fail_with(why);
    for (int i = 0; i < count; i++)
        length += (int64_t)parts[i].iov_len;
    if (offset < 0)
        where = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    struct iovec half = count ? parts[0] : (struct iovec){0};
    if (is_part && half.iov_len > 1) {
        half.iov_len /= 2;
        parts = &half;
        count = 1;
        length = (int64_t)half.iov_len;
    }
    disk_save(file, fd, where, length);
    ssize_t result =
        offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0L);
    why = errno;
    disk_unlock();
    errno = why;
    return result;
}

HOOK ssize_t write(int fd, const void *bytes, size_t length)
{
    const struct iovec part = {(void *)(uintptr_t)bytes, length};
    return write_any(fd, &part, 1, -1);
}

HOOK ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    const struct iovec part = {(void *)(uintptr_t)bytes, length};
    return write_any(fd, &part, 1, offset);
}

HOOK ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    return pwrite(fd, bytes, length, offset);
}

HOOK ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_any(fd, parts, count, -1);
}

HOOK ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return write_any(fd, parts, count, offset);
}

HOOK ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return write_any(fd, parts, count, offset);
}

HOOK int ftruncate(int fd, off_t length)
{
    struct stat status;
    struct disk_file *file = disk_lock_file(fd);
    if (!file)
        return (int)syscall(SYS_ftruncate, fd, length);
    bool is_part;
    int why = disk_decide(DISK_TRUNCATE, &is_part);
    if (why)
        return fail_with(why);
    if (fstat(fd, &status) == 0 && status.st_size > length)
        disk_save(file, fd, length, status.st_size - length);
    int result = (int)syscall(SYS_ftruncate, fd, length);
    why = errno;
    disk_unlock();
    errno = why;
    return result;
}

HOOK int ftruncate64(int fd, off64_t length)
{
    return ftruncate(fd, length);
}

/* Room only, the bytes read as zeros: a new length, which a sync makes durable. */
HOOK int fallocate(int fd, int mode, off_t offset, off_t length)
{
    struct disk_file *file = disk_lock_file(fd);
    bool is_part;
    int why = file ? disk_decide(DISK_WRITE, &is_part) : 0;
    if (why)
        return fail_with(why);
    if (file && mode & ~FALLOC_FL_KEEP_SIZE)
        disk_give_up("fallocate that takes bytes away");
    int result = (int)syscall(SYS_fallocate, fd, mode, offset, length);
    why = errno;
    if (file)
        disk_unlock();
    errno = why;
    return result;
}

HOOK int posix_fallocate(int fd, off_t offset, off_t length)
{
    return fallocate(fd, 0, offset, length) == 0 ? 0 : errno;
}

/* ---- syncing ---- */

static int sync_directory(int fd)
{
    char link[64], path[PATH_MAX], inside[PATH_MAX + 2];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    snprintf(inside, sizeof inside, "%s/.", path); /* the root itself counts too */
    if (!disk_is_watched(inside))
        return (int)syscall(SYS_fsync, fd);
    bool is_part;
    disk_lock();
    int why = disk_decide(DISK_SYNC, &is_part);
    if (why)
        return fail_with(why);
    disk_directory_synced(path);
    disk_unlock();
    return 0;
}

/* The kernel need not sync: the map is the disk. */
static int sync_any(int fd, long call)
{
    struct stat status;
    struct disk_file *file = disk_lock_file(fd);
    if (!file && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        return sync_directory(fd);
    if (!file)
        return (int)syscall(call, fd);
    bool is_part;
    int why = disk_decide(DISK_SYNC, &is_part);
    disk_synced(file, fd, why != 0);
    if (why)
        return fail_with(why);
    disk_unlock();
    return 0;
}

HOOK int fsync(int fd)
{
    return sync_any(fd, SYS_fsync);
}

HOOK int fdatasync(int fd)
{
    return sync_any(fd, SYS_fdatasync);
}

/* Promises nothing about metadata or the disk's cache. */
HOOK int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags)
{
    return (int)syscall(SYS_sync_file_range, fd, offset, length, flags);
}

/* DONTNEED drops clean pages: what a failed sync left clean is read from the disk again, as it is there. */
HOOK int posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
    struct disk_file *file = advice == POSIX_FADV_DONTNEED ? disk_lock_file(fd) : NULL;
    if (file) {
        disk_drop_lost(file);
        disk_unlock();
    }
    return syscall(SYS_fadvise64, fd, offset, length, advice) == 0 ? 0 : errno;
}

HOOK int posix_fadvise64(int fd, off64_t offset, off64_t length, int advice)
{
    return posix_fadvise(fd, offset, length, advice);
}

/* ---- names ---- */

static int rename_any(int old_directory, const char *old_path, int directory, const char *path, unsigned flags)
{
    char from[PATH_MAX], to[PATH_MAX];
    bool is_from_ours = is_ours(old_directory, old_path, from), is_to_ours = is_ours(directory, path, to), is_part;
    if (!is_from_ours && !is_to_ours)
        return (int)syscall(SYS_renameat2, old_directory, old_path, directory, path, flags);
    if (!is_from_ours || !is_to_ours || flags)
        disk_give_up("a rename across the border, or one that exchanges");
    disk_lock();
    int why = disk_decide(DISK_RENAME, &is_part);
    if (why)
        return fail_with(why);
    (void)disk_add_file(from, false);
    disk_note_entry(ENTRY_RENAMED, disk_add_file(to, false), from, to);
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    why = errno;
    disk_unlock();
    errno = why;
    return result;
}

HOOK int rename(const char *old_path, const char *path)
{
    return rename_any(AT_FDCWD, old_path, AT_FDCWD, path, 0);
}

HOOK int renameat(int old_directory, const char *old_path, int directory, const char *path)
{
    return rename_any(old_directory, old_path, directory, path, 0);
}

HOOK int renameat2(int old_directory, const char *old_path, int directory, const char *path, unsigned flags)
{
    return rename_any(old_directory, old_path, directory, path, flags);
}

HOOK int unlinkat(int directory, const char *path, int flags)
{
    char absolute[PATH_MAX];
    bool is_part;
    if (!is_ours(directory, path, absolute))
        return (int)syscall(SYS_unlinkat, directory, path, flags);
    disk_lock();
    int why = disk_decide(DISK_REMOVE, &is_part);
    if (why)
        return fail_with(why);
    if (flags & AT_REMOVEDIR)
        disk_note_entry(ENTRY_DIRECTORY_REMOVED, -1, absolute, "");
    else
        disk_note_entry(ENTRY_REMOVED, disk_add_file(absolute, false), absolute, "");
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, absolute, flags);
    why = errno;
    disk_unlock();
    errno = why;
    return result;
}

HOOK int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

HOOK int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

HOOK int remove(const char *path)
{
    int result = unlink(path);
    return result != 0 && errno == EISDIR ? rmdir(path) : result;
}

HOOK int mkdirat(int directory, const char *path, mode_t mode)
{
    char absolute[PATH_MAX];
    struct stat status;
    bool is_part;
    if (!is_ours(directory, path, absolute) || stat(absolute, &status) == 0)
        return (int)syscall(SYS_mkdirat, directory, path, mode);
    disk_lock();
    int why = disk_decide(DISK_MAKE_DIRECTORY, &is_part);
    if (why)
        return fail_with(why);
    disk_note_entry(ENTRY_DIRECTORY_MADE, -1, absolute, "");
    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, absolute, mode);
    why = errno;
    disk_unlock();
    errno = why;
    return result;
}

HOOK int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* ---- what cannot be recorded ---- */

static void refuse_if_ours(int fd, const char *what)
{
    if (fd >= 0 && disk_lock_file(fd))
        disk_give_up(what);
}

HOOK int linkat(int old_directory, const char *old_path, int directory, const char *path, int flags)
{
    char absolute[PATH_MAX];
    if (is_ours(directory, path, absolute))
        disk_give_up("link() is not modelled");
    return (int)syscall(SYS_linkat, old_directory, old_path, directory, path, flags);
}

HOOK int link(const char *old_path, const char *path)
{
    return linkat(AT_FDCWD, old_path, AT_FDCWD, path, 0);
}

HOOK void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if ((flags & MAP_TYPE) != MAP_PRIVATE && (protection & PROT_WRITE))
        refuse_if_ours(fd, "a shared writable mapping is not modelled");
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}

HOOK void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
{
    return mmap(address, length, protection, flags, fd, offset);
}

HOOK ssize_t copy_file_range(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t length, unsigned flags)
{
    refuse_if_ours(out, "copy_file_range is not modelled");
    return syscall(SYS_copy_file_range, in, in_offset, out, out_offset, length, flags);
}

HOOK ssize_t sendfile(int out, int in, off_t *offset, size_t length)
{
    refuse_if_ours(out, "sendfile is not modelled");
    return syscall(SYS_sendfile, out, in, offset, length);
}

HOOK ssize_t sendfile64(int out, int in, off64_t *offset, size_t length)
{
    return sendfile(out, in, offset, length);
}
