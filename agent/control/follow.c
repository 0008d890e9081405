/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/events?follow=1: events as JSON lines while they happen. The journal's thread must never wait for a slow
 * reader: what does not fit into its socket ends the stream.
 */
#include "control/internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct follower {
    int fd;
    bool is_broken;
};

static void deliver(void *context, struct slice json)
{
    struct follower *follower = context;
    const struct iovec parts[] = {{(void *)(uintptr_t)json.data, json.length}, {(void *)(uintptr_t) "\n", 1}};
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = 2};
    if (follower->is_broken)
        return;
    if (sendmsg(follower->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)json.length + 1) {
        follower->is_broken = true;
        shutdown(follower->fd, SHUT_RDWR);
    }
}

int control_follow(struct call *call)
{
    static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
    const int buffer_bytes = 1 << 20;
    struct follower follower = {.fd = call->fd};
    call->is_streaming = true;
    setsockopt(call->fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    struct journal_follower *following = journal_follow(call->services->journal, deliver, &follower);
    if (send(call->fd, head, sizeof head - 1, MSG_NOSIGNAL) == (ssize_t)sizeof head - 1) {
        struct pollfd polled = {call->fd, POLLIN | POLLRDHUP, 0};
        while (poll(&polled, 1, -1) < 0 && errno == EINTR)
            ;
    }
    journal_unfollow(call->services->journal, following);
    return 200;
}
