/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listener and TLS connections against real OpenSSL clients on real sockets: who gets in, what arrives, back-pressure
 * both ways, every way to end, and what a restart finds. The agent's side runs on its own loop threads; the test thread
 * is the program.
 */
#include "base/list.h"
#include "net/authority.h"
#include "net/loop.h"
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
enum { BUFFER_MAX = 65536, FLOOD_PIECE = 5000, FLOOD_TOTAL = 24 << 20, ANSWER_BYTES = 300000 };

static const struct listener_name name_rows[] = {{OPENAI, "api.openai.com"}, {ANTHROPIC, "api.anthropic.com"}};
static const struct listener_names names = {name_rows, 2};
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

static void note_read(struct slice bytes)
{
    atomic_fetch_add(&server.received, bytes.length);
    if (bytes.length > atomic_load(&server.largest_read))
        atomic_store(&server.largest_read, bytes.length);
}

static void session_closed(void *context)
{
    struct session *session = context;
    session->is_open = false;
    if (server.last == session)
        server.last = NULL;
    free(session);
    atomic_fetch_add(&server.closed, 1);
}

static void session_writable(void *context)
{
    (void)context;
    atomic_fetch_add(&server.writable, 1);
}

static void session_ended(void *context)
{
    struct session *session = context;
    atomic_fetch_add(&server.ended, 1);
    connection_finish(session->connection);
}

static bool session_write(struct session *session, struct slice bytes, bool *ret_full)
{
    bool ok = connection_write(session->connection, bytes, ret_full);
    size_t pending = connection_pending_bytes(session->connection);
    if (pending > atomic_load(&server.pending_max))
        atomic_store(&server.pending_max, pending);
    return ok;
}

static size_t echo_readable(void *context, struct slice bytes)
{
    bool full = false;
    note_read(bytes);
    session_write(context, bytes, &full);
    return bytes.length;
}

/* The echo with back-pressure: at most 700 bytes per offer, asks for the rest itself. */
static size_t nibble_readable(void *context, struct slice bytes)
{
    struct session *session = context;
    bool full = false;
    size_t taken = bytes.length < 700 ? bytes.length : 700;
    note_read((struct slice){bytes.data, taken});
    session_write(session, (struct slice){bytes.data, taken}, &full);
    if (taken < bytes.length)
        connection_resume(session->connection);
    return taken;
}

/* Position-dependent bytes, so that a lost or doubled piece shows. */
static char pattern_at(size_t position)
{
    return (char)(position * 31 + position / 251);
}

static void pattern_fill(char *data, size_t length, size_t position)
{
    for (size_t i = 0; i < length; i++)
        data[i] = pattern_at(position + i);
}

static void flood(struct session *session)
{
    char piece[FLOOD_PIECE];
    bool full = false;
    while (!full && session->sent < FLOOD_TOTAL) {
        pattern_fill(piece, sizeof piece, session->sent);
        size_t left = FLOOD_TOTAL - session->sent;
        size_t length = left < sizeof piece ? left : sizeof piece;
        if (!session_write(session, (struct slice){piece, length}, &full))
            return;
        session->sent += length;
    }
    atomic_fetch_add(&server.full, full);
    if (session->sent == FLOOD_TOTAL)
        connection_finish(session->connection);
}

static size_t flood_readable(void *context, struct slice bytes)
{
    flood(context);
    return bytes.length;
}

static void flood_writable(void *context)
{
    session_writable(context);
    flood(context);
}

/* Takes nothing until a test says how much. */
static size_t hold_readable(void *context, struct slice bytes)
{
    struct session *session = context;
    size_t taken = bytes.length < session->taken_at_once ? bytes.length : session->taken_at_once;
    for (size_t i = 0; i < taken; i++) {
        if (bytes.data[i] != pattern_at(atomic_load(&server.received) + i))
            EXPECT(false, "wrong byte at %zu", atomic_load(&server.received) + i);
    }
    if (bytes.length > atomic_load(&server.largest_read))
        atomic_store(&server.largest_read, bytes.length);
    atomic_fetch_add(&server.received, taken);
    return taken;
}

static size_t swallow_readable(void *context, struct slice bytes)
{
    (void)context;
    note_read(bytes);
    return bytes.length;
}

/* The answer comes only when the program has ended its side. */
static void answer_ended(void *context)
{
    struct session *session = context;
    static char answer[ANSWER_BYTES];
    bool full = false;
    atomic_fetch_add(&server.ended, 1);
    pattern_fill(answer, sizeof answer, 0);
    session_write(session, (struct slice){answer, sizeof answer}, &full);
    connection_finish(session->connection);
}

static size_t answer_readable(void *context, struct slice bytes)
{
    answer_ended(context);
    return bytes.length;
}

static size_t abort_readable(void *context, struct slice bytes)
{
    struct session *session = context;
    bool full = false;
    session_write(session, SLICE_LITERAL("half an answ"), &full);
    connection_close(session->connection, true); /* frees the session */
    return bytes.length;
}

