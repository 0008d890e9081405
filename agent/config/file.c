/* SPDX-License-Identifier: Apache-2.0 */
/* Reads whole small files: bounded, never blocking on a FIFO or a device, complete or not at all. */
#include "config/node.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* One byte more than allowed is asked for, so that a file that grows between fstat and read is noticed. */
static enum error read_all(int fd, size_t bytes_max, struct arena *arena, struct slice *ret_bytes)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return ERROR_FILE_UNREADABLE;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return ERROR_FILE_UNREADABLE;
    }
    if ((uint64_t)status.st_size > bytes_max) {
        errno = EFBIG;
        return ERROR_FILE_UNREADABLE;
    }
    size_t size = (size_t)status.st_size, length = 0;
    char *bytes = arena_alloc(arena, size + 2);
    while (length <= size) {
        ssize_t got = read(fd, bytes + length, size + 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERROR_FILE_UNREADABLE;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    if (length > size) {
        errno = EAGAIN;
        return ERROR_FILE_UNREADABLE;
    }
    bytes[length] = '\0';
    *ret_bytes = (struct slice){bytes, length};
    return ERROR_OK;
}

enum error file_read(const char *file, size_t bytes_max, struct arena *arena, struct slice *ret_bytes)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return ERROR_FILE_UNREADABLE;
    enum error error = read_all(fd, bytes_max, arena, ret_bytes);
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return error;
}
