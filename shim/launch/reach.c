/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's own connection to where a program wants to go, so that the program hears the truth about it before
 * the agent has its socket: a socket like the program's, and the question whether a signal waits for the program's
 * thread meanwhile. Called by serve.c; never waits, and changes nothing of the program's.
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

/* What decides where a connect leads, and for how long it is tried. */
static const struct reach_option {
    int level, name;
} reach_options[] = {{SOL_SOCKET, SO_MARK},
                     {IPPROTO_IP, IP_TOS},
                     {IPPROTO_IPV6, IPV6_TCLASS},
                     {IPPROTO_TCP, TCP_SYNCNT},
                     {IPPROTO_TCP, TCP_USER_TIMEOUT}};

union reach_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static uint64_t reach_network(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

static bool reach_copy_options(int from, int to)
{
    for (size_t i = 0; i < sizeof reach_options / sizeof *reach_options; i++) {
        const struct reach_option *option = &reach_options[i];
        int value = socket_option(from, option->level, option->name);
        if (value > 0 && setsockopt(to, option->level, option->name, &value, sizeof value) != 0)
            return false;
    }
    return true;
}

/* The program's source address; not its port, which is taken. */
static bool reach_bind(int from, int to)
{
    union reach_address own;
    socklen_t size = sizeof own;
    int on = 1;
    memset(&own, 0, sizeof own);
    if (getsockname(from, &own.any, &size) != 0)
        return false;
    bool is_bound = own.any.sa_family == AF_INET6 ? !IN6_IS_ADDR_UNSPECIFIED(&own.v6.sin6_addr)
                                                  : own.v4.sin_addr.s_addr != htonl(INADDR_ANY);
    own.v4.sin_port = 0; /* in both families at the same place */
    return !is_bound ||
           (setsockopt(to, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 && bind(to, &own.any, size) == 0);
}

static int reach_connect(int fd, const struct destination *destination)
{
    union reach_address there;
    memset(&there, 0, sizeof there);
    there.any.sa_family = destination->family;
    there.v4.sin_port = htons(destination->port);
    socklen_t size = sizeof there.v4;
    if (destination->family == AF_INET) {
        memcpy(&there.v4.sin_addr, destination->original + 12, 4);
    } else {
        memcpy(&there.v6.sin6_addr, destination->original, 16);
        size = sizeof there.v6;
    }
    return connect(fd, &there.any, size) == 0 ? 0 : errno;
}

/*
 * Can the program's socket come to the agent, on the loopback device of our network? One that is bound to a device
 * cannot, and letting it go for a while would send a later connect another way than the program wanted.
 */
static bool reach_is_fit(const struct pending *pending)
{
    struct in6_addr original;
    memcpy(&original, pending->destination.original, sizeof original);
    bool is_mapped = IN6_IS_ADDR_V4MAPPED(&original);
    if (pending->destination.family == AF_INET6 &&
        ((is_mapped && socket_option(pending->fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0) ||
         !socket_can_be_mapped(pending->fd)))
        return false;
    return socket_option(pending->fd, SOL_SOCKET, SO_BINDTOIFINDEX) <= 0;
}

int reach_start(struct pending *pending)
{
    if (!reach_is_fit(pending))
        return REACH_UNFIT;
    int fd = socket(pending->destination.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0)
        return REACH_UNFIT;
    int error = REACH_UNFIT;
    if (reach_network(fd) == reach_network(pending->fd) && reach_copy_options(pending->fd, fd) &&
        reach_bind(pending->fd, fd))
        error = reach_connect(fd, &pending->destination);
    if (error == 0 || error == EINPROGRESS)
        pending->upstream = fd;
    else
        close(fd);
    return error;
}

long long reach_patience_ms(int fd)
{
    struct timeval own = {0, 0};
    socklen_t size = sizeof own;
    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &own, &size);
    long long ms = own.tv_sec * 1000LL + (own.tv_usec + 999) / 1000;
    return ms > 0 ? ms : REACH_FOREVER_MS;
}

/*
 * A thread that waits for us can be killed, but hears of no other signal before it has our answer. Of those that came
 * to the whole process the kernel gives the first thread its share, unless it blocks them; another thread's share
 * cannot be seen from here.
 */
bool reach_is_interrupted(pid_t thread)
{
    char path[40], line[160];
    uint64_t own = 0, shared = 0, blocked = 0, ignored = 0;
    int process = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "Tgid: %d", &process);
        sscanf(line, "SigPnd: %" SCNx64, &own);
        sscanf(line, "ShdPnd: %" SCNx64, &shared);
        sscanf(line, "SigBlk: %" SCNx64, &blocked);
        sscanf(line, "SigIgn: %" SCNx64, &ignored);
    }
    if (file)
        fclose(file);
    return ((own | (process == thread ? shared : 0)) & ~blocked & ~ignored) != 0;
}
