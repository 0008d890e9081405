/* SPDX-License-Identifier: Apache-2.0 */
/* What the json_*.c files share: reading strings, with and without their escapes. Included by agent/base/json_*.c only.
 */
#ifndef BASE_JSON_INTERNAL_H
#define BASE_JSON_INTERNAL_H

#include "base/json.h"

/* Decodes the inside of a *validated* string byte by byte; it ends at the closing quote. */
struct json_text {
    const char *at;
    unsigned char pending[4]; /* bytes of a decoded escape, last first */
    unsigned pending_count;
};
/* The next byte, or -1 at the end. */
int json_text_next(struct json_text *text);

/* Finds repeated members of one object: a fingerprint per member, on a stack shared by all objects that are open. */
struct json_key {
    uint32_t hash, offset; /* of the opening quote */
};
/* The fingerprint of a validated name (at its opening quote, `raw` bytes between the quotes), and its decoded length.
 */
uint32_t json_key_hash(const char *document_end, const char *quote, size_t raw_bytes, bool has_escapes,
                       size_t *ret_decoded_bytes);
/* Are two of them the same name? Sorts `keys` when there are many: never quadratic. */
bool json_keys_repeat(const char *document, struct json_key *keys, size_t count);

/* Where the scanner is. */
struct json_cursor {
    const char *start, *at, *end;
    const char *problem;
};
static inline bool json_fail(struct json_cursor *cursor, const char *problem)
{
    cursor->problem = problem;
    return false;
}
/* From its first byte to behind its last; false with `problem`, `at` near it. */
bool json_scan_string(struct json_cursor *cursor, bool *ret_has_escapes);
bool json_scan_number(struct json_cursor *cursor);
bool json_scan_word(struct json_cursor *cursor, const char *word);

/* Would strtod overflow? `number` is a valid JSON number. */
bool json_number_overflows(struct slice number);

#endif