static size_t close_readable(void *context, struct slice bytes)
{
    struct session *session = context;
    bool full = false;
    session_write(session, SLICE_LITERAL("bye"), &full);
    connection_close(session->connection, false);
    return bytes.length;
}

static size_t two_readable(void *context, struct slice bytes)
{
    struct session *session = context;
    static char body[40000];
    bool full = false;
    pattern_fill(body, sizeof body, 0);
    size_t length = (size_t)atol(bytes.data);
    connection_write_two(session->connection, SLICE_LITERAL("HEAD"), (struct slice){body, length}, &full);
    return bytes.length;
}

static const struct connection_handler behave_echo = {echo_readable, session_writable, session_ended, session_closed};
static const struct connection_handler behave_nibble = {nibble_readable, session_writable, session_ended,
                                                        session_closed};
static const struct connection_handler behave_flood = {flood_readable, flood_writable, session_ended, session_closed};
static const struct connection_handler behave_hold = {hold_readable, session_writable, session_ended, session_closed};
static const struct connection_handler behave_answer_at_end = {swallow_readable, session_writable, answer_ended,
                                                               session_closed};
static const struct connection_handler behave_answer = {answer_readable, session_writable, session_ended,
                                                        session_closed};
static const struct connection_handler behave_abort = {abort_readable, session_writable, session_ended, session_closed};
static const struct connection_handler behave_close = {close_readable, session_writable, session_ended, session_closed};
static const struct connection_handler behave_two = {two_readable, session_writable, session_ended, session_closed};

static bool server_accepted(void *context, struct connection *connection, const char *name, bool *ret_wait)
{
    (void)context;
    (void)name;
    *ret_wait = server.wait;
    server.waiting = connection;
    atomic_fetch_add(&server.accepted, 1);
    return !server.refuse;
}

static bool server_established(void *context, struct connection *connection, const char *name)
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

static void server_failed(void *context, const struct connection_peer *peer, const char *why)
{
    (void)context;
    (void)peer;
    snprintf(server.why, sizeof server.why, "%s", why);
    atomic_fetch_add(&server.failed, 1);
}

static void server_fds_exhausted(void *context)
{
    (void)context;
    atomic_fetch_add(&server.fds_exhausted, 1);
}

static void *server_run(void *loop)
{
    loop_run(loop);
    return NULL;
}

static const struct listener_handler server_handler = {server_accepted, server_established, server_failed,
                                                       server_fds_exhausted, NULL};
static const struct listener_options default_options = {.inherited_fd = -1,
                                                        .network = 0x7f4d0000,
                                                        .network_mask = 0xffff0000,
                                                        .connections_max = 1000,
                                                        .buffer_bytes_max = BUFFER_MAX,
                                                        .handshake_timeout_ms = 10000};

static void server_start_with(const struct connection_handler *behaviour, unsigned loop_count,
                              const struct listener_options *options, const char *directory)
{
    memset(&server, 0, sizeof server);
    server.behaviour = behaviour;
    server.loop_count = loop_count;
    strcpy(server.directory, "/tmp/test-net-XXXXXX");
    if (directory)
        snprintf(server.directory, sizeof server.directory, "%s", directory);
    EXPECT(directory || mkdtemp(server.directory) != NULL, "mkdtemp");
    EXPECT_INTEGER(certificates_open(server.directory, name_list, 2, &server.certificates), ERROR_OK);
    EXPECT_INTEGER(listener_open(options, &server_handler, server.certificates, &names, &server.listener), ERROR_OK);
    for (unsigned i = 0; i < loop_count; i++) {
        server.loops[i] = loop_new();
        listener_join(server.listener, server.loops[i]);
        pthread_create(&server.threads[i], NULL, server_run, server.loops[i]);
    }
}

static void server_start(const struct connection_handler *behaviour)
{
    server_start_with(behaviour, 1, &default_options, NULL);
}

