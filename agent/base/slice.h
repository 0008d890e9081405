/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes: never owned, never NUL-terminated by promise. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data;
    size_t length;
};

#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})
#define SLICE_FORMAT        "%.*s"
#define SLICE_ARGUMENTS(s)  (int)(s).length, (s).data

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_is_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_is_equal(a, slice_of(text));
}

/* ASCII case-insensitive. Most of a field's names differ in their first letter. */
static inline bool slice_is_like(struct slice a, const char *text)
{
    if (a.length && (a.data[0] ^ text[0]) & ~0x20)
        return false;
    return a.length == strlen(text) && (a.length == 0 || strncasecmp(a.data, text, a.length) == 0);
}

static inline bool slice_has_prefix(struct slice a, const char *prefix)
{
    size_t length = strlen(prefix);
    return a.length >= length && memcmp(a.data, prefix, length) == 0;
}

static inline bool slice_has_suffix(struct slice a, const char *suffix)
{
    size_t length = strlen(suffix);
    return a.length >= length && memcmp(a.data + a.length - length, suffix, length) == 0;
}

/* Is it the pattern's text, or does it begin as a pattern that ends in '*' does? */
static inline bool text_fits(const char *text, const char *pattern)
{
    size_t length = strlen(pattern);
    bool is_prefix = length && pattern[length - 1] == '*';
    return is_prefix ? strncmp(text, pattern, length - 1) == 0 : strcmp(text, pattern) == 0;
}

static inline bool text_fits_any(const char *text, const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_fits(text, patterns[i]))
            return true;
    return false;
}

/* The part from offset on; empty when offset is past the end. */
static inline struct slice slice_from(struct slice a, size_t offset)
{
    return offset >= a.length ? (struct slice){a.data + a.length, 0}
                              : (struct slice){a.data + offset, a.length - offset};
}

/* Without spaces and tabs at its ends. */
static inline struct slice slice_trim(struct slice a)
{
    while (a.length && (a.data[0] == ' ' || a.data[0] == '\t'))
        a = slice_from(a, 1);
    while (a.length && (a.data[a.length - 1] == ' ' || a.data[a.length - 1] == '\t'))
        a.length--;
    return a;
}

#endif
