/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
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

/* A name that nobody else has, or can foresee. */
static int open_temporary(struct file_draft *draft)
{
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return -1;
    int length =
        snprintf(draft->temporary, sizeof draft->temporary, "%s.%016llx.new", draft->path, (unsigned long long)number);
    if (length < 0 || (size_t)length >= sizeof draft->temporary)
        return -1;
    return open(draft->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Where the file system knows no files without a name (NFS), a kill leaves PATH.NUMBER.new. */
enum error file_draft_open(const char *path, struct file_draft *ret_draft)
{
    struct file_draft *draft = ret_draft;
    char folder[sizeof draft->path];
    int length = snprintf(draft->path, sizeof draft->path, "%s", path);
    draft->fd = -1;
    draft->is_named = false;
    if (length < 0 || (size_t)length >= sizeof draft->path)
        return ERROR_FILE_UNWRITABLE;
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    *(slash && slash != folder ? slash : slash ? slash + 1 : folder) = '\0';
    draft->fd = open(*folder ? folder : ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (draft->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        draft->fd = open_temporary(draft);
        draft->is_named = draft->fd >= 0;
    }
    return draft->fd < 0 ? ERROR_FILE_UNWRITABLE : ERROR_OK;
}

static bool link_draft(const struct file_draft *draft)
{
    char file[64];
    snprintf(file, sizeof file, "/proc/self/fd/%d", draft->fd);
    return draft->is_named ? link(draft->temporary, draft->path) == 0
                           : linkat(AT_FDCWD, file, AT_FDCWD, draft->path, AT_SYMLINK_FOLLOW) == 0;
}

enum error file_draft_publish(struct file_draft *draft, mode_t mode)
{
    bool ok = fchmod(draft->fd, mode) == 0 && fsync(draft->fd) == 0 && link_draft(draft);
    file_draft_discard(draft);
    return ok ? ERROR_OK : ERROR_FILE_UNWRITABLE;
}

void file_draft_discard(struct file_draft *draft)
{
    if (draft->fd < 0)
        return;
    if (draft->is_named)
        unlink(draft->temporary);
    close(draft->fd);
    draft->fd = -1;
}

static bool is_directory(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(status.st_mode);
}

bool file_make_directory(const char *path, mode_t mode)
{
    char part[4096];
    const size_t length = strlen(path);
    if (length >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, length + 1);
    for (char *slash = part + 1; *part && (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        if (!is_directory(part) && mkdir(part, mode) != 0 && errno != EEXIST)
            return false;
    }
    return is_directory(path) || mkdir(path, mode) == 0 || (errno == EEXIST && is_directory(path));
}

int file_find_obstacle(const char *directory)
{
    char part[4096];
    struct stat status;
    if (snprintf(part, sizeof part, "%s", directory) >= (int)sizeof part)
        return ENAMETOOLONG;
    while (stat(part, &status) != 0) {
        char *slash = strrchr(part, '/');
        if (errno != ENOENT || !slash)
            return errno;
        *(slash == part ? slash + 1 : slash) = '\0';
    }
    if (!S_ISDIR(status.st_mode))
        return ENOTDIR;
    return access(part, W_OK | X_OK) == 0 ? 0 : errno;
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
