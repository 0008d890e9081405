/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redirected connections: which are governed, and how the others are passed on. The original server is a plain socket
 * of the test's own, so that every byte, end and reset can be looked at on both sides.
 */
#include "tests/unit/net_server.h"

#include "base/clock.h"

#include <time.h>

enum { STAND_IN = 0x7f4e0005, HELLO_TIMEOUT_MS = 300, PATIENT_MS = 10000, BULK = 10 << 20 };

static int original_fd; /* listening */

static void start_with(uint32_t hello_timeout_ms, uint32_t handshake_timeout_ms)
{
    struct listener_options options = default_options;
    options.redirect_network = 0x7f4e0000;
    options.hello_timeout_ms = hello_timeout_ms;
    options.handshake_timeout_ms = handshake_timeout_ms;
    server_start_with(&behave_echo, 1, &options, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(LOCALHOST)};
    socklen_t length = sizeof address;
    original_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_INTEGER(bind(original_fd, (struct sockaddr *)&address, sizeof address), 0);
    EXPECT_INTEGER(listen(original_fd, 16), 0);
    getsockname(original_fd, (struct sockaddr *)&address, &length);
    server.original = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = address.sin_port};
    server.original.sin6_addr.s6_addr16[5] = 0xffff;
    server.original.sin6_addr.s6_addr32[3] = address.sin_addr.s_addr;
}

static void start(uint32_t hello_timeout_ms)
{
    start_with(hello_timeout_ms, PATIENT_MS);
}

static void stop(void)
{
    close(original_fd);
    server_stop();
}

/* The agent's connection to the original server; the test waits for it at most ten seconds. */
static int take(void)
{
    struct pollfd ready = {.fd = original_fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, 10000), 1);
    int fd = accept(original_fd, NULL, NULL);
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static void expect_text(int fd, const char *text)
{
    char bytes[256] = "";
    size_t length = strlen(text);
    EXPECT_INTEGER(recv(fd, bytes, length, MSG_WAITALL), length);
    EXPECT_STRING(bytes, text);
}

