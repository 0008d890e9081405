/* SPDX-License-Identifier: Apache-2.0 */
/* JSON strings and numbers as values: decoding escapes, reading integers. Works on values that json_scan has validated.
 */
#include "base/json_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_between(const char *at, unsigned low, unsigned high)
{
    unsigned char c = (unsigned char)*at;
    return c >= low && c <= high;
}

size_t json_utf8_length(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;
    size_t length = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (length == 0 || (size_t)(end - at) < length)
        return 0;
    /* The second byte's range excludes overlong forms, surrogates and what is past U+10FFFF. */
    if (!is_between(at + 1, c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf))
        return 0;
    for (size_t i = 2; i < length; i++)
        if (!is_between(at + i, 0x80, 0xbf))
            return 0;
    return length;
}

static unsigned hex4(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)at[i];
        value = value << 4 | (c <= '9' ? (unsigned)c - '0' : ((unsigned)c | 0x20) - 'a' + 10);
    }
    return value;
}

size_t json_encode_utf8(unsigned code, char utf8[4])
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = count; i-- > 1; code >>= 6)
        utf8[i] = (char)(0x80 | (code & 0x3f));
    utf8[0] = (char)(lead[count] | code);
    return count;
}

/* Puts the UTF-8 form of `code` into pending, last byte first. */
static void push_code_point(struct json_text *text, unsigned code)
{
    char utf8[4];
    size_t count = json_encode_utf8(code, utf8);
    for (size_t i = 0; i < count; i++)
        text->pending[i] = (unsigned char)utf8[count - 1 - i];
    text->pending_count = (unsigned)count;
}

int json_text_next(struct json_text *text)
{
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    if (text->pending_count)
        return text->pending[--text->pending_count];
    unsigned char c = (unsigned char)*text->at;
    if (c == '"')
        return -1;
    text->at++;
    if (c != '\\')
        return c;
    c = (unsigned char)*text->at++;
    if (c == 'u') {
        unsigned code = hex4(text->at);
        text->at += 4;
        if (code >= 0xd800 && code < 0xdc00) {
            code = 0x10000 + ((code - 0xd800) << 10) + (hex4(text->at + 2) - 0xdc00);
            text->at += 6;
        }
        push_code_point(text, code);
        return text->pending[--text->pending_count];
    }
    for (size_t i = 0; escapes[i]; i += 2)
        if (escapes[i] == (char)c)
            return escapes[i + 1];
    return c; /* quote, backslash, slash */
}

bool json_get_integer(const struct json_value *value, int64_t *ret_integer)
{
    int64_t integer = 0;
    if (value->kind != JSON_KIND_NUMBER)
        return false;
    for (size_t i = 0; i < value->raw.length; i++) {
        char c = value->raw.data[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(integer, 10, &integer) ||
            __builtin_add_overflow(integer, c - '0', &integer))
            return false;
    }
    *ret_integer = integer;
    return true;
}

bool json_get_string(const struct json_value *value, char *text, size_t bytes_max)
{
    if (value->kind != JSON_KIND_STRING)
        return false;
    struct json_text reader = {.at = value->raw.data + 1};
    size_t length = 0;
    for (int c; (c = json_text_next(&reader)) >= 0; length++)
        if (c == 0)
            return false;
    if (length >= bytes_max)
        return false;
    reader = (struct json_text){.at = value->raw.data + 1};
    for (size_t i = 0; i < length; i++)
        text[i] = (char)json_text_next(&reader);
    text[length] = '\0';
    return true;
}

bool json_string_is(const struct json_value *value, const char *text)
{
    if (value->kind != JSON_KIND_STRING)
        return false;
    struct json_text reader = {.at = value->raw.data + 1};
    int c;
    while ((c = json_text_next(&reader)) > 0 && c == (unsigned char)*text)
        text++;
    return c == -1 && *text == '\0';
}

/* ---- overflow: the largest double is just below 1.8e308 ---- */

enum { DIGITS_MAX = 320, EXPONENT_MAX = 1000000000 };

static long long read_exponent(struct slice number)
{
    long long exponent = 0;
    bool is_negative = number.length && number.data[0] == '-';
    for (size_t i = 0; i < number.length; i++)
        if (number.data[i] >= '0' && number.data[i] <= '9' && exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (number.data[i] - '0');
    return is_negative ? -exponent : exponent;
}

/* The number as at most 320 significant digits, a last 1 for "and more" (what decides a tie lies within 309), and a
 * power of ten, for strtod: without a decimal point, which strtod would want in the locale's form. */
bool json_number_overflows(struct slice number)
{
    char digits[DIGITS_MAX + 32];
    size_t count = 0;
    bool in_fraction = false, has_more = false;
    long long exponent = 0;
    for (size_t i = 0; i < number.length; i++) {
        char c = number.data[i];
        if (c == '.') {
            in_fraction = true;
        } else if (c == 'e' || c == 'E') {
            exponent += read_exponent(slice_from(number, i + 1));
            break;
        } else if (c != '-') {
            bool is_kept = count < DIGITS_MAX && (count || c != '0');
            if (is_kept)
                digits[count++] = c;
            else
                has_more |= c != '0';
            /* A digit before the point that was not kept counts as a power of ten; leading zeros count as nothing. */
            exponent += in_fraction ? (is_kept || count == 0 ? -1 : 0) : (!is_kept && count ? 1 : 0);
        }
    }
    if (count == 0)
        return false;
    if (has_more) {
        digits[count++] = '1';
        exponent--;
    }
    long long magnitude = exponent + (long long)count; /* value < 10^magnitude */
    if (magnitude != 309)
        return magnitude > 309;
    snprintf(digits + count, sizeof digits - count, "e%lld", exponent);
    return isinf(strtod(digits, NULL));
}
