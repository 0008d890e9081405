/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/events?follow=1: events as JSON lines while they happen. The journal's thread must never wait for a slow
 * reader: it leaves them in a buffer that the call's thread empties, and one who lets it overflow is ended. A busy
 * agent hands over hundreds of events at once, far more than a socket takes.
 */
#include "control/internal.h"

#include "base/check.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAITING_BYTES_MAX = 4 << 20, KEPT_BYTES_MAX = 64 << 10 };

struct follower {
    int fd, wake_fd;
    pthread_mutex_t lock; /* guards the rest; leaf */
    struct buffer waiting;
    bool is_broken; /* too slow, or gone */
};

/* On the journal's thread. */
static void deliver(void *context, struct slice json)
{
    const uint64_t one = 1;
    struct follower *follower = context;
    pthread_mutex_lock(&follower->lock);
    bool was_empty = buffer_length(&follower->waiting) == 0;
    if (!buffer_append(&follower->waiting, json) || !buffer_append(&follower->waiting, SLICE_LITERAL("\n")))
        follower->is_broken = true;
    bool must_wake = was_empty || follower->is_broken;
    pthread_mutex_unlock(&follower->lock);
    if (must_wake)
        (void)!write(follower->wake_fd, &one, sizeof one);
}

/* What the socket takes now. False: it is over. *ret_waits: there is more. */
static bool send_some(struct follower *follower, bool *ret_waits)
{
    pthread_mutex_lock(&follower->lock);
    struct slice waiting = buffer_contents(&follower->waiting);
    ssize_t sent = waiting.length ? send(follower->fd, waiting.data, waiting.length, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (sent > 0)
        buffer_consume(&follower->waiting, (size_t)sent);
    follower->is_broken |= sent < 0 && errno != EAGAIN && errno != EINTR;
    *ret_waits = buffer_length(&follower->waiting) > 0;
    if (!*ret_waits)
        buffer_reset(&follower->waiting, KEPT_BYTES_MAX);
    bool is_open = !follower->is_broken;
    pthread_mutex_unlock(&follower->lock);
    return is_open;
}

/* Until the reader leaves, the agent stops (which ends our reading side), the reader has fallen behind for good, or a
 * reload has taken him off the list. */
static void pass_on(const struct call *call, struct follower *follower)
{
    uint64_t ignored;
    bool waits = false;
    struct pollfd polled[] = {{follower->fd, POLLIN | POLLRDHUP, 0}, {follower->wake_fd, POLLIN, 0}};
    while (control_is_in_audience(call, AUDIENCE_READER) && send_some(follower, &waits)) {
        polled[0].events = (short)(POLLIN | POLLRDHUP | (waits ? POLLOUT : 0));
        int count = poll(polled, 2, -1);
        if (count < 0 && errno != EINTR)
            return;
        if (count > 0 && polled[0].revents & ~POLLOUT)
            return;
        if (count > 0 && polled[1].revents)
            (void)!read(follower->wake_fd, &ignored, sizeof ignored);
    }
}

int control_follow(struct call *call)
{
    static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
    struct follower follower = {.fd = call->fd, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (follower.wake_fd < 0)
        return control_fail(call, ERROR_SYSTEM, NULL);
    call->is_streaming = true;
    pthread_mutex_init(&follower.lock, NULL);
    buffer_init(&follower.waiting, WAITING_BYTES_MAX);
    check(buffer_append(&follower.waiting, slice_of(head)));
    struct journal_follower *following = journal_follow(call->services->journal, deliver, &follower);
    pass_on(call, &follower);
    journal_unfollow(call->services->journal, following);
    buffer_done(&follower.waiting);
    pthread_mutex_destroy(&follower.lock);
    close(follower.wake_fd);
    return 200;
}