static void send_text(int fd, const char *text)
{
    EXPECT_INTEGER(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void expect_end(int fd)
{
    char byte;
    EXPECT_INTEGER(recv(fd, &byte, 1, 0), 0);
}

static void expect_reset(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    EXPECT(got == -1 && errno == ECONNRESET, "got %zd, %s", got, strerror(errno));
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

/* What the loop's thread has used of a processor. */
static int64_t loop_cpu_ms(void)
{
    clockid_t clock;
    struct timespec now;
    pthread_getcpuclockid(server.threads[0], &clock);
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t make_hello(const char *server_name, char *bytes, size_t bytes_max)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_tlsext_host_name(ssl, server_name);
    SSL_connect(ssl);
    int length = BIO_read(out, bytes, (int)bytes_max);
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
    return (size_t)length;
}

/* ---- governed ---- */

TEST(a_governed_name_is_served_as_at_its_own_address)
{
    static const char *const spellings[] = {"api.openai.com", "API.OpenAI.COM"};
    start(PATIENT_MS);
    for (size_t i = 0; i < 2; i++) {
        struct client client;
        client_init(&client, STAND_IN);
        SSL_set1_host(client.ssl, "api.openai.com");
        EXPECT(client_shake(&client, spellings[i]), "%s", ERR_reason_error_string(ERR_peek_error()));
        client_echo(&client, "hello");
        EXPECT_STRING(server.name, "api.openai.com");
        EXPECT_STRING(server.server_name, "api.openai.com");
        client_done(&client);
    }
    EXPECT_INTEGER(atomic_load(&server.opened), 2);
    stop();
}

/* OpenSSL refuses a final dot that the look-up forgives: nothing governed may slip through to the original server. */
TEST(a_final_dot_is_no_way_around)
{
    start(PATIENT_MS);
    struct client client;
    client_init(&client, STAND_IN);
    EXPECT(!client_shake(&client, "api.openai.com."), "shaken");
    client_done(&client);
    struct pollfd ready = {.fd = original_fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, 100), 0);
    stop();
}

struct slow_bytes {
    int fd;
    const char *bytes;
    size_t length;
};

/* In pieces that each wake the loop, if anything does. */
static void send_slowly(const struct slow_bytes *slow, size_t piece)
{
    int on = 1;
    setsockopt(slow->fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    for (size_t at = 0; at < slow->length; at += piece) {
        size_t left = slow->length - at;
        EXPECT(send(slow->fd, slow->bytes + at, left < piece ? left : piece, MSG_NOSIGNAL) > 0, "send");
        poll(NULL, 0, 1);
    }
}

TEST(a_hello_in_pieces_is_waited_for)
{
    char hello[4096];
    start(PATIENT_MS);
    int fd = client_socket(STAND_IN);
    const struct slow_bytes slow = {fd, hello, make_hello("api.openai.com", hello, sizeof hello)};
    send_slowly(&slow, 7);
    char first = 0;
    EXPECT_INTEGER(recv(fd, &first, 1, 0), 1);
    EXPECT_INTEGER(first, 22); /* our own answer: a handshake record */
    struct pollfd ready = {.fd = original_fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, 0), 0);
    close(fd);
    stop();
}

/* ---- passed on ---- */

TEST(another_name_is_passed_on_untouched)
{
    char hello[4096], got[4096];
    start(PATIENT_MS);
    int fd = client_socket(STAND_IN);
    size_t length = make_hello("other.example.com", hello, sizeof hello);
    EXPECT_INTEGER(send(fd, hello, length, 0), length);
    int original = take();
    EXPECT_INTEGER(recv(original, got, length, MSG_WAITALL), length);
    EXPECT(memcmp(hello, got, length) == 0, "the same bytes");
    send_text(original, "answer");
    expect_text(fd, "answer");
    EXPECT_INTEGER(atomic_load(&server.opened), 0);
    EXPECT_INTEGER(listener_connection_count(server.listener), 1);
    close(fd);
    expect_end(original);
    close(original);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    stop();
}

TEST(what_is_not_tls_does_not_wait)
{
    start(PATIENT_MS);
    int fd = client_socket(STAND_IN);
    send_text(fd, "HELO there\r\n");
    struct pollfd ready = {.fd = original_fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, PATIENT_MS / 2), 1);
    int original = take();
    expect_text(original, "HELO there\r\n");
    close(original);
    expect_end(fd);
    close(fd);
    stop();
}

TEST(a_server_that_speaks_first_is_heard)
{
    start(HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN), original = take();
    send_text(original, "220 welcome\r\n");
    expect_text(fd, "220 welcome\r\n");
    send_text(fd, "QUIT\r\n");
    expect_text(original, "QUIT\r\n");
    close(original);
    close(fd);
    stop();
}

/* Half a hello and silence: no busy loop meanwhile, then all of it goes to the original server. */
TEST(half_a_hello_is_passed_on_in_time)
{
    char hello[4096];
    start_with(HELLO_TIMEOUT_MS, HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN);
    make_hello("api.openai.com", hello, sizeof hello);
    int64_t before_ms = loop_cpu_ms();
    EXPECT_INTEGER(send(fd, hello, 100, 0), 100);
    int original = take();
    char got[128];
    EXPECT_INTEGER(recv(original, got, 100, MSG_WAITALL), 100);
    EXPECT(memcmp(hello, got, 100) == 0, "the same bytes");
    EXPECT(loop_cpu_ms() - before_ms < HELLO_TIMEOUT_MS / 3, "%lld ms of waiting in a loop",
           (long long)(loop_cpu_ms() - before_ms));
    close(original);
    close(fd);
    stop();
}

TEST(half_a_hello_and_the_end_do_not_wait)
{
    char hello[4096], got[128];
    start(PATIENT_MS);
    int fd = client_socket(STAND_IN);
    make_hello("api.openai.com", hello, sizeof hello);
    EXPECT_INTEGER(send(fd, hello, 100, 0), 100);
    poll(NULL, 0, 20);
    shutdown(fd, SHUT_WR);
    int original = take();
    EXPECT_INTEGER(recv(original, got, 100, MSG_WAITALL), 100);
    expect_end(original);
    send_text(original, "still heard");
    expect_text(fd, "still heard");
    close(original);
    expect_end(fd);
    close(fd);
    stop();
}

static void *send_bulk(void *argument)
{
    static char piece[65536];
    int fd = *(const int *)argument;
    for (size_t at = 0; at < BULK;) {
        size_t length = BULK - at < sizeof piece ? BULK - at : sizeof piece;
        char *own = malloc(length);
        pattern_fill(own, length, at);
        ssize_t sent = send(fd, own, length, MSG_NOSIGNAL);
        free(own);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    shutdown(fd, SHUT_WR);
    return NULL;
}

static size_t receive_bulk(int fd)
{
    static _Thread_local char piece[65536];
    size_t total = 0, wrong = 0;
    ssize_t got;
    while ((got = recv(fd, piece, sizeof piece, 0)) > 0)
        for (ssize_t i = 0; i < got; i++)
            wrong += piece[i] != pattern_at(total++);
    return got == 0 && wrong == 0 ? total : 0;
}

static void *receive_bulk_main(void *argument)
{
    return (void *)receive_bulk(*(const int *)argument);
}

TEST(ten_megabytes_both_ways_with_their_ends)
{
    start(HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN), original = take();
    pthread_t threads[3];
    void *received;
    pthread_create(&threads[0], NULL, send_bulk, &fd);
    pthread_create(&threads[1], NULL, send_bulk, &original);
    pthread_create(&threads[2], NULL, receive_bulk_main, &original);
    EXPECT_INTEGER(receive_bulk(fd), BULK);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    pthread_join(threads[2], &received);
    EXPECT_INTEGER((size_t)received, BULK);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    close(original);
    close(fd);
    stop();
}

/* The program has ended its side and does not read: the server's end waits behind what is kept, and nobody spins. */
TEST(back_pressure_with_both_ends_said)
{
    start(HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN), original = take();
    shutdown(fd, SHUT_WR);
    expect_end(original);
    int sent = 0, flags = fcntl(original, F_GETFL);
    char piece[4096];
    fcntl(original, F_SETFL, flags | O_NONBLOCK);
    for (int quiet = 0; quiet < 20;) {
        pattern_fill(piece, sizeof piece, (size_t)sent);
        ssize_t now = send(original, piece, sizeof piece, MSG_NOSIGNAL);
        sent += now > 0 ? (int)now : 0;
        quiet = now > 0 ? 0 : quiet + 1;
        if (now <= 0)
            poll(NULL, 0, 5);
    }
    close(original);
    int64_t before_ms = loop_cpu_ms();
    poll(NULL, 0, 300);
    EXPECT(loop_cpu_ms() - before_ms < 100, "%lld ms of waiting in a loop", (long long)(loop_cpu_ms() - before_ms));
    EXPECT_INTEGER(receive_bulk(fd), sent);
    close(fd);
    stop();
}

TEST(resets_are_passed_on)
{
    start(HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN), original = take();
    reset(original);
    expect_reset(fd);
    close(fd);
    fd = client_socket(STAND_IN);
    original = take();
    send_text(fd, "x");
    expect_text(original, "x");
    reset(fd);
    expect_reset(original);
    close(original);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    stop();
}

TEST(a_server_that_refuses_resets_the_program)
{
    start(HELLO_TIMEOUT_MS);
    close(original_fd);
    int fd = client_socket(STAND_IN);
    send_text(fd, "GET / HTTP/1.1\r\n\r\n");
    expect_reset(fd);
    close(fd);
    original_fd = -1;
    stop();
}

/* ---- late ---- */

static bool newest_is_started;

static void look_at_newest(void)
{
    newest_is_started = splice_is_started(server.waiting->splice);
}

static bool original_is_called(void)
{
    on_loop(look_at_newest);
    return newest_is_started;
}

static void expect_governed(struct client *client)
{
    EXPECT(client_shake(client, "api.openai.com"), "%s", ERR_reason_error_string(ERR_peek_error()));
    client_echo(client, "hello");
    EXPECT_STRING(server.name, "api.openai.com");
}

TEST(a_late_hello_is_governed)
{
    struct client client;
    start(HELLO_TIMEOUT_MS);
    client_init(&client, STAND_IN);
    int original = take();
    poll(NULL, 0, 20); /* until its connection is known to be complete, and after */
    expect_governed(&client);
    expect_end(original); /* not a byte */
    close(original);
    client_done(&client);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    stop();
}

TEST(a_late_hello_in_pieces_is_governed)
{
    char hello[4096], answer;
    start(HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN), original = take();
    struct slow_bytes slow = {fd, hello, make_hello("api.openai.com", hello, sizeof hello)};
    send_slowly(&slow, slow.length / 7);
    EXPECT_INTEGER(recv(fd, &answer, 1, 0), 1);
    EXPECT_INTEGER(answer, 22); /* a ServerHello of ours: the original is a plain socket */
    expect_end(original);
    close(original);
    close(fd);
    stop();
}

/* One piece before the original server is called, the other after. */
TEST(a_hello_around_the_timeout_is_governed)
{
    char hello[4096], answer;
    start_with(HELLO_TIMEOUT_MS, 3 * PATIENT_MS); /* no timer helps */
    int fd = client_socket(STAND_IN);
    size_t length = make_hello("api.openai.com", hello, sizeof hello);
    EXPECT_INTEGER(send(fd, hello, 100, 0), 100);
    int original = take();
    poll(NULL, 0, 20);
    EXPECT_INTEGER(send(fd, hello + 100, length - 100, 0), length - 100);
    EXPECT_INTEGER(recv(fd, &answer, 1, 0), 1);
    EXPECT_INTEGER(answer, 22);
    expect_end(original);
    close(original);
    close(fd);
    stop();
}

/* Half a hello, late, and silence: passed on after a handshake's time, and not before. */
TEST(half_a_late_hello_is_passed_on_in_time)
{
    char hello[4096], got[128];
    start_with(HELLO_TIMEOUT_MS, HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN), original = take();
    make_hello("api.openai.com", hello, sizeof hello);
    int64_t before_ms = loop_cpu_ms(), sent_ns = clock_monotonic_ns();
    EXPECT_INTEGER(send(fd, hello, 100, 0), 100);
    struct pollfd ready = {.fd = original, .events = POLLIN};
    bool is_early = poll(&ready, 1, HELLO_TIMEOUT_MS / 3) > 0;
    EXPECT(!is_early || clock_monotonic_ns() - sent_ns >= HELLO_TIMEOUT_MS * 1000000LL, "before its time");
    EXPECT_INTEGER(recv(original, got, 100, MSG_WAITALL), 100);
    EXPECT(memcmp(hello, got, 100) == 0, "the same bytes");
    EXPECT(loop_cpu_ms() - before_ms < HELLO_TIMEOUT_MS / 3, "%lld ms of waiting in a loop",
           (long long)(loop_cpu_ms() - before_ms));
    close(original);
    close(fd);
    stop();
}

/* Once anything has passed, a hello is bytes like any others: STARTTLS is between the two of them. */
TEST(a_hello_after_other_bytes_is_passed_on)
{
    char hello[4096], got[4096];
    start(HELLO_TIMEOUT_MS);
    size_t length = make_hello("api.openai.com", hello, sizeof hello);
    for (int server_is_first = 0; server_is_first < 2; server_is_first++) {
        int fd = client_socket(STAND_IN), original = take();
        int from = server_is_first ? original : fd, to = server_is_first ? fd : original;
        send_text(from, "STARTTLS\r\n");
        expect_text(to, "STARTTLS\r\n");
        EXPECT_INTEGER(send(fd, hello, length, 0), length);
        EXPECT_INTEGER(recv(original, got, length, MSG_WAITALL), length);
        EXPECT(memcmp(hello, got, length) == 0, "the same bytes");
        close(original);
        close(fd);
    }
    stop();
}

TEST(a_late_hello_to_another_server_is_passed_on)
{
    char hello[4096], got[4096];
    start(HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN), original = take();
    size_t length = make_hello("www.example.com", hello, sizeof hello);
    EXPECT_INTEGER(send(fd, hello, length, 0), length);
    EXPECT_INTEGER(recv(original, got, length, MSG_WAITALL), length);
    EXPECT(memcmp(hello, got, length) == 0, "the same bytes");
    reset(fd);
    expect_reset(original);
    close(original);
    stop();
}

TEST(silence_that_ends_is_passed_on)
{
    start(HELLO_TIMEOUT_MS);
    int fd = client_socket(STAND_IN), original = take();
    close(fd);
    expect_end(original);
    close(original);
    fd = client_socket(STAND_IN);
    original = take();
    reset(fd);
    expect_reset(original);
    close(original);
    fd = client_socket(STAND_IN);
    close(take());
    expect_end(fd);
    close(fd);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    stop();
}

/* The original's queue is full, so that its connections stay half open, as those to a host behind a dropping firewall.
 */
static void fill_original(int ret_fillers[2])
{
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = server.original.sin6_port,
                                .sin_addr.s_addr = server.original.sin6_addr.s6_addr32[3]};
    EXPECT_INTEGER(listen(original_fd, 0), 0);
    for (int i = 0; i < 2; i++) {
        ret_fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(ret_fillers[i], (struct sockaddr *)&there, sizeof there);
    }
    struct pollfd ready = {.fd = original_fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, 10000), 1);
}

