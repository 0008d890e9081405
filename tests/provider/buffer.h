/* SPDX-License-Identifier: Apache-2.0 */
/* Growing byte buffer of the stand-in provider. Everything that is sent or written to the bill is built in one of
 * these. Out of memory ends the program: it is a test double, and a half answer would look like a fault on purpose.
 */
#ifndef TESTS_PROVIDER_BUFFER_H
#define TESTS_PROVIDER_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data; /* owned; NULL while capacity is 0 */
    size_t length;
    size_t capacity;
};

/* Makes room for `extra` more bytes and returns where they go; the caller adds what it wrote to length. */
char *buffer_reserve(struct buffer *buffer, size_t extra);
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_add(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends text as the inside of a JSON string (no quotes around it), control characters as \u00XX. */
void buffer_add_escaped(struct buffer *buffer, const char *text, size_t length);
/* Empties the buffer and gives memory back when more than capacity_max is held. */
void buffer_reset(struct buffer *buffer, size_t capacity_max);
void buffer_free(struct buffer *buffer);

/* Copies text into a bounded field, without the characters that JSON would have to escape, cut at a UTF-8 boundary. */
void text_copy_plain(char *field, size_t field_bytes, const char *text, size_t length);

#endif
