/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's multi handle on a loop: its sockets are our watches, its deadline is our timer. Everything that enters
 * libcurl and may run handlers is here: a socket is ready, a deadline passed, a transfer resumes. After each of them
 * upstream_settle does what was put off.
 */
#include "upstream/internal.h"

#include "base/check.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { CONNECTIONS_KEPT_MAX = 256 /* idle ones, per loop */ };

struct upstream_socket {
    struct watch watch;
    struct list node; /* in idle_sockets */
    struct upstream *upstream;
};

/* Handlers are told `done` here: they may start, resume and cancel whatever they like meanwhile. */
void upstream_settle(struct upstream *upstream)
{
    int left;
    check(upstream->depth == 0);
    for (;;) {
        CURLMsg *message = NULL;
        struct upstream_transfer *transfer = NULL;
        if (!list_is_empty(&upstream->cancelled)) {
            transfer = list_entry(upstream->cancelled.next, struct upstream_transfer, action);
            transfer_finish(transfer, CURLE_ABORTED_BY_CALLBACK);
        } else if (!list_is_empty(&upstream->starting)) {
            transfer = list_entry(upstream->starting.next, struct upstream_transfer, action);
            list_remove(&transfer->action);
            transfer_add(transfer);
        } else if (!list_is_empty(&upstream->failed)) {
            transfer = list_entry(upstream->failed.next, struct upstream_transfer, action);
            transfer_finish(transfer, CURLE_OK);
        } else if ((message = curl_multi_info_read(upstream->multi, &left))) {
            char *pointer = NULL;
            CURLcode code = message->data.result;
            check(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &pointer) == CURLE_OK);
            transfer_finish((struct upstream_transfer *)(void *)pointer, code);
        } else {
            return;
        }
    }
}

static void enter(struct upstream *upstream, curl_socket_t fd, int bits)
{
    int running;
    upstream->depth++;
    check(curl_multi_socket_action(upstream->multi, fd, bits, &running) == CURLM_OK);
    upstream->depth--;
    upstream_settle(upstream);
}

static void socket_ready(struct watch *watch, uint32_t events)
{
    struct upstream_socket *ready = list_entry(watch, struct upstream_socket, watch);
    int bits = 0;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
        bits |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        bits |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        bits |= CURL_CSELECT_ERR;
    enter(ready->upstream, watch->fd, bits);
}

static void timeout_expired(struct timer *timer)
{
    enter(list_entry(timer, struct upstream, timeout), CURL_SOCKET_TIMEOUT, 0);
}

static void wake_expired(struct timer *timer)
{
    struct upstream *upstream = list_entry(timer, struct upstream, wake);
    struct list batch = upstream->resuming; /* those that pause and resume again wait for the next time */
    if (!list_is_empty(&upstream->resuming)) {
        batch.next->previous = batch.previous->next = &batch;
        list_init(&upstream->resuming);
        while (!list_is_empty(&batch)) {
            struct upstream_transfer *transfer = list_entry(batch.next, struct upstream_transfer, action);
            list_remove(&transfer->action);
            transfer_unpause(transfer);
        }
    }
    upstream_settle(upstream);
}

void upstream_wake(struct upstream *upstream)
{
    if (upstream->wake.heap_index == 0)
        timer_arm(upstream->loop, &upstream->wake, 0);
}

static uint32_t wanted_events(int what)
{
    return (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
}

static struct upstream_socket *take_socket(struct upstream *upstream)
{
    if (!list_is_empty(&upstream->idle_sockets)) {
        struct upstream_socket *idle = list_entry(upstream->idle_sockets.next, struct upstream_socket, node);
        list_remove(&idle->node);
        return idle;
    }
    struct upstream_socket *fresh = calloc(1, sizeof *fresh);
    check(fresh != NULL);
    fresh->upstream = upstream;
    list_init(&fresh->node);
    return fresh;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_pointer)
{
    (void)easy;
    struct upstream *upstream = context;
    struct upstream_socket *known = socket_pointer;
    if (what == CURL_POLL_REMOVE) {
        if (known) {
            watch_remove(upstream->loop, &known->watch);
            curl_multi_assign(upstream->multi, fd, NULL);
            list_append(&upstream->idle_sockets, &known->node);
        }
    } else if (known) {
        known->watch.events = wanted_events(what);
        watch_change(upstream->loop, &known->watch);
    } else {
        known = take_socket(upstream);
        known->watch = (struct watch){.fd = fd, .events = wanted_events(what), .ready = socket_ready};
        watch_add(upstream->loop, &known->watch);
        check(curl_multi_assign(upstream->multi, fd, known) == CURLM_OK);
    }
    return 0;
}

static int set_timeout(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct upstream *upstream = context;
    if (timeout_ms < 0)
        timer_disarm(upstream->loop, &upstream->timeout);
    else
        timer_arm(upstream->loop, &upstream->timeout, timeout_ms);
    return 0;
}

static const char *system_ca_file;

static void init_library(void)
{
    check(memory_init_library());
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
    system_ca_file = version->cainfo ? version->cainfo : "/etc/ssl/certs/ca-certificates.crt";
}

void upstream_init_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
}

const char *upstream_system_ca_file(void)
{
    upstream_init_library();
    return system_ca_file;
}

struct upstream *upstream_new(struct loop *loop)
{
    upstream_init_library();
    struct upstream *upstream = calloc(1, sizeof *upstream);
    check(upstream != NULL);
    upstream->loop = loop;
    upstream->system_ca_file = system_ca_file;
    upstream->timeout.expired = timeout_expired;
    upstream->wake.expired = wake_expired;
    struct list *const lists[] = {&upstream->transfers, &upstream->pool,      &upstream->starting,    &upstream->failed,
                                  &upstream->resuming,  &upstream->cancelled, &upstream->idle_sockets};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    proxy_read_environment(&upstream->proxy);
    upstream->multi = curl_multi_init();
    upstream->sessions = curl_share_init();
    check(upstream->multi != NULL && upstream->sessions != NULL);
    check(curl_share_setopt(upstream->sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK);
    curl_multi_setopt(upstream->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(upstream->multi, CURLMOPT_SOCKETDATA, (void *)upstream);
    curl_multi_setopt(upstream->multi, CURLMOPT_TIMERFUNCTION, set_timeout);
    curl_multi_setopt(upstream->multi, CURLMOPT_TIMERDATA, (void *)upstream);
    curl_multi_setopt(upstream->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT_MAX);
    return upstream;
}

void upstream_free(struct upstream *upstream)
{
    if (!upstream)
        return;
    check(upstream->depth == 0);
    while (!list_is_empty(&upstream->transfers))
        upstream_cancel(list_entry(upstream->transfers.next, struct upstream_transfer, node), NULL);
    while (!list_is_empty(&upstream->pool))
        transfer_free(list_entry(upstream->pool.next, struct upstream_transfer, node));
    check(curl_multi_cleanup(upstream->multi) == CURLM_OK); /* closes the kept connections: watches go */
    check(curl_share_cleanup(upstream->sessions) == CURLSHE_OK);
    timer_disarm(upstream->loop, &upstream->timeout);
    timer_disarm(upstream->loop, &upstream->wake);
    while (!list_is_empty(&upstream->idle_sockets)) {
        struct upstream_socket *idle = list_entry(upstream->idle_sockets.next, struct upstream_socket, node);
        list_remove(&idle->node);
        free(idle);
    }
    proxy_done(&upstream->proxy);
    free(upstream);
}
