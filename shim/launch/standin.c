/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket in place of the program's own, for the one kind that cannot come to the agent itself: bound to an IPv6
 * source, it speaks IPv6 for ever, and the agent has IPv4 alone. Called by serve.c and reach.c. The program's keeps its
 * number, flags and the options of the table; what it does not keep is a registration with epoll that was made before
 * the connect, and copies of the descriptor, which is why no other socket is replaced.
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

static const struct standin_option {
    int level, name;
} standin_options[] = {{SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_REUSEADDR},     {SOL_SOCKET, SO_OOBINLINE},
                       {SOL_SOCKET, SO_RCVTIMEO},  {SOL_SOCKET, SO_SNDTIMEO},      {SOL_SOCKET, SO_LINGER},
                       {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_KEEPIDLE},    {IPPROTO_TCP, TCP_KEEPINTVL},
                       {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_TCP, TCP_USER_TIMEOUT}};

static void standin_copy_options(int from, int to)
{
    for (size_t i = 0; i < sizeof standin_options / sizeof *standin_options; i++) {
        const struct standin_option *option = &standin_options[i];
        char value[sizeof(struct timeval)];
        socklen_t size = sizeof value;
        if (getsockopt(from, option->level, option->name, value, &size) == 0)
            setsockopt(to, option->level, option->name, value, size);
    }
}

/* Ours would be another user's, or in another network. */
static bool standin_is_possible(int fd, int other)
{
    struct stat own, others;
    return fstat(fd, &own) == 0 && fstat(other, &others) == 0 && own.st_uid == others.st_uid &&
           socket_network(fd) == socket_network(other) && socket_option(fd, SOL_SOCKET, SO_BINDTOIFINDEX) <= 0;
}

bool standin_make(struct pending *pending)
{
    if (pending->destination.family == AF_INET || socket_can_be_mapped(pending->fd))
        return true;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return false;
    if (!standin_is_possible(pending->fd, fd) || !socket_can_be_mapped(fd) ||
        fcntl(fd, F_SETFL, fcntl(pending->fd, F_GETFL)) != 0) {
        close(fd);
        return false;
    }
    standin_copy_options(pending->fd, fd);
    socklen_t size = sizeof pending->cookie;
    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &pending->cookie, &size);
    pending->standin = fd;
    return true;
}

static bool standin_closes_on_exec(pid_t thread, int number)
{
    char path[60], line[100];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)thread, number);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "flags: %o", &flags) != 1)
        ;
    if (file)
        fclose(file);
    return flags & O_CLOEXEC;
}

int standin_put(int listener, const struct seccomp_notif *call, const struct pending *pending)
{
    pid_t thread = (pid_t)call->pid;
    int number = (int)call->data.args[0];
    if (pending->standin < 0)
        return 0;
    if (!socket_is_of(pending->fd, thread, number))
        return EBADF; /* closed meanwhile, by another thread */
    struct seccomp_notif_addfd put = {.id = call->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                      .srcfd = (uint32_t)pending->standin,
                                      .newfd = (uint32_t)number,
                                      .newfd_flags = standin_closes_on_exec(thread, number) ? O_CLOEXEC : 0};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &put) >= 0 ? 0 : errno;
}
