/* SPDX-License-Identifier: Apache-2.0 */
/* Field names and values: what is legal, what is forwarded. Used by the parser, the writer and upstream/. No I/O. */
#include "http/internal.h"

/* RFC 9110 5.6.2: "!#$%&'*+-.^_`|~", digits and letters. */
static const bool is_token_char[256] = {
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true,
    ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true,  ['~'] = true, ['0'] = true,
    ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true,  ['7'] = true, ['8'] = true,
    ['9'] = true, ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true, ['E'] = true,  ['F'] = true, ['G'] = true,
    ['H'] = true, ['I'] = true, ['J'] = true, ['K'] = true, ['L'] = true, ['M'] = true,  ['N'] = true, ['O'] = true,
    ['P'] = true, ['Q'] = true, ['R'] = true, ['S'] = true, ['T'] = true, ['U'] = true,  ['V'] = true, ['W'] = true,
    ['X'] = true, ['Y'] = true, ['Z'] = true, ['a'] = true, ['b'] = true, ['c'] = true,  ['d'] = true, ['e'] = true,
    ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true, ['j'] = true, ['k'] = true,  ['l'] = true, ['m'] = true,
    ['n'] = true, ['o'] = true, ['p'] = true, ['q'] = true, ['r'] = true, ['s'] = true,  ['t'] = true, ['u'] = true,
    ['v'] = true, ['w'] = true, ['x'] = true, ['y'] = true, ['z'] = true,
};

/* RFC 9110 7.6.1, with those that only old proxies and the h2c upgrade use; and Expect, which we answer ourselves. */
static const char *const hop_by_hop[] = {
    "connection", "keep-alive",     "proxy-connection",    "te",
    "trailer",    "upgrade",        "transfer-encoding",   "proxy-authenticate",
    "expect",     "http2-settings", "proxy-authorization",
};

bool http_is_token(struct slice text)
{
    bool is_valid = text.length > 0;
    for (size_t i = 0; i < text.length; i++)
        is_valid &= is_token_char[(unsigned char)text.data[i]];
    return is_valid;
}

bool http_field_is_named(struct slice name, const char *row)
{
    size_t length = strlen(row);
    if (row[length - 1] != '-')
        return slice_is_like(name, row);
    return name.length > length && strncasecmp(name.data, row, length) == 0;
}

bool http_list_has(struct slice list, const char *token)
{
    while (list.length) {
        const char *comma = memchr(list.data, ',', list.length);
        size_t length = comma ? (size_t)(comma - list.data) : list.length;
        if (slice_is_like(slice_trim((struct slice){list.data, length}), token))
            return true;
        list = slice_from(list, comma ? length + 1 : length);
    }
    return false;
}

/* RFC 9110 5.5: visible characters, space, tab and bytes above 0x7f; no space at the ends once parsed. */
static bool value_is_valid(struct slice value)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;
    bool is_valid = true;
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= value.length; i += sizeof word) {
        memcpy(&word, value.data + i, sizeof word);
        uint64_t delete = word ^ (0x7f * ones);
        if (((word - 0x20 * ones) | (delete - ones)) & ~word & high)
            break; /* a control, perhaps a tab */
    }
    for (; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        is_valid &= (c >= 0x20 && c != 0x7f) || c == '\t';
    }
    return is_valid;
}

bool http_field_is_valid(struct slice name, struct slice value)
{
    return http_is_token(name) && value_is_valid(value);
}

struct slice http_find_field(const struct http_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is_like(fields[i].name, name))
            return fields[i].value;
    return (struct slice){NULL, 0};
}

bool http_field_is_hop_by_hop(struct slice name, struct slice connection_value)
{
    for (size_t i = 0; i < sizeof hop_by_hop / sizeof *hop_by_hop; i++)
        if (slice_is_like(name, hop_by_hop[i]))
            return true;
    if (connection_value.length == 0 || name.length == 0 || name.length >= 256)
        return false;
    char text[256];
    memcpy(text, name.data, name.length);
    text[name.length] = '\0';
    return http_list_has(connection_value, text);
}
