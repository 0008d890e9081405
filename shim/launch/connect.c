/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's sockets in its runtime directory, for all who ask it something. */
#include "shim/launch/launch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS 5000

static int start_connect(const struct launch_place *place, const char *name, int flags)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = place_file(place, name);
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return -errno;
    /* A full backlog makes connect wait; SO_SNDTIMEO bounds it (unix(7)). */
    struct timeval limit = {CONNECT_MS / 1000, CONNECT_MS % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == EINTR)
            continue;
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int agent_connect(const struct launch_place *place, const char *name)
{
    return start_connect(place, name, 0);
}

int agent_connect_at_once(const struct launch_place *place, const char *name)
{
    return start_connect(place, name, SOCK_NONBLOCK);
}