static void server_stop(void)
{
    for (unsigned i = 0; i < server.loop_count; i++) {
        loop_stop(server.loops[i]);
        pthread_join(server.threads[i], NULL);
    }
    listener_close(server.listener);
    for (unsigned i = 0; i < server.loop_count; i++)
        loop_free(server.loops[i]);
    certificates_free(server.certificates);
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

static void errand_run(struct task *task)
{
    struct errand *errand = list_entry(task, struct errand, task);
    errand->run();
    atomic_store(&errand->is_done, true);
}

static void on_loop(void (*run)(void))
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

static int client_socket(uint32_t address)
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

static void client_init(struct client *client, uint32_t address)
{
    *client = (struct client){.fd = client_socket(address), .context = SSL_CTX_new(TLS_client_method())};
    EXPECT(client->fd >= 0, "connect: %s", strerror(errno));
    for (unsigned i = 0; i < server.certificates->pair_count; i++)
        X509_STORE_add_cert(SSL_CTX_get_cert_store(client->context), server.certificates->pairs[i]->root);
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    client->ssl = SSL_new(client->context);
    SSL_set_fd(client->ssl, client->fd);
}

static bool client_shake(struct client *client, const char *server_name)
{
    if (server_name)
        SSL_set_tlsext_host_name(client->ssl, server_name);
    bool ok = SSL_connect(client->ssl) == 1;
    return ok;
}

static void client_done(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    if (client->fd >= 0)
        close(client->fd);
    ERR_clear_error();
}

static void client_open(struct client *client)
{
    client_init(client, OPENAI);
    SSL_set1_host(client->ssl, "api.openai.com");
    EXPECT(client_shake(client, "api.openai.com"), "handshake: %s", ERR_reason_error_string(ERR_peek_error()));
}

static void client_write(struct client *client, const char *data, size_t length)
{
    size_t written = 0;
    EXPECT(SSL_write_ex(client->ssl, data, length, &written) == 1 && written == length, "write");
}

/* Reads to the end. True when it was a proper one (close_notify). */
static bool client_read_pattern(struct client *client, size_t *ret_bytes)
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

static void client_echo(struct client *client, const char *text)
{
    char data[256];
    size_t got = 0;
    client_write(client, text, strlen(text));
    EXPECT(SSL_read_ex(client->ssl, data, sizeof data - 1, &got) == 1, "read");
    data[got] = 0;
    EXPECT_STRING(data, text);
}

/* What a raw socket gets: 0 bytes and the end, however the end is said. */
static void expect_closed_without_a_byte(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    EXPECT(got == 0 || (got < 0 && errno == ECONNRESET), "recv %zd, %s", got, strerror(errno));
    close(fd);
}

/* ---- who gets in ---- */

TEST(program_with_the_right_name_is_served)
{
    server_start(&behave_echo);
    struct client client;
    client_open(&client);
    client_echo(&client, "hello");
    client_echo(&client, "again");
    EXPECT_STRING(server.name, "api.openai.com");
    EXPECT_STRING(server.server_name, "api.openai.com");
    EXPECT(SSL_version(client.ssl) == TLS1_3_VERSION, "%s", SSL_get_version(client.ssl));
    client_done(&client);
    WAIT_FOR(atomic_load(&server.closed) == 1);
    server_stop();
}

TEST(tls12_is_served_and_older_versions_are_not)
{
    server_start(&behave_echo);
    struct client client;
    client_init(&client, OPENAI);
    SSL_set_max_proto_version(client.ssl, TLS1_2_VERSION);
    EXPECT(client_shake(&client, "api.openai.com"), "TLS 1.2");
    client_echo(&client, "hello");
    client_done(&client);
    client_init(&client, OPENAI);
    SSL_set_security_level(client.ssl, 0);
    SSL_set_min_proto_version(client.ssl, TLS1_VERSION);
    SSL_set_max_proto_version(client.ssl, TLS1_1_VERSION);
    EXPECT(!client_shake(&client, "api.openai.com"), "TLS 1.1");
    client_done(&client);
    server_stop();
}

TEST(server_name_must_be_that_of_the_address)
{
    server_start(&behave_echo);
    struct client client;
    client_init(&client, OPENAI);
    EXPECT(!client_shake(&client, "api.anthropic.com"), "another governed name");
    EXPECT_INTEGER(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_UNRECOGNIZED_NAME);
    client_done(&client);
    WAIT_FOR(atomic_load(&server.failed) == 1);
    EXPECT_STRING(server.why, "the server name differs from the name of the address");
    client_init(&client, OPENAI);
    EXPECT(client_shake(&client, "API.OpenAI.com"), "case does not matter");
    client_done(&client);
    client_init(&client, ANTHROPIC);
    SSL_set1_host(client.ssl, "api.anthropic.com");
    EXPECT(client_shake(&client, NULL), "without a name the address decides");
    client_echo(&client, "hello");
    EXPECT_STRING(server.name, "api.anthropic.com");
    EXPECT_STRING(server.server_name, "");
    client_done(&client);
    server_stop();
}

TEST(alpn_is_http11_or_nothing)
{
    static const struct {
        const char *offer, *selected;
    } rows[] = {{"\x08http/1.1", "http/1.1"}, {"\x02h2\x08http/1.1", "http/1.1"}, {"\x02h2", ""}, {"\x08http/1.0", ""}};
    server_start(&behave_echo);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client client;
        client_init(&client, OPENAI);
        SSL_set_alpn_protos(client.ssl, (const unsigned char *)rows[i].offer, (unsigned)strlen(rows[i].offer));
        EXPECT(client_shake(&client, "api.openai.com"), "%s", rows[i].offer);
        const unsigned char *selected;
        unsigned length;
        SSL_get0_alpn_selected(client.ssl, &selected, &length);
        EXPECT(length == strlen(rows[i].selected) && (!length || memcmp(selected, rows[i].selected, length) == 0),
               "%s: %.*s", rows[i].offer, (int)length, length ? (const char *)selected : "");
        client_done(&client);
    }
    server_stop();
}

