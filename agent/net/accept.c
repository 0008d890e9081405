/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's way from the kernel's queue to its handler: accept, where does it go, who may, TLS; or, when it was
 * redirected, a look at its first flight. Runs on the loops; asks the listener's handler at each stage. Nothing is read
 * or written before the handler has accepted.
 */
#include "net/listener.h"

#include "base/check.h"
#include "base/descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *accept_find_name(const struct listener *listener, uint32_t address)
{
    const struct listener_names *names = atomic_load(&listener->names);
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (names->rows[middle].address == address)
            return names->rows[middle].name;
        if (names->rows[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *listener_find_name(const struct listener *listener, const char *name)
{
    const struct listener_names *names = atomic_load(&listener->names);
    size_t low = 0, high = names->by_name ? names->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, names->by_name[middle]);
        if (order == 0)
            return names->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool accept_is_redirected(const struct listener_options *options, uint32_t address)
{
    return options->redirect_network && (address & options->network_mask) == options->redirect_network;
}

/* False: not ours to serve. 127/8 is checked here too, for kernels that did not bind the socket to lo. *ret_name: NULL
 * for a redirected connection. */
static bool accept_find_destination(const struct listener *listener, int fd, struct connection_peer *peer,
                                    const char **ret_name)
{
    socklen_t length = sizeof peer->local;
    if (getsockname(fd, (struct sockaddr *)&peer->local, &length) != 0)
        return false;
    uint32_t address = ntohl(peer->local.sin_addr.s_addr);
    const struct listener_options *options = &listener->options;
    if (address >> 24 != 127)
        return false;
    *ret_name = NULL;
    if (accept_is_redirected(options, address))
        return true;
    if ((address & options->network_mask) == (options->network & options->network_mask))
        *ret_name = accept_find_name(listener, address);
    return *ret_name != NULL;
}

void listener_secure(struct connection *connection, const char *name)
{
    struct listener *listener = connection->member->listener;
    SSL_CTX *context;
    const char *lasting_name;
    if (listener->options.is_plain) {
        plain_start(connection, name);
    } else if (contexts_find(listener->certificates, name, &context, &lasting_name) != ERROR_OK) {
        listener_failed(connection, "no living certificate authority permits the name");
        connection_close(connection, false);
    } else if (!connection_start(connection, context, lasting_name, atomic_load(&listener->handshake_timeout_ms))) {
        connection_close(connection, false);
    }
}

/* What we would pass on to ourselves would come back, again and again. */
static bool accept_is_own(const struct listener_options *options, const struct sockaddr_in6 *original)
{
    if (!IN6_IS_ADDR_V4MAPPED(&original->sin6_addr))
        return false;
    uint32_t network = ntohl(original->sin6_addr.s6_addr32[3]) & options->network_mask;
    return network == options->network || network == options->redirect_network;
}

/* On the connection's loop, after the handler's yes. */
static void accept_start(struct connection *connection)
{
    struct listener *listener = connection->member->listener;
    const struct listener_options *options = &listener->options;
    uint32_t address = ntohl(connection->peer.local.sin_addr.s_addr);
    struct sockaddr_in6 original = {0};
    if (!accept_is_redirected(options, address)) {
        const char *name = accept_find_name(listener, address);
        if (name)
            listener_secure(connection, name);
        else
            connection_close(connection, false);
        return;
    }
    const struct listener_handler *handler = &listener->handler;
    int upstream_fd = -1;
    bool is_known = handler->redirected && handler->redirected(handler->context, connection, &original, &upstream_fd);
    if (is_known && !accept_is_own(options, &original)) {
        peek_start(connection, &original, upstream_fd, options->hello_timeout_ms);
        return;
    }
    if (upstream_fd >= 0)
        close(upstream_fd);
    connection_close(connection, false);
}

static void accept_connection(struct member *member, int fd, const struct sockaddr_in *remote)
{
    struct listener *listener = member->listener;
    struct connection_peer peer = {.remote = *remote, .port = listener->port};
    const char *name;
    if (!accept_find_destination(listener, fd, &peer, &name)) {
        close(fd);
        return;
    }
    struct connection *connection =
        connection_new(member, member->loop, fd, &peer, atomic_load(&listener->buffer_bytes_max));
    list_append(&member->connections, &connection->node);
    atomic_fetch_add(listener->connection_count, 1);
    atomic_fetch_add(&member->connection_count, 1);
    bool wait = false;
    bool is_accepted = listener->handler.accepted(listener->handler.context, connection, name, &wait);
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (!is_accepted)
        connection_close(connection, false);
    else if (!wait && connection->state == CONNECTION_WAITING)
        accept_start(connection);
}

void listener_admit(struct connection *connection, bool admitted)
{
    check(connection->state == CONNECTION_WAITING);
    if (admitted)
        accept_start(connection);
    else
        connection_close(connection, false);
}

/* A descriptor on its way to a loop that has fewer connections. */
struct transfer {
    struct task task;
    struct member *member;
    int fd;
    struct sockaddr_in remote;
};

static void accept_transferred(struct task *task)
{
    struct transfer *transfer = list_entry(task, struct transfer, task);
    const struct listener *listener = transfer->member->listener;
    /* Who goes on with the socket has no part of what was accepted before. */
    if (atomic_load(&listener->is_stopped) && !atomic_load(&listener->is_shared))
        close(transfer->fd);
    else
        accept_connection(transfer->member, transfer->fd, &transfer->remote);
    free(transfer);
}

/* The kernel wakes the loop that sleeps, which gathers long-lived connections on one loop: two more than another has is
 * too many. */
static struct member *accept_choose_member(struct member *member)
{
    struct listener *listener = member->listener;
    unsigned own = atomic_load(&member->connection_count), least = own;
    struct member *choice = member;
    for (unsigned i = 0; i < atomic_load(&listener->member_count); i++) {
        unsigned count = atomic_load(&listener->members[i].connection_count);
        if (count < least && count + 2 <= own) {
            choice = &listener->members[i];
            least = count;
        }
    }
    return choice;
}

static void accept_place(struct member *member, int fd, const struct sockaddr_in *remote)
{
    struct member *choice = accept_choose_member(member);
    if (choice == member) {
        accept_connection(member, fd, remote);
        return;
    }
    struct transfer *transfer = calloc(1, sizeof *transfer);
    check(transfer != NULL);
    *transfer = (struct transfer){.task.run = accept_transferred, .member = choice, .fd = fd, .remote = *remote};
    mailbox_post(loop_mailbox(choice->loop), &transfer->task);
}

void member_watch(struct member *member)
{
    if (member->is_watched || atomic_load(&member->listener->is_stopped))
        return;
    member->is_watched = true;
    watch_add(member->loop, &member->watch);
}

void member_unwatch(struct member *member)
{
    if (!member->is_watched)
        return;
    member->is_watched = false;
    watch_remove(member->loop, &member->watch);
}

static void member_pause(struct member *member)
{
    member_unwatch(member);
    timer_arm(member->loop, &member->pause, LISTENER_PAUSE_MS);
}

static bool member_is_full(const struct member *member)
{
    const struct listener *listener = member->listener;
    return atomic_load(listener->connection_count) >= atomic_load(&listener->connections_max);
}

void member_pause_expired(struct timer *timer)
{
    struct member *member = list_entry(timer, struct member, pause);
    if (member_is_full(member) || descriptors_are_short(DESCRIPTOR_PROGRAM))
        timer_arm(member->loop, timer, LISTENER_PAUSE_MS);
    else
        member_watch(member);
}

static void member_exhausted(struct member *member)
{
    struct listener *listener = member->listener;
    if (!atomic_exchange(&listener->fds_are_exhausted, true))
        listener->handler.fds_exhausted(listener->handler.context);
    member_pause(member);
}

/* One connection per turn: those that are open already have theirs in between, and other loops get a share. */
void member_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct member *member = list_entry(watch, struct member, watch);
    struct listener *listener = member->listener;
    if (atomic_load(&listener->is_stopped)) {
        member_unwatch(member);
        return;
    }
    if (member_is_full(member)) {
        member_pause(member);
        return;
    }
    struct sockaddr_in remote = {0};
    socklen_t length = sizeof remote;
    int fd = accept4(listener->fd, (struct sockaddr *)&remote, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
        return; /* another loop was faster, or the program has gone again */
    if (fd < 0 || descriptor_is_kept(fd, DESCRIPTOR_PROGRAM))
        member_exhausted(member);
    else
        atomic_store(&listener->fds_are_exhausted, false);
    if (fd >= 0)
        accept_place(member, fd, &remote);
}

bool listener_established(struct connection *connection)
{
    const struct listener_handler *handler = &connection->member->listener->handler;
    return handler->established(handler->context, connection, connection->name);
}

void listener_failed(struct connection *connection, const char *why)
{
    const struct listener_handler *handler = &connection->member->listener->handler;
    handler->failed(handler->context, &connection->peer, why);
}

void listener_passed_on(struct connection *connection, const struct sockaddr_in6 *original, const char *server_name)
{
    const struct listener_handler *handler = &connection->member->listener->handler;
    if (handler->passed_on)
        handler->passed_on(handler->context, connection, original, server_name);
}

bool listener_is_held(struct connection *connection)
{
    const struct listener_handler *handler = &connection->member->listener->handler;
    return !handler->is_held || handler->is_held(handler->context, connection);
}

/* A place has become free: no need to wait for the timer. */
void listener_released(struct connection *connection)
{
    struct member *member = connection->member;
    const struct listener_handler *handler = &member->listener->handler;
    if (connection->has_owner)
        handler->released(handler->context, connection->owner);
    atomic_fetch_sub(&member->connection_count, 1);
    atomic_fetch_sub(member->listener->connection_count, 1);
    if (member->pause.heap_index && !member_is_full(member) && !atomic_load(&member->listener->fds_are_exhausted)) {
        timer_disarm(member->loop, &member->pause);
        member_watch(member);
    }
}
