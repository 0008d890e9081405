/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to providers, against a scripted server: what is sent, what comes back, and how it may go wrong. The
 * certificate side is in test_upstream_tls.c.
 */
#include "tests/unit/suite.h"

#include "tests/unit/upstream_call.h"
#include "tests/unit/upstream_server.h"

#include "upstream/internal.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static char huge_head[80 << 10], endless_field[400 << 10], many_fields[16 << 10], large_answer[(1 << 20) + 256];

static const struct server_route routes[] = {
    {"/ok", OK_HEAD "Content-Length: 5\r\nX-One: 1\r\nx-two:  2 \r\n\r\nhello", 0, SERVER_KEEP, false},
    {"/empty", "HTTP/1.1 204 No Content\r\n\r\n", 0, SERVER_KEEP, false},
    {"/head", OK_HEAD "Content-Length: 77\r\n\r\n", 0, SERVER_KEEP, false},
    {"/chunked", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n", 0,
     SERVER_KEEP, false},
    {"/until-close", OK_HEAD "\r\nto the end", 0, SERVER_CLOSE, false},
    {"/interim",
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_HEAD
     "Content-Length: 2\r\nX-Final: y\r\n\r\nok",
     0, SERVER_KEEP, false},
    {"/both", OK_HEAD "Content-Length: 999\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 0, SERVER_KEEP,
     false},
    {"/same-lengths", OK_HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", 0, SERVER_KEEP, false},
    {"/gzip", OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip", 0, SERVER_KEEP, false},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", 0, SERVER_KEEP, false},
    {"/early", "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig", 0, SERVER_CLOSE, true},
    {"/large", large_answer, 0, SERVER_KEEP, false},
    {"/drop-next", OK_HEAD "Content-Length: 2\r\n\r\nok", 0, SERVER_CLOSE_NEXT, false},
    {"/cut", OK_HEAD "Content-Length: 10\r\n\r\nhello", 0, SERVER_CLOSE, false},
    {"/cut-chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0, SERVER_CLOSE, false},
    {"/reset", OK_HEAD "Content-Length: 10\r\n\r\nhello", 0, SERVER_RESET, false},
    {"/nothing", NULL, 0, SERVER_CLOSE, false},
    {"/half-head", OK_HEAD "Content-Le", 0, SERVER_CLOSE, false},
    {"/hang", NULL, 0, SERVER_HANG, false},
    {"/stall", OK_HEAD "Content-Length: 10\r\n\r\nhello", 0, SERVER_HANG, false},
    {"/huge-head", huge_head, 0, SERVER_CLOSE, false},
    {"/endless-field", endless_field, 0, SERVER_CLOSE, false},
    {"/many-fields", many_fields, 0, SERVER_CLOSE, false},
    {"/folded", OK_HEAD "X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok", 0, SERVER_CLOSE, false},
    {"/bad-name", OK_HEAD "X A: b\r\nContent-Length: 2\r\n\r\nok", 0, SERVER_CLOSE, false},
    {"/bad-value", OK_HEAD "X-A: b\x01\r\nContent-Length: 2\r\n\r\nok", 0, SERVER_CLOSE, false},
    {"/no-colon", OK_HEAD "nonsense\r\nContent-Length: 2\r\n\r\nok", 0, SERVER_CLOSE, false},
    {"/two-lengths", OK_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!", 0, SERVER_CLOSE, false},
    {"/http-0.9", "hello there, this is no HTTP at all\n", 0, SERVER_CLOSE, false},
    {"/switch", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 0, SERVER_CLOSE,
     false},
    {"/status", "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", 0, SERVER_CLOSE, false},
};

static struct server server;
static struct bench bench;

static void fill_answers(void)
{
    memset(endless_field + sprintf(endless_field, OK_HEAD "X-Long: "), 'a', 300 << 10);
    size_t length = (size_t)sprintf(huge_head, OK_HEAD "X-Long: ");
    memset(huge_head + length, 'a', 70 << 10);
    strcpy(huge_head + length + (70 << 10), "\r\nContent-Length: 2\r\n\r\nok");
    length = (size_t)sprintf(many_fields, OK_HEAD);
    for (unsigned i = 0; i <= HEAD_FIELDS_MAX; i++)
        length += (size_t)sprintf(many_fields + length, "X-%u: y\r\n", i);
    strcpy(many_fields + length, "Content-Length: 2\r\n\r\nok");
    length = (size_t)sprintf(large_answer, OK_HEAD "Content-Length: %d\r\n\r\n", 1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        large_answer[length + i] = (char)('a' + i % 23);
}

static void begin(void)
{
    fill_answers();
    server_start(&server, routes, sizeof routes / sizeof *routes);
    bench_open(&bench);
}

static void finish(void)
{
    bench_close(&bench);
    server_stop(&server);
}

/* A request to a route; the URL lives until the next call. */
static struct upstream_request request_to(const char *method, const char *path, struct slice body)
{
    static char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.port, path);
    return (struct upstream_request){
        .method = method, .url = url, .body = body, .local = true, .connect_timeout_ms = 5000, .timeout_ms = 60000};
}

static struct call run_path(const char *method, const char *path, struct slice body)
{
    struct call call = {0};
    struct upstream_request request = request_to(method, path, body);
    call_run(&bench, &call, &request);
    return call;
}

static void expect_body(const struct call *call, const char *wanted)
{
    struct slice got = {call->body, call->body_bytes};
    EXPECT(slice_is(got, wanted), "got \"" SLICE_FORMAT "\", wanted \"%s\"", SLICE_ARGUMENTS(got), wanted);
}

static bool server_saw(const char *line)
{
    pthread_mutex_lock(&server.lock);
    bool is_seen = strcasestr(server.head, line) != NULL;
    pthread_mutex_unlock(&server.lock);
    return is_seen;
}

/* ---- what is sent ---- */

TEST(request_is_sent_as_it_was_asked_for)
{
    begin();
    const struct http_field fields[] = {{SLICE_LITERAL("X-Custom"), SLICE_LITERAL("a: b, c")},
                                        {SLICE_LITERAL("x-empty"), SLICE_LITERAL("")},
                                        {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")},
                                        {SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("br")},
                                        {SLICE_LITERAL("user-agent"), SLICE_LITERAL("program/1")}};
    struct secret *key = secret_new(SLICE_LITERAL("sk-1234"));
    struct upstream_request request = request_to("POST", "/ok?a=b/../c", SLICE_LITERAL("{\"x\":1}"));
    request.fields = fields;
    request.field_count = sizeof fields / sizeof *fields;
    request.key_field = "authorization";
    request.key = key;
    struct call call = {0};
    call_run(&bench, &call, &request);
    EXPECT_INTEGER(call.result.error, ERROR_OK);
    EXPECT(server_saw("POST /ok?a=b/../c HTTP/1.1\r\n"), "got %s", server.head);
    EXPECT(server_saw("\r\nX-Custom: a: b, c\r\n"), "got %s", server.head);
    EXPECT(server_saw("\r\nx-empty:\r\n"), "got %s", server.head);
    EXPECT(server_saw("\r\ncontent-type: application/json\r\n"), "got %s", server.head);
    EXPECT(server_saw("\r\naccept-encoding: br\r\n"), "got %s", server.head);
    EXPECT(server_saw("\r\nuser-agent: program/1\r\n"), "got %s", server.head);
    EXPECT(server_saw("\r\nauthorization: Bearer sk-1234\r\n"), "got %s", server.head);
    EXPECT(server_saw("\r\ncontent-length: 7\r\n"), "got %s", server.head);
    EXPECT(!server_saw("\r\nexpect:") && !server_saw("\r\naccept:"), "got %s", server.head);
    EXPECT_INTEGER(server.body_bytes, 7);
    secret_free(key);
    call_free(&call);
    finish();
}

TEST(other_key_fields_carry_the_bare_key)
{
    begin();
    struct secret *key = secret_new(SLICE_LITERAL("sk-ant"));
    struct upstream_request request = request_to("POST", "/ok", SLICE_LITERAL("x"));
    request.key_field = "x-api-key";
    request.key = key;
    struct call call = {0};
    call_run(&bench, &call, &request);
    EXPECT(server_saw("\r\nx-api-key: sk-ant\r\n"), "got %s", server.head);
    EXPECT(!server_saw("\r\ncontent-type:"), "none was asked for: %s", server.head);
    secret_free(key);
    call_free(&call);
    finish();
}

/* Handles are reused: each request must be its own, whatever the last one was. */
TEST(methods_do_not_leak_into_each_other)
{
    static const struct {
        const char *method, *path, *body, *line;
        bool has_length;
    } rows[] = {
        {"POST", "/ok", "abc", "POST /ok HTTP/1.1\r\n", true},
        {"GET", "/ok", "", "GET /ok HTTP/1.1\r\n", false},
        {"PUT", "/ok", "abcd", "PUT /ok HTTP/1.1\r\n", true},
        {"DELETE", "/ok", "", "DELETE /ok HTTP/1.1\r\n", false},
        {"HEAD", "/head", "", "HEAD /head HTTP/1.1\r\n", false},
        {"POST", "/ok", "", "POST /ok HTTP/1.1\r\n", true},
        {"OPTIONS", "/ok", "", "OPTIONS /ok HTTP/1.1\r\n", false},
        {"PATCH", "/ok", "a", "PATCH /ok HTTP/1.1\r\n", true},
        {"GET", "/ok", "body", "GET /ok HTTP/1.1\r\n", true},
        {"HEAD", "/head", "", "HEAD /head HTTP/1.1\r\n", false},
        {"GET", "/ok", "", "GET /ok HTTP/1.1\r\n", false},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char length[40];
        struct call call = run_path(rows[i].method, rows[i].path, slice_of(rows[i].body));
        snprintf(length, sizeof length, "\r\ncontent-length: %zu\r\n", strlen(rows[i].body));
        EXPECT_INTEGER(call.result.error, ERROR_OK);
        EXPECT_INTEGER(call.status, 200);
        EXPECT(server_saw(rows[i].line), "row %zu: %s", i, server.head);
        EXPECT_INTEGER(server_saw(length), rows[i].has_length);
        EXPECT_INTEGER(server.body_bytes, strlen(rows[i].body));
        EXPECT_INTEGER(call.body_bytes, strcmp(rows[i].method, "HEAD") ? 5 : 0);
        call_free(&call);
    }
    EXPECT_INTEGER(server_connections(&server), 1);
    finish();
}

TEST(bodies_of_every_size_arrive_whole)
{
    static const size_t sizes[] = {1, 1023, 16384, SMALL_BODY_BYTES_MAX, SMALL_BODY_BYTES_MAX + 1, 65536, 3 << 20};
    begin();
    char *body = malloc(3 << 20);
    check(body != NULL);
    for (size_t i = 0; i < 3 << 20; i++)
        body[i] = (char)(i * 7 + i / 251);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct call call = run_path("POST", "/ok", (struct slice){body, sizes[i]});
        EXPECT_INTEGER(call.result.error, ERROR_OK);
        EXPECT_INTEGER(server.body_bytes, sizes[i]);
        EXPECT_INTEGER(server.body_sum, server_sum(body, sizes[i], 0));
        EXPECT(!server_saw("\r\nexpect:"), "libcurl asks for 100 Continue above 1 MiB unless it is told not to");
        call_free(&call);
    }
    free(body);
    finish();
}

TEST(request_that_cannot_be_sent_fails_before_a_byte)
{
    static const struct {
        const char *name, *value;
    } rows[] = {{"x-a", "b\r\nx-c: d"},
                {"x-a", "b\n"},
                {"x a", "b"},
                {"x-a:", "b"},
                {"", "b"},
                {"host", "evil"},
                {"Content-Length", "3"},
                {"transfer-encoding", "chunked"},
                {"connection", "close"},
                {"Expect", "100-continue"}};
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_field field = {slice_of(rows[i].name), slice_of(rows[i].value)};
        struct upstream_request request = request_to("POST", "/ok", SLICE_LITERAL("x"));
        request.fields = &field;
        request.field_count = 1;
        struct call call = {0};
        call_run(&bench, &call, &request);
        EXPECT(call.result.error == ERROR_HTTP_MALFORMED, "row %zu: %s", i, error_row(call.result.error)->name);
        EXPECT(!call.result.bytes_were_sent && call.heads == 0 && call.dones == 1, "row %zu", i);
    }
    static const char *const methods[] = {"", "get", "GET /x", "G\r\nET", "CONNECT", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct call call = run_path(methods[i], "/ok", SLICE_LITERAL(""));
        EXPECT(call.result.error == ERROR_HTTP_MALFORMED, "method %zu", i);
    }
    static const char *const paths[] = {"/a#b", "/a b",
                                        "/a\x01"
                                        "b",
                                        "@example.com/"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct call call = run_path("GET", paths[i], SLICE_LITERAL(""));
        EXPECT(call.result.error != ERROR_OK && !call.result.bytes_were_sent, "path %zu", i);
    }
    EXPECT_INTEGER(server_requests(&server), 0);
    finish();
}

TEST(key_that_is_no_field_value_is_never_sent_or_shown)
{
    static const char *const keys[] = {"sk-secret\n", "sk-secret\r\nx: y", ""};
    begin();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct secret *key = secret_new(slice_of(keys[i]));
        struct upstream_request request = request_to("POST", "/ok", SLICE_LITERAL("x"));
        request.key_field = "authorization";
        request.key = key;
        struct call call = {0};
        call_run(&bench, &call, &request);
        EXPECT_INTEGER(call.result.error, ERROR_NO_SECRET);
        EXPECT(!strstr(call.result.detail, "secret") && !call.result.bytes_were_sent, "%s", call.result.detail);
        secret_free(key);
    }
    EXPECT_INTEGER(server_requests(&server), 0);
    finish();
}

/* After a transfer neither the handle's lines nor the detail hold the key. */
TEST(key_is_wiped_after_use)
{
    begin();
    struct secret *key = secret_new(SLICE_LITERAL("sk-wipe-me"));
    struct upstream_request request = request_to("POST", "/cut?key=sk-query", SLICE_LITERAL("x"));
    request.key_field = "authorization";
    request.key = key;
    struct call call = {0};
    call_run(&bench, &call, &request);
    EXPECT_INTEGER(call.result.error, ERROR_UPSTREAM_CUT);
    EXPECT(!strstr(call.result.detail, "sk-"), "%s", call.result.detail);
    unsigned pooled = 0;
    list_for_each(node, &bench.upstream->pool)
    {
        struct upstream_transfer *transfer = list_entry(node, struct upstream_transfer, node);
        pooled++;
        EXPECT(!memmem(transfer->lines, transfer->lines_capacity, "sk-wipe-me", 10), "the key is still there");
    }
    EXPECT_INTEGER(pooled, 1);
    secret_free(key);
    call_free(&call);
    finish();
}

/* ---- what comes back ---- */

TEST(answers_come_whole)
{
    static const struct {
        const char *path;
        int status;
        const char *body, *fields;
    } rows[] = {
        {"/ok", 200, "hello", "Content-Length: 5\nX-One: 1\nx-two: 2\n"},
        {"/empty", 204, "", ""},
        {"/chunked", 200, "abcdefg", ""},
        {"/until-close", 200, "to the end", ""},
        {"/interim", 200, "ok", "Content-Length: 2\nX-Final: y\n"},
        {"/both", 200, "ok", ""},
        {"/same-lengths", 200, "ok", "Content-Length: 2\n"},
        {"/gzip", 200, "not gzip", "Content-Encoding: gzip\nContent-Length: 8\n"},
        {"/redirect", 302, "", "Location: /ok\nContent-Length: 0\n"},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call call = run_path("POST", rows[i].path, SLICE_LITERAL("x"));
        EXPECT(call.result.error == ERROR_OK, "%s: %s", rows[i].path, call.result.detail);
        EXPECT(call.result.bytes_were_sent && call.result.head_was_received, "%s", rows[i].path);
        EXPECT(call.heads == 1 && call.dones == 1, "%s: %u heads, %u dones", rows[i].path, call.heads, call.dones);
        EXPECT_INTEGER(call.status, rows[i].status);
        EXPECT_STRING(call.fields, rows[i].fields);
        expect_body(&call, rows[i].body);
        EXPECT(call.result.connect_ns > 0 && call.result.first_byte_ns >= call.result.connect_ns &&
                   call.result.total_ns >= call.result.first_byte_ns,
               "%s: durations", rows[i].path);
        call_free(&call);
    }
    EXPECT_INTEGER(server_requests(&server), sizeof rows / sizeof *rows);
    finish();
}

TEST(answer_before_the_body_was_read_is_an_answer)
{
    begin();
    char *body = calloc(1, 8 << 20);
    struct call call = run_path("POST", "/early", (struct slice){body, 8 << 20});
    EXPECT_INTEGER(call.status, 413);
    expect_body(&call, "big");
    call_free(&call);
    free(body);
    finish();
}

TEST(broken_answers_have_their_names)
{
    static const struct {
        const char *path;
        enum error error;
        bool has_head;
    } rows[] = {
        {"/cut", ERROR_UPSTREAM_CUT, true},
        {"/cut-chunk", ERROR_UPSTREAM_CUT, true},
        {"/reset", ERROR_UPSTREAM_CUT, true},
        {"/nothing", ERROR_UPSTREAM_CUT, false},
        {"/half-head", ERROR_UPSTREAM_CUT, false},
        {"/huge-head", ERROR_UPSTREAM_MALFORMED, false},
        {"/endless-field", ERROR_UPSTREAM_MALFORMED, false},
        {"/many-fields", ERROR_UPSTREAM_MALFORMED, false},
        {"/folded", ERROR_UPSTREAM_MALFORMED, false},
        {"/bad-name", ERROR_UPSTREAM_MALFORMED, false},
        {"/bad-value", ERROR_UPSTREAM_MALFORMED, false},
        {"/no-colon", ERROR_UPSTREAM_MALFORMED, false},
        {"/two-lengths", ERROR_UPSTREAM_MALFORMED, false},
        {"/http-0.9", ERROR_UPSTREAM_MALFORMED, false},
        {"/switch", ERROR_UPSTREAM_MALFORMED, false},
        {"/status", ERROR_UPSTREAM_MALFORMED, false},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call call = run_path("POST", rows[i].path, SLICE_LITERAL("x"));
        EXPECT(call.result.error == rows[i].error, "%s: %s (%s)", rows[i].path, error_row(call.result.error)->name,
               call.result.detail);
        EXPECT(call.result.bytes_were_sent, "%s", rows[i].path);
        EXPECT_INTEGER(call.result.head_was_received, rows[i].has_head);
        EXPECT_INTEGER(call.heads, rows[i].has_head);
        EXPECT(call.dones == 1 && strncmp(call.result.detail, "127.0.0.1:", 10) == 0, "%s: %s", rows[i].path,
               call.result.detail);
        call_free(&call);
    }
    EXPECT_INTEGER(server_requests(&server), sizeof rows / sizeof *rows);
    finish();
}

TEST(silence_ends_in_a_timeout)
{
    begin();
    static const char *const paths[] = {"/hang", "/stall"};
    for (size_t i = 0; i < 2; i++) {
        struct call call = {0};
        struct upstream_request request = request_to("POST", paths[i], SLICE_LITERAL("x"));
        request.timeout_ms = 50;
        call_run(&bench, &call, &request);
        EXPECT(call.result.error == ERROR_UPSTREAM_TIMEOUT, "%s: %s", paths[i], error_row(call.result.error)->name);
        EXPECT(call.result.bytes_were_sent && call.result.total_ns >= 50000000, "%s", paths[i]);
        call_free(&call);
    }
    finish();
}

/* ---- never twice ---- */

TEST(request_on_a_dropped_connection_is_not_sent_again)
{
    static const struct {
        const char *method, *body;
        size_t body_bytes;
    } rows[] = {{"POST", "second", 6}, {"GET", "", 0}, {"POST", NULL, 200000}};
    char *large = calloc(1, 200000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        struct call first = run_path("POST", "/drop-next", SLICE_LITERAL("first"));
        EXPECT_INTEGER(first.result.error, ERROR_OK);
        struct slice body = {rows[i].body ? rows[i].body : large, rows[i].body_bytes};
        struct call second = run_path(rows[i].method, "/ok", body);
        EXPECT(second.result.error == ERROR_UPSTREAM_CUT, "row %zu: %s", i, error_row(second.result.error)->name);
        EXPECT(second.result.bytes_were_sent && second.heads == 0, "row %zu", i);
        EXPECT_INTEGER(server_requests(&server), 2);
        /* The upstream goes on with a new connection. */
        struct call third = run_path("POST", "/ok", SLICE_LITERAL("third"));
        EXPECT_INTEGER(third.result.error, ERROR_OK);
        EXPECT_INTEGER(server_requests(&server), 3);
        call_free(&first);
        call_free(&second);
        call_free(&third);
        finish();
    }
    free(large);
}

/* ---- back-pressure ---- */

TEST(paused_body_comes_again_and_whole)
{
    static const char *const paths[] = {"/large", "/ok", "/chunked", "/until-close"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        begin();
        struct call call = {.pauses = 20, .pause_ms = 1};
        struct upstream_request request = request_to("POST", paths[i], SLICE_LITERAL("x"));
        call_run(&bench, &call, &request);
        EXPECT(call.result.error == ERROR_OK, "%s: %s", paths[i], call.result.detail);
        EXPECT(i > 0 || (call.body_bytes == 1 << 20 &&
                         memcmp(call.body, strstr(large_answer, "\r\n\r\n") + 4, 1 << 20) == 0),
               "%zu bytes, or other ones", call.body_bytes);
        EXPECT(call.pauses == 0 && call.dones == 1, "%s: %u pauses left", paths[i], call.pauses);
        call_free(&call);
        finish();
    }
}

/* The program's slowness is not the provider's silence. */
TEST(paused_transfer_does_not_time_out)
{
    begin();
    struct call call = {.pauses = 1, .pause_ms = 3000};
    struct upstream_request request = request_to("POST", "/large", SLICE_LITERAL("x"));
    request.timeout_ms = 1500; /* a busy machine is silent for hundreds */
    call_run(&bench, &call, &request);
    EXPECT(call.result.error == ERROR_OK, "%s", call.result.detail);
    EXPECT_INTEGER(call.body_bytes, 1 << 20);
    call_free(&call);
    finish();
}

/* ---- handlers that start, resume and cancel from inside ---- */

static void cancel_itself(struct call *call)
{
    call_cancel(call);
}

static void cancel_other(struct call *call)
{
    if (call->other->transfer)
        call_cancel(call->other);
}

static void start_other(struct call *call)
{
    struct upstream_request request = request_to("POST", "/ok", SLICE_LITERAL("other"));
    if (!call->other->bench)
        call_start(call->bench, call->other, &request);
}

static void cancel_in_done(struct call *call)
{
    struct upstream_result result;
    upstream_cancel(call->transfer, &result);
}

TEST(cancel_is_safe_from_its_own_callbacks)
{
    begin();
    for (unsigned i = 0; i < 3; i++) {
        struct call call = {.on_head = i == 0 ? cancel_itself : NULL,
                            .on_body = i == 1 ? cancel_itself : NULL,
                            .on_done = i == 2 ? cancel_in_done : NULL};
        struct upstream_request request = request_to("POST", "/large", SLICE_LITERAL("x"));
        call_run(&bench, &call, &request);
        EXPECT_INTEGER(call.dones, i == 2);
        EXPECT_INTEGER(call.result.error, i == 2 ? ERROR_OK : ERROR_CLIENT_GONE);
        EXPECT(call.result.bytes_were_sent, "round %u", i);
        call_free(&call);
    }
    finish();
}

TEST(cancel_is_safe_from_another_ones_callbacks)
{
    begin();
    for (unsigned i = 0; i < 3; i++) {
        struct call other = {0};
        struct call call = {.on_head = i == 0 ? cancel_other : NULL,
                            .on_body = i == 1 ? cancel_other : NULL,
                            .on_done = i == 2 ? cancel_other : NULL,
                            .other = &other};
        struct upstream_request request = request_to("POST", "/hang", SLICE_LITERAL("x"));
        call_start(&bench, &other, &request);
        request = request_to("POST", "/large", SLICE_LITERAL("x"));
        call_run(&bench, &call, &request);
        EXPECT_INTEGER(call.result.error, ERROR_OK);
        EXPECT_INTEGER(call.body_bytes, 1 << 20);
        EXPECT_INTEGER(other.result.error, ERROR_CLIENT_GONE);
        EXPECT_INTEGER(other.dones, 0);
        call_free(&call);
    }
    finish();
}

TEST(start_is_safe_from_callbacks)
{
    begin();
    for (unsigned i = 0; i < 3; i++) {
        struct call other = {0};
        struct call call = {.on_head = i == 0 ? start_other : NULL,
                            .on_body = i == 1 ? start_other : NULL,
                            .on_done = i == 2 ? start_other : NULL,
                            .other = &other};
        struct upstream_request request = request_to("POST", "/large", SLICE_LITERAL("x"));
        call_run(&bench, &call, &request);
        EXPECT_INTEGER(call.result.error, ERROR_OK);
        EXPECT(other.dones == 1 && other.result.error == ERROR_OK, "round %u: %s", i, other.result.detail);
        call_free(&call);
        call_free(&other);
    }
    finish();
}

/* A cancelled transfer's body may be freed at once: nothing reads it later. */
TEST(cancel_at_any_moment_forgets_the_body)
{
    begin();
    for (unsigned turns = 0; turns < 40; turns++) {
        char *body = malloc(1 << 20);
        memset(body, 'x', 1 << 20);
        struct call call = {0}, other = {0};
        struct upstream_request request = request_to("POST", "/ok", (struct slice){body, 1 << 20});
        call_start(&bench, &call, &request);
        for (unsigned i = 0; i < turns / 4; i++) { /* so many iterations of the loop, or fewer */
            loop_stop(bench.loop);
            loop_run(bench.loop);
        }
        if (call.transfer)
            call_cancel(&call);
        free(body);
        request = request_to("POST", "/ok", SLICE_LITERAL("next"));
        call_run(&bench, &other, &request);
        EXPECT_INTEGER(other.result.error, ERROR_OK);
        call_free(&call);
        call_free(&other);
    }
    finish();
}

TEST(free_cancels_what_runs)
{
    begin();
    static struct call calls[8];
    for (unsigned i = 0; i < 8; i++) {
        struct upstream_request request = request_to("POST", i % 2 ? "/hang" : "/ok", SLICE_LITERAL("x"));
        calls[i] = (struct call){0};
        call_start(&bench, &calls[i], &request);
    }
    finish();
    for (unsigned i = 0; i < 8; i++)
        EXPECT_INTEGER(calls[i].dones, 0);
}

TEST(many_at_once_share_few_connections_later)
{
    begin();
    static struct call calls[40];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 40; i++) {
            struct upstream_request request = request_to("POST", "/ok", SLICE_LITERAL("x"));
            calls[i] = (struct call){0};
            call_start(&bench, &calls[i], &request);
        }
        while (bench.open > 0)
            loop_run(bench.loop);
        for (unsigned i = 0; i < 40; i++) {
            EXPECT(calls[i].result.error == ERROR_OK, "%s", calls[i].result.detail);
            expect_body(&calls[i], "hello");
            call_free(&calls[i]);
        }
    }
    EXPECT_INTEGER(server_requests(&server), 120);
    EXPECT(server_connections(&server) <= 40, "%u connections", server_connections(&server));
    finish();
}

