/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings, numbers and words of JSON: from the cursor to their end, or why not. Strings go sixteen bytes at a time.
 * Called by json_scan.c for every value and name.
 */
#include "base/json_internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---- strings ---- */

/* To the first byte that is a quote, a backslash, a control character or not ASCII. */
static inline const char *skip_plain(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(' '), quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* The comparison is signed: bytes from 0x80 on are below a space, too. */
        __m128i special = _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                                       _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask)
            return at + __builtin_ctz(mask);
    }
#else
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    for (; end - at >= 8; at += 8) {
        uint64_t bytes;
        memcpy(&bytes, at, 8);
        uint64_t quotes = bytes ^ (ones * '"'), backslashes = bytes ^ (ones * '\\');
        if ((bytes | (bytes - ones * ' ') | (quotes - ones) | (backslashes - ones)) & high)
            break; /* special, or a borrow that the loop below sorts out */
    }
#endif
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static bool is_hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i], lower = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'f'))
            return false;
    }
    return true;
}

/* 0: none, 1: a high one (D8xx–DBxx), 2: a low one. */
static int surrogate_half(const char *hex)
{
    unsigned char first = (unsigned char)hex[0] | 0x20, second = (unsigned char)hex[1] | 0x20;
    if (first != 'd' || second == ('0' | 0x20) || (second >= '1' && second <= '7'))
        return 0;
    return second == '8' || second == '9' || second == 'a' || second == 'b' ? 1 : second >= 'c' ? 2 : 0;
}

/* At a backslash. A surrogate must be one half of a pair: alone it has no UTF-8 form. */
static bool scan_escape(struct json_cursor *cursor)
{
    const char *at = cursor->at + 1;
    if (at == cursor->end || !strchr("\"\\/bfnrtu", *at) || *at == '\0')
        return json_fail(cursor, "an invalid escape in a string");
    cursor->at = at + 1;
    if (*at != 'u')
        return true;
    if (!is_hex4(cursor->at, cursor->end))
        return json_fail(cursor, "an invalid \\u escape in a string");
    int half = surrogate_half(cursor->at);
    cursor->at += 4;
    if (half == 0)
        return true;
    at = cursor->at;
    if (half == 2 || cursor->end - at < 6 || at[0] != '\\' || at[1] != 'u' || !is_hex4(at + 2, cursor->end) ||
        surrogate_half(at + 2) != 2)
        return json_fail(cursor, "half a surrogate pair in a string");
    cursor->at += 6;
    return true;
}

/* At the opening quote; ends after the closing one. */
bool json_scan_string(struct json_cursor *cursor, bool *ret_has_escapes)
{
    bool has_escapes = false;
    cursor->at++;
    for (;;) {
        cursor->at = skip_plain(cursor->at, cursor->end);
        if (cursor->at == cursor->end)
            return json_fail(cursor, "a string does not end");
        unsigned char c = (unsigned char)*cursor->at;
        if (c == '"') {
            cursor->at++;
            *ret_has_escapes = has_escapes;
            return true;
        }
        if (c < 0x20)
            return json_fail(cursor, "a control character in a string");
        if (c == '\\') {
            has_escapes = true;
            if (!scan_escape(cursor))
                return false;
            continue;
        }
        do { /* text that is not ASCII seldom comes alone */
            size_t length = json_utf8_length(cursor->at, cursor->end);
            if (length == 0)
                return json_fail(cursor, "invalid UTF-8");
            cursor->at += length;
        } while (cursor->at < cursor->end && (unsigned char)*cursor->at >= 0x80);
    }
}

/* ---- numbers and words ---- */

static bool skip_digits(struct json_cursor *cursor)
{
    const char *first = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
        cursor->at++;
    return cursor->at > first;
}

bool json_scan_number(struct json_cursor *cursor)
{
    const char *first = cursor->at;
    if (*cursor->at == '-')
        cursor->at++;
    const char *integer = cursor->at;
    if (!skip_digits(cursor) || (*integer == '0' && cursor->at - integer > 1))
        return json_fail(cursor, "an invalid number");
    bool is_large = cursor->at - integer > 308;
    if (cursor->at < cursor->end && *cursor->at == '.') {
        cursor->at++;
        if (!skip_digits(cursor))
            return json_fail(cursor, "an invalid number");
    }
    if (cursor->at < cursor->end && (*cursor->at == 'e' || *cursor->at == 'E')) {
        cursor->at++;
        if (cursor->at < cursor->end && (*cursor->at == '+' || *cursor->at == '-'))
            cursor->at++;
        if (!skip_digits(cursor))
            return json_fail(cursor, "an invalid number");
        is_large = true;
    }
    if (is_large && json_number_overflows((struct slice){first, (size_t)(cursor->at - first)}))
        return json_fail(cursor, "a number is too large");
    return true;
}

bool json_scan_word(struct json_cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return json_fail(cursor, "an invalid value");
    cursor->at += length;
    return true;
}
