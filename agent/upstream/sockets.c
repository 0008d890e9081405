/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's sockets as watches of the loop. libcurl drops its interest in a connection after every answer and takes it
 * up again with the next request: two epoll_ctl per request, 3 µs. So a connection stays registered while nobody is
 * interested, and is taken out only when it becomes ready meanwhile (the provider closed it) or is closed. Only sockets
 * that answer.c opened are kept so, because only their closing is told to us.
 */
#include "upstream/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct upstream_socket {
    struct watch watch;
    struct upstream *upstream;
    bool is_registered, is_wanted;
};

static struct upstream_socket *sockets_find(const struct upstream *upstream, int fd)
{
    return (size_t)fd < upstream->socket_capacity ? upstream->sockets[fd] : NULL;
}

static void forget(struct upstream *upstream, struct upstream_socket *known)
{
    if (known->is_registered)
        watch_remove(upstream->loop, &known->watch);
    upstream->sockets[known->watch.fd] = NULL;
    free(known);
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct upstream_socket *ready = list_entry(watch, struct upstream_socket, watch);
    int bits = 0;
    if (!ready->is_wanted) {
        watch_remove(ready->upstream->loop, watch);
        ready->is_registered = false;
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
        bits |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        bits |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        bits |= CURL_CSELECT_ERR;
    upstream_enter(ready->upstream, watch->fd, bits);
}

static struct upstream_socket *track(struct upstream *upstream, int fd)
{
    size_t capacity = upstream->socket_capacity ? upstream->socket_capacity : 64;
    while (capacity <= (size_t)fd)
        capacity *= 2;
    if (capacity > upstream->socket_capacity) {
        upstream->sockets = realloc(upstream->sockets, capacity * sizeof *upstream->sockets);
        check(upstream->sockets != NULL);
        for (size_t i = upstream->socket_capacity; i < capacity; i++)
            upstream->sockets[i] = NULL;
        upstream->socket_capacity = capacity;
    }
    struct upstream_socket *fresh = calloc(1, sizeof *fresh);
    check(fresh != NULL);
    fresh->upstream = upstream;
    fresh->watch = (struct watch){.fd = fd, .ready = socket_ready};
    return upstream->sockets[fd] = fresh;
}

void upstream_socket_opened(struct upstream *upstream, int fd)
{
    check(sockets_find(upstream, fd) == NULL);
    track(upstream, fd);
}

int upstream_socket_close(void *context, curl_socket_t fd)
{
    struct upstream *upstream = context;
    struct upstream_socket *known = sockets_find(upstream, fd);
    if (known)
        forget(upstream, known);
    return close(fd);
}

static void want(struct upstream_socket *known, uint32_t events)
{
    struct loop *loop = known->upstream->loop;
    bool changes = known->watch.events != events;
    known->watch.events = events;
    known->is_wanted = true;
    if (!known->is_registered)
        watch_add(loop, &known->watch);
    else if (changes)
        watch_change(loop, &known->watch);
    known->is_registered = true;
}

/* `opened_elsewhere`: libcurl's own pair to its resolver thread. It is marked by curl_multi_assign, and forgotten at
 * once when libcurl is done with it. */
int upstream_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *context, void *opened_elsewhere)
{
    (void)easy;
    struct upstream *upstream = context;
    struct upstream_socket *known = sockets_find(upstream, fd);
    if (what == CURL_POLL_REMOVE) {
        if (known && opened_elsewhere)
            forget(upstream, known);
        else if (known)
            known->is_wanted = false;
        return 0;
    }
    if (!known) {
        known = track(upstream, fd);
        check(curl_multi_assign(upstream->multi, fd, known) == CURLM_OK);
    }
    want(known, (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0));
    return 0;
}

void upstream_sockets_done(struct upstream *upstream)
{
    for (size_t fd = 0; fd < upstream->socket_capacity; fd++)
        check(upstream->sockets[fd] == NULL); /* libcurl has closed them all */
    free(upstream->sockets);
}