TEST(a_hello_while_the_original_is_being_called)
{
    int fillers[2];
    struct client client;
    start(HELLO_TIMEOUT_MS);
    fill_original(fillers);
    client_init(&client, STAND_IN);
    WAIT_FOR(original_is_called());
    int fd = client_socket(STAND_IN);
    WAIT_FOR(original_is_called());
    send_text(fd, "HELO there\r\n"); /* waits until the original answers */
    expect_governed(&client);
    client_done(&client);
    close(take());
    close(fillers[0]);
    close(fillers[1]);
    int original = take();
    char byte;
    while (recv(original, &byte, 1, MSG_PEEK) <= 0) { /* the second filler, if it came through */
        close(original);
        original = take();
    }
    expect_text(original, "HELO there\r\n");
    close(original);
    close(fd);
    stop();
}

TEST(nobody_at_the_original_address)
{
    struct client client;
    start_with(HELLO_TIMEOUT_MS, 2 * HELLO_TIMEOUT_MS);
    close(original_fd);
    client_init(&client, STAND_IN);
    WAIT_FOR(original_is_called());
    poll(NULL, 0, 20);
    expect_governed(&client);
    client_done(&client);
    int fd = client_socket(STAND_IN);
    expect_reset(fd); /* for silence there is an end, too */
    close(fd);
    original_fd = -1;
    stop();
}

