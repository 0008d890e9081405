/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flat directories of plain files: copied, synced, removed. For backups and restores. Paths may lie where others can
 * write, so nothing here follows a link in the last place, and nothing descends.
 */
#include "wallet/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { COPY_BYTES = 256 << 10 };

char *directory_time(int64_t wall_ns, char text[DIRECTORY_TIME_MAX])
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, DIRECTORY_TIME_MAX, "%Y%m%d-%H%M%S", &parts);
    return text;
}

static DIR *open_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !entries)
        close(fd);
    return entries;
}

static bool is_special(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The result of `result`, with its errno, after `fd` is closed. */
static bool close_with(int fd, bool result)
{
    int why = errno;
    close(fd);
    errno = why;
    return result;
}

static bool sync_file(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && close_with(fd, fsync(fd) == 0);
}

bool directory_sync(const char *path)
{
    DIR *entries = open_directory(path);
    bool is_synced = entries != NULL;
    for (const struct dirent *entry; is_synced && (entry = readdir(entries));)
        is_synced = is_special(entry->d_name) || sync_file(dirfd(entries), entry->d_name);
    is_synced = is_synced && fsync(dirfd(entries)) == 0;
    int why = errno;
    if (entries)
        closedir(entries);
    errno = why;
    return is_synced;
}

bool directory_sync_parent(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && close_with(fd, fsync(fd) == 0);
}

bool directory_remove(const char *path)
{
    DIR *entries = open_directory(path);
    if (!entries)
        return errno == ENOENT;
    bool is_removed = true;
    for (const struct dirent *entry; is_removed && (entry = readdir(entries));)
        is_removed = is_special(entry->d_name) || unlinkat(dirfd(entries), entry->d_name, 0) == 0;
    int why = errno;
    closedir(entries);
    errno = why;
    return is_removed && rmdir(path) == 0;
}

uint64_t directory_bytes(const char *path)
{
    DIR *entries = open_directory(path);
    uint64_t bytes = 0;
    struct stat status;
    if (!entries)
        return 0;
    for (const struct dirent *entry; (entry = readdir(entries));)
        if (fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
            bytes += (uint64_t)status.st_size;
    closedir(entries);
    return bytes;
}

/* ---- copies ---- */

static bool copy_bytes(int in, int out, char *bytes)
{
    for (;;) {
        ssize_t length = read(in, bytes, COPY_BYTES);
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return length == 0;
        for (ssize_t done = 0; done < length;) {
            ssize_t written = write(out, bytes + done, (size_t)(length - done));
            if (written < 0 && errno != EINTR)
                return false;
            done += written > 0 ? written : 0;
        }
    }
}

static bool copy_file(int from_fd, int to_fd, const char *name, char *bytes)
{
    struct stat status;
    int in = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (in < 0)
        return false;
    if (fstat(in, &status) != 0 || !S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return close_with(in, false);
    }
    int out = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_copied = out >= 0 && copy_bytes(in, out, bytes);
    if (out >= 0)
        is_copied = close_with(out, is_copied);
    return close_with(in, is_copied);
}

static bool is_of_environment(const char *name)
{
    size_t length = strlen(name);
    return strncmp(name, "__", 2) != 0 &&
           (strncmp(name, "log.", 4) == 0 || (length > 3 && strcmp(name + length - 3, ".db") == 0));
}

bool directory_copy(const char *from, const char *to)
{
    DIR *entries = open_directory(from), *targets = open_directory(to);
    char *bytes = malloc(COPY_BYTES);
    bool is_copied = entries && targets && bytes;
    for (const struct dirent *entry; is_copied && (entry = readdir(entries));)
        if (is_of_environment(entry->d_name))
            is_copied = copy_file(dirfd(entries), dirfd(targets), entry->d_name, bytes);
    int why = errno;
    free(bytes);
    if (targets)
        closedir(targets);
    if (entries)
        closedir(entries);
    errno = why;
    return is_copied;
}
