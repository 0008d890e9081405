/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON into a buffer that is large enough by construction, or forgives. What is written is valid whatever the
 * text. */
#include "base/check.h"
#include "base/format.h"
#include "base/json_internal.h"

#include <stdio.h>

/* NULL: of a buffer that forgives. */
static char *room(struct buffer *buffer, size_t bytes)
{
    char *at = buffer_reserve(buffer, bytes);
    if (!at) {
        check(buffer->may_overflow);
        buffer->has_overflowed = true;
    }
    return at;
}

void json_write_bytes(struct buffer *buffer, struct slice json)
{
    char *at = json.length ? room(buffer, json.length) : NULL;
    if (!at)
        return;
    memcpy(at, json.data, json.length);
    buffer->end += json.length;
}

/* ---- strings ---- */

/* Does a byte need a second look: a control, a quote, a backslash, or not ASCII? A borrow only comes from such a byte.
 */
static bool is_plain_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t quote = word ^ ('"' * ones), backslash = word ^ ('\\' * ones);
    return ((word | (word - 0x20 * ones) | (quote - ones) | (backslash - ones)) & 0x80 * ones) == 0;
}

static uint64_t load(const char *from, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, from, bytes);
    return word;
}

/* Fewer than eight bytes, some of them twice. */
static char *copy_short(char *to, struct slice text)
{
    if (text.length == 0)
        return to;
    const char *from = text.data, *last = text.data + text.length - 1;
    uint64_t word;
    if (text.length >= 4) {
        memcpy(to, from, 4);
        memcpy(to + text.length - 4, last - 3, 4);
        word = load(from, 4) | load(last - 3, 4) << 32;
    } else {
        size_t middle = text.length / 2;
        word = 0x2020202020000000u | (unsigned char)*from | (uint64_t)(unsigned char)from[middle] << 8 |
               (uint64_t)(unsigned char)*last << 16;
        to[0] = *from;
        to[middle] = from[middle];
        to[text.length - 1] = *last;
    }
    return is_plain_word(word) ? to + text.length : NULL;
}

/* Most texts are plain: looked at and copied by eight bytes, the last eight of which may overlap those before. Returns
 * the end of the copy, NULL when a byte is not plain. */
static char *copy_plain(char *to, struct slice text)
{
    enum { WORD = sizeof(uint64_t) };
    if (text.length < WORD)
        return copy_short(to, text);
    for (size_t i = 0;; i = i + 2 * WORD <= text.length ? i + WORD : text.length - WORD) {
        uint64_t word = load(text.data + i, WORD);
        if (!is_plain_word(word))
            return NULL;
        memcpy(to + i, &word, WORD);
        if (i + WORD == text.length)
            return to + text.length;
    }
}

static void put_escape(struct buffer *buffer, unsigned char c)
{
    static const char *const names[] = {['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
                                        ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    char code[sizeof "\\u0000"];
    snprintf(code, sizeof code, "\\u%04x", c);
    json_write_raw(buffer, c < sizeof names / sizeof *names && names[c] ? names[c] : code);
}

static void put_escaped(struct buffer *buffer, struct slice text)
{
    const char *at = text.data, *end = text.data + text.length, *plain = at;
    json_write_raw(buffer, "\"");
    while (at < end) {
        unsigned char c = (unsigned char)*at;
        size_t length = c < 0x80 ? 1 : json_utf8_length(at, end);
        bool is_plain = length > 0 && c >= 0x20 && c != '"' && c != '\\';
        if (!is_plain) {
            json_write_bytes(buffer, (struct slice){plain, (size_t)(at - plain)});
            if (length)
                put_escape(buffer, c);
            else
                json_write_raw(buffer, "\xef\xbf\xbd");
            plain = at + 1;
        }
        at += length ? length : 1;
    }
    json_write_bytes(buffer, (struct slice){plain, (size_t)(at - plain)});
    json_write_raw(buffer, "\"");
}

void json_write_string(struct buffer *buffer, struct slice text)
{
    char *at = room(buffer, text.length + 2);
    if (!at)
        return;
    char *end = copy_plain(at + 1, text);
    if (!end) {
        put_escaped(buffer, text);
        return;
    }
    *at = *end = '"';
    buffer->end += text.length + 2;
}

void json_write_text(struct buffer *buffer, const char *text)
{
    if (text)
        json_write_string(buffer, slice_of(text));
    else
        json_write_bytes(buffer, SLICE_LITERAL("null"));
}

void json_write_integer(struct buffer *buffer, int64_t value)
{
    char digits[FORMAT_INTEGER_MAX];
    json_write_bytes(buffer, format_integer(value, digits));
}

void json_write_name(struct buffer *buffer, struct slice name)
{
    char last = buffer_length(buffer) ? buffer->data[buffer->end - 1] : '{';
    char *start = room(buffer, name.length + strlen(",\"\":")), *at = start;
    if (!start)
        return;
    if (last != '{' && last != '[')
        *at++ = ',';
    char *end = copy_plain(at + 1, name);
    if (end) {
        *at = *end++ = '"';
        *end++ = ':';
        buffer->end += (size_t)(end - start);
        return;
    }
    buffer->end += (size_t)(at - start);
    put_escaped(buffer, name);
    json_write_bytes(buffer, SLICE_LITERAL(":"));
}
