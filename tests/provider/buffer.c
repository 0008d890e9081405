/* SPDX-License-Identifier: Apache-2.0 */
/* Growing byte buffer and bounded text fields of the stand-in provider; see buffer.h. Called by everything that
 * builds bytes. Knows no protocol.
 */
#include "tests/provider/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *buffer_reserve(struct buffer *buffer, size_t extra)
{
    if (buffer->capacity - buffer->length < extra) {
        size_t capacity = buffer->capacity ? buffer->capacity : 512;
        while (capacity - buffer->length < extra)
            capacity *= 2;
        char *data = realloc(buffer->data, capacity);
        if (!data) {
            fputs("provider: out of memory\n", stderr);
            abort();
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (!length)
        return;
    memcpy(buffer_reserve(buffer, length), bytes, length);
    buffer->length += length;
}

void buffer_add(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    size_t room = 256;
    for (;;) {
        char *at = buffer_reserve(buffer, room);
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf(at, room, format, arguments);
        va_end(arguments);
        if (length < 0)
            abort();
        if ((size_t)length < room) {
            buffer->length += (size_t)length;
            return;
        }
        room = (size_t)length + 1;
    }
}

void buffer_add_escaped(struct buffer *buffer, const char *text, size_t length)
{
    size_t plain = 0; /* start of the run that needs no escape */
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buffer_append(buffer, text + plain, i - plain);
        buffer_format(buffer, c < 0x20 ? "\\u%04x" : "\\%c", c);
        plain = i + 1;
    }
    buffer_append(buffer, text + plain, length - plain);
}

void buffer_reset(struct buffer *buffer, size_t capacity_max)
{
    if (buffer->capacity > capacity_max)
        buffer_free(buffer);
    buffer->length = 0;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void text_copy_plain(char *field, size_t field_bytes, const char *text, size_t length)
{
    if (length > field_bytes - 1) {
        length = field_bytes - 1;
        while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        field[i] = c < 0x20 || c == '\\' ? ' ' : c == '"' ? '\'' : (char)c;
    }
    field[length] = '\0';
}
