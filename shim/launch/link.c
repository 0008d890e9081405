/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two supervising processes say to each other, and how they let go of what they inherited. Messages travel on
 * a pair of SOCK_SEQPACKET, descriptors with them. Used by supervise.c and front.c.
 */
#include "shim/launch/supervise.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the link ---- */

int link_raise(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return raised;
}

bool link_open(int ret_ends[2])
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    ret_ends[0] = link_raise(ends[0]);
    ret_ends[1] = link_raise(ends[1]);
    return ret_ends[0] >= 0 && ret_ends[1] >= 0;
}

bool link_send(int link, struct link_message message, const int *fds, size_t fd_count)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(2 * sizeof *fds)] = {0};
    struct iovec bytes = {&message, sizeof message};
    struct msghdr envelope = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (fd_count > 0) {
        envelope.msg_control = room;
        envelope.msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
        struct cmsghdr *head = CMSG_FIRSTHDR(&envelope);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
        memcpy(CMSG_DATA(head), fds, fd_count * sizeof *fds);
    }
    return sendmsg(link, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof message;
}

bool link_receive(int link, struct link_message *ret_message, int *ret_fds, size_t fd_count)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(2 * sizeof *ret_fds)] = {0};
    struct link_message message;
    struct iovec bytes = {&message, sizeof message};
    struct msghdr envelope = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    if (recvmsg(link, &envelope, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof message)
        return false;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&envelope);
    if (fd_count > 0 && head && head->cmsg_len == CMSG_LEN(fd_count * sizeof *ret_fds)) {
        memcpy(ret_fds, CMSG_DATA(head), fd_count * sizeof *ret_fds);
        for (size_t i = 0; i < fd_count; i++)
            ret_fds[i] = link_raise(ret_fds[i]);
    }
    *ret_message = message;
    return true;
}

/* ---- what a supervising process is ---- */

static int detach_compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* A pipe whose other end waits for its last writer, a lock, a mount: none must hang on us. */
void supervise_detach(const int *kept, size_t count)
{
    int sorted[8];
    memcpy(sorted, kept, count * sizeof *kept);
    qsort(sorted, count, sizeof *sorted, detach_compare);
    unsigned next = STDERR_FILENO + 1;
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)sorted[i] > next)
            close_range(next, (unsigned)sorted[i] - 1, 0);
        next = (unsigned)sorted[i] + 1;
    }
    close_range(next, ~0u, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (null < 0)
            close(fd);
        else if (fd != null)
            dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
    if (chdir("/") != 0)
        return; /* as it was: at worst a mount is busy */
}