TEST(foreign_addresses_are_closed_without_a_byte)
{
    server_start(&behave_echo);
    static const uint32_t addresses[] = {LOCALHOST, UNLISTED, 0x7f4e0001};
    for (size_t i = 0; i < 3; i++)
        expect_closed_without_a_byte(client_socket(addresses[i]));
    EXPECT_INTEGER(atomic_load(&server.accepted), 0);
    EXPECT_INTEGER(listener_connection_count(server.listener), 0);
    server_stop();
}

TEST(other_addresses_of_the_machine_are_refused)
{
    server_start(&behave_echo);
    struct ifaddrs *addresses = NULL;
    EXPECT_INTEGER(getifaddrs(&addresses), 0);
    for (const struct ifaddrs *row = addresses; row; row = row->ifa_next) {
        if (!row->ifa_addr || row->ifa_addr->sa_family != AF_INET || (row->ifa_flags & IFF_LOOPBACK))
            continue;
        struct sockaddr_in address;
        memcpy(&address, row->ifa_addr, sizeof address);
        int fd = client_socket(ntohl(address.sin_addr.s_addr));
        /* A local client reaches any local address through lo; it may connect, but nothing is said to it. */
        if (fd >= 0)
            expect_closed_without_a_byte(fd);
    }
    freeifaddrs(addresses);
    EXPECT_INTEGER(atomic_load(&server.accepted), 0);
    int bound_fd = -1;
    char device[IFNAMSIZ] = "";
    socklen_t length = sizeof device;
    for (int fd = 3; fd < 64 && bound_fd < 0; fd++) {
        int is_listening = 0;
        socklen_t size = sizeof is_listening;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) == 0 && is_listening)
            bound_fd = fd;
    }
    EXPECT_INTEGER(getsockopt(bound_fd, SOL_SOCKET, SO_BINDTODEVICE, device, &length), 0);
    EXPECT_STRING(device, "lo");
    server_stop();
}

TEST(refused_peer_gets_no_byte)
{
    server_start(&behave_echo);
    server.refuse = true;
    expect_closed_without_a_byte(client_socket(OPENAI));
    EXPECT_INTEGER(atomic_load(&server.accepted), 1);
    server_stop();
}

static void admit_waiting(void)
{
    listener_admit(server.waiting, true);
}

static void refuse_waiting(void)
{
    listener_admit(server.waiting, false);
}

TEST(slow_decision_holds_the_handshake_back)
{
    server_start(&behave_echo);
    server.wait = true;
    struct client client;
    client_init(&client, OPENAI);
    SSL_set_tlsext_host_name(client.ssl, "api.openai.com");
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    EXPECT_INTEGER(SSL_connect(client.ssl), -1);
    WAIT_FOR(atomic_load(&server.accepted) == 1);
    struct pollfd answer = {.fd = client.fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&answer, 1, 50), 0);
    on_loop(admit_waiting);
    fcntl(client.fd, F_SETFL, 0);
    EXPECT_INTEGER(SSL_connect(client.ssl), 1);
    client_echo(&client, "hello");
    client_done(&client);
    int fd = client_socket(OPENAI);
    WAIT_FOR(atomic_load(&server.accepted) == 2);
    on_loop(refuse_waiting);
    expect_closed_without_a_byte(fd);
    server_stop();
}

TEST(silent_program_is_closed_after_the_handshake_timeout)
{
    struct listener_options options = default_options;
    options.handshake_timeout_ms = 50;
    server_start_with(&behave_echo, 1, &options, NULL);
    expect_closed_without_a_byte(client_socket(OPENAI));
    WAIT_FOR(atomic_load(&server.failed) == 1);
    EXPECT_STRING(server.why, "timeout");
    struct client client;
    client_open(&client);
    poll(NULL, 0, 120); /* the timeout must not hit an open connection: there is no event for that to wait for */
    client_echo(&client, "still here");
    client_done(&client);
    server_stop();
}

TEST(plain_http_fails_with_a_reason)
{
    server_start(&behave_echo);
    int fd = client_socket(OPENAI);
    EXPECT(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18, "send");
    WAIT_FOR(atomic_load(&server.failed) == 1);
    EXPECT_STRING(server.why, "http request");
    close(fd);
    fd = client_socket(OPENAI);
    close(fd);
    WAIT_FOR(atomic_load(&server.failed) == 2);
    EXPECT_STRING(server.why, "the program closed the connection");
    server_stop();
}

/* ---- bytes ---- */

