/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes whole small files (bounded, never blocking on a FIFO or a device, complete or not at all), and finds
 * things in what was read.
 */
#include "config/node.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* One byte more than allowed is asked for, so that a file that grows between fstat and read is noticed. */
enum error file_read_open(int fd, size_t bytes_max, struct arena *arena, char **ret_bytes, size_t *ret_length)
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
    *ret_bytes = bytes;
    *ret_length = length;
    return ERROR_OK;
}

enum error file_read(const char *file, size_t bytes_max, struct arena *arena, char **ret_bytes, size_t *ret_length)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return ERROR_FILE_UNREADABLE;
    enum error error = file_read_open(fd, bytes_max, arena, ret_bytes, ret_length);
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return error;
}

static bool write_new(int directory_fd, const char *name, struct slice bytes)
{
    unlinkat(directory_fd, name, 0); /* what a crash may have left */
    int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool ok = file_write_all(fd, bytes) && fsync(fd) == 0;
    return close(fd) == 0 && ok;
}

/* A rename is on disk with its directory. */
enum error file_replace(const char *file, struct slice bytes)
{
    char folder[PATH_MAX], temporary[NAME_MAX + 1];
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    int folder_length =
        snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file) + 1 : 1, slash ? file : ".");
    int length = snprintf(temporary, sizeof temporary, ".%s.new", name);
    if (folder_length >= (int)sizeof folder || length >= (int)sizeof temporary)
        return ERROR_FILE_UNWRITABLE;
    int directory_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        return ERROR_FILE_UNWRITABLE;
    bool ok = write_new(directory_fd, temporary, bytes) && renameat(directory_fd, temporary, directory_fd, name) == 0;
    if (!ok)
        unlinkat(directory_fd, temporary, 0);
    ok = ok && fsync(directory_fd) == 0;
    close(directory_fd);
    return ok ? ERROR_OK : ERROR_FILE_UNWRITABLE;
}

struct slice document_line(struct document *document, unsigned line)
{
    if (line < document->cursor_line || document->cursor_line == 0) {
        document->cursor_line = 1;
        document->cursor = 0;
    }
    struct slice rest = slice_from(document->text, document->cursor);
    while (document->cursor_line < line) {
        const char *end = rest.length ? memchr(rest.data, '\n', rest.length) : NULL;
        if (!end)
            return (struct slice){rest.data, 0};
        rest = slice_from(rest, (size_t)(end - rest.data) + 1);
        document->cursor_line++;
        document->cursor = document->text.length - rest.length;
    }
    const char *end = rest.length ? memchr(rest.data, '\n', rest.length) : NULL;
    rest.length = end ? (size_t)(end - rest.data) : rest.length;
    if (rest.length && rest.data[rest.length - 1] == '\r')
        rest.length--;
    return rest;
}

const struct node *node_member(const struct node *mapping, const char *name)
{
    if (!mapping || mapping->kind != NODE_MAPPING)
        return NULL;
    for (const struct node *child = mapping->first; child; child = child->next)
        if (node_is(child->key, name))
            return child;
    return NULL;
}

bool node_is(const struct node *node, const char *text)
{
    return node && node->kind == NODE_SCALAR && slice_is(node->text, text);
}

const struct node *node_list(const struct node *root, const char *section, const char *name)
{
    const struct node *list = node_member(section ? node_member(root, section) : root, name);
    return list && list->kind == NODE_SEQUENCE ? list : NULL;
}

const struct node *node_first(const struct node *list, size_t count)
{
    return list && list->kind == NODE_SEQUENCE && list->count == count ? list->first : NULL;
}

const struct node *node_value(const struct node *mapping, const char *name)
{
    const struct node *value = node_member(mapping, name);
    return value ? value : mapping;
}
