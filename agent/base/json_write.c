/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON into a buffer that is large enough by construction. What is written is valid whatever the text. */
#include "base/check.h"
#include "base/json_internal.h"

static char *room(struct buffer *buffer, size_t bytes)
{
    char *at = buffer_reserve(buffer, bytes);
    check(at != NULL);
    return at;
}

static void put(struct buffer *buffer, struct slice bytes)
{
    if (bytes.length)
        memcpy(room(buffer, bytes.length), bytes.data, bytes.length);
    buffer->end += bytes.length;
}

void json_write_raw(struct buffer *buffer, const char *text)
{
    put(buffer, slice_of(text));
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

/* Most texts are plain: looked at by eight bytes, copied at once. */
static bool is_plain(struct slice text)
{
    size_t at = 0;
    for (uint64_t word; at + sizeof word <= text.length; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        if (!is_plain_word(word))
            return false;
    }
    while (at < text.length && is_plain_byte((unsigned char)text.data[at]))
        at++;
    return at == text.length;
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
            put(buffer, (struct slice){plain, (size_t)(at - plain)});
            if (length)
                put_escape(buffer, c);
            else
                json_write_raw(buffer, "\xef\xbf\xbd");
            plain = at + 1;
        }
        at += length ? length : 1;
    }
    put(buffer, (struct slice){plain, (size_t)(at - plain)});
    json_write_raw(buffer, "\"");
}

void json_write_string(struct buffer *buffer, struct slice text)
{
    if (!is_plain(text)) {
        put_escaped(buffer, text);
        return;
    }
    char *at = room(buffer, text.length + 2);
    *at++ = '"';
    if (text.length)
        memcpy(at, text.data, text.length);
    at[text.length] = '"';
    buffer->end += text.length + 2;
}

/* ---- members ---- */

void json_write_member(struct buffer *buffer, const char *name)
{
    char last = buffer_length(buffer) ? buffer->data[buffer->end - 1] : '{';
    if (last != '{' && last != '[')
        put(buffer, SLICE_LITERAL(","));
    json_write_string(buffer, slice_of(name));
    put(buffer, SLICE_LITERAL(":"));
}

void json_write_member_string(struct buffer *buffer, const char *name, const char *text)
{
    json_write_member(buffer, name);
    if (text)
        json_write_string(buffer, slice_of(text));
    else
        json_write_raw(buffer, "null");
}

enum { INTEGER_TEXT_MAX = 20 };

static struct slice format_integer(int64_t value, char digits[INTEGER_TEXT_MAX])
{
    char *at = digits + INTEGER_TEXT_MAX;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    return (struct slice){at, (size_t)(digits + INTEGER_TEXT_MAX - at)};
}

void json_write_member_integer(struct buffer *buffer, const char *name, int64_t value)
{
    json_write_member(buffer, name);
    char digits[INTEGER_TEXT_MAX];
    put(buffer, format_integer(value, digits));
}

void json_write_member_boolean(struct buffer *buffer, const char *name, bool value)
{
    json_write_member(buffer, name);
    json_write_raw(buffer, value ? "true" : "false");
}

void json_write_member_money(struct buffer *buffer, const char *name, struct money money)
{
    char text[MONEY_TEXT_MAX];
    json_write_member_string(buffer, name, money_format(money, text));
}
