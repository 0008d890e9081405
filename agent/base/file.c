/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_write_all(int fd, struct slice contents)
{
    while (contents.length > 0) {
        ssize_t written = write(fd, contents.data, contents.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        contents = slice_from(contents, (size_t)written);
    }
    return true;
}

enum error file_swap(const char *path, struct slice contents, mode_t mode)
{
    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return ERROR_FILE_UNWRITABLE;
    unlink(temporary); /* of a kill between here and the rename: the file has one owner, so it is nobody's */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERROR_FILE_UNWRITABLE;
    bool ok = file_write_all(fd, contents) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temporary, path) == 0)
        return ERROR_OK;
    unlink(temporary);
    return ERROR_FILE_UNWRITABLE;
}

enum error file_sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ERROR_FILE_UNWRITABLE;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok ? ERROR_OK : ERROR_FILE_UNWRITABLE;
}

enum error file_read_into(const char *path, struct buffer *buffer)
{
    enum error error = ERROR_FILE_UNREADABLE;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error;
    for (;;) {
        char *room = buffer_reserve(buffer, 65536);
        if (!room)
            break;
        ssize_t got = read(fd, room, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            error = got == 0 ? ERROR_OK : ERROR_FILE_UNREADABLE;
            break;
        }
        buffer_commit(buffer, (size_t)got);
    }
    close(fd);
    return error;
}
