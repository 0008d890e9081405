/* SPDX-License-Identifier: Apache-2.0 */
/* llhttp callbacks; see http.h. The parser pauses at the end of each request: a pipelined second request waits in the
 * connection until the first is answered. A header that nobody looks at is skipped without a copy.
 */
#include "tests/provider/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The header fields that matter, and where they are kept. */
static const struct header_field {
    const char *name;
    size_t offset;
    size_t bytes;
} header_fields[] = {
#define HEADER(name, member)                                                                                           \
    {                                                                                                                  \
        name, offsetof(struct request, member), sizeof(((struct request *)0)->member)                                  \
    }
    HEADER("authorization", authorization),
    HEADER("x-api-key", x_api_key),
    HEADER("x-goog-api-key", x_goog_api_key),
    HEADER("anthropic-version", anthropic_version),
    HEADER("x-standin-tag", tag),
    HEADER("x-request-id", request_id),
    HEADER("x-client-request-id", request_id),
    HEADER("tollgate-request-id", request_id),
    HEADER("expect", expect),
    HEADER("content-type", content_type),
#undef HEADER
};

static void field_append(char *field, size_t field_bytes, const char *bytes, size_t length)
{
    size_t used = strlen(field);
    if (length > field_bytes - 1 - used)
        length = field_bytes - 1 - used;
    memcpy(field + used, bytes, length);
    field[used + length] = '\0';
}

static int on_url(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = llhttp->data;
    field_append(parser->request.target, sizeof parser->request.target, at, length);
    return HPE_OK;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = llhttp->data;
    parser->value = NULL;
    if (parser->field_length + length < sizeof parser->field)
        memcpy(parser->field + parser->field_length, at, length);
    parser->field_length += length;
    return HPE_OK;
}

static int on_header_field_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;
    size_t length = parser->field_length;
    parser->field_length = 0;
    if (length >= sizeof parser->field)
        return HPE_OK;
    for (size_t i = 0; i < sizeof header_fields / sizeof header_fields[0]; i++) {
        const struct header_field *field = &header_fields[i];
        if (strlen(field->name) == length && strncasecmp(field->name, parser->field, length) == 0) {
            parser->value = (char *)&parser->request + field->offset;
            parser->value_bytes = field->bytes;
            parser->value[0] = '\0';
        }
    }
    return HPE_OK;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = llhttp->data;
    if (parser->value)
        field_append(parser->value, parser->value_bytes, at, length);
    return HPE_OK;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;
    struct request *request = &parser->request;
    if (llhttp->content_length > HTTP_BODY_BYTES_MAX)
        return -1;
    if (llhttp->content_length)
        buffer_reserve(&request->body, (size_t)llhttp->content_length);
    request->expects_continue = strcasecmp(request->expect, "100-continue") == 0;
    parser->head_complete = true;
    return 0;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = llhttp->data;
    if (parser->request.body.length + length > HTTP_BODY_BYTES_MAX)
        return -1;
    buffer_append(&parser->request.body, at, length);
    return HPE_OK;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;
    struct request *request = &parser->request;
    request->method = llhttp_get_method(llhttp);
    /* After an upgrade or a HEAD the bytes that follow mean something else: such a connection ends with its answer. */
    request->keep_alive = llhttp_should_keep_alive(llhttp) && !llhttp->upgrade && request->method != HTTP_HEAD;
    char *question = strchr(request->target, '?');
    if (question)
        *question = '\0';
    request->query = question ? question + 1 : request->target + strlen(request->target);
    parser->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_init(struct http_parser *parser)
{
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &settings);
    parser->llhttp.data = parser;
}

void http_next(struct http_parser *parser)
{
    struct buffer body = parser->request.body;
    buffer_reset(&body, 16384);
    /* Every field is a string: the first byte is all that has to be cleared. */
    parser->request.target[0] = '\0';
    for (size_t i = 0; i < sizeof header_fields / sizeof header_fields[0]; i++)
        *((char *)&parser->request + header_fields[i].offset) = '\0';
    parser->request.expects_continue = false;
    parser->request.body = body;
    parser->complete = false;
    parser->head_complete = false;
}

void http_done(struct http_parser *parser)
{
    buffer_free(&parser->request.body);
}

bool http_is_idle(const struct http_parser *parser)
{
    return !parser->request.target[0];
}

enum http_result http_feed(struct http_parser *parser, const char *bytes, size_t length, size_t *ret_taken)
{
    bool had_head = parser->head_complete;
    /* The pause stays pending when the message ended on the last byte of a buffer (llhttp 8.1). */
    if (llhttp_get_errno(&parser->llhttp) == HPE_PAUSED)
        llhttp_resume(&parser->llhttp);
    llhttp_errno_t result = llhttp_execute(&parser->llhttp, bytes, length);
    if (parser->complete) {
        const char *end = result == HPE_PAUSED ? llhttp_get_error_pos(&parser->llhttp) : bytes + length;
        *ret_taken = (size_t)(end - bytes);
        return HTTP_COMPLETE;
    }
    *ret_taken = length;
    if (result != HPE_OK)
        return HTTP_BAD;
    return !had_head && parser->head_complete && parser->request.expects_continue ? HTTP_CONTINUE : HTTP_MORE;
}
