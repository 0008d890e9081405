/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections, limits, restarts: how loops share, what happens without places or descriptors, what the next agent
 * finds, and which sessions resume.
 */
#include "tests/unit/net_server.h"

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

TEST(the_limit_may_be_another_while_it_serves)
{
    struct listener_options options = default_options;
    options.connections_max = 1;
    server_start_with(&behave_echo, 1, &options, NULL);
    struct client clients[2];
    client_open(&clients[0]);
    client_init(&clients[1], OPENAI);
    struct pollfd ready = {.fd = clients[1].fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, 150), 0);
    EXPECT_INTEGER(atomic_load(&server.accepted), 1);
    listener_set_bounds(server.listener, 2, options.buffer_bytes_max, options.handshake_timeout_ms);
    EXPECT(client_shake(&clients[1], "api.openai.com"), "there is a place for the second");
    client_echo(&clients[1], "hello");
    client_done(&clients[0]);
    client_done(&clients[1]);
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
    WAIT_FOR(listener_connection_count(server.listener) == 1); /* its descriptor is closed, too */
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
static const struct listener_names other_names = {other_rows, 1, NULL};

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