/* ---- where a request may go ---- */

TEST(addresses_that_no_provider_has)
{
    static const char *const forbidden[] = {"127.0.0.1",
                                            "127.77.0.1",
                                            "10.1.2.3",
                                            "172.16.0.1",
                                            "172.31.255.255",
                                            "192.168.1.1",
                                            "169.254.169.254",
                                            "0.0.0.0",
                                            "100.64.0.1",
                                            "224.0.0.1",
                                            "240.0.0.1",
                                            "255.255.255.255",
                                            "::1",
                                            "::",
                                            "fe80::1",
                                            "fd00::1",
                                            "fc00::1",
                                            "ff02::1",
                                            "::ffff:10.0.0.1",
                                            "::127.0.0.1",
                                            "64:ff9b::7f00:1",
                                            "2002:7f00:1::1",
                                            "fec0::1",
                                            "64:ff9b:1::1",
                                            "nonsense",
                                            ""};
    static const char *const allowed[] = {"8.8.8.8",          "172.15.0.1",        "172.32.0.1", "100.63.255.255",
                                          "100.128.0.1",      "169.253.0.1",       "192.0.1.1",  "223.255.255.255",
                                          "2606:4700::1",     "::ffff:104.18.0.1", "fbff::1",    "2002:808:808::1",
                                          "64:ff9b::8.8.8.8", "128.0.0.1"};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        EXPECT(address_text_is_forbidden(forbidden[i]), "%s", forbidden[i]);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        EXPECT(!address_text_is_forbidden(allowed[i]), "%s", allowed[i]);
}

