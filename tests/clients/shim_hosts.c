/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /etc/hosts below the shim, by every call that opens files: the governed names stand at its end, the descriptor is as
 * the caller asked for, nothing stays open, and whoever writes, or opens by another path, gets the file itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim_check.h"

#define LINE "\n127.77.0.1 api.openai.com\n"

static char text[1 << 20];

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static size_t read_all(int fd)
{
    size_t length = 0;
    ssize_t got;
    while (length + 1 < sizeof text && (got = read(fd, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    return length;
}

static void check_fd(const char *label, int fd, bool is_ours, int flags)
{
    struct stat facts;
    size_t length = read_all(fd);
    bool is_right = fd >= 0 && (strstr(text, LINE) != NULL) == is_ours;
    report(is_right, label, "fd %d, %zu bytes", fd, length);
    report(fstat(fd, &facts) == 0 && (size_t)facts.st_size == length, label, "its size is another");
    report((fcntl(fd, F_GETFL) & O_ACCMODE) == (flags & O_ACCMODE) &&
               (fcntl(fd, F_GETFD) == FD_CLOEXEC) == ((flags & O_CLOEXEC) != 0),
           label, "its flags are others");
    close(fd);
}

static void check_stream(const char *label, FILE *stream, bool is_ours, bool is_cloexec)
{
    size_t length = stream ? fread(text, 1, sizeof text - 1, stream) : 0;
    text[length] = '\0';
    report(stream && (strstr(text, LINE) != NULL) == is_ours, label, "%zu bytes", length);
    report(stream && (fcntl(fileno(stream), F_GETFD) == FD_CLOEXEC) == is_cloexec, label, "close-on-exec");
    if (stream)
        fclose(stream);
}

int main(void)
{
    static const char path[] = "/etc/hosts";
    int before = count_descriptors();
    errno = 4711;
    check_fd("open", open(path, O_RDONLY), true, O_RDONLY);
    report(errno == 4711, "errno is left alone", "errno %d", errno);
    check_fd("open, close-on-exec", open(path, O_RDONLY | O_CLOEXEC), true, O_RDONLY | O_CLOEXEC);
    check_fd("openat", openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW), true, O_RDONLY);
    check_stream("fopen", fopen(path, "r"), true, false);
    check_stream("fopen, close-on-exec", fopen(path, "rbe"), true, true);
    check_fd("another path", open("/etc/../etc/hosts", O_RDONLY), false, O_RDONLY);
    check_stream("another path's stream", fopen("/etc//hosts", "re"), false, true);
    int fd = open(path, O_WRONLY | O_APPEND);
    struct stat real;
    struct stat opened;
    if (fd >= 0)
        report(stat(path, &real) == 0 && fstat(fd, &opened) == 0 && real.st_ino == opened.st_ino,
               "for writing it is the file itself", "another");
    close(fd);
    errno = 0;
    fd = open(path, O_RDONLY | O_DIRECTORY);
    report(fd == -1 && errno == ENOTDIR, "it is no directory", "errno %d", errno);
    report(count_descriptors() == before, "nothing stays open", "%d, before %d", count_descriptors(), before);
    return failures != 0;
}
