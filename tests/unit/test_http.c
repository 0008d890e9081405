/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request parser and the message writer. Every message of the tables is fed whole, cut at every position, and byte
 * by byte: verdict, error, problem text, bytes taken and the parsed message must be the same each time.
 */
#include "http/http.h"
#include "suite.h"

#define LINE "POST /v1/chat/completions HTTP/1.1\r\n"
#define HOST "Host: api.openai.com\r\n"

static const struct http_limits limits = {
    .head_bytes_max = 600, .request_line_bytes_max = 120, .fields_max = 8, .body_bytes_max = 64};

/* All that a feed can tell, as text: two runs are alike when their texts are. */
struct outcome {
    enum http_parse result;
    enum error error;
    size_t used;
    bool saw_head, was_idle;
    char problem[96], text[2048];
};

static void describe(struct http_request *request, struct outcome *outcome)
{
    int length =
        snprintf(outcome->text, sizeof outcome->text, "%.*s|%.*s|%.*s|%.*s|k%d c%d u%d|",
                 SLICE_ARGUMENTS(request->method), SLICE_ARGUMENTS(request->path), SLICE_ARGUMENTS(request->query),
                 SLICE_ARGUMENTS(request->host), request->is_keepalive, request->wants_continue, request->is_upgrade);
    for (size_t i = 0; i < request->field_count; i++)
        length += snprintf(outcome->text + length, sizeof outcome->text - (size_t)length, "%.*s=%.*s;",
                           SLICE_ARGUMENTS(request->fields[i].name), SLICE_ARGUMENTS(request->fields[i].value));
    snprintf(outcome->text + length, sizeof outcome->text - (size_t)length, "|%.*s", SLICE_ARGUMENTS(request->body));
}

/* Feeds [from, to), as one read: again and again until all is taken or there is a verdict. */
static void feed_range(struct http_parser *parser, struct arena *arena, struct slice bytes, size_t to,
                       struct outcome *outcome)
{
    while (outcome->used < to && outcome->result != HTTP_PARSE_DONE && outcome->result != HTTP_PARSE_ERROR) {
        size_t used = 0;
        /* A copy of its own size, so that reading past a read's end is seen by ASan. */
        size_t length = to - outcome->used;
        char *read = malloc(length);
        memcpy(read, bytes.data + outcome->used, length);
        outcome->result = http_parser_feed(parser, arena, (struct slice){read, length}, &used, &outcome->error);
        free(read);
        CU_ASSERT(outcome->result != HTTP_PARSE_MORE || used == length);
        CU_ASSERT(!(outcome->saw_head && outcome->result == HTTP_PARSE_HEAD));
        outcome->saw_head |= outcome->result == HTTP_PARSE_HEAD;
        outcome->used += used;
    }
}

static struct outcome feed(const struct http_limits *with, struct slice bytes, size_t cut, size_t step)
{
    struct outcome outcome = {0};
    struct arena *arena = arena_new(512);
    struct http_parser *parser = http_parser_new(with);
    outcome.was_idle = http_parser_is_idle(parser);
    feed_range(parser, arena, bytes, cut, &outcome);
    for (size_t to = cut; to < bytes.length && step;) {
        to = to + step > bytes.length ? bytes.length : to + step;
        feed_range(parser, arena, bytes, to, &outcome);
    }
    snprintf(outcome.problem, sizeof outcome.problem, "%s", http_parser_problem(parser));
    if (outcome.result == HTTP_PARSE_DONE)
        describe(http_parser_request(parser), &outcome);
    http_parser_free(parser);
    arena_free(arena);
    return outcome;
}

static bool is_alike(const struct outcome *a, const struct outcome *b)
{
    /* An erroneous message is given up; how much of its last read was taken says nothing. */
    return a->result == b->result && a->error == b->error && a->saw_head == b->saw_head &&
           (a->result == HTTP_PARSE_ERROR || a->used == b->used) && strcmp(a->problem, b->problem) == 0 &&
           strcmp(a->text, b->text) == 0;
}

