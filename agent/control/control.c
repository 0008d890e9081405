/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two Unix sockets and the threads behind them: one accepts, each call has a short-lived thread of its own (few
 * people, small answers; a follower may stay long). Nothing here runs on a loop.
 */
#include "control/internal.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/contract.h"

enum socket { SOCKET_ADMIN, SOCKET_REPORT, SOCKET_METRICS, SOCKETS };
enum { BODY_BYTES_MAX = 8 << 20, REQUEST_BYTES_MAX = 64 << 10, TIMEOUT_SECONDS = 10 };
enum { CLOSE_PATIENCE_MS = 5000, CLOSE_LOOK_MS = 5 };

/* Each socket has slots of its own, so that nobody who may only ask keeps the owner from giving orders. On the report
 * socket of prod, which every user can reach, one user has few, and all others than the owner and root not all. */
enum { ADMIN_SLOTS = 24, REPORT_SLOTS = 96, METRICS_SLOTS = 8, CALLS_MAX = ADMIN_SLOTS + REPORT_SLOTS + METRICS_SLOTS };
enum { REPORT_SLOTS_PER_USER = 12, REPORT_SLOTS_OF_OTHERS = 72 };
static const struct {
    int first, count;
} slot_ranges[SOCKETS] = {
    [SOCKET_ADMIN] = {0, ADMIN_SLOTS},
    [SOCKET_REPORT] = {ADMIN_SLOTS, REPORT_SLOTS},
    [SOCKET_METRICS] = {ADMIN_SLOTS + REPORT_SLOTS, METRICS_SLOTS},
};

struct control {
    const struct control_services *services;
    int sockets[SOCKETS]; /* -1: there is none */
    int wake_fd;
    pthread_t thread;
    atomic_bool is_closing;
    pthread_mutex_t lock; /* guards the rest; leaf */
    unsigned calls;
    int call_fds[CALLS_MAX]; /* -1: free */
    uid_t call_uids[CALLS_MAX];
};

struct call_thread {
    struct control *control;
    int fd;
    unsigned slot;
    enum socket socket;
    uid_t uid; /* of a port nobody vouches for it: -1 */
};

static bool read_request(struct call *call, struct http_parser *parser)
{
    char bytes[4096];
    for (;;) {
        ssize_t length = read(call->fd, bytes, sizeof bytes);
        if (length <= 0)
            return false;
        struct slice rest = {bytes, (size_t)length};
        while (rest.length) {
            size_t used = 0;
            enum error error;
            enum http_parse parse = http_parser_feed(parser, call->arena, rest, &used, &error);
            rest = slice_from(rest, used);
            if (parse == HTTP_PARSE_ERROR)
                return false;
            if (parse == HTTP_PARSE_DONE) {
                call->request = http_parser_request(parser);
                return true;
            }
            if (parse == HTTP_PARSE_MORE)
                break;
        }
    }
}

static void write_all(int fd, struct slice bytes)
{
    while (bytes.length) {
        ssize_t length = send(fd, bytes.data, bytes.length, MSG_NOSIGNAL);
        if (length <= 0)
            return;
        bytes = slice_from(bytes, (size_t)length);
    }
}

static void write_answer(struct call *call, int status)
{
    struct buffer head;
    buffer_init(&head, 4096);
    const struct http_field fields[] = {
        {SLICE_LITERAL("content-type"), slice_of(call->content_type ? call->content_type : "application/json")},
        {SLICE_LITERAL("content-length"), slice_of(arena_printf(call->arena, "%zu", buffer_length(&call->body)))},
        {SLICE_LITERAL("connection"), SLICE_LITERAL("close")}};
    check(http_write_head(&head, status, fields, sizeof fields / sizeof *fields));
    write_all(call->fd, buffer_contents(&head));
    write_all(call->fd, buffer_contents(&call->body));
    buffer_done(&head);
}

static void serve(struct call_thread *thread)
{
    const struct http_limits limits = {16384, 8192, 64, REQUEST_BYTES_MAX, thread->socket == SOCKET_METRICS};
    struct call call = {.services = thread->control->services,
                        .fd = thread->fd,
                        .uid = thread->uid,
                        .is_admin_socket = thread->socket == SOCKET_ADMIN,
                        .is_closing = &thread->control->is_closing};
    call.arena = arena_new(8192);
    buffer_init(&call.body, BODY_BYTES_MAX);
    struct http_parser *parser = http_parser_new(&limits);
    if (read_request(&call, parser)) {
        int status = thread->socket == SOCKET_METRICS ? control_scrape(&call) : control_dispatch(&call);
        if (!call.is_streaming)
            write_answer(&call, status);
    }
    http_parser_free(parser);
    buffer_done(&call.body);
    arena_free(call.arena);
}

static void *run_call(void *argument)
{
    struct call_thread *thread = argument;
    struct control *control = thread->control;
    serve(thread);
    pthread_mutex_lock(&control->lock);
    close(thread->fd);
    control->call_fds[thread->slot] = -1;
    control->calls--;
    pthread_mutex_unlock(&control->lock);
    free(thread);
    return NULL;
}

/* With the lock held: may this user have one more of the report socket's? */
static bool has_share(const struct control *control, uid_t uid)
{
    int own = 0, others = 0;
    for (int i = ADMIN_SLOTS; i < ADMIN_SLOTS + REPORT_SLOTS; i++) {
        own += control->call_fds[i] >= 0 && control->call_uids[i] == uid;
        others += control->call_fds[i] >= 0 && !control_is_owner(control->call_uids[i]);
    }
    return control_is_owner(uid) || (own < REPORT_SLOTS_PER_USER && others < REPORT_SLOTS_OF_OTHERS);
}

