/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a failed fdatasync leaves behind: pages that Linux has marked clean although the disk does not have them. A
 * start that recovers from them and syncs what depends on them would lose both at the next power cut (found by the
 * sweep of failing syncs), so they are made dirty again and synced first. Called by store.c.
 */
#include "store/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20 };
static const char doubt_name[] = "unsynced";

void store_doubt(const char *directory)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", directory, doubt_name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        close(fd);
}

/* Holes in a file, or a file system that never overwrites in place, may need room. */
static bool write_chunk(struct store *store, int fd, const char *chunk, size_t length, off_t offset)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = pwrite(fd, chunk + done, length - done, offset + (off_t)done);
        if (written < 0 && errno != EINTR && !(errno == ENOSPC && store_release_ballast(store)))
            return false;
        done += written > 0 ? (size_t)written : 0;
    }
    return true;
}

static bool write_file_again(struct store *store, int fd, char *chunk)
{
    ssize_t length;
    for (off_t offset = 0; (length = pread(fd, chunk, CHUNK_BYTES, offset)) > 0; offset += length)
        if (!write_chunk(store, fd, chunk, (size_t)length, offset))
            return false;
    return length == 0 && fdatasync(fd) == 0;
}

static bool is_of_environment(const char *name)
{
    size_t length = strlen(name);
    return strncmp(name, "log.", 4) == 0 || (length > 3 && strcmp(name + length - 3, ".db") == 0);
}

static bool write_all_again(struct store *store, DIR *entries, char *chunk)
{
    const struct dirent *entry;
    bool is_written = true;
    while (is_written && (entry = readdir(entries))) {
        if (!is_of_environment(entry->d_name))
            continue;
        int fd = openat(dirfd(entries), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        is_written = fd >= 0 && write_file_again(store, fd, chunk);
        if (!is_written)
            snprintf(store->message, sizeof store->message, "%s: %s", entry->d_name, strerrordesc_np(errno));
        if (fd >= 0)
            close(fd);
    }
    return is_written && fsync(dirfd(entries)) == 0 && unlinkat(dirfd(entries), doubt_name, 0) == 0;
}

bool store_write_again(struct store *store)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", store->directory, doubt_name);
    if (access(path, F_OK) != 0)
        return true;
    DIR *entries = opendir(store->directory);
    char *chunk = malloc(CHUNK_BYTES);
    bool is_written = entries && chunk && write_all_again(store, entries, chunk);
    int why = errno;
    free(chunk);
    if (entries)
        closedir(entries);
    errno = why;
    return is_written;
}
