/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a string reads: decoded once, as JSON has it, and as it may be read besides. What a program gives to a tool, and
 * what tools give back, is JSON in a string of JSON, so in the decoded text an address can follow the two characters
 * \n, or have its @ as \u0040; full-width letters, dashes and spaces of Unicode read like those of ASCII, and
 * characters without width like nothing. Detectors, keywords and patterns look at each of these views. Called by text.c
 * and finding.c, which finds the places of a view in the decoded text again by walking it in the same units.
 */
#include "policy/internal.h"

#include "base/json.h"

#include <string.h>

enum { CODE_NOTHING = 0x110000 /* beyond Unicode */, CODE_REPLACEMENT = 0xfffd };

static bool read_hex4(struct slice text, size_t at, unsigned *ret_value)
{
    unsigned value = 0;
    for (unsigned i = 0; i < 4; i++) {
        char c = detect_byte(text, at + i), lower = (char)(c | 0x20);
        if (!detect_is_digit(c) && !(lower >= 'a' && lower <= 'f'))
            return false;
        value = value << 4 | (unsigned)(detect_is_digit(c) ? c - '0' : lower - 'a' + 10);
    }
    *ret_value = value;
    return true;
}

static bool is_high_surrogate(unsigned code)
{
    return code >= 0xd800 && code < 0xdc00;
}

static bool is_low_surrogate(unsigned code)
{
    return code >= 0xdc00 && code < 0xe000;
}

