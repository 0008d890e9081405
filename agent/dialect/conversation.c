/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which conversation a request belongs to: a hash of what all its turns begin with, the instructions and the first
 * message of the user, as bytes. For routing alone (who forges one, stays at a target of his own choice): fast, not
 * cryptographic. Called by the formats that have messages.
 */
#include "dialect/internal.h"

/* Of a longer run only its beginning: to tell conversations apart that is enough, and a pass over a megabyte is not
 * nothing. */
enum { HASHED_BYTES_MAX = 4096 };

/* The constant is the 64-bit golden ratio, odd. */
static const uint64_t factor = 0x9e3779b97f4a7c15u;

/* Four words at a time, that do not wait for each other, as far as there are so many. */
static uint64_t hash_blocks(uint64_t value, struct slice *bytes)
{
    enum { LANES = 4 };
    uint64_t lanes[LANES] = {value, value + factor, value ^ factor, ~value}, words[LANES];
    while (bytes->length >= sizeof words) {
        memcpy(words, bytes->data, sizeof words);
        for (size_t i = 0; i < LANES; i++) {
            lanes[i] = (lanes[i] ^ words[i]) * factor;
            lanes[i] ^= lanes[i] >> 29;
        }
        *bytes = slice_from(*bytes, sizeof words);
    }
    for (size_t i = 0; i < LANES; i++)
        value = (value ^ lanes[i]) * factor;
    return value;
}

void dialect_hash(uint64_t *hash, struct slice bytes)
{
    uint64_t value = *hash ^ (bytes.length * factor);
    if (bytes.length > HASHED_BYTES_MAX)
        bytes.length = HASHED_BYTES_MAX;
    value = hash_blocks(value, &bytes);
    while (bytes.length) {
        uint64_t word = 0;
        size_t length = bytes.length < sizeof word ? bytes.length : sizeof word;
        memcpy(&word, bytes.data, length);
        value = (value ^ word) * factor;
        value ^= value >> 29;
        bytes = slice_from(bytes, length);
    }
    *hash = value;
}

bool dialect_message_is_of(struct slice message, const char *role)
{
    struct json_value value;
    const struct json_query query = {"role", &value};
    /* As every SDK writes it; else it is scanned. */
    struct slice rest = slice_has_prefix(message, "{\"role\":\"") ? slice_from(message, 9) : (struct slice){NULL, 0};
    if (rest.length)
        return slice_has_prefix(rest, role) && slice_from(rest, strlen(role)).length && rest.data[strlen(role)] == '"';
    return json_scan(message, 1024, &query, 1, NULL) == ERROR_OK && json_string_is(&value, role);
}

/* A long message of the user, as every SDK writes it, is known by its beginning: the end is not looked for. */
static bool take_long_message(struct slice messages, size_t at, struct slice *ret_beginning)
{
    const char *open = memchr(messages.data + at, '{', messages.length - at);
    struct slice beginning = slice_from(messages, open ? (size_t)(open - messages.data) : messages.length);
    struct slice whole;
    size_t within = 0;
    if (beginning.length <= HASHED_BYTES_MAX)
        return false;
    beginning.length = HASHED_BYTES_MAX;
    *ret_beginning = beginning;
    return slice_has_prefix(beginning, "{\"role\":\"user\"") && !dialect_next_object(beginning, &within, &whole);
}

uint64_t dialect_hash_conversation(struct slice instructions, struct slice messages)
{
    uint64_t hash = 0;
    size_t at = 0;
    struct slice message;
    if (messages.length && messages.data[0] == '"') { /* Responses: `input` may be the user's text alone */
        dialect_hash(&hash, instructions);
        dialect_hash(&hash, messages);
        return hash ? hash : 1;
    }
    dialect_hash(&hash, instructions);
    while (at < messages.length) {
        if (take_long_message(messages, at, &message)) {
            dialect_hash(&hash, message);
            return hash ? hash : 1;
        }
        if (!dialect_next_object(messages, &at, &message))
            return 0;
        dialect_hash(&hash, message);
        if (dialect_message_is_of(message, "user"))
            return hash ? hash : 1;
    }
    return 0;
}
