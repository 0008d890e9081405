/* SPDX-License-Identifier: Apache-2.0 */
/* See internal.h: the Unix socket that shims talk to. */
#include "identity/internal.h"

#include "base/check.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool bind_path(struct endpoint *endpoint, mode_t mode)
{
    const char *path = endpoint->address.sun_path;
    if (unlink(path) != 0 && errno != ENOENT)
        return false;
    /* The path is born with the descriptor's mode (less the umask): never wider than asked for. */
    struct stat status;
    if (fchmod(endpoint->fd, mode) != 0 ||
        bind(endpoint->fd, (struct sockaddr *)&endpoint->address, sizeof endpoint->address) != 0 ||
        chmod(path, mode) != 0 || lstat(path, &status) != 0)
        return false;
    endpoint->device = status.st_dev;
    endpoint->inode = status.st_ino;
    return true;
}

bool endpoint_open(struct endpoint *endpoint, const char *path, int type, mode_t mode)
{
    *endpoint = (struct endpoint){.fd = -1, .address.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof endpoint->address.sun_path)
        return false;
    memcpy(endpoint->address.sun_path, path, length);
    endpoint->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (endpoint->fd >= 0 && bind_path(endpoint, mode))
        return true;
    endpoint_close(endpoint);
    return false;
}

void endpoint_close(struct endpoint *endpoint)
{
    struct stat status;
    if (endpoint->inode != 0 && lstat(endpoint->address.sun_path, &status) == 0 && status.st_dev == endpoint->device &&
        status.st_ino == endpoint->inode)
        unlink(endpoint->address.sun_path);
    if (endpoint->fd >= 0)
        close(endpoint->fd);
    *endpoint = (struct endpoint){.fd = -1};
}

bool endpoint_wait(int fd, int stop_fd)
{
    struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
    while (poll(polls, 2, -1) < 0)
        check(errno == EINTR);
    return polls[1].revents == 0;
}