static unsigned join_surrogates(unsigned high, unsigned low)
{
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* What \n and its like stand for; NUL: no such escape. */
static char unescape(char letter)
{
    static const char escapes[] = "b\bf\fn\nr\rt\t\"\"//";
    for (size_t i = 0; escapes[i]; i += 2)
        if (escapes[i] == letter)
            return escapes[i + 1];
    return '\0';
}

/* ---- the string of a body ---- */

/* RFC 8259, section 7. json_scan has found the string valid: a high surrogate has its low one. */
size_t policy_decode_one(struct slice raw, size_t at, char ret_utf8[4], size_t *ret_bytes)
{
    enum { ESCAPE = 6, PAIR = 12 };
    unsigned code, low;
    char next = detect_byte(raw, at + 1);
    *ret_bytes = 1;
    ret_utf8[0] = raw.data[at];
    if (raw.data[at] != '\\')
        return 1;
    if (next != 'u' || !read_hex4(raw, at + 2, &code)) {
        ret_utf8[0] = next == '\\' ? next : unescape(next);
        return 2;
    }
    bool is_pair = is_high_surrogate(code) && read_hex4(raw, at + ESCAPE + 2, &low);
    *ret_bytes = json_encode_utf8(is_pair ? join_surrogates(code, low) : code, ret_utf8);
    return is_pair ? PAIR : ESCAPE;
}

struct slice policy_decode(struct slice raw, struct arena *arena)
{
    if (!raw.length || !memchr(raw.data, '\\', raw.length))
        return raw;
    char *text = arena_alloc(arena, raw.length), utf8[4];
    size_t length = 0, bytes = 0;
    for (size_t at = 0; at < raw.length; length += bytes) {
        at += policy_decode_one(raw, at, utf8, &bytes);
        memcpy(text + length, utf8, bytes);
    }
    return (struct slice){text, length};
}

/* ---- views ---- */

/* The ASCII that a character reads like; joined: nothing instead of those without width. */
static unsigned read_like(unsigned code, enum policy_view view)
{
    static const struct {
        unsigned from, to, like; /* of the first; CODE_NOTHING: of all */
        bool is_row;             /* the next ones are like the next ones */
    } rows[] = {
        {0xa0, 0xa0, ' ', false},          /* no-break space */
        {0xad, 0xad, CODE_NOTHING, false}, /* soft hyphen */
        {0x180e, 0x180e, CODE_NOTHING, false},
        {0x2000, 0x200a, ' ', false}, /* thin and other spaces */
        {0x200b, 0x200f, CODE_NOTHING, false} /* zero width, directions */,
        {0x2010, 0x2015, '-', false}, /* hyphens, dashes */
        {0x202a, 0x202e, CODE_NOTHING, false},
        {0x202f, 0x202f, ' ', false},
        {0x205f, 0x205f, ' ', false},
        {0x2060, 0x2064, CODE_NOTHING, false},
        {0x2212, 0x2212, '-', false}, /* minus */
        {0x3000, 0x3000, ' ', false}, /* of ideographs */
        {0xfe6b, 0xfe6b, '@', false},
        {0xfeff, 0xfeff, CODE_NOTHING, false},
        {0xff01, 0xff5e, '!', true}, /* full width */
    };
    for (size_t i = 0; code >= rows[0].from && i < sizeof rows / sizeof *rows; i++) {
        if (code < rows[i].from || code > rows[i].to)
            continue;
        if (rows[i].like == CODE_NOTHING)
            return view == VIEW_JOINED ? CODE_NOTHING : code;
        return rows[i].like + (rows[i].is_row ? code - rows[i].from : 0);
    }
    return code;
}

/* Behind a run of backslashes, the later ones of which may be written \u005c. */
static size_t skip_backslashes(struct slice text, size_t at)
{
    enum { HEX_BYTES = 5 };
    unsigned code;
    for (;;) {
        while (detect_byte(text, at) == '\\')
            at++;
        if (detect_byte(text, at) != 'u' || !read_hex4(text, at + 1, &code) || code != '\\')
            return at;
        at += HEX_BYTES;
    }
}

/* An escape of any depth: however many backslashes are before its letter, it is one unit and reads as what the letter
 * stands for; so what is replaced neither begins nor ends within an escape. Backslashes before anything else are a unit
 * by themselves. `at` is one. */
static size_t read_escape(struct slice text, size_t at, unsigned *ret_code)
{
    enum { HEX_BYTES = 5 };
    size_t end = skip_backslashes(text, at);
    unsigned code, low;
    char c = unescape(detect_byte(text, end));
    if (detect_byte(text, end) != 'u' || !read_hex4(text, end + 1, &code)) {
        *ret_code = c ? (unsigned)c : '\\';
        return c ? end + 1 : end;
    }
    end += HEX_BYTES;
    if (is_high_surrogate(code) && detect_byte(text, end) == '\\') {
        size_t next = skip_backslashes(text, end);
        if (detect_byte(text, next) == 'u' && read_hex4(text, next + 1, &low) && is_low_surrogate(low)) {
            *ret_code = join_surrogates(code, low);
            return next + HEX_BYTES;
        }
    }
    *ret_code = is_high_surrogate(code) || is_low_surrogate(code) ? CODE_REPLACEMENT : code;
    return end;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Of two or three bytes; 0: something else. */
static size_t read_character(struct slice text, size_t at, unsigned *ret_code)
{
    unsigned char lead = (unsigned char)text.data[at];
    size_t length = lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xc2 && lead <= 0xdf ? 2 : 0;
    unsigned code = lead & (length == 3 ? 0x0fu : 0x1fu);
    for (size_t i = 1; i < length; i++) {
        char c = detect_byte(text, at + i);
        if (!is_continuation(c))
            return 0;
        code = code << 6 | ((unsigned char)c & 0x3fu);
    }
    *ret_code = code;
    return length;
}

size_t policy_view_one(struct slice text, size_t at, enum policy_view view, char ret_utf8[4], size_t *ret_bytes)
{
    unsigned code;
    size_t length = 0;
    if (text.data[at] == '\\')
        length = read_escape(text, at, &code) - at;
    else if ((unsigned char)text.data[at] >= 0x80)
        length = read_character(text, at, &code);
    *ret_bytes = 1;
    ret_utf8[0] = text.data[at];
    if (!length)
        return 1;
    code = read_like(code, view);
    *ret_bytes = code == CODE_NOTHING ? 0 : json_encode_utf8(code, ret_utf8);
    return length;
}

/* A joined view is one only when it leaves something out. */
static bool is_different(struct slice text, enum policy_view view)
{
    char utf8[4];
    size_t bytes, length;
    for (size_t at = 0; at < text.length; at += length) {
        length = policy_view_one(text, at, view, utf8, &bytes);
        if (view == VIEW_JOINED ? bytes == 0 : bytes != length || memcmp(utf8, text.data + at, bytes) != 0)
            return true;
    }
    return false;
}

struct slice policy_view_text(struct slice text, enum policy_view view, struct arena *arena)
{
    if (view == VIEW_PLAIN || !is_different(text, view))
        return text;
    char *read = arena_alloc(arena, text.length), utf8[4];
    size_t length = 0, bytes;
    for (size_t at = 0; at < text.length; length += bytes) {
        at += policy_view_one(text, at, view, utf8, &bytes);
        memcpy(read + length, utf8, bytes);
    }
    return (struct slice){read, length};
}
