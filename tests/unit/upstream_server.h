/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scripted HTTP server on loopback, for the tests of upstream/: what it answers is written down byte by byte in a
 * route, and it counts what arrived, so that a request sent twice is seen. One thread per connection. Plain HTTP: TLS
 * is tested against the stand-in provider.
 */
#ifndef TESTS_UNIT_UPSTREAM_SERVER_H
#define TESTS_UNIT_UPSTREAM_SERVER_H

#include "base/check.h"
#include "base/slice.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum server_ending {
    SERVER_KEEP,       /* wait for the next request */
    SERVER_CLOSE,      /* FIN */
    SERVER_RESET,      /* RST */
    SERVER_HANG,       /* silence until the client leaves */
    SERVER_CLOSE_NEXT, /* read the connection's next request whole, then FIN without a byte */
};

struct server_route {
    const char *path;
    const char *answer;  /* NULL: none */
    size_t answer_bytes; /* 0: strlen */
    enum server_ending ending;
    bool answers_early; /* before the body is read */
};

enum { SERVER_CONNECTIONS_MAX = 64 };

struct server {
    const struct server_route *routes;
    size_t route_count;
    int listener;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    unsigned connections, requests;
    size_t body_bytes;   /* of the last request */
    uint64_t body_sum;   /* of its bytes, each times its position */
    char head[16 << 10]; /* of the last request */
    int fds[SERVER_CONNECTIONS_MAX];
    pthread_t threads[SERVER_CONNECTIONS_MAX];
};

struct server_connection {
    struct server *server;
    int fd;
};

static inline uint64_t server_sum(const char *bytes, size_t length, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += (uint64_t)(unsigned char)bytes[i] * (offset + i + 1);
    return sum;
}

static inline const struct server_route *server_find_route(const struct server *server, const char *head)
{
    const char *path = strchr(head, ' ');
    for (size_t i = 0; path && i < server->route_count; i++) {
        size_t length = strlen(server->routes[i].path);
        if (strncmp(path + 1, server->routes[i].path, length) == 0 && strchr(" ?", path[1 + length]))
            return &server->routes[i];
    }
    return NULL;
}

/* Reads a head; *ret_used may say that a part of the body came with it, moved to the front of `bytes`. */
static inline bool server_read_head(int fd, char *head, size_t bytes_max, char *extra, size_t *ret_extra)
{
    size_t length = 0;
    for (;;) {
        ssize_t got = recv(fd, head + length, bytes_max - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        head[length] = 0;
        char *end = strstr(head, "\r\n\r\n");
        if (end) {
            size_t head_length = (size_t)(end - head) + 4;
            *ret_extra = length - head_length;
            memcpy(extra, head + head_length, *ret_extra);
            head[head_length] = 0;
            return true;
        }
        if (length == bytes_max - 1)
            return false;
    }
}

static inline bool server_read_body(int fd, const char *head, char *bytes, size_t have, struct server *server)
{
    const char *field = strcasestr(head, "\r\ncontent-length:");
    size_t wanted = field ? (size_t)strtoul(field + 17, NULL, 10) : 0, length = 0;
    uint64_t sum = 0;
    for (;;) {
        sum += server_sum(bytes, have, length);
        length += have;
        if (length >= wanted)
            break;
        ssize_t got = recv(fd, bytes, 16 << 10, 0);
        if (got <= 0)
            return false;
        have = (size_t)got;
    }
    pthread_mutex_lock(&server->lock);
    server->body_bytes = length;
    server->body_sum = sum;
    pthread_mutex_unlock(&server->lock);
    return true;
}

static inline void server_note_request(struct server *server, const char *head)
{
    pthread_mutex_lock(&server->lock);
    server->requests++;
    snprintf(server->head, sizeof server->head, "%s", head);
    pthread_mutex_unlock(&server->lock);
}

static inline void server_answer(int fd, const struct server_route *route)
{
    size_t left = route->answer_bytes ? route->answer_bytes : strlen(route->answer);
    const char *next = route->answer;
    while (left > 0) {
        ssize_t sent = send(fd, next, left, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        next += sent;
        left -= (size_t)sent;
    }
}

static inline enum server_ending server_serve(struct server *server, int fd, bool swallows)
{
    char head[16 << 10], body[16 << 10];
    size_t have = 0;
    if (!server_read_head(fd, head, sizeof head, body, &have))
        return SERVER_CLOSE;
    server_note_request(server, head);
    const struct server_route *route = server_find_route(server, head);
    check(route != NULL);
    if (route->answers_early)
        server_answer(fd, route);
    if (!server_read_body(fd, head, body, have, server) || swallows)
        return SERVER_CLOSE;
    if (route->answer && !route->answers_early)
        server_answer(fd, route);
    return route->ending;
}

static inline void *server_connection_main(void *argument)
{
    struct server_connection connection = *(struct server_connection *)argument;
    free(argument);
    enum server_ending ending;
    do
        ending = server_serve(connection.server, connection.fd, false);
    while (ending == SERVER_KEEP);
    if (ending == SERVER_CLOSE_NEXT)
        server_serve(connection.server, connection.fd, true);
    char bytes[4096];
    if (ending == SERVER_HANG)
        while (recv(connection.fd, bytes, sizeof bytes, 0) > 0)
            ;
    if (ending == SERVER_RESET)
        setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    pthread_mutex_lock(&connection.server->lock);
    for (unsigned i = 0; i < connection.server->connections; i++)
        if (connection.server->fds[i] == connection.fd)
            connection.server->fds[i] = -1;
    close(connection.fd);
    pthread_mutex_unlock(&connection.server->lock);
    return NULL;
}

static inline void *server_main(void *argument)
{
    struct server *server = argument;
    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        struct server_connection *connection = malloc(sizeof *connection);
        check(connection != NULL);
        *connection = (struct server_connection){server, fd};
        pthread_mutex_lock(&server->lock);
        unsigned number = server->connections++;
        check(number < SERVER_CONNECTIONS_MAX);
        server->fds[number] = fd;
        check(pthread_create(&server->threads[number], NULL, server_connection_main, connection) == 0);
        pthread_mutex_unlock(&server->lock);
    }
}

static inline void server_start(struct server *server, const struct server_route *routes, size_t route_count)
{
    *server = (struct server){.routes = routes, .route_count = route_count};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    check(pthread_mutex_init(&server->lock, NULL) == 0);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(server->listener, (struct sockaddr *)&address, length) == 0 && listen(server->listener, 64) == 0);
    check(getsockname(server->listener, (struct sockaddr *)&address, &length) == 0);
    server->port = ntohs(address.sin_port);
    check(pthread_create(&server->thread, NULL, server_main, server) == 0);
}

static inline void server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_lock(&server->lock);
    for (unsigned i = 0; i < server->connections; i++)
        if (server->fds[i] >= 0)
            shutdown(server->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    for (unsigned i = 0; i < server->connections; i++)
        pthread_join(server->threads[i], NULL);
    pthread_mutex_destroy(&server->lock);
}

static inline unsigned server_requests(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned requests = server->requests;
    pthread_mutex_unlock(&server->lock);
    return requests;
}

static inline unsigned server_connections(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned connections = server->connections;
    pthread_mutex_unlock(&server->lock);
    return connections;
}

#endif