/* ---- never ---- */

static uint32_t next_original; /* 0: unknown */

static void set_original(void)
{
    server.original.sin6_family = next_original ? AF_INET6 : 0;
    server.original.sin6_addr.s6_addr32[3] = htonl(next_original);
}

/* ---- a supervisor has called the original server ---- */

/* Its socket goes to the next connection; the one that is returned is the server's end. */
static int hand_over(int *ret_kept)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = server.original.sin6_port};
    there.sin_addr.s_addr = server.original.sin6_addr.s6_addr32[3];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_INTEGER(connect(fd, (struct sockaddr *)&there, sizeof there), 0);
    int original = take();
    *ret_kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    atomic_store(&server.upstream, fd);
    return original;
}

TEST(a_socket_that_was_handed_over_is_passed_on_to)
{
    start(PATIENT_MS);
    int kept, original = hand_over(&kept), fd = client_socket(STAND_IN);
    close(kept);
    send_text(fd, "HELO there\r\n");
    expect_text(original, "HELO there\r\n");
    send_text(original, "250 hello\r\n");
    expect_text(fd, "250 hello\r\n");
    close(original);
    expect_end(fd);
    close(fd);
    struct pollfd ready = {.fd = original_fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, 100), 0); /* nobody called a second time */
    WAIT_FOR(listener_splice_count(server.listener) == 0);
    stop();
}