static struct outcome feed_every_way(const struct http_limits *with, struct slice bytes)
{
    struct outcome whole = feed(with, bytes, bytes.length, 0);
    for (size_t cut = 0; cut <= bytes.length; cut++) {
        struct outcome split = feed(with, bytes, cut, bytes.length);
        EXPECT(is_alike(&whole, &split), "cut at %zu of %zu: %d %s, whole: %d %s: %.60s", cut, bytes.length,
               split.result, split.problem, whole.result, whole.problem, bytes.data);
    }
    for (size_t step = 1; step < 4; step++) {
        struct outcome pieces = feed(with, bytes, 0, step);
        EXPECT(is_alike(&whole, &pieces), "step %zu: %d %s, whole %d %s: %.60s", step, pieces.result, pieces.problem,
               whole.result, whole.problem, bytes.data);
    }
    return whole;
}

TEST(parser_takes_legal_messages)
{
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a.b\r\n\r\n", "GET|/||a.b|k1 c0 u0|Host=a.b;|"},
        {"\r\nGET / HTTP/1.1\r\nHost: a.b\r\n\r\n", "GET|/||a.b|k1 c0 u0|Host=a.b;|"},
        {"GET /v1/models?limit=2&b=? HTTP/1.1\r\nHost: API.OpenAI.com:443\r\n\r\n",
         "GET|/v1/models|limit=2&b=?|api.openai.com|k1 c0 u0|Host=API.OpenAI.com:443;|"},
        {"GET /? HTTP/1.1\r\nhost:a.b\r\n\r\n", "GET|/||a.b|k1 c0 u0|host=a.b;|"},
        {"GET / HTTP/1.0\r\nHost: a.b\r\nConnection: keep-alive\r\n\r\n",
         "GET|/||a.b|k0 c0 u0|Host=a.b;Connection=keep-alive;|"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nConnection: foo, Close\r\n\r\n",
         "GET|/||a.b|k0 c0 u0|Host=a.b;Connection=foo, Close;|"},
        {LINE HOST "Content-Length: 5\r\n\r\nhello", "POST|/v1/chat/completions||api.openai.com|k1 c0 u0|"
                                                     "Host=api.openai.com;Content-Length=5;|hello"},
        {LINE HOST "Content-Length: 0\r\n\r\n",
         "POST|/v1/chat/completions||api.openai.com|k1 c0 u0|Host=api.openai.com;Content-Length=0;|"},
        {LINE HOST "Content-Length: 005\r\nExpect: 100-Continue\r\n\r\nhello",
         "POST|/v1/chat/completions||api.openai.com|k1 c1 u0|"
         "Host=api.openai.com;Content-Length=005;Expect=100-Continue;|hello"},
        {LINE HOST "Expect: 100-continue\r\n\r\n",
         "POST|/v1/chat/completions||api.openai.com|k1 c0 u0|Host=api.openai.com;Expect=100-continue;|"},
        {LINE HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         "POST|/v1/chat/completions||api.openai.com|k1 c0 u0|Host=api.openai.com;Transfer-Encoding=chunked;|hello"},
        {LINE HOST "Transfer-Encoding: Chunked\r\n\r\n02\r\nhe\r\n3;a=\"b c\"\r\nllo\r\n00;x\r\n\r\n",
         "POST|/v1/chat/completions||api.openai.com|k1 c0 u0|Host=api.openai.com;Transfer-Encoding=Chunked;|hello"},
        {LINE HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "POST|/v1/chat/completions||api.openai.com|k1 c0 u0|Host=api.openai.com;Transfer-Encoding=chunked;|"},
        {LINE HOST "X: \r\nY:\t a \t b \t\r\nZ: \xc3\xa9\r\n\r\n",
         "POST|/v1/chat/completions||api.openai.com|k1 c0 u0|Host=api.openai.com;X=;Y=a \t b;Z=\xc3\xa9;|"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n",
         "GET|/||a.b|k1 c0 u1|Host=a.b;Upgrade=websocket;Connection=keep-alive, Upgrade;|"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
         "GET|/||a.b|k1 c0 u0|Host=a.b;Upgrade=h2c;Connection=Upgrade;|"},
        {"GET /a.b/..c/...?../x HTTP/1.1\r\nHost: a.b\r\n\r\n", "GET|/a.b/..c/...|../x|a.b|k1 c0 u0|Host=a.b;|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome outcome = feed_every_way(&limits, slice_of(rows[i].bytes));
        EXPECT(outcome.result == HTTP_PARSE_DONE, "row %zu: %s", i, outcome.problem);
        EXPECT_STRING(outcome.text, rows[i].text);
        EXPECT_INTEGER(outcome.used, strlen(rows[i].bytes));
        EXPECT(outcome.was_idle, "row %zu", i);
    }
}

