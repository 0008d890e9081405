/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets in: addresses, names, TLS versions, the handler's verdict, time. Real clients on real sockets.
 */
#include "tests/unit/net_server.h"

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

/* An address of the machine outside 127/8, 0 when it has none. */
static uint32_t find_outside_address(void)
{
    struct ifaddrs *addresses = NULL;
    uint32_t found = 0;
    EXPECT_INTEGER(getifaddrs(&addresses), 0);
    for (const struct ifaddrs *row = addresses; row; row = row->ifa_next) {
        struct sockaddr_in address;
        if (!row->ifa_addr || row->ifa_addr->sa_family != AF_INET || (row->ifa_flags & IFF_LOOPBACK))
            continue;
        memcpy(&address, row->ifa_addr, sizeof address);
        found = ntohl(address.sin_addr.s_addr);
    }
    freeifaddrs(addresses);
    return found;
}

/* Even where network and names would let it in: by the device when the socket is ours, by the address when it was
 * inherited from somebody who did not bind it to lo. */
TEST(other_addresses_of_the_machine_are_refused)
{
    struct listener_name row = {find_outside_address(), "api.openai.com"};
    struct listener_names outside_names = {&row, 1, NULL};
    for (int is_inherited = 0; is_inherited < 2; is_inherited++) {
        struct listener_options options = default_options;
        options.network_mask = 0;
        if (is_inherited) {
            options.inherited_fd = socket(AF_INET, SOCK_STREAM, 0);
            EXPECT_INTEGER(listen(options.inherited_fd, 10), 0);
        }
        server_start_with(&behave_echo, 1, &options, NULL);
        listener_set_names(server.listener, &outside_names);
        int fd = row.address ? client_socket(row.address) : -1;
        EXPECT(!row.address || is_inherited == (fd >= 0), "inherited %d, connected %d", is_inherited, fd >= 0);
        if (fd >= 0)
            expect_closed_without_a_byte(fd);
        EXPECT_INTEGER(atomic_load(&server.accepted), 0);
        server_stop();
    }
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
    options.handshake_timeout_ms = 2000; /* in which the other one must shake hands */
    server_start_with(&behave_echo, 1, &options, NULL);
    expect_closed_without_a_byte(client_socket(OPENAI));
    WAIT_FOR(atomic_load(&server.failed) == 1);
    EXPECT_STRING(server.why, "timeout");
    struct client client;
    client_open(&client);
    poll(NULL, 0, 2500); /* the timeout must not hit an open connection: there is no event for that to wait for */
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
