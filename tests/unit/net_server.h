/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the suites test_net*.c share: an agent's side on its own loop threads, with a handler per behaviour and counters
 * of all that happens, and a program's side that is a real OpenSSL client on a real socket. Include after nothing else.
 */
#ifndef TESTS_UNIT_NET_SERVER_H
#define TESTS_UNIT_NET_SERVER_H

#include "base/list.h"
#include "net/listener.h"
#include "tests/unit/net_signer.h"
#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the agent's side ---- */

enum { OPENAI = 0x7f4d0001, ANTHROPIC = 0x7f4d0002, UNLISTED = 0x7f4d0909, LOCALHOST = 0x7f000001 };
enum { BUFFER_MAX = 65536 };

static const struct listener_name name_rows[] = {{OPENAI, "api.openai.com"}, {ANTHROPIC, "api.anthropic.com"}};
static const char *const name_order[] = {"api.anthropic.com", "api.openai.com"};
static const struct listener_names names = {name_rows, 2, name_order};
static const char *const name_list[] = {"api.openai.com", "api.anthropic.com"};

struct server {
    char directory[64];
    struct certificates *certificates;
    struct listener *listener;
    struct loop *loops[2];
    pthread_t threads[2];
    unsigned loop_count;
    const struct connection_handler *behaviour;
    bool refuse, wait;
    atomic_bool is_abandoned;     /* nobody holds the other end of what is passed on */
    struct sockaddr_in6 original; /* of redirected connections; family 0: unknown */
    atomic_int upstream;          /* handed over for the next of them; -1: none */
    atomic_uint accepted, opened, closed, failed, fds_exhausted, ended, full, writable, served[2];
    atomic_size_t received, largest_read, pending_max;
    char why[128], server_name[64], name[64];
    struct session *last; /* of the newest connection */
    struct connection *waiting;
};

struct session {
    struct connection *connection;
    size_t sent, taken_at_once;
    bool is_open;
};

static struct server server;

static inline void note_read(struct slice bytes)
{
    atomic_fetch_add(&server.received, bytes.length);
    if (bytes.length > atomic_load(&server.largest_read))
        atomic_store(&server.largest_read, bytes.length);
}

static inline void session_closed(void *context)
{
    struct session *session = context;
    session->is_open = false;
    if (server.last == session)
        server.last = NULL;
    free(session);
    atomic_fetch_add(&server.closed, 1);
}

static inline void session_writable(void *context)
{
    (void)context;
    atomic_fetch_add(&server.writable, 1);
}

static inline void session_ended(void *context)
{
    struct session *session = context;
    atomic_fetch_add(&server.ended, 1);
    connection_finish(session->connection);
}

static inline bool session_write(struct session *session, struct slice bytes, bool *ret_full)
{
    bool ok = connection_write(session->connection, bytes, ret_full);
    size_t pending = connection_pending_bytes(session->connection);
    if (pending > atomic_load(&server.pending_max))
        atomic_store(&server.pending_max, pending);
    return ok;
}

static inline size_t echo_readable(void *context, struct slice bytes)
{
    bool full = false;
    note_read(bytes);
    session_write(context, bytes, &full);
    return bytes.length;
}

/* Position-dependent bytes, so that a lost or doubled piece shows. */
static inline char pattern_at(size_t position)
{
    return (char)(position * 31 + position / 251);
}

static inline void pattern_fill(char *data, size_t length, size_t position)
{
    for (size_t i = 0; i < length; i++)
        data[i] = pattern_at(position + i);
}

static const struct connection_handler behave_echo = {echo_readable, session_writable, session_ended, session_closed};

static inline bool server_accepted(void *context, struct connection *connection, const char *name, bool *ret_wait)
{
    (void)context;
    (void)name;
    *ret_wait = server.wait;
    server.waiting = connection;
    atomic_fetch_add(&server.accepted, 1);
    return !server.refuse;
}

static inline bool server_is_held(void *context, struct connection *connection)
{
    (void)context;
    (void)connection;
    return !atomic_load(&server.is_abandoned);
}

static inline bool server_redirected(void *context, struct connection *connection, struct sockaddr_in6 *ret_original,
                                     int *ret_upstream_fd)
{
    (void)context;
    (void)connection;
    *ret_original = server.original;
    *ret_upstream_fd = atomic_exchange(&server.upstream, -1);
    return server.original.sin6_family != 0;
}

static inline bool server_established(void *context, struct connection *connection, const char *name)
{
    (void)context;
    struct session *session = calloc(1, sizeof *session);
    *session = (struct session){.connection = connection, .is_open = true};
    connection_set_handler(connection, server.behaviour, session);
    for (unsigned i = 0; i < server.loop_count; i++)
        atomic_fetch_add(&server.served[i], connection_loop(connection) == server.loops[i]);
    if (server.loop_count == 1) {
        server.last = session;
        snprintf(server.server_name, sizeof server.server_name, "%s", connection_server_name(connection));
        snprintf(server.name, sizeof server.name, "%s", name);
    }
    atomic_fetch_add(&server.opened, 1);
    return true;
}

static inline void server_failed(void *context, const struct connection_peer *peer, const char *why)
{
    (void)context;
    (void)peer;
    snprintf(server.why, sizeof server.why, "%s", why);
    atomic_fetch_add(&server.failed, 1);
}

static inline void server_fds_exhausted(void *context)
{
    (void)context;
    atomic_fetch_add(&server.fds_exhausted, 1);
}

static inline void *server_run(void *loop)
{
    loop_run(loop);
    return NULL;
}

static const struct listener_handler server_handler = {.accepted = server_accepted,
                                                       .redirected = server_redirected,
                                                       .is_held = server_is_held,
                                                       .established = server_established,
                                                       .failed = server_failed,
                                                       .fds_exhausted = server_fds_exhausted};
