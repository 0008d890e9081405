/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See stderr.h. O_NONBLOCK is a flag of the open file, which is the shell's, the supervisor's and their other
 * programs', too: a pipe or a terminal is opened anew (proc(5), /proc/PID/fd), and a socket asked not to wait with each
 * message. What another user has opened cannot be opened anew: then a look comes before each write, under a lock.
 */
#include "base/stderr.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static enum way { WAY_DIRECT, WAY_SOCKET, WAY_LOOK } way;     /* set while there is one thread */
static pthread_mutex_t look_lock = PTHREAD_MUTEX_INITIALIZER; /* a leaf */

static bool open_anew(void)
{
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool is_done = dup2(fd, STDERR_FILENO) == STDERR_FILENO;
    close(fd);
    return is_done;
}

static enum way find_way(void)
{
    struct stat status;
    if (fstat(STDERR_FILENO, &status) != 0 || S_ISREG(status.st_mode))
        return WAY_DIRECT;
    if (S_ISSOCK(status.st_mode))
        return WAY_SOCKET;
    return open_anew() ? WAY_DIRECT : WAY_LOOK;
}

/* POLLOUT of a pipe: it has room for PIPE_BUF bytes (pipe(7)); of a terminal: for one. POLLERR: nobody is left to wait
 * for. */
static ssize_t look_and_write(struct slice bytes)
{
    struct pollfd polled = {STDERR_FILENO, POLLOUT, 0};
    const size_t part = isatty(STDERR_FILENO) ? 1 : bytes.length;
    size_t at = 0;
    pthread_mutex_lock(&look_lock);
    while (at < bytes.length && poll(&polled, 1, 0) > 0 && write(STDERR_FILENO, bytes.data + at, part) > 0)
        at += part;
    pthread_mutex_unlock(&look_lock);
    return (ssize_t)at;
}

size_t stderr_write(struct slice bytes)
{
    ssize_t length;
    if (way == WAY_SOCKET)
        length = send(STDERR_FILENO, bytes.data, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (way == WAY_LOOK)
        length = look_and_write(bytes);
    else
        length = write(STDERR_FILENO, bytes.data, bytes.length);
    return length < 0 ? 0 : (size_t)length;
}

/* stdio's: what is lost is not asked for again. */
static ssize_t write_cookie(void *cookie, const char *data, size_t length)
{
    (void)cookie;
    for (size_t at = 0, part; at < length; at += part) {
        part = length - at < PIPE_BUF ? length - at : PIPE_BUF;
        if (stderr_write((struct slice){data + at, part}) < part)
            break;
    }
    return (ssize_t)length;
}

void stderr_take(void)
{
    static FILE *stream;
    way = find_way();
    if (stream)
        return;
    stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_cookie});
    if (!stream)
        return;
    setvbuf(stream, NULL, _IONBF, 0);
    stderr = stream; /* in the GNU C library a variable (its manual, 12.2) */
}
