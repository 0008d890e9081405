/* SPDX-License-Identifier: Apache-2.0 */
/* See buffer.h. */
#include "base/buffer.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void buffer_init(struct buffer *buffer, size_t bytes_max)
{
    *buffer = (struct buffer){.bytes_max = bytes_max};
}

void buffer_init_forgiving(struct buffer *buffer, size_t bytes_max)
{
    *buffer = (struct buffer){.bytes_max = bytes_max, .may_overflow = true};
}

void buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){.bytes_max = buffer->bytes_max, .may_overflow = buffer->may_overflow};
}

char *buffer_grow(struct buffer *buffer, size_t bytes)
{
    size_t length = buffer_length(buffer);
    if (bytes > buffer->bytes_max || length > buffer->bytes_max - bytes)
        return NULL;
    if (buffer->capacity - buffer->end >= bytes)
        return buffer->data + buffer->end;
    if (buffer->start && (buffer->start >= length || buffer->capacity - length >= bytes)) {
        memmove(buffer->data, buffer->data + buffer->start, length);
        buffer->start = 0;
        buffer->end = length;
    }
    if (buffer->capacity - buffer->end < bytes) {
        size_t capacity = buffer->capacity ? buffer->capacity : 512;
        while (capacity - buffer->end < bytes)
            capacity *= 2;
        char *data = realloc(buffer->data, capacity);
        check(data != NULL || (buffer->may_overflow && buffer->data));
        if (!data)
            return NULL;
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->end;
}

void buffer_commit(struct buffer *buffer, size_t bytes)
{
    check(bytes <= buffer->capacity - buffer->end);
    buffer->end += bytes;
}

bool buffer_append(struct buffer *buffer, struct slice bytes)
{
    if (bytes.length == 0)
        return true;
    char *room = buffer_reserve(buffer, bytes.length);
    if (!room)
        return false;
    memcpy(room, bytes.data, bytes.length);
    buffer->end += bytes.length;
    return true;
}

bool buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    check(length >= 0);
    char *room = buffer_reserve(buffer, (size_t)length + 1);
    if (room) {
        vsnprintf(room, (size_t)length + 1, format, again);
        buffer->end += (size_t)length;
    }
    va_end(again);
    return room != NULL;
}

void buffer_consume(struct buffer *buffer, size_t bytes)
{
    check(bytes <= buffer_length(buffer));
    buffer->start += bytes;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void buffer_reset(struct buffer *buffer, size_t keep_bytes)
{
    buffer->start = buffer->end = 0;
    buffer->has_overflowed = false;
    if (buffer->capacity > keep_bytes) {
        free(buffer->data);
        buffer->data = NULL;
        buffer->capacity = 0;
    }
}