TEST(parser_refuses_ambiguous_messages)
{
    static const struct {
        const char *bytes, *problem; /* problem "": llhttp's own words */
    } rows[] = {
        {LINE HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
        {LINE HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", ""},
        {LINE HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", ""},
        {LINE HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", ""},
        {LINE HOST "Content-Length: 5, 5\r\n\r\nhello", ""},
        {LINE HOST "Content-Length: +5\r\n\r\nhello", ""},
        {LINE HOST "Content-Length: -5\r\n\r\nhello", ""},
        {LINE HOST "Content-Length: 5 5\r\n\r\nhello", ""},
        {LINE HOST "Content-Length: 0x5\r\n\r\nhello", ""},
        {LINE HOST "Content-Length:\r\n\r\n", ""},
        {LINE HOST "Content-Length: 0000000000000000005\r\n\r\nhello", "Content-Length is no number"},
        {LINE HOST "Content-Length: 99999999999999999999\r\n\r\n", ""},
        {LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
        {LINE HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", ""},
        {LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding is not one \"chunked\""},
        {LINE HOST "Transfer-Encoding: identity\r\n\r\n", "Transfer-Encoding is not one \"chunked\""},
        {LINE HOST "Transfer-Encoding: xchunked\r\n\r\n", "Transfer-Encoding is not one \"chunked\""},
        {LINE HOST "Transfer-Encoding:\r\n\r\n", "Transfer-Encoding is not one \"chunked\""},
        {LINE HOST "Transfer-Encoding: \x0b"
                   "chunked\r\n\r\n",
         ""},
        {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding is not one \"chunked\""},
        {"GET / HTTP/1.1\nHost: a.b\r\n\r\n", "a line ends in a bare LF"},
        {"GET / HTTP/1.1\r\nHost: a.b\n\r\n", "a line ends in a bare LF"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\n\n", "a line ends in a bare LF"},
        {"\nGET / HTTP/1.1\r\nHost: a.b\r\n\r\n", "a line ends in a bare LF"},
        {"GET / HTTP/1.1\r\nHost: a.b\rX: y\r\n\r\n", "a bare CR in the head"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\r\n\r\n", "a bare CR in the head"},
        {"GET / HTTP/1.1\rHost: a.b\r\n\r\n", "a bare CR in the head"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\n\rX: y\r\n\r\n", "a bare CR in the head"},
        {"\r\n\r\nGET / HTTP/1.1\r\nHost: a.b\r\n\r\n", "empty lines before the request line"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nX: y\r\n z\r\n\r\n", "a field is continued on the next line (obs-fold)"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nX:\r\n\tz\r\n\r\n", "a field is continued on the next line (obs-fold)"},
        {"GET / HTTP/1.1\r\n Host: a.b\r\n\r\n", "a field is continued on the next line (obs-fold)"},
        {"GET / HTTP/1.1\r\nHost : a.b\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nX\t: y\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nX(y): z\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nX\xc3\xa9: z\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a.b\r\n: z\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nnocolon\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nX: a\x01"
         "b\r\n\r\n",
         ""},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nX: a\x7f"
         "b\r\n\r\n",
         ""},
        {"GET / HTTP/1.1\r\n\r\n", "no Host"},
        {"GET / HTTP/1.0\r\n\r\n", "no Host"},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "the Host is empty or too long"},
        {"GET / HTTP/1.1\r\nHost: :443\r\n\r\n", "the Host is empty or too long"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nHost: a.b\r\n\r\n", "more than one Host"},
        {"GET / HTTP/1.1\r\nHost: a.b\r\nhost: c.d\r\n\r\n", "more than one Host"},
        {"GET / HTTP/1.1\r\nHost: a.b:8443\r\n\r\n", "the Host is no name, or has another port than 443"},
        {"GET / HTTP/1.1\r\nHost: a.b, c.d\r\n\r\n", "the Host is no name, or has another port than 443"},
        {"GET / HTTP/1.1\r\nHost: u@a.b\r\n\r\n", "the Host is no name, or has another port than 443"},
        {"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "the Host is no name, or has another port than 443"},
        {"GET https://a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n", "the request target does not start with a slash"},
        {"GET a.b HTTP/1.1\r\nHost: a.b\r\n\r\n", "the request target does not start with a slash"},
        {"GET a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\n", "the request target does not start with a slash"},
        {"OPTIONS * HTTP/1.1\r\nHost: a.b\r\n\r\n", "the request target does not start with a slash"},
        {"GET  / HTTP/1.1\r\nHost: a.b\r\n\r\n", "the version is neither HTTP/1.0 nor HTTP/1.1"},
        {"GET /  HTTP/1.1\r\nHost: a.b\r\n\r\n", "the version is neither HTTP/1.0 nor HTTP/1.1"},
        {"GET / HTTP/1.1 \r\nHost: a.b\r\n\r\n", "the version is neither HTTP/1.0 nor HTTP/1.1"},
        {" GET / HTTP/1.1\r\nHost: a.b\r\n\r\n", "the method is no token"},
        {"GET /a#b HTTP/1.1\r\nHost: a.b\r\n\r\n", "the request target has an illegal character"},
        {"GET /\xc3\xa9 HTTP/1.1\r\nHost: a.b\r\n\r\n", "the request target has an illegal character"},
        {"GET /a\tb HTTP/1.1\r\nHost: a.b\r\n\r\n", "the request target has an illegal character"},
        {"GET /v1/../admin HTTP/1.1\r\nHost: a.b\r\n\r\n", "the path has dot segments"},
        {"GET /v1/%2E%2e/admin HTTP/1.1\r\nHost: a.b\r\n\r\n", "the path has dot segments"},
        {"GET /v1/.%2e HTTP/1.1\r\nHost: a.b\r\n\r\n", "the path has dot segments"},
        {"GET /./v1 HTTP/1.1\r\nHost: a.b\r\n\r\n", "the path has dot segments"},
        {"CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\n", "CONNECT is not supported"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2 without negotiation"},
        {"GET /\r\n\r\n", "the request line has no version"},
        {"GET / HTTP/2.0\r\nHost: a.b\r\n\r\n", "the version is neither HTTP/1.0 nor HTTP/1.1"},
        {"GET / HTTP/1.2\r\nHost: a.b\r\n\r\n", "the version is neither HTTP/1.0 nor HTTP/1.1"},
        {"GET / http/1.1\r\nHost: a.b\r\n\r\n", "the version is neither HTTP/1.0 nor HTTP/1.1"},
        {"get / HTTP/1.1\r\nHost: a.b\r\n\r\n", ""},
        {"FROB / HTTP/1.1\r\nHost: a.b\r\n\r\n", ""},
        {"\x16\x03\x01\x02\r\n\r\n", "the request line has no version"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome outcome = feed_every_way(&limits, slice_of(rows[i].bytes));
        EXPECT(outcome.result == HTTP_PARSE_ERROR && outcome.error == ERROR_HTTP_MALFORMED, "row %zu: %d %s: %s", i,
               outcome.result, outcome.text, rows[i].bytes);
        EXPECT(outcome.problem[0], "row %zu has no text", i);
        if (rows[i].problem[0])
            EXPECT_STRING(outcome.problem, rows[i].problem);
    }
}

TEST(parser_refuses_nul_anywhere_in_the_head)
{
    char bytes[] = "GET /a HTTP/1.1\r\nHost: a.b\r\nX: yz\r\n\r\n";
    for (size_t i = 0; i + 4 < sizeof bytes; i++) {
        char saved = bytes[i];
        bytes[i] = '\0';
        struct outcome outcome = feed_every_way(&limits, (struct slice){bytes, sizeof bytes - 1});
        EXPECT(outcome.result == HTTP_PARSE_ERROR && outcome.error == ERROR_HTTP_MALFORMED, "NUL at %zu", i);
        bytes[i] = saved;
    }
}

TEST(parser_refuses_bad_chunks)
{
    static const struct {
        const char *bytes, *problem;
    } rows[] = {
        {"5\nhello\r\n0\r\n\r\n", "a chunk size is followed by something else"},
        {"5\r\nhello\n0\r\n\r\n", "a chunk is longer than its size"},
        {"5\r\nhelloworld\r\n0\r\n\r\n", "a chunk is longer than its size"},
        {"5\r\nhello\rX0\r\n\r\n", "a chunk does not end in CRLF"},
        {"5\r\nhello\r\n0\r\n\n", "trailers are not supported"},
        {"5\r\nhello\r\n0\r\nA: b\r\n\r\n", "trailers are not supported"},
        {"5\r\nhello\r\n0\r\n\rX", "the last chunk does not end in CRLF"},
        {"5 \r\nhello\r\n0\r\n\r\n", "a chunk size is followed by something else"},
        {"5;a\nhello\r\n0\r\n\r\n", "a control character in a chunk extension"},
        {"5;a\rb\r\nhello\r\n0\r\n\r\n", "a chunk size does not end in CRLF"},
        {"-5\r\nhello\r\n0\r\n\r\n", "a chunk has no size"},
        {"\r\nhello\r\n0\r\n\r\n", "a chunk has no size"},
        {"0x5\r\nhello\r\n0\r\n\r\n", "a chunk size is followed by something else"},
        {"0000000000000005\r\nhello\r\n0\r\n\r\n", "a chunk size has too many digits"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char bytes[256];
        snprintf(bytes, sizeof bytes, LINE HOST "Transfer-Encoding: chunked\r\n\r\n%s", rows[i].bytes);
        struct outcome outcome = feed_every_way(&limits, slice_of(bytes));
        EXPECT(outcome.result == HTTP_PARSE_ERROR && outcome.error == ERROR_HTTP_MALFORMED && outcome.saw_head,
               "row %zu: %s", i, outcome.text);
        EXPECT_STRING(outcome.problem, rows[i].problem);
    }
}

static struct outcome feed_built(const char *before, char filler, size_t count, const char *after)
{
    char *bytes = malloc(strlen(before) + count + strlen(after) + 1);
    strcpy(bytes, before);
    memset(bytes + strlen(before), filler, count);
    strcpy(bytes + strlen(before) + count, after);
    struct outcome outcome = feed_every_way(&limits, slice_of(bytes));
    free(bytes);
    return outcome;
}

TEST(parser_limits_are_exact)
{
    struct outcome outcome;
    const char *end = " HTTP/1.1\r\nHost: a.b\r\n\r\n";
    size_t fixed = strlen("GET /") + strlen(" HTTP/1.1");
    CU_ASSERT(feed_built("GET /", 'x', 120 - fixed, end).result == HTTP_PARSE_DONE);
    outcome = feed_built("GET /", 'x', 121 - fixed, end);
    EXPECT_INTEGER(outcome.error, ERROR_HTTP_HEAD_TOO_LARGE);
    EXPECT_STRING(outcome.problem, "the request line exceeds its limit");
    EXPECT_INTEGER(feed_built("GET /", 'x', 5000, "").error, ERROR_HTTP_HEAD_TOO_LARGE);

    const char *before = "GET / HTTP/1.1\r\nHost: a.b\r\nX: ";
    fixed = strlen(before) + strlen("\r\n\r\n");
    CU_ASSERT(feed_built(before, 'x', 600 - fixed, "\r\n\r\n").result == HTTP_PARSE_DONE);
    outcome = feed_built(before, 'x', 601 - fixed, "\r\n\r\n");
    EXPECT_INTEGER(outcome.error, ERROR_HTTP_HEAD_TOO_LARGE);
    EXPECT_STRING(outcome.problem, "the head exceeds its limit");

    CU_ASSERT(feed_built("GET / HTTP/1.1\r\nHost: a.b\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n", 'x', 0, "\r\n")
                  .result == HTTP_PARSE_DONE);
    outcome =
        feed_built("GET / HTTP/1.1\r\nHost: a.b\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n", 'x', 0, "\r\n");
    EXPECT_INTEGER(outcome.error, ERROR_HTTP_HEAD_TOO_LARGE);
    EXPECT_STRING(outcome.problem, "the head has too many fields");
}

TEST(parser_body_limit_is_known_from_the_head)
{
    struct outcome outcome = feed_built(LINE HOST "Content-Length: 64\r\n\r\n", 'x', 64, "");
    EXPECT(outcome.result == HTTP_PARSE_DONE, "%s", outcome.problem);
    outcome = feed_every_way(&limits, slice_of(LINE HOST "Content-Length: 65\r\n\r\n"));
    EXPECT_INTEGER(outcome.error, ERROR_HTTP_BODY_TOO_LARGE);
    CU_ASSERT(!outcome.saw_head);
    outcome = feed_built(LINE HOST "Transfer-Encoding: chunked\r\n\r\n20\r\n", 'x', 32, "\r\n20\r\n");
    EXPECT_INTEGER(outcome.result, HTTP_PARSE_MORE);
    outcome = feed_built(LINE HOST "Transfer-Encoding: chunked\r\n\r\n20\r\n", 'x', 32, "\r\n21\r\n");
    EXPECT_INTEGER(outcome.error, ERROR_HTTP_BODY_TOO_LARGE);
    CU_ASSERT(outcome.saw_head);
    outcome = feed_built(LINE HOST "Transfer-Encoding: chunked\r\n\r\n1;", 'x', 1024, "\r\na\r\n0\r\n\r\n");
    EXPECT_INTEGER(outcome.result, HTTP_PARSE_DONE);
    outcome = feed_built(LINE HOST "Transfer-Encoding: chunked\r\n\r\n1;", 'x', 1025, "\r\na\r\n0\r\n\r\n");
    EXPECT_STRING(outcome.problem, "chunk extensions exceed their limit");
}

TEST(parser_is_used_again_and_leaves_the_next_message_alone)
{
    const char *first = LINE HOST "Content-Length: 2\r\n\r\n{}", *second = "GET /2 HTTP/1.1\r\nHost: a.b\r\n\r\n";
    char bytes[512];
    snprintf(bytes, sizeof bytes, "%s%s%s", first, second, first);
    struct arena *arena = arena_new(256);
    struct http_parser *parser = http_parser_new(&limits);
    struct slice rest = slice_of(bytes);
    const char *paths[] = {"/v1/chat/completions", "/2", "/v1/chat/completions"};
    for (int i = 0; i < 3; i++) {
        size_t used = 0;
        enum error error = ERROR_OK;
        enum http_parse result;
        do {
            result = http_parser_feed(parser, arena, rest, &used, &error);
            rest = slice_from(rest, used);
        } while (result == HTTP_PARSE_HEAD);
        CU_ASSERT(result == HTTP_PARSE_DONE && slice_is(http_parser_request(parser)->path, paths[i]));
        CU_ASSERT(!http_parser_is_idle(parser));
        http_parser_reset(parser);
        CU_ASSERT(http_parser_is_idle(parser));
    }
    EXPECT_INTEGER(rest.length, 0);
    size_t used = 0;
    enum error error = ERROR_OK;
    CU_ASSERT(http_parser_feed(parser, arena, SLICE_LITERAL("\n"), &used, &error) == HTTP_PARSE_ERROR);
    CU_ASSERT(http_parser_feed(parser, arena, SLICE_LITERAL("GET"), &used, &error) == HTTP_PARSE_ERROR && used == 0);
    http_parser_free(parser);
    arena_free(arena);
}

/* Random damage to legal messages: whatever the verdict, it must not depend on the cuts (and nothing may crash). */
TEST(parser_verdict_of_damaged_messages_does_not_depend_on_cuts)
{
    static const char *const seeds[] = {
        LINE HOST "Content-Length: 5\r\nX: y\r\n\r\nhello",
        LINE HOST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
        "GET /a?b HTTP/1.1\r\nHost: a.b\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n",
    };
    static const char bits[] = "\r\n\r\n :\t;,\0/?#0159aChunkedHTTP/1.";
    unsigned long long random = 20260101;
    for (int round = 0; round < 3000; round++) {
        char bytes[256];
        size_t length = strlen(seeds[round % 3]);
        memcpy(bytes, seeds[round % 3], length);
        for (int damage = 0; damage <= round % 4; damage++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            size_t at = (size_t)(random >> 33) % length;
            bytes[at] = bits[(random >> 40) % (sizeof bits - 1)];
            if ((random >> 60) == 0) /* and sometimes a byte less */
                memmove(bytes + at, bytes + at + 1, --length - at);
        }
        struct slice message = {bytes, length};
        struct outcome whole = feed(&limits, message, length, 0);
        struct outcome single = feed(&limits, message, 0, 1),
                       split = feed(&limits, message, (size_t)round % length, length);
        EXPECT(is_alike(&whole, &single) && is_alike(&whole, &split), "round %d: %s / %s / %s", round, whole.problem,
               single.problem, split.problem);
    }
}

/* ---- fields and writer ---- */

TEST(fields_are_found_and_classified)
{
    struct http_field fields[] = {{SLICE_LITERAL("Accept"), SLICE_LITERAL("a")},
                                  {SLICE_LITERAL("ACCEPT"), SLICE_LITERAL("b")},
                                  {SLICE_LITERAL("Empty"), SLICE_LITERAL("")}};
    CU_ASSERT(slice_is(http_find_field(fields, 3, "accept"), "a"));
    CU_ASSERT(http_find_field(fields, 3, "empty").data != NULL);
    CU_ASSERT(http_find_field(fields, 3, "accep").data == NULL);
    static const struct {
        const char *name, *connection;
        bool is_dropped;
    } rows[] = {
        {"Connection", "", true},
        {"Keep-Alive", "", true},
        {"TE", "", true},
        {"Trailer", "", true},
        {"Transfer-Encoding", "", true},
        {"upgrade", "", true},
        {"Proxy-Connection", "", true},
        {"Proxy-Authorization", "", true},
        {"Expect", "", true},
        {"X-Mine", "close, x-mine", true},
        {"X-Mine", "close,x-mines", false},
        {"Authorization", "", false},
        {"Content-Type", "close", false},
        {"Tee", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT(http_field_is_hop_by_hop(slice_of(rows[i].name), slice_of(rows[i].connection)) == rows[i].is_dropped,
               "%s", rows[i].name);
}

TEST(writer_writes_heads)
{
    struct buffer buffer;
    buffer_init(&buffer, 4096);
    struct http_field fields[] = {{SLICE_LITERAL("Content-Type"), SLICE_LITERAL("application/json")},
                                  {SLICE_LITERAL("X"), SLICE_LITERAL("")}};
    CU_ASSERT(http_write_head(&buffer, 429, fields, 2));
    CU_ASSERT(http_write_head(&buffer, 299, NULL, 0));
    EXPECT(slice_is(buffer_contents(&buffer),
                    "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nX: \r\n\r\n"
                    "HTTP/1.1 299 Unknown\r\n\r\n"),
           SLICE_FORMAT, SLICE_ARGUMENTS(buffer_contents(&buffer)));
    buffer_done(&buffer);
    EXPECT_STRING(http_reason(402), "Payment Required");
    EXPECT_STRING(http_reason(-1), "Unknown");
    EXPECT_STRING(http_reason(100000), "Unknown");
}

TEST(writer_refuses_what_would_be_another_line)
{
    static const struct http_field bad[] = {
        {SLICE_LITERAL("X"), SLICE_LITERAL("a\rb")},   {SLICE_LITERAL("X"), SLICE_LITERAL("a\nb")},
        {SLICE_LITERAL("X"), SLICE_LITERAL("a\0b")},   {SLICE_LITERAL("X"), SLICE_LITERAL("a\x7f")},
        {SLICE_LITERAL("X Y"), SLICE_LITERAL("a")},    {SLICE_LITERAL("X:"), SLICE_LITERAL("a")},
        {SLICE_LITERAL(""), SLICE_LITERAL("a")},       {SLICE_LITERAL("X\r\nY"), SLICE_LITERAL("a")},
        {SLICE_LITERAL("\xc3\xa9"), SLICE_LITERAL("")}};
    struct buffer buffer;
    buffer_init(&buffer, 4096);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT(!http_write_head(&buffer, 200, &bad[i], 1), "row %zu", i);
    CU_ASSERT(!http_write_head(&buffer, 99, NULL, 0) && !http_write_head(&buffer, 1000, NULL, 0));
    EXPECT_INTEGER(buffer_length(&buffer), 0);
    buffer_done(&buffer);
    buffer_init(&buffer, 10);
    CU_ASSERT(!http_write_head(&buffer, 200, NULL, 0) && !http_write_chunk(&buffer, SLICE_LITERAL("123456")));
    EXPECT_INTEGER(buffer_length(&buffer), 0);
    buffer_done(&buffer);
}

TEST(writer_chunks_are_read_back)
{
    struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    char text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    CU_ASSERT(buffer_append(&buffer, SLICE_LITERAL(LINE HOST "Transfer-Encoding: chunked\r\n\r\n")));
    size_t sizes[] = {1, 9, 10, 15, 16, 17, 255, 256, 4095}, total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; total += sizes[i++])
        CU_ASSERT(http_write_chunk(&buffer, (struct slice){text + total, sizes[i]}));
    CU_ASSERT(http_write_chunk(&buffer, (struct slice){NULL, 0}));
    struct http_limits wide = limits;
    wide.body_bytes_max = 65536;
    struct arena *arena = arena_new(256);
    struct http_parser *parser = http_parser_new(&wide);
    size_t used = 0, head = 0;
    enum error error = ERROR_OK;
    CU_ASSERT(http_parser_feed(parser, arena, buffer_contents(&buffer), &head, &error) == HTTP_PARSE_HEAD);
    CU_ASSERT(http_parser_feed(parser, arena, slice_from(buffer_contents(&buffer), head), &used, &error) ==
              HTTP_PARSE_DONE);
    CU_ASSERT(slice_is_equal(http_parser_request(parser)->body, (struct slice){text, total}));
    EXPECT_INTEGER(head + used, buffer_length(&buffer));
    http_parser_free(parser);
    arena_free(arena);
    buffer_done(&buffer);
}

/* Whoever looks at the Host field itself takes any port; all else is as strict as ever. */
TEST(any_port_of_the_host_is_taken_where_it_is_asked_for)
{
    static const struct {
        const char *host, *name; /* NULL: refused */
    } rows[] = {
        {"127.0.0.1:25001", "127.0.0.1"},
        {"LocalHost:1", "localhost"},
        {"a.b", "a.b"},
        {"a.b:443", "a.b"},
        {":25001", NULL},
        {"25001", "25001"},
        {"a.b:", NULL},
        {"a.b:1:2", NULL},
        {"a.b:x", NULL},
        {"[::1]:25001", NULL},
        {"u@a.b:1", NULL},
    };
    struct http_limits any = limits;
    any.takes_any_port = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char message[200], wanted[64];
        snprintf(message, sizeof message, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
        struct outcome outcome = feed_every_way(&any, slice_of(message));
        EXPECT(outcome.result == (rows[i].name ? HTTP_PARSE_DONE : HTTP_PARSE_ERROR), "%s: %s", rows[i].host,
               outcome.problem);
        snprintf(wanted, sizeof wanted, "|%s|", rows[i].name ? rows[i].name : "");
        EXPECT(!rows[i].name || strstr(outcome.text, wanted), "%s: %s", rows[i].host, outcome.text);
    }
}
