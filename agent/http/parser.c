/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request parser: collects a head (head.c), then its body by Content-Length or chunks (chunked.c). The verdict
 * never depends on how the bytes were cut into reads. Called by flow/'s receive; does no I/O.
 */
#include "base/check.h"
#include "http/internal.h"

#include <stdlib.h>

struct http_parser {
    struct http_limits limits;
    enum { PARSER_HEAD, PARSER_LENGTH, PARSER_CHUNKED, PARSER_DONE, PARSER_FAILED } state;
    struct http_fault fault;
    struct buffer head; /* a head that came in pieces */
    struct head_search search;
    struct http_request *request; /* in the arena of the exchange */
    char *body;                   /* Content-Length bytes in the arena */
    size_t body_bytes, body_used;
    struct chunked chunked;
    struct buffer chunks; /* a chunked body, until it is whole */
};

struct http_parser *http_parser_new(const struct http_limits *limits)
{
    struct http_parser *parser = calloc(1, sizeof *parser);
    check(parser != NULL);
    parser->limits = *limits;
    /* One read past the bound may be kept before the search refuses it. */
    buffer_init(&parser->head, SIZE_MAX / 4);
    buffer_init(&parser->chunks, limits->body_bytes_max);
    return parser;
}

void http_parser_free(struct http_parser *parser)
{
    if (!parser)
        return;
    buffer_done(&parser->head);
    buffer_done(&parser->chunks);
    free(parser);
}

void http_parser_reset(struct http_parser *parser)
{
    buffer_reset(&parser->head, 0);
    buffer_reset(&parser->chunks, 0);
    parser->state = PARSER_HEAD;
    parser->fault = (struct http_fault){ERROR_OK, NULL};
    parser->search = (struct head_search){0};
    parser->request = NULL;
    parser->body = NULL;
    parser->body_bytes = parser->body_used = 0;
    parser->chunked = (struct chunked){0};
}

bool http_parser_is_idle(const struct http_parser *parser)
{
    return parser->state == PARSER_HEAD && buffer_length(&parser->head) == 0;
}

const char *http_parser_problem(const struct http_parser *parser)
{
    return parser->fault.problem ? parser->fault.problem : "";
}

struct http_request *http_parser_request(struct http_parser *parser)
{
    return parser->request;
}

static enum http_parse parser_fail(struct http_parser *parser)
{
    parser->state = PARSER_FAILED;
    return HTTP_PARSE_ERROR;
}

static enum http_parse parser_finish(struct http_parser *parser, struct slice body)
{
    parser->request->body = body;
    parser->state = PARSER_DONE;
    return HTTP_PARSE_DONE;
}

/* A whole head: its copy in the arena is what the request's slices point to. */
static enum http_parse begin_message(struct http_parser *parser, struct arena *arena, struct slice head)
{
    struct http_framing framing = {0};
    struct slice copy = arena_copy(arena, slice_from(head, parser->search.start));
    parser->request = arena_new_struct(arena, struct http_request);
    if (!http_parse_head(copy, parser->search.line_count - 1, parser->limits.takes_any_port, arena, parser->request,
                         &framing, &parser->fault))
        return parser_fail(parser);
    if (framing.content_length > parser->limits.body_bytes_max) {
        http_fail(&parser->fault, ERROR_HTTP_BODY_TOO_LARGE, "the body exceeds its limit");
        return parser_fail(parser);
    }
    if (parser->request->is_upgrade || (!framing.is_chunked && framing.content_length == 0))
        return parser_finish(parser, (struct slice){"", 0});
    parser->state = framing.is_chunked ? PARSER_CHUNKED : PARSER_LENGTH;
    parser->body_bytes = (size_t)framing.content_length;
    return HTTP_PARSE_HEAD;
}

static enum http_parse feed_head(struct http_parser *parser, struct arena *arena, struct slice bytes, size_t *ret_used)
{
    size_t had = buffer_length(&parser->head), length = 0;
    struct slice head = bytes;
    if (had) {
        check(buffer_append(&parser->head, bytes));
        head = buffer_contents(&parser->head);
    }
    enum http_parse result = http_head_search(&parser->search, &parser->limits, head, &length, &parser->fault);
    *ret_used = bytes.length;
    if (result == HTTP_PARSE_ERROR)
        return parser_fail(parser);
    if (result == HTTP_PARSE_MORE) {
        if (!had)
            check(buffer_append(&parser->head, bytes));
        return HTTP_PARSE_MORE;
    }
    *ret_used = length - had;
    result = begin_message(parser, arena, (struct slice){head.data, length});
    buffer_reset(&parser->head, 0);
    return result;
}

/* The body's memory is taken with its first byte, so that a client that waits for 100 Continue holds none. */
static enum http_parse feed_length(struct http_parser *parser, struct arena *arena, struct slice bytes,
                                   size_t *ret_used)
{
    size_t missing = parser->body_bytes - parser->body_used;
    size_t length = bytes.length < missing ? bytes.length : missing;
    if (!parser->body && length)
        parser->body = arena_alloc(arena, parser->body_bytes);
    if (length)
        memcpy(parser->body + parser->body_used, bytes.data, length);
    parser->body_used += length;
    *ret_used = length;
    if (parser->body_used < parser->body_bytes)
        return HTTP_PARSE_MORE;
    return parser_finish(parser, (struct slice){parser->body, parser->body_bytes});
}

static enum http_parse feed_chunked(struct http_parser *parser, struct arena *arena, struct slice bytes,
                                    size_t *ret_used)
{
    if (!http_chunked_feed(&parser->chunked, bytes, &parser->chunks, ret_used, &parser->fault))
        return parser_fail(parser);
    if (parser->chunked.state != CHUNK_DONE)
        return HTTP_PARSE_MORE;
    struct slice body = arena_copy(arena, buffer_contents(&parser->chunks));
    buffer_reset(&parser->chunks, 0);
    return parser_finish(parser, body);
}

enum http_parse http_parser_feed(struct http_parser *parser, struct arena *arena, struct slice bytes, size_t *ret_used,
                                 enum error *ret_error)
{
    enum http_parse result = HTTP_PARSE_ERROR;
    size_t used = 0;
    check(parser->state != PARSER_DONE); /* http_parser_reset comes first */
    if (bytes.length == 0)
        result = parser->state == PARSER_FAILED ? HTTP_PARSE_ERROR : HTTP_PARSE_MORE;
    else if (parser->state == PARSER_HEAD)
        result = feed_head(parser, arena, bytes, &used);
    else if (parser->state == PARSER_LENGTH)
        result = feed_length(parser, arena, bytes, &used);
    else if (parser->state == PARSER_CHUNKED)
        result = feed_chunked(parser, arena, bytes, &used);
    *ret_used = used;
    if (result == HTTP_PARSE_ERROR)
        *ret_error = parser->fault.error;
    return result;
}