TEST(over_which_a_server_that_speaks_first_is_heard_at_once)
{
    start(PATIENT_MS);
    int kept, original = hand_over(&kept), fd = client_socket(STAND_IN);
    send_text(original, "220 welcome\r\n");
    expect_text(fd, "220 welcome\r\n");
    close(kept);
    close(original);
    close(fd);
    stop();
}

TEST(and_which_is_closed_when_the_name_is_governed)
{
    start(PATIENT_MS);
    int kept, original = hand_over(&kept);
    struct client client;
    close(kept);
    client_init(&client, STAND_IN);
    EXPECT(client_shake(&client, "api.openai.com"), "not shaken");
    client_echo(&client, "hello");
    expect_end(original);
    close(original);
    client_done(&client);
    WAIT_FOR(listener_splice_count(server.listener) == 0);
    stop();
}

/* Whoever handed it over may still hold it, and change its flags: the loop must not wait for anybody. */
TEST(whose_flags_are_not_ours_alone)
{
    start(PATIENT_MS);
    int kept, original = hand_over(&kept), fd = client_socket(STAND_IN);
    send_text(fd, "first");
    expect_text(original, "first");
    fcntl(kept, F_SETFL, 0);
    static const char bulk[65536];
    for (int i = 0; i < 50; i++) { /* until nothing more goes: the original does not read */
        while (send(fd, bulk, sizeof bulk, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            i = 0;
        poll(NULL, 0, 2);
    }
    struct client client;
    client_init(&client, OPENAI);
    EXPECT(client_shake(&client, "api.openai.com"), "the loop is held up");
    client_done(&client);
    close(kept);
    close(original);
    close(fd);
    stop();
}

TEST(and_whose_failure_is_the_connections)
{
    start(PATIENT_MS);
    int kept, original = hand_over(&kept);
    close(kept);
    reset(original);
    int fd = client_socket(STAND_IN);
    if (fd >= 0) {
        expect_reset(fd);
        close(fd);
    } else
        EXPECT(errno == ECONNRESET, "before it knew that it was connected: %s", strerror(errno));
    WAIT_FOR(listener_splice_count(server.listener) == 0);
    stop();
}

TEST(unknown_originals_and_our_own_are_closed)
{
    static const uint32_t originals[] = {0, OPENAI, STAND_IN, 0x7f4e0001};
    start(PATIENT_MS);
    for (size_t i = 0; i < sizeof originals / sizeof *originals; i++) {
        next_original = originals[i];
        on_loop(set_original);
        int fd = client_socket(STAND_IN);
        expect_end(fd);
        close(fd);
    }
    EXPECT_INTEGER(atomic_load(&server.accepted), 4);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    stop();
}

/* Of a program that has gone, its server, which is silent, keeps nothing. */
TEST(whom_nobody_holds_any_more_is_let_go)
{
    start(PATIENT_MS);
    int fd = client_socket(STAND_IN);
    send_text(fd, "the last words");
    int original = take();
    atomic_store(&server.is_abandoned, true);
    close(fd);
    expect_text(original, "the last words");
    expect_end(original);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    close(original);
    stop();
}

/* The end says that there is an end, not of what: whoever holds it may be answered later, and may go later. */
TEST(a_half_that_is_held_is_passed_on_until_it_is_not)
{
    start(PATIENT_MS);
    int fd = client_socket(STAND_IN);
    send_text(fd, "a question");
    int original = take();
    shutdown(fd, SHUT_WR);
    expect_text(original, "a question");
    expect_end(original);
    poll(NULL, 0, 100); /* some looks */
    send_text(original, "an answer");
    expect_text(fd, "an answer");
    EXPECT_INTEGER(listener_connection_count(server.listener), 1);
    atomic_store(&server.is_abandoned, true);
    WAIT_FOR(listener_connection_count(server.listener) == 0);
    close(fd);
    close(original);
    stop();
}

TEST(a_refused_peer_is_not_passed_on)
{
    start(PATIENT_MS);
    server.refuse = true;
    int fd = client_socket(STAND_IN);
    expect_end(fd);
    struct pollfd ready = {.fd = original_fd, .events = POLLIN};
    EXPECT_INTEGER(poll(&ready, 1, 100), 0);
    close(fd);
    stop();
}

TEST(stopping_ends_what_is_passed_on)
{
    char hello[4096];
    start(PATIENT_MS);
    int fd = client_socket(STAND_IN), peeked = client_socket(STAND_IN);
    send_text(fd, "x");
    int original = take();
    expect_text(original, "x");
    make_hello("api.openai.com", hello, sizeof hello);
    send(peeked, hello, 100, 0);
    WAIT_FOR(listener_connection_count(server.listener) == 2);
    stop();
    expect_reset(fd);
    expect_reset(original);
    expect_reset(peeked);
    close(fd);
    close(original);
    close(peeked);
}
