/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket, shared by the loops: for all of 127/8 or one address of it, and nothing else. What happens to a
 * connection that arrives is in accept.c. Called by main.
 */
#include "net/listener.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool listener_set_flag(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* SO_REUSEADDR: the port is the same after a restart, also when connections of the killed agent linger in TIME_WAIT. No
 * SO_REUSEPORT: with it a second process of the user could take a share of the connections. */
static int listener_bind(uint32_t local, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    static const char device[] = "lo";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(local)};
    /* Where the kernel refuses the device (before 5.7), accept.c still refuses every address outside 127/8. */
    int ignored = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof device);
    (void)ignored;
    if (listener_set_flag(fd, SOL_SOCKET, SO_REUSEADDR) && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A descriptor that somebody else opened is believed only after the kernel confirmed what it is. */
static bool listener_is_listening(int fd)
{
    int is_listening = 0, domain = 0;
    socklen_t length = sizeof is_listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) != 0 || !is_listening)
        return false;
    length = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_INET;
}

static uint16_t listener_read_port(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    return ntohs(address.sin_port);
}

enum error listener_open(const struct listener_options *options, const struct listener_handler *handler,
                         struct certificates *certificates, const struct listener_names *names,
                         struct listener **ret_listener)
{
    bool is_inherited = options->inherited_fd >= 0;
    if (is_inherited && !listener_is_listening(options->inherited_fd))
        return ERROR_REQUEST_INVALID;
    int fd = is_inherited ? options->inherited_fd : listener_bind(options->address, options->port);
    if (fd < 0)
        return ERROR_SYSTEM;
    /* Accepted sockets inherit TCP_NODELAY: a system call less for each. */
    if (!listener_set_flag(fd, IPPROTO_TCP, TCP_NODELAY) || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        if (!is_inherited)
            close(fd);
        return ERROR_SYSTEM;
    }
    struct listener *listener = calloc(1, sizeof *listener);
    check(listener != NULL);
    listener->fd = fd;
    atomic_init(&listener->is_shared, is_inherited && !options->is_handed);
    listener->options = *options;
    listener_set_bounds(listener, options->connections_max, options->buffer_bytes_max, options->handshake_timeout_ms);
    listener->handler = *handler;
    listener->port = listener_read_port(fd);
    listener->certificates = certificates;
    listener->connection_count = options->beside ? options->beside->connection_count : &listener->own_count;
    atomic_init(&listener->names, names);
    *ret_listener = listener;
    return ERROR_OK;
}

void listener_set_bounds(struct listener *listener, uint32_t connections_max, uint32_t buffer_bytes_max,
                         uint32_t handshake_timeout_ms)
{
    if (!listener)
        return;
    atomic_store(&listener->connections_max, connections_max);
    atomic_store(&listener->buffer_bytes_max, buffer_bytes_max);
    atomic_store(&listener->handshake_timeout_ms, handshake_timeout_ms);
}

uint16_t listener_port(const struct listener *listener)
{
    return listener ? listener->port : 0;
}

void listener_join(struct listener *listener, struct loop *loop)
{
    unsigned index = atomic_load(&listener->member_count);
    check(index < LISTENER_LOOPS_MAX);
    struct member *member = &listener->members[index];
    member->listener = listener;
    member->loop = loop;
    member->watch = (struct watch){.fd = listener->fd, .events = EPOLLIN | EPOLLEXCLUSIVE, .ready = member_ready};
    member->pause.expired = member_pause_expired;
    list_init(&member->connections);
    member_watch(member);
    atomic_store(&listener->member_count, index + 1);
}

/* Our own socket stops listening at once: programs are refused instead of waiting. One that others keep goes on
 * collecting connections for the next agent; each loop lets go of it when it next looks. */
void listener_stop(struct listener *listener)
{
    if (!listener)
        return;
    atomic_store(&listener->is_stopped, true);
    if (!atomic_load(&listener->is_shared))
        shutdown(listener->fd, SHUT_RD);
}

int listener_share(struct listener *listener, bool is_shared)
{
    if (!listener)
        return -1;
    atomic_store(&listener->is_shared, is_shared);
    return listener->fd;
}

void listener_set_names(struct listener *listener, const struct listener_names *names)
{
    atomic_store(&listener->names, names);
}

unsigned listener_connection_count(const struct listener *listener)
{
    return atomic_load(listener->connection_count);
}

unsigned listener_splice_count(const struct listener *listener)
{
    return atomic_load(&listener->splice_count);
}

uint64_t listener_splice_reads(const struct listener *listener)
{
    return atomic_load_explicit(&listener->splice_reads, memory_order_relaxed);
}

void listener_close(struct listener *listener)
{
    if (!listener)
        return;
    atomic_store(&listener->is_stopped, true);
    for (unsigned i = 0; i < atomic_load(&listener->member_count); i++) {
        struct member *member = &listener->members[i];
        mailbox_run(loop_mailbox(member->loop)); /* connections on their way between loops */
        timer_disarm(member->loop, &member->pause);
        member_unwatch(member);
        while (!list_is_empty(&member->connections)) {
            struct connection *connection = list_entry(member->connections.next, struct connection, node);
            connection_close(connection, connection->state != CONNECTION_LINGERING);
        }
    }
    close(listener->fd);
    free(listener);
}