/* -1 when there is none for this caller: it is closed, and may try again. */
static int take_slot(struct control *control, int fd, enum socket socket, uid_t uid)
{
    int slot = -1;
    pthread_mutex_lock(&control->lock);
    bool may_have = socket != SOCKET_REPORT || has_share(control, uid);
    for (int i = slot_ranges[socket].first; may_have && i < slot_ranges[socket].first + slot_ranges[socket].count; i++)
        if (control->call_fds[i] < 0) {
            slot = i;
            break;
        }
    if (slot >= 0) {
        control->call_fds[slot] = fd;
        control->call_uids[slot] = uid;
        control->calls++;
    }
    pthread_mutex_unlock(&control->lock);
    return slot;
}

static void start_call(struct control *control, int fd, enum socket socket)
{
    const struct timeval timeout = {TIMEOUT_SECONDS, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t length = sizeof peer;
    bool is_known = socket == SOCKET_METRICS || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0;
    int slot = is_known ? take_slot(control, fd, socket, peer.uid) : -1;
    if (slot < 0) {
        close(fd);
        return;
    }
    struct call_thread *thread = calloc(1, sizeof *thread);
    check(thread != NULL);
    *thread = (struct call_thread){control, fd, (unsigned)slot, socket, peer.uid};
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    pthread_t id;
    check(pthread_create(&id, &attributes, run_call, thread) == 0);
    pthread_attr_destroy(&attributes);
}

static void *run_control(void *argument)
{
    struct control *control = argument;
    struct pollfd polled[SOCKETS + 1] = {[SOCKETS] = {control->wake_fd, POLLIN, 0}};
    for (int i = 0; i < SOCKETS; i++)
        polled[i] = (struct pollfd){control->sockets[i], POLLIN, 0};
    while (!atomic_load(&control->is_closing)) {
        if (poll(polled, SOCKETS + 1, -1) < 0 && errno != EINTR)
            break;
        for (int i = 0; i < SOCKETS; i++) {
            if (!(polled[i].revents & POLLIN))
                continue;
            int fd = accept4(control->sockets[i], NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0)
                start_call(control, fd, (enum socket)i);
        }
    }
    return NULL;
}

/* A stale socket of an agent that died is replaced: the ledger's lock has proved that none is alive. */
static int listen_at(const char *directory, const char *name, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof address.sun_path)
        return -1;
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && chmod(address.sun_path, mode) == 0 &&
        listen(fd, CALLS_MAX * 16) == 0)
        return fd;
    close(fd);
    return -1;
}

static void listen_at_all(struct control *control)
{
    const struct control_services *services = control->services;
    struct settings *settings = services->retain_settings(services->context);
    bool is_shared = settings->environment == ENVIRONMENT_PROD;
    config_release(settings);
    control->sockets[SOCKET_ADMIN] = listen_at(services->runtime, TOLLGATE_FILE_ADMIN, 0600);
    control->sockets[SOCKET_REPORT] = listen_at(services->runtime, TOLLGATE_FILE_REPORT, is_shared ? 0666 : 0600);
    control->sockets[SOCKET_METRICS] = -1;
}

enum error control_open(const struct control_services *services, struct control **ret_control)
{
    struct control *control = calloc(1, sizeof *control);
    check(control != NULL);
    control->services = services;
    pthread_mutex_init(&control->lock, NULL);
    for (int i = 0; i < CALLS_MAX; i++)
        control->call_fds[i] = -1;
    listen_at_all(control);
    control->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (control->sockets[SOCKET_ADMIN] >= 0 && control->sockets[SOCKET_REPORT] >= 0 && control->wake_fd >= 0 &&
        control_listen_metrics(services, &control->sockets[SOCKET_METRICS]) == ERROR_OK &&
        pthread_create(&control->thread, NULL, run_control, control) == 0) {
        *ret_control = control;
        return ERROR_OK;
    }
    for (int i = 0; i < SOCKETS; i++)
        if (control->sockets[i] >= 0)
            close(control->sockets[i]);
    free(control);
    return ERROR_FILE_UNWRITABLE;
}

/* Assumes the lock. By looks, as a condition's clock would be the wall's, which steps. */
static void wait_for_calls(struct control *control, unsigned patience_ms)
{
    for (unsigned waited_ms = 0; control->calls && waited_ms < patience_ms; waited_ms += CLOSE_LOOK_MS) {
        pthread_mutex_unlock(&control->lock);
        poll(NULL, 0, CLOSE_LOOK_MS);
        pthread_mutex_lock(&control->lock);
    }
}

void control_close(struct control *control)
{
    if (!control)
        return;
    const uint64_t one = 1;
    atomic_store(&control->is_closing, true);
    check(write(control->wake_fd, &one, sizeof one) == (ssize_t)sizeof one);
    pthread_join(control->thread, NULL);
    pthread_mutex_lock(&control->lock);
    for (int i = 0; i < CALLS_MAX; i++)
        if (control->call_fds[i] >= 0)
            shutdown(control->call_fds[i], SHUT_RD); /* followers wake up; answers under way are still written */
    wait_for_calls(control, CLOSE_PATIENCE_MS);
    for (int i = 0; i < CALLS_MAX; i++)
        if (control->call_fds[i] >= 0)
            shutdown(control->call_fds[i], SHUT_RDWR); /* whoever reads so slowly must not keep the agent */
    wait_for_calls(control, UINT_MAX);
    pthread_mutex_unlock(&control->lock);
    for (int i = 0; i < SOCKETS; i++)
        if (control->sockets[i] >= 0)
            close(control->sockets[i]);
    close(control->wake_fd);
    free(control);
}
