/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections without TLS: the same handlers, back-pressure and bounds; one address alone; counted with the listener
 * beside it.
 */
#include "tests/unit/net_server.h"

static const struct listener_name localhost_row = {LOCALHOST, "127.0.0.1"};
static const struct listener_names localhost_names = {.rows = &localhost_row, .count = 1};

static struct listener_options plain_options(void)
{
    struct listener_options options = default_options;
    options.is_plain = true;
    options.address = options.network = LOCALHOST;
    options.network_mask = 0xffffffff;
    return options;
}

static void plain_start_server(const struct connection_handler *behaviour)
{
    const struct listener_options options = plain_options();
    server_start_with(behaviour, 1, &options, NULL);
    listener_set_names(server.listener, &localhost_names);
}

static void expect_echo(int fd, const char *text)
{
    char got[64] = "";
    EXPECT(send(fd, text, strlen(text), 0) == (ssize_t)strlen(text), "sent");
    EXPECT(recv(fd, got, strlen(text), MSG_WAITALL) == (ssize_t)strlen(text), "answered");
    EXPECT_STRING(got, text);
}

static bool last_is_plain;
static void look_at_last(void)
{
    last_is_plain = connection_is_plain(server.last->connection);
}

TEST(plain_bytes_come_and_go)
{
    plain_start_server(&behave_echo);
    int fd = client_socket(LOCALHOST);
    expect_echo(fd, "hello");
    expect_echo(fd, "again");
    EXPECT_STRING(server.name, "127.0.0.1");
    on_loop(look_at_last);
    EXPECT(last_is_plain, "plain");
    shutdown(fd, SHUT_WR);
    char byte;
    EXPECT(recv(fd, &byte, 1, 0) == 0, "our end follows the program's");
    EXPECT_INTEGER(atomic_load(&server.ended), 1);
    close(fd);
    WAIT_FOR(atomic_load(&server.closed) == 1);
    EXPECT_INTEGER(atomic_load(&server.failed), 0);
    server_stop();
}

TEST(plain_socket_is_bound_to_its_address_alone)
{
    plain_start_server(&behave_echo);
    static const uint32_t others[] = {OPENAI, LOCALHOST + 1};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        EXPECT(client_socket(others[i]) < 0, "refused by the kernel");
    EXPECT_INTEGER(atomic_load(&server.accepted), 0);
    server_stop();
}

TEST(plain_peer_that_is_refused_gets_no_byte)
{
    plain_start_server(&behave_echo);
    server.refuse = true;
    expect_closed_without_a_byte(client_socket(LOCALHOST));
    server_stop();
}

/* Takes one byte of what it is offered, then nothing until the loop offers it again. */
static size_t nibble_readable(void *context, struct slice bytes)
{
    struct session *session = context;
    size_t length = bytes.length < 1000 ? bytes.length : 1000;
    bool full = false;
    note_read(bytes);
    session_write(session, (struct slice){bytes.data, length}, &full);
    connection_resume(session->connection);
    return length;
}
static const struct connection_handler behave_nibble = {nibble_readable, session_writable, session_ended,
                                                        session_closed};

struct writer {
    int fd;
    size_t length;
};

static void *write_pattern(void *argument)
{
    const struct writer *writer = argument;
    char piece[5000];
    for (size_t at = 0; at < writer->length;) {
        size_t length = writer->length - at < sizeof piece ? writer->length - at : sizeof piece;
        pattern_fill(piece, length, at);
        ssize_t sent = send(writer->fd, piece, length, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    shutdown(writer->fd, SHUT_WR);
    return NULL;
}

/* More than every buffer on the way, taken a little at a time: nothing lost, nothing twice, in order. */
TEST(plain_bytes_survive_back_pressure)
{
    static const size_t length = 3000000;
    plain_start_server(&behave_nibble);
    struct writer writer = {client_socket(LOCALHOST), length};
    pthread_t thread;
    pthread_create(&thread, NULL, write_pattern, &writer);
    size_t got = 0, wrong = 0;
    char piece[7000];
    ssize_t count;
    while ((count = recv(writer.fd, piece, sizeof piece, 0)) > 0)
        for (ssize_t i = 0; i < count; i++, got++)
            wrong += piece[i] != pattern_at(got);
    pthread_join(thread, NULL);
    EXPECT_INTEGER(got, length);
    EXPECT_INTEGER(wrong, 0);
    close(writer.fd);
    server_stop();
}

/* Two pieces in one write, more of both than the socket takes: what is left waits in order. */
static size_t two_readable(void *context, struct slice bytes)
{
    static char first[8000000], second[12000000];
    struct session *session = context;
    bool full = false;
    pattern_fill(first, sizeof first, 0);
    pattern_fill(second, sizeof second, sizeof first);
    connection_write_two(session->connection, (struct slice){first, sizeof first},
                         (struct slice){second, sizeof second}, &full);
    EXPECT(full, "more than the buffer's bound");
    connection_finish(session->connection);
    return bytes.length;
}
static const struct connection_handler behave_two = {two_readable, session_writable, session_ended, session_closed};

TEST(plain_two_pieces_arrive_whole_before_the_end)
{
    plain_start_server(&behave_two);
    int fd = client_socket(LOCALHOST);
    EXPECT(send(fd, "x", 1, 0) == 1, "asked");
    size_t got = 0, wrong = 0;
    char piece[7000];
    ssize_t count;
    while ((count = recv(fd, piece, sizeof piece, 0)) > 0)
        for (ssize_t i = 0; i < count; i++, got++)
            wrong += piece[i] != pattern_at(got);
    EXPECT_INTEGER(count, 0);
    EXPECT_INTEGER(got, 20000000);
    EXPECT_INTEGER(wrong, 0);
    close(fd);
    server_stop();
}

static struct listener *plain_beside;

static void join_beside(void)
{
    listener_join(plain_beside, server.loops[0]);
}

static void close_beside(void)
{
    listener_close(plain_beside);
}

/* The bound on connections is one for both doors: the third waits until one of the first two has gone. */
TEST(plain_connections_count_with_those_beside)
{
    struct listener_options options = default_options, beside = plain_options();
    options.connections_max = beside.connections_max = 2;
    server_start_with(&behave_echo, 1, &options, NULL);
    beside.beside = server.listener;
    EXPECT_INTEGER(listener_open(&beside, &server_handler, NULL, &localhost_names, &plain_beside), ERROR_OK);
    on_loop(join_beside);
    struct listener *tls = server.listener;
    struct client client;
    client_open(&client);
    server.listener = plain_beside; /* where client_socket goes */
    int second = client_socket(LOCALHOST), third = client_socket(LOCALHOST);
    expect_echo(second, "second");
    EXPECT_INTEGER(listener_connection_count(tls), 2);
    EXPECT_INTEGER(send(third, "third", 5, 0), 5);
    expect_echo(second, "again");
    EXPECT_INTEGER(atomic_load(&server.accepted), 2);
    client_done(&client);
    char got[6] = "";
    EXPECT_INTEGER(recv(third, got, 5, MSG_WAITALL), 5);
    EXPECT_STRING(got, "third");
    close(second);
    close(third);
    WAIT_FOR(listener_connection_count(tls) == 0);
    on_loop(close_beside);
    server.listener = tls;
    EXPECT_INTEGER(listener_port(NULL), 0);
    server_stop();
}
