/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two Unix sockets and the threads behind them: one accepts, each call has a short-lived thread of its own (few
 * people, small answers; a follower may stay long). Nothing here runs on a loop.
 */
#include "control/internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum socket { SOCKET_ADMIN, SOCKET_REPORT, SOCKET_METRICS, SOCKETS };
enum { REQUEST_BYTES_MAX = 64 << 10 };
enum {
    PATIENCE_MS = 10000,
    STRANGERS_PATIENCE_MS = 2000,
    CLOSE_PATIENCE_MS = 5000,
    CLOSE_LOOK_MS = 5,
    LACK_PAUSE_MS = 50
};

struct control {
    const struct control_services *services;
    int sockets[SOCKETS]; /* -1: there is none; the Unix sockets are the agent's */
    int wake_fd;
    pthread_t thread;
    atomic_bool is_closing;
    pthread_mutex_t lock; /* guards the rest; leaf */
    struct places places;
};

struct call_thread {
    struct control *control;
    int fd, place;
    enum places_kind kind;
    uid_t uid; /* of a port nobody vouches for it: -1 */
};

/* False: nothing came, or it is late. */
static bool wait_for_bytes(int fd, int64_t due_ns)
{
    struct pollfd polled = {fd, POLLIN, 0};
    int count;
    do {
        const int64_t left_ms = (due_ns - clock_monotonic_ns()) / 1000000;
        count = poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (count < 0 && errno == EINTR);
    return count > 0;
}

/* As a whole by then: who sends a byte now and then must not stay. */
static bool read_request(struct call *call, struct http_parser *parser, int64_t due_ns)
{
    char bytes[4096];
    for (;;) {
        ssize_t length = wait_for_bytes(call->fd, due_ns) ? read(call->fd, bytes, sizeof bytes) : 0;
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
    const struct http_limits limits = {16384, 8192, 64, REQUEST_BYTES_MAX, thread->kind == PLACES_SCRAPERS};
    const int64_t patience_ms = thread->kind == PLACES_STRANGERS ? STRANGERS_PATIENCE_MS : PATIENCE_MS;
    struct call call = {.services = thread->control->services,
                        .fd = thread->fd,
                        .uid = thread->uid,
                        .is_admin_socket = thread->kind == PLACES_OWNER,
                        .is_closing = &thread->control->is_closing};
    call.arena = arena_new(8192);
    buffer_init_forgiving(&call.body, CONTROL_BODY_BYTES_MAX);
    struct http_parser *parser = http_parser_new(&limits);
    if (read_request(&call, parser, clock_monotonic_ns() + patience_ms * 1000000)) {
        int status = thread->kind == PLACES_SCRAPERS ? control_scrape(&call) : control_dispatch(&call);
        if (call.body.has_overflowed)
            status = control_fail_large(&call);
        if (!call.is_streaming)
            write_answer(&call, status);
    }
    http_parser_free(parser);
    buffer_done(&call.body);
    arena_free(call.arena);
}

static void end_call(struct call_thread *thread)
{
    struct control *control = thread->control;
    pthread_mutex_lock(&control->lock);
    close(thread->fd);
    places_leave(&control->places, thread->place);
    pthread_mutex_unlock(&control->lock);
    free(thread);
}

static void *run_call(void *argument)
{
    serve(argument);
    end_call(argument);
    return NULL;
}

/* False: the kernel does not know the peer. */
static bool judge(const struct control *control, int fd, enum socket socket, struct call_thread *ret_thread)
{
    const struct control_services *services = control->services;
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t length = sizeof peer;
    if (socket != SOCKET_METRICS && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return false;
    ret_thread->uid = peer.uid;
    ret_thread->kind = socket == SOCKET_METRICS ? PLACES_SCRAPERS : PLACES_OWNER;
    if (socket == SOCKET_REPORT) {
        struct settings *settings = services->retain_settings(services->context);
        ret_thread->kind = places_judge(settings, fd, &peer);
        config_release(settings);
    }
    return true;
}

/* False: the user, or the machine, has no room for another thread. That is no reason to end. */
static bool run_thread(struct call_thread *thread)
{
    pthread_attr_t attributes;
    pthread_t id;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    const bool is_running = pthread_create(&id, &attributes, run_call, thread) == 0;
    pthread_attr_destroy(&attributes);
    return is_running;
}

static void start_call(struct control *control, int fd, enum socket socket)
{
    const struct timeval timeout = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    struct call_thread facts = {.control = control, .fd = fd, .place = -1};
    if (judge(control, fd, socket, &facts)) {
        pthread_mutex_lock(&control->lock);
        facts.place = places_take(&control->places, facts.kind, fd, facts.uid);
        pthread_mutex_unlock(&control->lock);
    }
    if (facts.place < 0) {
        close(fd); /* who may have one tries again */
        return;
    }
    struct call_thread *thread = calloc(1, sizeof *thread);
    check(thread != NULL);
    *thread = facts;
    if (!run_thread(thread)) {
        control_log_refused("any path", "no thread or memory can be had");
        end_call(thread);
    }
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
            else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                poll(NULL, 0, LACK_PAUSE_MS); /* who waits is still there; without descriptors, not at full speed */
        }
    }
    return NULL;
}

enum error control_open(const struct control_services *services, struct control **ret_control)
{
    struct control *control = calloc(1, sizeof *control);
    check(control != NULL);
    control->services = services;
    pthread_mutex_init(&control->lock, NULL);
    places_init(&control->places);
    control->sockets[SOCKET_ADMIN] = services->admin_fd;
    control->sockets[SOCKET_REPORT] = services->report_fd;
    control->sockets[SOCKET_METRICS] = -1;
    control->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (control->wake_fd >= 0 && control_listen_metrics(services, &control->sockets[SOCKET_METRICS]) == ERROR_OK &&
        pthread_create(&control->thread, NULL, run_control, control) == 0) {
        *ret_control = control;
        return ERROR_OK;
    }
    if (control->sockets[SOCKET_METRICS] >= 0)
        close(control->sockets[SOCKET_METRICS]);
    free(control);
    return ERROR_FILE_UNWRITABLE;
}

/* Assumes the lock. By looks, as a condition's clock would be the wall's, which steps. */
static void wait_for_calls(struct control *control, unsigned patience_ms)
{
    for (unsigned waited_ms = 0; control->places.taken && waited_ms < patience_ms; waited_ms += CLOSE_LOOK_MS) {
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
    places_shut_down(&control->places, SHUT_RD); /* followers wake up; answers under way are still written */
    wait_for_calls(control, CLOSE_PATIENCE_MS);
    places_shut_down(&control->places, SHUT_RDWR); /* whoever reads so slowly must not keep the agent */
    wait_for_calls(control, UINT_MAX);
    pthread_mutex_unlock(&control->lock);
    if (control->sockets[SOCKET_METRICS] >= 0)
        close(control->sockets[SOCKET_METRICS]);
    close(control->wake_fd);
    free(control);
}