/* Writes in pieces of many sizes, reading only what is there, and compares the echo. */
static void expect_echo_of_pattern(const struct connection_handler *behaviour)
{
    server_start(behaviour);
    struct client client;
    client_open(&client);
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(client.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    static char piece[3 * 16384], echo[65536];
    size_t sent = 0, received = 0, wrong = 0, total = 3000000;
    for (unsigned i = 1, idle = 0; received < total && idle < 10000; i++) {
        size_t done = 0, length = (size_t)i * 7919 % sizeof piece + 1;
        length = length < total - sent ? length : total - sent;
        pattern_fill(piece, sizeof piece, sent); /* a write that is tried again may not be shorter than before */
        if (sent < total && SSL_write_ex(client.ssl, piece, sizeof piece < total - sent ? sizeof piece : length, &done))
            sent += done;
        if (SSL_read_ex(client.ssl, echo, sizeof echo, &done) == 1) {
            for (size_t k = 0; k < done; k++)
                wrong += echo[k] != pattern_at(received + k);
            received += done;
            idle = 0;
        } else if (++idle > 1) {
            struct pollfd ready = {.fd = client.fd, .events = POLLIN};
            poll(&ready, 1, 10);
        }
    }
    EXPECT_INTEGER(received, total);
    EXPECT_INTEGER(wrong, 0);
    EXPECT(atomic_load(&server.largest_read) <= 2 * TLS_RECORD_BYTES_MAX, "%zu", atomic_load(&server.largest_read));
    client_done(&client);
    server_stop();
}

TEST(every_byte_comes_back_in_order)
{
    expect_echo_of_pattern(&behave_echo);
}

TEST(every_byte_comes_back_when_little_is_taken_at_once)
{
    expect_echo_of_pattern(&behave_nibble);
}

TEST(head_and_body_are_one_record_when_they_fit)
{
    static const struct {
        const char *body_bytes;
        size_t first_record;
    } rows[] = {{"0", 4}, {"1400", 1404}, {"16380", 16384}, {"16381", 16384}, {"40000", 16384}};
    server_start(&behave_two);
    struct client client;
    client_open(&client);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static char data[65536];
        size_t got = 0, total = 0, wanted = 4 + (size_t)atol(rows[i].body_bytes), wrong = 0;
        client_write(&client, rows[i].body_bytes, strlen(rows[i].body_bytes) + 1);
        EXPECT(SSL_read_ex(client.ssl, data, sizeof data, &got) == 1 && got == rows[i].first_record, "%s: %zu",
               rows[i].body_bytes, got); /* one call returns one record at most */
        for (total = got; total < wanted && SSL_read_ex(client.ssl, data + total, sizeof data - total, &got) == 1;)
            total += got;
        EXPECT(total == wanted && memcmp(data, "HEAD", 4) == 0, "%zu of %zu", total, wanted);
        for (size_t k = 4; k < total; k++)
            wrong += data[k] != pattern_at(k - 4);
        EXPECT_INTEGER(wrong, 0);
    }
    client_done(&client);
    server_stop();
}

TEST(client_that_does_not_read_stops_the_producer)
{
    server_start(&behave_flood);
    struct client client;
    client_open(&client);
    client_write(&client, "go", 2);
    WAIT_FOR(atomic_load(&server.full) == 1);
    EXPECT(atomic_load(&server.pending_max) <= BUFFER_MAX + FLOOD_PIECE, "%zu bytes queued",
           atomic_load(&server.pending_max));
    EXPECT_INTEGER(atomic_load(&server.writable), 0);
    size_t received = 0;
    EXPECT(client_read_pattern(&client, &received), "no proper end");
    EXPECT_INTEGER(received, FLOOD_TOTAL);
    EXPECT(atomic_load(&server.writable) > 0, "never writable again");
    EXPECT(atomic_load(&server.pending_max) <= BUFFER_MAX + FLOOD_PIECE, "%zu bytes queued",
           atomic_load(&server.pending_max));
    client_done(&client);
    server_stop();
}

static void take_all(void)
{
    server.last->taken_at_once = SIZE_MAX;
    connection_resume(server.last->connection);
}

static void take_100(void)
{
    server.last->taken_at_once = 100;
    connection_resume(server.last->connection);
}

/* How much the kernel and the agent take before the client would have to wait. */
static size_t write_until_stuck(struct client *client, size_t limit)
{
    static char piece[16384];
    size_t sent = 0, done = 0;
    for (unsigned idle = 0; idle < 20 && sent < limit;) {
        pattern_fill(piece, sizeof piece, sent);
        if (SSL_write_ex(client->ssl, piece, sizeof piece, &done) == 1) {
            sent += done;
            idle = 0;
        } else {
            struct pollfd ready = {.fd = client->fd, .events = POLLOUT};
            idle += poll(&ready, 1, 10) == 0;
        }
    }
    return sent;
}

