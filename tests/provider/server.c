/* SPDX-License-Identifier: Apache-2.0 */
/* Event loops; see server.h. Each thread has its own listener on the same port (SO_REUSEPORT), so no connection ever
 * moves between threads. The default is one thread: the bench wants one core to be one core.
 */
#include "tests/provider/server.h"

#include "tests/provider/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_BATCH  256
#define ACCEPTS_PER_EVENT 128

uint64_t clock_get_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static int listener_open(const char *address, uint16_t port, bool shared)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        errno = EINVAL;
        goto failed;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
    if (bind(fd, (const struct sockaddr *)&name, sizeof name) == 0 && listen(fd, 4096) == 0)
        return fd;
failed:
    if (fd >= 0)
        close(fd);
    return -1;
}

static uint16_t port_get(int fd)
{
    struct sockaddr_in name = {0};
    socklen_t length = sizeof name;
    getsockname(fd, (struct sockaddr *)&name, &length);
    return ntohs(name.sin_port);
}

bool server_listen(struct server *server, const char *address, uint16_t port, unsigned threads)
{
    server->port = port;
    for (unsigned i = 0; i < threads; i++) {
        struct loop *loop = &server->loops[i];
        loop->server = server;
        loop->listener = listener_open(address, server->port, threads > 1);
        if (loop->listener < 0)
            return false;
        server->port = port_get(loop->listener);
        loop->epoll = epoll_create1(EPOLL_CLOEXEC);
        loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (loop->epoll < 0 || loop->wake < 0)
            return false;
        /* The loop's own descriptors are told apart by these two pointers. */
        struct epoll_event listen_event = {.events = EPOLLIN, .data.ptr = &loop->listener};
        struct epoll_event wake_event = {.events = EPOLLIN, .data.ptr = &loop->wake};
        if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->listener, &listen_event) < 0 ||
            epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &wake_event) < 0)
            return false;
        server->loop_count = i + 1;
    }
    return true;
}

static void loop_accept(struct loop *loop)
{
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        connection_open(loop, fd);
    }
}

static void loop_look_at_held(struct loop *loop)
{
    uint64_t count;
    if (read(loop->wake, &count, sizeof count) < 0)
        return;
    struct connection *next;
    for (struct connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        if (connection->state == CONNECTION_HELD)
            connection_run(connection);
    }
}

static void loop_handle(struct loop *loop, const struct epoll_event *event)
{
    if (event->data.ptr == &loop->listener)
        loop_accept(loop);
    else if (event->data.ptr == &loop->wake)
        loop_look_at_held(loop);
    else
        connection_on_event(event->data.ptr, event->events);
}

static void loop_run_timers(struct loop *loop)
{
    struct timer *timer;
    while ((timer = timers_find_due(&loop->timers, loop->now_us)))
        connection_on_timer((struct connection *)((char *)timer - offsetof(struct connection, timer)));
}

static void loop_free_closed(struct loop *loop)
{
    while (loop->closed) {
        struct connection *connection = loop->closed;
        loop->closed = connection->next;
        connection_free(connection);
    }
}

static void loop_close(struct loop *loop)
{
    while (loop->connections)
        connection_close(loop->connections, BILL_SHUTDOWN);
    loop_free_closed(loop);
    bill_flush(&loop->server->bill);
    timers_done(&loop->timers);
    close(loop->listener);
    close(loop->epoll);
    close(loop->wake);
}

static void *loop_run(void *argument)
{
    struct loop *loop = argument;
    struct epoll_event events[EVENTS_PER_BATCH];
    while (!atomic_load(&loop->server->stopping)) {
        int wait_ms = timers_get_wait_ms(&loop->timers, clock_get_us());
        int count = epoll_wait(loop->epoll, events, EVENTS_PER_BATCH, wait_ms);
        loop->now_us = clock_get_us();
        for (int i = 0; i < count; i++)
            loop_handle(loop, &events[i]);
        loop_run_timers(loop);
        loop_free_closed(loop);
        bill_flush(&loop->server->bill);
    }
    return NULL;
}

void server_run(struct server *server)
{
    unsigned started = 1;
    while (started < server->loop_count &&
           pthread_create(&server->loops[started].thread, NULL, loop_run, &server->loops[started]) == 0)
        started++;
    loop_run(&server->loops[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(server->loops[i].thread, NULL);
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_close(&server->loops[i]);
}

void server_wake(struct server *server)
{
    for (unsigned i = 0; i < server->loop_count; i++) {
        ssize_t written = write(server->loops[i].wake, &(uint64_t){1}, sizeof(uint64_t));
        (void)written;
    }
}

void server_stop(struct server *server)
{
    atomic_store(&server->stopping, true);
    server_wake(server);
}
