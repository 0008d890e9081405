/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that fails once: preloaded into the agent by 37-settle-fails-once.sh. While the file $FAIL_ONCE exists, the
 * next call it names ("write" or "sync", a space, an errno) on a file of the ledger fails with that errno, and the file
 * is gone. All else passes through. Straight system calls, so that no sanitizer's wrapper is in between.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_ledger(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return strstr(path, "/ledger/") != NULL;
}

/* True when this call is the one; errno is set. */
static bool fails(const char *call, int fd)
{
    const char *order = getenv("FAIL_ONCE");
    char wanted[16];
    int why;
    if (!order || access(order, F_OK) != 0 || !is_ledger(fd))
        return false;
    FILE *file = fopen(order, "re");
    if (!file)
        return false;
    bool is_it = fscanf(file, "%15s %d", wanted, &why) == 2 && strcmp(wanted, call) == 0;
    fclose(file);
    if (!is_it || unlink(order) != 0)
        return false;
    errno = why;
    return true;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return fails("write", fd) ? -1 : syscall(SYS_write, fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return fails("write", fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite(fd, bytes, length, offset);
}

int fdatasync(int fd)
{
    return fails("sync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fails("sync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}
