/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repeated member names. Each name leaves eight bytes: a fingerprint of its decoded form and where it is. Up to
 * PAIRS_MAX names are compared pairwise, more are sorted: whatever names a client picks, finding a repetition costs
 * O(n log n) comparisons. Called by json_scan.c when an object closes.
 */
#include "base/json_internal.h"

#include <endian.h>
#include <stdlib.h>

enum { PAIRS_MAX = 32 };

static uint32_t mix(uint64_t head, uint64_t tail, size_t length)
{
    uint64_t hash = (head ^ (tail * 0x9e3779b97f4a7c15u) ^ length) * 0xd6e8feb86659fd93u;
    return (uint32_t)((hash ^ hash >> 29) >> 7);
}

/* Decoded byte by byte; the same result as for the same name without escapes. */
static uint32_t hash_escaped(const char *quote, size_t *ret_decoded_bytes)
{
    struct json_text text = {.at = quote + 1};
    uint64_t head = 0, tail = 0;
    size_t length = 0;
    for (int c; (c = json_text_next(&text)) >= 0; length++) {
        if (length < 8)
            head |= (uint64_t)c << (8 * length);
        tail = tail >> 8 | (uint64_t)c << 56;
    }
    *ret_decoded_bytes = length;
    return mix(head, length > 8 ? tail : 0, length);
}

/* Its first eight bytes, its last eight and its length. */
uint32_t json_key_hash(const char *document_end, const char *quote, size_t raw_bytes, bool has_escapes,
                       size_t *ret_decoded_bytes)
{
    uint64_t head = 0, tail = 0;
    const char *name = quote + 1;
    if (has_escapes)
        return hash_escaped(quote, ret_decoded_bytes);
    if (document_end - name >= 8) {
        memcpy(&head, name, 8);
        head = le64toh(head);
        if (raw_bytes < 8)
            head &= ((uint64_t)1 << (8 * raw_bytes)) - 1;
    } else {
        memcpy(&head, name, raw_bytes < 8 ? raw_bytes : 8);
        head = le64toh(head);
    }
    if (raw_bytes > 8) {
        memcpy(&tail, name + raw_bytes - 8, 8);
        tail = le64toh(tail);
    }
    *ret_decoded_bytes = raw_bytes;
    return mix(head, tail, raw_bytes);
}

static int compare_text(const char *document, const struct json_key *a, const struct json_key *b)
{
    struct json_text left = {.at = document + a->offset + 1}, right = {.at = document + b->offset + 1};
    int c, d;
    do {
        c = json_text_next(&left);
        d = json_text_next(&right);
    } while (c == d && c >= 0);
    return c - d;
}

static int compare_keys(const void *a, const void *b, void *document)
{
    const struct json_key *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return compare_text(document, left, right);
}

static bool pairs_repeat(const char *document, const struct json_key *keys, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (keys[i].hash == keys[j].hash && compare_text(document, &keys[i], &keys[j]) == 0)
                return true;
    return false;
}

bool json_keys_repeat(const char *document, struct json_key *keys, size_t count)
{
    if (count <= PAIRS_MAX)
        return pairs_repeat(document, keys, count);
    union {
        const char *in;
        void *out;
    } context = {document}; /* qsort_r's context is not const */
    qsort_r(keys, count, sizeof *keys, compare_keys, context.out);
    for (size_t i = 1; i < count; i++)
        if (keys[i].hash == keys[i - 1].hash && compare_text(document, &keys[i], &keys[i - 1]) == 0)
            return true;
    return false;
}
