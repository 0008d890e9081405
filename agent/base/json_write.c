/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON into a buffer that is large enough by construction. What is written is valid whatever the text. */
#include "base/check.h"
#include "base/format.h"
#include "base/json_internal.h"

static char *room(struct buffer *buffer, size_t bytes)
{
    char *at = buffer_reserve(buffer, bytes);
    check(at != NULL);
    return at;
}

static void put_byte(struct buffer *buffer, char byte)
{
    *room(buffer, 1) = byte;
    buffer->end++;
}

void json_write_bytes(struct buffer *buffer, struct slice json)
{
    if (json.length)
        memcpy(room(buffer, json.length), json.data, json.length);
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

static bool is_plain_byte(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Most texts are plain: looked at and copied by eight bytes, the last eight of which may overlap those before. Returns
 * the end of the copy, NULL when a byte is not plain. */
static char *copy_plain(char *to, struct slice text)
{
    uint64_t word;
    char *end = to + text.length;
    if (text.length < sizeof word) {
        for (size_t i = 0; i < text.length; i++)
            if (!is_plain_byte((unsigned char)(to[i] = text.data[i])))
                return NULL;
        return end;
    }
    for (size_t i = 0; i + sizeof word <= text.length; i += sizeof word) {
        memcpy(&word, text.data + i, sizeof word);
        if (!is_plain_word(word))
            return NULL;
        memcpy(to + i, &word, sizeof word);
    }
    memcpy(&word, text.data + text.length - sizeof word, sizeof word);
    memcpy(end - sizeof word, &word, sizeof word);
    return is_plain_word(word) ? end : NULL;
}

static void put_escape(struct buffer *buffer, unsigned char c)
{
    static const char *const names[] = {['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
                                        ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    if (c < sizeof names / sizeof *names && names[c])
        json_write_raw(buffer, names[c]);
    else
        check(buffer_append_format(buffer, "\\u%04x", c));
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
    if (last != '{' && last != '[')
        put_byte(buffer, ',');
    json_write_string(buffer, name);
    put_byte(buffer, ':');
}
