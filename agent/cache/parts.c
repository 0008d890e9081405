/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Length-prefixed parts, so that no two different lists of parts have the same bytes ("ab","c" is not "a","bc").
 * Called by key.c and policy.c. A part that does not fit is remembered: there is no digest then.
 */
#include "cache/internal.h"

#include <endian.h>

void parts_init(struct parts *parts, size_t bytes_max)
{
    buffer_init(&parts->buffer, bytes_max);
    parts->has_failed = false;
}

static void add_bytes(struct parts *parts, const void *bytes, size_t length)
{
    if (!buffer_append(&parts->buffer, (struct slice){bytes, length}))
        parts->has_failed = true;
}

void parts_add(struct parts *parts, struct slice part)
{
    uint64_t length = htole64(part.length);
    add_bytes(parts, &length, sizeof length);
    if (part.length)
        add_bytes(parts, part.data, part.length);
}

void parts_add_text(struct parts *parts, const char *text)
{
    const uint64_t none = UINT64_MAX; /* no length that a part can have */
    if (text)
        parts_add(parts, slice_of(text));
    else
        add_bytes(parts, &none, sizeof none);
}

void parts_add_number(struct parts *parts, int64_t number)
{
    uint64_t bytes = htole64((uint64_t)number);
    parts_add(parts, (struct slice){(const char *)&bytes, sizeof bytes});
}

void parts_add_list(struct parts *parts, const char *const *texts, size_t count)
{
    parts_add_number(parts, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        parts_add_text(parts, texts[i]);
}

bool parts_finish(struct parts *parts, unsigned char ret_digest[DIGEST_BYTES])
{
    bool is_whole = !parts->has_failed;
    if (is_whole)
        digest_sha256(buffer_contents(&parts->buffer), ret_digest);
    buffer_done(&parts->buffer);
    return is_whole;
}