TEST(loopback_is_refused_unless_local)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1"};
    begin();
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char url[128];
        snprintf(url, sizeof url, "https://%s:%u/ok", hosts[i], server.port);
        struct upstream_request request = request_to("POST", "/ok", SLICE_LITERAL("x"));
        request.url = url;
        request.local = false;
        struct call call = {0};
        call_run(&bench, &call, &request);
        EXPECT(call.result.error == ERROR_UPSTREAM_FORBIDDEN_ADDRESS, "%s: %s", hosts[i], call.result.detail);
        EXPECT(!call.result.bytes_were_sent, "%s", hosts[i]);
    }
    struct upstream_request plain = request_to("POST", "/ok", SLICE_LITERAL("x"));
    plain.local = false;
    struct call call = {0};
    call_run(&bench, &call, &plain);
    EXPECT(call.result.error != ERROR_OK && !call.result.bytes_were_sent, "plain HTTP is for local targets only");
    EXPECT_INTEGER(server_connections(&server), 0);
    finish();
}

TEST(nobody_there_and_no_such_name)
{
    begin();
    struct upstream_request request = request_to("POST", "/ok", SLICE_LITERAL("x"));
    request.url = "http://127.0.0.1:1/";
    struct call refused = {0};
    call_run(&bench, &refused, &request);
    EXPECT_INTEGER(refused.result.error, ERROR_UPSTREAM_CONNECT);
    EXPECT(!refused.result.bytes_were_sent, "%s", refused.result.detail);
    request.url = "https://no-such-name.invalid/secret?key=sk-1";
    request.local = false;
    struct call unknown = {0};
    call_run(&bench, &unknown, &request);
    EXPECT_INTEGER(unknown.result.error, ERROR_UPSTREAM_RESOLVE);
    EXPECT(!unknown.result.bytes_were_sent && !strstr(unknown.result.detail, "secret"), "%s", unknown.result.detail);
    finish();
}

