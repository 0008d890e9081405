/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict one-pass JSON scanner (RFC 8259, UTF-8 only, duplicate members refused, depth bounded): it validates a whole
 * document and reports the members a caller asked for by path, as slices of the input. No tree; no allocation unless
 * more than 256 member names are in scope at once (then 8 bytes per name, freed before it returns). And a small writer.
 *
 * Verdicts equal those of jansson with JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL |
 * JSON_DECODE_INT_AS_REAL on every input (tests/unit/test_json.c compares them): U+0000 in a string and integers past
 * int64 are valid JSON that real clients send (a 64-bit unsigned seed), so they pass; half surrogate pairs, reals that
 * overflow a double, and U+0000 in a member name do not. Two deliberate
 * differences. A NUL byte is refused wherever it is: jansson 2.14 overlooks one right after a number or a word. And
 * depth: here it is the caller's number (at most 1024) of arrays and objects open at once; jansson has 2048 and counts
 * a scalar as a level.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/money.h"
#include "base/slice.h"

/* jansson owns the plain names. */
enum json_kind {
    JSON_KIND_ABSENT,
    JSON_KIND_NULL,
    JSON_KIND_FALSE,
    JSON_KIND_TRUE,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

/* A found value: its raw bytes (strings with their quotes), and where they and its name are. */
struct json_value {
    enum json_kind kind;
    struct slice raw;
    size_t offset;        /* of raw in the document */
    size_t member_offset; /* of the opening quote of its name */
};

/* A path to look for: "model", "stream_options.include_usage", "usage.prompt_tokens_details.cached_tokens": object
 * members only (nothing is found inside arrays), names compared decoded. At most 32 paths, at most 6 levels. */
struct json_query {
    const char *path;
    struct json_value *ret_value; /* set to JSON_KIND_ABSENT first */
};

struct json_problem {
    size_t offset;
    const char *message; /* a fixed text */
};

/* Scans `document` (any value kind at top level; below 4 GiB). ERROR_BODY_MALFORMED with *ret_problem (may be NULL);
 * the values are then unspecified. */
enum error json_scan(struct slice document, unsigned depth_max, const struct json_query *queries, size_t query_count,
                     struct json_problem *ret_problem) MUST_USE;

/* The elements of an array that json_scan found valid (its raw bytes): `*at` is 0 at first and moves on. False at the
 * end, and for what is no array. ret_element->offset is in `array`. */
bool json_next_element(struct slice array, size_t *at, struct json_value *ret_element);
/* Every string of a valid document that is a value (not a member's name), in order, inside arrays and objects: raw
 * with its quotes, offset in the document. `name`: the raw bytes between the quotes of the member that it is, or that
 * the array is which it stands in; empty at top level. Returns false when `visit` did. */
typedef bool json_visit_string(void *context, const struct json_value *value, struct slice name);
bool json_walk_strings(struct slice document, json_visit_string *visit, void *context);

/* Every member of a text that may be no JSON, in one walk that validates it, too: `name` as between its quotes, `text`
 * that of a value which is a string, else empty with data NULL. True: valid JSON by json_scan's verdict at a depth of
 * 128, but for names that repeat. False: the members before *ret_rest were shown, those behind it not; it is in no
 * string. */
struct json_member {
    struct slice name, text;
};
typedef void json_visit_member(void *context, const struct json_member *member);
bool json_walk_members(struct slice text, json_visit_member *visit, void *context, size_t *ret_rest);

/* Non-negative integer that fits in int64; false otherwise (also for 1.0, 1e3). */
bool json_get_integer(const struct json_value *value, int64_t *ret_integer);
/* Decodes a string's escapes into text (NUL-terminated); false when it is no string, does not fit, or holds U+0000. */
bool json_get_string(const struct json_value *value, char *text, size_t bytes_max);
bool json_string_is(const struct json_value *value, const char *text); /* decoded comparison */

/* Writers: append to a buffer (which must be large enough by construction: checked, unless it is one that forgives; a
 * string takes at most six bytes per byte and its quotes). */
/* Bytes of the well-formed UTF-8 sequence of two or more bytes at `at` (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF); 0 when it is none. */
size_t json_utf8_length(const char *at, const char *end);
/* The UTF-8 of a code point (RFC 3629, section 3): how many bytes. */
size_t json_encode_utf8(unsigned code, char utf8[4]);
void json_write_string(struct buffer *buffer, struct slice text); /* quoted; invalid UTF-8 becomes U+FFFD */
void json_write_text(struct buffer *buffer, const char *text);    /* the same; NULL: null */
void json_write_integer(struct buffer *buffer, int64_t value);
void json_write_name(struct buffer *buffer, struct slice name); /* `,` when needed, then "name": */
void json_write_bytes(struct buffer *buffer, struct slice json);
/* Here, so that the length of a literal is no call. */
static inline void json_write_raw(struct buffer *buffer, const char *json)
{
    json_write_bytes(buffer, slice_of(json));
}
static inline void json_write_member(struct buffer *buffer, const char *name)
{
    json_write_name(buffer, slice_of(name));
}
static inline void json_write_member_string(struct buffer *buffer, const char *name, const char *text) /* NULL: null */
{
    json_write_name(buffer, slice_of(name));
    json_write_text(buffer, text);
}
static inline void json_write_member_integer(struct buffer *buffer, const char *name, int64_t value)
{
    json_write_name(buffer, slice_of(name));
    json_write_integer(buffer, value);
}
static inline void json_write_member_boolean(struct buffer *buffer, const char *name, bool value)
{
    json_write_name(buffer, slice_of(name));
    json_write_bytes(buffer, value ? SLICE_LITERAL("true") : SLICE_LITERAL("false"));
}
static inline void json_write_member_money(struct buffer *buffer, const char *name, struct money money)
{
    char text[MONEY_TEXT_MAX];
    json_write_member_string(buffer, name, money_format(money, text)); /* "0.0125", a string */
}

#endif