TEST(handler_that_takes_nothing_stops_the_reading)
{
    server_start(&behave_hold);
    struct client client;
    client_open(&client);
    int bytes = 65536;
    setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(client.ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    size_t sent = write_until_stuck(&client, 64 << 20);
    EXPECT(sent > 0 && sent < 64 << 20, "%zu bytes were taken", sent);
    EXPECT_INTEGER(atomic_load(&server.received), 0);
    on_loop(take_100);
    WAIT_FOR(atomic_load(&server.received) == 100);
    on_loop(take_all);
    WAIT_FOR(atomic_load(&server.received) >= sent);
    EXPECT(atomic_load(&server.largest_read) <= 2 * TLS_RECORD_BYTES_MAX, "%zu bytes kept",
           atomic_load(&server.largest_read));
    client_done(&client);
    server_stop();
}

/* The end is told after the last byte, also when the bytes were kept. */
TEST(end_comes_after_kept_bytes)
{
    server_start(&behave_hold);
    struct client client;
    client_open(&client);
    char data[1000];
    pattern_fill(data, sizeof data, 0);
    client_write(&client, data, sizeof data);
    SSL_shutdown(client.ssl);
    shutdown(client.fd, SHUT_WR);
    WAIT_FOR(atomic_load(&server.largest_read) == sizeof data);
    on_loop(take_100);
    EXPECT_INTEGER(atomic_load(&server.ended), 0);
    on_loop(take_all);
    WAIT_FOR(atomic_load(&server.ended) == 1);
    EXPECT_INTEGER(atomic_load(&server.received), sizeof data);
    client_done(&client);
    server_stop();
}

/* ---- ends ---- */

TEST(half_close_still_gets_its_answer)
{
    for (int with_notify = 0; with_notify < 2; with_notify++) {
        server_start(&behave_answer_at_end);
        struct client client;
        client_open(&client);
        client_write(&client, "request", 7);
        if (with_notify)
            SSL_shutdown(client.ssl);
        else
            shutdown(client.fd, SHUT_WR);
        size_t received = 0;
        EXPECT(client_read_pattern(&client, &received), "no proper end");
        EXPECT_INTEGER(received, ANSWER_BYTES);
        EXPECT_INTEGER(atomic_load(&server.ended), 1);
        client_done(&client);
        WAIT_FOR(atomic_load(&server.closed) == 1);
        server_stop();
    }
}

/* The program is still sending when the answer is complete: it must get all of it, no RST. */
TEST(finish_delivers_the_answer_to_a_program_that_still_sends)
{
    server_start(&behave_answer);
    struct client client;
    client_open(&client);
    static char body[400000];
    size_t written = 0, received = 0;
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(client.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    for (unsigned i = 0; i < 100 && written < sizeof body; i++) {
        size_t done = 0;
        if (SSL_write_ex(client.ssl, body + written, sizeof body - written, &done) == 1)
            written += done;
        else
            poll(NULL, 0, 1);
    }
    EXPECT_INTEGER(written, sizeof body);
    fcntl(client.fd, F_SETFL, 0);
    EXPECT(client_read_pattern(&client, &received), "no proper end");
    EXPECT_INTEGER(received, ANSWER_BYTES);
    EXPECT_INTEGER(atomic_load(&server.closed), 0); /* it waits for the program's own end */
    client_done(&client);
    WAIT_FOR(atomic_load(&server.closed) == 1);
    server_stop();
}

TEST(abort_is_no_proper_end)
{
    server_start(&behave_abort);
    struct client client;
    client_open(&client);
    client_write(&client, "request", 7);
    char data[64];
    size_t got = 0;
    while (SSL_read_ex(client.ssl, data, sizeof data, &got) == 1)
        ;
    EXPECT(SSL_get_error(client.ssl, 0) != SSL_ERROR_ZERO_RETURN, "a cut answer looked whole");
    EXPECT_INTEGER(errno, ECONNRESET);
    client_done(&client);
    server_stop();
}

TEST(close_inside_a_callback_is_a_proper_end)
{
    server_start(&behave_close);
    struct client client;
    client_open(&client);
    client_write(&client, "request", 7);
    char data[64];
    size_t got = 0;
    EXPECT(SSL_read_ex(client.ssl, data, sizeof data, &got) == 1 && got == 3, "bye");
    EXPECT(SSL_read_ex(client.ssl, data, sizeof data, &got) == 0, "more");
    EXPECT_INTEGER(SSL_get_error(client.ssl, 0), SSL_ERROR_ZERO_RETURN);
    client_done(&client);
    EXPECT_INTEGER(atomic_load(&server.closed), 1);
    server_stop();
}

static void client_reset(struct client *client)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    client_done(client);
}

TEST(program_that_resets_is_noticed_in_every_state)
{
    static const struct connection_handler *const behaviours[] = {&behave_echo, &behave_hold, &behave_flood,
                                                                  &behave_answer};
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
        server_start(behaviours[i]);
        struct client client;
        client_open(&client);
        client_write(&client, "request", 7);
        WAIT_FOR(i != 2 || atomic_load(&server.full) == 1);
        client_reset(&client);
        WAIT_FOR(atomic_load(&server.closed) == 1);
        EXPECT_INTEGER(listener_connection_count(server.listener), 0);
        server_stop();
    }
}

static bool write_result;

static void write_into_the_void(void)
{
    bool full = false;
    write_result = true;
    for (int i = 0; i < 100 && write_result; i++)
        write_result = session_write(server.last, SLICE_LITERAL("x"), &full);
    EXPECT_INTEGER(atomic_load(&server.closed), 0); /* never from inside the write */
}

