/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 messages: bytes in, messages out, and back. No I/O, no policy. Strict as wire.md says (RFC 9112): what could
 * be understood in two ways is refused. llhttp (strict mode) reads the head, our own checks and chunk reader the rest.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

struct http_field {
    struct slice name, value;
};

/* A parsed request; slices point into its arena. */
struct http_request {
    struct slice method;       /* GET, POST … (upper case as sent) */
    struct slice path;         /* up to '?', as sent */
    struct slice query;        /* after '?', without it; empty when none */
    struct slice host;         /* lower case, without port */
    struct http_field *fields; /* all, in order */
    size_t field_count;
    struct slice body;   /* whole; never NULL data */
    bool is_keepalive;   /* HTTP/1.1 without Connection: close */
    bool takes_chunks;   /* HTTP/1.1: its answer may have a Transfer-Encoding (RFC 9112 6.1) */
    bool wants_continue; /* Expect: 100-continue, and a body follows */
    bool is_upgrade;     /* to websocket (others are ignored); the message ends with its head */
};

struct http_limits {
    uint32_t head_bytes_max;         /* request line, fields and the blank line */
    uint32_t request_line_bytes_max; /* without its CRLF */
    uint32_t fields_max, body_bytes_max;
    bool takes_any_port; /* of the Host, which the caller looks at; else 443 or none */
};

/* First field of that name (case-insensitive); empty data==NULL slice when absent. */
struct slice http_find_field(const struct http_field *fields, size_t count, const char *name);

struct http_parser;
struct http_parser *http_parser_new(const struct http_limits *limits);
void http_parser_free(struct http_parser *parser);
enum http_parse {
    HTTP_PARSE_MORE, /* all bytes were taken, more are needed */
    HTTP_PARSE_HEAD, /* the head is complete and a body follows: reported once (time to answer 100 Continue) */
    HTTP_PARSE_DONE,
    HTTP_PARSE_ERROR
};
/* Feeds bytes; *ret_used says how many were taken (all of them unless DONE/ERROR/HEAD: the rest belongs to what comes
 * next). The message is built in `arena`, the same for all feeds of a message. A body of known length is copied once,
 * into one allocation made with its first byte. On ERROR *ret_error is HTTP_MALFORMED, HTTP_HEAD_TOO_LARGE or
 * HTTP_BODY_TOO_LARGE, `http_parser_problem` says what (a fixed text, nothing of the client's), and the connection is
 * to be closed. The verdict does not depend on how bytes are cut. After DONE: http_parser_reset first. */
enum http_parse http_parser_feed(struct http_parser *parser, struct arena *arena, struct slice bytes, size_t *ret_used,
                                 enum error *ret_error) MUST_USE;
const char *http_parser_problem(const struct http_parser *parser);
/* The message of the last DONE (or head of HEAD). Valid as long as the arena. */
struct http_request *http_parser_request(struct http_parser *parser);
/* True when not one byte of a next request has arrived (an idle keep-alive connection may be closed silently). */
bool http_parser_is_idle(const struct http_parser *parser);
/* Ready for the next message. */
void http_parser_reset(struct http_parser *parser);

/* ---- browser.c: ports of 127.0.0.1, which every browser reaches ---- */
/* What only a browser sends: a fixed text; NULL: nothing of it. */
const char *http_find_browser(const struct http_request *request);
/* Is Host 127.0.0.1:PORT or localhost:PORT? A page whose name was made to resolve to 127.0.0.1 (DNS rebinding) says
 * that name. */
bool http_is_loopback_host(const struct http_request *request, unsigned port);

/* ---- writing ---- */
const char *http_reason(int status); /* "Unknown" for what is not in the registry */
/* Appends "HTTP/1.1 200 OK\r\n" + fields + blank line. False (nothing appended) for a status that has not three digits,
 * a bad field, or a full buffer. */
bool http_write_head(struct buffer *buffer, int status, const struct http_field *fields, size_t count) MUST_USE;
/* Case-insensitive; a last '-' of `row` stands for any ending. */
bool http_field_is_named(struct slice name, const char *row);
/* A token, and a value without control characters other than tab (RFC 9110 5.5): no CR, LF or NUL. */
bool http_field_is_valid(struct slice name, struct slice value);
/* Chunked framing of one piece (empty: the last chunk). */
bool http_write_chunk(struct buffer *buffer, struct slice bytes) MUST_USE;
/* Hop-by-hop fields (RFC 9110 7.6.1), Expect, and those named in Connection: not forwarded. */
bool http_field_is_hop_by_hop(struct slice name, struct slice connection_value);

/* ---- server-sent events (WHATWG HTML 9.2) ---- */
/* Splits a byte stream at event boundaries (LF, CRLF or CR) without copying when a chunk holds whole events. */
struct sse_splitter {
    struct buffer pending; /* an event's beginning, bounded */
    bool is_line_start;    /* the next line end ends the event */
    bool skip_lf;          /* the last chunk ended in CR: an LF that follows is its second half */
    bool has_late_lf;      /* the event in hand begins with that LF, which belongs to the one before */
    bool is_skipping;      /* inside an event that exceeds the bound */
};
void sse_splitter_init(struct sse_splitter *splitter, size_t event_bytes_max);
void sse_splitter_done(struct sse_splitter *splitter);
typedef void sse_visit(void *context, struct slice raw_event);
/* Calls `visit` with each complete event's raw bytes (its blank line included; all raw bytes in a row are the stream).
 * An event that exceeds the bound is skipped up to its end; every feed that meets or ends one returns false, after
 * having visited the others. */
bool sse_splitter_feed(struct sse_splitter *splitter, struct slice bytes, sse_visit *visit, void *context) MUST_USE;
/* What is pending (an unterminated event at the end of the stream). */
struct slice sse_splitter_rest(const struct sse_splitter *splitter);
/* The data of an event: its `data:` lines joined with LF into `arena` unless it is one line (then a slice of raw); and
 * its `event:` name (empty when none). False: a line is neither a field of the standard nor a comment; clients skip it,
 * but whoever wrote it meant something else. */
bool sse_parse_event(struct slice raw_event, struct arena *arena, struct slice *ret_name, struct slice *ret_data);

#endif
