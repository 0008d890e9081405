/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/1.1 request at a time from the bytes of a connection, through llhttp (strict). Called by connection.c.
 * Keeps only the header fields that the stand-in looks at, in bounded fields; the body whole, up to a limit.
 */
#ifndef TESTS_PROVIDER_HTTP_H
#define TESTS_PROVIDER_HTTP_H

#include "tests/provider/buffer.h"

#include <llhttp/llhttp.h>
#include <stdbool.h>
#include <stdint.h>

#define HTTP_BODY_BYTES_MAX (64u << 20)

struct request {
    uint8_t method; /* llhttp_method_t */
    bool keep_alive;
    bool expects_continue;
    char *query; /* inside target, after the '?'; "" when there is none */
    char target[1024];
    char authorization[512];
    char x_api_key[512];
    char x_goog_api_key[512];
    char anthropic_version[32];
    char tag[80];
    char request_id[80];
    char expect[16];
    char content_type[256];
    struct buffer body;
};

enum http_result {
    HTTP_MORE,     /* all bytes taken, the request is not complete */
    HTTP_CONTINUE, /* as HTTP_MORE, and the client waits for a 100 */
    HTTP_COMPLETE, /* request is whole; *ret_taken bytes belong to it */
    HTTP_BAD,      /* answer 400 and close */
};

struct http_parser {
    llhttp_t llhttp;
    struct request request;
    bool complete;
    bool head_complete;
    char field[48];
    size_t field_length;
    char *value; /* where the current header's value goes; NULL: nobody looks at it */
    size_t value_bytes;
};

void http_init(struct http_parser *parser);
/* Forgets the request and gets ready for the next one of the connection. */
void http_next(struct http_parser *parser);
void http_done(struct http_parser *parser);
/* Feeds bytes; *ret_taken is how many belong to this request. */
enum http_result http_feed(struct http_parser *parser, const char *bytes, size_t length, size_t *ret_taken);
bool http_is_idle(const struct http_parser *parser);

#endif