static atomic_bool may_go_on;

static void hold_loop_then_write(void)
{
    WAIT_FOR(atomic_load(&may_go_on));
    write_into_the_void();
}

/* The loop is held while the program resets, so that the write is what finds out. */
TEST(write_to_a_program_that_is_gone_fails)
{
    server_start(&behave_echo);
    struct client client;
    client_open(&client);
    client_echo(&client, "hello");
    atomic_store(&may_go_on, false);
    struct errand errand = {.task.run = errand_run, .run = hold_loop_then_write};
    mailbox_post(loop_mailbox(server.loops[0]), &errand.task);
    client_reset(&client);
    atomic_store(&may_go_on, true);
    WAIT_FOR(atomic_load(&errand.is_done));
    EXPECT(!write_result, "the write went well");
    WAIT_FOR(atomic_load(&server.closed) == 1);
    server_stop();
}

/* ---- many, limits, restarts ---- */

TEST(five_hundred_connections_on_two_loops)
{
    enum { CLIENTS = 500 };
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    server_start_with(&behave_echo, 2, &default_options, NULL);
    static struct client clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        client_open(&clients[i]);
    for (int i = 0; i < CLIENTS; i++)
        client_write(&clients[i], "ping", 4);
    for (int i = 0; i < CLIENTS; i++) {
        char data[8] = "";
        size_t got = 0;
        EXPECT(SSL_read_ex(clients[i].ssl, data, sizeof data, &got) == 1 && got == 4, "client %d", i);
    }
    EXPECT_INTEGER(listener_connection_count(server.listener), CLIENTS);
    unsigned first = atomic_load(&server.served[0]), second = atomic_load(&server.served[1]);
    EXPECT(first + second == CLIENTS && first + 4 > second && second + 4 > first, "%u and %u", first, second);
    for (int i = 0; i < CLIENTS; i++)
        client_done(&clients[i]);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    server_stop();
}

TEST(accepting_pauses_at_the_limit)
{
    struct listener_options options = default_options;
    options.connections_max = 2;
    server_start_with(&behave_echo, 1, &options, NULL);
    struct client clients[3];
    client_open(&clients[0]);
    client_open(&clients[1]);
    client_init(&clients[2], OPENAI); /* the kernel's queue takes it */
    struct pollfd ready = {.fd = clients[2].fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, 150), 0);
    EXPECT_INTEGER(atomic_load(&server.accepted), 2);
    client_echo(&clients[0], "served meanwhile");
    client_done(&clients[1]);
    EXPECT(client_shake(&clients[2], "api.openai.com"), "after a place became free");
    client_echo(&clients[2], "hello");
    client_done(&clients[0]);
    client_done(&clients[2]);
    server_stop();
}

TEST(accepting_pauses_without_descriptors)
{
    server_start(&behave_echo);
    struct client first, second;
    client_open(&first);
    client_init(&second, OPENAI);
    WAIT_FOR(atomic_load(&server.accepted) == 2);
    client_done(&second);
    WAIT_FOR(atomic_load(&server.failed) == 1);
    struct rlimit before, limit;
    getrlimit(RLIMIT_NOFILE, &before);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* the last descriptor */
    limit = before;
    limit.rlim_cur = (rlim_t)fd + 1;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(listener_port(server.listener)), .sin_addr.s_addr = htonl(OPENAI)};
    int filler[64], fillers = 0;
    while (fillers < 64 && (filler[fillers] = dup(0)) >= 0)
        fillers++;
    EXPECT_INTEGER(connect(fd, (struct sockaddr *)&there, sizeof there), 0);
    WAIT_FOR(atomic_load(&server.fds_exhausted) == 1);
    client_echo(&first, "lives on");
    poll(NULL, 0, 250); /* several tries go by; told once */
    EXPECT_INTEGER(atomic_load(&server.fds_exhausted), 1);
    setrlimit(RLIMIT_NOFILE, &before);
    while (fillers > 0)
        close(filler[--fillers]);
    WAIT_FOR(atomic_load(&server.accepted) == 3);
    close(fd);
    client_done(&first);
    server_stop();
}

/* A child listens and has an open connection; it is killed; the same port must be ours at once. */
TEST(port_is_free_again_after_kill)
{
    server_start(&behave_echo);
    server_stop();
    int channel[2];
    EXPECT_INTEGER(pipe(channel), 0);
    pid_t child = fork();
    if (child == 0) {
        server_start(&behave_echo);
        uint16_t port = listener_port(server.listener);
        ssize_t ignored = write(channel[1], &port, sizeof port);
        (void)ignored;
        for (;;)
            pause();
    }
    struct listener_options options = default_options;
    EXPECT_INTEGER(read(channel[0], &options.port, sizeof options.port), sizeof options.port);
    struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(options.port), .sin_addr.s_addr = htonl(OPENAI)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_INTEGER(connect(fd, (struct sockaddr *)&there, sizeof there), 0);
    struct listener *thief;
    EXPECT_INTEGER(listener_open(&options, &server_handler, NULL, &names, &thief), ERROR_SYSTEM);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    server_start_with(&behave_echo, 1, &options, NULL);
    EXPECT_INTEGER(listener_port(server.listener), options.port);
    struct client client;
    client_open(&client);
    client_echo(&client, "hello");
    client_done(&client);
    close(fd);
    close(channel[0]);
    close(channel[1]);
    server_stop();
}

