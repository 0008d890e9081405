/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable run of bytes with a hard bound. Appending past the bound fails and changes nothing; what is consumed
 * from the front is given back lazily, so that a buffer used as a queue costs no memmove per read.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/error.h"
#include "base/slice.h"

#include <stdarg.h>
#include <stdbool.h>

struct buffer {
    char *data;
    size_t start, end, capacity;
    size_t bytes_max;
    bool may_overflow, has_overflowed; /* of JSON: see buffer_init_forgiving */
};

/* No memory is taken before the first append. */
void buffer_init(struct buffer *buffer, size_t bytes_max);
/* The same for what others' words make as long as they like: JSON that finds no room (the bound, or no memory) is left
 * out, and has_overflowed says that the contents are none. Into others json_write_… must fit. */
void buffer_init_forgiving(struct buffer *buffer, size_t bytes_max);
void buffer_done(struct buffer *buffer);

static inline struct slice buffer_contents(const struct buffer *buffer)
{
    return (struct slice){buffer->data + buffer->start, buffer->end - buffer->start};
}
static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* False, and nothing changed, when the bound would be passed. */
bool buffer_append(struct buffer *buffer, struct slice bytes) MUST_USE;
bool buffer_append_format(struct buffer *buffer, const char *format, ...) MUST_USE
    __attribute__((format(printf, 2, 3)));
char *buffer_grow(struct buffer *buffer, size_t bytes) MUST_USE;
/* Room for `bytes` more at the end, or NULL at the bound; buffer_commit says how many were written there. */
MUST_USE static inline char *buffer_reserve(struct buffer *buffer, size_t bytes)
{
    bool has_room = buffer->capacity - buffer->end >= bytes && buffer->end - buffer->start + bytes <= buffer->bytes_max;
    return has_room && buffer->data ? buffer->data + buffer->end : buffer_grow(buffer, bytes);
}
void buffer_commit(struct buffer *buffer, size_t bytes);
void buffer_consume(struct buffer *buffer, size_t bytes);
/* Empties it, and forgets that it has overflowed; memory above `keep_bytes` is freed. */
void buffer_reset(struct buffer *buffer, size_t keep_bytes);

#endif
