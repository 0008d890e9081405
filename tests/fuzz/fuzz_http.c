/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/parser.c: the verdict is the same however the bytes are cut; what was accepted has only valid parts, and written
 * again by us it is the same message.
 */
#include "fuzz.h"

#include "http/http.h"

static const struct http_limits limits = {
    .head_bytes_max = 8192, .request_line_bytes_max = 2048, .fields_max = 40, .body_bytes_max = 16384};

struct outcome {
    enum http_parse result;
    enum error error;
    size_t used;
    struct http_request *request;
    char problem[96];
};

static struct outcome feed(struct slice input, size_t step, struct http_parser *parser, struct arena *arena)
{
    struct outcome outcome = {.result = HTTP_PARSE_MORE};
    while (outcome.used < input.length && outcome.result != HTTP_PARSE_DONE && outcome.result != HTTP_PARSE_ERROR) {
        struct slice rest = slice_from(input, outcome.used);
        size_t length = rest.length < step ? rest.length : step, used = 0;
        char *piece = fuzz_copy((struct slice){rest.data, length});
        outcome.result = http_parser_feed(parser, arena, (struct slice){piece, length}, &used, &outcome.error);
        free(piece);
        FUZZ_REQUIRE(used <= length && (used == length || outcome.result != HTTP_PARSE_MORE), "used %zu", used);
        FUZZ_REQUIRE(used > 0 || outcome.result != HTTP_PARSE_MORE, "no progress");
        outcome.used += used;
    }
    snprintf(outcome.problem, sizeof outcome.problem, "%s", http_parser_problem(parser));
    if (outcome.result == HTTP_PARSE_DONE)
        outcome.request = http_parser_request(parser);
    return outcome;
}

static void require_same(const struct http_request *a, const struct http_request *b)
{
    FUZZ_REQUIRE(slice_is_equal(a->method, b->method) && slice_is_equal(a->path, b->path), "line");
    FUZZ_REQUIRE(slice_is_equal(a->query, b->query) && slice_is_equal(a->host, b->host), "query or host");
    FUZZ_REQUIRE(slice_is_equal(a->body, b->body) && a->field_count == b->field_count, "body or count");
    for (size_t i = 0; i < a->field_count; i++)
        FUZZ_REQUIRE(slice_is_equal(a->fields[i].name, b->fields[i].name) &&
                         slice_is_equal(a->fields[i].value, b->fields[i].value),
                     "field %zu", i);
}

static void require_valid(const struct http_request *request)
{
    FUZZ_REQUIRE(request->host.length > 0 && request->path.length > 0 && request->path.data[0] == '/', "target");
    FUZZ_REQUIRE(request->body.data != NULL && request->body.length <= limits.body_bytes_max, "body");
    for (size_t i = 0; i < request->field_count; i++)
        FUZZ_REQUIRE(http_field_is_valid(request->fields[i].name, request->fields[i].value), "field %zu", i);
}

/* The message in our own words: no second reading of it may find another one (request smuggling). */
static void require_round_trip(const struct http_request *request)
{
    struct buffer text;
    struct arena *arena = arena_new(512);
    struct http_parser *parser = http_parser_new(&limits);
    buffer_init(&text, 1 << 20);
    bool ok =
        buffer_append_format(&text,
                             SLICE_FORMAT " " SLICE_FORMAT "?" SLICE_FORMAT " HTTP/1.1\r\nHost: " SLICE_FORMAT
                                          "\r\nContent-Length: %zu\r\n\r\n",
                             SLICE_ARGUMENTS(request->method), SLICE_ARGUMENTS(request->path),
                             SLICE_ARGUMENTS(request->query), SLICE_ARGUMENTS(request->host), request->body.length) &&
        buffer_append(&text, request->body);
    struct outcome again = feed(buffer_contents(&text), SIZE_MAX, parser, arena);
    FUZZ_REQUIRE(ok, "the buffer is full");
    bool is_too_long = again.error == ERROR_HTTP_HEAD_TOO_LARGE; /* the '?' or the Host is longer than they were */
    FUZZ_REQUIRE(is_too_long || (again.result == HTTP_PARSE_DONE && again.used == buffer_length(&text)), "%s",
                 again.problem);
    if (!is_too_long) {
        FUZZ_REQUIRE(slice_is_equal(again.request->path, request->path) &&
                         slice_is_equal(again.request->host, request->host) &&
                         slice_is_equal(again.request->body, request->body),
                     "another message");
    }
    buffer_done(&text);
    http_parser_free(parser);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 3, 17};
    struct slice input = fuzz_slice(data, size);
    struct arena *arena = arena_new(512), *other = arena_new(512);
    struct http_parser *parser = http_parser_new(&limits), *second = http_parser_new(&limits);
    struct outcome whole = feed(input, SIZE_MAX, parser, arena);
    struct outcome cut = feed(input, steps[size % 4], second, other);
    FUZZ_REQUIRE(whole.result == cut.result && whole.error == cut.error, "%d %s, cut: %d %s", whole.result,
                 whole.problem, cut.result, cut.problem);
    if (whole.result == HTTP_PARSE_DONE) {
        FUZZ_REQUIRE(whole.used == cut.used, "%zu, cut: %zu", whole.used, cut.used);
        require_same(whole.request, cut.request);
        require_valid(whole.request);
        if (!whole.request->is_upgrade)
            require_round_trip(whole.request);
    }
    http_parser_free(parser);
    http_parser_free(second);
    arena_free(arena);
    arena_free(other);
    return 0;
}