TEST(inherited_descriptor_must_be_a_listening_ipv4_socket)
{
    static const struct {
        int domain, type;
        bool listens;
        enum error error;
    } rows[] = {{AF_INET, SOCK_STREAM, false, ERROR_REQUEST_INVALID},
                {AF_INET, SOCK_DGRAM, false, ERROR_REQUEST_INVALID},
                {AF_UNIX, SOCK_STREAM, false, ERROR_REQUEST_INVALID},
                {AF_INET6, SOCK_STREAM, true, ERROR_REQUEST_INVALID},
                {AF_INET, SOCK_STREAM, true, ERROR_OK}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct listener_options options = default_options;
        options.inherited_fd = socket(rows[i].domain, rows[i].type, 0);
        if (rows[i].listens)
            EXPECT_INTEGER(listen(options.inherited_fd, 10), 0);
        struct listener *listener = NULL;
        enum error error = listener_open(&options, &server_handler, NULL, &names, &listener);
        EXPECT(error == rows[i].error, "row %zu: %s", i, error_row(error)->name);
        if (listener)
            listener_close(listener);
        else
            close(options.inherited_fd);
    }
    struct listener *listener;
    struct listener_options options = default_options;
    options.inherited_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_INTEGER(listener_open(&options, &server_handler, NULL, &names, &listener), ERROR_REQUEST_INVALID);
    close(options.inherited_fd);
}

TEST(inherited_socket_outlives_the_agent)
{
    struct listener_options options = default_options;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(bind(fd, (struct sockaddr *)&any, sizeof any) == 0 && listen(fd, 100) == 0, "listen");
    options.inherited_fd = dup(fd);
    server_start_with(&behave_echo, 1, &options, NULL);
    listener_stop(server.listener);
    int waiting = client_socket(OPENAI); /* the queue still takes it: for the next agent */
    EXPECT(waiting >= 0, "refused");
    EXPECT_INTEGER(atomic_load(&server.accepted), 0);
    server_stop();
    options.inherited_fd = fd;
    server_start_with(&behave_echo, 1, &options, NULL);
    WAIT_FOR(atomic_load(&server.accepted) == 1);
    close(waiting);
    server_stop();
}

TEST(stopped_listener_refuses_and_connections_live_on)
{
    server_start_with(&behave_echo, 2, &default_options, NULL);
    struct client client;
    client_open(&client);
    listener_stop(server.listener);
    int fd = client_socket(OPENAI);
    EXPECT(fd < 0, "accepted after the stop");
    client_echo(&client, "still here");
    client_done(&client);
    server_stop();
}

static void expect_resumed(SSL_SESSION *session, uint32_t address, const char *name, bool wanted)
{
    struct client client;
    client_init(&client, address);
    SSL_SESSION *copy = SSL_SESSION_dup(session); /* a client that is just freed spoils its session */
    SSL_set_session(client.ssl, copy);
    SSL_SESSION_free(copy);
    EXPECT(client_shake(&client, name), "%s", name);
    EXPECT(SSL_session_reused(client.ssl) == wanted, "%s: resumed %d", name, SSL_session_reused(client.ssl));
    client_echo(&client, "hello");
    client_done(&client);
}

TEST(sessions_resume_for_the_same_name_on_any_loop)
{
    server_start_with(&behave_echo, 2, &default_options, NULL);
    struct client client, other;
    client_open(&other); /* so that the loops take turns */
    client_open(&client);
    client_echo(&client, "the ticket comes with this");
    SSL_SESSION *session = SSL_SESSION_dup(SSL_get0_session(client.ssl));
    client_done(&client);
    for (int i = 0; i < 4; i++)
        expect_resumed(session, OPENAI, "api.openai.com", true);
    expect_resumed(session, ANTHROPIC, "api.anthropic.com", false);
    SSL_SESSION_free(session);
    client_done(&other);
    server_stop();
}

static const struct listener_name other_rows[] = {{OPENAI, "api.anthropic.com"}};
static const struct listener_names other_names = {other_rows, 1};

TEST(names_can_be_replaced_while_running)
{
    server_start(&behave_echo);
    listener_set_names(server.listener, &other_names);
    struct client client;
    client_init(&client, OPENAI);
    EXPECT(client_shake(&client, "api.anthropic.com"), "new name");
    client_done(&client);
    expect_closed_without_a_byte(client_socket(ANTHROPIC));
    server_stop();
}