static const struct listener_options default_options = {.inherited_fd = -1,
                                                        .network = 0x7f4d0000,
                                                        .network_mask = 0xffff0000,
                                                        .connections_max = 1000,
                                                        .buffer_bytes_max = BUFFER_MAX,
                                                        .handshake_timeout_ms = 10000};

static inline void server_start_with(const struct connection_handler *behaviour, unsigned loop_count,
                                     const struct listener_options *options, const char *directory)
{
    memset(&server, 0, sizeof server);
    server.upstream = -1;
    server.behaviour = behaviour;
    server.loop_count = loop_count;
    strcpy(server.directory, "/tmp/test-net-XXXXXX");
    if (directory)
        snprintf(server.directory, sizeof server.directory, "%s", directory);
    EXPECT(directory || mkdtemp(server.directory) != NULL, "mkdtemp");
    EXPECT_INTEGER(signed_open(server.directory, name_list, 2, &server.certificates), ERROR_OK);
    EXPECT_INTEGER(listener_open(options, &server_handler, server.certificates, &names, &server.listener), ERROR_OK);
    for (unsigned i = 0; i < loop_count; i++) {
        server.loops[i] = loop_new();
        listener_join(server.listener, server.loops[i]);
        pthread_create(&server.threads[i], NULL, server_run, server.loops[i]);
    }
}

static inline void server_start(const struct connection_handler *behaviour)
{
    server_start_with(behaviour, 1, &default_options, NULL);
}

static inline void server_stop(void)
{
    for (unsigned i = 0; i < server.loop_count; i++) {
        loop_stop(server.loops[i]);
        pthread_join(server.threads[i], NULL);
    }
    listener_close(server.listener);
    for (unsigned i = 0; i < server.loop_count; i++)
        loop_free(server.loops[i]);
    signed_close(server.certificates);
    EXPECT_INTEGER(atomic_load(&server.opened), atomic_load(&server.closed));
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", server.directory);
    EXPECT_INTEGER(system(command), 0);
}

/* Waits for the thing itself; ten seconds mean that it will never happen. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        for (int wait_ms = 0; !(condition) && wait_ms < 10000; wait_ms++)                                              \
            poll(NULL, 0, 1);                                                                                          \
        EXPECT(condition, "waited in vain");                                                                           \
    } while (0)

struct errand {
    struct task task;
    void (*run)(void);
    atomic_bool is_done;
};

static inline void errand_run(struct task *task)
{
    struct errand *errand = list_entry(task, struct errand, task);
    errand->run();
    atomic_store(&errand->is_done, true);
}

static inline void on_loop(void (*run)(void))
{
    struct errand errand = {.task.run = errand_run, .run = run};
    mailbox_post(loop_mailbox(server.loops[0]), &errand.task);
    WAIT_FOR(atomic_load(&errand.is_done));
}

/* ---- the program's side ---- */

struct client {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

static inline int client_socket(uint32_t address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(listener_port(server.listener)), .sin_addr.s_addr = htonl(address)};
    if (connect(fd, (struct sockaddr *)&there, sizeof there) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline void client_init(struct client *client, uint32_t address)
{
    *client = (struct client){.fd = client_socket(address), .context = SSL_CTX_new(TLS_client_method())};
    EXPECT(client->fd >= 0, "connect: %s", strerror(errno));
    for (unsigned i = 0; i < server.certificates->pair_count; i++)
        X509_STORE_add_cert(SSL_CTX_get_cert_store(client->context), server.certificates->pairs[i]->root);
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    client->ssl = SSL_new(client->context);
    SSL_set_fd(client->ssl, client->fd);
}

static inline bool client_shake(struct client *client, const char *server_name)
{
    if (server_name)
        SSL_set_tlsext_host_name(client->ssl, server_name);
    bool ok = SSL_connect(client->ssl) == 1;
    return ok;
}

static inline void client_done(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    if (client->fd >= 0)
        close(client->fd);
    ERR_clear_error();
}

static inline void client_open(struct client *client)
{
    client_init(client, OPENAI);
    SSL_set1_host(client->ssl, "api.openai.com");
    EXPECT(client_shake(client, "api.openai.com"), "handshake: %s", ERR_reason_error_string(ERR_peek_error()));
}

static inline void client_write(struct client *client, const char *data, size_t length)
{
    size_t written = 0;
    EXPECT(SSL_write_ex(client->ssl, data, length, &written) == 1 && written == length, "write");
}

/* Reads to the end. True when it was a proper one (close_notify). */
static inline bool client_read_pattern(struct client *client, size_t *ret_bytes)
{
    static char data[65536];
    size_t total = 0, got = 0, wrong = 0;
    while (SSL_read_ex(client->ssl, data, sizeof data, &got) == 1) {
        for (size_t i = 0; i < got; i++)
            wrong += data[i] != pattern_at(total + i);
        total += got;
    }
    EXPECT_INTEGER(wrong, 0);
    *ret_bytes = total;
    bool is_proper = SSL_get_error(client->ssl, 0) == SSL_ERROR_ZERO_RETURN;
    ERR_clear_error();
    return is_proper;
}

static inline void client_echo(struct client *client, const char *text)
{
    char data[256];
    size_t got = 0;
    client_write(client, text, strlen(text));
    EXPECT(SSL_read_ex(client->ssl, data, sizeof data - 1, &got) == 1, "read");
    data[got] = 0;
    EXPECT_STRING(data, text);
}

/* What a raw socket gets: 0 bytes and the end, however the end is said. */
static inline void expect_closed_without_a_byte(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    EXPECT(got == 0 || (got < 0 && errno == ECONNRESET), "recv %zd, %s", got, strerror(errno));
    close(fd);
}

#endif
