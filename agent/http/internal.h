/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of http/ share: the head (head.c), the chunked coding (chunked.c) and the character classes (field.c).
 * Included by agent/http only.
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "http/http.h"

/* Why a message is refused: `problem` is a fixed text. */
struct http_fault {
    enum error error;
    const char *problem;
};

static inline bool http_fail(struct http_fault *fault, enum error error, const char *problem)
{
    *fault = (struct http_fault){error, problem};
    return false;
}

/* Where the search for the head's end stands: it only ever looks at whole lines, so that what it finds does not depend
 * on how the bytes were cut. */
struct head_search {
    size_t start;      /* of the request line: 2 after a leading empty line (RFC 9112 2.2) */
    size_t line_start; /* of the line that is not complete yet */
    size_t line_count; /* complete lines, request line included */
};
/* Goes on in `head`, the bytes of the message so far. DONE: *ret_length bytes are the head, its blank line included.
 * ERROR: *ret_fault. */
enum http_parse http_head_search(struct head_search *search, const struct http_limits *limits, struct slice head,
                                 size_t *ret_length, struct http_fault *ret_fault);

/* How the body is delimited. */
struct http_framing {
    bool is_chunked;
    uint64_t content_length;
};
/* Reads a whole head whose bytes live in `arena`; the request points into them. */
bool http_parse_head(struct slice head, size_t field_count, bool takes_any_port, struct arena *arena,
                     struct http_request *ret_request, struct http_framing *ret_framing, struct http_fault *ret_fault);

/* The chunked coding, byte by byte (RFC 9112 7.1). */
struct chunked {
    enum {
        CHUNK_SIZE,
        CHUNK_EXTENSION,
        CHUNK_SIZE_LF,
        CHUNK_DATA,
        CHUNK_DATA_CR,
        CHUNK_DATA_LF,
        CHUNK_END_CR,
        CHUNK_END_LF,
        CHUNK_DONE
    } state;
    unsigned digit_count;
    size_t extension_bytes; /* of the whole message */
    uint64_t remaining;     /* of the chunk */
};
/* Appends decoded bytes to `body`. *ret_used: all, or up to the end of the message (state CHUNK_DONE). */
bool http_chunked_feed(struct chunked *chunked, struct slice bytes, struct buffer *body, size_t *ret_used,
                       struct http_fault *ret_fault);

/* RFC 9110 5.6.2: tchar. */
bool http_is_token(struct slice text);
/* Is `token` an element of the comma-separated list, case-insensitively? */
bool http_list_has(struct slice list, const char *token);

#endif
