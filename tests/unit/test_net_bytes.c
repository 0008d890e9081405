/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What arrives on an open connection: every byte in order, back-pressure both ways, and every way to end.
 */
#include "tests/unit/net_server.h"

/* ---- behaviours of the agent's side ---- */

enum { FLOOD_PIECE = 5000, FLOOD_TOTAL = 24 << 20, ANSWER_BYTES = 300000 };

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

/* Nothing further arrives on the socket then, so epoll would never tell. */
TEST(request_in_the_segment_of_the_last_handshake_message_is_seen)
{
    server_start(&behave_echo);
    struct client client;
    client_init(&client, OPENAI);
    BIO *from_agent = BIO_new(BIO_s_mem()), *to_agent = BIO_new(BIO_s_mem());
    SSL_set_bio(client.ssl, from_agent, to_agent);
    SSL_set_connect_state(client.ssl);
    char data[16384], *waiting;
    while (SSL_do_handshake(client.ssl) != 1) {
        long length = BIO_get_mem_data(to_agent, &waiting);
        EXPECT_INTEGER(send(client.fd, waiting, (size_t)length, MSG_NOSIGNAL), length);
        (void)BIO_reset(to_agent);
        ssize_t got = recv(client.fd, data, sizeof data, 0);
        EXPECT(got > 0, "the agent's part of the handshake");
        BIO_write(from_agent, data, (int)got);
        if (got <= 0)
            break;
    }
    client_write(&client, "request", 7);
    long length = BIO_get_mem_data(to_agent, &waiting);
    EXPECT_INTEGER(send(client.fd, waiting, (size_t)length, MSG_NOSIGNAL), length);
    WAIT_FOR(atomic_load(&server.received) == 7);
    client_done(&client);
    server_stop();
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
    WAIT_FOR(atomic_load(&server.full) > 0); /* again, where the kernel's buffers grow */
    EXPECT(atomic_load(&server.pending_max) <= BUFFER_MAX + FLOOD_PIECE, "%zu bytes queued",
           atomic_load(&server.pending_max));
    unsigned writable = atomic_load(&server.writable), full = atomic_load(&server.full);
    EXPECT(writable <= full, "writable %u times, full %u", writable, full);
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
    for (unsigned i = 0; i < 10000 && written < sizeof body; i++) {
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
    WAIT_FOR(atomic_load(&server.closed) == 1);
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
        WAIT_FOR(i != 2 || atomic_load(&server.full) > 0);
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

static atomic_bool is_loop_held, may_go_on;

static void hold_loop_then_write(void)
{
    atomic_store(&is_loop_held, true);
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
    atomic_store(&is_loop_held, false);
    atomic_store(&may_go_on, false);
    struct errand errand = {.task.run = errand_run, .run = hold_loop_then_write};
    mailbox_post(loop_mailbox(server.loops[0]), &errand.task);
    WAIT_FOR(atomic_load(&is_loop_held));
    client_reset(&client);
    atomic_store(&may_go_on, true);
    WAIT_FOR(atomic_load(&errand.is_done));
    EXPECT(!write_result, "the write went well");
    WAIT_FOR(atomic_load(&server.closed) == 1);
    server_stop();
}
