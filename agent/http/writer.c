/* SPDX-License-Identifier: Apache-2.0 */
/* Writing messages: heads and chunks, every field checked, so that nobody's CR or LF becomes a line of its own. */
#include "http/internal.h"

/* RFC 9110 15 and the registry; 529 is Anthropic's "overloaded". */
static const char *const reasons[] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [507] = "Insufficient Storage",
    [511] = "Network Authentication Required",
    [529] = "Overloaded",
};

const char *http_reason(int status)
{
    bool is_known = status >= 0 && (size_t)status < sizeof reasons / sizeof *reasons && reasons[status];
    return is_known ? reasons[status] : "Unknown";
}

static char *put(char *at, struct slice bytes)
{
    if (bytes.length)
        memcpy(at, bytes.data, bytes.length);
    return at + bytes.length;
}

bool http_write_head(struct buffer *buffer, int status, const struct http_field *fields, size_t count)
{
    struct slice reason = slice_of(http_reason(status));
    size_t bytes = strlen("HTTP/1.1 200 ") + reason.length + strlen("\r\n\r\n");
    if (status < 100 || status > 999)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!http_field_is_valid(fields[i].name, fields[i].value))
            return false;
        bytes += fields[i].name.length + strlen(": \r\n") + fields[i].value.length;
    }
    char *at = buffer_reserve(buffer, bytes);
    if (!at)
        return false;
    at = put(at, SLICE_LITERAL("HTTP/1.1 "));
    *at++ = (char)('0' + status / 100);
    *at++ = (char)('0' + status / 10 % 10);
    *at++ = (char)('0' + status % 10);
    *at++ = ' ';
    at = put(at, reason);
    for (size_t i = 0; i < count; i++) {
        at = put(at, SLICE_LITERAL("\r\n"));
        at = put(at, fields[i].name);
        at = put(at, SLICE_LITERAL(": "));
        at = put(at, fields[i].value);
    }
    put(at, SLICE_LITERAL("\r\n\r\n"));
    buffer_commit(buffer, bytes);
    return true;
}

bool http_write_chunk(struct buffer *buffer, struct slice bytes)
{
    if (bytes.length == 0)
        return buffer_append(buffer, SLICE_LITERAL("0\r\n\r\n"));
    char size[2 * sizeof bytes.length], *digit = size + sizeof size;
    for (size_t rest = bytes.length; rest; rest >>= 4)
        *--digit = "0123456789abcdef"[rest & 15];
    struct slice hex = {digit, (size_t)(size + sizeof size - digit)};
    size_t total = hex.length + 2 + bytes.length + 2;
    char *at = buffer_reserve(buffer, total);
    if (!at)
        return false;
    at = put(put(at, hex), SLICE_LITERAL("\r\n"));
    put(put(at, bytes), SLICE_LITERAL("\r\n"));
    buffer_commit(buffer, total);
    return true;
}
