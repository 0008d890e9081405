/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON into a buffer that is large enough by construction. What is written is valid whatever the text. */
#include "base/check.h"
#include "base/json_internal.h"

static void put(struct buffer *buffer, struct slice bytes)
{
    check(buffer_append(buffer, bytes));
}

void json_write_raw(struct buffer *buffer, const char *text)
{
    put(buffer, slice_of(text));
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

void json_write_string(struct buffer *buffer, struct slice text)
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

void json_write_member(struct buffer *buffer, const char *name)
{
    struct slice before = buffer_contents(buffer);
    char last = before.length ? before.data[before.length - 1] : '{';
    if (last != '{' && last != '[')
        json_write_raw(buffer, ",");
    json_write_string(buffer, slice_of(name));
    json_write_raw(buffer, ":");
}

void json_write_member_string(struct buffer *buffer, const char *name, const char *text)
{
    json_write_member(buffer, name);
    if (text)
        json_write_string(buffer, slice_of(text));
    else
        json_write_raw(buffer, "null");
}

void json_write_member_integer(struct buffer *buffer, const char *name, int64_t value)
{
    json_write_member(buffer, name);
    check(buffer_append_format(buffer, "%lld", (long long)value));
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