TEST(proxy_rules)
{
    static const struct {
        const char *no_proxy, *host;
        bool is_direct;
    } rows[] = {
        {NULL, "api.openai.com", false},
        {"", "api.openai.com", false},
        {"*", "api.openai.com", true},
        {"openai.com", "api.openai.com", true},
        {".openai.com", "api.openai.com:443", true},
        {"a.b, OPENAI.com.", "api.openai.com", true},
        {"ai.com", "api.openai.com", false},
        {"pi.openai.com", "api.openai.com", false},
        {"api.openai.com.evil", "api.openai.com", false},
        {",,", "api.openai.com", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char url[] = "http://proxy:3128", no_proxy[64];
        snprintf(no_proxy, sizeof no_proxy, "%s", rows[i].no_proxy ? rows[i].no_proxy : "");
        struct upstream_proxy proxy = {url, rows[i].no_proxy ? no_proxy : NULL};
        EXPECT_STRING(proxy_choose(&proxy, rows[i].host), rows[i].is_direct ? "" : url);
    }
    struct upstream_proxy none = {NULL, NULL};
    EXPECT_STRING(proxy_choose(&none, "api.openai.com"), "");
}

/* A refusing proxy: none of our fields reach it, and nothing counts as sent. */
TEST(proxy_of_the_environment_is_used_and_told_nothing)
{
    static const struct server_route proxy_routes[] = {
        {"api.example.com:443", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 0, SERVER_CLOSE, false}};
    struct server proxy;
    char url[64];
    server_start(&proxy, proxy_routes, 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy.port);
    setenv("https_proxy", url, 1);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    begin();
    unsetenv("https_proxy");
    struct secret *key = secret_new(SLICE_LITERAL("sk-proxy"));
    struct upstream_request request = request_to("POST", "/ok", SLICE_LITERAL("x"));
    request.url = "https://api.example.com/v1";
    request.local = false;
    request.key_field = "authorization";
    request.key = key;
    struct call call = {0}, local = {0};
    call_run(&bench, &call, &request);
    EXPECT_INTEGER(call.result.error, ERROR_UPSTREAM_CONNECT);
    EXPECT(!call.result.bytes_were_sent && call.heads == 0, "%s", call.result.detail);
    EXPECT_INTEGER(server_requests(&proxy), 1);
    EXPECT(!strstr(proxy.head, "sk-proxy"), "the proxy saw the key: %s", proxy.head);
    request = request_to("POST", "/ok", SLICE_LITERAL("x"));
    call_run(&bench, &local, &request);
    EXPECT(local.result.error == ERROR_OK && server_requests(&proxy) == 1, "local targets need no proxy");
    secret_free(key);
    call_free(&local);
    finish();
    server_stop(&proxy);
}
