/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunked transfer coding of a request's body (RFC 9112 7.1). Our own, not llhttp's: llhttp 8.1 takes a bare LF for
 * the line that ends the message, and bounds neither extensions nor trailers. Here extensions are skipped up to a bound
 * per message, and trailers are refused. Called by parser.c.
 */
#include "base/check.h"
#include "http/internal.h"

enum { DIGITS_MAX = 15 /* leading zeros included: fits in 64 bits */, EXTENSION_BYTES_MAX = 1024 };

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_size_byte(struct chunked *chunked, unsigned char c, const struct buffer *body,
                           struct http_fault *fault)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (++chunked->digit_count > DIGITS_MAX)
            return http_fail(fault, ERROR_HTTP_MALFORMED, "a chunk size has too many digits");
        chunked->remaining = chunked->remaining * 16 + (unsigned)digit;
        return true;
    }
    if (chunked->digit_count == 0)
        return http_fail(fault, ERROR_HTTP_MALFORMED, "a chunk has no size");
    if (chunked->remaining > body->bytes_max - buffer_length(body))
        return http_fail(fault, ERROR_HTTP_BODY_TOO_LARGE, "the body exceeds its limit");
    if (c != ';' && c != '\r')
        return http_fail(fault, ERROR_HTTP_MALFORMED, "a chunk size is followed by something else");
    chunked->state = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return true;
}

static bool take_extension_byte(struct chunked *chunked, unsigned char c, struct http_fault *fault)
{
    if (c == '\r')
        chunked->state = CHUNK_SIZE_LF;
    else if ((c < 0x20 && c != '\t') || c == 0x7f)
        return http_fail(fault, ERROR_HTTP_MALFORMED, "a control character in a chunk extension");
    else if (++chunked->extension_bytes > EXTENSION_BYTES_MAX)
        return http_fail(fault, ERROR_HTTP_MALFORMED, "chunk extensions exceed their limit");
    return true;
}

/* The states that admit exactly one byte. */
static bool take_fixed_byte(struct chunked *chunked, unsigned char c, struct http_fault *fault)
{
    switch (chunked->state) {
    case CHUNK_SIZE_LF:
        chunked->state = chunked->remaining ? CHUNK_DATA : CHUNK_END_CR;
        return c == '\n' || http_fail(fault, ERROR_HTTP_MALFORMED, "a chunk size does not end in CRLF");
    case CHUNK_DATA_CR:
        chunked->state = CHUNK_DATA_LF;
        return c == '\r' || http_fail(fault, ERROR_HTTP_MALFORMED, "a chunk is longer than its size");
    case CHUNK_DATA_LF:
        chunked->state = CHUNK_SIZE;
        chunked->digit_count = 0;
        return c == '\n' || http_fail(fault, ERROR_HTTP_MALFORMED, "a chunk does not end in CRLF");
    case CHUNK_END_CR:
        chunked->state = CHUNK_END_LF;
        return c == '\r' || http_fail(fault, ERROR_HTTP_MALFORMED, "trailers are not supported");
    default: /* CHUNK_END_LF */
        chunked->state = CHUNK_DONE;
        return c == '\n' || http_fail(fault, ERROR_HTTP_MALFORMED, "the last chunk does not end in CRLF");
    }
}

static size_t take_data(struct chunked *chunked, struct slice bytes, struct buffer *body)
{
    size_t length = bytes.length < chunked->remaining ? bytes.length : (size_t)chunked->remaining;
    check(buffer_append(body, (struct slice){bytes.data, length})); /* the size was compared with the bound */
    chunked->remaining -= length;
    if (chunked->remaining == 0)
        chunked->state = CHUNK_DATA_CR;
    return length;
}

bool http_chunked_feed(struct chunked *chunked, struct slice bytes, struct buffer *body, size_t *ret_used,
                       struct http_fault *ret_fault)
{
    size_t used = 0;
    bool is_valid = true;
    while (is_valid && used < bytes.length && chunked->state != CHUNK_DONE) {
        if (chunked->state == CHUNK_DATA) {
            used += take_data(chunked, slice_from(bytes, used), body);
            continue;
        }
        unsigned char c = (unsigned char)bytes.data[used++];
        if (chunked->state == CHUNK_SIZE)
            is_valid = take_size_byte(chunked, c, body, ret_fault);
        else if (chunked->state == CHUNK_EXTENSION)
            is_valid = take_extension_byte(chunked, c, ret_fault);
        else
            is_valid = take_fixed_byte(chunked, c, ret_fault);
    }
    *ret_used = used;
    return is_valid;
}
