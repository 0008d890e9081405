/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own socket, in the supervisor's hands: a copy of its descriptor, questions about it, and the connect
 * that is made on it. Called by serve.c. Nothing is changed but what says so.
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

enum { SOCKET_DIAL_US = 1000 };

/* Thread ids are no process ids: pidfd_open wants the latter. 0: it is gone. */
static pid_t socket_find_process(pid_t thread)
{
    char path[40], line[128];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "Tgid: %d", &pid) != 1)
        ;
    if (file)
        fclose(file);
    return pid;
}

static int socket_copy(int process, int number)
{
    if (process < 0)
        return -errno;
    int fd = pidfd_getfd(process, number, 0);
    int error = errno;
    close(process);
    return fd >= 0 ? fd : -error;
}

/* Its table of descriptors may be one of its own. */
bool socket_is_of(int fd, pid_t thread, int number)
{
    char path[60];
    struct stat ours, theirs;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)thread, number);
    return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

/* Before Linux 6.9 only of the process's first thread, which may have ended, or have another table of descriptors. */
static int socket_copy_from_first(pid_t process, pid_t thread, int number)
{
    int fd = socket_copy(pidfd_open(process, 0), number);
    if (fd >= 0 && socket_is_of(fd, thread, number))
        return fd;
    if (fd >= 0)
        close(fd);
    return -ESRCH;
}

int socket_borrow(const struct seccomp_notif *call, pid_t *ret_pid)
{
    pid_t thread = (pid_t)call->pid;
    int number = (int)call->data.args[0];
    int process = pidfd_open(thread, 0);
    *ret_pid = thread;
    if (process >= 0)
        return socket_copy(process, number);
    *ret_pid = socket_find_process(thread);
    int own = pidfd_open(thread, PIDFD_THREAD);
    return own >= 0 ? socket_copy(own, number) : socket_copy_from_first(*ret_pid, thread, number);
}

int socket_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

/* One question for two: of all sockets only those of TCP, MPTCP among them, have the option. */
int socket_tcp_state(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info.tcpi_state; /* which comes first */
    memset(&info, 0, sizeof info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_state : -1;
}

/* A V6ONLY socket cannot reach a mapped address; clearing is legal before bind. */
bool socket_can_be_mapped(int fd)
{
    int off = 0;
    return socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0 ||
           setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
}

uint64_t socket_network(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

int socket_to_connect(const struct pending *pending)
{
    return pending->standin >= 0 ? pending->standin : pending->fd;
}

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* The agent's, in the socket's family. */
static socklen_t socket_find_agent(const struct pending *pending, union socket_address *ret_address)
{
    const struct sockaddr_in *agent = &pending->agent;
    if (pending->destination.family == AF_INET) {
        ret_address->v4 = *agent;
        return sizeof ret_address->v4;
    }
    ret_address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = agent->sin_port};
    memset(ret_address->v6.sin6_addr.s6_addr + 10, 0xff, 2);
    memcpy(ret_address->v6.sin6_addr.s6_addr + 12, &agent->sin_addr, 4);
    return sizeof ret_address->v6;
}

/*
 * On a blocking socket, too, without touching O_NONBLOCK, which all copies of the descriptor share: loopback connects
 * at once unless the agent's backlog is full, and SO_SNDTIMEO bounds that. EINPROGRESS then means: later.
 */
int socket_dial(const struct pending *pending)
{
    struct timeval own = {0, 0}, brief = {0, SOCKET_DIAL_US};
    socklen_t size = sizeof own;
    int fd = socket_to_connect(pending);
    if (pending->is_blocking) {
        getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &own, &size);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof brief);
    }
    union socket_address agent;
    socklen_t length = socket_find_agent(pending, &agent);
    int error = connect(fd, &agent.any, length) == 0 ? 0 : errno;
    if (pending->is_blocking)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &own, sizeof own);
    return error;
}

/* connect has no flag that says so, a send that opens has (tcp(7), MSG_FASTOPEN). Nothing is sent. */
int socket_begin(const struct pending *pending)
{
    union socket_address agent;
    socklen_t length = socket_find_agent(pending, &agent);
    if (sendto(socket_to_connect(pending), "", 0, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, &agent.any, length) >= 0)
        return 0;
    return errno == EOPNOTSUPP ? socket_dial(pending) : errno; /* net.ipv4.tcp_fastopen is off */
}

bool socket_is_shut(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    return poll(&end, 1, 0) == 1 && (end.revents & POLLRDHUP);
}

void socket_forget(int fd)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    if (connect(fd, &nobody, sizeof nobody) == 0)
        socket_option(fd, SOL_SOCKET, SO_ERROR); /* that it was cut off is our doing */
}
